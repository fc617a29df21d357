//! `truncate_payload`, `truncate_invariant`: a payload that was cut fits, and is still what it was.

use rollbar_runtime::__conformance::truncate;
use serde_json::{Map, Value, json};
use xray_console::rollbar::violations;

use super::judge_each;
use crate::family::{Failure, Outcome};
use crate::input::{required, text};

pub(crate) fn run_payload(document: &Value) -> Result<Vec<Outcome>, String> {
    judge_each(document, |input, expected| {
        holds(input.get("payload").ok_or("no `payload`")?, max_bytes(input)?, expected)
    })
}

pub(crate) fn run_invariant(document: &Value) -> Result<Vec<Outcome>, String> {
    judge_each(document, |input, expected| {
        holds(&generated(required(input, "generator")?)?, max_bytes(input)?, expected)
    })
}

fn max_bytes(input: &Value) -> Result<usize, String> {
    let max = input.get("max_bytes").and_then(Value::as_u64).and_then(|max| usize::try_from(max).ok());
    max.ok_or_else(|| "no `max_bytes`".into())
}

/// Whether each invariant of `must` holds after cutting.
fn holds(whole: &Value, max_bytes: usize, expected: &Value) -> Result<Option<Failure>, String> {
    let must = expected.get("must").and_then(Value::as_array).ok_or("no `must`")?;
    let mut cut = whole.clone();
    truncate(&mut cut, max_bytes);
    let mut broken = Vec::new();
    for must in must {
        let must = text(must)?;
        if let Err(what) = invariant(must)?(whole, &cut, max_bytes) {
            broken.push(format!("{must}: {what}"));
        }
    }
    Ok((!broken.is_empty()).then(|| Failure::Broken(broken.join("\n  "))))
}

/// Judges what was cut (second) of a payload (first) for a limit.
type Invariant = fn(&Value, &Value, usize) -> Result<(), String>;

/// The invariant of these words.
fn invariant(words: &str) -> Result<Invariant, String> {
    let is = |start: &str| words.starts_with(start);
    Ok(match () {
        () if is("serialized size <= ") => size,
        () if is("uuid, environment") => identity,
        () if is("body still valid per schema") => valid,
        () if is("exception class kept") => classes,
        () if is("some marker of what was cut") || is("data.notifier.diagnostic.truncation") => marker,
        () if is("first and last frame kept") => ends,
        () if is("every cut string is valid UTF-8 and a prefix") => prefixes,
        () => return Err(format!("`{words}` is no invariant that this build knows")),
    })
}

fn all(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn size(_: &Value, cut: &Value, max_bytes: usize) -> Result<(), String> {
    let bytes = cut.to_string().len();
    all(bytes <= max_bytes, || format!("{bytes} bytes"))
}

fn identity(whole: &Value, cut: &Value, _: usize) -> Result<(), String> {
    for key in ["uuid", "environment", "level", "language", "title"] {
        let (whole, cut) = (&whole["data"][key], &cut["data"][key]);
        all(whole == cut, || format!("{key}: {whole} became {cut}"))?;
    }
    for (key, value) in whole["data"]["notifier"].as_object().into_iter().flatten() {
        all(key == "diagnostic" || cut["data"]["notifier"][key] == *value, || format!("notifier.{key}"))?;
    }
    Ok(())
}

fn valid(_: &Value, cut: &Value, _: usize) -> Result<(), String> {
    let violations = violations(cut);
    all(violations.is_empty(), || format!("{violations:?}"))
}

fn traces(payload: &Value) -> &[Value] {
    let body = &payload["data"]["body"];
    match (&body["trace_chain"], &body["trace"]) {
        (Value::Array(traces), _) => traces,
        (_, Value::Null) => &[],
        (_, trace) => std::slice::from_ref(trace),
    }
}

fn classes(whole: &Value, cut: &Value, _: usize) -> Result<(), String> {
    let (whole, cut) = (traces(whole), traces(cut));
    all(whole.is_empty() || !cut.is_empty(), || "no trace is left".into())?;
    // What was caught, and each cause that is left: links may have gone.
    let class = |trace: &Value| trace["exception"]["class"].clone();
    let mut rest = whole.iter().map(class);
    let kept = cut.iter().map(class).all(|class| rest.any(|whole| whole == class));
    all(kept && whole.first().map(class) == cut.first().map(class), || "other classes".into())
}

fn ends(whole: &Value, cut: &Value, _: usize) -> Result<(), String> {
    let place =
        |frame: Option<&Value>| frame.map(|frame| (frame["filename"].clone(), frame["lineno"].clone()));
    for (whole, cut) in traces(whole).iter().zip(traces(cut)) {
        let frames = |trace: &Value| trace["frames"].as_array().cloned().unwrap_or_default();
        let (whole, cut) = (frames(whole), frames(cut));
        let kept = place(whole.first()) == place(cut.first()) && place(whole.last()) == place(cut.last());
        all(kept && cut.len() >= whole.len().min(2), || {
            format!("{} frames became {}", whole.len(), cut.len())
        })?;
    }
    Ok(())
}

fn marker(whole: &Value, cut: &Value, max_bytes: usize) -> Result<(), String> {
    let marker = cut.pointer("/data/notifier/diagnostic/truncation");
    if whole.to_string().len() <= max_bytes {
        return all(marker.is_none() && whole == cut, || "it had fitted".into());
    }
    let lists = marker.and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    all(lists, || format!("the marker is {marker:?}"))
}

fn prefixes(whole: &Value, cut: &Value, _: usize) -> Result<(), String> {
    all(is_prefix(whole, cut), || "a text is no prefix, or a value is another".into())
}

/// Whether each text begins the one in its place. Elements and entries may have gone, and the marker come.
fn is_prefix(whole: &Value, cut: &Value) -> bool {
    match (whole, cut) {
        (Value::String(whole), Value::String(cut)) => whole.starts_with(cut.as_str()),
        (Value::Array(whole), Value::Array(cut)) => {
            let mut rest = whole.iter();
            cut.iter().all(|cut| rest.any(|whole| is_prefix(whole, cut)))
        }
        (Value::Object(whole), Value::Object(cut)) => cut.iter().all(|(key, cut)| {
            matches!(key.as_str(), "notifier" | "diagnostic")
                || whole.get(key).is_some_and(|whole| is_prefix(whole, cut))
        }),
        (whole, cut) => whole == cut,
    }
}

/// The payload that the words describe, such as `custom = {k0..k9: 'v'*200}, trace with 2 frames`.
fn generated(words: &str) -> Result<Value, String> {
    let mut data = json!({
        "environment": "production", "level": "error", "language": "rust", "title": "a title",
        "uuid": "d4c7acef-55bf-4c9e-a95e-4fe9428a8287", "notifier": {"name": "rollbar-runtime", "version": "0.1.0"},
        "body": {"message": {"body": "hello"}},
    });
    for part in words.split(", ") {
        if let Some((path, value)) = part.split_once(" = ") {
            // A message is of the body.
            let path = if path.starts_with("message") || path.starts_with("trace") {
                format!("body.{path}")
            } else {
                path.to_owned()
            };
            *path.split('.').fold(&mut data, |value, key| &mut value[key]) = parsed(value)?;
        } else if let Some(count) =
            part.strip_prefix("trace with ").and_then(|part| part.strip_suffix(" frames"))
        {
            let count: u32 = count.parse().map_err(|error| format!("`{part}`: {error}"))?;
            let frame =
                |index| json!({"filename": format!("src/f{index}.rs"), "lineno": index, "method": "m"});
            let frames: Vec<_> = (0..count).map(frame).collect();
            data["body"] =
                json!({"trace": {"frames": frames, "exception": {"class": "E", "message": "boom"}}});
        } else {
            return Err(format!("`{part}` describes nothing this build knows"));
        }
    }
    Ok(json!({ "data": data }))
}

/// `'b'*2000000`, or `{k0..k5999: 'v'*200}`.
fn parsed(words: &str) -> Result<Value, String> {
    let unreadable = || format!("`{words}` is no value this build knows");
    if let Some(entries) = words.strip_prefix('{').and_then(|words| words.strip_suffix('}')) {
        let (keys, value) = entries.split_once(": ").ok_or_else(unreadable)?;
        let (first, last) = keys.split_once("..").ok_or_else(unreadable)?;
        let name = first.trim_end_matches(|char: char| char.is_ascii_digit());
        let number = |key: &str| key.strip_prefix(name)?.parse::<u32>().ok();
        let (first, last) = number(first).zip(number(last)).ok_or_else(unreadable)?;
        let value = parsed(value)?;
        let entries: Map<_, _> =
            (first..=last).map(|index| (format!("{name}{index}"), value.clone())).collect();
        return Ok(entries.into());
    }
    let (text, count) = words.split_once("'*").ok_or_else(unreadable)?;
    let text = text.strip_prefix('\'').ok_or_else(unreadable)?;
    Ok(text.repeat(count.parse().map_err(|_| unreadable())?).into())
}

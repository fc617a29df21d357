//! Tests of the ladder of [`truncation`](super).

use proptest::prelude::*;

use super::*;

fn frames(count: usize) -> Vec<Value> {
    let frame = |index: usize| {
        json!({
            "filename": format!("src/f{index}.rs"), "lineno": index, "method": "m", "code": "c".repeat(20),
            "locals": {"a": "l".repeat(30)}, "args": [1],
        })
    };
    (0..count).map(frame).collect()
}

fn trace(count: usize, message: &str) -> Value {
    json!({"frames": frames(count), "exception": {"class": "my::Error", "message": message, "description": message}})
}

fn payload(body: Value) -> Value {
    json!({"access_token": "t", "data": {
        "environment": "production", "level": "error", "uuid": "d4c7acef-55bf-4c9e-a95e-4fe9428a8287", "language": "rust",
        "title": "a title", "notifier": {"name": "rollbar-runtime", "version": "0.1.0"}, "body": body,
    }})
}

/// What was cut.
fn cut(payload: &mut Value, max_bytes: usize) -> Vec<String> {
    let result = truncate(payload, max_bytes);
    let written = serde_json::to_string(payload).unwrap().len();
    match result {
        Truncation::None { bytes } => {
            assert!(bytes == written && written <= max_bytes);
            assert!(payload["data"]["notifier"].get("diagnostic").is_none());
            Vec::new()
        }
        Truncation::Cut { bytes } => {
            assert!(bytes == written && written <= max_bytes, "{bytes} {written} {max_bytes}");
            let list = payload["data"]["notifier"]["diagnostic"]["truncation"].as_array().unwrap();
            list.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
        }
        Truncation::TooLarge => panic!("{written} > {max_bytes}: {payload}"),
    }
}

#[test]
fn each_rung_is_the_last_where_it_does() {
    let whole = payload(json!({ "trace": trace(70, &"m".repeat(3000)) }));
    let size = |payload: &Value| serde_json::to_string(payload).unwrap().len();
    let mut steps = Vec::new();
    let mut max_bytes = size(&whole);
    loop {
        let mut payload = whole.clone();
        let names = cut(&mut payload, max_bytes);
        let body = &payload["data"]["body"]["trace"];
        let frames = body["frames"].as_array().unwrap();
        assert_eq!((&frames[0]["lineno"], &frames[frames.len() - 1]["lineno"]), (&json!(0), &json!(69)));
        assert_eq!(body["exception"]["class"], "my::Error");
        steps.push(names.last().cloned().unwrap_or_default());
        if names == [BARE] {
            break;
        }
        max_bytes = size(&payload) - 1;
    }
    steps.dedup();
    assert_eq!(
        steps,
        ["", "locals", "frames(30+30)", "strings(1024)", "strings(512)", "strings(256)", MIN_BODY, BARE]
    );
}

#[test]
fn the_body_is_spared_where_cutting_it_does_not_help() {
    let mut large = payload(json!({ "trace": trace(40, "boom") }));
    large["data"]["custom"] =
        (0..5999).map(|index| (format!("k{index}"), json!("v".repeat(200)))).collect::<Map<_, _>>().into();
    large["data"]["request"] = json!({"url": "http://h/"});
    let names = cut(&mut large, DEFAULT_MAX_BYTES);
    assert!(
        names.len() == 3 && names[1].starts_with("request") && names[2].starts_with("custom("),
        "{names:?}"
    );
    assert_eq!(large["data"]["body"]["trace"]["frames"].as_array().unwrap().len(), 40);
    // What fits of it stays.
    assert!(serde_json::to_string(&large).unwrap().len() > DEFAULT_MAX_BYTES * 9 / 10);
}

#[test]
fn the_largest_go_and_are_named() {
    let mut large = payload(json!({"message": {"body": "hello", "extra": [1]}}));
    let many = json!(vec!["x".repeat(100); 400]);
    large["data"]["server"] = json!({"host": "h", "history": many});
    large["data"]["client"] = json!({"a": "b"});
    assert_eq!(cut(&mut large, 2000), ["extras", "server"]);
    assert_eq!(large["data"]["client"], json!({"a": "b"}));

    let mut large = payload(json!({"message": {"body": "hello"}}));
    large["data"]["request"] = json!({"url": "http://h/", "body": many});
    assert_eq!(cut(&mut large, 2000), ["request.body"]);
    assert_eq!(large["data"]["request"], json!({"url": "http://h/"}));
}

#[test]
fn a_long_chain_keeps_both_ends() {
    let chain: Vec<_> = (0..500).map(|index| trace(3, &format!("m{index}"))).collect();
    let mut large = payload(json!({ "trace_chain": chain }));
    assert_eq!(cut(&mut large, 20_000).last().unwrap(), "trace_chain");
    let chain = large["data"]["body"]["trace_chain"].as_array().unwrap();
    assert_eq!(chain[0]["exception"]["message"], "m0");
    assert_eq!(chain[chain.len() - 1]["exception"]["message"], "m499");
    assert!(chain.len() > 20, "{}", chain.len());
}

#[test]
fn characters_stay_whole() {
    for max_bytes in [900, 901, 902, 903] {
        let text = "é🦀".repeat(2000);
        let mut large = payload(json!({"message": {"body": text}}));
        cut(&mut large, max_bytes);
        let left = large["data"]["body"]["message"]["body"].as_str().unwrap();
        assert!(text.starts_with(left) && left.len() > 200);
    }
}

#[test]
fn fifty_megabytes_and_a_tree_without_end() {
    let mut large = payload(json!({"message": {"body": "\u{1}".repeat(50_000_000)}}));
    cut(&mut large, DEFAULT_MAX_BYTES);
    let mut deep = Value::Null;
    for _ in 0..200_000 {
        deep = Value::Array(vec![deep]);
    }
    let mut payload = payload(json!({"message": {"body": "hello"}}));
    payload["data"]["custom"] = Value::Object([("deep".to_owned(), deep)].into_iter().collect());
    assert_eq!(cut(&mut payload, DEFAULT_MAX_BYTES), ["depth"]);
    assert!(serde_json::from_slice::<Value>(&serde_json::to_vec(&payload).unwrap()).is_ok());
}

#[test]
fn what_cannot_fit_is_told() {
    for mut payload in
        [json!("x".repeat(100)), json!({"data": []}), json!(["x".repeat(100)]), payload(json!({}))]
    {
        assert_eq!(truncate(&mut payload, 10), Truncation::TooLarge);
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        (0..3000_usize, "[aé\"\\x00]").prop_map(|(count, text)| text.repeat(count).into()),
    ];
    leaf.prop_recursive(4, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((".{0,6}", inner), 0..8)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn any_text() -> impl Strategy<Value = String> {
    (0..40_000_usize, prop::sample::select(vec!["a", "\"", "é", "\u{1}", "🦀"]))
        .prop_map(|(count, text)| text.repeat(count))
}

fn any_trace() -> impl Strategy<Value = Value> {
    (0..80_usize, any_text(), any_value()).prop_map(|(count, message, locals)| {
        let mut trace = trace(count, &message);
        if let Some(frame) = trace["frames"].get_mut(0) {
            frame["locals"] = json!({ "a": locals });
        }
        trace
    })
}

fn any_body() -> impl Strategy<Value = Value> {
    prop_oneof![
        (any_text(), any_value())
            .prop_map(|(text, extra)| json!({"message": {"body": text, "extra": extra}})),
        any_text().prop_map(|text| json!({"crash_report": {"raw": text}})),
        any_trace().prop_map(|trace| json!({ "trace": trace })),
        (prop::collection::vec(any_trace(), 1..6), any_value())
            .prop_map(|(chain, telemetry)| json!({"trace_chain": chain, "telemetry": [telemetry]})),
    ]
}

/// Whether each text of `cut` begins the one in its place; frames may have gone.
fn is_prefix(cut: &Value, whole: &Value) -> bool {
    match (cut, whole) {
        (Value::String(cut), Value::String(whole)) => whole.starts_with(cut.as_str()),
        (Value::Array(cut), Value::Array(whole)) => {
            let mut rest = whole.iter();
            cut.iter().all(|cut| rest.any(|whole| is_prefix(cut, whole)))
        }
        (Value::Object(cut), Value::Object(whole)) => cut.iter().all(|(key, cut)| {
            key == "diagnostic" || whole.get(key).is_some_and(|whole| is_prefix(cut, whole))
        }),
        (cut, whole) => cut == whole,
    }
}

proptest! {
    #[test]
    fn any_item_fits_and_is_still_what_it_was(
        body in any_body(), request in any_value(), custom in any_value(), other in any_value(), max_bytes in MIN_MAX_BYTES..80_000,
    ) {
        let mut whole = payload(body);
        whole["data"]["request"] = request;
        whole["data"]["custom"] = custom;
        whole["data"]["any"] = other.clone();
        whole["top"] = other;
        let mut payload = whole.clone();
        let names = cut(&mut payload, max_bytes);
        if names.is_empty() {
            prop_assert_eq!(&payload, &whole);
        }
        prop_assert!(is_prefix(&payload, &whole));
        for key in ["environment", "level", "uuid", "language", "title"] {
            prop_assert_eq!(&payload["data"][key], &whole["data"][key]);
        }
        let (left, body) = (&payload["data"]["body"], &whole["data"]["body"]);
        let kind = left.as_object().unwrap().keys().next().unwrap().clone();
        let traces = |body: &Value| match &body[&kind] {
            Value::Array(traces) => traces.clone(),
            trace => vec![trace.clone()],
        };
        for (left, whole) in traces(left).iter().zip(&traces(body)) {
            if let Some(class) = whole.pointer("/exception/class") {
                prop_assert_eq!(&left["exception"]["class"], class);
            }
        }
    }

    #[test]
    fn anything_at_all(mut payload in any_value(), mut data in any_value(), max_bytes in 0..20_000_usize) {
        truncate(&mut payload, max_bytes);
        if let Some(data) = data.as_object_mut() {
            data.insert("body".into(), json!({"trace": {"frames": [1, {"filename": 2}], "exception": []}}));
        }
        let mut payload = json!({ "data": data });
        let result = truncate(&mut payload, max_bytes);
        let written = serde_json::to_string(&payload).unwrap().len();
        match result {
            Truncation::None { bytes } | Truncation::Cut { bytes } => prop_assert!(bytes == written && bytes <= max_bytes),
            Truncation::TooLarge => prop_assert!(written > max_bytes),
        }
    }
}

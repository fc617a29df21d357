//! What to do after a try to send an item: with the answer of the API, or with the failure to get one.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

/// Retries of one item, where nothing else is said: as the SDKs for Go and Ruby have it.
pub(crate) const MAX_RETRIES: u32 = 3;

/// Without a word from the API on how long to wait.
const DEFAULT_PAUSE: Duration = Duration::from_secs(60);

/// However long the API says: windows may last 30 days, and the limit may be raised before.
const MAX_PAUSE: Duration = Duration::from_secs(3600);

/// Characters of a message of the API that are passed on.
const MAX_DETAIL_CHARS: usize = 500;

/// How an item was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// 1 for the first try.
    pub(crate) attempt: u32,
    /// See [`MAX_RETRIES`].
    pub(crate) max_retries: u32,
    pub(crate) form: Form,
    /// Whether the body was compressed.
    pub(crate) compressed: bool,
}

/// What was sent of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// What fits the configured limit.
    Whole,
    /// Less, after the API found it too large.
    Truncated,
    /// A note in place of the item, after it was still too large.
    Failsafe,
}

/// What becomes of the item, or of the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// The API has it.
    Done,
    /// It will never be taken.
    Drop,
    /// It could be taken later, but not by this process now: lost unless there is a spool.
    DropOrSpool,
    /// Again after a while, under the same uuid.
    Retry,
    /// Again, at once, as plain JSON; and no more compression.
    RetryUncompressed,
    /// Again, at once, with less in it.
    TruncateAndRetryOnce,
    /// A note in its place.
    FailsafeOnce,
    /// Nothing is sent for so long; the item waits if there is room.
    Pause(Duration),
    /// Nothing is sent any more.
    Disable,
}

/// What to do after a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) action: Action,
    /// Nothing more is sent for so long, though this item was taken: the limit is reached.
    pub(crate) pause: Option<Duration>,
    /// What the user should know.
    pub(crate) log: Option<&'static str>,
    /// The API's own words, with tokens masked: goes with `log`.
    pub(crate) detail: Option<String>,
}

impl Verdict {
    const fn new(action: Action) -> Self {
        Self { action, pause: None, log: None, detail: None }
    }

    fn log(mut self, log: &'static str) -> Self {
        self.log = Some(log);
        self
    }

    fn detail(mut self, detail: Option<String>) -> Self {
        self.detail = detail;
        self
    }

    /// The line to log, if any.
    pub(crate) fn line(&self) -> Option<Cow<'static, str>> {
        Some(match (self.log?, &self.detail) {
            (log, Some(detail)) => format!("{log}: {detail}").into(),
            (log, None) => log.into(),
        })
    }
}

impl Sent {
    fn again(self) -> Verdict {
        if self.attempt > self.max_retries {
            Verdict::new(Action::DropOrSpool).log("retries used up")
        } else {
            Verdict::new(Action::Retry)
        }
    }
}

/// What to do with an answer. `header` gives the value of a header by its name in any case; `token` is the one that was
/// sent, and is never in what is returned.
pub(crate) fn verdict<'a>(
    status: u16,
    header: impl Fn(&str) -> Option<&'a str>,
    body: &[u8],
    sent: Sent,
    token: &str,
) -> Verdict {
    let answer = Answer::read(body);
    let detail = answer.message(token);
    let drop = |log| Verdict::new(Action::Drop).log(log);
    match status {
        200..=299 => match answer {
            Answer::Refused(_) => drop("the API refused the item in an answer of success").detail(detail),
            _ => {
                let mut done = Verdict::new(Action::Done);
                done.pause = (seconds(&header, "X-Rate-Limit-Remaining") == Some(0)).then(|| pause(&header));
                if matches!(answer, Answer::Unreadable) { done.log("unparseable body") } else { done }
            }
        },
        400 | 415 if sent.compressed => Verdict::new(Action::RetryUncompressed),
        400 => drop("bad request").detail(detail),
        401 => Verdict::new(Action::Disable).log("the API found no access token").detail(detail),
        // A proxy says so too, and nothing about the token.
        403 if matches!(answer, Answer::Refused(_)) => {
            Verdict::new(Action::Disable).log("the API refused the access token").detail(detail)
        }
        403 => drop("forbidden, but not by the API: a proxy?"),
        300..=399 | 404 | 405 => drop("check endpoint").detail(detail),
        408 | 500..=599 => sent.again(),
        413 => match sent.form {
            Form::Whole => Verdict::new(Action::TruncateAndRetryOnce),
            Form::Truncated => Verdict::new(Action::FailsafeOnce),
            Form::Failsafe => drop("failsafe refused: never recurse"),
        },
        422 => drop("the API found the item invalid").detail(detail),
        429 => {
            let paused = Verdict::new(Action::Pause(pause(&header)));
            if detail.as_ref().is_some_and(|detail| detail.to_ascii_lowercase().contains("plan")) {
                paused.log("plan limit").detail(detail)
            } else {
                paused.detail(detail)
            }
        }
        _ => drop("unexpected status").detail(detail),
    }
}

/// The longer of what the headers ask for. While there is something left, the window's length says nothing: the limit
/// was that of a moment.
fn pause<'a>(header: &impl Fn(&str) -> Option<&'a str>) -> Duration {
    let left = seconds(header, "X-Rate-Limit-Remaining").is_some_and(|left| left > 0);
    let window = if left { Some(1) } else { seconds(header, "X-Rate-Limit-Remaining-Seconds") };
    // A date in Retry-After counts as none.
    let longer = seconds(header, "Retry-After").max(window);
    longer.map_or(DEFAULT_PAUSE, |longer| Duration::from_secs(longer.max(1))).min(MAX_PAUSE)
}

/// A number of no sign, rounded up.
fn seconds<'a>(header: &impl Fn(&str) -> Option<&'a str>, name: &str) -> Option<u64> {
    let text = header(name)?.trim();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) {
        return None;
    }
    // More digits than u64 holds is very long.
    let whole: u64 = whole.parse().unwrap_or(u64::MAX);
    Some(whole.saturating_add(u64::from(part.bytes().any(|digit| digit != b'0'))))
}

/// What the body of an answer says.
enum Answer {
    /// Nothing.
    Empty,
    /// No JSON object.
    Unreadable,
    /// An object without `err`, or with one of 0: what comes of it is the status' matter.
    Fine,
    /// `err` of another value, with the message.
    Refused(Option<String>),
}

impl Answer {
    fn read(body: &[u8]) -> Self {
        if body.trim_ascii().is_empty() {
            return Self::Empty;
        }
        let Ok(Value::Object(mut answer)) = serde_json::from_slice(body) else { return Self::Unreadable };
        match answer.get("err") {
            None | Some(Value::Null | Value::Bool(false)) => Self::Fine,
            Some(err) if err.as_f64() == Some(0.0) => Self::Fine,
            Some(_) => Self::Refused(match answer.remove("message") {
                Some(Value::String(message)) if !message.is_empty() => Some(message),
                _ => None,
            }),
        }
    }

    fn message(&self, token: &str) -> Option<String> {
        match self {
            Self::Refused(Some(message)) => Some(mask_tokens(message, token)),
            _ => None,
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransportError {
    /// The name has no address, or nobody to ask.
    Dns,
    /// Nobody listens, or nothing leads there.
    Connect,
    /// The connection ended early.
    Broken,
    /// It took too long.
    Timeout,
    /// The certificate, or TLS itself, is refused.
    Tls,
    /// The endpoint's address is none that can be posted to.
    Endpoint,
}

/// What to do without an answer.
pub(crate) fn transport_verdict(error: TransportError, sent: Sent) -> Verdict {
    let drop = |log| Verdict::new(Action::Drop).log(log);
    match error {
        TransportError::Dns | TransportError::Connect | TransportError::Broken | TransportError::Timeout => {
            sent.again()
        }
        TransportError::Tls => drop("the server's certificate is refused"),
        TransportError::Endpoint => drop("check endpoint: it cannot be posted to"),
    }
}

/// A token as it may be shown: its last four characters at most.
pub(crate) fn mask_token(token: &str) -> String {
    let chars = token.chars().count();
    // Of a short one that would be too much.
    let shown = if chars >= 16 { 4 } else { 0 };
    let tail = token.char_indices().nth(chars - shown).map_or("", |(start, _)| &token[start..]);
    format!("****{tail}")
}

/// A message in one line of bounded length, with each word that is the token, looks like one, or is told to be one,
/// masked.
pub(crate) fn mask_tokens(message: &str, token: &str) -> String {
    let is_word = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    let mut masked = String::new();
    let mut rest = message;
    // What follows "access token" up to now: the token itself comes next, or after "not found:".
    let mut announced = false;
    // Cut at the end only: half a token would no longer be known as one.
    while let Some(first) = rest.chars().next().filter(|_| masked.len() <= 4 * MAX_DETAIL_CHARS) {
        let end = if is_word(first) {
            rest.find(|char| !is_word(char)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(end);
        rest = after;
        if !is_word(first) {
            masked.push(if first.is_control() { ' ' } else { first });
            continue;
        }
        let long = word.len() >= 16 && word.bytes().any(|byte| byte.is_ascii_digit());
        let plain = matches!(
            word,
            "not"
                | "found"
                | "is"
                | "required"
                | "disabled"
                | "expired"
                | "only"
                | "has"
                | "was"
                | "for"
                | "invalid"
        );
        if long || (!token.is_empty() && word.contains(token)) || (announced && !plain) {
            masked.push_str(&mask_token(word));
        } else {
            masked.push_str(word);
        }
        announced =
            word.eq_ignore_ascii_case("token") || (announced && matches!(word, "not" | "found" | "is"));
    }
    masked.truncate(xray_error::cut(&masked, MAX_DETAIL_CHARS).len());
    masked
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;

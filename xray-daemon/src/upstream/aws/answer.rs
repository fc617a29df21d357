//! What an answer, or none, means for a batch.

use std::error::Error;
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_sdk_xray::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::http::{HttpError, Kind, causes};
use crate::upstream::{Cause, Failure, Verdict};

/// The longest that a `Retry-After` is obeyed.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// The most characters of what somebody else says in a message.
const TOLD: usize = 300;

/// A failure, and whether the credentials were refused.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) credentials_refused: bool,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self { failure, credentials_refused: false }
    }
}

/// What the SDK's error means. `written`: the request went out whole.
pub(super) fn failed<E>(error: &SdkError<E, HttpResponse>, written: bool, now: SystemTime) -> Failed
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let Some(answer) = error.raw_response() {
        let metadata = error.as_service_error().map(ProvideErrorMetadata::meta);
        let answer = Answer {
            status: answer.status().as_u16(),
            code: metadata.and_then(|metadata| metadata.code()),
            message: metadata.and_then(|metadata| metadata.message()),
            retry_after: answer.headers().get("retry-after"),
        };
        return answer.means(now);
    }
    if let Some(error) = causes(error).find_map(|cause| cause.downcast_ref::<CredentialsError>()) {
        return no_credentials(error).into();
    }
    match causes(error).find_map(|cause| cause.downcast_ref::<HttpError>()) {
        Some(error) => unreachable(error, written).into(),
        None => failure(Cause::Other, Verdict::Retry { after: None }, chain_of(error)).into(),
    }
}

/// An answer that is no success.
struct Answer<'a> {
    status: u16,
    code: Option<&'a str>,
    message: Option<&'a str>,
    retry_after: Option<&'a str>,
}

impl Answer<'_> {
    fn means(&self, now: SystemTime) -> Failed {
        let code = self.code.unwrap_or_default();
        let retry = Verdict::Retry { after: self.retry_after.and_then(|value| pause(value, now)) };
        let credentials_refused =
            matches!(self.status, 401 | 403) || self.status == 400 && REFUSED.contains(&code);
        let (cause, verdict) = match self.status {
            413 => (Cause::Http4xx, Verdict::Split),
            408 | 429 => (Cause::Http4xx, retry),
            400..=499 if credentials_refused || THROTTLING_ERRORS.contains(&code) => (Cause::Http4xx, retry),
            400..=499 => (Cause::Http4xx, Verdict::Refuse),
            500..=599 => (Cause::Http5xx, retry),
            // A redirect is an endpoint that is wrong, not a batch.
            _ => (Cause::Other, retry),
        };
        let mut message = format!("status {}", self.status);
        for (before, part) in [(" ", self.code), (": ", self.message)] {
            let part = part.map(presentable).unwrap_or_default();
            if !part.is_empty() {
                message.push_str(before);
                message.push_str(&part);
            }
        }
        Failed { failure: Failure { cause, verdict, message }, credentials_refused }
    }
}

/// Codes that some services send with 400 for what the credentials are the reason of.
const REFUSED: [&str; 12] = [
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// No answer came in time. `written`: the request went out whole, so that the upstream may have it.
pub(super) fn late(longest: Duration, written: bool) -> Failure {
    if written {
        let message = format!("no answer within {longest:?} to a request that went out whole");
        failure(Cause::Timeout, Verdict::Unanswered, message)
    } else {
        let message = format!("the request did not go out whole within {longest:?}");
        failure(Cause::Timeout, Verdict::Retry { after: None }, message)
    }
}

/// The request got no answer.
pub(super) fn unreachable(error: &HttpError, written: bool) -> Failure {
    let retry = Verdict::Retry { after: None };
    let (cause, verdict) = match error.kind {
        Kind::Refused => (Cause::ConnectionRefused, retry),
        Kind::UnknownHost => (Cause::UnknownHost, retry),
        Kind::Timeout if written => (Cause::Timeout, Verdict::Unanswered),
        Kind::Timeout => (Cause::Timeout, retry),
        Kind::Other => (Cause::Other, retry),
    };
    failure(cause, verdict, presentable(&error.message))
}

/// There is nobody as whom to call.
pub(super) fn no_credentials(error: &CredentialsError) -> Failure {
    let message = match error {
        CredentialsError::CredentialsNotLoaded(_) => {
            "no credentials in the environment, the profile, the container or the instance".to_owned()
        }
        error => format!("no credentials: {}", chain_of(error)),
    };
    failure(Cause::Other, Verdict::Retry { after: None }, message)
}

fn failure(cause: Cause, verdict: Verdict, message: String) -> Failure {
    Failure { cause, verdict, message }
}

/// What an error and its causes say, in one line.
pub(super) fn chain_of(error: &(dyn Error + 'static)) -> String {
    let mut told: Vec<String> = Vec::new();
    for cause in causes(error) {
        let text = cause.to_string();
        if !told.iter().any(|known| known.contains(&text)) {
            told.push(text);
        }
    }
    presentable(&told.join(": "))
}

/// A foreign text as the log may have it: one line, not long. What AWS says of a signature that does not match repeats
/// what was signed, the session token with it: that part is left out.
fn presentable(text: &str) -> String {
    const SECRET: [&str; 5] =
        ["authorization", "x-amz-security-token", "canonical string", "credential=", "signature="];
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let lower = line.to_ascii_lowercase();
    let end = SECRET.iter().filter_map(|word| lower.find(word)).min();
    let shown: String = line.get(..end.unwrap_or(line.len())).unwrap_or(line).chars().take(TOLD).collect();
    shown.trim().replace(char::is_control, " ")
}

/// The pause of a `Retry-After`: seconds or a date, at most 5 minutes.
fn pause(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let pause = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        value.parse().map_or(LONGEST_PAUSE, Duration::from_secs)
    } else {
        let date = httpdate::parse_http_date(value).ok()?;
        date.duration_since(now).unwrap_or_default()
    };
    Some(pause.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn means(status: u16, code: &str) -> Failed {
        Answer { status, code: Some(code), message: None, retry_after: None }.means(SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn the_status_and_the_code_decide() {
        let retry = Verdict::Retry { after: None };
        for (status, code, cause, verdict, refused) in [
            (301, "", Cause::Other, retry, false),
            (400, "InvalidRequestException", Cause::Http4xx, Verdict::Refuse, false),
            (400, "ThrottlingException", Cause::Http4xx, retry, false),
            (400, "ExpiredTokenException", Cause::Http4xx, retry, true),
            (400, "UnrecognizedClientException", Cause::Http4xx, retry, true),
            (401, "", Cause::Http4xx, retry, true),
            (403, "AccessDeniedException", Cause::Http4xx, retry, true),
            (404, "UnknownOperationException", Cause::Http4xx, Verdict::Refuse, false),
            (408, "", Cause::Http4xx, retry, false),
            (413, "", Cause::Http4xx, Verdict::Split, false),
            (429, "ThrottledException", Cause::Http4xx, retry, false),
            (500, "", Cause::Http5xx, retry, false),
            (503, "Throttling", Cause::Http5xx, retry, false),
        ] {
            let Failed { failure, credentials_refused } = means(status, code);
            assert_eq!((failure.cause, failure.verdict), (cause, verdict), "{status} {code}");
            assert_eq!(credentials_refused, refused, "{status} {code}");
            assert_eq!(failure.message, format!("status {status} {code}").trim_end());
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (value, seconds) in [
            ("0", Some(0)),
            (" 7 ", Some(7)),
            ("300", Some(300)),
            ("301", Some(300)),
            ("99999999999999999999999", Some(300)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sunday, 06-Nov-94 08:49:47 GMT", Some(10)),
            ("Sun Nov  6 08:49:47 1994", Some(10)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("Sat, 06 Nov 2094 08:49:37 GMT", Some(300)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(pause(value, now), seconds.map(Duration::from_secs), "{value:?}");
        }
    }

    #[test]
    fn no_secret_and_no_second_line_is_told() {
        for (text, shown) in [
            ("Rate exceeded", "Rate exceeded"),
            ("\n  first\r\nsecond", "first"),
            ("tab\tand \u{1b}[31m", "tab and  [31m"),
            (
                "The request signature we calculated does not match.\n\nThe Canonical String was\n'POST x-amz-security-token:T",
                "The request signature we calculated does not match.",
            ),
            (
                "Authorization header requires 'Signature' parameter. Authorization=AWS4-HMAC-SHA256 Credential=AKID/..",
                "",
            ),
            ("Credential=AKID is wrong", ""),
            ("", ""),
        ] {
            assert_eq!(presentable(text), shown);
        }
        assert_eq!(presentable(&"x".repeat(1_000)).len(), TOLD);
    }
}

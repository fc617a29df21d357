//! Why a call failed: whose fault it is, and what the service or the client says of it.

use std::error::Error as _;
use std::io;

use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_smithy_runtime_api::client::interceptors::context::Error as ServiceError;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::ConnectorError;
use serde::Deserialize;

use crate::error::{ErrorClass, cause_of};
use crate::exception::Cause;
use crate::http::StatusFlags;

/// What an interceptor sees of a failure.
pub(super) type Failure = OrchestratorError<ServiceError>;

/// Bytes of an error's body that are looked through.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// What a service says of an error.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    code: Option<String>,
    message: Option<String>,
    pub(super) request_id: Option<String>,
}

/// The cause of a failed call and its class; None where the call did not fail: a condition of it does not hold, as was asked.
pub(super) fn of(
    failure: &Failure,
    response: Option<&HttpResponse>,
    said: Said,
) -> Option<(Cause, ErrorClass)> {
    let status = response.map_or(0, |response| response.status().as_u16());
    let mut cause = cause_of(failure);
    if failure.is_operation_error() {
        if status == 304 {
            return None;
        }
        let class = class(status, said.code.as_deref());
        let known = known(failure, said);
        // What it is known by stays: the caller's error has the same links.
        if let Some((code, message)) = known {
            cause.exceptions = Cause::from_message(&code, &message).exceptions;
        } else {
            cause.exceptions.remove(0);
        }
        cause.exceptions.iter_mut().for_each(|exception| exception.remote = true);
        return Some((cause, class));
    }
    let remote = is_remote(failure);
    cause.exceptions.iter_mut().for_each(|exception| exception.remote = remote);
    // The orchestrator's own word for it, which the caller never sees; what it is due to says more.
    if cause.exceptions.len() > 1 {
        cause.exceptions.remove(0);
    }
    Some((cause, ErrorClass::Fault))
}

/// Type and message of a service's error: as the answer has them, else as the client's error says them, `Code: message`.
fn known(failure: &Failure, said: Said) -> Option<(String, String)> {
    let displayed = || failure.as_operation_error().map(ToString::to_string).unwrap_or_default();
    match (said.code, said.message) {
        (Some(code), Some(message)) => Some((code, message)),
        (Some(code), None) => Some((code, displayed())),
        (None, _) => {
            let text = displayed();
            let (code, message) = text.split_once(": ")?;
            let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
            is_code.then(|| (code.to_owned(), message.to_owned()))
        }
    }
}

fn class(status: u16, code: Option<&str>) -> ErrorClass {
    let flags = StatusFlags::from_http(status);
    if flags.throttle || code.is_some_and(|code| THROTTLING_ERRORS.contains(&code)) {
        ErrorClass::Throttle
    } else if flags.error {
        ErrorClass::Error
    } else {
        ErrorClass::Fault
    }
}

/// Whether there was a connection when the call failed. Where the time for an attempt is over nobody knows: it is mostly the other
/// side that is slow.
fn is_remote(failure: &Failure) -> bool {
    match failure.as_connector_error() {
        Some(error) => was_connected(error),
        None => failure.is_timeout_error() || failure.is_response_error(),
    }
}

fn was_connected(error: &ConnectorError) -> bool {
    if error.connection_metadata().is_some() {
        return true;
    }
    if error.is_user() {
        return false;
    }
    // Most clients tell of no connection: then what they say of a failure to connect decides.
    let mut source = error.source();
    while let Some(link) = source {
        let text = link.to_string();
        let connecting = ["(Connect)", "connect timeout", "tcp connect error", "dns error"];
        if connecting.iter().any(|said| text.contains(said)) {
            return false;
        }
        if let Some(error) = link.downcast_ref::<io::Error>() {
            return !matches!(
                error.kind(),
                io::ErrorKind::AddrNotAvailable
                    | io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::NotFound
            );
        }
        source = link.source();
    }
    true
}

/// Reads an error's answer, whichever of the protocols it is in. A body that makes no sense says nothing.
pub(super) fn said(response: &HttpResponse) -> Said {
    let headers = response.headers();
    let header = headers.get("x-amzn-errortype").map(|kind| code_of(kind).to_owned());
    let body = response.body().bytes().unwrap_or_default();
    let body = &body[..body.len().min(MAX_BODY_BYTES)];
    let mut said = match body.trim_ascii_start().first() {
        Some(b'{') => of_json(body),
        Some(b'<') => of_xml(body),
        _ => Said::default(),
    };
    if let Some(code) = header.filter(|code| !code.is_empty()) {
        said.code = Some(code);
    }
    said
}

fn of_json(body: &[u8]) -> Said {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Body {
        __type: Option<String>,
        code: Option<String>,
        #[serde(alias = "Message", alias = "errorMessage")]
        message: Option<String>,
    }
    let body: Body = serde_json::from_slice(body).unwrap_or_default();
    let code = body.__type.or(body.code).map(|code| code_of(&code).to_owned());
    Said { code: code.filter(|code| !code.is_empty()), message: body.message, request_id: None }
}

/// `aws.protocols#Code:http://..` is `Code`.
fn code_of(text: &str) -> &str {
    let text = text.split(':').next().unwrap_or_default();
    text.rsplit('#').next().unwrap_or_default().trim()
}

/// `<Error><Code>..</Code><Message>..</Message>..`, alone or in an `<ErrorResponse>`.
fn of_xml(body: &[u8]) -> Said {
    let text = String::from_utf8_lossy(body);
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (inside, _) = rest.split_once(&format!("</{name}>"))?;
        (!inside.is_empty()).then(|| unescaped(inside))
    };
    let request_id = element("RequestId").or_else(|| element("RequestID"));
    Said { code: element("Code"), message: element("Message"), request_id }
}

/// The five names of XML; what else stands between `&` and `;` stays.
fn unescaped(text: &str) -> String {
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    named.into_iter().fold(text.to_owned(), |text, (name, c)| text.replace(name, c))
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn answer(status: u16, error_type: Option<&'static str>, body: &'static str) -> HttpResponse {
        let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
        if let Some(error_type) = error_type {
            response.headers_mut().insert("x-amzn-errortype", error_type);
        }
        response
    }

    fn code_and_message(response: &HttpResponse) -> (Option<String>, Option<String>) {
        let said = said(response);
        (said.code, said.message)
    }

    #[test]
    fn each_protocol_says_code_and_message() {
        let expected = (Some("NotFound".to_owned()), Some("no <such> thing & more".to_owned()));
        for (error_type, body) in [
            (
                None,
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#NotFound","message":"no <such> thing & more"}"#,
            ),
            (None, r#" {"code":"NotFound","Message":"no <such> thing & more"}"#),
            (Some("NotFound:http://internal.amazon.com/"), r#"{"message":"no <such> thing & more"}"#),
            (
                None,
                "<?xml version=\"1.0\"?><Error><Code>NotFound</Code><Message>no &lt;such&gt; thing &amp; more</Message></Error>",
            ),
            (
                None,
                "<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code>\
                 <Message>no &lt;such&gt; thing &amp; more</Message></Error><RequestId>r</RequestId></ErrorResponse>",
            ),
        ] {
            assert_eq!(code_and_message(&answer(400, error_type, body)), expected, "{body}");
        }
        let with_id = answer(400, None, "<E><Code>A</Code><RequestId>r-1</RequestId></E>");
        assert_eq!(said(&with_id).request_id.as_deref(), Some("r-1"));
    }

    #[test]
    fn junk_says_nothing() {
        for body in [
            "",
            "{",
            "<Code>",
            "<Code></Code>",
            "<html>busy</html>",
            r#"{"__type":1}"#,
            r#"{"__type":"#,
            "\u{0}",
        ] {
            assert_eq!(said(&answer(500, None, body)), Said::default(), "{body}");
        }
        assert_eq!(code_and_message(&answer(500, Some(":"), "")), (None, None));
    }

    #[test]
    fn codes_of_throttling_win_over_the_status() {
        for (status, code, expected) in [
            (400, None, ErrorClass::Error),
            (400, Some("ValidationException"), ErrorClass::Error),
            (400, Some("ThrottlingException"), ErrorClass::Throttle),
            (503, Some("SlowDown"), ErrorClass::Throttle),
            (429, None, ErrorClass::Throttle),
            (500, Some("InternalError"), ErrorClass::Fault),
            // S3 answers a copy that fails on its way with 200.
            (200, Some("InternalError"), ErrorClass::Fault),
        ] {
            assert_eq!(class(status, code), expected, "{status} {code:?}");
        }
    }

    #[test]
    fn what_never_connected_is_ours() {
        let connected = |error: io::Error| was_connected(&ConnectorError::io(error.into()));
        assert!(!connected(io::ErrorKind::ConnectionRefused.into()));
        assert!(connected(io::ErrorKind::ConnectionReset.into()));
        assert!(!was_connected(&ConnectorError::user("bad request".into())));
        // Without a kind, as where the other side hangs up on a request.
        let hung_up = "connection closed before message completed";
        assert!(was_connected(&ConnectorError::other(hung_up.into(), None)));
        assert!(!was_connected(&ConnectorError::other("client error (Connect)".into(), None)));
        assert!(was_connected(&ConnectorError::timeout("HTTP read timeout occurred after 1s".into())));
        assert!(!was_connected(&ConnectorError::timeout("HTTP connect timeout occurred after 1s".into())));
    }
}

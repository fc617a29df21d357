//! What is answered to a call of X-Ray's API.

use serde::Serialize;
use serde_json::json;

/// One HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// All headers but `Content-Length`.
    pub headers: Vec<(&'static str, &'static str)>,
    /// The body: JSON.
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer that refuses, in the form of X-Ray's API: the kind of error as the header `x-amzn-ErrorType` and as
    /// `__type`, the reason as `Message`.
    ///
    /// ```
    /// use xray_console::sampling::Answer;
    ///
    /// let answer = Answer::refusing(400, "InvalidRequestException", "what was wrong");
    /// assert_eq!(answer.body, br#"{"Message":"what was wrong","__type":"InvalidRequestException"}"#);
    /// ```
    #[must_use]
    pub fn refusing(status: u16, kind: &'static str, message: &str) -> Self {
        let body = json!({ "Message": message, "__type": kind }).to_string().into_bytes();
        let headers = vec![("Content-Type", "application/json"), ("x-amzn-ErrorType", kind)];
        Self { status, headers, body }
    }

    /// The request is wrong; the message names the member.
    pub(super) fn invalid(message: &str) -> Self {
        Self::refusing(400, "InvalidRequestException", message)
    }

    /// Nothing is answered at the path.
    pub(super) fn unknown_operation(path: &str) -> Self {
        let path: String = path.chars().take(200).collect();
        Self::refusing(404, "UnknownOperationException", &format!("no operation is answered at {path}"))
    }

    pub(super) fn ok(answer: &impl Serialize) -> Self {
        match serde_json::to_vec(answer) {
            Ok(body) => Self { status: 200, headers: vec![("Content-Type", "application/json")], body },
            // No answer holds a number that is none, or a key that is no text.
            Err(error) => Self::refusing(500, "InternalFailure", &error.to_string()),
        }
    }
}

//! What the double does with a call.

use std::time::Duration;

/// How a call is treated. Signatures are held to in any case, unless nothing is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behaviour {
    pub(super) delay: Duration,
    pub(super) pace: Option<Pace>,
    pub(super) unprocessed: usize,
    pub(super) end: End,
}

/// How slowly a body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) bytes: usize,
    pub(super) pause: Duration,
}

/// How a call ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// As X-Ray answers that path.
    Usual,
    /// With this answer.
    Answer(Answer),
    /// Never, while the client stays.
    Hang,
    /// The connection closes without an answer.
    Close,
    /// It is reset (RST) once the request was read.
    Reset,
    /// It is reset before the body is read.
    ResetUnread,
    /// It is reset in the middle of an answer of 200.
    ResetInAnswer,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// An error in the form of AWS's JSON protocols.
    pub(super) fn error(status: u16, error_type: &str, message: &str) -> Self {
        let mut answer = Self::new(status, serde_json::json!({ "message": message }).to_string());
        answer.headers.push(("x-amzn-ErrorType".to_owned(), error_type.to_owned()));
        answer
    }
}

impl Behaviour {
    fn ending(end: End) -> Self {
        Self { delay: Duration::ZERO, pace: None, unprocessed: 0, end }
    }

    /// As X-Ray does.
    pub fn usual() -> Self {
        Self::ending(End::Usual)
    }

    /// This status and body.
    pub fn answer(status: u16, body: impl Into<String>) -> Self {
        Self::ending(End::Answer(Answer::new(status, body)))
    }

    /// An error of AWS, such as 403 with `ExpiredTokenException`.
    pub fn error(status: u16, error_type: &str) -> Self {
        Self::ending(End::Answer(Answer::error(status, error_type, "as the test wants it")))
    }

    /// The request is read and nothing comes back.
    pub fn hang() -> Self {
        Self::ending(End::Hang)
    }

    /// The request is read, then the connection closes.
    pub fn close() -> Self {
        Self::ending(End::Close)
    }

    /// The request is read, then the connection is reset.
    pub fn reset() -> Self {
        Self::ending(End::Reset)
    }

    /// The connection is reset when the head of the request came.
    pub fn reset_unread() -> Self {
        Self::ending(End::ResetUnread)
    }

    /// The connection is reset when half of the answer was sent.
    pub fn reset_in_answer() -> Self {
        Self::ending(End::ResetInAnswer)
    }

    /// A header more in the answer, if there is one that is not X-Ray's usual one: `Retry-After`.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let End::Answer(answer) = &mut self.end {
            answer.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Waits when the request was read, before whatever comes then.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Reads the body in pieces of so many bytes, with a pause before each.
    #[must_use]
    pub fn reading(mut self, bytes: usize, pause: Duration) -> Self {
        self.pace = Some(Pace { bytes: bytes.max(1), pause });
        self
    }

    /// The first documents of each batch, as many as this, are refused in a usual answer.
    #[must_use]
    pub fn unprocessed(mut self, documents: usize) -> Self {
        self.unprocessed = documents;
        self
    }
}

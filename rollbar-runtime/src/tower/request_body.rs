//! Bodies of requests, kept as they pass.

use std::fmt;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Buf;
use http::Request;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::request::each_value;
use crate::item;

/// Pieces of one frame of a body that are looked at. Most have one.
const MAX_PIECES: usize = 16;

/// The beginning of a request's body.
pub(super) struct Kept {
    kind: Kind,
    max_bytes: usize,
    bytes: Mutex<Bytes>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Form,
    Text,
}

#[derive(Default)]
struct Bytes {
    kept: Vec<u8>,
    /// All that passed.
    passed: usize,
}

impl Kept {
    /// What a body of this description is kept in; `None` for what a reader could not read.
    pub(super) fn of(headers: &HeaderMap, max_bytes: usize) -> Option<Arc<Self>> {
        if max_bytes == 0 || headers.contains_key(CONTENT_ENCODING) {
            return None;
        }
        let kind = Kind::of(headers.get(CONTENT_TYPE)?.to_str().ok()?)?;
        Some(Arc::new(Self { kind, max_bytes, bytes: Mutex::default() }))
    }

    fn pass(&self, data: &impl Buf) {
        let mut pieces = [IoSlice::new(&[]); MAX_PIECES];
        let count = data.chunks_vectored(&mut pieces);
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut room = self.max_bytes.saturating_sub(bytes.kept.len());
        // Bytes that are missing in between end what is kept.
        if bytes.passed > bytes.kept.len() {
            room = 0;
        }
        for piece in &pieces[..count] {
            let taken = &piece[..piece.len().min(room)];
            bytes.kept.extend_from_slice(taken);
            room -= taken.len();
        }
        bytes.passed = bytes.passed.saturating_add(data.remaining());
    }

    /// Tells what passed so far.
    pub(super) fn describe(&self, request: &mut item::Request) {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let (kept, passed) = (bytes.kept.as_slice(), bytes.passed);
        if kept.is_empty() {
            return;
        }
        match self.kind {
            Kind::Json => match serde_json::from_slice(kept) {
                Ok(json) if kept.len() == passed => request.set_json(Some(json)),
                // As a text its secrets would not be masked.
                _ => request
                    .set_body(Some(format!("(JSON that is not whole: {} of {passed} bytes)", kept.len()))),
            },
            Kind::Form => each_value(kept, |name, value| request.put_form(name, value)),
            Kind::Text => request.set_body(Some(String::from_utf8_lossy(kept).into_owned())),
        }
    }
}

/// Not the bytes: they hold secrets.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Kind {
    fn of(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next()?.trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Some(Self::Json),
            "application/x-www-form-urlencoded" => Some(Self::Form),
            essence if essence.ends_with("+json") => Some(Self::Json),
            essence if essence.starts_with("text/") => Some(Self::Text),
            _ => None,
        }
    }
}

/// Gives the inner service requests whose bodies are kept as they are read. Made by
/// [`RollbarLayer::capture_body`](super::RollbarLayer::capture_body).
#[derive(Clone, Debug)]
pub struct CaptureBody<S> {
    inner: S,
}

impl<S> CaptureBody<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<S, B> Service<Request<B>> for CaptureBody<S>
where
    S: Service<Request<CapturedBody<B>>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let kept = request.extensions_mut().remove::<Arc<Kept>>();
        self.inner.call(request.map(|inner| CapturedBody { inner, kept }))
    }
}

pin_project! {
    /// The body of a request of which a copy is kept.
    #[derive(Debug, Default)]
    pub struct CapturedBody<B> {
        #[pin]
        inner: B,
        kept: Option<Arc<Kept>>,
    }
}

impl<B: Body> Body for CapturedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let polled = this.inner.poll_frame(cx);
        if let (Some(kept), Poll::Ready(Some(Ok(frame)))) = (this.kept, &polled)
            && let Some(data) = frame.data_ref()
        {
            kept.pass(data);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(content_type: &'static str, max_bytes: usize) -> Option<Arc<Kept>> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, http::HeaderValue::from_static(content_type))]);
        Kept::of(&headers, max_bytes)
    }

    fn told(kept: &Kept, parts: &[&'static str]) -> serde_json::Value {
        for part in parts {
            kept.pass(&bytes::Bytes::from_static(part.as_bytes()));
        }
        let mut request = item::Request::default();
        kept.describe(&mut request);
        serde_json::to_value(request).unwrap()
    }

    #[test]
    fn by_the_type_of_the_content() {
        use serde_json::json;
        for (content_type, max_bytes, parts, expected) in [
            ("application/json; charset=utf-8", 99, &["{\"a\"", ":1}"][..], json!({"json": {"a": 1}})),
            ("Application/Problem+JSON", 99, &["[1]"], json!({"json": [1]})),
            (
                "application/json",
                5,
                &["{\"a\":", "1}"],
                json!({"body": "(JSON that is not whole: 5 of 7 bytes)"}),
            ),
            // The first digits are another number.
            (
                "application/json",
                4,
                &["1234", "5"],
                json!({"body": "(JSON that is not whole: 4 of 5 bytes)"}),
            ),
            (
                "application/x-www-form-urlencoded",
                99,
                &["a=1&pass", "word=x+y&a=2"],
                json!({"POST": {"a": ["1", "2"], "password": "x y"}}),
            ),
            ("text/plain", 3, &["ab", "cd", "e"], json!({"body": "abc"})),
            ("text/plain", 99, &[], json!({})),
        ] {
            let kept = kept(content_type, max_bytes).unwrap();
            assert_eq!(told(&kept, parts), expected, "{content_type}");
        }
        for content_type in ["image/png", "multipart/form-data; boundary=x", "application/octet-stream", ""] {
            assert!(kept(content_type, 99).is_none(), "{content_type}");
        }
        assert!(kept("text/plain", 0).is_none());
    }

    #[test]
    fn a_frame_in_pieces_is_kept_whole_or_ends_what_is_kept() {
        let kept = kept("text/plain", 99).unwrap();
        kept.pass(&bytes::Bytes::from_static(b"ab").chain(bytes::Bytes::from_static(b"cd")));
        assert_eq!(told(&kept, &["ef"])["body"], "abcdef");
        let many =
            || (0..30).fold(Box::new(&b""[..]) as Box<dyn Buf>, |all, _| Box::new(all.chain(&b"x"[..])));
        kept.pass(&many());
        assert!(
            told(&kept, &["tail"])["body"]
                .as_str()
                .unwrap()
                .trim_start_matches("abcdef")
                .chars()
                .all(|c| c == 'x')
        );
    }
}

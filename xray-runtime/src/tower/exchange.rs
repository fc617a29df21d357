//! The segment of a request, from its coming to the end of the response's body.

use ::http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use ::http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;

use super::grpc_status::{self, UNKNOWN};
use super::{Options, request};
use crate::entity::Entity;
use crate::http::{HttpResponse, StatusFlags};
use crate::record::Key;
use crate::sampling::SamplingRequest;
use crate::scope::Scope;
use crate::segment::SegmentBuilder;
use crate::trace_header::{TraceHeader, response_header};
use crate::trace_id::TraceId;
use crate::tree::{Decision, Tree};
use crate::wildcard::wildcard_match;

const TRACE_HEADER: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Dropped before the response is complete, the segment ends as cancelled.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) scope: Scope,
    pub(super) answer: Answer,
}

/// What becomes of the request. Its calls note on the segment, which has to be current.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) key: Key,
    header: Option<HeaderValue>,
    method: Bodiless,
    status: Option<u16>,
    /// What the response says, or its body knows before it is sent.
    content_length: Option<u64>,
    sent: u64,
    /// Nothing more is to come: servers drop such a body without asking it again.
    complete: bool,
    /// It is gRPC, which has to say yet how it went.
    awaits_grpc_status: bool,
}

/// Methods whose responses have no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bodiless {
    No,
    Head,
    Connect,
}

impl Exchange {
    /// Begins the segment, on no thread yet. None where there is nothing to record with, or nothing to record.
    pub(super) fn open<B>(options: &Options, request: &Request<B>) -> Option<Self> {
        let path = request::target(request).path();
        let skipped = options.skipped.iter().any(|pattern| wildcard_match(pattern, path, true));
        let core = options.core().filter(|core| core.is_enabled())?;
        let sampling = SamplingRequest {
            host: request::host(request),
            ..SamplingRequest::new().with_http_method(request.method().as_str()).with_url_path(path)
        };
        let mut builder = SegmentBuilder::new(core, None).request(sampling).skip(skipped);
        if let Some(header) = request.headers().get(TRACE_HEADER) {
            builder = builder.trace_header(TraceHeader::parse_bytes(header.as_bytes()));
        }
        let root = builder.open()?;
        let answer = Answer {
            key: root.key,
            header: Some(&*root.tree).filter(|_| options.response_header).and_then(header_of),
            method: match *request.method() {
                Method::HEAD => Bodiless::Head,
                Method::CONNECT => Bodiless::Connect,
                _ => Bodiless::No,
            },
            status: None,
            content_length: None,
            sent: 0,
            complete: false,
            awaits_grpc_status: false,
        };
        Some(Self { scope: Scope::root(root), answer })
    }
}

fn header_of(tree: &Tree) -> Option<HeaderValue> {
    if tree.decision == Decision::Skipped {
        return None;
    }
    let no_id = || TraceId::from_ascii(b"1-00000000-000000000000000000000000");
    let trace_id = if tree.noop { no_id()? } else { tree.trace_id };
    HeaderValue::try_from(response_header(trace_id, tree.incoming.as_ref(), tree.tells_sampled())).ok()
}

impl Answer {
    /// The handler has answered. Whether the segment is at its end.
    pub(super) fn begin<B: Body>(&mut self, response: &mut Response<B>) -> bool {
        let status = response.status();
        let has_body = match self.method {
            Bodiless::Head => false,
            Bodiless::Connect if status.is_success() => false,
            _ => {
                !status.is_informational()
                    && status != StatusCode::NO_CONTENT
                    && status != StatusCode::NOT_MODIFIED
            }
        };
        let stated = response.headers().get(CONTENT_LENGTH);
        let stated = stated.and_then(|length| length.to_str().ok()?.trim().parse().ok());
        // axum states it, and drops the body of a response to HEAD, only outside of its layers.
        let known = || response.body().size_hint().exact();
        self.content_length = stated.or_else(|| match self.method {
            Bodiless::Head => known().filter(|&length| length > 0),
            _ if has_body => known(),
            _ => None,
        });
        self.status = Some(status.as_u16());
        self.note_response(self.content_length);
        self.awaits_grpc_status = status == StatusCode::OK && grpc_status::is_grpc(response.headers());
        self.note_grpc_status(response.headers());
        if let Some(header) = self.header.take() {
            response.headers_mut().insert(TRACE_HEADER, header);
        }
        let over = !has_body || response.body().is_end_stream();
        self.look_for_end(response.body());
        if over {
            self.note_missing_status();
        }
        over
    }

    /// A part of the body goes out.
    pub(super) fn send(&mut self, bytes: usize, body: &impl Body) {
        self.sent = self.sent.saturating_add(bytes as u64);
        self.look_for_end(body);
    }

    /// Whether a drop of the body would be an end. Not taken for one before: trailers may follow.
    fn look_for_end(&mut self, body: &impl Body) {
        self.complete = body.is_end_stream()
            || body.size_hint().exact() == Some(0)
            || self.content_length.is_some_and(|length| self.sent >= length);
    }

    /// The body has been sent to its end.
    pub(super) fn finish(&mut self) {
        self.note_missing_status();
        self.end();
    }

    /// The body has ended, well or not.
    pub(super) fn end(&self) {
        if self.status.is_some() && self.content_length.is_none() {
            self.note_response(Some(self.sent));
        }
    }

    fn note_response(&self, content_length: Option<u64>) {
        let response = HttpResponse { status: self.status, content_length };
        Entity::local(self.key).set_http_response(response);
    }

    /// gRPC says how it went in the trailers, or in the headers where there is no message.
    pub(super) fn note_grpc_status(&mut self, headers: &HeaderMap) {
        let Some(code) = grpc_status::code_of(headers) else { return };
        self.awaits_grpc_status = false;
        Entity::local(self.key).set_flags(StatusFlags::from_grpc(code));
    }

    /// At the end of a response of gRPC that does not say how it went.
    fn note_missing_status(&mut self) {
        if std::mem::take(&mut self.awaits_grpc_status) {
            Entity::local(self.key).set_flags(StatusFlags::from_grpc(UNKNOWN));
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let entered = self.scope.enter();
        if !entered.is_recorded() {
            return;
        }
        if self.answer.complete {
            self.answer.finish();
            entered.finish();
        } else {
            self.answer.end();
            entered.suspend();
        }
    }
}

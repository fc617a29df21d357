//! The segment of a request, from its coming to the end of the response's body.

use super::{Incoming, Options, RequestHeader};
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

/// Dropped before the response is complete, the segment ends as cancelled.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) scope: Scope,
    pub(crate) answer: Answer,
}

/// What becomes of the request. Its calls note on the segment, which has to be current.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) key: Key,
    /// The value of the response's trace header.
    header: Option<String>,
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

/// A response before its body is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'r> {
    pub(crate) status: u16,
    /// Content-Length, where the handler has set it.
    pub(crate) content_length: Option<&'r [u8]>,
    pub(crate) body: Rest,
    pub(crate) grpc: GrpcStatus,
}

/// What a body says of what is left of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest {
    /// Nothing is left, trailers neither.
    pub(crate) ended: bool,
    /// Bytes, where it knows.
    pub(crate) exact: Option<u64>,
}

/// What the headers of a response say of gRPC.
#[cfg_attr(not(feature = "tower"), allow(dead_code, reason = "actix-web sends no trailers, and so no gRPC"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrpcStatus {
    /// It is none.
    Absent,
    /// It says in its trailers how it went.
    InTrailers,
    /// It has said how it went.
    Code(i32),
}

/// `Unknown`: what a call of gRPC counts as that does not say how it went, as gRPC's clients take it.
pub(crate) const UNKNOWN: i32 = 2;

impl Exchange {
    /// Begins the segment, on no thread yet. None where there is nothing to record with, or nothing to record.
    pub(crate) fn open(options: &Options, request: &impl Incoming) -> Option<Self> {
        let path = request.path();
        let skipped = options.skipped.iter().any(|pattern| wildcard_match(pattern, path, true));
        let core = options.core().filter(|core| core.is_enabled())?;
        let sampling = SamplingRequest {
            host: request.host(),
            ..SamplingRequest::new().with_http_method(request.method()).with_url_path(path)
        };
        let mut builder = SegmentBuilder::new(core, None).request(sampling).skip(skipped);
        if let Some(header) = request.header(RequestHeader::TraceId) {
            builder = builder.trace_header(TraceHeader::parse_bytes(header));
        }
        let root = builder.open()?;
        let answer = Answer {
            key: root.key,
            header: Some(&*root.tree).filter(|_| options.response_header).and_then(header_of),
            method: match request.method() {
                "HEAD" => Bodiless::Head,
                "CONNECT" => Bodiless::Connect,
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

fn header_of(tree: &Tree) -> Option<String> {
    if tree.decision == Decision::Skipped {
        return None;
    }
    let no_id = || TraceId::from_ascii(b"1-00000000-000000000000000000000000");
    let trace_id = if tree.noop { no_id()? } else { tree.trace_id };
    Some(response_header(trace_id, tree.incoming.as_ref(), tree.tells_sampled()))
}

impl Answer {
    /// The handler has answered. Whether the segment is at its end.
    pub(crate) fn begin(&mut self, head: Head<'_>) -> bool {
        let Head { status, body, grpc, .. } = head;
        let has_body = match self.method {
            Bodiless::Head => false,
            Bodiless::Connect if (200..300).contains(&status) => false,
            // Informational ones, no content, not modified.
            _ => !matches!(status, 100..200 | 204 | 304),
        };
        let stated =
            head.content_length.and_then(|length| std::str::from_utf8(length).ok()?.trim().parse().ok());
        // Frameworks state it, and drop the body of a response to HEAD, only outside of their middleware.
        self.content_length = stated.or(match self.method {
            Bodiless::Head => body.exact.filter(|&length| length > 0),
            _ if has_body => body.exact,
            _ => None,
        });
        self.status = Some(status);
        self.note_response(self.content_length);
        match grpc {
            GrpcStatus::Absent => {}
            GrpcStatus::InTrailers => self.awaits_grpc_status = true,
            GrpcStatus::Code(code) => self.note_grpc_status(code),
        }
        let over = !has_body || body.ended;
        self.look_for_end(body);
        if over {
            self.note_missing_status();
        }
        over
    }

    /// The value of the trace header for the response, once.
    pub(crate) fn take_header(&mut self) -> Option<String> {
        self.header.take()
    }

    /// A part of the body goes out.
    pub(crate) fn send(&mut self, bytes: usize, rest: Rest) {
        self.sent = self.sent.saturating_add(bytes as u64);
        self.look_for_end(rest);
    }

    /// Whether a drop of the body would be an end. Not taken for one before: trailers may follow.
    fn look_for_end(&mut self, rest: Rest) {
        self.complete = rest.ended
            || rest.exact == Some(0)
            || self.content_length.is_some_and(|length| self.sent >= length);
    }

    /// The body has been sent to its end.
    pub(crate) fn finish(&mut self) {
        self.note_missing_status();
        self.end();
    }

    /// The body has ended, well or not.
    pub(crate) fn end(&self) {
        if self.status.is_some() && self.content_length.is_none() {
            self.note_response(Some(self.sent));
        }
    }

    fn note_response(&self, content_length: Option<u64>) {
        let response = HttpResponse { status: self.status, content_length };
        Entity::local(self.key).set_http_response(response);
    }

    /// gRPC says how it went in the trailers, or in the headers where there is no message.
    pub(crate) fn note_grpc_status(&mut self, code: i32) {
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

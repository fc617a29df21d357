//! What a response of the crate `http`, and its body, say of themselves.

use ::http::header::CONTENT_LENGTH;
use ::http::{HeaderValue, Response, StatusCode};
use http_body::Body;

use super::{TRACE_HEADER, grpc_status};
use crate::record::Key;
use crate::server::{Answer, GrpcStatus, Head, Rest};

/// The handler has answered. Whether the segment is at its end.
pub(super) fn begin<B: Body>(answer: &mut Answer, response: &mut Response<B>) -> bool {
    let over = answer.begin(Head {
        status: response.status().as_u16(),
        content_length: response.headers().get(CONTENT_LENGTH).map(|length| length.as_bytes()),
        body: rest(response.body()),
        grpc: grpc(answer.key, response),
    });
    if let Some(header) = answer.take_header().and_then(|header| HeaderValue::try_from(header).ok()) {
        response.headers_mut().insert(TRACE_HEADER, header);
    }
    over
}

fn grpc<B>(key: Key, response: &Response<B>) -> GrpcStatus {
    match grpc_status::code_of(response.headers()) {
        Some(code) => {
            grpc_status::note_failure(key, code, response.headers());
            GrpcStatus::Code(code)
        }
        None if response.status() == StatusCode::OK && grpc_status::is_grpc(response.headers()) => {
            GrpcStatus::InTrailers
        }
        None => GrpcStatus::Absent,
    }
}

pub(super) fn rest(body: &impl Body) -> Rest {
    Rest { ended: body.is_end_stream(), exact: body.size_hint().exact() }
}

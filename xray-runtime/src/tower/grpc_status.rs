//! How a gRPC call went: in the trailers, or in the headers of a response without messages.

use ::http::HeaderMap;
use ::http::header::{CONTENT_TYPE, HeaderName};
use percent_encoding::percent_decode;

use crate::context;
use crate::entity::Entity;
use crate::exception::Cause;
use crate::record::{FIRST, Fact, Key};

pub(super) use crate::server::UNKNOWN;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The names of the status codes, in order.
const CODES: [&str; 17] = [
    "Ok",
    "Cancelled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

/// The status code, where it is there; what is no number is `Unknown`.
pub(super) fn code_of(headers: &HeaderMap) -> Option<i32> {
    let code = headers.get(GRPC_STATUS)?;
    Some(code.to_str().ok().and_then(|code| code.trim().parse().ok()).unwrap_or(UNKNOWN))
}

/// What a failed call says of itself: the name of its code, and its message.
pub(super) fn cause_of(code: i32, headers: &HeaderMap) -> Cause {
    let name = usize::try_from(code).ok().and_then(|code| CODES.get(code)).unwrap_or(&"Unknown");
    let message =
        headers.get(GRPC_MESSAGE).map(|message| percent_decode(message.as_bytes()).decode_utf8_lossy());
    Cause::from_message(name, message.as_deref().unwrap_or_default())
}

/// Notes on the segment of a server, which is current, why the call failed: the status of HTTP is 200 all the same. Not where
/// something in the segment has recorded an error: that says more.
pub(super) fn note_failure(key: Key, code: i32, headers: &HeaderMap) {
    let untold = || context::with_chunk(key, |chunk| chunk.last_error.is_none()) == Some(true);
    if code != 0 && key >= FIRST && untold() {
        Entity::local(key).note(Fact::Exceptions(cause_of(code, headers).exceptions));
    }
}

/// Whether headers are those of gRPC over HTTP/2. Not of gRPC-Web, whose status stands in its body.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes()) else { return false };
    let Some((start, rest)) = kind.split_at_checked("application/grpc".len()) else { return false };
    start.eq_ignore_ascii_case(b"application/grpc") && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

#[cfg(test)]
mod tests {
    use ::http::HeaderValue;

    use super::*;

    fn headers(name: HeaderName, value: &'static [u8]) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_bytes(value).unwrap())])
    }

    #[test]
    fn a_code_is_a_number_or_unknown() {
        for (text, code) in [(&b"0"[..], 0), (b" 5 ", 5), (b"x", UNKNOWN), (b"", UNKNOWN), (b"\xff", UNKNOWN)]
        {
            assert_eq!(code_of(&headers(GRPC_STATUS, text)), Some(code), "{text:?}");
        }
        assert_eq!(code_of(&HeaderMap::new()), None);
    }

    #[test]
    fn grpc_is_told_by_its_content_type() {
        let tells = |kind| is_grpc(&headers(CONTENT_TYPE, kind));
        for kind in [&b"application/grpc"[..], b"application/grpc+proto", b"Application/gRPC; x=1"] {
            assert!(tells(kind), "{kind:?}");
        }
        for kind in [&b"application/grpc-web"[..], b"application/grpcx", b"text/html", b"", b"\xff"] {
            assert!(!tells(kind), "{kind:?}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }
}

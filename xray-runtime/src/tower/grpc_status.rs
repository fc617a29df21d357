//! How a gRPC call went: in the trailers, or in the headers of a response without messages.

use ::http::HeaderMap;
use ::http::header::{CONTENT_TYPE, HeaderName};

pub(super) use crate::server::UNKNOWN;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The status code, where it is there; what is no number is `Unknown`.
pub(super) fn code_of(headers: &HeaderMap) -> Option<i32> {
    let code = headers.get(GRPC_STATUS)?;
    Some(code.to_str().ok().and_then(|code| code.trim().parse().ok()).unwrap_or(UNKNOWN))
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

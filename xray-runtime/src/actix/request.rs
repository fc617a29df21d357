//! A request of actix-web, whose crate `http` is an older one.

use std::net::SocketAddr;

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HOST, USER_AGENT, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};

use super::TRACE_HEADER;
use crate::server::{Incoming, RequestHeader};

impl Incoming for ServiceRequest {
    fn method(&self) -> &str {
        self.method().as_str()
    }

    fn header(&self, header: RequestHeader) -> Option<&[u8]> {
        let name = match header {
            RequestHeader::Host => HOST,
            RequestHeader::UserAgent => USER_AGENT,
            RequestHeader::TraceId => TRACE_HEADER,
            RequestHeader::ForwardedHost => X_FORWARDED_HOST,
            RequestHeader::ForwardedProto => X_FORWARDED_PROTO,
        };
        self.headers().get(name).map(|value| value.as_bytes())
    }

    fn forwarded_for(&self) -> impl Iterator<Item = &[u8]> {
        self.headers().get_all(X_FORWARDED_FOR).map(|value| value.as_bytes())
    }

    fn path(&self) -> &str {
        self.uri().path()
    }

    fn path_and_query(&self) -> Option<&str> {
        self.uri().path_and_query().map(|path| path.as_str())
    }

    fn scheme(&self) -> Option<&str> {
        self.uri().scheme_str()
    }

    fn authority(&self) -> Option<&str> {
        self.uri().authority().map(|authority| authority.as_str())
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.peer_addr()
    }
}

//! A request of the crate `http`, with what axum has put into its extensions.

use std::net::SocketAddr;

use ::http::header::{HOST, HeaderMap, HeaderName, USER_AGENT};
use ::http::{Extensions, Method, Request, Uri};

use super::TRACE_HEADER;
use crate::record::Key;
use crate::server::{self, Incoming, Options, RequestHeader};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// All of a request but its body.
#[derive(Debug)]
pub(super) struct Asked<'r> {
    method: &'r Method,
    target: &'r Uri,
    headers: &'r HeaderMap,
    extensions: &'r Extensions,
}

impl<'r> Asked<'r> {
    pub(super) fn new<B>(request: &'r Request<B>) -> Self {
        Self {
            method: request.method(),
            target: target(request),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }

    /// Notes on the segment, which is current, what was asked for.
    pub(super) fn describe(&self, key: Key, options: &Options) {
        server::describe(key, self, options);
        #[cfg(feature = "axum")]
        if let Some(route) = self.extensions.get::<axum::extract::MatchedPath>() {
            server::note_route(key, route.as_str());
        }
    }
}

/// The target as the client has sent it. A router of axum that is nested in another sees only the rest of the path.
fn target<B>(request: &Request<B>) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(original) = request.extensions().get::<axum::extract::OriginalUri>() {
        return &original.0;
    }
    request.uri()
}

impl Incoming for Asked<'_> {
    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn header(&self, header: RequestHeader) -> Option<&[u8]> {
        let name = match header {
            RequestHeader::Host => HOST,
            RequestHeader::UserAgent => USER_AGENT,
            RequestHeader::TraceId => TRACE_HEADER,
            RequestHeader::ForwardedHost => X_FORWARDED_HOST,
            RequestHeader::ForwardedProto => X_FORWARDED_PROTO,
        };
        self.headers.get(name).map(|value| value.as_bytes())
    }

    fn forwarded_for(&self) -> impl Iterator<Item = &[u8]> {
        self.headers.get_all(X_FORWARDED_FOR).iter().map(|value| value.as_bytes())
    }

    fn path(&self) -> &str {
        self.target.path()
    }

    fn path_and_query(&self) -> Option<&str> {
        self.target.path_and_query().map(|path| path.as_str())
    }

    fn scheme(&self) -> Option<&str> {
        self.target.scheme_str()
    }

    fn authority(&self) -> Option<&str> {
        self.target.authority().map(|authority| authority.as_str())
    }

    fn peer(&self) -> Option<SocketAddr> {
        #[cfg(feature = "axum")]
        if let Some(info) = self.extensions.get::<axum::extract::ConnectInfo<SocketAddr>>() {
            return Some(info.0);
        }
        self.extensions.get::<SocketAddr>().copied()
    }
}

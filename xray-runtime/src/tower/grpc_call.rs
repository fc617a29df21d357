//! The subsegment of one gRPC call, from the call to the trailers.

use std::error::Error;
use std::io;

use ::http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body::Body;

use super::grpc::GrpcOptions;
use super::grpc_status::{self, UNKNOWN};
use crate::context;
use crate::entity::{Entity, Namespace, current};
use crate::error::{self, ErrorClass};
use crate::exception::Cause;
use crate::http::{HttpRequest, HttpResponse, StatusFlags, incoming_url};
use crate::outgoing::inject;
use crate::record::{FIRST, Fact, Key};
use crate::scope::{Late, Scope};

/// Dropped before the call has ended, the subsegment ends as cancelled.
#[derive(Debug)]
pub(super) struct GrpcCall {
    pub(super) scope: Scope,
    pub(super) answer: GrpcAnswer,
}

/// What becomes of the call. Its methods note on the subsegment, which has to be current.
#[derive(Debug)]
pub(super) struct GrpcAnswer {
    key: Key,
}

impl GrpcCall {
    /// Begins the subsegment, and gives the request its header. None where nothing is recorded.
    pub(super) fn open<B>(options: &GrpcOptions, request: &mut Request<B>) -> Option<Self> {
        // Not sampled: no name is made, but the trace goes on.
        if context::current() < FIRST && context::current_tree().is_some() {
            inject(request.headers_mut(), &current());
            return None;
        }
        let name = name_of(options, request.uri());
        let mut scope = Scope::late(Late::Subsegment(name.into()));
        let entered = scope.enter();
        if !entered.is_recorded() {
            return None;
        }
        let subsegment = current();
        inject(request.headers_mut(), &subsegment);
        subsegment.set_namespace(Namespace::Remote);
        if options.traced {
            subsegment.set_traced();
        }
        subsegment.set_http_request(
            HttpRequest::new()
                .with_method(request.method().as_str().to_owned())
                .with_url(url_of(options, request.uri())),
        );
        let key = subsegment.key();
        entered.suspend();
        Some(Self { scope, answer: GrpcAnswer { key } })
    }
}

/// The host, else the gRPC service.
fn name_of(options: &GrpcOptions, uri: &Uri) -> String {
    let host = options.endpoint.as_ref().and_then(Uri::host).or(uri.host());
    let name = host.unwrap_or_else(|| {
        let path = uri.path().strip_prefix('/').unwrap_or_default();
        path.rsplit_once('/').map_or(path, |(service, _)| service)
    });
    if name.is_empty() { "unknown".to_owned() } else { name.to_owned() }
}

fn url_of(options: &GrpcOptions, uri: &Uri) -> String {
    let origin = options.endpoint.as_ref().filter(|uri| uri.authority().is_some()).unwrap_or(uri);
    match origin.authority() {
        Some(host) => incoming_url(origin.scheme_str().unwrap_or("http"), host.as_str(), uri.path(), false),
        None => uri.path().to_owned(),
    }
}

impl GrpcAnswer {
    /// The headers have come. Whether the call is over: they have a status, or are those of a server that speaks no gRPC.
    pub(super) fn begin<B: Body>(&self, response: &Response<B>) -> bool {
        let status = response.status();
        let http = HttpResponse::new().with_status(status.as_u16());
        Entity::local(self.key).set_http_response(http);
        if grpc_status::code_of(response.headers()).is_some() || response.body().is_end_stream() {
            if status == StatusCode::OK || grpc_status::code_of(response.headers()).is_some() {
                self.end(Some(response.headers()));
            }
            return true;
        }
        status != StatusCode::OK
    }

    /// The response is at its end, with these trailers.
    pub(super) fn end(&self, trailers: Option<&HeaderMap>) {
        let code = trailers.and_then(grpc_status::code_of);
        if code == Some(0) {
            return;
        }
        let mut cause = match (code, trailers) {
            (Some(code), Some(trailers)) => grpc_status::cause_of(code, trailers),
            _ => Cause::from_message("Unknown", "the response ended without a grpc-status"),
        };
        let subsegment = Entity::local(self.key);
        subsegment.set_flags(StatusFlags::from_grpc(code.unwrap_or(UNKNOWN)));
        for exception in &mut cause.exceptions {
            exception.remote = true;
        }
        // Without a stack: the error value that the caller gets from it has one where it is recorded.
        subsegment.note(Fact::Exceptions(cause.exceptions));
    }

    /// The call failed below gRPC.
    pub(super) fn fail(&self, failed: &(dyn Error + 'static)) {
        let mut cause = error::cause_of(failed);
        let remote = is_remote(failed);
        for exception in &mut cause.exceptions {
            exception.remote = remote;
        }
        error::record(&Entity::local(self.key), cause, ErrorClass::Fault.bits(), None);
    }
}

/// Whether there was a connection. What comes of making one is an I/O error; on one it is HTTP/2's, or one of those of a
/// connection that breaks.
fn is_remote(failed: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let mut next = Some(failed);
    let mut links = 0;
    while let Some(error) = next.filter(|_| links < 64) {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof);
        }
        next = error.source();
        links += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_named_after_its_host_or_its_service() {
        let named = |endpoint: Option<&str>, uri: &str| {
            let endpoint = endpoint.map(|uri| uri.parse().unwrap());
            let options = GrpcOptions { endpoint, ..GrpcOptions::default() };
            let uri = uri.parse().unwrap();
            (name_of(&options, &uri), url_of(&options, &uri))
        };
        let path = "/shop.v1.Stock/Get";
        for (endpoint, uri, name, url) in [
            (None, path, "shop.v1.Stock", path),
            (None, "https://a:1/shop.v1.Stock/Get", "a", "https://a:1/shop.v1.Stock/Get"),
            (Some("https://me:pw@b:2/x"), path, "b", "https://b:2/shop.v1.Stock/Get"),
            (Some("https://b:2"), "http://a:1/shop.v1.Stock/Get", "b", "https://b:2/shop.v1.Stock/Get"),
            (Some("/no-host"), path, "shop.v1.Stock", path),
            (None, "/", "unknown", "/"),
        ] {
            assert_eq!(named(endpoint, uri), (name.to_owned(), url.to_owned()), "{endpoint:?} {uri}");
        }
    }

    #[test]
    fn what_comes_of_making_a_connection_is_not_remote() {
        for (kind, remote) in [
            (io::ErrorKind::ConnectionRefused, false),
            (io::ErrorKind::TimedOut, false),
            (io::ErrorKind::ConnectionReset, true),
            (io::ErrorKind::BrokenPipe, true),
        ] {
            assert_eq!(is_remote(&io::Error::from(kind)), remote, "{kind:?}");
        }
        assert!(is_remote(&std::fmt::Error));
    }
}

//! `XRayActix`: a segment for each request that a server of actix-web answers.

mod body;
mod failure;
mod future;
mod request;
mod service;

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::header::HeaderName;
pub use body::XRayActixBody;
pub use future::XRayActixFuture;
pub use service::XRayActixService;

use crate::server::{Options, option_methods};

const TRACE_HEADER: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// A middleware that records a segment for each request of an actix-web server, as `XRayLayer` does for servers of tower.
///
/// A segment has the request (method, address without query, user agent, address of the client), the response (status and
/// its flags, length of the body), the pattern of the route (`/users/{id}`) as the annotation `route`, and goes on with the
/// trace of the request's `X-Amzn-Trace-Id`; the response carries that header with the trace's id. The recorder's sampling
/// decides where the caller has not, and its naming names the segment. The segment is current while the handler runs, on
/// whatever it waits, and ends when the **body** of the response has been sent: what a streaming body calls is recorded too.
/// Where the client goes away before, the segment gets the annotation `cancelled`: while a body is sent actix-web notices it
/// by itself, while a handler waits only where `HttpServer::h1_allow_half_closed(false)` says so. Upgrades (101), and responses
/// without a body, end it at once.
///
/// The `Err` of a handler or an extractor is recorded with its causes, where its status is an error or a fault. So is that
/// of a middleware within this one; actix-web makes its response outside of all middleware, where it gets no trace header.
///
/// Wrap the `App`, so that requests without a route are recorded too; of the middleware of an `App` the one that is
/// wrapped last runs first. Options are chosen as for `XRayLayer`.
///
/// Each worker calls the factory of the `App` on a thread of its own: make the middleware there, for the installed recorder, or
/// before, and clone it into the factory.
///
/// ```
/// use actix_web::{App, test, web};
/// use xray_runtime::{Recorder, XRayActix};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (recorder, captured) = Recorder::in_memory();
/// let app = App::new()
///     .route("/users/{id}", web::get().to(async || "hello"))
///     .wrap(XRayActix::with_recorder(&recorder));
///
/// let request = test::TestRequest::get().uri("http://example.com/users/7?token=1").to_request();
/// let response = test::call_service(&test::init_service(app).await, request).await;
/// assert!(response.headers().contains_key("x-amzn-trace-id"));
/// test::read_body(response).await;
///
/// let segment = captured.segment("test");
/// assert_eq!(segment.json().pointer("/http/request/url"), Some(&"http://example.com/users/7".into()));
/// assert_eq!(segment.json().pointer("/http/response/content_length"), Some(&5.into()));
/// assert_eq!(segment.annotation("route"), Some("/users/{id}".into()));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct XRayActix {
    options: Arc<Options>,
}

option_methods!(XRayActix);

impl<S, B> Transform<S, ServiceRequest> for XRayActix
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<XRayActixBody<B>>;
    type Error = actix_web::Error;
    type Transform = XRayActixService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(XRayActixService::new(service, Arc::clone(&self.options))))
    }
}

//! `XRayLayer`: a segment for each request that a server answers.

mod body;
mod failure;
mod future;
#[cfg(feature = "grpc")]
mod grpc;
#[cfg(feature = "grpc")]
mod grpc_body;
#[cfg(feature = "grpc")]
mod grpc_call;
mod grpc_status;
mod request;
mod response;
mod service;

use std::sync::Arc;

pub use body::XRayBody;
pub use future::XRayResponseFuture;
#[cfg(feature = "grpc")]
pub use grpc::{XRayGrpcFuture, XRayGrpcLayer, XRayGrpcService};
#[cfg(feature = "grpc")]
pub use grpc_body::XRayGrpcBody;
pub use service::XRayService;

use ::http::HeaderName;
use tower_layer::Layer;

use crate::server::{Options, option_methods};

const TRACE_HEADER: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// A tower layer that records a segment for each request: for axum, tonic, hyper, or any other
/// `tower::Service` of HTTP requests.
///
/// A segment has the request (method, address without query, user agent, address of the client), the response (status and
/// its flags, length of the body) and goes on with the trace of the request's `X-Amzn-Trace-Id`; the response
/// carries that header with the trace's id. The recorder's sampling decides where the caller has not, and its naming
/// names the segment. The segment is current while the handler runs, and ends when the **body** of the response
/// has been sent: what a streaming body calls is recorded too. Where the client goes away before, the
/// segment gets the annotation `cancelled`. Upgrades (101), and responses without a body, end it at once. A gRPC
/// response has the flags of its `grpc-status`, from the headers or the trailers, which end it; one that ends without a status counts as
/// `Unknown`, a fault. Where nothing below has recorded an error, a status other than OK is the segment's cause, with the code's name
/// as the type and `grpc-message` as the message. tonic takes the layer as it is (`Server::builder().layer(XRayLayer::new())`), unary and streaming.
///
/// With the feature `axum` the template of the route (`/users/{id}`) becomes the annotation `route`, so that filters and
/// groups see one route and not a thousand addresses. Put the layer on with [`Router::layer`], which runs once the route is
/// known. The address of the client without proxy is known where the server was made with
/// `into_make_service_with_connect_info::<SocketAddr>()`, or where a [`SocketAddr`](std::net::SocketAddr) is an
/// extension of the request.
///
/// [`Router::layer`]: https://docs.rs/axum/latest/axum/struct.Router.html#method.layer
///
/// ```
/// use axum::{Router, body::Body, http::Request, routing::get};
/// use http_body_util::BodyExt;
/// use tower::ServiceExt;
/// use xray_runtime::{Recorder, XRayLayer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (recorder, captured) = Recorder::in_memory();
/// let app = Router::new()
///     .route("/greeting", get(async || "hello"))
///     .layer(XRayLayer::with_recorder(&recorder));
///
/// let request = Request::get("http://example.com/greeting?token=1").body(Body::empty())?;
/// let response = app.oneshot(request).await?;
/// assert!(response.headers().contains_key("x-amzn-trace-id"));
/// response.into_body().collect().await?;
///
/// let segment = captured.segment("test");
/// assert_eq!(segment.json().pointer("/http/request/url"), Some(&"http://example.com/greeting".into()));
/// assert_eq!(segment.json().pointer("/http/response/content_length"), Some(&5.into()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct XRayLayer {
    options: Arc<Options>,
}

option_methods!(XRayLayer);

impl<S> Layer<S> for XRayLayer {
    type Service = XRayService<S>;

    fn layer(&self, inner: S) -> XRayService<S> {
        XRayService::new(inner, Arc::clone(&self.options))
    }
}

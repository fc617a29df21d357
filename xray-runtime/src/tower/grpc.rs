//! `XRayGrpcLayer`: a remote subsegment for each call that a gRPC client makes.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::http::{Request, Response, Uri};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::grpc_body::XRayGrpcBody;
use super::grpc_call::GrpcCall;
use crate::wildcard::wildcard_match;

/// The errors of the layer's service and of its bodies. A tonic client finds in it what it would find without the layer.
pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// A tower layer for gRPC clients such as tonic's: each call, unary or streaming, is a remote subsegment of what is
/// current where the call is made, and carries `X-Amzn-Trace-Id` as metadata, so that the called service goes on with the
/// trace.
///
/// A subsegment is named after the host of the [`endpoint`](Self::endpoint); without one after the host of the
/// request's address, and where that has none, as with tonic's `Channel`, after the gRPC service
/// (`inventory.v1.Inventory`). It has method, address, HTTP status, and the flags of the call's `grpc-status`
/// ([`StatusFlags::from_grpc`](crate::StatusFlags::from_grpc)); a status other than OK is its `cause`, with the code's name as the
/// type and `grpc-message` as the message.
///
/// It ends when the trailers come, which end a call of gRPC. A call whose response is dropped before (a client that
/// stops in the middle of a stream, a timeout of yours) is `cancelled`. A response that ends without trailers
/// counts as `Unknown`, a fault. A call that fails below gRPC, or whose deadline passes, is a fault with its cause, which is
/// `remote` but where no connection was made.
///
/// A header that you have set stays as it is. Where the segment is not sampled the header is sent all the same. Where no
/// segment is current the recorder's [context-missing strategy](crate::ContextMissing) applies and the call is made as
/// it is. Put the layer around a `tower::buffer::Buffer`, not into it: there no segment is current.
///
/// ```no_run
/// use tonic::transport::Endpoint;
/// use tower::ServiceBuilder;
/// use xray_runtime::XRayGrpcLayer;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let endpoint = Endpoint::from_static("http://inventory.internal:50051");
/// let xray = XRayGrpcLayer::new().endpoint(endpoint.uri().clone());
/// let channel = ServiceBuilder::new().layer(xray).service(endpoint.connect_lazy());
/// // let client = InventoryClient::new(channel);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct XRayGrpcLayer {
    options: Arc<GrpcOptions>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct GrpcOptions {
    pub(super) endpoint: Option<Uri>,
    pub(super) traced: bool,
    pub(super) skipped: Vec<Box<str>>,
}

impl XRayGrpcLayer {
    /// A layer that records each call.
    pub fn new() -> Self {
        Self::default()
    }

    fn set(mut self, set: impl FnOnce(&mut GrpcOptions)) -> Self {
        set(Arc::make_mut(&mut self.options));
        self
    }

    /// Where the calls go, as `tonic::transport::Endpoint::uri` tells it: scheme and host of the recorded addresses. By
    /// default those of each request.
    #[must_use]
    pub fn endpoint(self, endpoint: Uri) -> Self {
        self.set(|options| options.endpoint = Some(endpoint))
    }

    /// Whether the called services are expected to send segments of their own (`traced` in the document). Off by default.
    #[must_use]
    pub fn traced(self, traced: bool) -> Self {
        self.set(|options| options.traced = traced)
    }

    /// Leaves calls alone, without subsegment and header, whose path (`/package.Service/Method`) matches. `*` stands for any run of
    /// characters, `?` for one, without regard to case. May be called more than once.
    ///
    /// ```
    /// let layer = xray_runtime::XRayGrpcLayer::new().skip("/grpc.health.v1.Health/*");
    /// ```
    #[must_use]
    pub fn skip(self, path: impl Into<String>) -> Self {
        self.set(|options| options.skipped.push(path.into().into_boxed_str()))
    }
}

impl<S> Layer<S> for XRayGrpcLayer {
    type Service = XRayGrpcService<S>;

    fn layer(&self, inner: S) -> XRayGrpcService<S> {
        XRayGrpcService { inner, options: Arc::clone(&self.options) }
    }
}

/// Records a subsegment for each call of the inner service. Made by [`XRayGrpcLayer`].
#[derive(Clone, Debug)]
pub struct XRayGrpcService<S> {
    inner: S,
    options: Arc<GrpcOptions>,
}

impl<S> XRayGrpcService<S> {
    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, RequestBody, ResponseBody> Service<Request<RequestBody>> for XRayGrpcService<S>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>>,
    S::Error: Into<BoxError>,
    ResponseBody: Body,
    ResponseBody::Error: Into<BoxError>,
{
    type Response = Response<XRayGrpcBody<ResponseBody>>;
    type Error = BoxError;
    type Future = XRayGrpcFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        let path = request.uri().path();
        if self.options.skipped.iter().any(|pattern| wildcard_match(pattern, path, true)) {
            return XRayGrpcFuture { inner: self.inner.call(request), call: None };
        }
        let Some(mut call) = GrpcCall::open(&self.options, &mut request) else {
            return XRayGrpcFuture { inner: self.inner.call(request), call: None };
        };
        // `call` may do work of its own before it returns a future.
        let entered = call.scope.enter();
        let inner = self.inner.call(request);
        entered.suspend();
        XRayGrpcFuture { inner, call: Some(call) }
    }
}

pin_project! {
    /// The response of an [`XRayGrpcService`]. Dropped before it is done, the subsegment ends as cancelled.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct XRayGrpcFuture<F> {
        // Before the call: dropped first, so that the subsegment ends after what is below it.
        #[pin]
        inner: F,
        call: Option<GrpcCall>,
    }
}

impl<F, B, E> Future for XRayGrpcFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    E: Into<BoxError>,
{
    type Output = Result<Response<XRayGrpcBody<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(call) = this.call.as_mut() else {
            return this
                .inner
                .poll(cx)
                .map_ok(|response| response.map(|body| XRayGrpcBody::new(body, None)))
                .map_err(Into::into);
        };
        let entered = call.scope.enter();
        match this.inner.poll(cx) {
            Poll::Pending => {
                entered.suspend();
                Poll::Pending
            }
            Poll::Ready(Err(error)) => {
                let error = error.into();
                call.answer.fail(error.as_ref());
                entered.finish();
                *this.call = None;
                Poll::Ready(Err(error))
            }
            Poll::Ready(Ok(response)) => {
                if call.answer.begin(&response) {
                    entered.finish();
                    *this.call = None;
                } else {
                    entered.suspend();
                }
                let call = this.call.take();
                Poll::Ready(Ok(response.map(|body| XRayGrpcBody::new(body, call))))
            }
        }
    }
}

//! `XRayLayer`: a segment for each request that a server answers.

mod body;
mod exchange;
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
mod service;

use std::borrow::Cow;
use std::sync::Arc;

pub use body::XRayBody;
pub use future::XRayResponseFuture;
#[cfg(feature = "grpc")]
pub use grpc::{XRayGrpcFuture, XRayGrpcLayer, XRayGrpcService};
#[cfg(feature = "grpc")]
pub use grpc_body::XRayGrpcBody;
pub use service::XRayService;

use tower_layer::Layer;

use crate::recorder::{Core, Recorder, current_core, is_overridden};

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
/// `Unknown`, a fault. tonic takes the layer as it is (`Server::builder().layer(XRayLayer::new())`), unary and streaming.
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

#[derive(Clone, Debug)]
struct Options {
    recorder: WhichRecorder,
    keep_query: bool,
    skipped: Vec<Box<str>>,
    scheme: Option<Cow<'static, str>>,
    forwarded: bool,
    response_header: bool,
}

#[derive(Clone, Debug)]
enum WhichRecorder {
    This(Arc<Core>),
    /// The one entered when the request comes, else the one that was entered when the layer was made, else the
    /// installed one.
    InForce(Option<Arc<Core>>),
}

impl Options {
    fn core(&self) -> Option<Arc<Core>> {
        match &self.recorder {
            WhichRecorder::This(core) => Some(Arc::clone(core)),
            WhichRecorder::InForce(Some(core)) => is_overridden().or_else(|| Some(Arc::clone(core))),
            WhichRecorder::InForce(None) => current_core(),
        }
    }
}

impl Default for XRayLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl XRayLayer {
    /// A layer that records with the recorder in force when a request comes: the installed one, or the one that was
    /// [entered](Recorder::enter) on the thread, or where the layer was made. Where there is none requests pass as
    /// they are.
    pub fn new() -> Self {
        Self::of(WhichRecorder::InForce(is_overridden()))
    }

    /// A layer that records with this recorder, as a second service in one process does.
    pub fn with_recorder(recorder: &Recorder) -> Self {
        Self::of(WhichRecorder::This(Arc::clone(&recorder.core)))
    }

    fn of(recorder: WhichRecorder) -> Self {
        Self {
            options: Arc::new(Options {
                recorder,
                keep_query: false,
                skipped: Vec::new(),
                scheme: None,
                forwarded: false,
                response_header: true,
            }),
        }
    }

    fn set(mut self, set: impl FnOnce(&mut Options)) -> Self {
        set(Arc::make_mut(&mut self.options));
        self
    }

    /// Whether the recorded address keeps its query. Off by default: queries hold tokens and names.
    #[must_use]
    pub fn keep_query(self, keep: bool) -> Self {
        self.set(|options| options.keep_query = keep)
    }

    /// Makes no segment of requests whose path matches, such as health checks, and gives their responses no header. A trace
    /// header that came with one goes on to the services that the handler calls, as it came. `*` stands for any run of
    /// characters, `?` for one; without regard to case, as in sampling rules. May be called more than once. For all
    /// layers of a recorder: [`RecorderBuilder::skip_path`](crate::RecorderBuilder::skip_path).
    ///
    /// ```
    /// let layer = xray_runtime::XRayLayer::new().skip_path("/health*").skip_path("/metrics");
    /// ```
    #[must_use]
    pub fn skip_path(self, pattern: impl Into<String>) -> Self {
        self.set(|options| options.skipped.push(pattern.into().into_boxed_str()))
    }

    /// The scheme of the recorded addresses, such as `https` behind a load balancer that ends TLS. By default that of the request's
    /// target (HTTP/2 has one), else `http`.
    #[must_use]
    pub fn scheme(self, scheme: impl Into<Cow<'static, str>>) -> Self {
        self.set(|options| options.scheme = Some(scheme.into()))
    }

    /// Whether the recorded addresses have scheme and host of X-Forwarded-Proto and X-Forwarded-Host. Off by default:
    /// only a proxy of yours makes them trustworthy. Naming and sampling look at Host in any case.
    #[must_use]
    pub fn forwarded(self, trust: bool) -> Self {
        self.set(|options| options.forwarded = trust)
    }

    /// Whether responses carry `X-Amzn-Trace-Id`, sampled or not. On by default; it takes the place of one that the
    /// handler has set.
    #[must_use]
    pub fn response_header(self, give: bool) -> Self {
        self.set(|options| options.response_header = give)
    }
}

impl<S> Layer<S> for XRayLayer {
    type Service = XRayService<S>;

    fn layer(&self, inner: S) -> XRayService<S> {
        XRayService::new(inner, Arc::clone(&self.options))
    }
}

//! `RollbarLayer`: requests that fail are reported, with what was asked for.

mod body;
mod exchange;
mod future;
mod request;
mod request_body;
#[cfg(feature = "axum")]
mod route;
mod service;

use std::borrow::Cow;
use std::sync::Arc;

pub use body::{BodyPanicked, RollbarBody};
pub use future::RollbarResponseFuture;
pub use request_body::{CaptureBody, CapturedBody};
pub use service::RollbarService;

use http::StatusCode;
use tower_layer::Layer;

use crate::client::Rollbar;
use crate::current;

/// A tower layer that reports requests that fail: for axum, tonic, hyper, or any other `tower::Service` of HTTP requests.
///
/// Each request has a [`Scope`](crate::Scope) of its own, which is in force while the handler runs and while the body of its
/// response is sent. Items that are reported there, by whatever means, tell of the request: method, address, headers, query,
/// address of the client, and Rollbar's session of the header `baggage`. Passwords and tokens in them are masked as everywhere.
/// What is reported by itself:
///
/// * A **panic** of the handler is one item at level `critical`. The client gets the answer 500. A panic of the response's
///   body is reported too, and ends the body with an error: the answer has begun.
/// * An answer of the **5xx** kind is one item at level `error`, unless an error of this request has been reported before: by
///   [`#[rollbar_report]`](crate::rollbar_report), [`report_error`](crate::report_error), or the layer for `tracing`. A 4xx is
///   the client's failure, and no item.
/// * An **error** of the service or of the response's body, which has no answer, is one item, likewise.
///
/// With the feature `axum` the method and the template of the route (`GET /users/{id}`) are the item's context, and the answers
/// of a route and a status are grouped into one item. Put the layer on with [`Router::layer`], which runs once the route is
/// known. The address of the client without proxy is known where the server was made with
/// `into_make_service_with_connect_info::<SocketAddr>()`, or where a [`SocketAddr`](std::net::SocketAddr) is an extension of
/// the request.
///
/// A request that is served well costs about a microsecond (measured with 10 headers): nothing of it is read before there is an item. Below
/// `XRayLayer`, and with the feature `xray`, items carry the trace of the request.
///
/// [`Router::layer`]: https://docs.rs/axum/latest/axum/struct.Router.html#method.layer
///
#[cfg_attr(feature = "axum", doc = "```")]
#[cfg_attr(not(feature = "axum"), doc = "```ignore")]
/// use axum::{Router, body::Body, extract::Path, http::{Request, StatusCode}, routing::get};
/// use rollbar_runtime::{Rollbar, RollbarLayer};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (rollbar, captured) = Rollbar::in_memory();
/// let app = Router::new()
///     .route("/users/{id}", get(async |Path(id): Path<u32>| assert!(id != 7, "no user {id}")))
///     .layer(RollbarLayer::with_client(&rollbar));
///
/// let request = Request::get("http://example.com/users/7?token=1").body(Body::empty())?;
/// let response = app.oneshot(request).await?;
/// assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
///
/// let item = captured.only();
/// assert_eq!(item.message(), Some("no user 7"));
/// assert_eq!(item.json()["context"], "GET /users/{id}");
/// assert_eq!(item.json()["request"]["url"], "http://example.com/users/7?token=********");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RollbarLayer {
    options: Arc<Options>,
}

#[derive(Clone, Debug)]
struct Options {
    client: WhichClient,
    scheme: Option<Cow<'static, str>>,
    forwarded: bool,
    trusted_hops: Option<usize>,
    catch_panics: bool,
    expected: Vec<StatusCode>,
    /// Bytes of a request's body that are kept.
    max_body: usize,
}

#[derive(Clone, Debug)]
enum WhichClient {
    This(Rollbar),
    /// The one entered when the request comes, else the one that was entered when the layer was made, else the
    /// installed one.
    InForce(Option<Rollbar>),
}

impl Default for RollbarLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl RollbarLayer {
    /// A layer that reports to the client in force when a request comes: the installed one, or the one that was
    /// [entered](Rollbar::enter) on the thread, or where the layer was made. Where there is none nothing is reported; panics
    /// are answered all the same.
    pub fn new() -> Self {
        Self::of(WhichClient::InForce(current::context().and_then(|context| context.client.clone())))
    }

    /// A layer that reports to this client, as a second service in one process does.
    pub fn with_client(client: &Rollbar) -> Self {
        Self::of(WhichClient::This(client.clone()))
    }

    fn of(client: WhichClient) -> Self {
        Self {
            options: Arc::new(Options {
                client,
                scheme: None,
                forwarded: false,
                trusted_hops: None,
                catch_panics: true,
                expected: Vec::new(),
                max_body: 0,
            }),
        }
    }

    fn set(mut self, set: impl FnOnce(&mut Options)) -> Self {
        set(Arc::make_mut(&mut self.options));
        self
    }

    /// The scheme of the reported addresses, such as `https` behind a load balancer that ends TLS. By default that of the
    /// request's target (HTTP/2 has one), else `http`.
    #[must_use]
    pub fn scheme(self, scheme: impl Into<Cow<'static, str>>) -> Self {
        self.set(|options| options.scheme = Some(scheme.into()))
    }

    /// Whether the reported addresses have scheme and host of X-Forwarded-Proto and X-Forwarded-Host. Off by default: only a
    /// proxy of yours makes them trustworthy.
    #[must_use]
    pub fn forwarded(self, trust: bool) -> Self {
        self.set(|options| options.forwarded = trust)
    }

    /// The number of proxies of yours that a request comes through. Each appends to X-Forwarded-For the address that it was
    /// called from: the client's is the one that the outermost appended, and where there is none, the other end of the
    /// connection. Without this setting it is the first address of X-Forwarded-For, else X-Real-Ip, else the other end; anybody can
    /// write there what they like.
    ///
    /// ```
    /// let behind_a_load_balancer = rollbar_runtime::RollbarLayer::new().trusted_hops(1);
    /// let facing_the_internet = rollbar_runtime::RollbarLayer::new().trusted_hops(0);
    /// ```
    #[must_use]
    pub fn trusted_hops(self, hops: usize) -> Self {
        self.set(|options| options.trusted_hops = Some(hops))
    }

    /// Whether a panic of the handler is answered with 500; else it goes on to the server, which closes the connection.
    /// It is reported either way. On by default.
    #[must_use]
    pub fn catch_panics(self, catch: bool) -> Self {
        self.set(|options| options.catch_panics = catch)
    }

    /// Answers of this status are no items, such as the 503 of a check of readiness. May be called more than once.
    ///
    /// ```
    /// use axum::http::StatusCode;
    ///
    /// let layer = rollbar_runtime::RollbarLayer::new().expect_status(StatusCode::SERVICE_UNAVAILABLE);
    /// ```
    #[must_use]
    pub fn expect_status(self, status: StatusCode) -> Self {
        self.set(|options| options.expected.push(status))
    }

    /// Items tell of the request's body, too, as far as the handler has read it: up to `max_bytes` of a body that is JSON, a form
    /// or text, and is not compressed. A copy is kept of what passes; the request is not held back. Fields of JSON and of forms are masked by
    /// their names. JSON that is longer, or was not read to its end, is left out: it could not be masked.
    ///
    /// The service within gets a [`CapturedBody`] round the request's body, which is why this comes last.
    ///
    /// ```
    /// let layer = rollbar_runtime::RollbarLayer::new().capture_body(16 * 1024);
    /// ```
    #[must_use]
    pub fn capture_body(self, max_bytes: usize) -> RollbarBodyLayer {
        RollbarBodyLayer(self.set(|options| options.max_body = max_bytes))
    }
}

impl<S> Layer<S> for RollbarLayer {
    type Service = RollbarService<S>;

    fn layer(&self, inner: S) -> RollbarService<S> {
        RollbarService::new(inner, Arc::clone(&self.options))
    }
}

/// A [`RollbarLayer`] whose items tell of the request's body; made by [`RollbarLayer::capture_body`].
#[derive(Clone, Debug)]
pub struct RollbarBodyLayer(RollbarLayer);

impl<S> Layer<S> for RollbarBodyLayer {
    type Service = RollbarService<CaptureBody<S>>;

    fn layer(&self, inner: S) -> RollbarService<CaptureBody<S>> {
        self.0.layer(CaptureBody::new(inner))
    }
}

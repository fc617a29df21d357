//! `XRayLambdaLayer`: the invocations of a function of AWS Lambda.

mod failure;
mod flush;
mod handler;
mod response;
mod service;

use std::borrow::Cow;
use std::fs::{OpenOptions, create_dir_all};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

pub use handler::{XRayLambdaHandler, XRayLambdaHandlerFuture};
pub use response::{XRayLambdaResponse, XRayLambdaStream};
pub use service::{XRayLambdaFuture, XRayLambdaService};
use tower_layer::Layer;

use crate::context;
use crate::entity::Entity;
use crate::record::FIRST;
use crate::recorder::{Core, Recorder, current_core, is_overridden};
use crate::scope::{Late, Scope};

/// The name that Powertools for AWS Lambda gives to the subsegment of a handler.
const HANDLER: &str = "## handler";

/// The annotation by which Powertools for AWS Lambda marks the first invocation.
const COLD_START: &str = "ColdStart";

/// How long the answer's delivery may take before the runtime asks for the next invocation.
const FLUSH: Duration = Duration::from_millis(500);

/// A layer of [`lambda_runtime::Runtime`] that records the invocations of a function.
///
/// In AWS Lambda the segment of a function is Lambda's; the function adds subsegments to it. While an invocation is handled a
/// **facade** of that segment is current: subsegments below it (of the attribute, of guards, of clients) are sent as documents of
/// their own, each as soon as it ends, and name Lambda's segment as their parent. The facade itself is never sent.
///
/// * The trace header is that of the invocation, of its context, and never what stands in the environment: `_X_AMZN_TRACE_ID` may be that of
///   another invocation. Without parent or decision (tracing is passive) nothing is recorded, and the header goes on to called
///   services as it came.
/// * A subsegment `## handler` stands for the handler, with the annotation `ColdStart`, as Powertools has them. What is said of the
///   [segment](crate::current_segment) is said of it.
/// * The `Err` of the handler, and a panic in it, are seen where it is wrapped too: [`handler`](Self::handler).
/// * A segment that begins in an invocation ([`begin_segment`](crate::begin_segment), [`XRayLayer`](crate::XRayLayer),
///   [`in_message_segment`](crate::in_message_segment)) becomes a subsegment of what is current: Lambda takes none. One that begins
///   outside of an invocation is not recorded, with a warning.
/// * When the answer has been given to Lambda, and before the runtime asks for the next invocation (from then on Lambda may freeze the program),
///   the layer waits until what has ended is sent, for [500 ms](Self::flush_timeout) at most, on no thread of the runtime. The
///   caller of the function does not wait for it.
///
/// Each invocation is recorded by itself: those that run at once do not see each other, and what an earlier one left open stays in
/// its own trace. What is open when an invocation ends is sent as in progress. Sampling is Lambda's: the recorder asks neither its
/// sampler nor the daemon.
///
/// Outside of Lambda, with no `LAMBDA_TASK_ROOT` (`cargo lambda`, tests), it works alike; an invocation that comes without a trace is a segment of the
/// recorder's there, so that it is seen in a local console.
///
/// ```no_run
/// use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
/// use serde_json::Value;
/// use xray_runtime::{Recorder, XRayLambdaLayer, xray_capture};
///
/// #[xray_capture]
/// async fn order(event: LambdaEvent<Value>) -> Result<Value, Error> {
///     Ok(event.payload)
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), Error> {
///     let _xray = Recorder::builder().service("orders").install()?;
///     let xray = XRayLambdaLayer::new();
///     Runtime::new(xray.handler(service_fn(order))).layer(xray).run().await
/// }
/// ```
///
/// With `lambda_http`, the same round its adapter; [`XRayLayer`](crate::XRayLayer) inside adds method, address and status:
///
/// ```no_run
/// use axum::{Router, routing::get};
/// use lambda_http::Adapter;
/// use lambda_runtime::{Error, Runtime};
/// use xray_runtime::{Recorder, XRayLambdaLayer, XRayLayer};
///
/// #[tokio::main]
/// async fn main() -> Result<(), Error> {
///     let _xray = Recorder::builder().service("orders").install()?;
///     let app = Router::new().route("/orders", get(async || "none")).layer(XRayLayer::new());
///     let xray = XRayLambdaLayer::new();
///     Runtime::new(xray.handler(Adapter::from(app))).layer(xray).run().await
/// }
/// ```
#[derive(Clone, Debug)]
pub struct XRayLambdaLayer {
    options: Options,
}

#[derive(Clone, Debug)]
struct Options {
    /// None: the one that is installed when an invocation comes.
    recorder: Option<Arc<Core>>,
    /// None: the handler has no subsegment.
    name: Option<Cow<'static, str>>,
    flush: Duration,
    state: Arc<State>,
}

/// What the layer and the wrapper of the handler share.
#[derive(Debug)]
struct State {
    /// No invocation has come yet.
    cold: AtomicBool,
    /// The handler was wrapped: its subsegment is the wrapper's.
    wrapped: AtomicBool,
}

impl Default for XRayLambdaLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl XRayLambdaLayer {
    /// A layer that records with the recorder that is [entered](Recorder::enter) here, else with the one that is installed when an
    /// invocation comes. Where there is none invocations pass as they are.
    pub fn new() -> Self {
        Self::of(is_overridden())
    }

    /// A layer that records with this recorder.
    pub fn with_recorder(recorder: &Recorder) -> Self {
        Self::of(Some(Arc::clone(&recorder.core)))
    }

    fn of(recorder: Option<Arc<Core>>) -> Self {
        // Of environments that are made ready before a call comes, no call sees the start.
        let ready =
            std::env::var("AWS_LAMBDA_INITIALIZATION_TYPE").is_ok_and(|how| how == "provisioned-concurrency");
        let state = State { cold: AtomicBool::new(!ready), wrapped: AtomicBool::new(false) };
        let name = Some(Cow::Borrowed(HANDLER));
        Self { options: Options { recorder, name, flush: FLUSH, state: Arc::new(state) } }
    }

    /// Wraps the handler, so that its subsegment begins and ends with it, and has its `Err`, or its panic, as cause. Of a streaming response
    /// it ends with the stream, and is current while that is polled.
    ///
    /// Without the wrapper the subsegment goes from the coming of the event to the end of the answer, and knows nothing of
    /// failures, which [`lambda_runtime`] tells to Lambda only.
    pub fn handler<S>(&self, handler: S) -> XRayLambdaHandler<S> {
        self.options.state.wrapped.store(true, Relaxed);
        XRayLambdaHandler::new(handler, self.options.clone())
    }

    /// The name of the handler's subsegment. Default: `## handler`.
    #[must_use]
    pub fn handler_name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.options.name = Some(name.into());
        self
    }

    /// Gives the handler no subsegment, and no annotation `ColdStart`: what the function records stands directly below Lambda's segment. What
    /// is said of the segment is lost then, and counted.
    #[must_use]
    pub fn without_handler_subsegment(mut self) -> Self {
        self.options.name = None;
        self
    }

    /// How long the delivery of what was recorded may hold up the next invocation; never past the deadline of this one. What is not delivered
    /// by then goes when Lambda thaws the program. Zero: it is not waited for. Default: 500 ms.
    #[must_use]
    pub fn flush_timeout(mut self, timeout: Duration) -> Self {
        self.options.flush = timeout;
        self
    }
}

impl<S> Layer<S> for XRayLambdaLayer {
    type Service = XRayLambdaService<S>;

    fn layer(&self, inner: S) -> XRayLambdaService<S> {
        XRayLambdaService::new(inner, self.options.clone())
    }
}

impl Options {
    fn core(&self) -> Option<Arc<Core>> {
        self.recorder.clone().or_else(current_core).filter(|core| core.is_enabled())
    }

    /// The subsegment of the handler, on no thread yet.
    fn handler_scope(&self) -> Option<Scope> {
        Some(match self.name.clone()? {
            Cow::Borrowed(name) if !name.is_empty() => Scope::new(name),
            name => Scope::late(Late::Subsegment(name)),
        })
    }

    /// The subsegment of the handler has begun and is current.
    fn handler_begun(&self) {
        let cold = self.state.cold.swap(false, Relaxed);
        let key = context::current();
        if key < FIRST {
            return;
        }
        if let Some(tree) = context::current_tree()
            && let Some(facade) = tree.facade()
        {
            facade.handler_begun();
        }
        Entity::local(key).put_annotation(COLD_START, cold);
    }
}

/// Tells Lambda that the function records by itself, as X-Ray's SDKs do. That it cannot be told harms nothing.
pub(crate) fn tell_initialized() {
    let told = create_dir_all("/tmp/.aws-xray").and_then(|()| {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open("/tmp/.aws-xray/initialized")?
            .set_modified(SystemTime::now())
    });
    if let Err(error) = told {
        tracing::debug!(target: "xray_runtime", "/tmp/.aws-xray/initialized cannot be made: {error}");
    }
}

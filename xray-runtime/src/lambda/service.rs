//! The service that the layer makes: an invocation, from its event to the delivery of what was recorded.

use std::future::Future;
use std::mem::replace;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lambda_runtime::{Error, LambdaInvocation};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::flush::{Flush, bounded};
use super::{Options, failure};
use crate::facade;
use crate::recorder::Core;
use crate::root::Root;
use crate::scope::{Entered, Scope};
use crate::segment::SegmentBuilder;
use crate::trace_header::TraceHeader;

/// Records the invocations of the inner service. Made by [`XRayLambdaLayer`](super::XRayLambdaLayer).
#[derive(Clone, Debug)]
pub struct XRayLambdaService<S> {
    inner: S,
    options: Options,
}

impl<S> XRayLambdaService<S> {
    pub(super) fn new(inner: S, options: Options) -> Self {
        Self { inner, options }
    }
}

impl<S> Service<LambdaInvocation> for XRayLambdaService<S>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
{
    type Response = ();
    type Error = Error;
    type Future = XRayLambdaFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, event: LambdaInvocation) -> Self::Future {
        let Some(mut invocation) = Invocation::open(&self.options, &event) else {
            return XRayLambdaFuture { inner: self.inner.call(event), stage: Stage::Plain };
        };
        // `call` reads the event, and calls the handler.
        let entered = invocation.enter();
        if entered.handler.is_some() {
            self.options.handler_begun();
        }
        let inner = self.inner.call(event);
        entered.suspend();
        XRayLambdaFuture { inner, stage: Stage::Running { invocation } }
    }
}

/// An invocation that is recorded.
#[derive(Debug)]
struct Invocation {
    // Before the segment: dropped first, so that it ends before it.
    handler: Option<Scope>,
    segment: Scope,
    core: Arc<Core>,
    is_sampled: bool,
    flush: Duration,
    /// In milliseconds of Unix time.
    deadline: u64,
}

impl Invocation {
    fn open(options: &Options, event: &LambdaInvocation) -> Option<Self> {
        let core = options.core()?;
        let header = event.context.xray_trace_id.as_deref().map(TraceHeader::parse).unwrap_or_default();
        let root = if header.trace_id().is_none() && !core.settings.in_lambda {
            segment(&core, header)?
        } else {
            facade::open(Arc::clone(&core), header)
        };
        let wrapped = options.state.wrapped.load(Relaxed);
        Some(Self {
            handler: options.handler_scope().filter(|_| !wrapped),
            is_sampled: root.tree.sampled,
            segment: Scope::root(root),
            core,
            flush: options.flush,
            deadline: event.context.deadline,
        })
    }

    fn enter(&mut self) -> InInvocation<'_> {
        let segment = self.segment.enter();
        InInvocation { handler: self.handler.as_mut().map(Scope::enter), segment }
    }
}

/// Nobody has a segment for it: it is tried out.
fn segment(core: &Arc<Core>, header: TraceHeader) -> Option<Root> {
    SegmentBuilder::new(Arc::clone(core), None).trace_header(header).open()
}

/// The time of one poll. While a panic unwinds the fields are dropped in this order.
struct InInvocation<'i> {
    handler: Option<Entered<'i>>,
    segment: Entered<'i>,
}

impl InInvocation<'_> {
    fn suspend(self) {
        if let Some(handler) = self.handler {
            handler.suspend();
        }
        self.segment.suspend();
    }

    fn finish(self) {
        if let Some(handler) = self.handler {
            handler.finish();
        }
        self.segment.finish();
    }
}

pin_project! {
    /// An invocation of an [`XRayLambdaService`], to the delivery of what was recorded. Dropped before it is done, its subsegments
    /// end as cancelled.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct XRayLambdaFuture<F> {
        // Before the stage: dropped first, so that the facade ends after what is below it.
        #[pin]
        inner: F,
        stage: Stage,
    }
}

#[derive(Debug)]
enum Stage {
    /// Nothing is recorded.
    Plain,
    Running {
        invocation: Invocation,
    },
    /// The answer has been given.
    Flushing {
        flush: Flush,
        answer: Result<(), Error>,
    },
}

impl<F: Future<Output = Result<(), Error>>> Future for XRayLambdaFuture<F> {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.stage {
            Stage::Plain => return this.inner.poll(cx),
            Stage::Running { invocation } => {
                let entered = invocation.enter();
                match this.inner.poll(cx) {
                    Poll::Pending => {
                        entered.suspend();
                        return Poll::Pending;
                    }
                    Poll::Ready(answer) => {
                        if let Err(error) = &answer {
                            failure::record(error);
                        }
                        entered.finish();
                        let timeout = if invocation.is_sampled {
                            bounded(invocation.flush, invocation.deadline)
                        } else {
                            Duration::ZERO
                        };
                        let flush = Flush::begin(Arc::clone(&invocation.core), timeout);
                        *this.stage = Stage::Flushing { flush, answer };
                    }
                }
            }
            Stage::Flushing { .. } => {}
        }
        let Stage::Flushing { flush, .. } = this.stage else { return Poll::Pending };
        ready!(Pin::new(flush).poll(cx));
        match replace(this.stage, Stage::Plain) {
            Stage::Flushing { answer, .. } => Poll::Ready(answer),
            Stage::Plain | Stage::Running { .. } => Poll::Pending,
        }
    }
}

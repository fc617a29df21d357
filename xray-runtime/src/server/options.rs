//! What can be chosen of a layer or middleware for servers.

use std::borrow::Cow;
use std::sync::Arc;

use crate::recorder::{Core, current_core, is_overridden};

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) recorder: WhichRecorder,
    pub(crate) keep_query: bool,
    pub(crate) skipped: Vec<Box<str>>,
    pub(crate) scheme: Option<Cow<'static, str>>,
    pub(crate) forwarded: bool,
    pub(crate) response_header: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum WhichRecorder {
    This(Arc<Core>),
    /// The one entered when the request comes, else the one that was entered when the layer was made, else the
    /// installed one.
    InForce(Option<Arc<Core>>),
}

impl WhichRecorder {
    pub(crate) fn in_force() -> Self {
        Self::InForce(is_overridden())
    }
}

impl Options {
    pub(crate) fn new(recorder: WhichRecorder) -> Self {
        Self {
            recorder,
            keep_query: false,
            skipped: Vec::new(),
            scheme: None,
            forwarded: false,
            response_header: true,
        }
    }

    pub(crate) fn core(&self) -> Option<Arc<Core>> {
        match &self.recorder {
            WhichRecorder::This(core) => Some(Arc::clone(core)),
            WhichRecorder::InForce(Some(core)) => is_overridden().or_else(|| Some(Arc::clone(core))),
            WhichRecorder::InForce(None) => current_core(),
        }
    }
}

/// The constructors and options of a layer or middleware, a struct whose one field is `options: Arc<Options>`.
macro_rules! option_methods {
    ($layer:ident) => {
        impl Default for $layer {
            fn default() -> Self {
                Self::new()
            }
        }

        impl $layer {
            /// Records with the recorder in force when a request comes: the installed one, or the one that was
            /// [entered](crate::Recorder::enter) on the thread, or where this was made. Where there is none requests pass as
            /// they are.
            pub fn new() -> Self {
                Self::of($crate::server::WhichRecorder::in_force())
            }

            /// Records with this recorder, as a second service in one process does.
            pub fn with_recorder(recorder: &$crate::Recorder) -> Self {
                Self::of($crate::server::WhichRecorder::This(std::sync::Arc::clone(&recorder.core)))
            }

            fn of(recorder: $crate::server::WhichRecorder) -> Self {
                Self { options: std::sync::Arc::new($crate::server::Options::new(recorder)) }
            }

            fn set(mut self, set: impl FnOnce(&mut $crate::server::Options)) -> Self {
                set(std::sync::Arc::make_mut(&mut self.options));
                self
            }

            /// Whether the recorded address keeps its query. Off by default: queries hold tokens and names.
            #[must_use]
            pub fn keep_query(self, keep: bool) -> Self {
                self.set(|options| options.keep_query = keep)
            }

            /// Makes no segment of requests whose path matches, such as health checks, and gives their responses no header. A
            /// trace header that came with one goes on to the services that the handler calls, as it came. `*` stands for any
            /// run of characters, `?` for one; without regard to case, as in sampling rules. May be called more than once. For
            /// all layers of a recorder: [`RecorderBuilder::skip_path`](crate::RecorderBuilder::skip_path).
            ///
            /// ```
            #[doc = concat!("use xray_runtime::", stringify!($layer), ";")]
            ///
            #[doc = concat!("let healthy = ", stringify!($layer), "::new().skip_path(\"/health*\").skip_path(\"/metrics\");")]
            /// ```
            #[must_use]
            pub fn skip_path(self, pattern: impl Into<String>) -> Self {
                self.set(|options| options.skipped.push(pattern.into().into_boxed_str()))
            }

            /// The scheme of the recorded addresses, such as `https` behind a load balancer that ends TLS. By default that of
            /// the request's target (HTTP/2 has one), else `http`.
            #[must_use]
            pub fn scheme(self, scheme: impl Into<std::borrow::Cow<'static, str>>) -> Self {
                self.set(|options| options.scheme = Some(scheme.into()))
            }

            /// Whether the recorded addresses have scheme and host of X-Forwarded-Proto and X-Forwarded-Host. Off by
            /// default: only a proxy of yours makes them trustworthy. Naming and sampling look at Host in any case.
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
    };
}
pub(crate) use option_methods;

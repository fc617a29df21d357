//! The recorder of a scenario, and the runtime that its calls run on.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use harness::Sink;
use harness::calls::{CALLS_IN_A_SEGMENT, Calls};
use tokio::runtime::Runtime;
use xray_runtime::{AllSampler, FutureExt, NoneSampler, Recorder, RecorderGuard};

pub(crate) struct Recording {
    recorder: Arc<RecorderGuard>,
    pub(crate) runtime: Rc<Runtime>,
}

impl Recording {
    /// As the mode asks for. Nothing may have started a thread yet.
    pub(crate) fn start(mode: &str) -> Recording {
        let sink = Sink::start();
        let builder = Recorder::builder().service("bench").daemon_address(sink.address().to_string());
        let builder = match mode {
            "unsampled" => builder.sampler(NoneSampler),
            "disabled" => builder.enabled(false),
            _ => builder.sampler(AllSampler),
        };
        let recorder = Arc::new(builder.install().expect("the settings are good"));
        // One thread: what a call costs its caller is what this thread does.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Recording { recorder, runtime: Rc::new(runtime) }
    }

    /// Both sides, made of one call each that segments are filled with.
    pub(crate) fn in_segments<P, T>(
        self,
        plain: impl Fn() -> P + 'static,
        traced: impl Fn() -> T + 'static,
    ) -> Calls
    where
        P: Future<Output = ()>,
        T: Future<Output = ()>,
    {
        self.calls(
            in_segments(Rc::clone(&self.runtime), plain),
            in_segments(Rc::clone(&self.runtime), traced),
        )
    }

    /// Both sides, each by itself.
    pub(crate) fn calls(&self, plain: impl FnMut(u64) + 'static, traced: impl FnMut(u64) + 'static) -> Calls {
        let (flushed, counted) = (Arc::clone(&self.recorder), Arc::clone(&self.recorder));
        Calls::new(plain, traced)
            .flush(move || {
                flushed.flush(Duration::from_secs(30));
            })
            .lost(move || counted.stats().dropped())
    }
}

fn in_segments<F: Future<Output = ()>>(
    runtime: Rc<Runtime>,
    call: impl Fn() -> F + 'static,
) -> impl FnMut(u64) + 'static {
    move |calls| {
        runtime.block_on(async {
            for _ in 0..calls / CALLS_IN_A_SEGMENT {
                let work = async {
                    for _ in 0..CALLS_IN_A_SEGMENT {
                        call().await;
                    }
                };
                work.in_segment("request").await;
            }
        });
    }
}

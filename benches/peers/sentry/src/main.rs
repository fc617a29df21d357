//! sentry with its default features, as its documentation sets it up.

use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::time::Duration;

use harness::reports::{OrderRefused, Reporter, Reporting, Setup, Stack, message};
use sentry::{ClientOptions, Hub, Level};

fn main() {
    Reporter { scenarios: &["message", "error", "error-frames"] }.main(build)
}

fn build(setup: &Setup<'_>) -> Reporting {
    let options = ClientOptions::new()
        .dsn(&format!("http://00112233445566778899aabbccddeeff@{}/1", setup.sink))
        .environment("benches")
        .attach_stacktrace(setup.scenario == "error-frames");
    // Never dropped: the process ends with the measurement.
    let _guard = ManuallyDrop::new(sentry::init(options));
    let reporting = match setup.scenario {
        "message" => Reporting::new(|n| {
            black_box(sentry::capture_message(&message(n), Level::Warning));
        }),
        "error" => Reporting::new(|n| {
            black_box(sentry::capture_error(&OrderRefused(n)));
        }),
        _ => {
            let mut stack = Stack::default();
            Reporting::new(move |n| {
                stack.run(&mut || {
                    black_box(sentry::capture_error(&OrderRefused(n)));
                });
            })
        }
    };
    reporting.flush(|| {
        let client = Hub::current().client().expect("a client was set up");
        client.flush(Some(Duration::from_secs(60)));
    })
}

//! A double, and clients that report to it.

use std::time::Duration;

use rollbar_runtime::{Flushed, Level, Proxy, Report, Rollbar, RollbarBuilder};
use xray_console::rollbar::{Double, Fault};
use xray_daemon::LocalDaemon;

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Longer than any test takes.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) struct Local(LocalDaemon);

impl Local {
    pub(crate) fn new() -> Self {
        let daemon = LocalDaemon::builder()
            .udp("127.0.0.1:0")
            .tcp("127.0.0.1:0")
            .rollbar(xray_console::rollbar::Mode::Strict)
            .start()
            .unwrap();
        Self(daemon)
    }

    /// One that answers all calls with this fault.
    pub(crate) fn always(fault: Fault) -> Self {
        let local = Self::new();
        local.double().inject(Fault { times: 0, ..fault });
        local
    }

    pub(crate) fn double(&self) -> &Double {
        self.0.rollbar()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.tcp_addr().unwrap())
    }

    pub(crate) fn builder(&self) -> RollbarBuilder {
        Rollbar::builder()
            .access_token(TOKEN)
            .environment("test")
            .endpoint(self.url())
            .proxy(Proxy::Off)
            .panics(false)
    }

    pub(crate) fn client(&self) -> Rollbar {
        self.builder().build().unwrap()
    }

    /// The texts of what is stored, the oldest first.
    pub(crate) fn uuids(&self) -> Vec<String> {
        let mut occurrences = self.double().occurrences(100);
        occurrences.reverse();
        occurrences.iter().map(|occurrence| occurrence.uuid.clone()).collect()
    }
}

/// Reports a message of its own and waits for its end.
pub(crate) fn report(rollbar: &Rollbar, text: &str) -> (String, Flushed) {
    let uuid = rollbar.enter(|| Report::message(text, Level::Error).send()).unwrap();
    (uuid.to_string(), rollbar.flush(LONG))
}

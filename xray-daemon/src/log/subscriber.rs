//! The events of this process as lines of the log.

use std::fmt::{self, Write as _};

use chrono::Local;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::line::{self, Escaped};
use super::writer::Log;

/// Spans are not in the log, so that none is ever enabled, and none costs anything.
pub(super) struct LogSubscriber {
    level: Level,
    log: Log,
}

impl LogSubscriber {
    pub(super) fn new(level: Level, log: Log) -> Self {
        Self { level, log }
    }
}

/// Whether an event of this target and level is written at `level`: of other crates' only warnings, and those only for
/// who looks closely, because a user of the daemon can do nothing with them.
fn is_written(target: &str, of: Level, level: Level) -> bool {
    const OURS: &str = "xray_daemon";
    let is_ours = target.strip_prefix(OURS).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    of <= level && (is_ours || (level >= Level::DEBUG && of <= Level::WARN))
}

impl Subscriber for LogSubscriber {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && is_written(metadata.target(), *metadata.level(), self.level)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.level))
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Vec::with_capacity(128);
        line::begin(&mut line, Local::now(), *event.metadata().level());
        let mut text = Text { to: Escaped::new(&mut line), is_first: true };
        event.record(&mut text);
        text.to.finish();
        self.log.put(&line);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The message as it is, fields as `name=value`, in their order.
struct Text<'a> {
    to: Escaped<'a>,
    is_first: bool,
}

impl Text<'_> {
    fn put(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let space = if std::mem::take(&mut self.is_first) { "" } else { " " };
        // It takes everything; what cannot be shown is left out.
        let _ = match field.name() {
            "message" => write!(self.to, "{space}{value}"),
            name => write!(self.to, "{space}{name}={value}"),
        };
    }
}

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, format_args!("{value}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::writer::tests::{lines_of, log_to_memory};

    #[test]
    fn ours_are_written_and_warnings_of_others_for_who_looks() {
        for (level, ours, others) in [
            (Level::ERROR, 1, 0),
            (Level::WARN, 2, 0),
            (Level::INFO, 3, 0),
            (Level::DEBUG, 4, 2),
            (Level::TRACE, 5, 2),
        ] {
            let all = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
            let written = |target| all.iter().filter(|of| is_written(target, **of, level)).count();
            assert_eq!((written("xray_daemon"), written("xray_daemon::relay")), (ours, ours), "{level}");
            assert_eq!((written("hyper::proto"), written("xray_daemons")), (others, others), "{level}");
        }
    }

    #[test]
    fn events_become_lines() {
        let (log, written) = log_to_memory();
        let subscriber = LogSubscriber::new(Level::INFO, log.clone());
        tracing::subscriber::with_default(subscriber, || {
            let error = std::io::Error::other("of\ndisk");
            tracing::info!("Using region: {}", "us-east-1");
            tracing::warn!(target: "xray_daemon::relay", error = &error as &dyn std::error::Error, count = 3, name = "a b", "failed");
            tracing::debug!("not written");
            tracing::error!(target: "hyper", "not written either");
            tracing::info_span!("spans are not").in_scope(|| tracing::error!(only = "a field"));
        });
        let texts: Vec<String> =
            lines_of(&log, &written).iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
        assert_eq!(
            texts,
            [
                "[Info] Using region: us-east-1",
                "[Warn] failed error=of\\ndisk count=3 name=a b",
                "[Error] only=a field",
            ]
        );
    }
}

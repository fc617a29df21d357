//! `RollbarLog`: records of the crate `log` become items and telemetry.

use std::fmt;

use log::kv::{self, Key, VisitSource, VisitValue};
use log::{LevelFilter, Log, Metadata, Record};

use crate::Level;
use crate::log_event::{Fields, LogEvent, is_own, is_wanted};
use crate::occurrence::Place;
use crate::report::guarded;

/// A logger round another one, which gets each record first: records of level `Error` are reported to the client in force, and
/// those of `Warn` and `Info` are noted as telemetry. `Debug` and `Trace` are passed over.
///
/// Key-values of a record are the item's custom values. Records of this crate, and those that come of sending items, are
/// passed over. Use this or `RollbarTracing`, not both, where records reach `tracing` by `tracing-log`: each would be two items.
///
/// ```
/// use log::Log;
/// use rollbar_runtime::{Rollbar, RollbarLog};
///
/// # struct Lines;
/// # impl Log for Lines {
/// #     fn enabled(&self, _: &log::Metadata<'_>) -> bool { true }
/// #     fn log(&self, _: &log::Record<'_>) {}
/// #     fn flush(&self) {}
/// # }
/// # let inner = Lines;
/// // `inner` is the logger that the program has, such as that of `env_logger::Builder::build`.
/// log::set_boxed_logger(Box::new(RollbarLog::new(inner)))?;
/// log::set_max_level(log::LevelFilter::Info);
///
/// let (rollbar, captured) = Rollbar::in_memory();
/// rollbar.enter(|| log::error!(cart = 7; "cannot pay"));
/// assert_eq!(captured.only().message(), Some("cannot pay"));
/// assert_eq!(captured.only().json()["custom"]["cart"], 7);
/// # Ok::<(), log::SetLoggerError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RollbarLog<L> {
    inner: L,
    report: LevelFilter,
    telemetry: LevelFilter,
}

impl<L: Log> RollbarLog<L> {
    /// A logger round `inner`, with the usual levels.
    pub fn new(inner: L) -> Self {
        Self { inner, report: LevelFilter::Error, telemetry: LevelFilter::Info }
    }

    /// Records of this level and of more severe ones are items; else those of `Error`.
    #[must_use]
    pub fn report(mut self, level: LevelFilter) -> Self {
        self.report = level;
        self
    }

    /// Records of this level and of more severe ones that are no items are telemetry; else those of `Info`.
    #[must_use]
    pub fn telemetry(mut self, level: LevelFilter) -> Self {
        self.telemetry = level;
        self
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.report.max(self.telemetry) && !is_own(metadata.target()) && is_wanted()
    }
}

impl<L: Log> Log for RollbarLog<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.inner.enabled(metadata) || self.wants(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.inner.log(record);
        if !self.wants(record.metadata()) {
            return;
        }
        let mut fields = Fields::default();
        guarded(|| {
            fields.put_debug("message", record.args());
            // A source that gives an error has given what came before.
            let _ = record.key_values().visit(&mut Visitor(&mut fields));
        });
        let place =
            record.file_static().map(Into::into).or_else(|| record.file().map(|file| file.to_owned().into()));
        let place = place.map(|file| Place { file, line: record.line().unwrap_or(0), method: None });
        let event = LogEvent { level: Level::from(record.level()), target: record.target(), place, fields };
        if record.level() <= self.report {
            event.report(None);
        } else {
            event.note();
        }
    }

    fn flush(&self) {
        self.inner.flush();
    }
}

struct Visitor<'a>(&'a mut Fields);

impl<'kvs> VisitSource<'kvs> for Visitor<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        value.visit(Named { fields: self.0, name: key.as_str() })
    }
}

/// A value, whose key is known.
struct Named<'a> {
    fields: &'a mut Fields,
    name: &'a str,
}

impl<'v> VisitValue<'v> for Named<'_> {
    fn visit_any(&mut self, value: kv::Value<'_>) -> Result<(), kv::Error> {
        // Not `Debug`: that puts quotes round a text.
        self.fields.put_debug(self.name, &Shown(&value));
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.fields.put(self.name, value);
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.fields.put(self.name, value);
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        self.fields.put_float(self.name, value);
        Ok(())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.fields.put(self.name, value);
        Ok(())
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        self.fields.put_text(self.name, value);
        Ok(())
    }
}

struct Shown<'a, 'v>(&'a kv::Value<'v>);

impl fmt::Debug for Shown<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0, f)
    }
}

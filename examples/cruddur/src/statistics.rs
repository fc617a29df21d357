//! What became of what was recorded.

use std::fmt;

/// The counts of both recorders, of the Rollbar client and of the daemon, when the app has stopped.
#[derive(Debug, Default, Clone, Copy)]
pub struct Statistics {
    /// Of the back end and of the recommendations service.
    pub recorders: [xray_runtime::Stats; 2],
    /// Of the reports to Rollbar.
    pub rollbar: rollbar_runtime::Stats,
    /// Of the daemon of this process, where there was one.
    pub daemon: Option<xray_daemon::Stats>,
}

impl Statistics {
    /// The sum of one count over both recorders.
    #[must_use]
    pub fn total(&self, count: impl Fn(&xray_runtime::Stats) -> u64) -> u64 {
        self.recorders.iter().map(count).sum()
    }

    /// Whether everything that was recorded or reported was either sent or counted as dropped.
    #[must_use]
    pub fn all_accounted_for(&self) -> bool {
        self.total(|stats| stats.recorded)
            == self.total(|stats| stats.sent) + self.total(xray_runtime::Stats::dropped)
            && self.rollbar.pending == 0
    }

    /// Documents that were sent and that the daemon of this process never saw: the system dropped them, for want of
    /// room in the daemon's socket. `None` where the daemon is another process.
    #[must_use]
    pub fn lost_on_the_way(&self) -> Option<u64> {
        Some(self.total(|stats| stats.documents_sent).saturating_sub(self.daemon?.received))
    }
}

/// Two lines.
impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Segments and subsegments: {} recorded, {} sent (documents: {}), {} dropped",
            self.total(|stats| stats.recorded),
            self.total(|stats| stats.sent),
            self.total(|stats| stats.documents_sent),
            self.total(xray_runtime::Stats::dropped),
        )?;
        if let Some(daemon) = self.daemon {
            write!(f, "; the daemon received {}, traces drawn: {}", daemon.received, daemon.traces_shown)?;
        }
        let rollbar = &self.rollbar;
        write!(
            f,
            "\nReports: {} made, {} sent{}, {} dropped",
            rollbar.reported,
            rollbar.sent,
            Unless(rollbar.coalesced, "; told by others, of the same kind"),
            rollbar.dropped(),
        )
    }
}

/// Several lines: every count that `--load` promises, each loss by its cause.
#[derive(Debug, Clone, Copy)]
pub struct Details<'a>(pub &'a Statistics);

impl fmt::Display for Details<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = |count: fn(&xray_runtime::Stats) -> u64| self.0.total(count);
        writeln!(
            f,
            "recorded  {} segments and subsegments = {} sent + {} dropped{}",
            total(|stats| stats.recorded),
            total(|stats| stats.sent),
            total(xray_runtime::Stats::dropped),
            Unless(total(|stats| stats.pending), "; not accounted for"),
        )?;
        let dropped = [
            ("queue full", total(|stats| stats.dropped_queue_full)),
            ("too large", total(|stats| stats.dropped_too_large)),
            ("send failed", total(|stats| stats.dropped_send_failed)),
            ("socket full", total(|stats| stats.dropped_socket_full)),
            ("exporter panicked", total(|stats| stats.dropped_exporter_panicked)),
            ("abandoned", total(|stats| stats.dropped_abandoned)),
        ];
        writeln!(f, "  dropped {}", Causes(&dropped))?;
        writeln!(
            f,
            "sent      {} documents in {} packets",
            total(|s| s.documents_sent),
            total(|s| s.packets_sent)
        )?;
        let Some(daemon) = self.0.daemon else {
            writeln!(f, "received  unknown: the daemon is another process")?;
            return self.reports(f);
        };
        let lost = self.0.lost_on_the_way().unwrap_or_default();
        writeln!(
            f,
            "received  {} by the daemon, {lost} lost on the way (its socket was full)",
            daemon.received
        )?;
        let dropped = [
            ("rejected", daemon.rejected.total()),
            ("queue full", daemon.dropped.queue_full),
            ("evicted", daemon.dropped.evicted),
            ("trace full", daemon.dropped.trace_full),
        ];
        writeln!(f, "  dropped {}", Causes(&dropped))?;
        writeln!(f, "traces    {} finished", daemon.traces_shown)?;
        self.reports(f)
    }
}

impl Details<'_> {
    fn reports(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = &self.0.rollbar;
        writeln!(
            f,
            "reported  {} = {} sent + {} that one of these stands for + {} dropped{}",
            stats.reported,
            stats.sent,
            stats.coalesced,
            stats.dropped(),
            Unless(stats.pending, "; not accounted for"),
        )?;
        let dropped = [
            ("queue full", stats.dropped_queue_full),
            ("refused", stats.dropped_refused),
            ("unauthorized", stats.dropped_unauthorized),
            ("unreachable", stats.dropped_unreachable),
            ("too large", stats.dropped_too_large),
            ("rate limited", stats.dropped_rate_limited),
            ("after shutdown", stats.dropped_after_shutdown),
            ("recursive", stats.dropped_recursive),
            ("worker", stats.dropped_worker),
        ];
        write!(f, "  dropped {}", Causes(&dropped))
    }
}

/// A count that is only told where it is not what it should be.
struct Unless(u64, &'static str);

impl fmt::Display for Unless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(f, "{}: {}", self.1, self.0) }
    }
}

/// Counts by cause.
struct Causes<'a>(&'a [(&'static str, u64)]);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (cause, count)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{cause} {count}")?;
        }
        Ok(())
    }
}

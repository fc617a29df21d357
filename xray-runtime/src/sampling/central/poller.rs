//! The thread that asks the daemon for rules and tells it statistics. Nothing that it does is traced, and nobody waits for it.

use std::convert::Infallible;
use std::fmt::Display;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::super::unix_now;
use super::daemon::{Daemon, MAX_STATISTICS, Targets, Unprocessed};
use super::rules::{CentralRules, RuleReport};

/// How often the poller asks, and how long it waits for an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intervals {
    /// Between two fetches of the rules.
    pub(super) rules: Duration,
    /// Between two reports of statistics.
    pub(super) targets: Duration,
    /// For a connection, and for each half of an answer.
    pub(super) patience: Duration,
}

impl Default for Intervals {
    fn default() -> Self {
        Self {
            rules: Duration::from_secs(300),
            targets: Duration::from_secs(10),
            // The daemon may have to ask others first: for credentials, and X-Ray itself.
            patience: Duration::from_secs(5),
        }
    }
}

/// Clients that start together spread out: by up to 1/60 of the rules' interval (5 s), and 1/100 of the targets' (0.1 s).
const RULES_JITTER: f64 = 1.0 / 60.0;
const TARGETS_JITTER: f64 = 1.0 / 100.0;

/// What the thread works with.
#[derive(Debug)]
pub(super) struct Poller {
    daemon: Daemon,
    rules: CentralRules,
    intervals: Intervals,
    told: Told,
}

impl Poller {
    pub(super) fn new(daemon: Daemon, rules: CentralRules, intervals: Intervals) -> Self {
        Self { daemon, rules, intervals, told: Told::default() }
    }

    /// The thread's life: until the sampler, which holds the other end, is gone.
    pub(super) fn run(mut self, sampler: &Receiver<Infallible>) {
        let mut rules_at = Instant::now();
        let mut targets_at = later(self.intervals.targets, TARGETS_JITTER);
        loop {
            let wait = rules_at.min(targets_at).saturating_duration_since(Instant::now());
            match sampler.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Ok(never) => match never {},
            }
            let now = Instant::now();
            let report = targets_at <= now;
            let mut fetch = rules_at <= now;
            if report {
                fetch |= self.report();
            }
            if fetch {
                // A daemon that starts late is asked again when the next report would be due.
                rules_at = if self.fetch() {
                    later(self.intervals.rules, RULES_JITTER)
                } else {
                    later(self.intervals.targets, TARGETS_JITTER)
                };
            }
            if report {
                // From the end of the call: a target is due again only when its interval has passed since then.
                targets_at = later(self.intervals.targets, TARGETS_JITTER);
            }
        }
    }

    /// Fetches the rules; whether that succeeded. If not, those that are there stay.
    fn fetch(&mut self) -> bool {
        // Before the call: what is modified during it may be missing in the answer.
        let refreshed_at = unix_now();
        let answer = self.daemon.rules();
        self.told.rules.about(&self.daemon, "sampling rules", answer.as_ref().err());
        match answer {
            Ok(records) => {
                self.rules.replace(&records, refreshed_at);
                true
            }
            Err(_) => false,
        }
    }

    /// Reports what is due; whether the rules must be fetched again.
    fn report(&mut self) -> bool {
        let now = unix_now();
        let mut reports = self.rules.report(now);
        if reports.is_empty() {
            return false;
        }
        let (mut fetch, mut error, mut refused) = (false, None, None);
        while !reports.is_empty() {
            let rest = reports.split_off(reports.len().min(MAX_STATISTICS));
            match self.daemon.targets(&reports, now) {
                Ok(targets) => {
                    fetch |= self.take_over(&targets, reports, now);
                    refused = refused.or(targets.unprocessed.into_iter().find(Unprocessed::is_of_service));
                    reports = rest;
                }
                Err(failed) => {
                    // The next calls would fail as well, each after its time.
                    reports.into_iter().chain(rest).for_each(RuleReport::give_back);
                    error = Some(failed);
                    break;
                }
            }
        }
        self.told.targets.about(&self.daemon, "sampling targets", error.as_ref());
        self.told.statistics.about(&self.daemon, "sampling statistics", refused.as_ref());
        fetch
    }

    fn take_over(&mut self, targets: &Targets, reports: Vec<RuleReport>, now: f64) -> bool {
        self.rules.apply_targets(&targets.documents, now);
        // What the service failed to count goes with the next report. What it does not want (4xx) goes nowhere.
        let of_service = || targets.unprocessed.iter().filter(|refused| refused.is_of_service());
        reports
            .into_iter()
            .filter(|report| of_service().any(|refused| *refused.rule == *report.name))
            .for_each(RuleReport::give_back);
        targets.unprocessed.iter().any(Unprocessed::is_of_client)
            || targets.modified_at.is_some_and(|modified_at| self.rules.are_older_than(modified_at))
    }
}

/// After an interval and a random part of it.
fn later(interval: Duration, jitter: f64) -> Instant {
    Instant::now() + interval + interval.mul_f64(jitter * fastrand::f64())
}

/// What was said in the log last, of each kind of call: only what changes is said.
#[derive(Debug, Default)]
struct Told {
    rules: State,
    targets: State,
    statistics: State,
}

#[derive(Debug, Default)]
struct State {
    fails: bool,
}

impl State {
    fn about(&mut self, daemon: &Daemon, what: &str, error: Option<&impl Display>) {
        if !self.changes_to(error.is_some()) {
            return;
        }
        let endpoint = daemon.endpoint();
        match error {
            Some(error) => tracing::warn!(
                target: "xray_runtime",
                "{what}: no help from the daemon at {endpoint} (TCP): {error}. It is asked again, and this is said once; meanwhile \
                 rules that were fetched in the last hour decide, else the local ones"
            ),
            None => {
                tracing::debug!(target: "xray_runtime", "{what}: the daemon at {endpoint} (TCP) answers again");
            }
        }
    }

    fn changes_to(&mut self, fails: bool) -> bool {
        std::mem::replace(&mut self.fails, fails) != fails
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_is_said() {
        let mut state = State::default();
        let said = [false, true, true, true, false, false, true].map(|fails| state.changes_to(fails));
        assert_eq!(said, [false, true, false, false, true, false, true]);
    }

    #[test]
    fn the_jitter_is_a_part_of_the_interval() {
        let intervals = Intervals::default();
        for (interval, jitter, most) in
            [(intervals.rules, RULES_JITTER, 5.0), (intervals.targets, TARGETS_JITTER, 0.1)]
        {
            let before = Instant::now();
            let at = later(interval, jitter);
            assert!(at >= before + interval);
            assert!(at <= Instant::now() + interval + Duration::from_secs_f64(most));
        }
    }
}

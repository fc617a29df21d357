//! The sampling rules in force, and the calls about them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::Answer;
use super::clients::Clients;
use super::member::Members;
use super::record::SamplingRuleRecord;
use super::rule::SamplingRule;
use super::rules_file::{RulesFile, RulesFileError};
use super::statistics::{Statistics, Window};
use super::targets::{SamplingTarget, SamplingTargets, Unprocessed, quota, reports};
use super::timestamp::Timestamp;

/// The path of `GetSamplingRules`.
pub const RULES_PATH: &str = "/GetSamplingRules";

/// The path of `GetSamplingTargets`.
pub const TARGETS_PATH: &str = "/SamplingTargets";

/// The path of `GetSamplingStatisticSummaries`.
pub const SUMMARIES_PATH: &str = "/SamplingStatisticSummaries";

/// The paths that [`SamplingRules::answer`] knows; `POST` is the method of all.
pub const PATHS: [&str; 3] = [RULES_PATH, TARGETS_PATH, SUMMARIES_PATH];

/// What the ARN of a rule begins with whose file has none: the region of an SDK that was told none, and no account.
const ARN: &str = "arn:aws:xray:us-east-1:000000000000:sampling-rule/";

/// Sampling rules in force, the clients that use them and what these reported. It may be shared by threads.
///
/// Memory is bounded: 200 rules, 1,000 clients a rule, and five minutes of statistics.
#[derive(Debug)]
pub struct SamplingRules {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// In the order in which they are tried.
    rules: Vec<Held>,
    /// When the set last changed, be it that a rule went.
    modified: Timestamp,
    stats: SamplingStats,
}

#[derive(Debug)]
struct Held {
    record: SamplingRuleRecord,
    clients: Clients,
    statistics: Statistics,
}

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SamplingStats {
    /// Calls of `GetSamplingRules` that were answered with rules.
    pub rules_requests: u64,
    /// Calls of `GetSamplingTargets` that were answered with targets.
    pub targets_requests: u64,
    /// Calls of `GetSamplingStatisticSummaries` that were answered with statistics.
    pub summaries_requests: u64,
    /// Calls refused.
    pub refused: u64,
    /// Statistics documents taken in, those of one client on one rule in one call being one.
    pub reports: u64,
    /// Statistics documents about a rule that there is none of.
    pub unprocessed: u64,
    /// Clients forgotten to make room.
    pub clients_forgotten: u64,
    /// Clients that are known, each as often as it uses a rule.
    pub clients: u64,
    /// Rules in force, `Default` among them.
    pub rules: u64,
}

/// What a reload changed, in numbers of rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Reloaded {
    /// Those that are new.
    pub added: usize,
    /// Those that differ.
    pub changed: usize,
    /// Those that went.
    pub removed: usize,
    /// What is valid, and perhaps not meant; see [`RulesFile::warnings`].
    pub warnings: Vec<String>,
}

impl SamplingRules {
    /// The rules of a file, loaded at `now`.
    #[must_use]
    pub fn new(file: RulesFile, now: SystemTime) -> Self {
        Self::of(file.into_parts().0, now)
    }

    /// The rules of a text, in any form of [`RulesFile`], loaded at `now`.
    ///
    /// # Errors
    ///
    /// As [`RulesFile::from_json`].
    pub fn from_file_text(text: &str, now: SystemTime) -> Result<Self, RulesFileError> {
        Ok(Self::new(RulesFile::from_json(text)?, now))
    }

    /// One rule, `Default`, by which every request is recorded: for a developer's machine, where each is to be seen.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use xray_console::sampling::SamplingRules;
    ///
    /// let rules = SamplingRules::everything(SystemTime::now());
    /// assert_eq!(rules.records()[0].rule().fixed_rate, 1.0);
    /// ```
    #[must_use]
    pub fn everything(now: SystemTime) -> Self {
        Self::of(vec![SamplingRule::default_rule(1.0, 1)], now)
    }

    /// One rule, `Default`, [as it is in an account](SamplingRule::aws_default).
    #[must_use]
    pub fn aws_defaults(now: SystemTime) -> Self {
        Self::of(vec![SamplingRule::aws_default()], now)
    }

    fn of(rules: Vec<SamplingRule>, now: SystemTime) -> Self {
        let now = Timestamp::of(now);
        let state = State { rules: Vec::new(), modified: now, stats: SamplingStats::default() };
        let this = Self { state: Mutex::new(state) };
        this.replace(rules, now);
        this
    }

    /// The rules in force, in the order in which they are tried.
    #[must_use]
    pub fn records(&self) -> Vec<SamplingRuleRecord> {
        self.state().rules.iter().map(|held| held.record.clone()).collect()
    }

    /// What was counted so far.
    #[must_use]
    pub fn stats(&self) -> SamplingStats {
        let state = self.state();
        let clients = state.rules.iter().map(|held| held.clients.len() as u64).sum();
        SamplingStats { clients, rules: state.rules.len() as u64, ..state.stats }
    }

    /// Takes over the rules of a text, in any form of [`RulesFile`]. What is known of clients stays with rules of the
    /// same name.
    ///
    /// # Errors
    ///
    /// The text is no valid set of rules; those in force stay.
    pub fn reload(&self, text: &str, now: SystemTime) -> Result<Reloaded, RulesFileError> {
        Ok(self.take(RulesFile::from_json(text)?, now))
    }

    /// Takes over the rules of a file that was read.
    pub fn take(&self, file: RulesFile, now: SystemTime) -> Reloaded {
        let (rules, warnings) = file.into_parts();
        Reloaded { warnings, ..self.replace(rules, Timestamp::of(now)) }
    }

    fn replace(&self, rules: Vec<SamplingRule>, now: Timestamp) -> Reloaded {
        let mut reloaded = Reloaded::default();
        let mut state = self.state();
        let mut old = std::mem::take(&mut state.rules);
        for mut rule in rules {
            rule.rule_arn.get_or_insert_with(|| format!("{ARN}{}", rule.rule_name));
            let place = old.iter().position(|held| held.record.rule().rule_name == rule.rule_name);
            let held = match place.map(|place| old.swap_remove(place)) {
                Some(mut held) => {
                    reloaded.changed += usize::from(held.record.update(rule, now));
                    held
                }
                None => {
                    reloaded.added += 1;
                    let record = SamplingRuleRecord::new(rule, now);
                    Held { record, clients: Clients::default(), statistics: Statistics::default() }
                }
            };
            state.rules.push(held);
        }
        reloaded.removed = old.len();
        if reloaded.added + reloaded.changed + reloaded.removed > 0 {
            state.modified = now;
        }
        reloaded
    }

    /// Answers a call: 400 where it is wrong, 404 at a path that is none of [`PATHS`].
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use xray_console::sampling::{SamplingRules, RULES_PATH};
    ///
    /// let now = SystemTime::now();
    /// let answer = SamplingRules::aws_defaults(now).answer(RULES_PATH, b"{}", now);
    /// assert_eq!(answer.status, 200);
    /// assert!(answer.body.starts_with(br#"{"SamplingRuleRecords":[{"SamplingRule":{"RuleName":"Default""#));
    /// ```
    pub fn answer(&self, path: &str, body: &[u8], now: SystemTime) -> Answer {
        let now = Timestamp::of(now);
        let mut state = self.state();
        let answer = match path {
            RULES_PATH => request(body).and_then(|request| state.rules(&request)),
            TARGETS_PATH => request(body).and_then(|request| state.targets(&request, now)),
            SUMMARIES_PATH => request(body).and_then(|request| state.summaries(&request, now)),
            _ => Err(Answer::unknown_operation(path)),
        };
        let stats = &mut state.stats;
        let count = match (&answer, path) {
            (Err(_), _) => &mut stats.refused,
            (_, RULES_PATH) => &mut stats.rules_requests,
            (_, TARGETS_PATH) => &mut stats.targets_requests,
            _ => &mut stats.summaries_requests,
        };
        *count += 1;
        answer.unwrap_or_else(|refusal| refusal)
    }

    /// A lock whose holder panicked guards data that is whole all the same: nothing done under it stops half-way.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The object of a request; no body at all is an empty one.
fn request(body: &[u8]) -> Result<Map<String, Value>, Answer> {
    match body.trim_ascii() {
        b"" => Ok(Map::new()),
        body => match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(members),
            Ok(_) => Err(Answer::invalid("the body must be a JSON object")),
            Err(error) => Err(Answer::invalid(&format!("the body is not valid JSON: {error}"))),
        },
    }
}

/// There is one page only, so no token is good.
fn check_token(request: &Map<String, Value>) -> Result<(), Answer> {
    let members = Members::outermost(request);
    match members.get("NextToken") {
        None => Ok(()),
        Some(Value::String(token)) if token.is_empty() => Ok(()),
        Some(_) => {
            Err(Answer::invalid(&members.invalid("NextToken", "absent: all is on one page").to_string()))
        }
    }
}

impl State {
    fn rules(&self, request: &Map<String, Value>) -> Result<Answer, Answer> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct SamplingRuleRecords<'a> {
            sampling_rule_records: Vec<&'a SamplingRuleRecord>,
        }

        check_token(request)?;
        let sampling_rule_records = self.rules.iter().map(|held| &held.record).collect();
        Ok(Answer::ok(&SamplingRuleRecords { sampling_rule_records }))
    }

    fn targets(&mut self, request: &Map<String, Value>, now: Timestamp) -> Result<Answer, Answer> {
        let reports = reports(request).map_err(|invalid| Answer::invalid(&invalid.to_string()))?;
        let place =
            |rules: &[Held], name: &str| rules.iter().position(|held| held.record.rule().rule_name == name);
        // All are taken in before one is answered, so that their order says nothing.
        for report in &reports {
            let Some(held) = place(&self.rules, report.rule).and_then(|place| self.rules.get_mut(place))
            else {
                self.stats.unprocessed += 1;
                continue;
            };
            self.stats.reports += 1;
            self.stats.clients_forgotten +=
                u64::from(held.clients.report(report.client, report.requests, now));
            held.statistics.add(report.requests, report.borrowed, report.sampled, now);
        }
        let mut answer = SamplingTargets {
            sampling_target_documents: Vec::with_capacity(reports.len()),
            // SDKs compare whole seconds, some with "later than": of the second of the change itself they would not
            // hear. One that fetched the rules just after it fetches them once more.
            last_rule_modification: self.modified.next_second(),
            unprocessed_statistics: Vec::new(),
            unprocessed_boost_statistics: [],
        };
        for report in &reports {
            match place(&self.rules, report.rule).and_then(|place| self.rules.get(place)) {
                Some(Held { record, clients, .. }) => {
                    let rule = record.rule();
                    let quota = quota(clients, report.client, rule.reservoir_size, now);
                    let target = SamplingTarget::new(report.rule, rule.fixed_rate, quota, now);
                    answer.sampling_target_documents.push(target);
                }
                None => answer.unprocessed_statistics.push(Unprocessed::unknown_rule(report.rule)),
            }
        }
        Ok(Answer::ok(&answer))
    }

    fn summaries(&self, request: &Map<String, Value>, now: Timestamp) -> Result<Answer, Answer> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Summary<'a> {
            rule_name: &'a str,
            #[serde(flatten)]
            window: &'a Window,
        }

        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct SamplingStatisticSummaries<'a> {
            sampling_statistic_summaries: Vec<Summary<'a>>,
        }

        check_token(request)?;
        let sampling_statistic_summaries = self
            .rules
            .iter()
            .flat_map(|held| {
                let rule_name = &*held.record.rule().rule_name;
                held.statistics.windows(now).map(move |window| Summary { rule_name, window })
            })
            .collect();
        Ok(Answer::ok(&SamplingStatisticSummaries { sampling_statistic_summaries }))
    }
}

//! Centralized sampling as X-Ray's API does it, with no account: answers `GetSamplingRules`, `GetSamplingTargets` and
//! `GetSamplingStatisticSummaries` out of a file of rules.
//!
//! The way of the data: a file in any of several forms ([`RulesFile`]) -> the rules in force ([`SamplingRules`]) -> an
//! [`Answer`] to each call of an SDK. What a client reports of a rule says how much of the rule's reservoir it is given.
//! It is logic alone: no sockets, no clock, no threads. Whoever serves it over HTTP gives the time with each call, and
//! whoever has the file on disk ([`RulesOnDisk`]) says when to look at it again.
//!
//! | call | answer |
//! |---|---|
//! | `POST /GetSamplingRules` | all rules on one page, in the order in which they are tried; `Default` is always there |
//! | `POST /SamplingTargets` | for each rule that was reported: rate, quota for 30 seconds, 10 seconds to the next report |
//! | `POST /SamplingStatisticSummaries` | what was reported of each rule in the last five minutes, in windows of 10 seconds |
//!
//! A request that is wrong is answered 400 with `InvalidRequestException` and the name of the member.
//!
//! ```
//! use std::time::SystemTime;
//! use xray_console::sampling::{RULES_PATH, RulesFile, SamplingRules};
//!
//! let now = SystemTime::now();
//! let file = RulesFile::from_json(r#"{"version": 2, "default": {"fixed_target": 1, "rate": 0.05},
//!     "rules": [{"host": "*", "http_method": "*", "url_path": "/health", "fixed_target": 0, "rate": 0}]}"#)?;
//! let rules = SamplingRules::new(file, now);
//! let answer = rules.answer(RULES_PATH, b"{}", now);
//! assert_eq!(answer.status, 200);
//!
//! // What is wrong changes nothing.
//! assert!(rules.reload("{}", now).is_err());
//! assert_eq!(rules.records()[0].rule().url_path, "/health");
//! # Ok::<(), xray_console::sampling::RulesFileError>(())
//! ```

mod answer;
mod clients;
mod local_document;
mod member;
mod on_disk;
mod record;
mod rule;
mod rules;
mod rules_file;
mod statistics;
mod targets;
mod timestamp;

pub use answer::Answer;
pub use clients::MAX_CLIENTS;
pub use member::InvalidMember;
pub use on_disk::{MAX_FILE_BYTES, RulesOnDisk, RulesOnDiskError};
pub use record::SamplingRuleRecord;
pub use rule::{DEFAULT_PRIORITY, DEFAULT_RULE, SamplingRateBoost, SamplingRule};
pub use rules::{PATHS, RULES_PATH, Reloaded, SUMMARIES_PATH, SamplingRules, SamplingStats, TARGETS_PATH};
pub use rules_file::{MAX_RULES, RulesFile, RulesFileError};

//! Deploys: which revision went where, when.

/// One deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deploy {
    /// Its id, counted from 1.
    pub id: u64,
    /// Where to.
    pub environment: String,
    /// What: a git SHA, mostly.
    pub revision: String,
    /// `started`, `succeeded`, `failed` or `timed_out`.
    pub status: String,
    /// The user of Rollbar who did it.
    pub rollbar_username: Option<String>,
    /// The user of the machine who did it.
    pub local_username: Option<String>,
    /// A comment.
    pub comment: Option<String>,
    /// When it began, in Unix seconds.
    pub start_time: u64,
    /// When it ended, in Unix seconds; none while it runs.
    pub finish_time: Option<u64>,
}

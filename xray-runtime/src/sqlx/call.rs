//! One call of the database in a subsegment.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use ::sqlx::pool::PoolConnection;
use ::sqlx::{Error, Pool};

use super::database::TracedDatabase;
use super::target::Target;
use crate::context;
use crate::entity::{Entity, Namespace};
use crate::error::{self, ErrorClass};
use crate::future::InSegment;
use crate::record::{FIRST, Fact, Key, Metadata, flag};
use crate::scope::Scope;

/// What is called, where it is no query: the metadata `operation` in the namespace `sql`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Query,
    Acquire,
    Begin,
    Commit,
    Rollback,
    /// The transaction was dropped before it was committed.
    RollbackOnDrop,
    Prepare,
}

impl Operation {
    const fn json(self) -> Option<&'static str> {
        match self {
            Self::Query => None,
            Self::Acquire => Some("\"acquire\""),
            Self::Begin => Some("\"begin\""),
            Self::Commit => Some("\"commit\""),
            Self::Rollback => Some("\"rollback\""),
            Self::RollbackOnDrop => Some("\"rollback on drop\""),
            Self::Prepare => Some("\"prepare\""),
        }
    }
}

/// Awaits the call in a subsegment of what is current at its first poll.
pub(super) async fn traced<T>(
    target: &Target,
    operation: Operation,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    if !is_recorded() {
        return call.await;
    }
    let recorded = async {
        let key = describe(target, operation);
        let answered = call.await;
        if let Err(error) = &answered {
            record_error(key, error);
        }
        answered
    };
    InSegment::new(recorded, Scope::new("")).await
}

/// Whether a subsegment that begins now is recorded; where no segment is current that is noticed.
pub(super) fn is_recorded() -> bool {
    context::current() >= FIRST || context::begin("sqlx") >= FIRST
}

/// Says of the subsegment that is current what all of this database have in common.
pub(super) fn describe(target: &Target, operation: Operation) -> Key {
    let key = context::current();
    Entity::local(key).set_namespace(Namespace::Remote);
    context::note(key, Fact::Sql(Arc::clone(&target.sql)));
    if let Some(json) = operation.json() {
        let (namespace, name) = ("sql".into(), "operation".into());
        let entry = Metadata { namespace, key: name, json: json.into(), nesting: 0 };
        context::note(key, Fact::Metadata(Box::new(entry)));
    }
    key
}

/// That a query found nothing is an answer. Any other error is a fault, and remote where the database answered with it.
#[cold]
pub(super) fn record_error(key: Key, failed: &Error) {
    if key < FIRST || matches!(failed, Error::RowNotFound) {
        return;
    }
    let mut cause = error::cause_of(failed);
    let remote = matches!(failed, Error::Database(_));
    for exception in &mut cause.exceptions {
        exception.remote = remote;
    }
    error::record(&Entity::local(key), cause, ErrorClass::Fault.bits(), None);
}

/// Takes a connection for a query. A wait that is short and goes well is no subsegment: the pool's own work between
/// two queries of one task is some microseconds.
pub(super) async fn acquire<DB: TracedDatabase>(
    pool: &Pool<DB>,
    target: &Target,
) -> Result<PoolConnection<DB>, Error> {
    if context::current() < FIRST {
        return pool.acquire().await;
    }
    let mut wait = Wait::new(target);
    let acquired = pool.acquire().await;
    wait.is_over(acquired.as_ref().err());
    acquired
}

/// A wait that becomes a subsegment when it is over, with the time at which it began.
struct Wait<'t> {
    target: &'t Target,
    began: Instant,
    ticks: u64,
    /// What it is a part of; off once it is over.
    scope: Scope,
}

impl<'t> Wait<'t> {
    fn new(target: &'t Target) -> Self {
        let ticks = context::with_top(|chunk| chunk.clock.ticks()).unwrap_or_default();
        Self { target, began: Instant::now(), ticks, scope: Scope::carried() }
    }

    fn is_over(&mut self, failed: Option<&Error>) {
        let waited = failed.is_some() || self.began.elapsed() >= self.target.pool_wait;
        let mut scope = std::mem::replace(&mut self.scope, Scope::off());
        if waited {
            self.record(&mut scope, failed, 0);
        }
    }

    fn record(&self, scope: &mut Scope, failed: Option<&Error>, flags: u32) {
        let entered = scope.enter();
        let key = context::begin("");
        if key >= FIRST {
            context::with_chunk(key, |chunk| {
                if let Some(record) = chunk.record_mut(key) {
                    record.start = self.ticks;
                }
            });
            describe(self.target, Operation::Acquire);
            if let Some(error) = failed {
                record_error(key, error);
            }
            context::end(key, flags);
        }
        entered.finish();
    }
}

/// Nobody waits any longer.
impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut scope = std::mem::replace(&mut self.scope, Scope::off());
        if scope.is_carried() {
            self.record(&mut scope, None, if std::thread::panicking() { 0 } else { flag::CANCELLED });
        }
    }
}

/// Records a call that is over as soon as it is made.
pub(super) fn record_at_once(target: &Target, operation: Operation) {
    if context::current() < FIRST {
        return;
    }
    let key = context::begin("");
    if key >= FIRST {
        describe(target, operation);
        context::end(key, 0);
    }
}

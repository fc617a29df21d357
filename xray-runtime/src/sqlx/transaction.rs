//! Transactions whose beginning, queries and end are subsegments.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use ::sqlx::{Database, Error, Executor, Transaction};

use super::call::{Operation, record_at_once, traced};
use super::connection::TracedConnection;
use super::database::TracedDatabase;
use super::executor::execute_on_connection;
use super::target::Target;

/// A transaction, or a savepoint in one, whose queries are subsegments. Queries go to `&mut transaction`, or to
/// `&mut *transaction` as with sqlx's own.
///
/// Dropped before it is committed it is rolled back, as sqlx does it, and that is a subsegment too.
pub struct XRayTransaction<'c, DB: Database> {
    connection: TracedConnection<DB, Transaction<'c, DB>>,
    end: End,
}

/// Dropped while the transaction is open, it tells of the rollback.
struct End {
    open: Option<Arc<Target>>,
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(target) = self.open.take() {
            record_at_once(&target, Operation::RollbackOnDrop);
        }
    }
}

impl<'c, DB: TracedDatabase> XRayTransaction<'c, DB> {
    pub(super) fn new(transaction: Transaction<'c, DB>, target: Arc<Target>) -> Self {
        let end = End { open: Some(Arc::clone(&target)) };
        Self { connection: TracedConnection::new(transaction, target), end }
    }

    /// Commits the transaction, or releases the savepoint.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn commit(self) -> Result<(), Error> {
        let (transaction, target) = self.ended();
        traced(&target, Operation::Commit, transaction.commit()).await
    }

    /// Rolls the transaction back, or to the savepoint.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn rollback(self) -> Result<(), Error> {
        let (transaction, target) = self.ended();
        traced(&target, Operation::Rollback, transaction.rollback()).await
    }

    fn ended(self) -> (Transaction<'c, DB>, Arc<Target>) {
        let Self { connection, mut end } = self;
        end.open = None;
        let target = Arc::clone(connection.target());
        (connection.into_held(), target)
    }

    fn parts(&mut self) -> (&mut DB::Connection, Arc<Target>) {
        self.connection.parts()
    }
}

impl<'t, DB: TracedDatabase> Executor<'t> for &'t mut XRayTransaction<'_, DB> {
    execute_on_connection!();
}

impl<'c, DB: TracedDatabase> Deref for XRayTransaction<'c, DB> {
    type Target = TracedConnection<DB, Transaction<'c, DB>>;

    fn deref(&self) -> &Self::Target {
        &self.connection
    }
}

impl<DB: TracedDatabase> DerefMut for XRayTransaction<'_, DB> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.connection
    }
}

impl<DB: Database> fmt::Debug for XRayTransaction<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XRayTransaction").field("is_open", &self.end.open.is_some()).finish_non_exhaustive()
    }
}

//! Connections whose queries are subsegments.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use ::sqlx::pool::PoolConnection;
use ::sqlx::{ColumnIndex, Connection, Database, Decode, Error, Executor, SqlSafeStr, Type};

use super::call::{Operation, traced};
use super::database::{TracedDatabase, version};
use super::executor::execute_on_connection;
use super::target::Target;
use super::transaction::XRayTransaction;

/// What holds a connection, with its queries traced: the inside of [`XRayConnection`] and [`XRayTransaction`], which
/// dereference to it, so that `&mut *connection`, as sqlx's own types need it, works as `&mut connection` does.
pub struct TracedConnection<DB: Database, C> {
    held: C,
    target: Arc<Target>,
    database: PhantomData<fn() -> DB>,
}

impl<DB, C> TracedConnection<DB, C>
where
    DB: TracedDatabase,
    C: DerefMut<Target = DB::Connection> + Send,
{
    pub(super) fn new(held: C, target: Arc<Target>) -> Self {
        Self { held, target, database: PhantomData }
    }

    /// sqlx's connection. What it is asked is not recorded.
    pub fn untraced(&mut self) -> &mut DB::Connection {
        &mut self.held
    }

    /// Begins a transaction, or a savepoint in the transaction at hand.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn begin(&mut self) -> Result<XRayTransaction<'_, DB>, Error> {
        let target = Arc::clone(&self.target);
        let connection: &mut DB::Connection = &mut self.held;
        let begun = traced(&target, Operation::Begin, connection.begin()).await?;
        Ok(XRayTransaction::new(begun, target))
    }

    /// As [`begin`](Self::begin), by a statement of your own, such as `begin immediate`.
    ///
    /// # Errors
    /// Those of the database, and where the statement begins no transaction, or one is begun already.
    pub async fn begin_with(&mut self, statement: impl SqlSafeStr) -> Result<XRayTransaction<'_, DB>, Error> {
        let (target, statement) = (Arc::clone(&self.target), statement.into_sql_str());
        let connection: &mut DB::Connection = &mut self.held;
        let begun = traced(&target, Operation::Begin, connection.begin_with(statement)).await?;
        Ok(XRayTransaction::new(begun, target))
    }

    pub(super) fn parts(&mut self) -> (&mut DB::Connection, Arc<Target>) {
        (&mut self.held, Arc::clone(&self.target))
    }

    pub(super) fn target(&self) -> &Arc<Target> {
        &self.target
    }

    pub(super) fn into_held(self) -> C {
        self.held
    }
}

impl<'t, DB, C> Executor<'t> for &'t mut TracedConnection<DB, C>
where
    DB: TracedDatabase,
    C: DerefMut<Target = DB::Connection> + Send,
{
    execute_on_connection!();
}

impl<DB: Database, C> fmt::Debug for TracedConnection<DB, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedConnection").field("target", &self.target).finish_non_exhaustive()
    }
}

/// A connection, from an [`XRayPool`](super::XRayPool) or by itself, whose queries are subsegments.
///
/// Queries go to `&mut connection`. Where sqlx's own `&mut DB::Connection` is needed, there is
/// [`untraced`](TracedConnection::untraced).
pub struct XRayConnection<DB: Database>(TracedConnection<DB, Held<DB>>);

/// A connection, and where it belongs.
pub enum Held<DB: Database> {
    Pooled(PoolConnection<DB>),
    Own(DB::Connection),
}

impl<DB: Database> Deref for Held<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        match self {
            Self::Pooled(connection) => connection,
            Self::Own(connection) => connection,
        }
    }
}

impl<DB: Database> DerefMut for Held<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        match self {
            Self::Pooled(connection) => connection,
            Self::Own(connection) => connection,
        }
    }
}

impl<DB: TracedDatabase> XRayConnection<DB> {
    /// A connection of no pool, which was made with these options.
    pub fn new<C>(connection: C, options: &C::Options) -> Self
    where
        C: Connection<Database = DB>,
        DB: Database<Connection = C>,
    {
        Self::held(Held::Own(connection), Arc::new(Target::of::<DB>(options)))
    }

    pub(super) fn pooled(connection: PoolConnection<DB>, target: Arc<Target>) -> Self {
        Self::held(Held::Pooled(connection), target)
    }

    fn held(held: Held<DB>, target: Arc<Target>) -> Self {
        Self(TracedConnection::new(held, target))
    }

    /// As [`XRayPool::with_query_text`](super::XRayPool::with_query_text).
    #[must_use]
    pub fn with_query_text(mut self, query_text: bool) -> Self {
        Arc::make_mut(&mut self.0.target).query_text = query_text;
        self
    }

    /// As [`XRayPool::with_database_version`](super::XRayPool::with_database_version).
    #[must_use]
    pub fn with_database_version(mut self, version: &str) -> Self {
        self.0.target = Arc::new(self.0.target.with_sql(|sql| sql.with_database_version(version)));
        self
    }

    /// As [`XRayPool::detect_version`](super::XRayPool::detect_version).
    ///
    /// # Errors
    /// Those of the query.
    pub async fn detect_version(mut self) -> Result<Self, Error>
    where
        String: for<'r> Decode<'r, DB> + Type<DB>,
        usize: ColumnIndex<DB::Row>,
    {
        Ok(match version::<DB>(self.untraced()).await? {
            Some(version) => self.with_database_version(&version),
            None => self,
        })
    }

    /// Closes the connection, or gives that of a pool back.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn close(self) -> Result<(), Error> {
        match self.0.into_held() {
            Held::Pooled(connection) => {
                drop(connection);
                Ok(())
            }
            Held::Own(connection) => connection.close().await,
        }
    }

    fn parts(&mut self) -> (&mut DB::Connection, Arc<Target>) {
        self.0.parts()
    }
}

impl<'t, DB: TracedDatabase> Executor<'t> for &'t mut XRayConnection<DB> {
    execute_on_connection!();
}

impl<DB: TracedDatabase> Deref for XRayConnection<DB> {
    type Target = TracedConnection<DB, Held<DB>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<DB: TracedDatabase> DerefMut for XRayConnection<DB> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<DB: Database> fmt::Debug for XRayConnection<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XRayConnection").field("target", &self.0.target).finish_non_exhaustive()
    }
}

//! A pool whose queries, transactions and waits are subsegments.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::sqlx::{ColumnIndex, Database, Decode, Error, Execute, Executor, Pool, SqlStr, Type};

use super::call::{Operation, acquire, traced};
use super::connection::XRayConnection;
use super::database::{BoxFuture, BoxStream, Step, TracedDatabase, version};
use super::executor::{self, Prepared};
use super::generator::generate;
use super::target::Target;
use super::transaction::XRayTransaction;
use crate::sql::Sql;

/// A pool of sqlx, for any of its databases: each query, transaction and wait for a connection is a remote subsegment of
/// what is current, named `<database>@<host>`, or after the file of SQLite (`:memory:` where there is none).
///
/// `&pool` goes wherever sqlx takes an executor: `query`, `query_as`, `query_scalar`, `raw_sql` and the macros.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), sqlx::Error> {
/// use sqlx::sqlite::SqlitePool;
/// use xray_runtime::{Recorder, XRayPool};
///
/// let pool = XRayPool::new(SqlitePool::connect("sqlite::memory:").await?);
///
/// let (recorder, captured) = Recorder::in_memory();
/// let answer = recorder.segment("request").instrument(async {
///     sqlx::query_scalar::<_, i64>("select 6 * ?1").bind(7).fetch_one(&pool).await
/// });
/// assert_eq!(answer.await?, 42);
/// let query = captured.segment("request").subsegments().pop().expect("the query");
/// assert_eq!(query.name(), ":memory:");
/// assert_eq!(query.json()["sql"]["database_type"], "SQLite");
/// assert_eq!(query.json()["sql"]["preparation"], "statement");
/// # Ok(())
/// # }
/// ```
///
/// What a subsegment has: `sql` with the address of the database without its secrets, the kind, the user, the driver, how
/// the query was prepared, and, where that is [switched on](Self::with_query_text), its text without its literals. Whatever
/// is no query says in the metadata `sql.operation` what it is: `acquire`, `begin`, `commit`, `rollback`,
/// `rollback on drop`, `prepare`.
///
/// * A query ends with its last row or its first error; one that is dropped before, or a stream of rows that is not read to the
///   end, is `cancelled`.
/// * An error is a fault with its cause, which is `remote` where the database answered with it. That a query finds no row is none.
/// * The wait for a connection is a subsegment before the query, where it takes [a millisecond or more](Self::with_pool_wait),
///   fails or is cancelled; [`acquire`](Self::acquire) always is one. Tests that count subsegments set it to
///   `Duration::MAX`.
/// * Where no segment is current, or it is not sampled, all goes straight to sqlx.
pub struct XRayPool<DB: Database> {
    pool: Pool<DB>,
    target: Arc<Target>,
}

impl<DB: TracedDatabase> XRayPool<DB> {
    /// Traces a pool. What its subsegments say of the database is what the pool's options say now.
    pub fn new(pool: Pool<DB>) -> Self {
        let target = Target::of::<DB>(&pool.connect_options());
        Self { pool, target: Arc::new(target) }
    }

    /// Traces a pool of which the subsegments say this: for drivers whose options tell no address.
    pub fn with_sql(pool: Pool<DB>, sql: Sql) -> Self {
        Self { pool, target: Arc::new(Target::named(sql)) }
    }

    /// Whether the text of queries is recorded, with `?` for each literal and without comments (`sanitized_query`, at most
    /// [`MAX_SQL_TEXT_CHARS`](crate::MAX_SQL_TEXT_CHARS)). Off by default: what people put together by hand may hold more than
    /// literals tell. Bound parameters never are in it.
    #[must_use]
    pub fn with_query_text(mut self, query_text: bool) -> Self {
        Arc::make_mut(&mut self.target).query_text = query_text;
        self
    }

    /// Says the version of the database. See also [`detect_version`](Self::detect_version).
    #[must_use]
    pub fn with_database_version(mut self, version: &str) -> Self {
        self.target = Arc::new(self.target.with_sql(|sql| sql.with_database_version(version)));
        self
    }

    /// How long a query must wait for a connection for the wait to be a subsegment. 1 ms by default; with 0 every wait is one.
    #[must_use]
    pub fn with_pool_wait(mut self, shortest: Duration) -> Self {
        Arc::make_mut(&mut self.target).pool_wait = shortest;
        self
    }

    /// Asks the database for its version, once and untraced. Of a database other than SQLite, PostgreSQL and MySQL nothing is
    /// asked.
    ///
    /// # Errors
    /// Those of the query.
    pub async fn detect_version(self) -> Result<Self, Error>
    where
        String: for<'r> Decode<'r, DB> + Type<DB>,
        usize: ColumnIndex<DB::Row>,
    {
        let mut connection = self.pool.acquire().await?;
        Ok(match version::<DB>(&mut connection).await? {
            Some(version) => self.with_database_version(&version),
            None => self,
        })
    }

    /// sqlx's pool. What it is asked is not recorded.
    pub fn untraced(&self) -> &Pool<DB> {
        &self.pool
    }

    /// Takes a connection from the pool, in a subsegment however short that is.
    ///
    /// # Errors
    /// Where none comes free within the pool's `acquire_timeout`, the pool is closed, or the database cannot be reached.
    pub async fn acquire(&self) -> Result<XRayConnection<DB>, Error> {
        let connection = traced(&self.target, Operation::Acquire, self.pool.acquire()).await?;
        Ok(XRayConnection::pooled(connection, Arc::clone(&self.target)))
    }

    /// Takes a connection from the pool and begins a transaction.
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire), and of the database.
    pub async fn begin(&self) -> Result<XRayTransaction<'static, DB>, Error> {
        self.begin_by(None).await
    }

    /// As [`begin`](Self::begin), by a statement of your own, such as `begin immediate`.
    ///
    /// # Errors
    /// As of [`begin`](Self::begin), and where the statement begins no transaction.
    pub async fn begin_with(
        &self,
        statement: impl ::sqlx::SqlSafeStr,
    ) -> Result<XRayTransaction<'static, DB>, Error> {
        self.begin_by(Some(statement.into_sql_str())).await
    }

    async fn begin_by(&self, statement: Option<SqlStr>) -> Result<XRayTransaction<'static, DB>, Error> {
        let connection = acquire(&self.pool, &self.target).await?;
        let transaction = ::sqlx::Transaction::begin(connection, statement);
        let begun = traced(&self.target, Operation::Begin, transaction).await?;
        Ok(XRayTransaction::new(begun, Arc::clone(&self.target)))
    }
}

impl<'p, DB: TracedDatabase> Executor<'p> for &'p XRayPool<DB> {
    type Database = DB;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Step<DB>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        generate(|mut steps| async move {
            let mut connection = acquire(&self.pool, &self.target).await?;
            let mut rows = executor::fetch_many::<DB, E>(&mut connection, Arc::clone(&self.target), query);
            while let Some(step) = std::future::poll_fn(|cx| rows.as_mut().poll_next(cx)).await {
                steps.give(step?).await;
            }
            Ok(())
        })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Option<DB::Row>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        Box::pin(async move {
            let mut connection = acquire(&self.pool, &self.target).await?;
            executor::fetch_optional::<DB, E>(&mut connection, Arc::clone(&self.target), query).await
        })
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [DB::TypeInfo]) -> Prepared<'e, DB>
    where
        'p: 'e,
    {
        Box::pin(async move {
            let mut connection = acquire(&self.pool, &self.target).await?;
            executor::prepare_with::<DB>(&mut connection, Arc::clone(&self.target), sql, parameters).await
        })
    }

    #[cfg(feature = "sqlx")]
    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, ::sqlx::Describe<DB>>
    where
        'p: 'e,
    {
        Box::pin(async move { DB::describe(&mut *self.pool.acquire().await?, sql).await })
    }
}

impl<DB: Database> Clone for XRayPool<DB> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), target: Arc::clone(&self.target) }
    }
}

impl<DB: Database> fmt::Debug for XRayPool<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XRayPool").field("pool", &self.pool).field("target", &self.target).finish()
    }
}

//! The databases whose connections execute queries: all of sqlx.

use std::future::Future;
use std::pin::Pin;

use ::sqlx::{ColumnIndex, Database, Decode, Either, Error, Execute, Executor, Row as _, SqlStr, Type};
use futures_core::Stream;

/// As sqlx has them.
pub(super) type BoxFuture<'e, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'e>>;
pub(super) type BoxStream<'e, T> = Pin<Box<dyn Stream<Item = Result<T, Error>> + Send + 'e>>;
/// What a statement yields: how it ended, or a row.
pub(super) type Step<DB> = Either<<DB as Database>::QueryResult, <DB as Database>::Row>;

/// A database whose connections execute queries. Every database of sqlx is one; there is nothing to implement.
///
/// As a bound of a function of yours `for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>` does, which sqlx's own
/// pool asks for too. It is a trait of its own because rustc, asked whether a type that it does not know yet is an
/// executor, would otherwise look for the connection of a connection without an end.
pub trait TracedDatabase: Database {
    #[doc(hidden)]
    fn fetch_many<'e, 'q: 'e, E>(connection: &'e mut Self::Connection, query: E) -> BoxStream<'e, Step<Self>>
    where
        E: 'q + Execute<'q, Self>;

    #[doc(hidden)]
    fn fetch_optional<'e, 'q: 'e, E>(
        connection: &'e mut Self::Connection,
        query: E,
    ) -> BoxFuture<'e, Option<Self::Row>>
    where
        E: 'q + Execute<'q, Self>;

    #[doc(hidden)]
    fn prepare_with<'e>(
        connection: &'e mut Self::Connection,
        sql: SqlStr,
        parameters: &'e [Self::TypeInfo],
    ) -> BoxFuture<'e, Self::Statement>;

    #[cfg(feature = "sqlx")]
    #[doc(hidden)]
    fn describe<'e>(
        connection: &'e mut Self::Connection,
        sql: SqlStr,
    ) -> BoxFuture<'e, ::sqlx::Describe<Self>>;
}

impl<DB: Database> TracedDatabase for DB
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    fn fetch_many<'e, 'q: 'e, E>(connection: &'e mut DB::Connection, query: E) -> BoxStream<'e, Step<DB>>
    where
        E: 'q + Execute<'q, DB>,
    {
        connection.fetch_many(query)
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        connection: &'e mut DB::Connection,
        query: E,
    ) -> BoxFuture<'e, Option<DB::Row>>
    where
        E: 'q + Execute<'q, DB>,
    {
        connection.fetch_optional(query)
    }

    fn prepare_with<'e>(
        connection: &'e mut DB::Connection,
        sql: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, DB::Statement> {
        connection.prepare_with(sql, parameters)
    }

    #[cfg(feature = "sqlx")]
    fn describe<'e>(connection: &'e mut DB::Connection, sql: SqlStr) -> BoxFuture<'e, ::sqlx::Describe<DB>> {
        connection.describe(sql)
    }
}

/// Asks for the version, where it is known how.
pub(super) async fn version<DB>(connection: &mut DB::Connection) -> Result<Option<String>, Error>
where
    DB: TracedDatabase,
    String: for<'r> Decode<'r, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let query = match DB::NAME {
        "SQLite" => "select sqlite_version()",
        "PostgreSQL" => "show server_version",
        "MySQL" => "select version()",
        _ => return Ok(None),
    };
    let row = DB::fetch_optional(connection, query).await?;
    row.map(|row| row.try_get::<String, _>(0)).transpose()
}

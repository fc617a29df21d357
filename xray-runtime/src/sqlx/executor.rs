//! Queries on one connection, as `Executor` wants them.

use std::sync::Arc;

use ::sqlx::{Execute, SqlStr};

use super::call::{Operation, traced};
use super::database::{BoxFuture, BoxStream, Step, TracedDatabase};
use super::query::{Watched, note_text};
use super::rows::Rows;
use super::target::Target;

pub(super) fn fetch_many<'e, 'q: 'e, DB: TracedDatabase, E>(
    connection: &'e mut DB::Connection,
    target: Arc<Target>,
    query: E,
) -> BoxStream<'e, Step<DB>>
where
    E: 'q + Execute<'q, DB>,
{
    let query = Watched::new(query, Arc::clone(&target));
    Box::pin(Rows::new(target, move || DB::fetch_many(connection, query)))
}

pub(super) async fn fetch_optional<'q, DB: TracedDatabase, E>(
    connection: &mut DB::Connection,
    target: Arc<Target>,
    query: E,
) -> Result<Option<DB::Row>, ::sqlx::Error>
where
    E: 'q + Execute<'q, DB>,
{
    let query = Watched::new(query, Arc::clone(&target));
    // In the subsegment: drivers take the query apart before the first poll.
    traced(&target, Operation::Query, async move { DB::fetch_optional(connection, query).await }).await
}

pub(super) async fn prepare_with<DB: TracedDatabase>(
    connection: &mut DB::Connection,
    target: Arc<Target>,
    sql: SqlStr,
    parameters: &[DB::TypeInfo],
) -> Result<DB::Statement, ::sqlx::Error> {
    traced(&target, Operation::Prepare, async {
        note_text(&target, sql.as_str());
        DB::prepare_with(connection, sql, parameters).await
    })
    .await
}

/// The methods of `Executor` for something that has a connection and a target.
macro_rules! execute_on_connection {
    () => {
        type Database = DB;

        fn fetch_many<'e, 'q: 'e, E>(
            self,
            query: E,
        ) -> $crate::sqlx::database::BoxStream<'e, $crate::sqlx::database::Step<DB>>
        where
            't: 'e,
            E: 'q + ::sqlx::Execute<'q, DB>,
        {
            let (connection, target) = self.parts();
            $crate::sqlx::executor::fetch_many::<DB, E>(connection, target, query)
        }

        fn fetch_optional<'e, 'q: 'e, E>(
            self,
            query: E,
        ) -> $crate::sqlx::database::BoxFuture<'e, Option<DB::Row>>
        where
            't: 'e,
            E: 'q + ::sqlx::Execute<'q, DB>,
        {
            let (connection, target) = self.parts();
            Box::pin($crate::sqlx::executor::fetch_optional::<DB, E>(connection, target, query))
        }

        fn prepare_with<'e>(
            self,
            sql: ::sqlx::SqlStr,
            parameters: &'e [DB::TypeInfo],
        ) -> $crate::sqlx::database::BoxFuture<'e, DB::Statement>
        where
            't: 'e,
        {
            let (connection, target) = self.parts();
            Box::pin($crate::sqlx::executor::prepare_with::<DB>(connection, target, sql, parameters))
        }

        #[cfg(feature = "sqlx")]
        fn describe<'e>(
            self,
            sql: ::sqlx::SqlStr,
        ) -> $crate::sqlx::database::BoxFuture<'e, ::sqlx::Describe<DB>>
        where
            't: 'e,
        {
            // Asked by the macros while a program is compiled; there is nothing to record.
            DB::describe(self.parts().0, sql)
        }
    };
}
pub(super) use execute_on_connection;

pub(super) type Prepared<'e, DB> = BoxFuture<'e, <DB as ::sqlx::Database>::Statement>;

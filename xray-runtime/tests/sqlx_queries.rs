//! Real SQLite through sqlx: what queries, transactions and waits leave in the document.

#![allow(clippy::unwrap_used)] // Not only in the tests themselves.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use futures_util::TryStreamExt;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{Connection, Executor, Row, Sqlite, Statement};
use xray_runtime::{
    Captured, CapturedEntity, Recorder, Sql, XRayConnection, XRayPool, XRayTransaction, xray_capture,
};

async fn in_segment<T>(future: impl Future<Output = T>) -> (T, Captured) {
    let (recorder, captured) = Recorder::in_memory();
    (recorder.segment("root").instrument(future).await, captured)
}

/// The one connection of a database in memory, which lives as long as that.
async fn sqlite() -> SqlitePool {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(SqliteConnectOptions::new().in_memory(true))
        .await
        .unwrap();
    sqlx::raw_sql("create table a (b integer primary key, c text); insert into a values (1, 'x'), (2, 'y')")
        .execute(&pool)
        .await
        .unwrap();
    pool
}

/// No wait for a connection is long enough to be seen.
async fn pool() -> XRayPool<Sqlite> {
    XRayPool::new(sqlite().await).with_pool_wait(Duration::MAX)
}

fn calls(captured: &Captured) -> Vec<CapturedEntity> {
    captured.segment("root").subsegments()
}

fn operation(call: &CapturedEntity) -> String {
    let operation = call.metadata("sql", "operation");
    operation.as_ref().and_then(Value::as_str).unwrap_or("query").to_owned()
}

fn operations(captured: &Captured) -> Vec<String> {
    calls(captured).iter().map(operation).collect()
}

fn query(call: &CapturedEntity) -> &Value {
    &call.json()["sql"]["sanitized_query"]
}

fn cancelled(call: &CapturedEntity) -> bool {
    call.annotation("cancelled") == Some(true.into())
}

#[tokio::test]
async fn a_query_is_a_remote_subsegment() {
    let pool = pool().await.with_database_version("3.99");
    let (sum, captured) = in_segment(async {
        sqlx::query_scalar::<_, i64>("select sum(b) from a where b > ?1").bind(0).fetch_one(&pool).await
    })
    .await;
    assert_eq!(sum.unwrap(), 3);
    let [call] = &calls(&captured)[..] else { panic!("{captured:?}") };
    assert_eq!((call.name(), &call.json()["namespace"]), (":memory:", &json!("remote")));
    assert_eq!(
        call.json()["sql"],
        json!({
            "connection_string": "sqlite::memory:",
            "database_type": "SQLite",
            "database_version": "3.99",
            "driver_version": "sqlx 0.9",
            "preparation": "statement",
        })
    );
    assert!(!call.is_fault() && !call.is_error() && !cancelled(call) && !call.is_in_progress());
    assert_eq!(call.json().get("metadata"), None);
}

#[tokio::test]
async fn every_way_to_ask_is_one_subsegment() {
    let pool = pool().await;
    let (_, captured) = in_segment(async {
        let rows = sqlx::query("select b from a").fetch_all(&pool).await.unwrap();
        assert_eq!(rows.len(), 2);
        let row: (i64, String) =
            sqlx::query_as("select b, c from a where b = 2").fetch_one(&pool).await.unwrap();
        assert_eq!(row, (2, "y".to_owned()));
        assert!(sqlx::query("select 1 where false").fetch_optional(&pool).await.unwrap().is_none());
        let updated = sqlx::query("update a set c = ?1").bind("z").execute(&pool).await.unwrap();
        assert_eq!(updated.rows_affected(), 2);
        let rows: Vec<String> = sqlx::query("select c from a")
            .map(|row: sqlx::sqlite::SqliteRow| row.get(0))
            .fetch(&pool)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(rows, ["z", "z"]);
        sqlx::raw_sql("select 1; select 2").execute(&pool).await.unwrap();
        (&pool).execute("delete from a where false").await.unwrap();
        let many: Vec<_> = (&pool).execute_many("select 3; select 4").try_collect().await.unwrap();
        assert_eq!(many.len(), 2);
        let statement =
            (&pool).prepare(sqlx::SqlSafeStr::into_sql_str("select b from a where b = ?1")).await.unwrap();
        let row = statement.query().bind(1).fetch_one(&pool).await.unwrap();
        assert_eq!(row.get::<i64, _>(0), 1);
    })
    .await;
    let calls = calls(&captured);
    let seen: Vec<_> =
        calls.iter().map(|call| (operation(call), call.json()["sql"]["preparation"].as_str())).collect();
    let (prepared, plain) = (Some("statement"), None);
    let expected = [prepared, prepared, prepared, prepared, prepared, plain, plain, plain, plain, prepared];
    assert_eq!(seen.iter().map(|(_, preparation)| *preparation).collect::<Vec<_>>(), expected);
    assert_eq!(
        seen.iter()
            .filter(|(operation, _)| operation != "query")
            .map(|(o, _)| o.as_str())
            .collect::<Vec<_>>(),
        ["prepare"]
    );
    assert!(calls.iter().all(|call| call.name() == ":memory:" && !call.is_fault() && !cancelled(call)));
}

#[tokio::test]
async fn the_text_is_recorded_where_that_is_on_and_has_no_literals() {
    let (_, captured) = in_segment(async {
        for on in [false, true] {
            let pool = pool().await.with_query_text(on);
            sqlx::query("select b from a where c = 'secret' and b = ?1 /* secret */")
                .bind(7)
                .fetch_all(&pool)
                .await
                .unwrap();
            sqlx::query("select 8").fetch_optional(&pool).await.unwrap();
            pool.begin().await.unwrap().commit().await.unwrap();
        }
    })
    .await;
    let calls = calls(&captured);
    let texts: Vec<_> = calls.iter().map(query).collect();
    let (first, second) = (json!("select b from a where c = ? and b = ?1  "), json!("select ?"));
    let none = Value::Null;
    assert_eq!(texts, [&none, &none, &none, &none, &first, &second, &none, &none]);
    assert!(!captured.segment("root").json().to_string().contains("secret"));
}

#[tokio::test]
async fn transactions_show_their_ends() {
    let pool = pool().await;
    let (_, captured) = in_segment(async {
        let mut committed = pool.begin().await.unwrap();
        sqlx::query("insert into a values (3, 'z')").execute(&mut committed).await.unwrap();
        let mut savepoint = committed.begin().await.unwrap();
        // As sqlx's own transactions want it.
        sqlx::query("insert into a values (4, 'z')").execute(&mut *savepoint).await.unwrap();
        savepoint.rollback().await.unwrap();
        committed.commit().await.unwrap();
        pool.begin_with("begin immediate").await.unwrap().rollback().await.unwrap();
    })
    .await;
    let expected =
        ["begin", "query", "begin", "query", "rollback", "commit", "begin", "rollback"].map(str::to_owned);
    assert_eq!(operations(&captured), expected);
    assert!(
        calls(&captured).iter().all(|call| call.name() == ":memory:" && call.json()["namespace"] == "remote")
    );
    let count: i64 = sqlx::query_scalar("select count(*) from a").fetch_one(pool.untraced()).await.unwrap();
    assert_eq!(count, 3);
}

#[tokio::test]
async fn a_connection_traces_too() {
    let pool = pool().await;
    let options = SqliteConnectOptions::new().in_memory(true);
    let (_, captured) = in_segment(async {
        let mut pooled = pool.acquire().await.unwrap();
        sqlx::query("select 1").execute(&mut pooled).await.unwrap();
        sqlx::query("select 1").execute(&mut *pooled).await.unwrap();
        sqlx::query("select 1").execute(pooled.untraced()).await.unwrap();
        pooled.begin().await.unwrap().commit().await.unwrap();
        let mut own_words = pooled.begin_with("begin immediate").await.unwrap();
        assert!(
            own_words.begin_with("begin immediate").await.is_err(),
            "no transaction stands in a transaction"
        );
        own_words.rollback().await.unwrap();
        pooled.close().await.unwrap();
        let own = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        let mut own = XRayConnection::new(own, &options).with_query_text(true).with_database_version("3");
        sqlx::query("select 1").fetch_all(&mut own).await.unwrap();
        own.close().await.unwrap();
    })
    .await;
    assert_eq!(
        operations(&captured),
        ["acquire", "query", "query", "begin", "commit", "begin", "begin", "rollback", "query"]
    );
    let calls = calls(&captured);
    let faults: Vec<_> = calls.iter().map(CapturedEntity::is_fault).collect();
    assert_eq!(faults, [false, false, false, false, false, false, true, false, false]);
    assert_eq!(
        (query(&calls[8]), &calls[8].json()["sql"]["database_version"]),
        (&json!("select ?"), &json!("3"))
    );
}

#[tokio::test]
async fn an_error_of_the_database_is_a_remote_fault_told_once() {
    #[xray_capture]
    async fn ask(pool: &XRayPool<Sqlite>) -> Result<(), sqlx::Error> {
        sqlx::query("select * from nope").execute(pool).await.map(drop)
    }
    let pool = pool().await;
    let (failed, captured) = in_segment(ask(&pool)).await;
    let message = failed.unwrap_err().to_string();
    let ask = captured.segment("root").subsegment("ask");
    let call = ask.subsegment(":memory:");
    assert!(call.is_fault() && !call.is_error() && !cancelled(&call));
    let exceptions = call.json()["cause"]["exceptions"].as_array().unwrap();
    assert_eq!(exceptions[0]["message"], message);
    assert!(exceptions[1]["message"].as_str().unwrap().contains("no such table: nope"), "{exceptions:?}");
    assert!(exceptions.iter().all(|exception| exception["remote"] == true), "{exceptions:?}");
    // The function that it crossed refers to it.
    assert_eq!((ask.is_fault(), &ask.json()["cause"]), (true, &exceptions[0]["id"]));
}

#[tokio::test]
async fn no_row_is_no_fault() {
    let pool = pool().await;
    let (answer, captured) =
        in_segment(async { sqlx::query("select b from a where false").fetch_one(&pool).await }).await;
    assert!(matches!(answer, Err(sqlx::Error::RowNotFound)));
    assert!(calls(&captured).iter().all(|call| !call.is_fault() && call.json().get("cause").is_none()));
}

#[tokio::test]
async fn a_stream_ends_its_subsegment_and_what_is_left_unread_is_cancelled() {
    let pool = pool().await;
    let ((), captured) = in_segment(async {
        let mut whole = sqlx::query("select b from a").fetch(&pool);
        let mut seen = 0;
        while whole.try_next().await.unwrap().is_some() {
            seen += 1;
            // Between the rows the stream is not what is current.
            xray_runtime::begin_subsegment("between").end();
        }
        assert_eq!(seen, 2);
        drop(whole);
        let mut part = sqlx::query("select b from a").fetch(&pool);
        part.try_next().await.unwrap();
        drop(part);
        let unread = sqlx::query("select b from a").fetch(&pool);
        drop(unread);
        let mut bad = sqlx::query("select nope from a").fetch(&pool);
        assert!(bad.try_next().await.is_err());
        drop(bad);
    })
    .await;
    let all = calls(&captured);
    assert_eq!(all.iter().filter(|call| call.name() == "between").count(), 2);
    let queries: Vec<_> = all.iter().filter(|call| call.name() == ":memory:").collect();
    let seen: Vec<_> = queries.iter().map(|call| (cancelled(call), call.is_fault())).collect();
    assert_eq!(seen, [(false, false), (true, false), (false, true)]);
}

#[tokio::test]
async fn waits_for_the_pool_are_seen_from_their_beginning() {
    let pool = XRayPool::new(sqlite().await).with_pool_wait(Duration::ZERO);
    let (_, captured) = in_segment(async {
        sqlx::query("select 1").fetch_all(&pool).await.unwrap();
        let held = pool.untraced().acquire().await.unwrap();
        let mut waiting = pin!(sqlx::query("select 2").fetch_optional(&pool));
        poll_fn(|cx| {
            assert!(waiting.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(held);
        waiting.await.unwrap();
    })
    .await;
    assert_eq!(operations(&captured), ["acquire", "query", "acquire", "query"]);
    let calls = calls(&captured);
    let times = |call: &CapturedEntity| {
        [&call.json()["start_time"], &call.json()["end_time"]].map(|t| t.as_f64().unwrap())
    };
    for pair in calls.windows(2) {
        assert!(
            times(&pair[0])[0] <= times(&pair[0])[1] && times(&pair[0])[1] <= times(&pair[1])[0],
            "{pair:?}"
        );
    }
}

#[tokio::test]
async fn siblings_stay_apart() {
    let file = Database::new();
    let pool = file.pool(2).await;
    let (_, captured) = in_segment(async {
        let branch = |name: &'static str| {
            let pool = &pool;
            xray_runtime::FutureExt::in_subsegment(
                async move {
                    for _ in 0..3 {
                        sqlx::query("select b from a").fetch_all(pool).await.unwrap();
                    }
                },
                name,
            )
        };
        tokio::join!(branch("left"), branch("right"));
    })
    .await;
    for name in ["left", "right"] {
        let branch = captured.segment("root").subsegment(name);
        assert_eq!(
            branch.subsegments().iter().filter(|call| operation(call) == "query").count(),
            3,
            "{name}"
        );
    }
}

#[tokio::test]
async fn the_names_are_those_of_the_file_or_of_the_user() {
    let file = Database::new();
    let pool = file.pool(1).await;
    let named = XRayPool::with_sql(
        pool.untraced().clone(),
        Sql::new().with_database_type("SQLite").with_connection("sqlite://u:secret@host/orders"),
    );
    let (_, captured) = in_segment(async {
        sqlx::query("select 1").fetch_optional(&pool).await.unwrap();
        sqlx::query("select 1").fetch_optional(&named).await.unwrap();
    })
    .await;
    let names: Vec<_> = calls(&captured)
        .iter()
        .filter(|call| operation(call) == "query")
        .map(|call| call.name().to_owned())
        .collect();
    assert_eq!(names, [file.name(), "orders".to_owned()]);
    assert!(!captured.segment("root").json().to_string().contains("secret"));
}

#[tokio::test]
async fn the_version_is_asked_once_and_unseen() {
    let (pool, captured) = in_segment(async { pool().await.detect_version().await.unwrap() }).await;
    assert_eq!(calls(&captured), []);
    let (_, captured) = in_segment(async { sqlx::query("select 1").execute(&pool).await.unwrap() }).await;
    let version: String =
        sqlx::query_scalar("select sqlite_version()").fetch_one(pool.untraced()).await.unwrap();
    assert_eq!(calls(&captured)[0].json()["sql"]["database_version"], version);
}

#[tokio::test]
async fn without_a_segment_all_goes_straight_through() {
    let pool = pool().await;
    let sum: i64 = sqlx::query_scalar("select sum(b) from a").fetch_one(&pool).await.unwrap();
    assert_eq!(sum, 3);
    let rows: Vec<_> = sqlx::query("select b from a").fetch(&pool).try_collect().await.unwrap();
    assert_eq!(rows.len(), 2);
    let mut transaction = pool.begin().await.unwrap();
    assert!(sqlx::query("select nope").execute(&mut transaction).await.is_err());
    drop(transaction);
    pool.acquire().await.unwrap().close().await.unwrap();
}

/// Functions that are generic over the database, as sqlx's users write them.
async fn count<DB>(pool: &XRayPool<DB>) -> Result<usize, sqlx::Error>
where
    DB: sqlx::Database,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let rows = pool.fetch_all("select b from a").await?;
    let mut transaction: XRayTransaction<'_, DB> = pool.begin().await?;
    let again = (&mut transaction).fetch_all("select b from a").await?;
    transaction.commit().await?;
    Ok(rows.len() + again.len())
}

async fn count_by<'c, E: Executor<'c, Database = Sqlite>>(executor: E) -> i64 {
    sqlx::query_scalar("select count(*) from a").fetch_one(executor).await.unwrap()
}

#[tokio::test]
async fn generic_functions_take_it() {
    let pool = pool().await;
    assert_eq!(count(&pool).await.unwrap(), 4);
    assert_eq!(count_by(&pool).await, 2);
    let mut connection = pool.acquire().await.unwrap();
    assert_eq!(count_by(&mut connection).await + count_by(&mut *connection).await, 4);
    // On another thread.
    drop(connection);
    let counted = tokio::spawn(async move { count_by(&pool).await });
    assert_eq!(counted.await.unwrap(), 2);
}

/// A database in a file of its own.
struct Database(std::path::PathBuf);

impl Database {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("sqlx-{}-{}.db", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    fn name(&self) -> String {
        self.0.file_name().unwrap().to_str().unwrap().to_owned()
    }

    async fn pool(&self, connections: u32) -> XRayPool<Sqlite> {
        let options = SqliteConnectOptions::new().filename(&self.0).create_if_missing(true);
        let pool = SqlitePoolOptions::new().max_connections(connections).connect_with(options).await.unwrap();
        sqlx::raw_sql("create table a (b); insert into a values (1)").execute(&pool).await.unwrap();
        XRayPool::new(pool)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

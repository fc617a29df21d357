//! Databases that fail: pools without a connection, queries and waits that are given up, connections that break,
//! transactions that nobody ends. Real SQLite.

use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::TryStreamExt;
use serde_json::Value;
use sqlx::Sqlite;
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use xray_runtime::{FutureExt, Recorder, XRayPool};

use crate::support::{Delivered, Found, recorder};

/// Rows without an end.
const ENDLESS: &str = "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n";

/// One connection to a database in memory.
async fn raw_pool(acquire_timeout: Duration) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(acquire_timeout)
        .connect_with(SqliteConnectOptions::new().in_memory(true))
        .await
        .unwrap()
}

async fn pool() -> XRayPool<Sqlite> {
    XRayPool::new(raw_pool(Duration::from_secs(30)).await).with_pool_wait(Duration::MAX)
}

/// What the future leaves below the segment `root`, with all checked that holds of any tree.
async fn recorded<T>(future: impl Future<Output = T>) -> (T, Vec<Found>) {
    let (recorder, delivered) = recorder();
    let answer = recorder.segment("root").instrument(future).await;
    (answer, calls(&recorder, &delivered))
}

/// Whatever has ended, in the order of its beginning.
fn calls(recorder: &Recorder, delivered: &Delivered) -> Vec<Found> {
    let forest = delivered.complete(recorder);
    let mut calls: Vec<Found> =
        forest.entities.into_values().filter(|found| found.json.get("sql").is_some()).collect();
    let start = |found: &Found| found.json["start_time"].as_f64().unwrap();
    calls.sort_by(|a, b| start(a).total_cmp(&start(b)));
    calls
}

fn operation(call: &Found) -> &str {
    call.json.pointer("/metadata/sql/operation").and_then(Value::as_str).unwrap_or("query")
}

fn operations(calls: &[Found]) -> Vec<&str> {
    calls.iter().map(operation).collect()
}

fn is_cancelled(call: &Found) -> bool {
    call.json["annotations"]["cancelled"] == true
}

/// Polls a future once, which must not be done.
async fn started<F: Future>(mut future: Pin<&mut F>) {
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

#[tokio::test]
async fn a_pool_that_is_exhausted_is_a_fault_of_the_wait() {
    let pool = XRayPool::new(raw_pool(Duration::from_millis(20)).await);
    let held = pool.untraced().acquire().await.unwrap();
    let (failed, calls) = recorded(async {
        [
            sqlx::query("select 1").fetch_all(&pool).await.map(drop).unwrap_err(),
            sqlx::query("select 1").fetch_optional(&pool).await.map(drop).unwrap_err(),
            pool.begin().await.map(drop).unwrap_err(),
            pool.acquire().await.map(drop).unwrap_err(),
        ]
    })
    .await;
    drop(held);
    assert!(failed.iter().all(|error| matches!(error, sqlx::Error::PoolTimedOut)), "{failed:?}");
    assert_eq!(operations(&calls), ["acquire"; 4]);
    for call in calls {
        assert!(call.is("fault") && !is_cancelled(&call), "{call:?}");
        let exception = &call.json["cause"]["exceptions"][0];
        assert!(exception["message"].as_str().unwrap().contains("timed out"), "{call:?}");
        // The database was never asked.
        assert_eq!(exception["remote"], false, "{call:?}");
        let times = ["start_time", "end_time"].map(|time| call.json[time].as_f64().unwrap());
        assert!(times[1] - times[0] >= 0.02, "the whole wait: {times:?}");
    }
}

#[tokio::test]
async fn a_wait_that_is_given_up_is_cancelled() {
    let pool = pool().await;
    let held = pool.untraced().acquire().await.unwrap();
    let ((), calls) = recorded(async {
        let mut waiting = Box::pin(sqlx::query("select 1").fetch_all(&pool));
        started(waiting.as_mut()).await;
        drop(waiting);
        let mut waiting = Box::pin(pool.acquire());
        started(waiting.as_mut()).await;
        drop(waiting);
    })
    .await;
    drop(held);
    assert_eq!(operations(&calls), ["acquire", "acquire"]);
    assert!(calls.iter().all(|call| is_cancelled(call) && !call.is("fault")), "{calls:?}");
}

#[tokio::test]
async fn a_wait_that_is_given_up_where_nothing_is_current_is_cancelled_too() {
    let pool = pool().await;
    let held = pool.untraced().acquire().await.unwrap();
    let (recorder, delivered) = recorder();
    let mut segment = Box::pin(recorder.segment("root").instrument(async {
        sqlx::query("select 1").fetch_all(&pool).await.unwrap();
    }));
    started(segment.as_mut()).await;
    drop(segment);
    drop(held);
    let calls = calls(&recorder, &delivered);
    assert_eq!(operations(&calls), ["acquire"]);
    assert!(is_cancelled(&calls[0]));
}

#[tokio::test]
async fn a_query_that_is_given_up_half_way_is_cancelled_and_the_connection_serves_on() {
    let pool = pool().await;
    let ((), calls) = recorded(async {
        let mut rows = sqlx::query(ENDLESS).fetch(&pool);
        rows.try_next().await.unwrap().unwrap();
        drop(rows);
        let mut all = Box::pin(sqlx::query(ENDLESS).fetch_all(&pool));
        // The connection first, then the query; it is never done.
        while pool.untraced().num_idle() > 0 {
            started(all.as_mut()).await;
            tokio::task::yield_now().await;
        }
        drop(all);
        let one: i64 = sqlx::query_scalar("select 1").fetch_one(&pool).await.unwrap();
        assert_eq!(one, 1);
    })
    .await;
    let (last, given_up) = calls.split_last().unwrap();
    assert_eq!(operation(last), "query");
    assert!(!is_cancelled(last) && !last.is("fault"));
    assert!(!given_up.is_empty());
    assert!(given_up.iter().all(|call| is_cancelled(call) && !call.is("fault")), "{given_up:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_is_aborted_takes_its_query_along() {
    let pool = pool().await;
    let (recorder, delivered) = recorder();
    let (seen, mut rows_seen) = tokio::sync::mpsc::channel(1);
    let task = tokio::spawn(recorder.segment("root").instrument(async move {
        let mut rows = sqlx::query(ENDLESS).fetch(&pool);
        while rows.try_next().await.unwrap().is_some() {
            let _ = seen.send(()).await;
        }
    }));
    rows_seen.recv().await.unwrap();
    rows_seen.recv().await.unwrap();
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    let calls = calls(&recorder, &delivered);
    assert_eq!(operations(&calls), ["query"]);
    assert!(is_cancelled(&calls[0]));
}

#[tokio::test]
async fn a_stream_may_go_on_in_another_task() {
    let pool = pool().await;
    let (rows, calls) = recorded(async {
        let (first, mut first_read) = tokio::sync::oneshot::channel();
        let (go_on, told) = tokio::sync::oneshot::channel();
        let mut reading = Box::pin(async move {
            let mut rows = sqlx::query("select value from json_each('[1,2,3]')").fetch(&pool);
            rows.try_next().await?;
            first.send(()).unwrap();
            told.await.unwrap();
            let rest: Vec<_> = rows.try_collect().await?;
            Ok::<_, sqlx::Error>(1 + rest.len())
        });
        tokio::select! {
            _ = &mut reading => panic!("it has not been told to go on"),
            read = &mut first_read => read.unwrap(),
        }
        let reading = tokio::spawn(reading);
        go_on.send(()).unwrap();
        reading.await.unwrap().unwrap()
    })
    .await;
    assert_eq!(rows, 3);
    assert_eq!(operations(&calls), ["query"]);
    assert!(!calls[0].is("fault") && !is_cancelled(&calls[0]), "{calls:?}");
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_a_fault() {
    let missing = std::env::temp_dir().join("no such folder").join("a.db");
    let pool = XRayPool::new(SqlitePool::connect_lazy_with(SqliteConnectOptions::new().filename(missing)));
    let (failed, calls) = recorded(async { sqlx::query("select 1").execute(&pool).await.map(drop) }).await;
    assert!(failed.is_err());
    assert_eq!(operations(&calls), ["acquire"]);
    assert_eq!((calls[0].name.as_str(), calls[0].is("fault")), ("a.db", true));
}

/// There is no server here, but what is known of one: the pools of both compile, and their options are read as they show themselves.
#[tokio::test]
async fn a_server_that_cannot_be_reached_is_a_fault_that_tells_no_password() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let place = format!("127.0.0.1:{port}/orders");
    let url = |scheme: &str| format!("{scheme}://ada:hunter%402@{place}");
    let soon = Duration::from_millis(50);
    let postgres = PgPoolOptions::new().acquire_timeout(soon).connect_lazy(&url("postgres")).unwrap();
    let mysql = MySqlPoolOptions::new().acquire_timeout(soon).connect_lazy(&url("mysql")).unwrap();
    let (postgres, mysql) = (XRayPool::new(postgres), XRayPool::new(mysql));
    let (_, calls) = recorded(async {
        sqlx::query("select 1").bind("x").execute(&postgres).await.unwrap_err();
        postgres.begin().await.unwrap_err();
        sqlx::query("select 1").bind("x").execute(&mysql).await.unwrap_err();
        mysql.begin().await.unwrap_err();
    })
    .await;
    assert_eq!(operations(&calls), ["acquire"; 4]);
    for (call, (kind, scheme)) in calls.iter().zip([
        ("PostgreSQL", "postgres"),
        ("PostgreSQL", "postgres"),
        ("MySQL", "mysql"),
        ("MySQL", "mysql"),
    ]) {
        assert_eq!(call.name, "orders@127.0.0.1");
        assert!(call.is("fault"), "{call:?}");
        let sql = &call.json["sql"];
        assert_eq!((&sql["database_type"], &sql["user"]), (&kind.into(), &"ada".into()));
        assert_eq!(sql["url"], format!("{scheme}://ada@{place}"));
        assert!(!call.json.to_string().contains("hunter"), "{call:?}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_fault_of_the_query() {
    let file = File::new("breaks");
    let options = SqliteConnectOptions::new().filename(&file.0).create_if_missing(true);
    let raw = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    sqlx::raw_sql("create table a (b); insert into a values (1)").execute(&raw).await.unwrap();
    let pool = XRayPool::new(raw).with_pool_wait(Duration::MAX);
    // Below the open connection.
    std::fs::write(&file.0, vec![0x55; 16 * 1024]).unwrap();
    let (failed, calls) = recorded(async {
        let broken = sqlx::query("select b from a").fetch_all(&pool).await.map(drop);
        pool.untraced().close().await;
        let closed = sqlx::query("select b from a").fetch_all(&pool).await.map(drop);
        [broken, closed]
    })
    .await;
    assert!(matches!(failed, [Err(sqlx::Error::Database(_)), Err(sqlx::Error::PoolClosed)]), "{failed:?}");
    assert_eq!(operations(&calls), ["query", "acquire"]);
    let remote = |call: &Found| call.json["cause"]["exceptions"][0]["remote"] == true;
    assert_eq!([remote(&calls[0]), remote(&calls[1])], [true, false]);
    assert!(calls.iter().all(|call| call.is("fault")));
}

#[tokio::test]
async fn a_transaction_that_nobody_ends_is_rolled_back_and_seen() {
    let pool = pool().await;
    sqlx::query("create table a (b)").execute(pool.untraced()).await.unwrap();
    let (failed, calls) = recorded(async {
        let mut transaction = pool.begin().await?;
        sqlx::query("insert into a values (1)").execute(&mut transaction).await?;
        // Leaves with an error, and drops the transaction.
        sqlx::query("insert into nope values (1)").execute(&mut transaction).await?;
        transaction.commit().await
    })
    .await;
    assert!(failed.is_err());
    assert_eq!(operations(&calls), ["begin", "query", "query", "rollback on drop"]);
    let faults: Vec<bool> = calls.iter().map(|call| call.is("fault")).collect();
    assert_eq!(faults, [false, false, true, false]);
    let count: i64 = sqlx::query_scalar("select count(*) from a").fetch_one(pool.untraced()).await.unwrap();
    assert_eq!(count, 0);
}

#[tokio::test]
async fn a_transaction_may_outlive_its_segment() {
    let pool = pool().await;
    let (transaction, calls) = recorded(async { pool.begin().await.unwrap() }).await;
    assert_eq!(operations(&calls), ["begin"]);
    // Nothing is current here: it is rolled back all the same.
    drop(transaction);
    pool.begin().await.unwrap().commit().await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_a_panic_drops_is_rolled_back() {
    let pool = pool().await;
    let (recorder, delivered) = recorder();
    let task = tokio::spawn(recorder.segment("root").instrument(async move {
        let _transaction = pool.begin().await.unwrap();
        if pool.untraced().size() > 0 {
            panic!("in the middle");
        }
    }));
    assert!(task.await.unwrap_err().is_panic());
    let calls = calls(&recorder, &delivered);
    assert_eq!(operations(&calls), ["begin", "rollback on drop"]);
}

#[tokio::test]
async fn a_thousand_queries_stream_out() {
    let pool = pool().await.with_query_text(true);
    let (_, calls) = recorded(async {
        for _ in 0..1_000 {
            sqlx::query("select 'secret'").execute(&pool).await.unwrap();
        }
    })
    .await;
    assert_eq!(calls.len(), 1_000);
    assert!(
        calls.iter().all(|call| call.name == ":memory:" && call.json["sql"]["sanitized_query"] == "select ?")
    );
}

#[tokio::test]
async fn a_query_too_long_for_a_document_is_cut() {
    let pool = pool().await.with_query_text(true);
    let text = format!("select {}", vec!["1"; 40_000].join("+"));
    let (failed, calls) = recorded(async {
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&pool).in_subsegment("step").await.map(drop)
    })
    .await;
    // SQLite has a limit for the depth of an expression.
    assert!(failed.is_err());
    let query = calls[0].json["sql"]["sanitized_query"].as_str().unwrap();
    assert_eq!(query.chars().count(), xray_runtime::MAX_SQL_TEXT_CHARS);
    assert!(query.starts_with("select ?+?+"));
}

#[tokio::test]
async fn a_query_below_a_guard_that_ends_before_it_stays_in_the_tree() {
    let pool = pool().await;
    let (recorder, delivered) = recorder();
    let root = recorder.segment("root").instrument(async {
        let step = xray_runtime::begin_subsegment("step");
        let mut rows = sqlx::query(ENDLESS).fetch(&pool);
        rows.try_next().await.unwrap();
        step.end();
        rows.try_next().await.unwrap();
    });
    root.await;
    let calls = calls(&recorder, &delivered);
    assert_eq!(operations(&calls), ["query"]);
    assert!(is_cancelled(&calls[0]));
}

/// A file that is gone with this.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("xray-faults-{name}-{}.db", std::process::id())))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

//! A query of SQLite through sqlx, with and without `XRayPool`: one pool with one connection, which both sides ask.

use harness::calls::Calls;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{Executor, Sqlite};
use xray_runtime::XRayPool;

use crate::recorder::Recording;

#[derive(Clone, Copy)]
pub(crate) enum Database {
    Memory,
    /// A file, which is removed before it is opened.
    File,
}

#[derive(Clone, Copy)]
pub(crate) enum Query {
    /// One row by its key, with a parameter.
    One,
    /// Ten rows.
    Rows,
}

pub(crate) fn calls(recording: Recording, mode: &str, database: Database, query: Query) -> Calls {
    let plain: &'static SqlitePool = Box::leak(Box::new(recording.runtime.block_on(pool(database))));
    let traced = XRayPool::new(plain.clone()).with_query_text(mode == "text");
    let traced: &'static XRayPool<Sqlite> = Box::leak(Box::new(traced));
    match (query, mode == "same") {
        (Query::One, true) => recording.in_segments(move || one(plain), move || one(plain)),
        (Query::One, false) => recording.in_segments(move || one(plain), move || one(traced)),
        (Query::Rows, true) => recording.in_segments(move || rows(plain), move || rows(plain)),
        (Query::Rows, false) => recording.in_segments(move || rows(plain), move || rows(traced)),
    }
}

async fn pool(database: Database) -> SqlitePool {
    let options = match database {
        Database::Memory => SqliteConnectOptions::new().in_memory(true),
        Database::File => {
            let file = std::env::temp_dir().join(format!("xray-benches-{}.db", std::process::id()));
            let _ = std::fs::remove_file(&file);
            SqliteConnectOptions::new().filename(file).create_if_missing(true)
        }
    };
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await
        .expect("a database");
    sqlx::raw_sql("create table activities (id integer primary key, handle text, message text)")
        .execute(&pool)
        .await
        .expect("a table");
    for id in 0..100 {
        sqlx::query("insert into activities values (?1, ?2, ?3)")
            .bind(id)
            .bind(format!("user {id}"))
            .bind("what is going on here")
            .execute(&pool)
            .await
            .expect("a row");
    }
    // Open is enough: nobody needs its name any more.
    if let Some(file) = pool.connect_options().get_filename().to_str().filter(|name| name.starts_with('/')) {
        std::fs::remove_file(file).expect("the file is ours");
    }
    pool
}

async fn one<'e>(executor: impl Executor<'e, Database = Sqlite> + 'e) {
    let text = "select message from activities where id = ?1 and handle <> 'nobody'";
    let message: String =
        sqlx::query_scalar(text).bind(7_i64).fetch_one(executor).await.expect("there is that row");
    std::hint::black_box(message);
}

async fn rows<'e>(executor: impl Executor<'e, Database = Sqlite> + 'e) {
    let text = "select message from activities where id < ?1";
    let messages: Vec<String> =
        sqlx::query_scalar(text).bind(10_i64).fetch_all(executor).await.expect("there are rows");
    assert_eq!(messages.len(), 10);
}

//! Queries and a transaction of sqlx over SQLite, each a subsegment; the documents go to standard output.
//!
//! `cargo run -p xray-runtime --features sqlx --example sqlx`
#![allow(clippy::print_stdout)] // That is what an example is for.

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use xray_runtime::{FutureExt, JsonLinesExporter, Recorder, XRayPool};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let exporter = JsonLinesExporter::new(std::io::stdout());
    let _xray = Recorder::builder().service("shop").without_sampling().exporter(exporter).install()?;

    // A database in memory lives as long as its one connection.
    let options = SqliteConnectOptions::new().in_memory(true);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    let pool = XRayPool::new(pool).with_query_text(true).detect_version().await?;

    let total = order(&pool).in_segment("order").await?;
    println!("the orders are worth {total} cents");
    Ok(())
}

async fn order(pool: &XRayPool<sqlx::Sqlite>) -> Result<i64> {
    sqlx::query("create table orders (item text, cents integer)").execute(pool).await?;
    let mut transaction = pool.begin().await?;
    for (item, cents) in [("book", 1250), ("pen", 199)] {
        let insert = sqlx::query("insert into orders values (?1, ?2)").bind(item).bind(cents);
        insert.execute(&mut transaction).await?;
    }
    transaction.commit().await?;
    Ok(sqlx::query_scalar("select sum(cents) from orders where cents > 100").fetch_one(pool).await?)
}

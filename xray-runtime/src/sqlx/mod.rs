//! `XRayPool`: remote subsegments for the queries, transactions and waits of sqlx.
//!
//! The way of a query: [`pool`] or [`connection`] is the `Executor` that sqlx's query functions are given; [`call`] and
//! [`rows`] put what it does into a subsegment; [`target`] is what all of them say of the database, made once; [`query`]
//! sees what the driver takes out of a query.

mod call;
mod connection;
mod database;
mod executor;
mod generator;
mod options;
mod pool;
mod query;
mod rows;
mod target;
mod transaction;

pub use connection::{TracedConnection, XRayConnection};
pub use database::TracedDatabase;
pub use pool::XRayPool;
pub use transaction::XRayTransaction;

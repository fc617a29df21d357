//! What the subsegments of a pool or a connection have in common, made once.

use std::sync::Arc;
use std::time::Duration;

use ::sqlx::{Connection, Database};

use super::options::address;
use crate::sql::Sql;

/// The driver, as far as it tells its version: sqlx says none, and this crate is made for one.
const DRIVER: &str = "sqlx 0.9";

/// What is too short a wait for a connection to be worth a subsegment.
pub(super) const POOL_WAIT: Duration = Duration::from_millis(1);

#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) sql: Arc<Sql>,
    /// Whether the text of queries is recorded.
    pub(super) query_text: bool,
    pub(super) pool_wait: Duration,
}

impl Target {
    pub(super) fn of<DB: Database>(options: &<DB::Connection as Connection>::Options) -> Self {
        let sql = Sql::new().with_database_type(DB::NAME).with_driver_version(DRIVER);
        Self::named(match address::<DB>(options) {
            Some(address) => sql.with_connection(&address),
            None => sql,
        })
    }

    pub(super) fn named(mut sql: Sql) -> Self {
        sql.name = None;
        sql.name = Some(sql.subsegment_name().into());
        Self { sql: Arc::new(sql), query_text: false, pool_wait: POOL_WAIT }
    }

    /// The same with another block.
    pub(super) fn with_sql(&self, change: impl FnOnce(Sql) -> Sql) -> Self {
        let sql = change(Sql::clone(&self.sql));
        Self { sql: Arc::new(sql), ..self.clone() }
    }
}

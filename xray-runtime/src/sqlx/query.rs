//! A query on its way to the driver.

use std::sync::Arc;

use ::sqlx::error::BoxDynError;
use ::sqlx::{Database, Execute, SqlStr};

use super::target::Target;
use crate::context;
use crate::record::{FIRST, Fact};
use crate::sql::{SqlPreparation, sanitized_query};

/// The user's query: says in the subsegment what the driver takes out of it. The driver does so in its first poll, when the
/// subsegment is current.
pub(super) struct Watched<E> {
    query: E,
    target: Arc<Target>,
    prepared: bool,
}

impl<E> Watched<E> {
    pub(super) fn new(query: E, target: Arc<Target>) -> Self {
        Self { query, target, prepared: false }
    }
}

impl<'q, DB: Database, E: Execute<'q, DB>> Execute<'q, DB> for Watched<E> {
    fn sql(self) -> SqlStr {
        let sql = self.query.sql();
        let key = context::current();
        if key >= FIRST {
            if self.prepared {
                context::note(key, Fact::Preparation(SqlPreparation::Statement));
            }
            note_text(&self.target, sql.as_str());
        }
        sql
    }

    fn statement(&self) -> Option<&DB::Statement> {
        self.query.statement()
    }

    fn take_arguments(&mut self) -> Result<Option<DB::Arguments>, BoxDynError> {
        let arguments = self.query.take_arguments();
        // Without arguments, not even none, sqlx sends the text as it is.
        self.prepared |= matches!(arguments, Ok(Some(_)));
        arguments
    }

    fn persistent(&self) -> bool {
        self.query.persistent()
    }
}

/// Notes the text where that is switched on.
pub(super) fn note_text(target: &Target, sql: &str) {
    let key = context::current();
    if target.query_text && key >= FIRST {
        context::note(key, Fact::Query(sanitized_query(sql, target.sql.database_type.as_deref())));
    }
}

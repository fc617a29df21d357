//! `sql_url`: addresses of databases without their secrets.

use serde_json::{Value, json};
use xray_runtime::Sql;

use super::{check, text};
use crate::family::Outcome;

pub(crate) fn run(document: &Value) -> Result<Vec<Outcome>, String> {
    check(document, |input| {
        let sql = Sql::new().with_connection(text(input)?);
        Ok(match (sql.url(), sql.connection_string()) {
            (Some(url), _) => json!({ "url": url }),
            (None, text) => json!({ "connection_string": text }),
        })
    })
}

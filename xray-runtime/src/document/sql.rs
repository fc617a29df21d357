//! `sql`: which database was asked, and with what.

use super::json;
use crate::sql::Sql;

pub(super) fn sql(out: &mut Vec<u8>, sql: Option<&Sql>, query: Option<&str>, preparation: Option<&str>) {
    out.extend_from_slice(b",\"sql\":");
    let open = out.len();
    let known = |text: fn(&Sql) -> Option<&str>| sql.and_then(text);
    let texts: [(&str, Option<&str>); 8] = [
        ("url", known(|sql| sql.url.as_deref())),
        ("connection_string", known(|sql| sql.connection_string.as_deref())),
        ("sanitized_query", query),
        ("database_type", known(|sql| sql.database_type.as_deref())),
        ("database_version", known(|sql| sql.database_version.as_deref())),
        ("driver_version", known(|sql| sql.driver_version.as_deref())),
        ("user", known(|sql| sql.user.as_deref())),
        ("preparation", preparation),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            json::member(out, key, text);
        }
    }
    super::http::close_members(out, open);
}

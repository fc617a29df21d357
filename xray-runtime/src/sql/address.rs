//! Which database at which host an address means.

use super::connection_string::{after_odbc, tokens};
use super::secrets::Clean;
use super::url::{decoded, scheme_end};

/// What a clean address says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Address {
    pub(super) database: Option<String>,
    pub(super) host: Option<String>,
    pub(super) user: Option<String>,
}

impl Address {
    pub(super) fn of(clean: &Clean) -> Self {
        let text = clean.text();
        if let Some(file) = text.strip_prefix("sqlite:") {
            return Self { database: sqlite(file), ..Self::default() };
        }
        match clean {
            Clean::Url(url) => Self::of_url(url),
            Clean::ConnectionString(text) => Self::of_string(text),
        }
    }

    fn of_url(url: &str) -> Self {
        let start = scheme_end(url);
        let text = url[start..].strip_prefix("//").filter(|_| start == 0).unwrap_or(&url[start..]);
        let head = text.split(['?', '#', ';']).next().unwrap_or_default();
        let (user, place) = match head.rsplit_once('@').filter(|_| !head.starts_with('/')) {
            // Oracle has slashes behind it: `user@//host:1521/service`.
            Some((user, place)) => (Some(decoded(user)), place.strip_prefix("//").unwrap_or(place)),
            None => (None, head),
        };
        let (authority, path) = match place.split_once('(').and_then(|(_, rest)| rest.split_once(')')) {
            // Go's form for MySQL: `tcp(host:3306)/database`.
            Some((address, path)) => (address, path.trim_start_matches('/')),
            None => place.split_once('/').unwrap_or((place, "")),
        };
        // A path of a socket stands where a host would.
        let host = match host_of(authority) {
            host if host.is_empty() || decoded(host).starts_with('/') => {
                if path.is_empty() && host.is_empty() { None } else { Some("localhost".to_owned()) }
            }
            host => Some(decoded(host)),
        };
        // SQL Server's form has them behind the host: `//host:1433;database=orders;user=sa`.
        let parameters = Self::of_string(text[head.len()..].strip_prefix(';').unwrap_or_default());
        Self { database: some(decoded(path)).or(parameters.database), host, user: user.or(parameters.user) }
    }

    fn of_string(text: &str) -> Self {
        let mut found = Self::default();
        let delimiter = if text.contains(';') { ';' } else { ' ' };
        for (key, value) in tokens(after_odbc(text), delimiter).filter_map(|token| token.split_once('=')) {
            let value = unquoted(value.trim());
            match key.trim().to_ascii_lowercase().as_str() {
                "dbname" | "database" | "databasename" | "initial catalog" => {
                    found.database = some(value.to_owned())
                }
                "host" | "server" | "data source" | "addr" | "address" | "hostaddr" => {
                    let value = value.strip_prefix("tcp:").unwrap_or(value);
                    found.host = some(host_of(value).to_owned());
                }
                "user" | "user id" | "uid" | "username" => found.user = some(value.to_owned()),
                _ => {}
            }
        }
        found
    }
}

/// The file's name, without its folders; `:memory:` where there is no file.
fn sqlite(address: &str) -> Option<String> {
    let (file, parameters) = address.split_once('?').unwrap_or((address, ""));
    let file = file.strip_prefix("//").unwrap_or(file);
    if file == ":memory:" || parameters.split('&').any(|parameter| parameter == "mode=memory") {
        return Some(":memory:".to_owned());
    }
    let file = decoded(file);
    file.rsplit('/').find(|name| !name.is_empty()).map(str::to_owned)
}

/// The first host, without port and brackets.
fn host_of(authority: &str) -> &str {
    let first = authority.split(',').next().unwrap_or_default();
    if let Some((address, _)) = first.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    first.split(':').next().unwrap_or_default()
}

fn unquoted(value: &str) -> &str {
    let pairs = [('\'', '\''), ('"', '"'), ('{', '}')];
    let inner = |(open, close)| value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    pairs.into_iter().find_map(inner).unwrap_or(value)
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

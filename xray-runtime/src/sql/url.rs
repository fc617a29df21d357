//! URLs without their secrets, with a scheme or without.

use std::borrow::Cow;

use super::connection_string::{braced_or_quoted, without_secret_tokens};
use super::secrets::{SECRETS, is_keyed, is_secret};

/// Where what follows `scheme://` begins; 0 where there is no scheme. What stands before the scheme proper, such as `jdbc:`
/// or all of `jdbc:oracle:thin:`, is a part of it.
pub(super) fn scheme_end(address: &str) -> usize {
    let is_jdbc = address.get(..5).is_some_and(|prefix| prefix.eq_ignore_ascii_case("jdbc:"));
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'+' | b'.' | b'-' | b'_')
                    || (is_jdbc && byte == b':')
            })
    };
    if let Some(at) = address.find("://").filter(|&at| is_scheme(&address[..at])) {
        return at + 3;
    }
    // `jdbc:oracle:thin:user/password@host:1521:sid`
    let mut colons = address.match_indices(':').map(|(at, _)| at);
    match (colons.next(), colons.next(), colons.next()) {
        (Some(_), Some(vendor), Some(driver))
            if is_jdbc
                && address[5..vendor].eq_ignore_ascii_case("oracle")
                && is_scheme(&address[vendor + 1..driver]) =>
        {
            driver + 1
        }
        _ => 0,
    }
}

pub(super) fn url(address: &str) -> String {
    let start = scheme_end(address);
    let text = &address[start..];
    let mut clean = address[..start].to_owned();
    // SQL Server's form: `//host:1433;user=sa;password=secret`. Such a password may hold an `@` or `?`.
    if let Some((user, place)) = with_parameters(text) {
        clean.push_str(user);
        clean.push_str(&without_secret_tokens(place, ';'));
        return without_leftovers(clean);
    }
    let query = query_start(text);
    let (head, query) = (&text[..query], text.get(query + 1..));
    match head.rfind('@').filter(|&at| has_user(&head[..at], start)) {
        Some(at) => {
            let slashes = head.len() - head.trim_start_matches('/').len();
            clean.push_str(&head[..slashes]);
            clean.push_str(user_of(&head[slashes..at]));
            clean.push_str(&head[at..]);
        }
        None => clean.push_str(head),
    }
    if let Some(query) = query {
        let kept: Vec<_> = query.split('&').filter_map(without_secret_parameter).collect();
        if kept.iter().any(|parameter| !parameter.is_empty()) || kept.len() == query.split('&').count() {
            clean.push('?');
            clean.push_str(&kept.join("&"));
        }
    }
    without_leftovers(clean)
}

/// Whether what stands before an `@` is a user. A path alone has none: `sqlite:///srv/a@b.db`. But the slashes may be what is left of a scheme:
/// `//user:password@host`, or one too many.
fn has_user(before: &str, scheme_end: usize) -> bool {
    let rest = before.trim_start_matches('/');
    let is_user =
        rest.split('/').next().is_some_and(|first| first.len() == rest.len() && first.contains(':'));
    rest.len() == before.len() || is_user || (scheme_end == 0 && before.starts_with("//"))
}

/// The user, and host and parameters, of an address whose parameters stand behind a `;`.
fn with_parameters(text: &str) -> Option<(&str, &str)> {
    let semicolon = text.find(';')?;
    let has_parameters = |text: &str| text.split(';').nth(1).is_some_and(is_keyed);
    if is_place(&text[..semicolon]) && has_parameters(text) {
        return Some(("", text));
    }
    // Behind a user: but an `@` or `;` may be the password's, so only where there is a secret to be found.
    text.match_indices('@').find_map(|(at, _)| {
        let place = &text[at..];
        let (host, _) = place[1..].split_once(';')?;
        let is_it = is_place(host)
            && has_parameters(place)
            && place
                .split(';')
                .skip(1)
                .any(|token| token.split_once('=').is_some_and(|(key, _)| is_secret(key)));
        is_it.then(|| (user_of(&text[..at]), place))
    })
}

/// Whether it is one or more hosts, each with or without a port, with or without a path.
fn is_place(text: &str) -> bool {
    let hosts = text.split(['/', '\\']).next().unwrap_or_default();
    !text.contains(['@', '?'])
        && hosts.split(',').all(|host| {
            let host = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                Some((_, port)) => port,
                None => host,
            };
            host.split_once(':')
                .is_none_or(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
        })
}

/// Where the `?` of the query is; the end where there is none. A password may hold one, unescaped: then what stands before it is no host
/// with a port, or what stands behind it no parameter.
fn query_start(text: &str) -> usize {
    let Some(at) = text.find('?') else { return text.len() };
    let (before, after) = (&text[..at], &text[at + 1..]);
    let Some(host) = after.rfind('@') else { return at };
    // Each that begins before the first `@`.
    let first = after.split('@').next().unwrap_or_default();
    let mut keys = first.split('&').filter_map(|parameter| parameter.split_once('=')).map(|(key, _)| key);
    let is_host = before.contains('@') || is_place(before);
    if keys.any(|key| is_host || is_secret(key)) {
        return at;
    }
    let host = at + 1 + host;
    text[host..].find('?').map_or(text.len(), |query| host + query)
}

/// The user of `user:password`, `user/password` (Oracle's form) or `user%2Fpassword`.
fn user_of(userinfo: &str) -> &str {
    let end = userinfo.find([':', '/']).unwrap_or(userinfo.len());
    let escaped = userinfo
        .match_indices('%')
        .map(|(at, _)| at)
        .find(|&at| userinfo.get(at + 1..at + 3).is_some_and(|digits| digits.eq_ignore_ascii_case("2f")));
    &userinfo[..end.min(escaped.unwrap_or(end))]
}

/// A parameter of a query. Some part them by `;`.
fn without_secret_parameter(parameter: &str) -> Option<Cow<'_, str>> {
    let is_secret = |part: &str| {
        part.split_once('=').is_some_and(|(name, _)| is_secret(name) || is_secret(&decoded(name)))
    };
    if is_secret(parameter) {
        return None;
    }
    if !parameter.contains(';') {
        return Some(parameter.into());
    }
    let kept: Vec<&str> = parameter.split(';').filter(|part| !is_secret(part)).collect();
    Some(kept.join(";").into())
}

/// Drops what else is called like a secret, wherever it stands: `//(host=h)(password=secret)/db`.
fn without_leftovers(mut text: String) -> String {
    let mut from = 0;
    while let Some(sign) = text[from..].find('=').map(|at| from + at) {
        from = sign + 1;
        let key = text[..sign].trim_end();
        let named = |name: &&str| {
            let start = key.len().checked_sub(name.len())?;
            let is_name = key.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(name))
                && !key[..start].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
            is_name.then_some(start)
        };
        let Some(start) = SECRETS.iter().find_map(named) else { continue };
        let value = &text[from..];
        let closed = braced_or_quoted(value).unwrap_or_default();
        let end =
            value[closed..].find(['&', ';', ',', ')', ' ']).map_or(text.len(), |end| from + closed + end);
        text.replace_range(start..end, "");
        from = start;
    }
    text
}

/// The text with `%xx` as what they stand for; what is no UTF-8 then is left out.
pub(super) fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).replace('\u{fffd}', "")
}

#[cfg(test)]
mod tests {
    use crate::sql::secrets::{Clean, without_secrets};

    #[track_caller]
    fn url_is(address: &str, clean: &str) {
        assert_eq!(without_secrets(address), Clean::Url(clean.into()), "{address}");
    }

    #[test]
    fn urls_lose_the_password() {
        url_is("user/password@host:5432/database", "user@host:5432/database");
        url_is("user%2Fpassword@host:5432/database", "user@host:5432/database");
        url_is("user%2fpassword@host/database", "user@host/database");
        url_is("postgres://u:p/q@h/db", "postgres://u@h/db");
        url_is("postgres://u:p#q@h/db", "postgres://u@h/db");
        url_is("postgres://u:p?q@h/db?a=1&password=x", "postgres://u@h/db?a=1");
        url_is("postgres://u:p@q/r@h/db", "postgres://u@h/db");
        url_is("user:p=q@host/db", "user@host/db");
        url_is("jdbc:postgresql://u:p@h/db", "jdbc:postgresql://u@h/db");
        url_is("postgres://h/db?user=a@b", "postgres://h/db?user=a@b");
        url_is("sqlite:///srv/a@b.db", "sqlite:///srv/a@b.db");
        url_is("u:p@tcp(h:3306)/db?parseTime=true", "u@tcp(h:3306)/db?parseTime=true");
        url_is("u:p@tcp([de:ad::fe]:80)/db", "u@tcp([de:ad::fe]:80)/db");
        url_is("u:p@/", "u@/");
        url_is("//u:p@h/db", "//u@h/db");
        url_is("postgres:///u:p@h/db", "postgres:///u@h/db");
        url_is("POSTGRES://U:P@H/DB", "POSTGRES://U@H/DB");
        url_is("u:1?2@h/db", "u@h/db");
        url_is("u:p@?q@h/db?a=1", "u@h/db?a=1");
        url_is("postgres://h1:1,h2:2?user=a@b", "postgres://h1:1,h2:2?user=a@b");
        url_is("postgres://[::1]?user=a@b", "postgres://[::1]?user=a@b");
        url_is("JDBC:mysql://u:p@h/db", "JDBC:mysql://u@h/db");
        url_is("jdbc:oracle:thin:u/p@h:1521:db", "jdbc:oracle:thin:u@h:1521:db");
        url_is("jdbc:oracle:thin:u/p@//h:1521/db", "jdbc:oracle:thin:u@//h:1521/db");
        url_is("jdbc:oracle:oci:@h", "jdbc:oracle:oci:@h");
    }

    #[test]
    fn urls_lose_secret_parameters() {
        url_is("h/db?PASSWORD=x", "h/db");
        url_is("h/db?a=1&Pwd=x&b=2&token=y&passwd=z&sslpassword=w", "h/db?a=1&b=2");
        url_is("h/db?x-amz-security-token=x", "h/db");
        url_is("h/db?pass%77ord=x&a", "h/db?a");
        url_is("h/db?tokens=x&password", "h/db?tokens=x&password");
        url_is("jdbc:sqlserver://h:1433;user=sa;password=x;a=b", "jdbc:sqlserver://h:1433;user=sa;a=b");
        url_is(
            "jdbc:sqlserver://h\\i;user=a@b;password={a;b}}@?c};a=b",
            "jdbc:sqlserver://h\\i;user=a@b;a=b",
        );
        url_is("sqlserver://u:p@h;password=a@b;a=b", "sqlserver://u@h;a=b");
        url_is("jdbc:mysql://(host=h,password=p)/db", "jdbc:mysql://(host=h,)/db");
        url_is("h/db?a=1;password=x&b=2", "h/db?a=1&b=2");
        url_is("h?password=a@b&a=1", "h?a=1");
        url_is("postgres://h/db?", "postgres://h/db?");
        url_is("h/db?&password=x", "h/db");
        url_is("h/db?a=1&a=1&password=x&password=y", "h/db?a=1&a=1");
    }
}

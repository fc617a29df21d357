//! Addresses of databases without their secrets (section 11 of the client's spec).

/// Names of parameters whose value is a secret, in lower case.
const SECRETS: [&str; 6] = ["password", "passwd", "pwd", "sslpassword", "token", "x-amz-security-token"];

/// The prefix of a connection string for ODBC.
const ODBC: &str = "odbc:";

/// An address without its secrets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Clean {
    Url(String),
    ConnectionString(String),
}

impl Clean {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Url(text) | Self::ConnectionString(text) => text,
        }
    }
}

pub(super) fn without_secrets(address: &str) -> Clean {
    if scheme_end(address) == 0 {
        let keyed = is_keyed(after_odbc(address));
        if keyed || !address.contains(['@', '?']) {
            return Clean::ConnectionString(connection_string(address));
        }
    }
    Clean::Url(url(address))
}

/// Where what follows `scheme://` begins; 0 where there is no scheme. `jdbc:` stands before the scheme proper.
pub(super) fn scheme_end(address: &str) -> usize {
    let Some(at) = address.find("://") else { return 0 };
    let scheme = &address[..at];
    let proper = scheme.strip_prefix("jdbc:").unwrap_or(scheme);
    let valid = proper.starts_with(|first: char| first.is_ascii_alphabetic())
        && proper.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'.' | b'-'));
    // `jdbc:oracle:thin://`: more of them.
    let nested = scheme.starts_with("jdbc:")
        && proper
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'.' | b'-' | b':'));
    if valid || nested { at + 3 } else { 0 }
}

/// Whether it begins with `key=`: then an `@` is part of a value, not what parts user and host.
fn is_keyed(text: &str) -> bool {
    text.find(['=', ':', '/', '@', '?', '{', '}']).is_some_and(|at| at > 0 && text[at..].starts_with('='))
}

fn is_secret(key: &str) -> bool {
    let key = key.trim();
    SECRETS.iter().any(|secret| key.eq_ignore_ascii_case(secret))
}

fn url(address: &str) -> String {
    let start = scheme_end(address);
    let query = query_start(address, start);
    let (head, query) = (&address[start..query], address.get(query + 1..));
    let mut clean = address[..start].to_owned();
    // A path alone has no user: `sqlite:///srv/a@b.db`.
    match head.rfind('@').filter(|_| !head.starts_with('/')) {
        Some(at) => {
            clean.push_str(user_of(&head[..at]));
            clean.push_str(&without_parameters(&head[at..]));
        }
        None => clean.push_str(&without_parameters(head)),
    }
    let kept: Vec<&str> = query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .filter(|parameter| !is_secret_parameter(parameter))
        .collect();
    if kept.iter().any(|parameter| !parameter.is_empty()) {
        clean.push('?');
        clean.push_str(&kept.join("&"));
    }
    clean
}

/// Where the `?` of the query is; the end where there is none. A password may hold one, unescaped: what stands before it has a
/// colon with no port after it then.
fn query_start(address: &str, start: usize) -> usize {
    let text = &address[start..];
    let Some(at) = text.find('?') else { return address.len() };
    let authority = &text[..at];
    let password = authority.split_once(':').is_some_and(|(_, rest)| {
        !authority.contains(['@', '/']) && !rest.bytes().all(|b| b.is_ascii_digit())
    });
    if password && let Some(host) = text[at..].rfind('@') {
        let after = at + host;
        return text[after..].find('?').map_or(address.len(), |query| start + after + query);
    }
    start + at
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

/// SQL Server's form has its parameters behind the host: `//db:1433;user=sa;password=secret`.
fn without_parameters(head: &str) -> String {
    let parts: Vec<&str> = head.split(';').filter(|part| !is_secret_parameter(part)).collect();
    parts.join(";")
}

fn is_secret_parameter(parameter: &str) -> bool {
    let name = parameter.split('=').next().unwrap_or_default();
    parameter.contains('=') && (is_secret(name) || is_secret(&decoded(name)))
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

pub(super) fn after_odbc(text: &str) -> &str {
    match text.get(..ODBC.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(ODBC) => &text[ODBC.len()..],
        _ => text,
    }
}

fn connection_string(text: &str) -> String {
    let rest = after_odbc(text);
    let clean = without_secret_tokens(rest, delimiter(rest));
    // Names and values with spaces may outnumber the semicolons: `Initial Catalog=my db;Pwd=a b`.
    let clean = if clean.contains(';') { without_secret_tokens(&clean, ';') } else { clean };
    text[..text.len() - rest.len()].to_owned() + &clean
}

fn without_secret_tokens(text: &str, delimiter: char) -> String {
    let is_kept = |token: &&str| !token.split_once('=').is_some_and(|(key, _)| is_secret(key));
    let kept: Vec<&str> = tokens(text, delimiter).filter(is_kept).collect();
    kept.join(delimiter.encode_utf8(&mut [0; 4]))
}

fn delimiter(text: &str) -> char {
    if text.matches(';').count() > text.matches(' ').count() { ';' } else { ' ' }
}

/// The parts of a connection string, `key=value` each.
pub(super) fn tokens(text: &str, delimiter: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = token_end(text, delimiter);
        rest = text.get(end + delimiter.len_utf8()..);
        Some(&text[..end])
    })
}

/// Where the first token ends. A value in braces or quotes may hold the delimiter.
fn token_end(text: &str, delimiter: char) -> usize {
    let Some(key_end) = text.find(['=', delimiter]) else { return text.len() };
    let mut value = key_end;
    if !text[key_end..].starts_with('=') {
        // libpq takes spaces on both sides of the sign.
        let spaces = text[key_end..].len() - text[key_end..].trim_start_matches(' ').len();
        if delimiter != ' ' || key_end == 0 || !text[key_end + spaces..].starts_with('=') {
            return key_end;
        }
        value += spaces;
    }
    value += 1;
    value += text[value..].len() - text[value..].trim_start_matches(' ').len();
    let after = match text[value..].chars().next() {
        Some('{') => value + closed(&text[value..], '}', false),
        Some(quote @ ('\'' | '"')) => value + closed(&text[value..], quote, true),
        _ => value,
    };
    text[after..].find(delimiter).map_or(text.len(), |end| after + end)
}

/// Where a value that begins with a brace or a quote is closed; doubled, the sign is a part of it.
fn closed(text: &str, close: char, escapes: bool) -> usize {
    let mut signs = text.char_indices().skip(1).peekable();
    while let Some((at, sign)) = signs.next() {
        if escapes && sign == '\\' {
            signs.next();
        } else if sign == close && signs.next_if(|(_, next)| *next == close).is_none() {
            return at + close.len_utf8();
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn url_is(address: &str, clean: &str) {
        assert_eq!(without_secrets(address), Clean::Url(clean.into()), "{address}");
    }

    #[track_caller]
    fn string_is(address: &str, clean: &str) {
        assert_eq!(without_secrets(address), Clean::ConnectionString(clean.into()), "{address}");
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
    }

    #[test]
    fn urls_lose_secret_parameters() {
        url_is("h/db?PASSWORD=x", "h/db");
        url_is("h/db?a=1&Pwd=x&b=2&token=y&passwd=z&sslpassword=w", "h/db?a=1&b=2");
        url_is("h/db?x-amz-security-token=x", "h/db");
        url_is("h/db?pass%77ord=x&a", "h/db?a");
        url_is("h/db?tokens=x&password", "h/db?tokens=x&password");
        url_is("jdbc:sqlserver://h:1433;user=sa;password=x;a=b", "jdbc:sqlserver://h:1433;user=sa;a=b");
    }

    #[test]
    fn connection_strings_lose_secret_parts() {
        string_is("host=h password=s@e?c dbname=x", "host=h dbname=x");
        string_is("host=h password='a b' dbname=x", "host=h dbname=x");
        string_is("host=h password = 'a\\' b' dbname=x", "host=h dbname=x");
        string_is("host=h PASSWORD=x", "host=h");
        string_is("Server=h;Pwd={a;}};b};Database=x", "Server=h;Database=x");
        string_is("Server=h;Password = \"a;b\" ;Database=x", "Server=h;Database=x");
        string_is("User ID=sa; Password=x; Initial Catalog=d", "User ID=sa; Initial Catalog=d");
        string_is("User Id=sa;Initial Catalog=my db;Pwd=a b", "User Id=sa;Initial Catalog=my db");
        string_is("odbc:password=a@b;server=h;user id=sa", "odbc:server=h;user id=sa");
        string_is(
            "odbc:server=localhost;user id=sa;password={foo}};bar};otherthing=thing",
            "odbc:server=localhost;user id=sa;otherthing=thing",
        );
        string_is("Pwd={never closed;Database=x", "");
        string_is("sqlite::memory:", "sqlite::memory:");
        string_is("just a name", "just a name");
    }
}

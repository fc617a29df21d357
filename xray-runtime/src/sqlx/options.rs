//! The address of a database, out of the options of its driver.
//!
//! `ConnectOptions::to_url_lossy` would be the way. But it panics where the driver has no such method, for SQLite in
//! memory and for hosts such as `::1`, and a panic that is caught still shows and is reported. What the options show of
//! themselves (`Debug`) is read instead; where that changes, the address is not known, and no more.

use std::any::Any;
use std::fmt::{Debug, Write as _};

use ::sqlx::{ConnectOptions, Connection, Database};
use xray_error::text_of;

/// What is read of the options: the fields that matter come first.
const MAX_OPTIONS_CHARS: usize = 4096;

/// The address, without a password; none where it is not known.
pub(super) fn address<DB: Database>(options: &<DB::Connection as Connection>::Options) -> Option<String> {
    match DB::NAME {
        "SQLite" => sqlite(&shown(options)),
        "PostgreSQL" => server("postgres", &shown(options)),
        "MySQL" => server("mysql", &shown(options)),
        // It keeps the address that it was made with.
        "Any" => Some(options.to_url_lossy().to_string()),
        _ => None,
    }
}

fn shown(options: &(impl Debug + Any)) -> String {
    text_of(MAX_OPTIONS_CHARS, |out| write!(out, "{options:?}"))
}

fn sqlite(options: &str) -> Option<String> {
    let file = field(options, "filename")?;
    let in_memory = field(options, "in_memory").as_deref() == Some("true");
    Some(if in_memory || file == ":memory:" {
        "sqlite::memory:".to_owned()
    } else {
        format!("sqlite://{}", encoded(&file, false))
    })
}

fn server(scheme: &str, options: &str) -> Option<String> {
    let host = match field(options, "socket").filter(|socket| socket != "None") {
        Some(socket) => encoded(&socket, true),
        None => {
            let (host, port) = (field(options, "host")?, field(options, "port")?);
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
        }
    };
    let user = encoded(&field(options, "username")?, true);
    let database = field(options, "database").filter(|database| database != "None").unwrap_or_default();
    Some(format!("{scheme}://{user}@{host}/{}", encoded(&database, true)))
}

/// The field of a struct as `derive(Debug)` shows it: its text, or what else stands there; of `Some(..)` what is in it.
fn field(shown: &str, name: &str) -> Option<String> {
    let mut rest = shown.split_once('{')?.1;
    loop {
        let (key, after) = rest.split_once(':')?;
        let value = after.trim_start();
        let end = value_end(value);
        if key.trim() == name {
            let value = value[..end].trim();
            let value = value.strip_prefix("Some(").and_then(|v| v.strip_suffix(')')).unwrap_or(value);
            return Some(match value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) {
                Some(text) => unescaped(text),
                None => value.to_owned(),
            });
        }
        rest = value.get(end + 1..)?;
    }
}

/// Where the value ends: at a comma or a bracket that belongs to what is around it.
fn value_end(value: &str) -> usize {
    let mut depth = 0_usize;
    let mut signs = value.char_indices();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '"' => {
                while let Some((_, sign)) = signs.next() {
                    match sign {
                        '\\' => drop(signs.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ',' | ')' | ']' | '}' if depth == 0 => return at,
            _ => {}
        }
    }
    value.len()
}

/// The text that Rust shows as this literal.
fn unescaped(literal: &str) -> String {
    let mut text = String::new();
    let mut signs = literal.chars();
    while let Some(sign) = signs.next() {
        if sign != '\\' {
            text.push(sign);
            continue;
        }
        match signs.next() {
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('0') => text.push('\0'),
            Some('u') => {
                let digits: String = signs.by_ref().skip(1).take_while(|sign| *sign != '}').collect();
                text.extend(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32));
            }
            Some(other) => text.push(other),
            None => {}
        }
    }
    text
}

/// With `%xx` for what would end it in an address.
fn encoded(text: &str, slashes: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '%' | '?' | '#' | '@' | ':' | ';' | ' ' => drop(write!(out, "%{:02X}", u32::from(sign))),
            '/' if slashes => out.push_str("%2F"),
            _ => out.push(sign),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_whatever_stands_before_them() {
        let shown = r#"O { a: "x, \" } b: 1", host: "h\u{e9}", port: 5, n: None, l: L { host: "no", v: [1, (2, 3)] }, s: Some("/run"), last: true }"#;
        for (name, value) in [
            ("a", "x, \" } b: 1"),
            ("host", "hé"),
            ("port", "5"),
            ("n", "None"),
            ("s", "/run"),
            ("last", "true"),
        ] {
            assert_eq!(field(shown, name).as_deref(), Some(value), "{name}");
        }
        for shown in [shown, "", "O", "O {", "O { a: \"", "O { a: 1"] {
            assert_eq!(field(shown, "v"), None, "{shown}");
        }
    }

    #[test]
    fn servers_and_sockets_have_an_address() {
        // As sqlx 0.9 shows them.
        let pg = r#"PgConnectOptions { host: "::1", port: 5432, socket: None, username: "a@b", password: Some("x, host: y"), database: Some("orders"), ssl_mode: Prefer"#;
        assert_eq!(server("postgres", pg).unwrap(), "postgres://a%40b@[::1]:5432/orders");
        let socket = r#"O { host: "h", port: 1, socket: Some("/var/run"), username: "a", password: None, database: None }"#;
        assert_eq!(server("mysql", socket).unwrap(), "mysql://a@%2Fvar%2Frun/");
        assert_eq!(server("mysql", "O { other: 1 }"), None);
    }

    #[test]
    fn sqlite_has_a_file_or_none() {
        assert_eq!(sqlite(r#"O { filename: ":memory:", in_memory: true, }"#).unwrap(), "sqlite::memory:");
        let file = sqlite(r#"O { filename: "file:sqlx-in-memory-0", in_memory: true }"#);
        assert_eq!(file.unwrap(), "sqlite::memory:");
        let file = sqlite(r#"O { filename: "/srv/a b?.db", in_memory: false }"#);
        assert_eq!(file.unwrap(), "sqlite:///srv/a%20b%3F.db");
    }
}

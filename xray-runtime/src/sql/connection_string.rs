//! Connection strings, `key=value` each part, without their secrets.

use std::ops::Range;

use super::secrets::is_secret;
use super::url::{scheme_end, url};

/// The prefix of a connection string for ODBC.
const ODBC: &str = "odbc:";

pub(super) fn after_odbc(text: &str) -> &str {
    match text.get(..ODBC.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(ODBC) => &text[ODBC.len()..],
        _ => text,
    }
}

pub(super) fn connection_string(text: &str) -> String {
    let rest = after_odbc(text);
    let delimiter = delimiter(rest);
    let mut cuts = secret_tokens(rest, delimiter);
    // Names and values with spaces may outnumber the semicolons, and the other way round: `Initial Catalog=my db;Pwd=a b`.
    let other = if delimiter == ';' { ' ' } else { ';' };
    let is_parted = other == ';' && is_parted_by_semicolons(rest);
    for cut in secret_tokens(rest, other) {
        let (start, end) = (cut.token.start, cut.token.end);
        let is_cut = cuts.iter().any(|known| known.whole.start <= start && end <= known.whole.end);
        let is_apart = cuts.iter().all(|known| end <= known.token.start || known.token.end <= start);
        if !is_cut && (is_apart || is_parted) {
            cuts.push(cut);
        }
    }
    let mut clean = text[..text.len() - rest.len()].to_owned();
    clean.push_str(&without(rest, cuts));
    with_clean_urls(&clean, delimiter)
}

/// Whether there are semicolons, and each part between them is `key=value`.
fn is_parted_by_semicolons(text: &str) -> bool {
    text.contains(';') && text.split(';').all(|part| part.trim().is_empty() || part.contains('='))
}

/// A value may be an URL: `url=postgres://user:password@host/db`.
fn with_clean_urls(text: &str, delimiter: char) -> String {
    if !text.contains("://") {
        return text.to_owned();
    }
    let clean = |token: &str| match token.split_once('=') {
        Some((key, value)) if scheme_end(value) > 0 => format!("{key}={}", url(value)),
        _ => token.to_owned(),
    };
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for token in token_ranges(text, delimiter, false) {
        out.push_str(&text[end..token.start]);
        out.push_str(&clean(&text[token.clone()]));
        end = token.end;
    }
    out
}

/// A token whose value is a secret.
struct Cut {
    /// Without spaces around it.
    token: Range<usize>,
    /// With the delimiter that goes too.
    whole: Range<usize>,
}

pub(super) fn without_secret_tokens(text: &str, delimiter: char) -> String {
    without(text, secret_tokens(text, delimiter))
}

fn secret_tokens(text: &str, delimiter: char) -> Vec<Cut> {
    let mut cuts = Vec::new();
    let mut is_first = true;
    for token in token_ranges(text, delimiter, false) {
        let inside = &text[token.clone()];
        if inside.split_once('=').is_some_and(|(key, _)| is_secret(key)) {
            let whole = if is_first {
                token.start..text.len().min(token.end + 1)
            } else {
                token.start - 1..token.end
            };
            let start = token.start + inside.len() - inside.trim_start().len();
            cuts.push(Cut { token: start..start + inside.trim().len(), whole });
        } else {
            is_first = false;
        }
    }
    cuts
}

fn without(text: &str, mut cuts: Vec<Cut>) -> String {
    cuts.sort_by_key(|cut| cut.whole.start);
    let mut clean = String::with_capacity(text.len());
    let mut end = 0;
    for Cut { whole, .. } in cuts {
        clean.push_str(text.get(end..whole.start).unwrap_or_default());
        end = end.max(whole.end);
    }
    clean + &text[end..]
}

fn delimiter(text: &str) -> char {
    if text.matches(';').count() > text.matches(' ').count() { ';' } else { ' ' }
}

/// The parts of a connection string, `key=value` each, as its user means them: quotes may hold the delimiter.
pub(super) fn tokens(text: &str, delimiter: char) -> impl Iterator<Item = &str> {
    token_ranges(text, delimiter, true).map(|token| &text[token])
}

/// Where the parts are. `quotes`: whether those around what is no secret count. In some forms they are signs like others, so that the next
/// part, a secret, may stand between two of them.
fn token_ranges(text: &str, delimiter: char, quotes: bool) -> impl Iterator<Item = Range<usize>> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let start = next?;
        let end = start + token_end(&text[start..], delimiter, quotes);
        // A delimiter is one byte.
        next = (end < text.len()).then_some(end + 1);
        Some(start..end)
    })
}

/// Where the first token ends.
fn token_end(text: &str, delimiter: char, quotes: bool) -> usize {
    let is_end = |c: char| if delimiter == ';' { c == ';' } else { c.is_ascii_whitespace() };
    let blanks = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_whitespace()).len();
    let Some(key_end) = text.find(|c| c == '=' || is_end(c)) else { return text.len() };
    let key = &text[..key_end];
    let mut value = key_end;
    if !text[key_end..].starts_with('=') {
        // libpq takes blanks on both sides of the sign.
        let blanks = blanks(&text[key_end..]);
        if delimiter == ';' || key_end == 0 || !text[key_end + blanks..].starts_with('=') {
            return key_end;
        }
        value += blanks;
    }
    value += 1;
    let is_secret = is_secret(key);
    let skipped = blanks(&text[value..]);
    // But in `password= dbname=orders` there is none.
    let next = &text[value + skipped..];
    let is_next = delimiter == ' '
        && skipped > 0
        && next
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .is_some_and(|end| end > 0 && next[end..].starts_with('='));
    if is_next {
        return value;
    }
    value += skipped;
    let rest = &text[value..];
    let closed = match rest.chars().next() {
        Some('{') => braced_or_quoted(rest),
        Some('\'' | '"') if is_secret || quotes => braced_or_quoted(rest),
        _ => Some(0),
    };
    let mut end = value
        + match closed {
            Some(closed) => closed,
            // It is not closed: a secret reaches to the end, another does not hide what follows.
            None if is_secret => return text.len(),
            None => 0,
        };
    while let Some(at) = text[end..].find(is_end) {
        end += at;
        // libpq has blanks escaped.
        let is_escaped = is_secret && delimiter == ' ' && text[value..end].ends_with('\\');
        if !is_escaped {
            return end;
        }
        end += 1;
    }
    text.len()
}

/// Where a value that begins with a brace or a quote is closed, if it is; doubled, the sign is a part of it. 0 for another value.
pub(super) fn braced_or_quoted(text: &str) -> Option<usize> {
    let (close, escapes) = match text.chars().next() {
        Some('{') => ('}', false),
        Some(quote @ ('\'' | '"')) => (quote, true),
        _ => return Some(0),
    };
    let mut signs = text.char_indices().skip(1).peekable();
    while let Some((at, sign)) = signs.next() {
        if escapes && sign == '\\' {
            signs.next();
        } else if sign == close && signs.next_if(|(_, next)| *next == close).is_none() {
            return Some(at + close.len_utf8());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::sql::secrets::{Clean, without_secrets};

    #[track_caller]
    fn string_is(address: &str, clean: &str) {
        assert_eq!(without_secrets(address), Clean::ConnectionString(clean.into()), "{address}");
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
        string_is("App={never closed;Pwd=x;Database=y", "App={never closed;Database=y");
        string_is("App='a;Pwd=b';Database=y", "App='a;Database=y");
        string_is("password=", "");
        string_is("host=h password= dbname=x", "host=h dbname=x");
        string_is("host=h password=a\\ b dbname=x", "host=h dbname=x");
        string_is("host=h\tpassword=x\ndbname=y", "host=h\ndbname=y");
        string_is("host=h;password=x user=y", "host=h");
        string_is("a=b; Pwd=x y; c=d", "a=b; c=d");
        string_is("Server=db; Database=x; User Id=sa; Password=x;", "Server=db; Database=x; User Id=sa;");
        string_is("host=h password=a;;;b dbname=x", "host=h dbname=x");
        string_is("url=postgres://u:p@h/db a=b", "url=postgres://u@h/db a=b");
        string_is("sqlite::memory:", "sqlite::memory:");
        string_is("just a name", "just a name");
    }
}

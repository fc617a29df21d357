//! Addresses of databases without their secrets (section 11 of the client's spec).
//!
//! Where a text can be read in two ways, what either of them takes for a secret is dropped.

use super::connection_string::{after_odbc, connection_string};
use super::url::{scheme_end, url};

/// Names of parameters whose value is a secret, in lower case.
pub(super) const SECRETS: [&str; 6] =
    ["password", "passwd", "pwd", "sslpassword", "token", "x-amz-security-token"];

/// What is left may, put together, look like a secret again; that is looked at so often.
const MAX_PASSES: usize = 8;

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
    let is_url = is_url(address);
    let mut clean = once(address);
    for _ in 1..MAX_PASSES {
        let again = once(&clean);
        if again == clean {
            break;
        }
        clean = again;
    }
    if is_url { Clean::Url(clean) } else { Clean::ConnectionString(clean) }
}

fn once(address: &str) -> String {
    if is_url(address) { url(address) } else { connection_string(address) }
}

fn is_url(address: &str) -> bool {
    scheme_end(address) > 0 || (address.contains(['@', '?']) && !is_keyed(after_odbc(address)))
}

/// Whether it begins with `key=`: then an `@` is part of a value, not what parts user and host.
pub(super) fn is_keyed(text: &str) -> bool {
    text.find(['=', ':', '/', '@', '?', '{', '}']).is_some_and(|at| at > 0 && text[at..].starts_with('='))
}

pub(super) fn is_secret(key: &str) -> bool {
    let key = key.trim();
    SECRETS.iter().any(|secret| key.eq_ignore_ascii_case(secret))
}

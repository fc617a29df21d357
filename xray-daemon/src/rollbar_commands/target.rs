//! Where a command sends to, and with which token: flags, then the environment, then the local daemon.

use std::net::IpAddr;

use reqwest::Url;
use reqwest::header::HeaderValue;
use thiserror::Error;

/// Rollbar's own API.
const ROLLBAR: &str = "https://api.rollbar.com/api/1/";

/// The double in a daemon on this machine.
const LOCAL: &str = "http://127.0.0.1:2000/api/1/";

/// For a double, to which any token will do.
const ANY_TOKEN: &str = "local";

/// An API, and the token that it is called with.
#[derive(Clone)]
pub(super) struct Target {
    /// Ends with a slash.
    pub(super) base: Url,
    token: String,
}

/// Why there is no [`Target`].
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum TargetError {
    #[error("{0:?} is no http(s) address of Rollbar's API, such as {LOCAL} or {ROLLBAR}")]
    Url(String),
    #[error(
        "no access token for {0}: give one with `-t` or ROLLBAR_ACCESS_TOKEN (a daemon on this machine needs none)"
    )]
    NoToken(String),
    #[error("the access token has characters that none has")]
    Token,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("base", &self.base.as_str())
            .field("token", &mask(&self.token))
            .finish()
    }
}

impl Target {
    /// What was given by flags, then what `env` has.
    pub(super) fn of(
        url: Option<&str>,
        token: Option<&str>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, TargetError> {
        let set = |given: Option<&str>, name: &str| {
            given
                .map(str::to_owned)
                .or_else(|| env(name))
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty())
        };
        let token = set(token, "ROLLBAR_ACCESS_TOKEN");
        let default = if token.is_some() { ROLLBAR } else { LOCAL };
        let url = set(url, "ROLLBAR_ENDPOINT").unwrap_or_else(|| default.to_owned());
        let base = base_of(&url).ok_or(TargetError::Url(url))?;
        let token = match token {
            Some(token) => token,
            None if is_local(&base) => ANY_TOKEN.to_owned(),
            None => return Err(TargetError::NoToken(base.into())),
        };
        Self { base, token }.checked()
    }

    fn checked(self) -> Result<Self, TargetError> {
        self.header().map(|_| self.clone()).ok_or(TargetError::Token)
    }

    /// For `X-Rollbar-Access-Token`; never shown by what prints headers.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut header = HeaderValue::from_str(&self.token).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    pub(super) fn is_local(&self) -> bool {
        is_local(&self.base)
    }

    /// A text of the API with the token masked, which some of its messages repeat.
    pub(super) fn masked(&self, text: &str) -> String {
        if self.token == ANY_TOKEN { text.to_owned() } else { text.replace(&self.token, &mask(&self.token)) }
    }
}

/// As much of a token as tells which it is.
fn mask(token: &str) -> String {
    let shown: String = token.chars().take(if token.len() >= 16 { 4 } else { 0 }).collect();
    format!("{shown}****")
}

/// The API's root: SDKs take the address of the root, or that of its items.
fn base_of(url: &str) -> Option<Url> {
    let mut url = Url::parse(url).ok()?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return None;
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/item").unwrap_or(path);
    let path = if path.is_empty() { "/api/1/".to_owned() } else { format!("{path}/") };
    url.set_path(&path);
    Some(url)
}

fn is_local(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn of(
        url: Option<&str>,
        token: Option<&str>,
        env: &[(&str, &str)],
    ) -> Result<(String, String), TargetError> {
        let env = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Target::of(url, token, env).map(|target| (target.base.to_string(), target.token))
    }

    #[test]
    fn flags_then_environment_then_the_local_daemon() {
        let both =
            [("ROLLBAR_ACCESS_TOKEN", TOKEN), ("ROLLBAR_ENDPOINT", "http://proxy:8/rollbar/api/1/item/")];
        let local = LOCAL.to_owned();
        assert_eq!(of(None, None, &[]), Ok((local.clone(), ANY_TOKEN.to_owned())));
        assert_eq!(of(None, None, &[("ROLLBAR_ACCESS_TOKEN", " ")]), Ok((local, ANY_TOKEN.to_owned())));
        assert_eq!(of(None, Some(TOKEN), &[]), Ok((ROLLBAR.to_owned(), TOKEN.to_owned())));
        assert_eq!(of(None, None, &both), Ok(("http://proxy:8/rollbar/api/1/".to_owned(), TOKEN.to_owned())));
        assert_eq!(
            of(Some("http://[::1]:9"), Some("t"), &both),
            Ok(("http://[::1]:9/api/1/".to_owned(), "t".to_owned()))
        );
        assert_eq!(
            of(Some("http://a.b"), None, &[]),
            Err(TargetError::NoToken("http://a.b/api/1/".to_owned()))
        );
        assert_eq!(of(None, Some("line\nend"), &[]), Err(TargetError::Token));
    }

    #[test]
    fn every_spelling_of_an_address_gives_the_root() {
        for (url, base) in [
            ("http://127.0.0.1:2000", "http://127.0.0.1:2000/api/1/"),
            ("http://127.0.0.1:2000/", "http://127.0.0.1:2000/api/1/"),
            ("http://127.0.0.1:2000/api/1", "http://127.0.0.1:2000/api/1/"),
            ("http://127.0.0.1:2000/api/1/item", "http://127.0.0.1:2000/api/1/"),
            ("https://api.rollbar.com/api/1/item/?a=b#c", "https://api.rollbar.com/api/1/"),
        ] {
            assert_eq!(base_of(url).map(String::from).as_deref(), Some(base), "{url}");
        }
        for url in ["", "127.0.0.1:2000", "localhost:2000", "ftp://a/", "http://", "file:///api/1/"] {
            assert_eq!(of(Some(url), Some("t"), &[]).is_err(), !url.is_empty(), "{url}");
        }
    }

    #[test]
    fn a_token_is_never_shown() {
        let target = Target::of(None, Some(TOKEN), |_| None).unwrap();
        assert!(!format!("{target:?} {:?}", target.header()).contains(TOKEN));
        assert_eq!(
            target.masked(&format!("access token not found: {TOKEN}")),
            "access token not found: 0123****"
        );
        assert_eq!(mask("short"), "****");
    }
}

//! Where items and deploys are posted to.

use std::str::FromStr;

use reqwest::Url;
use thiserror::Error;

/// The API's base URL, where the setting says nothing else.
pub const DEFAULT_ENDPOINT: &str = "https://api.rollbar.com/api/1/";

const API_PATH: &str = "/api/1/";

/// Where items and deploys are posted to.
///
/// Settings of other SDKs differ in what they call an endpoint, so that each form is taken: the address of a server
/// (`http://127.0.0.1:2000`), the API's base URL (`https://rollbar.example/api/1`, with or without the last slash), and the
/// whole URL of items (`https://rollbar.example/api/1/item/`), which is then used as it is written.
///
/// ```
/// use rollbar_runtime::Endpoint;
///
/// let local: Endpoint = "http://127.0.0.1:2000".parse()?;
/// assert_eq!(local.item_url(), "http://127.0.0.1:2000/api/1/item/");
/// assert_eq!(local.deploy_url(), "http://127.0.0.1:2000/api/1/deploy/");
/// assert_eq!(Endpoint::default().item_url(), "https://api.rollbar.com/api/1/item/");
/// # Ok::<(), rollbar_runtime::InvalidEndpoint>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    item: String,
    deploy: String,
}

/// A setting that is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidEndpoint {
    /// It is empty.
    #[error("the endpoint is empty: leave it unset for `{DEFAULT_ENDPOINT}`")]
    Empty,
    /// It is no URL.
    #[error(
        "the endpoint `{given}` is no URL ({reason}): write one like `http://127.0.0.1:2000` or `{DEFAULT_ENDPOINT}`"
    )]
    NoUrl {
        /// The setting.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It does not start with `http://` or `https://`.
    #[error("the endpoint `{given}` does not start with `http://` or `https://`: write `{instead}`")]
    Scheme {
        /// The setting.
        given: String,
        /// The same with a scheme that is known.
        instead: String,
    },
    /// It carries a user or a password. They are not repeated here.
    #[error(
        "the endpoint carries a user or a password: leave out what stands before the `@`, and give the access token as such"
    )]
    UserInfo,
    /// It carries a query or a fragment. They are not repeated here, as a token may be in them.
    #[error("the endpoint carries a query or a fragment: end it before the `?` or `#`, as in `{instead}`")]
    Query {
        /// The setting up to there.
        instead: String,
    },
}

impl Endpoint {
    /// The endpoint of a setting.
    ///
    /// # Errors
    /// When it is no http or https URL, or carries a user, a password, a query or a fragment.
    pub fn parse(setting: &str) -> Result<Self, InvalidEndpoint> {
        let given = setting.trim();
        if given.is_empty() {
            return Err(InvalidEndpoint::Empty);
        }
        let mut url = Url::parse(given).map_err(|error| match error.to_string() {
            reason if given.contains("://") || given.contains(['@', '?']) => {
                InvalidEndpoint::NoUrl { given: redacted(given), reason }
            }
            _ => without_scheme(given),
        })?;
        // `localhost:2000` is a URL of the scheme `localhost`.
        if !matches!(url.scheme(), "http" | "https") {
            return Err(without_scheme(given));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidEndpoint::UserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            url.set_query(None);
            url.set_fragment(None);
            return Err(InvalidEndpoint::Query { instead: url.into() });
        }
        let path = url.path().to_owned();
        let is_item = path.trim_end_matches('/').ends_with("/item");
        let base = match path.trim_end_matches('/') {
            "" => API_PATH.to_owned(),
            item if is_item => item.trim_end_matches("item").to_owned(),
            base => format!("{base}/"),
        };
        let at = |path: String| {
            let mut url = url.clone();
            url.set_path(&path);
            String::from(url)
        };
        let item = if is_item { url.clone().into() } else { at(format!("{base}item/")) };
        Ok(Self { item, deploy: at(format!("{base}deploy/")) })
    }

    /// The URL that items are posted to.
    pub fn item_url(&self) -> &str {
        &self.item
    }

    /// The URL that deploys are posted to.
    pub fn deploy_url(&self) -> &str {
        &self.deploy
    }

    pub(crate) fn is_https(&self) -> bool {
        self.item.starts_with("https:")
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Self { item: format!("{DEFAULT_ENDPOINT}item/"), deploy: format!("{DEFAULT_ENDPOINT}deploy/") }
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(setting: &str) -> Result<Self, InvalidEndpoint> {
        Self::parse(setting)
    }
}

/// What to write for an address that came with another scheme, or with none.
fn without_scheme(given: &str) -> InvalidEndpoint {
    let address = given.split_once("://").map_or(given, |(_, rest)| rest);
    let host = address.split(['/', ':']).next().unwrap_or_default();
    let is_local = host == "localhost" || host.starts_with("127.") || host.starts_with('[');
    let scheme = if is_local { "http" } else { "https" };
    let instead = format!("{scheme}://{}", redacted(address).trim_start_matches('/'));
    InvalidEndpoint::Scheme { given: redacted(given), instead }
}

/// The setting without what may be secret in it.
fn redacted(given: &str) -> String {
    let visible = given.split(['?', '#']).next().unwrap_or_default();
    let (scheme, address) = visible.split_once("://").map_or(("", visible), |(scheme, rest)| (scheme, rest));
    let address = address.rsplit_once('@').map_or(address, |(_, host)| host);
    if scheme.is_empty() { address.to_owned() } else { format!("{scheme}://{address}") }
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, InvalidEndpoint};

    fn urls(setting: &str) -> (String, String) {
        let endpoint = Endpoint::parse(setting).unwrap();
        (endpoint.item_url().to_owned(), endpoint.deploy_url().to_owned())
    }

    #[test]
    fn each_form_of_an_endpoint_gives_the_same_urls() {
        for setting in [
            "http://127.0.0.1:2000",
            "http://127.0.0.1:2000/",
            " http://127.0.0.1:2000/api/1\n",
            "http://127.0.0.1:2000/api/1/",
            "http://127.0.0.1:2000/api/1/item/",
        ] {
            let (item, deploy) = urls(setting);
            assert_eq!(item, "http://127.0.0.1:2000/api/1/item/", "{setting}");
            assert_eq!(deploy, "http://127.0.0.1:2000/api/1/deploy/", "{setting}");
        }
    }

    #[test]
    fn a_whole_url_of_items_is_used_as_it_is_written() {
        assert_eq!(urls("https://relay.example/in/item").0, "https://relay.example/in/item");
        assert_eq!(urls("https://relay.example/in/item").1, "https://relay.example/in/deploy/");
        assert_eq!(urls("https://relay.example/in").0, "https://relay.example/in/item/");
        assert_eq!(urls("https://relay.example/api/1/items").0, "https://relay.example/api/1/items/item/");
        assert_eq!(urls("https://relay.example/item").1, "https://relay.example/deploy/");
        assert_eq!(urls("http://[::1]:2000").0, "http://[::1]:2000/api/1/item/");
    }

    #[test]
    fn the_default_is_rollbar() {
        assert_eq!(Endpoint::default().item_url(), "https://api.rollbar.com/api/1/item/");
        assert_eq!(Endpoint::default().deploy_url(), "https://api.rollbar.com/api/1/deploy/");
    }

    fn refused(setting: &str) -> String {
        Endpoint::parse(setting).unwrap_err().to_string()
    }

    #[test]
    fn a_refusal_says_what_to_write() {
        assert_eq!(Endpoint::parse("  "), Err(InvalidEndpoint::Empty));
        assert!(refused("localhost:2000").ends_with("write `http://localhost:2000`"));
        assert!(refused("127.0.0.1:2000/api/1").ends_with("write `http://127.0.0.1:2000/api/1`"));
        assert!(refused("api.rollbar.com").ends_with("write `https://api.rollbar.com`"));
        assert!(refused("//api.rollbar.com/").ends_with("write `https://api.rollbar.com/`"));
        assert!(refused("ftp://api.rollbar.com/").ends_with("write `https://api.rollbar.com/`"));
        assert!(refused("http://:2000").contains("is no URL"));
        assert!(refused("http://h/api/1/?a=b").ends_with("as in `http://h/api/1/`"));
    }

    #[test]
    fn a_refusal_repeats_no_secret() {
        for setting in [
            "http://user:hunter2@h/",
            "http://hunter2@h/",
            "ftp://user:hunter2@h/",
            "http://user:hunter2@:1/",
            "https://h/api/1/?access_token=hunter2",
            "h/?access_token=hunter2",
            "https://h:99999/?access_token=hunter2",
        ] {
            assert!(!refused(setting).contains("hunter2"), "{}", refused(setting));
            assert!(!format!("{:?}", Endpoint::parse(setting)).contains("hunter2"));
        }
    }
}

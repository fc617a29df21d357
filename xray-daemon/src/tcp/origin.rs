//! Which requests a browser may make: the checks against DNS rebinding, and against calls that pages of other sites make blindly.
//!
//! A page of another site cannot read what a daemon on this machine answers, unless its own name is made to resolve to
//! 127.0.0.1: then the browser takes the daemon for that site. The Host header, which the page cannot choose, still
//! carries the name. So a request under a foreign name is refused where a browser may have sent it. Programs in
//! containers, which reach the daemon under names such as `xray-daemon`, send none of a browser's headers and pass.
//!
//! Such a page may still send what it likes to 127.0.0.1, though it cannot read the answer. Where the daemon signs what it is
//! asked, that would be a call with the user's credentials: there only the daemon's own pages may ask.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::header::{ACCEPT, HOST, ORIGIN, REFERER};
use axum::http::{HeaderMap, HeaderValue, Uri};

/// The longest part of a foreign Host that is told.
const TOLD: usize = 255;

/// The names under which pages may ask.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origins {
    names: Vec<String>,
    own_pages_only: bool,
}

impl Origins {
    /// The name in the address that is listened on, where it is a name, and those that the user allows.
    pub(crate) fn new<'a>(bind: &'a str, allowed: impl IntoIterator<Item = &'a str>) -> Self {
        let mut names = Vec::new();
        for host in std::iter::once(bind).chain(allowed) {
            let name = name_of(host).unwrap_or(host).to_ascii_lowercase();
            if !name.is_empty() {
                names.push(name);
            }
        }
        Self { names, own_pages_only: false }
    }

    /// Lets no page ask that was not loaded from the daemon itself.
    #[cfg(feature = "relay")]
    pub(crate) fn own_pages_only(self) -> Self {
        Self { own_pages_only: true, ..self }
    }

    /// What is answered, if the request is to be refused.
    pub(crate) fn refusal(&self, uri: &Uri, headers: &HeaderMap) -> Option<String> {
        let sign = sign_of_a_browser(headers)?;
        if self.own_pages_only && is_of_another_site(headers) {
            return Some(format!(
                "refused: the request {sign}, and was made by a page of another site. The daemon signs what it is asked with its \
                 own credentials: no such page may ask"
            ));
        }
        // The name in an absolute-form target (`GET http://name/ ..`) counts instead of the header; here both must do.
        let mut hosts = headers.get_all(HOST).iter().map(|host| String::from_utf8_lossy(host.as_bytes()));
        let in_uri = uri.authority().map(|authority| authority.as_str().into());
        let hosts: Vec<_> = hosts.by_ref().chain(in_uri).collect();
        let foreign = match hosts.iter().find(|host| !self.allows(host)) {
            Some(host) => host,
            None if hosts.is_empty() => "",
            None => return None,
        };
        let what = if foreign.is_empty() {
            "refused: a request with no Host".to_owned()
        } else {
            let told: String = foreign.chars().take(TOLD).collect();
            format!("refused: the Host {told:?} is no name of this daemon, and the request")
        };
        let name: String = name_of(foreign).unwrap_or("NAME").chars().take(TOLD).collect();
        Some(format!(
            "{what} {sign}: a page of another site may be asking (DNS rebinding). Ask by IP address or as localhost; where \
             the name is yours, start the daemon with `--allow-host {name}`"
        ))
    }

    /// Whether a Host header names this daemon in a way that no other site can.
    fn allows(&self, host: &str) -> bool {
        // Without brackets, so without a port; no browser writes it so.
        if host.parse::<Ipv6Addr>().is_ok() {
            return true;
        }
        let Some(name) = name_of(host) else { return false };
        let address = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            // A zone is this machine's own, and not for the wire.
            Some(ipv6) => ipv6.split('%').next().unwrap_or(ipv6).parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            None => name.parse().ok().filter(IpAddr::is_ipv4),
        };
        let name = name.to_ascii_lowercase();
        address.is_some() || name == "localhost" || self.names.contains(&name)
    }
}

/// The header that only a browser sends, or only who wants to look: that is, why the request could be a page's.
pub(crate) fn sign_of_a_browser(headers: &HeaderMap) -> Option<String> {
    let by_name = headers
        .keys()
        .find(|name| *name == ORIGIN || *name == REFERER || name.as_str().starts_with("sec-fetch-"));
    if let Some(name) = by_name {
        return Some(format!("carries {}", title_case(name.as_str())));
    }
    let wanted = headers.get_all(ACCEPT).iter().find_map(|accept| {
        let accept = String::from_utf8_lossy(accept.as_bytes()).to_ascii_lowercase();
        accept.split(',').find_map(|range| match range.split(';').next().unwrap_or(range).trim() {
            "text/html" | "application/xhtml+xml" => Some("asks for a page"),
            "text/event-stream" => Some("asks for a stream"),
            _ => None,
        })
    });
    wanted.map(str::to_owned)
}

/// Whether a browser says that the page was loaded from elsewhere than where the request goes.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).map(HeaderValue::as_bytes);
    let mut origins = headers.get_all(ORIGIN).iter().map(HeaderValue::as_bytes);
    let is_own = |origin: &[u8]| {
        let authority = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
        authority.zip(host).is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host))
    };
    let mut sites = headers.get_all("sec-fetch-site").iter();
    // `none` is a person's: an address that was typed, a bookmark.
    origins.any(|origin| !is_own(origin)) || sites.any(|site| site != "same-origin" && site != "none")
}

fn title_case(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}

/// The name in a Host header, or in an address to listen on: without port and the root's dot. None where there is
/// no name, or a port that is none.
fn name_of(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let end = rest.find(']')? + 2;
            (&host[..end], host[end..].strip_prefix(':').or(host[end..].is_empty().then_some("")))
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, Some("")),
        },
    };
    let port = port?;
    let is_port =
        port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let name = name.strip_suffix('.').unwrap_or(name);
    (is_port && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn refusal(origins: &Origins, headers: &[(&str, &str)]) -> Option<String> {
        let headers = headers.iter().map(|(name, value)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        origins.refusal(&"/api/1/item/".parse().unwrap(), &map)
    }

    #[cfg(feature = "relay")]
    #[test]
    fn no_page_of_another_site_may_have_its_calls_signed() {
        let lenient = Origins::new("127.0.0.1:2000", []);
        let strict = lenient.clone().own_pages_only();
        let host = ("host", "127.0.0.1:2000");
        for foreign in [
            ("origin", "https://evil.example"),
            ("origin", "http://127.0.0.1:3000"),
            ("origin", "null"),
            ("origin", "127.0.0.1:2000"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert_eq!(refusal(&lenient, &[host, foreign]), None, "{foreign:?}");
            let why = refusal(&strict, &[host, foreign]).unwrap_or_else(|| panic!("{foreign:?}"));
            assert!(why.contains("a page of another site"), "{why}");
        }
        for own in [
            ("origin", "http://127.0.0.1:2000"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "none"),
            ("referer", "http://127.0.0.1:2000/"),
            ("accept", "text/html"),
            ("user-agent", "Boto3/1.34"),
        ] {
            assert_eq!(refusal(&strict, &[host, own]), None, "{own:?}");
        }
        let second = [host, ("origin", "http://127.0.0.1:2000"), ("origin", "https://evil.example")];
        assert!(refusal(&strict, &second).is_some());
        assert!(refusal(&strict, &[("origin", "http://127.0.0.1:2000")]).is_some(), "no Host");
    }

    #[test]
    fn a_page_may_ask_under_the_daemons_own_names_only() {
        let origins = Origins::new("console.local:2000", ["Traces.Example", "Other.Example.:80"]);
        let own = [
            "localhost",
            "LOCALHOST:2000",
            "localhost.",
            "localhost.:2000",
            "127.0.0.1",
            "127.0.0.1:2000",
            "127.9.9.9:1",
            "[::1]",
            "[::1]:2000",
            "::1",
            "10.0.0.7:2000",
            "[fe80::1%25eth0]:2000",
            "[2001:db8::1]:2000",
            "console.local:9",
            "Console.LOCAL.",
            "traces.example:2000",
            "TRACES.example.",
            "other.example",
        ];
        let foreign = [
            "evil.example",
            "EVIL.example:2000",
            "xray-daemon:2000",
            "",
            ":2000",
            ".",
            "localhost..",
            "localhost.evil.example",
            "evil.localhost",
            "localhost:port",
            "localhost:99999",
            "localhost:20 00",
            "localhost:80:80",
            "127.0.0.1.evil.example",
            "127.0.0.1.nip.io",
            "127.1",
            "0x7f.0.0.1",
            "2130706433",
            "[::1",
            "[::1]evil.example",
            "[localhost]",
            "[127.0.0.1]",
            "user@localhost",
            "localhost@evil.example",
            "localhost/evil.example",
            "traces.example.evil.example",
            "sub.traces.example",
            "l\u{f6}calhost",
        ];
        let signs = [
            ("origin", "http://evil.example"),
            ("origin", "null"),
            ("referer", "http://evil.example/"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "no-cors"),
            ("accept", "text/html"),
            ("accept", "application/json, TEXT/HTML;q=0.9"),
            ("accept", "text/event-stream"),
        ];
        for sign in signs {
            for host in own {
                assert_eq!(refusal(&origins, &[("host", host), sign]), None, "{host} {sign:?}");
            }
            for host in foreign {
                assert!(refusal(&origins, &[("host", host), sign]).is_some(), "{host} {sign:?}");
            }
            assert!(refusal(&origins, &[sign]).is_some(), "no Host, {sign:?}");
            let two = [("host", "localhost"), ("host", "evil.example"), sign];
            assert!(refusal(&origins, &two).is_some(), "{sign:?}");
        }
    }

    #[test]
    fn programs_pass_under_any_name() {
        let origins = Origins::new("0.0.0.0:2000", []);
        for host in ["xray-daemon:2000", "host.docker.internal:2000", "evil.example", "", "::::"] {
            for accept in ["*/*", "application/json", "", "application/x-amz-json-1.1"] {
                let headers = [("host", host), ("accept", accept), ("user-agent", "python-requests/2.34.2")];
                assert_eq!(refusal(&origins, &headers), None, "{host}");
            }
        }
        assert_eq!(refusal(&origins, &[]), None);
    }

    #[test]
    fn the_name_in_an_absolute_target_counts() {
        let origins = Origins::default();
        let headers = HeaderMap::from_iter([
            (HOST, HeaderValue::from_static("localhost")),
            (ORIGIN, HeaderValue::from_static("http://localhost")),
        ]);
        assert!(origins.refusal(&"http://evil.example/".parse().unwrap(), &headers).is_some());
        assert_eq!(origins.refusal(&"http://localhost:2000/".parse().unwrap(), &headers), None);
    }

    #[test]
    fn the_answer_says_why_and_what_to_do() {
        let origins = Origins::default();
        let answer = refusal(&origins, &[("host", "evil.example:2000"), ("sec-fetch-mode", "cors")]).unwrap();
        assert!(answer.starts_with(
            "refused: the Host \"evil.example:2000\" is no name of this daemon, and the request carries Sec-Fetch-Mode: a page"
        ));
        assert!(answer.ends_with("`--allow-host evil.example`"), "{answer}");
        let answer = refusal(&origins, &[("accept", "text/html")]).unwrap();
        assert!(answer.starts_with("refused: a request with no Host asks for a page"), "{answer}");
        let answer = refusal(&origins, &[("host", &"x".repeat(60_000)), ("origin", "null")]).unwrap();
        assert!(answer.len() < 1_000);
    }
}

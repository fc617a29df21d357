//! What a document says of an HTTP exchange: request, response, and the flags that a status stands for.

use std::borrow::Cow;

use xray_error::cut;

/// Unicode scalar values of a method, address or user agent; from the schema of segment documents (v1.0.0).
pub const MAX_HTTP_TEXT_CHARS: usize = 250;

/// How a call went wrong: `error` is the caller's fault, `throttle` too many calls, `fault` the callee's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct StatusFlags {
    /// The caller did wrong (4xx).
    pub error: bool,
    /// The caller called too often (429); always with `error`.
    pub throttle: bool,
    /// The callee did wrong (5xx).
    pub fault: bool,
}

impl StatusFlags {
    /// All is well.
    pub const NONE: Self = Self { error: false, throttle: false, fault: false };
    /// Only `error`.
    pub const ERROR: Self = Self { error: true, ..Self::NONE };
    /// `error` and `throttle`.
    pub const THROTTLE: Self = Self { throttle: true, ..Self::ERROR };
    /// Only `fault`.
    pub const FAULT: Self = Self { fault: true, ..Self::NONE };

    /// The flags of an HTTP status: 400 to 499 error, 429 also throttle, 500 to 599 fault.
    pub const fn from_http(status: u16) -> Self {
        match status {
            429 => Self::THROTTLE,
            400..=499 => Self::ERROR,
            500..=599 => Self::FAULT,
            _ => Self::NONE,
        }
    }

    /// The flags of a gRPC status code, as the SDK for Go has them; a code that gRPC does not define counts as Unknown.
    pub const fn from_grpc(code: i32) -> Self {
        match code {
            0 => Self::NONE,
            // ResourceExhausted
            8 => Self::THROTTLE,
            // Canceled, InvalidArgument, NotFound, AlreadyExists, PermissionDenied, FailedPrecondition, Aborted,
            // OutOfRange, Unauthenticated
            1 | 3 | 5 | 6 | 7 | 9 | 10 | 11 | 16 => Self::ERROR,
            // Unknown, DeadlineExceeded, Unimplemented, Internal, Unavailable, DataLoss
            _ => Self::FAULT,
        }
    }
}

/// Statuses that mean something else here than in general.
///
/// ```
/// use xray_runtime::{StatusFlags, StatusOverrides};
///
/// let overrides = StatusOverrides::new().with(404, StatusFlags::NONE);
/// assert_eq!(overrides.flags(404), StatusFlags::NONE);
/// assert_eq!(overrides.flags(403), StatusFlags::ERROR);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatusOverrides(Vec<(u16, StatusFlags)>);

impl StatusOverrides {
    /// None: each status has the flags of [`StatusFlags::from_http`].
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The same, but `status` has these flags.
    #[must_use]
    pub fn with(mut self, status: u16, flags: StatusFlags) -> Self {
        self.0.retain(|(known, _)| *known != status);
        self.0.push((status, flags));
        self
    }

    /// The flags of a status.
    pub fn flags(&self, status: u16) -> StatusFlags {
        let own = self.0.iter().find(|(known, _)| *known == status);
        own.map_or(StatusFlags::from_http(status), |(_, flags)| *flags)
    }
}

/// `http.request` of a document. Each text is cut at [`MAX_HTTP_TEXT_CHARS`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpRequest {
    pub(crate) method: Option<Cow<'static, str>>,
    pub(crate) url: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) client_ip: Option<String>,
    pub(crate) x_forwarded_for: bool,
}

impl HttpRequest {
    /// A request of which nothing is known yet.
    pub const fn new() -> Self {
        Self { method: None, url: None, user_agent: None, client_ip: None, x_forwarded_for: false }
    }

    /// With the method, such as `GET`.
    #[must_use]
    pub fn with_method(mut self, method: impl Into<Cow<'static, str>>) -> Self {
        self.method = Some(match method.into() {
            Cow::Borrowed(method) => Cow::Borrowed(cut(method, MAX_HTTP_TEXT_CHARS)),
            Cow::Owned(method) => Cow::Owned(capped(method)),
        });
        self
    }

    /// With the address. It is taken as it is: see [`url_without_secrets`].
    #[must_use]
    pub fn with_url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(capped(url.into()));
        self
    }

    /// With the user agent.
    #[must_use]
    pub fn with_user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(capped(user_agent.into()));
        self
    }

    /// With the address of the client, as [`ClientIp::find`] has it.
    #[must_use]
    pub fn with_client_ip(mut self, client_ip: ClientIp<'_>) -> Self {
        self.client_ip = Some(client_ip.address.to_owned());
        self.x_forwarded_for = client_ip.x_forwarded_for;
        self
    }
}

/// `http.response` of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HttpResponse {
    pub(crate) status: Option<u16>,
    pub(crate) content_length: Option<u64>,
}

impl HttpResponse {
    /// A response of which nothing is known yet.
    pub const fn new() -> Self {
        Self { status: None, content_length: None }
    }

    /// With the status, such as 200.
    #[must_use]
    pub const fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// With the length of the body in bytes.
    #[must_use]
    pub const fn with_content_length(mut self, bytes: u64) -> Self {
        self.content_length = Some(bytes);
        self
    }
}

/// The address of the client, and where it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientIp<'a> {
    /// At most [`MAX_HTTP_TEXT_CHARS`].
    pub(crate) address: &'a str,
    pub(crate) x_forwarded_for: bool,
}

impl<'a> ClientIp<'a> {
    /// Finds the address of the client from the X-Forwarded-For header and the address of the peer.
    ///
    /// The first element of the header that is not empty, as it stands; anybody can write there what they like. With
    /// `trusted_hops`, the number of proxies of yours that a request comes through, each of which appends the address
    /// that it was called from: the element that the outermost of them appended. Where the header has no such
    /// element, the address of the peer without its port.
    ///
    /// ```
    /// use xray_runtime::ClientIp;
    ///
    /// let header = Some("198.51.100.1, 203.0.113.9");
    /// assert_eq!(ClientIp::find(header, "10.0.0.1:443", None).address(), "198.51.100.1");
    /// assert_eq!(ClientIp::find(header, "10.0.0.1:443", Some(1)).address(), "203.0.113.9");
    /// assert_eq!(ClientIp::find(None, "10.0.0.1:443", None).address(), "10.0.0.1");
    /// ```
    pub fn find(x_forwarded_for: Option<&'a str>, peer: &'a str, trusted_hops: Option<usize>) -> Self {
        let mut elements = x_forwarded_for
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|element| !element.is_empty());
        let forwarded = match trusted_hops {
            None => elements.next(),
            Some(hops) => hops.checked_sub(1).and_then(|skipped| elements.nth_back(skipped)),
        };
        Self {
            address: cut(forwarded.unwrap_or_else(|| without_port(peer)), MAX_HTTP_TEXT_CHARS),
            x_forwarded_for: forwarded.is_some(),
        }
    }

    /// The address, without port and without brackets where it is the peer's.
    pub fn address(&self) -> &'a str {
        self.address
    }

    /// Whether the address is from the header.
    pub fn x_forwarded_for(&self) -> bool {
        self.x_forwarded_for
    }
}

/// A socket address without port and brackets; what is no socket address (a path, `unix:@`) stays.
fn without_port(peer: &str) -> &str {
    if let Some((address, port)) = peer.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        && (port.is_empty() || port.strip_prefix(':').is_some_and(is_number))
    {
        return address;
    }
    match peer.split_once(':') {
        Some((address, port)) if !address.is_empty() && is_number(port) => address,
        _ => peer,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The address of a request without what may hold secrets: query, fragment, user name and password.
///
/// ```
/// use xray_runtime::url_without_secrets;
///
/// assert_eq!(url_without_secrets("https://me:pw@example.com/a?token=1#b"), "https://example.com/a");
/// ```
pub fn url_without_secrets(url: &str) -> Cow<'_, str> {
    without_userinfo(url.split(['?', '#']).next().unwrap_or_default())
}

fn without_userinfo(url: &str) -> Cow<'_, str> {
    let Some(start) =
        url.find("//").map(|at| at + 2).filter(|&start| start == 2 || url[..start - 2].ends_with(':'))
    else {
        return Cow::Borrowed(url);
    };
    let end = url[start..].find(['/', '\\', '?', '#']).map_or(url.len(), |length| start + length);
    match url[start..end].rfind('@') {
        Some(at) => Cow::Owned([&url[..start], &url[start + at + 1..]].concat()),
        None => Cow::Borrowed(url),
    }
}

/// The address of a request that came in: `scheme://host/path`, cut at [`MAX_HTTP_TEXT_CHARS`].
///
/// `target` is the request's target: a path with or without query, a whole address, or `*`. The query is a leak, so it
/// is kept only where `keep_query` asks for it; user name and password never are.
#[cfg(any(test, feature = "actix", feature = "tower"))]
pub(crate) fn incoming_url(scheme: &str, host: &str, target: &str, keep_query: bool) -> String {
    let whole = if target.contains("://") && !target.starts_with('/') {
        Cow::Borrowed(target)
    } else {
        let target = if target == "*" { "" } else { target };
        let slash = if target.starts_with('/') || target.is_empty() { "" } else { "/" };
        Cow::Owned([scheme, "://", host, slash, target].concat())
    };
    let url = if keep_query {
        without_userinfo(whole.split('#').next().unwrap_or_default())
    } else {
        url_without_secrets(&whole)
    };
    capped(url.into_owned())
}

fn capped(mut text: String) -> String {
    text.truncate(cut(&text, MAX_HTTP_TEXT_CHARS).len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_codes_have_the_flags_of_the_go_sdk() {
        let flags: Vec<_> = (0..=16).map(StatusFlags::from_grpc).collect();
        use StatusFlags as S;
        let (n, e, t, f) = (S::NONE, S::ERROR, S::THROTTLE, S::FAULT);
        assert_eq!(flags, [n, e, f, e, f, e, e, e, t, e, e, e, f, f, f, f, e]);
        assert_eq!(StatusFlags::from_grpc(99), f);
    }

    #[test]
    fn a_status_can_mean_something_else() {
        let overrides = StatusOverrides::new().with(404, S::FAULT).with(404, S::NONE).with(200, S::ERROR);
        use StatusFlags as S;
        assert_eq!([404, 200, 429].map(|status| overrides.flags(status)), [S::NONE, S::ERROR, S::THROTTLE]);
    }

    #[test]
    fn the_client_is_counted_from_the_trusted_end() {
        let header = Some("evil, 203.0.113.9,, 10.0.0.2");
        let find = |hops| ClientIp::find(header, "10.0.0.3:1", hops).address();
        assert_eq!([find(Some(1)), find(Some(2)), find(Some(3))], ["10.0.0.2", "203.0.113.9", "evil"]);
        // Too few elements: the request did not come through the proxies, so nobody vouches for the header.
        assert_eq!(ClientIp::find(header, "10.0.0.3:1", Some(4)), ClientIp::find(None, "10.0.0.3:1", None));
        assert_eq!(find(Some(0)), "10.0.0.3");
    }

    #[test]
    fn peers_lose_port_and_brackets() {
        for (peer, address) in [
            ("[::1]:80", "::1"),
            ("[::1]", "::1"),
            ("::1", "::1"),
            ("::1:80", "::1:80"),
            ("10.0.0.1", "10.0.0.1"),
            ("localhost:x", "localhost:x"),
            (":80", ":80"),
            ("", ""),
            ("[::1", "[::1"),
        ] {
            assert_eq!(ClientIp::find(Some(" ,"), peer, None).address(), address);
        }
    }

    #[test]
    fn outgoing_addresses_keep_no_secret() {
        for (url, kept) in [
            ("https://a/b", "https://a/b"),
            ("https://a?b@c", "https://a"),
            ("https://a#b", "https://a"),
            ("https://u@v:p@a:1/b@c", "https://a:1/b@c"),
            ("//u:p@a/b", "//a/b"),
            ("/a//b@c", "/a//b@c"),
            ("a", "a"),
            ("", ""),
        ] {
            assert_eq!(url_without_secrets(url), kept, "{url}");
        }
    }

    #[test]
    fn incoming_addresses_are_whole_and_capped() {
        let url = |target| incoming_url("http", "a:1", target, false);
        assert_eq!(url("/b?c=d"), "http://a:1/b");
        assert_eq!(url("*"), "http://a:1");
        assert_eq!(url(""), "http://a:1");
        assert_eq!(url("b"), "http://a:1/b");
        assert_eq!(url("https://u:p@c/d?e"), "https://c/d");
        assert_eq!(url("/x?to=https://c"), "http://a:1/x");
        assert_eq!(incoming_url("http", "u:p@a", "/b?c=d@e", true), "http://a/b?c=d@e");
        assert_eq!(url(&format!("/{}", "é".repeat(300))).chars().count(), MAX_HTTP_TEXT_CHARS);
    }

    #[test]
    fn requests_are_capped() {
        let long = "x".repeat(300);
        let request = HttpRequest::new()
            .with_method(long.clone())
            .with_url(&long)
            .with_user_agent(&long)
            .with_client_ip(ClientIp::find(Some(&long), "", None));
        let lengths =
            [request.method.unwrap().len(), request.url.unwrap().len(), request.user_agent.unwrap().len()];
        assert_eq!(lengths, [250; 3]);
        assert_eq!(request.client_ip.unwrap().len(), 250);
        assert!(request.x_forwarded_for);
        assert!(matches!(HttpRequest::new().with_method("GET").method, Some(Cow::Borrowed("GET"))));
    }
}

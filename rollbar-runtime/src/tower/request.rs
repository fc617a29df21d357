//! What is known of a request. All of it is a stranger's, and most of it is never asked for: it is kept as it came, and read when
//! an item is made.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Extensions, Method, Uri};

use super::Options;
use super::request_body::Kept;
#[cfg(feature = "axum")]
use super::route;
use crate::IpPolicy;
use crate::item::Request;
use crate::scope::Served;
use crate::{baggage, ip};

/// Headers of an item, parameters of its query and of its route.
const MAX_VALUES: usize = 64;
/// Characters of one.
const MAX_VALUE_CHARS: usize = 1024;
/// Characters of an address, and of a query.
const MAX_URL_CHARS: usize = 4096;
/// Attributes of the header `baggage`.
const MAX_ATTRIBUTES: usize = 8;

const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Headers that tell the client's address: left out where items must not.
const ADDRESS_HEADERS: [&str; 9] = [
    "cf-connecting-ip",
    "client-ip",
    "fly-client-ip",
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded-for",
    "x-real-ip",
];

/// What was reported of a request.
const ERROR: u8 = 1;
const PANIC: u8 = 2;

/// A request that is served.
pub(super) struct ServedRequest {
    method: Method,
    /// As the client has sent it. A router of axum that is nested in another sees only the rest of the path.
    target: Uri,
    headers: HeaderMap,
    peer: Option<IpAddr>,
    #[cfg(feature = "axum")]
    route: Option<axum::extract::MatchedPath>,
    framework: &'static str,
    body: Option<Arc<Kept>>,
    options: Arc<Options>,
    reported: AtomicU8,
    /// The request round this one, of a second layer.
    outer: Option<Arc<dyn Served>>,
}

impl ServedRequest {
    pub(super) fn new<B>(
        request: &http::Request<B>,
        body: Option<Arc<Kept>>,
        options: Arc<Options>,
        outer: Option<Arc<dyn Served>>,
    ) -> Self {
        let extensions = request.extensions();
        // Below a nested router of axum the request has the rest of its path alone.
        #[cfg(feature = "axum")]
        let (framework, target) = match extensions.get::<axum::extract::OriginalUri>() {
            Some(original) => ("axum", &original.0),
            None => ("tower", request.uri()),
        };
        #[cfg(not(feature = "axum"))]
        let (framework, target) = ("tower", request.uri());
        Self {
            method: request.method().clone(),
            framework,
            target: target.clone(),
            headers: request.headers().clone(),
            peer: peer(extensions).map(|peer| peer.ip()),
            #[cfg(feature = "axum")]
            route: extensions.get().cloned(),
            body,
            options,
            reported: AtomicU8::new(0),
            outer,
        }
    }

    pub(super) fn has_reported(&self) -> bool {
        self.reported.load(Ordering::Relaxed) != 0
    }

    pub(super) fn has_reported_panic(&self) -> bool {
        self.reported.load(Ordering::Relaxed) & PANIC != 0
    }

    /// Method and path, for who has no route.
    pub(super) fn method_and_path(&self) -> String {
        format!("{} {}", self.method, xray_error::cut(self.target.path(), MAX_VALUE_CHARS))
    }

    fn text(&self, name: &HeaderName) -> Option<&str> {
        self.headers
            .get(name)
            .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
            .filter(|text| !text.is_empty())
    }

    fn url(&self) -> String {
        let forwarded = |name| if self.options.forwarded { self.text(&name).map(first) } else { None };
        let scheme = forwarded(X_FORWARDED_PROTO)
            .filter(|scheme| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()))
            .or(self.options.scheme.as_deref())
            .or(self.target.scheme_str())
            .unwrap_or("http");
        let path = self.target.path_and_query().map_or("", |path| path.as_str());
        let authority = || self.target.authority().map(|authority| authority.as_str());
        let host = forwarded(X_FORWARDED_HOST).or_else(|| self.text(&HOST)).or_else(authority);
        let url = match host {
            Some(host) => format!("{scheme}://{host}{path}"),
            // HTTP/1.0 needs no Host.
            None => path.to_owned(),
        };
        xray_error::cut(&url, MAX_URL_CHARS).to_owned()
    }

    fn user_ip(&self, policy: IpPolicy) -> Option<IpAddr> {
        let forwarded_for = joined(&self.headers, &X_FORWARDED_FOR);
        let forwarded_for = forwarded_for.as_deref();
        if let Some(hops) = self.options.trusted_hops {
            let elements =
                forwarded_for.unwrap_or_default().rsplit(',').filter(|text| !text.trim().is_empty());
            let appended = hops.checked_sub(1).and_then(|skipped| elements.into_iter().nth(skipped));
            return appended
                .and_then(|address| policy.apply_to_first(address))
                .or_else(|| policy.apply(self.peer?));
        }
        let header = |name: &str| match name {
            "X-Forwarded-For" => forwarded_for,
            name => self.headers.get(name).and_then(|value| value.to_str().ok()),
        };
        ip::client_ip(policy, header, None).or_else(|| policy.apply(self.peer?))
    }
}

impl Served for ServedRequest {
    fn request(&self, policy: IpPolicy) -> Request {
        let mut request = Request::new(xray_error::cut(self.method.as_str(), MAX_VALUE_CHARS), self.url());
        for (name, value) in self.headers.iter().take(MAX_VALUES) {
            if policy == IpPolicy::Full || !ADDRESS_HEADERS.contains(&name.as_str()) {
                request.put_header(xray_error::cut(name.as_str(), MAX_VALUE_CHARS), &shown(value));
            }
        }
        #[cfg(feature = "axum")]
        if let Some(route) = &self.route {
            for (name, value) in route::params(route.as_str(), self.target.path()).take(MAX_VALUES) {
                request.put_param(name, xray_error::cut(&value, MAX_VALUE_CHARS));
            }
        }
        if let Some(query) = self.target.query().filter(|query| !query.is_empty()) {
            let query = xray_error::cut(query, MAX_URL_CHARS);
            each_value(query.as_bytes(), |name, value| request.put_query(name, value));
            request.query_string = Some(query.to_owned());
        }
        request.user_ip = self.user_ip(policy).map(|address| address.to_string());
        if let Some(body) = &self.body {
            body.describe(&mut request);
        }
        request
    }

    #[cfg(feature = "axum")]
    fn context(&self) -> Option<String> {
        self.route.as_ref().map(|route| format!("{} {}", self.method, route.as_str()))
    }

    #[cfg(not(feature = "axum"))]
    fn context(&self) -> Option<String> {
        None
    }

    fn framework(&self) -> &'static str {
        self.framework
    }

    fn attributes(&self) -> Vec<(&'static str, String)> {
        let header = joined(&self.headers, &BAGGAGE).unwrap_or_default();
        baggage::attributes(&header)
            .take(MAX_ATTRIBUTES)
            .map(|(key, value)| (key, xray_error::cut(value, MAX_VALUE_CHARS).to_owned()))
            .collect()
    }

    fn bytes(&self) -> usize {
        let headers: usize =
            self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 64).sum();
        let target = self.target.path().len() + self.target.query().map_or(0, str::len);
        size_of::<Self>() + headers + target + self.body.as_ref().map_or(0, |_| self.options.max_body)
    }

    fn mark_reported(&self, panic: bool) {
        self.reported.fetch_or(if panic { PANIC } else { ERROR }, Ordering::Relaxed);
        if let Some(outer) = &self.outer {
            outer.mark_reported(panic);
        }
    }
}

/// Not the headers: they hold secrets.
impl fmt::Debug for ServedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServedRequest")
            .field("method", &self.method)
            .field("path", &self.target.path())
            .finish_non_exhaustive()
    }
}

/// Gives the names and values of a query or a form on, within bounds.
pub(super) fn each_value(form: &[u8], mut put: impl FnMut(&str, &str)) {
    for (name, value) in form_urlencoded::parse(form).take(MAX_VALUES) {
        put(xray_error::cut(&name, MAX_VALUE_CHARS), xray_error::cut(&value, MAX_VALUE_CHARS));
    }
}

fn shown(value: &HeaderValue) -> Cow<'_, str> {
    if value.is_sensitive() {
        return "********".into();
    }
    match String::from_utf8_lossy(value.as_bytes()) {
        Cow::Borrowed(text) => xray_error::cut(text, MAX_VALUE_CHARS).into(),
        Cow::Owned(text) => xray_error::cut(&text, MAX_VALUE_CHARS).to_owned().into(),
    }
}

/// Each proxy of a chain may have appended its own.
fn first(list: &str) -> &str {
    list.split(',').next().unwrap_or_default().trim()
}

/// All lines of a header that is a list as one.
fn joined<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<Cow<'h, str>> {
    let mut lines = headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    let first = lines.next()?;
    Some(lines.fold(first, |all, line| all + "," + line))
}

fn peer(extensions: &Extensions) -> Option<SocketAddr> {
    #[cfg(feature = "axum")]
    if let Some(info) = extensions.get::<axum::extract::ConnectInfo<SocketAddr>>() {
        return Some(info.0);
    }
    extensions.get::<SocketAddr>().copied()
}

//! What is read from a request. All of it is a stranger's: whatever it holds, the request goes on.

use std::borrow::Cow;
use std::net::SocketAddr;

use ::http::header::{HOST, HeaderMap, HeaderName, USER_AGENT};
use ::http::{Extensions, Method, Request, Uri};

use super::Options;
use crate::context;
use crate::entity::Entity;
use crate::http::{ClientIp, HttpRequest, incoming_url};
use crate::record::{FIRST, Key};

/// The annotation that holds the template of the route.
#[cfg(feature = "axum")]
const ROUTE: &str = "route";

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The target as the client has sent it. A router of axum that is nested in another sees only the rest of the path.
pub(super) fn target<B>(request: &Request<B>) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(original) = request.extensions().get::<axum::extract::OriginalUri>() {
        return &original.0;
    }
    request.uri()
}

/// The Host header; in HTTP/2 the `:authority`, which hyper puts into the target.
pub(super) fn host<B>(request: &Request<B>) -> Option<&str> {
    text(request.headers(), HOST).or_else(|| target(request).authority().map(|authority| authority.as_str()))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers
        .get(name)
        .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
        .filter(|text| !text.is_empty())
}

/// Notes on the segment, which is current, what was asked for.
pub(super) fn describe<B>(key: Key, request: &Request<B>, options: &Options) {
    if key < FIRST {
        return;
    }
    let headers = request.headers();
    let mut described =
        HttpRequest::new().with_method(method(request.method())).with_url(url(request, options));
    if let Some(user_agent) = headers.get(USER_AGENT) {
        described = described.with_user_agent(String::from_utf8_lossy(user_agent.as_bytes()));
    }
    let peer = peer(request.extensions());
    let peer = peer.map(|peer| peer.ip().to_canonical().to_string()).unwrap_or_default();
    let forwarded_for = forwarded_for(headers);
    let hops = context::current_tree().and_then(|tree| tree.core.settings.trusted_hops);
    let client_ip = ClientIp::find(forwarded_for.as_deref(), &peer, hops);
    if !client_ip.address().is_empty() {
        described = described.with_client_ip(client_ip);
    }
    let segment = Entity::local(key);
    segment.set_http_request(described);
    #[cfg(feature = "axum")]
    if let Some(route) = request.extensions().get::<axum::extract::MatchedPath>() {
        segment.put_annotation(ROUTE, route.as_str());
    }
}

/// The name of a method without an allocation, but for one that is no standard one.
fn method(method: &Method) -> Cow<'static, str> {
    const STANDARD: [(&Method, &str); 9] = [
        (&Method::GET, "GET"),
        (&Method::POST, "POST"),
        (&Method::PUT, "PUT"),
        (&Method::DELETE, "DELETE"),
        (&Method::PATCH, "PATCH"),
        (&Method::HEAD, "HEAD"),
        (&Method::OPTIONS, "OPTIONS"),
        (&Method::CONNECT, "CONNECT"),
        (&Method::TRACE, "TRACE"),
    ];
    match STANDARD.iter().find(|(known, _)| *known == method) {
        Some((_, name)) => Cow::Borrowed(name),
        None => Cow::Owned(method.as_str().to_owned()),
    }
}

fn url<B>(request: &Request<B>, options: &Options) -> String {
    let uri = target(request);
    let forwarded = |name| if options.forwarded { text(request.headers(), name).map(first) } else { None };
    let scheme = forwarded(X_FORWARDED_PROTO)
        .filter(|scheme| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .or(options.scheme.as_deref())
        .or(uri.scheme_str())
        .unwrap_or("http");
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    match forwarded(X_FORWARDED_HOST).or_else(|| host(request)) {
        Some(host) => incoming_url(scheme, host, path, options.keep_query),
        // HTTP/1.0 needs no Host.
        None if options.keep_query => path.to_owned(),
        None => uri.path().to_owned(),
    }
}

/// Each proxy of a chain may have appended its own.
fn first(list: &str) -> &str {
    list.split(',').next().unwrap_or_default().trim()
}

/// All lines of the header as one.
fn forwarded_for(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let mut lines =
        headers.get_all(&X_FORWARDED_FOR).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
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

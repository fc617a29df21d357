//! What is read from a request. All of it is a stranger's: whatever it holds, the request goes on.

use std::borrow::Cow;
use std::net::SocketAddr;

use super::Options;
use crate::context;
use crate::entity::Entity;
use crate::http::{ClientIp, HttpRequest, incoming_url};
use crate::record::{FIRST, Key};

/// A request as its server has it.
pub(crate) trait Incoming {
    fn method(&self) -> &str;

    /// The value of the first line.
    fn header(&self, header: RequestHeader) -> Option<&[u8]>;

    /// All lines of X-Forwarded-For.
    fn forwarded_for(&self) -> impl Iterator<Item = &[u8]>;

    /// Of the target as the client has sent it; so the next three.
    fn path(&self) -> &str;

    fn path_and_query(&self) -> Option<&str>;

    fn scheme(&self) -> Option<&str>;

    /// In HTTP/2 the `:authority`, which stands for Host.
    fn authority(&self) -> Option<&str>;

    /// Who is at the other end of the connection, where it is known.
    fn peer(&self) -> Option<SocketAddr>;

    /// The Host header, or what stands for it.
    fn host(&self) -> Option<&str> {
        text(self, RequestHeader::Host).or_else(|| self.authority())
    }
}

/// Which header is asked for: each library has names of a type of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestHeader {
    Host,
    UserAgent,
    TraceId,
    ForwardedHost,
    ForwardedProto,
}

fn text<R: Incoming + ?Sized>(request: &R, header: RequestHeader) -> Option<&str> {
    request.header(header).and_then(|value| std::str::from_utf8(value).ok()).filter(|text| !text.is_empty())
}

/// Notes on the segment, which is current, what was asked for.
pub(crate) fn describe(key: Key, request: &impl Incoming, options: &Options) {
    if key < FIRST {
        return;
    }
    let mut described =
        HttpRequest::new().with_method(method(request.method())).with_url(url(request, options));
    if let Some(user_agent) = request.header(RequestHeader::UserAgent) {
        described = described.with_user_agent(String::from_utf8_lossy(user_agent));
    }
    let peer = request.peer().map(|peer| peer.ip().to_canonical().to_string()).unwrap_or_default();
    let forwarded_for = forwarded_for(request);
    let hops = context::current_tree().and_then(|tree| tree.core.settings.trusted_hops);
    let client_ip = ClientIp::find(forwarded_for.as_deref(), &peer, hops);
    if !client_ip.address().is_empty() {
        described = described.with_client_ip(client_ip);
    }
    Entity::local(key).set_http_request(described);
}

/// Notes the template of the route, such as `/users/{id}`, in the place of one that was noted before.
#[cfg(any(feature = "actix", feature = "axum"))]
pub(crate) fn note_route(key: Key, route: &str) {
    const ROUTE: &str = "route";
    Entity::local(key).put_annotation(ROUTE, route);
}

/// The name of a method without an allocation, but for one that is no standard one.
fn method(method: &str) -> Cow<'static, str> {
    const STANDARD: [&str; 9] =
        ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE"];
    match STANDARD.into_iter().find(|known| *known == method) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(method.to_owned()),
    }
}

fn url(request: &impl Incoming, options: &Options) -> String {
    let forwarded = |header| if options.forwarded { text(request, header).map(first) } else { None };
    let scheme = forwarded(RequestHeader::ForwardedProto)
        .filter(|scheme| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .or(options.scheme.as_deref())
        .or(request.scheme())
        .unwrap_or("http");
    let path = request.path_and_query().unwrap_or_default();
    match forwarded(RequestHeader::ForwardedHost).or_else(|| request.host()) {
        Some(host) => incoming_url(scheme, host, path, options.keep_query),
        // HTTP/1.0 needs no Host.
        None if options.keep_query => path.to_owned(),
        None => request.path().to_owned(),
    }
}

/// Each proxy of a chain may have appended its own.
fn first(list: &str) -> &str {
    list.split(',').next().unwrap_or_default().trim()
}

/// All lines of the header as one.
fn forwarded_for(request: &impl Incoming) -> Option<Cow<'_, str>> {
    let mut lines = request.forwarded_for().map(String::from_utf8_lossy);
    let first = lines.next()?;
    Some(lines.fold(first, |all, line| all + "," + line))
}

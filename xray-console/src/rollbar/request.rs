//! A request as the double takes it: whoever serves it has read it from the socket.

use std::net::IpAddr;
use std::time::SystemTime;

use super::Fault;

/// One HTTP request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path, without the query.
    pub path: &'a str,
    /// What follows the `?`, percent-encoded as it came; empty where nothing does.
    pub query: &'a str,
    /// Names (in any case) and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body as it was sent, compressed or not.
    pub body: &'a [u8],
    /// Who sent it: takes the place of `$remote_ip`.
    pub remote: Option<IpAddr>,
    /// When it came.
    pub now: SystemTime,
    /// The fault to answer with. Where it is none, the double takes the next of its own ([`Double::inject`]).
    ///
    /// [`Double::inject`]: super::Double::inject
    pub fault: Option<&'a Fault>,
}

impl<'a> Request<'a> {
    /// A request without query, headers, body and fault.
    #[must_use]
    pub fn new(method: &'a str, path: &'a str, now: SystemTime) -> Self {
        Self { method, path, query: "", headers: &[], body: &[], remote: None, now, fault: None }
    }

    /// The first header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let same = |(key, _): &&(&str, &str)| key.eq_ignore_ascii_case(name);
        self.headers.iter().find(same).map(|(_, value)| *value)
    }
}

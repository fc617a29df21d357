//! `http`: what was asked for and what was answered.

use super::json;
use crate::http::{HttpRequest, HttpResponse};

pub(super) fn http_request(out: &mut Vec<u8>, request: &HttpRequest, traced: bool) {
    out.extend_from_slice(b"\"request\":");
    let open = out.len();
    let texts: [(&str, Option<&str>); 4] = [
        ("method", request.method.as_deref()),
        ("url", request.url.as_deref()),
        ("user_agent", request.user_agent.as_deref()),
        ("client_ip", request.client_ip.as_deref()),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            json::member(out, key, text);
        }
    }
    if request.x_forwarded_for {
        out.extend_from_slice(b",\"x_forwarded_for\":true");
    }
    if traced {
        out.extend_from_slice(b",\"traced\":true");
    }
    close_members(out, open);
}

pub(super) fn http_response(out: &mut Vec<u8>, response: HttpResponse) {
    out.extend_from_slice(b"\"response\":");
    let open = out.len();
    if let Some(status) = response.status {
        out.extend_from_slice(b",\"status\":");
        json::number(out, status);
    }
    if let Some(length) = response.content_length {
        out.extend_from_slice(b",\"content_length\":");
        json::number(out, length);
    }
    close_members(out, open);
}

/// Turns `,"a":1,"b":2` from `open` on into an object.
pub(super) fn close_members(out: &mut Vec<u8>, open: usize) {
    match out.get_mut(open) {
        Some(comma) => *comma = b'{',
        None => out.push(b'{'),
    }
    out.push(b'}');
}

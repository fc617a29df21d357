//! Requests of others to X-Ray: signed with the daemon's credentials and passed on.

use std::time::SystemTime;

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Response};
use reqwest::Url;
use tokio::time::timeout;

use super::AwsXRay;
use super::answer;
use super::http::Written;
use super::signing::{Signable, sign};
use crate::upstream::{Cause, Failure, Verdict};

/// The most bytes of an answer: 16 MiB.
const ANSWER_BYTES: usize = 16 << 20;

/// Headers of one connection (RFC 9110, section 7.6.1), besides those that `Connection` names.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What belongs to a signature of the client's.
const OF_A_SIGNATURE: [&str; 3] = ["x-amz-content-sha256", "x-amz-date", "x-amz-security-token"];

impl AwsXRay {
    /// Passes a request on: to this path (and query) of the endpoint, with these headers save those of the connection and of
    /// a signature of the client's, signed anew. Whatever the answer's status is, it is returned as it came, without the
    /// headers of its connection.
    ///
    /// # Errors
    /// When there are no credentials, no answer came in time (60 s), or the answer is larger than 16 MiB.
    pub async fn forward(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Bytes>, Failure> {
        let written = Written::default();
        let call = self.signed_call(method, path, headers, body, &written);
        let mut answer = match timeout(self.0.attempt, call).await {
            Ok(answer) => answer?,
            Err(_) => return Err(answer::late(self.0.attempt, written.is_whole())),
        };
        if matches!(answer.status().as_u16(), 401 | 403) {
            self.0.identity.refused(written.by());
        }
        let kept = end_to_end(answer.headers());
        *answer.headers_mut() = kept;
        Ok(answer)
    }

    async fn signed_call(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: Bytes,
        written: &Written,
    ) -> Result<Response<Bytes>, Failure> {
        let xray = &self.0;
        let wrong = |message: String| Failure { cause: Cause::Other, verdict: Verdict::Refuse, message };
        // As it goes out: the URL type writes some characters in another way.
        let url =
            Url::parse(&format!("{}{path}", self.endpoint())).map_err(|error| wrong(error.to_string()))?;
        if url.origin() != xray.endpoint.origin() {
            return Err(wrong("the path leads to another host".to_owned()));
        }
        let mut kept = end_to_end(headers);
        for name in OF_A_SIGNATURE {
            kept.remove(name);
        }
        for name in [AUTHORIZATION, CONTENT_LENGTH, EXPECT, HOST] {
            kept.remove(name);
        }
        kept.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        let credentials =
            xray.identity.credentials().await.map_err(|error| answer::no_credentials(&error))?;
        let signed = {
            // What is no text cannot be signed, so it is not sent.
            kept = kept
                .iter()
                .filter(|(_, value)| value.to_str().is_ok())
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let headers: Vec<(&str, &str)> =
                kept.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
            let request =
                Signable { method: method.as_str(), url: url.as_str(), headers: &headers, body: &body };
            sign(request, &credentials, "xray", &xray.region, SystemTime::now())
                .map_err(|error| wrong(error.to_string()))?
        };
        for (name, value) in signed {
            let mut value = HeaderValue::try_from(value).map_err(|error| wrong(error.to_string()))?;
            value.set_sensitive(true);
            kept.insert(HeaderName::from_static(name), value);
        }
        let mut request = http::Request::new(SdkBody::from(body));
        *request.method_mut() = method.clone();
        *request.uri_mut() = url.as_str().parse().map_err(|_| wrong("the path is none".to_owned()))?;
        *request.headers_mut() = kept;
        request.extensions_mut().insert(written.clone());
        let answer = xray.http.call(request, ANSWER_BYTES).await;
        answer.map_err(|error| answer::unreachable(&error, written.is_whole()))
    }
}

/// The headers that are not of one connection.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut named: Vec<String> = Vec::new();
    for value in headers.get_all(CONNECTION) {
        let names = value.to_str().unwrap_or_default().split(',');
        named.extend(names.map(|name| name.trim().to_ascii_lowercase()));
    }
    let stays = |name: &HeaderName| {
        !HOP_BY_HOP.contains(&name.as_str()) && !named.iter().any(|named| named == name.as_str())
    };
    let kept = headers.iter().filter(|(name, _)| stays(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_connection_stay_behind() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Private"),
            ("connection", "x-second"),
            ("x-private", "1"),
            ("x-second", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("accept", "application/json"),
            ("x-twice", "a"),
            ("x-twice", "b"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let kept = end_to_end(&headers);
        let kept: Vec<_> =
            kept.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        assert_eq!(kept, ["accept: application/json", "x-twice: a", "x-twice: b"]);
    }
}

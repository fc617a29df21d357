//! `XRayMiddleware`: a remote subsegment for each request that a reqwest client sends.

use std::sync::Arc;

use ::http::Extensions;
use ::http::header::CONTENT_LENGTH;
use ::reqwest::{Request, Response};
use async_trait::async_trait;
use reqwest_middleware::{Error, Middleware, Next, Result};

use crate::context;
use crate::entity::{Entity, Namespace, current};
use crate::error::{self, ErrorClass};
use crate::future::FutureExt;
use crate::http::{HttpRequest, HttpResponse, url_without_secrets};
use crate::outgoing::inject;
use crate::record::FIRST;
use crate::wildcard::wildcard_match;

/// A middleware for reqwest clients, through `reqwest_middleware`: each request is a remote subsegment of what is current, named after the host, and
/// carries `X-Amzn-Trace-Id`, so that the called service goes on with the trace.
///
/// The subsegment has method and address (without query, user name and password), status and its flags, and Content-Length. It
/// ends when the headers of the response are there; the body is read later. A failed request is a fault with its
/// cause, which is `remote` once there was a connection; a request that is dropped is cancelled.
///
/// A header that you have set stays as it is. Where the segment is not sampled the header is sent all the same, so
/// that the services agree. Where no segment is current the recorder's
/// [context-missing strategy](crate::ContextMissing) applies and the request is sent as it is.
///
/// ```no_run
/// use reqwest_middleware::ClientBuilder;
/// use xray_runtime::XRayMiddleware;
///
/// # async fn example() -> Result<(), reqwest_middleware::Error> {
/// let client = ClientBuilder::new(reqwest::Client::new())
///     .with(XRayMiddleware::new().skip("metrics.internal", "*"))
///     .build();
/// let response = client.get("http://inventory.internal/items/7").send().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct XRayMiddleware {
    traced: bool,
    skipped: Arc<Vec<(Box<str>, Box<str>)>>,
}

impl XRayMiddleware {
    /// A middleware that records each request.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the called services are expected to send segments of their own (`traced` in the document). Off by default.
    #[must_use]
    pub fn traced(mut self, traced: bool) -> Self {
        self.traced = traced;
        self
    }

    /// Leaves requests alone, without subsegment and header, whose host (without port) and path match. `*` stands for
    /// any run of characters, `?` for one, without regard to case. May be called more than once.
    #[must_use]
    pub fn skip(mut self, host: impl Into<String>, path: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.skipped).push((host.into().into_boxed_str(), path.into().into_boxed_str()));
        self
    }

    fn skips(&self, request: &Request) -> bool {
        let url = request.url();
        self.skipped.iter().any(|(host, path)| {
            wildcard_match(host, url.host_str().unwrap_or_default(), true)
                && wildcard_match(path, url.path(), true)
        })
    }

    async fn record(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let subsegment = current();
        inject(request.headers_mut(), &subsegment);
        if !subsegment.is_recorded() {
            return next.run(request, extensions).await;
        }
        subsegment.set_namespace(Namespace::Remote);
        if self.traced {
            subsegment.set_traced();
        }
        subsegment.set_http_request(
            HttpRequest::new()
                .with_method(request.method().as_str().to_owned())
                .with_url(url_without_secrets(request.url().as_str())),
        );
        let answered = next.run(request, extensions).await;
        match &answered {
            Ok(response) => {
                let mut http = HttpResponse::new().with_status(response.status().as_u16());
                // As the service states it: what reqwest knows of the body is 0 for HEAD.
                let stated = response.headers().get(CONTENT_LENGTH);
                if let Some(length) = stated.and_then(|length| length.to_str().ok()?.trim().parse().ok()) {
                    http = http.with_content_length(length);
                }
                subsegment.set_http_response(http);
            }
            Err(error) => record_error(&subsegment, error),
        }
        answered
    }
}

#[async_trait]
impl Middleware for XRayMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        if self.skips(&request) {
            return next.run(request, extensions).await;
        }
        // Not sampled: no name is made, but the trace goes on.
        if context::current() < FIRST && context::current_tree().is_some() {
            inject(request.headers_mut(), &current());
            return next.run(request, extensions).await;
        }
        let name = request.url().host_str().unwrap_or("unknown").to_owned();
        self.record(request, extensions, next).in_subsegment(name).await
    }
}

/// The texts of reqwest's errors hold the address with its query; what is recorded does not.
fn record_error(subsegment: &Entity, failed: &Error) {
    let mut cause = error::cause_of(failed);
    let secret = failed.url().map(|url| url.as_str());
    let remote = is_remote(failed);
    for exception in &mut cause.exceptions {
        exception.remote = remote;
        if let Some(secret) = secret
            && exception.message.contains(secret)
        {
            exception.message = exception.message.replace(secret, &url_without_secrets(secret));
        }
    }
    error::record(subsegment, cause, ErrorClass::Fault.bits(), None);
}

/// Whether there was a connection when the request failed. Where the time for the whole request is over nobody knows: it is
/// mostly the other side that is slow.
fn is_remote(failed: &Error) -> bool {
    match failed {
        Error::Reqwest(error) => !error.is_connect() && !error.is_builder(),
        Error::Middleware(_) => false,
    }
}

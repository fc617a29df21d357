//! The future of a response.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{CONTENT_LENGTH, HeaderValue};
use pin_project_lite::pin_project;

use super::{TRACE_HEADER, XRayActixBody, failure};
use crate::record::{FIRST, Key};
use crate::server::{self, Answer, Exchange, GrpcStatus, Head, Rest};

pin_project! {
    /// The response of an [`XRayActixService`](super::XRayActixService). Dropped before it is done, the segment ends as cancelled.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct XRayActixFuture<F> {
        // Before the exchange: dropped first, so that the segment ends after what is below it.
        #[pin]
        inner: F,
        exchange: Option<Exchange>,
        // As the path had it, before there was a route.
        route: Option<String>,
    }
}

impl<F> XRayActixFuture<F> {
    pub(super) fn new(inner: F, exchange: Option<Exchange>, route: Option<String>) -> Self {
        Self { inner, exchange, route }
    }
}

impl<F, B> Future for XRayActixFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, actix_web::Error>>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<XRayActixBody<B>>, actix_web::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(exchange) = this.exchange.as_mut() else {
            return this
                .inner
                .poll(cx)
                .map_ok(|response| response.map_body(|_, body| XRayActixBody::new(body, None)));
        };
        let entered = exchange.scope.enter();
        match this.inner.poll(cx) {
            Poll::Pending => {
                entered.suspend();
                Poll::Pending
            }
            Poll::Ready(Err(error)) => {
                refuse(&mut exchange.answer, &error);
                entered.finish();
                Poll::Ready(Err(error))
            }
            Poll::Ready(Ok(mut response)) => {
                note_exact_route(exchange.answer.key, this.route.as_deref(), &response);
                if begin(&mut exchange.answer, &mut response) {
                    entered.finish();
                    *this.exchange = None;
                } else {
                    entered.suspend();
                }
                let exchange = this.exchange.take();
                Poll::Ready(Ok(response.map_body(|_, body| XRayActixBody::new(body, exchange))))
            }
        }
    }
}

/// The handler has answered. Whether the segment is at its end.
fn begin<B: MessageBody>(answer: &mut Answer, response: &mut ServiceResponse<B>) -> bool {
    let over = answer.begin(head(response.response()));
    if let Some(failed) = response.response().error() {
        failure::record_answered(answer.key, failed, response.status().as_u16());
    }
    if let Some(header) = answer.take_header().and_then(|header| HeaderValue::try_from(header).ok()) {
        response.headers_mut().insert(TRACE_HEADER, header);
    }
    over
}

/// A middleware has answered with an error, of which actix-web makes the response outside.
#[cold]
fn refuse(answer: &mut Answer, failed: &actix_web::Error) {
    if answer.key < FIRST {
        return;
    }
    let response = failed.error_response();
    answer.begin(head(&response));
    failure::record_answered(answer.key, failed, response.status().as_u16());
}

fn head<B: MessageBody>(response: &HttpResponse<B>) -> Head<'_> {
    let (ended, exact) = match response.body().size() {
        BodySize::None => (true, None),
        BodySize::Sized(length) => (length == 0, Some(length)),
        BodySize::Stream => (false, None),
    };
    Head {
        status: response.status().as_u16(),
        content_length: response.headers().get(CONTENT_LENGTH).map(|length| length.as_bytes()),
        body: Rest { ended, exact },
        grpc: GrpcStatus::Absent,
    }
}

/// The route that was taken: guards, which the path does not tell, may have led to another.
fn note_exact_route<B>(key: Key, by_path: Option<&str>, response: &ServiceResponse<B>) {
    if key < FIRST {
        return;
    }
    let route = response.request().match_pattern();
    if let Some(route) = route.filter(|route| Some(route.as_str()) != by_path) {
        server::note_route(key, &route);
    }
}

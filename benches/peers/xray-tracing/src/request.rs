//! A request as a program with spans has it: its own span, one with fields for each query, and an event. The same source for each
//! peer that makes something of spans.

use harness::trivial;
use tracing::{Instrument, Span};

/// A query. Three fields: a text, a number, a truth.
#[tracing::instrument(skip_all, fields(table = "activities", limit, cached = false))]
async fn query(number: u64) -> u64 {
    Span::current().record("limit", number);
    trivial(number)
}

/// The span of a server's request, as tower-http's layer and those of OpenTelemetry have it.
fn span() -> Span {
    tracing::info_span!(
        "request",
        otel.kind = "server",
        http.request.method = "GET",
        url.path = "/api/activities/home",
        http.response.status_code = 200
    )
}

/// A request with as many queries. Its event is of level `ERROR` where it `failed`.
pub(crate) async fn request(queries: u64, failed: bool) {
    let work = async move {
        for number in 0..queries {
            query(number).await;
        }
        if failed {
            tracing::error!(error = "the connection was reset by the peer", queries, "no activities");
        } else {
            tracing::info!(queries, "answered");
        }
    };
    work.instrument(span()).await;
}

//! Spans of a library as subsegments, and a log whose lines say which trace they are of.
//!
//! ```sh
//! cargo run -p xray-daemon -- tail --waterfall      # in a first terminal
//! cargo run -p xray-runtime --features tracing --example tracing
//! ```

use std::error::Error;

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;
use xray_runtime::{FutureExt, Recorder, XRayFormat, XRayTracing, xray_capture};

/// Stands for a crate that knows nothing of X-Ray: it has spans.
mod pricing {
    use std::num::ParseFloatError;

    use tracing::{Instrument, field, info_span};

    pub(super) async fn price_of(item: &str) -> Result<f64, ParseFloatError> {
        let span = info_span!("price", item, otel.kind = "client", price = field::Empty);
        async {
            tokio::task::yield_now().await;
            let answer = if item == "pen" { "12,5" } else { "30" };
            let price = answer.parse::<f64>()?;
            tracing::Span::current().record("price", price);
            Ok(price)
        }
        .instrument(span)
        .await
    }
}

#[xray_capture]
async fn total(items: &[&str]) -> f64 {
    let mut total = 0.0;
    for item in items {
        match pricing::price_of(item).await {
            Ok(price) => total += price,
            Err(error) => {
                tracing::error!(error = &error as &dyn Error, item, "no price: the item is left out");
            }
        }
    }
    total
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let _xray = Recorder::builder().service("shop").without_sampling().install()?;
    // A span that neither layer wants is switched off where it stands.
    let spans = Targets::new().with_target("tracing", Level::INFO).with_target("sqlx", Level::DEBUG);
    tracing_subscriber::registry()
        .with(
            fmt::layer()
                .event_format(XRayFormat::new(fmt::format()))
                .with_filter(Targets::new().with_default(Level::INFO)),
        )
        .with(XRayTracing::new().max_level(Level::DEBUG).annotate(["item"]).with_filter(spans))
        .init();
    let order = async {
        tracing::info!("an order comes in");
        let total = total(&["book", "pen"]).await;
        tracing::info!(total, "answered");
    };
    order.in_segment("order").await;
    Ok(())
}

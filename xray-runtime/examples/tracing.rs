//! Spans of a library as subsegments, and a log whose lines say which trace they are of.
//!
//! ```sh
//! cargo run -p xray-daemon -- tail --waterfall      # in a first terminal
//! cargo run -p xray-runtime --features tracing --example tracing
//! ```

use std::error::Error;
use std::io::IsTerminal;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;
use xray_runtime::{FutureExt, Recorder, XRayFormat, XRayTracing, xray_capture};

/// Stands for a crate that knows nothing of X-Ray: it has spans.
mod pricing {
    use std::num::ParseFloatError;

    #[tracing::instrument(fields(otel.kind = "client", price), err)]
    pub(super) async fn price(item: &str) -> Result<f64, ParseFloatError> {
        tokio::task::yield_now().await;
        let answer = if item == "pen" { "12,5" } else { "30" };
        let price = answer.parse()?;
        tracing::Span::current().record("price", price);
        Ok(price)
    }
}

#[xray_capture]
async fn total(items: &[&str]) -> f64 {
    let mut total = 0.0;
    for item in items {
        match pricing::price(item).await {
            Ok(price) => total += price,
            Err(_) => tracing::warn!(item, "left out"),
        }
    }
    total
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let _xray = Recorder::builder().service("shop").without_sampling().install()?;
    // A span that neither layer wants is switched off where it stands.
    let coloured = std::io::stdout().is_terminal();
    let lines = fmt::layer()
        .with_ansi(coloured)
        .event_format(XRayFormat::new(fmt::format().with_ansi(coloured)))
        .with_filter(LevelFilter::INFO);
    let spans = Targets::new().with_target("tracing", Level::INFO).with_target("sqlx", Level::DEBUG);
    let spans = XRayTracing::new().max_level(Level::DEBUG).annotate(["item"]).with_filter(spans);
    tracing_subscriber::registry().with(lines).with(spans).init();
    let order = async {
        tracing::info!("an order comes in");
        let total = total(&["book", "pen"]).await;
        tracing::info!(total, "answered");
    };
    order.in_segment("order").await;
    Ok(())
}

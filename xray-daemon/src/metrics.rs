//! The page of `/metrics`, in the OpenMetrics text format, which Prometheus reads.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::observed::{Observation, UpstreamObservation};
use crate::relay::LATENCY_SECONDS;

/// What the page is.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The page.
pub(crate) fn text(observation: Observation) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("xray_daemon");
    registry.register_collector(Box::new(Page(observation)));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Page(Observation);

impl Collector for Page {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        let seen = &self.0;
        let to = &mut to;
        let build = [("version", seen.version), ("mode", seen.mode)];
        labelled_gauge(to, "build", "The daemon's version and mode; always 1", &[(build, 1.0)])?;
        gauge(to, "uptime_seconds", "Seconds since the start", seen.uptime_seconds)?;
        gauge(
            to,
            "receive_buffer_bytes",
            "What the kernel keeps of datagrams not read yet",
            seen.receive_buffer_bytes as f64,
        )?;
        counter(to, "datagrams_received", "Datagrams that came", seen.received)?;
        counter(to, "datagrams_received_bytes", "Bytes of the datagrams that came", seen.received_bytes)?;
        let rejected = [
            ([("cause", "missing_header")], seen.rejected.missing_header),
            ([("cause", "missing_document")], seen.rejected.missing_document),
            ([("cause", "invalid_header")], seen.rejected.invalid_header),
            ([("cause", "invalid_document")], seen.rejected.invalid_document),
        ];
        labelled_counter(to, "datagrams_rejected", "Datagrams without a usable document", &rejected)?;
        if let Some(dropped) = seen.kernel_dropped {
            counter(
                to,
                "datagrams_dropped_by_kernel",
                "Datagrams that found the receive buffer full",
                dropped,
            )?;
        }
        counter(to, "http_requests", "Requests over TCP", seen.requests)?;
        counter(
            to,
            "http_requests_refused",
            "Requests that a page of another site may have sent",
            seen.requests_refused,
        )?;
        counter(to, "log_lines_lost", "Lines of the log that could not be written", seen.log_lines_lost)?;
        if let Some(sampling) = seen.sampling {
            gauge(to, "sampling_rules", "Sampling rules that are answered here", sampling.rules as f64)?;
            gauge(
                to,
                "sampling_clients",
                "Samplers, each as often as it uses a rule",
                sampling.clients as f64,
            )?;
            let calls = [
                ([("call", "GetSamplingRules")], sampling.rules_requests),
                ([("call", "GetSamplingTargets")], sampling.targets_requests),
            ];
            labelled_counter(to, "sampling_requests", "Calls of samplers that were answered here", &calls)?;
            counter(to, "sampling_requests_refused", "Calls of samplers that were wrong", sampling.refused)?;
            counter(to, "sampling_reports", "What samplers reported of a rule", sampling.reports)?;
        }
        if let Some(local) = seen.local {
            counter(to, "documents", "Documents that were put to their trace", local.documents)?;
            counter(to, "traces_shown", "Traces that were shown", local.traces_shown)?;
            counter(to, "items_shown", "Items that were shown", local.items_shown)?;
            counter(to, "local_dropped", "Documents and items that were not shown", local.dropped)?;
        }
        self.upstreams(to)
    }
}

impl Page {
    fn upstreams(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let all = &self.0.upstreams;
        if all.is_empty() {
            return Ok(());
        }
        let each = |value: fn(&UpstreamObservation) -> u64| -> Vec<_> {
            all.iter().map(|upstream| ([("upstream", &*upstream.name)], value(upstream))).collect()
        };
        labelled_counter(to, "segments_queued", "Documents put into the queue", &each(|u| u.stats.received))?;
        labelled_counter(to, "segments_sent", "Documents that the upstream took", &each(|u| u.stats.sent))?;
        labelled_counter(to, "segments_sent_bytes", "Bytes of these", &each(|u| u.stats.sent_bytes))?;
        labelled_counter(
            to,
            "segments_unprocessed",
            "Documents that the upstream refused one by one",
            &each(|u| u.stats.unprocessed),
        )?;
        labelled_counter(
            to,
            "segments_retried",
            "Documents put back to be sent again, each time",
            &each(|u| u.stats.retried),
        )?;
        let dropped: Vec<_> = all
            .iter()
            .flat_map(|upstream| {
                let dropped = upstream.stats.dropped;
                [
                    ("memory", dropped.memory),
                    ("refused", dropped.refused),
                    ("unanswered", dropped.unanswered),
                    ("shutdown", dropped.shutdown),
                    ("panicked", dropped.panicked),
                ]
                .map(|(cause, count)| ([("upstream", &*upstream.name), ("cause", cause)], count))
            })
            .collect();
        labelled_counter(to, "segments_dropped", "Documents that were lost, by cause", &dropped)?;
        labelled_counter(to, "batches_sent", "Calls that succeeded", &each(|u| u.stats.batches))?;
        labelled_counter(to, "calls_failed", "Calls that failed", &each(|u| u.stats.failed_calls))?;
        let errors: Vec<_> = all
            .iter()
            .flat_map(|upstream| {
                let errors = upstream.stats.errors;
                [
                    ("connection_refused", errors.connection_refused_count),
                    ("http_4xx", errors.http_code_4xx_count),
                    ("http_5xx", errors.http_code_5xx_count),
                    ("timeout", errors.timeout_count),
                    ("unknown_host", errors.unknown_host_count),
                    ("other", errors.other_count),
                ]
                .map(|(cause, count)| ([("upstream", &*upstream.name), ("cause", cause)], count))
            })
            .collect();
        labelled_counter(
            to,
            "batches_failed",
            "Batches that failed at least once, by the first cause",
            &errors,
        )?;
        let gauges = |value: fn(&UpstreamObservation) -> f64| -> Vec<_> {
            all.iter().map(|upstream| ([("upstream", &*upstream.name)], value(upstream))).collect()
        };
        labelled_gauge(
            to,
            "segments_pending",
            "Documents that wait or are under way",
            &gauges(|u| u.stats.pending as f64),
        )?;
        labelled_gauge(to, "queue_batches", "Batches that wait", &gauges(|u| u.stats.queue_batches as f64))?;
        labelled_gauge(
            to,
            "queue_bytes",
            "Bytes of what waits and is under way",
            &gauges(|u| u.stats.queue_bytes as f64),
        )?;
        labelled_gauge(
            to,
            "queue_limit_bytes",
            "The most that these may be",
            &gauges(|u| u.stats.queue_limit_bytes as f64),
        )?;
        labelled_gauge(
            to,
            "queue_oldest_seconds",
            "How long the oldest batch has waited",
            &gauges(|u| u.stats.oldest_seconds),
        )?;
        labelled_gauge(
            to,
            "upstream_failing",
            "1 where the last call failed",
            &gauges(|u| f64::from(u8::from(u.stats.failing))),
        )?;
        let mut family = to.encode_descriptor(
            "call_duration_seconds",
            "How long successful calls took",
            None,
            MetricType::Histogram,
        )?;
        for upstream in all {
            let labels = [("upstream", &*upstream.name)];
            let ends = LATENCY_SECONDS.iter().copied().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = ends.zip(upstream.latency).collect();
            let (sum, count) = (upstream.stats.latency_seconds, upstream.latency.iter().sum());
            family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }
}

fn counter(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    ConstCounter::new(value).encode(to.encode_descriptor(name, help, None, MetricType::Counter)?)
}

fn gauge(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> fmt::Result {
    ConstGauge::new(value).encode(to.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

fn labelled_counter<const N: usize>(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: &[([(&str, &str); N], u64)],
) -> fmt::Result {
    let family = to.encode_descriptor(name, help, None, MetricType::Counter)?;
    each(family, values, |value, to| ConstCounter::new(value).encode(to))
}

fn labelled_gauge<const N: usize>(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: &[([(&str, &str); N], f64)],
) -> fmt::Result {
    let family = to.encode_descriptor(name, help, None, MetricType::Gauge)?;
    each(family, values, |value, to| ConstGauge::new(value).encode(to))
}

fn each<const N: usize, V: Copy>(
    mut family: MetricEncoder<'_>,
    values: &[([(&str, &str); N], V)],
    encode: fn(V, MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    values.iter().try_for_each(|(labels, value)| encode(*value, family.encode_family(labels)?))
}

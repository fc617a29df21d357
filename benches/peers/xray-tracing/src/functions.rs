//! What is measured: a span a call, by the attribute of `tracing`. The same source for each peer that takes its spans.

use harness::trivial;

#[inline(never)]
#[tracing::instrument(skip_all)]
pub(crate) fn sync_fn(x: u64) -> u64 {
    trivial(x)
}
#[tracing::instrument(skip_all)]
pub(crate) async fn async_fn(x: u64) -> u64 {
    trivial(x)
}
#[inline(never)]
#[tracing::instrument(skip_all, fields(n = x))]
pub(crate) fn sync_note(x: u64) -> u64 {
    trivial(x)
}
#[tracing::instrument(skip_all, fields(n = x))]
pub(crate) async fn async_note(x: u64) -> u64 {
    trivial(x)
}
#[tracing::instrument(skip_all)]
pub(crate) async fn bare() -> u64 {
    tokio::task::yield_now().await;
    trivial(7)
}

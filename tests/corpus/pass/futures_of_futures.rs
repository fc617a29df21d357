#![allow(dead_code)]
use std::future::Future;
use std::pin::Pin;
#[instrument_me]
fn no_output(n: u8) -> impl Future + Send {
    async move { n }
}
#[instrument_me]
async fn receiver() -> tokio::sync::oneshot::Receiver<u8> {
    let (tx, rx) = tokio::sync::oneshot::channel();
    tx.send(1).ok();
    rx
}
#[instrument_me]
async fn pinned(n: u8) -> Pin<Box<dyn Future<Output = Result<u8, String>> + Send>> {
    if n == 0 {
        return Box::pin(async { Err("zero".to_owned()) });
    }
    Box::pin(async move { Ok(n) })
}
#[instrument_me]
fn nested(n: u8) -> impl Future<Output = Pin<Box<dyn Future<Output = Result<u8, String>> + Send>>> + Send {
    async move {
        let pinned: Pin<Box<dyn Future<Output = Result<u8, String>> + Send>> = Box::pin(async move { Ok(n) });
        pinned
    }
}
#[instrument_me]
async fn handle() -> tokio::task::JoinHandle<u8> {
    tokio::spawn(async { 1 })
}
#[instrument_me]
async fn handle_res(n: u8) -> Result<tokio::task::JoinHandle<u8>, String> {
    if n == 0 {
        return Err("zero".into());
    }
    Ok(tokio::spawn(async { 1 }))
}
#[instrument_me]
async fn boxed() -> futures::future::BoxFuture<'static, u8> {
    Box::pin(async { 1 })
}
#[instrument_me]
async fn fut() -> impl Future<Output = u8> {
    tokio::task::yield_now().await;
    async { 1 }
}
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let _: () = { no_output(1).await; };
    assert_eq!(receiver().await.await, Ok(1));
    assert_eq!(pinned(1).await.await, Ok(1));
    assert!(pinned(0).await.await.is_err());
    assert_eq!(nested(2).await.await, Ok(2));
    assert_eq!(handle().await.await.unwrap(), 1);
    assert!(handle_res(0).await.is_err());
    assert_eq!(boxed().await.await, 1);
    assert_eq!(fut().await.await, 1);
}

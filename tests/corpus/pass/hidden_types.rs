use std::fmt::{Debug, Display};
use std::future::Future;
struct Wrapped<T>(T);
impl<T: Debug> Debug for Wrapped<T> { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) } }
#[instrument_me]
fn in_error(n: u8) -> Result<u8, Wrapped<impl Debug>> { if n == 0 { return Err(Wrapped(n)); } Ok(n) }
#[instrument_me]
async fn in_error_async(n: u8) -> Result<u8, Wrapped<impl Debug>> { if n == 0 { return Err(Wrapped(n)); } Ok(n) }
#[instrument_me]
fn in_tuple(n: u8) -> Result<u8, (impl Debug, u8)> { if n == 0 { return Err((n, n)); } Ok(n) }
#[instrument_me]
fn in_box(n: u8) -> Result<u8, Box<impl Display>> { if n == 0 { return Err(Box::new(n)); } Ok(n) }
#[instrument_me]
async fn in_object(n: u8) -> Box<dyn Iterator<Item = impl Debug>> { Box::new(0..n) }
#[instrument_me]
async fn in_object_result(n: u8) -> Result<Box<dyn Iterator<Item = impl Debug>>, String> { if n == 0 { return Err("zero".to_owned()); } Ok(Box::new(0..n)) }
#[instrument_me]
fn in_object_sync(n: u8) -> Result<Box<dyn Iterator<Item = impl Debug>>, String> { if n == 0 { return Err("zero".to_owned()); } Ok(Box::new(0..n)) }
#[instrument_me]
fn output(n: u8) -> impl Future<Output = impl Debug + Send> + Send { async move { n } }
#[instrument_me]
fn output_result(n: u8) -> impl Future<Output = Result<impl Debug, String>> { async move { if n == 0 { return Err("zero".to_owned()); } Ok(n) } }
#[instrument_me]
fn output_error(n: u8) -> impl Future<Output = Result<u8, impl Debug>> { async move { if n == 0 { return Err(n); } Ok(n) } }
#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert!(in_error(0).is_err() && in_error_async(0).await.is_err() && in_tuple(0).is_err() && in_box(0).is_err());
    assert_eq!(in_object(2).await.count() + in_object_result(2).await.unwrap().count() + in_object_sync(2).unwrap().count(), 6);
    assert_eq!(format!("{:?}", output(1).await), "1");
    assert!(output_result(0).await.is_err() && output_error(0).await.is_err());
}

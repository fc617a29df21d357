use std::{error, fmt};
struct Bare;
#[derive(Debug)]
struct Chained(std::num::ParseIntError);
impl fmt::Display for Chained { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str("chained") } }
impl error::Error for Chained { fn source(&self) -> Option<&(dyn error::Error + 'static)> { Some(&self.0) } }
type Answer<T> = Result<T, Chained>;
#[instrument_me]
fn bare() -> Result<u8, Bare> { Err(Bare) }
#[instrument_me]
fn alias(text: &str) -> Answer<u8> { text.parse().map_err(Chained) }
#[instrument_me]
fn io() -> std::io::Result<()> { Err(std::io::Error::other("io")) }
#[instrument_me]
fn boxed() -> Result<(), Box<dyn error::Error>> { Err("boxed".into()) }
#[instrument_me]
fn boxed_send() -> Result<(), Box<dyn error::Error + Send + Sync + 'static>> { Err("boxed".into()) }
#[instrument_me]
fn reference<'a>(error: &'a Chained) -> Result<(), &'a Chained> { Err(error) }
#[instrument_me]
fn generic<E>(error: E) -> Result<(), E> { Err(error) }
#[instrument_me]
fn debug<E: fmt::Debug>(error: E) -> Result<(), E> { Err(error) }
#[instrument_me]
fn display<E>(error: E) -> Result<(), E> where E: fmt::Display { Err(error) }
#[instrument_me]
async fn with_source<E: error::Error>(error: E) -> Result<(), E> { Err(error) }
#[instrument_me]
fn never() -> Result<u8, std::convert::Infallible> { Ok(1) }
#[instrument_me]
fn formatted() -> fmt::Result { Err(fmt::Error) }
#[instrument_me]
async fn report() -> anyhow::Result<()> { Err(alias("x").unwrap_err())? }
#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert!(bare().is_err() && io().is_err() && boxed().is_err() && boxed_send().is_err() && formatted().is_err());
    let error = alias("x").unwrap_err();
    assert!(reference(&error).is_err() && generic(Bare).is_err() && debug(1).is_err() && display("d").is_err());
    assert!(with_source(error).await.is_err() && report().await.is_err());
    assert_eq!(never(), Ok(1));
}

//@ for: rollbar_report
use std::{error, fmt};
#[derive(Debug)]
struct NotFound;
impl fmt::Display for NotFound { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str("not found") } }
impl error::Error for NotFound {}
#[derive(Debug)]
struct Parse<'a>(&'a str);
impl fmt::Display for Parse<'_> { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.0) } }
impl error::Error for Parse<'_> {}
struct Bare;
type Answer<T> = Result<T, NotFound>;
fn is_fatal(error: &NotFound) -> bool { error.to_string().is_empty() }
#[instrument_me(ignore(NotFound, std::io::Error))]
fn alias() -> Answer<u8> { Err(NotFound) }
#[instrument_me(ignore(NotFound), when = |error| !error.is::<fmt::Error>())]
fn report() -> anyhow::Result<u8> { Err(NotFound)? }
#[instrument_me(ignore(NotFound), when = |error| error.source().is_none())]
async fn in_box() -> Result<u8, Box<dyn error::Error + Send + Sync>> { Err(NotFound)? }
#[instrument_me(ignore(NotFound))]
fn lent<'a>(text: &'a str) -> Result<u8, Parse<'a>> { Err(Parse(text)) }
#[instrument_me(ignore(String), when = |text| !text.is_empty())]
fn text() -> Result<u8, String> { Err("text".into()) }
#[instrument_me(ignore(Bare))]
async fn bare() -> Result<u8, Bare> { Err(Bare) }
#[instrument_me(when = is_fatal)]
async fn by_path() -> Answer<u8> { Err(NotFound) }
#[instrument_me(when = |_error: &NotFound| -> bool { true })]
fn annotated() -> Answer<u8> { Err(NotFound) }
#[instrument_me(when = |NotFound| false)]
fn by_pattern() -> Answer<u8> { Err(NotFound) }
#[instrument_me(ignore(E), when = |error| format!("{error:?}").len() > 3)]
fn generic<E: fmt::Debug>(error: E) -> Result<u8, E> { Err(error) }
#[instrument_me(ignore(NotFound))]
fn no_result() -> Wrapped { Wrapped(1) }
struct Wrapped(u8);
macro_rules! reported {
    ($name:ident, $level:literal, $context:expr, $error:ty, $condition:expr, $key:ident = $value:expr) => {
        #[instrument_me($context, level = $level, ignore($error), when = $condition, custom($key = $value), capture($key = $value))]
        fn $name() -> Answer<u8> { Err(NotFound) }
    };
    ($name:ident in $path:path) => { #[instrument_me(crate = $path)] fn $name() -> Answer<u8> { Err(NotFound) } };
}
reported!(of_macro, "info", "context", NotFound, |error| !is_fatal(error), key = 1 + 1);
reported!(path in rollbar_runtime);
#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert!(alias().is_err() && report().is_err() && in_box().await.is_err() && lent("x").is_err() && text().is_err());
    assert!(bare().await.is_err() && by_path().await.is_err() && annotated().is_err() && by_pattern().is_err() && generic(1).is_err());
    assert!(of_macro().is_err() && path().is_err());
    assert_eq!(no_result().0, 1);
}

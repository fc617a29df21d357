//! What is recorded of an error, for each thing that its type may be able to do.
#![allow(missing_docs)]
#![allow(clippy::expect_used, reason = "a panic is how a test fails")]

use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::future::Future;
use std::num::ParseIntError;
use std::pin::Pin;

use xray_runtime::{CapturedEntity, FutureExt, Recorder, xray_capture};

/// Has neither of the three traits.
struct Bare;

/// Has `Debug` alone, which reads the field.
#[derive(Debug)]
#[expect(dead_code)]
struct OnlyDebug(u8);

/// Has `Display` alone.
struct OnlyDisplay;

impl Display for OnlyDisplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("only display")
    }
}

/// An error with a source.
#[derive(Debug)]
struct Chained(ParseIntError);

impl Display for Chained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a number")
    }
}

impl Error for Chained {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

type Answer = Result<u8, Chained>;

fn chained() -> Chained {
    Chained("x".parse::<u8>().expect_err("no number"))
}

const DIGIT: &str = "invalid digit found in string";

#[xray_capture("captured")]
fn alias() -> Answer {
    Err(chained())
}

#[xray_capture("captured")]
fn boxed() -> Result<(), Box<dyn Error>> {
    Err(chained().into())
}

#[xray_capture("captured")]
fn boxed_send() -> Result<(), Box<dyn Error + Send + Sync>> {
    Err(chained().into())
}

#[xray_capture("captured")]
fn report() -> anyhow::Result<()> {
    Err(anyhow::Error::new(chained()).context("asked in vain"))
}

#[xray_capture("captured")]
fn display() -> Result<(), OnlyDisplay> {
    Err(OnlyDisplay)
}

#[xray_capture("captured")]
fn text() -> Result<(), String> {
    Err("a text".to_owned())
}

#[xray_capture("captured")]
fn debug() -> Result<(), OnlyDebug> {
    Err(OnlyDebug(7))
}

#[xray_capture("captured")]
fn bare() -> Result<(), Bare> {
    Err(Bare)
}

#[xray_capture("captured")]
fn generic<E>(error: E) -> Result<(), E> {
    Err(error)
}

#[xray_capture("captured")]
fn generic_debug<E: Debug>(error: E) -> Result<(), E> {
    Err(error)
}

#[xray_capture("captured")]
fn generic_display<E>(error: E) -> Result<(), E>
where
    E: Display,
{
    Err(error)
}

#[xray_capture("captured")]
fn generic_error<E: Error>(error: E) -> Result<(), E> {
    Err(error)
}

#[xray_capture("captured")]
fn question_mark(text: &str) -> Result<u8, ParseIntError> {
    let number: u8 = text.parse()?;
    Ok(number)
}

#[xray_capture("captured")]
async fn asynchronous() -> Answer {
    tokio::task::yield_now().await;
    Err(chained())
}

#[xray_capture("captured")]
fn returned() -> impl Future<Output = Answer> + Send {
    async { Err(chained()) }
}

#[xray_capture("captured")]
fn boxed_future() -> Pin<Box<dyn Future<Output = Answer> + Send>> {
    Box::pin(async { Err(chained()) })
}

#[xray_capture("captured")]
fn local_future() -> Pin<Box<dyn Future<Output = Answer>>> {
    Box::pin(async { Err(chained()) })
}

#[xray_capture("captured", error = "error")]
fn as_error() -> Answer {
    Err(chained())
}

#[xray_capture("captured", error = "throttle")]
async fn as_throttle() -> Answer {
    Err(chained())
}

#[xray_capture("captured", error = "ignore")]
fn ignored() -> Answer {
    Err(chained())
}

#[xray_capture("captured")]
fn fine() -> Answer {
    Ok(1)
}

#[xray_capture("captured")]
#[track_caller]
fn behind_track_caller() -> Answer {
    Err(chained())
}

/// The subsegment that `call` recorded.
fn captured<T>(call: impl FnOnce() -> T) -> CapturedEntity {
    let (recorder, captured) = Recorder::in_memory();
    recorder.enter(|| {
        let segment = xray_runtime::begin_segment("test");
        drop(call());
        segment.end();
    });
    captured.segment("test").subsegment("captured")
}

/// The subsegment that `future` recorded.
fn captured_async<F: Future>(future: impl FnOnce() -> F) -> CapturedEntity {
    let (recorder, captured) = Recorder::in_memory();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    recorder.enter(|| {
        runtime.block_on(async { drop(future().await) }.in_segment("test"));
    });
    captured.segment("test").subsegment("captured")
}

#[test]
fn each_ability_of_an_error_is_used() {
    let table: [(&str, CapturedEntity, &[&str]); 14] = [
        ("alias", captured(alias), &["not a number", DIGIT]),
        ("boxed", captured(boxed), &["not a number", DIGIT]),
        ("boxed_send", captured(boxed_send), &["not a number", DIGIT]),
        ("report", captured(report), &["asked in vain", "not a number", DIGIT]),
        ("display", captured(display), &["only display"]),
        ("text", captured(text), &["a text"]),
        ("debug", captured(debug), &["OnlyDebug(7)"]),
        ("bare", captured(bare), &["capture_errors::Bare"]),
        ("generic", captured(|| generic(chained())), &["capture_errors::Chained"]),
        ("generic_debug", captured(|| generic_debug(OnlyDebug(8))), &["OnlyDebug(8)"]),
        ("generic_display", captured(|| generic_display("shown")), &["shown"]),
        ("generic_error", captured(|| generic_error(chained())), &["not a number", DIGIT]),
        ("question_mark", captured(|| question_mark("x")), &[DIGIT]),
        ("reference", captured(|| generic_error(&chained()).is_err()), &["not a number", DIGIT]),
    ];
    for (name, entity, messages) in table {
        assert!(entity.is_fault(), "{name}: {entity:?}");
        assert_eq!(entity.exceptions(), messages, "{name}");
    }
}

#[test]
fn the_error_of_each_kind_of_future_is_seen() {
    let table = [
        ("async", captured_async(asynchronous)),
        ("returned", captured_async(returned)),
        ("boxed", captured_async(boxed_future)),
        ("local", captured_async(local_future)),
    ];
    for (name, entity) in table {
        assert!(entity.is_fault(), "{name}: {entity:?}");
        assert_eq!(entity.exceptions(), ["not a number", DIGIT], "{name}");
    }
}

#[test]
fn the_attribute_says_what_an_error_is() {
    let error = captured(as_error);
    assert!(error.is_error() && !error.is_fault(), "{error:?}");
    assert_eq!(error.exceptions(), ["not a number", DIGIT]);
    let throttled = captured_async(as_throttle);
    assert!(throttled.is_throttle() && throttled.is_error() && !throttled.is_fault(), "{throttled:?}");
    for quiet in [captured(ignored), captured(fine), captured(behind_track_caller)] {
        assert!(!quiet.is_fault() && !quiet.is_error() && quiet.exceptions().is_empty(), "{quiet:?}");
    }
}

#[test]
fn the_frame_is_the_function_and_its_line() {
    let line = line!() + 2;
    #[xray_capture("captured")]
    fn here() -> Answer {
        Err(chained())
    }
    let entity = captured(here);
    let frame = &entity.json()["cause"]["exceptions"][0]["stack"][0];
    assert_eq!(frame["line"], line, "{frame}");
    assert!(frame["path"].as_str().is_some_and(|path| path.ends_with("capture_errors.rs")), "{frame}");
    assert!(frame["label"].as_str().is_some_and(|label| label.ends_with("here")), "{frame}");
}

//! Reports errors, panics and messages to Rollbar.
//!
//! Rollbar calls one report an *occurrence*, and groups occurrences of one kind into an *item*. This crate makes them from the
//! `Err` of a function, from a panic, from a request that fails, or by hand; it masks what is secret and sends them on a thread
//! of its own. `xray-daemon tail` of this project has a local double of Rollbar's API: no account is needed to see them.
//!
//! # First report
//!
//! ```no_run
//! use rollbar_runtime::{Level, Rollbar, report_message, rollbar_report};
//!
//! #[rollbar_report]
//! fn parse(text: &str) -> Result<u32, std::num::ParseIntError> { text.parse() }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The token comes from ROLLBAR_ACCESS_TOKEN.
//! let _rollbar = Rollbar::builder().environment("production").install()?;
//! report_message("Hello World!", Level::Warning);
//! let _ = parse("seven"); // reported, and returned as it is
//! # Ok(())
//! # }
//! ```
//!
//! The guard that [`install`](RollbarBuilder::install) returns sends what is left when it is dropped: keep it until the end of
//! `main`. `std::process::exit` drops nothing: [`flush`](Rollbar::flush) before it. Without a token nothing is reported, which
//! is told once, and is no error: a program runs as well on a machine that has none.
//!
//! # Ways to report
//!
//! | what | how | level |
//! |---|---|---|
//! | the `Err` of a function, sync or async | [`#[rollbar_report]`](macro@rollbar_report) | `error` |
//! | an error | [`report_error`]; with more to say of it [`Report::error`] | `error` |
//! | an error in a box: `anyhow::Error`, `eyre::Report`, `Box<dyn Error>` | [`Report::boxed`] | `error` |
//! | a message | [`report_message`], [`Report::message`] | as you say |
//! | a panic | by itself, once the client is installed | `critical` |
//! | a request that fails or panics | `RollbarLayer` (feature `tower`) | `error`, `critical` |
//! | events of `tracing`, records of `log` | `RollbarTracing` (feature `tracing`), `RollbarLog` (feature `log`) | theirs |
//!
//! Each way by hand returns the occurrence's uuid, by which Rollbar finds it, or `None` where nothing was reported. An error
//! that passes several annotated functions is one occurrence, made where it was seen first; so is a panic; and a layer reports
//! no answer whose error was reported. An error brings its chain of sources. The outermost has the stack of the report: addresses
//! are taken where it is made, and their names are looked up on the worker. The innermost has its own where anyhow or eyre took one.
//!
//! # Scopes
//!
//! A [`Scope`] is what is known of the work at hand: the person, the request, values of your own, the context, a fingerprint, the
//! latest events. It goes into each item that is reported there. It is in force in a closure ([`in_scope`]), in a future
//! ([`.in_scope(scope)`](FutureExt::in_scope)) wherever that is polled, and in each request below `RollbarLayer`. Futures in
//! one `join!` and tasks never see each other's. A bare `tokio::spawn` starts without: [`spawn`], [`spawn_blocking`] and
//! [`.in_current_scope()`](FutureExt::in_current_scope) carry it along. [`Rollbar::root_scope`] is for what goes into all items.
//!
//! ```
//! use rollbar_runtime::item::{Person, Telemetry};
//! use rollbar_runtime::{Level, Rollbar, current_scope, in_scope, record_telemetry, report_message, Scope};
//!
//! let (rollbar, captured) = Rollbar::in_memory();
//! rollbar.enter(|| {
//!     in_scope(&Scope::new(), || {
//!         current_scope().set_person(Some(Person::new(42)));
//!         current_scope().put_custom("tenant", "acme");
//!         record_telemetry(Telemetry::log(Level::Info, "cart opened"));
//!         report_message("cart is empty", Level::Warning);
//!     });
//!     report_message("elsewhere", Level::Info);
//! });
//! let items = captured.items();
//! assert_eq!(items[0].json()["person"]["id"], "42");
//! assert_eq!(items[0].json()["body"]["telemetry"][0]["body"]["message"], "cart opened");
//! assert!(items[1].json().get("person").is_none());
//! ```
//!
//! # Privacy
//!
//! The JSON of an item is masked as a whole before it is sent, whatever put a text there:
//!
//! * Values of keys that name a secret, in any case and with or without `-` and `_`: `password`, `token`, `authorization`,
//!   `cookie`, `api_key` and the like. [`scrub_field`](RollbarBuilder::scrub_field) adds names, `*` stands for any text.
//! * What looks like one, in any text: passwords and tokens in addresses, bearer tokens, JWT, AWS keys, private keys, the numbers of cards.
//! * A person's name and address are left out unless [`usernames`](RollbarBuilder::usernames) and
//!   [`emails`](RollbarBuilder::emails) say otherwise. The client's address is told in full unless
//!   [`user_ip`](RollbarBuilder::user_ip) does.
//! * Arguments of functions, bodies of requests and the command line are sent only where you name them; variables of the environment never.
//!
//! The mask is `********`, whatever it hides. [`transform`](RollbarBuilder::transform) is a hook before that,
//! [`before_send`](RollbarBuilder::before_send) one after it; what the latter adds is sent as it is.
//!
//! # Settings
//!
//! Set by methods of [`RollbarBuilder`]. The environment's variables fill what code did not set, and are read once, by `build()`
//! or `install()`. A wrong value is an error, in code and in the environment. An empty variable counts as not set.
//!
//! | what | environment | builder | default |
//! |---|---|---|---|
//! | the project's token, which may `post_server_item` | `ROLLBAR_ACCESS_TOKEN` | `access_token` | none: nothing is reported |
//! | where the program runs | `ROLLBAR_ENVIRONMENT` | `environment` | `development` in a debug build, else `production` |
//! | version of the program | `ROLLBAR_CODE_VERSION` | `code_version` | none |
//! | the API's base address, or that of its items | `ROLLBAR_ENDPOINT` | `endpoint` | `https://api.rollbar.com/api/1/` |
//! | reporting on or off | `ROLLBAR_ENABLED` | `enabled` | on |
//! | framework, machine, branch | | `framework`, `host`, `branch` | none, the system's name, none |
//! | folder of the source, to which paths are relative | | `root` | the current folder |
//! | the least level that is reported | | `report_level` | `debug`: all |
//! | types of errors that are not reported | | `ignore` | none |
//! | errors are reported with the stack of the caller | | `backtraces` | yes |
//! | stacks are shown with lines of source, where it is on this machine | | `source_lines` | yes |
//! | panics are reported | | `panics` | yes |
//! | names of fields to mask; without the usual ones | | `scrub_field`, `without_default_scrub_fields` | the usual ones |
//! | a person's name and address are sent | | `usernames`, `emails` | no |
//! | what is sent of a client's address | | `user_ip` | all of it |
//! | hooks before and after masking | | `transform`, `before_send` | none |
//! | what may wait to be sent | | `queue` | 32,768 occurrences, 32 MiB |
//! | items a minute | | `items_per_minute` | no limit |
//! | items that are sent at a time | | `connections` | 4 |
//! | bytes of an item's JSON; more is cut | | `max_payload_bytes` | 512 KiB |
//! | tries after the first | | `retries` | 3 |
//! | time for a connection, and for a request | | `timeouts` | 3 s, 10 s |
//! | bodies are compressed (feature `gzip`) | | `gzip` | no |
//! | a proxy | `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY` | `proxy` | the environment's |
//! | what carries items in the place of HTTP | | `transport` | HTTP |
//! | a folder for what could not be sent; its bounds | | `spool`, `spool_within` | none; 1,000 files, 64 MiB |
//! | how long the guard's drop and a panic that aborts wait | | `shutdown_timeout` | 2 s |
//!
//! [`Rollbar::in_memory`] reads no variables.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `rustls` | yes | https, without OpenSSL; without it only plain http works, to a local double |
//! | `tower` | yes | `RollbarLayer`: reports requests that fail, of an axum, tonic or hyper server |
//! | `axum` | no | the route (`GET /users/{id}`) as context, and the client's address from axum's `ConnectInfo` |
//! | `tracing` | no | `RollbarTracing`: ERROR becomes an item, WARN and INFO what happened before it |
//! | `log` | no | `RollbarLog`: the same for the crate `log` |
//! | `gzip` | no | compressed bodies, where the builder asks for them |
//! | `xray` | no | the trace of `xray-runtime` in each item (`custom.trace_id`), and the item's uuid in the segment (`rollbar_uuid`) |
//!
//! # What is lost, and how it is counted
//!
//! Reporting does not block, does not panic and does not grow without bound. [`Rollbar::stats`] tells `reported` = `sent` +
//! `coalesced` + [`dropped()`](Stats::dropped) + `pending`, each loss by its cause: no room in the queue (the less severe and the
//! older go first), refused, unauthorized, unreachable after all tries, too large, over the rate, after the end, recursive.
//! `filtered` is what was held back on purpose, and is not among them.
//!
//! Of a burst the first ten of one text wait in the queue as they are; more are counted into the last of these, as `coalesced`.
//! An item that is larger than the limit is cut by steps, and says so in `notifier.diagnostic`. After 429 sending pauses for as
//! long as Rollbar says. A token that is refused (401, 403) ends sending, with one line through `tracing` (or `log`), in which
//! the token is masked. [`Rollbar::flush`] waits for what was reported so far and tells what became of it; in async code
//! [`Rollbar::flush_async`]. A program that is killed loses what waits; with [`spool`](RollbarBuilder::spool) what could not be
//! sent is on disk, and the next start sends it. A child of `fork` gets a worker of its own at its first report.
//!
//! # Tests of your code
//!
//! [`Rollbar::in_memory`] gives a client that keeps what it would send, and [`Captured`] to ask about it. [`Rollbar::enter`] puts it in
//! the place of the installed one for this thread and for the futures made there, so that tests run in parallel.
//!
//! ```
//! use rollbar_runtime::{Rollbar, rollbar_report};
//!
//! #[rollbar_report(capture(text))]
//! fn parse(text: &str) -> Result<u32, std::num::ParseIntError> { text.parse() }
//!
//! let (rollbar, captured) = Rollbar::in_memory();
//! rollbar.enter(|| assert!(parse("seven").is_err()));
//! let item = captured.only();
//! assert_eq!(item.class(), Some("core::num::error::ParseIntError"));
//! assert_eq!(item.message(), Some("invalid digit found in string"));
//! ```
//!
//! # Limits
//!
//! | limit | value | source |
//! |---|---|---|
//! | environment, title, context | [255](item::MAX_TEXT_CHARS) characters | Rollbar's API |
//! | code version | [40](item::MAX_CODE_VERSION_CHARS) characters | Rollbar's API |
//! | id of a person | [40](item::MAX_PERSON_ID_CHARS) characters | Rollbar's API |
//! | JSON of one item | 512 KiB; more is cut, as little as will do | Rollbar's API |
//! | events before an item | [100](MAX_TELEMETRY) in a scope; the latest are kept | ours |
//! | an error | 32 links of its chain, 65,536 characters of a message | ours |
//! | a message | 524,288 bytes on the way to the worker | ours |
//! | a stack | 128 frames; of each 4 lines of source before and after | ours |
//! | an argument that `capture` names | 1,024 characters of its `Debug` | ours |
//! | what waits to be sent | 32,768 occurrences, 32 MiB ([`queue`](RollbarBuilder::queue)) | ours |
//! | an answer of Rollbar | [65,536](MAX_ANSWER_BYTES) bytes are read | ours |
//! | a pause that Rollbar asks for | at most 1 hour | ours |
//!
//! Frames need symbols: a binary that is stripped of them reports the place of the error alone. Lines of source are read where the
//! program runs. The crate is for Unix, and tested on Linux. Its `rustls` is reqwest's, which Cargo makes one for the program: clients
//! of your own that use reqwest without TLS get it too.
#![deny(unsafe_code)]

mod addresses;
mod assembly;
mod baggage;
mod builder;
mod capture;
mod client;
mod crossing;
mod current;
mod delivery;
mod deploy;
mod endpoint;
mod identity;
mod ip;
pub mod item;
mod level;
#[cfg(feature = "log")]
mod log_bridge;
#[cfg(any(feature = "log", feature = "tracing"))]
mod log_event;
mod memory;
mod occurrence;
mod panic;
mod queue;
mod rate;
mod report;
mod response;
mod scope;
mod scoped;
mod scrub;
mod settings;
mod spool;
mod stats;
mod symbols;
#[cfg(feature = "tower")]
mod tower;
mod trace;
#[cfg(feature = "tracing")]
mod tracing_layer;
mod transport;
mod tree;
mod truncation;
mod worker;

/// The blocks of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

/// What the attribute expands to. No part of the public interface: it changes with each version.
#[doc(hidden)]
pub mod __private {
    pub use crate::capture::*;
}

/// Captured stacks and their frames, for tests: within this crate no frame is the user's.
#[doc(hidden)]
pub mod __symbols {
    pub use crate::addresses::capture;
    pub use crate::symbols::{SymbolSettings, Symbols};
}

#[doc(hidden)]
#[path = "conformance.rs"]
pub mod __conformance;

pub use builder::{BuildError, RollbarBuilder};
pub use client::{Flushed, Rollbar, RollbarGuard};
pub use deploy::{Deploy, DeployError, DeployId, DeployStatus};
pub use endpoint::{DEFAULT_ENDPOINT, Endpoint, InvalidEndpoint};
pub use ip::IpPolicy;
pub use level::{Level, LevelError};
#[cfg(feature = "log")]
pub use log_bridge::RollbarLog;
pub use memory::{Captured, CapturedItem};
pub use report::{Report, report_error, report_message};
pub use scope::{FutureExt, MAX_TELEMETRY, Scope, current_scope, in_scope, record_telemetry};
pub use scoped::{InScope, spawn, spawn_blocking};
pub use stats::Stats;
#[cfg(feature = "tower")]
pub use tower::{
    BodyPanicked, CaptureBody, CapturedBody, RollbarBody, RollbarBodyLayer, RollbarLayer,
    RollbarResponseFuture, RollbarService,
};
#[cfg(feature = "tracing")]
pub use tracing_layer::RollbarTracing;
pub use transport::{
    BoxFuture, MAX_ANSWER_BYTES, Payload, Proxy, Response, Transport, TransportError, TransportErrorKind,
    TransportSetupError,
};
pub use xray_macros::rollbar_report;

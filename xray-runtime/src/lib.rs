//! Records what a program does as AWS X-Ray segments, and sends them to the X-Ray daemon over UDP.
//!
//! X-Ray calls the record of one request in one service a *segment*. A segment holds *subsegments*: its steps, nested as
//! the calls were. Segments of several services with one trace id make a *trace*. This crate makes the segments; the
//! X-Ray daemon, or `xray-daemon tail` of this project, receives them.
//!
//! # First trace
//!
//! ```no_run
//! use xray_runtime::{Recorder, in_segment, xray_capture};
//!
//! #[xray_capture]
//! fn greet(name: &str) -> String { format!("hello {name}") }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let _xray = Recorder::builder().service("greeter").without_sampling().install()?;
//! in_segment("morning", || greet("Ada"));
//! # Ok(())
//! # }
//! ```
//!
//! It sends one document, the segment `morning` with the subsegment `greet`, to UDP port 2000 of this machine.
//! `xray-daemon tail --waterfall` shows it. The guard that [`install`](RecorderBuilder::install) returns sends what is
//! left when it is dropped: keep it until the end of `main`. `std::process::exit` drops nothing: flush before it.
//!
//! # Ways to record
//!
//! | what | segment | subsegment |
//! |---|---|---|
//! | a function, sync or async | `#[xray_capture(segment)]` | [`#[xray_capture]`](macro@xray_capture) |
//! | a part of a function | [`begin_segment`] (sync code only) | [`begin_subsegment`] (may be held over an `.await`) |
//! | a closure | [`in_segment`] | [`in_subsegment`] |
//! | a future | [`.in_segment("name")`](FutureExt::in_segment) | [`.in_subsegment("name")`](FutureExt::in_subsegment) |
//! | requests of a server | `XRayLayer` (feature `tower`), `XRayActix` (feature `actix`): see [Servers](#servers) | |
//! | invocations of a function of AWS Lambda | Lambda's own | `XRayLambdaLayer` (feature `lambda`): see [Lambda](#lambda) |
//! | requests of a reqwest client | | `XRayMiddleware` (feature `reqwest`) |
//! | calls of a client of the AWS SDK for Rust | | `XRayInterceptor` (feature `aws-sdk`) |
//! | queries, transactions and waits for the pool of sqlx | | `XRayPool` (feature `sqlx`) |
//! | calls of another database driver | | [`Sql`], with [`begin_subsegment`] |
//! | spans of `tracing`, those of libraries above all | | `XRayTracing` (feature `tracing`) |
//! | a message or job that brings a trace header | [`in_message_segment`], or [`Recorder::segment`] | |
//! | calls of a gRPC client | | `XRayGrpcLayer` (feature `grpc`) |
//! | a message or job that brings a trace header | [`Recorder::segment`] | |
//!
//! Guards end when they are dropped, or at `end()`. What is said of a segment or subsegment goes through its [`Entity`]:
//! a guard dereferences to it, [`current`] and [`current_segment`] find it. All its methods take `&self`.
//!
//! ```
//! use xray_runtime::{Recorder, begin_segment, begin_subsegment, current, in_subsegment};
//!
//! let (recorder, captured) = Recorder::in_memory();
//! recorder.enter(|| {
//!     let checkout = begin_segment("checkout");
//!     checkout.set_user("ada");
//!     let charge = begin_subsegment("charge");
//!     charge.put_annotation("cents", 1250); // indexed: filters find it
//!     charge.put_metadata("cart", ["book", "pen"]); // shown, not indexed; whatever serde can write
//!     charge.end();
//!     in_subsegment("mail", || current().put_annotation("to", "ada@example.com"));
//! });
//! let charge = captured.segment("checkout").subsegment("charge");
//! assert_eq!(charge.annotation("cents"), Some(1250.into()));
//! ```
//!
//! # Context and async
//!
//! The current entity belongs to a thread. A captured future takes its own context along: current while it is polled, off
//! the thread between polls. So siblings under `join!` never see each other, and a task never sees another's segment.
//!
//! * The parent of an `async fn` is what is current at its first poll: the function stays lazy. The parent of a function
//!   that returns a future is what is current at the call.
//! * A bare `tokio::spawn` starts with nothing current. `xray_runtime::spawn` and `spawn_blocking` (feature `tokio`) and
//!   [`.in_current_segment()`](FutureExt::in_current_segment) carry the current entity along.
//! * A future that is dropped before it is done ends its entity, with the annotation `cancelled`.
//! * Where a subsegment begins and no segment is current, nothing is recorded and [`ContextMissing`] says what happens:
//!   by default one warning a minute.
//!
//! # Errors and panics
//!
//! An `Err` of a captured function sets `fault` and records the error with its chain of sources; the attribute's
//! `error = "error"`, `"throttle"` or `"ignore"` changes that. An error that passes several captured functions is recorded
//! once, where it was seen first: the others refer to it, and its stack has a frame for each of them. No bound is asked of
//! the error's type; what it can do is used: [`Error`](std::error::Error), else `Display`, else `Debug`, else the name of
//! the type. A panic that crosses a captured function or a guard is recorded with message and place, and goes on. Without
//! the attribute: [`Entity::record_error`] and its sisters.
//!
//! # Servers
//!
//! | server | segments |
//! |---|---|
//! | axum, tonic | `XRayLayer`, by `.layer(..)` |
//! | hyper | `XRayLayer` around a service of tower, which hyper takes in hyper-util's `TowerToHyperService` |
//! | warp | `XRayLayer` around `warp::service(filter)`, served by hyper |
//! | others on tower | `XRayLayer`, where its services take `http::Request` and give `http::Response`, of version 1 of the crate `http` |
//! | actix-web | `XRayActix`, by `.wrap(..)`: its services are not those of tower |
//! | Rocket, poem, salvo, tiny_http and others | by hand |
//!
//! Rocket has no services of tower. poem and salvo have adapters for layers, with requests of poem's own, or with a handler that
//! runs elsewhere, where the segment would not be current. By hand it is a segment for each request; in async code
//! `.instrument(future)` in the place of `.begin()`, and [`current_segment`] in the future:
//!
//! ```
//! use std::collections::HashMap;
//! use xray_runtime::{ClientIp, HttpRequest, HttpResponse, Recorder, SamplingRequest, TRACE_HEADER};
//!
//! /// Answers with a status, and gives the response its headers.
//! fn handle(recorder: &Recorder, path: &str, asked: &HashMap<String, String>, gives: &mut HashMap<String, String>) -> u16 {
//!     let host = asked.get("host").map_or("localhost", String::as_str);
//!     // What sampling rules, dynamic names and skipped paths look at; and the trace of the caller.
//!     let request = SamplingRequest::new().with_host(host).with_http_method("GET").with_url_path(path);
//!     let segment = recorder.request_segment().request(request).carrier(asked).begin();
//!     let forwarded = asked.get("x-forwarded-for").map(String::as_str);
//!     segment.set_http_request(
//!         HttpRequest::new()
//!             .with_method("GET")
//!             .with_url(format!("http://{host}{path}"))
//!             .with_client_ip(ClientIp::find(forwarded, "192.0.2.7:51234", None)),
//!     );
//!     if let Some(header) = segment.response_header() {
//!         gives.insert(TRACE_HEADER.to_owned(), header);
//!     }
//!     let status = 404; // what the handler says
//!     segment.set_http_response(HttpResponse::new().with_status(status));
//!     status
//! }
//!
//! let (recorder, captured) = Recorder::in_memory();
//! let sent = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
//! let asked = HashMap::from([("x-amzn-trace-id".to_owned(), sent.to_owned())]);
//! let mut gives = HashMap::new();
//! handle(&recorder, "/users/7", &asked, &mut gives);
//! assert_eq!(gives[TRACE_HEADER], "Root=1-5759e988-bd862e3fe1be46a994272793");
//! let segment = captured.segment("test");
//! assert_eq!(segment.json()["parent_id"], "53995c3f42cd8ad8");
//! assert!(segment.is_error());
//! ```
//!
//! # Sampling
//!
//! The first segment of a trace decides, and the header `X-Amzn-Trace-Id` tells the services that it calls: the recorder
//! asks its sampler only where the caller has not decided. A segment that is not sampled records nothing, and its trace
//! id still goes on to called services.
//!
//! | sampling | how | who decides |
//! |---|---|---|
//! | central (default) | nothing, or [`central_sampling`](RecorderBuilder::central_sampling) | the rules of the X-Ray console, asked of the daemon: [`CentralSampler`] |
//! | local | [`sampling_rules`](RecorderBuilder::sampling_rules), [`sampling_rules_file`](RecorderBuilder::sampling_rules_file) | rules of your own, in the JSON form of X-Ray's SDKs: [`LocalSampler`] |
//! | all, none | [`without_sampling`](RecorderBuilder::without_sampling); [`AllSampler`], [`NoneSampler`] | nobody |
//! | code | [`sampler`](RecorderBuilder::sampler) | your [`Sampler`] |
//!
//! Central sampling starts one thread at the first decision, which asks the daemon's TCP address for rules (every 300 s) and
//! tells it how they were used (every 10 s). No request waits for it. Until rules are known, and wherever no daemon answers, the
//! built-in local rules decide: the first request of each second, and 5 % of the others. The rule of the console that
//! sampled a segment is in its document, as `aws.xray.sampling_rule_name`. A decision costs about as much as a local one:
//! a read of the clock, and for each rule that is asked a comparison of patterns. Rules with attributes or resources, of which
//! a request says nothing, are left out; of adaptive sampling only the boosts are followed, where that is
//! [switched on](CentralSamplerBuilder::adaptive_sampling).
//!
//! # Lambda
//!
//! In AWS Lambda the segment of a function is Lambda's, and so is sampling: the program adds subsegments. With the feature `lambda`:
//!
//! ```text
//! let xray = XRayLambdaLayer::new();
//! Runtime::new(xray.handler(service_fn(handler))).layer(xray).run().await
//! ```
//!
//! While an invocation is handled a facade of Lambda's segment is current, by the trace that came with it. Each subsegment is sent as it
//! ends, whatever `streaming_threshold` says, and before the runtime asks for the next invocation the layer waits until it is
//! delivered. What would be a segment (of a guard, a message, `XRayLayer`) is a subsegment, and what is said of the segment is said of the
//! handler's subsegment, so that code need not know where it runs. Where the variable `LAMBDA_TASK_ROOT` is set, segments outside of
//! invocations are not recorded, and nobody is asked for sampling rules. What is not covered: the time in which Lambda loads and starts
//! the program, which Lambda's segment has as `Initialization`.
//!
//! # Beside recording
//!
//! | what | how | where it is off (default) |
//! |---|---|---|
//! | code of yours is told when segments, and subsegments, begin and end, and may say something of them | [`listener`](RecorderBuilder::listener): [`SegmentListener`] | costs a branch a segment |
//! | a segment that was not sampled is sent after all: it ends in a fault, was slow, or [was asked for](Entity::keep) | [`late_keep`](RecorderBuilder::late_keep): [`LateKeep`] | what is not sampled is not recorded |
//! | a segment that is open for long is sent as in progress | [`heartbeat`](RecorderBuilder::heartbeat) | segments are sent when they have ended |
//! | requests of some paths have no segment | [`skip_path`](RecorderBuilder::skip_path) | all have one |
//!
//! Documents go by UDP to the daemon ([`UdpExporter`]), or to a Unix socket ([`UnixExporter`]), as lines to a file or a pipe
//! ([`JsonLinesExporter`]), straight to AWS X-Ray (`ApiExporter`, feature `api-exporter`), or wherever an [`Exporter`] of yours takes them.
//!
//! # Settings
//!
//! Set by methods of [`RecorderBuilder`]. X-Ray's environment variables win over code, as in X-Ray's other SDKs, and are
//! read once, by `build()` or `install()`. A value of the environment that means nothing is logged and left out; a wrong
//! value in code is an error.
//!
//! | what | environment | builder | default |
//! |---|---|---|---|
//! | name of the service | `AWS_XRAY_TRACING_NAME` | `service` | `unknown` |
//! | where the daemon listens: `host:port`, or `tcp:host:port udp:host:port` | `AWS_XRAY_DAEMON_ADDRESS` | `daemon_address` | `127.0.0.1:2000` |
//! | where no segment is current: `LOG_ERROR`, `RUNTIME_ERROR` (a panic) or `IGNORE_ERROR` | `AWS_XRAY_CONTEXT_MISSING` | `context_missing` | `LOG_ERROR` |
//! | `RUNTIME_ERROR` panics in release builds too | | `context_missing_panics_in_release` | no: it warns |
//! | recording on or off; `AWS_XRAY_SDK_DISABLED=true` is the stronger | `AWS_XRAY_SDK_ENABLED`, `AWS_XRAY_SDK_DISABLED` | `enabled` | on |
//! | a trace that is not sampled goes on with ids of zeros | `AWS_XRAY_NOOP_ID` | | no: with its own |
//! | segments named after the Host header where a pattern matches | | `dynamic_naming` | the service's name |
//! | which requests are recorded | | `central_sampling`, `sampling_rules`, `sampling_rules_file`, `sampler`, `without_sampling` | the console's rules; without a daemon 1 a second and 5 % |
//! | version and platform of the service | | `service_version`, `origin` | none |
//! | subsegments that a segment holds before closed ones are sent ahead | | `streaming_threshold` | 100 |
//! | annotation keys with other characters than `A-Z a-z 0-9 _` | | `annotation_keys` | these become `_` |
//! | what an HTTP status means | | `status` | 4xx error, 429 throttle, 5xx fault |
//! | proxies whose `X-Forwarded-For` is trusted | | `trusted_hops` | the header's first address |
//! | memory of ended segments that wait to be sent | | `queue_bytes` | 64 MiB |
//! | where documents go | | `exporter` | the daemon, by UDP |
//! | where the program runs (feature `plugins`) | | `plugin` | not said |
//! | code of yours that is told when segments begin and end | | `listener` | none |
//! | segments that were not sampled are sent where they end in a fault or were slow | | `late_keep` | no |
//! | segments that are open for longer are sent in progress, each time that has passed | | `heartbeat` | no |
//! | paths whose requests have no segment, such as `/health*` | | `skip_path` | none |
//!
//! [`Recorder::in_memory`] reads no variables.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `central-sampling` | yes | [`CentralSampler`], the default of a recorder; without it the built-in local rules are |
//! | `tower` | yes | `XRayLayer`: a segment for each request of an axum, tonic, hyper or warp server |
//! | `actix` | no | `XRayActix`: the same for servers of actix-web |
//! | `tokio` | yes | `spawn` and `spawn_blocking` |
//! | `axum` | no | the template of the route (`/users/{id}`) as annotation `route`, and the client's address from axum's `ConnectInfo` |
//! | `grpc` | no | `XRayGrpcLayer`: a remote subsegment for each call, unary or streaming, of a gRPC client such as tonic's |
//! | `plugins` | no | `Ec2Plugin`, `EcsPlugin`, `BeanstalkPlugin`, `CloudWatchLogsPlugin`: where the program runs, in the `aws` block and the `origin` of segments |
//! | `eks` | no | `EksPlugin`: the same for Kubernetes, with TLS (rustls) for the API of the cluster |
//! | `reqwest` | no | `XRayMiddleware`: a remote subsegment for each request of a reqwest client |
//! | `aws-sdk` | no | `XRayInterceptor`: a subsegment for each call of a client of the AWS SDK for Rust, any of them |
//! | `sqlx` | no | `XRayPool`: a remote subsegment for each query, transaction and wait for a connection of sqlx |
//! | `sqlx-without-macros` | no | the same where the feature `macros` of sqlx is off in the whole program, which saves the time to compile it |
//! | `api-exporter` | no | `ApiExporter`: documents go straight to AWS X-Ray, without a daemon |
//! | `lambda` | no | `XRayLambdaLayer`: subsegments of the segment that AWS Lambda has of a function |
//! | `tracing` | no | `XRayTracing`: spans of `tracing` as subsegments, events of level `ERROR` as their causes; `XRayFormat`: the trace's id on each line of a log |
//!
//! With `default-features = false` the attribute, the recorder, guards, closures, futures and all exporters remain.
//!
//! # What is lost, and how it is counted
//!
//! Recording does not block, does not panic (but where `RUNTIME_ERROR` asks for it) and does not grow without bound; what
//! does not fit is dropped and counted. [`Recorder::stats`] tells `recorded` = `sent` + [`dropped()`](Stats::dropped) +
//! `pending`, in segments and subsegments, each loss by its cause: the queue or the socket was full, no daemon answered, a
//! document was too large, an exporter panicked, a segment never ended. Refused and cut values have counters of their own.
//! One warning a minute goes to `tracing`, or to `log` where there is no `tracing` subscriber.
//!
//! Sent means given to the socket: UDP does not tell what the daemon got. That nobody listens is noticed only where the
//! system says so, as Linux does on the same machine. [`Recorder::flush`] waits for what has ended so far and tells what
//! became of it; in async code [`Recorder::flush_async`].
//!
//! # Tests of your code
//!
//! [`Recorder::in_memory`] gives a recorder that keeps what it records, and [`Captured`] to ask about it.
//! [`Recorder::enter`] puts it in the place of the installed one for this thread and for the futures made there, so that
//! tests run in parallel.
//!
//! ```
//! use xray_runtime::{Recorder, in_segment, xray_capture};
//!
//! #[xray_capture(error = "error")]
//! fn parse(text: &str) -> Result<u32, std::num::ParseIntError> { text.parse() }
//!
//! let (recorder, captured) = Recorder::in_memory();
//! recorder.enter(|| in_segment("test", || assert!(parse("seven").is_err())));
//! let parse = captured.segment("test").subsegment("parse");
//! assert!(parse.is_error());
//! assert_eq!(parse.exceptions(), ["invalid digit found in string"]);
//! ```
//!
//! # Limits
//!
//! | limit | value | source |
//! |---|---|---|
//! | name of a segment or subsegment | [200](MAX_NAME_CHARS) characters; others than X-Ray's are left out | schema of segment documents 1.0.0 |
//! | key of an annotation | [500](MAX_ANNOTATION_KEY_CHARS) of `A-Z a-z 0-9 _` | the schema |
//! | text of an annotation | [1,000](MAX_ANNOTATION_VALUE_CHARS) characters | the schema |
//! | annotations of a segment with all that is below it | [50](MAX_ANNOTATIONS); more become metadata | "AWS X-Ray segment documents" |
//! | method, address, user agent, user | [250](MAX_HTTP_TEXT_CHARS) characters | the schema |
//! | one document | 64,000 bytes; a larger segment is split, a larger entity is cut and says so | X-Ray's API takes 64 KiB |
//! | depth of one document | 60 levels; what is deeper is a document of its own | readers that stop at 128 levels of JSON |
//! | one entry of the metadata | 256 KiB of JSON | ours |
//! | an error | 10 links of its chain, 4,096 characters of a message, 50 frames | ours |
//! | annotations, metadata and the like of one segment on one thread | 4 MiB | ours |
//! | ended segments that wait for the exporter | 64 MiB ([`queue_bytes`](RecorderBuilder::queue_bytes)), 16,384 pieces | ours |
//! | open segments that may be [kept late](LateKeep) | 1,024 at once, with 1,024 subsegments and 60,000 bytes of notes a thread each | ours |
//! | open segments with a heartbeat | 131,072 | ours |
//! | a segment that ended with open subsegments | waits 30 s, then goes as it is | ours |
//!
//! Points in time are those of the system's clock, asked at least once a second; lengths come from a clock that never goes
//! back. The crate is for Unix, and tested on Linux; only there do several documents leave in one system call.
//!
//! Not here yet: the W3C `traceparent` header.

#[cfg(feature = "actix")]
mod actix;
mod annotation;
mod awaiting;
#[cfg(feature = "aws-sdk")]
mod aws_sdk;
mod capture;
mod carrier;
mod clock;
mod context;
mod daemon_address;
mod document;
mod entity;
mod error;
mod exception;
mod exporter;
mod facade;
mod future;
mod heartbeat;
mod http;
#[cfg(feature = "lambda")]
mod lambda;
mod late_keep;
mod listener;
mod naming;
mod note;
#[cfg(any(feature = "grpc", feature = "reqwest"))]
mod outgoing;
mod panic;
#[cfg(feature = "plugins")]
mod plugin;
mod record;
mod recorder;
#[cfg(feature = "reqwest")]
mod reqwest;
mod root;
mod sampling;
mod scope;
mod segment;
#[cfg(any(feature = "actix", feature = "tower"))]
mod server;
#[cfg(feature = "tokio")]
mod spawn;
mod sql;
#[cfg(feature = "sqlx-without-macros")]
mod sqlx;
mod subsegment;
#[cfg(feature = "tower")]
mod tower;
mod trace_header;
mod trace_id;
#[cfg(feature = "tracing")]
mod tracing_layer;
mod tree;
mod unsettled;
mod warning;
mod wildcard;

/// The blocks of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

/// What the attributes expand to. No part of the public interface: it changes with each version.
#[doc(hidden)]
pub mod __private {
    pub use crate::capture::*;
}

#[doc(hidden)]
#[path = "conformance.rs"]
pub mod __conformance;

pub use self::http::{
    ClientIp, HttpRequest, HttpResponse, MAX_HTTP_TEXT_CHARS, StatusFlags, StatusOverrides,
    url_without_secrets,
};
#[cfg(feature = "actix")]
pub use actix::{XRayActix, XRayActixBody, XRayActixFuture, XRayActixService};
pub use annotation::{
    AnnotationKeyPolicy, AnnotationValue, MAX_ANNOTATION_KEY_CHARS, MAX_ANNOTATION_VALUE_CHARS,
    MAX_ANNOTATIONS, ToAnnotation,
};
#[cfg(feature = "aws-sdk")]
pub use aws_sdk::{InvalidAwsParameters, XRayInterceptor};
pub use carrier::{Carrier, CarrierMut, MESSAGE_TRACE_HEADER, in_message_segment};
pub use daemon_address::{DaemonAddress, Endpoint, InvalidDaemonAddress};
pub use entity::{Entity, Namespace, current, current_segment};
pub use error::ErrorClass;
#[cfg(feature = "api-exporter")]
pub use exporter::ApiExporter;
pub use exporter::{
    Batch, Captured, CapturedEntity, Document, DropCause, Exporter, JsonLinesExporter, UdpExporter,
    UnixExporter,
};
pub use future::{FutureExt, InSegment};
#[cfg(feature = "lambda")]
pub use lambda::{
    XRayLambdaFuture, XRayLambdaHandler, XRayLambdaHandlerFuture, XRayLambdaLayer, XRayLambdaResponse,
    XRayLambdaService, XRayLambdaStream,
};
pub use late_keep::LateKeep;
pub use listener::{Observed, SegmentListener};
pub use naming::{MAX_NAME_CHARS, SegmentNaming};
#[cfg(feature = "eks")]
pub use plugin::EksPlugin;
#[cfg(feature = "plugins")]
pub use plugin::{
    BeanstalkPlugin, CloudWatchLogsPlugin, Ec2Plugin, EcsPlugin, Platform, Plugin, PluginError,
};
pub use recorder::{
    BuildError, ContextMissing, Entered, Flushed, InstallError, Recorder, RecorderBuilder, RecorderGuard,
    Stats,
};
#[cfg(feature = "reqwest")]
pub use reqwest::XRayMiddleware;
pub use sampling::{
    AllSampler, InvalidSamplingRules, LocalSampler, NoneSampler, Sampler, SamplingDecision, SamplingRequest,
    SamplingRulesFileError,
};
#[cfg(feature = "central-sampling")]
pub use sampling::{CentralSampler, CentralSamplerBuilder};
pub use segment::{Segment, SegmentBuilder, begin_segment, in_segment};
#[cfg(feature = "tokio")]
pub use spawn::{spawn, spawn_blocking};
pub use sql::{MAX_SQL_TEXT_CHARS, Sql, SqlPreparation};
#[cfg(feature = "sqlx-without-macros")]
pub use sqlx::{TracedConnection, TracedDatabase, XRayConnection, XRayPool, XRayTransaction};
pub use subsegment::{Subsegment, begin_subsegment, in_subsegment};
#[cfg(feature = "tower")]
pub use tower::{XRayBody, XRayLayer, XRayResponseFuture, XRayService};
#[cfg(feature = "grpc")]
pub use tower::{XRayGrpcBody, XRayGrpcFuture, XRayGrpcLayer, XRayGrpcService};
pub use trace_header::{Sampled, TRACE_HEADER, TraceHeader, response_header};
pub use trace_id::{EntityId, InvalidEntityId, InvalidTraceId, TraceId};
#[cfg(feature = "tracing")]
pub use tracing_layer::{XRayFormat, XRayTracing};
pub use xray_macros::xray_capture;

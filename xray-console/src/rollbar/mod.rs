//! A local double of Rollbar's API: validates as the API does, groups and keeps in memory what was sent, and plays the
//! faults that a test asks for.
//!
//! The way of the data: a [`Request`] -> the JSON in its body -> its [`violations`] -> fingerprint and title -> the store
//! of items -> an [`Answer`]. It is logic alone: no sockets, no clock, no threads. Whoever serves it over HTTP gives the
//! time with each request.
//!
//! | call | answer |
//! |---|---|
//! | `POST /api/1/item/` | validated, grouped and stored; a known uuid is accepted and discarded |
//! | `POST /api/1/deploy/`, `PATCH /api/1/deploy/<id>`, `GET /api/1/deploy/<id>`, `GET /api/1/deploys/` | deploys |
//! | `GET /api/1/items/`, `/item/<id>`, `/item_by_counter/<n>`, `PATCH /api/1/item/<id>` | items and their state |
//! | `GET /api/1/instances/`, `/item/<id>/instances/`, `GET` and `DELETE /api/1/instance/<id>` | occurrences |
//! | `GET /api/1/status/ping` | `pong` |
//!
//! Each with and without the last slash. Anything else is answered 404, another method 405.
//!
//! ```
//! use std::time::SystemTime;
//! use xray_console::rollbar::{Double, Request, Settings};
//!
//! let double = Double::new(Settings::default());
//! let body = br#"{"access_token":"any","data":{"environment":"test","body":{"message":{"body":"Hello World!"}}}}"#;
//! let answer = double.answer(&Request { body, ..Request::new("POST", "/api/1/item/", SystemTime::now()) });
//! assert_eq!(answer.status, 200);
//! assert_eq!(double.items()[0].title, "Hello World!");
//! ```

mod access;
mod answer;
mod deploy;
mod double;
mod drawing;
mod fault;
mod grouping;
mod item;
mod occurrence;
mod payload;
mod reading;
mod request;
mod rust_names;
mod settings;
mod store;
mod validity;

pub use answer::{Answer, Body, Event, Refused};
pub use deploy::Deploy;
pub use double::{Double, Stats};
pub use fault::{Fault, TokenState, Wire};
pub use grouping::{fingerprint, rust_fingerprint, title};
pub use item::Item;
pub use occurrence::{Change, Occurrence, Place};
pub use request::Request;
pub use settings::{MAX_BODY_BYTES, Mode, Scope, Settings, Tokens};
pub use validity::{Certainty, Violation, violations};

//! A local double of Rollbar's API: validates as the API does, groups and keeps in memory what was sent, and plays the
//! faults that a test asks for.
//!
//! The way of the data: a [`Request`] -> the body's JSON -> its validity -> fingerprint and title -> the store of items
//! -> an [`Answer`]. It is logic alone: no sockets, no clock, no threads. Whoever serves it over HTTP gives the time with
//! each request.
//!
//! ```
//! use std::time::SystemTime;
//! use xray_console::rollbar::{Double, Request, Settings};
//!
//! let double = Double::new(Settings::default());
//! let body = br#"{"access_token":"any","data":{"environment":"test","body":{"message":{"body":"Hello World!"}}}}"#;
//! let answer = double.answer(&Request { body, ..Request::new("POST", "/api/1/item/", SystemTime::now()) });
//! assert_eq!(answer.status, 200);
//! ```

mod answer;
mod deploy;
mod double;
mod fault;
mod occurrence;
mod request;
mod settings;

pub use answer::{Answer, Body, Event, Refused};
pub use deploy::Deploy;
pub use double::{Double, Stats};
pub use fault::{Fault, TokenState, Wire};
pub use occurrence::{Change, Occurrence, Place};
pub use request::Request;
pub use settings::{MAX_BODY_BYTES, Mode, Scope, Settings, Tokens};

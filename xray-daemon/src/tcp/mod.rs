//! What the daemon answers over TCP: Rollbar's API so far.
//!
//! The way of a request: a connection is accepted ([`server`]) -> the request's origin is checked ([`origin`]) -> its
//! body is read ([`body`]) -> the double answers ([`rollbar`]) -> the answer, or the fault that a test asked for, goes
//! out on the socket ([`wire`]).

mod body;
mod faults;
mod origin;
mod rollbar;
mod routes;
mod server;
mod wire;

pub(crate) use origin::Origins;
pub(crate) use rollbar::{Rollbar, Watch};
pub(crate) use routes::router;
pub(crate) use server::Server;

//! What the daemon answers over TCP.
//!
//! The way of a request: a connection is accepted ([`server`]) -> the request's origin is checked ([`origin`], [`routes`]) -> its
//! body is read ([`body`]) -> it is answered: by the double of Rollbar's API ([`rollbar`]), by sampling rules that are held here
//! ([`sampling`]), by X-Ray itself, to which it is passed on signed (`proxy`), or by what the daemon knows of itself
//! ([`observe`]) -> the answer, or the fault that a test asked for, goes out on the socket ([`wire`]).

mod body;
mod faults;
pub(crate) mod observe;
mod origin;
#[cfg(feature = "relay")]
pub(crate) mod proxy;
pub(crate) mod rollbar;
pub(crate) mod routes;
pub(crate) mod sampling;
mod server;
mod wire;

pub(crate) use origin::Origins;
pub(crate) use rollbar::{Rollbar, Watch};
pub(crate) use routes::Gate;
pub(crate) use server::Server;

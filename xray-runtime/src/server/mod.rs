//! A request that a server answers, whatever the server is: what is read of it, and its segment. What differs from server to
//! server (types, when a body ends) is beside it, in `tower/` and `actix/`.

mod exchange;
mod options;
mod request;

#[cfg(feature = "tower")]
pub(crate) use exchange::UNKNOWN;
pub(crate) use exchange::{Answer, Exchange, GrpcStatus, Head, Rest};
pub(crate) use options::{Options, WhichRecorder, option_methods};
#[cfg(any(feature = "actix", feature = "axum"))]
pub(crate) use request::note_route;
pub(crate) use request::{Incoming, RequestHeader, describe};

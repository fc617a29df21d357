//! `XRayActix` on real servers of actix-web, and beside `XRayLayer` on axum: the same requests leave the same documents.

#![allow(clippy::unwrap_used)] // Not only in the tests themselves.

mod bodies;
mod errors;
mod parity;
#[allow(dead_code, reason = "some of it is for axum alone")]
#[path = "../http/served.rs"]
mod served;
mod server;

//! Requests that are served and made, over real sockets. One executable: each more is 26 MB and its linking.

#![allow(clippy::unwrap_used)] // Not only in the tests themselves.

mod reqwest_requests;
mod served;
mod tower_bodies;
mod tower_requests;

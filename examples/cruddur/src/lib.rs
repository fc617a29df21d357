//! The Cruddur back end, an app of the AWS cloud project bootcamp, in axum over SQLite, every request traced.
//!
//! The binary reads the environment and the command line; this library is the app itself, so that tests can start it:
//! [`start`] gives an [`App`] that serves real HTTP on loopback until it is stopped.
#![forbid(unsafe_code)]

mod activities;
mod app;
mod database;
pub mod demo;
mod downstream;
mod error;
pub mod load;
mod messages;
mod recommendations;
mod service;
pub mod settings;
mod start;
pub mod statistics;
mod traffic;
mod trouble;
mod twins;

pub use start::{App, Destination, StartError, start};

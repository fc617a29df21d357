//! The addresses of a host's name.

use std::io;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

/// Asks the system, as reqwest's own resolver does, and says by its type that it was the name that failed: the texts of the
/// system's answers differ and are no base for a decision.
pub(super) struct Resolver;

/// A name without an address.
#[derive(Debug, Error)]
#[error("no address of `{name}`: {source}")]
pub(super) struct NoAddress {
    name: String,
    source: io::Error,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // Port 0 stands for the URL's.
            match tokio::net::lookup_host((name.as_str(), 0)).await {
                Ok(addresses) => Ok(Box::new(addresses.collect::<Vec<SocketAddr>>().into_iter()) as Addrs),
                Err(source) => Err(NoAddress { name: name.as_str().to_owned(), source }.into()),
            }
        })
    }
}

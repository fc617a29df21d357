//! Names, resolved at each new connection: what DNS says now counts.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::super::hooks::Resolver;

/// By way of the system, or of a test.
pub(super) struct Names(pub(super) Option<Resolver>);

/// A name that cannot be resolved.
#[derive(Debug, thiserror::Error)]
#[error("the name {name} cannot be resolved: {reason}")]
pub(super) struct Unresolved {
    name: String,
    reason: String,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let hooked = self.0.as_ref().map(|resolver| resolver(name.as_str()));
        Box::pin(async move {
            let name = name.as_str();
            let found = match hooked {
                Some(found) => found.await,
                None => tokio::net::lookup_host((name, 0)).await.map(Iterator::collect),
            };
            let reason = match found {
                Ok(addresses) if addresses.is_empty() => "it has no address".to_owned(),
                Ok(addresses) => return Ok(Box::new(addresses.into_iter()) as Addrs),
                Err(error) => error.to_string(),
            };
            Err(Unresolved { name: name.to_owned(), reason }.into())
        })
    }
}

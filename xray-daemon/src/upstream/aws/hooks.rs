//! What tests put in the place of the world.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use futures_util::future::BoxFuture;

/// Resolves a name; the port of what it returns is used where the URL has none.
pub type Resolver = Arc<dyn Fn(&str) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// Replaces parts of the world, each where it is given. Not part of the library's promise.
#[derive(Clone, Default)]
pub struct Hooks {
    /// In place of the default chain; a role is assumed with these.
    pub credentials: Option<SharedCredentialsProvider>,
    /// In place of the system's resolver.
    pub resolver: Option<Resolver>,
    /// In place of the 60 s that an attempt may take.
    pub attempt: Option<Duration>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").field("attempt", &self.attempt).finish_non_exhaustive()
    }
}

//! As whom AWS is called: credentials, held until they expire or are refused.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use tokio::time::{Instant, timeout};

use super::http::Http;
use super::metadata;

/// How long before they expire credentials are replaced, at most; those that live shorter than an hour, in the last tenth.
const EARLY: Duration = Duration::from_secs(5 * 60);

/// How long credentials that are about to expire are used before the next try to replace them.
const PAUSE: Duration = Duration::from_secs(10);

/// How long after credentials were forgotten because they were refused others are not: an identity that lacks a permission
/// would ask STS for each call.
const FORGET_AGAIN: Duration = Duration::from_secs(10);

/// The longest that new credentials may take.
const LOAD: Duration = Duration::from_secs(30);

/// Who calls. Cheap to clone: all clones hold the same credentials.
#[derive(Clone)]
pub(super) struct Identity(Arc<Inner>);

struct Inner {
    source: SharedCredentialsProvider,
    state: RwLock<State>,
    /// One loads, the others wait for what it gets.
    loading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    failed: Option<Failed>,
    forgotten: Option<Instant>,
}

struct Held {
    credentials: Credentials,
    loaded: Instant,
    /// From when on they are to be replaced.
    stale: Option<SystemTime>,
}

struct Failed {
    at: Instant,
    not_loaded: bool,
    message: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

impl Identity {
    pub(super) fn new(source: SharedCredentialsProvider) -> Self {
        Self(Arc::new(Inner { source, state: RwLock::default(), loading: tokio::sync::Mutex::default() }))
    }

    /// The credentials to sign with now.
    pub(super) async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        let asked = Instant::now();
        if let Some(credentials) = self.fresh() {
            return Ok(credentials);
        }
        let _alone = self.0.loading.lock().await;
        if let Some(credentials) = self.fresh() {
            return Ok(credentials);
        }
        if let Some(failed) =
            self.read(|state| state.failed.as_ref().filter(|failed| failed.at > asked).map(Failed::error))
        {
            return Err(failed);
        }
        let loaded = match timeout(LOAD, self.0.source.provide_credentials()).await {
            Ok(loaded) => loaded,
            Err(_) => Err(CredentialsError::provider_timed_out(LOAD)),
        };
        self.write(|state| state.take_in(loaded))
    }

    /// Says that credentials that were in use by a moment were refused; those that were loaded since are kept, and so are all
    /// for a while after some were forgotten.
    pub(super) fn refused(&self, by: Instant) {
        self.write(|state| {
            let were_in_use = state.held.as_ref().is_some_and(|held| held.loaded <= by);
            if were_in_use && state.forgotten.is_none_or(|at| at.elapsed() >= FORGET_AGAIN) {
                state.held = None;
                state.forgotten = Some(Instant::now());
            }
        });
    }

    fn fresh(&self) -> Option<Credentials> {
        let now = SystemTime::now();
        self.read(|state| {
            let held = state.held.as_ref()?;
            held.stale.is_none_or(|stale| now < stale).then(|| held.credentials.clone())
        })
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.0.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.state.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn take_in(
        &mut self,
        loaded: Result<Credentials, CredentialsError>,
    ) -> Result<Credentials, CredentialsError> {
        let now = SystemTime::now();
        match loaded {
            Ok(credentials) => {
                let stale = credentials.expiry().map(|expiry| {
                    let left = expiry.duration_since(now).unwrap_or_default();
                    expiry.checked_sub(EARLY.min(left / 10)).unwrap_or(expiry)
                });
                self.failed = None;
                self.held = Some(Held { credentials: credentials.clone(), loaded: Instant::now(), stale });
                Ok(credentials)
            }
            Err(error) => {
                let valid = |held: &&mut Held| held.credentials.expiry().is_none_or(|expiry| now < expiry);
                if let Some(held) = self.held.as_mut().filter(valid) {
                    held.stale = now.checked_add(PAUSE);
                    tracing::warn!(
                        "the credentials that expire soon cannot be replaced yet: {}",
                        said(&error)
                    );
                    return Ok(held.credentials.clone());
                }
                let not_loaded = matches!(error, CredentialsError::CredentialsNotLoaded(_));
                self.failed = Some(Failed { at: Instant::now(), not_loaded, message: said(&error) });
                Err(error)
            }
        }
    }
}

impl Failed {
    fn error(&self) -> CredentialsError {
        if self.not_loaded {
            CredentialsError::not_loaded(self.message.clone())
        } else {
            CredentialsError::provider_error(self.message.clone())
        }
    }
}

/// What an error says, with its causes: the outermost says only that something failed.
fn said(error: &CredentialsError) -> String {
    super::answer::chain_of(error)
}

impl ProvideCredentials for Identity {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

/// The default chain: environment, profile, web identity, container, instance. It is made anew for each load, so that a
/// profile that was changed since is read again.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) http: Http,
    pub(super) config: SdkConfig,
}

impl Chain {
    async fn load(&self) -> Result<Credentials, CredentialsError> {
        let config = provider_config(&self.http)
            .with_region(self.config.region().cloned())
            .with_use_fips(self.config.use_fips())
            .with_use_dual_stack(self.config.use_dual_stack());
        let imds = metadata::client(&config);
        let chain = DefaultCredentialsChain::builder()
            .region(self.config.region().cloned())
            .imds_client(imds)
            .configure(config);
        chain.build().await.provide_credentials().await
    }
}

impl ProvideCredentials for Chain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }
}

/// For all that looks something up in metadata services.
pub(super) fn provider_config(http: &Http) -> ProviderConfig {
    ProviderConfig::without_region().with_http_client(http.for_credentials())
}

/// A role that is assumed with the credentials of another.
pub(super) async fn assuming(
    role_arn: &str,
    config: &SdkConfig,
    with: SharedCredentialsProvider,
) -> SharedCredentialsProvider {
    let role = AssumeRoleProvider::builder(role_arn).configure(config).session_name("xray-daemon");
    SharedCredentialsProvider::new(role.build_from_provider(with).await)
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;

//! Credentials on a clock that waits for nobody.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;

use super::*;

/// Gives keys that are named after the call; fails where it is told to.
#[derive(Debug, Clone, Default)]
struct Source {
    calls: Arc<AtomicUsize>,
    fails: Arc<AtomicBool>,
    lives: Option<Duration>,
}

impl Source {
    async fn load(&self) -> Result<Credentials, CredentialsError> {
        // Others that ask meanwhile wait.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if self.fails.load(Ordering::SeqCst) {
            return Err(CredentialsError::provider_error("down"));
        }
        let expiry = self.lives.map(|lives| SystemTime::now() + lives);
        Ok(Credentials::new(call.to_string(), "secret", None, expiry, "test"))
    }
}

impl ProvideCredentials for Source {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }
}

/// An identity out of this source.
fn run(source: &Source, test: impl AsyncFnOnce(Identity)) {
    let identity = Identity::new(SharedCredentialsProvider::new(source.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(test(identity));
}

async fn key(identity: &Identity) -> String {
    identity.credentials().await.unwrap().access_key_id().to_owned()
}

#[test]
fn many_that_ask_at_once_load_once() {
    let source = Source::default();
    run(&source, async |identity| {
        let asking = (0..8).map(|_| key(&identity));
        assert!(join_all(asking).await.iter().all(|key| key == "0"));
    });
    assert_eq!(source.calls.load(Ordering::SeqCst), 1);
}

#[test]
fn many_that_ask_at_once_fail_once() {
    let source = Source::default();
    run(&source, async |identity| {
        source.fails.store(true, Ordering::SeqCst);
        let asking = (0..8).map(|_| identity.credentials());
        for asked in join_all(asking).await {
            assert!(said(&asked.unwrap_err()).contains("down"));
        }
        assert_eq!(source.calls.load(Ordering::SeqCst), 1);
        source.fails.store(false, Ordering::SeqCst);
        assert_eq!(key(&identity).await, "1");
    });
}

#[test]
fn those_that_cannot_be_replaced_yet_are_used_while_they_are_valid() {
    let source = Source { lives: Some(Duration::from_secs(3600)), ..Source::default() };
    run(&source, async |identity| {
        assert_eq!(key(&identity).await, "0");
        source.fails.store(true, Ordering::SeqCst);
        // As if most of the hour had passed.
        identity.write(|state| state.held.as_mut().unwrap().stale = Some(SystemTime::UNIX_EPOCH));
        assert_eq!(key(&identity).await, "0");
        // Not tried again for each call.
        assert_eq!(key(&identity).await, "0");
        assert_eq!(source.calls.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn a_source_that_never_answers_is_given_up() {
    #[derive(Debug)]
    struct Never;
    impl ProvideCredentials for Never {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(std::future::pending())
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let identity = Identity::new(SharedCredentialsProvider::new(Never));
        let error = identity.credentials().await.unwrap_err();
        assert!(matches!(error, CredentialsError::ProviderTimedOut(_)), "{error}");
    });
}

#[test]
fn refused_ones_are_forgotten_but_not_for_each_call() {
    let source = Source::default();
    run(&source, async |identity| {
        let before = Instant::now();
        assert_eq!(key(&identity).await, "0");
        // Others, of before.
        identity.refused(before);
        assert_eq!(key(&identity).await, "0");
        identity.refused(Instant::now());
        assert_eq!(key(&identity).await, "1");
        identity.refused(Instant::now());
        assert_eq!(key(&identity).await, "1");
        tokio::time::advance(FORGET_AGAIN).await;
        identity.refused(Instant::now());
        assert_eq!(key(&identity).await, "2");
    });
}

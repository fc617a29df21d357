//! Credentials that come late, expire, or are not there.

use std::path::PathBuf;

use conformance::upstream::{Double, sigv4::Key};
use nix::sys::signal::Signal;

use crate::process::Start;

/// Where a daemon finds its credentials: a command prints this file.
struct Source {
    config: PathBuf,
    credentials: PathBuf,
}

impl Source {
    fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let source = Self {
            config: folder.join(format!("{}-{name}.config", std::process::id())),
            credentials: folder.join(format!("{}-{name}.json", std::process::id())),
        };
        let command = format!("/bin/cat \"{}\"", source.credentials.display());
        std::fs::write(&source.config, format!("[default]\ncredential_process = {command}\n")).unwrap();
        source
    }

    fn put(&self, key: &Key) {
        let told = serde_json::json!({
            "Version": 1, "AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret_access_key,
            "SessionToken": key.session_token, "Expiration": "2099-01-01T00:00:00Z",
        });
        // At once: the daemon may read it now.
        let whole = self.credentials.with_extension("new");
        std::fs::write(&whole, told.to_string()).unwrap();
        std::fs::rename(&whole, &self.credentials).unwrap();
    }

    fn before(&self, double: &Double) -> Start {
        let start =
            Start::before(double).without_env("AWS_ACCESS_KEY_ID").without_env("AWS_SECRET_ACCESS_KEY");
        start.env("AWS_CONFIG_FILE", self.config.to_str().unwrap())
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let _ = (std::fs::remove_file(&self.config), std::fs::remove_file(&self.credentials));
    }
}

#[test]
fn credentials_that_expire_are_loaded_again() {
    let (double, source) = (Double::start().unwrap(), Source::new("expire"));
    let (first, second) =
        (Key::new("ASIAFIRST", "one").with_token("t1"), Key::new("ASIASECOND", "two").with_token("t2"));
    double.know(first.clone());
    source.put(&first);
    let mut daemon = source.before(&double).start();
    daemon.send_next(50);
    daemon.settled();
    // Sooner than they said they would.
    double.expire("ASIAFIRST");
    double.know(second.clone());
    source.put(&second);
    daemon.send_next(50);
    let account = daemon.settled();
    assert_eq!((account.sent, account.dropped()), (100, 0));
    daemon.end();
    let account = double.account();
    assert_eq!((account.kept.len(), account.duplicates()), (100, 0));
    assert!(account.unsigned >= 1, "it was refused once");
}

#[test]
fn credentials_that_come_late_are_waited_for() {
    let (double, source) = (Double::start().unwrap(), Source::new("late"));
    let mut daemon = source.before(&double).start();
    daemon.send_next(50);
    let told = daemon.line("Sending segment batch failed with");
    assert!(told.contains("credentials"), "{told}");
    let key = Key::new("ASIALATE", "late").with_token("t");
    double.know(key.clone());
    source.put(&key);
    let account = daemon.settled();
    assert_eq!((account.sent, account.dropped()), (50, 0));
    daemon.end();
    assert_eq!((double.received(50).len(), double.account().unsigned), (50, 0));
}

#[test]
fn a_daemon_without_credentials_starts_and_says_what_is_missing() {
    let double = Double::start().unwrap();
    let start = Start::before(&double).without_env("AWS_ACCESS_KEY_ID").without_env("AWS_SECRET_ACCESS_KEY");
    let mut daemon = start.start();
    daemon.send_next(50);
    let told = daemon.line("Sending segment batch failed with");
    assert!(told.contains("[Error]") && told.contains("no credentials"), "{told}");
    let account = daemon.account();
    assert_eq!((account.pending, account.sent, account.dropped()), (50, 0, 0));
    assert!(double.account().calls.is_empty(), "nothing is called that is not signed");
    // The grace of 8 seconds is not what is tested.
    daemon.signal(Signal::SIGTERM);
    daemon.line("Got shutdown signal");
    daemon.signal(Signal::SIGTERM);
    daemon.ended();
}

//! One item from its JSON tree to its end: sent, kept for later, or dropped for a reason that is counted.

mod backoff;
mod body;
mod failsafe;
mod notices;
mod outcome;
mod state;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

pub(crate) use self::backoff::Backoff;
pub(crate) use self::outcome::{DropCause, OffReason, Outcome, Ready};

use self::body::Bodies;
use self::notices::Notices;
use self::state::State;
use crate::response::{self, Action, Form, Sent, Verdict};
use crate::transport::{Payload, Response, Transport, TransportError, TransportErrorKind};
use crate::truncation;

/// Bytes to cut an item to that was refused as too large: the other limit in Rollbar's documentation.
const HARDER_BYTES: usize = 128 * 1024;

/// How items are delivered.
#[derive(Debug, Clone)]
pub(crate) struct DeliverySettings {
    /// Bytes of an item's JSON; 512 KiB by default. What is larger is cut.
    pub(crate) max_bytes: usize,
    /// How often an item is tried again when the network or the service fails; 3 by default.
    pub(crate) retries: u32,
    /// How long is waited before each try.
    pub(crate) backoff: Backoff,
    /// Whether bodies are compressed. That Rollbar reads them is not documented; a refusal ends it for good. It needs the
    /// feature `gzip`.
    pub(crate) gzip: bool,
    /// The access token: it is masked in what is logged.
    pub(crate) token: String,
    /// The URL of items, for what is logged.
    pub(crate) endpoint: String,
    /// The name of this machine, for the note in place of an item that is too large.
    pub(crate) host: Option<String>,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            max_bytes: truncation::DEFAULT_MAX_BYTES,
            retries: response::MAX_RETRIES,
            backoff: Backoff::default(),
            gzip: false,
            token: String::new(),
            endpoint: String::new(),
            host: None,
        }
    }
}

/// Delivers items over a transport, several at the same time. A pause and the end of sending hold for all of them.
pub(crate) struct Delivery {
    settings: DeliverySettings,
    transport: Arc<dyn Transport>,
    state: State,
    notices: Notices,
    gzip: AtomicBool,
    retried: AtomicU64,
    failsafes: AtomicU64,
    /// When whatever is under way is given up.
    closing: watch::Sender<Option<Instant>>,
}

/// How sending one form of an item ended.
enum Ended {
    Sent,
    Paused,
    TooLarge,
    Undelivered,
    Dropped(DropCause),
}

impl Delivery {
    /// A delivery over a transport.
    pub(crate) fn new(settings: DeliverySettings, transport: Arc<dyn Transport>) -> Self {
        Self {
            gzip: AtomicBool::new(settings.gzip && cfg!(feature = "gzip")),
            settings,
            transport,
            state: State::default(),
            notices: Notices::default(),
            retried: AtomicU64::new(0),
            failsafes: AtomicU64::new(0),
            closing: watch::Sender::new(None),
        }
    }

    /// Until when nothing is sent, as the service asked for.
    pub(crate) fn paused_until(&self) -> Option<Instant> {
        self.state.paused_until()
    }

    /// Why nothing is sent any more.
    pub(crate) fn is_off(&self) -> Option<OffReason> {
        self.state.off()
    }

    /// How often an item was tried again.
    #[cfg(test)]
    fn retried(&self) -> u64 {
        self.retried.load(Ordering::Relaxed)
    }

    /// Notes that the service took in place of items that were too large.
    pub(crate) fn failsafes(&self) -> u64 {
        self.failsafes.load(Ordering::Relaxed)
    }

    /// Gives up at `deadline` whatever is then under way, and before it whatever would wait longer than that: those items end as
    /// [`Outcome::Undelivered`]. The last call counts.
    pub(crate) fn close_by(&self, deadline: Instant) {
        self.closing.send_replace(Some(deadline));
    }

    /// Delivers one item, with retries and whatever else its answers ask for.
    pub(crate) async fn deliver(&self, item: Ready) -> Outcome {
        let Ready { uuid, level, mut tree } = item;
        let mut form = Form::Whole;
        let mut max = self.settings.max_bytes;
        loop {
            let Some(json) = body::fitted(&mut tree, max) else { break };
            let mut bodies = Bodies::new(json);
            match self.send(uuid, &mut bodies, form).await {
                Ended::Sent => return Outcome::Sent,
                Ended::Paused => return Outcome::Deferred(Ready { uuid, level, tree }),
                Ended::Undelivered => return Outcome::Undelivered(Payload::new(uuid, bodies.plain())),
                Ended::Dropped(cause) => return Outcome::Dropped(cause),
                Ended::TooLarge if form == Form::Whole => {
                    form = Form::Truncated;
                    max = (bodies.plain().len() / 2).min(HARDER_BYTES);
                }
                Ended::TooLarge => break,
            }
        }
        // One note, whatever becomes of it.
        let (note, note_uuid) = failsafe::note(&tree, uuid, self.settings.host.as_deref());
        if matches!(self.send(note_uuid, &mut Bodies::new(note), Form::Failsafe).await, Ended::Sent) {
            self.failsafes.fetch_add(1, Ordering::Relaxed);
        }
        Outcome::Dropped(DropCause::TooLarge)
    }

    /// Sends one form of an item until its end.
    async fn send(&self, uuid: Uuid, bodies: &mut Bodies, form: Form) -> Ended {
        let mut attempt = 1;
        loop {
            if self.state.is_off() {
                return Ended::Dropped(DropCause::Unauthorized);
            }
            if self.paused_until().is_some() {
                return Ended::Paused;
            }
            let (body, compressed) = bodies.body(self.gzip.load(Ordering::Relaxed));
            let payload = Payload { uuid, body, compressed };
            let Some(answer) = self.before_closing(self.transport.send(&payload)).await else {
                return Ended::Undelivered;
            };
            let sent = Sent { attempt, max_retries: self.settings.retries, form, compressed };
            let (verdict, cause) = self.verdict(&answer, sent);
            if let Some(pause) = verdict.pause {
                self.pause(pause, &verdict);
            }
            match verdict.action {
                Action::Done => {
                    self.notices.fine();
                    self.notices.unusual(&verdict);
                    return Ended::Sent;
                }
                Action::Drop => {
                    self.notices.dropped(&verdict, &self.settings.endpoint, &answer);
                    return Ended::Dropped(cause);
                }
                Action::DropOrSpool => {
                    self.notices.unreachable(&self.settings.endpoint, attempt, &answer);
                    return Ended::Undelivered;
                }
                Action::Retry => {
                    let wait = self.settings.backoff.after(attempt);
                    attempt += 1;
                    if !self.wait(wait).await {
                        return Ended::Undelivered;
                    }
                    self.retried.fetch_add(1, Ordering::Relaxed);
                }
                Action::RetryUncompressed => {
                    if self.gzip.swap(false, Ordering::Relaxed) {
                        tracing::warn!(
                            "Rollbar refused a compressed item: bodies are sent plain from now on"
                        );
                    }
                }
                Action::TruncateAndRetryOnce | Action::FailsafeOnce => return Ended::TooLarge,
                Action::Pause(pause) => {
                    self.pause(pause, &verdict);
                    return Ended::Paused;
                }
                Action::Disable => {
                    self.switch_off(&verdict, &answer);
                    return Ended::Dropped(DropCause::Unauthorized);
                }
            }
        }
    }

    fn verdict(&self, answer: &Result<Response, TransportError>, sent: Sent) -> (Verdict, DropCause) {
        match answer {
            Ok(answer) => {
                let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
                let status = answer.status.as_u16();
                let verdict = response::verdict(status, header, &answer.body, sent, &self.settings.token);
                (verdict, DropCause::of_status(status))
            }
            Err(error) => {
                (response::transport_verdict(error.kind().into(), sent), DropCause::Transport(error.kind()))
            }
        }
    }

    fn pause(&self, pause: Duration, verdict: &Verdict) {
        let until = Instant::now() + pause;
        if self.state.pause_until(until) {
            self.notices.paused(pause, verdict);
        }
    }

    fn switch_off(&self, verdict: &Verdict, answer: &Result<Response, TransportError>) {
        let status = answer.as_ref().map_or(0, |answer| answer.status.as_u16());
        let why = verdict.line().unwrap_or_default().into_owned();
        let reason = OffReason { status, why };
        // Concurrent deliveries are refused at the same time: one line is enough.
        if self.state.switch_off(reason.clone()) {
            let token = response::mask_token(&self.settings.token);
            tracing::error!(
                "Rollbar is switched off: {reason} (token {token}, status {status}). Check the access token"
            );
        }
    }

    /// Waits, unless that goes beyond the deadline.
    async fn wait(&self, wait: Duration) -> bool {
        let end = Instant::now() + wait;
        let closes_before = |closing: &Option<Instant>| closing.is_some_and(|deadline| deadline < end);
        let mut closing = self.closing.subscribe();
        // A deadline that is set meanwhile ends the wait as well.
        let closed = async { closing.wait_for(closes_before).await.is_ok() };
        first(closed, tokio::time::sleep_until(end)).await.is_none()
    }

    /// What the future gives, or nothing where the deadline comes first.
    async fn before_closing<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut closing = self.closing.subscribe();
        let closed = async {
            loop {
                let deadline = *closing.borrow_and_update();
                let changed = closing.changed();
                match deadline {
                    // Set anew, it counts anew.
                    Some(deadline) => {
                        if first(changed, tokio::time::sleep_until(deadline)).await.is_none() {
                            return;
                        }
                    }
                    None => {
                        if changed.await.is_err() {
                            std::future::pending::<()>().await;
                        }
                    }
                }
            }
        };
        first(future, closed).await
    }
}

/// What the first future gives, or nothing where the second ends before.
async fn first<T, U>(wanted: impl Future<Output = T>, end: impl Future<Output = U>) -> Option<T> {
    let (mut wanted, mut end) = (pin!(wanted), pin!(end));
    poll_fn(|cx| match wanted.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => end.as_mut().poll(cx).map(|_| None),
    })
    .await
}

impl From<TransportErrorKind> for response::TransportError {
    fn from(kind: TransportErrorKind) -> Self {
        match kind {
            TransportErrorKind::DnsFailure => Self::Dns,
            TransportErrorKind::ConnectionRefused | TransportErrorKind::Unreachable => Self::Connect,
            TransportErrorKind::ConnectionReset
            | TransportErrorKind::BrokenPipe
            | TransportErrorKind::TlsHandshake
            | TransportErrorKind::Other => Self::Broken,
            TransportErrorKind::Timeout => Self::Timeout,
            TransportErrorKind::TlsBadCertificate => Self::Tls,
            TransportErrorKind::UnsupportedScheme => Self::Endpoint,
        }
    }
}

#[cfg(test)]
mod tests;

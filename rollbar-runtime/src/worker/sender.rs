//! The worker's own side: takes what is queued, has it made and sent, and accounts for it.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{InFlight, Sending, Shared};
use crate::Level;
use crate::assembly::{Assembled, Assembly};
use crate::delivery::{Delivery, DropCause, Outcome, Ready};
use crate::item::{Item, Message};
use crate::occurrence::Occurrence;
use crate::settings::Settings;
use crate::spool::Spool;
use crate::stats::{Loss, count};
use crate::transport::Transport;

/// The worker's own side.
pub(super) struct Sender {
    shared: Arc<Shared>,
    settings: Arc<Settings>,
    assembly: Assembly,
    delivery: Arc<Delivery>,
    sending: JoinSet<Outcome>,
    in_flight: HashMap<tokio::task::Id, InFlight>,
    /// What the service asked to send later, before all that waits in the queue.
    deferred: VecDeque<(InFlight, Ready)>,
    spool: Option<Spool>,
    told: Told,
}

/// Losses that a message to Rollbar has told of.
struct Told {
    lost: u64,
    at: Option<Instant>,
}

/// How often Rollbar is told of losses.
const TELL_EVERY: Duration = Duration::from_secs(60);

impl Sender {
    pub(super) fn new(
        shared: Arc<Shared>,
        settings: Arc<Settings>,
        transport: Arc<dyn Transport>,
        sending: Sending,
    ) -> Self {
        let spool = sending.spool.map(|spool| Spool::open(&spool.dir, spool.max_bytes, spool.max_files));
        let spool = spool.and_then(|opened| {
            let told = |error: &_| tracing::error!("Rollbar items are not kept on disk: {error}");
            opened.inspect_err(told).ok()
        });
        Self {
            assembly: Assembly::new(Arc::clone(&settings), Arc::clone(&shared.counters)),
            delivery: Arc::new(Delivery::new(sending.delivery, transport)),
            shared,
            settings,
            sending: JoinSet::new(),
            in_flight: HashMap::new(),
            deferred: VecDeque::new(),
            spool,
            told: Told { lost: 0, at: None },
        }
    }

    pub(super) async fn run(mut self) {
        while !self.shared.stopping.load(Ordering::Acquire) {
            if self.delivery.is_off().is_some() {
                self.lose_all(Loss::Unauthorized);
            }
            if self.can_start() && self.start_next() {
                continue;
            }
            self.settle();
            // Where nothing more can be started, what is reported need not wake it: the end of a request or of a pause will.
            let can_start = self.can_start();
            self.shared.sleeping.store(can_start, Ordering::SeqCst);
            // Whatever came before the flag was set has woken nobody.
            let missed = can_start && !self.shared.queue.is_empty();
            if !missed && !self.shared.stopping.load(Ordering::SeqCst) {
                self.wait().await;
            }
            self.shared.sleeping.store(false, Ordering::SeqCst);
        }
        self.end().await;
    }

    fn can_start(&self) -> bool {
        self.sending.len() < self.settings.connections && self.delivery.paused_until().is_none()
    }

    /// Starts to send whatever comes next; false where nothing waits.
    fn start_next(&mut self) -> bool {
        if let Some((flight, ready)) = self.deferred.pop_front() {
            self.start(flight, ready);
        } else if let Some((number, occurrence)) = self.shared.queue.oldest() {
            let flight =
                InFlight { number: Some(number), uuid: occurrence.uuid, coalesced: occurrence.coalesced };
            self.settle_below(number);
            if let Some(ready) = self.assemble(occurrence) {
                self.start(flight, ready);
            }
        } else if let Some(ready) = self.spool.as_mut().and_then(Spool::next_left) {
            // What an earlier run of the program could not send.
            self.start(InFlight { number: None, uuid: ready.uuid, coalesced: 0 }, ready);
        } else if let Some(ready) = self.losses() {
            // A flush that waits for the last of the queue waits for it too.
            let number = self.shared.queue.next().saturating_sub(1);
            count(&self.shared.counters.reported);
            self.start(InFlight { number: Some(number), uuid: ready.uuid, coalesced: 0 }, ready);
        } else {
            return false;
        }
        true
    }

    fn start(&mut self, flight: InFlight, ready: Ready) {
        let delivery = Arc::clone(&self.delivery);
        let task = self.sending.spawn(async move { delivery.deliver(ready).await });
        self.in_flight.insert(task.id(), flight);
    }

    /// The item of an occurrence; `None` where it has ended here, counted.
    fn assemble(&mut self, occurrence: Box<Occurrence>) -> Option<Ready> {
        let counters = &self.shared.counters;
        let coalesced = occurrence.coalesced;
        let assembled = catch_unwind(AssertUnwindSafe(|| self.assembly.assemble(*occurrence)));
        match assembled {
            Ok(Some(Assembled { uuid, level, tree })) => return Some(Ready::new(uuid, level, tree)),
            Ok(None) => counters.hold_back(coalesced),
            Err(_) => counters.lose(Loss::Worker, 1, coalesced),
        }
        None
    }

    async fn wait(&mut self) {
        let until = self.delivery.paused_until();
        let paused = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(ended) = self.sending.join_next_with_id() => self.ended(ended),
            () = self.shared.wake.notified() => {}
            () = paused => {}
        }
    }

    fn ended(&mut self, ended: Result<(tokio::task::Id, Outcome), tokio::task::JoinError>) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, Some(outcome)),
            // A transport of the user's own panicked.
            Err(error) => (error.id(), None),
        };
        let Some(flight) = self.in_flight.remove(&id) else { return };
        if let (Some(spool), Some(Outcome::Sent | Outcome::Dropped(_)) | None) = (&mut self.spool, &outcome) {
            spool.done(flight.uuid);
        }
        let loss = match outcome {
            Some(Outcome::Sent) => {
                self.shared.accept(&flight);
                return;
            }
            Some(Outcome::Deferred(ready)) => {
                self.deferred.push_back((flight, ready));
                return;
            }
            Some(Outcome::Undelivered(payload)) => self.keep(payload.uuid, &payload.body),
            Some(Outcome::Dropped(cause)) => match cause {
                DropCause::Unauthorized => Loss::Unauthorized,
                DropCause::TooLarge => Loss::TooLarge,
                DropCause::Transport(_) => Loss::Unreachable,
                _ => Loss::Refused,
            },
            None => Loss::Worker,
        };
        self.shared.lose(loss, &flight);
        self.shared.counters.failsafe.store(self.delivery.failsafes(), Ordering::Relaxed);
    }

    /// Keeps an item on disk, where there is a folder for it.
    fn keep(&mut self, uuid: Uuid, json: &[u8]) -> Loss {
        let stored = self.spool.as_mut().is_some_and(|spool| spool.store(uuid, json));
        if stored { Loss::Spooled } else { Loss::Unreachable }
    }

    /// The item that tells Rollbar of what was lost for want of room, once all that waited is sent.
    fn losses(&mut self) -> Option<Ready> {
        let lost = self.shared.counters.lost_for_room();
        let new = lost - self.told.lost;
        if new == 0 || self.told.at.is_some_and(|at| at.elapsed() < TELL_EVERY) {
            return None;
        }
        self.told = Told { lost, at: Some(Instant::now()) };
        let text = format!("{new} Rollbar items were dropped: more was reported than could be sent");
        let mut item = Item::new(&self.settings.environment, Message::new(text));
        item.set_level(Level::Warning);
        item.set_fingerprint(Some("rollbar-runtime: items dropped"));
        let (uuid, level) = (item.uuid(), item.level());
        let data = serde_json::to_value(item).ok()?;
        Some(Ready::new(uuid, level, json!({ "data": data })))
    }

    fn lose_all(&mut self, loss: Loss) {
        let counters = &self.shared.counters;
        while let Some((flight, _)) = self.deferred.pop_front() {
            self.shared.lose(loss, &flight);
        }
        while let Some((_, occurrence)) = self.shared.queue.oldest() {
            counters.lose(loss, 1, occurrence.coalesced);
        }
    }

    /// The end: what is under way ends, and what waits is kept on disk or lost.
    async fn end(&mut self) {
        self.delivery.close_by(tokio::time::Instant::now());
        while let Some(ended) = self.sending.join_next_with_id().await {
            self.ended(ended);
        }
        let counters = Arc::clone(&self.shared.counters);
        let keeps = self.spool.is_some() && self.delivery.is_off().is_none();
        while let Some((flight, ready)) = self.deferred.pop_front() {
            let loss = if keeps { self.keep_tree(&ready) } else { Loss::AfterShutdown };
            self.shared.lose(loss, &flight);
        }
        while let Some((_, occurrence)) = self.shared.queue.oldest() {
            let coalesced = occurrence.coalesced;
            if !keeps {
                counters.lose(Loss::AfterShutdown, 1, coalesced);
            } else if let Some(ready) = self.assemble(occurrence) {
                counters.lose(self.keep_tree(&ready), 1, coalesced);
            }
        }
    }

    fn keep_tree(&mut self, ready: &Ready) -> Loss {
        match serde_json::to_vec(&ready.tree) {
            Ok(json) => self.keep(ready.uuid, &json),
            Err(_) => Loss::Worker,
        }
    }

    /// Tells those who flush how far it has come.
    fn settle(&self) {
        if let Some(spool) = &self.spool {
            let stats = spool.stats();
            self.shared.counters.spool_lost.store(stats.evicted + stats.broken, Ordering::Relaxed);
        }
        self.settle_below(self.shared.queue.first());
    }

    fn settle_below(&self, waiting: u64) {
        let numbers =
            |flights: &mut dyn Iterator<Item = &InFlight>| flights.filter_map(|flight| flight.number).min();
        let sending = numbers(&mut self.in_flight.values());
        let deferred = numbers(&mut self.deferred.iter().map(|(flight, _)| flight));
        let oldest = sending.into_iter().chain(deferred).fold(waiting, u64::min);
        self.shared.settle(oldest);
    }
}

//! When the exporter's thread runs: it sleeps until there is something, then lets more gather before it works.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::Worker;
use super::sleep::Sleep;
use crate::recorder::Core;

/// Shipments after which the thread is woken again, from its wait for more, or to life where a fork left it behind.
const HURRY: u64 = 256;

/// Starts, wakes and stops the exporter's thread.
#[derive(Debug)]
pub(crate) struct Wake {
    sleep: Sleep,
    /// Shipments since the thread last looked.
    waiting: AtomicU64,
    thread: Mutex<Option<Running>>,
    /// Flushes asked for; the thread answers the number that it has reached.
    asked: AtomicU64,
    answered: Mutex<Answered>,
    answer: Condvar,
    closed: AtomicBool,
    /// Held by the thread while it works.
    worker: Arc<Mutex<Worker>>,
}

#[derive(Debug)]
struct Running {
    thread: Thread,
    process: u32,
}

#[derive(Debug, Default)]
struct Answered {
    number: u64,
    wakers: Vec<Waker>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wake {
    pub(crate) fn new(worker: Worker) -> Self {
        Self {
            sleep: Sleep::new(),
            waiting: AtomicU64::new(0),
            thread: Mutex::new(None),
            asked: AtomicU64::new(0),
            answered: Mutex::default(),
            answer: Condvar::new(),
            closed: AtomicBool::new(false),
            worker: Arc::new(Mutex::new(worker)),
        }
    }

    /// A shipment was queued. One system call where the thread sleeps, none where it is awake.
    #[inline]
    pub(crate) fn notify(&self, core: &Arc<Core>) {
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        if self.sleep.is_asleep() || waiting % HURRY == HURRY - 1 {
            self.rouse(core);
        }
    }

    #[cold]
    #[inline(never)]
    fn rouse(&self, core: &Arc<Core>) {
        self.sleep.awake();
        let mut running = lock(&self.thread);
        let process = std::process::id();
        match &*running {
            Some(running) if running.process == process => running.thread.unpark(),
            // The first shipment, or the first after a fork: the thread stayed with the parent.
            _ => *running = self.start(core, process),
        }
    }

    fn start(&self, core: &Arc<Core>, process: u32) -> Option<Running> {
        let (worker, core_of_thread) = (Arc::clone(&self.worker), Arc::downgrade(core));
        let started = std::thread::Builder::new()
            .name("xray-exporter".into())
            .spawn(move || Worker::run(&worker, &core_of_thread));
        match started {
            Ok(handle) => Some(Running { thread: handle.thread().clone(), process }),
            Err(error) => {
                core.counts.warn_once(|| format!("the exporter's thread could not be started: {error}"));
                // The next shipment tries again.
                self.sleep.fall_asleep();
                None
            }
        }
    }

    /// Waits until all that was queued before was exported, or the deadline.
    pub(crate) fn flush(&self, core: &Arc<Core>, deadline: Duration) {
        let number = self.ask(core);
        // None: later than there are times.
        let until = Instant::now().checked_add(deadline);
        let mut answered = lock(&self.answered);
        while answered.number < number {
            let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return;
            }
            answered = self.answer.wait_timeout(answered, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(crate) async fn flush_async(&self, core: &Arc<Core>) {
        let number = self.ask(core);
        poll_fn(|context| {
            let mut answered = lock(&self.answered);
            if answered.number >= number {
                return Poll::Ready(());
            }
            if !answered.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                answered.wakers.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// Trees of which the thread keeps something.
    #[cfg(all(test, feature = "lambda"))]
    pub(crate) fn pending_trees(&self) -> usize {
        lock(&self.worker).pending_trees()
    }

    fn ask(&self, core: &Arc<Core>) -> u64 {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.rouse(core);
        number
    }

    // For the thread itself.

    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    pub(super) fn has_unanswered(&self) -> bool {
        lock(&self.answered).number < self.asked()
    }

    pub(super) fn answer(&self, number: u64) {
        let mut answered = lock(&self.answered);
        answered.number = answered.number.max(number);
        let wakers = std::mem::take(&mut answered.wakers);
        drop(answered);
        self.answer.notify_all();
        for waker in wakers {
            waker.wake();
        }
    }

    /// The thread has looked: count anew.
    pub(super) fn looked(&self) {
        self.waiting.store(0, Ordering::Relaxed);
    }

    pub(super) fn in_a_hurry(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > HURRY || self.is_closed() || self.has_unanswered()
    }

    pub(super) fn fall_asleep(&self) {
        self.sleep.fall_asleep();
    }

    pub(super) fn stay_awake(&self) {
        self.sleep.awake();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// The recorder is going: the thread ends after what is queued.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        if let Some(running) = &*lock(&self.thread) {
            running.thread.unpark();
        }
    }
}

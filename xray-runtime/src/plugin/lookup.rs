//! When plugins are asked, and what is known of their answers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use super::{Platform, Plugin, PluginError};
use crate::document::Surroundings;

/// How often a plugin is asked.
const TRIES: u32 = 3;

/// The pause after the first try; it doubles.
const PAUSE: Duration = Duration::from_millis(250);

/// The plugins of a recorder.
#[derive(Debug)]
pub(crate) struct Lookup {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    plugins: Vec<Named>,
    state: Mutex<State>,
    /// What is known once all have answered: from then on nobody needs the lock.
    settled: OnceLock<Arc<Surroundings>>,
    /// All plugins have answered.
    done: Condvar,
}

#[derive(Debug)]
struct Named {
    name: String,
    plugin: Box<dyn Plugin>,
}

#[derive(Debug)]
struct State {
    /// By plugin, in their order.
    answers: Vec<Option<Platform>>,
    left: usize,
    /// The process that asks: a child of it has no thread that does.
    process: Option<u32>,
    known: Arc<Surroundings>,
}

impl Lookup {
    /// None where there is nobody to ask.
    pub(crate) fn new(plugins: Vec<Box<dyn Plugin>>) -> Option<Self> {
        if plugins.is_empty() {
            return None;
        }
        let state = State {
            answers: plugins.iter().map(|_| None).collect(),
            left: plugins.len(),
            process: None,
            known: Arc::default(),
        };
        // Asked here and never again: it may be the user's code, and may panic.
        let named = |plugin: Box<dyn Plugin>| {
            let name = catch_unwind(AssertUnwindSafe(|| plugin.name().to_owned())).unwrap_or_default();
            Named { name, plugin }
        };
        let shared = Shared {
            plugins: plugins.into_iter().map(named).collect(),
            state: Mutex::new(state),
            settled: OnceLock::new(),
            done: Condvar::new(),
        };
        Some(Self { shared: Arc::new(shared) })
    }

    /// A segment begins. Asks, where nobody does; a load where all have answered.
    pub(crate) fn start(&self) {
        if self.shared.settled.get().is_none() {
            self.start_in_this_process();
        }
    }

    #[cold]
    fn start_in_this_process(&self) {
        let process = std::process::id();
        // Held: somebody starts or has answered, and the next segment looks again. Or a fork came in between: then it stays held.
        let mut state = match self.shared.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(state)) => state.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if state.left == 0 || state.process == Some(process) {
            return;
        }
        state.process = Some(process);
        drop(state);
        let shared = Arc::clone(&self.shared);
        let started = std::thread::Builder::new().name("xray-plugins".into()).spawn(move || shared.ask_all());
        if let Err(error) = started {
            // The next segment tries again.
            self.shared.state().process = None;
            tracing::debug!(target: "xray_runtime", "the thread that asks plugins could not be started: {error}");
        }
    }

    /// What is known by now.
    pub(crate) fn known(&self) -> Arc<Surroundings> {
        match self.shared.settled.get() {
            Some(known) => Arc::clone(known),
            None => Arc::clone(&self.shared.state().known),
        }
    }

    /// The origin that plugins have found, once all have answered: what the sampler takes for the type of the service.
    pub(crate) fn origin(&self) -> Option<&str> {
        self.shared.settled.get()?.origin.as_deref()
    }

    /// Starts, and waits until all have answered or the deadline; whether they have.
    pub(crate) fn wait(&self, deadline: Duration) -> bool {
        self.start();
        let until = Instant::now().checked_add(deadline);
        let mut state = self.shared.state();
        while state.left > 0 {
            let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            state = self.shared.done.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks all at the same time: one that hangs holds none of the others up.
    fn ask_all(&self) {
        let unanswered: Vec<usize> = {
            let state = self.state();
            (0..self.plugins.len()).filter(|&at| state.answers[at].is_none()).collect()
        };
        let Some((last, others)) = unanswered.split_last() else { return };
        std::thread::scope(|scope| {
            for &at in others {
                let thread = std::thread::Builder::new().name("xray-plugin".into());
                if thread.spawn_scoped(scope, move || self.ask(at)).is_err() {
                    self.ask(at);
                }
            }
            self.ask(*last);
        });
    }

    fn ask(&self, at: usize) {
        let Some(named) = self.plugins.get(at) else { return };
        let platform = ask(named);
        let mut state = self.state();
        if state.answers[at].is_some() {
            return;
        }
        state.answers[at] = Some(platform);
        state.left -= 1;
        let names = self.plugins.iter().map(|named| named.name.as_str());
        let answers = names.zip(&state.answers).filter_map(|(name, answer)| Some((name, answer.as_ref()?)));
        state.known = Arc::new(Surroundings::of(answers));
        if state.left == 0 {
            let _ = self.settled.set(Arc::clone(&state.known));
            self.done.notify_all();
        }
    }
}

/// Asks a plugin, again where it fails. Says once why it did.
fn ask(Named { name, plugin }: &Named) -> Platform {
    let mut pause = PAUSE;
    let mut tries = 1;
    loop {
        let mut platform = Platform::default();
        // It may be the user's code, and the library of HTTP is not ours either.
        let looked = catch_unwind(AssertUnwindSafe(|| plugin.look(&mut platform)));
        match looked {
            Ok(Ok(())) => return platform,
            Ok(Err(error @ PluginError::NotHere(_))) => {
                tracing::debug!(target: "xray_runtime", "plugin `{name}`: {error}");
                return platform;
            }
            Ok(Err(_)) if tries < TRIES => {}
            Ok(Err(error)) => {
                tracing::warn!(
                    target: "xray_runtime",
                    "plugin `{name}`: {error}. It was asked {TRIES} times; segments go without what it would have told"
                );
                return platform;
            }
            Err(_) => {
                tracing::warn!(target: "xray_runtime", "plugin `{name}` panicked: segments go without what it would have told");
                return Platform::default();
            }
        }
        std::thread::sleep(pause);
        pause *= 2;
        tries += 1;
    }
}

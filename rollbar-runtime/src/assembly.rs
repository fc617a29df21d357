//! From an occurrence to what is sent: the item, the hooks, the scrubber. Runs on the worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value};
use uuid::Uuid;
use xray_error::Chain;

use crate::Level;
use crate::item::{Body, Exception, Frame, Item, Message, Trace, TraceChain};
use crate::occurrence::{Occurrence, Place, What};
use crate::scrub::Scrubber;
use crate::settings::Settings;
use crate::stats::{Counters, count};
use crate::symbols::{SymbolSettings, Symbols};

/// What is ready to be sent.
#[derive(Debug)]
pub(crate) struct Assembled {
    pub(crate) uuid: Uuid,
    pub(crate) level: Level,
    /// `{"data": {..}}`.
    pub(crate) tree: Value,
}

/// Makes items; keeps what is worth keeping between them.
pub(crate) struct Assembly {
    settings: Arc<Settings>,
    counters: Arc<Counters>,
    symbols: Symbols,
    scrubber: Scrubber,
    language: &'static str,
    pid: u32,
    /// Which hooks have panicked: the transforms, then the last hook.
    off: Vec<AtomicBool>,
}

impl Assembly {
    pub(crate) fn new(settings: Arc<Settings>, counters: Arc<Counters>) -> Self {
        let symbols = SymbolSettings { root: settings.root.clone(), source: settings.source_lines };
        Self {
            symbols: Symbols::new(symbols),
            scrubber: Scrubber::new(&settings.scrub_fields),
            language: concat!("rust ", env!("ROLLBAR_RUSTC_VERSION")),
            pid: std::process::id(),
            off: (0..=settings.transforms.len()).map(|_| AtomicBool::new(false)).collect(),
            settings,
            counters,
        }
    }

    /// The payload, or `None` where a hook holds it back.
    pub(crate) fn assemble(&mut self, occurrence: Occurrence) -> Option<Assembled> {
        let mut item = self.item(occurrence);
        for (n, transform) in self.settings.transforms.iter().enumerate() {
            if !self.hooked(n, &mut item, |item| transform(item)) {
                return None;
            }
        }
        let (uuid, level) = (item.uuid(), item.level());
        let mut data = serde_json::to_value(item).unwrap_or_default();
        self.scrubber.scrub(&mut data);
        if let Some(hook) = &self.settings.before_send
            && !self.hooked(self.settings.transforms.len(), &mut data, |data| hook(data))
        {
            return None;
        }
        // Neither a scrubber nor a hook takes its identity away: retries and duplicates go by it.
        if let Some(data) = data.as_object_mut() {
            data.insert("uuid".to_owned(), uuid.to_string().into());
        }
        // `json!` would copy it.
        let mut tree = Map::new();
        tree.insert("data".to_owned(), data);
        Some(Assembled { uuid, level, tree: Value::Object(tree) })
    }

    /// Runs a hook. One that panics has changed nothing, and is not called again: the item goes without it.
    fn hooked<T: Clone>(&self, hook: usize, value: &mut T, run: impl FnOnce(&mut T) -> bool) -> bool {
        let off = &self.off[hook];
        if off.load(Ordering::Relaxed) {
            return true;
        }
        let mut changed = value.clone();
        match xray_error::caught(|| run(&mut changed)) {
            Some(keep) => {
                *value = changed;
                keep
            }
            None => {
                off.store(true, Ordering::Relaxed);
                count(&self.counters.hooks_off);
                tracing::error!(
                    "a hook for Rollbar items panicked; it is switched off, and items go without it"
                );
                true
            }
        }
    }

    fn item(&mut self, occurrence: Occurrence) -> Item {
        let Occurrence { uuid, level, time, what, place, addresses, known, extras, trace, thread, coalesced } =
            occurrence;
        let body = match what {
            What::Message { text, fields } => {
                let mut message = Message::new(text);
                for (key, value) in fields {
                    message.put(key, value);
                }
                message.into()
            }
            What::Error(chain) | What::Panic(chain) => {
                let mut frames = self.symbols.frames(&addresses);
                if let Some(place) = &place {
                    self.end_at(&mut frames, place);
                }
                if let Some(last) = frames.last_mut() {
                    for (name, text) in extras.locals {
                        last.argspec.push(name.clone().into_owned());
                        last.locals.insert(name.into_owned(), text.into());
                    }
                }
                self.body(chain, frames)
            }
        };
        let settings = &self.settings;
        let mut item = Item::with_uuid(uuid, &settings.environment, body);
        item.set_level(level);
        item.set_time(time);
        item.set_language(self.language);
        item.set_code_version(settings.code_version.as_deref());
        let served = known.served.as_deref();
        let framework = known.framework.as_deref().or_else(|| served.map(|served| served.framework()));
        item.set_framework(framework.or(settings.framework.as_deref()));
        let context = extras.context.as_deref().or(known.context.as_deref());
        match context {
            Some(context) => item.set_context(Some(context)),
            None => item.set_context(served.and_then(|served| served.context()).as_deref()),
        }
        item.set_fingerprint(extras.fingerprint.as_deref().or(known.fingerprint.as_deref()));
        item.set_title(extras.title.as_deref());
        let mut person = extras.person.or_else(|| known.person.as_deref().cloned());
        if let Some(person) = &mut person {
            person.restrict(settings.usernames, settings.emails);
        }
        item.set_person(person);
        let served_request = || served.map(|served| served.request(settings.ip_policy));
        *item.request_mut() = known.request.as_deref().cloned().or_else(served_request);
        let server = item.server_mut();
        server.set_host(settings.host.as_deref());
        server.set_root(settings.root.as_deref().and_then(|root| root.to_str()));
        server.set_branch(settings.branch.as_deref());
        server.put("pid", self.pid);
        if let Some(thread) = thread {
            server.put("thread", &*thread);
        }
        *item.custom_mut() = custom(&known.custom, extras.custom, trace, coalesced);
        for (key, value) in served.map(|served| served.attributes()).unwrap_or_default() {
            item.add_attribute(key, value);
        }
        item.body_mut().telemetry_mut().extend(known.telemetry.iter().map(|event| (**event).clone()));
        if coalesced > 0 {
            item.diagnostic_mut().insert("coalesced".to_owned(), coalesced.into());
        }
        item
    }

    /// The innermost frame is the place that is known, also where the program has no debug information.
    fn end_at(&mut self, frames: &mut Vec<Frame>, place: &Place) {
        let known = self.symbols.frame_at(&place.file, place.line, place.method.as_deref());
        let mut filename = None;
        // The stack has the function, perhaps more than once, as the closures that attributes make of it; with the path that
        // the other frames have, but perhaps without a name or another line of it.
        while let Some(last) = frames.pop_if(|last| is_of(last, &known)) {
            if place.method.is_none() && last.method.is_some() {
                frames.push(Frame { method: last.method, filename: last.filename, ..known });
                return;
            }
            filename = Some(last.filename);
        }
        frames.push(Frame { filename: filename.unwrap_or_else(|| known.filename.clone()), ..known });
    }

    /// Of a chain the outermost error has the stack of the report; the innermost has its own, where it brings one.
    fn body(&mut self, chain: Chain, frames: Vec<Frame>) -> Body {
        let own = chain.stack.as_ref().map(|stack| self.symbols.frames_of(stack)).unwrap_or_default();
        let last = chain.links.len().saturating_sub(1);
        let mut traces = chain.links.into_iter().enumerate().map(|(n, link)| {
            let exception = Exception::new(link.type_name).with_message(link.message);
            (n, exception)
        });
        let Some((_, outermost)) = traces.next() else {
            return Message::new("an error without a text").into();
        };
        let mut frames = Some(frames);
        let mut own = Some(own);
        let mut first = frames.take().unwrap_or_default();
        if last == 0 && first.is_empty() {
            first = own.take().unwrap_or_default();
        }
        let mut body = TraceChain::new(Trace::new(outermost, first));
        for (n, exception) in traces {
            let frames = if n == last { own.take().unwrap_or_default() } else { Vec::new() };
            body.caused_by(Trace::new(exception, frames));
        }
        body.into()
    }
}

/// Lines that attributes may take above a function: what they make of it stands there.
const ATTRIBUTE_LINES: u32 = 16;

/// Whether a frame of the stack is the function that is known to be the innermost.
fn is_of(frame: &Frame, known: &Frame) -> bool {
    let last = |name: &str| name.rsplit("::").next().unwrap_or_default().to_owned();
    let unnamed = frame.method().is_none_or(|method| method.starts_with('{'));
    let named_alike = match (frame.method(), known.method()) {
        (Some(frame), Some(known)) => last(frame) == last(known),
        // A report made by hand knows its file and line alone: it is the innermost function of that file.
        _ => true,
    };
    match (frame.line(), known.line()) {
        (Some(line), Some(at)) if unnamed && known.method().is_some() => {
            is_file(frame.filename(), known.filename())
                && (at.saturating_sub(ATTRIBUTE_LINES)..=at).contains(&line)
        }
        (Some(_), _) => is_file(frame.filename(), known.filename()) && named_alike,
        (None, _) => named_alike && frame.method().is_some(),
    }
}

/// Whether two paths are one file's: either may be relative to a folder of the other.
fn is_file(one: &str, other: &str) -> bool {
    let within = |long: &str, short: &str| {
        long.strip_suffix(short).is_some_and(|folder| folder.is_empty() || folder.ends_with(['/', '\\']))
    };
    within(one, other) || within(other, one)
}

/// The scope's values, the report's, and the trace.
fn custom(
    scope: &Map<String, Value>,
    report: Map<String, Value>,
    trace: Option<(String, String)>,
    coalesced: u64,
) -> Map<String, Value> {
    let mut custom = scope.clone();
    custom.extend(report);
    if let Some((trace, segment)) = trace {
        custom.insert("trace_id".to_owned(), trace.into());
        custom.insert("segment_id".to_owned(), segment.into());
    }
    if coalesced > 0 {
        custom.insert("occurrences".to_owned(), (coalesced + 1).into());
    }
    custom
}

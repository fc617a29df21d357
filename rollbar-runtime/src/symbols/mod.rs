//! From addresses to frames, on the worker's thread: names and lines, without noise, with the source beside them.
//!
//! Frames come as Rollbar wants them, oldest first. The last one is the user's own innermost: what it called in the
//! standard library, in a runtime or in a dependency is left out.

mod cache;
mod calls;
mod root;
mod source;

use std::path::PathBuf;
use std::sync::Arc;

use xray_error::{Origin, Stack};

use crate::item::{Frame, SourceContext};

use cache::AddressCache;
use calls::Call;
use root::Root;
use source::SourceFiles;

/// Frames of one stack: with inlined functions there are more of them than addresses. The innermost are kept.
const MAX_FRAMES: usize = 128;

/// Unicode scalar values of a file's path.
const MAX_PATH_CHARS: usize = 1024;

/// What [`Symbols`] may read and how it shows paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolSettings {
    /// Paths below it are shown relative to it; the current folder where it is not given.
    pub root: Option<PathBuf>,
    /// Whether lines of the program's source files go with the frames.
    pub source: bool,
}

/// Makes frames of stacks. What it learns of an address or a file it keeps, within bounds.
#[derive(Debug)]
pub struct Symbols {
    root: Root,
    addresses: AddressCache,
    /// `None` where no source is wanted.
    sources: Option<SourceFiles>,
}

impl Symbols {
    /// One that knows nothing yet: neither debug information nor a file is read before it is needed.
    pub fn new(settings: SymbolSettings) -> Self {
        let root = Root::new(settings.root);
        let sources = settings.source.then(|| SourceFiles::new(root.folder()));
        Self { root, addresses: AddressCache::default(), sources }
    }

    /// The frames of a captured stack. Empty where nothing is known of any address: the program was stripped.
    pub fn frames(&mut self, addresses: &[usize]) -> Vec<Frame> {
        let resolved: Vec<Arc<[Call]>> =
            addresses.iter().map(|address| self.addresses.get(*address)).collect();
        let calls: Vec<&Call> = resolved.iter().flat_map(|calls| calls.iter()).collect();
        self.shown(&calls)
    }

    /// The frame of a place that is known by itself: a `Location`'s.
    pub fn frame_at(&mut self, file: &str, line: u32, method: Option<&str>) -> Frame {
        let call = Call::at(method.unwrap_or_default(), file, line);
        let mut frame = self.frame(&call);
        // Of a package of a workspace `Location` has the path from the workspace, and a test or `cargo run` stands in the
        // package's folder.
        if frame.code.is_none()
            && let Some(within) = self.root.within(file)
        {
            let nearer = self.frame(&Call::at(method.unwrap_or_default(), within, line));
            if nearer.code.is_some() {
                frame = nearer;
            }
        }
        frame
    }

    /// The frames of a backtrace's text, which an error brings along.
    pub fn frames_of(&mut self, stack: &Stack) -> Vec<Frame> {
        let calls: Vec<Call> = stack
            .frames
            .iter()
            .map(|frame| Call::at(&frame.label, &self.root.in_current_folder(&frame.path), frame.line))
            .collect();
        self.shown(&calls.iter().collect::<Vec<_>>())
    }

    /// Innermost first to oldest first, without noise.
    fn shown(&mut self, calls: &[&Call]) -> Vec<Frame> {
        let kept = without_noise(calls);
        kept.into_iter().take(MAX_FRAMES).map(|call| self.frame(call)).rev().collect()
    }

    fn frame(&mut self, call: &Call) -> Frame {
        let filename = || {
            let shown = if call.path.is_empty() { "?".into() } else { self.root.shown(&call.path) };
            xray_error::cut(&shown, MAX_PATH_CHARS).into()
        };
        let mut frame = Frame {
            filename: call.filename.get_or_init(filename).to_string(),
            lineno: call.line,
            colno: call.column,
            method: call.method.as_ref().map(ToString::to_string),
            ..Frame::default()
        };
        if call.origin == Origin::User
            && let (Some(sources), Some(line)) = (&mut self.sources, call.line)
            && let Some(excerpt) = sources.excerpt(&call.path, line)
        {
            frame.code = Some(excerpt.code);
            frame.context = SourceContext { pre: excerpt.pre, post: excerpt.post };
        }
        frame
    }
}

/// The calls that a reader wants, of all calls with the innermost first.
///
/// What the user's innermost function called is left out, whoever's it is; between the user's functions a dependency's
/// frames remain and a runtime's do not. Where nothing is the user's, what comes nearest to it remains.
fn without_noise<'c>(calls: &[&'c Call]) -> Vec<&'c Call> {
    // The program's own panic hook may have called ours: the panic happened further out.
    let hooks = calls.iter().position(|call| call.begins_panic()).map_or(0, |at| at + 1);
    let calls = &calls[hooks..];
    let keep = |from: usize, wanted: &dyn Fn(Origin) -> bool| -> Vec<&'c Call> {
        calls[from..].iter().copied().filter(|call| wanted(call.origin)).collect()
    };
    // Many build their dependencies without debug information: where the program has files, what has none is not its own.
    let is_own = |call: &&Call| call.origin == Origin::User && !call.path.is_empty();
    let own =
        calls.iter().position(is_own).or_else(|| calls.iter().position(|call| call.origin == Origin::User));
    if let Some(own) = own {
        return keep(own, &|origin| !origin.is_runtime());
    }
    let dependencies = keep(0, &|origin| origin == Origin::Dependency);
    if !dependencies.is_empty() {
        return dependencies;
    }
    keep(0, &|origin| origin == Origin::Runtime)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

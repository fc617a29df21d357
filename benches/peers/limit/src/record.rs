//! Records in thread-local memory.

use std::cell::UnsafeCell;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A span, as small as a subsegment can be kept.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Record {
    pub(crate) name: &'static str,
    pub(crate) id: u64,
    /// 0 for a root.
    pub(crate) parent: u64,
    /// Time-stamp counter.
    pub(crate) start: u64,
    /// Time-stamp counter.
    pub(crate) end: u64,
    /// Where a real record keeps flags and a link to more, up to a cache line.
    spare: [u64; 2],
}

/// More than the harness makes between two flushes.
const CAPACITY: usize = 4096;

struct Buffer {
    length: usize,
    current: u64,
    random: u64,
    records: [Record; CAPACITY],
}

const EMPTY: Record = Record { name: "", id: 0, parent: 0, start: 0, end: 0, spare: [0; 2] };

thread_local! {
    static BUFFER: UnsafeCell<Buffer> = const {
        UnsafeCell::new(Buffer { length: 0, current: 0, random: 0x1234_5678_9abc_def1, records: [EMPTY; CAPACITY] })
    };
}

#[inline(always)]
fn with_buffer<T>(work: impl FnOnce(&mut Buffer) -> T) -> T {
    // SAFETY: the buffer is the thread's own, and no `work` below calls back into this module: one reference at a time.
    BUFFER.with(|buffer| work(unsafe { &mut *buffer.get() }))
}

impl Buffer {
    #[inline(always)]
    fn push(&mut self, record: Record) -> usize {
        let slot = self.length & (CAPACITY - 1);
        self.length = slot + 1;
        self.records[slot] = record;
        slot
    }

    /// wyrand, never zero.
    #[inline(always)]
    fn id(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0xa076_1d64_78bd_642f);
        let product = u128::from(self.random) * u128::from(self.random ^ 0xe703_7ed1_a0b4_28db);
        ((product >> 64) ^ product) as u64 | 1
    }
}

#[inline(always)]
pub(crate) fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has the instruction.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// What "off" cannot avoid: a look at the thread's state.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    with_buffer(|buffer| buffer.current == 7)
}

/// Hands the records to `work` and forgets them.
pub(crate) fn take(work: impl FnOnce(&[Record])) {
    with_buffer(|buffer| {
        work(&buffer.records[..buffer.length]);
        buffer.length = 0;
    });
}

/// What a macro could put into a sync function: the slot is taken at entry, the end written at exit.
pub(crate) struct Span {
    slot: usize,
    parent: u64,
}

#[inline(always)]
pub(crate) fn enter(name: &'static str) -> Span {
    with_buffer(|buffer| {
        let id = buffer.id();
        let parent = std::mem::replace(&mut buffer.current, id);
        Span { slot: buffer.push(Record { name, id, parent, start: ticks(), ..EMPTY }), parent }
    })
}

impl Drop for Span {
    #[inline(always)]
    fn drop(&mut self) {
        with_buffer(|buffer| {
            buffer.records[self.slot].end = ticks();
            buffer.current = self.parent;
        });
    }
}

/// What a wrapped future cannot avoid: the thread's current id swapped round each poll, two reads of the clock and a record in all.
pub(crate) struct Recorded<F> {
    inner: F,
    name: &'static str,
    id: u64,
    parent: u64,
    start: u64,
}

impl<F> Recorded<F> {
    #[inline(always)]
    pub(crate) fn new(name: &'static str, inner: F) -> Recorded<F> {
        Recorded { inner, name, id: 0, parent: 0, start: 0 }
    }
}

impl<F: Future> Future for Recorded<F> {
    type Output = F::Output;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `inner` is not moved out of the pinned value, only pinned in its place below.
        let this = unsafe { self.get_unchecked_mut() };
        let outer = with_buffer(|buffer| {
            let outer = buffer.current;
            if this.id == 0 {
                (this.id, this.parent, this.start) = (buffer.id(), outer, ticks());
            }
            buffer.current = this.id;
            outer
        });
        // SAFETY: `inner` is a field of a pinned value that has no other access to it.
        let result = unsafe { Pin::new_unchecked(&mut this.inner) }.poll(context);
        with_buffer(|buffer| {
            buffer.current = outer;
            if result.is_ready() {
                let Recorded { name, id, parent, start, .. } = *this;
                buffer.push(Record { name, id, parent, start, end: ticks(), ..EMPTY });
            }
        });
        result
    }
}

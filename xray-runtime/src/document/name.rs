//! Names as documents have them: sanitised, escaped, and kept, since most come from literals.

use crate::naming::sanitise_name;

use super::json;

/// Slots of the cache; names of one program that share a slot push each other out, no more.
const SLOTS: usize = 512;

/// The start of an entity, `{"name":"..","id":"`, for each name that is a literal.
#[derive(Debug)]
pub(super) struct Names {
    slots: Vec<Slot>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    address: usize,
    length: usize,
    start: Vec<u8>,
}

impl Default for Names {
    fn default() -> Self {
        Self { slots: vec![Slot::default(); SLOTS] }
    }
}

impl Names {
    /// Writes the start of an entity. A `&'static str` never changes, so its address and length stand for it.
    #[inline(always)]
    pub(super) fn write(&mut self, out: &mut Vec<u8>, name: &'static str, fallback: &str) {
        let (address, length) = (name.as_ptr() as usize, name.len());
        let slot = &mut self.slots[(address ^ (address >> 9)) % SLOTS];
        if slot.address != address || slot.length != length {
            *slot = Slot { address, length, start: Vec::new() };
            write_start(&mut slot.start, name, fallback);
        }
        out.extend_from_slice(&slot.start);
    }
}

/// The same for a name that was made at run time.
pub(super) fn write_start(out: &mut Vec<u8>, name: &str, fallback: &str) {
    out.extend_from_slice(b"{\"name\":\"");
    json::escaped(out, &sanitise_name(name, fallback));
    out.extend_from_slice(b"\",\"id\":\"");
}

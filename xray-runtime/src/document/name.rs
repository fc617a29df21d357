//! What entities begin with: name, id and times. Most names are literals, so the text of each is made once and its id
//! and times are filled in: one copy an entity.

use super::json::{self, Times};
use crate::naming::sanitise_name;
use crate::trace_id::hex16;

/// Slots of the cache; names of one program that share a slot push each other out, no more.
const SLOTS: usize = 512;

/// What follows the name: id and times, of a fixed size.
const FIXED: &[u8; 77] =
    b"................\",\"start_time\":.................,\"end_time\":.................";

/// The length of `},` before it, which ends the sibling before.
const LEAD: usize = 2;

/// The texts of names that are literals, and one for names of run time.
#[derive(Debug)]
pub(super) struct Names {
    slots: Vec<Slot>,
    scratch: Template,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    address: usize,
    length: usize,
    template: Template,
}

/// `},{"name":"..","id":"` and then [`FIXED`].
#[derive(Clone, Debug, Default)]
pub(super) struct Template(Vec<u8>);

impl Default for Names {
    fn default() -> Self {
        Self { slots: vec![Slot::default(); SLOTS], scratch: Template::default() }
    }
}

impl Names {
    /// The text of a literal. A `&'static str` never changes, so its address and length stand for it.
    #[inline(always)]
    pub(super) fn of_literal(&mut self, name: &'static str, fallback: &str) -> &mut Template {
        let (address, length) = (name.as_ptr() as usize, name.len());
        let slot = &mut self.slots[(address ^ (address >> 9)) % SLOTS];
        if slot.address != address || slot.length != length {
            *slot = Slot { address, length, template: Template::default() };
            slot.template.make(name, fallback);
        }
        &mut slot.template
    }

    /// The text of a name that was made at run time; good until the next call.
    pub(super) fn of_text(&mut self, name: &str, fallback: &str) -> &mut Template {
        self.scratch.make(name, fallback);
        &mut self.scratch
    }
}

impl Template {
    #[cold]
    fn make(&mut self, name: &str, fallback: &str) {
        self.0.clear();
        self.0.extend_from_slice(b"},{\"name\":\"");
        json::escaped(&mut self.0, &sanitise_name(name, fallback));
        self.0.extend_from_slice(b"\",\"id\":\"");
        self.0.extend_from_slice(FIXED);
    }

    /// Fills in and appends; with `},` before it where it follows a sibling that has none below it.
    /// Without an end it says that it is in progress.
    #[inline(always)]
    pub(super) fn write(
        &mut self,
        out: &mut Vec<u8>,
        follows: bool,
        id: u64,
        times: &mut Times,
        start: u64,
        end: Option<u64>,
    ) {
        let Some(fixed) = self.0.last_chunk_mut::<77>() else { return };
        fixed[..16].copy_from_slice(&hex16(id));
        times.put(&mut fixed[31..48], start);
        let mut upto = 0;
        match end {
            Some(end) => times.put(&mut fixed[60..], end),
            None => upto = 29,
        }
        let from = if follows { 0 } else { LEAD };
        out.extend_from_slice(self.0.get(from..self.0.len() - upto).unwrap_or_default());
        if upto > 0 {
            out.extend_from_slice(b",\"in_progress\":true");
        }
    }
}

//! Trace and entity ids: `1-5759e988-bd862e3fe1be46a994272793` and `53995c3f42cd8ad8`.
//!
//! Both keep the characters that they were given: services compare ids as text, so an id that came in upper case
//! must go out in upper case.

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use thiserror::Error;

const TRACE_ID_LEN: usize = 35;
const ENTITY_ID_LEN: usize = 16;

/// The id that all segments of one request share.
///
/// ```
/// use xray_runtime::TraceId;
///
/// let id: TraceId = "1-5759e988-bd862e3fe1be46a994272793".parse()?;
/// assert_eq!(id.as_str(), "1-5759e988-bd862e3fe1be46a994272793");
/// # Ok::<(), xray_runtime::InvalidTraceId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; TRACE_ID_LEN]);

/// The id of one segment, subsegment or exception: 16 hex digits.
///
/// ```
/// use xray_runtime::EntityId;
///
/// let id: EntityId = "53995c3f42cd8ad8".parse()?;
/// assert_eq!(id.to_string(), "53995c3f42cd8ad8");
/// # Ok::<(), xray_runtime::InvalidEntityId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntityId([u8; ENTITY_ID_LEN]);

/// The text is no trace id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a trace id: `{text}`; write `1-`, 8 hex digits, `-`, 24 hex digits")]
pub struct InvalidTraceId {
    text: String,
}

/// The text is no entity id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not an entity id: `{text}`; write 16 hex digits")]
pub struct InvalidEntityId {
    text: String,
}

impl TraceId {
    /// A new id: the current second and 96 random bits.
    pub fn generate() -> Self {
        // A clock before 1970 is a broken clock, not a reason to fail.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // The nanoseconds keep two processes apart that share a random state, as after fork.
        let [high, low] = random_u64s();
        Self::from_parts(now.as_secs() as u32, high, low as u32 ^ now.subsec_nanos())
    }

    /// Reads an id; the case of its digits is kept.
    ///
    /// # Errors
    /// When `text` is not exactly `1-`, 8 hex digits, `-` and 24 hex digits. Nothing is trimmed.
    pub fn parse(text: &str) -> Result<Self, InvalidTraceId> {
        Self::from_ascii(text.as_bytes()).ok_or_else(|| InvalidTraceId { text: excerpt(text) })
    }

    /// The id as it goes on the wire, 35 characters.
    pub fn as_str(&self) -> &str {
        // Only ASCII is ever stored.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn from_ascii(text: &[u8]) -> Option<Self> {
        let bytes: [u8; TRACE_ID_LEN] = text.try_into().ok()?;
        let valid = bytes[0] == b'1'
            && bytes[1] == b'-'
            && bytes[10] == b'-'
            && all_hex(&bytes[2..10])
            && all_hex(&bytes[11..]);
        valid.then_some(Self(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn from_parts(seconds: u32, high: u64, low: u32) -> Self {
        let mut bytes = *b"1-00000000-000000000000000000000000";
        bytes[2..10].copy_from_slice(&hex8(seconds));
        bytes[11..27].copy_from_slice(&hex16(high));
        bytes[27..].copy_from_slice(&hex8(low));
        Self(bytes)
    }
}

impl EntityId {
    /// A new random id, never all zero.
    pub fn generate() -> Self {
        Self::from_u64(random_u64().max(1))
    }

    /// Reads an id; the case of its digits is kept.
    ///
    /// # Errors
    /// When `text` is not exactly 16 hex digits. Nothing is trimmed.
    pub fn parse(text: &str) -> Result<Self, InvalidEntityId> {
        Self::from_ascii(text.as_bytes()).ok_or_else(|| InvalidEntityId { text: excerpt(text) })
    }

    /// The id as it goes on the wire, 16 characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn from_ascii(text: &[u8]) -> Option<Self> {
        let bytes: [u8; ENTITY_ID_LEN] = text.try_into().ok()?;
        all_hex(&bytes).then_some(Self(bytes))
    }

    /// The number in lower-case hex. Zero is written as it is: the caller sees to it.
    pub(crate) fn from_u64(number: u64) -> Self {
        Self(hex16(number))
    }
}

fn all_hex(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_hexdigit)
}

/// 16 hex digits, lower case.
#[inline(always)]
pub(crate) fn hex16(number: u64) -> [u8; 16] {
    let mut out = [0; 16];
    out[..8].copy_from_slice(&hex8((number >> 32) as u32));
    out[8..].copy_from_slice(&hex8(number as u32));
    out
}

/// Eight hex digits at once: spreads nibbles over bytes, then adds what makes them digits or letters.
#[inline(always)]
fn hex8(number: u32) -> [u8; 8] {
    let mut x = u64::from(number);
    x = (x | (x << 16)) & 0x0000_ffff_0000_ffff;
    x = (x | (x << 8)) & 0x00ff_00ff_00ff_00ff;
    x = (x | (x << 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    let letters = ((x + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
    (x + 0x3030_3030_3030_3030 + letters * 0x27).to_be_bytes()
}

/// As much of a refused text as an error message should repeat.
fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}

/// 64 random bits from a generator of this thread.
pub(crate) fn random_u64() -> u64 {
    let [number] = random_u64s();
    number
}

/// Random bits from a generator of this thread, in one look for it.
///
/// Seeded from the operating system's entropy through `RandomState`: ids of many hosts meet in one account, and a
/// seed made of clock and thread number would repeat among them.
fn random_u64s<const N: usize>() -> [u64; N] {
    thread_local! {
        static STATE: Cell<Option<u64>> = const { Cell::new(None) };
    }
    STATE.with(|state| {
        let seed = state.get().unwrap_or_else(|| RandomState::new().hash_one(0));
        let mut generator = fastrand::Rng::with_seed(seed);
        let numbers = std::array::from_fn(|_| generator.u64(..));
        state.set(Some(generator.get_seed()));
        numbers
    })
}

macro_rules! text_of_id {
    ($id:ty, $error:ty) => {
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($id)).field(&self.as_str()).finish()
            }
        }
        impl FromStr for $id {
            type Err = $error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }
        impl AsRef<str> for $id {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
    };
}

text_of_id!(TraceId, InvalidTraceId);
text_of_id!(EntityId, InvalidEntityId);

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn generated_trace_ids_are_valid_distinct_and_dated() {
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let ids: HashSet<_> = (0..10_000).map(|_| TraceId::generate()).collect();
        assert_eq!(ids.len(), 10_000);
        for id in ids {
            assert_eq!(TraceId::parse(id.as_str()), Ok(id));
            let seconds = u64::from_str_radix(&id.as_str()[2..10], 16).unwrap();
            assert!((before..before + 60).contains(&seconds), "{id}");
        }
    }

    #[test]
    fn threads_draw_different_ids() {
        let draw = || (0..100).map(|_| EntityId::generate()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(draw)).collect();
        let ids: HashSet<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(ids.len(), 800);
    }

    #[test]
    fn case_is_kept() {
        for text in ["1-5759E988-BD862E3FE1BE46A994272793", "1-5759e988-bd862e3fe1be46a994272793"] {
            assert_eq!(TraceId::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(EntityId::parse("53995C3f42cd8ad8").unwrap().as_str(), "53995C3f42cd8ad8");
    }

    #[test]
    fn what_is_no_id_is_refused_with_what_to_write() {
        for text in ["", "1", "53995c3f42cd8ad", "53995c3f42cd8ad8 ", "g3995c3f42cd8ad8", "é3995c3f42cd8ad"]
        {
            assert!(EntityId::parse(text).is_err(), "{text}");
        }
        let error = TraceId::parse("2-5759e988-bd862e3fe1be46a994272793").unwrap_err().to_string();
        assert!(error.contains("24 hex digits"), "{error}");
    }

    #[test]
    fn numbers_are_written_in_full() {
        assert_eq!(EntityId::from_u64(0xab).as_str(), "00000000000000ab");
        assert_eq!(EntityId::from_u64(u64::MAX).as_str(), "ffffffffffffffff");
        assert_eq!(TraceId::from_parts(1, 2, 3).as_str(), "1-00000001-000000000000000200000003");
        assert_eq!(format!("{:?}", EntityId::from_u64(1)), r#"EntityId("0000000000000001")"#);
    }
}

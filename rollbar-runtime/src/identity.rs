//! Identities of occurrences: uuids, version 4.
//!
//! A uuid from the system's random numbers is a system call of 0.5 us, half of what a report may take. A client draws 128 bits
//! once, and makes its uuids of these and a counter. It has them for itself: a child of `fork` has a client of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use uuid::{Builder, Uuid};

/// Makes uuids.
#[derive(Debug)]
pub(crate) struct Identities {
    seed: (u64, u64),
    next: AtomicU64,
}

impl Identities {
    pub(crate) fn new() -> Self {
        Self { seed: Uuid::new_v4().as_u64_pair(), next: AtomicU64::new(0) }
    }

    /// The next one.
    pub(crate) fn next(&self) -> Uuid {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        // Two odd steps: the numbers of two seeds meet in one half at a time, but in both only by a chance of 1 in 2^122.
        let high = mixed(self.seed.0.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let low = mixed(self.seed.1.wrapping_add(number.wrapping_mul(0xd1b5_4a32_d192_ed03)));
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high.to_be_bytes());
        bytes[8..].copy_from_slice(&low.to_be_bytes());
        Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// The finalizer of MurmurHash3: each bit of the number changes half of the bits, and no two numbers become one.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let number = (number ^ (number >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ (number >> 33)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn they_are_random_uuids_and_never_the_same() {
        let (one, other) = (Identities::new(), Identities::new());
        let uuids: HashSet<Uuid> = (0..100_000).flat_map(|_| [one.next(), other.next()]).collect();
        assert_eq!(uuids.len(), 200_000);
        let mut ones = 0;
        for uuid in &uuids {
            assert_eq!((uuid.get_version_num(), uuid.get_variant()), (4, uuid::Variant::RFC4122));
            ones += uuid.as_u128().count_ones();
        }
        // 122 bits by chance, and of the six others two are set: half of 122 and 2.
        let mean = f64::from(ones) / 200_000.0;
        assert!((mean - 63.0).abs() < 0.1, "{mean}");
    }
}

//! What is known of addresses, kept within a bound: to look one up takes microseconds, and errors come from the same few
//! places.

use std::collections::HashMap;
use std::sync::Arc;

use super::calls::{Call, calls_at};

/// Addresses of one generation; at most twice as many are kept.
const GENERATION: usize = 2048;

/// The calls of each address. When the young generation is full it becomes the old one, and what of the old was not
/// asked for since is forgotten.
#[derive(Debug, Default)]
pub(super) struct AddressCache {
    young: HashMap<usize, Arc<[Call]>>,
    old: HashMap<usize, Arc<[Call]>>,
}

impl AddressCache {
    /// The calls at an address, innermost first.
    pub(super) fn get(&mut self, address: usize) -> Arc<[Call]> {
        self.get_or(address, calls_at)
    }

    fn get_or(&mut self, address: usize, look_up: impl FnOnce(usize) -> Vec<Call>) -> Arc<[Call]> {
        if let Some(calls) = self.young.get(&address) {
            return calls.clone();
        }
        let calls = self.old.remove(&address).unwrap_or_else(|| look_up(address).into());
        if self.young.len() == GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(address, calls.clone());
        calls
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(address: usize) -> Vec<Call> {
        vec![Call::at(&format!("app::f{address}"), "", 0)]
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let mut cache = AddressCache::default();
        cache.get_or(0, name);
        for address in 1..10 * GENERATION {
            cache.get_or(address, name);
            assert!(cache.young.len() <= GENERATION && cache.old.len() <= GENERATION);
            if address % (GENERATION / 2) == 0 {
                cache.get_or(0, |_| panic!("forgotten after {address}"));
            }
        }
        let mut asked = false;
        cache.get_or(1, |address| {
            asked = true;
            name(address)
        });
        assert!(asked);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn an_address_has_its_own_calls(addresses in prop::collection::vec(0_usize..6_000, 0..9_000)) {
            let mut cache = AddressCache::default();
            for address in addresses {
                prop_assert_eq!(cache.get_or(address, name).to_vec(), name(address));
            }
        }
    }
}

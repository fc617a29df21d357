//! What requests change of a rule: what it has given away in the current second, and how it decided. Atomic words: a request waits
//! for nobody, and a fork finds no lock held.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What of a rule decided.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CentralHow {
    /// One of the requests that the rule's target grants this client each second.
    Take,
    /// One request a second, while no target is known.
    Borrow,
    /// The dice.
    Rate,
}

/// How a rule decided since the last report.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RuleStatistics {
    /// Requests that it matched: sampled, borrowed and not sampled.
    pub requests: u64,
    /// Taken, or by the dice.
    pub sampled: u64,
    /// Borrowed; not in `sampled`.
    pub borrowed: u64,
}

/// The bit of a window that tells whether a request was borrowed; those below it count what was taken.
const BORROWED: u64 = 1 << 31;
const TAKEN: u64 = BORROWED - 1;

/// The most that a quota can be.
pub(super) const MAX_QUOTA: u32 = TAKEN as u32;

/// The live side of a rule, shared by those who decide and the poller. Relaxed throughout: no word guards another.
#[derive(Debug, Default)]
pub(super) struct Reservoir {
    /// The second in the upper half, what it has seen in the lower: one word, so that no two requests take the same place.
    window: AtomicU64,
    /// The first second in which the quota no longer holds in the upper half, the quota in the lower. 0: there is none.
    quota: AtomicU64,
    /// The bits of an `f64`.
    rate: AtomicU64,
    /// The first second without a boost in the upper half, the bits of its rate as `f32` in the lower. 0: there is none.
    boost: AtomicU64,
    // Each decision counts in one of them, so the sum is exact at any time.
    sampled: AtomicU64,
    borrowed: AtomicU64,
    not_sampled: AtomicU64,
}

impl Reservoir {
    pub(super) fn set_rate(&self, rate: f64) {
        self.rate.store(rate.to_bits(), Relaxed);
    }

    /// The quota of each second up to and with `last_second`.
    pub(super) fn set_quota(&self, quota: u32, last_second: f64) {
        // `as` saturates.
        let end = (last_second.floor() + 1.0) as u32;
        self.quota.store(u64::from(end) << 32 | u64::from(quota.min(MAX_QUOTA)), Relaxed);
    }

    /// A higher rate for the time before `end`.
    pub(super) fn set_boost(&self, rate: f64, end: f64) {
        let bits = (rate as f32).to_bits();
        self.boost.store(u64::from(end.ceil() as u32) << 32 | u64::from(bits), Relaxed);
    }

    fn rate(&self, second: u32) -> f64 {
        let rate = f64::from_bits(self.rate.load(Relaxed));
        let boost = self.boost.load(Relaxed);
        if boost >> 32 > u64::from(second) { rate.max(f32::from_bits(boost as u32).into()) } else { rate }
    }

    /// Decides about a request in this second, and counts it.
    pub(super) fn decide(
        &self,
        second: u32,
        reservoir_size: u32,
        random: impl FnOnce() -> f64,
    ) -> (bool, CentralHow) {
        let how = self.pass(second, reservoir_size);
        let sampled = match how {
            CentralHow::Take | CentralHow::Borrow => true,
            CentralHow::Rate => random() < self.rate(second),
        };
        let counter = match (how, sampled) {
            (CentralHow::Borrow, _) => &self.borrowed,
            (_, true) => &self.sampled,
            (_, false) => &self.not_sampled,
        };
        counter.fetch_add(1, Relaxed);
        (sampled, how)
    }

    /// Takes or borrows where that is possible, in one atomic step.
    fn pass(&self, second: u32, reservoir_size: u32) -> CentralHow {
        let quota = self.quota.load(Relaxed);
        let granted = quota >> 32 > u64::from(second);
        let mut state = self.window.load(Relaxed);
        loop {
            // Any other second is a new one: clocks are set back too.
            let window = if state >> 32 == u64::from(second) { state } else { u64::from(second) << 32 };
            let (next, how) = if granted {
                if window & TAKEN < quota & TAKEN {
                    (window + 1, CentralHow::Take)
                } else {
                    (window, CentralHow::Rate)
                }
            } else if reservoir_size > 0 && window & BORROWED == 0 {
                (window | BORROWED, CentralHow::Borrow)
            } else {
                (window, CentralHow::Rate)
            };
            // Where nothing changes nothing is written, so threads do not disturb each other.
            if next == state {
                return how;
            }
            match self.window.compare_exchange_weak(state, next, Relaxed, Relaxed) {
                Ok(_) => return how,
                Err(changed) => state = changed,
            }
        }
    }

    pub(super) fn has_statistics(&self) -> bool {
        [&self.sampled, &self.borrowed, &self.not_sampled].iter().any(|counter| counter.load(Relaxed) > 0)
    }

    /// The counts, which begin anew.
    pub(super) fn take_statistics(&self) -> RuleStatistics {
        let [sampled, borrowed, not_sampled] =
            [&self.sampled, &self.borrowed, &self.not_sampled].map(|counter| counter.swap(0, Relaxed));
        RuleStatistics { requests: sampled + borrowed + not_sampled, sampled, borrowed }
    }

    /// Adds counts that were taken and did not arrive.
    pub(super) fn add_statistics(&self, statistics: RuleStatistics) {
        let RuleStatistics { requests, sampled, borrowed } = statistics;
        self.sampled.fetch_add(sampled, Relaxed);
        self.borrowed.fetch_add(borrowed, Relaxed);
        self.not_sampled.fetch_add(requests - sampled - borrowed, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Barrier;

    use proptest::prelude::*;

    use super::*;

    fn never() -> f64 {
        panic!("no dice are needed")
    }

    #[test]
    fn a_quota_holds_to_the_end_of_its_last_second() {
        let reservoir = Reservoir::default();
        reservoir.set_quota(2, 10.5);
        for second in [9, 10] {
            assert_eq!(reservoir.decide(second, 1, never), (true, CentralHow::Take));
            assert_eq!(reservoir.decide(second, 1, never), (true, CentralHow::Take));
            assert_eq!(
                reservoir.decide(second, 1, || 0.0),
                (false, CentralHow::Rate),
                "rate 0 samples nothing"
            );
        }
        assert_eq!(reservoir.decide(11, 1, never), (true, CentralHow::Borrow));
        assert_eq!(reservoir.decide(11, 1, || 0.0), (false, CentralHow::Rate));
    }

    #[test]
    fn a_quota_of_none_is_no_leave_to_borrow() {
        let reservoir = Reservoir::default();
        reservoir.set_quota(0, 10.0);
        reservoir.set_rate(0.5);
        assert_eq!(reservoir.decide(10, 1, || 0.5), (false, CentralHow::Rate));
        assert_eq!(reservoir.decide(10, 1, || 0.49), (true, CentralHow::Rate));
        let statistics = RuleStatistics { requests: 2, sampled: 1, borrowed: 0 };
        assert_eq!(reservoir.take_statistics(), statistics);
        assert!(!reservoir.has_statistics());
    }

    #[test]
    fn a_boost_raises_the_rate_until_it_ends() {
        let reservoir = Reservoir::default();
        reservoir.set_rate(0.25);
        reservoir.set_boost(0.5, 11.0);
        assert!(reservoir.decide(10, 0, || 0.49).0);
        assert!(!reservoir.decide(10, 0, || 0.5).0);
        assert!(!reservoir.decide(11, 0, || 0.25).0);
        reservoir.set_rate(0.75);
        assert!(reservoir.decide(10, 0, || 0.74).0, "it never lowers it");
    }

    #[test]
    fn a_borrowed_request_is_not_a_sampled_one() {
        let reservoir = Reservoir::default();
        reservoir.decide(1, 1, never);
        let statistics = RuleStatistics { requests: 1, sampled: 0, borrowed: 1 };
        assert_eq!(reservoir.take_statistics(), statistics);
        assert_eq!(reservoir.decide(2, 0, || 0.0), (false, CentralHow::Rate), "nothing to borrow from");
    }

    #[test]
    fn any_other_second_is_a_new_one() {
        let reservoir = Reservoir::default();
        for second in [7, 8, 7, 0, u32::MAX] {
            assert_eq!(reservoir.decide(second, 1, never).1, CentralHow::Borrow, "{second}");
            assert_eq!(reservoir.decide(second, 1, || 1.0).1, CentralHow::Rate, "{second}");
        }
    }

    #[test]
    fn a_second_begins_anew_though_nothing_is_given_away_in_it() {
        let reservoir = Reservoir::default();
        reservoir.decide(7, 1, never);
        reservoir.decide(8, 0, || 1.0);
        assert_eq!(reservoir.decide(7, 1, never).1, CentralHow::Borrow);
    }

    #[test]
    fn counts_that_did_not_arrive_are_added_to_the_new_ones() {
        let reservoir = Reservoir::default();
        reservoir.set_rate(1.0);
        for _ in 0..3 {
            reservoir.decide(1, 1, || 0.5);
        }
        let lost = reservoir.take_statistics();
        assert_eq!(lost, RuleStatistics { requests: 3, sampled: 2, borrowed: 1 });
        reservoir.decide(2, 0, || 1.0);
        reservoir.add_statistics(lost);
        assert_eq!(reservoir.take_statistics(), RuleStatistics { requests: 4, sampled: 2, borrowed: 1 });
    }

    #[test]
    fn threads_never_share_a_place_and_no_decision_is_lost() {
        let reservoir = Reservoir::default();
        reservoir.set_quota(10_000, 7.0);
        let start = Barrier::new(5);
        let (taken, reported) = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        (0..5_000).filter(|_| reservoir.decide(7, 1, || 1.0).0).count()
                    })
                })
                .collect();
            start.wait();
            // The poller takes the counts while they grow.
            let mut reported = RuleStatistics::default();
            while threads.iter().any(|thread| !thread.is_finished()) {
                let part = reservoir.take_statistics();
                reported.requests += part.requests;
                reported.sampled += part.sampled;
            }
            (threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>(), reported)
        });
        assert_eq!(taken, 10_000);
        let rest = reservoir.take_statistics();
        assert_eq!(reported.requests + rest.requests, 20_000);
        assert_eq!(reported.sampled + rest.sampled, 10_000);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Decide { second: u32, dice: f64 },
        Quota { quota: u32, last_second: f64 },
        Rate(f64),
        Report { arrives: bool },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (0..4_u32, 0.0..1.0).prop_map(|(second, dice)| Step::Decide { second, dice }),
            1 => (0..4_u32, 0.0..4.0).prop_map(|(quota, last_second)| Step::Quota { quota, last_second }),
            1 => (0.0..1.0).prop_map(Step::Rate),
            1 => any::<bool>().prop_map(|arrives| Step::Report { arrives }),
        ]
    }

    proptest! {
        #[test]
        fn never_more_than_the_quota_and_the_counts_add_up(
            mut steps in prop::collection::vec(step(), 0..200), size in 0..2_u32
        ) {
            // Time goes on, as it must for a bound of each second.
            let mut seconds: Vec<u32> = steps.iter().filter_map(|step| match step {
                Step::Decide { second, .. } => Some(*second),
                _ => None,
            }).collect();
            seconds.sort_unstable();
            let mut seconds = seconds.into_iter();
            for step in &mut steps {
                if let Step::Decide { second, .. } = step {
                    *second = seconds.next().unwrap();
                }
            }
            let reservoir = Reservoir::default();
            let (mut rate, mut quota, mut largest_quota) = (0.0, None::<(u32, f64)>, 0);
            let mut of_second: HashMap<(u32, bool), u32> = HashMap::new();
            let (mut decided, mut arrived) = (RuleStatistics::default(), RuleStatistics::default());
            for step in steps {
                match step {
                    Step::Decide { second, dice } => {
                        let (sampled, how) = reservoir.decide(second, size, || dice);
                        decided.requests += 1;
                        let granted = quota.is_some_and(|(_, last)| last.floor() >= f64::from(second));
                        match how {
                            CentralHow::Take => {
                                prop_assert!(sampled && granted);
                                decided.sampled += 1;
                                *of_second.entry((second, true)).or_default() += 1;
                            }
                            CentralHow::Borrow => {
                                prop_assert!(sampled && !granted && size > 0);
                                decided.borrowed += 1;
                                *of_second.entry((second, false)).or_default() += 1;
                            }
                            CentralHow::Rate => {
                                prop_assert_eq!(sampled, dice < rate);
                                decided.sampled += u64::from(sampled);
                            }
                        }
                    }
                    Step::Quota { quota: new, last_second } => {
                        reservoir.set_quota(new, last_second);
                        quota = Some((new, last_second));
                        largest_quota = largest_quota.max(new);
                    }
                    Step::Rate(new) => {
                        reservoir.set_rate(new);
                        rate = new;
                    }
                    Step::Report { arrives } => {
                        let part = reservoir.take_statistics();
                        prop_assert!(part.sampled + part.borrowed <= part.requests);
                        if arrives {
                            arrived.requests += part.requests;
                            arrived.sampled += part.sampled;
                            arrived.borrowed += part.borrowed;
                        } else {
                            reservoir.add_statistics(part);
                        }
                    }
                }
            }
            for ((second, taken), count) in of_second {
                prop_assert!(count <= if taken { largest_quota } else { 1 }, "{} in second {}", count, second);
            }
            let rest = reservoir.take_statistics();
            prop_assert_eq!(arrived.requests + rest.requests, decided.requests);
            prop_assert_eq!(arrived.sampled + rest.sampled, decided.sampled);
            prop_assert_eq!(arrived.borrowed + rest.borrowed, decided.borrowed);
        }
    }
}

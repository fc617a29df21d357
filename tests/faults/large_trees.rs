use std::time::{Duration, Instant};

use xray_runtime::{Subsegment, begin_segment, begin_subsegment, current, in_subsegment};

use crate::support::{recorder, recorder_with};

fn open(count: usize) -> Vec<Subsegment> {
    (0..count).map(|_| begin_subsegment("open")).collect()
}

#[test]
fn ten_thousand_open_subsegments_end_from_the_inside() {
    let (recorder, delivered) = recorder();
    let begun = Instant::now();
    recorder.enter(|| {
        let _segment = begin_segment("s");
        let mut guards = open(10_000);
        while let Some(guard) = guards.pop() {
            guard.end();
        }
        in_subsegment("after", || ());
    });
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.named("open").count(), 10_000);
    assert_eq!(forest.parent_of("after"), "s");
}

#[test]
fn ten_thousand_open_subsegments_end_from_the_outside() {
    let (recorder, delivered) = recorder();
    let begun = Instant::now();
    recorder.enter(|| {
        let _segment = begin_segment("s");
        open(10_000).into_iter().for_each(Subsegment::end);
        in_subsegment("after", || ());
    });
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.named("open").count(), 10_000);
    assert_eq!(forest.parent_of("after"), "s");
}

/// The innermost stays, and each end walks past what is open.
#[test]
fn ten_thousand_open_subsegments_end_but_the_outermost_and_the_innermost() {
    let (recorder, delivered) = recorder();
    let begun = Instant::now();
    recorder.enter(|| {
        let _segment = begin_segment("s");
        let mut guards = open(10_000);
        let innermost = guards.pop().unwrap();
        let outermost = guards.remove(0);
        let _again = open(1);
        // Those in the middle end in an order of neither side.
        let (even, odd): (Vec<_>, Vec<_>) = guards.into_iter().enumerate().partition(|(n, _)| n % 2 == 0);
        even.into_iter().rev().for_each(|(_, guard)| guard.end());
        odd.into_iter().for_each(|(_, guard)| guard.end());
        innermost.end();
        outermost.end();
    });
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.named("open").count(), 10_001);
}

/// Flat: each is opened by a future of its own, so that none is current when the next begins.
#[test]
fn ten_thousand_open_siblings_end_in_either_order() {
    use std::future::Future;
    use std::task::{Context, Poll, Waker};
    use xray_runtime::FutureExt;
    for reverse in [false, true] {
        let (recorder, delivered) = recorder();
        let begun = Instant::now();
        recorder.enter(|| {
            let _segment = begin_segment("s");
            let mut context = Context::from_waker(Waker::noop());
            let mut futures: Vec<_> = (0..10_000)
                .map(|_| {
                    let mut done = false;
                    Box::pin(
                        std::future::poll_fn(move |_| {
                            if std::mem::replace(&mut done, true) { Poll::Ready(()) } else { Poll::Pending }
                        })
                        .in_subsegment("open"),
                    )
                })
                .collect();
            for future in &mut futures {
                assert!(future.as_mut().poll(&mut context).is_pending());
            }
            if reverse {
                futures.reverse();
            }
            for future in &mut futures {
                assert!(future.as_mut().poll(&mut context).is_ready());
            }
        });
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        let forest = delivered.complete(&recorder);
        assert_eq!(forest.named("open").count(), 10_000);
        assert_eq!(forest.depth, 2);
    }
}

#[test]
fn ten_thousand_open_subsegments_end_on_another_thread() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        let segment = begin_segment("s");
        let guards = open(10_000);
        std::thread::scope(|scope| _ = scope.spawn(move || drop(guards)));
        segment.end();
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.named("open").count(), 10_000);
    assert!(forest.entities.values().all(|found| !found.is("in_progress")));
}

#[test]
fn calls_ten_thousand_deep_make_documents_that_can_be_read() {
    fn down(levels: usize) {
        if levels > 0 {
            in_subsegment("level", || down(levels - 1));
        }
    }
    for (threshold, levels) in [(100, 10_000), (usize::MAX, 10_000), (usize::MAX, 59), (usize::MAX, 60)] {
        let (recorder, delivered) = recorder_with(|builder| builder.streaming_threshold(threshold));
        std::thread::Builder::new()
            .stack_size(256 << 20)
            .spawn({
                let recorder = recorder.clone();
                move || recorder.enter(|| xray_runtime::in_segment("s", || down(levels)))
            })
            .unwrap()
            .join()
            .unwrap();
        let forest = delivered.complete(&recorder);
        assert_eq!(forest.named("level").count(), levels);
    }
}

#[test]
fn a_hundred_thousand_children_are_streamed() {
    for threshold in [0, 100, usize::MAX] {
        let (recorder, delivered) = recorder_with(|builder| builder.streaming_threshold(threshold));
        recorder.enter(|| {
            let _segment = begin_segment("s");
            for n in 0..100_000 {
                in_subsegment("child", || {
                    if n % 1_000 == 0 {
                        current().put_annotation("n", n);
                    }
                });
                // The queue has 64 MiB; this is about what is recorded, not about how fast.
                if n % 5_000 == 0 {
                    recorder.flush(crate::support::SOON);
                }
            }
        });
        let forest = delivered.complete(&recorder);
        assert_eq!(forest.named("child").count(), 100_000, "threshold {threshold}");
        assert_eq!(forest.one("s").parent, None);
    }
}

/// The last end streams what is there, the segment with it; it must still be sent.
#[test]
fn a_segment_that_streams_as_it_ends_is_sent() {
    let (recorder, delivered) = recorder();
    recorder.enter(|| begin_segment("s").put_metadata("value", "x".repeat(61_000)));
    assert_eq!(delivered.complete(&recorder).names(), ["s"]);
    recorder.enter(|| {
        let segment = begin_segment("s");
        let guards = open(150);
        std::thread::scope(|scope| _ = scope.spawn(move || drop(guards)));
        segment.end();
    });
    let forest = crate::support::Forest::of(&delivered.flushed(&recorder));
    assert_eq!(forest.entities.len(), 151);
    assert_eq!(recorder.stats().pending, 0);
}

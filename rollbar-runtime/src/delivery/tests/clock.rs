//! Waits and pauses, with a clock that only moves when nothing else does.

use std::collections::VecDeque;
use std::sync::Mutex;

use http::StatusCode;

use super::*;
use crate::transport::BoxFuture;

/// Answers in turn, and notes when it was asked.
struct Script {
    answers: Mutex<VecDeque<Next>>,
    asked: Mutex<Vec<Duration>>,
    start: Instant,
}

enum Next {
    Status(u16),
    After(Duration, u16),
    Never,
}

impl Transport for Script {
    fn send<'a>(&'a self, _: &'a Payload) -> BoxFuture<'a, Result<Response, TransportError>> {
        self.asked.lock().unwrap().push(self.start.elapsed());
        let next = self.answers.lock().unwrap().pop_front().unwrap_or(Next::Status(200));
        Box::pin(async move {
            let status = match next {
                Next::Status(status) => status,
                Next::After(wait, status) => {
                    tokio::time::sleep(wait).await;
                    status
                }
                Next::Never => std::future::pending().await,
            };
            Ok(Response::new(StatusCode::from_u16(status).unwrap(), "{\"err\":0}"))
        })
    }
}

fn script(answers: impl IntoIterator<Item = Next>) -> (Arc<Script>, Delivery) {
    let answers = Mutex::new(answers.into_iter().collect());
    let script = Arc::new(Script { answers, asked: Mutex::default(), start: Instant::now() });
    // Of chance, the longest wait.
    let backoff = Backoff { random: Arc::new(|| 1.0), ..Backoff::default() };
    let delivery = Delivery::new(DeliverySettings { backoff, ..settings() }, script.clone());
    (script, delivery)
}

fn seconds(script: &Script) -> Vec<u64> {
    script.asked.lock().unwrap().iter().map(Duration::as_secs).collect()
}

#[tokio::test(start_paused = true)]
async fn tries_come_after_1_2_and_4_seconds() {
    let (script, delivery) = script([500, 503, 502].map(Next::Status));
    assert_eq!(delivery.deliver(item(1)).await, Outcome::Sent);
    assert_eq!(seconds(&script), [0, 1, 3, 7]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_for_what_is_between_two_tries() {
    let (script, delivery) = script([500, 429].map(Next::Status));
    let delivery = Arc::new(delivery);
    let first = tokio::spawn({
        let delivery = Arc::clone(&delivery);
        async move { delivery.deliver(item(1)).await }
    });
    tokio::task::yield_now().await;
    assert!(matches!(delivery.deliver(item(2)).await, Outcome::Deferred(_)));
    assert!(matches!(first.await.unwrap(), Outcome::Deferred(_)));
    assert_eq!(script.asked.lock().unwrap().len(), 2);
    tokio::time::sleep_until(delivery.paused_until().unwrap()).await;
    assert_eq!(delivery.paused_until(), None, "it is over");
    assert_eq!(delivery.deliver(item(1)).await, Outcome::Sent);
    assert_eq!(seconds(&script), [0, 0, 60]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_sending_holds_for_what_is_between_two_tries() {
    let (script, delivery) = script([500, 401].map(Next::Status));
    let delivery = Arc::new(delivery);
    let first = tokio::spawn({
        let delivery = Arc::clone(&delivery);
        async move { delivery.deliver(item(1)).await }
    });
    tokio::task::yield_now().await;
    for outcome in [delivery.deliver(item(2)).await, first.await.unwrap()] {
        assert_eq!(outcome, Outcome::Dropped(DropCause::Unauthorized));
    }
    assert_eq!(script.asked.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_waits_beyond_the_deadline_is_given_up_at_once() {
    let (script, delivery) = script([500, 500].map(Next::Status));
    delivery.close_by(script.start + Duration::from_millis(2500));
    assert!(matches!(delivery.deliver(item(1)).await, Outcome::Undelivered(_)));
    assert_eq!(seconds(&script), [0, 1]);
    assert_eq!(script.start.elapsed().as_secs(), 1, "the third try would come too late");
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_is_given_up_at_the_deadline() {
    let (script, delivery) = script([Next::Never, Next::After(Duration::from_secs(4), 200)]);
    let delivery = Arc::new(delivery);
    let stuck = tokio::spawn({
        let delivery = Arc::clone(&delivery);
        async move { delivery.deliver(item(1)).await }
    });
    tokio::task::yield_now().await;
    // The last call counts, for what began before it as well.
    delivery.close_by(script.start + Duration::from_secs(1));
    delivery.close_by(script.start + Duration::from_secs(5));
    assert_eq!(delivery.deliver(item(1)).await, Outcome::Sent, "it had the time");
    assert!(matches!(stuck.await.unwrap(), Outcome::Undelivered(_)));
    assert_eq!(script.start.elapsed().as_secs(), 5);
    delivery.close_by(Instant::now());
    assert!(matches!(delivery.deliver(item(1)).await, Outcome::Undelivered(_) | Outcome::Sent));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_is_set_meanwhile_ends_a_wait() {
    let (script, delivery) = script([500; 4].map(Next::Status));
    let delivery = Arc::new(delivery);
    let waiting = tokio::spawn({
        let delivery = Arc::clone(&delivery);
        async move { delivery.deliver(item(1)).await }
    });
    tokio::time::sleep(Duration::from_millis(1500)).await;
    delivery.close_by(Instant::now());
    assert!(matches!(waiting.await.unwrap(), Outcome::Undelivered(_)));
    assert_eq!(script.start.elapsed(), Duration::from_millis(1500));
}

//! Any sequence of reports, answers, pauses and flushes keeps the books.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use rollbar_runtime::{
    BoxFuture, Level, Payload, Report, Response, Rollbar, Transport, TransportError, TransportErrorKind,
};

use crate::accounts::{assert_adds_up, settled};

/// What the next call comes to.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Status(u16),
    Nothing(TransportErrorKind),
    Panic,
}

#[derive(Clone, Debug)]
enum Step {
    Report { level: u8, text: u8, large: bool },
    Answers(Answer),
    Hold(bool),
    Flush(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let answer = prop_oneof![
        6 => Just(Answer::Status(200)),
        1 => prop::sample::select(vec![400, 403, 404, 413, 422, 500, 302, 600]).prop_map(Answer::Status),
        1 => prop::sample::select(vec![TransportErrorKind::ConnectionReset, TransportErrorKind::TlsBadCertificate]).prop_map(Answer::Nothing),
        1 => Just(Answer::Panic),
    ];
    let step = prop_oneof![
        20 => (0_u8..5, 0_u8..4, prop::bool::weighted(0.05)).prop_map(|(level, text, large)| Step::Report { level, text, large }),
        3 => answer.prop_map(Step::Answers),
        2 => any::<bool>().prop_map(Step::Hold),
        1 => (0_u8..3).prop_map(Step::Flush),
    ];
    prop::collection::vec(step, 0..400)
}

#[derive(Clone)]
struct Service(Arc<(Mutex<State>, Condvar)>);

struct State {
    held: bool,
    answer: Answer,
    accepted: u64,
    stood_for: u64,
}

impl Transport for Service {
    fn send<'a>(&'a self, payload: &'a Payload) -> BoxFuture<'a, Result<Response, TransportError>> {
        Box::pin(async move {
            let mut state = self.0.1.wait_while(self.0.0.lock().unwrap(), |state| state.held).unwrap();
            let status = match state.answer {
                Answer::Status(600) => 599,
                Answer::Status(status) => status,
                Answer::Nothing(kind) => return Err(TransportError::new(kind)),
                Answer::Panic => {
                    drop(state);
                    panic!("the transport's own fault")
                }
            };
            if status == 200 {
                let item: serde_json::Value = serde_json::from_slice(&payload.body).unwrap();
                state.accepted += u64::from(item["data"]["failsafe"] != true);
                state.stood_for += item["data"]["notifier"]["diagnostic"]["coalesced"].as_u64().unwrap_or(0);
            }
            let err = u8::from(status != 200);
            Ok(Response::new(status.try_into().unwrap(), format!(r#"{{"err":{err},"result":{{}}}}"#)))
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn the_books_are_right(steps in steps(), items in prop::sample::select(vec![1_usize, 3, 20, 1_000]), connections in 1_usize..4) {
        let state = State { held: false, answer: Answer::Status(200), accepted: 0, stood_for: 0 };
        let service = Service(Arc::new((Mutex::new(state), Condvar::new())));
        let rollbar = Rollbar::builder()
            .transport(service.clone())
            .queue(items, 128 << 10)
            .connections(connections)
            .retries(0)
            .build()
            .unwrap();
        let hold = |held: bool| {
            service.0.0.lock().unwrap().held = held;
            service.0.1.notify_all();
        };
        let mut reported = 0;
        for step in steps {
            match step {
                Step::Report { level, text, large } => {
                    let level = [Level::Debug, Level::Info, Level::Warning, Level::Error, Level::Critical][usize::from(level)];
                    let text = if large { "l".repeat(60 << 10) } else { format!("text {text}") };
                    reported += 1;
                    rollbar.enter(|| Report::message(text, level).send());
                }
                Step::Answers(answer) => service.0.0.lock().unwrap().answer = answer,
                Step::Hold(held) => hold(held),
                Step::Flush(millis) => {
                    let _ = rollbar.flush(Duration::from_millis(millis.into()));
                }
            }
            let stats = rollbar.stats();
            assert_adds_up(&stats);
            prop_assert!(stats.reported >= reported);
        }
        hold(false);
        let stats = settled(&rollbar);
        assert_adds_up(&stats);
        prop_assert_eq!(stats.pending, 0);
        let state = service.0.0.lock().unwrap();
        prop_assert_eq!(stats.sent, state.accepted);
        prop_assert_eq!(stats.coalesced, state.stood_for);
    }
}

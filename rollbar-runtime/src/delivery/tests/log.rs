//! What the user is told.

use std::fmt::{self, Write};
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::span;

use super::server::{Answer, Server};
use super::*;

/// Collects the lines of the thread.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {value:?}").unwrap();
    }
}

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// The lines that some deliveries to a server with this answer cause.
async fn lines(answer: Answer) -> Vec<String> {
    let lines = Arc::new(Lines::default());
    let _guard = tracing::subscriber::set_default(Arc::clone(&lines));
    let server = Server::of(&[answer]).await;
    let delivery = delivery(&server);
    // Two at the same time, and one after them.
    let together = first(delivery.deliver(item(1)), delivery.deliver(item(1)));
    together.await;
    delivery.deliver(item(1)).await;
    let lines = lines.0.lock().unwrap().clone();
    assert!(lines.iter().all(|line| !line.contains(TOKEN)), "{lines:?}");
    lines.into_iter().map(|line| line.replace(&server.url(), "URL")).collect()
}

#[tokio::test]
async fn each_thing_is_said_once() {
    let refused = json!({ "err": 1, "message": format!("access token not found: {TOKEN}") }).to_string();
    assert_eq!(
        lines(Answer::json(403, &refused)).await,
        [
            "ERROR Rollbar is switched off: the API refused the access token: access token not found: ****cdef \
          (token ****cdef, status 403). Check the access token"
        ]
    );
    assert_eq!(
        lines(Answer::json(422, r#"{"err":1,"message":"data.level should be string."}"#)).await,
        ["WARN Rollbar: an item was refused: the API found the item invalid: data.level should be string. \
          (status 422 of URL)"]
    );
    assert_eq!(
        lines(Answer::html(404)).await,
        ["WARN Rollbar: an item was refused: check endpoint (status 404 of URL)"]
    );
    assert_eq!(
        lines(Answer::html(502)).await,
        ["WARN Rollbar: URL failed 4 times, the last with status 502"]
    );
    let over = format!("Over free plan monthly limit. Project id 1 access token {TOKEN}.");
    assert_eq!(
        lines(Answer::json(429, &json!({ "err": 1, "message": over }).to_string())).await,
        ["WARN Rollbar: plan limit: Over free plan monthly limit. Project id 1 access token ****cdef.. \
          Sending pauses for 60 seconds; the most severe items are kept"]
    );
    assert_eq!(lines(Answer::status(200)).await, [""; 0]);
    let reset = lines(Answer::Reset).await;
    assert_eq!(reset.len(), 1);
    assert!(
        reset[0].starts_with("WARN Rollbar: URL was not reached in 4 tries: connection_reset ("),
        "{reset:?}"
    );
}

//! What the app's requests report to Rollbar: every item passes the double in strict mode, and knows its trace.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use cruddur::Destination;
use cruddur::settings::{Daemon, Ports, Rollbar, Settings};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use xray_daemon::LocalDaemon;
use xray_daemon::rollbar::{Mode, Occurrence};

/// Long enough for a busy machine; every wait ends with the event, not with the time.
const PATIENCE: Duration = Duration::from_secs(60);

/// The app, a socket in the place of the X-Ray daemon, and a double of Rollbar's API that refuses what breaks any rule.
struct Reporting {
    app: cruddur::App,
    socket: UdpSocket,
    client: Client,
}

impl Reporting {
    async fn start() -> Self {
        for prefix in ["AWS_XRAY_", "ROLLBAR_"] {
            // The environment's settings cannot be unset by a test.
            let set = std::env::vars_os().find(|(name, _)| name.to_string_lossy().starts_with(prefix));
            assert_eq!(set, None, "unset this variable to run the tests");
        }
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let settings = Settings {
            ports: Ports::Free,
            dynamic_naming: None,
            daemon: Daemon::At(socket.local_addr().unwrap().to_string()),
            rollbar: Rollbar::InProcess("127.0.0.1:0".into()),
        };
        let app = cruddur::start(settings, |daemon| daemon.rollbar(Mode::Strict)).await.unwrap();
        Self { app, socket, client: Client::new() }
    }

    async fn get(&self, path: &str) -> StatusCode {
        let response = self.client.get(format!("http://{}{path}", self.app.backend())).send().await.unwrap();
        let status = response.status();
        response.bytes().await.unwrap();
        status
    }

    async fn post(&self, path: &str, body: Value) -> StatusCode {
        let url = format!("http://{}{path}", self.app.backend());
        self.client.post(url).json(&body).send().await.unwrap().status()
    }

    /// The next document that the X-Ray daemon would get.
    fn document(&self) -> Value {
        let mut packet = vec![0; 65_536];
        let length = self.socket.recv(&mut packet).unwrap();
        let text = std::str::from_utf8(&packet[..length]).unwrap();
        serde_json::from_str(text.split_once('\n').unwrap().1).unwrap()
    }

    /// The items so far, oldest first, once all that was reported has been sent.
    async fn items(&self) -> Vec<Arc<Occurrence>> {
        let flushed = self.app.rollbar().flush_async(PATIENCE).await;
        assert_eq!((flushed.dropped, flushed.pending), (0, 0), "{:?}", self.app.rollbar().stats());
        let mut items = self.app.daemon().unwrap().rollbar().occurrences(1_000);
        items.reverse();
        items
    }
}

#[tokio::test]
async fn items_of_every_route_pass_in_strict_mode() {
    let reporting = Reporting::start().await;
    for path in [
        "/api/health-check",
        "/api/activities/home",
        "/api/activities/notifications",
        "/api/activities/search?term=traces",
        "/api/activities/search",
        "/api/activities/@sam",
        "/api/activities/@nobody",
        "/api/activities/68f126b0-1ceb-4a33-88be-d90fa7109eee",
        "/api/activities/nothing",
        "/api/message_groups",
        "/api/messages/@sam",
        "/api/messages/@nobody",
        "/api/recommendations",
        "/api/broken",
        "/api/busy",
        "/rollbar/test",
        "/api/twins/status/200",
        "/api/twins/status/404",
        "/api/twins/status/503",
        "/api/twins/status/9999",
        "/api/twins/boom",
        "/api/twins/boom-captured",
        "/api/twins/boom-chain",
        "/api/twins/boom-reraise",
        "/api/twins/caught",
        "/api/twins/downstream",
        "/api/twins/downstream/500",
        "/api/twins/downstream-refused",
        "/nope?password=secret",
    ] {
        reporting.get(path).await;
    }
    for (path, body) in [
        ("/api/activities", json!({ "message": "Hello" })),
        ("/api/activities", json!({ "message": "" })),
        ("/api/activities", json!("no object")),
        ("/api/activities/68f126b0-1ceb-4a33-88be-d90fa7109eee/reply", json!({ "message": "Hello" })),
        ("/api/activities/nothing/reply", json!({ "message": "Hello" })),
    ] {
        reporting.post(path, body).await;
    }

    let items = reporting.items().await;
    let double = reporting.app.daemon().unwrap().rollbar().stats();
    assert_eq!((double.warned, double.refused, double.duplicates), (0, 0, 0), "{double:?}");
    let mut told: Vec<_> = items
        .iter()
        .map(|item| (item.context.as_deref().unwrap_or("-"), &*item.level, &*item.message))
        .collect();
    // Several are sent at a time: they may overtake each other.
    told.sort_unstable();
    let database = "the database refused a query";
    let value = "bad \"quoted\" value";
    assert_eq!(
        told,
        [
            ("GET /api/broken", "error", database),
            ("GET /api/busy", "warning", "too many requests, come back in 1 s"),
            ("GET /api/twins/boom", "error", "boom at top"),
            ("GET /api/twins/boom-captured", "error", value),
            ("GET /api/twins/boom-chain", "error", value),
            ("GET /api/twins/boom-reraise", "error", value),
            ("GET /api/twins/caught", "error", value),
            (
                "GET /api/twins/downstream-refused",
                "error",
                "502 Bad Gateway GET /api/twins/downstream-refused"
            ),
            ("GET /api/twins/status/{code}", "error", "503 Service Unavailable GET /api/twins/status/{code}"),
            ("GET /rollbar/test", "warning", "Hello World!"),
        ]
    );
    let statistics = reporting.app.stop().await;
    assert_eq!(statistics.rollbar.sent, 10, "{statistics}");
    assert_eq!(statistics.daemon.unwrap().rollbar.occurrences, 10, "{statistics}");
}

#[tokio::test]
async fn the_original_s_test_route_reports_a_warning() {
    let reporting = Reporting::start().await;
    assert_eq!(reporting.get("/rollbar/test").await, StatusCode::OK);
    let items = reporting.items().await;
    assert_eq!(items.len(), 1);
    let data = &items[0].data;
    assert_eq!(
        (&data["level"], &data["body"]["message"]["body"]),
        (&json!("warning"), &json!("Hello World!"))
    );
    assert_eq!(data["request"]["method"], "GET");
    assert!(data["request"]["url"].as_str().unwrap().ends_with("/rollbar/test"), "{data}");
    reporting.app.stop().await;
}

#[tokio::test]
async fn an_item_knows_its_trace_and_the_trace_its_item() {
    let reporting = Reporting::start().await;
    for path in ["/api/broken", "/api/twins/boom-chain", "/rollbar/test"] {
        reporting.get(path).await;
        let item = reporting.items().await.pop().unwrap();
        let segment = reporting.document();
        assert_eq!(item.trace_id.as_deref(), segment["trace_id"].as_str(), "{path}");
        assert_eq!(item.segment_id.as_deref(), segment["id"].as_str(), "{path}");
        assert_eq!(segment["annotations"]["rollbar_uuid"], item.uuid, "{path}");
    }
    reporting.app.stop().await;
}

#[tokio::test]
async fn a_daemon_that_runs_already_gets_traces_and_reports() {
    let other =
        LocalDaemon::builder().udp("127.0.0.1:0").tcp("127.0.0.1:0").rollbar(Mode::Strict).start().unwrap();
    let (udp, tcp) = (other.udp_addr().to_string(), other.tcp_addr().unwrap().to_string());
    let settings = Settings {
        ports: Ports::Free,
        dynamic_naming: None,
        daemon: Daemon::InProcess(udp.clone()),
        rollbar: Rollbar::InProcess(tcp.clone()),
    };
    let app = cruddur::start(settings, |daemon| daemon).await.unwrap();
    assert_eq!((app.traces(), app.reports()), (&Destination::Taken(udp), &Destination::Taken(tcp)));
    assert!(app.daemon().is_none());
    let url = format!("http://{}/rollbar/test", app.backend());
    assert!(Client::new().get(url).send().await.unwrap().status().is_success());

    let statistics = app.stop().await;
    assert_eq!((statistics.rollbar.sent, statistics.rollbar.dropped()), (1, 0), "{statistics}");
    assert_eq!(other.rollbar().items()[0].title, "Hello World!");
    assert_eq!(other.shutdown().traces_shown, 1);
}

#[tokio::test]
async fn a_failure_has_its_causes_and_the_line_of_the_app() {
    let reporting = Reporting::start().await;
    reporting.get("/api/broken").await;
    let item = reporting.items().await.pop().unwrap();
    assert_eq!(item.class.as_deref(), Some("cruddur::error::ApiError"));
    assert_eq!(item.message, "the database refused a query");
    assert!(item.causes.iter().any(|(_, message)| message.contains("no such table: bookmarks")), "{item:?}");
    let place = item.user_frame.as_ref().unwrap();
    assert!(place.file.ends_with("src/trouble.rs"), "{place:?}");
    assert_eq!(place.method.as_deref(), Some("cruddur::trouble::bookmarked_activities"));
    reporting.app.stop().await;
}

//! What the app's requests leave behind: documents on a UDP socket, drawings from the daemon.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use std::io::{self, Write};
use std::net::UdpSocket;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use cruddur::load;
use cruddur::settings::{Daemon, Load, Ports, Rollbar, Settings};
use reqwest::Client;
use serde_json::{Value, json};

/// Long enough for a busy machine; every wait ends with the event, not with the time.
const PATIENCE: Duration = Duration::from_secs(20);

fn settings(daemon: Daemon) -> Settings {
    // X-Ray's own variables win over the settings, and a test cannot unset them.
    let set = std::env::vars_os().find(|(name, _)| name.to_string_lossy().starts_with("AWS_XRAY_"));
    assert_eq!(set, None, "unset this variable to run the tests");
    Settings { ports: Ports::Free, dynamic_naming: None, daemon, rollbar: Rollbar::Off }
}

/// The app, and a socket in the place of the daemon.
struct Traced {
    app: cruddur::App,
    socket: UdpSocket,
    client: Client,
}

impl Traced {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut settings = settings(Daemon::At(socket.local_addr().unwrap().to_string()));
        change(&mut settings);
        let app = cruddur::start(settings, |daemon| daemon).await.unwrap();
        Self { app, socket, client: Client::builder().user_agent("test/1").build().unwrap() }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.app.backend())
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    /// The next document.
    fn document(&self) -> Value {
        let mut packet = vec![0; 65_536];
        let length = self.socket.recv(&mut packet).unwrap();
        let text = std::str::from_utf8(&packet[..length]).unwrap();
        let (header, document) = text.split_once('\n').unwrap();
        let header: Value = serde_json::from_str(header).unwrap();
        assert_eq!(header, json!({ "format": "json", "version": 1 }));
        serde_json::from_str(document).unwrap()
    }

    /// The document of the request to `path`.
    async fn traced(&self, path: &str) -> Value {
        self.get(path).await.bytes().await.unwrap();
        self.document()
    }
}

/// The subsegments of an entity that are no calls of the database.
fn steps(entity: &Value) -> Vec<&Value> {
    let subsegments = entity["subsegments"].as_array().map(Vec::as_slice).unwrap_or_default();
    subsegments.iter().filter(|subsegment| subsegment.get("sql").is_none()).collect()
}

/// Their names.
fn names(entity: &Value) -> Vec<&str> {
    steps(entity).into_iter().map(|step| step["name"].as_str().unwrap()).collect()
}

/// What the database is asked in an entity and below it. Waits for the app's one connection may stand between.
fn queries(entity: &Value) -> Vec<&Value> {
    let subsegments = entity["subsegments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let own = subsegments.iter().filter(|subsegment| {
        subsegment.get("sql").is_some() && subsegment.pointer("/metadata/sql/operation").is_none()
    });
    own.chain(subsegments.iter().flat_map(queries)).collect()
}

#[tokio::test]
async fn notifications_show_the_captured_function_and_its_metadata() {
    let traced = Traced::start().await;
    let segment = traced.traced("/api/activities/notifications").await;

    assert_eq!(segment["name"], "Cruddur");
    assert_eq!(segment["http"]["request"]["url"], traced.url("/api/activities/notifications"));
    assert_eq!(segment["http"]["request"]["method"], "GET");
    assert_eq!(segment["http"]["request"]["user_agent"], "test/1");
    assert_eq!(segment["http"]["request"]["client_ip"], "127.0.0.1");
    assert_eq!(segment["http"]["response"]["status"], 200);
    assert_eq!(names(&segment), ["notifications-activities"]);
    let captured = &segment["subsegments"][0];
    assert_eq!(names(captured), ["mock_data"]);
    let seen = &steps(captured)[0]["metadata"]["namespace"]["key"];
    assert_eq!(seen["results-size"], 1);
    assert!(seen["now"].as_str().unwrap().ends_with("+00:00"), "{seen}");
    traced.app.stop().await;
}

/// A writer that hands on what is written, whole.
struct Pages(Sender<String>);

impl Write for Pages {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(String::from_utf8(bytes.to_vec()).unwrap()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is written up to the page that holds all `words`.
fn drawn(pages: &Receiver<String>, words: &[&str]) -> String {
    let mut text = String::new();
    while !words.iter().all(|word| text.contains(word)) {
        match pages.recv_timeout(PATIENCE) {
            Ok(page) => text.push_str(&page),
            Err(_) => panic!("one of {words:?} is missing in:\n{text}"),
        }
    }
    text
}

#[tokio::test]
async fn the_daemon_of_the_process_draws_the_trace() {
    let (sender, pages) = channel();
    let settings = settings(Daemon::InProcess("127.0.0.1:0".into()));
    let app =
        cruddur::start(settings, |daemon| daemon.print_waterfalls(Pages(sender.clone()))).await.unwrap();
    let url = format!("http://{}/api/activities/notifications", app.backend());
    assert!(Client::new().get(url).send().await.unwrap().status().is_success());

    drawn(&pages, &["Cruddur", "notifications-activities", "mock_data", "results-size"]);
    let statistics = app.stop().await;
    assert!(statistics.all_accounted_for());
    // The segment, the captured function, `mock_data` and two queries; a wait for the database may be one more.
    assert!(statistics.total(|stats| stats.sent) >= 5);
    assert_eq!(statistics.daemon.map(|daemon| daemon.traces_shown), Some(1));
}

#[tokio::test]
async fn the_trace_of_each_route_shows_its_sql() {
    let traced = Traced::start().await;
    for path in [
        "/api/health-check",
        "/api/activities/home",
        "/api/activities/notifications",
        "/api/activities/search?term=secret",
        "/api/activities/@ada",
        "/api/activities/nothing",
        "/api/message_groups",
        "/api/messages/@eve",
        "/api/broken",
    ] {
        let segment = traced.traced(path).await;
        let queries = queries(&segment);
        assert!(!queries.is_empty(), "{path}: {segment}");
        for query in queries {
            assert_eq!(
                (&query["name"], &query["namespace"]),
                (&json!(":memory:"), &json!("remote")),
                "{path}"
            );
            let text = query["sql"]["sanitized_query"].as_str().unwrap();
            assert!(text.starts_with("select ") && !text.contains("secret"), "{path}: {text}");
            assert!(query["sql"]["database_version"].is_string(), "{path}: {query}");
        }
    }
    let message = json!({ "message": "secret" });
    traced.client.post(traced.url("/api/activities")).json(&message).send().await.unwrap();
    let segment = traced.document();
    let create = steps(&segment)[0];
    let calls: Vec<_> = create["subsegments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| {
            call.pointer("/metadata/sql/operation")
                .or(call.pointer("/sql/sanitized_query"))
                .unwrap()
                .as_str()
                .unwrap()
        })
        .filter(|call| *call != "acquire")
        .map(|call| call.split(' ').next().unwrap())
        .collect();
    assert_eq!(calls, ["begin", "insert", "select", "commit"]);
    assert!(!segment.to_string().contains("secret"), "{segment}");
    traced.app.stop().await;
}

#[tokio::test]
async fn recommendations_cross_two_services() {
    let traced = Traced::start().await;
    traced.get("/api/recommendations").await.bytes().await.unwrap();
    let mut documents = [traced.document(), traced.document()];
    documents.sort_by_key(|document| document["name"] == "recommendations");
    let [caller, called] = documents;

    assert_eq!((&caller["name"], &called["name"]), (&json!("Cruddur"), &json!("recommendations")));
    assert_eq!(called["trace_id"], caller["trace_id"]);
    let call = steps(steps(&caller)[0])[0];
    assert_eq!((&call["name"], &call["namespace"]), (&json!("127.0.0.1"), &json!("remote")));
    assert_eq!(call["http"]["response"]["status"], 200);
    assert_eq!(called["parent_id"], call["id"]);
    assert_eq!(names(&called), ["rank-users"]);
    traced.app.stop().await;
}

#[tokio::test]
async fn a_fault_says_why_once() {
    let traced = Traced::start().await;
    let segment = traced.traced("/api/broken").await;
    assert_eq!((&segment["fault"], &segment["http"]["response"]["status"]), (&json!(true), &json!(500)));
    let captured = &segment["subsegments"][0];
    assert_eq!((&captured["name"], &captured["fault"]), (&json!("bookmarked-activities"), &json!(true)));
    let query = queries(captured)[0];
    let exceptions = query["cause"]["exceptions"].as_array().unwrap();
    assert!(
        exceptions.iter().any(|e| e["message"].as_str().unwrap().contains("no such table: bookmarks")),
        "{captured}"
    );
    // The captured function and the segment refer to the exception of the query.
    assert_eq!((&captured["cause"], &segment["cause"]), (&exceptions[0]["id"], &exceptions[0]["id"]));
    traced.app.stop().await;
}

#[tokio::test]
async fn an_error_that_crosses_two_captured_functions_is_told_once() {
    let traced = Traced::start().await;
    let segment = traced.traced("/api/twins/boom-chain").await;
    let outer = &segment["subsegments"][0];
    let inner = &outer["subsegments"][0];
    assert_eq!((&outer["name"], &inner["name"]), (&json!("outer"), &json!("inner-fails")));
    let exception = &inner["cause"]["exceptions"][0];
    assert_eq!(exception["message"], "bad \"quoted\" value");
    assert_eq!((&outer["cause"], &segment["cause"]), (&exception["id"], &exception["id"]));
    for entity in [&segment, outer, inner] {
        assert_eq!(entity["fault"], true);
    }
    traced.app.stop().await;
}

#[tokio::test]
async fn a_busy_service_is_a_throttle_and_no_fault() {
    let traced = Traced::start().await;
    let segment = traced.traced("/api/busy").await;
    assert_eq!(names(&segment), ["take-turn"]);
    for entity in [&segment, &segment["subsegments"][0]] {
        assert_eq!((&entity["throttle"], &entity["error"]), (&json!(true), &json!(true)), "{entity}");
        assert_eq!(entity.get("fault"), None, "{entity}");
    }
    traced.app.stop().await;
}

#[tokio::test]
async fn a_mistake_of_the_caller_is_an_error_and_no_fault() {
    let traced = Traced::start().await;
    for path in ["/api/activities/@nobody", "/api/activities/search", "/nope"] {
        let segment = traced.traced(path).await;
        assert_eq!((&segment["error"], segment.get("fault")), (&json!(true), None), "{path}: {segment}");
    }
    traced.app.stop().await;
}

#[tokio::test]
async fn a_call_that_is_refused_is_a_fault_of_the_call() {
    let traced = Traced::start().await;
    let segment = traced.traced("/api/twins/downstream-refused").await;
    assert_eq!((&segment["fault"], segment.get("cause")), (&json!(true), None));
    let call = &segment["subsegments"][0];
    assert_eq!((&call["namespace"], &call["fault"]), (&json!("remote"), &json!(true)));
    assert_eq!(call["http"]["request"]["url"], "http://127.0.0.1:9/none");
    assert_eq!(call["http"].get("response"), None);
    assert!(call["cause"]["exceptions"][0]["message"].is_string(), "{call}");
    traced.app.stop().await;
}

#[tokio::test]
async fn segments_are_named_after_the_host_that_matches() {
    let traced = Traced::start_with(|settings| settings.dynamic_naming = Some("*127.0.0.1*".into())).await;
    let segment = traced.traced("/api/activities/home").await;
    assert_eq!(segment["name"], traced.app.backend().to_string());
    let other = traced.client.get(traced.url("/api/activities/home")).header("host", "other.example");
    other.send().await.unwrap();
    assert_eq!(traced.document()["name"], "Cruddur");
    traced.app.stop().await;
}

#[tokio::test]
async fn the_callers_trace_goes_on_and_its_decision_holds() {
    let traced = Traced::start().await;
    let root = "1-5759e988-bd862e3fe1be46a994272793";
    for sampled in ["0", "1"] {
        let header = format!("Root={root};Parent=53995c3f42cd8ad8;Sampled={sampled}");
        let request = traced.client.get(traced.url("/api/activities/home")).header("x-amzn-trace-id", header);
        let response = request.send().await.unwrap();
        let answered = response.headers()["x-amzn-trace-id"].to_str().unwrap();
        assert!(answered.contains(root), "{answered}");
    }
    // Only the second was sampled.
    let segment = traced.document();
    assert_eq!((&segment["trace_id"], &segment["parent_id"]), (&json!(root), &json!("53995c3f42cd8ad8")));
    let Traced { app, socket, .. } = traced;
    assert_eq!(app.stop().await.total(|stats| stats.documents_sent), 1);
    drop(socket);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_under_load_that_is_not_counted() {
    let mut settings = settings(Daemon::InProcess("127.0.0.1:0".into()));
    settings.rollbar = Rollbar::InProcess("127.0.0.1:0".into());
    let app = cruddur::start(settings, |daemon| daemon).await.unwrap();
    let load = Load { clients: 8, duration: Duration::from_secs(1) };
    // A busy machine may not come to a call that fails within the second.
    let failing = reqwest::get(format!("http://{}/rollbar/test", app.backend())).await.unwrap();
    assert_eq!(failing.status(), 200);
    let tally = load::run(app.backend(), load).await.unwrap();
    // The end does not wait for symbols that a busy machine takes long to read.
    assert_eq!(app.rollbar().flush_async(PATIENCE).await.pending, 0);
    let statistics = app.stop().await;

    assert_eq!((tally.answered, tally.wrong, tally.failed), (tally.requests(), 0, 0));
    assert!(tally.requests() >= 8);
    assert!(statistics.all_accounted_for(), "{statistics}");
    // A segment for each request, and one more for each that called the second service.
    assert!(statistics.total(|stats| stats.segments) >= tally.requests(), "{statistics}");
    let daemon = statistics.daemon.unwrap();
    assert_eq!(daemon.rejected.total(), 0);
    let reports = statistics.rollbar;
    assert!(reports.reported > 0, "{statistics}");
    assert_eq!(reports.reported, reports.sent + reports.coalesced + reports.dropped(), "{statistics}");
    assert_eq!(daemon.rollbar.occurrences, reports.sent, "{statistics}");
    let sent = statistics.total(|stats| stats.documents_sent);
    assert_eq!(daemon.received + statistics.lost_on_the_way().unwrap(), sent);
    assert_eq!(daemon.received, daemon.documents + daemon.dropped.queue_full);
}

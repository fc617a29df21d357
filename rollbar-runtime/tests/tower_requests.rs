//! What requests that fail leave at Rollbar: real axum servers on loopback, and services called directly.

#![allow(clippy::unwrap_used)] // Not only in the tests themselves.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderValue, Request, Response, StatusCode};
use axum::routing::{get, post};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use rollbar_runtime::item::Person;
use rollbar_runtime::{
    Captured, FutureExt, IpPolicy, Level, Report, Rollbar, RollbarLayer, Scope, current_scope, in_scope,
    report_error, report_message, rollbar_report,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, Service, ServiceExt, service_fn};

/// Serves on loopback until the test's runtime ends.
async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// Sends these bytes, and gives all that comes back.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A body that is cut off may end in a reset.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn request(path: &str) -> Request<Body> {
    Request::get(format!("http://example.com{path}")).body(Body::empty()).unwrap()
}

/// The status and the body of the answer.
async fn answer(router: &Router, request: Request<Body>) -> (StatusCode, String) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[rollbar_report]
fn parse(text: &str) -> Result<u32, std::num::ParseIntError> {
    text.parse()
}

#[rollbar_report]
async fn reported(Path(id): Path<String>) -> Response<Body> {
    let failed = parse(&id).is_err();
    let status = if failed { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
    Response::builder().status(status).body(Body::empty()).unwrap()
}

#[rollbar_report(capture(id))]
async fn annotated_panic(id: u32) {
    tokio::task::yield_now().await;
    panic!("no user {id}");
}

async fn status(Path(code): Path<u16>) -> StatusCode {
    StatusCode::from_u16(code).unwrap()
}

fn router() -> Router {
    let nested = Router::new().route("/users/{id}", get(async || StatusCode::BAD_GATEWAY));
    Router::new()
        .route("/status/{code}", get(status).post(status))
        .route("/panic/{id}", get(async |Path(id): Path<u32>| assert!(id != 7, "no user {id}")))
        .route("/annotated/{id}", get(async |Path(id): Path<u32>| annotated_panic(id).await))
        .route("/reported/{id}", get(reported))
        .route("/message", get(async || report_message("note", Level::Info).map_or("none", |_| "some")))
        .nest("/v1", nested)
}

fn reporting(change: impl FnOnce(RollbarLayer) -> RollbarLayer) -> (Router, Captured) {
    let (rollbar, captured) = Rollbar::in_memory();
    (router().layer(change(RollbarLayer::with_client(&rollbar))), captured)
}

fn only(captured: &Captured) -> Value {
    let json = captured.only().json().clone();
    captured.clear();
    json
}

#[tokio::test]
async fn an_item_tells_of_its_request() {
    let (router, captured) = reporting(|layer| layer);
    let address = serve(router).await;
    let request = "GET /status/503?user=a+b&x=1&x=2&token=secret HTTP/1.1\r\nHost: shop.example\r\n\
         Cookie: session=secret\r\nX-Request-Id: 1\r\nX-Request-Id: 2\r\nConnection: close\r\n\
         Baggage: a=b, rollbar.session.id=s1\r\nBaggage: rollbar.execution.scope.id=e1\r\n\r\n";
    let answer = exchange(address, request).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let item = captured.only();
    assert_eq!(item.level(), Level::Error);
    assert_eq!(item.message(), Some("503 Service Unavailable GET /status/{code}"));
    let item = item.json();
    assert_eq!(item["context"], "GET /status/{code}");
    assert_eq!(item["fingerprint"], "503 GET /status/{code}");
    assert_eq!(item["framework"], "axum");
    assert_eq!(item["custom"]["status"], 503);
    let expected = json!({
        "method": "GET",
        "url": "http://shop.example/status/503?user=a+b&x=1&x=2&token=********",
        "headers": {
            "host": "shop.example",
            "cookie": "********",
            "x-request-id": ["1", "2"],
            "connection": "close",
            "baggage": ["a=b, rollbar.session.id=s1", "rollbar.execution.scope.id=e1"],
        },
        "params": {"code": "503"},
        "GET": {"user": "a b", "x": ["1", "2"], "token": "********"},
        "query_string": "user=a+b&x=1&x=2&token=********",
        "user_ip": "127.0.0.1",
    });
    assert_eq!(item["request"], expected);
    let attributes =
        json!([{"key": "session_id", "value": "s1"}, {"key": "execution_scope_id", "value": "e1"}]);
    assert_eq!(item["attributes"], attributes);
}

#[tokio::test]
async fn the_session_of_a_request_goes_on_to_other_services() {
    let (rollbar, _) = Rollbar::in_memory();
    let told = get(async || current_scope().baggage().unwrap_or_default());
    let router = Router::new().route("/", told).layer(RollbarLayer::with_client(&rollbar));
    let mut with_session = request("/");
    with_session.headers_mut().insert("baggage", "a=b, rollbar.session.id=s1".parse().unwrap());
    assert_eq!(answer(&router, with_session).await.1, "rollbar.session.id=s1");
    assert_eq!(answer(&router, request("/")).await.1, "");
}

#[tokio::test]
async fn answers_of_the_fifth_kind_are_items_and_no_others() {
    let (router, captured) = reporting(|layer| layer.expect_status(StatusCode::SERVICE_UNAVAILABLE));
    for code in [200, 302, 400, 404, 429, 499, 503] {
        assert_eq!(answer(&router, request(&format!("/status/{code}"))).await.0.as_u16(), code);
        assert!(captured.items().is_empty(), "{code}");
    }
    for (path, message) in [
        ("/status/500", "500 Internal Server Error GET /status/{code}"),
        ("/status/599", "599 Server Error GET /status/{code}"),
        ("/v1/users/7?a=1", "502 Bad Gateway GET /v1/users/{id}"),
    ] {
        answer(&router, request(path)).await;
        let item = only(&captured);
        assert_eq!(item["body"]["message"]["body"], message);
        assert!(item["request"]["url"].as_str().unwrap().ends_with(path), "{item}");
    }
    let post = Request::post("/status/500").body(Body::empty()).unwrap();
    answer(&router, post).await;
    let item = only(&captured);
    assert_eq!(item["context"], "POST /status/{code}");
    assert_eq!(item["request"]["url"], "/status/500", "nothing tells the host");
    assert_eq!(item["request"].get("user_ip"), None);
    // Not the one before it.
    answer(&router, request("/message")).await;
    assert_eq!(only(&captured)["context"], "GET /message");
}

#[tokio::test]
async fn an_error_that_was_reported_and_its_answer_are_one_item() {
    let (router, captured) = reporting(|layer| layer);
    assert_eq!(answer(&router, request("/reported/seven")).await.0, 500);
    let item = captured.only();
    assert_eq!(item.class(), Some("core::num::error::ParseIntError"));
    assert_eq!(item.json()["context"], "GET /reported/{id}");

    let handler = async |Path(how): Path<String>| {
        let error = io::Error::other("gone");
        match how.as_str() {
            "message" => _ = report_message("note", Level::Warning),
            "nested" => in_scope(&Scope::new(), || _ = report_error(&error)),
            "warning" => _ = Report::error(&error).level(Level::Warning).send(),
            "task" => rollbar_runtime::spawn(async move { _ = report_error(&error) }).await.unwrap(),
            _ => {}
        }
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let (rollbar, captured) = Rollbar::in_memory();
    let router = Router::new().route("/{how}", get(handler)).layer(RollbarLayer::with_client(&rollbar));
    // A message below `error` says nothing of the answer.
    for (path, items) in
        [("/none", 1), ("/message", 2), ("/nested", 1), ("/warning", 1), ("/task", 1), ("/none", 1)]
    {
        answer(&router, request(path)).await;
        assert_eq!(captured.items().len(), items, "{path}");
        captured.clear();
    }
}

#[tokio::test]
async fn a_panic_is_answered_and_is_one_item() {
    let (router, captured) = reporting(|layer| layer);
    let address = serve(router).await;
    for path in ["/panic/7", "/annotated/7"] {
        let answer = exchange(
            address,
            &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        assert!(answer.ends_with("\r\n\r\nInternal Server Error"), "{answer}");
        assert!(answer.contains("content-length: 21\r\n"), "{answer}");
        let item = captured.only();
        captured.clear();
        assert_eq!(
            (item.level(), item.class(), item.message()),
            (Level::Critical, Some("panic"), Some("no user 7"))
        );
        let (file, _, _) = item.place().unwrap();
        assert!(file.ends_with("tests/tower_requests.rs"), "{file}");
        assert_eq!(item.json()["request"]["params"], json!({"id": "7"}));
        let context = item.json()["context"].as_str().unwrap().to_owned();
        assert_eq!(context, format!("GET {}", path.replace('7', "{id}")));
    }
}

#[tokio::test]
async fn a_panic_goes_on_where_it_is_not_to_be_answered() {
    let (router, captured) = reporting(|layer| layer.catch_panics(false));
    let served = tokio::spawn(router.oneshot(request("/panic/7"))).await;
    assert!(served.unwrap_err().is_panic());
    assert_eq!(captured.only().message(), Some("no user 7"));
}

/// The hook does not see a panic that goes on from where it was caught.
#[tokio::test]
async fn a_panic_that_the_hook_has_not_seen_is_reported_from_its_payload() {
    let (rollbar, captured) = Rollbar::in_memory();
    let resumes = async |Path(how): Path<String>| -> StatusCode {
        let error: Box<dyn std::error::Error + Send + Sync> = "of an error".into();
        match how.as_str() {
            "text" => std::panic::resume_unwind(Box::new("resumed")),
            "string" => std::panic::resume_unwind(Box::new("resumed".to_owned())),
            "error" => std::panic::resume_unwind(Box::new(error)),
            "number" => std::panic::resume_unwind(Box::new(7)),
            "again" => {
                let payload = std::panic::catch_unwind(|| panic!("once")).unwrap_err();
                std::panic::resume_unwind(payload)
            }
            _ => {
                let payload =
                    rollbar_runtime::spawn(async { panic!("in a task") }).await.unwrap_err().into_panic();
                std::panic::resume_unwind(payload)
            }
        }
    };
    let router = Router::new().route("/{how}", get(resumes)).layer(RollbarLayer::with_client(&rollbar));
    for (path, message) in [
        ("/text", "resumed"),
        ("/string", "resumed"),
        ("/error", "of an error"),
        ("/number", "(the payload of the panic is no text)"),
        ("/again", "once"),
        ("/task", "in a task"),
    ] {
        assert_eq!(answer(&router, request(path)).await.0, 500);
        let item = captured.only();
        captured.clear();
        assert_eq!(
            (item.level(), item.class(), item.message()),
            (Level::Critical, Some("panic"), Some(message))
        );
        assert_eq!(item.json()["context"], "GET /{how}");
    }
    let (quiet, none) = Rollbar::builder().panics(false).in_memory();
    let router = Router::new().route("/{how}", get(resumes)).layer(RollbarLayer::with_client(&quiet));
    assert_eq!(answer(&router, request("/text")).await.0, 500);
    assert!(none.items().is_empty());
}

#[tokio::test]
async fn a_service_that_panics_before_it_has_a_future_is_answered_too() {
    let (rollbar, captured) = Rollbar::in_memory();
    let panics = service_fn(|request: Request<()>| {
        assert!(request.uri().path() != "/7", "no seven");
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"fine")))))
    });
    let mut service = RollbarLayer::with_client(&rollbar).layer(panics);
    for (path, status) in [("/7", 500), ("/8", 200)] {
        let request = Request::get(path).body(()).unwrap();
        let response = service.ready().await.unwrap().call(request).await.unwrap();
        assert_eq!(response.status(), status);
    }
    let item = captured.only();
    assert_eq!(item.message(), Some("no seven"));
    assert_eq!((&item.json()["framework"], item.json().get("context")), (&json!("tower"), None));
}

#[tokio::test]
async fn without_a_route_answers_are_grouped_by_rollbar() {
    let (rollbar, captured) = Rollbar::in_memory();
    let service = RollbarLayer::with_client(&rollbar).layer(service_fn(async |_: Request<()>| {
        let response = Response::builder().status(500).body(Full::new(Bytes::new()));
        Ok::<_, Infallible>(response.unwrap())
    }));
    service.oneshot(Request::get("/users/1234?a=1").body(()).unwrap()).await.unwrap();
    let item = only(&captured);
    assert_eq!(item["body"]["message"]["body"], "500 Internal Server Error GET /users/1234");
    assert_eq!((item.get("fingerprint"), item.get("context")), (None, None));
}

#[tokio::test]
async fn an_error_of_the_service_is_an_item() {
    #[derive(Debug)]
    struct Opaque;
    let (rollbar, captured) = Rollbar::in_memory();
    let layer = RollbarLayer::with_client(&rollbar);
    let request = || Request::get("/").body(()).unwrap();
    type Answer = Response<Full<Bytes>>;
    let service = layer.layer(service_fn(async |_: Request<()>| Err::<Answer, _>(io::Error::other("gone"))));
    assert_eq!(service.oneshot(request()).await.unwrap_err().to_string(), "gone");
    let boxed: fn() -> Box<dyn std::error::Error + Send + Sync> = || io::Error::other("boxed").into();
    let service = layer.layer(service_fn(async |_: Request<()>| Err::<Answer, _>(boxed())));
    service.oneshot(request()).await.unwrap_err();
    let service = layer.layer(service_fn(async |_: Request<()>| Err::<Answer, _>(Opaque)));
    service.oneshot(request()).await.unwrap_err();
    let told: Vec<_> = captured
        .items()
        .iter()
        .map(|item| (item.class().unwrap().to_owned(), item.message().unwrap().to_owned()))
        .collect();
    assert_eq!(told.len(), 3);
    assert_eq!(told[0], ("std::io::error::Error".to_owned(), "gone".to_owned()));
    assert_eq!(told[1].1, "boxed");
    assert!(told[2].0.ends_with("::Opaque") && told[2].1 == "the service returned an error", "{told:?}");
}

/// A body that gives one frame, lets it be sent, and then does this.
struct Then<F>(Option<F>, u32);

impl<F: FnOnce() -> Option<Result<Frame<Bytes>, io::Error>> + Unpin> http_body::Body for Then<F> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.1 += 1;
        match self.1 {
            1 => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"begin "))))),
            2 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ => Poll::Ready(self.0.take().and_then(|then| then())),
        }
    }
}

#[tokio::test]
async fn the_body_is_served_in_the_scope_and_fails_with_an_item() {
    async fn body(Path(how): Path<String>) -> Response<Body> {
        current_scope().put_custom("how", how.as_str());
        Response::new(Body::new(Then(
            Some(move || match how.as_str() {
                "panic" => panic!("no more"),
                "error" => Some(Err(io::Error::other("disk gone"))),
                _ => {
                    report_message("streaming", Level::Info);
                    None
                }
            }),
            0,
        )))
    }
    let (rollbar, captured) = Rollbar::in_memory();
    let router = Router::new().route("/{how}", get(body)).layer(RollbarLayer::with_client(&rollbar));
    let address = serve(router.clone()).await;
    for (how, message) in [("panic", "no more"), ("error", "disk gone"), ("fine", "streaming")] {
        let request = format!("GET /{how} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answer = exchange(address, &request).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains("begin "), "{answer}");
        // The last chunk says that the body is whole.
        assert_eq!(answer.ends_with("0\r\n\r\n"), how == "fine", "{answer}");
        let item = captured.only();
        assert_eq!(item.message(), Some(message));
        assert_eq!(item.json()["custom"]["how"], how);
        assert_eq!(item.json()["context"], "GET /{how}");
        captured.clear();
    }
    let response = router.oneshot(request("/panic")).await.unwrap();
    let error = response.into_body().collect().await.unwrap_err();
    assert_eq!(error.to_string(), "the body of the response panicked");
}

#[tokio::test]
async fn each_request_has_its_own_scope_below_that_of_the_client() {
    let (rollbar, captured) = Rollbar::in_memory();
    rollbar.root_scope().put_custom("app", "shop");
    let handler = async |Path(id): Path<u32>| {
        current_scope().set_person(Some(Person::new(id)));
        tokio::task::yield_now().await;
        rollbar_runtime::spawn(async { _ = report_message("hello", Level::Info) }).await.unwrap();
    };
    let router = Router::new().route("/{id}", get(handler)).layer(RollbarLayer::with_client(&rollbar));
    let calls: Vec<_> =
        (0..20).map(|id| tokio::spawn(router.clone().oneshot(request(&format!("/{id}"))))).collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    let items = captured.items();
    assert_eq!(items.len(), 20);
    for item in items {
        let json = item.json();
        assert_eq!(json["person"]["id"], json["request"]["params"]["id"]);
        assert_eq!(json["custom"]["app"], "shop");
    }
    rollbar.enter(|| report_message("outside", Level::Info));
    assert_eq!(captured.items().last().unwrap().json().get("person"), None);
}

#[tokio::test]
async fn the_client_is_the_one_in_force() {
    let (made, at_layer) = Rollbar::in_memory();
    let (here, at_call) = Rollbar::in_memory();
    let router = made.enter(|| router().layer(RollbarLayer::new()));
    answer(&router, request("/status/500")).await;
    assert_eq!(at_layer.items().len(), 1);
    here.enter(|| router.clone().oneshot(request("/status/500")).in_current_scope()).await.unwrap();
    assert_eq!((at_layer.items().len(), at_call.items().len()), (1, 1));
    // Without a client requests pass, and panics are answered.
    let router = self::router().layer(RollbarLayer::new());
    assert_eq!(
        answer(&router, request("/panic/7")).await,
        (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error".to_owned())
    );
    assert_eq!(answer(&router, request("/message")).await.1, "none");
    let (off, none) = Rollbar::builder().enabled(false).in_memory();
    let router = self::router().layer(RollbarLayer::with_client(&off));
    assert_eq!(answer(&router, request("/status/500")).await.0, 500);
    assert!(none.items().is_empty());
}

#[tokio::test]
async fn what_the_scope_says_stands_before_what_the_layer_knows() {
    let (rollbar, captured) = Rollbar::in_memory();
    let handler = async || {
        let scope = current_scope();
        scope.set_context(Some("checkout"));
        scope.set_fingerprint(Some("mine"));
        scope.set_framework(Some("own"));
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let router = Router::new().route("/a", get(handler)).layer(RollbarLayer::with_client(&rollbar));
    answer(&router, request("/a")).await;
    let item = only(&captured);
    assert_eq!(
        (&item["context"], &item["fingerprint"], &item["framework"]),
        (&json!("checkout"), &json!("mine"), &json!("own"))
    );
}

#[tokio::test]
async fn two_layers_are_one_item() {
    let (rollbar, captured) = Rollbar::in_memory();
    let layer = RollbarLayer::with_client(&rollbar);
    let router = router().layer(layer.clone()).layer(layer);
    for path in ["/status/500", "/panic/7"] {
        assert_eq!(answer(&router, request(path)).await.0, 500);
        captured.only();
        captured.clear();
    }
}

#[tokio::test]
async fn the_address_of_the_client() {
    async fn told(policy: IpPolicy, hops: Option<usize>, headers: &[(&'static str, &'static str)]) -> Value {
        let (rollbar, captured) = Rollbar::builder().user_ip(policy).in_memory();
        let layer = RollbarLayer::with_client(&rollbar);
        let layer = match hops {
            Some(hops) => layer.trusted_hops(hops),
            None => layer,
        };
        let mut request = request("/status/500");
        request.extensions_mut().insert(SocketAddr::from(([10, 1, 2, 3], 443)));
        for (name, value) in headers {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        answer(&router().layer(layer), request).await;
        only(&captured)["request"].clone()
    }
    let forwarded = &[("x-forwarded-for", "1.1.1.1, 2.2.2.2"), ("x-forwarded-for", "3.3.3.3")];
    for (policy, hops, headers, expected) in [
        (IpPolicy::Full, None, &forwarded[..], Some("1.1.1.1")),
        (IpPolicy::Full, Some(0), forwarded, Some("10.1.2.3")),
        (IpPolicy::Full, Some(1), forwarded, Some("3.3.3.3")),
        (IpPolicy::Full, Some(2), forwarded, Some("2.2.2.2")),
        (IpPolicy::Full, Some(4), forwarded, Some("10.1.2.3")),
        (IpPolicy::Full, None, &[], Some("10.1.2.3")),
        (IpPolicy::Full, None, &[("x-real-ip", "4.4.4.4")], Some("4.4.4.4")),
        (IpPolicy::Full, Some(1), &[("x-real-ip", "4.4.4.4")], Some("10.1.2.3")),
        (IpPolicy::Full, None, &[("x-forwarded-for", "unknown")], Some("10.1.2.3")),
        (IpPolicy::Anonymize, None, forwarded, Some("1.1.1.0")),
        (IpPolicy::Anonymize, None, &[], Some("10.1.2.0")),
        (IpPolicy::Off, None, forwarded, None),
    ] {
        let request = told(policy, hops, headers).await;
        assert_eq!(
            request.get("user_ip").and_then(Value::as_str),
            expected,
            "{policy:?} {hops:?} {headers:?}"
        );
        let text = request.to_string();
        assert_eq!(
            text.contains("x-forwarded-for") || text.contains("x-real-ip"),
            policy == IpPolicy::Full && !headers.is_empty(),
            "{text}"
        );
    }
}

#[tokio::test]
async fn behind_a_proxy_the_address_is_the_one_outside() {
    for (layer, expected) in [
        (RollbarLayer::new(), "http://inside:80/status/500"),
        (RollbarLayer::new().scheme("https"), "https://inside:80/status/500"),
        (RollbarLayer::new().forwarded(true), "https://shop.example/status/500"),
    ] {
        let (rollbar, captured) = Rollbar::in_memory();
        let request = Request::get("/status/500")
            .header("host", "inside:80")
            .header("x-forwarded-host", "shop.example, inside")
            .header("x-forwarded-proto", "https,http")
            .body(Body::empty())
            .unwrap();
        rollbar.enter(|| router().layer(layer).oneshot(request).in_current_scope()).await.unwrap();
        assert_eq!(only(&captured)["request"]["url"], expected);
    }
}

#[tokio::test]
async fn a_request_of_any_size_is_told_within_bounds() {
    let (router, captured) = reporting(|layer| layer);
    let long = "é".repeat(5_000);
    let query: String = (0..200).map(|n| format!("k{n}=v&")).collect();
    let mut request = request(&format!("/status/500?{query}long={}", "x".repeat(20_000)));
    for n in 0..200u32 {
        let name = axum::http::HeaderName::try_from(format!("x-{n}")).unwrap();
        request.headers_mut().insert(name, HeaderValue::from_bytes(long.as_bytes()).unwrap());
    }
    let mut secret = HeaderValue::from_static("hidden by the program");
    secret.set_sensitive(true);
    request.headers_mut().insert("x-0", secret);
    request.headers_mut().insert("x-1", HeaderValue::from_bytes(b"\xff\x80").unwrap());
    answer(&router, request).await;
    let item = only(&captured);
    let headers = item["request"]["headers"].as_object().unwrap();
    assert_eq!(headers.len(), 64);
    assert_eq!(headers["x-2"].as_str().unwrap().chars().count(), 1024);
    assert_eq!((&headers["x-0"], &headers["x-1"]), (&json!("********"), &json!("\u{fffd}\u{fffd}")));
    assert_eq!(item["request"]["GET"].as_object().unwrap().len(), 64);
    assert_eq!(item["request"]["query_string"].as_str().unwrap().len(), 4096);
    assert_eq!(item["request"]["url"].as_str().unwrap().len(), 4096);
}

#[tokio::test]
async fn the_body_is_told_where_it_is_asked_for() {
    async fn reads(body: Bytes) -> StatusCode {
        assert!(!body.is_empty());
        StatusCode::INTERNAL_SERVER_ERROR
    }
    let (rollbar, captured) = Rollbar::in_memory();
    let router = || {
        Router::new()
            .route("/read", post(reads))
            .route("/unread", post(async || StatusCode::INTERNAL_SERVER_ERROR))
    };
    let capturing = router().layer(RollbarLayer::with_client(&rollbar).capture_body(40));
    let sent = |path: &str, content_type: &str, body: &'static [&'static str]| {
        Request::post(path).header("content-type", content_type).body(Body::new(Frames(body.iter()))).unwrap()
    };
    for (content_type, body, key, expected) in [
        (
            "application/json",
            &["{\"name\":\"a\",", "\"password\":\"b\"}"][..],
            "json",
            json!({"name": "a", "password": "********"}),
        ),
        (
            "application/x-www-form-urlencoded",
            &["password=b&name=a"],
            "POST",
            json!({"name": "a", "password": "********"}),
        ),
        ("text/plain", &["some ", "text"], "body", json!("some text")),
        (
            "application/json",
            &["[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18]"],
            "body",
            json!("(JSON that is not whole: 40 of 46 bytes)"),
        ),
    ] {
        assert_eq!(answer(&capturing, sent("/read", content_type, body)).await.0, 500);
        assert_eq!(only(&captured)["request"][key], expected);
    }
    for (router, request) in [
        (&capturing, sent("/unread", "text/plain", &["unread"])),
        (&capturing, sent("/read", "image/png", &["png"])),
        (
            &router().layer(RollbarLayer::with_client(&rollbar)),
            sent("/read", "text/plain", &["not asked for"]),
        ),
    ] {
        assert_eq!(answer(router, request).await.0, 500);
        let item = only(&captured);
        for key in ["json", "POST", "body"] {
            assert_eq!(item["request"].get(key), None);
        }
    }
}

/// A body of these frames.
struct Frames(std::slice::Iter<'static, &'static str>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes())))))
    }
}

/// A client that goes away: what is dropped with the handler belongs to its request.
#[tokio::test]
async fn what_a_destructor_reports_belongs_to_the_request() {
    struct Reports;
    impl Drop for Reports {
        fn drop(&mut self) {
            report_message("dropped", Level::Warning);
        }
    }
    let (rollbar, captured) = Rollbar::in_memory();
    let router = Router::new()
        .route(
            "/wait",
            get(async || {
                let _reports = Reports;
                std::future::pending::<()>().await;
            }),
        )
        .layer(RollbarLayer::with_client(&rollbar));
    let mut call = Box::pin(router.oneshot(request("/wait")));
    assert!(std::future::poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_pending())).await);
    drop(call);
    assert_eq!(only(&captured)["context"], "GET /wait");
}

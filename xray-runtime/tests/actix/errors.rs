//! Errors of handlers, extractors and middleware, and the route that was taken.

use std::error::Error;
use std::fmt;

use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use actix_web::{App, HttpResponse, ResponseError, guard, test, web};
use serde_json::{Value, json};
use xray_runtime::{Captured, Recorder, StatusFlags, XRayActix, xray_capture};

use crate::server::{get, header, serve};

#[derive(Debug)]
struct NoSuchUser {
    status: u16,
}

impl fmt::Display for NoSuchUser {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "no such user ({})", self.status)
    }
}

impl Error for NoSuchUser {}

impl ResponseError for NoSuchUser {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap()
    }
}

#[xray_capture(error = "ignore")]
async fn find(status: u16) -> Result<&'static str, NoSuchUser> {
    Err(NoSuchUser { status })
}

/// `fault` by the attribute, whatever the status says.
#[xray_capture]
async fn find_or_fault(status: u16) -> Result<&'static str, NoSuchUser> {
    Err(NoSuchUser { status })
}

async fn fails(status: web::Path<u16>) -> Result<&'static str, NoSuchUser> {
    Err(NoSuchUser { status: *status })
}

async fn boxed() -> Result<&'static str, Box<dyn Error>> {
    Err(anyhow::anyhow!("the disk is gone").context("cannot load").into())
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/fails/{status}", web::get().to(fails))
        .route(
            "/captured/{status}",
            web::get().to(async |status: web::Path<u16>| find_or_fault(*status).await),
        )
        .route("/ignored/{status}", web::get().to(async |status: web::Path<u16>| find(*status).await))
        .route("/boxed", web::get().to(boxed));
}

fn flags(document: &Value) -> [bool; 3] {
    ["error", "throttle", "fault"].map(|flag| document.get(flag) == Some(&true.into()))
}

/// Types and messages.
fn exceptions(document: &Value) -> Vec<(&str, &str)> {
    let exceptions = document["cause"]["exceptions"].as_array().map(Vec::as_slice).unwrap_or_default();
    exceptions
        .iter()
        .map(|exception| (exception["type"].as_str().unwrap(), exception["message"].as_str().unwrap()))
        .collect()
}

fn only(captured: &Captured) -> Value {
    let documents = captured.documents();
    assert_eq!(documents.len(), 1, "{documents:?}");
    captured.clear();
    documents[0].clone()
}

#[tokio::test]
async fn the_error_of_a_handler_has_the_flags_of_its_status() {
    let (recorder, captured) = Recorder::in_memory();
    let served = serve(XRayActix::with_recorder(&recorder), routes);
    for (status, expected) in
        [(404, [true, false, false]), (429, [true, true, false]), (500, [false, false, true])]
    {
        let answer = get(served.address, &format!("/fails/{status}")).await;
        let message = format!("no such user ({status})");
        assert!(answer.ends_with(&message), "{answer}");
        let document = only(&captured);
        assert_eq!(flags(&document), expected, "{status}");
        assert_eq!(exceptions(&document), [("NoSuchUser", message.as_str())]);
        assert_eq!(
            document["http"]["response"],
            json!({ "status": status, "content_length": message.len() })
        );
        assert_eq!(document["annotations"], json!({ "route": "/fails/{status}" }));
    }
    // A redirect is no failure.
    get(served.address, "/fails/302").await;
    let document = only(&captured);
    assert_eq!((flags(&document), document.get("cause")), ([false; 3], None));
}

#[tokio::test]
async fn what_a_captured_function_has_recorded_is_not_recorded_again() {
    let (recorder, captured) = Recorder::in_memory();
    let served = serve(XRayActix::with_recorder(&recorder), routes);
    get(served.address, "/captured/500").await;
    let document = only(&captured);
    let below = &document["subsegments"][0];
    assert_eq!(flags(&document), [false, false, true]);
    let [(kind, message)] = exceptions(below)[..] else { panic!("{below}") };
    assert!(kind.ends_with("NoSuchUser"), "{kind}");
    assert_eq!(message, "no such user (500)");
    assert_eq!(document["cause"], below["cause"]["exceptions"][0]["id"], "a reference, {document}");

    // What the attribute was told to ignore, the response tells.
    get(served.address, "/ignored/500").await;
    let document = only(&captured);
    assert_eq!(document["subsegments"][0].get("cause"), None);
    assert_eq!(exceptions(&document), [("NoSuchUser", "no such user (500)")]);
}

#[tokio::test]
async fn an_error_in_a_box_has_its_chain() {
    let (recorder, captured) = Recorder::in_memory();
    let served = serve(XRayActix::with_recorder(&recorder), routes);
    get(served.address, "/boxed").await;
    let document = only(&captured);
    let messages: Vec<_> = exceptions(&document).into_iter().map(|(_, message)| message).collect();
    assert_eq!(messages, ["cannot load", "the disk is gone"]);
    assert_eq!(flags(&document), [false, false, true]);
}

#[tokio::test]
async fn an_extractor_that_fails_is_the_callers_error() {
    let (recorder, captured) = Recorder::in_memory();
    let served = serve(XRayActix::with_recorder(&recorder), routes);
    get(served.address, "/fails/seven").await;
    let document = only(&captured);
    assert_eq!(
        (flags(&document), &document["http"]["response"]["status"]),
        ([true, false, false], &404.into())
    );
    assert_eq!(exceptions(&document).len(), 1, "{document}");
}

#[tokio::test]
async fn a_status_may_mean_something_else() {
    let (recorder, captured) = Recorder::builder().status(404, StatusFlags::NONE).in_memory().unwrap();
    let served = serve(XRayActix::with_recorder(&recorder), routes);
    get(served.address, "/fails/404").await;
    let document = only(&captured);
    assert_eq!((flags(&document), document.get("cause")), ([false; 3], None));
}

#[tokio::test]
async fn a_middleware_that_refuses_has_the_status_that_the_client_gets() {
    /// What `status_code` says is not what it answers.
    #[derive(Debug)]
    struct Refused;
    impl fmt::Display for Refused {
        fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("refused")
        }
    }
    impl ResponseError for Refused {
        fn error_response(&self) -> HttpResponse {
            HttpResponse::TooManyRequests().body("later")
        }
    }
    let (recorder, captured) = Recorder::in_memory();
    let app = App::new()
        .configure(routes)
        .wrap_fn(|_, _| std::future::ready(Err::<ServiceResponse, _>(Refused.into())))
        .wrap(XRayActix::with_recorder(&recorder));
    let app = test::init_service(app).await;
    let failed = app.call(TestRequest::get().uri("/fails/404").to_request()).await.unwrap_err();
    assert!(failed.as_error::<Refused>().is_some(), "the error goes on as it is");
    let document = only(&captured);
    assert_eq!(flags(&document), [true, true, false]);
    assert_eq!(exceptions(&document), [("Refused", "refused")]);
    assert_eq!(document["http"]["response"], json!({ "status": 429, "content_length": 5 }));
    assert_eq!(document["annotations"], json!({ "route": "/fails/{status}" }));
}

#[tokio::test]
async fn guards_decide_which_route_it_is() {
    let (recorder, captured) = Recorder::in_memory();
    let of_host = |host: &'static str| web::scope("/api").guard(guard::Host(host));
    let served = serve(XRayActix::with_recorder(&recorder), move |config| {
        config
            .service(of_host("one.example").route("/{one}", web::get().to(async || "one")))
            .service(of_host("two.example").route("/{two}", web::get().to(async || "two")));
    });
    for (host, route) in [("one.example", "/api/{one}"), ("two.example", "/api/{two}")] {
        let request = crate::server::request("GET", "/api/x", &[("host", host)]);
        crate::server::send(served.address, &request).await;
        assert_eq!(only(&captured)["annotations"], json!({ "route": route }));
    }
}

#[tokio::test]
async fn the_header_of_an_error_response_is_there() {
    let (recorder, captured) = Recorder::in_memory();
    let served = serve(XRayActix::with_recorder(&recorder), routes);
    let answer = get(served.address, "/fails/500").await;
    let trace_id = only(&captured)["trace_id"].as_str().unwrap().to_owned();
    assert_eq!(header(&answer, "x-amzn-trace-id"), Some(format!("Root={trace_id}").as_str()));
}

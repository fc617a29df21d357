//! Every route of the app over real HTTP: statuses and bodies.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use cruddur::settings::{Daemon, Ports, Rollbar, Settings};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

struct Cruddur {
    app: cruddur::App,
    client: Client,
}

impl Cruddur {
    async fn start() -> Self {
        let settings = Settings {
            ports: Ports::Free,
            dynamic_naming: None,
            daemon: Daemon::InProcess("127.0.0.1:0".into()),
            rollbar: Rollbar::Off,
        };
        Self { app: cruddur::start(settings, |daemon| daemon).await.unwrap(), client: Client::new() }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.app.backend())
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.client.get(self.url(path)).send().await.unwrap()).await
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.client.post(self.url(path)).json(&body).send().await.unwrap()).await
    }
}

/// The status, and the body: JSON where it is, a string otherwise.
async fn answer(response: reqwest::Response) -> (StatusCode, Value) {
    let status = response.status();
    let body = response.text().await.unwrap();
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

/// One field of each element.
fn each<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|element| element[field].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_feeds_show_the_seeded_posts() {
    let cruddur = Cruddur::start().await;

    let (status, home) = cruddur.get("/api/activities/home").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(each(&home, "handle"), ["lin", "sam", "ada", "noor"]);
    let ada = &home[2];
    assert_eq!(ada["message"], "Traces are fun");
    assert_eq!(ada["likes_count"], 5);
    assert_eq!(ada["replies_count"], 1);
    assert_eq!(ada["replies"][0]["handle"], "sam");
    assert!(ada["created_at"].as_str().unwrap().ends_with("+00:00"), "{ada}");

    let (status, notifications) = cruddur.get("/api/activities/notifications").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(each(&notifications, "handle"), ["sam"]);
    assert_eq!(notifications[0]["message"], "Somebody liked your activity, @ada");
    assert_eq!(notifications[0]["replies"][0]["message"], "Me too");

    let (status, posts) = cruddur.get("/api/activities/@sam").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(each(&posts, "uuid"), ["43f9e9ab-2d0f-4a36-a3ab-5cb2d9f1a0c2"]);

    let (status, nobody) = cruddur.get("/api/activities/@nobody").await;
    assert_eq!((status, nobody), (StatusCode::NOT_FOUND, json!({ "error": "there is no user `nobody`" })));
    cruddur.app.stop().await;
}

#[tokio::test]
async fn search_finds_text_in_any_case() {
    let cruddur = Cruddur::start().await;
    let (status, found) = cruddur.get("/api/activities/search?term=TRACES").await;
    assert_eq!((status, each(&found, "handle")), (StatusCode::OK, vec!["ada"]));

    // What is special to SQL's `like` is text here.
    let (status, found) = cruddur.get("/api/activities/search?term=%25").await;
    assert_eq!((status, found), (StatusCode::OK, json!([])));

    for blank in ["/api/activities/search", "/api/activities/search?term=", "/api/activities/search?term=%20"]
    {
        let (status, body) = cruddur.get(blank).await;
        assert_eq!(
            (status, body),
            (StatusCode::UNPROCESSABLE_ENTITY, json!({ "error": "search_term_blank" }))
        );
    }
    cruddur.app.stop().await;
}

#[tokio::test]
async fn a_post_and_its_reply_are_stored() {
    let cruddur = Cruddur::start().await;
    let body = json!({ "message": "  Robert'); drop table activities; -- ", "ttl": "1-hour" });
    let (status, post) = cruddur.post("/api/activities", body).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(post["handle"], "ada");
    assert_eq!(post["message"], "Robert'); drop table activities; --");
    assert!(post["expires_at"].as_str() > post["created_at"].as_str(), "{post}");

    let uuid = post["uuid"].as_str().unwrap();
    let path = format!("/api/activities/{uuid}/reply");
    let (status, reply) = cruddur.post(&path, json!({ "message": "Nice try" })).await;
    assert_eq!((status, &reply["reply_to_activity_uuid"]), (StatusCode::OK, &post["uuid"]));

    let (status, shown) = cruddur.get(&format!("/api/activities/{uuid}")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&shown["replies_count"], each(&shown["replies"], "message")), (&json!(1), vec!["Nice try"]));

    let (_, home) = cruddur.get("/api/activities/home").await;
    assert_eq!(home[0]["uuid"], post["uuid"]);
    cruddur.app.stop().await;
}

#[tokio::test]
async fn a_post_that_cannot_be_one_is_refused() {
    let cruddur = Cruddur::start().await;
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    let (status, body) = cruddur.post("/api/activities", json!({ "message": " " })).await;
    assert_eq!((status, &body["error"]), (refused, &json!("message_blank")));
    let (status, body) = cruddur.post("/api/activities", json!({ "message": "x".repeat(281) })).await;
    assert_eq!((status, &body["error"]), (refused, &json!("message_exceed_max_chars")));
    let (status, body) = cruddur.post("/api/activities", json!({ "message": "x", "ttl": "forever" })).await;
    assert_eq!(status, refused);
    assert!(body["error"].as_str().unwrap().contains("unknown variant `forever`"), "{body}");

    let unknown = "/api/activities/00000000-0000-0000-0000-000000000000/reply";
    let (status, _) = cruddur.post(unknown, json!({ "message": "x" })).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    // What was refused left nothing behind.
    let (_, home) = cruddur.get("/api/activities/home").await;
    assert_eq!(home.as_array().unwrap().len(), 4);
    cruddur.app.stop().await;
}

#[tokio::test]
async fn conversations_are_the_viewers() {
    let cruddur = Cruddur::start().await;
    let (status, groups) = cruddur.get("/api/message_groups").await;
    assert_eq!((status, each(&groups, "handle")), (StatusCode::OK, vec!["lin", "sam"]));
    assert_eq!(each(&groups, "message"), ["Lunch?", "Yes, and nothing broke"]);

    let (status, messages) = cruddur.get("/api/messages/@sam").await;
    assert_eq!((status, each(&messages, "handle")), (StatusCode::OK, vec!["sam", "ada"]));
    let (status, _) = cruddur.get("/api/messages/@nobody").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    cruddur.app.stop().await;
}

#[tokio::test]
async fn recommendations_come_from_the_second_service() {
    let cruddur = Cruddur::start().await;
    let (status, users) = cruddur.get("/api/recommendations").await;
    assert_eq!((status, each(&users, "handle")), (StatusCode::OK, vec!["lin", "sam", "noor"]));
    assert_eq!(users[0]["likes_count"], 8);

    let direct = format!("http://{}/recommendations?handle=lin", cruddur.app.recommendations());
    let (status, users) = answer(cruddur.client.get(direct).send().await.unwrap()).await;
    assert_eq!((status, each(&users, "handle")), (StatusCode::OK, vec!["ada", "sam", "noor"]));
    cruddur.app.stop().await;
}

#[tokio::test]
async fn trouble_looks_like_trouble() {
    let cruddur = Cruddur::start().await;
    let (status, body) = cruddur.get("/api/broken").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!body.to_string().contains("bookmarks"), "the caller learns no table names: {body}");

    let busy = cruddur.client.get(cruddur.url("/api/busy")).send().await.unwrap();
    assert_eq!(
        (busy.status(), &busy.headers()["retry-after"]),
        (StatusCode::TOO_MANY_REQUESTS, &"1".parse().unwrap())
    );

    let (status, body) = cruddur.get("/rollbar/test").await;
    assert_eq!((status, body), (StatusCode::OK, json!("Hello World!")));

    let (status, body) = cruddur.get("/api/health-check").await;
    assert_eq!((status, body), (StatusCode::OK, json!({ "success": true })));
    let (status, _) = cruddur.post("/nope", json!({})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    cruddur.app.stop().await;
}

#[tokio::test]
async fn the_twins_answer_as_the_original_does() {
    let cruddur = Cruddur::start().await;
    for code in [200, 404, 429, 500, 503] {
        let (status, _) = cruddur.get(&format!("/api/twins/status/{code}")).await;
        assert_eq!(status.as_u16(), code);
        let (status, body) = cruddur.get(&format!("/api/twins/downstream/{code}")).await;
        assert_eq!((status, body), (StatusCode::OK, json!({ "got": code })));
    }
    for boom in ["boom", "boom-captured", "boom-chain", "boom-reraise"] {
        let (status, _) = cruddur.get(&format!("/api/twins/{boom}")).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{boom}");
    }
    let (status, body) = cruddur.get("/api/twins/caught").await;
    assert_eq!((status, body), (StatusCode::OK, json!("recovered")));
    let (status, body) = cruddur.get("/api/twins/downstream").await;
    assert_eq!((status, &body["path"]), (StatusCode::OK, &json!("/echo?q=secret")));
    let (status, body) = cruddur.get("/api/twins/downstream-refused").await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(body["err"].is_string(), "{body}");
    cruddur.app.stop().await;
}

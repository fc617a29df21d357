//! Each answer that the API is known to give.

use super::server::{Answer, Server};
use super::*;

#[tokio::test]
async fn an_item_that_is_taken_goes_over_one_connection() {
    let server = Server::of(&[Answer::status(200)]).await;
    let delivery = delivery(&server);
    let items = [item(10), item(20)];
    for item in &items {
        assert_eq!(delivery.deliver(item.clone()).await, Outcome::Sent);
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    for (request, item) in requests.iter().zip(&items) {
        assert_eq!(request.line, "POST /api/1/item/ HTTP/1.1");
        assert_eq!(request.header("x-rollbar-access-token"), Some(TOKEN));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("content-encoding"), None);
        assert!(request.header("user-agent").unwrap().starts_with("rollbar-runtime/"));
        assert_eq!(request.connection, 0, "it is kept");
        assert_eq!(request.json(), item.tree);
    }
    assert_eq!((delivery.paused_until(), delivery.is_off()), (None, None));
}

#[tokio::test]
async fn a_refusal_within_an_answer_of_success_is_one() {
    let server = Server::of(&[Answer::json(200, r#"{"err":1,"message":"no"}"#)]).await;
    assert_eq!(delivery(&server).deliver(item(1)).await, Outcome::Dropped(DropCause::Refused));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn an_item_that_is_refused_is_dropped_at_once() {
    for (status, cause) in [
        (400, DropCause::Refused),
        (415, DropCause::Refused),
        (422, DropCause::Refused),
        (418, DropCause::Refused),
        (404, DropCause::Endpoint),
        (405, DropCause::Endpoint),
    ] {
        let server = Server::of(&[Answer::status(status)]).await;
        let delivery = delivery(&server);
        for count in 1..=2 {
            assert_eq!(delivery.deliver(item(1)).await, Outcome::Dropped(cause), "{status}");
            assert_eq!(server.requests().len(), count, "{status}");
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let other = Server::of(&[Answer::status(200)]).await;
        let server = Server::of(&[Answer::html(status).with("Location", other.url())]).await;
        assert_eq!(
            delivery(&server).deliver(item(1)).await,
            Outcome::Dropped(DropCause::Endpoint),
            "{status}"
        );
        assert!(other.requests().is_empty(), "the token would have gone with it");
    }
}

#[tokio::test]
async fn a_token_that_is_refused_ends_sending() {
    for (status, message) in [
        (401, "access token required"),
        (403, "access token not found: 0123456789abcdef0123456789abcdef"),
        (
            403,
            "insufficient privileges: post_server_item scope is required but the access token only has post_client_item.",
        ),
    ] {
        let body = json!({ "err": 1, "message": message }).to_string();
        let server = Server::of(&[Answer::json(status, &body)]).await;
        let delivery = delivery(&server);
        for _ in 0..2 {
            assert_eq!(delivery.deliver(item(1)).await, Outcome::Dropped(DropCause::Unauthorized));
        }
        assert_eq!(server.requests().len(), 1, "nothing more is sent");
        let off = delivery.is_off().unwrap();
        assert_eq!(off.status, status);
        assert!(!off.to_string().contains(TOKEN), "{off}");
        assert!(off.to_string().contains(&message[..20]), "{off}");
    }
}

#[tokio::test]
async fn a_proxy_that_forbids_says_nothing_of_the_token() {
    let server = Server::of(&[Answer::html(403), Answer::status(200)]).await;
    let delivery = delivery(&server);
    assert_eq!(delivery.deliver(item(1)).await, Outcome::Dropped(DropCause::Refused));
    assert_eq!(delivery.is_off(), None);
    assert_eq!(delivery.deliver(item(1)).await, Outcome::Sent);
}

#[tokio::test]
async fn a_failure_of_the_service_is_tried_again_under_the_same_uuid() {
    for answer in
        [Answer::status(408), Answer::status(500), Answer::html(502), Answer::status(503), Answer::html(504)]
    {
        let server = Server::of(&[answer.clone(), answer.clone(), answer.clone(), Answer::status(200)]).await;
        let delivery = delivery(&server);
        let item = item(5);
        assert_eq!(delivery.deliver(item.clone()).await, Outcome::Sent, "{answer:?}");
        assert_eq!(server.requests().len(), 4);
        assert!(server.requests().iter().all(|request| request.json() == item.tree));
        assert_eq!(delivery.retried(), 3);

        let server = Server::of(&[answer]).await;
        match super::delivery(&server).deliver(item.clone()).await {
            Outcome::Undelivered(payload) => {
                assert_eq!(payload.uuid, item.uuid);
                assert_eq!(Ready::from_json(&payload.body).unwrap(), item);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(server.requests().len(), 4, "one try and three more");
    }
}

#[tokio::test]
async fn what_is_too_large_for_the_service_is_cut_and_sent_again() {
    let limit = 100_000;
    let server =
        Server::new(move |request| Answer::status(if request.body.len() > limit { 413 } else { 200 })).await;
    let delivery = delivery(&server);
    let item = item(150_000);
    assert_eq!(delivery.deliver(item.clone()).await, Outcome::Sent);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[1].body.len() <= requests[0].body.len() / 2);
    assert_eq!(requests[1].json()["data"]["uuid"], item.uuid.to_string());
    assert_eq!(delivery.failsafes(), 0);
}

#[tokio::test]
async fn what_is_too_large_however_it_is_cut_becomes_one_note() {
    let is_note = |request: &server::Request| request.json()["data"]["failsafe"] == true;
    let server = Server::new(move |request| Answer::status(if is_note(request) { 200 } else { 413 })).await;
    let delivery = delivery(&server);
    let item = item(150_000);
    assert_eq!(delivery.deliver(item.clone()).await, Outcome::Dropped(DropCause::TooLarge));
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    let note = requests[2].json();
    assert_eq!(note["data"]["internal"], true);
    assert_eq!(note["data"]["custom"], json!({ "orig_uuid": item.uuid.to_string(), "orig_host": "h1" }));
    assert_eq!(delivery.failsafes(), 1);
}

#[tokio::test]
async fn a_note_that_is_refused_is_the_last_word() {
    let server = Server::of(&[Answer::json(413, r#"{"err":1,"message":"request entity too large"}"#)]).await;
    let delivery = delivery(&server);
    assert_eq!(delivery.deliver(item(150_000)).await, Outcome::Dropped(DropCause::TooLarge));
    assert_eq!(server.requests().len(), 3, "whole, cut, note");
    assert_eq!(delivery.failsafes(), 0);
}

#[tokio::test]
async fn what_is_beyond_the_limit_is_never_sent_whole() {
    let server = Server::of(&[Answer::status(200)]).await;
    assert_eq!(delivery(&server).deliver(item(50_000_000)).await, Outcome::Sent);
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].body.len() <= 512 * 1024);
}

#[tokio::test]
async fn a_limit_pauses_the_sender_and_gives_the_item_back() {
    for (headers, seconds) in [
        (&[][..], 60),
        (&[("Retry-After", "12")], 12),
        (
            &[
                ("X-Rate-Limit-Remaining", "0"),
                ("X-Rate-Limit-Remaining-Seconds", "30"),
                ("Retry-After", "10"),
            ],
            30,
        ),
        (&[("X-Rate-Limit-Remaining", "0"), ("X-Rate-Limit-Remaining-Seconds", "86400")], 3600),
        (&[("X-Rate-Limit-Remaining", "5"), ("X-Rate-Limit-Remaining-Seconds", "30")], 1),
        (&[("X-Rate-Limit-Limit", "60"), ("X-Rate-Limit-Reset", "1500000000"), ("Retry-After", "soon")], 60),
    ] {
        let mut answer = Answer::status(429);
        for (name, value) in headers {
            answer = answer.with(name, value);
        }
        let server = Server::of(&[answer]).await;
        let delivery = delivery(&server);
        let item = item(3);
        let before = Instant::now();
        for _ in 0..2 {
            assert_eq!(delivery.deliver(item.clone()).await, Outcome::Deferred(item.clone()));
        }
        assert_eq!(server.requests().len(), 1, "nothing is sent in a pause");
        let until = delivery.paused_until().unwrap();
        let pause = until - before;
        assert!(
            Duration::from_secs(seconds) <= pause && pause < Duration::from_secs(seconds + 1),
            "{headers:?} {pause:?}"
        );
        assert_eq!(delivery.is_off(), None);
    }
}

#[tokio::test]
async fn the_last_item_of_a_window_is_sent_and_then_it_pauses() {
    let answer =
        Answer::status(200).with("X-Rate-Limit-Remaining", 0).with("X-Rate-Limit-Remaining-Seconds", 9);
    let server = Server::of(&[answer]).await;
    let delivery = delivery(&server);
    assert_eq!(delivery.deliver(item(1)).await, Outcome::Sent);
    assert!(delivery.paused_until().is_some());
    assert!(matches!(delivery.deliver(item(1)).await, Outcome::Deferred(_)));
    assert_eq!(server.requests().len(), 1);
}

#[cfg(feature = "gzip")]
#[tokio::test]
async fn compression_ends_with_its_first_refusal() {
    use std::io::Read;

    for status in [400, 415] {
        let server = Server::new(move |request| {
            Answer::status(if request.header("content-encoding").is_some() { status } else { 200 })
        })
        .await;
        let transport = transport(&server.url(), Proxy::Off, Duration::from_secs(10));
        let delivery = Delivery::new(DeliverySettings { gzip: true, ..settings() }, Arc::new(transport));
        let item = item(50_000);
        for _ in 0..2 {
            assert_eq!(delivery.deliver(item.clone()).await, Outcome::Sent);
        }
        let requests = server.requests();
        assert_eq!(requests.len(), 3, "compressed, plain, plain");
        assert_eq!(requests[0].header("content-encoding"), Some("gzip"));
        assert!(requests[0].body.len() < 1000);
        let mut text = String::new();
        flate2::read::GzDecoder::new(&*requests[0].body).read_to_string(&mut text).unwrap();
        assert_eq!(text, item.tree.to_string());
        assert!(requests[1..].iter().all(|request| request.json() == item.tree));
    }
}

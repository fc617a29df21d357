//! A tonic client and a tonic server: what a call leaves in both documents, and that these are of one trace.

#![allow(clippy::unwrap_used)] // Not only in the tests themselves.

use serde_json::json;
use tonic::{Code, Request};
use xray_runtime::{
    Captured, CapturedEntity, FutureExt, Recorder, StatusFlags, TraceHeader, XRayGrpcLayer, in_subsegment,
};

mod grpc_service;
use grpc_service::{Client, serve};

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";

/// What client and server have recorded.
struct Sides {
    client: Captured,
    server: Captured,
}

impl Sides {
    /// The subsegment of the call, and the segment that the server made of it.
    fn call(&self) -> (CapturedEntity, CapturedEntity) {
        (self.client.segment("root").subsegment("127.0.0.1"), self.server.segment("test"))
    }
}

/// Runs `calls` in a segment, with a client of a new server.
async fn sides<T>(calls: impl AsyncFnOnce(Client) -> T) -> (T, Sides) {
    let (recorder, client) = Recorder::in_memory();
    let (server_recorder, server) = Recorder::in_memory();
    let address = serve(&server_recorder).await;
    let value = recorder.segment("root").instrument(calls(Client::new(address))).await;
    (value, Sides { client, server })
}

fn flags(entity: &CapturedEntity) -> StatusFlags {
    StatusFlags { error: entity.is_error(), throttle: entity.is_throttle(), fault: entity.is_fault() }
}

#[tokio::test]
async fn a_client_and_a_server_show_one_trace() {
    let (said, sides) = sides(async |mut client| client.say("Ada").await).await;
    assert_eq!(said.unwrap(), "hello Ada");
    let (call, segment) = sides.call();
    assert_eq!(segment.trace_id(), sides.client.segment("root").trace_id());
    assert_eq!(segment.parent_id(), call.id());
    assert_eq!(call.json()["namespace"], "remote");
    let request = &call.json()["http"]["request"];
    assert_eq!(request["method"], "POST");
    let url = request["url"].as_str().unwrap();
    assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/demo.Greeter/Say"), "{url}");
    assert_eq!(call.json()["http"]["response"], json!({ "status": 200 }));
    let request = &segment.json()["http"]["request"];
    assert_eq!((&request["method"], &request["url"]), (&"POST".into(), &url.into()));
    assert_eq!(segment.json()["http"]["response"]["status"], 200);
    for entity in [&call, &segment] {
        assert_eq!(flags(entity), StatusFlags::NONE);
        assert_eq!(entity.annotation("cancelled"), None);
        assert_eq!(entity.json().get("cause"), None);
    }
}

#[tokio::test]
async fn a_status_decides_the_flags_of_both_sides() {
    for code in 1..=16 {
        let (said, sides) =
            sides(async |mut client| client.say(format!("{code} 50% of Ünicode")).await).await;
        let status = said.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::from_i32(code), "50% of Ünicode"));
        let (call, segment) = sides.call();
        for entity in [&call, &segment] {
            assert_eq!(flags(entity), StatusFlags::from_grpc(code), "{code}");
            assert_eq!(entity.json()["http"]["response"]["status"], 200);
        }
        // The message is the caller's to see too.
        for (entity, remote) in [(&call, true), (&segment, false)] {
            let exceptions = entity.json()["cause"]["exceptions"].as_array().unwrap();
            assert_eq!(exceptions.len(), 1);
            assert_eq!(exceptions[0]["type"], format!("{:?}", Code::from_i32(code)));
            assert_eq!(exceptions[0]["message"], "50% of Ünicode");
            assert_eq!(exceptions[0]["remote"], remote);
        }
        assert_eq!(flags(&sides.client.segment("root")), StatusFlags::NONE, "only the call failed");
    }
}

#[tokio::test]
async fn an_error_that_the_handler_has_told_is_told_once() {
    let (_, sides) = sides(async |mut client| client.say("captured").await).await;
    let (call, segment) = sides.call();
    assert_eq!((flags(&call), flags(&segment)), (StatusFlags::ERROR, StatusFlags::ERROR));
    assert_eq!(segment.json().get("cause"), None, "that of the function below says more");
    assert_eq!(segment.subsegment("look_up").exceptions().len(), 1);
}

#[tokio::test]
async fn a_stream_ends_with_its_trailers() {
    for (text, code) in [("Ada", 0), ("8 enough", 8), ("15 torn", 15)] {
        let ((texts, last), sides) = sides(async |mut client| {
            let mut stream = client.list(text).await.unwrap();
            let (mut texts, mut last) = (Vec::new(), None);
            loop {
                in_subsegment("step", || ());
                match stream.message().await {
                    Ok(Some(text)) => texts.push(text),
                    Ok(None) => break,
                    Err(status) => {
                        last = Some(status.code());
                        break;
                    }
                }
            }
            (texts, last)
        })
        .await;
        assert_eq!(texts[..2], ["one", "two"]);
        assert_eq!(last, (code != 0).then(|| Code::from_i32(code)));
        let (call, segment) = sides.call();
        for entity in [&call, &segment] {
            assert_eq!(flags(entity), StatusFlags::from_grpc(code), "{code}");
            assert_eq!(entity.annotation("cancelled"), None, "{code}");
        }
        for entity in [&call, &segment] {
            assert_eq!(entity.json().get("cause").is_some(), code != 0, "{code}");
        }
        assert_eq!(call.subsegments().len(), 0, "what the caller does between messages is not the call's");
    }
}

#[tokio::test]
async fn streams_go_in_both_directions() {
    let (joined, sides_of_join) = sides(async |mut client| client.join(["a", "b"]).await).await;
    assert_eq!(joined.unwrap(), "a b");
    let (echoed, sides_of_echo) = sides(async |mut client| {
        let mut stream = client.echo(futures_util::stream::iter(["a".to_owned()])).await.unwrap();
        let first = stream.message().await.unwrap();
        (first, stream.message().await.unwrap())
    })
    .await;
    assert_eq!(echoed, (Some("a".to_owned()), None));
    for sides in [sides_of_join, sides_of_echo] {
        let (call, segment) = sides.call();
        assert_eq!(segment.parent_id(), call.id());
        for entity in [&call, &segment] {
            assert_eq!(flags(entity), StatusFlags::NONE);
            assert_eq!(entity.annotation("cancelled"), None);
        }
    }
}

#[tokio::test]
async fn calls_at_the_same_time_are_siblings() {
    let (_, sides) = sides(async |mut client| {
        let mut stream = client.list("Ada").await.unwrap();
        client.say("Bob").in_subsegment("other").await.unwrap();
        while stream.message().await.unwrap().is_some() {}
    })
    .await;
    let root = sides.client.segment("root");
    assert_eq!(root.subsegments().len(), 2);
    root.subsegment("127.0.0.1");
    root.subsegment("other").subsegment("127.0.0.1");
}

#[tokio::test]
async fn the_users_own_header_stays() {
    let own = format!("Root={ROOT};Sampled=0");
    let (seen, sides) = sides(async |mut client| {
        let mut request = Request::new("header".to_owned());
        request.metadata_mut().insert("x-amzn-trace-id", own.parse().unwrap());
        client.say_as(request).await.unwrap()
    })
    .await;
    assert_eq!(seen, own);
    sides.client.segment("root").subsegment("127.0.0.1");
}

#[tokio::test]
async fn the_trace_goes_on_where_it_is_not_sampled() {
    let (recorder, captured) = Recorder::in_memory();
    let mut client = Client::new(serve(&Recorder::in_memory().0).await);
    let header = TraceHeader::parse(&format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=0;Lineage=a:1"));
    let seen = recorder.segment("root").trace_header(header).instrument(client.say("header")).await;
    assert_eq!(seen.unwrap(), format!("Root={ROOT};Sampled=0;Lineage=a:1"));
    assert!(captured.documents().is_empty());
}

#[tokio::test]
async fn without_a_segment_calls_are_made_as_they_are() {
    let mut client = Client::new(serve(&Recorder::in_memory().0).await);
    assert_eq!(client.say("header").await.unwrap(), "");
    let mut stream = client.list("Ada").await.unwrap();
    assert_eq!(stream.message().await.unwrap(), Some("one".into()));
}

#[tokio::test]
async fn options_change_what_is_recorded() {
    let (recorder, captured) = Recorder::in_memory();
    let address = serve(&Recorder::in_memory().0).await;
    let layer = XRayGrpcLayer::new().traced(true).skip("/demo.*/li?t");
    recorder
        .segment("root")
        .instrument(async {
            let mut client = Client::with(address, layer);
            client.list("Ada").await.unwrap();
            client.say("Ada").await.unwrap();
        })
        .await;
    let root = captured.segment("root");
    assert_eq!(root.subsegments().len(), 1);
    // tonic's channel does not tell layers around it where it leads.
    let call = root.subsegment("demo.Greeter");
    let request = json!({ "method": "POST", "url": "/demo.Greeter/Say", "traced": true });
    assert_eq!(call.json()["http"]["request"], request);
}

#[tokio::test]
async fn a_method_that_is_not_there_is_a_fault() {
    let (recorder, captured) = Recorder::in_memory();
    let address = serve(&recorder).await;
    let channel = tonic::transport::Endpoint::try_from(format!("http://{address}")).unwrap().connect_lazy();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static("/demo.Greeter/None");
    let answer = client.unary(Request::new(String::new()), path, grpc_service::Text).await;
    assert_eq!(answer.unwrap_err().code(), Code::Unimplemented);
    assert_eq!(flags(&captured.segment("test")), StatusFlags::FAULT);
}

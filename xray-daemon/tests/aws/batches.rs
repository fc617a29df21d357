//! What is sent, and what comes of an answer of success.

use serde_json::{Value, json};
use xray_daemon::telemetry::{BackendConnectionErrors, TelemetryRecord};
use xray_daemon::upstream::{Receipt, Unprocessed, Upstream};

use crate::double::{Answer, Double};
use crate::{batch, connect, run, send};

#[test]
fn the_documents_go_out_as_the_aws_daemon_sends_them() {
    let double = Double::always(Answer::taken());
    let documents: [&[u8]; 4] =
        [br#"{"name":"a \"quoted\" name"}"#, b"no JSON\n\x01", b"no UTF-8 \xff\xfe.", "\u{2603}".as_bytes()];
    run(async {
        let xray = connect(&double).await;
        assert_eq!(xray.name(), "aws-xray");
        assert_eq!((xray.region(), xray.endpoint()), ("eu-west-1", &*double.url()));
        assert_eq!(xray.send(&batch(&documents)).await.unwrap(), Receipt::default());
    });
    let request = double.next();
    assert_eq!((&*request.method, &*request.target), ("POST", "/TraceSegments"));
    let expected: Vec<_> = documents.iter().map(|document| String::from_utf8_lossy(document)).collect();
    assert_eq!(request.json(), json!({ "TraceSegmentDocuments": expected }));

    assert_eq!(request.header("content-type"), Some("application/json"));
    let timestamp = request.header("x-amzn-xray-timestamp").unwrap();
    let (seconds, nanoseconds) = timestamp.split_once('.').unwrap();
    assert_eq!((seconds.len(), nanoseconds.len()), (10, 9), "{timestamp}");
    assert!(timestamp.parse::<f64>().is_ok());
    let user_agent = request.header("user-agent").unwrap();
    assert!(user_agent.starts_with("aws-sdk-rust/"), "{user_agent}");
    let own = format!(" xray-agent/xray-daemon/{} exec-env/UNKNOWN", env!("CARGO_PKG_VERSION"));
    assert!(user_agent.ends_with(&own), "{user_agent}");
    assert_eq!(request.key(), "AKIDEXAMPLE");
    for name in ["content-length", "content-type", "host", "x-amz-date", "x-amzn-xray-timestamp"] {
        assert!(request.signed().contains(&name), "{:?}", request.signed());
    }
    let scope = "/eu-west-1/xray/aws4_request";
    assert!(request.header("authorization").unwrap().contains(scope));
    assert!(double.is_quiet());
}

#[test]
fn connections_are_used_again() {
    let double = Double::always(Answer::taken());
    run(async {
        let xray = connect(&double).await;
        for _ in 0..3 {
            send(&xray).await.unwrap();
        }
        // A clone is the same upstream.
        send(&xray.clone()).await.unwrap();
    });
    assert_eq!(double.connections(), 1);
}

#[test]
fn documents_that_are_refused_are_told() {
    let body = json!({ "UnprocessedTraceSegments": [
        { "Id": "c0ffee0100000001", "ErrorCode": "MissingId", "Message": "no id" },
        { "ErrorCode": "ParseError" },
        {},
    ] });
    let double = Double::always(Answer::json(200, &body.to_string()));
    let receipt = run(async { send(&connect(&double).await).await.unwrap() });
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        receipt.unprocessed,
        [
            Unprocessed {
                id: text("c0ffee0100000001"),
                error_code: text("MissingId"),
                message: text("no id"),
            },
            Unprocessed { error_code: text("ParseError"), ..Unprocessed::default() },
            Unprocessed::default(),
        ]
    );
}

#[test]
fn an_answer_of_success_that_is_no_json_is_one_of_success() {
    for answer in [
        Answer::json(200, "<html>"),
        Answer::json(200, ""),
        Answer::json(202, "["),
        // It breaks off.
        Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"Unprocessed".to_vec()),
        // It is larger than what is read.
        Answer::json(200, &"x".repeat(2 << 20)),
    ] {
        let double = Double::always(answer);
        run(async { assert_eq!(send(&connect(&double).await).await, Ok(Receipt::default())) });
        double.next();
        assert!(double.is_quiet());
    }
}

#[test]
fn telemetry_goes_out_as_the_aws_daemon_sends_it() {
    let double = Double::always(Answer::json(200, "{}"));
    let record = |received| TelemetryRecord {
        timestamp: 1_579_893_132.25,
        segments_received_count: received,
        segments_sent_count: 2,
        segments_spillover_count: 3,
        segments_rejected_count: 4,
        backend_connection_errors: BackendConnectionErrors {
            connection_refused_count: 5,
            http_code_4xx_count: 6,
            http_code_5xx_count: 7,
            other_count: 8,
            timeout_count: 9,
            unknown_host_count: 10,
        },
    };
    run(async {
        let mut settings = crate::settings(&double.url());
        settings.resource_arn = Some("arn:aws:ec2:eu-west-1:1:instance/i-1".into());
        let xray = xray_daemon::upstream::aws::AwsXRay::connect_with(settings, crate::hooks()).await.unwrap();
        xray.send_telemetry(&[record(1), record(u64::MAX)]).await.unwrap();
    });
    let request = double.next();
    assert_eq!((&*request.method, &*request.target), ("POST", "/TelemetryRecords"));
    assert!(request.header("user-agent").unwrap().contains(" xray-agent/xray-daemon/"));
    let sent = request.json();
    assert_eq!(sent["ResourceARN"], "arn:aws:ec2:eu-west-1:1:instance/i-1");
    let hostname = nix::unistd::gethostname().unwrap().into_string().unwrap();
    assert_eq!(sent["Hostname"], *hostname);
    assert_eq!(sent.get("EC2InstanceId"), None);
    let expected = |received: u64| {
        json!({
            "Timestamp": 1_579_893_132.25,
            "SegmentsReceivedCount": received,
            "SegmentsSentCount": 2,
            "SegmentsSpilloverCount": 3,
            "SegmentsRejectedCount": 4,
            "BackendConnectionErrors": {
                "ConnectionRefusedCount": 5, "HTTPCode4XXCount": 6, "HTTPCode5XXCount": 7,
                "OtherCount": 8, "TimeoutCount": 9, "UnknownHostCount": 10,
            },
        })
    };
    assert_eq!(sent["TelemetryRecords"], Value::Array(vec![expected(1), expected(i32::MAX as u64)]));
}

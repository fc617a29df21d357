//! X-Ray's API for programs without credentials: each call is signed and passed on.
//!
//! Only the paths of X-Ray are; the AWS daemon signs whatever comes. Who may ask is checked before, as for each request.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONNECTION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::post;
use serde_json::json;

use super::body::{self, NoBody};
use super::routes::json_answer;
use super::wire::Wire;
use crate::upstream::aws::AwsXRay;
use crate::upstream::{Cause, Failure};

/// The most bytes of a call's body: 4 MiB. X-Ray's own limit for a batch is below.
const MOST: usize = 4 << 20;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The paths of X-Ray's API.
const PATHS: [&str; 38] = [
    "/CancelTraceRetrieval",
    "/CreateGroup",
    "/CreateSamplingRule",
    "/DeleteGroup",
    "/DeleteResourcePolicy",
    "/DeleteSamplingRule",
    "/EncryptionConfig",
    "/GetGroup",
    "/GetIndexingRules",
    "/GetRetrievedTracesGraph",
    "/GetSamplingRules",
    "/GetTraceSegmentDestination",
    "/Groups",
    "/Insight",
    "/InsightEvents",
    "/InsightImpactGraph",
    "/InsightSummaries",
    "/ListResourcePolicies",
    "/ListRetrievedTraces",
    "/ListTagsForResource",
    "/PutEncryptionConfig",
    "/PutResourcePolicy",
    "/SamplingStatisticSummaries",
    "/SamplingTargets",
    "/ServiceGraph",
    "/StartTraceRetrieval",
    "/TagResource",
    "/TelemetryRecords",
    "/TimeSeriesServiceStatistics",
    "/TraceGraph",
    "/TraceSegments",
    "/TraceSummaries",
    "/Traces",
    "/UntagResource",
    "/UpdateGroup",
    "/UpdateIndexingRule",
    "/UpdateSamplingRule",
    "/UpdateTraceSegmentDestination",
];

/// A route for each of X-Ray's paths, save those that are answered here.
pub(crate) fn routes(aws: AwsXRay, answered_here: &[&str]) -> Router {
    let passed_on = PATHS.into_iter().filter(|path| !answered_here.contains(path));
    passed_on
        .fold(Router::new(), |router, path| router.route(path, post(pass_on).fallback(only_post)))
        .with_state(aws)
}

/// One call.
async fn pass_on(State(aws): State<AwsXRay>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let body = match body::read(body, MOST).await {
        Ok(body) if body.len() > MOST => {
            let message = format!("the body has more than {MOST} bytes");
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, &message);
        }
        Ok(body) => body,
        Err(NoBody::Late) => {
            return closing(refusal(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"));
        }
        Err(NoBody::Broken) => return closing(refusal(StatusCode::BAD_REQUEST, "the body cannot be read")),
    };
    // Before the request is signed: a header that is changed after breaks the signature.
    if let Some(wire) = head.extensions.get::<Wire>() {
        note_client(&mut head.headers, &wire.peer().ip().to_canonical().to_string());
    }
    let target = head.uri.path_and_query().map_or(head.uri.path(), |target| target.as_str());
    match aws.forward(&head.method, target, &head.headers, body).await {
        Ok(answer) => answer.map(Body::from),
        Err(failure) => failed(&failure),
    }
}

/// Appends the client to those that the request has passed already.
fn note_client(headers: &mut HeaderMap, client: &str) {
    let before = headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let all: Vec<&str> = before.chain([client]).collect();
    if let Ok(all) = HeaderValue::try_from(all.join(", ")) {
        headers.insert(X_FORWARDED_FOR, all);
    }
}

/// There is no answer to pass back.
fn failed(failure: &Failure) -> Response {
    let status = match failure.cause {
        Cause::Timeout => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    };
    refusal(status, &format!("the call cannot be passed on to X-Ray: {}", failure.message))
}

/// Another method.
async fn only_post() -> Response {
    let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "X-Ray's API is called by POST");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

/// An answer of the daemon's own, as the SDKs read it.
fn refusal(status: StatusCode, message: &str) -> Response {
    json_answer(status, &json!({ "message": message }))
}

/// The last answer of its connection.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use aws_credential_types::Credentials;
    use aws_credential_types::provider::error::CredentialsError;
    use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
    use serde_json::Value;

    use super::super::server::Server;
    use super::*;
    use crate::upstream::aws::{AwsSettings, Hooks};

    const PATIENCE: Duration = Duration::from_secs(30);

    /// An upstream that answers each request with 202 and a header, or with silence, and its requests, in lower case.
    fn upstream(silent: bool) -> (SocketAddr, Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (sender, received) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                std::thread::spawn(move || {
                    let mut stream = BufReader::new(stream);
                    while let Some(request) = read(&mut stream) {
                        sender.send(request).unwrap();
                        let answer =
                            "HTTP/1.1 202 Accepted\r\nX-Own: 1\r\ncontent-length: 7\r\n\r\n{\"a\":1}";
                        if !silent && stream.get_mut().write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        (addr, received)
    }

    fn read(stream: &mut BufReader<TcpStream>) -> Option<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let head = head.to_lowercase();
        let length = head.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().ok()?;
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        Some(head + &String::from_utf8_lossy(&body))
    }

    fn keys() -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Credentials::new("AKID", "secret", None, None, "test"))
    }

    fn serve(
        upstream: SocketAddr,
        credentials: SharedCredentialsProvider,
        attempt: Option<Duration>,
        here: &[&str],
    ) -> Server {
        let settings = AwsSettings {
            region: Some("eu-west-1".into()),
            endpoint: Some(format!("http://{upstream}")),
            local_mode: true,
            ..AwsSettings::default()
        };
        let hooks = Hooks { credentials: Some(credentials), attempt, ..Hooks::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let aws = runtime.block_on(AwsXRay::connect_with(settings, hooks)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Server::start(listener, routes(aws, here)).unwrap()
    }

    /// Status, head in lower case, body.
    fn call(addr: SocketAddr, first: &str, headers: &str, body: &[u8]) -> (u16, String, String) {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let head = format!(
            "{first} HTTP/1.1\r\nHost: xray-daemon:2000\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_lowercase(), body.to_owned())
    }

    fn message(body: &str) -> String {
        serde_json::from_str::<Value>(body).unwrap()["message"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_call_is_signed_and_its_answer_comes_back() {
        let (upstream, received) = upstream(false);
        let server = serve(upstream, keys(), None, &[]);
        let (status, head, body) =
            call(server.addr(), "POST /GetSamplingRules?a=b", "X-Forwarded-For: 10.0.0.1\r\n", b"{}");
        assert_eq!((status, &*body), (202, r#"{"a":1}"#));
        assert!(head.contains("x-own: 1"), "{head}");
        let request = received.recv_timeout(PATIENCE).unwrap();
        assert!(request.starts_with("post /getsamplingrules?a=b http/1.1\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\n{}"), "{request}");
        for header in [
            format!("host: {upstream}"),
            "x-forwarded-for: 10.0.0.1, 127.0.0.1".to_owned(),
            "signedheaders=content-length;host;x-amz-date;x-forwarded-for,".to_owned(),
        ] {
            assert!(request.contains(&header), "{header}: {request}");
        }
    }

    #[test]
    fn what_is_not_passed_on() {
        let (upstream, received) = upstream(false);
        let server = serve(upstream, keys(), None, &["/GetSamplingRules"]);
        for (first, status) in [
            ("POST /GetSamplingRules", 404),
            ("POST /", 404),
            ("POST /TraceSegments/", 404),
            ("POST /tracesegments", 404),
            ("POST /latest/meta-data", 404),
            ("GET /SamplingTargets", 405),
            ("PUT /TraceSegments", 405),
        ] {
            assert_eq!(call(server.addr(), first, "", b"").0, status, "{first}");
        }
        let large = vec![b' '; MOST + 1];
        let (status, _, body) = call(server.addr(), "POST /TraceSegments", "", &large);
        assert_eq!((status, &*message(&body)), (413, "the body has more than 4194304 bytes"));
        assert!(received.try_recv().is_err());
        assert_eq!(call(server.addr(), "POST /TraceSegments", "", &large[..MOST]).0, 202);
    }

    #[test]
    fn what_fails_is_told() {
        let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let server = serve(refused, keys(), None, &[]);
        let (status, head, body) = call(server.addr(), "POST /SamplingTargets", "", b"{}");
        assert!(status == 502 && message(&body).contains("Connection refused"), "{status} {body}");
        assert!(head.contains("content-type: application/json"), "{head}");

        let (silent, _received) = upstream(true);
        let server = serve(silent, keys(), Some(Duration::from_millis(200)), &[]);
        let (status, _, body) = call(server.addr(), "POST /SamplingTargets", "", b"{}");
        assert!(status == 504 && message(&body).contains("no answer within 200ms"), "{status} {body}");

        #[derive(Debug)]
        struct Nobody;
        impl ProvideCredentials for Nobody {
            fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
            where
                Self: 'a,
            {
                future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("none")))
            }
        }
        let server = serve(silent, SharedCredentialsProvider::new(Nobody), None, &[]);
        let (status, _, body) = call(server.addr(), "POST /SamplingTargets", "", b"{}");
        assert!(
            status == 502 && message(&body).contains("no credentials in the environment"),
            "{status} {body}"
        );
    }
}

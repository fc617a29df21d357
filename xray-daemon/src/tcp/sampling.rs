//! Sampling rules and targets, answered out of the rules that the daemon holds.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONNECTION};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use xray_console::sampling::{Answer, PATHS, SamplingRules};

use super::body::{self, NoBody};

/// The most bytes of a call's body: 25 documents have less than 8 KiB.
const MOST: usize = 1 << 20;

/// The routes of X-Ray's API that are about sampling; no account and no signature is asked for.
pub(crate) fn routes(rules: Arc<SamplingRules>) -> Router {
    let router = Router::new();
    PATHS
        .into_iter()
        .fold(router, |router, path| router.route(path, post(answer).fallback(only_post)))
        .with_state(rules)
}

/// One call.
async fn answer(State(rules): State<Arc<SamplingRules>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    match body::read(body, MOST).await {
        Ok(body) if body.len() > MOST => {
            let message = format!("the body has more than {MOST} bytes");
            respond(Answer::refusing(413, "RequestEntityTooLargeException", &message))
        }
        Ok(body) => respond(rules.answer(head.uri.path(), &body, SystemTime::now())),
        Err(NoBody::Late) => {
            closing(Answer::refusing(408, "RequestTimeoutException", "the body did not come in time"))
        }
        Err(NoBody::Broken) => {
            closing(Answer::refusing(400, "InvalidRequestException", "the body cannot be read"))
        }
    }
}

/// Another method.
async fn only_post(request: Request) -> Response {
    let method: String = request.method().as_str().chars().take(20).collect();
    let message = format!("{method} is not answered here; X-Ray's API is called by POST");
    let mut response = respond(Answer::refusing(405, "UnknownOperationException", &message));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

fn respond(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Body::from(answer.body)).into_response();
    for (name, value) in answer.headers {
        // All are constants of the source, none of which is refused.
        if let Ok(name) = HeaderName::try_from(name) {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

/// The last answer of its connection.
fn closing(answer: Answer) -> Response {
    let mut response = respond(answer);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::super::server::Server;
    use super::*;

    fn serve() -> (Server, Arc<SamplingRules>) {
        let rules = Arc::new(SamplingRules::everything(SystemTime::now()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        (Server::start(listener, routes(rules.clone())).unwrap(), rules)
    }

    /// Status, head in lower case, body.
    fn call(addr: SocketAddr, method: &str, path: &str, body: &[u8]) -> (u16, String, Value) {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: xray-daemon:2000\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_lowercase(), serde_json::from_str(body).unwrap())
    }

    #[test]
    fn rules_targets_and_statistics_are_answered() {
        let (server, rules) = serve();
        let (status, head, body) = call(server.addr(), "POST", "/GetSamplingRules", b"{}");
        assert_eq!(
            (status, &body["SamplingRuleRecords"][0]["SamplingRule"]["FixedRate"]),
            (200, &json!(1.0))
        );
        assert!(head.contains("content-type: application/json"), "{head}");
        // As the SDKs for Java and Go send it, and with nothing at all.
        assert_eq!(call(server.addr(), "POST", "/GetSamplingRules", br#"{"NextToken":null}"#).0, 200);
        assert_eq!(call(server.addr(), "POST", "/GetSamplingRules", b"").0, 200);

        let report = json!({
            "RuleName": "Default", "ClientID": "0123456789abcdef01234567", "Timestamp": 1_500_000_000,
            "RequestCount": 10, "SampledCount": 10, "BorrowCount": 0,
        });
        let request = json!({ "SamplingStatisticsDocuments": [report] }).to_string();
        let (status, _, body) = call(server.addr(), "POST", "/SamplingTargets", request.as_bytes());
        assert_eq!((status, &body["SamplingTargetDocuments"][0]["ReservoirQuota"]), (200, &json!(1)));
        let (status, _, body) = call(server.addr(), "POST", "/SamplingStatisticSummaries", b"{}");
        assert_eq!((status, &body["SamplingStatisticSummaries"][0]["RequestCount"]), (200, &json!(10)));
        let stats = rules.stats();
        assert_eq!((stats.rules_requests, stats.targets_requests, stats.summaries_requests), (3, 1, 1));
    }

    #[test]
    fn what_is_refused_is_refused_in_the_form_of_the_api() {
        let (server, _) = serve();
        let (status, head, body) = call(server.addr(), "POST", "/SamplingTargets", b"{}");
        assert_eq!((status, &body["__type"]), (400, &json!("InvalidRequestException")));
        assert!(head.contains("x-amzn-errortype: invalidrequestexception"), "{head}");
        assert!(body["Message"].as_str().unwrap().contains("SamplingStatisticsDocuments"), "{body}");

        let large = vec![b' '; MOST + 1];
        let (status, _, body) = call(server.addr(), "POST", "/GetSamplingRules", &large);
        assert_eq!((status, &body["__type"]), (413, &json!("RequestEntityTooLargeException")));
        assert_eq!(call(server.addr(), "POST", "/GetSamplingRules", &large[..MOST]).0, 200);

        let (status, head, _) = call(server.addr(), "GET", "/GetSamplingRules", b"");
        assert!(status == 405 && head.contains("allow: post"), "{head}");
    }
}

//! The mix of requests that `--demo` and `--load` send.

use std::net::SocketAddr;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method};

/// A request, and the status that it must be answered with.
pub(crate) struct Call {
    post: Option<&'static str>,
    path: &'static str,
    status: u16,
}

const fn get(path: &'static str, status: u16) -> Call {
    Call { post: None, path, status }
}

const fn post(path: &'static str, body: &'static str) -> Call {
    Call { post: Some(body), path, status: 200 }
}

/// Every route, those that people ask for most more than once.
pub(crate) const MIX: &[Call] = &[
    get("/api/activities/home", 200),
    get("/api/activities/notifications", 200),
    get("/api/activities/@sam", 200),
    get("/api/recommendations", 200),
    get("/api/activities/home", 200),
    post("/api/activities", r#"{"message": "Hello from the demo", "ttl": "1-day"}"#),
    get("/api/activities/notifications", 200),
    get("/api/activities/search?term=traces", 200),
    get("/api/message_groups", 200),
    get("/api/messages/@sam", 200),
    get("/api/activities/home", 200),
    post("/api/activities/68f126b0-1ceb-4a33-88be-d90fa7109eee/reply", r#"{"message": "They are"}"#),
    get("/api/recommendations", 200),
    get("/api/activities/68f126b0-1ceb-4a33-88be-d90fa7109eee", 200),
    get("/api/activities/@nobody", 404),
    get("/api/busy", 429),
    get("/api/health-check", 200),
    get("/rollbar/test", 200),
    get("/api/broken", 500),
];

impl Call {
    /// Sends the request to the app at `address` and reads the whole answer; whether its status is the expected one.
    pub(crate) async fn send(&self, client: &Client, address: SocketAddr) -> Result<bool, reqwest::Error> {
        let url = format!("http://{address}{}", self.path);
        let request = match self.post {
            None => client.request(Method::GET, url),
            Some(body) => {
                client.request(Method::POST, url).header(CONTENT_TYPE, "application/json").body(body)
            }
        };
        let response = request.send().await?;
        let status = response.status();
        response.bytes().await?;
        Ok(status.as_u16() == self.status)
    }
}

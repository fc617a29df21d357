//! Deliveries against a real socket, and, where it is about time, against a clock that stands still.

mod answers;
mod clock;
mod faults;
mod log;
mod server;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use self::server::Server;
use super::*;
use crate::Level;
use crate::transport::{HttpSettings, HttpTransport, Proxy};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// An item with a text of so many bytes.
fn item(bytes: usize) -> Ready {
    let uuid = Uuid::new_v4();
    let tree = json!({ "data": {
        "environment": "test", "level": "error", "uuid": uuid.to_string(), "timestamp": 1.5,
        "notifier": { "name": "rollbar-runtime", "version": "0.0.0" },
        "body": { "message": { "body": "x".repeat(bytes) } },
    } });
    Ready::new(uuid, Level::Error, tree)
}

fn settings() -> DeliverySettings {
    let backoff = Backoff { base: Duration::from_millis(1), ..Backoff::default() };
    DeliverySettings {
        backoff,
        token: TOKEN.to_owned(),
        host: Some("h1".to_owned()),
        ..DeliverySettings::default()
    }
}

fn transport(endpoint: &str, proxy: Proxy, timeout: Duration) -> HttpTransport {
    let endpoint = endpoint.parse().unwrap();
    let settings = HttpSettings {
        endpoint,
        token: TOKEN.to_owned(),
        proxy,
        timeout: Some(timeout),
        ..HttpSettings::default()
    };
    HttpTransport::new(&settings).unwrap()
}

fn delivery_to(endpoint: &str) -> Delivery {
    let transport = transport(endpoint, Proxy::Off, Duration::from_secs(10));
    Delivery::new(DeliverySettings { endpoint: endpoint.to_owned(), ..settings() }, Arc::new(transport))
}

fn delivery(server: &Server) -> Delivery {
    delivery_to(&server.url())
}

fn impatient(server: &Server) -> Delivery {
    let transport = transport(&server.url(), Proxy::Off, Duration::from_millis(100));
    Delivery::new(settings(), Arc::new(transport))
}

//! The request that was served.

use serde::Serialize;
use serde_json::{Map, Value};

/// The request that was served.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Request {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) headers: Map<String, Value>,
    /// Of the route.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) params: Map<String, Value>,
    #[serde(rename = "GET", skip_serializing_if = "Map::is_empty")]
    pub(crate) query: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) query_string: Option<String>,
    /// Of a form.
    #[serde(rename = "POST", skip_serializing_if = "Map::is_empty")]
    pub(crate) post: Map<String, Value>,
    /// A body that is JSON: as a tree, so that secrets in it are known by their keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) json: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_ip: Option<String>,
}

impl Request {
    /// A request of this method and address.
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Self { url: Some(url.into()), method: Some(method.to_owned()), ..Self::default() }
    }

    /// The address.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// The method.
    pub fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// Adds a header; one that is there already becomes a list of both.
    pub fn put_header(&mut self, name: &str, value: &str) {
        put(&mut self.headers, name, value);
    }

    /// Adds a value of the route, such as `id` of `/users/{id}`.
    pub fn put_param(&mut self, name: &str, value: &str) {
        put(&mut self.params, name, value);
    }

    /// Adds a value of the query; one that is there already becomes a list of both.
    pub fn put_query(&mut self, name: &str, value: &str) {
        put(&mut self.query, name, value);
    }

    /// Adds a value of the form in the body; one that is there already becomes a list of both.
    pub fn put_form(&mut self, name: &str, value: &str) {
        put(&mut self.post, name, value);
    }

    /// Sets the body's JSON.
    pub fn set_json(&mut self, json: Option<Value>) {
        self.json = json;
    }

    /// Sets the body's text. What has keys is better a form or JSON: in a text no key tells what is a secret.
    pub fn set_body(&mut self, body: Option<String>) {
        self.body = body;
    }

    /// The client's address as the policy of the builder left it.
    pub fn user_ip(&self) -> Option<&str> {
        self.user_ip.as_deref()
    }
}

fn put(map: &mut Map<String, Value>, name: &str, value: &str) {
    match map.get_mut(name) {
        None => {
            map.insert(name.to_owned(), value.into());
        }
        Some(Value::Array(values)) => values.push(value.into()),
        Some(first) => *first = Value::Array(vec![first.take(), value.into()]),
    }
}

//! The calls that read: items, occurrences, deploys.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Value, json};

use super::store::Store;
use super::{Answer, Deploy, Item, Occurrence, Refused, Request};

const ITEMS_A_PAGE: usize = 100;
const INSTANCES_A_PAGE: usize = 20;
const DEPLOYS_A_PAGE: usize = 20;

/// Answers a `GET` of a path below `/api/1/`.
pub(super) fn read(store: &Store, parts: &[&str], request: &Request<'_>) -> Result<Answer, Refused> {
    let query: Vec<(Cow<'_, str>, Cow<'_, str>)> = form_urlencoded::parse(request.query.as_bytes()).collect();
    match *parts {
        ["items"] => Ok(items(store, &query)),
        ["item", id] => found("item", number(id).and_then(|id| store.item(id)).map(Item::to_json)),
        ["item_by_counter", counter] => item_by_counter(store, counter, request),
        ["item", id, "instances"] => {
            let id = number(id);
            let of_item = |occurrence: &&Arc<Occurrence>| Some(occurrence.item_id) == id;
            let known = id.and_then(|id| store.item(id)).is_some();
            match known {
                true => Ok(instances(store.occurrences().filter(of_item), &query)),
                false => Err(Refused::not_found("item")),
            }
        }
        ["instances"] => Ok(instances(store.occurrences(), &query)),
        ["instance", id] => found(
            "instance",
            number(id).and_then(|id| store.occurrence(id)).map(|occurrence| instance(occurrence)),
        ),
        ["deploys"] => {
            let (page, skip) = page(&query, DEPLOYS_A_PAGE);
            let deploys: Vec<Value> =
                store.deploys().skip(skip).take(DEPLOYS_A_PAGE).map(Deploy::to_json).collect();
            Ok(Answer::ok(json!({ "page": page, "deploys": deploys })))
        }
        ["deploy", id] => {
            let id = number(id);
            found("deploy", store.deploys().find(|deploy| Some(deploy.id) == id).map(Deploy::to_json))
        }
        _ => Err(Refused::not_found("call")),
    }
}

type Query<'a> = [(Cow<'a, str>, Cow<'a, str>)];

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn found(what: &str, value: Option<Value>) -> Result<Answer, Refused> {
    value.map(Answer::ok).ok_or_else(|| Refused::not_found(what))
}

/// The page that is asked for, counted from 1, and how many come before it.
fn page(query: &Query<'_>, size: usize) -> (usize, usize) {
    let asked = query.iter().find(|(key, _)| key == "page").and_then(|(_, value)| value.parse().ok());
    let page: usize = asked.unwrap_or(1).max(1);
    (page, (page - 1).saturating_mul(size))
}

fn items(store: &Store, query: &Query<'_>) -> Answer {
    // A filter may be given several times: any of its values does.
    let is_asked = |key: &str, own: &str| {
        let mut asked = query.iter().filter(|(name, _)| name == key).peekable();
        asked.peek().is_none() || asked.any(|(_, value)| value == own)
    };
    let words: Vec<String> =
        query.iter().filter(|(key, _)| key == "query").map(|(_, value)| value.to_lowercase()).collect();
    let wanted = |item: &&Item| {
        is_asked("status", &item.status)
            && is_asked("level", &item.level)
            && is_asked("environment", &item.environment)
            && words.iter().all(|word| item.title.to_lowercase().contains(&**word))
    };
    let all: Vec<&Item> = store.items().into_iter().filter(wanted).collect();
    let (page, skip) = page(query, ITEMS_A_PAGE);
    let items: Vec<Value> = all.iter().skip(skip).take(ITEMS_A_PAGE).map(|item| item.to_json()).collect();
    Answer::ok(json!({ "page": page, "items": items, "total_count": all.len() }))
}

/// A redirect to the item, as Rollbar gives it.
fn item_by_counter(store: &Store, counter: &str, request: &Request<'_>) -> Result<Answer, Refused> {
    let counter = number(counter);
    let mut items = store.items().into_iter();
    let item = items.find(|item| Some(item.counter) == counter).ok_or_else(|| Refused::not_found("item"))?;
    // With the query: it may have the token.
    let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let (path, uri) = (format!("/item/{}{query}", item.id), format!("/api/1/item/{}{query}", item.id));
    let mut answer = Answer::ok(json!({ "itemId": item.id, "path": path, "uri": uri }));
    answer.status = 301;
    answer.headers.push(("Location".into(), uri));
    Ok(answer)
}

fn instances<'a>(all: impl Iterator<Item = &'a Arc<Occurrence>>, query: &Query<'_>) -> Answer {
    let (page, skip) = page(query, INSTANCES_A_PAGE);
    let instances: Vec<Value> =
        all.skip(skip).take(INSTANCES_A_PAGE).map(|occurrence| instance(occurrence)).collect();
    Answer::ok(json!({ "page": page, "instances": instances }))
}

fn instance(occurrence: &Occurrence) -> Value {
    json!({
        "id": occurrence.id,
        "item_id": occurrence.item_id,
        "project_id": 1,
        "version": 2,
        "timestamp": occurrence.timestamp,
        "uuid": occurrence.uuid,
        "data": occurrence.data,
    })
}

//! The double: a request in, an answer out.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use serde_json::{Map, Value, json};

use super::access::{authorize, masked, scopes_of_item, token, token_or_query};
use super::answer::{Body, Event};
use super::deploy::Wrong;
use super::fault::Faults;
use super::payload::{decoded, is_form, json_text, parse};
use super::reading::read;
use super::store::Store;
use super::validity::violations;
use super::{Answer, Deploy, Fault, Item, Occurrence, Refused, Request, Scope, Settings, TokenState};

/// A double of Rollbar's API in memory. It may be shared by threads.
#[derive(Debug)]
pub struct Double {
    settings: Settings,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    store: Store,
    faults: Faults,
    stats: Stats,
}

/// What a double counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Occurrences accepted and stored.
    pub occurrences: u64,
    /// Occurrences accepted and discarded, because the uuid was known.
    pub duplicates: u64,
    /// Occurrences stored with at least one warning.
    pub warned: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Deploys told.
    pub deploys: u64,
    /// Calls that met an injected fault.
    pub faults: u64,
    /// Items forgotten to make room.
    pub evicted_items: u64,
    /// Occurrences forgotten to make room.
    pub evicted_occurrences: u64,
}

impl Double {
    /// A double with nothing in it.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, state: Mutex::default() }
    }

    /// Its settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Answers a request. What Rollbar does not know is answered 404, a wrong method 405.
    pub fn answer(&self, request: &Request<'_>) -> Answer {
        let own = match request.fault {
            Some(_) => None,
            None => self.state().faults.next(|fault| fault.meets(request)),
        };
        let Some(fault) = request.fault.filter(|fault| fault.meets(request)).or(own.as_ref()) else {
            return self.serve(request, None);
        };
        self.state().stats.faults += 1;
        let token = token_or_query(request, None);
        match fault.replaced(token.as_ref()) {
            None => fault.dress(self.serve(request, fault.token_state)),
            Some(mut answer) => {
                if fault.accept {
                    let served = self.serve(request, fault.token_state);
                    (answer.event, answer.warnings) = (served.event, served.warnings);
                } else {
                    let message = masked(answer.message().unwrap_or_default(), token.as_ref());
                    answer.event = Some(Event::Refused(Refused::new(answer.status, "injected", message)));
                }
                fault.dress(answer)
            }
        }
    }

    /// Lets the next calls meet this fault; faults are met in the order in which they were injected. Of more than 1,000
    /// that wait, the oldest is forgotten.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Forgets the injected faults; tells how many.
    pub fn clear_faults(&self) -> usize {
        self.state().faults.clear()
    }

    /// Takes the next fault of this path if it begins before the body is read ([`Fault::slow_read_ms`]), to be given as
    /// [`Request::fault`]. Any other is left to [`Double::answer`].
    #[must_use = "the fault is taken from the queue"]
    pub fn take_fault(&self, path: &str) -> Option<Fault> {
        self.state().faults.next(|fault| fault.slow_read_ms > 0 && path.starts_with(&*fault.path))
    }

    /// What was counted so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let state = self.state();
        let (evicted_items, evicted_occurrences) =
            (state.store.evicted_items, state.store.evicted_occurrences);
        Stats { evicted_items, evicted_occurrences, ..state.stats }
    }

    /// The items that are kept, the one that was seen last first.
    #[must_use]
    pub fn items(&self) -> Vec<Item> {
        self.state().store.items().into_iter().cloned().collect()
    }

    /// The last occurrences, at most so many, the newest first.
    #[must_use]
    pub fn occurrences(&self, limit: usize) -> Vec<Arc<Occurrence>> {
        self.state().store.occurrences().take(limit).map(Arc::clone).collect()
    }

    /// The last deploys, at most so many, the newest first.
    #[must_use]
    pub fn deploys(&self, limit: usize) -> Vec<Deploy> {
        self.state().store.deploys().take(limit).cloned().collect()
    }

    /// A lock whose holder panicked guards data that is whole all the same: nothing done under it stops half-way.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers without a fault but, perhaps, that of the token.
    fn serve(&self, request: &Request<'_>, token_state: Option<TokenState>) -> Answer {
        let path = request.path.strip_prefix("/api/1/").unwrap_or_default();
        let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
        let Some(methods) = methods_of(&parts) else {
            return self.refused(Refused::new(404, "not-found", "not found"), None);
        };
        if !methods.contains(&request.method) {
            let mut answer = self.refused(Refused::new(405, "method", "method not allowed"), None);
            answer.headers.push(("Allow".into(), methods.join(", ")));
            return answer;
        }
        match (parts.as_slice(), request.method) {
            (["status", "ping"], _) => Answer::new(200, "ok", Body::Text("pong".to_owned())),
            (["item"], _) => self.add_item(request, token_state),
            (["deploy"], _) => self.add_deploy(request, token_state),
            (["item", id], "PATCH") => self.change_item(id, request, token_state),
            (["deploy", id], "PATCH") => self.change_deploy(id, request, token_state),
            (["instance", id], "DELETE") => self.delete(id, request, token_state),
            _ => {
                let token = token_or_query(request, None);
                authorize(&self.settings.tokens, token.as_ref(), &[Scope::Read], token_state)
                    .and_then(|()| read(&self.state().store, &parts, request))
                    .unwrap_or_else(|refused| self.refused(refused, token.as_ref()))
            }
        }
    }

    /// The answer that refuses; counts it, and tells those who watch.
    fn refused(&self, mut refused: Refused, token: Option<&Value>) -> Answer {
        self.state().stats.refused += 1;
        let mut answer = Answer::refusing(&refused);
        refused.message = masked(&refused.message, token);
        answer.event = Some(Event::Refused(refused));
        answer
    }

    /// `POST /api/1/item/`.
    fn add_item(&self, request: &Request<'_>, token_state: Option<TokenState>) -> Answer {
        let payload = decoded(request, self.settings.max_bytes).and_then(|body| {
            let text = json_text(request, &body);
            Ok((parse(&text)?, text.len()))
        });
        let (mut payload, bytes) = match payload {
            Ok((payload @ Value::Object(_), bytes)) => (payload, bytes),
            Ok(_) => return self.refused(no_object(), None),
            Err(refused) => return self.refused(refused, None),
        };
        let token = token(request, Some(&payload));
        let scopes = scopes_of_item(payload.get("data"));
        if let Err(refused) = authorize(&self.settings.tokens, token.as_ref(), scopes, token_state) {
            return self.refused(refused, token.as_ref());
        }
        let broken = violations(&payload);
        if let Some(first) = broken.iter().find(|violation| violation.is_refused(self.settings.mode)) {
            let refused =
                Refused::new(422, first.reason.clone(), format!("Invalid format. {}", first.message));
            return self.refused(refused, token.as_ref());
        }
        let occurrence = Occurrence::read(payload["data"].take(), bytes, request.remote, request.now);
        let mut answer = Answer::ok(json!({ "id": null, "uuid": occurrence.uuid }));
        answer.warnings = broken.iter().map(ToString::to_string).collect();
        let mut state = self.state();
        if state.store.knows(&occurrence.uuid) {
            state.stats.duplicates += 1;
            answer.reason = "duplicate".into();
            return answer;
        }
        state.stats.occurrences += 1;
        state.stats.warned += u64::from(!broken.is_empty());
        answer.event = Some(Event::Occurrence(state.store.add(occurrence, &self.settings)));
        answer
    }

    /// `POST /api/1/deploy/`.
    fn add_deploy(&self, request: &Request<'_>, token_state: Option<TokenState>) -> Answer {
        let (token, fields) = self.fields(request, &[Scope::PostServerItem], token_state);
        let deploy = match fields.and_then(|fields| Deploy::read(&fields, unix(request)).map_err(wrong)) {
            Ok(deploy) => deploy,
            Err(refused) => return self.refused(refused, token.as_ref()),
        };
        let mut state = self.state();
        let deploy = state.store.add_deploy(deploy);
        state.stats.deploys += 1;
        let body = json!({ "err": 0, "data": { "deploy_id": deploy.id } });
        let mut answer = Answer::new(200, "ok", Body::Json(body));
        answer.event = Some(Event::Deploy(deploy));
        answer
    }

    /// `PATCH /api/1/item/<id>`.
    fn change_item(&self, id: &str, request: &Request<'_>, token_state: Option<TokenState>) -> Answer {
        let (token, fields) = self.fields(request, &[Scope::Write], token_state);
        let changed = fields.and_then(|fields| {
            let mut state = self.state();
            let item = id.parse().ok().and_then(|id| state.store.item_mut(id));
            let item = item.ok_or_else(|| Refused::not_found("item"))?;
            item.change(&fields, unix(request)).map_err(wrong)?;
            Ok(Answer::ok(item.to_json()))
        });
        changed.unwrap_or_else(|refused| self.refused(refused, token.as_ref()))
    }

    /// `PATCH /api/1/deploy/<id>`.
    fn change_deploy(&self, id: &str, request: &Request<'_>, token_state: Option<TokenState>) -> Answer {
        let (token, fields) = self.fields(request, &[Scope::PostServerItem, Scope::Write], token_state);
        let changed = fields.and_then(|fields| {
            let mut state = self.state();
            let deploy = id.parse().ok().and_then(|id| state.store.deploy_mut(id));
            let deploy = deploy.ok_or_else(|| Refused::not_found("deploy"))?;
            deploy.change(&fields, unix(request)).map_err(wrong)?;
            let mut answer = Answer::ok(deploy.to_json());
            answer.event = Some(Event::Deploy(deploy.clone()));
            Ok(answer)
        });
        changed.unwrap_or_else(|refused| self.refused(refused, token.as_ref()))
    }

    /// `DELETE /api/1/instance/<id>`.
    fn delete(&self, id: &str, request: &Request<'_>, token_state: Option<TokenState>) -> Answer {
        let token = token_or_query(request, None);
        let deleted = authorize(&self.settings.tokens, token.as_ref(), &[Scope::Write], token_state)
            .and_then(|()| {
                let deleted = id.parse().is_ok_and(|id| self.state().store.delete_occurrence(id));
                if deleted { Ok(Answer::ok(json!({}))) } else { Err(Refused::not_found("instance")) }
            });
        deleted.unwrap_or_else(|refused| self.refused(refused, token.as_ref()))
    }

    /// The fields of a JSON object or a form, once the token that comes with them is found good. The token comes back
    /// either way, for its mask.
    fn fields(
        &self,
        request: &Request<'_>,
        scopes: &[Scope],
        token_state: Option<TokenState>,
    ) -> (Option<Value>, Result<Map<String, Value>, Refused>) {
        let fields = decoded(request, self.settings.max_bytes).and_then(|body| {
            if is_form(request) {
                let pairs = form_urlencoded::parse(&body);
                let field = |(key, value): (Cow<'_, str>, Cow<'_, str>)| {
                    (key.into_owned(), Value::from(value.into_owned()))
                };
                return Ok(Value::Object(pairs.map(field).collect()));
            }
            match body.trim_ascii() {
                b"" => Ok(Value::Object(Map::new())),
                text => parse(text),
            }
        });
        let token = token_or_query(request, fields.as_ref().ok());
        let fields = fields.and_then(|fields| {
            authorize(&self.settings.tokens, token.as_ref(), scopes, token_state)?;
            match fields {
                Value::Object(fields) => Ok(fields),
                _ => Err(no_object()),
            }
        });
        (token, fields)
    }
}

/// The refusal of a payload that is no object.
fn no_object() -> Refused {
    Refused::new(422, "type:payload", "Invalid format. payload should be object.")
}

/// The refusal of a field.
fn wrong((reason, message): Wrong) -> Refused {
    Refused::new(422, reason, format!("Invalid format. {message}"))
}

/// The methods of a path below `/api/1/`; none where there is no such path.
fn methods_of(parts: &[&str]) -> Option<&'static [&'static str]> {
    match parts {
        ["item" | "deploy"] => Some(&["POST"]),
        ["item" | "deploy", _] => Some(&["GET", "PATCH"]),
        ["instance", _] => Some(&["GET", "DELETE"]),
        ["status", "ping"]
        | ["items" | "instances" | "deploys"]
        | ["item", _, "instances"]
        | ["item_by_counter", _] => Some(&["GET"]),
        _ => None,
    }
}

/// When a request came, in Unix seconds.
fn unix(request: &Request<'_>) -> u64 {
    request.now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

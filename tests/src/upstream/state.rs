//! What the double was told and what came to it, shared by its thread and the test.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::account::{Account, Call, Document, documents, id};
use super::behaviour::{Answer, Behaviour, End};
use super::http::Head;
use super::sigv4::{Expected, Key, Signed};
use super::{ANY, PATIENCE, SAMPLING_RULES, SAMPLING_TARGETS, TELEMETRY_RECORDS, TRACE_SEGMENTS};

#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    account: Account,
    keys: Vec<Key>,
    expired: Vec<Key>,
    region: String,
    /// For each path, or [`ANY`]: what comes next, and how many times (`None`: until changed).
    behaviours: HashMap<String, VecDeque<(Option<usize>, Behaviour)>>,
    /// Connections that are reset when they are accepted.
    resets: usize,
    most_documents: Option<usize>,
}

impl Shared {
    pub(super) fn new(region: &str, key: Key) -> Self {
        let state = State {
            account: Account::default(),
            keys: vec![key],
            expired: Vec::new(),
            region: region.to_owned(),
            behaviours: HashMap::new(),
            resets: 0,
            most_documents: None,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn account(&self) -> Account {
        self.lock().account.clone()
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&Account) -> T) -> T {
        read(&self.lock().account)
    }

    /// Waits until something holds of what came; whether it does.
    pub(super) fn wait<T>(&self, mut reached: impl FnMut(&Account) -> Option<T>) -> Option<T> {
        let end = Instant::now() + PATIENCE;
        let mut state = self.lock();
        loop {
            if let Some(found) = reached(&state.account) {
                return Some(found);
            }
            let left = end.checked_duration_since(Instant::now())?;
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn program(&self, path: &str, times: Option<usize>, behaviour: Behaviour) {
        self.lock().behaviours.entry(path.to_owned()).or_default().push_back((times, behaviour));
    }

    pub(super) fn forget(&self, path: Option<&str>) {
        let mut state = self.lock();
        match path {
            Some(path) => drop(state.behaviours.remove(path)),
            None => state.behaviours.clear(),
        }
    }

    pub(super) fn reset_connections(&self, count: usize) {
        self.lock().resets += count;
    }

    pub(super) fn limit(&self, documents: Option<usize>) {
        self.lock().most_documents = documents;
    }

    pub(super) fn know(&self, key: Key) {
        self.lock().keys.push(key);
    }

    pub(super) fn expire(&self, access_key_id: &str) {
        let mut state = self.lock();
        let (expired, keys) =
            std::mem::take(&mut state.keys).into_iter().partition(|key| key.access_key_id == access_key_id);
        state.keys = keys;
        state.expired.extend::<Vec<Key>>(expired);
    }

    pub(super) fn resets_connection(&self) -> bool {
        let mut state = self.lock();
        let reset = state.resets > 0;
        state.resets = state.resets.saturating_sub(1);
        reset
    }

    /// What the next call to a path meets: what was said for the path, else for any.
    pub(super) fn behaviour(&self, path: &str) -> Behaviour {
        let mut state = self.lock();
        for name in [path, ANY] {
            let Some(queue) = state.behaviours.get_mut(name) else { continue };
            queue.retain(|(times, _)| *times != Some(0));
            if let Some((times, behaviour)) = queue.front_mut() {
                *times = times.map(|times| times - 1);
                return behaviour.clone();
            }
        }
        Behaviour::usual()
    }

    /// Notes a call and tells its answer; `None` where there is none.
    pub(super) fn take(
        &self,
        head: &Head,
        body: Vec<u8>,
        connection: u64,
        behaviour: &Behaviour,
    ) -> Option<Answer> {
        let mut state = self.lock();
        let documents = (head.path() == TRACE_SEGMENTS).then(|| documents(&body)).flatten();
        let answer = state.answer(head, &body, documents.as_deref(), behaviour);
        let call = Call {
            at: Instant::now(),
            method: head.method.clone(),
            target: head.target.clone(),
            headers: head.headers.clone(),
            body,
            documents: documents.as_ref().map_or(0, Vec::len),
            status: answer.as_ref().map(|answer| answer.status),
            connection,
        };
        let account = &mut state.account;
        if call.status.is_none_or(|status| status == 200) {
            let call = account.calls.len();
            let mut documents =
                documents.into_iter().flatten().map(|text| Document { id: id(&text), text, call });
            account.unprocessed.extend(documents.by_ref().take(behaviour.refused()));
            account.kept.extend(documents);
        } else {
            account.refused += call.documents;
        }
        if call.path() == TELEMETRY_RECORDS && call.status == Some(200) {
            account.telemetry.extend(Account::telemetry_records(&call.body));
        }
        account.calls.push(call);
        drop(state);
        self.changed.notify_all();
        answer
    }
}

impl Behaviour {
    /// How many documents of a batch are refused, of those that are answered.
    fn refused(&self) -> usize {
        if self.end == End::Usual { self.unprocessed } else { 0 }
    }
}

impl State {
    fn answer(
        &mut self,
        head: &Head,
        body: &[u8],
        documents: Option<&[String]>,
        behaviour: &Behaviour,
    ) -> Option<Answer> {
        match behaviour.end {
            End::Usual | End::Answer(_) => {}
            End::Hang | End::Close | End::Reset | End::ResetUnread | End::ResetInAnswer => return None,
        }
        if let Err(answer) = self.verify(head, body) {
            self.account.unsigned += 1;
            return Some(answer);
        }
        if let End::Answer(answer) = &behaviour.end {
            return Some(answer.clone());
        }
        Some(match head.path() {
            TRACE_SEGMENTS => match documents {
                None => Answer::error(400, "InvalidRequestException", "TraceSegmentDocuments: texts"),
                Some(documents) if self.most_documents.is_some_and(|most| documents.len() > most) => {
                    Answer::error(413, "RequestEntityTooLargeException", "fewer documents")
                }
                Some(documents) => {
                    let refused = documents.iter().take(behaviour.unprocessed);
                    let refused: Vec<Value> = refused
                        .map(|text| json!({"Id": id(text), "ErrorCode": "MalformedDocument", "Message": "as the test wants it"}))
                        .collect();
                    Answer::new(200, json!({ "UnprocessedTraceSegments": refused }).to_string())
                }
            },
            SAMPLING_RULES => Answer::new(200, super::DEFAULT_RULES),
            SAMPLING_TARGETS => {
                let targets = json!({"LastRuleModification": 1.6e9, "SamplingTargetDocuments": [], "UnprocessedStatistics": []});
                Answer::new(200, targets.to_string())
            }
            _ => Answer::new(200, "{}"),
        })
    }

    fn verify(&self, head: &Head, body: &[u8]) -> Result<(), Answer> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let all: Vec<Key> = self.keys.iter().chain(&self.expired).cloned().collect();
        let expected = Expected { keys: &all, region: &self.region, service: "xray", now };
        let signed = Signed { method: &head.method, target: &head.target, headers: &head.headers, body };
        match signed.verify(&expected) {
            Ok(key) if self.keys.contains(key) => Ok(()),
            Ok(_) => Err(Answer::error(
                403,
                "ExpiredTokenException",
                "The security token included in the request is expired",
            )),
            Err(refusal) => Err(Answer::error(403, refusal.error_type(), &refusal.to_string())),
        }
    }
}

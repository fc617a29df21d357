//! A recorder whose documents come through a channel, and the trees that they make together.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::Value;
use xray_runtime::{AllSampler, Batch, Exporter, Recorder, RecorderBuilder};

/// How long an event may take that should come in milliseconds: other tests have the machine too.
pub const SOON: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct ToChannel(Sender<String>);

impl Exporter for ToChannel {
    fn export(&mut self, batch: &mut Batch) {
        for document in batch.documents() {
            // A test that has seen enough no longer listens.
            let _ = self.0.send(document.json().to_owned());
        }
    }
}

/// What a recorder delivers.
pub struct Delivered(pub Receiver<String>);

/// A recorder that samples all and streams as described.
pub fn recorder_with(describe: impl FnOnce(RecorderBuilder) -> RecorderBuilder) -> (Recorder, Delivered) {
    let (sender, receiver) = channel();
    let builder = Recorder::builder().service("faults").sampler(AllSampler).exporter(ToChannel(sender));
    (describe(builder).build().unwrap(), Delivered(receiver))
}

pub fn recorder() -> (Recorder, Delivered) {
    recorder_with(|builder| builder)
}

impl Delivered {
    /// The next document, without a flush.
    #[track_caller]
    pub fn next(&self) -> Value {
        parse(&self.0.recv_timeout(SOON).expect("a document in time"))
    }

    /// All documents of what has ended so far.
    pub fn flushed(&self, recorder: &Recorder) -> Vec<Value> {
        recorder.flush(SOON);
        self.0.try_iter().map(|text| parse(&text)).collect()
    }

    /// The trees of all that has ended, with everything checked that holds for any of them: nothing lost, ids unique,
    /// parents known, documents within their limits.
    #[track_caller]
    pub fn complete(&self, recorder: &Recorder) -> Forest {
        let forest = Forest::of(&self.flushed(recorder));
        let stats = recorder.stats();
        assert_eq!((stats.pending, stats.dropped()), (0, 0), "{stats:?}");
        assert_eq!(stats.sent, stats.recorded, "{stats:?}");
        assert_eq!(forest.entities.len() as u64, stats.sent, "as many as are counted, {stats:?}");
        forest.check();
        forest
    }
}

/// As a reader would: with serde_json's limit of depth.
#[track_caller]
pub fn parse(text: &str) -> Value {
    assert!(text.len() <= 64_000, "a document of {} bytes", text.len());
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {}", &text[..text.len().min(2_000)]))
}

/// Every segment and subsegment by id.
#[derive(Debug, Default)]
pub struct Forest {
    pub entities: BTreeMap<String, Found>,
    /// Ids of documents that came twice, both ended.
    pub twice: Vec<String>,
    pub depth: usize,
}

#[derive(Clone, Debug)]
pub struct Found {
    pub name: String,
    pub parent: Option<String>,
    pub json: Value,
}

impl Forest {
    pub fn of(documents: &[Value]) -> Self {
        let mut forest = Self::default();
        for document in documents {
            let parent = document.get("parent_id").and_then(Value::as_str).map(str::to_owned);
            forest.add(document, parent, 1);
        }
        forest
    }

    fn add(&mut self, json: &Value, parent: Option<String>, depth: usize) {
        self.depth = self.depth.max(depth);
        let id = json["id"].as_str().unwrap().to_owned();
        for child in json.get("subsegments").and_then(Value::as_array).into_iter().flatten() {
            self.add(child, Some(id.clone()), depth + 1);
        }
        let name = json["name"].as_str().unwrap().to_owned();
        let mut own = json.clone();
        own.as_object_mut().unwrap().remove("subsegments");
        let ended = own.get("in_progress").is_none();
        let found = Found { name, parent, json: own };
        if let Some(before) = self.entities.insert(id.clone(), found)
            && ended
            && before.json.get("in_progress").is_none()
        {
            self.twice.push(id);
        }
    }

    /// What holds of any tree.
    #[track_caller]
    pub fn check(&self) {
        assert!(self.twice.is_empty(), "sent twice: {:?}", self.twice);
        assert!(self.depth <= 60, "nested {} deep", self.depth);
        for (id, found) in &self.entities {
            let is_subsegment = found.json.get("trace_id").is_none() || found.json.get("type").is_some();
            if let Some(parent) = &found.parent {
                assert!(!is_subsegment || self.entities.contains_key(parent), "{id} has no parent {parent}");
            } else {
                assert!(!is_subsegment, "{id} has no parent at all");
            }
            if let Some(end) = found.json.get("end_time") {
                assert!(end.as_f64() >= found.json["start_time"].as_f64(), "{}", found.json);
            }
        }
    }

    pub fn named<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f Found> {
        self.entities.values().filter(move |found| found.name == name)
    }

    /// The one entity of this name.
    #[track_caller]
    pub fn one(&self, name: &str) -> &Found {
        let all: Vec<_> = self.entities.values().filter(|found| found.name == name).collect();
        match all[..] {
            [one] => one,
            _ => panic!("{} named {name} among {:?}", all.len(), self.names()),
        }
    }

    pub fn names(&self) -> Vec<&str> {
        self.entities.values().map(|found| found.name.as_str()).collect()
    }

    /// The name of the parent of the one entity of this name.
    #[track_caller]
    pub fn parent_of(&self, name: &str) -> &str {
        let parent = self.one(name).parent.as_ref().expect("a parent");
        &self.entities[parent].name
    }
}

impl Found {
    pub fn is(&self, flag: &str) -> bool {
        self.json.get(flag) == Some(&Value::Bool(true))
    }
}

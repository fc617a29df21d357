//! Servers on loopback, and recorders with settings whose documents can be read.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use serde_json::Value;
use xray_runtime::{AllSampler, Batch, Exporter, Recorder, RecorderBuilder};

/// Serves on loopback until the test's runtime ends; returns `http://address`.
pub(crate) async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    format!("http://{address}")
}

/// The documents of a recorder that has settings, which `Recorder::in_memory` has not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Documents(Arc<Mutex<Vec<Value>>>);

impl Exporter for Documents {
    fn export(&mut self, batch: &mut Batch) {
        let documents = batch.documents().map(|document| serde_json::from_str(document.json()).unwrap());
        self.0.lock().unwrap().extend(documents);
    }
}

impl Documents {
    /// Those since the last call.
    pub(crate) fn all(&self, recorder: &Recorder) -> Vec<Value> {
        recorder.flush(Duration::from_secs(10));
        std::mem::take(&mut self.0.lock().unwrap())
    }

    pub(crate) fn only(&self, recorder: &Recorder) -> Value {
        let mut documents = self.all(recorder);
        assert_eq!(documents.len(), 1, "{documents:?}");
        documents.remove(0)
    }
}

/// A recorder that samples everything, but for what `change` says.
pub(crate) fn collecting(change: impl FnOnce(RecorderBuilder) -> RecorderBuilder) -> (Recorder, Documents) {
    let documents = Documents::default();
    let builder = Recorder::builder().service("test").sampler(AllSampler).exporter(documents.clone());
    (change(builder).build().unwrap(), documents)
}

//! Random programs on one thread: what the documents say together is what was done.

use proptest::prelude::*;
use serde_json::{Value, json};
use xray_runtime::{Subsegment, begin_segment, begin_subsegment};

use crate::support::recorder_with;

#[derive(Clone, Debug)]
enum Step {
    Begin(u8),
    /// Ends one of those that are open, counted from the innermost.
    End(u8),
    Annotate(u8, i16),
    Metadata(u8, i16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<u8>().prop_map(Step::Begin),
        // Mostly in order.
        4 => Just(Step::End(0)),
        1 => any::<u8>().prop_map(Step::End),
        1 => (any::<u8>(), any::<i16>()).prop_map(|(of, n)| Step::Annotate(of, n)),
        1 => (any::<u8>(), any::<i16>()).prop_map(|(of, n)| Step::Metadata(of, n)),
    ];
    prop::collection::vec(step, 0..400)
}

#[derive(Debug)]
struct Model {
    name: String,
    parent: Option<usize>,
    ended: bool,
    annotation: Option<i16>,
    metadata: Option<i16>,
}

struct Run {
    model: Vec<Model>,
    open: Vec<(usize, Subsegment)>,
    current: usize,
    annotated: usize,
}

impl Run {
    fn end(&mut self, at: usize) {
        let (index, guard) = self.open.remove(at);
        guard.end();
        self.model[index].ended = true;
        // What is current ends, or stands below what ended: then its nearest open ancestor is current, above that.
        let mut above = Some(self.current);
        while let Some(node) = above {
            if node == index {
                self.current = self.model[index].parent.unwrap();
            }
            above = self.model[node].parent;
        }
        while self.model[self.current].ended {
            self.current = self.model[self.current].parent.unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn documents_say_what_was_done(steps in steps(), threshold in prop::sample::select(vec![0, 1, 3, 100])) {
        let (recorder, delivered) = recorder_with(|builder| builder.streaming_threshold(threshold));
        let entered = recorder.entered();
        let segment = begin_segment("0");
        let mut run = Run {
            model: vec![Model { name: "0".into(), parent: None, ended: false, annotation: None, metadata: None }],
            open: Vec::new(),
            current: 0,
            annotated: 0,
        };
        for step in steps {
            match step {
                Step::Begin(kind) => {
                    let name = run.model.len().to_string();
                    let guard = if kind % 2 == 0 { begin_subsegment(name.clone()) } else {
                        // A literal, as far as the recorder can tell.
                        begin_subsegment(&*name.clone().leak())
                    };
                    run.open.push((run.model.len(), guard));
                    run.model.push(Model { name, parent: Some(run.current), ended: false, annotation: None, metadata: None });
                    run.current = run.model.len() - 1;
                }
                Step::End(from_inside) if !run.open.is_empty() => {
                    run.end(run.open.len() - 1 - from_inside as usize % run.open.len());
                }
                Step::Annotate(of, n) if !run.open.is_empty() && run.annotated < 50 => {
                    let (index, guard) = &run.open[of as usize % run.open.len()];
                    guard.put_annotation("n", n);
                    run.annotated += usize::from(run.model[*index].annotation.replace(n).is_none());
                }
                Step::Metadata(of, n) if !run.open.is_empty() => {
                    let (index, guard) = &run.open[of as usize % run.open.len()];
                    guard.put_metadata("n", n);
                    run.model[*index].metadata = Some(n);
                }
                _ => {}
            }
        }
        while !run.open.is_empty() {
            run.end(run.open.len() - 1);
        }
        segment.end();
        drop(entered);
        let forest = delivered.complete(&recorder);
        prop_assert_eq!(forest.entities.len(), run.model.len());
        for model in &run.model {
            let found = forest.one(&model.name);
            let parent = found.parent.as_ref().map(|parent| forest.entities[parent].name.clone());
            prop_assert_eq!(parent, model.parent.map(|parent| run.model[parent].name.clone()), "of {}", model.name);
            let annotations = found.json.get("annotations").cloned();
            prop_assert_eq!(annotations, model.annotation.map(|n| json!({ "n": n })));
            let metadata: Option<Value> = found.json.get("metadata").cloned();
            prop_assert_eq!(metadata, model.metadata.map(|n| json!({ "default": { "n": n } })));
        }
    }
}

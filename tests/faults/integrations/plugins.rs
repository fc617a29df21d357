//! Plugins before endpoints that hang, close, answer junk or never stop: no segment waits, and the rest is known all the same.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use xray_runtime::{
    BeanstalkPlugin, Ec2Plugin, EcsPlugin, EksPlugin, Platform, Plugin, PluginError, RecorderBuilder,
};

use crate::metadata_endpoint::{Answer, MetadataEndpoint, nobody};
use crate::support::{SOON, recorder_with};

/// The segment of a recorder whose plugins have answered, well or not.
fn segment(describe: impl FnOnce(RecorderBuilder) -> RecorderBuilder) -> Value {
    let (recorder, delivered) = recorder_with(describe);
    assert!(recorder.wait_for_plugins(4 * SOON));
    recorder.begin_segment("here").end();
    delivered.complete(&recorder).one("here").json.clone()
}

fn block<'s>(segment: &'s Value, name: &str) -> Option<&'s Value> {
    segment["aws"].as_object().unwrap().get(name)
}

/// Waits until it is told what to do.
#[derive(Debug)]
struct Held(Mutex<Receiver<()>>);

impl Plugin for Held {
    fn name(&self) -> &str {
        "held"
    }

    fn look(&self, platform: &mut Platform) -> Result<(), PluginError> {
        let _ = self.0.lock().unwrap().recv();
        platform.put("found", "at last");
        Ok(())
    }
}

#[test]
fn no_segment_waits_for_a_plugin_that_hangs() {
    let (release, held) = channel();
    let (recorder, delivered) =
        recorder_with(|builder| builder.plugin(Held(Mutex::new(held))).plugin(Quick(AtomicU32::new(0))));
    recorder.begin_segment("before").end();
    // It could only come without the answer: nobody has given one.
    let before = delivered.next();
    assert_eq!(block(&before, "held"), None);
    release.send(()).unwrap();
    assert!(recorder.wait_for_plugins(SOON));
    recorder.begin_segment("after").end();
    let after = delivered.next();
    assert_eq!(block(&after, "held"), Some(&json!({ "found": "at last" })));
    assert_eq!(block(&after, "quick"), Some(&json!({ "asked": 1 })), "one that hangs holds nobody up");
}

/// Counts how often it is asked.
#[derive(Debug)]
struct Quick(AtomicU32);

impl Plugin for Quick {
    fn name(&self) -> &str {
        "quick"
    }

    fn look(&self, platform: &mut Platform) -> Result<(), PluginError> {
        platform.put_number("asked", (self.0.fetch_add(1, Relaxed) + 1).into());
        Ok(())
    }
}

#[test]
fn plugins_are_asked_once_and_only_where_something_is_recorded() {
    #[derive(Debug)]
    struct Shared(Arc<AtomicU32>);
    impl Plugin for Shared {
        fn name(&self) -> &str {
            "shared"
        }
        fn look(&self, _: &mut Platform) -> Result<(), PluginError> {
            self.0.fetch_add(1, Relaxed);
            Ok(())
        }
    }
    let asked = Arc::new(AtomicU32::new(0));
    let (recorder, delivered) = recorder_with(|builder| builder.plugin(Shared(Arc::clone(&asked))));
    for _ in 0..100 {
        recorder.begin_segment("many").end();
    }
    assert!(recorder.wait_for_plugins(SOON));
    recorder.begin_segment("more").end();
    delivered.complete(&recorder);
    assert_eq!(asked.load(Relaxed), 1);

    let asked = Arc::new(AtomicU32::new(0));
    let (recorder, _) = recorder_with(|builder| builder.enabled(false).plugin(Shared(Arc::clone(&asked))));
    recorder.begin_segment("off").end();
    drop(recorder);
    assert_eq!(Arc::strong_count(&asked), 1, "nobody holds the plugin");
    assert_eq!(asked.load(Relaxed), 0);
}

#[test]
fn a_plugin_that_panics_or_lies_is_left_out() {
    #[derive(Debug)]
    struct Panics;
    impl Plugin for Panics {
        fn name(&self) -> &str {
            "panics"
        }
        fn look(&self, platform: &mut Platform) -> Result<(), PluginError> {
            platform.put("half", "done");
            panic!("the plugin gave up");
        }
    }
    #[derive(Debug)]
    struct Lies;
    impl Plugin for Lies {
        fn name(&self) -> &str {
            "xray"
        }
        fn look(&self, platform: &mut Platform) -> Result<(), PluginError> {
            platform.put("sdk", "X-Ray for \"nobody\"");
            Ok(())
        }
    }
    let segment = segment(|builder| builder.plugin(Panics).plugin(Lies).plugin(Quick(AtomicU32::new(0))));
    assert_eq!(block(&segment, "panics"), None);
    assert_eq!(segment["aws"]["xray"]["sdk"], "X-Ray for Rust");
    assert_eq!(block(&segment, "quick"), Some(&json!({ "asked": 1 })));
}

#[test]
fn a_plugin_that_cannot_say_its_name_holds_nobody_up() {
    #[derive(Debug)]
    struct Nameless;
    impl Plugin for Nameless {
        fn name(&self) -> &str {
            panic!("who am I?");
        }
        fn look(&self, platform: &mut Platform) -> Result<(), PluginError> {
            platform.set_origin("A");
            platform.put("of", "nobody");
            Ok(())
        }
    }
    let segment = segment(|builder| builder.plugin(Nameless).plugin(Quick(AtomicU32::new(0))));
    assert_eq!(block(&segment, "quick"), Some(&json!({ "asked": 1 })));
    assert_eq!(block(&segment, ""), None);
    assert_eq!(segment["origin"], "A");
}

type Fault = (&'static str, fn() -> Answer);

/// What an endpoint may do instead of an answer.
const FAULTS: [Fault; 10] = [
    ("closes", || Answer::Close),
    ("is junk", || Answer::Raw(b"\x16\x03\x01\x00\xff\xff".to_vec())),
    ("is cut", || Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"instanceId\"".to_vec())),
    ("is no JSON", || Answer::ok("<html>not here</html>")),
    ("is another JSON", || Answer::ok(json!([1, 2]))),
    ("knows nothing", || Answer::ok(json!({ "instanceId": 7, "DockerId": "", "data": null }))),
    ("is too deep", || Answer::ok("[".repeat(50_000))),
    ("fails", || Answer::Text(503, "later".into())),
    ("leads elsewhere", || {
        Answer::Raw(b"HTTP/1.1 302 x\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n".to_vec())
    }),
    ("has an endless head", || Answer::Endless(b"HTTP/1.1 200 OK\r\nx: y\r\n".to_vec())),
];

#[test]
fn an_endpoint_without_sense_leaves_segments_as_they_are() {
    // All at the same time: each takes its three tries.
    std::thread::scope(|scope| {
        for (what, answer) in FAULTS {
            scope.spawn(move || {
                let endpoint = MetadataEndpoint::start(move |_| answer());
                let url = endpoint.url();
                let segment = segment(|builder| {
                    builder.plugin(Ec2Plugin::with_endpoint(&url)).plugin(EcsPlugin::with_endpoint(&url))
                });
                assert_eq!(block(&segment, "ec2"), None, "{what}");
                // What needs nobody's answer is known.
                assert_eq!(segment["origin"], "AWS::ECS::Container", "{what}");
                let ecs = block(&segment, "ecs").unwrap().as_object().unwrap();
                assert_eq!(ecs.keys().collect::<Vec<_>>(), ["container"], "{what}");
                assert!(endpoint.requests().len() >= 3, "{what}");
            });
        }
        scope.spawn(|| {
            let segment = segment(|builder| builder.plugin(Ec2Plugin::with_endpoint(nobody())));
            assert_eq!(block(&segment, "ec2"), None);
        });
    });
}

#[test]
fn an_endpoint_that_hangs_is_given_up() {
    let endpoint = MetadataEndpoint::start(|_| Answer::Hang);
    let url = endpoint.url();
    let found = segment(|builder| builder.plugin(EcsPlugin::with_endpoint(&url)));
    assert_eq!(block(&found, "ecs").unwrap().as_object().unwrap().len(), 1);
    assert_eq!(endpoint.requests().len(), 3, "few tries");
}

#[test]
fn an_endpoint_that_comes_late_is_asked_again() {
    let mut left = 2;
    let endpoint = MetadataEndpoint::start(move |head| {
        if head.starts_with("PUT") {
            return Answer::Text(403, String::new());
        }
        left -= 1;
        if left > 0 { Answer::Close } else { Answer::ok(json!({ "instanceId": "i-1" })) }
    });
    let segment = segment(|builder| builder.plugin(Ec2Plugin::with_endpoint(endpoint.url())));
    assert_eq!(block(&segment, "ec2"), Some(&json!({ "instance_id": "i-1" })));
}

#[test]
fn an_answer_that_is_too_long_is_no_answer() {
    let long = json!({ "instanceId": "i-1", "padding": "x".repeat(1 << 20) }).to_string();
    let endpoint = MetadataEndpoint::start(move |_| Answer::ok(&long));
    let segment = segment(|builder| builder.plugin(Ec2Plugin::with_endpoint(endpoint.url())));
    assert_eq!(block(&segment, "ec2"), None);
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-plugins-{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn files_that_are_not_there_or_make_no_sense_are_left_out() {
    let folder = folder("files");
    let path = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let files = [
        folder.join("none"),
        folder.clone(),
        path("empty", b""),
        path("bytes", b"\xff\xfe\x00"),
        path("list", b"[1]"),
        path("other", b"{\"environment_name\": 5, \"deployment_id\": \"x\"}"),
        PathBuf::from("/dev/zero"),
    ];
    std::thread::scope(|scope| {
        for file in files {
            scope.spawn(move || {
                let segment = segment(|builder| builder.plugin(BeanstalkPlugin::with_file(&file)));
                assert_eq!(block(&segment, "elastic_beanstalk"), None, "{}", file.display());
                assert_eq!(segment.get("origin"), None, "{}", file.display());
            });
        }
    });
}

#[test]
fn a_pod_without_rights_is_known_all_the_same() {
    for (what, ca) in [("junk", "no certificate"), ("empty", ""), ("cut", "-----BEGIN CERTIFICATE-----\nMII")]
    {
        let account = folder(&format!("eks-{what}"));
        std::fs::write(account.join("token"), "t").unwrap();
        std::fs::write(account.join("ca.crt"), ca).unwrap();
        let plugin = EksPlugin::new()
            .endpoint(nobody())
            .service_account(&account)
            .control_groups(account.join("none"));
        let segment = segment(|builder| builder.plugin(plugin));
        let eks = block(&segment, "eks").unwrap().as_object().unwrap();
        assert_eq!(eks.keys().collect::<Vec<_>>(), ["pod"], "{what}");
        assert_eq!(segment["origin"], "AWS::EKS::Container");
    }
    let nowhere = EksPlugin::new().service_account(folder("eks-none").join("none"));
    assert_eq!(block(&segment(|builder| builder.plugin(nowhere)), "eks"), None);
}

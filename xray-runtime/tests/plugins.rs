//! Plugins against endpoints and files as the platforms have them: what stands in the `aws` block of a segment.

#![allow(clippy::unwrap_used)] // Not only in the tests themselves.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use xray_runtime::{
    AllSampler, BeanstalkPlugin, CloudWatchLogsPlugin, Ec2Plugin, EcsPlugin, EksPlugin, Platform, Plugin,
    PluginError, Recorder, RecorderBuilder, Sampler, SamplingDecision, SamplingRequest,
};

mod metadata_endpoint;
use metadata_endpoint::{Answer, MetadataEndpoint, answer_ok, head};

/// Longer than anything takes.
const SOON: Duration = Duration::from_secs(20);

/// The segment of a recorder whose plugins have answered.
fn segment(describe: impl FnOnce(RecorderBuilder) -> RecorderBuilder) -> Value {
    let (recorder, captured) = describe(Recorder::builder().service("test")).in_memory().unwrap();
    assert!(recorder.wait_for_plugins(SOON));
    recorder.begin_segment("here").end();
    captured.segment("here").json().clone()
}

/// The `aws` block without the SDK's own part, which has to be there.
fn aws(segment: &Value) -> Value {
    let mut aws = segment["aws"].clone();
    assert!(aws.as_object_mut().unwrap().remove("xray").unwrap()["sdk"].is_string());
    aws
}

fn host() -> String {
    nix::unistd::gethostname().unwrap().into_string().unwrap()
}

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("plugins-{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn identity() -> Answer {
    Answer::ok(json!({
        "accountId": "123456789012", "architecture": "x86_64", "availabilityZone": "eu-west-1b", "billingProducts": null,
        "imageId": "ami-0abc", "instanceId": "i-0123456789abcdef0", "instanceType": "m5.large", "region": "eu-west-1",
    }))
}

fn instance() -> Value {
    json!({ "ec2": {
        "instance_id": "i-0123456789abcdef0", "availability_zone": "eu-west-1b", "instance_size": "m5.large",
        "ami_id": "ami-0abc",
    } })
}

#[test]
fn ec2_is_asked_with_a_token() {
    let endpoint = MetadataEndpoint::start(|head| match head.split(' ').next() {
        Some("PUT") => Answer::ok("dG9rZW4="),
        _ if head.contains("x-aws-ec2-metadata-token: dG9rZW4=\r\n") => identity(),
        _ => Answer::Text(401, String::new()),
    });
    let segment = segment(|builder| builder.plugin(Ec2Plugin::with_endpoint(endpoint.url() + "/")));
    assert_eq!(aws(&segment), instance());
    assert_eq!(segment["origin"], "AWS::EC2::Instance");
    let requests = endpoint.requests();
    assert!(requests[0].starts_with("PUT /latest/api/token HTTP/1.1\r\n"), "{requests:?}");
    assert!(requests[0].contains("x-aws-ec2-metadata-token-ttl-seconds: 60\r\n"), "{requests:?}");
    assert!(requests[1].starts_with("GET /latest/dynamic/instance-identity/document HTTP/1.1\r\n"));
    assert_eq!(requests.len(), 2);
}

#[test]
fn ec2_is_asked_without_where_there_is_no_token() {
    for token in [Answer::Text(404, "no".into()), Answer::Close, Answer::ok("a\r\nb: c"), Answer::ok("")] {
        let mut token = Some(token);
        let endpoint = MetadataEndpoint::start(move |head| match head.split(' ').next() {
            Some("PUT") => token.take().unwrap(),
            _ if head.contains("x-aws-ec2-metadata-token") => Answer::Text(401, String::new()),
            _ => identity(),
        });
        assert_eq!(
            aws(&segment(|builder| builder.plugin(Ec2Plugin::with_endpoint(endpoint.url())))),
            instance()
        );
    }
}

#[test]
fn ecs_tells_of_the_container_and_its_logs() {
    let arn = "arn:aws:ecs:us-west-2:123456789012:container/default/1/2";
    let endpoint = MetadataEndpoint::start(move |_| {
        Answer::ok(json!({
            "DockerId": "ea32192c8553", "Name": "web", "ContainerARN": arn, "LogDriver": "awslogs",
            "LogOptions": { "awslogs-group": "/ecs/web", "awslogs-region": "us-east-1", "awslogs-stream": "s" },
        }))
    });
    let segment = segment(|builder| builder.plugin(EcsPlugin::with_endpoint(endpoint.url() + "/v4/abc-123")));
    let expected = json!({
        "ecs": { "container": host(), "container_id": "ea32192c8553", "container_arn": arn },
        "cloudwatch_logs": [{
            "log_group": "/ecs/web", "arn": "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web",
        }],
    });
    assert_eq!(aws(&segment), expected);
    assert_eq!(segment["origin"], "AWS::ECS::Container");
    assert!(endpoint.requests()[0].starts_with("GET /v4/abc-123 HTTP/1.1\r\n"));
}

#[test]
fn beanstalk_leaves_a_file() {
    let file = folder("beanstalk").join("environment.conf");
    let text = r#"{"deployment_id":2,"version_label":"app-4","environment_name":"Shop-env"}"#;
    std::fs::write(&file, text).unwrap();
    let segment = segment(|builder| builder.plugin(BeanstalkPlugin::with_file(&file)));
    let expected = json!({ "environment_name": "Shop-env", "version_label": "app-4", "deployment_id": 2 });
    assert_eq!(aws(&segment), json!({ "elastic_beanstalk": expected }));
    assert_eq!(segment["origin"], "AWS::ElasticBeanstalk::Environment");
}

/// The API of a cluster, over TLS, with a certificate of the cluster's own authority.
#[test]
fn eks_asks_the_api_of_the_cluster() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let account = folder("eks");
    std::fs::write(account.join("token"), "t0ken\n").unwrap();
    std::fs::write(account.join("ca.crt"), cert.pem()).unwrap();
    let id = "0123456789abcdef".repeat(4);
    std::fs::write(account.join("cgroup"), format!("12:cpu:/kubepods/pod1/{id}\n")).unwrap();

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = Arc::new(config);
    let api = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut connection = rustls::ServerConnection::new(config).unwrap();
        let mut stream = rustls::Stream::new(&mut connection, &mut socket);
        let request = head(&mut stream).unwrap();
        answer_ok(
            &mut stream,
            r#"{"kind":"ConfigMap","data":{"cluster.name":"shop","logs.region":"eu-west-1"}}"#,
        );
        connection.send_close_notify();
        connection.write_tls(&mut socket).unwrap();
        socket.flush().unwrap();
        request
    });

    let plugin = EksPlugin::new()
        .endpoint(format!("https://localhost:{port}"))
        .service_account(&account)
        .control_groups(account.join("cgroup"));
    let segment = segment(|builder| builder.plugin(plugin));
    let expected = json!({
        "eks": { "pod": host(), "container_id": id, "cluster_name": "shop" },
        "cloudwatch_logs": [{ "log_group": "/aws/containerinsights/shop/application" }],
    });
    assert_eq!(aws(&segment), expected);
    assert_eq!(segment["origin"], "AWS::EKS::Container");
    let request = api.join().unwrap();
    let path = "/api/v1/namespaces/amazon-cloudwatch/configmaps/cluster-info";
    assert!(request.starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{request}");
    assert!(request.contains("authorization: Bearer t0ken\r\n"), "{request}");
}

#[test]
fn a_group_of_logs_is_named() {
    let segment = segment(|builder| builder.plugin(CloudWatchLogsPlugin::new().group("/services/orders")));
    assert_eq!(aws(&segment), json!({ "cloudwatch_logs": [{ "log_group": "/services/orders" }] }));
    assert_eq!(segment.get("origin"), None);
}

/// Found at once.
#[derive(Debug)]
struct Fixed(&'static str, Option<&'static str>);

impl Plugin for Fixed {
    fn name(&self) -> &str {
        self.0
    }

    fn look(&self, platform: &mut Platform) -> Result<(), PluginError> {
        if let Some(origin) = self.1 {
            platform.set_origin(origin);
        }
        platform.put("id", "x");
        platform.put_number("number", 7);
        Ok(())
    }
}

#[test]
fn the_last_plugin_with_an_origin_names_it() {
    let three = |builder: RecorderBuilder| {
        builder.plugin(Fixed("one", Some("A"))).plugin(Fixed("two", Some("B"))).plugin(Fixed("three", None))
    };
    let found = segment(three);
    assert_eq!(found["origin"], "B");
    let block = json!({ "id": "x", "number": 7 });
    assert_eq!(aws(&found), json!({ "one": block, "two": block, "three": block }));
    assert_eq!(segment(|builder| three(builder).origin("C"))["origin"], "C", "what code says wins");
}

#[test]
fn a_segment_goes_its_own_way() {
    let (recorder, captured) = Recorder::builder().plugin(Fixed("one", Some("A"))).in_memory().unwrap();
    assert!(recorder.wait_for_plugins(SOON));
    let segment = recorder.begin_segment("here");
    segment.set_origin("mine");
    xray_runtime::begin_subsegment("step").end();
    segment.end();
    let segment = captured.segment("here");
    assert_eq!(segment.json()["origin"], "mine");
    assert_eq!(segment.subsegment("step").json().get("aws"), None, "it is the segment's");
}

#[test]
fn without_plugins_there_is_nothing_to_wait_for() {
    let (recorder, captured) = Recorder::in_memory();
    assert!(recorder.wait_for_plugins(Duration::ZERO));
    recorder.begin_segment("here").end();
    assert_eq!(aws(captured.segment("here").json()), json!({}));
}

#[test]
fn the_rule_of_sampling_stands_beside_it() {
    let rules = r#"{"version": 2, "default": {"fixed_target": 1, "rate": 1}}"#;
    let found = segment(|builder| builder.sampling_rules(rules).plugin(Fixed("one", None)));
    assert_eq!(aws(&found), json!({ "one": { "id": "x", "number": 7 } }));
}

/// Notes the type of the service that it is asked about.
#[derive(Debug)]
struct Asked(Arc<Mutex<Vec<Option<String>>>>);

impl Sampler for Asked {
    fn decide(&self, request: &SamplingRequest<'_>) -> SamplingDecision {
        self.0.lock().unwrap().push(request.service_type.map(str::to_owned));
        AllSampler.decide(request)
    }
}

#[test]
fn rules_of_sampling_see_the_origin_that_was_found() {
    let asked = Arc::default();
    let (recorder, _) = Recorder::builder()
        .sampler(Asked(Arc::clone(&asked)))
        .plugin(Fixed("one", Some("A")))
        .plugin(Fixed("two", None))
        .in_memory()
        .unwrap();
    assert!(recorder.wait_for_plugins(SOON));
    recorder.begin_segment("found").end();
    let own = SamplingRequest::new().with_service_type("mine");
    recorder.segment("told").request(own).begin().end();
    assert_eq!(*asked.lock().unwrap(), [Some("A".to_owned()), Some("mine".to_owned())]);
}

/// Set in a process of this test's own, whose environment is what is tested.
const CHILD: &str = "XRAY_TEST_OF_THE_ENVIRONMENT";

#[test]
fn the_environment_says_whom_to_ask_and_its_proxies_are_passed_by() {
    match std::env::var(CHILD).as_deref() {
        Ok("endpoints") => return in_an_environment_of_endpoints(),
        Ok("disabled") => return in_an_environment_without_ec2(),
        _ => {}
    }
    let proxy = MetadataEndpoint::start(|_| Answer::Text(502, "from the proxy".into()));
    let ec2 = MetadataEndpoint::start(|head| match head.starts_with("PUT") {
        true => Answer::ok("token"),
        false => identity(),
    });
    let ecs = MetadataEndpoint::start(|_| Answer::ok(json!({ "DockerId": "abc" })));
    let run = |what: &str| {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "the_environment_says_whom_to_ask_and_its_proxies_are_passed_by"]);
        for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            child.env(name, proxy.url());
        }
        child.env_remove("no_proxy").env_remove("NO_PROXY").env(CHILD, what);
        child.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", ec2.url());
        child.env("AWS_EC2_METADATA_DISABLED", if what == "disabled" { "True" } else { "false" });
        child
            .env("ECS_CONTAINER_METADATA_URI_V4", ecs.url() + "/v4/1")
            .env("ECS_CONTAINER_METADATA_URI", "x");
        child.env("AWS_LOG_GROUP", "/of/the/environment");
        let output = child.output().unwrap();
        assert!(output.status.success(), "{what}: {output:?}");
    };
    run("endpoints");
    assert!(ecs.requests()[0].starts_with("GET /v4/1 "));
    assert_eq!(ec2.requests().len(), 2);
    run("disabled");
    assert_eq!(ec2.requests(), [""; 0], "none since");
    assert_eq!(proxy.requests(), [""; 0]);
}

fn in_an_environment_of_endpoints() {
    let logs = CloudWatchLogsPlugin::new().group("/of/the/code");
    let found = segment(|builder| builder.plugin(Ec2Plugin::new()).plugin(EcsPlugin::new()).plugin(logs));
    let aws = aws(&found);
    assert_eq!(aws["ec2"], instance()["ec2"]);
    assert_eq!(aws["ecs"], json!({ "container": host(), "container_id": "abc" }));
    assert_eq!(aws["cloudwatch_logs"], json!([{ "log_group": "/of/the/environment" }]));
}

fn in_an_environment_without_ec2() {
    assert_eq!(aws(&segment(|builder| builder.plugin(Ec2Plugin::new()))), json!({}));
}

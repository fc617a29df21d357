//! What the environment says. Each test runs again in a process of its own, because the environment is the process's.

use std::process::Command;

use serde_json::json;
use xray_daemon::telemetry::TelemetryRecord;
use xray_daemon::upstream::aws::{AwsError, AwsSettings, AwsXRay};
use xray_daemon::upstream::{Upstream, Verdict};

use crate::double::{Answer, Double, Request};
use crate::{run, send};

/// Whether this is the process that was started with the environment.
fn is_child() -> bool {
    std::env::var_os("XRAY_TEST_CHILD").is_some()
}

/// Runs one test again with this environment, and no more of AWS's.
fn in_child(test: &str, environment: &[(&str, &str)]) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", test, "--nocapture"]).env_clear();
    // No profile, and no metadata service but the tests'.
    child.env("HOME", "/nonexistent").env("AWS_EC2_METADATA_DISABLED", "true").env("XRAY_TEST_CHILD", "1");
    for (name, value) in environment {
        child.env(name, value);
    }
    let output = child.output().unwrap();
    let told =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    assert!(told.contains("1 passed"), "the test ran: {told}");
}

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKIDENV"), ("AWS_SECRET_ACCESS_KEY", "secret")];

fn region_of(settings: AwsSettings) -> Result<String, AwsError> {
    run(AwsXRay::connect(settings)).map(|xray| xray.region().to_owned())
}

fn local() -> AwsSettings {
    AwsSettings { local_mode: true, ..AwsSettings::default() }
}

/// A metadata service of the second version.
fn imds() -> Double {
    Double::new(|request| match (&*request.method, &*request.target) {
        ("PUT", "/latest/api/token") => Answer::Http(
            200,
            vec![("x-aws-ec2-metadata-token-ttl-seconds".into(), "21600".into())],
            b"TOKEN".to_vec(),
        ),
        ("GET", path) if request.header("x-aws-ec2-metadata-token") == Some("TOKEN") => match path {
            "/latest/meta-data/placement/region" => Answer::Http(200, Vec::new(), b"ap-south-1".to_vec()),
            "/latest/meta-data/instance-id" => Answer::Http(200, Vec::new(), b"i-0123456789".to_vec()),
            "/latest/meta-data/hostname" => {
                Answer::Http(200, Vec::new(), b"ip-10-0-0-1.ec2.internal".to_vec())
            }
            _ => Answer::Http(404, Vec::new(), Vec::new()),
        },
        _ => Answer::Http(401, Vec::new(), Vec::new()),
    })
}

#[test]
fn the_region_of_the_flag_is_before_that_of_the_environment() {
    if is_child() {
        let set = AwsSettings { region: Some("eu-west-2".into()), ..AwsSettings::default() };
        assert_eq!(region_of(set).unwrap(), "eu-west-2");
        assert_eq!(region_of(AwsSettings::default()).unwrap(), "us-west-1");
        assert_eq!(region_of(local()).unwrap(), "us-west-1");
        return;
    }
    let imds = imds();
    in_child(
        "environment::the_region_of_the_flag_is_before_that_of_the_environment",
        &[
            ("AWS_REGION", "us-west-1"),
            ("AWS_DEFAULT_REGION", "us-west-2"),
            ("AWS_EC2_METADATA_DISABLED", "false"),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &imds.url()),
        ],
    );
    assert!(imds.is_quiet());
}

#[test]
fn local_mode_takes_the_region_of_the_sdks() {
    if is_child() {
        assert_eq!(region_of(local()).unwrap(), "us-west-2");
        assert_eq!(region_of(AwsSettings::default()), Err(AwsError::NoRegion));
        return;
    }
    in_child(
        "environment::local_mode_takes_the_region_of_the_sdks",
        &[("AWS_DEFAULT_REGION", "us-west-2"), ("AWS_REGION", "")],
    );
}

#[test]
fn local_mode_takes_the_region_of_the_profile() {
    if is_child() {
        assert_eq!(region_of(local()).unwrap(), "sa-east-1");
        return;
    }
    let file = File::new("config", "[default]\nregion = sa-east-1\n");
    in_child("environment::local_mode_takes_the_region_of_the_profile", &[("AWS_CONFIG_FILE", &file.0)]);
}

#[test]
fn a_container_tells_its_region_in_a_file() {
    if is_child() {
        assert_eq!(region_of(AwsSettings::default()).unwrap(), "eu-west-3");
        assert_eq!(region_of(local()), Err(AwsError::NoRegion));
        return;
    }
    let arn = "arn:aws:ecs:eu-west-3:012345678910:task/default/2b88376d";
    let file = File::new("ecs", &json!({ "Cluster": "default", "TaskARN": arn }).to_string());
    in_child(
        "environment::a_container_tells_its_region_in_a_file",
        &[("ECS_ENABLE_CONTAINER_METADATA", "true"), ("ECS_CONTAINER_METADATA_FILE", &file.0)],
    );
}

#[test]
fn without_a_region_there_is_an_error() {
    if is_child() {
        for settings in [AwsSettings::default(), local()] {
            let error = region_of(settings).unwrap_err();
            assert_eq!(error, AwsError::NoRegion);
            let message =
                "Cannot fetch region variable from config file, environment variables and ec2 metadata.";
            assert!(error.to_string().starts_with(message));
        }
        return;
    }
    // A file that is no JSON is as good as none.
    let file = File::new("ecs-broken", "{");
    in_child(
        "environment::without_a_region_there_is_an_error",
        &[("ECS_ENABLE_CONTAINER_METADATA", "true"), ("ECS_CONTAINER_METADATA_FILE", &file.0)],
    );
}

#[test]
fn an_instance_tells_region_and_name() {
    if is_child() {
        run(async {
            let endpoint = std::env::var("UPSTREAM").ok();
            let xray = AwsXRay::connect(AwsSettings { endpoint, ..AwsSettings::default() }).await.unwrap();
            assert_eq!(xray.region(), "ap-south-1");
            let record = TelemetryRecord {
                timestamp: 1.0,
                segments_received_count: 0,
                segments_sent_count: 0,
                segments_spillover_count: 0,
                segments_rejected_count: 0,
                backend_connection_errors: Default::default(),
            };
            xray.send_telemetry(&[record]).await.unwrap();
        });
        return;
    }
    let (imds, upstream) = (imds(), Double::always(Answer::json(200, "{}")));
    // Nobody listens there: the metadata service is never asked by way of it.
    let environment = [
        ("AWS_EC2_METADATA_DISABLED", "false"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*imds.url()),
        ("UPSTREAM", &*upstream.url()),
        ("HTTPS_PROXY", &*upstream.url()),
        ("https_proxy", "http://127.0.0.1:9"),
        ("AWS_HOSTNAME", "named"),
        KEYS[0],
        KEYS[1],
    ];
    in_child("environment::an_instance_tells_region_and_name", &environment);
    let request = upstream.next();
    assert_eq!(request.target, format!("{}/TelemetryRecords", upstream.url()), "by way of the proxy");
    assert_eq!(request.json()["EC2InstanceId"], "i-0123456789");
    assert_eq!(request.json()["Hostname"], "named");
}

#[test]
fn the_endpoint_is_that_of_the_service_or_of_all() {
    if is_child() {
        let region = Some("us-east-1".to_owned());
        let xray = run(AwsXRay::connect(AwsSettings { region, ..local() })).unwrap();
        assert_eq!(xray.endpoint(), std::env::var("EXPECTED").unwrap());
        return;
    }
    let name = "environment::the_endpoint_is_that_of_the_service_or_of_all";
    let all = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    in_child(name, &[all, ("EXPECTED", "http://127.0.0.1:1")]);
    let service = ("AWS_ENDPOINT_URL_XRAY", "http://127.0.0.1:2/");
    in_child(name, &[all, service, ("EXPECTED", "http://127.0.0.1:2")]);
    let fips = ("AWS_USE_FIPS_ENDPOINT", "true");
    in_child(name, &[fips, ("EXPECTED", "https://xray-fips.us-east-1.amazonaws.com")]);
}

/// Sends one batch to what `UPSTREAM` names, and again where it is to be sent again.
fn send_until_taken(role_arn: Option<&str>) {
    let settings = AwsSettings {
        region: Some("eu-west-1".into()),
        endpoint: std::env::var("UPSTREAM").ok(),
        role_arn: role_arn.map(str::to_owned),
        ..local()
    };
    run(async {
        let xray = AwsXRay::connect(settings).await.unwrap();
        if let Err(failure) = send(&xray).await {
            assert_eq!(failure.verdict, Verdict::Retry { after: None }, "{failure}");
            send(&xray).await.unwrap();
        }
    });
}

/// Takes all but what is signed with this key.
fn upstream(expired: &'static str) -> Double {
    Double::new(move |request| {
        if request.key() == expired {
            Answer::error(
                403,
                "ExpiredTokenException",
                "The security token included in the request is expired",
            )
        } else {
            Answer::taken()
        }
    })
}

#[test]
fn keys_of_the_environment() {
    if is_child() {
        return send_until_taken(None);
    }
    let upstream = upstream("");
    let execution = ("AWS_EXECUTION_ENV", "AWS_ECS_FARGATE");
    let url = upstream.url();
    in_child("environment::keys_of_the_environment", &[KEYS[0], KEYS[1], execution, ("UPSTREAM", &url)]);
    let request = upstream.next();
    assert_eq!(request.key(), "AKIDENV");
    assert!(request.header("user-agent").unwrap().ends_with(" exec-env/AWS_ECS_FARGATE"));
}

#[test]
fn keys_of_a_container_that_were_rotated() {
    if is_child() {
        return send_until_taken(None);
    }
    let given = std::sync::atomic::AtomicUsize::new(1);
    let container = Double::new(move |request: &Request| {
        assert_eq!(request.header("authorization"), Some("CONTAINER"));
        let number = given.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let body = json!({
            "AccessKeyId": format!("AKID{number}"), "SecretAccessKey": "secret", "Token": format!("TOKEN{number}"),
            "Expiration": "2099-01-01T00:00:00Z",
        });
        Answer::json(200, &body.to_string())
    });
    let upstream = upstream("AKID1");
    in_child(
        "environment::keys_of_a_container_that_were_rotated",
        &[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/credentials", container.url())),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "CONTAINER"),
            ("UPSTREAM", &upstream.url()),
            // Not for the container's keys.
            ("HTTPS_PROXY", &upstream.url()),
        ],
    );
    for number in [1, 2] {
        assert_eq!(container.next().target, "/credentials");
        let request = upstream.next();
        assert_eq!(request.key(), format!("AKID{number}"));
        assert_eq!(request.header("x-amz-security-token"), Some(&*format!("TOKEN{number}")));
    }
    assert!(container.is_quiet() && upstream.is_quiet());
}

#[test]
fn keys_of_a_profile_that_was_rewritten() {
    if is_child() {
        let path = std::env::var("AWS_SHARED_CREDENTIALS_FILE").unwrap();
        let endpoint = std::env::var("UPSTREAM").ok();
        return run(async {
            let settings = AwsSettings { region: Some("eu-west-1".into()), endpoint, ..local() };
            let xray = AwsXRay::connect(settings).await.unwrap();
            send(&xray).await.unwrap_err();
            std::fs::write(path, PROFILE.replace("AKID1", "AKID2")).unwrap();
            send(&xray).await.unwrap();
        });
    }
    let file = File::new("credentials", PROFILE);
    let upstream = upstream("AKID1");
    in_child(
        "environment::keys_of_a_profile_that_was_rewritten",
        &[("AWS_SHARED_CREDENTIALS_FILE", &file.0), ("UPSTREAM", &upstream.url())],
    );
    assert_eq!(upstream.next().key(), "AKID1");
    assert_eq!(upstream.next().key(), "AKID2");
}

const PROFILE: &str = "[default]\naws_access_key_id = AKID1\naws_secret_access_key = secret\n";

#[test]
fn a_role_by_way_of_sts() {
    const ROLE: &str = "arn:aws:iam::123456789012:role/xray";
    if is_child() {
        return send_until_taken(Some(ROLE));
    }
    let given = std::sync::atomic::AtomicUsize::new(1);
    let sts = Double::new(move |_| {
        let number = given.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let body = format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
             <AssumedRoleUser><AssumedRoleId>A:s</AssumedRoleId><Arn>{ROLE}</Arn></AssumedRoleUser>\
             <Credentials><AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
             <SessionToken>SESSION{number}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
             </AssumeRoleResult></AssumeRoleResponse>"
        );
        Answer::Http(200, vec![("Content-Type".into(), "text/xml".into())], body.into_bytes())
    });
    let upstream = upstream("ASIA1");
    in_child(
        "environment::a_role_by_way_of_sts",
        &[KEYS[0], KEYS[1], ("AWS_ENDPOINT_URL_STS", &sts.url()), ("UPSTREAM", &upstream.url())],
    );
    for number in [1, 2] {
        let asked = sts.next();
        assert_eq!(asked.key(), "AKIDENV");
        assert!(asked.header("authorization").unwrap().contains("/eu-west-1/sts/aws4_request"));
        let body = String::from_utf8(asked.body).unwrap();
        assert!(body.contains("Action=AssumeRole") && body.contains("role%2Fxray"), "{body}");
        assert!(body.contains("RoleSessionName=xray-daemon"), "{body}");
        assert_eq!(upstream.next().key(), format!("ASIA{number}"));
    }
}

#[test]
fn a_machine_without_credentials() {
    if is_child() {
        return run(async {
            let settings = AwsSettings {
                region: Some("eu-west-1".into()),
                endpoint: std::env::var("UPSTREAM").ok(),
                ..local()
            };
            let failure = send(&AwsXRay::connect(settings).await.unwrap()).await.unwrap_err();
            let message = "no credentials in the environment, the profile, the container or the instance";
            assert_eq!((failure.verdict, &*failure.message), (Verdict::Retry { after: None }, message));
        });
    }
    let upstream = upstream("");
    in_child("environment::a_machine_without_credentials", &[("UPSTREAM", &upstream.url())]);
    assert!(upstream.is_quiet());
}

#[test]
fn certificates_of_a_file() {
    if is_child() {
        return send_until_taken(None);
    }
    let (upstream, certificate) = Double::with_tls(Answer::taken());
    let file = File::new("pem", &certificate);
    in_child(
        "environment::certificates_of_a_file",
        &[KEYS[0], KEYS[1], ("AWS_CA_BUNDLE", &file.0), ("UPSTREAM", &upstream.url())],
    );
    upstream.next();
}

#[test]
fn certificates_that_cannot_be_used() {
    if is_child() {
        let error = region_of(AwsSettings { region: Some("eu-west-1".into()), ..local() }).unwrap_err();
        assert!(matches!(error, AwsError::BadCertificates { .. }), "{error}");
        return;
    }
    let name = "environment::certificates_that_cannot_be_used";
    in_child(name, &[("AWS_CA_BUNDLE", "/nonexistent/pem")]);
}

/// A file of a test, gone with it.
struct File(String);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("xray-aws-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path.into_os_string().into_string().unwrap())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

use tracing::Level;

use super::*;
use crate::cli::daemon_flags;

const RAM: Option<NonZeroU64> = NonZeroU64::new(24_199 * 1024 * 1024);

/// A folder with a configuration file in it.
struct Folder(PathBuf);

impl Folder {
    fn new(config: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("xray-settings-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("cfg.yaml"), config).unwrap();
        Self(folder)
    }

    fn config(&self) -> PathBuf {
        self.0.join("cfg.yaml")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn flags(args: &[&str]) -> Flags {
    daemon_flags(&args.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}

fn gather(args: &[&str], env: &[(&str, &str)], places: &[&Path]) -> Result<Settings, SettingsError> {
    let env = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Settings::gather(&flags(args), &env, places, RAM)
}

fn with(args: &[&str]) -> Settings {
    gather(args, &[], &[]).unwrap()
}

fn refused(args: &[&str]) -> String {
    gather(args, &[], &[]).unwrap_err().to_string()
}

fn defaults() -> Settings {
    Settings {
        udp: "127.0.0.1:2000".to_owned(),
        tcp: "127.0.0.1:2000".to_owned(),
        buffer_bytes: 241 * 1024 * 1024,
        concurrency: None,
        aws: AwsSettings::default(),
        log: LogSettings { path: None, level: Level::INFO, rotation: true },
        sampling_rules: None,
        allow_host: Vec::new(),
        notes: Vec::new(),
    }
}

#[test]
fn nothing_set_is_as_the_aws_daemon_has_it() {
    assert_eq!(with(&[]), defaults());
    assert_eq!(gather(&[], &[], &[Path::new("/nowhere/cfg.yaml")]).unwrap(), defaults());
}

#[test]
fn every_flag_sets_something() {
    let set = |what: &str| Some(what.to_owned());
    let settings = with(&[
        "-a",
        "arn:resource",
        "-o",
        "-m",
        "24",
        "-n",
        "eu-west-1",
        "-b",
        "0.0.0.0:2001",
        "-t",
        "0.0.0.0:2002",
        "-r",
        "arn:role",
        "-f",
        "/tmp/x.log",
        "-l",
        "dev",
        "-p",
        "http://proxy:3128",
        "--endpoint",
        "http://127.0.0.1:5000",
        "--sampling-rules",
        "rules.json",
        "--allow-host",
        "a",
        "--allow-host",
        "b",
    ]);
    let expected = Settings {
        udp: "0.0.0.0:2001".to_owned(),
        tcp: "0.0.0.0:2002".to_owned(),
        buffer_bytes: 24 * 1024 * 1024,
        concurrency: None,
        aws: AwsSettings {
            region: set("eu-west-1"),
            endpoint: set("http://127.0.0.1:5000"),
            resource_arn: set("arn:resource"),
            role_arn: set("arn:role"),
            proxy: set("http://proxy:3128"),
            no_verify_ssl: false,
            local_mode: true,
        },
        log: LogSettings { path: Some("/tmp/x.log".into()), level: Level::TRACE, rotation: true },
        sampling_rules: Some("rules.json".into()),
        allow_host: vec!["a".to_owned(), "b".to_owned()],
        notes: Vec::new(),
    };
    assert_eq!(settings, expected);
    let long = with(&[
        "--resource-arn=arn:resource",
        "--local-mode",
        "--buffer-memory=24",
        "--region=eu-west-1",
        "--bind=0.0.0.0:2001",
        "--bind-tcp=0.0.0.0:2002",
        "--role-arn=arn:role",
        "--log-file=/tmp/x.log",
        "--log-level=dev",
        "--proxy-address=http://proxy:3128",
        "-endpoint=http://127.0.0.1:5000",
        "-sampling-rules=rules.json",
        "-allow-host=a",
        "-allow-host=b",
    ]);
    assert_eq!(long, expected);
}

#[test]
fn tcp_does_not_follow_bind() {
    let settings = with(&["-b", "0.0.0.0:3000"]);
    assert_eq!((settings.udp.as_str(), settings.tcp.as_str()), ("0.0.0.0:3000", "127.0.0.1:2000"));
}

#[test]
fn flags_win_over_the_file() {
    let folder = Folder::new(
        "TotalBufferSizeMB: 100\nConcurrency: 4\nRegion: of-file\nEndpoint: https://file\nProxyAddress: http://file\n\
         Socket: {UDPAddress: '127.0.0.1:1', TCPAddress: '127.0.0.1:2'}\nLocalMode: true\nResourceARN: a\nRoleARN: b\n\
         NoVerifySSL: true\nLogging: {LogRotation: false, LogLevel: error, LogPath: /tmp/file.log}\nVersion: 1\n",
    );
    let config = folder.config();
    let config = config.to_str().unwrap();
    let set = |what: &str| Some(what.to_owned());
    let of_file = with(&["-c", config]);
    let expected = Settings {
        udp: "127.0.0.1:1".to_owned(),
        tcp: "127.0.0.1:2".to_owned(),
        buffer_bytes: 100 * 1024 * 1024,
        concurrency: Some(4),
        aws: AwsSettings {
            region: set("of-file"),
            endpoint: set("https://file"),
            resource_arn: set("a"),
            role_arn: set("b"),
            proxy: set("http://file"),
            no_verify_ssl: true,
            local_mode: true,
        },
        log: LogSettings { path: Some("/tmp/file.log".into()), level: Level::ERROR, rotation: false },
        ..defaults()
    };
    assert_eq!(of_file, expected);
    // Found without -c, it is the same.
    assert_eq!(gather(&[], &[], &[Path::new("/nowhere"), &folder.config()]).unwrap(), expected);

    let over = with(&[
        "-c",
        config,
        "-m",
        "0",
        "-n",
        "of-flag",
        "-endpoint",
        "https://flag",
        "-p",
        "http://flag",
        "-b",
        "127.0.0.1:3",
        "-t",
        "127.0.0.1:4",
        "-o=false",
        "-a",
        "",
        "-r",
        "",
        "-l",
        "warn",
        "-f",
        "",
    ]);
    assert_eq!(
        over,
        Settings {
            udp: "127.0.0.1:3".to_owned(),
            tcp: "127.0.0.1:4".to_owned(),
            buffer_bytes: 241 * 1024 * 1024,
            aws: AwsSettings {
                region: set("of-flag"),
                endpoint: set("https://flag"),
                resource_arn: None,
                role_arn: None,
                proxy: set("http://flag"),
                local_mode: false,
                ..expected.aws
            },
            log: LogSettings { path: None, level: Level::WARN, rotation: false },
            ..expected
        }
    );
}

#[test]
fn a_file_that_is_found_is_held_to_the_same_rules() {
    let bad = Folder::new("Version: 2\nBogus: 1\n");
    let good = Folder::new("Version: 2\nRegion: good\n");
    let (bad, good) = (bad.config(), good.config());
    let error = gather(&[], &[], &[&bad, &good]).unwrap_err().to_string();
    assert!(error.starts_with("Bogus flag is invalid.") && error.contains(bad.to_str().unwrap()), "{error}");
    assert_eq!(gather(&[], &[], &[&good, &bad]).unwrap().aws.region.as_deref(), Some("good"));
    // One that is named is the only one that counts.
    let named = gather(&["-c", good.to_str().unwrap()], &[], &[&bad]).unwrap();
    assert_eq!(named.aws.region.as_deref(), Some("good"));
    let error = refused(&["-c", "/nowhere/cfg.yaml"]);
    assert!(error.starts_with("Error occur when using config flag: open /nowhere/cfg.yaml: "), "{error}");
}

#[test]
fn the_proxy_is_the_flag_then_the_file_then_the_variable() {
    let folder = Folder::new("Version: 2\nProxyAddress: http://file\n");
    let config = folder.config();
    let config = config.to_str().unwrap();
    let proxy =
        |args: &[&str], env: &[(&str, &str)]| gather(args, env, &[]).map(|settings| settings.aws.proxy);
    let env =
        [("HTTPS_PROXY", "http://env"), ("https_proxy", "http://lower"), ("HTTP_PROXY", "http://plain")];
    let got = |args: &[&str]| proxy(args, &env).unwrap();
    assert_eq!(got(&["-c", config, "-p", "http://flag"]).as_deref(), Some("http://flag"));
    assert_eq!(got(&["-c", config]).as_deref(), Some("http://file"));
    assert_eq!(got(&[]).as_deref(), Some("http://env"));
    assert_eq!(got(&["-c", config, "-p", ""]).as_deref(), Some("http://env"));
    assert_eq!(proxy(&[], &env[1..]).unwrap(), None);
    assert_eq!(proxy(&[], &[("HTTPS_PROXY", "")]).unwrap(), None);
    // As curl reads it.
    assert_eq!(got(&["-p", "127.0.0.1:3128"]).as_deref(), Some("http://127.0.0.1:3128"));
    let error = proxy(&[], &[("HTTPS_PROXY", "socks5://user:secret@host")]).unwrap_err().to_string();
    assert!(
        error.starts_with("The URL of the proxy from HTTPS_PROXY cannot be used: its scheme is"),
        "{error}"
    );
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn an_endpoint_is_https_unless_it_says_otherwise() {
    let endpoint = |text: &str| with(&["--endpoint", text]).aws.endpoint;
    assert_eq!(endpoint("xray.example").as_deref(), Some("https://xray.example"));
    assert_eq!(endpoint("http://127.0.0.1:5000").as_deref(), Some("http://127.0.0.1:5000"));
    assert_eq!(endpoint(""), None);
    for bad in ["ftp://a", "https://", "https://a b", "https://a:99999"] {
        let error = refused(&["--endpoint", bad]);
        assert!(error.starts_with("The URL of the endpoint from --endpoint cannot be used: "), "{error}");
    }
}

#[test]
fn three_megabytes_are_the_least() {
    const BEGINS: &str = "Not enough Buffers Memory Allocated. Min Buffers Memory required: 3 MB.";
    for few in ["1", "2"] {
        let error = refused(&["-m", few]);
        assert!(error.starts_with(BEGINS) && error.contains(&format!("-m is {few};")), "{error}");
    }
    assert_eq!(with(&["-m", "3"]).buffer_bytes, 3 * 1024 * 1024);
    let folder = Folder::new("Version: 2\nTotalBufferSizeMB: 2\n");
    let error = refused(&["-c", folder.config().to_str().unwrap()]);
    assert!(error.starts_with(BEGINS) && error.contains("TotalBufferSizeMB in "), "{error}");
    let little = NonZeroU64::new(256 * 1024 * 1024);
    let error = Settings::gather(&flags(&[]), &|_| None, &[], little).unwrap_err().to_string();
    assert!(error.starts_with(BEGINS) && error.contains("1 % of this machine's 256 MB"), "{error}");
}

#[test]
fn an_address_that_is_none_is_named_with_its_source() {
    for (args, begins) in [
        (["-b", "2000"], "The UDP address \"2000\" from -b cannot be listened on: the port is missing."),
        (["-b", ""], "The UDP address \"\" from -b cannot"),
        (
            ["-t", "127.0.0.1:70000"],
            "The TCP address \"127.0.0.1:70000\" from -t cannot be listened on: ports end at 65535.",
        ),
    ] {
        let error = refused(&args);
        assert!(error.starts_with(begins) && error.ends_with("such as 127.0.0.1:2000."), "{error}");
    }
    let folder = Folder::new("Version: 2\nSocket: {UDPAddress: nonsense}\n");
    let error = refused(&["-c", folder.config().to_str().unwrap()]);
    assert!(error.contains("from Socket.UDPAddress in "), "{error}");
}

#[test]
fn levels_are_those_of_the_aws_daemon_and_others_are_told() {
    for (name, level) in [
        ("dev", Level::TRACE),
        ("debug", Level::DEBUG),
        ("info", Level::INFO),
        ("warn", Level::WARN),
        ("error", Level::ERROR),
        ("prod", Level::INFO),
    ] {
        let settings = with(&["-l", name]);
        assert_eq!((settings.log.level, settings.notes.len()), (level, 0), "{name}");
    }
    let settings = with(&["-l", "bogus"]);
    assert_eq!(settings.log.level, Level::INFO);
    assert!(
        settings.notes[0].starts_with("there is no log level \"bogus\", so that it is prod;"),
        "{:?}",
        settings.notes
    );
    assert_eq!(with(&["-l", ""]).log.level, Level::INFO);
}

#[test]
fn variables_that_ask_for_profiles_are_answered() {
    let env = [("XRAY_DAEMON_CPU_PROFILE", "/tmp/cpu"), ("XRAY_DAEMON_MEMORY_PROFILE", "")];
    let notes = gather(&[], &env, &[]).unwrap().notes;
    assert_eq!(notes.len(), 1);
    assert!(notes[0].starts_with("XRAY_DAEMON_CPU_PROFILE is set, but"), "{notes:?}");
}

#[test]
fn the_region_of_the_environment_is_left_to_the_upstream() {
    assert_eq!(gather(&[], &[("AWS_REGION", "eu-north-1")], &[]).unwrap().aws.region, None);
}

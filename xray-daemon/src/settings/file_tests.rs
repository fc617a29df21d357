use super::*;

fn parse(text: &str) -> Result<FileSettings, FileError> {
    FileSettings::parse(text, Path::new("cfg.yaml"))
}

fn refused(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

/// Every key, in the words of the file that AWS's package installs.
const WHOLE: &str = r#"
# Maximum buffer size in MB (minimum 3). Choose 0 to use 1% of host memory.
TotalBufferSizeMB: 24
# Maximum number of concurrent calls to AWS X-Ray to upload segment documents.
Concurrency: 16
Region: "us-west-2"
Endpoint: "https://xray.example"
Socket:
  # Change the address and port on which the daemon listens for UDP packets containing segment documents.
  UDPAddress: "127.0.0.1:3000"
  TCPAddress: "127.0.0.1:3001"
Logging:
  LogRotation: false
  # The log level, from most verbose to least: dev, debug, info, warn, error, prod (default).
  LogLevel: "debug"
  LogPath: "/var/log/xray.log"
# Turn on local mode to skip EC2 instance metadata check.
LocalMode: true
ResourceARN: "arn:aws:ec2:us-west-2:123456789012:instance/i-1"
RoleARN: arn:aws:iam::123456789012:role/xray
# Disable TLS certificate verification.
NoVerifySSL: yes
ProxyAddress: "http://127.0.0.1:3128"
Version: 2
"#;

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn every_key_is_read() {
    let expected = FileSettings {
        buffer_mb: Some(24),
        concurrency: Some(16),
        endpoint: text("https://xray.example"),
        region: text("us-west-2"),
        udp: text("127.0.0.1:3000"),
        tcp: text("127.0.0.1:3001"),
        log_rotation: Some(false),
        log_level: text("debug"),
        log_path: text("/var/log/xray.log"),
        local_mode: Some(true),
        resource_arn: text("arn:aws:ec2:us-west-2:123456789012:instance/i-1"),
        role_arn: text("arn:aws:iam::123456789012:role/xray"),
        no_verify_ssl: Some(true),
        proxy: text("http://127.0.0.1:3128"),
        notes: Vec::new(),
    };
    assert_eq!(parse(WHOLE).unwrap(), expected);
    let of_windows = format!("\u{feff}{}", WHOLE.replace('\n', "\r\n"));
    assert_eq!(parse(&of_windows).unwrap(), expected);
}

#[test]
fn nothing_is_set_where_values_are_empty() {
    for text in [
        "Version: 1",
        "Version: 0x2",
        "Region: \"\"\nTotalBufferSizeMB: 0\nConcurrency: 0\nVersion: 1",
        "Region:\nLocalMode: ~\nSocket:\nLogging: {}\nNoVerifySSL: null\nVersion: 1",
        "TotalBufferSizeMB:\nSocket:\n  UDPAddress:\nVersion: 1",
    ] {
        assert_eq!(parse(text).unwrap(), FileSettings::default(), "{text}");
    }
}

#[test]
fn the_version_must_be_one_or_two() {
    for text in ["", "# empty\n", "---\n"] {
        let error = refused(text);
        assert!(error.starts_with("Config Version Setting is not correct. It is missing; write"), "{error}");
    }
    for (version, got) in
        [("3", "`3`"), ("0", "`0`"), ("\"2\"", "the text \"2\""), ("", "empty"), ("[1]", "a list")]
    {
        let error = refused(&format!("Region: x\nVersion: {version}\n"));
        let begins =
            format!("Config Version Setting is not correct. It is {got} in line 2; write `Version: 2`");
        assert!(error.starts_with(&begins), "{error}");
    }
    let error = refused("Region: x\n");
    assert_eq!(error, "Config Version is missing. Write `Version: 2` into cfg.yaml.");
    // Said first, as the AWS daemon does: of an older file everything else is wrong as well.
    assert!(refused("Processor:\n  Region: x\n").starts_with("Config Version is missing."));
}

#[test]
fn unknown_keys_are_named_with_what_was_meant() {
    let cases = [
        ("Bogus: 1", "Bogus flag is invalid. There is no such key (line 2 of cfg.yaml); take it out."),
        ("Bogus: {a: 1}", "Bogus.a flag is invalid."),
        ("Bogus: {}", "Bogus flag is invalid."),
        (
            "Regoin: x",
            "Regoin flag is invalid. There is no such key (line 2 of cfg.yaml); write `Region`, or take it out.",
        ),
        ("region: x", "region flag is invalid. There is no such key (line 2 of cfg.yaml); write `Region`"),
        (
            "LogLevel: dev",
            "LogLevel flag is invalid. There is no such key (line 2 of cfg.yaml); write `Logging.LogLevel`",
        ),
        ("Region: {a: 1}", "Region.a flag is invalid."),
        ("Logging: {Level: dev}", "Logging.Level flag is invalid."),
        (
            "Socket: {BufferSizeKB: 64}",
            "Socket.BufferSizeKB flag is not supported any more. Take it out (line 2 of cfg.yaml): ",
        ),
        ("Profile: {CPU: x}", "Profile.CPU flag is not supported any more."),
        ("Logging: {LogFormat: x}", "Logging.LogFormat flag is not supported any more."),
        (
            "Processor: {Region: x}",
            "Processor.Region flag is not supported. It is of the format before Version 1: write `Region`",
        ),
        (
            "MemoryLimit: 24",
            "MemoryLimit flag is not supported. It is of the format before Version 1: write `TotalBufferSizeMB`",
        ),
    ];
    for (line, begins) in cases {
        let error = refused(&format!("Version: 2\n{line}\n"));
        assert!(error.starts_with(begins), "{line}: {error}");
    }
    assert!(refused("Version: 2\nProcessor: {Routine: 8}").contains("X-Ray Daemon Config Migration Script"));
}

#[test]
fn a_wrong_type_names_key_value_and_line() {
    let cases = [
        ("TotalBufferSizeMB: lots", "TotalBufferSizeMB is `lots`, but must be a whole number of megabytes"),
        ("TotalBufferSizeMB: 2.5", "TotalBufferSizeMB is `2.5`, but must be"),
        ("TotalBufferSizeMB: \"24\"", "TotalBufferSizeMB is the text \"24\", but must be"),
        ("TotalBufferSizeMB: 9223372036854775808", "TotalBufferSizeMB is `9223372036854775808`"),
        ("Concurrency: -1", "Concurrency is `-1`, but must be a whole number of senders"),
        ("Concurrency: yes", "Concurrency is `yes`"),
        ("LocalMode: maybe", "LocalMode is `maybe`, but must be `true` or `false`"),
        ("NoVerifySSL: 1", "NoVerifySSL is `1`, but must be"),
        ("NoVerifySSL: \"true\"", "NoVerifySSL is the text \"true\", but must be"),
        ("Region: [us-east-1]", "Region is a list, but must be the name of an AWS region"),
        ("Region: {}", "Region is a section, but must be"),
        ("Logging: {LogRotation: often}", "Logging.LogRotation is `often`, but must be `true` or `false`"),
        ("Logging: {LogPath: {a: b}}", "Logging.LogPath is a section, but must be the path of a file"),
        ("Socket: 127.0.0.1:2000", "Socket is `127.0.0.1:2000`, but must be a section"),
        ("Logging: [a]", "Logging is a list, but must be a section"),
    ];
    for (line, says) in cases {
        let error = refused(&format!("# first\nVersion: 2\n{line}\n"));
        let begins = format!("Error occur when using config flag: yaml: cfg.yaml:3: {says}");
        assert!(error.starts_with(&begins), "{line}: {error}");
    }
    let error = refused("Version: 2\nRegion: \"open\n");
    assert!(error.starts_with("Error occur when using config flag: yaml: cfg.yaml:"), "{error}");
}

#[test]
fn what_has_no_effect_is_told() {
    let settings =
        parse("Version: 2\nProxyServer:\n  MaxIdleConns: 3\nproxyserver: {idleconntimeout: 30}\n").unwrap();
    assert_eq!(
        settings.notes,
        [
            "ProxyServer.MaxIdleConns (line 3 of cfg.yaml) has no effect, as in the AWS daemon; take it out",
            "proxyserver.idleconntimeout (line 4 of cfg.yaml) has no effect, as in the AWS daemon; take it out",
        ]
    );
    assert_eq!(
        parse("Version: 2\nProfile: other\n").unwrap().notes,
        ["Profile (line 2 of cfg.yaml) is not obeyed; set AWS_PROFILE=other in the daemon's environment"]
    );
    let settings = parse("Region: a\nVersion: 3\nRegion: b\nVersion: 2\n").unwrap();
    assert_eq!(settings.region.as_deref(), Some("b"));
    assert_eq!(settings.notes[0], "Region is in cfg.yaml twice; line 3 counts, line 1 does not");
    assert_eq!(settings.notes.len(), 2);
    // What was set is taken back by a later nothing, too.
    assert_eq!(parse("Region: a\nVersion: 2\nRegion:\n").unwrap().region, None);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = FileSettings::read(Path::new("/nowhere/cfg.yaml")).unwrap_err().to_string();
    assert_eq!(
        error,
        "Error occur when using config flag: open /nowhere/cfg.yaml: no such file or directory"
    );
    let error = FileSettings::read(Path::new("/")).unwrap_err().to_string();
    assert_eq!(error, "Error occur when using config flag: open /: it is a directory");
    // Has no end.
    let error = FileSettings::read(Path::new("/dev/zero")).unwrap_err().to_string();
    assert_eq!(error, "Error occur when using config flag: /dev/zero: it is longer than 1 MiB");
}

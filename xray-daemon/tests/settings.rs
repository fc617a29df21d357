//! The program in the place of the AWS daemon: its flags, its configuration file, its variables, and its exit codes.
#![cfg(feature = "relay")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, reason = "each test binary uses its part")]
#[path = "support/program.rs"]
mod program;

use program::{ALONE, Daemon, Folder, level_and_text, told};

#[test]
fn help_is_on_standard_output_with_every_flag() {
    let folder = Folder::new();
    for args in [&["-h"][..], &["--help"], &["-help"], &["-o", "-h", "-nope"]] {
        let (code, out, err) = folder.output(args);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{args:?}");
        assert!(out.contains("Usage: xray-daemon [FLAGS]"), "{out}");
        for flag in [
            "-a, --resource-arn",
            "-o, --local-mode",
            "-m, --buffer-memory",
            "-n, --region",
            "-b, --bind",
            "-t, --bind-tcp",
            "-r, --role-arn",
            "-c, --config",
            "-f, --log-file",
            "-l, --log-level",
            "-p, --proxy-address",
            "-v, --version",
        ] {
            assert!(out.contains(flag), "{flag}: {out}");
        }
        let (aws, ours) = out.split_once("Flags that it does not have:").unwrap();
        for flag in ["--endpoint", "--sampling-rules", "--allow-host"] {
            assert!(ours.contains(flag) && !aws.contains(flag), "{flag}: {out}");
        }
    }
}

#[test]
fn the_version_is_in_the_form_that_scripts_know() {
    let folder = Folder::new();
    for args in [&["-v"][..], &["-version"], &["--version"], &["-v=true", "-c", "/nowhere"]] {
        let (code, out, err) = folder.output(args);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{args:?}");
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[0], concat!("AWS X-Ray daemon version: ", env!("CARGO_PKG_VERSION")));
        assert!(lines[1].starts_with("xray-daemon ") && lines.len() == 2, "{out}");
    }
}

#[test]
fn a_bad_flag_is_an_error_there_and_the_usage_here() {
    let folder = Folder::new();
    for (args, says) in [
        (&["-nope"][..], "flag provided but not defined: -nope"),
        (&["-o", "--bind"], "flag needs an argument: -bind"),
        (&["-m", "lots"], "invalid value \"lots\" for flag -m: parse error"),
        (&["-o=maybe"], "invalid boolean value \"maybe\" for -o: parse error"),
        (&["---o"], "bad flag syntax: ---o"),
    ] {
        let (code, out, err) = folder.output(args);
        assert_eq!((code, err.as_str()), (Some(2), format!("xray-daemon: {says}\n").as_str()), "{args:?}");
        assert!(out.contains("Usage: xray-daemon [FLAGS]"), "{args:?}: {out}");
    }
}

/// The text of the one line, of level Error, with which the daemon refuses to start.
fn refusal((code, out, err): (Option<i32>, String, String)) -> String {
    assert_eq!((code, out.as_str(), err.lines().count()), (Some(1), "", 1), "{err}");
    let (level, text) = level_and_text(&err);
    assert_eq!(level, "Error", "{err}");
    text.to_owned()
}

#[test]
fn settings_that_cannot_be_are_refused_at_the_start() {
    let folder = Folder::new();
    for (args, begins) in [
        (["-m", "2"], "Not enough Buffers Memory Allocated. Min Buffers Memory required: 3 MB."),
        (["-c", "nowhere.yaml"], "Error occur when using config flag: open nowhere.yaml: no such file"),
        (["-c", "/dev/zero"], "Error occur when using config flag: /dev/zero: it is longer than 1 MiB"),
        (
            ["-b", "nonsense"],
            "The UDP address \"nonsense\" from -b cannot be listened on: the port is missing.",
        ),
        (
            ["-t", "127.0.0.1:99999"],
            "The TCP address \"127.0.0.1:99999\" from -t cannot be listened on: ports end",
        ),
        (["-p", "socks5://host"], "The URL of the proxy from -p cannot be used: "),
        (["-endpoint", "ftp://host"], "The URL of the endpoint from --endpoint cannot be used: "),
    ] {
        let text = refusal(folder.output(&args));
        assert!(text.starts_with(begins), "{args:?}: {text}");
    }
    let by_variable = folder.program(&[]).env("HTTPS_PROXY", "http://").output().unwrap();
    let text = refusal(told(by_variable));
    assert!(text.starts_with("The URL of the proxy from HTTPS_PROXY cannot be used: "), "{text}");
}

#[test]
fn a_bad_configuration_is_refused_wherever_it_is_found() {
    for (config, begins) in [
        ("", "Config Version Setting is not correct."),
        ("Version: 3\n", "Config Version Setting is not correct."),
        ("Region: us-east-1\n", "Config Version is missing."),
        ("Bogus: 1\nVersion: 2\n", "Bogus flag is invalid."),
        ("Socket:\n  BufferSizeKB: 64\nVersion: 1\n", "Socket.BufferSizeKB flag is not supported any more."),
        ("Processor:\n  Region: us-east-1\nVersion: 1\n", "Processor.Region flag is not supported. "),
        (
            "Version: 2\nConcurrency: many\n",
            "Error occur when using config flag: yaml: cfg.yaml:2: Concurrency is `many`",
        ),
        ("Version: [\n", "Error occur when using config flag: yaml: cfg.yaml:"),
    ] {
        let folder = Folder::new();
        folder.write("cfg.yaml", config);
        for args in [&["-c", "cfg.yaml"][..], &["--config=cfg.yaml", "-o"], &[], &["-o"]] {
            let text = refusal(folder.output(args));
            assert!(text.starts_with(begins), "{config:?} {args:?}: {text}");
        }
    }
    // The third place.
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("github.com/aws/aws-xray-daemon/pkg")).unwrap();
    folder.write("github.com/aws/aws-xray-daemon/pkg/cfg.yaml", "Bogus: 1\nVersion: 2\n");
    assert!(refusal(folder.output(&[])).starts_with("Bogus flag is invalid."));
}

#[test]
fn a_refusal_is_in_the_log_file_as_well() {
    let folder = Folder::new();
    let text = refusal(folder.output(&["-f", "logs/xray.log", "-m", "2"]));
    let log = folder.read("logs/xray.log");
    assert_eq!(level_and_text(log.trim_end()), ("Error", text.trim_end()));
}

#[test]
fn the_compose_file_s_command_line_stays_up_and_its_word_is_told() {
    let folder = Folder::new();
    let mut command =
        folder.program(&["-t", "127.0.0.1:0", "-b", "127.0.0.1:0", "xray -o -b xray-daemon:2000"]);
    command.env("AWS_REGION", "eu-north-1").env("AWS_EC2_METADATA_DISABLED", "true");
    let mut daemon = Daemon::start(command);
    let lines = daemon.until("Listening on UDP");
    let told: Vec<(&str, &str)> = lines.iter().map(|line| level_and_text(line)).collect();
    let ignored = told.iter().find(|(level, _)| *level == "Warn").unwrap().1;
    assert!(
        ignored.starts_with("ignored, as the AWS daemon does, ") && ignored.contains("xray-daemon:2000"),
        "{ignored}"
    );
    assert!(told.contains(&("Info", "Using region: eu-north-1")), "{told:#?}");
    let (code, _, err) = daemon.end();
    assert_eq!((code, err.as_str()), (Some(0), ""));
}

#[test]
fn a_configuration_is_obeyed_and_flags_win_over_it() {
    let folder = Folder::new();
    folder.write(
        "cfg.yaml",
        "Version: 2\nRegion: eu-west-1\nTotalBufferSizeMB: 7\nEndpoint: http://127.0.0.1:9\nLocalMode: yes\n\
         Socket: {UDPAddress: '127.0.0.1:0', TCPAddress: '127.0.0.1:0'}\n",
    );
    for (args, region, megabytes) in
        [(&[][..], "eu-west-1", "7"), (&["-n", "eu-west-2", "--buffer-memory=8"], "eu-west-2", "8")]
    {
        let mut daemon = Daemon::start(folder.program(args));
        let lines = daemon.until("Listening on UDP").join("\n");
        assert!(lines.contains(&format!("[Info] Using region: {region}")), "{lines}");
        assert!(lines.contains(&format!("[Info] Using buffer memory limit of {megabytes} MB")), "{lines}");
        assert_eq!(daemon.end().0, Some(0));
    }
}

#[test]
fn what_is_set_and_not_obeyed_is_told() {
    let folder = Folder::new();
    let args = [ALONE, &["-l", "bogus", "tial"]].concat();
    let mut command = folder.program(&args);
    command.env("XRAY_DAEMON_MEMORY_PROFILE", "/tmp/memory");
    let mut daemon = Daemon::start(command);
    let lines = daemon.until("Listening on UDP");
    let warnings: Vec<&str> = lines
        .iter()
        .map(|line| level_and_text(line))
        .filter(|(level, _)| *level == "Warn")
        .map(|(_, text)| text)
        .collect();
    for says in
        ["XRAY_DAEMON_MEMORY_PROFILE is set", "there is no log level \"bogus\"", "write `xray-daemon tail`"]
    {
        assert!(warnings.iter().any(|text| text.contains(says)), "{says}: {warnings:#?}");
    }
    assert_eq!(daemon.end().0, Some(0));
}

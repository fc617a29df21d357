//! The copies of the vectors pass, and the runner tells when one would not.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use conformance::{RunError, Tally};
use serde_json::Value;
use xray_runtime::LocalSampler;

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// A fresh folder with these files.
fn folder(name: &str, files: &[(&str, &str)]) -> std::io::Result<PathBuf> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(dir.join("below"))?;
    for (file, text) in files {
        std::fs::write(dir.join(file), text)?;
    }
    Ok(dir)
}

fn binary(dir: &Path) -> std::io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_conformance")).arg(dir).output()
}

fn lines(output: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(output).lines().map(str::to_owned).collect()
}

#[test]
fn each_copy_passes() {
    let mut out = Vec::new();
    let tally = conformance::run(&vectors(), &mut out).unwrap();
    assert_eq!(tally.failed, 0, "{}", String::from_utf8_lossy(&out));
    assert_eq!(tally.skipped, 0, "{}", String::from_utf8_lossy(&out));
    // All cases of all files were run.
    let mut cases = 0;
    for peer in std::fs::read_dir(vectors()).unwrap() {
        for file in std::fs::read_dir(peer.unwrap().path()).unwrap() {
            let document: Value =
                serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
            // Those of X-Ray say how many they are; the others are arrays.
            let count = document["count"].as_u64().map(|count| count as usize);
            cases += count.or(document.as_array().map(Vec::len)).unwrap();
        }
    }
    assert_eq!(tally.passed, cases);
}

#[test]
fn the_reason_for_refusing_rules_is_the_first_failing_check() {
    let text = std::fs::read(vectors().join("xray/sampling_rule_file.json")).unwrap();
    let document: Value = serde_json::from_slice(&text).unwrap();
    for case in document["cases"].as_array().unwrap() {
        let reason =
            LocalSampler::from_json(case["input"].as_str().unwrap()).err().map(|error| error.reason());
        assert_eq!(case["expected"]["reason"].as_str(), reason.as_deref(), "{}", case["id"]);
    }
}

const GOOD: &str = r#"{"cases": [{"id": "a", "input": 404, "expected": {"fault": false, "error": true, "throttle": false}}]}"#;

#[test]
fn files_are_known_by_name_wherever_they_lie() {
    let dir =
        folder("known", &[("below/status_mapping.json", GOOD), ("new.json", "{}"), ("note.md", "")]).unwrap();
    let output = binary(&dir).unwrap();
    assert!(output.status.success());
    assert_eq!(
        lines(&output.stdout),
        ["skipped new.json: not a family this build knows", "1 skipped", "1 passed, 0 failed"]
    );
    assert!(conformance::knows("status_mapping.json") && !conformance::knows("new.json"));
}

#[test]
fn a_wrong_answer_is_shown_and_fails() {
    let wrong = GOOD.replace("true", "false");
    let dir = folder("wrong", &[("status_mapping.json", &wrong)]).unwrap();
    let output = binary(&dir).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        lines(&output.stdout),
        [
            "FAILED a",
            r#"  expected {"error":false,"fault":false,"throttle":false}"#,
            r#"  got      {"error":true,"fault":false,"throttle":false}"#,
            "0 passed, 1 failed",
        ]
    );
}

#[test]
fn what_cannot_be_run_fails() {
    let half = r#"{"cases": [{"id": "half", "input": 1}, {"id": "odd", "input": "x", "expected": 1}]}"#;
    let unknown_invariant = format!(r#"[{{"input": {LARGE}, "expect": {{"must": ["shine"]}}}}]"#);
    let files = [
        ("status_mapping.json", half),
        ("annotation.json", "{"),
        ("client_ip.json", "[]"),
        ("trace_id_valid.json", r#"{"cases": []}"#),
        ("level_from_str.json", r#"[{"name": "half", "input": "info"}]"#),
        ("truncate_payload.json", &unknown_invariant),
    ];
    let dir = folder("broken", &files).unwrap();
    let mut out = Vec::new();
    let tally = conformance::run(&dir, &mut out).unwrap();
    assert_eq!(tally, Tally { passed: 0, failed: 7, skipped: 0 }, "{}", String::from_utf8_lossy(&out));
}

const LARGE: &str = r#"{"max_bytes": 100, "payload": {"data": {"environment": "e", "body": {"message": {"body": "no uuid, and a body that does not fit the limit"}}}}}"#;

#[test]
fn a_payload_that_does_not_fit_fails() {
    let case = |must: &str| format!(r#"[{{"input": {LARGE}, "expect": {{"must": ["{must}"]}}}}]"#);
    for (must, passes) in [
        ("serialized size <= max_bytes", false),
        ("uuid, environment and level kept", true),
        ("every cut string is valid UTF-8 and a prefix of the original", true),
    ] {
        let dir = folder("unfit", &[("truncate_payload.json", &case(must))]).unwrap();
        let mut out = Vec::new();
        let tally = conformance::run(&dir, &mut out).unwrap();
        assert_eq!(tally.failed == 0, passes, "{must}: {}", String::from_utf8_lossy(&out));
    }
}

#[test]
fn a_folder_without_vectors_fails_with_one_line() {
    let dir = folder("empty", &[("new.json", "{}")]).unwrap();
    let output = binary(&dir).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = lines(&output.stderr);
    assert!(
        errors.len() == 1 && errors[0].ends_with("holds no vector file that this build knows"),
        "{errors:?}"
    );

    let missing = dir.join("missing");
    assert!(matches!(conformance::run(&missing, &mut Vec::new()), Err(RunError::Unreadable(..))));
    let output = binary(&missing).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = lines(&output.stderr);
    assert!(errors.len() == 1 && errors[0].starts_with("conformance: cannot read "), "{errors:?}");
}

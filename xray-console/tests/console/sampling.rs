//! Sampling rules and targets as X-Ray's API answers them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use xray_console::sampling::{
    Answer, MAX_CLIENTS, MAX_RULES, RULES_PATH, RulesFile, RulesFileError, RulesOnDisk, RulesOnDiskError,
    SUMMARIES_PATH, SamplingRules, TARGETS_PATH,
};

/// As teams have it in their repository, for `aws xray create-sampling-rule --cli-input-json`.
const CRUDDUR: &str = r#"{
  "SamplingRule": {
      "RuleName": "Cruddur",
      "ResourceARN": "*",
      "Priority": 9000,
      "FixedRate": 0.1,
      "ReservoirSize": 5,
      "ServiceName": "Cruddur",
      "ServiceType": "*",
      "Host": "*",
      "HTTPMethod": "*",
      "URLPath": "*",
      "Version": 1
  }
}"#;

fn at(seconds: f64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs_f64(seconds)
}

fn rule(name: &str, priority: u32) -> Value {
    json!({
        "RuleName": name, "ResourceARN": "*", "Priority": priority, "FixedRate": 0.25, "ReservoirSize": 3,
        "ServiceName": "*", "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "/x", "Version": 1,
    })
}

fn names(file: &RulesFile) -> Vec<&str> {
    file.rules().iter().map(|rule| &*rule.rule_name).collect()
}

fn load(rules: &Value, seconds: f64) -> SamplingRules {
    SamplingRules::new(RulesFile::from_json(&rules.to_string()).unwrap(), at(seconds))
}

fn body(answer: &Answer) -> Value {
    assert!(answer.headers.contains(&("Content-Type", "application/json")), "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

fn ok(rules: &SamplingRules, path: &str, request: &Value, seconds: f64) -> Value {
    let answer = rules.answer(path, request.to_string().as_bytes(), at(seconds));
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    body(&answer)
}

fn client(number: u32) -> String {
    format!("{number:024x}")
}

fn report(rule: &str, client: &str, requests: u64) -> Value {
    json!({
        "RuleName": rule, "ClientID": client, "Timestamp": 1_500_000_000, "RequestCount": requests,
        "SampledCount": requests / 2, "BorrowCount": 1,
    })
}

fn targets(rules: &SamplingRules, reports: &[Value], seconds: f64) -> Value {
    ok(rules, TARGETS_PATH, &json!({ "SamplingStatisticsDocuments": reports }), seconds)
}

fn quotas(answer: &Value) -> Vec<u64> {
    let targets = answer["SamplingTargetDocuments"].as_array().unwrap();
    targets.iter().map(|target| target["ReservoirQuota"].as_u64().unwrap()).collect()
}

#[test]
fn every_form_of_a_file_is_read() {
    let record =
        json!({ "SamplingRule": rule("a", 2), "CreatedAt": "2026-01-01T00:00:00+00:00", "ModifiedAt": 1.5 });
    let default = json!({
        "RuleName": "Default", "RuleARN": "arn:aws:xray:us-east-1:123456789012:sampling-rule/Default",
        "ResourceARN": "*", "Priority": 10000, "FixedRate": 0.5, "ReservoirSize": 7, "ServiceName": "*",
        "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*", "Version": 1, "Attributes": {},
    });
    let forms: [(Value, &[&str]); 8] = [
        (
            json!({ "SamplingRuleRecords": [{ "SamplingRule": default, "CreatedAt": 0.0 }, record], "NextToken": null }),
            &["a", "Default"],
        ),
        (json!({ "SamplingRuleRecords": [] }), &["Default"]),
        (json!([rule("b", 2), rule("a", 2), rule("c", 1)]), &["c", "a", "b", "Default"]),
        (json!([{ "SamplingRule": rule("a", 1) }, rule("b", 2)]), &["a", "b", "Default"]),
        (json!([]), &["Default"]),
        (rule("a", 1), &["a", "Default"]),
        (json!({ "version": 2, "default": { "fixed_target": 7, "rate": 0.5 } }), &["Default"]),
        (
            json!({ "version": 1, "default": { "fixed_target": 7, "rate": 0.5 }, "rules": [{ "description": "a",
                "service_name": "*", "http_method": "*", "url_path": "*", "fixed_target": 0, "rate": 0 }] }),
            &["a", "Default"],
        ),
    ];
    for (form, expected) in &forms {
        let file = RulesFile::from_json(&form.to_string()).unwrap();
        assert_eq!(names(&file), *expected, "{form}");
        let default = file.rules().last().unwrap();
        let own = form.to_string().contains("0.5");
        let expected = if own { (0.5, 7) } else { (0.05, 1) };
        assert_eq!((default.fixed_rate, default.reservoir_size), expected, "{form}");
        assert!(file.warnings().is_empty(), "{file:?}");
    }
    let file = RulesFile::from_json(&format!("\u{feff}{CRUDDUR}")).unwrap();
    let cruddur = &file.rules()[0];
    assert_eq!((&*cruddur.rule_name, cruddur.priority, cruddur.fixed_rate), ("Cruddur", 9000, 0.1));
    assert_eq!((cruddur.reservoir_size, &*cruddur.service_name), (5, "Cruddur"));
}

#[test]
fn what_is_told_can_be_a_file() {
    let rules = load(&json!([rule("a", 1), rule("b", 2)]), 1_000.0);
    let told = ok(&rules, RULES_PATH, &json!({}), 1_000.0);
    let again = load(&told, 1_000.0);
    assert_eq!(ok(&again, RULES_PATH, &json!({}), 1_000.0), told);
}

#[test]
fn a_file_that_is_wrong_is_refused_with_rule_and_member() {
    let changed = |member: &str, value: Value| {
        let mut rule = rule("a", 2);
        rule[member] = value;
        rule
    };
    let nameless = changed("RuleName", Value::Null);
    let cases = [
        ("{".to_owned(), "the sampling rules are not valid JSON: "),
        (
            "{}".to_owned(),
            "the sampling rules must be what `aws xray get-sampling-rules` prints, `{\"SamplingRule\": {..}}`",
        ),
        ("7".to_owned(), "the sampling rules must be what"),
        (json!({ "SamplingRuleRecords": {} }).to_string(), "the sampling rules must be what"),
        (
            json!({ "SamplingRuleRecords": [], "NextToken": "x" }).to_string(),
            "the sampling rules are one page of several",
        ),
        (
            json!({ "SamplingRule": changed("FixedRate", json!(7)) }).to_string(),
            "sampling rule \"a\": SamplingRule.FixedRate must be a number from 0 to 1, but it is 7",
        ),
        (
            changed("Host", json!("")).to_string(),
            "sampling rule \"a\": Host must be a pattern of 1 to 64 characters",
        ),
        (
            json!([rule("b", 1), changed("Version", json!(2))]).to_string(),
            "sampling rule \"a\": [1].Version must be 1, but it is 2",
        ),
        (
            json!({ "SamplingRuleRecords": [{ "SamplingRule": nameless }] }).to_string(),
            "sampling rule 1 of 1: SamplingRuleRecords[0].SamplingRule.RuleName must be text of 1 to 32 characters, but it is missing",
        ),
        (
            changed("RuleName", json!("\u{1b}[2J")).to_string().replace("9999", "0").replace(":2,", ":0,"),
            "sampling rule \"\\u{1b}[2J\": Priority must be a whole number from 1 to 9999, but it is 0",
        ),
        (json!([3]).to_string(), "sampling rule 1 of 1: [0] must be an object, but it is 3"),
        (
            json!([rule("a", 1), { "SamplingRule": rule("a", 2) }]).to_string(),
            "two sampling rules are called \"a\", at [0] and at [1].SamplingRule",
        ),
        (
            json!({ "version": 2, "default": { "fixed_target": 1 } }).to_string(),
            "local sampling rules: default.rate must be a number from 0 to 1, but it is missing",
        ),
    ];
    for (text, told) in cases {
        let error = RulesFile::from_json(&text).expect_err(&text).to_string();
        assert!(error.starts_with(told), "{error}\nis not\n{told}");
    }
    let many: Vec<Value> = (0..=MAX_RULES).map(|number| rule(&format!("r{number}"), 5)).collect();
    assert!(matches!(
        RulesFile::from_json(&json!(many).to_string()),
        Err(RulesFileError::TooMany { found: 201 })
    ));
    assert_eq!(names(&RulesFile::from_json(&json!(many[1..]).to_string()).unwrap()).len(), MAX_RULES + 1);
}

#[test]
fn local_documents_are_judged_as_the_vectors_say() {
    let vectors: Value = serde_json::from_str(include_str!("../data/sampling_rule_file.json")).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    // An array is another form.
    let documents = cases.iter().filter(|case| !case["input"].as_str().unwrap().starts_with('['));
    assert!(documents.clone().count() > 20);
    for case in documents {
        let read = RulesFile::from_json(case["input"].as_str().unwrap());
        assert_eq!(read.is_ok(), case["expected"]["valid"] == true, "{case}: {read:?}");
    }
}

#[test]
fn rules_that_sdks_skip_are_warned_of() {
    let mut attributes = rule("a", 1);
    attributes["Attributes"] = json!({ "k": "v" });
    let mut arn = rule("b", 1);
    arn["ResourceARN"] = json!("arn:*");
    let file = RulesFile::from_json(&json!([attributes, arn, rule("c", 1)]).to_string()).unwrap();
    assert_eq!(file.warnings().len(), 2, "{file:?}");
    assert!(file.warnings()[0].contains("\"a\"") && file.warnings()[1].contains("\"b\""));
}

#[test]
fn rules_are_told_as_sdks_expect_them() {
    let file = RulesFile::from_json(CRUDDUR).unwrap();
    let rules = SamplingRules::new(file, at(1_500_000_000.25));
    let expected = concat!(
        r#"{"SamplingRuleRecords":[{"SamplingRule":{"RuleName":"Cruddur","#,
        r#""RuleARN":"arn:aws:xray:us-east-1:000000000000:sampling-rule/Cruddur","ResourceARN":"*","Priority":9000,"#,
        r#""FixedRate":0.1,"ReservoirSize":5,"ServiceName":"Cruddur","ServiceType":"*","Host":"*","HTTPMethod":"*","#,
        r#""URLPath":"*","Version":1,"Attributes":{}},"CreatedAt":1500000000.25,"ModifiedAt":1500000000.25},"#,
        r#"{"SamplingRule":{"RuleName":"Default","#,
        r#""RuleARN":"arn:aws:xray:us-east-1:000000000000:sampling-rule/Default","ResourceARN":"*","Priority":10000,"#,
        r#""FixedRate":0.05,"ReservoirSize":1,"ServiceName":"*","ServiceType":"*","Host":"*","HTTPMethod":"*","#,
        r#""URLPath":"*","Version":1,"Attributes":{}},"CreatedAt":1500000000.25,"ModifiedAt":1500000000.25}]}"#,
    );
    for request in ["", " \n", "{}", r#"{"NextToken":null}"#, r#"{"NextToken":"","Unknown":[1]}"#] {
        let answer = rules.answer(RULES_PATH, request.as_bytes(), at(1_500_000_100.0));
        assert_eq!((answer.status, String::from_utf8(answer.body).unwrap()), (200, expected.to_owned()));
    }
    let everything = SamplingRules::everything(at(0.0));
    let told = ok(&everything, RULES_PATH, &json!({}), 0.0);
    assert_eq!(told["SamplingRuleRecords"].as_array().unwrap().len(), 1);
    assert_eq!(told["SamplingRuleRecords"][0]["SamplingRule"]["FixedRate"], 1.0);
}

#[test]
fn targets_are_told_as_sdks_expect_them() {
    let rules = load(&json!([rule("a", 1)]), 1_500_000_000.25);
    let answer = rules.answer(
        TARGETS_PATH,
        json!({ "SamplingStatisticsDocuments": [report("a", &client(1), 10), report("gone", &client(1), 1)] })
            .to_string()
            .as_bytes(),
        at(1_500_000_010.5),
    );
    let expected = concat!(
        r#"{"SamplingTargetDocuments":[{"RuleName":"a","FixedRate":0.25,"ReservoirQuota":3,"#,
        r#""ReservoirQuotaTTL":1500000040.5,"Interval":10}],"LastRuleModification":1500000001.0,"#,
        r#""UnprocessedStatistics":[{"RuleName":"gone","ErrorCode":"404","#,
        r#""Message":"there is no sampling rule of this name; GetSamplingRules has those that there are"}],"#,
        r#""UnprocessedBoostStatistics":[]}"#,
    );
    assert_eq!((answer.status, String::from_utf8(answer.body).unwrap()), (200, expected.to_owned()));
}

#[test]
fn clients_share_a_reservoir_while_they_have_requests() {
    let rules = load(&json!([rule("a", 1), rule("b", 2)]), 1_000.0);
    assert_eq!(quotas(&targets(&rules, &[report("a", &client(1), 5)], 1_000.0)), [3]);
    assert_eq!(quotas(&targets(&rules, &[report("a", &client(2), 50)], 1_005.0)), [2]);
    assert_eq!(quotas(&targets(&rules, &[report("a", &client(1), 5)], 1_010.0)), [1]);
    // Each rule has its own clients.
    assert_eq!(quotas(&targets(&rules, &[report("b", &client(1), 5)], 1_010.0)), [3]);
    // Both in one call, as a relay may send it, and in either order.
    let both = [report("a", &client(2), 50), report("a", &client(1), 5)];
    assert_eq!(quotas(&targets(&rules, &both, 1_012.0)), [2, 1]);
    // The second one falls silent.
    assert_eq!(quotas(&targets(&rules, &[report("a", &client(1), 5)], 1_042.0)), [1]);
    assert_eq!(quotas(&targets(&rules, &[report("a", &client(1), 5)], 1_042.001)), [3]);
    let stats = rules.stats();
    assert_eq!((stats.clients, stats.rules, stats.targets_requests, stats.reports), (3, 3, 7, 8));
}

#[test]
fn a_change_is_told_to_clients_that_fetched_before_it() {
    let rules = load(&json!([rule("a", 1), rule("b", 2)]), 1_000.0);
    let last = |seconds: f64| targets(&rules, &[], seconds)["LastRuleModification"].as_f64().unwrap();
    assert_eq!(last(1_000.5), 1_001.0);
    // The same again changes nothing, whatever its order and times.
    let same = json!([{ "SamplingRule": rule("b", 2), "ModifiedAt": 5 }, rule("a", 1)]);
    let reloaded = rules.reload(&same.to_string(), at(1_100.0)).unwrap();
    assert_eq!((reloaded.added, reloaded.changed, reloaded.removed), (0, 0, 0));
    assert_eq!(last(1_100.0), 1_001.0);
    // One changed: it alone is modified, in the second that a client fetched in.
    let mut changed = rule("b", 2);
    changed["FixedRate"] = json!(0.75);
    let reloaded = rules.reload(&json!([rule("a", 1), changed]).to_string(), at(1_200.5)).unwrap();
    assert_eq!((reloaded.added, reloaded.changed, reloaded.removed), (0, 1, 0));
    assert!(last(1_201.0) > 1_200.0, "also for an SDK that compares whole seconds with `later than`");
    let times = |place: usize| {
        let record = &rules.records()[place];
        (record.created_at(), record.modified_at())
    };
    assert_eq!((times(0), times(1)), ((at(1_000.0), at(1_000.0)), (at(1_000.0), at(1_200.5))));
    assert_eq!(
        targets(&rules, &[report("b", &client(1), 1)], 1_210.0)["SamplingTargetDocuments"][0]["FixedRate"],
        0.75
    );
    // One went.
    let reloaded = rules.reload(&json!([rule("a", 1)]).to_string(), at(1_300.0)).unwrap();
    assert_eq!((reloaded.added, reloaded.changed, reloaded.removed), (0, 0, 1));
    assert_eq!(last(1_300.0), 1_301.0);
    let answer = targets(&rules, &[report("b", &client(1), 1)], 1_310.0);
    assert_eq!(answer["UnprocessedStatistics"][0]["RuleName"], "b");
    // One came, and Default changed.
    let document = r#"{"version": 2, "default": {"fixed_target": 0, "rate": 0.5}}"#;
    let reloaded = rules.reload(document, at(1_400.0)).unwrap();
    assert_eq!((reloaded.added, reloaded.changed, reloaded.removed), (0, 1, 1));
    assert_eq!(last(1_400.0), 1_401.0);
}

#[test]
fn a_wrong_file_leaves_the_rules_in_force() {
    let rules = load(&json!([rule("a", 1)]), 1_000.0);
    targets(&rules, &[report("a", &client(1), 5)], 1_000.0);
    let before = ok(&rules, RULES_PATH, &json!({}), 1_000.0);
    for text in ["", "{", r#"[{"RuleName": "a"}]"#] {
        rules.reload(text, at(2_000.0)).unwrap_err();
    }
    assert_eq!(ok(&rules, RULES_PATH, &json!({}), 2_000.0), before);
    // What is known of clients outlives a reload of the rule.
    let mut changed = rule("a", 1);
    changed["ReservoirSize"] = json!(9);
    rules.reload(&changed.to_string(), at(1_001.0)).unwrap();
    assert_eq!(quotas(&targets(&rules, &[report("a", &client(2), 5)], 1_001.0)), [4]);
}

#[test]
fn a_wrong_request_is_answered_with_its_member_and_changes_nothing() {
    let rules = load(&json!([rule("a", 1)]), 1_000.0);
    let documents = |documents: Value| json!({ "SamplingStatisticsDocuments": documents }).to_string();
    let mut bad = report("a", &client(1), 5);
    bad["ClientID"] = json!("xyz");
    let many: Vec<Value> = (0..26).map(|number| report("a", &client(number), 1)).collect();
    let cases = [
        (TARGETS_PATH, "{".to_owned(), 400, "JSON"),
        (TARGETS_PATH, "\u{0}".to_owned(), 400, "JSON"),
        (TARGETS_PATH, "[]".to_owned(), 400, "object"),
        (RULES_PATH, "null".to_owned(), 400, "object"),
        (TARGETS_PATH, String::new(), 400, "SamplingStatisticsDocuments"),
        (TARGETS_PATH, "{}".to_owned(), 400, "SamplingStatisticsDocuments"),
        (TARGETS_PATH, documents(json!(many)), 400, "SamplingStatisticsDocuments"),
        (
            TARGETS_PATH,
            documents(json!([report("a", &client(1), 5), bad])),
            400,
            "SamplingStatisticsDocuments[1].ClientID",
        ),
        (RULES_PATH, r#"{"NextToken":"x"}"#.to_owned(), 400, "NextToken"),
        (SUMMARIES_PATH, r#"{"NextToken":5}"#.to_owned(), 400, "NextToken"),
        ("/getsamplingrules", "{}".to_owned(), 404, "/getsamplingrules"),
        ("/", String::new(), 404, "/"),
    ];
    let count = u64::try_from(cases.len()).unwrap();
    for (path, request, status, told) in cases {
        let answer = rules.answer(path, request.as_bytes(), at(1_000.0));
        assert_eq!(answer.status, status, "{path} {request}");
        let kind = if status == 400 { "InvalidRequestException" } else { "UnknownOperationException" };
        assert!(answer.headers.contains(&("x-amzn-ErrorType", kind)), "{answer:?}");
        let body = body(&answer);
        assert_eq!(body["__type"], kind);
        assert!(body["Message"].as_str().unwrap().contains(told), "{body}");
    }
    let stats = rules.stats();
    assert_eq!((stats.refused, stats.reports, stats.clients), (count, 0, 0));
    assert_eq!((stats.rules_requests, stats.targets_requests, stats.summaries_requests), (0, 0, 0));
}

#[test]
fn statistics_are_told_in_windows() {
    let rules = load(&json!([rule("a", 1)]), 1_000.0);
    for (seconds, requests) in [(1_001.0, 10), (1_009.9, 4), (1_010.0, 2)] {
        targets(&rules, &[report("a", &client(1), requests)], seconds);
    }
    let told = ok(&rules, SUMMARIES_PATH, &json!({}), 1_010.0);
    let expected = json!({ "SamplingStatisticSummaries": [
        { "RuleName": "a", "Timestamp": 1000.0, "RequestCount": 14, "BorrowCount": 2, "SampledCount": 7 },
        { "RuleName": "a", "Timestamp": 1010.0, "RequestCount": 2, "BorrowCount": 1, "SampledCount": 1 },
    ] });
    assert_eq!(told, expected);
    let told = ok(&rules, SUMMARIES_PATH, &json!({}), 1_400.0);
    assert_eq!(told, json!({ "SamplingStatisticSummaries": [] }));
    let stats = rules.stats();
    assert_eq!((stats.rules_requests, stats.targets_requests, stats.summaries_requests), (0, 3, 2));
}

#[test]
fn a_flood_of_clients_is_bounded_and_counted() {
    let rules = SamplingRules::everything(at(1_000.0));
    let most = u32::try_from(MAX_CLIENTS).unwrap();
    let all: Vec<Value> = (0..most + 250).map(|number| report("Default", &client(number), 1)).collect();
    for chunk in all.chunks(25) {
        targets(&rules, chunk, 1_000.0);
    }
    let stats = rules.stats();
    assert_eq!((stats.clients, stats.clients_forgotten), (u64::from(most), 250));
}

#[test]
fn a_file_is_followed() {
    let folder = std::env::temp_dir().join(format!("xray-console-rules-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("rules.json");
    let write = |text: &str| std::fs::write(&path, text).unwrap();

    let error = RulesOnDisk::open(&path, at(0.0)).unwrap_err();
    assert!(matches!(error, RulesOnDiskError::Read { .. }), "{error}");
    assert!(error.to_string().contains("rules.json: the sampling rules cannot be read: "), "{error}");
    write(r#"{"SamplingRule": {"RuleName": "a"}}"#);
    let error = RulesOnDisk::open(&path, at(0.0)).unwrap_err().to_string();
    assert!(error.contains("rules.json: sampling rule \"a\": SamplingRule."), "{error}");

    write(CRUDDUR);
    let mut file = RulesOnDisk::open(&path, at(1_000.0)).unwrap();
    let rules = file.rules();
    assert!(file.look(at(1_001.0)).is_none());
    // A reload that was asked for always tells.
    assert_eq!(file.reload(at(1_001.0)).unwrap().changed, 0);
    write(&CRUDDUR.replace("9000", "1"));
    assert_eq!(file.look(at(1_002.0)).unwrap().unwrap().changed, 1);
    assert_eq!(rules.records()[0].rule().priority, 1);
    // What is wrong is told once, each time it is another thing.
    write(&CRUDDUR.replace("9000", "0"));
    file.look(at(1_003.0)).unwrap().unwrap_err();
    assert!(file.look(at(1_004.0)).is_none());
    assert_eq!(file.reload(at(1_004.0)).unwrap_err().to_string().matches("Priority").count(), 1);
    std::fs::remove_file(&path).unwrap();
    file.look(at(1_005.0)).unwrap().unwrap_err();
    assert!(file.look(at(1_006.0)).is_none());
    write(&" ".repeat((1 << 20) + 1));
    let error = file.look(at(1_007.0)).unwrap().unwrap_err();
    assert!(matches!(error, RulesOnDiskError::TooLarge { .. }), "{error}");
    std::fs::write(&path, b"\xff\xfe").unwrap();
    file.look(at(1_008.0)).unwrap().unwrap_err();
    assert_eq!(rules.records()[0].rule().priority, 1);
    write(&CRUDDUR.replace("9000", "2"));
    assert_eq!(file.look(at(1_009.0)).unwrap().unwrap().changed, 1);
    assert_eq!(rules.records()[0].rule().priority, 2);
    // What is no regular file is left alone: a pipe would block.
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(file.look(at(1_010.0)).is_none());
    assert!(matches!(file.reload(at(1_010.0)), Err(RulesOnDiskError::ReadOnce { .. })));
    assert_eq!(rules.records()[0].rule().priority, 2);
    std::fs::remove_dir_all(&folder).unwrap();
}

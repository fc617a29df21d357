//! The double of Rollbar's API, as its callers see it.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use xray_console::rollbar::{
    Answer, Body, Change, Double, Event, Fault, Mode, Occurrence, Request, Scope, Settings, TokenState,
    Tokens, fingerprint, rust_fingerprint, title,
};
use xray_console::{Format, View};

/// A fixed time.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_579_893_132)
}

fn call(double: &Double, method: &str, path: &str, body: &str) -> Answer {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let headers = [("x-rollbar-access-token", "0123456789abcdef"), ("content-type", "application/json")];
    let request = Request {
        query,
        headers: &headers,
        body: body.as_bytes(),
        remote: Some([192, 0, 2, 7].into()),
        ..Request::new(method, path, now())
    };
    double.answer(&request)
}

fn post(double: &Double, data: &Value) -> Answer {
    call(double, "POST", "/api/1/item/", &json!({ "data": data }).to_string())
}

fn accepted(double: &Double, data: &Value) -> std::sync::Arc<Occurrence> {
    let answer = post(double, data);
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    match answer.event {
        Some(Event::Occurrence(occurrence)) => occurrence,
        other => panic!("no occurrence: {other:?}"),
    }
}

fn get(double: &Double, path: &str) -> Value {
    let answer = call(double, "GET", path, "");
    assert_eq!(answer.status, 200, "{path}: {:?}", answer.body);
    json_of(&answer)["result"].clone()
}

fn json_of(answer: &Answer) -> &Value {
    match &answer.body {
        Body::Json(value) => value,
        other => panic!("no JSON: {other:?}"),
    }
}

fn message(text: &str) -> Value {
    json!({ "environment": "test", "body": { "message": { "body": text } } })
}

fn trace() -> Value {
    json!({
        "environment": "production", "level": "error", "language": "rust", "timestamp": 1_579_893_132.5,
        "context": "GET /users/{id}", "code_version": "1.2.0", "person": { "id": "42" },
        "request": { "method": "GET", "url": "https://a.b/users/7", "user_ip": "$remote_ip" },
        "custom": { "trace_id": "1-5e2b4150-0000000000000000004628a8", "segment_id": "c0ffee0100000001" },
        "notifier": { "name": "n", "diagnostic": { "coalesced": 2 } },
        "body": { "trace_chain": [
            { "frames": [
                { "filename": "src/main.rs", "lineno": 10, "method": "app::main" },
                { "filename": "src/db.rs", "lineno": 40, "method": "app::db::load", "code": "    connection.query(7)?" },
                { "filename": "/home/u/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/sqlx-0.9.0/src/a.rs", "method": "sqlx::get" },
                { "filename": "/rustc/0123456789abcdef0123456789abcdef01234567/library/core/src/x.rs", "method": "core::x" },
            ], "exception": { "class": "app::db::Error", "message": "no such user" } },
            { "frames": [], "exception": { "class": "io::Error", "description": "connection refused" } },
        ] },
    })
}

fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings);
    settings
}

#[test]
fn an_occurrence_says_what_was_sent() {
    let double = Double::new(Settings::default());
    let occurrence = accepted(&double, &trace());
    assert_eq!((occurrence.counter, occurrence.change, occurrence.count), (1, Change::New, 3));
    assert_eq!(occurrence.title, "app::db::Error: no such user");
    assert_eq!(occurrence.causes, [("io::Error".to_owned(), "connection refused".to_owned())]);
    let place = occurrence.user_frame.as_ref().unwrap();
    assert_eq!(
        (&*place.file, place.line, place.code.as_deref()),
        ("src/db.rs", Some(40), Some("connection.query(7)?"))
    );
    assert_eq!(occurrence.trace_id.as_deref(), Some("1-5e2b4150-0000000000000000004628a8"));
    assert_eq!(occurrence.data["request"]["user_ip"], "192.0.2.7");
    assert_eq!(
        occurrence.drawing(View::new()),
        "#1 new · error · production · 19:12:12.5Z  ×3\n  \
           app::db::Error: no such user\n  \
           at src/db.rs:40 in app::db::load\n       \
                connection.query(7)?\n  \
           caused by io::Error: connection refused\n  \
           GET /users/{id} · GET https://a.b/users/7 · person 42 · version 1.2.0\n  \
           trace 1-5e2b4150-0000000000000000004628a8 segment c0ffee0100000001\n"
    );
}

#[test]
fn a_known_uuid_is_accepted_and_discarded() {
    let double = Double::new(Settings::default());
    let mut data = message("x");
    data["uuid"] = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6".into();
    accepted(&double, &data);
    let again = post(&double, &data);
    assert_eq!((again.status, &*again.reason, again.event.is_none()), (200, "duplicate", true));
    assert_eq!(json_of(&again)["result"]["uuid"], data["uuid"]);
    assert_eq!((double.stats().occurrences, double.stats().duplicates), (1, 1));
    // Without one, each gets its own.
    let uuids = [(); 2].map(|()| accepted(&double, &message("y")).uuid.clone());
    assert!(uuids[0] != uuids[1] && uuids[0].len() == 32);
}

#[test]
fn lenient_warns_of_what_is_inferred_and_refuses_the_rest() {
    let broken = |key: &str, value: Value| {
        let mut data = message("x");
        data[key] = value;
        data
    };
    let inferred = [
        broken("platform", json!(7)),
        broken("title", json!("t".repeat(256))),
        broken("person", json!({ "id": 7 })),
        broken("server", json!([])),
    ];
    let sure = [
        broken("level", json!(7)),
        broken("level", json!("warn")),
        broken("context", json!({})),
        broken("person", json!({})),
        broken("environment", Value::Null),
        broken("body", json!([])),
        broken("body", json!({ "trace": [] })),
        broken("body", json!({ "telemetry": {}, "message": { "body": "x" } })),
        json!("no object"),
    ];
    let strict = Double::new(settings(|settings| settings.mode = Mode::Strict));
    let lenient = Double::new(Settings::default());
    for data in &inferred {
        let answer = post(&lenient, data);
        assert_eq!((answer.status, answer.warnings.len()), (200, 1), "{data}: {:?}", answer.warnings);
        assert!(answer.warnings[0].ends_with("(inferred)"));
        assert_eq!(post(&strict, data).status, 422, "{data}");
    }
    for data in &sure {
        let answers = [post(&lenient, data), post(&strict, data)];
        assert_eq!(answers.map(|answer| answer.status), [422, 422], "{data}");
    }
    assert_eq!((lenient.stats().warned, lenient.stats().refused), (4, 9));
}

#[test]
fn who_watches_hears_of_refusals_and_sees_no_token() {
    let double = Double::new(settings(|settings| settings.tokens = Tokens::Listed(BTreeMap::new())));
    let answer = post(&double, &message("x"));
    assert_eq!((answer.status, answer.message()), (403, Some("access token not found: 0123456789abcdef")));
    let Some(Event::Refused(refused)) = answer.event else { panic!("no event") };
    assert_eq!(refused.message, "access token not found: 0123****");
    let body = json!({ "data": message("x") }).to_string();
    let request = Request { body: body.as_bytes(), ..Request::new("POST", "/api/1/item", now()) };
    assert_eq!(double.answer(&request).status, 401);
}

#[test]
fn bodies_come_plain_in_forms_and_compressed() {
    let double = Double::new(settings(|settings| settings.max_bytes = 1_000));
    let send = |headers: &[(&str, &str)], body: &[u8]| {
        let answer = double.answer(&Request { headers, body, ..Request::new("POST", "/api/1/item/", now()) });
        (answer.status, answer.reason.into_owned())
    };
    let gzip = |body: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    let json = json!({ "access_token": "t", "data": message("a+b & c") }).to_string();
    let form: String = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &json).finish();
    let form_type = ("content-type", "Application/X-WWW-Form-urlencoded; charset=utf-8");
    let ok = (200, "ok".to_owned());
    assert_eq!(send(&[], json.as_bytes()), ok);
    assert_eq!(send(&[form_type], form.as_bytes()), ok);
    assert_eq!(send(&[("Content-Encoding", "GZIP")], &gzip(json.as_bytes())), ok);
    assert_eq!(send(&[form_type, ("content-encoding", "gzip")], &gzip(form.as_bytes())), ok);
    assert!(double.items().iter().all(|item| item.title == "a+b & c") && double.items().len() == 1);

    assert_eq!(send(&[], &[b' '; 1_001]), (413, "too-large".to_owned()));
    // A bomb: two kilobytes that would be a megabyte.
    assert_eq!(send(&[("content-encoding", "gzip")], &gzip(&[b' '; 1 << 18])), (413, "too-large".to_owned()));
    assert_eq!(send(&[("content-encoding", "gzip")], b"no gzip"), (400, "bad-gzip".to_owned()));
    assert_eq!(send(&[("content-encoding", "br")], b"x"), (415, "content-encoding".to_owned()));
    for bad in [&b""[..], b"{", b"\xff", b"{\"a\":NaN}", &[b'['; 900]] {
        assert_eq!(send(&[], bad), (400, "bad-json".to_owned()));
    }
    assert_eq!(send(&[form_type], b"other=1&payload="), (400, "bad-json".to_owned()));
    assert_eq!(send(&[], b"[]"), (422, "type:payload".to_owned()));
}

#[test]
fn items_group_are_resolved_and_come_back() {
    let double = Double::new(Settings::default());
    let mut data = message("took 12 ms");
    data["level"] = "warning".into();
    assert_eq!(accepted(&double, &data).change, Change::New);
    data["body"]["message"]["body"] = "took 97 ms".into();
    data["level"] = "error".into();
    let again = accepted(&double, &data);
    assert_eq!((again.change, again.counter), (Change::Again, 1));
    let item = get(&double, "/api/1/item/1");
    assert_eq!(
        (&item["level"], &item["title"], &item["total_occurrences"]),
        (&json!("warning"), &json!("took 12 ms"), &json!(2))
    );
    // Another environment, another item.
    data["environment"] = "staging".into();
    assert_eq!(accepted(&double, &data).counter, 2);
    data["environment"] = "test".into();

    let resolve = r#"{"status":"resolved","resolved_in_version":"1.10.0"}"#;
    assert_eq!(call(&double, "PATCH", "/api/1/item/1", resolve).status, 200);
    data["code_version"] = "1.9.3".into();
    assert_eq!(accepted(&double, &data).change, Change::Again, "older than the fix");
    data["code_version"] = "1.10.0".into();
    assert_eq!(accepted(&double, &data).change, Change::Reactivated);
    let item = get(&double, "/api/1/item/1");
    assert_eq!(
        (&item["status"], &item["title"], &item["level"]),
        (&json!("active"), &json!("took 97 ms"), &json!("warning"))
    );

    assert_eq!(call(&double, "PATCH", "/api/1/item/1", r#"{"status":"muted"}"#).status, 200);
    assert_eq!(accepted(&double, &data).change, Change::Again);
    assert_eq!(get(&double, "/api/1/items/?status=muted")["total_count"], 1);
    for wrong in
        [r#"{"status":"gone"}"#, r#"{"level":"warn"}"#, r#"{"title":""}"#, r#"{"assigned_user_id":"x"}"#]
    {
        assert_eq!(call(&double, "PATCH", "/api/1/item/1", wrong).status, 422, "{wrong}");
    }
    assert_eq!(call(&double, "PATCH", "/api/1/item/9", "{}").status, 404);
}

#[test]
fn what_is_kept_is_bounded_and_counted() {
    let double = Double::new(settings(|settings| (settings.max_items, settings.max_occurrences) = (3, 5)));
    for letter in ["a", "b", "c", "d", "a", "a", "a", "a"] {
        accepted(&double, &message(letter));
    }
    let titles: Vec<String> = double.items().into_iter().map(|item| item.title).collect();
    assert_eq!(titles, ["a", "d", "c"]);
    let stats = double.stats();
    assert_eq!((stats.occurrences, stats.evicted_items, stats.evicted_occurrences), (8, 2, 3));
    assert_eq!(double.occurrences(100).len(), 5);

    let double = Double::new(settings(|settings| settings.max_stored_bytes = 100_000));
    for _ in 0..50 {
        accepted(&double, &message(&"x".repeat(10_000)));
    }
    assert!((8..=10).contains(&double.occurrences(100).len()), "{}", double.occurrences(100).len());
}

#[test]
fn what_was_stored_can_be_read() {
    let double = Double::new(Settings::default());
    for number in 0..45 {
        accepted(&double, &message(if number % 2 == 0 { "even" } else { "odd" }));
    }
    let items = get(&double, "/api/1/items?query=EVE");
    assert_eq!((&items["total_count"], &items["items"][0]["title"]), (&json!(1), &json!("even")));
    let page = |path: &str| get(&double, path)["instances"].as_array().unwrap().len();
    assert_eq!((page("/api/1/instances/"), page("/api/1/instances/?page=3")), (20, 5));
    assert_eq!((page("/api/1/item/2/instances/"), page("/api/1/item/2/instances?page=2")), (20, 2));
    assert_eq!(get(&double, "/api/1/instance/45/")["data"]["body"]["message"]["body"], "even");
    let redirect = call(&double, "GET", "/api/1/item_by_counter/2?access_token=t", "");
    assert_eq!(redirect.status, 301);
    assert_eq!(redirect.headers, [("Location".into(), "/api/1/item/2?access_token=t".to_owned())]);
    assert_eq!(json_of(&redirect)["result"]["itemId"], 2);
    assert_eq!(call(&double, "DELETE", "/api/1/instance/45", "").status, 200);
    for gone in [
        "/api/1/instance/45",
        "/api/1/item/3",
        "/api/1/item/x",
        "/api/1/item/9/instances",
        "/api/1/nothing",
        "/",
        "",
    ] {
        assert_eq!(call(&double, "GET", gone, "").status, 404, "{gone}");
    }
    assert_eq!(call(&double, "GET", "/api/1/status/ping", "").body, Body::Text("pong".to_owned()));
    let wrong = call(&double, "GET", "/api/1/item/", "");
    assert_eq!((wrong.status, wrong.headers), (405, vec![("Allow".into(), "POST".to_owned())]));
}

#[test]
fn scopes_are_asked_for_where_tokens_are_listed() {
    let token = |scope: Scope| (scope.as_str().to_owned(), vec![scope]);
    let scopes = [Scope::PostClientItem, Scope::PostServerItem, Scope::Read, Scope::Write];
    let mut tokens = BTreeMap::from(scopes.map(token));
    tokens.insert("disabled".to_owned(), vec![]);
    let double = Double::new(settings(|settings| settings.tokens = Tokens::Listed(tokens)));
    accepted_with(&double, "post_server_item", &message("x"));
    let status = |method: &str, path: &str, token: &str| {
        let headers = [("X-Rollbar-Access-Token", token)];
        double.answer(&Request { headers: &headers, ..Request::new(method, path, now()) }).status
    };
    assert_eq!(status("GET", "/api/1/items/", "read"), 200);
    assert_eq!(status("GET", "/api/1/items/", "write"), 403);
    assert_eq!(status("GET", "/api/1/items/", "disabled"), 403);
    assert_eq!(status("PATCH", "/api/1/item/1", "write"), 200);
    assert_eq!(status("PATCH", "/api/1/item/1", "read"), 403);
    assert_eq!(status("DELETE", "/api/1/instance/1", "post_server_item"), 403);
    let query = Request { query: "a=b&access_token=read", ..Request::new("GET", "/api/1/items/", now()) };
    assert_eq!(double.answer(&query).status, 200);
}

fn accepted_with(double: &Double, token: &str, data: &Value) {
    let body = json!({ "access_token": token, "data": data }).to_string();
    let request = Request { body: body.as_bytes(), ..Request::new("POST", "/api/1/item/", now()) };
    assert_eq!(double.answer(&request).status, 200);
}

#[test]
fn deploys_are_told_in_forms_and_in_json() {
    let double = Double::new(Settings::default());
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let body = b"access_token=t&environment=production&revision=0a1b2c3&local_username=ana&comment=a%20b&status=started";
    let answer =
        double.answer(&Request { headers: &headers, body, ..Request::new("POST", "/api/1/deploy/", now()) });
    assert_eq!(json_of(&answer), &json!({ "err": 0, "data": { "deploy_id": 1 } }));
    let Some(Event::Deploy(deploy)) = answer.event else { panic!("no deploy") };
    assert_eq!(deploy.line(Format::Human, View::new()), "deploy #1 started 0a1b2c3 production by ana  a b");
    let answer = call(&double, "PATCH", "/api/1/deploy/1?access_token=t", r#"{"status":"succeeded"}"#);
    assert_eq!(json_of(&answer)["result"]["finish_time"], 1_579_893_132);
    let alias = r#"{"environment":"e","head_long":"r"}"#;
    assert_eq!(call(&double, "POST", "/api/1/deploy", alias).status, 200);
    assert_eq!(get(&double, "/api/1/deploy/2")["status"], "succeeded");
    assert_eq!(get(&double, "/api/1/deploys/")["deploys"][0]["revision"], "r");
    for wrong in [
        r#"{"environment":"e"}"#,
        r#"{"revision":"r"}"#,
        r#"{"environment":"e","revision":"r","status":"x"}"#,
        "[]",
    ] {
        assert_eq!(call(&double, "POST", "/api/1/deploy/", wrong).status, 422, "{wrong}");
    }
    assert_eq!(call(&double, "PATCH", "/api/1/deploy/7", "{}").status, 404);
    assert_eq!(double.stats().deploys, 2);
}

fn fault(json: Value) -> Fault {
    serde_json::from_value(json).unwrap()
}

#[test]
fn each_fault_is_met_as_often_as_asked() {
    let double = Double::new(Settings::default());
    double.inject(fault(json!({ "path": "/api/1/deploy", "status": 500 })));
    double.inject(fault(json!({ "status": 503, "times": 2, "headers": { "Retry-After": "1" } })));
    let statuses = [(); 3].map(|()| post(&double, &message("x")).status);
    assert_eq!(statuses, [503, 503, 200]);
    assert_eq!(double.stats().occurrences, 1, "what met a fault is not stored");
    assert_eq!(double.clear_faults(), 1);

    let cases = [
        (
            json!({ "status": 429, "message": "Over free plan monthly limit." }),
            429,
            Some("Over free plan monthly limit."),
        ),
        (json!({ "status": 413 }), 413, Some("request entity too large")),
        (json!({ "status": 403 }), 403, Some("access token not found: 0123456789abcdef")),
        (json!({ "token_state": "disabled" }), 403, Some("access token is disabled")),
        (
            json!({ "token_state": "wrong_scope" }),
            403,
            Some(
                "insufficient privileges: post_server_item scope is required but the access token only has read.",
            ),
        ),
        (json!({ "too_large_at": 10 }), 413, Some("request entity too large")),
        (json!({ "too_large_at": 1_000_000 }), 200, None),
        (json!({ "refuse_gzip": true }), 200, None),
        (json!({ "redirect_to": "https://a.b/" }), 307, Some("injected fault")),
        (json!({ "html": "<h1>proxy</h1>", "status": 502 }), 502, None),
        (json!({ "body": { "err": 1, "message": "m" } }), 200, Some("m")),
        (json!({ "reset_mid_body": true, "slow_close_ms": 5 }), 200, None),
    ];
    for (json, status, text) in cases {
        let given = fault(json.clone());
        let headers = [("x-rollbar-access-token", "0123456789abcdef")];
        let body = json_of_item();
        let request = Request {
            headers: &headers,
            body: body.as_bytes(),
            fault: Some(&given),
            ..Request::new("POST", "/api/1/item/", now())
        };
        let answer = double.answer(&request);
        assert_eq!((answer.status, answer.message()), (status, text), "{json}");
        assert_eq!(answer.wire.reset_mid_body, given.reset_mid_body);
        assert_eq!(answer.wire.slow_close, Duration::from_millis(given.slow_close_ms));
    }
    assert!(serde_json::from_value::<Fault>(json!({ "statsu": 3 })).is_err());
}

fn json_of_item() -> String {
    json!({ "data": message("x") }).to_string()
}

#[test]
fn an_answer_that_is_lost_makes_the_retry_a_duplicate() {
    let double = Double::new(Settings::default());
    double.inject(fault(json!({ "status": 502, "accept": true, "html": "<p>" })));
    let mut data = message("x");
    data["uuid"] = "u1".into();
    let lost = post(&double, &data);
    assert_eq!((lost.status, lost.body.content_type()), (502, "text/html; charset=utf-8"));
    assert!(matches!(lost.event, Some(Event::Occurrence(_))));
    assert_eq!(&*post(&double, &data).reason, "duplicate");
}

#[test]
fn a_slow_read_is_known_before_the_body() {
    let double = Double::new(Settings::default());
    double.inject(fault(json!({ "status": 500 })));
    double.inject(fault(json!({ "slow_read_ms": 7, "path": "/api/1/item" })));
    assert_eq!(double.take_fault("/api/1/deploy/"), None);
    assert_eq!(double.take_fault("/api/1/item/").map(|fault| fault.slow_read_ms), Some(7));
    assert_eq!(double.take_fault("/api/1/item/"), None);
    assert_eq!(post(&double, &message("x")).status, 500);
    assert_eq!(
        double
            .answer(&Request {
                fault: Some(&fault(json!({ "token_state": TokenState::Ok }))),
                ..Request::new("GET", "/api/1/items", now())
            })
            .status,
        401
    );
}

/// Made by the reference model of the specification, `../shared/spec/rollbar_validator.py`.
#[test]
fn fingerprints_and_titles_are_those_of_the_model() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../data/rollbar_grouping.json")).unwrap();
    assert_eq!(cases.len(), 80);
    for case in cases {
        assert_eq!(
            (fingerprint(&case["data"]), title(&case["data"])),
            (case["fp"].as_str().unwrap().to_owned(), case["title"].as_str().unwrap().to_owned()),
            "{case}"
        );
    }
}

#[test]
fn a_new_toolchain_or_lock_file_splits_no_rust_item() {
    let data = |method: &str, registry: &str, runtime: &[&str]| {
        let mut frames = vec![
            json!({ "filename": format!("/h/.cargo/registry/src/{registry}/axum-0.8.1/src/lib.rs"), "method": "axum::serve" }),
            json!({ "filename": "src/main.rs", "method": method }),
        ];
        frames.extend(runtime.iter().map(
            |method| json!({ "filename": "/rustc/0123456789abcdef/library/core/src/a.rs", "method": method }),
        ));
        let trace = json!({ "frames": frames, "exception": { "class": "E", "message": "m" } });
        json!({ "language": "rust", "environment": "e", "body": { "trace": trace } })
    };
    let one =
        data("app::f::{{closure}}", "index.crates.io-1949cf8c6b5b557f", &["core::panicking::panic_fmt"]);
    let same = data("app::f::<u8>::{closure#0}", "index.crates.io-6f17d22bba15001f", &["core::a", "core::b"]);
    let other = data("app::g", "index.crates.io-1949cf8c6b5b557f", &["core::panicking::panic_fmt"]);
    assert_eq!(rust_fingerprint(&one), rust_fingerprint(&same));
    assert_ne!(fingerprint(&one), fingerprint(&same));
    assert_ne!(rust_fingerprint(&one), rust_fingerprint(&other));
    // Other languages keep theirs.
    let python = |method: &str| {
        let mut data = data(method, "x", &[]);
        data["language"] = "python".into();
        data
    };
    assert_eq!(rust_fingerprint(&python("f<a>")), fingerprint(&python("f<a>")));
    let panic = |line: u32| message(&format!("panicked at src/main.rs:{line}:5: boom"));
    assert_eq!(rust_fingerprint(&panic(7)), rust_fingerprint(&panic(8)));
}

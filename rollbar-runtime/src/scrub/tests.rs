//! Tests of the [`scrub`](super) rules.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn scrubbed(text: &str) -> String {
    Scrubber::default().scrub_text(text).unwrap_or_else(|| text.to_owned())
}

/// Each text, with `⟨` and `⟩` around what is masked.
fn masks(marked: &[&str]) {
    for marked in marked {
        let text = marked.replace(['⟨', '⟩'], "");
        let mut expected = String::new();
        for (index, part) in marked.split(['⟨', '⟩']).enumerate() {
            expected.push_str(if index % 2 == 0 { part } else { MASK });
        }
        assert_eq!(scrubbed(&text), expected);
        assert_eq!(Scrubber::default().scrub_text(&expected), None, "{expected}");
    }
}

#[test]
fn passwords_of_urls() {
    masks(&[
        "postgres://u:⟨p@ss:w;o&rd⟩@h,h2/db and https://a:⟨b⟩@c",
        "(//u:⟨p⟩@h) http:////u:⟨p⟩@h http://u:@h http://h:80/a@b //h:80 a@b",
        "mailto:a@b.c http://h/?q=x:y@z",
        "http://h/?next=http%3A%2F%2Fu%3A⟨p%40s⟩%40h%2Fx%3Ay%40z&a=%2f%2fu:⟨p⟩@h;b=1",
        "http%3A%2F%2Fu%3Ap%40h",
        "?⟨4111 1111 1111 1111⟩%2F%2Fu%3Ap%40h=",
        "?to=//h:80&mail=joe@example.com",
        "http://ü:⟨ß⟩@h/",
    ]);
}

#[test]
fn values_of_parameters() {
    masks(&[
        "?user[password]=⟨1⟩&user%5Bpassword%5D=⟨2⟩&a[password][x]=3&secret[]=⟨4⟩",
        "<a href=\"/x?token=⟨1⟩\">?token=⟨2⟩<br>",
        "Server=h;Uid=u;Password=⟨p⟩\\\"",
        "{\"url\":\"http://h/?token=⟨1\\=⟩\\\",\"b\":2}",
        "?passwords=1&my_password=2&=3&token&token=#x",
        "?a?token=⟨==⟩&&auth=⟨x?y⟩",
        "what? token = 1; password: 2, token=3",
    ]);
}

#[test]
fn credentials_by_their_looks() {
    masks(&[
        "Authorization: Bearer ⟨abc⟩",
        "curl -H 'authorization: basic ⟨x⟩'",
        "sent bearer  ⟨a1b2c3⟩.",
        "bearer token missing, Basic authentication failed, Bearer of bad news, basic AUTHENTICATION",
        "Basic ⟨dXNlcjpwYXNz⟩",
        "Basic dTpw=⟨eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.⟩",
        "got ⟨eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.⟩ and eyJhbGciOiJub25lIn0 alone",
        "⟨eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_⟩, keyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        "id ⟨AKIAIOSFODNN7EXAMPLE⟩ or ⟨ASIAIOSFODNN7EXAMPLE⟩; AKIAIOSFODNN7EXAMPLEX xAKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY=⟨wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY⟩",
        "{\"SecretAccessKey\": \"⟨wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY⟩\"}",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY, secret access key: none",
        "key:\n⟨-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----⟩\nend",
        "⟨-----BEGIN CERTIFICATE-----\ncut⟩",
        "------BEGIN X----- -----begin x-----",
    ]);
}

#[test]
fn numbers_of_cards() {
    masks(&[
        "⟨4111111111111111⟩",
        "card ⟨4111 1111 1111 1111⟩, ⟨3782-822463-10005⟩. ⟨5555555555554444⟩/⟨6011 1111 1111 1117⟩",
        "Order 12 ⟨4111111111111111⟩",
        "4111111111111112 4111-1111 1111-1111 41111111111111110000",
        "1700000000000 1700000000000000000 20261125003515",
        "0.4111111111111111 a4111111111111111 4111111111111111a x_4111111111111111",
        "0000000000000000 5 10 15 20 25 30 35 40",
    ]);
}

#[test]
fn keys_and_all_that_is_below_them() {
    let mut tree = json!({
        "http://u:p@h": 1,
        "query_string": "token=1&a=2",
        "a": [{"Api-Key": {"deep": [1]}, "token": null, "tokens": "x", "user[jwt]": true}],
        "aws_secret_access_key": "short",
        "n": 4111111111111111_u64,
    });
    let scrubber = Scrubber::default();
    scrubber.scrub(&mut tree);
    let expected = json!({
        "http://u:********@h": 1,
        "query_string": "token=********&a=2",
        "a": [{"Api-Key": MASK, "token": null, "tokens": "x", "user[jwt]": MASK}],
        "aws_secret_access_key": MASK,
        "n": 4111111111111111_u64,
    });
    assert_eq!(tree, expected);
    let mut more = Scrubber::default();
    more.add(["x-internal-*"]);
    let mut tree = json!({"X-Internal-Id": 7, "x-int": 7});
    more.scrub(&mut tree);
    assert_eq!(tree, json!({"X-Internal-Id": MASK, "x-int": 7}));
}

#[test]
fn a_tree_deeper_than_the_stack() {
    let mut tree = json!("http://u:p@h");
    for _ in 0..200_000 {
        tree = Value::Array(vec![tree]);
    }
    Scrubber::default().scrub(&mut tree);
    let mut root = Value::Object([("password".to_owned(), tree)].into_iter().collect());
    Scrubber::default().scrub(&mut root);
    assert_eq!(root, json!({ "password": MASK }));
}

#[test]
fn time_is_linear_in_the_text() {
    // Each takes some hundredths of a second; it would take minutes if its rule looked far ahead from each beginning.
    for part in [
        "?",
        "&a=",
        "//a:",
        "//a@",
        "%2F%2Fa%3A",
        "?a=%2F%2F",
        "eyJ",
        "eyJ-",
        "-eyJ",
        "eyJhbGciOiJub25lIn0.",
        "bearer ",
        "basic a",
        "-----BEGIN A-----",
        "-----BEGIN ",
        "4111 ",
        "4111-",
        "41111111111111",
        "secret_access_key=",
        "session token:a",
        "AKIA",
        "?a?token",
        "&token=",
        ";[]",
        "?token=\\",
    ] {
        let text = part.repeat(200_000 / part.len());
        let query = format!("?{text}");
        let start = std::time::Instant::now();
        scrubbed(&text);
        scrubbed(&query);
        assert!(start.elapsed().as_secs() < 5, "{part}");
    }
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z:/@?&;=%#\"\\\\\\[\\] .-]{0,12}",
        ".{0,6}",
        prop::sample::select(vec![
            "http://u:p@h",
            "%2F%2Fu%3Ap%40h",
            "?token=",
            "&user[password]=x",
            ";auth=a",
            "Bearer abc123",
            "Basic dTpw",
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
            "AKIAIOSFODNN7EXAMPLE",
            "secret_access_key=",
            "4111 1111 1111 1111",
            "4111111111111111",
            "-----BEGIN A-----",
            "-----END A-----",
            "********",
            "authorization: ",
            "/",
            "-",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "\\\"",
            "%5B",
            "?a=",
        ])
        .prop_map(str::to_owned),
    ]
}

fn hostile() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..12).prop_map(|pieces| pieces.concat())
}

#[test]
fn what_a_mask_uncovers_is_masked_too() {
    let once = scrubbed("http://u:p@h-----BEGIN A----------END A-----@");
    assert_eq!(scrubbed(&once), once);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn scrubbing_again_changes_nothing(text in hostile()) {
        let scrubber = Scrubber::default();
        if let Some(once) = scrubber.scrub_text(&text) {
            prop_assert!(once.contains(MASK));
            prop_assert_eq!(scrubber.scrub_text(&once), None, "{}", once);
        }
    }

    #[test]
    fn what_is_not_masked_stays(text in hostile()) {
        // The parts between the masks stand in the text, in their order.
        let text = text.replace('*', "");
        let masked = scrubbed(&text);
        let mut rest = text.as_str();
        for part in masked.split(MASK) {
            let at = rest.find(part);
            prop_assert!(at.is_some(), "{masked}");
            rest = &rest[at.unwrap() + part.len()..];
        }
    }

    #[test]
    fn any_field_and_key(field in ".{0,8}|[a*_-]{0,6}", key in ".{0,8}|[a\\[\\]_]{0,8}") {
        let scrubber = Scrubber::new([&field]);
        let mut tree = serde_json::Value::Object([(key.clone(), json!([1]))].into_iter().collect());
        scrubber.scrub(&mut tree);
        let once = tree.clone();
        scrubber.scrub(&mut tree);
        prop_assert_eq!(once, tree);
    }
}

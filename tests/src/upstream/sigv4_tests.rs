#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::Value;

use super::*;

/// 2026-01-05T03:07:09Z, when the vectors were signed.
const THEN: i64 = 1_767_582_429;

/// A request that is signed, and by whom.
#[derive(Clone)]
struct Vector {
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    key: Key,
    region: String,
    service: String,
}

impl Vector {
    fn verify_as(&self, method: &str, now: i64) -> Result<(), Refusal> {
        let signed = Signed { method, target: &self.target, headers: &self.headers, body: &self.body };
        let keys = [Key::new("AKIDOTHER", "other"), self.key.clone()];
        let expected = Expected { keys: &keys, region: &self.region, service: &self.service, now };
        signed.verify(&expected).map(|key| assert_eq!(*key, self.key))
    }

    fn verify(&self) -> Result<(), Refusal> {
        self.verify_as("POST", THEN)
    }

    fn change(&self, change: impl FnOnce(&mut Self)) -> Result<(), Refusal> {
        let mut other = self.clone();
        change(&mut other);
        other.verify()
    }
}

fn vectors() -> Vec<Vector> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/cloudwatch-otlp/sigv4.json");
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let vectors: Vec<_> = cases
        .iter()
        .map(|case| {
            let text = |name: &str| case[name].as_str().unwrap().to_owned();
            let url = text("url");
            let (host, path) = url.strip_prefix("https://").unwrap().split_once('/').unwrap();
            let mut headers = vec![("Host".to_owned(), host.to_owned())];
            for (name, value) in case["expect_headers"].as_object().unwrap() {
                headers.push((name.clone(), value.as_str().unwrap().to_owned()));
            }
            let key = Key::new(&text("access_key"), &text("secret_key"));
            let key = match case["session_token"].as_str() {
                Some(token) => key.with_token(token),
                None => key,
            };
            let body = hex::decode(text("body_hex")).unwrap();
            let (region, service) = (text("region"), text("service"));
            Vector { target: format!("/{path}"), headers, body, key, region, service }
        })
        .collect();
    assert!(!vectors.is_empty());
    vectors
}

#[test]
fn what_is_signed_as_specified_passes() {
    for vector in vectors() {
        assert_eq!(vector.verify(), Ok(()));
        assert_eq!(vector.verify_as("POST", THEN + SKEW), Ok(()));
        assert_eq!(vector.verify_as("POST", THEN - SKEW), Ok(()));
    }
}

#[test]
fn order_and_case_of_headers_and_spaces_around_values_do_not_count() {
    for mut vector in vectors() {
        vector.headers.reverse();
        for (name, value) in &mut vector.headers {
            *name = name.to_ascii_uppercase();
            *value = format!("  {value} ");
        }
        vector.headers.push(("X-Forwarded-For".to_owned(), "127.0.0.1".to_owned()));
        assert_eq!(vector.verify(), Ok(()));
    }
}

#[test]
fn a_bit_changed_anywhere_is_refused() {
    for vector in vectors() {
        let mut changes = 0;
        let mut refused = |what: &str, verdict: Result<(), Refusal>| {
            assert!(verdict.is_err(), "{what}");
            changes += 1;
        };
        for bit in 0..8 {
            for at in 0..vector.body.len() {
                refused(&format!("body {at}"), vector.change(|other| other.body[at] ^= 1 << bit));
            }
        }
        for bit in 0..7 {
            for (header, (name, value)) in vector.headers.iter().enumerate() {
                for at in 0..value.len() {
                    let Some(flipped) = flipped(value, at, bit) else { continue };
                    // A space more or less at an end is no change.
                    if flipped.trim() == value.trim() {
                        continue;
                    }
                    let verdict = vector.change(|other| other.headers[header].1 = flipped.clone());
                    refused(&format!("{name}: {flipped}"), verdict);
                }
                for at in 0..name.len() {
                    let Some(flipped) = flipped(name, at, bit) else { continue };
                    if flipped.eq_ignore_ascii_case(name) {
                        continue;
                    }
                    let verdict = vector.change(|other| other.headers[header].0 = flipped.clone());
                    refused(&flipped, verdict);
                }
            }
            for at in 0..vector.target.len() {
                let Some(flipped) = flipped(&vector.target, at, bit) else { continue };
                refused(&flipped, vector.change(|other| other.target = flipped.clone()));
            }
        }
        assert!(changes > 1_000);
    }
}

fn flipped(text: &str, at: usize, bit: u8) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    bytes[at] ^= 1 << bit;
    String::from_utf8(bytes).ok()
}

#[test]
fn each_refusal_has_the_name_that_aws_gives_it() {
    let vector = &vectors()[1];
    let header =
        |other: &mut Vector, name: &str| other.headers.iter().position(|(header, _)| header == name).unwrap();
    type Change<'a> = &'a dyn Fn(&mut Vector);
    let cases: [(&str, Change<'_>); 8] = [
        ("MissingAuthenticationTokenException", &|other| {
            let at = header(other, "authorization");
            other.headers.remove(at);
        }),
        ("IncompleteSignatureException", &|other| {
            let at = header(other, "authorization");
            other.headers[at].1 = "Bearer token".to_owned();
        }),
        ("IncompleteSignatureException", &|other| {
            let at = header(other, "x-amz-date");
            other.headers[at].1 = "Mon, 05 Jan 2026 03:07:09 GMT".to_owned();
        }),
        ("UnrecognizedClientException", &|other| other.key.access_key_id = "AKIDNEW".to_owned()),
        ("UnrecognizedClientException", &|other| other.key.session_token = None),
        ("InvalidSignatureException", &|other| other.key.secret_access_key += "x"),
        ("InvalidSignatureException", &|other| other.region = "us-east-2".to_owned()),
        ("InvalidSignatureException", &|other| other.service = "logs".to_owned()),
    ];
    for (expected, change) in cases {
        assert_eq!(vector.change(change).map_err(|refusal| refusal.error_type()), Err(expected));
    }
    for now in [THEN + SKEW + 1, THEN - SKEW - 1] {
        assert!(matches!(vector.verify_as("POST", now), Err(Refusal::Invalid(_))));
    }
    assert!(matches!(vector.verify_as("PUT", THEN), Err(Refusal::Invalid(_))));
}

/// The `Authorization` of a request, over these headers.
pub(in super::super) fn authorization(
    request: &Signed<'_>,
    names: &str,
    key: &Key,
    region: &str,
    service: &str,
) -> String {
    let date = request.header("x-amz-date").unwrap();
    let day = &date[..8];
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let text =
        format!("{ALGORITHM}\n{date}\n{scope}\n{}", sha256(request.canonical(names).unwrap().as_bytes()));
    let mut signing_key = format!("AWS4{}", key.secret_access_key).into_bytes();
    for step in [day, region, service, "aws4_request"] {
        signing_key = hmac(&signing_key, step.as_bytes());
    }
    let signature = hex::encode(hmac(&signing_key, text.as_bytes()));
    format!(
        "{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        key.access_key_id
    )
}

#[test]
fn amz_headers_must_be_signed_and_host_and_date_always() {
    let vector = vectors().remove(1);
    let all = "content-encoding;content-type;host;x-amz-date;x-amz-security-token";
    let request =
        Signed { method: "POST", target: &vector.target, headers: &vector.headers, body: &vector.body };
    let signed = authorization(&request, all, &vector.key, &vector.region, &vector.service);
    assert!(vector.headers.contains(&("authorization".to_owned(), signed)));
    let invalid =
        |verdict: Result<(), Refusal>| assert!(matches!(verdict, Err(Refusal::Invalid(_))), "{verdict:?}");
    invalid(vector.change(|other| other.headers.push(("X-Amz-Target".to_owned(), "x".to_owned()))));
    for names in ["x-amz-date;x-amz-security-token", "host;x-amz-security-token", "host;x-amz-date", ""] {
        invalid(vector.change(|other| {
            let at = other.headers.iter().position(|(name, _)| name == "authorization").unwrap();
            other.headers[at].1 = other.headers[at].1.replace(all, names);
        }));
    }
    invalid(vector.change(|other| {
        other.headers.push(("x-amz-content-sha256".to_owned(), sha256(b"another")));
    }));
}

#[test]
fn paths_are_encoded_once_more_and_queries_sorted() {
    assert_eq!(encoded("/a%20b/c~d*", b"/"), "/a%2520b/c~d%2A");
    assert_eq!(canonical_query("b=2&a=%20x&a=1&c"), "a=%20x&a=1&b=2&c=");
    assert_eq!(canonical_query(""), "");
}

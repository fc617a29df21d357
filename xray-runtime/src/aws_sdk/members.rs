//! Finds members of requests and responses as they stand on the wire: the types of a client are its own, and an interceptor sees
//! them without their fields. What is a stream is never touched.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use aws_smithy_runtime_api::client::endpoint::EndpointResolverParams;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use percent_encoding::percent_decode_str;
use serde::de::{Deserialize, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::object::Members;
use super::parameters::{Parameter, Take};
use crate::document::AwsMembers;

/// Bytes of a body that are looked through; a table's largest item is 400 KB.
const MAX_BODY_BYTES: usize = 512 * 1024;

/// Bytes of a `Debug` text that are looked through for the bucket's name, which stands near its beginning.
const MAX_DEBUG_BYTES: usize = 1024;

/// Where a member stands that is not in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Only the parameters of the endpoint have it: in a request it may be in the host or in the path.
    Bucket,
    /// The whole path, without its first slash.
    Path,
    /// What follows this element of the path.
    PathAfter(&'static str),
    Query(&'static str),
    Header(&'static str),
    Status,
}

/// None for what stands in the body.
pub(super) fn place(service: &str, member: &str) -> Option<Place> {
    Some(match (service, member) {
        ("s3", "Bucket") => Place::Bucket,
        ("s3", "Key") => Place::Path,
        ("s3", "VersionId") => Place::Query("versionId"),
        ("s3", "Prefix") => Place::Query("prefix"),
        ("s3", "CopySource") => Place::Header("x-amz-copy-source"),
        ("s3", "StorageClass") => Place::Header("x-amz-storage-class"),
        ("lambda", "FunctionName") => Place::PathAfter("functions"),
        ("lambda", "Qualifier") => Place::Query("Qualifier"),
        ("lambda", "InvocationType") => Place::Header("x-amz-invocation-type"),
        ("lambda", "LogType") => Place::Header("x-amz-log-type"),
        ("lambda", "FunctionError") => Place::Header("x-amz-function-error"),
        ("lambda", "StatusCode") => Place::Status,
        ("sagemaker", "EndpointName") => Place::PathAfter("endpoints"),
        _ => return None,
    })
}

/// What of a request is recorded. It is as it was serialized: the endpoint has not been applied yet.
pub(super) fn of_request(
    out: &mut AwsMembers,
    wanted: &[Parameter],
    request: &HttpRequest,
    endpoint: Option<&EndpointResolverParams>,
) {
    let (path, query) = request.uri().split_once('?').unwrap_or((request.uri(), ""));
    for parameter in wanted {
        let text: Option<Cow<'_, str>> = match parameter.place {
            Some(Place::Bucket) => endpoint.and_then(bucket).map(Cow::Owned),
            Some(Place::Path) => Some(decoded(path.strip_prefix('/').unwrap_or(path))),
            Some(Place::PathAfter(element)) => {
                let mut elements = path.split('/').skip_while(|found| *found != element);
                elements.nth(1).map(decoded)
            }
            Some(Place::Query(key)) => of_form(query.as_bytes(), key),
            Some(Place::Header(name)) => request.headers().get(name).map(Cow::Borrowed),
            Some(Place::Status) | None => None,
        };
        if let Some(text) = text.filter(|text| !text.is_empty() && parameter.take == Take::Value) {
            out.text(&parameter.name, &text);
        }
    }
    let Some(body) = request.body().bytes().filter(|body| !body.is_empty()) else { return };
    match request.headers().get("content-type").unwrap_or_default() {
        kind if is_json(kind) => of_json(out, wanted, body),
        kind if kind.starts_with("application/x-www-form-urlencoded") => {
            let body = within(body);
            for parameter in wanted.iter().filter(|parameter| parameter.take == Take::Value) {
                if let Some(text) = of_form(body, &parameter.member) {
                    out.text(&parameter.name, &text);
                }
            }
        }
        _ => {}
    }
}

/// What of a response is recorded.
pub(super) fn of_response(out: &mut AwsMembers, wanted: &[Parameter], response: &HttpResponse) {
    for parameter in wanted {
        match parameter.place {
            Some(Place::Status) => out.number(&parameter.name, response.status().as_u16().into()),
            Some(Place::Header(name)) => {
                if let Some(text) = response.headers().get(name) {
                    out.text(&parameter.name, text);
                }
            }
            _ => {}
        }
    }
    if let Some(body) = response.body().bytes()
        && !wanted.is_empty()
        && response.headers().get("content-type").is_some_and(is_json)
    {
        of_json(out, wanted, body);
    }
}

fn is_json(content_type: &str) -> bool {
    content_type.starts_with("application/x-amz-json") || content_type.starts_with("application/json")
}

/// A JSON body that is larger is looked through as far as that.
fn within(body: &[u8]) -> &[u8] {
    &body[..body.len().min(MAX_BODY_BYTES)]
}

fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

fn of_form<'f>(form: &'f [u8], key: &str) -> Option<Cow<'f, str>> {
    form_urlencoded::parse(form).find(|(found, _)| found == key).map(|(_, value)| value)
}

/// The members of a JSON object, up to where it breaks off or makes no sense.
fn of_json(out: &mut AwsMembers, wanted: &[Parameter], body: &[u8]) {
    let wanted = wanted.iter().filter(|parameter| parameter.place.is_none());
    let mut left = wanted.clone().count();
    let mut members = Members::of(within(body));
    // Once all are found the rest is of no interest.
    while left > 0
        && let Some((key, value)) = members.next()
    {
        let Some(parameter) = wanted.clone().find(|parameter| is_called(parameter, key)) else { continue };
        left -= 1;
        // To count it or to read its keys tells of itself whether a value makes sense.
        match parameter.take {
            _ if value == b"null" => {}
            Take::Value => {
                let Some(value) = AwsMembers::valid(value) else { return };
                out.raw(&parameter.name, value);
            }
            Take::Count => {
                if let Ok(Counted(count)) = serde_json::from_slice(value) {
                    out.number(&parameter.name, count);
                }
            }
            Take::Keys => {
                if let Ok(Keys(keys)) = serde_json::from_slice(value) {
                    out.texts(&parameter.name, keys.iter().map(AsRef::as_ref));
                }
            }
        }
    }
}

/// Some protocols begin members with a small letter.
fn is_called(parameter: &Parameter, key: &[u8]) -> bool {
    match (parameter.member.as_bytes().split_first(), key.split_first()) {
        (Some((first, rest)), Some((found, found_rest))) => {
            rest == found_rest && first.eq_ignore_ascii_case(found)
        }
        _ => false,
    }
}

/// How many elements an array or object has.
struct Counted(u64);

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Count;
        impl<'de> Visitor<'de> for Count {
            type Value = Counted;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array or an object")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Counted, A::Error> {
                let mut count = 0;
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Counted(count))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Counted, A::Error> {
                let mut count = 0;
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Counted(count))
            }
        }
        deserializer.deserialize_any(Count)
    }
}

/// The keys of an object.
struct Keys<'de>(Vec<Cow<'de, str>>);

/// A key, borrowed where it stands there as it is.
#[derive(serde::Deserialize)]
struct Key<'k>(#[serde(borrow)] Cow<'k, str>);

impl<'de> Deserialize<'de> for Keys<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Keys<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys<'de>, A::Error> {
                let mut keys = Vec::new();
                while let Some((Key(key), IgnoredAny)) = map.next_entry()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// The bucket among the parameters that an endpoint is found by, whose type is the client's own: out of its `Debug` text, of which no
/// more is written than that. They hold neither secrets nor bodies.
fn bucket(endpoint: &EndpointResolverParams) -> Option<String> {
    const BEFORE: &str = " bucket: Some(\"";

    /// Takes text until the bucket's name is whole.
    struct Found(String, Option<usize>);

    impl fmt::Write for Found {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.push_str(text);
            if self.1.is_none() {
                self.1 = self.0.find(BEFORE).map(|at| at + BEFORE.len());
            }
            let whole = self.1.is_some_and(|from| self.0[from..].contains('"'));
            if whole || self.0.len() > MAX_DEBUG_BYTES { Err(fmt::Error) } else { Ok(()) }
        }
    }

    let mut found = Found(String::with_capacity(128), None);
    let _ = write!(found, "{endpoint:?}");
    let (name, _) = found.0.get(found.1?..)?.split_once('"')?;
    // No name of a bucket, access point or ARN has one: what has is cut in the middle of an escape.
    (!name.contains('\\')).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;
    use serde_json::{Value, json};

    use super::*;
    use crate::record::Fact;

    fn parameter(service: &str, member: &str, take: Take) -> Parameter {
        let place = place(service, member);
        Parameter { member: member.into(), name: member.to_lowercase().into(), take, place }
    }

    fn values(service: &str, members: &[&str]) -> Vec<Parameter> {
        members.iter().map(|member| parameter(service, member, Take::Value)).collect()
    }

    fn said(out: AwsMembers) -> Value {
        match out.into_fact() {
            Some(Fact::Aws(members)) => serde_json::from_slice(&[b"{", &*members, b"}"].concat()).unwrap(),
            _ => json!({}),
        }
    }

    fn request(uri: &str, content_type: &str, body: impl Into<SdkBody>) -> HttpRequest {
        let mut request = HttpRequest::new(body.into());
        request.set_uri(uri).unwrap();
        request.headers_mut().insert("content-type", content_type.to_owned());
        request
    }

    fn json_request(body: impl Into<SdkBody>, wanted: &[Parameter]) -> Value {
        let mut out = AwsMembers::default();
        of_request(&mut out, wanted, &request("/", "application/x-amz-json-1.0", body), None);
        said(out)
    }

    #[test]
    fn members_of_a_json_body_keep_their_value() {
        let body = r#"{"Item":{"TableName":{"S":"not this"}},"limit":3,"TableName":"a\"b","Gone":null}"#;
        let wanted = values("dynamodb", &["TableName", "Limit", "Gone", "Absent"]);
        assert_eq!(json_request(body, &wanted), json!({ "tablename": "a\"b", "limit": 3 }));
    }

    #[test]
    fn elements_are_counted_and_keys_are_named() {
        let wanted = [
            parameter("dynamodb", "Array", Take::Count),
            parameter("dynamodb", "Object", Take::Count),
            parameter("dynamodb", "Keys", Take::Keys),
            parameter("dynamodb", "Text", Take::Count),
            parameter("dynamodb", "Number", Take::Keys),
        ];
        let body =
            r#"{"Array":[1,[2,3],{}],"Object":{"a":[1]},"Keys":{"x":1,"\u0079":{}},"Text":"abc","Number":1}"#;
        assert_eq!(json_request(body, &wanted), json!({ "array": 3, "object": 1, "keys": ["x", "y"] }));
    }

    #[test]
    fn junk_ends_the_search() {
        let wanted = values("dynamodb", &["A", "B"]);
        for body in ["", "nul", "[1]", "\u{1}", r#"{"A":"#, r#"{"C":}"#, &"[".repeat(100_000)] {
            assert_eq!(json_request(body, &wanted), json!({}), "{body:.20}");
        }
        assert_eq!(json_request(r#"{"A":1,"B":tru"#, &wanted), json!({ "a": 1 }));
        assert_eq!(json_request(&b"{\"A\":1,\"B\":\"\xff\"}"[..], &wanted), json!({ "a": 1 }));
    }

    #[test]
    fn a_huge_body_is_looked_through_up_to_a_limit() {
        let wanted = values("dynamodb", &["A", "B"]);
        let filler = "x".repeat(MAX_BODY_BYTES);
        let body = format!(r#"{{"A":1,"filler":"{filler}","B":2}}"#);
        assert_eq!(json_request(body, &wanted), json!({ "a": 1 }));
    }

    #[test]
    fn a_stream_is_not_touched() {
        let wanted = values("dynamodb", &["A"]);
        let body =
            || SdkBody::from_body_1_x(http_body_util::Full::new(axum::body::Bytes::from(r#"{"A":1}"#)));
        assert_eq!(json_request(body(), &wanted), json!({}));
        let mut response = HttpResponse::new(200.try_into().unwrap(), body());
        response.headers_mut().insert("content-type", "application/json");
        let mut out = AwsMembers::default();
        of_response(&mut out, &wanted, &response);
        assert_eq!(said(out), json!({}));
    }

    #[test]
    fn members_of_a_form_are_decoded() {
        let body =
            "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A1%3At&Message=a+b";
        let mut out = AwsMembers::default();
        let request = request("/", "application/x-www-form-urlencoded", body);
        of_request(&mut out, &values("sns", &["TopicArn", "Subject"]), &request, None);
        assert_eq!(said(out), json!({ "topicarn": "arn:aws:sns:us-east-1:1:t" }));
    }

    #[test]
    fn members_in_path_query_and_headers_are_found() {
        let mut out = AwsMembers::default();
        let mut put =
            request("/k/a%20b%2Bc.txt?x-id=PutObject&versionId=v%3D1", "application/json", r#"{"Key":1}"#);
        put.headers_mut().insert("x-amz-copy-source", "from/here");
        let endpoint = EndpointResolverParams::new(Params { bucket: Some("cruddur".into()), region: "eu" });
        let wanted = values("s3", &["Key", "VersionId", "CopySource", "Prefix", "Bucket"]);
        of_request(&mut out, &wanted, &put, Some(&endpoint));
        assert_eq!(
            said(out),
            json!({ "key": "k/a b+c.txt", "versionid": "v=1", "copysource": "from/here", "bucket": "cruddur" })
        );
        let mut out = AwsMembers::default();
        let mut invoke = request("/2015-03-31/functions/f%3A1/invocations?Qualifier=2", "", "");
        invoke.headers_mut().insert("x-amz-invocation-type", "Event");
        let wanted = values("lambda", &["FunctionName", "Qualifier", "InvocationType", "LogType"]);
        of_request(&mut out, &wanted, &invoke, None);
        assert_eq!(said(out), json!({ "functionname": "f:1", "qualifier": "2", "invocationtype": "Event" }));
        let mut out = AwsMembers::default();
        let mut answer = HttpResponse::new(202.try_into().unwrap(), SdkBody::empty());
        answer.headers_mut().insert("x-amz-function-error", "Unhandled");
        of_response(&mut out, &values("lambda", &["FunctionError", "StatusCode"]), &answer);
        assert_eq!(said(out), json!({ "functionerror": "Unhandled", "statuscode": 202 }));
    }

    #[derive(Debug)]
    #[allow(dead_code)] // Its `Debug` text is what is read.
    struct Params {
        bucket: Option<String>,
        region: &'static str,
    }

    #[test]
    fn no_bucket_is_made_up() {
        #[derive(Debug)]
        #[allow(dead_code)]
        struct Other {
            a: String,
        }
        let of = |bucket: Option<&str>| bucket_of(Params { bucket: bucket.map(str::to_owned), region: "eu" });
        fn bucket_of(params: impl fmt::Debug + Send + Sync + 'static) -> Option<String> {
            bucket(&EndpointResolverParams::new(params))
        }
        assert_eq!(of(None), None);
        assert_eq!(of(Some("a\"b")), None);
        assert_eq!(
            of(Some("arn:aws:s3:eu:1:accesspoint/a")).as_deref(),
            Some("arn:aws:s3:eu:1:accesspoint/a")
        );
        assert_eq!(bucket_of(Other { a: "x".repeat(5000) }), None);
    }
}

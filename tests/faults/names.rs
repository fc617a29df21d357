use xray_runtime::{begin_segment, in_subsegment};

use crate::support::{Delivered, recorder};

/// The name that `name` becomes, as a literal and as a text of run time, of a segment and of a subsegment.
#[track_caller]
fn assert_becomes(name: &'static str, expected: &str) {
    let (recorder, delivered) = recorder();
    recorder.enter(|| {
        for n in 0..2 {
            let segment = if n == 0 { begin_segment(name) } else { begin_segment(name.to_owned()) };
            in_subsegment(name, || ());
            in_subsegment(name.to_owned(), || ());
            segment.end();
        }
    });
    let forest = delivered.complete(&recorder);
    assert_eq!(forest.entities.len(), 6);
    assert_eq!(forest.names(), [expected; 6], "{name:?}");
}

#[test]
fn an_empty_or_blank_name_is_the_services() {
    for name in ["", " ", "\t\n", "?*;()!$~^<>", "\0\u{7f}\u{200b}"] {
        assert_becomes(name, "faults");
    }
}

#[test]
fn a_long_name_is_cut_at_200_characters() {
    assert_becomes("x".repeat(300).leak(), &"x".repeat(200));
    assert_becomes("é".repeat(300).leak(), &"é".repeat(200));
}

#[test]
fn letters_of_any_script_stay() {
    assert_becomes("größe-データ", "größe-データ");
    assert_becomes("a😀b", "ab");
}

#[test]
fn control_characters_and_quotes_make_no_bad_json() {
    assert_becomes("a\"b\\c\u{1}d\r\ne", "ab\\cd  e");
    assert_becomes("{\"name\":\"x\"}\\u0000", "name:x\\u0000");
}

#[test]
fn hostile_values_read_back_as_they_were() {
    let text = "\"\\\u{0}\u{1f}\u{7f}\u{2028}</script>{}[]\r\n\t😀";
    let (recorder, delivered): (_, Delivered) = recorder();
    recorder.enter(|| {
        let segment = begin_segment("hostile");
        segment.put_annotation("text", text);
        segment.put_metadata_in(text, text, text);
        segment.set_user(text);
        segment.set_origin(text);
        segment.record_exception(text, text, xray_runtime::ErrorClass::Error);
    });
    let forest = delivered.complete(&recorder);
    let json = &forest.one("hostile").json;
    assert_eq!(json["annotations"]["text"], text);
    assert_eq!(json["metadata"][text][text], text);
    assert_eq!(json["user"], text);
    assert_eq!(json["origin"], text);
    assert_eq!(json["cause"]["exceptions"][0]["message"], text);
}

#[test]
fn hostile_headers_begin_a_segment_all_the_same() {
    let long = format!("Root={};Parent={};Sampled=1", "1".repeat(100_000), "f".repeat(100_000));
    let many = "a=b;".repeat(100_000);
    for header in [
        "",
        ";",
        "=",
        ";;;;====",
        "Root",
        "Root=",
        "Root=1-0-0;Sampled=?",
        "Root=1-5759e988-bd862e3fe1be46a99427279g",
        "Sampled=2",
        "\0\0\0",
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=\"\\;Sampled=1",
        "Self=x;Self=x",
        &long,
        &many,
    ] {
        let (recorder, delivered) = recorder();
        let parsed = xray_runtime::TraceHeader::parse(header);
        let segment = recorder.segment("s").trace_header(parsed).begin();
        assert!(segment.trace_header().is_some());
        let answer = segment.response_header().unwrap();
        assert!(answer.starts_with("Root=1-") && answer.len() < 4_096, "{} bytes", answer.len());
        segment.end();
        let forest = delivered.complete(&recorder);
        let json = &forest.one("s").json;
        assert_eq!(json["trace_id"].as_str().unwrap().len(), 35, "{header:.80}");
        if let Some(parent) = json.get("parent_id") {
            let parent = parent.as_str().unwrap();
            assert!(parent.len() == 16 && parent.bytes().all(|byte| byte.is_ascii_hexdigit()), "{parent}");
        }
    }
    let bytes = xray_runtime::TraceHeader::parse_bytes(&[0xff, 0xfe, b';', b'=', 0]);
    assert_eq!(bytes.trace_id(), None);
}

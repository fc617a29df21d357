//! The segment that is sent: as the X-Ray SDK for Python writes that of a Flask app, with one subsegment. Its number is its id
//! and in its trace's, so that the upstream knows each again.

/// What comes before a document in its datagram.
const HEADER: &str = "{\"format\":\"json\",\"version\":1}\n";
/// Bytes of every datagram.
pub(crate) const DATAGRAM: usize = 716;
/// Bytes of every document as a JSON string between its quotes: each quote within takes two.
pub(crate) const ESCAPED: usize = DATAGRAM - HEADER.len() + 94;
/// Where the number is in an escaped document, as 16 hexadecimal digits: the segment's id, and the end of the trace id.
pub(crate) const NUMBER_AT: [usize; 2] = [r#"{\"id\":\""#.len(), ESCAPED - AFTER_TRACE_ID.len() - 16];

/// What comes after the trace id, escaped; the time at its end is of equal length.
const AFTER_TRACE_ID: &str = r#"\",\"service\":{\"runtime\":\"CPython\",\"runtime_version\":\"3.11.7\"},\"end_time\":1795000000.000000}"#;

const REQUEST: &str = r#""url":"http://127.0.0.1:4567/api/activities/home","method":"GET","user_agent":"curl/8.5.0","client_ip":"127.0.0.1""#;
const SDK: &str = r#""sdk":"X-Ray for Python","sdk_version":"2.15.0""#;
const RUNTIME: &str = r#""runtime":"CPython","runtime_version":"3.11.7""#;

/// The datagram of segment `number`, which began at `now` (seconds since 1970).
pub(crate) fn datagram(number: u64, now: f64) -> String {
    let (seconds, home) = (now as u64, number | 1 << 60);
    let (left, end) = (now + 0.001, now + 0.002);
    let http = format!(r#"{{"request":{{{REQUEST}}},"response":{{"status":200,"content_length":1061}}}}"#);
    let subsegment = format!(
        r#"{{"id":"{home:016x}","name":"home","start_time":{now:.6},"parent_id":"{number:016x}","in_progress":false,"type":"subsegment","namespace":"local","end_time":{left:.6}}}"#
    );
    let open = format!(r#""id":"{number:016x}","name":"Cruddur","start_time":{now:.6},"in_progress":false"#);
    let trace_id = format!("1-{seconds:08x}-{number:024x}");
    format!(
        r#"{HEADER}{{{open},"http":{http},"aws":{{"xray":{{{SDK}}}}},"subsegments":[{subsegment}],"trace_id":"{trace_id}","service":{{{RUNTIME}}},"end_time":{end:.6}}}"#
    )
}

/// The number of an escaped document, where it is one of those sent, whole.
pub(crate) fn number(escaped: &[u8]) -> Option<u64> {
    if escaped.len() != ESCAPED {
        return None;
    }
    let [id, trace_id] = NUMBER_AT.map(|at| &escaped[at..at + 16]);
    let digits = std::str::from_utf8(id).ok()?;
    (id == trace_id).then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_datagram_has_the_size() {
        for number in [0, 1, 200_000, u64::from(u32::MAX)] {
            assert_eq!(datagram(number, 1_795_470_032.4).len(), DATAGRAM);
        }
    }

    #[test]
    fn a_number_is_found_again_in_an_escaped_document() {
        for of in [0, 1, 0xfffff] {
            let text = datagram(of, 1_795_470_032.4);
            let escaped = text[HEADER.len()..].replace('"', "\\\"");
            assert_eq!(escaped.len(), ESCAPED);
            assert_eq!(number(escaped.as_bytes()), Some(of));
            assert_eq!(number(&escaped.as_bytes()[1..]), None);
        }
    }
}

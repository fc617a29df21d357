//! AWS X-Ray as far as a daemon needs it, cheap enough to share two cores with what is measured: counts each segment by its
//! number, without parsing JSON. `GET /counts` tells what came so far.

use std::time::Duration;

use harness::http::{self, Answer};
use harness::process_cpu;
use memchr::memmem::Finder;

use crate::segment;
use crate::send::since_1970;

/// Answers batches after a delay, and everything else at once.
pub(crate) fn serve(delay_milliseconds: u64) -> ! {
    let mut received = Received::default();
    let end = Finder::new(END);
    http::serve(Duration::from_millis(delay_milliseconds), |path, body| {
        let answer = match path.split(|&byte| byte == b'?').next().unwrap_or_default() {
            b"/counts" => return Answer { body: received.counts(), delayed: false },
            b"/TraceSegments" => {
                received.take(body, &end);
                r#"{"UnprocessedTraceSegments":[]}"#
            }
            b"/GetSamplingRules" => r#"{"SamplingRuleRecords":[]}"#,
            b"/SamplingTargets" => r#"{"SamplingTargetDocuments":[],"UnprocessedStatistics":[]}"#,
            _ => "{}",
        };
        Answer { body: answer.to_owned(), delayed: path.starts_with(b"/TraceSegments") }
    })
}

const START: &[u8] = br#"{"TraceSegmentDocuments":["#;
/// The end of a document that is an object: inside a JSON string each quote has a backslash before it.
const END: &[u8] = br#"}""#;
/// More segments than a run has.
const MOST: u64 = 1 << 24;

#[derive(Default)]
struct Received {
    requests: u64,
    /// Those that hold something else than documents.
    malformed: u64,
    bytes: u64,
    documents: u64,
    /// Segments, each once.
    distinct: u64,
    /// Documents that are none of the segments sent.
    foreign: u64,
    largest: u64,
    /// When the last one came, in seconds since 1970.
    last: f64,
    /// A bit for each number.
    seen: Vec<u64>,
}

impl Received {
    /// Takes the body of a `PutTraceSegments`.
    fn take(&mut self, body: &[u8], end: &Finder<'_>) {
        self.requests += 1;
        self.bytes += body.len() as u64;
        self.last = since_1970();
        let before = self.documents;
        if self.documents_of(body, end).is_none() {
            self.malformed += 1;
        }
        self.largest = self.largest.max(self.documents - before);
    }

    fn documents_of(&mut self, body: &[u8], end: &Finder<'_>) -> Option<()> {
        let mut rest = body.strip_prefix(START)?;
        loop {
            let document = rest.strip_prefix(b"\"")?;
            let length = end.find(document)? + 1;
            self.count(&document[..length]);
            rest = &document[length + 1..];
            match rest.split_first()? {
                (b',', more) => rest = more,
                (b']', b"}") => return Some(()),
                _ => return None,
            }
        }
    }

    fn count(&mut self, document: &[u8]) {
        self.documents += 1;
        let Some(number) = segment::number(document).filter(|number| *number < MOST) else {
            self.foreign += 1;
            return;
        };
        let (word, bit) = ((number / 64) as usize, 1 << (number % 64));
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        self.distinct += u64::from(self.seen[word] & bit == 0);
        self.seen[word] |= bit;
    }

    fn counts(&self) -> String {
        let Received { requests, malformed, bytes, documents, distinct, foreign, largest, last, .. } = self;
        let duplicates = documents - foreign - distinct;
        let cpu = process_cpu().as_secs_f64();
        format!(
            r#"{{"requests":{requests},"malformed":{malformed},"bytes":{bytes},"documents":{documents},"distinct":{distinct},"duplicates":{duplicates},"foreign":{foreign},"largest":{largest},"last":{last:.6},"cpu_s":{cpu:.6}}}"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(numbers: &[u64]) -> Vec<u8> {
        let documents = numbers.iter().map(|&number| {
            let text = segment::datagram(number, 1_795_470_032.4);
            format!("\"{}\"", text.split_once('\n').unwrap().1.replace('"', "\\\""))
        });
        let documents = documents.collect::<Vec<_>>().join(",");
        format!(r#"{{"TraceSegmentDocuments":[{documents}]}}"#).into_bytes()
    }

    fn taken(bodies: &[Vec<u8>]) -> Received {
        let mut received = Received::default();
        bodies.iter().for_each(|body| received.take(body, &Finder::new(END)));
        received
    }

    #[test]
    fn each_segment_counts_once_and_what_comes_again_is_told() {
        let received = taken(&[body(&[0, 1, 70]), body(&[1]), body(&[200_000, 70])]);
        assert_eq!((received.requests, received.malformed, received.foreign), (3, 0, 0));
        assert_eq!((received.documents, received.distinct, received.largest), (6, 4, 3));
        assert!(received.counts().contains(r#""duplicates":2"#));
    }

    #[test]
    fn what_was_not_sent_is_foreign() {
        let other = br#"{"TraceSegmentDocuments":["{\"id\":\"a\"}"]}"#.to_vec();
        let received = taken(&[other, body(&[3])]);
        assert_eq!((received.documents, received.distinct, received.foreign), (2, 1, 1));
    }

    #[test]
    fn a_body_that_holds_something_else_is_malformed() {
        let mut cut = body(&[1, 2]);
        cut.truncate(cut.len() - 1);
        let received = taken(&[cut, b"{}".to_vec(), Vec::new(), [body(&[1]), b"x".to_vec()].concat()]);
        assert_eq!((received.requests, received.malformed), (4, 4));
    }
}

//! The trace header on messages: in the attributes of SQS, or in whatever else carries names and values.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::hash::{BuildHasher, Hash};

use crate::future::InSegment;
use crate::recorder::current_core;
use crate::scope::Scope;
use crate::segment::SegmentBuilder;
use crate::trace_header::{TRACE_HEADER, TraceHeader};

/// The name of the attribute that carries the trace in messages of SQS, a system attribute of each message.
pub const MESSAGE_TRACE_HEADER: &str = "AWSTraceHeader";

/// What came with a message, job or request and holds names and values: attributes, properties, headers.
///
/// There it is for maps and lists of texts, with it for the attributes that the SQS client gives
/// (`message.attributes()`), and for `http::HeaderMap` (features `tower` and `reqwest`). For others it is one method:
///
/// ```
/// use std::borrow::Cow;
/// use xray_runtime::{Carrier, TraceHeader};
///
/// /// Headers of a broker, whose values are bytes.
/// struct Headers(Vec<(String, Vec<u8>)>);
///
/// impl Carrier for Headers {
///     fn get(&self, name: &str) -> Option<Cow<'_, str>> {
///         let (_, value) = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
///         Some(String::from_utf8_lossy(value))
///     }
/// }
///
/// let headers = Headers(vec![("x-amzn-trace-id".into(), b"Root=1-5759e988-bd862e3fe1be46a994272793".to_vec())]);
/// assert!(TraceHeader::extract(&headers).is_some());
/// ```
pub trait Carrier {
    /// The value of this name, which may be written in any case.
    fn get(&self, name: &str) -> Option<Cow<'_, str>>;
}

/// What goes with a message, job or request and takes names and values.
pub trait CarrierMut {
    /// Sets the value of this name, in the place of one that it has.
    fn set(&mut self, name: &'static str, value: String);
}

impl TraceHeader {
    /// The header that came with a message, job or request, as `X-Amzn-Trace-Id` or as `AWSTraceHeader`; None where there is none, or
    /// one that says nothing.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use xray_runtime::{Sampled, TraceHeader};
    ///
    /// let attributes = HashMap::from([("AWSTraceHeader", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1")]);
    /// let header = TraceHeader::extract(&attributes).unwrap();
    /// assert_eq!(header.sampled(), Sampled::Sampled);
    /// ```
    pub fn extract(carrier: &(impl Carrier + ?Sized)) -> Option<Self> {
        [TRACE_HEADER, MESSAGE_TRACE_HEADER]
            .into_iter()
            .filter_map(|name| carrier.get(name))
            .map(|value| Self::parse(&value))
            .find(|header| *header != Self::default())
    }

    /// Sends the header along as `X-Amzn-Trace-Id`. What a program sends is [`current().trace_header()`](crate::Entity::trace_header).
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use xray_runtime::{Recorder, TraceHeader, current};
    ///
    /// let (recorder, _captured) = Recorder::in_memory();
    /// let mut headers: HashMap<String, String> = HashMap::new();
    /// recorder.enter(|| {
    ///     let _segment = xray_runtime::begin_segment("producer");
    ///     if let Some(header) = current().trace_header() {
    ///         header.inject(&mut headers);
    ///     }
    /// });
    /// assert!(headers["X-Amzn-Trace-Id"].ends_with(";Sampled=1"));
    /// ```
    pub fn inject(&self, carrier: &mut (impl CarrierMut + ?Sized)) {
        carrier.set(TRACE_HEADER, self.to_string());
    }

    /// Ids and decision, for where the other data of a caller may not stand.
    #[cfg(any(feature = "aws-sdk", feature = "reqwest", feature = "tower"))]
    pub(crate) fn without_data(&self) -> Self {
        use crate::trace_header::Sampled;
        Self::default()
            .with_root(self.root().unwrap_or_default())
            .with_parent(self.parent().unwrap_or_default())
            .with_sampled(Sampled::from(self.sampled() == Sampled::Sampled))
    }
}

impl SegmentBuilder<'_> {
    /// The header that came with the message or job, if any: its trace goes on, and the segment is linked to who sent it.
    pub fn carrier(self, carrier: &(impl Carrier + ?Sized)) -> Self {
        match TraceHeader::extract(carrier) {
            Some(header) => self.trace_header(header),
            None => self,
        }
    }
}

/// Runs a future in a segment of its own that goes on with the trace of the message that it handles, and is linked to who sent it.
/// Messages that come as a batch are of many traces: each is handled in a segment of its own.
///
/// The segment begins here, and ends with the future; the recorder is the one that is in force here. Without a header the message
/// begins a trace.
///
/// ```
/// use std::collections::HashMap;
/// use xray_runtime::{Recorder, in_message_segment};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
/// let batch = [HashMap::from([("AWSTraceHeader", header)]), HashMap::new()];
///
/// let (recorder, captured) = Recorder::in_memory();
/// let _entered = recorder.entered();
/// for attributes in &batch {
///     in_message_segment("orders", attributes, async { /* the work */ }).await;
/// }
/// assert_eq!(captured.segments().len(), 2);
/// assert_eq!(captured.segments()[0].json()["parent_id"], "53995c3f42cd8ad8");
/// # }
/// ```
pub fn in_message_segment<F: Future>(
    name: impl Into<Cow<'static, str>>,
    carrier: &(impl Carrier + ?Sized),
    future: F,
) -> InSegment<F> {
    match current_core() {
        Some(core) => SegmentBuilder::new(core, Some(name.into())).carrier(carrier).instrument(future),
        None => InSegment::new(future, Scope::off()),
    }
}

fn find<'a, K: AsRef<str> + 'a, V: AsRef<str> + 'a>(
    entries: impl IntoIterator<Item = (&'a K, &'a V)>,
    name: &str,
) -> Option<Cow<'a, str>> {
    let mut entries = entries.into_iter();
    let (_, value) = entries.find(|(known, _)| known.as_ref().eq_ignore_ascii_case(name))?;
    Some(Cow::Borrowed(value.as_ref()))
}

impl<C: Carrier + ?Sized> Carrier for &C {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        (**self).get(name)
    }
}

impl<C: Carrier> Carrier for Option<C> {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.as_ref()?.get(name)
    }
}

impl<K: AsRef<str>, V: AsRef<str>, S> Carrier for HashMap<K, V, S> {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        find(self, name)
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Carrier for BTreeMap<K, V> {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        find(self, name)
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Carrier for [(K, V)] {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        find(self.iter().map(|(key, value)| (key, value)), name)
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Carrier for Vec<(K, V)> {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        Carrier::get(self.as_slice(), name)
    }
}

impl<K, V, S> CarrierMut for HashMap<K, V, S>
where
    K: AsRef<str> + From<String> + Eq + Hash,
    V: From<String>,
    S: BuildHasher,
{
    fn set(&mut self, name: &'static str, value: String) {
        self.retain(|known, _| !known.as_ref().eq_ignore_ascii_case(name));
        self.insert(name.to_owned().into(), value.into());
    }
}

impl<K: AsRef<str> + From<String> + Ord, V: From<String>> CarrierMut for BTreeMap<K, V> {
    fn set(&mut self, name: &'static str, value: String) {
        self.retain(|known, _| !known.as_ref().eq_ignore_ascii_case(name));
        self.insert(name.to_owned().into(), value.into());
    }
}

impl<K: AsRef<str> + From<String>, V: From<String>> CarrierMut for Vec<(K, V)> {
    fn set(&mut self, name: &'static str, value: String) {
        self.retain(|(known, _)| !known.as_ref().eq_ignore_ascii_case(name));
        self.push((name.to_owned().into(), value.into()));
    }
}

#[cfg(any(feature = "reqwest", feature = "tower"))]
impl Carrier for ::http::HeaderMap {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        Some(String::from_utf8_lossy(::http::HeaderMap::get(self, name)?.as_bytes()))
    }
}

#[cfg(any(feature = "reqwest", feature = "tower"))]
impl CarrierMut for ::http::HeaderMap {
    /// A value that may not stand in a header is sent without the caller's own data.
    fn set(&mut self, name: &'static str, value: String) {
        let valid = ::http::HeaderValue::try_from(&value)
            .or_else(|_| TraceHeader::parse(&value).without_data().to_string().try_into());
        if let (Ok(name), Ok(value)) = (name.parse::<::http::HeaderName>(), valid) {
            self.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Recorder, current};

    const HEADER: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    #[test]
    fn a_header_is_found_by_either_name_in_any_case() {
        let extracted = |name: &str| TraceHeader::extract(&vec![("other", "1"), (name, HEADER)]);
        for name in ["X-Amzn-Trace-Id", "x-amzn-trace-id", "AWSTraceHeader", "awstraceheader"] {
            assert_eq!(extracted(name).map(|header| header.to_string()).as_deref(), Some(HEADER), "{name}");
        }
        assert_eq!(extracted("traceparent"), None);
        assert_eq!(TraceHeader::extract(&None::<HashMap<String, String>>), None);
        assert_eq!(TraceHeader::extract(&[("AWSTraceHeader", "junk")][..]), None);
        // One that says nothing does not stand in the way.
        let both = vec![("X-Amzn-Trace-Id", "junk"), ("AWSTraceHeader", HEADER)];
        assert!(TraceHeader::extract(&both).is_some());
    }

    #[test]
    fn what_is_injected_is_extracted() {
        fn round_trip(mut carrier: impl Carrier + CarrierMut) {
            TraceHeader::parse("Root=1-00000000-000000000000000000000001").inject(&mut carrier);
            let header = TraceHeader::parse(HEADER);
            header.inject(&mut carrier);
            assert_eq!(TraceHeader::extract(&carrier), Some(header));
        }
        round_trip(HashMap::<String, String>::new());
        round_trip(HashMap::from([("x-amzn-trace-id".to_owned(), "old".to_owned())]));
        round_trip(BTreeMap::<String, String>::new());
        round_trip(vec![("X-AMZN-TRACE-ID".to_owned(), "old".to_owned())]);
        #[cfg(feature = "tower")]
        round_trip(::http::HeaderMap::new());
    }

    #[cfg(feature = "tower")]
    #[test]
    fn data_that_may_not_stand_in_a_header_is_left_out() {
        let mut headers = ::http::HeaderMap::new();
        TraceHeader::parse(&format!("{HEADER};k=a\u{1}b")).inject(&mut headers);
        assert_eq!(headers["x-amzn-trace-id"], HEADER);
    }

    #[test]
    fn each_message_of_a_batch_is_a_segment_linked_to_its_sender() {
        let roots = ["1-5759e988-bd862e3fe1be46a994272793", "1-5759e988-bd862e3fe1be46a994272794"];
        let (recorder, captured) = Recorder::in_memory();
        let _entered = recorder.entered();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for (number, root) in roots.iter().enumerate() {
            let header = format!("Root={root};Parent=53995c3f42cd8ad{number};Sampled=1");
            let attributes = BTreeMap::from([("AWSTraceHeader".to_owned(), header)]);
            runtime.block_on(in_message_segment("orders", &attributes, async {
                current().put_annotation("number", number);
            }));
        }
        let unsampled = vec![("AWSTraceHeader", "Root=1-5759e988-bd862e3fe1be46a994272795;Sampled=0")];
        runtime.block_on(in_message_segment("orders", &unsampled, async {
            assert!(!current().is_recorded());
        }));
        let segments = captured.segments();
        assert_eq!(segments.len(), 2);
        for (number, (segment, root)) in segments.iter().zip(roots).enumerate() {
            assert_eq!(segment.trace_id(), root);
            assert_eq!(segment.json()["parent_id"], format!("53995c3f42cd8ad{number}"));
            assert_eq!(segment.annotation("number"), Some(number.into()));
        }
    }

    #[test]
    fn without_a_recorder_the_message_is_handled_all_the_same() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let handled = in_message_segment("orders", &None::<HashMap<String, String>>, async { 7 });
        assert_eq!(runtime.block_on(handled), 7);
    }
}

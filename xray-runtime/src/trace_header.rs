//! The trace header, `X-Amzn-Trace-Id: Root=..;Parent=..;Sampled=1`.
//!
//! A header whose ids are valid and that carries nothing else, which is almost every header, is read and written
//! without an allocation.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use crate::trace_id::{EntityId, TraceId};

/// The name of the HTTP header that carries the trace.
pub const TRACE_HEADER: &str = "X-Amzn-Trace-Id";

/// Bytes of additional keys and values that a header carries on, as in the SDK for Node.
const DATA_BUDGET: usize = 256;

/// What the header says about sampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Sampled {
    /// `Sampled=1`: the caller records this trace, so do we.
    Sampled,
    /// `Sampled=0`: the caller does not record this trace, nor do we.
    NotSampled,
    /// `Sampled=?`: the caller asks for our decision in the response.
    Requested,
    /// Absent, or none of these.
    #[default]
    Unknown,
}

impl Sampled {
    fn parse(value: &str) -> Self {
        match value {
            "1" => Self::Sampled,
            "0" => Self::NotSampled,
            "?" => Self::Requested,
            _ => Self::Unknown,
        }
    }

    fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Sampled => Some("1"),
            Self::NotSampled => Some("0"),
            Self::Requested => Some("?"),
            Self::Unknown => None,
        }
    }
}

impl From<bool> for Sampled {
    fn from(sampled: bool) -> Self {
        if sampled { Self::Sampled } else { Self::NotSampled }
    }
}

/// A trace header, read from a request or made for one.
///
/// Reading never fails: a field that makes no sense is skipped, the others count. Ids are kept as they came, valid or
/// not; [`trace_id`](Self::trace_id) and [`parent_id`](Self::parent_id) give the valid ones.
///
/// ```
/// use xray_runtime::{Sampled, TraceHeader};
///
/// let header = TraceHeader::parse("Root=1-5759e988-bd862e3fe1be46a994272793; Sampled=1; Lineage=a:1");
/// assert_eq!(header.sampled(), Sampled::Sampled);
/// assert_eq!(header.data().next(), Some(("Lineage", "a:1")));
/// assert_eq!(header.to_string(), "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1;Lineage=a:1");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceHeader {
    root: IdField<TraceId>,
    parent: IdField<EntityId>,
    sampled: Sampled,
    /// In canonical form, `key=value;key=value`: a key holds neither `=` nor `;`, a value no `;`.
    data: String,
}

/// An id as it stands in a header. A text that is a valid id is always held as one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum IdField<T> {
    #[default]
    Absent,
    Valid(T),
    Opaque(Box<str>),
}

impl<T: Copy + AsRef<str>> IdField<T> {
    fn parse(text: &str, valid: impl FnOnce(&[u8]) -> Option<T>) -> Self {
        match valid(text.as_bytes()) {
            _ if text.is_empty() => Self::Absent,
            Some(id) => Self::Valid(id),
            None => Self::Opaque(text.into()),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Absent => None,
            Self::Valid(id) => Some(id.as_ref()),
            Self::Opaque(text) => Some(text),
        }
    }

    fn valid(&self) -> Option<T> {
        match self {
            Self::Valid(id) => Some(*id),
            _ => None,
        }
    }
}

impl TraceHeader {
    /// A header that says no more than the trace.
    pub fn new(trace_id: TraceId) -> Self {
        Self { root: IdField::Valid(trace_id), ..Self::default() }
    }

    /// The header of a call that `parent` makes, carrying on the additional data of the `incoming` one.
    ///
    /// Where nothing is recorded there is no `parent`: no document will ever bear its id.
    pub fn outgoing(
        trace_id: TraceId,
        parent: Option<EntityId>,
        sampled: bool,
        incoming: Option<&TraceHeader>,
    ) -> Self {
        Self {
            root: IdField::Valid(trace_id),
            parent: parent.map_or(IdField::Absent, IdField::Valid),
            sampled: sampled.into(),
            data: incoming.map_or_else(String::new, |header| header.data.clone()),
        }
    }

    /// What `to_string` gives, made in one piece: it grows its text bit by bit.
    #[cfg(feature = "aws-sdk")]
    pub(crate) fn value(&self) -> String {
        let parts = self.parts();
        let mut value = String::with_capacity(parts.iter().map(|(_, text)| text.len() + 9).sum());
        for (key, text) in parts.into_iter().filter(|(_, text)| !text.is_empty()) {
            if !value.is_empty() {
                value.push(';');
            }
            value.push_str(key);
            value.push_str(text);
        }
        value
    }

    /// In canonical order: Root, Parent, Sampled, then the data. What is absent is empty.
    fn parts(&self) -> [(&'static str, &str); 4] {
        [
            ("Root=", self.root().unwrap_or_default()),
            ("Parent=", self.parent().unwrap_or_default()),
            ("Sampled=", self.sampled.as_str().unwrap_or_default()),
            ("", &self.data),
        ]
    }

    /// Reads the header's value. Whatever it is, there is an answer; at worst an empty header.
    pub fn parse(value: &str) -> Self {
        let mut header = Self::default();
        for field in value.split(';') {
            let Some((key, value)) = field.split_once('=') else { continue };
            let (key, value) = (trim(key), trim(value));
            if key.is_empty() || value.is_empty() {
                continue;
            }
            if key.eq_ignore_ascii_case("Root") {
                header.root = IdField::parse(value, TraceId::from_ascii);
            } else if key.eq_ignore_ascii_case("Parent") {
                header.parent = IdField::parse(value, EntityId::from_ascii);
            } else if key.eq_ignore_ascii_case("Sampled") {
                header.sampled = Sampled::parse(value);
            } else if !key.eq_ignore_ascii_case("Self") {
                header.put_data(key, value);
            }
        }
        header
    }

    /// Reads the header's value as it came off the wire; bytes that are no UTF-8 become U+FFFD.
    pub fn parse_bytes(value: &[u8]) -> Self {
        Self::parse(&String::from_utf8_lossy(value))
    }

    /// The trace id as the header has it, valid or not.
    pub fn root(&self) -> Option<&str> {
        self.root.text()
    }

    /// The caller's entity id as the header has it, valid or not.
    pub fn parent(&self) -> Option<&str> {
        self.parent.text()
    }

    /// The trace id, when it is a valid one.
    pub fn trace_id(&self) -> Option<TraceId> {
        self.root.valid()
    }

    /// The caller's entity id, when it is a valid one.
    pub fn parent_id(&self) -> Option<EntityId> {
        self.parent.valid()
    }

    /// The caller's decision about sampling.
    pub fn sampled(&self) -> Sampled {
        self.sampled
    }

    /// The additional keys and values, in the order in which they came.
    pub fn data(&self) -> impl Iterator<Item = (&str, &str)> {
        self.data.split(';').filter_map(|field| field.split_once('='))
    }

    /// The same with this text as trace id; none when it is empty or could not stand in a header.
    #[must_use]
    pub fn with_root(mut self, root: impl AsRef<str>) -> Self {
        self.root = IdField::parse(writable(root.as_ref()), TraceId::from_ascii);
        self
    }

    /// The same with this text as the caller's entity id; none when it is empty or could not stand in a header.
    #[must_use]
    pub fn with_parent(mut self, parent: impl AsRef<str>) -> Self {
        self.parent = IdField::parse(writable(parent.as_ref()), EntityId::from_ascii);
        self
    }

    /// The same with this decision.
    #[must_use]
    pub fn with_sampled(mut self, sampled: impl Into<Sampled>) -> Self {
        self.sampled = sampled.into();
        self
    }

    /// The same with one more key and value, which replaces the value of an equal key.
    ///
    /// Left out are: a key that the header reserves (`Root`, `Parent`, `Sampled`, `Self`), an empty key or value, one
    /// that could not stand in a header, and one that would take all keys and values together over 256 bytes.
    #[must_use]
    pub fn with_data(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let (key, value) = (writable(key.as_ref()), writable(value.as_ref()));
        let reserved =
            ["Root", "Parent", "Sampled", "Self"].iter().any(|name| name.eq_ignore_ascii_case(key));
        if !reserved && !key.is_empty() && !key.contains('=') && !value.is_empty() {
            self.put_data(key, value);
        }
        self
    }

    fn put_data(&mut self, key: &str, value: &str) {
        let mut bytes = key.len() + value.len();
        let mut earlier = None;
        let mut at = 0;
        for field in self.data.split(';') {
            if let Some((found, found_value)) = field.split_once('=') {
                if found == key {
                    earlier = Some(at + found.len() + 1..at + field.len());
                } else {
                    bytes += found.len() + found_value.len();
                }
            }
            at += field.len() + 1;
        }
        if bytes > DATA_BUDGET {
            return;
        }
        if let Some(range) = earlier {
            self.data.replace_range(range, value);
            return;
        }
        if !self.data.is_empty() {
            self.data.push(';');
        }
        self.data.push_str(key);
        self.data.push('=');
        self.data.push_str(value);
    }
}

/// The value of the response's header: the trace id, and the decision when the caller asked for it.
///
/// ```
/// use xray_runtime::{TraceHeader, response_header};
///
/// let incoming = TraceHeader::parse("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=?");
/// let trace_id = incoming.trace_id().expect("the root is valid");
/// assert_eq!(
///     response_header(trace_id, Some(&incoming), true),
///     "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
/// );
/// ```
pub fn response_header(trace_id: TraceId, incoming: Option<&TraceHeader>, sampled: bool) -> String {
    let asked = incoming.is_some_and(|header| header.sampled == Sampled::Requested);
    let header = TraceHeader::new(trace_id);
    if asked { header.with_sampled(sampled) } else { header }.to_string()
}

impl fmt::Display for TraceHeader {
    /// The canonical form: Root, Parent, Sampled, then the data; what is absent is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (key, text) in self.parts().into_iter().filter(|(_, text)| !text.is_empty()) {
            f.write_str(separator)?;
            f.write_str(key)?;
            f.write_str(text)?;
            separator = ";";
        }
        Ok(())
    }
}

impl FromStr for TraceHeader {
    type Err = Infallible;

    fn from_str(value: &str) -> Result<Self, Infallible> {
        Ok(Self::parse(value))
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// The text trimmed, or nothing when it would break the header apart.
fn writable(text: &str) -> &str {
    let breaks = |c: char| c == ';' || c.is_control();
    if text.contains(breaks) { "" } else { trim(text) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";

    fn check_fixpoint(value: &str) -> Result<(), TestCaseError> {
        let parsed = TraceHeader::parse(value);
        let written = parsed.to_string();
        let again = TraceHeader::parse(&written);
        prop_assert_eq!(&again, &parsed);
        prop_assert_eq!(again.to_string(), written);
        let bytes: usize = parsed.data().map(|(key, value)| key.len() + value.len()).sum();
        prop_assert!(bytes <= DATA_BUDGET);
        Ok(())
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_written_alike(value in any::<String>()) {
            check_fixpoint(&value)?;
        }

        #[test]
        fn near_headers_are_read_and_written_alike(
            value in "([ \t]?(Root|root|PARENT|Sampled|Self|k|K|Lineage|é)?[ \t]?=?[ \t]?(1|0|\\?|a=b|[a-f0-9]{16}|1-[0-9a-f]{8}-[0-9a-f]{24}|x{120})?[ \t]?;?){0,8}"
        ) {
            check_fixpoint(&value)?;
        }

        #[test]
        fn a_built_header_is_read_back(key in any::<String>(), value in any::<String>(), root in any::<String>()) {
            let header = TraceHeader::default().with_root(root).with_sampled(true).with_data(key, value);
            #[cfg(feature = "aws-sdk")]
            prop_assert_eq!(header.value(), header.to_string());
            prop_assert_eq!(TraceHeader::parse(&header.to_string()), header);
        }

        #[test]
        fn any_bytes_are_read(value in any::<Vec<u8>>()) {
            TraceHeader::parse_bytes(&value);
        }
    }

    #[test]
    fn a_plain_header_owns_no_memory() {
        let header = TraceHeader::parse(&format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1"));
        assert!(matches!(header.root, IdField::Valid(_)));
        assert!(matches!(header.parent, IdField::Valid(_)));
        assert_eq!(header.data.capacity(), 0);
    }

    #[test]
    fn outgoing_carries_on_the_data_but_not_the_caller() {
        let incoming =
            TraceHeader::parse(&format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=?;Lineage=a:1;k=v"));
        let trace_id = incoming.trace_id().unwrap();
        let sent = TraceHeader::outgoing(trace_id, Some(EntityId::from_u64(10)), true, Some(&incoming));
        assert_eq!(
            sent.to_string(),
            format!("Root={ROOT};Parent=000000000000000a;Sampled=1;Lineage=a:1;k=v")
        );
        let silent = TraceHeader::outgoing(trace_id, None, false, None);
        assert_eq!(silent.to_string(), format!("Root={ROOT};Sampled=0"));
    }

    #[test]
    fn a_replaced_value_counts_once_against_the_budget() {
        let header = TraceHeader::default().with_data("k", "x".repeat(200)).with_data("k", "y".repeat(255));
        assert_eq!(header.data().collect::<Vec<_>>(), [("k", "y".repeat(255).as_str())]);
        let header = header.with_data("k", "z".repeat(256));
        assert_eq!(header.data().collect::<Vec<_>>(), [("k", "y".repeat(255).as_str())]);
    }

    #[test]
    fn data_is_replaced_in_place() {
        let header = TraceHeader::parse("a=1;b=2;a=34;B=5");
        assert_eq!(header.data().collect::<Vec<_>>(), [("a", "34"), ("b", "2"), ("B", "5")]);
    }

    #[test]
    fn what_would_break_the_header_is_left_out() {
        let header = TraceHeader::default()
            .with_root("a;Sampled=1")
            .with_parent("b\r\nX-Evil: 1")
            .with_data("root", "x")
            .with_data("a=b", "c")
            .with_data("k", "v;w")
            .with_data(" ", "v");
        assert_eq!(header, TraceHeader::default());
        assert_eq!(header.to_string(), "");
    }
}

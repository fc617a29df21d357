//! `XRayFormat`: lines of a log that say which trace they belong to.

use std::fmt::{self, Display};

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::nearest;
use crate::entity::{Entity, current};
use crate::trace_id::{EntityId, TraceId};

/// The name under which X-Ray's SDKs put the id on a line.
const NAME: &str = "AWS-XRAY-TRACE-ID";

/// A format of `tracing_subscriber::fmt` that puts the ids of trace and entity on each line: `AWS-XRAY-TRACE-ID:
/// 1-5759e988-bd862e3fe1be46a994272793@53995c3f42cd8ad8`, as X-Ray's SDK for Java does, so that the console of X-Ray and
/// CloudWatch Logs Insights find the lines of a trace. It needs no other layer.
///
/// The entity is the segment or subsegment that is current where the event is; of an event with a parent of its own, that of the parent's
/// span (with [`XRayTracing`](crate::XRayTracing)). Where the segment is not sampled the trace's id stands alone, so that the lines of all services are found
/// still; where no segment is current the line is as it would be without this.
///
/// ```
/// use tracing_subscriber::fmt;
/// use xray_runtime::XRayFormat;
///
/// // At the end of each line.
/// let text = fmt().event_format(XRayFormat::new(fmt::format())).finish();
/// // As the first field of each object.
/// let json = fmt().json().event_format(XRayFormat::json(fmt::format().json())).finish();
/// ```
///
/// A text has colours where its format is told so, since it does not write to the terminal itself; the fields of spans have those of the
/// layer: `fmt::layer().with_ansi(yes).event_format(XRayFormat::new(fmt::format().with_ansi(yes)))`, where `yes` may be
/// `std::io::stdout().is_terminal()`.
#[derive(Clone, Debug)]
pub struct XRayFormat<F> {
    inner: F,
    is_json: bool,
}

impl<F> XRayFormat<F> {
    /// For a format of text: the id stands at the end of the line, after a space.
    pub fn new(inner: F) -> Self {
        Self { inner, is_json: false }
    }

    /// For a format that writes a JSON object: the id is its first field, `"AWS-XRAY-TRACE-ID"`. What is no object is treated as text.
    pub fn json(inner: F) -> Self {
        Self { inner, is_json: true }
    }

    fn write(&self, writer: &mut Writer<'_>, line: &str, ids: &Ids) -> fmt::Result {
        if self.is_json
            && let Some(members) = line.strip_prefix('{')
        {
            let comma = if members.trim_start().starts_with('}') { "" } else { "," };
            return write!(writer, "{{\"{NAME}\":\"{ids}\"{comma}{members}");
        }
        let (text, end) = line.split_at(line.trim_end_matches(['\n', '\r']).len());
        let space = if text.is_empty() || text.ends_with(' ') { "" } else { " " };
        write!(writer, "{text}{space}{NAME}: {ids}{end}")
    }
}

/// `<root>@<entity>`, or the root alone.
struct Ids {
    root: TraceId,
    entity: Option<EntityId>,
}

impl Ids {
    fn of(entity: &Entity) -> Option<Self> {
        Some(Self { root: entity.trace_id()?, entity: entity.id() })
    }
}

impl Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entity {
            Some(entity) => write!(f, "{}@{entity}", self.root),
            None => write!(f, "{}", self.root),
        }
    }
}

impl<S, N, F> FormatEvent<S, N> for XRayFormat<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let parent = event.parent().and_then(|id| nearest(context.span(id)?));
        let ids = Ids::of(&parent.unwrap_or_else(current));
        // Each line is coloured, or none.
        if ids.is_none() && (self.is_json || !writer.has_ansi_escapes()) {
            return self.inner.format_event(context, writer, event);
        }
        let mut line = String::new();
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        match ids {
            Some(ids) => self.write(&mut writer, &line, &ids),
            None => writer.write_str(&line),
        }
    }
}

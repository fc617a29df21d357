//! One call of a stack.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// One call of a stack.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Frame {
    pub(crate) filename: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lineno: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) colno: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<Line>,
    #[serde(skip_serializing_if = "SourceContext::is_empty")]
    pub(crate) context: SourceContext,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) argspec: Vec<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) locals: Map<String, Value>,
}

/// The lines of source round a frame's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SourceContext {
    pub(crate) pre: Vec<Line>,
    pub(crate) post: Vec<Line>,
}

/// A line of source: all frames that show it share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line(Arc<str>);

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl Deref for Line {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl SourceContext {
    pub(crate) fn is_empty(&self) -> bool {
        self.pre.is_empty() && self.post.is_empty()
    }
}

impl Frame {
    /// A call in this file; `?` where the file is not known.
    pub fn new(filename: impl Into<String>) -> Self {
        Self { filename: filename.into(), ..Self::default() }
    }

    /// At this line, from 1.
    #[must_use]
    pub fn at_line(mut self, line: u32) -> Self {
        self.lineno = Some(line);
        self
    }

    /// In this function.
    #[must_use]
    pub fn in_method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// The file.
    pub fn filename(&self) -> &str {
        &self.filename
    }

    /// The line, from 1.
    pub fn line(&self) -> Option<u32> {
        self.lineno
    }

    /// The function.
    pub fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// The line's source.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Values of variables, by name.
    pub fn locals_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.locals
    }
}

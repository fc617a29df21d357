//! What the conformance runner and the fuzz targets need and no user should: not part of the public interface.

pub use crate::wildcard::wildcard_match;

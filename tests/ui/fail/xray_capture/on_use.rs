// Good: names what stands there, at the word `use`.
use xray_runtime::xray_capture;

#[xray_capture]
pub use std::fmt;

fn main() {}

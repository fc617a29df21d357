// Good: names what stands there, at the word `type`.
use xray_runtime::xray_capture;

#[xray_capture]
type Id = u32;

fn main() {}

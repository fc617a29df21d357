// Good: names what stands there, at the word `const`.
use xray_runtime::xray_capture;

#[xray_capture]
const ID: u32 = 1;

fn main() {}

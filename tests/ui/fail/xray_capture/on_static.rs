// Good: names what stands there, at the word `static`.
use xray_runtime::xray_capture;

#[xray_capture]
static ID: u32 = 1;

fn main() {}

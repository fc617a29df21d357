// Good: lists what X-Ray knows, at the value.
use xray_runtime::xray_capture;

#[xray_capture(namespace = "local")]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

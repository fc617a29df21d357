// Good: lists the classes, at the value.
use xray_runtime::xray_capture;

#[xray_capture(error = "warning")]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

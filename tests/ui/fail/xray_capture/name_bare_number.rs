// Good: says what to write, at the number.
use xray_runtime::xray_capture;

#[xray_capture(5)]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

// Good: at the second word.
use xray_runtime::xray_capture;

#[xray_capture(segment, segment)]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

// Good: at the second key.
use xray_runtime::xray_capture;

#[xray_capture(annotations(id, id = 1))]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

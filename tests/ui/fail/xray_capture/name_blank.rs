// Good: the same for a blank name.
use xray_runtime::xray_capture;

#[xray_capture("  ")]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

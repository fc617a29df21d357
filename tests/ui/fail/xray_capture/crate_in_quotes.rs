// Good: at the string, with how to write it.
use xray_runtime::xray_capture;

#[xray_capture(crate = "xray_runtime")]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

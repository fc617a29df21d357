// Good: at the name that is one too many.
use xray_runtime::xray_capture;

#[xray_capture(name = "a", "b")]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

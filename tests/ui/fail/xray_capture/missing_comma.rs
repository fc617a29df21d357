// Good: at the token that follows.
use xray_runtime::xray_capture;

#[xray_capture(segment error = "error")]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

// Good: says what to write, at the `=`.
use xray_runtime::xray_capture;

#[xray_capture(name =)]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

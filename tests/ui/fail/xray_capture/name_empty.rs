// Good: says how to use the function's name, at the literal.
use xray_runtime::xray_capture;

#[xray_capture(name = "")]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

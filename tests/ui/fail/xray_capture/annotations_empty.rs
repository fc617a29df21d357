// Good: shows the form, at the parentheses.
use xray_runtime::xray_capture;

#[xray_capture(annotations())]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

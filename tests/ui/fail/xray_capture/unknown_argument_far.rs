// Good: lists the arguments where none is near, at the word.
use xray_runtime::xray_capture;

#[xray_capture(skip_all)]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

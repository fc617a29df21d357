// Good: names the nearest argument, at the word.
use xray_runtime::xray_capture;

#[xray_capture(nmae = "load")]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

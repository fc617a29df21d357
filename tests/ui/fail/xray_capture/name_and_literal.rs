// Good: at the word that is one too many.
use xray_runtime::xray_capture;

#[xray_capture("a", name = "b")]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

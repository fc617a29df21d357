// Good: at what follows the word, with how to write it.
use xray_runtime::xray_capture;

#[xray_capture(segment = true)]
fn load(id: u32) -> u32 {
    id
}

#[xray_capture(segment("load"))]
async fn save(id: u32) -> u32 {
    id
}

fn main() {}

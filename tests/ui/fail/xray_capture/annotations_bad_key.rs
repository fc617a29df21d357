// Good: names the character that a key cannot hold.
use xray_runtime::xray_capture;

#[xray_capture(annotations("user-id" = id))]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

// Good: asks for a key, at the value.
use xray_runtime::xray_capture;

#[xray_capture(annotations(self.id))]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

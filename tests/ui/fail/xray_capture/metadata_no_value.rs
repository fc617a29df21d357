// Good: shows the form, at the `=`.
use xray_runtime::xray_capture;

#[xray_capture(metadata(id =))]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

// Good: one error for each of four faults, in one go.
use xray_runtime::xray_capture;

#[xray_capture(nmae = "a", namespace = 5, annotations, error = "x")]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

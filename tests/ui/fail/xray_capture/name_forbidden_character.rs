// Good: names the first character that X-Ray does not accept.
use xray_runtime::xray_capture;

#[xray_capture("load {id}?")]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

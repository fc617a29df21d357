// Good: rustc's own: the value is not `Serialize`; only this expression is marked.
use xray_runtime::xray_capture;

struct Id;

#[xray_capture(metadata(id))]
fn load(id: Id) -> u32 {
    drop(id);
    1
}

fn main() {}

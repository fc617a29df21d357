// Good: rustc's own: the value is none that X-Ray can index; only this expression is marked.
use xray_runtime::xray_capture;

struct Id;

#[xray_capture(annotations(id))]
fn load(id: Id) -> u32 {
    drop(id);
    1
}

fn main() {}

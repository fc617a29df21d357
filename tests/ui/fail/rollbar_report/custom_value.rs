// Good: rustc's own: the value cannot be serialized; only this expression is marked.
use rollbar_runtime::rollbar_report;

struct Id;

#[rollbar_report(custom(id))]
fn load(id: &Id) -> u32 {
    let _ = id;
    1
}

fn main() {}

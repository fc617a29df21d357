// Good: rustc's own: the value has no Debug; only this expression is marked.
use rollbar_runtime::rollbar_report;

struct Id;

#[rollbar_report(capture(id))]
fn load(id: &Id) -> u32 {
    let _ = id;
    1
}

fn main() {}

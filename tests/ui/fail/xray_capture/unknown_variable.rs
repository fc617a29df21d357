// Good: rustc's own, at the expression: it sees the arguments alone.
use xray_runtime::xray_capture;

#[xray_capture(annotations(user = usr.id))]
fn load(user: u32) -> u32 {
    user
}

fn main() {}

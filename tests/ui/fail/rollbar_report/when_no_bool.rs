// Good: rustc's own: mismatched types, at the closure's value.
use rollbar_runtime::rollbar_report;

#[rollbar_report(when = |error| error.len())]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

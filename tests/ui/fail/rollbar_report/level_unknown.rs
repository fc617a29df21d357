// Good: lists the levels, at the value.
use rollbar_runtime::rollbar_report;

#[rollbar_report(level = "fatal")]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

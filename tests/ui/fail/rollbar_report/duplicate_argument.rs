// Good: at the second.
use rollbar_runtime::rollbar_report;

#[rollbar_report(level = "info", level = "debug")]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

// Good: shows the form, at the parentheses.
use rollbar_runtime::rollbar_report;

#[rollbar_report(level("info"))]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

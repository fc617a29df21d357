// Good: shows the form, at the literal.
use rollbar_runtime::rollbar_report;

#[rollbar_report(when = "fatal")]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

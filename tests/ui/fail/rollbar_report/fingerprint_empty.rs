// Good: at the literal.
use rollbar_runtime::rollbar_report;

#[rollbar_report(fingerprint = "")]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

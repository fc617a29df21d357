// Good: shows the form, at the bars.
use rollbar_runtime::rollbar_report;

#[rollbar_report(when = || true)]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

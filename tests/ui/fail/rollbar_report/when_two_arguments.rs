// Good: shows the form, at the arguments.
use rollbar_runtime::rollbar_report;

#[rollbar_report(when = |error, id| true)]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

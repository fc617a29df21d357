// Good: shows the form, at the `=`.
use rollbar_runtime::rollbar_report;

#[rollbar_report(custom = id)]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

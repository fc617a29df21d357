// Good: says that it is a type, at the string.
use rollbar_runtime::rollbar_report;

#[rollbar_report(ignore("NotFound"))]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

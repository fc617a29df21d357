// Good: says that it is a path.
use rollbar_runtime::rollbar_report;

#[rollbar_report(crate = "rollbar")]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

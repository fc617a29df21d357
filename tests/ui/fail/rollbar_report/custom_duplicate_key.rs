// Good: at the second key.
use rollbar_runtime::rollbar_report;

#[rollbar_report(custom(id, id = 1))]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

// Good: says what to write, at the number.
use rollbar_runtime::rollbar_report;

#[rollbar_report(name = 5)]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

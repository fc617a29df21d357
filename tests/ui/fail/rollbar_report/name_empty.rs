// Good: says how to use the function's name, at the literal.
use rollbar_runtime::rollbar_report;

#[rollbar_report(name = "")]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

// Good: says that a type is expected, at the operator.
use rollbar_runtime::rollbar_report;

#[rollbar_report(ignore(+))]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

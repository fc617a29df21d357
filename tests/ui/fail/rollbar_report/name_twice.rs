// Good: at the name that is one too many.
use rollbar_runtime::rollbar_report;

#[rollbar_report(name = "a", "b")]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

// Good: lists the arguments where none is near.
use rollbar_runtime::rollbar_report;

#[rollbar_report(skip_everything)]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

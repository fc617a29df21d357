// Good: shows the form, after the word.
use rollbar_runtime::rollbar_report;

#[rollbar_report(capture)]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

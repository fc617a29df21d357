// Good: names what this attribute calls it, or lists its arguments.
use rollbar_runtime::rollbar_report;

#[rollbar_report(annotations(id))]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

// Good: asks for a key, at the value.
use rollbar_runtime::rollbar_report;

#[rollbar_report(capture(self.id))]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

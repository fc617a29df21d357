// Good: rustc's own: the value has no text; only this expression is marked.
use rollbar_runtime::rollbar_report;

#[rollbar_report(fingerprint = ids)]
fn load(ids: &[u32]) -> Result<u32, String> {
    Ok(ids[0])
}

fn main() {}

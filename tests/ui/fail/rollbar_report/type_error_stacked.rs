// Good: rustc's own: at the value, once.
use rollbar_runtime::rollbar_report;

#[rollbar_report]
#[rollbar_report]
async fn load(id: u32) -> Result<u32, String> {
    Ok(id.to_string())
}

fn main() {}

// Good: rustc's own: the method, with the error's type.
use rollbar_runtime::rollbar_report;

#[rollbar_report(when = |error| error.is_fatal())]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

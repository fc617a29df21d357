// Good: at the second type.
use rollbar_runtime::rollbar_report;

#[rollbar_report(ignore(std::io::Error, std::fmt::Error, std::io::Error))]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

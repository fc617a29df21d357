// Good: names the nearest argument, at the word.
use rollbar_runtime::rollbar_report;

#[rollbar_report(leve = "warning")]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

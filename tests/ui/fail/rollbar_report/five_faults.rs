// Good: one error for each of five faults, in one go.
use rollbar_runtime::rollbar_report;

#[rollbar_report(leve = "a", level = 5, custom, title = "", name = "")]
fn load(id: u32) -> Result<u32, String> {
    Ok(id)
}

fn main() {}

// Good: says that no error is seen, at the word.
use rollbar_runtime::rollbar_report;

#[rollbar_report(ignore(std::io::Error))]
fn load(id: u32) -> u32 {
    id
}

fn main() {}

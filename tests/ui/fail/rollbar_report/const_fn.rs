// Good: at `const`.
use rollbar_runtime::rollbar_report;

#[rollbar_report]
const fn load(id: u32) -> u32 {
    id
}

fn main() {}

// Good: says that no error is seen, at the word.
use rollbar_runtime::rollbar_report;

#[rollbar_report(when = |_| true)]
async fn load(id: u32) -> impl std::fmt::Display {
    id
}

fn main() {}

// Good: names the attribute that was written.
use rollbar_runtime::rollbar_report;

struct Users;

#[rollbar_report]
impl Users {
    fn load(&self) {}
}

fn main() {}

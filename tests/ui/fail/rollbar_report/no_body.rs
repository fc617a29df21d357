// Good: names the attribute that was written, at the `;`.
use rollbar_runtime::rollbar_report;

trait Store {
    #[rollbar_report]
    fn load(&self) -> Result<u32, String>;
}

fn main() {}

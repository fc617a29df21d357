// Good: says to put it on each function, at the word `impl`.
use xray_runtime::xray_capture;

struct User;

#[xray_capture]
impl User {
    fn load(&self) {}
}

fn main() {}

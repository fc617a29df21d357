// Good: says to put it on each function, at the word `trait`.
use xray_runtime::xray_capture;

#[xray_capture]
trait Load {
    fn load(&self);
}

fn main() {}

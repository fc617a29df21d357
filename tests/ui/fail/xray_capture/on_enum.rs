// Good: names what stands there, at the word `enum`.
use xray_runtime::xray_capture;

#[xray_capture]
enum User {
    Known,
}

fn main() {}

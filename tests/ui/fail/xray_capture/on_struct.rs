// Good: names what stands there, at the word `struct`.
use xray_runtime::xray_capture;

#[xray_capture]
struct User {
    id: u32,
}

fn main() {}

// Good: at the `;`, as for any function with no body.
use xray_runtime::xray_capture;

unsafe extern "C" {
    #[xray_capture]
    safe fn abs(n: i32) -> i32;
}

fn main() {}

// Good: at the word `const`, with the reason.
use xray_runtime::xray_capture;

#[xray_capture]
const fn load(id: u32) -> u32 {
    id
}

const ID: u32 = load(1);

fn main() {}

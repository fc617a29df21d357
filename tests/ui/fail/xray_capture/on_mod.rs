// Good: says to put it on each function, at the word `mod`.
use xray_runtime::xray_capture;

#[xray_capture]
mod users {
    pub fn load() {}
}

fn main() {}

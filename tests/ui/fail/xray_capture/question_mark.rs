// Good: rustc's own, at the `?`.
use xray_runtime::xray_capture;

#[xray_capture]
fn load(text: &str) -> Result<u32, std::fmt::Error> {
    Ok(text.parse::<u32>()?)
}

fn main() {}

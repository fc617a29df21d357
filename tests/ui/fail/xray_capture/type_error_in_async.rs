// Good: rustc's own, at the user's expression.
use xray_runtime::xray_capture;

#[xray_capture]
async fn load(id: u32) -> Result<String, std::fmt::Error> {
    Ok(id)
}

fn main() {}

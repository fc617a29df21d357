// Good: at the `;`, with where to put the attribute.
use xray_runtime::xray_capture;

trait Load {
    #[xray_capture]
    fn load(&self, id: u32) -> u32;
}

fn main() {}

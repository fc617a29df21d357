// #[xray_capture]
// #[track_caller] fn first(list: &[u8]) -> Result<u8, Empty> { list.first().ok_or(Empty) }

#[track_caller]
fn first(list: &[u8]) -> Result<u8, Empty> {
    let _guard = ::xray_runtime::__private::enter("first");
    list.first().ok_or(Empty)
}

// #[xray_capture("cleanup")]
// pub(crate) fn clean(dir: &Path) { use std::fs; fs::remove_dir(dir).ok(); }

pub(crate) fn clean(dir: &Path) {
    let _guard = ::xray_runtime::__private::enter("cleanup");
    {
        use std::fs;
        fs::remove_dir(dir).ok();
    }
}

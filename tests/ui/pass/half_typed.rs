// Syntax in the body that no parser of ours has to know: the body is tokens.
#![allow(dead_code, unused_macros)]
use xray_runtime::xray_capture;

macro_rules! odd {
    ($($anything:tt)*) => {
        1
    };
}

#[xray_capture]
fn odd_tokens() -> u32 {
    odd!(let x = => ; @ # ~ 1..=, 'a)
}

#[xray_capture]
fn invisible_groups() -> u32 {
    macro_rules! make {
        ($name:ident, $output:ty, $body:block) => {
            #[xray_capture]
            fn $name() -> $output $body
        };
    }
    make!(inner, Result<u32, String>, { Ok(2) });
    inner().unwrap_or_default()
}

pub(crate) fn main() {
    assert_eq!(odd_tokens(), 1);
    assert_eq!(invisible_groups(), 2);
}

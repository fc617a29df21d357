//! One file a diagnostic of `#[xray_capture]` and `#[rollbar_report]`: `fail/*/*.rs` with what rustc prints. Those that they
//! share are held under `xray_capture`. `TRYBUILD=overwrite cargo test -p diagnostics` writes the outputs anew.
//!
//! What must compile is `pass/*.rs`: a part of this test, so that trybuild has to check code and never to generate any.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

#[path = "pass/half_typed.rs"]
mod half_typed;
#[path = "pass/rollbar_report_arguments.rs"]
mod rollbar_report_arguments;
#[path = "pass/xray_capture_arguments.rs"]
mod xray_capture_arguments;

#[test]
fn what_is_wrong_is_told() {
    trybuild::TestCases::new().compile_fail("fail/*/*.rs");
}

#[test]
fn bodies_are_tokens() {
    half_typed::main();
}

#[test]
fn each_argument_in_each_form() {
    xray_capture_arguments::main();
    rollbar_report_arguments::main();
}

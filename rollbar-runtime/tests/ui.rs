//! One file a diagnostic of `#[rollbar_report]`: `tests/ui/fail/*.rs` with what rustc prints, and what must compile. Those that
//! it shares with `#[xray_capture]` are held there.
//! `TRYBUILD=overwrite cargo test -p rollbar-runtime --test ui` writes the outputs anew.

#[test]
fn diagnostics() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}

//! One file a diagnostic of `#[xray_capture]`: `tests/ui/fail/*.rs` with what rustc prints, and what must compile.
//! `TRYBUILD=overwrite cargo test -p xray-runtime --test ui` writes the outputs anew.

#[test]
fn diagnostics() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}

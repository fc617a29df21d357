// #[xray_capture(nmae = "a")]
// const fn add(a: u32, b: u32) -> u32 { a + b }

::core::compile_error! {
    "unknown argument `nmae`; did you mean `name = \"...\"`?"
}
::core::compile_error! {
    "a `const fn` cannot be captured: nothing can be recorded at compile time; remove `const` or the attribute"
}
const fn add(a: u32, b: u32) -> u32 {
    a + b
}

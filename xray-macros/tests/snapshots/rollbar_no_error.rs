// #[rollbar_report(ignore(NotFound), when = |_| true)]
// fn add(a: u32, b: u32) -> u32 { a + b }

::core::compile_error! {
    "`ignore` looks at an `Err`, and none is seen of this function: return a `Result`, or remove the argument"
}
::core::compile_error! {
    "`when` looks at an `Err`, and none is seen of this function: return a `Result`, or remove the argument"
}
fn add(a: u32, b: u32) -> u32 {
    a + b
}

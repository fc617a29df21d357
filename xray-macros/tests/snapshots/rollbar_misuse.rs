// #[rollbar_report(leve = "warning", level = "fatal", ignore("NotFound"), when = |a, b| true, title = "")]
// fn load(id: u64) -> Result<User, Error> { find(id) }

::core::compile_error! {
    "unknown argument `leve`; did you mean `level = \"warning\"`?"
}
::core::compile_error! {
    "expected one of `\"critical\"`, `\"error\"`, `\"warning\"`, `\"info\"`, `\"debug\"`"
}
::core::compile_error! {
    "expected a type, not in quotes: write `ignore(Type)`"
}
::core::compile_error! {
    "the closure takes the error alone: write `when = |error| expr`"
}
::core::compile_error! {
    "the title is empty; write one, or leave the argument out"
}
fn load(id: u64) -> Result<User, Error> {
    find(id)
}

//! The function that a closure or a future is in, out of the name of its type.

/// The path of the function: `app::load::{{closure}}::{{closure}}` is what the compiler calls closures of `app::load`, and
/// the future of another attribute, `..::Captured<app::load::{{closure}}, ..>`, may stand round that of the function.
///
/// ```
/// assert_eq!(xray_error::function_of("app::load::{{closure}}::{{closure}}"), "app::load");
/// assert_eq!(xray_error::function_of("x::Captured<app::load<u8>::{{closure}}, x::AsError>"), "app::load<u8>");
/// ```
pub fn function_of(type_name: &'static str) -> &'static str {
    let mut name = type_name;
    while let Some((outer, inner)) = name.split_once('<')
        && outer.ends_with("::Captured")
    {
        name = inner;
    }
    // A closure within the function is in its path further on; generics hold commas of their own.
    name.split_once("::{{closure}}").map_or(name, |(function, _)| function)
}

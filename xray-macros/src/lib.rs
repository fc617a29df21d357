//! The attributes `#[xray_capture]`, which records a function as an AWS X-Ray subsegment, and `#[rollbar_report]`, which
//! reports its `Err` and its panic to Rollbar.
//!
//! Use them through `xray-runtime` and `rollbar-runtime`, which re-export them and hold what the expansions call. This crate
//! turns tokens into tokens and knows nothing else: it reads the signature of the function, never its body.
//!
//! # What it expands to
//!
//! The return type, read as syntax, selects one of four shapes, which are the same for both; `#[rollbar_report]` calls
//! `::rollbar_runtime::__private` in place of `::xray_runtime::__private`. What is observed:
//!
//! | function | shape | observed |
//! |---|---|---|
//! | plain value (`u32`, `&str`, `Vec<T>`, nothing, a type parameter, ..), or `#[track_caller]` | guard | panic |
//! | any other type: `Result`, an alias of it, a boxed future, .. | closure | `Err`, panic; of a boxed future also cancel |
//! | `async fn` | future | `Err`, panic, cancel |
//! | `-> impl Future<Output = R>` | future, its parent fixed at the call | `Err`, panic, cancel |
//!
//! ```text
//! #[xray_capture]
//! fn add(a: u32, b: u32) -> u32 { a + b }
//! // becomes
//! fn add(a: u32, b: u32) -> u32 {
//!     let _guard = ::xray_runtime::__private::enter("add");
//!     a + b
//! }
//!
//! #[xray_capture("load-user", annotations(id))]
//! fn load(id: &str) -> Answer<u32> { Ok(id.parse()?) }
//! // becomes
//! fn load(id: &str) -> Answer<u32> {
//!     ::xray_runtime::__private::probe::<Answer<u32>>()
//!         .shape()
//!         .pick()
//!         .begin_entry(::xray_runtime::__private::entry("load-user").with(|entity| { entity.put_annotation("id", &id); }))
//!         .call(|| -> Answer<u32> { Ok(id.parse()?) })
//! }
//!
//! #[xray_capture]
//! async fn save(id: u64) -> Result<u64, Error> { write(id).await }
//! // becomes
//! async fn save(id: u64) -> Result<u64, Error> {
//!     ::xray_runtime::__private::probe::<Result<u64, Error>>().shape().pick().future("save", async move {
//!         if false { return ::xray_runtime::__private::never::<Result<u64, Error>>(); }
//!         write(id).await
//!     }).await
//! }
//! ```
//!
//! `probe` finds out by method resolution whether the type is a `Result`, and whether its error is an `Error`, has
//! `Display`, has `Debug`, or none of these. The dead `return` tells the compiler the type of the block, so that
//! `.into()`, `collect()` and coercions work as they do without the attribute.
//!
//! Where both stand on a function, in either order, the report is made inside the subsegment, and two `async fn`s share one
//! block:
//!
//! ```text
//! #[xray_capture("load-user")]
//! #[rollbar_report(level = "warning", capture(id))]
//! async fn load(id: u64) -> Result<User, Error> { find(id).await }
//! // becomes
//! async fn load(id: u64) -> Result<User, Error> {
//!     ::xray_runtime::__private::probe::<Result<User, Error>>().shape().pick().future("load-user",
//!         ::rollbar_runtime::__private::probe::<Result<User, Error>>().shape().pick().future_entry(
//!             ::rollbar_runtime::__private::entry("load").warning().with(|report| { report.local("id", &id); }),
//!             async move {
//!                 if false { return ::xray_runtime::__private::never::<Result<User, Error>>(); }
//!                 find(id).await
//!             },
//!         ),
//!     ).await
//! }
//! ```
//!
//! # Arguments of `#[xray_capture]`
//!
//! | argument | meaning |
//! |---|---|
//! | `"..."` or `name = "..."` | the name; the function's where absent. 1 to 200 letters, digits, spaces and `_.:/%&#=+\-@` |
//! | `name = expr` | a name made at run time, of `&'static str`, `String` or `Cow<'static, str>` |
//! | `namespace = "remote"` | a call to another service; `"aws"` for one of AWS |
//! | `annotations(key = expr)` | indexed values: strings, numbers, booleans. `annotations(id)` is short for `id = id` |
//! | `metadata(key = expr)` | values that are not indexed: anything that serde can serialize |
//! | `segment` | opens a segment where none is current: for jobs, consumers, `main` |
//! | `error = "fault"` | what an `Err` marks: `"fault"` (default), `"error"`, `"throttle"`, or `"ignore"` |
//! | `crate = path` | where `xray-runtime` is re-exported |
//!
//! # Arguments of `#[rollbar_report]`
//!
//! | argument | meaning |
//! |---|---|
//! | `"..."` or `name = "..."` | the item's context, of at most 255 characters; that of the scope where absent |
//! | `name = expr` | a context made at run time, of `&'static str`, `String` or `Cow<'static, str>` |
//! | `level = "warning"` | the level of an `Err`: `"critical"`, `"error"` (default), `"warning"`, `"info"` or `"debug"` |
//! | `fingerprint = expr` | what groups occurrences into one item: anything with `Display` |
//! | `title = expr` | the item's title, of at most 255 characters: anything with `Display` |
//! | `custom(key = expr)` | values of your own: anything that serde can serialize. `custom(id)` is short for `id = id` |
//! | `capture(arg, key = expr)` | locals of the function's frame: the `Debug` text of arguments, before the body runs |
//! | `ignore(Type, ..)` | errors not to report: of this type, or due to an error of this type by their chain of sources |
//! | `when = \|error\| expr` | reports only errors for which this is true: a closure, or a path to a `fn(&E) -> bool` |
//! | `crate = path` | where `rollbar-runtime` is re-exported |
//!
//! The condition of `when` may borrow what the body does not move; where the function returns a boxed future it has to be
//! `move |error| ..`. The first error of `ignore` is told by its type's name (`type_name`), since it may hold borrows.
//!
//! # Of both
//!
//! The expressions see the function's arguments by reference, and those of `annotations`, `metadata` and of
//! `#[rollbar_report]` run at each call that is recorded, or while Rollbar is on. Misuse is an error at the token that is wrong; the function is then left as it is.
//!
//! # Limits
//!
//! * `const fn` and functions with no body are refused: there is nothing to record, or no place to do it.
//! * The `Err` of a sync `#[track_caller]` function is not seen: a closure would hide its caller.
//! * Nothing of an `async fn` runs at the call, so its parent is the entity current at its first poll.
//! * An `Err` behind `impl Trait` (`-> impl IntoResponse`) or behind a type parameter is not seen: write the `Result`.
//! * An error type that is a type parameter with no bound is recorded by its type's name alone.
//! * `async fn` cannot return `impl Fn(&str)` with the closure's argument left to inference: annotate the argument.
//! * A trait of your own called `Future` is taken for the one of the standard library where a function that is not `async`
//!   returns `impl Future`.
//! * A one-argument alias whose argument is the error, as in `-> Failing<impl Display>`, does not compile: write the `Result`.
//! * Where a sync function returns a value that lives too short, rustc points at the attribute, with the argument named.
//! * An argument `_` of an `async fn` drops after those that the body uses; one that the body only shadows gives no
//!   `unused_variables`.
//! * `//!` in the body of a function with `///` above it shows `clippy::mixed_attributes_style`: an attribute sees no comments.
//! * By-value arguments of an `async fn` live to the end of its future, also where the body moves none of them.

mod args;
mod body;
mod check;
mod diag;
mod expand;
mod item;
mod model;
mod shape;

/// Records each call of the function as an X-Ray subsegment; see the [crate's page](crate).
#[proc_macro_attribute]
pub fn xray_capture(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand::xray_capture(args.into(), item.into()).into()
}

/// Reports the `Err` and the panic of the function to Rollbar; see the [crate's page](crate).
#[proc_macro_attribute]
pub fn rollbar_report(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand::rollbar_report(args.into(), item.into()).into()
}

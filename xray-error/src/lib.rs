//! What an instrumentation runtime learns of an error: its chain, its texts within bounds, its stack.
//!
//! The errors are a user's, so nothing here trusts them: a chain may be a ring, a `Display` may write without end or
//! panic. Whatever they do, what comes back is bounded, and no panic leaves.
//!
//! ```
//! use xray_error::{Chain, Limits};
//!
//! let error = std::io::Error::other("disk gone");
//! let chain = Chain::from_error(&error, std::any::type_name_of_val(&error), Limits { links: 10, message_chars: 4096 });
//! assert_eq!(chain.links[0].type_name, "std::io::error::Error");
//! assert_eq!(chain.links[0].message, "disk gone");
//! ```
#![forbid(unsafe_code)]

mod borrowed;
mod chain;
mod function;
mod origin;
mod stack;
mod text;

pub use borrowed::Borrowed;
pub use chain::{Chain, Identity, Limits, Link, plain_type, same_error};
pub use function::function_of;
pub use origin::{Origin, is_runtime, is_runtime_path, short_path};
pub use stack::{MAX_FRAMES, Stack, StackFrame, label_of, own_label, split_place};
pub use text::{Bounded, caught, cut, text_of};

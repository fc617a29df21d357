//! An error behind a reference, as an error.

use std::error::Error;
use std::fmt::{self, Debug, Display};

/// An error behind a reference is an error: makes a `dyn Error` of what may have no size.
///
/// ```
/// use xray_error::{Borrowed, Chain, Limits};
///
/// let error: Box<dyn std::error::Error> = "disk gone".into();
/// let chain = Chain::from_error(&Borrowed(&*error), "dyn Error", Limits { links: 10, message_chars: 4096 });
/// assert_eq!(chain.links[0].message, "disk gone");
/// ```
pub struct Borrowed<'a, E: ?Sized>(pub &'a E);

impl<E: Error + ?Sized> Debug for Borrowed<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(self.0, f)
    }
}

impl<E: Error + ?Sized> Display for Borrowed<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self.0, f)
    }
}

impl<E: Error + ?Sized> Error for Borrowed<'_, E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

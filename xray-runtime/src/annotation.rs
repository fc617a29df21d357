//! Annotations: the keys that the backend indexes, and their values.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use xray_error::cut;

/// Characters of a key; from the schema of segment documents (v1.0.0), `^[A-Za-z0-9_]{1,500}$`.
pub const MAX_ANNOTATION_KEY_CHARS: usize = 500;

/// Unicode scalar values of a text; from the schema of segment documents (v1.0.0).
pub const MAX_ANNOTATION_VALUE_CHARS: usize = 1000;

/// Annotations that the backend indexes for each trace; from "AWS X-Ray segment documents", Annotations.
pub const MAX_ANNOTATIONS: usize = 50;

/// The value of an annotation: a text, a boolean or a number.
///
/// Made from what Rust has for these, and from references to it. An `Option` that is `None` is no value: the
/// annotation is not made.
///
/// ```
/// use xray_runtime::AnnotationValue;
///
/// assert_eq!(AnnotationValue::from("home"), AnnotationValue::String("home".into()));
/// assert_eq!(AnnotationValue::from(&3_u8), AnnotationValue::Int(3));
/// assert_eq!(AnnotationValue::from(None::<i32>), AnnotationValue::Absent);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AnnotationValue {
    /// A text; beyond [`MAX_ANNOTATION_VALUE_CHARS`] it is cut.
    String(String),
    /// True or false.
    Bool(bool),
    /// An integer that fits 64 bits with sign.
    Int(i64),
    /// An integer too large for [`Int`](Self::Int).
    UInt(u64),
    /// Any other number. NaN and the infinities are refused: JSON has no such numbers.
    Float(f64),
    /// No value.
    Absent,
}

/// A type that can be the value of an annotation.
///
/// Implement it for types of your own, and they can be written in `annotations(..)` of the attribute.
///
/// ```
/// use xray_runtime::{AnnotationValue, ToAnnotation};
///
/// struct UserId(u64);
///
/// impl ToAnnotation for UserId {
///     fn to_annotation(&self) -> AnnotationValue {
///         self.0.to_annotation()
///     }
/// }
///
/// assert_eq!(AnnotationValue::from(&UserId(7)), AnnotationValue::Int(7));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the value of an annotation",
    label = "not a text, a boolean or a number",
    note = "pass a text made of it, as in `&value.to_string()`, or implement `xray_runtime::ToAnnotation` for it"
)]
pub trait ToAnnotation {
    /// The value; [`AnnotationValue::Absent`] for none.
    fn to_annotation(&self) -> AnnotationValue;
}

impl<T: ToAnnotation + ?Sized> From<&T> for AnnotationValue {
    fn from(value: &T) -> Self {
        value.to_annotation()
    }
}

impl<T: Into<AnnotationValue>> From<Option<T>> for AnnotationValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Into::into)
    }
}

impl<T: ToAnnotation> ToAnnotation for Option<T> {
    fn to_annotation(&self) -> AnnotationValue {
        self.as_ref().map_or(AnnotationValue::Absent, ToAnnotation::to_annotation)
    }
}

impl ToAnnotation for AnnotationValue {
    fn to_annotation(&self) -> AnnotationValue {
        self.clone()
    }
}

impl ToAnnotation for str {
    fn to_annotation(&self) -> AnnotationValue {
        // Copied no further than it will be kept.
        AnnotationValue::String(cut(self, MAX_ANNOTATION_VALUE_CHARS + 1).into())
    }
}

macro_rules! through_deref {
    ($($type:ty),*) => {$(
        impl<T: ToAnnotation + ?Sized> ToAnnotation for $type {
            fn to_annotation(&self) -> AnnotationValue {
                (**self).to_annotation()
            }
        }
    )*};
}

through_deref!(&T, &mut T, Box<T>, Arc<T>, Rc<T>);

impl<T: ToAnnotation + ToOwned + ?Sized> ToAnnotation for Cow<'_, T> {
    fn to_annotation(&self) -> AnnotationValue {
        self.as_ref().to_annotation()
    }
}

/// `to_annotation` of a type whose values are converted one by one, and `From` for its owned values.
macro_rules! values {
    ($($type:ty: |$value:ident| $convert:expr;)*) => {$(
        impl ToAnnotation for $type {
            fn to_annotation(&self) -> AnnotationValue {
                let $value = *self;
                $convert
            }
        }
        impl From<$type> for AnnotationValue {
            fn from(value: $type) -> Self {
                value.to_annotation()
            }
        }
    )*};
}

values! {
    bool: |value| AnnotationValue::Bool(value);
    i8: |value| AnnotationValue::Int(value.into());
    i16: |value| AnnotationValue::Int(value.into());
    i32: |value| AnnotationValue::Int(value.into());
    i64: |value| AnnotationValue::Int(value);
    isize: |value| integer(value, value);
    i128: |value| integer(value, value);
    u8: |value| AnnotationValue::Int(value.into());
    u16: |value| AnnotationValue::Int(value.into());
    u32: |value| AnnotationValue::Int(value.into());
    u64: |value| integer(value, value);
    usize: |value| integer(value, value);
    u128: |value| integer(value, value);
    f32: |value| AnnotationValue::Float(decimal(value));
    f64: |value| AnnotationValue::Float(value);
    char: |value| AnnotationValue::String(value.into());
}

impl ToAnnotation for String {
    fn to_annotation(&self) -> AnnotationValue {
        self.as_str().to_annotation()
    }
}

impl From<String> for AnnotationValue {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<Box<str>> for AnnotationValue {
    fn from(value: Box<str>) -> Self {
        Self::String(value.into())
    }
}

impl From<Arc<str>> for AnnotationValue {
    fn from(value: Arc<str>) -> Self {
        value.to_annotation()
    }
}

impl From<Cow<'_, str>> for AnnotationValue {
    fn from(value: Cow<'_, str>) -> Self {
        Self::String(value.into_owned())
    }
}

/// The narrowest kind that holds the integer; beyond 64 bits a text, as no backend keeps such a number exactly.
fn integer<T: TryInto<i64> + Copy>(value: T, same: impl TryInto<u64> + ToString + Copy) -> AnnotationValue {
    match (value.try_into(), same.try_into()) {
        (Ok(value), _) => AnnotationValue::Int(value),
        (_, Ok(value)) => AnnotationValue::UInt(value),
        _ => AnnotationValue::String(same.to_string()),
    }
}

/// The number that is written with the same digits: 0.1 stays 0.1 and does not become 0.10000000149011612.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

impl AnnotationValue {
    /// Bytes of it as JSON, about.
    pub(crate) fn estimate(&self) -> usize {
        match self {
            Self::String(text) => text.len() + 2,
            _ => 8,
        }
    }

    /// The value as a document may have it, with whether its text was cut; `None` when it is absent, NaN or infinite.
    pub(crate) fn into_valid(self) -> Option<(Self, bool)> {
        match self {
            Self::Absent => None,
            Self::Float(number) => number.is_finite().then_some((self, false)),
            Self::String(mut text) => {
                let kept = cut(&text, MAX_ANNOTATION_VALUE_CHARS).len();
                let truncated = kept < text.len();
                text.truncate(kept);
                Some((Self::String(text), truncated))
            }
            valid => Some((valid, false)),
        }
    }
}

/// What to do with an annotation whose key has characters other than `A-Z a-z 0-9 _`, or more than
/// [`MAX_ANNOTATION_KEY_CHARS`] of them: the backend would ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum AnnotationKeyPolicy {
    /// Each bad character becomes `_`, and the key is cut.
    #[default]
    Fix,
    /// The annotation is dropped, and counted.
    Drop,
}

impl AnnotationKeyPolicy {
    /// The key to use, if any. An empty key can never be used.
    pub(crate) fn apply(self, key: &str) -> Option<Cow<'_, str>> {
        match self {
            _ if is_valid_key(key) => Some(Cow::Borrowed(key)),
            Self::Fix => fix_key(key),
            Self::Drop => None,
        }
    }
}

/// Whether the backend takes the key.
pub(crate) fn is_valid_key(key: &str) -> bool {
    (1..=MAX_ANNOTATION_KEY_CHARS).contains(&key.len()) && key.bytes().all(is_key_byte)
}

/// The key made valid; `None` for an empty one.
pub(crate) fn fix_key(key: &str) -> Option<Cow<'_, str>> {
    let key = cut(key, MAX_ANNOTATION_KEY_CHARS);
    if key.bytes().all(is_key_byte) {
        return (!key.is_empty()).then_some(Cow::Borrowed(key));
    }
    Some(key.chars().map(|c| if u8::try_from(c).is_ok_and(is_key_byte) { c } else { '_' }).collect())
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_key_is_fixed_once(key in any::<String>()) {
            match fix_key(&key) {
                None => prop_assert!(key.is_empty()),
                Some(fixed) => {
                    prop_assert!(is_valid_key(&fixed));
                    prop_assert_eq!(fix_key(&fixed), Some(Cow::Borrowed(fixed.as_ref())));
                    prop_assert_eq!(fixed == key, is_valid_key(&key));
                }
            }
        }
    }

    #[test]
    fn the_attribute_can_pass_a_reference_to_anything() {
        let (owned, borrowed, pair) = (String::from("a"), "a", (Some("a"), Some(String::from("a"))));
        let text = AnnotationValue::String("a".into());
        for value in [
            AnnotationValue::from(&owned),
            (&borrowed).into(),
            (&&borrowed).into(),
            (&*owned).into(),
            (&Cow::Borrowed(borrowed)).into(),
            (&'a').into(),
            (&pair.0).into(),
            (&pair.1).into(),
            (&Arc::<str>::from("a")).into(),
            (&Box::<str>::from("a")).into(),
            (&text).into(),
            owned.clone().into(),
            Some("a").into(),
        ] {
            assert_eq!(value, text);
        }
        assert_eq!(AnnotationValue::from(&None::<&str>), AnnotationValue::Absent);
        assert_eq!(AnnotationValue::from(&true), AnnotationValue::Bool(true));
        assert_eq!(AnnotationValue::from(&1.5), AnnotationValue::Float(1.5));
    }

    #[test]
    fn integers_stay_integers() {
        assert_eq!(AnnotationValue::from(-7_i8), AnnotationValue::Int(-7));
        assert_eq!(AnnotationValue::from(7_usize), AnnotationValue::Int(7));
        assert_eq!(AnnotationValue::from(u64::MAX), AnnotationValue::UInt(u64::MAX));
        assert_eq!(AnnotationValue::from(i64::MIN), AnnotationValue::Int(i64::MIN));
        assert_eq!(AnnotationValue::from(7_i128), AnnotationValue::Int(7));
        assert_eq!(AnnotationValue::from(i128::MIN), AnnotationValue::String(i128::MIN.to_string()));
    }

    #[test]
    fn single_precision_keeps_its_digits() {
        assert_eq!(AnnotationValue::from(0.1_f32), AnnotationValue::Float(0.1));
        assert_eq!(AnnotationValue::from(f32::MAX).into_valid().map(|(_, cut)| cut), Some(false));
    }

    #[test]
    fn what_json_cannot_say_is_refused() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(AnnotationValue::from(number).into_valid(), None);
        }
        assert_eq!(AnnotationValue::from(f32::NAN).into_valid(), None);
        assert_eq!(AnnotationValue::Absent.into_valid(), None);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        for (given, kept, truncated) in [(999, 999, false), (1000, 1000, false), (1001, 1000, true)] {
            let text = "é".repeat(given);
            for value in [AnnotationValue::from(&text), AnnotationValue::from(text.clone())] {
                assert_eq!(value.into_valid(), Some((AnnotationValue::String("é".repeat(kept)), truncated)));
            }
        }
        // The copy of a reference is bounded too.
        assert_eq!(AnnotationValue::from(&"a".repeat(5_000)), AnnotationValue::String("a".repeat(1001)));
    }

    #[test]
    fn the_policy_decides_about_bad_keys_only() {
        assert_eq!(AnnotationKeyPolicy::Fix.apply("a b😀"), Some(Cow::Borrowed("a_b_")));
        assert_eq!(AnnotationKeyPolicy::Drop.apply("a b"), None);
        assert_eq!(AnnotationKeyPolicy::Drop.apply("a_b"), Some(Cow::Borrowed("a_b")));
        assert_eq!(AnnotationKeyPolicy::Fix.apply(""), None);
        assert_eq!(AnnotationKeyPolicy::Fix.apply(&"k".repeat(501)), Some(Cow::Owned("k".repeat(500))));
    }
}

//! How many bytes a tree takes as JSON, without writing it.

use std::fmt::{self, Write};

use serde_json::{Map, Value};

/// Levels below the top that a tree may have: readers refuse deeper ones, `serde_json` those of 128.
pub(crate) const MAX_DEPTH: usize = 100;

/// The bytes that `serde_json` writes for the tree, when they are at most `max` and the tree is at most [`MAX_DEPTH`]
/// deep. Stops as soon as they are not.
pub(super) fn within(tree: &Value, max: usize) -> Option<usize> {
    let mut size = 0_usize;
    let mut left = vec![(tree, 0)];
    while let Some((value, depth)) = left.pop() {
        match value {
            Value::Null | Value::Bool(true) => size += 4,
            Value::Bool(false) => size += 5,
            Value::Number(number) => size += written(number),
            Value::String(text) => {
                // Known to be too long without a look at each of its bytes.
                if text.len() > max.saturating_sub(size) {
                    return None;
                }
                size += of_text(text);
            }
            Value::Array(values) => {
                size += 2 + values.len().saturating_sub(1);
                left.extend(values.iter().map(|value| (value, depth + 1)));
            }
            Value::Object(entries) => {
                size += 2 + entries.len().saturating_sub(1);
                for (key, value) in entries {
                    size += of_text(key) + 1;
                    left.push((value, depth + 1));
                }
            }
        }
        if size > max || depth > MAX_DEPTH {
            return None;
        }
    }
    Some(size)
}

/// The same of any tree that is not too deep.
pub(super) fn of(tree: &Value) -> usize {
    within(tree, usize::MAX).unwrap_or(usize::MAX)
}

/// The bytes of each entry, with the comma, the largest first.
pub(super) fn of_entries(entries: &Map<String, Value>) -> Vec<(usize, String)> {
    let size = |(key, value): (&String, &Value)| (of(value).saturating_add(of_text(key) + 2), key.clone());
    let mut sizes: Vec<_> = entries.iter().map(size).collect();
    sizes.sort_by(|(a, _), (b, _)| b.cmp(a));
    sizes
}

/// A text in quotes, with what must be escaped.
fn of_text(text: &str) -> usize {
    let escape = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        0..=0x1f => 5,
        _ => 0,
    };
    2 + text.len() + text.bytes().map(escape).sum::<usize>()
}

fn written(number: &serde_json::Number) -> usize {
    struct Count(usize);
    impl Write for Count {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.len();
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting never fails.
    let _ = write!(count, "{number}");
    count.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deep_tree_is_none_of_any_size() {
        let mut tree = json!(1);
        for _ in 0..MAX_DEPTH {
            tree = Value::Array(vec![tree]);
        }
        assert_eq!(of(&tree), 2 * MAX_DEPTH + 1);
        assert_eq!(within(&Value::Array(vec![tree]), usize::MAX), None);
    }

    proptest! {
        #[test]
        fn as_serde_json_writes_it(
            texts in prop::collection::vec("[\\x00-\\x7f]{0,9}|.*", 0..6), integer: i64, float: f64, key in ".*",
        ) {
            let tree = json!({"texts": texts, key: [integer, float, null, true, false, {}, []], "e": {"a": 1.5e300}});
            let written = serde_json::to_string(&tree).unwrap().len();
            prop_assert_eq!(of(&tree), written);
            prop_assert_eq!(within(&tree, written), Some(written));
            prop_assert_eq!(within(&tree, written - 1), None);
        }
    }
}

//! Equality of JSON values.

use serde_json::{Number, Value};

/// Whether two values say the same: the order of an object's keys does not count, and 1 is 1.0.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => same_number(a, b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn same_number(a: &Number, b: &Number) -> bool {
    // Not by way of f64 where both are integers: it would hide the last digits of a large one.
    let integer =
        |number: &Number| number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a.as_f64() == b.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_by_value_and_objects_by_key() {
        assert!(same(&json!({"a": [1, {"b": 1.5}], "c": null}), &json!({"c": null, "a": [1.0, {"b": 1.5}]})));
        for (a, b) in [
            (json!(12345678901234567890_u64), json!(12345678901234567891_u64)),
            (json!(1), json!("1")),
            (json!(1), json!(true)),
            (json!([1]), json!([1, 2])),
            (json!({"a": 1}), json!({"a": 1, "b": null})),
            (json!({"a": null}), json!({"b": null})),
            (json!(1), json!(1.5)),
        ] {
            assert!(!same(&a, &b) && !same(&b, &a), "{a} {b}");
        }
    }
}

//! The members of a JSON object, found without reading what is in them: a body may be large, and what is looked for small.

/// The members of the object that a body is: keys without their quotes, values as they stand there and **not** looked into. Ends where
/// the body breaks off or makes no sense.
pub(super) struct Members<'b> {
    body: &'b [u8],
    at: usize,
    /// What stands before the next member.
    before: u8,
}

impl<'b> Members<'b> {
    pub(super) fn of(body: &'b [u8]) -> Self {
        Self { body, at: 0, before: b'{' }
    }

    /// The next byte that is no white space. It stays the next.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.body.get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// To the end of the text whose first quote is at hand.
    fn skip_text(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            self.at += memchr::memchr2(b'"', b'\\', self.body.get(self.at..)?)?;
            if self.body[self.at] == b'"' {
                self.at += 1;
                return Some(());
            }
            // Whatever is escaped, its next byte ends no text.
            self.at += 2;
        }
    }

    fn skip_value(&mut self) -> Option<()> {
        let mut open = 0_usize;
        loop {
            match self.peek()? {
                b'"' => self.skip_text()?,
                b'{' | b'[' => {
                    open += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    open = open.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' if open > 0 => self.at += 1,
                _ => {
                    let rest = self.body.get(self.at..)?;
                    // A number that breaks off may have had more digits.
                    let length = rest.iter().position(|byte| b",:]} \n\r\t".contains(byte))?;
                    if length == 0 {
                        return None;
                    }
                    self.at += length;
                }
            }
            if open == 0 {
                return Some(());
            }
        }
    }
}

impl<'b> Iterator for Members<'b> {
    type Item = (&'b [u8], &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let before = std::mem::replace(&mut self.before, b',');
        self.take(before)?;
        if self.peek()? != b'"' {
            return None;
        }
        let from = self.at;
        self.skip_text()?;
        let key = &self.body[from + 1..self.at - 1];
        self.take(b':')?;
        self.peek()?;
        let from = self.at;
        self.skip_value()?;
        Some((key, &self.body[from..self.at]))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn members(body: &str) -> Vec<(&str, &str)> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        Members::of(body.as_bytes()).map(|(key, value)| (text(key), text(value))).collect()
    }

    #[test]
    fn values_are_as_they_stand_there() {
        let body = "  { \"a\" : {\"b\":[1,\"}\\\"]\",{}]} ,\"c\":\"\\\\\",\n\"d\":-1.5e3 , \"e\":null,\"f\":[ ],\"\":true}";
        let expected = [
            ("a", "{\"b\":[1,\"}\\\"]\",{}]}"),
            ("c", "\"\\\\\""),
            ("d", "-1.5e3"),
            ("e", "null"),
            ("f", "[ ]"),
            ("", "true"),
        ];
        assert_eq!(members(body), expected);
    }

    #[test]
    fn they_end_where_the_body_makes_no_sense() {
        for (body, found) in [
            ("", 0),
            ("{}", 0),
            ("[1]", 0),
            ("{\"a\"", 0),
            ("{\"a\":", 0),
            ("{\"a\":}", 0),
            ("{\"a\":]", 0),
            ("{\"a\":,\"b\":1}", 0),
            ("{a:1}", 0),
            ("{\"a\":\"b\\", 0),
            ("{\"a\":\"b\\\"", 0),
            ("{\"a\":[1,2", 0),
            ("{\"a\":12", 0),
            ("{\"a\":1 \"b\":2}", 1),
            ("{\"a\":1;\"b\":2,\"c\":3}", 1),
            ("{\"a\":1,}", 1),
            ("{\"a\":1,\"b\":tru", 1),
        ] {
            assert_eq!(members(body).len(), found, "{body}");
        }
        let deep = format!("{{\"a\":{}", "[".repeat(100_000));
        assert_eq!(members(&deep).len(), 0);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
            "[\\x00-\\x7fé\"\\\\]{0,80}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z\"\\\\]{0,3}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn they_are_what_serde_reads(
            object in prop::collection::btree_map("[a-z\"\\\\]{0,3}", any_json(), 0..5),
            pretty in any::<bool>(),
        ) {
            let text = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) };
            let text = text.unwrap();
            let found: BTreeMap<String, Value> = members(&text)
                .into_iter()
                .map(|(key, value)| {
                    let key = serde_json::from_str(&format!("\"{key}\"")).unwrap();
                    (key, serde_json::from_str(value).unwrap())
                })
                .collect();
            prop_assert_eq!(found, object);
        }

        #[test]
        fn any_bytes_are_survived(body in "[{}\\[\\]\":,\\\\a1 ]{0,40}") {
            for (key, value) in Members::of(body.as_bytes()) {
                prop_assert!(!value.is_empty() && key.len() < body.len());
            }
        }
    }
}

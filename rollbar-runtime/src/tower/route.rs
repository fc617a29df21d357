//! The template of a route and a path that it matches: the values of its parameters.

use percent_encoding::percent_decode_str;

/// The names and values of a template's parameters (`/users/{id}`, `/files/{*path}`) in a path that it matches; those up to
/// where they differ in one that it does not.
pub(super) fn params<'a>(
    template: &'a str,
    path: &'a str,
) -> impl Iterator<Item = (&'a str, std::borrow::Cow<'a, str>)> {
    let mut rest = Some(path);
    template
        .split('/')
        .map_while(move |part| {
            let path = rest?;
            let named = part.strip_prefix('{').filter(|_| !part.starts_with("{{"));
            let Some(name) = named.and_then(|part| part.strip_suffix('}')) else {
                let (segment, after) = split(path);
                rest = after;
                // Braces that are no parameter's are doubled.
                return (segment == part.replace("{{", "{").replace("}}", "}")).then_some(None);
            };
            let (name, value) = match name.strip_prefix('*') {
                Some(name) => {
                    rest = None;
                    (name, path)
                }
                None => {
                    let (segment, after) = split(path);
                    rest = after;
                    (name, segment)
                }
            };
            Some(Some((name, percent_decode_str(value).decode_utf8_lossy())))
        })
        .flatten()
}

fn split(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((segment, rest)) => (segment, Some(rest)),
        None => (path, None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(template: &str, path: &str) -> Vec<(String, String)> {
        params(template, path).map(|(name, value)| (name.to_owned(), value.into_owned())).collect()
    }

    #[test]
    fn values_of_the_path() {
        for (template, path, expected) in [
            ("/users/{id}", "/users/7", &[("id", "7")][..]),
            ("/{a}/x/{b}", "/1%2F2/x/%C3%A9+", &[("a", "1/2"), ("b", "é+")]),
            ("/files/{*path}", "/files/a/b%20c", &[("path", "a/b c")]),
            ("/{{a}}/{b}", "/{a}/1", &[("b", "1")]),
            ("/{id}/x", "/7/y", &[("id", "7")]),
            ("/users/{id}", "/other/7", &[]),
            ("/{a}/{b}", "/1", &[("a", "1")]),
            ("/", "/", &[]),
            ("", "", &[]),
        ] {
            let expected: Vec<_> =
                expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(found(template, path), expected, "{template} {path}");
        }
    }

    proptest! {
        #[test]
        fn any_texts_are_taken(template in "[/{}*a%]{0,30}", path in ".*") {
            found(&template, &path);
        }

        #[test]
        fn a_value_is_the_segment(value in "[a-z0-9-]{1,20}", tail in "[a-z]{1,5}(/[a-z]{1,5}){0,3}") {
            let path = format!("/a/{value}/{tail}");
            let expected = vec![("v".to_owned(), value), ("t".to_owned(), tail)];
            prop_assert_eq!(found("/a/{v}/{*t}", &path), expected);
        }
    }
}

//! The name: what X-Ray accepts as one (AWS's segment document schema: 200 characters, letters, numbers and some signs).

use syn::{Expr, ExprLit, Lit, LitStr};

use super::{Name, ungrouped};

/// Characters of a name, more are cut off when a document is made.
const MAX_CHARS: usize = 200;
const SIGNS: &str = "_.:/%&#=+\\-@";

/// `name = value`: a literal is checked here, anything else is made a name at run time.
pub(super) fn value(value: Expr) -> syn::Result<Name> {
    match ungrouped(&value) {
        Expr::Lit(ExprLit { lit, .. }) => literal(lit.clone()).map(Name::Literal),
        _ => Ok(Name::Expr(value)),
    }
}

/// A literal name, or what is wrong with it.
pub(super) fn literal(literal: Lit) -> syn::Result<LitStr> {
    let Lit::Str(name) = literal else {
        return Err(syn::Error::new(literal.span(), "expected a string: write `name = \"...\"`"));
    };
    match fault(&name.value()) {
        None => Ok(name),
        Some(fault) => Err(syn::Error::new(name.span(), fault)),
    }
}

fn fault(name: &str) -> Option<String> {
    if name.trim().is_empty() {
        return Some(
            "the name is empty; write one, or leave the argument out to use the function's".to_owned(),
        );
    }
    if let Some(bad) = name.chars().find(|c| !(c.is_alphanumeric() || *c == ' ' || SIGNS.contains(*c))) {
        return Some(format!("a name cannot hold {bad:?}; write letters, digits, spaces and `{SIGNS}`"));
    }
    let chars = name.chars().count();
    (chars > MAX_CHARS)
        .then(|| format!("the name has {chars} characters; X-Ray keeps {MAX_CHARS}: write a shorter one"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_schema_allows() {
        for name in
            ["a", "notifications-activities", "GET /api/activities", "größe 幅", "a_b.c:d/e%f&g#h=i+j\\k-l@m"]
        {
            assert_eq!(fault(name), None, "{name}");
        }
        assert_eq!(fault(&"é".repeat(200)), None);
    }

    #[test]
    fn the_first_bad_character_is_named() {
        assert!(fault("who? me!").is_some_and(|text| text.starts_with("a name cannot hold '?'")));
        assert!(fault("tab\there").is_some_and(|text| text.starts_with("a name cannot hold '\\t'")));
        assert!(fault(&"é".repeat(201)).is_some_and(|text| text.starts_with("the name has 201 characters")));
        for blank in ["", " ", "\n\t"] {
            assert!(fault(blank).is_some_and(|text| text.starts_with("the name is empty")), "{blank:?}");
        }
    }
}

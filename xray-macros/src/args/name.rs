//! The name: a literal, checked here, or an expression.

use syn::{Expr, ExprLit, Lit, LitStr};

use super::written::ungrouped;

/// `"..."`, or an expression that gives a name at run time.
pub(crate) enum Name {
    Literal(LitStr),
    Expr(Expr),
}

/// `name = value`: a literal is checked here, anything else is made a name at run time.
pub(super) fn value(value: Expr, fault: fn(&str) -> Option<String>) -> syn::Result<Name> {
    match ungrouped(&value) {
        Expr::Lit(ExprLit { lit, .. }) => literal(lit.clone(), fault).map(Name::Literal),
        _ => Ok(Name::Expr(value)),
    }
}

/// A literal name, or what is wrong with it.
pub(super) fn literal(literal: Lit, fault: fn(&str) -> Option<String>) -> syn::Result<LitStr> {
    let Lit::Str(name) = literal else {
        return Err(syn::Error::new(literal.span(), "expected a string: write `name = \"...\"`"));
    };
    let text = name.value();
    let fault = match text.trim().is_empty() {
        true => {
            Some("the name is empty; write one, or leave the argument out to use the function's".to_owned())
        }
        false => fault(&text),
    };
    match fault {
        None => Ok(name),
        Some(fault) => Err(syn::Error::new(name.span(), fault)),
    }
}

/// What stands against a text of more than `max` characters.
pub(super) fn too_long(what: &str, text: &str, whose: &str, max: usize) -> Option<String> {
    let chars = text.chars().count();
    (chars > max)
        .then(|| format!("the {what} has {chars} characters; {whose} keeps {max}: write a shorter one"))
}

#[cfg(test)]
mod tests {
    use proc_macro2::Span;

    use super::*;

    #[test]
    fn blank_names_are_refused() {
        for blank in ["", " ", "\n\t"] {
            let literal = literal(Lit::Str(LitStr::new(blank, Span::call_site())), |_| None);
            let error = literal.map(|name| name.value()).expect_err("it is blank").to_string();
            assert!(error.starts_with("the name is empty"), "{blank:?}: {error}");
        }
    }

    #[test]
    fn characters_are_counted_not_bytes() {
        assert_eq!(too_long("name", &"é".repeat(200), "X-Ray", 200), None);
        let fault = too_long("name", &"é".repeat(201), "X-Ray", 200).expect("it is too long");
        assert_eq!(fault, "the name has 201 characters; X-Ray keeps 200: write a shorter one");
    }
}

//! The function's body: tokens, with a place at their head for ours.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

/// A body, split where our tokens go.
pub(crate) struct Body {
    braces: Group,
    /// `#![..]` at its head.
    attributes: TokenStream,
    statements: TokenStream,
    begins_with_item: bool,
}

/// Words that begin an item in a block.
const ITEMS: &[&str] = &[
    "use",
    "fn",
    "struct",
    "enum",
    "union",
    "static",
    "const",
    "type",
    "trait",
    "impl",
    "mod",
    "extern",
    "pub",
    "async",
    "unsafe",
    "macro_rules",
];

impl Body {
    pub(crate) fn new(braces: Group) -> Self {
        let tokens: Vec<TokenTree> = braces.stream().into_iter().collect();
        let mut inner = 0;
        while let Some([TokenTree::Punct(pound), TokenTree::Punct(bang), TokenTree::Group(_)]) =
            tokens.get(inner..inner + 3)
        {
            if pound.as_char() != '#' || bang.as_char() != '!' {
                break;
            }
            inner += 3;
        }
        let begins_with_item = begins_with_item(&tokens[inner..]);
        let mut attributes: Vec<TokenTree> = tokens;
        let statements = attributes.split_off(inner);
        Self {
            braces,
            attributes: attributes.into_iter().collect(),
            statements: statements.into_iter().collect(),
            begins_with_item,
        }
    }

    /// `#![..] content` in the user's braces, whose span decides when temporaries of the tail are dropped.
    pub(crate) fn replaced(&self, content: TokenStream) -> TokenTree {
        let mut stream = self.attributes.clone();
        stream.extend(content);
        self.grouped(stream)
    }

    /// The user's statements in their braces, with no `#![..]`.
    pub(crate) fn statements(&self) -> TokenTree {
        match self.attributes.is_empty() {
            true => self.braces.clone().into(),
            false => self.grouped(self.statements.clone()),
        }
    }

    /// The user's statements, with no `#![..]`.
    pub(crate) fn tokens(&self) -> Vec<TokenTree> {
        self.statements.clone().into_iter().collect()
    }

    /// `prologue statements`. Where the statements begin with an item they stay in braces of their own: a statement
    /// before a user's `use` is `clippy::items_after_statements`. Elsewhere they must not: `{ unsafe { .. } }` in braces
    /// is `unused_braces`.
    pub(crate) fn after(&self, prologue: TokenStream) -> TokenStream {
        let mut stream = prologue;
        match self.begins_with_item {
            true => stream.extend([self.statements()]),
            false => stream.extend(self.statements.clone()),
        }
        stream
    }

    /// As [`Body::after`], in the user's braces.
    pub(crate) fn block_after(&self, prologue: TokenStream) -> TokenTree {
        self.grouped(self.after(prologue))
    }

    /// Whether the statements mention `name`, as a word or inside `{..}` of a format string.
    pub(crate) fn mentions(&self, name: &Ident) -> bool {
        let name = name.to_string();
        mentions(self.statements.clone(), &name, &format!("{{{name}"))
    }

    fn grouped(&self, stream: TokenStream) -> TokenTree {
        let mut group = Group::new(Delimiter::Brace, stream);
        group.set_span(self.braces.span());
        group.into()
    }
}

fn begins_with_item(mut tokens: &[TokenTree]) -> bool {
    while let [TokenTree::Punct(pound), TokenTree::Group(_), rest @ ..] = tokens {
        if pound.as_char() != '#' {
            break;
        }
        tokens = rest;
    }
    match tokens {
        [TokenTree::Ident(word), next, ..] if ITEMS.iter().any(|item| word == item) => match next {
            // `unsafe { .. }`, `async { .. }`, `const { .. }` and a variable called `union`.
            TokenTree::Group(_) | TokenTree::Literal(_) => word == "extern" || word == "pub",
            TokenTree::Punct(punct) => {
                punct.as_char() == ':' && word == "use" || word == "macro_rules" || word == "impl"
            }
            TokenTree::Ident(next) => !(word == "async" && next == "move"),
        },
        _ => false,
    }
}

fn mentions(tokens: TokenStream, name: &str, in_braces: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == name,
        TokenTree::Literal(literal) => literal.to_string().contains(in_braces),
        TokenTree::Group(group) => mentions(group.stream(), name, in_braces),
        TokenTree::Punct(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(source: &str) -> Body {
        let tokens: Vec<TokenTree> = source.parse::<TokenStream>().expect("tokens").into_iter().collect();
        match &tokens[..] {
            [TokenTree::Group(group)] => Body::new(group.clone()),
            _ => panic!("{source} is no block"),
        }
    }

    #[test]
    fn items_at_the_head_are_seen() {
        for item in [
            "{ use a::b; b() }",
            "{ use ::a::b; b() }",
            "{ #[cfg(test)] fn f() {} f() }",
            "{ #![allow(x)] const N: u8 = 1; N }",
            "{ unsafe fn f() {} }",
            "{ async fn f() {} }",
            "{ extern \"C\" { fn f(); } }",
            "{ macro_rules! m { () => {} } }",
            "{ impl<T> A for B<T> {} }",
            "{ pub(crate) struct S; }",
        ] {
            assert!(body(item).begins_with_item, "{item}");
        }
        for statement in [
            "{}",
            "{ a + b }",
            "{ unsafe { f() } }",
            "{ async { 1 } }",
            "{ async move { 1 } }",
            "{ const { 1 } }",
            "{ union + 1 }",
            "{ #[cfg(test)] { f() } }",
            "{ let used = 1; }",
        ] {
            assert!(!body(statement).begins_with_item, "{statement}");
        }
    }

    #[test]
    fn inner_attributes_are_hoisted() {
        let body = body("{ #![allow(unused)] #![warn(dead_code)] f() }");
        let text = |token: TokenTree| token.to_string().replace(' ', "");
        assert_eq!(text(body.replaced(quote::quote!(g()))), "{#![allow(unused)]#![warn(dead_code)]g()}");
        assert_eq!(text(body.statements()), "{f()}");
    }

    #[test]
    fn names_are_found_in_format_strings() {
        let body = body("{ println!(\"{first} {second:?}\"); if x { third } \"plain fourth\" }");
        let name = |text: &str| Ident::new(text, proc_macro2::Span::call_site());
        for (text, found) in
            [("first", true), ("second", true), ("third", true), ("fourth", false), ("fifth", false)]
        {
            assert_eq!(body.mentions(&name(text)), found, "{text}");
        }
    }
}

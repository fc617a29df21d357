//! Bodies that one of our attributes has expanded already: where the other goes.
//!
//! The attribute that stands first expands first, and so would end up inside the other. A report has to be made while the
//! subsegment is open, to be joined to it: `#[rollbar_report]` goes into what `#[xray_capture]` made, in whichever order they
//! are written. And where both wrap an `async` block, one block is enough.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::{Expr, ExprCall, ExprMethodCall};

/// Where an attribute goes when the other has expanded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    /// Around the call that is there.
    Around,
    /// Around what is handed to that call.
    Within,
}

/// The methods that wrap the block of an `async fn`.
const FUTURES: &[&str] = &["future", "future_entry"];

/// A call into a runtime that an attribute of ours made: `picked.method(first, inner)`, `picked.call(inner)`.
pub(super) struct Call {
    /// `picked.method`.
    head: Vec<TokenTree>,
    arguments: Group,
    /// `first,`, where there is one.
    first: Vec<TokenTree>,
    inner: Vec<TokenTree>,
}

/// A call whose value is awaited, in the statement that an attribute of ours made of it.
pub(super) struct Awaited {
    before: Vec<TokenTree>,
    pub(super) call: Call,
    /// From `.await` on.
    after: Vec<TokenTree>,
}

impl Awaited {
    /// Reads `call.await`, `match call.await {}`, or `#[allow(..)] return call.await;`.
    pub(super) fn read(mut tokens: Vec<TokenTree>) -> Option<Self> {
        let (before, tail) = match &tokens[..] {
            [TokenTree::Ident(word), .., TokenTree::Group(arms)]
                if word == "match" && arms.stream().is_empty() =>
            {
                (1, 1)
            }
            [
                TokenTree::Punct(pound),
                TokenTree::Group(_),
                TokenTree::Ident(word),
                ..,
                TokenTree::Punct(end),
            ] if pound.as_char() == '#' && word == "return" && end.as_char() == ';' => (3, 1),
            _ => (0, 0),
        };
        let end = tokens.len().checked_sub(tail + 2).filter(|end| *end > before)?;
        let after = tokens.split_off(end);
        let [TokenTree::Punct(dot), TokenTree::Ident(word), ..] = &after[..] else { return None };
        if dot.as_char() != '.' || word != "await" {
            return None;
        }
        let call = Call::read(tokens.split_off(before), FUTURES)?;
        Some(Self { before: tokens, call, after })
    }

    /// The same statement, of the call that `change` makes of this one.
    pub(super) fn map(self, change: impl FnOnce(Call) -> TokenStream) -> TokenStream {
        self.before.into_iter().chain(change(self.call)).chain(self.after).collect()
    }
}

impl Call {
    /// Reads a call of one of `methods`, where it is one of ours.
    pub(super) fn read(mut tokens: Vec<TokenTree>, methods: &[&str]) -> Option<Self> {
        let Some(TokenTree::Group(arguments)) = tokens.pop() else { return None };
        let [receiver @ .., TokenTree::Punct(dot), TokenTree::Ident(method)] = &tokens[..] else {
            return None;
        };
        let ours = arguments.delimiter() == Delimiter::Parenthesis
            && dot.as_char() == '.'
            && methods.iter().any(|name| method == name);
        if !ours {
            return None;
        }
        let receiver = receiver.iter().cloned().collect();
        root(&syn::parse2(receiver).ok()?)?;
        let mut inner: Vec<TokenTree> = arguments.stream().into_iter().collect();
        let first = match method == "call" {
            true => Vec::new(),
            false => {
                let comma =
                    |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
                let rest = inner.split_off(inner.iter().position(comma)? + 1);
                std::mem::replace(&mut inner, rest)
            }
        };
        Some(Self { head: tokens, arguments, first, inner })
    }

    /// Whether the call is of another runtime than `runtime`, a path.
    pub(super) fn is_foreign(&self, runtime: &TokenStream) -> bool {
        let own = words(runtime.clone().into_iter());
        let its = words(self.head.iter().cloned());
        own != its
    }

    /// Whether evaluating the call begins something already: it is not left to the first poll.
    pub(super) fn begins_at_once(&self) -> bool {
        matches!(self.head.last(), Some(TokenTree::Ident(method)) if method == "future_entry")
            || self.inner_begins_at_once()
    }

    /// Whether evaluating what is handed over does.
    pub(super) fn inner_begins_at_once(&self) -> bool {
        Self::read(self.inner.clone(), FUTURES).is_some_and(|call| call.begins_at_once())
    }

    /// What is handed over.
    pub(super) fn inner(&self) -> TokenStream {
        self.inner.iter().cloned().collect()
    }

    /// The block of the closure that is handed over.
    pub(super) fn block(&self) -> Option<Group> {
        match &self.inner[..] {
            [TokenTree::Punct(open), TokenTree::Punct(close), .., TokenTree::Group(block)]
                if open.as_char() == '|'
                    && close.as_char() == '|'
                    && block.delimiter() == Delimiter::Brace =>
            {
                Some(block.clone())
            }
            _ => None,
        }
    }

    /// The call as it is.
    pub(super) fn into_tokens(self) -> TokenStream {
        self.head.into_iter().chain([TokenTree::Group(self.arguments)]).collect()
    }

    /// The same call, with `inner` handed over.
    pub(super) fn with(self, inner: TokenStream) -> TokenStream {
        let arguments = self.first.into_iter().chain(inner).collect();
        let arguments = regrouped(&self.arguments, arguments);
        self.head.into_iter().chain([arguments]).collect()
    }

    /// The same call, of its closure with this in the block.
    pub(super) fn with_block(mut self, block: TokenTree) -> TokenStream {
        self.inner.pop();
        self.inner.push(block);
        let inner = self.inner();
        self.with(inner)
    }
}

/// `content` in the braces or parentheses of `group`, whose span decides when temporaries of a block's tail are dropped.
pub(super) fn regrouped(group: &Group, content: TokenStream) -> TokenTree {
    let mut regrouped = Group::new(group.delimiter(), content);
    regrouped.set_span(group.span());
    regrouped.into()
}

/// `probe` or `quiet` of a runtime's hidden module, called, with methods called on that.
fn root(picked: &Expr) -> Option<()> {
    match picked {
        Expr::MethodCall(ExprMethodCall { receiver, .. }) => root(receiver),
        Expr::Call(ExprCall { func, .. }) => {
            let Expr::Path(path) = &**func else { return None };
            let mut last = path.path.segments.iter().rev();
            let probe = last.next().is_some_and(|last| last.ident == "probe" || last.ident == "quiet");
            (probe && last.next().is_some_and(|module| module.ident == "__private")).then_some(())
        }
        _ => None,
    }
}

/// The words of a path, up to the hidden module.
fn words(tokens: impl Iterator<Item = TokenTree>) -> Vec<String> {
    tokens
        .filter_map(|token| match token {
            TokenTree::Ident(word) => Some(word.to_string()),
            _ => None,
        })
        .take_while(|word| word != "__private")
        .collect()
}

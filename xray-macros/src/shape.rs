//! Which of the four shapes a function gets, read from its return type as syntax.

use syn::{
    AngleBracketedGenericArguments as Generics, GenericArgument, GenericParam, PathArguments, ReturnType,
    Signature, Type, TypeImplTrait, TypeParamBound,
};

/// How a function is captured.
pub(crate) enum Shape {
    /// A guard before the user's statements.
    Guard,
    /// The body in a closure that returns this type.
    Closure(Type),
    /// The body of an `async fn` in a future.
    Async(Value),
    /// The future that the body returns, with its output; `None` where that cannot be named or is not given.
    Returned(Option<Type>),
}

/// What an `async fn` returns.
pub(crate) enum Value {
    Unit,
    Never,
    /// `impl Trait`: a type that cannot be named.
    Opaque,
    /// A type that is surely no `Result`.
    Plain(Type),
    /// Any other.
    Probed(Type),
}

/// Names of types that are no `Result` and no future.
const PLAIN: &[&str] = &[
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128",
    "isize", "f32", "f64", "String", "Vec", "Option", "Self", "Box", "Rc", "Arc", "Cow", "HashMap",
    "HashSet", "BTreeMap", "BTreeSet", "PathBuf", "Duration", "Instant",
];

impl Shape {
    /// `track_caller`: whether the function has that attribute. A closure would hide the caller.
    pub(crate) fn of(signature: &Signature, track_caller: bool) -> Self {
        let returned = match &signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(bare(ty)),
        };
        if signature.asyncness.is_some() {
            return Self::Async(Value::of(returned, signature));
        }
        match returned {
            Some(Type::ImplTrait(opaque)) => match future_output(opaque) {
                Some(output) => Self::Returned(output.filter(|output| !is_plain(output, signature))),
                None => Self::Guard,
            },
            Some(ty) if !track_caller && !is_plain(ty, signature) && !hides_error(ty) => {
                Self::Closure(named(ty))
            }
            _ => Self::Guard,
        }
    }
}

impl Value {
    fn of(returned: Option<&Type>, signature: &Signature) -> Self {
        match returned {
            None => Self::Unit,
            Some(Type::Tuple(tuple)) if tuple.elems.is_empty() => Self::Unit,
            Some(Type::Never(_)) => Self::Never,
            Some(Type::ImplTrait(_)) => Self::Opaque,
            Some(ty) if is_plain(ty, signature) || hides_error(ty) => Self::Plain(named(ty)),
            Some(ty) => Self::Probed(named(ty)),
        }
    }
}

/// Whether an `async fn` returns a future, by what the type is called: `JoinHandle`, `Receiver`, `BoxFuture`, `Pin<Box<..>>`,
/// `impl Future`.
pub(crate) fn may_yield_future(signature: &Signature) -> bool {
    fn is_future(path: &syn::Path) -> bool {
        path.segments.last().is_some_and(|last| {
            let name = last.ident.to_string();
            name.contains("Fut") || matches!(&name[..], "JoinHandle" | "Receiver" | "Pin" | "Sleep")
        })
    }
    match &signature.output {
        ReturnType::Type(_, ty) => match bare(ty) {
            Type::Path(path) => is_future(&path.path),
            Type::ImplTrait(opaque) => opaque
                .bounds
                .iter()
                .any(|bound| matches!(bound, TypeParamBound::Trait(bound) if is_future(&bound.path))),
            _ => false,
        },
        ReturnType::Default => false,
    }
}

/// The type without the invisible group that `$ty:ty` arrives in, and without parentheses.
fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        other => other,
    }
}

/// Whether the type is surely neither a `Result` nor a future.
fn is_plain(ty: &Type, signature: &Signature) -> bool {
    match bare(ty) {
        Type::Path(path) => {
            let is_parameter = |name: &syn::Ident| {
                signature
                    .generics
                    .params
                    .iter()
                    .any(|p| matches!(p, GenericParam::Type(p) if p.ident == *name))
            };
            let plain =
                path.path.segments.last().is_some_and(|last| PLAIN.iter().any(|name| last.ident == name));
            path.qself.is_none() && (plain || path.path.get_ident().is_some_and(is_parameter))
        }
        Type::Macro(_) | Type::Infer(_) | Type::Verbatim(_) => false,
        _ => true,
    }
}

/// Whether the error is an `impl Trait` or holds one, as in `Result<u8, impl Display>`: nothing is known of it where the
/// probe looks.
fn hides_error(ty: &Type) -> bool {
    let Type::Path(path) = bare(ty) else { return false };
    let last = path.path.segments.last().map(|segment| &segment.arguments);
    match last {
        Some(PathArguments::AngleBracketed(generics)) => match generics.args.last() {
            Some(GenericArgument::Type(ty)) => generics.args.len() > 1 && leave_open(&mut ty.clone()),
            _ => false,
        },
        _ => false,
    }
}

/// The output of `impl Future<Output = R>`; `None` where a bound is one that our own future cannot promise.
fn future_output(opaque: &TypeImplTrait) -> Option<Option<Type>> {
    let mut output = None;
    for bound in &opaque.bounds {
        match bound {
            TypeParamBound::Trait(bound) => {
                let last = bound.path.segments.last()?;
                if last.ident == "Future" {
                    output = Some(associated_output(&last.arguments));
                } else if !["Send", "Sync", "Unpin"].iter().any(|name| last.ident == name) {
                    return None;
                }
            }
            TypeParamBound::Lifetime(_) | TypeParamBound::PreciseCapture(_) => {}
            _ => return None,
        }
    }
    output
}

fn associated_output(arguments: &PathArguments) -> Option<Type> {
    let PathArguments::AngleBracketed(Generics { args, .. }) = arguments else { return None };
    args.iter().find_map(|arg| match arg {
        GenericArgument::AssocType(output) if output.ident == "Output" => match bare(&output.ty) {
            Type::ImplTrait(_) => None,
            ty if hides_error(ty) => None,
            ty => Some(named(ty)),
        },
        _ => None,
    })
}

/// The type with `_` for each `impl Trait`, so that it can stand in an expression.
fn named(ty: &Type) -> Type {
    let mut ty = ty.clone();
    leave_open(&mut ty);
    ty
}

/// Puts `_` for each `impl Trait`; says whether there was one.
fn leave_open(ty: &mut Type) -> bool {
    match ty {
        Type::ImplTrait(opaque) => {
            *ty = Type::Infer(syn::TypeInfer {
                attrs: Vec::new(),
                underscore_token: syn::Token![_](opaque.impl_token.span),
            });
            true
        }
        Type::Group(inner) => leave_open(&mut inner.elem),
        Type::Paren(inner) => leave_open(&mut inner.elem),
        Type::Reference(inner) => leave_open(&mut inner.elem),
        Type::Ptr(inner) => leave_open(&mut inner.elem),
        Type::Slice(inner) => leave_open(&mut inner.elem),
        Type::Array(inner) => leave_open(&mut inner.elem),
        Type::Tuple(tuple) => tuple.elems.iter_mut().fold(false, |open, ty| leave_open(ty) | open),
        Type::Path(path) => leave_path_open(&mut path.path),
        Type::TraitObject(object) => object.bounds.iter_mut().fold(false, |open, bound| match bound {
            TypeParamBound::Trait(bound) => leave_path_open(&mut bound.path) | open,
            _ => open,
        }),
        _ => false,
    }
}

fn leave_path_open(path: &mut syn::Path) -> bool {
    let mut open = false;
    for segment in &mut path.segments {
        let PathArguments::AngleBracketed(generics) = &mut segment.arguments else { continue };
        for argument in &mut generics.args {
            open |= match argument {
                GenericArgument::Type(ty) => leave_open(ty),
                GenericArgument::AssocType(associated) => leave_open(&mut associated.ty),
                _ => false,
            };
        }
    }
    open
}

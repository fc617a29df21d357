//! Who may do what: the access token of a request.

use std::borrow::Cow;

use serde_json::Value;

use super::{Refused, Request, Scope, TokenState, Tokens};

/// The platforms whose items a `post_client_item` token sends.
const CLIENT_PLATFORMS: [&str; 5] = ["browser", "android", "ios", "flash", "client"];

/// The scopes that do for an item; the first is the one that is asked for.
pub(super) fn scopes_of_item(data: Option<&Value>) -> &'static [Scope] {
    let platform = data.and_then(|data| data.get("platform")).and_then(Value::as_str);
    if platform.is_some_and(|platform| CLIENT_PLATFORMS.contains(&platform)) {
        &[Scope::PostClientItem, Scope::PostServerItem]
    } else {
        &[Scope::PostServerItem]
    }
}

/// The token of a request: its header's, or else the body's.
pub(super) fn token(request: &Request<'_>, body: Option<&Value>) -> Option<Value> {
    if let Some(token) = request.header("x-rollbar-access-token").filter(|token| !token.is_empty()) {
        return Some(token.into());
    }
    let token = body?.get("access_token")?;
    let empty = match token {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(true) => false,
    };
    (!empty).then(|| token.clone())
}

/// The same for a call without a JSON body, whose query may have it as well.
pub(super) fn token_or_query(request: &Request<'_>, body: Option<&Value>) -> Option<Value> {
    let in_query = || {
        let mut pairs = form_urlencoded::parse(request.query.as_bytes());
        pairs
            .find(|(key, value)| key == "access_token" && !value.is_empty())
            .map(|(_, value)| value.into_owned().into())
    };
    token(request, body).or_else(in_query)
}

/// Refuses a token that may not do what one of the `scopes` allows. `state` is what an injected fault takes it for.
pub(super) fn authorize(
    tokens: &Tokens,
    token: Option<&Value>,
    scopes: &[Scope],
    state: Option<TokenState>,
) -> Result<(), Refused> {
    let Some(token) = token else { return Err(Refused::new(401, "no-token", "access token required")) };
    match state {
        Some(TokenState::Ok) => return Ok(()),
        Some(TokenState::Unknown) => return Err(unknown(token)),
        Some(TokenState::Disabled) => return Err(disabled()),
        Some(TokenState::WrongScope) => {
            let other = if scopes.contains(&Scope::Read) { Scope::PostServerItem } else { Scope::Read };
            return Err(wrong_scope(scopes, &[other]));
        }
        None => {}
    }
    let own = match (tokens, token) {
        (Tokens::Any, Value::String(_)) => return Ok(()),
        (Tokens::Listed(known), Value::String(token)) => known.get(token),
        _ => None,
    };
    match own {
        None => Err(unknown(token)),
        Some(own) if own.is_empty() => Err(disabled()),
        Some(own) if own.iter().any(|scope| scopes.contains(scope)) => Ok(()),
        Some(own) => Err(wrong_scope(scopes, own)),
    }
}

fn unknown(token: &Value) -> Refused {
    Refused::new(403, "unknown-token", format!("access token not found: {}", text(token)))
}

fn disabled() -> Refused {
    Refused::new(403, "disabled-token", "access token is disabled")
}

fn wrong_scope(wanted: &[Scope], own: &[Scope]) -> Refused {
    let wanted = wanted.first().map_or("", |scope| scope.as_str());
    let mut own: Vec<&str> = own.iter().map(|scope| scope.as_str()).collect();
    own.sort_unstable();
    let own = own.join(", ");
    let message =
        format!("insufficient privileges: {wanted} scope is required but the access token only has {own}.");
    Refused::new(403, "scope", message)
}

/// A token as text.
fn text(token: &Value) -> Cow<'_, str> {
    match token {
        Value::String(text) => text.into(),
        other => other.to_string().into(),
    }
}

/// A message as it may be shown: of the token in it, only the first four characters. (Rollbar's have 32; a word is no
/// secret.)
pub(super) fn masked(message: &str, token: Option<&Value>) -> String {
    match token.map(text).filter(|token| token.len() >= 8) {
        Some(token) => {
            let start: String = token.chars().take(4).collect();
            message.replace(&*token, &format!("{start}****"))
        }
        None => message.to_owned(),
    }
}

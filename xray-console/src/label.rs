//! What an entity is called on screen, and how it went.

use crate::entity::{Entity, Exception, Health, Kind};

/// The name that was sent; a nameless entity says so.
pub(crate) fn name_of(entity: &Entity) -> &str {
    if entity.name.trim().is_empty() { "(no name)" } else { &entity.name }
}

/// What follows the name: method and path, the query, the operation.
pub(crate) fn what_of(entity: &Entity) -> String {
    if entity.kind == Kind::Subsegment {
        if let Some(query) = &entity.query {
            return query.to_string();
        }
        if let Some(operation) = &entity.operation {
            return operation.to_string();
        }
    }
    request_of(entity).unwrap_or_default()
}

/// Method and path of its request.
pub(crate) fn request_of(entity: &Entity) -> Option<String> {
    let method = entity.method.as_deref().map(str::to_uppercase);
    let path = entity.url.as_deref().map(path_of);
    match (method, path) {
        (Some(method), Some(path)) => Some(format!("{method} {path}")),
        (Some(method), None) => Some(method),
        (None, Some(path)) => Some(path.to_owned()),
        (None, None) => None,
    }
}

/// The path of a URL, without query and fragment.
pub(crate) fn path_of(url: &str) -> &str {
    let rest =
        url.split_once("://").map_or(url, |(_, rest)| rest.find('/').map_or("/", |slash| &rest[slash..]));
    rest.split(['?', '#']).next().unwrap_or(rest)
}

/// The health in X-Ray's word.
pub(crate) fn word_of(health: Health) -> &'static str {
    match health {
        Health::Fault => "fault",
        Health::Throttle => "throttle",
        Health::Error => "error",
        Health::Ok => "ok",
    }
}

/// What X-Ray derives from a status.
pub(crate) fn health_of(status: Option<u16>) -> Health {
    match status {
        Some(500..=599) => Health::Fault,
        Some(429) => Health::Throttle,
        Some(400..=499) => Health::Error,
        _ => Health::Ok,
    }
}

/// `path:line` of an exception's innermost frame.
pub(crate) fn place_of(exception: &Exception) -> Option<String> {
    let place = exception.place.as_ref()?;
    match place.line {
        _ if place.path.is_empty() => None,
        Some(line) => Some(format!("{}:{line}", place.path)),
        None => Some(place.path.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_any_url() {
        let cases = [
            ("https://a.b/c/d?e=f#g", "/c/d"),
            ("https://a.b", "/"),
            ("/only/path", "/only/path"),
            ("", ""),
            ("https://a.b?x=/y", "/y"),
        ];
        for (url, expected) in cases {
            assert_eq!(path_of(url), expected, "{url}");
        }
    }
}

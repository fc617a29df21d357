//! Whether a request is signed as AWS asks for: Signature Version 4, worked out from its description and sharing nothing with
//! what signs.

use chrono::NaiveDateTime;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// How far the time of a signature may be from now, in seconds: AWS takes five minutes.
const SKEW: i64 = 300;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Credentials that requests may be signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Such as `AKIDEXAMPLE`.
    pub access_key_id: String,
    /// What signs, and is never sent.
    pub secret_access_key: String,
    /// Of temporary credentials: it is sent, and must be the same.
    pub session_token: Option<String>,
}

impl Key {
    /// Lasting credentials.
    pub fn new(access_key_id: &str, secret_access_key: &str) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: secret_access_key.to_owned(),
            session_token: None,
        }
    }

    /// The same with a session token: temporary credentials.
    #[must_use]
    pub fn with_token(mut self, session_token: &str) -> Self {
        self.session_token = Some(session_token.to_owned());
        self
    }
}

/// A request as it came.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// In upper case.
    pub method: &'a str,
    /// Path and query, as they were on the wire.
    pub target: &'a str,
    /// Every header with its value, in any case and order.
    pub headers: &'a [(String, String)],
    /// Every byte of the body.
    pub body: &'a [u8],
}

/// Whom and what a request must be signed for.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The credentials that are known.
    pub keys: &'a [Key],
    /// Such as `us-east-1`.
    pub region: &'a str,
    /// Such as `xray`.
    pub service: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

/// Why a request is refused; AWS answers each with 403.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no `Authorization`.
    #[error("Missing Authentication Token")]
    Missing,
    /// `Authorization` is not of the form that AWS describes.
    #[error("Authorization header is incomplete: {0}")]
    Incomplete(&'static str),
    /// Nobody has this access key, or it has another token.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// It is signed, but not for this, not now, or not by this key.
    #[error("The request signature we calculated does not match the signature you provided: {0}")]
    Invalid(&'static str),
}

impl Refusal {
    /// The name that AWS gives it, in `x-amzn-ErrorType`.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Missing => "MissingAuthenticationTokenException",
            Self::Incomplete(_) => "IncompleteSignatureException",
            Self::UnknownKey => "UnrecognizedClientException",
            Self::Invalid(_) => "InvalidSignatureException",
        }
    }
}

impl Signed<'_> {
    /// The values of a header, joined as AWS signs them.
    fn header(&self, name: &str) -> Option<String> {
        let mut values = self
            .headers
            .iter()
            .filter(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
        let mut all = values.next()?;
        for value in values {
            all = all + "," + &value;
        }
        Some(all)
    }

    /// Holds the signature against what is expected; the access key that signed.
    ///
    /// # Errors
    /// A [`Refusal`].
    pub fn verify<'k>(&self, expected: &Expected<'k>) -> Result<&'k Key, Refusal> {
        let authorization = self.header("authorization").ok_or(Refusal::Missing)?;
        let parts = authorization.strip_prefix(ALGORITHM).and_then(|parts| parts.strip_prefix(' '));
        let mut parts = parts.ok_or(Refusal::Incomplete("another algorithm"))?.split(", ");
        let mut part = |name: &str| parts.next()?.strip_prefix(name)?.strip_prefix('=');
        let credential = part("Credential").ok_or(Refusal::Incomplete("no Credential"))?;
        let signed = part("SignedHeaders").ok_or(Refusal::Incomplete("no SignedHeaders"))?;
        let signature = part("Signature").ok_or(Refusal::Incomplete("no Signature"))?;
        if parts.next().is_some() {
            return Err(Refusal::Incomplete("more than three parts"));
        }

        let (access_key, scope) =
            credential.split_once('/').ok_or(Refusal::Incomplete("a Credential without a scope"))?;
        let key = expected.keys.iter().find(|key| key.access_key_id == access_key);
        let key = key.ok_or(Refusal::UnknownKey)?;
        if self.header("x-amz-security-token") != key.session_token {
            return Err(Refusal::UnknownKey);
        }

        let date = self.header("x-amz-date").ok_or(Refusal::Incomplete("no X-Amz-Date"))?;
        let at = NaiveDateTime::parse_from_str(&date, "%Y%m%dT%H%M%SZ");
        let at = at.map_err(|_| Refusal::Incomplete("X-Amz-Date is no time"))?.and_utc().timestamp();
        if (expected.now - at).abs() > SKEW {
            return Err(Refusal::Invalid("it was signed more than 5 minutes from now"));
        }
        let day = date.get(..8).unwrap_or_default();
        if scope != format!("{day}/{}/{}/aws4_request", expected.region, expected.service) {
            return Err(Refusal::Invalid("the scope has another day, region or service"));
        }

        let text = [ALGORITHM, &date, scope, &sha256(self.canonical(signed)?.as_bytes())].join("\n");
        let secret = format!("AWS4{}", key.secret_access_key);
        let steps = [day, expected.region, expected.service, "aws4_request"];
        let signing_key = steps.iter().fold(secret.into_bytes(), |key, step| hmac(&key, step.as_bytes()));
        if hex::encode(hmac(&signing_key, text.as_bytes())) != signature {
            return Err(Refusal::Invalid("the signature is another one"));
        }
        Ok(key)
    }

    /// The canonical request, over the headers that are said to be signed.
    fn canonical(&self, signed: &str) -> Result<String, Refusal> {
        let names: Vec<&str> = signed.split(';').collect();
        if !names.is_sorted() || names.iter().any(|name| name.bytes().any(|byte| byte.is_ascii_uppercase())) {
            return Err(Refusal::Incomplete("SignedHeaders are not in lower case and order"));
        }
        if !names.contains(&"host") || !names.contains(&"x-amz-date") {
            return Err(Refusal::Invalid("host and x-amz-date must be signed"));
        }
        let unsigned = |name: &str| name.starts_with("x-amz-") && !names.contains(&name);
        if self.headers.iter().any(|(name, _)| unsigned(&name.to_ascii_lowercase())) {
            return Err(Refusal::Invalid("a header x-amz-* is not signed"));
        }
        let hash = sha256(self.body);
        if self.header("x-amz-content-sha256").is_some_and(|told| told != hash) {
            return Err(Refusal::Invalid("x-amz-content-sha256 is that of another body"));
        }

        let (path, query) = self.target.split_once('?').unwrap_or((self.target, ""));
        let mut lines = vec![self.method.to_owned(), encoded(path, b"/"), canonical_query(query)];
        for name in &names {
            let value = self.header(name).ok_or(Refusal::Invalid("a signed header is missing"))?;
            lines.push(format!("{name}:{value}"));
        }
        lines.extend([String::new(), signed.to_owned(), hash]);
        Ok(lines.join("\n"))
    }
}

/// All but letters, digits, `-._~` and `but` as `%XX`. A path is encoded once more than on the wire.
fn encoded(text: &str, but: &[u8]) -> String {
    let mut all = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || but.contains(&byte) {
            all.push(char::from(byte));
        } else {
            all += &format!("%{byte:02X}");
        }
    }
    all
}

/// Pairs in order, each encoded once: `%` stays, because it is encoded on the wire.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encoded(name, b"%"), encoded(value, b"%")))
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
#[path = "sigv4_tests.rs"]
pub(super) mod tests;

//! Signature Version 4 for the requests that the SDK does not make: those that the TCP proxy forwards.

use std::time::SystemTime;

pub use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings};
use aws_sigv4::sign::v4;

/// Headers of a signature, which are made anew.
const MADE_HERE: [&str; 3] = ["authorization", "x-amz-date", "x-amz-security-token"];

/// Why a request cannot be signed.
#[derive(Debug, thiserror::Error)]
#[error("the request cannot be signed: {0}")]
pub struct SigningError(String);

/// A request as far as the signature is concerned.
#[derive(Debug, Clone, Copy)]
pub struct Signable<'a> {
    /// Upper case.
    pub method: &'a str,
    /// Absolute, percent-encoded as it goes out.
    pub url: &'a str,
    /// All of these are signed, save those that may change on the way (`User-Agent`, `X-Amzn-Trace-Id`, `Transfer-Encoding`,
    /// `Expect`) and those of another signature.
    pub headers: &'a [(&'a str, &'a str)],
    /// As it goes out.
    pub body: &'a [u8],
}

/// The headers that make a request a signed one: `x-amz-date`, `authorization` and, where the credentials have a session
/// token, `x-amz-security-token`. Besides those given, `host` and these are signed.
///
/// # Errors
/// When the URL is none.
pub fn sign(
    request: Signable<'_>,
    credentials: &Credentials,
    service: &str,
    region: &str,
    time: SystemTime,
) -> Result<Vec<(&'static str, String)>, SigningError> {
    let wrong = |error: &dyn std::error::Error| SigningError(error.to_string());
    // As X-Ray asks, and each service but S3: the path encoded twice and normalized, no checksum header.
    let mut settings = SigningSettings::default();
    settings.excluded_headers.get_or_insert_default().push("expect".into());
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(time)
        .settings(settings)
        .build()
        .map_err(|error| wrong(&error))?
        .into();
    let of_another = |name: &str| MADE_HERE.iter().any(|made| made.eq_ignore_ascii_case(name));
    let headers = request.headers.iter().copied().filter(|(name, _)| !of_another(name));
    let signable =
        SignableRequest::new(request.method, request.url, headers, SignableBody::Bytes(request.body))
            .map_err(|error| wrong(&error))?;
    let (instructions, _) =
        aws_sigv4::http_request::sign(signable, &params).map_err(|error| wrong(&error))?.into_parts();
    let (headers, _) = instructions.into_parts();
    Ok(headers.into_iter().map(|header| (header.name(), header.value().to_owned())).collect())
}

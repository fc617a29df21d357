//! TLS as the transport wants it: rustls with ring, and the roots that the platform trusts.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

/// A configuration of our own: what the process has installed as its default is neither used nor changed. With `roots`, those
/// of the platform are read, which takes some milliseconds; without, no certificate is trusted.
pub(super) fn config(roots: bool) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(if roots {
        builder.with_platform_verifier()?.with_no_client_auth()
    } else {
        builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    })
}

//! Connections to other servers, plain or over TLS.

use std::path::Path;
use std::sync::Arc;

use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

/// Connects by `http://`, and by `https://` if `is_sealed`.
///
/// # Errors
/// This machine has no certificates to check others against; `purpose` is the key that needs them.
pub(crate) fn connector(purpose: &str, is_sealed: bool) -> Result<HttpsConnector<HttpConnector>, String> {
    let tls = match is_sealed {
        true => tls(purpose, None, None)?,
        false => begin()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
    };
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    Ok(HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp))
}

/// TLS towards servers that a certificate of `ca` vouches for, or else one of this machine. Servers that ask for it are
/// shown the certificate of `identity`, the second file of which is its key.
///
/// # Errors
/// A file cannot be used, or this machine has no certificates; `purpose` is the key that needs them.
pub(crate) fn tls(purpose: &str, ca: Option<&Path>, identity: Option<(&Path, &Path)>) -> Result<ClientConfig, String> {
    let trusting = match ca {
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(ca)? {
                roots.add(certificate).map_err(|fault| unusable(ca, &fault))?;
            }
            begin()?.with_root_certificates(roots)
        }
        None => begin()?.with_native_roots().map_err(|fault| {
            format!("{purpose}：找不到系统的根证书（Debian 包 ca-certificates） / {purpose}: this machine has no root certificates (Debian package ca-certificates): {fault}")
        })?,
    };
    let Some((certificate, key)) = identity else { return Ok(trusting.with_no_client_auth()) };
    let private = PrivateKeyDer::from_pem_file(key).map_err(|fault| unusable(key, &fault))?;
    trusting.with_client_auth_cert(certificates(certificate)?, private).map_err(|fault| unusable(certificate, &fault))
}

fn begin() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, String> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|fault| fault.to_string())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found.map_err(|fault| unusable(path, &fault))? {
        found if found.is_empty() => Err(unusable(path, &"no certificate in PEM")),
        found => Ok(found),
    }
}

fn unusable(path: &Path, fault: &dyn std::fmt::Display) -> String {
    format!("{}: 证书或私钥无法使用 / certificate or key cannot be used: {fault}", path.display())
}

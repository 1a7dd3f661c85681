//! Connections to other servers, plain or over TLS.

use std::sync::Arc;

use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{ClientConfig, RootCertStore};

/// Connects by `http://`, and by `https://` if `is_sealed`.
///
/// # Errors
/// This machine has no certificates to check others against; `purpose` is the key that needs them.
pub(crate) fn connector(purpose: &str, is_sealed: bool) -> Result<HttpsConnector<HttpConnector>, String> {
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|fault| fault.to_string())?;
    let tls = match is_sealed {
        true => tls
            .with_native_roots()
            .map_err(|fault| {
                format!("{purpose}：找不到系统的根证书（Debian 包 ca-certificates） / {purpose}: this machine has no root certificates (Debian package ca-certificates): {fault}")
            })?
            .with_no_client_auth(),
        false => tls.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
    };
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    Ok(HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp))
}

//! TLS of the connections to PostgreSQL. A certificate is always checked, with the name of the host.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_rustls::ConfigBuilderExt as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

/// What an address says of TLS.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    mode: Option<String>,
    roots: Option<String>,
}

impl Wanted {
    /// Takes `sslmode` and `sslrootcert` out of an address.
    pub(super) fn split(address: &str) -> (String, Self) {
        let mut wanted = Self::default();
        let Some((base, query)) = address.split_once('?') else { return (address.to_owned(), wanted) };
        let mut rest = Vec::new();
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("sslmode", mode)) => wanted.mode = Some(mode.to_owned()),
                Some(("sslrootcert", path)) => wanted.roots = Some(path.replace("%2F", "/")),
                _ => rest.push(pair),
            }
        }
        let query = if rest.is_empty() { String::new() } else { format!("?{}", rest.join("&")) };
        (format!("{base}{query}"), wanted)
    }

    /// How to connect; in the clear only on this machine, or where the address says so.
    ///
    /// # Errors
    /// Certificates cannot be read, or the mode checks none; ready to be told.
    pub(super) fn settle(self, is_local: bool) -> Result<Option<Tls>, String> {
        match self.mode.as_deref() {
            Some("disable") => Ok(None),
            None if is_local => Ok(None),
            None | Some("require" | "verify-full") => Tls::new(self.roots.as_deref()).map(Some),
            Some(_) => Err("sslmode 只能是 verify-full、require（同样核对证书）或 disable / sslmode must be verify-full, require (which checks the certificate, too) or disable".to_owned()),
        }
    }
}

/// Makes connections over TLS.
#[derive(Clone)]
pub(super) struct Tls(Arc<ClientConfig>);

impl Tls {
    fn new(roots: Option<&str>) -> Result<Self, String> {
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|fault| fault.to_string())?;
        let config = match roots {
            None => config.with_native_roots().map_err(|fault| {
                format!("找不到系统的根证书，可用 sslrootcert 指定 / this machine has no root certificates; name some with sslrootcert: {fault}")
            })?,
            Some(path) => {
                let unusable = |fault: &dyn std::fmt::Display| format!("sslrootcert {path}: 读不出证书 / no certificates can be read: {fault}");
                let mut store = RootCertStore::empty();
                for certificate in CertificateDer::pem_file_iter(path).map_err(|fault| unusable(&fault))? {
                    store.add(certificate.map_err(|fault| unusable(&fault))?).map_err(|fault| unusable(&fault))?;
                }
                config.with_root_certificates(store)
            }
        };
        Ok(Self(Arc::new(config.with_no_client_auth())))
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> MakeTlsConnect<S> for Tls {
    type Stream = Sealed<S>;
    type TlsConnect = ToHost;
    type Error = InvalidDnsNameError;

    fn make_tls_connect(&mut self, host: &str) -> Result<ToHost, InvalidDnsNameError> {
        Ok(ToHost { config: Arc::clone(&self.0), host: ServerName::try_from(host.to_owned())? })
    }
}

/// Makes a connection to one host.
pub(super) struct ToHost {
    config: Arc<ClientConfig>,
    host: ServerName<'static>,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> TlsConnect<S> for ToHost {
    type Stream = Sealed<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Sealed<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let Self { config, host } = self;
        Box::pin(async move { tokio_rustls::TlsConnector::from(config).connect(host, stream).await.map(Sealed) })
    }
}

/// A stream over TLS.
pub(super) struct Sealed<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Sealed<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Sealed<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, to)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Sealed<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

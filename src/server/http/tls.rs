//! TLS on the one port, when the configuration has a certificate and its key.
//! The files are read at the start: after a renewal, restart the server.

use std::path::Path;
use std::sync::Arc;
use std::{fmt, io};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::server::config::{CLOSE_TIMEOUT, HANDSHAKE_TIMEOUT, Tls};

/// The first byte of a TLS handshake.
const HANDSHAKE_RECORD: u8 = 0x16;

/// Turns connections into TLS connections.
#[derive(Clone)]
pub(crate) struct Acceptor(TlsAcceptor);

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acceptor")
    }
}

/// The acceptor of a configuration; `None` when there is no certificate.
///
/// # Errors
/// A file cannot be read, is not PEM, or the key is not the certificate's.
pub(crate) fn acceptor(tls: &Tls) -> Result<Option<Acceptor>, String> {
    let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) else { return Ok(None) };
    let chain = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|fault| not_pem(certificate, "证书", "certificate", &fault))?;
    if chain.is_empty() {
        return Err(not_pem(certificate, "证书", "certificate", &pem::Error::NoItemsFound));
    }
    let private =
        PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|fault| not_pem(key, "私钥", "private key", &fault))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|fault| fault.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|fault| {
            let (certificate, key) = (certificate.display(), key.display());
            match fault {
                rustls::Error::InconsistentKeys(_) => {
                    format!(
                        "{key}: 私钥与证书 {certificate} 不匹配 / the key is not that of the certificate {certificate}"
                    )
                }
                fault => {
                    format!("{certificate}, {key}: 证书或私钥无法使用 / certificate or key cannot be used: {fault}")
                }
            }
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(Acceptor(TlsAcceptor::from(Arc::new(config)))))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: 读不出来 / cannot be read: {error}", path.display()))
}

fn not_pem(path: &Path, zh: &str, en: &str, fault: &pem::Error) -> String {
    let path = path.display();
    match fault {
        pem::Error::NoItemsFound => format!("{path}: 里面没有 PEM 格式的{zh} / holds no {en} in PEM"),
        fault => format!("{path}: {zh}不是正确的 PEM / the {en} is not right PEM: {fault}"),
    }
}

/// Shakes hands with a client. A client that speaks plain HTTP gets an answer that says so.
pub(crate) async fn accept(acceptor: &Acceptor, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let handshake = async {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first != [HANDSHAKE_RECORD] {
            tell_plain(&mut stream).await;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "plain HTTP on the TLS port"));
        }
        acceptor.0.accept(stream).await
    };
    timeout(HANDSHAKE_TIMEOUT, handshake).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn tell_plain(stream: &mut TcpStream) {
    const TEXT: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 45\r\n\r\nthis port speaks TLS: use https:// or wss://\n";
    let telling = async {
        stream.write_all(TEXT).await?;
        stream.shutdown().await?;
        // Closing with its request unread would take the answer back.
        tokio::io::copy(stream, &mut tokio::io::sink()).await
    };
    // Who does not take it is refused all the same.
    let _ = timeout(CLOSE_TIMEOUT, telling).await;
}

//! The way to a server's `/v1/ingest`, by TCP or TLS, with its token.

use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper_rustls::ConfigBuilderExt as _;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, handshake::client::Request};
use tokio_tungstenite::{WebSocketStream, client_async};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// TCP, or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub(super) type Socket = WebSocketStream<Box<dyn Stream>>;

/// Where the server is and how it is spoken to.
pub(super) struct Link {
    server: String,
    request: Request,
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
}

impl Link {
    /// # Errors
    /// The address or the token cannot be used, ready to print.
    pub(super) fn new(server: &str, token: Option<&str>) -> Result<Self, String> {
        let bad = || {
            format!(
                "{server}: 地址要写成 http://主机:端口 或 https://主机 / must look like http://host:port or https://host"
            )
        };
        let uri: Uri = server.trim_end_matches('/').parse().map_err(|_| bad())?;
        let host = uri.host().ok_or_else(bad)?.to_owned();
        let (scheme, usual_port, tls) = match uri.scheme_str() {
            Some("http" | "ws") => ("ws", 80, None),
            Some("https" | "wss") => ("wss", 443, Some(connector()?)),
            _ => return Err(bad()),
        };
        let authority = uri.authority().ok_or_else(bad)?;
        let url = format!("{scheme}://{authority}/v1/ingest");
        let mut request = url.into_client_request().map_err(|_| bad())?;
        if let Some(token) = token {
            let value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| "令牌里有不能用的字符 / the token has characters that cannot be sent".to_owned())?;
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(Self { server: server.to_owned(), request, host, port: uri.port_u16().unwrap_or(usual_port), tls })
    }

    /// # Errors
    /// Why there is no connection, ready to print.
    pub(super) async fn connect(&self) -> Result<Socket, String> {
        let failed = |why: String| format!("{}: 无法连接服务 / cannot connect to the server: {why}", self.server);
        match tokio::time::timeout(CONNECT_TIMEOUT, self.shake_hands()).await {
            Ok(connected) => connected.map_err(failed),
            Err(_) => Err(failed(format!("{} s", CONNECT_TIMEOUT.as_secs()))),
        }
    }

    async fn shake_hands(&self) -> Result<Socket, String> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, self.port)).await.map_err(|error| error.to_string())?;
        // Without it the connection still works.
        let _ = stream.set_nodelay(true);
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some(connector) => {
                let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
                Box::new(connector.connect(name, stream).await.map_err(|error| error.to_string())?)
            }
        };
        match client_async(self.request.clone(), stream).await {
            Ok((socket, _response)) => Ok(socket),
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
                Err(answer["message"].as_str().map_or_else(|| response.status().to_string(), str::to_owned))
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

fn connector() -> Result<TlsConnector, String> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_native_roots()
        .map_err(|error| format!("系统的根证书无法读取 / the system's root certificates cannot be read: {error}"))?
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

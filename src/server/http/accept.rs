//! The accept loop behind the one port: the limit of connections, TLS, HTTP.
//!
//! Beyond the limit a few more are let in for a moment, to be told how the
//! server is and nothing else: who watches it must not take a full server for a dead one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::http::{HeaderValue, Request};
use axum::response::IntoResponse as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::server::config::{
    CLOSE_TIMEOUT, Config, HEADER_READ_TIMEOUT, HEADERS_MAX, HEALTH_TIMEOUT, REQUEST_HEAD_BYTES_MAX, WRITE_TIMEOUT,
};
use crate::server::domain::refusal::Refusal;
use crate::server::http::access::Access;
use crate::server::http::addresses::Addresses;
use crate::server::http::router;
use crate::server::http::tls::{self, Acceptor};
use crate::server::ingest::relay::upstream::Upstreams;
use crate::server::net::patient::Patient;
use crate::server::net::reply::Unanswered;
use crate::server::net::ws::{Held, Permit};
use crate::server::report::Sender;
use crate::server::runtime::Shared;
use crate::server::telemetry::events::{ConnectionRefused, HandshakeFailed, Happening as _};

/// The tokens that are accepted, the recognisers behind the relay, and the certificate of the port.
#[derive(Debug)]
pub(crate) struct Door {
    access: Arc<Access>,
    upstreams: Upstreams,
    tls: Option<Acceptor>,
}

impl Door {
    /// The door of a server at `address`.
    ///
    /// # Errors
    /// A file of tokens or a certificate cannot be used, or the server would
    /// be open to others without any token.
    pub(crate) fn new(config: &Config, address: SocketAddr) -> Result<Self, String> {
        Ok(Self {
            access: Arc::new(Access::new(config, address)?),
            upstreams: Upstreams::new(config)?,
            tls: tls::acceptor(&config.tls)?,
        })
    }
}

/// The requests that a connection may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Welcome {
    All,
    /// There are too many already: once, how the server is.
    Health(Crowd),
}

/// The limit that a connection exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crowd {
    All,
    Address,
}

impl Crowd {
    const fn refusal(self) -> Refusal {
        match self {
            Self::All => Refusal::TooManyConnections,
            Self::Address => Refusal::TooManyConnectionsOfAddress,
        }
    }
}

impl Welcome {
    fn covers(self, path: &str) -> bool {
        self == Self::All || matches!(path, "/healthz" | "/readyz" | "/metrics")
    }
}

/// How long to wait when the system has no socket to give (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Takes connections until the server drains.
pub(crate) async fn accept(shared: Arc<Shared>, door: Door, sender: Arc<Sender>, listener: TcpListener) {
    let Door { access, upstreams, tls } = door;
    let routes = TowerToHyperService::new(router::routes(&shared, access, upstreams, sender));
    let addresses = Arc::new(Addresses::default());
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.draining.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok((stream, peer)) => (stream, peer.ip()),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let admitted = match addresses.admit(&shared.config, address) {
            None => Err(Crowd::Address),
            Some(place) => {
                let permit = Arc::clone(&shared.permits).try_acquire_owned().map_err(|_| Crowd::All);
                permit.map(|permit| Held::new(permit, Some(Box::new(place))))
            }
        };
        match admitted {
            Ok(held) => {
                let serving =
                    admit(Arc::clone(&shared), tls.clone(), routes.clone(), stream, Arc::new(held), Welcome::All);
                shared.requests.spawn(serving);
            }
            Err(crowd) => {
                ConnectionRefused { code: crowd.refusal().code() }.report(&shared.metrics);
                match Arc::clone(&shared.health_permits).try_acquire_owned() {
                    Ok(permit) => {
                        let held = Arc::new(Held::new(permit, None));
                        let welcome = Welcome::Health(crowd);
                        let serving = admit(Arc::clone(&shared), tls.clone(), routes.clone(), stream, held, welcome);
                        shared.requests.spawn(async {
                            // Whoever takes longer gives way to the next.
                            let _ = tokio::time::timeout(HEALTH_TIMEOUT, serving).await;
                        });
                    }
                    // A client that expects TLS cannot read it.
                    Err(_) if tls.is_none() => drop(shared.requests.spawn(turn_away(stream))),
                    Err(_) => {}
                }
            }
        }
    }
}

/// Serves one connection, behind TLS if the server has a certificate. Its
/// share of the limit counts from before the handshake.
async fn admit(
    shared: Arc<Shared>,
    tls: Option<Acceptor>,
    routes: TowerToHyperService<Router>,
    stream: TcpStream,
    permit: Permit,
    welcome: Welcome,
) {
    // Alerts are small and must not wait for one another; without it the
    // connection still works.
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = &tls else {
        return serve(shared, routes, stream, permit, welcome).await;
    };
    let shaken = tokio::select! {
        shaken = tls::accept(acceptor, stream) => shaken,
        () = shared.draining.cancelled() => return,
    };
    match shaken {
        Ok(stream) => serve(shared, routes, stream, permit, welcome).await,
        Err(error) => HandshakeFailed { error: &error }.report(&shared.metrics),
    }
}

/// Serves the requests of one connection, until it becomes a WebSocket.
async fn serve<Stream>(
    shared: Arc<Shared>,
    routes: TowerToHyperService<Router>,
    stream: Stream,
    permit: Permit,
    welcome: Welcome,
) where
    Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(&permit));
        let answer = welcome.covers(request.uri().path()).then(|| routes.call(request));
        async move {
            match answer {
                Some(answer) => answer.await,
                None => {
                    let crowd = if let Welcome::Health(crowd) = welcome { crowd } else { Crowd::All };
                    let mut refused = Unanswered::from(crowd.refusal()).into_response();
                    refused.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
                    refused.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                    Ok(refused)
                }
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(REQUEST_HEAD_BYTES_MAX)
        .keep_alive(welcome == Welcome::All)
        .serve_connection(TokioIo::new(Patient::new(stream, WRITE_TIMEOUT)), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = shared.draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                result = connection => result,
                () = shared.killed.cancelled() => Ok(()),
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection failed");
    }
}

/// Tells a client beyond the limit so, without reading its request.
async fn turn_away(mut stream: TcpStream) {
    const BUSY: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 5\r\ncontent-length: 0\r\n\r\n";
    let answering = async {
        stream.write_all(BUSY).await?;
        stream.shutdown().await
    };
    // A client that does not take it is turned away all the same.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, answering).await;
}

//! WebSocket connections: the upgrade, writing in batches, heartbeats and
//! closing. axum's own `ws` would pin another version of the library.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Bytes, Message, Utf8Bytes};
use tokio_util::task::TaskTracker;

use crate::server::config::{
    CLOSE_TIMEOUT, FRAME_BYTES_HARD_MAX, HEARTBEAT, READ_BUFFER_BYTES, WRITE_BUFFER_BYTES, WRITE_BUFFER_BYTES_MAX,
    WRITE_TIMEOUT,
};
use crate::server::net::reply;
use crate::server::runtime::Shared;

/// A connection's share of the limit; whoever holds a clone keeps it open.
pub(crate) type Permit = Arc<OwnedSemaphorePermit>;

/// A connection after its upgrade.
pub(crate) type Socket = WebSocketStream<TokioIo<Upgraded>>;

fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(Some(FRAME_BYTES_HARD_MAX))
        .max_frame_size(Some(FRAME_BYTES_HARD_MAX))
}

/// Answers an upgrade request and runs `serve` on the connection, as one of
/// `connections`. It counts against the limit until `serve` is done.
pub(crate) fn upgrade<F, Serving>(
    shared: &Shared,
    connections: &TaskTracker,
    mut request: Request<Body>,
    serve: F,
) -> Response
where
    F: FnOnce(Socket) -> Serving + Send + 'static,
    Serving: Future<Output = ()> + Send,
{
    let Some(accept) = accept_key(&request) else { return reply::upgrade_required() };
    let permit = request.extensions_mut().remove::<Permit>();
    let upgraded = hyper::upgrade::on(&mut request);
    let killed = shared.killed.clone();
    connections.spawn(async move {
        let serving = async {
            // A failed upgrade is a peer that left: there is nobody to tell.
            if let Ok(upgraded) = upgraded.await {
                let io = TokioIo::new(upgraded);
                serve(WebSocketStream::from_raw_socket(io, Role::Server, Some(websocket_config())).await).await;
            }
        };
        tokio::select! {
            () = killed.cancelled() => {}
            () = serving => {}
        }
        drop(permit);
    });
    let headers = [
        (CONNECTION, HeaderValue::from_static("Upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_ACCEPT, accept),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// What proves to the client that its upgrade was understood; `None` when the
/// request is no WebSocket upgrade.
fn accept_key(request: &Request<Body>) -> Option<HeaderValue> {
    let headers = request.headers();
    let asks = request.method() == Method::GET
        && has_token(headers, &CONNECTION, "upgrade")
        && has_token(headers, &UPGRADE, "websocket")
        && headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|_| asks)?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}

/// Whether a request asks to become a WebSocket.
pub(crate) fn is_wanted(request: &Request<Body>) -> bool {
    request.headers().get(UPGRADE).is_some_and(|upgrade| upgrade.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Writes all of `texts` and flushes once.
pub(crate) async fn feed_all(
    socket: &mut Socket,
    texts: impl Iterator<Item = Utf8Bytes>,
) -> Result<(), tungstenite::Error> {
    let writing = async {
        for text in texts {
            socket.feed(Message::Text(text)).await?;
        }
        socket.flush().await
    };
    timeout(WRITE_TIMEOUT, writing).await.unwrap_or(Err(tungstenite::Error::ConnectionClosed))
}

/// Finds out that a silent peer is gone.
pub(crate) struct Heartbeat {
    interval: Interval,
    heard: bool,
}

impl Heartbeat {
    pub(crate) fn new() -> Self {
        let mut interval = tokio::time::interval(HEARTBEAT);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        interval.reset();
        Self { interval, heard: true }
    }

    /// Something came from the peer.
    pub(crate) const fn heard(&mut self) {
        self.heard = true;
    }

    /// Waits for the next beat.
    pub(crate) async fn tick(&mut self) {
        self.interval.tick().await;
    }

    /// Asks the peer for a sign of life. False when the last one was not answered.
    pub(crate) async fn beat(&mut self, socket: &mut Socket) -> bool {
        std::mem::take(&mut self.heard)
            && matches!(timeout(WRITE_TIMEOUT, socket.send(Message::Ping(Bytes::new()))).await, Ok(Ok(())))
    }
}

/// What came from a subscriber.
#[derive(Debug)]
pub(crate) enum Listened {
    /// It said something.
    Text(Utf8Bytes),
    /// It lives.
    Nothing,
    /// It left, or is taken to have.
    Gone,
}

/// Takes one frame or one heartbeat.
pub(crate) async fn listen(socket: &mut Socket, heartbeat: &mut Heartbeat) -> Listened {
    tokio::select! {
        frame = socket.next() => {
            heartbeat.heard();
            match frame {
                None | Some(Err(_) | Ok(Message::Close(_))) => Listened::Gone,
                Some(Ok(Message::Text(text))) => Listened::Text(text),
                Some(Ok(_)) => Listened::Nothing,
            }
        }
        () = heartbeat.tick() => match heartbeat.beat(socket).await {
            true => Listened::Nothing,
            false => Listened::Gone,
        },
    }
}

/// How a connection ends.
#[derive(Debug)]
pub(crate) struct Goodbye(Option<CloseFrame>);

impl Goodbye {
    pub(crate) fn new(code: CloseCode, reason: &'static str) -> Self {
        Self(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }))
    }

    /// The server stops; the client should come back.
    pub(crate) fn shutdown() -> Self {
        Self::new(CloseCode::Away, "服务正在停止")
    }

    /// The peer left first.
    pub(crate) const fn gone() -> Self {
        Self(None)
    }
}

/// Closes a connection: says goodbye and gives the peer a moment to answer.
pub(crate) async fn close(mut socket: Socket, goodbye: Goodbye) {
    let closing = async {
        if let Some(frame) = goodbye.0 {
            socket.close(Some(frame)).await?;
        }
        while let Some(frame) = socket.next().await {
            frame?;
        }
        Ok::<(), tungstenite::Error>(())
    };
    // A peer that answers wrongly, late or not at all is gone all the same.
    let _ = timeout(CLOSE_TIMEOUT, closing).await;
}

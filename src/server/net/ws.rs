//! WebSocket connections: the handshake, writing in batches, heartbeats and
//! closing. axum's own `ws` would pin another version of the library.
//!
//! A browser does not show a page the HTTP answer to a handshake, only a close
//! frame. A stream for pages that is refused is therefore accepted and closed
//! with [`CLOSE_REFUSED`] plus the HTTP status, and the refusal's words.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Bytes, Message, Utf8Bytes};
use tokio_util::task::TaskTracker;

use crate::server::config::{
    CLOSE_TIMEOUT, FRAME_BYTES_HARD_MAX, HEARTBEAT, READ_BUFFER_BYTES, WRITE_BUFFER_BYTES, WRITE_BUFFER_BYTES_MAX,
    WRITE_TIMEOUT,
};
use crate::server::net::reply::{self, Words};
use crate::server::runtime::Shared;

/// A connection's share of the limit; it lasts while a clone of the permit exists.
pub(crate) type Permit = Arc<Held>;

/// The permits that a connection holds until it is closed.
#[derive(Debug)]
pub(crate) struct Held {
    _place: OwnedSemaphorePermit,
    _share: Option<Box<dyn std::any::Any + Send + Sync>>,
}

impl Held {
    /// A place among all connections, and what it takes of a share of somebody's.
    pub(crate) fn new(place: OwnedSemaphorePermit, share: Option<Box<dyn std::any::Any + Send + Sync>>) -> Self {
        Self { _place: place, _share: share }
    }
}

/// The WebSocket subprotocol behind which a browser sends its token.
pub(crate) const SUBPROTOCOL: &str = "bearer";

/// The stream is refused: this plus the HTTP status that says why, 4401 for 401.
const CLOSE_REFUSED: u16 = 4_000;

/// The longest reason that a close frame has room for.
const REASON_BYTES_MAX: usize = 123;
/// The separator between the two languages of a message.
const BETWEEN_LANGUAGES: &str = " / ";

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
    request: &Request<Body>,
    serve: F,
) -> Response
where
    F: FnOnce(Socket) -> Serving + Send + 'static,
    Serving: Future<Output = ()> + Send,
{
    match Handshake::of(request) {
        Ok(handshake) => handshake.accept(shared, connections, serve),
        Err(unusable) => unusable.into_response(),
    }
}

/// A client's part of a handshake, in order.
pub(crate) struct Handshake {
    /// The header that proves to the client that its handshake was understood.
    accept: HeaderValue,
    /// The client offers [`SUBPROTOCOL`]; a browser gives up a connection that does not take it.
    offers_token: bool,
    upgrade: OnUpgrade,
    permit: Option<Permit>,
}

/// Why a request cannot become a WebSocket.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// It asks for no WebSocket, or for a version other than 13.
    NoUpgrade,
    /// Its key is not the base64 of 16 bytes.
    Key,
}

impl IntoResponse for Unusable {
    fn into_response(self) -> Response {
        match self {
            Self::NoUpgrade => reply::upgrade_required(),
            Self::Key => {
                let message = "Sec-WebSocket-Key 必须是 16 个字节的 base64，只写一次 / Sec-WebSocket-Key must be the base64 of 16 bytes, given once";
                reply::error(StatusCode::BAD_REQUEST, "invalid_handshake", message)
            }
        }
    }
}

impl Handshake {
    pub(crate) fn of(request: &Request<Body>) -> Result<Self, Unusable> {
        let headers = request.headers();
        let asks = request.method() == Method::GET
            && has_token(headers, &CONNECTION, "upgrade")
            && has_token(headers, &UPGRADE, "websocket")
            && headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
        let upgrade = request.extensions().get::<OnUpgrade>().filter(|_| asks).ok_or(Unusable::NoUpgrade)?;
        let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
        let (Some(key), None) = (keys.next(), keys.next()) else { return Err(Unusable::Key) };
        if STANDARD.decode(key).ok().is_none_or(|nonce| nonce.len() != 16) {
            return Err(Unusable::Key);
        }
        Ok(Self {
            accept: HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(|_| Unusable::Key)?,
            offers_token: has_token(headers, &SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL),
            upgrade: upgrade.clone(),
            permit: request.extensions().get::<Permit>().cloned(),
        })
    }

    fn accept<F, Serving>(self, shared: &Shared, connections: &TaskTracker, serve: F) -> Response
    where
        F: FnOnce(Socket) -> Serving + Send + 'static,
        Serving: Future<Output = ()> + Send,
    {
        self.pass(shared, connections, None, |stream| async move {
            serve(WebSocketStream::from_raw_socket(stream, Role::Server, Some(websocket_config())).await).await;
        })
    }

    /// The proof that its handshake was understood.
    pub(crate) const fn proof(&self) -> &HeaderValue {
        &self.accept
    }

    /// Accepts the connection as a stream of bytes, under a subprotocol that another server chose.
    pub(crate) fn pass<F, Serving>(
        self,
        shared: &Shared,
        connections: &TaskTracker,
        protocol: Option<HeaderValue>,
        serve: F,
    ) -> Response
    where
        F: FnOnce(TokioIo<Upgraded>) -> Serving + Send + 'static,
        Serving: Future<Output = ()> + Send,
    {
        let Self { accept, offers_token, upgrade, permit } = self;
        let killed = shared.killed.clone();
        connections.spawn(async move {
            let serving = async {
                // A failed upgrade is a peer that left: there is nobody to tell.
                if let Ok(upgraded) = upgrade.await {
                    serve(TokioIo::new(upgraded)).await;
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
        let mut response = (StatusCode::SWITCHING_PROTOCOLS, headers).into_response();
        let protocol = protocol.or(offers_token.then_some(HeaderValue::from_static(SUBPROTOCOL)));
        if let Some(protocol) = protocol {
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        response
    }

    /// Accepts the connection only to close it with what `refused` says.
    pub(crate) fn refuse(self, shared: &Shared, refused: &Response) -> Response {
        let code = CloseCode::Library(CLOSE_REFUSED + refused.status().as_u16());
        let reason = refused.extensions().get::<Words>().map_or_else(String::new, |Words(words)| fit(words));
        let goodbye = Goodbye::new(code, reason);
        self.accept(shared, &shared.subscribers, |socket| close(socket, goodbye))
    }
}

/// A message cut to what a close frame has room for; each of two languages
/// keeps half of it.
fn fit(message: &str) -> String {
    match message.split_once(BETWEEN_LANGUAGES) {
        _ if message.len() <= REASON_BYTES_MAX => message.to_owned(),
        Some((chinese, english)) => {
            let room = REASON_BYTES_MAX - BETWEEN_LANGUAGES.len();
            let chinese = cut(chinese, (room / 2).max(room.saturating_sub(english.len())));
            let english = cut(english, room - chinese.len());
            format!("{chinese}{BETWEEN_LANGUAGES}{english}")
        }
        None => cut(message, REASON_BYTES_MAX),
    }
}

/// `text` in at most `bytes_max` bytes, with an ellipsis for what is cut off.
fn cut(text: &str, bytes_max: usize) -> String {
    const ELLIPSIS: char = '…';
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let kept = text.floor_char_boundary(bytes_max.saturating_sub(ELLIPSIS.len_utf8()));
    format!("{}{ELLIPSIS}", &text[..kept])
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

/// A message or event from a subscriber.
#[derive(Debug)]
pub(crate) enum Listened {
    /// It said something.
    Text(Utf8Bytes),
    /// It lives.
    Nothing,
    /// It left, is taken to have, or broke the protocol.
    Gone(Goodbye),
}

/// Takes one frame or one heartbeat.
pub(crate) async fn listen(socket: &mut Socket, heartbeat: &mut Heartbeat) -> Listened {
    tokio::select! {
        frame = socket.next() => {
            heartbeat.heard();
            match frame {
                None | Some(Ok(Message::Close(_))) => Listened::Gone(Goodbye::gone()),
                Some(Err(error)) => Listened::Gone(Goodbye::after(&error)),
                Some(Ok(Message::Text(text))) => Listened::Text(text),
                Some(Ok(_)) => Listened::Nothing,
            }
        }
        () = heartbeat.tick() => match heartbeat.beat(socket).await {
            true => Listened::Nothing,
            false => Listened::Gone(Goodbye::gone()),
        },
    }
}

/// How a connection ends.
#[derive(Debug)]
pub(crate) struct Goodbye {
    frame: Option<CloseFrame>,
    /// The peer broke the protocol: the library reads no further.
    is_unreadable: bool,
}

impl Goodbye {
    pub(crate) fn new(code: CloseCode, reason: impl Into<Utf8Bytes>) -> Self {
        Self { frame: Some(CloseFrame { code, reason: reason.into() }), is_unreadable: false }
    }

    /// The server stops; the client should come back.
    pub(crate) fn shutdown() -> Self {
        Self::new(CloseCode::Away, "服务正在停止")
    }

    /// The peer left first.
    pub(crate) const fn gone() -> Self {
        Self { frame: None, is_unreadable: false }
    }

    /// Reading from the peer failed: it left, or broke the protocol.
    pub(crate) fn after(error: &tungstenite::Error) -> Self {
        let (code, reason) = match error {
            tungstenite::Error::Capacity(_) => (CloseCode::Size, "消息远超上限 / the message is far too long"),
            tungstenite::Error::Utf8(_) => (CloseCode::Invalid, "文本帧不是 UTF-8 / a text frame is not UTF-8"),
            tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return Self::gone(),
            tungstenite::Error::Protocol(_) => {
                (CloseCode::Protocol, "不合 WebSocket 协议 / against the WebSocket protocol")
            }
            _ => return Self::gone(),
        };
        Self { is_unreadable: true, ..Self::new(code, reason) }
    }
}

/// Closes a connection: says goodbye and gives the peer a moment to answer.
pub(crate) async fn close(mut socket: Socket, goodbye: Goodbye) {
    let closing = async {
        if let Some(frame) = goodbye.frame {
            socket.close(Some(frame)).await?;
        }
        if goodbye.is_unreadable {
            // Bytes left unread would reset the connection, and the close frame would be lost.
            let stream = socket.get_mut();
            stream.shutdown().await?;
            tokio::io::copy(stream, &mut tokio::io::sink()).await?;
        }
        while let Some(frame) = socket.next().await {
            frame?;
        }
        Ok::<(), tungstenite::Error>(())
    };
    // A peer that answers wrongly, late or not at all is gone all the same.
    let _ = timeout(CLOSE_TIMEOUT, closing).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_fits_into_a_close_frame_in_both_languages() {
        let (chinese, english) = ("令牌不对".repeat(40), "the token is not known ".repeat(9));
        for (message, fitted) in [
            ("令牌不对 / the token is not known".to_owned(), "令牌不对 / the token is not known".to_owned()),
            (format!("{chinese} / no"), format!("{}令牌… / no", "令牌不对".repeat(9))),
            (format!("不 / {english}"), format!("不 / {}…", &english[..114])),
            (format!("{chinese} / {english}"), format!("{}令牌不… / {}…", "令牌不对".repeat(4), &english[..57])),
            (chinese.clone(), format!("{}…", "令牌不对".repeat(10))),
        ] {
            assert_eq!(fit(&message), fitted, "{message}");
            assert!(fitted.len() <= REASON_BYTES_MAX, "{fitted}");
        }
    }
}

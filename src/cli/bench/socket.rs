//! The generator's WebSocket connections.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, WebSocket};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// As the server's own: with the library's 128 KiB the generator would be the one that is measured.
const BUFFER_BYTES: usize = 4 * 1024;
/// Events that wait for the socket of one producer; a server that far behind has failed the run.
const BACKLOG_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Connections from one address: an address has some 28 000 ports to come from.
const CONNECTIONS_PER_ADDRESS: u64 = 20_000;

pub(super) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(16 * BUFFER_BYTES)
        .max_write_buffer_size(BACKLOG_BYTES_MAX)
}

/// The `number`-th connection of a run.
pub(super) async fn connect(address: SocketAddr, number: u64, path: &str) -> io::Result<WebSocketStream<TcpStream>> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
        // All of 127/8 is this machine.
        let block = u8::try_from(number / CONNECTIONS_PER_ADDRESS).unwrap_or(u8::MAX - 1);
        socket.bind((Ipv4Addr::new(127, 0, 0, 1 + block), 0).into())?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    let url = format!("ws://{address}{path}");
    match client_async_with_config(url, stream, Some(config())).await {
        Ok((socket, _response)) => Ok(socket),
        Err(error) => Err(io::Error::other(format!("{path}: {error}"))),
    }
}

/// The sending half of a producer, which does not wait.
pub(super) type Sender = WebSocket<std::net::TcpStream>;
/// The receiving half.
pub(super) type Receiver = WebSocketStream<ReadOnly>;

/// Divides a connection, so that one thread sends on time whatever is received.
pub(super) async fn split(socket: WebSocketStream<TcpStream>) -> io::Result<(Sender, Receiver)> {
    // Nothing was received yet: the server speaks when it is spoken to.
    let stream = socket.into_inner().into_std()?;
    let read = TcpStream::from_std(stream.try_clone()?)?;
    let sender = WebSocket::from_raw_socket(stream, Role::Client, Some(config()));
    let receiver = WebSocketStream::from_raw_socket(ReadOnly(read), Role::Client, Some(config())).await;
    Ok((sender, receiver))
}

/// Whether a write can go on later.
pub(super) fn is_blocked(error: &tungstenite::Error) -> bool {
    matches!(error, tungstenite::Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// A stream whose answers to pings go nowhere: the other half of the connection may be in the
/// middle of a frame, and its frames are sign of life enough.
#[derive(Debug)]
pub(super) struct ReadOnly(TcpStream);

impl AsyncRead for ReadOnly {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for ReadOnly {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

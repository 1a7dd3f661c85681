//! `tingjian bench-echo`, the yardstick: a WebSocket server that sends back
//! what it gets and does nothing else, with the buffers and the batching of the
//! real one.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::super::serve;

const BUFFER_BYTES: usize = 4 * 1024;
/// Frames that are read before answers are written.
const BATCH_MAX: usize = 256;

pub(crate) fn run() -> ExitCode {
    serve::finish(serve::run_to_end(accept()))
}

async fn accept() -> io::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    serve::announce(listener.local_addr()?, false);
    let stop = serve::stop_signal()?;
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            accepted = listener.accept() => {
                tokio::spawn(echo(accepted?.0));
            }
        }
    }
}

async fn echo(stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let config = WebSocketConfig::default().read_buffer_size(BUFFER_BYTES).write_buffer_size(BUFFER_BYTES);
    let Ok(mut socket) = accept_async_with_config(stream, Some(config)).await else { return };
    while let Some(first) = socket.next().await {
        let mut next = Some(Some(first));
        let mut left = BATCH_MAX;
        while let Some(frame) = next {
            let Some(Ok(frame)) = frame else { return };
            if (frame.is_text() || frame.is_binary()) && socket.feed(frame).await.is_err() {
                return;
            }
            left -= 1;
            next = if left == 0 { None } else { socket.next().now_or_never() };
        }
        if socket.flush().await.is_err() {
            return;
        }
    }
}

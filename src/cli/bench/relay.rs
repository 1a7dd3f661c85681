//! What the relay adds: streams to a recogniser of the bench's own, directly and through the relay at the same time, each
//! sending a piece of sound every so often and waiting for the result; and what a stream weighs in the server.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{SinkExt as _, StreamExt as _};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};

use super::clock;
use super::socket;
use super::target::{Start, Target};

/// 60 ms of 16 kHz sound in 16 bits, as FunASR's clients send it.
const PIECE_BYTES: usize = 1_920;
const PIECE_EVERY: Duration = Duration::from_millis(60);
/// A stream that waits for its result so long is broken.
const PATIENCE: Duration = Duration::from_secs(10);
/// Delays up to so many microseconds are told apart, to three digits.
const DELAY_US_MAX: u64 = 10_000_000;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Streams of each sort.
    pub(super) streams: u64,
    pub(super) each: Duration,
}

/// What was measured.
#[derive(Debug)]
pub(super) struct Outcome {
    plan: Plan,
    direct: Histogram<u64>,
    relayed: Histogram<u64>,
    /// Of the server, for each relayed stream.
    stream_bytes: Option<u64>,
}

impl Outcome {
    /// Microseconds that the relay adds at this share of the results.
    fn added(&self, share: f64) -> i64 {
        let at = |times: &Histogram<u64>| i64::try_from(times.value_at_quantile(share)).unwrap_or(i64::MAX);
        at(&self.relayed) - at(&self.direct)
    }

    pub(super) fn to_text(&self) -> String {
        let line = |name: &str, times: &Histogram<u64>| {
            let at = |share| times.value_at_quantile(share) as f64 / 1_000.0;
            format!(
                "{name:<10} {:>8} 次 p50 {:.3} ms  p90 {:.3} ms  p99 {:.3} ms\n",
                times.len(),
                at(0.5),
                at(0.9),
                at(0.99)
            )
        };
        let memory = match self.stream_bytes {
            Some(bytes) => format!("每路 a stream: {} KiB\n", bytes / 1_024),
            None => String::new(),
        };
        format!(
            "每种 {} 路，音频到结果 / {} streams each, sound to result\n{}{}增加 added: p50 {} µs, p99 {} µs\n{memory}",
            self.plan.streams,
            self.plan.streams,
            line("direct", &self.direct),
            line("relayed", &self.relayed),
            self.added(0.5),
            self.added(0.99),
        )
    }

    pub(super) fn to_json(&self) -> Value {
        let times = |times: &Histogram<u64>| json!({ "count": times.len(), "p50_us": times.value_at_quantile(0.5), "p99_us": times.value_at_quantile(0.99) });
        json!({
            "streams": self.plan.streams, "direct": times(&self.direct), "relayed": times(&self.relayed),
            "added_p50_us": self.added(0.5), "added_p99_us": self.added(0.99), "stream_bytes": self.stream_bytes,
        })
    }
}

/// A file that configures a relay to the recogniser at `address`.
fn configuration(address: SocketAddr) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile()?;
    write!(file, "[relay.funasr]\nurl = \"ws://{address}\"\n")?;
    file.flush()?;
    Ok(file)
}

/// Starts a recogniser and a server, and measures.
pub(super) async fn run(plan: Plan, start: &Start<'_>) -> io::Result<Outcome> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let recogniser = listener.local_addr()?;
    let file = configuration(recogniser)?;
    let server = Start { config: Some(file.path()), ..start.clone() }.tingjian()?;
    tokio::select! {
        never = recognise(&listener) => never,
        outcome = measure(plan, recogniser, &server) => outcome,
    }
}

/// Answers each piece of sound with a hypothesis.
async fn recognise(listener: &TcpListener) -> io::Result<Outcome> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let Ok(mut socket) = accept_async_with_config(stream, Some(socket::config())).await else { return };
            let result = r#"{"mode":"2pass-online","wav_name":"bench","text":"您好","is_final":false}"#;
            while let Some(Ok(message)) = socket.next().await {
                if message.is_binary() && socket.send(Message::text(result)).await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn measure(plan: Plan, recogniser: SocketAddr, server: &Target) -> io::Result<Outcome> {
    let before = server.rss();
    let (mut direct, mut relayed) = (Vec::new(), Vec::new());
    for number in 0..plan.streams {
        let path = format!("/v1/relay/funasr?call_id=relay-{number}&agent_id=a{number}&role=agent");
        direct.push(socket::connect(recogniser, number, "/").await?);
        relayed.push(socket::connect(server.address, number, &path).await?);
    }
    let (direct, relayed) = tokio::join!(all(direct, plan), all(relayed, plan));
    let (direct, (relayed, open)) = (direct?.0, relayed?);
    // All streams are still open.
    let after = server.rss();
    drop(open);
    let grown = before.zip(after).map(|(before, after)| after.saturating_sub(before));
    Ok(Outcome { plan, direct, relayed, stream_bytes: grown.map(|bytes| bytes / plan.streams.max(1)) })
}

type Streams = Vec<WebSocketStream<TcpStream>>;

/// All streams of a sort, at once, begun one after the other within one piece.
async fn all(streams: Streams, plan: Plan) -> io::Result<(Histogram<u64>, Streams)> {
    let count = u32::try_from(streams.len()).unwrap_or(u32::MAX).max(1);
    let speaking = (0..).zip(streams).map(|(number, stream)| speak(stream, PIECE_EVERY * number / count, plan.each));
    let mut times = histogram()?;
    let mut open = Vec::new();
    for spoken in join_all(speaking).await {
        let (of_stream, socket) = spoken?;
        times.add(of_stream).map_err(io::Error::other)?;
        open.push(socket);
    }
    Ok((times, open))
}

fn histogram() -> io::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, DELAY_US_MAX, 3).map_err(io::Error::other)
}

/// One stream: a piece each interval, and how long its result takes.
async fn speak(
    mut socket: WebSocketStream<TcpStream>,
    later: Duration,
    each: Duration,
) -> io::Result<(Histogram<u64>, WebSocketStream<TcpStream>)> {
    let mut times = histogram()?;
    tokio::time::sleep(later).await;
    let mut due = interval(PIECE_EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let pieces = each.as_millis() / PIECE_EVERY.as_millis();
    for _ in 0..pieces {
        due.tick().await;
        let sent = clock::now();
        socket.send(Message::binary(vec![7; PIECE_BYTES])).await.map_err(io::Error::other)?;
        match timeout(PATIENCE, socket.next()).await {
            Ok(Some(Ok(message))) if message.is_text() => {
                let us = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
                times.saturating_record(us.max(1));
            }
            other => return Err(io::Error::other(format!("a stream broke: {other:?}"))),
        }
    }
    Ok((times, socket))
}

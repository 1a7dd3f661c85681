//! Stands where a recogniser stood: everything passes between a client and its recogniser byte for
//! byte, and the results are read on their way as if the client had forwarded them.
//!
//! The call comes first. Checking never delays the stream: results go into a bounded queue, and what
//! does not fit, or cannot be read, or is refused, is counted and relayed all the same. Audio is
//! neither kept nor looked at.
//!
//! Deliberately absent: heartbeats of our own, compression, reconnecting and buffering.

mod binary;
mod frames;
pub(crate) mod upstream;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use prometheus::IntCounter;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Utf8Bytes};

use crate::adapter::Format;
use crate::server::clock;
use crate::server::config::{CLOSE_TIMEOUT, RELAY_BUFFER_BYTES, RELAY_QUEUE_MAX, WRITE_TIMEOUT};
use crate::server::ingest::relay::frames::{Frames, Heard};
use crate::server::ingest::{Asr, AsrLeg, Producer, Source};
use crate::server::net::patient::Patient;
use crate::server::runtime::Shared;
use crate::server::runtime::shares::Origin;
use crate::server::telemetry::events::{Connection, Happening as _, RelayStream, RelayUnchecked};

/// A relayed result, and when it came.
struct Passed {
    result: Passing,
    received: Instant,
}

enum Passing {
    Text(Utf8Bytes),
    Binary(Bytes),
}

type Stream = Patient<TokioIo<Upgraded>>;

/// Relays between a client and its recogniser until either is gone. Without a `leg` nothing is checked.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    client: TokioIo<Upgraded>,
    upstream: TokioIo<Upgraded>,
    format: Format,
    leg: Option<AsrLeg>,
    origin: Arc<Origin>,
) {
    let _open = Connection::open(&shared.metrics, "relay");
    let _stream = RelayStream::open(&shared.metrics, format.name());
    let mut witness = Witness { shared: Arc::clone(&shared), format, queue: None, told: false };
    if let Some(leg) = leg {
        let (queue, results) = mpsc::channel(RELAY_QUEUE_MAX);
        witness.queue = Some(queue);
        let (reading, killed) = (read(Arc::clone(&shared), leg, origin, results), shared.killed.clone());
        // A task of its own: whatever happens in it, the stream goes on.
        shared.producers.spawn(async move {
            tokio::select! {
                () = killed.cancelled() => {}
                () = reading => {}
            }
        });
    }
    tunnel(&shared, client, upstream, witness).await;
}

/// Reads the results of one stream as an ingesting connection would.
async fn read(shared: Arc<Shared>, leg: AsrLeg, origin: Arc<Origin>, mut results: mpsc::Receiver<Passed>) {
    let (kind, format) = (leg.format, leg.format.name());
    let bytes_max = shared.config.frame_bytes_max.get();
    let source = Source::Asr(Box::new(Asr::new(leg)));
    let mut producer = Producer::new(Arc::clone(&shared), source, origin);
    let mut told = false;
    let mut is_open = true;
    while is_open {
        tokio::select! {
            biased;
            Some(reply) = producer.replies.recv() => producer.note(reply),
            joined = producer.source.joined() => producer.take_place(joined).await,
            passed = results.recv() => match passed {
                Some(Passed { result, received }) => {
                    let texts = match result {
                        Passing::Text(text) => Ok(vec![text]),
                        Passing::Binary(frame) => binary::messages(kind, &frame, bytes_max)
                            .map(|texts| texts.into_iter().map(Utf8Bytes::from).collect()),
                    };
                    let texts = texts.unwrap_or_else(|code| {
                        let first = !std::mem::replace(&mut told, true);
                        RelayUnchecked { format, code, first }.report(&shared.metrics);
                        Vec::new()
                    });
                    for text in texts {
                        while let Err(early) = producer.pace.take() {
                            tokio::time::sleep(early).await;
                        }
                        producer.frame(&text, received).await;
                    }
                }
                None => {
                    producer.finish().await;
                    is_open = false;
                }
            },
        }
        producer.note_ready();
        producer.acks.clear();
        for code in producer.errors.drain(..).filter_map(|error| error.refused) {
            RelayUnchecked { format, code, first: !std::mem::replace(&mut told, true) }.report(&shared.metrics);
        }
    }
}

/// Hands the messages of the recogniser on to who reads them, and never waits.
struct Witness {
    shared: Arc<Shared>,
    format: Format,
    /// `None`: the address did not say whose voice of which call it is.
    queue: Option<mpsc::Sender<Passed>>,
    told: bool,
}

impl Witness {
    fn hear(&mut self, heard: Heard, received: Instant) {
        let result = match heard {
            Heard::Unreadable(code) => return self.miss(code),
            Heard::Text(text) => Passing::Text(text),
            Heard::Binary(frame) => Passing::Binary(frame),
        };
        let Some(queue) = &self.queue else { return self.miss("invalid_query") };
        match queue.try_send(Passed { result, received }) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => self.miss("behind"),
            Err(mpsc::error::TrySendError::Closed(_)) => self.miss("stopped"),
        }
    }

    fn miss(&mut self, code: &'static str) {
        let (format, first) = (self.format.name(), !std::mem::replace(&mut self.told, true));
        RelayUnchecked { format, code, first }.report(&self.shared.metrics);
    }
}

/// One direction of a relayed stream.
struct Pump<'a> {
    from: ReadHalf<Stream>,
    to: WriteHalf<Stream>,
    frames: Frames,
    /// Bytes of a write may still be missing at the other end.
    is_writing: bool,
    bytes: IntCounter,
    /// Bytes of both directions.
    moved: &'a AtomicU64,
}

impl Pump<'_> {
    /// Passes on all that comes, then the end.
    async fn run(&mut self, mut hear: impl FnMut(Heard)) {
        let mut buffer = vec![0; RELAY_BUFFER_BYTES];
        // A side that fails is gone, and the other one is told by the end of the stream.
        while let Ok(count @ 1..) = self.from.read(&mut buffer).await {
            let bytes = &buffer[..count];
            self.frames.read(bytes, &mut hear);
            self.is_writing = true;
            if self.to.write_all(bytes).await.is_err() || self.to.flush().await.is_err() {
                break;
            }
            self.is_writing = false;
            self.bytes.inc_by(count as u64);
            self.moved.fetch_add(count as u64, Ordering::Relaxed);
        }
        let _ = self.to.shutdown().await;
    }

    /// Ends the direction: with `close`, if a frame may follow here.
    async fn end(&mut self, close: &[u8]) {
        if self.frames.takes_frame() && !self.is_writing {
            let _ = self.to.write_all(close).await;
        }
        let _ = self.to.shutdown().await;
    }
}

/// The close frames of a stop, 1001 without a reason: for a client, and masked with zeros for a recogniser.
const AWAY: [u8; 4] = [0x88, 2, 0x03, 0xe9];
const AWAY_MASKED: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];

async fn tunnel(shared: &Shared, client: TokioIo<Upgraded>, upstream: TokioIo<Upgraded>, mut witness: Witness) {
    let (from_client, to_client) = split(Patient::new(client, WRITE_TIMEOUT));
    let (from_upstream, to_upstream) = split(Patient::new(upstream, WRITE_TIMEOUT));
    let moved = AtomicU64::new(0);
    let direction = |from, to, frames, name| Pump {
        from,
        to,
        frames,
        is_writing: false,
        bytes: shared.metrics.relay_bytes.with_label_values(&[name]),
        moved: &moved,
    };
    let mut up = direction(from_client, to_upstream, Frames::new(0), "to_recogniser");
    let results = Frames::new(shared.config.frame_bytes_max.get()).with_binary(binary::comes_in(witness.format));
    let mut down = direction(from_upstream, to_client, results, "to_client");
    let is_over = {
        let mut sending = std::pin::pin!(up.run(|_| {}));
        let mut receiving = std::pin::pin!(down.run(|heard| witness.hear(heard, clock::now())));
        tokio::select! {
            biased;
            () = shared.draining.cancelled() => false,
            () = quiet(&moved, Duration::from_millis(shared.config.call_idle_ms.get())) => false,
            () = sending.as_mut() => timeout(CLOSE_TIMEOUT, receiving).await.is_ok(),
            () = receiving.as_mut() => timeout(CLOSE_TIMEOUT, sending).await.is_ok(),
        }
    };
    if !is_over {
        let ending = async { tokio::join!(up.end(&AWAY_MASKED), down.end(&AWAY)) };
        let _ = timeout(CLOSE_TIMEOUT, ending).await;
    }
}

/// Waits until nothing has passed for `idle`: both sides are gone without a word.
async fn quiet(moved: &AtomicU64, idle: Duration) {
    let mut before = None;
    loop {
        let now = Some(moved.load(Ordering::Relaxed));
        if now == before {
            return;
        }
        before = now;
        tokio::time::sleep(idle).await;
    }
}

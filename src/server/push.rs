//! From a shard to a subscriber's socket: a bounded queue that nobody waits
//! for. A subscriber who lets it fill is closed with a code of its own.

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::clock;
use super::config::SUBSCRIBER_QUEUE_MAX;
use super::events::{Happening as _, SubscriberSlow};
use super::ws::{self, Goodbye, Socket};

/// The subscriber did not read fast enough; it may come back with `after`.
pub const CLOSE_SLOW: u16 = 4008;

/// One message for a subscriber.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    pub(crate) text: Utf8Bytes,
    /// When the frame behind a live alert was received.
    pub(crate) since: Option<Instant>,
}

/// The shard's end.
#[derive(Debug)]
pub(crate) struct Subscriber {
    queue: mpsc::Sender<Push>,
    slow: CancellationToken,
}

/// The connection's end.
#[derive(Debug)]
pub(crate) struct Subscription {
    queue: mpsc::Receiver<Push>,
    slow: CancellationToken,
}

/// Both ends of one subscription.
pub(crate) fn subscription() -> (Subscriber, Subscription) {
    let (sender, receiver) = mpsc::channel(SUBSCRIBER_QUEUE_MAX);
    let slow = CancellationToken::new();
    (Subscriber { queue: sender, slow: slow.clone() }, Subscription { queue: receiver, slow })
}

impl Subscriber {
    /// Queues `push`. False when the subscriber is gone, or was too slow and
    /// is being closed: it wants nothing more.
    pub(crate) fn push(&self, push: Push) -> bool {
        match self.queue.try_send(push) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.slow.cancel();
                false
            }
        }
    }

    /// Whether its connection is still there.
    pub(crate) fn is_open(&self) -> bool {
        !self.queue.is_closed()
    }
}

/// Writes `backlog` and then what comes, until either side is done.
pub(crate) async fn serve(
    shared: &Shared,
    mut socket: Socket,
    kind: &'static str,
    backlog: Vec<Push>,
    mut subscription: Subscription,
) {
    let slow = subscription.slow.clone();
    let goodbye = tokio::select! {
        biased;
        () = slow.cancelled() => Goodbye::new(CloseCode::Library(CLOSE_SLOW), "读取太慢，请用 after 续传"),
        goodbye = pump(shared, &mut socket, backlog, &mut subscription) => goodbye,
    };
    if slow.is_cancelled() {
        SubscriberSlow { kind }.report(&shared.metrics);
    }
    // Nothing more is queued while the close is on its way.
    drop(subscription);
    ws::close(socket, goodbye).await;
}

async fn pump(shared: &Shared, socket: &mut Socket, mut batch: Vec<Push>, subscription: &mut Subscription) -> Goodbye {
    let mut heartbeat = ws::Heartbeat::new();
    loop {
        if !batch.is_empty() {
            if ws::feed_all(socket, batch.iter().map(|push| push.text.clone())).await.is_err() {
                return Goodbye::gone();
            }
            let written = clock::now();
            for since in batch.drain(..).filter_map(|push| push.since) {
                shared.metrics.alert_written(written.saturating_duration_since(since));
            }
        }
        tokio::select! {
            biased;
            count = subscription.queue.recv_many(&mut batch, SUBSCRIBER_QUEUE_MAX) => {
                if count == 0 {
                    return match shared.draining.is_cancelled() {
                        true => Goodbye::shutdown(),
                        false => Goodbye::new(CloseCode::Normal, "通话已结束"),
                    };
                }
            }
            () = shared.closing.cancelled() => {
                // The shards are done: what is queued now is all there will be.
                while let Ok(push) = subscription.queue.try_recv() {
                    batch.push(push);
                }
                return match ws::feed_all(socket, batch.drain(..).map(|push| push.text)).await {
                    Ok(()) => Goodbye::shutdown(),
                    Err(_) => Goodbye::gone(),
                };
            }
            alive = ws::listen(socket, &mut heartbeat) => {
                if !alive {
                    return Goodbye::gone();
                }
            }
        }
    }
}

//! The queue between the journal and one subscriber's connection: bounded, and
//! nobody waits for it. A subscriber that lets it fill is closed.
//!
//! The connections themselves are in `feeds`.

use std::sync::Mutex;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::sync::CancellationToken;

use crate::server::config::{SUBSCRIBER_QUEUE_MAX, WATCHERS_MAX};
use crate::server::runtime::Shared;
use crate::server::telemetry::events::{AlertWritten, Happening as _, SubscriberSlow};

/// One message for a subscriber.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    pub(crate) text: Utf8Bytes,
    /// The alert's number, if it is one that is kept.
    pub(crate) cursor: Option<i64>,
    /// When the alert's event was received, for latency metrics; `None` for other messages.
    pub(crate) since: Option<Since>,
}

/// Since when a live alert is on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since {
    /// When the frame behind it was received, or the deadline passed.
    pub(crate) received: Instant,
    /// When it was committed.
    pub(crate) kept: Instant,
}

impl Since {
    /// The alert is on its agent's socket.
    pub(crate) fn until(self, written: Instant) -> AlertWritten {
        let Self { received, kept } = self;
        AlertWritten {
            took: written.saturating_duration_since(received),
            pushed: written.saturating_duration_since(kept),
        }
    }
}

/// The journal's end.
#[derive(Debug)]
pub(crate) struct Subscriber {
    queue: mpsc::Sender<Push>,
    slow: CancellationToken,
}

/// The connection's end.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) queue: mpsc::Receiver<Push>,
    /// Cancelled when the subscriber was too slow.
    pub(crate) slow: CancellationToken,
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

    /// Queues all of `pushes`, unless more than `behind_max` earlier messages
    /// still wait. False as for [`Self::push`].
    pub(crate) fn push_all(&self, behind_max: usize, mut pushes: impl Iterator<Item = Push>) -> bool {
        if self.queue.max_capacity() - self.queue.capacity() > behind_max {
            self.slow.cancel();
            return false;
        }
        pushes.all(|push| self.push(push))
    }

    /// Whether its connection is still there.
    pub(crate) fn is_open(&self) -> bool {
        !self.queue.is_closed()
    }
}

/// The watchers of one call. Their connections end when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    subscribers: Mutex<Vec<Subscriber>>,
}

impl Watchers {
    /// One more; `None` when there are as many as may be.
    pub(crate) fn subscribe(&self) -> Option<Subscription> {
        let mut subscribers = self.subscribers.lock().ok()?;
        subscribers.retain(Subscriber::is_open);
        (subscribers.len() < WATCHERS_MAX).then(|| {
            let (subscriber, subscription) = subscription();
            subscribers.push(subscriber);
            subscription
        })
    }

    pub(crate) fn publish(&self, push: &Push) {
        if let Ok(mut subscribers) = self.subscribers.lock() {
            subscribers.retain(|subscriber| subscriber.push(push.clone()));
        }
    }
}

impl Subscription {
    /// A message that is there already.
    #[cfg(test)]
    pub(crate) fn try_next(&mut self) -> Option<Push> {
        self.queue.try_recv().ok()
    }

    /// The next message, for a connection that only reads; `None` when it is over.
    pub(crate) async fn next(&mut self, shared: &Shared) -> Option<Push> {
        tokio::select! {
            biased;
            () = self.slow.cancelled() => {
                SubscriberSlow { kind: "sse" }.report(&shared.metrics);
                None
            }
            push = self.queue.recv() => push,
            () = shared.closing.cancelled() => self.queue.try_recv().ok(),
        }
    }
}

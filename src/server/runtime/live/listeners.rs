//! The listeners of the live feeds, and which of them are new.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, oneshot};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::server::config::{AGENTS_MAX, LIVE_BEHIND_MAX, SUBSCRIBERS_PER_AGENT_MAX, WALL_LISTENERS_MAX};
use crate::server::runtime::agents::TooManySubscribers;
use crate::server::runtime::subscription::{Push, Subscriber, Subscription, subscription};

/// All viewers of the live feeds.
#[derive(Debug, Default)]
pub(crate) struct Live {
    listeners: Mutex<Listeners>,
    joined: Notify,
    /// The rows of the wall are wanted though nobody looks.
    counts_calls: bool,
}

#[derive(Debug, Default)]
struct Listeners {
    /// The number of the last round that was begun.
    round: u64,
    wall: Vec<WallListener>,
    desks: HashMap<Arc<str>, Vec<DeskListener>>,
}

#[derive(Debug)]
struct WallListener {
    subscriber: Subscriber,
    /// The channel for the first list of all calls; `None` once it was sent.
    first: Option<oneshot::Sender<Vec<Utf8Bytes>>>,
    /// The last round this viewer missed.
    missed: u64,
}

#[derive(Debug)]
struct DeskListener {
    subscriber: Subscriber,
    is_new: bool,
    missed: u64,
}

/// The viewers of a round.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    pub(crate) round: u64,
    /// Whether anybody watches the wall, or calls are counted.
    pub(crate) wall: bool,
    /// Whether a viewer of the wall has not received the full list yet.
    pub(crate) wall_is_fresh: bool,
    /// The agents whose desks are watched.
    pub(crate) desks: HashSet<Arc<str>>,
    /// The watched desks with a new viewer.
    pub(crate) new_desks: HashSet<Arc<str>>,
    /// The watched desks that had no viewer before.
    pub(crate) fresh_desks: HashSet<Arc<str>>,
}

impl Audience {
    /// Whether there are no viewers.
    pub(crate) fn is_empty(&self) -> bool {
        !self.wall && self.desks.is_empty()
    }
}

impl Live {
    /// With `counts_calls`, the rows of the wall are wanted though nobody looks.
    pub(crate) fn new(counts_calls: bool) -> Self {
        Self { counts_calls, ..Self::default() }
    }

    /// Subscribes a viewer to the wall: first the frames of all calls, then the changes.
    pub(crate) fn watch_wall(&self) -> Result<(oneshot::Receiver<Vec<Utf8Bytes>>, Subscription), TooManySubscribers> {
        let mut listeners = self.listeners.lock().map_err(|_| TooManySubscribers)?;
        listeners.wall.retain(|listener| listener.subscriber.is_open());
        if listeners.wall.len() >= WALL_LISTENERS_MAX {
            return Err(TooManySubscribers);
        }
        let (subscriber, subscription) = subscription();
        let (first, frames) = oneshot::channel();
        let missed = listeners.round;
        listeners.wall.push(WallListener { subscriber, first: Some(first), missed });
        self.joined.notify_one();
        Ok((frames, subscription))
    }

    /// Looks at the calls that an agent has now.
    pub(crate) fn watch_desk(&self, agent_id: &str) -> Result<Subscription, TooManySubscribers> {
        let mut listeners = self.listeners.lock().map_err(|_| TooManySubscribers)?;
        let missed = listeners.round;
        let has_room = listeners.desks.len() < AGENTS_MAX;
        if !has_room && !listeners.desks.contains_key(agent_id) {
            return Err(TooManySubscribers);
        }
        let desk = listeners.desks.entry(Arc::from(agent_id)).or_default();
        desk.retain(|listener| listener.subscriber.is_open());
        if desk.len() >= SUBSCRIBERS_PER_AGENT_MAX {
            return Err(TooManySubscribers);
        }
        let (subscriber, subscription) = subscription();
        desk.push(DeskListener { subscriber, is_new: true, missed });
        self.joined.notify_one();
        Ok(subscription)
    }

    /// Waits until there is a viewer.
    pub(crate) async fn somebody(&self) {
        loop {
            let joined = self.joined.notified();
            if self.counts_calls
                || self
                    .listeners
                    .lock()
                    .is_ok_and(|listeners| !listeners.wall.is_empty() || !listeners.desks.is_empty())
            {
                return;
            }
            joined.await;
        }
    }

    /// Begins a round for all viewers that are connected now; later ones belong to the next round.
    /// `is_known` says for which agents' desks the calls are known.
    pub(crate) fn audience(&self, is_known: impl Fn(&Arc<str>) -> bool) -> Audience {
        let Ok(mut listeners) = self.listeners.lock() else { return Audience::default() };
        let Listeners { round, wall, desks } = &mut *listeners;
        *round += 1;
        wall.retain(|listener| listener.subscriber.is_open());
        desks.retain(|_, desk| {
            desk.retain(|listener| listener.subscriber.is_open());
            !desk.is_empty()
        });
        let agents = |wanted: &dyn Fn(&Arc<str>, &[DeskListener]) -> bool| {
            desks
                .iter()
                .filter(|(agent_id, desk)| wanted(agent_id, desk))
                .map(|(agent_id, _)| Arc::clone(agent_id))
                .collect()
        };
        Audience {
            round: *round,
            wall: self.counts_calls || !wall.is_empty(),
            wall_is_fresh: wall.iter().any(|listener| listener.first.is_some()),
            desks: agents(&|_, _| true),
            new_desks: agents(&|_, desk| desk.iter().any(|listener| listener.is_new)),
            fresh_desks: agents(&|agent_id, _| !is_known(agent_id)),
        }
    }

    /// Gives `all` to those who are new in this round, and `news` to the others.
    pub(crate) fn tell_wall(&self, round: u64, all: Vec<Utf8Bytes>, news: &[Utf8Bytes]) {
        let Ok(mut listeners) = self.listeners.lock() else { return };
        listeners.wall.retain_mut(|listener| match listener.first.take() {
            Some(first) if listener.missed < round => first.send(all.clone()).is_ok(),
            Some(first) => {
                listener.first = Some(first);
                true
            }
            None => listener.subscriber.push_all(LIVE_BEHIND_MAX, news.iter().map(frame)),
        });
    }

    /// Gives a desk to those who look at it; if it `has_changed`, not only to the new ones.
    pub(crate) fn tell_desk(&self, round: u64, agent_id: &str, text: &Utf8Bytes, has_changed: bool) {
        let Ok(mut listeners) = self.listeners.lock() else { return };
        let Some(desk) = listeners.desks.get_mut(agent_id) else { return };
        desk.retain_mut(|listener| {
            let is_new = listener.is_new && listener.missed < round;
            listener.is_new &= !is_new;
            let is_told = is_new || has_changed && !listener.is_new;
            !is_told || listener.subscriber.push_all(LIVE_BEHIND_MAX, std::iter::once(frame(text)))
        });
    }
}

fn frame(text: &Utf8Bytes) -> Push {
    Push { text: text.clone(), cursor: None, since: None }
}

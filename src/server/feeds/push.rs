//! From the journal to a subscriber's connection: a bounded queue that the journal never waits for.
//! A subscriber who lets it fill is closed with a code of its own.
//!
//! A subscriber who asks for earlier alerts gets them from the store first. The subscription exists
//! while they are read, and alerts that were read are skipped in it, so nothing is lost and nothing
//! comes twice between the two.

use std::sync::Arc;

use futures_util::future::select_all;
use tokio::sync::{oneshot, watch};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::adapter::alert_json::with_cursor;
use crate::server::clock;
use crate::server::config::{CATCH_UP_PAGE, LIVE_CARDS_MAX, SUBSCRIBER_QUEUE_MAX};
use crate::server::domain::principal::Principal;
use crate::server::domain::refusal::Refusal;
use crate::server::feeds::feedback;
use crate::server::net::ws;
use crate::server::net::ws::{Goodbye, Listened, Socket};
use crate::server::runtime::Shared;
use crate::server::runtime::agents::{After, Cursor};
use crate::server::runtime::hands;
use crate::server::runtime::subscription::{Push, Subscription};
use crate::server::telemetry::events::{Connection, Happening as _, SubscriberSlow};

/// The subscriber did not read fast enough; it may come back with `after`.
pub const CLOSE_SLOW: u16 = 4008;

/// How far a subscriber has read in the store.
#[derive(Debug)]
pub(crate) struct CatchUp {
    agent_id: String,
    /// The last alert that was read; live ones up to it are skipped.
    read: i64,
    /// The cursor before the calls in progress must be asked for first.
    is_from_live: bool,
    is_done: bool,
}

impl CatchUp {
    /// No earlier alerts are wanted.
    fn none() -> Self {
        Self { agent_id: String::new(), read: 0, is_from_live: false, is_done: true }
    }

    /// From `after` on. The second value is the message to send first, if the cursor belongs to
    /// another store.
    pub(crate) fn new(shared: &Shared, agent_id: &str, after: After) -> (Self, Option<Utf8Bytes>) {
        let (read, is_done, is_foreign) = match after {
            After::Now => (0, true, false),
            After::Start | After::Live => (0, false, false),
            After::Cursor(Cursor { store, number }) if store == shared.store_id => (number, false, false),
            After::Cursor(_) => (0, false, true),
        };
        let is_from_live = after == After::Live;
        let catch_up = Self { agent_id: agent_id.to_owned(), read, is_from_live, is_done };
        (catch_up, is_foreign.then(|| Utf8Bytes::from_static(GAP)))
    }

    /// The next alerts of the past; none when all is read.
    pub(crate) async fn page(&mut self, shared: &Shared) -> Result<Vec<(i64, Utf8Bytes)>, Refusal> {
        if self.is_done {
            return Ok(Vec::new());
        }
        if std::mem::take(&mut self.is_from_live) {
            self.read = shared.store.before_live_cards(self.agent_id.clone(), LIVE_CARDS_MAX).await?;
        }
        let page = shared.store.cards_after(self.agent_id.clone(), self.read, CATCH_UP_PAGE).await?;
        self.is_done = page.len() < CATCH_UP_PAGE;
        self.read = page.last().map_or(self.read, |last| last.cursor);
        let text = |number, json| with_cursor(json, &Cursor { store: shared.store_id, number }.to_string()).into();
        Ok(page.into_iter().map(|alert| (alert.cursor, text(alert.cursor, alert.json))).collect())
    }

    /// Whether a live message is still news.
    pub(crate) fn is_news(&self, push: &Push) -> bool {
        push.cursor.is_none_or(|cursor| cursor > self.read)
    }
}

const GAP: &str = r#"{"type":"status","state":"gap","why":"after 不属于现在的数据，从头给出 / this cursor belongs to other data; all that is kept follows"}"#;

/// The viewer that a connection serves.
pub(crate) enum Listener {
    /// A supervisor who watches a call, and the first message.
    Watcher { hello: Push, supervisor: Option<Arc<str>> },
    /// A viewer of an agent's alerts; only the agent may answer.
    Agent { agent_id: String, principal: Principal, after: After },
    /// A supervisor at the wall; receives all calls first.
    Wall { first: oneshot::Receiver<Vec<Utf8Bytes>>, supervisor: Option<Arc<str>> },
    /// A viewer of an agent's desk.
    Desk,
}

impl Listener {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Watcher { .. } => "watch",
            Self::Agent { .. } => "agent",
            Self::Wall { .. } => "live",
            Self::Desk => "desk",
        }
    }

    fn supervisor(&self) -> Option<Arc<str>> {
        match self {
            Self::Watcher { supervisor, .. } | Self::Wall { supervisor, .. } => supervisor.clone(),
            Self::Agent { .. } | Self::Desk => None,
        }
    }

    const fn too_slow(&self) -> &'static str {
        match self {
            Self::Agent { .. } => "读取太慢，请用 after 续传",
            Self::Watcher { .. } | Self::Wall { .. } | Self::Desk => "读取太慢，请重新连接",
        }
    }
}

/// Writes what was and then what comes, until either side is done.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    mut socket: Socket,
    mut listener: Listener,
    mut subscription: Subscription,
) {
    let _open = Connection::open(&shared.metrics, listener.kind());
    let _present = hands::arrive(shared, listener.supervisor());
    let (slow, too_slow) = (subscription.slow.clone(), listener.too_slow());
    let goodbye = tokio::select! {
        biased;
        () = slow.cancelled() => Goodbye::new(CloseCode::Library(CLOSE_SLOW), too_slow),
        goodbye = pump(shared, &mut socket, &mut listener, &mut subscription) => goodbye,
    };
    if slow.is_cancelled() {
        SubscriberSlow { kind: listener.kind() }.report(&shared.metrics);
    }
    // Nothing more is queued while the close is on its way.
    drop(subscription);
    ws::close(socket, goodbye).await;
}

async fn pump(
    shared: &Arc<Shared>,
    socket: &mut Socket,
    listener: &mut Listener,
    subscription: &mut Subscription,
) -> Goodbye {
    let mut health = shared.health.subscribe();
    // What all walls are told alike, whenever it changes.
    let mut boards: Vec<watch::Receiver<Utf8Bytes>> = match listener {
        Listener::Wall { .. } => vec![shared.hands.subscribe(), shared.thresholds.subscribe()],
        _ => Vec::new(),
    };
    let mut first = Vec::new();
    let mut catch_up = match listener {
        Listener::Watcher { hello, .. } => {
            first.push(hello.text.clone());
            CatchUp::none()
        }
        Listener::Agent { agent_id, after, .. } => {
            let (catch_up, gap) = CatchUp::new(shared, agent_id, *after);
            first.extend(gap);
            catch_up
        }
        Listener::Wall { first: all, .. } => {
            tokio::select! {
                Ok(frames) = all => first.extend(frames),
                () = shared.closing.cancelled() => return Goodbye::shutdown(),
            }
            CatchUp::none()
        }
        Listener::Desk => CatchUp::none(),
    };
    {
        let causes = health.borrow_and_update();
        if !causes.is_empty() {
            first.push(causes.status());
        }
    }
    first.extend(boards.iter_mut().filter_map(message_of));
    if let Listener::Agent { agent_id, principal, .. } = listener {
        match hands::unread(shared, agent_id, principal.reading(agent_id)).await {
            Ok(unread) => first.extend(unread),
            Err(_) => return Goodbye::new(CloseCode::Error, "无法读取存储，请稍后重连"),
        }
    }
    while !catch_up.is_done || !first.is_empty() {
        match catch_up.page(shared).await {
            Ok(page) => first.extend(page.into_iter().map(|(_, text)| text)),
            Err(_) => return Goodbye::new(CloseCode::Error, "无法读取存储，请稍后重连"),
        }
        if ws::feed_all(socket, first.drain(..)).await.is_err() {
            return Goodbye::gone();
        }
    }
    let mut heartbeat = ws::Heartbeat::new();
    let mut batch: Vec<Push> = Vec::new();
    loop {
        let mut answers = Vec::new();
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
                // The journal is done: what is queued now is all there will be.
                while let Ok(push) = subscription.queue.try_recv() {
                    batch.push(push);
                }
                return match ws::feed_all(socket, batch.drain(..).map(|push| push.text)).await {
                    Ok(()) => Goodbye::shutdown(),
                    Err(_) => Goodbye::gone(),
                };
            }
            changed = health.changed() => {
                if changed.is_ok() {
                    answers.push(health.borrow_and_update().status());
                }
            }
            place = any_changed(&mut boards) => answers.extend(boards.get_mut(place).and_then(message_of)),
            listened = ws::listen(socket, &mut heartbeat) => match listened {
                Listened::Gone(goodbye) => return goodbye,
                Listened::Nothing => {}
                Listened::Text(text) => {
                    if let Listener::Agent { agent_id, principal, .. } = listener {
                        answers.push(feedback::take(shared, agent_id, principal, &text).await.into());
                    }
                }
            },
        }
        batch.retain(|push| catch_up.is_news(push));
        if batch.is_empty() && answers.is_empty() {
            continue;
        }
        let texts = batch.iter().map(|push| push.text.clone()).chain(answers);
        if ws::feed_all(socket, texts).await.is_err() {
            return Goodbye::gone();
        }
        let written = clock::now();
        for since in batch.drain(..).filter_map(|push| push.since) {
            since.until(written).report(&shared.metrics);
        }
    }
}

/// The message of a board; none while there is nothing to tell.
fn message_of(board: &mut watch::Receiver<Utf8Bytes>) -> Option<Utf8Bytes> {
    let text = board.borrow_and_update().clone();
    (!text.as_str().is_empty()).then_some(text)
}

/// The place of a board that has changed; never without any.
async fn any_changed(boards: &mut [watch::Receiver<Utf8Bytes>]) -> usize {
    let changed: Vec<_> = boards.iter_mut().map(|board| Box::pin(board.changed())).collect();
    if changed.is_empty() {
        return std::future::pending().await;
    }
    let (_, place, _) = select_all(changed).await;
    place
}

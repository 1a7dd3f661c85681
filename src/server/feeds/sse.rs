//! An agent's alerts as Server-Sent Events, for pages that cannot hold a
//! WebSocket. Each alert's `id` is its cursor, so that a browser that
//! reconnects goes on where it was. Answers to alerts come by `POST` to the
//! same address.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::server::clock;
use crate::server::domain::principal::Reading;
use crate::server::feeds::push::CatchUp;
use crate::server::runtime::Shared;
use crate::server::runtime::agents::{After, Cursor};
use crate::server::runtime::hands;
use crate::server::runtime::health::Causes;
use crate::server::runtime::subscription::{Push, Subscription};
use crate::server::telemetry::events::{Connection, Happening as _};

/// A comment is sent as often, so that proxies do not take the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Answers with the stream.
pub(crate) fn serve(
    shared: Arc<Shared>,
    (agent_id, reading): (&str, Reading),
    after: After,
    subscription: Subscription,
) -> Response {
    let (catch_up, gap) = CatchUp::new(&shared, agent_id, after);
    let mut health = shared.health.subscribe();
    let mut ready: VecDeque<Event> = gap.into_iter().map(|text| Event::default().data(text.as_str())).collect();
    {
        let causes = health.borrow_and_update();
        if !causes.is_empty() {
            ready.push_back(Event::default().data(causes.status().as_str()));
        }
    }
    let open = Connection::open(&shared.metrics, "sse");
    let unread = Some((agent_id.to_owned(), reading));
    let listening = Listening { shared, catch_up, subscription, health, ready, unread, _open: open };
    let events = stream::unfold(listening, |mut listening| async {
        let event = listening.next().await?;
        Some((Ok::<_, Infallible>(event), listening))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// A stream on its way.
struct Listening {
    shared: Arc<Shared>,
    catch_up: CatchUp,
    subscription: Subscription,
    health: watch::Receiver<Causes>,
    ready: VecDeque<Event>,
    /// Whose unread words are still to be sent, and how they are read.
    unread: Option<(String, Reading)>,
    _open: Connection,
}

impl Listening {
    /// The next event; `None` ends the stream, and the browser comes back.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if let Some((agent_id, reading)) = self.unread.take() {
                let unread = hands::unread(&self.shared, &agent_id, reading).await.ok()?;
                self.ready = unread.iter().map(|text| self.event(text, None)).collect();
                continue;
            }
            let page = self.catch_up.page(&self.shared).await.ok()?;
            if !page.is_empty() {
                let events = page.into_iter().map(|(number, text)| self.event(&text, Some(number)));
                self.ready = events.collect();
                continue;
            }
            tokio::select! {
                biased;
                push = self.subscription.next(&self.shared) => {
                    let push = push?;
                    if !self.catch_up.is_news(&push) {
                        continue;
                    }
                    let Push { text, cursor, since } = push;
                    if let Some(since) = since {
                        since.until(clock::now()).report(&self.shared.metrics);
                    }
                    return Some(self.event(&text, cursor));
                }
                changed = self.health.changed() => {
                    changed.ok()?;
                    let status = self.health.borrow_and_update().status();
                    return Some(self.event(&status, None));
                }
            }
        }
    }

    fn event(&self, text: &Utf8Bytes, number: Option<i64>) -> Event {
        let event = Event::default().data(text.as_str());
        match number {
            Some(number) => event.id(Cursor { store: self.shared.store_id, number }.to_string()),
            None => event,
        }
    }
}

//! For those who look on: how all calls in progress stand (the supervisors'
//! wall), and how those stand that an agent has now (the agent's desk).
//!
//! Nothing of it is computed while nobody looks. While somebody does, one task
//! asks the shards once a second which calls may look otherwise than before,
//! and how those stand, a few at a time so that no event waits long; what
//! differs goes to all listeners. Whoever is new gets everything first, in the
//! same round in which the others get the differences, so nothing is lost
//! between the two.
//!
//! Deliberately absent: the words of calls. `/v1/calls/{call_id}/watch` has them.

mod listeners;
mod row;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use serde::Serialize;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_tungstenite::tungstenite::Utf8Bytes;

pub(crate) use listeners::{Audience, Live};
pub(crate) use row::LiveCall;

use crate::adapter::native;
use crate::server::config::{LIVE_FRAME_BYTES, LIVE_INTERVAL, LIVE_PIECE};
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::feeds::push;
use crate::server::feeds::push::Listener;
use crate::server::http::ws;
use crate::server::runtime::clock;
use crate::server::runtime::shard::Command;
use crate::server::telemetry::events::Connection;
use crate::server::{Shared, http};

/// What a shard has for an audience.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Calls that may look otherwise than before.
    pub(crate) call_ids: Vec<Arc<str>>,
    /// Calls that were shown and are no more.
    pub(crate) gone: Vec<Gone>,
}

/// A call that was shown and is no more.
#[derive(Debug)]
pub(crate) struct Gone {
    call_id: Arc<str>,
    /// Who had it when it was shown.
    agent_id: Arc<str>,
}

impl Gone {
    pub(crate) fn new(shown: &LiveCall) -> Self {
        Self { call_id: Arc::clone(&shown.call_id), agent_id: Arc::clone(&shown.agent_id) }
    }
}

/// How a call stands, and to whom that is news.
#[derive(Debug)]
pub(crate) struct Look {
    call: Arc<LiveCall>,
    /// Who had it when it was shown last, if that was somebody else.
    was: Option<Arc<str>>,
    is_new_on_wall: bool,
    is_new_on_desk: bool,
}

impl Look {
    pub(crate) fn new(call: Arc<LiveCall>, before: Option<&LiveCall>) -> Self {
        Self {
            was: before.filter(|before| before.agent_id != call.agent_id).map(|before| Arc::clone(&before.agent_id)),
            is_new_on_wall: before.is_none_or(|before| call.differs_on_wall(before)),
            is_new_on_desk: before.is_none_or(|before| call.differs_on_desk(before)),
            call,
        }
    }
}

/// Serves all who look on, until the server drains.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut sampler = Sampler { desks: HashMap::new(), is_idle: true };
    let mut beat = tokio::time::interval(LIVE_INTERVAL);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::select! {
        () = shared.draining.cancelled() => {}
        _ = sampler.serve(&shared, &mut beat) => {}
    }
}

/// What asks the shards.
#[derive(Debug)]
struct Sampler {
    /// By agent whose desk somebody looks at.
    desks: HashMap<Arc<str>, Desk>,
    /// Nobody looked on in the last round, and the shards know.
    is_idle: bool,
}

/// The calls that an agent has now.
#[derive(Debug, Default)]
struct Desk {
    calls: BTreeMap<Arc<str>, Arc<LiveCall>>,
    has_changed: bool,
}

impl Sampler {
    /// Ends when the shards do.
    async fn serve(&mut self, shared: &Shared, beat: &mut Interval) -> Result<(), Refusal> {
        loop {
            if self.is_idle {
                shared.live.somebody().await;
            }
            beat.tick().await;
            self.round(shared).await?;
        }
    }

    /// Asks all shards once and tells everybody what is news to them.
    async fn round(&mut self, shared: &Shared) -> Result<(), Refusal> {
        let audience = Arc::new(shared.live.audience(|agent_id| self.desks.contains_key(agent_id)));
        self.is_idle = audience.is_empty();
        self.desks.retain(|agent_id, _| audience.desks.contains(agent_id));
        for agent_id in &audience.fresh_desks {
            self.desks.insert(Arc::clone(agent_id), Desk::default());
        }
        let at = clock::wall_now(shared.config.utc_offset).to_rfc3339_opts(chrono::SecondsFormat::Millis, false);
        let mut all = audience.wall_is_fresh.then(|| Frames::new(true, &at));
        let mut news = Frames::new(false, &at);
        for shard in 0..shared.shards.count() {
            let asked = Arc::clone(&audience);
            let listing = shared.shards.ask(shard, |reply| Command::List { audience: asked, reply }).await?;
            for Gone { call_id, agent_id } in listing.gone {
                self.take_away(&agent_id, &call_id);
                news.gone.push(call_id);
            }
            for piece in listing.call_ids.chunks(LIVE_PIECE) {
                let call_ids = piece.to_vec();
                let looks = shared.shards.ask(shard, |reply| Command::Look { call_ids, reply }).await?;
                for look in looks {
                    if audience.wall && (all.is_some() || look.is_new_on_wall) {
                        let json = look.call.wall_json();
                        if look.is_new_on_wall {
                            news.add(&json);
                        }
                        if let Some(all) = &mut all {
                            all.add(&json);
                        }
                    }
                    self.put(look);
                }
            }
        }
        if audience.wall {
            shared.live.tell_wall(audience.round, all.map(Frames::finish).unwrap_or_default(), &news.finish());
        }
        self.tell_desks(shared, &audience);
        Ok(())
    }

    /// Puts a call on the desk of who has it now.
    fn put(&mut self, Look { call, was, is_new_on_desk, .. }: Look) {
        if let Some(was) = was {
            self.take_away(&was, &call.call_id);
        }
        if let Some(desk) = self.desks.get_mut(&call.agent_id) {
            let is_new = desk.calls.insert(Arc::clone(&call.call_id), call).is_none();
            desk.has_changed |= is_new || is_new_on_desk;
        }
    }

    fn take_away(&mut self, agent_id: &Arc<str>, call_id: &Arc<str>) {
        if let Some(desk) = self.desks.get_mut(agent_id) {
            desk.has_changed |= desk.calls.remove(call_id).is_some();
        }
    }

    fn tell_desks(&mut self, shared: &Shared, audience: &Audience) {
        let now = clock::now();
        for (agent_id, desk) in &mut self.desks {
            let has_changed = std::mem::take(&mut desk.has_changed);
            if has_changed || audience.new_desks.contains(agent_id) {
                let calls: Vec<_> = desk.calls.values().map(|call| call.desk_row(now)).collect();
                let frame = DeskFrame { kind: "desk", calls };
                let text = Utf8Bytes::from(serde_json::to_string(&frame).unwrap_or_default());
                shared.live.tell_desk(audience.round, agent_id, &text, has_changed);
            }
        }
    }
}

#[derive(Serialize)]
struct DeskFrame<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    calls: Vec<row::DeskRow<'a>>,
}

/// Rows of calls, in frames that are not too long.
struct Frames<'a> {
    is_snapshot: bool,
    at: &'a str,
    /// The rows of each frame, with commas between them.
    rows: Vec<String>,
    gone: Vec<Arc<str>>,
}

impl<'a> Frames<'a> {
    fn new(is_snapshot: bool, at: &'a str) -> Self {
        Self { is_snapshot, at, rows: Vec::new(), gone: Vec::new() }
    }

    fn add(&mut self, row: &str) {
        match self.rows.last_mut() {
            Some(rows) if rows.len() + row.len() < LIVE_FRAME_BYTES => {
                rows.push(',');
                rows.push_str(row);
            }
            _ => self.rows.push(row.to_owned()),
        }
    }

    /// The frames; of a snapshot at least one, of news none if there are none.
    /// What is gone stands in the first: its id may be that of another call already.
    fn finish(mut self) -> Vec<Utf8Bytes> {
        if self.rows.is_empty() && (self.is_snapshot || !self.gone.is_empty()) {
            self.rows.push(String::new());
        }
        let Self { is_snapshot, at, rows, gone } = self;
        let last = rows.len().saturating_sub(1);
        let frame = |(number, rows): (usize, String)| {
            let gone: &[Arc<str>] = if number == 0 { &gone } else { &[] };
            let gone: Vec<&str> = gone.iter().map(|call_id| &**call_id).collect();
            let gone = serde_json::to_string(&gone).unwrap_or_default();
            let more = number < last;
            format!(
                r#"{{"type":"calls","snapshot":{is_snapshot},"more":{more},"at":"{at}","calls":[{rows}],"gone":{gone}}}"#
            )
        };
        rows.into_iter().enumerate().map(frame).map(Utf8Bytes::from).collect()
    }
}

/// WebSocket: how all calls in progress stand.
#[utoipa::path(get, path = "/v1/live", tag = "live", responses(
    (status = 101, description = "A WebSocket / WebSocket"),
    (status = 400, description = "The handshake is wrong / 握手有误", body = ErrorMessage),
    (status = 426, description = "Not a WebSocket request / 不是 WebSocket 请求", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn wall(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    if !http::wants_websocket(&request) {
        return http::upgrade_required();
    }
    let Ok((first, subscription)) = shared.live.watch_wall() else {
        return http::refused(StatusCode::SERVICE_UNAVAILABLE, &Refusal::TooManySubscribers);
    };
    let serving = Arc::clone(&shared);
    ws::upgrade(&shared, &shared.subscribers, request, async move |socket| {
        let _open = Connection::open(&serving.metrics, "live");
        push::serve(&serving, socket, Listener::Wall(first), subscription).await;
    })
}

/// WebSocket: how the calls stand that an agent has now.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/desk", tag = "live", params(
    ("agent_id" = String, Path, description = "Whose / 坐席"),
), responses(
    (status = 101, description = "A WebSocket / WebSocket"),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 426, description = "Not a WebSocket request / 不是 WebSocket 请求", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn desk(
    State(shared): State<Arc<Shared>>,
    Path(agent_id): Path<String>,
    request: Request<Body>,
) -> Response {
    if let Err(fault) = native::check_id("agent_id", &agent_id) {
        return http::error(StatusCode::BAD_REQUEST, "invalid_query", &fault.to_string());
    }
    if !http::wants_websocket(&request) {
        return http::upgrade_required();
    }
    let Ok(subscription) = shared.live.watch_desk(&agent_id) else {
        return http::refused(StatusCode::SERVICE_UNAVAILABLE, &Refusal::TooManySubscribers);
    };
    let serving = Arc::clone(&shared);
    ws::upgrade(&shared, &shared.subscribers, request, async move |socket| {
        let _open = Connection::open(&serving.metrics, "desk");
        push::serve(&serving, socket, Listener::Desk, subscription).await;
    })
}

//! The live views: the state of all calls in progress for the supervisors' wall, and of one agent's
//! calls for the desk.
//!
//! Nothing is computed while there are no viewers and no threshold counts calls. Otherwise one task polls the shards once a
//! second: which calls may have changed, and their rows, a few at a time so that no event waits
//! long. Changes go to all viewers. A new viewer gets all calls in the same round in which the
//! others get the changes, so nothing is lost between the two.
//!
//! Deliberately absent: the words of calls. `/v1/calls/{call_id}/watch` has them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::server::clock;
use crate::server::config::{LIVE_FRAME_BYTES, LIVE_INTERVAL, LIVE_PIECE};
use crate::server::domain::refusal::Refusal;
use crate::server::runtime::Shared;
use crate::server::runtime::live::{Audience, DeskRow, Gone, LiveCall, Look};
use crate::server::runtime::shard::Command;

/// Serves all viewers, until the server drains.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut sampler = Sampler { desks: HashMap::new(), counted: HashMap::new(), is_idle: true };
    let mut beat = tokio::time::interval(LIVE_INTERVAL);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::select! {
        () = shared.draining.cancelled() => {}
        _ = sampler.serve(&shared, &mut beat) => {}
    }
}

/// The task that polls the shards.
#[derive(Debug)]
struct Sampler {
    /// The watched desks, by agent.
    desks: HashMap<Arc<str>, Desk>,
    /// All calls, where thresholds count them.
    counted: HashMap<Arc<str>, Arc<LiveCall>>,
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
                self.counted.remove(&call_id);
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
                    if shared.thresholds.counts_calls() {
                        self.counted.insert(Arc::clone(&look.call.call_id), Arc::clone(&look.call));
                    }
                    self.put(look);
                }
            }
        }
        if shared.thresholds.counts_calls() {
            let now = clock::now();
            shared.thresholds.measure(self.counted.values().filter_map(|call| call.counted(now)));
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
    calls: Vec<DeskRow<'a>>,
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
    /// The first frame has the closed calls: their ids may already belong to other calls.
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

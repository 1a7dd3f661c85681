//! A shard's part in the live views: the words of one watched call, and the rows of all its calls.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::adapter::alert_json::wall_time;
use crate::engine::time::CallTime;
use crate::server::domain::refusal::Refusal;
use crate::server::domain::terms::CloseReason;
use crate::server::runtime::live::{Audience, Listing, Look};
use crate::server::runtime::shard::{Shard, Whereabouts, guard};
use crate::server::runtime::subscription::{Push, Subscription};

impl Shard {
    /// Adds a supervisor to a call; returns the first message and the subscription.
    pub(super) fn watch(&mut self, call_id: &str, now: Instant) -> Result<(Push, Subscription), Refusal> {
        let slot = self.calls.get_mut(call_id).ok_or(Refusal::UnknownCall)?;
        let subscription = slot.watchers.get_or_insert_default().subscribe().ok_or(Refusal::TooManySubscribers)?;
        let info = slot.session().info();
        let hello = serde_json::json!({
            "type": "watching",
            "call_id": info.call_id,
            "agent_id": info.agent_id,
            "started_at": wall_time(info.started_at, CallTime::ANSWERED),
            "at_ms": slot.clock.at(now).0,
            "seq": slot.session().numbers().latest(),
            "asr_silent": slot.state.is_unheard(),
        });
        Ok((Push { text: Utf8Bytes::from(hello.to_string()), cursor: None, since: None }, subscription))
    }

    /// Where a call stands; `None` if it is not in progress.
    pub(super) fn find(&self, call_id: &str, now: Instant) -> Option<Whereabouts> {
        let (call_id, slot) = self.calls.get_key_value(call_id)?;
        let (info, clock) = (slot.session().info(), slot.clock.at(now));
        Some(Whereabouts {
            call_no: slot.state.call_no,
            call_id: Arc::clone(call_id),
            agent_id: Arc::clone(slot.session().agent_at(clock)),
            queue: info.queue.clone(),
            started_at: info.started_at.to_rfc3339(),
            started_ms: info.started_at.timestamp_millis(),
            clock,
            is_over: slot.ended.is_some(),
            watchers: slot.watchers.clone(),
        })
    }

    /// The calls that may look otherwise to `audience` than before.
    pub(super) fn list(&mut self, audience: &Audience, now: Instant) -> Listing {
        let gone = std::mem::take(&mut self.gone);
        if audience.is_empty() {
            self.calls.values_mut().for_each(|slot| slot.shown = None);
            return Listing::default();
        }
        let concerned = self.calls.iter().filter(|(_, slot)| slot.concerns(audience, now));
        Listing { call_ids: concerned.map(|(call_id, _)| Arc::clone(call_id)).collect(), gone }
    }

    /// How a call stands; `None` if it is no more.
    pub(super) fn look(&mut self, call_id: &Arc<str>, now: Instant) -> Option<Look> {
        let (shared, slot) = (Arc::clone(&self.shared), self.calls.get_mut(call_id)?);
        let looked = guard(|| slot.look(&shared, call_id, now));
        if looked.is_err() {
            self.close(call_id, CloseReason::Panicked);
        }
        looked.ok()
    }
}

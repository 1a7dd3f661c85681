//! What one rule finds in recorded calls, sentence by sentence: its alerts under two wordings, and the
//! forbidden words that something kept from counting.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Recorded, Replayed, replay};
use crate::engine::alert::Alert;
use crate::engine::inspect::{NearMiss, near_misses};
use crate::engine::rule::RuleSet;
use crate::engine::transcript::{Input, Role, Utterance};
use crate::session::Session;

/// An alert of a call, by which wording it is raised.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The alert, as the later wording raises it where both do.
    pub alert: Alert,
    /// The earlier wording raises it.
    pub is_before: bool,
    /// The later wording raises it.
    pub is_after: bool,
}

/// What a rule makes of one call.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// In the order they were said.
    pub hits: Vec<Hit>,
    /// Under the later wording: what the second look holds back.
    pub held: Vec<Alert>,
    /// Under the later wording: what does not count.
    pub near: Vec<NearMiss>,
}

/// Replays one call through a rule as it was, if it was, and as it would be, each compiled alone; `None` if
/// the engine panicked.
#[must_use]
pub fn look(before: Option<&Arc<RuleSet>>, after: &Arc<RuleSet>, call: &Recorded) -> Option<Looked> {
    let mut hits: BTreeMap<String, Hit> = BTreeMap::new();
    if let Some(before) = before {
        for alert in replay(Session::explainable, before, call)?.alerts {
            hits.insert(alert.alert_id.clone(), Hit { alert, is_before: true, is_after: false });
        }
    }
    let Replayed { session, alerts, held } = replay(Session::explainable, after, call)?;
    for alert in alerts {
        let is_before = hits.contains_key(&alert.alert_id);
        hits.insert(alert.alert_id.clone(), Hit { alert, is_before, is_after: true });
    }
    let near = catch_unwind(AssertUnwindSafe(|| near_misses(session.call()))).ok()?;
    let mut hits: Vec<Hit> = hits.into_values().collect();
    hits.sort_by_key(|hit| hit.alert.at);
    Some(Looked { hits, held, near })
}

/// What the other party said last before an utterance of a call.
#[must_use]
pub fn said_before<'c>(call: &'c Recorded, utterance_id: &str) -> Option<&'c str> {
    let utterances = || {
        call.told.iter().filter_map(|told| match &told.input {
            Input::Utterance(utterance) if utterance.is_final => Some(utterance),
            _ => None,
        })
    };
    let own = utterances().find(|utterance| utterance.utterance_id == utterance_id)?;
    let is_other = |utterance: &&Utterance| {
        utterance.role != own.role && utterance.role != Role::System && utterance.start < own.start
    };
    utterances().filter(is_other).max_by_key(|utterance| utterance.start).map(|utterance| utterance.text.as_str())
}

//! Alerts as contract §2 words them, and whose alert it is.

use std::borrow::Cow;
use std::fmt::Write as _;

use chrono::{DateTime, FixedOffset, SecondsFormat, TimeDelta};
use serde::{Deserialize, Serialize};

use crate::engine::alert::{Alert, AlertKind, AlertState, Evidence, Severity};
use crate::engine::time::CallTime;
use crate::engine::transcript::CallInfo;

/// How many times a call may change hands and be remembered; beyond it, the
/// last one stands for all later ones.
pub const HANDOVERS_MAX: usize = 256;

/// One alert as it goes over the wire; the fields stand in the contract's order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct AlertJson<'a> {
    #[serde(rename = "type")]
    pub kind_of_message: Cow<'a, str>,
    pub alert_id: Cow<'a, str>,
    pub state: AlertState,
    pub call_id: Cow<'a, str>,
    pub agent_id: Cow<'a, str>,
    pub rule_id: Cow<'a, str>,
    pub rule_name: Cow<'a, str>,
    pub pack: Cow<'a, str>,
    pub rules_version: Cow<'a, str>,
    pub kind: AlertKind,
    pub severity: Severity,
    pub deduct: u32,
    pub clauses: Cow<'a, [String]>,
    pub at_ms: i64,
    pub emitted_at: String,
    pub evidence: Cow<'a, [Evidence]>,
    pub message: Cow<'a, str>,
    pub suggestion: Option<Cow<'a, str>>,
}

impl<'a> AlertJson<'a> {
    /// `alert` of the call `info`, for the agent who had it when it happened.
    #[must_use]
    pub fn new(alert: &'a Alert, info: &'a CallInfo, agent_id: &'a str, rules_version: &'a str) -> Self {
        let rule = &*alert.rule;
        Self {
            kind_of_message: Cow::Borrowed("alert"),
            alert_id: Cow::Borrowed(&alert.alert_id),
            state: alert.state,
            call_id: Cow::Borrowed(&info.call_id),
            agent_id: Cow::Borrowed(agent_id),
            rule_id: Cow::Borrowed(&rule.id),
            rule_name: Cow::Borrowed(&rule.name),
            pack: Cow::Borrowed(&rule.pack),
            rules_version: Cow::Borrowed(rules_version),
            kind: alert.kind,
            severity: rule.severity,
            deduct: rule.deduct,
            clauses: Cow::Borrowed(&rule.clauses),
            at_ms: alert.at.0,
            emitted_at: wall_time(info.started_at, alert.emitted),
            evidence: Cow::Borrowed(&alert.evidence),
            message: Cow::Borrowed(&alert.message),
            suggestion: rule.suggestion.as_deref().map(Cow::Borrowed),
        }
    }

    /// The JSON object.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings, numbers and string keys always serialise")
    }
}

/// `json`, an object, with a `cursor` as its last field. The cursor is only
/// known once the alert has its place in the agent's feed, and the object is
/// written before that, outside the feed's lock. `cursor` needs no escaping.
#[must_use]
pub fn with_cursor(mut json: String, cursor: &str) -> String {
    let closing = json.pop();
    debug_assert_eq!(closing, Some('}'), "an alert is an object");
    write!(json, ",\"cursor\":\"{cursor}\"}}").expect("writing to a string cannot fail");
    json
}

/// The wall time, as the call's producer counts it, of a moment of the call.
#[must_use]
pub fn wall_time(started_at: DateTime<FixedOffset>, at: CallTime) -> String {
    TimeDelta::try_milliseconds(at.0)
        .and_then(|since| started_at.checked_add_signed(since))
        .unwrap_or(started_at)
        .to_rfc3339_opts(SecondsFormat::Millis, false)
}

/// Who had the call when. An alert belongs to the agent who had the call at
/// the moment it is about, however late the verdict comes.
#[derive(Clone, Debug)]
pub struct Agents {
    first: String,
    /// By time; from each moment on, that agent.
    handovers: Vec<(CallTime, String)>,
}

impl Agents {
    /// The agent who answered.
    #[must_use]
    pub fn new(first: String) -> Self {
        Self { first, handovers: Vec::new() }
    }

    /// From `at` on, `agent_id` has the call.
    pub fn hand_over(&mut self, at: CallTime, agent_id: &str) {
        if self.at(at) == agent_id {
            return;
        }
        if self.handovers.len() >= HANDOVERS_MAX {
            self.handovers.pop();
        }
        let place = self.handovers.partition_point(|(earlier, _)| *earlier <= at);
        self.handovers.insert(place, (at, agent_id.to_owned()));
    }

    /// Who had the call at that moment.
    #[must_use]
    pub fn at(&self, at: CallTime) -> &str {
        let later = self.handovers.partition_point(|(from, _)| *from <= at);
        match later.checked_sub(1).and_then(|place| self.handovers.get(place)) {
            Some((_, agent_id)) => agent_id,
            None => &self.first,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::engine::rule::Rule;
    use crate::engine::transcript::{Channel, Direction, Role};

    #[test]
    fn an_alert_has_the_contract_s_fields_in_its_order() {
        let rule = Rule {
            id: "forbidden.dont-know".into(),
            name: "推诿".into(),
            pack: "forbidden".into(),
            kind: AlertKind::Forbidden,
            severity: Severity::Warning,
            deduct: 5,
            clauses: vec!["S1.40".into()],
            suggestion: None,
        };
        let alert = Alert {
            alert_id: "0a".into(),
            state: AlertState::Confirmed,
            rule: Arc::new(rule),
            kind: AlertKind::Forbidden,
            at: CallTime(8_120),
            emitted: CallTime(8_121),
            evidence: vec![Evidence {
                utterance_id: "u9".into(),
                role: Role::Agent,
                text: "这个我不知道".into(),
                start: 3,
                end: 6,
                phrase: "不知道".into(),
                homophone: false,
            }],
            message: "说了不知道".into(),
        };
        let info = CallInfo {
            call_id: "c1".into(),
            agent_id: "a7".into(),
            started_at: DateTime::parse_from_rfc3339("2026-11-21T10:00:00+08:00").unwrap(),
            direction: Direction::Inbound,
            channel: Channel::Voice,
            queue: None,
            rings: None,
            customer_name: None,
            packs: None,
            attributes: BTreeMap::new(),
        };
        let json = AlertJson::new(&alert, &info, "a7", "v1").to_json();
        assert_eq!(
            with_cursor(json, "1-2"),
            r#"{"type":"alert","alert_id":"0a","state":"confirmed","call_id":"c1","agent_id":"a7","rule_id":"forbidden.dont-know","rule_name":"推诿","pack":"forbidden","rules_version":"v1","kind":"forbidden","severity":"warning","deduct":5,"clauses":["S1.40"],"at_ms":8120,"emitted_at":"2026-11-21T10:00:08.121+08:00","evidence":[{"utterance_id":"u9","role":"agent","text":"这个我不知道","start":3,"end":6,"phrase":"不知道"}],"message":"说了不知道","suggestion":null,"cursor":"1-2"}"#
        );
    }

    #[test]
    fn a_call_belongs_to_whoever_had_it_then() {
        let mut agents = Agents::new("a1".into());
        agents.hand_over(CallTime(5_000), "a2");
        agents.hand_over(CallTime(9_000), "a3");
        agents.hand_over(CallTime(9_500), "a3");
        let at = |ms| agents.at(CallTime(ms));
        assert_eq!(
            [at(0), at(4_999), at(5_000), at(8_999), at(9_000), at(60_000)],
            ["a1", "a1", "a2", "a2", "a3", "a3"]
        );
        assert_eq!(agents.handovers.len(), 2);
    }
}

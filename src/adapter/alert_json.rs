//! Alerts in the wire format of `docs/events.md`.

use std::borrow::Cow;
use std::fmt::Write as _;

use chrono::{DateTime, FixedOffset, SecondsFormat, TimeDelta};
use serde::{Deserialize, Serialize};

#[cfg(feature = "learning")]
use crate::adapter::schema;
use crate::engine::alert::{Alert, AlertState, Evidence};
use crate::engine::privacy::{self, Running};
use crate::engine::severity::{AlertKind, Severity};
use crate::engine::time::CallTime;
use crate::engine::transcript::CallInfo;

/// One alert as it goes over the wire. `docs/events.md` lists the fields in this order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "learning", derive(utoipa::ToSchema))]
#[allow(missing_docs)]
pub struct AlertJson<'a> {
    #[serde(rename = "type")]
    pub kind_of_message: Cow<'a, str>,
    pub alert_id: Cow<'a, str>,
    #[cfg_attr(feature = "learning", schema(value_type = schema::AlertState))]
    pub state: AlertState,
    pub call_id: Cow<'a, str>,
    pub agent_id: Cow<'a, str>,
    pub rule_id: Cow<'a, str>,
    pub rule_name: Cow<'a, str>,
    pub pack: Cow<'a, str>,
    pub rules_version: Cow<'a, str>,
    #[cfg_attr(feature = "learning", schema(value_type = schema::AlertKind))]
    pub kind: AlertKind,
    #[cfg_attr(feature = "learning", schema(value_type = schema::Severity))]
    pub severity: Severity,
    pub deduct: u32,
    pub clauses: Cow<'a, [String]>,
    pub at_ms: i64,
    /// By when the words of a reminder are due, on the call's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_ms: Option<i64>,
    pub emitted_at: String,
    #[cfg_attr(feature = "learning", schema(value_type = Vec<schema::Evidence>))]
    pub evidence: Cow<'a, [Evidence]>,
    /// How often the utterance says the forbidden words; left out when once.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub count: u32,
    pub message: Cow<'a, str>,
    pub suggestion: Option<Cow<'a, str>>,
    /// How sure the second look is that a reviewer marks the forbidden words, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// `held`: too unsure to be shown, kept for quality assurance; `shadow`: the rule is on trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<Cow<'a, str>>,
}

const fn once() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_once(count: &u32) -> bool {
    *count == 1
}

impl<'a> AlertJson<'a> {
    /// `alert` of the call `info`.
    #[must_use]
    pub fn new(alert: &'a Alert, info: &'a CallInfo, rules_version: &'a str) -> Self {
        let rule = &*alert.rule;
        Self {
            kind_of_message: Cow::Borrowed("alert"),
            alert_id: Cow::Borrowed(&alert.alert_id),
            state: alert.state,
            call_id: Cow::Borrowed(&info.call_id),
            agent_id: Cow::Borrowed(&alert.agent_id),
            rule_id: Cow::Borrowed(&rule.id),
            rule_name: Cow::Borrowed(&rule.name),
            pack: Cow::Borrowed(&rule.pack),
            rules_version: Cow::Borrowed(rules_version),
            kind: alert.kind,
            severity: rule.severity,
            deduct: rule.deduct,
            clauses: Cow::Borrowed(&rule.clauses),
            at_ms: alert.at.0,
            due_ms: (alert.state == AlertState::Reminder).then_some(alert.at.0),
            emitted_at: wall_time(info.started_at, alert.emitted),
            evidence: Cow::Borrowed(&alert.evidence),
            count: alert.count,
            message: Cow::Borrowed(&alert.message),
            suggestion: rule.suggestion.as_deref().map(Cow::Borrowed),
            display: match (rule.shadow, alert.held) {
                (true, _) => Some(Cow::Borrowed("shadow")),
                (false, true) => Some(Cow::Borrowed("held")),
                (false, false) => None,
            },
            confidence: alert.confidence.map(|share| f64::from(share / 100) / 100.0),
        }
    }

    /// Masks personal data in evidence and message, for everybody except the agent of the
    /// live call: stores, exports, supervisors. The evidence reads as it does in the call,
    /// because a number may be read out over several utterances.
    #[must_use]
    pub fn masked(mut self, words: &Running) -> Self {
        let mut message = self.message.to_string();
        for index in 0..self.evidence.len() {
            let Evidence { utterance_id, role, text, start, end, .. } = &self.evidence[index];
            let masked = words.words(utterance_id, *role, text);
            if masked == *text {
                continue;
            }
            // The message may quote the phrase.
            let quoted = |text: &str| text.chars().take(*end).skip(*start).collect::<String>();
            let (said, shown) = (quoted(text), quoted(&masked));
            if said != shown {
                message = message.replace(&said, &shown);
            }
            self.evidence.to_mut()[index].text = masked;
        }
        if let Cow::Owned(masked) = privacy::mask(&message) {
            message = masked;
        }
        if message != self.message {
            self.message = Cow::Owned(message);
        }
        self
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::engine::rule::Rule;
    use crate::engine::transcript::{Channel, Direction, Role, Utterance};

    fn alert(texts: &[&str], message: &str) -> Alert {
        let rule = Rule {
            id: "forbidden.dont-know".into(),
            name: "推诿".into(),
            pack: "forbidden".into(),
            kind: AlertKind::Forbidden,
            severity: Severity::Warning,
            deduct: 5,
            clauses: vec!["S1.40".into()],
            suggestion: None,
            shadow: false,
            digest: String::new(),
        };
        let evidence = texts.iter().map(|&text| Evidence {
            utterance_id: "u9".into(),
            role: Role::Agent,
            text: text.into(),
            start: 3,
            end: 6,
            phrase: "不知道".into(),
            homophone: false,
            offset: 0,
        });
        Alert {
            alert_id: "0a".into(),
            state: AlertState::Confirmed,
            rule: Arc::new(rule),
            agent_id: "a7".into(),
            kind: AlertKind::Forbidden,
            at: CallTime(8_120),
            emitted: CallTime(8_121),
            evidence: evidence.collect(),
            message: message.into(),
            count: 1,
            confidence: Some(8_213),
            held: false,
        }
    }

    fn info() -> CallInfo {
        CallInfo {
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
        }
    }

    #[test]
    fn masked_alerts_show_no_numbers_of_persons() {
        let mut words = Running::default();
        let mut alert = alert(&["这个我不知道，您打138", "0013", "8000吧"], "读出了手机号幺三八零零幺三八零零零");
        for (number, evidence) in alert.evidence.iter_mut().enumerate() {
            evidence.utterance_id = format!("u{number}");
            words.say(&Utterance {
                utterance_id: evidence.utterance_id.clone(),
                role: evidence.role,
                text: evidence.text.clone(),
                start: CallTime(0),
                end: CallTime(0),
                is_final: true,
                confidence: None,
                volume_db: None,
                pitch_hz: None,
                agent_id: None,
            });
        }
        let info = info();
        let masked = AlertJson::new(&alert, &info, "v1").masked(&words);
        let texts: Vec<&str> = masked.evidence.iter().map(|evidence| evidence.text.as_str()).collect();
        assert_eq!(texts, ["这个我不知道，您打138", "****", "8000吧"]);
        assert_eq!(masked.message, "读出了手机号幺三八****八零零零");
        assert_eq!((masked.evidence[0].start, masked.evidence[0].end), (3, 6));
    }

    #[test]
    fn an_alert_has_the_documented_fields_in_their_order() {
        let (alert, info) = (alert(&["这个我不知道"], "说了不知道"), info());
        let json = AlertJson::new(&alert, &info, "v1").to_json();
        assert_eq!(
            with_cursor(json, "1-2"),
            r#"{"type":"alert","alert_id":"0a","state":"confirmed","call_id":"c1","agent_id":"a7","rule_id":"forbidden.dont-know","rule_name":"推诿","pack":"forbidden","rules_version":"v1","kind":"forbidden","severity":"warning","deduct":5,"clauses":["S1.40"],"at_ms":8120,"emitted_at":"2026-11-21T10:00:08.121+08:00","evidence":[{"utterance_id":"u9","role":"agent","text":"这个我不知道","start":3,"end":6,"phrase":"不知道"}],"message":"说了不知道","suggestion":null,"confidence":0.82,"cursor":"1-2"}"#
        );
    }
}

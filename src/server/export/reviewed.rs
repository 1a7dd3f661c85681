//! Turns that reviewers judged: what `tingjian learn --data` learns from.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::FixedOffset;

use crate::adapter::alert_json::AlertJson;
use crate::adapter::native::{self, Event, EventBody};
use crate::engine::act::Label;
use crate::engine::alert::AlertState;
use crate::engine::severity::AlertKind;
use crate::engine::transcript::{Channel, Input, Role, Utterance};
use crate::learning::Row;
use crate::server::config::{Config, EXPORT_PAGE};
use crate::server::domain::review::{Appeal, Verdict};
use crate::server::filter::{BadQuery, Parameters};
use crate::server::store::{AlertFilter, FoundAlert, Order, Readers, Span, StoreError, Transcript, read_of};

/// The reviewed turns of a store.
#[derive(Clone, Debug, Default)]
pub struct ReviewedTurns {
    /// In the order of their calls.
    pub turns: Vec<ReviewedTurn>,
    /// Reviewed alerts about forbidden words.
    pub alerts: usize,
    /// Turns left out: their words are no longer kept, or are not the agent's.
    pub left_out: usize,
}

/// A turn of an agent about which QA decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewedTurn {
    /// Spoken, or typed.
    pub channel: Channel,
    /// The words.
    pub text: String,
    /// The customer's last words before it.
    pub prev: String,
    /// The agent's last words before it.
    pub own_prev: String,
    /// Whether any alert about it stands.
    pub is_violation: bool,
}

/// The utterances of one call that alerts were about, and whether any of the alerts stands.
type Judged = BTreeMap<String, bool>;

impl From<ReviewedTurn> for Row {
    fn from(ReviewedTurn { channel, text, prev, own_prev, is_violation }: ReviewedTurn) -> Self {
        let verdict = if is_violation { Label::Yes } else { Label::No };
        Self { channel, ..Self::of_site(text, prev, own_prev, verdict) }
    }
}

/// The span between two days or times, either of which may be open.
pub(crate) fn reviewed_span(from: Option<&str>, to: Option<&str>, zone: FixedOffset) -> Result<Span, BadQuery> {
    let values = [("from", from), ("to", to)];
    let values = values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    Parameters::of(values.collect()).span(zone)
}

impl ReviewedTurns {
    /// Reads the store in `directory`; a server may be running on it. `from` and `to` are those of
    /// an export. An alert that QA confirmed, or whose appeal was rejected, makes its turn a
    /// violation; turns all of whose alerts were dismissed or appealed with success are none.
    ///
    /// # Errors
    /// There is no store, or the span cannot be understood; ready to print.
    pub fn read(directory: &Path, from: Option<&str>, to: Option<&str>, config: &Config) -> Result<Self, String> {
        let span =
            reviewed_span(from, to, config.utc_offset).map_err(|bad| format!("--{}: {}", bad.field, bad.message))?;
        let readers = read_of(config, directory, true).map_err(|error| error.to_string())?;
        Self::of(&readers, span).map_err(|error| error.to_string())
    }

    /// The reviewed turns of a span.
    pub(crate) fn of(readers: &Readers, span: Span) -> Result<Self, StoreError> {
        let all = AlertFilter { span, states: vec![AlertState::Confirmed], with_held: true, ..AlertFilter::default() };
        let reviewed = AlertFilter { verdicts: vec![Verdict::Confirmed, Verdict::Dismissed], ..all.clone() };
        let decided = AlertFilter {
            verdicts: vec![Verdict::Unreviewed],
            appeals: vec![Appeal::Granted, Appeal::Rejected],
            ..all
        };
        let mut found = Self::default();
        let mut calls: BTreeMap<i64, Judged> = BTreeMap::new();
        for filter in [reviewed, decided] {
            found.gather(readers, &filter, &mut calls)?;
        }
        for (call_no, judged) in calls {
            let transcript = readers.transcript(call_no)?;
            let turns = transcript.map(|transcript| turns(&transcript, &judged)).unwrap_or_default();
            found.left_out += judged.len() - turns.len();
            found.turns.extend(turns);
        }
        Ok(found)
    }

    fn gather(
        &mut self,
        readers: &Readers,
        filter: &AlertFilter,
        calls: &mut BTreeMap<i64, Judged>,
    ) -> Result<(), StoreError> {
        let mut behind = None;
        loop {
            let page = readers.alerts(filter, Order::OldestFirst, behind, None, EXPORT_PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            behind = Some(last.place);
            for FoundAlert { call_no, json, review, .. } in page {
                // What this program did not write teaches nothing.
                let Ok(alert) = serde_json::from_str::<AlertJson<'_>>(&json) else { continue };
                if alert.kind != AlertKind::Forbidden {
                    continue;
                }
                self.alerts += 1;
                // Where an alert rests on several utterances, the last one made it.
                let own = alert.evidence.iter().rev().find(|evidence| evidence.role == Role::Agent);
                match own {
                    Some(own) => {
                        let stands = calls.entry(call_no).or_default().entry(own.utterance_id.clone()).or_default();
                        *stands |= review.standing.is_upheld();
                    }
                    None => self.left_out += 1,
                }
            }
        }
    }
}

/// The judged turns of a call, each with what was said before it.
fn turns(transcript: &Transcript, judged: &Judged) -> Vec<ReviewedTurn> {
    let Ok(Event { body: EventBody::Start(info), .. }) = native::parse(&transcript.start) else { return Vec::new() };
    let mut said: BTreeMap<String, Utterance> = BTreeMap::new();
    for (_, json) in &transcript.told {
        if let Ok(Event { body: EventBody::Input(Input::Utterance(utterance)), .. }) = native::parse(json)
            && (utterance.is_final || said.get(&utterance.utterance_id).is_none_or(|known| !known.is_final))
        {
            said.insert(utterance.utterance_id.clone(), utterance);
        }
    }
    let mut said: Vec<Utterance> = said.into_values().filter(|utterance| !utterance.text.trim().is_empty()).collect();
    said.sort_by_key(|utterance| utterance.start);
    let (mut prev, mut own_prev) = (String::new(), String::new());
    let mut turns = Vec::new();
    for Utterance { utterance_id, role, text, .. } in said {
        match role {
            Role::Agent => {
                if let Some(&is_violation) = judged.get(&utterance_id) {
                    let (prev, own_prev) = (prev.clone(), own_prev.clone());
                    turns.push(ReviewedTurn {
                        channel: info.channel,
                        text: text.clone(),
                        prev,
                        own_prev,
                        is_violation,
                    });
                }
                own_prev = text;
            }
            Role::Customer => prev = text,
            Role::System => {}
        }
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::time::CallTime;

    #[test]
    fn a_turn_has_the_last_words_of_either_side_before_it() {
        let says = |id: &str, role: &str, at: i64, text: &str| {
            let json = format!(
                r#"{{"type":"utterance","call_id":"c","utterance_id":"{id}","role":"{role}","text":"{text}","start_ms":{at},"end_ms":{at},"final":true}}"#
            );
            (CallTime(at), json)
        };
        let start = r#"{"type":"call.start","call_id":"c","agent_id":"a","started_at":"2026-11-21T10:00:00+08:00","channel":"chat"}"#;
        let transcript = Transcript {
            start: start.to_owned(),
            told: vec![
                says("a1", "agent", 1_000, "您好"),
                says("a2", "agent", 3_000, "不知道"),
                // Told late, said before.
                says("c1", "customer", 2_000, "怎么办"),
                says("a2", "agent", 3_000, "我不知道"),
                says("s1", "system", 3_500, "请稍候"),
                says("a3", "agent", 4_000, "没办法"),
            ],
        };
        let judged = [("a2", true), ("a3", false), ("gone", true)];
        let judged = judged.into_iter().map(|(id, stands)| (id.to_owned(), stands)).collect();
        let told: Vec<_> = turns(&transcript, &judged)
            .into_iter()
            .map(|turn| (turn.channel, [turn.own_prev, turn.prev, turn.text].join("|"), turn.is_violation))
            .collect();
        let expected = [("您好|怎么办|我不知道", true), ("我不知道|怎么办|没办法", false)];
        assert_eq!(told, expected.map(|(words, stands)| (Channel::Chat, words.to_owned(), stands)));
    }
}

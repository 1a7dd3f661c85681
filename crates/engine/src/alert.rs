//! Alerts, their states and their stable ids. `docs/events.md` describes them as they go over the wire.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::rule::Rule;
use super::severity::AlertKind;
pub use super::severity::AlertState;
use super::time::CallTime;
use super::transcript::Role;

/// The words an alert rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Which utterance.
    pub utterance_id: String,
    /// The role of the speaker.
    pub role: Role,
    /// The utterance as it came; of a long one the part around the phrase.
    pub text: String,
    /// Where the phrase begins in `text`, in Unicode scalar values.
    pub start: usize,
    /// Where it ends, exclusive.
    pub end: usize,
    /// The phrase as the rule words it; empty when the whole utterance is meant.
    pub phrase: String,
    /// The words only sound like the phrase (同音).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub homophone: bool,
    /// How many characters of the utterance stand before `text`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offset: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Characters of an utterance that an alert shows on either side of a phrase, and of a whole utterance twice as many.
const CLIP_CHARS: usize = 200;

/// A part of an utterance, and where the span that it was taken for stands in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Clip {
    pub(crate) text: String,
    /// The beginning of the span in `text`, in characters.
    pub(crate) start: usize,
    /// The end of the span in `text`, exclusive.
    pub(crate) end: usize,
    /// The characters of the utterance before `text`.
    pub(crate) offset: usize,
}

/// The part of `raw` around `span`, both in characters; a number that the cut would part is left out whole.
pub(crate) fn clip(raw: &str, span: Range<usize>) -> Clip {
    let from = span.start.saturating_sub(CLIP_CHARS);
    // Of a span that is too long itself the beginning is shown.
    let shown = span.end.min(span.start + 2 * CLIP_CHARS);
    let until = if shown < span.end { shown } else { shown + CLIP_CHARS };
    let mut chars: Vec<char> = raw.chars().skip(from).take(until - from + 1).collect();
    let is_cut = chars.len() > until - from;
    chars.truncate(until - from);
    let start = span.start - from;
    let mut last = chars.len();
    if is_cut {
        let free = if shown < span.end { start } else { shown - from };
        last -= chars[free..].iter().rev().take_while(|&&c| may_be_of_number(c)).count();
    }
    let first = if from > 0 { chars[..start].iter().take_while(|&&c| may_be_of_number(c)).count() } else { 0 };
    let end = (shown - from).min(last) - first;
    Clip { text: chars[first..last].iter().collect(), start: start - first, end, offset: from + first }
}

/// Whether a number of a person may have this character in it, spoken or written.
fn may_be_of_number(c: char) -> bool {
    c.is_numeric()
        || !c.is_alphanumeric()
        || "零〇一二两三四五六七八九幺壹贰叁肆伍陆柒捌玖拾十百千万点杠横xX".contains(c)
}

/// One transition of one alert. The fields that a rule fixes (`rule_name`,
/// `severity`, `suggestion`, …) are read from `rule`.
#[derive(Clone, Debug)]
pub struct Alert {
    /// A pure function of call, rule and occurrence; see [`alert_id`].
    pub alert_id: String,
    /// The state it enters.
    pub state: AlertState,
    /// The rule that raised it.
    pub rule: Arc<Rule>,
    /// The agent who had the call at that moment.
    pub agent_id: Arc<str>,
    /// The kind of the violation.
    pub kind: AlertKind,
    /// When it was said, or was due.
    pub at: CallTime,
    /// The call's clock when this transition came out.
    pub emitted: CallTime,
    /// The words it rests on, in the order they were said.
    pub evidence: Vec<Evidence>,
    /// The rule's message with its placeholders filled.
    pub message: String,
    /// How often the utterance says it.
    pub count: u32,
    /// How sure the second look is that a reviewer marks what was said, in ten
    /// thousandths; `None` without a model, and for anything but forbidden words.
    pub confidence: Option<u16>,
    /// The second look is less sure than the rule asks for: kept for quality
    /// assurance, shown to no agent, without a deduction.
    pub held: bool,
}

/// The id of one occurrence: the first 16 hexadecimal digits of the SHA-256 of
/// call, rule and occurrence. A replay gives the same ids.
#[must_use]
pub fn alert_id(call_id: &str, rule_id: &str, occurrence: &str) -> String {
    let mut hash = Sha256::new();
    for part in [call_id, rule_id, occurrence] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

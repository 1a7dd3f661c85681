//! Written lines as if they were spoken: calls made of texts.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::DateTime;

use crate::engine::alert::Alert;
use crate::engine::call::Call;
use crate::engine::rule::RuleSet;
use crate::engine::time::CallTime;
use crate::engine::transcript::{CallInfo, Channel, Direction, Input, Role, Utterance};
use crate::session::last_states;

/// A single turn stands in the middle of a call, where no rule about the beginning looks.
pub const MIDDLE: CallTime = CallTime(120_000);

/// How long a character takes to say.
const CHARACTER_MS: i64 = 250;
/// The pause between two turns.
const PAUSE_MS: i64 = 500;

/// The rules and settings that calls are made with.
#[derive(Clone, Debug)]
pub struct Bench {
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// `None` is all that are enabled.
    pub packs: Option<Vec<String>>,
    /// How the calls are held.
    pub channel: Channel,
}

/// A call that was played to its end.
#[derive(Debug)]
pub struct Played {
    /// The alerts that stand and are shown, in order of time.
    pub alerts: Vec<Alert>,
    call: Call,
}

impl Played {
    /// How sure the second look is of the words of line `n`, in ten thousandths; `None` without a model.
    #[must_use]
    pub fn verdict(&self, n: &str) -> Option<u16> {
        self.call.verdict(n)
    }
}

impl Bench {
    /// The rules whose forbidden phrases the last of `lines` holds.
    pub fn found<'t>(&self, lines: impl Iterator<Item = (Role, &'t str)>) -> Vec<u32> {
        let mut last = 0;
        let call = self.call(
            MIDDLE,
            lines.enumerate().map(|(number, line)| {
                last = number;
                line
            }),
        );
        call.found(&last.to_string())
    }

    /// Plays a call whose first words begin at `start`, and which is cut off after the last ones.
    /// The words of line `n` are the utterance `n`.
    pub fn play<'t>(&self, start: CallTime, lines: impl Iterator<Item = (Role, &'t str)>) -> Played {
        let mut call = self.call(start, lines);
        call.finish();
        let transitions = std::iter::from_fn(|| call.poll_output()).collect::<Vec<_>>();
        let mut alerts = last_states(transitions);
        alerts.sort_by(|a, b| (a.at, &a.rule.id).cmp(&(b.at, &b.rule.id)));
        Played { alerts, call }
    }

    /// A call in which `lines` were said, the first at `start`.
    fn call<'t>(&self, start: CallTime, lines: impl Iterator<Item = (Role, &'t str)>) -> Call {
        let info = CallInfo {
            call_id: String::from("eval"),
            agent_id: String::from("agent"),
            // Two in the afternoon, in China.
            started_at: DateTime::from_timestamp(1_767_247_200, 0).unwrap_or_default().fixed_offset(),
            direction: Direction::Inbound,
            channel: self.channel,
            queue: None,
            rings: None,
            customer_name: None,
            packs: self.packs.clone(),
            attributes: BTreeMap::new(),
        };
        let mut call = Call::new(Arc::clone(&self.rules), info);
        let mut clock = start;
        for (number, (role, text)) in lines.enumerate() {
            let chars = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
            let end = clock.plus(chars.saturating_mul(CHARACTER_MS));
            let utterance = Utterance {
                utterance_id: number.to_string(),
                role,
                text: text.to_owned(),
                start: clock,
                end,
                is_final: true,
                confidence: None,
                volume_db: None,
                pitch_hz: None,
                agent_id: None,
            };
            call.handle(end, Input::Utterance(utterance));
            clock = end.plus(PAUSE_MS);
        }
        call
    }
}

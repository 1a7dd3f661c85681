//! The part of a call's state that its history alone decides. The shard and the
//! recovery after a restart move it through the same [`CallState::apply`], so a
//! restart comes to the state that the server had before it.
//!
//! Deliberately absent: clocks, connections and the store. The moments that
//! only a running server knows are the slot's.

use std::collections::BTreeMap;

use crate::adapter::native::Number;
use crate::engine::alert::Alert;
use crate::engine::time::CallTime;
use crate::engine::transcript::{Channel, Input, Party};
use crate::server::config::LEFT_OPEN_MAX;
use crate::server::store::{Entry, Json};
use crate::session::Session;

/// The state of a call in progress, as far as its history decides it.
#[derive(Debug)]
pub(crate) struct CallState {
    pub(crate) call_no: i64,
    pub(crate) session: Session,
    /// The latest moment at which it was moved.
    at: CallTime,
    /// Recognisers' connections that joined it.
    legs: u32,
    /// The time and the party of its `call.end`.
    end: Option<(CallTime, Party)>,
    /// The last hypotheses of utterances without a final, by utterance.
    left_open: BTreeMap<String, Hypothesis>,
    /// How many hypotheses came.
    hypotheses: u64,
    /// Whether words are expected: not in chats, not on hold, not after the end.
    is_speech_expected: bool,
    /// The agent was told that no words come, and none have come since.
    is_speech_missed: bool,
}

/// A hypothesis that no final replaced yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hypothesis {
    /// Its place among those of its call.
    no: u64,
    /// The call's time when it came.
    pub(crate) now: CallTime,
    pub(crate) json: Json,
}

/// A cause that moves a call.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The call was answered.
    Start,
    /// A producer sent an event.
    Told { number: Number, input: Input, json: Json },
    /// A recogniser's connection joined.
    Leg,
    /// Time went on.
    Tick,
    /// No words came for so long that the agent gets a notice.
    Unheard,
    /// The call is about to be closed: nothing more will come.
    Finish,
}

/// The outcome of one cause.
#[derive(Debug)]
pub(crate) struct Applied {
    /// The alerts that it raised or changed, in order.
    pub(crate) alerts: Vec<Alert>,
    /// The event stays when the call is over.
    pub(crate) is_kept: bool,
    /// A hypothesis for which there is no room any more: it stays as it is.
    pub(crate) left_open: Option<Hypothesis>,
    /// The silence of the recogniser counts from here.
    pub(crate) is_heard: bool,
    /// Words came again after the agent was told that none come.
    pub(crate) is_heard_again: bool,
    /// From here on more is found than is told.
    pub(crate) is_too_much: bool,
}

impl Cause {
    /// The cause as the journal keeps it; `None` if it is kept otherwise.
    pub(crate) fn entry(&self) -> Option<Entry> {
        match self {
            Self::Told { json, .. } => Some(Entry::Event(json.clone())),
            Self::Leg => Some(Entry::Leg),
            Self::Tick => Some(Entry::Tick),
            Self::Unheard => Some(Entry::Unheard),
            Self::Start | Self::Finish => None,
        }
    }
}

impl CallState {
    /// A call that was just answered.
    pub(crate) fn new(call_no: i64, session: Session) -> Self {
        let is_speech_expected = session.info().channel == Channel::Voice;
        Self {
            call_no,
            session,
            at: CallTime::ANSWERED,
            legs: 0,
            end: None,
            left_open: BTreeMap::new(),
            hypotheses: 0,
            is_speech_expected,
            is_speech_missed: false,
        }
    }

    /// Moves the call by `cause`, which came at `now`. May panic where the
    /// engine does; the call is lost then.
    pub(crate) fn apply(&mut self, now: CallTime, cause: Cause) -> Applied {
        self.at = self.at.max(now);
        let was_too_much = self.session.call().has_left_out();
        let mut applied = Applied {
            alerts: Vec::new(),
            is_kept: true,
            left_open: None,
            is_heard: false,
            is_heard_again: false,
            is_too_much: false,
        };
        match cause {
            Cause::Told { number, input, json } => self.hear(now, &number, input, json, &mut applied),
            Cause::Leg => self.legs = self.legs.saturating_add(1),
            Cause::Tick => self.session.handle_timeout(now),
            Cause::Unheard => self.is_speech_missed = true,
            Cause::Finish => self.session.finish(),
            Cause::Start => {}
        }
        applied.alerts.extend(std::iter::from_fn(|| self.session.poll_output()));
        applied.is_too_much = !was_too_much && self.session.call().has_left_out();
        applied
    }

    fn hear(&mut self, now: CallTime, number: &Number, input: Input, json: Json, applied: &mut Applied) {
        match &input {
            Input::Utterance(utterance) => {
                applied.is_heard = true;
                applied.is_heard_again = std::mem::take(&mut self.is_speech_missed);
                applied.is_kept = utterance.is_final;
                if utterance.is_final {
                    self.left_open.remove(&utterance.utterance_id);
                } else {
                    self.hypotheses += 1;
                    let hypothesis = Hypothesis { no: self.hypotheses, now, json };
                    self.left_open.insert(utterance.utterance_id.clone(), hypothesis);
                    applied.left_open = self.overflow();
                }
            }
            Input::End { at, by } => drop(self.end.get_or_insert((*at, *by))),
            Input::Hold { .. } | Input::Resume { .. } | Input::Transfer { .. } | Input::TransferAnswered { .. } => {}
        }
        let is_words = matches!(input, Input::Utterance(_));
        self.session.hear(number, &input);
        self.session.handle(now, input);
        if !is_words {
            let was_expected = self.is_speech_expected;
            let info = self.session.info();
            self.is_speech_expected =
                info.channel == Channel::Voice && self.end.is_none() && !self.session.call().is_on_hold();
            applied.is_heard = self.is_speech_expected && !was_expected;
        }
    }

    /// The hypothesis that came before all others, if there are more than a call may have.
    fn overflow(&mut self) -> Option<Hypothesis> {
        if self.left_open.len() <= LEFT_OPEN_MAX {
            return None;
        }
        let (oldest, _) = self.left_open.iter().min_by_key(|(_, hypothesis)| hypothesis.no)?;
        let oldest = oldest.clone();
        self.left_open.remove(&oldest)
    }

    /// The latest moment at which it was moved.
    pub(crate) const fn at(&self) -> CallTime {
        self.at
    }

    /// How many recognisers' connections joined it.
    pub(crate) const fn legs(&self) -> u32 {
        self.legs
    }

    /// The time and the party of its end.
    pub(crate) const fn end(&self) -> Option<(CallTime, Party)> {
        self.end
    }

    /// The last hypotheses of utterances without a final.
    pub(crate) fn left_open(&self) -> impl Iterator<Item = &Hypothesis> {
        self.left_open.values()
    }

    /// Whether the agent was told that no words come, and still awaits them.
    pub(crate) const fn is_unheard(&self) -> bool {
        self.is_speech_expected && self.is_speech_missed
    }

    /// Whether the agent must get a notice when no words come.
    pub(crate) const fn awaits_speech(&self) -> bool {
        self.is_speech_expected && !self.is_speech_missed
    }
}

//! One call as `check` and the server both run it: the engine, the producer's
//! numbering, the latest moment spoken of, and who has the call.
//!
//! The two differ only in what they pass as `now`: `check` the latest moment
//! spoken of, the server that plus the wall time since. So a recording gives
//! the alerts that it gave live.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::adapter::alert_json::AlertJson;
use crate::adapter::native::Number;
use crate::engine::alert::{Alert, AlertState};
use crate::engine::call::Call;
use crate::engine::privacy::Running;
use crate::engine::rule::RuleSet;
use crate::engine::time::CallTime;
use crate::engine::transcript::{CallInfo, Input, Utterance};
use crate::numbers::{self, Numbers, Seen};

/// What is said of a call that asks for packs that are not there: which, and which may be meant.
/// Nothing, if they all are.
#[must_use]
pub fn unknown_packs(rules: &RuleSet, info: &CallInfo) -> Option<String> {
    let unknown: Vec<(&str, Option<&str>)> = rules.unknown_packs(info).take(PACKS_TOLD).collect();
    if unknown.is_empty() {
        return None;
    }
    let shown = |name: &str| name.chars().take(NAME_CHARS_TOLD).collect::<String>();
    let list = |named: fn(&str) -> String| {
        let one = |(name, near): &(&str, Option<&str>)| match near {
            Some(near) => format!("{}（{}）", shown(name), named(near)),
            None => shown(name),
        };
        unknown.iter().map(one).collect::<Vec<_>>()
    };
    let (zh, en) = (list(|near| format!("是不是 {near}？")), list(|near| format!("did you mean {near}?")));
    Some(format!(
        "没有规则包 {}，这通通话改用全部启用的规则包 / no such pack: {}; all packs that are on apply to this call",
        zh.join("、"),
        en.join(", ").replace(['（', '）'], " ").trim_end()
    ))
}

/// So many packs that are not there are named, and so many characters of each.
const PACKS_TOLD: usize = 5;
const NAME_CHARS_TOLD: usize = 40;

/// A call in progress.
#[derive(Debug)]
pub struct Session {
    call: Call,
    said: CallTime,
    numbers: Numbers,
    words: Running,
    /// Finals that read otherwise since the last input, masked.
    reworded: Vec<Utterance>,
}

impl Session {
    /// A call that was just answered; `number` is that of its `call.start`.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, info: CallInfo, number: &Number) -> Self {
        Self::of(Call::new(rules, info), number)
    }

    /// A session that keeps what `explain` needs after the call.
    #[must_use]
    pub fn explainable(rules: Arc<RuleSet>, info: CallInfo, number: &Number) -> Self {
        Self::of(Call::explainable(rules, info), number)
    }

    fn of(call: Call, number: &Number) -> Self {
        let mut numbers = Numbers::default();
        numbers.take(number, numbers::print_of_start(call.info()));
        Self { call, said: CallTime::ANSWERED, numbers, words: Running::default(), reworded: Vec::new() }
    }

    /// Takes over what was sent before under its id, when a call goes on after it was closed.
    pub fn remember(&mut self, mut earlier: Numbers) {
        // The start may have come with a number of its own.
        std::mem::swap(&mut self.numbers, &mut earlier);
        self.numbers.absorb(earlier);
    }

    /// The call as the engine has it, for views of its state.
    #[must_use]
    pub const fn call(&self) -> &Call {
        &self.call
    }

    /// Takes an event as it was recorded: what was taken before is passed over,
    /// and only events move the clock.
    pub fn take(&mut self, number: &Number, input: Input) {
        if self.look(number, &input) == Seen::New {
            let now = self.hear(number, &input);
            self.handle(now, input);
        }
    }

    /// The facts from the call's start.
    #[must_use]
    pub fn info(&self) -> &CallInfo {
        self.call.info()
    }

    /// The latest moment spoken of so far.
    #[must_use]
    pub const fn said(&self) -> CallTime {
        self.said
    }

    /// Whether its `call.end` has come. Late finals are still welcome.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.call.ended()
    }

    /// Whether an event was taken before. One without a number never was.
    #[must_use]
    pub fn look(&self, number: &Number, input: &Input) -> Seen {
        match number.seq {
            Some(_) => self.numbers.look(number, numbers::print(&self.info().call_id, input)),
            None => Seen::New,
        }
    }

    /// Takes an event's number and the moment it speaks of, ahead of
    /// [`Self::handle`]; returns the latest moment spoken of.
    pub fn hear(&mut self, number: &Number, input: &Input) -> CallTime {
        if number.seq.is_some() {
            self.numbers.take(number, numbers::print(&self.call.info().call_id, input));
        }
        self.said = self.said.max(input.said_at());
        self.said
    }

    /// Gives `input`, which arrived at `now`, to the engine.
    pub fn handle(&mut self, now: CallTime, input: Input) {
        self.reworded = match &input {
            Input::Utterance(utterance) => self.words.say(utterance),
            _ => Vec::new(),
        };
        self.call.handle(now, input);
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: CallTime) {
        self.call.handle_timeout(now);
    }

    /// When the call next wants [`Self::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<CallTime> {
        self.call.poll_timeout()
    }

    /// Decides all that is still open: nothing more will come.
    pub fn finish(&mut self) {
        self.reworded = self.words.finish();
        self.call.finish();
    }

    /// The agent who had the call at `at`.
    #[must_use]
    pub fn agent_at(&self, at: CallTime) -> &Arc<str> {
        self.call.agent_at(at)
    }

    /// The rules that the call began with, and keeps.
    #[must_use]
    pub fn rules(&self) -> &RuleSet {
        self.call.rules()
    }

    /// The numbers of the events taken.
    #[must_use]
    pub const fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// The next alert, until there is none.
    pub fn poll_output(&mut self) -> Option<Alert> {
        self.call.poll_output()
    }

    /// The words of the call, masked as they read now.
    #[must_use]
    pub const fn words(&self) -> &Running {
        &self.words
    }

    /// Earlier finals that read otherwise since the last input, masked; each is given once.
    pub fn take_reworded(&mut self) -> Vec<Utterance> {
        std::mem::take(&mut self.reworded)
    }

    /// The alert as it goes over the wire to everybody but the agent of the call.
    #[must_use]
    pub fn to_masked_wire<'a>(&'a self, alert: &'a Alert) -> AlertJson<'a> {
        self.to_wire(alert).masked(&self.words)
    }

    /// The alert as it goes over the wire.
    #[must_use]
    pub fn to_wire<'a>(&'a self, alert: &'a Alert) -> AlertJson<'a> {
        AlertJson::new(alert, self.info(), &self.call.rules().version)
    }
}

/// The alerts whose last transition confirmed them and that the second look lets pass, by time and then by id.
#[must_use]
pub fn last_states(transitions: impl IntoIterator<Item = Alert>) -> Vec<Alert> {
    told_and_held(transitions).0
}

/// The alerts whose last transition confirmed them: those that the second look lets pass, and those that it
/// holds back; each by time and then by id.
#[must_use]
pub fn told_and_held(transitions: impl IntoIterator<Item = Alert>) -> (Vec<Alert>, Vec<Alert>) {
    let mut last: BTreeMap<String, Alert> = BTreeMap::new();
    for alert in transitions {
        last.insert(alert.alert_id.clone(), alert);
    }
    let confirmed = last.into_values().filter(|alert| alert.state == AlertState::Confirmed);
    let (mut held, mut told): (Vec<_>, Vec<_>) = confirmed.partition(|alert| alert.held);
    // Ids are in order already.
    told.sort_by_key(|alert| alert.at);
    held.sort_by_key(|alert| alert.at);
    (told, held)
}

//! A naive oracle: what the rules mean, by brute force.
//!
//! It sees only the finals of a call, in the order they were said, and its
//! events; it knows nothing of hypotheses, arrival, wake-ups or alert life. It
//! reads the documented meaning of `rule::syntax` and shares no code with the
//! engine. Its texts must be free of anything that folding changes, and its
//! phrases literal, so that `str::find` says where they stand.

pub(crate) mod generate;
pub(crate) mod play;

use std::collections::BTreeSet;

use tingjian::engine::rule::syntax::{
    Anchor, Body, Context, EventRule, Expression, Extent, Forbid, Limit, PackSource, Require, RuleSource, Said,
    Sequence, Timing, Window,
};
use tingjian::engine::transcript::{CallInfo, EventKind, Input, Party, Role, Utterance};

/// What a call comes to under one rule, once everything is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// A violation.
    Violated,
    /// Required and said too late: a violation that was made good.
    MadeGood {
        /// The agent must have been told in between: the words began after the grace.
        surely_told: bool,
    },
    /// Said in time, but maybe only after the agent was reminded.
    Met {
        /// The agent must have been reminded: the words began after the reminder was due.
        surely_reminded: bool,
    },
}

/// One occurrence of one rule's matter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Occurrence {
    pub(crate) rule: String,
    pub(crate) at: i64,
    pub(crate) verdict: Verdict,
}

/// Everything known of a call.
pub(crate) struct Facts<'a> {
    info: &'a CallInfo,
    /// In the order they were said: by start, then by id.
    lines: Vec<&'a Utterance>,
    events: Vec<(EventKind, i64)>,
    end: i64,
    ended_by: Party,
}

/// Recognisers that cut a sentence at a pause go on within this time.
const JOIN_MS: i64 = 3_000;
/// Words in no more lines than these take back what was said before.
const REMEDY_LINES: usize = 16;
/// Shorter utterances are backchannels.
const BACKCHANNEL_CHARS: usize = 2;
/// A pause of this length ends a monologue.
const PAUSE_MS: i64 = 3_000;
/// A customer who hangs up this soon after their own last words leaves no chance to close the call.
const NO_CHANCE_MS: i64 = 2_000;

/// Words that were said.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mention {
    line: usize,
    id: String,
    /// Which of the mentions that end in this line.
    nth: usize,
    phrase: String,
    at: i64,
}

/// An occurrence before the rule's limit and precondition are asked.
struct Candidate {
    at: i64,
    /// Decides between two at one moment.
    key: (String, usize),
    verdict: Verdict,
}

/// A part of a call: the bounds belong to it.
#[derive(Clone, Debug)]
struct Stretch {
    key: (String, usize),
    /// The line that holds the words it is measured from.
    anchor_line: Option<usize>,
    from: i64,
    until: i64,
    /// The call ended before the stretch was over.
    cut: bool,
    /// It goes as far as the call does.
    to_end: bool,
}

/// All that the rules of a pack find in a call.
pub(crate) fn judge(pack: &PackSource, info: &CallInfo, finals: &[Utterance], events: &[Input]) -> Vec<Occurrence> {
    let facts = Facts::new(info, finals, events);
    let mut found: Vec<Occurrence> = pack.rules.iter().flat_map(|rule| facts.judge(rule)).collect();
    found.sort();
    found
}

impl<'a> Facts<'a> {
    pub(crate) fn new(info: &'a CallInfo, finals: &'a [Utterance], inputs: &'a [Input]) -> Self {
        let mut lines: Vec<&Utterance> = finals.iter().collect();
        lines.sort_by(|a, b| (a.start, &a.utterance_id).cmp(&(b.start, &b.utterance_id)));
        let mut events = vec![(EventKind::Answered, 0)];
        let mut end = None;
        for input in inputs {
            match input {
                Input::Hold { at } => events.push((EventKind::Hold, at.0)),
                Input::Resume { at } => events.push((EventKind::Resume, at.0)),
                Input::Transfer { at, .. } => events.push((EventKind::Transfer, at.0)),
                Input::TransferAnswered { at, .. } => events.push((EventKind::TransferAnswered, at.0)),
                Input::End { at, by } => end = Some((at.0, *by)),
                Input::Utterance(_) => {}
            }
        }
        events.sort_by_key(|(kind, at)| (*at, *kind));
        // Without an end the line broke at the latest moment spoken of.
        let latest = lines.iter().map(|line| line.end.0).chain(events.iter().map(|(_, at)| *at)).max().unwrap_or(0);
        let (end, ended_by) = end.unwrap_or((latest, Party::System));
        events.push((EventKind::End, end));
        Self { info, lines, events, end, ended_by }
    }

    fn judge(&self, rule: &RuleSource) -> Vec<Occurrence> {
        let mut candidates = match &rule.body.value {
            Body::Forbid(forbid) => self.forbid(forbid),
            Body::Require(require) => self.require(require, rule),
            Body::Sequence(sequence) => self.sequence(sequence),
            Body::Timing(timing) => self.timing(timing),
            Body::Event(event) => self.event(event),
        };
        candidates.retain(|candidate| rule.when.as_ref().is_none_or(|when| self.holds(when, candidate.at)));
        candidates.sort_by(|a, b| (a.at, &a.key).cmp(&(b.at, &b.key)));
        let mut told: Vec<i64> = Vec::new();
        candidates.retain(|candidate| {
            if matches!(candidate.verdict, Verdict::Met { .. }) {
                return true;
            }
            let tell = match rule.limit {
                Limit::Each => true,
                Limit::Once => told.is_empty(),
                Limit::Max(most) => told.len() < most as usize,
                Limit::CooldownMs(ms) => told.last().is_none_or(|last| candidate.at - last >= ms),
            };
            if tell {
                told.push(candidate.at);
            }
            tell
        });
        candidates
            .into_iter()
            .map(|candidate| Occurrence { rule: rule.id.value.clone(), at: candidate.at, verdict: candidate.verdict })
            .collect()
    }

    // ---- words -------------------------------------------------------------

    /// The line that `line` goes on from, if a recogniser may have cut one sentence in two.
    fn goes_on_from(&self, line: usize) -> Option<usize> {
        let this = self.lines[line];
        let before = (0..line).rev().find(|&other| self.lines[other].role == this.role)?;
        let earlier = self.lines[before];
        let comes_between = |other: &Utterance| !Self::backchannel(other) && other.start >= earlier.end;
        let somebody_came_between = (before + 1..line).any(|other| comes_between(self.lines[other]));
        (!somebody_came_between && this.start.0 - earlier.end.0 <= JOIN_MS).then_some(before)
    }

    /// Every time that one of the phrases was said; of overlapping ones the earliest, then the longest.
    fn mentions(&self, said: &Said) -> Vec<Mention> {
        let mut mentions = Vec::new();
        for (ix, line) in self.lines.iter().enumerate() {
            if !said.roles.contains(&line.role) {
                continue;
            }
            let lead: Vec<char> = match self.goes_on_from(ix) {
                Some(before) => self.lines[before].text.chars().collect(),
                None => Vec::new(),
            };
            let text: Vec<char> = lead.iter().copied().chain(line.text.chars()).collect();
            let mut found: Vec<(usize, usize, &str)> = Vec::new();
            for phrase in &said.any {
                let phrase = phrase.text.value.as_str();
                let chars: Vec<char> = phrase.chars().collect();
                for start in 0..text.len() {
                    // What ends in the line before was said there.
                    if text[start..].starts_with(&chars) && start + chars.len() > lead.len() {
                        found.push((start, start + chars.len(), phrase));
                    }
                }
            }
            found.retain(|&(_, end, _)| !said.unless.iter().any(|unless| self.made_good(unless, ix, &text[end..])));
            found.sort_by_key(|(start, end, _)| (*start, usize::MAX - end));
            let (mut nth, mut free_from) = (0, 0);
            for (start, end, phrase) in found {
                if start < free_from {
                    continue;
                }
                free_from = end;
                // A phrase is said where its share of the line's time lies; one that goes on, where the line begins.
                let own = line.text.chars().count().max(1);
                let offset = start.saturating_sub(lead.len());
                let at = line.start.0 + (line.end.0 - line.start.0) * offset as i64 / own as i64;
                mentions.push(Mention { line: ix, id: line.utterance_id.clone(), nth, phrase: phrase.to_owned(), at });
                nth += 1;
            }
        }
        mentions.sort_by(|a, b| (a.at, &a.id, a.nth).cmp(&(b.at, &b.id, b.nth)));
        mentions
    }

    /// Whether the speaker of a line goes on to say what takes words of it back; `rest` is what follows those in the line.
    fn made_good(&self, unless: &Context, line: usize, rest: &[char]) -> bool {
        let Context::Then { any, within_ms } = unless else { panic!("only `then` is generated") };
        let says = |text: &str| any.iter().any(|phrase| text.contains(&phrase.text.value));
        let this = self.lines[line];
        let later = self.lines[line + 1..].iter().take(REMEDY_LINES);
        let in_time = |other: &&&Utterance| other.role == this.role && other.start.0 <= this.end.0 + within_ms;
        says(&rest.iter().collect::<String>()) || later.filter(in_time).any(|other| says(&other.text))
    }

    fn times(&self, kind: EventKind) -> Vec<i64> {
        self.events.iter().filter(|(other, _)| *other == kind).map(|(_, at)| *at).collect()
    }

    fn holds(&self, when: &Expression, at: i64) -> bool {
        let lately = |moment: i64, within_ms: Option<i64>| {
            moment <= at && within_ms.is_none_or(|within_ms| at - moment <= within_ms)
        };
        match when {
            Expression::All(all) => all.iter().all(|part| self.holds(part, at)),
            Expression::Any(any) => any.iter().any(|part| self.holds(part, at)),
            Expression::Not(part) => !self.holds(part, at),
            Expression::Said { said, within_ms } => {
                self.mentions(said).iter().any(|mention| lately(mention.at, *within_ms))
            }
            Expression::Happened { event, within_ms } => {
                self.times(*event).into_iter().any(|moment| lately(moment, *within_ms))
            }
            Expression::Hour(range) => self.in_hours(range.from_minute, range.until_minute, at),
            Expression::LastedMs(ms) => at >= *ms,
        }
    }

    fn in_hours(&self, from: u32, until: u32, at: i64) -> bool {
        let moment = self.info.started_at + chrono::TimeDelta::milliseconds(at.max(0));
        let time = moment.time();
        let minute = chrono::Timelike::num_seconds_from_midnight(&time) / 60;
        (from..until).contains(&minute) || (from..until).contains(&(minute + 1_440))
    }

    // ---- holds and turns ---------------------------------------------------

    /// Holds with their ends: resumed, taken over by whom the call was transferred to, or over with the call.
    fn on_hold(&self) -> Vec<(i64, i64)> {
        let mut holds: Vec<(i64, i64)> = Vec::new();
        let mut since = None;
        for (kind, at) in &self.events {
            match (kind, since) {
                (EventKind::Hold, None) => since = Some(*at),
                (EventKind::Resume | EventKind::TransferAnswered, Some(from)) => {
                    holds.push((from, *at));
                    since = None;
                }
                _ => {}
            }
        }
        holds.extend(since.map(|from| (from, self.end)));
        holds
    }

    /// The moment `ms` after `from` on a clock that stands still during holds.
    fn unheld(&self, from: i64, ms: i64) -> i64 {
        let (mut clock, mut left) = (from, ms);
        for (begin, end) in self.on_hold() {
            if end <= clock {
                continue;
            }
            let run = (begin - clock).max(0);
            if left <= run {
                return clock + left;
            }
            left -= run;
            clock = end;
        }
        clock + left
    }

    fn backchannel(line: &Utterance) -> bool {
        line.text.chars().count() <= BACKCHANNEL_CHARS
    }

    /// When the other party has talked for more than `over_ms` between two moments, holds left out.
    fn heard_too_long(&self, by: Role, from: i64, until: i64, over_ms: i64) -> Option<i64> {
        let talks = |at: i64| {
            let speaks = |line: &&Utterance| line.role != by && line.role != Role::System;
            self.lines.iter().copied().filter(speaks).any(|line| (line.start.0..line.end.0).contains(&at))
        };
        let holds = self.on_hold();
        let waits = |at: i64| holds.iter().any(|(begin, end)| (*begin..*end).contains(&at));
        (from..until).filter(|at| talks(*at) && !waits(*at)).nth(usize::try_from(over_ms).unwrap())
    }

    /// Turns of these roles among the lines chosen: the speaker's runs, which backchannels of others do not end.
    /// Each with its first start, its last end, and whether somebody else took over.
    fn turns(&self, roles: &[Role], chosen: impl Fn(&Utterance) -> bool) -> Vec<(i64, i64, bool)> {
        let mut turns: Vec<(i64, i64, bool)> = Vec::new();
        for line in self.lines.iter().filter(|line| chosen(line)) {
            let open = turns.last().is_some_and(|(_, _, over)| !over);
            if roles.contains(&line.role) {
                match turns.last_mut() {
                    Some((_, end, _)) if open => *end = line.end.0,
                    _ => turns.push((line.start.0, line.end.0, false)),
                }
            } else if !Self::backchannel(line)
                && let Some((_, _, over)) = turns.last_mut()
            {
                *over = true;
            }
        }
        turns
    }

    /// The stretches that a window means in this call.
    fn stretches(&self, window: &Window, roles: &[Role], clock_runs_on_hold: bool) -> Vec<Stretch> {
        let (anchors, after, extent) = match window {
            Window::First(extent) => (self.anchors(&Anchor::Event(EventKind::Answered)), true, *extent),
            Window::Last(extent) => (self.anchors(&Anchor::Event(EventKind::End)), false, *extent),
            Window::After(anchor, extent) => (self.anchors(anchor), true, *extent),
            Window::Before(anchor, extent) => (self.anchors(anchor), false, *extent),
        };
        let ends_with_call = match window {
            Window::Last(_) | Window::Before(Anchor::Event(EventKind::End), _) => true,
            Window::First(extent) | Window::After(_, extent) => *extent == Extent::Unbounded,
            Window::Before(..) => false,
        };
        anchors
            .into_iter()
            .map(|(key, anchor_line, at)| {
                let (from, until) = match (after, extent) {
                    (true, Extent::Ms(ms)) if clock_runs_on_hold => (at, at + ms),
                    (true, Extent::Ms(ms)) => (at, self.unheld(at, ms)),
                    (true, Extent::Turns(turns)) => {
                        match self.turns(roles, |line| line.end.0 > at).get(turns as usize - 1) {
                            Some((_, end, true)) => (at, *end),
                            // The end of the call ends the last turn, too.
                            Some((_, _, false)) => (at, self.end),
                            None => (at, i64::MAX),
                        }
                    }
                    (true, Extent::Unbounded) => (at, self.end),
                    (false, Extent::Ms(ms)) => (at - ms, at),
                    (false, Extent::Turns(turns)) => {
                        let all = self.turns(roles, |line| line.start.0 < at);
                        let from =
                            all[all.len().saturating_sub(turns as usize)..].first().map_or(at, |(start, _, _)| *start);
                        (from, at)
                    }
                    (false, Extent::Unbounded) => (i64::MIN, at),
                };
                Stretch { key, anchor_line, from, until, cut: self.end < until, to_end: ends_with_call }
            })
            .collect()
    }

    #[allow(clippy::type_complexity)]
    fn anchors(&self, anchor: &Anchor) -> Vec<((String, usize), Option<usize>, i64)> {
        match anchor {
            Anchor::Event(kind) => {
                self.times(*kind).into_iter().map(|at| ((format!("{kind:?}@{at}"), 0), None, at)).collect()
            }
            Anchor::Said(said) => {
                self.mentions(said).into_iter().map(|m| ((m.id, m.nth), Some(m.line), m.at)).collect()
            }
        }
    }

    /// The agent had no chance to close the call.
    fn cut_short(&self) -> bool {
        let last_words = |role| self.lines.iter().filter(|line| line.role == role).map(|line| line.end.0).max();
        match self.ended_by {
            Party::System => true,
            Party::Agent => false,
            Party::Customer => {
                let customer = last_words(Role::Customer);
                customer > last_words(Role::Agent) && customer.is_some_and(|last| self.end - last < NO_CHANCE_MS)
            }
        }
    }

    // ---- the kinds ---------------------------------------------------------

    fn forbid(&self, forbid: &Forbid) -> Vec<Candidate> {
        let stretches = forbid.window.as_ref().map(|window| self.stretches(window, &forbid.said.roles, true));
        let mentions = self.mentions(&forbid.said).into_iter().filter(|mention| {
            stretches.as_ref().is_none_or(|all| all.iter().any(|s| s.from <= mention.at && mention.at <= s.until))
        });
        if forbid.at_least <= 1 {
            return once_a_line(mentions).into_iter().map(|m| violated(m.at, (m.id, m.nth))).collect();
        }
        let mut different = BTreeSet::new();
        for mention in mentions {
            different.insert(mention.phrase.clone());
            if different.len() == forbid.at_least as usize {
                return vec![violated(mention.at, (mention.id, mention.nth))];
            }
        }
        Vec::new()
    }

    fn require(&self, require: &Require, rule: &RuleSource) -> Vec<Candidate> {
        let roles = &require.parts[0].said.roles;
        let after = matches!(require.window, Window::First(_) | Window::After(..));
        // What the agent was told meanwhile is certain only where nothing learnt later moves it.
        let in_ms = matches!(&require.window, Window::First(Extent::Ms(_)) | Window::After(_, Extent::Ms(_)));
        let clock_runs = require.count_hold || self.on_hold().is_empty();
        let certain = in_ms && clock_runs && rule.when.is_none() && rule.limit == Limit::Each;
        let parts: Vec<Vec<Mention>> = require.parts.iter().map(|part| self.mentions(&part.said)).collect();
        let mut found = Vec::new();
        for stretch in self.stretches(&require.window, roles, require.count_hold) {
            let cut_short = stretch.cut || stretch.to_end && self.cut_short();
            let excused = cut_short && !require.even_if_cut_short;
            let deadline = if stretch.cut { self.end } else { stretch.until };
            let known = stretch.anchor_line.map_or(stretch.from, |line| self.lines[line].end.0);
            let began = |said: &[&Mention]| said.iter().map(|m| self.lines[m.line].start.0).max().unwrap_or(i64::MIN);
            let inside = |mention: &&Mention| stretch.from <= mention.at && mention.at <= stretch.until;
            let in_time: Vec<Option<&Mention>> = parts.iter().map(|part| part.iter().find(inside)).collect();
            let good: Option<Vec<&Mention>> = parts
                .iter()
                .zip(&in_time)
                .map(|(part, in_time)| in_time.or_else(|| part.iter().find(|mention| mention.at > deadline)))
                .collect();
            let verdict = if let Some(said) = in_time.into_iter().collect::<Option<Vec<_>>>() {
                let began = began(&said);
                let over = said.iter().map(|m| self.lines[m.line].end.0).max().unwrap_or(i64::MAX);
                let reminded = |ms: i64| {
                    let while_due = began > deadline - ms && over < deadline + rule.grace_ms;
                    while_due && began > known && began < deadline.min(self.end)
                };
                Verdict::Met { surely_reminded: certain && require.remind_ms.is_some_and(reminded) }
            } else if excused {
                continue;
            } else if let Some(said) = good.filter(|_| after) {
                let began = began(&said);
                Verdict::MadeGood { surely_told: certain && began > deadline + rule.grace_ms && began > known }
            } else {
                Verdict::Violated
            };
            // An agent who was reminded and spoke in time did so before anybody knew that the call would be cut.
            let at = if excused && stretch.until < i64::MAX { stretch.until } else { deadline };
            found.push(Candidate { at, key: stretch.key, verdict });
        }
        found
    }

    fn sequence(&self, sequence: &Sequence) -> Vec<Candidate> {
        let answered = Anchor::Event(EventKind::Answered);
        let anchor = sequence.after.as_ref().unwrap_or(&answered);
        let Some((_, _, from)) = self.anchors(anchor).into_iter().next() else { return Vec::new() };
        let deadline = sequence.within_ms.map_or(self.end, |ms| self.unheld(from, ms));
        let said: Vec<Option<i64>> = sequence
            .steps
            .iter()
            .map(|step| self.mentions(&step.said).iter().map(|m| m.at).find(|at| from <= *at && *at <= deadline))
            .collect();
        let mut found = Vec::new();
        let mut spoken_of = BTreeSet::new();
        for (later, at) in said.iter().enumerate() {
            let Some(at) = at else { continue };
            // The first step that should have come before and had not.
            let jumped = (0..later)
                .find(|&earlier| !sequence.steps[earlier].optional && said[earlier].is_none_or(|before| before > *at));
            if let Some(jumped) = jumped {
                spoken_of.insert(jumped);
                found.push(violated(*at, (String::from("order"), later)));
            }
        }
        let cut = self.end < deadline || sequence.within_ms.is_none() && self.cut_short();
        // However many are missing, it is one thing that was left out.
        let mut steps = sequence.steps.iter().enumerate();
        if !cut && steps.any(|(ix, step)| !step.optional && said[ix].is_none() && !spoken_of.contains(&ix)) {
            found.push(violated(deadline, (String::from("missing"), 0)));
        }
        found
    }

    fn timing(&self, timing: &Timing) -> Vec<Candidate> {
        let mut found = Vec::new();
        let chars = |line: &Utterance| line.text.chars().count();
        match timing {
            Timing::Silence { of, over_ms } => {
                // Every stretch between the latest end of speech and the next start, and up to the end of the call.
                let speaks = |line: &&&Utterance| of.is_none_or(|of| of == line.role);
                let mut quiet_since = 0;
                for (n, line) in self.lines.iter().filter(speaks).enumerate() {
                    let due = self.unheld(quiet_since, *over_ms);
                    if line.start.0 > due {
                        found.push(violated(due, (String::new(), n)));
                    }
                    quiet_since = quiet_since.max(line.end.0);
                }
                let due = self.unheld(quiet_since, *over_ms);
                if self.end > due {
                    found.push(violated(due, (String::new(), usize::MAX)));
                }
            }
            Timing::Listening { by, over_ms } => {
                let mut quiet_since = 0;
                for (n, line) in self.lines.iter().filter(|line| line.role == *by).enumerate() {
                    found.extend(
                        self.heard_too_long(*by, quiet_since, line.start.0, *over_ms)
                            .map(|due| violated(due, (String::new(), n))),
                    );
                    quiet_since = quiet_since.max(line.end.0);
                }
                found.extend(
                    self.heard_too_long(*by, quiet_since, self.end, *over_ms)
                        .map(|due| violated(due, (String::new(), usize::MAX))),
                );
            }
            Timing::Hold { over_ms } => {
                let too_long = self.on_hold().into_iter().filter(|(from, until)| until - from > *over_ms);
                found.extend(too_long.map(|(from, _)| violated(from + over_ms, (String::new(), 0))));
            }
            Timing::Rate { role, below, above, window_ms, at_least_ms } => {
                // Fifteen characters a second is more than anybody says.
                let sayable = |line: &&&Utterance| chars(line) as i64 * 1_000 <= 15 * (line.end.0 - line.start.0);
                for line in self.lines.iter().filter(|line| line.role == *role).filter(sayable) {
                    let recent = self.lines.iter().filter(sayable).filter(|other| {
                        other.role == *role
                            && other.start.0 >= line.end.0 - window_ms
                            && (other.start, &other.utterance_id) <= (line.start, &line.utterance_id)
                    });
                    let (ms, count) = recent.fold((0, 0), |(ms, count), other| {
                        (ms + other.end.0 - other.start.0, count + chars(other) as i64)
                    });
                    if ms <= 0 || ms < *at_least_ms {
                        continue;
                    }
                    let rate = count * 60_000 / ms;
                    let off = below.is_some_and(|below| rate < i64::from(below))
                        || above.is_some_and(|above| rate > i64::from(above));
                    if off {
                        found.push(violated(line.end.0, (line.utterance_id.clone(), 0)));
                    }
                }
            }
            Timing::Interruption { by, overlap_ms, after_ms, min_chars, unless } => {
                for line in self.lines.iter().filter(|line| line.role == *by && chars(line) >= *min_chars as usize) {
                    let excused = unless.iter().any(|phrase| line.text.contains(&phrase.text.value));
                    let interrupts = self.lines.iter().any(|other| {
                        other.role != *by
                            && other.role != Role::System
                            && (other.start, &other.utterance_id) < (line.start, &line.utterance_id)
                            && line.start.0 - other.start.0 >= *after_ms
                            && other.end.min(line.end).0 - line.start.0 >= *overlap_ms
                    });
                    if interrupts && !excused {
                        found.push(violated(line.start.0, (line.utterance_id.clone(), 0)));
                    }
                }
            }
            Timing::Monologue { role, over_ms } => {
                let mut runs: Vec<(i64, i64)> = Vec::new();
                let mut came_in = true;
                let mut paused_from = i64::MIN;
                for line in &self.lines {
                    if line.role != *role {
                        came_in |= !Self::backchannel(line);
                        continue;
                    }
                    match runs.last_mut() {
                        Some((_, end)) if !came_in && line.start.0 - paused_from < PAUSE_MS => {
                            *end = (*end).max(line.end.0);
                        }
                        _ => runs.push((line.start.0, line.end.0)),
                    }
                    came_in = false;
                    paused_from = line.end.0;
                }
                let too_long = runs.into_iter().filter(|(from, until)| until - from > *over_ms);
                found.extend(too_long.map(|(from, _)| violated(from + over_ms, (String::new(), 0))));
            }
            Timing::Reply { by, over_ms } => {
                let mut asked: Option<i64> = None;
                for line in &self.lines {
                    if line.role == *by {
                        if let Some(asked) = asked.take()
                            && line.start.0 - asked > *over_ms
                        {
                            found.push(violated(asked + over_ms, (String::new(), 0)));
                        }
                    } else if line.role != Role::System && !Self::backchannel(line) {
                        // 嗯嗯 wants no answer. (在吗 would: these texts ask nothing.)
                        asked = asked.or(Some(line.end.0));
                    }
                }
                if let Some(asked) = asked
                    && self.end - asked > *over_ms
                {
                    found.push(violated(asked + over_ms, (String::new(), 1)));
                }
            }
            Timing::Rings { over } => {
                if self.info.rings.is_some_and(|rings| rings > *over) {
                    found.push(violated(0, (String::new(), 0)));
                }
            }
            Timing::Volume { role, below, above } => {
                for line in self.lines.iter().filter(|line| line.role == *role) {
                    let Some(db) = line.volume_db else { continue };
                    if below.is_some_and(|below| db < below) || above.is_some_and(|above| db > above) {
                        found.push(violated(line.start.0, (line.utterance_id.clone(), 0)));
                    }
                }
            }
            Timing::Repeat { .. } | Timing::Pitch { .. } => unreachable!("not generated"),
        }
        found
    }

    fn event(&self, event: &EventRule) -> Vec<Candidate> {
        match event {
            EventRule::HangupBy(party) if *party == self.ended_by => vec![violated(self.end, (String::new(), 0))],
            EventRule::HangupBy(_) => Vec::new(),
            EventRule::Without { event, said, within_ms } => {
                let mentions = self.mentions(said);
                let asked = |at: i64| mentions.iter().any(|m| m.at <= at && at - m.at <= *within_ms);
                self.times(*event)
                    .into_iter()
                    .filter(|at| !asked(*at))
                    .map(|at| violated(at, (String::new(), 0)))
                    .collect()
            }
            EventRule::TransferUnanswered => {
                let Some(transfer) = self.times(EventKind::Transfer).pop() else { return Vec::new() };
                let answered = self.times(EventKind::TransferAnswered).into_iter().any(|at| at >= transfer);
                if answered {
                    return Vec::new();
                }
                vec![violated(self.end, (String::new(), 0))]
            }
            EventRule::Greeting { hours } => {
                let mut found = Vec::new();
                for (part, (range, any)) in hours.iter().enumerate() {
                    let said = Said {
                        roles: vec![Role::Agent],
                        any: any.clone(),
                        unless: Vec::new(),
                        only: Vec::new(),
                        homophone: None,
                        boundary: None,
                    };
                    let wrong = self.mentions(&said).into_iter();
                    let wrong = wrong.filter(|m| !self.in_hours(range.from_minute, range.until_minute, m.at));
                    for mention in once_a_line(wrong) {
                        found.push(violated(mention.at, (mention.id, mention.nth * 100 + part)));
                    }
                }
                found
            }
        }
    }
}

/// Of a phrase that a line says again and again, the first time.
fn once_a_line(mentions: impl Iterator<Item = Mention>) -> Vec<Mention> {
    let mut known = BTreeSet::new();
    mentions.filter(|mention| known.insert((mention.line, mention.phrase.clone()))).collect()
}

fn violated(at: i64, key: (String, usize)) -> Candidate {
    Candidate { at, key, verdict: Verdict::Violated }
}

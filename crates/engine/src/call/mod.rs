//! One call: inputs in, alerts out, and when to wake it next.
//!
//! `Call` keeps the timeline and the hits up to date, asks the monitors of
//! the rules that a change can concern, and puts out the difference between
//! what they find and what was reported. It decides nothing itself.

mod admission;
#[cfg(test)]
mod cost;
mod judged;
mod measured;
mod message;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

pub(crate) use self::admission::obstacles;
use self::judged::{is_judged_anew, judge, reasons};
use self::message::{message, quoted, taken_back, template};
use crate::act::Reasons;
use crate::agents::Agents;
use crate::alert::{Alert, AlertState, Clip, Evidence, alert_id, clip};
use crate::context::{THEN_AHEAD, TURN_AHEAD};
use crate::detect::{Considered, detect};
use crate::monitor::{self, Citation, Evaluation, Finding, Hits, LOOKED_AT_MAX, OCCURRENCES_MAX, Stage, View};
use crate::rule::RuleSet;
use crate::rule::program::{BodyProgram, DetectorIx, ForbidProgram, Program, RuleIx};
use crate::rule::syntax::Limit;
use crate::severity::AlertKind;
use crate::text::{FoldedText, Match, PhraseId};
use crate::time::CallTime;
use crate::timeline::{Around, Hit, Placed, Spoken, Timeline, UtteranceIx};
use crate::transcript::{CallInfo, EventKind, Input, Party, Role, Utterance};
use crate::work;

/// A recogniser that cuts a sentence at a pause goes on within this time.
const SPAN_GAP_MAX_MS: i64 = 3_000;

/// How many neighbours in the order a changed utterance can concern.
const NEIGHBOURS: usize = TURN_AHEAD;

/// The state of one call under one version of the rules.
#[derive(Debug)]
pub struct Call {
    rules: Arc<RuleSet>,
    info: CallInfo,
    agents: Agents,
    /// Rules that apply to this call, and detectors they need.
    active: Bits,
    listening: Bits,
    /// Rules that found something once, or waited for something.
    busy: Bits,
    timeline: Timeline,
    hits: Hits,
    states: BTreeMap<RuleIx, State>,
    /// When rules want to be asked again; one entry a rule, unordered.
    wakes: Vec<(CallTime, RuleIx)>,
    outputs: VecDeque<Alert>,
    now: CallTime,
    latest_said: CallTime,
    keep_texts: bool,
    /// Something was found that is not told, because there was too much of it.
    left_out: bool,
}

/// The state of one rule in this call.
#[derive(Debug, Default)]
struct State {
    /// The reported alerts, by the key of their occurrence.
    reported: BTreeMap<String, Reported>,
    /// Findings of a timing rule by the utterance at whose position they stand.
    found: BTreeMap<UtteranceIx, Finding>,
    found_in_order: BTreeSet<(CallTime, UtteranceIx)>,
}

#[derive(Debug)]
struct Reported {
    /// The utterances and wordings that it was reported of.
    finding: Finding,
    wordings: Vec<Wording>,
    last: Alert,
}

/// Which wording of an utterance a mark points at, and what the model makes of it.
type Wording = (u32, Option<u16>);

/// A small set of indexes.
#[derive(Debug)]
struct Bits(Box<[u64]>);

impl Bits {
    fn new(len: usize) -> Self {
        Self(vec![0; len.div_ceil(64)].into())
    }

    fn insert(&mut self, ix: u32) {
        self.0[ix as usize / 64] |= 1 << (ix % 64);
    }

    fn contains(&self, ix: u32) -> bool {
        self.0[ix as usize / 64] >> (ix % 64) & 1 == 1
    }
}

impl Call {
    /// A call that was just answered.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, info: CallInfo) -> Self {
        let mut active = Bits::new(rules.programs.len());
        let mut listening = Bits::new(rules.detectors.len());
        let busy = Bits::new(rules.programs.len());
        let misnamed = rules.misnames_packs(&info);
        for (ix, (program, rule)) in (0..).zip(rules.programs.iter().zip(&rules.rules)) {
            if obstacles(program, &rule.pack, &info, misnamed).next().is_none() {
                active.insert(ix);
                program.detectors.iter().for_each(|&detector| listening.insert(detector));
            }
        }
        let mut call = Self {
            agents: Agents::new(info.agent_id.as_str().into()),
            rules,
            info,
            active,
            listening,
            busy,
            timeline: Timeline::default(),
            hits: Hits::new(),
            states: BTreeMap::new(),
            wakes: Vec::new(),
            outputs: VecDeque::new(),
            now: CallTime::ANSWERED,
            latest_said: CallTime::ANSWERED,
            keep_texts: false,
            left_out: false,
        };
        call.decide_events();
        call
    }

    /// The facts of the call.
    #[must_use]
    pub fn info(&self) -> &CallInfo {
        &self.info
    }

    /// The rules that the call began with, and keeps.
    #[must_use]
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// The agent who had the call at `at`.
    #[must_use]
    pub fn agent_at(&self, at: CallTime) -> &Arc<str> {
        self.agents.at(at)
    }

    /// Whether `call.end` came.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.timeline.end().is_some()
    }

    /// Whether so much was found that some of it is not told: each rule tells a bounded number of occurrences.
    #[must_use]
    pub fn has_left_out(&self) -> bool {
        self.left_out
    }

    /// Whether the customer is on hold.
    #[must_use]
    pub fn is_on_hold(&self) -> bool {
        self.timeline.holds().last().is_some_and(|hold| hold.until.is_none())
    }

    /// Takes one input, which arrived at `now`. Timeouts due by `now` are handled first.
    /// `now` never runs backwards; an earlier one counts as the latest seen.
    pub fn handle(&mut self, now: CallTime, input: Input) {
        self.handle_timeout(now);
        self.latest_said = self.latest_said.max(input.said_at());
        match input {
            Input::Utterance(utterance) => self.hear(&utterance),
            Input::Hold { at } => self.happened(EventKind::Hold, at),
            Input::Resume { at } => self.happened(EventKind::Resume, at),
            Input::Transfer { at, .. } => self.happened(EventKind::Transfer, at),
            Input::TransferAnswered { at, agent_id } => {
                if let Some(agent_id) = &agent_id {
                    self.agents.hand_over(at, agent_id);
                }
                self.happened(EventKind::TransferAnswered, at);
            }
            Input::End { at, by } => self.end(at, by),
        }
    }

    /// The next alert, until there is none. Drain it after every `handle` and `handle_timeout`.
    pub fn poll_output(&mut self) -> Option<Alert> {
        self.outputs.pop_front()
    }

    /// When the call next wants `handle_timeout`; `None` while no rule waits for the time.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<CallTime> {
        self.wakes.iter().min().map(|&(at, _)| at)
    }

    /// Does all that is due by `now`, each at its own time. A spurious one changes nothing.
    pub fn handle_timeout(&mut self, now: CallTime) {
        while let Some((at, rule)) = self.wakes.iter().min().copied().filter(|(at, _)| *at <= now) {
            self.now = self.now.max(at);
            self.wakes.retain(|(_, waiting)| *waiting != rule);
            self.decide(rule);
        }
        self.now = self.now.max(now);
    }

    /// The recording is over, or the call was silent too long: without a
    /// `call.end` the line was cut at the latest moment spoken of. Then
    /// everything still due is decided.
    pub fn finish(&mut self) {
        if !self.ended() {
            self.end(self.latest_said, Party::System);
        }
        while let Some(at) = self.poll_timeout() {
            self.handle_timeout(at);
        }
    }

    /// A call that keeps the text of every utterance, for [`explain`](super::explain::explain).
    #[must_use]
    pub fn explainable(rules: Arc<RuleSet>, info: CallInfo) -> Self {
        Self { keep_texts: true, ..Self::new(rules, info) }
    }

    fn spoken(&self, utterance_id: &str) -> Option<&Spoken> {
        self.timeline.in_order().map(|(_, spoken)| spoken).find(|spoken| *spoken.id == *utterance_id)
    }

    /// How sure the second look is that a reviewer marks an utterance, in ten thousandths; `None` without a model.
    #[must_use]
    pub fn verdict(&self, utterance_id: &str) -> Option<u16> {
        Some(self.spoken(utterance_id)?.judged.as_ref()?.verdict)
    }

    /// The rules whose forbidden phrases an utterance holds, as the model knows them.
    #[must_use]
    pub fn found(&self, utterance_id: &str) -> Vec<u32> {
        let spoken = self.spoken(utterance_id);
        let hits = spoken.iter().flat_map(|spoken| &spoken.hits);
        let mut found: Vec<u32> = hits.filter_map(|hit| self.rules.forbidding[hit.detector as usize]).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Why the model holds that an utterance does the act that `phrase` stands for; `None` if it stands for none.
    /// Texts must be kept.
    pub(crate) fn reasons_of_act(&self, ix: UtteranceIx, phrase: PhraseId) -> Option<Reasons> {
        let (&act, _) = self.rules.acts.iter().find(|&(_, &act)| act == phrase)?;
        reasons(self.rules.model.as_ref()?, self.info.channel, &self.timeline, ix, Some(act))
    }

    /// Why the second look is as sure of an utterance as it is; `None` without a model. Texts must be kept.
    pub(crate) fn reasons_of_verdict(&self, ix: UtteranceIx) -> Option<Reasons> {
        reasons(self.rules.model.as_ref()?, self.info.channel, &self.timeline, ix, None)
    }

    /// How sure the second look must be of a match of a rule, in ten thousandths.
    pub(crate) fn needed_of(&self, rule: RuleIx, phrase: PhraseId) -> u16 {
        self.needed(&self.rules, &self.rules.programs[rule as usize], [phrase].into_iter())
    }

    /// The rules that apply to the call.
    pub(crate) fn active_rules(&self) -> impl Iterator<Item = RuleIx> {
        (0..narrow(self.rules.programs.len())).filter(|&rule| self.active.contains(rule))
    }

    /// Every alert that was put out and not taken back, as it was put out last.
    pub(crate) fn reported(&self) -> impl Iterator<Item = &Alert> {
        self.states.values().flat_map(|state| state.reported.values()).map(|reported| &reported.last)
    }

    pub(crate) fn view(&self) -> View<'_> {
        View { rules: &self.rules, info: &self.info, timeline: &self.timeline, hits: &self.hits, now: self.now }
    }

    /// Whether a rule applies to this call.
    pub(crate) fn is_active(&self, rule: RuleIx) -> bool {
        self.active.contains(rule)
    }

    /// Whether a rule that applies needs this detector.
    pub(crate) fn listens_for(&self, detector: DetectorIx) -> bool {
        self.listening.contains(detector)
    }

    /// Every match of a rule's phrases, in the order they were said, with what became of it.
    pub(crate) fn considered(&self, rule: RuleIx) -> Vec<Considered> {
        let detectors = &self.rules.programs[rule as usize].detectors;
        // What it yields to decides, too.
        let yields_to = |own: &DetectorIx| &self.rules.detectors[*own as usize].yields_to;
        let listening = |detector| {
            let first = detectors.iter().any(|own| yields_to(own).contains(&detector));
            detectors.contains(&detector) || first && self.listening.contains(detector)
        };
        let mut all = Vec::new();
        self.reconsider(listening, |_, _, considered| all.append(considered));
        all.retain(|considered| detectors.contains(&considered.detector));
        all
    }

    /// Goes through all utterances in the order they were said, of a call that
    /// keeps texts: each with its folded text and what these detectors made of it.
    pub(crate) fn reconsider(
        &self,
        listening: impl Fn(DetectorIx) -> bool,
        mut take: impl FnMut(UtteranceIx, &FoldedText, &mut Vec<Considered>),
    ) {
        let (mut text, mut matches, mut considered) = (FoldedText::new(), Vec::new(), Vec::new());
        for (ix, spoken) in self.timeline.in_order() {
            let previous = spoken.continues.map(|previous| &self.timeline.get(previous).text);
            self.rules.lexicon.scan(spoken.text.raw(), previous, &mut text);
            matches.clear();
            considered.clear();
            self.rules.lexicon.matches(&text, &mut matches);
            matches.extend(spoken.judged.iter().flat_map(|judged| &judged.acts).cloned());
            matches.sort_by_key(|matched| matched.start);
            detect(&self.rules, &self.timeline, ix, &listening, &matches, &mut Vec::new(), Some(&mut considered));
            take(ix, &text, &mut considered);
        }
    }

    fn happened(&mut self, kind: EventKind, at: CallTime) {
        self.timeline.happened(kind, at);
        if kind == EventKind::Hold || kind.ends_hold() {
            self.measure_silences_again(at);
        }
        self.decide_events();
    }

    fn end(&mut self, at: CallTime, by: Party) {
        self.timeline.ended(at, by);
        self.decide_events();
    }

    fn decide_events(&mut self) {
        for rule in 0..self.rules.programs.len() {
            if self.rules.programs[rule].on_event {
                self.decide(narrow(rule));
            }
        }
    }

    fn hear(&mut self, utterance: &Utterance) {
        let Some(mut placed) = self.timeline.place(utterance) else { return };
        let rules = Arc::clone(&self.rules);
        let mut changed = Vec::new();
        let reaches_to = self.listen(&rules, placed.ix, placed.position, Some(&utterance.text), &mut changed);
        placed.reaches_to = placed.reaches_to.max(reaches_to);
        self.relisten_neighbours(&rules, placed, &mut changed);
        if !self.keep_texts {
            self.timeline.forget_old_texts();
        }
        self.measure(&rules, placed);
        changed.sort_unstable();
        changed.dedup();
        let mut concerned: Vec<RuleIx> =
            changed.iter().flat_map(|&detector| &rules.rules_of[detector as usize]).copied().collect();
        concerned.sort_unstable();
        concerned.dedup();
        for rule in concerned {
            self.decide(rule);
        }
        // Who spoke last decides whether the end cut the call short.
        if self.ended() {
            self.decide_events();
        }
    }

    /// Scans an utterance, anew if `text` is `None`, and takes its hits. Returns the last position that it reaches.
    fn listen(
        &mut self,
        rules: &RuleSet,
        ix: UtteranceIx,
        position: usize,
        text: Option<&str>,
        changed: &mut Vec<DetectorIx>,
    ) -> usize {
        let continues = self.timeline.continued_by(position, SPAN_GAP_MAX_MS);
        let again = text.is_none().then(|| self.timeline.get(ix).text.raw().to_owned());
        let raw = text.or(again.as_deref()).unwrap_or_default();
        match continues {
            Some(previous) => {
                let (spoken, previous) = self.timeline.pair_mut(ix, previous);
                rules.lexicon.scan(raw, Some(&previous.text), &mut spoken.text);
            }
            None => rules.lexicon.scan(raw, None, &mut self.timeline.get_mut(ix).text),
        }
        let spoken = self.timeline.get_mut(ix);
        spoken.continues = continues;
        // Where its acts stand is counted from what it continues.
        spoken.judged = None;
        let (chars, asks) = (narrow(spoken.text.spoken_chars()), monitor::asks(&spoken.text));
        let reaches_to = self.timeline.heard(ix, chars, asks);
        let spoken = self.timeline.get_mut(ix);
        let is_concerned = !spoken.hits.is_empty() || rules.lexicon.has_candidates(&spoken.text);
        if is_concerned || rules.model.is_some() && spoken.role != Role::System {
            self.take_hits(rules, ix, changed);
        }
        let spoken = self.timeline.get_mut(ix);
        if spoken.is_final {
            spoken.text.settle();
        }
        reaches_to
    }

    fn take_hits(&mut self, rules: &RuleSet, ix: UtteranceIx, changed: &mut Vec<DetectorIx>) {
        let mut matches: Vec<Match> = Vec::new();
        let spoken = self.timeline.get_mut(ix);
        rules.lexicon.matches(&spoken.text, &mut matches);
        spoken.said = rules.said_around(&matches, spoken.text.lead());
        let mut hits: Vec<Hit> = Vec::new();
        let listening = |detector| self.listening.contains(detector);
        // Phrases are judged first: an earlier judgement of this utterance must not decide what it holds now.
        let earlier = self.timeline.get_mut(ix).judged.take();
        let mut looked = detect(rules, &self.timeline, ix, listening, &matches, &mut hits, None);
        let found: Vec<u32> = hits.iter().filter_map(|hit| rules.forbidding[hit.detector as usize]).collect();
        // Only finals do acts, and nobody asks how sure a hypothesis is that holds nothing forbidden.
        let is_asked = !found.is_empty() || self.timeline.get(ix).is_final;
        if let Some(model) = rules.model.as_ref().filter(|_| is_asked) {
            let acts = judge(model, rules, self.info.channel, &mut self.timeline, ix, found, earlier);
            if !acts.is_empty() {
                matches.extend(acts);
                matches.sort_by_key(|matched| matched.start);
                hits.clear();
                let again = detect(rules, &self.timeline, ix, listening, &matches, &mut hits, None);
                looked.around |= again.around;
                looked.left_out |= again.left_out;
            }
        }
        let around = looked.around.then(|| Box::new(Around::of(rules, &self.timeline, ix)));
        let now = self.now;
        let spoken = self.timeline.get_mut(ix);
        spoken.around = around;
        self.left_out |= looked.left_out;
        for hit in &mut hits {
            let place = |hit: &Hit| (hit.detector, hit.ordinal);
            let known = spoken.hits.binary_search_by_key(&place(hit), place).ok().map(|known| &spoken.hits[known]);
            (hit.seen_at, hit.seen_in) = known.map_or((now, spoken.revision), |old| (old.seen_at, old.seen_in));
        }
        if hits == spoken.hits && spoken.is_final {
            return;
        }
        let old = std::mem::replace(&mut spoken.hits, hits.clone());
        changed.extend(old.iter().chain(&hits).map(|hit| hit.detector));
        let place = |hit: &Hit| (hit.said_at, &self.timeline.get(hit.utterance).id, hit.ordinal);
        for hit in &old {
            let Some(all) = self.hits.get_mut(&hit.detector) else { continue };
            let at = all.partition_point(|other| place(other) < place(hit));
            if all.get(at).is_some_and(|other| other == hit) {
                all.remove(at);
            }
        }
        for hit in hits {
            let all = self.hits.entry(hit.detector).or_default();
            let at = all.partition_point(|other| place(other) < place(&hit));
            all.insert(at, hit);
        }
    }

    /// An utterance that came, moved or changed may continue others, be
    /// continued by them, or be what their conditions look at.
    fn relisten_neighbours(&mut self, rules: &RuleSet, placed: Placed, changed: &mut Vec<DetectorIx>) {
        let stayed = placed.changed_from == placed.position && placed.changed_to == placed.position;
        let splits_no_turn = stayed && (!placed.is_new || placed.position + 1 == self.timeline.len());
        let mut first = placed.changed_from.saturating_sub(NEIGHBOURS);
        if splits_no_turn {
            // Of what was said before, only the speaker's same turn looks ahead.
            first = first.max(self.timeline.turn_near(placed.position, 0).start);
        }
        if rules.open_ms.is_some() {
            // What was said before may be taken back, whoever spoke in between.
            first = first.min(placed.changed_from.saturating_sub(THEN_AHEAD));
        }
        let last = (placed.changed_to + 1 + NEIGHBOURS).min(self.timeline.len());
        for position in first..last {
            let ix = self.timeline.at(position);
            if ix == placed.ix {
                continue;
            }
            let spoken = self.timeline.get(ix);
            let relinked = position >= placed.changed_from && {
                let continues = self.timeline.continued_by(position, SPAN_GAP_MAX_MS);
                continues != spoken.continues || continues == Some(placed.ix)
            };
            if relinked {
                self.listen(rules, ix, position, None, changed);
            } else if is_judged_anew(&self.timeline, position, placed.ix)
                || is_surrounded_anew(rules, &self.timeline, ix)
            {
                self.take_hits(rules, ix, changed);
            }
        }
    }

    /// Asks a rule's monitor, and puts out what is new.
    fn decide(&mut self, rule: RuleIx) {
        if !self.active.contains(rule) {
            return;
        }
        let rules = Arc::clone(&self.rules);
        let program = &rules.programs[rule as usize];
        let view = self.view();
        if !self.busy.contains(rule) && monitor::is_idle(&view, program) {
            return;
        }
        let Evaluation { mut findings, mut left_out, wake } = monitor::evaluate(&view, program);
        if let Some(State { found, found_in_order, .. }) = self.states.get(&rule) {
            left_out |= found.len() > LOOKED_AT_MAX;
            let first = found_in_order.iter().take(LOOKED_AT_MAX).filter_map(|(_, ix)| found.get(ix));
            findings.extend(first.cloned());
        }
        keep_what_counts(&view, program, &mut findings);
        left_out |= findings.len() > OCCURRENCES_MAX;
        findings.truncate(OCCURRENCES_MAX);
        self.left_out |= left_out;
        self.wakes.retain(|(_, waiting)| *waiting != rule);
        self.wakes.extend(wake.map(|at| (at, rule)));
        if wake.is_some() || !findings.is_empty() {
            self.busy.insert(rule);
        }
        let reported = self.states.get_mut(&rule).map(|state| std::mem::take(&mut state.reported)).unwrap_or_default();
        if findings.is_empty() && reported.is_empty() {
            return;
        }
        let reported = self.report(&rules, rule, findings, reported);
        self.states.entry(rule).or_default().reported = reported;
    }

    /// Puts out the difference between what is found and what was reported, and returns what now is.
    fn report(
        &mut self,
        rules: &RuleSet,
        rule: RuleIx,
        findings: Vec<Finding>,
        mut reported: BTreeMap<String, Reported>,
    ) -> BTreeMap<String, Reported> {
        let mut known: Vec<Option<Reported>> =
            findings.iter().map(|finding| reported.remove(finding.key.as_str())).collect();
        let mut gone: Vec<Reported> = reported.into_values().collect();
        gone.sort_by(|a, b| (a.finding.at, &a.finding.key).cmp(&(b.finding.at, &b.finding.key)));
        for known in gone {
            if known.last.state != AlertState::Resolved {
                let reason = self.taken_back_by(rules, rule, &known.last.evidence);
                self.retract(known.last, reason);
            }
        }
        let mut kept = BTreeMap::new();
        for (finding, known) in findings.into_iter().zip(&mut known) {
            if let Some(reported) = self.report_one(rules, rule, finding, known.take()) {
                kept.insert(reported.finding.key.clone(), reported);
            }
        }
        kept
    }

    fn report_one(
        &mut self,
        rules: &RuleSet,
        rule: RuleIx,
        finding: Finding,
        known: Option<Reported>,
    ) -> Option<Reported> {
        work::look(1);
        let before = known.as_ref().map(|known| known.last.state);
        let told_at = known.as_ref().map(|known| known.last.emitted);
        let Some(state) = next_state(before, finding.stage) else {
            return known.filter(|_| finding.stage != Stage::Met);
        };
        let wording = |mark: &Citation| {
            let spoken = self.timeline.get(mark.utterance);
            (spoken.revision, spoken.judged.as_ref().map(|judged| judged.verdict))
        };
        let is_same = |known: &Reported| {
            known.last.state == state
                && known.finding == finding
                && finding.marks.iter().map(wording).eq(known.wordings.iter().copied())
        };
        if known.as_ref().is_some_and(is_same) {
            return known;
        }
        let wordings = finding.marks.iter().map(wording).collect();
        let mut alert = self.alert(rules, rule, &finding, state);
        match (state, &known) {
            (AlertState::Retracted, _) => alert.message = taken_back(&finding, &alert.evidence),
            (AlertState::Resolved, Some(known)) if known.last.state == AlertState::Reminder => {
                alert.message = format!("{}：已说", alert.rule.name);
            }
            // What is made good is what was missing before.
            (AlertState::Resolved, Some(known)) => alert.message.clone_from(&known.last.message),
            _ => {}
        }
        let update = before != Some(state)
            || state == AlertState::Confirmed
                && known.as_ref().is_some_and(|k| {
                    (k.last.at, &k.last.evidence, k.last.count, k.last.held)
                        != (alert.at, &alert.evidence, alert.count, alert.held)
                });
        if let Some(known) = known.filter(|known| !known.last.held && alert.held) {
            // It was shown, and is now too unsure for that.
            self.retract(known.last, Some("把握不足，不再提示"));
        }
        if update {
            self.put_out(alert.clone());
        } else if let Some(emitted) = told_at {
            alert.emitted = emitted;
        }
        (state != AlertState::Retracted).then_some(Reported { finding, wordings, last: alert })
    }

    /// Takes back what was put out. The reason is what the words in question became, unless given.
    fn retract(&mut self, last: Alert, reason: Option<&str>) {
        let message = reason.map_or_else(|| self.became(&last.evidence), str::to_owned);
        self.put_out(Alert { state: AlertState::Retracted, emitted: self.now, message, ..last });
    }

    /// The later words that took back an alert whose own words stand.
    fn taken_back_by(&self, rules: &RuleSet, rule: RuleIx, evidence: &[Evidence]) -> Option<&'static str> {
        let BodyProgram::Forbid(ForbidProgram { waits: true, .. }) = &rules.programs[rule as usize].body else {
            return None;
        };
        self.reworded(evidence).is_none().then_some("随后的话补救了")
    }

    /// The present wording of the words that an alert rested on.
    fn became(&self, evidence: &[Evidence]) -> String {
        match self.reworded(evidence) {
            Some(spoken) if spoken.is_final => format!("最终结果是“{}”", quoted(spoken.text.raw())),
            Some(spoken) => format!("识别改成了“{}”", quoted(spoken.text.raw())),
            None => String::from("通话的其他内容改变了判断"),
        }
    }

    /// The first of the utterances that reads otherwise now.
    fn reworded(&self, evidence: &[Evidence]) -> Option<&Spoken> {
        evidence.iter().find_map(|evidence| {
            let spoken = self.spoken(&evidence.utterance_id)?;
            (spoken.text.raw() != evidence.text && !spoken.text.raw().is_empty()).then_some(spoken)
        })
    }

    fn put_out(&mut self, alert: Alert) {
        self.outputs.push_back(alert);
    }

    fn alert(&self, rules: &RuleSet, rule: RuleIx, finding: &Finding, state: AlertState) -> Alert {
        let visible = &rules.rules[rule as usize];
        let evidence: Vec<Evidence> = finding.marks.iter().map(|mark| self.evidence(rules, mark)).collect();
        let kind = finding.kind.unwrap_or(visible.kind);
        let verdicts = finding.marks.iter().filter_map(|mark| self.timeline.get(mark.utterance).judged.as_ref());
        let confidence = verdicts.map(|judged| judged.verdict).max().filter(|_| kind == AlertKind::Forbidden);
        let program = &rules.programs[rule as usize];
        let needed = self.needed(rules, program, finding.marks.iter().filter_map(|mark| mark.phrase));
        let speaker = finding.marks.last().and_then(|mark| self.timeline.get(mark.utterance).agent.as_ref());
        Alert {
            alert_id: alert_id(&self.info.call_id, &visible.id, &finding.key),
            state,
            rule: Arc::clone(visible),
            agent_id: Arc::clone(speaker.unwrap_or_else(|| self.agents.at(finding.at))),
            kind,
            at: finding.at,
            emitted: self.now,
            message: message(&template(program, &visible.name, finding.stage), finding, &evidence),
            count: finding.count,
            evidence,
            confidence,
            held: confidence.is_some_and(|confidence| confidence < needed),
        }
    }

    /// How sure the second look must be of what rests on these phrases, in ten thousandths.
    fn needed(&self, rules: &RuleSet, program: &Program, mut phrases: impl Iterator<Item = PhraseId>) -> u16 {
        let is_act = |phrase: PhraseId| rules.acts.values().any(|&act| act == phrase);
        if program.confidence == 0 || !phrases.all(is_act) {
            return program.confidence;
        }
        program.confidence.max(rules.thresholds.act_alone(self.info.channel))
    }

    fn evidence(&self, rules: &RuleSet, mark: &Citation) -> Evidence {
        let spoken = self.timeline.get(mark.utterance);
        work::look(spoken.text.raw_len());
        let (span, phrase) = match mark.phrase {
            Some(phrase) => (mark.start as usize..mark.end as usize, rules.lexicon.phrase_text(phrase)),
            None => (0..spoken.text.raw_len(), ""),
        };
        let Clip { text, start, end, offset } = clip(spoken.text.raw(), span);
        Evidence {
            utterance_id: spoken.id.to_string(),
            role: spoken.role,
            text,
            start,
            end,
            phrase: phrase.to_owned(),
            homophone: mark.homophone,
            offset,
        }
    }
}

/// Whether an utterance whose conditions look at its neighbours would now see others.
fn is_surrounded_anew(rules: &RuleSet, timeline: &Timeline, ix: UtteranceIx) -> bool {
    let around = timeline.get(ix).around.as_deref();
    around.is_some_and(|around| *around != Around::of(rules, timeline, ix))
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The state that a finding leads to; `None` when there is nothing to report.
fn next_state(before: Option<AlertState>, stage: Stage) -> Option<AlertState> {
    use AlertState::{Confirmed, Provisional, Reminder, Resolved, Retracted};
    match (stage, before) {
        // What was confirmed stays so while a correction is still a hypothesis.
        (Stage::Provisional, Some(Confirmed)) => Some(Confirmed),
        // News of a hold moved the deadline: it was too early to say.
        (Stage::Reminder, Some(Confirmed)) => Some(Retracted),
        (Stage::Provisional, _) => Some(Provisional),
        (Stage::Confirmed, _) => Some(Confirmed),
        (Stage::Reminder, _) => Some(Reminder),
        // In time after all: what was only a reminder is done, what was held against the agent is withdrawn.
        (Stage::Met, Some(Confirmed)) => Some(Retracted),
        (Stage::Met, Some(Reminder)) => Some(Resolved),
        (Stage::MadeGood, Some(Confirmed | Reminder)) => Some(Resolved),
        (Stage::Met | Stage::MadeGood, _) => None,
    }
}

/// Keeps the findings whose precondition holds and that the rule's limit
/// allows, each once, in the order they were said.
fn keep_what_counts(view: &View<'_>, program: &Program, findings: &mut Vec<Finding>) {
    findings.retain(|finding| precondition_holds(view, program, finding.at));
    keep_within_limit(program.limit, findings);
}

/// Whether the rule's precondition, if it has one, holds at a moment.
pub(crate) fn precondition_holds(view: &View<'_>, program: &Program, at: CallTime) -> bool {
    program.when.as_ref().is_none_or(|when| monitor::holds(view, when, at))
}

/// Keeps the findings that a rule's limit allows, each once, in the order they were said.
pub(crate) fn keep_within_limit(limit: Limit, findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| (a.at, &a.key).cmp(&(b.at, &b.key)));
    findings.dedup_by(|later, earlier| later.key == earlier.key);
    let mut told = 0;
    let mut last: Option<CallTime> = None;
    findings.retain(|finding| {
        if matches!(finding.stage, Stage::Met) {
            return true;
        }
        let allowed = match limit {
            Limit::Each => true,
            Limit::Once => told == 0,
            Limit::Max(most) => told < most,
            Limit::CooldownMs(ms) => last.is_none_or(|last| finding.at.since(last) >= ms),
        };
        if allowed {
            told += 1;
            last = Some(finding.at);
        }
        allowed
    });
}

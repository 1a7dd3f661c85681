//! Things that are measured: gaps, overlaps, rates, lengths.
//!
//! What concerns one utterance and those before it is decided at its position
//! in the order (`at_position`), so that a new utterance costs one look; what
//! goes on right now is `pending`.

use super::{Citation, Details, Evaluation, Finding, OCCURRENCES_MAX, Stage, Unit, View, seconds, window};
use crate::closed::Words;
use crate::rule::RuleSet;
use crate::rule::program::Program;
use crate::rule::syntax::{Hypotheses, Timing};
use crate::text::{FoldedText, PhraseId};
use crate::time::CallTime;
use crate::timeline::{Spoken, TEXTS_KEPT, UtteranceIx};
use crate::transcript::{EventKind, Role};
use crate::work;

/// Characters a minute that nobody exceeds; announcers reach 500.
const RATE_POSSIBLE_MAX: i64 = 900;

/// How many neighbours before an utterance are asked whether it interrupts them, or how fast the speaker was.
const LOOK_BACK: usize = 64;

/// How many positions behind one that changed can measure otherwise, besides what all before it comes to.
pub(crate) const LOOKED_BACK_FROM: usize = if LOOK_BACK > TEXTS_KEPT { LOOK_BACK } else { TEXTS_KEPT };

/// Symbols of a question, and of what was said since, that are compared: those at its end.
const QUESTION_SYMBOLS: usize = 200;

/// Two questions are the same when their pairs of characters overlap this much (Dice's coefficient, in percent).
const SAME_QUESTION_PERCENT: usize = 80;

/// Words that make a question even without a question mark or 吗.
static QUESTION_WORDS: Words = Words::new(&["什么", "哪", "几", "多少", "怎么", "谁", "请问", "是否"]);

/// The findings of a timing rule at one position of the order.
pub(crate) fn at_position(
    view: &View<'_>,
    program: &Program,
    timing: &Timing,
    unless: &[PhraseId],
    position: usize,
) -> Option<Finding> {
    work::look(1);
    let spoken = view.timeline.spoken_at(position);
    if !spoken.is_final && program.hypotheses == Hypotheses::Final {
        return None;
    }
    match timing {
        Timing::Silence { of, over_ms } => {
            if of.is_some_and(|of| of != spoken.role) {
                return None;
            }
            let (from, last) = last_speech(view, position, *of);
            let until = spoken.start;
            (unheld_ms(view, from, until) > *over_ms).then(|| silence(view, from, last, until, *over_ms))
        }
        Timing::Listening { by, over_ms } => {
            let heard = (spoken.role == *by).then(|| heard(view, position, *by, *over_ms, Some(spoken.start)))?;
            Some(unacknowledged(view, heard.since, heard.crossed?, heard.ms, *over_ms))
        }
        Timing::Rate { role, below, above, window_ms, at_least_ms } => {
            let spoken_ms_and_chars = (spoken.role == *role && is_sayable(spoken))
                .then(|| recent_speech(view, position, *role, *window_ms))?;
            rate(view, position, spoken_ms_and_chars, *below, *above, *at_least_ms)
        }
        Timing::Interruption { by, overlap_ms, after_ms, min_chars, unless: _ } => {
            if spoken.role != *by || spoken.chars < *min_chars || says(view.rules, spoken, unless) {
                return None;
            }
            let other = interrupted(view, position, *overlap_ms, *after_ms)?;
            let over = view.timeline.get(other);
            let both_ms = spoken.end.min(over.end).since(spoken.start);
            let stage = stage_of(spoken.is_final && over.is_final);
            let mut finding = at(view, position, spoken.start, stage);
            finding.marks.insert(0, Citation::whole(other));
            finding.details = measured(Unit::Seconds, seconds(both_ms), seconds(*overlap_ms));
            Some(finding)
        }
        Timing::Monologue { role, over_ms } => {
            if spoken.role != *role {
                return None;
            }
            let run = view.timeline.run_at(position)?;
            let ms = spoken.end.since(run.from);
            // Only the utterance that crosses the line is the occurrence; the ones after it only lengthen it.
            let crossed_before = run.end_before.is_some_and(|end| end.since(run.from) > *over_ms);
            (ms > *over_ms && !crossed_before).then(|| {
                let mut finding = at(view, position, run.from.plus(*over_ms), stage_of(spoken.is_final));
                finding.key = format!("from:{}", view.timeline.get(run.first).id);
                finding.details = measured(Unit::Seconds, seconds(ms), seconds(*over_ms));
                finding
            })
        }
        Timing::Reply { by, over_ms } => {
            let asked = (spoken.role == *by).then(|| view.timeline.unanswered_before(position, *by))??;
            let asked_at = view.timeline.get(asked).end;
            (spoken.start.since(asked_at) > *over_ms).then(|| late_reply(view, asked, spoken.start, *over_ms))
        }
        Timing::Repeat { role, times, min_chars, unless: _ } => {
            if spoken.role != *role || !spoken.is_final || spoken.chars < *min_chars {
                return None;
            }
            repeated(view, position, *times, unless)
        }
        Timing::Volume { role, below, above } => {
            level(view, position, *role, spoken.volume_db, *below, *above, Unit::Decibels)
        }
        Timing::Pitch { role, below, above } => {
            level(view, position, *role, spoken.pitch_hz, *below, *above, Unit::Hertz)
        }
        Timing::Hold { .. } | Timing::Rings { .. } => None,
    }
}

/// The findings about the present moment, and those that only events decide.
pub(crate) fn pending(view: &View<'_>, program: &Program, timing: &Timing, evaluation: &mut Evaluation) {
    let end = view.timeline.end().map(|(at, _)| at);
    let last = view.timeline.len();
    match timing {
        Timing::Silence { of, over_ms } => {
            let (from, whose) = last_speech(view, last, *of);
            let due = view.timeline.after_holds(from, *over_ms);
            goes_on(view, program, due, end, evaluation, |until| silence(view, from, whose, until, *over_ms));
        }
        Timing::Listening { by, over_ms } => {
            let heard = heard(view, last, *by, *over_ms, end);
            let due = heard.crossed;
            // Late words of the listener may still come before the moment.
            let until = end.map(|_| CallTime::MAX);
            goes_on(view, program, due, until, evaluation, |_| {
                unacknowledged(view, heard.since, due.unwrap_or(CallTime::ANSWERED), heard.ms, *over_ms)
            });
        }
        Timing::Reply { by, over_ms } => {
            if let Some(asked) = view.timeline.unanswered_before(last, *by) {
                let due = view.timeline.get(asked).end.plus(*over_ms);
                goes_on(view, program, Some(due), end, evaluation, |until| late_reply(view, asked, until, *over_ms));
            }
        }
        Timing::Hold { over_ms } => {
            for hold in view.timeline.holds().iter().take(OCCURRENCES_MAX) {
                let due = hold.from.plus(*over_ms);
                goes_on(view, program, Some(due), hold.until, evaluation, |until| {
                    let mut finding =
                        Finding::new(window::event_key(EventKind::Hold, hold.from), due, Stage::Confirmed);
                    finding.details = measured(Unit::Seconds, seconds(until.since(hold.from)), seconds(*over_ms));
                    finding
                });
            }
        }
        Timing::Rings { over } => {
            if let Some(rings) = view.info.rings.filter(|rings| rings > over) {
                let mut finding = Finding::new(String::from("rings"), CallTime::ANSWERED, Stage::Confirmed);
                finding.details = measured(Unit::Rings, rings.to_string(), over.to_string());
                evaluation.findings.push(finding);
            }
        }
        _ => {}
    }
}

/// A stretch that may have gone on too long: past `due` if it ended later, or
/// if it has not ended and the grace for late news is over too.
fn goes_on(
    view: &View<'_>,
    program: &Program,
    due: Option<CallTime>,
    until: Option<CallTime>,
    evaluation: &mut Evaluation,
    finding: impl FnOnce(CallTime) -> Finding,
) {
    let Some(due) = due else { return };
    match until {
        Some(until) if until > due => evaluation.findings.push(finding(until)),
        Some(_) => {}
        None if view.now >= due.plus(program.grace_ms) => evaluation.findings.push(finding(view.now)),
        None => evaluation.wake_at(due.plus(program.grace_ms)),
    }
}

fn stage_of(settled: bool) -> Stage {
    if settled { Stage::Confirmed } else { Stage::Provisional }
}

fn measured(unit: Unit, value: String, limit: String) -> Details {
    Details { value: Some(value), limit: Some(limit), unit, ..Details::default() }
}

fn at(view: &View<'_>, position: usize, at: CallTime, stage: Stage) -> Finding {
    let ix = view.timeline.at(position);
    let mut finding = Finding::new(view.timeline.get(ix).id.to_string(), at, stage);
    finding.marks.push(Citation::whole(ix));
    finding
}

fn says(rules: &RuleSet, spoken: &Spoken, any: &[PhraseId]) -> bool {
    any.iter().any(|&phrase| rules.lexicon.find(phrase, &spoken.text, spoken.text.lead()..spoken.text.len()).is_some())
}

/// When speech before a position ended, and whose it was; the answer, when nobody had spoken.
pub(super) fn last_speech(view: &View<'_>, position: usize, of: Option<Role>) -> (CallTime, Option<UtteranceIx>) {
    view.timeline.reach_before(position, of).map_or((CallTime::ANSWERED, None), |(at, ix)| (at, Some(ix)))
}

/// Milliseconds of `from..until` that were not spent on hold.
pub(crate) fn unheld_ms(view: &View<'_>, from: CallTime, until: CallTime) -> i64 {
    until.since(from).saturating_sub(view.timeline.held_ms(from, until))
}

fn silence(view: &View<'_>, from: CallTime, last: Option<UtteranceIx>, until: CallTime, over_ms: i64) -> Finding {
    let key = last.map_or_else(|| String::from("answered"), |ix| format!("after:{}", view.timeline.get(ix).id));
    let due = view.timeline.after_holds(from, over_ms).unwrap_or(until);
    let mut finding = Finding::new(key, due, Stage::Confirmed);
    finding.marks.extend(last.map(Citation::whole));
    finding.details = measured(Unit::Seconds, seconds(unheld_ms(view, from, until)), seconds(over_ms));
    finding
}

/// The speech that a listener has heard since the listener's own last words.
pub(super) struct Heard {
    since: Option<UtteranceIx>,
    /// Milliseconds of speech, as far as it was looked at.
    pub(super) ms: i64,
    /// When it came to more than was asked.
    crossed: Option<CallTime>,
}

/// What `by` hears before a position in the order, up to `until`, without what was said on hold. It is
/// looked at until it exceeds `over_ms`.
pub(super) fn heard(view: &View<'_>, position: usize, by: Role, over_ms: i64, until: Option<CallTime>) -> Heard {
    let timeline = view.timeline;
    let other = if by == Role::Agent { Role::Customer } else { Role::Agent };
    let (from, since) = last_speech(view, position, Some(by));
    let first = since.map_or(0, |ix| timeline.position(ix));
    // Who had begun before may still be speaking.
    let going_on = timeline.reach_before(first, Some(other)).map(|(end, _)| (from, end));
    let stretches = (first..position).map(|p| timeline.spoken_at(p)).filter(|spoken| spoken.role == other);
    let (mut ms, mut at) = (0, from);
    for (start, end) in going_on.into_iter().chain(stretches.map(|spoken| (spoken.start, spoken.end))) {
        let start = start.max(at);
        let end = until.map_or(end, |until| end.min(until));
        if end <= start {
            continue;
        }
        let left = over_ms.saturating_sub(ms);
        ms = ms.saturating_add(unheld_ms(view, start, end));
        at = end;
        if ms > over_ms {
            // The moment at which the first millisecond too many begins.
            let crossed = timeline.after_holds(start, left.saturating_add(1)).map_or(end, |at| at.plus(-1));
            return Heard { since, ms, crossed: Some(crossed) };
        }
    }
    Heard { since, ms, crossed: None }
}

fn unacknowledged(view: &View<'_>, since: Option<UtteranceIx>, due: CallTime, ms: i64, over_ms: i64) -> Finding {
    let key = since.map_or_else(|| String::from("answered"), |ix| format!("after:{}", view.timeline.get(ix).id));
    let mut finding = Finding::new(key, due, Stage::Confirmed);
    finding.marks.extend(since.map(Citation::whole));
    finding.details = measured(Unit::Seconds, seconds(ms), seconds(over_ms));
    finding
}

/// Whether somebody could say so much in that time; else its times are not those of speech.
fn is_sayable(spoken: &Spoken) -> bool {
    i64::from(spoken.chars) * 60_000 <= spoken.end.since(spoken.start).saturating_mul(RATE_POSSIBLE_MAX)
}

/// Milliseconds and characters that the role spoke in the `window_ms` up to the end of an utterance.
pub(crate) fn recent_speech(view: &View<'_>, position: usize, role: Role, window_ms: i64) -> (i64, i64) {
    let from = view.timeline.spoken_at(position).end.plus(-window_ms);
    (0..=position)
        .rev()
        .take(LOOK_BACK)
        .map(|p| view.timeline.spoken_at(p))
        .filter(|spoken| spoken.role == role && spoken.start >= from && is_sayable(spoken))
        .fold((0, 0), |(ms, chars): (i64, i64), spoken| {
            (ms.saturating_add(spoken.end.since(spoken.start)), chars + i64::from(spoken.chars))
        })
}

fn rate(
    view: &View<'_>,
    position: usize,
    (ms, chars): (i64, i64),
    below: Option<u32>,
    above: Option<u32>,
    at_least_ms: i64,
) -> Option<Finding> {
    if ms < at_least_ms.max(1) {
        return None;
    }
    let a_minute = chars * 60_000 / ms;
    let limit = below
        .filter(|&below| a_minute < i64::from(below))
        .or_else(|| above.filter(|&above| a_minute > i64::from(above)))?;
    let spoken = view.timeline.spoken_at(position);
    let mut finding = at(view, position, spoken.end, stage_of(spoken.is_final));
    finding.details = measured(Unit::CharactersAMinute, a_minute.to_string(), limit.to_string());
    Some(finding)
}

/// Whom an utterance interrupts: somebody else who had been speaking and went on.
pub(super) fn interrupted(view: &View<'_>, position: usize, overlap_ms: i64, after_ms: i64) -> Option<UtteranceIx> {
    let spoken = view.timeline.spoken_at(position);
    (0..position).rev().take(LOOK_BACK.min(8)).map(|p| view.timeline.at(p)).find(|&ix| {
        let other = view.timeline.get(ix);
        other.role != spoken.role
            && other.role != Role::System
            && spoken.start.since(other.start) >= after_ms
            && spoken.end.min(other.end).since(spoken.start) >= overlap_ms
    })
}

fn late_reply(view: &View<'_>, asked: UtteranceIx, replied: CallTime, over_ms: i64) -> Finding {
    let message = view.timeline.get(asked);
    let mut finding = Finding::new(format!("to:{}", message.id), message.end.plus(over_ms), Stage::Confirmed);
    finding.marks.push(Citation::whole(asked));
    finding.details = measured(Unit::Seconds, seconds(replied.since(message.end)), seconds(over_ms));
    finding
}

/// The same question for the `times`-th time, though the other party had
/// spoken in between and had not asked to hear it again.
fn repeated(view: &View<'_>, position: usize, times: u32, unless: &[PhraseId]) -> Option<Finding> {
    let spoken = view.timeline.spoken_at(position);
    if !spoken.asks {
        return None;
    }
    let pairs = character_pairs(spoken);
    let mut count = 1;
    let mut marks = vec![Citation::whole(view.timeline.at(position))];
    let mut answered = false;
    for earlier in (0..position).rev().take(TEXTS_KEPT) {
        let other = view.timeline.spoken_at(earlier);
        if other.role != spoken.role {
            let text = &other.text;
            let near = text.lead().max(text.len().saturating_sub(QUESTION_SYMBOLS))..text.len();
            if unless.iter().any(|&phrase| view.rules.lexicon.find(phrase, text, near.clone()).is_some()) {
                break;
            }
            answered |= other.role != Role::System && !other.is_backchannel();
        } else if answered && other.is_final && other.asks && alike(&pairs, &character_pairs(other)) {
            count += 1;
            marks.insert(0, Citation::whole(view.timeline.at(earlier)));
            answered = false;
        }
    }
    (count == times).then(|| {
        let mut finding = at(view, position, spoken.start, Stage::Confirmed);
        finding.marks = marks;
        finding.details = measured(Unit::Times, count.to_string(), times.to_string());
        finding
    })
}

/// Whether an utterance asks something.
pub(crate) fn asks(text: &FoldedText) -> bool {
    if text.is_empty() {
        return false;
    }
    let chars = &text.chars()[text.lead()..];
    text.ends_with_question_mark(&text.sentence(text.len() - 1))
        || matches!(chars.last(), Some('吗' | '呢' | '么'))
        || (0..chars.len()).any(|at| QUESTION_WORDS.longest(&chars[at..]).is_some())
}

fn character_pairs(spoken: &Spoken) -> Vec<(char, char)> {
    let text = &spoken.text;
    let chars = &text.chars()[text.lead().max(text.len().saturating_sub(QUESTION_SYMBOLS))..];
    let mut pairs: Vec<_> = chars.windows(2).map(|pair| (pair[0], pair[1])).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

fn alike(left: &[(char, char)], right: &[(char, char)]) -> bool {
    let common = left.iter().filter(|pair| right.binary_search(pair).is_ok()).count();
    common > 0 && 2 * common * 100 >= SAME_QUESTION_PERCENT * (left.len() + right.len())
}

fn level(
    view: &View<'_>,
    position: usize,
    role: Role,
    value: Option<f32>,
    below: Option<f32>,
    above: Option<f32>,
    unit: Unit,
) -> Option<Finding> {
    let spoken = view.timeline.spoken_at(position);
    let value = value.filter(|_| spoken.role == role)?;
    let limit = below.filter(|&below| value < below).or_else(|| above.filter(|&above| value > above))?;
    let mut finding = at(view, position, spoken.start, stage_of(spoken.is_final));
    finding.details = measured(unit, format!("{value:.0}"), format!("{limit:.0}"));
    Some(finding)
}

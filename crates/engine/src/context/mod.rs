//! What a good listener notices around words: who does it, whether it is
//! denied, asked, quoted or merely supposed, and what it answers.
//!
//! Closed classes of function words decide, never lists of sentences; they
//! are spelled as folding leaves them (simplified, numerals as digits).
//! Deliberately no parser: a call centre's spoken clauses are short.

mod denial;
mod reading;
mod words;

use std::ops::Range;

use self::reading::Places;
pub(crate) use self::reading::{Reading, THEN_AHEAD, TURN_AHEAD};

use self::words::{
    ADVERBS, CHOICES, COVERBS, NAMING_AFTER, NAMING_BEFORE, NAMING_REACH, NEGATION_CONTEXT, PARTICLES, PERSON_ENDINGS,
    SUPPOSITIONS,
};
use crate::closed::starts_with;
use crate::rule::subjects::Subjects;
use crate::rule::syntax::{Context, Subject};
use crate::text::{PhraseId, SYMBOLS_MAX};
use crate::work;

/// Why a match did not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Veto {
    /// Somebody else said it.
    Role,
    /// It does not begin and end where words do.
    NotWords,
    /// This exception holds.
    Unless(&'static str),
    /// This condition does not hold.
    Only(&'static str),
    /// A pack that this one yields to forbids the same words.
    Yields,
}

/// How far around a hit the words that deny, name, suppose or ask are looked for. Nobody speaks so long a clause.
const REACH: usize = 120;

/// More symbols than any match takes, its slots included.
pub(crate) const MATCH_SYMBOLS_MAX: usize = 3 * SYMBOLS_MAX;

/// A match and everything around it.
pub(crate) struct Scene<'a> {
    reading: &'a Reading<'a>,
    subjects: &'a Subjects,
    span: Range<usize>,
    clause: Range<usize>,
    sentence: Range<usize>,
    /// Whether what may still be said counts as said.
    foresees: bool,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(reading: &'a Reading<'a>, subjects: &'a Subjects, span: Range<usize>) -> Self {
        let borders = reading.borders();
        let last = span.end.saturating_sub(1).max(span.start);
        let cover = |from: Range<usize>, to: Range<usize>| from.start..to.end;
        let clause = cover(borders.clause(span.start), borders.clause(last));
        let sentence = cover(borders.sentence(span.start), borders.sentence(last));
        Self { reading, subjects, span, clause, sentence, foresees: false }
    }

    /// The scene as it will be if the speaker goes on to say all that conditions wait for.
    pub(crate) fn foreseen(self) -> Self {
        Self { foresees: true, ..self }
    }

    pub(crate) fn holds(&self, condition: &Context<PhraseId>) -> bool {
        work::look(1);
        let span = &self.span;
        match condition {
            Context::Before { any, within: None } => {
                self.says(any, |places| places.any_inside(&(self.clause.start..span.start)))
            }
            Context::Before { any, within: Some(within) } => {
                let nearest = span.start.saturating_sub(*within as usize);
                let from = self.clause.start.max(nearest.saturating_sub(MATCH_SYMBOLS_MAX));
                let fits = |found: &Range<usize>| nearest <= found.end && found.end <= span.start;
                self.says(any, |places| places.any_from(from..span.start + 1, fits))
            }
            Context::After { any, within: None } => {
                self.says(any, |places| places.any_inside(&(span.end..self.clause.end)))
            }
            Context::After { any, within: Some(within) } => {
                let farthest = span.end.saturating_add(*within as usize);
                self.says(any, |places| {
                    places.any_from(span.end..farthest.saturating_add(1), |found| found.end <= self.clause.end)
                })
            }
            Context::Around(any) => {
                let from = self.sentence.start.max(span.start.saturating_sub(MATCH_SYMBOLS_MAX));
                let fits = |found: &Range<usize>| span.end <= found.end && found.end <= self.sentence.end;
                self.says(any, |places| places.any_from(from..span.start + 1, fits))
            }
            Context::Clause(any) => self.says(any, |places| places.any_inside(&self.clause)),
            Context::Sentence(any) => self.says(any, |places| places.any_inside(&self.sentence)),
            Context::Turn(any) => any.iter().any(|&phrase| self.reading.turn_says(phrase)),
            Context::Reply(any) => any.iter().any(|&phrase| self.reading.reply_says(phrase)),
            Context::Then { any, within_ms } => {
                let is_behind = |places: &Places| places.any_from(span.end..usize::MAX, |_| true);
                self.foresees
                    || self.says(any, is_behind)
                    || any.iter().any(|&phrase| self.reading.then_says(phrase, *within_ms))
            }
            Context::Negated(is) => self.negated() == *is,
            Context::Question(is) => self.question() == *is,
            Context::Quoted(is) => self.quoted() == *is,
            Context::Conditional(is) => self.conditional() == *is,
            Context::Subject(subjects) => subjects.contains(&self.subject()),
            Context::Alone(is) => self.reading.alone(span) == *is,
            Context::Begins(is) => self.begins() == *is,
            Context::Ends(is) => self.ends() == *is,
            Context::VolumeAboveDb(db) => self.reading.spoken.volume_db.is_some_and(|volume| volume > *db),
            Context::PitchAboveHz(hz) => self.reading.spoken.pitch_hz.is_some_and(|pitch| pitch > *hz),
            Context::All(all) => all.iter().all(|part| self.holds(part)),
            Context::Any(any) => any.iter().any(|part| self.holds(part)),
            Context::Not(part) => !self.holds(part),
        }
    }

    /// Whether the utterance says one of the phrases at a place that fits. An act is of the whole utterance.
    fn says(&self, any: &[PhraseId], fits: impl Fn(&Places) -> bool) -> bool {
        any.iter().any(|&phrase| self.reading.says(phrase, &fits))
    }

    fn chars(&self, range: Range<usize>) -> &'a [char] {
        work::look(range.len());
        self.reading.text.chars().get(range).unwrap_or_default()
    }

    /// The relevant words before the hit in its clause.
    fn before(&self) -> &'a [char] {
        self.chars(self.clause.start.max(self.span.start.saturating_sub(REACH))..self.span.start)
    }

    /// The relevant words before the hit in its sentence.
    fn earlier(&self) -> &'a [char] {
        self.chars(self.sentence.start.max(self.span.start.saturating_sub(REACH))..self.span.start)
    }

    /// The relevant words after the hit in its clause.
    fn after(&self) -> &'a [char] {
        self.chars(self.span.end..self.clause.end.min(self.span.end + REACH))
    }

    /// The hit is under an odd number of denials, or its deed is out of reach (保证不了).
    pub(crate) fn negated(&self) -> bool {
        // Beyond this nothing before the hit reaches it.
        let before = self.before();
        let before = &before[before.len().saturating_sub(NEGATION_CONTEXT)..];
        denial::is_denied(self.subjects, before, self.chars(self.span.clone()), self.after())
    }

    /// The sentence asks: a question mark, 吗, 是否, A不A.
    pub(crate) fn question(&self) -> bool {
        if self.reading.ends_as_question(&self.sentence) {
            return true;
        }
        // What follows the hit may only be embedded in it: 不知道是不是 states.
        let before = self.earlier();
        let hit = self.chars(self.span.clone());
        let denies = matches!(hit.first(), Some('不' | '没'));
        let is_own = self.subjects.own(hit).is_some();
        (0..before.len()).any(|at| {
            let choice = CHOICES.longest(&before[at..]);
            if choice.is_none() && !alternative_question(before, at) {
                return false;
            }
            // 能不能到我不知道 asks nothing: what was asked is what the speaker talks about.
            let end = at + choice.unwrap_or(2);
            let own = is_own && end < before.len()
                || (end + 1..before.len()).any(|own| self.subjects.own(&before[own..]).is_some());
            let is_apart = !before[end.min(before.len())..].iter().all(|c| ADVERBS.contains(c));
            let denied = denies && is_apart;
            !own && !denied
        })
    }

    /// The hit is in quotation marks, or named as a word.
    pub(crate) fn quoted(&self) -> bool {
        if self.reading.borders().quoted(&self.span) {
            return true;
        }
        let (before, after) = (self.before(), self.after());
        (0..=NAMING_REACH.min(before.len()))
            .any(|gap| NAMING_BEFORE.iter().any(|naming| ends_with(&before[..before.len() - gap], naming)))
            || (0..=NAMING_REACH.min(after.len())).any(|gap| NAMING_AFTER.longest(&after[gap..]).is_some())
    }

    /// The clause supposes (如果…), or the hit is followed by 的话.
    pub(crate) fn conditional(&self) -> bool {
        let (before, after) = (self.before(), self.after());
        (0..before.len()).any(|at| SUPPOSITIONS.longest(&before[at..]).is_some())
            || (0..after.len()).any(|at| starts_with(&after[at..], "的话"))
    }

    /// Who does it: the nearest person named before the hit, in its clause or
    /// else in the earlier clauses of its sentence (Chinese drops a subject that goes on).
    pub(crate) fn subject(&self) -> Subject {
        let region = self.earlier();
        for end in (1..=region.len()).rev() {
            let upto = &region[..end];
            if let Some((length, subject)) = self.subjects.ending(upto) {
                if acts(region, end - length, end) && !is_reflexive(region, end - length, end) {
                    return subject;
                }
                continue;
            }
            let is_person = end >= 2 && PERSON_ENDINGS.contains(&region[end - 1]);
            if is_person && acts(region, end - 2, end) {
                return Subject::Other;
            }
        }
        Subject::Unnamed
    }

    /// Nothing but particles precedes in the clause.
    pub(crate) fn begins(&self) -> bool {
        self.before().iter().all(|c| PARTICLES.contains(c))
    }

    /// Nothing but particles follows in the clause.
    pub(crate) fn ends(&self) -> bool {
        self.after().iter().all(|c| PARTICLES.contains(c))
    }
}

/// 他本人: the person before it is meant.
fn is_reflexive(region: &[char], start: usize, end: usize) -> bool {
    region[start..end] == ['本', '人'] && start > 0
}

/// Whether a person named at `start..end` acts, rather than owns (您的) or is acted upon (跟您).
fn acts(region: &[char], start: usize, end: usize) -> bool {
    let owns = region.get(end) == Some(&'的');
    let object = start.checked_sub(1).is_some_and(|before| COVERBS.contains(&region[before]));
    !owns && !object
}

/// `A不A` or `A没A` around `at`: 是不是, 有没有, 能不能.
fn alternative_question(chars: &[char], at: usize) -> bool {
    matches!(chars.get(at), Some('不' | '没'))
        && at > 0
        && chars.get(at + 1).is_some_and(|after| *after == chars[at - 1])
}

fn ends_with(chars: &[char], word: &str) -> bool {
    let mut chars = chars.iter().rev();
    word.chars().rev().all(|c| chars.next() == Some(&c))
}

fn trim_end<'c>(mut chars: &'c [char], particles: &[char]) -> &'c [char] {
    while let Some((last, rest)) = chars.split_last()
        && particles.contains(last)
    {
        chars = rest;
    }
    chars
}

//! How far a denial reaches: its own predicate, through helping verbs, adverbs and objects, and
//! never a word of content of its own (不用担心 | 马上到账) or a condition (不还钱 | 就要坐牢).

use super::alternative_question;
use super::words::{
    ACTOR_CHARS, AUXILIARIES, CLAUSE_DENIALS, DENIALS, DOUBLE_NEGATION_REACH, MODAL_DENIALS, NEGATION_REACH,
    NOT_NEGATORS, OBJECT_CHARS, OBJECT_MARKERS, PARTICLES, PASSED, POTENTIAL_DENIALS, QUANTIFIERS, REASONS, REFUSALS,
    REPORTS, SEQUELS, TOPIC_WORDS, TURNING_POINTS,
};
use crate::closed::{Words, starts_with};
use crate::rule::subjects::Subjects;

/// The most characters between 非 and its 不可: 非要起诉不可.
const MUST_CHARS: usize = 3;

/// Denials of one character or two that mean having as often as doing: 没有钱, 没网.
const HAVING: &[&str] = &["没有", "没有人", "没人", "没有什么", "没"];

/// Whether the words `hit` between `before` and `after` in their clause are under an odd number of
/// denials, or out of reach (保证不了).
pub(super) fn is_denied(subjects: &Subjects, before: &[char], hit: &[char], after: &[char]) -> bool {
    // 非起诉不可: it must be.
    let must_be = before[before.len().saturating_sub(MUST_CHARS)..].contains(&'非')
        && ["不可", "不行"].iter().any(|end| starts_with(after, end));
    !must_be && before_it(subjects, before, hit) != behind_it(subjects, after)
}

/// A denial on its way to the hit.
struct Denial {
    /// How many characters it has passed.
    passed: usize,
    /// Characters of content that may still name an object or who acts.
    spare: usize,
    /// It passed some.
    has_content: bool,
    /// It met a word of content of its own, and only what that word reports is still denied.
    waits: bool,
    /// One of the parties may be named next.
    may_name: bool,
    denies_clause: bool,
    denies_having: bool,
    /// A denial of anything at all: 没有任何人会….
    of_any: bool,
    /// For a reason: 不会因为….
    of_reason: bool,
}

impl Denial {
    fn of(word: &[char], denies_clause: bool) -> Self {
        let spare = if denies_clause { ACTOR_CHARS } else { 0 };
        let denies_having = HAVING.iter().any(|having| having.chars().eq(word.iter().copied()));
        Self {
            passed: 0,
            spare,
            has_content: false,
            waits: false,
            may_name: true,
            denies_clause,
            denies_having,
            of_any: false,
            of_reason: false,
        }
    }

    /// Goes on over the next word, which is so long; `None` if the denial ends there.
    fn step(mut self, word: Option<Word>, length: usize) -> Option<Self> {
        let fresh = !self.has_content;
        match word {
            Some(Word::Quantifier) if fresh => self.of_any = true,
            Some(Word::Reason) if fresh => self.of_reason = true,
            _ if self.of_reason => {}
            // 不是每个人都: what is denied of any is denied with its 都 and 也.
            Some(Word::Sequel) if self.of_any => {}
            Some(Word::Sequel) => return None,
            Some(Word::Party) if self.may_name => self.may_name = self.denies_clause,
            Some(Word::Party) => return None,
            Some(Word::Report) => (self.waits, self.may_name) = (false, true),
            Some(Word::Auxiliary) if self.has_content && !self.of_any => return None,
            Some(Word::Auxiliary) => (self.has_content, self.waits, self.may_name) = (false, false, false),
            Some(Word::ObjectMarker) => (self.spare, self.may_name) = (OBJECT_CHARS, true),
            Some(Word::Passed) => self.may_name &= self.denies_clause,
            Some(Word::Name) if self.denies_clause || self.spare > 0 || self.of_any => self.may_name = false,
            Some(Word::Name | Word::Quantifier | Word::Reason) | None => {
                (self.has_content, self.may_name) = (true, false);
                if self.spare >= length {
                    self.spare -= length;
                } else if self.of_any || self.denies_having {
                    self.waits = true;
                } else {
                    return None;
                }
            }
        }
        self.passed += length;
        (self.passed <= NEGATION_REACH).then_some(self)
    }
}

/// The effect of a word on a denial before it.
#[derive(Clone, Copy, Debug)]
enum Word {
    Quantifier,
    Reason,
    Sequel,
    Party,
    Report,
    Auxiliary,
    ObjectMarker,
    Passed,
    Name,
}

/// The longest word that `rest` begins with; one character of content if there is none.
fn word_at(subjects: &Subjects, rest: &[char]) -> (Option<Word>, usize) {
    let listed = [
        (Word::Quantifier, &QUANTIFIERS),
        (Word::Reason, &REASONS),
        (Word::Sequel, &SEQUELS),
        (Word::Report, &REPORTS),
        (Word::Auxiliary, &AUXILIARIES),
        (Word::ObjectMarker, &OBJECT_MARKERS),
        (Word::Passed, &PASSED),
    ];
    let listed = listed.into_iter().filter_map(|(word, words)| Some((word, words.longest(rest)?)));
    let named = [(Word::Party, subjects.party(rest)), (Word::Name, subjects.named(rest))];
    let named = named.into_iter().filter_map(|(word, length)| Some((word, length?)));
    let longest = named.chain(listed).reduce(|best, next| if next.1 > best.1 { next } else { best });
    longest.map_or((None, 1), |(word, length)| (Some(word), length))
}

/// Whether a denial before the hit reaches it.
fn before_it(subjects: &Subjects, before: &[char], hit: &[char]) -> bool {
    let mut denial: Option<Denial> = None;
    let mut at = 0;
    while at < before.len() {
        let rest = &before[at..];
        if let Some(length) = TURNING_POINTS.longest(rest) {
            denial = None;
            at += length;
        } else if let Some(length) = NOT_NEGATORS.longest(rest) {
            at += length;
        } else if alternative_question(before, at) {
            at += 2;
        } else if let Some((length, denies_clause)) = denial_at(rest) {
            let doubled = denial.as_ref().is_some_and(|denial| !denial.has_content || denial.of_any && !denial.waits);
            denial = (!doubled).then(|| Denial::of(&rest[..length], denies_clause));
            at += length;
        } else {
            let (word, length) = word_at(subjects, rest);
            denial = denial.and_then(|denial| denial.step(word, length));
            at += length;
        }
    }
    let Some(denial) = denial.filter(|denial| !denial.waits) else { return false };
    let starts_anew = subjects.party(hit).is_some() && !denial.may_name && !denial.of_reason;
    let denies_itself = matches!(hit.first(), Some('不' | '没' | '无'));
    !starts_anew && (!denies_itself || denial.passed <= DOUBLE_NEGATION_REACH)
}

/// The denial that `rest` begins with: how long it is, and whether it denies a whole clause.
fn denial_at(rest: &[char]) -> Option<(usize, bool)> {
    let length = |words: &Words| words.longest(rest).unwrap_or(0);
    let (own, clause) = (length(&DENIALS).max(length(&MODAL_DENIALS)), length(&CLAUSE_DENIALS));
    let longest = own.max(clause);
    (longest > 0).then_some((longest, clause > own))
}

/// Whether what follows the hit says that it is not so: 减免利息 | 是不可能的.
fn behind_it(subjects: &Subjects, after: &[char]) -> bool {
    if POTENTIAL_DENIALS.iter().any(|denial| starts_with(after, denial)) {
        return true;
    }
    let after = &after[..after.len().min(NEGATION_REACH)];
    let (mut at, mut denied, mut is_stated, mut ends_bare) = (0, false, false, false);
    while at < after.len() {
        let rest = &after[at..];
        if NOT_NEGATORS.longest(rest).is_some() || alternative_question(after, at) {
            return false;
        }
        if TURNING_POINTS.longest(rest).is_some() {
            break;
        }
        let found = REFUSALS.longest(rest).map(|length| (length, false)).or_else(|| denial_at(rest));
        if let Some((length, denies_clause)) = found {
            denied = !denied;
            ends_bare = denies_clause || !is_stated && length <= 2 && DENIALS.longest(rest).is_some();
            at += length;
            continue;
        }
        let topic = if denied { None } else { TOPIC_WORDS.longest(rest) };
        if let Some(length) = topic {
            is_stated |= rest[..length].iter().any(|c| matches!(c, '是' | '话'));
            at += length;
            continue;
        }
        if !denied {
            return false;
        }
        let more = [&REPORTS, &AUXILIARIES, &PASSED].into_iter().find_map(|words| words.longest(rest));
        if let Some(length) = more {
            ends_bare &= PARTICLES.contains(&rest[0]) && rest[0] != '的';
            at += length;
        } else if PARTICLES.contains(&rest[0]) {
            at += 1;
        } else if subjects.party(rest).is_some() {
            break;
        } else {
            return false;
        }
    }
    denied && !ends_bare
}

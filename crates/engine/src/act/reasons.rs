//! Why a score is what it is, in words that people can read: the terms of a
//! model gathered into the few stretches of text that decide.

use std::fmt;

use super::model::{Judged, Model, Term};
use super::{ActId, Turn};

/// Stretches of text that are named; the rest is one sum.
const PARTS_MAX: usize = 5;

/// A stretch that adds less than this, in ten thousandths, is not named.
const ADDS_MIN: i32 = 500;

/// A score taken apart: all `adds` together are the score.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    /// How sure the model is, in ten thousandths.
    pub confidence: u16,
    /// These stretches speak most for the score and against it, the weightiest first.
    pub parts: Vec<Part>,
    /// The turns before add this, in ten thousandths.
    pub before: i32,
    /// Everything else adds this, with what the model starts from.
    pub rest: i32,
}

/// A stretch of text and what it adds to a score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The words.
    pub text: String,
    /// Where they begin, in Unicode scalar values.
    pub start: u32,
    /// Where they end, exclusive.
    pub end: u32,
    /// In ten thousandths.
    pub adds: i32,
}

impl fmt::Display for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Cut off as in alerts.
        write!(f, "{:.2}：", f64::from(self.confidence / 100) / 100.0)?;
        for Part { text, adds, .. } in &self.parts {
            write!(f, "‘{text}’ {}，", signed(*adds))?;
        }
        if signed(self.before) != signed(0) {
            write!(f, "前文 {}，", signed(self.before))?;
        }
        write!(f, "其余 {}", signed(self.rest))
    }
}

/// A sum with its sign and one decimal.
fn signed(adds: i32) -> String {
    let tenths = (f64::from(adds) / 1_000.0).round() / 10.0;
    if tenths < 0.0 { format!("−{:.1}", -tenths) } else { format!("+{tenths:.1}") }
}

impl Model {
    /// Takes the score of `act` (of the verdict, `None`) for a turn apart.
    #[must_use]
    pub fn reasons(&self, turn: &Turn<'_>, act: Option<ActId>) -> Reasons {
        let mut judged = Judged::default();
        self.judge(turn, &mut super::Scratch::default(), &mut judged);
        let target = act.unwrap_or(self.verdict_target());
        let score = judged.scores.get(usize::from(target)).copied().unwrap_or_default();
        let (before, mut words): (Vec<Term>, Vec<Term>) =
            self.terms(turn, act).into_iter().partition(|term| term.is_before);
        let before = before.iter().map(|term| term.adds).sum();
        let chars: Vec<char> = turn.text.chars().collect();
        words.retain(|term| term.start < term.end);
        words.sort_by_key(|term| term.start);
        let mut parts = Vec::new();
        while parts.len() < PARTS_MAX
            && let Some((start, end, adds)) = weightiest(&words)
            && adds.abs() >= ADDS_MIN
        {
            words.retain(|term| term.start < start || term.end > end);
            let text = chars.get(start as usize..(end as usize).min(chars.len())).unwrap_or_default().iter().collect();
            parts.push(Part { text, start, end, adds });
        }
        let named: i32 = parts.iter().map(|part| part.adds).sum();
        Reasons { confidence: self.confidence(&judged, target), parts, before, rest: score - before - named }
    }
}

/// The stretch of one term whose inner terms add most, of equal ones the shortest and first. `terms` are in order.
fn weightiest(terms: &[Term]) -> Option<(u32, u32, i32)> {
    let mut best: Option<(u32, u32, i32)> = None;
    for &Term { start, end, .. } in terms {
        let first = terms.partition_point(|term| term.start < start);
        let inside = terms[first..].iter().take_while(|term| term.start < end).filter(|term| term.end <= end);
        let adds: i32 = inside.map(|term| term.adds).sum();
        let rank = |(start, end, adds): (u32, u32, i32)| (adds.abs(), std::cmp::Reverse((end - start, start)));
        if best.is_none_or(|best| rank((start, end, adds)) > rank(best)) {
            best = Some((start, end, adds));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::{Channel, Role};

    #[test]
    fn the_parts_of_a_score_add_up_to_it() {
        let model = Model::from_text(include_str!("../../../../rules/confidence.model")).unwrap();
        for text in ["这个我不知道", "催也没用我帮您查一下", "您好请问有什么可以帮您", "", "嗯"]
        {
            let turn = Turn {
                role: Role::Agent,
                channel: Channel::Voice,
                text,
                prev: "那怎么办",
                own_prev: "您好",
                found: &[],
            };
            let mut judged = Judged::default();
            model.judge(&turn, &mut super::super::Scratch::default(), &mut judged);
            for act in (0..model.acts().len()).map(|act| ActId::try_from(act).ok()).chain([None]) {
                let reasons = model.reasons(&turn, act);
                let sum = reasons.parts.iter().map(|part| part.adds).sum::<i32>() + reasons.before + reasons.rest;
                assert_eq!(sum, judged.scores[usize::from(act.unwrap_or(model.verdict_target()))], "{text} {act:?}");
                for part in &reasons.parts {
                    let chars = text.chars().skip(part.start as usize).take((part.end - part.start) as usize);
                    assert_eq!(part.text, chars.collect::<String>());
                }
            }
        }
    }

    #[test]
    fn reasons_are_told_with_their_signs() {
        let part = |text: &str, adds: i32| Part { text: text.to_owned(), start: 0, end: 3, adds };
        let parts = vec![part("我帮您", -11_600), part("催也没", 9_100)];
        let reasons = Reasons { confidence: 8_213, parts, before: 300, rest: -4_000 };
        assert_eq!(reasons.to_string(), "0.82：‘我帮您’ −1.2，‘催也没’ +0.9，其余 −0.4");
        let before = Reasons { before: 2_000, ..Reasons::default() };
        assert_eq!(before.to_string(), "0.00：前文 +0.2，其余 +0.0");
    }
}

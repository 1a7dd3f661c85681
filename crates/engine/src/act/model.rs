//! The model: its acts, its weights, and the file that holds them.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::calibration::Calibration;
use super::features::{Buffers, Feature, Kind, Turn, features};
use super::words::table_digest;
use crate::transcript::{Channel, Role};

/// Index of an act in its model.
pub type ActId = u16;

/// Scores are sums of weights; this much is 1.
pub(super) const ONE: f64 = 10_000.0;

/// The first line of a model file begins so; the digests of the table of words and of the model follow.
const HEADER: &str = "tingjian acts 3";

/// How the lines of targets begin.
const ACT: &str = "act";
const FAULT: &str = "fault";
const MARKED: &str = "marked";
const VERDICT: &str = "verdict";

/// A longer model file is refused.
pub const MODEL_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How sure the verdict must be, in ten thousandths, for the likeliest fault to be named.
const LIKELY: u16 = 5_000;

/// How sure the likeliest fault itself must be, in ten thousandths, to be named.
const PLAUSIBLE: u16 = 2_500;

/// Acts of one model.
const ACTS_MAX: usize = 256;

/// The use that rules make of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActKind {
    /// A fault of the agent.
    Forbidden,
    /// Asked for by a standard somewhere.
    Required,
    /// Only a condition of other rules.
    Neutral,
}

/// An act as the model knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// Its name in rules.
    pub id: String,
    /// The role that does it.
    pub role: Role,
    /// Whether rules forbid it, require it or only know it.
    pub kind: ActKind,
    /// The category of the violation, of a forbidden act that a reviewer marks.
    pub category: Option<String>,
    /// Its name in Chinese.
    pub zh: String,
    /// Its name in English.
    pub en: String,
}

/// The model judges a turn by targets; a target's place in their list is its number.
///
/// First the acts. Then, of the agent's turns, one a fault: whether a reviewer marks the turn in
/// this category, learned against harmless turns only, so that like faults do not speak against
/// each other. Then whether one marks it at all. Last the verdict, which the faults make:
/// see [`verdict_of`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// In ten thousandths.
    pub(super) bias: i32,
    /// The score from which on the act counts as done.
    pub(super) threshold: i32,
    /// One a channel, in the order of [`channel_ix`].
    pub(super) calibrations: [Calibration; 2],
}

/// Which of the calibrations is a channel's.
pub(super) const fn channel_ix(channel: Channel) -> usize {
    match channel {
        Channel::Voice => 0,
        Channel::Chat => 1,
    }
}

/// The verdict's score is the score of the likeliest fault, and tenths of the others:
/// of how far the second one is above [`SECOND_FROM`], and of the mark.
const TENTHS: i32 = 10;
const SECOND_TENTHS: i32 = 4;
const SECOND_FROM: i32 = -10_000;
const MARKED_TENTHS: i32 = 3;

/// The verdict's score from those of the faults and of the mark, and which faults came first and second.
///
/// A turn with two likely faults is likelier to be marked than a turn with one.
pub(super) fn verdict_of(faults: &[i32], marked: i32) -> (i32, Option<usize>, Option<usize>) {
    let (mut first, mut second) = (None, None);
    for (fault, &score) in faults.iter().enumerate() {
        if first.is_none_or(|best: usize| score > faults[best]) {
            (first, second) = (Some(fault), first);
        } else if second.is_none_or(|best: usize| score > faults[best]) {
            second = Some(fault);
        }
    }
    second = second.filter(|&second| faults[second] > SECOND_FROM);
    let above = second.map_or(0, |second| faults[second] - SECOND_FROM);
    let best = first.map_or(0, |first| faults[first]);
    (best + above * SECOND_TENTHS / TENTHS + marked * MARKED_TENTHS / TENTHS, first, second)
}

/// A feature as the model weighs it.
#[derive(Debug)]
pub(super) struct Weighed {
    pub(super) key: u32,
    /// The weights of the feature, by target.
    pub(super) weights: Vec<(ActId, i16)>,
}

/// A linear model over features of turns.
#[derive(Clone, PartialEq, Eq)]
pub struct Model {
    acts: Vec<Act>,
    /// Categories of faults.
    faults: Vec<String>,
    targets: Vec<Target>,
    /// Open addressing: the key and its row, plus 1; 0 is empty.
    slots: Vec<(u32, u32)>,
    /// A bit for the low bits of each key in `slots`.
    present: Vec<u64>,
    /// Where each row's weights end.
    ends: Vec<u32>,
    /// Row by row, by target.
    weights: Vec<(ActId, i16)>,
    /// Rows in the order of the file: their keys.
    keys: Vec<u32>,
    digest: String,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("acts", &self.acts.len())
            .field("features", &self.ends.len())
            .finish_non_exhaustive()
    }
}

/// Why a model file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelError {
    /// The line.
    pub line: usize,
    /// The fault and the remedy, in Chinese.
    pub zh: String,
    /// The fault and the remedy, in English.
    pub en: String,
}

impl std::fmt::Display for ModelError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "第 {} 行：{} / line {}: {}", self.line, self.zh, self.line, self.en)
    }
}

impl std::error::Error for ModelError {}

/// Buffers that are reused from turn to turn.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    buffers: Buffers,
    sums: Vec<i32>,
    /// The features of the turn that was judged last which the model weighs and which cover some of its text.
    weighed: Vec<Covering>,
}

/// A feature that the model weighs, and the characters of the text that it covers.
#[derive(Clone, Copy, Debug)]
struct Covering {
    row: usize,
    start: u32,
    end: u32,
}

/// The model's judgement of a turn: a score for each act of the speaker's role, and the verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Scores in ten thousandths, one an act; acts of the other role have none.
    pub(super) scores: Vec<i32>,
    channel: Channel,
}

/// A part of a score.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The characters of the text that it is about, `end` exclusive; empty for what stood before.
    pub start: u32,
    /// See `start`.
    pub end: u32,
    /// The term adds this much to the score, in ten thousandths.
    pub adds: i32,
    /// It is about what stood before, or how the call is held.
    pub is_before: bool,
}

impl Model {
    pub(super) fn new(acts: Vec<Act>, faults: Vec<String>, targets: Vec<Target>, features: Vec<Weighed>) -> Self {
        let (mut ends, mut weights, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for Weighed { key, weights: own } in features {
            weights.extend(own);
            ends.push(u32::try_from(weights.len()).unwrap_or(u32::MAX));
            keys.push(key);
        }
        let (slots, present) = (Vec::new(), Vec::new());
        let mut model = Self { acts, faults, targets, slots, present, ends, weights, keys, digest: String::new() };
        model.index();
        model.digest = Sha256::digest(model.body().as_bytes())[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        model
    }

    /// A model that knows these acts and never finds one: what there is before anything is learned.
    #[must_use]
    pub fn blank(acts: Vec<Act>) -> Self {
        let never = Target { bias: 0, threshold: i32::MAX, calibrations: Default::default() };
        let targets = vec![never; acts.len() + 2];
        Self::new(acts, Vec::new(), targets, Vec::new())
    }

    fn index(&mut self) {
        let size = (self.keys.len() * 2).next_power_of_two().max(2);
        let bits = (self.keys.len() * 8).next_power_of_two().clamp(64, 1 << 24);
        self.slots = vec![(0, 0); size];
        self.present = vec![0; bits / 64];
        for (row, &key) in (1..).zip(&self.keys) {
            let mut at = key as usize & (size - 1);
            while self.slots[at].1 != 0 {
                at = (at + 1) & (size - 1);
            }
            self.slots[at] = (key, row);
            let bit = key as usize & (bits - 1);
            self.present[bit / 64] |= 1 << (bit % 64);
        }
    }

    /// Its acts; the index of one is its [`ActId`].
    #[must_use]
    pub fn acts(&self) -> &[Act] {
        &self.acts
    }

    /// The act of this name.
    #[must_use]
    pub fn act(&self, id: &str) -> Option<ActId> {
        self.acts.iter().position(|act| act.id == id).and_then(|ix| ActId::try_from(ix).ok())
    }

    /// Twelve hexadecimal digits that tell models apart.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// How many features it weighs.
    #[must_use]
    pub fn features(&self) -> usize {
        self.ends.len()
    }

    /// The row of a feature. Most features of a text are in no model, which one look at a bit tells.
    fn row(&self, key: u32) -> Option<usize> {
        let bit = key as usize & (self.present.len() * 64 - 1);
        if self.present[bit / 64] >> (bit % 64) & 1 == 0 {
            return None;
        }
        let mask = self.slots.len() - 1;
        let mut at = key as usize & mask;
        loop {
            match self.slots[at] {
                (_, 0) => return None,
                (found, row) if found == key => return Some(row as usize - 1),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// The weights of a row, by target.
    fn weights(&self, row: usize) -> &[(ActId, i16)] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.weights[start as usize..self.ends[row] as usize]
    }

    /// Scores `turn`: one sum a target, and the verdict's.
    pub fn judge(&self, turn: &Turn<'_>, scratch: &mut Scratch, judged: &mut Judged) {
        let Scratch { buffers, sums, weighed } = scratch;
        sums.clear();
        sums.resize(self.targets.len(), 0);
        weighed.clear();
        features(turn, buffers, |Feature { key, start, end, .. }| {
            let Some(row) = self.row(key) else { return };
            for &(act, weight) in self.weights(row) {
                sums[act as usize] += i32::from(weight);
            }
            if start < end {
                weighed.push(Covering { row, start, end });
            }
        });
        judged.channel = turn.channel;
        judged.scores.clear();
        judged.scores.extend(sums.iter().zip(&self.targets).map(|(&sum, target)| sum + target.bias));
        let verdict = usize::from(self.verdict_target());
        judged.scores[verdict] += self.verdict_of(&judged.scores).0;
    }

    fn verdict_of(&self, scores: &[i32]) -> (i32, Option<usize>, Option<usize>) {
        let (faults, marked) = (self.acts.len(), self.acts.len() + self.faults.len());
        verdict_of(&scores[faults..marked], scores[marked])
    }

    /// The acts of `role` that a judged turn does, with their confidence in ten thousandths.
    ///
    /// Of a turn that a reviewer is likely to mark, the likeliest fault counts as done
    /// even where it alone would not be sure enough: something is wrong, and this is its best name.
    pub fn done<'m>(&'m self, judged: &'m Judged, role: Role) -> impl Iterator<Item = (ActId, u16)> + 'm {
        let likeliest = (role == Role::Agent && self.verdict(judged) >= LIKELY).then(|| self.likeliest_fault(judged));
        let acts = (0..).zip(&self.acts).zip(judged.scores.iter().zip(&self.targets));
        acts.filter(move |((id, act), (score, target))| {
            act.role == role && (**score >= target.threshold || likeliest.flatten() == Some(*id))
        })
        .map(|((id, _), (&score, target))| (id, target.calibrations[channel_ix(judged.channel)].share(score)))
    }

    /// The fault that a reviewer would most likely name.
    fn likeliest_fault(&self, judged: &Judged) -> Option<ActId> {
        let faults = (0..).zip(&self.acts).filter(|(_, act)| act.kind == ActKind::Forbidden && act.category.is_some());
        let shares = faults.map(|(id, _)| (self.confidence(judged, id), std::cmp::Reverse(id)));
        shares.max().filter(|&(share, _)| share >= PLAUSIBLE).map(|(_, id)| id.0)
    }

    /// How sure it is that a judged turn does `act`, in ten thousandths.
    #[must_use]
    pub fn confidence(&self, judged: &Judged, act: ActId) -> u16 {
        let score = judged.scores.get(act as usize).copied().unwrap_or(i32::MIN);
        self.targets.get(act as usize).map_or(0, |target| target.calibrations[channel_ix(judged.channel)].share(score))
    }

    /// How sure it is that a reviewer marks a judged turn, in ten thousandths.
    #[must_use]
    pub fn verdict(&self, judged: &Judged) -> u16 {
        self.confidence(judged, self.verdict_target())
    }

    /// The score behind [`verdict`](Self::verdict), in ten thousandths: finer than the share, for putting turns in order.
    #[must_use]
    pub fn verdict_score(&self, judged: &Judged) -> i32 {
        judged.scores.last().copied().unwrap_or(i32::MIN)
    }

    /// The category that a reviewer would most likely mark a judged turn of an agent in.
    #[must_use]
    pub fn fault(&self, judged: &Judged) -> Option<&str> {
        if judged.scores.len() != self.targets.len() {
            return None;
        }
        let (_, first, _) = self.verdict_of(&judged.scores);
        first.and_then(|fault| self.faults.get(fault)).map(String::as_str)
    }

    #[cfg(test)]
    pub(super) fn bias(&self, act: usize) -> i32 {
        self.targets[act].bias
    }

    pub(super) fn verdict_target(&self) -> ActId {
        ActId::try_from(self.acts.len() + self.faults.len() + 1).unwrap_or(ActId::MAX)
    }

    /// The terms that make the score of `act` (or of the verdict, `None`) for a turn.
    #[must_use]
    pub fn terms(&self, turn: &Turn<'_>, act: Option<ActId>) -> Vec<Term> {
        let tenths = self.tenths(turn, act);
        let term = |Feature { key, start, end, kind }: Feature| {
            let tenths_of = |of: ActId| tenths.iter().find(|(known, _)| *known == of).map_or(0, |(_, tenths)| *tenths);
            let weights = self.row(key).map(|row| self.weights(row)).unwrap_or_default();
            let adds: i32 = weights.iter().map(|&(of, weight)| tenths_of(of) * i32::from(weight)).sum();
            (adds != 0).then_some(Term { start, end, adds: adds / TENTHS, is_before: kind == Kind::Setting })
        };
        let mut terms = Vec::new();
        features(turn, &mut Buffers::default(), |feature| terms.extend(term(feature)));
        terms
    }

    /// The targets that make a score, with how many tenths of each.
    fn tenths(&self, turn: &Turn<'_>, act: Option<ActId>) -> Vec<(ActId, i32)> {
        if let Some(act) = act {
            return vec![(act, TENTHS)];
        }
        let mut judged = Judged::default();
        self.judge(turn, &mut Scratch::default(), &mut judged);
        let (_, first, second) = self.verdict_of(&judged.scores);
        let target = |fault: usize| ActId::try_from(self.acts.len() + fault).unwrap_or(ActId::MAX);
        let first = first.map(|fault| (target(fault), TENTHS));
        let second = second.map(|fault| (target(fault), SECOND_TENTHS));
        first.into_iter().chain(second).chain([(target(self.faults.len()), MARKED_TENTHS)]).collect()
    }

    /// The characters that speak most for `act` in the turn that `scratch` judged last: the densest stretch, `end`
    /// exclusive.
    #[must_use]
    pub fn evidence(&self, scratch: &Scratch, act: ActId) -> Option<(u32, u32)> {
        let chars = scratch.weighed.iter().map(|feature| feature.end as usize).max().unwrap_or_default();
        let mut gains = vec![0_i64; chars];
        for &Covering { row, start, end } in &scratch.weighed {
            let weights = self.weights(row);
            let Ok(found) = weights.binary_search_by_key(&act, |&(of, _)| of) else { continue };
            let weight = i64::from(weights[found].1);
            let (start, end) = (start as usize, end as usize);
            let share = weight * 16 / (end - start) as i64;
            gains[start..end].iter_mut().for_each(|gain| *gain += share);
        }
        // The stretch with the greatest sum (Kadane).
        let (mut best, mut sum, mut from) = (None, 0_i64, 0);
        for (at, &gain) in gains.iter().enumerate() {
            if sum <= 0 {
                (sum, from) = (0, at);
            }
            sum += gain;
            if sum > best.map_or(0, |(most, _, _)| most) {
                best = Some((sum, from, at + 1));
            }
        }
        best.and_then(|(_, from, to)| Some((u32::try_from(from).ok()?, u32::try_from(to).ok()?)))
    }

    /// The file: one line a thing, so that it can be kept and compared like a rule file.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{HEADER} {} {}\n{}", table_digest(), self.digest, self.body())
    }

    fn body(&self) -> String {
        let mut text = String::new();
        let acts = self.acts.iter().map(|act| (ACT, serde_json::to_string(act).unwrap_or_default()));
        let faults = self.faults.iter().map(|fault| (FAULT, fault.clone()));
        let last = [(MARKED, String::new()), (VERDICT, String::new())];
        for ((kind, name), target) in acts.chain(faults).chain(last).zip(&self.targets) {
            let _ = write!(text, "{kind} {} {}", target.bias, target.threshold);
            for calibration in &target.calibrations {
                let knots: Vec<String> =
                    calibration.knots().iter().map(|(at, share)| format!("{at}:{share}")).collect();
                let _ = write!(text, " {}", knots.join(","));
            }
            let _ = writeln!(text, " {name}");
        }
        let mut start = 0;
        for (key, &end) in self.keys.iter().zip(&self.ends) {
            let _ = write!(text, "{key:x}");
            for (act, weight) in &self.weights[start..end as usize] {
                let _ = write!(text, " {}:{weight}", act);
            }
            text.push('\n');
            start = end as usize;
        }
        text
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// The first line that is not what [`to_text`](Self::to_text) writes, or a digest that is not the content's.
    pub fn from_text(text: &str) -> Result<Self, ModelError> {
        let fault = |line: usize, zh: &str, en: &str| ModelError { line, zh: zh.to_owned(), en: en.to_owned() };
        let broken = |line: usize| {
            fault(
                line,
                "模型文件损坏：用 tingjian learn 重新生成，或从发行包里取回",
                "the model file is damaged: make it anew with tingjian learn, or take it from the release",
            )
        };
        if text.len() > MODEL_BYTES_MAX {
            return Err(fault(1, "模型文件超过 32 MiB", "the model file is larger than 32 MiB"));
        }
        let mut lines = (1..).zip(text.lines());
        let head = lines.next().map_or("", |(_, line)| line);
        let digest = head.strip_prefix(HEADER).and_then(|rest| rest.trim_start().strip_prefix(table_digest()));
        let Some(digest) = digest.and_then(|rest| rest.strip_prefix(' ')) else {
            return Err(fault(
                1,
                "不是这个版本能读的模型文件：用 tingjian learn 重新生成",
                "not a model file that this version reads: make it anew with tingjian learn",
            ));
        };
        let (mut acts, mut faults, mut targets, mut rows) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut kinds = Vec::new();
        for (number, line) in lines {
            let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
            if let Some(&kind) = [ACT, FAULT, MARKED, VERDICT].iter().find(|known| **known == kind) {
                let mut parts = rest.splitn(5, ' ');
                let target = (|| {
                    let (bias, threshold) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
                    let calibrations = [read_calibration(parts.next()?)?, read_calibration(parts.next()?)?];
                    Some(Target { bias, threshold, calibrations })
                })();
                let name = parts.next().unwrap_or_default();
                targets.push(target.ok_or_else(|| broken(number))?);
                match kind {
                    ACT => acts.push(serde_json::from_str::<Act>(name).map_err(|_| broken(number))?),
                    FAULT => faults.push(name.to_owned()),
                    _ => {}
                }
                kinds.push(kind);
            } else {
                let row = read_row(line, targets.len()).ok_or_else(|| broken(number))?;
                rows.push(row);
            }
        }
        let in_order =
            [ACT].repeat(acts.len()).into_iter().chain([FAULT].repeat(faults.len())).chain([MARKED, VERDICT]);
        if !kinds.into_iter().eq(in_order) || acts.len() > ACTS_MAX || faults.len() > ACTS_MAX {
            return Err(broken(2));
        }
        let model = Self::new(acts, faults, targets, rows);
        if model.digest != digest {
            return Err(broken(1));
        }
        Ok(model)
    }
}

fn read_calibration(knots: &str) -> Option<Calibration> {
    let knots = knots.split(',').filter(|knot| !knot.is_empty()).map(|knot| {
        let (at, share) = knot.split_once(':')?;
        Some((at.parse().ok()?, share.parse().ok()?))
    });
    Calibration::from_knots(knots.collect::<Option<_>>()?)
}

fn read_row(line: &str, targets: usize) -> Option<Weighed> {
    let mut parts = line.split(' ');
    let key = u32::from_str_radix(parts.next()?, 16).ok()?;
    let weights = parts.map(|part| {
        let (act, weight) = part.split_once(':')?;
        let act: ActId = act.parse().ok()?;
        (usize::from(act) < targets).then_some((act, weight.parse().ok()?))
    });
    Some(Weighed { key, weights: weights.collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_is_refused_with_its_line() {
        let target = Target { bias: -5, threshold: 10, calibrations: Default::default() };
        let targets = vec![target; 3];
        let weighed = Weighed { key: 7, weights: vec![(0, 5)] };
        let model = Model::new(Vec::new(), vec![String::from("rude")], targets, vec![weighed]);
        let text = model.to_text();
        assert_eq!(Model::from_text(&text).unwrap(), model);
        for (bad, line) in [
            (text.replace("0:5", "0:6"), 1),
            (text.replace("0:5", "9:5"), 5),
            (text.replace("acts 3", "acts 2"), 1),
            (text.replace(table_digest(), "00000000"), 1),
            (text.replace("fault -5", "fault x"), 2),
            (text.replace("marked -5", "verdict -5"), 2),
            (text.replacen("fault -5 10", "marked -5 10", 1), 2),
        ] {
            assert_eq!(Model::from_text(&bad).unwrap_err().line, line, "{bad}");
        }
    }
}

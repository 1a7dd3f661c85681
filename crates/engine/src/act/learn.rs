//! Learning: from labelled turns to a [`Model`].
//!
//! Each target (an act, a fault, the mark) is a linear support vector machine with
//! squared hinge loss, found by dual coordinate descent (Hsieh et al., ICML 2008,
//! algorithm 1, with the shrinking of LIBLINEAR). The verdict is made of the faults:
//! one plane between all marked turns and the harmless ones has to find what a refusal
//! and an insult have in common, which is little; a plane a category does not.
//! Calibrations and thresholds come from scores of turns that were left out (five folds).
//!
//! Targets are independent: whoever has several cores calls
//! [`Learner::target`] on each. Nothing depends on which comes first.

use std::collections::BTreeMap;

use super::calibration::Calibration;
use super::features::{Buffers, Feature, Kind, Turn, features};
use super::model::{Act, ActId, Model, ONE, Target, Weighed, channel_ix, verdict_of};
use crate::transcript::{Channel, Role};

/// How many parts the turns are dealt into; each is scored by what the others teach.
const FOLDS: u64 = 5;

/// A feature in fewer turns is chance to an act.
const TURNS_OF_FEATURE_MIN: u32 = 2;

/// The price of a mistake against the price of large weights: of an act, of a fault.
const ACT_COST: f64 = 0.03;
const FAULT_COST: f64 = 0.02;

/// A case of a rare act costs more than a turn without it, up to this much.
const RARE_COST_MAX: f64 = 4.0;

/// The share of the turns worth a look that a reviewer marks, at work.
const FAULTS_AT_WORK: f64 = 0.1;

const PASSES_MAX: usize = 40;
const TOLERANCE: f64 = 0.05;

/// Weights that a model keeps: of one act, of one fault, of the mark. The smallest go.
const ACT_WEIGHTS_MAX: usize = 1_500;
const FAULT_WEIGHTS_MAX: usize = 15_000;
const MARKED_WEIGHTS_MAX: usize = 60_000;

/// A category with fewer marked turns is no fault of its own: its turns teach the mark alone.
const TURNS_OF_FAULT_MIN: usize = 8;

/// The label of an example for one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// It is a case.
    Yes,
    /// It is none.
    No,
    /// Labellers differ, or nobody said: no example of this.
    Unknown,
}

/// A labelled turn.
#[derive(Clone, Debug)]
pub struct Example<'t> {
    /// The turn.
    pub turn: Turn<'t>,
    /// The acts that it does, by index in the learner's acts; `None` if nobody labelled its acts.
    pub acts: Option<Vec<ActId>>,
    /// Acts on which labellers differ.
    pub unsure: Vec<ActId>,
    /// Whether a reviewer marks it.
    pub verdict: Label,
    /// The category of a marked turn; empty where nobody said.
    pub category: &'t str,
    /// The weight of the example: 1 for an ordinary one.
    pub weight: f64,
}

/// Examples made ready for learning.
#[derive(Debug)]
pub struct Learner<'t> {
    acts: Vec<Act>,
    /// Categories of marked turns, in the order of the alphabet.
    faults: Vec<&'t str>,
    examples: Vec<Example<'t>>,
    /// All features, rising by key.
    keys: Vec<u32>,
    /// Acts are learned from these: all features but those of one turn alone.
    of_acts: Rows,
    /// Faults and the mark are learned from these: the words alone. Settings of a corpus are not those of a
    /// centre (measured: with them, the order of real turns was worse).
    of_faults: Rows,
}

/// How often each example has which feature.
#[derive(Debug, Default)]
struct Rows {
    /// The features of all examples, one example after another: the number of each, and how often it occurs.
    columns: Vec<(u32, f32)>,
    /// Where each example's end.
    ends: Vec<usize>,
}

impl Rows {
    fn push(&mut self, row: impl Iterator<Item = (u32, f32)>) {
        self.columns.extend(row);
        self.ends.push(self.columns.len());
    }

    fn get(&self, ix: usize) -> &[(u32, f32)] {
        let start = ix.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.columns[start..self.ends[ix]]
    }
}

/// A target learned: to be handed to [`Learner::model`].
#[derive(Clone, Debug)]
pub struct Learned {
    target: Target,
    weights: Vec<(u32, i16)>,
    /// Each example that taught it, as the others judge it.
    pub left_out: Vec<Scored>,
}

/// An example as a model judges it that had not seen it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Its index among the examples.
    pub example: usize,
    /// The score, in ten thousandths.
    pub score: i32,
    /// Its share by the calibration, in ten thousandths.
    pub share: u16,
    /// Whether it was a case.
    pub case: bool,
}

impl Learned {
    /// The score from which on the target counts as done.
    #[must_use]
    pub fn threshold(&self) -> i32 {
        self.target.threshold
    }
}

impl<'t> Learner<'t> {
    /// Takes the features of all examples.
    #[must_use]
    pub fn new(acts: Vec<Act>, examples: Vec<Example<'t>>) -> Self {
        let (mut buffers, mut found): (_, Vec<Feature>) = (Buffers::default(), Vec::new());
        // Of each feature: in how many turns it is, and whether only acts are learned from it.
        let mut turns_of: BTreeMap<u32, (u32, bool)> = BTreeMap::new();
        let mut counted: Vec<Vec<(u32, u16)>> = Vec::with_capacity(examples.len());
        for example in &examples {
            found.clear();
            features(&example.turn, &mut buffers, |feature| found.push(feature));
            found.sort_unstable_by_key(|feature| feature.key);
            let runs = found.chunk_by(|a, b| a.key == b.key);
            // Each occurrence counts, as it does when the model scores.
            counted.push(runs.map(|run| (run[0].key, u16::try_from(run.len()).unwrap_or(u16::MAX))).collect());
            for run in found.chunk_by(|a, b| a.key == b.key) {
                turns_of.entry(run[0].key).or_insert((0, run[0].kind != Kind::Words)).0 += 1;
            }
        }
        let keys: Vec<u32> = turns_of.keys().copied().collect();
        let kinds: Vec<(u32, bool)> = turns_of.into_values().collect();
        let (mut of_acts, mut of_faults) = (Rows::default(), Rows::default());
        for runs in counted {
            let known =
                runs.iter().filter_map(|&(key, times)| Some((keys.binary_search(&key).ok()?, f32::from(times))));
            let known: Vec<(usize, f32)> = known.collect();
            let row = |keeps: &dyn Fn((u32, bool)) -> bool| -> Vec<(u32, f32)> {
                let kept = known.iter().filter(|(column, _)| keeps(kinds[*column]));
                kept.map(|&(column, times)| (column as u32, times)).collect()
            };
            of_acts.push(row(&|(turns, _)| turns >= TURNS_OF_FEATURE_MIN).into_iter());
            of_faults.push(row(&|(_, is_of_acts)| !is_of_acts).into_iter());
        }
        let mut marked: BTreeMap<&str, usize> = BTreeMap::new();
        for example in examples.iter().filter(|example| example.verdict == Label::Yes && !example.category.is_empty()) {
            *marked.entry(example.category).or_default() += 1;
        }
        let faults = marked.into_iter().filter(|&(_, turns)| turns >= TURNS_OF_FAULT_MIN).map(|(fault, _)| fault);
        Self { acts, faults: faults.collect(), examples, keys, of_acts, of_faults }
    }

    /// The acts, as the model will number them.
    #[must_use]
    pub fn acts(&self) -> &[Act] {
        &self.acts
    }

    /// How many targets [`target`](Self::target) learns: the acts, the faults, and the mark.
    #[must_use]
    pub fn targets(&self) -> usize {
        self.acts.len() + self.faults.len() + 1
    }

    /// The name of a target: an act's id, a fault's category, `marked`.
    #[must_use]
    pub fn name(&self, of: usize) -> &str {
        let fault = || of.checked_sub(self.acts.len()).and_then(|fault| self.faults.get(fault).copied());
        self.acts.get(of).map(|act| act.id.as_str()).or_else(fault).unwrap_or("marked")
    }

    /// Learns the target of this index: an act, a fault, or the mark.
    ///
    /// A fault is learned from turns of its category and from harmless ones; those of other
    /// categories are only judged.
    #[must_use]
    pub fn target(&self, of: usize) -> Learned {
        let is_act = of < self.acts.len();
        let fault = of.checked_sub(self.acts.len()).and_then(|fault| self.faults.get(fault).copied());
        let labels: Vec<Label> = self.examples.iter().map(|example| self.label(example, of)).collect();
        let judged: Vec<usize> = (0..labels.len()).filter(|&ix| labels[ix] != Label::Unknown).collect();
        let is_case =
            |ix: usize| labels[ix] == Label::Yes && fault.is_none_or(|fault| self.examples[ix].category == fault);
        let teaches = |ix: usize| is_case(ix) || labels[ix] == Label::No;
        let rows = if is_act { &self.of_acts } else { &self.of_faults };
        let mut left_out = Vec::with_capacity(judged.len());
        for fold in 0..FOLDS {
            let (out, mut rest): (Vec<usize>, Vec<usize>) = judged.iter().partition(|&&ix| self.fold(ix) == fold);
            rest.retain(|&ix| teaches(ix));
            let plane = self.separate(rows, is_act, &rest, is_case);
            left_out.extend(out.into_iter().map(|ix| Scored {
                example: ix,
                score: (plane.score(rows.get(ix)) * ONE).round() as i32,
                share: 0,
                case: is_case(ix),
            }));
        }
        left_out.sort_by_key(|scored| scored.example);
        let taught: Vec<usize> = judged.into_iter().filter(|&ix| teaches(ix)).collect();
        let plane = self.separate(rows, is_act, &taught, is_case);
        let most = match (is_act, fault) {
            (true, _) => ACT_WEIGHTS_MAX,
            (false, Some(_)) => FAULT_WEIGHTS_MAX,
            (false, None) => MARKED_WEIGHTS_MAX,
        };
        let calibrations = if is_act { self.calibrations(&mut left_out, None) } else { Default::default() };
        let (bias, threshold) = ((plane.bias * ONE).round() as i32, self.threshold(&left_out));
        Learned { target: Target { bias, threshold, calibrations }, weights: plane.kept(most), left_out }
    }

    /// The verdict, from all that [`target`](Self::target) learned, in their order.
    ///
    /// Faults are far more frequent in a corpus than at work. For the calibration harmless turns
    /// therefore weigh so much that faults have the share that they have at work.
    #[must_use]
    pub fn verdict(&self, learned: &[Learned]) -> Learned {
        let (faults, marked) = learned[self.acts.len()..].split_at(self.faults.len());
        let marked = marked.first().map_or(&[][..], |marked| &marked.left_out);
        let mut scores = Vec::with_capacity(faults.len());
        let scored = |(ix, marked): (usize, &Scored)| {
            scores.clear();
            scores.extend(faults.iter().map(|fault| fault.left_out[ix].score));
            Scored { score: verdict_of(&scores, marked.score).0, ..*marked }
        };
        let mut left_out: Vec<Scored> = marked.iter().enumerate().map(scored).collect();
        let calibrations = self.calibrations(&mut left_out, Some(FAULTS_AT_WORK));
        let target = Target { bias: 0, threshold: self.threshold(&left_out), calibrations };
        Learned { target, weights: Vec::new(), left_out }
    }

    /// The model of what [`target`](Self::target) learned, one a target, in their order, and of the verdict.
    #[must_use]
    pub fn model(&self, learned: &[Learned], verdict: &Learned) -> Model {
        let mut rows: BTreeMap<u32, Vec<(ActId, i16)>> = BTreeMap::new();
        for (of, target) in (0..).zip(learned) {
            for &(column, weight) in &target.weights {
                rows.entry(column).or_default().push((of, weight));
            }
        }
        let row = |(column, weights): (u32, Vec<(ActId, i16)>)| {
            let column = column as usize;
            Weighed { key: self.keys[column], weights }
        };
        let targets = learned.iter().chain([verdict]).map(|learned| learned.target.clone()).collect();
        let faults = self.faults.iter().map(|&fault| fault.to_owned()).collect();
        Model::new(self.acts.clone(), faults, targets, rows.into_iter().map(row).collect())
    }

    /// The threshold by the turns that were left out.
    fn threshold(&self, left_out: &[Scored]) -> i32 {
        let weighed = left_out.iter().map(|scored| (scored.score, self.examples[scored.example].weight, scored.case));
        threshold(weighed.collect())
    }

    /// The calibrations, one a channel, by the turns that were left out, which get their shares.
    /// Cases weigh `cases_at_work` of all, if that is known.
    fn calibrations(&self, left_out: &mut [Scored], cases_at_work: Option<f64>) -> [Calibration; 2] {
        let calibrations = [Channel::Voice, Channel::Chat].map(|channel| {
            let own = left_out.iter().filter(|scored| self.examples[scored.example].turn.channel == channel);
            let mut weighed: Vec<(i32, f64, bool)> =
                own.map(|scored| (scored.score, self.examples[scored.example].weight, scored.case)).collect();
            if let Some(share) = cases_at_work {
                let sum = |case: bool| -> f64 { weighed.iter().filter(|turn| turn.2 == case).map(|turn| turn.1).sum() };
                let harmless = sum(true) * (1.0 - share) / share / sum(false).max(1.0);
                weighed.iter_mut().filter(|turn| !turn.2).for_each(|turn| turn.1 *= harmless);
            }
            Calibration::fit(&weighed)
        });
        for scored in left_out {
            let channel = self.examples[scored.example].turn.channel;
            scored.share = calibrations[channel_ix(channel)].share(scored.score);
        }
        calibrations
    }

    fn label(&self, example: &Example<'_>, of: usize) -> Label {
        let Some(act) = self.acts.get(of) else {
            return if example.turn.role == Role::Agent { example.verdict } else { Label::Unknown };
        };
        let of = of as ActId;
        match &example.acts {
            Some(acts) if act.role == example.turn.role && !example.unsure.contains(&of) => {
                if acts.contains(&of) {
                    Label::Yes
                } else {
                    Label::No
                }
            }
            _ => Label::Unknown,
        }
    }

    /// Which part an example is dealt to: the same words always to the same.
    fn fold(&self, ix: usize) -> u64 {
        let text = self.examples[ix].turn.text.bytes();
        let hash = text
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        (hash >> 17) % FOLDS
    }

    /// Dual coordinate descent over the examples `taught`.
    fn separate(&self, rows: &Rows, is_act: bool, taught: &[usize], is_case: impl Fn(usize) -> bool) -> Plane {
        let mut plane = Plane { weights: vec![0.0; self.keys.len()], bias: 0.0 };
        let weight_of = |case: bool| -> f64 {
            taught.iter().filter(|&&ix| is_case(ix) == case).map(|&ix| self.examples[ix].weight).sum()
        };
        let (cases, others) = (weight_of(true), weight_of(false));
        if cases == 0.0 || others == 0.0 {
            plane.bias = if cases == 0.0 { -1.0 } else { 1.0 };
            return plane;
        }
        let (cost, rare) =
            if is_act { (ACT_COST, (others / cases).sqrt().clamp(1.0, RARE_COST_MAX)) } else { (FAULT_COST, 1.0) };
        struct Dual {
            example: usize,
            sign: f64,
            /// 1 / (2 C) of this example.
            slack: f64,
            /// The square of its row, with the bias's 1 and the slack.
            square: f64,
            alpha: f64,
        }
        let dual = |&example: &usize| {
            let case = is_case(example);
            let cost = cost * self.examples[example].weight * if case { rare } else { 1.0 };
            let slack = 0.5 / cost;
            let own: f64 = rows.get(example).iter().map(|&(_, value)| f64::from(value) * f64::from(value)).sum();
            Dual { example, sign: if case { 1.0 } else { -1.0 }, slack, square: own + 1.0 + slack, alpha: 0.0 }
        };
        let mut duals: Vec<Dual> = taught.iter().map(dual).collect();
        let mut order: Vec<usize> = (0..duals.len()).collect();
        let mut active = order.len();
        let mut chance = 0x9e37_79b9_7f4a_7c15_u64;
        let mut shrink_above = f64::INFINITY;
        for _ in 0..PASSES_MAX {
            for at in 0..active {
                chance = chance.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                order.swap(at, at + (chance >> 33) as usize % (active - at));
            }
            let (mut highest, mut lowest) = (f64::NEG_INFINITY, f64::INFINITY);
            let mut at = 0;
            while at < active {
                let dual = &mut duals[order[at]];
                let row = rows.get(dual.example);
                let gradient = dual.sign * plane.score(row) - 1.0 + dual.slack * dual.alpha;
                if dual.alpha == 0.0 && gradient > shrink_above {
                    active -= 1;
                    order.swap(at, active);
                    continue;
                }
                let projected = if dual.alpha == 0.0 { gradient.min(0.0) } else { gradient };
                highest = highest.max(projected);
                lowest = lowest.min(projected);
                if projected.abs() > 1e-12 {
                    let before = dual.alpha;
                    dual.alpha = (before - gradient / dual.square).max(0.0);
                    plane.add(row, (dual.alpha - before) * dual.sign);
                }
                at += 1;
            }
            if highest - lowest <= TOLERANCE {
                if active == order.len() {
                    break;
                }
                // What was set aside is looked at once more.
                active = order.len();
                shrink_above = f64::INFINITY;
                continue;
            }
            shrink_above = if highest <= 0.0 { f64::INFINITY } else { highest };
        }
        plane
    }
}

/// A plane that separates cases from others.
struct Plane {
    weights: Vec<f64>,
    bias: f64,
}

impl Plane {
    fn score(&self, row: &[(u32, f32)]) -> f64 {
        self.bias + row.iter().map(|&(column, value)| self.weights[column as usize] * f64::from(value)).sum::<f64>()
    }

    fn add(&mut self, row: &[(u32, f32)], times: f64) {
        for &(column, value) in row {
            self.weights[column as usize] += times * f64::from(value);
        }
        self.bias += times;
    }

    /// The `most` greatest weights, by the number of their feature.
    fn kept(&self, most: usize) -> Vec<(u32, i16)> {
        let weight = |(column, weight): (usize, &f64)| {
            let whole = (weight * ONE).round();
            (column as u32, whole.clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16)
        };
        let mut weights: Vec<(u32, i16)> =
            self.weights.iter().enumerate().map(weight).filter(|kept| kept.1 != 0).collect();
        weights.sort_by_key(|&(column, weight)| (std::cmp::Reverse(weight.unsigned_abs()), column));
        weights.truncate(most);
        weights.sort_unstable();
        weights
    }
}

/// The score that parts cases from others best: the greatest F measure.
fn threshold(mut falling: Vec<(i32, f64, bool)>) -> i32 {
    falling.sort_by_key(|&(score, _, case)| (std::cmp::Reverse(score), case));
    let all: f64 = falling.iter().filter(|scored| scored.2).map(|scored| scored.1).sum();
    let (mut right, mut told, mut best, mut at) = (0.0, 0.0, 0.0, ONE as i32);
    for (ix, &(score, weight, case)) in falling.iter().enumerate() {
        told += weight;
        if case {
            right += weight;
        }
        let next = falling.get(ix + 1).map(|next| next.0);
        let measure = 2.0 * right / (all + told);
        if next != Some(score) && measure > best {
            (best, at) = (measure, score);
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::{ActKind, Judged, Scratch};

    fn acts() -> Vec<Act> {
        let act = |id: &str, kind| Act {
            id: id.to_owned(),
            role: Role::Agent,
            kind,
            category: (kind == ActKind::Forbidden).then(|| String::from("dont-know")),
            zh: id.to_owned(),
            en: id.to_owned(),
        };
        vec![act("bare-dont-know", ActKind::Forbidden), act("thank", ActKind::Required)]
    }

    fn turn(text: &str) -> Turn<'_> {
        Turn {
            role: Role::Agent, channel: Channel::Voice, text, prev: "什么时候能修好", own_prev: "", found: &[]
        }
    }

    const DONT_KNOWS: [&str; 8] =
        ["这个我不知道", "我也不清楚", "不清楚啊", "这我哪知道", "不知道哦", "我真不清楚", "这块我不了解", "不太清楚"];
    const THANKS: [&str; 8] =
        ["谢谢您的来电", "感谢您的耐心", "多谢您", "谢谢您的建议", "非常感谢", "谢谢理解", "感谢您的支持", "谢谢您"];
    const PLAIN: [&str; 8] = [
        "明天上午师傅过去",
        "您的户号是多少",
        "已经登记好了",
        "余额还有三十元",
        "请问您贵姓",
        "地址是城南路九号吗",
        "我帮您查一下",
        "下周二之前到账",
    ];

    fn examples() -> Vec<Example<'static>> {
        let example = |text: &'static str, act: Option<ActId>| Example {
            turn: turn(text),
            acts: Some(act.into_iter().collect()),
            unsure: Vec::new(),
            verdict: if act == Some(0) { Label::Yes } else { Label::No },
            category: "dont-know",
            weight: 1.0,
        };
        let of = |texts: [&'static str; 8], act| texts.into_iter().map(move |text| example(text, act));
        of(DONT_KNOWS, Some(0)).chain(of(THANKS, Some(1))).chain(of(PLAIN, None)).collect()
    }

    fn model() -> Model {
        let learner = Learner::new(acts(), examples());
        let learned: Vec<Learned> = (0..learner.targets()).map(|of| learner.target(of)).collect();
        learner.model(&learned, &learner.verdict(&learned))
    }

    #[test]
    fn acts_are_heard_in_wordings_that_nobody_taught() {
        let model = model();
        let (mut scratch, mut judged) = (Scratch::default(), Judged::default());
        let mut done = |text: &str| -> Vec<String> {
            model.judge(&turn(text), &mut scratch, &mut judged);
            model.done(&judged, Role::Agent).map(|(act, _)| model.acts()[usize::from(act)].id.clone()).collect()
        };
        assert_eq!(done("这我也不太清楚啊"), ["bare-dont-know"]);
        assert_eq!(done("感谢您的理解"), ["thank"]);
        assert!(done("明天下午师傅过去查一下").is_empty());
    }

    #[test]
    fn the_same_turns_teach_the_same_bytes() {
        assert_eq!(model().to_text(), model().to_text());
        let read = Model::from_text(&model().to_text()).unwrap();
        assert!(read == model());
    }

    #[test]
    fn a_score_is_the_sum_of_its_terms() {
        let model = model();
        let (mut scratch, mut judged) = (Scratch::default(), Judged::default());
        let turn = turn("哦这个我不知道");
        model.judge(&turn, &mut scratch, &mut judged);
        let terms = model.terms(&turn, Some(0));
        let sum: i32 = terms.iter().map(|term| term.adds).sum();
        let told = judged.scores[0] - model.bias(0);
        // Each term is cut to a whole number.
        assert!((sum - told).abs() <= i32::try_from(terms.len()).unwrap(), "{sum} is not {told}");
        let (start, end) = model.evidence(&scratch, 0).unwrap();
        assert!(start <= 4 && end >= 7, "不知道 is no part of {start}..{end}");
    }

    /// Marked turns of two categories, in words of the same classes, and harmless ones.
    fn two_faults() -> Vec<Example<'static>> {
        const SCORNS: [&str; 8] =
            ["你有病吧", "真是个傻子", "你脑子有问题", "白痴一个", "跟猪一样", "神经病啊你", "闭嘴吧你", "滚一边去"];
        let scorns = SCORNS.into_iter().map(|text| Example {
            turn: turn(text),
            acts: Some(Vec::new()),
            unsure: Vec::new(),
            verdict: Label::Yes,
            category: "rude",
            weight: 1.0,
        });
        examples().into_iter().chain(scorns).collect()
    }

    #[test]
    fn the_verdict_is_that_of_the_likeliest_fault() {
        let learner = Learner::new(acts(), two_faults());
        let learned: Vec<Learned> = (0..learner.targets()).map(|of| learner.target(of)).collect();
        let names: Vec<&str> = (0..learner.targets()).map(|of| learner.name(of)).collect();
        assert_eq!(names, ["bare-dont-know", "thank", "dont-know", "rude", "marked"]);
        let verdict = learner.verdict(&learned);
        assert_eq!(verdict.left_out.iter().filter(|scored| scored.case).count(), 16);
        let model = learner.model(&learned, &verdict);
        let (mut scratch, mut judged) = (Scratch::default(), Judged::default());
        // 没谱 and 笨蛋 were taught by nobody; their classes were.
        for (text, fault) in [("这我可没谱", "dont-know"), ("我哪知道", "dont-know"), ("你个笨蛋", "rude")]
        {
            model.judge(&turn(text), &mut scratch, &mut judged);
            assert_eq!(model.fault(&judged), Some(fault), "{text}");
        }
        model.judge(&turn("你个笨蛋"), &mut scratch, &mut judged);
        let scorn = model.verdict_score(&judged);
        model.judge(&turn("师傅明天上午过去"), &mut scratch, &mut judged);
        assert!(scorn > model.verdict_score(&judged));
    }

    #[test]
    fn the_terms_of_a_verdict_add_up_to_it() {
        let learner = Learner::new(acts(), two_faults());
        let learned: Vec<Learned> = (0..learner.targets()).map(|of| learner.target(of)).collect();
        let model = learner.model(&learned, &learner.verdict(&learned));
        let (mut scratch, mut judged) = (Scratch::default(), Judged::default());
        let mut made_of = |text: &'static str| -> (i32, i32) {
            model.judge(&turn(text), &mut scratch, &mut judged);
            let terms = model.terms(&turn(text), None);
            (model.verdict_score(&judged), terms.iter().map(|term| term.adds).sum())
        };
        // What is no term (biases, and where the second fault begins to count) is the same for both.
        let ((one, of_one), (other, of_other)) = (made_of("你真不知道吗傻子"), made_of("不知道你傻"));
        assert!(((one - other) - (of_one - of_other)).abs() < 100, "{one} {other}: {of_one} {of_other}");
    }

    #[test]
    fn what_labellers_dispute_teaches_nothing() {
        let mut disputed = examples();
        disputed.push(Example { unsure: vec![0], verdict: Label::Unknown, ..disputed[0].clone() });
        let learner = Learner::new(acts(), disputed);
        assert_eq!(learner.target(0).left_out.len(), 24);
        assert_eq!(learner.target(2).left_out.len(), 24);
        assert_eq!(learner.target(1).left_out.len(), 25);
    }
}

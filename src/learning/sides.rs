//! What a model learned anew changes for the site's turns: precision and recall at the thresholds in
//! use, and the turns that are told now and were not, or the other way round.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::engine::privacy;
use crate::engine::rule::thresholds::Thresholds;

use super::Row;
use super::ranking::average_precision;

/// Turns that changed sides, of which so many are shown.
const SHOWN_MAX: usize = 20;

/// Characters of a turn that are shown.
const CHARS_MAX: usize = 60;

/// How sure a model is that a reviewer marks a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    /// The score, in ten thousandths.
    pub(super) score: i32,
    /// Its share, in ten thousandths.
    pub(super) share: u16,
}

/// A turn of the site as it is judged by the model in use, if there is one, and by the new one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side<'r> {
    pub(super) row: &'r Row,
    pub(super) before: Option<Judgement>,
    pub(super) after: Judgement,
    /// Whether a reviewer marks it.
    pub(super) is_case: bool,
}

/// What a new model changes for the turns of a site, cross-validated, at the thresholds in use.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Changes {
    /// Turns that say whether they are violations.
    pub turns: usize,
    /// Those that are.
    pub violations: usize,
    /// The share of violations among the turns that are told.
    pub precision: Change,
    /// The share of violations that are told.
    pub recall: Change,
    /// The mean of the precision at each violation, in falling order of scores.
    pub average_precision: Change,
    /// Turns that are told now and were not, or the other way round.
    pub changed: usize,
    /// All of it for people, with the first of those turns.
    #[serde(skip)]
    pub text: String,
}

/// A figure with the model in use, if there is one, and with the new one; `None` where there is nothing to divide by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Change {
    /// With the model in use.
    pub before: Option<f64>,
    /// With the new one.
    pub after: Option<f64>,
}

impl Changes {
    /// Whether the new model puts the turns in a worse order than the one in use.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        let Change { before, after } = self.average_precision;
        before.zip(after).is_some_and(|(before, after)| after < before - 1e-9)
    }

    /// Compares. `confidences` is what each rule's phrases need. A turn needs what the least demanding rule asks
    /// whose phrase it holds; without one, what an act alone does.
    pub(super) fn of(sides: &[Side<'_>], confidences: &BTreeMap<u32, u16>, thresholds: &Thresholds) -> Self {
        let mut told = Vec::new();
        for side in sides {
            let of_phrases = side.row.found.iter().filter_map(|key| confidences.get(key)).min();
            let needed = of_phrases.copied().unwrap_or(thresholds.act_alone(side.row.channel));
            told.push((side.before.map(|before| before.share >= needed), side.after.share >= needed, side));
        }
        let was: Option<Vec<(bool, bool)>> =
            told.iter().map(|(before, _, side)| before.map(|before| (before, side.is_case))).collect();
        let is: Vec<(bool, bool)> = told.iter().map(|(_, after, side)| (*after, side.is_case)).collect();
        let (was_precision, was_recall) = was.as_deref().map_or((None, None), precision_and_recall);
        let (is_precision, is_recall) = precision_and_recall(&is);
        let before: Option<Vec<(i32, bool)>> =
            sides.iter().map(|side| side.before.map(|before| (before.score, side.is_case))).collect();
        let after = sides.iter().map(|side| (side.after.score, side.is_case)).collect();
        let mut changed: Vec<_> =
            told.iter().filter(|(before, after, _)| before.is_some_and(|it| it != *after)).collect();
        // What got worse comes first.
        changed.sort_by_key(|(_, after, side)| *after == side.is_case);
        let mut changes = Self {
            turns: sides.len(),
            violations: sides.iter().filter(|side| side.is_case).count(),
            precision: Change { before: was_precision, after: is_precision },
            recall: Change { before: was_recall, after: is_recall },
            average_precision: Change { before: before.map(average_precision), after: Some(average_precision(after)) },
            changed: changed.len(),
            text: String::new(),
        };
        changes.text = changes.figures(was.is_some());
        for (_, after, side) in changed.iter().take(SHOWN_MAX) {
            let change = if *after { "不报 → 报 now told" } else { "报 → 不报 now silent" };
            let label = if side.is_case { "违规 yes" } else { "不违规 no" };
            let category =
                if side.row.category.is_empty() { String::new() } else { format!(" {}", shown(&side.row.category)) };
            let _ = writeln!(changes.text, "    {change}\t[{label}{category}]\t{}", shown(&side.row.text));
        }
        if let Some(more) = changed.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
            let _ = writeln!(changes.text, "    还有 {more} 句 / and {more} more");
        }
        changes
    }

    fn figures(&self, has_before: bool) -> String {
        let Self { turns, violations, precision, recall, average_precision, changed, .. } = self;
        let mut text = format!(
            "现场标注 {turns} 句（违规 {violations}，不违规 {}），按现用门槛，交叉验证 / site's turns at the thresholds in use, cross-validated:\n",
            turns - violations
        );
        for (name, Change { before, after }) in [
            ("准确率 precision", precision),
            ("召回率 recall", recall),
            ("平均准确率 average precision", average_precision),
        ] {
            let _ = writeln!(text, "  {name}: {} → {}", figure(*before), figure(*after));
        }
        if has_before {
            let _ = writeln!(text, "  换了边的 {changed} 句 / turns that changed sides: {changed}");
        }
        text
    }
}

/// `None` where nothing is told, or there is nothing to tell.
fn precision_and_recall(told: &[(bool, bool)]) -> (Option<f64>, Option<f64>) {
    let count = |which: &dyn Fn(bool, bool) -> bool| told.iter().filter(|(told, case)| which(*told, *case)).count();
    let right = count(&|told, case| told && case);
    let share = |whole: usize| (whole > 0).then(|| right as f64 / whole as f64);
    (share(count(&|told, _| told)), share(count(&|_, case| case)))
}

fn figure(figure: Option<f64>) -> String {
    figure.map_or_else(|| String::from("–"), |figure| format!("{figure:.3}"))
}

/// Words on one line, without what is personal.
fn shown(text: &str) -> String {
    let mut line: String =
        privacy::mask(text).chars().take(CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() > CHARS_MAX {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use crate::engine::act::Label;
    use crate::engine::transcript::{Channel, Role};

    use super::*;

    fn row(text: &str, found: &[u32]) -> Row {
        Row {
            role: Role::Agent,
            channel: Channel::Chat,
            prev: String::new(),
            own_prev: String::new(),
            text: text.to_owned(),
            acts: None,
            unsure: Vec::new(),
            verdict: Label::Unknown,
            is_of_site: true,
            category: String::from("推诿"),
            fault: String::new(),
            found: found.to_vec(),
        }
    }

    fn side(row: &Row, before: Option<u16>, after: u16, is_case: bool) -> Side<'_> {
        let judgement = |share: u16| Judgement { score: i32::from(share), share };
        Side { row, before: before.map(judgement), after: judgement(after), is_case }
    }

    #[test]
    fn what_changed_sides_is_told_by_the_threshold_of_its_own_rule() {
        let confidences = BTreeMap::from([(1, 5_000), (2, 2_000)]);
        let rows = [
            row("这个我不知道，打13800138000", &[1]),
            row("别的部门管", &[1, 2]),
            row("好的", &[1]),
            row("没有话术", &[]),
        ];
        let sides = [
            side(&rows[0], Some(4_000), 6_000, true),
            side(&rows[1], Some(3_000), 4_000, true),
            side(&rows[2], Some(6_000), 7_000, false),
            side(&rows[3], Some(7_400), 7_600, false),
        ];
        let text = Changes::of(&sides, &confidences, &Thresholds::default()).text;
        for line in [
            "现场标注 4 句（违规 2，不违规 2）",
            "准确率 precision: 0.500 → 0.500",
            "召回率 recall: 0.500 → 1.000",
            "turns that changed sides: 2",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        let changed: Vec<&str> = text.lines().skip(5).collect();
        assert!(changed[0].contains("now told\t[不违规 no 推诿]\t没有话术"), "{text}");
        assert!(changed[1].contains("now told\t[违规 yes 推诿]\t这个我不知道，打138****8000"), "{text}");
    }

    #[test]
    fn without_a_model_in_use_there_is_nothing_before_and_long_lists_are_cut() {
        let row = row("不知道", &[1]);
        let text =
            Changes::of(&[side(&row, None, 6_000, true)], &BTreeMap::from([(1, 5_000)]), &Thresholds::default()).text;
        assert!(text.contains("precision: – → 1.000") && !text.contains("changed sides"), "{text}");
        let many = vec![side(&row, Some(0), 6_000, true); SHOWN_MAX + 3];
        let text = Changes::of(&many, &BTreeMap::from([(1, 5_000)]), &Thresholds::default()).text;
        assert!(text.ends_with("还有 3 句 / and 3 more\n"), "{text}");
    }
}

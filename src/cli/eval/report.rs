//! The figures, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;
use tingjian::engine::alert::Alert;

use super::super::show::plain;
use super::calls::{Calls, Fates};
use super::pairs::{Figures, Pairs};
use super::read::Kind;
use super::second_look::SecondLook;
use super::turns::{Dialogues, Turns};
use super::words::Words;

/// False alarms of homophones that the text lists; JSON lists all.
const PAIR_ERRORS_MAX: usize = 40;

/// All that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// How the labelled turns fared, in short.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<Summary>,
    pub(super) turns: Option<Turns>,
    pub(super) words: Option<Words>,
    pub(super) dialogues: Option<Dialogues>,
    pub(super) pairs: Option<Pairs>,
    pub(super) calls: Option<Calls>,
}

/// Labels against alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Counts {
    pub(super) true_positives: usize,
    pub(super) false_positives: usize,
    pub(super) false_negatives: usize,
    pub(super) true_negatives: usize,
    /// `None` if nothing was alerted.
    pub(super) precision: Option<f64>,
    /// `None` if nothing should have been alerted.
    pub(super) recall: Option<f64>,
}

impl Counts {
    /// Counts one case, and brings precision and recall up to date.
    pub(super) fn add(&mut self, expected: bool, alerted: bool) {
        *match (expected, alerted) {
            (true, true) => &mut self.true_positives,
            (false, true) => &mut self.false_positives,
            (true, false) => &mut self.false_negatives,
            (false, false) => &mut self.true_negatives,
        } += 1;
        let share = |of: usize| (of > 0).then(|| self.true_positives as f64 / of as f64);
        let (precision, recall) =
            (share(self.true_positives + self.false_positives), share(self.true_positives + self.false_negatives));
        (self.precision, self.recall) = (precision, recall);
    }

    fn text(&self) -> String {
        let share = |share: Option<f64>| share.map_or_else(|| String::from("—"), |share| format!("{share:.3}"));
        format!(
            "准确率 {}  召回率 {}（命中 {}，误报 {}，漏报 {}，正确放过 {}）",
            share(self.precision),
            share(self.recall),
            self.true_positives,
            self.false_positives,
            self.false_negatives,
            self.true_negatives,
        )
    }
}

/// A rule and the phrases that it fired on.
#[derive(Debug, Serialize)]
pub(super) struct Fired {
    pub(super) rule: String,
    pub(super) phrases: Vec<String>,
}

impl Fired {
    pub(super) fn of(alert: &Alert) -> Self {
        let phrases = alert.evidence.iter().map(|evidence| evidence.phrase.clone()).filter(|phrase| !phrase.is_empty());
        let mut phrases: Vec<String> = phrases.collect();
        phrases.dedup();
        Self { rule: alert.rule.id.clone(), phrases }
    }

    fn text(&self) -> String {
        if self.phrases.is_empty() {
            return plain(&self.rule);
        }
        format!("{}「{}」", plain(&self.rule), plain(&self.phrases.join("」「")))
    }
}

/// The figures of the labelled turns by which rules and models are compared.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    precision: Option<f64>,
    recall: Option<f64>,
    tp: usize,
    fp: usize,
    #[serde(rename = "fn")]
    missed: usize,
    borderline_flagged: usize,
}

impl Summary {
    pub(super) fn of(turns: &Turns) -> Self {
        let Counts { true_positives, false_positives, false_negatives, precision, recall, .. } = turns.counts;
        Self {
            precision,
            recall,
            tp: true_positives,
            fp: false_positives,
            missed: false_negatives,
            borderline_flagged: turns.borderline_alerted,
        }
    }
}

impl Report {
    pub(super) fn json(&self) -> String {
        // Maps with text keys and finite numbers: there is nothing that JSON cannot say.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let parts = [
            self.turns.as_ref().map(turns),
            self.words.as_ref().map(words),
            self.dialogues.as_ref().map(dialogues),
            self.pairs.as_ref().map(pairs),
            self.calls.as_ref().map(calls),
        ];
        for part in parts.into_iter().flatten() {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&part);
        }
        if text.is_empty() {
            text.push_str("没有数据\n");
        }
        text
    }
}

// Writing to a string cannot fail.

fn turns(turns: &Turns) -> String {
    let mut text = format!("标注的单句：{} 句\n  {}\n", turns.total, turns.counts.text());
    let _ = writeln!(text, "  两可的 {} 句，其中报了 {} 句，不计入", turns.borderline, turns.borderline_alerted);
    let _ = writeln!(text, "  每千句有预警的 {:.1} 句", turns.alerted_per_1000);
    for (category, fates) in &turns.by_category {
        let _ = writeln!(
            text,
            "  {:<12} 违规 {} 句，报了 {}；两可 {} 句，报了 {}",
            plain(category),
            fates.violations,
            fates.found,
            fates.borderline,
            fates.borderline_alerted,
        );
    }
    if let Some(look) = &turns.second_look {
        text.push_str(&second_look(look));
    }
    for error in &turns.errors {
        let what = if error.fired.is_empty() { "漏报" } else { "误报" };
        let _ = writeln!(text, "  {what} {}：{}", error.at, plain(&error.text));
        if let Some(before) = error.prev_turn.as_deref().filter(|before| !before.is_empty()) {
            let _ = writeln!(text, "      上一句：{}", plain(before));
        }
        for fired in &error.fired {
            let _ = writeln!(text, "      {}", fired.text());
        }
    }
    text
}

fn second_look(look: &SecondLook) -> String {
    let or_dash = |share: Option<f64>| share.map_or_else(|| String::from("—"), |share| format!("{share:.3}"));
    let mut text = format!("  只看把握：平均准确率 {:.3}，Brier {:.4}\n", look.average_precision, look.brier);
    text.push_str("  把握从  报了  准确率 召回率\n");
    for point in &look.curve {
        let (precision, recall) = (or_dash(point.precision), or_dash(point.recall));
        let _ = writeln!(text, "  {:<7.1} {:<5} {precision:<6} {recall}", point.confidence, point.told);
    }
    text.push_str("  把握    句数  平均把握 其中违规\n");
    for tenth in &look.reliability {
        let _ = writeln!(
            text,
            "  {:.1}–{:.1} {:<5} {:<8.3} {:.3}",
            tenth.from,
            tenth.from + 0.1,
            tenth.turns,
            tenth.mean_confidence,
            tenth.violations
        );
    }
    text
}

fn calls(calls: &Calls) -> String {
    let share = |part: usize, whole: usize| match whole {
        0 => String::from("—"),
        _ => format!("{:.3}", part as f64 / whole as f64),
    };
    let line = |name: &str, fates: &Fates| {
        format!(
            "  {name:<9} {:<5} {:<9} {:<9} {:<5} {:<9} {}\n",
            fates.violating,
            share(fates.found_by_clause, fates.violating),
            share(fates.found_at_place, fates.violating),
            fates.compliant,
            share(fates.told_falsely, fates.compliant),
            share(fates.told_anything, fates.compliant),
        )
    };
    let mut text = String::from("按条款写的通话：\n  条款      违规  按条款    在原处    合规  误报该条  误报任何\n");
    text.push_str(&line("全部", &calls.counts));
    for (clause, fates) in &calls.by_clause {
        text.push_str(&line(&plain(clause), fates));
    }
    for error in &calls.errors {
        let what = match error.kind {
            Kind::Violating => "漏报",
            Kind::Compliant => "误报",
        };
        let fired: Vec<String> = error.fired.iter().map(Fired::text).collect();
        let _ = writeln!(text, "  {what} {}：{} {}", error.at, plain(&error.clause), fired.join("，"));
    }
    text
}

fn words(words: &Words) -> String {
    let mut text = format!("词边界：{} 句\n  {}\n", words.total, words.counts.text());
    for error in &words.errors {
        let what = if error.is_real_occurrence { "漏报" } else { "误报" };
        let _ = writeln!(text, "  {what} {}：「{}」 {}", error.at, plain(&error.word), plain(&error.text));
    }
    text
}

fn dialogues(dialogues: &Dialogues) -> String {
    let mut text = format!(
        "不该有预警的对话：{} 通，坐席说话 {} 轮\n  误报 {} 条，每千轮 {:.2} 条\n",
        dialogues.total, dialogues.agent_turns, dialogues.alerts, dialogues.alerts_per_1000_agent_turns,
    );
    for (kind, count) in &dialogues.by_kind {
        let _ = writeln!(text, "  {kind}：{count} 条");
    }
    for error in &dialogues.errors {
        let said = error.text.as_deref().unwrap_or_default();
        let _ = writeln!(text, "  误报 {}：{} {}", error.at, error.fired.text(), plain(said));
    }
    text
}

fn pairs(pairs: &Pairs) -> String {
    let mut text = format!("同音匹配：{} 对参考文本与识别结果\n", pairs.total);
    text.push_str("  字数  话术数   找回：原字  同音    宽同音   误报（每百万次比对）：原字  同音    宽同音\n");
    for row in &pairs.rows {
        let recall = |figures: Figures| format!("{:.4}", figures.recall);
        let alarms = |figures: Figures| format!("{:.2}", figures.false_alarms_per_million);
        let or_dash = |cell: Option<String>| cell.unwrap_or_else(|| String::from("—"));
        let _ = writeln!(
            text,
            "  {:<4}  {:<7}        {:<8}{:<8}{:<8}                     {:<8}{:<8}{}",
            row.chars,
            row.phrases,
            recall(row.literal),
            recall(row.toneless),
            or_dash(row.merged.map(recall)),
            alarms(row.literal),
            alarms(row.toneless),
            or_dash(row.merged.map(alarms)),
        );
    }
    for error in pairs.errors.iter().take(PAIR_ERRORS_MAX) {
        let _ = writeln!(
            text,
            "  误报（{}）{}：「{}」 说的是 {}，识别成 {}",
            error.likeness,
            error.at,
            error.phrase,
            plain(&error.said),
            plain(&error.heard),
        );
    }
    if pairs.errors.len() > PAIR_ERRORS_MAX {
        let more = pairs.errors.len() - PAIR_ERRORS_MAX;
        let _ = writeln!(text, "  还有 {more} 条误报，用 --format json 查看");
    }
    text
}

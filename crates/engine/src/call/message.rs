//! The words of alerts: a rule's message with its placeholders filled, and why an alert is taken back.

use std::borrow::Cow;

use crate::alert::Evidence;
use crate::monitor::{Finding, Stage, Unit};
use crate::privacy;
use crate::rule::program::{BodyProgram, Program};
use crate::severity::AlertKind;

/// The message of a rule's alert of this stage, placeholders unfilled; `name` is the rule's.
pub(super) fn template<'a>(program: &'a Program, name: &str, stage: Stage) -> Cow<'a, str> {
    let BodyProgram::Require(require) = &program.body else { return Cow::Borrowed(&program.message) };
    match (&require.reminder, require.parts.len()) {
        _ if stage != Stage::Reminder => Cow::Borrowed(&program.message),
        (Some(reminder), _) => Cow::Borrowed(reminder),
        (None, 1) => Cow::Owned(format!("快到时限：{name}")),
        (None, _) => Cow::Owned(format!("快到时限：{name}，还没说：{{missing}}")),
    }
}

/// Writes what was measured, with its unit unless the message names it itself.
fn measure(text: &mut String, value: Option<&str>, unit: Unit, template: &str, after: &str) {
    let Some(value) = value else { return };
    text.push_str(value);
    let (name, own) = unit.names();
    if !own.iter().any(|own| after.trim_start().starts_with(own)) {
        let name = if template.contains("每分钟") { name.split('/').next().unwrap_or_default() } else { name };
        text.push(' ');
        text.push_str(name);
    }
}

/// Says why what was held against the agent is not any more.
pub(super) fn taken_back(finding: &Finding, evidence: &[Evidence]) -> String {
    let said = evidence.iter().rev().find(|evidence| !evidence.phrase.is_empty());
    match said.filter(|_| finding.stage == Stage::Met) {
        Some(said) => format!("按时说了“{}”", quoted(&said.text)),
        None => String::from("时限顺延，还没有到期"),
    }
}

/// A message quotes at most so many characters of an utterance.
const QUOTED_CHARS: usize = 40;

/// Words as a message quotes them: the beginning, without personal data.
pub(super) fn quoted(text: &str) -> String {
    let masked = privacy::mask(text);
    let mut shown: String = masked.chars().take(QUOTED_CHARS).collect();
    if masked.chars().nth(QUOTED_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// The rule's message with its placeholders filled; what is missing of several parts is said in any case.
pub(super) fn message(template: &str, finding: &Finding, evidence: &[Evidence]) -> String {
    let details = &finding.details;
    // Words that go on in the next utterance are two pieces of evidence for one phrase.
    let last = evidence.iter().rev().find(|evidence| !evidence.phrase.is_empty()).map(|last| last.phrase.as_str());
    let phrase: String = evidence
        .iter()
        .filter(|evidence| last == Some(evidence.phrase.as_str()))
        .flat_map(|evidence| evidence.text.chars().take(evidence.end).skip(evidence.start))
        .collect();
    let missing = details.missing.join("、");
    // What never came was overtaken by nothing.
    let never_came = finding.kind == Some(AlertKind::Missing) && details.before.is_none();
    let template = if never_came && template.contains("{before}") { "未说：{missing}" } else { template };
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        text.push_str(before);
        let Some(close) = from.find('}') else {
            rest = from;
            break;
        };
        let (placeholder, after) = from.split_at(close + 1);
        match placeholder {
            "{phrase}" => text.push_str(&phrase),
            "{missing}" => text.push_str(&missing),
            "{said}" => text.push_str(&details.said.to_string()),
            "{total}" => text.push_str(&details.total.to_string()),
            "{value}" => measure(&mut text, details.value.as_deref(), details.unit, template, after),
            "{limit}" => measure(&mut text, details.limit.as_deref(), details.unit, template, after),
            "{step}" => text.push_str(details.step.as_deref().unwrap_or_default()),
            "{before}" => text.push_str(details.before.as_deref().unwrap_or_default()),
            other => text.push_str(other),
        }
        rest = after;
    }
    text.push_str(rest);
    let is_overtaken = details.before.is_some();
    if details.total > 1 && !is_overtaken && !missing.is_empty() && !template.contains("{missing}") {
        text.push_str(&format!("（已说 {}/{}，还缺：{missing}）", details.said, details.total));
    }
    if evidence.iter().any(|evidence| evidence.homophone) {
        text.push_str("（同音）");
    }
    text
}

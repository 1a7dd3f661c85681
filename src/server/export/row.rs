//! The cells of an export, and the columns of one of alerts: one table for all formats.

use std::borrow::Cow;

use crate::adapter::alert_json::AlertJson;
use crate::engine::alert::AlertState;
use crate::engine::privacy;
use crate::recording::Standing;
use crate::server::domain::refusal::Refusal;
use crate::server::domain::review::{Action, Appeal, ReviewState, Step, in_force};
use crate::server::domain::roster::Agent;
use crate::server::domain::terms::{Display, FeedbackAction};
use crate::server::store::{FoundAlert, FoundReview};

/// One alert as it stands.
#[derive(Debug)]
pub(super) struct Row {
    /// When it was said, in milliseconds since 1970.
    time_ms: i64,
    pub(super) alert: AlertJson<'static>,
    agent: Agent,
    queue: Option<String>,
    /// Its states, a space between them.
    history: String,
    /// None of an alert that nobody could see.
    display: Option<Display>,
    feedback: Option<FeedbackAction>,
    feedback_reason: Option<String>,
    pub(super) standing: ReviewState,
    /// Whether it counts in scores.
    pub(super) counts: bool,
    /// The last review, the appeal, and what decided it.
    reviewed: Option<Step>,
    appealed: Option<Step>,
    decided: Option<Step>,
}

/// The value of a cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Text(Cow<'a, str>),
    Number(i64),
    /// A share or a mean.
    Decimal(f64),
    /// Milliseconds since 1970.
    Time(i64),
    Empty,
}

/// The type of the non-empty cells of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Decimal,
    Time,
}

/// What stands above a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) name: &'static str,
    /// Its heading in a workbook.
    pub(super) zh: &'static str,
    pub(super) kind: Kind,
    /// Its width in a workbook, in characters.
    pub(super) width: u8,
}

/// One column of alerts.
pub(super) struct Column {
    head: Head,
    /// Its cell in a row.
    cell: for<'a> fn(&'a Row) -> Cell<'a>,
}

const fn column(
    name: &'static str,
    zh: &'static str,
    kind: Kind,
    width: u8,
    cell: for<'a> fn(&'a Row) -> Cell<'a>,
) -> Column {
    Column { head: Head { name, zh, kind, width }, cell }
}

/// All columns, in their order. New ones come last.
#[rustfmt::skip]
const COLUMNS: [Column; 34] = [
    column("time", "时间", Kind::Time, 20, |row| Cell::Time(row.time_ms)),
    column("call_id", "通话", Kind::Text, 20, |row| text(&row.alert.call_id)),
    column("agent_id", "坐席", Kind::Text, 12, |row| text(&row.alert.agent_id)),
    column("queue", "队列", Kind::Text, 12, |row| maybe(row.queue.as_deref())),
    column("rule_id", "规则", Kind::Text, 26, |row| text(&row.alert.rule_id)),
    column("rule_name", "规则名称", Kind::Text, 22, |row| text(&row.alert.rule_name)),
    column("pack", "规则包", Kind::Text, 14, |row| text(&row.alert.pack)),
    column("severity", "级别", Kind::Text, 10, |row| text(row.alert.severity.name())),
    column("kind", "类型", Kind::Text, 10, |row| text(row.alert.kind.name())),
    column("state", "状态", Kind::Text, 12, |row| text(row.alert.state.name())),
    column("deduct", "扣分", Kind::Number, 8, |row| Cell::Number(row.alert.deduct.into())),
    column("clauses", "条款", Kind::Text, 14, |row| Cell::Text(row.alert.clauses.join(" ").into())),
    column("message", "提示", Kind::Text, 40, |row| text(&row.alert.message)),
    column("suggestion", "建议", Kind::Text, 40, |row| maybe(row.alert.suggestion.as_deref())),
    column("evidence", "原话", Kind::Text, 50, |row| joined(row, |evidence| &evidence.text, "\n")),
    column("phrase", "话术", Kind::Text, 20, |row| joined(row, |evidence| &evidence.phrase, "\n")),
    column("rules_version", "规则版本", Kind::Text, 18, |row| text(&row.alert.rules_version)),
    column("display", "显示", Kind::Text, 10, |row| text(row.display.map_or("", Display::name))),
    column("feedback", "坐席反馈", Kind::Text, 10, |row| maybe(row.feedback.map(FeedbackAction::name))),
    column("feedback_reason", "反馈说明", Kind::Text, 30, |row| maybe(row.feedback_reason.as_deref())),
    column("history", "经过", Kind::Text, 22, |row| text(&row.history)),
    column("at_ms", "通话内毫秒", Kind::Number, 12, |row| Cell::Number(row.alert.at_ms)),
    column("alert_id", "预警编号", Kind::Text, 18, |row| text(&row.alert.alert_id)),
    column("review", "复核", Kind::Text, 12, |row| text(row.standing.verdict.name())),
    column("reviewer", "复核人", Kind::Text, 12, |row| maybe(row.reviewed.as_ref().map(|step| step.by.as_str()))),
    column("reviewed_at", "复核时间", Kind::Time, 20, |row| row.reviewed.as_ref().map_or(Cell::Empty, |step| Cell::Time(step.at_ms))),
    column("review_reason", "复核说明", Kind::Text, 30, |row| maybe(row.reviewed.as_ref().and_then(|step| step.reason.as_deref()))),
    column("appeal", "申诉", Kind::Text, 10, |row| maybe(row.standing.appeal.map(Appeal::name))),
    column("appeal_reason", "申诉理由", Kind::Text, 30, |row| maybe(row.appealed.as_ref().and_then(|step| step.reason.as_deref()))),
    column("appeal_decided_by", "裁定人", Kind::Text, 12, |row| maybe(row.decided.as_ref().map(|step| step.by.as_str()))),
    column("appeal_decision_reason", "裁定说明", Kind::Text, 30, |row| maybe(row.decided.as_ref().and_then(|step| step.reason.as_deref()))),
    column("counts", "计入得分", Kind::Number, 10, |row| Cell::Number(row.counts.into())),
    column("agent_name", "姓名", Kind::Text, 12, |row| maybe(row.agent.name.as_deref())),
    column("team", "班组", Kind::Text, 14, |row| maybe(row.agent.team.as_deref())),
];

/// What stands above the columns of alerts.
pub(super) fn heads() -> Vec<Head> {
    COLUMNS.iter().map(|column| column.head).collect()
}

impl Row {
    /// Its cells, in the order of the columns.
    pub(super) fn cells(&self) -> Vec<Cell<'_>> {
        COLUMNS.iter().map(|column| (column.cell)(self)).collect()
    }

    /// The agent's last answer.
    pub(super) fn feedback(&self) -> Option<FeedbackAction> {
        self.feedback
    }

    /// Whether the agent saw it as a card of its own.
    pub(super) fn is_card(&self) -> bool {
        self.display == Some(Display::Card)
    }

    /// An alert of a recorded call: nobody saw it, and nobody judged it.
    pub(super) fn checked(checked: &Standing) -> Result<Self, Refusal> {
        let alert: AlertJson<'static> = serde_json::from_str(&checked.json).map_err(Refusal::store)?;
        let display = alert.display.as_deref().and_then(Display::from_name);
        Ok(Self {
            time_ms: checked.said_ms,
            counts: alert.state == AlertState::Confirmed && display.is_none(),
            queue: checked.queue.clone(),
            history: checked.history.clone(),
            alert,
            agent: Agent::default(),
            display,
            feedback: None,
            feedback_reason: None,
            standing: ReviewState::default(),
            reviewed: None,
            appealed: None,
            decided: None,
        })
    }

    pub(super) fn new(found: FoundAlert, agent_of: impl Fn(&str) -> Agent) -> Result<Self, Refusal> {
        let counts = found.counts();
        let (feedback, feedback_reason) = match found.feedback {
            Some(given) => (Some(given.action), given.reason),
            None => (None, None),
        };
        let FoundReview { standing, steps } = found.review;
        let alert: AlertJson<'static> = serde_json::from_str(&found.json).map_err(Refusal::store)?;
        let held = in_force(&steps);
        let last = |actions: &[Action]| held.iter().rev().find(|step| actions.contains(&step.action)).copied().cloned();
        Ok(Self {
            standing,
            counts,
            reviewed: last(&[Action::Confirm, Action::Dismiss, Action::Mark]),
            appealed: last(&[Action::Appeal]),
            decided: last(&[Action::Grant, Action::Reject]),
            time_ms: found.place.ms,
            agent: agent_of(&alert.agent_id),
            alert,
            queue: found.queue,
            history: found.history.iter().map(|state| state.name()).collect::<Vec<_>>().join(" "),
            display: Some(found.display),
            feedback,
            feedback_reason: feedback_reason.map(|reason| privacy::mask(&reason).into_owned()),
        })
    }
}

fn text(text: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(text))
}

fn maybe(value: Option<&str>) -> Cell<'_> {
    value.map_or(Cell::Empty, text)
}

/// One line a piece of evidence; those that say nothing are left out.
fn joined<'a>(
    row: &'a Row,
    part: impl Fn(&'a crate::engine::alert::Evidence) -> &'a String,
    between: &str,
) -> Cell<'a> {
    let parts: Vec<&str> =
        row.alert.evidence.iter().map(|evidence| part(evidence).as_str()).filter(|text| !text.is_empty()).collect();
    if parts.is_empty() { Cell::Empty } else { Cell::Text(parts.join(between).into()) }
}

//! Review (复核) and appeal (申诉) as a state machine: the steps of one alert give its verdict, and say
//! whether one more step is possible. Pure: no clock, no store; the writer asks here before it
//! stores a step.
//!
//! ```text
//!              confirm, dismiss (again and again, by anybody of QA)
//! unreviewed ───────────▶ confirmed ◀──▶ dismissed
//!      │                      │
//!      └──────── appeal ──────┘  (the agent, once, in time)
//!                  ▼
//!               pending ── confirm, dismiss ──▶ pending
//!                  │ grant, reject (not by who reviewed last)
//!                  ▼
//!          granted, rejected: final
//! ```
//!
//! Who took the last confirm or dismiss may undo it; both steps are kept, and the alert stands as before.
//!
//! Why it is so: `docs/adr/0009-review-appeal-audit.md`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::engine::alert::AlertState;
use crate::server::domain::principal::Capacity;

/// A reason is a remark, not a report.
pub(crate) const REASON_CHARS_MAX: usize = 500;
/// Steps of one alert; people who disagree for so long should talk.
pub(crate) const STEPS_MAX: usize = 50;

/// A step that a person takes on an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// QA: it is right.
    Confirm,
    /// QA: it is wrong.
    Dismiss,
    /// Its agent: it is wrong.
    Appeal,
    /// Another of QA: the agent is right.
    Grant,
    /// Another of QA: the agent is not.
    Reject,
    /// The reviewer takes back their own last step, which was a slip.
    Undo,
    /// QA: the rules missed it. The first step of an alert that a person made.
    Mark,
}

impl Action {
    pub(crate) const ALL: [Self; 7] =
        [Self::Confirm, Self::Dismiss, Self::Appeal, Self::Grant, Self::Reject, Self::Undo, Self::Mark];

    /// Its name on the wire and in the store.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Dismiss => "dismiss",
            Self::Appeal => "appeal",
            Self::Grant => "grant",
            Self::Reject => "reject",
            Self::Undo => "undo",
            Self::Mark => "mark",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// Whether it has to be said why.
    pub(crate) const fn needs_reason(self) -> bool {
        !matches!(self, Self::Confirm | Self::Undo | Self::Mark)
    }
}

/// The judgement of QA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    #[default]
    Unreviewed,
    Confirmed,
    Dismissed,
}

impl Verdict {
    pub(crate) const ALL: [Self; 3] = [Self::Unreviewed, Self::Confirmed, Self::Dismissed];

    /// Its name on the wire and in the store.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unreviewed => "unreviewed",
            Self::Confirmed => "confirmed",
            Self::Dismissed => "dismissed",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }
}

/// The outcome of an appeal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Appeal {
    Pending,
    Granted,
    Rejected,
}

impl Appeal {
    pub(crate) const ALL: [Self; 3] = [Self::Pending, Self::Granted, Self::Rejected];

    /// Its name on the wire and in the store.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Granted => "granted",
            Self::Rejected => "rejected",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|appeal| appeal.name() == name)
    }
}

/// One step, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) action: Action,
    pub(crate) by: String,
    pub(crate) role: Capacity,
    pub(crate) reason: Option<String>,
    pub(crate) at_ms: i64,
}

/// Where an alert stands between the engine, QA and its agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReviewState {
    pub(crate) verdict: Verdict,
    pub(crate) appeal: Option<Appeal>,
}

impl ReviewState {
    /// Where these steps lead.
    pub(crate) fn of<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Self {
        in_force(steps).into_iter().fold(Self::default(), |standing, step| standing.after(step.action))
    }

    const fn after(self, action: Action) -> Self {
        match action {
            Action::Confirm | Action::Mark => Self { verdict: Verdict::Confirmed, ..self },
            Action::Dismiss => Self { verdict: Verdict::Dismissed, ..self },
            Action::Appeal => Self { appeal: Some(Appeal::Pending), ..self },
            Action::Grant => Self { appeal: Some(Appeal::Granted), ..self },
            Action::Reject => Self { appeal: Some(Appeal::Rejected), ..self },
            // It takes its step away; see `in_force`.
            Action::Undo => self,
        }
    }

    /// Whether people let the alert stand.
    pub(crate) fn is_upheld(self) -> bool {
        self.verdict != Verdict::Dismissed && self.appeal != Some(Appeal::Granted)
    }
}

/// The steps that hold: without those that were undone, and without their undoing.
pub(crate) fn in_force<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Vec<&'a Step> {
    let mut held = Vec::new();
    for step in steps {
        match step.action {
            Action::Undo => drop(held.pop()),
            _ => held.push(step),
        }
    }
    held
}

/// Why a step is not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Impossible {
    /// The engine does not say so, or no longer.
    NotConfirmed,
    /// An appeal was decided: that is the end.
    Final,
    /// The last step is the same step by the same person.
    NoChange,
    /// There is an appeal already.
    AlreadyAppealed,
    /// The alert is dismissed already: there is nothing to appeal against or to reject.
    AlreadyDismissed,
    /// The days for it are over.
    TooLate,
    /// There is no appeal to decide.
    NoAppeal,
    /// The last reviewer and the appellant may not decide.
    SamePerson,
    /// There are as many steps as may be.
    TooManySteps,
    /// Somebody else took a step meanwhile.
    Changed,
    /// The last step is another person's, or none that can be undone.
    NothingToUndo,
    /// Those words are told as a violation of that rule already.
    AlreadyMarked,
    /// Its alerts are not settled yet.
    CallInProgress,
}

impl Impossible {
    /// Its name on the wire.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::NotConfirmed => "not_confirmed",
            Self::Final => "final",
            Self::NoChange => "no_change",
            Self::AlreadyAppealed => "already_appealed",
            Self::AlreadyDismissed => "already_dismissed",
            Self::TooLate => "too_late",
            Self::NoAppeal => "no_appeal",
            Self::SamePerson => "same_person",
            Self::TooManySteps => "too_many_steps",
            Self::Changed => "changed",
            Self::NothingToUndo => "nothing_to_undo",
            Self::AlreadyMarked => "already_marked",
            Self::CallInProgress => "call_in_progress",
        }
    }

    /// The fault and the remedy, in Chinese and English.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::NotConfirmed => {
                "这条预警不是已确认的（可能已撤回），不能复核或申诉 / the alert is not confirmed, perhaps retracted: nothing to review"
            }
            Self::Final => "申诉已有结论，不能再改 / the appeal was decided; that is final",
            Self::NoChange => "刚才已经这样复核过了 / this is what the last step says already",
            Self::AlreadyAppealed => "已经申诉过，每条预警只能申诉一次 / there was an appeal already; one is all",
            Self::AlreadyDismissed => {
                "这条预警已被判为误报：不必申诉，也不能驳回申诉 / the alert was dismissed: no need to appeal, and an appeal can only be granted"
            }
            Self::TooLate => "申诉期已过（[review] appeal_days） / too late to appeal ([review] appeal_days)",
            Self::NoAppeal => "没有待处理的申诉 / there is no appeal to decide",
            Self::SamePerson => {
                "最近一次复核的人和申诉人不能裁定申诉，请换一位 / who reviewed last, or appealed, may not decide; somebody else must"
            }
            Self::Changed => {
                "别人刚刚处理了这条预警，请看过再定 / somebody else has just taken a step; look at it before you decide"
            }
            Self::NothingToUndo => {
                "最后一步不是您的判定，不能撤销 / the last step is not a verdict of yours: there is nothing to undo"
            }
            Self::AlreadyMarked => {
                "这些话已经作为这条规则的违规记过了 / these words are told as a violation of this rule already"
            }
            Self::CallInProgress => "通话还在进行，结束后再标 / the call goes on; mark it when it is over",
            Self::TooManySteps => "这条预警的步骤太多了 / this alert has as many steps as may be",
        }
    }
}

/// The reason of a step, if it has what it needs: words, and not too many.
pub(crate) fn check_reason(action: Action, reason: Option<String>) -> Result<Option<String>, String> {
    let reason = reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_CHARS_MAX) {
        return Err(format!("reason 最多 {REASON_CHARS_MAX} 字 / reason has at most {REASON_CHARS_MAX} characters"));
    }
    if reason.is_none() && action.needs_reason() {
        return Err(format!("{0} 要写 reason，说明为什么 / {0} needs a reason", action.name()));
    }
    Ok(reason)
}

/// The circumstances that a step depends on, beside the earlier steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances<'a> {
    /// Where the engine has the alert.
    pub(crate) state: AlertState,
    /// The agent of the alert.
    pub(crate) agent_id: &'a str,
    /// Up to when its agent may appeal; no end while the call is in progress.
    pub(crate) appeal_until_ms: Option<i64>,
}

/// Up to when the agent may appeal after `steps`: `appeal_ms` after the call was closed or last
/// reviewed; no end while the call is in progress.
pub(crate) fn appeal_until_ms(closed_ms: Option<i64>, steps: &[Step], appeal_ms: i64) -> Option<i64> {
    let reviewed_ms = steps.iter().filter(|step| step.action != Action::Appeal).map(|step| step.at_ms).max();
    closed_ms.map(|closed_ms| closed_ms.max(reviewed_ms.unwrap_or(closed_ms)).saturating_add(appeal_ms))
}

/// Whether the agent may appeal at `at_ms` after `steps`.
pub(crate) fn may_appeal(steps: &[Step], at_ms: i64, around: Circumstances<'_>) -> bool {
    check(steps, Action::Appeal, Some(around.agent_id), at_ms, around).is_ok()
}

/// Where `next` leads after `steps`, if it is possible. Who may do what by role
/// was settled before.
pub(crate) fn decide(steps: &[Step], next: &Step, around: Circumstances<'_>) -> Result<ReviewState, Impossible> {
    check(steps, next.action, Some(&next.by), next.at_ms, around)?;
    let says_nothing_new = |last: &Step| (last.action, &last.by, &last.reason) == (next.action, &next.by, &next.reason);
    if matches!(next.action, Action::Confirm | Action::Dismiss) && steps.last().is_some_and(says_nothing_new) {
        return Err(Impossible::NoChange);
    }
    Ok(ReviewState::of(steps.iter().chain([next])))
}

/// The steps that a reviewer may take after `steps`; `by` is unknown where no tokens are
/// configured.
pub(crate) fn possible(steps: &[Step], by: Option<&str>, at_ms: i64, around: Circumstances<'_>) -> Vec<Action> {
    let actions = Action::ALL.into_iter().filter(|action| *action != Action::Appeal);
    actions.filter(|action| check(steps, *action, by, at_ms, around).is_ok()).collect()
}

/// Whether `by` may do that after `steps`, with whatever reason.
fn check(
    steps: &[Step],
    action: Action,
    by: Option<&str>,
    at_ms: i64,
    around: Circumstances<'_>,
) -> Result<(), Impossible> {
    let standing = ReviewState::of(steps);
    if around.state != AlertState::Confirmed {
        return Err(Impossible::NotConfirmed);
    }
    if matches!(standing.appeal, Some(Appeal::Granted | Appeal::Rejected)) {
        return Err(Impossible::Final);
    }
    if steps.len() >= STEPS_MAX {
        return Err(Impossible::TooManySteps);
    }
    match action {
        Action::Confirm | Action::Dismiss => {}
        Action::Appeal => {
            if standing.appeal.is_some() {
                return Err(Impossible::AlreadyAppealed);
            }
            if standing.verdict == Verdict::Dismissed {
                return Err(Impossible::AlreadyDismissed);
            }
            if around.appeal_until_ms.is_some_and(|until_ms| at_ms >= until_ms) {
                return Err(Impossible::TooLate);
            }
        }
        Action::Grant | Action::Reject => {
            if standing.appeal.is_none() {
                return Err(Impossible::NoAppeal);
            }
            let held = in_force(steps);
            let reviewer =
                held.iter().rev().find(|step| matches!(step.action, Action::Confirm | Action::Dismiss | Action::Mark));
            if by == Some(around.agent_id) || reviewer.is_some_and(|step| by == Some(&step.by)) {
                return Err(Impossible::SamePerson);
            }
            if action == Action::Reject && standing.verdict == Verdict::Dismissed {
                return Err(Impossible::AlreadyDismissed);
            }
        }
        Action::Mark => return Err(Impossible::AlreadyMarked),
        Action::Undo => {
            let is_own = |step: &Step| by.is_none_or(|by| by == step.by);
            let is_verdict = |step: &Step| matches!(step.action, Action::Confirm | Action::Dismiss);
            if !steps.last().is_some_and(|last| is_verdict(last) && is_own(last)) {
                return Err(Impossible::NothingToUndo);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT: &str = "a7";
    const UNTIL_MS: i64 = 1_000;

    /// `李:dismiss`; `@5` behind it is the time, `!` another reason.
    fn step(text: &str) -> Step {
        let (by, rest) = text.split_once(':').unwrap();
        let (rest, at_ms) = rest.split_once('@').map_or((rest, 1), |(rest, at)| (rest, at.parse().unwrap()));
        let (name, reason) = rest.split_once('!').map_or((rest, "因为"), |(name, _)| (name, "另有原因"));
        let action = Action::from_name(name).unwrap();
        Step { action, by: by.to_owned(), role: Capacity::Unknown, reason: Some(reason.to_owned()), at_ms }
    }

    /// Takes the steps; where they lead, or the code of the last one.
    fn course(state: AlertState, steps: &str) -> String {
        let mut taken: Vec<Step> = Vec::new();
        let mut led = "unreviewed".to_owned();
        for next in steps.split_whitespace().map(step) {
            let around = Circumstances { state, agent_id: AGENT, appeal_until_ms: Some(UNTIL_MS) };
            match decide(&taken, &next, around) {
                Ok(standing) => {
                    taken.push(next);
                    assert_eq!(ReviewState::of(&taken), standing, "{steps}");
                    let appeal = standing.appeal.map_or("", Appeal::name);
                    let counts = if standing.is_upheld() { "counts" } else { "" };
                    led = [standing.verdict.name(), appeal, counts].join(" ").replace("  ", " ").trim().to_owned();
                }
                Err(impossible) => led = impossible.code().to_owned(),
            }
        }
        led
    }

    #[test]
    fn courses_of_steps_lead_where_they_should() {
        let cases = [
            ("李:confirm", "confirmed counts"),
            ("李:dismiss", "dismissed"),
            ("李:confirm 李:dismiss", "dismissed"),
            ("李:dismiss 王:confirm", "confirmed counts"),
            ("李:dismiss 李:dismiss", "no_change"),
            ("李:dismiss 李:dismiss!", "dismissed"),
            ("李:dismiss 王:dismiss", "dismissed"),
            ("a7:appeal", "unreviewed pending counts"),
            ("李:confirm a7:appeal", "confirmed pending counts"),
            ("李:dismiss a7:appeal", "already_dismissed"),
            ("a7:appeal a7:appeal", "already_appealed"),
            ("a7:appeal@999", "unreviewed pending counts"),
            ("a7:appeal@1000", "too_late"),
            ("李:grant", "no_appeal"),
            ("李:confirm 王:reject", "no_appeal"),
            ("李:confirm a7:appeal 李:grant", "same_person"),
            ("李:confirm a7:appeal 李:reject", "same_person"),
            ("李:confirm a7:appeal 王:grant", "confirmed granted"),
            ("李:confirm a7:appeal 王:reject", "confirmed rejected counts"),
            // Who decides late decides all the same.
            ("李:confirm a7:appeal 王:reject@99999", "confirmed rejected counts"),
            ("a7:appeal 李:grant", "unreviewed granted"),
            ("a7:appeal a7:grant", "same_person"),
            // Who reviews while an appeal waits is the last reviewer.
            ("李:confirm a7:appeal 王:confirm 王:reject", "same_person"),
            ("李:confirm a7:appeal 王:confirm 李:reject", "confirmed rejected counts"),
            ("李:confirm a7:appeal 李:dismiss", "dismissed pending"),
            ("李:confirm a7:appeal 李:dismiss 王:reject", "already_dismissed"),
            ("李:confirm a7:appeal 李:dismiss 王:grant", "dismissed granted"),
            ("李:confirm a7:appeal 王:grant 李:confirm", "final"),
            ("李:confirm a7:appeal 王:reject 李:dismiss", "final"),
            ("李:confirm a7:appeal 王:reject a7:appeal", "final"),
            ("李:confirm a7:appeal 王:reject 赵:grant", "final"),
            ("李:mark", "already_marked"),
            ("李:confirm 李:undo", "unreviewed counts"),
            ("李:confirm 李:dismiss 李:undo", "confirmed counts"),
            ("李:confirm 李:undo 李:dismiss", "dismissed"),
            ("李:undo", "nothing_to_undo"),
            ("李:confirm 王:undo", "nothing_to_undo"),
            ("李:confirm 李:undo 李:undo", "nothing_to_undo"),
            ("李:confirm a7:appeal 李:undo", "nothing_to_undo"),
            ("李:confirm a7:appeal 王:reject 王:undo", "final"),
            // Who reviewed and took it back has not reviewed.
            ("李:confirm a7:appeal 王:dismiss 王:undo 王:reject", "confirmed rejected counts"),
            ("李:confirm a7:appeal 王:dismiss 王:undo 李:reject", "same_person"),
        ];
        for (steps, expected) in cases {
            assert_eq!(course(AlertState::Confirmed, steps), expected, "{steps}");
        }
        for state in [AlertState::Provisional, AlertState::Retracted, AlertState::Reminder, AlertState::Resolved] {
            for steps in ["李:confirm", "李:dismiss", "a7:appeal"] {
                assert_eq!(course(state, steps), "not_confirmed", "{state:?} {steps}");
            }
        }
    }

    #[test]
    fn an_alert_has_so_many_steps_and_no_more() {
        let endless: Vec<&str> = ["李:confirm", "王:dismiss"].into_iter().cycle().take(STEPS_MAX + 1).collect();
        assert_eq!(course(AlertState::Confirmed, &endless.join(" ")), "too_many_steps");
    }

    #[test]
    fn what_is_possible_depends_on_the_course_and_on_who_asks() {
        let cases = [
            ("", Some("李"), "confirm dismiss"),
            ("李:confirm", Some("李"), "confirm dismiss undo"),
            ("李:confirm", Some("王"), "confirm dismiss"),
            ("李:confirm a7:appeal", Some("李"), "confirm dismiss"),
            ("李:confirm a7:appeal", Some("王"), "confirm dismiss grant reject"),
            ("李:confirm a7:appeal", Some(AGENT), "confirm dismiss"),
            // Without tokens nobody is known before the step is taken.
            ("李:confirm a7:appeal", None, "confirm dismiss grant reject"),
            ("李:confirm a7:appeal 李:dismiss", Some("王"), "confirm dismiss grant"),
            ("李:dismiss", None, "confirm dismiss undo"),
            ("a7:appeal 李:grant", Some("王"), ""),
        ];
        for (steps, by, expected) in cases {
            let taken: Vec<Step> = steps.split_whitespace().map(step).collect();
            let around = |state| Circumstances { state, agent_id: AGENT, appeal_until_ms: Some(UNTIL_MS) };
            let names = |state| {
                possible(&taken, by, 1, around(state)).into_iter().map(Action::name).collect::<Vec<_>>().join(" ")
            };
            assert_eq!(names(AlertState::Confirmed), expected, "{steps} {by:?}");
            assert_eq!(names(AlertState::Retracted), "", "{steps} {by:?}");
        }
    }
}

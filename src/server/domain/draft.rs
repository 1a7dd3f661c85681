//! Drafts of rules (规则草稿) as a state machine: from a first wording to a rule in force, with a second
//! person's approval in between. Pure: no clock, no store, no files.
//!
//! ```text
//!  create ─▶ draft ── check (green) ── approve (by who wrote nothing of it) ─▶ approved
//!              ▲                                                                 │
//!              ├────────── save, reject ◀────────────────────────────────────────┤
//!              └────────── save ◀─────────────────────── shadow ◀────────────────┤
//!                                                           └──────▶ live ◀──────┘
//!  shadow, live ── roll_back ─▶ rolled_back        draft, approved ── withdraw ─▶ withdrawn
//! ```
//!
//! Why it is so: `docs/adr/0018-rules-without-yaml.md`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Steps of one draft.
pub(crate) const DRAFT_STEPS_MAX: usize = 200;

/// How far a draft is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DraftState {
    /// It is written and checked.
    Draft,
    /// Another person approved it.
    Approved,
    /// It is on trial: its alerts are kept, not shown and not counted.
    Shadow,
    /// It is in force.
    Live,
    /// The file is as it was before.
    RolledBack,
    /// It was given up before it was in force.
    Withdrawn,
}

impl DraftState {
    pub(crate) const ALL: [Self; 6] =
        [Self::Draft, Self::Approved, Self::Shadow, Self::Live, Self::RolledBack, Self::Withdrawn];

    /// Its name on the wire and in the store.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Approved => "approved",
            Self::Shadow => "shadow",
            Self::Live => "live",
            Self::RolledBack => "rolled_back",
            Self::Withdrawn => "withdrawn",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A step in the course of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DraftAction {
    Create,
    /// Its text is another now.
    Save,
    /// Its rule was brought, as it is, into the file as that is now; who does so writes nothing of the rule.
    Follow,
    /// The server linted and tested it and looked at past calls.
    Check,
    Approve,
    /// Back to its writer, with the reason.
    Reject,
    Shadow,
    Live,
    RollBack,
    Withdraw,
}

impl DraftAction {
    pub(crate) const ALL: [Self; 10] = [
        Self::Create,
        Self::Save,
        Self::Follow,
        Self::Check,
        Self::Approve,
        Self::Reject,
        Self::Shadow,
        Self::Live,
        Self::RollBack,
        Self::Withdraw,
    ];

    /// Its name on the wire and in the store.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Save => "save",
            Self::Follow => "follow",
            Self::Check => "check",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Shadow => "shadow",
            Self::Live => "live",
            Self::RollBack => "roll_back",
            Self::Withdraw => "withdraw",
        }
    }

    /// Its name in the audit.
    pub(crate) const fn audited(self) -> &'static str {
        match self {
            Self::Create => "draft_create",
            Self::Save => "draft_save",
            Self::Follow => "draft_follow",
            Self::Check => "draft_check",
            Self::Approve => "draft_approve",
            Self::Reject => "draft_reject",
            Self::Shadow => "draft_shadow",
            Self::Live => "draft_live",
            Self::RollBack => "draft_roll_back",
            Self::Withdraw => "draft_withdraw",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// Whether it writes a rule file.
    pub(crate) const fn writes(self) -> bool {
        matches!(self, Self::Shadow | Self::Live | Self::RollBack)
    }
}

/// Where a draft is before a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DraftCourse {
    pub(crate) state: DraftState,
    /// Everybody who created or saved it.
    pub(crate) writers: BTreeSet<String>,
    /// Whether its present text was checked and nothing was wrong with it.
    pub(crate) is_green: bool,
    pub(crate) steps: usize,
}

/// Why a draft does not take a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DraftRefusal {
    /// There is no such draft.
    Unknown,
    /// Somebody else took a step meanwhile.
    Changed,
    /// The step does not follow where it is.
    WrongState,
    /// The checks of its present text are not green.
    NotGreen,
    /// Who wrote it may not approve it.
    SamePerson,
    /// There are as many steps as may be.
    TooManySteps,
    /// There are as many open drafts as may be.
    TooMany,
    /// The server may not write its rules.
    ReadOnly,
    /// The file is no longer as the draft knows it.
    FileChanged,
    /// On trial, a draft changes one rule and nothing else.
    NotAlone,
    /// It adds a rule, and the file has another of that id by now.
    IdTaken,
}

impl DraftRefusal {
    /// Its name on the wire.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "no_such_draft",
            Self::Changed => "changed",
            Self::WrongState => "wrong_state",
            Self::NotGreen => "not_green",
            Self::SamePerson => "same_person",
            Self::TooManySteps => "too_many_steps",
            Self::TooMany => "too_many_drafts",
            Self::ReadOnly => "rules_read_only",
            Self::FileChanged => "file_changed",
            Self::NotAlone => "not_alone",
            Self::IdTaken => "id_taken",
        }
    }

    /// The fault and the remedy, in Chinese and English.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::Unknown => "没有这份草稿 / no such draft",
            Self::Changed => "别人刚动过这份草稿，请刷新后再看 / somebody else took a step meanwhile: load it anew",
            Self::WrongState => "现在不能这样做：先看这份草稿到了哪一步 / not possible now: see how far the draft is",
            Self::NotGreen => {
                "先检查这份草稿：要没有错误，测试全部通过 / check it first: no errors, and all tests pass"
            }
            Self::SamePerson => {
                "写过这份草稿的人不能自己批准，请另一人批准 / who wrote it cannot approve it: ask another person"
            }
            Self::TooManySteps => "这份草稿的步骤太多了，请另起一份 / it has as many steps as may be: begin another",
            Self::TooMany => {
                "没有结束的草稿太多了，先结束一些 / there are as many open drafts as may be: end some first"
            }
            Self::ReadOnly => {
                "服务不能写规则：请管理员打开 rules_writable，并让服务能写规则目录 / the server may not write rules: have rules_writable set, and the directory of rules writable"
            }
            Self::FileChanged => {
                "规则文件在此期间被别人改过，没有写入；把草稿改到新文件上（“跟上文件”），再检查和批准 / the rule file changed meanwhile and was not written: bring the draft up to it, then check and approve it again"
            }
            Self::IdTaken => {
                "文件里已经有了同一编号的另一条规则，没有替换它：另起一份草稿，换一个编号 / the file has another rule of this id by now, which was not replaced: begin another draft with another id"
            }
            Self::NotAlone => {
                "这份草稿还改了这条规则以外的内容，不能试运行；请直接启用，或分成几份 / it changes more than its rule, so it cannot be tried: put it in force, or split it"
            }
        }
    }
}

/// Where a step leads to, if it is possible. `by` is the person who takes it.
pub(crate) fn decide(course: &DraftCourse, action: DraftAction, by: &str) -> Result<DraftState, DraftRefusal> {
    use DraftAction as A;
    use DraftState as S;
    if course.steps >= DRAFT_STEPS_MAX {
        return Err(DraftRefusal::TooManySteps);
    }
    match (course.state, action) {
        (S::Draft | S::Approved, A::Save | A::Follow | A::Reject) | (S::Shadow, A::Save | A::Follow) => Ok(S::Draft),
        (state @ (S::Draft | S::Approved | S::Shadow), A::Check) => Ok(state),
        (S::Draft, A::Approve) if course.writers.contains(by) => Err(DraftRefusal::SamePerson),
        (S::Draft, A::Approve) if !course.is_green => Err(DraftRefusal::NotGreen),
        (S::Draft, A::Approve) => Ok(S::Approved),
        (S::Approved, A::Shadow) => Ok(S::Shadow),
        (S::Approved | S::Shadow, A::Live) => Ok(S::Live),
        (S::Shadow | S::Live, A::RollBack) => Ok(S::RolledBack),
        (S::Draft | S::Approved, A::Withdraw) => Ok(S::Withdrawn),
        _ => Err(DraftRefusal::WrongState),
    }
}

/// The steps that a person may take, but those of the files.
pub(crate) fn possible(course: &DraftCourse, by: Option<&str>) -> Vec<DraftAction> {
    let may = |action: &DraftAction| decide(course, *action, by.unwrap_or_default()).is_ok();
    DraftAction::ALL.into_iter().filter(may).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(state: DraftState, is_green: bool) -> DraftCourse {
        DraftCourse { state, writers: BTreeSet::from(["李静".to_owned()]), is_green, steps: 1 }
    }

    #[test]
    fn nothing_is_in_force_that_a_second_person_did_not_approve() {
        use DraftAction as A;
        use DraftState as S;
        // Whatever is done in whatever order: before `live` and `shadow` stands an approval of that very text.
        let mut reached = vec![(S::Draft, false, false)];
        let mut seen = Vec::new();
        while let Some((state, is_green, is_approved)) = reached.pop() {
            if seen.contains(&(state, is_green, is_approved)) {
                continue;
            }
            seen.push((state, is_green, is_approved));
            assert!(!matches!(state, S::Shadow | S::Live | S::Approved) || is_approved, "{state:?}");
            for action in A::ALL {
                for by in ["李静", "王敏"] {
                    let Ok(next) = decide(&course(state, is_green), action, by) else { continue };
                    let is_green = match action {
                        A::Check => true,
                        A::Save | A::Follow => false,
                        _ => is_green,
                    };
                    let approves = action == A::Approve && by == "王敏" && is_green;
                    reached.push((
                        next,
                        is_green,
                        (is_approved && !matches!(action, A::Save | A::Follow | A::Reject)) || approves,
                    ));
                }
            }
        }
        assert!(seen.contains(&(S::Live, true, true)));
        assert_eq!(decide(&course(S::Draft, true), A::Approve, "李静"), Err(DraftRefusal::SamePerson));
        assert_eq!(decide(&course(S::Draft, false), A::Approve, "王敏"), Err(DraftRefusal::NotGreen));
        assert_eq!(decide(&course(S::Live, true), A::Save, "李静"), Err(DraftRefusal::WrongState));
        let long = DraftCourse { steps: DRAFT_STEPS_MAX, ..course(S::Draft, true) };
        assert_eq!(decide(&long, A::Save, "李静"), Err(DraftRefusal::TooManySteps));
        assert_eq!(
            possible(&course(S::Draft, true), Some("王敏")),
            [A::Save, A::Follow, A::Check, A::Approve, A::Reject, A::Withdraw]
        );
    }
}

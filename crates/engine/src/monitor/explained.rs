//! The windows of a rule as people are shown them: from when to when, and what was said in each.

use std::fmt::{self, Write as _};

use super::{View, window};
use crate::rule::program::{BodyProgram, ForbidProgram, PartProgram, Program, RequireProgram, SequenceProgram};
use crate::time::CallTime;

/// One window of the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedWindow {
    /// When it begins; `None` is the beginning of everything.
    pub from: Option<CallTime>,
    /// When it ends; `None` while that is not known.
    pub until: Option<CallTime>,
    /// Each part and when it was said in the window.
    pub parts: Vec<(String, Option<CallTime>)>,
    /// The call ended inside it: not applicable.
    pub cut_short: bool,
}

/// The windows of a rule and what was said in them, for `rules explain`.
pub(crate) fn explain_windows(view: &View<'_>, program: &Program) -> Vec<ExplainedWindow> {
    let (window, roles, count_hold, parts, even_if_cut_short) = match &program.body {
        BodyProgram::Forbid(ForbidProgram { window: Some(window), roles, .. }) => {
            (window, roles.as_slice(), true, &[][..], true)
        }
        BodyProgram::Require(RequireProgram { parts, window, roles, count_hold, even_if_cut_short, .. }) => {
            (window, roles.as_slice(), *count_hold, parts.as_slice(), *even_if_cut_short)
        }
        BodyProgram::Sequence(SequenceProgram { window, steps }) => (window, &[][..], false, steps.as_slice(), false),
        _ => return Vec::new(),
    };
    let ended = view.timeline.end().map(|(at, _)| at);
    window::spans(view, window, roles, count_hold)
        .into_iter()
        .map(|span| {
            let said = |part: &PartProgram| {
                view.hits_of(part.detector).iter().map(|hit| hit.said_at).find(|&at| span.holds(at))
            };
            let cut_off = ended.is_some_and(|end| span.until.is_none_or(|until| end < until));
            ExplainedWindow {
                from: (span.from > CallTime(i64::MIN)).then_some(span.from),
                until: span.until,
                parts: parts.iter().map(|part| (part.name.clone(), said(part))).collect(),
                cut_short: !even_if_cut_short && (cut_off || span.to_end && view.cut_short()),
            }
        })
        .collect()
}

impl fmt::Display for ExplainedWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |at: Option<CallTime>, otherwise: &str| at.map_or_else(|| otherwise.to_owned(), |at| at.to_string());
        let mut line = format!("{} – {}", time(self.from, "开始"), time(self.until, "未定"));
        for (name, said) in &self.parts {
            let _ = match said {
                Some(at) => write!(line, "；{name}：{at} 已说"),
                None => write!(line, "；{name}：未说"),
            };
        }
        if self.cut_short {
            line.push_str("；通话提前结束，不适用");
        }
        f.write_str(&line)
    }
}

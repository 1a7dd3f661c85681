//! Why a rule fired in a call, and why it did not: every match of its
//! phrases with the check that vetoed it, every window with what was said in it.
//!
//! Looks at a call after the fact; it decides nothing and changes nothing.

use std::fmt::Write as _;

use super::call::Call;
use super::context::Veto;
use super::monitor;
use super::rule::program::{BodyProgram, Program, RuleIx};
use super::text::Likeness;
use super::time::CallTime;
use super::transcript::Role;

/// What one rule made of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The rule.
    pub rule_id: String,
    /// Its name.
    pub rule_name: String,
    /// Whether it applies to the call: its pack, dates and scope.
    pub applies: bool,
    /// Its phrases where they stand in the call, counted or not, in order.
    pub matches: Vec<ExplainedMatch>,
    /// Its windows, if it has any.
    pub windows: Vec<ExplainedWindow>,
}

/// One place at which a phrase of the rule stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedMatch {
    /// When the utterance began.
    pub at: CallTime,
    /// The utterance.
    pub utterance_id: String,
    /// Who said it.
    pub role: Role,
    /// The utterance as it came.
    pub text: String,
    /// Where the phrase begins, in Unicode scalar values.
    pub start: usize,
    /// Where it ends, exclusive.
    pub end: usize,
    /// The phrase as the rule words it.
    pub phrase: String,
    /// What the rule wants it for: a part's or step's name, an anchor, a precondition.
    pub purpose: String,
    /// It only sounds like the phrase.
    pub homophone: bool,
    /// The sentence as jieba cuts it; empty where no rule asks.
    pub words: Vec<String>,
    /// Why it did not count, in Chinese; `None` if it counted.
    pub veto: Option<String>,
}

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

/// Explains a rule by its id, after a call that was made by [`Call::explainable`].
///
/// `None` if no rule has this id.
#[must_use]
pub fn explain(call: &Call, rule_id: &str) -> Option<Explanation> {
    let rules = call.rules();
    let ix = rules.rule_ix(rule_id)?;
    let program = &rules.programs[ix as usize];
    Some(Explanation {
        rule_id: rule_id.to_owned(),
        rule_name: rules.rules[ix as usize].name.clone(),
        applies: call.applies(ix),
        matches: matches(call, ix, program),
        windows: monitor::explain_windows(&call.view(), program),
    })
}

fn matches(call: &Call, ix: RuleIx, program: &Program) -> Vec<ExplainedMatch> {
    let rules = call.rules();
    let view = call.view();
    let explained = call.considered(ix).into_iter().map(|considered| {
        let spoken = view.timeline.get(considered.utterance);
        let span = considered.matched.raw_span(&spoken.text);
        let own = span.own.unwrap_or_default();
        ExplainedMatch {
            at: spoken.start,
            utterance_id: spoken.id.to_string(),
            role: spoken.role,
            text: spoken.text.raw().to_owned(),
            start: own.start,
            end: own.end,
            phrase: rules.lexicon.phrase_text(considered.matched.phrase).to_owned(),
            purpose: purpose(program, considered.detector),
            homophone: considered.matched.likeness != Likeness::Exact,
            words: rules.lexicon.words(&spoken.text, &considered.matched),
            veto: considered.veto.as_ref().map(|veto| reason(veto, spoken.role)),
        }
    });
    explained.collect()
}

fn purpose(program: &Program, detector: u32) -> String {
    let own = match &program.body {
        BodyProgram::Forbid { detector: forbidden, .. } if *forbidden == detector => Some(String::from("禁说")),
        BodyProgram::Require { parts, .. } | BodyProgram::Sequence { steps: parts, .. } => {
            parts.iter().find(|part| part.detector == detector).map(|part| part.name.clone())
        }
        BodyProgram::Without { detector: asked, .. } if *asked == detector => Some(String::from("事先说明")),
        BodyProgram::Greeting(hours) if hours.iter().any(|(_, greeting)| *greeting == detector) => {
            Some(String::from("问候"))
        }
        _ => None,
    };
    own.unwrap_or_else(|| String::from("起点或前提"))
}

fn reason(veto: &Veto, role: Role) -> String {
    match veto {
        Veto::Role => {
            let who = match role {
                Role::Agent => "坐席",
                Role::Customer => "客户",
                Role::System => "系统",
            };
            format!("说话人是{who}，规则不管")
        }
        Veto::NotWords => String::from("不是完整的词"),
        Veto::Unless(name) => format!("例外成立（unless: {name}）"),
        Veto::Only(name) => format!("条件不成立（only: {name}）"),
    }
}

impl std::fmt::Display for ExplainedWindow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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

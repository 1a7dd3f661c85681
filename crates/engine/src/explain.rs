//! Why a rule fired in a call, and why it did not: every match of its
//! phrases with the check that vetoed it, every window with what was said in it.
//!
//! Looks at a call after the fact; it decides nothing and changes nothing.

use super::act::Reasons;
use super::call::{Call, obstacles};
use super::context::Veto;
use super::monitor;
pub use super::monitor::ExplainedWindow;
use super::rule::program::{BodyProgram, Program, RequireProgram, RuleIx, SequenceProgram};
use super::text::Likeness;
use super::time::CallTime;
use super::transcript::Role;

/// The account of one rule in one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The rule.
    pub rule_id: String,
    /// Its name.
    pub rule_name: String,
    /// The pack it is in.
    pub pack: String,
    /// Why it does not apply to the call (its pack, dates and scope), in Chinese; nothing if it does.
    pub obstacles: Vec<String>,
    /// Its phrases where they stand in the call, counted or not, in order.
    pub matches: Vec<ExplainedMatch>,
    /// Its windows, if it has any.
    pub windows: Vec<ExplainedWindow>,
    /// The measurements of a rule about time, or the events of a rule about events, in Chinese.
    pub measures: Vec<String>,
}

/// One place at which a phrase of the rule stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedMatch {
    /// When the utterance began.
    pub at: CallTime,
    /// The utterance.
    pub utterance_id: String,
    /// The role of the speaker.
    pub role: Role,
    /// The utterance as it came.
    pub text: String,
    /// The phrase began in the speaker's utterance before.
    pub continued: bool,
    /// Where the phrase begins, in Unicode scalar values.
    pub start: usize,
    /// Where it ends, exclusive.
    pub end: usize,
    /// The phrase as the rule words it.
    pub phrase: String,
    /// The part of the rule that the words serve: a part's or step's name, an anchor, a precondition.
    pub purpose: String,
    /// It only sounds like the phrase.
    pub homophone: bool,
    /// The sentence as jieba cuts it; empty where no rule asks.
    pub words: Vec<String>,
    /// Why it did not count, in Chinese; `None` if it counted.
    pub veto: Option<String>,
    /// The reasons tell why the model holds that an act was done.
    pub act: Option<Reasons>,
    /// The reasons tell how sure the second look is of forbidden words; the number, in ten thousandths, how sure it must be.
    pub second_look: Option<(Reasons, u16)>,
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
        pack: rules.rules[ix as usize].pack.clone(),
        obstacles: obstacles(program, &rules.rules[ix as usize].pack, call.info(), rules.misnames_packs(call.info()))
            .map(|it| it.to_string())
            .collect(),
        matches: matches(call, ix, program),
        windows: monitor::explain_windows(&call.view(), program),
        measures: monitor::explain_measures(&call.view(), program),
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
            continued: span.previous.is_some(),
            start: own.start,
            end: own.end,
            phrase: rules.lexicon.phrase_text(considered.matched.phrase).to_owned(),
            purpose: purpose(program, considered.detector),
            homophone: considered.matched.likeness != Likeness::Exact,
            words: rules.lexicon.words(&spoken.text, &considered.matched),
            veto: considered.veto.as_ref().map(|veto| reason(veto, spoken.role)),
            act: call.reasons_of_act(considered.utterance, considered.matched.phrase),
            second_look: call
                .reasons_of_verdict(considered.utterance)
                .filter(
                    |_| matches!(&program.body, BodyProgram::Forbid(forbid) if forbid.detector == considered.detector),
                )
                .map(|reasons| (reasons, call.needed_of(ix, considered.matched.phrase))),
        }
    });
    explained.collect()
}

/// The purpose of words that the rule neither forbids nor requires.
pub(super) const OTHER_PURPOSE: &str = "起点或前提";

/// What forbidden words are for.
pub(super) const FORBIDDEN: &str = "禁说";

pub(super) fn purpose(program: &Program, detector: u32) -> String {
    let own = match &program.body {
        BodyProgram::Forbid(forbid) if forbid.detector == detector => Some(FORBIDDEN.to_owned()),
        BodyProgram::Require(RequireProgram { parts, .. })
        | BodyProgram::Sequence(SequenceProgram { steps: parts, .. }) => {
            parts.iter().find(|part| part.detector == detector).map(|part| part.name.clone())
        }
        BodyProgram::Without(without) if without.detector == detector => Some(String::from("事先说明")),
        BodyProgram::Greeting(hours) if hours.iter().any(|(_, greeting)| *greeting == detector) => {
            Some(String::from("问候"))
        }
        _ => None,
    };
    own.unwrap_or_else(|| OTHER_PURPOSE.to_owned())
}

pub(super) fn reason(veto: &Veto, role: Role) -> String {
    match veto {
        Veto::Role => {
            let who = role.zh();
            format!("说话人是{who}，规则不管")
        }
        Veto::NotWords => String::from("不是完整的词"),
        Veto::Unless(name) => format!("例外成立（unless: {name}）"),
        Veto::Yields => String::from("同样的话由别的规则包报（yields_to）"),
        Veto::Only(name) => format!("条件不成立（only: {name}）"),
    }
}

/// Like [`reason`], in English.
pub(super) fn reason_en(veto: &Veto, role: Role) -> String {
    match veto {
        Veto::Role => format!("the speaker is the {}: not for this rule", role.name()),
        Veto::NotWords => String::from("not whole words"),
        Veto::Unless(name) => format!("an exception applies (unless: {name})"),
        Veto::Yields => String::from("another pack reports the same words (yields_to)"),
        Veto::Only(name) => format!("a condition does not hold (only: {name})"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::rule::parse::SourceFile;
    use crate::rule::{self};
    use crate::transcript::{CallInfo, Channel, Direction};

    const RULES: &str = "\
pack: p
title: 测试
enabled: false
rules:
  - id: p.a
    name: 甲
    message: 甲
    effective: { from: 2026-01-01, until: 2026-12-31 }
    scope: { direction: outbound, channel: chat, queue: 投诉, attributes: { level: [gold, \"1\"] } }
    forbid: { any: 不知道啊 }
";

    fn info(day: &str, packs: Option<&[&str]>) -> CallInfo {
        CallInfo {
            call_id: String::from("c"),
            agent_id: String::from("a"),
            started_at: format!("{day}T10:00:00+08:00").parse().unwrap(),
            direction: Direction::Inbound,
            channel: Channel::Voice,
            queue: None,
            rings: None,
            customer_name: None,
            packs: packs.map(|packs| packs.iter().map(|name| (*name).to_owned()).collect()),
            attributes: std::collections::BTreeMap::new(),
        }
    }

    /// Each of the six obstacles is told, whatever else of the call is in the way.
    #[test]
    fn everything_in_the_way_of_a_rule_is_told() {
        let file = SourceFile { name: String::from("p.yaml"), text: RULES.to_owned() };
        let rules = rule::load(&[file], String::new()).unwrap().rules;
        let mut seen = std::collections::BTreeSet::new();
        for change in 0..64_u32 {
            let on = |bit: u32| change >> bit & 1 == 1;
            let mut info = info(if on(0) { "2026-05-01" } else { "2027-05-01" }, on(1).then_some(&["p"]));
            info.direction = if on(2) { Direction::Outbound } else { Direction::Inbound };
            info.channel = if on(3) { Channel::Chat } else { Channel::Voice };
            info.queue = on(4).then(|| String::from("投诉"));
            info.attributes.extend(on(5).then(|| (String::from("level"), 1.into())));
            let explanation = explain(&Call::explainable(Arc::clone(&rules), info.clone()), "p.a").unwrap();
            assert_eq!(explanation.obstacles.len() as u32, 6 - change.count_ones());
            seen.extend(explanation.obstacles);
        }
        assert_eq!(seen.len(), 6);
    }
}

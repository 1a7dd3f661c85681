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
use super::transcript::{CallInfo, Channel, Direction, Role};

/// What one rule made of one call.
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
    /// The phrase began in the speaker's utterance before.
    pub continued: bool,
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
        pack: rules.rules[ix as usize].pack.clone(),
        obstacles: obstacles(program, &rules.rules[ix as usize].pack, call.info()),
        matches: matches(call, ix, program),
        windows: monitor::explain_windows(&call.view(), program),
    })
}

/// What keeps a rule from a call: in words what `call::applies` decides.
pub(super) fn obstacles(program: &Program, pack: &str, info: &CallInfo) -> Vec<String> {
    let mut found = Vec::new();
    match &info.packs {
        None if !program.pack_enabled => {
            found.push(format!("规则包 {pack} 默认关闭，通话也没有点名要它"));
        }
        Some(packs) if !packs.iter().any(|name| name == pack) => {
            found.push(format!("通话只用规则包 {}，没有 {pack}", packs.join("、")));
        }
        _ => {}
    }
    let day = info.started_at.date_naive();
    if let Some(from) = program.from.filter(|from| day < *from) {
        found.push(format!("规则从 {from} 起生效，通话在 {day}"));
    }
    if let Some(until) = program.until.filter(|until| *until < day) {
        found.push(format!("规则到 {until} 为止，通话在 {day}"));
    }
    let scope = &program.scope;
    if scope.direction.is_some_and(|direction| direction != info.direction) {
        found.push(String::from(match info.direction {
            Direction::Inbound => "规则只管呼出，这是呼入",
            Direction::Outbound => "规则只管呼入，这是呼出",
        }));
    }
    if scope.channel.is_some_and(|channel| channel != info.channel) {
        found.push(String::from(match info.channel {
            Channel::Voice => "规则只管文字，这是语音",
            Channel::Chat => "规则只管语音，这是文字",
        }));
    }
    if !scope.queue.is_empty() && !info.queue.as_ref().is_some_and(|queue| scope.queue.contains(queue)) {
        let queue = info.queue.as_deref().unwrap_or("没有写");
        found.push(format!("规则只管队列 {}，这通的队列：{queue}", scope.queue.join("、")));
    }
    for (name, allowed) in &scope.attributes {
        let value =
            info.attributes.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        if !value.as_ref().is_some_and(|value| allowed.contains(value)) {
            let value = value.as_deref().unwrap_or("没有写");
            found.push(format!("规则只管属性 {name} 为 {} 的通话，这通的 {name}：{value}", allowed.join("、")));
        }
    }
    found
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
        }
    });
    explained.collect()
}

pub(super) fn purpose(program: &Program, detector: u32) -> String {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::rule::parse::SourceFile;
    use crate::rule::{self};

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

    /// The words and the engine's own decision never differ, whatever of the call is changed.
    #[test]
    fn a_rule_applies_if_and_only_if_nothing_is_in_its_way() {
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
            let applies = crate::call::applies(&rules.programs[0], "p", &info);
            assert_eq!(explanation.obstacles.is_empty(), applies, "{:?}", explanation.obstacles);
            assert_eq!(explanation.obstacles.len() as u32, 6 - change.count_ones());
            seen.extend(explanation.obstacles);
        }
        assert_eq!(seen.len(), 6);
    }
}

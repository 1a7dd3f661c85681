//! An event costs its own words, and not the call's history.

use std::sync::Arc;

use super::Call;
use crate::alert::{Alert, AlertState};
use crate::monitor::OCCURRENCES_MAX;
use crate::rule::parse::SourceFile;
use crate::rule::{RuleSet, load};
use crate::time::CallTime;
use crate::transcript::{CallInfo, Channel, Direction, Input, Party, Role, Utterance};
use crate::work;

/// Rules of every kind, with conditions of every kind.
const PACK: &str = r#"
pack: p
title: t
rules:
  - id: dont-know
    name: n
    message: m
    forbid:
      any: [不知道, 不清楚, "{number}号不管"]
      unless:
        - around: [不是不知道]
        - sentence: ["帮您{any:0-4}查"]
        - turn: [马上帮您]
        - reply: [你知道吗]
        - before: { any: [并非], within: 6 }
        - after: { any: [的话], within: 4 }
        - negated: true
        - quoted: true
        - question: true
        - conditional: true
        - subject: [other]
        - alone: true
  - id: particle
    name: n
    message: m
    forbid: { any: [不行], only: [{ begins: true }] }
  - id: late
    name: n
    message: m
    forbid: { any: [稍等], window: { after: { said: { any: [请问] } }, within: 5s } }
  - id: apology
    name: n
    message: m
    when: { said: { any: [请问], within: 60s } }
    require: { any: [抱歉], after: { said: { role: customer, any: [投诉] } }, within: 5s, remind: 2s }
  - id: next-turn
    name: n
    message: m
    require: { any: [抱歉], after: { said: { role: customer, any: [投诉] } }, within: 2 turns }
  - id: after-hold
    name: n
    message: m
    require: { any: [久等], after: resume, within: 5s }
  - id: before-hold
    name: n
    message: m
    event: { without: { event: hold, any: [请稍等], within: 10s } }
  - id: order
    name: n
    message: m
    sequence:
      steps:
        - { name: a, any: [您好] }
        - { name: b, any: [请问] }
  - { id: silence, name: n, message: m, timing: { silence: { of: both, over: 3s } } }
  - { id: monologue, name: n, message: m, timing: { monologue: { role: agent, over: 20s } } }
  - { id: reply, name: n, message: m, timing: { reply: { by: agent, over: 5s } } }
  - { id: hold, name: n, message: m, timing: { hold: { over: 1s } } }
  - { id: rate, name: n, message: m, timing: { rate: { role: agent, above: 100, window: 30s, at_least: 1s } } }
  - { id: repeat, name: n, message: m, timing: { repeat: { role: customer, times: 3, min_chars: 3 } } }
"#;

fn rules() -> Arc<RuleSet> {
    let file = SourceFile { name: String::from("p.yaml"), text: PACK.to_owned() };
    match load(&[file], String::from("test")) {
        Ok(loaded) => loaded.rules,
        Err(faults) => panic!("{faults:?}"),
    }
}

fn call(rules: &Arc<RuleSet>) -> Call {
    let info = CallInfo {
        call_id: String::from("c"),
        agent_id: String::from("a"),
        started_at: chrono::DateTime::parse_from_rfc3339("2026-11-21T10:00:00+08:00").unwrap(),
        direction: Direction::Inbound,
        channel: Channel::Voice,
        queue: None,
        rings: None,
        customer_name: None,
        packs: None,
        attributes: std::collections::BTreeMap::new(),
    };
    Call::new(Arc::clone(rules), info)
}

fn said(role: Role, id: impl ToString, at: i64, text: impl Into<String>, is_final: bool) -> Input {
    Input::Utterance(Utterance {
        utterance_id: id.to_string(),
        role,
        text: text.into(),
        start: CallTime(at),
        end: CallTime(at + 1_000),
        is_final,
        confidence: None,
        volume_db: None,
        pitch_hz: None,
        agent_id: None,
    })
}

/// Gives `input` to the call, and returns what that cost and put out.
fn cost(call: &mut Call, input: Input) -> (u64, Vec<Alert>) {
    let before = work::looks();
    call.handle(input.said_at(), input);
    let cost = work::looks() - before;
    (cost, std::iter::from_fn(|| call.poll_output()).collect())
}

/// Finds the dearest of the events: its cost, and the event.
fn dearest(call: &mut Call, inputs: impl Iterator<Item = Input>) -> (u64, String) {
    let costs = inputs.map(|input| (format!("{input:?}"), cost(call, input).0));
    let (event, cost) = costs.max_by_key(|&(_, cost)| cost).unwrap_or_default();
    (cost, event)
}

/// Plays 3 000 events; what one of the last costs may not be more than what it cost when the call was short.
#[track_caller]
fn is_flat(input: impl Fn(i64) -> Input) {
    let rules = rules();
    let mut call = call(&rules);
    let mut inputs = (0..3_000).map(input);
    let (early, _) = dearest(&mut call, inputs.by_ref().take(600));
    dearest(&mut call, inputs.by_ref().take(1_800));
    let (late, event) = dearest(&mut call, inputs);
    assert!(late <= early + early / 10, "{event} costs {late} in a long call and {early} in a short one");
}

#[test]
fn one_long_final_costs_its_length() {
    let rules = rules();
    let of = |repeats: usize| {
        let text = "我不知道，".repeat(repeats);
        cost(&mut call(&rules), said(Role::Agent, "u", 0, text, true))
    };
    let ((short, _), (long, alerts)) = (of(400), of(1_600));
    assert!(long <= 5 * short, "four times the text costs {long} instead of {short}");
    let confirmed: Vec<_> = alerts.iter().filter(|alert| alert.rule.id == "dont-know").collect();
    assert_eq!(confirmed.len(), 1, "words repeated in one utterance are one matter");
    assert_eq!(confirmed[0].count, 64);
    let evidence = &confirmed[0].evidence[0];
    assert!(evidence.text.chars().count() <= 500, "evidence is clipped");
    let marked: String = evidence.text.chars().skip(evidence.start).take(evidence.end - evidence.start).collect();
    assert_eq!(marked, "不知道");
}

#[test]
fn any_long_text_costs_its_length() {
    let rules = rules();
    let texts = [
        "1",
        "一",
        "啊",
        "“",
        "不",
        "”",
        "\"",
        "嗯",
        "？",
        "，",
        "不行，",
        "啊不知道",
        "“不知道”",
        "没有不知道",
        "不知道 ",
        "不知道吗",
        "12号不管",
        "帮您",
        "并非不知道",
        "如果不知道的话",
        "他不知道",
        "1，",
        "不不知道",
        "是不是不知道",
    ];
    for text in texts {
        let of = |chars: usize| {
            let text = text.chars().cycle().take(chars).collect::<String>();
            cost(&mut call(&rules), said(Role::Agent, "u", 0, format!("我不知道。{text}"), true)).0
        };
        let (short, long) = (of(2_500), of(10_000));
        assert!(long <= 5 * short, "four times the text of {text} costs {long} instead of {short}");
    }
}

#[test]
fn a_looping_recogniser_costs_its_words() {
    let rules = rules();
    let mut call = call(&rules);
    let mut text = String::new();
    let mut costs = Vec::new();
    let mut provisional = 0;
    for _ in 0..400 {
        text.push_str("我不知道");
        let (cost, alerts) = cost(&mut call, said(Role::Agent, "u", 0, &text, false));
        costs.push(cost);
        provisional += alerts.len();
    }
    assert!(costs[399] <= 5 * costs[99], "the hypothesis costs {} and four times as long {}", costs[99], costs[399]);
    assert!(provisional <= 4, "one matter is told {provisional} times");
}

#[test]
fn an_event_costs_the_same_in_a_long_call() {
    is_flat(|n| said(Role::Agent, n, n * 1_000, "这个我不知道。", true));
    is_flat(|n| said(Role::Agent, n, n * 1_000, "好的，我看一下。", true));
    is_flat(|n| said(Role::Customer, n, n * 1_000, "请问这个什么时候能好？", true));
    is_flat(|n| said([Role::Agent, Role::Customer][n as usize % 2], n, n * 10_000, "我要投诉，请问呢？", true));
    is_flat(|n| said(Role::Customer, n, n * 10_000, "我要投诉！", true));
    is_flat(|n| {
        if n % 2 == 0 { Input::Hold { at: CallTime(n * 2_000) } } else { Input::Resume { at: CallTime(n * 2_000) } }
    });
    is_flat(|n| said(Role::Agent, n, n * 20_000, ["请问", "稍等"][n as usize % 2], true));
    is_flat(|n| {
        if n < 200 {
            said(Role::Agent, n, n * 1_000, "好的", true)
        } else {
            said(Role::Agent, 5, 5_000, format!("不知道{n}"), true)
        }
    });
    is_flat(|n| {
        if n < 2_500 {
            said(Role::Agent, n, n * 1_000, "这个我不知道。", true)
        } else {
            Input::End { at: CallTime(n * 1_000), by: Party::Agent }
        }
    });
}

#[test]
fn of_very_many_findings_the_first_are_told_and_the_call_says_so() {
    let rules = rules();
    let mut call = call(&rules);
    let mut told = 0;
    for n in 0..1_500 {
        let (_, alerts) = cost(&mut call, said(Role::Agent, n, n * 1_000, "这个我不知道。", true));
        told +=
            alerts.iter().filter(|alert| alert.rule.id == "dont-know" && alert.state == AlertState::Confirmed).count();
        assert_eq!(call.has_left_out(), n as usize >= OCCURRENCES_MAX, "after {n}");
    }
    assert_eq!(told, OCCURRENCES_MAX);
}

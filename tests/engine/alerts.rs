//! What an alert says, whom it concerns and which calls it applies to.

use std::collections::BTreeSet;
use std::sync::Arc;

#[allow(dead_code)]
use crate::oracle::generate::info;
use crate::oracle::play::play;
use tingjian::engine::alert::{Alert, AlertState};
use tingjian::engine::call::Call;
use tingjian::engine::explain::explain;
use tingjian::engine::rule::parse::SourceFile;
use tingjian::engine::rule::{RuleSet, load};
use tingjian::engine::severity::AlertKind;
use tingjian::engine::time::CallTime;
use tingjian::engine::transcript::{CallInfo, Channel, Direction, Input, Party, Role, Utterance};

fn rules(text: &str) -> Arc<RuleSet> {
    match load(&[SourceFile { name: String::from("r.yaml"), text: text.to_owned() }], String::from("test")) {
        Ok(loaded) => loaded.rules,
        Err(faults) => panic!("{faults:?}"),
    }
}

fn rule(message: &str, body: &str) -> Arc<RuleSet> {
    rules(&format!("pack: p\ntitle: t\nrules:\n  - id: r\n    name: n\n    message: \"{message}\"\n    {body}\n"))
}

/// The second, who and what.
type Line = (i64, Role, &'static str);

/// A call of these lines, each said at its second and for one second.
fn call(lines: &[Line]) -> Vec<(CallTime, Input)> {
    let says = |(second, role, text): &Line| {
        let utterance = Utterance {
            utterance_id: format!("u{second:03}"),
            role: *role,
            text: (*text).to_owned(),
            start: CallTime(second * 1_000),
            end: CallTime(second * 1_000 + 1_000),
            is_final: true,
            confidence: None,
            volume_db: Some(-8.0),
            pitch_hz: Some(300.4),
            agent_id: None,
        };
        Input::Utterance(utterance)
    };
    let end = Input::End { at: CallTime(100_000), by: Party::Agent };
    lines.iter().map(says).chain([end]).map(|input| (input.said_at(), input)).collect()
}

fn heard(rules: &Arc<RuleSet>, lines: &[Line]) -> Vec<Alert> {
    play(rules, &info(Some(9)), &call(lines))
}

const AGENT: Role = Role::Agent;
const CUSTOMER: Role = Role::Customer;

#[test]
fn messages_say_what_happened() {
    let complaint: &[Line] = &[(1, CUSTOMER, "我要投诉"), (3, AGENT, "马上给您退款"), (5, AGENT, "很抱歉")];
    let steps = "sequence: { after: { said: { role: customer, any: [我要投诉] } }, steps: [{ name: 致歉, any: [抱歉] }, { name: 方案, any: [退款] }, { name: 跟进, any: [回访] }] }";
    let parts = "require: { all: [{ name: 姓名, any: [我姓王] }, { name: 工号, any: [\"工号{number}\"] }, { name: 问候, any: [您好] }], after: answered, within: 10s }";
    let cases: &[(&str, &str, &[Line], &[&str])] = &[
        ("说了“{phrase}”", "forbid: { any: [不知道] }", &[(1, AGENT, "这个我不知道")], &["说了“不知道”"]),
        ("{phrase}", "forbid: { any: [请稍等一下] }", &[(1, AGENT, "请稍"), (2, AGENT, "等，一下")], &["请稍等，一下"]),
        (
            "{value}个",
            "forbid: { any: [不知道, 不清楚, 没办法], at_least: 2 }",
            &[(1, AGENT, "不知道，没办法")],
            &["2个"],
        ),
        ("没说", parts, &[(1, AGENT, "您好")], &["没说（已说 1/3，还缺：姓名、工号）"]),
        ("缺{missing}", parts, &[(1, AGENT, "您好，我姓王")], &["缺工号"]),
        ("{said}/{total} {limit}秒", parts, &[], &["0/3 10秒（已说 0/3，还缺：姓名、工号、问候）"]),
        ("没说", "require: { any: [您好], after: answered, within: 10s }", &[], &["没说"]),
        ("{step}/{before}", steps, complaint, &["方案/致歉", "未说：跟进"]),
        ("{said}/{total} {missing}", steps, complaint, &["1/3 致歉", "2/3 跟进"]),
        ("没说", steps, &[(1, CUSTOMER, "我要投诉")], &["没说（已说 0/3，还缺：致歉、方案、跟进）"]),
        ("{value}>{limit}", "timing: { silence: { of: agent, over: 90s } }", &[(2, AGENT, "您好")], &["92 秒>90 秒"]),
        ("静了{value}秒", "timing: { silence: { of: agent, over: 90s } }", &[(2, AGENT, "您好")], &["静了92秒"]),
        ("{value}", "timing: { silence: { of: agent, over: 96500ms } }", &[(2, AGENT, "您好")], &["97 秒"]),
        ("{limit}", "timing: { silence: { of: agent, over: 96500ms } }", &[(2, AGENT, "您好")], &["96.5 秒"]),
        ("{value}>{limit}", "timing: { rings: { over: 3 } }", &[], &["9 声>3 声"]),
        (
            "{value}>{limit}",
            "timing: { rate: { role: agent, above: 300, window: 10s, at_least: 1s } }",
            &[(1, AGENT, "一二三四五六")],
            &["360 字/分钟>300 字/分钟"],
        ),
        (
            "{value}>{limit}",
            "timing: { volume: { role: agent, above: -10 } }",
            &[(1, AGENT, "喂")],
            &["-8 分贝>-10 分贝"],
        ),
        (
            "{value}>{limit}",
            "timing: { pitch: { role: agent, above: 250 } }",
            &[(1, AGENT, "喂")],
            &["300 赫兹>250 赫兹"],
        ),
        (
            "{value}>{limit}",
            "timing: { reply: { by: agent, over: 5s } }",
            &[(1, CUSTOMER, "在吗"), (10, AGENT, "在的")],
            &["7 秒>5 秒"],
        ),
        (
            "{value}>{limit}",
            "timing: { monologue: { role: agent, over: 1500ms } }",
            &[(1, AGENT, "很长"), (2, AGENT, "的话")],
            &["2 秒>1.5 秒"],
        ),
        (
            "{value}/{limit}",
            "timing: { repeat: { role: agent, times: 2, min_chars: 4 } }",
            &[(1, AGENT, "您贵姓什么呢"), (3, CUSTOMER, "我姓王啊"), (5, AGENT, "您贵姓什么呢")],
            &["2 遍/2 遍"],
        ),
    ];
    for (message, body, lines, expected) in cases {
        let alerts = heard(&rule(message, body), lines);
        let messages: Vec<&str> = alerts.iter().map(|alert| alert.message.as_str()).collect();
        assert_eq!(messages, *expected, "{body}");
    }
}

#[test]
fn a_reminder_has_words_of_its_own() {
    let told = |body: &str| {
        let alerts = heard(&rule("没有说", body), &[(8, CUSTOMER, "喂喂喂喂"), (9, AGENT, "您好")]);
        alerts.iter().map(|alert| format!("{} {}", alert.state.name(), alert.message)).collect::<Vec<_>>()
    };
    let one = |more: &str| told(&format!("require: {{ any: [您好], after: answered, within: 10s, remind: 4s{more} }}"));
    assert_eq!(one(""), ["reminder 快到时限：n", "resolved n：已说"]);
    assert_eq!(one(", reminder: \"请说{missing}，共 {limit}\""), ["reminder 请说您好，共 10 秒", "resolved n：已说"]);
    let two = "require: { all: [{ name: 问候, any: [您好] }, { name: 姓名, any: [我姓王] }], after: answered, within: 10s, remind: 4s }";
    assert_eq!(told(two), ["reminder 快到时限：n，还没说：问候、姓名", "confirmed 没有说（已说 1/2，还缺：姓名）"]);
}

#[test]
fn what_is_taken_back_says_why() {
    let says = |text: &str, is_final: bool, arrives: i64| {
        let (start, end) = (CallTime(1_000), CallTime(2_000));
        let (utterance_id, text) = (String::from("u"), text.to_owned());
        let (role, confidence, volume_db, pitch_hz) = (AGENT, None, None, None);
        let utterance = Utterance {
            utterance_id,
            role,
            text,
            start,
            end,
            is_final,
            confidence,
            volume_db,
            pitch_hz,
            agent_id: None,
        };
        (CallTime(arrives), Input::Utterance(utterance))
    };
    let messages = |rules: &Arc<RuleSet>, arrivals: &[(CallTime, Input)]| -> Vec<String> {
        let alerts = play(rules, &info(None), arrivals);
        alerts.iter().filter(|alert| alert.state == AlertState::Retracted).map(|alert| alert.message.clone()).collect()
    };
    let forbid = rule("不要说“{phrase}”", "forbid: { any: [不知道] }");
    let corrected = [says("这个不知道", false, 2_000), says("这个我知道了", true, 2_500)];
    assert_eq!(messages(&forbid, &corrected), ["最终结果是“这个我知道了”"]);
    let again = [says("不知道", true, 2_000), says("不止到，我的号码是13800138000", true, 2_500)];
    assert!(messages(&forbid, &again)[0].starts_with("最终结果是“不止到，我的号码是"));
    assert!(!messages(&forbid, &again)[0].contains("13800138000"));
    let require = rule("没有问候", "require: { any: [您好], after: answered, within: 5s }");
    assert_eq!(messages(&require, &[says("您好请讲", true, 9_000)]), ["按时说了“您好请讲”"]);
}

#[test]
fn a_call_that_asks_for_a_pack_that_is_not_there_gets_those_that_are_on() {
    let pack = |name: &str, enabled: bool| {
        let rule = format!("{{ id: {name}.r, name: n, message: m, timing: {{ rings: {{ over: 3 }} }} }}");
        let text = format!("pack: {name}\ntitle: t\nenabled: {enabled}\nrules:\n  - {rule}\n");
        SourceFile { name: format!("{name}.yaml"), text }
    };
    let rules = load(&[pack("forbidden", true), pack("finance", false)], String::from("test")).unwrap().rules;
    let told = |packs: &[&str]| {
        let info = CallInfo { packs: Some(packs.iter().map(|&pack| pack.to_owned()).collect()), ..info(Some(9)) };
        let unknown: Vec<_> = rules.unknown_packs(&info).map(|(name, near)| format!("{name} {near:?}")).collect();
        let alerts = play(&rules, &info, &[]);
        (alerts.iter().map(|alert| alert.rule.pack.clone()).collect::<Vec<_>>(), unknown)
    };
    assert_eq!(told(&["finance"]), (vec![String::from("finance")], vec![]));
    let forbidden = vec![String::from("forbidden")];
    assert_eq!(told(&["forbiden"]), (forbidden.clone(), vec![String::from("forbiden Some(\"forbidden\")")]));
    assert_eq!(told(&["nosuch"]), (forbidden, vec![String::from("nosuch None")]));
    let (mut packs, _) = told(&["finance", "forbiden"]);
    packs.sort();
    assert_eq!(packs, ["finance", "forbidden"]);
}

#[test]
fn words_that_only_sound_like_the_phrase_are_called_so() {
    let rules = rule("说了“{phrase}”", "forbid: { any: [{ phrase: 保证收益, homophone: toneless }] }");
    let alerts = heard(&rules, &[(1, AGENT, "我们保正收益"), (3, AGENT, "保证收益")]);
    let said: Vec<(&str, bool)> = alerts.iter().map(|a| (a.message.as_str(), a.evidence[0].homophone)).collect();
    assert_eq!(said, [("说了“保正收益”（同音）", true), ("说了“保证收益”", false)]);
}

#[test]
fn rules_apply_to_the_calls_they_name() {
    let outbound = |info: &mut CallInfo| info.direction = Direction::Outbound;
    let chat = |info: &mut CallInfo| info.channel = Channel::Chat;
    let queue = |name: &'static str| move |info: &mut CallInfo| info.queue = Some(String::from(name));
    let attribute = |value: serde_json::Value| {
        move |info: &mut CallInfo| {
            info.attributes.insert(String::from("level"), value.clone());
        }
    };
    let packs = |name: &'static str| move |info: &mut CallInfo| info.packs = Some(vec![String::from(name)]);
    let as_it_is = |_: &mut CallInfo| {};
    type Change = Box<dyn Fn(&mut CallInfo)>;
    let cases: Vec<(&str, Change, bool)> = vec![
        ("scope: {}", Box::new(as_it_is), true),
        ("scope: { direction: outbound }", Box::new(as_it_is), false),
        ("scope: { direction: outbound }", Box::new(outbound), true),
        ("scope: { direction: inbound }", Box::new(outbound), false),
        ("scope: { channel: voice }", Box::new(as_it_is), true),
        ("scope: { channel: voice }", Box::new(chat), false),
        ("scope: { channel: chat }", Box::new(chat), true),
        ("scope: { queue: [投诉, 售后] }", Box::new(as_it_is), false),
        ("scope: { queue: [投诉, 售后] }", Box::new(queue("售后")), true),
        ("scope: { queue: [投诉, 售后] }", Box::new(queue("售前")), false),
        ("scope: { queue: [投诉], channel: chat }", Box::new(queue("投诉")), false),
        ("scope: { attributes: { level: [gold, \"1\"] } }", Box::new(as_it_is), false),
        ("scope: { attributes: { level: [gold, \"1\"] } }", Box::new(attribute("gold".into())), true),
        ("scope: { attributes: { level: [gold, \"1\"] } }", Box::new(attribute(1.into())), true),
        ("scope: { attributes: { level: [gold, \"1\"] } }", Box::new(attribute("tin".into())), false),
        ("scope: { attributes: { level: [gold], city: 北京 } }", Box::new(attribute("gold".into())), false),
        // The call was answered on 2 March 2026.
        ("effective: { from: 2026-03-02 }", Box::new(as_it_is), true),
        ("effective: { from: 2026-03-03 }", Box::new(as_it_is), false),
        ("effective: { until: 2026-03-02 }", Box::new(as_it_is), true),
        ("effective: { until: 2026-03-01 }", Box::new(as_it_is), false),
        ("scope: {}", Box::new(packs("p")), true),
        // There is no such pack: the packs that are on apply.
        ("scope: {}", Box::new(packs("q")), true),
    ];
    for (clause, change, applies) in cases {
        let rules = rule("m", &format!("{clause}\n    timing: {{ rings: {{ over: 3 }} }}"));
        let mut info = info(Some(9));
        change(&mut info);
        assert_eq!(!play(&rules, &info, &[]).is_empty(), applies, "{clause} {info:?}");
    }
    let disabled = "pack: p\ntitle: t\nenabled: false\nrules:\n  - { id: r, name: n, message: m, timing: { rings: { over: 3 } } }\n";
    for (named, applies) in [(None, false), (Some(vec![String::from("p")]), true)] {
        let info = CallInfo { packs: named, ..info(Some(9)) };
        assert_eq!(!play(&rules(disabled), &info, &[]).is_empty(), applies);
    }
}

#[test]
fn an_alert_is_its_agents_and_of_its_kind() {
    let steps = "sequence: { steps: [{ name: 一, any: [第一步骤] }, { name: 二, any: [第二步骤] }], within: 20s }";
    let taken = Input::TransferAnswered { at: CallTime(5_000), agent_id: Some(String::from("second")) };
    let mut arrivals = call(&[(1, AGENT, "第二步骤")]);
    arrivals.insert(1, (CallTime(5_000), taken));
    let alerts = play(&rule("m", steps), &info(None), &arrivals);
    let said: Vec<_> = alerts.iter().map(|a| (a.kind, &*a.agent_id, a.at.0)).collect();
    assert_eq!(said, [(AlertKind::Order, "agent", 1_000)]);

    let arrivals: Vec<_> = arrivals.split_off(1);
    let alerts = play(&rule("m", steps), &info(None), &arrivals);
    let said: Vec<_> = alerts.iter().map(|a| (a.kind, &*a.agent_id, a.at.0)).collect();
    assert_eq!(said, [(AlertKind::Missing, "second", 20_000)]);
}

#[test]
fn windows_are_explained_as_they_are_judged() {
    let windows = |body: &str, lines: &[Line]| {
        let mut live = Call::explainable(rule("m", body), info(None));
        for (now, input) in call(lines) {
            live.handle(now, input);
        }
        live.finish();
        let windows = explain(&live, "r").expect("the rule is there").windows;
        let parts = |window: &tingjian::engine::explain::ExplainedWindow| -> Vec<(String, Option<i64>)> {
            window.parts.iter().map(|(name, at)| (name.clone(), at.map(|at| at.0))).collect()
        };
        windows.iter().map(|w| (w.from.map(|t| t.0), w.until.map(|t| t.0), parts(w), w.cut_short)).collect::<Vec<_>>()
    };
    let part = |name: &str, at: Option<i64>| (name.to_owned(), at);
    assert_eq!(
        windows("require: { any: [您好], after: answered, within: 10s }", &[(2, AGENT, "您好")]),
        [(Some(0), Some(10_000), vec![part("您好", Some(2_000))], false)]
    );
    assert_eq!(
        windows("require: { any: [您好], after: answered, within: 101s }", &[]),
        [(Some(0), Some(101_000), vec![part("您好", None)], true)]
    );
    assert_eq!(
        windows("require: { any: [您好], after: answered, within: 101s, even_if_cut_short: true }", &[]),
        [(Some(0), Some(101_000), vec![part("您好", None)], false)]
    );
    // The agent hung up: nobody cut the call short.
    assert_eq!(
        windows("require: { any: [您好], before: end, within: 10s }", &[]),
        [(Some(90_000), Some(100_000), vec![part("您好", None)], false)]
    );
    let steps = "sequence: { steps: [{ name: 一, any: [第一步骤] }, { name: 二, any: [第二步骤] }], within: 20s }";
    assert_eq!(
        windows(steps, &[(3, AGENT, "第二步骤")]),
        [(Some(0), Some(20_000), vec![part("一", None), part("二", Some(3_000))], false)]
    );
    assert_eq!(windows("timing: { rings: { over: 3 } }", &[]), []);
}

#[test]
fn every_occurrence_has_an_id_of_its_own() {
    let at = |at, event: fn(CallTime) -> Input| (CallTime(at), event(CallTime(at)));
    let hold: fn(CallTime) -> Input = |at| Input::Hold { at };
    let resume: fn(CallTime) -> Input = |at| Input::Resume { at };
    let transfer: fn(CallTime) -> Input = |at| Input::Transfer { at, to: None };
    let mut arrivals = vec![at(1_000, hold), at(2_000, resume), at(3_000, hold), at(4_000, resume)];
    arrivals.extend([at(5_000, transfer), at(6_000, transfer)]);
    arrivals.extend(call(&[
        (10, AGENT, "不知道，不知道"),
        (20, CUSTOMER, "在吗"),
        (40, AGENT, "不知道"),
        (50, CUSTOMER, "在吗"),
    ]));
    let each: [(&str, usize); 7] = [
        // Words repeated in one breath are one matter.
        ("forbid: { any: [不知道] }", 2),
        ("require: { any: [您好], after: hold, within: 5s }", 2),
        ("require: { any: [您好], after: { said: { role: customer, any: [在吗] } }, within: 5s }", 2),
        ("event: { without: { event: transfer, any: [您好], within: 5s } }", 2),
        ("timing: { silence: { of: both, over: 3s } }", 5),
        ("timing: { reply: { by: agent, over: 3s } }", 2),
        ("timing: { hold: { over: 500ms } }", 2),
    ];
    for (body, occurrences) in each {
        let alerts = play(&rule("m", body), &info(None), &arrivals);
        let ids: BTreeSet<&str> = alerts.iter().map(|alert| alert.alert_id.as_str()).collect();
        assert_eq!((ids.len(), alerts.len()), (occurrences, occurrences), "{body}");
    }
}

/// An alert that is weighed anew and stays as it was keeps the moment at which it came out.
#[test]
fn what_is_weighed_anew_is_not_news() {
    let rules = rule("x", "forbid: { any: [不清楚] }");
    let mut call = Call::new(rules, info(None));
    let says = |id: &str, text: &str, at: i64, is_final| {
        let (start, end) = (CallTime(at), CallTime(at + 500));
        Input::Utterance(Utterance {
            utterance_id: id.to_owned(),
            role: Role::Agent,
            text: text.to_owned(),
            start,
            end,
            is_final,
            confidence: None,
            volume_db: None,
            pitch_hz: None,
            agent_id: None,
        })
    };
    for (at, input) in [
        (1_500, says("u1", "我不清楚。", 1_000, true)),
        (20_500, says("u2", "我不清楚", 20_000, false)),
        (21_000, says("u2", "我清楚。", 20_000, true)),
    ] {
        call.handle(CallTime(at), input);
        while call.poll_output().is_some() {}
    }
    let standing: Vec<CallTime> = call.alerts_in_force().map(|alert| alert.emitted).collect();
    assert_eq!(standing, [CallTime(1_500)]);
}

#[test]
fn the_hour_is_that_of_the_moment_and_not_of_the_answer() {
    // Answered at 09:59:30.
    let rules = rule("m", "when: { hour: \"16:00-17:00\" }\n    forbid: { any: [不知道] }");
    let hour = 60 * 60;
    for (second, fires) in
        [(0, false), (6 * hour + 29, false), (6 * hour + 30, true), (7 * hour + 30, false), (30 * hour + 30, true)]
    {
        assert_eq!(!heard(&rules, &[(second, AGENT, "不知道")]).is_empty(), fires, "{second}");
    }
    let night = rule("m", "when: { hour: \"22:00-06:00\" }\n    forbid: { any: [不知道] }");
    for (second, fires) in [(0, false), (12 * hour + 30, true), (19 * hour, true), (20 * hour + 30, false)] {
        assert_eq!(!heard(&night, &[(second, AGENT, "不知道")]).is_empty(), fires, "{second}");
    }
}

#[test]
fn loud_and_high_words_count_where_that_is_measured() {
    // All lines are said at -8 dB and 300.4 Hz.
    for (condition, fires) in [
        ("volume_above: -9", true),
        ("volume_above: -8", false),
        ("pitch_above: 300", true),
        ("pitch_above: 301", false),
    ] {
        let body = format!("forbid: {{ any: [不知道], only: [{{ {condition} }}] }}");
        assert_eq!(!heard(&rule("m", &body), &[(1, AGENT, "不知道")]).is_empty(), fires, "{condition}");
    }
    let mut unmeasured = call(&[(1, AGENT, "不知道")]);
    if let (_, Input::Utterance(utterance)) = &mut unmeasured[0] {
        (utterance.volume_db, utterance.pitch_hz) = (None, None);
    }
    for condition in ["volume_above: -90", "pitch_above: 0"] {
        let body = format!("forbid: {{ any: [不知道], only: [{{ {condition} }}] }}");
        assert!(play(&rule("m", &body), &info(None), &unmeasured).is_empty(), "{condition}");
    }
}

#[test]
fn a_hypothesis_is_shown_when_the_rule_says() {
    // Heard at 1.2 s, again at 1.5 s and at 2.2 s, settled at 3 s.
    let [(_, Input::Utterance(settled)), _] = &call(&[(1, AGENT, "不知道的")])[..] else { unreachable!() };
    let wording = |at: i64, text: &str, is_final| {
        let utterance = Utterance { text: text.to_owned(), is_final, ..settled.clone() };
        (CallTime(at), Input::Utterance(utterance))
    };
    let arrivals = [
        wording(1_200, "不知道", false),
        wording(1_500, "不知道的", false),
        wording(2_200, "不知道的", false),
        wording(3_000, "不知道的", true),
    ];
    for (policy, provisional_at) in [
        ("show", Some(1_200)),
        ("final", None),
        ("{ revisions: 1 }", Some(1_500)),
        ("{ revisions: 2 }", Some(2_200)),
        ("{ stable: 700ms }", Some(1_900)),
        ("{ stable: 1799ms }", Some(2_999)),
        ("{ stable: 1801ms }", None),
    ] {
        let rules = rule("m", &format!("hypotheses: {policy}\n    forbid: {{ any: [不知道] }}"));
        let alerts = play(&rules, &info(None), &arrivals);
        let lives: Vec<(AlertState, i64)> = alerts.iter().map(|alert| (alert.state, alert.emitted.0)).collect();
        let provisional = provisional_at.map(|at| (AlertState::Provisional, at));
        let expected: Vec<_> = provisional.into_iter().chain([(AlertState::Confirmed, 3_000)]).collect();
        assert_eq!(lives, expected, "{policy}");
    }
}

/// `strict` and `loose` forbid overlapping words; `loose` yields.
#[test]
fn a_pack_leaves_words_to_the_packs_it_yields_to() {
    let pack = |name: &str, head: &str, body: &str| SourceFile {
        name: format!("{name}.yaml"),
        text: format!("pack: {name}\ntitle: t\n{head}\nrules:\n  - {{ id: {name}.r, name: n, message: m, {body} }}\n"),
    };
    let told = |strict: &str, packs: Option<&[&str]>, text: &'static str| {
        let files = [
            pack("strict", "", strict),
            pack("loose", "yields_to: [strict, nobody]", "forbid: { any: [急什么, 没办法] }"),
        ];
        let rules = match load(&files, String::from("test")) {
            Ok(loaded) => loaded.rules,
            Err(faults) => panic!("{faults:?}"),
        };
        let mut info = info(None);
        info.packs = packs.map(|packs| packs.iter().map(|&pack| pack.to_owned()).collect());
        let ids: BTreeSet<String> =
            play(&rules, &info, &call(&[(1, AGENT, text)])).iter().map(|alert| alert.rule.id.clone()).collect();
        ids.into_iter().collect::<Vec<_>>().join(" ")
    };
    let always = "forbid: { any: [你急什么], unless: [{ question: true }] }";
    for (strict, packs, text, expected) in [
        (always, None, "你急什么呀", "strict.r"),
        (always, None, "急什么呀", "loose.r"),
        // Other words of the same turn are told.
        (always, None, "你急什么，我没办法", "loose.r strict.r"),
        // What the other pack does not count, it does not tell.
        (always, None, "你急什么？", "loose.r"),
        (always, Some(&["loose"][..]), "你急什么呀", "loose.r"),
        // A rule that does not tell every time is not relied upon.
        ("limit: once, forbid: { any: [你急什么] }", None, "你急什么呀", "loose.r strict.r"),
        ("forbid: { any: [你急什么], window: { first: 30s } }", None, "你急什么呀", "loose.r strict.r"),
    ] {
        assert_eq!(told(strict, packs, text), expected, "{strict} {packs:?} {text}");
    }
}

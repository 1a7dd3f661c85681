//! What properties and fuzzing found, each in its smallest words.

use std::sync::Arc;

#[allow(dead_code)]
use crate::oracle::generate::info;
use crate::oracle::play::{fold, play};
use tingjian::engine::alert::Alert;
use tingjian::engine::pauses::{Pauses, Stretch};
use tingjian::engine::rule::parse::SourceFile;
use tingjian::engine::rule::{RuleSet, load};
use tingjian::engine::time::CallTime;
use tingjian::engine::transcript::{Input, Party, Role, Utterance};

/// A rule set of one rule, whose body (and whatever else) is given.
fn rule(body: &str) -> Arc<RuleSet> {
    let text = format!("pack: p\ntitle: t\nrules:\n  - id: r\n    name: n\n    message: m\n    {body}\n");
    match load(&[SourceFile { name: String::from("r.yaml"), text }], String::from("test")) {
        Ok(loaded) => loaded.rules,
        Err(faults) => panic!("{faults:?}"),
    }
}

/// A final, which arrives when its words are over.
fn says(role: Role, id: &str, start: i64, end: i64, text: &str) -> (CallTime, Input) {
    let utterance = Utterance {
        utterance_id: id.to_owned(),
        role,
        text: text.to_owned(),
        start: CallTime(start),
        end: CallTime(end),
        is_final: true,
        confidence: None,
        volume_db: None,
        pitch_hz: None,
        agent_id: None,
    };
    (CallTime(end), Input::Utterance(utterance))
}

fn happens(input: Input) -> (CallTime, Input) {
    (input.said_at(), input)
}

fn ends(at: i64, by: Party) -> (CallTime, Input) {
    happens(Input::End { at: CallTime(at), by })
}

/// The same, learnt later.
fn late(at: i64, (_, input): (CallTime, Input)) -> (CallTime, Input) {
    (CallTime(at), input)
}

fn heard(rules: &Arc<RuleSet>, arrivals: &[(CallTime, Input)]) -> Vec<Alert> {
    play(rules, &info(None), arrivals)
}

/// The last state of each alert and its moment, as `confirmed 2462`.
fn outcome(alerts: &[Alert]) -> Vec<String> {
    let mut outcome: Vec<String> =
        fold(alerts).into_values().map(|alert| format!("{:?} {}", alert.state, alert.at.0).to_lowercase()).collect();
    outcome.sort();
    outcome
}

const HOLD: fn(i64) -> (CallTime, Input) = |at| happens(Input::Hold { at: CallTime(at) });
const RESUME: fn(i64) -> (CallTime, Input) = |at| happens(Input::Resume { at: CallTime(at) });

#[test]
fn a_hold_ends_when_the_transfer_is_answered() {
    let answered = |at| happens(Input::TransferAnswered { at: CallTime(at), agent_id: Some(String::from("second")) });
    let call = [HOLD(6_000), answered(20_000), ends(200_000, Party::Agent)];
    let too_long = rule("timing: { hold: { over: 60s } }");
    assert_eq!(outcome(&heard(&too_long, &call)), [""; 0]);
    // Nobody speaks, before the hold for 6 seconds and after it for 180.
    let too_silent = rule("timing: { silence: { of: both, over: 60s } }");
    assert_eq!(outcome(&heard(&too_silent, &call)), ["confirmed 74000"]);
    // Learnt late, it takes back what was said of the hold.
    let told = heard(&too_long, &[HOLD(6_000), late(100_000, answered(20_000)), ends(200_000, Party::Agent)]);
    assert_eq!(outcome(&told), ["retracted 66000"]);
}

#[test]
fn pauses_are_told_as_rules_measure_them() {
    let inputs = |events: &[(CallTime, Input)]| events.iter().map(|(_, input)| input.clone()).collect::<Vec<_>>();
    let spans = |stretches: &[Stretch]| -> Vec<(i64, Option<i64>)> {
        stretches.iter().map(|stretch| (stretch.from.0, stretch.until.map(|until| until.0))).collect()
    };
    let answered = happens(Input::TransferAnswered { at: CallTime(40_000), agent_id: None });
    let mut call = vec![
        says(Role::Agent, "a", 2_900, 4_000, "您好"),
        HOLD(6_000),
        RESUME(20_000),
        says(Role::Agent, "b", 21_000, 22_000, "久等了"),
        HOLD(30_000),
        answered,
        says(Role::System, "c", 42_999, 43_000, "请说"),
    ];
    let pauses = Pauses::of(inputs(&call));
    assert_eq!(spans(&pauses.holds), [(6_000, Some(20_000)), (30_000, Some(40_000))]);
    let silences = [(4_000, Some(6_000)), (20_000, Some(21_000)), (22_000, Some(30_000)), (40_000, Some(42_999))];
    assert_eq!(spans(&pauses.silences), silences);
    // The end of the call is the end of a hold and of a silence, whatever comes afterwards.
    call.extend([HOLD(50_000), ends(60_000, Party::Agent), RESUME(70_000), HOLD(80_000)]);
    let pauses = Pauses::of(inputs(&call));
    assert_eq!(spans(&pauses.holds)[2..], [(50_000, Some(60_000))]);
    assert_eq!(spans(&pauses.silences)[4..], [(43_000, Some(50_000))]);
}

#[test]
fn a_call_that_ends_before_the_second_turn_is_cut_short() {
    let rules = rule("require: { any: [抱歉], after: answered, within: 2 turns }");
    let one_turn = [says(Role::Agent, "a", 0, 900, "您好"), ends(5_000, Party::Agent)];
    assert_eq!(outcome(&heard(&rules, &one_turn)), [""; 0]);
    let two_turns = [
        says(Role::Agent, "a", 0, 900, "您好"),
        says(Role::Customer, "b", 1_000, 2_000, "我想问一下"),
        says(Role::Agent, "c", 2_100, 3_000, "您请说"),
        ends(5_000, Party::Agent),
    ];
    assert_eq!(outcome(&heard(&rules, &two_turns)), ["confirmed 5000"]);
}

#[test]
fn last_words_that_come_after_the_end_cut_the_call_short() {
    let rules = rule("grace: 0s\n    require: { any: [再见], before: end, within: 10s }");
    let arrivals = [
        says(Role::Agent, "a", 0, 900, "您好"),
        ends(5_000, Party::Customer),
        late(5_300, says(Role::Customer, "b", 3_000, 4_800, "不用了就这样")),
    ];
    assert_eq!(outcome(&heard(&rules, &arrivals)), ["retracted 5000"]);
}

#[test]
fn a_hold_that_is_learnt_late_was_no_silence() {
    let rules = rule("timing: { silence: { of: both, over: 3s } }");
    let words = [says(Role::Agent, "a", 0, 1_000, "请稍等"), says(Role::Agent, "b", 9_000, 9_900, "您好")];
    let [first, second] = words.clone();
    let arrivals = [first, second, late(10_500, HOLD(1_500)), late(10_500, RESUME(8_500)), ends(11_000, Party::Agent)];
    assert_eq!(outcome(&heard(&rules, &arrivals)), ["retracted 4000"]);
    let [first, second] = words;
    let arrivals = [first, second, ends(11_000, Party::Agent)];
    assert_eq!(outcome(&heard(&rules, &arrivals)), ["confirmed 4000"]);
}

#[test]
fn a_verdict_whose_moment_moves_is_put_out_again() {
    let rules = rule("grace: 0s\n    require: { any: [抱歉], after: answered, within: 2 turns }");
    // The customer's words arrive first, so the agent's second turn seems over at 600.
    let arrivals = [
        says(Role::Agent, "a", 0, 200, "您好"),
        says(Role::Customer, "b", 200, 400, "我想问一下"),
        says(Role::Agent, "c", 400, 600, "您请说"),
        says(Role::Customer, "e", 1_198, 1_398, "就是那个"),
        says(Role::Agent, "d", 600, 2_462, "是这样的"),
        ends(9_000, Party::Agent),
    ];
    assert_eq!(outcome(&heard(&rules, &arrivals)), ["confirmed 2462"]);
}

#[test]
fn a_precondition_may_be_learnt_late() {
    let rules = rule("when: { event: hold }\n    forbid: { any: [不知道] }");
    let arrivals =
        [says(Role::Agent, "a", 2_000, 3_000, "不知道"), late(4_000, HOLD(1_000)), ends(9_000, Party::Agent)];
    assert_eq!(outcome(&heard(&rules, &arrivals)), ["confirmed 2000"]);
}

#[test]
fn both_halves_of_required_words_are_marked() {
    let rules = rule("require: { all: [[请稍等一下], [抱歉]], after: { said: { any: [帮您转接] } }, within: 5s }");
    let arrivals = [
        says(Role::Agent, "a", 0, 1_000, "帮您"),
        says(Role::Agent, "b", 1_000, 2_000, "转接，请稍"),
        says(Role::Agent, "c", 2_000, 3_000, "等一下"),
        ends(20_000, Party::Agent),
    ];
    let alerts = heard(&rules, &arrivals);
    let marked: Vec<(&str, usize, usize)> =
        alerts[0].evidence.iter().map(|e| (e.utterance_id.as_str(), e.start, e.end)).collect();
    assert_eq!(marked, [("a", 0, 2), ("b", 0, 2), ("b", 3, 5), ("c", 0, 3)]);
}

#[test]
fn times_without_end_add_up() {
    let rules = rule("timing: { silence: { of: both, over: 3s } }");
    let holds = [HOLD(i64::MIN + 1), RESUME(0), HOLD(1), RESUME(i64::MAX)];
    let arrivals: Vec<_> = holds.into_iter().chain([says(Role::Agent, "a", i64::MAX, i64::MAX, "您好")]).collect();
    heard(&rules, &arrivals);

    let rules = rule("timing: { rate: { role: agent, above: 300, window: 1h, at_least: 1s } }");
    let endless = |id| says(Role::Agent, id, 0, i64::MAX, "您好");
    heard(&rules, &[endless("a"), endless("b"), says(Role::Agent, "c", 1, 1_000, "您好")]);
}

#[test]
fn the_silence_after_the_answer_is_not_one_after_an_utterance_without_an_id() {
    let rules = rule("timing: { silence: { of: both, over: 3s } }");
    let arrivals = [says(Role::Agent, "", 5_000, 6_000, "您好"), ends(20_000, Party::Customer)];
    assert_eq!(outcome(&heard(&rules, &arrivals)), ["confirmed 3000", "confirmed 9000"]);
}

#[test]
fn words_do_not_go_on_from_an_utterance_that_moved_away() {
    let rules = rule("forbid: { any: [请稍等一下] }");
    let first = says(Role::Agent, "a", 0, 1_000, "请稍");
    let second = says(Role::Agent, "b", 1_000, 2_000, "等一下");
    let end = ends(20_000, Party::Agent);
    let stays = [first.clone(), second.clone(), end.clone()];
    assert_eq!(outcome(&heard(&rules, &stays)), ["confirmed 1000"]);
    // Corrected: it was the customer, and later.
    let moves = [first, second.clone(), says(Role::Customer, "a", 4_000, 5_000, "请稍"), end.clone()];
    assert_eq!(outcome(&heard(&rules, &moves)), ["retracted 1000"]);
    // Corrected from far behind to far ahead, and out of the reach of neighbours.
    let small_talk =
        |ix: i64| says(Role::Customer, &format!("x{ix:02}"), -30_000 + ix * 1_000, -29_500 + ix * 1_000, "好的明白");
    let mut far: Vec<_> = (0..20).map(small_talk).collect();
    far.extend([
        says(Role::Agent, "a", 0, 1_000, "请稍"),
        second,
        says(Role::Agent, "a", -40_000, -39_000, "请稍"),
        end,
    ]);
    assert_eq!(outcome(&heard(&rules, &far)), ["retracted 1000"]);
}

#[test]
fn a_backchannel_does_not_hide_a_phrase() {
    let rules = rule("forbid: { any: [不知道] }");
    let halves = [says(Role::Agent, "a1", 1_000, 2_000, "这个我不"), says(Role::Agent, "a2", 2_600, 3_200, "知道")];
    for between in ["嗯", "嗯嗯", "好的", "对对对", "嗯嗯好的", "哦"] {
        let customer = says(Role::Customer, "c1", 2_100, 2_400, between);
        let call = [halves[0].clone(), customer, halves[1].clone()];
        assert_eq!(outcome(&heard(&rules, &call)), ["confirmed 2600"], "{between}");
    }
    let asks = says(Role::Customer, "c1", 2_100, 2_400, "那我该找谁");
    assert_eq!(outcome(&heard(&rules, &[halves[0].clone(), asks, halves[1].clone()])), [""; 0]);
}

#[test]
fn a_listener_owes_nothing_while_nobody_speaks() {
    let rules = rule("timing: { listening: { by: agent, over: 45s } }");
    let greets = says(Role::Agent, "a1", 1_000, 3_000, "您好请讲");
    let silent =
        [greets.clone(), says(Role::Customer, "c1", 4_000, 14_000, "我家宽带断了"), ends(90_000, Party::Customer)];
    assert_eq!(outcome(&heard(&rules, &silent)), [""; 0]);
    let talks = says(Role::Customer, "c1", 4_000, 30_000, "我家宽带断了");
    let more = says(Role::Customer, "c2", 60_000, 86_000, "断了好几天");
    let long = [greets, talks.clone(), more.clone(), ends(90_000, Party::Customer)];
    assert_eq!(outcome(&heard(&rules, &long)), ["confirmed 79000"]);
    // Who says 嗯 in between listens.
    let listens = says(Role::Agent, "a2", 20_000, 20_300, "嗯");
    assert_eq!(outcome(&heard(&rules, &[long[0].clone(), talks, listens, more, long[3].clone()])), [""; 0]);
}

#[test]
fn words_of_a_second_agent_are_their_own() {
    let rules = rule("forbid: { any: [不知道] }");
    let (at, Input::Utterance(said)) = says(Role::Agent, "a1", 1_000, 2_000, "这个我不知道") else { panic!() };
    let second = Input::Utterance(Utterance { agent_id: Some(String::from("a9")), ..said.clone() });
    let agents =
        |input| heard(&rules, &[(at, input)]).iter().map(|alert| alert.agent_id.to_string()).collect::<Vec<_>>();
    assert_eq!(agents(second), ["a9"]);
    assert_eq!(agents(Input::Utterance(said)), [info(None).agent_id]);
}

//! `unless: { then: … }`: what was said is taken back by what the same speaker says next.

use std::sync::Arc;

use crate::oracle::generate::info;
use crate::oracle::play::play;
use tingjian::engine::alert::{Alert, AlertState};
use tingjian::engine::call::Call;
use tingjian::engine::diagnostic::Diagnostic;
use tingjian::engine::rule::parse::SourceFile;
use tingjian::engine::rule::{RuleSet, load};
use tingjian::engine::time::CallTime;
use tingjian::engine::transcript::{Input, Party, Role, Utterance};

use Role::{Agent, Customer};

fn rules(rule: &str) -> Result<Arc<RuleSet>, Vec<Diagnostic>> {
    let text = format!(
        "pack: p\ntitle: t\nlists: {{ remedy: [我帮您查, 我马上核实] }}\nrules:\n  - id: r\n    name: n\n    message: m\n    confidence: 0\n    {rule}\n"
    );
    let model = include_str!("../../rules/confidence.model").to_owned();
    let files = [("r.yaml", text), ("confidence.model", model)];
    let files = files.map(|(name, text)| SourceFile { name: name.to_owned(), text });
    load(&files, String::from("test")).map(|loaded| loaded.rules)
}

const EIGHT_SECONDS: &str =
    "forbid: { any: [不知道], unless: { then: { any: [$remedy, { act: promise-to-check }], within: 8s } } }";

fn said(role: Role, id: &str, start: i64, end: i64, text: &str) -> Utterance {
    Utterance {
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
    }
}

/// Finals, each when it is over.
fn arrivals(lines: &[Utterance]) -> Vec<(CallTime, Input)> {
    lines.iter().map(|line| (line.end, Input::Utterance(line.clone()))).collect()
}

/// State and the moment of each transition.
fn told(alerts: &[Alert]) -> Vec<(AlertState, i64)> {
    alerts.iter().map(|alert| (alert.state, alert.emitted.0)).collect()
}

fn heard(rules: &Arc<RuleSet>, arrivals: &[(CallTime, Input)]) -> Vec<(AlertState, i64)> {
    told(&play(rules, &info(None), arrivals))
}

use AlertState::{Confirmed, Provisional, Retracted};

#[test]
fn what_is_made_good_in_time_is_provisional_and_withdrawn() {
    let rules = rules(EIGHT_SECONDS).unwrap();
    let dont_know = said(Agent, "a", 1_000, 3_000, "这个我不知道");
    let customer = said(Customer, "b", 3_500, 6_000, "那你说怎么办");
    for remedy in ["我马上核实一下", "您别急我去给您问一下清楚再回复您"] {
        let remedied = [dont_know.clone(), customer.clone(), said(Agent, "c", 10_900, 12_500, remedy)];
        let expected = [(Provisional, 3_000), (Retracted, 12_500)];
        assert_eq!(heard(&rules, &arrivals(&remedied)), expected, "{remedy}");
    }
    let alerts = play(&rules, &info(None), &arrivals(&[dont_know.clone(), said(Agent, "c", 9_000, 9_500, "我帮您查")]));
    assert_eq!(alerts[1].message, "随后的话补救了");
    // Nobody makes it good, the customer does, or the agent is late: confirmed once the window and the grace are over.
    for line in [
        said(Customer, "c", 5_000, 6_000, "我帮您查"),
        said(Agent, "c", 11_001, 12_000, "我帮您查"),
        said(Agent, "c", 5_000, 6_000, "好的"),
    ] {
        let mut call = arrivals(&[dont_know.clone(), line]);
        call.push((CallTime(60_000), Input::End { at: CallTime(60_000), by: Party::Customer }));
        assert_eq!(heard(&rules, &call), [(Provisional, 3_000), (Confirmed, 13_000)]);
    }
}

#[test]
fn words_behind_it_in_its_own_utterance_make_it_good_at_once_and_those_before_do_not() {
    let rules = rules("forbid: { any: [不知道], unless: { then: { any: [$remedy], within: 8s } } }").unwrap();
    let one = |text: &str| heard(&rules, &arrivals(&[said(Agent, "a", 1_000, 3_000, text)]));
    assert_eq!(one("这个我不知道，我帮您查"), []);
    assert_eq!(one("我帮您查，这个我不知道").last().map(|(state, _)| *state), Some(Confirmed));
}

#[test]
fn a_call_that_ends_closes_the_window() {
    let rules = rules(EIGHT_SECONDS).unwrap();
    let mut call = arrivals(&[said(Agent, "a", 1_000, 3_000, "这个我不知道")]);
    call.push((CallTime(4_000), Input::End { at: CallTime(4_000), by: Party::Customer }));
    assert_eq!(heard(&rules, &call), [(Provisional, 3_000), (Confirmed, 6_000)]);
}

#[test]
fn a_late_remedy_that_was_said_in_time_takes_a_confirmed_alert_back() {
    let rules = rules(EIGHT_SECONDS).unwrap();
    let mut call = arrivals(&[said(Agent, "a", 1_000, 3_000, "这个我不知道")]);
    call.push((CallTime(20_000), Input::Utterance(said(Agent, "b", 5_000, 7_000, "我帮您查"))));
    assert_eq!(heard(&rules, &call), [(Provisional, 3_000), (Confirmed, 13_000), (Retracted, 20_000)]);
    // A correction gives it back.
    call.push((CallTime(21_000), Input::Utterance(said(Agent, "b", 5_000, 7_000, "我不帮"))));
    assert_eq!(heard(&rules, &call).last(), Some(&(Confirmed, 21_000)));
}

#[test]
fn a_hypothesis_takes_nothing_back() {
    let rules = rules(EIGHT_SECONDS).unwrap();
    let hypothesis = Utterance { is_final: false, ..said(Agent, "b", 5_000, 7_000, "我帮您查") };
    let call = arrivals(&[said(Agent, "a", 1_000, 3_000, "这个我不知道"), hypothesis]);
    assert_eq!(heard(&rules, &call), [(Provisional, 3_000), (Confirmed, 9_000)]);
}

#[test]
fn who_waits_for_finals_tells_nothing_before_the_window_is_over() {
    let silent = rules(&format!("hypotheses: final\n    {EIGHT_SECONDS}")).unwrap();
    let dont_know = said(Agent, "a", 1_000, 3_000, "这个我不知道");
    let remedied = [dont_know.clone(), said(Agent, "b", 5_000, 7_000, "我帮您查")];
    assert_eq!(heard(&silent, &arrivals(&remedied)), []);
    let mut call = arrivals(&[dont_know]);
    call.push((CallTime(60_000), Input::End { at: CallTime(60_000), by: Party::Agent }));
    assert_eq!(heard(&silent, &call), [(Confirmed, 13_000)]);
}

#[test]
fn several_conditions_in_one_exception_must_all_hold() {
    let rules = rules("forbid: { any: [不知道], unless: [{ then: { phrase: $remedy, within: 8s }, before: [这个] }] }")
        .unwrap();
    let outcome = |text: &str| {
        let call = [said(Agent, "a", 1_000, 3_000, text), said(Agent, "b", 4_000, 5_000, "我帮您查")];
        heard(&rules, &arrivals(&call))
    };
    assert_eq!(outcome("这个我不知道"), [(Provisional, 3_000), (Retracted, 5_000)]);
    // Nothing that is still to come can excuse it.
    assert_eq!(outcome("那件事我不知道"), [(Confirmed, 3_000)]);
}

#[test]
fn together_counts_what_stands() {
    let rules =
        rules("forbid: { any: [不知道, 没办法], at_least: 2, unless: { then: { phrase: $remedy, within: 8s } } }")
            .unwrap();
    let twice = [said(Agent, "a", 1_000, 2_000, "我不知道"), said(Agent, "b", 30_000, 31_000, "没办法")];
    let last = |lines: &[Utterance]| heard(&rules, &arrivals(lines)).last().map(|(state, _)| *state);
    assert_eq!(last(&twice), Some(Confirmed));
    let remedied = [twice[0].clone(), said(Agent, "c", 4_000, 5_000, "我帮您查"), twice[1].clone()];
    assert_eq!(last(&remedied), None);
}

/// Its cost is that of a few neighbours, not of the call.
#[test]
fn a_remedy_is_looked_for_among_the_next_utterances_only() {
    let rules = rules("forbid: { any: [不知道], unless: { then: { phrase: $remedy, within: 50s } } }").unwrap();
    let outcome = |between: usize| {
        let mut lines = vec![said(Agent, "a", 1_000, 2_000, "我不知道")];
        let small_talk = (0..between).map(|n| {
            let at = 2_100 + 100 * n as i64;
            said(Customer, &format!("b{n:02}"), at, at + 50, "我说了好几遍了")
        });
        lines.extend(small_talk);
        lines.push(said(Agent, "z", 10_000, 11_000, "我帮您查"));
        let mut call = Call::new(Arc::clone(&rules), info(None));
        for (now, input) in arrivals(&lines) {
            call.handle(now, input);
        }
        call.finish();
        std::iter::from_fn(|| call.poll_output()).last().map(|alert| alert.state)
    };
    assert_eq!(outcome(15), Some(Retracted));
    assert_eq!(outcome(16), Some(Confirmed));
}

#[test]
fn a_remedy_needs_a_time_and_an_act_of_the_same_speaker() {
    let faults = |then: &str| {
        let faults = rules(&format!("forbid: {{ any: [不知道], unless: {{ then: {then} }} }}")).unwrap_err();
        faults.iter().map(|fault| fault.code).collect::<Vec<_>>()
    };
    assert_eq!(faults("{ phrase: 我帮您查 }"), ["missing-key"]);
    assert_eq!(faults("{ within: 8s }"), ["missing-choice"]);
    assert_eq!(faults("{ phrase: 我帮您查, act: route, within: 8s }").len(), 1);
    assert_eq!(faults("{ act: customer-complain, within: 8s }"), ["act-of-another"]);
    assert_eq!(faults("{ act: promise-to-chekc, within: 8s }"), ["unknown-act"]);
    assert_eq!(faults("{ phrase: 我帮您查, within: 8 }").len(), 1);
}

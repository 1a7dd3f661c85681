//! How a call stands: what goes on, and the checklist, held to the alerts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::oracle::generate::{Pack, Recording, Telling, delays, pack, recording, requirements, tellings};
use crate::oracle::play::{compiled, drain, fold, play};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseError};
use tingjian::adapter::native::{self, EventBody};
use tingjian::engine::alert::{Alert, AlertState};
use tingjian::engine::call::Call;
use tingjian::engine::rule::parse::SourceFile;
use tingjian::engine::rule::{self, RuleSet};
use tingjian::engine::severity::AlertKind;
use tingjian::engine::status::{DutyState, Phase};
use tingjian::engine::time::CallTime;
use tingjian::engine::transcript::{CallInfo, Input, Party, Role, Utterance};

/// What is missed by the checklist, and what by the alerts of the rules that it is of.
fn missed(call: &Call, alerts: &[Alert]) -> [BTreeSet<(String, i64)>; 2] {
    let duties = call.duties(CallTime::ANSWERED, |_| true);
    let listed = duties.iter().filter(|duty| duty.state == DutyState::Missed);
    let listed = listed.map(|duty| (duty.rule.id.clone(), duty.due.map_or(i64::MIN, |due| due.0))).collect();
    let confirmed = fold(alerts).into_values().filter(|alert| alert.state == AlertState::Confirmed);
    // Steps left out of a sequence are missing, too.
    let required = confirmed.filter(|alert| alert.kind == AlertKind::Missing);
    [listed, required.map(|alert| (alert.rule.id.clone(), alert.at.0)).collect()]
}

/// A call, how it is told, how late its events come, and how far ahead somebody asks how it stands.
type Asked = (Recording, Vec<Telling>, Vec<i64>, Vec<i64>);

fn asked() -> impl Strategy<Value = Vec<Asked>> {
    vec((recording(true), tellings(), delays(), vec(0_i64..4_000, 1..8)), 1..8)
}

/// Whoever asks, at whatever times, is told in the end what the alerts say, and changes none of them.
fn agrees(pack: &Pack, calls: &[Asked]) -> Result<(), TestCaseError> {
    let rules = compiled(&pack.0);
    let plain: BTreeSet<String> =
        pack.0.rules.iter().filter(|rule| rule.when.is_none()).map(|rule| rule.id.value.clone()).collect();
    for (recording, tellings, delays, ahead) in calls {
        let arrivals = recording.told(tellings, delays);
        let mut call = Call::new(Arc::clone(&rules), recording.info.clone());
        let mut alerts = drain(&mut call);
        for ((now, input), ahead) in arrivals.iter().zip(ahead.iter().cycle()) {
            call.handle(*now, input.clone());
            alerts.extend(drain(&mut call));
            let later = now.plus(*ahead);
            let duties = call.duties(later, |_| true);
            let status = call.status(later);
            for duty in &duties {
                let is_all_said = duty.parts.iter().all(|part| part.said.is_some() || part.is_optional);
                prop_assert!(duty.state != DutyState::Said || is_all_said, "{duty:?}");
                prop_assert!(!duty.is_overdue || duty.due.is_some_and(|due| due < later), "{duty:?}");
                prop_assert!(duty.changes_at.is_none_or(|at| at > later), "{later} {duty:?}");
            }
            prop_assert!(status.since <= later && status.silence_ms >= 0 && status.hold_ms >= 0, "{status:?}");
            prop_assert!(status.changes_at.is_none_or(|at| at > later), "{later} {status:?}");
            // Nothing looks different before the moment that was told. (What a
            // precondition makes of the hour comes with the next news.)
            let is_plain = |rule: &rule::Rule| plain.contains(&rule.id);
            let shown = |at| -> Vec<String> {
                let listed = call.duties(at, is_plain).into_iter();
                listed
                    .map(|duty| format!("{:?}", (&duty.rule.id, duty.parts, duty.due, duty.state, duty.is_overdue)))
                    .collect()
            };
            let changes = call.duties(later, is_plain).iter().filter_map(|duty| duty.changes_at).min();
            prop_assert_eq!(shown(later), shown(changes.unwrap_or(later.plus(60_000)).plus(-1).max(later)));
        }
        call.finish();
        alerts.extend(drain(&mut call));
        let asked: Vec<_> = alerts.iter().map(|alert| (&alert.alert_id, alert.state, alert.emitted)).collect();
        let unasked = play(&rules, &recording.info, &arrivals);
        let unasked: Vec<_> = unasked.iter().map(|alert| (&alert.alert_id, alert.state, alert.emitted)).collect();
        prop_assert_eq!(asked, unasked);
        let [listed, confirmed] = missed(&call, &alerts);
        prop_assert_eq!(listed, confirmed);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, rng_seed: RngSeed::Fixed(2026), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_checklist_agrees_with_the_alerts(pack in pack(), calls in asked()) {
        agrees(&pack, &calls)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, rng_seed: RngSeed::Fixed(12), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_checklist_of_limited_requirements_agrees_with_the_alerts(pack in requirements(), calls in asked()) {
        agrees(&pack, &calls)?;
    }
}

/// What is owed at an unknown time is on the list from the beginning: a cooldown does not let it come by time alone.
#[test]
fn a_cooldown_does_not_hide_what_is_due_at_an_unknown_time() {
    let at = CallTime;
    let transfer = |ms| Input::Transfer { at: at(ms), to: None };
    // A hold stops the time of the second occasion.
    for (after, course) in [
        ("hold", [Input::Hold { at: at(0) }, Input::Resume { at: at(5_000) }, Input::Hold { at: at(19_000) }]),
        ("transfer", [transfer(0), Input::Hold { at: at(7_500) }, transfer(8_000)]),
    ] {
        let text = format!(
            "pack: p\ntitle: t\nrules:\n  - id: p.a\n    name: 甲\n    message: 话\n    limit: {{ cooldown: 15s }}\n    \
             require: {{ any: [山水花], after: {after}, within: 1s }}\n"
        );
        let rules = rule::load(&[SourceFile { name: "t.yaml".to_owned(), text }], "v1".to_owned()).unwrap().rules;
        let mut call = Call::new(rules, info());
        for input in course {
            call.handle(input.said_at(), input);
            drain(&mut call);
        }
        let listed = |now| call.duties(at(now), |_| true).iter().map(|duty| (duty.due, duty.state)).collect::<Vec<_>>();
        assert_eq!(listed(19_500), listed(60_000), "{after}");
        assert_eq!(listed(19_500).last(), Some(&(None, DutyState::Owed)), "{after}");
    }
}

/// The rules that are delivered.
fn delivered() -> Arc<RuleSet> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "model"));
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let file = |path: &std::path::PathBuf| SourceFile { name: name(path), text: fs::read_to_string(path).unwrap() };
    let files: Vec<SourceFile> = paths.iter().map(file).collect();
    rule::load(&files, "v1".to_owned()).unwrap_or_else(|faults| panic!("{faults:?}")).rules
}

#[test]
fn the_checklists_of_the_recorded_calls_agree_with_their_alerts() {
    let rules = delivered();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/calls");
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        !path.to_string_lossy().ends_with(".expected.jsonl") && path.to_string_lossy().ends_with(".jsonl")
    });
    let (mut all_listed, mut all_said) = (0, 0);
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let mut call: Option<Call> = None;
        let mut alerts = Vec::new();
        let mut now = CallTime::ANSWERED;
        for line in text.lines() {
            match native::parse(line).unwrap().body {
                EventBody::Start(info) => call = Some(Call::new(Arc::clone(&rules), *info)),
                EventBody::Input(input) => {
                    let call = call.as_mut().unwrap();
                    now = now.max(input.said_at());
                    call.handle(now, input);
                    alerts.extend(drain(call));
                }
            }
        }
        let mut call = call.unwrap();
        call.finish();
        alerts.extend(drain(&mut call));
        let [listed, confirmed] = missed(&call, &alerts);
        assert_eq!(listed, confirmed, "{}", path.display());
        all_listed += listed.len();
        all_said += call.duties(now, |_| true).iter().filter(|duty| duty.state == DutyState::Said).count();
    }
    assert!(all_listed > 3 && all_said > 10, "the recordings miss {all_listed} and say {all_said}");
}

fn info() -> CallInfo {
    let start = r#"{"type":"call.start","call_id":"c1","agent_id":"a1","started_at":"2026-11-21T10:00:00+08:00"}"#;
    let EventBody::Start(info) = native::parse(start).unwrap().body else { panic!("no start") };
    *info
}

fn says(role: Role, start: i64, end: i64, chars: usize) -> Input {
    Input::Utterance(Utterance {
        utterance_id: format!("u{start}"),
        role,
        text: "好".repeat(chars),
        start: CallTime(start),
        end: CallTime(end),
        is_final: true,
        confidence: None,
        volume_db: None,
        pitch_hz: None,
        agent_id: None,
    })
}

#[test]
fn what_goes_on_in_a_call() {
    use Phase::{Ended, Hold, Silent, Talking};
    use Role::{Agent, Customer, System};
    let at = CallTime;
    // What comes next, when it is asked, and what goes on, since when, who speaks, for how long nobody did, and holds.
    type Expected = (Phase, i64, Option<Role>, i64, i64);
    let course: [(Option<Input>, i64, Expected); 14] = [
        (None, 0, (Silent, 0, None, 0, 0)),
        (None, 4_000, (Silent, 0, None, 4_000, 0)),
        (Some(says(System, 4_000, 5_000, 2)), 5_500, (Talking, 4_000, None, 500, 0)),
        (Some(says(Customer, 7_000, 8_000, 2)), 8_000, (Talking, 4_000, Some(Customer), 0, 0)),
        (Some(says(Agent, 10_999, 12_000, 2)), 12_000, (Talking, 4_000, Some(Agent), 0, 0)),
        (None, 14_999, (Talking, 4_000, Some(Agent), 2_999, 0)),
        (None, 15_000, (Silent, 12_000, None, 3_000, 0)),
        (Some(says(Customer, 15_500, 16_000, 2)), 16_000, (Talking, 15_500, Some(Customer), 0, 0)),
        (Some(Input::Hold { at: at(17_000) }), 30_000, (Hold, 17_000, None, 1_000, 13_000)),
        (Some(Input::Resume { at: at(40_000) }), 41_000, (Talking, 40_000, Some(Customer), 2_000, 23_000)),
        (None, 42_500, (Silent, 40_000, None, 3_500, 23_000)),
        (Some(says(Agent, 43_000, 44_000, 2)), 44_000, (Talking, 43_000, Some(Agent), 0, 23_000)),
        (Some(Input::End { at: at(50_000), by: Party::Customer }), 50_000, (Ended, 50_000, None, 6_000, 23_000)),
        (None, 90_000, (Ended, 50_000, None, 6_000, 23_000)),
    ];
    let mut call = Call::new(Arc::new(RuleSet::empty()), info());
    for (input, now, expected) in course {
        if let Some(input) = input {
            call.handle(input.said_at(), input);
        }
        let status = call.status(at(now));
        let found = (status.phase, status.since.0, status.speaker, status.silence_ms, status.hold_ms);
        assert_eq!(found, expected, "at {now}");
        if let Some(changes_at) = status.changes_at {
            assert_eq!(call.status(changes_at.plus(-1)).phase, Talking);
            assert_eq!(call.status(changes_at).phase, Silent);
        }
    }
}

#[test]
fn the_agent_s_speech_rate_is_that_of_the_last_half_minute() {
    let mut call = Call::new(Arc::new(RuleSet::empty()), info());
    let mut rate = |input: Input| {
        call.handle(input.said_at(), input);
        call.status(CallTime::ANSWERED).speech_rate
    };
    assert_eq!(rate(says(Role::Agent, 0, 4_000, 20)), None, "too little");
    assert_eq!(rate(says(Role::Customer, 4_000, 10_000, 80)), None, "not the agent's");
    assert_eq!(rate(says(Role::Agent, 10_000, 16_000, 30)), Some(300));
    // Those words are more than half a minute ago by now.
    assert_eq!(rate(says(Role::Agent, 40_000, 46_000, 20)), Some(200));
}

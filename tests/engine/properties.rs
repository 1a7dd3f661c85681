//! What must hold for any rules and any call.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::oracle::generate::{Recording, delays, pack, punctual, recording, tellings};
use crate::oracle::play::{compiled, drain, fold, play, standing};
use crate::oracle::{Verdict, judge};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tingjian::adapter::alert_json::AlertJson;
use tingjian::engine::alert::{Alert, AlertState, Evidence};
use tingjian::engine::call::Call;
use tingjian::engine::rule::RuleSet;
use tingjian::engine::rule::syntax::{Body, Extent, Limit, PackSource, Window};
use tingjian::engine::severity::AlertKind;
use tingjian::engine::text::fold as fold_text;
use tingjian::engine::time::CallTime;
use tingjian::engine::transcript::Input;

/// So many cases, always the same; `PROPTEST_CASES` and `PROPTEST_RNG_SEED` explore further.
fn cases(cases: u32) -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(2026);
    }
    // What was found stands in `regressions.rs`, in words.
    config.failure_persistence = None;
    config
}

proptest! {
    #![proptest_config(cases(120))]

    /// The engine, told the finals as they are learnt, comes to what a naive reading of the rules comes to.
    #[test]
    fn the_oracle_agrees(pack in pack(), recordings in vec(recording(false), 1..12)) {
        let rules = compiled(&pack.0);
        for recording in &recordings {
            oracle_agrees(&rules, &pack.0, recording)?;
        }
    }
}

fn oracle_agrees(rules: &Arc<RuleSet>, pack: &PackSource, recording: &Recording) -> Result<(), TestCaseError> {
    let alerts = play(rules, &recording.info, &recording.arrivals());
    let expected = judge(pack, &recording.info, &recording.finals, &recording.events);
    let with = |wanted: fn(&Verdict) -> bool| -> Vec<(String, i64)> {
        expected.iter().filter(|o| wanted(&o.verdict)).map(|o| (o.rule.clone(), o.at)).collect()
    };

    let violated = with(|verdict| matches!(verdict, Verdict::Violated));
    prop_assert_eq!(standing(&alerts, AlertState::Confirmed), violated);

    let resolved = standing(&alerts, AlertState::Resolved);
    let may = with(|verdict| !matches!(verdict, Verdict::Violated));
    // A hold after the words were said moves a deadline that nobody waits for any more.
    let holds = recording.events.iter().any(|event| matches!(event, Input::Hold { .. }));
    let but_for_holds = |all: &[(String, i64)]| -> Vec<(String, i64)> {
        all.iter().map(|(rule, at)| (rule.clone(), if holds { 0 } else { *at })).collect()
    };
    let in_time = contains(&but_for_holds(&may), &but_for_holds(&resolved));
    prop_assert!(in_time, "resolved {resolved:?}, yet only {may:?} were made good");
    let must = with(|verdict| match verdict {
        Verdict::Violated => false,
        Verdict::MadeGood { surely_told: told } | Verdict::Met { surely_reminded: told } => *told,
    });
    prop_assert!(contains(&resolved, &must), "resolved {resolved:?}, yet all of {must:?} were made good");

    for open in [AlertState::Provisional, AlertState::Reminder] {
        prop_assert_eq!(standing(&alerts, open), vec![], "nothing stays {:?} when a call is over", open);
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(80))]

    /// However the words came to be known, they come to what the finals alone come to.
    #[test]
    fn streaming_is_batch(
        pack in pack(),
        calls in vec((recording(true), tellings(), delays()), 1..12),
    ) {
        let rules = compiled(&pack.0);
        for (recording, tellings, delays) in &calls {
            let batch = play(&rules, &recording.info, &recording.arrivals());
            let streamed = play(&rules, &recording.info, &recording.told(tellings, delays));
            prop_assert_eq!(confirmed(&streamed), confirmed(&batch));
        }
    }

    /// The life of every alert makes sense, however the words came to be known.
    #[test]
    fn alerts_live_sensibly(
        pack in pack(),
        calls in vec((recording(true), tellings(), delays()), 1..12),
    ) {
        let rules = compiled(&pack.0);
        for (recording, tellings, delays) in &calls {
            let alerts = play(&rules, &recording.info, &recording.told(tellings, delays));
            lives_sensibly(&alerts)?;
            evidence_is_what_was_said(&alerts)?;
        }
    }

    /// A tick before anything is due, or again, says nothing and changes nothing later;
    /// a tick in time says what the next input would have brought out.
    #[test]
    fn spurious_ticks_change_nothing(
        pack in pack(),
        calls in vec((recording(true), tellings(), delays(), vec(0_i64..4_000, 1..8)), 1..8),
    ) {
        let rules = compiled(&pack.0);
        for (recording, tellings, delays, steps) in &calls {
            let arrivals = recording.told(tellings, delays);
            let quiet = play(&rules, &recording.info, &arrivals);
            let mut call = Call::new(Arc::clone(&rules), recording.info.clone());
            let mut ticked = drain(&mut call);
            let mut now = CallTime::ANSWERED;
            let mut steps = steps.iter().cycle();
            for (arrival, input) in &arrivals {
                for step in steps.by_ref().take(6) {
                    let due = call.poll_timeout();
                    now = now.plus(*step);
                    if now > *arrival {
                        now = *arrival;
                        break;
                    }
                    call.handle_timeout(now);
                    let said = drain(&mut call);
                    prop_assert!(said.is_empty() || due.is_some_and(|due| due <= now), "spoke before it was due");
                    ticked.extend(said);
                    call.handle_timeout(now);
                    prop_assert!(call.poll_output().is_none(), "spoke when ticked again");
                    prop_assert!(call.poll_timeout().is_none_or(|due| due > now), "still due");
                }
                call.handle(*arrival, input.clone());
                ticked.extend(drain(&mut call));
            }
            call.finish();
            ticked.extend(drain(&mut call));
            prop_assert_eq!(written(&ticked, recording), written(&quiet, recording));
        }
    }

    /// The same inputs at the same times give the same outputs, byte for byte, on rules compiled anew.
    #[test]
    fn a_replay_is_identical(
        pack in pack(),
        calls in vec((recording(false), tellings(), delays()), 1..6),
    ) {
        let (once, again) = (compiled(&pack.0), compiled(&pack.0));
        for (recording, tellings, delays) in &calls {
            let arrivals = recording.told(tellings, delays);
            let first = play(&once, &recording.info, &arrivals);
            let second = play(&again, &recording.info, &arrivals);
            prop_assert_eq!(written(&first, recording), written(&second, recording));
        }
    }

    /// Evidence points at the text as it came, whatever the recogniser wrote into it.
    #[test]
    fn evidence_survives_what_folding_drops(
        pack in pack(),
        calls in vec((recording(true), tellings(), vec(0_usize..40, 8..30)), 1..12),
    ) {
        let rules = compiled(&pack.0);
        for (recording, tellings, noise) in &calls {
            let mut recording = recording.clone();
            let mut noise = noise.iter().cycle();
            for line in &mut recording.finals {
                line.text = line.text.chars().map(|c| noisy(c, *noise.next().unwrap_or(&0))).collect();
            }
            let alerts = play(&rules, &recording.info, &recording.told(tellings, &[0]));
            evidence_is_what_was_said(&alerts)?;
        }
    }

    /// Nothing that comes in makes the engine panic, run on for ever or contradict itself.
    #[test]
    fn any_bytes_make_a_call(data in vec(any::<u8>(), 0..400)) {
        crate::bodies::call(&data);
    }

    /// Nobody is told that something is missing which then arrives within the grace.
    #[test]
    fn within_the_grace_no_verdict_is_taken_back(
        mut pack in pack(),
        calls in vec((recording(true), punctual(900), punctual(900), vec(0_i64..900, 1..4)), 1..12),
    ) {
        // An utterance lasts four seconds at most, and its first words are as late as its end.
        for rule in &mut pack.0.rules {
            rule.grace_ms = 5_000;
            rule.when = None;
            rule.limit = Limit::Each;
        }
        let rules = compiled(&pack.0);
        for (recording, one, other, delays) in &calls {
            let one = play(&rules, &recording.info, &recording.told(one, delays));
            let other = play(&rules, &recording.info, &recording.told(other, &[0]));
            prop_assert_eq!(confirmed(&one), confirmed(&other));
            for alerts in [&one, &other] {
                let taken_back = fold(alerts).into_values().find(|alert| {
                    alert.state == AlertState::Retracted && waits_for_its_deadline(&pack.0, alert)
                        && alerts.iter().any(|a| a.alert_id == alert.alert_id && a.state == AlertState::Confirmed)
                });
                prop_assert!(taken_back.is_none(), "told too early: {taken_back:?}");
            }
        }
    }
}

/// A character as a recogniser may write it: in traditional script, after a filler or a space, doubled.
fn noisy(c: char, noise: usize) -> String {
    let traditional = match c {
        '鸟' => '鳥',
        '鱼' => '魚',
        '虫' => '蟲',
        '风' => '風',
        '松' => '鬆',
        other => other,
    };
    match noise {
        0..8 => traditional.to_string(),
        8 => format!("嗯{c}"),
        9 => format!("{c}，"),
        10 => format!("_{c}"),
        11 => format!(" {c}"),
        12 => format!("那个，{c}"),
        13 => format!("{c}\u{200b}"),
        14 => format!("😊{c}"),
        _ => c.to_string(),
    }
}

/// Whether the alert is of a requirement whose window is measured on the clock, from an event or from words.
fn waits_for_its_deadline(pack: &PackSource, alert: &Alert) -> bool {
    let rule = pack.rules.iter().find(|rule| rule.id.value == alert.rule.id);
    rule.is_some_and(|rule| match &rule.body.value {
        Body::Require(require) => {
            matches!(&require.window, Window::First(Extent::Ms(_)) | Window::After(_, Extent::Ms(_)))
        }
        _ => false,
    })
}

/// What stands against the agent in the end: confirmed and not taken back.
fn confirmed(alerts: &[Alert]) -> BTreeMap<&str, (&str, CallTime, AlertKind, &[Evidence])> {
    fold(alerts)
        .into_iter()
        .filter(|(_, alert)| alert.state == AlertState::Confirmed)
        .map(|(id, alert)| (id, (alert.rule.id.as_str(), alert.at, alert.kind, alert.evidence.as_slice())))
        .collect()
}

/// The alerts as they go out.
fn written(alerts: &[Alert], recording: &Recording) -> Vec<String> {
    alerts.iter().map(|alert| AlertJson::new(alert, &recording.info, "test").to_json()).collect()
}

fn lives_sensibly(alerts: &[Alert]) -> Result<(), TestCaseError> {
    use AlertState::{Confirmed, Provisional, Reminder, Resolved, Retracted};
    let mut known: BTreeMap<&str, &Alert> = BTreeMap::new();
    let mut clock = CallTime::ANSWERED;
    for alert in alerts {
        prop_assert!(clock <= alert.emitted, "the clock ran backwards: {alert:?}");
        clock = alert.emitted;
        let before = known.insert(&alert.alert_id, alert);
        let states = (before.map_or(Retracted, |before| before.state), alert.state);
        let sensible = match states {
            (Provisional, Provisional) | (Reminder, Reminder) => false,
            (_, Provisional | Confirmed | Reminder) => true,
            (Provisional | Confirmed | Reminder, Retracted) => true,
            (Confirmed | Reminder, Resolved) => true,
            (Retracted | Resolved, Retracted) | (Provisional | Resolved | Retracted, Resolved) => false,
        };
        prop_assert!(sensible, "{states:?} of {alert:?}");
        if let Some(before) = before {
            prop_assert_eq!(&before.rule.id, &alert.rule.id, "one id for two rules");
            let same = (before.state, before.at, &before.evidence) == (alert.state, alert.at, &alert.evidence);
            prop_assert!(!same, "said twice: {alert:?}");
        }
    }
    Ok(())
}

/// What a piece of evidence marks, or two pieces where it goes on in the next utterance, folds to the phrase.
fn evidence_is_what_was_said(alerts: &[Alert]) -> Result<(), TestCaseError> {
    for alert in alerts {
        let mut marked = String::new();
        for evidence in &alert.evidence {
            let length = evidence.text.chars().count();
            prop_assert!(evidence.start <= evidence.end && evidence.end <= length, "out of the text: {evidence:?}");
            if evidence.phrase.is_empty() {
                prop_assert_eq!((evidence.start, evidence.end), (0, length), "the whole utterance is meant");
                continue;
            }
            marked.extend(evidence.text.chars().take(evidence.end).skip(evidence.start));
            let (said, phrase) = (folded(&marked), folded(&evidence.phrase));
            prop_assert!(phrase.starts_with(&said), "{marked} is not {}: {alert:?}", evidence.phrase);
            if said == phrase {
                marked.clear();
            }
        }
        prop_assert!(marked.is_empty(), "{marked} is not all of a phrase: {alert:?}");
    }
    Ok(())
}

fn folded(text: &str) -> String {
    fold_text(text).chars().iter().collect()
}

/// Whether everything in `few` is in `many`, as often.
fn contains(many: &[(String, i64)], few: &[(String, i64)]) -> bool {
    let count = |all: &[(String, i64)], one| all.iter().filter(|other| *other == one).count();
    few.iter().all(|one| count(few, one) <= count(many, one))
}

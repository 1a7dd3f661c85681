//! Tests of forgetting and trimming: what goes, and what stays.

use crate::server::domain::principal::Who;
use crate::server::domain::review::{Action, Impossible, Step};
use crate::server::store::forget::{FORGET_CALLS, Forgotten, Horizon};
use crate::server::store::writer::*;
use crate::server::store::{AlertFilter, AuditFilter, LoadRow, NewFeedback, Store, Target, Untaken};
use crate::server::verify_audit;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

fn call(call_no: i64) -> Record {
    Record::Call(Box::new(CallRow {
        call_no,
        call_id: format!("c{call_no}"),
        agent_id: "a1".to_owned(),
        queue: None,
        started_at: "2026-11-21T10:00:00+08:00".to_owned(),
        // Whatever a producer claims.
        started_ms: 0,
        rules_version: "v1".to_owned(),
        numbers: None,
        start: "{}".into(),
    }))
}

fn said(call_no: i64) -> Record {
    Record::Moved { call_no, now: CallTime(1), entry: Entry::Event("{}".into()), is_kept: true }
}

fn alert(call_no: i64) -> Record {
    let row = AlertRow {
        call_no,
        alert_id: format!("alert-{call_no}"),
        agent_id: "a1".to_owned(),
        rule_id: "r".to_owned(),
        pack: "p".to_owned(),
        severity: Severity::Warning,
        deduct: 1,
        state: AlertState::Confirmed,
        said_ms: 0,
        display: Display::Card,
        json: "{}".into(),
        webhooks: Vec::new(),
        made_ms: 0,
    };
    Record::Alert { row: Box::new(row), cursor: None, tell: () }
}

fn closed(call_no: i64, closed_ms: i64) -> Record {
    Record::Closed(Box::new(ClosedRow { call_no, reason: "ended", closed_ms, numbers: None, end: None }))
}

#[test]
fn words_go_first_then_alerts_and_calls_in_progress_stay() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), &crate::server::config::Privacy::default()).unwrap();
    let mut writer = store.writer().unwrap();
    // More than one step of them, and one in progress.
    let old = 1..=FORGET_CALLS * 2;
    let mut records: Vec<Record> = old.clone().flat_map(|no| [call(no), said(no), alert(no), closed(no, no)]).collect();
    let recent = FORGET_CALLS * 2 + 1;
    records.extend([call(recent), said(recent), alert(recent), closed(recent, 50 * DAY_MS)]);
    records.extend([call(recent + 1), said(recent + 1), alert(recent + 1)]);
    writer.commit(&mut records).unwrap();
    let mut forget = |transcripts_ms, alerts_ms| {
        let mut total = Forgotten::default();
        loop {
            let gone = writer.forget(Horizon { transcripts_ms, alerts_ms, outbox_ms: 0 }).unwrap();
            if gone == Forgotten::default() {
                return total;
            }
            total.events += gone.events;
            total.alerts += gone.alerts;
        }
    };
    let count = usize::try_from(FORGET_CALLS * 2).unwrap();
    let words = forget(40 * DAY_MS, 0);
    assert_eq!((words.events, words.alerts), (count, 0));
    let alerts = forget(40 * DAY_MS, 40 * DAY_MS);
    assert_eq!((alerts.events, alerts.alerts), (0, count));
    let cards = store.readers().cards_after("a1", 0, 1_000).unwrap();
    assert_eq!(cards.len(), 2);
    assert_eq!(store.readers().count_alerts(&AlertFilter::default()).unwrap().0, 2);
    let last = forget(60 * DAY_MS, 60 * DAY_MS);
    assert_eq!((last.events, last.alerts), (1, 1));
    assert_eq!(store.readers().open_calls().unwrap().len(), 1);
}

#[test]
fn the_journal_is_trimmed_up_to_the_first_call_that_needs_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), &crate::server::config::Privacy::default()).unwrap();
    let mut writer = store.writer().unwrap();
    let rows = || {
        let mut rows = Vec::new();
        store.readers().replay(|call_no, _, _| rows.push(call_no)).unwrap();
        rows
    };
    writer.commit(&mut [call(1), said(1), call(2), said(2), said(1)]).unwrap();
    writer.commit(&mut [closed(2, 1)]).unwrap();
    writer.commit(&mut [said(1)]).unwrap();
    assert_eq!(rows(), [1, 2, 1, 1], "the first call needs all of it");
    writer.commit(&mut [call(3), said(3), closed(1, 1)]).unwrap();
    writer.commit(&mut [said(3)]).unwrap();
    assert_eq!(rows(), [3, 3]);
    drop(writer);
    let mut writer = store.writer().unwrap();
    writer.commit(&mut [closed(3, 1)]).unwrap();
    writer.commit(&mut [] as &mut [Record]).unwrap();
    assert_eq!(rows(), [0_i64; 0]);
}

fn who(name: &str) -> Who {
    Who { name: name.to_owned(), role: "qa" }
}

fn step(action: Action, by: &str, at_ms: i64) -> Step {
    Step { action, by: by.to_owned(), role: "qa".to_owned(), reason: Some("因为".to_owned()), at_ms }
}

fn target(call_no: i64) -> Target {
    Target { alert_id: format!("alert-{call_no}"), call_id: None, started_ms: None, agent_id: None, steps_seen: None }
}

/// Reviews go with their alerts, the audit stays and tells of a round once.
#[test]
fn reviews_go_with_their_alerts_and_the_audit_stays() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), &crate::server::config::Privacy::default()).unwrap();
    let mut writer = store.writer().unwrap();
    let ends = [(1, 1), (2, 50 * DAY_MS)];
    let mut records: Vec<Record> = ends.iter().flat_map(|&(no, at)| [call(no), alert(no), closed(no, at)]).collect();
    writer.commit(&mut records).unwrap();
    for (no, _) in ends {
        writer.review(&target(no), &step(Action::Dismiss, "李静", 7), &who("李静"), DAY_MS).unwrap().unwrap();
        let feedback = NewFeedback {
            agent_id: "a1".to_owned(),
            alert_id: format!("alert-{no}"),
            action: "seen",
            reason: None,
            given_ms: 7,
            by: Some("a1".to_owned()),
        };
        assert!(writer.keep_feedback(&feedback).unwrap());
    }
    // Versions that a call names, and the one in use, stay however old they are.
    for version in ["unused", "v1", "current"] {
        let row = LoadRow {
            version: version.to_owned(),
            files: "[]".to_owned(),
            loaded_ms: 1,
            who: who("赵敏"),
            trigger: "request",
        };
        writer.load_rules(&row).unwrap();
    }
    let horizon = Horizon { transcripts_ms: 0, alerts_ms: 40 * DAY_MS, outbox_ms: 0 };
    let gone = writer.forget(horizon).unwrap();
    assert_eq!((gone.reviews, gone.alerts, gone.rule_versions), (1, 1, 1));
    // A crash here, and the next round tells what this one did.
    drop(writer);
    let mut writer = store.writer().unwrap();
    assert_eq!(writer.forget(horizon).unwrap(), Forgotten::default());
    for _ in 0..2 {
        writer.tell_forgotten(horizon, 9).unwrap();
    }
    let readers = store.readers();
    let entries = readers.audit_entries(&AuditFilter::default(), None, 10).unwrap();
    let actions: Vec<&str> = entries.iter().rev().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["dismiss", "dismiss", "reload", "reload", "reload", "forget"]);
    let told = &entries[0].detail;
    assert_eq!((&told["reviews"], &told["alerts"], &told["rule_versions"]), (&1.into(), &1.into(), &1.into()));
    let count = |table: &str| -> i64 {
        let question = format!("SELECT count(*) FROM {table}");
        readers.ask(|connection| Ok(connection.query_row(&question, [], |row| row.get(0))?)).unwrap()
    };
    assert_eq!((count("reviews"), count("feedback"), count("rule_versions")), (1, 1, 2));
    drop(writer);
    drop(store);
    let verified = verify_audit(directory.path(), None).unwrap();
    assert_eq!((verified.entries, verified.faults), (6, Vec::new()));
}

/// The days for an appeal begin when the call is closed, and anew when it is reviewed.
#[test]
fn an_appeal_is_in_time_or_too_late() {
    const APPEAL_MS: i64 = 7 * DAY_MS;
    // Closed, reviewed, appealed; whether in time.
    for (closed_ms, reviewed_ms, at_ms, in_time) in [
        (None, None, 100 * DAY_MS, true),
        (Some(0), None, APPEAL_MS - 1, true),
        (Some(0), None, APPEAL_MS, false),
        (Some(0), Some(3 * DAY_MS), APPEAL_MS, true),
        (Some(0), Some(3 * DAY_MS), 3 * DAY_MS + APPEAL_MS, false),
        // Reviewed while the call was in progress.
        (Some(5 * DAY_MS), Some(3 * DAY_MS), 5 * DAY_MS + APPEAL_MS - 1, true),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut writer =
            Store::open(directory.path(), &crate::server::config::Privacy::default()).unwrap().writer().unwrap();
        writer.commit([call(1), alert(1)].iter_mut().chain(&mut closed_ms.map(|at| closed(1, at)))).unwrap();
        if let Some(at_ms) = reviewed_ms {
            let step = step(Action::Confirm, "李静", at_ms);
            writer.review(&target(1), &step, &who("李静"), APPEAL_MS).unwrap().unwrap();
        }
        let taken = writer.review(&target(1), &step(Action::Appeal, "a1", at_ms), &who("a1"), APPEAL_MS).unwrap();
        let expected = if in_time { None } else { Some(Untaken::Impossible(Impossible::TooLate)) };
        assert_eq!(taken.err(), expected, "{closed_ms:?} {reviewed_ms:?} {at_ms}");
    }
}

//! What is forgotten and trimmed, and what is not.

use super::super::forget::{FORGET_CALLS, Forgotten, Horizon};
use super::super::{AlertFilter, Store};
use super::*;

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
        seq: None,
        start: "{}".into(),
    }))
}

fn said(call_no: i64) -> Record {
    Record::Event { call_no, now: CallTime(1), json: "{}".into(), is_kept: true }
}

fn alert(call_no: i64) -> Record {
    Record::Alert(Box::new(AlertRow {
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
        json: "{}".to_owned(),
        webhooks: Vec::new(),
        made_ms: 0,
    }))
}

fn closed(call_no: i64, closed_ms: i64) -> Record {
    Record::Closed(Box::new(ClosedRow { call_no, reason: "ended", closed_ms, last_seq: None, end: None }))
}

#[test]
fn words_go_first_then_alerts_and_calls_in_progress_stay() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let mut writer = store.writer().unwrap();
    // More than one step of them, and one in progress.
    let old = 1..=FORGET_CALLS * 2;
    let mut records: Vec<Record> = old.clone().flat_map(|no| [call(no), said(no), alert(no), closed(no, no)]).collect();
    let recent = FORGET_CALLS * 2 + 1;
    records.extend([call(recent), said(recent), alert(recent), closed(recent, 50 * DAY_MS)]);
    records.extend([call(recent + 1), said(recent + 1), alert(recent + 1)]);
    writer.commit(records.iter()).unwrap();
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
    let store = Store::open(directory.path()).unwrap();
    let mut writer = store.writer().unwrap();
    let rows = || {
        let mut rows = Vec::new();
        store.readers().replay(|call_no, _, _| rows.push(call_no)).unwrap();
        rows
    };
    writer.commit([call(1), said(1), call(2), said(2), said(1)].iter()).unwrap();
    writer.commit([closed(2, 1)].iter()).unwrap();
    writer.commit([said(1)].iter()).unwrap();
    assert_eq!(rows(), [1, 2, 1, 1], "the first call needs all of it");
    writer.commit([call(3), said(3), closed(1, 1)].iter()).unwrap();
    writer.commit([said(3)].iter()).unwrap();
    assert_eq!(rows(), [3, 3]);
    drop(writer);
    let mut writer = store.writer().unwrap();
    writer.commit([closed(3, 1)].iter()).unwrap();
    writer.commit(std::iter::empty()).unwrap();
    assert_eq!(rows(), [0_i64; 0]);
}

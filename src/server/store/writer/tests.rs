//! Tests of trimming the journal.

use crate::server::store::Store;
use crate::server::store::writer::*;

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

fn closed(call_no: i64, closed_ms: i64) -> Record {
    Record::Closed(Box::new(ClosedRow {
        call_no,
        reason: crate::server::domain::terms::CloseReason::Ended,
        closed_ms,
        numbers: None,
        end: None,
        duties: Vec::new(),
    }))
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

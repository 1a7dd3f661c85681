//! The contract of a store, told through its named methods alone. A clause is a function over a
//! [`Kind`] of store; `contract_tests!` makes a test of every clause for each kind.
//!
//! Deliberately absent: what only one kind has (files, query plans, how its tables are trimmed); such
//! tests stand beside its code.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use crate::engine::alert::AlertState;
use crate::engine::severity::Severity;
use crate::engine::text::Homophone;
use crate::engine::time::CallTime;
use crate::engine::transcript::{Party, Role};
use crate::numbers::Numbers;
use crate::server::config::{Privacy, Secret, SecretSource, StoredWords};
use crate::server::domain::draft::{DraftAction, DraftRefusal, DraftState};
use crate::server::domain::form::{FormStep, Signature};
use crate::server::domain::phrase::SpokenPhrase;
use crate::server::domain::principal::{AccessRole, Capacity, Who};
use crate::server::domain::quality::{Judged, Measured};
use crate::server::domain::refusal::{First, NotGiven, Uncalibrated, Uncollected, Unfilled};
use crate::server::domain::review::{Action, Appeal, Impossible, Step, Verdict};
use crate::server::domain::roster::Agent;
use crate::server::domain::terms::{Audited, CloseReason, Display, FeedbackAction, Trigger};
use crate::server::store::sampling::Drawn;
use crate::server::store::*;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const APPEAL_MS: i64 = 7 * DAY_MS;

/// How a kind of store is opened, read beside its server, and copied. A directory names one store.
struct Kind {
    open: fn(&Path, &Privacy) -> Result<Store, StoreError>,
    beside: fn(&Path, Option<&Privacy>) -> Result<Readers, StoreError>,
    back_up: fn(&Path, &Path) -> Result<u64, BackupError>,
    restore: fn(&Path, &Path) -> Result<u64, BackupError>,
}

const SQLITE: Kind = Kind {
    open: Store::open,
    beside: read_beside,
    back_up: |directory, file| back_up(directory, file, |_, _| {}),
    restore: |file, directory| restore(file, directory, |_, _| {}),
};

/// A store on the server of PostgreSQL that tests may use: a schema for every directory. None where there is no server:
/// `scripts/test` starts one and names it in `TEST_POSTGRES`.
fn postgres() -> Option<Kind> {
    address_of(Path::new("")).map(|_| Kind {
        open: |directory, privacy| {
            let address = address_of(directory).unwrap();
            make_schema(&address);
            Store::open_postgres(&address, privacy)
        },
        beside: |directory, privacy| read_postgres(&address_of(directory).unwrap(), privacy),
        ..SQLITE
    })
}

pub(super) fn address_of(directory: &Path) -> Option<String> {
    let server = std::env::var("TEST_POSTGRES").ok()?;
    let schema: String =
        directory.to_string_lossy().to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    Some(format!("{server}?options=-csearch_path%3D{schema}"))
}

/// Makes a test of every clause for every kind of store. A new clause goes to all of them.
macro_rules! contract_tests {
    (every store: [$($clause:ident,)*] a store of files: [$($of_files:ident,)*]) => {
        mod sqlite {
            $(#[test]
            fn $clause() {
                super::$clause(&super::SQLITE);
            })*
            $(#[test]
            fn $of_files() {
                super::$of_files(&super::SQLITE);
            })*
        }

        mod postgres {
            $(#[test]
            fn $clause() {
                if let Some(kind) = super::postgres() {
                    super::$clause(&kind);
                }
            })*
        }
    };
}

contract_tests!(
    every store: [
        a_commit_is_kept_whole_or_not_at_all,
        cursors_grow_and_none_is_given_twice,
        an_agent_catches_up_with_the_cards_alone,
        each_filter_finds_its_alerts,
        pages_leave_nothing_out_and_repeat_nothing,
        calls_are_found_with_what_they_deduct,
        a_call_is_told_whole_up_to_its_limits,
        statistics_count_what_the_lists_show,
        an_overview_compares_two_spans,
        a_view_is_its_owners_and_may_be_shared,
        a_step_of_a_review_is_judged_by_the_steps_before,
        an_appeal_is_decided_by_another_person,
        an_appeal_is_in_time_or_too_late,
        figures_follow_the_judgements,
        a_draft_takes_the_steps_that_it_may,
        a_marked_violation_is_an_alert_of_its_own,
        a_sample_is_kept_once_and_judged_by_whom_it_was_given_to,
        agents_are_known_by_name_as_long_as_they_have_calls,
        what_reviewers_kept_of_a_call_goes_with_it,
        what_was_said_is_found_until_it_is_forgotten,
        the_last_answer_of_an_agent_stands,
        what_supervisors_do_is_kept_audited_and_forgotten_with_its_call,
        words_to_an_agent_have_a_pace_and_are_found_by_day,
        a_threshold_is_kept_with_its_letters_and_counts_what_stands,
        a_mark_is_an_alert_of_a_closed_call,
        the_audit_is_a_chain_that_agrees_with_the_store,
        a_version_of_the_rules_is_kept_with_its_files,
        words_go_first_then_alerts_and_calls_in_progress_stay,
        a_masked_store_masks_a_call_when_it_is_closed,
        an_encrypted_store_is_read_with_its_keys_only,
        a_restart_finds_what_was_in_progress,
        a_closed_call_is_known_when_it_is_sent_again,
        an_agent_s_calls_are_those_they_answered_or_have_alerts_in,
        letters_wait_in_order_until_they_are_settled,
        closed_calls_are_replayed_as_they_were_told,
        a_store_has_one_owner,
    ]
    a store of files: [a_backup_is_the_store_under_another_identity,]
);

// ---- a store, and what is written to it ------------------------------------

/// A store in a directory of its own.
struct World<'a> {
    kind: &'a Kind,
    directory: TempDir,
    privacy: Privacy,
    opened: Option<(Store, Writer)>,
}

impl<'a> World<'a> {
    fn new(kind: &'a Kind) -> Self {
        Self::with(kind, Privacy::default())
    }

    fn with(kind: &'a Kind, privacy: Privacy) -> Self {
        let mut world = Self { kind, directory: TempDir::new().unwrap(), privacy, opened: None };
        world.reopen();
        world
    }

    /// Ends the process that has the store, and begins another.
    fn reopen(&mut self) {
        self.opened = None;
        let store = (self.kind.open)(self.directory.path(), &self.privacy).unwrap();
        let writer = store.writer().unwrap();
        self.opened = Some((store, writer));
    }

    fn writer(&mut self) -> &mut Writer {
        &mut self.opened.as_mut().unwrap().1
    }

    fn readers(&self) -> Readers {
        self.opened.as_ref().unwrap().0.readers()
    }

    /// Commits records, and returns the cursors of the alerts among them.
    fn keep(&mut self, mut records: Vec<Record>) -> Vec<i64> {
        self.writer().commit(&mut records).unwrap();
        let cursor = |record: &Record| match record {
            Record::Alert { cursor, .. } => Some(cursor.unwrap()),
            _ => None,
        };
        records.iter().filter_map(cursor).collect()
    }

    fn take(&mut self, target: &Target, step: &Step) -> Result<Taken, Untaken> {
        let who = Who { name: step.by.clone(), role: Capacity::Person(AccessRole::Qa) };
        self.writer().review(std::slice::from_ref(target), step, &who, APPEAL_MS).unwrap().remove(0)
    }

    /// The ids of the alerts that a filter finds, oldest first.
    fn found(&self, filter: &AlertFilter) -> Vec<String> {
        let found = self.readers().alerts(filter, Order::OldestFirst, None, None, 1_000).unwrap();
        let ids: Vec<String> = found.iter().map(|found| id_in(&found.json)).collect();
        assert_eq!(self.readers().count_alerts(filter).unwrap().0, i64::try_from(ids.len()).unwrap(), "{filter:?}");
        ids
    }

    fn faults(&self) -> Vec<AuditFault> {
        let mut faults = Vec::new();
        self.readers().check_audit(None, |fault| faults.push(fault)).unwrap();
        faults
    }
}

fn id_in(json: &str) -> String {
    let alert: serde_json::Value = serde_json::from_str(json).unwrap();
    alert["alert_id"].as_str().unwrap().to_owned()
}

/// A call of agent a1 in queue q1, answered at `started_ms`.
fn call_row(call_no: i64, started_ms: i64) -> CallRow {
    CallRow {
        call_no,
        call_id: format!("c{call_no}"),
        agent_id: "a1".to_owned(),
        queue: Some("q1".to_owned()),
        started_at: "2026-11-21T10:00:00+08:00".to_owned(),
        started_ms,
        rules_version: "v1".to_owned(),
        numbers: None,
        start: json!({"call_id": format!("c{call_no}")}).to_string().into(),
    }
}

fn call(call_no: i64, started_ms: i64) -> Record {
    Record::Call(Box::new(call_row(call_no, started_ms)))
}

fn said(call_no: i64, now_ms: i64, text: &str) -> Record {
    let json = json!({
        "type": "utterance", "call_id": format!("c{call_no}"), "utterance_id": format!("u{now_ms}"), "role": "customer",
        "text": text, "start_ms": 0, "end_ms": now_ms, "final": true,
    })
    .to_string();
    Record::Moved { call_no, now: CallTime(now_ms), entry: Entry::Event(json.as_str().into()), is_kept: true }
}

fn moved(call_no: i64, now_ms: i64, entry: Entry) -> Record {
    Record::Moved { call_no, now: CallTime(now_ms), entry, is_kept: false }
}

/// A confirmed card of rule r1 for agent a1, which deducts 2.
fn alert_row(call_no: i64, alert_id: &str, said_ms: i64) -> AlertRow {
    AlertRow {
        call_no,
        alert_id: alert_id.to_owned(),
        agent_id: "a1".to_owned(),
        rule_id: "r1".to_owned(),
        pack: "p".to_owned(),
        severity: Severity::Warning,
        deduct: 2,
        state: AlertState::Confirmed,
        said_ms,
        display: Display::Card,
        json: json!({"alert_id": alert_id, "rule_name": "规则一", "rules_version": "v1"}).to_string().into(),
        webhooks: Vec::new(),
        made_ms: 0,
    }
}

fn alert(row: AlertRow) -> Record {
    Record::Alert { row: Box::new(row), cursor: None }
}

pub(super) fn closed(call_no: i64, closed_ms: i64) -> Record {
    let end = Some((CallTime(9_000), Party::Customer));
    Record::Closed(Box::new(ClosedRow {
        call_no,
        reason: CloseReason::Ended,
        closed_ms,
        numbers: None,
        end,
        duties: Vec::new(),
    }))
}

fn target(alert_id: &str) -> Target {
    Target { alert_id: alert_id.to_owned(), call_id: None, started_ms: None, agent_id: None, steps_seen: None }
}

fn step(action: Action, by: &str, at_ms: i64) -> Step {
    let reason = action.needs_reason().then(|| "因为".to_owned());
    Step { action, by: by.to_owned(), role: Capacity::Person(AccessRole::Qa), reason, at_ms }
}

fn load(version: &str, files: &str, loaded_ms: i64) -> LoadRow {
    let who = Who { name: "赵敏".to_owned(), role: Capacity::Person(AccessRole::Admin) };
    let digests = vec![("r1".to_owned(), "d1".to_owned())];
    LoadRow { version: version.to_owned(), files: files.to_owned(), digests, loaded_ms, who, trigger: Trigger::Request }
}

fn key(secret: &str) -> SecretSource {
    SecretSource::Plain(Secret::new(secret.to_owned()))
}

// ---- commits and cursors ---------------------------------------------------

fn a_commit_is_kept_whole_or_not_at_all(kind: &Kind) {
    let mut world = World::new(kind);
    world.keep(vec![call(1, 0)]);
    // The second call has the number of the first.
    let mut records = vec![said(1, 5, "您好"), alert(alert_row(1, "x", 5)), call(1, 0)];
    assert!(world.writer().commit(&mut records).is_err());
    assert_eq!(world.found(&AlertFilter::default()), [""; 0]);
    let mut told = 0;
    world.readers().replay(|_, _, _| told += 1).unwrap();
    assert_eq!(told, 0);
    // The same records may be kept later.
    records.pop();
    world.keep(records);
    world.reopen();
    assert_eq!(world.found(&AlertFilter::default()), ["x"]);
    world.readers().replay(|_, _, _| told += 1).unwrap();
    assert_eq!(told, 1);
}

fn cursors_grow_and_none_is_given_twice(kind: &Kind) {
    let mut world = World::new(kind);
    let first = world.keep(vec![call(1, 0), alert(alert_row(1, "x", 1)), alert(alert_row(1, "y", 2))]);
    let retracted = AlertRow { state: AlertState::Retracted, ..alert_row(1, "y", 2) };
    let second = world.keep(vec![alert(retracted), closed(1, 1)]);
    assert!(first[0] < first[1] && first[1] < second[0], "{first:?} {second:?}");
    while world.writer().forget(Horizon { transcripts_ms: 2, alerts_ms: 2, outbox_ms: 0 }).unwrap()
        != Forgotten::default()
    {}
    assert_eq!(world.found(&AlertFilter::default()), [""; 0]);
    world.reopen();
    let third = world.keep(vec![call(2, 0), alert(alert_row(2, "z", 3))]);
    assert!(second[0] < third[0], "the latest rows are gone, and their cursors stay used: {second:?} {third:?}");
}

fn an_agent_catches_up_with_the_cards_alone(kind: &Kind) {
    let mut world = World::new(kind);
    let other = AlertRow { agent_id: "a2".to_owned(), ..alert_row(1, "of another", 1) };
    let late = AlertRow { display: Display::Late, ..alert_row(1, "late", 2) };
    let cursors = world.keep(vec![
        call(1, 0),
        alert(alert_row(1, "x", 1)),
        alert(other),
        alert(late),
        alert(alert_row(1, "y", 2)),
        call(2, 0),
        alert(alert_row(2, "z", 3)),
    ]);
    let readers = world.readers();
    let after = |cursor, count_max| -> Vec<String> {
        let cards = readers.cards_after("a1", cursor, count_max).unwrap();
        assert!(cards.iter().all(|card| card.cursor > cursor));
        cards.iter().map(|card| id_in(&card.json)).collect()
    };
    assert_eq!(after(0, 10), ["x", "y", "z"]);
    assert_eq!(after(0, 2), ["x", "y"]);
    assert_eq!(after(cursors[0], 10), ["y", "z"]);
    assert_eq!(readers.before_live_cards("a1", 10).unwrap(), cursors[0] - 1);
    assert_eq!(readers.before_live_cards("a1", 1).unwrap(), cursors[4] - 1, "the rest is not looked at");
    world.keep(vec![closed(1, 5)]);
    assert_eq!(readers.before_live_cards("a1", 10).unwrap(), cursors[4] - 1);
    world.keep(vec![closed(2, 5)]);
    assert_eq!(readers.before_live_cards("a1", 10).unwrap(), cursors[4], "no call is in progress");
    assert_eq!(readers.before_live_cards("nobody", 10).unwrap(), 0);
}

// ---- lists -----------------------------------------------------------------

/// Four alerts that differ in what filters ask: `x` is a critical card of 10:00, `y` a warning folded in another
/// queue, `shadow` on trial, `held` too unsure to be shown.
fn differing(world: &mut World<'_>) {
    let x = AlertRow { severity: Severity::Critical, ..alert_row(1, "x", 36_000_000) };
    let y = AlertRow {
        rule_id: "r2".to_owned(),
        display: Display::Folded,
        state: AlertState::Provisional,
        ..alert_row(2, "y", 40_000_000)
    };
    let shadow = AlertRow { agent_id: "a2".to_owned(), display: Display::Shadow, ..alert_row(2, "shadow", 50_000_000) };
    let held = AlertRow { display: Display::Held, ..alert_row(2, "held", 60_000_000) };
    let second = CallRow { queue: None, agent_id: "a2".to_owned(), ..call_row(2, 1) };
    let second = Record::Call(Box::new(second));
    world.keep(vec![call(1, 0), second, alert(x), alert(y), alert(shadow), alert(held), closed(1, 7)]);
}

fn each_filter_finds_its_alerts(kind: &Kind) {
    let mut world = World::new(kind);
    differing(&mut world);
    world.take(&target("x"), &step(Action::Dismiss, "李静", 9)).unwrap();
    let all = AlertFilter::default;
    let text = |text: &str| Some(text.to_owned());
    let span = |from_ms, to_ms| Span { from_ms, to_ms };
    let hour = |of_day, offset_ms| Some(Hour { of_day, offset_ms });
    let cases = [
        (all(), vec!["x", "y", "shadow"]),
        (AlertFilter { with_held: true, ..all() }, vec!["x", "y", "shadow", "held"]),
        (AlertFilter { displays: vec![Display::Held, Display::Folded], ..all() }, vec!["y", "held"]),
        (AlertFilter { span: span(Some(40_000_000), Some(50_000_000)), ..all() }, vec!["y"]),
        (AlertFilter { agent_id: text("a2"), ..all() }, vec!["shadow"]),
        (AlertFilter { call_id: text("c1"), ..all() }, vec!["x"]),
        (AlertFilter { call_no: Some(2), ..all() }, vec!["y", "shadow"]),
        (AlertFilter { rule_id: text("r2"), ..all() }, vec!["y"]),
        (AlertFilter { queue: text("q1"), ..all() }, vec!["x"]),
        (AlertFilter { severities: vec![Severity::Critical], ..all() }, vec!["x"]),
        (AlertFilter { states: vec![AlertState::Provisional, AlertState::Retracted], ..all() }, vec!["y"]),
        (AlertFilter { verdicts: vec![Verdict::Dismissed], ..all() }, vec!["x"]),
        (AlertFilter { verdicts: vec![Verdict::Unreviewed], ..all() }, vec!["y", "shadow"]),
        (AlertFilter { appeals: vec![Appeal::Pending], ..all() }, vec![]),
        (AlertFilter { has_steps: true, ..all() }, vec!["x"]),
        (AlertFilter { counts: Some(true), ..all() }, vec![]),
        (AlertFilter { counts: Some(false), ..all() }, vec!["x", "y", "shadow"]),
        (AlertFilter { hour: hour(10, 0), ..all() }, vec!["x"]),
        (AlertFilter { hour: hour(18, 8 * 3_600_000), ..all() }, vec!["x"]),
        (AlertFilter { agent_id: text("a1"), rule_id: text("r1"), ..all() }, vec!["x"]),
    ];
    for (filter, expected) in cases {
        assert_eq!(world.found(&filter), expected, "{filter:?}");
    }
    let x = &world.readers().alerts(&all(), Order::OldestFirst, None, None, 1).unwrap()[0];
    assert!(!x.counts() && x.closed_ms == Some(7) && x.queue.as_deref() == Some("q1"), "{x:?}");
    assert_eq!((x.review.standing.verdict, x.review.steps.len()), (Verdict::Dismissed, 1));
}

fn pages_leave_nothing_out_and_repeat_nothing(kind: &Kind) {
    let mut world = World::new(kind);
    let mut records = vec![call(1, 0)];
    // Several in one moment.
    records.extend((0..7).map(|number| alert(alert_row(1, &format!("x{number}"), i64::from(number / 3)))));
    world.keep(records);
    let filter = AlertFilter::default();
    let last = world.readers().count_alerts(&filter).unwrap().1;
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let (mut behind, mut read) = (None, Vec::new());
        loop {
            let page = world.readers().alerts(&filter, order, behind, Some(last), 2).unwrap();
            let Some(end) = page.last() else { break };
            behind = Some(end.place);
            read.extend(page.iter().map(|found| id_in(&found.json)));
            // What comes meanwhile has a later number.
            let late = format!("late {order:?} {}", read.len());
            world.keep(vec![alert(alert_row(1, &late, 0))]);
        }
        let mut expected: Vec<String> = (0..7).map(|number| format!("x{number}")).collect();
        if order == Order::NewestFirst {
            expected.reverse();
        }
        assert_eq!(read, expected);
    }
}

fn calls_are_found_with_what_they_deduct(kind: &Kind) {
    let mut world = World::new(kind);
    differing(&mut world);
    let calls = |filter: &CallFilter, behind, count_max| -> Vec<(String, u32)> {
        let found = world.readers().calls(filter, behind, count_max).unwrap();
        found.into_iter().map(|(call, all)| (call.call_id, all.iter().map(|one| one.deduct).sum())).collect()
    };
    let listed = [("c2".to_owned(), 0), ("c1".to_owned(), 2)];
    let all = CallFilter::default;
    let with_alert = |alerts: AlertFilter| CallFilter { with_alert: Some(Box::new(alerts)), ..all() };
    assert_eq!(calls(&all(), None, 10), listed);
    assert_eq!(calls(&all(), None, 1), listed[..1]);
    assert_eq!(calls(&all(), Some(Place { ms: 1, no: 2 }), 10), listed[1..]);
    assert_eq!(calls(&CallFilter { is_live: Some(true), ..all() }, None, 10), listed[..1]);
    assert_eq!(calls(&CallFilter { queue: Some("q1".to_owned()), ..all() }, None, 10), listed[1..]);
    assert_eq!(calls(&CallFilter { agent_id: Some("a2".to_owned()), ..all() }, None, 10), listed[..1]);
    let folded = AlertFilter { displays: vec![Display::Folded], ..AlertFilter::default() };
    assert_eq!(calls(&with_alert(folded), None, 10), listed[..1]);
    let counting = AlertFilter { counts: Some(true), ..AlertFilter::default() };
    assert_eq!(calls(&with_alert(counting), None, 10), listed[1..]);
    let mut totals = Vec::new();
    world.readers().totals(&all(), |call| totals.push((call.call_no, call.deductions.len()))).unwrap();
    assert_eq!(totals, [(1, 1), (2, 0)], "in the order in which they were answered");
}

fn a_call_is_told_whole_up_to_its_limits(kind: &Kind) {
    let mut world = World::new(kind);
    let again = |call_no, started_ms| {
        let row = CallRow { call_id: "again".to_owned(), ..call_row(call_no, started_ms) };
        Record::Call(Box::new(row))
    };
    let retracted = AlertRow { state: AlertState::Retracted, ..alert_row(2, "x", 1) };
    let held = AlertRow { display: Display::Held, ..alert_row(2, "held", 1) };
    world.keep(vec![again(1, 100), closed(1, 1), again(2, 200), said(2, 1, "一"), said(2, 2, "二")]);
    world.keep(vec![alert(alert_row(2, "x", 1)), alert(retracted), alert(held)]);
    let query = |started_ms, max| CallQuery {
        call_id: "again".to_owned(),
        started_ms,
        with_held: false,
        events_max: max,
        alerts_max: max,
    };
    let record = |query: &CallQuery| world.readers().call_record(query).unwrap();
    let latest = record(&query(None, 10)).unwrap();
    assert_eq!((latest.call.call_no, latest.call.closed_ms, latest.call.end_ms), (2, None, None));
    assert!(latest.events[0].contains('一') && latest.events[1].contains('二'), "{:?}", latest.events);
    assert_eq!((latest.alerts.len(), latest.transitions.len(), latest.deductions.len()), (1, 3, 0));
    assert!(latest.transitions[0].cursor < latest.transitions[1].cursor);
    let short = record(&query(None, 1)).unwrap();
    assert_eq!((short.events.len(), short.alerts.len(), short.transitions.len()), (1, 1, 1));
    assert_eq!(record(&CallQuery { with_held: true, ..query(None, 10) }).unwrap().alerts.len(), 2);
    let earlier = record(&query(Some(100), 10)).unwrap().call;
    assert_eq!((earlier.call_no, earlier.closed_ms, earlier.end_ms), (1, Some(1), Some(9_000)));
    assert!(record(&query(Some(7), 10)).is_none());
}

fn statistics_count_what_the_lists_show(kind: &Kind) {
    let mut world = World::new(kind);
    differing(&mut world);
    let text = |text: &str| Some(text.to_owned());
    let count = |alerts: AlertFilter, groups: Vec<Grouping>| {
        let filter = StatisticsFilter { alerts, groups, offset_ms: 8 * 3_600_000 };
        world.readers().statistics(&filter, 100).unwrap()
    };
    let all = AlertFilter { with_held: true, ..AlertFilter::default() };
    let by_agent = count(all.clone(), vec![Grouping::Agent]);
    assert_eq!(by_agent.total, Sums { alerts: 4, calls: 2, deduct: 2 });
    assert_eq!(by_agent.rows[0], (vec![text("a1")], Sums { alerts: 3, calls: 2, deduct: 2 }));
    assert_eq!(by_agent.rows[1], (vec![text("a2")], Sums { alerts: 1, calls: 1, deduct: 0 }));
    assert_eq!(by_agent.answered_total, 2);
    assert_eq!(by_agent.answered.iter().map(|row| row.calls).collect::<Vec<_>>(), [1, 1]);
    let by_rule = count(all.clone(), vec![Grouping::Rule]);
    assert_eq!(by_rule.rule_names[0], ("r1".to_owned(), text("规则一")));
    for group in Grouping::ALL {
        let counted = count(all.clone(), vec![group]);
        let alerts: i64 = counted.rows.iter().map(|(_, sums)| sums.alerts).sum();
        assert_eq!(alerts, counted.total.alerts, "{group:?}");
    }
    let by_hour = count(AlertFilter { rule_id: text("r2"), ..all.clone() }, vec![Grouping::Day, Grouping::Hour]);
    assert_eq!(by_hour.rows[0].0, [text("1970-01-01"), text("19")], "in the zone of the filter");
    let by_queue = count(all, vec![Grouping::Queue]);
    let queues: BTreeSet<_> = by_queue.rows.into_iter().map(|(key, _)| key[0].clone()).collect();
    assert_eq!(queues, BTreeSet::from([None, text("q1")]));
}

fn an_overview_compares_two_spans(kind: &Kind) {
    let mut world = World::new(kind);
    let critical = AlertRow { severity: Severity::Critical, rule_id: "r2".to_owned(), ..alert_row(2, "z", DAY_MS + 2) };
    let other = CallRow { agent_id: "a2".to_owned(), queue: None, ..call_row(3, DAY_MS + 3) };
    world.keep(vec![
        call(1, 1),
        alert(alert_row(1, "v", 2)),
        call(2, DAY_MS + 1),
        alert(alert_row(2, "x", DAY_MS + 2)),
        alert(alert_row(2, "y", DAY_MS + 2)),
        alert(critical),
        Record::Call(Box::new(other)),
    ]);
    let day = |day: i64| Span { from_ms: Some(day * DAY_MS), to_ms: Some((day + 1) * DAY_MS) };
    let alerts = AlertFilter { span: day(1), counts: Some(true), ..AlertFilter::default() };
    let filter = OverviewFilter { before: day(1).before(0), alerts, by: Grouping::Agent, calls_min: 1 };
    assert_eq!(filter.before, Some(day(0)));
    let found = world.readers().overview(&filter, 100).unwrap();
    let told: Vec<_> = found
        .lines
        .iter()
        .map(|line| (line.key.as_deref(), line.figures.now.calls, line.figures.now.alerts, line.figures.now.critical))
        .collect();
    assert_eq!(told, [(Some("a1"), 1, 3, 1), (Some("a2"), 1, 0, 0)]);
    assert_eq!(
        found.lines[0].cells.iter().map(|(rule, alerts)| (rule.as_str(), *alerts)).collect::<Vec<_>>(),
        [("r1", 2), ("r2", 1)]
    );
    assert_eq!(
        found
            .rules
            .iter()
            .map(|rule| (rule.rule_id.as_str(), rule.figures.now.alerts, rule.figures.now.calls))
            .collect::<Vec<_>>(),
        [("r1", 2, 2), ("r2", 1, 2)]
    );
    assert_eq!(found.rules[0].figures.before.as_ref().map(|before| (before.alerts, before.calls)), Some((1, 1)));
    assert_eq!((found.total.now.with_alerts, found.total.now.deduct, found.truncated), (1, 6, false));
    let few = world.readers().overview(&filter, 1).unwrap();
    assert!(few.truncated && few.lines.len() == 1 && few.rules.len() == 1);
    let queues = world.readers().overview(&OverviewFilter { by: Grouping::Queue, ..filter }, 100).unwrap();
    assert_eq!(queues.lines.iter().map(|line| line.key.as_deref()).collect::<Vec<_>>(), [Some("q1"), None]);
}

fn a_view_is_its_owners_and_may_be_shared(kind: &Kind) {
    let mut world = World::new(kind);
    let view = |owner: &str, name: &str, is_shared| NewView {
        page: "qa".to_owned(),
        name: name.to_owned(),
        query: "days=7".to_owned(),
        owner: owner.to_owned(),
        is_shared,
        saved_ms: 5,
    };
    let first = world.writer().keep_view(&view("李静", "a", false), 2).unwrap();
    assert!(first.is_some() && world.writer().keep_view(&view("李静", "b", true), 2).unwrap().is_some());
    assert_eq!(world.writer().keep_view(&view("李静", "c", true), 2).unwrap(), None, "as many as may be");
    assert_eq!(world.writer().keep_view(&view("李静", "a", true), 2).unwrap(), first, "the same one");
    assert!(world.writer().keep_view(&view("王强", "c", false), 2).unwrap().is_some());
    world.reopen();
    let seen = |world: &World<'_>, owner: &str| -> Vec<String> {
        world.readers().views("qa", owner, 10).unwrap().into_iter().map(|found| found.view.name).collect()
    };
    assert_eq!(
        (seen(&world, "李静"), seen(&world, "王强")),
        (vec!["a".to_owned(), "b".to_owned()], ["c", "a", "b"].map(str::to_owned).to_vec())
    );
    assert_eq!(world.readers().views("live", "李静", 10).unwrap().len(), 0);
    let view_no = first.unwrap();
    assert!(!world.writer().drop_view(view_no, Some("王强")).unwrap());
    assert!(
        world.writer().drop_view(view_no, Some("李静")).unwrap() && !world.writer().drop_view(view_no, None).unwrap()
    );
}

// ---- what people do --------------------------------------------------------

fn a_step_of_a_review_is_judged_by_the_steps_before(kind: &Kind) {
    let mut world = World::new(kind);
    let again = CallRow { call_id: "other".to_owned(), ..call_row(2, 5) };
    let provisional = AlertRow { state: AlertState::Provisional, ..alert_row(1, "y", 2) };
    world.keep(vec![call(1, 0), alert(alert_row(1, "x", 1)), alert(provisional), Record::Call(Box::new(again))]);
    let confirm = step(Action::Confirm, "李静", 10);
    assert_eq!(world.take(&target("nothing"), &confirm).unwrap_err(), Untaken::Unknown);
    assert_eq!(world.take(&target("y"), &confirm).unwrap_err(), Untaken::Impossible(Impossible::NotConfirmed));
    let taken = world.take(&target("x"), &confirm).unwrap();
    assert_eq!((taken.standing.verdict, taken.steps.len(), taken.counts), (Verdict::Confirmed, 1, true));
    assert_eq!((&*taken.agent_id, &*taken.rule_id), ("a1", "r1"));
    assert_eq!(world.take(&target("x"), &confirm).unwrap_err(), Untaken::Impossible(Impossible::NoChange));
    let dismiss = step(Action::Dismiss, "王强", 11);
    let unseen = Target { steps_seen: Some(0), ..target("x") };
    assert_eq!(world.take(&unseen, &dismiss).unwrap_err(), Untaken::Impossible(Impossible::Changed));
    let seen = Target { steps_seen: Some(1), ..target("x") };
    assert!(!world.take(&seen, &dismiss).unwrap().counts);
    // Its id stands for two alerts now.
    world.keep(vec![alert(alert_row(2, "x", 1))]);
    assert_eq!(world.take(&target("x"), &confirm).unwrap_err(), Untaken::Ambiguous);
    let by_call = Target { call_id: Some("other".to_owned()), ..target("x") };
    assert!(world.take(&by_call, &confirm).is_ok());
    let by_moment = Target { started_ms: Some(0), ..target("x") };
    assert_eq!(world.take(&by_moment, &confirm).unwrap().steps.len(), 3);
    let of_another = Target { agent_id: Some("a2".to_owned()), ..by_moment.clone() };
    assert_eq!(world.take(&of_another, &confirm).unwrap_err(), Untaken::Unknown);
    // A slip is taken back by who made it; of several alerts each answers for itself.
    let undo = step(Action::Undo, "李静", 12);
    let who = Who { name: "李静".to_owned(), role: Capacity::Person(AccessRole::Qa) };
    let both = [by_moment.clone(), target("nothing")];
    let undone = world.writer().review(&both, &undo, &who, APPEAL_MS).unwrap();
    assert_eq!(undone[0].as_ref().unwrap().standing.verdict, Verdict::Dismissed);
    assert_eq!(undone[1].as_ref().unwrap_err(), &Untaken::Unknown);
    // What was taken is still there for another process.
    world.reopen();
    let steps = |found: &FoundAlert| found.review.steps.iter().map(|step| step.by.clone()).collect::<Vec<_>>();
    let of_call = AlertFilter { call_no: Some(1), has_steps: true, ..AlertFilter::default() };
    let found = world.readers().alerts(&of_call, Order::OldestFirst, None, None, 10).unwrap();
    assert_eq!(steps(&found[0]), ["李静", "王强", "李静", "李静"]);
}

fn an_appeal_is_decided_by_another_person(kind: &Kind) {
    let mut world = World::new(kind);
    let shadow = AlertRow { display: Display::Shadow, ..alert_row(1, "shadow", 1) };
    world.keep(vec![
        call(1, 0),
        alert(alert_row(1, "x", 1)),
        alert(alert_row(1, "y", 1)),
        alert(shadow),
        closed(1, 100),
    ]);
    let own = |alert_id: &str| Target { agent_id: Some("a1".to_owned()), ..target(alert_id) };
    let impossible = |why| Err(Untaken::Impossible(why));
    let too_late = step(Action::Appeal, "a1", 100 + APPEAL_MS);
    assert_eq!(world.take(&own("x"), &too_late).map(|_| ()), impossible(Impossible::TooLate));
    assert_eq!(world.take(&own("shadow"), &step(Action::Appeal, "a1", 101)).map(|_| ()), Err(Untaken::Unknown));
    world.take(&target("x"), &step(Action::Confirm, "李静", 101)).unwrap();
    world.take(&own("x"), &step(Action::Appeal, "a1", 102)).unwrap();
    let by_reviewer = step(Action::Grant, "李静", 103);
    assert_eq!(world.take(&target("x"), &by_reviewer).map(|_| ()), impossible(Impossible::SamePerson));
    let granted = world.take(&target("x"), &step(Action::Grant, "王强", 103)).unwrap();
    assert_eq!((granted.standing.appeal, granted.counts), (Some(Appeal::Granted), false));
    assert_eq!(
        world.take(&target("x"), &step(Action::Confirm, "李静", 104)).map(|_| ()),
        impossible(Impossible::Final)
    );
    let no_appeal = step(Action::Reject, "王强", 104);
    assert_eq!(world.take(&target("y"), &no_appeal).map(|_| ()), impossible(Impossible::NoAppeal));
    assert_eq!(world.found(&AlertFilter { appeals: vec![Appeal::Granted], ..AlertFilter::default() }), ["x"]);
}

/// The days for an appeal begin when the call is closed, and anew when it is reviewed.
fn an_appeal_is_in_time_or_too_late(kind: &Kind) {
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
        let mut world = World::new(kind);
        world.keep(vec![call(1, 0), alert(alert_row(1, "x", 1))]);
        world.keep(closed_ms.map(|at_ms| closed(1, at_ms)).into_iter().collect());
        if let Some(at_ms) = reviewed_ms {
            world.take(&target("x"), &step(Action::Confirm, "李静", at_ms)).unwrap();
        }
        let taken = world.take(&target("x"), &step(Action::Appeal, "a1", at_ms));
        let expected = (!in_time).then_some(Untaken::Impossible(Impossible::TooLate));
        assert_eq!(taken.err(), expected, "{closed_ms:?} {reviewed_ms:?} {at_ms}");
    }
}

fn figures_follow_the_judgements(kind: &Kind) {
    let mut world = World::new(kind);
    let mut records = vec![call(1, 0)];
    records.extend(["x", "y", "z"].map(|alert_id| alert(alert_row(1, alert_id, 1))));
    world.keep(records);
    world.take(&target("x"), &step(Action::Confirm, "李静", 2)).unwrap();
    world.take(&target("y"), &step(Action::Dismiss, "李静", 3)).unwrap();
    let answer = NewFeedback {
        agent_id: "a1".to_owned(),
        alert_id: "z".to_owned(),
        action: FeedbackAction::Dismiss,
        reason: None,
        given_ms: 4,
        by: None,
    };
    assert!(world.writer().keep_feedback(&answer).unwrap().is_some());
    let figures = world.readers().figures(&AlertFilter::default(), 10).unwrap();
    let judged = Judged { reviewed: 2, upheld: 1 };
    let expected = RuleFigures {
        rule_id: "r1".to_owned(),
        rule_digest: None,
        rules_version: "v1".to_owned(),
        first_ms: 1,
        last_ms: 1,
        pack: "p".to_owned(),
        rule_name: "规则一".to_owned(),
        alerts: 3,
        shown: 3,
        overridden: 1,
        judged,
        appeals: 0,
        granted: 0,
        rejected: 0,
        missed: 0,
    };
    assert_eq!(figures, [expected]);
    let asked = |digest: &str| vec![("r1".to_owned(), digest.to_owned()), ("r2".to_owned(), "d".to_owned())];
    // Alerts of before there were digests stand under the version of all rules.
    let before = Measured { now: Judged::default(), before: judged };
    let expected = [("r1".to_owned(), before), ("r2".to_owned(), Measured::default())];
    assert_eq!(world.readers().judged(asked("d1")).unwrap(), expected);
    // Two versions of all rules in which the same decides are one row, and what was before goes on with them.
    for version in ["v1", "v2"] {
        world.writer().load_rules(&load(version, "[]", 5)).unwrap();
    }
    world.keep(vec![Record::Call(Box::new(CallRow { rules_version: "v2".to_owned(), ..call_row(2, 5) }))]);
    world.keep(vec![alert(alert_row(2, "w", 6))]);
    let figures = world.readers().figures(&AlertFilter::default(), 10).unwrap();
    let told: Vec<_> = figures.iter().map(|row| (row.rule_digest.as_deref(), row.alerts, row.last_ms)).collect();
    assert_eq!(told, [(Some("d1"), 4, 6)]);
    let now = Measured { now: judged, before: Judged::default() };
    assert_eq!(world.readers().judged(asked("d1")).unwrap()[0].1, now);
    let days = world.readers().figures_by_day(&AlertFilter::default(), 0, 10).unwrap();
    let day = FiguresOfDay { digest: "d1".to_owned(), day: 0, alerts: 4, reviewed: 2, upheld: 1 };
    assert_eq!(days, [day]);
    let since = [("d1".to_owned(), 5, "赵敏".to_owned())];
    assert_eq!(world.readers().digests_of_rule("r1").unwrap(), since);
}

fn a_draft_takes_the_steps_that_it_may(kind: &Kind) {
    let mut world = World::new(kind);
    let who = |name: &str| Who { name: name.to_owned(), role: Capacity::Person(AccessRole::Qa) };
    let step = |draft_no, action, by: &str, change| NewDraftStep {
        draft_no,
        action,
        who: who(by),
        reason: None,
        at_ms: 1,
        steps_seen: None,
        change,
    };
    let text = |text: &str| text.to_owned();
    let create = DraftChange::Create {
        title: text("禁说"),
        file: text("a.yaml"),
        rule_id: text("a.b"),
        base: Some(text("一")),
        text: text("二"),
    };
    let made = world.writer().draft_step(&step(None, DraftAction::Create, "李静", create)).unwrap().unwrap();
    let no = Some(made.draft_no);
    let mut take = |action, by: &str, change| world.writer().draft_step(&step(no, action, by, change)).unwrap();
    let check = |of: &str| DraftChange::Check { is_green: true, report: text("{}"), text: text(of) };
    // A check of another text than the present one says nothing.
    assert!(!take(DraftAction::Check, "李静", check("一")).unwrap().is_green);
    assert!(take(DraftAction::Check, "李静", check("二")).unwrap().is_green);
    assert_eq!(take(DraftAction::Approve, "李静", DraftChange::Nothing), Err(DraftRefusal::SamePerson));
    let save = DraftChange::Save { title: None, text: text("三"), followed: None };
    let saved = take(DraftAction::Save, "王敏", save).unwrap();
    assert!(!saved.is_green && saved.checked.is_none() && saved.text == "三" && saved.title == "禁说");
    assert_eq!(take(DraftAction::Approve, "王敏", DraftChange::Nothing), Err(DraftRefusal::SamePerson));
    assert_eq!(take(DraftAction::Approve, "赵敏", DraftChange::Nothing), Err(DraftRefusal::NotGreen));
    take(DraftAction::Check, "王敏", check("三")).unwrap();
    assert_eq!(take(DraftAction::Approve, "赵敏", DraftChange::Nothing).unwrap().state, DraftState::Approved);
    let live = take(DraftAction::Live, "李静", DraftChange::Written(Some(text("三")))).unwrap();
    assert_eq!((live.state, live.written.as_deref(), live.base.as_deref()), (DraftState::Live, Some("三"), Some("一")));
    let late = NewDraftStep { steps_seen: Some(1), ..step(no, DraftAction::RollBack, "李静", DraftChange::Nothing) };
    assert_eq!(world.writer().draft_step(&late).unwrap(), Err(DraftRefusal::Changed));
    let unknown = step(Some(99), DraftAction::Save, "李静", DraftChange::Nothing);
    assert_eq!(world.writer().draft_step(&unknown).unwrap(), Err(DraftRefusal::Unknown));
    world.reopen();
    assert_eq!(world.readers().draft(made.draft_no).unwrap(), Some(live));
    let listed = world.readers().drafts(10).unwrap();
    assert_eq!((listed.len(), listed[0].owner.as_str(), listed[0].state), (1, "李静", DraftState::Live));
    assert_eq!(world.faults(), []);
}

fn a_marked_violation_is_an_alert_of_its_own(kind: &Kind) {
    let mut world = World::new(kind);
    world.keep(vec![call(1, 0), alert(alert_row(1, "x", 1)), closed(1, 5)]);
    while world.writer().seal(6, true).unwrap() {}
    let mark = |call_no: i64| NewMark {
        row: AlertRow { display: Display::Marked, ..alert_row(call_no, "m", 2) },
        rules_version: "v1".to_owned(),
        step: step(Action::Mark, "李静", 10),
        who: Who { name: "李静".to_owned(), role: Capacity::Person(AccessRole::Qa) },
    };
    assert_eq!(world.writer().mark(&mark(2)).unwrap(), Err(Untaken::Unknown));
    assert_eq!(world.writer().mark(&mark(1)).unwrap(), Ok(()));
    assert_eq!(world.writer().mark(&mark(1)).unwrap(), Err(Untaken::Impossible(Impossible::AlreadyMarked)));
    world.keep(vec![call(3, 0)]);
    assert_eq!(world.writer().mark(&mark(3)).unwrap(), Err(Untaken::Impossible(Impossible::CallInProgress)));
    world.reopen();
    let counting = AlertFilter { counts: Some(true), ..AlertFilter::default() };
    assert_eq!(world.found(&counting), ["x", "m"]);
    let figures = world.readers().figures(&AlertFilter::default(), 10).unwrap();
    assert_eq!((figures[0].alerts, figures[0].judged.reviewed, figures[0].missed), (1, 0, 1));
    assert_eq!(world.faults(), Vec::new(), "the seal of the call holds");
    world.take(&target("m"), &step(Action::Dismiss, "王强", 11)).unwrap();
    assert_eq!(world.found(&counting), ["x"]);
    assert_eq!(world.faults(), Vec::new());
}

fn agents_are_known_by_name_as_long_as_they_have_calls(kind: &Kind) {
    let mut world = World::new(kind);
    let agent = |team: &str, of_file| Agent { team: Some(team.to_owned()), of_file, ..Agent::default() };
    let row = |agent_id: &str, agent| Record::Agent(Box::new(AgentRow { agent_id: agent_id.to_owned(), agent }));
    world.keep(vec![call(1, 0), alert(alert_row(1, "x", 1)), row("a1", agent("一组", false)), closed(1, 5)]);
    let of_team = |team: &str| AlertFilter { team: Some(team.to_owned()), ..AlertFilter::default() };
    assert_eq!((world.found(&of_team("一组")), world.found(&of_team("二组"))), (vec!["x".to_owned()], vec![]));
    // The file goes before what calls say, until it names the agent no more.
    world
        .writer()
        .keep_roster(&[("a1".to_owned(), agent("二组", true)), ("a2".to_owned(), agent("二组", true))])
        .unwrap();
    world.keep(vec![row("a1", agent("一组", false))]);
    world.reopen();
    assert_eq!(world.found(&of_team("二组")), ["x"]);
    world.writer().keep_roster(&[]).unwrap();
    world.keep(vec![row("a1", agent("一组", false))]);
    assert_eq!(world.readers().roster().unwrap().all().len(), 1);
    world.writer().forget(Horizon { transcripts_ms: 9, alerts_ms: 9, outbox_ms: 0 }).unwrap();
    assert_eq!(world.readers().roster().unwrap().all(), []);
}

fn what_reviewers_kept_of_a_call_goes_with_it(kind: &Kind) {
    let mut world = World::new(kind);
    world.keep(vec![call(1, 0), alert(alert_row(1, "x", 1))]);
    let who = |name: &str| Who { name: name.to_owned(), role: Capacity::Person(AccessRole::Qa) };
    let answers = |form: &str, score| {
        let (form, version, definition) = (form.to_owned(), "1".to_owned(), "{}".to_owned());
        Box::new(NewAnswers { form, version, definition, score, has_passed: Some(score > 8_000), content: "{}".into() })
    };
    let fill =
        |agent_id: &str| FormDeed::Fill { call_no: 1, agent_id: agent_id.to_owned(), answers: answers("f", 5_000) };
    let act = |world: &mut World<'_>, deed| {
        world.writer().form_step(&NewFormStep { deed, who: who("李静"), at_ms: 9 }).unwrap()
    };
    let first = || First::new("李静".to_owned(), 9);
    assert_eq!(act(&mut world, fill("a1")), Err(Unfilled::CallInProgress));
    world.keep(vec![closed(1, 5)]);
    assert_eq!(act(&mut world, fill("a1")), Ok(1));
    assert_eq!(act(&mut world, fill("a1")), Err(Unfilled::AlreadyFilled(first())));
    let change = |form: &str, revision| FormDeed::Change { form_no: 1, revision, answers: answers(form, 9_000) };
    let answer = |agent_id: &str, revision, step| FormDeed::Answer {
        form_no: 1,
        revision,
        agent_id: agent_id.to_owned(),
        step,
        content: "{}".into(),
    };
    for (deed, expected) in [
        (change("f", 0), Err(Unfilled::Changed(first()))),
        (change("g", 1), Err(Unfilled::OtherForm)),
        (answer("a2", 1, FormStep::Sign), Err(Unfilled::Unknown)),
        (answer("a1", 1, FormStep::Sign), Ok(1)),
        (answer("a1", 2, FormStep::Object), Err(Unfilled::AlreadySigned)),
        (change("f", 2), Ok(1)),
    ] {
        assert_eq!(act(&mut world, deed), expected);
    }
    let clips = |clip_no, add: &[&str], who| ClipChange {
        clip_no,
        title: Some("标题".to_owned()),
        note: None,
        add: add.iter().map(|id| NewClip { call_no: 1, alert_id: (*id).to_owned(), note: None }).collect(),
        remove: Vec::new(),
        readers: Some(ClipReaders { teams: vec!["一组".to_owned()], ..ClipReaders::default() }),
        revision: None,
        is_removed: false,
        is_admin: false,
        who,
        at_ms: 10,
    };
    assert_eq!(world.writer().keep_clips(&clips(None, &["x"], who("李静"))).unwrap(), Ok(1));
    assert_eq!(world.writer().keep_clips(&clips(Some(2), &[], who("李静"))).unwrap(), Err(Uncollected::Unknown));
    // Changes of one moment have revisions of their own; only its maker or an admin removes a collection.
    let seen = |revision, who| ClipChange { revision: Some(revision), ..clips(Some(1), &[], who) };
    let removed = |is_admin| ClipChange { is_removed: true, is_admin, ..clips(Some(1), &[], who("王强")) };
    let revision = |world: &World<'_>| world.readers().collections(Some(1)).unwrap()[0].changed_ms;
    assert_eq!(revision(&world), 10);
    assert_eq!(world.writer().keep_clips(&seen(10, who("王强"))).unwrap(), Ok(1));
    let changed = Uncollected::Changed(First::new("王强".to_owned(), 10));
    assert_eq!((world.writer().keep_clips(&seen(10, who("李静"))).unwrap(), revision(&world)), (Err(changed), 11));
    let owner = "李静".to_owned();
    assert_eq!(world.writer().keep_clips(&removed(false)).unwrap(), Err(Uncollected::NotOwner { owner }));
    let new = NewCalibration {
        title: "校准".to_owned(),
        form: Some(("1".to_owned(), "{}".to_owned())),
        reviewers: vec!["李静".to_owned(), "王强".to_owned()],
        cases: vec![(1, None), (1, Some("x".to_owned()))],
        who: who("赵敏"),
        made_ms: 11,
        due_ms: 20,
    };
    assert_eq!(world.writer().make_calibration(&new).unwrap(), 1);
    let judge = |case_no, is_call| CalibrationStep::Answer { case_no, is_call, score: None, content: "{}".into() };
    for (name, step, expected) in [
        ("赵敏", judge(1, true), Err(Uncalibrated::OfOthers)),
        ("李静", judge(1, false), Err(Uncalibrated::OtherSort)),
        ("李静", judge(1, true), Ok(())),
        ("李静", judge(2, false), Ok(())),
        ("王强", judge(1, true), Ok(())),
        ("王强", judge(2, false), Ok(())),
        ("王强", judge(2, false), Err(Uncalibrated::Closed)),
    ] {
        assert_eq!(world.writer().calibrate(1, &step, &who(name), 12).unwrap(), expected);
    }
    world.reopen();
    let kept = |world: &World<'_>| {
        let readers = world.readers();
        let forms = readers.filled_forms(&FormFilter::default(), None, 10).unwrap();
        let sessions = readers.calibrations(None).unwrap();
        (
            forms.len(),
            readers.form_steps(1).unwrap().len(),
            readers.clips(1).unwrap().len(),
            sessions[0].cases.len(),
            sessions[0].answers.len(),
        )
    };
    assert_eq!((kept(&world), world.faults()), ((1, 3, 1, 2, 4), vec![]));
    let form = world.readers().filled_forms(&FormFilter::default(), None, 10).unwrap().remove(0);
    assert_eq!((form.score, form.revision, form.signature, form.has_passed), (9_000, 3, Signature::Open, Some(true)));
    let collection = world.readers().collections(None).unwrap().remove(0);
    assert!(collection.readers.include("a9", Some("一组")) && !collection.readers.include("a9", None));
    world.writer().forget(Horizon { transcripts_ms: 9, alerts_ms: 9, outbox_ms: 0 }).unwrap();
    assert_eq!((kept(&world), world.faults()), ((0, 0, 0, 0, 0), vec![]));
    assert_eq!(world.writer().keep_clips(&removed(true)).unwrap(), Ok(1));
    assert_eq!((world.readers().collections(None).unwrap(), world.faults()), (vec![], vec![]));
}

fn a_sample_is_kept_once_and_judged_by_whom_it_was_given_to(kind: &Kind) {
    let mut world = World::new(kind);
    let mut records = vec![call(1, 0), said(1, 1, "您好")];
    records.extend(["x", "y", "z"].map(|alert_id| alert(alert_row(1, alert_id, 1))));
    records.push(closed(1, 5));
    world.keep(records);
    let week = Span { from_ms: Some(0), to_ms: Some(7 * DAY_MS) };
    let draw = |sampled, wanted| Draw {
        plan: "p".to_owned(),
        week,
        closed: Span { from_ms: None, to_ms: Some(6) },
        sampled,
        by: Division::Rule,
        teams: Vec::new(),
        wanted,
        seed: 1,
    };
    let alerts = world.readers().draw(&draw(Sampled::Alert, 2)).unwrap();
    assert_eq!(alerts, world.readers().draw(&draw(Sampled::Alert, 2)).unwrap());
    assert_eq!((alerts.len(), alerts[0].stratum.population, alerts[0].stratum.drawn), (2, 3, 2));
    let calls = world.readers().draw(&draw(Sampled::Call, 5)).unwrap();
    assert_eq!((calls.len(), world.readers().draw(&draw(Sampled::Held, 5)).unwrap().len()), (1, 0));
    let sample = |sampled, drawn: &Drawn, reviewer: &str, is_second| NewSample {
        sampled,
        drawn: drawn.clone(),
        reviewer: reviewer.to_owned(),
        is_second,
    };
    let samples = vec![
        sample(Sampled::Alert, &alerts[0], "李静", false),
        sample(Sampled::Alert, &alerts[0], "王强", true),
        sample(Sampled::Call, &calls[0], "李静", false),
    ];
    let who = |name: &str| Who { name: name.to_owned(), role: Capacity::Person(AccessRole::Qa) };
    let new = NewDraw {
        plan: "p".to_owned(),
        week_ms: 0,
        before_ms: None,
        due_ms: 100,
        until_ms: 50,
        drawn_ms: 50,
        who: who("赵敏"),
        samples,
    };
    assert!(world.writer().keep_draw(&new).unwrap());
    assert!(!world.writer().keep_draw(&new).unwrap(), "once");
    world.reopen();
    let until = |world: &World<'_>, week_ms| world.readers().drawn_until("p", week_ms).unwrap();
    assert_eq!([until(&world, 0), until(&world, 1)], [Some(50), None]);
    // Of what comes in later another draw is kept, behind the one that it knows.
    let late = NewDraw { before_ms: Some(50), until_ms: 60, samples: Vec::new(), ..new };
    assert!(world.writer().keep_draw(&late).unwrap());
    assert!(!world.writer().keep_draw(&late).unwrap(), "it is behind another by now");
    assert_eq!(until(&world, 0), Some(60));
    let of = |to_ms| Draw { closed: Span { from_ms: None, to_ms: Some(to_ms) }, ..draw(Sampled::Alert, 2) };
    assert_eq!([5, 6].map(|to_ms| world.readers().draw_size(&of(to_ms)).unwrap()), [0, 3]);
    let given = |world: &World<'_>, reviewer: &str, is_done| {
        let filter = AssignmentFilter {
            reviewer: Some(reviewer.to_owned()),
            is_done: Some(is_done),
            ..AssignmentFilter::default()
        };
        world.readers().assignments(&filter, None, 10).unwrap()
    };
    let (own, second) = (given(&world, "李静", false), given(&world, "王强", false));
    assert_eq!((own.len(), second.len(), second[0].is_second, own[1].alert.is_none()), (2, 1, true, true));
    let alert_id = own[0].alert_id.clone().unwrap();
    world.take(&target(&alert_id), &step(Action::Confirm, "李静", 60)).unwrap();
    assert_eq!(given(&world, "李静", true).len(), 1, "a review does it");
    let verdict =
        |sample_no, by: &str, verdict| NewVerdict { sample_no, who: who(by), verdict, reason: None, at_ms: 70 };
    let decide = |world: &mut World<'_>, new: &NewVerdict| world.writer().decide_sample(new).unwrap();
    assert_eq!(decide(&mut world, &verdict(99, "李静", "read")), Err(NotGiven::Unknown));
    assert_eq!(decide(&mut world, &verdict(second[0].sample_no, "李静", "confirm")), Err(NotGiven::OfAnother));
    assert_eq!(decide(&mut world, &verdict(own[0].sample_no, "李静", "confirm")), Err(NotGiven::OtherVerdict));
    assert_eq!(decide(&mut world, &verdict(second[0].sample_no, "王强", "dismiss")), Ok(()));
    assert_eq!(decide(&mut world, &verdict(own[1].sample_no, "李静", "read")), Ok(()));
    assert_eq!(decide(&mut world, &verdict(own[1].sample_no, "李静", "read")), Err(NotGiven::Done));
    let judgement = world.readers().judgement(Span::default()).unwrap();
    assert_eq!((judgement.calls_read, judgement.by_rule["r1"].first_only), (1, 1));
    assert_eq!(judgement.by_reviewer.keys().next().unwrap(), &("李静".to_owned(), "王强".to_owned()));
    assert_eq!(judgement.precision["r1"][0].units, [(1, 1)]);
    assert_eq!(judgement.recall["r1"][0].units, [(3, 3)]);
    let progress = world.readers().sampling_progress(Span::default(), 200).unwrap();
    let told: Vec<_> = progress.iter().map(|row| (row.reviewer.as_str(), row.given, row.done, row.overdue)).collect();
    assert_eq!(told, [("李静", 2, 2, 0), ("王强", 1, 1, 0)]);
    assert_eq!(world.faults(), Vec::new());
}

fn what_was_said_is_found_until_it_is_forgotten(kind: &Kind) {
    let mut world = World::new(kind);
    let utterance = |call_no: i64, id: &str, role: &str, text: &str| {
        let event = json!({"type": "utterance", "call_id": "c", "utterance_id": id, "role": role, "text": text,
            "start_ms": 1_000, "end_ms": 2_000, "final": true});
        let entry = Entry::Event(event.to_string().into());
        Record::Moved { call_no, now: CallTime(1), entry, is_kept: true }
    };
    world.keep(vec![
        call(1, 0),
        utterance(1, "u1", "agent", "这个满意渡很低"),
        utterance(1, "u2", "customer", "我的电话是13912345678，要退款"),
        closed(1, 5),
        call(2, DAY_MS),
        utterance(2, "u1", "customer", "我要退，款"),
    ]);
    let ask = |world: &World<'_>, phrase: &str, role: Option<Role>, span: Span| -> Vec<(String, Vec<(usize, usize)>)> {
        let phrase = SpokenPhrase::new(phrase, Homophone::Toneless).unwrap();
        let query = SpokenQuery { phrase, role, span, agent_id: None, team: None, queue: None };
        let found = world.readers().spoken(&query, None, 10).unwrap().unwrap();
        found.found.into_iter().map(|found| (found.text, found.places)).collect()
    };
    assert_eq!(ask(&world, "退款", None, Span::default()), [], "not yet");
    while world.writer().index_spoken().unwrap() {}
    let masked = "我的电话是139****5678，要退款".to_owned();
    assert_eq!(ask(&world, "退款", None, Span::default()), [(masked.clone(), vec![(18, 20)])]);
    assert_eq!(ask(&world, "满意度", None, Span::default())[0].1, [(2, 5)]);
    assert_eq!(ask(&world, "满意度", Some(Role::Customer), Span::default()), []);
    assert_eq!(ask(&world, "13912345678", None, Span::default()), [], "what is masked is not found");
    world.keep(vec![closed(2, DAY_MS + 5)]);
    world.writer().index_spoken().unwrap();
    assert_eq!(ask(&world, "退款", None, Span::default()).len(), 2);
    let day = Span { from_ms: Some(DAY_MS), to_ms: None };
    assert_eq!(ask(&world, "退款", None, day), [("我要退，款".to_owned(), vec![(2, 5)])]);
    world.reopen();
    assert_eq!(ask(&world, "退款", None, Span::default()).len(), 2);
    world.writer().forget(Horizon { transcripts_ms: 100, alerts_ms: 0, outbox_ms: 0 }).unwrap();
    assert_eq!(ask(&world, "退款", None, Span::default()).len(), 1, "words that went are not found");
    // A key, and there is no index any more.
    world.privacy = Privacy { key: Some(key(&"s".repeat(32))), ..Privacy::default() };
    world.reopen();
    world.writer().index_spoken().unwrap();
    let phrase = SpokenPhrase::new("退款", Homophone::Off).unwrap();
    let query = SpokenQuery { phrase, role: None, span: Span::default(), agent_id: None, team: None, queue: None };
    assert_eq!(world.readers().spoken(&query, None, 10).unwrap(), None);
}

fn the_last_answer_of_an_agent_stands(kind: &Kind) {
    let mut world = World::new(kind);
    world.keep(vec![call(1, 0), alert(alert_row(1, "x", 1))]);
    let mut answer = NewFeedback {
        agent_id: "a1".to_owned(),
        alert_id: "x".to_owned(),
        action: FeedbackAction::Seen,
        reason: None,
        given_ms: 4,
        by: Some("a1".to_owned()),
    };
    let answered = world.writer().keep_feedback(&answer).unwrap().unwrap();
    assert_eq!((answered.call_no, answered.call_id.as_str()), (1, "c1"));
    answer =
        NewFeedback { action: FeedbackAction::Dismiss, reason: Some("客户说的".to_owned()), given_ms: 5, ..answer };
    assert!(world.writer().keep_feedback(&answer).unwrap().is_some());
    let unknown = NewFeedback { agent_id: "a2".to_owned(), ..answer.clone() };
    assert_eq!(world.writer().keep_feedback(&unknown).unwrap(), None, "it is not the alert's agent");
    let found = world.readers().alerts(&AlertFilter::default(), Order::OldestFirst, None, None, 1).unwrap();
    let given = found[0].feedback.clone().unwrap();
    assert_eq!((given.action, given.given_ms), (FeedbackAction::Dismiss, 5));
    assert_eq!((given.reason.as_deref(), given.by.as_deref()), (Some("客户说的"), Some("a1")));
}

fn a_mark_is_an_alert_of_a_closed_call(kind: &Kind) {
    let mut world = World::new(kind);
    world.keep(vec![call(1, 0), call(2, 0), closed(1, 5)]);
    let mark = |call_no, alert_id| NewMark {
        row: AlertRow { display: Display::Marked, ..alert_row(call_no, alert_id, 1) },
        rules_version: "v1".to_owned(),
        step: step(Action::Mark, "李静", 10),
        who: Who { name: "李静".to_owned(), role: Capacity::Person(AccessRole::Qa) },
    };
    let mut take = |call_no, alert_id| world.writer().mark(&mark(call_no, alert_id)).unwrap();
    assert_eq!(take(9, "x").unwrap_err(), Untaken::Unknown);
    assert_eq!(take(2, "x").unwrap_err(), Untaken::Impossible(Impossible::CallInProgress));
    assert!(take(1, "x").is_ok());
    assert_eq!(take(1, "x").unwrap_err(), Untaken::Impossible(Impossible::AlreadyMarked));
    world.reopen();
    let found = world.readers().alerts(&AlertFilter::default(), Order::OldestFirst, None, None, 10).unwrap();
    assert_eq!((found.len(), found[0].display, found[0].counts()), (1, Display::Marked, true));
    assert_eq!((found[0].review.standing.verdict, found[0].review.steps.len()), (Verdict::Confirmed, 1));
    assert_eq!(world.faults(), []);
}

// ---- audit, rules, retention -----------------------------------------------

fn the_audit_is_a_chain_that_agrees_with_the_store(kind: &Kind) {
    let mut world = World::new(kind);
    world.writer().load_rules(&load("v1", "[]", 1)).unwrap();
    world.keep(vec![call(1, 0), said(1, 1, "您好"), alert(alert_row(1, "x", 1)), closed(1, 5)]);
    world.take(&target("x"), &step(Action::Confirm, "李静", 10)).unwrap();
    let fact = Fact {
        at_ms: 11,
        who: Who { name: "赵敏".to_owned(), role: Capacity::Person(AccessRole::Qa) },
        action: Audited::Export,
        subject: "alerts".to_owned(),
        detail: json!({"rows": 1}),
    };
    let noted = world.writer().audit(&fact).unwrap();
    while world.writer().seal(12, true).unwrap() {}
    world.reopen();
    let readers = world.readers();
    let all = readers.audit_entries(&AuditFilter::default(), None, 10).unwrap();
    let actions: Vec<&str> = all.iter().rev().map(|entry| &*entry.action).collect();
    assert_eq!(actions, ["reload", "confirm", "export", "seal"]);
    let mut previous = Head::start().hash;
    for entry in all.iter().rev() {
        assert_eq!(entry.hash, entry.hash_behind(&previous), "{entry:?}");
        previous = entry.hash.clone();
    }
    let filter = AuditFilter {
        span: Span { from_ms: Some(10), to_ms: Some(12) },
        actions: vec![Audited::Export, Audited::Seal],
    };
    let found = readers.audit_entries(&filter, None, 10).unwrap();
    assert_eq!(found.iter().map(|entry| &*entry.by).collect::<Vec<_>>(), ["赵敏"]);
    let page = readers.audit_entries(&AuditFilter::default(), Some(Place { ms: 0, no: 3 }), 1).unwrap();
    assert_eq!(page.iter().map(|entry| entry.no).collect::<Vec<_>>(), [2]);
    let check = |noted: &Head| {
        let mut faults = Vec::new();
        let extent = readers.check_audit(Some(noted), |fault| faults.push(fault)).unwrap();
        (extent.entries, faults)
    };
    assert_eq!(check(&noted), (4, Vec::new()));
    let rewritten = Head { hash: previous, ..noted.clone() };
    assert_eq!(check(&rewritten).1, [AuditFault::Rewritten { no: 3 }]);
    let cut_off = Head { no: 9, ..noted };
    assert_eq!(check(&cut_off).1, [AuditFault::CutOff { last: 4, noted: 9 }]);
}

fn a_version_of_the_rules_is_kept_with_its_files(kind: &Kind) {
    let mut world = World::new(kind);
    let first = r#"[{"name":"a.yaml","text":"一"}]"#;
    let second = r#"[{"name":"a.yaml","text":"二"},{"name":"b.yaml","text":"三"}]"#;
    for row in [load("v1", first, 1), load("v2", second, 2), load("v2", second, 3)] {
        world.writer().load_rules(&row).unwrap();
    }
    world.keep(vec![call(1, 0)]);
    let readers = world.readers();
    let versions = readers.rule_versions(None, 10).unwrap();
    assert_eq!(
        versions.iter().map(|found| (&*found.version, found.is_current)).collect::<Vec<_>>(),
        [("v2", true), ("v1", false)]
    );
    let latest = readers.rule_version("v2").unwrap().unwrap();
    assert_eq!((latest.previous.as_deref(), latest.loaded_ms, &*latest.by), (Some("v1"), 2, "赵敏"));
    assert_eq!(latest.files, ["a.yaml", "b.yaml"]);
    let files = VersionFiles { before: Some(first.to_owned()), after: Some(second.to_owned()) };
    assert_eq!(readers.version_files(&latest).unwrap(), files);
    assert_eq!(readers.version_files(&versions[1]).unwrap().before.as_deref(), Some("[]"));
    let behind = Some(Place { ms: latest.loaded_ms, no: latest.loaded_no });
    assert_eq!(readers.rule_versions(behind, 10).unwrap().len(), 1);
    assert_eq!(readers.rule_files("v1").unwrap().as_deref(), Some(first));
    assert!(readers.rule_version("v3").unwrap().is_none() && readers.rule_files("v3").unwrap().is_none());
    assert_eq!(readers.last_version().unwrap().as_deref(), Some("v1"), "of the latest call");
    // In use again, it is the latest.
    world.writer().load_rules(&load("v1", first, 4)).unwrap();
    assert_eq!(world.readers().rule_versions(None, 1).unwrap()[0].version, "v1");
    assert_eq!(world.faults(), []);
}

fn words_go_first_then_alerts_and_calls_in_progress_stay(kind: &Kind) {
    let mut world = World::new(kind);
    for row in [load("unused", "[]", 1), load("v1", "[]", 2), load("v2", "[]", 3)] {
        world.writer().load_rules(&row).unwrap();
    }
    let whole =
        |call_no| [call(call_no, 0), said(call_no, 1, "您好"), alert(alert_row(call_no, &format!("x{call_no}"), 1))];
    let mut records: Vec<Record> = (1..=3).flat_map(whole).collect();
    // The third goes on.
    records.extend([closed(1, 5), closed(2, 50 * DAY_MS)]);
    world.keep(records);
    world.take(&target("x1"), &step(Action::Confirm, "李静", 7)).unwrap();
    let forget = |world: &mut World<'_>, horizon| {
        let mut total = Forgotten::default();
        loop {
            let Forgotten { calls, events, alerts, reviews, webhooks, rule_versions } =
                world.writer().forget(horizon).unwrap();
            if calls + events + alerts + reviews + webhooks + rule_versions == 0 {
                return total;
            }
            total.events += events;
            total.alerts += alerts;
            total.reviews += reviews;
            total.rule_versions += rule_versions;
        }
    };
    let words = Horizon { transcripts_ms: 40 * DAY_MS, alerts_ms: 0, outbox_ms: 0 };
    let gone = forget(&mut world, words);
    assert_eq!((gone.events, gone.alerts), (1, 0));
    assert!(world.readers().transcript(1).unwrap().is_none());
    assert!(world.readers().transcript(2).unwrap().is_some());
    let all = Horizon { alerts_ms: 40 * DAY_MS, ..words };
    let gone = forget(&mut world, all);
    // A version that a call names, and the one in use, stay however old they are.
    assert_eq!((gone.events, gone.alerts, gone.reviews, gone.rule_versions), (0, 1, 1, 1));
    assert_eq!(world.found(&AlertFilter::default()), ["x2", "x3"]);
    assert_eq!(world.readers().rule_versions(None, 10).unwrap().len(), 2);
    // The process ends before the audit is told; it is told once, all the same.
    world.reopen();
    for _ in 0..2 {
        world.writer().tell_forgotten(all, 9).unwrap();
    }
    let told = AuditFilter { actions: vec![Audited::Forget], ..AuditFilter::default() };
    let told = world.readers().audit_entries(&told, None, 10).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].detail["alerts"], &told[0].detail["reviews"]), (&1.into(), &1.into()));
    assert_eq!(world.faults(), []);
    let all = Horizon { transcripts_ms: 60 * DAY_MS, alerts_ms: 60 * DAY_MS, outbox_ms: 0 };
    forget(&mut world, all);
    assert_eq!(world.found(&AlertFilter::default()), ["x3"]);
    assert_eq!(world.readers().open_calls().unwrap().len(), 1);
}

// ---- words: masked, encrypted, copied --------------------------------------

fn what_supervisors_do_is_kept_audited_and_forgotten_with_its_call(kind: &Kind) {
    let mut world = World::with(kind, Privacy { store: StoredWords::Masked, ..Privacy::default() });
    world.keep(vec![call(1, 0), call(2, 0)]);
    let who = |name: &str| Who { name: name.to_owned(), role: Capacity::Person(AccessRole::Qa) };
    let bounds = HelpBounds { of_call: 2, of_minute: 9 };
    let help = |text: &str| NewHelp { text: text.to_owned(), ..help_to("a1", 1, "李静", 5) };
    let first = kept_help(&mut world, &help("回拨13812345678"), bounds);
    let second = kept_help(&mut world, &help("先道歉"), bounds);
    assert_eq!(world.writer().keep_help(&help("多了"), bounds).unwrap(), KeptHelp::TooMany);
    assert_eq!(world.writer().read_help("a2", first, 7).unwrap(), None, "another agent's");
    let read = world.writer().read_help("a1", first, 7).unwrap().unwrap();
    assert_eq!((read.text.as_str(), read.read_ms, read.call_id.as_str()), ("回拨13812345678", Some(7), "c1"));
    assert_eq!(world.writer().read_help("a1", first, 9).unwrap().unwrap().read_ms, Some(7), "the first time counts");
    let unread = |world: &World<'_>| -> Vec<i64> {
        world.readers().unread_helps("a1").unwrap().iter().map(|help| help.help_no).collect()
    };
    assert_eq!(unread(&world), [second]);

    let taken = |by: &str| Charge { by: by.to_owned(), at_ms: 8 };
    let take = |world: &mut World<'_>, call_no, by: &str, instead_of: Option<&str>| {
        world.writer().take_call(call_no, &who(by), instead_of, 8).unwrap()
    };
    assert_eq!(take(&mut world, 1, "李静", None), Attempt::Taken(taken("李静")));
    assert_eq!(take(&mut world, 1, "李静", None), Attempt::Taken(taken("李静")), "twice is once");
    assert_eq!(take(&mut world, 1, "王芳", None), Attempt::Another(taken("李静")));
    assert_eq!(take(&mut world, 1, "王芳", Some("赵敏")), Attempt::Another(taken("李静")), "not whom they saw");
    assert_eq!(take(&mut world, 1, "王芳", Some("李静")), Attempt::Taken(taken("王芳")));
    assert!(!world.writer().release_call(1, "李静", &who("李静"), 9).unwrap());
    assert!(world.writer().release_call(1, "王芳", &who("王芳"), 9).unwrap());
    assert_eq!(take(&mut world, 1, "李静", None), Attempt::Taken(taken("李静")));

    let flag = world.writer().flag_call(1, &who("李静"), Some("骂人"), 10).unwrap();
    let again = world.writer().flag_call(1, &who("王芳"), None, 11).unwrap();
    assert_eq!((&flag, flag.by.as_str()), (&again, "李静"), "it waits already");
    world.writer().flag_call(2, &who("王芳"), None, 12).unwrap();
    let flagged = |world: &World<'_>, is_done| -> Vec<String> {
        world.readers().flagged_calls(is_done, 9).unwrap().into_iter().map(|found| found.call_id).collect()
    };
    assert_eq!(flagged(&world, false), ["c1", "c2"]);
    assert_eq!(world.writer().settle_flag(flag.flag_no, &who("王芳"), 13).unwrap(), Some(1));
    assert_eq!(world.writer().settle_flag(flag.flag_no, &who("李静"), 14).unwrap(), None, "once");
    assert_eq!((flagged(&world, false), flagged(&world, true)), (vec!["c2".to_owned()], vec!["c1".to_owned()]));

    world.reopen();
    let supervised = world.readers().supervised_calls().unwrap();
    assert_eq!(supervised.iter().map(|call| call.call_id.as_str()).collect::<Vec<_>>(), ["c1", "c2"]);
    let Supervision { helps, charge, flag } = world.readers().supervision(1).unwrap();
    assert_eq!((helps.len(), charge, flag.unwrap().done), (2, Some(taken("李静")), Some(("王芳".to_owned(), 13))));
    world.keep(vec![closed(1, 20)]);
    let over = world.readers().supervision(1).unwrap();
    assert_eq!((over.helps[0].text.as_str(), &over.charge), ("回拨138****5678", &None), "masked, and nobody's");
    assert_eq!(take(&mut world, 1, "李静", None), Attempt::Over);
    assert_eq!(unread(&world), [0_i64; 0], "nobody needs help in a call that is over");
    let told = world.readers().audit_entries(&AuditFilter::default(), None, 99).unwrap();
    let actions: Vec<&str> = told.iter().rev().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["help", "help", "take", "take", "release", "take", "flag", "flag", "settle"]);
    assert_eq!(told[0].subject, "c1");
    assert!(!format!("{told:?}").contains("道歉"), "the audit has no words");
    assert_eq!(world.faults(), []);
    let words = Horizon { transcripts_ms: 100, alerts_ms: 0, outbox_ms: 0 };
    world.writer().forget(words).unwrap();
    let left = world.readers().supervision(1).unwrap();
    assert_eq!((left.helps.len(), left.flag.unwrap().note), (0, None), "words go first");
    world.writer().forget(Horizon { alerts_ms: 100, ..words }).unwrap();
    assert_eq!((flagged(&world, true), flagged(&world, false)), (Vec::new(), vec!["c2".to_owned()]));
}

fn help_to(agent_id: &str, call_no: i64, by: &str, at_ms: i64) -> NewHelp {
    let who = Who { name: by.to_owned(), role: Capacity::Person(AccessRole::Qa) };
    NewHelp { call_no, agent_id: agent_id.to_owned(), text: format!("句{at_ms}"), clock_ms: 3_000, who, at_ms }
}

fn kept_help(world: &mut World<'_>, help: &NewHelp, bounds: HelpBounds) -> i64 {
    match world.writer().keep_help(help, bounds).unwrap() {
        KeptHelp::Kept(help_no) => help_no,
        other => panic!("{help:?}: {other:?}"),
    }
}

fn words_to_an_agent_have_a_pace_and_are_found_by_day(kind: &Kind) {
    let mut world = World::new(kind);
    world.keep(vec![call(1, 0), call(2, 0)]);
    let bounds = HelpBounds { of_call: 9, of_minute: 2 };
    for at_ms in [1_000, 4_000] {
        kept_help(&mut world, &help_to("a1", 1, "李静", at_ms), bounds);
    }
    let too_fast = world.writer().keep_help(&help_to("a1", 1, "李静", 60_999), bounds).unwrap();
    assert_eq!(too_fast, KeptHelp::TooFast { wait_ms: 1 });
    // Another's, in another call, a moment later, and by a clock that went back.
    for (call_no, by, at_ms) in [(1, "王芳", 4_000), (2, "李静", 4_000), (1, "李静", 61_000), (1, "李静", 500)]
    {
        kept_help(&mut world, &help_to("a1", call_no, by, at_ms), bounds);
    }
    kept_help(&mut world, &help_to("a2", 2, "王芳", 4_000), bounds);
    let found = |from_ms, to_ms, count_max| -> Vec<(String, i64)> {
        let span = Span { from_ms: Some(from_ms), to_ms: Some(to_ms) };
        let helps = world.readers().helps_of("a1", span, count_max).unwrap();
        helps.into_iter().map(|help| (help.call_id, help.at_ms)).collect()
    };
    let told = |call_id: &str, at_ms| (call_id.to_owned(), at_ms);
    assert_eq!(found(1_000, 4_001, 9), [told("c1", 1_000), told("c1", 4_000), told("c1", 4_000), told("c2", 4_000)]);
    assert_eq!(found(1_000, 4_001, 1), [told("c2", 4_000)], "the latest");
    assert_eq!(found(1_001, 4_000, 9), []);
}

fn a_threshold_is_kept_with_its_letters_and_counts_what_stands(kind: &Kind) {
    let mut world = World::new(kind);
    let crossing = |at_ms| Crossing { threshold: "多".to_owned(), value: 6, at_ms };
    let webhooks = [Arc::from("hook")];
    world.writer().keep_crossing(&crossing(5), &webhooks, "{\"type\":\"threshold\"}").unwrap();
    world.writer().keep_crossing(&crossing(9), &[], "{}").unwrap();
    world.reopen();
    assert_eq!(world.readers().last_crossing("多").unwrap(), Some(9));
    assert_eq!(world.readers().last_crossing("少").unwrap(), None);
    assert_eq!(world.readers().letter_after("hook", 0).unwrap().unwrap().alert, "{\"type\":\"threshold\"}");
    let stands = |alert_id: &str, said_ms, display| AlertRow { display, ..alert_row(1, alert_id, said_ms) };
    let taken_back = AlertRow { state: AlertState::Retracted, ..alert_row(1, "b", 50) };
    world.keep(vec![
        call(1, 0),
        alert(stands("a", 40, Display::Folded)),
        alert(stands("b", 50, Display::Card)),
        alert(stands("c", 60, Display::Held)),
        alert(stands("d", 30, Display::Card)),
        alert(stands("e", 10, Display::Card)),
        alert(taken_back),
    ]);
    let recent = |count_max| -> Vec<String> {
        world.readers().recent_alerts(20, count_max).unwrap().into_iter().map(|recent| recent.alert_id).collect()
    };
    assert_eq!(recent(9), ["d", "a"], "told, standing, of the last while, the earliest first");
    assert_eq!(recent(1), ["a"]);
    assert_eq!(world.readers().recent_alerts(20, 1).unwrap()[0].queue.as_deref(), Some("q1"));
}

fn a_masked_store_masks_a_call_when_it_is_closed(kind: &Kind) {
    let mut world = World::with(kind, Privacy { store: StoredWords::Masked, ..Privacy::default() });
    let words = "我的手机号是13812345678";
    world.keep(vec![call(1, 0), said(1, 1, words), call(2, 0), said(2, 1, words)]);
    let told = |world: &World<'_>, call_no| {
        let query = CallQuery {
            call_id: format!("c{call_no}"),
            started_ms: None,
            with_held: false,
            events_max: 9,
            alerts_max: 9,
        };
        world.readers().call_record(&query).unwrap().unwrap().events.concat()
    };
    assert!(told(&world, 1).contains("13812345678"), "a call in progress may have to be judged again");
    world.keep(vec![closed(1, 5)]);
    assert!(!told(&world, 1).contains("12345678"), "{}", told(&world, 1));
    assert!(told(&world, 1).contains("我的手机号是"));
    assert!(told(&world, 2).contains("13812345678"));
    world.reopen();
    let transcript = world.readers().transcript(1).unwrap().unwrap();
    assert!(!transcript.told[0].1.contains("12345678"));
}

fn an_encrypted_store_is_read_with_its_keys_only(kind: &Kind) {
    let first = "first-0123456789abcdef0123456789abcdef";
    let second = "second-0123456789abcdef0123456789abcde";
    let mut world = World::with(kind, Privacy { key: Some(key(first)), ..Privacy::default() });
    world.keep(vec![call(1, 0), said(1, 1, "机密的话"), alert(alert_row(1, "x", 1)), closed(1, 5)]);
    let words = |readers: &Readers| readers.transcript(1).map(|found| found.unwrap().told[0].1.clone());
    assert!(words(&world.readers()).unwrap().contains("机密的话"));
    assert_eq!(world.found(&AlertFilter::default()), ["x"]);
    let directory = world.directory.path().to_owned();
    // Beside the server: without a key all but the words, with another key nothing.
    let without = (kind.beside)(&directory, None).unwrap();
    assert_eq!(without.count_stored(&Stored::default()).unwrap(), 1);
    assert!(words(&without).is_err());
    let other = Privacy { key: Some(key(second)), ..Privacy::default() };
    let sealed = |result: Result<(), StoreError>| matches!(result, Err(StoreError::Sealed { .. }));
    assert!(sealed((kind.beside)(&directory, Some(&other)).map(|_| ())));
    world.opened = None;
    assert!(sealed((kind.open)(&directory, &other).map(|_| ())));
    assert!(sealed((kind.open)(&directory, &Privacy::default()).map(|_| ())));
    // A new key seals from now on; the old one still opens.
    world.privacy = Privacy { old_keys: vec![key(first)], ..other };
    world.reopen();
    world.keep(vec![call(2, 0), said(2, 1, "后来的话"), closed(2, 5)]);
    assert!(words(&world.readers()).unwrap().contains("机密的话"));
    assert!(world.readers().transcript(2).unwrap().unwrap().told[0].1.contains("后来的话"));
}

fn a_backup_is_the_store_under_another_identity(kind: &Kind) {
    let mut world = World::new(kind);
    world.keep(vec![call(1, 0), said(1, 1, "您好"), alert(alert_row(1, "x", 1)), closed(1, 5)]);
    world.take(&target("x"), &step(Action::Confirm, "李静", 10)).unwrap();
    let elsewhere = TempDir::new().unwrap();
    let file = elsewhere.path().join("backup");
    (kind.back_up)(world.directory.path(), &file).unwrap();
    // Written after the backup, beside which the server goes on.
    world.keep(vec![call(2, 0), alert(alert_row(2, "later", 1))]);
    let restored = elsewhere.path().join("restored");
    (kind.restore)(&file, &restored).unwrap();
    assert!(matches!((kind.restore)(&file, &restored), Err(BackupError::Occupied { .. })));
    let store = (kind.open)(&restored, &Privacy::default()).unwrap();
    let readers = store.readers();
    assert_ne!(readers.store_id().unwrap(), world.readers().store_id().unwrap());
    let alerts = readers.alerts(&AlertFilter::default(), Order::OldestFirst, None, None, 10).unwrap();
    assert_eq!(alerts.iter().map(|found| id_in(&found.json)).collect::<Vec<_>>(), ["x"]);
    assert_eq!((alerts[0].review.steps.len(), store.writer().unwrap().next_call_no().unwrap()), (1, 2));
    let mut faults = Vec::new();
    readers.check_audit(None, |fault| faults.push(fault)).unwrap();
    assert_eq!(faults, []);
}

// ---- restarts, webhooks, replays -------------------------------------------

fn a_restart_finds_what_was_in_progress(kind: &Kind) {
    let mut world = World::new(kind);
    let provisional = AlertRow { state: AlertState::Provisional, ..alert_row(2, "y", 8) };
    let confirmed = AlertRow { state: AlertState::Confirmed, ..alert_row(2, "y", 8) };
    let retracted = AlertRow { state: AlertState::Retracted, ..alert_row(2, "y", 8) };
    world.keep(vec![call(1, 0), call(2, 0), said(1, 1, "一"), said(2, 2, "二"), moved(2, 3, Entry::Tick)]);
    world.keep(vec![alert(alert_row(1, "x", 1)), moved(2, 4, Entry::Leg), moved(2, 5, Entry::Unheard)]);
    let cursors = world.keep(vec![alert(provisional), alert(confirmed), alert(retracted), closed(1, 9)]);
    let identity = world.readers().store_id().unwrap();
    world.reopen();
    assert_eq!(world.readers().store_id().unwrap(), identity);
    assert_eq!(world.writer().next_call_no().unwrap(), 3);
    let readers = world.readers();
    let open = readers.open_calls().unwrap();
    assert_eq!(open.iter().map(|call| (call.call_no, &*call.rules_version)).collect::<Vec<_>>(), [(2, "v1")]);
    assert!(open[0].start.contains("c2"));
    let mut told = Vec::new();
    readers.replay(|call_no, now, entry| told.push((call_no, now.0, entry))).unwrap();
    told.retain(|(call_no, ..)| *call_no == 2);
    assert!(matches!(&told[0], (2, 2, Entry::Event(json)) if json.contains('二')), "{told:?}");
    assert_eq!(told[1..], [(2, 3, Entry::Tick), (2, 4, Entry::Leg), (2, 5, Entry::Unheard)]);
    let alerts = readers.open_alerts().unwrap();
    assert_eq!(alerts.iter().map(|alert| &*alert.alert_id).collect::<Vec<_>>(), ["y"]);
    assert_eq!((alerts[0].state, alerts[0].was_confirmed), (AlertState::Retracted, true));
    // A row of another process goes behind them all.
    let later = world.keep(vec![moved(2, 6, Entry::Tick), alert(alert_row(2, "z", 9))]);
    assert!(later[0] > cursors[2]);
    let mut times = Vec::new();
    readers.replay(|call_no, now, _| times.extend((call_no == 2).then_some(now.0))).unwrap();
    assert_eq!(times, [2, 3, 4, 5, 6]);
}

fn an_agent_s_calls_are_those_they_answered_or_have_alerts_in(kind: &Kind) {
    let mut world = World::new(kind);
    let duty = |rule_id: &str, said, missed| KeptDuty { rule_id: rule_id.to_owned(), said, missed };
    let close = |call_no, duties| {
        let row = ClosedRow { call_no, reason: CloseReason::Ended, closed_ms: 90, numbers: None, end: None, duties };
        Record::Closed(Box::new(row))
    };
    let of_other = |row: AlertRow| AlertRow { agent_id: "a2".to_owned(), ..row };
    world.keep(vec![call(1, 10), call(2, 20), call(3, 30), call(4, 40)]);
    world.keep(vec![
        alert(alert_row(1, "x", 11)),
        alert(AlertRow { display: Display::Shadow, ..alert_row(2, "y", 21) }),
        alert(of_other(alert_row(2, "z", 22))),
        close(1, vec![duty("r", 1, 0), duty("s", 0, 2)]),
        close(2, Vec::new()),
        close(3, Vec::new()),
    ]);
    let found = |agent_id: &str, from_ms, count_max| -> Vec<(i64, usize, usize)> {
        let span = Span { from_ms: Some(from_ms), to_ms: Some(40) };
        let calls = world.readers().own_calls(agent_id, span, count_max).unwrap();
        calls.iter().map(|call| (call.started_ms, call.deductions.len(), call.duties.len())).collect()
    };
    // The fourth is still in progress.
    assert_eq!(found("a1", 0, 10), [(10, 1, 2), (20, 0, 0), (30, 0, 0)]);
    assert_eq!(found("a1", 20, 10), [(20, 0, 0), (30, 0, 0)]);
    assert_eq!(found("a1", 0, 2), [(20, 0, 0), (30, 0, 0)], "the latest");
    assert_eq!(found("a2", 0, 10), [(20, 1, 0)]);
    let span = Span { from_ms: None, to_ms: None };
    assert_eq!(world.readers().own_calls("a1", span, 1_000).unwrap()[0].duties, [duty("r", 1, 0), duty("s", 0, 2)]);
}

fn a_closed_call_is_known_when_it_is_sent_again(kind: &Kind) {
    let mut world = World::new(kind);
    let numbers = Numbers::forgotten_up_to(5);
    let close = |call_no, reason, numbers| {
        Record::Closed(Box::new(ClosedRow { call_no, reason, closed_ms: 5, numbers, end: None, duties: Vec::new() }))
    };
    world.keep(vec![call(1, 10), call(2, 20), call(3, 30), close(1, CloseReason::Idle, Some(numbers.clone()))]);
    world.keep(vec![close(2, CloseReason::Ended, Some(numbers.clone()))]);
    let known = |count_max, bytes_max| -> Vec<(String, i64, bool, bool)> {
        let calls = world.readers().closed_calls(count_max, bytes_max).unwrap();
        calls.into_iter().map(|call| (call.call_id, call.started_ms, call.is_idle, call.numbers.is_some())).collect()
    };
    let listed = [("c2".to_owned(), 20, false, true), ("c1".to_owned(), 10, true, true)];
    assert_eq!(known(10, usize::MAX), listed);
    assert_eq!(known(1, usize::MAX), listed[..1]);
    let numbered: Vec<bool> = known(10, 1).into_iter().map(|(.., is_numbered)| is_numbered).collect();
    assert_eq!(numbered, [true, false], "the latest have their numbers first");
    assert_eq!(world.readers().closed_calls(1, usize::MAX).unwrap()[0].numbers, Some(numbers));
}

fn letters_wait_in_order_until_they_are_settled(kind: &Kind) {
    let mut world = World::new(kind);
    let letter = |alert_id: &str, made_ms, webhooks: &[&str]| {
        let webhooks = webhooks.iter().map(|name| Arc::from(*name)).collect();
        alert(AlertRow { webhooks, made_ms, ..alert_row(1, alert_id, 1) })
    };
    world.keep(vec![call(1, 0), letter("x", 10, &["one", "two"]), letter("y", 20, &["one"])]);
    let next = |world: &World<'_>, webhook: &str, after| world.readers().letter_after(webhook, after).unwrap();
    let first = next(&world, "one", 0).unwrap();
    assert_eq!((id_in(&first.alert), first.made_ms, first.due_ms, first.attempts), ("x".to_owned(), 10, 10, 0));
    let second = next(&world, "one", first.outbox_no).unwrap();
    assert_eq!(id_in(&second.alert), "y");
    assert!(next(&world, "one", second.outbox_no).is_none() && next(&world, "three", 0).is_none());
    world.keep(vec![Record::Postponed { outbox_no: first.outbox_no, due_ms: 99, attempts: 3 }]);
    world.reopen();
    let again = next(&world, "one", 0).unwrap();
    assert_eq!((again.outbox_no, again.due_ms, again.attempts), (first.outbox_no, 99, 3));
    world.keep(vec![Record::Settled { outbox_no: first.outbox_no }]);
    assert_eq!(next(&world, "one", 0).unwrap().outbox_no, second.outbox_no);
    let mut waiting: Vec<_> = world.readers().backlogs().unwrap();
    waiting.sort_by(|a, b| a.webhook.cmp(&b.webhook));
    let waiting: Vec<_> = waiting.iter().map(|one| (&*one.webhook, one.letters, one.oldest_ms)).collect();
    assert_eq!(waiting, [("one", 1, 20), ("two", 1, 10)]);
    let horizon = Horizon { transcripts_ms: 0, alerts_ms: 0, outbox_ms: 15 };
    assert_eq!(world.writer().forget(horizon).unwrap().webhooks, 1);
    assert!(next(&world, "two", 0).is_none());
}

fn closed_calls_are_replayed_as_they_were_told(kind: &Kind) {
    let mut world = World::new(kind);
    let other = CallRow { agent_id: "a2".to_owned(), ..call_row(3, 10) };
    let left_open = Record::LeftOpen { call_no: 1, now: CallTime(2), json: "{\"text\":\"半句\"}".into() };
    world.keep(vec![call(1, 10), call(2, 20), Record::Call(Box::new(other)), call(4, 40)]);
    world.keep(vec![said(1, 1, "一"), said(1, 3, "三"), left_open, closed(1, 5), closed(2, 5), closed(3, 5)]);
    let readers = world.readers();
    let all = Stored::default();
    assert_eq!(readers.count_stored(&all).unwrap(), 3, "the fourth goes on");
    let page = readers.stored_calls(&all, None, 2).unwrap();
    assert_eq!(page, [Place { ms: 10, no: 1 }, Place { ms: 10, no: 3 }]);
    assert_eq!(readers.stored_calls(&all, page.last().copied(), 2).unwrap(), [Place { ms: 20, no: 2 }]);
    let of_agent = Stored { agent_id: Some("a2".to_owned()), ..Stored::default() };
    let of_span = Stored { span: Span { from_ms: Some(11), to_ms: Some(40) }, ..Stored::default() };
    assert_eq!((readers.count_stored(&of_agent).unwrap(), readers.count_stored(&of_span).unwrap()), (1, 1));
    let Transcript { start, told } = readers.transcript(1).unwrap().unwrap();
    assert!(start.contains("c1"));
    assert_eq!(
        told.iter().map(|(now, _)| now.0).collect::<Vec<_>>(),
        [1, 2, 3],
        "a hypothesis stands where it arrived"
    );
    assert!(told[1].1.contains("半句"));
    assert!(readers.transcript(9).unwrap().is_none());
}

fn a_store_has_one_owner(kind: &Kind) {
    let mut world = World::new(kind);
    world.keep(vec![call(1, 0)]);
    let directory = world.directory.path().to_owned();
    let second = (kind.open)(&directory, &Privacy::default());
    assert!(matches!(second, Err(StoreError::Locked { .. } | StoreError::Taken { .. })), "{second:?}");
    assert!((kind.beside)(&directory, Some(&Privacy::default())).is_ok(), "who only reads may");
    let elsewhere = TempDir::new().unwrap();
    assert!(matches!((kind.beside)(elsewhere.path(), None), Err(StoreError::Missing { .. } | StoreError::Empty)));
    world.opened = None;
    assert!((kind.open)(&directory, &Privacy::default()).is_ok());
}

// ---- stores for other tests -------------------------------------------------

/// Writes a store of SQLite with something in most tables, whose latest alert is gone; returns the greatest cursor that was given.
pub(super) fn written(directory: &Path) -> i64 {
    let store = Store::open(directory, &Privacy::default()).unwrap();
    let opened = Some((store.writer().map(|writer| (store, writer))).unwrap());
    let mut world = World { kind: &SQLITE, directory: TempDir::new().unwrap(), privacy: Privacy::default(), opened };
    world.writer().load_rules(&load("v1", r#"[{"name":"a.yaml","text":"一"}]"#, 5)).unwrap();
    differing(&mut world);
    let numbers = Numbers::default();
    let row = CallRow { numbers: Some(numbers), queue: None, ..call_row(3, 7) };
    world.keep(vec![Record::Call(Box::new(row)), said(3, 5, "我不知道"), moved(3, 9, Entry::Tick)]);
    world.take(&target("x"), &step(Action::Dismiss, "李静", 9)).unwrap();
    let answer = NewFeedback {
        agent_id: "a1".to_owned(),
        alert_id: "x".to_owned(),
        action: FeedbackAction::Dismiss,
        reason: Some("听错了".to_owned()),
        given_ms: 8,
        by: None,
    };
    assert!(world.writer().keep_feedback(&answer).unwrap().is_some());
    // More than a page.
    world.keep((0..2_500).map(|number| said(3, 10 + number, "您好")).collect());
    let cursors = world.keep(vec![call(4, 0), alert(alert_row(4, "gone", 1)), closed(4, 1)]);
    let old = Horizon { transcripts_ms: 2, alerts_ms: 2, outbox_ms: 0 };
    while world.writer().forget(old).unwrap() != Forgotten::default() {}
    world.writer().tell_forgotten(old, 9).unwrap();
    while world.writer().seal(100, true).unwrap() {}
    cursors[0]
}

/// A call with an utterance and an alert.
pub(super) fn alert_of_a_call(call_no: i64) -> Vec<Record> {
    vec![call(call_no, 0), said(call_no, 1, "您好"), alert(alert_row(call_no, &format!("x{call_no}"), call_no))]
}

/// The cursor of an alert that is written now.
pub(super) fn next_cursor(writer: &mut Writer) -> i64 {
    let mut records = [alert(alert_row(2, "next", 3))];
    writer.commit(&mut records).unwrap();
    match records[0] {
        Record::Alert { cursor, .. } => cursor.unwrap(),
        _ => 0,
    }
}

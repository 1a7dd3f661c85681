//! The tables, and how a store of an earlier version becomes one of this.

use std::cmp::Ordering;

use crate::server::store::StoreError;
use crate::server::store::sql::{Connection, Transaction, translate_tables};

/// One step from each version to the next; the version is how many were done.
/// A step that was released is never edited.
///
/// PostgreSQL takes the same steps; what it says otherwise is in [`IN_POSTGRES`].
const STEPS: &[&str] = &[V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11, V12, V13, V14, V15, V16, V17, V18];

const V1: &str = "
-- One row a call. `call_no` stands for it in the other tables: a producer may
-- use a `call_id` again for a call that was answered at another time.
CREATE TABLE calls (
    call_no INTEGER PRIMARY KEY,
    call_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    queue TEXT,
    started_at TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    rules_version TEXT NOT NULL,
    start TEXT NOT NULL,
    end_ms INTEGER,
    ended_by TEXT,
    closed_ms INTEGER,
    close_reason TEXT,
    last_seq INTEGER
) STRICT;
CREATE INDEX calls_by_id ON calls (call_id);
CREATE INDEX calls_by_time ON calls (started_ms);
CREATE INDEX calls_by_agent ON calls (agent_id, started_ms);
CREATE INDEX calls_by_age ON calls (closed_ms);
CREATE INDEX calls_with_words ON calls (closed_ms) WHERE start <> '';
CREATE INDEX calls_open ON calls (call_no) WHERE closed_ms IS NULL;

-- All that calls in progress were told, in the order in which it was applied,
-- each with the time that the call's clock then showed. Trimmed at the front
-- when calls close, so it has no index but its order.
CREATE TABLE journal (
    serial INTEGER PRIMARY KEY,
    call_no INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    now_ms INTEGER NOT NULL,
    json TEXT
) STRICT;

-- What is kept of a call: finals, and what happened. Hypotheses that a final
-- replaced are not.
CREATE TABLE events (
    call_no INTEGER NOT NULL,
    serial INTEGER NOT NULL,
    now_ms INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (call_no, serial)
) STRICT, WITHOUT ROWID;

-- One row a transition of an alert. `cursor` never runs backwards, even when
-- the latest rows are deleted.
CREATE TABLE alerts (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT,
    call_no INTEGER NOT NULL,
    alert_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    rule_id TEXT NOT NULL,
    severity TEXT NOT NULL,
    state TEXT NOT NULL,
    said_ms INTEGER NOT NULL,
    display TEXT NOT NULL,
    json TEXT NOT NULL
) STRICT;
CREATE INDEX alerts_by_agent ON alerts (agent_id, cursor);
CREATE INDEX alerts_by_call ON alerts (call_no, cursor);
CREATE INDEX alerts_by_id ON alerts (alert_id);
CREATE INDEX alerts_by_time ON alerts (said_ms);

-- One row an alert: where it stands now, for whoever asks. `alert_no` is the
-- cursor of its first transition and `said_ms` the moment that one told, so an
-- alert keeps its place in every list, whatever becomes of it. `history` has
-- all its states, in their order. Alerts are rare, so indexes cost little here.
CREATE TABLE latest_alerts (
    alert_no INTEGER PRIMARY KEY,
    cursor INTEGER NOT NULL,
    call_no INTEGER NOT NULL,
    alert_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    rule_id TEXT NOT NULL,
    pack TEXT NOT NULL,
    severity TEXT NOT NULL,
    deduct INTEGER NOT NULL,
    state TEXT NOT NULL,
    history TEXT NOT NULL,
    said_ms INTEGER NOT NULL,
    display TEXT NOT NULL,
    UNIQUE (call_no, alert_id)
) STRICT;
CREATE INDEX latest_by_time ON latest_alerts (said_ms);
CREATE INDEX latest_by_agent ON latest_alerts (agent_id, said_ms);
CREATE INDEX latest_by_rule ON latest_alerts (rule_id, said_ms);

-- One row: what tells the cursors of this store from those of another.
CREATE TABLE identity (store_id INTEGER NOT NULL) STRICT;
INSERT INTO identity (store_id) VALUES (abs(random() % 1000000000000) + 1);

-- The files behind every version of the rules that a call ran on.
CREATE TABLE rule_versions (
    version TEXT PRIMARY KEY,
    loaded_ms INTEGER NOT NULL,
    files TEXT NOT NULL
) STRICT;

-- What agents answered to their alerts.
CREATE TABLE feedback (
    feedback_no INTEGER PRIMARY KEY,
    alert_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    action TEXT NOT NULL,
    reason TEXT,
    given_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX feedback_by_alert ON feedback (alert_id);

-- What webhooks are still to be told. `outbox_no` is part of what receivers
-- know a delivery by, so none is used twice.
CREATE TABLE outbox (
    outbox_no INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook TEXT NOT NULL,
    made_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    alert TEXT NOT NULL
) STRICT;
CREATE INDEX outbox_by_webhook ON outbox (webhook, outbox_no, made_ms);
";

const V2: &str = "
-- An alert's id is used again with its call's; an answer belongs to one of
-- them. Of what was answered before, the latest call is the best guess.
ALTER TABLE feedback ADD COLUMN call_no INTEGER NOT NULL DEFAULT 0;
CREATE INDEX latest_by_id ON latest_alerts (alert_id);
UPDATE feedback SET call_no = coalesce(
    (SELECT max(call_no) FROM latest_alerts WHERE latest_alerts.alert_id = feedback.alert_id), 0);
-- What belongs to no alert would stay for ever.
DELETE FROM feedback WHERE call_no = 0;
DROP INDEX feedback_by_alert;
CREATE INDEX feedback_by_alert ON feedback (call_no, alert_id);

-- Where people have an alert: the outcome of its steps, kept beside it because
-- scores and filters ask for it.
ALTER TABLE latest_alerts ADD COLUMN verdict TEXT NOT NULL DEFAULT 'unreviewed';
ALTER TABLE latest_alerts ADD COLUMN appeal TEXT;
CREATE INDEX reviewed_by_rule ON latest_alerts (rule_id) WHERE verdict <> 'unreviewed' OR appeal IS NOT NULL;
CREATE INDEX reviewed_by_time ON latest_alerts (said_ms) WHERE verdict <> 'unreviewed' OR appeal IS NOT NULL;

-- One row a step of review or appeal; `audit_no` is the entry that tells of it.
CREATE TABLE reviews (
    review_no INTEGER PRIMARY KEY,
    call_no INTEGER NOT NULL,
    alert_id TEXT NOT NULL,
    action TEXT NOT NULL,
    by TEXT NOT NULL,
    role TEXT NOT NULL,
    reason TEXT,
    at_ms INTEGER NOT NULL,
    audit_no INTEGER NOT NULL
) STRICT;
CREATE INDEX reviews_by_alert ON reviews (call_no, alert_id);

-- What was done, by whom, for ever: each hash covers its entry and the hash
-- before it. The triggers stop mistakes; `tingjian audit verify` finds the rest.
CREATE TABLE audit (
    no INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    by TEXT NOT NULL,
    role TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_action ON audit (action, no);
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_is_never_cut BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

-- One row: what was removed because of its age and is not in the audit yet. A
-- round of forgetting has many steps and one entry.
CREATE TABLE forgotten (
    calls INTEGER NOT NULL,
    events INTEGER NOT NULL,
    alerts INTEGER NOT NULL,
    reviews INTEGER NOT NULL,
    webhooks INTEGER NOT NULL,
    rule_versions INTEGER NOT NULL
) STRICT;
INSERT INTO forgotten VALUES (0, 0, 0, 0, 0, 0);

-- When each version of the rules came into use, last: the greatest `loaded_no`
-- is in use.
ALTER TABLE rule_versions ADD COLUMN loaded_no INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rule_versions ADD COLUMN by TEXT NOT NULL DEFAULT '';
ALTER TABLE rule_versions ADD COLUMN trigger TEXT NOT NULL DEFAULT '';
ALTER TABLE rule_versions ADD COLUMN previous TEXT;
UPDATE rule_versions SET loaded_no = (SELECT count(*) FROM rule_versions AS earlier
    WHERE (earlier.loaded_ms, earlier.version) <= (rule_versions.loaded_ms, rule_versions.version));
UPDATE rule_versions SET previous = (SELECT earlier.version FROM rule_versions AS earlier
    WHERE earlier.loaded_no = rule_versions.loaded_no - 1);
CREATE INDEX rules_by_load ON rule_versions (loaded_no);
CREATE INDEX calls_by_rules ON calls (rules_version);
";

// Entries of a kind that earlier programs take for an event without its text:
// they are to refuse the store, not to stumble over it.
const V3: &str = "
-- journal.kind = 3: the agent was told that no words come.
";

const V4: &str = "
-- Whose token an agent's answer came with. What was answered before may be another's.
ALTER TABLE feedback ADD COLUMN by TEXT;
";

const V5: &str = "
-- The keys that words are sealed with, by their names. Sealed words are of no use to earlier programs.
CREATE TABLE sealing_keys (name TEXT PRIMARY KEY) STRICT;
";

const V6: &str = "
-- Closed calls whose digests are not in the audit yet.
CREATE TABLE unsealed (call_no INTEGER PRIMARY KEY) STRICT;
INSERT INTO unsealed SELECT call_no FROM calls WHERE closed_ms IS NOT NULL;
";

const V7: &str = "
-- The numbers of the events that a closed call was sent, as `numbers.rs` writes
-- them, instead of the highest one; of a call that goes on after it was closed,
-- those of before.
ALTER TABLE calls ADD COLUMN numbers BLOB;
ALTER TABLE calls DROP COLUMN last_seq;
";

const V8: &str = "
-- What plans of `[review]` drew, each once a week.
CREATE TABLE draws (
    plan TEXT NOT NULL,
    week_ms INTEGER NOT NULL,
    drawn_ms INTEGER NOT NULL,
    PRIMARY KEY (plan, week_ms)
) STRICT, WITHOUT ROWID;

-- One row something that was drawn and the reviewer who was given it: an alert, or a whole call (without `alert_id`).
-- `drawn` of the `population` of its stratum were drawn.
CREATE TABLE samples (
    sample_no INTEGER PRIMARY KEY,
    plan TEXT NOT NULL,
    week_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    call_no INTEGER NOT NULL,
    alert_id TEXT,
    rule_id TEXT,
    stratum TEXT NOT NULL,
    drawn INTEGER NOT NULL,
    population INTEGER NOT NULL,
    reviewer TEXT NOT NULL,
    is_second INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    verdict TEXT,
    reason TEXT,
    done_ms INTEGER
) STRICT;
CREATE INDEX samples_by_reviewer ON samples (reviewer, due_ms);
CREATE INDEX samples_by_week ON samples (week_ms);
CREATE INDEX samples_by_call ON samples (call_no);
-- Alerts that reviewers marked (display = 'marked') are of no use to earlier programs.
";

const V9: &str = "
-- Utterances of calls that are over, for searches. Their sounds are in the index, their words where they always are.
-- `spoken_no` is part of cursors, so none is used twice.
CREATE TABLE spoken (
    spoken_no INTEGER PRIMARY KEY AUTOINCREMENT,
    call_no INTEGER NOT NULL,
    utterance_id TEXT NOT NULL,
    role TEXT NOT NULL,
    said_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX spoken_by_call ON spoken (call_no);
CREATE VIRTUAL TABLE spoken_sounds USING fts5 (sounds, content = '', contentless_delete = 1, tokenize = 'ascii');
-- Closed calls that are not in the index yet.
CREATE TABLE unindexed (call_no INTEGER PRIMARY KEY) STRICT;
-- One row: which sounds the index is of.
CREATE TABLE sounds (digest TEXT NOT NULL) STRICT;
";

const V10: &str = "
-- What agents are called and which team they belong to, by the file of the configuration or by the start of a call.
CREATE TABLE agents (
    agent_id TEXT PRIMARY KEY,
    name TEXT,
    team TEXT,
    site TEXT,
    of_file INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX agents_by_team ON agents (team);
";

const V11: &str = "
-- Filters and columns of a page under a name, for their owner or for all.
CREATE TABLE views (
    view_no INTEGER PRIMARY KEY AUTOINCREMENT,
    page TEXT NOT NULL,
    name TEXT NOT NULL,
    query TEXT NOT NULL,
    owner TEXT NOT NULL,
    is_shared INTEGER NOT NULL,
    saved_ms INTEGER NOT NULL,
    UNIQUE (page, owner, name)
) STRICT;
";

const V12: &str = "
-- How far the partitions of topics are consumed: the offset of the next record.
CREATE TABLE consumed (
    source TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    PRIMARY KEY (source, topic, partition)
) STRICT, WITHOUT ROWID;
";

const V13: &str = "
-- Whom the report of the week that ends then was sent to, or how often that was tried.
CREATE TABLE reports (
    until_ms INTEGER NOT NULL,
    recipient TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    is_done INTEGER NOT NULL,
    PRIMARY KEY (until_ms, recipient)
) STRICT, WITHOUT ROWID;
";

const V14: &str = "
-- Drafts of rules: the whole file as it would be, and as it was. `written` is the file as the draft wrote it last.
CREATE TABLE drafts (
    draft_no INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    file TEXT NOT NULL,
    rule_id TEXT NOT NULL,
    base TEXT,
    text TEXT NOT NULL,
    state TEXT NOT NULL,
    checked TEXT,
    is_green INTEGER NOT NULL,
    written TEXT,
    changed_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE draft_steps (
    step_no INTEGER PRIMARY KEY,
    draft_no INTEGER NOT NULL,
    action TEXT NOT NULL,
    by TEXT NOT NULL,
    role TEXT NOT NULL,
    reason TEXT,
    at_ms INTEGER NOT NULL,
    text TEXT
) STRICT;
CREATE INDEX draft_steps_by_draft ON draft_steps (draft_no, step_no);
-- What decides when each rule of a version fires, by name: its figures go on while that stays.
CREATE TABLE rule_digests (
    version TEXT NOT NULL,
    rule_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (version, rule_id)
) STRICT, WITHOUT ROWID;
";

const V15: &str = "
-- Scoring forms in the versions in which any was filled.
CREATE TABLE form_versions (
    form TEXT NOT NULL,
    version TEXT NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (form, version)
) STRICT, WITHOUT ROWID;

-- One row a form that a reviewer filled about an agent in a call, as it stands. Scores are in hundredths.
CREATE TABLE filled_forms (
    form_no INTEGER PRIMARY KEY AUTOINCREMENT,
    call_no INTEGER NOT NULL,
    form TEXT NOT NULL,
    version TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    score INTEGER NOT NULL,
    passed INTEGER,
    signature TEXT NOT NULL,
    revision INTEGER NOT NULL,
    filled_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL,
    UNIQUE (call_no, form, agent_id)
) STRICT;
CREATE INDEX forms_by_agent ON filled_forms (agent_id, filled_ms);
CREATE INDEX forms_by_time ON filled_forms (filled_ms);

-- All that became of it: filled, changed, signed. Answers and words are in `json`.
CREATE TABLE form_steps (
    form_no INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    step TEXT NOT NULL,
    by TEXT NOT NULL,
    role TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    score INTEGER,
    json TEXT NOT NULL,
    audit_no INTEGER NOT NULL,
    PRIMARY KEY (form_no, revision)
) STRICT, WITHOUT ROWID;

-- Training clips: alerts under a title, and the agents and teams who may read them.
CREATE TABLE clip_lists (
    clip_no INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    note TEXT,
    by TEXT NOT NULL,
    made_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL,
    everybody INTEGER NOT NULL
) STRICT;
CREATE TABLE clips (
    clip_no INTEGER NOT NULL,
    place INTEGER NOT NULL,
    call_no INTEGER NOT NULL,
    alert_id TEXT NOT NULL,
    note TEXT,
    PRIMARY KEY (clip_no, call_no, alert_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX clips_by_call ON clips (call_no);
CREATE TABLE clip_readers (
    clip_no INTEGER NOT NULL,
    is_team INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (clip_no, is_team, name)
) STRICT, WITHOUT ROWID;

-- Calibration sessions: cases that several reviewers judge without knowing of each other.
CREATE TABLE calibrations (
    calibration_no INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    by TEXT NOT NULL,
    made_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    closed_ms INTEGER,
    version TEXT,
    definition TEXT
) STRICT;
CREATE TABLE calibration_reviewers (
    calibration_no INTEGER NOT NULL,
    reviewer TEXT NOT NULL,
    PRIMARY KEY (calibration_no, reviewer)
) STRICT, WITHOUT ROWID;
CREATE TABLE calibration_cases (
    calibration_no INTEGER NOT NULL,
    case_no INTEGER NOT NULL,
    call_no INTEGER NOT NULL,
    alert_id TEXT,
    PRIMARY KEY (calibration_no, case_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX calibrations_by_call ON calibration_cases (call_no);
CREATE TABLE calibration_answers (
    calibration_no INTEGER NOT NULL,
    case_no INTEGER NOT NULL,
    reviewer TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    score INTEGER,
    json TEXT NOT NULL,
    PRIMARY KEY (calibration_no, case_no, reviewer)
) STRICT, WITHOUT ROWID;
";

const V16: &str = "
-- How often each rule's words were asked for and said in a closed call; none for calls closed by earlier programs.
ALTER TABLE calls ADD COLUMN duties TEXT;
";

const V17: &str = "
-- Words that supervisors wrote to the agent of a call; `clock_ms` is the time of the call's clock.
CREATE TABLE helps (
    help_no INTEGER PRIMARY KEY AUTOINCREMENT,
    call_no INTEGER NOT NULL,
    agent_id TEXT NOT NULL,
    by TEXT NOT NULL,
    text TEXT NOT NULL,
    clock_ms INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    read_ms INTEGER
) STRICT;
CREATE INDEX helps_by_call ON helps (call_no);
CREATE INDEX helps_unread ON helps (agent_id) WHERE read_ms IS NULL;
-- The supervisor who has taken a call in progress.
CREATE TABLE charges (call_no INTEGER PRIMARY KEY, by TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT;
-- Calls that somebody wants reviewed, and who did.
CREATE TABLE flags (
    flag_no INTEGER PRIMARY KEY AUTOINCREMENT,
    call_no INTEGER NOT NULL,
    by TEXT NOT NULL,
    note TEXT,
    at_ms INTEGER NOT NULL,
    done_by TEXT,
    done_ms INTEGER
) STRICT;
CREATE INDEX flags_by_call ON flags (call_no);
CREATE INDEX flags_open ON flags (flag_no) WHERE done_ms IS NULL;
-- Each time that a threshold of `[[thresholds]]` was told.
CREATE TABLE crossings (
    crossing_no INTEGER PRIMARY KEY,
    threshold TEXT NOT NULL,
    value INTEGER NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX crossings_by_threshold ON crossings (threshold, at_ms);
";

const V18: &str = "
-- The words that an agent's day lists.
CREATE INDEX helps_by_agent ON helps (agent_id, at_ms);
";

/// What stands before the first step in PostgreSQL: the version, the fence of the one that writes, and functions of
/// SQLite that questions use. `words` names a column, so that the connection opens what is sealed in it.
const POSTGRES: &str = "
CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL);
INSERT INTO schema_version SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM schema_version);
CREATE TABLE IF NOT EXISTS writer (epoch BIGINT NOT NULL, commits BIGINT NOT NULL);
INSERT INTO writer SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM writer);
CREATE OR REPLACE FUNCTION pass_fence(of_epoch BIGINT, after_commits BIGINT) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE writer SET commits = commits + 1 WHERE epoch = of_epoch AND commits = after_commits;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'another process took the store over';
    END IF;
END $$;
CREATE OR REPLACE FUNCTION words(kept TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT kept';
CREATE OR REPLACE FUNCTION date(seconds BIGINT, since TEXT) RETURNS TEXT LANGUAGE sql STABLE PARALLEL SAFE AS
    $$SELECT to_char(to_timestamp(seconds) AT TIME ZONE 'UTC', 'YYYY-MM-DD')$$;
CREATE OR REPLACE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION 'the audit is append-only'; END$$;
";

/// Parts of steps that PostgreSQL says otherwise.
const IN_POSTGRES: [(&str, &str); 4] = [
    ("(abs(random() % 1000000000000) + 1)", "(1 + floor(random() * 1000000000000)::bigint)"),
    (
        "CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;",
        "CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit EXECUTE FUNCTION audit_is_append_only();",
    ),
    (
        "CREATE TRIGGER audit_is_never_cut BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;",
        "CREATE TRIGGER audit_is_never_cut BEFORE DELETE OR TRUNCATE ON audit EXECUTE FUNCTION audit_is_append_only();",
    ),
    (
        "CREATE VIRTUAL TABLE spoken_sounds USING fts5 (sounds, content = '', contentless_delete = 1, tokenize = 'ascii');",
        "CREATE TABLE spoken_sounds (rowid BIGINT PRIMARY KEY, sounds TEXT NOT NULL);
CREATE INDEX spoken_by_sound ON spoken_sounds USING gin (string_to_array(sounds, ' '));",
    ),
];

/// A statement about tables in the words of this database.
pub(super) fn translated(connection: &Connection, step: &str) -> String {
    if connection.postgres().is_some() { in_postgres(step) } else { step.to_owned() }
}

fn in_postgres(step: &str) -> String {
    translate_tables(
        &IN_POSTGRES.iter().fold(step.to_owned(), |step, (sqlite, postgres)| step.replace(sqlite, postgres)),
    )
}

fn version(connection: &Connection) -> Result<usize, StoreError> {
    let is_there = connection.pick("SELECT 1", "SELECT 1 WHERE to_regclass('schema_version') IS NOT NULL");
    if !connection.prepare_cached(is_there)?.exists([])? {
        return Err(StoreError::Empty);
    }
    let version = connection.pick("PRAGMA user_version", "SELECT version FROM schema_version");
    let version: i64 = connection.query_row(version, [], |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or_default())
}

/// Whether the store is of this version; told by one that may not change it.
pub(super) fn check(connection: &Connection) -> Result<(), StoreError> {
    let found = version(connection)?;
    match found.cmp(&STEPS.len()) {
        Ordering::Equal => Ok(()),
        Ordering::Less => Err(StoreError::Older { found, known: STEPS.len() }),
        Ordering::Greater => Err(StoreError::Newer { found, known: STEPS.len() }),
    }
}

/// Brings the store to this version.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection.transaction()?;
    if transaction.postgres().is_some() {
        transaction.execute_batch(POSTGRES)?;
    }
    let found = version(&transaction)?;
    let Some(steps) = STEPS.get(found..) else {
        return Err(StoreError::Newer { found, known: STEPS.len() });
    };
    for step in steps {
        transaction.execute_batch(&translated(&transaction, step))?;
    }
    note_version(&transaction)?;
    transaction.commit()?;
    Ok(())
}

fn note_version(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let steps = STEPS.len();
    match transaction.postgres() {
        Some(_) => transaction.execute_batch(&format!("UPDATE schema_version SET version = {steps}"))?,
        None => transaction.execute_batch(&format!("PRAGMA user_version = {steps}"))?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite::Connection;

    use super::{IN_POSTGRES, STEPS, V1};
    use crate::engine::alert::AlertState;
    use crate::server::config::Privacy;
    use crate::server::domain::review::ReviewState;
    use crate::server::store::{AlertFilter, CallFilter, Order, Store};

    #[test]
    fn each_part_that_postgres_says_otherwise_is_in_a_step() {
        for (part, _) in IN_POSTGRES {
            assert!(STEPS.iter().any(|step| step.contains(part)), "{part}");
        }
    }

    /// A store as the first version wrote it: two calls under one id, with an
    /// alert of the same id each, answers to it, and two versions of the rules.
    fn write_v1(path: &Path) {
        let store = Connection::open(path).unwrap();
        store.execute_batch(V1).unwrap();
        store.pragma_update(None, "user_version", 1).unwrap();
        store
            .execute_batch(
                r#"INSERT INTO calls (call_no, call_id, agent_id, started_at, started_ms, rules_version, start, closed_ms)
                   VALUES (1, 'c1', 'a1', '2026-11-20T10:00:00+08:00', 1, 'old', '{}', 10),
                          (2, 'c1', 'a1', '2026-11-21T10:00:00+08:00', 2, 'new', '{}', NULL);
                   INSERT INTO journal VALUES (1, 2, 0, 5, '{}');
                   INSERT INTO events VALUES (1, 1, 5, '{"type":"utterance"}');
                   INSERT INTO alerts VALUES (1, 1, 'x', 'a1', 'r', 'warning', 'confirmed', 1, 'card', '{}'),
                                             (2, 2, 'x', 'a1', 'r', 'warning', 'confirmed', 2, 'card', '{}');
                   INSERT INTO latest_alerts VALUES
                       (1, 1, 1, 'x', 'a1', 'r', 'p', 'warning', 5, 'confirmed', 'confirmed', 1, 'card'),
                       (2, 2, 2, 'x', 'a1', 'r', 'p', 'warning', 5, 'confirmed', 'confirmed', 2, 'card');
                   INSERT INTO feedback (alert_id, agent_id, action, reason, given_ms)
                   VALUES ('x', 'a1', 'dismiss', 'no', 3), ('gone', 'a1', 'seen', NULL, 3);
                   INSERT INTO rule_versions VALUES ('new', 20, '[]'), ('old', 10, '[]');
                   INSERT INTO outbox (webhook, made_ms, due_ms, attempts, alert) VALUES ('w', 1, 1, 0, '{}');"#,
            )
            .unwrap();
    }

    #[test]
    fn a_store_of_the_first_version_has_everything_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        write_v1(&directory.path().join("tingjian.db"));
        // Twice: what is up to date stays as it is.
        for _ in 0..2 {
            let store = Store::open(directory.path(), &Privacy::default()).unwrap();
            let readers = store.readers();
            let alerts = readers.alerts(&AlertFilter::default(), Order::OldestFirst, None, None, 10).unwrap();
            let answers: Vec<_> =
                alerts.iter().map(|alert| alert.feedback.as_ref().map(|answer| answer.action.name())).collect();
            assert_eq!(answers, [None, Some("dismiss")]);
            assert!(alerts.iter().all(|alert| alert.review.standing == ReviewState::default() && alert.counts()));
            let confirmed = AlertFilter { states: vec![AlertState::Confirmed], ..AlertFilter::default() };
            assert_eq!(readers.count_alerts(&confirmed).unwrap(), (2, 2));
            let calls = readers.calls(&CallFilter::default(), None, 10).unwrap();
            assert_eq!(
                calls.iter().map(|(call, deductions)| (call.call_no, deductions.len())).collect::<Vec<_>>(),
                [(2, 1), (1, 1)]
            );
            assert_eq!(readers.call_events(1, 10).unwrap().len(), 1);
            assert_eq!(readers.open_calls().unwrap().len(), 1);
            assert!(readers.letter_after("w", 0).unwrap().is_some());
            let versions = readers.rule_versions(None, 10).unwrap();
            let told: Vec<_> = versions
                .iter()
                .map(|version| (version.version.as_str(), version.previous.as_deref(), version.is_current))
                .collect();
            assert_eq!(told, [("new", Some("old"), true), ("old", None, false)]);
        }
    }
}

//! Training clips: alerts that reviewers collected under a title, and who may read them.

use serde_json::json;

use crate::server::domain::principal::Who;
use crate::server::domain::refusal::{First, Uncollected};
use crate::server::domain::terms::Audited;
use crate::server::store::audit::Fact;
use crate::server::store::sql::{Connection, OptionalExtension as _, params};
use crate::server::store::writer::Writer;
use crate::server::store::{Readers, StoreError};

/// Clips of one collection; nobody sits through more.
pub(crate) const CLIPS_MAX: usize = 50;
/// Collections of one server.
const COLLECTIONS_MAX: i64 = 10_000;

/// Alerts collected under a title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Collection {
    pub(crate) clip_no: i64,
    pub(crate) title: String,
    pub(crate) note: Option<String>,
    pub(crate) by: String,
    pub(crate) made_ms: i64,
    /// Later with each change, so that it is the revision, too.
    pub(crate) changed_ms: i64,
    pub(crate) clips: i64,
    pub(crate) readers: ClipReaders,
}

/// Which agents may read a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClipReaders {
    pub(crate) everybody: bool,
    pub(crate) agents: Vec<String>,
    pub(crate) teams: Vec<String>,
}

impl ClipReaders {
    /// Whether this agent, of this team, is among them.
    pub(crate) fn include(&self, agent_id: &str, team: Option<&str>) -> bool {
        self.everybody
            || self.agents.iter().any(|agent| agent == agent_id)
            || team.is_some_and(|team| self.teams.iter().any(|known| known == team))
    }
}

/// An alert in a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clip {
    pub(crate) call_no: i64,
    pub(crate) call_id: String,
    pub(crate) started_ms: i64,
    pub(crate) alert_id: String,
    pub(crate) note: Option<String>,
}

/// An alert on its way into a collection.
#[derive(Clone, Debug)]
pub(crate) struct NewClip {
    pub(crate) call_no: i64,
    pub(crate) alert_id: String,
    pub(crate) note: Option<String>,
}

/// A collection that is made, or what changes of one. What is `None` stays.
#[derive(Clone, Debug)]
pub(crate) struct ClipChange {
    /// `None` makes a new one, which needs a title.
    pub(crate) clip_no: Option<i64>,
    pub(crate) title: Option<String>,
    pub(crate) note: Option<String>,
    pub(crate) add: Vec<NewClip>,
    pub(crate) remove: Vec<(i64, String)>,
    pub(crate) readers: Option<ClipReaders>,
    /// The revision that was seen; a change of any other is refused.
    pub(crate) revision: Option<i64>,
    /// The whole collection goes.
    pub(crate) is_removed: bool,
    /// It may go whosever it is.
    pub(crate) is_admin: bool,
    pub(crate) who: Who,
    pub(crate) at_ms: i64,
}

impl Readers {
    /// Collections, the one that was changed last first: all, or that of this number.
    pub(crate) fn collections(&self, clip_no: Option<i64>) -> Result<Vec<Collection>, StoreError> {
        self.ask(|connection| {
            let all = "SELECT clip_no, title, note, by, made_ms, changed_ms,
                     (SELECT count(*) FROM clips WHERE clips.clip_no = clip_lists.clip_no), everybody
                 FROM clip_lists WHERE clip_no = ?1 OR ?1 IS NULL ORDER BY changed_ms DESC, clip_no DESC";
            let mut all = connection.prepare_cached(all)?;
            let all = all.query_map([clip_no], |row| {
                let readers = ClipReaders { everybody: row.get(7)?, ..ClipReaders::default() };
                Ok(Collection {
                    clip_no: row.get(0)?,
                    title: row.get(1)?,
                    note: row.get(2)?,
                    by: row.get(3)?,
                    made_ms: row.get(4)?,
                    changed_ms: row.get(5)?,
                    clips: row.get(6)?,
                    readers,
                })
            })?;
            let mut all: Vec<Collection> = all.collect::<Result<_, _>>()?;
            for collection in &mut all {
                let readers = "SELECT is_team, name FROM clip_readers WHERE clip_no = ? ORDER BY is_team, name";
                let mut readers = connection.prepare_cached(readers)?;
                let mut rows = readers.query([collection.clip_no])?;
                while let Some(row) = rows.next()? {
                    let ClipReaders { agents, teams, .. } = &mut collection.readers;
                    if row.get(0)? { teams } else { agents }.push(row.get(1)?);
                }
            }
            Ok(all)
        })
    }

    /// The clips of a collection, in the order in which they were added.
    pub(crate) fn clips(&self, clip_no: i64) -> Result<Vec<Clip>, StoreError> {
        self.ask(|connection| {
            let clips = "SELECT clips.call_no, call_id, started_ms, alert_id, clips.note FROM clips
                 JOIN calls ON calls.call_no = clips.call_no WHERE clip_no = ? ORDER BY place";
            let mut clips = connection.prepare_cached(clips)?;
            let clips = clips.query_map([clip_no], |row| {
                Ok(Clip {
                    call_no: row.get(0)?,
                    call_id: row.get(1)?,
                    started_ms: row.get(2)?,
                    alert_id: row.get(3)?,
                    note: row.get(4)?,
                })
            })?;
            Ok(clips.collect::<Result<_, _>>()?)
        })
    }
}

impl Writer {
    /// Makes a collection, changes it or removes it, with the audit entry; says which one it is.
    pub(crate) fn keep_clips(&mut self, change: &ClipChange) -> Result<Result<i64, Uncollected>, StoreError> {
        let ClipChange { clip_no, title, note, add, remove, readers, revision, is_removed, is_admin, who, at_ms } =
            change;
        let transaction = self.connection.transaction()?;
        let clip_no = match clip_no {
            None => {
                let count: i64 = transaction.query_row("SELECT count(*) FROM clip_lists", [], |row| row.get(0))?;
                if count >= COLLECTIONS_MAX {
                    return Ok(Err(Uncollected::TooMany));
                }
                let insert = "INSERT INTO clip_lists (title, by, made_ms, changed_ms, everybody) VALUES ('', ?, ?, ?, 0) RETURNING clip_no";
                transaction.prepare_cached(insert)?.insert(params![who.name, at_ms, at_ms - 1])?
            }
            Some(clip_no) => {
                let known = "SELECT by, changed_ms FROM clip_lists WHERE clip_no = ?";
                let known: Option<(String, i64)> = transaction
                    .prepare_cached(known)?
                    .query_row([clip_no], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()?;
                let Some((owner, changed_ms)) = known else { return Ok(Err(Uncollected::Unknown)) };
                if revision.is_some_and(|revision| revision != changed_ms) {
                    return Ok(Err(Uncollected::Changed(last_change(&transaction, *clip_no)?)));
                }
                if *is_removed && owner != who.name && !is_admin {
                    return Ok(Err(Uncollected::NotOwner { owner }));
                }
                *clip_no
            }
        };
        let update = "UPDATE clip_lists SET title = coalesce(?2, title), note = nullif(coalesce(?3, note), ''), changed_ms = CASE WHEN changed_ms < ?4 THEN ?4 ELSE changed_ms + 1 END WHERE clip_no = ?1";
        transaction.prepare_cached(update)?.execute(params![clip_no, title, note, at_ms])?;
        for (call_no, alert_id) in remove {
            let delete = "DELETE FROM clips WHERE clip_no = ? AND call_no = ? AND alert_id = ?";
            transaction.prepare_cached(delete)?.execute(params![clip_no, call_no, alert_id])?;
        }
        for NewClip { call_no, alert_id, note } in add {
            let insert = "INSERT INTO clips (clip_no, place, call_no, alert_id, note)
                 VALUES (?1, (SELECT coalesce(max(place), 0) + 1 FROM clips WHERE clip_no = ?1), ?2, ?3, ?4)
                 ON CONFLICT (clip_no, call_no, alert_id) DO UPDATE SET note = coalesce(excluded.note, clips.note)";
            transaction.prepare_cached(insert)?.execute(params![clip_no, call_no, alert_id, note])?;
        }
        let count: i64 = count_of(&transaction, clip_no)?;
        if usize::try_from(count).is_ok_and(|count| count > CLIPS_MAX) {
            return Ok(Err(Uncollected::Full));
        }
        if let Some(ClipReaders { everybody, agents, teams }) = readers {
            transaction.execute("DELETE FROM clip_readers WHERE clip_no = ?", [clip_no])?;
            let insert = "INSERT INTO clip_readers (clip_no, is_team, name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
            let names = agents.iter().map(|name| (false, name)).chain(teams.iter().map(|name| (true, name)));
            for (is_team, name) in names {
                transaction.prepare_cached(insert)?.execute(params![clip_no, is_team, name])?;
            }
            transaction
                .execute("UPDATE clip_lists SET everybody = ? WHERE clip_no = ?", params![everybody, clip_no])?;
        }
        if *is_removed {
            for table in ["clips", "clip_readers", "clip_lists"] {
                transaction.execute(&format!("DELETE FROM {table} WHERE clip_no = ?"), [clip_no])?;
            }
        }
        let shared = readers
            .as_ref()
            .map(|readers| json!({"everybody": readers.everybody, "agents": readers.agents, "teams": readers.teams}));
        let detail = json!({
            "added": add.iter().map(|clip| &clip.alert_id).collect::<Vec<_>>(),
            "removed": remove.iter().map(|(_, alert_id)| alert_id).collect::<Vec<_>>(),
            "shared": shared, "clips": if *is_removed { 0 } else { count }, "gone": is_removed,
        });
        let fact =
            Fact { at_ms: *at_ms, who: who.clone(), action: Audited::Clips, subject: clip_no.to_string(), detail };
        let head = self.head.append(&transaction, &fact)?;
        transaction.commit()?;
        self.head = head.tell(&fact);
        Ok(Ok(clip_no))
    }
}

/// Who changed a collection last, as the audit has it.
fn last_change(connection: &Connection, clip_no: i64) -> Result<First, StoreError> {
    let last = "SELECT by, at_ms FROM audit WHERE action = ? AND subject = ? ORDER BY no DESC LIMIT 1";
    let values = params![Audited::Clips.name(), clip_no.to_string()];
    Ok(connection.prepare_cached(last)?.query_row(values, |row| Ok(First::new(row.get(0)?, row.get(1)?)))?)
}

fn count_of(connection: &Connection, clip_no: i64) -> Result<i64, StoreError> {
    let count = "SELECT count(*) FROM clips WHERE clip_no = ?";
    Ok(connection.prepare_cached(count)?.query_row([clip_no], |row| row.get(0)).optional()?.unwrap_or(0))
}

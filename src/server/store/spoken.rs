//! Search in what was said, in calls that are over. An index of sounds points at utterances; their words are read where
//! they are kept, masked as everywhere, so there is nothing to find of a person's numbers and nothing more to forget than the index.
//!
//! A store that encrypts words has no index, which would tell them: search is refused there. Calls are indexed after they
//! were closed, a few at a time, so that no commit waits long.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::adapter::masking;
use crate::engine::transcript::Role;
use crate::server::domain::phrase::{SpokenPhrase, sounds_digest, tokens};
use crate::server::store::query::{Conditions, Span, limit};
use crate::server::store::sql::{Connection, OptionalExtension as _, Transaction, params, params_from_iter};
use crate::server::store::writer::Writer;
use crate::server::store::{Readers, StoreError};

/// Calls that are indexed at once.
const INDEXED_AT_ONCE: usize = 4;
/// Utterances that one question looks at, whether the phrase is in them or only sounds nearly alike.
const LOOKED_AT_MAX: usize = 2_000;

/// What is searched for.
#[derive(Debug)]
pub(crate) struct SpokenQuery {
    pub(crate) phrase: SpokenPhrase,
    pub(crate) role: Option<Role>,
    /// When it was said.
    pub(crate) span: Span,
    /// The agent who answered the call.
    pub(crate) agent_id: Option<String>,
    pub(crate) team: Option<String>,
    pub(crate) queue: Option<String>,
}

/// An utterance in which a phrase stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundSpoken {
    pub(crate) spoken_no: i64,
    pub(crate) call_id: String,
    pub(crate) started_at: String,
    pub(crate) agent_id: String,
    pub(crate) queue: Option<String>,
    pub(crate) utterance_id: String,
    pub(crate) role: String,
    pub(crate) said_ms: i64,
    pub(crate) start_ms: i64,
    /// Personal data masked.
    pub(crate) text: String,
    /// Where in `text`, in Unicode scalar values.
    pub(crate) places: Vec<(usize, usize)>,
}

/// The answer to a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FoundWords {
    /// In calls that were closed last first.
    pub(crate) found: Vec<FoundSpoken>,
    /// The number to go on before; none: that was all.
    pub(crate) more: Option<i64>,
    /// Calls whose words are not in the index yet.
    pub(crate) waiting: i64,
}

/// An utterance of the index.
struct Candidate {
    call_no: i64,
    found: FoundSpoken,
}

impl Readers {
    /// Utterances in which a phrase stands, at most `count_max`, before a number; `None` where words are encrypted, and so not
    /// indexed.
    pub(crate) fn spoken(
        &self,
        query: &SpokenQuery,
        before: Option<i64>,
        count_max: usize,
    ) -> Result<Option<FoundWords>, StoreError> {
        if self.encrypts() {
            return Ok(None);
        }
        let mut conditions = Conditions::default();
        // The tokens in a row: the index has the phrase, or the tokens one by one.
        let tokens = query.phrase.tokens();
        match self.is_sqlite() {
            true => conditions.add("spoken_sounds MATCH ?", [format!("\"{tokens}\"").into()]),
            false => conditions.add(
                "string_to_array(sounds, ' ') @> string_to_array(?, ' ') AND strpos(' ' || sounds || ' ', ?) > 0",
                [tokens.to_owned().into(), format!(" {tokens} ").into()],
            ),
        }
        if let Some(before) = before {
            conditions.add("spoken_sounds.rowid < ?", [before.into()]);
        }
        conditions.within("said_ms", query.span);
        conditions.equal("calls.agent_id", query.agent_id.as_ref());
        conditions.team("calls.agent_id", query.team.as_ref());
        conditions.equal("calls.queue", query.queue.as_ref());
        if let Some(role) = query.role {
            conditions.equal("role", Some(&role.name().to_owned()));
        }
        let Conditions { sql, mut values } = conditions;
        values.push(limit(LOOKED_AT_MAX + 1));
        let sql = format!(
            "SELECT spoken_no, spoken.call_no, call_id, started_at, calls.agent_id, calls.queue, utterance_id, role, said_ms, started_ms
             FROM spoken_sounds JOIN spoken ON spoken_no = spoken_sounds.rowid JOIN calls ON calls.call_no = spoken.call_no
             {sql} ORDER BY spoken_sounds.rowid DESC LIMIT ?"
        );
        self.ask(|connection| {
            // The words of a call must not go in between.
            let moment = connection.unchecked_transaction()?;
            let mut candidates = moment.prepare_cached(&sql)?;
            let candidates = candidates.query_map(params_from_iter(values), |row| {
                let (said_ms, started_ms): (i64, i64) = (row.get(8)?, row.get(9)?);
                Ok(Candidate {
                    call_no: row.get(1)?,
                    found: FoundSpoken {
                        spoken_no: row.get(0)?,
                        call_id: row.get(2)?,
                        started_at: row.get(3)?,
                        agent_id: row.get(4)?,
                        queue: row.get(5)?,
                        utterance_id: row.get(6)?,
                        role: row.get(7)?,
                        said_ms,
                        start_ms: said_ms - started_ms,
                        text: String::new(),
                        places: Vec::new(),
                    },
                })
            })?;
            let mut words = FoundWords::default();
            let mut known: Option<(i64, BTreeMap<String, Said>)> = None;
            for (looked_at, candidate) in candidates.enumerate() {
                let Candidate { call_no, mut found } = candidate?;
                if words.found.len() == count_max || looked_at == LOOKED_AT_MAX {
                    words.more = Some(found.spoken_no + 1);
                    break;
                }
                if known.as_ref().is_none_or(|(of, _)| *of != call_no) {
                    known = Some((call_no, said(&moment, call_no)?));
                }
                let said = known.as_ref().and_then(|(_, said)| said.get(&found.utterance_id));
                let Some(said) = said else { continue };
                found.places = query.phrase.places(&said.text);
                if !found.places.is_empty() {
                    found.text.clone_from(&said.text);
                    words.found.push(found);
                }
            }
            words.waiting = moment.query_row("SELECT count(*) FROM unindexed", [], |row| row.get(0))?;
            Ok(Some(words))
        })
    }
}

/// An utterance, personal data masked.
struct Said {
    text: String,
    role: String,
    start_ms: i64,
}

/// What was said in a call, by the ids of the utterances.
fn said(connection: &Connection, call_no: i64) -> Result<BTreeMap<String, Said>, StoreError> {
    let mut events = connection.prepare_cached("SELECT words(json) FROM events WHERE call_no = ? ORDER BY serial")?;
    let events = events.query_map([call_no], |row| row.get::<_, String>(0))?;
    let mut all: Vec<Value> = Vec::new();
    for json in events {
        // What this program did not write says nothing.
        all.extend(serde_json::from_str::<Value>(&json?).ok());
    }
    masking::mask(&mut all, &mut [], false);
    let mut said = BTreeMap::new();
    for event in all.iter().filter(|event| event["type"] == "utterance") {
        let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        let start_ms = event["start_ms"].as_i64().unwrap_or_default();
        said.insert(text("utterance_id"), Said { text: text("text"), role: text("role"), start_ms });
    }
    Ok(said)
}

/// Takes a call out of the index.
pub(super) fn forget_spoken(transaction: &Transaction<'_>, call_no: i64) -> Result<(), StoreError> {
    let sounds = "DELETE FROM spoken_sounds WHERE rowid IN (SELECT spoken_no FROM spoken WHERE call_no = ?)";
    transaction.prepare_cached(sounds)?.execute([call_no])?;
    transaction.prepare_cached("DELETE FROM spoken WHERE call_no = ?")?.execute([call_no])?;
    transaction.prepare_cached("DELETE FROM unindexed WHERE call_no = ?")?.execute([call_no])?;
    Ok(())
}

/// Makes the index one that this program can use: an encrypted store has none, and one of other sounds is made anew.
pub(super) fn prepare(connection: &mut Connection, is_encrypted: bool) -> Result<(), StoreError> {
    let transaction = connection.transaction()?;
    let digest = if is_encrypted { String::new() } else { sounds_digest() };
    let known: Option<String> = transaction.query_row("SELECT digest FROM sounds", [], |row| row.get(0)).optional()?;
    if known.as_ref() != Some(&digest) {
        let sounds = transaction
            .pick("INSERT INTO spoken_sounds (spoken_sounds) VALUES ('delete-all')", "DELETE FROM spoken_sounds");
        transaction.execute(sounds, [])?;
        transaction.execute("DELETE FROM spoken", [])?;
        transaction.execute("DELETE FROM unindexed", [])?;
        if !is_encrypted {
            let all = "INSERT INTO unindexed SELECT call_no FROM calls WHERE closed_ms IS NOT NULL AND start <> ''";
            transaction.execute(all, [])?;
        }
        transaction.execute("DELETE FROM sounds", [])?;
        transaction.execute("INSERT INTO sounds (digest) VALUES (?)", [digest])?;
    }
    transaction.commit()?;
    Ok(())
}

impl Writer {
    /// Puts the words of a few calls that were closed since into the index; says whether there are more.
    pub(crate) fn index_spoken(&mut self) -> Result<bool, StoreError> {
        let transaction = self.connection.transaction()?;
        if self.is_encrypted {
            transaction.execute("DELETE FROM unindexed", [])?;
            transaction.commit()?;
            return Ok(false);
        }
        let calls: Vec<(i64, i64)> = {
            let waiting =
                "SELECT call_no, started_ms FROM unindexed JOIN calls USING (call_no) ORDER BY call_no LIMIT ?";
            let mut waiting = transaction.prepare_cached(waiting)?;
            let waiting = waiting.query_map([limit(INDEXED_AT_ONCE)], |row| Ok((row.get(0)?, row.get(1)?)))?;
            waiting.collect::<Result<_, _>>()?
        };
        for &(call_no, started_ms) in &calls {
            // A call that went on after it was closed is indexed anew.
            forget_spoken(&transaction, call_no)?;
            let mut said: Vec<(String, Said)> = said(&transaction, call_no)?.into_iter().collect();
            said.sort_by_key(|(_, said)| said.start_ms);
            for (utterance_id, Said { text, role, start_ms }) in said {
                let sounds = tokens(&text);
                if sounds.is_empty() {
                    continue;
                }
                let spoken =
                    "INSERT INTO spoken (call_no, utterance_id, role, said_ms) VALUES (?, ?, ?, ?) RETURNING spoken_no";
                let spoken_no = transaction.prepare_cached(spoken)?.insert(params![
                    call_no,
                    utterance_id,
                    role,
                    started_ms.saturating_add(start_ms)
                ])?;
                transaction
                    .prepare_cached("INSERT INTO spoken_sounds (rowid, sounds) VALUES (?, ?)")?
                    .execute(params![spoken_no, sounds])?;
            }
        }
        transaction.commit()?;
        Ok(calls.len() == INDEXED_AT_ONCE)
    }
}

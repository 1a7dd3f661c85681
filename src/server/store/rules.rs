//! Versions of the rules: their files, and who loaded them when and why.

use serde_json::json;

use crate::server::domain::principal::Who;
use crate::server::domain::terms::{Audited, Trigger};
use crate::server::store::audit::Fact;
use crate::server::store::query::{Place, limit};
use crate::server::store::seal::rules_digest;
use crate::server::store::sql::{self, Connection, OptionalExtension as _, Row, params};
use crate::server::store::writer::Writer;
use crate::server::store::{Readers, StoreError};

/// Rules that come into use.
#[derive(Clone, Debug)]
pub(crate) struct LoadRow {
    pub(crate) version: String,
    /// The files as JSON.
    pub(crate) files: String,
    /// What decides when each rule fires, by rule.
    pub(crate) digests: Vec<(String, String)>,
    pub(crate) loaded_ms: i64,
    pub(crate) who: Who,
    pub(crate) trigger: Trigger,
}

/// A version as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct FoundVersion {
    pub(crate) loaded_no: i64,
    pub(crate) version: String,
    pub(crate) loaded_ms: i64,
    pub(crate) by: String,
    /// `None` where it was not kept yet.
    pub(crate) trigger: Option<Trigger>,
    pub(crate) previous: Option<String>,
    /// Their names.
    pub(crate) files: Vec<String>,
    pub(crate) is_current: bool,
}

/// The files of a version and of the version before it, as JSON; `None` where they are no longer kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct VersionFiles {
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

impl Writer {
    /// Keeps the files of rules that come into use, unless they are in use
    /// already, and tells the audit.
    pub(crate) fn load_rules(&mut self, row: &LoadRow) -> Result<(), StoreError> {
        let LoadRow { version, files, digests, loaded_ms, who, trigger } = row;
        let transaction = self.connection.transaction()?;
        let current = "SELECT version FROM rule_versions ORDER BY loaded_no DESC LIMIT 1";
        let previous: Option<String> = transaction.query_row(current, [], |row| row.get(0)).optional()?;
        if previous.as_ref() != Some(version) {
            let insert = "INSERT INTO rule_versions (version, loaded_ms, files, by, trigger, previous, loaded_no)
                 VALUES (?, ?, ?, ?, ?, ?, (SELECT coalesce(max(loaded_no), 0) + 1 FROM rule_versions))
                 ON CONFLICT (version) DO UPDATE SET loaded_ms = excluded.loaded_ms, files = excluded.files,
                     by = excluded.by, trigger = excluded.trigger, previous = excluded.previous, loaded_no = excluded.loaded_no";
            transaction.execute(insert, params![version, loaded_ms, files, who.name, trigger.name(), previous])?;
        }
        {
            let digest = "INSERT INTO rule_digests (version, rule_id, digest) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
            let mut insert = transaction.prepare_cached(digest)?;
            for (rule_id, digest) in digests {
                insert.execute(params![version, rule_id, digest])?;
            }
        }
        let fact = Fact {
            at_ms: *loaded_ms,
            who: who.clone(),
            action: if *trigger == Trigger::Start { Audited::Start } else { Audited::Reload },
            subject: version.clone(),
            detail: json!({
                "trigger": trigger.name(), "version": version, "previous": previous, "ok": true,
                "files_sha256": rules_digest(&transaction, version)?,
            }),
        };
        let head = self.head.append(&transaction, &fact)?;
        transaction.commit()?;
        self.head = head.tell(&fact);
        Ok(())
    }
}

/// The columns of a version in a list. It has only the names of the files, since their text may be
/// long.
fn columns(connection: &Connection) -> String {
    let names = connection.pick(
        "(SELECT json_group_array(json_extract(value, '$.name')) FROM json_each(files))",
        "(SELECT coalesce(json_agg(file -> 'name'), '[]')::text FROM json_array_elements(files::json) AS file)",
    );
    format!(
        "loaded_no, version, loaded_ms, by, trigger, previous, {names}, loaded_no = (SELECT max(loaded_no) FROM rule_versions)"
    )
}

fn version(row: &Row<'_>) -> sql::Result<FoundVersion> {
    let files: String = row.get(6)?;
    Ok(FoundVersion {
        loaded_no: row.get(0)?,
        version: row.get(1)?,
        loaded_ms: row.get(2)?,
        by: row.get(3)?,
        trigger: Trigger::from_name(row.text(4)?),
        previous: row.get(5)?,
        files: serde_json::from_str(&files).unwrap_or_default(),
        is_current: row.get(7)?,
    })
}

impl Readers {
    /// Versions, those loaded last first, at most `count_max` of them, behind a place.
    pub(crate) fn rule_versions(
        &self,
        behind: Option<Place>,
        count_max: usize,
    ) -> Result<Vec<FoundVersion>, StoreError> {
        let before = behind.map_or(i64::MAX, |place| place.no);
        self.ask(|connection| {
            let versions = format!(
                "SELECT {} FROM rule_versions WHERE loaded_no < ?1 ORDER BY loaded_no DESC LIMIT ?2",
                columns(connection)
            );
            let mut versions = connection.prepare_cached(&versions)?;
            let versions = versions.query_map((before, limit(count_max)), version)?;
            Ok(versions.collect::<Result<_, _>>()?)
        })
    }

    /// The files of a version and of the version before it. The first version has no files before it.
    pub(crate) fn version_files(&self, found: &FoundVersion) -> Result<VersionFiles, StoreError> {
        let before = match &found.previous {
            None => Some("[]".to_owned()),
            Some(previous) => self.rule_files(previous)?,
        };
        Ok(VersionFiles { before, after: self.rule_files(&found.version)? })
    }

    /// The version of that name.
    pub(crate) fn rule_version(&self, name: &str) -> Result<Option<FoundVersion>, StoreError> {
        self.ask(|connection| {
            let found = format!("SELECT {} FROM rule_versions WHERE version = ?", columns(connection));
            Ok(connection.prepare_cached(&found)?.query_row([name], version).optional()?)
        })
    }
}

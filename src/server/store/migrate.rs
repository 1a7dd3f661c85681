//! Moves a store from SQLite to PostgreSQL, or back: every table, a page and the place behind it in one transaction, so
//! that a move that was cut short goes on where it was. At the end both stores are counted and digested.
//!
//! Which tables there are says the schema itself, so none is forgotten. Words are moved as they are kept, sealed or not.
//! What is made of other tables (the index of words) is not moved; the server makes it anew.

use std::fmt;
use std::path::Path;

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::server::config::Config;
use crate::server::store::sql::{self, Connection, OptionalExtension as _, Value, ValueRef, params, params_from_iter};
use crate::server::store::{Store, StoreError, schema};

/// Rows that are moved at once.
const PAGE_ROWS: i64 = 1_000;
/// Tables that the server makes of others.
const REMADE: [&str; 3] = ["spoken", "sounds", "unindexed"];
/// How far a move came, in the store that is being made; a server does not begin on it.
const MOVE: &str = "CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, behind TEXT NOT NULL)";

/// Where a store is moved to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveTo {
    /// The database of `[cluster] postgres`, from the data directory.
    Postgres,
    /// The data directory, from that database.
    Sqlite,
}

/// A table that was moved and found the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedTable {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// The first half of the SHA-256 of its rows, in their order.
    pub digest: String,
}

/// Why a store was not moved, or not whole. The one that it was moved from is as it was.
#[derive(Debug)]
pub enum MoveError {
    /// A store refuses.
    Store(StoreError),
    /// No database is configured.
    NoDatabase,
    /// There are calls where nothing should be.
    Occupied,
    /// The two differ in a table.
    Differs {
        /// The table.
        table: String,
    },
}

impl From<StoreError> for MoveError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<sql::Error> for MoveError {
    fn from(error: sql::Error) -> Self {
        Self::Store(error.into())
    }
}

impl fmt::Display for MoveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::NoDatabase => f.write_str(
                "配置里没有 [cluster] postgres；请写上再用 --config 指定 / the configuration has no [cluster] postgres: add it, and name the file with --config",
            ),
            Self::Occupied => f.write_str(
                "目标里已有数据，不会覆盖；请换一个空的库、schema 或目录 / there is data where the store is to go, which is not overwritten: choose an empty database, schema or directory",
            ),
            Self::Differs { table } => write!(
                f,
                "迁移后 {table} 与原来的不一致（中途有服务写过原来的数据？）；请清空目标再来一次 / {table} differs from what it was moved from (did a server write to that meanwhile?): empty the target and begin again"
            ),
        }
    }
}

impl std::error::Error for MoveError {}

/// A table of this version.
#[derive(Debug)]
struct Table {
    name: String,
    columns: Vec<String>,
    /// The columns that its rows are told apart and sorted by; none of tables of one row.
    key: Vec<String>,
    /// Whether the database numbers its rows.
    is_numbered: bool,
}

impl Table {
    /// All tables that are moved.
    fn all() -> Result<Vec<Self>, StoreError> {
        let mut model = Connection::Sqlite(rusqlite::Connection::open_in_memory()?);
        schema::migrate(&mut model)?;
        let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
             AND name NOT LIKE 'spoken_sounds%' ORDER BY name";
        let mut names = model.prepare(names)?;
        let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let moved = names.into_iter().filter(|name| !REMADE.contains(&name.as_str()));
        moved.map(|name| Self::read(&model, name)).collect()
    }

    fn read(model: &Connection, name: String) -> Result<Self, StoreError> {
        let mut columns = model.prepare("SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid")?;
        let columns = columns.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let columns: Vec<(String, String, i64)> = columns.collect::<Result<_, _>>()?;
        let mut key: Vec<_> = columns.iter().filter(|(.., place)| *place > 0).collect();
        key.sort_by_key(|(.., place)| *place);
        let is_numbered = matches!(key[..], [(_, kind, _)] if kind == "INTEGER");
        let key = key.into_iter().map(|(name, ..)| name.clone()).collect();
        Ok(Self { name, key, is_numbered, columns: columns.into_iter().map(|(name, ..)| name).collect() })
    }

    /// The question for a page of rows.
    fn page(&self, is_first: bool) -> String {
        let Self { name, columns, key, .. } = self;
        let columns = columns.join(", ");
        if key.is_empty() {
            return format!("SELECT {columns} FROM {name} LIMIT ?");
        }
        let (key, marks) = (key.join(", "), vec!["?"; key.len()].join(", "));
        let behind = if is_first { String::new() } else { format!("WHERE ({key}) > ({marks})") };
        format!("SELECT {columns} FROM {name} {behind} ORDER BY {key} LIMIT ?")
    }

    /// Gives `take` all rows, a page at a time.
    fn pages(
        &self,
        from: &Connection,
        behind: Option<Vec<Value>>,
        mut take: impl FnMut(&[Vec<Value>], &[Value]) -> Result<(), MoveError>,
    ) -> Result<(), MoveError> {
        let mut behind = behind;
        loop {
            let mut values = behind.clone().unwrap_or_default();
            values.push(Value::from(PAGE_ROWS));
            let mut page = from.prepare_cached(&self.page(behind.is_none()))?;
            let mut rows = page.query(params_from_iter(values))?;
            let mut read = Vec::new();
            while let Some(row) = rows.next()? {
                let row = (0..self.columns.len()).map(|index| row.get::<_, Value>(index));
                read.push(row.collect::<Result<Vec<_>, _>>()?);
            }
            let Some(last) = read.last() else { return Ok(()) };
            let place = |name: &String| self.columns.iter().position(|column| column == name);
            let end: Vec<Value> = self.key.iter().filter_map(place).map(|index| last[index].clone()).collect();
            take(&read, &end)?;
            if self.key.is_empty() || read.len() < usize::try_from(PAGE_ROWS).unwrap_or(usize::MAX) {
                return Ok(());
            }
            behind = Some(end);
        }
    }

    /// Moves what was not moved yet.
    fn copy(
        &self,
        from: &Connection,
        to: &mut Connection,
        progress: &mut impl FnMut(&str, u64),
    ) -> Result<(), MoveError> {
        let (name, marks) = (&self.name, vec!["?"; self.columns.len()].join(", "));
        let insert = format!("INSERT INTO {name} ({}) VALUES ({marks})", self.columns.join(", "));
        let known = "SELECT behind FROM migration WHERE name = ?";
        let known: Option<String> = to.query_row(known, [name], |row| row.get(0)).optional()?;
        if known.is_some() && self.key.is_empty() {
            return Ok(());
        }
        if self.key.is_empty() {
            // A new store has its one row already.
            to.execute(&format!("DELETE FROM {name}"), [])?;
        }
        let behind = known.as_deref().map(place_of);
        let mut moved = 0;
        self.pages(from, behind, |rows, end| {
            let transaction = to.transaction()?;
            for row in rows {
                transaction.prepare_cached(&insert)?.send(params_from_iter(row))?;
            }
            let note = "INSERT INTO migration (name, behind) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET behind = excluded.behind";
            transaction.execute(note, params![name, told_place(end)])?;
            transaction.commit()?;
            moved += rows.len() as u64;
            progress(name, moved);
            Ok(())
        })
    }

    /// The number of rows, and their digest.
    fn digest(&self, of: &Connection) -> Result<MovedTable, MoveError> {
        let (mut rows, mut hash) = (0, Sha256::new());
        self.pages(of, None, |page, _| {
            rows += page.len() as u64;
            for value in page.iter().flatten() {
                match ValueRef::from(value) {
                    ValueRef::Null => hash.update([0]),
                    ValueRef::Integer(number) => hash.update([&[1], &number.to_le_bytes()[..]].concat()),
                    ValueRef::Real(number) => hash.update([&[2], &number.to_le_bytes()[..]].concat()),
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                        hash.update([&[3], &(bytes.len() as u64).to_le_bytes()[..]].concat());
                        hash.update(bytes);
                    }
                }
            }
            Ok(())
        })?;
        let digest = hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(MovedTable { name: self.name.clone(), rows, digest })
    }

    /// Has the database number new rows behind those that there ever were.
    fn number_on(&self, from: &Connection, to: &Connection) -> Result<(), MoveError> {
        let Self { name, key, .. } = self;
        let [column] = &key[..] else { return Ok(()) };
        if !self.is_numbered {
            return Ok(());
        }
        let last = match (from, to) {
            (Connection::Sqlite(_), Connection::Postgres(_)) => {
                // Rows that are gone have their numbers still.
                let last = format!(
                    "SELECT max(coalesce((SELECT max({column}) FROM {name}), 0), coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{name}'), 0))"
                );
                from.query_row(&last, [], |row| row.get::<_, i64>(0))?
            }
            (Connection::Postgres(_), Connection::Sqlite(_)) => {
                let last = format!(
                    "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('{name}', '{column}')::regclass), 0)"
                );
                from.query_row(&last, [], |row| row.get::<_, i64>(0))?
            }
            _ => return Ok(()),
        };
        match to {
            Connection::Postgres(_) => {
                let set = "SELECT setval(pg_get_serial_sequence(?, ?)::regclass, ?, ?)";
                to.query_row(set, params![name, column, last.max(1), i64::from(last > 0)], |_| Ok(()))?;
            }
            Connection::Sqlite(_) => {
                let set = "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?";
                if to.execute(set, params![last, name])? == 0 {
                    let numbered = "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, ?2 WHERE EXISTS
                         (SELECT 1 FROM sqlite_schema WHERE name = ?1 AND sql LIKE '%AUTOINCREMENT%')";
                    to.execute(numbered, params![name, last])?;
                }
            }
        }
        Ok(())
    }
}

fn told_place(values: &[Value]) -> String {
    let told = values.iter().map(|value| match value {
        Value::Integer(number) => Json::from(*number),
        Value::Text(text) => Json::from(text.as_str()),
        _ => Json::Null,
    });
    Json::Array(told.collect()).to_string()
}

fn place_of(told: &str) -> Vec<Value> {
    let told: Vec<Json> = serde_json::from_str(told).unwrap_or_default();
    let value = |told: Json| match told {
        Json::Number(number) => Value::Integer(number.as_i64().unwrap_or_default()),
        Json::String(text) => Value::Text(text),
        _ => Value::Null,
    };
    told.into_iter().map(value).collect()
}

/// Whether a move into this store is under way.
pub(super) fn is_under_way(connection: &Connection) -> Result<bool, StoreError> {
    let exists = connection.pick(
        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migration'",
        "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'migration'",
    );
    Ok(connection.prepare_cached(exists)?.exists([])?)
}

/// Moves all that is kept in one store into another, which is empty or was left by a move that was cut short. No
/// server may have either. `progress` gets a table and how many of its rows were moved.
///
/// # Errors
/// A store cannot be used, the target has data of its own, or the two differ in the end.
pub fn migrate(
    config: &Config,
    directory: &Path,
    to: MoveTo,
    mut progress: impl FnMut(&str, u64),
) -> Result<Vec<MovedTable>, MoveError> {
    let address = config.cluster.read_postgres().map_err(|reason| StoreError::Address { reason })?;
    let address = address.ok_or(MoveError::NoDatabase)?;
    if to == MoveTo::Postgres && !directory.join(super::FILE).is_file() {
        return Err(StoreError::Missing { path: directory.to_owned() }.into());
    }
    let file = Store::open_anyhow(directory, &config.privacy)?;
    let database = Store::open_postgres_anyhow(address.reveal(), &config.privacy)?;
    let (of_file, of_database) = (file.bare_connection()?, database.bare_connection()?);
    let (from, mut target) = if to == MoveTo::Postgres { (of_file, of_database) } else { (of_database, of_file) };
    move_all(&from, &mut target, &mut progress)
}

fn move_all(
    from: &Connection,
    to: &mut Connection,
    progress: &mut impl FnMut(&str, u64),
) -> Result<Vec<MovedTable>, MoveError> {
    if is_under_way(from)? {
        return Err(StoreError::Unfinished.into());
    }
    if !is_under_way(to)? {
        let kept = "SELECT 1 WHERE EXISTS (SELECT 1 FROM calls) OR EXISTS (SELECT 1 FROM audit)";
        if to.prepare_cached(kept)?.exists([])? {
            return Err(MoveError::Occupied);
        }
        to.execute_batch(&schema::translated(to, MOVE))?;
    }
    let tables = Table::all()?;
    for table in &tables {
        table.copy(from, to, progress)?;
    }
    let mut moved = Vec::new();
    for table in &tables {
        let (before, after) = (table.digest(from)?, table.digest(to)?);
        if before != after {
            return Err(MoveError::Differs { table: table.name.clone() });
        }
        table.number_on(from, to)?;
        moved.push(after);
    }
    to.execute_batch("DROP TABLE migration")?;
    Ok(moved)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::server::config::{Cluster, Privacy, Secret, SecretSource};
    use crate::server::store::contract::{address_of, written};
    use crate::server::store::{AlertFilter, CallFilter, Order, make_schema, read_beside, read_postgres};

    /// What lists, searches and checks say of a store.
    fn told(readers: &crate::server::store::Readers) -> String {
        let alerts = readers.alerts(&AlertFilter::default(), Order::OldestFirst, None, None, 100).unwrap();
        let calls = readers.calls(&CallFilter::default(), None, 100).unwrap();
        let versions = readers.rule_versions(None, 100).unwrap();
        let mut faults = Vec::new();
        let extent = readers.check_audit(None, |fault| faults.push(fault)).unwrap();
        assert_eq!(faults, []);
        format!("{alerts:#?}{calls:#?}{versions:#?}{extent:#?}{:#?}{}", readers.dump(), readers.store_id().unwrap())
    }

    #[test]
    fn a_store_is_moved_to_postgres_and_back_and_stays_what_it_was() {
        let directory = TempDir::new().unwrap();
        let Some(address) = address_of(directory.path()) else { return };
        make_schema(&address);
        let postgres = Some(SecretSource::Plain(Secret::new(address.clone())));
        let config = Config { cluster: Cluster { postgres }, ..Config::default() };
        let first = directory.path().join("first");
        let last_cursor = written(&first);
        // Cut short in the middle: a page is there, and the place behind it.
        {
            let store = Store::open_postgres_anyhow(&address, &Privacy::default()).unwrap();
            let mut to = store.bare_connection().unwrap();
            to.execute_batch(MOVE).unwrap();
            let from = Connection::Sqlite(rusqlite::Connection::open(first.join(super::super::FILE)).unwrap());
            for table in Table::all().unwrap().iter().take(4) {
                table.copy(&from, &mut to, &mut |_, _| {}).unwrap();
            }
        }
        assert!(matches!(Store::open_postgres(&address, &Privacy::default()), Err(StoreError::Unfinished)));
        let moved = migrate(&config, &first, MoveTo::Postgres, |_, _| {}).unwrap();
        let rows = |name: &str| moved.iter().find(|table| table.name == name).map(|table| table.rows);
        assert!(rows("alerts") > Some(0) && rows("audit") > Some(0) && rows("spoken").is_none(), "{moved:?}");
        let before = told(&read_beside(&first, Some(&config.privacy)).unwrap());
        assert_eq!(told(&read_postgres(&address, Some(&config.privacy)).unwrap()), before);
        assert!(matches!(migrate(&config, &first, MoveTo::Postgres, |_, _| {}), Err(MoveError::Occupied)));
        let second = directory.path().join("second");
        assert_eq!(migrate(&config, &second, MoveTo::Sqlite, |_, _| {}).unwrap(), moved);
        assert_eq!(told(&read_beside(&second, Some(&config.privacy)).unwrap()), before);
        // Numbers go on behind those that were given, though their rows are gone.
        for open in [Store::open_postgres(&address, &config.privacy), Store::open(&second, &config.privacy)] {
            let mut writer = open.unwrap().writer().unwrap();
            assert!(crate::server::store::contract::next_cursor(&mut writer) > last_cursor);
        }
    }
}

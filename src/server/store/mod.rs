//! The store: one SQLite file beside the server, or a database of PostgreSQL, written by one thread.
//!
//! [`Writer`] turns the shards' decisions into rows, one transaction for all that waits (group
//! commit); [`Readers`] answer questions beside it without ever blocking it. A commit
//! survives a crash of the process and of the machine: every commit is synced.
//!
//! No connection, no SQL and no type of SQLite leaves this module: others use the named methods of
//! [`Writer`], [`Readers`] and [`AsyncReaders`], and plain structs
//! (`docs/adr/0016-the-border-of-the-store.md`).
//!
//! The store decides nothing about calls. It keeps rows in the order in which
//! the shards produced them and gives them back.

mod async_readers;
mod audit;
mod audit_check;
mod backup;
mod calibrations;
mod checkpoint;
mod clips;
mod consumed;
#[cfg(test)]
mod contract;
mod counts;
mod drafts;
mod encryption;
mod files;
mod forget;
mod forms;
mod json;
mod marks;
mod migrate;
mod overview;
mod own_calls;
mod query;
mod reader;
mod reports;
mod review;
mod roster;
mod rules;
mod sampling;
mod schema;
mod seal;
mod spoken;
mod sql;
mod statistics;
mod stored_calls;
mod supervision;
mod thresholds;
mod views;
mod writer;

use std::error::Error;
use std::fmt;
use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::OpenFlags;

use crate::server::config::{Config, Privacy, StoredWords};
use crate::server::store::encryption::Keys;
use crate::server::store::sql::{Access, Address, Connection, Postgres};

pub(crate) use async_readers::AsyncReaders;
pub(crate) use audit::{AuditEntry, AuditFilter, Fact, Head};
pub(crate) use audit_check::AuditFault;
pub use backup::{BackupError, back_up, restore};
pub(crate) use calibrations::{Calibration, CalibrationAnswer, CalibrationStep, NewCalibration};
pub(crate) use clips::{CLIPS_MAX, Clip, ClipChange, ClipReaders, Collection, NewClip};
pub(crate) use consumed::Position;
pub(crate) use drafts::{DraftChange, Followed, FoundDraft, ListedDraft, NewDraftStep};
pub(crate) use forget::{Forgotten, Horizon};
pub(crate) use forms::{FilledForm, FormDeed, FormFilter, FoundFormStep, NewAnswers, NewFormStep};
pub(crate) use json::Json;
pub(crate) use marks::NewMark;
pub use migrate::{MoveError, MoveTo, MovedTable, migrate};
pub(crate) use overview::{Overview, OverviewFilter};
pub(crate) use own_calls::{KeptDuty, OwnCall};
pub(crate) use query::{
    AlertFilter, CallFilter, CallQuery, CallRecord, FoundAlert, FoundCall, Hour, Order, Place, Span, TotalledCall,
    Transition,
};
pub(crate) use reader::{ClosedCall, Letter, OpenAlert, OpenCall, Readers};
pub(crate) use reports::ReportState;
pub(crate) use review::{AnsweredCall, FiguresOfDay, FoundReview, NewFeedback, RuleFigures, Taken, Target, Untaken};
pub(crate) use roster::AgentRow;
pub(crate) use rules::{FoundVersion, LoadRow, VersionFiles};
pub(crate) use sampling::{
    Assignment, AssignmentFilter, Division, Draw, NewDraw, NewSample, NewVerdict, Progress, Sampled,
};
pub(crate) use spoken::{FoundSpoken, SpokenQuery};
pub(crate) use statistics::{CallCount, Grouping, Statistics, StatisticsFilter, Sums};
pub(crate) use stored_calls::{Stored, Transcript};
pub(crate) use supervision::{
    Attempt, Charge, Flag, FlaggedCall, Help, HelpBounds, KeptHelp, NewHelp, SupervisedCall, Supervision,
};
pub(crate) use thresholds::{Crossing, Recent};
pub(crate) use views::{FoundView, NewView};
pub(crate) use writer::{AlertRow, CallRow, ClosedRow, Entry, Record, Writer};

const FILE: &str = "tingjian.db";
const LOCK: &str = "tingjian.lock";
/// How long a connection waits for another's lock before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const STATEMENTS_CACHED: usize = 64;

/// The store of one data directory, or of a schema of PostgreSQL. While it lives, no other process has it.
#[derive(Debug)]
pub(crate) struct Store {
    site: Site,
    keys: Keys,
    /// The words of calls are masked for good when they are over.
    masks_closed: bool,
    owner: Owner,
}

/// Where a store is.
#[derive(Clone, Debug)]
enum Site {
    /// A file of SQLite.
    File(PathBuf),
    Postgres(Arc<Address>),
}

/// What keeps other processes out.
#[derive(Debug)]
enum Owner {
    File(#[allow(dead_code, reason = "held")] Lock),
    /// The connection that has the store for itself, until it is the writer's.
    Session(Box<Mutex<Option<Connection>>>),
}

/// Keeps other processes out until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
    /// The directory itself: the file may be removed by those who tidy up.
    _directory: File,
}

/// Why the store cannot be used.
#[derive(Debug)]
pub enum StoreError {
    /// The directory or its lock cannot be made.
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// Another process has it.
    Locked {
        /// The data directory.
        path: PathBuf,
    },
    /// Another process has the database.
    Taken {
        /// The database, without secrets.
        place: String,
    },
    /// A move into it was cut short.
    Unfinished,
    /// The address of the database cannot be used.
    Address {
        /// Why not.
        reason: String,
    },
    /// It was written by a later version of this program.
    Newer {
        /// The version of its tables.
        found: usize,
        /// The latest version known here.
        known: usize,
    },
    /// A file of the store was removed, replaced or cut short while it was open.
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// There is none.
    Missing {
        /// The data directory.
        path: PathBuf,
    },
    /// There is none in the database.
    Empty,
    /// It was written by an earlier version of this program, and a reader cannot bring it up to
    /// date.
    Older {
        /// The version of its tables.
        found: usize,
        /// The version that can be read.
        known: usize,
    },
    /// A key of `[privacy]` cannot be used.
    Key {
        /// Why not.
        reason: String,
    },
    /// Words in it are sealed with a key that was not given.
    Sealed {
        /// The name of the key: the first digits of its digest.
        key: String,
        /// Another key was given.
        is_any_given: bool,
    },
    /// The file is no store, or its contents are damaged: nothing that waiting could mend.
    Damaged {
        /// The error of the database.
        error: Box<dyn Error + Send + Sync>,
    },
    /// The database refuses.
    Failed {
        /// The error of the database.
        error: Box<dyn Error + Send + Sync>,
    },
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::Damaged { error: Box::new(error) },
            _ => Self::Failed { error: Box::new(error) },
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, error } => {
                let path = path.display();
                write!(f, "{path}: 无法使用数据目录 / cannot use the data directory: {error}")
            }
            Self::Locked { path } => write!(
                f,
                "{}: 已有另一个进程在使用这个数据目录；请先停止它，或用 --data 另选目录 / another process uses this data directory; stop it, or choose another with --data",
                path.display()
            ),
            Self::Taken { place } => write!(
                f,
                "{place}: 已有另一个进程在使用这个数据库；请先停止它，或另用一个库或 schema / another process uses this database; stop it, or use another database or schema"
            ),
            Self::Unfinished => f.write_str(
                "数据还没有迁移完；请再运行 tingjian migrate，它会接着做 / the data is not moved whole yet: run tingjian migrate again, which goes on where it was",
            ),
            Self::Address { reason } => write!(f, "[cluster] postgres: {reason}"),
            Self::Gone { path } => write!(
                f,
                "{}: 运行中被移走、替换或截短，之后的数据不会留下；请放回原文件，或停止服务后从备份恢复 / was removed, replaced or cut short while in use, and nothing further would be kept: put the file back, or stop the server and restore a backup",
                path.display()
            ),
            Self::Newer { found, known } => write!(
                f,
                "数据由更新的版本写成（第 {found} 版，本程序只认识到第 {known} 版）；请升级程序 / the data was written by a later version ({found}; this program knows {known}); upgrade the program"
            ),
            Self::Missing { path } => {
                write!(f, "{}: 没有数据（缺少 {FILE}） / no data here ({FILE} is missing)", path.display())
            }
            Self::Empty => f.write_str(
                "数据库里还没有数据；请先启动一次服务，并检查地址里的库和 schema / there is no data in the database yet: start a server on it once, and check the database and schema of the address",
            ),
            Self::Older { found, known } => write!(
                f,
                "数据由更早的版本写成（第 {found} 版，本程序需要第 {known} 版）；请先用本程序启动一次服务 / the data was written by an earlier version ({found}; this program needs {known}); start the server of this program on it once"
            ),
            Self::Key { reason } => write!(f, "[privacy]: {reason}"),
            Self::Sealed { key, is_any_given: false } => write!(
                f,
                "数据里的通话文字是加密的（密钥 {key}），没有密钥读不出来；请在配置里写上 [privacy] key / the words in this data are sealed (key {key}) and cannot be read without it: give it as [privacy] key"
            ),
            Self::Sealed { key, is_any_given: true } => write!(
                f,
                "数据里有用密钥 {key} 加密的通话文字，给出的密钥打不开；请改正 [privacy] key，或把它写进 old_keys / words in this data are sealed with the key {key}, which none of those given is: correct [privacy] key, or add it to old_keys"
            ),
            Self::Damaged { error } => write!(
                f,
                "{FILE} 已损坏，或不是本程序的数据：请从备份恢复，或移走该文件重新开始 / {FILE} is damaged, or not a store: restore a backup, or move it away to begin anew: {error}"
            ),
            Self::Failed { error } => write!(f, "存储出错 / the store failed: {error}"),
        }
    }
}

impl Error for StoreError {}

impl Store {
    /// Opens the store in `directory`, which is made if it is not there, and
    /// brings its tables up to date.
    ///
    /// # Errors
    /// The directory cannot be used, another process has it, or its file is
    /// damaged or of a later version, or sealed with another key than `privacy` names.
    pub(crate) fn open(directory: &Path, privacy: &Privacy) -> Result<Self, StoreError> {
        Self::open_anyhow(directory, privacy)?.unless_moving()
    }

    /// Opens it even if a move into it was cut short.
    fn open_anyhow(directory: &Path, privacy: &Privacy) -> Result<Self, StoreError> {
        let keys = Keys::read(privacy)?;
        let lock = Self::lock(directory)?;
        let masks_closed = privacy.store == StoredWords::Masked;
        let path = directory.join(FILE);
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let mut connection = Connection::Sqlite(connection);
        schema::migrate(&mut connection)?;
        keys.note(&connection)?;
        Ok(Self { site: Site::File(path), keys, masks_closed, owner: Owner::File(lock) })
    }

    /// Opens the store at `address`, a database of PostgreSQL, and brings its tables up to date.
    ///
    /// # Errors
    /// It cannot be reached, another process has it, or it is of a later version, or sealed with another key than
    /// `privacy` names.
    pub(crate) fn open_postgres(address: &str, privacy: &Privacy) -> Result<Self, StoreError> {
        Self::open_postgres_anyhow(address, privacy)?.unless_moving()
    }

    /// Opens it even if a move into it was cut short.
    fn open_postgres_anyhow(address: &str, privacy: &Privacy) -> Result<Self, StoreError> {
        let keys = Keys::read(privacy)?;
        let place = Arc::new(Address::parse(address).map_err(|reason| StoreError::Address { reason })?);
        let session = Postgres::connect(&place, &keys, Access::Writes)?;
        if !session.take()? {
            return Err(StoreError::Taken { place: place.name() });
        }
        let mut connection = Connection::Postgres(session);
        schema::migrate(&mut connection)?;
        keys.note(&connection)?;
        let masks_closed = privacy.store == StoredWords::Masked;
        let owner = Owner::Session(Box::new(Mutex::new(Some(connection))));
        Ok(Self { site: Site::Postgres(place), keys, masks_closed, owner })
    }

    fn unless_moving(self) -> Result<Self, StoreError> {
        match self.readers().ask(migrate::is_under_way)? {
            true => Err(StoreError::Unfinished),
            false => Ok(self),
        }
    }

    /// The connection that has the store for itself, as long as this lives.
    fn bare_connection(&self) -> Result<Connection, StoreError> {
        match (&self.site, &self.owner) {
            (Site::File(path), _) => Ok(Connection::Sqlite(connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?)),
            (Site::Postgres(address), Owner::Session(session)) => {
                let session = session.lock().ok().and_then(|mut session| session.take());
                session.ok_or_else(|| StoreError::Taken { place: address.name() })
            }
            (Site::Postgres(address), Owner::File(_)) => Err(StoreError::Taken { place: address.name() }),
        }
    }

    /// Opens the store that a configuration names.
    ///
    /// # Errors
    /// See [`Self::open`] and [`Self::open_postgres`].
    pub(crate) fn of(config: &Config) -> Result<Self, StoreError> {
        match config.cluster.read_postgres().map_err(|reason| StoreError::Address { reason })? {
            Some(address) => Self::open_postgres(address.reveal(), &config.privacy),
            None => Self::open(&config.data, &config.privacy),
        }
    }

    /// Takes the data directory, which is made if it is not there, for this process alone.
    fn lock(directory: &Path) -> Result<Lock, StoreError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |error| StoreError::Io { path, error }
        };
        // What callers say is nobody else's business on this machine.
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io(directory))?;
        let lock_path = directory.join(LOCK);
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_path).map_err(io(&lock_path))?;
        let itself = File::open(directory).map_err(io(directory))?;
        for file in [&lock, &itself] {
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { path: directory.to_owned() }),
                Err(TryLockError::Error(error)) => return Err(io(&lock_path)(error)),
            }
        }
        Ok(Lock { _file: lock, _directory: itself })
    }

    /// The one that writes. Only one may be made.
    pub(crate) fn writer(&self) -> Result<Writer, StoreError> {
        let connection = self.bare_connection()?;
        match &connection {
            Connection::Postgres(connection) => connection.put_up_fence()?,
            Connection::Sqlite(connection) => {
                self.keys.teach(connection)?;
                if self.masks_closed || self.keys.seals() {
                    // What is masked, sealed anew or removed is overwritten.
                    connection.pragma_update(None, "secure_delete", "ON")?;
                }
            }
        }
        let file = match &self.site {
            Site::File(path) => Some(path.clone()),
            Site::Postgres(_) => None,
        };
        Writer::new(connection, file, self.masks_closed, self.keys.seals())
    }

    /// The readers of this store.
    pub(crate) fn readers(&self) -> Readers {
        Readers::new(self.site.clone(), self.keys.clone())
    }
}

/// Readers of the store in `directory`, beside the server that has it; without `privacy`, of all
/// but the words of calls.
///
/// # Errors
/// There is none, it is of another version, or sealed with another key.
pub(crate) fn read_beside(directory: &Path, privacy: Option<&Privacy>) -> Result<Readers, StoreError> {
    let path = directory.join(FILE);
    if !path.is_file() {
        return Err(StoreError::Missing { path: directory.to_owned() });
    }
    read_site(Site::File(path), privacy)
}

/// Readers of the store at `address`, a database of PostgreSQL, beside the server that has it; see [`read_beside`].
///
/// # Errors
/// It cannot be reached, is of another version, or sealed with another key.
pub(crate) fn read_postgres(address: &str, privacy: Option<&Privacy>) -> Result<Readers, StoreError> {
    let place = Address::parse(address).map_err(|reason| StoreError::Address { reason })?;
    read_site(Site::Postgres(Arc::new(place)), privacy)
}

/// Makes the schema that the search path of an address names.
#[cfg(test)]
fn make_schema(address: &str) {
    let connection = Postgres::connect(&Arc::new(Address::parse(address).unwrap()), &Keys::default(), Access::Writes);
    let schema = "SELECT current_setting('search_path')";
    let connection = Connection::Postgres(connection.unwrap());
    let schema: String = connection.query_row(schema, [], |row| row.get(0)).unwrap();
    connection.execute_batch(&format!("CREATE SCHEMA IF NOT EXISTS {schema}")).unwrap();
}

/// Readers of the store in `directory`, or of the one that the configuration names, beside the server that has it.
///
/// # Errors
/// See [`read_beside`] and [`read_postgres`].
pub(crate) fn read_of(config: &Config, directory: &Path, with_words: bool) -> Result<Readers, StoreError> {
    let privacy = with_words.then_some(&config.privacy);
    match config.cluster.read_postgres().map_err(|reason| StoreError::Address { reason })? {
        Some(address) => read_postgres(address.reveal(), privacy),
        None => read_beside(directory, privacy),
    }
}

fn read_site(site: Site, privacy: Option<&Privacy>) -> Result<Readers, StoreError> {
    let keys = privacy.map(Keys::read).transpose()?.unwrap_or_default();
    let readers = Readers::new(site, keys.clone());
    readers.ask(schema::check)?;
    if privacy.is_some() {
        readers.ask(|connection| keys.check(connection))?;
    }
    Ok(readers)
}

/// The path with `ending` behind its name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// A connection to SQLite with the settings that all of them share.
fn connect(path: &Path, access: OpenFlags) -> Result<rusqlite::Connection, StoreError> {
    let connection = rusqlite::Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // A commit that is acknowledged survives the loss of power, too.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    Ok(connection)
}

//! Copies of a whole store, and stores out of them.
//!
//! A backup is one moment of the store: the copy is made within one read
//! transaction, so the server beside it may write as much as it likes without
//! making the copy begin anew. While it is made, the log of the store cannot
//! begin anew either and grows by what is written.
//!
//! Behind its pages a backup has their digest: SQLite checks the structure of a
//! file, not whether it says what it said, and a flipped bit may pass.
//!
//! A restored store is another store: it has an identity of its own, because
//! the numbers that were given after the backup will be given again.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::server::store::{FILE, Store, StoreError, beside, connect, schema, sql};

/// Pages of 4 KiB that are copied between two looks at the progress.
const STEP_PAGES: i32 = 1_024;
const BUFFER_BYTES: usize = 1024 * 1024;
/// What stands behind the pages of a backup, before their SHA-256 in hexadecimal
/// digits and a line feed. SQLite reads no further than its pages.
const SEAL: &[u8] = b"\ntingjian-backup sha256 ";
const SEAL_BYTES: u64 = SEAL.len() as u64 + 64 + 1;
/// How every file of SQLite begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Why a backup or a restore failed. What was there before is as it was.
#[derive(Debug)]
pub enum BackupError {
    /// A file or directory cannot be used.
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// The backup would overwrite the store itself.
    OntoItself {
        /// The file of the store.
        path: PathBuf,
    },
    /// The directory of the restore already has a store.
    Occupied {
        /// Its file.
        path: PathBuf,
    },
    /// A store in use was given in place of a backup: its log lies beside it.
    InUse {
        /// Its file.
        path: PathBuf,
    },
    /// The file is something else.
    NotABackup {
        /// The file.
        path: PathBuf,
    },
    /// There is no digest behind the pages of the file.
    Unsealed {
        /// The file.
        path: PathBuf,
    },
    /// The file, or the store that was to be backed up, is damaged.
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first fault.
        fault: String,
    },
    /// The store refuses.
    Store(StoreError),
}

impl From<StoreError> for BackupError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<rusqlite::Error> for BackupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, error } => write!(f, "{}: 无法读写 / cannot be used: {error}", path.display()),
            Self::OntoItself { path } => write!(
                f,
                "{}: 备份不能写到数据文件自己身上，请换个文件名 / a backup cannot be written onto the data itself; choose another file",
                path.display()
            ),
            Self::Occupied { path } => write!(
                f,
                "{}: 这里已有数据，不会覆盖；请恢复到空目录，或先移走它 / there is data here, which is not overwritten; restore into an empty directory, or move it away first",
                path.display()
            ),
            Self::InUse { path } => write!(
                f,
                "{}: 这是使用中的数据，不是备份（旁边有 -wal 文件）；请先用 tingjian backup 备份 / this is data in use, not a backup (there is a -wal file beside it); make one with tingjian backup",
                path.display()
            ),
            Self::NotABackup { path } => {
                write!(f, "{}: 不是 tingjian 的备份 / not a backup of tingjian", path.display())
            }
            Self::Unsealed { path } => write!(
                f,
                "{}: 末尾没有校验值：被截断，或不是 tingjian 的备份（用 tingjian backup 备份） / there is no digest at its end: it was cut short, or is not a backup of tingjian (made by tingjian backup)",
                path.display()
            ),
            Self::Damaged { path, fault } => write!(
                f,
                "{}: 文件已损坏，需要一份完好的备份 / the file is damaged; a sound backup is needed: {fault}",
                path.display()
            ),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BackupError {}

/// Writes the store in `directory` to `output`, as of now; a server may be running on it. The file
/// appears only when it is whole and checked. `progress` gets the bytes done and the bytes in all.
/// Returns the size.
///
/// # Errors
/// There is no store, it is damaged, or the file cannot be written.
pub fn back_up(directory: &Path, output: &Path, mut progress: impl FnMut(u64, u64)) -> Result<u64, BackupError> {
    let path = directory.join(FILE);
    if !path.is_file() {
        return Err(StoreError::Missing { path: directory.to_owned() }.into());
    }
    if is_same(&path, output) {
        return Err(BackupError::OntoItself { path });
    }
    let folder = folder_of(output);
    let file = NamedTempFile::new_in(folder).map_err(io_at(folder))?;
    {
        let store = connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        // The moment that the copy is of: from here on this connection sees nothing newer.
        store.execute_batch("BEGIN")?;
        store.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        let page_bytes: u32 = store.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let mut copy = Connection::open(file.path())?;
        let backup = Backup::new(&store, &mut copy)?;
        loop {
            let step = backup.step(STEP_PAGES)?;
            let pages = backup.progress();
            let bytes = |pages: i32| u64::from(pages.max(0).unsigned_abs()) * u64::from(page_bytes);
            progress(bytes(pages.pagecount - pages.remaining), bytes(pages.pagecount));
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                // Neither file has another user whom the copy could meet.
                _ => return Err(io_at(output)(io::Error::from(io::ErrorKind::ResourceBusy))),
            }
        }
        drop(backup);
        // One file, without a log of its own.
        copy.pragma_update(None, "journal_mode", "DELETE")?;
        check_whole(&copy, &path)?;
    }
    seal(file.path()).map_err(io_at(output))?;
    keep(file, output, true)
}

/// Makes a store in `directory` out of the backup `file`, brought up to this
/// version. Returns its size.
///
/// # Errors
/// There is a store already or a server runs there, the file is no backup, is
/// damaged or of a later version, or the store cannot be written.
pub fn restore(file: &Path, directory: &Path, mut progress: impl FnMut(u64, u64)) -> Result<u64, BackupError> {
    let mut source = File::open(file).map_err(io_at(file))?;
    if beside(file, "-wal").metadata().is_ok_and(|log| log.len() > 0) {
        return Err(BackupError::InUse { path: file.to_owned() });
    }
    let _lock = Store::lock(directory)?;
    let path = directory.join(FILE);
    // A log that is left of another store would be taken for this one's.
    if let Some(path) = ["", "-wal", "-journal"].iter().map(|end| beside(&path, end)).find(|path| path.exists()) {
        return Err(BackupError::Occupied { path });
    }
    let mut copy = NamedTempFile::new_in(directory).map_err(io_at(directory))?;
    copy_bytes(&mut source, copy.as_file_mut(), file, &mut progress)?;
    take_up(copy.path(), file).map_err(|error| match error {
        BackupError::Store(StoreError::Damaged { error }) => {
            BackupError::Damaged { path: file.to_owned(), fault: error.to_string() }
        }
        error => error,
    })?;
    keep(copy, &path, false)
}

/// Writes the digest of a file behind it.
fn seal(path: &Path) -> io::Result<()> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut digest = Sha256::new();
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => digest.update(&buffer[..read]),
        }
    }
    file.write_all(&seal_of(digest))
}

fn seal_of(digest: Sha256) -> Vec<u8> {
    let digits: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    [SEAL, digits.as_bytes(), b"\n"].concat()
}

/// Copies the pages of a backup, which are what its digest says.
fn copy_bytes(
    source: &mut File,
    copy: &mut File,
    path: &Path,
    progress: &mut impl FnMut(u64, u64),
) -> Result<(), BackupError> {
    let mut begin = Vec::new();
    source.take(MAGIC.len() as u64).read_to_end(&mut begin).map_err(io_at(path))?;
    if begin != MAGIC {
        return Err(BackupError::NotABackup { path: path.to_owned() });
    }
    let total = source.metadata().map_err(io_at(path))?.len().saturating_sub(SEAL_BYTES);
    let mut found = Vec::new();
    source.seek(SeekFrom::Start(total)).map_err(io_at(path))?;
    source.take(SEAL_BYTES).read_to_end(&mut found).map_err(io_at(path))?;
    if !found.starts_with(SEAL) {
        return Err(BackupError::Unsealed { path: path.to_owned() });
    }
    source.rewind().map_err(io_at(path))?;
    let mut pages = source.take(total);
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut done, mut digest) = (0, Sha256::new());
    loop {
        let read = pages.read(&mut buffer).map_err(io_at(path))?;
        if read == 0 {
            break;
        }
        digest.update(&buffer[..read]);
        copy.write_all(&buffer[..read]).map_err(io_at(path))?;
        done += read as u64;
        progress(done, total);
    }
    if seal_of(digest) == found {
        return Ok(());
    }
    let fault = "内容与末尾的校验值不符 / its contents are not what the digest at its end says".to_owned();
    Err(BackupError::Damaged { path: path.to_owned(), fault })
}

/// Checks the copy of a backup and makes it a store of its own.
fn take_up(copy: &Path, backup: &Path) -> Result<(), BackupError> {
    let connection = connect(copy, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "journal_mode", "DELETE")?;
    check_whole(&connection, backup)?;
    let mut connection = sql::Connection::Sqlite(connection);
    match schema::check(&connection) {
        Ok(()) | Err(StoreError::Older { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let has_identity = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'identity'";
    if connection.query_row(has_identity, [], |_| Ok(())).optional()?.is_none() {
        return Err(BackupError::NotABackup { path: backup.to_owned() });
    }
    schema::migrate(&mut connection)?;
    let store_id = "SELECT store_id FROM identity";
    let before: i64 = connection.query_row(store_id, [], |row| row.get(0))?;
    let mut now = before;
    while now == before {
        connection.execute("UPDATE identity SET store_id = abs(random() % 1000000000000) + 1", [])?;
        now = connection.query_row(store_id, [], |row| row.get(0))?;
    }
    Ok(())
}

/// Whether every page and every index of a file is sound.
fn check_whole(connection: &Connection, path: &Path) -> Result<(), BackupError> {
    let damaged = |fault: String| BackupError::Damaged { path: path.to_owned(), fault };
    let verdict: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|error| damaged(error.to_string()))?;
    if verdict == "ok" { Ok(()) } else { Err(damaged(verdict)) }
}

/// Gives a whole file its name, for good. Returns its size.
fn keep(file: NamedTempFile, path: &Path, may_replace: bool) -> Result<u64, BackupError> {
    file.as_file().sync_all().map_err(io_at(path))?;
    let kept = if may_replace { file.persist(path) } else { file.persist_noclobber(path) };
    let kept = kept.map_err(|error| io_at(path)(error.error))?;
    let folder = folder_of(path);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_at(folder))?;
    Ok(kept.metadata().map_err(io_at(path))?.len())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether two paths name one file, however they are written.
fn is_same(store: &Path, output: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(store).is_some_and(|store| real(output).is_some_and(|output| output == store))
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> BackupError {
    let path = path.to_owned();
    move |error| BackupError::Io { path: path.clone(), error }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// Some steps' worth.
    const MIB: i64 = 14;

    #[test]
    fn a_busy_writer_does_not_make_a_backup_begin_anew() {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("backup.db");
        drop(Store::open(directory.path(), &crate::server::config::Privacy::default()).unwrap());
        let writer = connect(&directory.path().join(FILE), OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        let write = |bytes: i64| {
            let row = "INSERT INTO events (call_no, serial, now_ms, json)
                       SELECT 1, coalesce(max(serial), 0) + 1, 0, hex(zeroblob(?)) FROM events";
            writer.execute(row, [bytes / 2]).unwrap();
        };
        (0..MIB).for_each(|_| write(1024 * 1024));
        let mut told: Vec<(u64, u64)> = Vec::new();
        back_up(directory.path(), &file, |done, total| {
            write(4 * 1024);
            told.push((done, total));
            assert!(told.len() < 100, "it begins anew, over and over");
        })
        .unwrap();
        assert!(told.len() >= 3, "several steps: {told:?}");
        assert!(told.is_sorted_by(|earlier, later| earlier.0 < later.0 && earlier.1 == later.1), "{told:?}");
        let copy = Connection::open(&file).unwrap();
        let rows: i64 = copy.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, MIB, "what was written meanwhile is not in it");
    }
}

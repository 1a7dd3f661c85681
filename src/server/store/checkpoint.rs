//! Moves committed pages out of the write-ahead log, so that it does not grow for ever.
//!
//! SQLite would do it within a commit, and the jobs behind that commit would wait for thousands of
//! pages. Here a thread of its own moves them while commits go on; the writer then moves the few
//! that came meanwhile, and the log begins anew.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::server::store::{StoreError, connect};

/// The log is emptied when it has so many pages of 4 KiB more than last time.
const PAGES: usize = 2_048;

/// How long readers are waited for at the end.
const FINISH_TIMEOUT: Duration = Duration::from_secs(1);

/// The state of the log of one store.
#[derive(Debug)]
pub(super) struct Checkpoints {
    path: PathBuf,
    /// How many pages the log has after the last commit.
    pages: Arc<AtomicUsize>,
    /// From how many on it is emptied.
    due: usize,
    running: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Takes over from SQLite on the connection that writes.
    pub(super) fn new(connection: &mut Connection, path: PathBuf) -> Result<Self, StoreError> {
        let pages = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&pages);
        connection.wal_hook(Some(move |_: &mut _, pages| {
            seen.store(usize::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { path, pages, due: PAGES, running: None })
    }

    /// Keeps the log short after a commit.
    pub(super) fn tend(&mut self, connection: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        if self.running.as_ref().is_some_and(JoinHandle::is_finished) {
            self.running = None;
            empty(connection);
            // Where a reader was in the way, some of it stays until the next time.
            self.due = pages + PAGES;
        } else if self.running.is_none() && pages < PAGES {
            self.due = PAGES;
        } else if self.running.is_none() && pages >= self.due {
            let path = self.path.clone();
            let work = move || {
                if let Ok(connection) = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE) {
                    empty(&connection);
                }
            };
            self.running = std::thread::Builder::new().name("checkpoint".to_owned()).spawn(work).ok();
        }
    }
}

/// Moves everything, waiting a moment for readers, and leaves an empty log. What
/// a reader is in the way of stays in the log, from which the next start has it.
pub(super) fn finish(connection: &Connection) {
    let finished = connection
        .busy_timeout(FINISH_TIMEOUT)
        .and_then(|()| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
    if let Err(error) = finished {
        tracing::warn!(%error, "the log of the store could not be emptied");
    }
}

/// Moves all that no reader is in the way of. What cannot be moved now stays
/// in the log and is moved another time: nothing depends on it but its size.
fn empty(connection: &Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the log of the store could not be emptied");
    }
}

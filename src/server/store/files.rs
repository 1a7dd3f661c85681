//! Whether the files of the store are still those that were opened. SQLite
//! writes on to a file that was removed under it, and all of it is gone with
//! the process.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::server::store::{StoreError, beside};

/// The files that commits go to, as they were when last looked at.
#[derive(Debug)]
pub(super) struct Files(Vec<Seen>);

#[derive(Debug)]
struct Seen {
    path: PathBuf,
    device: u64,
    inode: u64,
    /// Neither file ever shrinks while the store is open.
    length: u64,
}

impl Files {
    /// The database at `path` and its log, which are both there.
    pub(super) fn new(path: &Path) -> Result<Self, StoreError> {
        let seen = |path: PathBuf| match path.metadata() {
            Ok(found) => Ok(Seen { device: found.dev(), inode: found.ino(), length: found.len(), path }),
            Err(error) => Err(StoreError::Io { path, error }),
        };
        Ok(Self(vec![seen(path.to_owned())?, seen(beside(path, "-wal"))?]))
    }

    /// Looks again.
    ///
    /// # Errors
    /// A file was removed, replaced or cut short.
    pub(super) fn check(&mut self) -> Result<(), StoreError> {
        for seen in &mut self.0 {
            let found = seen.path.metadata().ok();
            let length = found
                .filter(|found| (found.dev(), found.ino()) == (seen.device, seen.inode) && found.len() >= seen.length)
                .map(|found| found.len())
                .ok_or_else(|| StoreError::Gone { path: seen.path.clone() })?;
            seen.length = length;
        }
        Ok(())
    }
}

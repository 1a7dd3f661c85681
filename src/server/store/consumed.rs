//! How far topics are consumed. A position is kept after the events before it, so that none is passed over.

use crate::server::store::sql::params;
use crate::server::store::{Readers, StoreError, Writer};

/// The next offset of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) partition: i32,
    pub(crate) next_offset: i64,
}

impl Writer {
    /// Keeps the positions of a topic that a source consumes.
    pub(crate) fn keep_positions(
        &mut self,
        source: &str,
        topic: &str,
        positions: &[Position],
    ) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        for Position { partition, next_offset } in positions {
            let keep = "INSERT INTO consumed (source, topic, partition, next_offset) VALUES (?, ?, ?, ?)
                 ON CONFLICT (source, topic, partition) DO UPDATE SET next_offset = excluded.next_offset";
            transaction.prepare_cached(keep)?.execute(params![source, topic, partition, next_offset])?;
        }
        transaction.commit()?;
        Ok(())
    }
}

impl Readers {
    /// The positions of a topic that a source consumes.
    pub(crate) fn positions(&self, source: &str, topic: &str) -> Result<Vec<Position>, StoreError> {
        self.ask(|connection| {
            let mut found = connection.prepare(
                "SELECT partition, next_offset FROM consumed WHERE source = ? AND topic = ? ORDER BY partition",
            )?;
            let positions = found.query_map(params![source, topic], |row| {
                Ok(Position { partition: row.get(0)?, next_offset: row.get(1)? })
            })?;
            Ok(positions.collect::<Result<_, _>>()?)
        })
    }
}

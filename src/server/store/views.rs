//! Views that people saved: the filters and columns of a page under a name, for themselves or for all.

use crate::server::store::StoreError;
use crate::server::store::query::limit;
use crate::server::store::reader::Readers;
use crate::server::store::sql::{self, OptionalExtension as _, Row, params};
use crate::server::store::writer::Writer;

/// A view to keep.
#[derive(Clone, Debug)]
pub(crate) struct NewView {
    pub(crate) page: String,
    pub(crate) name: String,
    /// The query of the page's address.
    pub(crate) query: String,
    /// The person's name; empty where nobody has one.
    pub(crate) owner: String,
    pub(crate) is_shared: bool,
    pub(crate) saved_ms: i64,
}

/// A view as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct FoundView {
    pub(crate) view_no: i64,
    pub(crate) view: NewView,
}

const VIEW: &str = "view_no, page, name, query, owner, is_shared, saved_ms";

fn view(row: &Row<'_>) -> sql::Result<FoundView> {
    Ok(FoundView {
        view_no: row.get(0)?,
        view: NewView {
            page: row.get(1)?,
            name: row.get(2)?,
            query: row.get(3)?,
            owner: row.get(4)?,
            is_shared: row.get(5)?,
            saved_ms: row.get(6)?,
        },
    })
}

impl Readers {
    /// The views of a page that `owner` has or others share, at most `count_max`: by name, the own ones first.
    pub(crate) fn views(&self, page: &str, owner: &str, count_max: usize) -> Result<Vec<FoundView>, StoreError> {
        let sql = format!(
            "SELECT {VIEW} FROM views WHERE page = ?1 AND (owner = ?2 OR is_shared <> 0) ORDER BY owner <> ?2, name, view_no LIMIT ?3"
        );
        self.ask(|connection| {
            let mut views = connection.prepare_cached(&sql)?;
            let views = views.query_map(params![page, owner, limit(count_max)], view)?;
            Ok(views.collect::<Result<_, _>>()?)
        })
    }
}

impl Writer {
    /// Keeps a view, instead of the owner's of that name if there is one. `None`: the owner has `count_max` of the page.
    pub(crate) fn keep_view(&mut self, new: &NewView, count_max: usize) -> Result<Option<i64>, StoreError> {
        let NewView { page, name, query, owner, is_shared, saved_ms } = new;
        let transaction = self.connection.transaction()?;
        let others = "SELECT count(*) FROM views WHERE page = ? AND owner = ? AND name <> ?";
        let others: i64 = transaction.prepare_cached(others)?.query_row([page, owner, name], |row| row.get(0))?;
        if usize::try_from(others).is_ok_and(|others| others >= count_max) {
            return Ok(None);
        }
        let keep = "INSERT INTO views (page, name, query, owner, is_shared, saved_ms) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (page, owner, name) DO UPDATE
             SET query = excluded.query, is_shared = excluded.is_shared, saved_ms = excluded.saved_ms RETURNING view_no";
        let view_no = transaction
            .prepare_cached(keep)?
            .query_row(params![page, name, query, owner, is_shared, saved_ms], |row| row.get(0))?;
        transaction.commit()?;
        Ok(Some(view_no))
    }

    /// Removes a view if it is `owner`'s, or whosever it is if that is `None`; false if there is no such view.
    pub(crate) fn drop_view(&mut self, view_no: i64, owner: Option<&str>) -> Result<bool, StoreError> {
        let drop = "DELETE FROM views WHERE view_no = ?1 AND (owner = ?2 OR ?2 IS NULL) RETURNING view_no";
        let gone: Option<i64> =
            self.connection.prepare_cached(drop)?.query_row(params![view_no, owner], |row| row.get(0)).optional()?;
        Ok(gone.is_some())
    }
}

//! Filled scoring forms as a file: one row an answer, so that any item can be counted.

use std::borrow::Cow;
use std::io::Write;

use chrono::FixedOffset;

use crate::server::export::row::{Cell, Head, Kind};
use crate::server::export::{ExportError, Format, sink};

/// One answer of a filled form.
#[derive(Clone, Debug, Default)]
pub(crate) struct FormRow {
    pub(crate) form_no: i64,
    pub(crate) form: String,
    pub(crate) version: String,
    pub(crate) title: String,
    pub(crate) call_id: String,
    pub(crate) started_ms: i64,
    pub(crate) queue: Option<String>,
    pub(crate) agent_id: String,
    pub(crate) agent_name: Option<String>,
    pub(crate) team: Option<String>,
    pub(crate) reviewer: String,
    pub(crate) filled_ms: i64,
    pub(crate) changed_ms: i64,
    /// Out of 10 000.
    pub(crate) score: i64,
    pub(crate) passed: Option<bool>,
    pub(crate) signature: &'static str,
    pub(crate) objection: Option<String>,
    pub(crate) comment: Option<String>,
    pub(crate) group: String,
    pub(crate) item: String,
    pub(crate) item_title: String,
    pub(crate) points: i64,
    /// `yes`, `no`, `na` or a mark.
    pub(crate) answer: String,
    pub(crate) scale: i64,
    pub(crate) answer_comment: Option<String>,
}

/// One column.
struct Column {
    head: Head,
    /// Its cell in a row.
    cell: for<'a> fn(&'a FormRow) -> Cell<'a>,
}

const fn column(
    name: &'static str,
    zh: &'static str,
    kind: Kind,
    width: u8,
    cell: for<'a> fn(&'a FormRow) -> Cell<'a>,
) -> Column {
    Column { head: Head { name, zh, kind, width }, cell }
}

const fn text(text: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(text))
}

fn maybe(found: Option<&str>) -> Cell<'_> {
    found.map_or(Cell::Empty, text)
}

#[rustfmt::skip]
const COLUMNS: [Column; 25] = [
    column("form_no", "评分编号", Kind::Number, 10, |row| Cell::Number(row.form_no)),
    column("started_at", "接通", Kind::Time, 20, |row| Cell::Time(row.started_ms)),
    column("call_id", "通话", Kind::Text, 20, |row| text(&row.call_id)),
    column("agent_id", "坐席", Kind::Text, 12, |row| text(&row.agent_id)),
    column("agent_name", "姓名", Kind::Text, 12, |row| maybe(row.agent_name.as_deref())),
    column("team", "班组", Kind::Text, 14, |row| maybe(row.team.as_deref())),
    column("queue", "队列", Kind::Text, 12, |row| maybe(row.queue.as_deref())),
    column("form", "评分表", Kind::Text, 14, |row| text(&row.form)),
    column("title", "评分表名称", Kind::Text, 22, |row| text(&row.title)),
    column("version", "版本", Kind::Text, 14, |row| text(&row.version)),
    column("reviewer", "复核人", Kind::Text, 12, |row| text(&row.reviewer)),
    column("filled_at", "评分时间", Kind::Time, 20, |row| Cell::Time(row.filled_ms)),
    column("changed_at", "改分时间", Kind::Time, 20, |row| Cell::Time(row.changed_ms)),
    column("score_hundredths", "得分（百分之一分）", Kind::Number, 16, |row| Cell::Number(row.score)),
    column("passed", "合格", Kind::Number, 8, |row| row.passed.map_or(Cell::Empty, |passed| Cell::Number(passed.into()))),
    column("signature", "签收", Kind::Text, 10, |row| text(row.signature)),
    column("objection", "异议", Kind::Text, 30, |row| maybe(row.objection.as_deref())),
    column("comment", "总评", Kind::Text, 30, |row| maybe(row.comment.as_deref())),
    column("group", "分组", Kind::Text, 14, |row| text(&row.group)),
    column("item", "项", Kind::Text, 18, |row| text(&row.item)),
    column("item_title", "题目", Kind::Text, 30, |row| text(&row.item_title)),
    column("points", "分值", Kind::Number, 8, |row| Cell::Number(row.points)),
    column("answer", "答案", Kind::Text, 8, |row| text(&row.answer)),
    column("scale", "满分", Kind::Number, 8, |row| Cell::Number(row.scale)),
    column("answer_comment", "评语", Kind::Text, 30, |row| maybe(row.answer_comment.as_deref())),
];

/// Writes what `page` gives, page by page, until it gives nothing; says how many rows there were.
pub(crate) fn write_forms(
    format: Format,
    zone: FixedOffset,
    mut page: impl FnMut() -> Result<Vec<FormRow>, ExportError>,
    out: impl Write + Send,
) -> Result<u64, ExportError> {
    let heads = COLUMNS.iter().map(|column| column.head).collect();
    let mut sink = sink(format, out, zone, heads, ("forms", "评分"), None)?;
    let mut rows = 0;
    loop {
        let found = page()?;
        if found.is_empty() {
            break;
        }
        for row in &found {
            let cells: Vec<Cell<'_>> = COLUMNS.iter().map(|column| (column.cell)(row)).collect();
            sink.row(&cells)?;
            rows += 1;
        }
    }
    sink.finish()?;
    Ok(rows)
}

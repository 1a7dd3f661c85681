//! An Excel workbook: a summary with a chart, then the alerts, row by row
//! through a temporary file. Text is written as text, so nothing is a formula.

use std::collections::BTreeMap;
use std::io::{self, Write};

use chrono::FixedOffset;
use rust_xlsxwriter::{
    Chart, ChartType, DocProperties, ExcelDateTime, Format, FormatAlign, Workbook, Worksheet, XlsxError,
};

use super::Sink;
use super::row::{COLUMNS, Cell, Kind, Row};
use crate::engine::alert::AlertState;

/// Rows of one sheet below its heading; what is more goes to another.
const SHEET_ROWS_MAX: u32 = 1_048_575;
/// Characters in a cell.
const CELL_CHARS_MAX: usize = 32_767;
/// Rules in the chart: those with the most confirmed alerts.
const CHART_RULES_MAX: u32 = 15;
/// 1970-01-01 as Excel counts days.
const UNIX_EPOCH_DAYS: f64 = 25_569.0;
const DAY_MS: f64 = 24.0 * 60.0 * 60.0 * 1_000.0;
const SUMMARY: &str = "汇总";

pub(super) struct Xlsx<W> {
    out: W,
    book: Workbook,
    zone: FixedOffset,
    heading: Format,
    time: Format,
    sheets: u32,
    /// In the last sheet.
    rows: u32,
    rules: BTreeMap<String, RuleTotal>,
}

#[derive(Debug, Default)]
struct RuleTotal {
    name: String,
    severity: &'static str,
    alerts: u32,
    confirmed: u32,
    deduct: u64,
}

impl<W: Write + Send> Xlsx<W> {
    pub(super) fn new(out: W, zone: FixedOffset) -> io::Result<Self> {
        let mut book = Workbook::new();
        // The time of an export is no part of it: the same alerts give the same bytes.
        let created = ExcelDateTime::from_ymd(2000, 1, 1).map_err(io::Error::other)?;
        book.set_properties(&DocProperties::new().set_title("听检预警").set_creation_datetime(&created));
        book.add_worksheet().set_name(SUMMARY).map_err(io::Error::other)?;
        let mut xlsx = Self {
            out,
            book,
            zone,
            heading: Format::new().set_bold().set_align(FormatAlign::VerticalCenter),
            time: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
            sheets: 0,
            rows: 0,
            rules: BTreeMap::new(),
        };
        xlsx.begin_sheet().map_err(io::Error::other)?;
        Ok(xlsx)
    }

    fn begin_sheet(&mut self) -> Result<(), XlsxError> {
        self.end_sheet()?;
        self.sheets += 1;
        let name = if self.sheets == 1 { "预警".to_owned() } else { format!("预警{}", self.sheets) };
        let sheet = self.book.add_worksheet_with_constant_memory();
        sheet.set_name(name)?.set_freeze_panes(1, 0)?;
        for (index, column) in (0..).zip(&COLUMNS) {
            sheet.set_column_width(index, column.width)?;
            let heading = match column.kind {
                Kind::Time => format!("{}（{}）", column.zh, self.zone),
                Kind::Text | Kind::Number => column.zh.to_owned(),
            };
            sheet.write_string_with_format(0, index, heading, &self.heading)?;
        }
        self.rows = 0;
        Ok(())
    }

    /// Filters go over the rows that there are.
    fn end_sheet(&mut self) -> Result<(), XlsxError> {
        if self.sheets > 0 {
            let (index, last) = (self.sheets as usize, last_column());
            self.book.worksheet_from_index(index)?.autofilter(0, 0, self.rows.max(1), last)?;
        }
        Ok(())
    }

    fn write(&mut self, row: &Row) -> Result<(), XlsxError> {
        if self.rows == SHEET_ROWS_MAX {
            self.begin_sheet()?;
        }
        self.rows += 1;
        let sheet = self.book.worksheet_from_index(self.sheets as usize)?;
        for (index, column) in (0..).zip(&COLUMNS) {
            match (column.cell)(row) {
                Cell::Text(text) => sheet.write_string(self.rows, index, cut(&text))?,
                Cell::Number(number) => sheet.write_number(self.rows, index, float(number))?,
                Cell::Time(ms) => {
                    let local = float(ms) + f64::from(self.zone.local_minus_utc()) * 1_000.0;
                    sheet.write_number_with_format(self.rows, index, local / DAY_MS + UNIX_EPOCH_DAYS, &self.time)?
                }
                Cell::Empty => sheet,
            };
        }
        let alert = &row.alert;
        let total = self.rules.entry(alert.rule_id.to_string()).or_default();
        total.name = alert.rule_name.to_string();
        total.severity = alert.severity.name();
        total.alerts += 1;
        if alert.state == AlertState::Confirmed {
            total.confirmed += 1;
            total.deduct += u64::from(alert.deduct);
        }
        Ok(())
    }

    fn summarise(&mut self) -> Result<(), XlsxError> {
        let mut rules: Vec<_> = std::mem::take(&mut self.rules).into_iter().collect();
        rules.sort_by(|(a_id, a), (b_id, b)| (b.confirmed, b.alerts, a_id).cmp(&(a.confirmed, a.alerts, b_id)));
        let heading = self.heading.clone();
        let sheet: &mut Worksheet = self.book.worksheet_from_index(0)?;
        sheet.set_freeze_panes(1, 0)?;
        for (index, (name, width)) in
            (0..).zip([("规则", 28), ("规则名称", 26), ("级别", 10), ("预警", 10), ("已确认", 10), ("扣分", 10)])
        {
            sheet.set_column_width(index, width)?;
            sheet.write_string_with_format(0, index, name, &heading)?;
        }
        let mut row = 0;
        for (rule_id, total) in &rules {
            row += 1;
            sheet.write_string(row, 0, cut(rule_id))?.write_string(row, 1, cut(&total.name))?;
            sheet.write_string(row, 2, total.severity)?.write_number(row, 3, total.alerts)?;
            sheet.write_number(row, 4, total.confirmed)?.write_number(row, 5, total.deduct as f64)?;
        }
        let alerts: u32 = rules.iter().map(|(_, total)| total.alerts).sum();
        let confirmed: u32 = rules.iter().map(|(_, total)| total.confirmed).sum();
        let deduct: u64 = rules.iter().map(|(_, total)| total.deduct).sum();
        let last = row + 1;
        sheet
            .write_string_with_format(last, 0, "合计", &heading)?
            .write_number_with_format(last, 3, alerts, &heading)?;
        sheet.write_number_with_format(last, 4, confirmed, &heading)?;
        sheet.write_number_with_format(last, 5, deduct as f64, &heading)?;
        if row > 0 {
            let charted = row.min(CHART_RULES_MAX);
            let mut chart = Chart::new(ChartType::Bar);
            chart
                .add_series()
                .set_name("已确认的预警")
                .set_categories((SUMMARY, 1, 0, charted, 0))
                .set_values((SUMMARY, 1, 4, charted, 4));
            chart.title().set_name("已确认的预警，按规则");
            // The first rule on top, as in the table.
            chart.x_axis().set_reverse();
            chart.set_width(720).set_height(120 + 24 * charted);
            sheet.insert_chart(0, 7, &chart)?;
        }
        Ok(())
    }
}

impl<W: Write + Send> Sink for Xlsx<W> {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        self.write(row).map_err(io::Error::other)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.end_sheet().and_then(|()| self.summarise()).map_err(io::Error::other)?;
        self.book.save_to_writer(&mut self.out).map_err(io::Error::other)?;
        self.out.flush()
    }
}

fn last_column() -> u16 {
    u16::try_from(COLUMNS.len() - 1).unwrap_or(u16::MAX)
}

/// As much of `text` as a cell takes.
fn cut(text: &str) -> &str {
    // Excel counts UTF-16 units; half as many characters always fit.
    if text.len() <= CELL_CHARS_MAX {
        return text;
    }
    text.char_indices().nth(CELL_CHARS_MAX / 2).map_or(text, |(end, _)| &text[..end])
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds and points stay far below 2^53")]
const fn float(number: i64) -> f64 {
    number as f64
}

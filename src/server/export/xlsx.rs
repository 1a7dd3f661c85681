//! An Excel workbook: of alerts a summary with a chart and the quality of the rules (规则质量), then the rows, one by one
//! through a temporary file. Text is written as text, so nothing is a formula.

use std::collections::BTreeMap;
use std::io::{self, Write};

use chrono::FixedOffset;
use rust_xlsxwriter::{
    Chart, ChartType, DocProperties, ExcelDateTime, Format, FormatAlign, Workbook, Worksheet, XlsxError,
};

use crate::engine::alert::AlertState;
use crate::server::config::Review;
use crate::server::domain::quality::{Judged, share};
use crate::server::domain::review::{Appeal, Verdict};
use crate::server::domain::terms::FeedbackAction;
use crate::server::export::Sink;
use crate::server::export::row::{Cell, Head, Kind, Row};

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
const QUALITY: &str = "规则质量";
/// Sheets before those of alerts.
const SHEETS_OF_SUMMARY: usize = 2;

pub(super) struct Xlsx<W> {
    out: W,
    book: Workbook,
    zone: FixedOffset,
    heads: Vec<Head>,
    /// What its sheets are called.
    title: &'static str,
    heading: Format,
    time: Format,
    sheets: u32,
    /// In the last sheet.
    rows: u32,
    rules: BTreeMap<String, RuleTotal>,
    /// By rule and version.
    quality: BTreeMap<(String, String), QualityTotal>,
    /// Of alerts, which are summed up.
    review: Option<Review>,
}

/// The reviews of one rule in one version, counted as `GET /v1/quality` does.
#[derive(Debug, Default)]
struct QualityTotal {
    name: String,
    alerts: u64,
    shown: u64,
    overridden: u64,
    judged: Judged,
    appeals: u64,
    granted: u64,
    rejected: u64,
}

impl QualityTotal {
    fn add(&mut self, row: &Row) {
        self.name = row.alert.rule_name.to_string();
        self.alerts += 1;
        self.shown += u64::from(row.is_card());
        self.overridden += u64::from(row.is_card() && row.feedback() == Some(FeedbackAction::Dismiss));
        if row.alert.state != AlertState::Confirmed {
            return;
        }
        let standing = row.standing;
        let is_decided = matches!(standing.appeal, Some(Appeal::Granted | Appeal::Rejected));
        if standing.verdict != Verdict::Unreviewed || is_decided {
            self.judged.reviewed += 1;
            self.judged.upheld += u64::from(standing.is_upheld());
        }
        self.appeals += u64::from(standing.appeal.is_some());
        self.granted += u64::from(standing.appeal == Some(Appeal::Granted));
        self.rejected += u64::from(standing.appeal == Some(Appeal::Rejected));
    }
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
    /// `review`: of alerts, which are summed up.
    pub(super) fn new(
        out: W,
        zone: FixedOffset,
        heads: Vec<Head>,
        title: &'static str,
        review: Option<&Review>,
    ) -> io::Result<Self> {
        let mut book = Workbook::new();
        // The time of an export is no part of it: the same alerts give the same bytes.
        let created = ExcelDateTime::from_ymd(2000, 1, 1).map_err(io::Error::other)?;
        book.set_properties(&DocProperties::new().set_title(format!("听检{title}")).set_creation_datetime(&created));
        for name in [SUMMARY, QUALITY].into_iter().filter(|_| review.is_some()) {
            book.add_worksheet().set_name(name).map_err(io::Error::other)?;
        }
        let mut xlsx = Self {
            out,
            book,
            zone,
            heads,
            title,
            heading: Format::new().set_bold().set_align(FormatAlign::VerticalCenter),
            time: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
            sheets: 0,
            rows: 0,
            rules: BTreeMap::new(),
            quality: BTreeMap::new(),
            review: review.cloned(),
        };
        xlsx.begin_sheet().map_err(io::Error::other)?;
        Ok(xlsx)
    }

    fn begin_sheet(&mut self) -> Result<(), XlsxError> {
        self.end_sheet()?;
        self.sheets += 1;
        let name = if self.sheets == 1 { self.title.to_owned() } else { format!("{}{}", self.title, self.sheets) };
        let sheet = self.book.add_worksheet_with_constant_memory();
        sheet.set_name(name)?.set_freeze_panes(1, 0)?.set_landscape();
        for (index, column) in (0..).zip(&self.heads) {
            sheet.set_column_width(index, column.width)?;
            let heading = match column.kind {
                Kind::Time => format!("{}（{}）", column.zh, self.zone),
                Kind::Text | Kind::Number | Kind::Decimal => column.zh.to_owned(),
            };
            sheet.write_string_with_format(0, index, heading, &self.heading)?;
        }
        self.rows = 0;
        Ok(())
    }

    /// Filters go over the rows that there are.
    fn end_sheet(&mut self) -> Result<(), XlsxError> {
        if self.sheets > 0 {
            let (index, last) =
                (self.last_sheet(), u16::try_from(self.heads.len().saturating_sub(1)).unwrap_or(u16::MAX));
            self.book.worksheet_from_index(index)?.autofilter(0, 0, self.rows.max(1), last)?;
        }
        Ok(())
    }

    fn write(&mut self, cells: &[Cell<'_>]) -> Result<(), XlsxError> {
        if self.rows == SHEET_ROWS_MAX {
            self.begin_sheet()?;
        }
        self.rows += 1;
        let index = self.last_sheet();
        let sheet = self.book.worksheet_from_index(index)?;
        for (index, cell) in (0..).zip(cells) {
            match cell {
                Cell::Text(text) => sheet.write_string(self.rows, index, cut(text))?,
                Cell::Number(number) => sheet.write_number(self.rows, index, float(*number))?,
                Cell::Decimal(number) => sheet.write_number(self.rows, index, *number)?,
                Cell::Time(ms) => {
                    let local = float(*ms) + f64::from(self.zone.local_minus_utc()) * 1_000.0;
                    sheet.write_number_with_format(self.rows, index, local / DAY_MS + UNIX_EPOCH_DAYS, &self.time)?
                }
                Cell::Empty => sheet,
            };
        }
        Ok(())
    }

    /// Adds an alert to the sums.
    fn add(&mut self, row: &Row) {
        let alert = &row.alert;
        let version = (alert.rule_id.to_string(), alert.rules_version.to_string());
        self.quality.entry(version).or_default().add(row);
        let total = self.rules.entry(alert.rule_id.to_string()).or_default();
        total.name = alert.rule_name.to_string();
        total.severity = alert.severity.name();
        total.alerts += 1;
        if alert.state == AlertState::Confirmed {
            total.confirmed += 1;
        }
        if row.counts {
            total.deduct += u64::from(alert.deduct);
        }
    }

    /// Where the sheet stands that is being written.
    const fn last_sheet(&self) -> usize {
        let before = if self.review.is_some() { SHEETS_OF_SUMMARY } else { 0 };
        before + (self.sheets as usize).saturating_sub(1)
    }

    fn tell_quality(&mut self) -> Result<(), XlsxError> {
        let heading = self.heading.clone();
        let percent = Format::new().set_num_format("0.0%");
        let sheet: &mut Worksheet = self.book.worksheet_from_index(1)?;
        sheet.set_freeze_panes(1, 0)?.set_landscape().set_print_fit_to_pages(1, 0);
        let headings = [
            ("规则", 28),
            ("规则名称", 26),
            ("规则版本", 16),
            ("预警", 10),
            ("已复核", 10),
            ("判对", 10),
            ("判错", 10),
            ("准确率", 10),
            ("偏低", 8),
            ("已显示", 10),
            ("坐席否定", 10),
            ("否定率", 10),
            ("申诉", 10),
            ("申诉成立", 10),
            ("申诉驳回", 10),
            ("申诉成功率", 12),
        ];
        for (index, (name, width)) in (0..).zip(headings) {
            sheet.set_column_width(index, width)?;
            sheet.write_string_with_format(0, index, name, &heading)?;
        }
        for (row, ((rule_id, version), total)) in (1..).zip(&self.quality) {
            let QualityTotal { name, alerts, shown, overridden, judged, appeals, granted, rejected } = total;
            let Judged { reviewed, upheld } = *judged;
            sheet.write_string(row, 0, cut(rule_id))?.write_string(row, 1, cut(name))?;
            sheet.write_string(row, 2, cut(version))?;
            let wrong = reviewed - upheld;
            for (index, count) in [
                (3, *alerts),
                (4, reviewed),
                (5, upheld),
                (6, wrong),
                (9, *shown),
                (10, *overridden),
                (12, *appeals),
                (13, *granted),
                (14, *rejected),
            ] {
                sheet.write_number(row, index, count as f64)?;
            }
            let shares =
                [(7, judged.precision()), (11, share(*overridden, *shown)), (15, share(*granted, granted + rejected))];
            for (index, share) in shares {
                if let Some(share) = share {
                    sheet.write_number_with_format(row, index, share, &percent)?;
                }
            }
            if self.review.as_ref().is_some_and(|review| judged.is_below(review)) {
                sheet.write_string(row, 8, "是")?;
            }
        }
        Ok(())
    }

    fn summarise(&mut self) -> Result<(), XlsxError> {
        let mut rules: Vec<_> = std::mem::take(&mut self.rules).into_iter().collect();
        rules.sort_by(|(a_id, a), (b_id, b)| (b.confirmed, b.alerts, a_id).cmp(&(a.confirmed, a.alerts, b_id)));
        let heading = self.heading.clone();
        let sheet: &mut Worksheet = self.book.worksheet_from_index(0)?;
        sheet.set_freeze_panes(1, 0)?.set_landscape().set_print_fit_to_pages(1, 0);
        for (index, (name, width)) in
            (0..).zip([("规则", 28), ("规则名称", 26), ("级别", 10), ("预警", 10), ("已确认", 10), ("计入扣分", 10)])
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
            // The first rule on top, as in the table: of bars, the categories are on the vertical axis.
            chart.y_axis().set_reverse();
            chart.legend().set_hidden();
            chart.set_width(720).set_height(120 + 24 * charted);
            sheet.insert_chart(0, 7, &chart)?;
        }
        Ok(())
    }
}

impl<W: Write + Send> Sink for Xlsx<W> {
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        self.write(cells).map_err(io::Error::other)
    }

    fn alert(&mut self, alert: &Row) {
        self.add(alert);
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.end_sheet().map_err(io::Error::other)?;
        if self.review.is_some() {
            self.tell_quality().and_then(|()| self.summarise()).map_err(io::Error::other)?;
        }
        self.book.save_to_writer(&mut self.out).map_err(io::Error::other)?;
        self.out.flush()
    }
}

/// The part of `text` that fits into a cell.
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

//! Finds the calls in files. A file of JSON Lines whose first line is an event is a recording, and is left to
//! whoever judges it. All others are tables: their rows are gathered to calls (`adapter::table`).

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, FixedOffset, SecondsFormat};
use parquet::basic::{LogicalType, TimeUnit};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field as Cell;
use parquet::schema::types::Type;
use serde_json::{Map, Value};
use tingjian::adapter::table::{Calls, Field, HELD_BYTES_MAX, Mapping, WholeCall};

use super::super::lines::Lines;
use super::super::sheet::{self, CellPlace};
use super::judge::{self, Job};

/// Calls that are judged together.
const CALLS_TOGETHER: usize = 16;
/// The heading of a table stands in one of its first rows; titles may stand above it.
const HEADING_ROWS: usize = 10;
/// So many faults of one file are told.
const FAULTS_MAX: usize = 200;
/// Lists inside lists of a Parquet file.
const DEPTH_MAX: usize = 16;

/// Takes a job; `false` if no more is wanted.
type Hand<'h> = &'h mut dyn FnMut(Job) -> bool;

/// Hands out all calls of all files, in their order.
pub(super) fn all(files: &[PathBuf], mapping: &Mapping, hand: Hand<'_>) {
    for path in files {
        let bytes = super::files::size(path);
        let mut file =
            Table { path, mapping, hand, bytes, faults: Vec::new(), more_faults: 0, has_calls: false, is_wanted: true };
        file.read();
        if !file.is_wanted {
            return;
        }
    }
}

/// A file that is read.
struct Table<'a> {
    path: &'a Path,
    mapping: &'a Mapping,
    hand: Hand<'a>,
    bytes: u64,
    faults: Vec<String>,
    more_faults: usize,
    has_calls: bool,
    is_wanted: bool,
}

/// Where each column stands, and what it says.
struct Columns {
    fields: Vec<Option<Field>>,
}

impl Columns {
    fn place_of(&self, field: Option<Field>) -> usize {
        let field = field.and_then(|field| self.fields.iter().position(|told| *told == Some(field)));
        field.unwrap_or_default()
    }
}

impl Table<'_> {
    fn read(&mut self) {
        match sheet::extension(self.path).as_deref() {
            Some("csv" | "tsv") => self.csv(),
            Some("xlsx") => self.workbook(),
            Some("parquet") => {
                // A damaged file is no reason to stop.
                if catch_unwind(AssertUnwindSafe(|| self.parquet())).is_err() {
                    self.fault(format!("{}: 不是能读的 Parquet 文件 / no readable Parquet file", self.path.display()));
                }
            }
            Some("xls" | "ods" | "et") => {
                self.fault(format!("{}: 请另存为 .xlsx 或 .csv / save it as .xlsx or .csv", self.path.display()))
            }
            _ => self.lines(),
        }
        self.tell_faults();
    }

    fn fault(&mut self, fault: String) {
        if self.faults.len() < FAULTS_MAX { self.faults.push(fault) } else { self.more_faults += 1 }
    }

    /// Hands out the faults that are left.
    fn tell_faults(&mut self) {
        if self.more_faults > 0 {
            let more = std::mem::take(&mut self.more_faults);
            self.faults.push(format!("{}: 另有 {more} 处没有列出 / {more} more are not listed", self.path.display()));
        }
        if !self.faults.is_empty() {
            self.give(Vec::new(), 0);
        }
    }

    fn give(&mut self, calls: Vec<WholeCall>, bytes: u64) {
        self.has_calls |= !calls.is_empty();
        let faults = std::mem::take(&mut self.faults);
        self.is_wanted &= (self.hand)(Job { faults, calls: judge::Calls::Whole(calls), bytes });
    }

    /// Hands out calls, some at a time.
    fn give_all(&mut self, calls: Vec<WholeCall>) {
        let share = self.bytes / (calls.len().div_ceil(CALLS_TOGETHER).max(1) as u64);
        let mut calls = calls.into_iter();
        loop {
            let some: Vec<WholeCall> = calls.by_ref().take(CALLS_TOGETHER).collect();
            if some.is_empty() || !self.is_wanted {
                return;
            }
            self.give(some, share);
        }
    }

    fn full(&mut self, row: &str) {
        let gib = HELD_BYTES_MAX >> 30;
        self.fault(format!(
            "{}:{row}: 一个文件里的通话超过 {gib} GiB，后面的没有检查：请按天分开 / the calls of the file exceed {gib} GiB, the rest was not checked: split it by day",
            self.path.display()
        ));
    }

    fn lines(&mut self) {
        let mut lines = match Lines::open(self.path) {
            Ok(lines) => lines,
            Err(fault) => return self.fault(fault),
        };
        let first = lines.peek().map(|line| line.is_some_and(|line| self.object(line).is_some()));
        if first == Ok(true) {
            return self.rows(&mut lines);
        }
        if let Err(fault) = first {
            self.fault(format!("{}:{}: {fault}", lines.name(), lines.number()));
            lines = lines.or_nothing();
        }
        let faults = std::mem::take(&mut self.faults);
        let calls = judge::Calls::Recording(Box::new(lines));
        self.is_wanted &= (self.hand)(Job { faults, calls, bytes: self.bytes });
    }

    /// The object of a line that is a row, and no event.
    fn object(&self, line: &str) -> Option<Map<String, Value>> {
        match serde_json::from_str(line) {
            Ok(Value::Object(object)) if self.mapping.is_row(&object) => Some(object),
            _ => None,
        }
    }

    /// One row, or one whole call, a line.
    fn rows(&mut self, lines: &mut Lines) {
        let mapping = self.mapping;
        let mut calls = Calls::new(mapping);
        let (mut whole, mut whole_bytes) = (Vec::new(), 0);
        loop {
            let line = match lines.next_line() {
                None => break,
                Some(line) => line.map(str::to_owned),
            };
            let number = lines.number();
            let at = format!("{}:{}", lines.name(), lines.number());
            let object = match line {
                Ok(line) => match serde_json::from_str(&line) {
                    Ok(Value::Object(object)) => object,
                    Ok(_) => {
                        self.fault(format!("{at}: 不是 JSON 对象 / is no JSON object"));
                        continue;
                    }
                    Err(error) => {
                        self.fault(format!("{at}:{}: 不是 JSON / is no JSON: {error}", error.column()));
                        continue;
                    }
                },
                Err(fault) => {
                    self.fault(format!("{at}: {fault}"));
                    continue;
                }
            };
            let cells = mapping.cells(object);
            // A call that is whole on its line waits for nothing.
            if cells.iter().any(|(field, value)| *field == Field::Utterances && !value.is_null()) {
                let mut one = Calls::new(mapping);
                let faults = one.take(number, &cells).err().unwrap_or_default();
                let (call, more) = one.finish();
                for fault in faults.into_iter().chain(more.into_iter().map(|(_, fault)| fault)) {
                    self.fault(format!("{at}: {fault}"));
                }
                whole.extend(call);
                whole_bytes += lines.line_bytes() as u64;
                if whole.len() >= CALLS_TOGETHER {
                    self.give(std::mem::take(&mut whole), std::mem::take(&mut whole_bytes));
                }
            } else {
                for fault in calls.take(number, &cells).err().unwrap_or_default() {
                    self.fault(format!("{at}: {fault}"));
                }
            }
            if calls.is_full() {
                self.full(&lines.number().to_string());
                break;
            }
            if !self.is_wanted {
                return;
            }
        }
        if !whole.is_empty() {
            self.give(whole, whole_bytes);
        }
        let path = self.path;
        self.finish(calls, |row, _| format!("{}:{row}:", path.display()));
    }

    /// Judges what was gathered. `at` is the place of a row and field.
    fn finish(&mut self, calls: Calls<'_>, at: impl Fn(u64, Option<Field>) -> String) {
        let (calls, faults) = calls.finish();
        for (row, fault) in faults {
            self.fault(format!("{} {fault}", at(row, fault.field)));
        }
        if calls.is_empty() && !self.has_calls && self.faults.is_empty() {
            self.fault(format!("{}: 没有通话 / there are no calls in it", self.path.display()));
        }
        self.give_all(calls);
    }

    fn csv(&mut self) {
        let text = match sheet::bytes(self.path, &sheet::OF_CALLS)
            .and_then(|bytes| sheet::decode(&bytes).map_err(|fault| format!("{}: {fault}", self.path.display())))
        {
            Ok(text) => text,
            Err(fault) => return self.fault(fault),
        };
        self.table(None, sheet::records(&text));
    }

    fn workbook(&mut self) {
        let sheets = match sheet::workbook(self.path, &sheet::OF_CALLS) {
            Ok(sheets) => sheets,
            Err(fault) => return self.fault(fault),
        };
        let is_headed =
            |sheet: &sheet::Sheet| sheet.rows.iter().take(HEADING_ROWS).any(|(_, row)| self.is_heading(row));
        // A workbook has sheets that are no tables; without any, the fault is of the first.
        let tables: Vec<bool> = sheets.iter().map(is_headed).collect();
        let has_tables = tables.contains(&true);
        for (index, (sheet, is_table)) in sheets.into_iter().zip(tables).enumerate() {
            if is_table || (!has_tables && index == 0) {
                self.table(Some(sheet.name), sheet.rows.into_iter().map(Ok));
            }
        }
    }

    fn is_heading(&self, cells: &[String]) -> bool {
        let says = |cell: &String| {
            self.mapping.names(cell) || matches!(self.mapping.field_of(cell), Some(Field::Text | Field::Utterances))
        };
        cells.iter().any(says)
    }

    /// Reads the rows of a table, with a heading among the first.
    fn table(&mut self, sheet: Option<Arc<str>>, rows: impl Iterator<Item = Result<(u32, Vec<String>), String>>) {
        let path = self.path.display().to_string();
        let at = |row: u64, column: usize| match &sheet {
            None => format!("{path}:{row}:{}:", column + 1),
            Some(name) => {
                let cell = CellPlace { sheet: Arc::clone(name), row: u32::try_from(row).unwrap_or(u32::MAX), column };
                format!("{path}:{row}:{}: {cell}:", column + 1)
            }
        };
        let mut calls = Calls::new(self.mapping);
        let mut columns: Option<Columns> = None;
        for (index, row) in rows.enumerate() {
            let (number, cells) = match row {
                Ok((number, cells)) => (u64::from(number), cells),
                Err(fault) => {
                    self.fault(format!("{path}: {fault}"));
                    continue;
                }
            };
            let Some(columns) = &columns else {
                if self.is_heading(&cells) {
                    match self.columns(&cells, |column| at(number, column)) {
                        Some(read) => columns = Some(read),
                        None => return,
                    }
                } else if index + 1 >= HEADING_ROWS {
                    break;
                }
                continue;
            };
            if cells.iter().all(String::is_empty) {
                continue;
            }
            let told = columns.fields.iter().zip(cells);
            let told: Vec<(Field, Value)> =
                told.filter_map(|(field, cell)| Some(((*field)?, Value::String(cell)))).collect();
            for fault in calls.take(number, &told).err().unwrap_or_default() {
                self.fault(format!("{} {fault}", at(number, columns.place_of(fault.field))));
            }
            if calls.is_full() {
                self.full(&number.to_string());
                break;
            }
        }
        match columns {
            Some(columns) => self.finish(calls, |row, field| at(row, columns.place_of(field))),
            None => self.fault(format!(
                "{path}:1:1: 没有找到列名：第一行写上列名，用 --column text=列名 指明话在哪一列 / no heading: name the columns in the first row, and by --column text=HEADING where the words are"
            )),
        }
    }

    /// Understands a heading. With faults there are no columns.
    fn columns(&mut self, heading: &[String], at: impl Fn(usize) -> String) -> Option<Columns> {
        let before = self.faults.len();
        let mut columns = Columns { fields: Vec::with_capacity(heading.len()) };
        for (place, cell) in heading.iter().enumerate() {
            let field = Some(cell).filter(|cell| !cell.is_empty()).and_then(|cell| self.mapping.field_of(cell));
            if let Some(field) = field
                && columns.fields.contains(&Some(field))
            {
                let name = field.name();
                self.fault(format!(
                    "{} “{cell}”也是 {name}：用 --column {name}=列名 指明是哪一列 / is {name}, too: name the one by --column {name}=HEADING",
                    at(place)
                ));
            }
            columns.fields.push(field);
        }
        for absent in self.mapping.absent(heading) {
            self.fault(format!("{} 没有“{absent}”这一列 / there is no column {absent}", at(0)));
        }
        (self.faults.len() == before).then_some(columns)
    }

    fn parquet(&mut self) {
        let path = self.path.display().to_string();
        let unreadable = |error: &dyn std::fmt::Display| {
            format!("{path}: 不是能读的 Parquet 文件 / no readable Parquet file: {error}")
        };
        let reader = match File::open(self.path) {
            Ok(file) => SerializedFileReader::new(file).map_err(|error| unreadable(&error)),
            Err(error) => Err(format!("{path}: 无法打开 / cannot open: {error}")),
        };
        let reader = match reader {
            Ok(reader) => reader,
            Err(fault) => return self.fault(fault),
        };
        let schema = reader.metadata().file_metadata().schema().clone();
        let headings: Vec<String> = schema.get_fields().iter().map(|field| field.name().to_owned()).collect();
        if !self.is_heading(&headings) {
            return self.fault(format!(
                "{path}: 没有说话内容这一列：用 --column text=列名 指明 / no column has the words: name it by --column text=HEADING ({})",
                headings.join(", ")
            ));
        }
        let Some(columns) = self.columns(&headings, |column| format!("{path}:1:{}:", column + 1)) else { return };
        // Only columns that are known are read.
        let wanted = schema.get_fields().iter().zip(&columns.fields).filter(|(_, field)| field.is_some());
        let wanted: Vec<_> = wanted.map(|(column, _)| Arc::clone(column)).collect();
        let times: Vec<Option<Stamp>> = wanted.iter().map(|column| Stamp::of(column)).collect();
        let projection = Type::group_type_builder(schema.name()).with_fields(wanted).build();
        let rows = match projection.and_then(|projection| reader.get_row_iter(Some(projection))) {
            Ok(rows) => rows,
            Err(error) => return self.fault(unreadable(&error)),
        };
        let known: Vec<Field> = columns.fields.iter().copied().flatten().collect();
        let mut calls = Calls::new(self.mapping);
        for (number, row) in (1..).zip(rows) {
            let row = match row {
                Ok(row) => row,
                Err(error) => {
                    self.fault(format!("{path}:{number}: 读不下去了 / cannot be read any further: {error}"));
                    break;
                }
            };
            let cells = known.iter().zip(&times).zip(row.into_columns());
            let cells: Vec<(Field, Value)> =
                cells.map(|((field, time), (_, cell))| (*field, value(cell, *time, self.mapping.zone(), 0))).collect();
            for fault in calls.take(number, &cells).err().unwrap_or_default() {
                self.fault(format!("{path}:{number}:{}: {fault}", columns.place_of(fault.field) + 1));
            }
            if calls.is_full() {
                self.full(&number.to_string());
                break;
            }
        }
        self.finish(calls, |row, field| format!("{path}:{row}:{}:", columns.place_of(field) + 1));
    }
}

/// How a column of times counts.
#[derive(Clone, Copy)]
struct Stamp {
    is_utc: bool,
    /// What its numbers are divided by to be milliseconds, where the reader does not know.
    per_ms: Option<i64>,
}

impl Stamp {
    fn of(column: &Type) -> Option<Self> {
        match column.get_basic_info().logical_type_ref() {
            Some(LogicalType::Timestamp(stamp)) => Some(Self {
                is_utc: stamp.is_adjusted_to_u_t_c,
                per_ms: (stamp.unit == TimeUnit::NANOS).then_some(1_000_000),
            }),
            _ => None,
        }
    }

    /// A moment as people write it, with its offset if it has one.
    fn text(self, ms: i64, zone: FixedOffset) -> Value {
        let Some(at) = DateTime::from_timestamp_millis(ms) else { return Value::Null };
        let at = if self.is_utc { at.with_timezone(&zone) } else { at.fixed_offset() };
        let at = at.to_rfc3339_opts(SecondsFormat::Millis, false);
        Value::String(if self.is_utc { at } else { at.trim_end_matches("+00:00").to_owned() })
    }
}

/// A cell of a Parquet file.
fn value(cell: Cell, stamp: Option<Stamp>, zone: FixedOffset, depth: usize) -> Value {
    let utc = Stamp { is_utc: true, per_ms: None };
    let inside = |cell: &Cell| {
        if depth < DEPTH_MAX { value(cell.clone(), None, zone, depth + 1) } else { Value::Null }
    };
    match cell {
        Cell::Null => Value::Null,
        Cell::Bool(value) => value.into(),
        Cell::Byte(value) => value.into(),
        Cell::Short(value) => value.into(),
        Cell::Int(value) => value.into(),
        Cell::Long(value) => match stamp {
            Some(stamp) => stamp.text(value / stamp.per_ms.unwrap_or(1), zone),
            None => value.into(),
        },
        Cell::UByte(value) => value.into(),
        Cell::UShort(value) => value.into(),
        Cell::UInt(value) => value.into(),
        Cell::ULong(value) => value.into(),
        Cell::Float16(value) => f64::from(value.to_f32()).into(),
        // By way of its digits: 0.1 stays 0.1.
        Cell::Float(value) => value.to_string().parse::<f64>().unwrap_or_default().into(),
        Cell::Double(value) => value.into(),
        Cell::Str(text) => text.into(),
        Cell::Bytes(bytes) => String::from_utf8_lossy(bytes.data()).into_owned().into(),
        Cell::TimestampMillis(ms) => stamp.unwrap_or(utc).text(ms, zone),
        Cell::TimestampMicros(us) => stamp.unwrap_or(utc).text(us.div_euclid(1_000), zone),
        Cell::TimeMillis(ms) => (f64::from(ms) / 1_000.0).into(),
        Cell::Group(row) => {
            Value::Object(row.get_column_iter().map(|(name, cell)| (name.clone(), inside(cell))).collect())
        }
        Cell::ListInternal(list) => list.elements().iter().map(inside).collect(),
        Cell::MapInternal(map) => {
            let key = |cell: &Cell| match inside(cell) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            Value::Object(map.entries().iter().map(|(name, cell)| (key(name), inside(cell))).collect())
        }
        other @ (Cell::Decimal(_) | Cell::Date(_) | Cell::TimeMicros(_)) => Value::String(other.to_string()),
    }
}

//! Cells of a workbook or a CSV file, as text, each with its name.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read as _};
use std::path::Path;
use std::sync::Arc;

use calamine::{Data, Reader as _, Xlsx, XlsxError};
use chrono::{DateTime, TimeDelta};
use encoding_rs::{Encoding, GB18030};
use tingjian::adapter::table::plain;

/// How much of a file is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    file_bytes: u64,
    /// What a workbook may unpack to: a small file may hold gigabytes of one letter.
    unpacked_bytes: u64,
    rows: usize,
    /// Cells of a sheet, blank ones among others included: two cells at its corners
    /// make a sheet of billions.
    cells: usize,
    /// The text of all cells: one long text may be the value of many.
    text_bytes: usize,
}

/// A larger list is no table that anybody looks after.
pub(crate) const OF_LISTS: Limits =
    Limits { file_bytes: 32 << 20, unpacked_bytes: 256 << 20, rows: 100_000, cells: 2_000_000, text_bytes: 64 << 20 };
/// Recorded calls: as many rows as a sheet of a workbook has.
pub(crate) const OF_CALLS: Limits =
    Limits { file_bytes: 512 << 20, unpacked_bytes: 2 << 30, rows: 1_048_576, cells: 16_000_000, text_bytes: 1 << 30 };

/// One sheet.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) name: Arc<str>,
    /// Row numbers as the file counts them, from 1, and the cells from column A on.
    pub(crate) rows: Vec<(u32, Vec<String>)>,
}

/// The heading stands in one of the first rows; titles may stand above it.
const HEADING_ROWS: usize = 10;

/// The row that names the columns.
#[derive(Debug)]
pub(crate) struct Heading<C> {
    /// Its index among the rows.
    pub(crate) index: usize,
    /// Where each known column stands, from 0.
    pub(crate) columns: BTreeMap<C, usize>,
    /// Columns that nobody knows, ready to print.
    pub(crate) notes: Vec<(CellPlace, String)>,
    /// Columns that are there twice, ready to print.
    pub(crate) faults: Vec<(CellPlace, String)>,
}

impl Sheet {
    /// The first row that names the column `key`, by the `names` of all columns.
    pub(crate) fn heading<C: Copy + Ord>(&self, names: &[(C, &[&str])], key: C) -> Option<Heading<C>> {
        let column = |cell: &str| {
            let name = plain(cell);
            names.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(column, _)| *column)
        };
        let is_heading = |cells: &[String]| cells.iter().any(|cell| column(cell) == Some(key));
        let index = self.rows.iter().take(HEADING_ROWS).position(|(_, cells)| is_heading(cells))?;
        let (row, cells) = &self.rows[index];
        let mut heading = Heading { index, columns: BTreeMap::new(), notes: Vec::new(), faults: Vec::new() };
        for (place, cell) in cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            match column(cell) {
                None => {
                    let note = format!("没有用到“{cell}”这一列 / the column is not used");
                    heading.notes.push((self.place(*row, place), note));
                }
                Some(known) if heading.columns.contains_key(&known) => {
                    let fault = format!("“{cell}”这一列重复了，删去一列 / the column is there twice");
                    heading.faults.push((self.place(*row, place), fault));
                }
                Some(known) => {
                    heading.columns.insert(known, place);
                }
            }
        }
        Some(heading)
    }

    /// The cell in a row of the file and a column from 0.
    pub(crate) fn place(&self, row: u32, column: usize) -> CellPlace {
        CellPlace { sheet: Arc::clone(&self.name), row, column }
    }
}

/// A cell, as people call it: `Sheet1!C7`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CellPlace {
    pub(crate) sheet: Arc<str>,
    /// From 1.
    pub(crate) row: u32,
    /// From 0.
    pub(crate) column: usize,
}

impl fmt::Display for CellPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut letters = Vec::new();
        let mut rest = self.column + 1;
        while rest > 0 {
            // Bijective base 26: A to Z, then AA.
            letters.push(b'A' + u8::try_from((rest - 1) % 26).unwrap_or_default());
            rest = (rest - 1) / 26;
        }
        write!(f, "{}!", self.sheet)?;
        letters.iter().rev().try_for_each(|letter| write!(f, "{}", char::from(*letter)))?;
        write!(f, "{}", self.row)
    }
}

/// Reads all sheets of a list.
///
/// # Errors
/// Why it cannot be read, ready to print.
pub(crate) fn read(path: &Path) -> Result<Vec<Sheet>, String> {
    let name = path.display();
    let sheets = match extension(path).as_deref() {
        Some("xlsx") => workbook(path, &OF_LISTS)?,
        Some("csv") => {
            let sheet = path.file_name().unwrap_or_default().to_string_lossy();
            vec![csv(&sheet, &bytes(path, &OF_LISTS)?).map_err(|fault| format!("{name}: {fault}"))?]
        }
        _ => {
            return Err(format!(
                "{name}: 只能导入 .xlsx 和 .csv，请另存为其中一种 / only .xlsx and .csv can be imported"
            ));
        }
    };
    match sheets.iter().find(|sheet| sheet.rows.len() > OF_LISTS.rows) {
        Some(sheet) => Err(format!("{name}: {}", too_many_rows(&sheet.name, &OF_LISTS))),
        None => Ok(sheets),
    }
}

/// What the name of a file ends in, in small letters.
pub(crate) fn extension(path: &Path) -> Option<String> {
    path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase())
}

/// The whole file.
///
/// # Errors
/// Why it cannot be read, ready to print.
pub(crate) fn bytes(path: &Path, limits: &Limits) -> Result<Vec<u8>, String> {
    let name = path.display();
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limits.file_bytes + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("{name}: 无法读取 / cannot be read: {error}"))?;
    if bytes.len() as u64 > limits.file_bytes {
        let mib = limits.file_bytes >> 20;
        return Err(format!("{name}: 超过 {mib} MiB，请拆成几个文件 / exceeds {mib} MiB; split it"));
    }
    Ok(bytes)
}

/// The sheets of a workbook.
///
/// # Errors
/// Why it cannot be read, ready to print.
pub(crate) fn workbook(path: &Path, limits: &Limits) -> Result<Vec<Sheet>, String> {
    sheets(bytes(path, limits)?, limits).map_err(|fault| format!("{}: {fault}", path.display()))
}

fn too_many_rows(sheet: &str, limits: &Limits) -> String {
    let rows = limits.rows;
    format!("{sheet} 超过 {rows} 行，请拆成几个文件 / more than {rows} rows; split it")
}

fn sheets(bytes: Vec<u8>, limits: &Limits) -> Result<Vec<Sheet>, String> {
    check_unpacked(&bytes, limits)?;
    let unreadable =
        |error: XlsxError| format!("不是能读的 Excel 文件，请用 Excel 另存为 .xlsx / no readable workbook: {error}");
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(unreadable)?;
    let mut sheets = Vec::new();
    let mut text_left = limits.text_bytes;
    for name in workbook.sheet_names() {
        let mut cells = Vec::new();
        let mut reader = workbook.worksheet_cells_reader(&name).map_err(unreadable)?;
        while let Some(cell) = reader.next_cell().map_err(unreadable)? {
            if cells.len() == limits.cells {
                return Err(too_many_cells(&name, limits));
            }
            let text = text_of(&Data::from(cell.get_value().clone()));
            if !text.is_empty() {
                text_left = text_left.checked_sub(text.len()).ok_or_else(|| too_much_text(&name, limits))?;
                cells.push((cell.get_position(), text));
            }
        }
        drop(reader);
        let top = cells.iter().map(|((row, _), _)| *row).min().unwrap_or_default();
        let mut rows = table(&name, top, cells, limits)?;
        // A merged cell says the same for all its rows.
        for merged in workbook.merge_cells_by_sheet_name(&name).map_err(unreadable)? {
            let ((first, column), (last, _)) = (merged.start, merged.end);
            let cell = |row: u32| (row.checked_sub(top).map(|row| row as usize), column as usize);
            let (Some(start), column) = cell(first) else { continue };
            let Some(text) = rows.get(start).and_then(|(_, cells)| cells.get(column)).cloned() else { continue };
            let below = (last - first) as usize;
            for (_, cells) in rows.iter_mut().skip(start + 1).take(below) {
                if let Some(cell) = cells.get_mut(column) {
                    text_left = text_left.checked_sub(text.len()).ok_or_else(|| too_much_text(&name, limits))?;
                    cell.clone_from(&text);
                }
            }
        }
        sheets.push(Sheet { name: name.into(), rows });
    }
    Ok(sheets)
}

/// Refuses a workbook that unpacks to more than anybody writes, whatever it says of its size.
fn check_unpacked(bytes: &[u8], limits: &Limits) -> Result<(), String> {
    let unreadable = |error: &dyn fmt::Display| {
        format!("不是能读的 Excel 文件，请用 Excel 另存为 .xlsx / no readable workbook: {error}")
    };
    let mut parts = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| unreadable(&error))?;
    let mut left = limits.unpacked_bytes;
    for place in 0..parts.len() {
        let part = parts.by_index(place).map_err(|error| unreadable(&error))?;
        let unpacked = io::copy(&mut part.take(left + 1), &mut io::sink()).map_err(|error| unreadable(&error))?;
        left = left.checked_sub(unpacked).ok_or_else(|| {
            let mib = limits.unpacked_bytes >> 20;
            format!("解压后超过 {mib} MiB，请拆成几个文件 / unpacks to more than {mib} MiB; split it")
        })?;
    }
    Ok(())
}

fn too_many_cells(sheet: &str, limits: &Limits) -> String {
    let cells = limits.cells;
    format!(
        "{sheet} 超过 {cells} 个单元格（含中间的空格），请删去表外的内容 / more than {cells} cells, blank ones between others included; remove what lies outside of the table"
    )
}

fn too_much_text(sheet: &str, limits: &Limits) -> String {
    let mib = limits.text_bytes >> 20;
    format!("{sheet} 的文字超过 {mib} MiB，请拆成几个文件 / more than {mib} MiB of text; split it")
}

/// Cells as the rows of a sheet from `top` on, all of one width.
fn table(
    sheet: &str,
    top: u32,
    cells: Vec<((u32, u32), String)>,
    limits: &Limits,
) -> Result<Vec<(u32, Vec<String>)>, String> {
    let Some(bottom) = cells.iter().map(|((row, _), _)| *row).max() else { return Ok(Vec::new()) };
    let width = cells.iter().map(|((_, column), _)| *column as usize + 1).max().unwrap_or_default();
    let height = (bottom - top) as usize + 1;
    if height > limits.rows {
        return Err(too_many_rows(sheet, limits));
    }
    if height.saturating_mul(width) > limits.cells {
        return Err(too_many_cells(sheet, limits));
    }
    let mut rows: Vec<_> = (top..=bottom).map(|row| (row + 1, vec![String::new(); width])).collect();
    for ((row, column), text) in cells {
        rows[(row - top) as usize].1[column as usize] = text;
    }
    Ok(rows)
}

fn text_of(cell: &Data) -> String {
    match cell {
        Data::String(text) => text.trim().to_owned(),
        Data::DateTime(at) => day_and_time(at.as_f64()),
        other => other.to_string(),
    }
}

/// A day and time as a workbook counts them: in days since 1899-12-30; less than one is a time alone.
fn day_and_time(days: f64) -> String {
    #[allow(clippy::cast_possible_truncation, reason = "what is too large is no day")]
    let ms = (days * 86_400_000.0).round() as i64;
    let time = TimeDelta::try_milliseconds(ms)
        .zip(DateTime::from_timestamp_millis(BEFORE_DAY_0_MS))
        .and_then(|(since, day_0)| day_0.checked_add_signed(since));
    match time {
        Some(time) if days >= 1.0 => time.format("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        Some(time) => time.format("%H:%M:%S%.3f").to_string(),
        None => days.to_string(),
    }
}

/// 1899-12-30, in milliseconds since 1970.
const BEFORE_DAY_0_MS: i64 = -25_569 * 86_400_000;

fn csv(name: &str, bytes: &[u8]) -> Result<Sheet, String> {
    let text = decode(bytes)?;
    Ok(Sheet { name: name.into(), rows: records(&text).collect::<Result<_, _>>()? })
}

/// The rows of a CSV file with their numbers as Excel counts them: empty ones too, and a cell of several
/// lines is still one row.
pub(crate) fn records(text: &str) -> impl Iterator<Item = Result<(u32, Vec<String>), String>> + '_ {
    let reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(text))
        .from_reader(text.as_bytes());
    let mut lines_inside = 0;
    reader.into_records().map(move |record| {
        let record = record.map_err(|error| format!("不是 CSV / no CSV: {error}"))?;
        let (line, start) = record.position().map_or((1, 0), |at| (at.line(), at.byte()));
        let ahead = text.as_bytes().iter().skip(usize::try_from(start).unwrap_or(usize::MAX));
        let empty = ahead.take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n').count();
        let row = line + empty as u64 - lines_inside;
        lines_inside += record.iter().map(|cell| cell.matches('\n').count() as u64).sum::<u64>();
        let cells = record.iter().map(|cell| cell.trim().to_owned()).collect();
        Ok((u32::try_from(row).unwrap_or(u32::MAX), cells))
    })
}

/// What stands between cells: what most of the first lines have. A title above the heading has none,
/// and commas are in phrases, too.
fn delimiter(text: &str) -> u8 {
    let lines_with =
        |mark: u8| text.lines().take(DELIMITER_LINES).filter(|line| line.contains(char::from(mark))).count();
    // Of equals the last one counts.
    [b';', b',', b'\t']
        .into_iter()
        .filter(|mark| lines_with(*mark) > 0)
        .max_by_key(|mark| lines_with(*mark))
        .unwrap_or(b',')
}

/// So many lines show what stands between cells.
const DELIMITER_LINES: usize = 20;

/// UTF-8, with or without a mark, UTF-16 with one, or GB18030, as a Chinese Excel saves CSV.
pub(crate) fn decode(bytes: &[u8]) -> Result<String, String> {
    let encoding = match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None if std::str::from_utf8(bytes).is_ok() => encoding_rs::UTF_8,
        None => GB18030,
    };
    let (text, _, had_errors) = encoding.decode(bytes);
    if had_errors {
        return Err(format!(
            "不是 UTF-8 也不是 GB18030 编码，请另存为“CSV UTF-8” / neither UTF-8 nor GB18030; save it as CSV UTF-8 ({})",
            encoding.name()
        ));
    }
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_called_as_excel_calls_them() {
        let name = |row, column| CellPlace { sheet: "Sheet1".into(), row, column }.to_string();
        assert_eq!(name(7, 2), "Sheet1!C7");
        assert_eq!(name(1, 25), "Sheet1!Z1");
        assert_eq!(name(1, 26), "Sheet1!AA1");
        assert_eq!(name(1, 26 * 27), "Sheet1!AAA1");
    }

    #[test]
    fn every_encoding_of_a_chinese_excel_is_read() {
        let text = "话术,类型\n不知道,禁说\n";
        let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let with_mark = [b"\xef\xbb\xbf", text.as_bytes()].concat();
        let (gb18030, ..) = GB18030.encode(text);
        for bytes in [text.as_bytes(), &with_mark, &gb18030, &utf16] {
            let sheet = csv("words.csv", bytes).unwrap();
            let cells: Vec<_> = sheet.rows.iter().map(|(row, cells)| (*row, cells.join("|"))).collect();
            assert_eq!(cells, [(1, "话术|类型".to_owned()), (2, "不知道|禁说".to_owned())]);
        }
        assert!(csv("words.csv", b"\xff\xff\xff").is_err());
    }

    #[test]
    fn unicode_text_of_excel_is_read_with_a_title_and_commas() {
        let text = "话术清单，2026\n话术\t类型\n不知道,啊\t禁说\n";
        let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let sheet = csv("words.txt", &utf16).unwrap();
        assert_eq!(
            sheet.rows[1..],
            [(2, vec!["话术".into(), "类型".into()]), (3, vec!["不知道,啊".into(), "禁说".into()])]
        );
    }

    #[test]
    fn days_of_a_workbook_read_as_people_write_them() {
        assert_eq!(day_and_time(46_347.416_666_666_664), "2026-11-21 10:00:00.000");
        assert_eq!(day_and_time(0.000_726_273_15), "00:01:02.750");
        assert_eq!(day_and_time(f64::MAX), f64::MAX.to_string());
    }

    #[test]
    fn other_separators_and_quoted_cells_are_read() {
        for text in ["话术\t类型\n\"a\nb\"\t禁说\n\nc\t必说\n", "话术;类型\n\"a\nb\";禁说\n\nc;必说\n"]
        {
            let sheet = csv("words.csv", text.as_bytes()).unwrap();
            assert_eq!(sheet.rows[1], (2, vec!["a\nb".to_owned(), "禁说".to_owned()]));
            assert_eq!(sheet.rows[2], (4, vec!["c".to_owned(), "必说".to_owned()]));
        }
    }
}

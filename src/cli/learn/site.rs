//! The site's own labelled turns: files of JSON Lines, CSV and Excel, and the reviews of a store.

use std::collections::BTreeMap;
use std::path::Path;

use tingjian::engine::act::Label;
use tingjian::engine::transcript::{Channel, Role};
use tingjian::learning::{Row, SITE_CHANNEL};
use tingjian::server::ReviewedTurns;

use crate::cli::lines::Lines;
use crate::cli::sheet::{self, Heading, Sheet};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Column {
    Text,
    Violation,
    Prev,
    OwnPrev,
    Category,
    Channel,
    Role,
}

/// The names of columns; the first of each is the one of JSON Lines.
const COLUMNS: &[(Column, &[&str])] = &[
    (Column::Text, &["text", "话", "坐席话", "坐席的话", "坐席说", "原话", "文本", "内容", "句子"]),
    (Column::Violation, &["is_violation", "是否违规", "违规", "违规否", "标注", "结论"]),
    (Column::Prev, &["prev_turn", "客户上一句", "客户前一句", "上一句", "前一句", "客户话", "客户的话"]),
    (Column::OwnPrev, &["agent_prev", "坐席上一句", "坐席前一句"]),
    (Column::Category, &["category", "类别", "类型", "分类", "违规类别", "违规类型"]),
    (Column::Channel, &["channel", "渠道", "通道"]),
    (Column::Role, &["role", "角色", "说话人"]),
];

const VIOLATIONS: &[(&str, Label)] = &[
    ("是", Label::Yes),
    ("违规", Label::Yes),
    ("yes", Label::Yes),
    ("y", Label::Yes),
    ("true", Label::Yes),
    ("1", Label::Yes),
    ("否", Label::No),
    ("不是", Label::No),
    ("不违规", Label::No),
    ("no", Label::No),
    ("n", Label::No),
    ("false", Label::No),
    ("0", Label::No),
    ("两可", Label::Unknown),
    ("存疑", Label::Unknown),
    ("borderline", Label::Unknown),
];

const CHANNELS: &[(&str, Channel)] = &[
    ("语音", Channel::Voice),
    ("电话", Channel::Voice),
    ("voice", Channel::Voice),
    ("文字", Channel::Chat),
    ("在线", Channel::Chat),
    ("chat", Channel::Chat),
];

const ROLES: &[(&str, Role)] =
    &[("坐席", Role::Agent), ("agent", Role::Agent), ("客户", Role::Customer), ("customer", Role::Customer)];

/// Files that are a table by their name; those that cannot be read are told how to save them.
const TABLES: [&str; 7] = ["csv", "xlsx", "xls", "xlsm", "tsv", "ods", "et"];

/// The turns of a file, and what of it was not used, ready to print.
///
/// # Errors
/// Everything that is no labelled turn, ready to print.
pub(in crate::cli) fn rows(path: &Path) -> Result<(Vec<Row>, Vec<String>), Vec<String>> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    match extension {
        Some(extension) if TABLES.contains(&extension.as_str()) => table(path),
        _ => lines(path).map(|rows| (rows, Vec::new())),
    }
}

/// One JSON object a line.
fn lines(path: &Path) -> Result<Vec<Row>, Vec<String>> {
    let mut lines = Lines::open(path).map_err(|fault| vec![fault])?.or_nothing();
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    while let Some(line) = lines.next_line() {
        match line.and_then(Row::from_json) {
            Ok(row) => rows.push(row),
            Err(fault) => faults.push(format!("{}:{}: {fault}", lines.name(), lines.number())),
        }
    }
    if faults.is_empty() { Ok(rows) } else { Err(faults) }
}

/// One turn a row, columns by name.
fn table(path: &Path) -> Result<(Vec<Row>, Vec<String>), Vec<String>> {
    let sheets = sheet::read(path).map_err(|fault| vec![fault])?;
    let mut read = Table { path, rows: Vec::new(), notes: Vec::new(), faults: Vec::new() };
    let mut is_headed = false;
    for sheet in &sheets {
        match sheet.heading(COLUMNS, Column::Text) {
            Some(heading) => {
                is_headed = true;
                read.sheet(sheet, heading);
            }
            None => read.notes.push(format!(
                "{}: {}: 没有“话”（text）这一列，跳过 / no column text, passed over",
                path.display(),
                sheet.name
            )),
        }
    }
    if !is_headed {
        let fault = "没有找到列名；第一行写上列名，“话”和“是否违规”必须有 / no heading: name the columns in the first row, text and is_violation at least";
        return Err(vec![format!("{}:1:1: {fault}", path.display())]);
    }
    if read.faults.is_empty() { Ok((read.rows, read.notes)) } else { Err(read.faults) }
}

struct Table<'p> {
    path: &'p Path,
    rows: Vec<Row>,
    notes: Vec<String>,
    faults: Vec<String>,
}

impl Table<'_> {
    /// A place as compilers call it; in a workbook with its sheet and cell.
    fn at(&self, sheet: &Sheet, row: u32, column: usize) -> String {
        let cell = sheet.place(row, column);
        let is_file = self.path.file_name().is_some_and(|name| *name.to_string_lossy() == *sheet.name);
        let within = if is_file { String::new() } else { format!(" {cell}:") };
        format!("{}:{row}:{}:{within}", self.path.display(), column + 1)
    }

    fn sheet(&mut self, sheet: &Sheet, Heading { index, columns, notes, faults }: Heading<Column>) {
        let told = |(at, what): (sheet::CellPlace, String)| format!("{} {what}", self.at(sheet, at.row, at.column));
        let (notes, faults): (Vec<_>, Vec<_>) =
            (notes.into_iter().map(told).collect(), faults.into_iter().map(told).collect());
        self.notes.extend(notes);
        self.faults.extend(faults);
        if !columns.contains_key(&Column::Violation) {
            let at = self.at(sheet, sheet.rows[index].0, 0);
            self.faults.push(format!(
                "{at} 没有“是否违规”这一列；加上它，写 是、否 或 两可 / no column is_violation: add it, with yes, no or borderline"
            ));
            return;
        }
        for (number, cells) in &sheet.rows[index + 1..] {
            self.row(sheet, *number, cells, &columns);
        }
    }

    fn row(&mut self, sheet: &Sheet, number: u32, cells: &[String], columns: &BTreeMap<Column, usize>) {
        let cell = |column| columns.get(&column).and_then(|&index| cells.get(index)).map_or("", |cell| cell.trim());
        if columns.keys().all(|&column| cell(column).is_empty()) {
            return;
        }
        let mut faults = Vec::new();
        let mut fault = |column, what: String| {
            let index = columns.get(&column).copied().unwrap_or_default();
            faults.push(format!("{} {what}", self.at(sheet, number, index)));
        };
        if cell(Column::Text).is_empty() {
            fault(
                Column::Text,
                "话是空的；写上原话，或删去这一行 / the text is empty; write it or remove the row".to_owned(),
            );
        }
        let verdict = word(VIOLATIONS, cell(Column::Violation));
        if verdict.is_none() {
            let what = match cell(Column::Violation) {
                "" => "是否违规是空的；写 是、否 或 两可，或删去这一行 / the label is empty; write yes, no or borderline, or remove the row".to_owned(),
                other => format!("不认识的标注“{other}”；写 是、否 或 两可 / unknown label: write yes, no or borderline"),
            };
            fault(Column::Violation, what);
        }
        let channel = match cell(Column::Channel) {
            "" => Some(SITE_CHANNEL),
            other => word(CHANNELS, other),
        };
        if channel.is_none() {
            let what = format!(
                "不认识的渠道“{}”；写 语音 或 文字 / unknown channel: write voice or chat",
                cell(Column::Channel)
            );
            fault(Column::Channel, what);
        }
        let role = match cell(Column::Role) {
            "" => Some(Role::Agent),
            other => word(ROLES, other),
        };
        if role.is_none() {
            let what = format!(
                "不认识的说话人“{}”；写 坐席 或 客户 / unknown role: write agent or customer",
                cell(Column::Role)
            );
            fault(Column::Role, what);
        }
        if faults.is_empty()
            && let (Some(verdict), Some(channel), Some(role)) = (verdict, channel, role)
        {
            let [text, prev, own_prev, category] =
                [Column::Text, Column::Prev, Column::OwnPrev, Column::Category].map(|column| cell(column).to_owned());
            self.rows.push(Row { role, channel, category, ..Row::of_site(text, prev, own_prev, verdict) });
        }
        self.faults.extend(faults);
    }
}

fn word<T: Copy>(words: &[(&str, T)], text: &str) -> Option<T> {
    let text = text.to_lowercase();
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
}

/// The turns that reviewers judged.
pub(in crate::cli) fn reviewed(reviewed: ReviewedTurns) -> Vec<Row> {
    reviewed.turns.into_iter().map(Row::from).collect()
}

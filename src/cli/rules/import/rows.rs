//! Rows of a phrase list, understood: what the columns are, and which rows make one rule.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::cli::sheet::{CellPlace, Heading, Sheet};
use tingjian::engine::severity::Severity;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Column {
    Phrase,
    Kind,
    Rule,
    Severity,
    Deduct,
    Message,
    Suggestion,
    Clauses,
    Exceptions,
}

/// The names of columns; the first of each is the one that this program uses.
const COLUMNS: &[(Column, &[&str])] = &[
    (Column::Phrase, &["话术", "短语", "词语", "词条", "关键词", "敏感词", "违禁词", "禁语", "用语"]),
    (Column::Kind, &["类型", "类别", "规则类型"]),
    (Column::Rule, &["规则", "名称", "规则名称", "分组"]),
    (Column::Severity, &["严重程度", "严重性", "级别", "等级", "风险等级"]),
    (Column::Deduct, &["扣分", "扣分值", "分值"]),
    (Column::Message, &["提示", "提示语", "预警", "预警文字"]),
    (Column::Suggestion, &["建议", "建议话术", "正确说法", "正确话术", "推荐话术"]),
    (Column::Clauses, &["条款", "依据", "依据条款"]),
    (Column::Exceptions, &["例外", "排除", "白名单"]),
];

const KINDS: &[(&str, Kind)] = &[
    ("禁说", Kind::Forbid),
    ("禁语", Kind::Forbid),
    ("禁用", Kind::Forbid),
    ("禁止", Kind::Forbid),
    ("forbid", Kind::Forbid),
    ("必说", Kind::Require),
    ("必讲", Kind::Require),
    ("必须", Kind::Require),
    ("require", Kind::Require),
];

const SEVERITIES: &[(&str, Severity)] = &[
    (Severity::Info.zh(), Severity::Info),
    ("一般", Severity::Info),
    ("轻微", Severity::Info),
    ("低", Severity::Info),
    (Severity::Info.name(), Severity::Info),
    (Severity::Warning.zh(), Severity::Warning),
    ("较重", Severity::Warning),
    ("中", Severity::Warning),
    (Severity::Warning.name(), Severity::Warning),
    (Severity::Critical.zh(), Severity::Critical),
    ("致命", Severity::Critical),
    ("红线", Severity::Critical),
    ("高", Severity::Critical),
    (Severity::Critical.name(), Severity::Critical),
];

/// The kind of a rule: forbids its phrases, or requires them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Forbid,
    Require,
}

/// A text and the cell that it stands in.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) at: CellPlace,
}

/// A list that was understood.
#[derive(Debug)]
pub(super) struct List {
    /// In the order of their first rows.
    pub(super) groups: Vec<Group>,
    /// Rows and cells that were skipped, ready to print.
    pub(super) notes: Vec<String>,
}

/// The rows of one rule.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: Cell,
    pub(super) kind: Kind,
    pub(super) phrases: Vec<Cell>,
    pub(super) severity: Severity,
    pub(super) deduct: Option<u32>,
    pub(super) message: Option<Cell>,
    pub(super) suggestion: Option<Cell>,
    pub(super) clauses: Vec<Cell>,
    pub(super) exceptions: Vec<Cell>,
}

/// A cell that cannot be used, or the name of the pack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fault {
    pub(super) at: Option<CellPlace>,
    pub(super) what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(at) => write!(f, "{at}: {}", self.what),
            None => write!(f, "--pack: {}", self.what),
        }
    }
}

/// A rule in the making: what its rows say, each thing once.
struct Draft {
    name: Cell,
    kind: Option<(Kind, CellPlace)>,
    severity: Option<(Severity, CellPlace)>,
    deduct: Option<(u32, CellPlace)>,
    message: Option<Cell>,
    suggestion: Option<Cell>,
    phrases: Vec<Cell>,
    clauses: Vec<Cell>,
    exceptions: Vec<Cell>,
    /// Where the kind should have been said.
    kind_at: CellPlace,
}

/// Understands all sheets that have a heading, as far as their cells can be used, and tells which
/// cannot.
pub(super) fn understand(sheets: &[Sheet], clauses: Option<&BTreeSet<String>>) -> (List, Vec<Fault>) {
    let mut reader = Reader { clauses, drafts: Vec::new(), by_name: BTreeMap::new(), ..Reader::default() };
    let mut headed = 0;
    for sheet in sheets {
        let Some(Heading { index, columns, notes, faults }) = sheet.heading(COLUMNS, Column::Phrase) else {
            reader.notes.push(format!("{}: 没有“话术”列，跳过 / no column 话术, passed over", sheet.name));
            continue;
        };
        headed += 1;
        reader.notes.extend(notes.into_iter().map(|(at, what)| format!("{at}: {what}")));
        reader.faults.extend(faults.into_iter().map(|(at, what)| Fault { at: Some(at), what }));
        for (number, cells) in &sheet.rows[index + 1..] {
            reader.row(sheet, *number, cells, &columns);
        }
    }
    let empty = reader.drafts.is_empty() && reader.faults.is_empty();
    if let Some(sheet) = sheets.first().filter(|_| empty) {
        let what = if headed == 0 {
            "没有找到列名；第一行要有“话术”“类型”等列名 / no heading: the first row names the columns, 话术 and 类型 at least"
        } else {
            "列名下面没有话术 / there are no phrases below the heading"
        };
        reader.fault(CellPlace { sheet: sheet.name.clone(), row: 1, column: 0 }, what);
    }
    reader.finish()
}

#[derive(Default)]
struct Reader<'a> {
    clauses: Option<&'a BTreeSet<String>>,
    drafts: Vec<Draft>,
    by_name: BTreeMap<String, usize>,
    /// Phrases so far.
    seen: BTreeMap<String, CellPlace>,
    faults: Vec<Fault>,
    notes: Vec<String>,
}

impl Reader<'_> {
    fn fault(&mut self, at: CellPlace, what: impl Into<String>) {
        self.faults.push(Fault { at: Some(at), what: what.into() });
    }

    fn row(&mut self, sheet: &Sheet, row: u32, cells: &[String], columns: &BTreeMap<Column, usize>) {
        let place = |column: Column| {
            let column = columns.get(&column).or(columns.get(&Column::Phrase)).copied().unwrap_or_default();
            CellPlace { sheet: sheet.name.clone(), row, column }
        };
        let cell = |column: Column| {
            let text = cells.get(*columns.get(&column)?)?.trim();
            (!text.is_empty()).then(|| Cell { text: text.to_owned(), at: place(column) })
        };
        if columns.values().all(|index| cells.get(*index).is_none_or(|cell| cell.trim().is_empty())) {
            return;
        }
        let Some(phrase) = cell(Column::Phrase) else {
            self.fault(
                place(Column::Phrase),
                "话术是空的；写上话术，或删去这一行 / the phrase is empty; write one or remove the row",
            );
            return;
        };
        if let Some(first) = self.seen.get(&phrase.text) {
            let what = format!("话术“{}”在 {first} 已经有了，删去一行 / the phrase is at {first} already", phrase.text);
            self.fault(phrase.at, what);
            return;
        }
        self.seen.insert(phrase.text.clone(), phrase.at.clone());
        let name = cell(Column::Rule).unwrap_or_else(|| phrase.clone());
        let kind = cell(Column::Kind).and_then(|cell| self.word(cell, KINDS, "类型", "type"));
        let severity = cell(Column::Severity).and_then(|cell| self.word(cell, SEVERITIES, "严重程度", "severity"));
        let deduct = cell(Column::Deduct).and_then(|cell| self.number(cell));
        let named = cell(Column::Clauses).map(|cell| self.known_clauses(&cell)).unwrap_or_default();
        let exceptions = cell(Column::Exceptions).map(|cell| split(&cell)).unwrap_or_default();
        let (message, suggestion) = (cell(Column::Message), cell(Column::Suggestion));
        // A list without a column of types is a list of what must not be said.
        let kind = if columns.contains_key(&Column::Kind) { kind } else { Some((Kind::Forbid, place(Column::Phrase))) };

        let index = *self.by_name.entry(name.text.clone()).or_insert(self.drafts.len());
        if index == self.drafts.len() {
            self.drafts.push(Draft {
                name,
                kind: None,
                severity: None,
                deduct: None,
                message: None,
                suggestion: None,
                phrases: Vec::new(),
                clauses: Vec::new(),
                exceptions: Vec::new(),
                kind_at: place(Column::Kind),
            });
        }
        let draft = &mut self.drafts[index];
        let mut differing = Vec::new();
        agree(&mut draft.kind, kind, &mut differing);
        agree(&mut draft.severity, severity, &mut differing);
        agree(&mut draft.deduct, deduct, &mut differing);
        agree_cells(&mut draft.message, message, &mut differing);
        agree_cells(&mut draft.suggestion, suggestion, &mut differing);
        draft.phrases.push(phrase);
        let new = |known: &[Cell], cell: &Cell| known.iter().all(|other| other.text != cell.text);
        for clause in named {
            if new(&draft.clauses, &clause) {
                draft.clauses.push(clause);
            }
        }
        for exception in exceptions {
            if new(&draft.exceptions, &exception) {
                draft.exceptions.push(exception);
            }
        }
        let rule = draft.name.text.clone();
        for (at, first) in differing {
            let what = format!(
                "与 {first} 不同，它们同属规则“{rule}”；写成一样，或只写一次 / differs from {first} of the same rule"
            );
            self.fault(at, what);
        }
    }

    /// The value of a word in `words`, and its place.
    fn word<T: Copy>(&mut self, cell: Cell, words: &[(&str, T)], zh: &str, en: &str) -> Option<(T, CellPlace)> {
        let text = cell.text.to_lowercase();
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some((*value, cell.at));
        }
        let all = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join("、");
        self.fault(cell.at, format!("不认识的{zh}“{}”，要写其中之一：{all} / unknown {en}", cell.text));
        None
    }

    fn number(&mut self, cell: Cell) -> Option<(u32, CellPlace)> {
        let digits = cell.text.trim_end_matches('分').trim();
        let digits = digits.strip_suffix(".0").unwrap_or(digits);
        if let Ok(number) = digits.parse() {
            return Some((number, cell.at));
        }
        self.fault(
            cell.at,
            format!("扣分“{}”不是数字；写不带负号的整数，如 5 / no number: write a whole one, such as 5", cell.text),
        );
        None
    }

    fn known_clauses(&mut self, cell: &Cell) -> Vec<Cell> {
        let named = split(cell);
        for clause in &named {
            if self.clauses.is_some_and(|known| !known.contains(&clause.text)) {
                let what = format!("clauses.tsv 里没有条款“{}” / clauses.tsv has no such clause", clause.text);
                self.fault(clause.at.clone(), what);
            }
        }
        named
    }

    fn finish(mut self) -> (List, Vec<Fault>) {
        let mut groups = Vec::new();
        for draft in std::mem::take(&mut self.drafts) {
            // An unknown type has been told already.
            if draft.kind.is_none() && self.faults.iter().all(|fault| fault.at.as_ref() != Some(&draft.kind_at)) {
                self.fault(draft.kind_at, "类型是空的，要写 禁说 或 必说 / the type is empty: 禁说 or 必说");
            }
            groups.push(Group {
                name: draft.name,
                kind: draft.kind.map_or(Kind::Forbid, |(kind, _)| kind),
                phrases: draft.phrases,
                severity: draft.severity.map(|(severity, _)| severity).unwrap_or_default(),
                deduct: draft.deduct.map(|(deduct, _)| deduct),
                message: draft.message,
                suggestion: draft.suggestion,
                clauses: draft.clauses,
                exceptions: draft.exceptions,
            });
        }
        (List { groups, notes: self.notes }, self.faults)
    }
}

/// Takes what a further row of a rule says; notes where that differs.
fn agree<T: PartialEq>(
    known: &mut Option<(T, CellPlace)>,
    new: Option<(T, CellPlace)>,
    differing: &mut Vec<(CellPlace, CellPlace)>,
) {
    match (&known, new) {
        (None, new) => *known = new,
        (Some((value, first)), Some((other, at))) if *value != other => differing.push((at, first.clone())),
        _ => {}
    }
}

fn agree_cells(known: &mut Option<Cell>, new: Option<Cell>, differing: &mut Vec<(CellPlace, CellPlace)>) {
    match (&known, new) {
        (None, new) => *known = new,
        (Some(cell), Some(other)) if cell.text != other.text => differing.push((other.at, cell.at.clone())),
        _ => {}
    }
}

/// The parts of a cell that lists several things.
fn split(cell: &Cell) -> Vec<Cell> {
    let parts = cell.text.split(['、', '；', ';', '，', ',', '\n']).map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| Cell { text: part.to_owned(), at: cell.at.clone() }).collect()
}

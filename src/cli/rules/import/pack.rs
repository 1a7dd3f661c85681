//! A phrase list as a rule file, and back through the parser: a list that
//! would make a faulty pack is refused, by cell.

use std::collections::{BTreeMap, BTreeSet};

use pinyin::ToPinyin as _;
use tingjian::engine::diagnostic::{Diagnostic, Level, Position};
use tingjian::engine::rule::lint::lint;
use tingjian::engine::rule::parse::SourceFile;
use tingjian::engine::rule::{self, quote};
use tingjian::engine::unit_test;

use super::rows::{Cell, Fault, Group, Kind, List};
use crate::cli::sheet::CellPlace;
use tingjian::engine::severity::Severity;

/// Longest part of an id that is made from a name.
const NAME_BYTES_MAX: usize = 32;

/// The rule file of a list, and what lint warns of.
///
/// # Errors
/// Everything that would be wrong with it, by cell.
pub(super) fn write(
    pack: &str,
    origin: &str,
    list: &List,
    clauses: Option<&BTreeSet<String>>,
) -> Result<(String, Vec<Fault>), Vec<Fault>> {
    let mut writer = Writer::default();
    writer.line(&format!("# 由 {} 导入，可以接着手工修改。", origin.replace(char::is_control, " ")), None);
    writer.line("# 测试里只有该报的话；请补上不该报的（silent）。", None);
    writer.line(&format!("pack: {}", quote::scalar(pack)), None);
    writer.line(&format!("title: {}", quote::scalar(origin)), None);
    writer.line("rules:", None);
    let mut ids = BTreeSet::new();
    for group in &list.groups {
        writer.rule(&id(pack, &group.name.text, &mut ids), group);
    }
    let Writer { text, cells } = writer;

    let place = |at: &Position| cells.range(..=at.line).next_back().and_then(|(_, cell)| cell.clone());
    let tell = |fault: &Diagnostic| {
        let Diagnostic { at, zh, en, help_zh, .. } = fault;
        let help = if help_zh.is_empty() { String::new() } else { format!("；{}", help_zh.trim_end_matches('。')) };
        Fault { at: place(at), what: format!("{zh}{help} / {en}") }
    };
    let file = SourceFile { name: format!("{pack}.yaml"), text: text.clone() };
    let loaded = rule::load(&[file], String::new()).map_err(|mut faults| {
        faults.retain(|fault| fault.level == Level::Error);
        // Ids are made of the name of the pack: if that is none, neither are they.
        if faults.iter().any(|fault| place(&fault.at).is_none()) {
            faults.retain(|fault| fault.code != "bad-id" || place(&fault.at).is_none());
        }
        faults.iter().map(tell).collect::<Vec<_>>()
    })?;
    let report = unit_test::run(&loaded.rules, &loaded.packs);
    if !report.passed() {
        let what =
            "单说这句话不会命中，看看它的例外是不是也包含了它 / the phrase alone does not fire; look at its exceptions";
        let told = report.failures.iter().map(|failure| Fault { at: place(&failure.at), what: what.to_owned() });
        return Err(told.collect());
    }
    let warnings = lint(&loaded, clauses);
    // What must not fire, a list of phrases does not say; the file asks for it at its head.
    Ok((text, warnings.iter().filter(|warning| warning.code != "one-sided-tests").map(tell).collect()))
}

/// Lines, and the cell that each came from.
#[derive(Default)]
struct Writer {
    text: String,
    cells: BTreeMap<u32, Option<CellPlace>>,
}

impl Writer {
    fn line(&mut self, line: &str, at: Option<&CellPlace>) {
        let number = self.cells.len() + 1;
        self.cells.insert(u32::try_from(number).unwrap_or(u32::MAX), at.cloned());
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn field(&mut self, indent: usize, name: &str, cell: &Cell) {
        let value = quote::scalar(&cell.text);
        self.line(&format!("{:indent$}{name}: {value}", ""), Some(&cell.at));
    }

    fn items(&mut self, indent: usize, cells: &[Cell]) {
        for cell in cells {
            let value = quote::scalar(&cell.text);
            self.line(&format!("{:indent$}- {value}", ""), Some(&cell.at));
        }
    }

    fn rule(&mut self, id: &str, group: &Group) {
        let at = Some(&group.name.at);
        self.line(&format!("  - id: {}", quote::scalar(id)), at);
        self.field(4, "name", &group.name);
        if let Some(first) = group.clauses.first() {
            let clauses = group.clauses.iter().map(|clause| quote::scalar(&clause.text)).collect::<Vec<_>>();
            self.line(&format!("    clauses: [{}]", clauses.join(", ")), Some(&first.at));
        }
        let severity = match group.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        };
        self.line(&format!("    severity: {severity}"), at);
        if let Some(deduct) = group.deduct {
            self.line(&format!("    deduct: {deduct}"), at);
        }
        let (body, message) = match group.kind {
            Kind::Forbid => ("    forbid:", "不要说“{phrase}”"),
            Kind::Require => ("    require:", "没有说到：{missing}"),
        };
        self.line(body, at);
        self.line("      any:", at);
        self.items(8, &group.phrases);
        if group.kind == Kind::Require {
            self.line("      after: answered", at);
        }
        self.exceptions(group);
        match &group.message {
            Some(message) => self.field(4, "message", message),
            None => self.line(&format!("    message: {}", quote::scalar(message)), at),
        }
        if let Some(suggestion) = &group.suggestion {
            self.field(4, "suggestion", suggestion);
        }
        // Other phrases are patterns: what they match, only their writer knows.
        let literal = |cell: &&Cell| !cell.text.contains(['{', '}', '(', ')', '|', '/', '$']);
        let mut tests = group.phrases.iter().filter(literal).peekable();
        if tests.peek().is_some() {
            self.line("    tests:", at);
        }
        for cell in tests {
            self.field(6, "- fires", cell);
        }
    }

    /// Exceptions that hold a phrase are longer forms of it; others excuse it where they stand
    /// beside it.
    fn exceptions(&mut self, group: &Group) {
        let longer = |cell: &Cell| group.phrases.iter().any(|phrase| cell.text.contains(&phrase.text));
        let (around, beside): (Vec<Cell>, Vec<Cell>) = group.exceptions.iter().cloned().partition(longer);
        let Some(first) = group.exceptions.first() else { return };
        self.line("      unless:", Some(&first.at));
        for (name, cells) in [("around", around), ("sentence", beside)] {
            if let Some(first) = cells.first() {
                self.line(&format!("        - {name}:"), Some(&first.at));
                self.items(12, &cells);
            }
        }
    }
}

/// An id that says the name in Latin letters, and does not change with the order of rows.
fn id(pack: &str, name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut letters = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            letters.push(c.to_ascii_lowercase());
            continue;
        }
        words.extend(Some(std::mem::take(&mut letters)).filter(|letters| !letters.is_empty()));
        // The letter ü is typed as v.
        words.extend(c.to_pinyin().map(|pinyin| pinyin.plain().replace(|c: char| !c.is_ascii(), "v")));
    }
    words.extend(Some(letters).filter(|letters| !letters.is_empty()));
    let mut slug = String::new();
    for word in words {
        if slug.len() + word.len() > NAME_BYTES_MAX {
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(&word);
    }
    if slug.is_empty() {
        slug.push_str("rule");
    }
    let first = format!("{pack}.{slug}");
    let free = (2..).map(|number| format!("{first}-{number}"));
    let id = std::iter::once(first.clone()).chain(free).find(|id| !taken.contains(id)).unwrap_or(first.clone());
    taken.insert(id.clone());
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_say_the_name_and_are_told_apart() {
        let mut taken = BTreeSet::new();
        let mut id = |name: &str| id("p", name, &mut taken);
        assert_eq!(id("不知道"), "p.bu-zhi-dao");
        assert_eq!(id("不知到"), "p.bu-zhi-dao-2");
        assert_eq!(id("VIP绿色通道！"), "p.vip-lv-se-tong-dao");
        assert_eq!(id("？"), "p.rule");
        assert_eq!(id("我我我我我我我我我我我我我我我我我我"), "p.wo-wo-wo-wo-wo-wo-wo-wo-wo-wo-wo");
    }
}

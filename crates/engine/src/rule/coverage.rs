//! Which clause is held by which rules: clause → requirement → rules → tests.

use std::collections::BTreeMap;

use super::script;
use super::sources::Table;
use super::syntax::{PackSource, RuleSource};

/// Where a clause stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClauseStatus {
    /// A rule with a firing test rests on it.
    Covered,
    /// There is a reason why none does.
    Excused,
    /// Neither.
    Open,
}

impl ClauseStatus {
    /// Its name in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Covered => "covered",
            Self::Excused => "excused",
            Self::Open => "open",
        }
    }
}

/// The table of clauses and what becomes of each.
#[derive(Debug)]
pub struct Coverage<'a> {
    /// In the order of the table.
    pub rows: Vec<Row<'a>>,
    /// The packs that calls must ask for.
    pub off: Vec<&'a PackSource>,
}

/// One clause.
#[derive(Debug)]
pub struct Row<'a> {
    /// Its name.
    pub clause: &'a str,
    /// The document it comes from.
    pub source: &'a str,
    /// The demand of the clause.
    pub requirement: &'a str,
    /// The rules that rest on it.
    pub rules: Vec<CoveringRule<'a>>,
    /// Why it has no rule.
    pub reason: Option<&'a str>,
}

/// A rule that rests on a clause.
#[derive(Debug)]
pub struct CoveringRule<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its tests that expect an alert.
    pub firing: usize,
    /// All its tests.
    pub tests: usize,
    /// Whether calls that name no packs have it.
    pub enabled: bool,
}

impl Row<'_> {
    /// Where the clause stands.
    #[must_use]
    pub fn status(&self) -> ClauseStatus {
        if self.rules.iter().any(|rule| rule.firing > 0) {
            ClauseStatus::Covered
        } else if self.reason.is_some() {
            ClauseStatus::Excused
        } else {
            ClauseStatus::Open
        }
    }

    /// The lack of an open clause, in Chinese.
    #[must_use]
    pub fn lacking(&self) -> &'static str {
        if self.rules.is_empty() {
            "没有规则，也没有在 uncovered.tsv 里说明原因"
        } else {
            "规则没有会命中的测试"
        }
    }
}

impl<'a> Coverage<'a> {
    /// Puts tables and packs together.
    ///
    /// # Errors
    /// All the rows of the tables that cannot be used, ready to print.
    pub fn new(clauses: &'a Table, uncovered: Option<&'a Table>, packs: &'a [PackSource]) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let mut rows: Vec<Row<'_>> = Vec::new();
        for (number, cells) in clauses.rows() {
            let [clause, source, _signal, requirement, ..] = cells.as_slice() else {
                let name = &clauses.name;
                faults.push(format!(
                    "{name}:{number}: 要有四列：条款、来源、信号、要求，用制表符分开 / four columns are needed: clause, source, signal, requirement"
                ));
                continue;
            };
            if places.insert(clause, rows.len()).is_some() {
                let name = &clauses.name;
                faults.push(format!("{name}:{number}: 条款 {clause} 已经有了 / the clause {clause} is there twice"));
            }
            rows.push(Row { clause, source, requirement, rules: Vec::new(), reason: None });
        }
        for pack in packs {
            for rule in &pack.rules {
                for clause in &rule.clauses {
                    // Clauses that are not in the table are lint's matter.
                    if let Some(&place) = places.get(clause.value.as_str()) {
                        rows[place].rules.push(CoveringRule::of(pack, rule));
                    }
                }
            }
        }
        for (number, cells) in uncovered.into_iter().flat_map(Table::rows) {
            let name = uncovered.map_or("", |table| table.name.as_str());
            match cells.as_slice() {
                [clause, reason, ..] if !reason.is_empty() => match places.get(clause) {
                    Some(&place) => rows[place].reason = Some(reason),
                    None => faults.push(format!(
                        "{name}:{number}: clauses.tsv 里没有条款 {clause}，改正或删去 / clauses.tsv has no clause {clause}"
                    )),
                },
                _ => faults.push(format!(
                    "{name}:{number}: 要有两列：条款、没有规则的原因，用制表符分开 / two columns are needed: clause, reason"
                )),
            }
        }
        let off = packs.iter().filter(|pack| !pack.enabled).collect();
        if faults.is_empty() { Ok(Self { rows, off }) } else { Err(faults) }
    }

    /// How many clauses stand so.
    #[must_use]
    pub fn count(&self, status: ClauseStatus) -> usize {
        self.rows.iter().filter(|row| row.status() == status).count()
    }
}

impl<'a> CoveringRule<'a> {
    fn of(pack: &'a PackSource, rule: &'a RuleSource) -> Self {
        let firing = script::firing_tests(rule);
        Self { id: &rule.id.value, firing, tests: rule.tests.len(), enabled: pack.enabled }
    }
}

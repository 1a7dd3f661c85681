//! `tingjian rules coverage`: clause → requirement → rules → tests.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use clap::ValueEnum;
use tingjian::engine::rule::syntax::{PackSource, RuleSource};
use tingjian::engine::rule::unit_test;

use super::super::source::{Origin, Table};
use super::super::{EXIT_UNUSABLE, complain};
use super::{print, usable};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    origin: Origin,
    /// 输出格式 / Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// 给人看 / For people
    Text,
    /// Markdown 表格，docs/coverage.md 由它生成 / A Markdown table; docs/coverage.md is made of it
    Markdown,
}

/// Exits with 0, with 1 if a clause has neither a rule with a firing test nor a reason, with 2 if
/// the rules or tables are unusable.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let (source, loaded) = match usable(&arguments.origin) {
        Ok(usable) => usable,
        Err(code) => return code,
    };
    let Some(clauses) = &source.clause_table else {
        complain("规则目录里没有 clauses.tsv，没有条款可对 / there is no clauses.tsv among the rules");
        return ExitCode::from(EXIT_UNUSABLE);
    };
    let coverage = match Coverage::new(clauses, source.uncovered.as_ref(), &loaded.packs) {
        Ok(coverage) => coverage,
        Err(faults) => {
            faults.iter().for_each(complain);
            return ExitCode::from(EXIT_UNUSABLE);
        }
    };
    let text = match arguments.format {
        Format::Text => coverage.text(),
        Format::Markdown => coverage.markdown(),
    };
    print(&text, if coverage.count(Standing::Open) == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Where a clause stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// A rule with a firing test rests on it.
    Covered,
    /// There is a reason why none does.
    Excused,
    Open,
}

struct Coverage<'a> {
    rows: Vec<Row<'a>>,
    /// The packs that calls must ask for.
    off: Vec<&'a PackSource>,
}

struct Row<'a> {
    clause: &'a str,
    source: &'a str,
    requirement: &'a str,
    rules: Vec<Rule<'a>>,
    reason: Option<&'a str>,
}

struct Rule<'a> {
    id: &'a str,
    firing: usize,
    tests: usize,
    enabled: bool,
}

impl Row<'_> {
    fn standing(&self) -> Standing {
        if self.rules.iter().any(|rule| rule.firing > 0) {
            Standing::Covered
        } else if self.reason.is_some() {
            Standing::Excused
        } else {
            Standing::Open
        }
    }
}

impl<'a> Coverage<'a> {
    /// Errors are all the rows of the tables that cannot be used, ready to print.
    fn new(clauses: &'a Table, uncovered: Option<&'a Table>, packs: &'a [PackSource]) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let mut rows: Vec<Row<'_>> = Vec::new();
        for (number, cells) in cells(clauses) {
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
                        rows[place].rules.push(Rule::of(pack, rule));
                    }
                }
            }
        }
        for (number, cells) in uncovered.into_iter().flat_map(cells) {
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

    fn count(&self, standing: Standing) -> usize {
        self.rows.iter().filter(|row| row.standing() == standing).count()
    }

    fn summary(&self) -> String {
        format!(
            "{} 条条款：{} 条有规则和会命中的测试，{} 条没有规则但说明了原因，{} 条尚无着落",
            self.rows.len(),
            self.count(Standing::Covered),
            self.count(Standing::Excused),
            self.count(Standing::Open),
        )
    }

    fn text(&self) -> String {
        // Writing to a string cannot fail.
        let mut text = String::new();
        for row in &self.rows {
            let _ = writeln!(text, "{}  {}  {}", row.clause, row.source, row.requirement);
            for rule in &row.rules {
                let off = if rule.enabled { "" } else { "，默认关闭" };
                let _ = writeln!(text, "    {}（{} 个测试，{} 个命中{off}）", rule.id, rule.tests, rule.firing);
            }
            if let Some(reason) = row.reason {
                let _ = writeln!(text, "    没有规则：{reason}");
            }
            if row.standing() == Standing::Open {
                let _ = writeln!(text, "    尚无着落：{}", row.lacking());
            }
        }
        for pack in &self.off {
            let _ = writeln!(text, "默认关闭：{} {}（{} 条规则）", pack.pack.value, pack.title, pack.rules.len());
        }
        let _ = writeln!(text, "{}", self.summary());
        text
    }

    fn markdown(&self) -> String {
        let mut text = format!(
            "# 条款覆盖\n\n\
             由 `tingjian rules coverage --format markdown` 生成，不要手工修改。\n\n\
             {}。\n\n\
             “测试”是规则的测试数，括号里是其中会命中（报出违规）的；`*` 表示规则所在的包默认关闭。\n\n\
             | 条款 | 来源 | 要求 | 规则 | 测试 | 没有规则的原因 |\n|---|---|---|---|---|---|\n",
            self.summary(),
        );
        for row in &self.rows {
            let ids = row.rules.iter().map(|rule| format!("`{}`{}", rule.id, if rule.enabled { "" } else { "\\*" }));
            let tests = row.rules.iter().map(|rule| format!("{}（{}）", rule.tests, rule.firing));
            let open = (row.standing() == Standing::Open).then(|| format!("**尚无着落：{}**", row.lacking()));
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                escaped(row.clause),
                escaped(row.source),
                escaped(row.requirement),
                ids.collect::<Vec<_>>().join("<br>"),
                tests.collect::<Vec<_>>().join("<br>"),
                row.reason.map(escaped).or(open).unwrap_or_default(),
            );
        }
        if !self.off.is_empty() {
            text.push_str("\n## 默认关闭的规则包\n\n");
            for pack in &self.off {
                let _ = writeln!(text, "- `{}` {}，{} 条规则", pack.pack.value, escaped(&pack.title), pack.rules.len());
            }
        }
        text
    }
}

impl Row<'_> {
    fn lacking(&self) -> &'static str {
        if self.rules.is_empty() {
            "没有规则，也没有在 uncovered.tsv 里说明原因"
        } else {
            "规则没有会命中的测试"
        }
    }
}

impl<'a> Rule<'a> {
    fn of(pack: &'a PackSource, rule: &'a RuleSource) -> Self {
        let firing = unit_test::firing_tests(rule);
        Self { id: &rule.id.value, firing, tests: rule.tests.len(), enabled: pack.enabled }
    }
}

/// The rows of a table with their line numbers; comments, the heading and empty lines left out.
fn cells(table: &Table) -> impl Iterator<Item = (usize, Vec<&str>)> {
    let lines = table.text.trim_start_matches('\u{feff}').lines().zip(1..);
    lines
        .map(|(line, number)| (number, line.split('\t').map(str::trim).collect::<Vec<_>>()))
        .filter(|(_, cells)| cells.first().is_some_and(|c| !c.is_empty() && !c.starts_with('#') && *c != "clause"))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*")
}

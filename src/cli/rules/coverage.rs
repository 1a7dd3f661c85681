//! `tingjian rules coverage`: clause → requirement → rules → tests.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::ValueEnum;
use tingjian::engine::rule::coverage::{ClauseStatus, Coverage};

use super::super::source::RuleFlags;
use super::super::{EXIT_UNUSABLE, complain};
use super::{print, usable};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    origin: RuleFlags,
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
    let Some(clauses) = &source.clauses else {
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
    let code = if coverage.count(ClauseStatus::Open) == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) };
    let printed = Printed(coverage);
    let text = match arguments.format {
        Format::Text => printed.text(),
        Format::Markdown => printed.markdown(),
    };
    print(&text, code)
}

/// The table in words.
struct Printed<'a>(Coverage<'a>);

impl Printed<'_> {
    fn summary(&self) -> String {
        format!(
            "{} 条条款：{} 条有规则和会命中的测试，{} 条没有规则但说明了原因，{} 条尚无着落",
            self.0.rows.len(),
            self.0.count(ClauseStatus::Covered),
            self.0.count(ClauseStatus::Excused),
            self.0.count(ClauseStatus::Open),
        )
    }

    fn text(&self) -> String {
        // Writing to a string cannot fail.
        let mut text = String::new();
        for row in &self.0.rows {
            let _ = writeln!(text, "{}  {}  {}", row.clause, row.source, row.requirement);
            for rule in &row.rules {
                let off = if rule.enabled { "" } else { "，默认关闭" };
                let _ = writeln!(text, "    {}（{} 个测试，{} 个命中{off}）", rule.id, rule.tests, rule.firing);
            }
            if let Some(reason) = row.reason {
                let _ = writeln!(text, "    没有规则：{reason}");
            }
            if row.status() == ClauseStatus::Open {
                let _ = writeln!(text, "    尚无着落：{}", row.lacking());
            }
        }
        for pack in &self.0.off {
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
        for row in &self.0.rows {
            let ids = row.rules.iter().map(|rule| format!("`{}`{}", rule.id, if rule.enabled { "" } else { "\\*" }));
            let tests = row.rules.iter().map(|rule| format!("{}（{}）", rule.tests, rule.firing));
            let open = (row.status() == ClauseStatus::Open).then(|| format!("**尚无着落：{}**", row.lacking()));
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
        if !self.0.off.is_empty() {
            text.push_str("\n## 默认关闭的规则包\n\n");
            for pack in &self.0.off {
                let _ = writeln!(text, "- `{}` {}，{} 条规则", pack.pack.value, escaped(&pack.title), pack.rules.len());
            }
        }
        text
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*")
}

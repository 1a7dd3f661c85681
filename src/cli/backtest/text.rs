//! The report for a terminal.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use tingjian::adapter::alert_json::AlertJson;
use tingjian::backtest::{Counts, Example, Report};
use tingjian::engine::time::CallTime;
use unicode_width::UnicodeWidthStr;

use super::super::show;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GAINED: Style = AnsiColor::Red.on_default();
const LOST: Style = AnsiColor::Green.on_default();
const CHANGED: Style = AnsiColor::Yellow.on_default();
/// Agents that are shown; the other formats have more.
const AGENTS_MAX: usize = 20;

pub(super) fn report(report: &Report) -> String {
    let mut text = String::new();
    // Writing to memory cannot fail.
    let _ = write(&mut text, report);
    text
}

fn write(text: &mut String, report: &Report) -> std::fmt::Result {
    let Report { before, after, alerts, shadow, .. } = report;
    writeln!(
        text,
        "{BOLD}规则 {}（{} 条）→ {}（{} 条）{BOLD:#}",
        before.version, before.rules, after.version, after.rules
    )?;
    write!(text, "{} 通通话，{} 小时", report.calls, report.hours)?;
    for (count, what) in [
        (report.skipped, "通的原话已过保留期，没有重放"),
        (report.failed, "通重放时内部出错"),
        (report.broken_lines, "行无法读取"),
    ] {
        if count > 0 {
            write!(text, "；{count} {what}")?;
        }
    }
    writeln!(text)?;
    writeln!(text, "预警 {}", counts(alerts))?;
    if *shadow != Counts::default() {
        writeln!(text, "试运行 {}", counts(shadow))?;
    }
    let lists: [(&str, Vec<(String, &Counts)>); 3] = [
        ("规则包", report.packs.iter().map(|pack| (named(&pack.pack, pack.shadow), &pack.counts)).collect()),
        ("规则", report.rules.iter().map(|rule| (named(&rule.rule_id, rule.shadow), &rule.counts)).collect()),
        ("坐席", report.agents.iter().take(AGENTS_MAX).map(|agent| (agent.agent_id.clone(), &agent.counts)).collect()),
    ];
    for (title, rows) in lists {
        let rows: Vec<_> = rows.into_iter().filter(|(_, counts)| counts.differences() > 0).collect();
        if rows.is_empty() {
            continue;
        }
        writeln!(text, "\n{BOLD}按{title}{BOLD:#}")?;
        let width = rows.iter().map(|(name, _)| show::plain(name).width()).max().unwrap_or(0);
        for (name, own) in rows {
            let name = show::plain(&name);
            let room = " ".repeat(width - name.width());
            writeln!(text, "  {name}{room}  {}", counts(own))?;
        }
    }
    for rule in report.rules.iter().filter(|rule| rule.counts.differences() > 0) {
        writeln!(text, "\n{BOLD}{}{BOLD:#} {DIM}{}{DIM:#}", show::plain(&rule.rule_name), show::plain(&rule.rule_id))?;
        let sorts = [
            ("新增", GAINED, &rule.examples.gained),
            ("消失", LOST, &rule.examples.lost),
            ("变化", CHANGED, &rule.examples.changed),
        ];
        for (word, style, examples) in sorts {
            for one in examples {
                example(text, word, style, one)?;
            }
        }
    }
    if !report.differs() {
        writeln!(text, "没有差异")?;
    }
    Ok(())
}

fn named(name: &str, is_shadow: bool) -> String {
    if is_shadow { format!("{name}（试运行）") } else { name.to_owned() }
}

/// `12 → 15 条，+4 −1 ~2，每千通 300 → 375`.
fn counts(counts: &Counts) -> String {
    let Counts { before, after, gained, lost, changed, before_per_1000_calls, after_per_1000_calls } = counts;
    format!(
        "{before} → {after} 条，{GAINED}+{gained}{GAINED:#} {LOST}−{lost}{LOST:#} {CHANGED}~{changed}{CHANGED:#}，每千通 {before_per_1000_calls} → {after_per_1000_calls}"
    )
}

fn example(text: &mut String, word: &str, style: Style, example: &Example) -> std::fmt::Result {
    let Some(alert) = example.after.as_ref().or(example.before.as_ref()) else { return Ok(()) };
    writeln!(
        text,
        "  {style}{word}{style:#} {} {DIM}通话 {} · 坐席 {} · {}{DIM:#}",
        CallTime(alert.at_ms),
        show::plain(&alert.call_id),
        show::plain(&alert.agent_id),
        example.started_at
    )?;
    let mut words = Vec::new();
    for evidence in alert.evidence.iter() {
        // Writing to memory cannot fail.
        let _ = show::words(&mut words, evidence, style);
    }
    text.push_str(&String::from_utf8_lossy(&words));
    match (&example.before, &example.after) {
        (Some(before), Some(after)) => {
            writeln!(text, "    原来：{}", told(before))?;
            writeln!(text, "    现在：{}", told(after))
        }
        _ => writeln!(text, "    {}", told(alert)),
    }
}

fn told(alert: &AlertJson<'_>) -> String {
    let severity = alert.severity.zh();
    format!("{severity} · 扣 {} 分 · {} · {}", alert.deduct, CallTime(alert.at_ms), show::plain(&alert.message))
}

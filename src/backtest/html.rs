//! The report as a page of its own: no script, nothing from elsewhere, light
//! and dark as the reader has it, and fit to be printed.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::report::{Counts, Example, Report, RuleDifference};
use crate::adapter::alert_json::AlertJson;
use crate::engine::alert::Evidence;
use crate::engine::time::CallTime;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1a1d21; --quiet: #5b636d; --paper: #fff; --line: #d9dde2; --soft: #f4f6f8; --gain: #b3261e; --loss: #1b6e3c; --change: #8a5a00; --mark: #ffe08a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaee; --quiet: #a3acb7; --paper: #15181c; --line: #343a42; --soft: #1f242a; --gain: #ff8a80; --loss: #7bd69a; --change: #f0c060; --mark: #6b5300; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink); font: 16px/1.6 system-ui, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; } h3 { font-size: 1rem; margin: 0; }
p { margin: .25rem 0; } .tiles + p { margin-top: .75rem; } .quiet { color: var(--quiet); } code { font: .9em ui-monospace, Consolas, monospace; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin-top: 1.25rem; }
.tile { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; } .tile b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; line-height: 1.3; } .tile b.pair { font-size: 1.15rem; line-height: 1.7; }
details { margin-top: .5rem; } summary { color: var(--quiet); cursor: pointer; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; } th, td { padding: .4rem .6rem; border-bottom: 1px solid var(--line); text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th { color: var(--quiet); font-weight: 600; font-size: .9rem; } th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 11rem; } td.zero { color: var(--quiet); }
.gained { color: var(--gain); } .lost { color: var(--loss); } .changed { color: var(--change); }
.tag { display: inline-block; border: 1px solid currentColor; border-radius: .25rem; padding: 0 .35rem; font-size: .8rem; white-space: nowrap; }
section.rule { margin-top: 1.5rem; border-top: 2px solid var(--line); padding-top: .75rem; } .example { background: var(--soft); border-radius: .5rem; padding: .75rem 1rem; margin-top: .6rem; break-inside: avoid; }
blockquote { margin: .35rem 0; overflow-wrap: anywhere; } mark { background: var(--mark); color: inherit; border-radius: .15rem; padding: 0 .1rem; text-decoration: underline; text-underline-offset: .2em; }
@media print { body { max-width: none; padding: 0; font-size: 11pt; } h2, h3 { break-after: avoid; } .tile { break-inside: avoid; } }
";

pub(super) fn page(report: &Report) -> String {
    let (before, after) = (&report.before, &report.after);
    let changed: Vec<&RuleDifference> = report.rules.iter().filter(|rule| rule.counts.differences() > 0).collect();
    let page = html! {
        (DOCTYPE)
        html lang="zh-CN" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "规则回测 " (before.version) " → " (after.version) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "规则回测" }
                    p {
                        "现行规则 " code { (before.version) } "（" (before.rules) " 条）→ 新规则 " code { (after.version) }
                        "（" (after.rules) " 条）"
                    }
                    p.quiet {
                        "重放 " (report.calls) " 通通话，共 " (report.hours) " 小时"
                        @if report.skipped > 0 { "；" (report.skipped) " 通的原话已过保留期，没有重放" }
                        @if report.failed > 0 { "；" (report.failed) " 通重放时内部出错" }
                        @if report.broken_lines > 0 { "；" (report.broken_lines) " 行无法读取" }
                        @if report.partial { "；只重放了一部分" }
                    }
                }
                main {
                    @if report.differs() { (tiles(report)) } @else { p { "两套规则在这些通话上没有差异。" } (tiles(report)) }
                    (tables("规则包", report.packs.iter().map(|pack| (html! { (pack.pack) (shadow(pack.shadow)) }, &pack.counts))))
                    (tables("规则", report.rules.iter().map(|rule| (html! {
                        (rule.rule_name) (shadow(rule.shadow)) (newness(rule)) br; code.quiet { (rule.rule_id) }
                    }, &rule.counts))))
                    (tables("坐席", report.agents.iter().map(|agent| (html! {
                        (agent.agent_id) " " span.quiet { (agent.calls) " 通" }
                    }, &agent.counts))))
                    @if report.agents_left_out > 0 { p.quiet { "另有 " (report.agents_left_out) " 名差异更少的坐席没有列出" } }
                    @if !changed.is_empty() {
                        h2 { "例子" }
                        p.quiet { "每种最多三例，取最早的通话；个人信息已隐去。" }
                        @for rule in changed { (examples(rule)) }
                    }
                }
            }
        }
    };
    let mut text = page.into_string();
    text.push('\n');
    text
}

fn tiles(report: &Report) -> Markup {
    let alerts = &report.alerts;
    let shadow = &report.shadow;
    html! {
        div.tiles {
            div.tile { "新增预警" b class=(if alerts.gained > 0 { "gained" } else { "quiet" }) { "+" (alerts.gained) } }
            div.tile { "消失预警" b class=(if alerts.lost > 0 { "lost" } else { "quiet" }) { "−" (alerts.lost) } }
            div.tile { "有变化" b class=(if alerts.changed > 0 { "changed" } else { "quiet" }) { (alerts.changed) } }
            div.tile { "预警总数" b { (alerts.before) " → " (alerts.after) } }
            div.tile { "每千通" b.pair { (alerts.before_per_1000_calls) " → " (alerts.after_per_1000_calls) } }
        }
        @if *shadow != Counts::default() {
            p.quiet {
                "试运行的规则包另计：" (shadow.before) " → " (shadow.after) "，新增 " (shadow.gained) "，消失 " (shadow.lost)
                "，有变化 " (shadow.changed)
            }
        }
    }
}

/// A table of the rows that differ; the equal ones are folded away.
fn tables<'a>(first: &str, rows: impl Iterator<Item = (Markup, &'a Counts)>) -> Markup {
    let (differing, same): (Vec<_>, Vec<_>) = rows.partition(|(_, counts)| counts.differences() > 0);
    html! {
        @if !differing.is_empty() || !same.is_empty() {
            h2 { "按" (first) }
            @if !differing.is_empty() { (table(first, &differing)) }
            @if !same.is_empty() {
                details {
                    summary { "没有差异的 " (same.len()) " 行" }
                    (table(first, &same))
                }
            }
        }
    }
}

fn table(first: &str, rows: &[(Markup, &Counts)]) -> Markup {
    let number = |value: u64, class: &str| html! { td class=(if value == 0 { "zero" } else { class }) { (value) } };
    html! {
        div.scroll tabindex="0" {
            table {
                thead { tr {
                    th scope="col" { (first) } th scope="col" { "原来" } th scope="col" { "现在" } th scope="col" { "新增" }
                    th scope="col" { "消失" } th scope="col" { "变化" } th scope="col" { "每千通" }
                } }
                tbody {
                    @for (name, counts) in rows {
                        tr {
                            td { (name) } (number(counts.before, "")) (number(counts.after, "")) (number(counts.gained, "gained"))
                            (number(counts.lost, "lost")) (number(counts.changed, "changed"))
                            td { (counts.before_per_1000_calls) " → " (counts.after_per_1000_calls) }
                        }
                    }
                }
            }
        }
    }
}

fn shadow(is_shadow: bool) -> Markup {
    html! { @if is_shadow { " " span.tag.quiet { "试运行" } } }
}

fn newness(rule: &RuleDifference) -> Markup {
    html! {
        @if !rule.in_before { " " span.tag.gained { "新规则" } }
        @if !rule.in_after { " " span.tag.lost { "已删去" } }
    }
}

fn examples(rule: &RuleDifference) -> Markup {
    let sorts = [
        ("新增", "gained", &rule.examples.gained),
        ("消失", "lost", &rule.examples.lost),
        ("变化", "changed", &rule.examples.changed),
    ];
    html! {
        section.rule {
            h3 { (rule.rule_name) (shadow(rule.shadow)) (newness(rule)) " " code.quiet { (rule.rule_id) } }
            @for (word, class, examples) in sorts {
                @for one in examples { (example(word, class, one)) }
            }
        }
    }
}

fn example(word: &str, class: &str, example: &Example) -> Markup {
    let Some(alert) = example.after.as_ref().or(example.before.as_ref()) else { return html! {} };
    html! {
        div.example {
            p {
                span class=(format!("tag {class}")) { (word) } " 通话 " code { (alert.call_id) } " · 坐席 " (alert.agent_id) " · "
                (CallTime(alert.at_ms)) " · " span.quiet { (example.started_at) }
            }
            @for evidence in alert.evidence.iter() { (words(evidence)) }
            @if let (Some(before), Some(after)) = (&example.before, &example.after) {
                p { span.quiet { "原来：" } (told(before)) }
                p { span.quiet { "现在：" } (told(after)) }
            } @else {
                p { (told(alert)) }
            }
        }
    }
}

fn told(alert: &AlertJson<'_>) -> Markup {
    html! {
        (alert.severity.zh()) @if alert.deduct > 0 { " · 扣 " (alert.deduct) " 分" } " · " (CallTime(alert.at_ms)) " · " (alert.message)
    }
}

/// The utterance with the words in question marked. Offsets count Unicode scalar values.
fn words(evidence: &Evidence) -> Markup {
    let who = evidence.role.zh();
    let part =
        |from: usize, to: usize| -> String { evidence.text.chars().skip(from).take(to.saturating_sub(from)).collect() };
    html! {
        blockquote {
            span.quiet { (who) "：" } (part(0, evidence.start)) mark { (part(evidence.start, evidence.end)) }
            (part(evidence.end, usize::MAX))
        }
    }
}

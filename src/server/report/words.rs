//! The report in words: as lines of text, for robots and mail readers without HTML, and as HTML.
//!
//! Mail readers take styles at the elements alone, so they stand there. Everything out of the store is escaped by `maud`.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{CriticalAlert, ReportedRule, ReviewedSums, SampledSums, WeeklyReport};
use crate::server::config::ReportLanguage;
use crate::server::domain::estimate::{Change, Estimate, Rate};
use crate::server::domain::overview::{Figures, Line};

/// Lines about agents, rules and critical alerts in a text: a message to a group is short.
const TEXT_WORST_MAX: usize = 5;
const TEXT_RULES_MAX: usize = 5;

/// Chooses the words of a language.
#[derive(Clone, Copy)]
struct Say(ReportLanguage);

impl Say {
    const fn t<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self.0 {
            ReportLanguage::Zh => zh,
            ReportLanguage::En => en,
        }
    }

    /// Between what a rate lies.
    fn rate(self, rate: Option<Rate>) -> String {
        match rate {
            Some(Rate { per_100, low, high }) => format!("{per_100:.1} ({low:.0}–{high:.0})"),
            None => "—".to_owned(),
        }
    }

    /// How a rate changed, and whether that is more than chance.
    fn change(self, change: Option<Change>) -> String {
        let Some(Change { difference, low, high }) = change else { return "—".to_owned() };
        let mark = if low > 0.0 {
            "▲ "
        } else if high < 0.0 {
            "▼ "
        } else {
            ""
        };
        format!("{mark}{difference:+.1} ({low:+.1} – {high:+.1})")
    }

    fn estimate(self, estimate: Option<Estimate>) -> String {
        match estimate {
            Some(Estimate { share, low, high }) => {
                format!("{:.1} % ({:.0}–{:.0})", share * 100.0, low * 100.0, high * 100.0)
            }
            None => self.t("没有测过", "not measured").to_owned(),
        }
    }

    /// Why somebody is among the worst.
    fn reasons(self, report: &WeeklyReport, line: &Line) -> String {
        let name = |rule_id: &String| report.rule_names.get(rule_id).unwrap_or(rule_id).clone();
        let reasons = line.reasons.iter().map(|rule| format!("{} {}", name(rule), line.cells.get(rule).unwrap_or(&0)));
        reasons.collect::<Vec<_>>().join(self.t("、", ", "))
    }

    fn title(self, report: &WeeklyReport) -> String {
        let WeeklyReport { from, to, .. } = report;
        format!("{} {from} – {to}", self.t("听检周报", "tingjian, the week"))
    }

    fn reviewed(self, reviewed: ReviewedSums) -> String {
        let ReviewedSums { judged, upheld, appeals, granted, missed, waiting } = reviewed;
        match self.0 {
            ReportLanguage::Zh => format!(
                "复核 {judged} 条，属实 {upheld}、误报 {}；申诉 {appeals} 条，成立 {granted}；标出漏报 {missed} 处；还有 {waiting} 条没有复核",
                judged - upheld
            ),
            ReportLanguage::En => format!(
                "{judged} alerts reviewed, {upheld} upheld, {} false; {appeals} appeals, {granted} granted; {missed} misses marked; {waiting} alerts wait",
                judged - upheld
            ),
        }
    }

    fn sampled(self, sampled: &SampledSums) -> String {
        let SampledSums { given, done, overdue, calls_read, precision, recall } = sampled;
        let (precision, recall) = (self.estimate(*precision), self.estimate(*recall));
        match self.0 {
            ReportLanguage::Zh => format!(
                "抽检 {given} 件，完成 {done}，逾期 {overdue}；准确率 {precision}；召回率 {recall}（读完 {calls_read} 通）"
            ),
            ReportLanguage::En => format!(
                "{given} samples, {done} done, {overdue} overdue; precision {precision}; recall {recall} ({calls_read} calls read)"
            ),
        }
    }
}

/// The agent of a line, by name where there is one.
fn who(report: &WeeklyReport, line: &Line) -> String {
    let id = line.key.as_deref().unwrap_or("—");
    report.names.get(id).map_or(id.to_owned(), |name| format!("{name} {id}"))
}

/// The report as lines of text; the first one is its title.
pub(super) fn lines(report: &WeeklyReport, language: ReportLanguage) -> Vec<String> {
    let say = Say(language);
    let now = &report.total.now;
    let before = |of: fn(&Figures) -> u64| {
        let told = |before: &Figures| format!("{}{}{}", say.t("（之前 ", " (before: "), of(before), say.t("）", ")"));
        report.total.before.as_ref().map_or(String::new(), told)
    };
    let mut lines = vec![
        say.title(report),
        format!("{}{}{}", say.t("通话 ", "Calls: "), now.calls, before(|figures| figures.calls)),
        format!("{}{}{}", say.t("预警 ", "Alerts: "), now.alerts, before(|figures| figures.alerts)),
        format!(
            "{}{}，{} {}",
            say.t("每百通预警 ", "Alerts per 100 calls: "),
            say.rate(now.rate),
            say.t("变化", "change"),
            say.change(report.total.change)
        ),
        format!(
            "{}{}{}，{} {}",
            say.t("严重预警 ", "Critical alerts: "),
            now.critical,
            before(|figures| figures.critical),
            say.t("每百通变化", "change per 100"),
            say.change(report.total.critical_change)
        ),
    ];
    if !report.worst.is_empty() {
        lines.push(say.t("最差的坐席（每百通）：", "Worst agents (per 100 calls):").to_owned());
        lines.extend(report.worst.iter().take(TEXT_WORST_MAX).enumerate().map(|(place, line)| {
            let name = who(report, line);
            format!("{}. {name} {}，{}", place + 1, say.rate(line.figures.now.rate), say.reasons(report, line))
        }));
    }
    if report.worst.is_empty() && report.unranked > 0 {
        let (unranked, least) = (report.unranked, report.calls_min);
        lines.push(match say.0 {
            ReportLanguage::Zh => format!("坐席没有排名：{unranked} 人通话都不足 {least} 通。"),
            ReportLanguage::En => format!("No agents are ranked: all {unranked} have fewer than {least} calls."),
        });
    }
    if !report.rules.is_empty() {
        lines.push(say.t("预警最多的规则：", "Rules with most alerts:").to_owned());
        lines.extend(report.rules.iter().take(TEXT_RULES_MAX).map(|rule| {
            let ReportedRule { line, precision, judged, .. } = rule;
            let precision = precision.map_or(String::new(), |precision| {
                format!("，{} {:.0} % ({judged})", say.t("准确率", "precision"), precision * 100.0)
            });
            format!(
                "{} {}，{} {}{precision}",
                line.rule_name,
                line.figures.now.alerts,
                say.t("变化", "change"),
                say.change(line.figures.change)
            )
        }));
    }
    lines.push(say.reviewed(report.reviewed));
    lines.extend(report.sampled.iter().map(|sampled| say.sampled(sampled)));
    if let Some(link) = &report.link {
        lines.push(format!("{}{link}", say.t("查看和下载：", "Look and download: ")));
    }
    lines
}

const BODY: &str = "margin:0;padding:24px 12px;background:#f6f7f9;color:#1a1f27;font:15px/1.6 -apple-system,'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',Arial,sans-serif";
const SHEET: &str =
    "max-width:760px;margin:0 auto;background:#ffffff;border:1px solid #d5dae1;border-radius:8px;padding:20px 24px";
const TABLE: &str = "border-collapse:collapse;width:100%;font-size:14px";
const HEAD: &str = "text-align:left;padding:6px 8px;border-bottom:2px solid #d5dae1;color:#55606e;font-weight:600";
const HEAD_NUMBER: &str =
    "text-align:right;padding:6px 8px;border-bottom:2px solid #d5dae1;color:#55606e;font-weight:600;white-space:nowrap";
const CELL: &str =
    "text-align:left;padding:6px 8px;border-bottom:1px solid #d5dae1;vertical-align:top;overflow-wrap:anywhere";
const NUMBER: &str =
    "text-align:right;padding:6px 8px;border-bottom:1px solid #d5dae1;vertical-align:top;white-space:nowrap";
const TILE: &str = "padding:8px 12px 8px 0;vertical-align:top";
const LINK: &str = "color:#1a5ab5";

/// The report as a page.
pub(super) fn html(report: &WeeklyReport, language: ReportLanguage) -> String {
    let say = Say(language);
    let now = &report.total.now;
    let before = |of: fn(&Figures) -> u64| report.total.before.as_ref().map(of);
    let page = html! {
        (DOCTYPE)
        html lang=(say.t("zh-CN", "en")) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (say.title(report)) }
            }
            body style=(BODY) {
                div style=(SHEET) {
                    h1 style="font-size:20px;margin:0 0 4px" { (say.title(report)) }
                    p style="margin:0 0 12px;color:#55606e;font-size:13px" {
                        (say.t(
                            "与之前同样长的一段相比；括号里是 95% 区间，▲▼ 表示变化超出偶然。时区 UTC",
                            "Against the span before, of the same length; in brackets the 95 % interval; ▲▼: more than chance. Zone UTC",
                        )) (report.utc_offset)
                    }
                    table role="presentation" style="border-collapse:collapse;width:100%" { tr {
                        (tile(say.t("通话", "Calls"), &now.calls.to_string(), &earlier(say, before(|figures| figures.calls)), false))
                        (tile(say.t("预警", "Alerts"), &now.alerts.to_string(), &earlier(say, before(|figures| figures.alerts)), false))
                        (tile(say.t("每百通", "Per 100 calls"), &now.rate.map_or("—".to_owned(), |rate| format!("{:.1}", rate.per_100)), &say.change(report.total.change), false))
                        (tile(say.t("严重", "Critical"), &now.critical.to_string(), &say.change(report.total.critical_change), now.critical > 0))
                    } }
                    (heading(say.t("最差的坐席，和原因", "The worst agents, and why")))
                    @if report.worst.is_empty() && report.unranked == 0 { (none(say)) } @else { (worst(report, say)) }
                    (heading(say.t("预警最多的规则", "Rules with most alerts")))
                    @if report.rules.is_empty() { (none(say)) } @else { (rules(&report.rules, say)) }
                    (heading(say.t("严重预警", "Critical alerts")))
                    @if report.critical.is_empty() { (none(say)) } @else { (critical(report, say)) }
                    (heading(say.t("复核和抽检", "Reviews and samples")))
                    p style="margin:0 0 6px" { (say.reviewed(report.reviewed)) }
                    @match &report.sampled {
                        Some(sampled) => p style="margin:0 0 6px" { (say.sampled(sampled)) },
                        None => p style="margin:0 0 6px;color:#55606e" { (say.t("这周没有抽检。", "Nothing was drawn this week.")) },
                    }
                    @if let Some(link) = &report.link {
                        p style="margin:16px 0 0" {
                            a style=(LINK) href=(link) { (say.t("在页面上查看，下载 Excel", "Look at it on the page, download the workbook")) }
                            span style="color:#55606e;font-size:13px" { (say.t("（需要令牌）", " (a token is needed)")) }
                        }
                    }
                }
            }
        }
    };
    let PreEscaped(page) = page;
    page
}

fn heading(text: &str) -> Markup {
    html! { h2 style="font-size:16px;margin:22px 0 6px" { (text) } }
}

fn none(say: Say) -> Markup {
    html! { p style="margin:0;color:#55606e" { (say.t("没有。", "None.")) } }
}

fn earlier(say: Say, value: Option<u64>) -> String {
    value.map_or(String::new(), |value| format!("{}{value}", say.t("之前 ", "before: ")))
}

fn tile(name: &str, value: &str, more: &str, is_bad: bool) -> Markup {
    let colour = if is_bad { "#b3261e" } else { "#1a1f27" };
    html! { td style=(TILE) {
        div style="font-size:13px;color:#55606e" { (name) }
        div style=(format!("font-size:26px;font-weight:650;line-height:1.25;color:{colour}")) { (value) }
        div style="font-size:13px;color:#55606e" { (more) }
    } }
}

fn worst(report: &WeeklyReport, say: Say) -> Markup {
    html! {
        @if !report.worst.is_empty() { table style=(TABLE) {
            thead { tr {
                th style=(HEAD) { (say.t("坐席", "Agent")) }
                th style=(HEAD_NUMBER) { (say.t("每百通", "Per 100")) }
                th style=(HEAD_NUMBER) { (say.t("变化", "Change")) }
                th style=(HEAD_NUMBER) { (say.t("严重", "Critical")) }
                th style=(HEAD_NUMBER) { (say.t("通话", "Calls")) }
                th style=(HEAD) { (say.t("主要原因", "Mostly because of")) }
            } }
            tbody { @for line in &report.worst { tr {
                td style=(CELL) { bdi { (who(report, line)) } }
                td style=(NUMBER) { (say.rate(line.figures.now.rate)) }
                td style=(NUMBER) { (say.change(line.figures.change)) }
                td style=(NUMBER) { (line.figures.now.critical) }
                td style=(NUMBER) { (line.figures.now.calls) }
                td style=(CELL) { (say.reasons(report, line)) }
            } } }
        } }
        p style="margin:6px 0 0;color:#55606e;font-size:13px" {
            (say.t("不足 ", "Fewer than ")) (report.calls_min) (say.t(" 通的不排名", " calls are not ranked"))
            @if report.unranked > 0 { (say.t("，有 ", "; there are ")) (report.unranked) (say.t(" 人。", ".")) } @else { (say.t("。", ".")) }
        }
    }
}

fn rules(rules: &[ReportedRule], say: Say) -> Markup {
    html! { table style=(TABLE) {
        thead { tr {
            th style=(HEAD) { (say.t("规则", "Rule")) }
            th style=(HEAD_NUMBER) { (say.t("预警", "Alerts")) }
            th style=(HEAD_NUMBER) { (say.t("变化（每百通）", "Change per 100")) }
            th style=(HEAD_NUMBER) { (say.t("准确率", "Precision")) }
        } }
        tbody { @for ReportedRule { line, judged, precision, below, .. } in rules { tr {
            td style=(CELL) { (line.rule_name) @if line.severity == "critical" { " " strong style="color:#b3261e" { (say.t("严重", "critical")) } } }
            td style=(NUMBER) { (line.figures.now.alerts) }
            td style=(NUMBER) { (say.change(line.figures.change)) }
            td style=(NUMBER) {
                @match precision {
                    Some(precision) => { (format!("{:.0} %", precision * 100.0)) " (" (judged) ")" },
                    None => "—",
                }
                @if *below { " " strong style="color:#b3261e" { (say.t("偏低", "low")) } }
            }
        } } }
    } }
}

fn critical(report: &WeeklyReport, say: Say) -> Markup {
    let all = report.total.now.critical;
    html! {
        table style=(TABLE) {
            thead { tr {
                th style=(HEAD) { (say.t("时间", "Time")) }
                th style=(HEAD) { (say.t("坐席", "Agent")) }
                th style=(HEAD) { (say.t("规则", "Rule")) }
                th style=(HEAD) { (say.t("通话", "Call")) }
            } }
            tbody { @for CriticalAlert { at, agent_id, agent_name, rule_name, call_id, link } in &report.critical { tr {
                td style=(CELL) { (at.as_deref().map_or("—".to_owned(), |at| at.chars().take(16).collect::<String>().replace('T', " "))) }
                td style=(CELL) { bdi { (agent_name.as_deref().unwrap_or(agent_id)) } }
                td style=(CELL) { (rule_name) }
                td style=(CELL) { @match link {
                    Some(link) => a style=(LINK) href=(link) { bdi { (call_id) } },
                    None => bdi { (call_id) },
                } }
            } } }
        }
        @if all > report.critical.len() as u64 {
            p style="margin:6px 0 0;color:#55606e;font-size:13px" { (say.t("最近的 ", "The latest ")) (report.critical.len()) (say.t(" 条，共 ", " of ")) (all) (say.t(" 条。", ".")) }
        }
    }
}

//! The weekly report: what it says, as JSON, text and HTML, and how it reaches people.
//!
//! It is gathered from the store when it is asked for or due; nothing of it is kept but whom it was sent to. It holds no words
//! of calls: a mail outlives every retention, so it leads to the pages, where a token decides who reads.

mod due;
mod mail;
mod send;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset};
use serde::Serialize;
use utoipa::ToSchema;

use crate::adapter::alert_json::AlertJson;
use crate::engine::severity::Severity;
use crate::server::clock;
use crate::server::config::{Config, OVERVIEW_CELLS_MAX, QUALITY_ROWS_MAX, ReportLanguage};
use crate::server::domain::estimate::{Estimate, Looked, ratio};
use crate::server::domain::overview::{Compared, Line, RANKED_CALLS_MIN, RuleLine};
use crate::server::domain::quality::Judged;
use crate::server::domain::refusal::Refusal;
use crate::server::domain::review::Verdict;
use crate::server::domain::terms::Display;
use crate::server::filter::{BadQuery, FROM, Parameter, Parameters, TO};
use crate::server::runtime::Shared;
use crate::server::store::{
    AlertFilter, Grouping, Order, OverviewFilter, Progress, Readers, RuleFigures, Span, StoreError, read_beside,
};
use crate::server::telemetry::metrics::Metrics;
pub(crate) use due::last_week;
pub(crate) use send::{Sender, run, send_now};

/// Refuses a `[report]` that cannot be used.
///
/// # Errors
/// The key at fault, and what to do.
pub(crate) fn check(config: &Config) -> Result<(), String> {
    config.report.check(config.webhooks.iter().map(|webhook| webhook.name.as_str()))?;
    mail::Post::new(&config.report).map(|_| ())
}

/// Gathers the report of a span for a task.
pub(crate) async fn gather(shared: &Arc<Shared>, span: Span) -> Result<WeeklyReport, Refusal> {
    let shared = Arc::clone(shared);
    let gathering = tokio::task::spawn_blocking(move || {
        WeeklyReport::gather(&shared.readers, &shared.config, span, clock::unix_ms())
    });
    gathering.await.map_err(|_| Refusal::Stopping)?.map_err(Refusal::store)
}

/// The span of a report.
pub(crate) const OF_REPORTS: &[Parameter] = &[FROM, TO];
/// Agents, rules and critical alerts that a report names.
const WORST_MAX: usize = 10;
const RULES_MAX: usize = 10;
const CRITICAL_MAX: usize = 20;

/// What a report says.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct WeeklyReport {
    /// The first day.
    from: String,
    /// The last day, included.
    to: String,
    utc_offset: String,
    total: Compared,
    /// The agents with the highest rates.
    worst: Vec<Line>,
    /// The names of these agents, by id.
    names: BTreeMap<String, String>,
    /// The names of the rules behind them, by id.
    rule_names: BTreeMap<String, String>,
    /// Agents who have fewer calls than `calls_min` and are not ranked.
    unranked: usize,
    calls_min: u32,
    /// The rules with the most alerts.
    rules: Vec<ReportedRule>,
    /// The latest critical alerts; `total` counts all.
    critical: Vec<CriticalAlert>,
    reviewed: ReviewedSums,
    /// Null where nothing was drawn.
    sampled: Option<SampledSums>,
    /// Where it can be looked into, with a token.
    link: Option<String>,
}

/// A rule, with what people made of its alerts.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct ReportedRule {
    #[serde(flatten)]
    line: RuleLine,
    /// Alerts that were judged, and how many of them stand.
    judged: u64,
    upheld: u64,
    /// Null: none was judged.
    precision: Option<f64>,
    /// Whether the precision is too low, and known well enough.
    below: bool,
}

/// A critical alert, without words.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct CriticalAlert {
    at: Option<String>,
    agent_id: String,
    agent_name: Option<String>,
    rule_name: String,
    call_id: String,
    link: Option<String>,
}

/// What reviewers did.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
struct ReviewedSums {
    judged: u64,
    upheld: u64,
    appeals: u64,
    granted: u64,
    /// Violations that reviewers marked.
    missed: u64,
    /// Alerts that no reviewer judged yet.
    waiting: u64,
}

/// What was drawn, and what it says.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
struct SampledSums {
    given: i64,
    done: i64,
    overdue: i64,
    calls_read: u64,
    /// Of told alerts, how many are right; null without one that was judged.
    precision: Option<Estimate>,
    /// Of violations in calls, how many the rules found; null without a call that was read.
    recall: Option<Estimate>,
}

impl WeeklyReport {
    /// Whether there was anything to report.
    fn has_calls(&self) -> bool {
        self.total.now.calls > 0
    }

    /// Gathers the report of a span; it blocks.
    pub(crate) fn gather(readers: &Readers, config: &Config, span: Span, now_ms: i64) -> Result<Self, StoreError> {
        let zone = config.utc_offset;
        let counting = AlertFilter { span, counts: Some(true), ..AlertFilter::default() };
        let filter = OverviewFilter {
            alerts: counting.clone(),
            before: span.before(now_ms),
            by: Grouping::Agent,
            calls_min: RANKED_CALLS_MIN,
        };
        let overview = readers.overview(&filter, OVERVIEW_CELLS_MAX)?;
        let unranked = overview.lines.iter().filter(|line| !line.ranked && line.figures.now.calls > 0).count();
        let worst = overview.lines.into_iter().filter(|line| line.ranked && line.figures.now.alerts > 0);
        let worst: Vec<Line> = worst.take(WORST_MAX).collect();
        let roster = readers.roster()?;
        let name = |agent_id: &str| roster.of(agent_id).and_then(|agent| agent.name.clone());
        let ids = worst.iter().filter_map(|line| line.key.as_deref());
        let names = ids.filter_map(|agent_id| Some((agent_id.to_owned(), name(agent_id)?))).collect();
        let reasons: BTreeSet<&String> = worst.iter().flat_map(|line| &line.reasons).collect();
        let rule_names = overview.rules.iter().filter(|rule| reasons.contains(&rule.rule_id));
        let rule_names = rule_names.map(|rule| (rule.rule_id.clone(), rule.rule_name.clone())).collect();
        let told = AlertFilter {
            span,
            displays: Display::ALL.into_iter().filter(|display| display.is_told()).collect(),
            ..AlertFilter::default()
        };
        let figures = readers.figures(&told, QUALITY_ROWS_MAX)?;
        let by_rule = by_rule(&figures);
        let rules = overview.rules.into_iter().filter(|rule| rule.figures.now.alerts > 0).take(RULES_MAX).map(|line| {
            let judged = by_rule.get(line.rule_id.as_str()).copied().unwrap_or_default();
            let (precision, below) = (judged.precision(), judged.is_below(&config.review));
            ReportedRule { line, judged: judged.reviewed, upheld: judged.upheld, precision, below }
        });
        let rules: Vec<ReportedRule> = rules.collect();
        let sum = |of: fn(&RuleFigures) -> u64| figures.iter().map(of).sum();
        let unreviewed = AlertFilter { verdicts: vec![Verdict::Unreviewed], ..counting.clone() };
        let reviewed = ReviewedSums {
            judged: sum(|rule| rule.judged.reviewed),
            upheld: sum(|rule| rule.judged.upheld),
            appeals: sum(|rule| rule.appeals),
            granted: sum(|rule| rule.granted),
            missed: sum(|rule| rule.missed),
            waiting: readers.count_alerts(&unreviewed)?.0.unsigned_abs(),
        };
        let criticals = AlertFilter { severities: vec![Severity::Critical], ..counting };
        let criticals = readers.alerts(&criticals, Order::NewestFirst, None, None, CRITICAL_MAX)?;
        let base = config.report.url.as_deref();
        let critical = criticals.into_iter().filter_map(|found| {
            let alert: AlertJson<'_> = serde_json::from_str(&found.json).ok()?;
            let link = base.map(|base| {
                let place = query(&[("started_at", &found.started_at)]);
                format!("{base}/call/{}?{place}#alert-{}", escaped(&alert.call_id), escaped(&alert.alert_id))
            });
            Some(CriticalAlert {
                at: clock::wall_time(found.place.ms, zone),
                agent_name: name(&alert.agent_id),
                agent_id: alert.agent_id.to_string(),
                rule_name: alert.rule_name.to_string(),
                call_id: alert.call_id.to_string(),
                link,
            })
        });
        let (from, to) = days(span, zone);
        let link = base.map(|base| format!("{base}/qa?{}", query(&[("days", ""), ("from", &from), ("to", &to)])));
        Ok(Self {
            utc_offset: zone.to_string(),
            total: overview.total,
            worst,
            names,
            unranked,
            calls_min: RANKED_CALLS_MIN,
            rules,
            rule_names,
            critical: critical.collect(),
            reviewed,
            sampled: sampled(readers, span, now_ms)?,
            link,
            from,
            to,
        })
    }

    /// As text, one paragraph a line.
    pub(crate) fn text(&self, language: ReportLanguage) -> String {
        words::lines(self, language).join("\n")
    }

    /// As a page of its own, which is the body of a mail, too.
    pub(crate) fn html(&self, language: ReportLanguage) -> String {
        words::html(self, language)
    }
}

/// The first and the last day of a span.
fn days(span: Span, zone: FixedOffset) -> (String, String) {
    let day =
        |ms: i64| DateTime::from_timestamp_millis(ms).map(|time| time.with_timezone(&zone).date_naive().to_string());
    let from = span.from_ms.and_then(day).unwrap_or_default();
    (from, span.to_ms.and_then(|ms| day(ms.saturating_sub(1))).unwrap_or_default())
}

/// Judgements by rule, whatever the version.
fn by_rule(figures: &[RuleFigures]) -> BTreeMap<&str, Judged> {
    let mut sums: BTreeMap<&str, Judged> = BTreeMap::new();
    for RuleFigures { rule_id, judged, .. } in figures {
        let sum = sums.entry(rule_id.as_str()).or_default();
        sum.reviewed += judged.reviewed;
        sum.upheld += judged.upheld;
    }
    sums
}

fn sampled(readers: &Readers, weeks: Span, now_ms: i64) -> Result<Option<SampledSums>, StoreError> {
    let progress = readers.sampling_progress(weeks, now_ms)?;
    if progress.is_empty() {
        return Ok(None);
    }
    let judgement = readers.judgement(weeks)?;
    let sum = |of: fn(&Progress) -> i64| progress.iter().map(of).sum();
    Ok(Some(SampledSums {
        given: sum(|row| row.given),
        done: sum(|row| row.done),
        overdue: sum(|row| row.overdue),
        calls_read: judgement.calls_read,
        precision: ratio(&together(judgement.precision.into_values())),
        recall: ratio(&together(judgement.recall.into_values())),
    }))
}

/// The samples of all rules as one: each rule has the same units in the same order.
fn together(rules: impl Iterator<Item = Vec<Looked>>) -> Vec<Looked> {
    let mut all: Vec<Looked> = Vec::new();
    for strata in rules {
        if all.is_empty() {
            all = strata;
            continue;
        }
        for (sum, stratum) in all.iter_mut().zip(strata) {
            for (sum, unit) in sum.units.iter_mut().zip(stratum.units) {
                *sum = (sum.0 + unit.0, sum.1 + unit.1);
            }
        }
    }
    all
}

/// A query of an address.
fn query(pairs: &[(&str, &str)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect::<Vec<_>>().join("&")
}

/// `text` as a part of an address.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// The span that a request asks for: whole days, the last week unless said.
pub(crate) fn span_of(parameters: &Parameters, config: &Config) -> Result<Span, BadQuery> {
    let zone = config.utc_offset;
    let asked = parameters.span(zone)?;
    match (asked.from_ms, asked.to_ms) {
        (None, None) => {
            let week = last_week(clock::wall_now(zone), config.report.weekday.into());
            week.ok_or_else(|| BadQuery::new("from", "没有上一周 / there is no last week"))
        }
        (Some(_), Some(_)) => Ok(asked),
        (from_ms, _) => {
            let missing = if from_ms.is_some() { "to" } else { "from" };
            Err(BadQuery::new(missing, "from 和 to 要一起写 / from and to go together"))
        }
    }
}

/// A report that was gathered beside a server, to be shown or sent.
pub struct PreparedReport {
    report: WeeklyReport,
}

impl fmt::Debug for PreparedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedReport").finish_non_exhaustive()
    }
}

impl PreparedReport {
    /// Gathers the report of the store in `directory`, a server may be running on it. `query` has `from` and `to`, or is empty.
    ///
    /// # Errors
    /// The query cannot be understood, or the store not be read.
    pub fn gather(directory: &Path, query: &str, config: &Config) -> Result<Self, String> {
        let parameters = Parameters::of_tables(query, &[OF_REPORTS]).map_err(|bad| bad.message)?;
        let span = span_of(&parameters, config).map_err(|bad| bad.message)?;
        let readers = read_beside(directory, Some(&config.privacy)).map_err(|error| error.to_string())?;
        let report = WeeklyReport::gather(&readers, config, span, clock::unix_ms());
        Ok(Self { report: report.map_err(|error| error.to_string())? })
    }

    /// As text.
    #[must_use]
    pub fn text(&self, config: &Config) -> String {
        self.report.text(config.report.language) + "\n"
    }

    /// As HTML.
    #[must_use]
    pub fn html(&self, config: &Config) -> String {
        self.report.html(config.report.language)
    }

    /// Sends it to all whom `[report]` names; says of each recipient what became of it.
    ///
    /// # Errors
    /// `[report]` names nobody, or cannot be used.
    pub async fn send(&self, config: &Config) -> Result<Vec<(String, Result<(), String>)>, String> {
        if !config.report.has_recipients() {
            return Err(
                "配置的 [report] 里没有收件人（to 或 webhooks） / [report] names no recipients (to or webhooks)"
                    .to_owned(),
            );
        }
        let metrics = Metrics::new().map_err(|fault| fault.to_string())?;
        let sender = Sender::new(config, &metrics)?;
        let sent = sender.send_to_all(&self.report, config, clock::unix_ms()).await;
        Ok(sent.into_iter().map(|(recipient, sent)| (recipient, sent.told())).collect())
    }
}

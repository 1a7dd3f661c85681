//! Agents, teams or queues beside each other, by rule, in a span and in the one before it.

use std::collections::{BTreeMap, BTreeSet};

use crate::server::domain::estimate::Counted;
use crate::server::domain::overview::{Compared, Line, RuleLine, Tally};
use crate::server::store::StoreError;
use crate::server::store::query::{AlertFilter, Conditions, Span, limit};
use crate::server::store::reader::Readers;
use crate::server::store::sql::{Connection, params_from_iter};
use crate::server::store::statistics::{ALERTS, DEDUCTED, Grouping, StatisticsFilter};

/// Which alerts are compared, by what, and with which span.
#[derive(Clone, Debug)]
pub(crate) struct OverviewFilter {
    pub(crate) alerts: AlertFilter,
    pub(crate) before: Option<Span>,
    pub(crate) by: Grouping,
    /// With fewer calls nobody is ranked.
    pub(crate) calls_min: u32,
}

/// The comparison, all of one moment.
#[derive(Clone, Debug)]
pub(crate) struct Overview {
    /// The worst first.
    pub(crate) lines: Vec<Line>,
    /// The rules with the most alerts first.
    pub(crate) rules: Vec<RuleLine>,
    pub(crate) total: Compared,
    /// Whether something is left out because there is too much.
    pub(crate) truncated: bool,
}

type Tallies = BTreeMap<Option<String>, Tally>;

/// The key of everything together.
const ALL: &str = "NULL";

impl OverviewFilter {
    fn of(&self, span: Span) -> StatisticsFilter {
        // No group of it has days or hours.
        StatisticsFilter { alerts: AlertFilter { span, ..self.alerts.clone() }, groups: vec![self.by], offset_ms: 0 }
    }

    /// The first moment of both spans to the last.
    fn whole(&self) -> Span {
        let Span { from_ms, to_ms } = self.alerts.span;
        Span { from_ms: self.before.map_or(from_ms, |before| before.from_ms), to_ms }
    }
}

impl Readers {
    /// Compares, with at most `count_max` lines, rules and cells.
    pub(crate) fn overview(&self, filter: &OverviewFilter, count_max: usize) -> Result<Overview, StoreError> {
        self.ask(|connection| {
            let moment = connection.unchecked_transaction()?;
            let now = filter.of(filter.alerts.span);
            let before = filter.before.map(|span| filter.of(span));
            let spans = |by: Option<Grouping>| -> Result<(Tallies, Option<Tallies>), StoreError> {
                let earlier = before.as_ref().map(|before| tallies(&moment, before, by, count_max + 1)).transpose()?;
                Ok((tallies(&moment, &now, by, count_max + 1)?, earlier))
            };
            let (total, total_before) = spans(None)?;
            let total = Compared::new(only(&total), total_before.as_ref().map(only));
            let (of_lines, before_of_lines) = spans(Some(filter.by))?;
            let (of_rules, before_of_rules) = spans(Some(Grouping::Rule))?;
            let (mut cells, are_cells_left_out) = cells(&moment, &now, filter.by, count_max)?;
            let names = rule_names(&moment, &filter.of(filter.whole()), count_max)?;
            let truncated = are_cells_left_out || of_lines.len().max(of_rules.len()) > count_max;

            let mut lines: Vec<Line> = keys(&of_lines, before_of_lines.as_ref())
                .into_iter()
                .map(|key| {
                    let (now, before) = both(&key, &of_lines, before_of_lines.as_ref());
                    Line::new(key.clone(), now, before, cells.remove(&key).unwrap_or_default(), filter.calls_min)
                })
                .collect();
            lines.sort_by(Line::worse_first);
            lines.truncate(count_max);
            let mut rules: Vec<RuleLine> = keys(&of_rules, before_of_rules.as_ref())
                .into_iter()
                .filter_map(|key| {
                    let (mut now, mut before) = both(&key, &of_rules, before_of_rules.as_ref());
                    // All calls could have had it.
                    now = over(now, total.now.calls);
                    before = before.map(|tally| over(tally, total.before.as_ref().map_or(0, |figures| figures.calls)));
                    let rule_id = key?;
                    let (rule_name, severity) = names.get(&rule_id).cloned().unwrap_or_default();
                    Some(RuleLine { rule_id, rule_name, severity, figures: Compared::new(now, before) })
                })
                .collect();
            rules.sort_by(|a, b| {
                b.figures.now.alerts.cmp(&a.figures.now.alerts).then_with(|| a.rule_id.cmp(&b.rule_id))
            });
            rules.truncate(count_max);
            moment.finish()?;
            Ok(Overview { lines, rules, total, truncated })
        })
    }
}

fn only(tallies: &Tallies) -> Tally {
    tallies.get(&None).copied().unwrap_or_default()
}

fn keys(now: &Tallies, before: Option<&Tallies>) -> BTreeSet<Option<String>> {
    now.keys().chain(before.into_iter().flat_map(BTreeMap::keys)).cloned().collect()
}

fn both(key: &Option<String>, now: &Tallies, before: Option<&Tallies>) -> (Tally, Option<Tally>) {
    let of = |tallies: &Tallies| tallies.get(key).copied().unwrap_or_default();
    (of(now), before.map(of))
}

/// The tally with so many calls.
fn over(tally: Tally, calls: u64) -> Tally {
    let counted = |counted: Counted| Counted { calls, ..counted };
    Tally { alerts: counted(tally.alerts), critical: counted(tally.critical), ..tally }
}

/// The sums of a span, by a group or all together; at most `count_max` of alerts and of calls each.
fn tallies(
    connection: &Connection,
    filter: &StatisticsFilter,
    by: Option<Grouping>,
    count_max: usize,
) -> Result<Tallies, StoreError> {
    let mut found = Tallies::new();
    let Conditions { sql, mut values } = filter.conditions();
    let key = by.map_or(ALL.to_owned(), |by| by.column("latest", "latest.said_ms", filter.offset_ms));
    let sql = format!(
        "SELECT key, sum(alerts), sum(alerts * alerts), sum(critical), sum(critical * critical), count(*), sum(deduct) FROM (
             SELECT {key} AS key, count(*) AS alerts, count(*) FILTER (WHERE latest.severity = 'critical') AS critical, {} AS deduct
             FROM {ALERTS} {sql} GROUP BY 1, latest.call_no) AS of_calls
         GROUP BY key ORDER BY 2 DESC, 1 NULLS FIRST LIMIT ?",
        *DEDUCTED
    );
    values.push(limit(count_max));
    let mut alerts = connection.prepare_cached(&sql)?;
    let mut rows = alerts.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        let sum = |index| row.get::<_, i64>(index).map(i64::unsigned_abs);
        let tally = Tally {
            alerts: Counted { calls: 0, alerts: sum(1)?, squares: sum(2)? },
            critical: Counted { calls: 0, alerts: sum(3)?, squares: sum(4)? },
            with_alerts: sum(5)?,
            deduct: sum(6)?,
        };
        found.insert(row.get(0)?, tally);
    }
    if by == Some(Grouping::Rule) {
        return Ok(found);
    }
    let Conditions { sql, mut values } = filter.calls_by(by.is_some_and(Grouping::is_of_agents));
    let key = by.map_or(ALL.to_owned(), |by| by.column("calls", "calls.started_ms", filter.offset_ms));
    let sql = format!(
        "SELECT {key}, count(DISTINCT calls.call_no) FROM {sql} GROUP BY 1 ORDER BY 2 DESC, 1 NULLS FIRST LIMIT ?"
    );
    values.push(limit(count_max));
    let mut calls = connection.prepare_cached(&sql)?;
    let mut rows = calls.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        let tally = found.entry(row.get(0)?).or_default();
        *tally = over(*tally, row.get::<_, i64>(1)?.unsigned_abs());
    }
    Ok(found)
}

type Cells = BTreeMap<Option<String>, BTreeMap<String, u64>>;

/// The alerts of each line by rule, and whether there are more than `count_max`.
fn cells(
    connection: &Connection,
    filter: &StatisticsFilter,
    by: Grouping,
    count_max: usize,
) -> Result<(Cells, bool), StoreError> {
    let Conditions { sql, mut values } = filter.conditions();
    let key = by.column("latest", "latest.said_ms", filter.offset_ms);
    let sql = format!(
        "SELECT {key}, latest.rule_id, count(*) FROM {ALERTS} {sql} GROUP BY 1, 2 ORDER BY 3 DESC, 1 NULLS FIRST, 2 LIMIT ?"
    );
    values.push(limit(count_max + 1));
    let mut question = connection.prepare_cached(&sql)?;
    let mut rows = question.query(params_from_iter(values))?;
    let (mut cells, mut count) = (Cells::new(), 0);
    while let Some(row) = rows.next()? {
        count += 1;
        if count > count_max {
            return Ok((cells, true));
        }
        cells.entry(row.get(0)?).or_default().insert(row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs());
    }
    Ok((cells, false))
}

/// The names and severities of the rules, as their latest alerts have them.
fn rule_names(
    connection: &Connection,
    filter: &StatisticsFilter,
    count_max: usize,
) -> Result<BTreeMap<String, (String, String)>, StoreError> {
    let Conditions { sql, mut values } = filter.conditions();
    values.push(limit(count_max));
    let sql = format!(
        "SELECT alerts.rule_id, words(alerts.json), alerts.severity FROM alerts
         JOIN (SELECT max(latest.cursor) AS last FROM {ALERTS} {sql} GROUP BY latest.rule_id) AS of_rules ON alerts.cursor = last
         ORDER BY 1 LIMIT ?"
    );
    let mut names = connection.prepare_cached(&sql)?;
    let names = names.query_map(params_from_iter(values), |row| {
        let rule_id: String = row.get(0)?;
        let alert: serde_json::Value = serde_json::from_str(row.text(1)?).unwrap_or_default();
        let name = alert["rule_name"].as_str().unwrap_or(&rule_id).to_owned();
        Ok((rule_id, (name, row.get(2)?)))
    })?;
    Ok(names.collect::<Result<_, _>>()?)
}

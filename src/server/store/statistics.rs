//! How many alerts and calls there are by day, hour, rule, agent, queue and
//! severity. Counted when asked for, from where alerts stand; nothing is kept
//! for it, so the figures are always those of the lists.

use std::sync::LazyLock;

use crate::server::store::StoreError;
use crate::server::store::counts::COUNTS;
use crate::server::store::query::{AlertFilter, CallFilter, Conditions};
use crate::server::store::reader::Readers;
use crate::server::store::roster::team_of;
use crate::server::store::sql::{self, Connection, Row, Value, params_from_iter};

/// By what alerts are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grouping {
    Day,
    /// The hour of the day, 0 to 23.
    Hour,
    Rule,
    Agent,
    /// The team of the agent.
    Team,
    /// The queue of the call.
    Queue,
    Severity,
}

impl Grouping {
    pub(crate) const ALL: [Self; 7] =
        [Self::Day, Self::Hour, Self::Rule, Self::Agent, Self::Team, Self::Queue, Self::Severity];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Rule => "rule",
            Self::Agent => "agent",
            Self::Team => "team",
            Self::Queue => "queue",
            Self::Severity => "severity",
        }
    }

    /// Whether a call has it too, alert or none.
    pub(crate) const fn is_of_calls(self) -> bool {
        !matches!(self, Self::Rule | Self::Severity)
    }

    /// Whether a call may be of several.
    pub(super) const fn is_of_agents(self) -> bool {
        matches!(self, Self::Agent | Self::Team)
    }

    /// The SQL expression for this dimension's value. `table` is the table's alias, `moment` the
    /// expression for the row's time.
    pub(super) fn column(self, table: &str, moment: &str, offset_ms: i64) -> String {
        match self {
            Self::Day => {
                let of_day = of_day(moment, offset_ms);
                format!("date(({moment} + {offset_ms} - {of_day}) / 1000, 'unixepoch')")
            }
            Self::Hour => format!("CAST({} AS TEXT)", hour_of_day(moment, offset_ms)),
            Self::Rule => format!("{table}.rule_id"),
            Self::Agent => format!("{table}.agent_id"),
            Self::Team => team_of(&format!("{table}.agent_id")),
            Self::Queue => "calls.queue".to_owned(),
            Self::Severity => format!("{table}.severity"),
        }
    }
}

/// The SQL expression for the milliseconds since the day began. SQLite's remainder has the sign of
/// the dividend; moments before 1970 have days, too.
fn of_day(moment: &str, offset_ms: i64) -> String {
    format!("((({moment} + {offset_ms}) % {DAY_MS} + {DAY_MS}) % {DAY_MS})")
}

/// The SQL expression for the hour of the day, 0 to 23.
pub(super) fn hour_of_day(moment: &str, offset_ms: i64) -> String {
    format!("({} / {HOUR_MS})", of_day(moment, offset_ms))
}

const HOUR_MS: i64 = 60 * 60 * 1_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Which alerts are counted, and by what.
#[derive(Clone, Debug)]
pub(crate) struct StatisticsFilter {
    pub(crate) alerts: AlertFilter,
    pub(crate) groups: Vec<Grouping>,
    /// East of Greenwich, where days and hours begin.
    pub(crate) offset_ms: i64,
}

/// One value a group; a call without a queue has none for it.
pub(crate) type Key = Vec<Option<String>>;

/// The sums of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) alerts: i64,
    /// Calls that have such an alert.
    pub(crate) calls: i64,
    /// The points that counting alerts deduct.
    pub(crate) deduct: i64,
}

/// How many calls were answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallCount {
    pub(crate) key: Key,
    pub(crate) calls: i64,
}

/// The counts, all of one moment.
#[derive(Clone, Debug)]
pub(crate) struct Statistics {
    /// The groups with the most alerts first.
    pub(crate) rows: Vec<(Key, Sums)>,
    pub(crate) total: Sums,
    /// All calls by those groups that calls have, those with the most calls first.
    pub(crate) answered: Vec<CallCount>,
    pub(crate) answered_total: i64,
    /// The names of the rules among the groups, by id.
    pub(crate) rule_names: Vec<(String, Option<String>)>,
}

impl StatisticsFilter {
    pub(super) fn conditions(&self) -> Conditions {
        self.alerts.conditions(self.alerts.span)
    }

    /// The calls that such alerts may be of.
    fn calls(&self) -> CallFilter {
        CallFilter::of_alerts(&self.alerts)
    }

    /// The table `calls` of those calls, once for each agent whose they are where it goes by agent.
    pub(super) fn calls_by(&self, is_by_agent: bool) -> Conditions {
        let calls = self.calls();
        if is_by_agent {
            return calls.by_agent(calls.span);
        }
        let Conditions { sql, values } = calls.conditions(calls.span);
        Conditions { sql: format!("calls {sql}"), values }
    }

    /// The question for rows of alerts.
    fn rows_sql(&self, conditions: &str) -> String {
        let keys = self.groups.iter().map(|group| group.column("latest", "latest.said_ms", self.offset_ms) + ", ");
        let keys: String = keys.collect();
        let places = places(self.groups.len());
        format!(
            "SELECT {keys}count(*), count(DISTINCT latest.call_no), {}
             FROM {ALERTS} {conditions} GROUP BY {places} ORDER BY count(*) DESC, {} LIMIT ?",
            *DEDUCTED,
            in_order(self.groups.len())
        )
    }

    fn call_groups(&self) -> impl Iterator<Item = Grouping> {
        self.groups.iter().copied().filter(|group| group.is_of_calls())
    }
}

/// The SQL expression for the sum that counting alerts deduct.
pub(super) static DEDUCTED: LazyLock<String> =
    LazyLock::new(|| format!("coalesce(sum(latest.deduct) FILTER (WHERE {COUNTS}), 0)"));

pub(super) const ALERTS: &str = "latest_alerts AS latest JOIN calls ON calls.call_no = latest.call_no";

/// The first so many columns, as `ORDER BY` has them: a call without a queue before those with one.
fn in_order(count: usize) -> String {
    (1..=count).map(|place| format!("{place} NULLS FIRST")).collect::<Vec<_>>().join(", ")
}

/// The first so many columns, as `GROUP BY` has them.
fn places(count: usize) -> String {
    (1..=count).map(|place| place.to_string()).collect::<Vec<_>>().join(", ")
}

impl Readers {
    /// Counts, with at most `count_max` rows in each list.
    pub(crate) fn statistics(&self, filter: &StatisticsFilter, count_max: usize) -> Result<Statistics, StoreError> {
        self.ask(|connection| {
            // One moment for all of it, so that the totals are those of the rows.
            let snapshot = connection.unchecked_transaction()?;
            let (answered, answered_total) = answered(&snapshot, filter, count_max)?;
            let statistics = Statistics {
                rows: rows(&snapshot, filter, count_max)?,
                total: total(&snapshot, filter)?,
                answered,
                answered_total,
                rule_names: rule_names(&snapshot, filter, count_max)?,
            };
            snapshot.finish()?;
            Ok(statistics)
        })
    }
}

fn rows(connection: &Connection, filter: &StatisticsFilter, count_max: usize) -> Result<Vec<(Key, Sums)>, StoreError> {
    let Conditions { sql, mut values } = filter.conditions();
    values.push(limit(count_max));
    let count = filter.groups.len();
    let mut rows = connection.prepare_cached(&filter.rows_sql(&sql))?;
    let rows = rows.query_map(params_from_iter(values), |row| {
        let key = (0..count).map(|place| row.get(place)).collect::<Result<_, _>>()?;
        Ok((key, sums(row, count)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn total(connection: &Connection, filter: &StatisticsFilter) -> Result<Sums, StoreError> {
    let Conditions { sql, values } = filter.conditions();
    let sql = format!("SELECT count(*), count(DISTINCT latest.call_no), {} FROM {ALERTS} {sql}", *DEDUCTED);
    let mut total = connection.prepare_cached(&sql)?;
    Ok(total.query_row(params_from_iter(values), |row| sums(row, 0))?)
}

/// The sums in a row, from the column `first` on.
fn sums(row: &Row<'_>, first: usize) -> sql::Result<Sums> {
    Ok(Sums { alerts: row.get(first)?, calls: row.get(first + 1)?, deduct: row.get(first + 2)? })
}

fn answered(
    connection: &Connection,
    filter: &StatisticsFilter,
    count_max: usize,
) -> Result<(Vec<CallCount>, i64), StoreError> {
    let calls = filter.calls();
    let Conditions { sql, values } = calls.conditions(calls.span);
    let total = connection
        .prepare_cached(&format!("SELECT count(*) FROM calls {sql}"))?
        .query_row(params_from_iter(&values), |row| row.get(0))?;
    let keys: Vec<String> =
        filter.call_groups().map(|group| group.column("calls", "calls.started_ms", filter.offset_ms)).collect();
    if keys.is_empty() {
        return Ok((vec![CallCount { key: Vec::new(), calls: total }], total));
    }
    let (count, places, order, keys) = (keys.len(), places(keys.len()), in_order(keys.len()), keys.join(", "));
    let Conditions { sql, mut values } = filter.calls_by(filter.call_groups().any(Grouping::is_of_agents));
    let calls = "count(DISTINCT calls.call_no)";
    let sql = format!("SELECT {keys}, {calls} FROM {sql} GROUP BY {places} ORDER BY {calls} DESC, {order} LIMIT ?");
    values.push(limit(count_max));
    let mut rows = connection.prepare_cached(&sql)?;
    let rows = rows.query_map(params_from_iter(values), |row| {
        let key = (0..count).map(|place| row.get(place)).collect::<Result<_, _>>()?;
        Ok(CallCount { key, calls: row.get(count)? })
    })?;
    Ok((rows.collect::<Result<_, _>>()?, total))
}

/// The names of the rules, as their latest alerts have them.
fn rule_names(
    connection: &Connection,
    filter: &StatisticsFilter,
    count_max: usize,
) -> Result<Vec<(String, Option<String>)>, StoreError> {
    if !filter.groups.contains(&Grouping::Rule) {
        return Ok(Vec::new());
    }
    let Conditions { sql, mut values } = filter.conditions();
    values.push(limit(count_max));
    let sql = format!(
        "SELECT alerts.rule_id, words(alerts.json) FROM alerts
         JOIN (SELECT max(latest.cursor) AS last FROM {ALERTS} {sql} GROUP BY latest.rule_id) AS of_rules ON alerts.cursor = last
         ORDER BY 1 LIMIT ?"
    );
    let mut names = connection.prepare_cached(&sql)?;
    let names = names.query_map(params_from_iter(values), |row| {
        let alert: serde_json::Value = serde_json::from_str(row.text(1)?).unwrap_or_default();
        Ok((row.get(0)?, alert["rule_name"].as_str().map(str::to_owned)))
    })?;
    Ok(names.collect::<Result<_, _>>()?)
}

fn limit(count: usize) -> Value {
    Value::from(i64::try_from(count).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::server::domain::terms::Display;
    use crate::server::store::query::Span;
    use crate::server::store::{Store, StoreError};

    /// SQLite's plan for finding the alerts.
    fn plan(filter: &StatisticsFilter) -> String {
        let directory = TempDir::new().unwrap();
        let store = Store::open(directory.path(), &crate::server::config::Privacy::default()).unwrap();
        let Conditions { sql, mut values } = filter.conditions();
        values.push(limit(1));
        let question = format!("EXPLAIN QUERY PLAN {}", filter.rows_sql(&sql));
        let plan = store.readers().ask(|connection| {
            let mut plan = connection.prepare(&question)?;
            let plan = plan.query_map(params_from_iter(values), |row| row.get::<_, String>(3))?;
            Ok::<_, StoreError>(plan.collect::<Result<Vec<_>, _>>()?.join("\n"))
        });
        plan.unwrap()
    }

    #[test]
    fn filters_are_found_by_index() {
        let span = Span { from_ms: Some(1), to_ms: Some(2) };
        let cases = [
            (AlertFilter { span, ..AlertFilter::default() }, "latest_by_time (said_ms>? AND said_ms<?)"),
            (
                AlertFilter { span, agent_id: Some("a7".into()), ..AlertFilter::default() },
                "latest_by_agent (agent_id=? AND said_ms>? AND said_ms<?)",
            ),
            (
                AlertFilter { span, rule_id: Some("r".into()), ..AlertFilter::default() },
                "latest_by_rule (rule_id=? AND said_ms>? AND said_ms<?)",
            ),
        ];
        for (alerts, expected) in cases {
            for group in Grouping::ALL {
                let filter = StatisticsFilter {
                    alerts: AlertFilter { displays: vec![Display::Card], ..alerts.clone() },
                    groups: vec![group, Grouping::Hour],
                    offset_ms: 0,
                };
                let plan = plan(&filter);
                assert!(plan.contains(expected), "{group:?} {expected}\n{plan}");
                assert!(plan.contains("SEARCH calls USING INTEGER PRIMARY KEY"), "{plan}");
            }
        }
    }
}

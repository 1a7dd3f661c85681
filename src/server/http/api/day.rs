//! An agent's own day against their own last weeks: calls, scores, what was said that had to be said.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use chrono::{DateTime, Datelike as _, FixedOffset, NaiveDate, NaiveTime, TimeDelta, TimeZone as _};
use serde::Serialize;
use utoipa::ToSchema;

use crate::adapter::native;
use crate::server::clock;
use crate::server::config::{HELPS_OF_DAY_MAX, OWN_CALLS_MAX};
use crate::server::domain::refusal::ErrorMessage;
use crate::server::domain::score::score;
use crate::server::filter::{BadQuery, Parameter, Parameters, Shape};
use crate::server::http::api::roster::AgentView;
use crate::server::http::api::scores::{ScoreView, Total};
use crate::server::http::api::supervision::HelpView;
use crate::server::http::openapi::DayParameters;
use crate::server::net::reply::Unanswered;
use crate::server::runtime::Shared;
use crate::server::store::{Help, OwnCall, Span};

/// The parameters of an agent's day.
pub(crate) const OF_DAY: &[Parameter] =
    &[Parameter::new("day", "2026-11-21; today unless said / 哪一天，默认今天", Shape::Text)];

/// Weeks that a day is held against, with its own.
const WEEKS: i64 = 8;

/// An agent's day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Day {
    agent_id: String,
    #[serde(flatten)]
    agent: AgentView,
    /// `2026-11-21`.
    day: String,
    /// Its calls that are over.
    total: OwnScores,
    /// The weeks up to the day's own, the oldest first; each begins on a Monday and bears its date.
    weeks: Vec<OwnScores>,
    /// What had to be said on that day, the rule that was met most often first.
    duties: Vec<DutyCount>,
    /// The words that supervisors wrote to the agent on that day, the earliest first; the latest 200 at most.
    helps: Vec<OwnHelp>,
    /// Calls in a row without an alert that counts, up to the end of the day.
    streak: u64,
    /// The most such calls in a row in these weeks.
    streak_best: u64,
    /// Whether there were more calls than were looked at: the latest.
    truncated: bool,
    utc_offset: String,
}

/// The scores of an agent's calls of some days.
#[derive(Debug, Serialize, ToSchema)]
struct OwnScores {
    #[serde(flatten)]
    scores: ScoreView,
    /// Calls without an alert that counts.
    clean: u64,
}

/// Words of a supervisor to the agent, with their call.
#[derive(Debug, Serialize, ToSchema)]
struct OwnHelp {
    #[serde(flatten)]
    help: HelpView,
    call_id: String,
    started_at: String,
}

/// How often a rule's words were due and said.
#[derive(Debug, Serialize, ToSchema)]
struct DutyCount {
    rule_id: String,
    /// Null if the rule is no longer there.
    rule_name: Option<String>,
    said: u64,
    missed: u64,
}

/// An agent's day: scores against their own last weeks, required words said, calls in a row without an alert.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/day", tag = "qa", params(
    ("agent_id" = String, Path, description = "Whose / 坐席"),
    DayParameters,
), responses(
    (status = 200, description = "The day / 这一天", body = Day),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn day(
    State(shared): State<Arc<Shared>>,
    Path(agent_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Day>, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_DAY])?;
    native::check_id("agent_id", &agent_id).map_err(|fault| Unanswered::bad("agent_id", fault.to_string()))?;
    let zone = shared.config.utc_offset;
    let day = match parameters.given().get("day") {
        Some(text) => read_day(text)?,
        None => clock::wall_now(zone).date_naive(),
    };
    let monday = day - TimeDelta::days(i64::from(day.weekday().num_days_from_monday()));
    let first = monday - TimeDelta::weeks(WEEKS - 1);
    let span = Span { from_ms: begin_ms(first, zone), to_ms: begin_ms(day + TimeDelta::days(1), zone) };
    let mut calls = shared.store.own_calls(agent_id.clone(), span, OWN_CALLS_MAX + 1).await?;
    let truncated = calls.len() > OWN_CALLS_MAX;
    calls.drain(..calls.len().saturating_sub(OWN_CALLS_MAX));
    let date = |call: &OwnCall| {
        DateTime::from_timestamp_millis(call.started_ms).map(|time| time.with_timezone(&zone).date_naive())
    };
    let of_days = |from: NaiveDate, days: i64| {
        let within = |call: &&OwnCall| {
            date(call).is_some_and(|date| (0..days).contains(&date.signed_duration_since(from).num_days()))
        };
        own_scores(&shared, from, calls.iter().filter(within))
    };
    let weeks = (0..WEEKS).map(|week| of_days(first + TimeDelta::weeks(week), 7)).collect();
    let total = of_days(day, 1);
    let duties = duties(&shared, calls.iter().filter(|call| date(call) == Some(day)));
    let (streak, streak_best) = streaks(&calls);
    let of_day = Span { from_ms: begin_ms(day, zone), to_ms: span.to_ms };
    let own_help = |mut help: Help| {
        let (call_id, started_at) = (std::mem::take(&mut help.call_id), std::mem::take(&mut help.started_at));
        OwnHelp { help: HelpView::new(help, zone), call_id, started_at }
    };
    let helps = shared.store.helps_of(agent_id.clone(), of_day, HELPS_OF_DAY_MAX).await?;
    let helps = helps.into_iter().map(own_help).collect();
    let agent = AgentView::of(&shared, &agent_id);
    let (day, utc_offset) = (day.to_string(), zone.to_string());
    Ok(Json(Day { agent_id, agent, day, total, weeks, duties, helps, streak, streak_best, truncated, utc_offset }))
}

fn read_day(text: &str) -> Result<NaiveDate, BadQuery> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|day| (1970..9999).contains(&day.year()));
    day.ok_or_else(|| BadQuery::new("day", "day 应为日期（2026-11-21） / day must be a day (2026-11-21)"))
}

fn begin_ms(day: NaiveDate, zone: FixedOffset) -> Option<i64> {
    zone.from_local_datetime(&day.and_time(NaiveTime::MIN)).single().map(|time| time.timestamp_millis())
}

fn own_scores<'a>(shared: &Shared, from: NaiveDate, calls: impl Iterator<Item = &'a OwnCall>) -> OwnScores {
    let (mut total, mut clean) = (Total::default(), 0);
    for OwnCall { deductions, .. } in calls {
        total.add(&score(&shared.config.score, deductions), deductions.len());
        clean += u64::from(deductions.is_empty());
    }
    OwnScores { scores: total.view(Some(from.to_string()), AgentView::default()), clean }
}

fn duties<'a>(shared: &Shared, calls: impl Iterator<Item = &'a OwnCall>) -> Vec<DutyCount> {
    let mut by_rule: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for duty in calls.flat_map(|call| &call.duties) {
        let (said, missed) = by_rule.entry(&duty.rule_id).or_default();
        *said += u64::from(duty.said);
        *missed += u64::from(duty.missed);
    }
    let rules = shared.rules();
    let name = |rule_id: &str| rules.rules.iter().find(|rule| rule.id == rule_id).map(|rule| rule.name.clone());
    let count = |(rule_id, (said, missed)): (&str, (u64, u64))| DutyCount {
        rule_id: rule_id.to_owned(),
        rule_name: name(rule_id),
        said,
        missed,
    };
    let mut counts: Vec<_> = by_rule.into_iter().map(count).collect();
    counts.sort_by_key(|duty| std::cmp::Reverse(duty.said));
    counts
}

/// Calls in a row without a deduction: the latest ones, and the most.
fn streaks(calls: &[OwnCall]) -> (u64, u64) {
    calls.iter().fold((0, 0), |(streak, best), call| {
        let streak = if call.deductions.is_empty() { streak + 1 } else { 0 };
        (streak, best.max(streak))
    })
}

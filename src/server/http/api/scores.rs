//! Scores by agent, team or day.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::server::clock::wall_time;
use crate::server::domain::refusal::ErrorMessage;
use crate::server::domain::score::{Deduction, Scoring, score};
use crate::server::filter::{AGENT, FROM, HOUR, Parameter, Parameters, QUEUE, Shape, TO};
use crate::server::http::api::page::About;
use crate::server::http::openapi::ScoreParameters;
use crate::server::net::reply::Unanswered;
use crate::server::runtime::Shared;
use crate::server::store::{CallFilter, TotalledCall};

/// Scores of several calls together.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Scores {
    /// `agent`, `team` or `day`.
    group: &'static str,
    scores: Vec<ScoreView>,
    from: Option<String>,
    to: Option<String>,
    utc_offset: String,
}

/// The scores of one agent, team or day.
#[derive(Debug, Serialize, ToSchema)]
struct ScoreView {
    /// The agent, the queue (null: calls without one) or the day.
    key: Option<String>,
    calls: u64,
    /// The mean score of the calls, rounded to hundredths.
    mean: f64,
    /// The mean lies within so much of it, in 95 of 100 cases; null for a single call.
    margin: Option<f64>,
    min: u32,
    /// Calls with 0 by one vote.
    vetoed: u64,
    /// Confirmed alerts.
    alerts: u64,
}

/// Scores by agent, team (queue) or day.
#[utoipa::path(get, path = "/v1/scores", tag = "qa", params(ScoreParameters), responses(
    (status = 200, description = "One row a group / 每组一行", body = Scores),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn scores(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Scores>, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_SCORES])?;
    let group = parameters
        .choice("group", &[("agent", Group::Agent), ("team", Group::Team), ("day", Group::Day)])?
        .unwrap_or(Group::Agent);
    let zone = shared.config.utc_offset;
    let mut filter = CallFilter { is_live: Some(false), ..parameters.calls(zone)? };
    // An agent's score may rest on a call that another one answered.
    let agent_id = filter.agent_id.take();
    let span = filter.span;
    let config = shared.config.score.clone();
    let add = move |groups: &mut BTreeMap<Option<String>, Total>, call: &TotalledCall| {
        for (agent, deductions) in units(call, group, agent_id.as_deref()) {
            let key = match group {
                Group::Agent => Some(agent.to_owned()),
                Group::Team => call.queue.clone(),
                Group::Day => wall_time(call.started_ms, zone).map(|time| time.chars().take(DAY_CHARS).collect()),
            };
            groups.entry(key).or_default().add(&score(&config, deductions.iter().copied()), deductions.len());
        }
    };
    let groups = shared.store.totals(filter, add).await?;
    let scores = groups.into_iter().map(|(key, total)| total.view(key)).collect();
    let About { from, to, utc_offset, .. } = About::new(span, zone, None);
    Ok(Json(Scores { group: group.name(), scores, from, to, utc_offset }))
}

/// The parameters of scores.
pub(crate) const OF_SCORES: &[Parameter] = &[GROUP, FROM, TO, AGENT, QUEUE, HOUR];
const GROUP: Parameter = Parameter::new(
    "group",
    "By what, agent unless said / 按什么分组，默认按坐席",
    Shape::Names(&["agent", "team", "day"]),
);

/// `2026-11-21`.
const DAY_CHARS: usize = 10;

/// By what scores are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Agent,
    Team,
    Day,
}

impl Group {
    const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Team => "team",
            Self::Day => "day",
        }
    }
}

/// Splits a call into the parts that are scored: the whole call, or one part an agent if scores are
/// asked for by agent. Returns each part's agent and deductions.
fn units<'a>(call: &'a TotalledCall, group: Group, agent_id: Option<&str>) -> Vec<(&'a str, Vec<&'a Deduction>)> {
    if group != Group::Agent && agent_id.is_none() {
        return vec![(&call.agent_id, call.deductions.iter().collect())];
    }
    let mut parts = BTreeMap::from([(call.agent_id.as_str(), Vec::new())]);
    for deduction in &call.deductions {
        parts.entry(&deduction.agent_id).or_insert_with(Vec::new).push(deduction);
    }
    parts.into_iter().filter(|(agent, _)| agent_id.is_none_or(|wanted| wanted == *agent)).collect()
}

/// 95 % of a normal distribution are within so many standard deviations.
const NORMAL_95: f64 = 1.96;

/// Scores put together.
#[derive(Debug, Default)]
struct Total {
    calls: u64,
    sum: u64,
    squares: u64,
    min: Option<u32>,
    vetoed: u64,
    alerts: u64,
}

impl Total {
    fn add(&mut self, scoring: &Scoring, alerts: usize) {
        self.calls += 1;
        self.sum += u64::from(scoring.score);
        self.squares += u64::from(scoring.score).pow(2);
        self.min = Some(self.min.map_or(scoring.score, |min| min.min(scoring.score)));
        self.vetoed += u64::from(!scoring.vetoed_by.is_empty());
        self.alerts += alerts as u64;
    }

    #[allow(clippy::cast_precision_loss, reason = "no site has 2^53 points")]
    fn view(self, key: Option<String>) -> ScoreView {
        let Self { calls, sum, squares, min, vetoed, alerts } = self;
        let hundredths = |value: f64| (value * 100.0).round() / 100.0;
        let (count, sum) = (calls.max(1) as f64, sum as f64);
        let mean = hundredths(sum / count);
        let margin = (calls > 1).then(|| {
            let variance = (squares as f64 - sum * sum / count).max(0.0) / (count - 1.0);
            hundredths(NORMAL_95 * (variance / count).sqrt())
        });
        ScoreView { key, calls, mean, margin, min: min.unwrap_or_default(), vetoed, alerts }
    }
}

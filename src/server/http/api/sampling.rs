//! Samples of the weeks: what was given to whom, how far it has come, what it says of the rules and of the reviewers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::rejection::StringRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use chrono::{DateTime, FixedOffset, NaiveDate};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::server::clock::{unix_ms, wall_time};
use crate::server::config::check_person;
use crate::server::domain::estimate::{Agreement, Estimate, Looked, Pairs, ratio};
use crate::server::domain::principal::{AccessRole, Principal};
use crate::server::domain::refusal::{ErrorMessage, NotGiven, Refusal};
use crate::server::domain::review::{Action, check_reason};
use crate::server::filter::{AGENT, BadQuery, CURSOR, FROM, LIMIT, Parameter, Parameters, Shape, TEAM, TO};
use crate::server::http::api::alerts::{AlertView, view};
use crate::server::http::api::body::{parse, read};
use crate::server::http::api::page::{About, next_cursor};
use crate::server::http::api::roster::AgentView;
use crate::server::http::openapi::{AssignmentParameters, SamplingParameters};
use crate::server::net::reply::{self, Unanswered};
use crate::server::runtime::Shared;
use crate::server::runtime::sampling::{draw, week_of};
use crate::server::store::{Assignment, AssignmentFilter, NewVerdict, Place, Progress, Sampled, Span};

/// The parameters of a list of assignments.
pub(crate) const OF_ASSIGNMENTS: &[Parameter] = &[REVIEWER, DONE, KIND, AGENT, TEAM, LIMIT, CURSOR];
const REVIEWER: Parameter =
    Parameter::new("reviewer", "Given to this person; the caller unless said / 分给谁的，默认是自己", Shape::Text);
const DONE: Parameter = Parameter::new(
    "done",
    "Only those that are done, or only the others / 只要完成的，或只要没完成的",
    Shape::Names(&["true", "false"]),
);
const KIND: Parameter = Parameter::new("kind", "What was drawn / 抽的是什么", Shape::Names(&["alert", "held", "call"]));
/// The parameters of what samples say.
pub(crate) const OF_SAMPLING: &[Parameter] = &[FROM, TO];

/// The samples that an export asks for: of everybody, unless it names a reviewer.
pub(super) fn of_samples(parameters: &Parameters, zone: FixedOffset) -> Result<AssignmentFilter, BadQuery> {
    let reviewer = parameters.given().get("reviewer").cloned();
    if let Some(name) = &reviewer {
        check_person(name).map_err(|fault| BadQuery::new("reviewer", fault))?;
    }
    let kinds = Sampled::ALL.map(|sampled| (sampled.name(), sampled));
    Ok(AssignmentFilter {
        weeks: parameters.span(zone)?,
        reviewer,
        is_done: parameters.flag("done")?,
        sampled: parameters.choice("kind", &kinds)?,
        ..AssignmentFilter::default()
    })
}

/// A page of assignments.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Assignments {
    /// Those that are due first before the others.
    assignments: Vec<AssignmentView>,
    #[serde(flatten)]
    about: About,
}

/// Something that was drawn and given to a reviewer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AssignmentView {
    sample_no: i64,
    plan: String,
    /// The Monday of the week that it is from.
    week: Option<String>,
    /// `alert`, `held` or `call`.
    kind: &'static str,
    call_id: String,
    started_at: String,
    agent_id: String,
    #[serde(flatten)]
    agent: AgentView,
    queue: Option<String>,
    stratum: String,
    /// How many of its stratum it stands for.
    weight: f64,
    reviewer: String,
    /// Judged a second time; the first verdict is not shown.
    second: bool,
    due_at: Option<String>,
    overdue: bool,
    done: bool,
    done_at: Option<String>,
    /// `confirm` or `dismiss` of a second look, `read` of a call, else where the alert stands.
    verdict: Option<String>,
    /// Null of a call.
    alert: Option<AlertView>,
}

/// What was given to the caller, or to somebody else.
#[utoipa::path(get, path = "/v1/assignments", tag = "qa", params(AssignmentParameters), responses(
    (status = 200, description = "One page / 一页任务", body = Assignments),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn assignments(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
) -> Result<Json<Assignments>, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_ASSIGNMENTS])?;
    let reviewer = match parameters.given().get("reviewer") {
        Some(name) => {
            let message = "reviewer 要是一个人的姓名 / reviewer is the name of a person";
            check_person(name).map_err(|_| BadQuery::new("reviewer", message))?;
            name.clone()
        }
        None => principal.person(None)?.name,
    };
    let kinds = Sampled::ALL.map(|sampled| (sampled.name(), sampled));
    let filter = AssignmentFilter {
        weeks: Span::default(),
        reviewer: Some(reviewer.clone()),
        is_done: parameters.flag("done")?,
        sampled: parameters.choice("kind", &kinds)?,
        agent_id: parameters.id("agent_id")?,
        team: parameters.id("team")?,
    };
    let page = parameters.page(&format!("assignments of {reviewer}"), shared.store_id)?;
    let mut found = shared.store.assignments(filter, page.behind, page.count + 1).await?;
    let place = |found: &Assignment| Place { ms: found.due_ms, no: found.sample_no };
    let next_cursor = next_cursor(&mut found, page.count, page.list, place);
    let views = found.into_iter().map(|found| assignment_view(&shared, &principal, found));
    let assignments = views.collect::<Result<_, _>>()?;
    Ok(Json(Assignments { assignments, about: About::new(Default::default(), shared.config.utc_offset, next_cursor) }))
}

pub(super) fn assignment_view(
    shared: &Shared,
    principal: &Principal,
    found: Assignment,
) -> Result<AssignmentView, Refusal> {
    let own = principal.name.as_deref();
    let zone = shared.config.utc_offset;
    let is_done = found.verdict.is_some();
    // Until it is judged, a second look shows nothing of the first, to anybody but those who gave it.
    let is_blind = found.is_second && !is_done && own.is_none_or(|own| own == found.reviewer);
    let alert = found.alert.map(|alert| view(shared, principal, alert)).transpose()?;
    let alert = alert.map(|alert| if is_blind { alert.without_review() } else { alert });
    #[allow(clippy::cast_precision_loss, reason = "no week has 2^53 calls")]
    let weight = (found.population as f64 / found.drawn.max(1) as f64 * 100.0).round() / 100.0;
    Ok(AssignmentView {
        sample_no: found.sample_no,
        plan: found.plan,
        week: day(found.week_ms, zone),
        kind: found.sampled.name(),
        call_id: found.call_id,
        started_at: found.started_at,
        agent: AgentView::of(shared, &found.agent_id),
        agent_id: found.agent_id,
        queue: found.queue,
        stratum: found.stratum,
        weight,
        reviewer: found.reviewer,
        second: found.is_second,
        due_at: wall_time(found.due_ms, zone),
        overdue: !is_done && found.due_ms < unix_ms(),
        done: is_done,
        done_at: found.done_ms.and_then(|ms| wall_time(ms, zone)),
        verdict: found.verdict,
        alert,
    })
}

fn day(ms: i64, zone: FixedOffset) -> Option<String> {
    Some(DateTime::from_timestamp_millis(ms)?.with_timezone(&zone).date_naive().to_string())
}

/// A verdict on what was given.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SampleVerdict {
    /// `confirm` or `dismiss` of a second look, `read` of a call; other alerts are reviewed.
    verdict: SampleAnswer,
    /// Needed for `dismiss`.
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// The reviewer's name, where there are no tokens.
    #[schema(max_length = 64)]
    by: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SampleAnswer {
    Confirm,
    Dismiss,
    Read,
}

/// Judges a second look, or tells that a call was read whole.
#[utoipa::path(post, path = "/v1/assignments/{sample_no}", tag = "qa", params(
    ("sample_no" = i64, Path, description = "Which / 哪一个"),
), request_body = SampleVerdict, responses(
    (status = 200, description = "It is kept / 已记下", body = Object),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 403, description = "It was given to somebody else / 分给了别人", body = ErrorMessage),
    (status = 404, description = "No such sample / 没有这个任务", body = ErrorMessage),
    (status = 409, description = "It was decided before / 已经做过了", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn decide(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(sample_no): Path<String>,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let body = body?;
    let sample_no: i64 = sample_no.parse().map_err(|_| Refusal::NotGiven(NotGiven::Unknown))?;
    let invalid = |reason: String| Refusal::InvalidReview { reason };
    let SampleVerdict { verdict, reason, by } = parse(&body).map_err(|fault| invalid(fault.message))?;
    let (name, reason) = match verdict {
        SampleAnswer::Confirm => ("confirm", check_reason(Action::Confirm, reason).map_err(invalid)?),
        SampleAnswer::Dismiss => ("dismiss", check_reason(Action::Dismiss, reason).map_err(invalid)?),
        SampleAnswer::Read => ("read", check_reason(Action::Confirm, reason).map_err(invalid)?),
    };
    let reason = reason.map(|reason| crate::engine::privacy::mask(&reason).into_owned());
    let who = principal.person(by.as_deref())?;
    let new = NewVerdict { sample_no, who, verdict: name, reason, at_ms: unix_ms() };
    match shared.journal.decide_sample(new).await?.map_err(Refusal::store)? {
        Ok(()) => Ok(reply::json(StatusCode::OK, &json!({"sample_no": sample_no, "verdict": name}))),
        Err(why) => Err(Refusal::NotGiven(why).into()),
    }
}

/// What samples say.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sampling {
    /// By plan, week and reviewer, the latest week first.
    progress: Vec<ProgressView>,
    /// By rule, from the weights of the samples.
    rules: Vec<SampledRule>,
    /// How far first and second looks agree, by both reviewers.
    reviewers: Vec<ReviewersAgree>,
    /// Calls that were read whole.
    calls_read: u64,
    from: Option<String>,
    to: Option<String>,
    utc_offset: String,
}

/// How far a plan has come in a week, for one reviewer.
#[derive(Debug, Serialize, ToSchema)]
struct ProgressView {
    plan: String,
    week: Option<String>,
    reviewer: String,
    given: i64,
    done: i64,
    overdue: i64,
}

/// What samples say of a rule.
#[derive(Debug, Serialize, ToSchema)]
struct SampledRule {
    rule_id: String,
    /// Of its told alerts, how many are right; null without one that was judged.
    precision: Option<Estimate>,
    /// Alerts that this rests on.
    judged: u64,
    /// Of the violations of it in calls, how many it found; null without one.
    recall: Option<Estimate>,
    /// Violations that this rests on: found, and missed.
    found: u64,
    missed: u64,
    /// How far first and second looks agree on it.
    agreement: Option<Agreement>,
}

/// How far two reviewers agree.
#[derive(Debug, Serialize, ToSchema)]
struct ReviewersAgree {
    first: String,
    second: String,
    #[serde(flatten)]
    agreement: Agreement,
}

/// Progress of the plans, precision and recall by rule, agreement of reviewers, from the weeks that begin in a span.
#[utoipa::path(get, path = "/v1/sampling", tag = "qa", params(SamplingParameters), responses(
    (status = 200, description = "What the samples say / 抽检结果", body = Sampling),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn sampling(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Sampling>, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_SAMPLING])?;
    let zone = shared.config.utc_offset;
    let weeks = parameters.span(zone)?;
    let progress = shared.store.sampling_progress(weeks, unix_ms()).await?;
    let judgement = shared.store.judgement(weeks).await?;
    let rule_ids: BTreeSet<&String> =
        judgement.precision.keys().chain(judgement.recall.keys()).chain(judgement.by_rule.keys()).collect();
    let looked = |of: &BTreeMap<String, Vec<Looked>>, rule: &String| of.get(rule).cloned().unwrap_or_default();
    let rules = rule_ids.into_iter().map(|rule_id| {
        let (precision, recall) = (looked(&judgement.precision, rule_id), looked(&judgement.recall, rule_id));
        let sums = |strata: &[Looked]| {
            let units = strata.iter().flat_map(|stratum| &stratum.units);
            units.fold((0, 0), |(whole, part), unit| (whole + u64::from(unit.0), part + u64::from(unit.1)))
        };
        let (violations, found) = sums(&recall);
        SampledRule {
            rule_id: rule_id.clone(),
            precision: ratio(&precision),
            judged: sums(&precision).0,
            recall: ratio(&recall),
            found,
            missed: violations - found,
            agreement: judgement.by_rule.get(rule_id).copied().and_then(Pairs::agreement),
        }
    });
    let rules = rules.collect();
    let agree = |((first, second), pairs): (&(String, String), &Pairs)| {
        let (first, second) = (first.clone(), second.clone());
        pairs.agreement().map(|agreement| ReviewersAgree { first, second, agreement })
    };
    let reviewers = judgement.by_reviewer.iter().filter_map(agree).collect();
    let progress = progress.into_iter().map(|Progress { plan, week_ms, reviewer, given, done, overdue }| {
        ProgressView { plan, week: day(week_ms, zone), reviewer, given, done, overdue }
    });
    let progress = progress.collect();
    let About { from, to, utc_offset, .. } = About::new(weeks, zone, None);
    Ok(Json(Sampling { progress, rules, reviewers, calls_read: judgement.calls_read, from, to, utc_offset }))
}

/// A week to draw for.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct WantedDraw {
    /// A name of `[[review.plans]]`.
    plan: String,
    /// A day of the week: `2026-11-21`.
    week: String,
}

/// Draws for a plan and a week that is over, which a server does by itself for the last one: from all calls that are in, or
/// from those that came in since the draw before.
#[utoipa::path(post, path = "/v1/sampling/draws", tag = "qa", request_body = WantedDraw, responses(
    (status = 200, description = "How many samples; null: it was drawn before, and nothing that makes one came in since / 抽了多少；抽过而且没有补到够抽的，为 null", body = Object),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn draw_now(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let body = body?;
    let WantedDraw { plan, week } = read(&body)?;
    let plans = &shared.config.review.plans;
    let Some(plan) = plans.iter().find(|known| known.name == plan) else {
        return Err(Unanswered::in_body("plan", "配置里没有这个抽检计划 / no such plan in [[review.plans]]"));
    };
    let zone = shared.config.utc_offset;
    let week = week.parse::<NaiveDate>().ok().and_then(|day| week_of(day, zone));
    let week = week.filter(|week| week.to_ms.is_some_and(|to_ms| to_ms <= unix_ms()));
    let week = week.ok_or_else(|| {
        Unanswered::in_body(
            "week",
            "week 要是已经过完的一周里的一天（2026-11-21） / week is a day of a week that is over (2026-11-21)",
        )
    })?;
    let samples = draw(&shared, plan, week, unix_ms(), principal.asker(&[AccessRole::Admin])).await?;
    Ok(reply::json(StatusCode::OK, &json!({"plan": plan.name, "samples": samples})))
}

//! Violations that the rules missed, marked by a reviewer in a call that is over: `docs/api.md` has the form.
//!
//! Deliberately absent: marks in a call in progress (its alerts may still change), and edits of a mark. Who marked too
//! much dismisses it.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::rejection::StringRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::adapter::alert_json::AlertJson;
use crate::adapter::schema;
use crate::engine::alert::{AlertState, Evidence};
use crate::engine::severity::{AlertKind, Severity};
use crate::engine::transcript::Role;
use crate::server::clock::{unix_ms, wall_time};
use crate::server::config::{CALL_ALERTS_MAX, CALL_EVENTS_MAX};
use crate::server::domain::principal::Principal;
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::domain::review::{Action, Impossible};
use crate::server::domain::terms::Display;
use crate::server::http::api::alerts::{AlertView, view};
use crate::server::http::api::body::read;
use crate::server::http::api::calls::said;
use crate::server::http::api::query::started_at;
use crate::server::http::api::reviews::step;
use crate::server::net::reply::{self, Unanswered};
use crate::server::runtime::Shared;
use crate::server::runtime::review;
use crate::server::store::{AlertFilter, AlertRow, CallQuery, CallRecord, FoundCall, NewMark, Order};

/// Before the category of a violation that no rule is about, as its rule; and the pack of all of them.
const PACK: &str = "marked";
/// Characters of a long utterance that stay on either side of the marked ones.
const AROUND_CHARS: usize = 200;

/// Words that a reviewer marks.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Mark {
    utterance_id: String,
    /// Where the words begin in the utterance as the call shows it, in Unicode scalar values.
    start: usize,
    /// Where they end, exclusive.
    end: usize,
    /// The rule that missed them;
    rule_id: Option<String>,
    /// or the kind of violation, of `[review] categories`, where no rule is about it.
    category: Option<String>,
    /// That of the rule unless said; `warning` for a category.
    #[schema(value_type = Option<schema::Severity>)]
    severity: Option<Severity>,
    #[schema(max_length = 500)]
    note: Option<String>,
    /// The reviewer's name, where there are no tokens.
    #[schema(max_length = 64)]
    by: Option<String>,
}

/// The rules and categories that a reviewer may mark words with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Kinds {
    /// The rules in force.
    rules: Vec<RuleKind>,
    categories: Vec<String>,
}

/// A rule that words may be marked as a violation of.
#[derive(Debug, Serialize, ToSchema)]
struct RuleKind {
    rule_id: String,
    rule_name: String,
    pack: String,
    #[schema(value_type = schema::Severity)]
    severity: Severity,
    deduct: u32,
}

/// The rules and categories that words in a call may be marked as violations of.
#[utoipa::path(get, path = "/v1/marks/kinds", tag = "qa", responses(
    (status = 200, description = "Rules and categories / 规则和类别", body = Kinds),
))]
pub(crate) async fn kinds(State(shared): State<Arc<Shared>>) -> Json<Kinds> {
    let rules = shared.rules();
    let rules = rules.rules.iter().map(|rule| RuleKind {
        rule_id: rule.id.clone(),
        rule_name: rule.name.clone(),
        pack: rule.pack.clone(),
        severity: rule.severity,
        deduct: rule.deduct,
    });
    Json(Kinds { rules: rules.collect(), categories: shared.config.review.categories.clone() })
}

/// Marks words of a call that is over as a violation that the rules missed: an alert from then on.
#[utoipa::path(post, path = "/v1/calls/{call_id}/marks", tag = "qa", params(
    ("call_id" = String, Path, description = "Which call / 哪一通"),
    ("started_at" = Option<String>, Query, description = "When it was answered, where its id was used again / 同一 call_id 用过多次时指定接通时间"),
), request_body = Mark, responses(
    (status = 201, description = "The alert that it is now / 由此产生的预警", body = AlertView),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 404, description = "No such call / 没有这通通话", body = ErrorMessage),
    (status = 409, description = "Not possible: already_marked, call_in_progress / 现在不能这样做", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn mark(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(call_id): Path<String>,
    RawQuery(query): RawQuery,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let body = body?;
    let started_ms = started_at(query.as_deref())?;
    let mark: Mark = read(&body)?;
    let (taken, who) = step(&principal, Action::Mark, mark.note.clone(), mark.by.as_deref())?;
    let query =
        CallQuery { call_id, started_ms, with_held: false, events_max: CALL_EVENTS_MAX, alerts_max: CALL_ALERTS_MAX };
    let CallRecord { call, events, alerts, .. } = shared.store.call_record(query).await?.ok_or(Refusal::NoSuchCall)?;
    let kind = Kind::of(&shared, &mark)?;
    let said = said(&call, &events, &mut []);
    let place = Place::find(&said, &call, &mark)?;
    let overlaps = |json: &str| {
        let alert: Option<AlertJson<'_>> = serde_json::from_str(json).ok();
        alert.is_some_and(|alert| alert.rule_id == kind.rule_id && place.overlaps(&alert.evidence))
    };
    if alerts.iter().any(|alert| alert.counts() && overlaps(&alert.json)) {
        return Err(Refusal::Impossible(Impossible::AlreadyMarked).into());
    }
    let started = DateTime::parse_from_rfc3339(&call.started_at).map_err(Refusal::store)?;
    let message = format!("人工标出：{}", place.words);
    let alert_id = alert_id(&call, &mark, &kind.rule_id);
    let alert = AlertJson {
        kind_of_message: Cow::Borrowed("alert"),
        alert_id: Cow::Borrowed(&alert_id),
        state: AlertState::Confirmed,
        call_id: Cow::Borrowed(&call.call_id),
        agent_id: Cow::Borrowed(&place.agent_id),
        rule_id: Cow::Borrowed(&kind.rule_id),
        rule_name: Cow::Borrowed(&kind.rule_name),
        pack: Cow::Borrowed(&kind.pack),
        rules_version: Cow::Borrowed(&call.rules_version),
        kind: kind.kind,
        severity: kind.severity,
        deduct: kind.deduct,
        clauses: Cow::Borrowed(&kind.clauses),
        at_ms: place.at_ms,
        due_ms: None,
        emitted_at: wall_time(unix_ms(), *started.offset()).unwrap_or_default(),
        evidence: Cow::Owned(vec![place.evidence()]),
        count: 1,
        message: Cow::Borrowed(&message),
        suggestion: kind.suggestion.as_deref().map(Cow::Borrowed),
        confidence: None,
        display: None,
    };
    let row = AlertRow {
        call_no: call.call_no,
        alert_id: alert_id.clone(),
        agent_id: place.agent_id.clone(),
        rule_id: kind.rule_id.clone(),
        pack: kind.pack.clone(),
        severity: kind.severity,
        deduct: kind.deduct,
        state: AlertState::Confirmed,
        said_ms: call.started_ms.saturating_add(place.at_ms),
        display: Display::Marked,
        json: alert.to_json().into(),
        webhooks: Vec::new(),
        made_ms: taken.at_ms,
    };
    let rules_version = call.rules_version.clone();
    review::mark(&shared, NewMark { row, rules_version, step: taken, who }).await?;
    let of_call = Arc::new(AlertFilter {
        call_no: Some(call.call_no),
        displays: vec![Display::Marked],
        ..AlertFilter::default()
    });
    let marked = shared.store.alerts(of_call, Order::NewestFirst, None, None, CALL_ALERTS_MAX).await?;
    let views = marked.into_iter().map(|found| view(&shared, &principal, found)).collect::<Result<Vec<_>, _>>()?;
    let made = views.into_iter().find(|view| view.alert.alert_id == *alert_id);
    Ok(reply::json(StatusCode::CREATED, &made.ok_or(Refusal::NoSuchCall)?))
}

/// The id depends on the rule and the words alone, so marking them twice marks one alert.
fn alert_id(call: &FoundCall, mark: &Mark, rule_id: &str) -> String {
    let Mark { utterance_id, start, end, .. } = mark;
    let parts = ["mark", &call.call_id, &call.started_at, utterance_id, &start.to_string(), &end.to_string(), rule_id];
    let hash = Sha256::digest(parts.join("\0"));
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The rule or the category that words are marked with.
struct Kind {
    rule_id: String,
    rule_name: String,
    pack: String,
    kind: AlertKind,
    severity: Severity,
    deduct: u32,
    clauses: Vec<String>,
    suggestion: Option<String>,
}

impl Kind {
    fn of(shared: &Shared, mark: &Mark) -> Result<Self, Unanswered> {
        match (&mark.rule_id, &mark.category) {
            (Some(rule_id), None) => {
                let rules = shared.rules();
                let rule = rules.rules.iter().find(|rule| rule.id == *rule_id).ok_or_else(|| {
                    Unanswered::in_body("rule_id", "现行规则里没有这条 / no such rule in force; see /v1/marks/kinds")
                })?;
                Ok(Self {
                    rule_id: rule.id.clone(),
                    rule_name: rule.name.clone(),
                    pack: rule.pack.clone(),
                    kind: rule.kind,
                    severity: mark.severity.unwrap_or(rule.severity),
                    deduct: rule.deduct,
                    clauses: rule.clauses.clone(),
                    suggestion: rule.suggestion.clone(),
                })
            }
            (None, Some(category)) => {
                let review = &shared.config.review;
                if !review.categories.contains(category) {
                    let all = review.categories.join(", ");
                    return Err(Unanswered::in_body(
                        "category",
                        format!("category 只能是：{all} / category must be one of: {all}"),
                    ));
                }
                let severity = mark.severity.unwrap_or_default();
                Ok(Self {
                    rule_id: format!("{PACK}.{category}"),
                    rule_name: category.clone(),
                    pack: PACK.to_owned(),
                    kind: AlertKind::Forbidden,
                    severity,
                    deduct: review.category_deduct.of(severity),
                    clauses: Vec::new(),
                    suggestion: None,
                })
            }
            _ => Err(Unanswered::in_body(
                "rule_id",
                "rule_id 和 category 写其中一个 / give rule_id or category, one of them",
            )),
        }
    }
}

/// The marked words in their call.
struct Place {
    utterance_id: String,
    role: Role,
    /// The agent who had the call at that moment.
    agent_id: String,
    at_ms: i64,
    /// The utterance, or the part of it around the words, and how many characters stand before that part.
    text: String,
    offset: usize,
    start: usize,
    end: usize,
    words: String,
}

impl Place {
    fn find(said: &[Value], call: &FoundCall, mark: &Mark) -> Result<Self, Unanswered> {
        let Mark { utterance_id, start, end, .. } = mark;
        // A correction stands behind what it replaces.
        let utterance = said.iter().rev().find(|event| event["utterance_id"] == **utterance_id);
        let utterance = utterance
            .ok_or_else(|| Unanswered::in_body("utterance_id", "通话里没有这一句 / no such utterance in the call"))?;
        let characters: Vec<char> = utterance["text"].as_str().unwrap_or_default().chars().collect();
        if !(start < end && *end <= characters.len()) {
            let message =
                format!("start 小于 end，end 最多 {0} / start is less than end, end at most {0}", characters.len());
            return Err(Unanswered::in_body("end", message));
        }
        let role = serde_json::from_value(utterance["role"].clone()).map_err(Refusal::store)?;
        let at_ms = utterance["start_ms"].as_i64().unwrap_or_default();
        let handover = |event: &&Value| {
            event["type"] == "call.transfer_answered" && event["at_ms"].as_i64().is_some_and(|at| at <= at_ms)
        };
        let mut handovers = said.iter().filter(handover).filter_map(|event| event["agent_id"].as_str());
        let agent_id = handovers.next_back().unwrap_or(&call.agent_id).to_owned();
        let from = start.saturating_sub(AROUND_CHARS);
        let to = (end + AROUND_CHARS).min(characters.len());
        Ok(Self {
            utterance_id: utterance_id.clone(),
            role,
            agent_id,
            at_ms,
            text: characters[from..to].iter().collect(),
            offset: from,
            start: *start,
            end: *end,
            words: characters[*start..(*end).min(start + AROUND_CHARS)].iter().collect(),
        })
    }

    fn evidence(&self) -> Evidence {
        Evidence {
            utterance_id: self.utterance_id.clone(),
            role: self.role,
            text: self.text.clone(),
            start: self.start - self.offset,
            end: self.end - self.offset,
            phrase: self.words.clone(),
            homophone: false,
            offset: self.offset,
        }
    }

    fn overlaps(&self, evidence: &[Evidence]) -> bool {
        let places = evidence.iter().filter(|one| one.utterance_id == self.utterance_id);
        places
            .map(|one| (one.offset + one.start, one.offset + one.end))
            .any(|(start, end)| start < self.end && self.start < end)
    }
}

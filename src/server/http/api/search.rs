//! Search in what was said, over the index of the store.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::text::Homophone;
use crate::engine::transcript::Role;
use crate::server::clock::wall_time;
use crate::server::domain::phrase::SpokenPhrase;
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::filter::{AGENT, BadQuery, CURSOR, FROM, LIMIT, Parameter, Parameters, QUEUE, Shape, TEAM, TO};
use crate::server::http::api::page::About;
use crate::server::http::api::roster::AgentView;
use crate::server::http::openapi::SearchParameters;
use crate::server::net::reply::Unanswered;
use crate::server::runtime::Shared;
use crate::server::store::{FoundSpoken, Place, SpokenQuery};

/// The parameters of a search.
pub(crate) const OF_SEARCH: &[Parameter] = &[PHRASE, HOMOPHONE, ROLE, FROM, TO, AGENT, TEAM, QUEUE, LIMIT, CURSOR];
const PHRASE: Parameter =
    Parameter::new("phrase", "What was said: 2 to 50 characters / 说过的话，2 到 50 个字", Shape::Text);
const HOMOPHONE: Parameter = Parameter::new(
    "homophone",
    "How far the writing may differ: off, toneless (unless said; from three characters on), merged / 同音的程度，默认 toneless（三个字起）",
    Shape::Names(&["off", "toneless", "merged"]),
);
const ROLE: Parameter = Parameter::new("role", "Whose words / 谁说的", Shape::Names(&["agent", "customer", "system"]));

/// Utterances in which a phrase stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Hits {
    /// Those of calls that were closed last first. A page may have fewer than were asked for, and the next one more.
    hits: Vec<Hit>,
    /// Calls that are over and whose words are not searched yet.
    waiting: i64,
    #[serde(flatten)]
    about: About,
}

/// An utterance in which a phrase stands.
#[derive(Debug, Serialize, ToSchema)]
struct Hit {
    call_id: String,
    started_at: String,
    /// The agent who answered the call.
    agent_id: String,
    #[serde(flatten)]
    agent: AgentView,
    queue: Option<String>,
    utterance_id: String,
    /// `agent`, `customer` or `system`.
    role: String,
    start_ms: i64,
    said_at: Option<String>,
    /// Personal data masked.
    text: String,
    places: Vec<HitPlace>,
}

/// A place in a text, in Unicode scalar values, the end exclusive.
#[derive(Debug, Serialize, ToSchema)]
struct HitPlace {
    start: usize,
    end: usize,
}

/// What was said in calls that are over: a phrase, as rules fold it and hear it.
#[utoipa::path(get, path = "/v1/search", tag = "qa", params(SearchParameters), responses(
    (status = 200, description = "One page / 一页", body = Hits),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 409, description = "Words are encrypted in the store and not searched / 文字加密存储，不能搜", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn search(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Hits>, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_SEARCH])?;
    let zone = shared.config.utc_offset;
    let homophones = [("off", Homophone::Off), ("toneless", Homophone::Toneless), ("merged", Homophone::Merged)];
    let homophone = parameters.choice("homophone", &homophones)?.unwrap_or(Homophone::Toneless);
    let phrase = parameters.given().get("phrase").map(String::as_str).unwrap_or_default();
    let phrase = SpokenPhrase::new(phrase, homophone);
    let phrase = phrase.map_err(|fault| BadQuery::new("phrase", format!("phrase {fault}")))?;
    let roles = [("agent", Role::Agent), ("customer", Role::Customer), ("system", Role::System)];
    let query = SpokenQuery {
        phrase,
        role: parameters.choice("role", &roles)?,
        span: parameters.span(zone)?,
        agent_id: parameters.id("agent_id")?,
        team: parameters.id("team")?,
        queue: parameters.id("queue")?,
    };
    let page = parameters.page("search", shared.store_id)?;
    let span = query.span;
    let found = shared.store.spoken(query, page.behind.map(|place| place.no), page.count).await?;
    let found = found.ok_or(Refusal::NotSearchable)?;
    let next_cursor = found.more.map(|no| page.list.cursor(Place { ms: 0, no }));
    let hits = found.found.into_iter().map(|found| {
        let FoundSpoken {
            call_id,
            started_at,
            agent_id,
            queue,
            utterance_id,
            role,
            said_ms,
            start_ms,
            text,
            places,
            ..
        } = found;
        let places = places.into_iter().map(|(start, end)| HitPlace { start, end }).collect();
        let said_at = wall_time(said_ms, zone);
        let agent = AgentView::of(&shared, &agent_id);
        Hit { call_id, started_at, agent_id, agent, queue, utterance_id, role, start_ms, said_at, text, places }
    });
    Ok(Json(Hits { hits: hits.collect(), waiting: found.waiting, about: About::new(span, zone, next_cursor) }))
}

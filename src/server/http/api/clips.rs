//! Training clips: alerts and marked misses that reviewers collect under a title, with the words around them and the better
//! ones. Agents read those that are shared with them or their team, without whose call it was.

use std::sync::Arc;

use axum::extract::rejection::StringRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use chrono::FixedOffset;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::adapter::alert_json::AlertJson;
use crate::adapter::native;
use crate::adapter::schema;
use crate::engine::alert::Evidence;
use crate::engine::severity::Severity;
use crate::engine::transcript::Role;
use crate::server::clock::{unix_ms, wall_time};
use crate::server::config::{CALL_ALERTS_MAX, CALL_EVENTS_MAX};
use crate::server::domain::principal::{AccessRole, Principal};
use crate::server::domain::recording::{Recorded, Sound};
use crate::server::domain::refusal::{ErrorMessage, Refusal, Uncollected};
use crate::server::domain::review::REASON_CHARS_MAX;
use crate::server::filter::instant;
use crate::server::http::api::body::{read, remark, text};
use crate::server::http::api::calls::said;
use crate::server::http::api::names::{check_readers, strange_readers};
use crate::server::net::reply::{self, Unanswered};
use crate::server::runtime::Shared;
use crate::server::store::{
    AlertFilter, CLIPS_MAX, CallQuery, CallRecord, Clip, ClipChange, ClipReaders, Collection, NewClip, Order,
};

/// Characters of a title.
const TITLE_CHARS_MAX: usize = 100;
/// Names that one collection is shared with.
const READERS_MAX: usize = 200;
/// Utterances before and behind the one that a clip is about.
const AROUND: usize = 3;

/// The collections that the caller may read.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Collections {
    /// The one that was changed last first.
    collections: Vec<CollectionView>,
}

/// Clips under a title.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CollectionView {
    clip_no: i64,
    title: String,
    note: Option<String>,
    by: String,
    made_at: Option<String>,
    changed_at: Option<String>,
    /// Another one after each change.
    revision: i64,
    /// How many.
    count: i64,
    /// Who may read them beside reviewers; null for agents.
    share: Option<Share>,
}

/// Which agents may read a collection.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct Share {
    /// All of them.
    #[serde(default)]
    everybody: bool,
    /// Their ids.
    #[serde(default)]
    agents: Vec<String>,
    #[serde(default)]
    teams: Vec<String>,
}

/// A collection with its clips.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CollectionDetail {
    #[serde(flatten)]
    collection: CollectionView,
    clips: Vec<ClipView>,
    /// Agents and teams whom it is shared with and nobody knows; left out where there are none, and for agents.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<String>,
}

/// An alert as others learn from it.
#[derive(Debug, Serialize, ToSchema)]
struct ClipView {
    alert_id: String,
    rule_id: String,
    rule_name: String,
    #[schema(value_type = schema::Severity)]
    severity: Severity,
    message: String,
    /// The better words.
    suggestion: Option<String>,
    /// What the reviewer says of it.
    note: Option<String>,
    /// In the call.
    at_ms: i64,
    /// The call, its start and its agent; null for agents.
    call_id: Option<String>,
    started_at: Option<String>,
    agent_id: Option<String>,
    #[schema(value_type = Vec<schema::Evidence>)]
    evidence: Vec<Evidence>,
    /// The words around it, masked; none once they are no longer kept.
    words: Vec<ClipWords>,
    /// Where it can be heard; null where no recordings are configured.
    recording: Option<Sound>,
}

/// An utterance in or around a clip.
#[derive(Debug, Serialize, ToSchema)]
struct ClipWords {
    utterance_id: String,
    #[schema(value_type = schema::Role)]
    role: Role,
    start_ms: i64,
    text: String,
    /// The clip is about this one.
    is_hit: bool,
}

/// An alert that is meant.
#[derive(Debug, Deserialize, ToSchema)]
struct ClipRef {
    alert_id: String,
    call_id: String,
    started_at: String,
    #[schema(max_length = 500)]
    note: Option<String>,
}

/// A collection that is made, or what changes of one; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewCollection {
    /// Needed for a new one.
    #[schema(max_length = 100)]
    title: Option<String>,
    /// An empty one goes.
    #[schema(max_length = 500)]
    note: Option<String>,
    #[serde(default)]
    #[schema(max_items = 50)]
    add: Vec<ClipRef>,
    #[serde(default)]
    #[schema(max_items = 50)]
    remove: Vec<ClipRef>,
    share: Option<Share>,
    /// The revision that the reviewer saw; a change of an older one is refused.
    revision: Option<i64>,
    /// The whole collection goes; who made it and admins may.
    #[serde(default)]
    delete: bool,
    /// The reviewer's name, where there are no tokens.
    #[schema(max_length = 64)]
    by: Option<String>,
}

fn view(collection: Collection, zone: FixedOffset, for_agent: bool) -> CollectionView {
    let Collection { clip_no, title, note, by, made_ms, changed_ms, clips, readers } = collection;
    let ClipReaders { everybody, agents, teams } = readers;
    CollectionView {
        clip_no,
        title,
        note,
        by,
        made_at: wall_time(made_ms, zone),
        changed_at: wall_time(changed_ms, zone),
        revision: changed_ms,
        count: clips,
        share: (!for_agent).then_some(Share { everybody, agents, teams }),
    }
}

/// The collections; only those that an agent may read, if it is for one.
async fn list(shared: &Shared, agent_id: Option<&str>) -> Result<Collections, Refusal> {
    let team = agent_id.and_then(|agent_id| shared.roster.of(agent_id).team);
    let may =
        |collection: &Collection| agent_id.is_none_or(|agent_id| collection.readers.include(agent_id, team.as_deref()));
    let all = shared.store.collections(None).await?;
    let zone = shared.config.utc_offset;
    let collections = all.into_iter().filter(may).map(|one| view(one, zone, agent_id.is_some())).collect();
    Ok(Collections { collections })
}

async fn detail(shared: &Shared, clip_no: &str, agent_id: Option<&str>) -> Result<CollectionDetail, Refusal> {
    let unknown = Refusal::Uncollected(Uncollected::Unknown);
    let clip_no: i64 = clip_no.parse().map_err(|_| unknown.clone())?;
    let found = shared.store.collections(Some(clip_no)).await?.pop().ok_or(unknown.clone())?;
    if let Some(agent_id) = agent_id
        && !found.readers.include(agent_id, shared.roster.of(agent_id).team.as_deref())
    {
        return Err(unknown);
    }
    let unknown = match agent_id {
        Some(_) => Vec::new(),
        None => {
            let (agents, teams) = strange_readers(shared, &found.readers.agents, &found.readers.teams).await?;
            [teams, agents].concat()
        }
    };
    let mut clips = Vec::new();
    for clip in shared.store.clips(clip_no).await? {
        clips.extend(clip_view(shared, clip, agent_id.is_some()).await?);
    }
    Ok(CollectionDetail { collection: view(found, shared.config.utc_offset, agent_id.is_some()), clips, unknown })
}

/// A clip with the words around it; none if its alert is gone.
async fn clip_view(shared: &Shared, clip: Clip, for_agent: bool) -> Result<Option<ClipView>, Refusal> {
    let query = CallQuery {
        call_id: clip.call_id,
        started_ms: Some(clip.started_ms),
        with_held: true,
        events_max: CALL_EVENTS_MAX,
        alerts_max: CALL_ALERTS_MAX,
    };
    let Some(record) = shared.store.call_record(query).await? else { return Ok(None) };
    let CallRecord { call, events, alerts, .. } = record;
    let alerts = alerts.iter().filter_map(|alert| serde_json::from_str::<AlertJson<'static>>(&alert.json).ok());
    let Some(alert) = alerts.into_iter().find(|alert| alert.alert_id == *clip.alert_id) else { return Ok(None) };
    let words = around(&said(&call, &events, &mut []), &alert);
    let recorded = Recorded {
        call_id: &call.call_id,
        agent_id: &call.agent_id,
        queue: call.queue.as_deref(),
        started_at: &call.started_at,
        started_ms: call.started_ms,
    };
    let recording = shared.recordings.as_ref().map(|known| known.of(recorded, unix_ms()));
    let agent_id = (!for_agent).then(|| alert.agent_id.to_string());
    Ok(Some(ClipView {
        rule_id: alert.rule_id.into_owned(),
        rule_name: alert.rule_name.into_owned(),
        severity: alert.severity,
        message: alert.message.into_owned(),
        suggestion: alert.suggestion.map(std::borrow::Cow::into_owned),
        note: clip.note,
        at_ms: alert.at_ms,
        call_id: (!for_agent).then_some(call.call_id),
        started_at: (!for_agent).then_some(call.started_at),
        agent_id,
        alert_id: clip.alert_id,
        evidence: alert.evidence.into_owned(),
        words,
        recording,
    }))
}

/// The utterances of an alert and those around them; of one without words, those around its moment.
fn around(said: &[Value], alert: &AlertJson<'_>) -> Vec<ClipWords> {
    let mut spoken: Vec<ClipWords> = said
        .iter()
        .filter(|event| event["type"] == "utterance")
        .filter_map(|event| {
            let utterance_id = event["utterance_id"].as_str()?.to_owned();
            Some(ClipWords {
                is_hit: alert.evidence.iter().any(|one| one.utterance_id == utterance_id),
                utterance_id,
                role: serde_json::from_value(event["role"].clone()).ok()?,
                start_ms: event["start_ms"].as_i64()?,
                text: event["text"].as_str()?.to_owned(),
            })
        })
        .collect();
    spoken.sort_by_key(|one| one.start_ms);
    let before = || spoken.iter().rposition(|one| one.start_ms <= alert.at_ms).unwrap_or(0);
    let first = spoken.iter().position(|one| one.is_hit).unwrap_or_else(before);
    let last = spoken.iter().rposition(|one| one.is_hit).unwrap_or(first);
    let from = first.saturating_sub(AROUND);
    // Words far apart are not all that lies between.
    let to = (last + AROUND + 1).min(first + 4 * AROUND).min(spoken.len());
    spoken.drain(..from.min(to));
    spoken.truncate(to - from.min(to));
    spoken
}

/// Collections of training clips, the one that was changed last first.
#[utoipa::path(get, path = "/v1/clips", tag = "qa", responses(
    (status = 200, description = "The collections / 培训片段集", body = Collections),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn clips(State(shared): State<Arc<Shared>>) -> Result<Json<Collections>, Unanswered> {
    Ok(Json(list(&shared, None).await?))
}

/// One collection with its clips.
#[utoipa::path(get, path = "/v1/clips/{clip_no}", tag = "qa", params(
    ("clip_no" = i64, Path, description = "Which / 哪一个"),
), responses(
    (status = 200, description = "The clips / 片段", body = CollectionDetail),
    (status = 404, description = "No such collection / 没有这个片段集", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn one(
    State(shared): State<Arc<Shared>>,
    Path(clip_no): Path<String>,
) -> Result<Json<CollectionDetail>, Unanswered> {
    Ok(Json(detail(&shared, &clip_no, None).await?))
}

/// The collections that are shared with an agent or their team.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/clips", tag = "qa", params(
    ("agent_id" = String, Path, description = "Whose / 坐席"),
), responses(
    (status = 200, description = "The collections / 培训片段集", body = Collections),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn of_agent(
    State(shared): State<Arc<Shared>>,
    Path(agent_id): Path<String>,
) -> Result<Json<Collections>, Unanswered> {
    Ok(Json(list(&shared, Some(&agent_id)).await?))
}

/// A collection that is shared with an agent or their team; whose calls they were is left out.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/clips/{clip_no}", tag = "qa", params(
    ("agent_id" = String, Path, description = "Whose / 坐席"),
    ("clip_no" = i64, Path, description = "Which / 哪一个"),
), responses(
    (status = 200, description = "The clips / 片段", body = CollectionDetail),
    (status = 404, description = "No such collection for this agent / 没有给该坐席的这个片段集", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn one_of_agent(
    State(shared): State<Arc<Shared>>,
    Path((agent_id, clip_no)): Path<(String, String)>,
) -> Result<Json<CollectionDetail>, Unanswered> {
    Ok(Json(detail(&shared, &clip_no, Some(&agent_id)).await?))
}

/// The alert that is meant, as a clip.
async fn find(shared: &Shared, field: &str, given: ClipRef) -> Result<NewClip, Unanswered> {
    let started_ms = instant("started_at", &given.started_at).map_err(Unanswered::Field)?;
    for (name, id) in [("alert_id", &given.alert_id), ("call_id", &given.call_id)] {
        native::check_id(name, id).map_err(|fault| Unanswered::in_body(field, fault.to_string()))?;
    }
    let filter = AlertFilter {
        alert_id: Some(given.alert_id.clone()),
        call_id: Some(given.call_id),
        with_held: true,
        ..AlertFilter::default()
    };
    let found = shared.store.alerts(Arc::new(filter), Order::NewestFirst, None, None, CLIPS_MAX).await?;
    let started = |text: &str| chrono::DateTime::parse_from_rfc3339(text).map(|time| time.timestamp_millis());
    let found = found.into_iter().find(|alert| started(&alert.started_at) == Ok(started_ms));
    let found = found.ok_or(Refusal::UnknownAlert)?;
    let note = remark("note", given.note, REASON_CHARS_MAX)?;
    Ok(NewClip { call_no: found.call_no, alert_id: given.alert_id, note })
}

async fn keep(
    shared: &Shared,
    principal: &Principal,
    clip_no: Option<i64>,
    body: &str,
) -> Result<(StatusCode, Option<CollectionDetail>), Unanswered> {
    let new: NewCollection = read(body)?;
    let who = principal.person(new.by.as_deref())?;
    let title = text("title", new.title, TITLE_CHARS_MAX)?;
    if title.as_ref().is_some_and(String::is_empty) || (title.is_none() && clip_no.is_none()) {
        return Err(Unanswered::in_body("title", "要有标题 / a title is needed"));
    }
    if new.add.len().max(new.remove.len()) > CLIPS_MAX {
        return Err(Unanswered::in_body("add", format!("最多 {CLIPS_MAX} 条 / at most {CLIPS_MAX}")));
    }
    let readers = new.share.map(|Share { everybody, agents, teams }| ClipReaders { everybody, agents, teams });
    if let Some(readers) = &readers {
        let mut names = readers.agents.iter().chain(&readers.teams);
        if readers.agents.len() + readers.teams.len() > READERS_MAX
            || names.any(|name| native::check_id("share", name).is_err())
        {
            return Err(Unanswered::in_body(
                "share",
                format!("最多 {READERS_MAX} 个工号和班组 / at most {READERS_MAX} ids and teams"),
            ));
        }
    }
    if let Some(ClipReaders { agents, teams, .. }) = &readers {
        check_readers(shared, "share", agents, teams).await?;
    }
    let (mut add, mut remove) = (Vec::new(), Vec::new());
    for given in new.add {
        add.push(find(shared, "add", given).await?);
    }
    for given in new.remove {
        let NewClip { call_no, alert_id, .. } = find(shared, "remove", given).await?;
        remove.push((call_no, alert_id));
    }
    let note = text("note", new.note, REASON_CHARS_MAX)?;
    let change = ClipChange {
        clip_no,
        title,
        note,
        add,
        remove,
        readers,
        revision: new.revision,
        is_admin: principal.roles.contains(&AccessRole::Admin),
        is_removed: new.delete && clip_no.is_some(),
        who,
        at_ms: unix_ms(),
    };
    let is_removed = change.is_removed;
    let kept = shared.journal.keep_clips(change).await?.map_err(Refusal::store)?;
    let kept = kept.map_err(|why| Refusal::Uncollected(why.seen_in(shared.config.utc_offset)))?;
    if is_removed {
        return Ok((StatusCode::OK, None));
    }
    let status = if clip_no.is_none() { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Some(detail(shared, &kept.to_string(), None).await?)))
}

/// Makes a collection.
#[utoipa::path(post, path = "/v1/clips", tag = "qa", request_body = NewCollection, responses(
    (status = 201, description = "It is kept / 已记下", body = CollectionDetail),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 404, description = "No such alert / 没有这条预警", body = ErrorMessage),
    (status = 409, description = "Too many / 太多", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn make(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let (status, made) = keep(&shared, &principal, None, &body?).await?;
    Ok(reply::json(status, &made))
}

/// Changes a collection: its title and note, the alerts in it, who may read it; or removes it.
#[utoipa::path(post, path = "/v1/clips/{clip_no}", tag = "qa", params(
    ("clip_no" = i64, Path, description = "Which / 哪一个"),
), request_body = NewCollection, responses(
    (status = 200, description = "It is kept; null: it is removed / 已记下；已删除则为 null", body = CollectionDetail),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 403, description = "Somebody else made it: not_owner / 别人建的，不能删除", body = ErrorMessage),
    (status = 404, description = "No such collection or alert / 没有这个片段集或预警", body = ErrorMessage),
    (status = 409, description = "Too many, or changed meanwhile: changed / 太多，或别人改过", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn change(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(clip_no): Path<String>,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let body = body?;
    let clip_no = clip_no.parse().map_err(|_| Refusal::Uncollected(Uncollected::Unknown))?;
    let (status, kept) = keep(&shared, &principal, Some(clip_no), &body).await?;
    Ok(reply::json(status, &kept))
}

//! What supervisors do in calls: a word to the agent, taking a call, the way in, a flag for review; and how thresholds
//! stand.

use std::sync::Arc;

use axum::extract::rejection::StringRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use chrono::FixedOffset;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::engine::privacy;
use crate::engine::text::is_formatting;
use crate::server::clock::{unix_ms, wall_time};
use crate::server::config::{FLAGS_MAX, HELP_CHARS_MAX, MonitorMode};
use crate::server::domain::principal::Principal;
use crate::server::domain::recording::{Recorded, WayIn};
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::domain::review::REASON_CHARS_MAX;
use crate::server::domain::terms::Audited;
use crate::server::filter::Parameters;
use crate::server::http::api::body::{self, read};
use crate::server::http::api::query::started_at;
use crate::server::net::reply::{self, Unanswered};
use crate::server::runtime::Shared;
use crate::server::runtime::hands;
use crate::server::store::{CallQuery, Charge, Fact, Flag, FlaggedCall, Help, Supervision};

/// Words from a supervisor to the agent of a call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HelpView {
    help_id: String,
    agent_id: String,
    /// Who wrote them.
    by: String,
    /// Personal data masked.
    text: String,
    /// The time of the call's clock.
    at_ms: i64,
    at: Option<String>,
    /// When the agent said to have read them; null: not yet.
    read_at: Option<String>,
}

/// Who has taken a call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TakenView {
    by: String,
    at: Option<String>,
}

/// That somebody wants a call reviewed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlagView {
    flag_no: i64,
    by: String,
    note: Option<String>,
    at: Option<String>,
    /// Who reviewed it; null: nobody yet.
    done_by: Option<String>,
    done_at: Option<String>,
}

impl HelpView {
    pub(super) fn new(help: Help, zone: FixedOffset) -> Self {
        Self {
            help_id: help.help_no.to_string(),
            agent_id: help.agent_id,
            by: help.by,
            text: privacy::mask(&help.text).into_owned(),
            at_ms: help.clock_ms,
            at: wall_time(help.at_ms, zone),
            read_at: help.read_ms.and_then(|ms| wall_time(ms, zone)),
        }
    }
}

impl TakenView {
    fn new(charge: Charge, zone: FixedOffset) -> Self {
        Self { by: charge.by, at: wall_time(charge.at_ms, zone) }
    }
}

impl FlagView {
    fn new(flag: Flag, zone: FixedOffset) -> Self {
        let Flag { flag_no, by, note, at_ms, done } = flag;
        let (done_by, done_ms) = done.unzip();
        let done_at = done_ms.and_then(|ms| wall_time(ms, zone));
        Self { flag_no, by, note, at: wall_time(at_ms, zone), done_by, done_at }
    }
}

/// What supervisors did in a call, as its page shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SupervisionView {
    /// In their order.
    help: Vec<HelpView>,
    taken: Option<TakenView>,
    /// The latest one.
    flag: Option<FlagView>,
    /// The ways into it, while it is in progress.
    monitor: Vec<&'static str>,
}

impl SupervisionView {
    pub(super) fn new(shared: &Shared, supervision: Supervision, is_live: bool) -> Self {
        let zone = shared.config.utc_offset;
        let Supervision { helps, charge, flag } = supervision;
        let modes = shared.monitors.iter().filter(|_| is_live).flat_map(|monitors| monitors.modes());
        Self {
            help: helps.into_iter().map(|help| HelpView::new(help, zone)).collect(),
            taken: charge.map(|charge| TakenView::new(charge, zone)),
            flag: flag.map(|flag| FlagView::new(flag, zone)),
            monitor: modes.map(|mode| mode.name()).collect(),
        }
    }
}

/// Words to send to the agent of a call.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewHelpBody {
    #[schema(min_length = 1, max_length = 200)]
    text: String,
    /// The supervisor's name, where there are no tokens.
    #[schema(max_length = 64)]
    by: Option<String>,
}

/// Sends a written word to the agent of a call in progress: a card on the agent's panel, kept with the call.
#[utoipa::path(post, path = "/v1/calls/{call_id}/help", tag = "live", params(
    ("call_id" = String, Path, description = "Which call / 哪一通"),
    ("started_at" = Option<String>, Query, description = "When it was answered; refused if that is another call / 接通时间，不是这一通就拒绝"),
), request_body = NewHelpBody, responses(
    (status = 201, description = "It is kept and shown / 已保存并显示", body = HelpView),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 409, description = "Not in progress, or too many words: not_in_progress, too_many_helps / 不在进行中，或已经太多", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 429, description = "Too many in a minute: helps_too_fast / 一分钟里太多", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn help(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(call_id): Path<String>,
    RawQuery(query): RawQuery,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let NewHelpBody { text, by } = read(&body?)?;
    let text = text.trim();
    if !(1..=HELP_CHARS_MAX).contains(&text.chars().count()) || text.contains(|c: char| is_formatting(c) && c != '\n') {
        let message = format!(
            "text 要有 1 到 {HELP_CHARS_MAX} 字，没有控制字符 / text has 1 to {HELP_CHARS_MAX} characters and no control characters"
        );
        return Err(Unanswered::in_body("text", message));
    }
    let who = principal.person(by.as_deref())?;
    let call = hands::find_going(&shared, &call_id, started_at(query.as_deref())?).await?;
    let help = hands::help(&shared, call, text.to_owned(), who).await?;
    Ok(reply::json(StatusCode::CREATED, &HelpView::new(help, shared.config.utc_offset)))
}

/// Who takes a call.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewCharge {
    /// The supervisor's name, where there are no tokens.
    #[schema(max_length = 64)]
    by: Option<String>,
    /// Whom the call is taken over from.
    instead_of: Option<String>,
}

/// Takes a call in progress, so that no second supervisor runs.
#[utoipa::path(post, path = "/v1/calls/{call_id}/take", tag = "live", params(
    ("call_id" = String, Path, description = "Which call / 哪一通"),
    ("started_at" = Option<String>, Query, description = "When it was answered; refused if that is another call / 接通时间，不是这一通就拒绝"),
), request_body = NewCharge, responses(
    (status = 200, description = "The caller has it / 已接手", body = TakenView),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 409, description = "Somebody else has it, or it is not in progress: call_taken, not_in_progress / 别人已接手，或不在进行中", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn take(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(call_id): Path<String>,
    RawQuery(query): RawQuery,
    body: Result<String, StringRejection>,
) -> Result<Json<TakenView>, Unanswered> {
    let NewCharge { by, instead_of } = read(&body?)?;
    let who = principal.person(by.as_deref())?;
    let call = hands::find_going(&shared, &call_id, started_at(query.as_deref())?).await?;
    let charge = hands::take(&shared, &call, who, instead_of).await?;
    Ok(Json(TakenView::new(charge, shared.config.utc_offset)))
}

/// Who gives a call back.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Giver {
    /// The supervisor's name, where there are no tokens.
    #[schema(max_length = 64)]
    by: Option<String>,
}

/// Gives a call back that the caller has taken.
#[utoipa::path(post, path = "/v1/calls/{call_id}/release", tag = "live", params(
    ("call_id" = String, Path, description = "Which call / 哪一通"),
    ("started_at" = Option<String>, Query, description = "When it was answered; refused if that is another call / 接通时间，不是这一通就拒绝"),
), request_body = Giver, responses(
    (status = 200, description = "Nobody has it now / 已放开", body = Object),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 409, description = "The caller has not taken it, or it is not in progress: not_taken, not_in_progress / 不是你接手的，或不在进行中", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn release(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(call_id): Path<String>,
    RawQuery(query): RawQuery,
    body: Result<String, StringRejection>,
) -> Result<Json<Value>, Unanswered> {
    let Giver { by } = read(&body?)?;
    let who = principal.person(by.as_deref())?;
    let call = hands::find(&shared, &call_id, started_at(query.as_deref())?).await?;
    hands::release(&shared, call.call_no, who.name.clone(), who).await?;
    Ok(Json(json!({"taken": null})))
}

/// A way into a call that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct WantedWay {
    /// `listen`, `whisper` or `barge`.
    mode: String,
    /// The supervisor's name, where there are no tokens.
    #[schema(max_length = 64)]
    by: Option<String>,
}

/// The address by which the telephone system lets the caller into a call in progress; the audit keeps who asked.
#[utoipa::path(post, path = "/v1/calls/{call_id}/monitor", tag = "live", params(
    ("call_id" = String, Path, description = "Which call / 哪一通"),
    ("started_at" = Option<String>, Query, description = "When it was answered; refused if that is another call / 接通时间，不是这一通就拒绝"),
), request_body = WantedWay, responses(
    (status = 200, description = "The address / 地址", body = WayIn),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 404, description = "There is no such way: no_way_in / 没有这种方式", body = ErrorMessage),
    (status = 409, description = "Not in progress / 不在进行中", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn monitor(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(call_id): Path<String>,
    RawQuery(query): RawQuery,
    body: Result<String, StringRejection>,
) -> Result<Json<WayIn>, Unanswered> {
    let WantedWay { mode, by } = read(&body?)?;
    let who = principal.person(by.as_deref())?;
    let monitors = shared.monitors.as_ref().ok_or(Refusal::NoWayIn)?;
    let mode = MonitorMode::from_name(&mode).filter(|mode| monitors.modes().contains(mode)).ok_or(Refusal::NoWayIn)?;
    let call = hands::find_going(&shared, &call_id, started_at(query.as_deref())?).await?;
    let now_ms = unix_ms();
    let recorded = Recorded {
        call_id: &call.call_id,
        agent_id: &call.agent_id,
        queue: call.queue.as_deref(),
        started_at: &call.started_at,
        started_ms: call.started_ms,
    };
    let way = monitors.of(recorded, mode, &who.name, now_ms);
    let detail = json!({"call_no": call.call_no, "agent_id": &*call.agent_id, "mode": mode.name()});
    let fact = Fact { at_ms: now_ms, who, action: Audited::Monitor, subject: call_id, detail };
    if !shared.audit(fact).await {
        return Err(Refusal::store("the audit could not be told").into());
    }
    Ok(Json(way))
}

/// A call to flag for review.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewFlag {
    #[schema(max_length = 500)]
    note: Option<String>,
    /// The caller's name, where there are no tokens.
    #[schema(max_length = 64)]
    by: Option<String>,
}

/// Flags a call, in progress or over, for review. One that waits for its review already keeps its flag.
#[utoipa::path(post, path = "/v1/calls/{call_id}/flags", tag = "qa", params(
    ("call_id" = String, Path, description = "Which call / 哪一通"),
    ("started_at" = Option<String>, Query, description = "When it was answered, where its id was used again; the latest unless said / 同一 call_id 用过多次时指定接通时间，默认最近一通"),
), request_body = NewFlag, responses(
    (status = 201, description = "It waits for its review / 等待复核", body = FlagView),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 404, description = "No such call / 没有这通通话", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn flag(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(call_id): Path<String>,
    RawQuery(query): RawQuery,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let NewFlag { note, by } = read(&body?)?;
    let note = body::remark("note", note, REASON_CHARS_MAX)?;
    let who = principal.person(by.as_deref())?;
    let started_ms = started_at(query.as_deref())?;
    let wanted = CallQuery { call_id: call_id.clone(), started_ms, with_held: false, events_max: 0, alerts_max: 0 };
    let call = shared.store.call_record(wanted).await?.ok_or(Refusal::NoSuchCall)?.call;
    let place = hands::find(&shared, &call_id, Some(call.started_ms)).await.ok();
    let flag = hands::flag(&shared, call.call_no, place.as_ref(), who, note).await?;
    Ok(reply::json(StatusCode::CREATED, &FlagView::new(flag, shared.config.utc_offset)))
}

/// Flagged calls.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Flags {
    flags: Vec<FlaggedCallView>,
    /// There are more than are shown.
    truncated: bool,
    utc_offset: String,
}

/// A flagged call.
#[derive(Debug, Serialize, ToSchema)]
struct FlaggedCallView {
    #[serde(flatten)]
    flag: FlagView,
    call_id: String,
    started_at: String,
    /// The agent who answered.
    agent_id: String,
    queue: Option<String>,
    live: bool,
}

/// Calls that are flagged for review, the earliest first; or those that were reviewed, the latest first.
#[utoipa::path(get, path = "/v1/flags", tag = "qa", params(
    ("done" = Option<bool>, Query, description = "Those that were reviewed / 只要处理过的"),
), responses(
    (status = 200, description = "The calls / 通话", body = Flags),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn flags(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Flags>, Unanswered> {
    let is_done = Parameters::read(query.as_deref().unwrap_or_default(), ["done"])?.flag("done")?.unwrap_or(false);
    let zone = shared.config.utc_offset;
    let mut found = shared.store.flagged_calls(is_done, FLAGS_MAX + 1).await?;
    let truncated = found.len() > FLAGS_MAX;
    found.truncate(FLAGS_MAX);
    let view = |FlaggedCall { flag, call_id, started_at, agent_id, queue, is_live }| FlaggedCallView {
        flag: FlagView::new(flag, zone),
        call_id,
        started_at,
        agent_id,
        queue,
        live: is_live,
    };
    Ok(Json(Flags { flags: found.into_iter().map(view).collect(), truncated, utc_offset: zone.to_string() }))
}

/// Tells that a flagged call was reviewed.
#[utoipa::path(post, path = "/v1/flags/{flag_no}", tag = "qa", params(
    ("flag_no" = i64, Path, description = "Which / 哪一个"),
), request_body = Giver, responses(
    (status = 200, description = "It is kept / 已记下", body = Object),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 404, description = "No such flag is open: no_such_flag / 没有这个待复核的标记", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn settle(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(flag_no): Path<String>,
    body: Result<String, StringRejection>,
) -> Result<Json<Value>, Unanswered> {
    let Giver { by } = read(&body?)?;
    let who = principal.person(by.as_deref())?;
    let flag_no = flag_no.parse().map_err(|_| Refusal::NoSuchFlag)?;
    hands::settle(&shared, flag_no, who).await?;
    Ok(Json(json!({"flag_no": flag_no, "done": true})))
}

/// How the thresholds stand.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ThresholdsView {
    /// In the order of the configuration.
    #[schema(value_type = Vec<Object>)]
    thresholds: Vec<Value>,
}

/// How the thresholds of the configuration stand.
#[utoipa::path(get, path = "/v1/thresholds", tag = "live", responses(
    (status = 200, description = "All thresholds / 全部阈值", body = ThresholdsView),
))]
pub(crate) async fn thresholds(State(shared): State<Arc<Shared>>) -> Json<ThresholdsView> {
    Json(ThresholdsView { thresholds: shared.thresholds.view() })
}

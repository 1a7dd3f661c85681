//! A new model, learned from the corpus and the store's reviews while calls go on: on a thread of its
//! own, one at a time. What comes of it is put among the rules and loaded as any change of them.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::rejection::StringRejection;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;
use utoipa::ToSchema;
use utoipa_axum::router::UtoipaMethodRouterExt as _;

use crate::backtest::Control;
use crate::engine::act::Model;
use crate::learning::{self, Changes, Lesson, Row};
use crate::server::config::LEARN_TIMEOUT;
use crate::server::domain::principal::{AccessRole, Principal, Who};
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::domain::terms::Trigger;
use crate::server::export::{ReviewedTurns, reviewed_span};
use crate::server::http::api::rules::backtest::Cancelling;
use crate::server::http::api::rules::compute;
use crate::server::http::api::rules::edit::{Fields, TrialPermit, bad, hurry};
use crate::server::http::router::Handlers;
use crate::server::net::reply::{self, Unanswered};
use crate::server::rules::kept_model;
use crate::server::runtime::{Shared, reload};

/// Live calls have the other cores.
const WORKERS: NonZeroUsize = NonZeroUsize::MIN;

/// Handlers that learn: one at a time, within a limit.
pub(crate) fn alone(shared: &Arc<Shared>, handlers: Handlers) -> Handlers {
    handlers
        .layer::<_, Infallible>(middleware::from_fn(|request: Request, next: Next| hurry(LEARN_TIMEOUT, request, next)))
        .layer::<_, Infallible>(middleware::from_fn_with_state(Arc::clone(shared), one_at_a_time))
}

/// Lets one learn and refuses the others.
async fn one_at_a_time(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    let Ok(turn) = Arc::clone(&shared.lessons).try_acquire_owned() else {
        return Unanswered::from(Refusal::LearningRunning).into_response();
    };
    request.extensions_mut().insert::<TrialPermit>(Arc::new(turn));
    next.run(request).await
}

/// What to learn from, and what to do with the model; all may be left out, the body too.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes the body; what reads it tells every fault by its field")]
pub(crate) struct LearnRequest {
    /// Only tell the figures: nothing is written or loaded.
    dry_run: Option<bool>,
    /// Use the model even if it is worse than the one in use.
    force: Option<bool>,
    /// Learn from alerts about what was said from this day or time on.
    from: Option<String>,
    to: Option<String>,
    /// Instead of learning: use the model of this earlier version of the rules.
    restore: Option<String>,
}

/// What was learned, and whether it is in use.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LearnedModel {
    /// Whether the model is in use now.
    loaded: bool,
    dry_run: bool,
    /// Whether it judges the site's turns worse than the model that was in use.
    worse: bool,
    /// Twelve hexadecimal digits of the model.
    model: String,
    features: usize,
    /// Turns of the built-in corpus.
    corpus: usize,
    /// Reviewed alerts about forbidden words.
    alerts: usize,
    /// Turns of theirs that taught.
    turns: usize,
    /// Turns left out: their words are no longer kept, or not the agent's.
    left_out: usize,
    /// Precision, recall and average precision with either model, cross-validated.
    #[schema(value_type = Object)]
    changes: Option<Changes>,
    /// The version of the rules in use now, and the one before.
    version: String,
    previous: String,
    /// All figures for people.
    text: String,
}

/// Learns a model from the store's reviews and uses it for the calls that begin from now on.
#[utoipa::path(post, path = "/v1/rules/learn", tag = "operate", request_body = Option<LearnRequest>, responses(
    (status = 200, description = "It is in use, or the dry run is done / 已启用，或试运行完成", body = LearnedModel),
    (status = 400, description = "A field cannot be used / 字段有误", body = ErrorMessage),
    (status = 404, description = "No such version / 没有这个版本", body = ErrorMessage),
    (status = 408, description = "It takes too long / 太久", body = ErrorMessage),
    (status = 409, description = "Already learning, or the rules cannot be written / 正在学，或规则不能写", body = ErrorMessage),
    (status = 422, description = "Worse than the model in use, or nothing to learn from; nothing changed / 比现用的差，或没有可学的；什么也没变", body = Object),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn learn(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Extension(turn): Extension<TrialPermit>,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let body = body.map(|body| if body.trim().is_empty() { String::from("{}") } else { body });
    let fields = Fields::read(body, &["dry_run", "force", "from", "to", "restore"])?;
    let (dry_run, force) = (flag(&fields, "dry_run")?, flag(&fields, "force")?);
    let who = principal.asker(&[AccessRole::Admin]);
    if let Some(version) = fields.text("restore")? {
        if let Some(other) = ["dry_run", "force", "from", "to"].into_iter().find(|name| fields.get(name).is_some()) {
            return Err(bad(other, "restore 不能和别的字段一起写 / restore goes alone"));
        }
        return restore(&shared, version.to_owned(), who, turn).await;
    }
    let span = reviewed_span(fields.text("from")?, fields.text("to")?, shared.config.utc_offset);
    let span = span.map_err(Unanswered::Field)?;
    let place = shared.rules.model_path();
    if place.is_none() && !dry_run {
        return Ok(fixed());
    }
    let control = Arc::new(Control::default());
    // Who goes away ends it, and so do a shutdown and the time limit.
    let cancelling = Cancelling(Arc::clone(&control));
    let (done, learning) = oneshot::channel();
    let (server, sources) = (Arc::clone(&shared), shared.rules.written());
    let work = move || {
        let reviewed = ReviewedTurns::of(&server.readers, span);
        let lesson = reviewed.map(|reviewed| {
            let (alerts, left_out) = (reviewed.alerts, reviewed.left_out);
            let rows: Vec<Row> = reviewed.turns.into_iter().map(Row::from).collect();
            let turns = rows.len();
            if turns == 0 {
                return (Ok(None), [alerts, turns, left_out]);
            }
            (learning::learn(&sources.sources, rows, WORKERS, &control), [alerts, turns, left_out])
        });
        // Kept until now, whether anybody still waits or not; who is answered may ask again.
        drop(turn);
        let _ = done.send(lesson);
    };
    let thread = std::thread::Builder::new().name(String::from("learning")).spawn(work);
    if thread.is_err() {
        return Err(Refusal::Busy.into());
    }
    let learned = tokio::select! {
        learned = learning => learned,
        () = shared.draining.cancelled() => return Err(Refusal::Stopping.into()),
    };
    drop(cancelling);
    let (lesson, [alerts, turns, left_out]) = learned.map_err(|_| Refusal::Stopping)?.map_err(Refusal::store)?;
    let Some(Lesson { model, corpus, changes, text }) = (match lesson {
        Ok(lesson) => lesson,
        Err(faults) => return Ok(unprocessable("rules_invalid", &faults.join("\n"))),
    }) else {
        let message = "没有能学的复核结论；先复核禁语预警，或放宽 from、to / no reviewed alert to learn from: review alerts about forbidden words, or widen from and to";
        return if turns == 0 { Ok(unprocessable("nothing_to_learn", message)) } else { Err(Refusal::Stopping.into()) };
    };
    let version = shared.rules.current().version.clone();
    let mut told = LearnedModel {
        loaded: false,
        dry_run,
        worse: changes.as_ref().is_some_and(Changes::is_worse),
        model: model.digest().to_owned(),
        features: model.features(),
        corpus,
        alerts,
        turns,
        left_out,
        changes,
        version: version.clone(),
        previous: version,
        text,
    };
    match place {
        _ if told.worse && !force && !dry_run => Ok((StatusCode::UNPROCESSABLE_ENTITY, Json(told)).into_response()),
        Some(place) if !dry_run => match install(&shared, &place, model.to_text(), who).await? {
            Ok((version, previous)) => {
                (told.version, told.previous, told.loaded) = (version, previous, true);
                Ok(Json(told).into_response())
            }
            Err(refused) => Ok(refused),
        },
        _ => Ok(Json(told).into_response()),
    }
}

fn flag(fields: &Fields, name: &str) -> Result<bool, Unanswered> {
    match fields.get(name) {
        None => Ok(false),
        Some(Value::Bool(is)) => Ok(*is),
        Some(_) => Err(bad(name, format!("{name} 要写 true 或 false / must be true or false"))),
    }
}

/// An earlier version of the rules whose model is used again.
#[derive(Debug, Serialize)]
struct Restored {
    loaded: bool,
    model: String,
    version: String,
    previous: String,
}

/// Uses the model of an earlier version; the other rules stay as they are.
async fn restore(shared: &Shared, version: String, who: Who, turn: TrialPermit) -> Result<Response, Unanswered> {
    let _turn = turn;
    let Some(place) = shared.rules.model_path() else { return Ok(fixed()) };
    let readers = Arc::clone(&shared.readers);
    let found = compute(move || kept_model(&readers, &version)).await?;
    let found = found.map_err(Refusal::store)?.ok_or(Refusal::UnknownVersion)?;
    let Some(text) = found else {
        return Err(bad("restore", "这个版本没有模型 / that version has no model"));
    };
    let model = match Model::from_text(&text) {
        Ok(model) => model.digest().to_owned(),
        Err(fault) => return Ok(unprocessable("rules_invalid", &fault.to_string())),
    };
    match install(shared, &place, text, who).await? {
        Ok((version, previous)) => Ok(Json(Restored { loaded: true, model, version, previous }).into_response()),
        Err(refused) => Ok(refused),
    }
}

/// Writes a model among the rules and loads them. If they cannot be used, the file is as it was.
/// Gives the version in use now and the one before, or why it is not in use.
async fn install(
    shared: &Shared,
    place: &Path,
    text: String,
    who: Who,
) -> Result<Result<(String, String), Response>, Unanswered> {
    let path = place.to_owned();
    let written = compute(move || {
        // A model that is there and cannot be read could not be put back.
        let before = match std::fs::read_to_string(&path) {
            Ok(before) => Some(before),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        learning::write_whole(&path, &text).map(|()| before)
    });
    let before = match written.await? {
        Ok(before) => before,
        Err(error) => {
            let place = place.display();
            let message = format!(
                "{place}：写不了：{error}；服务要能写规则目录 / cannot be written: the server must be able to write the directory of rules"
            );
            return Ok(Err(reply::error(StatusCode::CONFLICT, "rules_read_only", &message)));
        }
    };
    match reload::reload(shared, Trigger::Learn, who).await {
        Ok(outcome) if outcome.ok => Ok(Ok((outcome.version, outcome.previous))),
        Ok(outcome) => {
            let path = place.to_owned();
            let put_back = compute(move || put_back(&path, before)).await?;
            if let Err(error) = put_back {
                tracing::error!(%error, path = %place.display(), "the model before could not be put back: copy it there from a backup, or restore a version");
            }
            Ok(Err(reply::json(StatusCode::UNPROCESSABLE_ENTITY, &outcome)))
        }
        Err(_) => Ok(Err(fixed())),
    }
}

fn put_back(path: &PathBuf, before: Option<String>) -> std::io::Result<()> {
    match before {
        Some(before) => learning::write_whole(path, &before),
        None => std::fs::remove_file(path),
    }
}

fn fixed() -> Response {
    let message = "规则不在目录里（内置，或启动时给定），模型无处可写；只能 dry_run / the rules are in no directory (built in, or given at the start), so there is no place for a model: only dry_run is possible";
    reply::error(StatusCode::CONFLICT, "rules_fixed", message)
}

fn unprocessable(code: &'static str, message: &str) -> Response {
    reply::error(StatusCode::UNPROCESSABLE_ENTITY, code, message)
}

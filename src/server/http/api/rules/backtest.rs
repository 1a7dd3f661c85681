//! Backtests of stored calls. The command line runs them on a data directory, beside a server that
//! may use it; `POST /v1/backtest` compares edited rules with those in use, one backtest at a time.
//! The store is only read.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::StringRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chrono::FixedOffset;
use utoipa::ToSchema;

use crate::adapter::native::{self, Event, EventBody};
use crate::backtest::{self, Control, Plan, Recorded, Report, Told};
use crate::engine::rule::RuleSet;
use crate::server::config::{BACKTEST_CALLS_MAX, BACKTEST_PAGE, Config};
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::filter::{BadQuery, Parameters};
use crate::server::http::api::rules::edit::{Edited, EditedFile, Fields, TrialPermit};
use crate::server::net::reply::Unanswered;
use crate::server::rules::{Remark, kept};
use crate::server::runtime::Shared;
use crate::server::store::{Place, Readers, StoreError, Stored, Transcript, read_of};

/// The stored calls of a data directory.
#[derive(Debug)]
pub struct StoredCalls {
    readers: Readers,
    wanted: Stored,
    /// The first so many are replayed.
    calls_max: usize,
}

/// Which stored calls are replayed: as `GET /v1/calls` has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selection<'a> {
    /// A day, or a time with its offset.
    pub from: Option<&'a str>,
    /// The end of the span, as `from`.
    pub to: Option<&'a str>,
    /// The agent who answered.
    pub agent_id: Option<&'a str>,
}

impl Selection<'_> {
    pub(super) fn read(self, zone: FixedOffset) -> Result<Stored, BadQuery> {
        let values = [("from", self.from), ("to", self.to), ("agent_id", self.agent_id)];
        let values: BTreeMap<String, String> =
            values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
        let filter = Parameters::of(values).calls(zone)?;
        Ok(Stored { span: filter.span, agent_id: filter.agent_id })
    }
}

impl StoredCalls {
    /// Reads the store in `directory`; a server may be running on it. Its keys and the zone of days are those of `config`.
    ///
    /// # Errors
    /// There is none, or the selection cannot be understood; ready to print.
    pub fn open(directory: &Path, selection: Selection<'_>, config: &Config) -> Result<Self, String> {
        let wanted = selection
            .read(config.utc_offset)
            .map_err(|bad| format!("--{}: {}", bad.field.replace('_', "-"), bad.message))?;
        let readers = read_of(config, directory, true).map_err(|error| error.to_string())?;
        Ok(Self { readers, wanted, calls_max: usize::MAX })
    }

    /// Only the first so many of them.
    #[must_use]
    pub fn at_most(self, calls_max: usize) -> Self {
        Self { calls_max, ..self }
    }

    /// The number of selected calls.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn count(&self) -> Result<u64, StoreError> {
        self.readers.count_stored(&self.wanted)
    }

    /// The rules that the latest call ran on, if their files were kept and can be used.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn last_rules(&self) -> Result<Option<Arc<RuleSet>>, StoreError> {
        let Some(version) = self.readers.last_version()? else { return Ok(None) };
        // A server that was given its rules without files kept none.
        Ok(kept(&self.readers, &version).filter(|rules| !rules.rules.is_empty()))
    }

    /// Replays them through both rule sets.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn backtest(&self, plan: &Plan, workers: NonZeroUsize, control: &Control) -> Result<Report, StoreError> {
        let calls = pages(&self.readers, &self.wanted).take(self.calls_max);
        backtest::run(plan, workers, calls, |place| recorded(&self.readers, place), control)
    }
}

/// The calls that are wanted, page by page.
pub(super) fn pages<'a>(
    readers: &'a Readers,
    wanted: &'a Stored,
) -> impl Iterator<Item = Result<Place, StoreError>> + 'a {
    let mut behind = None;
    let mut page = Vec::new().into_iter();
    std::iter::from_fn(move || {
        if page.len() == 0 {
            match readers.stored_calls(wanted, behind, BACKTEST_PAGE) {
                Ok(calls) => page = calls.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
        let place = page.next()?;
        behind = Some(place);
        Some(Ok(place))
    })
}

/// A stored call as it was told; `None` if its words are no longer kept.
pub(super) fn recorded(readers: &Readers, place: Place) -> Result<Option<Recorded>, StoreError> {
    let Some(Transcript { start, told }) = readers.transcript(place.no)? else { return Ok(None) };
    // What was kept was parsed before it was.
    let Ok(Event { number, body: EventBody::Start(info), .. }) = native::parse(&start) else { return Ok(None) };
    let told = told.into_iter().filter_map(|(now, json)| match native::parse(&json) {
        Ok(Event { number, body: EventBody::Input(input), .. }) => Some(Told { now: Some(now), number, input }),
        _ => None,
    });
    Ok(Some(Recorded { info: *info, number, told: told.collect() }))
}

/// Edited rules and the calls to try them on.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes the body; what reads it tells every fault by its field")]
pub(crate) struct BacktestRequest {
    files: Vec<EditedFile>,
    /// A day, or a time with its offset.
    from: Option<String>,
    to: Option<String>,
    /// The agent who answered.
    agent_id: Option<String>,
}

/// Rules that cannot be used.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct RulesRejected {
    #[serde(rename = "type")]
    kind: &'static str,
    /// `rules_invalid`.
    code: &'static str,
    message: String,
    diagnostics: Vec<Remark>,
}

/// Replays stored calls through the rules in use and through edited ones.
#[utoipa::path(post, path = "/v1/backtest", tag = "qa", request_body = BacktestRequest, responses(
    (status = 200, description = "What would differ / 差异", body = Report),
    (status = 400, description = "A field cannot be used / 字段有误", body = ErrorMessage),
    (status = 408, description = "It takes too long / 太久", body = ErrorMessage),
    (status = 409, description = "Another one is running / 已有一个在运行", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 422, description = "The edited rules cannot be used / 改过的规则不可用", body = RulesRejected),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn backtest(
    State(shared): State<Arc<Shared>>,
    Extension(turn): Extension<TrialPermit>,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let fields = Fields::read(body, &["files", "from", "to", "agent_id"])?;
    let files = fields.files()?;
    let selection =
        Selection { from: fields.text("from")?, to: fields.text("to")?, agent_id: fields.text("agent_id")? };
    let wanted = selection.read(shared.config.utc_offset).map_err(Unanswered::Field)?;
    let control = Arc::new(Control::default());
    // Who goes away ends it, and so do a shutdown and the time limit.
    let cancelling = Cancelling(Arc::clone(&control));
    let (running, server) = (Arc::clone(&control), Arc::clone(&shared));
    let work = tokio::task::spawn_blocking(move || {
        // Kept until it is done, whether anybody still waits for it or not.
        let _turn = turn;
        let written = server.rules.written();
        let edited = Edited::new(&written, &files);
        let Some(loaded) = &edited.loaded else { return Ok(Err((edited.text(), edited.remarks()))) };
        let plan = Plan {
            before: Arc::clone(&written.rules),
            after: Arc::clone(&loaded.rules),
            shadow_packs: server.config.shadow_packs.clone(),
        };
        let readers = &server.readers;
        let count = readers.count_stored(&wanted)?;
        let calls = pages(readers, &wanted).take(BACKTEST_CALLS_MAX);
        let mut report = backtest::run(&plan, workers(), calls, |place| recorded(readers, place), &running)?;
        report.partial |= count > BACKTEST_CALLS_MAX as u64;
        Ok::<_, StoreError>(Ok(report))
    });
    let done = tokio::select! {
        done = work => done,
        () = shared.draining.cancelled() => return Err(Refusal::Stopping.into()),
    };
    drop(cancelling);
    let done = done.map_err(|_| Refusal::Stopping)?;
    Ok(match done.map_err(Refusal::store)? {
        Ok(report) => Json(report).into_response(),
        Err((message, diagnostics)) => {
            let rejected = RulesRejected { kind: "error", code: "rules_invalid", message, diagnostics };
            (StatusCode::UNPROCESSABLE_ENTITY, Json(rejected)).into_response()
        }
    })
}

/// Cancels when it is dropped.
pub(super) struct Cancelling(pub(super) Arc<Control>);

impl Drop for Cancelling {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Half the cores: live calls go first.
fn workers() -> NonZeroUsize {
    NonZeroUsize::new(backtest::all_cores().get() / 2).unwrap_or(NonZeroUsize::MIN)
}

//! `/v1/export`: a file on its way to a client, as it is written.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::server::clock::wall_time;
use crate::server::config::{EXPORT_CHUNKS_MAX, EXPORT_PAGE, WRITE_TIMEOUT};
use crate::server::domain::principal::{AccessRole, Principal};
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::domain::review::Appeal;
use crate::server::domain::score::Deduction;
use crate::server::export::{ExportError, Format, OF_EXPORTS, OF_SAMPLES, Table, Wanted, wanted_format};
use crate::server::filter::{OF_ALERTS, OF_CALLS, Parameter, Parameters};
use crate::server::http::api::alerts::view;
use crate::server::http::api::calls::call_view;
use crate::server::http::api::sampling::assignment_view;
use crate::server::http::api::scores::OF_SCORES;
use crate::server::http::api::{quality, sampling, scores};
use crate::server::http::openapi::{AlertParameters, ExportParameters};
use crate::server::net::reply::Unanswered;
use crate::server::runtime::Shared;
use crate::server::store::{AlertFilter, AssignmentFilter, CallFilter, Fact, FoundAlert, FoundCall, Order, Place};
use crate::server::telemetry::events::{Exported, Happening as _};

/// Alerts as a file, the oldest first, with the filters of `/v1/alerts`.
#[utoipa::path(get, path = "/v1/export", tag = "qa", params(ExportParameters, AlertParameters), responses(
    (status = 200, description = "The file, as it is written / 文件", content(
        (String = "text/csv"), (String = "application/x-ndjson"),
        (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"), (String = "application/vnd.apache.parquet"),
    )),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法导出", body = ErrorMessage),
))]
pub(crate) async fn export(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
) -> Result<Response, Unanswered> {
    let wanted = Wanted::read(query.as_deref().unwrap_or_default(), &shared.config)?;
    let permit = Arc::clone(&shared.exports).try_acquire_owned().map_err(|_| Refusal::TooManyExports)?;
    let filter = Arc::new(wanted.filter.clone());
    let (_, last) = shared.store.count_alerts(Arc::clone(&filter)).await?;
    let format = wanted.format;
    let who = principal.asker(&[AccessRole::Qa, AccessRole::Admin]);
    let write = move |shared: &Shared, runtime: &Handle, out: Pieces| {
        let page = |behind| {
            let filter = Arc::clone(&filter);
            let question = shared.store.alerts(filter, Order::OldestFirst, behind, Some(last), EXPORT_PAGE);
            runtime.block_on(question).map_err(|refusal| ExportError::Store(refusal.message()))
        };
        let written = wanted.write(page, |agent_id| shared.roster.of(agent_id), out, |_| {});
        let fact = wanted.fact(who, &written);
        (written, fact)
    };
    Ok(stream(shared, permit, (format, "alerts"), write))
}

/// Calls, scores, the quality of rules, steps of reviews or samples as a file: what their lists show with the same filters.
#[utoipa::path(get, path = "/v1/export/{table}", tag = "qa", params(
    ("table" = String, Path, description = "calls, scores, rules, reviews or samples; its filters are those of /v1/calls, /v1/scores, /v1/quality, /v1/alerts and, for samples, from, to (weeks that begin in them), reviewer, done, kind / 哪个列表，条件与各自的列表相同"),
    ExportParameters,
), responses(
    (status = 200, description = "The file, as it is written / 文件", content(
        (String = "text/csv"), (String = "application/x-ndjson"),
        (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"), (String = "application/vnd.apache.parquet"),
    )),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 404, description = "No such list / 没有这个列表", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法导出", body = ErrorMessage),
))]
pub(crate) async fn table(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(table): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Unanswered> {
    let table = Table::ALL.into_iter().find(|known| known.name() == table).ok_or(Refusal::NoSuchTable)?;
    let of_table: &[&[Parameter]] = match table {
        Table::Calls => &[OF_EXPORTS, OF_CALLS],
        Table::Scores => &[OF_EXPORTS, OF_SCORES],
        Table::Rules | Table::Reviews => &[OF_EXPORTS, OF_ALERTS],
        Table::Samples => &[OF_EXPORTS, OF_SAMPLES],
    };
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), of_table)?;
    let format = wanted_format(&parameters)?;
    let mut source = Source::new(&shared, table, &parameters).await?;
    let permit = Arc::clone(&shared.exports).try_acquire_owned().map_err(|_| Refusal::TooManyExports)?;
    let who = principal.asker(&[AccessRole::Qa, AccessRole::Admin]);
    let write = move |shared: &Shared, runtime: &Handle, out: Pieces| {
        let page = || {
            let page = runtime.block_on(source.page(shared, &principal));
            page.map_err(|refusal| ExportError::Store(refusal.message()))
        };
        let written = table.write(format, shared.config.utc_offset, out, page);
        let fact = table.fact(format, parameters.given(), who, &written);
        (written, fact)
    };
    Ok(stream(shared, permit, (format, table.name()), write))
}

/// Where the rows of a list come from, page by page.
enum Source {
    Calls {
        filter: CallFilter,
        behind: Option<Place>,
    },
    /// Rows that are there at once.
    Whole(Vec<Value>),
    Reviews {
        filter: Arc<AlertFilter>,
        behind: Option<Place>,
        last: i64,
    },
    Samples {
        filter: AssignmentFilter,
        behind: Option<Place>,
    },
}

impl Source {
    async fn new(shared: &Arc<Shared>, table: Table, parameters: &Parameters) -> Result<Self, Unanswered> {
        let zone = shared.config.utc_offset;
        Ok(match table {
            Table::Calls => Self::Calls { filter: parameters.calls(zone)?, behind: None },
            Table::Scores => Self::Whole(rows(&scores::compute(shared, parameters).await?.scores)?),
            Table::Rules => Self::Whole(rows(&quality::compute(shared, parameters).await?.rules)?),
            Table::Reviews => {
                let filter = Arc::new(parameters.alerts(zone)?);
                let (_, last) = shared.store.count_alerts(Arc::clone(&filter)).await?;
                Self::Reviews { filter, behind: None, last }
            }
            Table::Samples => Self::Samples { filter: sampling::of_samples(parameters, zone)?, behind: None },
        })
    }

    /// The next rows; none at the end.
    async fn page(&mut self, shared: &Shared, principal: &Principal) -> Result<Vec<Value>, Refusal> {
        match self {
            Self::Whole(rows) => Ok(std::mem::take(rows)),
            Self::Calls { filter, behind } => {
                let found = shared.store.calls(filter.clone(), *behind, EXPORT_PAGE).await?;
                if let Some((call, _)) = found.last() {
                    *behind = Some(Place { ms: call.started_ms, no: call.call_no });
                }
                let view =
                    |(call, deductions): (FoundCall, Vec<Deduction>)| row(&call_view(shared, call, &deductions).0);
                found.into_iter().map(view).collect()
            }
            Self::Reviews { filter, behind, last } => loop {
                let order = Order::OldestFirst;
                let found = shared.store.alerts(Arc::clone(filter), order, *behind, Some(*last), EXPORT_PAGE).await?;
                let Some(alert) = found.last() else { return Ok(Vec::new()) };
                *behind = Some(alert.place);
                let steps = found.into_iter().map(|found| steps_of(shared, principal, found));
                let rows: Vec<Value> = steps.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
                // A page may have nothing that was reviewed.
                if !rows.is_empty() {
                    return Ok(rows);
                }
            },
            Self::Samples { filter, behind } => {
                let found = shared.store.assignments(filter.clone(), *behind, EXPORT_PAGE).await?;
                if let Some(sample) = found.last() {
                    *behind = Some(Place { ms: sample.due_ms, no: sample.sample_no });
                }
                let view = |found| {
                    let mut sample = row(&assignment_view(shared, principal, found)?)?;
                    for name in ["alert_id", "rule_id"] {
                        sample[name] = sample["alert"][name].take();
                    }
                    Ok(sample)
                };
                found.into_iter().map(view).collect()
            }
        }
    }
}

/// The steps of an alert, a row each.
fn steps_of(shared: &Shared, principal: &Principal, found: FoundAlert) -> Result<Vec<Value>, Refusal> {
    if found.review.steps.is_empty() {
        return Ok(Vec::new());
    }
    let zone = shared.config.utc_offset;
    let steps = found.review.steps.clone();
    let (standing, counts) = (found.review.standing, found.counts());
    let mut alert = row(&view(shared, principal, found)?)?;
    alert["verdict"] = standing.verdict.name().into();
    alert["appeal"] = standing.appeal.map(Appeal::name).into();
    alert["counts"] = counts.into();
    let steps = steps.into_iter().map(|step| {
        let mut row = alert.clone();
        row["at"] = wall_time(step.at_ms, zone).into();
        row["action"] = step.action.name().into();
        row["by"] = step.by.into();
        row["role"] = step.role.name().into();
        row["reason"] = step.reason.into();
        row
    });
    Ok(steps.collect())
}

fn row(view: &impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(view).map_err(Refusal::store)
}

fn rows(views: &[impl Serialize]) -> Result<Vec<Value>, Refusal> {
    views.iter().map(row).collect()
}

/// An answer that is written while the client reads it.
pub(super) fn stream(
    shared: Arc<Shared>,
    permit: OwnedSemaphorePermit,
    (format, name): (Format, &'static str),
    write: impl FnOnce(&Shared, &Handle, Pieces) -> (Result<u64, ExportError>, Fact) + Send + 'static,
) -> Response {
    let (sender, receiver) = mpsc::channel(EXPORT_CHUNKS_MAX);
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let runtime = Handle::current();
        let out = Pieces { sender: sender.clone(), runtime: runtime.clone() };
        let (written, fact) = write(&shared, &runtime, out);
        let told = written.as_ref().map(|rows| *rows).map_err(|error| error as &dyn Display);
        Exported { format: format.name(), written: told }.report(&shared.metrics);
        let is_told = runtime.block_on(shared.audit(fact));
        // What the audit does not know of must not look whole.
        let unaudited = || ExportError::Store("审计无法写入 / the audit cannot be written".to_owned());
        if let Err(error) = written.and_then(|_| is_told.then_some(()).ok_or_else(unaudited)) {
            // The client sees a body that breaks off, and knows that it is not whole.
            let _ = runtime.block_on(sender.send(Err(io::Error::other(error))));
        }
    });
    let pieces = futures_util::stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    let name = format!("attachment; filename=\"tingjian-{name}.{}\"", format.name());
    let mut response = Body::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    if let Ok(name) = HeaderValue::try_from(name) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    response
}

/// The body of an answer in the making. A client who takes nothing for
/// [`WRITE_TIMEOUT`] gets no more.
pub(super) struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    runtime: Handle,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sending = self.sender.send_timeout(Ok(Bytes::copy_from_slice(bytes)), WRITE_TIMEOUT);
        self.runtime.block_on(sending).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

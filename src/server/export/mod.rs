//! Alerts as a file: one row an alert, with the filters of a query, in CSV,
//! Excel, JSON Lines or Parquet. [`Row`] has the columns; each format has a
//! module that writes rows.
//!
//! Rows are read in pages behind a place that never changes, so an export
//! holds no transaction open and needs the same memory whatever its length.
//! The same alerts give the same bytes, whoever writes them: the server or
//! [`export_store`]. What is raised after an export began is not in it.

mod csv;
mod jsonl;
mod parquet;
mod row;
mod xlsx;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use chrono::FixedOffset;
use futures_util::stream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::engine::privacy;
use crate::server::Shared;
use crate::server::config::{Config, EXPORT_CHUNK_BYTES, EXPORT_CHUNKS_MAX, EXPORT_PAGE, Review, WRITE_TIMEOUT};
use crate::server::domain::principal::{Principal, Role, Who};
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::http::api::audit;
use crate::server::http::api::query::Unanswered;
use crate::server::http::filter::{BadQuery, OF_ALERTS, Parameters};
use crate::server::http::openapi::{AlertParameters, ExportParameters};
use crate::server::runtime::clock;
use crate::server::store::{AlertFilter, Fact, FoundAlert, Order, Place, StoreError, read_beside};
use crate::server::telemetry::events::{Exported, Happening as _};
use row::Row;

/// The names of the formats.
pub const FORMATS: [&str; 4] = ["csv", "xlsx", "jsonl", "parquet"];

/// Why an export failed.
#[derive(Debug)]
pub enum ExportError {
    /// A filter cannot be used; what is wrong and what is allowed.
    BadQuery(String),
    /// The store cannot be read.
    Store(String),
    /// It cannot be written.
    Io(io::Error),
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadQuery(message) | Self::Store(message) => f.write_str(message),
            Self::Io(error) => write!(f, "导出无法写出 / the export cannot be written: {error}"),
        }
    }
}

impl std::error::Error for ExportError {}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<BadQuery> for ExportError {
    fn from(bad: BadQuery) -> Self {
        Self::BadQuery(bad.message)
    }
}

impl From<StoreError> for ExportError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv,
    Xlsx,
    Jsonl,
    Parquet,
}

impl Format {
    const ALL: [Self; 4] = [Self::Csv, Self::Xlsx, Self::Jsonl, Self::Parquet];

    const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Jsonl => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// What is to be exported.
#[derive(Clone, Debug)]
struct Wanted {
    format: Format,
    filter: AlertFilter,
    zone: FixedOffset,
    review: Review,
    /// As they were asked for.
    parameters: BTreeMap<String, String>,
}

impl Wanted {
    fn read(query: &str, config: &Config) -> Result<Self, BadQuery> {
        let zone = config.utc_offset;
        let parameters = Parameters::read(query, ["format"].into_iter().chain(OF_ALERTS))?;
        let format = parameters.choice("format", &Format::ALL.map(|format| (format.name(), format)))?;
        Ok(Self {
            format: format.unwrap_or(Format::Csv),
            filter: parameters.alerts(zone)?,
            zone,
            review: config.review.clone(),
            parameters: parameters.given().clone(),
        })
    }

    /// What the audit is told of it.
    fn fact(&self, who: Who, written: &Result<u64, ExportError>) -> Fact {
        let parameters: BTreeMap<&str, Cow<'_, str>> =
            self.parameters.iter().map(|(name, value)| (name.as_str(), privacy::mask(value))).collect();
        let detail = serde_json::json!({
            "format": self.format.name(), "query": parameters, "ok": written.is_ok(), "rows": written.as_ref().ok(),
        });
        Fact { at_ms: clock::unix_ms(), who, action: "export", subject: "alerts".to_owned(), detail }
    }

    /// Writes what `page` gives, page by page; says how many rows there were.
    fn write(
        &self,
        mut page: impl FnMut(Option<Place>) -> Result<Vec<FoundAlert>, ExportError>,
        out: impl Write + Send,
        mut progress: impl FnMut(u64),
    ) -> Result<u64, ExportError> {
        let out = BufWriter::with_capacity(EXPORT_CHUNK_BYTES, out);
        let mut sink: Box<dyn Sink + '_> = match self.format {
            Format::Csv => Box::new(csv::Csv::new(out, self.zone)?),
            Format::Jsonl => Box::new(jsonl::Jsonl::new(out, self.zone)),
            Format::Xlsx => Box::new(xlsx::Xlsx::new(out, self.zone, &self.review)?),
            Format::Parquet => Box::new(parquet::Parquet::new(out)?),
        };
        let (mut behind, mut rows) = (None, 0);
        loop {
            let found = page(behind)?;
            let Some(last) = found.last() else { break };
            behind = Some(last.place);
            for alert in found {
                sink.row(&Row::new(alert).map_err(|refusal| ExportError::Store(refusal.message()))?)?;
                rows += 1;
            }
            progress(rows);
        }
        sink.finish()?;
        Ok(rows)
    }
}

/// Where rows go.
trait Sink {
    /// Takes one row.
    fn row(&mut self, row: &Row) -> io::Result<()>;

    /// Writes all that is left.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Writes alerts out of the store in `directory` to `out`, beside a server that
/// may have it. `query` is that of `GET /v1/export`. The audit is not told: it is
/// the server's to write, and who reads the directory needs no program of ours
/// to do so. `progress` is told how many
/// rows are written, and of how many. Returns how many there were.
///
/// # Errors
/// The query cannot be understood, or the store not be read, or `out` not be written.
pub fn export_store(
    directory: &Path,
    query: &str,
    config: &Config,
    out: impl Write + Send,
    mut progress: impl FnMut(u64, u64),
) -> Result<u64, ExportError> {
    let wanted = Wanted::read(query, config)?;
    let readers = read_beside(directory)?;
    let (total, last) = readers.count_alerts(&wanted.filter)?;
    let page = |behind| Ok(readers.alerts(&wanted.filter, Order::OldestFirst, behind, Some(last), EXPORT_PAGE)?);
    wanted.write(page, out, |rows| progress(rows, total.unsigned_abs()))
}

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
    let asked = Arc::clone(&filter);
    let (_, last) = shared.ask(move |readers| readers.count_alerts(&asked)).await?;
    let format = wanted.format;
    let who = principal.asker(&[Role::Qa, Role::Admin]);
    let (sender, receiver) = mpsc::channel(EXPORT_CHUNKS_MAX);
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let runtime = Handle::current();
        let page = |behind| {
            let filter = Arc::clone(&filter);
            let question =
                shared.ask(move |readers| readers.alerts(&filter, Order::OldestFirst, behind, Some(last), EXPORT_PAGE));
            runtime.block_on(question).map_err(|refusal| ExportError::Store(refusal.message()))
        };
        let out = Pieces { sender: sender.clone(), runtime: runtime.clone() };
        let written = wanted.write(page, out, |_| {});
        Exported { format: format.name(), written: &written }.report(&shared.metrics);
        let fact = wanted.fact(who, &written);
        let is_told = runtime.block_on(audit::keep(&shared, fact));
        // What the audit does not know of must not look whole.
        let unaudited = || ExportError::Store("审计无法写入 / the audit cannot be written".to_owned());
        if let Err(error) = written.and_then(|_| is_told.then_some(()).ok_or_else(unaudited)) {
            // The client sees a body that breaks off, and knows that it is not whole.
            let _ = runtime.block_on(sender.send(Err(io::Error::other(error))));
        }
    });
    let pieces = stream::unfold(receiver, async |mut receiver| receiver.recv().await.map(|piece| (piece, receiver)));
    let name = format!("attachment; filename=\"tingjian-alerts.{}\"", format.name());
    let mut response = Body::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    if let Ok(name) = HeaderValue::try_from(name) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// The body of an answer in the making. A client who takes nothing for
/// [`WRITE_TIMEOUT`] gets no more.
struct Pieces {
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

//! `/v1/export`: a file on its way to a client, as it is written.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::server::config::{EXPORT_CHUNKS_MAX, EXPORT_PAGE, WRITE_TIMEOUT};
use crate::server::domain::principal::{AccessRole, Principal};
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::export::{ExportError, Wanted};
use crate::server::http::openapi::{AlertParameters, ExportParameters};
use crate::server::net::reply::Unanswered;
use crate::server::runtime::Shared;
use crate::server::store::Order;
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
    let (sender, receiver) = mpsc::channel(EXPORT_CHUNKS_MAX);
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let runtime = Handle::current();
        let page = |behind| {
            let filter = Arc::clone(&filter);
            let question = shared.store.alerts(filter, Order::OldestFirst, behind, Some(last), EXPORT_PAGE);
            runtime.block_on(question).map_err(|refusal| ExportError::Store(refusal.message()))
        };
        let out = Pieces { sender: sender.clone(), runtime: runtime.clone() };
        let written = wanted.write(page, |agent_id| shared.roster.of(agent_id), out, |_| {});
        let told = written.as_ref().map(|rows| *rows).map_err(|error| error as &dyn Display);
        Exported { format: format.name(), written: told }.report(&shared.metrics);
        let fact = wanted.fact(who, &written);
        let is_told = runtime.block_on(shared.audit(fact));
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

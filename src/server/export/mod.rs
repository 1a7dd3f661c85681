//! Alerts and other lists as files: one row each, with the filters of a query, in CSV,
//! Excel, JSON Lines or Parquet. [`Row`] has the columns of alerts, [`Table`] those of other lists; each format has a
//! module that writes rows of cells.
//!
//! Rows are read in pages behind a place that never changes, so an export
//! holds no transaction open and needs the same memory whatever its length.
//! Equal alerts give equal bytes, whether the server or [`export_store`] writes them. Alerts raised
//! after an export began are not in it.

mod csv;
mod forms;
mod jsonl;
mod parquet;
mod reviewed;
mod row;
mod table;
mod xlsx;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use chrono::FixedOffset;

use crate::engine::privacy;
use crate::recording::Standing;
use crate::server::clock;
use crate::server::config::{Config, EXPORT_CHUNK_BYTES, EXPORT_PAGE, Review};
use crate::server::domain::principal::Who;
use crate::server::domain::roster::Agent;
use crate::server::domain::terms::Audited;
use crate::server::filter::{BadQuery, OF_ALERTS, Parameter, Parameters, Shape};
use crate::server::store::{AlertFilter, Fact, FoundAlert, Order, Place, StoreError, read_of};
pub(crate) use forms::{FormRow, write_forms};
pub(crate) use reviewed::reviewed_span;
pub use reviewed::{ReviewedTurn, ReviewedTurns};
use row::{Cell, Head, Row};
pub(crate) use table::{OF_SAMPLES, Table};

/// The names of the formats.
pub const FORMATS: [&str; 4] = [Format::Csv.name(), Format::Xlsx.name(), Format::Jsonl.name(), Format::Parquet.name()];

/// The parameters of an export beside the filters of alerts.
pub(crate) const OF_EXPORTS: &[Parameter] =
    &[Parameter::new("format", "The format, csv unless said / 格式，默认 csv", Shape::Names(&FORMATS))];

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
pub(crate) enum Format {
    Csv,
    Xlsx,
    Jsonl,
    Parquet,
}

impl Format {
    const ALL: [Self; 4] = [Self::Csv, Self::Xlsx, Self::Jsonl, Self::Parquet];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
        }
    }

    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Jsonl => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// The format that a request asks for.
pub(crate) fn wanted_format(parameters: &Parameters) -> Result<Format, BadQuery> {
    let format = parameters.choice("format", &Format::ALL.map(|format| (format.name(), format)))?;
    Ok(format.unwrap_or(Format::Csv))
}

/// The alerts to export, and the format.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) format: Format,
    pub(crate) filter: AlertFilter,
    zone: FixedOffset,
    review: Review,
    /// The filters as the client wrote them.
    parameters: BTreeMap<String, String>,
}

impl Wanted {
    pub(crate) fn read(query: &str, config: &Config) -> Result<Self, BadQuery> {
        let zone = config.utc_offset;
        let parameters = Parameters::of_tables(query, &[OF_EXPORTS, OF_ALERTS])?;
        Ok(Self {
            format: wanted_format(&parameters)?,
            filter: parameters.alerts(zone)?,
            zone,
            review: config.review.clone(),
            parameters: parameters.given().clone(),
        })
    }

    /// The audit entry of this export.
    pub(crate) fn fact(&self, who: Who, written: &Result<u64, ExportError>) -> Fact {
        let parameters: BTreeMap<&str, Cow<'_, str>> =
            self.parameters.iter().map(|(name, value)| (name.as_str(), privacy::mask(value))).collect();
        let detail = serde_json::json!({
            "format": self.format.name(), "query": parameters, "ok": written.is_ok(), "rows": written.as_ref().ok(),
        });
        Fact { at_ms: clock::unix_ms(), who, action: Audited::Export, subject: "alerts".to_owned(), detail }
    }

    /// Writes what `page` gives, page by page; says how many rows there were.
    pub(crate) fn write(
        &self,
        mut page: impl FnMut(Option<Place>) -> Result<Vec<FoundAlert>, ExportError>,
        agent_of: impl Fn(&str) -> Agent,
        out: impl Write + Send,
        mut progress: impl FnMut(u64),
    ) -> Result<u64, ExportError> {
        let mut sink = alerts(self.format, out, self.zone, &self.review)?;
        let (mut behind, mut rows) = (None, 0);
        loop {
            let found = page(behind)?;
            let Some(last) = found.last() else { break };
            behind = Some(last.place);
            for alert in found {
                let row = Row::new(alert, &agent_of).map_err(|refusal| ExportError::Store(refusal.message()))?;
                sink.row(&row.cells())?;
                sink.alert(&row);
                rows += 1;
            }
            progress(rows);
        }
        sink.finish()?;
        Ok(rows)
    }
}

fn alerts<'w>(
    format: Format,
    out: impl Write + Send + 'w,
    zone: FixedOffset,
    review: &Review,
) -> Result<Box<dyn Sink + 'w>, ExportError> {
    sink(format, out, zone, row::heads(), ("alerts", "预警"), Some(review))
}

/// A file of these columns; its name is that of the schema and, in Chinese, of the sheets.
fn sink<'w>(
    format: Format,
    out: impl Write + Send + 'w,
    zone: FixedOffset,
    heads: Vec<Head>,
    (name, title): (&'static str, &'static str),
    review: Option<&Review>,
) -> Result<Box<dyn Sink + 'w>, ExportError> {
    let out = BufWriter::with_capacity(EXPORT_CHUNK_BYTES, out);
    Ok(match format {
        Format::Csv => Box::new(csv::Csv::new(out, zone, &heads)?),
        Format::Jsonl => Box::new(jsonl::Jsonl::new(out, zone, heads)),
        Format::Xlsx => Box::new(xlsx::Xlsx::new(out, zone, heads, title, review)?),
        Format::Parquet => Box::new(parquet::Parquet::new(out, heads, name)?),
    })
}

/// Alerts of recorded calls as a file, in the columns of an export; those of reviews are empty.
pub struct AlertFile<'w> {
    sink: Box<dyn Sink + 'w>,
}

impl fmt::Debug for AlertFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertFile").finish_non_exhaustive()
    }
}

impl<'w> AlertFile<'w> {
    /// A file of one of [`FORMATS`], with its times in `zone`.
    ///
    /// # Errors
    /// There is no such format, or `out` cannot be written.
    pub fn new(format: &str, out: impl Write + Send + 'w, zone: FixedOffset) -> Result<Self, ExportError> {
        let format = Format::ALL.into_iter().find(|known| known.name() == format);
        let format = format.ok_or_else(|| ExportError::BadQuery(FORMATS.join(", ")))?;
        Ok(Self { sink: alerts(format, out, zone, &Review::default())? })
    }

    /// Writes one alert.
    ///
    /// # Errors
    /// It is no alert, or cannot be written.
    pub fn alert(&mut self, alert: &Standing) -> Result<(), ExportError> {
        let row = Row::checked(alert).map_err(|refusal| ExportError::Store(refusal.message()))?;
        self.sink.row(&row.cells())?;
        self.sink.alert(&row);
        Ok(())
    }

    /// Writes all that is left.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> Result<(), ExportError> {
        Ok(self.sink.finish()?)
    }
}

/// Where rows go.
trait Sink {
    /// Takes one row.
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()>;

    /// Takes the alert of the last row into its sums, where it has any.
    fn alert(&mut self, _: &Row) {}

    /// Writes all that is left.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Writes alerts from the store in `directory` to `out`, beside a server that may use it. `query`
/// is that of `GET /v1/export`. This function writes no audit entry: only the server writes the
/// audit, and anyone with access to the directory can read the file without tingjian. `progress`
/// gets the number of rows written and of all rows. Returns how many there were.
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
    let readers = read_of(config, directory, true)?;
    let (total, last) = readers.count_alerts(&wanted.filter)?;
    let page = |behind| Ok(readers.alerts(&wanted.filter, Order::OldestFirst, behind, Some(last), EXPORT_PAGE)?);
    let roster = readers.roster()?;
    let agent_of = |agent_id: &str| roster.of(agent_id).cloned().unwrap_or_default();
    wanted.write(page, agent_of, out, |rows| progress(rows, total.unsigned_abs()))
}

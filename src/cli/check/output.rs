//! Where alerts go: standard output or a file, as text, JSON Lines or in the columns of an export; faults and
//! the progress go to standard error.

use std::fmt;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use chrono::FixedOffset;
use tingjian::server::{AlertFile, ExportError};

use super::super::complain;
use super::super::export::whole_file;
use super::super::progress::Progress as Bar;
use super::judge::Message;
use super::{Done, OutputFormat, Verdict};

/// How often the progress is redrawn.
const REDRAW: Duration = Duration::from_millis(200);
/// The bar, in characters.
const BAR_WIDTH: u64 = 24;

/// Why the result cannot be written.
#[derive(Debug)]
pub(super) enum Fault {
    /// Who reads it has seen enough.
    Closed,
    Io(io::Error),
    Export(ExportError),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Io(error) }
    }
}

impl From<ExportError> for Fault {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Io(error) => error.into(),
            other => Self::Export(other),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("无法写出 / cannot be written"),
            Self::Io(error) => write!(f, "无法写出 / cannot be written: {error}"),
            Self::Export(error) => error.fmt(f),
        }
    }
}

/// What is written to.
enum Sink<'w> {
    Text(Box<dyn Write + Send + 'w>),
    Alerts(AlertFile<'w>),
}

pub(super) struct Output<'w> {
    sink: Sink<'w>,
    format: OutputFormat,
    progress: &'w Progress<'w>,
    told_percent: u64,
    bar: Bar,
}

/// The share of the inputs that is judged.
#[derive(Debug)]
pub(super) struct Progress<'d> {
    total: u64,
    done: &'d Done,
}

impl<'d> Progress<'d> {
    pub(super) const fn new(total: u64, done: &'d Done) -> Self {
        Self { total, done }
    }

    fn percent(&self) -> u64 {
        (self.done.bytes.load(Ordering::Relaxed).min(self.total) * 100).checked_div(self.total).unwrap_or_default()
    }
}

impl fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (calls, alerts) = (count(&self.done.calls), count(&self.done.alerts));
        if self.total > 0 {
            let percent = self.percent();
            let filled = percent * BAR_WIDTH / 100;
            for place in 0..BAR_WIDTH {
                f.write_str(if place < filled { "█" } else { "░" })?;
            }
            write!(f, " {percent} % · ")?;
        }
        write!(f, "{calls} 通 calls · {alerts} 条 alerts")
    }
}

/// Runs `work` with where its result goes: `path`, or standard output. A reader that has seen enough still has
/// the verdict over what it read.
///
/// # Errors
/// It cannot be written, ready to print.
pub(super) fn write(
    path: Option<&Path>,
    format: OutputFormat,
    zone: FixedOffset,
    progress: &Progress<'_>,
    work: impl FnOnce(&mut Output<'_>, &mut Verdict) -> Result<(), Fault>,
) -> Result<Verdict, String> {
    let mut verdict = Verdict::default();
    match path.filter(|path| *path != Path::new("-")) {
        None => {
            let out = io::stdout();
            // On a terminal the alerts are the progress.
            let is_watched = !out.is_terminal();
            let written = sink(out, format, zone, anstream::AutoStream::auto)
                .and_then(|sink| Output::new(sink, format, progress, is_watched).run(work, &mut verdict));
            match written {
                Ok(()) | Err(Fault::Closed) => {}
                Err(fault) => return Err(format!("标准输出 / standard output: {fault}")),
            }
        }
        Some(path) => whole_file(path, |file| {
            sink(file, format, zone, anstream::StripStream::new)
                .and_then(|sink| Output::new(sink, format, progress, true).run(work, &mut verdict))
                .map_err(|fault| format!("{}: {fault}", path.display()))
        })?,
    }
    Ok(verdict)
}

/// Where alerts of that format go; text by way of `plain`, which takes away the colours that are not wanted.
fn sink<'w, W: Write + Send + 'w, T: Write + Send + 'w>(
    out: W,
    format: OutputFormat,
    zone: FixedOffset,
    plain: impl FnOnce(W) -> T,
) -> Result<Sink<'w>, Fault> {
    Ok(match format.of_export() {
        Some(name) => Sink::Alerts(AlertFile::new(name, out, zone)?),
        None => Sink::Text(Box::new(BufWriter::new(plain(out)))),
    })
}

impl<'w> Output<'w> {
    fn new(sink: Sink<'w>, format: OutputFormat, progress: &'w Progress<'w>, is_watched: bool) -> Self {
        let bar = if is_watched { Bar::new("检查 checking") } else { Bar::silent() };
        Self { sink, format, progress, told_percent: 0, bar }
    }

    fn run(
        mut self,
        work: impl FnOnce(&mut Output<'_>, &mut Verdict) -> Result<(), Fault>,
        verdict: &mut Verdict,
    ) -> Result<(), Fault> {
        let worked = work(&mut self, verdict);
        self.bar.end();
        worked?;
        self.finish(*verdict)
    }

    /// Writes what a job tells.
    pub(super) fn job(&mut self, messages: &Receiver<Message>, verdict: &mut Verdict) -> Result<(), Fault> {
        loop {
            let message = match messages.recv_timeout(REDRAW) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => {
                    self.bar.tell(format_args!("{}", self.progress));
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            match (message, &mut self.sink) {
                (Message::Text(text), Sink::Text(out)) => out.write_all(&text)?,
                (Message::Alerts(alerts), Sink::Alerts(file)) => {
                    alerts.iter().try_for_each(|alert| file.alert(alert))?;
                }
                // A format has one or the other.
                (Message::Text(_) | Message::Alerts(_), _) => {}
                (Message::Fault(fault), _) => {
                    verdict.is_broken = true;
                    self.bar.end();
                    complain(fault);
                }
                (Message::Remark(remark), _) => {
                    self.bar.end();
                    complain(remark);
                }
                (Message::Counts { calls, violations }, _) => {
                    verdict.calls += calls;
                    verdict.violations += violations;
                    let percent = self.progress.percent();
                    if percent != self.told_percent {
                        self.told_percent = percent;
                        self.bar.tell(format_args!("{}", self.progress));
                    }
                }
            }
        }
    }

    fn finish(self, verdict: Verdict) -> Result<(), Fault> {
        match self.sink {
            Sink::Text(mut out) => {
                if self.format == OutputFormat::Text {
                    writeln!(out, "{} 通通话，{} 条违规", verdict.calls, verdict.violations)?;
                }
                out.flush()?;
            }
            Sink::Alerts(file) => file.finish()?,
        }
        Ok(())
    }
}

//! Judges calls: a recording of events line by line, or calls of a table, and tells what was found.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::SyncSender;

use tingjian::adapter::native::{self, Event, EventBody};
use tingjian::adapter::table::WholeCall;
use tingjian::engine::alert::Alert;
use tingjian::recording::{self, Judging, Recording, Standing};
use tingjian::session::{self, Session};

use super::super::lines::Lines;
use super::super::show;
use super::{Done, OutputFormat};

/// What is told is handed over when it is so long.
const CHUNK_BYTES: usize = 64 * 1024;
/// Alerts that are handed over together.
const CHUNK_ALERTS: usize = 256;

/// What is judged, and what is told of it.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) judging: Judging,
    pub(super) format: OutputFormat,
    pub(super) all_states: bool,
}

/// A part of the inputs.
pub(super) struct Job {
    /// What of it cannot be used, as far as is known.
    pub(super) faults: Vec<String>,
    pub(super) calls: Calls,
    /// Its share of the files, in bytes.
    pub(super) bytes: u64,
}

/// The calls of a job.
pub(super) enum Calls {
    Recording(Box<Lines>),
    Whole(Vec<WholeCall>),
}

/// What a job tells, in its order.
pub(super) enum Message {
    Text(Vec<u8>),
    Alerts(Vec<Standing>),
    Fault(String),
    Remark(String),
    Counts { calls: usize, violations: usize },
}

/// Judges a job. That whoever reads the report is gone is no fault.
pub(super) fn judge(job: Job, plan: &Plan, mut report: Report<'_>) {
    let _ = report.job(job, plan);
}

/// Runs `judging`; a panic of the engine is a fault of these calls alone.
fn guarded<T>(judging: impl FnOnce() -> io::Result<T>) -> io::Result<Result<T, &'static str>> {
    match catch_unwind(AssertUnwindSafe(judging)) {
        Ok(judged) => judged.map(Ok),
        Err(_) => Ok(Err("内部出错，没有检查完 / an internal fault: it was not checked to its end")),
    }
}

/// Tells what a job finds, until whoever writes it is gone.
pub(super) struct Report<'p> {
    format: OutputFormat,
    all_states: bool,
    done: &'p Done,
    messages: SyncSender<Message>,
    text: Vec<u8>,
    calls: usize,
    violations: usize,
}

impl<'p> Report<'p> {
    pub(super) fn new(plan: &Plan, done: &'p Done, messages: SyncSender<Message>) -> Self {
        let Plan { format, all_states, .. } = *plan;
        Self { format, all_states, done, messages, text: Vec::new(), calls: 0, violations: 0 }
    }

    fn job(&mut self, job: Job, plan: &Plan) -> io::Result<()> {
        for fault in job.faults {
            self.fault(fault)?;
        }
        match job.calls {
            Calls::Recording(lines) => {
                let name = lines.name().to_owned();
                if let Err(fault) = guarded(|| self.recording(*lines, plan))? {
                    self.fault(format!("{name}: {fault}"))?;
                }
            }
            Calls::Whole(calls) => {
                for call in calls {
                    self.whole(call, plan)?;
                }
                Done::count(&self.done.bytes, usize::try_from(job.bytes).unwrap_or(usize::MAX));
            }
        }
        self.hand_over()?;
        self.tell(Message::Counts { calls: self.calls, violations: self.violations })
    }

    /// Judges a recording of events. Faults of its lines are told, and the rest is judged.
    fn recording(&mut self, mut lines: Lines, plan: &Plan) -> io::Result<()> {
        let mut recording = Recording::new(&plan.judging);
        let mut told_packs = false;
        while let Some(line) = lines.next_line() {
            let event = line.and_then(|text| native::parse(text).map_err(|error| error.to_string()));
            Done::count(&self.done.bytes, lines.line_bytes());
            if let Ok(Event { body: EventBody::Start(info), .. }) = &event
                && !told_packs
                && let Some(remark) = session::unknown_packs(&plan.judging.rules, info)
            {
                told_packs = true;
                self.tell(Message::Remark(format!("{}:{}: {remark}", lines.name(), lines.number())))?;
            }
            let before = recording.begun();
            let outcome = match event {
                Ok(event) => recording.take(event, &mut |session, alert| self.transition(session, alert))?,
                Err(fault) => Err(fault),
            };
            self.calls(recording.begun() - before);
            if let Err(fault) = outcome {
                self.fault(format!("{}:{}: {fault}", lines.name(), lines.number()))?;
            }
        }
        let mut standing = recording.finish(&mut |session, alert| self.transition(session, alert))?;
        if self.format == OutputFormat::Jsonl {
            recording::by_time(&mut standing);
        }
        self.stand(standing)
    }

    /// Judges one call of a table.
    fn whole(&mut self, call: WholeCall, plan: &Plan) -> io::Result<()> {
        self.calls(1);
        let name = show::plain(&call.info.call_id);
        let judged =
            guarded(|| recording::judge(call, &plan.judging, &mut |session, alert| self.transition(session, alert)))?;
        match judged {
            Ok(standing) => self.stand(standing),
            Err(fault) => self.fault(format!("{name}: {fault}")),
        }
    }

    fn calls(&mut self, more: usize) {
        self.calls += more;
        Done::count(&self.done.calls, more);
    }

    fn fault(&mut self, fault: String) -> io::Result<()> {
        self.hand_over()?;
        self.tell(Message::Fault(fault))
    }

    fn transition(&mut self, session: &Session, alert: &Alert) -> io::Result<()> {
        if !self.all_states {
            return Ok(());
        }
        let wire = session.to_wire(alert);
        match self.format {
            OutputFormat::Text => show::alert(&mut self.text, &wire)?,
            _ => self.line(&wire.to_json()),
        }
        self.hand_over_full()
    }

    fn stand(&mut self, standing: Vec<Standing>) -> io::Result<()> {
        self.violations += standing.len();
        Done::count(&self.done.alerts, standing.len());
        if self.all_states {
            return Ok(());
        }
        let mut alerts = Vec::new();
        for alert in standing {
            match self.format {
                OutputFormat::Jsonl => self.line(&alert.json),
                OutputFormat::Text => {
                    show::alert(&mut self.text, &serde_json::from_str(&alert.json).map_err(io::Error::other)?)?;
                }
                _ => alerts.push(alert),
            }
            self.hand_over_full()?;
            if alerts.len() == CHUNK_ALERTS {
                self.tell(Message::Alerts(std::mem::take(&mut alerts)))?;
            }
        }
        if alerts.is_empty() { Ok(()) } else { self.tell(Message::Alerts(alerts)) }
    }

    fn line(&mut self, json: &str) {
        self.text.extend_from_slice(json.as_bytes());
        self.text.push(b'\n');
    }

    fn hand_over_full(&mut self) -> io::Result<()> {
        if self.text.len() < CHUNK_BYTES { Ok(()) } else { self.hand_over() }
    }

    fn hand_over(&mut self) -> io::Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        let text = std::mem::take(&mut self.text);
        self.tell(Message::Text(text))
    }

    fn tell(&self, message: Message) -> io::Result<()> {
        self.messages.send(message).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

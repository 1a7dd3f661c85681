//! Judges calls: a recording of events line by line, or calls of a table, and tells what was found.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use tingjian::adapter::native::{self, Event, EventBody, Number};
use tingjian::adapter::table::WholeCall;
use tingjian::engine::alert::{Alert, AlertState};
use tingjian::engine::rule::RuleSet;
use tingjian::server::CheckedAlert;
use tingjian::session::{self, Session};

use super::super::lines::Lines;
use super::super::show;
use super::{Done, OutputFormat};

/// Calls in progress in one file.
const CALLS_MAX: usize = 100_000;
/// Calls of one file that have ended and still wait for late finals: then, or at the end of the file, they are finished.
const ENDED_CALLS_MAX: usize = 1_024;
/// What is told is handed over when it is so long.
const CHUNK_BYTES: usize = 64 * 1024;
/// Alerts that are handed over together.
const CHUNK_ALERTS: usize = 256;

/// What is judged, and what is told of it.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) rules: Arc<RuleSet>,
    pub(super) format: OutputFormat,
    pub(super) all_states: bool,
    pub(super) held: bool,
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
    Alerts(Vec<CheckedAlert>),
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

/// The calls of one recording.
struct Recording<'p> {
    plan: &'p Plan,
    calls: HashMap<String, Open>,
    /// The calls that have ended, the longest ago first, with their places.
    ended: VecDeque<(String, usize)>,
    next_number: usize,
    /// Alerts that stand, of the calls that are finished.
    standing: Vec<Standing>,
}

/// An alert that stands in the end.
struct Standing {
    /// The place of its call.
    number: usize,
    at: i64,
    alert_id: String,
    alert: CheckedAlert,
}

/// A call that is judged.
struct Open {
    /// Its place among the calls of the file.
    number: usize,
    session: Session,
    /// Each alert as it is now, with the states that it had.
    alerts: BTreeMap<String, (Alert, String)>,
}

impl Open {
    fn new(plan: &Plan, number: usize, info: tingjian::engine::transcript::CallInfo, of_start: &Number) -> Self {
        Self { number, session: Session::new(Arc::clone(&plan.rules), info, of_start), alerts: BTreeMap::new() }
    }

    /// Takes what the engine says.
    fn drain(&mut self, plan: &Plan, report: &mut Report<'_>) -> io::Result<()> {
        while let Some(alert) = self.session.poll_output() {
            if alert.held && !plan.held {
                continue;
            }
            report.transition(&self.session, &alert)?;
            let state = alert.state.name();
            match self.alerts.get_mut(&alert.alert_id) {
                Some((last, history)) => {
                    history.push(' ');
                    history.push_str(state);
                    *last = alert;
                }
                None => {
                    self.alerts.insert(alert.alert_id.clone(), (alert, state.to_owned()));
                }
            }
        }
        Ok(())
    }

    /// Nothing more will come: the alerts that stand.
    fn finish(mut self, plan: &Plan, report: &mut Report<'_>) -> io::Result<Vec<Standing>> {
        self.session.finish();
        self.drain(plan, report)?;
        let confirmed = self.alerts.into_iter().filter(|(_, (alert, _))| alert.state == AlertState::Confirmed);
        let info = self.session.info();
        let of_export = plan.format.of_export().is_some();
        let standing = confirmed.map(|(alert_id, (alert, history))| {
            // Files leave the hands of who may read the words, so they are masked as all exports.
            let wire = if of_export { self.session.to_masked_wire(&alert) } else { self.session.to_wire(&alert) };
            let checked = CheckedAlert {
                json: wire.to_json(),
                said_ms: info.started_at.timestamp_millis().saturating_add(alert.at.0),
                queue: info.queue.clone(),
                history,
            };
            Standing { number: self.number, at: alert.at.0, alert_id, alert: checked }
        });
        Ok(standing.collect())
    }
}

impl<'p> Recording<'p> {
    fn new(plan: &'p Plan) -> Self {
        Self { plan, calls: HashMap::new(), ended: VecDeque::new(), next_number: 0, standing: Vec::new() }
    }

    /// Takes one event. The inner error is a fault of the event.
    fn take(&mut self, event: Event, report: &mut Report<'_>) -> io::Result<Result<(), String>> {
        let Event { call_id, number, body } = event;
        let input = match body {
            EventBody::Start(info) => {
                match self.calls.get(&call_id).map(|open| open.session.info().started_at.timestamp_millis()) {
                    // A second start of a call changes nothing, as in the server; one at another time is another call.
                    Some(started_ms) if started_ms == info.started_at.timestamp_millis() => return Ok(Ok(())),
                    Some(_) => self.finish_call(&call_id, report)?,
                    None => {}
                }
                if self.calls.len() >= CALLS_MAX {
                    return Ok(Err(format!(
                        "同时进行的通话超过 {CALLS_MAX} 通 / more than {CALLS_MAX} calls in progress"
                    )));
                }
                let mut open = Open::new(self.plan, self.next_number, *info, &number);
                self.next_number += 1;
                report.call();
                open.drain(self.plan, report)?;
                self.calls.insert(call_id, open);
                return Ok(Ok(()));
            }
            EventBody::Input(input) => input,
        };
        let Some(open) = self.calls.get_mut(&call_id) else {
            return Ok(Err(format!(
                "通话 {0} 没有 call.start，或早已结束 / call {0} has no call.start, or ended long ago",
                show::plain(&call_id)
            )));
        };
        let had_ended = open.session.ended();
        open.session.take(&number, input);
        let (has_ended, place) = (open.session.ended(), open.number);
        open.drain(self.plan, report)?;
        if has_ended && !had_ended {
            self.ended.push_back((call_id, place));
            if self.ended.len() > ENDED_CALLS_MAX
                && let Some((oldest, place)) = self.ended.pop_front()
                // The id may be that of another call by now.
                && self.calls.get(&oldest).is_some_and(|open| open.number == place)
            {
                self.finish_call(&oldest, report)?;
            }
        }
        Ok(Ok(()))
    }

    /// Finishes the calls that are left, in order of appearance, and returns the alerts that stand.
    fn finish(mut self, report: &mut Report<'_>) -> io::Result<Vec<Standing>> {
        let mut left: Vec<Open> = std::mem::take(&mut self.calls).into_values().collect();
        left.sort_unstable_by_key(|open| open.number);
        for open in left {
            self.standing.extend(open.finish(self.plan, report)?);
        }
        Ok(self.standing)
    }

    fn finish_call(&mut self, call_id: &str, report: &mut Report<'_>) -> io::Result<()> {
        if let Some(open) = self.calls.remove(call_id) {
            self.standing.extend(open.finish(self.plan, report)?);
        }
        Ok(())
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
        let mut recording = Recording::new(plan);
        let mut told_packs = false;
        while let Some(line) = lines.next_line() {
            let event = line.and_then(|text| native::parse(text).map_err(|error| error.to_string()));
            Done::count(&self.done.bytes, lines.line_bytes());
            if let Ok(Event { body: EventBody::Start(info), .. }) = &event
                && !told_packs
                && let Some(remark) = session::unknown_packs(&plan.rules, info)
            {
                told_packs = true;
                self.tell(Message::Remark(format!("{}:{}: {remark}", lines.name(), lines.number())))?;
            }
            let outcome = match event {
                Ok(event) => recording.take(event, self)?,
                Err(fault) => Err(fault),
            };
            if let Err(fault) = outcome {
                self.fault(format!("{}:{}: {fault}", lines.name(), lines.number()))?;
            }
        }
        let mut standing = recording.finish(self)?;
        if self.format == OutputFormat::Jsonl {
            standing.sort_unstable_by(|a, b| (a.at, &a.alert_id, a.number).cmp(&(b.at, &b.alert_id, b.number)));
        } else {
            standing.sort_unstable_by(|a, b| (a.number, a.at, &a.alert_id).cmp(&(b.number, b.at, &b.alert_id)));
        }
        self.stand(standing)
    }

    /// Judges one call of a table.
    fn whole(&mut self, call: WholeCall, plan: &Plan) -> io::Result<()> {
        self.call();
        let number = Number::default();
        let name = show::plain(&call.info.call_id);
        let judged = guarded(|| {
            let mut open = Open::new(plan, 0, call.info, &number);
            for input in call.inputs {
                open.session.take(&number, input);
                open.drain(plan, self)?;
            }
            open.finish(plan, self)
        })?;
        let mut standing = match judged {
            Ok(standing) => standing,
            Err(fault) => return self.fault(format!("{name}: {fault}")),
        };
        standing.sort_unstable_by(|a, b| (a.at, &a.alert_id).cmp(&(b.at, &b.alert_id)));
        self.stand(standing)
    }

    fn call(&mut self) {
        self.calls += 1;
        Done::count(&self.done.calls, 1);
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
        for Standing { alert, .. } in standing {
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

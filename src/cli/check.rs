//! `tingjian check FILE…`: recorded calls in, alerts out.
//!
//! A file is read line by line and may hold many calls, interleaved. Only its
//! events move a call's clock. Memory does not grow with the length of a
//! recording but with its calls in progress, of which [`CALLS_MAX`] are
//! allowed, and its confirmed alerts, which are sorted at the end. A call that
//! has ended stays open for late finals until [`ENDED_CALLS_MAX`] others have
//! ended after it; then, or at the end of the file, it is finished.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum;
use tingjian::adapter::alert_json::AlertJson;
use tingjian::adapter::native::{self, Event, EventBody};
use tingjian::engine::alert::AlertState;
use tingjian::engine::rule::RuleSet;
use tingjian::session::{self, Session};

use super::lines::Lines;
use super::load::load_named;
use super::source::RuleFlags;
use super::{EXIT_UNUSABLE, complain, show};

/// Calls in progress in one file.
const CALLS_MAX: usize = 100_000;
/// Calls of one file that have ended and still wait for late finals.
const ENDED_CALLS_MAX: usize = 1_024;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// 录音事件文件（JSON Lines），- 为标准输入 / Recorded events (JSON Lines); - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    origin: RuleFlags,
    /// 输出格式 / Output format
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    format: OutputFormat,
    /// 输出每次状态变化，而不只是最终确认的预警 / Every transition, not only the alerts that stand in the end
    #[arg(long)]
    all_states: bool,
    /// 也输出把握不足、只留给质检的预警 / Also the alerts that are too unsure to be shown (`held`)
    #[arg(long)]
    held: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OutputFormat {
    /// 给人看 / For people
    Text,
    /// 每行一条预警 / One alert a line
    Jsonl,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let rules = match load_named(&arguments.origin) {
        Ok(rules) => rules,
        Err(error) => {
            complain(error);
            return ExitCode::from(EXIT_UNUSABLE);
        }
    };
    let stdout = anstream::stdout().lock();
    let mut report = Report {
        out: io::BufWriter::new(stdout),
        format: arguments.format,
        all_states: arguments.all_states,
        held: arguments.held,
        violations: 0,
        calls: 0,
        broken: false,
    };
    let result =
        arguments.files.iter().try_for_each(|path| check_file(path, &rules, &mut report)).and_then(|()| report.close());
    match result {
        // The reader went away (`| head`): what it read still has its verdict.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => {
            complain(format_args!("无法写标准输出 / cannot write standard output: {error}"));
            return ExitCode::from(EXIT_UNUSABLE);
        }
        Ok(()) => {}
    }
    if report.broken {
        ExitCode::from(EXIT_UNUSABLE)
    } else if report.violations > 0 {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    }
}

/// Checks one file. An error is one of standard output; faults of the file are
/// told and remembered in `report`.
fn check_file<W: Write>(path: &Path, rules: &Arc<RuleSet>, report: &mut Report<W>) -> io::Result<()> {
    let mut lines = match Lines::open(path) {
        Ok(lines) => lines,
        Err(fault) => {
            report.broken(format_args!("{fault}"));
            return Ok(());
        }
    };
    let mut recording = Recording::new(Arc::clone(rules));
    let mut told_packs = false;
    while let Some(line) = lines.next_line() {
        let event = line.and_then(|text| native::parse(text).map_err(|error| error.to_string()));
        if let Ok(Event { body: EventBody::Start(info), .. }) = &event
            && !told_packs
            && let Some(remark) = session::unknown_packs(rules, info)
        {
            told_packs = true;
            complain(format_args!("{}:{}: {remark}", lines.name(), lines.number()));
        }
        let outcome = match event {
            Ok(event) => recording.take(event, report)?,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = outcome {
            report.broken(format_args!("{}:{}: {fault}", lines.name(), lines.number()));
        }
    }
    recording.finish(report)
}

/// The calls of one file.
struct Recording {
    rules: Arc<RuleSet>,
    calls: HashMap<String, Open>,
    /// The calls that have ended, the longest ago first, with their places.
    ended: VecDeque<(String, usize)>,
    next_number: usize,
    /// Alerts that stand as things are, by call in order of appearance, time and id.
    standing: BTreeMap<(usize, i64, String), String>,
}

struct Open {
    /// Its place among the calls of the file.
    number: usize,
    session: Session,
    /// The time at which each confirmed alert of the call is in `standing`.
    standing_at: HashMap<String, i64>,
}

impl Recording {
    fn new(rules: Arc<RuleSet>) -> Self {
        Self { rules, calls: HashMap::new(), ended: VecDeque::new(), next_number: 0, standing: BTreeMap::new() }
    }

    /// Takes one event. The inner error is a fault of the event.
    fn take<W: Write>(&mut self, event: Event, report: &mut Report<W>) -> io::Result<Result<(), String>> {
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
                let session = Session::new(Arc::clone(&self.rules), *info, &number);
                let open = Open { number: self.next_number, session, standing_at: HashMap::new() };
                self.next_number += 1;
                report.calls += 1;
                self.calls.insert(call_id.clone(), open);
                return self.drain(&call_id, report).map(Ok);
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
        self.drain(&call_id, report)?;
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

    /// Finishes the calls that are left, in order of appearance, and reports
    /// the alerts that stand.
    fn finish<W: Write>(mut self, report: &mut Report<W>) -> io::Result<()> {
        let mut left: Vec<(usize, String)> =
            self.calls.iter().map(|(call_id, open)| (open.number, call_id.clone())).collect();
        left.sort_unstable();
        for (_, call_id) in left {
            self.finish_call(&call_id, report)?;
        }
        report.finals(self.standing)
    }

    fn finish_call<W: Write>(&mut self, call_id: &str, report: &mut Report<W>) -> io::Result<()> {
        if let Some(open) = self.calls.get_mut(call_id) {
            open.session.finish();
        }
        self.drain(call_id, report)?;
        self.calls.remove(call_id);
        Ok(())
    }

    fn drain<W: Write>(&mut self, call_id: &str, report: &mut Report<W>) -> io::Result<()> {
        let Some(open) = self.calls.get_mut(call_id) else { return Ok(()) };
        while let Some(alert) = open.session.poll_output() {
            if alert.held && !report.held {
                continue;
            }
            let wire = open.session.to_wire(&alert);
            report.transition(&wire)?;
            let id = alert.alert_id.clone();
            if let Some(at) = open.standing_at.remove(&id) {
                self.standing.remove(&(open.number, at, id.clone()));
            }
            if alert.state == AlertState::Confirmed {
                self.standing.insert((open.number, alert.at.0, id.clone()), wire.to_json());
                open.standing_at.insert(id, alert.at.0);
            }
        }
        Ok(())
    }
}

/// Where the alerts go, and the verdict so far.
struct Report<W: Write> {
    out: W,
    format: OutputFormat,
    all_states: bool,
    held: bool,
    violations: usize,
    calls: usize,
    broken: bool,
}

impl<W: Write> Report<W> {
    fn broken(&mut self, fault: std::fmt::Arguments<'_>) {
        self.broken = true;
        complain(fault);
    }

    fn transition(&mut self, alert: &AlertJson<'_>) -> io::Result<()> {
        match (self.all_states, self.format) {
            (false, _) => Ok(()),
            (true, OutputFormat::Jsonl) => writeln!(self.out, "{}", alert.to_json()),
            (true, OutputFormat::Text) => show::alert(&mut self.out, alert),
        }
    }

    fn finals(&mut self, standing: BTreeMap<(usize, i64, String), String>) -> io::Result<()> {
        self.violations += standing.len();
        if self.all_states {
            return Ok(());
        }
        match self.format {
            OutputFormat::Jsonl => {
                let mut standing: Vec<_> =
                    standing.into_iter().map(|((number, at, id), json)| (at, id, number, json)).collect();
                standing.sort_unstable();
                standing.iter().try_for_each(|(.., json)| writeln!(self.out, "{json}"))
            }
            OutputFormat::Text => standing.into_values().try_for_each(|json| {
                let alert: AlertJson<'_> = serde_json::from_str(&json).map_err(io::Error::other)?;
                show::alert(&mut self.out, &alert)
            }),
        }
    }

    fn close(&mut self) -> io::Result<()> {
        if self.format == OutputFormat::Text {
            writeln!(self.out, "{} 通通话，{} 条违规", self.calls, self.violations)?;
        }
        self.out.flush()
    }
}

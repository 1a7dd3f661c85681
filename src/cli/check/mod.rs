//! `tingjian check INPUT…`: recorded calls in, alerts out.
//!
//! An input is a file, a directory, a pattern or standard input. One thread finds the calls
//! (`read.rs`): a recording of events is read by whoever judges it, line by line; a table is read whole,
//! and its calls are handed out some at a time. All cores judge (`judge.rs`). What they find is written in the
//! order of the inputs (`output.rs`), so that the result does not depend on how many they are.
//!
//! Memory does not grow with the length of a recording, but with its calls in progress and its alerts;
//! a worker whose turn to be written has not come waits once it has some to say.

mod files;
mod judge;
mod mapping;
mod output;
mod read;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};

use clap::ValueEnum;
use tingjian::backtest::all_cores;
use tingjian::recording::Judging;

use super::load::load_rules;
use super::serve::unusable;
use super::source::{Origin, RuleFlags};
use super::{EXIT_UNUSABLE, complain};
use judge::{Job, Message, Report};
use mapping::MappingArguments;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// 录音：事件文件（JSON Lines），或表格（CSV、Excel、Parquet、每行一通的 JSON Lines）；可以是目录或 'a/*.csv'，- 为标准输入 / Recordings: events (JSON Lines), or tables (CSV, Excel, Parquet, JSON Lines of rows or whole calls); directories and 'a/*.csv' too; - is standard input
    #[arg(required = true, value_name = "INPUT")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    rules: RuleFlags,
    /// 输出格式，默认看 -o 的文件名，否则 text / Output format; by default as the name of -o says, else text
    #[arg(long, value_enum)]
    format: Option<OutputFormat>,
    /// 写到这个文件；默认标准输出 / Where to write; default: standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// 输出每次状态变化，而不只是最终确认的预警 / Every transition, not only the alerts that stand in the end
    #[arg(long)]
    all_states: bool,
    /// 也输出把握不足、只留给质检的预警 / Also the alerts that are too unsure to be shown (`held`)
    #[arg(long)]
    held: bool,
    /// 用几个线程，默认全部核心；结果与此无关 / Threads; default: all cores. The result does not depend on it
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    mapping: MappingArguments,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// 给人看 / For people
    Text,
    /// 每行一条预警 / One alert a line
    Jsonl,
    /// 表格，列同导出 / A table with the columns of an export
    Csv,
    /// Excel 工作簿，列同导出 / A workbook with the columns of an export
    Xlsx,
    /// Parquet，列同导出 / Parquet with the columns of an export
    Parquet,
}

impl OutputFormat {
    /// The name of the export format that it is.
    const fn of_export(self) -> Option<&'static str> {
        match self {
            Self::Text | Self::Jsonl => None,
            Self::Csv => Some("csv"),
            Self::Xlsx => Some("xlsx"),
            Self::Parquet => Some("parquet"),
        }
    }
}

/// How far it is, for the progress.
#[derive(Debug, Default)]
struct Done {
    bytes: AtomicU64,
    calls: AtomicU64,
    alerts: AtomicU64,
}

impl Done {
    fn count(counter: &AtomicU64, more: usize) {
        counter.fetch_add(more as u64, Ordering::Relaxed);
    }
}

/// The verdict over all inputs.
#[derive(Clone, Copy, Debug, Default)]
struct Verdict {
    calls: usize,
    violations: usize,
    is_broken: bool,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match arguments.check() {
        Err(fault) => unusable(fault),
        Ok(verdict) if verdict.is_broken => ExitCode::from(EXIT_UNUSABLE),
        Ok(verdict) if verdict.violations > 0 => ExitCode::from(1),
        Ok(_) => ExitCode::SUCCESS,
    }
}

impl Arguments {
    fn check(&self) -> Result<Verdict, String> {
        let format = self.format()?;
        let config = self.rules.config()?;
        let zone = self.mapping.zone()?.unwrap_or(config.utc_offset);
        let mapping = self.mapping.read(zone)?;
        let rules = load_rules(&Origin::of(&config))?;
        let found = files::find(&self.files);
        let is_broken = !found.faults.is_empty();
        found.faults.iter().for_each(complain);
        let total = found.files.iter().map(files::size).sum();
        let done = Done::default();
        // Files leave the hands of who may read the words, so they are masked as all exports.
        let judging = Judging { rules, held: self.held, masked: format.of_export().is_some() };
        let plan = judge::Plan { judging, format, all_states: self.all_states };
        let progress = output::Progress::new(total, &done);
        let workers = self.jobs.unwrap_or_else(all_cores);
        let mut verdict = output::write(self.output.as_deref(), format, zone, &progress, |output, verdict| {
            in_order(workers, &plan, &done, |hand| read::all(&found.files, &mapping, hand), output, verdict)
        })?;
        verdict.is_broken |= is_broken;
        Ok(verdict)
    }

    fn format(&self) -> Result<OutputFormat, String> {
        let named = self.output.as_deref().and_then(super::sheet::extension);
        let format = match (self.format, named.as_deref()) {
            (Some(format), _) => format,
            (None, Some("jsonl" | "ndjson")) => OutputFormat::Jsonl,
            (None, Some("csv")) => OutputFormat::Csv,
            (None, Some("xlsx")) => OutputFormat::Xlsx,
            (None, Some("parquet")) => OutputFormat::Parquet,
            (None, None | Some("txt" | "log")) => OutputFormat::Text,
            (None, Some(other)) => {
                return Err(format!(
                    "-o 的文件名以 .{other} 结尾，不知道写成什么：改用 .txt、.jsonl、.csv、.xlsx 或 .parquet，或用 --format 指明 / -o ends in .{other}: end it in .txt, .jsonl, .csv, .xlsx or .parquet, or give --format"
                ));
            }
        };
        if self.all_states && format.of_export().is_some() {
            return Err("--all-states 只能和 text、jsonl 一起用：表格每行是一条预警 / --all-states goes with text and jsonl only: a row of a table is an alert".to_owned());
        }
        Ok(format)
    }
}

/// Jobs that wait for a worker, for each of them.
const JOBS_WAITING: usize = 4;
/// Messages of a job that wait to be written.
const MESSAGES_WAITING: usize = 4;

/// Judges what `find` hands out, on so many threads, and writes it in the order in which it was handed out.
fn in_order(
    workers: NonZeroUsize,
    plan: &judge::Plan,
    done: &Done,
    find: impl FnOnce(&mut dyn FnMut(Job) -> bool) + Send,
    output: &mut output::Output<'_>,
    verdict: &mut Verdict,
) -> Result<(), output::Fault> {
    let waiting = workers.get() * JOBS_WAITING;
    let (jobs, todo) = sync_channel::<(Job, Report<'_>)>(waiting);
    let (turns, in_turn) = sync_channel::<Receiver<Message>>(waiting);
    let todo = Mutex::new(todo);
    std::thread::scope(|scope| {
        for _ in 0..workers.get() {
            scope.spawn(|| {
                loop {
                    let next = todo.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((job, report)) = next else { break };
                    judge::judge(job, plan, report);
                }
            });
        }
        scope.spawn(move || {
            find(&mut |job| {
                let (sender, receiver) = sync_channel(MESSAGES_WAITING);
                // Whoever writes is gone when nobody reads it any more.
                turns.send(receiver).is_ok() && jobs.send((job, Report::new(plan, done, sender))).is_ok()
            });
        });
        let written = in_turn.iter().try_for_each(|messages| output.job(&messages, verdict));
        // The finder must not wait for a turn that nobody takes.
        drop(in_turn);
        written
    })
}

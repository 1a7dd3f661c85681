//! `tingjian backtest`: what other rules would have said of stored or recorded
//! calls. Nothing is changed: not the rules in use, and not the store.

mod text;

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use clap::ValueEnum;
use tingjian::adapter::native;
use tingjian::backtest::{Control, Gathering, Plan, Recorded, Report, all_cores};
use tingjian::engine::rule::RuleSet;
use tingjian::engine::rule::thresholds::Thresholds;
use tingjian::server::{Selection, StoredCalls};

use super::export::whole_file;
use super::lines::Lines;
use super::load::load_rules;
use super::progress::Progress;
use super::serve::{ConfigFile, unusable};
use super::source::Origin;
use super::{EXIT_UNUSABLE, complain, print};

/// How often the progress is shown.
const PROGRESS: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// 录音事件文件（JSON Lines），- 为标准输入；不写则用数据目录里存下的通话 / Recorded events (JSON Lines), - is standard input; without them, the stored calls of the data directory
    #[arg(value_name = "FILE", conflicts_with_all = ["data", "from", "to", "agent_id"])]
    files: Vec<PathBuf>,
    /// 要试的规则目录 / The rules to try
    #[arg(long, value_name = "DIR")]
    rules: PathBuf,
    /// 要试的参数文件；默认规则目录里的 parameters.yaml / Values of their parameters; default: parameters.yaml among them
    #[arg(long, value_name = "FILE")]
    parameters: Option<PathBuf>,
    /// 现行规则目录；默认用最近一通存下的通话用的规则，否则 rules 目录，再否则内置规则包 / The rules to compare with; default: those of the latest stored call, else ./rules, else the built-in packs
    #[arg(long, value_name = "DIR")]
    baseline: Option<PathBuf>,
    /// 现行规则的参数文件 / Values of the parameters of those
    #[arg(long, value_name = "FILE")]
    baseline_parameters: Option<PathBuf>,
    /// 数据目录；服务正在运行也可以 / Data directory; a server may be running on it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// 从哪天或什么时间接通的通话起 / Calls answered from this day or time on
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// 到什么时间（不含）或哪天（含）为止 / Up to this time, or to the end of this day
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// 坐席 / Calls that this agent answered
    #[arg(long, value_name = "ID")]
    agent_id: Option<String>,
    /// 报告的格式，默认看文件名，否则 text / Format of the report; by default as the file's name says, else text
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// 写到哪个文件；默认标准输出 / Where to; default: standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// 用几个核；默认全部 / On how many cores; default: all
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,
    #[command(flatten)]
    file: ConfigFile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// 给人看 / For people
    Text,
    /// 给程序看，见 docs/api.md / For programs, see docs/api.md
    Json,
    /// 一个网页文件 / A page of its own
    Html,
}

/// Exits with 0 if nothing differs, 1 if something does, 2 if rules or calls are unusable.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let report = match arguments.replay() {
        Ok(report) => report,
        Err(fault) => return unusable(fault),
    };
    let code = match (report.broken_lines, report.differs()) {
        (1.., _) => ExitCode::from(EXIT_UNUSABLE),
        (0, true) => ExitCode::from(1),
        (0, false) => ExitCode::SUCCESS,
    };
    let text = match arguments.format() {
        Format::Text => text::report(&report),
        Format::Json => report.to_json(),
        Format::Html => report.to_html(),
    };
    match &arguments.output {
        Some(path) if path != Path::new("-") => {
            let plain = anstream::adapter::strip_str(&text).to_string();
            let written = whole_file(path, |file| file.write_all(plain.as_bytes()).map_err(|error| error.to_string()));
            written.map_or_else(unusable, |()| code)
        }
        _ => print(&text, code),
    }
}

impl Arguments {
    fn format(&self) -> Format {
        let named = self.output.as_ref().and_then(|path| path.extension()).and_then(|extension| extension.to_str());
        self.format.unwrap_or(match named {
            Some("json") => Format::Json,
            Some("html" | "htm") => Format::Html,
            _ => Format::Text,
        })
    }

    fn replay(&self) -> Result<Report, String> {
        let config = self.file.load()?;
        let thresholds = config.confidence.thresholds();
        let tried = Origin { rules: Some(self.rules.clone()), parameters: self.parameters.clone(), thresholds };
        let after = load_rules(&tried)?;
        let workers = self.workers.unwrap_or_else(all_cores);
        let plan = |before: Arc<RuleSet>| Plan { before, after, shadow_packs: config.shadow_packs.clone() };
        if !self.files.is_empty() {
            let plan = plan(self.baseline(None, thresholds)?);
            return self.recordings(&plan, workers);
        }
        let selection =
            Selection { from: self.from.as_deref(), to: self.to.as_deref(), agent_id: self.agent_id.as_deref() };
        let data = self.data.as_ref().unwrap_or(&config.data);
        let stored = StoredCalls::open(data, selection, &config)?;
        let count = stored.count().map_err(|error| error.to_string())?;
        if count == 0 {
            return Err(format!(
                "{}: 没有符合条件的已结束通话 / there are no such calls that are over",
                data.display()
            ));
        }
        let plan = plan(self.baseline(Some(&stored), thresholds)?);
        let report = watched(Some(count), |control| {
            stored.backtest(&plan, workers, control).map_err(|error| error.to_string())
        })?;
        if report.calls + report.failed == 0 {
            return Err(format!(
                "{}: {} 通通话的原话都已过保留期，没有可以重放的 / the words of all {} calls are no longer kept",
                data.display(),
                report.skipped,
                report.skipped
            ));
        }
        Ok(report)
    }

    /// The rules to compare with.
    fn baseline(&self, stored: Option<&StoredCalls>, thresholds: Thresholds) -> Result<Arc<RuleSet>, String> {
        if self.baseline.is_none()
            && self.baseline_parameters.is_none()
            && let Some(stored) = stored
            && let Some(last) = stored.last_rules().map_err(|error| error.to_string())?
        {
            return Ok(last);
        }
        let (rules, parameters) = (self.baseline.clone(), self.baseline_parameters.clone());
        load_rules(&Origin { rules, parameters, thresholds })
    }

    /// Replays recordings, file by file.
    fn recordings(&self, plan: &Plan, workers: NonZeroUsize) -> Result<Report, String> {
        let broken = AtomicU64::new(0);
        let mut report = watched(None, |control| {
            let calls = self.files.iter().flat_map(|path| Calls::of(path, &broken));
            tingjian::backtest::run(plan, workers, calls, |call| Ok(Some(call)), control)
        })?;
        report.broken_lines = broken.into_inner();
        if report.calls + report.failed == 0 {
            return Err("录音文件里没有通话 / there are no calls in the recordings".to_owned());
        }
        Ok(report)
    }
}

/// Replays with its progress on the terminal, if there is one.
fn watched(
    count: Option<u64>,
    replay: impl FnOnce(&Control) -> Result<Report, String> + Send,
) -> Result<Report, String> {
    let mut progress = Progress::new("回测 replaying");
    let control = Control::default();
    if !progress.is_seen() {
        return replay(&control);
    }
    let (sender, over) = sync_channel::<()>(1);
    let replayed = std::thread::scope(|scope| {
        let control = &control;
        let replaying = scope.spawn(move || {
            let _over = sender;
            replay(control)
        });
        while over.recv_timeout(PROGRESS) == Err(RecvTimeoutError::Timeout) {
            let done = control.done();
            match count {
                Some(count) => {
                    let percent = done.saturating_mul(100) / count.max(1);
                    progress.tell(format_args!("{done} / {count} 通 calls ({percent} %)"));
                }
                None => progress.tell(format_args!("{done} 通 calls")),
            }
        }
        replaying.join()
    });
    progress.end();
    replayed.unwrap_or_else(|_| Err("内部出错 / an internal fault".to_owned()))
}

/// The calls of one file; unreadable lines are reported and counted.
struct Calls<'a> {
    /// Nothing more to read once it is gone.
    lines: Option<Lines>,
    gathering: Gathering,
    left: std::vec::IntoIter<Recorded>,
    broken: &'a AtomicU64,
}

impl<'a> Calls<'a> {
    fn of(path: &Path, broken: &'a AtomicU64) -> Self {
        let lines = Lines::open(path).map_err(|fault| tell(broken, &fault)).ok();
        Self { lines, gathering: Gathering::default(), left: Vec::new().into_iter(), broken }
    }
}

fn tell(broken: &AtomicU64, fault: &str) {
    broken.fetch_add(1, Ordering::Relaxed);
    complain(fault);
}

impl Iterator for Calls<'_> {
    type Item = Result<Recorded, String>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(lines) = &mut self.lines {
            let Some(line) = lines.next_line() else {
                self.lines = None;
                self.left = std::mem::take(&mut self.gathering).finish().into_iter();
                break;
            };
            let event = line.and_then(|text| native::parse(text).map_err(|error| error.to_string()));
            match event.and_then(|event| self.gathering.take(event)) {
                Ok(Some(call)) => return Some(Ok(call)),
                Ok(None) => {}
                Err(fault) => tell(self.broken, &format!("{}:{}: {fault}", lines.name(), lines.number())),
            }
        }
        self.left.next().map(Ok)
    }
}

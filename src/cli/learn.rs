//! `tingjian learn [FILE…] [--data DIR]`: the model of acts and of the second look, learned anew.
//!
//! The project's own corpus always teaches; labelled turns of the site come on
//! top. What is printed is cross-validated: each turn is judged by what the
//! other turns teach. A model that judges the site's turns worse than the one in
//! use is not written.

pub(super) mod site;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use tingjian::backtest::{Control, all_cores};
use tingjian::engine::act::Label;
use tingjian::learning::{self, MODEL, Row};
use tingjian::server::{Config, ReviewedTurns};

use super::source::{self, Origin, RuleFlags};
use super::{EXIT_UNUSABLE, complain};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// 标注过的话（.jsonl、.csv、.xlsx）：text 话、is_violation 是否违规、prev_turn 客户上一句、agent_prev 坐席上一句、category 类别、channel 渠道；- 为标准输入（JSON Lines） / Labelled turns (.jsonl, .csv, .xlsx); - is standard input (JSON Lines)
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// 也从这个数据目录里复核过的禁语预警学；服务正在运行也可以 / Also learn from the reviewed alerts of this data directory; a server may be running on it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// 从哪天或什么时间说的起 / What was said from this day or time on
    #[arg(long, value_name = "TIME", requires = "data")]
    from: Option<String>,
    /// 到什么时间（不含）或哪天（含）为止 / Up to this time, or to the end of this day
    #[arg(long, value_name = "TIME", requires = "data")]
    to: Option<String>,
    #[command(flatten)]
    origin: RuleFlags,
    /// 写到这里；默认规则目录里的 confidence.model / Write here; default: confidence.model among the rules
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// 只看结果，不写模型 / Only print the figures
    #[arg(long)]
    dry_run: bool,
    /// 比现用的模型差也写 / Write a model even if it is worse than the one in use
    #[arg(long)]
    force: bool,
}

/// Exits with 0, with 1 if the model is worse than the one in use and was not written, with 2 if
/// rules or lines cannot be used.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match learn(arguments) {
        Ok(code) => code,
        Err(faults) => {
            faults.into_iter().for_each(complain);
            ExitCode::from(EXIT_UNUSABLE)
        }
    }
}

fn learn(arguments: &Arguments) -> Result<ExitCode, Vec<String>> {
    let config = arguments.origin.config().map_err(|fault| vec![fault])?;
    let origin = Origin::of(&config);
    let (of_site, told) = site_rows(arguments, &config)?;
    // Learning takes minutes: what it learns from is told before.
    super::print(&told, ExitCode::SUCCESS);
    let sources = source::read(&origin).map_err(|error| vec![error.to_string()])?;
    let lesson = learning::learn(&sources, of_site, all_cores(), &Control::default())?;
    // Nobody cancels it.
    let Some(lesson) = lesson else { return Ok(ExitCode::FAILURE) };
    let mut text = lesson.text.clone();
    let path = match (&arguments.output, origin.directory()) {
        (Some(path), _) => path.clone(),
        (None, Some(directory)) => directory.join(MODEL),
        (None, None) => PathBuf::from(MODEL),
    };
    if lesson.is_worse() && !arguments.force {
        let _ = writeln!(
            text,
            "比现用的模型差，没有写；确要用它，加 --force / worse than the model in use: not written; --force writes it"
        );
        return Ok(super::print(&text, ExitCode::FAILURE));
    }
    if arguments.dry_run {
        let _ = writeln!(text, "试运行，没有写 / dry run: nothing written");
    } else {
        let model = &lesson.model;
        learning::write_whole(&path, &model.to_text())
            .map_err(|error| vec![format!("{}：写不了：{error} / cannot be written", path.display())])?;
        let _ = writeln!(text, "{}：{} 个特征，版本 {} / written", path.display(), model.features(), model.digest());
    }
    Ok(super::print(&text, ExitCode::SUCCESS))
}

/// The turns of the site, and where they are from, ready to print.
fn site_rows(arguments: &Arguments, config: &Config) -> Result<(Vec<Row>, String), Vec<String>> {
    let (mut rows, mut faults, mut sources) = (Vec::new(), Vec::new(), String::new());
    for path in &arguments.files {
        match site::rows(path) {
            Ok((more, notes)) => {
                notes.iter().for_each(|note| complain(format_args!("提醒 / note: {note}")));
                let _ = writeln!(sources, "{}: {}", path.display(), counted(&more));
                rows.extend(more);
            }
            Err(more) => faults.extend(more),
        }
    }
    if let Some(data) = &arguments.data {
        match ReviewedTurns::read(data, arguments.from.as_deref(), arguments.to.as_deref(), config) {
            Ok(reviewed) if reviewed.turns.is_empty() && arguments.files.is_empty() => faults.push(format!(
                "{}: 没有能学的复核结论；先在 /qa 复核禁语预警，或放宽 --from、--to / no reviewed alert to learn from: review alerts about forbidden words on /qa, or widen --from and --to",
                data.display()
            )),
            Ok(reviewed) => {
                let (alerts, left_out) = (reviewed.alerts, reviewed.left_out);
                let more = site::reviewed(reviewed);
                let _ = write!(sources, "{}: {}", data.display(), counted(&more));
                let _ = write!(sources, "，来自复核过的禁语预警 {alerts} 条 / of {alerts} reviewed alerts");
                if left_out > 0 {
                    let _ = write!(sources, "；{left_out} 句原话已不在或不是坐席说的，没有用 / {left_out} left out: their words are gone or not the agent's");
                }
                sources.push('\n');
                rows.extend(more);
            }
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok((rows, sources)) } else { Err(faults) }
}

fn counted(rows: &[Row]) -> String {
    let [yes, no, borderline] =
        [Label::Yes, Label::No, Label::Unknown].map(|label| rows.iter().filter(|row| row.verdict == label).count());
    format!(
        "{} 句（违规 {yes}，不违规 {no}，两可 {borderline}） / turns: {0} (yes {yes}, no {no}, borderline {borderline})",
        rows.len()
    )
}

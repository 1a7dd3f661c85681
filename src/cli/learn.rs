//! `tingjian learn [FILE…] [--data DIR]`: the model of acts and of the second look, learned anew.
//!
//! The project's own corpus always teaches; labelled turns of the site come on
//! top. What is printed is cross-validated: each turn is judged by what the
//! other turns teach. A model that judges the site's turns worse than the one in
//! use is not written.

mod corpus;
mod sides;
mod site;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tingjian::engine::act::{Act, Example, Judged, Label, Learned, Learner, Model, Scratch, Turn};
use tingjian::engine::rule::{self, RuleSet};
use tingjian::engine::transcript::{Channel, Role};
use tingjian::server::{Config, ReviewedTurns};

use self::corpus::Row;
use self::sides::{Judgement, Side};
use super::eval::Bench;
use super::ranking::average_precision;
use super::source::{self, MODEL, Origin, RuleFlags};
use super::{EXIT_UNUSABLE, complain};

/// A turn of the site teaches as much as so many of the corpus: its language is the one that counts.
const SITE_WEIGHT: f64 = 3.0;

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
    let acts = corpus::acts()?;
    let mut rows = corpus::rows(&acts)?;
    let own = rows.len();
    let (of_site, sources) = site_rows(arguments, &config)?;
    rows.extend(of_site);
    // Learning takes minutes: what it learns from is told before.
    super::print(&sources, ExitCode::SUCCESS);
    let in_use = current(&origin)?;
    let rules = without_model(&origin, &acts)?;
    find(&mut rows, &rules);
    let learner = Learner::new(acts, rows.iter().map(|row| example(row, own_weight(row))).collect());
    let learned = all_targets(&learner);
    let model = learner.model(&learned);
    let mut text = figures(&learner, &learned, own);
    let mut is_worse = false;
    if rows.len() > own {
        let verdict = learned.last().map(|learned| &learned.left_out).into_iter().flatten();
        let sides: Vec<Side<'_>> = verdict
            .filter(|scored| scored.example >= own)
            .map(|scored| {
                let row = &rows[scored.example];
                let after = Judgement { score: scored.score, share: scored.share };
                Side { row, before: in_use.as_ref().map(|model| judgement(model, row)), after, is_case: scored.case }
            })
            .collect();
        text.push_str(&sides::report(&sides, &rules.confidences(), &rules.thresholds));
        let (before, after) = sides::average_precisions(&sides);
        is_worse = before.is_some_and(|before| after < before - 1e-9);
    }
    let path = match (&arguments.output, origin.directory()) {
        (Some(path), _) => path.clone(),
        (None, Some(directory)) => directory.join(MODEL),
        (None, None) => PathBuf::from(MODEL),
    };
    if is_worse && !arguments.force {
        let _ = writeln!(
            text,
            "比现用的模型差，没有写；确要用它，加 --force / worse than the model in use: not written; --force writes it"
        );
        return Ok(super::print(&text, ExitCode::FAILURE));
    }
    if arguments.dry_run {
        let _ = writeln!(text, "试运行，没有写 / dry run: nothing written");
    } else {
        write_whole(&path, &model.to_text())
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

/// Writes the file so that it is whole or as it was before.
fn write_whole(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    file.as_file().sync_all()?;
    fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

fn own_weight(row: &Row) -> f64 {
    if row.is_of_site { SITE_WEIGHT } else { 1.0 }
}

fn example(row: &Row, weight: f64) -> Example<'_> {
    Example { turn: turn(row), acts: row.acts.clone(), unsure: row.unsure.clone(), verdict: row.verdict, weight }
}

fn turn(row: &Row) -> Turn<'_> {
    Turn {
        role: row.role,
        channel: row.channel,
        text: &row.text,
        prev: &row.prev,
        own_prev: &row.own_prev,
        found: &row.found,
    }
}

/// The model that the rules have now, if they have one that this version reads.
fn current(origin: &Origin) -> Result<Option<Model>, Vec<String>> {
    let sources = source::read(origin).map_err(|error| vec![error.to_string()])?;
    let file = sources.files.iter().find(|file| rule::parse::is_model_file(&file.name));
    Ok(file.and_then(|file| Model::from_text(&file.text).ok()))
}

/// The rules with a model that finds nothing: what phrases alone find.
fn without_model(origin: &Origin, acts: &[Act]) -> Result<Arc<RuleSet>, Vec<String>> {
    let mut sources = source::read(origin).map_err(|error| vec![error.to_string()])?;
    sources.files.retain(|file| !rule::parse::is_model_file(&file.name));
    let blank = Model::blank(acts.to_vec()).to_text();
    sources.files.push(rule::parse::SourceFile { name: MODEL.to_owned(), text: blank });
    sources.load().map(|loaded| loaded.rules).map_err(|faults| {
        vec![rule::render::render(&faults, &sources.files, tingjian::engine::diagnostic::Language::Zh, false)]
    })
}

/// Notes for each row the rules whose forbidden phrases it holds.
fn find(rows: &mut [Row], rules: &Arc<RuleSet>) {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let part = rows.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        for rows in rows.chunks_mut(part) {
            scope.spawn(move || {
                for row in rows {
                    let bench = |channel| Bench { rules: Arc::clone(rules), packs: None, channel };
                    row.found = bench(row.channel).found(row.lines());
                }
            });
        }
    });
}

/// Learns the targets on all cores; which comes first changes nothing.
fn all_targets(learner: &Learner<'_>) -> Vec<Learned> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = AtomicUsize::new(0);
    let mut learned: Vec<(usize, Learned)> = std::thread::scope(|scope| {
        let worker = || {
            let mut own = Vec::new();
            loop {
                let of = next.fetch_add(1, Ordering::Relaxed);
                if of >= learner.targets() {
                    return own;
                }
                own.push((of, learner.target(of)));
            }
        };
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    });
    learned.sort_by_key(|&(of, _)| of);
    learned.into_iter().map(|(_, learned)| learned).collect()
}

fn judgement(model: &Model, row: &Row) -> Judgement {
    let (mut scratch, mut judged) = (Scratch::default(), Judged::default());
    model.judge(&turn(row), &mut scratch, &mut judged);
    Judgement { score: model.verdict_score(&judged), share: model.verdict(&judged) }
}

/// Precision and recall by act, at the threshold that the model keeps.
fn figures(learner: &Learner<'_>, learned: &[Learned], own: usize) -> String {
    let mut text = format!("语料 {own} 句 / corpus: {own} turns\n");
    let _ = writeln!(text, "{:<24} {:>6} {:>6} {:>6} {:>6}", "", "n", "P", "R", "AP");
    for (of, learned) in learned.iter().enumerate() {
        let name = learner.acts().get(of).map_or("verdict", |act| act.id.as_str());
        let told = |case: bool| {
            learned.left_out.iter().filter(|scored| scored.score >= learned.threshold() && scored.case == case).count()
        };
        let cases = learned.left_out.iter().filter(|scored| scored.case).count();
        let (right, wrong) = (told(true), told(false));
        let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
        let ap = average_precision(learned.left_out.iter().map(|scored| (scored.score, scored.case)).collect());
        let _ = writeln!(
            text,
            "{name:<24} {cases:>6} {:>6.2} {:>6.2} {ap:>6.2}",
            share(right, right + wrong),
            share(right, cases)
        );
    }
    text
}

impl Row {
    fn lines(&self) -> impl Iterator<Item = (Role, &str)> {
        let other = if self.role == Role::Agent { Role::Customer } else { Role::Agent };
        let before = [(self.role, self.own_prev.as_str()), (other, self.prev.as_str())];
        before.into_iter().filter(|(_, text)| !text.is_empty()).chain([(self.role, self.text.as_str())])
    }
}

/// The channel of the site's turns, which do not say: typed, as most labelled turns are.
const SITE_CHANNEL: Channel = Channel::Chat;

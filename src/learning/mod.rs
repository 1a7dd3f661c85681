//! The model of acts and of the second look, learned anew from the project's own corpus and from the
//! turns that a site labelled or reviewed.
//!
//! The corpus always teaches; turns of the site come on top. What is told is cross-validated: each turn
//! is judged by what the other turns teach. Nothing here reads a site's files or a store.

mod corpus;
mod labelled;
pub mod ranking;
mod sides;
pub mod speech;
pub mod suggest;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::backtest::Control;
use crate::engine::act::{Act, ActId, Example, Judged, Label, Learned, Learner, Model, Scratch, Turn};
use crate::engine::diagnostic::Language;
use crate::engine::rule::sources::Sources;
use crate::engine::rule::{self, RuleSet};
use crate::engine::transcript::{Channel, Role};

use self::ranking::average_precision;
pub use self::sides::{Change, Changes};
use self::sides::{Judgement, Side};
use self::speech::Bench;

pub use crate::rule_files::MODEL;

/// A turn of the site teaches as much as so many of the corpus: its language is the one that counts.
const SITE_WEIGHT: f64 = 3.0;

/// The channel of the site's turns, which do not say: typed, as most labelled turns are.
pub const SITE_CHANNEL: Channel = Channel::Chat;

/// A turn that teaches.
#[derive(Clone, Debug)]
pub struct Row {
    /// The speaker.
    pub role: Role,
    /// How the call is held.
    pub channel: Channel,
    /// The other side's turn before, or nothing.
    pub prev: String,
    /// The same side's turn before, or nothing.
    pub own_prev: String,
    /// The words.
    pub text: String,
    /// `None` if nobody labelled its acts.
    pub acts: Option<Vec<ActId>>,
    /// Acts on which the two labellers differ.
    pub unsure: Vec<ActId>,
    /// Whether it is a violation.
    pub verdict: Label,
    /// Whether it comes on top of the corpus.
    pub is_of_site: bool,
    /// What the site calls the violation.
    pub category: String,
    /// The category of a violation among those of the corpus.
    pub fault: String,
    /// Rules whose forbidden phrases it holds.
    pub found: Vec<u32>,
}

impl Row {
    /// A turn of an agent of the site.
    #[must_use]
    pub fn of_site(text: String, prev: String, own_prev: String, verdict: Label) -> Self {
        Self {
            role: Role::Agent,
            channel: SITE_CHANNEL,
            prev,
            own_prev,
            text,
            acts: None,
            unsure: Vec::new(),
            verdict,
            is_of_site: true,
            category: String::new(),
            fault: String::new(),
            found: Vec::new(),
        }
    }

    fn lines(&self) -> impl Iterator<Item = (Role, &str)> {
        let other = if self.role == Role::Agent { Role::Customer } else { Role::Agent };
        let before = [(self.role, self.own_prev.as_str()), (other, self.prev.as_str())];
        before.into_iter().filter(|(_, text)| !text.is_empty()).chain([(self.role, self.text.as_str())])
    }

    fn weight(&self) -> f64 {
        if self.is_of_site { SITE_WEIGHT } else { 1.0 }
    }
}

/// What was learned.
#[derive(Debug)]
pub struct Lesson {
    /// The model.
    pub model: Model,
    /// Turns of the corpus that taught it.
    pub corpus: usize,
    /// What it changes for the site's turns; `None` without any.
    pub changes: Option<Changes>,
    /// Precision and recall by act, and the changes, for people.
    pub text: String,
}

impl Lesson {
    /// Whether it judges the site's turns worse than the model in use.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.changes.as_ref().is_some_and(Changes::is_worse)
    }
}

/// Learns from the corpus and from `of_site`, on so many threads; `sources` are the rules in use with their model.
/// Nothing, if it was cancelled.
///
/// # Errors
/// The rules or the corpus cannot be used: every fault, ready to print.
pub fn learn(
    sources: &Sources,
    of_site: Vec<Row>,
    workers: NonZeroUsize,
    control: &Control,
) -> Result<Option<Lesson>, Vec<String>> {
    let acts = corpus::acts()?;
    let mut rows = corpus::rows(&acts)?;
    let own = rows.len();
    rows.extend(of_site);
    let in_use = current(sources);
    name_faults(&mut rows, own, in_use.as_ref());
    let rules = without_model(sources, &acts)?;
    find(&mut rows, &rules, workers, control);
    if control.is_cancelled() {
        return Ok(None);
    }
    let learner = Learner::new(acts, rows.iter().map(example).collect());
    let learned = all_targets(&learner, workers, control);
    if control.is_cancelled() {
        return Ok(None);
    }
    let verdict = learner.verdict(&learned);
    let mut text = figures(&learner, &learned, &verdict, own);
    let sides: Vec<Side<'_>> = verdict
        .left_out
        .iter()
        .filter(|scored| scored.example >= own)
        .map(|scored| {
            let row = &rows[scored.example];
            let after = Judgement { score: scored.score, share: scored.share };
            Side { row, before: in_use.as_ref().map(|model| judgement(model, row)), after, is_case: scored.case }
        })
        .collect();
    let changes = (rows.len() > own).then(|| Changes::of(&sides, &rules.confidences(), &rules.thresholds));
    changes.iter().for_each(|changes| text.push_str(&changes.text));
    Ok(Some(Lesson { model: learner.model(&learned, &verdict), corpus: own, changes, text }))
}

/// Writes a file so that it is whole or as it was before.
///
/// # Errors
/// It cannot be written.
pub fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    file.as_file().sync_all()?;
    std::fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

fn example(row: &Row) -> Example<'_> {
    let (acts, unsure) = (row.acts.clone(), row.unsure.clone());
    Example { turn: turn(row), acts, unsure, verdict: row.verdict, category: &row.fault, weight: row.weight() }
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

/// Gives the site's violations a category of the corpus: the one they name, or else the likeliest by the model in use.
fn name_faults(rows: &mut [Row], own: usize, in_use: Option<&Model>) {
    let (corpus, site) = rows.split_at_mut(own);
    let known: BTreeSet<&str> = corpus.iter().map(|row| row.fault.as_str()).collect();
    let (mut scratch, mut judged) = (Scratch::default(), Judged::default());
    for row in site.iter_mut().filter(|row| row.verdict == Label::Yes) {
        if known.contains(row.category.as_str()) {
            row.fault.clone_from(&row.category);
        } else if let Some(model) = in_use {
            model.judge(&turn(row), &mut scratch, &mut judged);
            row.fault = model.fault(&judged).unwrap_or_default().to_owned();
        }
    }
}

/// The model that the rules have now, if they have one that this version reads.
fn current(sources: &Sources) -> Option<Model> {
    let file = sources.files.iter().find(|file| rule::parse::is_model_file(&file.name));
    file.and_then(|file| Model::from_text(&file.text).ok())
}

/// The rules with a model that finds nothing: what phrases alone find.
fn without_model(sources: &Sources, acts: &[Act]) -> Result<Arc<RuleSet>, Vec<String>> {
    let mut files = sources.files.clone();
    files.retain(|file| !rule::parse::is_model_file(&file.name));
    let blank = Model::blank(acts.to_vec()).to_text();
    files.push(rule::parse::SourceFile { name: MODEL.to_owned(), text: blank });
    rule::load_with(&files, String::new(), sources.thresholds)
        .map(|loaded| loaded.rules)
        .map_err(|faults| vec![rule::render::render(&faults, &files, Language::Zh, false)])
}

/// Notes for each row the rules whose forbidden phrases it holds.
fn find(rows: &mut [Row], rules: &Arc<RuleSet>, workers: NonZeroUsize, control: &Control) {
    let part = rows.len().div_ceil(workers.get()).max(1);
    std::thread::scope(|scope| {
        for rows in rows.chunks_mut(part) {
            scope.spawn(move || {
                for row in rows {
                    if control.is_cancelled() {
                        return;
                    }
                    let bench = |channel| Bench { rules: Arc::clone(rules), packs: None, channel };
                    row.found = bench(row.channel).found(row.lines());
                }
            });
        }
    });
}

/// Learns the targets; which comes first changes nothing.
fn all_targets(learner: &Learner<'_>, workers: NonZeroUsize, control: &Control) -> Vec<Learned> {
    let next = AtomicUsize::new(0);
    let mut learned: Vec<(usize, Learned)> = std::thread::scope(|scope| {
        let worker = || {
            let mut own = Vec::new();
            loop {
                let of = next.fetch_add(1, Ordering::Relaxed);
                if of >= learner.targets() || control.is_cancelled() {
                    return own;
                }
                own.push((of, learner.target(of)));
            }
        };
        let workers: Vec<_> = (0..workers.get()).map(|_| scope.spawn(worker)).collect();
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
fn figures(learner: &Learner<'_>, learned: &[Learned], verdict: &Learned, own: usize) -> String {
    let mut text = format!("语料 {own} 句 / corpus: {own} turns\n");
    let _ = writeln!(text, "{:<24} {:>6} {:>6} {:>6} {:>6}", "", "n", "P", "R", "AP");
    let targets = learned.iter().enumerate().map(|(of, learned)| (learner.name(of), learned));
    for (name, learned) in targets.chain([("verdict", verdict)]) {
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

//! Rules: how they are written ([`syntax`]), read ([`parse`]), checked ([`lint`]) and
//! compiled into what a call runs on ([`RuleSet`]).

pub mod compile;
pub mod coverage;
pub mod edit;
pub mod form;
pub mod lint;
mod origins;
pub mod parse;
pub mod program;
pub mod quote;
pub mod render;
pub mod schema;
pub(crate) mod script;
pub mod sources;
pub(crate) mod subjects;
mod surface;
pub mod syntax;
pub mod thresholds;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::origins::Origins;
use self::program::{Detector, DetectorIx, Program, RuleIx};
use self::thresholds::Thresholds;
use crate::act::{ActId, Model, phrase_key};
use crate::diagnostic::{Diagnostic, Position, nearest};
use crate::severity::{AlertKind, Severity};
use crate::text::{Lexicon, Match, PhraseId};
use crate::transcript::CallInfo;

/// A compiled rule: what alerts, exports and pages say about it. What the
/// engine runs on is private to it.
#[derive(Debug)]
pub struct Rule {
    /// Unique among all packs.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The pack it is in.
    pub pack: String,
    /// The kind of its alerts.
    pub kind: AlertKind,
    /// How grave a violation is.
    pub severity: Severity,
    /// Points a violation costs.
    pub deduct: u32,
    /// The clauses it rests on.
    pub clauses: Vec<String>,
    /// The words to say instead.
    pub suggestion: Option<String>,
    /// Whether it is on trial: its alerts are kept, not shown and not counted.
    pub shadow: bool,
    /// Names what decides when it fires; it stays the same when other rules, its wording or its tests are edited.
    pub digest: String,
}

/// All the rules of one version, compiled. Immutable and shared by all calls.
#[derive(Debug)]
pub struct RuleSet {
    /// Names the files' contents; every alert carries it.
    pub version: String,
    /// In the order of files and of rules in them.
    pub rules: Vec<Arc<Rule>>,
    /// How sure the second look must be where a rule does not say.
    pub thresholds: Thresholds,
    pub(crate) programs: Vec<Program>,
    pub(crate) detectors: Vec<Detector>,
    pub(crate) lexicon: Lexicon,
    /// The model that recognises acts and takes the second look.
    pub(crate) model: Option<Arc<Model>>,
    /// Acts that rules speak of, and the phrase that stands for each.
    pub(crate) acts: BTreeMap<ActId, PhraseId>,
    /// By detector, the key under which the model knows the rule that forbids its phrases.
    pub(crate) forbidding: Vec<Option<u32>>,
    /// Phrase to the detectors that ask for it, by `PhraseId`.
    pub(crate) detectors_of: Vec<Vec<DetectorIx>>,
    /// Detector to the rules that look at its hits.
    pub(crate) rules_of: Vec<Vec<RuleIx>>,
    /// Rules that utterances without hits can decide.
    pub(crate) on_speech: Vec<RuleIx>,
    /// Whether conditions look for a phrase in turns, by `PhraseId`.
    around: Vec<bool>,
    /// The longest that later words may take a hit back; `None` if they never do.
    pub(crate) open_ms: Option<i64>,
}

/// Rule files that could be used.
#[derive(Debug)]
pub struct Loaded {
    /// The rules that calls run on.
    pub rules: Arc<RuleSet>,
    /// The packs as written, for tests, lint and pages.
    pub packs: Vec<syntax::PackSource>,
    /// The warnings about them.
    pub warnings: Vec<Diagnostic>,
    /// Where the phrases of `rules` stand in `packs`.
    pub(crate) origins: Origins,
}

/// Reads and compiles rule files: all or nothing. Where rules do not say how sure the second look must be,
/// the [`Thresholds`] are those that ship.
///
/// # Errors
/// As of [`load_with`].
pub fn load(files: &[parse::SourceFile], version: String) -> Result<Loaded, Vec<Diagnostic>> {
    load_with(files, version, Thresholds::default())
}

/// Reads and compiles rule files: all or nothing.
///
/// # Errors
/// Every fault of every file, in the order of files and lines; of a file with
/// more than [`FAULTS_MAX`](crate::diagnostic::FAULTS_MAX), how many more.
pub fn load_with(
    files: &[parse::SourceFile],
    version: String,
    thresholds: Thresholds,
) -> Result<Loaded, Vec<Diagnostic>> {
    let (packs, mut faults) = parse::parse_all(files);
    let model = match read_model(files) {
        Ok(model) => model,
        Err(fault) => {
            faults.push(*fault);
            None
        }
    };
    // Faulty rules are left out of `packs`; the phrases of the others may have faults of their own.
    match compile::compile_with_origins(&packs, model, thresholds, version) {
        Ok((rules, origins)) if !faults.has_error() => {
            let warnings = faults.finish(parse::order(files));
            return Ok(Loaded { rules: Arc::new(rules), packs, warnings, origins });
        }
        Ok(_) => {}
        Err(more) => faults.extend(more),
    }
    Err(faults.finish(|a, b| a.at.cmp(&b.at)))
}

/// Compiles one rule alone, with the lists of its pack: it finds what it finds among all rules, but
/// yields to no other pack; with its pack, for its tests. `None` if no file that can be used has it.
#[must_use]
pub fn load_alone(
    files: &[parse::SourceFile],
    id: &str,
    thresholds: Thresholds,
) -> Option<(Arc<RuleSet>, Vec<syntax::PackSource>)> {
    let (mut packs, _) = parse::parse_all(files);
    for pack in &mut packs {
        pack.rules.retain(|rule| rule.id.value == id);
        pack.yields_to.clear();
    }
    packs.retain(|pack| !pack.rules.is_empty());
    if packs.is_empty() {
        return None;
    }
    let model = read_model(files).ok()?;
    let rules = compile::compile(&packs, model, thresholds, String::from(id)).ok()?;
    Some((Arc::new(rules), packs))
}

/// The detectors of a rule set, with the lexicon and the model that they use.
pub(crate) struct Listening {
    pub(crate) detectors: Vec<Detector>,
    pub(crate) lexicon: Lexicon,
    pub(crate) model: Option<Arc<Model>>,
    pub(crate) acts: BTreeMap<ActId, PhraseId>,
    pub(crate) forbidding: Vec<Option<u32>>,
}

/// The model among the files, if there is one.
///
/// # Errors
/// It cannot be read: a fault of its line.
fn read_model(files: &[parse::SourceFile]) -> Result<Option<Arc<Model>>, Box<Diagnostic>> {
    let Some(file) = files.iter().find(|file| parse::is_model_file(&file.name)) else { return Ok(None) };
    Model::from_text(&file.text).map(|model| Some(Arc::new(model))).map_err(|fault| {
        let line = u32::try_from(fault.line).unwrap_or(u32::MAX);
        let at = Position { file: Arc::from(file.name.as_str()), line, column: 1, length: 0 };
        Box::new(Diagnostic::error("bad-model", at, fault.zh, fault.en))
    })
}

impl RuleSet {
    /// The packs, each once, in the order of files.
    #[must_use]
    pub fn packs(&self) -> Vec<&str> {
        let mut packs: Vec<&str> = self.rules.iter().map(|rule| rule.pack.as_str()).collect();
        packs.dedup();
        packs
    }

    /// How sure the second look must be of the phrases of each forbidding rule, in ten thousandths,
    /// by the key under which the model knows the rule.
    #[must_use]
    pub fn confidences(&self) -> BTreeMap<u32, u16> {
        let forbidding = self.rules.iter().zip(&self.programs).filter(|(rule, _)| rule.kind == AlertKind::Forbidden);
        forbidding.map(|(rule, program)| (phrase_key(&rule.id), program.confidence)).collect()
    }

    /// Packs that a call asks for and that are not there, each with the name that may be meant.
    pub fn unknown_packs<'a>(&'a self, info: &'a CallInfo) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        let known = self.packs();
        let unknown = info.packs.iter().flatten().map(String::as_str);
        let unknown: Vec<&str> = unknown.filter(|name| !known.contains(name)).collect();
        unknown.into_iter().map(move |name| (name, nearest(name, known.iter().copied())))
    }

    /// Whether a call asks for a pack that is not there.
    pub(crate) fn misnames_packs(&self, info: &CallInfo) -> bool {
        info.packs.is_some() && self.unknown_packs(info).next().is_some()
    }

    /// A rule set without rules.
    ///
    /// # Panics
    /// Never: nothing to compile cannot fail.
    #[must_use]
    pub fn empty() -> Self {
        match compile::compile(&[], None, Thresholds::default(), String::from("empty")) {
            Ok(rules) => rules,
            Err(faults) => unreachable!("no rules have no faults, yet: {faults:?}"),
        }
    }

    pub(crate) fn assemble(
        version: String,
        rules: Vec<Arc<Rule>>,
        programs: Vec<Program>,
        thresholds: Thresholds,
        listening: Listening,
    ) -> Self {
        let Listening { detectors, lexicon, model, acts, forbidding } = listening;
        let mut detectors_of = vec![Vec::new(); lexicon.len()];
        for (ix, detector) in (0..).zip(&detectors) {
            for phrase in &detector.phrases {
                detectors_of[phrase.0 as usize].push(ix);
            }
        }
        let mut rules_of = vec![Vec::new(); detectors.len()];
        for (ix, program) in (0..).zip(&programs) {
            for &detector in &program.detectors {
                rules_of[detector as usize].push(ix);
            }
        }
        let on_speech = (0..).zip(&programs).filter(|(_, program)| program.on_speech).map(|(ix, _)| ix).collect();
        let conditions = detectors.iter().flat_map(|detector| detector.unless.iter().chain(&detector.only));
        let mut around = vec![false; lexicon.len()];
        conditions.flat_map(syntax::Context::around).for_each(|phrase| around[phrase.0 as usize] = true);
        let open_ms = detectors.iter().filter_map(|detector| detector.open_ms).max();
        Self {
            around,
            open_ms,
            version,
            rules,
            thresholds,
            programs,
            detectors,
            lexicon,
            model,
            acts,
            forbidding,
            detectors_of,
            rules_of,
            on_speech,
        }
    }

    /// The phrases that an utterance says, sorted, of all that conditions look for in turns. Its own symbols
    /// begin with `lead`.
    pub(crate) fn said_around(&self, matches: &[Match], lead: usize) -> Box<[PhraseId]> {
        let own = matches.iter().filter(|matched| matched.start >= lead && self.around[matched.phrase.0 as usize]);
        let mut said: Vec<PhraseId> = own.map(|matched| matched.phrase).collect();
        said.sort_unstable();
        said.dedup();
        said.into()
    }

    /// The index of a rule, by its id.
    pub(crate) fn rule_ix(&self, id: &str) -> Option<RuleIx> {
        (0..).zip(&self.rules).find(|(_, rule)| rule.id == id).map(|(ix, _)| ix)
    }
}

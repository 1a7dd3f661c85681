//! From rule files as written to what a call runs on: lists are expanded,
//! phrases parsed and interned, every use of words becomes a detector.
//!
//! Reports all faults it meets; a rule set exists only when there are none.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::origins::{DetectorOrigins, Origins, PhraseOrigin};
use super::parse::annotate;
use super::program::{
    AnchorProgram, BodyProgram, Detector, DetectorIx, ForbidProgram, PartProgram, Program, RequireProgram,
    SequenceProgram, Side, TimingProgram, WindowProgram, WithoutProgram,
};
use super::subjects::Subjects;
use super::syntax::{
    Anchor, Body, Context, EventRule, Expression, Extent, HourRange, PackSource, Part, PhraseSource, RuleSource, Said,
    Sequence, Timing, Window,
};
use super::thresholds::{Thresholds, ten_thousandths};
use super::{Listening, Rule, RuleSet};
use crate::act::{ActId, Model, phrase_key};
use crate::diagnostic::{Diagnostic, Level, Located, nearest};
use crate::severity::AlertKind;
use crate::text::{Boundary, Homophone, LexiconBuilder, PhraseId, PhraseOptions};
use crate::transcript::{EventKind, Role};

/// Lists may name lists; deeper nesting is a mistake, most likely a circle.
const LIST_DEPTH_MAX: u32 = 8;

/// Phrases up to this many characters must begin and end where words do, unless they say otherwise.
const SHORT_PHRASE_CHARS: usize = 3;

/// Compiles packs into a rule set.
///
/// # Errors
/// Every fault of every phrase and reference, each with its place.
pub fn compile(
    packs: &[PackSource],
    model: Option<Arc<Model>>,
    thresholds: Thresholds,
    version: String,
) -> Result<RuleSet, Vec<Diagnostic>> {
    compile_with_origins(packs, model, thresholds, version).map(|(rules, _)| rules)
}

/// [`compile`], and where the phrases of the program stand in the packs.
pub(super) fn compile_with_origins(
    packs: &[PackSource],
    model: Option<Arc<Model>>,
    thresholds: Thresholds,
    version: String,
) -> Result<(RuleSet, Origins), Vec<Diagnostic>> {
    let mut compiler = Compiler { model, thresholds, ..Compiler::default() };
    let mut rules = Vec::new();
    let mut programs = Vec::new();
    for pack in packs {
        compiler.pack.clone_from(&pack.pack.value);
        compiler.subjects = Arc::new(Subjects::new(&pack.subjects, &mut compiler.diagnostics));
        for source in &pack.rules {
            rules.push(Arc::new(visible(pack, source)));
            programs.push(compiler.program(pack, source));
        }
    }
    let Compiler { lexicon, mut detectors, mut diagnostics, model, acts, origins, .. } = compiler;
    for pack in packs.iter().filter(|pack| !pack.yields_to.is_empty()) {
        let is_first = |name: &str| pack.yields_to.iter().any(|first| first.value == name);
        let of = |wanted: &dyn Fn(&str) -> bool| -> Vec<&Program> {
            rules.iter().zip(&programs).filter(|(rule, _)| wanted(&rule.pack)).map(|(_, program)| program).collect()
        };
        let first: Vec<DetectorIx> = of(&is_first).into_iter().filter_map(Program::always_forbids).collect();
        for program in of(&|name| name == pack.pack.value) {
            if let BodyProgram::Forbid(forbid) = &program.body {
                detectors[forbid.detector as usize].yields_to.clone_from(&first);
            }
        }
    }
    packs.iter().for_each(|pack| annotate(&mut diagnostics, &pack.parameters));
    if diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error) {
        return Err(diagnostics);
    }
    let lexicon = lexicon.build().map_err(|fault| {
        let at = packs.first().map(|pack| pack.pack.at.clone()).unwrap_or_default();
        vec![Diagnostic::error("too-large", at, format!("话术合起来超出了限度：{fault}"), fault.to_string())]
    })?;
    let of_features: Vec<&str> =
        packs.iter().filter(|pack| pack.feature).map(|pack| pack.pack.value.as_str()).collect();
    let features = rules.iter().zip(&programs).filter(|(rule, _)| of_features.contains(&rule.pack.as_str()));
    let forbidding = forbidding(features, detectors.len());
    let listening = Listening { detectors, lexicon, model, acts, forbidding };
    Ok((RuleSet::assemble(version, rules, programs, thresholds, listening), origins))
}

/// The least confidence of the second look for a forbidden hit, in ten thousandths.
fn confidence(source: &RuleSource, thresholds: &Thresholds) -> u16 {
    source.confidence.map_or(thresholds.of(source.severity), ten_thousandths)
}

/// For each detector the key under which the model knows the forbidding rule that it decides, if it is one of `rules`.
fn forbidding<'r>(rules: impl Iterator<Item = (&'r Arc<Rule>, &'r Program)>, detectors: usize) -> Vec<Option<u32>> {
    let mut keys = vec![None; detectors];
    for (rule, program) in rules {
        if let BodyProgram::Forbid(ForbidProgram { detector, .. }) = program.body {
            keys[detector as usize] = Some(phrase_key(&rule.id));
        }
    }
    keys
}

fn visible(pack: &PackSource, source: &RuleSource) -> Rule {
    Rule {
        id: source.id.value.clone(),
        name: source.name.clone(),
        pack: pack.pack.value.clone(),
        kind: match &source.body.value {
            Body::Forbid(_) => AlertKind::Forbidden,
            Body::Require(_) => AlertKind::Missing,
            Body::Sequence(_) => AlertKind::Order,
            Body::Timing(_) => AlertKind::Timing,
            Body::Event(_) => AlertKind::Event,
        },
        severity: source.severity,
        deduct: source.deduct,
        clauses: source.clauses.iter().map(|clause| clause.value.clone()).collect(),
        suggestion: source.suggestion.clone(),
        shadow: source.shadow,
        digest: source.digest.clone(),
    }
}

/// The options of phrases that do not state their own, by the use of the words.
#[derive(Clone, Copy)]
struct Defaults {
    homophone: Homophone,
    /// Whether short phrases must be whole words.
    short_words: bool,
}

impl Defaults {
    /// A false alarm is the worse mistake: the very characters, whole words.
    const STRICT: Self = Self { homophone: Homophone::Off, short_words: true };
    /// A false "missing" is the worse mistake: a slip of the recogniser must not cost the agent.
    const LENIENT: Self = Self { homophone: Homophone::Toneless, short_words: false };
}

#[derive(Default)]
struct Compiler {
    lexicon: LexiconBuilder,
    detectors: Vec<Detector>,
    diagnostics: Vec<Diagnostic>,
    /// The name of the pack at hand.
    pack: String,
    /// Its words for those who act.
    subjects: Arc<Subjects>,
    /// Detectors made for the rule at hand.
    used: Vec<DetectorIx>,
    model: Option<Arc<Model>>,
    thresholds: Thresholds,
    /// Acts that rules speak of, and the phrase that stands for each.
    acts: BTreeMap<ActId, PhraseId>,
    origins: Origins,
}

type Lists = BTreeMap<String, Located<Vec<PhraseSource>>>;

impl Compiler {
    fn program(&mut self, pack: &PackSource, source: &RuleSource) -> Program {
        self.used.clear();
        let lists = &pack.lists;
        let when = source.when.as_ref();
        let when = when.map(|when| when.map(&mut |said| self.detector(said, lists, Defaults::STRICT)));
        let body = self.body(&source.body.value, lists);
        let on_speech = body.on_speech();
        let on_event = body.on_event() || when.as_ref().is_some_and(Expression::asks_for_events);
        let mut detectors = std::mem::take(&mut self.used);
        detectors.sort_unstable();
        detectors.dedup();
        Program {
            body,
            when,
            limit: source.limit,
            hypotheses: source.hypotheses,
            confidence: confidence(source, &self.thresholds),
            grace_ms: source.grace_ms,
            from: source.from,
            until: source.until,
            scope: source.scope.clone(),
            pack_enabled: pack.enabled,
            message: source.message.clone(),
            detectors,
            on_event,
            on_speech,
        }
    }

    fn body(&mut self, body: &Body, lists: &Lists) -> BodyProgram {
        match body {
            Body::Forbid(forbid) => BodyProgram::Forbid(ForbidProgram {
                detector: self.detector(&forbid.said, lists, Defaults::STRICT),
                waits: forbid.said.unless.iter().chain(&forbid.said.only).any(|it| it.open_ms().is_some()),
                at_least: forbid.at_least,
                window: forbid.window.as_ref().map(|window| self.window(window, lists)),
                roles: forbid.said.roles.clone(),
            }),
            Body::Require(require) => BodyProgram::Require(RequireProgram {
                parts: require.parts.iter().map(|part| self.part(part, lists)).collect(),
                window: self.window(&require.window, lists),
                roles: require.parts.first().map(|part| part.said.roles.clone()).unwrap_or_default(),
                remind_ms: require.remind_ms,
                reminder: require.reminder.clone(),
                count_hold: require.count_hold,
                even_if_cut_short: require.even_if_cut_short,
            }),
            Body::Sequence(sequence) => BodyProgram::Sequence(self.sequence(sequence, lists)),
            Body::Timing(timing) => {
                let unless = match timing {
                    Timing::Interruption { unless, .. } | Timing::Repeat { unless, .. } => unless.as_slice(),
                    _ => &[],
                };
                let unless = self.context_phrases(unless, lists);
                BodyProgram::Timing(TimingProgram { timing: timing.clone(), unless })
            }
            Body::Event(event) => self.event(event, lists),
        }
    }

    fn sequence(&mut self, sequence: &Sequence, lists: &Lists) -> SequenceProgram {
        let anchor = match &sequence.after {
            Some(anchor) => self.anchor(anchor, lists),
            None => AnchorProgram::Event(EventKind::Answered),
        };
        let extent = sequence.within_ms.map_or(Extent::Unbounded, Extent::Ms);
        let steps = sequence.steps.iter().map(|step| PartProgram {
            name: step.name.clone(),
            say: words(step.say.as_ref(), &step.said.any, lists),
            detector: self.detector(&step.said, lists, Defaults::LENIENT),
            optional: step.optional,
        });
        SequenceProgram { window: WindowProgram { anchor, side: Side::After, extent }, steps: steps.collect() }
    }

    fn event(&mut self, event: &EventRule, lists: &Lists) -> BodyProgram {
        match event {
            EventRule::HangupBy(party) => BodyProgram::HangupBy(*party),
            EventRule::TransferUnanswered => BodyProgram::TransferUnanswered,
            EventRule::Without { event, said, within_ms } => BodyProgram::Without(WithoutProgram {
                event: *event,
                detector: self.detector(said, lists, Defaults::LENIENT),
                within_ms: *within_ms,
            }),
            EventRule::Greeting { hours } => {
                let greeting = |(range, any): &(HourRange, Vec<PhraseSource>)| {
                    let said = Said {
                        roles: vec![Role::Agent],
                        any: any.clone(),
                        unless: Vec::new(),
                        only: Vec::new(),
                        homophone: None,
                        boundary: None,
                    };
                    (*range, self.detector(&said, lists, Defaults::STRICT))
                };
                BodyProgram::Greeting(hours.iter().map(greeting).collect())
            }
        }
    }

    fn part(&mut self, part: &Part, lists: &Lists) -> PartProgram {
        let name = part
            .name
            .clone()
            .or_else(|| part.said.any.first().map(|first| self.first_words(first, lists)))
            .unwrap_or_default();
        let say = words(part.say.as_ref(), &part.said.any, lists);
        PartProgram { name, say, detector: self.detector(&part.said, lists, Defaults::LENIENT), optional: false }
    }

    /// The first phrase behind a phrase or list reference: what an alert calls a part without a name.
    fn first_words(&self, phrase: &PhraseSource, lists: &Lists) -> String {
        let mut words = &phrase.text.value;
        for _ in 0..LIST_DEPTH_MAX {
            let Some(first) = words.strip_prefix('$').and_then(|name| lists.get(name)?.value.first()) else { break };
            words = &first.text.value;
        }
        words.clone()
    }

    fn window(&mut self, window: &Window, lists: &Lists) -> WindowProgram {
        match window {
            Window::First(extent) => {
                WindowProgram { anchor: AnchorProgram::Event(EventKind::Answered), side: Side::After, extent: *extent }
            }
            Window::Last(extent) => {
                WindowProgram { anchor: AnchorProgram::Event(EventKind::End), side: Side::Before, extent: *extent }
            }
            Window::After(anchor, extent) => {
                WindowProgram { anchor: self.anchor(anchor, lists), side: Side::After, extent: *extent }
            }
            Window::Before(anchor, extent) => {
                WindowProgram { anchor: self.anchor(anchor, lists), side: Side::Before, extent: *extent }
            }
        }
    }

    fn anchor(&mut self, anchor: &Anchor, lists: &Lists) -> AnchorProgram {
        match anchor {
            Anchor::Event(event) => AnchorProgram::Event(*event),
            Anchor::Said(said) => AnchorProgram::Said(self.detector(said, lists, Defaults::STRICT)),
        }
    }

    fn detector(&mut self, said: &Said, lists: &Lists, defaults: Defaults) -> DetectorIx {
        let mut phrases = Vec::new();
        let mut origins = Vec::new();
        for phrase in self.expand(&said.any, lists) {
            if phrase.is_act {
                phrases.extend(self.act(&phrase.text));
                continue;
            }
            let homophone = phrase.homophone.or(said.homophone).unwrap_or(defaults.homophone);
            let boundary = phrase.boundary.or(said.boundary).unwrap_or(
                if defaults.short_words && literal_chars(&phrase.text.value) <= SHORT_PHRASE_CHARS {
                    Boundary::Word
                } else {
                    Boundary::Anywhere
                },
            );
            let options = PhraseOptions { homophone, boundary };
            let added = self.lexicon.add(&phrase.text.value, options);
            let id = self.interned(added, phrase);
            phrases.extend(id);
            origins.extend(id.map(|id| PhraseOrigin { source: phrase.clone(), id, options }));
        }
        phrases.sort_unstable();
        phrases.dedup();
        said.unless.iter().chain(&said.only).for_each(|context| self.check_speakers(context, &said.roles, lists));
        let before = self.origins.beside.len();
        let unless = self.conditions(&said.unless, lists);
        let only = self.conditions(&said.only, lists);
        let conditions = self.origins.beside.split_off(before);
        let looks_around = unless.iter().chain(&only).any(Context::looks_around);
        let open_ms = unless.iter().chain(&only).filter_map(Context::open_ms).max();
        let ix = DetectorIx::try_from(self.detectors.len()).unwrap_or(DetectorIx::MAX);
        self.detectors.push(Detector {
            roles: said.roles.clone(),
            phrases,
            unless,
            only,
            looks_around,
            open_ms,
            subjects: Arc::clone(&self.subjects),
            yields_to: Vec::new(),
        });
        self.origins.detectors.push(DetectorOrigins { phrases: origins, conditions });
        self.used.push(ix);
        ix
    }

    fn conditions(&mut self, contexts: &[Context], lists: &Lists) -> Vec<Context<PhraseId>> {
        let contexts: Vec<_> =
            contexts.iter().map(|context| context.map(&mut |any| self.context_phrases(any, lists))).collect();
        // Each utterance is asked for all of these, so one scan finds them together.
        contexts.iter().flat_map(Context::around).for_each(|phrase| self.lexicon.scan_for(phrase));
        contexts
    }

    /// Refuses acts of the other party where the same speaker would have to do them.
    fn check_speakers(&mut self, context: &Context, roles: &[Role], lists: &Lists) {
        match context {
            Context::All(parts) | Context::Any(parts) => {
                parts.iter().for_each(|part| self.check_speakers(part, roles, lists));
            }
            Context::Not(part) => self.check_speakers(part, roles, lists),
            Context::Then { any, .. } => {
                let model = self.model.clone();
                let acts = self.expand(any, lists).into_iter().filter(|phrase| phrase.is_act);
                for act in acts.collect::<Vec<_>>() {
                    let known =
                        model.as_ref().and_then(|model| Some(&model.acts()[usize::from(model.act(&act.text.value)?)]));
                    let Some(known) = known.filter(|known| !roles.contains(&known.role)) else { continue };
                    let (who, name) = (known.role.zh(), &act.text.value);
                    let diagnostic = Diagnostic::error(
                        "act-of-another",
                        act.text.at.clone(),
                        format!("`{name}` 是{who}的动作，说这句话的人不会做"),
                        format!("`{name}` is an act of the {}: who says these words never does it", known.role.name()),
                    );
                    let diagnostic = diagnostic.help("换成同一个人的动作。", "Name an act of the same speaker.");
                    if !self.diagnostics.contains(&diagnostic) {
                        self.diagnostics.push(diagnostic);
                    }
                }
            }
            _ => {}
        }
    }

    /// Phrases that conditions look for.
    fn context_phrases(&mut self, any: &[PhraseSource], lists: &Lists) -> Vec<PhraseId> {
        let mut phrases = Vec::new();
        for phrase in self.expand(any, lists) {
            if phrase.is_act {
                phrases.extend(self.act(&phrase.text));
                continue;
            }
            let options = PhraseOptions {
                homophone: phrase.homophone.unwrap_or(Homophone::Off),
                boundary: phrase.boundary.unwrap_or(Boundary::Anywhere),
            };
            let added = self.lexicon.add_context(&phrase.text.value, options);
            let id = self.interned(added, phrase);
            phrases.extend(id);
            self.origins.beside.extend(id.map(|id| PhraseOrigin { source: phrase.clone(), id, options }));
        }
        phrases
    }

    /// The phrase that stands for an act: the model hears it, not the automaton.
    fn act(&mut self, name: &Located<String>) -> Option<PhraseId> {
        let Some(model) = &self.model else {
            // Every other act lacks it, too.
            if !self.diagnostics.iter().any(|diagnostic| diagnostic.code == "no-model") {
                let (zh, en) =
                    ("规则用到了语用动作，却没有模型文件", "a rule speaks of an act, and there is no model file");
                self.diagnostics.push(Diagnostic::error("no-model", name.at.clone(), zh, en).help(
                    "把 confidence.model 放在规则目录里；用 tingjian learn 生成。",
                    "Put confidence.model into the directory of the rules; tingjian learn makes it.",
                ));
            }
            return None;
        };
        let Some(act) = model.act(&name.value) else {
            let (zh, en) = (format!("没有语用动作 `{}`", name.value), format!("there is no act `{}`", name.value));
            let diagnostic = Diagnostic::error("unknown-act", name.at.clone(), zh, en);
            let near = nearest(&name.value, model.acts().iter().map(|act| act.id.as_str())).map(str::to_owned);
            let diagnostic = match near {
                Some(near) => diagnostic.help(format!("是不是 `{near}`？"), format!("Did you mean `{near}`?")),
                None => diagnostic.help("名称见 corpus/acts.yaml。", "The names are in corpus/acts.yaml."),
            };
            // A list may be used several times; its faults are told once.
            if !self.diagnostics.contains(&diagnostic) {
                self.diagnostics.push(diagnostic);
            }
            return None;
        };
        let label = model.acts()[usize::from(act)].zh.clone();
        Some(*self.acts.entry(act).or_insert_with(|| self.lexicon.add_unheard(&label)))
    }

    fn interned(
        &mut self,
        added: Result<PhraseId, crate::text::PhraseError>,
        phrase: &PhraseSource,
    ) -> Option<PhraseId> {
        added
            .map_err(|fault| {
                let place = phrase.text.value.chars().take(fault.at).collect::<String>();
                let mut diagnostic = Diagnostic::error("bad-phrase", phrase.text.at.clone(), fault.zh, fault.en);
                if !place.is_empty() {
                    diagnostic = diagnostic.help(format!("就在「{place}」之后"), format!("right after \"{place}\""));
                }
                // A list may be used several times; its faults are told once.
                if !self.diagnostics.contains(&diagnostic) {
                    self.diagnostics.push(diagnostic);
                }
            })
            .ok()
    }

    /// The phrases behind references, in order.
    fn expand<'s>(&mut self, any: &'s [PhraseSource], lists: &'s Lists) -> Vec<&'s PhraseSource> {
        let mut phrases = Vec::new();
        self.expand_into(any, lists, 0, &mut phrases);
        phrases
    }

    fn expand_into<'s>(
        &mut self,
        any: &'s [PhraseSource],
        lists: &'s Lists,
        depth: u32,
        phrases: &mut Vec<&'s PhraseSource>,
    ) {
        for phrase in any {
            let Some(name) = phrase.text.value.strip_prefix('$').filter(|_| !phrase.is_act) else {
                phrases.push(phrase);
                continue;
            };
            if depth == LIST_DEPTH_MAX {
                self.diagnostics.push(
                    Diagnostic::error(
                        "list-circle",
                        phrase.text.at.clone(),
                        format!("词表 ${name} 引用了自己，或嵌套超过 {LIST_DEPTH_MAX} 层"),
                        format!("list ${name} refers to itself, or is nested deeper than {LIST_DEPTH_MAX}"),
                    )
                    .help("去掉循环引用", "remove the circular reference"),
                );
            } else if let Some(list) = lists.get(name) {
                self.origins.lists.insert((self.pack.clone(), name.to_owned()));
                self.expand_into(&list.value, lists, depth + 1, phrases);
            }
        }
    }
}

/// The words to say for a part: those that the rule gives, else its first phrase that can be said as it stands.
fn words(say: Option<&String>, any: &[PhraseSource], lists: &Lists) -> Option<String> {
    say.cloned().or_else(|| sayable(any, lists, 0).map(str::to_owned))
}

fn sayable<'s>(any: &'s [PhraseSource], lists: &'s Lists, depth: u32) -> Option<&'s str> {
    let is_plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || "，。！？、".contains(c));
    any.iter().filter(|phrase| !phrase.is_act).find_map(|phrase| match phrase.text.value.strip_prefix('$') {
        Some(name) if depth < LIST_DEPTH_MAX => sayable(&lists.get(name)?.value, lists, depth + 1),
        Some(_) => None,
        None => Some(phrase.text.value.as_str()).filter(|text| is_plain(text)),
    })
}

/// Characters of a phrase that stand for themselves.
fn literal_chars(phrase: &str) -> usize {
    let mut depth = 0_usize;
    phrase
        .chars()
        .filter(|&c| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && c.is_alphanumeric()
        })
        .count()
}

//! From rule files as written to what a call runs on: lists are expanded,
//! phrases parsed and interned, every use of words becomes a detector.
//!
//! Reports all faults it meets; a rule set exists only when there are none.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Level, Located};
use super::parse::annotate;
use super::program::{
    AnchorProgram, BodyProgram, Condition, Detector, DetectorIx, ExpressionProgram, PartProgram, Program, Side,
    WindowProgram,
};
use super::syntax::{
    Anchor, Body, Boundary, Context, EventRule, Expression, Extent, Homophone, PackSource, Part, PhraseSource,
    RuleSource, Said, Timing, Window,
};
use super::{Rule, RuleSet};
use crate::alert::AlertKind;
use crate::text::{LexiconBuilder, PhraseId, PhraseOptions};
use crate::transcript::{EventKind, Role};

/// Lists may name lists; deeper nesting is a mistake, most likely a circle.
const LIST_DEPTH_MAX: u32 = 8;

/// Phrases up to this many characters must begin and end where words do, unless they say otherwise.
const SHORT_PHRASE_CHARS: usize = 3;

/// Compiles packs into a rule set.
///
/// # Errors
/// Every fault of every phrase and reference, each with its place.
pub fn compile(packs: &[PackSource], version: String) -> Result<RuleSet, Vec<Diagnostic>> {
    let mut compiler = Compiler::default();
    let mut rules = Vec::new();
    let mut programs = Vec::new();
    for pack in packs {
        for source in &pack.rules {
            rules.push(Arc::new(visible(pack, source)));
            programs.push(compiler.program(pack, source));
        }
    }
    let Compiler { lexicon, mut detectors, mut diagnostics, .. } = compiler;
    for pack in packs.iter().filter(|pack| !pack.yields_to.is_empty()) {
        let is_first = |name: &str| pack.yields_to.iter().any(|first| first.value == name);
        let of = |wanted: &dyn Fn(&str) -> bool| -> Vec<&Program> {
            rules.iter().zip(&programs).filter(|(rule, _)| wanted(&rule.pack)).map(|(_, program)| program).collect()
        };
        let first: Vec<DetectorIx> = of(&is_first).into_iter().filter_map(Program::always_forbids).collect();
        for program in of(&|name| name == pack.pack.value) {
            if let BodyProgram::Forbid { detector, .. } = program.body {
                detectors[detector as usize].yields_to.clone_from(&first);
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
    Ok(RuleSet::assemble(version, rules, programs, detectors, lexicon))
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
    }
}

/// What a use of words means for phrases that do not say themselves.
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
    /// Detectors made for the rule at hand.
    used: Vec<DetectorIx>,
}

type Lists = BTreeMap<String, Located<Vec<PhraseSource>>>;

impl Compiler {
    fn program(&mut self, pack: &PackSource, source: &RuleSource) -> Program {
        self.used.clear();
        let lists = &pack.lists;
        let when = source.when.as_ref().map(|expression| self.expression(expression, lists));
        let body = match &source.body.value {
            Body::Forbid(forbid) => BodyProgram::Forbid {
                detector: self.detector(&forbid.said, lists, Defaults::STRICT),
                at_least: forbid.at_least,
                window: forbid.window.as_ref().map(|window| self.window(window, lists)),
                roles: forbid.said.roles.clone(),
            },
            Body::Require(require) => BodyProgram::Require {
                parts: require.parts.iter().map(|part| self.part(part, lists)).collect(),
                window: self.window(&require.window, lists),
                roles: require.parts.first().map(|part| part.said.roles.clone()).unwrap_or_default(),
                remind_ms: require.remind_ms,
                count_hold: require.count_hold,
                even_if_cut_short: require.even_if_cut_short,
            },
            Body::Sequence(sequence) => BodyProgram::Sequence {
                after: match &sequence.after {
                    Some(anchor) => self.anchor(anchor, lists),
                    None => AnchorProgram::Event(EventKind::Answered),
                },
                steps: sequence
                    .steps
                    .iter()
                    .map(|step| PartProgram {
                        name: step.name.clone(),
                        detector: self.detector(&step.said, lists, Defaults::LENIENT),
                        optional: step.optional,
                    })
                    .collect(),
                within_ms: sequence.within_ms,
            },
            Body::Timing(timing) => {
                let unless = match timing {
                    Timing::Interruption { unless, .. } | Timing::Repeat { unless, .. } => unless.as_slice(),
                    _ => &[],
                };
                BodyProgram::Timing { timing: timing.clone(), unless: self.context_phrases(unless, lists) }
            }
            Body::Event(EventRule::HangupBy(party)) => BodyProgram::HangupBy(*party),
            Body::Event(EventRule::TransferUnanswered) => BodyProgram::TransferUnanswered,
            Body::Event(EventRule::Without { event, said, within_ms }) => BodyProgram::Without {
                event: *event,
                detector: self.detector(said, lists, Defaults::LENIENT),
                within_ms: *within_ms,
            },
            Body::Event(EventRule::Greeting { hours }) => BodyProgram::Greeting(
                hours
                    .iter()
                    .map(|(range, any)| {
                        let said = Said {
                            roles: vec![Role::Agent],
                            any: any.clone(),
                            unless: Vec::new(),
                            only: Vec::new(),
                            homophone: None,
                            boundary: None,
                        };
                        (*range, self.detector(&said, lists, Defaults::STRICT))
                    })
                    .collect(),
            ),
        };
        let windowed_by_turns = |window: &WindowProgram| matches!(window.extent, Extent::Turns(_));
        let on_speech = match &body {
            BodyProgram::Forbid { window, .. } => window.as_ref().is_some_and(windowed_by_turns),
            BodyProgram::Require { window, .. } => windowed_by_turns(window),
            BodyProgram::Timing { timing, .. } => !matches!(timing, Timing::Hold { .. } | Timing::Rings { .. }),
            _ => false,
        };
        let on_event = match &body {
            BodyProgram::Forbid { window, .. } => window.is_some(),
            BodyProgram::Greeting(_) => false,
            _ => true,
        } || when.as_ref().is_some_and(ExpressionProgram::asks_for_events);
        let mut detectors = std::mem::take(&mut self.used);
        detectors.sort_unstable();
        detectors.dedup();
        Program {
            body,
            when,
            limit: source.limit,
            hypotheses: source.hypotheses,
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

    fn part(&mut self, part: &Part, lists: &Lists) -> PartProgram {
        let name = part
            .name
            .clone()
            .or_else(|| part.said.any.first().map(|first| self.first_words(first, lists)))
            .unwrap_or_default();
        PartProgram { name, detector: self.detector(&part.said, lists, Defaults::LENIENT), optional: false }
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

    fn expression(&mut self, expression: &Expression, lists: &Lists) -> ExpressionProgram {
        match expression {
            Expression::All(all) => {
                ExpressionProgram::All(all.iter().map(|part| self.expression(part, lists)).collect())
            }
            Expression::Any(any) => {
                ExpressionProgram::Any(any.iter().map(|part| self.expression(part, lists)).collect())
            }
            Expression::Not(part) => ExpressionProgram::Not(Box::new(self.expression(part, lists))),
            Expression::Said { said, within_ms } => ExpressionProgram::Said {
                detector: self.detector(said, lists, Defaults::STRICT),
                within_ms: *within_ms,
            },
            Expression::Happened { event, within_ms } => {
                ExpressionProgram::Happened { event: *event, within_ms: *within_ms }
            }
            Expression::Hour(range) => ExpressionProgram::Hour(*range),
            Expression::LastedMs(ms) => ExpressionProgram::LastedMs(*ms),
        }
    }

    fn detector(&mut self, said: &Said, lists: &Lists, defaults: Defaults) -> DetectorIx {
        let mut phrases = Vec::new();
        for phrase in self.expand(&said.any, lists) {
            let homophone = phrase.homophone.or(said.homophone).unwrap_or(defaults.homophone);
            let boundary = phrase.boundary.or(said.boundary).unwrap_or(
                if defaults.short_words && literal_chars(&phrase.text.value) <= SHORT_PHRASE_CHARS {
                    Boundary::Word
                } else {
                    Boundary::Anywhere
                },
            );
            let added = self.lexicon.add(&phrase.text.value, PhraseOptions { homophone, boundary });
            phrases.extend(self.interned(added, phrase));
        }
        phrases.sort_unstable();
        phrases.dedup();
        let unless = self.conditions(&said.unless, lists);
        let only = self.conditions(&said.only, lists);
        let looks_around = unless.iter().chain(&only).any(Condition::looks_around);
        let ix = DetectorIx::try_from(self.detectors.len()).unwrap_or(DetectorIx::MAX);
        self.detectors.push(Detector {
            roles: said.roles.clone(),
            phrases,
            unless,
            only,
            looks_around,
            yields_to: Vec::new(),
        });
        self.used.push(ix);
        ix
    }

    fn conditions(&mut self, contexts: &[Context], lists: &Lists) -> Vec<Condition> {
        contexts.iter().map(|context| self.condition(context, lists)).collect()
    }

    fn condition(&mut self, context: &Context, lists: &Lists) -> Condition {
        match context {
            Context::Before { any, within } => {
                Condition::Before { any: self.context_phrases(any, lists), within: *within }
            }
            Context::After { any, within } => {
                Condition::After { any: self.context_phrases(any, lists), within: *within }
            }
            Context::Around(any) => Condition::Around(self.context_phrases(any, lists)),
            Context::Clause(any) => Condition::Clause(self.context_phrases(any, lists)),
            Context::Sentence(any) => Condition::Sentence(self.context_phrases(any, lists)),
            Context::Turn(any) => Condition::Turn(self.context_phrases(any, lists)),
            Context::Reply(any) => Condition::Reply(self.context_phrases(any, lists)),
            Context::Negated(is) => Condition::Negated(*is),
            Context::Question(is) => Condition::Question(*is),
            Context::Quoted(is) => Condition::Quoted(*is),
            Context::Conditional(is) => Condition::Conditional(*is),
            Context::Subject(subjects) => Condition::Subject(subjects.clone()),
            Context::Alone(is) => Condition::Alone(*is),
            Context::Begins(is) => Condition::Begins(*is),
            Context::Ends(is) => Condition::Ends(*is),
            Context::VolumeAboveDb(db) => Condition::VolumeAboveDb(*db),
            Context::PitchAboveHz(hz) => Condition::PitchAboveHz(*hz),
            Context::All(all) => Condition::All(self.conditions(all, lists)),
            Context::Any(any) => Condition::Any(self.conditions(any, lists)),
            Context::Not(context) => Condition::Not(Box::new(self.condition(context, lists))),
        }
    }

    /// Phrases that are only looked for beside a hit, never scanned for.
    fn context_phrases(&mut self, any: &[PhraseSource], lists: &Lists) -> Vec<PhraseId> {
        let mut phrases = Vec::new();
        for phrase in self.expand(any, lists) {
            let options = PhraseOptions {
                homophone: phrase.homophone.unwrap_or(Homophone::Off),
                boundary: phrase.boundary.unwrap_or(Boundary::Anywhere),
            };
            let added = self.lexicon.add_context(&phrase.text.value, options);
            phrases.extend(self.interned(added, phrase));
        }
        phrases
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
            let Some(name) = phrase.text.value.strip_prefix('$') else {
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
                self.expand_into(&list.value, lists, depth + 1, phrases);
            }
        }
    }
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

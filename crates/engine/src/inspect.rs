//! What the engine sees in a call, for whoever tries rules out: each utterance
//! folded, cut into words, with the candidates of all rules and what became of
//! each; and every window of the rules that require something.
//!
//! Like [`explain`](super::explain), which does it for one rule, it looks at a
//! call after the fact, decides nothing and changes nothing.

use super::act::Reasons;
use super::call::{Call, obstacles};
use super::context::Veto;
use super::explain::{ExplainedWindow, FORBIDDEN, purpose, reason, reason_en};
use super::monitor;
use super::rule::program::RuleIx;
use super::text::{FoldedText, Likeness, cut};
use super::time::CallTime;
use super::transcript::Role;

/// One utterance as the engine sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// The rule.
    pub utterance_id: String,
    /// The role of the speaker.
    pub role: Role,
    /// The words, as they came.
    pub text: String,
    /// When it began.
    pub start: CallTime,
    /// When it ended.
    pub end: CallTime,
    /// Whether it is settled.
    pub is_final: bool,
    /// Its symbols.
    pub folded: String,
    /// Where each symbol of `folded` stands in `text`, in Unicode scalar
    /// values, the end exclusive. Those of a numeral share their place.
    pub offsets: Vec<(usize, usize)>,
    /// The text as jieba cuts it into words.
    pub words: Vec<String>,
    /// The phrases that stand in it, counted or not, of all rules.
    pub candidates: Vec<Candidate>,
    /// Why the second look is as sure as it is that a reviewer marks it; `None` without a model.
    pub second_look: Option<Reasons>,
}

/// A phrase of a rule where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The rule.
    pub rule_id: String,
    /// Its name.
    pub rule_name: String,
    /// The phrase as the rule words it.
    pub phrase: String,
    /// Where it begins in the utterance, in Unicode scalar values.
    pub start: usize,
    /// Where it ends, exclusive.
    pub end: usize,
    /// It began in the speaker's utterance before.
    pub continued: bool,
    /// It only sounds like the phrase.
    pub homophone: bool,
    /// Why it did not count, in Chinese; `None` if it counted.
    pub veto: Option<String>,
    /// The reason in English.
    pub veto_en: Option<String>,
    /// The part of the rule that the words serve.
    pub purpose: String,
    /// Of an act: why the model holds that it is done.
    pub act: Option<Reasons>,
}

/// A window of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedWindow {
    /// The rule.
    pub rule_id: String,
    /// Its name.
    pub rule_name: String,
    /// From when to when, and what was said in it.
    pub window: ExplainedWindow,
}

/// Looks at every utterance of a call that was made by [`Call::explainable`],
/// in the order they were said.
#[must_use]
pub fn utterances(call: &Call) -> Vec<Inspected> {
    let mut inspected = Vec::new();
    call.reconsider(
        |detector| call.listens_for(detector),
        |ix, text, considered| {
            let spoken = call.view().timeline.get(ix);
            let (folded, offsets) = symbols(text);
            let mut one = Inspected {
                utterance_id: spoken.id.to_string(),
                role: spoken.role,
                text: spoken.text.raw().to_owned(),
                start: spoken.start,
                end: spoken.end,
                is_final: spoken.is_final,
                folded,
                offsets,
                words: cut(text),
                candidates: Vec::new(),
                second_look: call.reasons_of_verdict(ix).filter(|_| spoken.role == Role::Agent),
            };
            one.candidates.extend(considered.iter().flat_map(|seen| candidates(call, text, seen)));
            inspected.push(one);
        },
    );
    // Rules that do not apply yield to nobody and nobody yields to them: they are looked at apart.
    let mut place = 0;
    call.reconsider(
        |detector| !call.listens_for(detector),
        |_, text, considered| {
            let one: &mut Inspected = &mut inspected[place];
            one.candidates.extend(considered.iter().flat_map(|seen| candidates(call, text, seen)));
            one.candidates.sort_by_key(|candidate| (!candidate.continued, candidate.start, candidate.end));
            place += 1;
        },
    );
    inspected
}

/// Forbidden words that do not count, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// The utterance.
    pub utterance_id: String,
    /// The speaker.
    pub role: Role,
    /// The words, as they came.
    pub text: String,
    /// When it began.
    pub start: CallTime,
    /// The phrase, and the reason.
    pub candidate: Candidate,
}

/// The forbidden words of a call that was made by [`Call::explainable`] which something keeps from counting,
/// in the order they were said.
#[must_use]
pub fn near_misses(call: &Call) -> Vec<NearMiss> {
    let mut found = Vec::new();
    call.reconsider(
        |_| true,
        |ix, text, considered| {
            let spoken = call.view().timeline.get(ix);
            let vetoed = considered.iter().filter(|seen| seen.veto.is_some());
            let vetoed = vetoed.flat_map(|seen| candidates(call, text, seen));
            found.extend(vetoed.filter(|candidate| candidate.purpose == FORBIDDEN).map(|candidate| NearMiss {
                utterance_id: spoken.id.to_string(),
                role: spoken.role,
                text: spoken.text.raw().to_owned(),
                start: spoken.start,
                candidate,
            }));
        },
    );
    found
}

/// The windows of all rules that apply, in the order of the rules.
#[must_use]
pub fn windows(call: &Call) -> Vec<InspectedWindow> {
    let rules = call.rules();
    let view = call.view();
    let active = (0..).zip(rules.rules.iter().zip(&rules.programs)).filter(|(ix, _)| call.is_active(*ix));
    active
        .flat_map(|(_, (rule, program))| {
            monitor::explain_windows(&view, program).into_iter().map(|window| InspectedWindow {
                rule_id: rule.id.clone(),
                rule_name: rule.name.clone(),
                window,
            })
        })
        .collect()
}

/// The utterance's own symbols, and where they stand.
fn symbols(text: &FoldedText) -> (String, Vec<(usize, usize)>) {
    let place = |at: usize| {
        let own = text.raw_span(at..at + 1).own.unwrap_or_default();
        (own.start, own.end)
    };
    (text.chars()[text.lead()..].iter().collect(), (text.lead()..text.len()).map(place).collect())
}

/// A match, once for each rule that asks for it.
fn candidates<'a>(
    call: &'a Call,
    text: &'a FoldedText,
    seen: &'a super::detect::Considered,
) -> impl Iterator<Item = Candidate> + 'a {
    let rules = call.rules();
    let spoken_role = call.view().timeline.get(seen.utterance).role;
    let span = seen.matched.raw_span(text);
    let own = span.own.clone().unwrap_or_default();
    let misnamed = rules.misnames_packs(call.info());
    let act = call.reasons_of_act(seen.utterance, seen.matched.phrase);
    rules.rules_of[seen.detector as usize].iter().map(move |&ix: &RuleIx| {
        let (rule, program) = (&rules.rules[ix as usize], &rules.programs[ix as usize]);
        let (veto, veto_en) = if call.is_active(ix) {
            let told = |reason: fn(&Veto, Role) -> String| seen.veto.as_ref().map(|veto| reason(veto, spoken_role));
            (told(reason), told(reason_en))
        } else {
            let obstacles: Vec<String> =
                obstacles(program, &rule.pack, call.info(), misnamed).map(|it| it.to_string()).collect();
            (Some(obstacles.join("；")), Some(String::from("the rule does not apply to this call")))
        };
        Candidate {
            rule_id: rule.id.clone(),
            rule_name: rule.name.clone(),
            phrase: rules.lexicon.phrase_text(seen.matched.phrase).to_owned(),
            start: own.start,
            end: own.end,
            continued: span.previous.is_some(),
            homophone: seen.matched.likeness != Likeness::Exact,
            veto,
            veto_en,
            purpose: purpose(program, seen.detector),
            act: act.clone(),
        }
    })
}

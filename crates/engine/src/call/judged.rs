//! The model's judgement of utterances in their place among the others.

use std::cell::RefCell;

use crate::act::{ActId, Judged, Model, Reasons, Scratch, Turn};
use crate::rule::RuleSet;
use crate::text::Match;
use crate::timeline::{Before, Judgement, Spoken, Timeline, UtteranceIx};
use crate::transcript::Channel;
use crate::work;

thread_local! {
    /// Scoring takes no memory: its buffers serve all calls of a thread.
    static BUFFERS: RefCell<(Scratch, Judged)> = RefCell::default();
}

/// Has the model judge an utterance, keeps its verdict and its acts, and
/// returns the acts that rules speak of as matches, each with the words that speak for it.
/// `earlier` is its judgement so far, which stands if it would be judged by the same words.
pub(super) fn judge(
    model: &Model,
    rules: &RuleSet,
    channel: Channel,
    timeline: &mut Timeline,
    ix: UtteranceIx,
    mut found: Vec<u32>,
    earlier: Option<Judgement>,
) -> Vec<Match> {
    let after = timeline.before(timeline.position(ix));
    found.sort_unstable();
    found.dedup();
    let revision = |ix: Option<UtteranceIx>| ix.map_or(0, |ix| timeline.get(ix).revision);
    let revisions = [Some(ix), after.other, after.own].map(revision);
    if let Some(earlier) = earlier.filter(|it| it.revisions == revisions && it.after == after && it.found == found) {
        let acts = earlier.acts.clone();
        timeline.get_mut(ix).judged = Some(earlier);
        return acts;
    }
    work::look(1);
    let spoken = timeline.get(ix);
    let turn = turn(channel, timeline, spoken, after, &found);
    let (matches, verdict) = BUFFERS.with_borrow_mut(|(scratch, judged)| {
        model.judge(&turn, scratch, judged);
        // What the first words of a hypothesis do, the last ones often undo.
        let done = model.done(judged, spoken.role).filter(|_| spoken.is_final);
        let spoken_of = done.filter_map(|(act, _)| Some((act, *rules.acts.get(&act)?)));
        let matches: Vec<Match> = spoken_of
            .map(|(act, phrase)| {
                let (start, end) = model.evidence(scratch, act).unwrap_or_default();
                spoken.text.covering(phrase, start as usize..end as usize)
            })
            .collect();
        (matches, model.verdict(judged))
    });
    let judgement = Judgement { verdict, acts: matches.clone(), found, after, revisions };
    timeline.get_mut(ix).judged = Some(judgement);
    matches
}

/// An utterance as the model sees it.
fn turn<'t>(channel: Channel, timeline: &'t Timeline, spoken: &'t Spoken, after: Before, found: &'t [u32]) -> Turn<'t> {
    let raw = |ix: Option<UtteranceIx>| ix.map_or("", |ix| timeline.get(ix).text.raw());
    Turn {
        role: spoken.role,
        channel,
        text: spoken.text.raw(),
        prev: raw(after.other),
        own_prev: raw(after.own),
        found,
    }
}

/// Why the model judged an utterance as it did: for an act, or for the verdict (`None`).
pub(super) fn reasons(
    model: &Model,
    channel: Channel,
    timeline: &Timeline,
    ix: UtteranceIx,
    act: Option<ActId>,
) -> Option<Reasons> {
    let spoken = timeline.get(ix);
    let judged = spoken.judged.as_ref()?;
    Some(model.reasons(&turn(channel, timeline, spoken, judged.after, &judged.found), act))
}

/// Whether an utterance now follows another turn than when it was judged, or `changed` itself.
pub(super) fn is_judged_anew(timeline: &Timeline, position: usize, changed: UtteranceIx) -> bool {
    timeline.spoken_at(position).judged.as_ref().is_some_and(|judged| {
        let now = timeline.before(position);
        judged.after != now || now.other == Some(changed) || now.own == Some(changed)
    })
}

//! The model's judgement of utterances in their place among the others.

use crate::act::{Judged, Model, Scratch, Turn};
use crate::rule::RuleSet;
use crate::text::Match;
use crate::timeline::{Judgement, Timeline, UtteranceIx};
use crate::transcript::Channel;

/// Has the model judge an utterance, keeps its verdict and its acts, and
/// returns the acts that rules speak of as matches, each with the words that speak for it.
pub(super) fn judge(
    model: &Model,
    rules: &RuleSet,
    channel: Channel,
    timeline: &mut Timeline,
    ix: UtteranceIx,
    mut found: Vec<u32>,
) -> Vec<Match> {
    let position = timeline.position(ix);
    let after = timeline.before(position);
    found.sort_unstable();
    found.dedup();
    let spoken = timeline.get(ix);
    let raw = |ix: Option<UtteranceIx>| ix.map_or("", |ix| timeline.get(ix).text.raw());
    let turn = Turn {
        role: spoken.role,
        channel,
        text: spoken.text.raw(),
        prev: raw(after.other),
        own_prev: raw(after.own),
        found: &found,
    };
    let (mut scratch, mut judged) = (Scratch::default(), Judged::default());
    model.judge(&turn, &mut scratch, &mut judged);
    // What the first words of a hypothesis do, the last ones often undo.
    let done = model.done(&judged, spoken.role).filter(|_| spoken.is_final);
    let spoken_of = done.filter_map(|(act, _)| Some((act, *rules.acts.get(&act)?)));
    let matches: Vec<Match> = spoken_of
        .map(|(act, phrase)| {
            let (start, end) = model.evidence(&turn, Some(act)).unwrap_or_default();
            spoken.text.covering(phrase, start as usize..end as usize)
        })
        .collect();
    let judgement = Judgement { verdict: model.verdict(&judged), acts: matches.clone(), after };
    timeline.get_mut(ix).judged = Some(judgement);
    matches
}

/// Whether an utterance now follows another turn than when it was judged, or `changed` itself.
pub(super) fn is_judged_anew(timeline: &Timeline, position: usize, changed: UtteranceIx) -> bool {
    timeline.spoken_at(position).judged.as_ref().is_some_and(|judged| {
        let now = timeline.before(position);
        judged.after != now || now.other == Some(changed) || now.own == Some(changed)
    })
}

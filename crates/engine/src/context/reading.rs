//! One utterance as conditions read it: what all its hits share is found once.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;

use super::words::{FINAL_PARTICLES, PARTICLES};
use crate::rule::RuleSet;
use crate::text::{Borders, FoldedText, PhraseId, WordsJudged};
use crate::timeline::{Around, Spoken, TEXTS_KEPT, Timeline, UtteranceIx};
use crate::transcript::Role;

/// How many utterances of a turn are looked at behind the one that hit. Those further behind come later than
/// an utterance is judged again.
pub(crate) const TURN_AHEAD: usize = 8;

/// How many utterances behind the one that hit are looked at for words that take it back.
pub(crate) const THEN_AHEAD: usize = 16;

const _: () = assert!(TURN_AHEAD < TEXTS_KEPT && THEN_AHEAD < TEXTS_KEPT, "what conditions look at is still kept");

impl Around {
    pub(crate) fn of(rules: &RuleSet, timeline: &Timeline, ix: UtteranceIx) -> Self {
        let said = |positions: Range<usize>| {
            let spoken = positions.map(|position| timeline.spoken_at(position));
            let mut said: Vec<PhraseId> =
                spoken.flat_map(|spoken| spoken.said.iter().copied().chain(acts(spoken))).collect();
            // Each utterance's phrases are in order already: a stable sort merges them.
            said.sort();
            said.dedup();
            said
        };
        let own = timeline.position(ix);
        let other = match timeline.get(ix).role {
            Role::Agent => Role::Customer,
            Role::Customer | Role::System => Role::Agent,
        };
        let mut back = (own.saturating_sub(TEXTS_KEPT - 1)..own).rev();
        let reply = back.find(|&earlier| timeline.spoken_at(earlier).role == other);
        Self {
            turn: said(timeline.turn_near(own, TURN_AHEAD)),
            reply: reply.map(|last| said(timeline.turn_near(last, TURN_AHEAD))).unwrap_or_default(),
            then: rules.open_ms.map(|most| said_then(timeline, ix, most)).unwrap_or_default(),
        }
    }
}

/// Gives the phrases that the speaker of an utterance says in the `most` milliseconds behind it. Words that may still change
/// take nothing back.
fn said_then(timeline: &Timeline, ix: UtteranceIx, most: i64) -> Vec<(PhraseId, i64)> {
    let (spoken, own) = (timeline.get(ix), timeline.position(ix));
    let mut said = Vec::new();
    for position in own + 1..(own + 1 + THEN_AHEAD).min(timeline.len()) {
        let later = timeline.spoken_at(position);
        let gap = later.start.since(spoken.end).max(0);
        if gap > most {
            break;
        }
        if later.role == spoken.role && later.is_final {
            said.extend(later.said.iter().copied().chain(acts(later)).map(|phrase| (phrase, gap)));
        }
    }
    said.sort();
    said.dedup_by_key(|(phrase, _)| *phrase);
    said
}

/// An utterance, and what conditions found out about it.
pub(crate) struct Reading<'a> {
    pub(super) rules: &'a RuleSet,
    pub(super) timeline: &'a Timeline,
    pub(super) ix: UtteranceIx,
    pub(super) spoken: &'a Spoken,
    pub(super) text: &'a FoldedText,
    borders: OnceCell<Borders>,
    /// Its first and last symbol that is no particle.
    words: OnceCell<Option<(usize, usize)>>,
    places: RefCell<BTreeMap<PhraseId, Places>>,
    around: OnceCell<Around>,
    /// The sentence that was asked about last, and whether its end asks.
    sentence: RefCell<Option<(Range<usize>, bool)>>,
    pub(crate) boundaries: WordsJudged,
}

/// The places where one phrase stands in one text.
pub(super) struct Places {
    found: Vec<Range<usize>>,
    /// By place, the least end of it and of the places after it.
    least_ends: Vec<usize>,
}

impl Places {
    fn new(found: Vec<Range<usize>>) -> Self {
        let mut least_ends: Vec<usize> = found.iter().map(|place| place.end).collect();
        for at in (1..least_ends.len()).rev() {
            least_ends[at - 1] = least_ends[at - 1].min(least_ends[at]);
        }
        Self { found, least_ends }
    }

    /// Whether one lies inside `region`.
    pub(super) fn any_inside(&self, region: &Range<usize>) -> bool {
        let first = self.found.partition_point(|place| place.start < region.start);
        self.least_ends.get(first).is_some_and(|&end| end <= region.end)
    }

    /// Whether one that begins in `starts` fits.
    pub(super) fn any_from(&self, starts: Range<usize>, fits: impl Fn(&Range<usize>) -> bool) -> bool {
        let first = self.found.partition_point(|place| place.start < starts.start);
        self.found[first..].iter().take_while(|place| place.start < starts.end).any(fits)
    }
}

impl<'a> Reading<'a> {
    pub(crate) fn new(rules: &'a RuleSet, timeline: &'a Timeline, ix: UtteranceIx) -> Self {
        let spoken = timeline.get(ix);
        Self {
            rules,
            timeline,
            ix,
            spoken,
            text: &spoken.text,
            borders: OnceCell::new(),
            words: OnceCell::new(),
            places: RefCell::default(),
            around: OnceCell::new(),
            sentence: RefCell::default(),
            boundaries: WordsJudged::default(),
        }
    }

    pub(super) fn borders(&self) -> &Borders {
        self.borders.get_or_init(|| Borders::of(self.text))
    }

    /// Whether this utterance does the act that `phrase` stands for, or says `phrase` where `fits` finds it.
    pub(super) fn says(&self, phrase: PhraseId, fits: impl FnOnce(&Places) -> bool) -> bool {
        if acts(self.spoken).any(|act| act == phrase) {
            return true;
        }
        let mut places = self.places.borrow_mut();
        fits(places.entry(phrase).or_insert_with(|| Places::new(self.rules.lexicon.places(phrase, self.text))))
    }

    /// Whether the speaker's turn says `phrase`.
    pub(super) fn turn_says(&self, phrase: PhraseId) -> bool {
        self.around().turn.binary_search(&phrase).is_ok()
    }

    /// Whether the turn of the other party that this utterance follows says `phrase`.
    pub(super) fn reply_says(&self, phrase: PhraseId) -> bool {
        self.around().reply.binary_search(&phrase).is_ok()
    }

    /// Whether the speaker says `phrase` within so long behind this utterance.
    pub(super) fn then_says(&self, phrase: PhraseId, within_ms: i64) -> bool {
        let then = &self.around().then;
        then.binary_search_by_key(&phrase, |(phrase, _)| *phrase).is_ok_and(|at| then[at].1 <= within_ms)
    }

    fn around(&self) -> &Around {
        self.around.get_or_init(|| Around::of(self.rules, self.timeline, self.ix))
    }

    /// Whether the utterance says nothing but particles before and after `span`.
    pub(super) fn alone(&self, span: &Range<usize>) -> bool {
        let own = self.text.lead()..self.text.len();
        let words = self.words.get_or_init(|| {
            let is_word = |at: &usize| !PARTICLES.contains(&self.text.chars()[*at]);
            Some((own.clone().find(is_word)?, own.clone().rfind(is_word)?))
        });
        own.start <= span.start && words.is_none_or(|(first, last)| first >= span.start && last < span.end)
    }

    /// Whether a sentence ends as questions do: with the mark, 吗 or 么.
    pub(super) fn ends_as_question(&self, sentence: &Range<usize>) -> bool {
        let mut known = self.sentence.borrow_mut();
        if let Some((_, asks)) = known.as_ref().filter(|(of, _)| of == sentence) {
            return *asks;
        }
        let asks = self.text.ends_with_question_mark(sentence) || {
            let chars = self.text.chars().get(sentence.clone()).unwrap_or_default();
            let spoken = super::trim_end(chars, FINAL_PARTICLES);
            matches!(spoken.last(), Some('吗' | '么'))
                && !super::ends_with(spoken, "什么")
                && !super::ends_with(spoken, "怎么")
        };
        *known = Some((sentence.clone(), asks));
        asks
    }
}

/// The phrases that stand for what an utterance does.
fn acts(spoken: &Spoken) -> impl Iterator<Item = PhraseId> {
    spoken.judged.iter().flat_map(|judged| &judged.acts).map(|act| act.phrase)
}

//! Masking while a call is in progress, when the rest of a number is still to come.

use std::collections::{BTreeMap, BTreeSet};

use super::digits::{self, Group, is_masked};
use super::numbers::{find, may_go_on, shown_first};
use super::words::{Cue, cue_asked, cue_before};
use super::{mask_asked, mask_chars, split};
use crate::transcript::{Role, Utterance};

/// So many utterances of one speaker, and characters of them, a number may be read out over.
const UTTERANCES_MAX: usize = 32;
const CHARS_MAX: usize = 2_000;
/// The number of finals after the words that name a number within which it may still be read out.
const ASKED_FINALS: u32 = 4;
/// The most utterances remembered that read otherwise within the call than alone.
const KNOWN_MAX: usize = 512;
/// The most utterances remembered without a final.
const GUESSES_MAX: usize = 256;
/// A hypothesis with fewer digits at its end is shown as it is.
const GUESSED_DIGITS: usize = 4;

/// What the speakers of one call say, in the order in which it arrives, masked by all that each of
/// them said: a number may be read out over several utterances. The digits at the end of what was
/// said are held back, all of them, for as long as they may be the beginning of a number.
#[derive(Clone, Debug, Default)]
pub struct Running {
    /// By speaker, the utterances whose last number may go on.
    open: BTreeMap<&'static str, Vec<Said>>,
    /// What was named last, and for how many finals more that counts.
    asked: Option<(Cue, u32)>,
    /// Finals that read otherwise within the call than alone, masked.
    known: BTreeMap<String, String>,
    /// Utterances without a final.
    guesses: BTreeSet<String>,
}

/// A final, as it came and as it was shown.
#[derive(Clone, Debug)]
struct Said {
    utterance: Utterance,
    shown: String,
}

impl Running {
    /// Takes an utterance; returns earlier finals of its speaker that now read otherwise, masked.
    pub fn say(&mut self, utterance: &Utterance) -> Vec<Utterance> {
        let id = &utterance.utterance_id;
        if !utterance.is_final {
            self.guesses.insert(id.clone());
            if self.guesses.len() > GUESSES_MAX {
                self.guesses.pop_first();
            }
            return Vec::new();
        }
        self.guesses.remove(id);
        self.known.remove(id);
        let asked = self.asked.map(|(cue, _)| cue);
        self.note_asked(&utterance.text);
        let open = self.open.entry(utterance.role.name()).or_default();
        if open.is_empty() && !utterance.text.chars().any(|c| digits::figure(c).is_some()) {
            return Vec::new();
        }
        match open.iter_mut().find(|said| said.utterance.utterance_id == *id) {
            Some(said) => said.utterance.clone_from(utterance),
            None => open.push(Said { utterance: utterance.clone(), shown: String::new() }),
        }
        let (texts, from) = reword(open.iter().map(|said| said.utterance.text.as_str()), asked, Hold::Undecided);
        let mut shown = settle(open, texts, &mut self.known);
        shown.retain(|shown| shown.utterance_id != *id);
        open.drain(..from.unwrap_or(open.len()));
        let chars = |open: &[Said]| open.iter().map(|said| said.utterance.text.chars().count()).sum::<usize>();
        while open.len() > UTTERANCES_MAX || open.len() > 1 && chars(open) > CHARS_MAX {
            open.remove(0);
        }
        shown
    }

    /// An utterance that was said, as it reads now.
    #[must_use]
    pub fn read(&self, utterance: &Utterance) -> Utterance {
        let Utterance { utterance_id, role, text, .. } = utterance;
        Utterance { text: self.words(utterance_id, *role, text), ..utterance.clone() }
    }

    /// Nothing more comes: the finals that were held back and now read otherwise.
    pub fn finish(&mut self) -> Vec<Utterance> {
        let asked = self.asked.map(|(cue, _)| cue);
        let mut shown = Vec::new();
        for open in self.open.values_mut() {
            let (texts, _) = reword(open.iter().map(|said| said.utterance.text.as_str()), asked, Hold::Nothing);
            shown.extend(settle(open, texts, &mut self.known));
            open.clear();
        }
        shown
    }

    /// The words of an utterance that was said, as they read now.
    #[must_use]
    pub fn words(&self, utterance_id: &str, role: Role, text: &str) -> String {
        match self.guesses.contains(utterance_id) {
            true => self.suppose(role, utterance_id, text),
            false => self.settled(utterance_id, text),
        }
    }

    /// A hypothesis: whatever digits it ends with are held back.
    fn suppose(&self, role: Role, id: &str, text: &str) -> String {
        let open = self.open.get(role.name()).into_iter().flatten();
        let before = open.filter(|said| said.utterance.utterance_id != id).map(|said| said.utterance.text.as_str());
        let (mut texts, _) = reword(before.chain([text]), self.asked.map(|(cue, _)| cue), Hold::All);
        texts.pop().unwrap_or_default()
    }

    /// A final.
    fn settled(&self, id: &str, text: &str) -> String {
        let known = self.known.get(id).filter(|known| known.chars().count() == text.chars().count());
        known.cloned().unwrap_or_else(|| mask_asked(text, None).into_owned())
    }

    /// Notes what a final names.
    fn note_asked(&mut self, text: &str) {
        let chars: Vec<char> = text.chars().collect();
        self.asked = match (cue_asked(&chars), self.asked) {
            (Some(cue), _) => Some((cue, ASKED_FINALS)),
            (None, Some((cue, left @ 2..))) => Some((cue, left - 1)),
            (None, _) => None,
        };
    }
}

/// Puts the masked `texts` in place; returns the finals that are now shown otherwise.
fn settle(open: &mut [Said], texts: Vec<String>, known: &mut BTreeMap<String, String>) -> Vec<Utterance> {
    let mut shown = Vec::new();
    for (said, text) in open.iter_mut().zip(texts) {
        let Utterance { utterance_id, text: plain, .. } = &said.utterance;
        if mask_asked(plain, None) == text {
            known.remove(utterance_id);
        } else if known.len() < KNOWN_MAX || known.contains_key(utterance_id) {
            known.insert(utterance_id.clone(), text.clone());
        }
        if said.shown != text {
            said.shown.clone_from(&text);
            shown.push(Utterance { text, ..said.utterance.clone() });
        }
    }
    shown
}

/// Which digits at the end of what was said are held back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// None: nothing more comes.
    Nothing,
    /// Characters that may begin a number.
    Undecided,
    /// All, if there are some.
    All,
}

/// Masks the texts of one speaker as one; also, in which of them the number stands that may go on.
fn reword<'a>(
    texts: impl Iterator<Item = &'a str> + Clone,
    asked: Option<Cue>,
    hold: Hold,
) -> (Vec<String>, Option<usize>) {
    let joined = texts.clone().collect::<Vec<_>>().join("\n");
    let mut chars: Vec<char> = joined.chars().collect();
    let (groups, is_open) = digits::read(&chars);
    let chain = chain(&groups, is_open);
    let held: Vec<usize> = match hold {
        Hold::Nothing => Vec::new(),
        Hold::Undecided => held(&chars, &groups, chain, asked),
        Hold::All => guessed(&chars, &groups, chain),
    };
    let from = groups.get(chain).map(|group| chars[..group.span.start].iter().filter(|&&c| c == '\n').count());
    mask_chars(&mut chars, asked);
    for at in held {
        chars[at] = '*';
    }
    let masked: String = chars.into_iter().collect();
    (split(&masked, texts), from)
}

/// The first group of the number that may go on in the next text; none if there is no such.
fn chain(groups: &[Group], is_open: bool) -> usize {
    if !is_open {
        return groups.len();
    }
    let broken = groups.iter().rposition(|group| group.gap.is_none());
    broken.unwrap_or(groups.len())
}

/// The digits at the end that may be the beginning of a number.
fn held(chars: &[char], groups: &[Group], chain: usize, asked: Option<Cue>) -> Vec<usize> {
    if chain == groups.len() {
        return Vec::new();
    }
    let chain = chain.max(find(chars, groups, asked).decided);
    let begun = (chain..groups.len()).find_map(|first| {
        let values: Vec<u8> = values(&groups[first..]).collect();
        let cue = cue_before(chars, groups[first].span.start).or(asked);
        may_go_on(&values, cue).then(|| places(chars, &groups[first..], shown_first(&values, cue)))
    });
    begun.unwrap_or_default()
}

/// The digits at the end of a hypothesis.
fn guessed(chars: &[char], groups: &[Group], chain: usize) -> Vec<usize> {
    let is_business = groups.get(chain).is_some_and(|group| {
        matches!(cue_before(chars, group.span.start), Some(Cue::Order | Cue::Short | Cue::Amount | Cue::Hotline))
    });
    let is_long = values(&groups[chain..]).take(GUESSED_DIGITS).count() == GUESSED_DIGITS;
    if is_long && !is_business { places(chars, &groups[chain..], 0) } else { Vec::new() }
}

fn values(groups: &[Group]) -> impl Iterator<Item = u8> {
    groups.iter().flat_map(|group| group.figures().iter().map(|figure| figure.value))
}

/// Where the characters of the digits stand, but for the first ones.
fn places(chars: &[char], groups: &[Group], shown_first: usize) -> Vec<usize> {
    let figures = groups.iter().flat_map(|group| group.figures());
    let figures = figures.skip(shown_first).flat_map(|figure| [Some(figure.at), figure.beside]);
    figures.flatten().filter(|&at| is_masked(chars[at])).collect()
}

//! From a turn to the features that the model weighs: hashes of what was said
//! and of what stood before it. Nothing here depends on a model.

use super::words::{Piece, Placed, classify};
use crate::closed::Chars;
use crate::text::plain_chars;
use crate::transcript::{Channel, Role};

/// Characters of a turn that count; of a longer one its end does, where an
/// agent's last word stands.
pub const TURN_CHARS_MAX: usize = 160;

/// Characters of the turns before that count, from their end.
const BEFORE_CHARS_MAX: usize = 40;

/// The longest run of neighbouring characters that is a feature.
const GRAM_CHARS_MAX: usize = 4;

/// How far apart the two characters of a gap feature may stand.
const GAP_MAX: usize = 4;

/// The longest run of neighbouring classes of words that is a feature; of classes without what stands between them.
const CLASSES_MAX: usize = 4;
const CLASSES_APART_MAX: usize = 3;

/// A turn and what stood before it.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'t> {
    /// The speaker.
    pub role: Role,
    /// The channel of the call.
    pub channel: Channel,
    /// The words.
    pub text: &'t str,
    /// The other side's turn before, or nothing.
    pub prev: &'t str,
    /// The speaker's own turn before, or nothing.
    pub own_prev: &'t str,
    /// Rules whose forbidden phrases it holds: their [`phrase_key`]s.
    pub found: &'t [u32],
}

/// One feature: what it is, and the characters of the text that it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Feature {
    pub(super) key: u32,
    /// In characters of the raw text; empty for what is not of the text itself.
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) kind: Kind,
}

/// The part that a feature plays in learning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A run of characters or of classes of words teaches acts and faults.
    Words,
    /// A pair of characters with a gap teaches acts alone: classes of words tell faults better.
    Pair,
    /// The setting (the turns before, the length, the channel) teaches acts alone.
    Setting,
}

/// The source of a feature; part of its key.
#[derive(Clone, Copy)]
enum Source {
    Text = 1,
    Gap,
    Before,
    OwnBefore,
    BeforeAndText,
    Length,
    Question,
    AskedBefore,
    Chat,
    Tone,
    Found,
    Classes,
    ClassesApart,
}

/// Words that mean the same, and what stands for them. How they differ (tone,
/// region, courtesy) is a feature of its own, so that what is learned of one
/// wording holds for the others.
const SAME: [(&str, &str); 16] = [
    ("您", "你"),
    ("咋", "怎么"),
    ("啥", "什么"),
    ("晓得", "知道"),
    ("俺", "我"),
    ("没得", "没有"),
    ("木有", "没有"),
    ("干嘛", "干什么"),
    ("干吗", "干什么"),
    ("嘞", "了"),
    ("喽", "了"),
    ("咯", "了"),
    ("啦", "了"),
    ("甭", "不用"),
    ("别个", "别人"),
    ("莫得", "没有"),
];

/// The first characters of words that have others in their place.
static SAME_FIRST: Chars<15> =
    Chars::new(['您', '咋', '啥', '晓', '俺', '没', '木', '干', '嘞', '喽', '咯', '啦', '甭', '别', '莫']);

/// Particles and hesitations that leave the meaning as it is: features of their own, not parts of runs.
static PARTICLES: Chars<20> = Chars::new([
    '啊', '呀', '哦', '噢', '喔', '呃', '嗯', '哈', '呢', '哇', '诶', '欸', '哎', '唉', '额', '嘻', '哟', '呦', '嘿',
    '☺',
]);

/// Characters that ask.
static ASKING: Chars<8> = Chars::new(['?', '？', '吗', '么', '呢', '几', '哪', '啥']);

/// The begin and the end of a text, as characters that no text holds.
const BEGIN: char = '\u{2}';
const END: char = '\u{3}';

/// How the model knows that a rule's forbidden phrase was said.
#[must_use]
pub fn phrase_key(rule_id: &str) -> u32 {
    key(Source::Found, rule_id.chars())
}

fn key(place: Source, chars: impl IntoIterator<Item = char>) -> u32 {
    chars.into_iter().fold(Hash::of(place), Hash::with).key()
}

/// FNV-1a over 64 bits, folded: the same on every machine. A run that is one character longer goes on from the shorter one.
#[derive(Clone, Copy)]
struct Hash(u64);

impl Hash {
    const fn of(place: Source) -> Self {
        Self(0xcbf2_9ce4_8422_2325_u64 ^ place as u64)
    }

    const fn with(self, c: char) -> Self {
        Self((self.0 ^ c as u64).wrapping_mul(0x0000_0100_0000_01b3))
    }

    const fn key(self) -> u32 {
        let hash = (self.0 ^ self.0 >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (hash ^ hash >> 32) as u32
    }
}

/// Buffers that a scorer reuses from turn to turn.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffers {
    text: Vec<Placed>,
    before: Vec<Placed>,
    /// Particles and marks of courtesy or region, and where they stand.
    tones: Vec<Placed>,
    /// The text without its frame.
    plain: String,
    pieces: Vec<Piece>,
}

/// Gives the features of `turn` to `take`, in no order that means anything.
pub(super) fn features(turn: &Turn<'_>, buffers: &mut Buffers, mut take: impl FnMut(Feature)) {
    let Buffers { text, before, tones, plain, pieces } = buffers;
    tones.clear();
    framed(turn.text, TURN_CHARS_MAX, text, tones);
    let tones_of_text = tones.len();
    let of_turn = |key| Feature { key, start: 0, end: 0, kind: Kind::Words };
    let setting = |key| Feature { kind: Kind::Setting, ..of_turn(key) };
    for (at, &(first, start)) in text.iter().enumerate() {
        runs(&text[at..], Source::Text, GRAM_CHARS_MAX, |hash, (last, end)| {
            let end = end + u32::from(!is_frame(last));
            take(Feature { key: hash.key(), start, end, kind: Kind::Words });
        });
        let from = Hash::of(Source::Gap).with(first);
        for &(second, end) in text.iter().take(at + GAP_MAX + 1).skip(at + 2) {
            let end = end + u32::from(!is_frame(second));
            take(Feature { key: from.with(second).key(), start, end, kind: Kind::Pair });
        }
    }
    classify(text, plain, pieces);
    class_runs(pieces, Source::Classes, CLASSES_MAX, &mut take);
    pieces.retain(|piece| !piece.is_gap());
    class_runs(pieces, Source::ClassesApart, CLASSES_APART_MAX, &mut take);
    let length = text.len() - 2;
    let step = [2, 4, 7, 12, 20, 40].iter().take_while(|&&most| length > most).count();
    take(setting(key(Source::Length, char::from_digit(step as u32, 10))));
    turn.found.iter().for_each(|&key| take(of_turn(key)));
    if !turn.found.is_empty() {
        take(of_turn(key(Source::Found, [])));
    }
    if asks(turn.text) {
        take(of_turn(key(Source::Question, ['?'])));
    }
    if turn.channel == Channel::Chat {
        take(setting(key(Source::Chat, ['c'])));
    }
    for &(c, at) in &tones[..tones_of_text] {
        take(Feature { start: at, end: at + 1, ..of_turn(key(Source::Tone, [c])) });
    }
    let opening: [char; 2] = [text[1].0, text.get(2).map_or(END, |next| next.0)];
    framed(turn.prev, BEFORE_CHARS_MAX, before, tones);
    let asked = if turn.prev.is_empty() {
        '-'
    } else if asks(turn.prev) {
        '?'
    } else {
        '.'
    };
    take(setting(key(Source::AskedBefore, [asked])));
    take(setting(key(Source::BeforeAndText, [asked, opening[0]])));
    take(setting(key(Source::BeforeAndText, [asked, opening[0], opening[1]])));
    for (place, said) in [(Source::Before, turn.prev), (Source::OwnBefore, turn.own_prev)] {
        if said.is_empty() {
            continue;
        }
        framed(said, BEFORE_CHARS_MAX, before, tones);
        (0..before.len()).for_each(|at| runs(&before[at..], place, 2, |hash, _| take(setting(hash.key()))));
    }
}

/// Gives the runs of up to `longest` classes.
fn class_runs(pieces: &[Piece], source: Source, longest: usize, take: &mut impl FnMut(Feature)) {
    for (at, first) in pieces.iter().enumerate() {
        let mut hash = Hash::of(source);
        for piece in pieces[at..].iter().take(longest) {
            hash = hash.with(piece.sign);
            take(Feature { key: hash.key(), start: first.start, end: piece.end, kind: Kind::Words });
        }
    }
}

/// Gives the runs that `chars` begins with, up to `longest` characters, each with its last one. A frame alone is none.
fn runs(chars: &[Placed], place: Source, longest: usize, mut take: impl FnMut(Hash, Placed)) {
    let mut hash = Hash::of(place);
    for (at, &last) in chars.iter().take(longest).enumerate() {
        hash = hash.with(last.0);
        if at > 0 || !is_frame(last.0) {
            take(hash, last);
        }
    }
}

pub(super) fn is_frame(c: char) -> bool {
    c == BEGIN || c == END
}

/// The last `most` characters of a text as features see them, between its begin and its end.
fn framed(text: &str, most: usize, out: &mut Vec<Placed>, tones: &mut Vec<Placed>) {
    out.clear();
    out.push((BEGIN, 0));
    plain_chars(text, out);
    if out.len() > most + 1 {
        out.drain(1..out.len() - most);
    }
    let end = out.last().map_or(0, |&(c, at)| at + u32::from(!is_frame(c)));
    let begin = out.get(1).map_or(0, |&(_, at)| at);
    out[0].1 = begin;
    unify(out, tones);
    out.push((END, end));
}

/// A word as features see it: without particles, in the wording that stands for those that mean the same.
pub(super) fn unified(word: &str) -> String {
    let (mut chars, mut tones) = (Vec::new(), Vec::new());
    framed(word, TURN_CHARS_MAX, &mut chars, &mut tones);
    chars.iter().filter(|(c, _)| !is_frame(*c)).map(|&(c, _)| c).collect()
}

/// Puts one wording for those that mean the same, and takes particles out.
fn unify(chars: &mut Vec<Placed>, tones: &mut Vec<Placed>) {
    let (mut from, mut to) = (1, 1);
    while from < chars.len() {
        let (c, at) = chars[from];
        let rest = &chars[from..];
        let is_same = |word: &str| word.chars().eq(rest.iter().take(word.chars().count()).map(|&(c, _)| c));
        let same = if SAME_FIRST.holds(c) { SAME.iter().find(|(word, _)| is_same(word)) } else { None };
        if let Some((word, plain)) = same
            && plain.chars().count() <= word.chars().count() + 1
        {
            tones.push((c, at));
            from += word.chars().count();
            let mut plain = plain.chars();
            // One character may become two: what does not fit in place is put in.
            for c in plain.by_ref() {
                if to < from {
                    chars[to] = (c, at);
                } else {
                    chars.insert(to, (c, at));
                    from += 1;
                }
                to += 1;
            }
        } else {
            from += 1;
            if PARTICLES.holds(c) {
                tones.push((c, at));
            } else {
                chars[to] = (c, at);
                to += 1;
            }
        }
    }
    chars.truncate(to);
}

/// Whether a text asks, as far as its characters tell.
fn asks(text: &str) -> bool {
    let mut before = ['\0'; 2];
    text.chars().any(|c| {
        let [earlier, last] = before;
        before = [last, c];
        // 什么 and 怎么 hold 么.
        ASKING.holds(c) || (last, c) == ('多', '少') || last == '不' && c == earlier && matches!(c, '能' | '行' | '是')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_with_another_in_its_place_is_known_by_its_first_character() {
        for (word, _) in SAME {
            assert!(word.chars().next().is_some_and(|first| SAME_FIRST.holds(first)), "{word}");
        }
        assert!(!SAME_FIRST.holds('好') && !PARTICLES.holds('好') && !ASKING.holds('好'));
    }

    #[test]
    fn a_text_asks_by_a_mark_a_particle_or_a_choice() {
        for text in ["行?", "好吗", "怎么办", "多少钱", "能不能快点", "这样行不行", "是不是坏了", "几点"]
        {
            assert!(asks(text), "{text}");
        }
        for text in ["", "好", "不多不少", "能不行", "不能", "是不", "我不是"] {
            assert!(!asks(text), "{text}");
        }
    }
}

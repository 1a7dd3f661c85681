//! From a turn to the features that the model weighs: hashes of what was said
//! and of what stood before it. Nothing here depends on a model.

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
    /// It is not of the words themselves: what stood before, how long the turn is, how the call is held.
    pub(super) is_setting: bool,
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

/// Particles and hesitations that leave the meaning as it is: features of their own, not parts of runs.
const PARTICLES: &str = "啊呀哦噢喔呃嗯哈呢哇诶欸哎唉额嘻哟呦嘿☺";

/// The begin and the end of a text, as characters that no text holds.
const BEGIN: char = '\u{2}';
const END: char = '\u{3}';

/// How the model knows that a rule's forbidden phrase was said.
#[must_use]
pub fn phrase_key(rule_id: &str) -> u32 {
    key(Source::Found, rule_id.chars())
}

fn key(place: Source, chars: impl IntoIterator<Item = char>) -> u32 {
    // FNV-1a over 64 bits, folded: the same on every machine.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ place as u64;
    for c in chars {
        hash = (hash ^ u64::from(u32::from(c))).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (hash ^ hash >> 32) as u32
}

/// Buffers that a scorer reuses from turn to turn.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffers {
    text: Vec<(char, u32)>,
    before: Vec<(char, u32)>,
    /// Particles and marks of courtesy or region, and where they stand.
    tones: Vec<(char, u32)>,
}

/// Puts the features of `turn` into `features`, which is cleared before.
pub(super) fn features(turn: &Turn<'_>, buffers: &mut Buffers, features: &mut Vec<Feature>) {
    features.clear();
    let Buffers { text, before, tones } = buffers;
    tones.clear();
    framed(turn.text, TURN_CHARS_MAX, text, tones);
    let tones_of_text = tones.len();
    let of_turn = |key| Feature { key, start: 0, end: 0, is_setting: false };
    let setting = |key| Feature { is_setting: true, ..of_turn(key) };
    for length in 1..=GRAM_CHARS_MAX {
        features.extend(text.windows(length).filter(|run| length > 1 || !is_frame(run[0].0)).map(|run| Feature {
            key: key(Source::Text, run.iter().map(|&(c, _)| c)),
            start: run[0].1,
            end: run[length - 1].1 + u32::from(!is_frame(run[length - 1].0)),
            is_setting: false,
        }));
    }
    for (at, &(first, start)) in text.iter().enumerate() {
        for &(second, end) in text.iter().take(at + GAP_MAX + 1).skip(at + 2) {
            features.push(Feature {
                key: key(Source::Gap, [first, second]),
                start,
                end: end + u32::from(!is_frame(second)),
                is_setting: false,
            });
        }
    }
    let length = text.len() - 2;
    let step = [2, 4, 7, 12, 20, 40].iter().take_while(|&&most| length > most).count();
    features.push(setting(key(Source::Length, char::from_digit(step as u32, 10))));
    features.extend(turn.found.iter().map(|&key| of_turn(key)));
    if !turn.found.is_empty() {
        features.push(of_turn(key(Source::Found, [])));
    }
    if asks(turn.text) {
        features.push(of_turn(key(Source::Question, ['?'])));
    }
    if turn.channel == Channel::Chat {
        features.push(setting(key(Source::Chat, ['c'])));
    }
    for &(c, at) in &tones[..tones_of_text] {
        features.push(Feature { start: at, end: at + 1, ..of_turn(key(Source::Tone, [c])) });
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
    features.push(setting(key(Source::AskedBefore, [asked])));
    features.push(setting(key(Source::BeforeAndText, [asked, opening[0]])));
    features.push(setting(key(Source::BeforeAndText, [asked, opening[0], opening[1]])));
    for (place, said) in [(Source::Before, turn.prev), (Source::OwnBefore, turn.own_prev)] {
        if said.is_empty() {
            continue;
        }
        framed(said, BEFORE_CHARS_MAX, before, tones);
        for length in 1..=2 {
            let runs = before.windows(length).filter(|run| length > 1 || !is_frame(run[0].0));
            features.extend(runs.map(|run| setting(key(place, run.iter().map(|&(c, _)| c)))));
        }
    }
}

fn is_frame(c: char) -> bool {
    c == BEGIN || c == END
}

/// The last `most` characters of a text as features see them, between its begin and its end.
fn framed(text: &str, most: usize, out: &mut Vec<(char, u32)>, tones: &mut Vec<(char, u32)>) {
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

/// Puts one wording for those that mean the same, and takes particles out.
fn unify(chars: &mut Vec<(char, u32)>, tones: &mut Vec<(char, u32)>) {
    let (mut from, mut to) = (1, 1);
    while from < chars.len() {
        let (c, at) = chars[from];
        let rest = &chars[from..];
        let same =
            SAME.iter().find(|(word, _)| word.chars().eq(rest.iter().take(word.chars().count()).map(|&(c, _)| c)));
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
            if PARTICLES.contains(c) {
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
    const MARKS: &str = "?？吗么呢几哪啥";
    text.chars().any(|c| MARKS.contains(c))
        || ["什么", "怎么", "多少", "能不能", "行不行", "是不是"].iter().any(|word| text.contains(word))
}

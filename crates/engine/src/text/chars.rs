//! What every character is: its folded form, its kind and its sound.
//!
//! One table over the Basic Multilingual Plane, built once, answers all three,
//! so that folding is one load a character. Everything else in [`super`] asks
//! this table; no other module lists characters that folding treats specially.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use pinyin::ToPinyin;

/// Traditional characters and their simplified forms, one pair a line.
const SIMPLIFIED: &str = include_str!("simplified.txt");

/// Characters that are letters, digits or Chinese characters in disguise (Ⓥ, 𝐕, ⑩), each
/// followed by what it stands for.
const COMPATIBLE: &str = include_str!("compatible.txt");

/// Characters that fold to another one beside those of the traditional-to-simplified table:
/// the one folded, the one that it becomes.
///
/// Simplified writing keeps most of them for some words (著名, 覆盖, 慰藉, 甚至, 瞭望), while in
/// traditional texts, Taiwan's and Hong Kong's above all, the word decides (看著, 答覆, 藉口,
/// 甚麼, 瞭解). Because phrases fold as texts do, one symbol for both writings needs no word list.
const VARIANTS: &str = "著着 甚什 瞭了 藉借 覆复 帐账 祇只 祗只 秪只 锺钟 链炼 揹背 馀余 擡抬 伕夫 薰熏 钜巨 幷并 \
    牴抵 讬托 俱具 画划 谘咨 彷仿 麺面 缐线 侭尽 姪侄 尅克 凖准 徧遍 竝并 倂并 疎疏 鬪斗 \
    汚污 吿告 値值 硏研 郞郎 淸清 靑青 黒黑 囉啰 仝同 対对 発发 経经 実实 気气 単单 権权 満满 県县 売卖 \
    沈沉 舖铺 儍傻 偪逼 呌叫 櫈凳 呪咒 妬妒 煖暖 砲炮 葢盖 膓肠 胷胸 搾榨 蔴麻 袴裤 効效 搥捶 愽博 慙惭 暱昵 \
    妳你 祢你 伱你 牠它 祂他";

/// The symbols that stand for several characters of simplified writing: see [`spelling`].
const MERGED: &str = "着什了借复账钟炼巨具划沉";

/// Signs of amounts: symbols, but nothing between the Chinese characters of a word (傻￥逼).
pub(super) const SIGNS: &str = "%$￥¥€£℃℉°¢₩";

/// Function words that speakers stutter on. A run of one of them is one.
///
/// Characters whose doubling is a word of its own (谢谢, 看看, 常常, 人人, 好好) are not here.
const FUNCTION: &str = "我你您他她它们不没别很这那就是的得有在要会能可也都了着给把被跟和与为只还但却又吗呢吧请让对";

/// Hesitations, dropped wherever they stand.
const FILLERS: &str = "嗯啊呃哦噢喔唔诶欸哎唉";

/// Fillers and characters between which nothing is said.
const SPAM: &str = "_*·•`^#=+@&|'＇‧・﹡﹏";

const SOFT: &str = "，、；：,;:—–…()[]{}<>《》〈〉【】〔〕（）/\\﹐﹑";
const HARD: &str = "。！!\n｡﹒";
const QUESTION: &str = "？?﹖";
const OPEN: &str = "“‘「『«";
const CLOSE: &str = "”’」』»";

/// The treatment of a character in folding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A symbol. Three and more in a row are two.
    Plain,
    /// A symbol that speakers stutter on: two and more in a row are one.
    Function,
    /// A letter of a script written with spaces; never collapsed.
    Letter,
    /// The first kind that the fast path does not take.
    Digit,
    /// 十百千万亿.
    Unit,
    /// 点: a decimal point between digits, otherwise a symbol.
    SpokenPoint,
    /// `.`: a decimal point between digits, otherwise a soft mark.
    Point,
    /// `-` and `~`: a soft mark between digits (3-5天), otherwise dropped.
    Dash,
    /// 那, which 个 may turn into a filler.
    Na,
    /// 额, a filler where it stands alone.
    E,
    /// A hesitation.
    Filler,
    /// Means nothing.
    Drop,
    /// White space within a line.
    Space,
    /// Ends a clause.
    Soft,
    /// Ends a sentence.
    Hard,
    /// Ends a sentence that is a question.
    Question,
    /// Opens a quotation.
    Open,
    /// Closes a quotation.
    Close,
    /// Opens a quotation, or closes the one that is open.
    Toggle,
    /// A picture: a soft mark.
    Emoji,
    /// A symbol, unless it stands between two Chinese characters.
    Sign,
    /// Stands for several symbols, as [`expansion`] says.
    Several,
}

const KINDS: [Kind; 22] = [
    Kind::Plain,
    Kind::Function,
    Kind::Letter,
    Kind::Digit,
    Kind::Unit,
    Kind::SpokenPoint,
    Kind::Point,
    Kind::Dash,
    Kind::Na,
    Kind::E,
    Kind::Filler,
    Kind::Drop,
    Kind::Space,
    Kind::Soft,
    Kind::Hard,
    Kind::Question,
    Kind::Open,
    Kind::Close,
    Kind::Toggle,
    Kind::Emoji,
    Kind::Sign,
    Kind::Several,
];

/// The table's entry for a character: its folded form, its class for the automaton, its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// 16 bits of folded character, 8 of class, 8 of kind.
    packed: u32,
}

impl Entry {
    fn new(folded: u16, kind: Kind) -> Self {
        Self { packed: u32::from(folded) | (kind as u32) << 24 }
    }

    /// The folded character. Surrogates are never in a table, so the fallback is never taken.
    #[inline]
    pub(super) fn folded(self) -> char {
        char::from_u32(self.packed & 0xffff).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    /// The automaton's byte; 0 occurs in no phrase.
    #[inline]
    pub(super) fn class(self) -> u8 {
        (self.packed >> 16) as u8
    }

    #[inline]
    pub(super) fn kind(self) -> Kind {
        KINDS[(self.packed >> 24) as usize]
    }

    fn with_class(self, class: u8) -> Self {
        Self { packed: self.packed & 0xff00_ffff | u32::from(class) << 16 }
    }
}

/// A character as a table sees it: what it is, and the symbol it becomes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Symbol {
    pub(super) entry: Entry,
    pub(super) folded: char,
}

/// The entries of all characters: flat below U+10000, by search above.
#[derive(Clone, Debug)]
pub(super) struct Table {
    entries: Box<[Entry; 0x1_0000]>,
    /// Classes of characters above U+FFFF that occur in phrases, sorted.
    astral: Vec<(char, u8)>,
}

impl Table {
    /// Bytes on the heap.
    pub(super) const MEMORY: usize = 0x1_0000 * size_of::<Entry>();

    #[inline]
    pub(super) fn entry(&self, c: char) -> Entry {
        match u16::try_from(u32::from(c)) {
            Ok(code) => self.entries[usize::from(code)],
            Err(_) => self.astral_entry(c),
        }
    }

    /// The entry of a character that is a symbol whatever stands around it, but for repetition.
    #[inline]
    pub(super) fn simple(&self, c: char) -> Option<Entry> {
        let entry = self.entries[usize::from(u16::try_from(u32::from(c)).ok()?)];
        (entry.packed < (Kind::Digit as u32) << 24).then_some(entry)
    }

    #[inline]
    pub(super) fn symbol(&self, c: char) -> Symbol {
        let entry = self.entry(c);
        let stands_for_itself = u32::from(c) > 0xffff && entry.packed & 0xffff == 0;
        Symbol { entry, folded: if stands_for_itself { c } else { entry.folded() } }
    }

    #[inline]
    pub(super) fn kind(&self, c: char) -> Kind {
        self.entry(c).kind()
    }

    #[cold]
    fn astral_entry(&self, c: char) -> Entry {
        if let Ok(found) = DISGUISED.binary_search_by_key(&c, |&(c, _)| c) {
            return self.entries[DISGUISED[found].1 as usize];
        }
        let class = match self.astral.binary_search_by_key(&c, |&(c, _)| c) {
            Ok(found) => self.astral[found].1,
            Err(_) => 0,
        };
        let kind = if is_emoji(c) {
            Kind::Emoji
        } else if c.is_alphanumeric() {
            Kind::Plain
        } else {
            Kind::Drop
        };
        Entry::new(0, kind).with_class(class)
    }

    /// This table with classes: `class_of` gives the class of a folded character.
    pub(super) fn classified(&self, class_of: impl Fn(char) -> u8, astral: Vec<(char, u8)>) -> Self {
        let mut table = self.clone();
        for entry in table.entries.iter_mut() {
            *entry = entry.with_class(class_of(entry.folded()));
        }
        table.astral = astral;
        table
    }
}

/// The table without classes.
pub(super) static TABLE: LazyLock<Table> = LazyLock::new(build_table);

fn build_table() -> Table {
    let mut entries = vec![Entry::new(0, Kind::Drop); 0x1_0000];
    for c in (0..=0xffff).filter_map(char::from_u32) {
        entries[c as usize] = default_entry(c);
    }
    let mut set = |c: char, folded: char, kind: Kind| entries[c as usize] = Entry::new(folded as u16, kind);
    for (kind, chars) in [
        (Kind::Function, FUNCTION),
        (Kind::Filler, FILLERS),
        (Kind::Drop, SPAM),
        (Kind::Soft, SOFT),
        (Kind::Hard, HARD),
        (Kind::Question, QUESTION),
        (Kind::Open, OPEN),
        (Kind::Close, CLOSE),
        (Kind::Toggle, "\""),
        (Kind::Unit, "十百千万亿"),
        (Kind::SpokenPoint, "点"),
        (Kind::Point, "."),
        (Kind::Dash, "-~～〜－‐‑−"),
        (Kind::Na, "那"),
        (Kind::E, "额"),
        (Kind::Space, " \t\u{3000}\u{a0}"),
    ] {
        for c in chars.chars() {
            set(c, c, kind);
        }
    }
    for (index, spoken) in ["零〇", "一幺", "二两", "三", "四", "五", "六", "七", "八", "九"].into_iter().enumerate()
    {
        let digit = char::from(b'0' + index as u8);
        for c in spoken.chars().chain([digit]) {
            set(c, digit, Kind::Digit);
        }
    }
    for c in SIGNS.chars() {
        set(c, c, Kind::Sign);
    }
    // Alphabetic to Unicode, and yet nothing to be seen.
    for c in ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}'] {
        set(c, c, Kind::Drop);
    }
    // Full width and traditional forms are what their targets are.
    let copy = |entries: &mut [Entry], from: char, to: char| {
        if (to as u32) <= 0xffff {
            entries[from as usize] = entries[to as usize];
        }
    };
    for (offset, from) in ('\u{ff01}'..='\u{ff5e}').enumerate() {
        copy(&mut entries, from, char::from(b'!' + offset as u8));
    }
    copy(&mut entries, '¥', '￥');
    for (from, to) in VARIANTS.split_whitespace().filter_map(pair).chain(lines(SIMPLIFIED).filter_map(pair)) {
        copy(&mut entries, from, to);
    }
    for (from, to) in lines(COMPATIBLE).filter_map(disguise) {
        match to {
            Disguise::One(to) if u32::from(from) <= 0xffff => copy(&mut entries, from, to),
            Disguise::One(_) => {}
            // Above U+FFFF everything stands for one character.
            Disguise::Several => entries[from as usize] = Entry::new(from as u16, Kind::Several),
        }
    }
    let entries = entries.into_boxed_slice();
    Table {
        entries: entries.try_into().unwrap_or_else(|_| unreachable!("the table has 65 536 entries")),
        astral: Vec::new(),
    }
}

fn default_entry(c: char) -> Entry {
    let mut lower = c.to_lowercase();
    let folded = match (lower.next(), lower.next()) {
        (Some(one), None) if u32::from(one) <= 0xffff => one,
        _ => c,
    };
    let kind = if is_emoji(c) {
        Kind::Emoji
    } else if is_letter(folded) {
        Kind::Letter
    } else if c.is_alphanumeric() {
        Kind::Plain
    } else if c.is_whitespace() && !"\r\n".contains(c) {
        Kind::Space
    } else {
        Kind::Drop
    };
    Entry::new(folded as u16, kind)
}

/// The lines of a checked-in table.
fn lines(table: &str) -> impl Iterator<Item = &str> {
    table.lines().filter(|line| !line.starts_with('#'))
}

/// The two characters of a line.
fn pair(line: &str) -> Option<(char, char)> {
    let mut chars = line.chars();
    Some((chars.next()?, chars.next()?))
}

/// How many symbols a character in disguise stands for.
enum Disguise {
    One(char),
    Several,
}

fn disguise(line: &str) -> Option<(char, Disguise)> {
    let (from, to) = pair(line)?;
    Some((from, if line.chars().count() == 2 { Disguise::One(to) } else { Disguise::Several }))
}

/// Characters in disguise above U+FFFF, sorted, and what they stand for.
static DISGUISED: LazyLock<Vec<(char, char)>> = LazyLock::new(|| {
    let pairs = lines(COMPATIBLE).filter_map(|line| match disguise(line)? {
        (from, Disguise::One(to)) if u32::from(from) > 0xffff => Some((from, to)),
        _ => None,
    });
    pairs.collect()
});

/// The characters that one of [`Kind::Several`] stands for.
pub(super) fn expansion(c: char) -> &'static str {
    static EXPANSIONS: LazyLock<BTreeMap<char, &'static str>> = LazyLock::new(|| {
        let several = lines(COMPATIBLE).filter(|line| matches!(disguise(line), Some((_, Disguise::Several))));
        several.filter_map(|line| line.chars().next().map(|c| (c, &line[c.len_utf8()..]))).collect()
    });
    EXPANSIONS.get(&c).copied().unwrap_or_default()
}

/// How a character is spelled in simplified writing, given the symbol that it became: what
/// [`VARIANTS`] makes one symbol stays what it was, for dictionaries know 著名 and not 着名.
pub(super) fn spelling(symbol: char, raw: impl FnOnce() -> Option<char>) -> char {
    static SPELLINGS: LazyLock<BTreeMap<char, char>> = LazyLock::new(|| {
        let variants: Vec<char> = VARIANTS.split_whitespace().filter_map(pair).map(|(from, _)| from).collect();
        let simplified = lines(SIMPLIFIED).filter_map(pair).filter(|(_, to)| variants.contains(to));
        simplified.chain(variants.iter().map(|&c| (c, c))).collect()
    });
    if !MERGED.contains(symbol) {
        return symbol;
    }
    raw().and_then(|raw| SPELLINGS.get(&raw).copied()).unwrap_or(symbol)
}

/// Whether it is a letter of a script whose words are set apart by spaces.
pub(super) fn is_letter(c: char) -> bool {
    c.is_ascii_lowercase() || (matches!(c, '\u{c0}'..='\u{24f}' | '\u{370}'..='\u{52f}') && c.is_alphabetic())
}

/// Whether it is a Chinese character.
#[inline]
pub(super) fn is_han(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '〇' | '\u{20000}'..='\u{3ffff}')
}

/// Whether it is a picture.
pub(super) fn is_emoji(c: char) -> bool {
    matches!(c, '\u{2600}'..='\u{27bf}' | '\u{2b50}'..='\u{2b55}' | '\u{1f000}'..='\u{1faff}')
}

/// Whether a folded character is one that a numeral may consist of.
#[inline]
pub(super) fn in_numerals(c: char) -> bool {
    c.is_ascii_digit() || c == '.' || "点十百千万亿".contains(c) || DIGITS.contains(c) || c == '两'
}

/// The digits as they are spoken.
pub(super) const DIGITS: &str = "零一二三四五六七八九";

/// Characters that make a word of a 一 before them, so that it is not part of a numeral: 一定, 一起.
pub(super) fn follows_one(c: char) -> bool {
    "定起直般样些旦切律".contains(c)
}

/// Characters that everyday words read in more than one way, with their syllables. Readings that
/// only names and classics have are left out: each of them would make more words sound alike.
const POLYPHONES: &str = include_str!("polyphones.txt");

/// Syllables of all characters, without their tones.
pub(super) struct Sounds {
    /// Number of the most common syllable, 0 for none.
    syllables: Box<[u16]>,
    /// Syllables that differ only where accents do have the same number here.
    merged: Vec<u16>,
    /// Syllables that a polyphone, or an accent, confuses have the same number here.
    families: Vec<u16>,
    /// All syllables of the polyphones, sorted by character.
    polyphones: Vec<(char, Vec<u16>)>,
}

/// The sounds of all characters.
pub(super) static SOUNDS: LazyLock<Sounds> = LazyLock::new(Sounds::build);

/// What a folded character has in common with all that may sound like it; none of letters, digits and signs.
#[must_use]
pub fn coarse_sound(c: char) -> Option<u16> {
    SOUNDS.family(c)
}

impl Sounds {
    fn build() -> Self {
        let mut syllables = vec![0; 0x1_0000].into_boxed_slice();
        let mut numbers: BTreeMap<&'static str, u16> = BTreeMap::new();
        let mut merged_numbers: BTreeMap<String, u16> = BTreeMap::new();
        let mut merged = vec![0];
        let mut number = |syllable: &'static str| {
            let next = merged.len() as u16;
            let number = *numbers.entry(syllable).or_insert(next);
            if number == next {
                let next = merged_numbers.len() as u16 + 1;
                merged.push(*merged_numbers.entry(without_accent(syllable)).or_insert(next));
            }
            number
        };
        let spoken_digits = DIGITS.chars().zip('0'..='9').map(|(spoken, digit)| (digit, spoken));
        let readings = ('\u{3400}'..='\u{ffff}').map(|c| (c, c)).chain(spoken_digits);
        for (c, read_as) in readings {
            if let Some(reading) = read_as.to_pinyin() {
                syllables[c as usize] = number(reading.plain());
            }
        }
        let mut polyphones: Vec<(char, Vec<u16>)> = lines(POLYPHONES)
            .filter_map(|line| {
                let (c, readings) = line.split_once(' ')?;
                Some((c.chars().next()?, readings.split(' ').map(&mut number).collect()))
            })
            .collect();
        polyphones.sort_unstable();
        let families = families(&merged, &syllables, &polyphones);
        Self { syllables, merged, families, polyphones }
    }

    /// The number of a folded character's most common syllable.
    #[inline]
    fn syllable(&self, c: char) -> Option<u16> {
        self.syllables.get(c as usize).copied().filter(|&number| number != 0)
    }

    /// The family of sounds of `c`: equal for all characters that may sound like it, accents included.
    #[inline]
    pub(super) fn family(&self, c: char) -> Option<u16> {
        self.syllable(c).map(|number| self.families[usize::from(number)])
    }

    /// How much two different characters sound alike, whichever way they are read.
    pub(super) fn likeness(&self, a: char, b: char) -> Option<Sameness> {
        if self.family(a)? != self.family(b)? || is_digit_and_word(a, b) || is_digit_and_word(b, a) {
            return None;
        }
        let (one, other) = (self.readings(&a), self.readings(&b));
        if one.iter().any(|syllable| other.contains(syllable)) {
            return Some(Sameness::Syllable);
        }
        let merged = |syllable: &u16| self.merged[usize::from(*syllable)];
        let is_merged = one.iter().any(|a| other.iter().any(|b| merged(a) == merged(b)));
        is_merged.then_some(Sameness::Merged)
    }

    fn readings(&self, c: &char) -> &[u16] {
        match self.polyphones.binary_search_by_key(c, |(c, _)| *c) {
            Ok(found) => &self.polyphones[found].1,
            Err(_) => self.syllables.get(*c as usize).map_or(&[], std::slice::from_ref),
        }
    }
}

/// How much two characters sound alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sameness {
    /// They have a syllable in common.
    Syllable,
    /// They have one but for an accent.
    Merged,
}

/// Whether one is a digit and the other one a word of the same sound: folding has told 38 from 三八.
fn is_digit_and_word(a: char, b: char) -> bool {
    a.is_ascii_digit() && (DIGITS.contains(b) || b == '两')
}

/// Joins the merged syllables that some polyphone has.
fn families(merged: &[u16], syllables: &[u16], polyphones: &[(char, Vec<u16>)]) -> Vec<u16> {
    let mut families = merged.to_vec();
    for (c, readings) in polyphones {
        let own = syllables[*c as usize];
        let one = families[usize::from(own)];
        for other in readings {
            let other = families[usize::from(*other)];
            families.iter_mut().filter(|family| **family == other).for_each(|family| *family = one);
        }
    }
    families
}

/// A syllable with zh/z, ch/c, sh/s, n/l, ing/in, eng/en and ang/an as one.
fn without_accent(syllable: &str) -> String {
    let (initial, rest) = match syllable.as_bytes() {
        [b'z' | b'c' | b's', b'h', ..] => (&syllable[..1], &syllable[2..]),
        [b'n', _, ..] => ("l", &syllable[1..]),
        _ => ("", syllable),
    };
    // -iang and -ian differ in their vowel, not only in their ending.
    let nasal = ["ing", "eng", "ang"].iter().any(|ending| rest.ends_with(ending)) && !rest.ends_with("iang");
    let rest = if nasal { &rest[..rest.len() - 1] } else { rest };
    format!("{initial}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferrous_opencc::OpenCC;
    use ferrous_opencc::config::BuiltinConfig;
    use unicode_normalization::UnicodeNormalization as _;

    /// Holds a checked-in table to what it is made from, or writes it anew when `TINGJIAN_BLESS` is set.
    fn check_table(name: &str, stored: &str, made: &str) {
        if std::env::var_os("TINGJIAN_BLESS").is_some() {
            std::fs::write(format!("{}/src/text/{name}", env!("CARGO_MANIFEST_DIR")), made).unwrap();
        } else {
            assert!(stored == made, "{name} is out of date: run this test with TINGJIAN_BLESS=1");
        }
    }

    #[test]
    fn simplified_table_is_what_opencc_says() {
        // What the mainland's table leaves alone may be a writing of Taiwan or Hong Kong.
        let configs = [BuiltinConfig::T2s, BuiltinConfig::Tw2s, BuiltinConfig::Hk2s];
        let converters = configs.map(|config| OpenCC::from_config(config).unwrap());
        let traditional = OpenCC::from_config(BuiltinConfig::S2t).unwrap();
        let mut table = String::from("# Traditional and simplified characters, after OpenCC (Apache-2.0).\n");
        for c in (0x3400..=0xffff).filter_map(char::from_u32).filter(|&c| is_han(c)) {
            // 么 is 幺 in Taiwan and 抬 is 擡, but simplified writing has both.
            let is_simplified = c == '抬' || traditional.convert(&c.to_string()) != c.to_string();
            let converters = if is_simplified { &converters[..1] } else { &converters };
            let simplified = converters.iter().find_map(|opencc| {
                let converted = opencc.convert(&c.to_string());
                let mut chars = converted.chars();
                let to = chars.next().filter(|_| chars.next().is_none())?;
                (to != c && u32::from(to) <= 0xffff).then_some(to)
            });
            table.extend(simplified.iter().flat_map(|&to| [c, to, '\n']));
        }
        check_table("simplified.txt", SIMPLIFIED, &table);
    }

    #[test]
    fn compatible_table_is_what_unicode_says() {
        let mut table =
            String::from("# Characters in disguise, after Unicode's NFKC and names of circled characters.\n");
        for c in ('\u{a0}'..='\u{2ffff}').filter(|&c| !('\u{ff01}'..='\u{ff5e}').contains(&c)) {
            let to: String = circled(c).unwrap_or_else(|| c.nfkc().filter(|to| !"().".contains(*to)).collect());
            let is_plain = |c: char| c.is_ascii_alphanumeric() || is_han(c) && u32::from(c) <= 0xffff;
            // Above U+FFFF everything stands for one character, but for symbols of games and of Japanese television.
            let is_told = u32::from(c) <= 0xffff || to.chars().count() == 1;
            if is_told && !to.is_empty() && to != c.to_string() && to.chars().all(is_plain) {
                table.extend([c].into_iter().chain(to.chars()).chain(['\n']));
            }
        }
        check_table("compatible.txt", COMPATIBLE, &table);
    }

    /// What a white letter or digit on black stands for, of which NFKC says nothing.
    fn circled(c: char) -> Option<String> {
        let letter = |first: char| char::from_u32(u32::from('A') + u32::from(c) - u32::from(first)).map(String::from);
        let number = |first: char, least: u32| Some((u32::from(c) - u32::from(first) + least).to_string());
        match c {
            '\u{1f150}'..='\u{1f169}' => letter('\u{1f150}'),
            '\u{1f170}'..='\u{1f189}' => letter('\u{1f170}'),
            '\u{2776}'..='\u{277f}' => number('\u{2776}', 1),
            '\u{2780}'..='\u{2789}' => number('\u{2780}', 1),
            '\u{278a}'..='\u{2793}' => number('\u{278a}', 1),
            '\u{24eb}'..='\u{24f4}' => number('\u{24eb}', 11),
            '\u{24ff}' => number('\u{24ff}', 0),
            _ => None,
        }
    }

    #[test]
    fn folds_single_characters() {
        for (raw, folded, kind) in [
            ('們', '们', Kind::Function),
            ('Ａ', 'a', Kind::Letter),
            ('Ｚ', 'z', Kind::Letter),
            ('５', '5', Kind::Digit),
            ('两', '2', Kind::Digit),
            ('兩', '2', Kind::Digit),
            ('萬', '万', Kind::Unit),
            ('點', '点', Kind::SpokenPoint),
            ('％', '%', Kind::Sign),
            ('妳', '你', Kind::Function),
            ('！', '!', Kind::Hard),
            ('，', ',', Kind::Soft),
            ('か', 'か', Kind::Plain),
        ] {
            let symbol = TABLE.symbol(raw);
            assert_eq!((symbol.folded, symbol.entry.kind()), (folded, kind), "{raw}");
        }
        for (c, kind) in [('😊', Kind::Emoji), ('\u{200b}', Kind::Drop), ('\u{301}', Kind::Drop), ('𠮷', Kind::Plain)]
        {
            assert_eq!(TABLE.kind(c), kind, "{c:?}");
        }
    }

    #[test]
    fn sounds_alike() {
        use Sameness::{Merged, Syllable};
        for (a, b, expect) in [
            ('知', '之', Some(Syllable)),
            ('知', '资', Some(Merged)),
            ('行', '形', Some(Syllable)),
            ('行', '航', Some(Syllable)),
            ('航', '形', None),
            ('心', '星', Some(Merged)),
            ('男', '蓝', Some(Merged)),
            ('双', '酸', Some(Merged)),
            ('先', '想', None),
            ('1', '以', Some(Syllable)),
            ('3', '三', None),
            ('3', '伞', Some(Syllable)),
            ('三', '伞', Some(Syllable)),
            ('能', '冷', Some(Merged)),
            ('a', 'b', None),
            ('𠮷', '吉', None),
        ] {
            assert_eq!((SOUNDS.likeness(a, b), SOUNDS.likeness(b, a)), (expect, expect), "{a} {b}");
        }
    }

    #[test]
    fn polyphones_have_the_reading_that_is_most_common() {
        for (c, readings) in &SOUNDS.polyphones {
            assert!(readings.contains(&SOUNDS.syllables[*c as usize]), "{c}");
        }
    }
}

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

/// Variants of everyday words that the traditional-to-simplified table leaves alone.
const VARIANTS: [(char, char); 5] = [('妳', '你'), ('祢', '你'), ('伱', '你'), ('牠', '它'), ('祂', '他')];

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

/// What folding does with a character.
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
}

const KINDS: [Kind; 20] = [
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
];

/// What the table holds for a character: its folded form, its class for the automaton, its kind.
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
        let folded = if u32::from(c) > 0xffff { c } else { entry.folded() };
        Symbol { entry, folded }
    }

    #[inline]
    pub(super) fn kind(&self, c: char) -> Kind {
        self.entry(c).kind()
    }

    #[cold]
    fn astral_entry(&self, c: char) -> Entry {
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

    /// The same table with classes: `class_of` says which class a folded character has.
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
    set('％', '%', Kind::Plain);
    // Full width and traditional forms are what their targets are.
    let mut copy = |from: char, to: char| {
        if (to as u32) <= 0xffff {
            entries[from as usize] = entries[to as usize];
        }
    };
    for (offset, from) in ('\u{ff01}'..='\u{ff5e}').enumerate() {
        copy(from, char::from(b'!' + offset as u8));
    }
    for (from, to) in simplified_pairs().chain(VARIANTS) {
        copy(from, to);
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
    } else if c.is_alphanumeric() || "%$￥¥€£℃°".contains(c) {
        Kind::Plain
    } else if c.is_whitespace() && !"\r\n".contains(c) {
        Kind::Space
    } else {
        Kind::Drop
    };
    Entry::new(folded as u16, kind)
}

/// The pairs of the checked-in table.
fn simplified_pairs() -> impl Iterator<Item = (char, char)> {
    SIMPLIFIED.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut chars = line.chars();
        Some((chars.next()?, chars.next()?))
    })
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
    c.is_ascii_digit() || matches!(c, '.' | '%' | '点' | '十' | '百' | '千' | '万' | '亿')
}

/// Characters that make a word of a 一 before them, so that it is not part of a numeral: 一定, 一起.
pub(super) fn follows_one(c: char) -> bool {
    "定起直般样些旦切律".contains(c)
}

/// Syllables of all characters, without their tones.
pub(super) struct Sounds {
    /// Number of the syllable, 0 for none.
    syllables: Box<[u16]>,
    /// Syllables that differ only where accents do have the same number here.
    merged: Vec<u16>,
}

/// The sounds, after the most common reading of each character.
pub(super) static SOUNDS: LazyLock<Sounds> = LazyLock::new(Sounds::build);

impl Sounds {
    fn build() -> Self {
        let mut syllables = vec![0; 0x1_0000].into_boxed_slice();
        let mut numbers: BTreeMap<&'static str, u16> = BTreeMap::new();
        let mut merged_numbers: BTreeMap<String, u16> = BTreeMap::new();
        let mut merged = vec![0];
        let spoken_digits = "零一二三四五六七八九".chars().zip('0'..='9').map(|(spoken, digit)| (digit, spoken));
        let readings = ('\u{3400}'..='\u{ffff}').map(|c| (c, c)).chain(spoken_digits);
        for (c, read_as) in readings {
            let Some(reading) = read_as.to_pinyin() else { continue };
            let next = merged.len() as u16;
            let number = *numbers.entry(reading.plain()).or_insert(next);
            if number == next {
                let next = merged_numbers.len() as u16 + 1;
                merged.push(*merged_numbers.entry(without_accent(reading.plain())).or_insert(next));
            }
            syllables[c as usize] = number;
        }
        Self { syllables, merged }
    }

    /// The number of a folded character's syllable.
    #[inline]
    pub(super) fn syllable(&self, c: char) -> Option<u16> {
        self.syllables.get(c as usize).copied().filter(|&number| number != 0)
    }

    /// The same, with syllables that accents confuse as one.
    #[inline]
    pub(super) fn merged(&self, c: char) -> Option<u16> {
        self.syllable(c).map(|number| self.merged[usize::from(number)])
    }
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

    /// Writes the table anew when `TINGJIAN_BLESS` is set.
    #[test]
    fn simplified_table_is_what_opencc_says() {
        let opencc = OpenCC::from_config(BuiltinConfig::T2s).unwrap();
        let mut table = String::from("# Traditional and simplified characters, after OpenCC (Apache-2.0).\n");
        for c in (0x3400..=0xffff).filter_map(char::from_u32).filter(|&c| is_han(c)) {
            let converted = opencc.convert(&c.to_string());
            let mut chars = converted.chars();
            if let (Some(to), None) = (chars.next(), chars.next())
                && to != c
                && u32::from(to) <= 0xffff
            {
                table.extend([c, to, '\n']);
            }
        }
        if std::env::var_os("TINGJIAN_BLESS").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/text/simplified.txt"), &table).unwrap();
        } else {
            assert!(SIMPLIFIED == table, "simplified.txt is out of date: run this test with TINGJIAN_BLESS=1");
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
            ('％', '%', Kind::Plain),
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
        let check = |a: char, b: char| {
            let same = |sound: fn(&Sounds, char) -> Option<u16>| sound(&SOUNDS, a) == sound(&SOUNDS, b);
            (same(Sounds::syllable), same(Sounds::merged))
        };
        for (a, b, toneless, merged) in [
            ('知', '之', true, true),
            ('知', '资', false, true),
            ('行', '形', true, true),
            ('心', '星', false, true),
            ('男', '蓝', false, true),
            ('双', '酸', false, true),
            ('先', '想', false, false),
            ('1', '以', true, true),
            ('能', '冷', false, true),
        ] {
            assert_eq!(check(a, b), (toneless, merged), "{a} {b}");
        }
        assert_eq!(SOUNDS.syllable('a'), None);
        assert_eq!(SOUNDS.syllable('𠮷'), None);
    }
}

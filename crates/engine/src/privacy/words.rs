//! The words around numbers: what people say between the digits that they read
//! aloud, and what they call the number.

/// What a number is called near it, which tells numbers of one shape apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cue {
    /// 身份证: an identity card, or another document that bears its number.
    Identity,
    /// 卡号: a bank card or account.
    Card,
    /// 手机: a number to call a person at.
    Phone,
    /// 座机: a telephone at home or at work.
    Landline,
    /// 护照: a passport or a permit.
    Permit,
    /// 订单号: a number that a business gives out.
    Order,
    /// 工号: a short number that a business gives out.
    Short,
    /// 一共: an amount.
    Amount,
    /// 热线: where everybody may call.
    Hotline,
}

impl Cue {
    /// How many characters may stand between the words and the number.
    const fn reach(self) -> usize {
        match self {
            Self::Identity | Self::Card | Self::Phone | Self::Landline | Self::Permit => 24,
            Self::Order | Self::Short | Self::Amount | Self::Hotline => 8,
        }
    }

    /// Whether it names a number of a person.
    const fn is_personal(self) -> bool {
        matches!(self, Self::Identity | Self::Card | Self::Phone | Self::Landline | Self::Permit)
    }

    /// Whether the words that come after a number may name it.
    const fn follows(self) -> bool {
        matches!(self, Self::Identity | Self::Card | Self::Phone | Self::Permit)
    }
}

const CUES: &[(&str, Cue)] = &[
    ("身份证", Cue::Identity),
    ("身份号", Cue::Identity),
    ("身份证件", Cue::Identity),
    ("证件号", Cue::Identity),
    ("居住证", Cue::Identity),
    ("居民证", Cue::Identity),
    ("驾驶证", Cue::Identity),
    ("驾照", Cue::Identity),
    ("社保", Cue::Identity),
    ("医保", Cue::Identity),
    ("公民身份", Cue::Identity),
    ("卡号", Cue::Card),
    ("银行卡", Cue::Card),
    ("信用卡", Cue::Card),
    ("储蓄卡", Cue::Card),
    ("借记卡", Cue::Card),
    ("工资卡", Cue::Card),
    ("账号", Cue::Card),
    ("帐号", Cue::Card),
    ("账户", Cue::Card),
    ("帐户", Cue::Card),
    ("银行", Cue::Card),
    ("的卡", Cue::Card),
    ("张卡", Cue::Card),
    ("手机", Cue::Phone),
    ("电话", Cue::Phone),
    ("联系方式", Cue::Phone),
    ("号码", Cue::Phone),
    ("回电", Cue::Phone),
    ("打给我", Cue::Phone),
    ("座机", Cue::Landline),
    ("固话", Cue::Landline),
    ("家里", Cue::Landline),
    ("我家", Cue::Landline),
    ("固定电话", Cue::Landline),
    ("家里电话", Cue::Landline),
    ("家庭电话", Cue::Landline),
    ("家里的电话", Cue::Landline),
    ("办公电话", Cue::Landline),
    ("办公室电话", Cue::Landline),
    ("单位电话", Cue::Landline),
    ("公司电话", Cue::Landline),
    ("护照", Cue::Permit),
    ("通行证", Cue::Permit),
    ("回乡证", Cue::Permit),
    ("台胞证", Cue::Permit),
    ("军官证", Cue::Permit),
    ("士兵证", Cue::Permit),
    ("永居证", Cue::Permit),
    ("订单", Cue::Order),
    ("单号", Cue::Order),
    ("运单", Cue::Order),
    ("快递", Cue::Order),
    ("工单", Cue::Order),
    ("流水", Cue::Order),
    ("发票", Cue::Order),
    ("批次", Cue::Order),
    ("型号", Cue::Order),
    ("序列号", Cue::Order),
    ("编号", Cue::Order),
    ("条码", Cue::Order),
    ("工号", Cue::Short),
    ("验证码", Cue::Short),
    ("尾号", Cue::Short),
    ("房间", Cue::Short),
    ("邮编", Cue::Short),
    ("一共", Cue::Amount),
    ("总共", Cue::Amount),
    ("共计", Cue::Amount),
    ("合计", Cue::Amount),
    ("总计", Cue::Amount),
    ("金额", Cue::Amount),
    ("总额", Cue::Amount),
    ("余额", Cue::Amount),
    ("价格", Cue::Amount),
    ("总价", Cue::Amount),
    ("应付", Cue::Amount),
    ("实付", Cue::Amount),
    ("支付了", Cue::Amount),
    ("客服", Cue::Hotline),
    ("热线", Cue::Hotline),
    ("投诉", Cue::Hotline),
    ("客服电话", Cue::Hotline),
    ("服务电话", Cue::Hotline),
    ("热线电话", Cue::Hotline),
    ("投诉电话", Cue::Hotline),
    ("咨询电话", Cue::Hotline),
    ("报修电话", Cue::Hotline),
    ("拨打", Cue::Hotline),
    ("致电", Cue::Hotline),
    ("总机", Cue::Hotline),
    ("前台", Cue::Hotline),
    ("官方", Cue::Hotline),
];

/// Whether one of the [`CUES`] begins with the character; spares most of a text the comparison.
const fn begins_cue(c: char) -> bool {
    matches!(
        c,
        '身' | '证'
            | '居'
            | '驾'
            | '社'
            | '医'
            | '公'
            | '卡'
            | '银'
            | '信'
            | '储'
            | '借'
            | '工'
            | '账'
            | '帐'
            | '的'
            | '张'
            | '手'
            | '电'
            | '联'
            | '号'
            | '回'
            | '打'
            | '座'
            | '固'
            | '家'
            | '我'
            | '办'
            | '单'
            | '护'
            | '通'
            | '台'
            | '军'
            | '士'
            | '永'
            | '订'
            | '运'
            | '快'
            | '流'
            | '发'
            | '批'
            | '型'
            | '序'
            | '编'
            | '条'
            | '验'
            | '尾'
            | '房'
            | '邮'
            | '一'
            | '总'
            | '共'
            | '合'
            | '金'
            | '余'
            | '价'
            | '应'
            | '实'
            | '支'
            | '客'
            | '热'
            | '投'
            | '服'
            | '咨'
            | '报'
            | '拨'
            | '致'
            | '前'
            | '官'
    )
}

/// The cue nearest before the character at `end`.
pub(super) fn cue_before(chars: &[char], end: usize) -> Option<Cue> {
    let start = end.saturating_sub(Cue::Identity.reach() + LONGEST_CUE);
    let said = &chars[start..end];
    let mut nearest: Option<(usize, usize, Cue)> = None;
    for from in (0..said.len()).filter(|&from| begins_cue(said[from])) {
        for &(word, cue) in CUES {
            let Some(length) = begins_with(&said[from..], word) else { continue };
            let to = from + length;
            // 订单号码 is about an order.
            let is_weak = word == "号码" && nearest.is_some_and(|(before, ..)| before + 1 >= from);
            let is_nearer = nearest.is_none_or(|(before, size, _)| (to, length) > (before, size));
            if said.len() - to <= cue.reach() && is_nearer && !is_weak {
                nearest = Some((to, length, cue));
            }
        }
    }
    nearest.map(|(_, _, cue)| cue)
}

/// The cue of a personal number that stands last in a text: what a speaker asks for, or announces.
pub(super) fn cue_asked(chars: &[char]) -> Option<Cue> {
    let last = |is_wanted: fn(&str) -> bool| {
        (0..chars.len()).rev().filter(|&from| begins_cue(chars[from])).find_map(|from| {
            let named = CUES.iter().find(|(word, _)| is_wanted(word) && begins_with(&chars[from..], word).is_some());
            named.map(|&(_, cue)| cue)
        })
    };
    // 号码 alone says little: 订单号码, 身份证号码.
    last(|word| word != "号码").or_else(|| last(|word| word == "号码")).filter(|cue| cue.is_personal())
}

/// The cue nearest after the number that ends at `start`: …是我的身份证号.
pub(super) fn cue_after(chars: &[char], start: usize) -> Option<Cue> {
    let said = &chars[start..chars.len().min(start + FOLLOWS_WITHIN)];
    (0..said.len()).filter(|&from| begins_cue(said[from])).find_map(|from| {
        let named = CUES.iter().find(|(word, cue)| cue.follows() && begins_with(&said[from..], word).is_some());
        named.map(|&(_, cue)| cue)
    })
}

/// The most characters between a number and the words after it that name it.
const FOLLOWS_WITHIN: usize = 10;
/// 办公室电话, 家里的电话.
const LONGEST_CUE: usize = 5;

/// How long `word` is if `chars` begin with it.
fn begins_with(chars: &[char], word: &str) -> Option<usize> {
    let mut rest = chars.iter();
    let mut length = 0;
    for letter in word.chars() {
        if rest.next() != Some(&letter) {
            return None;
        }
        length += 1;
    }
    Some(length)
}

/// What stands between two groups of digits, so that they may be one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Filler {
    pub(super) length: usize,
    /// Who speaks looks for the rest: whatever is said meanwhile belongs to it.
    pub(super) pauses: bool,
    /// What was said before it is taken back.
    pub(super) corrects: bool,
}

/// The words that take back digits.
const CORRECTIONS: &[&str] = &[
    "我说错了",
    "我讲错了",
    "我记错了",
    "说错了",
    "讲错了",
    "记错了",
    "念错了",
    "报错了",
    "看错了",
    "搞错了",
    "弄错了",
    "打错了",
    "错了",
    "不对",
    "不是",
    "重新说",
    "重新来",
    "重新报",
    "重来",
    "更正",
    "改成",
    "改为",
    "应该是",
];

/// The words of people who look for the rest of a number.
const PAUSES: &[&str] =
    &["等一下", "等一会儿", "等会儿", "等等", "稍等", "稍候", "让我", "我看", "我找", "我查", "我想", "我拿", "别挂"];

/// The words that people say between digits.
const TALK: &[&str] = &[
    "是不是",
    "对不对",
    "好不好",
    "是这样",
    "一会儿",
    "一下",
    "一遍",
    "一点",
    "别着急",
    "不着急",
    "慢点",
    "慢一点",
    "不好意思",
    "对不起",
    "抱歉",
    "看一看",
    "想一想",
    "找一找",
    "查一查",
    "怎么说",
    "后面",
    "后边",
    "然后",
    "接着",
    "接下来",
    "中间",
    "最后",
    "前面",
    "开头",
    "结尾",
    "末尾",
    "还有",
    "那个",
    "这个",
    "哪个",
    "出生日期",
    "出生年月",
    "出生",
    "生日",
    "横杠",
    "斜杠",
    "短横",
    "横线",
    "空格",
    "逗号",
    "顿号",
    "句号",
    "杠",
    "请讲",
    "请说",
    "继续",
    "清楚",
    "重复",
    "记录",
    "记下",
    "记好",
    "数字",
    "字母",
    "没有",
    "什么",
    "怎么",
    "来着",
    "知道",
    "嗯",
    "啊",
    "呃",
    "哦",
    "噢",
    "唔",
    "诶",
    "欸",
    "哎",
    "唉",
    "额",
    "喔",
    "呢",
    "吧",
    "呀",
    "嘛",
    "哈",
    "哟",
    "哇",
    "啦",
    "咯",
    "嘞",
    "的",
    "对",
    "是",
    "好",
    "再",
    "就",
    "还",
    "也",
    "那",
    "这",
    "我",
    "您",
    "你",
    "咱",
    "等",
    "看",
    "想",
    "让",
    "找",
    "查",
    "听",
    "记",
    "说",
    "念",
    "报",
    "讲",
    "了",
    "吗",
    "么",
    "先",
    "来",
    "请",
    "给",
    "行",
    "可以",
    "没",
    "后",
    "前",
    "哪",
];

/// Sounds of hesitation as recognisers spell them.
const SOUNDS: [&str; 10] = ["hmm", "hm", "um", "uh", "em", "mm", "er", "ah", "eh", "oh"];

/// The little word that `chars` begin with, of those that people say while they read a number aloud.
pub(super) fn filler(chars: &[char]) -> Option<Filler> {
    let filler = |length, corrects, pauses| Filler { length, pauses, corrects };
    let among = |words: &[&str]| words.iter().find_map(|word| begins_with(chars, word));
    if let Some(length) = ordinal(chars).or_else(|| among(&TALK[..4])) {
        return Some(filler(length, false, false));
    }
    if let Some(length) = among(CORRECTIONS) {
        return Some(filler(length, true, false));
    }
    if let Some(length) = among(PAUSES) {
        return Some(filler(length, false, true));
    }
    if let Some(length) = among(TALK) {
        return Some(filler(length, false, false));
    }
    let letters = chars.iter().take_while(|c| c.is_ascii_alphabetic()).count();
    let sound: String = chars[..letters].iter().map(char::to_ascii_lowercase).collect();
    SOUNDS.contains(&sound.as_str()).then_some(filler(letters, false, false))
}

/// 四位, 四个数, 两个数字: how many digits come next.
fn ordinal(chars: &[char]) -> Option<usize> {
    const COUNTS: &str = "一二两三四五六七八九十几234678";
    let [count, measure, ..] = chars else { return None };
    if !COUNTS.contains(*count) {
        return None;
    }
    match measure {
        '位' if chars.get(2) == Some(&'数') => Some(3),
        '位' => Some(2),
        '个' if chars.get(2..4) == Some(&['数', '字']) => Some(4),
        '个' if chars.get(2) == Some(&'数') => Some(3),
        _ => None,
    }
}

/// Marks, spaces and dashes that may stand between the groups of a number.
/// A colon makes it a time, a star was masked before.
pub(super) fn is_mark(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '\u{200b}'..='\u{200d}' | '\u{feff}' | KEYCAP | EMOJI)
        || "-－–—―‐‑_·•・.．,，、;；。…~～!！?？()（）\"“”|｜/／\\".contains(c)
}

/// The mark that makes a key-cap of a digit: 1️⃣.
pub(super) const KEYCAP: char = '\u{20e3}';
pub(super) const EMOJI: char = '\u{fe0f}';

#[cfg(test)]
mod tests {
    use super::{CUES, LONGEST_CUE, begins_cue};

    #[test]
    fn cues_begin_as_is_known_and_are_no_longer() {
        for (word, _) in CUES {
            assert!(word.chars().next().is_some_and(begins_cue) && word.chars().count() <= LONGEST_CUE, "{word}");
        }
    }
}

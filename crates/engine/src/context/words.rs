//! The words that grammar goes by: closed classes, spelled as folding leaves them.

/// Words that deny what follows them, longest first.
pub(super) const NEGATORS: &[&str] = &[
    "没有什么是",
    "没什么是",
    "没有什么",
    "没有人",
    "没人",
    "不可以",
    "不可能",
    "不允许",
    "没有",
    "没法",
    "没办法",
    "不是",
    "不能",
    "不会",
    "不要",
    "不得",
    "不敢",
    "不用",
    "不必",
    "不曾",
    "不让",
    "不准",
    "并非",
    "绝非",
    "无法",
    "无权",
    "难以",
    "禁止",
    "严禁",
    "杜绝",
    "拒绝",
    "避免",
    "没",
    "别",
    "勿",
    "未",
    "非",
    "莫",
    "不",
];

/// Words that look like a denial and are none.
pub(super) const NOT_NEGATORS: &[&str] = &[
    "不得不",
    "不好意思",
    "不但",
    "不仅",
    "不光",
    "不管",
    "不论",
    "不过",
    "不错",
    "不如",
    "不断",
    "不同",
    "不止",
    "不只",
    "不然",
    "不久",
    "不满",
    "不便",
    "差不多",
    "要不",
    "没错",
    "没关系",
    "没问题",
    "没事",
    "没准",
    "无论",
    "非常",
    "非得",
    "别的",
    "别人",
    "特别",
    "分别",
    "区别",
    "类别",
    "级别",
    "个别",
    "识别",
    "未来",
    "未必不",
    "忍不住",
    "对不起",
    "了不起",
];

/// Words that open a new statement: a denial before them does not reach beyond.
pub(super) const TURNING_POINTS: &[&str] =
    &["但是", "可是", "不过", "所以", "因此", "然后", "因为", "而且", "反而", "但", "却", "只是", "就是说"];

/// A denial reaches so many characters.
pub(super) const NEGATION_REACH: usize = 10;

/// A denial of words that deny themselves stands right before them: 不是说不知道, but not 没穿过不清楚.
pub(super) const DOUBLE_NEGATION_REACH: usize = 2;

/// Denials that deny the deed, not what somebody else does after it: 没网我怎么知道.
pub(super) const DENIALS_OF_DEEDS: &[&str] = &["没有", "没", "不"];

/// What a verb is followed by when the deed is out of reach: 保证不了.
pub(super) const POTENTIAL_DENIALS: &[&str] = &["不了", "不到", "不起", "不下来", "不出来", "不准"];

/// Endings that make almost any noun a person.
pub(super) const PERSON_ENDINGS: &[char] = &['员', '者', '们', '师', '商'];

/// Words that make the person after them an object: 跟您说, 帮您查.
pub(super) const COVERBS: &[char] =
    &['跟', '给', '和', '比', '对', '帮', '为', '向', '让', '把', '被', '替', '与', '找', '叫', '请', '同'];

/// Words that open a condition.
pub(super) const SUPPOSITIONS: &[&str] = &[
    "如果",
    "要是",
    "假如",
    "假设",
    "倘若",
    "若是",
    "若",
    "只要",
    "除非",
    "即使",
    "就算",
    "哪怕",
    "万1",
    "万一",
    "要不是",
    "一旦",
    "1旦",
    "假使",
];

/// Words before something that is quoted or named.
pub(super) const NAMING_BEFORE: &[&str] = &[
    "您说的",
    "你说的",
    "您讲的",
    "说的是",
    "所说的",
    "所谓",
    "叫做",
    "写着",
    "写的",
    "写的是",
    "显示",
    "显示的是",
    "提示",
    "提示的是",
    "提到的",
    "这个词",
    "关键字",
];

/// Words after something that is quoted or named.
pub(super) const NAMING_AFTER: &[&str] = &[
    "这句话",
    "这话",
    "这个词",
    "这几个字",
    "这3个字",
    "这2个字",
    "3个字",
    "2个字",
    "的意思",
    "是指",
    "指的是",
    "这个称呼",
    "这种称呼",
    "这个说法",
    "这种说法",
    "这个叫法",
];

/// Naming words stand at most so far from what they name, in characters.
pub(super) const NAMING_REACH: usize = 2;

/// Words that add nothing to an answer.
pub(super) const PARTICLES: &[char] = &[
    '呢', '啊', '呀', '吧', '嘛', '哈', '哦', '了', '的', '嗯', '亲', '唉', '喔', '哎', '也', '就', '真', '都', '还',
    '哟', '哇', '呐', '喽', '啦', '噢', '额', '咯', '嘞', '捏', '噻', '滴', '哩', '吼', '呗', '耶',
];

/// Words that ask for a choice, as A不A does.
pub(super) const CHOICES: &[&str] = &["是否", "能否", "可否"];

/// What may stand between 是不是 and the words that it asks about.
pub(super) const ADVERBS: &[char] = &['还', '都', '也', '就', '真', '太', '很', '并', '又', '才', '更', '总'];

/// Particles that may follow the word that makes a question.
pub(super) const FINAL_PARTICLES: &[char] = &['呢', '啊', '呀', '哈', '呐', '哦', '亲'];

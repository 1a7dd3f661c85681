//! The words that grammar goes by: closed classes, spelled as folding leaves them.

use crate::closed::Words;

/// Denials of what the words behind them do: 不, 没 and their like.
pub(super) static DENIALS: Words = Words::new(&[
    "没有",
    "没",
    "不用",
    "不必",
    "不要",
    "不需要",
    "不曾",
    "不至于",
    "不见得",
    "别",
    "勿",
    "未",
    "非",
    "莫",
    "不",
]);

/// Denials in a helping verb, and questions that only deny (怎么可能).
pub(super) static MODAL_DENIALS: Words = Words::new(&[
    "没有什么",
    "没有人",
    "没人",
    "没法",
    "没办法",
    "没到",
    "不可以",
    "不可能",
    "不可",
    "不能",
    "不会",
    "不得",
    "不敢",
    "未必",
    "无法",
    "无权",
    "难以",
    "做不到",
    "办不到",
    "办不了",
    "做不了",
    "给不了",
    "达不到",
    "保证不了",
    "答应不了",
    "承诺不了",
    "怎么可能",
    "怎么会",
    "怎么敢",
    "哪能",
    "哪会",
    "哪敢",
    "哪有",
    "岂能",
    "岂会",
]);

/// Denials behind which somebody else may act first: 不让快递上门, 谁说您要坐牢.
pub(super) static CLAUSE_DENIALS: Words = Words::new(&[
    "没有什么是",
    "没什么是",
    "不是",
    "不允许",
    "不让",
    "不准",
    "不许",
    "并非",
    "绝非",
    "禁止",
    "严禁",
    "杜绝",
    "拒绝",
    "避免",
    "防止",
    "以免",
    "免得",
    "省得",
    "谁说",
    "谁告诉",
]);

/// Words that look like a denial and are none.
pub(super) static NOT_NEGATORS: Words = Words::new(&[
    "不得不",
    "不但",
    "不仅",
    "不光",
    "不管",
    "不论",
    "不错",
    "不断",
    "不同",
    "不止",
    "不只",
    "不久",
    "不满",
    "不便",
    "差不多",
    "没准",
    "无论",
    "非常",
    "非得",
    "非要",
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
    "了不起",
    "没得说",
    "不用说",
    "不必说",
    "不瞒",
]);

/// Words that open a new statement, or are one: a denial before them does not reach beyond.
pub(super) static TURNING_POINTS: Words = Words::new(&[
    "但是",
    "可是",
    "不过",
    "所以",
    "因此",
    "然后",
    "而且",
    "反而",
    "但",
    "却",
    "只是",
    "就是说",
    "否则",
    "不然",
    "要不",
    "只能",
    "只好",
    "不如",
    "不好意思",
    "没错",
    "没关系",
    "没问题",
    "没有问题",
    "没事",
    "不要紧",
    "不客气",
    "对不起",
]);

/// Words by which what was said before becomes a condition: 不还钱就…, 没有钱也….
pub(super) static SEQUELS: Words = Words::new(&["就", "也", "才", "便", "则", "照样", "1样", "一样", "仍", "照常"]);

/// A reason is denied together with what follows from it: 不会因为这个就….
pub(super) static REASONS: Words = Words::new(&["因为", "由于", "为了", "因"]);

/// Words for any: what is denied of any of them is denied of what they do.
pub(super) static QUANTIFIERS: Words =
    Words::new(&["任何", "所有", "每", "哪个", "哪家", "哪1", "哪", "谁", "什么", "1个", "一个", "半个", "全部"]);

/// Helping verbs.
pub(super) static AUXILIARIES: Words = Words::new(&[
    "可以", "可能", "能够", "应该", "必须", "愿意", "有权", "会", "能", "要", "想", "敢", "肯", "该", "得", "应", "予",
]);

/// Verbs whose object is what somebody does.
pub(super) static REPORTS: Words = Words::new(&[
    "说", "讲", "提到", "提过", "告诉", "表示", "规定", "要求", "认为", "觉得", "以为", "听说", "建议", "允许", "同意",
    "答应", "承诺", "保证", "安排", "通过", "宣传",
]);

/// Words that a denial passes through on its way to what it denies: adverbs, and verbs and nouns that
/// say nothing without what follows them.
pub(super) static PASSED: Words = Words::new(&[
    // How, and how often.
    "再",
    "真的",
    "真正",
    "真",
    "完全",
    "全",
    "都",
    "随便",
    "随意",
    "擅自",
    "私自",
    "乱",
    "故意",
    "恶意",
    "无缘无故",
    "平白无故",
    "无故",
    "轻易",
    "主动",
    "单独",
    "另外",
    "另行",
    "额外",
    "重复",
    "重新",
    "直接",
    "自动",
    "免费",
    "强制",
    "强行",
    "偷偷",
    "1定",
    "一定",
    "1直",
    "一直",
    "必然",
    "肯定",
    "绝对",
    "经常",
    "总是",
    "总",
    "老",
    "太",
    "很",
    "怎么",
    "这么",
    "那么",
    "这样",
    "那样",
    "多",
    "乱",
    "白",
    "又",
    "先",
    "大",
    "只",
    // When.
    "马上",
    "立刻",
    "立即",
    "现在",
    "今天",
    "明天",
    "目前",
    "暂时",
    "随时",
    "及时",
    "事先",
    "提前",
    "已经",
    "从来",
    "曾经",
    "曾",
    "当天",
    "当场",
    "过",
    "了",
    "的",
    "地",
    "着",
    // Which.
    "这个",
    "那个",
    "这种",
    "那种",
    "这样的",
    "人",
    "其他",
    "您们",
    // Verbs and nouns of no content.
    "支持",
    "提供",
    "涉及",
    "包括",
    "包含",
    "算",
    "接受",
    "存在",
    "属于",
    "推荐",
    "打算",
    "准备",
    "计划",
    "考虑",
    "负责",
    "发生",
    "进行",
    "办理",
    "受理",
    "出现",
    "造成",
    "导致",
    "申请",
    "收到",
    "接到",
    "看到",
    "查到",
    "听到",
    "发现",
    "打包票",
    "开始",
    "继续",
    "权利",
    "权力",
    "资格",
    "理由",
    "必要",
    "意思",
    "办法",
    "可能性",
    "把握",
    "政策",
    "义务",
    "能力",
    "有",
    "是",
    "到",
    "保",
    "赔",
    "办",
    "收",
    "做",
]);

/// Words before the one to whom or for whom it is done, or who is made to do it: 没给您停机, 不会让您坐牢.
pub(super) static OBJECT_MARKERS: Words = Words::new(&[
    "给", "把", "对", "向", "跟", "和", "替", "为", "让", "叫", "请", "使", "被", "在", "从", "由", "往", "以", "按",
    "帮", "将", "与", "同",
]);

/// So many characters may name what stands behind an object marker.
pub(super) const OBJECT_CHARS: usize = 6;

/// So many may name who acts behind a denial of a whole clause.
pub(super) const ACTOR_CHARS: usize = 3;

/// What is denied behind the words themselves begins so: 减免利息 | 这种事是不可能的.
pub(super) static TOPIC_WORDS: Words = Words::new(&[
    "的话",
    "的事情",
    "的事",
    "这种话",
    "这话",
    "这种事",
    "这件事",
    "这个事",
    "这种",
    "这个",
    "这事",
    "那",
    "我们",
    "目前",
    "暂时",
    "现在",
    "恐怕",
    "可能",
    "真的",
    "真是",
    "确实",
    "实在",
    "根本",
    "肯定",
    "绝对",
    "从来",
    "1般",
    "一般",
    "我",
    "这边",
    "咱们",
    "是",
    "都",
    "也",
    "还",
    "的",
]);

/// What says by itself that something is not to be had.
pub(super) static REFUSALS: Words = Words::new(&["不行", "不现实", "不成", "没门", "没戏", "没指望"]);

/// A denial reaches so many characters, before the words or behind them.
pub(super) const NEGATION_REACH: usize = 24;

/// So many characters before the words are looked at: a denial and all that it reaches.
pub(super) const NEGATION_CONTEXT: usize = 2 * NEGATION_REACH;

/// A denial of words that deny themselves stands right before them: 不是说不知道, but not 没穿过不清楚.
pub(super) const DOUBLE_NEGATION_REACH: usize = 2;

/// What a verb is followed by when the deed is out of reach: 保证不了.
pub(super) const POTENTIAL_DENIALS: &[&str] = &["不了", "不到", "不起", "不下来", "不出来", "不准"];

/// Endings that make almost any noun a person.
pub(super) const PERSON_ENDINGS: &[char] = &['员', '者', '们', '师', '商'];

/// Words that make the person after them an object: 跟您说, 帮您查.
pub(super) const COVERBS: &[char] =
    &['跟', '给', '和', '比', '对', '帮', '为', '向', '让', '把', '被', '替', '与', '找', '叫', '请', '同'];

/// Words that open a condition.
pub(super) static SUPPOSITIONS: Words = Words::new(&[
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
]);

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
pub(super) static NAMING_AFTER: Words = Words::new(&[
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
]);

/// Naming words stand at most so far from what they name, in characters.
pub(super) const NAMING_REACH: usize = 2;

/// Words that add nothing to an answer.
pub(super) const PARTICLES: &[char] = &[
    '呢', '啊', '呀', '吧', '嘛', '哈', '哦', '了', '的', '嗯', '亲', '唉', '喔', '哎', '也', '就', '真', '都', '还',
    '哟', '哇', '呐', '喽', '啦', '噢', '额', '咯', '嘞', '捏', '噻', '滴', '哩', '吼', '呗', '耶',
];

/// Words that ask for a choice, as A不A does.
pub(super) static CHOICES: Words = Words::new(&["是否", "能否", "可否"]);

/// What may stand between 是不是 and the words that it asks about.
pub(super) const ADVERBS: &[char] = &['还', '都', '也', '就', '真', '太', '很', '并', '又', '才', '更', '总'];

/// Particles that may follow the word that makes a question.
pub(super) const FINAL_PARTICLES: &[char] = &['呢', '啊', '呀', '哈', '呐', '哦', '亲'];

//! What can be written in a rule file: every map, its keys and their values.
//!
//! The one table behind three readers: the decoder (unknown, missing and
//! exclusive keys), the JSON Schema (`schema`), and the search for the name
//! that somebody may have meant. The decoder asserts in tests that it asks for
//! every key listed here and for no other.

use crate::severity::Severity;
use crate::transcript::Role;

/// A map with a fixed set of keys.
#[derive(Debug)]
pub(super) struct Shape {
    /// Its name in the schema.
    pub(super) name: &'static str,
    /// Its description, in Chinese.
    pub(super) zh: &'static str,
    pub(super) keys: &'static [Key],
    /// Groups of keys of which exactly one must be there.
    pub(super) one_of: &'static [&'static [&'static str]],
}

/// One key of a map.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) required: bool,
    /// Its meaning, in Chinese.
    pub(super) zh: &'static str,
    pub(super) value: Kind,
}

/// The type of a value.
#[derive(Debug)]
pub(super) enum Kind {
    Text,
    Id,
    Bool,
    /// The word `true`.
    True,
    Count {
        least: u32,
    },
    Number,
    Duration,
    Extent,
    Day,
    Hours,
    Script,
    Choice(&'static [Word]),
    List(&'static Kind),
    OneOrMany(&'static Kind),
    /// A map with keys of the writer's choosing.
    MapOf(&'static Kind),
    /// A map with spans of hours as keys.
    ByHours(&'static Kind),
    Phrases,
    Map(&'static Shape),
    Either(&'static [Kind]),
}

/// One word of a choice, and what it means in Chinese.
pub(super) type Word = (&'static str, &'static str);

const fn severity(severity: Severity) -> Word {
    (severity.name(), severity.zh())
}

const fn role(role: Role) -> Word {
    (role.name(), role.zh())
}

pub(super) const SEVERITY: &[Word] =
    &[severity(Severity::Info), severity(Severity::Warning), severity(Severity::Critical)];
pub(super) const ROLE: &[Word] = &[role(Role::Agent), role(Role::Customer), (Role::System.name(), "系统播报、机器人")];
pub(super) const EITHER_PARTY: &[Word] = &[role(Role::Agent), role(Role::Customer)];
pub(super) const SILENT: &[Word] = &[("both", "双方都不说话"), ("agent", "坐席不说话"), ("customer", "客户不说话")];
pub(super) const DIRECTION: &[Word] = &[("inbound", "呼入"), ("outbound", "呼出")];
pub(super) const CHANNEL: &[Word] = &[("voice", "语音"), ("chat", "文字")];
pub(super) const LIMIT_WORD: &[Word] = &[("each", "每次都报"), ("once", "一通只报一次")];
pub(super) const HYPOTHESES_WORD: &[Word] = &[("show", "在中间结果里看到就显示"), ("final", "等最终结果")];
pub(super) const HOMOPHONE: &[Word] = &[
    ("off", "字必须一样"),
    ("toneless", "同音即可，不论声调；三个字以上的话术"),
    ("merged", "还不分平翘舌、n/l、前后鼻音；三个字以上的话术"),
    ("always", "同 toneless，不论话术长短"),
];
pub(super) const BOUNDARY: &[Word] = &[("word", "首尾必须在词的边界上"), ("anywhere", "可以在任何位置")];
pub(super) const SUBJECT: &[Word] = &[
    ("own", "我、我们、这边、客服……"),
    ("customer", "您、你……"),
    ("other", "别的人或事物：他、业主、系统、快递……"),
    ("unnamed", "没有说出主语"),
];
pub(super) const EVENT: &[Word] = &[
    ("answered", "接通"),
    ("hold", "开始等待"),
    ("resume", "等待结束"),
    ("transfer", "转接"),
    ("transfer_answered", "转接被接起"),
    ("end", "通话结束"),
];
pub(super) const LEAVING: &[Word] = &[("transfer", "转接"), ("hold", "开始等待")];

const fn key(name: &'static str, value: Kind, zh: &'static str) -> Key {
    Key { name, required: false, zh, value }
}

const fn must(name: &'static str, value: Kind, zh: &'static str) -> Key {
    Key { name, required: true, zh, value }
}

static A_CONTEXT: Kind = Kind::Map(&CONTEXT);
/// One phrase or several, each with options or without.
pub(super) static PHRASES: Kind = Kind::OneOrMany(&A_PHRASE);
static A_PHRASE: Kind = Kind::Either(&[Kind::Text, Kind::Map(&PHRASE)]);

// The keys of what is said, shared by every map that says something.
const ROLES: Key = key("role", Kind::OneOrMany(&Kind::Choice(ROLE)), "谁说的；默认 agent");
const ANY: Key = key("any", Kind::Phrases, "话术，说到其中任何一条就算");
const ANY_REQUIRED: Key = must("any", Kind::Phrases, "话术，说到其中任何一条就算");
const UNLESS: Key = key("unless", Kind::OneOrMany(&A_CONTEXT), "例外：满足其中任何一条就不算");
const ONLY: Key = key("only", Kind::OneOrMany(&A_CONTEXT), "条件：全部满足才算");
const HOMOPHONES: Key =
    key("homophone", Kind::Choice(HOMOPHONE), "同音匹配；必说、顺序和 without 默认 toneless，其余默认 off");
const BOUNDARIES: Key = key("boundary", Kind::Choice(BOUNDARY), "词边界；禁说的三个字以内默认 word");

pub(super) static PACK: Shape = Shape {
    name: "pack",
    zh: "规则包：一个文件一个",
    keys: &[
        must("pack", Kind::Id, "规则包的名称，在所有文件里唯一"),
        must("title", Kind::Text, "标题"),
        key("source", Kind::Text, "依据的文件"),
        key("enabled", Kind::Bool, "通话没有指明规则包时是否使用；默认 true"),
        key("feature", Kind::Bool, "复看是否把这个规则包的命中当作特征；默认 true，话术宽的规则包写 false"),
        key("yields_to", Kind::OneOrMany(&Kind::Text), "同样的话也被这些规则包禁说时，由它们报，这个规则包不再报"),
        key(
            "parameters",
            Kind::MapOf(&Kind::Map(&PARAMETER)),
            "参数：各公司可以在 parameters.yaml 里改的值，这个文件里用 ${名称} 引用",
        ),
        key(
            "subjects",
            Kind::Map(&SUBJECTS),
            "这一行怎么称呼做事的人和物：补充 subject 认得的词，与默认的词冲突时以这里为准",
        ),
        key("lists", Kind::MapOf(&Kind::Phrases), "词表：名称到话术，规则里用 $名称 引用"),
        must("rules", Kind::List(&Kind::Map(&RULE)), "规则"),
    ],
    one_of: &[],
};

pub(super) static FORM: Shape = Shape {
    name: "form",
    zh: "评分表：一个文件一个",
    keys: &[
        must("form", Kind::Id, "评分表的名称，在所有文件里唯一"),
        must("title", Kind::Text, "标题"),
        key("help", Kind::Text, "说明：用在哪里，怎么填"),
        key("pass", Kind::Count { least: 0 }, "及格分，0 到 100"),
        must("groups", Kind::List(&Kind::Map(&FORM_GROUP)), "分组"),
    ],
    one_of: &[],
};

pub(super) static FORM_GROUP: Shape = Shape {
    name: "form_group",
    zh: "评分表的一组",
    keys: &[must("title", Kind::Text, "标题"), must("items", Kind::List(&Kind::Map(&FORM_ITEM)), "评分项")],
    one_of: &[],
};

pub(super) static FORM_ITEM: Shape = Shape {
    name: "form_item",
    zh: "评分项",
    keys: &[
        must("id", Kind::Id, "编号，在这份评分表里唯一"),
        must("title", Kind::Text, "题目"),
        key("help", Kind::Text, "说明：什么算做到，什么不算"),
        key("points", Kind::Count { least: 0 }, "分值；veto: true 的项可以不写"),
        key("scale", Kind::Count { least: 2 }, "打 0 到几分；不写就是“是”或“否”"),
        key("not_applicable", Kind::Bool, "可以选“不适用”，不计入总分；默认 false"),
        key("veto", Kind::Bool, "一票否决：答“否”或 0 分，整份得 0 分；默认 false"),
        key("comment", Kind::Bool, "没有满分就要写评语；默认 false"),
        key("rules", Kind::OneOrMany(&Kind::Text), "由这些规则的预警来回答"),
        key("packs", Kind::OneOrMany(&Kind::Text), "由这些规则包的预警来回答"),
        key("categories", Kind::OneOrMany(&Kind::Text), "由人工标出的这些类别来回答"),
    ],
    one_of: &[],
};

pub(super) static SUBJECTS: Shape = Shape {
    name: "subjects",
    zh: "称呼：谁在做事",
    keys: &[
        key("own", Kind::OneOrMany(&Kind::Text), "自己一方，如 本行、客户经理"),
        key("customer", Kind::OneOrMany(&Kind::Text), "对方，如 亲"),
        key("other", Kind::OneOrMany(&Kind::Text), "别的人或事物，如 柜员、机长、航司"),
    ],
    one_of: &[],
};

pub(super) static PARAMETER: Shape = Shape {
    name: "parameter",
    zh: "参数",
    keys: &[must("value", Kind::Text, "默认值"), must("description", Kind::Text, "说明：这个值管什么")],
    one_of: &[],
};

pub(super) static RULE: Shape = Shape {
    name: "rule",
    zh: "一条规则；forbid、require、sequence、timing、event 恰好有一个",
    keys: &[
        must("id", Kind::Id, "编号，在所有文件里唯一，如 hold.thank-after"),
        must("name", Kind::Text, "名称"),
        key("severity", Kind::Choice(SEVERITY), "严重程度；默认 warning"),
        key("deduct", Kind::Count { least: 0 }, "扣分；默认 0"),
        must(
            "message",
            Kind::Text,
            "预警的文字。可用 {phrase} {missing} {said} {total} {value} {limit} {step} {before}",
        ),
        key("suggestion", Kind::Text, "建议的说法"),
        key("clauses", Kind::OneOrMany(&Kind::Text), "依据的条款"),
        key("effective", Kind::Map(&EFFECTIVE), "有效期"),
        key("scope", Kind::Map(&SCOPE), "适用的通话"),
        key("when", Kind::Map(&EXPRESSION), "前提：违规的那一刻要成立"),
        key("limit", Kind::Either(&[Kind::Choice(LIMIT_WORD), Kind::Map(&LIMIT)]), "一通里报多少次；默认 each"),
        key(
            "hypotheses",
            Kind::Either(&[Kind::Choice(HYPOTHESES_WORD), Kind::Map(&HYPOTHESES)]),
            "怎样对待中间结果；默认 show",
        ),
        key(
            "confidence",
            Kind::Number,
            "复看的把握：低于它的禁说预警只留给质检，不打扰坐席；0 到 1，0 表示不复看，默认随严重程度",
        ),
        key("shadow", Kind::Bool, "试运行：预警只留给质检，不给坐席看，不扣分；默认 false"),
        key("grace", Kind::Duration, "宽限：到期之后再等多久迟到的话；默认 2s"),
        key("forbid", Kind::Map(&FORBID), "禁说"),
        key("require", Kind::Map(&REQUIRE), "必说"),
        key("sequence", Kind::Map(&SEQUENCE), "顺序"),
        key("timing", Kind::Map(&TIMING), "时间"),
        key("event", Kind::Map(&EVENT_RULE), "事件"),
        key("tests", Kind::List(&Kind::Map(&TEST)), "测试"),
    ],
    one_of: &[&["forbid", "require", "sequence", "timing", "event"]],
};

pub(super) static EFFECTIVE: Shape = Shape {
    name: "effective",
    zh: "有效期",
    keys: &[key("from", Kind::Day, "从这一天起"), key("until", Kind::Day, "到这一天为止（含）")],
    one_of: &[],
};

pub(super) static SCOPE: Shape = Shape {
    name: "scope",
    zh: "适用的通话；没写的不限",
    keys: &[
        key("direction", Kind::Choice(DIRECTION), "呼入或呼出"),
        key("channel", Kind::Choice(CHANNEL), "语音或文字"),
        key("queue", Kind::OneOrMany(&Kind::Text), "队列或技能组"),
        key("attributes", Kind::MapOf(&Kind::OneOrMany(&Kind::Text)), "通话的属性到允许的值"),
    ],
    one_of: &[],
};

pub(super) static LIMIT: Shape = Shape {
    name: "limit",
    zh: "一通里报多少次",
    keys: &[
        key("max", Kind::Count { least: 1 }, "最多报几次"),
        key("cooldown", Kind::Duration, "报过一次之后，这段时间内不再报"),
    ],
    one_of: &[&["max", "cooldown"]],
};

pub(super) static HYPOTHESES: Shape = Shape {
    name: "hypotheses",
    zh: "怎样对待中间结果",
    keys: &[
        key("revisions", Kind::Count { least: 1 }, "连续出现在这么多次中间结果里才显示"),
        key("stable", Kind::Duration, "保持这么久才显示"),
    ],
    one_of: &[&["revisions", "stable"]],
};

pub(super) static PHRASE: Shape = Shape {
    name: "phrase",
    zh: "带选项的话术",
    keys: &[
        key("phrase", Kind::Text, "话术、/正则/ 或 $词表"),
        key("act", Kind::Text, "语用动作：做了这件事就算，不论怎么说（名称见 corpus/acts.yaml）"),
        HOMOPHONES,
        BOUNDARIES,
    ],
    one_of: &[&["phrase", "act"]],
};

pub(super) static NEARBY: Shape = Shape {
    name: "nearby",
    zh: "附近的话术",
    keys: &[ANY_REQUIRED, key("within", Kind::Count { least: 0 }, "最多隔几个字；默认整个分句")],
    one_of: &[],
};

pub(super) static THEN: Shape = Shape {
    name: "then",
    zh: "随后补救的话",
    keys: &[
        key("any", Kind::Phrases, "话术或语用动作，说到其中任何一条就算"),
        key("phrase", Kind::Text, "一条话术或 $词表"),
        key("act", Kind::Text, "一个语用动作"),
        must("within", Kind::Duration, "命中的话段说完后多久之内开口，如 8s"),
    ],
    one_of: &[&["any", "phrase", "act"]],
};

pub(super) static CONTEXT: Shape = Shape {
    name: "context",
    zh: "命中前后的情形；写几个键就要同时满足几个",
    keys: &[
        key("before", Kind::Either(&[Kind::Phrases, Kind::Map(&NEARBY)]), "同一分句里，命中之前有这些话"),
        key("after", Kind::Either(&[Kind::Phrases, Kind::Map(&NEARBY)]), "同一分句里，命中之后有这些话"),
        key("around", Kind::Phrases, "命中是这些更长的话的一部分"),
        key("clause", Kind::Phrases, "同一分句里有这些话"),
        key("sentence", Kind::Phrases, "同一句里有这些话"),
        key("turn", Kind::Phrases, "说话人的同一轮里有这些话"),
        key("reply", Kind::Phrases, "对方的上一轮里有这些话"),
        key("then", Kind::Map(&THEN), "同一个人接着在这段时间内说了这些话；在 forbid 里，预警在此之前是疑似"),
        key("negated", Kind::Bool, "命中被否定"),
        key("question", Kind::Bool, "是问句"),
        key("quoted", Kind::Bool, "是引述，如“您说的……”"),
        key("conditional", Kind::Bool, "在条件里，如“如果……”“……的话”"),
        key("alone", Kind::Bool, "除语气词外整段只有这句话"),
        key("begins", Kind::Bool, "除语气词外这句话从这里开始（不行，没有了 对 这个不行）"),
        key("ends", Kind::Bool, "除语气词外这句话说到这里就完了（没办法了 对 没办法修改）"),
        key("subject", Kind::OneOrMany(&Kind::Choice(SUBJECT)), "说的是谁"),
        key("volume_above", Kind::Number, "音量高于多少分贝"),
        key("pitch_above", Kind::Number, "音高高于多少赫兹"),
        key("all", Kind::List(&Kind::Map(&CONTEXT)), "全部满足"),
        key("any_of", Kind::List(&Kind::Map(&CONTEXT)), "满足其中一条"),
        key("not", Kind::Map(&CONTEXT), "不满足"),
    ],
    one_of: &[],
};

pub(super) static EXPRESSION: Shape = Shape {
    name: "expression",
    zh: "前提；写几个键就要同时满足几个",
    keys: &[
        key("all", Kind::List(&Kind::Map(&EXPRESSION)), "全部成立"),
        key("any", Kind::List(&Kind::Map(&EXPRESSION)), "有一个成立"),
        key("not", Kind::Map(&EXPRESSION), "不成立"),
        key("said", Kind::Map(&SAID_WITHIN), "此前说过"),
        key("event", Kind::Choice(EVENT), "此前发生过"),
        key("within", Kind::Duration, "与 event 同用：发生在最近这段时间内"),
        key("hour", Kind::Hours, "一天中的时段，如 09:00-18:00，可以跨零点"),
        key("lasted", Kind::Duration, "通话至少已有这么久"),
    ],
    one_of: &[],
};

pub(super) static SAID: Shape = Shape {
    name: "said",
    zh: "说了什么",
    keys: &[ROLES, ANY_REQUIRED, UNLESS, ONLY, HOMOPHONES, BOUNDARIES],
    one_of: &[],
};

pub(super) static SAID_WITHIN: Shape = Shape {
    name: "said_within",
    zh: "说过什么",
    keys: &[
        ROLES,
        ANY_REQUIRED,
        UNLESS,
        ONLY,
        HOMOPHONES,
        BOUNDARIES,
        key("within", Kind::Duration, "在最近这段时间内"),
    ],
    one_of: &[],
};

pub(super) static FORBID: Shape = Shape {
    name: "forbid",
    zh: "禁说",
    keys: &[
        ROLES,
        ANY_REQUIRED,
        UNLESS,
        ONLY,
        HOMOPHONES,
        BOUNDARIES,
        key("at_least", Kind::Count { least: 1 }, "说到几条不同的才算；默认 1"),
        key("window", Kind::Map(&WINDOW), "通话的哪一段；默认整通"),
    ],
    one_of: &[],
};

pub(super) static WINDOW: Shape = Shape {
    name: "window",
    zh: "通话的一段",
    keys: &[
        key("first", Kind::Extent, "接通后的一段"),
        key("last", Kind::Extent, "结束前的一段"),
        key("after", ANCHORED, "从起点往后"),
        key("before", ANCHORED, "到起点为止"),
        key("within", Kind::Extent, "与 after、before 同用：多长；默认不限"),
    ],
    one_of: &[&["first", "last", "after", "before"]],
};

const ANCHORED: Kind = Kind::Either(&[Kind::Choice(EVENT), Kind::Map(&ANCHOR)]);

pub(super) static ANCHOR: Shape = Shape {
    name: "anchor",
    zh: "起点",
    keys: &[key("event", Kind::Choice(EVENT), "一件事发生"), key("said", Kind::Map(&SAID), "一句话说出")],
    one_of: &[&["event", "said"]],
};

pub(super) static REQUIRE: Shape = Shape {
    name: "require",
    zh: "必说；any 和 all 二选一，after 和 before 二选一",
    keys: &[
        ROLES,
        ANY,
        UNLESS,
        ONLY,
        HOMOPHONES,
        BOUNDARIES,
        key(
            "all",
            Kind::List(&Kind::Either(&[Kind::Phrases, Kind::Map(&PART)])),
            "各部分，顺序不限，每部分说到一条即可；没有自己写的 role 等沿用外层",
        ),
        key("after", ANCHORED, "从起点往后"),
        key("before", ANCHORED, "到起点为止"),
        key("within", Kind::Extent, "时限；默认不限"),
        key("remind", Kind::Duration, "到期前多久提醒"),
        key("reminder", Kind::Text, "提醒时说什么，占位符同 message；默认是规则名称和还没说的部分"),
        key("count_hold", Kind::Bool, "等待期间是否计时；默认 false"),
        key("even_if_cut_short", Kind::Bool, "时限未到通话就结束了，是否也算违规；默认 false"),
    ],
    one_of: &[&["any", "all"], &["after", "before"]],
};

pub(super) static PART: Shape = Shape {
    name: "part",
    zh: "必说的一部分",
    keys: &[
        key("name", Kind::Text, "预警里怎么称呼它；默认第一条话术"),
        key("say", Kind::Text, "清单上提示坐席怎么说；默认第一条能照着念的话术"),
        ROLES,
        ANY_REQUIRED,
        UNLESS,
        ONLY,
        HOMOPHONES,
        BOUNDARIES,
    ],
    one_of: &[],
};

pub(super) static SEQUENCE: Shape = Shape {
    name: "sequence",
    zh: "顺序",
    keys: &[
        key("after", ANCHORED, "起点；默认接通"),
        must("steps", Kind::List(&Kind::Map(&STEP)), "各步，按先后"),
        key("within", Kind::Duration, "时限；默认到通话结束"),
    ],
    one_of: &[],
};

pub(super) static STEP: Shape = Shape {
    name: "step",
    zh: "一步",
    keys: &[
        must("name", Kind::Text, "名称"),
        key("say", Kind::Text, "清单上提示坐席怎么说；默认第一条能照着念的话术"),
        ROLES,
        ANY_REQUIRED,
        UNLESS,
        ONLY,
        HOMOPHONES,
        BOUNDARIES,
        key("optional", Kind::Bool, "可以省略，但不能颠倒；默认 false"),
    ],
    one_of: &[],
};

pub(super) static TIMING: Shape = Shape {
    name: "timing",
    zh: "时间；恰好写一种",
    keys: &[
        key("silence", Kind::Map(&SILENCE), "没有人说话"),
        key("listening", Kind::Map(&LISTENING), "听对方说了很久，一声不应"),
        key("hold", Kind::Map(&HOLD), "等待过长"),
        key("rate", Kind::Map(&RATE), "语速"),
        key("interruption", Kind::Map(&INTERRUPTION), "打断对方"),
        key("monologue", Kind::Map(&MONOLOGUE), "一直说个不停"),
        key("reply", Kind::Map(&REPLY), "回复过慢"),
        key("rings", Kind::Map(&RINGS), "振铃过多"),
        key("repeat", Kind::Map(&REPEAT), "同一个问题问了又问"),
        key("volume", Kind::Map(&VOLUME), "音量"),
        key("pitch", Kind::Map(&PITCH), "音高"),
    ],
    one_of: &[&[
        "silence",
        "listening",
        "hold",
        "rate",
        "interruption",
        "monologue",
        "reply",
        "rings",
        "repeat",
        "volume",
        "pitch",
    ]],
};

pub(super) static SILENCE: Shape = Shape {
    name: "silence",
    zh: "没有人说话；等待期间不算",
    keys: &[key("of", Kind::Choice(SILENT), "谁不说话；默认 both"), must("over", Kind::Duration, "超过多久")],
    one_of: &[],
};

pub(super) static LISTENING: Shape = Shape {
    name: "listening",
    zh: "听对方说了很久，一声不应；等待期间不算",
    keys: &[
        key("by", Kind::Choice(EITHER_PARTY), "谁在听；默认 agent"),
        must("over", Kind::Duration, "对方说话累计超过多久"),
    ],
    one_of: &[],
};

pub(super) static HOLD: Shape =
    Shape { name: "hold", zh: "等待过长", keys: &[must("over", Kind::Duration, "超过多久")], one_of: &[] };

pub(super) static RATE: Shape = Shape {
    name: "rate",
    zh: "语速，字每分钟；below 和 above 至少写一个",
    keys: &[
        key("role", Kind::Choice(EITHER_PARTY), "谁；默认 agent"),
        key("below", Kind::Count { least: 1 }, "慢于多少字每分钟"),
        key("above", Kind::Count { least: 1 }, "快于多少字每分钟"),
        key("window", Kind::Duration, "看最近多久的话；默认 30s"),
        key("at_least", Kind::Duration, "至少说了多久才下结论；默认 5s"),
    ],
    one_of: &[],
};

pub(super) static INTERRUPTION: Shape = Shape {
    name: "interruption",
    zh: "打断对方",
    keys: &[
        key("by", Kind::Choice(EITHER_PARTY), "谁打断；默认 agent"),
        key("overlap", Kind::Duration, "两人同时说了多久才算；默认 800ms"),
        key("after", Kind::Duration, "对方先说了多久才算；默认 500ms"),
        key("min_chars", Kind::Count { least: 1 }, "少于几个字的应声不算；默认 4"),
        key("unless", Kind::Phrases, "说了这些话就不算"),
    ],
    one_of: &[],
};

pub(super) static MONOLOGUE: Shape = Shape {
    name: "monologue",
    zh: "一直说个不停",
    keys: &[key("role", Kind::Choice(EITHER_PARTY), "谁；默认 agent"), must("over", Kind::Duration, "超过多久")],
    one_of: &[],
};

pub(super) static REPLY: Shape = Shape {
    name: "reply",
    zh: "回复过慢",
    keys: &[key("by", Kind::Choice(EITHER_PARTY), "谁回复；默认 agent"), must("over", Kind::Duration, "超过多久")],
    one_of: &[],
};

pub(super) static RINGS: Shape =
    Shape {
        name: "rings", zh: "振铃过多", keys: &[must("over", Kind::Count { least: 0 }, "超过几声")], one_of: &[]
    };

pub(super) static REPEAT: Shape = Shape {
    name: "repeat",
    zh: "同一个问题问了又问",
    keys: &[
        key("role", Kind::Choice(EITHER_PARTY), "谁问；默认 agent"),
        key("times", Kind::Count { least: 2 }, "问了几次算违规；默认 2"),
        key("min_chars", Kind::Count { least: 1 }, "少于几个字的问题不算；默认 6"),
        key("unless", Kind::Phrases, "对方说了这些话就不算，如“没听清”"),
    ],
    one_of: &[],
};

pub(super) static VOLUME: Shape = Shape {
    name: "volume",
    zh: "音量，分贝；below 和 above 至少写一个",
    keys: &[
        key("role", Kind::Choice(EITHER_PARTY), "谁；默认 agent"),
        key("below", Kind::Number, "低于多少分贝"),
        key("above", Kind::Number, "高于多少分贝"),
    ],
    one_of: &[],
};

pub(super) static PITCH: Shape = Shape {
    name: "pitch",
    zh: "音高，赫兹；below 和 above 至少写一个",
    keys: &[
        key("role", Kind::Choice(EITHER_PARTY), "谁；默认 agent"),
        key("below", Kind::Number, "低于多少赫兹"),
        key("above", Kind::Number, "高于多少赫兹"),
    ],
    one_of: &[],
};

pub(super) static EVENT_RULE: Shape = Shape {
    name: "event_rule",
    zh: "事件；恰好写一种",
    keys: &[
        key("hangup_by", Kind::Choice(ROLE), "这一方先挂断"),
        key("without", Kind::Map(&WITHOUT), "没有先说某句话，就转接或让客户等待"),
        key("transfer_unanswered", Kind::True, "转接还没有人接，通话就断了"),
        key("greeting", Kind::ByHours(&Kind::Phrases), "时段到适合的问候语；在别的时段说就是违规"),
    ],
    one_of: &[&["hangup_by", "without", "transfer_unanswered", "greeting"]],
};

pub(super) static WITHOUT: Shape = Shape {
    name: "without",
    zh: "没有先说某句话",
    keys: &[
        must("event", Kind::Choice(LEAVING), "转接或等待"),
        ROLES,
        ANY_REQUIRED,
        UNLESS,
        ONLY,
        HOMOPHONES,
        BOUNDARIES,
        key("within", Kind::Duration, "在此之前多久之内；默认 30s"),
    ],
    one_of: &[],
};

pub(super) static TEST: Shape = Shape {
    name: "test",
    zh: "测试：一句话，或一通小对话",
    keys: &[
        key("fires", Kind::Text, "这句话必须命中"),
        key("silent", Kind::Text, "这句话不能命中"),
        key("role", Kind::Choice(ROLE), "谁说的；默认 agent"),
        key("reply_to", Kind::Text, "对方在此之前说的话"),
        key("call", Kind::Script, "一通小对话，见说明"),
    ],
    one_of: &[&["fires", "silent", "call"]],
};

/// Every map of the surface.
pub(super) static SHAPES: &[&Shape] = &[
    &PACK,
    &SUBJECTS,
    &PARAMETER,
    &RULE,
    &EFFECTIVE,
    &SCOPE,
    &LIMIT,
    &HYPOTHESES,
    &PHRASE,
    &NEARBY,
    &THEN,
    &CONTEXT,
    &EXPRESSION,
    &SAID,
    &SAID_WITHIN,
    &FORBID,
    &WINDOW,
    &ANCHOR,
    &REQUIRE,
    &PART,
    &SEQUENCE,
    &STEP,
    &TIMING,
    &SILENCE,
    &LISTENING,
    &HOLD,
    &RATE,
    &INTERRUPTION,
    &MONOLOGUE,
    &REPLY,
    &RINGS,
    &REPEAT,
    &VOLUME,
    &PITCH,
    &EVENT_RULE,
    &WITHOUT,
    &TEST,
];

/// Whether any map has such a key.
pub(super) fn is_key(name: &str) -> bool {
    SHAPES.iter().any(|shape| shape.key(name).is_some())
}

impl Shape {
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

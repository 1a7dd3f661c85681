//! Who acts in a clause: the words for the speaker's own side, for the one spoken to and for others.
//!
//! Pronouns are the language's. Nouns are those of a trade: a pack names its own under
//! `subjects:`, and what it says of a word goes before the default.

use std::collections::BTreeMap;

use super::syntax::{Subject, SubjectWords};
use crate::diagnostic::Diagnostic;
use crate::text::fold;

/// 我, 您, 他: the same in every trade.
const PRONOUNS: &[(Subject, &[&str])] = &[
    (Subject::Own, &["我们", "咱们", "本人", "这边", "我", "咱", "俺"]),
    (Subject::Customer, &["您们", "你们", "您", "你"]),
    (
        Subject::Other,
        &["他们", "她们", "它们", "他", "她", "它", "人家", "别人", "对方", "大家", "有人", "谁", "很多人"],
    ),
];

/// The people and things that act in most call centres.
const NOUNS: &[(Subject, &[&str])] = &[
    (Subject::Own, &["客服", "坐席", "话务员", "小编", "本公司"]),
    (Subject::Customer, &["亲"]),
    (
        Subject::Other,
        &[
            "系统",
            "业主",
            "房东",
            "房主",
            "租客",
            "租户",
            "客户",
            "顾客",
            "用户",
            "买家",
            "卖家",
            "商家",
            "厂家",
            "店家",
            "东家",
            "老板",
            "经理",
            "主任",
            "领导",
            "主管",
            "师傅",
            "快递",
            "物流",
            "银行",
            "法院",
            "医院",
            "学校",
            "物业",
            "中介",
            "公司",
            "部门",
            "仓库",
            "库房",
            "站点",
            "门店",
            "同事",
            "朋友",
            "家人",
            "老人",
            "孩子",
            "小孩",
            "爱人",
            "老公",
            "老婆",
            "父母",
            "爸",
            "妈",
            "先生",
            "女士",
            "小姐",
            "司机",
            "医生",
            "律师",
            "机器",
            "电脑",
            "平台",
            "后台",
            "网点",
            "总部",
            "财务",
            "售后",
            "技术",
            "工程师",
        ],
    ),
];

/// Longer names of those who act are not looked for behind a denial.
const NAME_CHARS_MAX: usize = 4;

/// A word, folded, and whom it names.
type Named = (Box<[char]>, Subject);

/// The words of one pack.
#[derive(Debug, Default)]
pub(crate) struct Subjects {
    /// By their last character, the longest first.
    by_end: BTreeMap<char, Vec<Named>>,
    /// Words of the two parties by their first character, the longest first.
    parties: BTreeMap<char, Vec<Named>>,
}

impl Subjects {
    /// The default with what a pack adds to it. Words that mean nothing, or two things, go to `faults`.
    pub(crate) fn new(added: &SubjectWords, faults: &mut Vec<Diagnostic>) -> Self {
        let folded = |word: &str| -> Box<[char]> {
            let text = fold(word);
            text.chars()[text.lead()..].into()
        };
        let mut words: BTreeMap<Box<[char]>, Subject> = BTreeMap::new();
        for (subject, defaults) in PRONOUNS.iter().chain(NOUNS) {
            words.extend(defaults.iter().map(|word| (folded(word), *subject)));
        }
        let mut named: BTreeMap<Box<[char]>, Subject> = BTreeMap::new();
        for (subject, word) in added.words() {
            let characters = folded(&word.value);
            if characters.is_empty() {
                faults.push(bad_subject(word, "里没有能听见的字", "holds nothing that can be heard"));
            } else if named.insert(characters, subject).is_some_and(|before| before != subject) {
                faults.push(bad_subject(word, "既是这个又是那个", "is named for two of them"));
            }
        }
        words.extend(named);
        let mut subjects = Self::default();
        for (word, subject) in words {
            let (Some(&first), Some(&last)) = (word.first(), word.last()) else { continue };
            if subject != Subject::Other {
                subjects.parties.entry(first).or_default().push((word.clone(), subject));
            }
            subjects.by_end.entry(last).or_default().push((word, subject));
        }
        for list in subjects.by_end.values_mut().chain(subjects.parties.values_mut()) {
            list.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        }
        subjects
    }

    /// The longest word at the end of `chars` that names somebody: how long it is, and whom.
    pub(crate) fn ending(&self, chars: &[char]) -> Option<(usize, Subject)> {
        let list = self.by_end.get(chars.last()?)?;
        list.iter().find(|(word, _)| chars.ends_with(word)).map(|(word, subject)| (word.len(), *subject))
    }

    /// How long the word for one of the two parties is that `chars` begin with.
    pub(crate) fn party(&self, chars: &[char]) -> Option<usize> {
        self.opening(chars, |_| true)
    }

    /// How long the word for the speaker's own side is that `chars` begin with.
    pub(crate) fn own(&self, chars: &[char]) -> Option<usize> {
        self.opening(chars, |subject| subject == Subject::Own)
    }

    /// How long the word for anybody is that `chars` begin with.
    pub(crate) fn named(&self, chars: &[char]) -> Option<usize> {
        let ends = (1..=chars.len().min(NAME_CHARS_MAX)).rev();
        ends.into_iter().find(|&end| self.ending(&chars[..end]).is_some_and(|(length, _)| length == end))
    }

    fn opening(&self, chars: &[char], wanted: impl Fn(Subject) -> bool) -> Option<usize> {
        let list = self.parties.get(chars.first()?)?;
        list.iter().find(|(word, subject)| wanted(*subject) && chars.starts_with(word)).map(|(word, _)| word.len())
    }
}

fn bad_subject(word: &crate::diagnostic::Located<String>, zh: &str, en: &str) -> Diagnostic {
    let text = &word.value;
    Diagnostic::error(
        "bad-subject",
        word.at.clone(),
        format!("`subjects` 的 `{text}` {zh}"),
        format!("`{text}` under `subjects` {en}"),
    )
    .help("改正它，或删去一处。", "Correct it, or remove it in one place.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Located;

    fn words(words: &[&str]) -> Vec<Located<String>> {
        words.iter().map(|word| Located::new((*word).to_owned(), Default::default())).collect()
    }

    #[test]
    fn words_that_mean_nothing_or_two_things_are_told() {
        let added = SubjectWords {
            own: words(&["本行", "航司", "本行"]),
            customer: Vec::new(),
            other: words(&["航司", "，", "平台"]),
        };
        let mut faults = Vec::new();
        let subjects = Subjects::new(&added, &mut faults);
        let told: Vec<&str> = faults.iter().map(|fault| fault.en.as_str()).collect();
        assert_eq!(
            told,
            [
                "`航司` under `subjects` is named for two of them",
                "`，` under `subjects` holds nothing that can be heard"
            ]
        );
        let named = |text: &str| subjects.ending(&text.chars().collect::<Vec<char>>());
        assert_eq!(named("请问本行"), Some((2, Subject::Own)));
        assert_eq!(named("客户经理"), Some((2, Subject::Other)));
        assert_eq!(named("保证"), None);
    }
}

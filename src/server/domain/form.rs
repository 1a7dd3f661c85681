//! Scoring forms: what a reviewer answers about a call, the score that follows, and who agreed to it. Pure.
//!
//! The score is the share of the points, out of 100, that the answers of applicable items achieve, in hundredths. A veto item
//! of which nothing is achieved makes it zero. A form is computed once, when it is kept, by the version of the form that it
//! was filled in: a later version changes no score.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, de};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::engine::rule::form::{Form, Item};
use crate::engine::severity::AlertKind;

/// Characters of a comment on one item, or on the whole.
pub(crate) const COMMENT_CHARS_MAX: usize = 500;
/// Versions of one filled form, signatures among them; people who disagree for so long should talk.
pub(crate) const REVISIONS_MAX: i64 = 50;

/// A form with the name of what it says: the same words have the same name, however the file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VersionedForm {
    pub(crate) form: Form,
    pub(crate) version: String,
}

impl VersionedForm {
    pub(crate) fn new(form: Form) -> Self {
        let json = serde_json::to_string(&form).unwrap_or_default();
        let version = Sha256::digest(json)[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { form, version }
    }
}

/// The answer to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Answer {
    Word(Word),
    /// A mark, from 0 to the item's `scale`.
    Mark(u32),
}

/// Says what an answer may be where serde's `untagged` would not.
impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrMark;

        impl Visitor<'_> for WordOrMark {
            type Value = Answer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"yes\", \"no\", \"na\" or a mark (a whole number from 0)")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Answer, E> {
                let known = [Word::Yes, Word::No, Word::Na].into_iter().map(Answer::Word);
                let meant = known.into_iter().find(|answer| answer.text() == word);
                meant.ok_or_else(|| E::invalid_value(Unexpected::Str(word), &self))
            }

            fn visit_u64<E: de::Error>(self, mark: u64) -> Result<Answer, E> {
                let known = u32::try_from(mark).map(Answer::Mark);
                known.map_err(|_| E::invalid_value(Unexpected::Unsigned(mark), &self))
            }
        }

        deserializer.deserialize_any(WordOrMark)
    }
}

/// An answer that is no mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    Yes,
    No,
    /// Not applicable.
    Na,
}

impl Answer {
    /// The mark that it stands for; `None`: not applicable.
    const fn mark(self, scale: u32) -> Option<u32> {
        match self {
            Self::Word(Word::Yes) => Some(scale),
            Self::Word(Word::No) => Some(0),
            Self::Word(Word::Na) => None,
            Self::Mark(mark) => Some(mark),
        }
    }

    /// As it is told in a table.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Word(Word::Yes) => "yes".to_owned(),
            Self::Word(Word::No) => "no".to_owned(),
            Self::Word(Word::Na) => "na".to_owned(),
            Self::Mark(mark) => mark.to_string(),
        }
    }
}

/// An answered item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Answered {
    /// Its id in the form.
    pub(crate) item: String,
    pub(crate) answer: Answer,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub(crate) comment: Option<String>,
}

/// An answer that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadAnswer {
    pub(crate) item: String,
    pub(crate) message: String,
}

/// What answers amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FormScore {
    /// Out of 10 000.
    pub(crate) hundredths: u32,
    /// Items that brought it to zero.
    pub(crate) vetoed_by: Vec<String>,
    /// Whether it is enough; `None` where the form does not say.
    pub(crate) has_passed: Option<bool>,
}

/// The score of these answers.
///
/// # Errors
/// The first answer that cannot be used: all items are answered, each once.
pub(crate) fn score(form: &Form, answers: &[Answered]) -> Result<FormScore, BadAnswer> {
    let bad = |item: &str, message: String| BadAnswer { item: item.to_owned(), message };
    let mut given: BTreeMap<&str, &Answered> = BTreeMap::new();
    for answered in answers {
        if given.insert(&answered.item, answered).is_some() {
            return Err(bad(&answered.item, "这一项答了两次 / this item is answered twice".to_owned()));
        }
    }
    let (mut possible, mut achieved, mut vetoed_by) = (0_u64, 0_u64, Vec::new());
    for item in form.items() {
        let answered = given
            .remove(item.id.as_str())
            .ok_or_else(|| bad(&item.id, format!("“{0}”还没有答 / \"{0}\" is not answered", item.title)))?;
        let Some(mark) = check(item, answered)? else { continue };
        // In units that every scale divides: 1 to 10 do 2 520.
        const UNITS: u64 = 2_520;
        possible += u64::from(item.points) * UNITS;
        achieved += u64::from(item.points) * UNITS * u64::from(mark) / u64::from(item.scale);
        if item.veto && mark == 0 {
            vetoed_by.push(item.id.clone());
        }
    }
    if let Some(unknown) = given.keys().next() {
        return Err(bad(unknown, "评分表里没有这一项 / the form has no such item".to_owned()));
    }
    let hundredths = match possible {
        _ if !vetoed_by.is_empty() => 0,
        // Where nothing applies nothing is missed.
        0 => 10_000,
        _ => u32::try_from((achieved * 20_000 + possible) / (possible * 2)).unwrap_or(10_000),
    };
    let has_passed = form.pass.map(|pass| hundredths >= pass * 100);
    Ok(FormScore { hundredths, vetoed_by, has_passed })
}

/// The mark of an answer, if the item may be answered so.
fn check(item: &Item, answered: &Answered) -> Result<Option<u32>, BadAnswer> {
    let bad = |message: String| BadAnswer { item: item.id.clone(), message };
    let mark = answered.answer.mark(item.scale);
    match (answered.answer, mark) {
        (_, None) if !item.not_applicable => {
            return Err(bad("这一项不能选不适用 / this item is always applicable".to_owned()));
        }
        (Answer::Mark(_), _) if item.scale == 1 => {
            return Err(bad("这一项答 yes 或 no / this item takes yes or no".to_owned()));
        }
        (_, Some(mark)) if mark > item.scale => {
            return Err(bad(format!("这一项打 0 到 {0} 分 / this item takes 0 to {0}", item.scale)));
        }
        _ => {}
    }
    let comment = answered.comment.as_deref().map(str::trim).unwrap_or_default();
    if comment.chars().count() > COMMENT_CHARS_MAX {
        return Err(bad(format!(
            "评语最多 {COMMENT_CHARS_MAX} 字 / a comment has at most {COMMENT_CHARS_MAX} characters"
        )));
    }
    if item.comment && comment.is_empty() && mark.is_some_and(|mark| mark < item.scale) {
        return Err(bad("没有满分的要写评语 / less than everything needs a comment".to_owned()));
    }
    Ok(mark)
}

/// An alert that counts, as far as it answers items.
#[derive(Clone, Debug)]
pub(crate) struct Witness<'a> {
    pub(crate) alert_id: &'a str,
    pub(crate) rule_id: &'a str,
    pub(crate) pack: &'a str,
}

/// An item that the alerts of a call answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Prefilled {
    pub(crate) item: String,
    pub(crate) answer: Answer,
    /// Alerts that speak against it; none: the words that its rules forbid were not found.
    pub(crate) alerts: Vec<String>,
}

/// A rule that could have found something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InForce<'a> {
    pub(crate) rule_id: &'a str,
    pub(crate) pack: &'a str,
    pub(crate) kind: AlertKind,
}

/// The answers that the alerts of a call give: of each item that names rules, packs or categories. Without an alert an item is
/// met only if all of its rules that are in force forbid words: a rule that asks for words or for time is silent, too, when
/// it had no occasion, and never proves that the words came.
pub(crate) fn prefill(form: &Form, witnesses: &[Witness<'_>], in_force: &[InForce<'_>]) -> Vec<Prefilled> {
    let answers = |item: &Item, rule_id: &str, pack: &str| {
        let is_rule = |rule: &String| {
            rule_id.strip_prefix(rule.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let is_category = |category: &String| rule_id.strip_prefix("marked.") == Some(category);
        item.rules.iter().any(is_rule)
            || item.packs.iter().any(|known| known == pack)
            || item.categories.iter().any(is_category)
    };
    let prefilled = |item: &Item| {
        let alerts: Vec<String> = witnesses
            .iter()
            .filter(|witness| answers(item, witness.rule_id, witness.pack))
            .map(|witness| witness.alert_id.to_owned())
            .collect();
        let mut looked = in_force.iter().filter(|rule| answers(item, rule.rule_id, rule.pack)).peekable();
        if alerts.is_empty() && (looked.peek().is_none() || looked.any(|rule| rule.kind != AlertKind::Forbidden)) {
            return None;
        }
        let answer = match (item.scale, alerts.len()) {
            (1, 0) => Answer::Word(Word::Yes),
            (1, _) => Answer::Word(Word::No),
            (scale, found) => Answer::Mark(scale.saturating_sub(u32::try_from(found).unwrap_or(u32::MAX))),
        };
        Some(Prefilled { item: item.id.clone(), answer, alerts })
    };
    form.items().filter_map(prefilled).collect()
}

/// What became of a filled form, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FormStep {
    /// A reviewer filled it.
    Fill,
    /// A reviewer changed answers, and said why.
    Change,
    /// Its agent agreed.
    Sign,
    /// Its agent signed that they saw it, and said what they do not agree with.
    Object,
}

impl FormStep {
    pub(crate) const ALL: [Self; 4] = [Self::Fill, Self::Change, Self::Sign, Self::Object];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fill => "fill",
            Self::Change => "change",
            Self::Sign => "sign",
            Self::Object => "object",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

/// Where a filled form stands with its agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Signature {
    /// Not seen, or changed since.
    Open,
    Signed,
    Objected,
}

impl Signature {
    pub(crate) const ALL: [Self; 3] = [Self::Open, Self::Signed, Self::Objected];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Signed => "signed",
            Self::Objected => "objected",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signature| signature.name() == name)
    }

    /// Where it stands after a step; `None`: the step is not possible.
    pub(crate) const fn after(self, step: FormStep) -> Option<Self> {
        match (self, step) {
            (_, FormStep::Fill | FormStep::Change) => Some(Self::Open),
            (Self::Open, FormStep::Sign) => Some(Self::Signed),
            (Self::Open, FormStep::Object) => Some(Self::Objected),
            // An answer is given once; a change opens it anew.
            (Self::Signed | Self::Objected, FormStep::Sign | FormStep::Object) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rule::parse::{SourceFile, forms};

    const FORM: &str = "form: f\ntitle: 表\npass: 80\ngroups:\n  - title: 组\n    items:\n\
        \x20     - { id: a, title: 甲, points: 6, rules: [greet] }\n\
        \x20     - { id: b, title: 乙, points: 4, scale: 4, not_applicable: true, packs: [polite] }\n\
        \x20     - { id: c, title: 丙, veto: true, categories: [态度] }\n\
        \x20     - { id: d, title: 丁, points: 2, comment: true }\n";

    fn form() -> Form {
        let file = SourceFile { name: "f.yaml".to_owned(), text: FORM.to_owned() };
        let mut read = forms(&[file]);
        assert!(read.diagnostics.is_empty(), "{:?}", read.diagnostics);
        read.forms.remove(0)
    }

    fn answers(text: &str) -> Vec<Answered> {
        text.split_whitespace()
            .map(|part| {
                let (item, rest) = part.split_once('=').unwrap();
                let (answer, comment) =
                    rest.split_once('/').map_or((rest, None), |(answer, comment)| (answer, Some(comment)));
                let answer = match answer {
                    "yes" => Answer::Word(Word::Yes),
                    "no" => Answer::Word(Word::No),
                    "na" => Answer::Word(Word::Na),
                    mark => Answer::Mark(mark.parse().unwrap()),
                };
                Answered { item: item.to_owned(), answer, comment: comment.map(str::to_owned) }
            })
            .collect()
    }

    #[test]
    fn a_score_is_the_share_of_the_points_that_apply() {
        for (given, expected) in [
            ("a=yes b=4 c=yes d=yes", Ok((10_000, vec![], Some(true)))),
            ("a=yes b=3 c=yes d=yes", Ok((9_167, vec![], Some(true)))),
            ("a=yes b=na c=yes d=no/忘了", Ok((7_500, vec![], Some(false)))),
            ("a=no b=na c=yes d=yes", Ok((2_500, vec![], Some(false)))),
            ("a=yes b=yes c=no d=yes", Ok((0, vec!["c".to_owned()], Some(false)))),
            ("a=yes b=4 c=yes", Err("d")),
            ("a=yes b=5 c=yes d=yes", Err("b")),
            ("a=1 b=4 c=yes d=yes", Err("a")),
            ("a=na b=4 c=yes d=yes", Err("a")),
            ("a=yes b=4 c=yes d=no", Err("d")),
            ("a=yes a=yes b=4 c=yes d=yes", Err("a")),
            ("a=yes b=4 c=yes d=yes x=no", Err("x")),
        ] {
            let told = score(&form(), &answers(given));
            let told = told.map(|told| (told.hundredths, told.vetoed_by, told.has_passed)).map_err(|bad| bad.item);
            assert_eq!(told, expected.map_err(str::to_owned), "{given}");
        }
    }

    #[test]
    fn alerts_answer_the_items_that_name_their_rules() {
        let witness = |alert_id, rule_id, pack| Witness { alert_id, rule_id, pack };
        let told = prefill(
            &form(),
            &[
                witness("1", "greet.name", "opening"),
                witness("2", "greeting", "opening"),
                witness("3", "please", "polite"),
                witness("4", "marked.态度", "marked"),
            ],
            &[],
        );
        let told: Vec<_> =
            told.iter().map(|one| (one.item.as_str(), one.answer.text(), one.alerts.join(" "))).collect();
        let expected = [("a", "no", "1"), ("b", "3", "3"), ("c", "no", "4")];
        assert_eq!(told, expected.map(|(item, answer, alerts)| (item, answer.to_owned(), alerts.to_owned())));
        // Where no rule looked, or one that asks for words, silence says nothing; nobody is made to mark violations.
        let clean = |kind: AlertKind| -> Vec<_> {
            let rules = [("greet.name", "opening", kind), ("please", "polite", AlertKind::Forbidden)];
            let rules = rules.map(|(rule_id, pack, kind)| InForce { rule_id, pack, kind });
            prefill(&form(), &[], &rules).iter().map(|one| one.answer.text()).collect()
        };
        assert_eq!(clean(AlertKind::Forbidden), ["yes", "4"]);
        assert_eq!([clean(AlertKind::Missing), clean(AlertKind::Timing)], [["4"], ["4"]]);
        assert_eq!(prefill(&form(), &[], &[]), []);
    }

    #[test]
    fn a_form_is_answered_once_and_again_after_a_change() {
        let after = |steps: &[FormStep]| steps.iter().try_fold(Signature::Open, |stands, step| stands.after(*step));
        use FormStep::{Change, Fill, Object, Sign};
        assert_eq!(after(&[Fill, Sign]), Some(Signature::Signed));
        assert_eq!(after(&[Fill, Object, Change]), Some(Signature::Open));
        assert_eq!(after(&[Fill, Object, Change, Sign]), Some(Signature::Signed));
        assert_eq!([after(&[Fill, Sign, Object]), after(&[Fill, Object, Sign])], [None, None]);
    }

    #[test]
    fn the_words_of_a_form_name_its_version_and_not_how_they_are_written() {
        let versions =
            [FORM.to_owned(), format!("# 说明\n{FORM}"), FORM.replace("points: 6", "points: 5")].map(|text| {
                let file = SourceFile { name: "f.yaml".to_owned(), text };
                VersionedForm::new(forms(&[file]).forms.remove(0)).version
            });
        assert_eq!(versions[0], versions[1]);
        assert_ne!(versions[0], versions[2]);
    }
}

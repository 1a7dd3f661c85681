use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::diagnostic::Level;
use crate::rule::parse::{SourceFile, parse};
use crate::rule::syntax::Body;

/// All that people write in unlike ways: comments in every place, brackets over lines, blocks, one for many.
const UNLIKE: &str = "\
# 开头的注释
pack: t
title: 试
lists: { remedy: [帮您查] }
rules:
  # 第一条
  - id: t.a # 编号
    name: '第一''条'

    severity: warning
    forbid: # 禁说
      any:
      - 不知道 # 常见
      # 下一句更常见
      - \"不清楚\"
      unless:
        quoted: true
        negated: true
    message: |
      不要说
      这句话
    tests:
      - { fires: 不知道, reply_to: \"你好，在吗\" } # 行尾
      - fires: 不清楚
        # 谁说的
        role: agent

  - id: t.b
    name: 第二条
    require: { any: 您好, after: answered, within: 10s }
    message: >- # 折行
      没有
      问好
    suggestion: 您好
  - id: t.c
    name: 第三条
    forbid:
      any: [不行, # 行内
            没办法, 不能]
      unless: { quoted: true }
    message: m # 结尾没有换行";

fn files() -> [String; 5] {
    [
        include_str!("../../../../../rules/forbidden.yaml").to_owned(),
        include_str!("../../../../../rules/hold.yaml").to_owned(),
        include_str!("../../../../../rules/timing.yaml").to_owned(),
        UNLIKE.to_owned(),
        format!("\u{feff}{}\r\n", UNLIKE.replace('\n', "\r\n")),
    ]
}

/// The values inside of `value`, each with its path.
fn all<'v>(value: &'v Value, path: &[Step], into: &mut Vec<(Vec<Step>, &'v Value)>) {
    let under = |step: Step| [path, &[step]].concat();
    match value {
        Value::List(items) => {
            for (at, item) in items.iter().enumerate() {
                into.push((under(Step::Item(at)), item));
                all(item, &under(Step::Item(at)), into);
            }
        }
        Value::Map(entries) => {
            for (key, item) in entries {
                into.push((under(Step::Key(key.clone())), item));
                all(item, &under(Step::Key(key.clone())), into);
            }
        }
        Value::Text(_) | Value::Word(_) => {}
    }
}

fn at<'v>(value: &'v mut Value, path: &[Step]) -> &'v mut Value {
    path.iter().fold(value, |value, step| match (step, value) {
        (Step::Item(at), Value::List(items)) => &mut items[*at],
        (Step::Key(key), Value::Map(entries)) => &mut entries.iter_mut().find(|(name, _)| name == key).unwrap().1,
        (step, value) => panic!("{step:?} of {value:?}"),
    })
}

/// Applies a change to values, as `edit` does to their text.
fn apply(value: &mut Value, change: &Change) {
    match change {
        Change::Set(path, new) => {
            let (last, before) = path.split_last().unwrap();
            match (last, at(value, before)) {
                (Step::Key(key), Value::Map(entries)) if !entries.iter().any(|(name, _)| name == key) => {
                    entries.push((key.clone(), new.clone()));
                }
                (_, parent) => *at(parent, std::slice::from_ref(last)) = new.clone(),
            }
        }
        Change::Append(path, new) => match at(value, path) {
            Value::List(items) => items.push(new.clone()),
            other => *other = Value::List(vec![other.clone(), new.clone()]),
        },
        Change::Remove(path) => {
            let (last, before) = path.split_last().unwrap();
            let parent = at(value, before);
            let is_empty = match (last, &mut *parent) {
                (Step::Item(at), Value::List(items)) => {
                    items.remove(*at);
                    items.is_empty()
                }
                (Step::Key(key), Value::Map(entries)) => {
                    entries.retain(|(name, _)| name != key);
                    entries.is_empty()
                }
                _ => unreachable!(),
            };
            if is_empty {
                // What would be left without one of these keys says nothing, so it goes as a whole.
                let mut gone = before;
                while let Some((Step::Key(key), outer)) = gone.split_last()
                    && super::KEPT.contains(&key.as_str())
                {
                    gone = outer;
                }
                apply(value, &Change::Remove(gone.to_vec()));
            }
        }
    }
}

/// Values whatever the order of keys, as a new one stands where it is usual; one value may stand for a list of one.
fn sorted(value: &Value) -> Value {
    match value {
        Value::List(items) if items.len() == 1 => sorted(&items[0]),
        Value::List(items) => Value::List(items.iter().map(sorted).collect()),
        Value::Map(entries) => {
            let mut entries: Vec<_> = entries.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Map(entries)
        }
        Value::Text(text) | Value::Word(text) => Value::Text(text.clone()),
    }
}

fn comments(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.find("# ").map(|at| line[at..].trim_end())).collect()
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(
            &[
                "不知道",
                "您好，请讲",
                "我是{number}号",
                "/\\d+号/",
                "10s",
                "3 turns",
                "a: b # c",
                "“好”",
                "null",
                "- x",
                "'"
            ][..]
        )
        .prop_map(str::to_owned),
        "\\PC{1,6}".prop_filter("blank texts are no texts", |text| !text.trim().is_empty()),
    ]
}

fn new_value() -> impl Strategy<Value = Value> {
    let text = || texts().prop_map(Value::Text);
    prop_oneof![
        4 => text(),
        1 => (0_u32..99).prop_map(|number| Value::Word(number.to_string())),
        1 => proptest::collection::vec(text(), 1..3).prop_map(Value::List),
        1 => text().prop_map(|any| Value::Map(vec![("after".into(), Value::Map(vec![("any".into(), Value::List(vec![any]))]))])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// The rule that is read afterwards has the change and no other, the other rules are the same to the
    /// byte, and no comment is lost that does not belong to what is removed.
    #[test]
    fn a_change_changes_what_it_names_and_no_other_byte(
        file in any::<Index>(), rule in any::<Index>(), place in any::<Index>(), kind in 0_u8..4, value in new_value(),
    ) {
        let files = files();
        let text = file.get(&files);
        let ids = ids(text);
        let id = rule.get(&ids);
        let before = read(text, id).unwrap();
        let mut places = Vec::new();
        all(&before.value, &[], &mut places);
        let (path, old) = place.get(&places);
        prop_assume!(path != &[Step::Key("id".into())]);
        let in_list = |step: &Step| matches!(step, Step::Item(_));
        let change = match (kind, old) {
            (0, _) => Change::Set(path.clone(), value),
            (1, Value::List(_)) => Change::Append(path.clone(), value),
            (1, Value::Map(entries)) if entries.iter().all(|(name, _)| name != "wording") => {
                Change::Set([&path[..], &[Step::Key("wording".into())]].concat(), value)
            }
            (2, Value::Text(_)) if !path.iter().any(in_list) => Change::Append(path.clone(), value),
            _ => Change::Remove(path.clone()),
        };
        let after = match edit(text, id, std::slice::from_ref(&change)) {
            Ok(after) => after,
            Err(fault) => {
                prop_assert_eq!(fault, EditFault::LastItem, "{:?}", change);
                prop_assert!(matches!(change, Change::Remove(_)));
                return Ok(());
            }
        };
        let now = read(&after, id);
        prop_assert!(now.is_ok(), "{:?}\n{}", change, after);
        let now = now.unwrap();
        let mut expected = before.value.clone();
        apply(&mut expected, &change);
        prop_assert_eq!(sorted(&now.value), sorted(&expected), "{:?}\n{}", change, after);
        let outside = |text: &str, rule: &WrittenRule| {
            let lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
            let (first, last) = (rule.line as usize - 1, rule.last_line as usize);
            let behind = lines[last.min(lines.len())..].iter();
            // A comment above the last value stays when that value goes, then behind the rule.
            let is_said = |line: &&String| !line.trim().is_empty() && !line.trim_start().starts_with('#');
            (lines[..first].to_vec(), behind.skip_while(|line| !is_said(line)).cloned().collect::<Vec<_>>())
        };
        prop_assert_eq!(outside(text, &before), outside(&after, &now), "{:?}\n{}", change, after);
        if !matches!(change, Change::Remove(_)) && !matches!(old, Value::List(_) | Value::Map(_)) {
            let (was, is) = (comments(text), comments(&after));
            let stands = |comment: &&str| is.iter().any(|line| line.ends_with(*comment));
            prop_assert!(was.iter().all(stands), "{:?}\n{}", change, after);
        }
    }

    /// A phrase that is added is that phrase to who reads the file.
    #[test]
    fn what_is_added_is_read(text in texts(), rule in 0_usize..3) {
        prop_assume!(!text.starts_with(['$', '＄']) && !text.contains("${"));
        let (id, path) = [("t.a", "forbid"), ("t.b", "require"), ("t.c", "forbid")][rule];
        let path = vec![Step::Key(path.into()), Step::Key("any".into())];
        let change = Change::Append(path, Value::Text(text.clone()));
        let after = edit(UNLIKE, id, &[change]).unwrap();
        let (packs, faults) = parse(&[SourceFile { name: "t.yaml".into(), text: after.clone() }]);
        prop_assert!(faults.iter().all(|fault| fault.level != Level::Error), "{:?}\n{}", faults, after);
        let any = match &packs[0].rules[rule].body.value {
            Body::Forbid(forbid) => &forbid.said.any,
            Body::Require(require) => &require.parts[0].said.any,
            _ => unreachable!(),
        };
        prop_assert_eq!(&any.last().unwrap().text.value, &text);
    }

    /// No bytes make it panic.
    #[test]
    fn any_text_is_edited_or_refused(text in "(\\PC|\\n|- |: |id|t\\.a|rules|\\[|\\]|\\{|#|\"){0,40}", cut in any::<Index>()) {
        let _ = edit(&text, "t.a", &[Change::Remove(vec![Step::Key("name".into())])]);
        let at = (0..=UNLIKE.len()).filter(|at| UNLIKE.is_char_boundary(*at)).collect::<Vec<_>>();
        let mixed = format!("{}{text}", &UNLIKE[..*cut.get(&at)]);
        for id in ids(&mixed) {
            let _ = edit(&mixed, &id, &[Change::Append(vec![Step::Key("tests".into())], Value::Text("x".into()))]);
        }
    }
}

#[test]
fn edits_are_written_as_people_write() {
    let key = |key: &str| Step::Key(key.to_owned());
    let text = |text: &str| Value::Text(text.to_owned());
    let after = edit(
        UNLIKE,
        "t.a",
        &[
            Change::Set(vec![key("severity")], text("critical")),
            Change::Append(vec![key("forbid"), key("any")], text("不晓得")),
            Change::Remove(vec![key("forbid"), key("any"), Step::Item(0)]),
            Change::Append(
                vec![key("forbid"), key("unless")],
                Value::Map(vec![("question".into(), Value::Word("true".into()))]),
            ),
            Change::Set(vec![key("suggestion")], text("我帮您查一下。")),
            Change::Append(vec![key("tests")], Value::Map(vec![("silent".into(), text("他不知道"))])),
            Change::Append(
                vec![key("tests")],
                Value::Map(vec![("silent".into(), text("不知道")), ("role".into(), text("customer"))]),
            ),
        ],
    );
    let rule = "  - id: t.a # 编号
    name: '第一''条'

    severity: critical
    forbid: # 禁说
      any:
      # 下一句更常见
      - \"不清楚\"
      - 不晓得
      unless:
        - quoted: true
          negated: true
        - question: true
    message: |
      不要说
      这句话
    suggestion: 我帮您查一下。
    tests:
      - { fires: 不知道, reply_to: \"你好，在吗\" } # 行尾
      - fires: 不清楚
        # 谁说的
        role: agent
      - silent: 他不知道
      - { silent: 不知道, role: customer }

  - id: t.b";
    assert!(after.as_ref().is_ok_and(|after| after.contains(rule)), "{}", after.unwrap_or_default());

    let rule = Value::Map(vec![
        ("id".into(), text("t.d")),
        ("name".into(), text("新")),
        ("forbid".into(), Value::Map(vec![("any".into(), Value::List(vec![text("滚"), text("您好，滚")]))])),
        ("message".into(), text("不要说“{phrase}”")),
        ("tests".into(), Value::List(vec![Value::Map(vec![("fires".into(), text("滚"))])])),
    ]);
    let added = add_rule(UNLIKE, &rule).unwrap();
    let expected = format!(
        "{UNLIKE}\n  - id: t.d\n    name: 新\n    forbid:\n      any:\n        - 滚\n        - 您好，滚\n    \
         message: \"不要说“{{phrase}}”\"\n    tests:\n      - fires: 滚"
    );
    assert_eq!(added, expected);
    assert_eq!(remove_rule(&added, "t.d").unwrap(), UNLIKE);
    assert_eq!(carry(&added, "t.d", UNLIKE).unwrap(), added);
    let critical = edit(UNLIKE, "t.a", &[Change::Set(vec![key("severity")], text("critical"))]).unwrap();
    assert_eq!(carry(&critical, "t.a", UNLIKE).unwrap(), critical);
    assert_eq!(read(UNLIKE, "t.x").map(|rule| rule.line), Err(EditFault::UnknownRule));
    assert_eq!(read("rules：", "t.x").map(|rule| rule.line), Err(EditFault::Unreadable));
    let last = [Change::Remove(vec![key("require"), key("any"), Step::Item(0)])];
    assert_eq!(edit(UNLIKE, "t.b", &last), Err(EditFault::LastItem));

    let at = |line, column| Position { line, column, ..Position::default() };
    let found = field_at(UNLIKE, &at(13, 9));
    assert_eq!(found, Some(("t.a".into(), vec![key("forbid"), key("any"), Step::Item(0)])));
    assert_eq!(field_at(UNLIKE, &at(10, 5)), Some(("t.a".into(), vec![key("severity")])));
    assert_eq!(field_at(UNLIKE, &at(2, 1)), None);
}

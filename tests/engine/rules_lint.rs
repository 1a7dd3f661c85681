//! What lint warns of, and that the shipped rules are fit to be shipped.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::files;
use tingjian::engine::diagnostic::Language;
use tingjian::engine::rule;
use tingjian::engine::rule::lint::lint;
use tingjian::engine::rule::parse::{SourceFile, parse};
use tingjian::engine::rule::render::render;
use tingjian::engine::unit_test;

#[test]
fn what_is_probably_not_meant_is_said() {
    let files = files("tests/rules/lint");
    let loaded = rule::load(&files, String::new()).unwrap_or_else(|faults| panic!("{faults:?}"));
    let known = BTreeSet::from(["S1.40".to_owned()]);
    let diagnostics = lint(&loaded, Some(&known));
    insta::assert_snapshot!("lint_zh", render(&diagnostics, &files, Language::Zh, false));
    insta::assert_snapshot!("lint_en", render(&diagnostics, &files, Language::En, false));
}

#[test]
fn shipped_rules_have_no_faults() {
    let files = files("rules");
    let (packs, faults) = parse(&files);
    assert_eq!(render(&faults, &files, Language::En, false), "");
    assert!(packs.iter().map(|pack| pack.rules.len()).sum::<usize>() >= 12);
}

/// The examples of the guides that are whole packs do what the guides say.
#[test]
fn the_guides_tell_the_truth() {
    for guide in ["docs/rules.md", "docs/rules.zh-CN.md"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(guide)).unwrap();
        let blocks: Vec<&str> =
            text.split("```yaml\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
        let pack = blocks.iter().find(|block| block.starts_with("pack:")).unwrap();
        // The call of the chapter on tests is about the same rule.
        let call = blocks.iter().find(|block| block.starts_with("- call:")).unwrap();
        let call: String = call.lines().map(|line| format!("      {line}\n")).collect();
        let files = [SourceFile { name: guide.to_owned(), text: format!("{pack}{call}") }];
        let loaded = rule::load(&files, String::new()).unwrap();
        let report = unit_test::run(&loaded.rules, &loaded.packs);
        assert!(report.passed() && report.total == 4, "{}", report.render(Language::En));
    }
}

#[test]
fn a_reminder_no_shorter_than_its_window_is_doubtful() {
    let warnings = |within: &str, remind: &str| {
        let body = format!("{{ any: [您好], after: answered, within: {within}, remind: {remind} }}");
        let text =
            format!("pack: p\ntitle: t\nrules:\n  - id: p.a\n    name: 甲\n    message: 话\n    require: {body}\n");
        let loaded = rule::load(&[SourceFile { name: "t.yaml".to_owned(), text }], String::new()).unwrap();
        lint(&loaded, None).into_iter().filter(|warning| warning.code == "early-reminder").count()
    };
    assert_eq!(warnings("60s", "90s"), 1);
    assert_eq!(warnings("60s", "60s"), 1);
    assert_eq!(warnings("60s", "8s"), 0);
}

/// A test that fails because nothing fired says what kept the words from counting.
#[test]
fn a_test_that_did_not_fire_says_why() {
    let told = |rule: &str, test: &str, language: Language| {
        let text = format!(
            "pack: p\ntitle: t\nrules:\n  - id: p.a\n    name: 甲\n    message: 话\n    {rule}\n    tests:\n{test}"
        );
        let loaded = rule::load(&[SourceFile { name: "t.yaml".to_owned(), text }], String::new()).unwrap();
        unit_test::run(&loaded.rules, &loaded.packs).render(language)
    };
    let negated = "forbid: { any: [保证收益], unless: [{ negated: true }] }";
    let when = "when: { lasted: 20s }\n    forbid: { any: [保证收益] }";
    let window = "forbid: { any: [保证收益], window: { after: hold } }";
    let first = "forbid: { any: [保证收益], window: { first: 1s } }";
    let cases: &[(&str, &str, &str, &str)] = &[
        (negated, "不能保证收益", "例外成立（unless: negated）", "unless: negated"),
        (when, "我们保证收益", "前提 `when` 不成立", "precondition `when`"),
        (window, "我们保证收益", "没有时间窗", "there is no window"),
        (first, "我们的产品保证收益", "时间窗是", "the window is"),
        (negated, "您好", "没有说出规则的话术", "none of the rule's phrases"),
    ];
    for (rule, line, zh, en) in cases {
        let test = format!("      - fires: {line}\n");
        assert!(told(rule, &test, Language::Zh).contains("因为："), "{rule}");
        assert!(told(rule, &test, Language::Zh).contains(zh), "{}", told(rule, &test, Language::Zh));
        assert!(told(rule, &test, Language::En).contains(en), "{}", told(rule, &test, Language::En));
    }
    let call = "      - call: |\n          00:01.0 agent 不能保证收益\n          00:03.0 ! forbidden\n          00:09.0 end by customer\n";
    assert!(told(negated, call, Language::Zh).contains("例外成立（unless: negated）"));
    let silent = "      - silent: 我们保证收益\n";
    assert!(!told(negated, silent, Language::Zh).contains("因为："));
}

//! What is said of rule files: nothing of good ones, everything of broken ones.

use std::fs;
use std::path::Path;

use crate::files;
use proptest::prelude::*;
use tingjian::engine::diagnostic::Language;
use tingjian::engine::rule::parse::{SourceFile, parse};
use tingjian::engine::rule::render::render;

#[test]
fn everything_that_can_be_written_is_understood() {
    let (packs, diagnostics) = parse(&files("tests/rules/valid"));
    assert_eq!(render(&diagnostics, &files("tests/rules/valid"), Language::En, false), "");
    insta::assert_snapshot!(without_places(&format!("{packs:#?}")));
}

#[test]
fn everything_that_is_wrong_is_said_in_chinese() {
    let files = files("tests/rules/broken");
    insta::assert_snapshot!(render(&parse(&files).1, &files, Language::Zh, false));
}

#[test]
fn everything_that_is_wrong_is_said_in_english() {
    let files = files("tests/rules/broken");
    insta::assert_snapshot!(render(&parse(&files).1, &files, Language::En, false));
}

/// Places are shown by the diagnostics below; here they would drown the values.
fn without_places(text: &str) -> String {
    let mut inside = false;
    let mut result = String::new();
    for line in text.lines() {
        let content = line.trim();
        if content == "at: Position {" {
            inside = true;
        } else if inside {
            inside = content != "},";
        } else {
            result.push_str(line);
            result.push('\n');
        }
    }
    result
}

/// What people and merges do to files: characters lost, doubled, swapped for their full-width likes.
fn spoiled() -> impl Strategy<Value = String> {
    let valid = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/valid/everything.yaml"));
    let chars: Vec<char> = valid.unwrap().chars().collect();
    let length = chars.len();
    let slips: Vec<char> = "：，“”＝「」　\t\n -:[]{}\"'|#&*!$不0\r\u{0}\u{feff}".chars().collect();
    prop::collection::vec((0..length, 0..4_u8, prop::sample::select(slips)), 1..8).prop_map(move |edits| {
        let mut chars = chars.clone();
        for (at, edit, slip) in edits {
            let at = at.min(chars.len() - 1);
            match edit {
                0 => drop(chars.remove(at)),
                1 => chars.insert(at, slip),
                2 => chars[at] = slip,
                _ => chars.truncate((at + 1).max(length / 4)),
            }
        }
        chars.into_iter().collect()
    })
}

/// Whatever the text, it is read without a panic, and every fault can be shown and has a way out.
fn survives(text: &str) {
    let files = [SourceFile { name: "t.yaml".to_owned(), text: text.to_owned() }];
    let (packs, diagnostics) = parse(&files);
    assert!(!packs.is_empty() || !diagnostics.is_empty());
    let lines = u32::try_from(text.split('\n').count()).unwrap();
    for diagnostic in &diagnostics {
        assert!(diagnostic.at.line <= lines, "{diagnostic:?}");
        assert!(!diagnostic.help_zh.is_empty() && !diagnostic.help_en.is_empty(), "{diagnostic:?}");
    }
    for language in [Language::Zh, Language::En] {
        assert_eq!(render(&diagnostics, &files, language, true).is_empty(), diagnostics.is_empty());
    }
}

proptest! {
    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn any_yaml_like_text_is_survived(text in "([ \\-]{0,6}[a-z_]{0,6}[:：=]? ?[\\[\\]{}\"'|>,，&*!#$x不\t]{0,5}\r?\n){0,20}") {
        survives(&text);
    }

    #[test]
    fn spoiled_files_are_survived(text in spoiled()) {
        survives(&text);
    }
}

/// Lines are counted as editors count them: a carriage return alone ends none.
#[test]
fn lone_carriage_returns_do_not_shift_lines() {
    let files =
        [SourceFile { name: "t.yaml".to_owned(), text: "pack: t\ntitle: a\r\rb\nrules: 1\r\nx: 1\r\n".to_owned() }];
    let lines: Vec<_> = parse(&files).1.iter().map(|fault| (fault.code, fault.at.line)).collect();
    assert_eq!(lines, [("wrong-type", 3), ("unknown-key", 4)]);
}

/// A small file cannot grow into a big tree, nor a deep one exhaust the stack.
#[test]
fn bombs_do_not_go_off() {
    let mut laughs = String::from("pack: a\nl0: &l0 [x, x]\n");
    for level in 1..40 {
        laughs.push_str(&format!("l{level}: &l{level} [*l{0}, *l{0}, *l{0}]\n", level - 1));
    }
    survives(&laughs);
    survives(&"[".repeat(100_000));
    survives(&"{a: ".repeat(100_000));
    survives(&(0..2_000).map(|depth| format!("{}- \n", " ".repeat(depth))).collect::<String>());
    survives(&format!("rules:\n{}", "  - {a: [\n".repeat(20_000)));
    survives(&"x".repeat((4 << 20) + 1));
}

/// One line of nothing but faults, a column of them, and both kinds that are found before the tree is read.
#[test]
fn a_file_full_of_faults_is_told_in_proportion() {
    let begin = "pack: p\ntitle: t\nrules: ";
    for text in [
        format!("{begin}[{}]\n", "{a: 1}, ".repeat(20_000)),
        format!("{begin}\n{}", "  - a: 1\n".repeat(20_000)),
        format!("{begin}[{}]\n", "*a, ".repeat(20_000)),
        format!("{begin}[{}]\n", "{a：1}，".repeat(20_000)),
        format!("{begin}\n{}", "\t- a: 1\n".repeat(20_000)),
    ] {
        let files = [SourceFile { name: "full.yaml".to_owned(), text }];
        let (_, faults) = parse(&files);
        assert!(faults.len() <= 201, "{}", faults.len());
        let rendered = render(&faults, &files, Language::En, false);
        let shown: String = rendered.chars().take(300).collect();
        assert!(rendered.len() < 400_000, "{} bytes: {shown}", rendered.len());
        if faults.len() == 201 {
            let last = &faults[200];
            assert!(last.code == "more-faults" && last.en.contains(" more, which are not listed"), "{last:?}");
        }
        assert!(rendered.contains("full.yaml:"), "{shown}");
    }
}

#[test]
fn a_fault_in_a_long_line_is_shown_with_its_place_and_its_surroundings() {
    let padding = "您".repeat(1_000);
    let text = format!("pack: p\ntitle: t\nrules: [{{id: p.a, name: {padding}, wrong: 1}}]\n");
    let files = [SourceFile { name: "long.yaml".to_owned(), text }];
    let (_, faults) = parse(&files);
    let fault = faults.iter().find(|fault| fault.code == "unknown-key").unwrap();
    let rendered = render(std::slice::from_ref(fault), &files, Language::En, false);
    assert!(rendered.contains(&format!("long.yaml:3:{}", fault.at.column)), "{rendered}");
    assert!(rendered.contains("wrong: 1") && rendered.chars().count() < 1_000, "{rendered}");
}

/// A pack with one rule of these lines; the first of them is line 9 of the file.
fn faults_of(lines: &str) -> Vec<(&'static str, u32, u32, String, String)> {
    let head = "pack: p\ntitle: t\nlists:\n  promise: [保证收益]\nrules:\n  - id: p.a\n    name: 甲\n    message: 话\n";
    let files = [SourceFile { name: "t.yaml".to_owned(), text: format!("{head}{lines}") }];
    let told = parse(&files).1.into_iter();
    told.map(|fault| (fault.code, fault.at.line, fault.at.column, fault.zh, fault.help_zh)).collect()
}

/// Each slip is told once, where it is, in words that name it.
#[test]
fn slips_of_the_hand_are_told_for_what_they_are() {
    let cases: &[(&str, &str, u32, u32, &str, &str)] = &[
        (
            "    suggestion: \"请说：{phrase}\n    forbid: { any: [保证] }\n",
            "yaml-syntax",
            9,
            17,
            "引号没有结束",
            "`\"`",
        ),
        ("    suggestion: '请说\n    forbid: { any: [保证] }\n", "yaml-syntax", 9, 17, "引号没有结束", "`'`"),
        (
            "    forbid:\n      any: [$promise, 肯定赚钱\n      role: agent\n",
            "yaml-syntax",
            10,
            12,
            "`[` 没有结束",
            "`]`",
        ),
        ("    forbid: { any: [保证]\n    severity: info\n", "yaml-syntax", 9, 13, "`{` 没有结束", "`}`"),
        ("    forbid:\n      any: [\"保证, 肯定]\n    severity: info\n", "yaml-syntax", 10, 13, "引号没有结束", "`\"`"),
        (
            "    deduct:5\n    forbid: { any: [保证] }\n",
            "missing-space",
            9,
            11,
            "`deduct:` 后面少一个空格",
            "deduct: …",
        ),
        ("    deduct: \"5\"\n    forbid: { any: [保证] }\n", "bad-value", 9, 13, "加了引号", "去掉引号"),
        ("    limit: 3\n    forbid: { any: [保证] }\n", "bad-value", 9, 12, "`3` 不能用在这里", "limit: { max: 3 }"),
        (
            "    forbid: { any: [保证] }\n    tests:\n      -fires: 保证\n",
            "missing-space",
            11,
            7,
            "`-` 后面少一个空格",
            "`- `",
        ),
        (
            "    forbid: { any: [保证] }\n    tests:\n      – fires: 保证\n",
            "full-width-dash",
            11,
            7,
            "`–` 不是半角",
            "`- `",
        ),
        (
            "    forbid:\n      any: [保证]\n      unless:\n        − negated: true\n",
            "full-width-dash",
            12,
            9,
            "`−` 不是半角",
            "`- `",
        ),
        (
            "    forbid:\n      any: [保证]\n      unless: [{ 否定: true }]\n",
            "unknown-key",
            11,
            18,
            "`否定`",
            "`negated`",
        ),
        ("    forbid:\n      any: 保证收益、稳赚不赔\n", "one-phrase", 10, 12, "是一条话术", "[保证收益, 稳赚不赔]"),
        ("    forbid:\n      any: 保证收益, 稳赚不赔\n", "one-phrase", 10, 12, "是一条话术", "[保证收益, 稳赚不赔]"),
        ("    forbid:\n      any: [＄promise]\n", "full-width-dollar", 10, 13, "`＄`", "$promise"),
        ("    suggestion: 投资有风险 #1\n    forbid: { any: [保证] }\n", "cut-text", 9, 23, "` #`", "双引号"),
    ];
    for (lines, code, line, column, zh, help) in cases {
        let told = faults_of(lines);
        let [(told_code, told_line, told_column, told_zh, told_help)] = told.as_slice() else {
            panic!("{lines}{told:?}")
        };
        assert_eq!((told_code, told_line, told_column), (code, line, column), "{lines}{told:?}");
        assert!(told_zh.contains(zh) && told_help.contains(help), "{lines}{told:?}");
    }
}

#[test]
fn what_only_looks_like_a_slip_is_read() {
    for lines in [
        "    suggestion: \"请说：\n      好的\"\n    forbid: { any: [保证] }\n",
        "    forbid:\n      any: [\n        保证, 肯定,\n      ]\n    severity: info\n",
        "    forbid: { any: [保证] } # 注释\n    suggestion: 投资有风险 # 注释\n",
        "    forbid: { any: \"您好，请讲\" }\n",
        "    forbid:\n      any: 您好，请讲\n",
        "    forbid:\n      any: \"保证收益、稳赚不赔\"\n",
        "    suggestion: 保证收益、稳赚不赔都不要说\n    forbid: { any: [保证] }\n",
    ] {
        assert_eq!(faults_of(lines), [], "{lines}");
    }
}

//! What is said of rule files: nothing of good ones, everything of broken ones.

// Helpers of tests are tests, too.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tingjian::engine::diagnostic::Language;
use tingjian::engine::rule::parse::{SourceFile, parse};
use tingjian::engine::rule::render::render;

fn files(directory: &str) -> Vec<SourceFile> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut names: Vec<_> =
        fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
        .into_iter()
        .map(|name| SourceFile { text: fs::read_to_string(directory.join(&name)).unwrap(), name })
        .collect()
}

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

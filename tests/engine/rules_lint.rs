//! What lint warns of, and that the shipped rules are fit to be shipped.

// Helpers of tests are tests, too.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tingjian::engine::diagnostic::Language;
use tingjian::engine::rule::lint::lint;
use tingjian::engine::rule::parse::{SourceFile, parse};
use tingjian::engine::rule::render::render;
use tingjian::engine::rule::{self, unit_test};

fn files(directory: &str) -> Vec<SourceFile> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let names = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".yaml")).collect();
    names.sort();
    names
        .into_iter()
        .map(|name| SourceFile { text: fs::read_to_string(directory.join(&name)).unwrap(), name })
        .collect()
}

#[test]
fn what_is_probably_not_meant_is_said() {
    let files = files("tests/rules/lint");
    let (packs, faults) = parse(&files);
    assert_eq!(render(&faults, &files, Language::En, false), "");
    let known = BTreeSet::from(["S1.40".to_owned()]);
    let diagnostics = lint(&packs, Some(&known));
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

//! What lint warns of, and that the shipped rules are fit to be shipped.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tingjian::engine::rule::diagnostic::Language;
use tingjian::engine::rule::lint::lint;
use tingjian::engine::rule::parse::{SourceFile, parse};
use tingjian::engine::rule::render::render;

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

//! The tests that live in rule files pass on the engine as it is: those of
//! the packs, and those that `tests/rules/engine` holds for the engine's sake.

use std::fs;
use std::path::Path;

use tingjian::engine::diagnostic::Language;
use tingjian::engine::rule::load;
use tingjian::engine::rule::parse::SourceFile;
use tingjian::engine::unit_test;

fn pass(folder: &str) {
    let paths = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("rule files");
    let mut files: Vec<SourceFile> = paths
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "model"))
        .map(|path| SourceFile {
            name: path.display().to_string(),
            text: fs::read_to_string(&path).expect("a rule file"),
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let loaded = match load(&files, String::from("test")) {
        Ok(loaded) => loaded,
        Err(faults) => panic!("{faults:?}"),
    };
    let report = unit_test::run(&loaded.rules, &loaded.packs);
    assert!(report.passed(), "{}", report.render(Language::En));
    assert!(report.total > 0);
}

#[test]
fn the_packs() {
    pass("rules");
}

#[test]
fn conditions_windows_and_measures() {
    pass("tests/rules/engine");
}

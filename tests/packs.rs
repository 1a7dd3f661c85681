//! The tests that live in the packs pass on the engine as it is.

use std::fs;
use std::path::Path;

use tingjian::engine::rule::diagnostic::Language;
use tingjian::engine::rule::parse::SourceFile;
use tingjian::engine::rule::{load, unit_test};

#[test]
fn the_packs_pass_their_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let paths = fs::read_dir(&folder).expect("packs").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<SourceFile> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| SourceFile { name: path.display().to_string(), text: fs::read_to_string(&path).expect("a pack") })
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

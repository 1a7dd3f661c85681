//! Replays the fuzz corpus through the bodies of the fuzz targets.

use std::path::Path;

/// Files of the corpus of a target, in the order of their names. A failing test shows the name of the last.
fn replay(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).expect("a corpus").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    for file in files {
        println!("{}", file.display());
        body(&std::fs::read(&file).expect("a file"));
    }
}

#[test]
fn rule_files() {
    replay("rules", crate::bodies::rules);
}

#[test]
fn events() {
    replay("event", crate::bodies::event);
}

#[test]
fn adapters() {
    replay("adapter", crate::bodies::adapter);
}

#[test]
fn calls() {
    replay("call", crate::bodies::call);
}

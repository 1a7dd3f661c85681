//! `tingjian learn` as a site uses it, on the built-in corpus.
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn learn(directory: &Path, labelled: &str, arguments: &[&str]) -> Output {
    let file = directory.join("labelled.jsonl");
    fs::write(&file, labelled).unwrap();
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tingjian"));
    command.current_dir(directory).args(["learn", "--rules", rules]).args(arguments).arg(&file).output().unwrap()
}

#[test]
fn a_line_that_is_no_labelled_turn_is_named_and_nothing_is_learned() {
    let directory = tempfile::tempdir().unwrap();
    let labelled =
        "{\"text\":\"不知道\",\"is_violation\":\"yes\"}\n{\"text\":\"好的\",\"is_violation\":\"perhaps\"}\nnothing\n";
    let output = learn(directory.path(), labelled, &["-o", "new.model"]);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("labelled.jsonl:2:") && errors.contains("labelled.jsonl:3:"), "{errors}");
    assert!(!directory.path().join("new.model").exists());
}

#[test]
fn the_model_that_ships_is_what_the_corpus_and_the_rules_teach() {
    let directory = tempfile::tempdir().unwrap();
    let output = learn(directory.path(), "", &["-o", "new.model"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("bare-dont-know") && printed.contains("verdict"), "{printed}");
    let learned = fs::read(directory.path().join("new.model")).unwrap();
    let shipped = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/confidence.model")).unwrap();
    assert!(
        learned == shipped,
        "rules/confidence.model is out of date: run `cargo run --release -- learn --rules rules`"
    );
}

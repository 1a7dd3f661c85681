//! The recorded calls of `fixtures/calls`, checked as a user checks them. Every
//! transition is compared with the companion `NAME.expected.jsonl`, which a
//! person has reviewed; `UPDATE_EXPECTED=1` writes the companions anew.
// A test that cannot be set up has failed, and says where; the difference is for whoever runs the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the rules as a whole, so any edit of any rule would change every line.
const VERSION: &str = "\"rules_version\":\"";

fn recordings() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/calls");
    let mut paths: Vec<PathBuf> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .filter(|path| !path.to_string_lossy().ends_with(".expected.jsonl"))
        .collect();
    paths.sort();
    paths
}

/// What `check` prints, without the version of the rules, and whether it found violations.
fn check(path: &Path) -> (String, bool) {
    let output = Command::new(env!("CARGO_BIN_EXE_tingjian"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["check", "--rules", "rules", "--format", "jsonl", "--all-states"])
        .arg(path)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}: {errors}", path.display());
    let lines = String::from_utf8(output.stdout).unwrap().lines().map(without_version).collect::<Vec<_>>().concat();
    (lines, output.status.code() == Some(1))
}

/// The line, with its end, without `rules_version`.
fn without_version(line: &str) -> String {
    let start = line.find(VERSION).unwrap_or_else(|| panic!("no version of the rules in {line}"));
    let value = start + VERSION.len();
    let end = value + line[value..].find("\",").unwrap() + "\",".len();
    format!("{}{}\n", &line[..start], &line[end..])
}

#[test]
fn alerts_of_the_recorded_calls_are_the_reviewed_ones() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut wrong = Vec::new();
    for path in recordings() {
        let companion = path.with_extension("expected.jsonl");
        let (actual, _) = check(&path);
        if update {
            fs::write(&companion, &actual).unwrap();
            continue;
        }
        let expected = fs::read_to_string(&companion).unwrap_or_default();
        if actual != expected {
            for line in expected.lines().filter(|line| !actual.lines().any(|other| other == *line)) {
                eprintln!("- {line}");
            }
            for line in actual.lines().filter(|line| !expected.lines().any(|other| other == *line)) {
                eprintln!("+ {line}");
            }
            wrong.push(path.file_name().unwrap().to_owned());
        }
    }
    assert!(
        wrong.is_empty(),
        "{wrong:?} differ (- expected, + actual, else the order); if the new alerts are right, \
         run UPDATE_EXPECTED=1 cargo test --test commands fixtures and review the difference"
    );
}

#[test]
fn a_perfect_call_has_no_alert_at_all() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/calls/order-query.jsonl");
    assert_eq!(check(&path), (String::new(), false));
}

#[test]
fn words_withdrawn_by_the_final_are_no_violation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/calls/outbound-visit.jsonl");
    let (alerts, violations) = check(&path);
    let states = |state: &str| alerts.matches(&format!("\"state\":\"{state}\"")).count();
    assert_eq!((states("provisional"), states("retracted"), states("confirmed")), (1, 1, 0));
    assert!(!violations);
}

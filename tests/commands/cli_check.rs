//! `tingjian check` as a user runs it: exit codes, broken lines, standard
//! input, a closed pipe.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const CLEAN: &str = r#"{"type":"call.start","call_id":"c1","agent_id":"a7","started_at":"2026-11-21T10:00:00+08:00","packs":[]}
{"type":"call.hold","call_id":"c1","at_ms":1000}
{"type":"call.resume","call_id":"c1","at_ms":2000}
{"type":"call.end","call_id":"c1","at_ms":3000,"by":"customer"}
"#;

fn tingjian() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tingjian"))
}

/// Runs `check` with `arguments`, `input` on its standard input.
fn check(arguments: &[&str], input: &str) -> Output {
    let mut child = tingjian()
        .arg("check")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program may leave before it has read all: then the pipe is closed.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn temporary(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_clean_call_is_exit_0_and_prints_nothing_as_jsonl() {
    let output = check(&["--format", "jsonl", "-"], CLEAN);
    assert_eq!((output.status.code(), output.stdout.len(), stderr(&output)), (Some(0), 0, String::new()));
}

#[test]
fn an_empty_recording_is_no_clean_one() {
    for input in ["", "\n \n", "\u{feff}\n"] {
        let output = check(&["-"], input);
        assert_eq!(output.status.code(), Some(2), "{input:?}");
        assert!(stderr(&output).contains("<stdin>:1: 是空的"), "{}", stderr(&output));
    }
    let path = temporary("empty.jsonl", "");
    let recording = format!("{}/fixtures/calls/order-query.jsonl", env!("CARGO_MANIFEST_DIR"));
    assert_eq!(check(&[&recording, path.to_str().unwrap()], "").status.code(), Some(2));
    for command in [
        &["backtest", "--rules", "rules"][..],
        &["eval"],
        &["rules", "explain", "--rule", "hold.thank-after", "--call"],
    ] {
        let output = tingjian().args(command).arg(&path).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{command:?}: {output:?}");
    }
}

#[test]
fn a_pack_that_is_not_there_is_told_and_the_others_apply() {
    let said = r#"{"type":"utterance","call_id":"c1","utterance_id":"u1","role":"agent","text":"我不知道","start_ms":5000,"end_ms":6000,"final":true}"#;
    let with = |packs: &str| {
        CLEAN.replacen("[]", packs, 1).replacen(
            "{\"type\":\"call.hold\"",
            &format!("{said}\n{{\"type\":\"call.hold\""),
            1,
        )
    };
    let told = |packs: &str| {
        let output = check(&["--format", "jsonl", "--held", "-"], &with(packs));
        (String::from_utf8(output.stdout.clone()).unwrap().contains("\"forbidden\""), stderr(&output))
    };
    let (alerted, remark) = told(r#"["forbiden"]"#);
    assert!(alerted && remark.contains("forbiden") && remark.contains("是不是 forbidden？"), "{remark}");
    assert_eq!(told(r#"["forbidden"]"#), (true, String::new()));
    assert_eq!(told(r#"["timing"]"#), (false, String::new()));
}

#[test]
fn broken_lines_are_told_by_number_and_the_rest_is_checked() {
    let text = format!(
        "\u{feff}{CLEAN}not json\n\n{}\n{}\n",
        r#"{"type":"call.hold","call_id":"c9","at_ms":5}"#, r#"{"type":"call.hold","call_id":"c1"}"#
    );
    let path = temporary("broken.jsonl", &text);
    let output = check(&[path.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(2));
    let told = stderr(&output);
    let places: Vec<&str> = told.lines().filter_map(|line| line.split("broken.jsonl:").nth(1)).collect();
    assert_eq!(places.len(), 3, "{told}");
    assert!(places[0].starts_with("5: "), "{told}");
    assert!(places[1].starts_with("7: ") && places[1].contains("c9"), "{told}");
    assert!(places[2].starts_with("8: ") && places[2].contains("at_ms"), "{told}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("1 通通话"));
}

#[test]
fn a_missing_file_or_rules_directory_is_exit_2() {
    assert_eq!(check(&["no-such-file.jsonl"], "").status.code(), Some(2));
    assert_eq!(check(&["--rules", "no-such-directory", "-"], CLEAN).status.code(), Some(2));
}

#[test]
fn the_text_is_not_coloured_in_a_pipe() {
    let output = check(&["--all-states", "-"], CLEAN);
    assert!(!output.stdout.contains(&0x1b));
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let mut child = tingjian()
        .args(["check", "--format", "text", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The reader is gone before the first line is printed.
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(CLEAN.as_bytes()).unwrap();
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!((child.wait().unwrap().code(), told.as_str()), (Some(0), ""));
}

#[test]
fn fixtures_have_no_broken_lines() {
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/calls");
    for entry in std::fs::read_dir(fixtures).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".jsonl") && !name.ends_with(".expected.jsonl") {
            let output = check(&[path.to_str().unwrap()], "");
            assert_eq!(stderr(&output), "", "{name}");
            assert_ne!(output.status.code(), Some(2), "{name}");
        }
    }
}

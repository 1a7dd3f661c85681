//! `tingjian eval` as a user runs it, on data of its own.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

fn eval(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tingjian"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("eval").args(["--rules", "tests/eval"]).args(arguments);
    command.output().unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = eval(&[arguments, &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn turns_are_counted_against_their_labels() {
    let turns = &json(&["tests/eval/data.jsonl"])["turns"];
    let figure = |name: &str| turns[name].as_f64().unwrap();
    assert_eq!((figure("total"), figure("borderline"), figure("borderline_alerted")), (6.0, 1.0, 1.0));
    assert_eq!((figure("true_positives"), figure("false_positives")), (1.0, 1.0));
    assert_eq!((figure("false_negatives"), figure("true_negatives")), (1.0, 2.0));
    assert_eq!((figure("precision"), figure("recall")), (0.5, 0.5));
    let errors = turns["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 2);
    assert_eq!(errors[0]["at"], "tests/eval/data.jsonl:2");
    assert_eq!(errors[0]["fired"], Value::Array(Vec::new()));
    assert_eq!(errors[1]["fired"][0]["rule"], "eval.shrug");
    assert_eq!(errors[1]["fired"][0]["phrases"][0], "懒得管");
}

#[test]
fn calls_from_clauses_are_counted_by_clause_and_place() {
    let calls = &json(&["tests/eval/data.jsonl"])["calls"];
    let expected = serde_json::json!({
        "violating": 2, "found_by_clause": 0, "found_at_place": 1, "compliant": 2, "told_falsely": 0, "told_anything": 2,
    });
    assert_eq!(calls["by_clause"]["S1.41"], expected);
    // The rules name no clause: both violating calls are misses, one of them told at its place. Nobody says 您好.
    let errors = calls["errors"].as_array().unwrap();
    let kinds: Vec<&str> = errors.iter().map(|error| error["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["violating", "violating", "compliant", "compliant"]);
    assert_eq!(errors[0]["fired"][1]["rule"], "eval.shrug");
    let broken = r#"{"clause": "S1.41", "kind": "violating", "events": [{"type": "call.hold"}]}"#;
    let path = std::env::temp_dir().join(format!("tingjian-eval-{}.jsonl", std::process::id()));
    std::fs::write(&path, broken).unwrap();
    let output = eval(&[path.to_str().unwrap()]);
    std::fs::remove_file(&path).unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && told.contains(":1: events[1]:"), "{told}");
}

#[test]
fn words_are_told_from_accidents() {
    let words = &json(&["tests/eval/data.jsonl"])["words"];
    assert_eq!((&words["precision"], &words["recall"]), (&Value::from(1.0), &Value::from(1.0)));
}

#[test]
fn every_alert_of_a_clean_dialogue_is_false() {
    let dialogues = &json(&["tests/eval/data.jsonl"])["dialogues"];
    assert_eq!((&dialogues["agent_turns"], &dialogues["alerts"]), (&Value::from(3), &Value::from(1)));
    assert_eq!(dialogues["by_kind"]["missing"], 1);
    assert_eq!(dialogues["alerts_per_1000_agent_turns"].as_f64().unwrap().round(), 333.0);
    assert_eq!(dialogues["errors"][0]["at"], "tests/eval/data.jsonl:11");
    assert_eq!(dialogues["errors"][0]["fired"]["rule"], "eval.late");
}

/// One pair is heard right, the other with 道 for 到: what only sounds alike is found again by sound.
#[test]
fn homophones_are_measured_by_length() {
    let pairs = &json(&["tests/eval/data.jsonl"])["pairs"];
    let rows = pairs["rows"].as_array().unwrap();
    let chars: Vec<_> = rows.iter().map(|row| row["chars"].as_str().unwrap()).collect();
    assert_eq!(chars, ["2", "3", "4", "5-8"]);
    for row in rows {
        let found = |level: &str| row[level]["found"].as_u64().unwrap();
        assert_eq!(found("toneless"), row["phrases"].as_u64().unwrap());
        assert!(found("literal") <= found("toneless"));
    }
    // Of eight characters there is one piece, and the slip is in it.
    assert!(rows[3]["literal"]["found"].as_u64() < rows[3]["toneless"]["found"].as_u64());
    assert_eq!(rows[0]["merged"], Value::Null);
}

#[test]
fn the_text_lists_every_error() {
    let output = eval(&["tests/eval/data.jsonl"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "准确率 0.500  召回率 0.500",
        "漏报 tests/eval/data.jsonl:2：",
        "eval.shrug「懒得管」",
        "每千轮 333.33 条",
        "同音匹配：2 对",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn lines_that_are_no_data_are_told_and_the_rest_is_measured() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("eval-broken.jsonl");
    let lines = "{\"text\": \"懒得管\", \"is_violation\": \"yes\"}\nno json\n{\"text\": \"好\"}\n{\"text\": \"好\", \"is_violation\": \"maybe\"}\n{\"text\": \"甲\", \"word\": \"我是{\", \"is_real_occurrence\": true}\n";
    std::fs::write(&path, lines).unwrap();
    let output = eval(&[path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let faults = String::from_utf8(output.stderr).unwrap();
    for line in 2..=5 {
        assert!(faults.contains(&format!("eval-broken.jsonl:{line}: ")), "{faults}");
    }
    assert!(String::from_utf8(output.stdout).unwrap().contains("召回率 1.000"));
}

#[test]
fn an_unknown_pack_is_refused() {
    let output = eval(&["tests/eval/data.jsonl", "--pack", "nobody"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("没有规则包 nobody"));
}

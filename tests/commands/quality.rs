//! The packs as they are, on turns, words and calls that were written and
//! labelled for them (`tests/eval`): what they find, what they spare, and that
//! no words are told twice.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

fn run(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tingjian"));
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn lines(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/eval").join(name);
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn labelled_turns_and_words() {
    let words = "tests/eval/words.jsonl";
    let measure = |channel: &str| -> Value {
        let arguments = ["eval", "tests/eval/turns.jsonl", words, "--channel", channel, "--format", "json"];
        serde_json::from_str(&run(&arguments)).unwrap()
    };
    let (voice, chat) = (measure("voice"), measure("chat"));
    let at_least = |measured: &Value, what: &str, figure: &str, least: f64| {
        let value = measured[what][figure].as_f64().unwrap();
        assert!(value >= least, "{figure} of {what} is {value}: {:#}", measured[what]["errors"]);
    };
    at_least(&voice, "turns", "precision", 0.98);
    at_least(&voice, "turns", "recall", 0.91);
    at_least(&chat, "turns", "precision", 0.98);
    at_least(&chat, "turns", "recall", 0.88);
    at_least(&voice, "words", "precision", 0.88);
    at_least(&voice, "words", "recall", 0.96);
}

#[test]
fn calls_written_from_the_clauses() {
    let measured: Value =
        serde_json::from_str(&run(&["eval", "tests/eval/clauses.jsonl", "--format", "json"])).unwrap();
    let count = |name: &str| measured["calls"][name].as_f64().unwrap();
    let (found, told, anything) = (
        count("found_by_clause") / count("violating"),
        count("told_falsely") / count("compliant"),
        count("told_anything") / count("compliant"),
    );
    assert!(found >= 0.84 && told <= 0.02 && anything <= 0.02, "{found} {told} {anything}");
}

/// The alerts of calls whose turns follow one another with a pause.
fn alerts(name: &str, calls: &[Value]) -> Vec<Value> {
    let mut events = String::new();
    for (number, call) in calls.iter().enumerate() {
        let mut at = call["starts_ms"].as_i64().unwrap();
        let call_id = number.to_string();
        let mut say = |event: Value| events.push_str(&format!("{event}\n"));
        say(json!({"type": "call.start", "call_id": call_id, "seq": 1, "agent_id": "a", "channel": "voice",
            "direction": call["direction"], "started_at": "2026-11-21T10:00:00+08:00"}));
        let turns = call["turns"].as_array().unwrap();
        for (turn_number, turn) in turns.iter().enumerate() {
            let length = 250 * i64::try_from(turn["text"].as_str().unwrap().chars().count()).unwrap();
            say(json!({"type": "utterance", "call_id": call_id, "seq": turn_number + 2,
                "utterance_id": turn_number.to_string(), "role": turn["role"], "text": turn["text"],
                "start_ms": at, "end_ms": at + length, "final": true}));
            at += length + 600;
        }
        say(json!({"type": "call.end", "call_id": call_id, "seq": turns.len() + 2, "at_ms": at,
            "ended_by": call["ended_by"]}));
    }
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, events).unwrap();
    let output = run(&["check", path.to_str().unwrap(), "--format", "jsonl"]);
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Greetings clipped or said by the machine, recordings cut before the farewell, wrong numbers.
#[test]
fn nothing_is_missing_in_decent_calls_however_they_were_recorded() {
    let calls = lines("calls.jsonl");
    let mut recordings = Vec::new();
    for call in &calls {
        let turns = call["turns"].as_array().unwrap();
        for (first, cut) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2)] {
            let mut recording = call.clone();
            recording["turns"] = turns[first..turns.len() - cut].into();
            if cut > 0 {
                recording["ended_by"] = "system".into();
            }
            recordings.push(recording);
        }
    }
    let alerts = alerts("quality-calls.jsonl", &recordings);
    let told = alerts.iter().filter(|line| line["type"] == "alert").collect::<Vec<_>>();
    assert!(told.is_empty(), "{told:#?}");
}

#[test]
fn no_words_are_told_twice() {
    let turn = |role: &str, text: &Value| json!({"role": role, "text": text});
    let calls: Vec<Value> = lines("turns.jsonl")
        .iter()
        .map(|line| {
            let turns = [turn("customer", &line["prev_turn"]), turn("agent", &line["text"])];
            json!({"starts_ms": 120_000, "direction": "inbound", "ended_by": "customer", "turns": turns})
        })
        .collect();
    let mut told: BTreeMap<String, Vec<(u64, u64, String)>> = BTreeMap::new();
    for alert in alerts("quality-turns.jsonl", &calls) {
        if alert["kind"] == "forbidden" {
            for words in alert["evidence"].as_array().unwrap() {
                let span = (words["start"].as_u64().unwrap(), words["end"].as_u64().unwrap());
                let place = format!("{} {}", alert["call_id"], words["text"]);
                told.entry(place).or_default().push((span.0, span.1, alert["rule_id"].to_string()));
            }
        }
    }
    assert!(told.len() > 200, "{} turns were told", told.len());
    for (place, mut spans) in told {
        spans.sort();
        for pair in spans.windows(2) {
            // One sentence may be two faults by what it does; a phrase is one.
            let acts = pair.iter().all(|(.., rule)| rule.starts_with("\"acts."));
            assert!(acts || pair[0].1 <= pair[1].0, "{place}: {pair:?}");
        }
    }
}

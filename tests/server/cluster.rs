//! The store in PostgreSQL, and on its way there.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Database, PATIENCE, Process, request};

/// Calls close soon, yet long after all of them was sent.
const CONFIG: &str = "call_linger_ms = 1000\ncall_idle_ms = 2000\n";
/// What the departments ask, each with an answer that is the same at any time.
const QUESTIONS: [&str; 14] = [
    "/v1/alerts?limit=500",
    "/v1/alerts?severity=critical,warning&review=unreviewed",
    "/v1/calls?limit=500",
    "/v1/calls/hold-transfer",
    "/v1/statistics?from=2026-11-01&to=2026-12-01&group=rule,hour",
    "/v1/statistics?from=2026-11-01&to=2026-12-01&group=agent,day",
    "/v1/overview?from=2026-11-01&to=2026-12-01&by=queue",
    "/v1/scores?from=2026-11-01&to=2026-12-01",
    "/v1/quality?from=2026-11-01&to=2026-12-01",
    SEARCH,
    "/v1/flags",
    "/v1/export?format=jsonl",
    "/v1/export/calls?format=csv",
    "/v1/export/reviews?format=jsonl",
];
const SEARCH: &str = "/v1/search?phrase=%E4%B8%8D%E7%9F%A5%E9%81%93";

fn tingjian(directory: &Path, database: &Database, arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tingjian"));
    command.args(arguments).current_dir(directory).env("TINGJIAN_CLUSTER__POSTGRES", &database.address);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    output.stdout
}

fn serve(directory: &Path, data: &str, database: Option<&Database>) -> Process {
    let mut command = Process::serve();
    command.args(["--config", "config.toml", "--data", data]).current_dir(directory);
    if let Some(database) = database {
        command.env("TINGJIAN_CLUSTER__POSTGRES", &database.address);
    }
    Process::start(&mut command)
}

async fn ask(server: &Process, method: &str, target: &str, body: &Value) -> Value {
    let (status, answer) = request(server.address, method, target, &body.to_string()).await;
    assert!((200..300).contains(&status), "{target}: {answer}");
    serde_json::from_str(&answer).unwrap()
}

/// Calls, alerts, steps of reviews, marks and flags.
async fn write(server: &mut Process) {
    for path in glob::glob(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/calls/*.jsonl")).unwrap() {
        let path = path.unwrap();
        if !path.to_string_lossy().ends_with(".expected.jsonl") {
            let events = std::fs::read_to_string(path).unwrap();
            assert_eq!(request(server.address, "POST", "/v1/events", &events).await.0, 200);
        }
    }
    let closing = async { while ask(server, "GET", "/v1/calls?live=true", &json!({})).await["calls"] != json!([]) {} };
    tokio::time::timeout(PATIENCE, closing).await.expect("the calls are closed");
    let alerts = ask(server, "GET", "/v1/alerts?state=confirmed&limit=2", &json!({})).await;
    for (alert, action) in alerts["alerts"].as_array().unwrap().iter().zip(["confirm", "dismiss"]) {
        let target = format!("/v1/alerts/{}/reviews", alert["alert_id"].as_str().unwrap());
        ask(server, "POST", &target, &json!({"action": action, "reason": "听过录音", "by": "李静"})).await;
    }
    ask(server, "POST", "/v1/calls/hold-transfer/flags", &json!({"note": "请复核", "by": "李静"})).await;
    server.terminate();
    assert!(server.wait().success());
}

#[tokio::test]
async fn a_moved_store_answers_and_exports_the_same_to_the_byte() {
    let directory = TempDir::new().unwrap();
    let directory = directory.path();
    let Some(database) = Database::new("moved").await else { return };
    std::fs::write(directory.join("config.toml"), CONFIG).unwrap();
    write(&mut serve(directory, "data", None)).await;
    let there = tingjian(directory, &database, &["migrate", "--to", "postgres", "--data", "data"]);
    let back = tingjian(directory, &database, &["migrate", "--to", "sqlite", "--data", "back"]);
    assert_eq!(String::from_utf8(back).unwrap(), String::from_utf8(there).unwrap());
    for format in ["xlsx", "parquet"] {
        let export = ["export", "--format", format, "--output", "-", "--data"];
        let of_database = tingjian(directory, &database, &[&export[..], &["none"]].concat());
        let mut of_file = Command::new(env!("CARGO_BIN_EXE_tingjian"));
        let of_file = of_file.args(export).arg("back").current_dir(directory).output().unwrap();
        assert!(of_file.status.success() && of_file.stdout == of_database, "{format}");
    }
    let (of_file, of_database) = (serve(directory, "back", None), serve(directory, "none", Some(&database)));
    for server in [&of_file, &of_database] {
        let indexing = async { while ask(server, "GET", SEARCH, &json!({})).await["waiting"] != 0 {} };
        tokio::time::timeout(PATIENCE, indexing).await.expect("the words are indexed");
    }
    for question in QUESTIONS {
        let (status, expected) = of_file.get(question).await;
        assert_eq!((status, expected.len() > 60), (200, true), "{question}: {expected}");
        assert_eq!(of_database.get(question).await, (status, expected), "{question}");
    }
}

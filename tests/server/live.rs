//! The real binary: what it says live is what `check` says of the recording,
//! and the demo plays to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Process, Socket, next_or_end};
use futures_util::SinkExt as _;
use serde_json::Value;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;

/// A server whose calls close soon, and its data.
fn start() -> (Process, TempDir) {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("live.toml"), "call_linger_ms = 50\ncall_idle_ms = 3000\n").unwrap();
    let mut command = Process::serve();
    command.args(["--config", "live.toml", "--data", "data"]).current_dir(directory.path());
    (Process::start(&mut command), directory)
}

/// All that comes over these sockets until the server closes them.
async fn until_closed(sockets: &mut [Socket]) -> Vec<Value> {
    let mut messages = Vec::new();
    for socket in sockets {
        while let Some(message) = next_or_end(socket).await {
            messages.push(message);
        }
    }
    messages
}

/// Alerts that stand, by id, without what only a live alert has.
fn standing(alerts: &[Value]) -> BTreeMap<String, Value> {
    let mut standing = BTreeMap::new();
    for alert in alerts.iter().filter(|message| message["type"] == "alert") {
        let mut alert = alert.clone();
        let id = alert["alert_id"].as_str().unwrap().to_owned();
        let fields = alert.as_object_mut().unwrap();
        fields.remove("cursor");
        fields.remove("emitted_at");
        if alert["state"] == "confirmed" {
            standing.insert(id, alert);
        } else {
            standing.remove(&id);
        }
    }
    standing
}

fn check(recording: &Path) -> BTreeMap<String, Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_tingjian"))
        .args(["check", "--format", "jsonl"])
        .arg(recording)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let alerts: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    standing(&alerts)
}

fn recordings() -> Vec<PathBuf> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/calls");
    let mut recordings: Vec<PathBuf> = std::fs::read_dir(fixtures)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.ends_with(".jsonl") && !name.ends_with(".expected.jsonl")
        })
        .collect();
    recordings.sort();
    assert!(!recordings.is_empty());
    recordings
}

#[test]
fn the_demo_plays_to_its_end_from_any_directory() {
    let directory = TempDir::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tingjian"))
        .args(["demo", "--once", "--speed", "1000", "--listen", "127.0.0.1:0"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.starts_with("listening on http://127.0.0.1:"), "{text}");
    assert!(text.contains("坐席："), "{text}");
}

/// The demo keeps its calls to itself, closes them, dates them to the last days, and sums up.
#[tokio::test]
async fn a_demo_leaves_nothing_that_a_server_takes_for_its_own() {
    let directory = TempDir::new().unwrap();
    let demo = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tingjian"))
            .args(["demo", "--once", "--speed", "1000", "--listen", "127.0.0.1:0"])
            .args(more)
            .current_dir(directory.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let text = demo(&[]);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is left behind");
    assert!(text.contains("播放了 12 通通话：确认") && text.contains("12 calls played:"), "{text}");
    // An alert stands behind the line that it rests on.
    let mut said = String::new();
    for line in text.lines() {
        if let Some(words) = line.strip_prefix("    坐席：").or_else(|| line.strip_prefix("    客户：")) {
            let words = words.trim_matches('…');
            assert!(said.contains(words), "{words} is not said before:\n{text}");
        }
        said.push_str(line.split_once('：').map_or("", |(_, words)| words));
        said.push('\n');
    }

    demo(&["--data", "kept"]);
    let mut command = Process::serve();
    command.args(["--data", "kept"]).current_dir(directory.path());
    let server = Process::start(&mut command);
    let get = async |target: &str| -> Value {
        let (status, body) = crate::harness::request(server.address, "GET", target, "").await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    };
    assert_eq!(get("/v1/calls?live=true").await["calls"], serde_json::json!([]));
    let calls = get("/v1/calls?limit=1000").await["calls"].clone();
    let offset = chrono::FixedOffset::east_opt(8 * 3_600).unwrap();
    let today = tingjian::server::wall_now(offset).date_naive();
    for call in calls.as_array().unwrap() {
        let started: chrono::DateTime<chrono::FixedOffset> = call["started_at"].as_str().unwrap().parse().unwrap();
        let age = today - started.with_timezone(&offset).date_naive();
        assert!((1..7).contains(&age.num_days()), "{call}");
    }
    assert!(calls.as_array().unwrap().len() >= 12, "{calls}");
}

#[tokio::test]
async fn live_alerts_are_those_of_check() {
    for recording in recordings() {
        let name = recording.display();
        let text = std::fs::read_to_string(&recording).unwrap();
        let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let ids = |field: &str| -> BTreeSet<String> {
            events.iter().filter_map(|event| event[field].as_str()).map(str::to_owned).collect()
        };
        let (mut server, _data) = start();
        let mut live = Vec::new();
        for agent_id in ids("agent_id") {
            live.push(server.connect(&format!("/v1/agents/{agent_id}/alerts")).await);
        }
        let mut producer = server.connect("/v1/ingest").await;
        let mut watchers = Vec::new();
        for event in &events {
            producer.send(Message::text(event.to_string())).await.unwrap();
            if event["type"] == "call.start" {
                // Earlier events may be acknowledged first.
                while next_or_end(&mut producer).await.unwrap()["call_id"] != event["call_id"] {}
                let call_id = event["call_id"].as_str().unwrap();
                watchers.push(server.connect(&format!("/v1/calls/{call_id}/watch")).await);
            }
        }
        // The server closes a watcher with its call, which has all its verdicts then.
        for watcher in &mut watchers {
            while next_or_end(watcher).await.is_some() {}
        }
        let mut late = Vec::new();
        for agent_id in ids("agent_id") {
            late.push(server.connect(&format!("/v1/agents/{agent_id}/alerts?after=0")).await);
        }
        server.terminate();
        let live = until_closed(&mut live).await;
        assert_eq!(standing(&live), check(&recording), "{name}");
        assert_eq!(until_closed(&mut late).await, live, "{name}");
        assert!(server.wait().success());
    }
}

//! `POST /v1/rules/learn`: a model out of the store's reviews, while calls go on.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Process, Server, request, rules};

const RULES: &str = "\
pack: p
title: 测试
lists: { acts: [{ act: promise-to-check }] }
rules:
  - { id: p.dont-know, name: 推诿, message: 推诿, confidence: 0, forbid: { any: [我不知道], unless: [{ turn: [$acts] }] } }
";

fn call(id: &str) -> String {
    let start =
        json!({"type": "call.start", "call_id": id, "agent_id": "a7", "started_at": "2026-11-21T10:00:00+08:00"});
    let said = json!({"type": "utterance", "call_id": id, "utterance_id": "u1", "role": "agent", "text": "这个我不知道",
        "start_ms": 5000, "end_ms": 6000, "final": true});
    let end = json!({"type": "call.end", "call_id": id, "at_ms": 9000, "by": "customer"});
    [start, said, end].map(|event| format!("{event}\n")).concat()
}

struct Site {
    server: Process,
    directory: tempfile::TempDir,
}

impl Site {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let rules = directory.path().join("rules");
        fs::create_dir(&rules).unwrap();
        fs::write(rules.join("p.yaml"), RULES).unwrap();
        let mut command = Process::serve();
        command.current_dir(directory.path()).args(["--rules", "rules", "--data", "data"]);
        Self { server: Process::start(&mut command), directory }
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let (status, answer) = request(self.server.address, method, path, body).await;
        (status, serde_json::from_str(&answer).unwrap_or(Value::Null))
    }

    async fn learn(&self, body: &Value) -> (u16, Value) {
        self.ask("POST", "/v1/rules/learn", &body.to_string()).await
    }
}

#[tokio::test]
async fn a_model_is_learned_from_reviews_loaded_and_taken_back() {
    let site = Site::start();
    site.ask("POST", "/v1/events", &call("c1")).await;
    let (status, answer) = site.learn(&json!({})).await;
    assert_eq!((status, answer["code"].as_str()), (422, Some("nothing_to_learn")), "{answer}");
    for (body, status, field) in [
        (json!({"dry_run": "yes"}), 400, Some("dry_run")),
        (json!({"dryrun": true}), 400, Some("dryrun")),
        (json!({"restore": "x", "force": true}), 400, Some("force")),
        (json!({"from": "yesterday"}), 400, Some("from")),
        (json!({"restore": "no-such-version"}), 404, None),
    ] {
        let (found, answer) = site.learn(&body).await;
        assert_eq!((found, answer["field"].as_str()), (status, field), "{body}: {answer}");
    }
    let (_, alerts) = site.ask("GET", "/v1/alerts?call_id=c1", "").await;
    let alert = alerts["alerts"][0]["alert_id"].as_str().unwrap_or_else(|| panic!("{alerts}"));
    let review = json!({"action": "confirm", "by": "李静"}).to_string();
    assert_eq!(site.ask("POST", &format!("/v1/alerts/{alert}/reviews"), &review).await.0, 201);
    let (_, before) = site.ask("GET", "/v1/rules", "").await;

    // One at a time, and calls go on meanwhile.
    let body = json!({"force": true});
    let both = async { tokio::join!(site.learn(&body), site.learn(&body)) };
    let meanwhile = async {
        site.ask("POST", "/v1/events", &call("c2")).await;
        site.ask("GET", "/v1/alerts?call_id=c2", "").await.1["alerts"].as_array().map(Vec::len)
    };
    let ((one, two), told) = tokio::join!(both, meanwhile);
    assert_eq!(told, Some(1));
    let (learned, refused) = if one.0 == 409 { (two, one) } else { (one, two) };
    assert_eq!((refused.0, refused.1["code"].as_str()), (409, Some("learning_running")), "{refused:?}");
    let (status, learned) = learned;
    assert_eq!((status, &learned["loaded"], &learned["turns"]), (200, &json!(true), &json!(1)), "{learned}");
    assert_eq!(learned["previous"], before["version"]);
    let written = fs::read_to_string(site.directory.path().join("rules/confidence.model")).unwrap();
    let head = written.lines().next().unwrap();
    assert!(head.starts_with("tingjian acts 3 ") && head.ends_with(learned["model"].as_str().unwrap()), "{learned}");
    let (_, now) = site.ask("GET", "/v1/rules", "").await;
    assert_eq!((&now["version"], &now["last_reload"]["trigger"]), (&learned["version"], &json!("learn")), "{now}");

    // The model of the version before is back, now as a file of this directory.
    let (status, restored) = site.learn(&json!({"restore": before["version"]})).await;
    assert_eq!((status, &restored["previous"]), (200, &learned["version"]), "{restored}");
    assert_ne!(restored["model"], learned["model"]);
    let back = fs::read_to_string(site.directory.path().join("rules/confidence.model")).unwrap();
    assert!(back.lines().next().unwrap().ends_with(restored["model"].as_str().unwrap()), "{restored}");
    let (_, versions) = site.ask("GET", "/v1/rules/versions", "").await;
    assert_eq!(versions["versions"].as_array().map(Vec::len), Some(3), "{versions}");
    let (_, audit) = site.ask("GET", "/v1/audit?action=reload", "").await;
    assert_eq!(audit["entries"].as_array().map(Vec::len), Some(2), "{audit}");
}

#[tokio::test]
async fn rules_that_are_in_no_directory_take_no_model() {
    let server = Server::with_rules("", rules()).await;
    let (status, answer) = server.request("POST", "/v1/rules/learn", "").await;
    assert_eq!((status, answer["code"].as_str()), (409, Some("rules_fixed")), "{answer}");
    let (status, answer) = server.request("POST", "/v1/rules/learn", "{\"dry_run\":true}").await;
    assert_eq!((status, answer["code"].as_str()), (422, Some("nothing_to_learn")), "{answer}");
    server.stop().await;
}

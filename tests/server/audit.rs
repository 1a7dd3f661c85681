//! The audit: who somebody is, and who did what is told, in a chain that shows every change; and
//! which rules were in use when.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::harness::{Server, load, request_as, says, start, tell};
use rusqlite::Connection;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tingjian::server::{Config, Rulebook, Verified, verify_audit};

const LI: &str = "lijing-0123456789";
const WANG: &str = "wangfang-0123456789";
const ADMIN: &str = "admin-0123456789";
const INGEST: &str = "ingest-0123456789";
const A7: &str = "agent-a7-0123456789";

fn config() -> String {
    format!(
        "[tokens]\ningest = [\"{INGEST}\"]\nqa = {{ \"李静\" = \"{LI}\", \"王芳\" = \"{WANG}\" }}\nadmin = [\"{ADMIN}\"]\n\
         [tokens.agents]\na7 = [\"{A7}\"]\n"
    )
}

async fn ask(server: &Server, token: &str, method: &str, target: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (status, body) = request_as(server.address, Some(token), method, target, &body).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

async fn entries(server: &Server, query: &str) -> Vec<Value> {
    let (status, page) = ask(server, LI, "GET", &format!("/v1/audit?{query}"), &Value::Null).await;
    assert_eq!(status, 200, "{page}");
    page["entries"].as_array().unwrap().clone()
}

/// A server on which one alert went all the way and another was exported.
async fn site() -> Server {
    let server = Server::start(&config()).await;
    let mut producer = server.connect(&format!("/v1/ingest?token={INGEST}")).await;
    tell(&mut producer, start("c1")).await;
    tell(&mut producer, says("c1", 2, "不知道")).await;
    tell(&mut producer, says("c1", 3, "不清楚")).await;
    let alerts = ask(&server, LI, "GET", "/v1/alerts", &Value::Null).await.1["alerts"].clone();
    let review = |number: usize| format!("/v1/alerts/{}/reviews", alerts[number]["alert_id"].as_str().unwrap());
    let appeal = json!({"type": "appeal", "alert_id": alerts[1]["alert_id"], "reason": "客户问的是别家"});
    for (token, target, body) in [
        (LI, review(1).as_str(), json!({"action": "confirm", "reason": "说了"})),
        (A7, "/v1/agents/a7/alerts", appeal),
        (WANG, &review(1), json!({"action": "grant", "reason": "确实"})),
        (ADMIN, &review(0), json!({"action": "dismiss", "reason": "误报"})),
    ] {
        let (status, answer) = ask(&server, token, "POST", target, &body).await;
        assert!(matches!(status, 200 | 201), "{target}: {answer}");
    }
    let (status, _) = request_as(server.address, Some(ADMIN), "GET", "/v1/export?call_id=13800138000", "").await;
    assert_eq!(status, 200);
    server
}

/// The hash of an entry as the documentation says that anybody may compute it.
fn hash(previous: &str, entry: &Value) -> String {
    let mut fields: BTreeMap<String, Value> = serde_json::from_value(entry.clone()).unwrap();
    fields.remove("hash");
    let text = format!("{previous}{}", serde_json::to_string(&fields).unwrap());
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn every_entry_says_who_did_what_and_follows_from_the_one_before() {
    let server = site().await;
    let mut told = entries(&server, "").await;
    told.reverse();
    let names: Vec<Value> =
        told.iter().map(|entry| json!([entry["no"], entry["by"], entry["role"], entry["action"]])).collect();
    // The first 6 digits of the token's SHA-256.
    let expected = json!([
        [1, "tingjian", "server", "start"],
        [2, "李静", "qa", "confirm"],
        [3, "a7", "agents", "appeal"],
        [4, "王芳", "qa", "grant"],
        [5, "admin-2e7be1", "admin", "dismiss"],
        [6, "admin-2e7be1", "admin", "export"],
    ]);
    assert_eq!(json!(names), expected);
    let mut previous = "0".repeat(64);
    for entry in &told {
        assert_eq!(entry["hash"], hash(&previous, entry), "{entry}");
        previous = entry["hash"].as_str().unwrap().to_owned();
    }
    assert_eq!(told[3]["detail"]["verdict"], "confirmed");
    assert_eq!(told[3]["detail"]["appeal"], "granted");
    let files = server.ask::<String>("SELECT files FROM rule_versions");
    let digest: String = Sha256::digest(files).iter().map(|byte| format!("{byte:02x}")).collect();
    let loaded = json!({"trigger": "start", "version": "v1", "previous": null, "ok": true, "files_sha256": digest});
    assert_eq!(told[0]["detail"], loaded);
    let export = json!({"format": "csv", "ok": true, "rows": 0, "query": {"call_id": "138****8000"}});
    assert_eq!(told[5]["detail"], export, "no personal data");
    let all = json!(told).to_string();
    assert!(!all.contains("误报") && !all.contains("别家"), "reasons stay with the reviews: {all}");

    assert_eq!(entries(&server, "action=grant,export").await.len(), 2);
    assert_eq!(entries(&server, "to=2020-01-01").await.len(), 0);
    let (_, page) = ask(&server, LI, "GET", "/v1/audit?limit=4", &Value::Null).await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = entries(&server, &format!("limit=4&cursor={cursor}")).await;
    assert_eq!(rest.iter().map(|entry| entry["no"].as_i64().unwrap()).collect::<Vec<_>>(), [2, 1]);
    for (token, target, status) in [
        (ADMIN, "/v1/audit", 200),
        (A7, "/v1/audit", 403),
        (LI, "/v1/audit?action=delete", 400),
        (LI, "/v1/audit?cursor=x", 400),
        (LI, "/v1/audit?agent_id=a7", 400),
    ] {
        assert_eq!(ask(&server, token, "GET", target, &Value::Null).await.0, status, "{target}");
    }
}

#[tokio::test]
async fn a_token_says_who_somebody_is() {
    let server = Server::start(&config()).await;
    for (token, expected) in [
        (LI, json!({"open": false, "roles": ["qa"], "name": "李静", "agents": []})),
        // The first 6 digits of the token's SHA-256.
        (ADMIN, json!({"open": false, "roles": ["admin"], "name": "admin-2e7be1", "agents": []})),
        (A7, json!({"open": false, "roles": ["agents"], "name": "a7", "agents": ["a7"]})),
        (INGEST, json!({"open": false, "roles": ["ingest"], "name": "ingest-614bcf", "agents": []})),
    ] {
        let (status, me) = ask(&server, token, "GET", "/v1/me", &Value::Null).await;
        assert_eq!((status, me), (200, expected));
    }
    assert_eq!(ask(&server, "unknown-0123456789", "GET", "/v1/me", &Value::Null).await.0, 401);
    let twice = format!("[tokens]\nqa = {{ \"李静\" = \"{LI}\" }}\nadmin = {{ \"王芳\" = \"{LI}\" }}\n");
    let config = tingjian::server::Config::from_toml(&twice).unwrap();
    let fault = tingjian::server::check(&config, server.address).unwrap_err();
    assert!(fault.contains("李静") && fault.contains("王芳") && !fault.contains(LI), "{fault}");
    for name in ["", " 李静", "李\\n静", &"长".repeat(65)] {
        let unnamed = format!("[tokens]\nqa = {{ \"{name}\" = \"{LI}\" }}\n");
        let fault = tingjian::server::Config::from_toml(&unnamed).unwrap_err().to_string();
        assert!(fault.contains("config.toml:2:") && fault.contains("64") && !fault.contains(LI), "{fault}");
    }
}

#[tokio::test]
async fn without_tokens_people_say_who_they_are() {
    let server = Server::start("").await;
    let me = json!({"open": true, "roles": ["ingest", "agents", "qa", "admin", "metrics"], "name": null, "agents": []});
    assert_eq!(server.request("GET", "/v1/me", "").await, (200, me));
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    tell(&mut producer, says("c1", 2, "不知道")).await;
    let alert = server.request("GET", "/v1/alerts", "").await.1["alerts"][0].clone();
    let target = format!("/v1/alerts/{}/reviews", alert["alert_id"].as_str().unwrap());
    let appeal = json!({"type": "appeal", "alert_id": alert["alert_id"], "reason": "客户先问的"}).to_string();
    for (target, body, status, code) in [
        (target.as_str(), json!({"action": "confirm"}).to_string(), 400, Some("unnamed")),
        (&target, json!({"action": "confirm", "by": " "}).to_string(), 400, Some("unnamed")),
        (&target, json!({"action": "confirm", "by": "李静"}).to_string(), 201, None),
        ("/v1/agents/a7/alerts", appeal, 200, None),
        (&target, json!({"action": "grant", "reason": "是", "by": "李静"}).to_string(), 409, Some("same_person")),
        (&target, json!({"action": "grant", "reason": "是", "by": "a7"}).to_string(), 409, Some("same_person")),
        (&target, json!({"action": "grant", "reason": "是", "by": "王芳"}).to_string(), 201, None),
    ] {
        let (was, answer) = server.request("POST", target, &body).await;
        assert_eq!((was, answer["code"].as_str()), (status, code), "{body}: {answer}");
    }
}

fn tingjian(arguments: &[&str], data: &Path) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_tingjian")).args(arguments).arg("--data").arg(data).output();
    output.unwrap()
}

#[tokio::test]
async fn the_command_line_reads_and_checks_beside_the_server() {
    let server = site().await;
    let data = server.data.path();
    let verified = tingjian(&["audit", "verify"], data);
    let text = String::from_utf8(verified.stdout).unwrap();
    assert_eq!(verified.status.code(), Some(0), "{text}");
    let head = text.lines().find_map(|line| line.strip_prefix("head ")).unwrap().to_owned();
    let last = entries(&server, "limit=1").await.remove(0);
    assert_eq!(head, format!("6:{}", last["hash"].as_str().unwrap()));
    assert_eq!(tingjian(&["audit", "verify", "--head", &head], data).status.code(), Some(0));
    let later = head.replacen("6:", "7:", 1);
    let cut = tingjian(&["audit", "verify", "--head", &later], data);
    assert_eq!(cut.status.code(), Some(1));
    assert!(String::from_utf8(cut.stdout).unwrap().contains("the tail was cut off"));
    for arguments in [&["audit", "verify", "--head", "6"][..], &["audit", "list", "--from", "x"]] {
        let refused = tingjian(arguments, data);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {refused:?}");
    }
    assert_eq!(tingjian(&["audit", "verify"], Path::new("nowhere")).status.code(), Some(2));
    let listed = tingjian(&["audit", "list", "--format", "jsonl", "--action", "confirm,export"], data);
    let lines: Vec<Value> =
        String::from_utf8(listed.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[1]), (2, &last), "as the server tells it");
    let listed = String::from_utf8(tingjian(&["audit", "list", "--limit", "2"], data).stdout).unwrap();
    assert!(listed.starts_with("5  ") && listed.contains("\n6  "), "{listed}");
}

/// Runs SQL on a copy of the data and checks it.
fn tampered(data: &TempDir, sql: &str, head: &str) -> Verified {
    let copy = TempDir::new().unwrap();
    for entry in std::fs::read_dir(data.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let store = Connection::open(copy.path().join("tingjian.db")).unwrap();
    store.execute_batch(sql).unwrap();
    drop(store);
    verify_audit(copy.path(), Some(head), &Config::default()).unwrap()
}

#[tokio::test]
async fn whatever_is_changed_is_found() {
    let server = site().await;
    let alert_id: String = server.ask("SELECT alert_id FROM reviews WHERE action = 'grant'");
    let data = server.stop().await;
    let whole = verify_audit(data.path(), None, &Config::default()).unwrap();
    assert_eq!((whole.entries, &whole.faults), (6, &Vec::new()));
    let head = whole.head.clone();
    let free = "DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_cut;";
    // What is done to the database, and all that is found.
    let cases: [(&str, &[&str]); 16] = [
        ("", &[]),
        ("UPDATE audit SET by = '王芳' WHERE no = 2", &["entry 2 was changed", "review 1 (alert"]),
        ("UPDATE audit SET at_ms = at_ms - 1 WHERE no = 1", &["entry 1 was changed"]),
        ("UPDATE audit SET detail = detail || ' ' WHERE no = 6", &[]),
        ("UPDATE audit SET detail = '{}' WHERE no = 6", &["entry 6 was changed"]),
        ("UPDATE audit SET detail = 'no json' WHERE no = 1", &["entry 1 was changed"]),
        (
            "UPDATE audit SET hash = upper(hash) WHERE no = 6",
            &["entry 6 was changed", "entry 6 is not what --head says"],
        ),
        ("DELETE FROM audit WHERE no = 1", &["entry 1 is missing"]),
        ("DELETE FROM audit WHERE no IN (2, 3)", &["entry 2–3 is missing", "review 1", "review 2"]),
        ("DELETE FROM audit WHERE no = 6", &["the tail was cut off: the last entry is 5, --head says 6"]),
        (
            "UPDATE audit SET no = -3 WHERE no = 3; UPDATE audit SET no = 3 WHERE no = 4; UPDATE audit SET no = 4 WHERE no = -3",
            &["entry 3 was changed", "entry 4 was changed", "entry 5 was changed", "review 2", "review 3"],
        ),
        ("UPDATE reviews SET reason = '没说' WHERE action = 'confirm'", &["review 1 (alert"]),
        (
            "UPDATE reviews SET action = 'reject' WHERE action = 'grant'",
            &["review 3 (alert", "does not stand where its steps lead"],
        ),
        ("UPDATE reviews SET at_ms = 1 WHERE review_no = 4", &["review 4 (alert"]),
        (
            "DELETE FROM reviews WHERE action = 'grant'",
            &["the review of entry 4", "does not stand where its steps lead"],
        ),
        ("UPDATE latest_alerts SET verdict = 'confirmed'", &["does not stand where its steps lead"]),
    ];
    for (sql, expected) in cases {
        let Verified { faults, more, .. } = tampered(&data, &format!("{free}{sql}"), &head);
        assert_eq!((faults.len(), more), (expected.len(), 0), "{sql}: {faults:#?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.contains(expected), "{sql}: {faults:#?}");
        }
    }
    // The one who writes a whole chain anew is found by what was noted elsewhere.
    let anew = tampered(&data, free, &format!("2:{}", "0".repeat(64)));
    assert!(anew.faults[0].contains("entry 2 is not what --head says"), "{anew:?}");
    // A reviewed alert goes with its steps when it is too old, and not otherwise.
    let removed = format!(
        "DELETE FROM reviews WHERE alert_id = '{alert_id}'; DELETE FROM latest_alerts WHERE alert_id = '{alert_id}';
         DELETE FROM alerts WHERE alert_id = '{alert_id}'"
    );
    let faults = tampered(&data, &removed, &head).faults;
    assert!(
        faults.len() == 3 && faults.iter().all(|fault| fault.contains("is gone, and not because of its age")),
        "{faults:#?}"
    );
    let untold = format!("{removed}; UPDATE forgotten SET alerts = 1");
    assert_eq!(
        tampered(&data, &untold, &head).faults,
        Vec::<String>::new(),
        "a crash cut the round of forgetting short"
    );
    // What people judged, and what the rules were.
    for (sql, expected) in [
        ("UPDATE rule_versions SET files = files || ' '", &["the files of version v1"][..]),
        ("DELETE FROM rule_versions", &["the files of version v1"]),
        ("UPDATE latest_alerts SET deduct = 7", &["is not what its states come to", "is not what its states come to"]),
        ("UPDATE latest_alerts SET state = 'retracted' WHERE alert_no = 1", &["is not what its states come to"]),
    ] {
        let faults = tampered(&data, sql, &head).faults;
        assert_eq!(faults.len(), expected.len(), "{sql}: {faults:#?}");
        assert!(faults.iter().zip(expected).all(|(fault, expected)| fault.contains(expected)), "{sql}: {faults:#?}");
    }
    let edited = tampered(&data, "UPDATE alerts SET json = replace(json, '不知道', '不晓得')", &head).faults;
    assert!(!edited.is_empty() && edited.iter().all(|fault| fault.contains("judged it")), "{edited:#?}");
    // The triggers stop mistakes.
    let store = Connection::open(data.path().join("tingjian.db")).unwrap();
    for sql in ["UPDATE audit SET by = ''", "DELETE FROM audit"] {
        assert!(store.execute(sql, []).unwrap_err().to_string().contains("append-only"), "{sql}");
    }
}

#[tokio::test]
async fn a_closed_call_is_sealed() {
    let server = Server::start("call_linger_ms = 1\n").await;
    let mut producer = server.connect("/v1/ingest").await;
    let mut supervisors = Vec::new();
    for call in ["c1", "c2"] {
        tell(&mut producer, start(call)).await;
        tell(&mut producer, says(call, 2, "不知道")).await;
        supervisors.push(server.connect(&format!("/v1/calls/{call}/watch")).await);
        tell(&mut producer, json!({"type": "call.end", "call_id": call, "seq": 3, "at_ms": 9_000})).await;
    }
    for supervisor in supervisors {
        crate::harness::rest(supervisor).await;
    }
    let data = server.stop().await;
    let Verified { head, faults, .. } = verify_audit(data.path(), None, &Config::default()).unwrap();
    assert_eq!(faults, Vec::<String>::new());
    for (sql, expected) in [
        ("UPDATE events SET json = replace(json, '不知道', '我帮您查') WHERE call_no = 1", "the words of call 1"),
        ("DELETE FROM events WHERE call_no = 2", "the words of call 2"),
        ("UPDATE calls SET start = '' WHERE call_no = 1", "the words of call 1"),
        ("UPDATE calls SET agent_id = 'a8' WHERE call_no = 1", "call 1 (its number in the store) or its alerts"),
        ("UPDATE alerts SET json = replace(json, '不知道', '您好') WHERE call_no = 2", "call 2 (its number in the store) or its alerts"),
        ("DELETE FROM alerts WHERE call_no = 2; DELETE FROM latest_alerts WHERE call_no = 2", "call 2 (its number in the store) or its alerts"),
        ("UPDATE latest_alerts SET display = 'shadow' WHERE call_no = 1", "call 1 (its number in the store) or its alerts"),
        (
            "DELETE FROM alerts WHERE call_no = 2; DELETE FROM latest_alerts WHERE call_no = 2; DELETE FROM events WHERE call_no = 2;
             DELETE FROM calls WHERE call_no = 2",
            "is gone, and not because of its age",
        ),
    ] {
        let faults = tampered(&data, sql, &head).faults;
        assert!(faults.len() == 1 && faults[0].contains(expected), "{sql}: {faults:#?}");
    }
}

#[tokio::test]
async fn versions_of_the_rules_tell_who_loaded_them_and_what_changed() {
    let rules = TempDir::new().unwrap();
    let write = |phrases: &str| {
        let text = format!(
            "pack: test\ntitle: 测试\nrules:\n  - id: t.forbid\n    name: 禁语\n    forbid: {{ any: [{phrases}] }}\n    message: 不要说\n"
        );
        std::fs::write(rules.path().join("a.yaml"), &text).unwrap();
        text.len().to_string()
    };
    let first = write("不知道");
    let directory = rules.path().to_owned();
    // Nothing is watched: only requests load them.
    let server =
        Server::with_rules(&config(), Rulebook::new(Vec::new(), move || load(&directory.join("a.yaml"))).unwrap())
            .await;
    let reload = async || ask(&server, ADMIN, "POST", "/v1/rules/reload", &Value::Null).await.0;
    let second = write("不知道, 不清楚");
    assert_eq!(reload().await, 200);
    assert_eq!(reload().await, 200);
    write("");
    assert_eq!(reload().await, 422);
    let (status, page) = ask(&server, LI, "GET", "/v1/rules/versions", &Value::Null).await;
    assert_eq!((status, &page["next_cursor"]), (200, &Value::Null));
    let told: Vec<Value> = page["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|load| {
            assert!(load["loaded_at"].is_string());
            json!([load["version"], load["by"], load["trigger"], load["previous"], load["files"], load["current"]])
        })
        .collect();
    let expected = json!([
        [second, "admin-2e7be1", "request", first, ["a.yaml"], true],
        [first, "tingjian", "start", null, ["a.yaml"], false],
    ]);
    assert_eq!(json!(told), expected);
    let (status, version) = ask(&server, LI, "GET", &format!("/v1/rules/versions/{second}"), &Value::Null).await;
    let diff = version["diff"].as_str().unwrap();
    assert_eq!((status, &version["previous"]), (200, &json!(first)));
    assert!(diff.contains("--- a.yaml\n+++ a.yaml\n@@"), "{diff}");
    assert!(diff.contains("\n-    forbid: { any: [不知道] }\n+    forbid: { any: [不知道, 不清楚] }\n"), "{diff}");
    let (status, fault) = ask(&server, LI, "GET", "/v1/rules/versions/none", &Value::Null).await;
    assert_eq!((status, &fault["code"]), (404, &json!("unknown_version")));
    let details: Vec<Value> = entries(&server, "action=reload")
        .await
        .iter()
        .map(|entry| {
            json!([entry["by"], entry["detail"]["version"], entry["detail"]["previous"], entry["detail"]["ok"]])
        })
        .collect();
    let expected = json!([
        ["admin-2e7be1", second, second, false],
        ["admin-2e7be1", second, second, true],
        ["admin-2e7be1", second, first, true],
    ]);
    assert_eq!(json!(details), expected);
    let history = tingjian(&["rules", "history"], server.data.path());
    let history = String::from_utf8(history.stdout).unwrap();
    let is_head = |line: &&str| line.starts_with(&second) || line.starts_with(&first);
    let heads: Vec<&str> = history.lines().filter(is_head).collect();
    assert!(heads[0].starts_with(&second) && heads[0].contains("in use") && heads[1].starts_with(&first), "{history}");
    assert!(history.contains("\n+    forbid: { any: [不知道, 不清楚] }\n"), "{history}");
}

/// Whoever keeps the log elsewhere can compare: it has number and hash of each
/// entry. And it tells once of a rule that became too imprecise.
#[tokio::test]
async fn the_log_has_every_head_and_a_warning_once() {
    let directory = TempDir::new().unwrap();
    let config = directory.path().join("config.toml");
    std::fs::write(&config, "[review]\nreviewed_min = 1\nprecision_min = 0.7\n").unwrap();
    let rules = directory.path().join("rules");
    std::fs::create_dir(&rules).unwrap();
    std::fs::write(rules.join("test.yaml"), crate::harness::RULES[0].1).unwrap();
    let mut server = Command::new(env!("CARGO_BIN_EXE_tingjian"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(directory.path().join("data"))
        .arg("--config")
        .arg(&config)
        .arg("--rules")
        .arg(&rules)
        .env_remove("TINGJIAN_LOG")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
    let mut producer = crate::harness::connect(address, "/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    for seq in 2..6 {
        tell(&mut producer, says("c1", seq, "不知道")).await;
    }
    let alerts: Value = serde_json::from_str(&request_as(address, None, "GET", "/v1/alerts", "").await.1).unwrap();
    // Precision: 0, 0, 1/3, 2/4; then 3/4, and 2/4 again.
    for (number, action) in
        [(0, "dismiss"), (1, "dismiss"), (2, "confirm"), (3, "confirm"), (0, "confirm"), (0, "dismiss")]
    {
        let target = format!("/v1/alerts/{}/reviews", alerts["alerts"][number]["alert_id"].as_str().unwrap());
        let body = json!({"action": action, "reason": "看过", "by": "李静"}).to_string();
        assert_eq!(request_as(address, None, "POST", &target, &body).await.0, 201);
    }
    let (_, page) = request_as(address, None, "GET", "/v1/audit", "").await;
    let page: Value = serde_json::from_str(&page).unwrap();
    server.kill().unwrap();
    let log = String::from_utf8(server.wait_with_output().unwrap().stderr).unwrap();
    let entries = page["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 7);
    for entry in entries {
        let head = format!("no={} hash={}", entry["no"], entry["hash"]);
        assert!(log.contains(&head), "{head}: {log}");
    }
    assert_eq!(log.matches("a rule's precision is below").count(), 2, "when it falls, and when it falls again: {log}");
    assert!(!log.contains("看过"), "{log}");
}

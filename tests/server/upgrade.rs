//! A store of version 0.1 under this program: everything is there, calls in progress go on, and the way back is as
//! `docs/upgrade.md` says.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::{Place, Process, next, send};

/// Writes the store of the fixture as if its first call had been an hour ago.
#[allow(clippy::disallowed_methods, reason = "the retention of the server goes by the day that it is")]
fn write(path: &Path) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let sql = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/stores/0.1.sql"));
    let store = Connection::open(path).unwrap();
    store.execute_batch(&sql.replace("@T", &(now - 3_600_000).to_string())).unwrap();
}

fn version(path: &Path) -> u32 {
    Connection::open(path).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

async fn answer(server: &Process, path: &str) -> Value {
    let (status, body) = server.get(path).await;
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

fn tingjian(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_tingjian")).args(arguments).output().unwrap()
}

#[tokio::test]
async fn a_store_of_version_0_1_is_brought_up_to_date_and_goes_on() {
    let place = Place::new();
    fs::create_dir(place.data()).unwrap();
    let file = place.data().join("tingjian.db");
    write(&file);
    assert_eq!(version(&file), 2);
    // What reads beside a server changes nothing, and says what to do.
    let exported = tingjian(&["export", "--data", place.data().to_str().unwrap(), "-o", "-"]);
    assert_eq!(exported.status.code(), Some(2), "{exported:?}");
    assert_eq!(version(&file), 2);

    let mut server = place.start();
    let alerts = answer(&server, "/v1/alerts").await;
    assert_eq!(alerts["alerts"].as_array().unwrap().len(), 1, "{alerts}");
    let alert = &alerts["alerts"][0];
    assert_eq!((&alert["alert_id"], &alert["deduct"]), (&json!("5f0c7c3f2a9b1d40"), &json!(2)), "{alert}");
    let call = answer(&server, "/v1/calls/over").await;
    assert!(call.to_string().contains("这个我不知道。") && call.to_string().contains("客户先问的"), "{call}");

    // The call in progress goes on where it was.
    let mut agent = server.connect("/v1/agents/a8/alerts").await;
    let mut producer = server.connect("/v1/ingest").await;
    let said = json!({"type": "utterance", "call_id": "open", "seq": 9, "utterance_id": "u2", "role": "agent", "text": "我不知道",
                      "start_ms": 5_000, "end_ms": 6_000, "final": true});
    send(&mut producer, said).await;
    assert_eq!(next(&mut producer).await["seq"], 9);
    let told = loop {
        let message = next(&mut agent).await;
        if message["type"] == "alert" {
            break message;
        }
    };
    assert_eq!((&told["call_id"], &told["state"]), (&json!("open"), &json!("confirmed")), "{told}");
    server.terminate();
    assert!(server.wait().success());
    assert!(version(&file) > 2);
    let audit = tingjian(&["audit", "verify", "--data", place.data().to_str().unwrap()]);
    assert!(audit.status.success(), "{audit:?}");

    // Once more: it is up to date. And a backup of it is restored.
    let mut server = place.start();
    assert_eq!(answer(&server, "/v1/alerts").await["alerts"].as_array().unwrap().len(), 2);
    server.kill();
    let backup = place.directory.path().join("backup.db");
    let [backup, data, restored] =
        [backup, place.data(), place.directory.path().join("restored")].map(|path| path.to_str().unwrap().to_owned());
    let made = tingjian(&["backup", "--data", &data, "-o", &backup]);
    assert!(made.status.success(), "{made:?}");
    let again = tingjian(&["restore", &backup, "--data", &restored]);
    assert!(again.status.success(), "{again:?}");
}

#[test]
fn a_later_store_is_refused_and_left_as_it_is() {
    let place = Place::new();
    fs::create_dir(place.data()).unwrap();
    let file = place.data().join("tingjian.db");
    write(&file);
    // As version 0.1 finds that of this program: of a version that it does not know.
    Connection::open(&file).unwrap().pragma_update(None, "user_version", 1_000).unwrap();
    let refusal = place.refusal();
    assert!(refusal.contains("later version (1000"), "{refusal}");
    assert_eq!(version(&file), 1_000);
    let alerts = "SELECT count(*) FROM alerts JOIN latest_alerts USING (cursor)";
    assert_eq!(Connection::open(&file).unwrap().query_row(alerts, [], |row| row.get::<_, u32>(0)).unwrap(), 1);
}

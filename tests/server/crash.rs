//! The real process, killed at any moment and started again on the same data:
//! nothing that was acknowledged is lost, no alert comes twice, and every agent
//! catches up from its cursor. And stores that cannot be used: the error says
//! so, and earlier data stays as it is.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::harness::{Agent, CALLS, Database, Place, Process, Producer, next_or_end};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

const KILLS: usize = 12;

/// SplitMix64, so that the moments of the kills are the same on every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }
}

#[tokio::test]
async fn killed_at_any_moment_nothing_is_lost_and_nothing_comes_twice() {
    is_killed_at_any_moment(&Place::new()).await;
}

#[tokio::test]
async fn killed_at_any_moment_sealed_words_are_neither_lost_nor_readable() {
    const KEY: &str = "0123456789abcdef0123456789abcdef";
    let mut place = Place { key: Some(KEY), ..Place::new() };
    is_killed_at_any_moment(&place).await;
    for file in ["tingjian.db", "tingjian.db-wal"] {
        let kept = std::fs::read(place.data().join(file)).unwrap_or_default();
        assert!(!kept.windows(14).any(|bytes| bytes == b"\"utterance_id\""), "{file} has words that are not sealed");
    }
    for (key, hint) in [(None, "[privacy] key"), (Some("another-key-of-at-least-32-characters"), "old_keys")] {
        place.key = key;
        let refusal = place.refusal();
        assert!(refusal.contains(hint), "{refusal}");
    }
}

/// In a database, whose sessions end under the server, too.
#[tokio::test]
async fn killed_at_any_moment_a_database_has_everything_once() {
    let database = Database::new("killed").await;
    if database.is_some() {
        is_killed_at_any_moment(&Place { database, ..Place::new() }).await;
    }
}

async fn is_killed_at_any_moment(place: &Place) {
    let mut chance = Chance(2026);
    let mut producer = Producer::new();
    let mut agents: Vec<Agent> = (0..3).map(|number| Agent { id: format!("a{number}"), alerts: Vec::new() }).collect();
    let total: usize = producer.calls.iter().map(Vec::len).sum();
    for round in 0..=KILLS {
        let mut server = place.start();
        let mut sockets = Vec::new();
        for agent in &agents {
            sockets.push(agent.connect(&server).await);
        }
        let mut socket = server.connect("/v1/ingest").await;
        if round < KILLS {
            let enough = 1 + chance.below(total / KILLS);
            if let Some(database) = &place.database {
                producer.run(&mut socket, enough / 2).await;
                database.cut().await;
            }
            producer.run(&mut socket, enough).await;
            server.kill();
            while let Some(message) = next_or_end(&mut socket).await {
                producer.note(&message);
            }
        } else {
            producer.run(&mut socket, usize::MAX).await;
            assert_eq!(producer.total_acked(), total, "all is acknowledged in the end");
            server.terminate();
        }
        for (agent, socket) in agents.iter_mut().zip(sockets) {
            agent.read_to_its_end(socket).await;
        }
    }
    let server = place.start();
    let mut kept = Vec::new();
    for agent in &agents {
        let socket = server.connect(&format!("/v1/agents/{}/alerts?after=0", agent.id)).await;
        kept.push((Agent { id: agent.id.clone(), alerts: Vec::new() }, socket));
    }
    server.terminate();
    for (agent, (mut kept, socket)) in agents.iter().zip(kept) {
        kept.read_to_its_end(socket).await;
        assert_eq!(agent.alerts, kept.alerts, "what came live and after each restart is what is kept");
        let text = |alert: &Value, field: &str| alert[field].as_str().unwrap().to_owned();
        let transitions: Vec<_> =
            agent.alerts.iter().map(|alert| (text(alert, "alert_id"), text(alert, "state"))).collect();
        let distinct: BTreeSet<_> = transitions.iter().collect();
        assert_eq!(distinct.len(), transitions.len(), "no alert comes twice");
        let confirmed = transitions.iter().filter(|(_, state)| state == "confirmed").count();
        assert_eq!(confirmed, CALLS / 3 * 10, "every violation is told");
    }
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused() {
    let place = Place::new();
    let _server = place.start();
    let refusal = place.refusal();
    assert!(refusal.contains("已有另一个进程在使用这个数据目录"), "{refusal}");
}

#[tokio::test]
async fn a_removed_lock_lets_nobody_in() {
    let place = Place::new();
    let _server = place.start();
    std::fs::remove_file(place.data().join("tingjian.lock")).unwrap();
    let refusal = place.refusal();
    assert!(refusal.contains("已有另一个进程在使用这个数据目录"), "{refusal}");
}

/// Whatever becomes of the files under the server: it takes no more events, and says so.
#[tokio::test]
async fn files_that_go_under_the_server_are_noticed() {
    type Mischief = fn(&Path);
    let mischiefs: [(&str, Mischief); 5] = [
        ("log removed", |data| std::fs::remove_file(data.join("tingjian.db-wal")).unwrap()),
        ("log cut short", |data| drop(std::fs::File::create(data.join("tingjian.db-wal")).unwrap())),
        ("database removed", |data| std::fs::remove_file(data.join("tingjian.db")).unwrap()),
        ("database cut short", |data| drop(std::fs::File::create(data.join("tingjian.db")).unwrap())),
        ("directory removed", |data| std::fs::remove_dir_all(data).unwrap()),
    ];
    for (name, mischief) in mischiefs {
        let place = Place::new();
        let log = place.directory.path().join("log");
        let server = Process::start(place.serve().stderr(std::fs::File::create(&log).unwrap()));
        let mut socket = server.connect("/v1/ingest").await;
        crate::harness::tell(&mut socket, crate::harness::start("c1")).await;
        mischief(&place.data());
        let noticed = async { while server.get("/readyz").await.0 != 503 {} };
        tokio::time::timeout(std::time::Duration::from_secs(2), noticed).await.expect(name);
        crate::harness::send(&mut socket, crate::harness::says("c1", 2, "您好")).await;
        let answer = tokio::time::timeout(std::time::Duration::from_millis(500), next_or_end(&mut socket)).await;
        assert!(answer.is_err(), "{name}: nothing is acknowledged: {answer:?}");
        let said = std::fs::read_to_string(&log).unwrap();
        assert!(said.contains("cut short while in use"), "{name}: {said}");
    }
}

/// Rules that take long to compile: nobody waits for the answer once the server stops.
#[tokio::test]
async fn a_stop_waits_for_no_computation() {
    let place = Place::new();
    let mut server = place.start();
    let phrases: String = (0..120_000).map(|n| format!("您说的第{n}件事, ")).collect();
    let text = format!(
        "pack: long\ntitle: t\nrules:\n  - {{ id: long.a, name: a, message: a, forbid: {{ any: [{phrases}] }} }}\n"
    );
    let body = json!({"files": [{"name": "long.yaml", "text": text}]}).to_string();
    let mut asking = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let head = format!("POST /v1/rules/check HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
    asking.write_all(head.as_bytes()).await.unwrap();
    asking.write_all(body.as_bytes()).await.unwrap();
    for _ in 0..50 {
        assert_eq!(server.get("/healthz").await.0, 200);
    }
    server.terminate();
    let ended = tokio::task::spawn_blocking(move || server.wait());
    let status = tokio::time::timeout(std::time::Duration::from_secs(5), ended).await.expect("it ends").unwrap();
    assert!(status.success());
}

/// Who copies the one file of a stopped server has everything.
#[tokio::test]
async fn a_clean_stop_leaves_everything_in_the_one_file() {
    let place = Place::new();
    let mut server = place.start();
    let mut producer = Producer::new();
    producer.run(&mut server.connect("/v1/ingest").await, 100).await;
    server.terminate();
    assert!(server.wait().success());
    let alone = place.directory.path().join("alone.db");
    std::fs::copy(place.data().join("tingjian.db"), &alone).unwrap();
    let copy = rusqlite::Connection::open(&alone).unwrap();
    let calls: i64 = copy.query_row("SELECT count(*) FROM calls", [], |row| row.get(0)).unwrap();
    assert_eq!(usize::try_from(calls).unwrap(), producer.acked.len());
    assert!(std::fs::metadata(place.data().join("tingjian.db-wal")).map_or(0, |log| log.len()) == 0);
}

/// The producer sends the rest, and an agent who was away has it all.
async fn every_violation_is_told(server: &Process, mut producer: Producer) {
    let mut socket = server.connect("/v1/ingest").await;
    producer.run(&mut socket, usize::MAX).await;
    let mut agent = Agent { id: "a0".to_owned(), alerts: Vec::new() };
    let socket = agent.connect(server).await;
    server.terminate();
    agent.read_to_its_end(socket).await;
    assert_eq!(agent.alerts.iter().filter(|alert| alert["state"] == "confirmed").count(), CALLS / 3 * 10);
}

#[tokio::test]
async fn a_torn_tail_costs_nothing_that_was_acknowledged() {
    let place = Place::new();
    let mut producer = Producer::new();
    let mut server = place.start();
    let mut socket = server.connect("/v1/ingest").await;
    producer.run(&mut socket, 200).await;
    server.kill();
    // What a power cut leaves behind: a page of the log that was never finished.
    let log = place.data().join("tingjian.db-wal");
    let mut file = std::fs::File::options().append(true).open(&log).unwrap();
    file.write_all(&[0x5a; 3_000]).unwrap();
    drop(file);
    let server = place.start();
    let metrics = server.get("/metrics").await.1;
    assert!(metrics.contains("tingjian_calls_resumed_total 12\n"), "{metrics}");
    every_violation_is_told(&server, producer).await;
}

#[tokio::test]
async fn a_full_disk_stops_acknowledgements_and_readiness_and_costs_nothing() {
    let place = Place::new();
    // A limit on the size of a file stands for a disk without room.
    let mut limited = Command::new("bash");
    limited
        .args(["-c", "ulimit -f 400; exec \"$@\"", "limited", env!("CARGO_BIN_EXE_tingjian")])
        .args(place.serve().get_args())
        .env("TINGJIAN_LOG", "error");
    let mut server = Process::start(&mut limited);
    let mut producer = Producer::new();
    let mut agent = server.connect("/v1/agents/a0/alerts").await;
    let mut socket = server.connect("/v1/ingest").await;
    let status = loop {
        tokio::select! {
            message = next_or_end(&mut agent) => {
                let message = message.unwrap();
                if message["type"] == "status" {
                    break message;
                }
            }
            () = producer.run(&mut socket, usize::MAX) => panic!("the disk was never full"),
        }
    };
    assert_eq!((&status["state"], &status["causes"]), (&json!("degraded"), &json!(["store_failed"])), "{status}");
    let (code, body) = server.get("/readyz").await;
    assert_eq!(code, 503, "{body}");
    assert!(body.contains("store_failed"), "{body}");
    assert_eq!(server.get("/healthz").await.0, 200);
    server.kill();
    while let Some(message) = next_or_end(&mut socket).await {
        producer.note(&message);
    }
    assert!(producer.total_acked() > 0, "some of it had room");
    let server = place.start();
    assert_eq!(server.get("/readyz").await.0, 200);
    every_violation_is_told(&server, producer).await;
}

#[test]
fn stores_that_cannot_be_used_are_refused_and_left_as_they_are() {
    let damaged = |bytes: &[u8]| {
        let place = Place::new();
        std::fs::create_dir(place.data()).unwrap();
        let file = place.data().join("tingjian.db");
        std::fs::write(&file, bytes).unwrap();
        let refusal = place.refusal();
        assert_eq!(std::fs::read(&file).unwrap(), bytes, "it is left as it is");
        refusal
    };
    let refusal = damaged("这不是数据库，是一封很长的信。".repeat(100).as_bytes());
    assert!(refusal.contains("tingjian.db 已损坏，或不是本程序的数据"), "{refusal}");

    let place = Place::new();
    drop(place.start());
    let mode = std::fs::metadata(place.data()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "others on the machine do not read what callers said");
    let file = place.data().join("tingjian.db");
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let refusal = place.refusal();
    assert!(refusal.contains("数据由更新的版本写成（第 99 版"), "{refusal}");

    let place = Place::new();
    std::fs::write(place.data(), "a file where the directory should be").unwrap();
    let refusal = place.refusal();
    assert!(refusal.contains("无法使用数据目录"), "{refusal}");
    assert!(Path::new(&place.data()).is_file());
}

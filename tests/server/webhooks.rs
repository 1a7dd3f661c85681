//! Webhooks out, over real sockets: what is sent, what is tried again, and what
//! a crash leaves undone.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::harness::{PATIENCE, Receiver, Server, connect, next, request, says, start, tell};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;
use tokio::net::TcpListener;

fn webhook(name: &str, address: SocketAddr, more: &str) -> String {
    format!("[[webhooks]]\nname = \"{name}\"\nurl = \"http://{address}/{name}?key=k\"\n{more}\n")
}

/// Asks for the metrics until they contain `line`.
async fn until_metrics_have(address: SocketAddr, line: &str) {
    let waiting = async { while !request(address, "GET", "/metrics", "").await.1.lines().any(|had| had == line) {} };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("no metric {line}"));
}

#[tokio::test]
async fn a_grave_alert_is_sent_signed_and_masked_and_so_is_its_retraction() {
    let mut receiver = Receiver::start(|_| (200, "")).await;
    let config = format!(
        "shadow_packs = [\"trial\"]\n{}",
        webhook("qa", receiver.address, "secret = \"the-secret-of-the-webhook\"")
    );
    let server = Server::start(&config).await;
    let mut agent = server.connect("/v1/agents/a7/alerts").await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    // Neither what is not grave enough nor what is on trial.
    tell(&mut producer, says("c1", 2, "这个我不知道")).await;
    tell(&mut producer, says("c1", 3, "那没办法")).await;
    let mut hypothesis = says("c1", 4, "这个我不清楚");
    hypothesis["final"] = json!(false);
    tell(&mut producer, hypothesis).await;
    let mut said = says("c1", 5, "这个我不清楚，您打13800138000");
    said["utterance_id"] = json!("u4");
    tell(&mut producer, said.clone()).await;
    let sent = receiver.next().await;
    assert_eq!(sent.target, "/qa?key=k");
    let alert = sent.json();
    assert_eq!((alert["rule_id"].as_str(), alert["state"].as_str()), (Some("test.critical"), Some("confirmed")));
    assert_eq!(alert["evidence"][0]["text"], "这个我不清楚，您打138****8000");

    let mut mac = Hmac::<Sha256>::new_from_slice(b"the-secret-of-the-webhook").unwrap();
    mac.update(format!("{}.{}", sent.header("x-tingjian-timestamp").unwrap(), sent.body).as_bytes());
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sent.header("x-tingjian-signature"), Some(&*format!("sha256={signature}")));
    assert_eq!(sent.header("content-type"), Some("application/json; charset=utf-8"));

    // The agent was shown the same alert.
    let shown = loop {
        let message = next(&mut agent).await;
        if message["state"] == "confirmed" && message["rule_id"] == "test.critical" {
            break message;
        }
    };
    assert_eq!(shown["alert_id"], alert["alert_id"]);

    // A correction takes it back.
    said["seq"] = json!(6);
    said["text"] = json!("这个我清楚");
    tell(&mut producer, said).await;
    let withdrawn = receiver.next().await;
    assert_eq!(withdrawn.json()["state"], "retracted");
    assert_eq!(withdrawn.json()["alert_id"], alert["alert_id"]);
    assert_ne!(withdrawn.delivery(), sent.delivery());
    until_metrics_have(server.address, "tingjian_webhook_deliveries_total{result=\"delivered\",webhook=\"qa\"} 2")
        .await;
    until_metrics_have(server.address, "tingjian_webhook_queue_depth{webhook=\"qa\"} 0").await;
    drop((agent, producer));
    server.stop().await;
}

#[tokio::test]
async fn what_fails_is_tried_again_under_the_same_id_and_in_order() {
    let mut receiver = Receiver::start(|number| if number < 3 { (500, "") } else { (200, "") }).await;
    let config = format!("webhook_retry_ms = 1\n{}", webhook("qa", receiver.address, "severity_min = \"info\""));
    let server = Server::start(&config).await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    tell(&mut producer, says("c1", 2, "这个我不知道")).await;
    tell(&mut producer, says("c1", 3, "这个我不清楚")).await;
    let first = receiver.next().await;
    for status in [500, 500, 200] {
        let again = receiver.next().await;
        assert_eq!((again.status, again.delivery(), &again.body), (status, first.delivery(), &first.body));
    }
    let second = receiver.next().await;
    assert_ne!(second.delivery(), first.delivery());
    assert_eq!([first.json(), second.json()].map(|alert| alert["rule_id"].clone()), ["test.warning", "test.critical"]);
    until_metrics_have(server.address, "tingjian_webhook_deliveries_total{result=\"delivered\",webhook=\"qa\"} 2")
        .await;
    let metrics = server.metrics().await;
    assert!(metrics.contains("tingjian_webhook_deliveries_total{result=\"failed\",webhook=\"qa\"} 3"), "{metrics}");
    drop(producer);
    server.stop().await;
}

#[tokio::test]
async fn one_that_does_not_answer_holds_up_neither_another_nor_the_shutdown() {
    // Connections to it are taken by the system, and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut receiver = Receiver::start(|_| (200, "")).await;
    let config = format!(
        "shutdown_grace_ms = 1000\n{}{}",
        webhook("silent", silent.local_addr().unwrap(), ""),
        webhook("qa", receiver.address, "")
    );
    let server = Server::start(&config).await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    for seq in 2..12 {
        tell(&mut producer, says("c1", seq, "这个我不清楚")).await;
    }
    let mut deliveries = Vec::new();
    for _ in 2..12 {
        deliveries.push(receiver.next().await.delivery().to_owned());
    }
    deliveries.dedup();
    assert_eq!(deliveries.len(), 10);
    until_metrics_have(server.address, "tingjian_webhook_queue_depth{webhook=\"silent\"} 10").await;
    let data = server.stop().await;
    let store = rusqlite::Connection::open(data.path().join("tingjian.db")).unwrap();
    let left: String =
        store.query_row("SELECT group_concat(DISTINCT webhook) FROM outbox", [], |row| row.get(0)).unwrap();
    assert_eq!(left, "silent");
}

#[tokio::test]
async fn a_robot_that_answers_200_with_an_error_has_not_taken_it() {
    let answers = [
        r#"{"errcode":130101,"errmsg":"send too fast"}"#,
        r#"{"errcode":0,"errmsg":"ok"}"#,
        r#"{"errcode":430102,"errmsg":"words that are not allowed"}"#,
        r#"{"errcode":0,"errmsg":"ok"}"#,
    ];
    let mut receiver = Receiver::start(move |number| (200, answers[number])).await;
    let more = "style = \"dingtalk\"\nsecret = \"SEC0\"";
    let config = format!("webhook_retry_ms = 1\n{}", webhook("group", receiver.address, more));
    let server = Server::start(&config).await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    for seq in 2..5 {
        tell(&mut producer, says("c1", seq, &format!("这个我不清楚{seq}"))).await;
    }
    let mut texts = Vec::new();
    for _ in 0..4 {
        let sent = receiver.next().await;
        assert!(sent.target.starts_with("/group?key=k&timestamp="), "{}", sent.target);
        assert_eq!(sent.json()["msgtype"], "markdown");
        texts.push(sent.json()["markdown"]["text"].as_str().unwrap().to_owned());
    }
    assert_eq!(texts[0], texts[1]);
    let words: Vec<bool> = (2..5).map(|seq| texts[seq - 1].contains(&format!("不清楚{seq}"))).collect();
    assert_eq!(words, [true; 3], "{texts:?}");
    for (result, count) in [("delivered", 2), ("failed", 1), ("rejected", 1)] {
        let line = format!("tingjian_webhook_deliveries_total{{result=\"{result}\",webhook=\"group\"}} {count}");
        until_metrics_have(server.address, &line).await;
    }
    drop(producer);
    server.stop().await;
}

/// The real server, which can be killed.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start(directory: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tingjian"))
            .args(["serve", "--listen", "127.0.0.1:0", "--config", "config.toml", "--rules", "rules", "--data", "data"])
            .current_dir(directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
        Self { child, address }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn what_could_not_be_delivered_before_a_crash_is_after_it() {
    let status = Arc::new(AtomicU16::new(503));
    let answered = Arc::clone(&status);
    let mut receiver = Receiver::start(move |_| (answered.load(Ordering::SeqCst), "")).await;
    let directory = TempDir::new().unwrap();
    let config = format!("webhook_retry_ms = 20\n{}", webhook("qa", receiver.address, ""));
    std::fs::write(directory.path().join("config.toml"), config).unwrap();
    std::fs::create_dir(directory.path().join("rules")).unwrap();
    for (name, text) in crate::harness::RULES {
        std::fs::write(directory.path().join("rules").join(name), text).unwrap();
    }

    let server = Process::start(directory.path());
    let mut producer = connect(server.address, "/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    tell(&mut producer, says("c1", 2, "这个我不清楚")).await;
    let before = receiver.next().await;
    // Killed, not stopped.
    drop(server);
    status.store(200, Ordering::SeqCst);
    let server = Process::start(directory.path());
    let after = loop {
        let sent = receiver.next().await;
        assert_eq!((sent.delivery(), &sent.body), (before.delivery(), &before.body));
        if sent.status == 200 {
            break sent;
        }
    };
    assert_eq!(after.json()["state"], "confirmed");
    until_metrics_have(server.address, "tingjian_webhook_deliveries_total{result=\"delivered\",webhook=\"qa\"} 1")
        .await;
    until_metrics_have(server.address, "tingjian_webhook_queue_depth{webhook=\"qa\"} 0").await;

    // The call goes on; that its alert was confirmed is still known.
    let mut producer = connect(server.address, "/v1/ingest").await;
    let mut corrected = says("c1", 3, "这个我清楚");
    corrected["utterance_id"] = json!("u2");
    tell(&mut producer, corrected).await;
    let withdrawn: Value = receiver.next().await.json();
    assert_eq!((&withdrawn["state"], &withdrawn["alert_id"]), (&json!("retracted"), &after.json()["alert_id"]));
}

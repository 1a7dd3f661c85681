//! `tingjian replay`: recordings into a server, all of it acknowledged before
//! it ends, across a broken connection.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use crate::harness::{PATIENCE, Server};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

async fn tingjian(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tingjian"));
    command.args(arguments).current_dir(directory);
    let running = tokio::task::spawn_blocking(move || command.output());
    tokio::time::timeout(PATIENCE, running).await.expect("it ends").unwrap().unwrap()
}

fn told(output: &Output) -> (i32, String) {
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_says_of_a_replay_what_check_says_of_the_recording() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let server = Server::with_rules(
        "call_linger_ms = 3000\n[tokens]\ningest = [\"producer-of-the-test\"]\n",
        crate::harness::shipped(),
    )
    .await;
    let url = format!("http://{}", server.address);
    let files = ["fixtures/calls/complaint-mishandled.jsonl", "fixtures/calls/late-finals.jsonl"];
    let replay = ["replay", files[0], files[1], "--speed", "1000", "--server", &url];
    let (code, err) = told(&tingjian(root, &replay).await);
    assert!(code == 2 && err.contains("需要令牌"), "{err}");
    let (code, err) = told(&tingjian(root, &[&replay[..], &["--token", "producer-of-the-test"]].concat()).await);
    assert_eq!(code, 0, "{err}");
    // All of it was acknowledged, so it is in the store; what the calls' ends decide comes when they are closed.
    let closed = async {
        while server.ask::<i64>("SELECT count(*) FROM calls WHERE closed_ms IS NOT NULL") < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.expect("the calls are closed");
    let live: String =
        server.ask("SELECT group_concat(alert_id) FROM latest_alerts WHERE state = 'confirmed' AND display <> 'held'");
    let checked = tingjian(root, &["check", files[0], files[1], "--format", "jsonl"]).await;
    let checked = String::from_utf8(checked.stdout).unwrap();
    let expected: BTreeSet<String> = checked
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["alert_id"].as_str().unwrap().to_owned())
        .collect();
    assert!(expected.len() > 5);
    assert_eq!(live.split(',').map(str::to_owned).collect::<BTreeSet<_>>(), expected);
    server.stop().await;
}

/// One more connection of a producer.
async fn accept(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    let (stream, _) = tokio::time::timeout(PATIENCE, listener.accept()).await.expect("a producer comes").unwrap();
    accept_async(stream).await.unwrap()
}

/// The number of the next event.
async fn event(socket: &mut WebSocketStream<TcpStream>) -> Option<u64> {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.expect("an event comes") {
            Some(Ok(Message::Text(text))) => {
                return serde_json::from_str::<Value>(&text).unwrap()["seq"].as_u64();
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return None,
        }
    }
}

async fn answer(socket: &mut WebSocketStream<TcpStream>, answer: Value) {
    socket.send(Message::text(answer.to_string())).await.unwrap();
}

#[tokio::test]
async fn what_was_not_acknowledged_is_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let directory = TempDir::new().unwrap();
    // The first three have no numbers of their own.
    let mut events =
        vec![json!({"type": "call.start", "call_id": "c", "agent_id": "a", "started_at": "2026-11-21T10:00:00+08:00"})];
    for at in 1..=4 {
        events.push(json!({"type": "call.hold", "call_id": "c", "at_ms": at}));
    }
    events.push(json!({"type": "call.end", "call_id": "c", "at_ms": 9, "seq": 10}));
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    std::fs::write(directory.path().join("c.jsonl"), lines.join("\n")).unwrap();
    let serving = async {
        let mut first = accept(&listener).await;
        for seq in 1..=3 {
            assert_eq!(event(&mut first).await, Some(seq));
        }
        answer(&mut first, json!({"type": "ack", "call_id": "c", "seq": 2})).await;
        first.close(None).await.unwrap();
        while event(&mut first).await.is_some() {}
        let mut second = accept(&listener).await;
        for seq in [3, 4, 5, 10] {
            assert_eq!(event(&mut second).await, Some(seq));
        }
        answer(
            &mut second,
            json!({"type": "error", "code": "invalid_field", "message": "不行 / no", "call_id": "c", "seq": 4}),
        )
        .await;
        answer(&mut second, json!({"type": "ack", "call_id": "c", "seq": 5})).await;
        answer(&mut second, json!({"type": "ack", "call_id": "c", "seq": 10})).await;
        assert_eq!(event(&mut second).await, None, "nothing comes twice");
    };
    let arguments = ["replay", "c.jsonl", "--server", &url];
    let ((), output) = tokio::join!(serving, tingjian(directory.path(), &arguments));
    let (code, err) = told(&output);
    assert!(code == 1 && err.contains("不行 / no"), "{code} {err}");
}

#[tokio::test]
async fn what_cannot_be_played_is_told() {
    let server = Server::start("").await;
    let url = format!("http://{}", server.address);
    let directory = TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let start = crate::harness::start("c1").to_string();
    write("good.jsonl", &start);
    write("broken.jsonl", &format!("{{\n{}\n", crate::harness::start("c2")));
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    #[rustfmt::skip]
    let cases: &[(&[&str], i32, &str)] = &[
        (&["good.jsonl", "--server", &url], 0, ""),
        (&["good.jsonl", "--server", &url], 0, ""),
        (&["broken.jsonl", "--server", &url], 2, "broken.jsonl:1: "),
        (&["missing.jsonl", "--server", &url], 2, "missing.jsonl: 无法打开"),
        (&["good.jsonl", "--server", &gone], 2, "无法连接服务"),
        (&["good.jsonl", "--server", "127.0.0.1"], 2, "http://"),
        (&["good.jsonl", "--server", "ftp://127.0.0.1"], 2, "http://"),
        (&["good.jsonl", "--server", &url, "--speed", "0"], 2, "0.01"),
    ];
    for (arguments, code, words) in cases {
        let output = tingjian(directory.path(), &[&["replay"], *arguments].concat()).await;
        let (found, err) = told(&output);
        assert!(found == *code && err.contains(words), "{arguments:?}: {found} {err}");
    }
    assert_eq!(server.ask::<i64>("SELECT count(*) FROM calls"), 2, "the rest of a broken file is played");
    server.stop().await;
}

//! A place of its own for the real process, a producer that resends what was
//! not acknowledged, and agents who come back.

use std::collections::BTreeMap;
use std::process::Command;

use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;

use super::{Database, Process, Socket, next_or_end};

pub(crate) const CALLS: usize = 12;
/// Events of one producer that are not acknowledged yet.
pub(crate) const WINDOW: usize = 16;
pub(crate) const RULES: &str = "
pack: crash
title: 崩溃
rules:
  - id: crash.forbid
    name: 禁语
    forbid: { any: [不知道] }
    message: 不要说
";

/// Where everything of one test lies.
pub(crate) struct Place {
    pub(crate) directory: TempDir,
    /// The key of the store, whose words are then masked, too.
    pub(crate) key: Option<&'static str>,
    /// What keeps everything instead of the directory.
    pub(crate) database: Option<Database>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        std::fs::create_dir(directory.path().join("rules")).unwrap();
        std::fs::write(directory.path().join("rules/crash.yaml"), RULES).unwrap();
        Self { directory, key: None, database: None }
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.directory.path().join("data")
    }

    /// The command that serves, not started yet.
    pub(crate) fn serve(&self) -> Command {
        let mut command = Process::serve();
        let path = |name: &str| self.directory.path().join(name);
        command.arg("--data").arg(path("data")).arg("--rules").arg(path("rules"));
        if let Some(key) = self.key {
            command.env("TINGJIAN_PRIVACY__KEY", key).env("TINGJIAN_PRIVACY__STORE", "masked");
        }
        if let Some(database) = &self.database {
            command.env("TINGJIAN_CLUSTER__POSTGRES", &database.address);
        }
        command
    }

    pub(crate) fn start(&self) -> Process {
        Process::start(&mut self.serve())
    }

    /// What the command says when it cannot serve.
    pub(crate) fn refusal(&self) -> String {
        let output = self.serve().output().unwrap();
        assert!(!output.status.success());
        assert!(output.stdout.is_empty(), "it never listened");
        String::from_utf8(output.stderr).unwrap()
    }
}

/// A call whose every third final is a violation, with hypotheses in between.
pub(crate) fn script(call: usize) -> Vec<Value> {
    let call_id = format!("c{call}");
    let agent_id = format!("a{}", call % 3);
    let start = json!({"type": "call.start", "call_id": call_id, "agent_id": agent_id, "started_at": "2026-11-21T10:00:00+08:00"});
    let utterances = (0..30).flat_map(|number| {
        let text = if number % 3 == 0 { "这个我不知道" } else { "好的请您稍等" };
        let of = |text: &str, is_final: bool| {
            json!({
                "type": "utterance", "call_id": format!("c{call}"), "utterance_id": format!("u{number}"), "role": "agent",
                "text": text, "start_ms": number * 1_000, "end_ms": number * 1_000 + 900, "final": is_final,
            })
        };
        [of("这个我不", false), of(text, true)]
    });
    let end = json!({"type": "call.end", "call_id": call_id, "at_ms": 31_000, "by": "customer"});
    let events = std::iter::once(start).chain(utterances).chain([end]);
    (1_u64..)
        .zip(events)
        .map(|(seq, mut event)| {
            event["seq"] = seq.into();
            event
        })
        .collect()
}

/// All calls of a producer, and how far they are acknowledged.
pub(crate) struct Producer {
    pub(crate) calls: Vec<Vec<Value>>,
    pub(crate) acked: BTreeMap<String, usize>,
}

impl Producer {
    pub(crate) fn new() -> Self {
        let calls: Vec<_> = (0..CALLS).map(script).collect();
        let acked = (0..CALLS).map(|call| (format!("c{call}"), 0)).collect();
        Self { calls, acked }
    }

    /// All that is not acknowledged, the calls in turn.
    pub(crate) fn unacknowledged(&self) -> Vec<&Value> {
        let mut rest: Vec<_> =
            self.calls.iter().map(|events| &events[self.acked[events[0]["call_id"].as_str().unwrap()]..]).collect();
        let mut order = Vec::new();
        while rest.iter().any(|events| !events.is_empty()) {
            for events in &mut rest {
                if let Some((first, others)) = events.split_first() {
                    order.push(first);
                    *events = others;
                }
            }
        }
        order
    }

    pub(crate) fn note(&mut self, message: &Value) {
        assert_eq!(message["type"], "ack", "{message}");
        let acked = self.acked.get_mut(message["call_id"].as_str().unwrap()).unwrap();
        *acked = (*acked).max(usize::try_from(message["seq"].as_u64().unwrap()).unwrap());
    }

    pub(crate) fn total_acked(&self) -> usize {
        self.acked.values().sum()
    }

    /// Sends what is not acknowledged, at most [`WINDOW`] ahead, until it all
    /// is, or `enough` events more are, or the server is gone.
    pub(crate) async fn run(&mut self, socket: &mut Socket, enough: usize) {
        let waiting: Vec<String> = self.unacknowledged().iter().map(|event| event.to_string()).collect();
        let first = self.total_acked();
        let mut sent = 0;
        while self.total_acked() - first < enough.min(waiting.len()) {
            while sent < waiting.len() && sent < self.total_acked() - first + WINDOW {
                if socket.send(Message::text(waiting[sent].as_str())).await.is_err() {
                    return;
                }
                sent += 1;
            }
            match next_or_end(socket).await {
                Some(message) => self.note(&message),
                None => return,
            }
        }
    }
}

/// An agent: what it got, and where it goes on.
pub(crate) struct Agent {
    pub(crate) id: String,
    pub(crate) alerts: Vec<Value>,
}

impl Agent {
    pub(crate) async fn connect(&self, server: &Process) -> Socket {
        let after = self.alerts.last().map_or("0", |alert| alert["cursor"].as_str().unwrap());
        server.connect(&format!("/v1/agents/{}/alerts?after={after}", self.id)).await
    }

    pub(crate) async fn read_to_its_end(&mut self, mut socket: Socket) {
        while let Some(message) = next_or_end(&mut socket).await {
            if message["type"] == "alert" {
                self.alerts.push(message);
            }
        }
    }
}

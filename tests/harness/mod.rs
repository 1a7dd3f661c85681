//! What tests of a running server share: the server on a port of its own, the
//! two ends of its sockets, and a receiver of webhooks. Nothing here sleeps.

// Each test file uses a part of it.
#![allow(dead_code, unused_imports)]

mod bus;
mod database;
mod place;
mod process;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tingjian::engine::diagnostic::Language;
use tingjian::engine::rule::parse::SourceFile;
use tingjian::engine::rule::render::render;
use tingjian::engine::rule::sources::Sources;
use tingjian::engine::rule::{self, RuleSet};
use tingjian::server::{self, Config, LoadedRules, RejectedRules, Rulebook};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

pub(crate) use bus::Broker;
pub(crate) use database::Database;
pub(crate) use place::{Agent, CALLS, Place, Producer};
pub(crate) use process::Process;

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Longer than any step takes; a test that waits for it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// One warning, one critical rule, and one of a pack that a config may put on trial.
pub(crate) const RULES: [(&str, &str); 2] = [
    (
        "test.yaml",
        "pack: test\ntitle: 测试\nrules:\n\
         \x20 - { id: test.warning, name: 警告, severity: warning, forbid: { any: [不知道] }, message: '不要说“{phrase}”' }\n\
         \x20 - { id: test.critical, name: 严重, severity: critical, forbid: { any: [不清楚] }, message: '不要说“{phrase}”', suggestion: 我帮您查 }\n",
    ),
    (
        "trial.yaml",
        "pack: trial\ntitle: 试运行\nrules:\n\
         \x20 - { id: trial.critical, name: 试运行, severity: critical, forbid: { any: [没办法] }, message: 不要说 }\n",
    ),
];

pub(crate) fn rules() -> Arc<RuleSet> {
    let file = |(name, text): (&str, &str)| SourceFile { name: name.to_owned(), text: text.to_owned() };
    rule::load(&RULES.map(file), "v1".to_owned()).unwrap_or_else(|faults| panic!("{faults:?}")).rules
}

/// The packs of the repository, as `tingjian serve` has them.
pub(crate) fn shipped() -> Rulebook {
    let mut paths: Vec<_> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/rules"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "model"));
    paths.sort();
    let name = |path: &std::path::PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let within: Vec<String> = paths.iter().map(name).collect();
    let files = paths
        .iter()
        .map(|path| SourceFile { name: format!("rules/{}", name(path)), text: std::fs::read_to_string(path).unwrap() });
    let sources = Sources { files: files.collect(), within, ..Sources::default() };
    let load = move || {
        rule::load(&sources.files, sources.version())
            .map(|loaded| LoadedRules { rules: loaded.rules, sources: sources.clone(), warnings: Vec::new() })
            .map_err(|diagnostics| RejectedRules { text: format!("{diagnostics:?}"), diagnostics })
    };
    Rulebook::new(Vec::new(), load).unwrap_or_else(|rejected| panic!("{}", rejected.text))
}

/// The rules in one file, as it is now. The version is the text's length:
/// enough to tell the texts of one test apart.
pub(crate) fn load(file: &Path) -> Result<LoadedRules, RejectedRules> {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(file).unwrap();
    let version = text.len().to_string();
    let sources = Sources { files: vec![SourceFile { name, text }], ..Sources::default() };
    match rule::load(&sources.files, version) {
        Ok(loaded) => Ok(LoadedRules { rules: loaded.rules, sources, warnings: loaded.warnings }),
        Err(diagnostics) => {
            let text = render(&diagnostics, &sources.files, Language::Zh, false);
            Err(RejectedRules { diagnostics, text })
        }
    }
}

/// A server in this process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) data: TempDir,
    stop: oneshot::Sender<()>,
    running: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// On a store of its own, with [`RULES`].
    pub(crate) async fn start(config: &str) -> Self {
        Self::with_rules(config, rules()).await
    }

    pub(crate) async fn with_rules(config: &str, rules: impl Into<Rulebook>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let data = TempDir::new().unwrap();
        let config = Config { data: data.path().to_owned(), ..Config::from_toml(config).unwrap() };
        let server = server::Server::open(config, rules, address).unwrap();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let running = tokio::spawn(server.run(listener, shutdown));
        Self { address, data, stop, running }
    }

    pub(crate) async fn connect(&self, path: &str) -> Socket {
        connect(self.address, path).await
    }

    pub(crate) async fn request(&self, method: &str, target: &str, body: &str) -> (u16, Value) {
        let (status, body) = request(self.address, method, target, body).await;
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// Status and body of a file, whatever its bytes are.
    pub(crate) async fn raw(&self, target: &str) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an answer comes").unwrap();
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let mut rest = &answer[end + 4..];
        let mut body = Vec::new();
        // In chunks, each behind its length.
        while let Some(line) = rest.windows(2).position(|bytes| bytes == b"\r\n") {
            let length = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
            if length == 0 {
                break;
            }
            body.extend_from_slice(&rest[line + 2..line + 2 + length]);
            rest = &rest[line + 4 + length..];
        }
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body)
    }

    /// Status and body of a page.
    pub(crate) async fn get(&self, target: &str) -> (u16, String) {
        request(self.address, "GET", target, "").await
    }

    pub(crate) async fn metrics(&self) -> String {
        request(self.address, "GET", "/metrics", "").await.1
    }

    /// One value of the store.
    pub(crate) fn ask<T: rusqlite::types::FromSql>(&self, question: &str) -> T {
        let store = rusqlite::Connection::open(self.data.path().join("tingjian.db")).unwrap();
        store.query_row(question, [], |row| row.get(0)).unwrap()
    }

    pub(crate) async fn stop(self) -> TempDir {
        let _ = self.stop.send(());
        tokio::time::timeout(PATIENCE, self.running).await.unwrap().unwrap().unwrap();
        self.data
    }
}

pub(crate) async fn connect(address: SocketAddr, path: &str) -> Socket {
    connect_async(format!("ws://{address}{path}")).await.unwrap().0
}

/// Status and body of an answer.
pub(crate) async fn request(address: SocketAddr, method: &str, target: &str, body: &str) -> (u16, String) {
    request_as(address, None, method, target, body).await
}

/// The same, to whoever has that token.
pub(crate) async fn request_as(
    address: SocketAddr,
    token: Option<&str>,
    method: &str,
    target: &str,
    body: &str,
) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head =
        format!("{method} {target} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{token}content-length: {length}\r\n");
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("an answer comes").unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// How the server closes a stream on which nothing more comes: code and reason.
pub(crate) async fn refusal<Stream>(mut socket: WebSocketStream<Stream>) -> (u16, String)
where
    Stream: AsyncRead + AsyncWrite + Unpin,
{
    match tokio::time::timeout(PATIENCE, socket.next()).await.expect("the server closes") {
        Some(Ok(Message::Close(Some(frame)))) => (frame.code.into(), frame.reason.to_string()),
        other => panic!("no close but {other:?}"),
    }
}

pub(crate) async fn send(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

/// The next text message; `None` when the server closes.
pub(crate) async fn next_or_end(socket: &mut Socket) -> Option<Value> {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.expect("a message comes") {
            Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return None,
        }
    }
}

pub(crate) async fn next(socket: &mut Socket) -> Value {
    next_or_end(socket).await.expect("a message, not the end")
}

/// All that comes until the server closes.
pub(crate) async fn rest(mut socket: Socket) -> Vec<Value> {
    let mut messages = Vec::new();
    while let Some(message) = next_or_end(&mut socket).await {
        messages.push(message);
    }
    messages
}

/// Sends an event that has a `seq` and waits until it is acknowledged.
pub(crate) async fn tell(producer: &mut Socket, event: Value) {
    let (call_id, seq) = (event["call_id"].clone(), event["seq"].as_u64());
    send(producer, event).await;
    loop {
        let message = next(producer).await;
        assert_eq!(message["type"], "ack", "{message}");
        if message["call_id"] == call_id && message["seq"].as_u64() >= seq {
            return;
        }
    }
}

pub(crate) fn start(call_id: &str) -> Value {
    json!({"type": "call.start", "call_id": call_id, "seq": 1, "agent_id": "a7", "started_at": "2026-11-21T10:00:00+08:00"})
}

/// A final of the agent; its `seq` gives its time, too.
pub(crate) fn says(call_id: &str, seq: u64, text: &str) -> Value {
    json!({"type": "utterance", "call_id": call_id, "seq": seq, "utterance_id": format!("u{seq}"), "role": "agent",
        "text": text, "start_ms": 3_000 * seq, "end_ms": 3_000 * seq + 900, "final": true})
}

/// One request that a receiver of webhooks got.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) target: String,
    head: String,
    pub(crate) body: String,
    /// What was answered.
    pub(crate) status: u16,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    pub(crate) fn delivery(&self) -> &str {
        self.header("x-tingjian-delivery").unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A receiver of webhooks on a port of its own.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    received: mpsc::Receiver<Received>,
}

impl Receiver {
    /// Answers request number n, from 0, with what `answer` says.
    pub(crate) async fn start(answer: impl Fn(usize) -> (u16, &'static str) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, received) = mpsc::channel(1_024);
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                // A sender that was killed may leave half a request.
                let Some(request) = receive(stream, answer(number)).await else { continue };
                if sender.send(request).await.is_err() {
                    return;
                }
            }
        });
        Self { address, received }
    }

    pub(crate) async fn next(&mut self) -> Received {
        tokio::time::timeout(PATIENCE, self.received.recv()).await.expect("a request comes").unwrap()
    }
}

async fn receive(stream: TcpStream, (status, answer): (u16, &'static str)) -> Option<Received> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let target = head.split(' ').nth(1)?.to_owned();
    let mut received = Received { target, head, body: String::new(), status };
    let mut body = vec![0; received.header("content-length")?.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    received.body = String::from_utf8(body).ok()?;
    let length = answer.len();
    let answer = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{answer}");
    stream.write_all(answer.as_bytes()).await.ok()?;
    Some(received)
}

//! Clients in other languages against the real binary: the scripts of
//! `examples/python`, and the CRM's page of `examples/crm` in Chromium.
//!
//! They reach the server through a front of the test's, which serves the page,
//! as a CRM behind the same proxy would, and can cut connections and hold new ones: what is
//! said meanwhile must be shown once the client is back. `scripts/test` installs
//! what this needs.

use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Longer than any step takes; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(180);
const AGENT: &str = "a 1/坐席";
const AGENT_IN_PATH: &str = "a%201%2F%E5%9D%90%E5%B8%AD";

fn in_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

async fn patiently<T>(what: &str, step: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, step).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// A process that goes when the test is over.
struct Process {
    child: Child,
    stdout: mpsc::Receiver<String>,
    stderr: mpsc::Receiver<String>,
}

impl Process {
    fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("{:?}: {error}; scripts/test installs it", command.get_program());
        });
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    fn python(script: &str, arguments: &[&str]) -> Self {
        let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../clients/bin/python");
        Self::start(Command::new(python).arg(in_project("examples/python").join(script)).args(arguments))
    }

    async fn line(&mut self) -> Option<String> {
        patiently("a line", self.stdout.recv()).await
    }

    /// The first line of standard error that begins so, what follows it.
    async fn told(&mut self, beginning: &str) -> String {
        loop {
            let line = patiently(beginning, self.stderr.recv()).await;
            let line = line.unwrap_or_else(|| panic!("it ended without {beginning:?}"));
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.to_owned();
            }
        }
    }

    /// What is left of its output, once it ended well.
    async fn succeeds(mut self) -> Vec<String> {
        let mut printed = Vec::new();
        while let Some(line) = self.line().await {
            printed.push(line);
        }
        let mut told = Vec::new();
        while let Some(line) = patiently("its end", self.stderr.recv()).await {
            told.push(line);
        }
        assert!(self.child.wait().unwrap().success(), "{told:#?}");
        printed
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a pipe. The thread ends with the process at its other end.
fn lines(pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1_024);
    std::thread::spawn(move || {
        let lines = BufReader::new(pipe).lines().map_while(Result::ok);
        // Nobody may want to know any more; the pipe is emptied all the same.
        lines.for_each(|line| drop(sender.blocking_send(line)));
    });
    receiver
}

struct Server {
    _process: Process,
    address: SocketAddr,
}

impl Server {
    async fn start() -> Self {
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("clients-{:?}", std::thread::current().id()));
        // What an earlier run left.
        let _ = std::fs::remove_dir_all(&data);
        let mut command = Command::new(env!("CARGO_BIN_EXE_tingjian"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        command.arg("--rules").arg(in_project("tests/clients"));
        let mut process = Process::start(&mut command);
        let line = process.line().await.unwrap();
        let address = line.strip_prefix("listening on http://").unwrap().parse().unwrap();
        Self { _process: process, address }
    }

    async fn connect(&self, path: &str) -> Socket {
        connect_async(format!("ws://{}{path}", self.address)).await.unwrap().0
    }

    /// A call in which the agent says `text`; done when the alert of it was pushed.
    async fn hear(&self, call_id: &str, text: &str) {
        let mut agent = self.connect(&format!("/v1/agents/{AGENT_IN_PATH}/alerts")).await;
        let mut producer = self.connect("/v1/ingest").await;
        for event in [
            json!({"type": "call.start", "call_id": call_id, "agent_id": AGENT, "started_at": "2026-11-21T10:00:00+08:00"}),
            json!({"type": "utterance", "call_id": call_id, "utterance_id": "u1", "role": "agent", "text": text,
                "start_ms": 1_000, "end_ms": 2_000, "final": true}),
        ] {
            producer.send(Message::text(event.to_string())).await.unwrap();
        }
        let is_alert = |message: &Value| message["type"] == "alert" && message["call_id"] == call_id;
        while !is_alert(&next(&mut agent).await) {}
    }
}

async fn next(socket: &mut Socket) -> Value {
    loop {
        match patiently("a message", socket.next()).await {
            Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            other => panic!("no text but {other:?}"),
        }
    }
}

/// Serves the page, and passes everything else on to the server, while it is open.
struct Front {
    address: SocketAddr,
    is_open: watch::Sender<bool>,
}

impl Front {
    async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (is_open, open) = watch::channel(true);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let open = open.clone();
                // A browser closes connections as it likes.
                tokio::spawn(async move { serve(stream, address, server, open).await.unwrap_or(()) });
            }
        });
        Self { address, is_open }
    }

    /// Cuts the connections there are and holds those to come, until it is opened.
    fn close(&self) {
        self.is_open.send_replace(false);
    }

    fn open(&self) {
        self.is_open.send_replace(true);
    }
}

async fn serve(
    mut stream: TcpStream,
    front: SocketAddr,
    server: SocketAddr,
    mut open: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let request = String::from_utf8_lossy(&head).into_owned();
    let target = request.split(' ').nth(1).unwrap_or_default();
    if target == "/crm" {
        return stream.write_all(&crm(front)).await;
    }
    let _ = open.wait_for(|open| *open).await;
    let mut upstream = TcpStream::connect(server).await?;
    upstream.write_all(&head).await?;
    tokio::select! {
        relayed = tokio::io::copy_bidirectional(&mut stream, &mut upstream) => relayed.map(drop),
        _ = open.wait_for(|open| !*open) => Ok(()),
    }
}

/// The answer to a request for the CRM's page, with the server's address and the
/// agent put in, as whoever copies it does.
fn crm(front: SocketAddr) -> Vec<u8> {
    let page = std::fs::read_to_string(in_project("examples/crm/index.html")).unwrap();
    let body = page.replace("127.0.0.1:8787", &front.to_string()).replace("a1003", AGENT);
    assert!(body.contains(AGENT) && body.contains(&front.to_string()), "the example names both");
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/html\r\ncontent-length: {length}\r\n\r\n");
    [head.into_bytes(), body.into_bytes()].concat()
}

#[tokio::test]
async fn python_replays_funasr_and_prints_alerts_across_a_break() {
    let server = Server::start().await;
    let front = Front::start(server.address).await;
    let url = format!("ws://{}", front.address);
    let mut agent = Process::python("agent.py", &[&url, AGENT, "--count", "3"]);
    agent.told("listening").await;

    let recording = in_project("fixtures/asr/funasr/python-2pass.jsonl");
    let replay = ["--call", "c1", "--agent", AGENT, "--role", "agent"];
    let replay = [&[url.as_str(), recording.to_str().unwrap()], &replay[..]].concat();
    let answers = Process::python("replay_funasr.py", &replay).succeeds().await;
    assert_eq!(answers, Vec::<String>::new(), "the server refused something");
    let first = agent.line().await.unwrap();

    front.close();
    agent.told("disconnected").await;
    server.hear("c2", "这个不清楚").await;
    front.open();
    agent.told("listening").await;
    server.hear("c3", "那个不清楚").await;

    let lines = [vec![first], agent.succeeds().await].concat();
    let alerts: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said: Vec<_> = alerts
        .iter()
        .map(|alert| {
            assert_eq!((&alert["rule_id"], &alert["agent_id"]), (&json!("clients.unclear"), &json!(AGENT)));
            let text = alert["evidence"][0]["text"].as_str().unwrap();
            (alert["call_id"].as_str().unwrap(), alert["state"].as_str().unwrap(), text)
        })
        .collect();
    assert_eq!(
        said,
        [("c1", "confirmed", "这个我不清楚。"), ("c2", "confirmed", "这个不清楚"), ("c3", "confirmed", "那个不清楚")]
    );
}

/// A page in a browser of its own, driven by the DevTools protocol.
struct Page {
    _browser: Process,
    devtools: Socket,
    session: Value,
    commands: u64,
}

impl Page {
    async fn open(url: &str) -> Self {
        let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chromium");
        // A profile that was not closed would be asked about.
        let _ = std::fs::remove_dir_all(&profile);
        let mut command = Command::new("chromium");
        // The sandbox needs rights that containers do not give; the page is our own.
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]);
        command.args(["--disable-background-networking", "--remote-debugging-port=0"]);
        command.arg(format!("--user-data-dir={}", profile.display()));
        let mut browser = Process::start(&mut command);
        let devtools = browser.told("DevTools listening on ").await;
        let devtools = connect_async(devtools).await.unwrap().0;
        let mut page = Self { _browser: browser, devtools, session: Value::Null, commands: 0 };
        let target = page.command("Target.createTarget", json!({"url": "about:blank"})).await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        page.session = page.command("Target.attachToTarget", attach).await["sessionId"].clone();
        page.command("Page.enable", json!({})).await;
        page.command("Page.navigate", json!({"url": url})).await;
        page
    }

    async fn command(&mut self, method: &str, params: Value) -> Value {
        self.commands += 1;
        let id = self.commands;
        let mut command = json!({"id": id, "method": method, "params": params});
        if !self.session.is_null() {
            command["sessionId"] = self.session.clone();
        }
        self.devtools.send(Message::text(command.to_string())).await.unwrap();
        loop {
            let mut answer = next(&mut self.devtools).await;
            if answer["id"] == id {
                assert_eq!(answer["error"], Value::Null, "{method}");
                return answer["result"].take();
            }
        }
    }

    /// The value of `expression` once it is not null, looked at whenever the document changes.
    async fn once(&mut self, expression: &str) -> Value {
        let waiting = format!(
            "new Promise(resolve => {{
                const look = () => {{ const value = {expression}; if (value !== null) resolve(value); }};
                const changes = new MutationObserver(look);
                // What happens inside the element, the document does not hear of.
                const panel = document.querySelector('tingjian-alerts')?.shadowRoot;
                for (const root of panel ? [document, panel] : [document]) {{
                    changes.observe(root, {{ attributes: true, childList: true, characterData: true, subtree: true }});
                }}
                look();
            }})"
        );
        let params = json!({"expression": waiting, "awaitPromise": true, "returnByValue": true});
        let mut result = self.command("Runtime.evaluate", params).await;
        assert_eq!(result["exceptionDetails"], Value::Null);
        result["result"]["value"].take()
    }

    /// Waits until the panel is there, and says that its connection is `link`.
    async fn link(&mut self, link: &str) {
        let params = json!({"expression": "customElements.whenDefined('tingjian-alerts').then(() => true)", "awaitPromise": true});
        self.command("Runtime.evaluate", params).await;
        self.once(&format!("{PANEL}.querySelector('[data-link={link}]') && true")).await;
    }

    /// The cards and lines of the panel, the earliest first, once there are `count`.
    async fn cards(&mut self, count: usize) -> Value {
        self.once(&format!(
            "(cards => cards.length < {count} ? null : cards.map(card => \
             [card.dataset.ruleId, card.dataset.state, card.querySelector('.message').textContent, \
             card.querySelector('.quote').textContent]))\
             ([...{PANEL}.querySelectorAll('article.card')])"
        ))
        .await
    }
}

/// The panel's own document.
const PANEL: &str = "document.querySelector('tingjian-alerts').shadowRoot";

#[tokio::test]
async fn a_browser_shows_alerts_as_text_across_a_break() {
    let server = Server::start().await;
    let front = Front::start(server.address).await;
    let mut page = Page::open(&format!("http://{}/crm", front.address)).await;
    page.link("open").await;
    server.hear("c1", "不清楚<b id='markup'>").await;
    let card = |text: &str| json!(["clients.unclear", "confirmed", "不要说“不清楚”", format!("坐席{text}")]);
    assert_eq!(page.cards(1).await, json!([card("不清楚<b id='markup'>")]));
    assert_eq!(page.once(&format!("String({PANEL}.getElementById('markup'))")).await, "null");

    front.close();
    page.link("closed").await;
    server.hear("c2", "这个不清楚").await;
    front.open();
    page.link("open").await;
    server.hear("c3", "那个不清楚").await;
    // Three calls at once: each has a tab, and says what came in it meanwhile.
    let tabs = page
        .once(&format!(
            "(tabs => tabs.length < 3 || tabs.filter(([, unread]) => unread).length < 2 ? null : tabs)\
             ([...{PANEL}.querySelectorAll('.tab')].map(tab => [tab.title, tab.querySelector('.unread')?.textContent ?? '']))"
        ))
        .await;
    assert_eq!(tabs, json!([["c1", ""], ["c2", "1"], ["c3", "1"]]));
}

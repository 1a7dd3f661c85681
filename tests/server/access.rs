//! Who gets in, over real sockets: tokens by role, pages of other sites, TLS,
//! limits, and rules that change under a running server. Nothing here sleeps:
//! every step waits for the message that shows it was done.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::harness::load;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{SinkExt as _, StreamExt as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;
use tingjian::engine::rule::RuleSet;
use tingjian::server::{self, Config, Rulebook};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Longer than any step takes; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

const INGEST: &str = "ingest-0123456789";
const QA: &str = "qa-0123456789abcdef";
const ADMIN: &str = "admin-0123456789";
const METRICS: &str = "metrics-0123456789";
const AGENT: &str = "agent-0123456789";
const STRANGER: &str = "stranger-0123456789";
const AGENT_SECRET: &str = "the-secret-that-signs-tokens-of-agents";
/// The SHA-256 of `hashed-0123456789`, an admin's token.
const HASHED: (&str, &str) =
    ("hashed-0123456789", "sha256:41c20dc337006b142b598a1afd823c38abfe8ebeb68d23805f61c05b8bf73968");

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinHandle<std::io::Result<()>>,
    /// Removed with the test.
    _data: TempDir,
}

impl Server {
    async fn start(config: &str) -> Self {
        Self::with_rules(config, Arc::new(RuleSet::empty())).await
    }

    async fn with_rules(config: &str, rules: impl Into<Rulebook>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let data = TempDir::new().unwrap();
        let config = Config { data: data.path().to_owned(), ..Config::from_toml(config).unwrap() };
        let server = server::Server::open(config, rules, address).unwrap();
        let running = tokio::spawn(server.run(listener, shutdown));
        Self { address, stop, running, _data: data }
    }

    /// The answer to a plain request.
    async fn request(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        request(TcpStream::connect(self.address).await.unwrap(), method, target, headers).await
    }

    async fn get(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.request("GET", target, headers).await
    }

    async fn connect(&self, target: &str, headers: &[(&str, &str)]) -> WebSocketStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let mut request = format!("ws://{}{target}", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            let name = tungstenite::http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        client_async(request, stream).await.unwrap().0
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        tokio::time::timeout(PATIENCE, self.running).await.unwrap().unwrap().unwrap();
    }
}

/// What the server answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether the layer of access let the request pass to its route.
    fn is_admitted(&self) -> bool {
        !matches!(self.status, 401 | 403)
    }
}

async fn request(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let mut text = format!("{method} {target} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        text.push_str("host: localhost\r\n");
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    exchange(stream, &text).await
}

/// The answer to a request as it goes over the wire.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, text: &str) -> Answer {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A server that answers before it has read everything may reset the connection behind its answer.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an answer comes");
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

/// The next text message.
async fn next<Stream: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<Stream>) -> Value {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.expect("a message comes") {
            Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            other => panic!("no text but {other:?}"),
        }
    }
}

fn start(call_id: &str, seq: u64) -> Value {
    json!({"type": "call.start", "call_id": call_id, "seq": seq, "agent_id": "a7", "started_at": "2026-11-21T10:00:00+08:00"})
}

fn utterance(call_id: &str, seq: u64, text: &str) -> Value {
    json!({"type": "utterance", "call_id": call_id, "seq": seq, "utterance_id": format!("u{seq}"), "role": "agent",
        "text": text, "start_ms": 100 * seq, "end_ms": 100 * seq + 90, "final": true})
}

fn tokens() -> String {
    format!(
        "[tokens]\ningest = [\"{INGEST}\"]\nqa = [\"{QA}\"]\nadmin = [\"{ADMIN}\", \"{}\"]\nmetrics = [\"{METRICS}\"]\n\
         agent_secret = \"{AGENT_SECRET}\"\n[tokens.agents]\na7 = [\"{AGENT}\"]\n\"甲.1\" = [\"{AGENT}\"]\n",
        HASHED.1
    )
}

/// A token as the documentation says that a CRM may make it.
fn signed(agent_id: &str, expires_s: i64, secret: &str) -> String {
    let claim = URL_SAFE_NO_PAD.encode(format!("{agent_id}.{expires_s}"));
    let mut signer = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    signer.update(claim.as_bytes());
    format!("{claim}.{}", URL_SAFE_NO_PAD.encode(signer.finalize().into_bytes()))
}

/// Far beyond any run of this test.
const IN_THE_YEAR_2100: i64 = 4_102_444_800;

#[tokio::test]
async fn each_token_opens_what_its_role_may() {
    let server = Server::start(&tokens()).await;
    let signed_a7 = signed("a7", IN_THE_YEAR_2100, AGENT_SECRET);
    let signed_a8 = signed("a8", IN_THE_YEAR_2100, AGENT_SECRET);
    let agents = [AGENT, signed_a7.as_str()];
    let review = [QA, ADMIN, HASHED.0];
    // The path and the tokens that it takes; `None`: it takes everybody.
    let routes: &[(&str, Option<&[&str]>)] = &[
        ("/", None),
        ("/healthz", None),
        ("/readyz", None),
        ("/nowhere", None),
        ("/metrics", Some(&[METRICS, QA, ADMIN, HASHED.0])),
        ("/v1/ingest", Some(&[INGEST])),
        ("/v1/ingest/funasr?role=agent", Some(&[INGEST])),
        ("/v1/relay/funasr?role=agent", Some(&[INGEST])),
        ("/v1/agents/a7/alerts", Some(&[agents[0], agents[1], review[0], review[1], review[2]])),
        ("/v1/agents/%61%37/alerts", Some(&[agents[0], agents[1], review[0], review[1], review[2]])),
        ("/v1/agents/%E7%94%B2.1/alerts", Some(&[AGENT, review[0], review[1], review[2]])),
        ("/v1/agents/a8/alerts", Some(&[signed_a8.as_str(), review[0], review[1], review[2]])),
        ("/v1/agents/a7/desk", Some(&[agents[0], agents[1], review[0], review[1], review[2]])),
        ("/v1/agents/a8/desk", Some(&[signed_a8.as_str(), review[0], review[1], review[2]])),
        ("/v1/live", Some(&review)),
        ("/v1/calls/c1/watch", Some(&review)),
        ("/v1/calls/c1", Some(&review)),
        ("/v1/calls/c1/help", Some(&review)),
        ("/v1/calls/c1/take", Some(&review)),
        ("/v1/calls/c1/release", Some(&review)),
        ("/v1/calls/c1/monitor", Some(&review)),
        ("/v1/calls/c1/flags", Some(&review)),
        ("/v1/flags", Some(&review)),
        ("/v1/flags/1", Some(&review)),
        ("/v1/thresholds", Some(&review)),
        ("/v1/calls", Some(&review)),
        ("/v1/alerts", Some(&review)),
        ("/v1/scores", Some(&review)),
        ("/v1/statistics", Some(&review)),
        ("/v1/overview", Some(&review)),
        ("/v1/views", Some(&review)),
        ("/v1/views/1", Some(&review)),
        ("/v1/report", Some(&review)),
        ("/v1/report/send", Some(&[ADMIN, HASHED.0])),
        ("/v1/export", Some(&review)),
        ("/v1/export/calls", Some(&review)),
        ("/v1/quality", Some(&review)),
        ("/v1/audit", Some(&review)),
        ("/v1/alerts/x/reviews", Some(&review)),
        ("/v1/reviews", Some(&review)),
        ("/v1/reviews/open", Some(&review)),
        ("/v1/calls/c1/marks", Some(&review)),
        ("/v1/marks/kinds", Some(&review)),
        ("/v1/agents", Some(&review)),
        ("/v1/agents/a7/forms", Some(&[agents[0], agents[1], review[0], review[1], review[2]])),
        ("/v1/agents/a7/forms/1", Some(&[agents[0], agents[1], review[0], review[1], review[2]])),
        ("/v1/agents/a7/clips", Some(&[agents[0], agents[1], review[0], review[1], review[2]])),
        ("/v1/agents/a7/clips/1", Some(&[agents[0], agents[1], review[0], review[1], review[2]])),
        ("/v1/clips", Some(&review)),
        ("/v1/clips/1", Some(&review)),
        ("/v1/calibrations", Some(&review)),
        ("/v1/calibrations/1", Some(&review)),
        ("/v1/calibrations/1/cases/1", Some(&review)),
        ("/v1/calibrations/1/close", Some(&review)),
        ("/v1/forms", Some(&review)),
        ("/v1/forms/filled", Some(&review)),
        ("/v1/forms/filled/1", Some(&review)),
        ("/v1/forms/trend", Some(&review)),
        ("/v1/forms/export", Some(&review)),
        ("/v1/calls/c1/forms", Some(&review)),
        ("/v1/assignments", Some(&review)),
        ("/v1/assignments/1", Some(&review)),
        ("/v1/sampling", Some(&review)),
        ("/v1/search", Some(&review)),
        ("/v1/sampling/draws", Some(&[ADMIN, HASHED.0])),
        ("/v1/agents/a7/reviews", Some(&[agents[0], agents[1], review[0], review[1], review[2]])),
        ("/v1/agents/a7/day", Some(&[agents[0], agents[1], review[0], review[1], review[2]])),
        ("/v1/agents/a7/calls/c1", Some(&[agents[0], agents[1], review[0], review[1], review[2]])),
        ("/v1/agents/a7/history", Some(&[agents[0], agents[1], review[0], review[1], review[2]])),
        ("/v1/rules/versions", Some(&review)),
        ("/v1/rules/drafts", Some(&review)),
        ("/v1/rules/drafts/1", Some(&review)),
        ("/v1/quality/history", Some(&review)),
        ("/v1/openapi.json", None),
        ("/v1/rules", Some(&review)),
    ];
    for &(target, takes) in routes {
        for token in [INGEST, QA, ADMIN, HASHED.0, METRICS, AGENT, &signed_a7, &signed_a8, STRANGER] {
            let authorization = format!("Bearer {token}");
            let answer = server.get(target, &[("authorization", &authorization)]).await;
            let expected = match takes {
                Some(takes) if !takes.contains(&token) => Some(if token == STRANGER { 401 } else { 403 }),
                _ => None,
            };
            match expected {
                Some(status) => assert_eq!(answer.status, status, "{target} {token}: {answer:?}"),
                None => assert!(answer.is_admitted(), "{target} {token}: {answer:?}"),
            }
        }
        let answer = server.get(target, &[]).await;
        assert_eq!(answer.is_admitted(), takes.is_none(), "{target}: {answer:?}");
        if takes.is_some() {
            assert_eq!((answer.status, answer.json()["code"].as_str()), (401, Some("token_missing")), "{target}");
            assert!(answer.head.contains("www-authenticate: bearer"), "{answer:?}");
        }
    }
    // Who has no token is told so; a token that is not known is an error.
    assert_eq!(server.get("/v1/me", &[]).await.json()["roles"], json!([]));
    assert_eq!(server.get("/v1/me", &[("authorization", &format!("Bearer {STRANGER}"))]).await.status, 401);
    for (token, roles) in
        [(INGEST, "ingest"), (QA, "qa"), (ADMIN, "admin"), (METRICS, "metrics"), (&signed_a8, "agents")]
    {
        let me = server.get("/v1/me", &[("authorization", &format!("Bearer {token}"))]).await;
        assert_eq!(me.json()["roles"], json!([roles]), "{me:?}");
    }
    for (token, status) in [(ADMIN, 409), (QA, 403), (AGENT, 403), (STRANGER, 401)] {
        let answer = server.request("POST", "/v1/rules/reload", &[("authorization", &format!("Bearer {token}"))]).await;
        assert_eq!(answer.status, status, "{token}: {answer:?}");
    }
    for (token, status) in [(ADMIN, 409), (QA, 403), (INGEST, 403), (AGENT, 403), (STRANGER, 401)] {
        let answer = server.request("POST", "/v1/rules/learn", &[("authorization", &format!("Bearer {token}"))]).await;
        assert_eq!(answer.status, status, "{token}: {answer:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_token_that_is_forged_or_expired_is_refused() {
    let server = Server::start(&tokens()).await;
    let good = signed("a7", IN_THE_YEAR_2100, AGENT_SECRET);
    let (claim, signature) = good.split_once('.').unwrap();
    let later = URL_SAFE_NO_PAD.encode(format!("a7.{}", IN_THE_YEAR_2100 + 1));
    let cases = [
        (good.clone(), None),
        (signed("a7", 1_000_000_000, AGENT_SECRET), Some("token_expired")),
        (signed("a7", IN_THE_YEAR_2100, "another-secret-of-somebody-else-00"), Some("token_unknown")),
        (format!("{later}.{signature}"), Some("token_unknown")),
        (format!("{claim}."), Some("token_unknown")),
        (claim.to_owned(), Some("token_unknown")),
        (".".to_owned(), Some("token_unknown")),
        (format!("{good}.{good}"), Some("token_unknown")),
        (signed("", IN_THE_YEAR_2100, AGENT_SECRET), Some("token_unknown")),
    ];
    for (token, code) in cases {
        let answer = server.get("/v1/agents/a7/alerts", &[("authorization", &format!("Bearer {token}"))]).await;
        match code {
            Some(code) => assert_eq!((answer.status, answer.json()["code"].as_str()), (401, Some(code)), "{token}"),
            None => assert_eq!(answer.status, 426, "{answer:?}"),
        }
    }
    server.stop().await;
    // The command line makes the same tokens.
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    std::fs::write(&file, format!("# signs\n{AGENT_SECRET}\n")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tingjian"))
        .args(["token", "--agent", "a7", "--hours", "2"])
        .env("TINGJIAN_TOKENS__AGENT_SECRET", format!("{{ file = \"{}\" }}", file.display()))
        .output()
        .unwrap();
    let minted = String::from_utf8(output.stdout).unwrap();
    let server = Server::start(&tokens()).await;
    let answer = server.get("/v1/agents/a7/alerts", &[("authorization", &format!("bearer {}", minted.trim()))]).await;
    assert_eq!(answer.status, 426, "{answer:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_browser_may_put_its_token_elsewhere() {
    let server = Server::start(&tokens()).await;
    let in_query = |target: &str| format!("{target}?after=0&token={AGENT}");
    assert_eq!(server.get(&in_query("/v1/agents/a7/alerts"), &[]).await.status, 426);
    assert_eq!(server.get(&in_query("/v1/agents/a8/alerts"), &[]).await.status, 403);
    // Only where a browser cannot send a header.
    assert_eq!(server.get(&format!("/v1/rules?token={QA}"), &[]).await.status, 401);
    // A page that posts sends headers of its own.
    let post = server.request("POST", &in_query("/v1/agents/a7/alerts"), &[]).await;
    assert_eq!(post.status, 401, "{post:?}");
    // The first of header, subprotocol and address counts.
    let both = server.get(&in_query("/v1/agents/a7/alerts"), &[("authorization", &format!("Bearer {STRANGER}"))]).await;
    assert_eq!(both.status, 401);

    let protocols = format!("bearer, {AGENT}");
    let stream = TcpStream::connect(server.address).await.unwrap();
    let mut request = format!("ws://{}/v1/agents/a7/alerts", server.address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", protocols.parse().unwrap());
    let (_socket, answer) = client_async(request, stream).await.unwrap();
    assert_eq!(answer.headers()["sec-websocket-protocol"], "bearer");
    let _socket = server.connect(&in_query("/v1/agents/a7/alerts"), &[]).await;
    server.stop().await;
}

#[tokio::test]
async fn no_token_is_ever_logged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tingjian.toml");
    std::fs::write(&path, tokens()).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tingjian"))
        .args(["serve", "--listen", "127.0.0.1:0", "--config"])
        .arg(&path)
        .env("TINGJIAN_LOG", "trace")
        .current_dir(directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = child.stderr.take().unwrap();
    let logged = std::thread::spawn(move || {
        let mut text = String::new();
        log.read_to_string(&mut text).map(|_| text)
    });
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address: SocketAddr = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
    let forged = format!("{}-secret", signed("a7", 1, AGENT_SECRET));
    for token in [QA, AGENT, STRANGER, &forged] {
        for target in
            [format!("/v1/agents/a7/alerts?token={token}"), format!("/v1/rules?token={token}"), "/metrics".to_owned()]
        {
            let stream = TcpStream::connect(address).await.unwrap();
            request(stream, "GET", &target, &[("authorization", &format!("Bearer {token}"))]).await;
            let stream = TcpStream::connect(address).await.unwrap();
            request(stream, "GET", &target, &[("sec-websocket-protocol", &format!("bearer, {token}"))]).await;
        }
    }
    let status = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(status.success() && child.wait().unwrap().success());
    let logged = logged.join().unwrap().unwrap();
    assert!(logged.contains("request refused"), "{logged}");
    for secret in [INGEST, QA, ADMIN, AGENT, METRICS, STRANGER, &forged, AGENT_SECRET] {
        assert!(!logged.contains(secret), "{secret}: {logged}");
    }
}

#[tokio::test]
async fn pages_of_other_sites_are_refused() {
    let named = "allowed_origins = [\"https://crm.example.com\"]\n";
    let with_tokens = format!("{named}[tokens]\nqa = [\"{QA}\"]\n");
    let bearer = format!("Bearer {QA}");
    // The configuration, the host as the browser knows it, the origin of its page, and whether it may.
    let cases = [
        ("", "localhost", None, true),
        ("", "127.0.0.1:8787", None, true),
        ("", "[::1]:8787", None, true),
        ("", "tingjian", None, true),
        ("", "localhost:8787", Some("http://localhost:8787"), true),
        ("", "localhost", Some("http://localhost:80"), true),
        ("", "localhost:8787", Some("http://localhost:3000"), false),
        ("", "localhost:8787", Some("https://evil.example"), false),
        ("", "localhost:8787", Some("null"), false),
        // A name that somebody made point here.
        ("", "evil.example:8787", Some("http://evil.example:8787"), false),
        ("", "evil.example:8787", None, false),
        (named, "localhost", Some("https://crm.example.com"), true),
        (named, "localhost", Some("http://crm.example.com"), false),
        (named, "localhost", Some("https://crm.example.com.evil.example"), false),
        (named, "crm.example.com", None, true),
        // Who has a token may call the server what he likes.
        (with_tokens.as_str(), "qa.example.com", None, true),
        (with_tokens.as_str(), "qa.example.com", Some("https://qa.example.com"), true),
        (with_tokens.as_str(), "qa.example.com", Some("https://crm.example.com"), true),
        (with_tokens.as_str(), "qa.example.com", Some("https://evil.example"), false),
    ];
    for (config, host, origin, may) in cases {
        let server = Server::start(config).await;
        for target in ["/", "/v1/rules", "/v1/calls/c1/watch"] {
            let mut headers = vec![("host", host), ("authorization", bearer.as_str())];
            headers.extend(origin.map(|origin| ("origin", origin)));
            let answer = server.get(target, &headers).await;
            assert_eq!(answer.is_admitted(), may, "{host} {origin:?} {target}: {answer:?}");
            let shared = answer.head.contains("access-control-allow-origin: https://crm.example.com");
            assert_eq!(shared, may && origin == Some("https://crm.example.com"), "{answer:?}");
        }
        server.stop().await;
    }
    let server = Server::start(&with_tokens).await;
    let preflight = |origin| [("origin", origin), ("access-control-request-method", "GET")];
    let answer = server.request("OPTIONS", "/v1/rules", &preflight("https://crm.example.com")).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert!(answer.head.contains("access-control-allow-headers: authorization"), "{answer:?}");
    let answer = server.request("OPTIONS", "/v1/rules", &preflight("https://evil.example")).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    server.stop().await;
}

/// Certificate and key for `localhost` in a directory, and what trusts them.
fn certificate(directory: &Path) -> (PathBuf, PathBuf, TlsConnector) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (directory.join("server.crt"), directory.join("server.key"));
    std::fs::write(&certificate, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (certificate, key, TlsConnector::from(Arc::new(client)))
}

fn tls_config(certificate: &Path, key: &Path) -> String {
    format!("[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n", certificate.display(), key.display())
}

#[tokio::test]
async fn one_port_speaks_tls() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key, connector) = certificate(directory.path());
    let server = Server::start(&tls_config(&certificate, &key)).await;
    let secure = async || {
        let stream = TcpStream::connect(server.address).await.unwrap();
        connector.connect(ServerName::try_from("localhost").unwrap(), stream).await
    };
    let (mut socket, _) = client_async("wss://localhost/v1/ingest", secure().await.unwrap()).await.unwrap();
    socket.send(Message::text(start("c1", 1).to_string())).await.unwrap();
    assert_eq!(next(&mut socket).await["type"], "ack");

    // Who speaks plain HTTP is told so, and disturbs nobody.
    let plain = server.get("/healthz", &[]).await;
    assert!(plain.status == 400 && plain.body.contains("https://"), "{plain:?}");
    assert_eq!(request(secure().await.unwrap(), "GET", "/healthz", &[]).await.status, 200);
    socket.send(Message::text(utterance("c1", 2, "您好").to_string())).await.unwrap();
    assert_eq!(next(&mut socket).await["seq"], 2);
    server.stop().await;
}

#[tokio::test]
async fn who_does_not_shake_hands_counts_as_a_connection() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key, connector) = certificate(directory.path());
    let server = Server::start(&format!("connections_max = 1\n{}", tls_config(&certificate, &key))).await;
    let _silent = TcpStream::connect(server.address).await.unwrap();
    let stream = TcpStream::connect(server.address).await.unwrap();
    let mut secure = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    let answer = request(&mut secure, "GET", "/v1/me", &[]).await;
    assert!(answer.status == 503 && answer.body.contains("too_many_connections"), "{answer:?}");
    server.stop().await;
}

#[test]
fn certificates_that_cannot_be_used_say_why() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key, _) = certificate(directory.path());
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let missing = directory.path().join("missing.pem");
    let text = file("text.pem", "no PEM here\n");
    let broken = file("broken.pem", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
    let other = file("other.key", &KeyPair::generate().unwrap().serialize_pem());
    for (certificate, key, told) in [
        (&certificate, &key, None),
        (&missing, &key, Some(("missing.pem", "读不出来"))),
        (&certificate, &missing, Some(("missing.pem", "读不出来"))),
        (&text, &key, Some(("text.pem", "没有 PEM 格式的证书"))),
        (&broken, &key, Some(("broken.pem", "证书"))),
        (&certificate, &certificate, Some(("server.crt", "没有 PEM 格式的私钥"))),
        (&certificate, &other, Some(("other.key", "不匹配"))),
    ] {
        let config = Config::from_toml(&tls_config(certificate, key)).unwrap();
        let checked = server::check(&config, "127.0.0.1:1".parse().unwrap());
        match told {
            None => checked.unwrap(),
            Some((file, why)) => {
                let fault = checked.unwrap_err();
                assert!(fault.contains(file) && fault.contains(why), "{fault}");
            }
        }
    }
}

#[tokio::test]
async fn limits_are_told_and_cost_nothing_else() {
    let server = Server::start("utterance_chars_max = 4\nevents_per_second_max = 1\n").await;
    let mut socket = server.connect("/v1/ingest", &[]).await;
    // All of it is there when the server reads the first: the second and third must wait.
    for event in [start("c1", 1), utterance("c1", 2, "一二三四"), utterance("c1", 3, "一二三四五")] {
        socket.feed(Message::text(event.to_string())).await.unwrap();
    }
    socket.flush().await.unwrap();
    let mut answers = Vec::new();
    let is_refused = |answer: &&Value| answer["code"] == "utterance_too_long";
    let is_acked = |answer: &&Value| answer["type"] == "ack" && answer["seq"] == 2;
    while answers.iter().find(is_refused).is_none() || answers.iter().find(is_acked).is_none() {
        answers.push(next(&mut socket).await);
    }
    let slowed: Vec<&Value> = answers.iter().filter(|answer| answer["code"] == "slowed").collect();
    assert_eq!(slowed.len(), 1, "{answers:?}");
    let refused = answers.iter().find(is_refused).unwrap();
    assert_eq!((refused["call_id"].as_str(), refused["seq"].as_u64()), (Some("c1"), Some(3)));
    // The other way in has the same limit.
    let event = utterance("c1", 4, "一二三四五").to_string();
    let head =
        format!("POST /v1/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}", event.len());
    let stream = TcpStream::connect(server.address).await.unwrap();
    let answer = exchange(stream, &format!("{head}\r\n\r\n{event}")).await;
    assert_eq!((answer.status, &answer.json()["errors"][0]["code"]), (400, &json!("utterance_too_long")), "{answer:?}");

    let long = format!("/{}", "a".repeat(5_000));
    assert_eq!(server.get(&long, &[]).await.status, 414);
    let header = "a".repeat(20_000);
    assert_eq!(server.get("/", &[("x-long", &header)]).await.status, 431);
    let many: Vec<(String, String)> = (0..70).map(|number| (format!("x-{number}"), "a".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(server.get("/", &many).await.status, 431);
    server.stop().await;
}

/// Puts a text in the place of the rules, as editors do.
fn write(directory: &Path, text: &str) {
    let draft = directory.join("draft");
    std::fs::write(&draft, text).unwrap();
    std::fs::rename(draft, directory.join("rules.yaml")).unwrap();
}

fn forbidding(phrase: &str) -> String {
    format!(
        "pack: test\ntitle: 测试\nrules:\n  - id: test.one\n    name: 一\n    forbid: {{ any: [{phrase}] }}\n    message: 不要说\n"
    )
}

#[tokio::test]
async fn rules_change_all_or_not_at_all_and_calls_keep_theirs() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let first = forbidding("不知道");
    write(&path, &first);
    let source = path.clone();
    let server =
        Server::with_rules("", Rulebook::new(Vec::new(), move || load(&source.join("rules.yaml"))).unwrap()).await;
    let mut agent = server.connect("/v1/agents/a7/alerts", &[]).await;
    let mut producer = server.connect("/v1/ingest", &[]).await;
    producer.send(Message::text(start("before", 1).to_string())).await.unwrap();
    assert_eq!(next(&mut producer).await["type"], "ack");

    let second = forbidding("不知道, 不清楚");
    write(&path, &second);
    let answer = server.request("POST", "/v1/rules/reload", &[]).await;
    let outcome = answer.json();
    assert_eq!(answer.status, 200, "{outcome}");
    assert_eq!(
        (outcome["previous"].as_str(), outcome["version"].as_str()),
        (Some(&*first.len().to_string()), Some(&*second.len().to_string()))
    );
    assert_eq!(outcome["rules"], 1);

    write(&path, &second.replace("forbid:", "forbit:"));
    let answer = server.request("POST", "/v1/rules/reload", &[]).await;
    let outcome = answer.json();
    assert_eq!(answer.status, 422, "{outcome}");
    let place = &outcome["diagnostics"][0];
    assert_eq!(
        (place["file"].as_str(), place["line"].as_u64(), place["column"].as_u64()),
        (Some("rules.yaml"), Some(6), Some(5)),
        "{outcome}"
    );
    assert!(outcome["text"].as_str().unwrap().contains("rules.yaml:6:5"), "{outcome}");
    let report = server.get("/v1/rules", &[]).await.json();
    assert_eq!(report["version"], second.len().to_string(), "{report}");
    assert_eq!((&report["packs"]["test"], &report["last_reload"]["ok"]), (&json!(1), &json!(false)), "{report}");
    let metrics = server.get("/metrics", &[]).await.body;
    assert!(metrics.contains("tingjian_rules_reloads_total{result=\"failed\"} 1"), "{metrics}");
    assert!(metrics.contains("tingjian_rules_valid 0"), "{metrics}");

    // The call that began under the first rules goes on under them.
    producer.send(Message::text(start("after", 1).to_string())).await.unwrap();
    for call_id in ["before", "after"] {
        producer.send(Message::text(utterance(call_id, 2, "这个不清楚").to_string())).await.unwrap();
        producer.send(Message::text(utterance(call_id, 30, "这个不知道").to_string())).await.unwrap();
    }
    let mut alerts = Vec::new();
    while alerts.len() < 3 {
        let alert = next(&mut agent).await;
        if alert["type"] == "alert" {
            alerts.push((alert["call_id"].clone(), alert["rules_version"].clone()));
        }
    }
    let of = |call_id: &str| {
        alerts.iter().filter(|(call, _)| call == call_id).map(|(_, version)| version.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("before"), [json!(first.len().to_string())]);
    assert_eq!(of("after"), [json!(second.len().to_string()), json!(second.len().to_string())]);

    write(&path, &first);
    assert_eq!(server.request("POST", "/v1/rules/reload", &[]).await.status, 200);
    assert!(server.get("/metrics", &[]).await.body.contains("tingjian_rules_valid 1"));
    server.stop().await;
}

#[tokio::test]
async fn rules_are_read_when_their_file_changes() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("rules");
    std::fs::create_dir(&path).unwrap();
    let first = forbidding("不知道");
    write(&path, &first);
    let source = path.clone();
    let server =
        Server::with_rules("", Rulebook::new(vec![path.clone()], move || load(&source.join("rules.yaml"))).unwrap())
            .await;
    assert_eq!(server.get("/v1/rules", &[]).await.json()["last_reload"], Value::Null);
    let in_use = async |version: usize| {
        let version = version.to_string();
        let waiting = async { while server.get("/v1/rules", &[]).await.json()["version"] != version {} };
        tokio::time::timeout(PATIENCE, waiting).await.expect("the rules are read");
    };
    let second = forbidding("不知道, 不清楚");
    write(&path, &second);
    in_use(second.len()).await;
    assert_eq!(server.get("/v1/rules", &[]).await.json()["last_reload"]["trigger"], "change");
    // Another directory in its place is watched as well.
    let other = parent.path().join("other");
    std::fs::create_dir(&other).unwrap();
    write(&other, &first);
    std::fs::rename(&path, parent.path().join("old")).unwrap();
    std::fs::rename(&other, &path).unwrap();
    in_use(first.len()).await;
    write(&path, &second);
    in_use(second.len()).await;
    server.stop().await;
}

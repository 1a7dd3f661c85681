//! Public clients of recognisers, directly and through the relay: both ends see the same messages, and the agent
//! the alert. And the example that carries Asterisk's sound to a recogniser. `scripts/test` installs the clients.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use crate::harness::{PATIENCE, Server, Socket, next};

/// A recogniser that answers sound with what was recorded.
struct Recorded {
    answers: Vec<&'static str>,
    /// The message that ends the sound.
    end: &'static str,
    last: &'static str,
}

const FUNASR: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/asr/funasr/cpp-2pass.jsonl"));
const SHERPA: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/asr/sherpa-onnx/cpp.jsonl"));

impl Recorded {
    /// Serves every connection; what each client sent is told when it is gone.
    async fn serve(self) -> (SocketAddr, mpsc::Receiver<Vec<Message>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, told) = mpsc::channel(16);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tell.send(self.session(stream).await).await.unwrap();
            }
        });
        (address, told)
    }

    async fn session(&self, stream: TcpStream) -> Vec<Message> {
        #[allow(clippy::result_large_err)]
        let choose = |request: &Request, mut response: Response| {
            if let Some(offered) = request.headers().get("sec-websocket-protocol") {
                response.headers_mut().insert("sec-websocket-protocol", offered.clone());
            }
            Ok(response)
        };
        let mut socket = accept_hdr_async(stream, choose).await.unwrap();
        let (mut sent, mut answers) = (Vec::new(), self.answers.iter());
        while let Some(Ok(message)) = socket.next().await {
            match &message {
                Message::Binary(_) => {
                    if let Some(answer) = answers.next() {
                        socket.send(Message::text(*answer)).await.unwrap();
                    }
                }
                Message::Text(text) if text.contains(self.end) => {
                    for answer in answers.by_ref().chain([&self.last]) {
                        socket.send(Message::text(*answer)).await.unwrap();
                    }
                }
                Message::Close(_) => break,
                _ => {}
            }
            sent.push(message);
        }
        sent
    }
}

/// What stands before the server where a client can name no path: it puts one in, as a reverse proxy would.
async fn front(server: SocketAddr, path: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(server).await.unwrap();
            tokio::spawn(async move {
                let mut line = Vec::new();
                while !line.ends_with(b"\r\n") {
                    line.push(client.read_u8().await.unwrap());
                }
                assert!(line.starts_with(b"GET / "), "{}", String::from_utf8_lossy(&line));
                server.write_all(format!("GET {path} HTTP/1.1\r\n").as_bytes()).await.unwrap();
                // Whoever is gone first ends it.
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    address
}

fn installed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../clients/bin").join(name)
}

/// 1.2 seconds of a tone, 16 kHz, 16 bits, one channel.
fn sound(directory: &TempDir) -> PathBuf {
    let samples: Vec<u8> = (0..19_200_i32).flat_map(|at| ((at % 80 - 40) * 200).to_le_bytes()[..2].to_vec()).collect();
    let mut wav = Vec::new();
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + samples.len() as u32).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend_from_slice(&16_000_u32.to_le_bytes());
    wav.extend_from_slice(&32_000_u32.to_le_bytes());
    wav.extend_from_slice(b"\x02\0\x10\0data");
    wav.extend_from_slice(&(samples.len() as u32).to_le_bytes());
    wav.extend_from_slice(&samples);
    let path = directory.path().join("tone.wav");
    std::fs::write(&path, wav).unwrap();
    path
}

/// What a client prints, once it ended well.
async fn printed(mut command: Command) -> Vec<String> {
    let running = tokio::task::spawn_blocking(move || {
        let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| {
            panic!("{:?}: {error}; scripts/test installs it", command.get_program());
        });
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(str::to_owned).collect()
    });
    tokio::time::timeout(PATIENCE, running).await.expect("the client ends").unwrap()
}

async fn sent(told: &mut mpsc::Receiver<Vec<Message>>) -> Vec<Message> {
    tokio::time::timeout(PATIENCE, told.recv()).await.expect("the client is gone").unwrap()
}

async fn alert(agent: &mut Socket) -> Value {
    loop {
        let message = next(agent).await;
        if message["type"] == "alert" {
            return message;
        }
    }
}

#[tokio::test]
async fn funasr_client_says_and_hears_the_same_through_the_relay() {
    let recorded = Recorded {
        answers: FUNASR.lines().filter(|line| line.contains("\"is_final\":false")).collect(),
        end: "\"is_speaking\": false",
        last: r#"{"is_final":true,"mode":"2pass-offline","text":"这个我不知道。","wav_name":"tone.wav"}"#,
    };
    assert!(recorded.answers.len() > 2, "{:?}", recorded.answers);
    let (recogniser, mut told) = recorded.serve().await;
    let server = Server::start(&format!("[relay.funasr]\nurl = \"ws://{recogniser}\"\n")).await;
    let mut agent = server.connect("/v1/agents/a7/alerts").await;
    let directory = TempDir::new().unwrap();
    let file = sound(&directory);
    let client = |url: String| {
        let mut command = Command::new(installed("funasr-client"));
        // Its client without `async` hangs now and then.
        command.arg(url).arg(&file).arg("--async");
        printed(command)
    };
    let direct = client(format!("ws://{recogniser}")).await;
    let relayed = client(format!("ws://{}/v1/relay/funasr?call_id=c1&agent_id=a7&role=agent", server.address)).await;
    assert!(direct.concat().contains("这个我不知道"), "{direct:?}");
    assert_eq!(relayed, direct);
    let (direct, relayed) = (sent(&mut told).await, sent(&mut told).await);
    assert!(direct.len() > 2, "{direct:?}");
    assert_eq!(relayed, direct);
    assert_eq!(alert(&mut agent).await["call_id"], "c1");
    server.stop().await;
}

#[tokio::test]
async fn the_client_of_sherpa_onnx_says_and_hears_the_same_through_the_relay() {
    let results: Vec<&str> = SHERPA.lines().filter(|line| line.contains("\"text\"")).collect();
    let recorded = Recorded { answers: results, end: "Done", last: "Done!" };
    let (recogniser, mut told) = recorded.serve().await;
    let server = Server::start(&format!("[relay.sherpa-onnx]\nurl = \"ws://{recogniser}\"\n")).await;
    let mut agent = server.connect("/v1/agents/a7/alerts").await;
    let before = front(server.address, "/v1/relay/sherpa-onnx?call_id=c1&agent_id=a7&role=agent").await;
    let directory = TempDir::new().unwrap();
    let file = sound(&directory);
    let client = |address: SocketAddr| {
        let mut command = Command::new(installed("sherpa-onnx-online-websocket-client"));
        command.arg(format!("--server-port={}", address.port())).args(["--samples-per-message=1600"]);
        command.arg("--seconds-per-message=0.01").arg(&file);
        printed(command)
    };
    let direct = client(recogniser).await;
    let relayed = client(before).await;
    assert_eq!(relayed, direct);
    let (direct, relayed) = (sent(&mut told).await, sent(&mut told).await);
    assert!(direct.len() > 2, "{direct:?}");
    assert_eq!(relayed, direct);
    let (status, call) = server.request("GET", "/v1/calls/c1", "").await;
    assert_eq!(status, 200, "{call}");
    assert!(call.to_string().contains("请您稍等"), "{call}");
    drop(agent.close(None).await);
    server.stop().await;
}

/// Asterisk's side of AudioSocket.
fn audio_socket(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind], &length[..], payload].concat()
}

#[tokio::test]
async fn asterisks_sound_reaches_the_recogniser_and_the_alert_its_agent() {
    let recorded = Recorded {
        answers: Vec::new(),
        end: "\"is_speaking\": false",
        last: r#"{"is_final":true,"mode":"2pass-offline","text":"这个我不知道。","wav_name":"agent"}"#,
    };
    let (recogniser, mut told) = recorded.serve().await;
    let server = Server::start(&format!("[relay.funasr]\nurl = \"ws://{recogniser}\"\n")).await;
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/python/audiosocket_funasr.py");
    let mut carrier = Command::new(installed("python"))
        .arg(example)
        .arg(format!("ws://{}", server.address))
        .args(["--customer", "0", "--agent", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(carrier.stdout.take().unwrap()).lines();
    let mut ports = std::collections::BTreeMap::new();
    for _ in 0..2 {
        let line = lines.next().unwrap().unwrap();
        let (role, port) = line.split_once(' ').unwrap();
        ports.insert(role.to_owned(), port.parse::<u16>().unwrap());
    }
    let call_id = "01234567-89ab-cdef-0123-456789abcdef";
    let id: Vec<u8> = (0..16).map(|at| [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef][at % 8]).collect();
    let begun =
        json!({"type": "call.start", "call_id": call_id, "agent_id": "a7", "started_at": "2026-11-21T10:00:00+08:00"});
    assert_eq!(server.request("POST", "/v1/events", &begun.to_string()).await.0, 200);
    let mut agent = server.connect("/v1/agents/a7/alerts").await;
    for role in ["agent", "customer"] {
        let mut asterisk = TcpStream::connect(("127.0.0.1", ports[role])).await.unwrap();
        asterisk.write_all(&audio_socket(0x01, &id)).await.unwrap();
        let pieces: Vec<Vec<u8>> = (0..5_u8).map(|piece| vec![piece; 320]).collect();
        for piece in &pieces {
            asterisk.write_all(&audio_socket(0x10, piece)).await.unwrap();
        }
        // A key that is pressed is no sound.
        asterisk.write_all(&audio_socket(0x03, b"5")).await.unwrap();
        asterisk.write_all(&audio_socket(0x00, b"")).await.unwrap();
        if role == "agent" {
            assert_eq!(alert(&mut agent).await["call_id"], call_id);
        }
        drop(asterisk);
        let sent = sent(&mut told).await;
        let begin: Value = serde_json::from_str(sent[0].to_text().unwrap()).unwrap();
        assert_eq!((&begin["audio_fs"], &begin["wav_name"]), (&json!(8000), &json!(role)));
        let heard: Vec<_> =
            sent.iter().filter(|message| message.is_binary()).map(|message| message.clone().into_data()).collect();
        assert_eq!(heard, pieces);
    }
    carrier.kill().unwrap();
    carrier.wait().unwrap();
    server.stop().await;
}

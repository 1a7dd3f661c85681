//! A client and its recogniser with the server between them: nothing is changed on the way, and
//! what the recogniser hears is checked.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::harness::{PATIENCE, Process, Server, Socket, next, send, start, tell};
use futures_util::{SinkExt as _, StreamExt as _};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderMap;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, accept_async, accept_hdr_async, connect_async};

const RECORDED: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/asr/funasr/python-2pass.jsonl"));
const CALL: &str = "/v1/relay/funasr?call_id=c1&agent_id=a7&role=agent";

/// A recogniser of the test's.
struct Recogniser {
    listener: TcpListener,
    address: SocketAddr,
}

/// A recogniser's end of a stream, and the handshake that opened it.
struct Taken {
    socket: WebSocketStream<TcpStream>,
    target: String,
    headers: HeaderMap,
}

impl Recogniser {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    fn config(&self) -> String {
        format!("[relay.funasr]\nurl = \"ws://{}/asr?key=k1\"\n", self.address)
    }

    /// Takes a connection, and the first subprotocol that it offers.
    async fn accept(&self) -> Taken {
        let (stream, _) = self.listener.accept().await.unwrap();
        let (mut target, mut headers) = (String::new(), HeaderMap::new());
        #[allow(clippy::result_large_err)]
        let note = |request: &Request, mut response: Response| {
            target = request.uri().to_string();
            headers = request.headers().clone();
            if let Some(offered) = headers.get("sec-websocket-protocol") {
                response.headers_mut().insert("sec-websocket-protocol", offered.clone());
            }
            Ok(response)
        };
        let socket = accept_hdr_async(stream, note).await.unwrap();
        Taken { socket, target, headers }
    }

    /// A client at `path` of `server`, and this end of its stream.
    async fn relayed(&self, server: &Server, path: &str, headers: &[(&'static str, &str)]) -> (Socket, Taken) {
        let (client, taken) = tokio::join!(open(server.address, path, headers), self.accept());
        (client.unwrap(), taken)
    }
}

async fn open(address: SocketAddr, path: &str, headers: &[(&'static str, &str)]) -> Result<Socket, tungstenite::Error> {
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    connect_async(request).await.map(|(socket, _)| socket)
}

/// Status and body of a handshake that is refused.
async fn refused(server: &Server, path: &str) -> (u16, String) {
    match open(server.address, path, &[]).await {
        Err(tungstenite::Error::Http(answer)) => {
            let body = answer.body().clone().unwrap_or_default();
            (answer.status().as_u16(), String::from_utf8(body).unwrap())
        }
        other => panic!("not refused: {:?}", other.map(drop)),
    }
}

/// Sends `messages` from one end and expects the same at the other.
async fn passes<From, To>(
    from: &mut WebSocketStream<From>,
    to: &mut WebSocketStream<To>,
    messages: impl IntoIterator<Item = Message>,
) where
    From: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    To: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    for message in messages {
        let passing = async { tokio::join!(from.send(message.clone()), to.next()) };
        let (sent, received) = tokio::time::timeout(PATIENCE, passing).await.expect("it passes");
        sent.unwrap();
        assert_eq!(received.unwrap().unwrap(), message);
    }
}

fn recorded() -> impl Iterator<Item = Message> {
    RECORDED.lines().map(Message::text)
}

/// Waits until a metric has a value.
async fn counted(server: &Server, series: &str, value: u64) {
    let line = format!("{series} {value}");
    let counting = async { while !server.metrics().await.lines().any(|found| found == line) {} };
    if tokio::time::timeout(PATIENCE, counting).await.is_err() {
        panic!("{line} is not in\n{}", server.metrics().await);
    }
}

const UNCHECKED: &str = "tingjian_relay_unchecked_total{format=\"funasr\"}";

#[tokio::test]
async fn a_session_passes_untouched_and_is_checked() {
    let recogniser = Recogniser::start().await;
    let server = Server::start(&recogniser.config()).await;
    let mut agent = server.connect("/v1/agents/a7/alerts").await;
    let own = [("sec-websocket-protocol", "binary"), ("authorization", "Token k2"), ("x-nls-token", "k3")];
    let path = format!("{CALL}&lang=zh&producer=p1");
    let (mut client, mut taken) = recogniser.relayed(&server, &path, &own).await;
    assert_eq!(taken.target, "/asr?key=k1&lang=zh");
    for (name, value) in own {
        assert_eq!(taken.headers.get(name).unwrap(), value, "{name}");
    }
    assert_eq!(taken.headers.get("host").unwrap(), &recogniser.address.to_string());

    let audio = |bytes: usize| Message::binary((0..bytes).map(|at| (at % 251) as u8).collect::<Vec<u8>>());
    let sent = [
        Message::text(r#"{"mode":"2pass","chunk_size":[5,10,5],"is_speaking":true}"#),
        audio(960),
        audio(70_000),
        audio(2 << 20),
        Message::Ping("are you there".into()),
    ];
    passes(&mut client, &mut taken.socket, sent).await;
    // The recogniser's own answer to the ping.
    let pong = tokio::time::timeout(PATIENCE, async { tokio::join!(taken.socket.flush(), client.next()) });
    assert_eq!(pong.await.unwrap().1.unwrap().unwrap(), Message::Pong("are you there".into()));
    let beyond = [audio(300), Message::text("x".repeat(200_000)), Message::Ping("and you".into())];
    passes(&mut taken.socket, &mut client, recorded().chain(beyond)).await;

    let alert = loop {
        let message = next(&mut agent).await;
        if message["type"] == "alert" {
            break message;
        }
    };
    assert_eq!((&alert["rule_id"], &alert["call_id"]), (&json!("test.critical"), &json!("c1")), "{alert}");
    counted(&server, UNCHECKED, 2).await;
    counted(&server, "tingjian_relay_streams", 1).await;

    let close = CloseFrame { code: 1000.into(), reason: "挂断了".into() };
    client.close(Some(close.clone())).await.unwrap();
    assert_eq!(
        tokio::time::timeout(PATIENCE, async {
            loop {
                match taken.socket.next().await.unwrap().unwrap() {
                    Message::Close(frame) => break frame,
                    Message::Pong(_) => {}
                    other => panic!("{other:?}"),
                }
            }
        })
        .await
        .unwrap(),
        Some(close)
    );
    drop((client, taken));
    counted(&server, "tingjian_relay_streams", 0).await;
    let metrics = server.metrics().await;
    let of = |direction| {
        let series = format!("tingjian_relay_bytes_total{{direction=\"{direction}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse::<usize>().unwrap()
    };
    assert!(of("to_recogniser") > 2 << 20 && of("to_client") > 200_000 + RECORDED.len(), "{metrics}");
    server.stop().await;
}

#[tokio::test]
async fn a_close_of_the_recogniser_reaches_the_client() {
    let recogniser = Recogniser::start().await;
    let server = Server::start(&recogniser.config()).await;
    let (mut client, mut taken) = recogniser.relayed(&server, CALL, &[]).await;
    let close = CloseFrame { code: 4001.into(), reason: "额度用完 / out of quota".into() };
    taken.socket.close(Some(close.clone())).await.unwrap();
    let told = tokio::time::timeout(PATIENCE, client.next()).await.unwrap();
    assert_eq!(told.unwrap().unwrap(), Message::Close(Some(close)));
    server.stop().await;
}

#[tokio::test]
async fn a_recogniser_that_is_missing_or_refuses_is_told_over_http() {
    let recogniser = Recogniser::start().await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let config = format!("{}[relay.vosk]\nurl = \"ws://{gone}\"\n", recogniser.config());
    let server = Server::start(&config).await;

    let (status, body) = refused(&server, "/v1/relay/vosk?call_id=c1&role=agent").await;
    assert!(status == 502 && body.contains("upstream_unreachable") && !body.contains("127.0.0.1"), "{status} {body}");
    counted(&server, "tingjian_relay_upstream_errors_total", 1).await;
    let (status, body) = refused(&server, "/v1/relay/nls?call_id=c1&role=agent").await;
    assert!(status == 404 && body.contains("no_upstream") && body.contains("[relay.nls]"), "{status} {body}");
    let (status, body) = refused(&server, "/v1/relay/funasar?call_id=c1&role=agent").await;
    assert!(status == 404 && body.contains("unknown_format"), "{status} {body}");
    assert_eq!(server.get(CALL).await.0, 426);

    let refusing = async {
        let (mut stream, _) = recogniser.listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let answer = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 9\r\nset-cookie: a=b\r\n\r\nwrong key";
        stream.write_all(answer).await.unwrap();
        stream
    };
    let (told, _stream) = tokio::join!(refused(&server, CALL), refusing);
    assert_eq!(told, (401, "wrong key".to_owned()));
    counted(&server, "tingjian_relay_upstream_errors_total", 2).await;
    server.stop().await;
}

#[tokio::test]
async fn checking_that_refuses_leaves_the_stream_alone() {
    let recogniser = Recogniser::start().await;
    let server = Server::start(&format!("calls_max = 1\n{}", recogniser.config())).await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c0")).await;
    let messages = RECORDED.lines().count() as u64;
    let mut unchecked = 0;
    for (path, refused) in [
        // Neither the role nor the call is known: no message is checked.
        ("/v1/relay/funasr?call_id=c1&agent_id=a7&role=nobody", messages),
        ("/v1/relay/funasr?agent_id=a7&role=agent", messages),
        ("/v1/relay/funasr?call_id=c1&role=agent&offset_ms=-1", messages),
        // There is no room for the call.
        (CALL, messages),
    ] {
        let (mut client, mut taken) = recogniser.relayed(&server, path, &[]).await;
        passes(&mut client, &mut taken.socket, [Message::binary(vec![7; 9_600])]).await;
        passes(&mut taken.socket, &mut client, recorded()).await;
        unchecked += refused;
        counted(&server, UNCHECKED, unchecked).await;
        // And still it goes on.
        passes(&mut client, &mut taken.socket, [Message::text(r#"{"is_speaking":false}"#)]).await;
    }
    send(&mut producer, json!({"type": "call.end", "call_id": "c0", "seq": 2, "at_ms": 9_000})).await;
    server.stop().await;
}

#[tokio::test]
async fn our_token_stays_here_and_that_of_the_recogniser_passes() {
    const TOKEN: &str = "ingest-0123456789";
    let recogniser = Recogniser::start().await;
    let config = format!("[tokens]\ningest = [\"{TOKEN}\"]\n{}", recogniser.config());
    let server = Server::start(&config).await;
    assert_eq!(refused(&server, CALL).await.0, 401);

    let bearer = format!("Bearer {TOKEN}");
    let (_client, taken) = recogniser.relayed(&server, CALL, &[("authorization", &bearer)]).await;
    assert_eq!(taken.headers.get("authorization"), None);

    let offered = format!("bearer, {TOKEN}, binary");
    let (_client, taken) = recogniser.relayed(&server, CALL, &[("sec-websocket-protocol", &offered)]).await;
    assert_eq!(taken.headers.get("sec-websocket-protocol").unwrap(), "binary");

    let path = format!("{CALL}&token={TOKEN}&lang=zh");
    let (_client, taken) = recogniser.relayed(&server, &path, &[("authorization", "Bearer sk-of-the-cloud")]).await;
    assert_eq!(taken.headers.get("authorization").unwrap(), "Bearer sk-of-the-cloud");
    assert_eq!(taken.target, "/asr?key=k1&lang=zh");
    server.stop().await;
}

#[tokio::test]
async fn a_stop_says_goodbye_to_both_ends() {
    let recogniser = Recogniser::start().await;
    let server = Server::start(&recogniser.config()).await;
    let (mut client, mut taken) = recogniser.relayed(&server, CALL, &[]).await;
    passes(&mut taken.socket, &mut client, recorded()).await;
    let ends = async { tokio::join!(client.next(), taken.socket.next(), server.stop()) };
    let (client, recogniser, _) = tokio::time::timeout(PATIENCE, ends).await.unwrap();
    for end in [client, recogniser] {
        match end.unwrap().unwrap() {
            Message::Close(Some(frame)) => assert_eq!(u16::from(frame.code), 1001),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_recogniser_behind_tls_is_reached_and_checked() {
    let directory = TempDir::new().unwrap();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let roots = directory.path().join("roots.pem");
    std::fs::write(&roots, cert.pem()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(signing_key.serialize_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();

    let mut command = Process::serve();
    command.arg("--data").arg(directory.path().join("data")).env("SSL_CERT_FILE", &roots);
    let relay =
        format!("{{ funasr = {{ url = \"wss://localhost:{port}\" }}, vosk = {{ url = \"wss://127.0.0.1:{port}\" }} }}");
    let server = Process::start(command.env("TINGJIAN_RELAY", relay));
    let taking = async {
        let (stream, _) = listener.accept().await.unwrap();
        accept_async(acceptor.accept(stream).await.unwrap()).await.unwrap()
    };
    let (client, mut recogniser) = tokio::join!(open(server.address, CALL, &[]), taking);
    let mut client = client.unwrap();
    passes(&mut client, &mut recogniser, [Message::binary(vec![7; 9_600])]).await;
    passes(&mut recogniser, &mut client, recorded()).await;

    // A name that its certificate does not have.
    let taking = async {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream).await.map(drop).unwrap_err();
    };
    let (refused, ()) = tokio::join!(open(server.address, "/v1/relay/vosk?role=agent", &[]), taking);
    match refused {
        Err(tungstenite::Error::Http(answer)) => assert_eq!(answer.status().as_u16(), 502),
        other => panic!("not refused: {:?}", other.map(drop)),
    }
}

/// Text as a gzip file without compression: a block of at most 65 535 bytes that is stored as it is.
fn gzip(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    let crc = text.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xedb8_8320 })
    });
    [
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1][..],
        &length.to_le_bytes(),
        &(!length).to_le_bytes(),
        text,
        &(!crc).to_le_bytes(),
        &u32::from(length).to_le_bytes(),
    ]
    .concat()
}

fn of_volcengine(text: &str) -> Vec<u8> {
    let payload = gzip(text.as_bytes());
    [&[0x11, 0x91, 0x11, 0, 0, 0, 0, 2][..], &u32::try_from(payload.len()).unwrap().to_be_bytes(), &payload].concat()
}

fn of_aws(text: &str) -> Vec<u8> {
    let header = |name: &str, value: &str| {
        let length = u16::try_from(value.len()).unwrap().to_be_bytes();
        [&[u8::try_from(name.len()).unwrap()][..], name.as_bytes(), &[7], &length, value.as_bytes()].concat()
    };
    let headers = [header(":message-type", "event"), header(":event-type", "TranscriptEvent")].concat();
    let whole = 16 + headers.len() + text.len();
    let lengths = [whole, headers.len()].map(|length| u32::try_from(length).unwrap().to_be_bytes());
    [&lengths.concat()[..], &[0; 4], &headers, text.as_bytes(), &[0; 4]].concat()
}

#[tokio::test]
async fn results_in_binary_frames_pass_untouched_and_are_checked() {
    let said = "这个我不清楚。";
    let volcengine = json!({"result": {"text": said, "utterances": [{"text": said, "start_time": 300, "end_time": 900, "definite": true}]}});
    let aws = json!({"Transcript": {"Results": [{"ResultId": "r1", "StartTime": 0.3, "EndTime": 0.9, "IsPartial": false,
                     "Alternatives": [{"Transcript": said}]}]}});
    let recogniser = Recogniser::start().await;
    let address = recogniser.address;
    let config = format!("[relay.volcengine]\nurl = \"ws://{address}\"\n[relay.aws]\nurl = \"ws://{address}\"\n");
    let server = Server::start(&config).await;
    for (format, frame) in [("volcengine", of_volcengine(&volcengine.to_string())), ("aws", of_aws(&aws.to_string()))] {
        let agent_id = format!("of-{format}");
        let mut agent = server.connect(&format!("/v1/agents/{agent_id}/alerts")).await;
        let path = format!("/v1/relay/{format}?call_id={format}&agent_id={agent_id}&role=agent");
        let (mut client, mut taken) = recogniser.relayed(&server, &path, &[]).await;
        passes(&mut client, &mut taken.socket, [Message::binary(vec![0x11, 0x20, 0x10, 0, 7, 7])]).await;
        passes(&mut taken.socket, &mut client, [Message::binary(frame.clone())]).await;
        let alert = loop {
            let message = next(&mut agent).await;
            if message["type"] == "alert" {
                break message;
            }
        };
        assert_eq!((&alert["rule_id"], &alert["call_id"]), (&json!("test.critical"), &json!(format)), "{alert}");
        // What is no frame of the recogniser's passes all the same, and is counted.
        passes(&mut taken.socket, &mut client, [Message::binary(vec![7; 300]), Message::binary(frame)]).await;
        counted(&server, &format!("tingjian_relay_unchecked_total{{format=\"{format}\"}}"), 1).await;
    }
    server.stop().await;
}

//! The server over real WebSockets, on a port of its own for each test. Nothing
//! here sleeps: every step waits for the message that shows it was done.

use std::sync::Arc;

use crate::harness::{PATIENCE, Server, Socket, next, refusal, request_as, send};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tingjian::engine::rule::RuleSet;
use tingjian::server::CLOSE_SLOW;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{self, Message};

/// Starts a server that has no rules.
async fn start_server(config: &str) -> Server {
    Server::with_rules(config, Arc::new(RuleSet::empty())).await
}

/// The status and body of the answer to a producer's handshake that is refused.
async fn refused(server: &Server, path: &str) -> (u16, String) {
    match connect_async(format!("ws://{}{path}", server.address)).await {
        Err(tungstenite::Error::Http(response)) => {
            let status = response.status().as_u16();
            let body = response.into_body().unwrap_or_default();
            (status, String::from_utf8(body).unwrap())
        }
        other => panic!("{path} was not refused: {other:?}"),
    }
}

/// The code the server closes with, after what it still had to say.
async fn close_code(socket: &mut Socket) -> u16 {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.expect("the server closes") {
            Some(Ok(Message::Close(frame))) => return frame.map_or(1005, |frame| frame.code.into()),
            Some(Ok(_)) => {}
            other => panic!("no close but {other:?}"),
        }
    }
}

/// Reads acknowledgements of `call_id` until one covers `seq`.
async fn acked(socket: &mut Socket, call_id: &str, seq: u64) {
    loop {
        let message = next(socket).await;
        assert_eq!(message["type"], "ack", "{message}");
        if message["call_id"] == call_id && message["seq"].as_u64() >= Some(seq) {
            return;
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

#[tokio::test]
async fn a_pack_that_is_not_there_is_told_once_a_connection_and_counted() {
    let server = Server::start("").await;
    let known = server.get("/v1/rules").await.1;
    let known: Value = serde_json::from_str(&known).unwrap();
    let pack = known["packs"].as_object().unwrap().keys().next().unwrap().clone();
    let asks = |call_id: &str, name: &str| {
        let mut event = start(call_id, 1);
        event["packs"] = json!([name]);
        event
    };
    let mut producer = server.connect("/v1/ingest").await;
    send(&mut producer, asks("c1", &format!("{pack}s"))).await;
    let (mut told, mut acked) = (Vec::new(), 0);
    send(&mut producer, asks("c2", "nosuch")).await;
    send(&mut producer, asks("c3", &pack)).await;
    while acked < 3 {
        let message = next(&mut producer).await;
        if message["type"] == "ack" { acked += 1 } else { told.push(message) }
    }
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["type"], &told[0]["code"]), (&json!("error"), &json!("unknown_pack")));
    assert_eq!((&told[0]["call_id"], &told[0]["seq"]), (&json!("c1"), &Value::Null));
    let message = told[0]["message"].as_str().unwrap();
    assert!(message.contains(&format!("是不是 {pack}？")) && message.contains("did you mean"), "{message}");
    assert!(server.metrics().await.contains("tingjian_packs_unknown_total 2"), "{}", server.metrics().await);

    let body = format!("{}\n{}\n", asks("c4", "nosuch"), asks("c5", "nosuch"));
    let (status, answer) = server.request("POST", "/v1/events", &body).await;
    assert_eq!((status, &answer["accepted"], &answer["errors"]), (200, &json!(2), &json!([])));
    assert_eq!(answer["warnings"].as_array().unwrap().len(), 1);
    assert_eq!((&answer["warnings"][0]["line"], &answer["warnings"][0]["code"]), (&json!(1), &json!("unknown_pack")));

    let tried = json!({"dialogue": "坐席：您好", "call": {"packs": [format!("{pack}s")]}}).to_string();
    let (status, answer) = server.request("POST", "/v1/rules/try", &tried).await;
    assert_eq!((status, &answer["field"]), (400, &json!("call.packs")), "{answer}");
}

#[tokio::test]
async fn parameters_that_are_not_there_are_refused_with_what_was_meant() {
    let server = start_server("").await;
    for (path, told) in [
        ("/v1/ingest/funasr?call_id=c1&agent_id=a7&role=agent&offest_ms=3", "是不是 offset_ms？"),
        ("/v1/ingest/funasr?callid=c1&agent_id=a7&role=agent", "是不是 call_id？"),
        ("/v1/ingest?call_id=c1", "这个地址不带参数"),
    ] {
        let (status, body) = refused(&server, path).await;
        assert_eq!(status, 400, "{path}: {body}");
        assert!(body.contains(told), "{path}: {body}");
    }
    let (status, answer) = server.request("POST", "/v1/events?call_id=c1", &start("c1", 1).to_string()).await;
    assert_eq!((status, &answer["code"]), (400, &json!("invalid_query")), "{answer}");
}

#[tokio::test]
async fn events_are_acknowledged_and_resent_ones_too() {
    let server = start_server("").await;
    let mut producer = server.connect("/v1/ingest").await;
    send(&mut producer, start("c1", 1)).await;
    send(&mut producer, start("c2", 1)).await;
    for seq in 2..=40 {
        send(&mut producer, utterance("c1", seq, "您好")).await;
    }
    acked(&mut producer, "c1", 40).await;
    send(&mut producer, utterance("c1", 7, "您好")).await;
    let again = loop {
        let message = next(&mut producer).await;
        if message["call_id"] == "c1" {
            break message;
        }
    };
    assert_eq!((again["type"].as_str(), again["seq"].as_u64()), (Some("ack"), Some(7)));
    server.stop().await;
}

#[tokio::test]
async fn a_bad_frame_costs_only_itself() {
    let server = start_server("").await;
    let mut producer = server.connect("/v1/ingest").await;
    send(&mut producer, start("c1", 1)).await;
    acked(&mut producer, "c1", 1).await;
    let mut bad = utterance("c1", 2, "您好");
    bad["end_ms"] = json!(1);
    let oversized = " ".repeat(70_000);
    let cases: [(Message, &str); 5] = [
        (Message::text("{"), "invalid_json"),
        (Message::binary(vec![1, 2, 3]), "binary_frame"),
        (Message::text(bad.to_string()), "invalid_field"),
        (Message::text(oversized), "frame_too_large"),
        (Message::text(utterance("c9", 5, "您好").to_string()), "unknown_call"),
    ];
    for (frame, code) in cases {
        producer.send(frame).await.unwrap();
        let error = next(&mut producer).await;
        assert_eq!((error["type"].as_str(), error["code"].as_str()), (Some("error"), Some(code)), "{error}");
        match code {
            "invalid_field" => assert_eq!((error["call_id"].as_str(), error["seq"].as_u64()), (Some("c1"), Some(2))),
            "unknown_call" => assert_eq!((error["call_id"].as_str(), error["seq"].as_u64()), (Some("c9"), Some(5))),
            _ => {}
        }
    }
    send(&mut producer, utterance("c1", 3, "您好")).await;
    acked(&mut producer, "c1", 3).await;
    let (_, metrics) = server.get("/metrics").await;
    assert!(metrics.contains("tingjian_frames_refused_total{code=\"frame_too_large\"} 1"), "{metrics}");
    assert!(metrics.contains("tingjian_events_total{type=\"utterance\"} 1"), "{metrics}");
    assert!(metrics.contains("tingjian_calls_live 1"), "{metrics}");
    assert!(metrics.contains("tingjian_connections{kind=\"ingest\"} 1"), "{metrics}");
    assert!(!metrics.contains("c1"), "no call id is a label");
    server.stop().await;
}

#[tokio::test]
async fn calls_and_connections_have_limits() {
    let server = start_server("calls_max = 1\nconnections_max = 2\n").await;
    let mut producer = server.connect("/v1/ingest").await;
    send(&mut producer, start("c1", 1)).await;
    acked(&mut producer, "c1", 1).await;
    send(&mut producer, start("c2", 1)).await;
    assert_eq!(next(&mut producer).await["code"], "too_many_calls");
    let _second = server.connect("/v1/agents/a1/alerts").await;
    assert_eq!(refused(&server, "/v1/agents/a2/alerts").await.0, 503);
    server.stop().await;
}

#[tokio::test]
async fn one_producer_leaves_room_for_the_others() {
    let first = "first-0123456789";
    let second = "second-0123456789";
    let config = format!(
        "calls_per_token_max = 3\ncalls_per_connection_max = 2\ncall_linger_ms = 1\n[tokens]\ningest = [\"{first}\", \"{second}\"]\nqa = [\"qa-0123456789abcdef\"]\n"
    );
    let server = start_server(&config).await;
    let mut producers = Vec::new();
    for token in [first, first, second] {
        producers.push(server.connect(&format!("/v1/ingest?token={token}")).await);
    }
    for (producer, call, code) in [
        (0, "c1", None),
        (0, "c2", None),
        (0, "c3", Some("too_many_calls_of_connection")),
        (1, "c3", None),
        (1, "c4", Some("too_many_calls_of_token")),
        (2, "c4", None),
        (2, "c5", None),
    ] {
        let producer: &mut Socket = &mut producers[producer];
        send(producer, start(call, 1)).await;
        let answer = next(producer).await;
        assert_eq!((answer["call_id"].as_str(), answer["code"].as_str()), (Some(call), code), "{answer}");
    }
    let body: String = ["c6", "c7", "c8"].map(|call| format!("{}\n", start(call, 1))).concat();
    let (_, answer) = request_as(server.address, Some(second), "POST", "/v1/events", &body).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((&answer["accepted"], &answer["errors"][0]["code"]), (&json!(1), &json!("too_many_calls_of_token")));
    // A call that is closed makes room.
    let one = &mut producers[0];
    let mut supervisor = server.connect("/v1/calls/c1/watch?token=qa-0123456789abcdef").await;
    send(one, json!({"type": "call.end", "call_id": "c1", "seq": 2, "at_ms": 900})).await;
    acked(one, "c1", 2).await;
    assert_eq!(close_code(&mut supervisor).await, 1000);
    send(one, start("c9", 1)).await;
    acked(one, "c9", 1).await;
    server.stop().await;
}

#[tokio::test]
async fn one_address_leaves_room_for_the_others() {
    let server = start_server("connections_max = 3\nconnections_per_address_max = 1\n").await;
    let _first = server.connect("/v1/agents/a1/alerts").await;
    let (status, answer) = server.get("/v1/calls").await;
    assert!(status == 503 && answer.contains("too_many_connections_of_address"), "{answer}");
    assert_eq!(server.get("/healthz").await.0, 200, "health is told all the same");
    server.stop().await;
}

#[tokio::test]
async fn pages_for_operators_answer() {
    let server = start_server("").await;
    assert_eq!(server.get("/healthz").await.0, 200);
    assert_eq!(server.get("/readyz").await.0, 200);
    let (status, home) = server.get("/").await;
    assert!(status == 200 && home.contains("/assets/home/home.js"), "{home}");
    assert_eq!(server.get("/nowhere").await.0, 404);
    server.stop().await;
}

#[tokio::test]
async fn requests_that_cannot_be_served_say_why() {
    let server = start_server("").await;
    let (status, body) = refused(&server, "/v1/ingest/unheard-of?role=agent").await;
    assert!(status == 404 && body.contains("funasr"), "{body}");
    let (status, body) = refused(&server, "/v1/ingest/funasr?call_id=c1").await;
    assert!(status == 400 && body.contains("role"), "{body}");
    let (status, body) = refused(&server, "/v1/ingest/funasr?call_id=c1&agent_channel=0").await;
    assert!(status == 400 && body.contains("does not tell channels apart"), "{body}");
    let (status, body) = refused(&server, "/v1/ingest/funasr?role=robot").await;
    assert!(status == 400 && body.contains("customer"), "{body}");
    server.stop().await;
}

/// What every address of a stream takes in its place, and how the server closes
/// the connection that asks for it.
#[tokio::test]
async fn a_stream_that_is_refused_says_why_as_it_closes() {
    let server = start_server("").await;
    let long = format!("/v1/agents/a1/alerts?after={}", "1".repeat(4_096));
    for (path, code, told) in [
        ("/v1/agents/a1/alerts?after=yesterday", 4400, "after 必须是收到过的 cursor"),
        ("/v1/agents/a1/alerts?after=%FF", 4400, "after must be a cursor"),
        ("/v1/agents/%20/alerts", 4400, "agent_id"),
        ("/v1/agents/%20/desk", 4400, "agent_id"),
        ("/v1/calls/c1/watch", 4404, "没有这通通话"),
        ("/v1/calls/c1/watch", 4404, "no such call"),
        (long.as_str(), 4414, "at most"),
    ] {
        let (closed, reason) = refusal(server.connect(path).await).await;
        assert!(closed == code && reason.contains(told), "{path}: {closed} {reason}");
    }
    let mut subscribers = Vec::new();
    for _ in 0..16 {
        subscribers.push(server.connect("/v1/agents/a1/alerts").await);
    }
    let (closed, reason) = refusal(server.connect("/v1/agents/a1/alerts").await).await;
    assert!(closed == 4503 && reason.contains("too many subscribers"), "{closed} {reason}");
    server.stop().await;
}

/// The status line and headers, in lower case, of the answer to a request as it goes over the wire.
async fn head_of(server: &Server, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tokio::time::timeout(PATIENCE, stream.read_u8()).await.expect("an answer comes").unwrap());
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

#[tokio::test]
async fn a_handshake_that_is_none_is_answered_over_http() {
    const UPGRADE: &str = "connection: upgrade\r\nupgrade: websocket\r\n";
    const KEY: &str = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let server = start_server("").await;
    for path in [
        "/v1/ingest",
        "/v1/ingest/funasr?role=agent",
        "/v1/live",
        "/v1/agents/a1/alerts",
        "/v1/agents/a1/desk",
        "/v1/calls/c1/watch",
    ] {
        let head = head_of(&server, path, "").await;
        assert!(head.starts_with("http/1.1 426") && head.contains("sec-websocket-version: 13"), "{path}: {head}");
    }
    for path in ["/v1/ingest", "/v1/live", "/v1/agents/a1/alerts", "/v1/agents/a1/desk"] {
        let old = head_of(&server, path, &format!("{UPGRADE}{KEY}sec-websocket-version: 8\r\n")).await;
        assert!(old.starts_with("http/1.1 426") && old.contains("sec-websocket-version: 13"), "{path}: {old}");
        let keyed =
            async |keys: &str| head_of(&server, path, &format!("{UPGRADE}{keys}sec-websocket-version: 13\r\n")).await;
        let twice = format!("{KEY}{KEY}");
        for keys in [
            "",
            "sec-websocket-key:\r\n",
            "sec-websocket-key: key\r\n",
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ\r\n",
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZTE3\r\n",
            twice.as_str(),
        ] {
            let head = keyed(keys).await;
            assert!(head.starts_with("http/1.1 400"), "{path} {keys}: {head}");
        }
        assert!(keyed(KEY).await.starts_with("http/1.1 101"), "{path}");
    }
    server.stop().await;
}

/// A masked frame with the mask 0: its first byte, and what it carries.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

#[tokio::test]
async fn a_peer_that_breaks_the_protocol_is_told_how() {
    let server = start_server("").await;
    let mut producer = server.connect("/v1/ingest").await;
    send(&mut producer, start("c1", 1)).await;
    acked(&mut producer, "c1", 1).await;
    let unmasked = vec![0x81, 0x02, b'{', b'}'];
    // A header that announces more than any message may have; of its payload, only the beginning comes.
    let endless = [&[0x81, 0xff][..], &(1_u64 << 30).to_be_bytes(), &[0; 4], &[b'x'; 100_000]].concat();
    for path in [
        "/v1/ingest",
        "/v1/ingest/funasr?role=agent",
        "/v1/live",
        "/v1/agents/a7/alerts",
        "/v1/agents/a7/desk",
        "/v1/calls/c1/watch",
    ] {
        for (bytes, code) in [
            (unmasked.clone(), 1002),
            (frame(0x83, b"{}"), 1002),
            (frame(0xc1, b"{}"), 1002),
            (frame(0x80, b"{}"), 1002),
            (frame(0x09, b"{}"), 1002),
            (frame(0x81, b"\xff\xfe"), 1007),
            (endless.clone(), 1009),
        ] {
            let mut socket = server.connect(path).await;
            let tokio_tungstenite::MaybeTlsStream::Plain(stream) = socket.get_mut() else { panic!("it is plain") };
            stream.write_all(&bytes).await.unwrap();
            assert_eq!(close_code(&mut socket).await, code, "{path} {:x?}", &bytes[..2]);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_supervisor_sees_the_words_of_one_call() {
    let server = start_server("").await;
    let mut producer = server.connect("/v1/ingest").await;
    send(&mut producer, start("c1", 1)).await;
    send(&mut producer, start("c2", 1)).await;
    acked(&mut producer, "c1", 1).await;
    let mut supervisor = server.connect("/v1/calls/c1/watch").await;
    let hello = next(&mut supervisor).await;
    assert_eq!((hello["type"].as_str(), hello["agent_id"].as_str()), (Some("watching"), Some("a7")));
    send(&mut producer, utterance("c2", 2, "别人的话")).await;
    let said = utterance("c1", 2, "请您稍等");
    send(&mut producer, said.clone()).await;
    let mut seen = next(&mut supervisor).await;
    seen["seq"] = json!(2);
    assert_eq!(seen, said);
    server.stop().await;
    assert_eq!(close_code(&mut supervisor).await, 1001);
}

#[tokio::test]
async fn posts_that_are_never_finished_hold_nobody_up() {
    let server = start_server("").await;
    let mut stalled = Vec::new();
    // More than have a turn at once.
    for _ in 0..40 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("POST /v1/events HTTP/1.1\r\nhost: {}\r\ncontent-length: 1000\r\n\r\n{{", server.address);
        stream.write_all(head.as_bytes()).await.unwrap();
        stalled.push(stream);
    }
    let body = start("c1", 1).to_string();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let (host, length) = (server.address, body.len());
    let request = format!(
        "POST /v1/events HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut response)).await.expect("it has its turn").unwrap();
    assert!(response.starts_with("HTTP/1.1 200") && response.contains("\"accepted\":1"), "{response}");
    drop(stalled);
    server.stop().await;
}

#[tokio::test]
async fn refused_lines_of_a_post_are_capped_and_counted() {
    let server = start_server("").await;
    let body = format!("{}\n{}", "x\n".repeat(5_000), start("c1", 1));
    let (status, answer) = server.request("POST", "/v1/events", &body).await;
    assert_eq!((status, &answer["accepted"]), (400, &json!(1)), "a bad line costs only itself");
    assert_eq!(answer["errors"].as_array().unwrap().len(), 100);
    assert_eq!(answer["errors_more"], 4_900);
    server.stop().await;
}

#[tokio::test]
async fn a_full_server_still_tells_its_health() {
    let server = start_server("connections_max = 1\n").await;
    let mut producer = server.connect("/v1/ingest").await;
    for (path, expected) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/", 503), ("/v1/calls", 503)] {
        let (status, answer) = server.get(path).await;
        assert_eq!(status, expected, "{path}: {answer}");
        assert!(status == 200 || answer.contains("too_many_connections"), "{answer}");
    }
    send(&mut producer, start("c1", 1)).await;
    acked(&mut producer, "c1", 1).await;
    server.stop().await;
}

#[tokio::test]
async fn every_answer_is_what_it_says_it_is() {
    let server = start_server("").await;
    for path in ["/", "/healthz", "/v1/openapi.json", "/v1/calls", "/nowhere", "/v1/ingest"] {
        let head = head_of(&server, path, "").await;
        assert!(head.contains("x-content-type-options: nosniff"), "{path}: {head}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_call_is_closed_some_time_after_its_end() {
    let server = start_server("call_linger_ms = 1\n").await;
    let mut producer = server.connect("/v1/ingest").await;
    send(&mut producer, start("c1", 1)).await;
    acked(&mut producer, "c1", 1).await;
    let mut supervisor = server.connect("/v1/calls/c1/watch").await;
    send(&mut producer, json!({"type": "call.end", "call_id": "c1", "seq": 2, "at_ms": 900})).await;
    assert_eq!(close_code(&mut supervisor).await, 1000);
    let (_, metrics) = server.get("/metrics").await;
    assert!(metrics.contains("tingjian_calls_closed_total{reason=\"ended\"} 1"), "{metrics}");
    assert!(metrics.contains("tingjian_calls_live 0"), "{metrics}");
    server.stop().await;
}

#[tokio::test]
async fn a_call_is_closed_when_nothing_is_heard_of_it() {
    let server = start_server("call_idle_ms = 1\n").await;
    let mut producer = server.connect("/v1/ingest").await;
    send(&mut producer, start("c1", 1)).await;
    acked(&mut producer, "c1", 1).await;
    let is_closed =
        async { while !server.get("/metrics").await.1.contains("tingjian_calls_closed_total{reason=\"idle\"} 1") {} };
    tokio::time::timeout(PATIENCE, is_closed).await.expect("it is closed");
    assert_eq!(refusal(server.connect("/v1/calls/c1/watch").await).await.0, 4404);
    server.stop().await;
}

#[tokio::test]
async fn a_funasr_session_becomes_one_call() {
    let server = start_server("").await;
    let mut asr = server.connect("/v1/ingest/funasr?call_id=c1&agent_id=a7&role=agent").await;
    let online = |text: &str| json!({"is_final": false, "mode": "2pass-online", "text": text, "wav_name": "x"});
    // Something that is not FunASR's is told once, and shows that the call is there.
    send(&mut asr, json!({"hello": "started"})).await;
    assert_eq!(next(&mut asr).await["code"], "unrecognised");
    send(&mut asr, json!({"hello": "started"})).await;
    let mut supervisor = server.connect("/v1/calls/c1/watch").await;
    assert_eq!(next(&mut supervisor).await["agent_id"], "a7");

    send(&mut asr, online("您好")).await;
    send(&mut asr, online("请讲")).await;
    let offline = json!({"is_final": false, "mode": "2pass-offline", "text": "您好，请讲", "wav_name": "x",
        "timestamp": "[[200,400],[400,700],[900,1100],[1100,1400]]", "stamp_sents": ""});
    send(&mut asr, offline).await;
    let seen = [next(&mut supervisor).await, next(&mut supervisor).await, next(&mut supervisor).await];
    let texts = seen.each_ref().map(|said| said["text"].as_str().unwrap());
    assert_eq!(texts, ["您好", "您好请讲", "您好，请讲"]);
    assert_eq!(seen.each_ref().map(|said| said["final"].as_bool()), [Some(false), Some(false), Some(true)]);
    assert_eq!((seen[2]["start_ms"].as_i64(), seen[2]["end_ms"].as_i64()), (Some(200), Some(1_400)));
    assert_eq!(seen[0]["utterance_id"], seen[2]["utterance_id"]);

    // The other leg joins the call, and its utterances have ids of their own.
    let mut other = server.connect("/v1/ingest/funasr?call_id=c1&role=customer&offset_ms=5000").await;
    send(&mut other, online("喂")).await;
    let said = next(&mut supervisor).await;
    assert_eq!(said["role"], "customer");
    assert_ne!(said["utterance_id"], seen[0]["utterance_id"]);
    assert!(said["start_ms"].as_i64() >= Some(5_000), "{said}");
    // What it left open is settled when it goes.
    other.close(None).await.unwrap();
    let settled = next(&mut supervisor).await;
    assert_eq!((settled["text"].as_str(), settled["final"].as_bool()), (Some("喂"), Some(true)));

    // Lifecycle events may be mixed in, but only of this call.
    send(&mut asr, json!({"type": "call.hold", "call_id": "c2", "at_ms": 2000})).await;
    assert_eq!(next(&mut asr).await["code"], "wrong_call");
    send(&mut asr, json!({"type": "call.hold", "call_id": "c1", "seq": 9, "at_ms": 2000})).await;
    assert_eq!(next(&mut supervisor).await["type"], "call.hold");
    acked(&mut asr, "c1", 9).await;
    let (_, metrics) = server.get("/metrics").await;
    assert!(metrics.contains("tingjian_messages_unrecognised_total{format=\"funasr\"} 2"), "{metrics}");
    server.stop().await;
}

#[tokio::test]
async fn both_channels_of_a_recogniser_and_the_events_of_a_switch_are_one_call() {
    let server = start_server("").await;
    let mut asr = server.connect("/v1/ingest/deepgram?call_id=c1&agent_id=a7&agent_channel=0").await;
    let said = |channel: u32, text: &str| {
        json!({"type": "Results", "channel_index": [channel, 2], "start": 1.0, "duration": 1.5, "is_final": true,
            "speech_final": true, "channel": {"alternatives": [{"transcript": text, "confidence": 0.9}]}})
    };
    // Something unknown shows that the call is there.
    send(&mut asr, json!({"type": "News"})).await;
    assert_eq!(next(&mut asr).await["code"], "unrecognised");
    let mut supervisor = server.connect("/v1/calls/c1/watch").await;
    next(&mut supervisor).await;
    send(&mut asr, said(0, "请您稍等")).await;
    send(&mut asr, said(1, "好的")).await;
    let seen = [next(&mut supervisor).await, next(&mut supervisor).await];
    assert_eq!(seen.each_ref().map(|said| said["role"].as_str()), [Some("agent"), Some("customer")]);
    assert_ne!(seen[0]["utterance_id"], seen[1]["utterance_id"]);

    let mut switch = server.connect("/v1/ingest/freeswitch?call_id=c1").await;
    let answered = 1_795_226_400_000_000_i64;
    let event = |name: &str, ms: i64| {
        json!({"Event-Name": name, "Unique-ID": "b-1", "Call-Direction": "outbound",
            "Caller-Channel-Answered-Time": answered.to_string(),
            "Event-Date-Timestamp": (answered + ms * 1_000).to_string(),
            "Hangup-Cause": "NORMAL_CLEARING", "variable_sip_hangup_disposition": "recv_bye"})
    };
    send(&mut switch, event("CHANNEL_HOLD", 4_000)).await;
    send(&mut switch, event("CHANNEL_HANGUP_COMPLETE", 9_500)).await;
    let held = next(&mut supervisor).await;
    assert_eq!((held["type"].as_str(), held["at_ms"].as_i64()), (Some("call.hold"), Some(4_000)));
    let ended = next(&mut supervisor).await;
    assert_eq!((ended["type"].as_str(), ended["by"].as_str()), (Some("call.end"), Some("agent")));
    server.stop().await;
}

#[tokio::test]
async fn a_funasr_session_may_name_its_call_in_a_frame() {
    let server = start_server("").await;
    let mut asr = server.connect("/v1/ingest/funasr?role=agent").await;
    let words = json!({"is_final": false, "mode": "2pass-online", "text": "您好", "wav_name": "x"});
    send(&mut asr, words.clone()).await;
    assert_eq!(next(&mut asr).await["code"], "no_call");
    send(&mut asr, start("c1", 1)).await;
    acked(&mut asr, "c1", 1).await;
    let mut supervisor = server.connect("/v1/calls/c1/watch").await;
    next(&mut supervisor).await;
    send(&mut asr, words).await;
    assert_eq!(next(&mut supervisor).await["text"], "您好");
    server.stop().await;
}

#[tokio::test]
async fn a_slow_supervisor_is_closed_and_nobody_waits_for_him() {
    let server = start_server("").await;
    let mut producer = server.connect("/v1/ingest").await;
    send(&mut producer, start("c1", 1)).await;
    acked(&mut producer, "c1", 1).await;
    let mut supervisor = server.connect("/v1/calls/c1/watch").await;
    next(&mut supervisor).await;
    // More than the sockets' buffers and the queue hold together.
    let text = "话".repeat(9_000);
    let mut seq = 1;
    loop {
        for _ in 0..50 {
            seq += 1;
            send(&mut producer, utterance("c1", seq, &text)).await;
        }
        acked(&mut producer, "c1", seq).await;
        let (_, metrics) = server.get("/metrics").await;
        if metrics.contains("tingjian_subscribers_slow_total 1") {
            break;
        }
        assert!(seq < 5_000, "the supervisor is still not found slow");
    }
    assert_eq!(close_code(&mut supervisor).await, CLOSE_SLOW);
    server.stop().await;
}

#[tokio::test]
async fn a_shutdown_answers_what_was_taken() {
    let server = start_server("").await;
    let mut producer = server.connect("/v1/ingest").await;
    let mut agent = server.connect("/v1/agents/a7/alerts").await;
    send(&mut producer, start("c1", 1)).await;
    acked(&mut producer, "c1", 1).await;
    let address = server.address;
    server.stop().await;
    assert_eq!(close_code(&mut producer).await, 1001);
    assert_eq!(close_code(&mut agent).await, 1001);
    assert!(TcpStream::connect(address).await.is_err());
}

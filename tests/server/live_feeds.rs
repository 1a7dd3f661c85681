//! What those see who look on: all calls on the supervisors' wall, and an
//! agent's own on the desk, over real sockets. Nothing here sleeps: the calls'
//! clocks are moved by what happens in them, and every step waits for its frame.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::harness::{PATIENCE, Server, Socket, connect, next, next_or_end, refusal, says, send, start, tell};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tingjian::engine::rule::parse::SourceFile;
use tingjian::engine::rule::{self, RuleSet};
use tingjian::server::CLOSE_SLOW;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const RULES: [(&str, &str); 2] = [
    (
        "live.yaml",
        "pack: live\ntitle: 测试\nrules:\n\
         \x20 - { id: live.warning, name: 推诿, severity: warning, forbid: { any: [不知道] }, message: '不要说“{phrase}”' }\n\
         \x20 - { id: live.critical, name: 辱骂, severity: critical, forbid: { any: [没脑子] }, message: 不要说 }\n\
         \x20 - id: live.opening\n    name: 开场\n    require:\n      all:\n        - { name: 问候, any: [您好] }\n\
         \x20       - { name: 公司, any: [听检公司] }\n        - { name: 工号, any: [工号] }\n\
         \x20     after: { event: answered }\n      within: 60s\n      remind: 40s\n    message: 还缺：{missing}\n\
         \x20 - id: live.closing\n    name: 结束语\n    require: { any: [再见], before: { event: end }, within: 30s }\n    message: 未道别\n",
    ),
    (
        "trial.yaml",
        "pack: trial\ntitle: 试运行\nrules:\n\
         \x20 - { id: trial.critical, name: 试运行, severity: critical, forbid: { any: [不知道] }, message: 不要说 }\n\
         \x20 - { id: trial.owed, name: 试运行必说, require: { any: [祝您愉快], after: { event: answered }, within: 50s }, message: 未说 }\n",
    ),
];

fn rules() -> Arc<RuleSet> {
    let file = |(name, text): (&str, &str)| SourceFile { name: name.to_owned(), text: text.to_owned() };
    rule::load(&RULES.map(file), "v1".to_owned()).unwrap_or_else(|faults| panic!("{faults:?}")).rules
}

async fn serve(config: &str) -> Server {
    Server::with_rules(&format!("shadow_packs = [\"trial\"]\nshards = 2\n{config}"), rules()).await
}

/// A supervisor, and what he knows of all calls.
struct Wall {
    socket: Socket,
    calls: BTreeMap<String, Value>,
    /// Every call that he was told is gone.
    gone: Vec<String>,
    /// Every state that each call was shown in, in order, without repeats.
    states: BTreeMap<String, Vec<String>>,
}

impl Wall {
    async fn open(server: &Server) -> Self {
        let mut wall = Self {
            socket: server.connect("/v1/live").await,
            calls: BTreeMap::new(),
            gone: Vec::new(),
            states: BTreeMap::new(),
        };
        while wall.take().await {}
        wall
    }

    /// Takes one frame; says whether more of a snapshot follow.
    async fn take(&mut self) -> bool {
        let frame = shown(&mut self.socket).await;
        assert_eq!(frame["type"], "calls", "{frame}");
        for call_id in frame["gone"].as_array().unwrap() {
            let call_id = call_id.as_str().unwrap().to_owned();
            self.calls.remove(&call_id);
            self.gone.push(call_id);
        }
        for call in frame["calls"].as_array().unwrap() {
            let call_id = call["call_id"].as_str().unwrap().to_owned();
            let states = self.states.entry(call_id.clone()).or_default();
            let state = call["state"].as_str().unwrap();
            if states.last().is_none_or(|last| last != state) {
                states.push(state.to_owned());
            }
            self.calls.insert(call_id, call.clone());
        }
        frame["snapshot"] == true && frame["more"] == true
    }

    /// Waits until a call is as `wanted`.
    async fn until(&mut self, call_id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            if let Some(call) = self.calls.get(call_id).filter(|call| wanted(call)) {
                return call.clone();
            }
            self.take().await;
        }
    }

    async fn until_state(&mut self, call_id: &str, state: &str) -> Value {
        self.until(call_id, |call| call["state"] == state).await
    }
}

/// The next frame but for those of other kinds.
async fn shown(socket: &mut Socket) -> Value {
    loop {
        let frame = next(socket).await;
        if !["status", "hands", "thresholds"].iter().any(|other| frame["type"] == *other) {
            return frame;
        }
    }
}

/// Waits for a desk that is as `wanted`.
async fn desk_until(socket: &mut Socket, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let desk = shown(socket).await;
        assert_eq!(desk["type"], "desk", "{desk}");
        if wanted(&desk["calls"]) {
            return desk["calls"].clone();
        }
    }
}

fn happens(kind: &str, seq: u64, at_ms: u64) -> Value {
    json!({"type": kind, "call_id": "c1", "seq": seq, "at_ms": at_ms})
}

fn ends(call_id: &str, seq: u64, at_ms: u64) -> Value {
    json!({"type": "call.end", "call_id": call_id, "seq": seq, "at_ms": at_ms, "by": "customer"})
}

#[tokio::test]
async fn a_call_s_states_come_in_their_order() {
    let server = serve("").await;
    let mut wall = Wall::open(&server).await;
    assert_eq!(wall.calls.len(), 0, "the first frame tells that there is nothing");
    let mut producer = server.connect("/v1/ingest").await;
    tell(
        &mut producer,
        json!({"type": "call.start", "call_id": "c1", "seq": 1, "agent_id": "a7", "queue": "售后",
        "started_at": "2026-11-21T10:00:00+08:00", "direction": "outbound"}),
    )
    .await;
    // Somebody speaks for as long as it takes to be seen.
    let mut seq = 1;
    let talking = loop {
        seq += 1;
        tell(&mut producer, says("c1", seq, "您好")).await;
        wall.take().await;
        if let Some(call) = wall.calls.get("c1").filter(|call| call["state"] == "talking") {
            break call.clone();
        }
    };
    assert_eq!(
        (&talking["agent_id"], &talking["queue"], &talking["channel"], &talking["direction"], &talking["speaker"]),
        (&json!("a7"), &json!("售后"), &json!("voice"), &json!("outbound"), &json!("agent")),
    );
    assert_eq!((&talking["running"], &talking["worst"], &talking["owed"]), (&json!(true), &Value::Null, &json!(2)));
    seq += 1;
    tell(&mut producer, happens("call.hold", seq, 3_000 * seq)).await;
    let held = wall.until_state("c1", "hold").await;
    assert_eq!((held["clock_ms"].as_u64() >= Some(3_000 * seq), &held["speaker"]), (true, &Value::Null), "{held}");
    seq += 20;
    tell(&mut producer, happens("call.resume", seq, 3_000 * seq)).await;
    let warned = loop {
        seq += 1;
        tell(&mut producer, says("c1", seq, "这个不知道，电话13800138000")).await;
        wall.take().await;
        if let Some(call) = wall.calls.get("c1").filter(|call| call["state"] == "talking" && call["worst"] == "warning")
        {
            break call.clone();
        }
    };
    assert_eq!((&warned["alerts"]["critical"], &warned["alerts"]["info"]), (&json!(0), &json!(0)), "{warned}");
    assert!(warned["alerts"]["warning"].as_u64() >= Some(1), "{warned}");
    let last = &warned["last_alert"];
    assert_eq!(
        (&last["rule_name"], &last["severity"]),
        (&json!("推诿"), &json!("warning")),
        "not of the pack on trial"
    );
    assert_eq!(last["message"], "不要说“不知道”");
    assert_eq!(&warned["reason"]["message"], &last["message"], "{warned}");
    // News of an event moves the call's clock, but nobody speaks.
    let spoken = 3_000 * seq + 900;
    seq += 10;
    tell(&mut producer, happens("call.transfer", seq, 3_000 * seq)).await;
    let silent = wall.until_state("c1", "silent").await;
    assert!(silent["state_ms"].as_u64() >= Some(3_000 * seq - spoken), "{silent}");
    seq += 1;
    tell(&mut producer, ends("c1", seq, 3_000 * seq)).await;
    let ended = wall.until_state("c1", "ended").await;
    assert_eq!((&ended["clock_ms"], &ended["running"]), (&json!(3_000 * seq), &json!(false)));
    let mut order = wall.states["c1"].iter();
    for state in ["talking", "hold", "talking", "silent", "ended"] {
        assert!(order.any(|shown| shown == state), "{state} in {:?}", wall.states);
    }
    drop((producer, wall));
    server.stop().await;
}

#[tokio::test]
async fn a_row_names_the_alert_that_makes_it_as_bad_as_it_is() {
    let server = serve("").await;
    let mut wall = Wall::open(&server).await;
    let mut producer = server.connect("/v1/ingest").await;
    let mut begin = start("c1");
    begin["customer_name"] = json!("王女士13800138000");
    tell(&mut producer, begin).await;
    let named = |call: &Value| json!([call["reason"]["rule_name"], call["last_alert"]["rule_name"], call["worst"]]);
    // The graver one, though another came later; a minute and more halves it; at last the latest weighs most.
    for (seq, text, expected) in [
        (2, "你没脑子", json!(["辱骂", "辱骂", "critical"])),
        (4, "不知道", json!(["辱骂", "推诿", "critical"])),
        (32, "真不知道", json!(["辱骂", "推诿", "critical"])),
        (42, "还是不知道", json!(["推诿", "推诿", "critical"])),
    ] {
        tell(&mut producer, says("c1", seq, text)).await;
        let call = wall.until("c1", |call| call["last_alert"]["at_ms"].as_u64() >= Some(3_000 * seq)).await;
        assert_eq!(named(&call), expected, "{call}");
        assert_eq!(call["customer_name"], "王女士138****8000");
    }
    drop((producer, wall));
    server.stop().await;
}

#[tokio::test]
async fn a_call_that_is_closed_is_gone() {
    let server = serve("call_linger_ms = 1\n").await;
    let mut wall = Wall::open(&server).await;
    let mut desk = server.connect("/v1/agents/a7/desk").await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    wall.until("c1", |_| true).await;
    desk_until(&mut desk, |calls| calls.as_array().unwrap().len() == 1).await;
    tell(&mut producer, ends("c1", 2, 1_000)).await;
    while wall.gone.is_empty() {
        wall.take().await;
    }
    assert_eq!((wall.gone, wall.calls.len()), (vec!["c1".to_owned()], 0));
    desk_until(&mut desk, |calls| *calls == json!([])).await;
    drop((producer, wall.socket, desk));
    server.stop().await;
}

#[tokio::test]
async fn the_checklist_fills_as_the_words_are_said() {
    let server = serve("").await;
    let mut desk = server.connect("/v1/agents/a7/desk").await;
    assert_eq!(shown(&mut desk).await, json!({"type": "desk", "calls": []}));
    let mut alerts = server.connect("/v1/agents/a7/alerts").await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    tell(&mut producer, says("c1", 2, "您好请讲")).await;
    let is_said = |part: &Value| !part["said_at_ms"].is_null();
    let said = |calls: &Value, duty: usize| {
        let parts = calls[0]["checklist"][duty]["parts"].as_array().cloned().unwrap_or_default();
        parts.iter().filter(|part| is_said(part)).count()
    };
    let first = desk_until(&mut desk, |calls| said(calls, 0) == 1).await;
    let part = |name: &str, say: &str, said: Option<i64>| json!({"name": name, "say": say, "optional": false, "said_at_ms": said});
    let duty = |rule_id: &str, name: &str, due_ms: Option<i64>, parts: &[Value]| {
        json!({"rule_id": rule_id, "rule_name": name, "severity": "warning", "say": null, "in_order": false, "due_ms": due_ms,
            "state": "owed", "overdue": false, "parts": parts})
    };
    let opening = [part("问候", "您好", Some(6_000)), part("公司", "听检公司", None), part("工号", "工号", None)];
    let checklist = json!([
        duty("live.opening", "开场", Some(60_000), &opening),
        duty("live.closing", "结束语", None, &[part("结束语", "再见", None)]),
    ]);
    assert_eq!(first[0]["checklist"], checklist, "and nothing of the pack on trial");
    tell(&mut producer, says("c1", 3, "这里是听检公司")).await;
    desk_until(&mut desk, |calls| said(calls, 0) == 2).await;
    tell(&mut producer, happens("call.hold", 4, 10_000)).await;
    let held = desk_until(&mut desk, |calls| calls[0]["state"] == "hold").await;
    assert_eq!(held[0]["checklist"][0]["due_ms"], Value::Null, "a hold stops the clock of what is owed");
    tell(&mut producer, happens("call.resume", 5, 30_000)).await;
    // Close to the end of its time there is a reminder, and it says so.
    tell(&mut producer, says("c1", 14, "请稍等我查一下")).await;
    let reminder = shown(&mut alerts).await;
    assert_eq!((&reminder["state"], &reminder["due_ms"]), (&json!("reminder"), &json!(80_000)), "{reminder}");
    let resumed = desk_until(&mut desk, |calls| calls[0]["checklist"][0]["due_ms"] == 80_000).await;
    assert_eq!((&resumed[0]["hold_ms"], &resumed[0]["checklist"][0]["state"]), (&json!(20_000), &json!("owed")));
    tell(&mut producer, says("c1", 15, "我的工号是一零二四")).await;
    let full = desk_until(&mut desk, |calls| said(calls, 0) == 3).await;
    assert_eq!(full[0]["checklist"][0]["state"], "said");
    tell(&mut producer, says("c1", 16, "祝您愉快再见")).await;
    let closed = desk_until(&mut desk, |calls| said(calls, 1) == 1).await;
    assert_eq!(closed[0]["checklist"][1]["state"], "said");
    assert_eq!(server.ask::<i64>("SELECT count(*) FROM latest_alerts WHERE state = 'confirmed' AND pack = 'live'"), 0);
    drop((producer, desk, alerts));
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_said_in_time_is_missed() {
    let server = serve("").await;
    let mut desk = server.connect("/v1/agents/a7/desk").await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    tell(&mut producer, says("c1", 20, "请讲")).await;
    // The call's clock goes on by itself; nothing is said any more.
    let calls = desk_until(&mut desk, |calls| calls[0]["checklist"][0]["state"] == "missed").await;
    assert_eq!(calls[0]["checklist"][0]["overdue"], false);
    drop((producer, desk));
    server.stop().await;
}

#[tokio::test]
async fn a_call_is_on_the_desk_of_who_has_it() {
    let server = serve("").await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    let mut first = server.connect("/v1/agents/a7/desk").await;
    let mut second = server.connect("/v1/agents/a8/desk").await;
    let has = |calls: &Value, count: usize| calls.as_array().unwrap().len() == count;
    desk_until(&mut first, |calls| has(calls, 1)).await;
    assert_eq!(shown(&mut second).await["calls"], json!([]));
    // Another window of the same agent, later.
    let mut another = server.connect("/v1/agents/a7/desk").await;
    assert!(has(&shown(&mut another).await["calls"], 1));
    tell(&mut producer, happens("call.transfer", 2, 3_000)).await;
    let answered =
        json!({"type": "call.transfer_answered", "call_id": "c1", "seq": 3, "at_ms": 4_000, "agent_id": "a8"});
    tell(&mut producer, answered).await;
    for desk in [&mut first, &mut another] {
        desk_until(desk, |calls| has(calls, 0)).await;
    }
    let calls = desk_until(&mut second, |calls| has(calls, 1)).await;
    assert_eq!(calls[0]["call_id"], "c1");
    drop((producer, first, second, another));
    server.stop().await;
}

#[tokio::test]
async fn a_thousand_calls_and_who_joins_midway_sees_what_the_others_see() {
    const CALLS: usize = 1_000;
    let server = serve("").await;
    let mut wall = Wall::open(&server).await;
    let mut producer = server.connect("/v1/ingest").await;
    for call in 0..CALLS {
        // Each is acknowledged; the window of the connection is wide enough for a piece of them.
        send(
            &mut producer,
            json!({"type": "call.start", "call_id": format!("c{call}"), "agent_id": format!("a{call}"),
            "seq": 1, "started_at": "2026-11-21T10:00:00+08:00"}),
        )
        .await;
        if call % 100 == 99 {
            for _ in 0..100 {
                assert_eq!(next(&mut producer).await["type"], "ack");
            }
        }
    }
    let mut late = Wall::open(&server).await;
    assert_eq!(late.calls.len(), CALLS, "all that was acknowledged is in the first frames");
    let ids: BTreeSet<&String> = late.calls.keys().collect();
    assert_eq!(ids.len(), CALLS);
    tell(&mut producer, says("c7", 2, "你没脑子")).await;
    for wall in [&mut wall, &mut late] {
        wall.until("c7", |call| call["worst"] == "critical").await;
        while wall.calls.len() < CALLS {
            wall.take().await;
        }
    }
    // From then on only what changes is told.
    tell(&mut producer, says("c8", 2, "你没脑子")).await;
    loop {
        let frame = shown(&mut late.socket).await;
        assert_eq!(frame["snapshot"], false);
        if let Some(call) = frame["calls"].as_array().unwrap().iter().find(|call| call["call_id"] == "c8") {
            assert_eq!(call["alerts"]["critical"], 1);
            break;
        }
    }
    drop((producer, wall.socket, late.socket));
    server.stop().await;
}

/// What the server says when it closes a connection that nobody reads.
async fn close_code(socket: &mut Socket) -> u16 {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.expect("a frame comes").unwrap().unwrap() {
            Message::Close(frame) => return frame.unwrap().code.into(),
            _ => continue,
        }
    }
}

#[tokio::test]
async fn who_does_not_read_is_closed_and_nobody_waits_for_him() {
    let server = serve("").await;
    let mut producer = server.connect("/v1/ingest").await;
    // So many calls of one agent that a few frames are more than the sockets' buffers hold.
    for call in 0..1_000 {
        send(&mut producer, start(&format!("c{call}"))).await;
        if call % 100 == 99 {
            for _ in 0..100 {
                assert_eq!(next(&mut producer).await["type"], "ack");
            }
        }
    }
    let mut unread = server.connect("/v1/agents/a7/desk").await;
    let mut read = server.connect("/v1/agents/a7/desk").await;
    let mut seq = 1;
    while !server.metrics().await.contains("tingjian_subscribers_slow_total 1") {
        seq += 1;
        tell(&mut producer, says("c1", seq, "请稍等")).await;
        assert_eq!(shown(&mut read).await["calls"].as_array().unwrap().len(), 1_000);
        assert!(seq < 100, "he is still not found slow");
    }
    assert_eq!(close_code(&mut unread).await, CLOSE_SLOW);
    drop((producer, read));
    server.stop().await;
}

#[tokio::test]
async fn who_opens_a_call_midway_misses_nothing() {
    let server = serve("").await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    for seq in 2..8 {
        tell(&mut producer, says("c1", seq, &format!("第{seq}句"))).await;
    }
    // More comes while he connects.
    for seq in 8..40 {
        send(&mut producer, says("c1", seq, &format!("第{seq}句"))).await;
    }
    let mut watch = server.connect("/v1/calls/c1/watch").await;
    let hello = next(&mut watch).await;
    let (_, call) = server.request("GET", "/v1/calls/c1", "").await;
    let of = |event: &Value| event["seq"].as_u64();
    let before: BTreeSet<u64> = call["events"].as_array().unwrap().iter().filter_map(of).collect();
    let told = hello["seq"].as_u64().unwrap();
    assert!(told >= 7 && (1..=told).all(|seq| before.contains(&seq)), "{hello}: {before:?}");
    let mut utterances: BTreeSet<String> = call["events"].as_array().unwrap().iter().filter_map(id_of).collect();
    tell(&mut producer, says("c1", 40, "最后一句")).await;
    while !utterances.contains("u40") {
        utterances.extend(id_of(&next(&mut watch).await));
    }
    assert_eq!(utterances, (2..=40).map(|seq| format!("u{seq}")).collect());
    drop((producer, watch));
    server.stop().await;
}

#[tokio::test]
async fn a_call_tells_its_holds_and_silences_as_rules_measure_them() {
    let server = serve("").await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    tell(&mut producer, happens("call.hold", 2, 6_000)).await;
    let (_, call) = server.request("GET", "/v1/calls/c1", "").await;
    assert_eq!((&call["holds"], &call["silences"]), (&json!([{"from_ms": 6_000, "until_ms": null}]), &json!([])));
    tell(&mut producer, happens("call.transfer_answered", 3, 20_000)).await;
    tell(&mut producer, json!({"type": "call.end", "call_id": "c1", "seq": 4, "at_ms": 200_000, "by": "agent"})).await;
    let (_, call) = server.request("GET", "/v1/calls/c1", "").await;
    assert_eq!(call["holds"], json!([{"from_ms": 6_000, "until_ms": 20_000}]));
    let silences = json!([{"from_ms": 0, "until_ms": 6_000}, {"from_ms": 20_000, "until_ms": 200_000}]);
    assert_eq!(call["silences"], silences);
    drop(producer);
    server.stop().await;
}

fn id_of(event: &Value) -> Option<String> {
    event["utterance_id"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn agents_see_their_own_desk_and_no_wall() {
    let tokens = "[tokens]\ningest = [\"ingest-0123456789\"]\nqa = [\"qa-0123456789abcdef\"]\n\
                  agent_secret = \"the-secret-that-signs-tokens-of-agents\"\n";
    let server = serve(tokens).await;
    let config = tingjian::server::Config::from_toml(tokens).unwrap();
    let agent = tingjian::server::agent_token(&config, "a7", PATIENCE * 100).unwrap();
    let cases = [
        ("/v1/agents/a7/desk", agent.as_str(), None),
        ("/v1/agents/a8/desk", agent.as_str(), Some(4403)),
        ("/v1/live", agent.as_str(), Some(4403)),
        ("/v1/live", "ingest-0123456789", Some(4403)),
        ("/v1/live", "nobody-0123456789", Some(4401)),
        ("/v1/live", "qa-0123456789abcdef", None),
        ("/v1/agents/a8/desk", "qa-0123456789abcdef", None),
    ];
    for (path, token, expected) in cases {
        let mut request = format!("ws://{}{path}", server.address).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", format!("bearer, {token}").parse().unwrap());
        let (mut socket, answer) = connect_async(request).await.unwrap();
        // Refused or not, a browser needs its subprotocol taken.
        assert_eq!(answer.headers()["sec-websocket-protocol"], "bearer", "{path} {token}");
        match expected {
            Some(code) => assert_eq!(refusal(socket).await.0, code, "{path} {token}"),
            None => assert!(next(&mut socket).await["type"].is_string(), "{path} {token}"),
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_shutdown_closes_those_who_look_on() {
    let server = serve("").await;
    let wall = Wall::open(&server).await;
    let mut desk = connect(server.address, "/v1/agents/a7/desk").await;
    next(&mut desk).await;
    server.stop().await;
    for mut socket in [wall.socket, desk] {
        assert_eq!(next_or_end(&mut socket).await, None);
    }
}

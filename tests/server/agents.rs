//! What agents and supervisors are shown, over real sockets: live and caught
//! up, by WebSocket and by Server-Sent Events, within a budget, never what is
//! on trial, and whether checking works. Nothing here sleeps.

use std::net::SocketAddr;

use crate::harness::{PATIENCE, Server, load, next, rest, says, send, start, tell};
use serde_json::{Value, json};
use tingjian::server::Rulebook;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// A browser's event stream.
struct Events {
    stream: BufReader<TcpStream>,
    /// What came and is no whole event yet.
    text: String,
}

impl Events {
    async fn open(address: SocketAddr, target: &str, header: &str) -> Self {
        let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
        let request = format!("GET {target} HTTP/1.1\r\nhost: test\r\naccept: text/event-stream\r\n{header}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            stream.read_line(&mut head).await.unwrap();
        }
        let head = head.to_lowercase();
        assert!(head.starts_with("http/1.1 200") && head.contains("content-type: text/event-stream"), "{head}");
        Self { stream, text: String::new() }
    }

    /// The id and the data of the next event.
    async fn next(&mut self) -> (Option<String>, Value) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let (id, data) = (field("id: "), field("data: "));
                self.text = rest.to_owned();
                match data {
                    Some(data) => return (id, serde_json::from_str(&data).unwrap()),
                    // A comment that keeps the connection alive.
                    None => continue,
                }
            }
            let mut size = String::new();
            let reading = self.stream.read_line(&mut size);
            tokio::time::timeout(PATIENCE, reading).await.expect("an event comes").unwrap();
            let mut chunk = vec![0; usize::from_str_radix(size.trim(), 16).unwrap() + 2];
            self.stream.read_exact(&mut chunk).await.unwrap();
            self.text.push_str(std::str::from_utf8(&chunk[..chunk.len() - 2]).unwrap());
        }
    }

    /// The cursor and the first words of the next alert.
    async fn alert(&mut self) -> (String, String) {
        let (id, alert) = self.next().await;
        assert_eq!((alert["type"].as_str(), alert["cursor"].as_str()), (Some("alert"), id.as_deref()), "{alert}");
        (id.unwrap(), words(&alert))
    }
}

/// The words that an alert rests on.
fn words(alert: &Value) -> String {
    alert["evidence"][0]["text"].as_str().unwrap_or_else(|| panic!("no alert: {alert}")).to_owned()
}

#[tokio::test]
async fn an_event_stream_resumes_where_it_was() {
    let server = Server::start("").await;
    let target = "/v1/agents/a7/alerts";
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    tell(&mut producer, says("c1", 2, "不知道二")).await;
    let mut events = Events::open(server.address, &format!("{target}?after=0"), "").await;
    let (_, first) = events.alert().await;
    tell(&mut producer, says("c1", 3, "不知道三")).await;
    let (last, second) = events.alert().await;
    drop(events);
    for (seq, text) in [(4, "不知道四"), (5, "不知道五")] {
        tell(&mut producer, says("c1", seq, text)).await;
    }
    // A browser repeats the address it knows, and says what it had last.
    let resumed = format!("last-event-id: {last}\r\n");
    let mut events = Events::open(server.address, &format!("{target}?after=0"), &resumed).await;
    let mut heard = vec![first, second];
    for _ in 0..2 {
        heard.push(events.alert().await.1);
    }
    tell(&mut producer, says("c1", 6, "不知道六")).await;
    heard.push(events.alert().await.1);
    assert_eq!(heard, ["不知道二", "不知道三", "不知道四", "不知道五", "不知道六"]);
    let metrics = server.metrics().await;
    assert!(metrics.contains("tingjian_reconnects_total{kind=\"sse\"} 1"), "{metrics}");
    assert!(metrics.contains("tingjian_connections{kind=\"sse\"}"), "{metrics}");

    // A cursor of other data is told, and all that is kept follows.
    let mut events = Events::open(server.address, target, "last-event-id: 1-3\r\n").await;
    let (id, gap) = events.next().await;
    assert_eq!((id, gap["state"].as_str()), (None, Some("gap")));
    assert_eq!(events.alert().await.1, "不知道二");
    drop((producer, events));
    server.stop().await;
}

#[tokio::test]
async fn who_has_no_cursor_yet_begins_with_the_calls_in_progress() {
    let server = Server::start("call_linger_ms = 50").await;
    let target = "/v1/agents/a7/alerts?after=live";
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    tell(&mut producer, says("c1", 2, "不知道一")).await;
    let watcher = server.connect("/v1/calls/c1/watch").await;
    let end = json!({"type": "call.end", "call_id": "c1", "at_ms": 9_000, "by": "customer", "seq": 3});
    tell(&mut producer, end).await;
    // Its stream ends with the call, and the store has that with the next commit.
    rest(watcher).await;
    while server.request("GET", "/v1/calls/c1", "").await.1["live"] == true {}

    let mut between = Events::open(server.address, target, "").await;
    tell(&mut producer, start("c2")).await;
    for (seq, text) in [(2, "不知道二"), (3, "不知道三")] {
        tell(&mut producer, says("c2", seq, text)).await;
    }
    let mut amid = Events::open(server.address, target, "").await;
    for text in ["不知道二", "不知道三"] {
        assert_eq!(between.alert().await.1, text);
        assert_eq!(amid.alert().await.1, text);
    }
    drop((producer, between, amid));
    server.stop().await;
}

#[tokio::test]
async fn who_listens_to_an_event_stream_answers_by_post() {
    let server = Server::start("").await;
    let target = "/v1/agents/a7/alerts";
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    tell(&mut producer, says("c1", 2, "这个不知道")).await;
    let mut events = Events::open(server.address, &format!("{target}?after=0"), "").await;
    let alert_id = events.next().await.1["alert_id"].clone();
    let seen = json!({"type": "seen", "alert_id": alert_id});
    let cases = [
        (target, seen.clone(), 200, json!({"type": "noted", "alert_id": alert_id, "action": "seen"})),
        (target, json!({"type": "seen", "alert_id": "none"}), 404, json!("unknown_alert")),
        ("/v1/agents/a8/alerts", seen, 404, json!("unknown_alert")),
        (target, json!({"type": "like", "alert_id": alert_id}), 400, json!("invalid_feedback")),
    ];
    for (target, answer, status, expected) in cases {
        let (got, outcome) = server.request("POST", target, &answer.to_string()).await;
        let told = if got == 200 { &outcome } else { &outcome["code"] };
        assert_eq!((got, told), (status, &expected), "{answer}");
    }
    assert_eq!(server.ask::<i64>("SELECT count(*) FROM feedback"), 1);
    drop((producer, events));
    server.stop().await;
}

#[tokio::test]
async fn an_agent_s_answer_is_noted_once_it_is_kept() {
    let server = Server::start("").await;
    let mut agent = server.connect("/v1/agents/a7/alerts").await;
    let mut other = server.connect("/v1/agents/a8/alerts").await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    tell(&mut producer, says("c1", 2, "这个不知道")).await;
    let id = next(&mut agent).await["alert_id"].clone();
    let kept = "SELECT group_concat(action || ' ' || agent_id || ' ' || coalesce(reason, '-') || ' ' || alert_id, ';')
                FROM (SELECT * FROM feedback ORDER BY feedback_no)";
    send(&mut agent, json!({"type": "seen", "alert_id": id})).await;
    assert_eq!(next(&mut agent).await, json!({"type": "noted", "alert_id": id, "action": "seen"}));
    let seen = format!("seen a7 - {}", id.as_str().unwrap());
    assert_eq!(server.ask::<String>(kept), seen);
    send(&mut agent, json!({"type": "dismiss", "alert_id": id, "reason": "客户说的"})).await;
    assert_eq!(next(&mut agent).await["action"], "dismiss");
    let both = format!("{seen};dismiss a7 客户说的 {}", id.as_str().unwrap());
    assert_eq!(server.ask::<String>(kept), both);

    let cases = [
        (json!({"type": "seen", "alert_id": "none"}), "unknown_alert"),
        (json!({"type": "applaud", "alert_id": id}), "invalid_feedback"),
        (json!({"type": "seen"}), "invalid_feedback"),
        (json!("seen"), "invalid_feedback"),
        (json!({"type": "dismiss", "alert_id": id, "reason": "长".repeat(501)}), "invalid_feedback"),
    ];
    for (answer, code) in cases {
        send(&mut agent, answer.clone()).await;
        let error = next(&mut agent).await;
        assert_eq!((error["type"].as_str(), error["code"].as_str()), (Some("error"), Some(code)), "{answer}");
    }
    // Nobody answers for another.
    send(&mut other, json!({"type": "seen", "alert_id": id})).await;
    assert_eq!(next(&mut other).await["code"], "unknown_alert");
    assert_eq!(server.ask::<String>(kept), both);
    // And the connection goes on.
    tell(&mut producer, says("c1", 3, "也不知道")).await;
    assert_eq!(words(&next(&mut agent).await), "也不知道");
    let metrics = server.metrics().await;
    assert!(metrics.contains("tingjian_feedback_total{action=\"dismiss\"} 1"), "{metrics}");
    drop((agent, other, producer));
    server.stop().await;
}

#[tokio::test]
async fn more_cards_than_an_agent_can_read_are_folded_and_none_is_lost() {
    let server = Server::start("[alerts]\ncards_per_minute_max = 2\n").await;
    let mut agent = server.connect("/v1/agents/a7/alerts").await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    for seq in 2..7 {
        tell(&mut producer, says("c1", seq, &format!("不知道{seq}"))).await;
    }
    tell(&mut producer, says("c1", 7, "不清楚7")).await;
    let mut shown = Vec::new();
    for _ in 0..6 {
        let message = next(&mut agent).await;
        shown.push(match message["type"].as_str() {
            Some("folded") => {
                assert_eq!((message["call_id"].as_str(), message["cursor"].as_str()), (Some("c1"), None));
                message["message"].as_str().unwrap().to_owned()
            }
            _ => words(&message),
        });
    }
    assert_eq!(shown, ["不知道2", "不知道3", "另有 1 条", "另有 2 条", "另有 3 条", "不清楚7"]);
    assert_eq!(
        server.ask::<String>("SELECT group_concat(display) FROM (SELECT display FROM alerts ORDER BY cursor)"),
        "card,card,folded,folded,folded,card"
    );
    // What was folded comes back as little as what was shown comes twice.
    let mut late = server.connect("/v1/agents/a7/alerts?after=0").await;
    let again = [next(&mut late).await, next(&mut late).await, next(&mut late).await];
    assert_eq!(again.each_ref().map(words), ["不知道2", "不知道3", "不清楚7"]);
    let metrics = server.metrics().await;
    let folded = "tingjian_alerts_total{display=\"folded\",rule=\"test.warning\",state=\"confirmed\"} 3";
    assert!(metrics.contains(folded), "{metrics}");
    drop((agent, producer, late));
    server.stop().await;
}

#[tokio::test]
async fn what_comes_too_late_or_is_on_trial_is_kept_and_not_shown() {
    let server = Server::start("shadow_packs = [\"trial\"]\n[alerts]\nlate_ms_max = 5000\n").await;
    let agent = server.connect("/v1/agents/a7/alerts").await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    let mut supervisor = server.connect("/v1/calls/c1/watch").await;
    assert_eq!(next(&mut supervisor).await["type"], "watching");
    // At 60 s, words arrive that were said at 6 s.
    tell(&mut producer, says("c1", 20, "您好")).await;
    let mut late = says("c1", 2, "这个不知道");
    late["seq"] = json!(21);
    tell(&mut producer, late).await;
    tell(&mut producer, says("c1", 22, "那没办法")).await;
    tell(&mut producer, says("c1", 23, "我不清楚")).await;
    let displays = "SELECT group_concat(rule_id || ' ' || display) FROM (SELECT * FROM alerts ORDER BY cursor)";
    assert_eq!(server.ask::<String>(displays), "test.warning late,trial.critical shadow,test.critical card");
    let metrics = server.metrics().await;
    for (rule, display) in [("test.warning", "late"), ("trial.critical", "shadow"), ("test.critical", "card")] {
        let line = format!("tingjian_alerts_total{{display=\"{display}\",rule=\"{rule}\",state=\"confirmed\"}} 1");
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    let caught_up = server.connect("/v1/agents/a7/alerts?after=0").await;
    let address = server.address;
    drop(producer);
    server.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
    let rules = |messages: Vec<Value>| -> Vec<Value> {
        messages
            .into_iter()
            .filter(|message| message["type"] == "alert")
            .map(|alert| alert["rule_id"].clone())
            .collect()
    };
    assert_eq!(rules(rest(agent).await), ["test.critical"]);
    assert_eq!(rules(rest(caught_up).await), ["test.critical"]);
    // A supervisor looks on when it is late, too.
    assert_eq!(rules(rest(supervisor).await), ["test.warning", "test.critical"]);
}

#[tokio::test]
async fn a_silent_recogniser_is_told_and_so_is_its_return() {
    let server = Server::start("asr_silent_ms = 50\n").await;
    let mut agent = server.connect("/v1/agents/a7/alerts").await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    let status = next(&mut agent).await;
    assert_eq!((status["type"].as_str(), status["state"].as_str()), (Some("status"), Some("degraded")), "{status}");
    assert_eq!((status["call_id"].as_str(), &status["causes"]), (Some("c1"), &json!(["asr_silent"])));
    assert!(status["why"].as_str().is_some_and(|why| !why.is_empty()), "{status}");
    tell(&mut producer, says("c1", 2, "您好")).await;
    let status = next(&mut agent).await;
    assert_eq!((status["state"].as_str(), status["call_id"].as_str()), (Some("ok"), Some("c1")), "{status}");
    // Supervisors are told the same.
    let mut supervisor = server.connect("/v1/calls/c1/watch").await;
    assert_eq!(next(&mut supervisor).await["type"], "watching");
    // Whether or not it fell silent before somebody looked, it does after these.
    tell(&mut producer, says("c1", 3, "您好")).await;
    let status = loop {
        let message = next(&mut supervisor).await;
        if message["state"] == "degraded" {
            break message;
        }
    };
    assert_eq!(status["causes"], json!(["asr_silent"]), "{status}");
    drop((agent, producer, supervisor));
    server.stop().await;
}

#[tokio::test]
async fn rules_that_cannot_be_used_are_told_until_they_can() {
    let directory = tempfile::tempdir().unwrap();
    let write = |text: &str| std::fs::write(directory.path().join("rules.yaml"), text).unwrap();
    let (_, good) = crate::harness::RULES[0];
    write(good);
    let source = directory.path().to_owned();
    let server =
        Server::with_rules("", Rulebook::new(Vec::new(), move || load(&source.join("rules.yaml"))).unwrap()).await;
    let mut agent = server.connect("/v1/agents/a7/alerts").await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    let mut supervisor = server.connect("/v1/calls/c1/watch").await;
    assert_eq!(next(&mut supervisor).await["type"], "watching");
    write(&good.replace("forbid:", "forbit:"));
    assert_eq!(server.request("POST", "/v1/rules/reload", "").await.0, 422);
    let mut later = server.connect("/v1/agents/a8/alerts").await;
    let mut events = Events::open(server.address, "/v1/agents/a9/alerts", "").await;
    let expected = json!(["rules_invalid"]);
    for socket in [&mut agent, &mut supervisor, &mut later] {
        let status = next(socket).await;
        assert_eq!((status["state"].as_str(), &status["causes"]), (Some("degraded"), &expected), "{status}");
    }
    assert_eq!(events.next().await.1["causes"], expected);
    assert!(server.metrics().await.contains("tingjian_rules_valid 0"));
    write(good);
    assert_eq!(server.request("POST", "/v1/rules/reload", "").await.0, 200);
    for socket in [&mut agent, &mut supervisor, &mut later] {
        assert_eq!(next(socket).await, json!({"type": "status", "state": "ok"}));
    }
    assert_eq!(events.next().await.1["state"], "ok");
    drop((agent, producer, supervisor, later, events));
    server.stop().await;
}

#[tokio::test]
async fn a_transfer_takes_the_alerts_to_who_has_the_call() {
    let server = Server::start("").await;
    let mut first = server.connect("/v1/agents/a7/alerts").await;
    let mut second = server.connect("/v1/agents/a8/alerts").await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    tell(&mut producer, says("c1", 2, "我不知道")).await;
    tell(&mut producer, json!({"type": "call.transfer", "call_id": "c1", "seq": 3, "at_ms": 8_000, "to": "a8"})).await;
    let answered =
        json!({"type": "call.transfer_answered", "call_id": "c1", "seq": 4, "at_ms": 9_000, "agent_id": "a8"});
    tell(&mut producer, answered).await;
    tell(&mut producer, says("c1", 5, "我也不知道")).await;
    let alert = next(&mut second).await;
    assert_eq!((words(&alert).as_str(), alert["agent_id"].as_str()), ("我也不知道", Some("a8")));
    assert_eq!(words(&next(&mut first).await), "我不知道");
    drop(producer);
    server.stop().await;
    assert_eq!((rest(first).await, rest(second).await), (Vec::<Value>::new(), Vec::new()));
}

#[tokio::test]
async fn posted_events_are_durable_and_a_bad_line_costs_only_itself() {
    let server = Server::start("").await;
    let mut bad = says("c1", 3, "您好");
    bad["end_ms"] = json!(1);
    let lines = [
        start("c1").to_string(),
        says("c1", 2, "我不知道").to_string(),
        String::new(),
        bad.to_string(),
        "{".to_owned(),
        says("c9", 2, "您好").to_string(),
        says("c1", 4, "不清楚").to_string(),
    ];
    let (status, outcome) = server.request("POST", "/v1/events", &lines.join("\n")).await;
    assert_eq!(status, 400, "{outcome}");
    assert_eq!((outcome["accepted"].as_u64(), &outcome["acks"]), (Some(3), &json!({"c1": 4})), "{outcome}");
    let faults: Vec<_> =
        outcome["errors"].as_array().unwrap().iter().map(|fault| (&fault["line"], &fault["code"])).collect();
    let expected =
        [(4, "invalid_field"), (5, "invalid_json"), (6, "unknown_call")].map(|(line, code)| (json!(line), json!(code)));
    assert_eq!(faults, expected.each_ref().map(|(line, code)| (line, code)));
    assert_eq!(server.ask::<i64>("SELECT count(*) FROM events"), 2);
    let (status, outcome) = server.request("POST", "/v1/events", &says("c1", 5, "您好").to_string()).await;
    assert_eq!((status, &outcome["acks"]), (200, &json!({"c1": 5})), "{outcome}");

    // The next server on the same data goes on with the call.
    let mut agent = server.connect("/v1/agents/a7/alerts?after=0").await;
    assert_eq!([words(&next(&mut agent).await), words(&next(&mut agent).await)], ["我不知道", "不清楚"]);
    drop(agent);
    server.stop().await;
}

#[tokio::test]
async fn who_watches_reads_no_number_before_it_is_decided() {
    let server = Server::start("").await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    let mut supervisor = server.connect("/v1/calls/c1/watch").await;
    assert_eq!(next(&mut supervisor).await["type"], "watching");
    let hypothesis = |mut event: Value| {
        event["final"] = json!(false);
        event
    };
    tell(&mut producer, hypothesis(says("c1", 2, "我手机号是1391234567"))).await;
    assert_eq!(next(&mut supervisor).await["text"], "我手机号是**********");
    tell(&mut producer, hypothesis(says("c1", 3, "工号8001"))).await;
    assert_eq!(next(&mut supervisor).await["text"], "工号8001");
    let mut final_of = says("c1", 4, "我手机号是13912345678");
    final_of["utterance_id"] = json!("u2");
    tell(&mut producer, final_of).await;
    assert_eq!(next(&mut supervisor).await["text"], "我手机号是139****5678");
    // Over three utterances, with what was shown of each and what came of it.
    for (seq, said, shown) in [(5, "不说了", "不说了"), (6, "139", "139"), (7, "1234", "****"), (8, "5678", "5678")]
    {
        tell(&mut producer, says("c1", seq, said)).await;
        assert_eq!(next(&mut supervisor).await["text"], shown);
    }
    // What turns out to be no number is shown again, as a correction.
    tell(&mut producer, says("c1", 9, "换个话题")).await;
    assert_eq!(next(&mut supervisor).await["text"], "换个话题");
    tell(&mut producer, says("c1", 10, "编的1391234")).await;
    assert_eq!(next(&mut supervisor).await["text"], "编的139****");
    let (_, call) = server.request("GET", "/v1/calls/c1", "").await;
    assert_eq!(call["events"].as_array().unwrap().last().unwrap()["text"], "编的139****");
    tell(&mut producer, says("c1", 11, "换个话题")).await;
    let corrected = next(&mut supervisor).await;
    assert_eq!((&corrected["utterance_id"], &corrected["text"]), (&json!("u10"), &json!("编的1391234")));
    assert_eq!(next(&mut supervisor).await["text"], "换个话题");
    tell(
        &mut producer,
        json!({"type": "call.transfer", "call_id": "c1", "seq": 12, "at_ms": 40_000, "to": "13912345678"}),
    )
    .await;
    assert_eq!(next(&mut supervisor).await["to"], "139****5678");
    let (_, call) = server.request("GET", "/v1/calls/c1", "").await;
    let texts: Vec<&str> =
        call["events"].as_array().unwrap().iter().filter_map(|event| event["text"].as_str()).collect();
    let expected = ["我手机号是139****5678", "不说了", "139", "****", "5678", "换个话题", "编的1391234", "换个话题"];
    assert_eq!(texts, expected);
    drop((producer, supervisor));
    server.stop().await;
}

#[tokio::test]
async fn a_store_that_masks_or_seals_keeps_no_words_as_they_were_said() {
    let sealed = "key = \"0123456789abcdef0123456789abcdef\"";
    for (privacy, is_sealed) in
        [("store = \"masked\"", false), (sealed, true), (&format!("store = \"masked\"\n{sealed}"), true)]
    {
        let server = Server::start(&format!("call_linger_ms = 1\n[privacy]\n{privacy}\n")).await;
        let mut producer = server.connect("/v1/ingest").await;
        let mut begin = start("c1");
        begin["attributes"] = json!({"phone": "13912345678"});
        tell(&mut producer, begin).await;
        for (seq, said) in [(2, "不知道，您打139"), (3, "1234"), (4, "5678"), (5, "订单编号1391234")] {
            tell(&mut producer, says("c1", seq, said)).await;
        }
        tell(&mut producer, json!({"type": "call.end", "call_id": "c1", "seq": 6, "at_ms": 20_000, "by": "agent"}))
            .await;
        let call = loop {
            let (_, call) = server.request("GET", "/v1/calls/c1", "").await;
            if call["live"] == false {
                break call;
            }
        };
        assert_eq!(call["events"][0]["attributes"]["phone"], "139****5678");
        let texts: Vec<&str> =
            call["events"].as_array().unwrap().iter().filter_map(|event| event["text"].as_str()).collect();
        assert_eq!(texts, ["不知道，您打139", "****", "5678", "订单编号1391234"], "{privacy}");
        assert_eq!(call["alerts"][0]["evidence"][0]["text"], "不知道，您打139");
        assert!(server.get("/v1/export?format=csv").await.1.contains("不知道，您打139"));
        let raw =
            |what: &str, pattern: &str| server.ask::<i64>(&format!("SELECT count(*) FROM {what} LIKE '%{pattern}%'"));
        assert_eq!(raw("events WHERE json", "\"1234\""), 0, "{privacy}");
        assert_eq!(raw("calls WHERE start", "13912345678"), 0, "{privacy}");
        let readable = raw("events WHERE json", "utterance_id")
            + raw("calls WHERE start", "call_id")
            + raw("alerts WHERE json", "evidence")
            + raw("journal WHERE json", "utterance_id");
        assert_eq!(readable == 0, is_sealed, "{privacy}");
        let backtest = json!({"files": []}).to_string();
        let (status, report) = server.request("POST", "/v1/backtest", &backtest).await;
        assert_eq!((status, &report["calls"]), (200, &json!(1)), "{report}");
        drop(producer);
        server.stop().await;
    }
}

#[tokio::test]
async fn who_reads_decides_what_is_masked() {
    let config = "[tokens]\ningest = [\"ingest-0123456789\"]\nqa = [\"qa-0123456789abcdef\"]\nadmin = [\"admin-0123456789\"]\n\
        [tokens.agents]\na7 = [\"agent-0123456789\"]\n";
    let server = Server::start(config).await;
    let alerts = |token: &str| format!("/v1/agents/a7/alerts?token={token}");
    let mut producer = server.connect("/v1/ingest?token=ingest-0123456789").await;
    tell(&mut producer, start("c1")).await;
    let mut agent = server.connect(&alerts("agent-0123456789")).await;
    let mut own_events = Events::open(server.address, &alerts("agent-0123456789"), "").await;
    let mut qa = server.connect(&alerts("qa-0123456789abcdef")).await;
    let mut admin = server.connect(&alerts("admin-0123456789")).await;
    let mut events = Events::open(server.address, &alerts("qa-0123456789abcdef"), "").await;
    // The second is the beginning of a number that the next utterance ends.
    for (seq, said, masked) in
        [(2, "不知道13800138000是谁", "不知道138****8000是谁"), (3, "不清楚，打1391234", "不清楚，打139****")]
    {
        tell(&mut producer, says("c1", seq, said)).await;
        assert_eq!(words(&next(&mut agent).await), said);
        assert_eq!(own_events.alert().await.1, said);
        assert_eq!(words(&next(&mut qa).await), masked);
        assert_eq!(words(&next(&mut admin).await), masked);
        assert_eq!(events.alert().await.1, masked);
    }
    tell(&mut producer, says("c1", 4, "5678")).await;
    assert_eq!(
        server.ask::<i64>("SELECT count(*) FROM alerts WHERE json LIKE '%1391234%' OR json LIKE '%13800138000%'"),
        0
    );
    drop((agent, own_events, qa, admin, events, producer));
    server.stop().await;
}

#[tokio::test]
async fn only_the_agent_of_the_live_call_sees_personal_data() {
    let server = Server::start("").await;
    let mut agent = server.connect("/v1/agents/a7/alerts").await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    let mut supervisor = server.connect("/v1/calls/c1/watch").await;
    assert_eq!(next(&mut supervisor).await["type"], "watching");
    let (said, masked) = ("不知道13800138000是谁", "不知道138****8000是谁");
    tell(&mut producer, says("c1", 2, said)).await;
    assert_eq!(words(&next(&mut agent).await), said);
    assert_eq!(next(&mut supervisor).await["text"], masked);
    assert_eq!(words(&next(&mut supervisor).await), masked);
    let mut later = server.connect("/v1/agents/a7/alerts?after=0").await;
    assert_eq!(words(&next(&mut later).await), masked);
    let mut events = Events::open(server.address, "/v1/agents/a7/alerts?after=0", "").await;
    assert_eq!(events.alert().await.1, masked);
    assert_eq!(server.ask::<i64>("SELECT count(*) FROM alerts WHERE json LIKE '%13800138000%'"), 0);
    drop((agent, producer, supervisor, later, events));
    server.stop().await;
}

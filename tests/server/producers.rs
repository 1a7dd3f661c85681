//! Several producers of one call, and producers that come early, late or again: no event is lost, none counts twice,
//! and each goes to the call and the agent that it is of.

use serde_json::{Value, json};

use crate::harness::{Server, Socket, next, next_or_end, says, send, start, tell};

/// An event under the name of a producer.
fn by(producer: &str, mut event: Value) -> Value {
    event["producer"] = producer.into();
    event
}

fn customer_says(call_id: &str, seq: u64, text: &str) -> Value {
    let mut event = says(call_id, seq, text);
    event["role"] = "customer".into();
    event["utterance_id"] = format!("c{seq}").into();
    event
}

/// The words of a call, in the order in which they were said.
async fn words(server: &Server, call_id: &str) -> Vec<String> {
    let (status, call) = server.request("GET", &format!("/v1/calls/{call_id}"), "").await;
    assert_eq!(status, 200, "{call}");
    let events = call["events"].as_array().unwrap().iter();
    let mut said: Vec<(i64, String)> = events
        .filter(|event| event["type"] == "utterance")
        .map(|event| (event["start_ms"].as_i64().unwrap(), event["text"].as_str().unwrap().to_owned()))
        .collect();
    said.sort();
    said.into_iter().map(|(_, text)| text).collect()
}

/// The next alert of a rule that an agent is shown.
async fn alert(agent: &mut Socket) -> Value {
    loop {
        let message = next(agent).await;
        if message["type"] == "alert" {
            return message;
        }
    }
}

#[tokio::test]
async fn two_legs_that_both_count_from_one_lose_nothing() {
    let server = Server::start("").await;
    let mut agent = server.connect("/v1/agents/a7/alerts").await;
    let mut first = server.connect("/v1/ingest").await;
    let mut second = server.connect("/v1/ingest").await;
    tell(&mut first, start("c1")).await;
    tell(&mut second, start("c1")).await;
    tell(&mut second, customer_says("c1", 2, "我要投诉")).await;
    tell(&mut first, says("c1", 2, "这个不知道")).await;
    assert_eq!(alert(&mut agent).await["rule_id"], "test.warning");
    // Sent again over a new connection, both are known.
    let mut again = server.connect("/v1/ingest").await;
    for event in [start("c1"), says("c1", 2, "这个不知道"), customer_says("c1", 2, "我要投诉")] {
        tell(&mut again, event).await;
    }
    assert_eq!(words(&server, "c1").await, ["我要投诉", "这个不知道"]);
    let kept: i64 = server.ask("SELECT count(*) FROM events");
    assert_eq!(kept, 2);
    server.stop().await;
}

#[tokio::test]
async fn a_producer_that_names_itself_counts_for_itself() {
    let server = Server::start("").await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    send(&mut producer, by("left", says("c1", 1, "您好"))).await;
    let ack = next(&mut producer).await;
    assert_eq!(ack, json!({"type": "ack", "call_id": "c1", "producer": "left", "seq": 1}));
    tell(&mut producer, by("right", customer_says("c1", 1, "喂"))).await;
    assert_eq!(words(&server, "c1").await.len(), 2);
    let body = [by("left", says("c1", 2, "请讲")), says("c1", 3, "好的")].map(|event| event.to_string()).join("\n");
    let (status, answer) = server.request("POST", "/v1/events", &body).await;
    assert_eq!((status, &answer["acks"]), (200, &json!({"c1": 3})));
    assert_eq!(answer["producer_acks"], json!({"c1": {"left": 2}}));
    send(&mut producer, by("left", json!({"type": "call.hold", "call_id": "c1", "seq": 4}))).await;
    let refused = next(&mut producer).await;
    assert_eq!((&refused["producer"], &refused["seq"]), (&json!("left"), &json!(4)), "{refused}");
    server.stop().await;
}

#[tokio::test]
async fn numbers_with_gaps_and_out_of_order_lose_nothing() {
    let server = Server::start("").await;
    let events = [start("c1"), says("c1", 3, "三"), says("c1", 2, "二")];
    let body = events.map(|event| event.to_string()).join("\n");
    let (status, answer) = server.request("POST", "/v1/events", &body).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(3)), "{answer}");
    let mut far = says("c1", 4, "四");
    far["seq"] = u64::MAX.into();
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, far).await;
    send(&mut producer, says("c1", 5, "五")).await;
    assert_eq!(next(&mut producer).await, json!({"type": "ack", "call_id": "c1", "seq": 5}));
    assert_eq!(words(&server, "c1").await, ["二", "三", "四", "五"]);
    server.stop().await;
}

#[tokio::test]
async fn another_answer_time_is_another_call() {
    let server = Server::start("").await;
    let mut former = server.connect("/v1/agents/a7/alerts").await;
    let mut latter = server.connect("/v1/agents/a8/alerts").await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    tell(&mut producer, says("c1", 2, "这个不知道")).await;
    assert_eq!(alert(&mut former).await["agent_id"], "a7");
    // The call before never ended.
    let mut other = start("c1");
    other["agent_id"] = "a8".into();
    other["started_at"] = "2026-11-21T11:00:00+08:00".into();
    tell(&mut producer, other.clone()).await;
    tell(&mut producer, says("c1", 2, "那个不清楚")).await;
    let told = alert(&mut latter).await;
    assert_eq!((&told["agent_id"], &told["rule_id"]), (&json!("a8"), &json!("test.critical")));
    assert_eq!(server.ask::<String>("SELECT close_reason FROM calls WHERE agent_id = 'a7'"), "replaced");
    // The start of the call before, sent again, is over; this one goes on.
    tell(&mut producer, start("c1")).await;
    tell(&mut producer, other).await;
    assert_eq!(server.ask::<i64>("SELECT count(*) FROM calls"), 2);
    assert_eq!(words(&server, "c1").await, ["那个不清楚"]);
    server.stop().await;
}

/// A final of vosk, as it comes.
fn heard(text: &str) -> Value {
    json!({"text": text})
}

#[tokio::test]
async fn the_words_of_a_leg_that_comes_first_wait_for_their_call() {
    let server = Server::start("").await;
    let mut customer = server.connect("/v1/ingest/vosk?call_id=c1&role=customer").await;
    send(&mut customer, heard("我要投诉")).await;
    send(&mut customer, heard("快一点")).await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    // A leg that brings its own start waits for nobody.
    let mut agent = server.connect("/v1/ingest/vosk?call_id=c1&role=agent&agent_id=a7").await;
    send(&mut agent, heard("您好")).await;
    send(&mut customer, json!({"type": "call.hold", "call_id": "c1", "seq": 9, "at_ms": 9000})).await;
    assert_eq!(next(&mut customer).await["type"], "ack");
    customer.close(None).await.unwrap();
    while next_or_end(&mut customer).await.is_some() {}
    agent.close(None).await.unwrap();
    while next_or_end(&mut agent).await.is_some() {}
    let mut words = words(&server, "c1").await;
    words.sort();
    assert_eq!(words, ["快一点", "您好", "我要投诉"]);
    server.stop().await;
}

#[tokio::test]
async fn a_second_agent_is_told_and_answers_for_their_own_words() {
    let server = Server::start("").await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    let mut second = server.connect("/v1/agents/a9/alerts").await;
    let mut leg = server.connect("/v1/ingest/vosk?call_id=c1&role=agent&agent_id=a9").await;
    send(&mut leg, heard("这个不知道")).await;
    let notice = next(&mut leg).await;
    assert_eq!((&notice["type"], &notice["code"]), (&json!("error"), &json!("other_agent")));
    assert!(notice["message"].as_str().unwrap().contains("a7"), "{notice}");
    assert_eq!(alert(&mut second).await["agent_id"], "a9");
    // A start that names another agent changes nothing, and says so.
    let mut other = start("c1");
    other["agent_id"] = "a9".into();
    send(&mut producer, other).await;
    assert_eq!(next(&mut producer).await["code"], "other_agent");
    server.stop().await;
}

#[tokio::test]
async fn a_chat_goes_on_after_it_was_closed_as_idle() {
    let server = Server::start("call_idle_ms = 60000\nchat_idle_ms = 1000\n").await;
    let mut agent = server.connect("/v1/agents/a7/alerts").await;
    let mut producer = server.connect("/v1/ingest").await;
    let mut chat = start("c1");
    chat["channel"] = "chat".into();
    tell(&mut producer, start("voice")).await;
    tell(&mut producer, chat.clone()).await;
    tell(&mut producer, says("c1", 2, "您好")).await;
    let mut watch = server.connect("/v1/calls/c1/watch").await;
    while next_or_end(&mut watch).await.is_some() {}
    send(&mut producer, chat).await;
    send(&mut producer, says("c1", 3, "这个不知道")).await;
    assert_eq!(alert(&mut agent).await["call_id"], "c1");
    assert_eq!(server.ask::<i64>("SELECT count(*) FROM calls WHERE call_id = 'voice' AND closed_ms IS NULL"), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_byte_order_mark_is_read_over_and_a_number_is_no_string() {
    let server = Server::start("").await;
    let body = format!("\u{feff}{}\r\n\u{feff}{}\n", start("c1"), says("c1", 2, "您好"));
    let (status, answer) = server.request("POST", "/v1/events", &body).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(2)), "{answer}");
    let mut producer = server.connect("/v1/ingest").await;
    let frame = format!("\u{feff}{}", says("c1", 3, "请讲"));
    futures_util::SinkExt::send(&mut producer, tokio_tungstenite::tungstenite::Message::text(frame)).await.unwrap();
    assert_eq!(next(&mut producer).await["seq"], 3);
    assert_eq!(words(&server, "c1").await, ["您好", "请讲"]);
    let mut wrong = says("c1", 4, "好的");
    wrong["call_id"] = 123.into();
    send(&mut producer, wrong).await;
    let message = next(&mut producer).await["message"].to_string();
    assert!(message.contains("必须是字符串，收到的是整数") && message.contains("not an integer"), "{message}");
    assert!(!message.contains("out of range"), "{message}");
    server.stop().await;
}

//! Search in what was said: as rules hear it, by role and day, masked, and not at all where words are encrypted.

use serde_json::{Value, json};

use crate::harness::{Server, request, tell};

async fn ask(server: &Server, query: &str) -> (u16, Value) {
    let (status, body) = request(server.address, "GET", &format!("/v1/search?{query}"), "").await;
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

async fn call(server: &Server, call_id: &str, started_at: &str, words: &[(&str, &str)]) {
    let mut producer = server.connect("/v1/ingest").await;
    let start = json!({"type": "call.start", "call_id": call_id, "seq": 1, "agent_id": "a7", "queue": "售后", "started_at": started_at});
    tell(&mut producer, start).await;
    for (seq, (role, text)) in (2_u64..).zip(words) {
        let says = json!({"type": "utterance", "call_id": call_id, "seq": seq, "utterance_id": format!("u{seq}"), "role": role,
            "text": text, "start_ms": 3_000 * seq, "end_ms": 3_000 * seq + 900, "final": true});
        tell(&mut producer, says).await;
    }
    tell(&mut producer, json!({"type": "call.end", "call_id": call_id, "seq": 99, "at_ms": 60_000, "by": "customer"}))
        .await;
}

/// Waits until all calls are over and indexed, as far as this server indexes.
async fn indexed(server: &Server, calls: usize) {
    loop {
        let (_, closed) = request(server.address, "GET", "/v1/calls?live=false", "").await;
        let closed: Value = serde_json::from_str(&closed).unwrap();
        let (_, found) = ask(server, "phrase=%E6%82%A8%E5%A5%BD").await;
        if closed["calls"].as_array().unwrap().len() == calls && found["waiting"] == 0 {
            return;
        }
    }
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn a_phrase_is_found_as_rules_hear_it_by_role_and_day() {
    let server = Server::start("call_linger_ms = 50\n").await;
    let first =
        [("agent", "您好，这个满意渡很低"), ("customer", "我要退，款，电话13912345678"), ("agent", "退款要三天")];
    call(&server, "c1", "2026-11-20T10:00:00+08:00", &first).await;
    call(&server, "c2", "2026-11-21T10:00:00+08:00", &[("customer", "怎么退款")]).await;
    indexed(&server, 2).await;
    let found = async |query: String| -> Vec<String> {
        let (status, body) = ask(&server, &query).await;
        assert_eq!(status, 200, "{query}: {body}");
        let hits = body["hits"].as_array().unwrap().iter().map(|hit| {
            let text: Vec<char> = hit["text"].as_str().unwrap().chars().collect();
            let place = &hit["places"][0];
            let (start, end) = (place["start"].as_u64().unwrap() as usize, place["end"].as_u64().unwrap() as usize);
            format!(
                "{} {} {}",
                hit["call_id"].as_str().unwrap(),
                hit["utterance_id"].as_str().unwrap(),
                text[start..end].iter().collect::<String>()
            )
        });
        hits.collect()
    };
    let phrase = |text: &str| format!("phrase={}", escaped(text));
    let mut refunds = found(phrase("退款")).await;
    refunds.sort();
    assert_eq!(refunds, ["c1 u3 退，款", "c1 u4 退款", "c2 u2 退款"]);
    assert_eq!(found(format!("{}&role=agent", phrase("退款"))).await, ["c1 u4 退款"]);
    assert_eq!(found(format!("{}&from=2026-11-21", phrase("退款"))).await, ["c2 u2 退款"]);
    assert_eq!(found(format!("{}&agent_id=a8", phrase("退款"))).await, Vec::<String>::new());
    assert_eq!(found(phrase("滿意度")).await, ["c1 u2 满意渡"], "folded, and alike in sound");
    assert_eq!(found(format!("{}&homophone=off", phrase("满意度"))).await, Vec::<String>::new());
    assert_eq!(found(phrase("13912345678")).await, Vec::<String>::new(), "personal numbers are not in the index");
    let (_, masked) = ask(&server, &format!("{}&role=customer&to=2026-11-20", phrase("退款"))).await;
    assert_eq!(masked["hits"][0]["text"], "我要退，款，电话139****5678");
    // Page by page, each once.
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let (_, page) = ask(&server, &format!("{}&limit=1{cursor}", phrase("退款"))).await;
        pages.extend(
            page["hits"].as_array().unwrap().iter().map(|hit| format!("{} {}", hit["call_id"], hit["utterance_id"])),
        );
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(pages.len(), 3, "{pages:?}");
    for (query, field) in [
        (String::new(), "phrase"),
        (phrase("退"), "phrase"),
        (phrase("嗯嗯，。"), "phrase"),
        (phrase(&"长".repeat(80)), ""),
        (format!("{}&role=nobody", phrase("退款")), "role"),
        (format!("{}&homophone=all", phrase("退款")), "homophone"),
        (format!("{}&severity=info", phrase("退款")), "severity"),
    ] {
        let (status, answer) = ask(&server, &query).await;
        // A stutter is one character or two, so a long run of one is short.
        assert!(field.is_empty() || (status, &answer["field"]) == (400, &json!(field)), "{query}: {answer}");
    }
}

#[tokio::test]
async fn a_store_that_encrypts_words_is_not_searched() {
    let server = Server::start(&format!("call_linger_ms = 50\n[privacy]\nkey = \"{}\"\n", "k".repeat(32))).await;
    call(&server, "c1", "2026-11-20T10:00:00+08:00", &[("agent", "您好")]).await;
    let (status, answer) = ask(&server, "phrase=%E6%82%A8%E5%A5%BD").await;
    assert_eq!((status, &answer["code"]), (409, &json!("not_searchable")), "{answer}");
    assert_eq!(server.ask::<i64>("SELECT count(*) FROM spoken"), 0);
}

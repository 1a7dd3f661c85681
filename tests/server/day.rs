//! What an agent is told of their own: the words to say on the desk, their day against their weeks, their calls.

use crate::harness::{Server, Socket, next, request_as, tell};
use serde_json::{Value, json};
use tingjian::engine::rule;
use tingjian::engine::rule::parse::SourceFile;

const INGEST: &str = "ingest-0123456789";
const LI: &str = "lijing-0123456789";
const A7: &str = "agent-a7-0123456789";
const A8: &str = "agent-a8-0123456789";

const RULES: &str = "
pack: test
title: 测试
rules:
  - { id: test.forbidden, name: 不知道, severity: warning, deduct: 5, forbid: { any: [不知道] }, message: 不要说 }
  - id: test.greet
    name: 问候
    severity: info
    deduct: 1
    message: 没有问候
    suggestion: 您好，请问有什么可以帮您？
    require: { any: [您好], after: answered, within: 10s }
  - id: test.steps
    name: 三步
    severity: info
    message: 没有做好
    sequence:
      after: { said: { role: customer, any: [投诉] } }
      steps:
        - { name: 致歉, any: [抱歉] }
        - { name: 核实, any: ['(您|你)说的'], optional: true }
        - { name: 方案, say: 今天之内给您答复。, any: ['(今天|明天)之内'] }
      within: 10m
";

struct Site {
    server: Server,
    producer: Socket,
}

impl Site {
    async fn start() -> Self {
        let files = [
            ("test.yaml", RULES),
            (
                "trial.yaml",
                "pack: trial\ntitle: 试\nrules:\n  - { id: trial.x, name: 试, severity: info, forbid: { any: [没办法] }, message: 不要说 }\n",
            ),
        ];
        let files = files.map(|(name, text)| SourceFile { name: name.to_owned(), text: text.to_owned() });
        let rules = rule::load(&files, "v1".to_owned()).unwrap_or_else(|faults| panic!("{faults:?}")).rules;
        let config = format!(
            "shadow_packs = [\"trial\"]\ncall_linger_ms = 50\nutc_offset = \"+08:00\"\n[tokens]\ningest = [\"{INGEST}\"]\n\
             qa = {{ \"李静\" = \"{LI}\" }}\n[tokens.agents]\na7 = [\"{A7}\"]\na8 = [\"{A8}\"]\n"
        );
        let server = Server::with_rules(&config, rules).await;
        let producer = server.connect(&format!("/v1/ingest?token={INGEST}")).await;
        Self { server, producer }
    }

    async fn ask(&self, token: &str, target: &str) -> (u16, Value) {
        let (status, body) = request_as(self.server.address, Some(token), "GET", target, "").await;
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// A call that ends after 20 seconds, and `events` of it.
    async fn call(&mut self, call_id: &str, agent_id: &str, started_at: &str, events: &[Value]) {
        let started = json!({"type": "call.start", "call_id": call_id, "agent_id": agent_id, "started_at": started_at});
        tell(&mut self.producer, numbered(started, call_id, 1)).await;
        for (seq, event) in (2..).zip(events) {
            tell(&mut self.producer, numbered(event.clone(), call_id, seq)).await;
        }
        let end = json!({"type": "call.end", "at_ms": 20_000, "by": "customer"});
        tell(&mut self.producer, numbered(end, call_id, 99)).await;
        while self.ask(LI, "/v1/calls?live=true").await.1["calls"] != json!([]) {}
    }
}

fn numbered(mut event: Value, call_id: &str, seq: u64) -> Value {
    event["call_id"] = json!(call_id);
    event["seq"] = json!(seq);
    event
}

fn says(role: &str, at_ms: i64, text: &str) -> Value {
    json!({"type": "utterance", "utterance_id": format!("u{at_ms}"), "role": role, "text": text,
        "start_ms": at_ms, "end_ms": at_ms + 500, "final": true})
}

#[tokio::test]
async fn an_agent_s_day_is_held_against_their_own_weeks() {
    let mut site = Site::start().await;
    let greets = says("agent", 500, "您好");
    let fault = says("agent", 5_000, "我不知道。");
    // In Shanghai the first is on Sunday, of the week before.
    for (call_id, started_at, events) in [
        ("c1", "2026-11-15T15:30:00Z", vec![fault.clone()]),
        ("c2", "2026-11-15T16:30:00Z", vec![greets.clone()]),
        ("c3", "2026-11-18T10:00:00+08:00", vec![greets.clone(), fault.clone()]),
        ("c4", "2026-11-18T11:00:00+08:00", vec![greets.clone()]),
        ("c5", "2026-11-18T12:00:00+08:00", vec![greets.clone()]),
    ] {
        site.call(call_id, "a7", started_at, &events).await;
    }
    // Another's, and one that another answered and transferred.
    site.call("other", "a8", "2026-11-18T10:00:00+08:00", std::slice::from_ref(&greets)).await;
    let transferred = [
        greets,
        says("customer", 2_000, "这是跟第一位坐席说的"),
        json!({"type": "call.transfer", "at_ms": 3_000}),
        json!({"type": "call.transfer_answered", "at_ms": 4_000, "agent_id": "a7"}),
        fault,
        says("agent", 8_000, "没办法。"),
    ];
    site.call("c6", "a8", "2026-11-18T13:00:00+08:00", &transferred).await;

    let (status, day) = site.ask(A7, "/v1/agents/a7/day?day=2026-11-18").await;
    assert_eq!(status, 200, "{day}");
    let own =
        |scores: &Value| json!([scores["key"], scores["calls"], scores["mean"], scores["alerts"], scores["clean"]]);
    assert_eq!(own(&day["total"]), json!(["2026-11-18", 4, 97.5, 2, 2]), "{day}");
    let weeks = day["weeks"].as_array().unwrap();
    assert_eq!(weeks.len(), 8);
    assert_eq!(own(&weeks[6]), json!(["2026-11-09", 1, 94.0, 2, 0]), "{day}");
    assert_eq!(own(&weeks[7]), json!(["2026-11-16", 5, 98.0, 2, 3]), "{day}");
    assert_eq!(day["duties"], json!([{"rule_id": "test.greet", "rule_name": "问候", "said": 3, "missed": 0}]));
    assert_eq!((&day["streak"], &day["streak_best"], &day["truncated"]), (&json!(0), &json!(2), &json!(false)));

    // What QA dismisses no longer breaks a row.
    let alert_id = site.ask(LI, "/v1/alerts?call_id=c6").await.1["alerts"][1]["alert_id"].as_str().unwrap().to_owned();
    let review = json!({"action": "dismiss", "reason": "念的"}).to_string();
    let target = format!("/v1/alerts/{alert_id}/reviews");
    assert_eq!(request_as(site.server.address, Some(LI), "POST", &target, &review).await.0, 201);
    let (_, day) = site.ask(A7, "/v1/agents/a7/day?day=2026-11-18").await;
    assert_eq!((&day["streak"], &day["total"]["clean"]), (&json!(3), &json!(3)), "{day}");
    let (_, empty) = site.ask(A7, "/v1/agents/a7/day").await;
    assert_eq!(empty["total"]["calls"], 0, "{empty}");
    for bad in ["day=yesterday", "day=2026-13-01", "day=10000-01-01", "date=2026-11-18"] {
        assert_eq!(site.ask(A7, &format!("/v1/agents/a7/day?{bad}")).await.0, 400, "{bad}");
    }
    assert_eq!(site.ask(A8, "/v1/agents/a7/day").await.0, 403);

    // A call for its agent: what was said while they had it, their alerts, none on trial.
    let (status, call) = site.ask(A7, "/v1/agents/a7/calls/c6").await;
    assert_eq!(status, 200, "{call}");
    let words = |call: &Value| {
        let words = call["events"].as_array().unwrap().iter().filter_map(|event| event["text"].as_str());
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(words(&call), ["我不知道。", "没办法。"]);
    let rules: Vec<_> = call["alerts"].as_array().unwrap().iter().map(|alert| alert["rule_id"].clone()).collect();
    assert_eq!((rules, &call["score"]), (vec![json!("test.forbidden")], &json!(100)), "{call}");
    let (_, call) = site.ask(A8, "/v1/agents/a8/calls/c6").await;
    assert_eq!(
        (words(&call), call["alerts"].as_array().unwrap().len()),
        (vec!["您好".to_owned(), "这是跟第一位坐席说的".to_owned()], 0)
    );
    let (status, refused) = site.ask(A7, "/v1/agents/a7/calls/other").await;
    assert_eq!((status, &refused["code"]), (404, &site.ask(A7, "/v1/agents/a7/calls/none").await.1["code"]));
}

#[tokio::test]
async fn the_desk_says_what_to_say() {
    let mut site = Site::start().await;
    let mut desk = site.server.connect(&format!("/v1/agents/a7/desk?token={A7}")).await;
    let started = json!({"type": "call.start", "agent_id": "a7", "started_at": "2026-11-18T10:00:00+08:00"});
    tell(&mut site.producer, numbered(started, "c1", 1)).await;
    // How many duties are listed, and how many parts of the last one are said.
    let mut checklist = async |duties: usize, said: usize| loop {
        let list = next(&mut desk).await["calls"][0]["checklist"].as_array().cloned().unwrap_or_default();
        let parts = list.last().map(|duty| duty["parts"].as_array().cloned().unwrap_or_default()).unwrap_or_default();
        if list.len() == duties && parts.iter().filter(|part| !part["said_at_ms"].is_null()).count() == said {
            return list;
        }
    };
    let list = checklist(1, 0).await;
    let greet = &list[0];
    assert_eq!(
        (&greet["say"], &greet["in_order"], &greet["severity"]),
        (&json!("您好，请问有什么可以帮您？"), &json!(false), &json!("info"))
    );
    assert_eq!(greet["parts"][0]["say"], "您好", "and no sequence has begun");
    tell(&mut site.producer, numbered(says("customer", 1_000, "我要投诉"), "c1", 2)).await;
    let list = checklist(2, 0).await;
    let steps = &list[1];
    let part = |part: &Value| json!([part["name"], part["say"], part["optional"], part["said_at_ms"]]);
    assert_eq!(
        (steps["parts"].as_array().unwrap().iter().map(part).collect::<Vec<_>>(), &steps["state"], &steps["in_order"]),
        (
            vec![
                json!(["致歉", "抱歉", false, null]),
                json!(["核实", null, true, null]),
                json!(["方案", "今天之内给您答复。", false, null])
            ],
            &json!("owed"),
            &json!(true)
        )
    );
    tell(&mut site.producer, numbered(says("agent", 3_000, "非常抱歉"), "c1", 3)).await;
    checklist(2, 1).await;
    tell(&mut site.producer, numbered(says("agent", 6_000, "明天之内解决"), "c1", 4)).await;
    let list = checklist(2, 2).await;
    let steps = &list[1];
    assert_eq!(steps["state"], "said", "a step that may be left out is not owed");
}

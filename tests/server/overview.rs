//! Agents beside each other and against the span before; views that are saved and shared.

use serde_json::{Value, json};

use crate::harness::{RULES, Server, request_as, says};
use tingjian::engine::rule;
use tingjian::engine::rule::parse::SourceFile;

/// Agent, queue, day, what the agent says in each of so many calls.
type Calls = (&'static str, Option<&'static str>, &'static str, usize, &'static [&'static str]);

/// Two weeks.
const CALLS: [Calls; 6] = [
    ("a7", Some("售后"), "2026-11-10", 20, &["您好"]),
    ("a7", Some("售后"), "2026-11-17", 12, &["我不知道", "我不清楚"]),
    ("a8", Some("续费"), "2026-11-11", 10, &["我不知道"]),
    ("a8", Some("续费"), "2026-11-18", 40, &["您好"]),
    ("a8", None, "2026-11-19", 4, &["我不知道", "没办法"]),
    ("a9", None, "2026-11-18", 2, &["我不清楚", "我不清楚", "我不知道"]),
];

async fn server() -> Server {
    let rules = RULES.map(|(name, text)| SourceFile {
        name: name.to_owned(),
        text: text.replace("severity: critical", "severity: critical, deduct: 5"),
    });
    let rules = rule::load(&rules, "v1".to_owned()).unwrap_or_else(|faults| panic!("{faults:?}")).rules;
    let server = Server::with_rules("shadow_packs = [\"trial\"]\n", rules).await;
    let mut events = String::new();
    for (group, (agent_id, queue, day, count, said)) in CALLS.into_iter().enumerate() {
        for number in 0..count {
            let call_id = format!("g{group}-{number}");
            let mut start = json!({"type": "call.start", "call_id": call_id, "seq": 1, "agent_id": agent_id,
                "started_at": format!("{day}T10:{number:02}:00+08:00")});
            if let Some(queue) = queue {
                start["queue"] = queue.into();
            }
            events += &format!("{start}\n");
            for (number, text) in (2..).zip(said) {
                events += &format!("{}\n", says(&call_id, number, text));
            }
        }
    }
    let (status, answer) = server.request("POST", "/v1/events", &events).await;
    assert_eq!(status, 200, "{answer}");
    server
}

async fn get(server: &Server, target: &str) -> Value {
    let (status, answer) = server.request("GET", target, "").await;
    assert_eq!(status, 200, "{target}: {answer}");
    answer
}

fn keys(answer: &Value) -> Vec<&str> {
    answer["lines"].as_array().unwrap().iter().map(|line| line["key"].as_str().unwrap_or("-")).collect()
}

const WEEK: &str = "from=2026-11-16&to=2026-11-22";

#[tokio::test]
async fn the_worst_come_first_with_reasons_and_against_the_week_before() {
    let server = server().await;
    let answer = get(&server, &format!("/v1/overview?{WEEK}")).await;
    // a9 has the highest rate, in two calls.
    assert_eq!(keys(&answer), ["a7", "a8", "a9"]);
    let [a7, a8, a9] = [0, 1, 2].map(|place| &answer["lines"][place]);
    assert_eq!(
        (a7["ranked"].as_bool(), a9["ranked"].as_bool(), answer["calls_min"].as_u64()),
        (Some(true), Some(false), Some(10))
    );
    assert_eq!(a7["cells"], json!({"test.critical": 12, "test.warning": 12}));
    assert_eq!(a7["reasons"], json!(["test.critical", "test.warning"]));
    assert_eq!(a7["now"]["rate"]["per_100"], 200.0);
    assert_eq!(
        (&a7["now"]["critical"], &a7["now"]["with_alerts"], &a7["now"]["deduct"]),
        (&json!(12), &json!(12), &json!(60))
    );
    assert_eq!(
        (&a7["before"]["calls"], &a7["before"]["alerts"], &a7["change"]["difference"]),
        (&json!(20), &json!(0), &json!(200.0))
    );
    assert!(a7["change"]["low"].as_f64().unwrap() > 0.0, "more than chance: {a7}");
    // 4 in 44 calls after 10 in 10; what is on trial does not count.
    assert_eq!(
        (&a8["now"]["alerts"], &a8["now"]["calls"], &a8["change"]["difference"]),
        (&json!(4), &json!(44), &json!(-90.9))
    );
    assert!(a8["change"]["high"].as_f64().unwrap() < 0.0, "{a8}");
    assert_eq!((&a9["before"]["calls"], &a9["change"]), (&json!(0), &Value::Null));
    let total = &answer["total"];
    assert_eq!(
        (&total["now"]["alerts"], &total["now"]["calls"], &total["before"]["calls"]),
        (&json!(34), &json!(58), &json!(30))
    );
    assert_eq!(answer["rules"][0]["rule_id"], "test.warning");
    assert_eq!(answer["rules"][0]["rule_name"], "警告");
    assert_eq!(
        (&answer["rules"][1]["now"]["alerts"], &answer["rules"][1]["severity"]),
        (&json!(16), &json!("critical"))
    );
    assert_eq!(answer["before_from"], "2026-11-09T00:00:00.000+08:00");
    // Every cell is what its list counts.
    for line in answer["lines"].as_array().unwrap() {
        for (rule, alerts) in line["cells"].as_object().unwrap() {
            let agent = line["key"].as_str().unwrap();
            let list = get(&server, &format!("/v1/alerts?{WEEK}&counts=true&agent_id={agent}&rule_id={rule}")).await;
            assert_eq!(list["alerts"].as_array().unwrap().len() as u64, alerts.as_u64().unwrap(), "{agent} {rule}");
        }
    }
    // By queue, with another minimum, narrowed; whole time has nothing before it.
    let queues = get(&server, &format!("/v1/overview?{WEEK}&by=queue&calls_min=5")).await;
    assert_eq!(keys(&queues), ["售后", "-", "续费"], "{queues}");
    let narrowed = get(&server, &format!("/v1/overview?{WEEK}&severity=critical&agent_id=a7")).await;
    assert_eq!((keys(&narrowed), &narrowed["total"]["now"]["alerts"]), (vec!["a7"], &json!(12)));
    let whole = get(&server, "/v1/overview").await;
    assert_eq!((&whole["total"]["before"], &whole["before_from"]), (&Value::Null, &Value::Null));
    for (query, field) in
        [("by=rule", "by"), ("calls_min=0", "calls_min"), ("calls_min=x", "calls_min"), ("hour=24", "hour")]
    {
        let (status, refused) = server.request("GET", &format!("/v1/overview?{query}"), "").await;
        assert_eq!((status, refused["field"].as_str()), (400, Some(field)), "{refused}");
    }
}

#[tokio::test]
async fn who_takes_over_a_call_has_it_too() {
    let server = server().await;
    let mut events = String::new();
    for number in 0..3 {
        let call_id = format!("taken-{number}");
        let at = |ms: i64| ms + 10_000;
        for event in [
            json!({"type": "call.start", "call_id": call_id, "agent_id": "a7", "started_at": format!("2026-11-25T10:0{number}:00+08:00")}),
            json!({"type": "call.transfer", "call_id": call_id, "at_ms": 1_000}),
            json!({"type": "call.transfer_answered", "call_id": call_id, "at_ms": 5_000, "agent_id": "a5"}),
            json!({"type": "utterance", "call_id": call_id, "utterance_id": "u1", "role": "agent", "text": "我不知道",
                "start_ms": at(0), "end_ms": at(900), "final": true}),
        ] {
            events += &format!("{event}\n");
        }
    }
    let (status, answer) = server.request("POST", "/v1/events", &events).await;
    assert_eq!(status, 200, "{answer}");
    let answer = get(&server, "/v1/overview?from=2026-11-23&to=2026-11-29&calls_min=1").await;
    let line = |key: &str| {
        let line = answer["lines"].as_array().unwrap().iter().find(|line| line["key"] == key).unwrap();
        ["calls", "alerts", "with_alerts"].map(|field| line["now"][field].as_u64().unwrap())
    };
    assert_eq!((line("a5"), line("a7")), ([3, 3, 3], [3, 0, 0]), "{answer}");
    assert_eq!((&answer["total"]["now"]["calls"], &answer["total"]["now"]["alerts"]), (&json!(3), &json!(3)));
    // None of them is over: that is said where they are counted and where they are not.
    let span = "from=2026-11-23&to=2026-11-29";
    let scores = get(&server, &format!("/v1/scores?{span}")).await;
    assert_eq!((&scores["scores"], &scores["live"], &answer["live"]), (&json!([]), &json!(3), &json!(3)));
    let ends: String = (0..2)
        .map(|number| {
            format!(
                "{}\n",
                json!({"type": "call.end", "call_id": format!("taken-{number}"), "at_ms": 60_000, "by": "customer"})
            )
        })
        .collect();
    assert_eq!(server.request("POST", "/v1/events", &ends).await.0, 200);
    while get(&server, &format!("/v1/scores?{span}")).await["live"] != 1 {}
    // Whoever took calls over has them, in the scores as in the list that a row opens.
    let scores = get(&server, &format!("/v1/scores?{span}")).await;
    for agent in ["a5", "a7"] {
        let row = scores["scores"].as_array().unwrap().iter().find(|row| row["key"] == agent).unwrap();
        let list = get(&server, &format!("/v1/calls?{span}&live=false&agent_id={agent}")).await;
        let counted = get(&server, &format!("/v1/statistics?{span}&group=agent&agent_id={agent}")).await;
        assert_eq!((&row["calls"], list["calls"].as_array().unwrap().len()), (&json!(2), 2), "{agent}");
        assert_eq!(counted["answered"]["rows"], json!([{"key": [agent], "calls": 3}]), "{agent}");
        assert_eq!(get(&server, &format!("/v1/scores?{span}&agent_id={agent}")).await["live"], 1, "{agent}");
    }
}

const LI: &str = "lijing-0123456789";
const WANG: &str = "wangfang-0123456789";
const ZHAO: &str = "zhaomin-0123456789";

#[tokio::test]
async fn a_view_is_kept_for_its_owner_and_shown_to_others_if_it_is_shared() {
    let config = format!(
        "[tokens]\nqa = {{ \"李静\" = \"{LI}\", \"王芳\" = \"{WANG}\" }}\nadmin = {{ \"赵敏\" = \"{ZHAO}\" }}\n"
    );
    let server = Server::start(&config).await;
    let ask = async |token: &str, method: &str, target: &str, body: &Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, body) = request_as(server.address, Some(token), method, target, &body).await;
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    };
    let seen = async |token: &str| {
        let (_, answer) = ask(token, "GET", "/v1/views?page=qa", &Value::Null).await;
        let views = answer["views"].as_array().unwrap().clone();
        views.iter().map(|view| (view["name"].as_str().unwrap().to_owned(), view["own"] == true)).collect::<Vec<_>>()
    };
    let view =
        |name: &str, query: &str, shared: bool| json!({"page": "qa", "name": name, "query": query, "shared": shared});
    let (status, kept) = ask(LI, "POST", "/v1/views", &view("严重的", "severity=critical", false)).await;
    assert_eq!(status, 201, "{kept}");
    assert_eq!(ask(LI, "POST", "/v1/views", &view("售后", "queue=%E5%94%AE", true)).await.0, 201);
    assert_eq!(ask(WANG, "POST", "/v1/views", &view("严重的", "severity=critical&days=30", true)).await.0, 201);
    let name = |name: &str, own| (name.to_owned(), own);
    assert_eq!(seen(LI).await, [name("严重的", true), name("售后", true), name("严重的", false)]);
    assert_eq!(seen(WANG).await, [name("严重的", true), name("售后", false)]);
    // The same name is the same view, and sharing it is a change of it.
    let (_, again) = ask(LI, "POST", "/v1/views", &view("严重的", "severity=critical&days=1", true)).await;
    assert_eq!(again["view_no"], kept["view_no"]);
    assert_eq!(seen(WANG).await.len(), 3);
    let target = format!("/v1/views/{}", kept["view_no"]);
    assert_eq!(ask(WANG, "DELETE", &target, &Value::Null).await.1["code"], "no_such_view");
    assert_eq!(ask(LI, "DELETE", &target, &Value::Null).await.0, 204);
    assert_eq!(ask(LI, "DELETE", &target, &Value::Null).await.0, 404);
    let (_, left) = ask(ZHAO, "GET", "/v1/views", &Value::Null).await;
    for view in left["views"].as_array().unwrap() {
        assert_eq!(ask(ZHAO, "DELETE", &format!("/v1/views/{}", view["view_no"]), &Value::Null).await.0, 204);
    }
    assert_eq!(seen(LI).await, []);
    for (body, field) in [
        (json!({"page": "QA", "name": "n", "query": ""}), "page"),
        (json!({"page": "qa", "name": " n", "query": ""}), "name"),
        (json!({"page": "qa", "name": "n", "query": "#x"}), "query"),
        (json!({"page": "qa", "name": "n", "query": "a".repeat(2_001)}), "query"),
        (json!({"page": "qa", "name": "n"}), "query"),
        (json!({"page": "qa", "name": "n", "query": 7}), "query"),
    ] {
        let (status, refused) = ask(LI, "POST", "/v1/views", &body).await;
        assert_eq!(
            (status, refused["code"].as_str(), refused["field"].as_str()),
            (400, Some("invalid_body"), Some(field)),
            "{refused}"
        );
    }
    for number in 0..100 {
        assert_eq!(ask(LI, "POST", "/v1/views", &view(&number.to_string(), "", false)).await.0, 201);
    }
    assert_eq!(ask(LI, "POST", "/v1/views", &view("one more", "", false)).await.1["code"], "too_many_views");
    assert_eq!(ask(LI, "POST", "/v1/views", &view("7", "days=1", false)).await.0, 201);
}

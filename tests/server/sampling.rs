//! Samples of a week: drawn once, given in turn, judged blind a second time, read whole; what they say of rules and reviewers.

use serde_json::{Value, json};

use crate::harness::{Server, Socket, request_as, tell};

const INGEST: &str = "ingest-0123456789";
const LI: &str = "lijing-0123456789";
const WANG: &str = "wangfang-0123456789";
const ZHAO: &str = "zhaomin-0123456789";

const PLANS: &str = "[[review.plans]]\nname = \"weekly\"\nalerts = 6\ncalls = 4\nreviewers = [\"李静\", \"王芳\"]\nsecond = 0.5\nseed = 7\n";

struct Site {
    server: Server,
    producer: Socket,
}

impl Site {
    async fn start(plans: &str) -> Self {
        let config = format!(
            "call_linger_ms = 50\n[tokens]\ningest = [\"{INGEST}\"]\nqa = {{ \"李静\" = \"{LI}\", \"王芳\" = \"{WANG}\" }}\n\
             admin = {{ \"赵敏\" = \"{ZHAO}\" }}\n{plans}"
        );
        let server = Server::start(&config).await;
        let producer = server.connect(&format!("/v1/ingest?token={INGEST}")).await;
        Self { server, producer }
    }

    async fn ask(&self, token: &str, method: &str, target: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, body) = request_as(self.server.address, Some(token), method, target, &body).await;
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    async fn get(&self, token: &str, target: &str) -> Value {
        let (status, body) = self.ask(token, "GET", target, &Value::Null).await;
        assert_eq!(status, 200, "{target}: {body}");
        body
    }

    /// A call of a week that is long over.
    async fn call(&mut self, call_id: &str, agent_id: &str, words: &[&str]) {
        let start = json!({"type": "call.start", "call_id": call_id, "seq": 1, "agent_id": agent_id, "started_at": "2025-01-08T10:00:00+08:00"});
        tell(&mut self.producer, start).await;
        for (seq, text) in (2_u64..).zip(words) {
            let says = json!({"type": "utterance", "call_id": call_id, "seq": seq, "utterance_id": format!("u{seq}"), "role": "agent",
                "text": text, "start_ms": 3_000 * seq, "end_ms": 3_000 * seq + 900, "final": true});
            tell(&mut self.producer, says).await;
        }
        let end = json!({"type": "call.end", "call_id": call_id, "seq": 99, "at_ms": 60_000, "by": "customer"});
        tell(&mut self.producer, end).await;
        while self.get(LI, "/v1/calls?live=true").await["calls"] != json!([]) {}
    }

    async fn draw(&self) -> (u16, Value) {
        self.ask(ZHAO, "POST", "/v1/sampling/draws", &json!({"plan": "weekly", "week": "2025-01-08"})).await
    }

    async fn given(&self, token: &str, query: &str) -> Vec<Value> {
        self.get(token, &format!("/v1/assignments?{query}")).await["assignments"].as_array().unwrap().clone()
    }
}

async fn site_with_calls() -> Site {
    let mut site = Site::start(PLANS).await;
    for number in 0..8 {
        site.call(&format!("c{number}"), "a7", &["您好", "我不知道", "真没意思"]).await;
    }
    for number in 0..4 {
        site.call(&format!("q{number}"), "a8", &["您好", "我不清楚"]).await;
    }
    site
}

#[tokio::test]
async fn a_week_is_drawn_once_by_its_seed_and_given_in_turn() {
    let site = site_with_calls().await;
    let (status, told) = site.draw().await;
    // Six alerts, three of them twice, and four calls.
    assert_eq!((status, &told["samples"]), (200, &json!(13)), "{told}");
    assert_eq!(site.draw().await.1["samples"], Value::Null, "a week is drawn once");
    let mut all = site.given(LI, "").await;
    all.extend(site.given(WANG, "").await);
    assert_eq!(all.len(), 13);
    let firsts: Vec<&Value> = all.iter().filter(|one| one["kind"] == "alert" && one["second"] == false).collect();
    // Eight of one rule and four of the other: by size, four and two.
    let of_rule = |rule: &str| firsts.iter().filter(|one| one["stratum"] == rule).count();
    assert_eq!((of_rule("test.warning"), of_rule("test.critical")), (4, 2));
    assert!(firsts.iter().all(|one| one["weight"] == 2.0), "{firsts:?}");
    for name in ["李静", "王芳"] {
        let given = firsts.iter().filter(|one| one["reviewer"] == name).count();
        assert_eq!(given, 3, "in turn");
        assert!(all.iter().any(|one| one["kind"] == "call" && one["reviewer"] == name));
    }
    for second in all.iter().filter(|one| one["second"] == true) {
        let first = firsts
            .iter()
            .find(|one| one["alert"]["alert_id"] == second["alert"]["alert_id"] && one["call_id"] == second["call_id"]);
        assert_ne!(first.unwrap()["reviewer"], second["reviewer"], "by another person");
    }
    assert!(all.iter().all(|one| one["week"] == "2025-01-06" && one["overdue"] == false && one["done"] == false));
    let entries = site.get(LI, "/v1/audit?action=sample").await["entries"].clone();
    assert_eq!(
        (entries[0]["by"].as_str(), entries[0]["detail"]["alerts"].as_u64()),
        (Some("赵敏"), Some(6)),
        "{entries}"
    );
    // The same calls and the same seed on another server give the same sample.
    let again = site_with_calls().await;
    again.draw().await;
    let names = |given: &[Value]| -> Vec<String> {
        given.iter().map(|one| format!("{} {} {}", one["kind"], one["call_id"], one["reviewer"])).collect()
    };
    let mut others = again.given(LI, "").await;
    others.extend(again.given(WANG, "").await);
    assert_eq!(names(&others), names(&all));
    for (body, code) in [
        (json!({"plan": "none", "week": "2025-01-08"}), "invalid_body"),
        (json!({"plan": "weekly", "week": "2999-01-01"}), "invalid_body"),
        (json!({"plan": "weekly", "week": "x"}), "invalid_body"),
    ] {
        assert_eq!(site.ask(ZHAO, "POST", "/v1/sampling/draws", &body).await.1["code"], code, "{body}");
    }
    assert_eq!(site.ask(LI, "POST", "/v1/sampling/draws", &json!({})).await.0, 403, "admins draw");
}

#[tokio::test]
async fn a_week_that_was_drawn_too_early_is_drawn_from_again_as_its_calls_come_in() {
    let all = async |site: &Site| -> Vec<String> {
        let mut all = site.given(LI, "").await;
        all.extend(site.given(WANG, "").await);
        all.iter().map(|one| format!("{} {} {}", one["kind"], one["call_id"], one["reviewer"])).collect()
    };
    let mut site = Site::start(PLANS).await;
    assert_eq!(site.draw().await.1["samples"], 0, "nothing is in yet");
    assert_eq!(site.get(LI, "/v1/audit?action=sample").await["entries"], json!([]));
    for number in 0..8 {
        site.call(&format!("c{number}"), "a7", &["您好", "我不知道", "真没意思"]).await;
    }
    for number in 0..4 {
        site.call(&format!("q{number}"), "a8", &["您好", "我不清楚"]).await;
    }
    assert_eq!(site.draw().await.1["samples"], 13);
    let in_time = site_with_calls().await;
    in_time.draw().await;
    assert_eq!(all(&site).await, all(&in_time).await, "as if it had been drawn once");
    // One of thirteen calls makes less than a sample at the rate of the plan; six of eighteen do.
    site.call("late0", "a8", &["我不清楚"]).await;
    assert_eq!(site.draw().await.1["samples"], Value::Null);
    for number in 1..6 {
        site.call(&format!("late{number}"), "a8", &["我不清楚"]).await;
    }
    // Two alerts (6 of 18), one of them twice, and two calls (4 of 18, rounded up).
    assert_eq!(site.draw().await.1["samples"], 5);
    let late: Vec<String> = all(&site).await.into_iter().filter(|one| one.contains("late")).collect();
    assert_eq!((late.len(), all(&site).await.len()), (5, 18), "{late:?}");
    assert_eq!(site.draw().await.1["samples"], Value::Null);
    // Each draw weighs by itself: six of twelve, two of six.
    let mut given = site.given(LI, "kind=alert").await;
    given.extend(site.given(WANG, "kind=alert").await);
    let weight = |one: &Value| one["weight"].as_f64().unwrap();
    let of_late = |one: &&Value| one["call_id"].as_str().unwrap().starts_with("late");
    assert!(given.iter().filter(of_late).all(|one| weight(one) == 3.0), "{given:?}");
    assert!(given.iter().filter(|one| !of_late(one)).all(|one| weight(one) == 2.0), "{given:?}");
}

#[tokio::test]
async fn a_second_look_is_blind_and_agreement_is_told_by_rule_and_reviewer() {
    let site = site_with_calls().await;
    site.draw().await;
    let token = |name: &Value| if name == "李静" { LI } else { WANG };
    let mut all = site.given(LI, "kind=alert").await;
    all.extend(site.given(WANG, "kind=alert").await);
    // The first verdicts: every alert is right.
    for one in all.iter().filter(|one| one["second"] == false) {
        let target = format!(
            "/v1/alerts/{}/reviews?call_id={}",
            one["alert"]["alert_id"].as_str().unwrap(),
            one["call_id"].as_str().unwrap()
        );
        assert_eq!(site.ask(token(&one["reviewer"]), "POST", &target, &json!({"action": "confirm"})).await.0, 201);
        let decide = format!("/v1/assignments/{}", one["sample_no"]);
        let refused = site.ask(token(&one["reviewer"]), "POST", &decide, &json!({"verdict": "confirm"})).await;
        assert_eq!(refused.1["code"], "other_verdict", "first ones are reviewed");
    }
    let seconds: Vec<&Value> = all.iter().filter(|one| one["second"] == true).collect();
    assert_eq!(seconds.len(), 3);
    for (index, one) in seconds.iter().enumerate() {
        let reviewer = token(&one["reviewer"]);
        let now = site.given(reviewer, "done=false&kind=alert").await;
        let now = now.iter().find(|now| now["sample_no"] == one["sample_no"]).unwrap();
        let review = &now["alert"]["review"];
        assert_eq!(
            (&review["verdict"], &review["steps"], &review["possible"]),
            (&json!("unreviewed"), &json!([]), &json!(["confirm", "dismiss"]))
        );
        let decide = format!("/v1/assignments/{}", one["sample_no"]);
        let other = if reviewer == LI { WANG } else { LI };
        assert_eq!(site.ask(other, "POST", &decide, &json!({"verdict": "confirm"})).await.0, 403);
        assert_eq!(
            site.ask(reviewer, "POST", &decide, &json!({"verdict": "dismiss"})).await.1["code"],
            "invalid_review",
            "a reason is missing"
        );
        assert_eq!(site.ask(reviewer, "POST", &decide, &json!({"verdict": "read"})).await.1["code"], "other_verdict");
        // The second disagrees once.
        let body = if index == 0 {
            json!({"verdict": "dismiss", "reason": "规则太宽"})
        } else {
            json!({"verdict": "confirm"})
        };
        assert_eq!(site.ask(reviewer, "POST", &decide, &body).await.0, 200);
        assert_eq!(site.ask(reviewer, "POST", &decide, &body).await.1["code"], "already_done");
    }
    assert_eq!(site.ask(LI, "POST", "/v1/assignments/9999", &json!({"verdict": "read"})).await.0, 404);
    assert_eq!(site.ask(LI, "POST", "/v1/assignments/x", &json!({"verdict": "read"})).await.0, 404);
    assert_eq!(
        site.given(LI, "done=false&kind=alert").await.len() + site.given(WANG, "done=false&kind=alert").await.len(),
        0
    );
    // A second verdict changes nothing of how the alert stands.
    assert_eq!(site.get(LI, "/v1/alerts?review=dismissed").await["alerts"], json!([]));
    let told = site.get(LI, "/v1/sampling").await;
    let sum = |rows: &Value, of: &dyn Fn(&Value) -> &Value| -> u64 {
        rows.as_array().unwrap().iter().filter_map(|row| of(row).as_u64()).sum()
    };
    assert_eq!(sum(&told["rules"], &|row| &row["agreement"]["pairs"]), 3, "{told}");
    assert_eq!(sum(&told["reviewers"], &|row| &row["pairs"]), 3);
    let agreement: f64 = told["reviewers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["agreement"].as_f64().unwrap() * row["pairs"].as_f64().unwrap())
        .sum();
    assert!((agreement - 2.0).abs() < 0.01, "two of three: {told}");
    let precision =
        &told["rules"].as_array().unwrap().iter().find(|rule| rule["rule_id"] == "test.warning").unwrap()["precision"];
    assert_eq!(precision["share"], 1.0);
    assert!(precision["low"].as_f64().unwrap() < 0.7, "four of eight alerts say little: {precision}");
    assert_eq!(site.get(LI, "/v1/sampling?from=2025-01-13").await["rules"], json!([]), "of other weeks");
    assert_eq!(site.get(LI, "/v1/audit?action=look").await["entries"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn calls_read_whole_tell_what_the_rules_missed() {
    let site = site_with_calls().await;
    site.draw().await;
    let mut calls = site.given(LI, "kind=call").await;
    calls.extend(site.given(WANG, "kind=call").await);
    assert_eq!(calls.len(), 4);
    let mut missed = 0;
    let mut found = 0;
    for call in &calls {
        let reviewer = if call["reviewer"] == "李静" { LI } else { WANG };
        let call_id = call["call_id"].as_str().unwrap();
        // The rule finds 不知道 and misses 真没意思, where that is said.
        if call_id.starts_with('c') {
            let mark = json!({"utterance_id": "u4", "start": 1, "end": 4, "rule_id": "test.warning"});
            assert_eq!(site.ask(reviewer, "POST", &format!("/v1/calls/{call_id}/marks"), &mark).await.0, 201);
            missed += 1;
            found += 1;
        }
        let decide = format!("/v1/assignments/{}", call["sample_no"]);
        assert_eq!(site.ask(reviewer, "POST", &decide, &json!({"verdict": "read"})).await.0, 200);
    }
    assert!(missed > 0, "{calls:?}");
    let told = site.get(LI, "/v1/sampling").await;
    assert_eq!(told["calls_read"], 4);
    let rule = told["rules"].as_array().unwrap().iter().find(|rule| rule["rule_id"] == "test.warning").unwrap();
    assert_eq!(
        (&rule["found"], &rule["missed"], &rule["recall"]["share"]),
        (&json!(found), &json!(missed), &json!(0.5)),
        "{rule}"
    );
    let (low, high) = (rule["recall"]["low"].as_f64().unwrap(), rule["recall"]["high"].as_f64().unwrap());
    assert!(low < 0.5 && high > 0.5, "{rule}");
    // What was marked is not drawn as an alert of the rules.
    let done: i64 = told["progress"].as_array().unwrap().iter().map(|row| row["done"].as_i64().unwrap()).sum();
    assert_eq!(done, 4, "{told}");
}

#[tokio::test]
async fn plans_that_cannot_be_are_refused() {
    for (plan, why) in [
        ("name = \"a\"\nalerts = 1\nreviewers = []", "reviewers"),
        ("name = \"\"\nalerts = 1\nreviewers = [\"李静\"]", "name"),
        ("name = \"a\"\nreviewers = [\"李静\"]", "alerts"),
        ("name = \"a\"\nalerts = 10001\nreviewers = [\"李静\"]", "alerts"),
        ("name = \"a\"\nalerts = 1\nreviewers = [\"李静\"]\nsecond = 0.1", "second"),
        ("name = \"a\"\nalerts = 1\nreviewers = [\"李静\"]\nby = \"day\"", "day"),
        ("name = \"a\"\nalerts = 1\nreviewers = [\"李静\", \"李静\"]", "reviewers"),
    ] {
        let fault =
            tingjian::server::Config::from_toml(&format!("[[review.plans]]\n{plan}\n")).unwrap_err().to_string();
        assert!(fault.contains(why), "{plan}: {fault}");
    }
}

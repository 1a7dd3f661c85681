//! Review and appeal, over real sockets: who may take which step when, and
//! what follows for scores, exports, metrics and the quality of rules.

use std::io::{BufRead as _, BufReader, Cursor};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::harness::{RULES, Server, Socket, next, request_as, says, send, start, tell};
use calamine::{Data, Reader as _, Xlsx};
use serde_json::{Value, json};
use tingjian::engine::rule;
use tingjian::engine::rule::parse::SourceFile;
use tingjian::server::{Config, ReviewedTurns, verify_audit};

const INGEST: &str = "ingest-0123456789";
const LI: &str = "lijing-0123456789";
const WANG: &str = "wangfang-0123456789";
const ZHAO: &str = "zhaomin-0123456789";
const SOMEBODY: &str = "somebody-0123456789";
const A7: &str = "agent-a7-0123456789";
const A8: &str = "agent-a8-0123456789";

fn config() -> String {
    format!(
        "shadow_packs = [\"trial\"]\ncall_linger_ms = 50\n[review]\nreviewed_min = 2\nprecision_min = 0.75\n\
         [tokens]\ningest = [\"{INGEST}\"]\nqa = {{ \"李静\" = \"{LI}\", \"王芳\" = [\"{WANG}\"] }}\n\
         admin = {{ \"赵敏\" = \"{ZHAO}\" }}\nmetrics = [\"{SOMEBODY}\"]\n\
         [tokens.agents]\na7 = [\"{A7}\"]\na8 = [\"{A8}\"]\n"
    )
}

/// A server whose requests bear tokens.
struct Site {
    server: Server,
    producer: Socket,
}

impl Site {
    async fn start() -> Self {
        let files = RULES.map(|(name, text)| SourceFile {
            name: name.to_owned(),
            text: text
                .replace("severity: warning,", "severity: warning, deduct: 2,")
                .replace("severity: critical,", "severity: critical, deduct: 5,"),
        });
        let rules = rule::load(&files, "v1".to_owned()).unwrap_or_else(|faults| panic!("{faults:?}")).rules;
        let server = Server::with_rules(&config(), rules).await;
        let producer = server.connect(&format!("/v1/ingest?token={INGEST}")).await;
        Self { server, producer }
    }

    async fn ask(&self, token: &str, method: &str, target: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, body) = request_as(self.server.address, Some(token), method, target, &body).await;
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    async fn get(&self, target: &str) -> Value {
        let (status, body) = self.ask(LI, "GET", target, &Value::Null).await;
        assert_eq!(status, 200, "{target}: {body}");
        body
    }

    /// A call in progress in which the agent said `words`, one final each.
    async fn call(&mut self, call_id: &str, words: &[&str]) {
        tell(&mut self.producer, start(call_id)).await;
        for (seq, words) in (2..).zip(words) {
            tell(&mut self.producer, says(call_id, seq, words)).await;
        }
    }

    /// Ends a call and waits until it is closed.
    async fn end(&mut self, call_id: &str) {
        let end = json!({"type": "call.end", "call_id": call_id, "seq": 99, "at_ms": 60_000, "by": "customer"});
        tell(&mut self.producer, end).await;
        while self.get("/v1/calls?live=true").await["calls"] != json!([]) {}
    }

    /// The alerts of a call, the earliest first.
    async fn alerts(&self, call_id: &str) -> Vec<Value> {
        let mut alerts = self.get(&format!("/v1/alerts?call_id={call_id}")).await["alerts"].as_array().unwrap().clone();
        alerts.reverse();
        alerts
    }

    async fn alert_id(&self, call_id: &str) -> String {
        self.alerts(call_id).await[0]["alert_id"].as_str().unwrap().to_owned()
    }

    /// One step; `李:dismiss`. What came of it: status, then the review or the fault.
    async fn step(&self, alert_id: &str, step: &str) -> (u16, Value) {
        let (who, action) = step.split_once(':').unwrap();
        let reason = format!("{who}说的");
        if action == "appeal" {
            let token = if who == "a7" { A7 } else { A8 };
            let answer = json!({"type": "appeal", "alert_id": alert_id, "reason": reason});
            return self.ask(token, "POST", &format!("/v1/agents/{who}/alerts"), &answer).await;
        }
        let token = match who {
            "李静" => LI,
            "王芳" => WANG,
            "赵敏" => ZHAO,
            "a7" => A7,
            other => panic!("{other}"),
        };
        let target = format!("/v1/alerts/{alert_id}/reviews");
        self.ask(token, "POST", &target, &json!({"action": action, "reason": reason})).await
    }

    /// Steps that all are possible.
    async fn steps(&self, alert_id: &str, steps: &[&str]) {
        for step in steps {
            let (status, body) = self.step(alert_id, step).await;
            assert!(matches!(status, 200 | 201), "{step}: {body}");
        }
    }
}

#[tokio::test]
async fn each_step_is_for_some_and_at_its_time() {
    let mut site = Site::start().await;
    // The steps, what the last one is answered with, and where the alert stands then.
    type Case<'a> = (&'a [&'a str], (u16, Option<&'a str>), (&'a str, Option<&'a str>, bool));
    let cases: [Case<'_>; 16] = [
        (&["李静:confirm"], (201, None), ("confirmed", None, true)),
        (&["赵敏:dismiss"], (201, None), ("dismissed", None, false)),
        (&["李静:dismiss", "李静:confirm"], (201, None), ("confirmed", None, true)),
        (&["李静:dismiss", "李静:dismiss"], (409, Some("no_change")), ("dismissed", None, false)),
        (&["a7:confirm"], (403, Some("wrong_role")), ("unreviewed", None, true)),
        (&["a7:appeal"], (200, None), ("unreviewed", Some("pending"), true)),
        (&["a8:appeal"], (404, Some("unknown_alert")), ("unreviewed", None, true)),
        (&["李静:dismiss", "a7:appeal"], (409, Some("already_dismissed")), ("dismissed", None, false)),
        (&["a7:appeal", "a7:appeal"], (409, Some("already_appealed")), ("unreviewed", Some("pending"), true)),
        (&["李静:grant"], (409, Some("no_appeal")), ("unreviewed", None, true)),
        (
            &["李静:confirm", "a7:appeal", "李静:reject"],
            (409, Some("same_person")),
            ("confirmed", Some("pending"), true),
        ),
        (&["李静:confirm", "a7:appeal", "王芳:reject"], (201, None), ("confirmed", Some("rejected"), true)),
        (&["李静:confirm", "a7:appeal", "赵敏:grant"], (201, None), ("confirmed", Some("granted"), false)),
        (&["a7:appeal", "王芳:grant", "李静:confirm"], (409, Some("final")), ("unreviewed", Some("granted"), false)),
        (&["a7:appeal", "王芳:reject", "a7:appeal"], (409, Some("final")), ("unreviewed", Some("rejected"), true)),
        (&["李静:appeal"], (403, Some("other_agent")), ("unreviewed", None, true)),
    ];
    for (number, (steps, (status, code), (verdict, appeal, counts))) in cases.into_iter().enumerate() {
        let call_id = format!("c{number}");
        site.call(&call_id, &["不知道"]).await;
        let alert_id = site.alert_id(&call_id).await;
        let (last, earlier) = steps.split_last().unwrap();
        site.steps(&alert_id, earlier).await;
        let (was, body) = if *last == "李静:appeal" {
            // Of another agent, and not of QA's.
            site.ask(A8, "POST", "/v1/agents/a7/alerts", &json!({"type": "appeal", "alert_id": alert_id})).await
        } else {
            site.step(&alert_id, last).await
        };
        assert_eq!((was, body["code"].as_str()), (status, code), "{steps:?}: {body}");
        let review = &site.alerts(&call_id).await[0]["review"];
        let expected = (json!(verdict), json!(appeal), json!(counts));
        assert_eq!(
            (&review["verdict"], &review["appeal"], &review["counts"]),
            (&expected.0, &expected.1, &expected.2),
            "{steps:?}"
        );
        // Every step that was possible is kept: who, what and why.
        let kept = if status < 300 { steps } else { earlier };
        let told: Vec<String> = review["steps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| {
                assert_eq!(step["reason"], format!("{}说的", step["by"].as_str().unwrap()));
                assert!(step["at"].is_string());
                format!("{}:{}", step["by"].as_str().unwrap(), step["action"].as_str().unwrap())
            })
            .collect();
        assert_eq!(told, kept, "{review}");
        if status == 201 {
            let is_same = |name: &str| body[name] == review[name];
            assert!(["verdict", "appeal", "counts", "steps"].into_iter().all(is_same), "the answer is what others see");
        }
    }
}

/// The page offers these and no others: the server alone knows who may decide.
#[tokio::test]
async fn an_alert_says_which_steps_are_possible_to_whom() {
    let mut site = Site::start().await;
    site.call("c1", &["不知道"]).await;
    let alert_id = site.alert_id("c1").await;
    let possible = async |token, of: &str| {
        let (status, body) = site.ask(token, "GET", of, &Value::Null).await;
        assert_eq!(status, 200, "{body}");
        body["alerts"][0]["review"]["possible"].clone()
    };
    let (list, call, own) = ("/v1/alerts?call_id=c1", "/v1/calls/c1", "/v1/agents/a7/reviews");
    assert_eq!(possible(LI, list).await, json!(["confirm", "dismiss"]));
    site.steps(&alert_id, &["李静:confirm", "a7:appeal"]).await;
    for of in [list, call] {
        assert_eq!(possible(LI, of).await, json!(["confirm", "dismiss"]), "who reviewed does not decide");
        assert_eq!(possible(WANG, of).await, json!(["confirm", "dismiss", "grant", "reject"]));
    }
    assert_eq!(possible(A7, own).await, json!([]), "agents appeal, and review nothing");
    site.steps(&alert_id, &["王芳:grant"]).await;
    assert_eq!(possible(LI, list).await, json!([]));
}

#[tokio::test]
async fn a_slip_is_undone_by_who_made_it_and_both_steps_stay() {
    let mut site = Site::start().await;
    site.call("c1", &["不知道"]).await;
    let alert_id = site.alert_id("c1").await;
    let step = async |token, action: &str| {
        let body = json!({"action": action, "reason": "x", "steps_seen": null});
        site.ask(token, "POST", &format!("/v1/alerts/{alert_id}/reviews"), &body).await
    };
    assert_eq!(step(LI, "undo").await.1["code"], "nothing_to_undo");
    assert_eq!(step(LI, "dismiss").await.1["counts"], false);
    assert_eq!(step(WANG, "undo").await.1["code"], "nothing_to_undo");
    let (status, review) = step(LI, "undo").await;
    assert_eq!((status, &review["verdict"], &review["counts"]), (201, &json!("unreviewed"), &json!(true)), "{review}");
    // Lists show the steps though the verdict is as before all of them.
    let listed = site.alerts("c1").await[0]["review"]["steps"].clone();
    let actions: Vec<&str> = listed.as_array().unwrap().iter().map(|step| step["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["dismiss", "undo"]);
    assert_eq!(step(LI, "undo").await.1["code"], "nothing_to_undo");
    assert_eq!(step(WANG, "confirm").await.1["verdict"], "confirmed");
    let csv = site.ask(LI, "GET", "/v1/export?format=csv", &Value::Null).await.1;
    assert!(csv.as_str().unwrap().contains("王芳"), "who reviews is who holds: {csv}");
    let actions = site.get("/v1/audit?action=undo").await["entries"].as_array().unwrap().len();
    assert_eq!(actions, 1);
}

#[tokio::test]
async fn several_alerts_are_judged_in_one_go_each_for_itself() {
    let mut site = Site::start().await;
    site.call("c1", &["不知道", "真不知道"]).await;
    site.call("c2", &["不知道"]).await;
    let mut alerts = site.alerts("c1").await;
    alerts.extend(site.alerts("c2").await);
    let named = |alert: &Value| json!({"alert_id": alert["alert_id"], "call_id": alert["call_id"], "started_at": alert["started_at"], "steps_seen": 0});
    let mut all: Vec<Value> = alerts.iter().map(named).collect();
    // Somebody was there first.
    site.steps(alerts[1]["alert_id"].as_str().unwrap(), &["王芳:confirm"]).await;
    all.push(json!({"alert_id": "none", "call_id": "c1", "started_at": alerts[0]["started_at"]}));
    let body = json!({"action": "dismiss", "reason": "规则太宽", "alerts": all});
    let (status, told) = site.ask(LI, "POST", "/v1/reviews", &body).await;
    assert_eq!((status, &told["taken"]), (200, &json!(2)), "{told}");
    let became: Vec<&str> = told["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["review"]["verdict"].as_str().or(result["error"]["code"].as_str()).unwrap())
        .collect();
    assert_eq!(became, ["dismissed", "changed", "dismissed", "unknown_alert"]);
    let dismissed = site.get("/v1/alerts?review=dismissed").await["alerts"].as_array().unwrap().len();
    assert_eq!(dismissed, 2);
    let entries = site.get("/v1/audit?action=dismiss").await["entries"].clone();
    assert_eq!(entries.as_array().unwrap().len(), 2, "an entry a step");
    for (body, code) in [
        (json!({"action": "dismiss", "reason": "x", "alerts": []}), "invalid_body"),
        (json!({"action": "dismiss", "alerts": all}), "invalid_review"),
        (
            json!({"action": "confirm", "alerts": [{"alert_id": "x", "call_id": "c", "started_at": "?"}]}),
            "invalid_body",
        ),
    ] {
        let (status, answer) = site.ask(LI, "POST", "/v1/reviews", &body).await;
        assert_eq!((status, answer["code"].as_str()), (400, Some(code)), "{body}");
    }
}

#[tokio::test]
async fn reviewers_see_what_the_others_have_open() {
    let mut site = Site::start().await;
    site.call("c1", &["不知道"]).await;
    let alert = site.alerts("c1").await.remove(0);
    let case = json!({"alert_id": alert["alert_id"], "call_id": "c1", "started_at": alert["started_at"]});
    let open =
        async |token, alert: Value| site.ask(token, "POST", "/v1/reviews/open", &json!({ "alert": alert })).await;
    assert_eq!(open(LI, case.clone()).await, (200, json!({"open": []})));
    let (_, told) = open(WANG, Value::Null).await;
    assert_eq!((&told["open"][0]["by"], &told["open"][0]["alert_id"]), (&json!("李静"), &alert["alert_id"]), "{told}");
    assert_eq!(open(LI, Value::Null).await.1, json!({"open": []}), "nobody is told of their own");
    assert_eq!(open(WANG, Value::Null).await.1, json!({"open": []}));
    let (status, answer) = open(LI, json!({"alert_id": "", "call_id": "c1", "started_at": alert["started_at"]})).await;
    assert_eq!((status, &answer["field"]), (400, &json!("alert_id")), "{answer}");
    assert_eq!(open(A7, Value::Null).await.0, 403);
    // A form that somebody fills is told beside it, until it is closed.
    let form = async |token, close: bool| {
        let form = json!({"form": "service", "agent_id": "a7", "call_id": "c1", "started_at": alert["started_at"], "close": close});
        site.ask(token, "POST", "/v1/reviews/open", &json!({ "form": form })).await
    };
    assert_eq!(form(LI, false).await, (200, json!({"open": []})));
    let (_, told) = form(WANG, false).await;
    let known = ["by", "form", "agent_id", "call_id"].map(|field| told["forms"][0][field].as_str().unwrap_or("-"));
    assert_eq!(known, ["李静", "service", "a7", "c1"], "{told}");
    form(LI, true).await;
    assert_eq!(form(WANG, false).await.1, json!({"open": []}));
    let both = json!({"alert": case, "form": {"form": "f", "agent_id": "a7", "call_id": "c1", "started_at": alert["started_at"]}});
    assert_eq!(site.ask(LI, "POST", "/v1/reviews/open", &both).await.1["field"], "form");
}

/// The one definition of what counts holds for what people mark, too: scores, exports, statistics, metrics, appeals.
#[tokio::test]
async fn a_marked_violation_counts_like_an_alert_of_its_own() {
    let mut site = Site::start().await;
    site.call("c1", &["你真烦人", "不知道"]).await;
    let mark = |more: Value| {
        let mut body = json!({"utterance_id": "u2", "start": 1, "end": 4, "category": "态度", "severity": "critical", "note": "骂人"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let post = async |token, body: Value| site.ask(token, "POST", "/v1/calls/c1/marks", &body).await;
    let event: Value = site.get("/v1/calls/c1").await["events"][1].clone();
    assert_eq!((&event["utterance_id"], &event["text"]), (&json!("u2"), &json!("你真烦人")), "{event}");
    assert_eq!(post(LI, mark(json!({}))).await.1["code"], "call_in_progress");
    site.end("c1").await;
    let post = async |token, body: Value| site.ask(token, "POST", "/v1/calls/c1/marks", &body).await;
    let before = site.get("/v1/calls/c1").await;
    let (status, alert) = post(LI, mark(json!({}))).await;
    assert_eq!(status, 201, "{alert}");
    assert_eq!(
        [
            &alert["rule_id"],
            &alert["pack"],
            &alert["display"],
            &alert["severity"],
            &alert["message"],
            &alert["evidence"][0]["phrase"]
        ],
        ["marked.态度", "marked", "marked", "critical", "人工标出：真烦人", "真烦人"]
    );
    assert_eq!((&alert["review"]["verdict"], &alert["review"]["counts"]), (&json!("confirmed"), &json!(true)));
    assert_eq!(
        (&alert["review"]["steps"][0]["action"], &alert["review"]["steps"][0]["reason"]),
        (&json!("mark"), &json!("骂人"))
    );
    let after = site.get("/v1/calls/c1").await;
    let number = |value: &Value| value.as_i64().unwrap();
    assert_eq!(number(&after["score"]), number(&before["score"]) - 5, "five points for a critical one");
    assert_eq!(number(&after["confirmed"]), number(&before["confirmed"]) + 1);
    let total = site.get("/v1/statistics?counts=true").await["total"].clone();
    assert_eq!(total["alerts"], after["confirmed"]);
    assert_eq!(site.get("/v1/scores").await["scores"][0]["alerts"], after["confirmed"]);
    let csv = site.ask(LI, "GET", "/v1/export?format=csv&display=marked", &Value::Null).await.1;
    let csv = csv.as_str().unwrap();
    assert!(csv.contains("marked.态度") && csv.contains("李静") && !csv.contains("test.warning"), "{csv}");
    let metrics = site.ask(LI, "GET", "/metrics", &Value::Null).await.1;
    let line = "tingjian_alerts_total{display=\"marked\",rule=\"marked.态度\",state=\"confirmed\"} 1";
    assert!(metrics.as_str().unwrap().contains(line), "{metrics}");
    // It is no alert of the rules, so it says nothing of their precision.
    let rules = site.get("/v1/quality").await["rules"].clone();
    let marked = rules.as_array().unwrap().iter().find(|rule| rule["rule_id"] == "marked.态度").unwrap().clone();
    assert_eq!([&marked["alerts"], &marked["reviewed"], &marked["missed"]], [0, 0, 1]);

    // The agent sees it and may appeal; who marked it does not decide.
    let history = site.ask(A7, "GET", "/v1/agents/a7/history", &Value::Null).await.1;
    let own = history["alerts"].as_array().unwrap().iter().find(|alert| alert["display"] == "marked").unwrap().clone();
    assert_eq!(own["may_appeal"], true, "{own}");
    let alert_id = alert["alert_id"].as_str().unwrap();
    site.steps(alert_id, &["a7:appeal"]).await;
    assert_eq!(site.step(alert_id, "李静:grant").await.1["code"], "same_person");
    site.steps(alert_id, &["王芳:grant"]).await;
    assert_eq!(site.get("/v1/calls/c1").await["score"], before["score"]);
    assert_eq!(site.get("/v1/audit?action=mark").await["entries"][0]["by"], "李静");

    for (body, status, code) in [
        (mark(json!({})), 409, "already_marked"),
        (mark(json!({"category": "别的"})), 400, "invalid_body"),
        (mark(json!({"rule_id": "none", "category": null})), 400, "invalid_body"),
        (mark(json!({"rule_id": "test.warning"})), 400, "invalid_body"),
        (mark(json!({"utterance_id": "u99"})), 400, "invalid_body"),
        (mark(json!({"start": 4, "end": 4})), 400, "invalid_body"),
        (mark(json!({"end": 5})), 400, "invalid_body"),
        (mark(json!({"end": -1})), 400, "invalid_body"),
        (mark(json!({"note": "长".repeat(501)})), 400, "invalid_review"),
    ] {
        let (was, answer) = post(LI, body.clone()).await;
        assert_eq!((was, answer["code"].as_str()), (status, Some(code)), "{body}: {answer}");
    }
    let missing = site.ask(LI, "POST", "/v1/calls/none/marks", &mark(json!({}))).await;
    assert_eq!(missing.0, 404);
    // What the rules told already is not marked a second time.
    let told = site.get("/v1/calls/c1").await["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["display"] == "card")
        .unwrap()
        .clone();
    let place = &told["evidence"][0];
    let again = json!({"utterance_id": place["utterance_id"], "start": place["start"], "end": place["end"], "rule_id": told["rule_id"]});
    assert_eq!(post(LI, again).await.1["code"], "already_marked");
    let kinds = site.get("/v1/marks/kinds").await;
    assert!(kinds["rules"].as_array().unwrap().iter().any(|rule| rule["rule_id"] == told["rule_id"]), "{kinds}");
    assert_eq!(kinds["categories"][0], "态度");
}

#[tokio::test]
async fn what_was_marked_is_sealed_by_its_own_entry_and_learned_from() {
    let mut site = Site::start().await;
    site.call("c1", &["你真烦人"]).await;
    site.end("c1").await;
    let body = json!({"utterance_id": "u2", "start": 1, "end": 4, "category": "态度"});
    let (status, alert) = site.ask(LI, "POST", "/v1/calls/c1/marks", &body).await;
    assert_eq!(status, 201, "{alert}");
    let data = site.server.stop().await;
    let faults = |data: &Path| verify_audit(data, None, &Config::default()).unwrap().faults;
    assert_eq!(faults(data.path()), Vec::<String>::new());
    let turns = ReviewedTurns::read(data.path(), None, None, &Config::default()).unwrap();
    let turns: Vec<(&str, bool)> = turns.turns.iter().map(|turn| (turn.text.as_str(), turn.is_violation)).collect();
    assert_eq!(turns, [("你真烦人", true)]);
    let store = rusqlite::Connection::open(data.path().join("tingjian.db")).unwrap();
    store.execute("UPDATE latest_alerts SET verdict = 'unreviewed' WHERE display = 'marked'", []).unwrap();
    assert_eq!(faults(data.path()).len(), 1);
}

#[tokio::test]
async fn steps_that_cannot_be_read_say_why() {
    let mut site = Site::start().await;
    site.call("c1", &["不知道", "没办法"]).await;
    let alert_id = site.alert_id("c1").await;
    let target = format!("/v1/alerts/{alert_id}/reviews");
    let long = "长".repeat(501);
    for (target, body, status, code) in [
        (target.as_str(), json!({"action": "dismiss"}), 400, "invalid_review"),
        (&target, json!({"action": "dismiss", "reason": " "}), 400, "invalid_review"),
        (&target, json!({"action": "confirm", "reason": long}), 400, "invalid_review"),
        (&target, json!({"action": "appeal", "reason": "x"}), 400, "invalid_review"),
        (&target, json!({"action": "praise"}), 400, "invalid_review"),
        (&target, json!([]), 400, "invalid_review"),
        (&target, json!({"action": "confirm", "by": "王芳"}), 400, "other_person"),
        (&format!("{target}?call=c1"), json!({"action": "confirm"}), 400, "invalid_query"),
        (&format!("{target}?started_at=now"), json!({"action": "confirm"}), 400, "invalid_query"),
        (&format!("{target}?call_id=c2"), json!({"action": "confirm"}), 404, "unknown_alert"),
        ("/v1/alerts/nothing/reviews", json!({"action": "confirm"}), 404, "unknown_alert"),
    ] {
        let (was, answer) = site.ask(LI, "POST", target, &body).await;
        assert_eq!((was, answer["code"].as_str()), (status, Some(code)), "{target} {body}");
    }
    assert_eq!(site.server.ask::<i64>("SELECT count(*) FROM reviews"), 0);
    // A name that is right does no harm, and numbers of persons are not kept.
    let body = json!({"action": "confirm", "by": "李静", "reason": "客户13800138000说的"});
    let (status, review) = site.ask(LI, "POST", &target, &body).await;
    assert_eq!((status, &review["steps"][0]["reason"]), (201, &json!("客户138****8000说的")), "{review}");
    // Packs on trial are reviewed by QA: that decides whether they go live.
    let trial = site.alerts("c1").await[1].clone();
    assert_eq!(trial["display"], "shadow");
    let trial = trial["alert_id"].as_str().unwrap();
    let (status, review) = site.step(trial, "李静:confirm").await;
    assert_eq!((status, &review["counts"]), (201, &json!(false)), "{review}");
    assert_eq!(site.step(trial, "a7:appeal").await.0, 404, "agents know nothing of it");
}

#[tokio::test]
async fn an_agent_appeals_where_it_listens_and_sees_what_became_of_it() {
    let mut site = Site::start().await;
    site.call("c1", &["不知道", "不清楚", "没办法"]).await;
    let mut agent = site.server.connect(&format!("/v1/agents/a7/alerts?after=0&token={A7}")).await;
    let mut looking_on = site.server.connect(&format!("/v1/agents/a7/alerts?after=0&token={LI}")).await;
    let first = next(&mut agent).await["alert_id"].clone();
    for _ in 0..2 {
        next(&mut looking_on).await;
    }
    next(&mut agent).await;
    for (is_own, message, kind, code) in [
        (false, json!({"type": "appeal", "alert_id": first, "reason": "x"}), "error", json!("agents_only")),
        (true, json!({"type": "appeal", "alert_id": first}), "error", json!("invalid_feedback")),
        (
            true,
            json!({"type": "appeal", "alert_id": first, "reason": "x", "started_at": "?"}),
            "error",
            json!("invalid_feedback"),
        ),
        (true, json!({"type": "appeal", "alert_id": "none", "reason": "x"}), "error", json!("unknown_alert")),
        (true, json!({"type": "appeal", "alert_id": first, "reason": "客户问的是别家"}), "noted", Value::Null),
        (true, json!({"type": "appeal", "alert_id": first, "reason": "再说"}), "error", json!("already_appealed")),
    ] {
        let socket = if is_own { &mut agent } else { &mut looking_on };
        send(socket, message.clone()).await;
        let answer = next(socket).await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!(kind), &code), "{message}: {answer}");
    }
    let reviewed = |target: &'static str| site.ask(A7, "GET", target, &Value::Null);
    let (status, page) = reviewed("/v1/agents/a7/reviews").await;
    assert_eq!((status, page["alerts"].as_array().unwrap().len()), (200, 1), "{page}");
    assert_eq!(page["alerts"][0]["review"]["steps"][0]["reason"], "客户问的是别家");
    site.steps(first.as_str().unwrap(), &["王芳:grant"]).await;
    let other = site.alerts("c1").await;
    site.steps(other[1]["alert_id"].as_str().unwrap(), &["李静:confirm"]).await;
    // What agents are never shown they do not see here either.
    site.steps(other[2]["alert_id"].as_str().unwrap(), &["李静:confirm"]).await;
    let (_, page) = reviewed("/v1/agents/a7/reviews?limit=1").await;
    assert_eq!(page["alerts"][0]["review"]["verdict"], "confirmed", "{page}");
    let cursor = page["next_cursor"].as_str().unwrap();
    let target = format!("/v1/agents/a7/reviews?limit=1&cursor={cursor}");
    let (_, page) = site.ask(A7, "GET", &target, &Value::Null).await;
    assert_eq!(
        (&page["alerts"][0]["review"]["appeal"], &page["next_cursor"]),
        (&json!("granted"), &Value::Null),
        "{page}"
    );
    for (token, target, status) in [
        (A8, "/v1/agents/a7/reviews", 403),
        (LI, "/v1/agents/a7/reviews", 200),
        (A7, "/v1/agents/a7/reviews?limit=0", 400),
        (A7, "/v1/agents/a7/reviews?from=2026-11-21", 400),
    ] {
        assert_eq!(site.ask(token, "GET", target, &Value::Null).await.0, status, "{target}");
    }
}

#[tokio::test]
async fn what_people_took_back_no_longer_counts() {
    let mut site = Site::start().await;
    site.call("c1", &["不知道", "不清楚", "不知道", "没办法"]).await;
    site.end("c1").await;
    let alerts = site.alerts("c1").await;
    let id = |number: usize| alerts[number]["alert_id"].as_str().unwrap().to_owned();
    let deduct =
        |numbers: &[usize]| numbers.iter().map(|&number| alerts[number]["deduct"].as_u64().unwrap()).sum::<u64>();
    let standing = async |site: &Site| {
        let call = site.get("/v1/calls/c1").await;
        let scores = site.get("/v1/scores").await["scores"][0].clone();
        assert_eq!((&scores["mean"], &scores["alerts"]), (&json!(call["score"].as_f64().unwrap()), &call["confirmed"]));
        (call["confirmed"].as_u64().unwrap(), call["score"].as_u64().unwrap())
    };
    assert!(deduct(&[0]) > 0 && deduct(&[1]) > 0);
    assert_eq!(standing(&site).await, (3, 100 - deduct(&[0, 1, 2])));
    site.steps(&id(0), &["李静:dismiss"]).await;
    assert_eq!(standing(&site).await, (2, 100 - deduct(&[1, 2])));
    site.steps(&id(1), &["李静:confirm", "a7:appeal"]).await;
    assert_eq!(standing(&site).await, (2, 100 - deduct(&[1, 2])));
    site.steps(&id(1), &["王芳:grant"]).await;
    assert_eq!(standing(&site).await, (1, 100 - deduct(&[2])));
    site.steps(&id(0), &["李静:confirm"]).await;
    assert_eq!(standing(&site).await, (2, 100 - deduct(&[0, 2])));

    for (filter, count) in [
        ("review=unreviewed", 2),
        ("review=confirmed", 2),
        ("review=dismissed", 0),
        ("review=confirmed,unreviewed", 4),
        ("appeal=granted", 1),
        ("appeal=pending,rejected", 0),
    ] {
        let found = site.get(&format!("/v1/alerts?{filter}")).await["alerts"].as_array().unwrap().len();
        assert_eq!(found, count, "{filter}");
        let (_, lines) =
            request_as(site.server.address, Some(LI), "GET", &format!("/v1/export?format=csv&{filter}"), "").await;
        // Chunks have lines of their own.
        assert_eq!(lines.matches(",c1,").count(), count, "{filter}: {lines}");
    }
    let (status, fault) = site.ask(LI, "GET", "/v1/alerts?review=done", &Value::Null).await;
    assert!(status == 400 && fault["field"] == "review" && fault["message"].as_str().unwrap().contains("dismissed"));
    let server = site.server;
    drop(site.producer);
    let data = server.stop().await;

    // The file that the same store gives without the server.
    let export = |format: &str| {
        let mut bytes = Vec::new();
        let config = tingjian::server::Config::from_toml(&config()).unwrap();
        tingjian::server::export_store(data.path(), &format!("format={format}"), &config, &mut bytes, |_, _| {})
            .unwrap();
        bytes
    };
    let rows: Vec<Value> =
        String::from_utf8(export("jsonl")).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = [
        json!(["confirmed", "李静", "李静说的", null, null, null, null, 1]),
        json!(["confirmed", "李静", "李静说的", "granted", "a7说的", "王芳", "王芳说的", 0]),
        json!(["unreviewed", null, null, null, null, null, null, 1]),
        json!(["unreviewed", null, null, null, null, null, null, 0]),
    ];
    let columns = [
        "review",
        "reviewer",
        "review_reason",
        "appeal",
        "appeal_reason",
        "appeal_decided_by",
        "appeal_decision_reason",
        "counts",
    ];
    for (row, expected) in rows.iter().zip(expected) {
        let told: Vec<&Value> = columns.iter().map(|column| &row[*column]).collect();
        assert_eq!(json!(told), expected);
        assert_eq!(row["reviewed_at"].is_string(), row["reviewer"].is_string());
    }
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(export("xlsx"))).unwrap();
    let quality = book.worksheet_range("规则质量").unwrap();
    let told: Vec<Vec<String>> = quality.rows().map(|row| row.iter().map(Data::to_string).collect()).collect();
    assert_eq!(told[0][..9], ["规则", "规则名称", "规则版本", "预警", "已复核", "判对", "判错", "准确率", "偏低"]);
    let row = |rule_id: &str| told.iter().find(|row| row[0] == rule_id).unwrap()[3..].join(" ");
    assert_eq!(row("test.warning"), "2 1 1 0 1  2 0 0 0 0 0 ");
    assert_eq!(row("test.critical"), "1 1 0 1 0  1 0 0 1 1 0 1");
}

/// The sum of a number over entries of an answer.
fn sum(entries: &Value, of: impl Fn(&Value) -> &Value) -> u64 {
    entries.as_array().unwrap().iter().map(|entry| of(entry).as_u64().unwrap()).sum()
}

/// What counts, by each who tells it: alerts and the points that they deduct.
const COUNTING: (u64, u64) = (4, 11);

#[tokio::test]
async fn one_data_set_has_the_same_figures_everywhere() {
    let mut site = Site::start().await;
    site.call("c1", &["不知道", "不清楚", "不知道", "没办法", "不清楚", "您真烦人"]).await;
    let mut taken_back = says("c1", 8, "不知道");
    taken_back["final"] = json!(false);
    tell(&mut site.producer, taken_back.clone()).await;
    (taken_back["final"], taken_back["text"], taken_back["seq"]) = (json!(true), json!("好的"), json!(9));
    tell(&mut site.producer, taken_back).await;
    site.end("c1").await;
    site.call("c2", &["不清楚", "不知道"]).await;
    site.end("c2").await;
    let (first, second) = (site.alerts("c1").await, site.alerts("c2").await);
    let id = |alerts: &[Value], number: usize| alerts[number]["alert_id"].as_str().unwrap().to_owned();
    // Dismissed; granted; stands; on trial; held; marked; withdrawn. Appealed; upheld and its appeal rejected.
    site.steps(&id(&first, 0), &["李静:dismiss"]).await;
    site.steps(&id(&first, 1), &["李静:confirm", "a7:appeal", "王芳:grant"]).await;
    let store = rusqlite::Connection::open(site.server.data.path().join("tingjian.db")).unwrap();
    let hold = "UPDATE latest_alerts SET display = 'held' WHERE alert_id = ?";
    assert_eq!(store.execute(hold, [id(&first, 4)]).unwrap(), 1);
    drop(store);
    let mark = json!({"utterance_id": "u7", "start": 1, "end": 4, "category": "态度"});
    let (status, marked) = site.ask(LI, "POST", "/v1/calls/c1/marks", &mark).await;
    assert_eq!(status, 201, "{marked}");
    site.steps(&id(&second, 0), &["李静:confirm", "a7:appeal"]).await;
    site.steps(&id(&second, 1), &["李静:confirm", "a7:appeal", "王芳:reject"]).await;

    // The list, whichever way it is narrowed.
    let all = "state=provisional,confirmed,retracted,reminder,resolved&display=card,folded,late,shadow,held,marked";
    let list = site.get("/v1/alerts?counts=true").await["alerts"].clone();
    assert_eq!((list.as_array().unwrap().len() as u64, sum(&list, |alert| &alert["deduct"])), COUNTING, "{list}");
    let every = site.get(&format!("/v1/alerts?{all}")).await["alerts"].clone();
    assert_eq!(every.as_array().unwrap().len(), 9, "what does not count is there, too");
    let counting = every.as_array().unwrap().iter().filter(|alert| alert["review"]["counts"] == true);
    assert_eq!(counting.count() as u64, COUNTING.0);
    // Statistics by everything, and what they deduct whatever else they count.
    for group in ["day", "hour", "rule", "agent", "team", "queue", "severity"] {
        let counted = site.get(&format!("/v1/statistics?counts=true&group={group}")).await;
        let told = (sum(&counted["rows"], |row| &row["alerts"]), sum(&counted["rows"], |row| &row["deduct"]));
        assert_eq!(told, COUNTING, "{group}: {counted}");
        assert_eq!(counted["total"]["alerts"], COUNTING.0);
        let whole = site.get(&format!("/v1/statistics?{all}&group={group}")).await;
        assert_eq!((&whole["total"]["alerts"], &whole["total"]["deduct"]), (&json!(9), &json!(COUNTING.1)), "{group}");
    }
    // The comparison, by line, cell and rule.
    for by in ["agent", "team", "queue"] {
        let overview = site.get(&format!("/v1/overview?by={by}")).await;
        let total = &overview["total"]["now"];
        assert_eq!(
            (&total["alerts"], &total["deduct"], &total["critical"]),
            (&json!(COUNTING.0), &json!(COUNTING.1), &json!(1))
        );
        assert_eq!(sum(&overview["lines"], |line| &line["now"]["alerts"]), COUNTING.0, "{by}");
        assert_eq!(sum(&overview["rules"], |rule| &rule["now"]["deduct"]), COUNTING.1, "{by}");
        let cells =
            overview["lines"].as_array().unwrap().iter().flat_map(|line| line["cells"].as_object().unwrap().values());
        assert_eq!(cells.map(|alerts| alerts.as_u64().unwrap()).sum::<u64>(), COUNTING.0, "{by}");
    }
    // Calls, one by one and in the list, and scores by everything.
    let calls = site.get("/v1/calls").await["calls"].clone();
    assert_eq!(
        (sum(&calls, |call| &call["confirmed"]), sum(&calls, |call| &call["score"])),
        (COUNTING.0, 200 - COUNTING.1)
    );
    let with_alerts = site.get("/v1/calls?alerts=true&counts=true").await["calls"].clone();
    assert_eq!(with_alerts, calls);
    for call in ["c1", "c2"] {
        let call = site.get(&format!("/v1/calls/{call}?held=true")).await;
        assert_eq!(sum(&call["scoring"]["packs"], |pack| &pack["alerts"]), call["confirmed"].as_u64().unwrap());
        let counting = call["alerts"].as_array().unwrap().iter().filter(|alert| alert["review"]["counts"] == true);
        assert_eq!(counting.count() as u64, call["confirmed"].as_u64().unwrap());
    }
    for group in ["agent", "team", "queue", "day"] {
        let scores = site.get(&format!("/v1/scores?group={group}")).await["scores"].clone();
        assert_eq!((sum(&scores, |row| &row["alerts"]), sum(&scores, |row| &row["calls"])), (COUNTING.0, 2), "{group}");
        assert_eq!(scores[0]["mean"], 100.0 - COUNTING.1 as f64 / 2.0);
    }
    // What the agent may see of it, and the report.
    let history = site.ask(A7, "GET", "/v1/agents/a7/history", &Value::Null).await.1["alerts"].clone();
    let counting = history.as_array().unwrap().iter().filter(|alert| alert["review"]["counts"] == true);
    assert_eq!(counting.count() as u64, COUNTING.0, "{history}");
    let report = site.get("/v1/report?from=2026-11-16&to=2026-11-22").await;
    let total = &report["total"]["now"];
    assert_eq!(
        (&total["alerts"], &total["deduct"], &total["critical"]),
        (&json!(COUNTING.0), &json!(COUNTING.1), &json!(1))
    );
    assert_eq!(report["critical"].as_array().unwrap().len(), 1);
    // What people made of it: the quality of rules, the report and the metrics.
    let quality = site.get("/v1/quality").await["rules"].clone();
    let told = ["reviewed", "confirmed", "dismissed", "granted", "rejected", "missed"]
        .map(|figure| sum(&quality, |rule| &rule[figure]));
    assert_eq!(told, [4, 2, 2, 1, 1, 1], "{quality}");
    let reviewed = &report["reviewed"];
    let of_report = ["judged", "upheld", "granted", "missed"].map(|figure| reviewed[figure].as_u64().unwrap());
    assert_eq!(of_report, [4, 2, 1, 1], "{reviewed}");
    let metrics = site.ask(LI, "GET", "/metrics", &Value::Null).await.1.as_str().unwrap().to_owned();
    for rule in
        quality.as_array().unwrap().iter().filter(|rule| rule["precision"].is_number() && rule["pack"] == "test")
    {
        let line = format!(
            "tingjian_rule_precision{{rule_id=\"{}\"}} {}",
            rule["rule_id"].as_str().unwrap(),
            rule["precision"]
        );
        assert!(metrics.lines().any(|had| had == line), "{line}\n{metrics}");
    }
    // Every export, from the server and beside it.
    let data = site.server.data.path();
    let export = |format: &str, query: &str| {
        let mut bytes = Vec::new();
        let config = Config::from_toml(&config()).unwrap();
        let query = format!("format={format}&{query}");
        tingjian::server::export_store(data, &query, &config, &mut bytes, |_, _| {}).unwrap();
        bytes
    };
    for query in ["counts=true", all] {
        let lines = String::from_utf8(export("jsonl", query)).unwrap();
        let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let counting = json!(rows.iter().filter(|row| row["counts"] == 1).collect::<Vec<_>>());
        assert_eq!(
            (counting.as_array().unwrap().len() as u64, sum(&counting, |row| &row["deduct"])),
            COUNTING,
            "{query}"
        );
        let mut book: Xlsx<_> = Xlsx::new(Cursor::new(export("xlsx", query))).unwrap();
        let summary = book.worksheet_range("汇总").unwrap();
        let total = summary.rows().next_back().unwrap();
        assert_eq!(
            (total[0].to_string(), total[5].to_string()),
            ("合计".to_owned(), COUNTING.1.to_string()),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_rule_that_is_wrong_too_often_is_reported() {
    let mut site = Site::start().await;
    site.call("c1", &["不知道", "不知道", "不清楚", "不知道", "不知道"]).await;
    let alerts = site.alerts("c1").await;
    let warnings: Vec<&str> = alerts
        .iter()
        .filter(|alert| alert["rule_id"] == "test.warning")
        .map(|alert| alert["alert_id"].as_str().unwrap())
        .collect();
    let figures = async |site: &Site, query: &str| {
        let quality = site.get(&format!("/v1/quality?rule_id=test.warning{query}")).await;
        assert_eq!((&quality["precision_min"], &quality["reviewed_min"]), (&json!(0.75), &json!(2)));
        quality["rules"][0].clone()
    };
    let metric = async |site: &Site, name: &str| {
        let (_, text) = request_as(site.server.address, Some(SOMEBODY), "GET", "/metrics", "").await;
        text.lines().find_map(|line| line.strip_prefix(name).map(|value| value.trim().to_owned()))
    };
    let precision = "tingjian_rule_precision{rule_id=\"test.warning\"}";
    let below = "tingjian_rule_precision_below_min{rule_id=\"test.warning\"}";
    assert_eq!(figures(&site, "").await["precision"], Value::Null);
    assert_eq!(metric(&site, precision).await, None);
    // The steps, then precision, whether it is reported, reviewed.
    for (number, steps, expected) in [
        (0, &["李静:dismiss"][..], (0.0, false, 1)),
        (1, &["李静:confirm"], (0.5, true, 2)),
        (2, &["a7:appeal"], (0.5, true, 2)),
        (2, &["王芳:reject"], (0.6667, true, 3)),
        (3, &["李静:confirm"], (0.75, false, 4)),
        (3, &["a7:appeal", "王芳:grant"], (0.5, true, 4)),
        (0, &["王芳:confirm"], (0.75, false, 4)),
    ] {
        site.steps(warnings[number], steps).await;
        let told = figures(&site, "").await;
        let is_below = json!(expected.1);
        assert_eq!(
            (&told["precision"], &told["below"], &told["reviewed"]),
            (&json!(expected.0), &is_below, &json!(expected.2)),
            "{steps:?}"
        );
        assert_eq!(metric(&site, precision).await, Some(expected.0.to_string()), "{steps:?}");
        assert_eq!(metric(&site, below).await, Some(i32::from(expected.1).to_string()), "{steps:?}");
    }
    let dismissal = json!({"type": "dismiss", "alert_id": warnings[1], "reason": "x"});
    assert_eq!(site.ask(A7, "POST", "/v1/agents/a7/alerts", &dismissal).await.0, 200);
    let mut told = figures(&site, "").await;
    let fields = told.as_object_mut().unwrap();
    let added = ["rule_digest", "current", "first_at", "last_at", "fallen"].map(|name| fields.remove(name).unwrap());
    assert_eq!((added[0].as_str().map(str::len), &added[1], &added[4]), (Some(12), &json!(true), &json!(false)));
    assert!(added[2].as_str() <= added[3].as_str() && added[2].is_string(), "{added:?}");
    let expected = json!({
        "rule_id": "test.warning", "rule_name": "警告", "pack": "test", "rules_version": "v1", "alerts": 4, "shown": 4,
        "overridden": 1, "override_rate": 0.25, "reviewed": 4, "confirmed": 3, "dismissed": 1, "precision": 0.75,
        "appeals": 2, "granted": 1, "rejected": 1, "appeal_success_rate": 0.5, "below": false, "missed": 0,
    });
    assert_eq!(told, expected);
    assert_eq!(figures(&site, "&appeal=granted").await["precision"], 0.0);
    assert_eq!(figures(&site, "&from=2026-11-22").await, Value::Null);
    for (name, value) in [
        ("tingjian_reviews_total{rule_id=\"test.warning\",verdict=\"confirmed\"}", "3"),
        ("tingjian_reviews_total{rule_id=\"test.warning\",verdict=\"dismissed\"}", "1"),
        ("tingjian_appeals_total{decision=\"pending\",rule_id=\"test.warning\"}", "2"),
        ("tingjian_appeals_total{decision=\"granted\",rule_id=\"test.warning\"}", "1"),
        ("tingjian_appeals_total{decision=\"rejected\",rule_id=\"test.warning\"}", "1"),
    ] {
        assert_eq!(metric(&site, name).await.as_deref(), Some(value), "{name}");
    }
}

/// A correction that comes after a review takes the alert back all the same:
/// the steps stay, and count for nobody.
#[tokio::test]
async fn what_a_late_correction_takes_back_is_out_of_review() {
    let mut site = Site::start().await;
    site.call("c1", &["不知道"]).await;
    let alert_id = site.alert_id("c1").await;
    site.steps(&alert_id, &["李静:confirm"]).await;
    assert_eq!(site.get("/v1/quality").await["rules"][0]["reviewed"], 1);
    let mut corrected = says("c1", 2, "我知道");
    corrected["seq"] = json!(3);
    tell(&mut site.producer, corrected).await;
    let alert = site.alerts("c1").await.remove(0);
    assert_eq!(alert["state"], "retracted");
    let review = &alert["review"];
    assert_eq!((&review["verdict"], &review["counts"]), (&json!("confirmed"), &json!(false)), "{review}");
    assert_eq!(review["steps"].as_array().unwrap().len(), 1);
    assert_eq!(site.get("/v1/quality").await["rules"][0]["reviewed"], 0);
    for step in ["王芳:dismiss", "a7:appeal"] {
        let (status, body) = site.step(&alert_id, step).await;
        assert_eq!((status, &body["code"]), (409, &json!("not_confirmed")), "{step}");
    }
}

#[tokio::test]
async fn of_two_who_review_at_once_neither_is_lost() {
    let mut site = Site::start().await;
    for number in 0..8 {
        let call_id = format!("c{number}");
        site.call(&call_id, &["不知道"]).await;
        let alert_id = site.alert_id(&call_id).await;
        let (first, second) = tokio::join!(site.step(&alert_id, "李静:confirm"), site.step(&alert_id, "王芳:dismiss"));
        assert_eq!((first.0, second.0), (201, 201));
        let review = &site.alerts(&call_id).await[0]["review"];
        let steps = review["steps"].as_array().unwrap();
        assert_eq!(steps.len(), 2, "{review}");
        let last = if steps[1]["action"] == "confirm" { "confirmed" } else { "dismissed" };
        assert_eq!(review["verdict"], last, "{review}");
        // Whoever came first did not see the other's step, and who came second did.
        let seen = |answer: &Value| answer["steps"].as_array().unwrap().len();
        assert_eq!(seen(&first.1) + seen(&second.1), 3);
    }
}

#[tokio::test]
async fn a_step_after_what_was_seen_is_refused_once_somebody_else_took_one() {
    let mut site = Site::start().await;
    site.call("c1", &["不知道"]).await;
    let target = format!("/v1/alerts/{}/reviews", site.alert_id("c1").await);
    let steps = [
        (LI, json!({"action": "confirm", "steps_seen": 0}), 201, Value::Null),
        (WANG, json!({"action": "confirm", "steps_seen": 0}), 409, json!("changed")),
        (WANG, json!({"action": "dismiss", "reason": "误报", "steps_seen": 1}), 201, Value::Null),
        // What is impossible anyhow is told as such.
        (LI, json!({"action": "grant", "reason": "是", "steps_seen": 0}), 409, json!("no_appeal")),
        // Who does not say what was seen is not held to it.
        (LI, json!({"action": "confirm"}), 201, Value::Null),
    ];
    for (token, body, status, code) in steps {
        let (got, answer) = site.ask(token, "POST", &target, &body).await;
        assert_eq!((got, &answer["code"]), (status, &code), "{body}: {answer}");
    }
}

/// One definition of what counts: each figure of alerts and deductions goes by it.
#[tokio::test]
async fn figures_agree_wherever_they_are_told() {
    let mut site = Site::start().await;
    let words = ["不知道一", "不清楚二", "不知道三", "不清楚四", "没办法五"];
    for call_id in ["c1", "c2", "c3"] {
        site.call(call_id, &words).await;
    }
    tell(&mut site.producer, start("c4")).await;
    for call_id in ["c1", "c2", "c3", "c4"] {
        let end = json!({"type": "call.end", "call_id": call_id, "seq": 99, "at_ms": 60_000, "by": "customer"});
        tell(&mut site.producer, end).await;
    }
    while site.get("/v1/calls?live=true").await["calls"] != json!([]) {}
    let alerts = site.alerts("c1").await;
    let id = |index: usize| alerts[index]["alert_id"].as_str().unwrap();
    site.steps(id(0), &["李静:dismiss"]).await;
    site.steps(id(1), &["李静:confirm", "a7:appeal", "王芳:grant"]).await;
    site.steps(id(2), &["李静:confirm", "a7:appeal", "王芳:reject"]).await;
    for filter in
        ["", "&call_id=c1", "&severity=critical", "&rule_id=test.warning", "&agent_id=a7", "&review=dismissed"]
    {
        let list = site.get(&format!("/v1/alerts?counts=true&limit=1000{filter}")).await;
        let counted = list["alerts"].as_array().unwrap();
        let all = site.get(&format!("/v1/alerts?limit=1000{filter}")).await;
        let all = all["alerts"].as_array().unwrap();
        assert_eq!(all.iter().filter(|alert| alert["review"]["counts"] == true).count(), counted.len(), "{filter}");
        let deduct: i64 = counted.iter().map(|alert| alert["deduct"].as_i64().unwrap()).sum();
        let total = |answer: &Value| (answer["total"]["alerts"].as_i64(), answer["total"]["deduct"].as_i64());
        let statistics = site.get(&format!("/v1/statistics?counts=true{filter}")).await;
        assert_eq!(total(&statistics), (Some(counted.len() as i64), Some(deduct)), "{filter}");
        // Whatever else is listed, only what counts deducts.
        let confirmed = site.get(&format!("/v1/statistics?{}", filter.trim_start_matches('&'))).await;
        assert_eq!(confirmed["total"]["deduct"].as_i64(), Some(deduct), "{filter}");
        let calls = site.get(&format!("/v1/calls?alerts=true&counts=true{filter}")).await;
        assert_eq!(calls["calls"].as_array().unwrap().len() as i64, statistics["total"]["calls"].as_i64().unwrap());
        let (status, export) =
            site.ask(LI, "GET", &format!("/v1/export?format=jsonl&counts=true{filter}"), &Value::Null).await;
        assert_eq!(status, 200);
        let exported = export.to_string().matches("alert_id").count();
        assert_eq!(exported, counted.len(), "{filter}: {export}");
    }
    let calls = site.get("/v1/calls").await;
    let of_calls: i64 = calls["calls"].as_array().unwrap().iter().map(|call| call["confirmed"].as_i64().unwrap()).sum();
    let scores = site.get("/v1/scores").await;
    let of_scores: i64 = scores["scores"].as_array().unwrap().iter().map(|row| row["alerts"].as_i64().unwrap()).sum();
    let counted = site.get("/v1/statistics?counts=true").await["total"]["alerts"].as_i64().unwrap();
    assert_eq!((of_calls, of_scores), (counted, counted));
    assert_eq!(calls["calls"].as_array().unwrap().len(), 4);
    assert_eq!(site.get("/v1/calls?alerts=true").await["calls"].as_array().unwrap().len(), 3);
    let (status, fault) = site.ask(LI, "GET", "/v1/calls?rule_id=test.warning", &Value::Null).await;
    assert_eq!((status, &fault["field"]), (400, &json!("rule_id")));
}

#[tokio::test]
async fn ids_that_are_used_again_are_told_apart() {
    let mut site = Site::start().await;
    site.call("c1", &["不知道"]).await;
    site.end("c1").await;
    let mut again = start("c1");
    again["started_at"] = json!("2026-11-22T09:00:00+08:00");
    tell(&mut site.producer, again).await;
    tell(&mut site.producer, says("c1", 2, "不知道")).await;
    let alerts = site.alerts("c1").await;
    let alert_id = alerts[0]["alert_id"].as_str().unwrap();
    assert_eq!(alerts[1]["alert_id"], alert_id);
    let (status, fault) = site.step(alert_id, "李静:dismiss").await;
    assert_eq!((status, &fault["code"]), (409, &json!("several_calls")), "{fault}");
    let target = format!("/v1/alerts/{alert_id}/reviews?call_id=c1&started_at=2026-11-21T10:00:00%2B08:00");
    let (status, _) = site.ask(LI, "POST", &target, &json!({"action": "dismiss", "reason": "误报"})).await;
    assert_eq!(status, 201);
    // An answer from the screen is to the latest.
    let answer = json!({"type": "seen", "alert_id": alert_id});
    assert_eq!(site.ask(A7, "POST", "/v1/agents/a7/alerts", &answer).await.0, 200);
    let started_at = alerts[1]["started_at"].clone();
    let appeal = json!({"type": "appeal", "alert_id": alert_id, "reason": "x", "started_at": started_at});
    assert_eq!(site.ask(A7, "POST", "/v1/agents/a7/alerts", &appeal).await.0, 200);
    let alerts = site.alerts("c1").await;
    let told = |alert: &Value| {
        let review = &alert["review"];
        json!([review["verdict"], review["appeal"], alert["feedback"]["action"]])
    };
    assert_eq!(told(&alerts[0]), json!(["dismissed", null, null]));
    assert_eq!(told(&alerts[1]), json!(["unreviewed", "pending", "seen"]));
}

/// `tingjian learn --data`, on a store.
fn learn(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tingjian"));
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
    command.args(["learn", "--dry-run", "--rules", rules, "--data"]).arg(data).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[tokio::test]
async fn reviewed_alerts_are_turns_to_learn_from() {
    let mut site = Site::start().await;
    // What QA has not decided teaches nothing.
    let calls: [(&str, &[&str]); 6] = [
        ("upheld", &["李静:confirm"]),
        ("dismissed", &["李静:dismiss"]),
        ("granted", &["李静:confirm", "a7:appeal", "赵敏:grant"]),
        ("rejected", &["a7:appeal", "王芳:reject"]),
        ("pending", &["a7:appeal"]),
        ("unreviewed", &[]),
    ];
    for (call_id, steps) in calls {
        site.call(call_id, &["您好", "不知道"]).await;
        let alert_id = site.alert_id(call_id).await;
        site.steps(&alert_id, steps).await;
        site.end(call_id).await;
    }
    let data = site.server.stop().await;
    // The rest of the run takes a minute and says nothing of the store.
    let first_line = |arguments: &[&str]| {
        let mut learning = learn(data.path(), arguments).spawn().unwrap();
        let line = BufReader::new(learning.stdout.take().unwrap()).lines().next();
        learning.kill().unwrap();
        learning.wait().unwrap();
        line.unwrap().unwrap()
    };
    let expected = format!(
        "{}: 4 句（违规 2，不违规 2，两可 0） / turns: 4 (yes 2, no 2, borderline 0)，来自复核过的禁语预警 4 条 / of 4 reviewed alerts",
        data.path().display()
    );
    assert_eq!(first_line(&[]), expected);
    assert_eq!(first_line(&["--from", "2026-11-21", "--to", "2026-11-21"]), expected);
    let refused = |arguments: &[&str]| {
        let Output { status, stdout, stderr } = learn(data.path(), arguments).output().unwrap();
        assert_eq!((status.code(), stdout.as_slice()), (Some(2), b"".as_slice()));
        String::from_utf8(stderr).unwrap()
    };
    assert!(refused(&["--from", "2026-11-22"]).contains("没有能学的复核结论；先在 /qa 复核"));
    assert!(refused(&["--from", "yesterday"]).contains("--from: "));
    assert!(refused(&["--to", "2026-11-20", "--from", "2026-11-21"]).contains("--to: "));
}

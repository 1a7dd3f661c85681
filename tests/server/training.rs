//! Training clips and calibration sessions: what is collected and who may read it, what is judged blind and how far it agrees.

use serde_json::{Value, json};

use crate::harness::{Server, Socket, request_as, says, tell};

const INGEST: &str = "ingest-0123456789";
const LI: &str = "lijing-0123456789";
const WANG: &str = "wangfang-0123456789";
const ZHAO: &str = "zhaomin-0123456789";
const A7: &str = "agent-a7-0123456789";
const A8: &str = "agent-a8-0123456789";

struct Site {
    server: Server,
    producer: Socket,
}

impl Site {
    async fn start() -> Self {
        let config = format!(
            "call_linger_ms = 50\n[tokens]\ningest = [\"{INGEST}\"]\nqa = {{ \"李静\" = \"{LI}\", \"王芳\" = \"{WANG}\", \"赵敏\" = \"{ZHAO}\" }}\n\
             [tokens.agents]\na7 = [\"{A7}\"]\na8 = [\"{A8}\"]\n[recording]\nurl = \"https://rec.example.com/{{call_id}}.mp3\"\n"
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

    async fn refused(&self, token: &str, target: &str, body: &Value) -> (u16, String) {
        let (status, told) = self.ask(token, "POST", target, body).await;
        (status, told["code"].as_str().unwrap_or_default().to_owned())
    }

    async fn call(&mut self, call_id: &str, agent_id: &str, words: &[&str]) {
        let start = json!({"type": "call.start", "call_id": call_id, "seq": 1, "agent_id": agent_id,
            "started_at": "2026-11-21T10:00:00+08:00", "attributes": {"team": if agent_id == "a7" { "一组" } else { "二组" }}});
        tell(&mut self.producer, start).await;
        for (seq, text) in (2..).zip(words) {
            tell(&mut self.producer, says(call_id, seq, text)).await;
        }
        let end = json!({"type": "call.end", "call_id": call_id, "seq": 99, "at_ms": 60_000, "by": "customer"});
        tell(&mut self.producer, end).await;
        while self.get(LI, "/v1/calls?live=true").await["calls"] != json!([]) {}
    }

    async fn alert(&self, call_id: &str) -> Value {
        let alert = self.get(LI, &format!("/v1/alerts?call_id={call_id}")).await["alerts"][0].clone();
        json!({"alert_id": alert["alert_id"], "call_id": call_id, "started_at": alert["started_at"]})
    }
}

fn of<'a>(rows: &'a Value, field: &str) -> Vec<&'a str> {
    rows.as_array().unwrap().iter().map(|row| row[field].as_str().unwrap_or("-")).collect()
}

#[tokio::test]
async fn clips_are_collected_and_read_by_whom_they_are_shared_with() {
    let mut site = Site::start().await;
    site.call("c1", "a7", &["您好", "电话是13812345678", "我不知道", "请稍等", "好的", "再见", "谢谢"]).await;
    site.call("c2", "a8", &["我不清楚"]).await;
    let mut first = site.alert("c1").await;
    let second = site.alert("c2").await;
    // What the rules missed and a reviewer marked is an alert like any other.
    let mark = json!({"utterance_id": "u5", "start": 0, "end": 3, "category": "推诿"});
    let (status, marked) = site.ask(LI, "POST", "/v1/calls/c1/marks", &mark).await;
    assert_eq!(status, 201, "{marked}");
    let marked = json!({"alert_id": marked["alert_id"], "call_id": "c1", "started_at": first["started_at"]});

    first["note"] = json!("换成“我帮您查”");
    assert_eq!(site.refused(LI, "/v1/clips", &json!({"add": [first]})).await, (400, "invalid_body".to_owned()));
    let unknown = json!({"alert_id": "x", "call_id": "c1", "started_at": first["started_at"]});
    assert_eq!(site.refused(LI, "/v1/clips", &json!({"title": "推诿", "add": [unknown]})).await.1, "unknown_alert");
    let (status, made) = site
        .ask(LI, "POST", "/v1/clips", &json!({"title": "推诿怎么说", "note": "十一月", "add": [first, marked]}))
        .await;
    assert_eq!((status, &made["count"], &made["by"]), (201, &json!(2), &json!("李静")), "{made}");
    let no = made["clip_no"].as_i64().unwrap();
    let clip = &made["clips"][0];
    assert_eq!(
        (&clip["note"], &clip["call_id"], &clip["agent_id"]),
        (&json!("换成“我帮您查”"), &json!("c1"), &json!("a7"))
    );
    assert_eq!(of(&clip["words"], "text"), ["您好", "电话是138****5678", "我不知道", "请稍等", "好的", "再见"]);
    assert_eq!(clip["words"][2]["is_hit"], true);
    assert!(clip["recording"]["url"].as_str().unwrap().ends_with("c1.mp3"), "{clip}");
    assert_eq!(made["clips"][1]["rule_name"], "推诿");

    let at = format!("/v1/clips/{no}");
    let own = |agent: &str| format!("/v1/agents/{agent}/clips/{no}");
    assert_eq!(site.ask(A7, "GET", &at, &Value::Null).await.0, 403, "agents ask for their own");
    assert_eq!(site.ask(A7, "GET", &own("a7"), &Value::Null).await.0, 404, "not shared");
    let (_, shared) = site.ask(WANG, "POST", &at, &json!({"share": {"teams": ["二组"]}, "add": [second]})).await;
    assert_eq!((&shared["count"], &shared["share"]["teams"]), (&json!(3), &json!(["二组"])), "{shared}");
    assert_eq!(site.get(A7, "/v1/agents/a7/clips").await["collections"], json!([]));
    assert_eq!(of(&site.get(A8, "/v1/agents/a8/clips").await["collections"], "title"), ["推诿怎么说"]);
    let read = site.get(A8, &own("a8")).await;
    assert_eq!(
        (&read["share"], of(&read["clips"], "call_id"), of(&read["clips"], "agent_id")),
        (&Value::Null, vec!["-"; 3], vec!["-"; 3])
    );
    assert_eq!(site.ask(A8, "GET", &own("a7"), &Value::Null).await.0, 403);
    for share in [json!({"agents": ["a7"]}), json!({"everybody": true})] {
        site.ask(LI, "POST", &at, &json!({"share": share})).await;
        assert_eq!(site.get(A7, &own("a7")).await["count"], 3, "{share}");
    }

    // What is left out stays; twice in is once in; an empty note goes.
    let (_, changed) = site.ask(LI, "POST", &at, &json!({"note": "", "remove": [marked], "add": [first]})).await;
    assert_eq!(
        (&changed["title"], &changed["note"], &changed["count"]),
        (&json!("推诿怎么说"), &Value::Null, &json!(2)),
        "{changed}"
    );
    assert_eq!(site.refused(LI, "/v1/clips/99", &json!({"title": "x"})).await, (404, "no_such_clips".to_owned()));
    assert_eq!(site.refused(A7, &at, &json!({"title": "x"})).await.0, 403);
    // A change of what somebody else changed since is refused with their name; only its maker or an admin removes it.
    let seen = changed["revision"].clone();
    let (_, retitled) = site.ask(WANG, "POST", &at, &json!({"title": "推诿怎么改", "revision": seen})).await;
    let (status, told) = site.ask(LI, "POST", &at, &json!({"title": "别的", "revision": seen})).await;
    let message = told["message"].as_str().unwrap();
    assert_eq!((status, &told["code"], message.starts_with("王芳 在 20")), (409, &json!("changed"), true), "{told}");
    assert_eq!(site.get(LI, &at).await["title"], "推诿怎么改");
    let (status, told) = site.ask(WANG, "POST", &at, &json!({"delete": true})).await;
    assert_eq!((status, &told["code"]), (403, &json!("not_owner")), "{told}");
    assert!(told["message"].as_str().unwrap().contains("李静"), "{told}");
    let last = json!({"delete": true, "revision": retitled["revision"]});
    assert_eq!(site.ask(LI, "POST", &at, &last).await, (200, Value::Null));
    assert_eq!(site.get(LI, "/v1/clips").await["collections"], json!([]));
    let told = site.get(LI, "/v1/audit?action=clips").await["entries"].clone();
    assert_eq!(
        (told.as_array().unwrap().len(), &told[0]["detail"]["gone"], &told[6]["by"]),
        (7, &json!(true), &json!("李静")),
        "{told}"
    );
}

#[tokio::test]
async fn readers_and_reviewers_whom_nobody_knows_are_refused_or_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.csv");
    std::fs::write(&file, "agent_id,name,team\na7,李雷,售后一组\na8,韩梅梅,售后二组\n").unwrap();
    let make = async |server: &Server, share: Value| {
        let body = json!({"title": "推诿", "by": "李静", "share": share});
        server.request("POST", "/v1/clips", &body.to_string()).await
    };
    // A file names the agents: who is not in it is a slip.
    let server = Server::start(&format!("[agents]\nfile = {file:?}\n")).await;
    for (share, field, meant) in [
        (json!({"teams": ["售后三组"]}), "share.teams", "did you mean 售后一组?"),
        (json!({"teams": ["售后二组"], "agents": ["a9x"]}), "share.agents", "there are: a7, a8"),
        (json!({"agents": ["a7", "a88"]}), "share.agents", "did you mean a8?"),
    ] {
        let (status, told) = make(&server, share).await;
        let message = told["message"].as_str().unwrap_or_default();
        assert_eq!((status, told["field"].as_str(), message.contains(meant)), (400, Some(field), true), "{told}");
    }
    let (status, made) = make(&server, json!({"teams": ["售后一组"], "agents": ["a8"]})).await;
    assert_eq!((status, &made["unknown"]), (201, &Value::Null), "{made}");
    // Nothing names them: the answer says whom nobody knows.
    let server = Server::start("").await;
    let (status, made) = make(&server, json!({"teams": ["一组"], "agents": ["a7"]})).await;
    assert_eq!((status, &made["unknown"]), (201, &json!(["一组", "a7"])), "{made}");
    let call = json!({"type": "call.start", "call_id": "c1", "agent_id": "a7", "started_at": "2026-11-21T10:00:00+08:00", "attributes": {"team": "一组"}});
    let end = json!({"type": "call.end", "call_id": "c1", "at_ms": 60_000});
    server.request("POST", "/v1/events", &format!("{call}\n{end}\n")).await;
    let (_, known) = server.request("GET", &format!("/v1/clips/{}", made["clip_no"]), "").await;
    assert_eq!(known["unknown"], Value::Null, "{known}");
    let session = json!({"title": "校准", "reviewers": ["李静", "王芳"], "calls": [{"call_id": "c1"}], "by": "李静"});
    while server.request("GET", "/v1/calls?live=true", "").await.1["calls"] != json!([]) {}
    let (status, session) = server.request("POST", "/v1/calibrations", &session.to_string()).await;
    assert_eq!((status, &session["unknown"]), (201, &json!(["李静", "王芳"])), "{session}");
    // A query that an address does not take is refused there, too.
    for (method, target) in [
        ("GET", "/v1/clips?foo=1"),
        ("POST", "/v1/clips?title=x"),
        ("GET", "/v1/me?view=qa"),
        ("DELETE", "/v1/views/1?x="),
    ] {
        let (status, told) = server.request(method, target, "").await;
        assert_eq!((status, told["code"].as_str()), (400, Some("invalid_query")), "{method} {target}: {told}");
    }
}

#[tokio::test]
async fn reviewers_judge_the_same_cases_blind_and_are_compared() {
    let mut site = Site::start().await;
    for number in 0..4 {
        site.call(&format!("c{number}"), "a7", &["您好", "我不知道"]).await;
    }
    let mut alerts = Vec::new();
    for number in 0..4 {
        alerts.push(site.alert(&format!("c{number}")).await);
    }
    let new = |reviewers: Value, calls: Value, alerts: &[Value]| json!({"title": "十一月校准", "reviewers": reviewers, "calls": calls, "alerts": alerts});
    let two = || json!(["李静", "王芳"]);
    let call = || json!([{"call_id": "c0"}]);
    for (body, code) in [
        (new(json!(["李静"]), call(), &[]), "invalid_body"),
        (new(json!(["李静", "李静"]), call(), &[]), "invalid_body"),
        (new(two(), json!([]), &[]), "invalid_body"),
        (new(two(), json!([{"call_id": "none"}]), &[]), "no_such_call"),
        (json!({"title": "x", "reviewers": two(), "calls": call(), "form": "none"}), "invalid_body"),
        (json!({"title": "x", "calls": call()}), "invalid_body"),
    ] {
        assert_eq!(site.refused(LI, "/v1/calibrations", &body).await.1, code, "{body}");
    }
    let slip = new(json!(["李静", "王方"]), call(), &[]);
    let (status, told) = site.ask(LI, "POST", "/v1/calibrations", &slip).await;
    assert_eq!((status, &told["field"]), (400, &json!("reviewers")));
    assert!(
        told["message"].as_str().unwrap().contains("是不是 王芳？ / no such reviewer: 王方; did you mean 王芳?"),
        "{told}"
    );
    let (status, made) = site.ask(ZHAO, "POST", "/v1/calibrations", &new(two(), call(), &alerts)).await;
    assert_eq!((status, &made["cases"], &made["form"]["form"]), (201, &json!(5), &json!("service")), "{made}");
    let at = format!("/v1/calibrations/{}", made["calibration_no"]);
    let case = |number: usize| format!("{at}/cases/{number}");
    let verdict = |name: &str| json!({"verdict": name, "reason": "规则太宽"});

    assert_eq!(site.refused(ZHAO, &case(2), &verdict("confirm")).await, (403, "not_given".to_owned()));
    assert_eq!(site.refused(LI, &case(1), &verdict("confirm")).await.1, "other_verdict");
    assert_eq!(site.refused(LI, &case(9), &verdict("confirm")).await.1, "no_such_case");
    assert_eq!(site.refused(LI, &case(2), &json!({"verdict": "dismiss"})).await.1, "invalid_review");
    assert_eq!(site.refused(LI, &case(1), &json!({"answers": []})).await.1, "invalid_body");

    // Both judge; neither sees the other's answers, nor who made the session any.
    let items = |of: &Value, pace: &str| -> Value {
        let items =
            of["form"]["groups"].as_array().unwrap().iter().flat_map(|group| group["items"].as_array().unwrap());
        items
            .map(|item| json!({"item": item["item"], "answer": if item["item"] == "pace" { pace } else { "yes" }}))
            .collect()
    };
    for (token, verdicts, pace) in [
        (LI, ["confirm", "confirm", "dismiss", "dismiss"], "yes"),
        (WANG, ["confirm", "dismiss", "dismiss", "dismiss"], "no"),
    ] {
        for (number, name) in (2..).zip(verdicts) {
            // The last one of all is left.
            if (token, number) != (WANG, 5) {
                let (status, told) = site.ask(token, "POST", &case(number), &verdict(name)).await;
                assert_eq!(status, 200, "{told}");
            }
        }
        let (status, told) =
            site.ask(token, "POST", &case(1), &json!({"answers": items(&made, pace), "comment": "好"})).await;
        assert_eq!(status, 200, "{told}");
    }
    let seen = |of: &Value| -> usize {
        of["list"].as_array().unwrap().iter().map(|one| one["answers"].as_array().unwrap().len()).sum()
    };
    for (token, own) in [(LI, 5), (WANG, 4), (ZHAO, 0)] {
        let session = site.get(token, &at).await;
        assert_eq!((seen(&session), &session["questions"], &session["closed_at"]), (own, &Value::Null, &Value::Null));
        assert_eq!(session["list"][1]["alert"]["review"]["verdict"], "unreviewed");
    }
    let listed = site.get(LI, "/v1/calibrations").await["sessions"][0].clone();
    assert_eq!(listed["reviewers"], json!([{"reviewer": "李静", "done": 5}, {"reviewer": "王芳", "done": 4}]));
    assert_eq!(site.refused(LI, &format!("{at}/close"), &json!({})).await, (403, "not_maker".to_owned()));

    // The last answer closes it, and everything is compared.
    let (_, closed) = site.ask(WANG, "POST", &case(5), &verdict("dismiss")).await;
    assert!(closed["closed_at"].is_string() && seen(&closed) == 10, "{closed}");
    let questions = closed["questions"].as_array().unwrap();
    let of_question = |name: &str| questions.iter().find(|one| one["question"] == name).unwrap();
    // Of four alerts they agree on three: by chance on half of them.
    let verdicts = of_question("verdict");
    assert_eq!(
        (&verdicts["pairs"], &verdicts["agreement"], &verdicts["kappa"]),
        (&json!(4), &json!(0.75), &json!(0.5))
    );
    assert_eq!((&of_question("pace")["agreement"], &of_question("greeting")["agreement"]), (&json!(0.0), &json!(1.0)));
    assert_eq!(closed["pairs"][0]["pairs"], json!(4 + 25));
    let scores: Vec<f64> =
        closed["list"][0]["answers"].as_array().unwrap().iter().map(|one| one["score"].as_f64().unwrap()).collect();
    assert!(scores[0] == 100.0 && scores[1] < 100.0, "{scores:?}");
    assert_eq!(site.refused(LI, &case(2), &verdict("confirm")).await, (409, "closed".to_owned()));

    // Who made a session may close it early; its answers change nothing of the alerts.
    let (_, early) = site.ask(ZHAO, "POST", "/v1/calibrations", &new(two(), json!([]), &alerts[..1])).await;
    let at = format!("/v1/calibrations/{}", early["calibration_no"]);
    let (status, closed) = site.ask(ZHAO, "POST", &format!("{at}/close"), &json!({})).await;
    assert_eq!((status, &closed["questions"], &closed["form"]), (200, &json!([]), &Value::Null), "{closed}");
    assert_eq!(site.get(LI, "/v1/alerts?review=unreviewed").await["alerts"].as_array().unwrap().len(), 4);
    let told = site.get(LI, "/v1/audit?action=calibration").await["entries"].clone();
    assert_eq!((&told[0]["detail"]["step"], told.as_array().unwrap().len()), (&json!("close"), 13), "{told}");
}

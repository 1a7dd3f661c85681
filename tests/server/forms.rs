//! Scoring forms: filled from the alerts of a call, scored, changed with their history, signed by their agents, put together
//! by week.

use serde_json::{Value, json};
use tingjian::server::{Config, verify_audit};

use crate::harness::{Server, Socket, request_as, says, tell};

const INGEST: &str = "ingest-0123456789";
const LI: &str = "lijing-0123456789";
const WANG: &str = "wangfang-0123456789";
const A7: &str = "agent-a7-0123456789";
const A8: &str = "agent-a8-0123456789";

const FORM: &str = "form: line\ntitle: 热线\npass: 80\ngroups:\n  - title: 用语\n    items:\n\
    \x20     - { id: words, title: 不说不知道, points: 6, rules: [test.warning] }\n\
    \x20     - { id: tone, title: 语气, points: 4, scale: 4, not_applicable: true }\n\
    \x20     - { id: law, title: 守法, veto: true, packs: [trial], categories: [信息安全] }\n\
    \x20     - { id: order, title: 工单, points: 2, comment: true }\n";

struct Site {
    server: Server,
    producer: Socket,
    directory: tempfile::TempDir,
}

impl Site {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("line.yaml"), FORM).unwrap();
        let config = format!(
            "call_linger_ms = 50\n[forms]\ndirectory = {:?}\n[tokens]\ningest = [\"{INGEST}\"]\n\
             qa = {{ \"李静\" = \"{LI}\", \"王芳\" = \"{WANG}\" }}\n[tokens.agents]\na7 = [\"{A7}\"]\na8 = [\"{A8}\"]\n",
            directory.path()
        );
        let server = Server::start(&config).await;
        let producer = server.connect(&format!("/v1/ingest?token={INGEST}")).await;
        Self { server, producer, directory }
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

    async fn refused(&self, token: &str, target: &str, body: &Value) -> (u16, String, String) {
        let (status, told) = self.ask(token, "POST", target, body).await;
        let text = |field: &str| told[field].as_str().unwrap_or_default().to_owned();
        (status, text("code"), text("field"))
    }

    async fn call(&mut self, call_id: &str, agent_id: &str, started_at: &str, words: &[&str]) {
        let start = json!({"type": "call.start", "call_id": call_id, "seq": 1, "agent_id": agent_id, "started_at": started_at,
            "attributes": {"team": if agent_id == "a7" { "一组" } else { "二组" }, "agent_name": "某人"}});
        tell(&mut self.producer, start).await;
        for (seq, text) in (2..).zip(words) {
            tell(&mut self.producer, says(call_id, seq, text)).await;
        }
        let end = json!({"type": "call.end", "call_id": call_id, "seq": 99, "at_ms": 60_000, "by": "customer"});
        tell(&mut self.producer, end).await;
        while self.get(LI, "/v1/calls?live=true").await["calls"] != json!([]) {}
    }
}

fn answers(words: Value, tone: Value, law: &str, order: Value) -> Value {
    json!([{"item": "words", "answer": words}, {"item": "tone", "answer": tone}, {"item": "law", "answer": law},
        {"item": "order", "answer": order, "comment": if order == "no" { "少了 13812345678" } else { "" }}])
}

fn items(of: &Value, name: &str) -> Vec<String> {
    of.as_array().unwrap().iter().map(|one| one[name].to_string().trim_matches('"').to_owned()).collect()
}

#[tokio::test]
async fn a_form_is_filled_changed_signed_and_counted() {
    let mut site = Site::start().await;
    site.call("c1", "a7", "2026-11-16T10:00:00+08:00", &["我不知道", "您好"]).await;
    site.call("c2", "a7", "2026-11-17T10:00:00+08:00", &["您好"]).await;
    site.call("c3", "a8", "2026-11-23T10:00:00+08:00", &["您好"]).await;

    // What the alerts say is filled in, with the alerts that say so.
    let of_call = site.get(LI, "/v1/calls/c1/forms").await;
    let prefilled = &of_call["forms"][0]["prefilled"]["a7"];
    assert_eq!(
        (items(prefilled, "item"), items(prefilled, "answer")),
        (vec!["words".into(), "law".into()], vec!["no".into(), "yes".into()])
    );
    let alerts = site.get(LI, "/v1/alerts?call_id=c1").await["alerts"].clone();
    assert_eq!(prefilled[0]["alerts"], json!([alerts[0]["alert_id"]]));
    assert_eq!(of_call["filled"], json!([]));
    let version = of_call["forms"][0]["version"].clone();

    let good = |words, tone, law, order| json!({"form": "line", "version": version, "answers": answers(words, tone, law, order)});
    let at = "/v1/calls/c1/forms";
    for (body, code, field) in [
        (json!({"form": "other", "answers": []}), "invalid_body", "form"),
        (json!({"form": "line", "version": "x", "answers": []}), "invalid_body", "version"),
        (json!({"form": "line", "answers": []}), "invalid_body", "answers.words"),
        (json!({"form": "line", "agent_id": "a8", "answers": []}), "invalid_body", "agent_id"),
        (good(json!("na"), json!(4), "yes", json!("yes")), "invalid_body", "answers.words"),
        (good(json!("no"), json!(5), "yes", json!("yes")), "invalid_body", "answers.tone"),
        (json!({"form": "line", "by": "王芳", "answers": []}), "other_person", ""),
    ] {
        let told = site.refused(LI, at, &body).await;
        assert_eq!((told.1.as_str(), told.2.as_str()), (code, field), "{body}");
    }
    assert_eq!(site.refused(A7, at, &good(json!("no"), json!(4), "yes", json!("yes"))).await.0, 403);

    let (status, filled) = site.ask(LI, "POST", at, &good(json!("no"), json!(2), "yes", json!("no"))).await;
    assert_eq!(status, 201, "{filled}");
    // 2 of 12 points; the comment is masked.
    assert_eq!(
        (&filled["score"], &filled["passed"], &filled["signature"]),
        (&json!(16.67), &json!(false), &json!("open"))
    );
    assert_eq!(
        (&filled["reviewer"], &filled["agent_name"], &filled["team"]),
        (&json!("李静"), &json!("某人"), &json!("一组"))
    );
    assert_eq!(filled["answers"][3]["comment"], "少了 138****5678");
    assert_eq!(filled["definition"]["groups"][0]["items"][1]["scale"], 4);
    let (status, told) = site.ask(WANG, "POST", at, &good(json!("yes"), json!(4), "yes", json!("yes"))).await;
    assert_eq!((status, &told["code"]), (409, &json!("already_filled")));
    assert!(told["message"].as_str().unwrap().starts_with("李静 在 20"), "who was first: {told}");
    // An answer that cannot be is told by its place, with what may be.
    for (answer, got) in [(json!("maybe"), "maybe"), (json!(-1), "-1"), (json!(null), "null"), (json!([1]), "sequence")]
    {
        let body = json!({"form": "line", "answers": [{"item": "words", "answer": "yes"}, {"item": "tone", "answer": answer}]});
        let (status, told) = site.ask(WANG, "POST", at, &body).await;
        let message = told["message"].as_str().unwrap();
        assert_eq!((status, &told["field"]), (400, &json!("answers[1].answer")), "{told}");
        assert!(message.contains(got) && message.contains("\"yes\", \"no\", \"na\" or a mark"), "{told}");
    }
    assert_eq!(site.refused(WANG, at, &json!({"form": "line"})).await.2, "answers");
    let no = filled["form_no"].as_i64().unwrap();

    // Its agent, and nobody else, sees and signs it.
    let own = format!("/v1/agents/a7/forms/{no}");
    assert_eq!(items(&site.get(A7, "/v1/agents/a7/forms").await["forms"], "call_id"), ["c1"]);
    assert_eq!(site.get(A7, &own).await["definition"]["title"], "热线");
    assert_eq!(site.ask(A8, "GET", &own, &Value::Null).await.0, 403);
    assert_eq!(site.ask(A8, "GET", &format!("/v1/agents/a8/forms/{no}"), &Value::Null).await.0, 404);
    let sign = |revision: i64| json!({"action": "sign", "revision": revision});
    assert_eq!(site.refused(LI, &own, &sign(1)).await.1, "agents_only");
    assert_eq!(site.refused(A7, &own, &sign(0)).await.1, "changed");
    assert_eq!(site.refused(A7, &own, &json!({"action": "object", "revision": 1})).await.2, "reason");
    let (status, signed) =
        site.ask(A7, "POST", &own, &json!({"action": "object", "revision": 1, "reason": "语气应得 4 分"})).await;
    assert_eq!(
        (status, &signed["signature"], &signed["objection"]),
        (200, &json!("objected"), &json!("语气应得 4 分")),
        "{signed}"
    );
    assert_eq!(site.refused(A7, &own, &sign(2)).await.1, "already_signed");

    // A change needs a reason and what stood before; then it is signed anew.
    let change = |revision: i64, reason: &str| json!({"revision": revision, "reason": reason, "answers": answers(json!("no"), json!(4), "yes", json!("yes"))});
    let changes = format!("/v1/forms/filled/{no}");
    assert_eq!(site.refused(WANG, &changes, &change(2, " ")).await.2, "reason");
    let (status, told) = site.ask(WANG, "POST", &changes, &change(1, "复听")).await;
    assert_eq!((status, &told["code"]), (409, &json!("changed")));
    assert!(told["message"].as_str().unwrap().starts_with("a7 在 20"), "{told}");
    let (status, changed) = site.ask(WANG, "POST", &changes, &change(2, "复听")).await;
    assert_eq!((status, &changed["score"], &changed["signature"]), (200, &json!(50.0), &json!("open")), "{changed}");
    assert_eq!(items(&changed["steps"], "step"), ["fill", "object", "change"]);
    assert_eq!(items(&changed["steps"], "by"), ["李静", "a7", "王芳"]);
    assert_eq!((&changed["steps"][0]["score"], &changed["steps"][2]["reason"]), (&json!(16.67), &json!("复听")));
    assert_eq!(site.ask(A7, "POST", &own, &sign(3)).await.1["signature"], "signed");

    // A veto, and an item that does not apply.
    let (_, vetoed) =
        site.ask(LI, "POST", "/v1/calls/c2/forms", &good(json!("yes"), json!("na"), "no", json!("yes"))).await;
    assert_eq!((&vetoed["score"], &vetoed["vetoed_by"]), (&json!(0.0), &json!(["law"])));
    let (_, best) =
        site.ask(WANG, "POST", "/v1/calls/c3/forms", &good(json!("yes"), json!("na"), "yes", json!("yes"))).await;
    assert_eq!((&best["score"], &best["passed"]), (&json!(100.0), &json!(true)));

    for (query, expected) in [
        ("", vec!["c3", "c2", "c1"]),
        ("?agent_id=a7&signature=open", vec!["c2"]),
        ("?team=%E4%BA%8C%E7%BB%84", vec!["c3"]),
        ("?signature=signed,objected", vec!["c1"]),
        ("?to=2026-11-16", vec!["c1"]),
        ("?reviewer=%E7%8E%8B%E8%8A%B3", vec!["c3"]),
        ("?form=none", vec![]),
    ] {
        assert_eq!(
            items(&site.get(LI, &format!("/v1/forms/filled{query}")).await["forms"], "call_id"),
            expected,
            "{query}"
        );
    }
    let first = site.get(LI, "/v1/forms/filled?limit=2").await;
    let next =
        site.get(LI, &format!("/v1/forms/filled?limit=2&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!(items(&next["forms"], "call_id"), ["c1"]);

    let trend = site.get(LI, "/v1/forms/trend?group=team").await;
    let row = |key: &str, week: Value, forms: u64, mean: f64, margin: Value, passed: u64| json!({"key": key, "agent_name": null, "team": null, "week": week, "forms": forms, "mean": mean, "margin": margin, "passed": passed, "judged": forms});
    assert_eq!(
        trend["rows"],
        json!([
            row("一组", json!("2026-11-16"), 2, 25.0, Value::Null, 0),
            row("二组", json!("2026-11-23"), 1, 100.0, Value::Null, 1)
        ])
    );
    assert_eq!(trend["totals"][0], row("一组", Value::Null, 2, 25.0, Value::Null, 0));
    let of_agent = site.get(LI, "/v1/forms/trend?group=agent&agent_id=a8").await;
    assert_eq!((&of_agent["rows"][0]["agent_name"], of_agent["rows"].as_array().unwrap().len()), (&json!("某人"), 1));

    // One row an answer, in every format.
    let of_file = |text: &str| {
        text.lines()
            .filter(|line| line.contains("\"c1\""))
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .collect::<Vec<_>>()
    };
    let (_, lines) =
        request_as(site.server.address, Some(LI), "GET", "/v1/forms/export?format=jsonl&agent_id=a7", "").await;
    let rows = of_file(&lines);
    assert_eq!(
        rows.iter().map(|row| row["answer"].as_str().unwrap()).collect::<Vec<_>>(),
        ["no", "4", "yes", "yes"],
        "{lines}"
    );
    assert_eq!(
        (&rows[1]["item_title"], &rows[1]["score_hundredths"], &rows[1]["signature"], &rows[1]["team"]),
        (&json!("语气"), &json!(5000), &json!("signed"), &json!("一组"))
    );
    let (_, csv) =
        request_as(site.server.address, Some(LI), "GET", "/v1/forms/export?team=%E4%BA%8C%E7%BB%84", "").await;
    assert!(
        csv.contains("form_no,started_at,call_id") && csv.matches(",c3,").count() == 4 && !csv.contains(",c1,"),
        "{csv}"
    );
    for (format, begins) in [("xlsx", "PK"), ("parquet", "PAR1")] {
        let mut stream = tokio::net::TcpStream::connect(site.server.address).await.unwrap();
        let head = format!(
            "GET /v1/forms/export?format={format} HTTP/1.1\r\nhost: test\r\nconnection: close\r\nauthorization: Bearer {LI}\r\n\r\n"
        );
        tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes).await.unwrap();
        let body = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        assert!(
            bytes.len() > 500 && bytes[body..].windows(begins.len()).take(16).any(|window| window == begins.as_bytes()),
            "{format}"
        );
    }
    assert_eq!(site.get(LI, "/v1/audit?action=export").await["entries"][0]["subject"], "forms");

    // Another version of the form leaves the scores of before as they are; a file with faults changes nothing.
    let file = site.directory.path().join("line.yaml");
    std::fs::write(&file, FORM.replace("points: 6", "point: 6")).unwrap();
    while site.get(LI, "/v1/forms").await["faults"] == json!([]) {}
    let told = site.get(LI, "/v1/forms").await;
    assert!(told["faults"][0].as_str().unwrap().contains("line.yaml:7:"), "{told}");
    assert_eq!(told["forms"][0]["version"], version);
    std::fs::write(&file, FORM.replace("points: 6", "points: 60")).unwrap();
    while site.get(LI, "/v1/forms").await["forms"][0]["version"] == version {}
    assert_eq!(site.get(LI, &changes).await["score"], 50.0);
    let (_, again) = site.ask(WANG, "POST", &changes, &change(4, "按原来的表")).await;
    assert_eq!(
        (&again["score"], &again["version"]),
        (&json!(50.0), &version),
        "it stays in the version it was filled in"
    );

    let told = site.get(LI, "/v1/audit?action=form_fill,form_change,form_sign,form_object").await["entries"].clone();
    assert_eq!(
        items(&told, "action"),
        ["form_change", "form_fill", "form_fill", "form_sign", "form_change", "form_object", "form_fill"]
    );
    assert_eq!(site.refused(LI, "/v1/forms/filled/x", &change(1, "a")).await.1, "no_such_form");

    // What is changed behind the server's back is found.
    let Site { server, .. } = site;
    let data = server.stop().await;
    let faults = || verify_audit(data.path(), None, &Config::default()).unwrap().faults;
    assert_eq!(faults(), Vec::<String>::new());
    let store = rusqlite::Connection::open(data.path().join("tingjian.db")).unwrap();
    for (change, back) in [
        (
            "UPDATE form_steps SET json = replace(json, '复听', '重听')",
            "UPDATE form_steps SET json = replace(json, '重听', '复听')",
        ),
        (
            "UPDATE filled_forms SET score = 9000 WHERE form_no = 1",
            "UPDATE filled_forms SET score = 5000 WHERE form_no = 1",
        ),
        (
            "UPDATE filled_forms SET signature = 'signed' WHERE form_no = 2",
            "UPDATE filled_forms SET signature = 'open' WHERE form_no = 2",
        ),
    ] {
        store.execute_batch(change).unwrap();
        let told = faults();
        assert!(told.len() == 1 && told[0].contains("is not what entry"), "{change}: {told:?}");
        store.execute_batch(back).unwrap();
    }
    store.execute_batch("DELETE FROM form_steps WHERE form_no = 3").unwrap();
    assert!(faults()[0].contains("form 3"), "{:?}", faults());
}

#[tokio::test]
async fn the_form_that_ships_is_there_and_a_broken_one_keeps_the_server_from_starting() {
    let server = Server::start("").await;
    let (_, forms) = server.request("GET", "/v1/forms", "").await;
    assert_eq!((&forms["forms"][0]["form"], &forms["faults"]), (&json!("service"), &json!([])), "{forms}");
    let data = server.stop().await;
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.yaml"), "form: a\n").unwrap();
    let config = Config::from_toml(&format!("[forms]\ndirectory = {:?}\n", directory.path())).unwrap();
    let config = Config { data: data.path().to_owned(), ..config };
    let refused = tingjian::server::check(&config, "127.0.0.1:0".parse().unwrap()).unwrap_err();
    assert!(refused.contains("a.yaml:1:1") && refused.contains("groups"), "{refused}");
}

//! Rules without YAML: a rule edited by its values, what it finds in past calls, and a draft on its way into
//! force and back, on a server that may write its rules.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Process, request};

const RULES: &str = "\
pack: p
title: 测试
rules:
  # 常见的推诿
  - id: p.dont-know
    name: 推诿 # 名称
    message: 不要说“{phrase}”
    confidence: 0
    forbid:
      any: [不知道]
      unless: [{ quoted: true }]
    tests:
      - fires: 这个我不知道
";

struct Site {
    server: Process,
    directory: tempfile::TempDir,
}

impl Site {
    fn start(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("rules")).unwrap();
        fs::write(directory.path().join("rules/p.yaml"), RULES).unwrap();
        fs::write(directory.path().join("config.toml"), format!("call_linger_ms = 1\n{config}")).unwrap();
        let mut command = Process::serve();
        command.current_dir(directory.path()).args(["--rules", "rules", "--data", "data", "--config", "config.toml"]);
        Self { server: Process::start(&mut command), directory }
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join("rules").join(name)).unwrap_or_default()
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = request(self.server.address, "GET", path, "").await;
        assert_eq!(status, 200, "{path}: {answer}");
        serde_json::from_str(&answer).unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let (status, answer) = request(self.server.address, "POST", path, &body.to_string()).await;
        (status, serde_json::from_str(&answer).unwrap_or(Value::Null))
    }

    /// A call of an agent, over and closed.
    async fn call(&self, id: &str, agent: &str, said: &[(&str, &str)]) {
        let mut events = vec![
            json!({"type": "call.start", "call_id": id, "agent_id": agent, "started_at": "2026-11-21T10:00:00+08:00"}),
        ];
        for (at, (role, text)) in said.iter().enumerate() {
            let at_ms = 5_000 * (at + 1);
            events.push(
                json!({"type": "utterance", "call_id": id, "utterance_id": format!("u{at}"), "role": role, "text": text,
                "start_ms": at_ms, "end_ms": at_ms + 900, "final": true}),
            );
        }
        events.push(json!({"type": "call.end", "call_id": id, "at_ms": 60_000, "by": "customer"}));
        let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
        let (status, answer) = request(self.server.address, "POST", "/v1/events", &lines).await;
        assert_eq!(status, 200, "{answer}");
        while !self.get("/v1/calls?live=true").await["calls"].as_array().unwrap().is_empty() {}
    }
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_rule_is_edited_by_its_values_and_looked_for_in_past_calls() {
    let site = Site::start("");
    let file = json!({"name": "rules/p.yaml", "text": RULES});
    let changes = json!([
        {"set": ["severity"], "value": "critical"},
        {"append": ["forbid", "any"], "value": "不清楚"},
        {"append": ["tests"], "value": {"silent": "我不清楚"}},
    ]);
    let body = json!({"file": file, "rule_id": "p.dont-know", "changes": changes});
    let (status, edited) = site.post("/v1/rules/edit", body).await;
    assert_eq!(status, 200, "{edited}");
    let expected = RULES
        .replace("# 名称\n", "# 名称\n    severity: critical\n")
        .replace("[不知道]", "[不知道, 不清楚]")
        .replace("不知道\n", "不知道\n      - silent: 我不清楚\n");
    assert_eq!(edited["text"], expected);
    assert_eq!(edited["rule"]["forbid"]["any"], json!(["不知道", "不清楚"]));
    assert_eq!((&edited["line"], &edited["last_line"]), (&json!(5), &json!(15)));
    assert_eq!((&edited["tests"], &edited["failures"][0]["path"]), (&json!(2), &json!(["tests", 1, "silent"])));
    // A fault stands at its field.
    let changes = json!([{"set": ["confidence"], "value": 3}]);
    let (_, edited) =
        site.post("/v1/rules/edit", json!({"file": file, "rule_id": "p.dont-know", "changes": changes})).await;
    let remark = &edited["remarks"][0];
    assert_eq!(
        (&edited["ok"], &remark["rule_id"], &remark["path"]),
        (&json!(false), &json!("p.dont-know"), &json!(["confidence"]))
    );
    for (body, field) in [
        (json!({"file": file, "rule_id": "p.dont-know", "changes": [{"set": []}]}), "changes[0]"),
        (json!({"file": file, "rule_id": "p.dont-know", "changes": [{"remove": ["forbid", "any", 0]}]}), "changes"),
        (json!({"file": file, "rule_id": "p.no", "changes": [{"remove": ["severity"]}]}), "changes"),
        (json!({"file": {"name": "a.txt", "text": ""}}), "file.name"),
        (json!({"file": file, "add": {}}), "add"),
    ] {
        let (status, answer) = site.post("/v1/rules/edit", body).await;
        assert_eq!((status, &answer["field"]), (400, &json!(field)), "{answer}");
    }

    site.call("c1", "a7", &[("customer", "怎么回事，我的卡号是6222021234567890123"), ("agent", "这个我不知道")]).await;
    site.call("c2", "a8", &[("agent", "我不清楚啊"), ("agent", "您说的不知道是指哪一项呢")]).await;
    site.call("c3", "a8", &[("agent", "好的")]).await;
    let text = RULES.replace("[不知道]", "[不知道, 不清楚]");
    let body = json!({"files": [{"name": "rules/p.yaml", "text": text}], "rule_id": "p.dont-know"});
    let (status, hits) = site.post("/v1/rules/hits", body).await;
    assert_eq!(status, 200, "{hits}");
    let figures = ["calls", "before", "after", "gained", "lost", "calls_hit", "agents_hit", "near"];
    assert_eq!(figures.map(|name| hits[name].as_u64().unwrap()), [3, 1, 2, 1, 0, 2, 2, 1]);
    let told = |list: &str| -> Vec<(String, String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let one = |example: &Value| (text(&example["sort"]), text(&example["text"]), text(&example["reply_to"]));
        hits[list].as_array().unwrap().iter().map(one).collect()
    };
    let gained = ("gained".to_owned(), "我不清楚啊".to_owned(), String::new());
    let kept = ("kept".to_owned(), "这个我不知道".to_owned(), "怎么回事，我的卡号是622202*********0123".to_owned());
    let examples = told("examples");
    assert_eq!(examples[0], gained);
    assert_eq!((&examples[1].0, &examples[1].1), (&kept.0, &kept.1));
    assert!(!examples[1].2.contains("6222021234567890123"), "{examples:?}");
    assert_eq!(told("near_examples")[0].1, "您说的不知道是指哪一项呢");
    assert_eq!(hits["vetoes"][0]["count"], 1);
    // What is said alike is one example, however the marks stand.
    site.call("c4", "a9", &[("agent", "这个，我不知道。")]).await;
    let text = RULES.replace("[不知道]", "[不知道, 不清楚]");
    let body = json!({"files": [{"name": "rules/p.yaml", "text": text}], "rule_id": "p.dont-know"});
    let (_, again) = site.post("/v1/rules/hits", body).await;
    let times: Vec<u64> =
        again["examples"].as_array().unwrap().iter().map(|example| example["times"].as_u64().unwrap()).collect();
    assert_eq!((&again["after"], times), (&json!(3), vec![1, 2]), "{again}");
    let (status, answer) = site.post("/v1/rules/hits", json!({"files": [], "rule_id": "p.no"})).await;
    assert_eq!((status, &answer["field"]), (400, &json!("rule_id")));
}

#[tokio::test]
async fn a_draft_comes_into_force_by_a_second_person_and_is_taken_back() {
    let site = Site::start("rules_writable = true\n");
    let text = RULES.replace("[不知道]", "[不知道, 不清楚]");
    let file = json!({"name": "rules/p.yaml", "text": text});
    let new = json!({"title": "再加一句", "file": file, "rule_id": "p.dont-know", "by": "李静"});
    let (status, draft) = site.post("/v1/rules/drafts", new).await;
    assert_eq!((status, &draft["state"], &draft["writable"]), (201, &json!("draft"), &json!(true)), "{draft}");
    assert!(draft["diff"].as_str().unwrap().contains("+      any: [不知道, 不清楚]"), "{draft}");
    let place = format!("/v1/rules/drafts/{}", draft["draft_no"]);
    let take = |action: &'static str, by: &'static str| site.post(&place, json!({"action": action, "by": by}));
    assert_eq!(code(&take("approve", "王敏").await), (409, "not_green"));
    assert_eq!(code(&take("live", "王敏").await), (409, "wrong_state"));
    let check_at = format!("{place}/check");
    let check = || site.post(&check_at, json!({"by": "李静"}));
    let (status, checked) = check().await;
    assert_eq!(
        (status, &checked["green"], &checked["checked"]["tests_passed"]),
        (200, &json!(true), &json!(1)),
        "{checked}"
    );
    assert_eq!(code(&take("approve", "李静").await), (409, "same_person"));
    let stale = json!({"action": "approve", "by": "王敏", "steps_seen": 1});
    assert_eq!(code(&site.post(&place, stale).await), (409, "changed"));
    assert_eq!(take("approve", "王敏").await.0, 200);

    // Somebody edits the file meanwhile: it is not written over. The draft is brought up to it and begins anew.
    let other = format!("{RULES}  - {{ id: p.other, name: 别的, message: m, forbid: {{ any: [别的话] }} }}\n");
    fs::write(site.directory.path().join("rules/p.yaml"), &other).unwrap();
    while site.get("/v1/rules").await["rules"] != 2 {}
    assert_eq!(code(&take("shadow", "王敏").await), (409, "file_changed"));
    assert_eq!(site.file("p.yaml"), other);
    // Who does that writes nothing of it, and may approve it all the same.
    let (status, saved) = take("follow", "王敏").await;
    assert_eq!((status, &saved["state"], &saved["file_changed"]), (200, &json!("draft"), &json!(false)), "{saved}");
    let wanted = other.replace("[不知道]", "[不知道, 不清楚]");
    assert_eq!(saved["text"], wanted);
    check().await;
    take("approve", "王敏").await;

    // On trial, the rule in force goes on, and the new wording stands beside it.
    let (status, answer) = take("shadow", "王敏").await;
    assert_eq!((status, &answer["state"]), (200, &json!("shadow")), "{answer}");
    assert!(site.file("p.yaml").starts_with(&other), "{}", site.file("p.yaml"));
    site.call("c1", "a7", &[("agent", "我不清楚")]).await;
    let alerts = site.get("/v1/alerts?call_id=c1&display=shadow").await;
    let alert = &alerts["alerts"][0];
    assert_eq!((&alert["rule_id"], &alert["display"]), (&json!("p.dont-know.trial"), &json!("shadow")), "{alerts}");
    assert_eq!(site.get("/v1/calls/c1").await["scoring"]["score"], 100);

    // The file changes while the rule is on trial: the draft follows, and its trial leaves the file.
    let third = "  - { id: p.third, name: 第三, message: m, forbid: { any: [第三句] } }\n";
    fs::write(site.directory.path().join("rules/p.yaml"), site.file("p.yaml") + third).unwrap();
    while site.get("/v1/rules").await["rules"] != 4 {}
    assert_eq!(code(&take("live", "李静").await), (409, "file_changed"));
    let (status, saved) = take("follow", "李静").await;
    let wanted = wanted + third;
    assert_eq!((status, &saved["state"], saved["text"].as_str()), (200, &json!("draft"), Some(&*wanted)), "{saved}");
    check().await;
    assert_eq!(take("approve", "王敏").await.0, 200);
    let (status, answer) = take("live", "李静").await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(site.file("p.yaml"), wanted);
    site.call("c2", "a7", &[("agent", "我不清楚")]).await;
    assert_eq!(site.get("/v1/alerts?call_id=c2").await["alerts"][0]["rule_id"], "p.dont-know");
    let (status, back) = take("roll_back", "王敏").await;
    assert_eq!((status, &back["state"]), (200, &json!("rolled_back")), "{back}");
    assert_eq!(site.file("p.yaml"), other.clone() + third);
    let done: Vec<&str> =
        back["steps"].as_array().unwrap().iter().map(|step| step["action"].as_str().unwrap()).collect();
    assert_eq!(
        done,
        [
            "create",
            "check",
            "approve",
            "follow",
            "check",
            "approve",
            "shadow",
            "follow",
            "check",
            "approve",
            "live",
            "roll_back"
        ]
    );
    let audit = site.get("/v1/audit?action=draft_live").await;
    assert_eq!(
        (&audit["entries"][0]["by"], &audit["entries"][0]["detail"]["rule_id"]),
        (&json!("李静"), &json!("p.dont-know"))
    );

    // A new file comes and goes whole.
    let site_text = "pack: site\ntitle: 本公司\nrules:\n  - { id: site.a, name: a, message: m, forbid: { any: [滚] }, tests: [{ fires: 滚 }] }\n";
    let new =
        json!({"title": "新", "file": {"name": "site.yaml", "text": site_text}, "rule_id": "site.a", "by": "李静"});
    let (_, draft) = site.post("/v1/rules/drafts", new).await;
    let place = format!("/v1/rules/drafts/{}", draft["draft_no"]);
    site.post(&format!("{place}/check"), json!({"by": "李静"})).await;
    site.post(&place, json!({"action": "approve", "by": "王敏"})).await;
    let (status, answer) = site.post(&place, json!({"action": "shadow", "by": "王敏"})).await;
    assert_eq!(status, 200, "{answer}");
    assert!(site.file("site.yaml").contains("shadow: true"));
    let (status, answer) = site.post(&place, json!({"action": "live", "by": "王敏"})).await;
    assert_eq!((status, site.file("site.yaml").as_str()), (200, site_text), "{answer}");
    assert_eq!(site.post(&place, json!({"action": "roll_back", "by": "王敏"})).await.0, 200);
    assert_eq!(site.file("site.yaml"), "");
    assert_eq!(site.get("/v1/rules/drafts").await["drafts"].as_array().unwrap().len(), 2);
    assert_eq!(
        code(&site.post("/v1/rules/drafts/99", json!({"action": "withdraw", "by": "a"})).await),
        (404, "no_such_draft")
    );
    let history = site.get("/v1/quality/history?rule_id=p.dont-know").await;
    assert_eq!(
        (history["versions"].as_array().unwrap().len(), &history["days"][0]["alerts"]),
        (1, &json!(1)),
        "{history}"
    );
}

#[tokio::test]
async fn two_people_who_add_a_rule_under_one_id_do_not_replace_each_other() {
    let site = Site::start("rules_writable = true\n");
    let text = |words: &str| {
        format!(
            "pack: site\ntitle: 本公司\nrules:\n  - {{ id: site.rule-1, name: n, message: m, forbid: {{ any: [{words}] }}, tests: [{{ fires: {words} }}] }}\n"
        )
    };
    let mut places = Vec::new();
    for (words, writer) in [("你找售后", "李静"), ("听不清啊", "王敏")] {
        let draft = json!({"title": "禁语", "file": {"name": "site.yaml", "text": text(words)}, "rule_id": "site.rule-1", "by": writer});
        let (_, draft) = site.post("/v1/rules/drafts", draft).await;
        places.push(format!("/v1/rules/drafts/{}", draft["draft_no"]));
    }
    site.post(&format!("{}/check", places[0]), json!({"by": "李静"})).await;
    for (action, by) in [("approve", "王敏"), ("live", "王敏")] {
        let (status, answer) = site.post(&places[0], json!({"action": action, "by": by})).await;
        assert_eq!(status, 200, "{answer}");
    }
    let refused = site.post(&places[1], json!({"action": "follow", "by": "王敏"})).await;
    assert_eq!(code(&refused), (409, "id_taken"));
    let untold = site.post(&places[1], json!({"action": "save", "by": "王敏"})).await;
    assert_eq!((untold.0, &untold.1["field"]), (400, &json!("text")));
    assert_eq!(site.file("site.yaml"), text("你找售后"));
}

#[tokio::test]
async fn a_server_that_may_not_write_its_rules_keeps_drafts_all_the_same() {
    let site = Site::start("");
    let file = json!({"name": "rules/p.yaml", "text": RULES.replace("推诿 #", "推脱 #")});
    let (_, draft) = site
        .post("/v1/rules/drafts", json!({"title": "改名", "file": file, "rule_id": "p.dont-know", "by": "李静"}))
        .await;
    let place = format!("/v1/rules/drafts/{}", draft["draft_no"]);
    site.post(&format!("{place}/check"), json!({"by": "李静"})).await;
    site.post(&place, json!({"action": "approve", "by": "王敏"})).await;
    assert_eq!(code(&site.post(&place, json!({"action": "live", "by": "王敏"})).await), (409, "rules_read_only"));
    assert_eq!(site.file("p.yaml"), RULES);
    let rejected = site.post(&place, json!({"action": "reject", "by": "王敏"})).await;
    assert_eq!((rejected.0, &rejected.1["field"]), (400, &json!("reason")));
    let (_, draft) = site.post(&place, json!({"action": "reject", "by": "王敏", "reason": "名称不好"})).await;
    assert_eq!((&draft["state"], &draft["steps"][3]["reason"]), (&json!("draft"), &json!("名称不好")));
}

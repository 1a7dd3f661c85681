//! The API of those who write rules: what they are, which clauses they hold,
//! what is wrong with edited ones, and what they make of a dialogue.

use crate::harness::Server;
use serde_json::{Value, json};
use tingjian::engine::rule;
use tingjian::engine::rule::parse::SourceFile;
use tingjian::engine::rule::sources::{Sources, Table};
use tingjian::server::{LoadedRules, RejectedRules, Rulebook};

/// One pack with something of everything that a trial shows.
const PACK: &str = "\
pack: service
title: 服务
source: 手册
rules:
  - id: service.dont-know
    name: 推诿
    severity: warning
    deduct: 5
    clauses: [C1]
    message: 不要说“{phrase}”
    forbid: { any: [不知道], unless: [{ quoted: true }] }
    tests:
      - fires: 这个我不知道
      - silent: 我知道
  - id: service.number
    name: 报工号
    clauses: [C2]
    message: 没有报工号
    require: { any: ['工号{number}'], after: answered, within: 20s }
    tests:
      - silent: 您好
      - call: |
          00:01.0 agent 您好
          00:30.0 agent 在吗
          00:40.0 customer 在
          00:50.0 end by customer
          00:22.0 ! missing
";
const TRIAL: &str = "\
pack: trial
title: 试运行
enabled: false
rules:
  - { id: trial.no-way, name: 没办法, message: 不要说, forbid: { any: [没办法] }, tests: [{ fires: 没办法 }, { silent: 有办法 }] }
";

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile { name: name.to_owned(), text: text.to_owned() }
}

fn rulebook() -> Rulebook {
    let table = |name: &str, text: &str| Some(Table { name: name.to_owned(), text: text.to_owned() });
    let sources = Sources {
        files: vec![file("rules/service.yaml", PACK), file("rules/trial.yaml", TRIAL)],
        within: vec!["service.yaml".to_owned(), "trial.yaml".to_owned()],
        clauses: table(
            "rules/clauses.tsv",
            "clause\tsource\tsignal\trequirement\nC1\t手册\t话术\t不推诿\nC2\t手册\t话术\t报工号\nC3\t手册\t语气\t热情\nC4\t手册\t话术\t致谢\n",
        ),
        uncovered: table("rules/uncovered.tsv", "clause\treason\nC3\t听不出语气\n"),
        ..Sources::default()
    };
    let load = move || {
        rule::load(&sources.files, sources.version())
            .map(|loaded| LoadedRules { rules: loaded.rules, sources: sources.clone(), warnings: Vec::new() })
            .map_err(|diagnostics| RejectedRules { text: format!("{diagnostics:?}"), diagnostics })
    };
    Rulebook::new(Vec::new(), load).unwrap_or_else(|rejected| panic!("{}", rejected.text))
}

async fn server() -> Server {
    Server::with_rules("shadow_packs = [\"trial\"]", rulebook()).await
}

async fn post(server: &Server, target: &str, body: &Value) -> (u16, Value) {
    server.request("POST", target, &body.to_string()).await
}

#[tokio::test]
async fn packs_are_as_they_were_written() {
    let server = server().await;
    let (status, answer) = server.request("GET", "/v1/rules/packs", "").await;
    assert_eq!(status, 200, "{answer}");
    let (_, in_use) = server.request("GET", "/v1/rules", "").await;
    assert_eq!(answer["version"], in_use["version"]);
    let packs: Vec<_> = answer["packs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pack| json!([pack["pack"], pack["title"], pack["file"], pack["text"], pack["shadow"], pack["enabled"]]))
        .collect();
    assert_eq!(
        packs,
        [
            json!(["service", "服务", "rules/service.yaml", PACK, false, true]),
            json!(["trial", "试运行", "rules/trial.yaml", TRIAL, true, false]),
        ]
    );
    let rules = answer["packs"][0]["rules"].as_array().unwrap();
    for rule in rules {
        let line = usize::try_from(rule["line"].as_u64().unwrap()).unwrap();
        assert!(PACK.lines().nth(line - 1).unwrap().contains(rule["id"].as_str().unwrap()), "{rule}");
    }
    assert_eq!(rules[0]["kind"], "forbidden");
    assert_eq!(rules[0]["deduct"], 5);
    assert_eq!(rules[1]["clauses"], json!(["C2"]));
    server.stop().await;
}

#[tokio::test]
async fn coverage_is_the_table_of_the_command_line() {
    let server = server().await;
    let (status, answer) = server.request("GET", "/v1/rules/coverage", "").await;
    assert_eq!(status, 200, "{answer}");
    let clauses: Vec<_> = answer["clauses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|clause| json!([clause["clause"], clause["text"], clause["rules"], clause["status"], clause["reason"]]))
        .collect();
    assert_eq!(
        clauses,
        [
            json!(["C1", "不推诿", ["service.dont-know"], "covered", null]),
            json!(["C2", "报工号", ["service.number"], "covered", null]),
            json!(["C3", "热情", [], "excused", "听不出语气"]),
            json!(["C4", "致谢", [], "open", "没有规则，也没有在 uncovered.tsv 里说明原因"]),
        ]
    );
    assert_eq!(
        json!([answer["covered"], answer["excused"], answer["open"], answer["off"]]),
        json!([2, 1, 1, ["trial"]])
    );
    server.stop().await;
}

/// Rules that were given without files are listed all the same.
#[tokio::test]
async fn rules_without_files_have_no_text() {
    let server = Server::start("").await;
    let (_, answer) = server.request("GET", "/v1/rules/packs", "").await;
    assert_eq!(answer["packs"][0]["pack"], "test");
    assert_eq!(answer["packs"][0]["text"], Value::Null);
    assert_eq!(answer["packs"][0]["rules"][0]["id"], "test.warning");
    let (status, answer) = server.request("GET", "/v1/rules/coverage", "").await;
    assert_eq!((status, &answer["clauses"]), (200, &json!([])));
    let (_, answer) = post(&server, "/v1/rules/try", &json!({"dialogue": "坐席：我不知道"})).await;
    assert_eq!(answer["alerts"][0]["rule_id"], "test.warning");
    server.stop().await;
}

#[tokio::test]
async fn edited_files_are_parsed_linted_and_tested() {
    let server = server().await;
    let (_, before) = server.request("GET", "/v1/rules", "").await;
    let broken = PACK.replace("severity: warning", "severity: terrible");
    let failing = PACK.replace("fires: 这个我不知道", "fires: 这个我知道");
    let unknown_clause = PACK.replace("[C1]", "[C9]");
    let new = "pack: new\ntitle: 新\nrules:\n  - { id: new.a, name: 甲, message: 甲, forbid: { any: [甲乙丙] } }\n";
    // What is sent, whether it can be used, where diagnostics point, tests passed and failed.
    type Case<'a> = (&'a str, &'a str, &'a str, bool, &'a [(&'a str, u64)], [u64; 2]);
    let cases: &[Case<'_>] = &[
        ("as it is", "rules/service.yaml", PACK, true, &[], [4, 0]),
        ("broken", "rules/service.yaml", &broken, false, &[("rules/service.yaml", 7)], [0, 0]),
        ("not YAML", "rules/service.yaml", "pack: [", false, &[("rules/service.yaml", 1)], [0, 0]),
        ("a test fails", "rules/service.yaml", &failing, true, &[], [3, 1]),
        ("lint", "rules/service.yaml", &unknown_clause, true, &[("rules/service.yaml", 9)], [4, 0]),
        (
            "an id twice",
            "rules/other.yaml",
            &PACK.replace("pack: service", "pack: other"),
            false,
            &[("rules/other.yaml", 5)],
            [0, 0],
        ),
        ("a new file", "rules/new.yaml", new, true, &[("rules/new.yaml", 4)], [0, 0]),
    ];
    for (case, name, text, ok, places, [passed, failed]) in cases {
        let (status, answer) =
            post(&server, "/v1/rules/check", &json!({"files": [{"name": name, "text": text}]})).await;
        assert_eq!(status, 200, "{case}: {answer}");
        assert_eq!(answer["ok"], *ok, "{case}: {answer}");
        let found = answer["diagnostics"].as_array().unwrap();
        for (file, line) in *places {
            assert!(
                found.iter().any(|fault| fault["file"] == *file
                    && fault["line"] == *line
                    && fault["column"].as_u64() > Some(0)),
                "{case}: {answer}"
            );
            assert!(answer["text"].as_str().unwrap().contains(&format!("{file}:{line}")), "{case}: {answer}");
        }
        if places.is_empty() {
            assert_eq!(found.len(), 0, "{case}: {answer}");
        }
        assert_eq!(json!([answer["tests"]["passed"], answer["tests"]["failed"]]), json!([passed, failed]), "{case}");
    }
    let (_, answer) =
        post(&server, "/v1/rules/check", &json!({"files": [{"name": "rules/service.yaml", "text": failing}]})).await;
    let failure = &answer["tests"]["failures"][0];
    assert_eq!(
        json!([failure["rule_id"], failure["file"], failure["line"]]),
        json!(["service.dont-know", "rules/service.yaml", 13])
    );
    assert!(failure["text"].as_str().unwrap().contains("应当命中，却没有"), "{failure}");
    let (_, same) =
        post(&server, "/v1/rules/check", &json!({"files": [{"name": "rules/service.yaml", "text": PACK}]})).await;
    assert_eq!(same["version"], before["version"]);
    let (_, after) = server.request("GET", "/v1/rules", "").await;
    assert_eq!(before, after, "nothing is changed");
    server.stop().await;
}

/// What a trial found, as short lines: `text rule phrase start-end veto`.
fn candidates(answer: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for utterance in answer["utterances"].as_array().unwrap() {
        let raw: Vec<char> = utterance["text"].as_str().unwrap().chars().collect();
        let folded: Vec<char> = utterance["folded"].as_str().unwrap().chars().collect();
        let offsets = utterance["offsets"].as_array().unwrap();
        assert_eq!(folded.len(), offsets.len(), "{utterance}");
        for offset in offsets {
            let (start, end) = (offset[0].as_u64().unwrap() as usize, offset[1].as_u64().unwrap() as usize);
            assert!(start < end && end <= raw.len(), "{utterance}");
        }
        for found in utterance["candidates"].as_array().unwrap() {
            let (start, end) = (found["start"].as_u64().unwrap() as usize, found["end"].as_u64().unwrap() as usize);
            let said: String = raw[start..end].iter().collect();
            let veto = found["veto"].as_str().unwrap_or("counts");
            lines.push(format!(
                "{} {said} {} {veto}",
                found["rule_id"].as_str().unwrap(),
                found["purpose"].as_str().unwrap()
            ));
        }
    }
    lines
}

fn alerts(answer: &Value) -> Vec<String> {
    let alerts = answer["alerts"].as_array().unwrap().iter();
    alerts.map(|alert| format!("{} {}", alert["rule_id"].as_str().unwrap(), alert["at_ms"])).collect()
}

#[tokio::test]
async fn dialogues_are_tried_on_the_rules() {
    let server = server().await;
    let edited = PACK.replace("[不知道]", "[不清楚]");
    let events = [
        json!({"type": "call.start", "call_id": "c", "agent_id": "a", "started_at": "2026-11-21T10:00:00+08:00", "packs": ["trial"]}),
        json!({"type": "utterance", "call_id": "c", "utterance_id": "u1", "role": "agent", "text": "没办法", "start_ms": 1000, "end_ms": 2000, "final": true}),
        json!({"type": "call.end", "call_id": "c", "at_ms": 9000, "by": "customer"}),
    ];
    let lines = events.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let off = "规则包 trial 默认关闭，通话也没有点名要它";
    let only_trial = "通话只用规则包 trial，没有 service";
    #[rustfmt::skip]
    let cases: &[(&str, Value, &[&str], &[&str])] = &[
        ("it counts", json!({"dialogue": "坐席：您好，工号八零幺\n坐席：这个我 不知道"}),
            &["service.number 工号八零幺 工号{number} counts", "service.dont-know 不知道 禁说 counts"], &["service.dont-know"]),
        ("vetoes", json!({"dialogue": "客户：我不知道\n坐席：您说“不知道”是吗，工号801"}),
            &["service.dont-know 不知道 禁说 说话人是客户，规则不管", "service.dont-know 不知道 禁说 例外成立（unless: quoted）", "service.number 工号801 工号{number} counts"], &[]),
        ("a rule that does not apply", json!({"dialogue": "A: 没办法，工号1"}),
            &[&format!("trial.no-way 没办法 禁说 {off}"), "service.number 工号1 工号{number} counts"], &[]),
        ("nothing said in time", json!({"dialogue": "[00:30] 坐席：您好"}), &[], &["service.number"]),
        ("edited", json!({"dialogue": "坐席：不知道，不清楚，工号1", "files": [{"name": "rules/service.yaml", "text": edited}]}),
            &["service.dont-know 不清楚 禁说 counts", "service.number 工号1 工号{number} counts"], &["service.dont-know"]),
        ("fields of the call", json!({"dialogue": "坐席：没办法", "call": {"packs": ["trial"]}}), &["trial.no-way 没办法 禁说 counts"], &["trial.no-way"]),
        ("events", json!({"events": events}), &["trial.no-way 没办法 禁说 counts"], &["trial.no-way"]),
        ("events as lines", json!({"dialogue": lines}), &["trial.no-way 没办法 禁说 counts"], &["trial.no-way"]),
        ("a mouth that asks for another pack", json!({"dialogue": "坐席：不知道", "call": {"packs": ["trial"]}}),
            &[&format!("service.dont-know 不知道 禁说 {only_trial}")], &[]),
        ("nothing at all", json!({"dialogue": ""}), &[], &[]),
    ];
    for (case, body, found, raised) in cases {
        let (status, answer) = post(&server, "/v1/rules/try", body).await;
        assert_eq!((status, &answer["ok"]), (200, &json!(true)), "{case}: {answer}");
        assert_eq!(candidates(&answer), *found, "{case}");
        let rules: Vec<String> =
            alerts(&answer).iter().map(|alert| alert.split(' ').next().unwrap().to_owned()).collect();
        assert_eq!(rules, *raised, "{case}: {answer}");
    }
    let (_, answer) = post(&server, "/v1/rules/try", &json!({"dialogue": "坐席：您好\n坐席：工号801"})).await;
    let utterance = &answer["utterances"][1];
    assert_eq!(
        json!([utterance["folded"], utterance["words"], utterance["start_ms"]]),
        json!(["工号801", ["工号", "801"], 1500])
    );
    let window = &answer["windows"][0];
    assert_eq!(json!([window["rule_id"], window["from_ms"], window["until_ms"]]), json!(["service.number", 0, 20_000]));
    assert_eq!(window["parts"][0]["said_ms"], 1500);
    let (_, answer) = post(
        &server,
        "/v1/rules/try",
        &json!({"dialogue": "", "files": [{"name": "rules/service.yaml", "text": "pack: ["}]}),
    )
    .await;
    assert_eq!(answer["ok"], false);
    assert_eq!(answer["diagnostics"][0]["file"], "rules/service.yaml");
    server.stop().await;
}

#[tokio::test]
async fn a_body_full_of_faults_costs_no_more_than_its_length() {
    let server = server().await;
    let check = "/v1/rules/check";
    let text = format!("pack: p\ntitle: t\nrules: [{}]\n", "{a: 1}, ".repeat(40_000));
    let (status, answer) = post(&server, check, &json!({"files": [{"name": "a.yaml", "text": text}]})).await;
    assert_eq!((status, &answer["ok"]), (200, &json!(false)));
    let diagnostics = answer["diagnostics"].as_array().unwrap();
    let of_file: Vec<_> = diagnostics.iter().filter(|remark| remark["file"] == "a.yaml").collect();
    assert!(of_file.len() == 201 && of_file[200]["code"] == "more-faults", "{}", of_file.len());
    assert!(answer.to_string().len() < 1 << 20, "{}", answer.to_string().len());
    server.stop().await;
}

#[tokio::test]
async fn bad_bodies_are_refused_by_field() {
    let server = server().await;
    let many: Vec<Value> = (0..65).map(|number| json!({"name": format!("{number}.yaml"), "text": ""})).collect();
    let (check, try_out) = ("/v1/rules/check", "/v1/rules/try");
    #[rustfmt::skip]
    let cases: &[(&str, &str, u16, &str)] = &[
        (check, "", 400, ""),
        (check, "[]", 400, ""),
        (check, "{\"files\":", 400, ""),
        (check, "{}", 400, "files"),
        (check, r#"{"file":[]}"#, 400, "file"),
        (check, r#"{"files":{}}"#, 400, "files"),
        (check, r#"{"files":[{"text":"x"}]}"#, 400, "files[0].name"),
        (check, r#"{"files":[{"name":"a.yaml"}]}"#, 400, "files[0].text"),
        (check, r#"{"files":[{"name":"a.txt","text":""}]}"#, 400, "files[0].name"),
        (check, r#"{"files":[{"name":"a\n.yaml","text":""}]}"#, 400, "files[0].name"),
        (check, r#"{"files":[{"name":"a.yaml","text":""},{"name":"a.yaml","text":""}]}"#, 400, "files[1].name"),
        (check, &json!({"files": many}).to_string(), 400, "files"),
        (try_out, "{}", 400, "dialogue"),
        (try_out, r#"{"dialogue":1}"#, 400, "dialogue"),
        (try_out, r#"{"dialogue":"您好"}"#, 400, "dialogue"),
        (try_out, r#"{"dialogue":"","events":[]}"#, 400, "events"),
        (try_out, r#"{"events":[]}"#, 400, "events"),
        (try_out, r#"{"events":{}}"#, 400, "events"),
        (try_out, r#"{"events":[{"type":"call.end","call_id":"c","at_ms":1}]}"#, 400, "events"),
        (try_out, r#"{"dialogue":"{}"}"#, 400, "dialogue"),
        (try_out, r#"{"dialogue":"坐席：好","call":1}"#, 400, "call"),
        (try_out, r#"{"dialogue":"坐席：好","call":{"started_at":"x"}}"#, 400, "call.started_at"),
    ];
    for (target, body, expected, field) in cases {
        let (status, answer) = server.request("POST", target, body).await;
        assert_eq!((status, answer["field"].as_str()), (*expected, Some(*field)), "{target} {body}: {answer}");
        assert_eq!(answer["code"], "invalid_body");
        assert!(answer["message"].as_str().unwrap().contains(" / "), "{answer}");
    }
    // Longer than the largest body, and YAML that would grow without end.
    let long = json!({"files": [{"name": "a.yaml", "text": "x".repeat(9 << 20)}]});
    assert_eq!(post(&server, check, &long).await.0, 413);
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n";
    let deep = "[".repeat(100_000);
    for text in [bomb, deep.as_str()] {
        let (status, answer) = post(&server, check, &json!({"files": [{"name": "a.yaml", "text": text}]})).await;
        assert_eq!((status, &answer["ok"]), (200, &json!(false)));
    }
    server.stop().await;
}

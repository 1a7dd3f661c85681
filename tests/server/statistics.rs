//! Statistics over HTTP: a table of questions, and their agreement with the lists.

use std::io::Cursor;

use axum::body::Bytes;
use calamine::{Reader as _, Xlsx};
use parquet::file::reader::{FileReader as _, SerializedFileReader};

use crate::harness::{RULES, Server, says};
use serde_json::{Value, json};
use tingjian::engine::rule;
use tingjian::engine::rule::parse::SourceFile;

const CONFIG: &str = "shadow_packs = [\"trial\"]\ncall_linger_ms = 50\n";

/// Calls: id, agent, queue, when answered, and what the agent says, each sentence 3 s after the other.
type Call = (&'static str, &'static str, Option<&'static str>, &'static str, &'static [&'static str]);

const CALLS: [Call; 6] = [
    ("c1", "a7", Some("售后"), "2026-11-20T09:59:52+08:00", &["我不知道", "我不清楚", "没办法"]),
    ("c2", "a7", Some("售后"), "2026-11-20T23:59:59+08:00", &["我不知道"]),
    ("c3", "a8", Some("续费"), "2026-11-21T09:10:00+08:00", &["我不知道", "您好", "我不知道"]),
    // The same morning, told by a clock of another zone.
    ("c4", "a8", None, "2026-11-21T01:30:00+00:00", &["我不清楚"]),
    ("c5", "a9", None, "2026-11-21T09:40:00+08:00", &["您好"]),
    // Before the clocks of computers began.
    ("c6", "a9", None, "1969-12-31T23:59:59+08:00", &["我不知道"]),
];

async fn server() -> Server {
    let rules = RULES.map(|(name, text)| SourceFile {
        name: name.to_owned(),
        text: text.replace("severity: critical", "severity: critical, deduct: 5"),
    });
    let rules = rule::load(&rules, "v1".to_owned()).unwrap_or_else(|faults| panic!("{faults:?}")).rules;
    let server = Server::with_rules(CONFIG, rules).await;
    let mut events = String::new();
    for (call_id, agent_id, queue, started_at, said) in CALLS {
        let mut start =
            json!({"type": "call.start", "call_id": call_id, "seq": 1, "agent_id": agent_id, "started_at": started_at});
        if let Some(queue) = queue {
            start["queue"] = queue.into();
        }
        events += &format!("{start}\n");
        for (number, text) in (1..).zip(said) {
            // Its number gives an utterance its time, 3 s each, in the call.
            events += &format!("{}\n", says(call_id, number + 1, text));
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

/// Key, alerts, calls, in the order of the answer.
fn rows(answer: &Value) -> Vec<(Vec<&str>, i64, i64)> {
    let rows = answer["rows"].as_array().unwrap().iter();
    rows.map(|row| (key(row), row["alerts"].as_i64().unwrap(), row["calls"].as_i64().unwrap())).collect()
}

fn key(row: &Value) -> Vec<&str> {
    row["key"].as_array().unwrap().iter().map(|part| part.as_str().unwrap_or("-")).collect()
}

#[tokio::test]
async fn questions_and_their_answers() {
    let server = server().await;
    type Row<'a> = (&'a [&'a str], i64, i64);
    type Case<'a> = (&'a str, &'a [Row<'a>]);
    let cases: [Case<'_>; 19] = [
        ("", &[(&["test.warning"], 5, 4), (&["test.critical"], 2, 2)]),
        ("group=day", &[(&["2026-11-21"], 4, 3), (&["2026-11-20"], 2, 1), (&["1970-01-01"], 1, 1)]),
        // c2 began before midnight, what it is about was said after.
        ("group=day&from=2026-11-20&to=2026-11-20", &[(&["2026-11-20"], 2, 1)]),
        ("group=hour", &[(&["9"], 4, 3), (&["0"], 2, 2), (&["10"], 1, 1)]),
        ("group=agent", &[(&["a7"], 3, 2), (&["a8"], 3, 2), (&["a9"], 1, 1)]),
        ("group=queue", &[(&["售后"], 3, 2), (&["-"], 2, 2), (&["续费"], 2, 1)]),
        ("group=day&hour=9", &[(&["2026-11-21"], 3, 2), (&["2026-11-20"], 1, 1)]),
        ("group=rule&counts=true", &[(&["test.warning"], 5, 4), (&["test.critical"], 2, 2)]),
        ("group=rule&counts=false", &[]),
        ("group=severity", &[(&["warning"], 5, 4), (&["critical"], 2, 2)]),
        ("group=agent&severity=critical", &[(&["a7"], 1, 1), (&["a8"], 1, 1)]),
        ("group=rule&agent_id=a8", &[(&["test.warning"], 2, 1), (&["test.critical"], 1, 1)]),
        ("group=day&rule_id=test.critical", &[(&["2026-11-20"], 1, 1), (&["2026-11-21"], 1, 1)]),
        ("group=agent&queue=%E7%BB%AD%E8%B4%B9", &[(&["a8"], 2, 1)]),
        ("group=rule&call_id=c1&display=shadow", &[(&["trial.critical"], 1, 1)]),
        (
            "group=rule&display=shadow,card&call_id=c1",
            &[(&["test.critical"], 1, 1), (&["test.warning"], 1, 1), (&["trial.critical"], 1, 1)],
        ),
        ("group=rule&state=retracted", &[]),
        (
            "group=rule,hour&from=2026-11-21",
            &[(&["test.warning", "9"], 2, 1), (&["test.critical", "9"], 1, 1), (&["test.warning", "0"], 1, 1)],
        ),
        ("group=queue,agent&from=2026-11-21T08:00:00%2B08:00", &[(&["续费", "a8"], 2, 1), (&["-", "a8"], 1, 1)]),
    ];
    for (query, expected) in cases {
        let answer = get(&server, &format!("/v1/statistics?{query}")).await;
        let expected: Vec<_> = expected.iter().map(|(key, alerts, calls)| (key.to_vec(), *alerts, *calls)).collect();
        assert_eq!(rows(&answer), expected, "{query}: {answer}");
        assert_eq!(answer["truncated"], false);
    }
    server.stop().await;
}

#[tokio::test]
async fn calls_to_divide_by_and_names() {
    let server = server().await;
    let by_day = get(&server, "/v1/statistics?group=rule,day&from=2026-11-20&severity=critical").await;
    assert_eq!(by_day["total"], json!({"alerts": 2, "calls": 2, "deduct": 10}));
    assert_eq!(by_day["rows"][0]["deduct"], 5);
    assert_eq!(by_day["groups"], json!(["rule", "day"]));
    assert_eq!(by_day["rule_names"], json!({"test.critical": "严重"}));
    assert_eq!(
        by_day["answered"],
        json!({"groups": ["day"], "total": 5, "rows": [
            {"key": ["2026-11-21"], "calls": 3}, {"key": ["2026-11-20"], "calls": 2},
        ]})
    );
    assert_eq!((&by_day["from"], &by_day["to"]), (&json!("2026-11-20T00:00:00.000+08:00"), &Value::Null));
    let by_rule = get(&server, "/v1/statistics?group=rule&agent_id=a9").await;
    assert_eq!(by_rule["answered"], json!({"groups": [], "total": 2, "rows": [{"key": [], "calls": 2}]}));
    let by_queue = get(&server, "/v1/statistics?group=queue").await;
    assert_eq!(by_queue["answered"]["rows"][0], json!({"key": [null], "calls": 3}));
    server.stop().await;
}

/// Whatever they are grouped by, it is the alerts of the list that are counted.
#[tokio::test]
async fn sums_are_those_of_the_list() {
    let server = server().await;
    const GROUPS: [&str; 6] = ["day", "hour", "rule", "agent", "queue", "severity"];
    let all = "state=provisional,confirmed,retracted,reminder,resolved";
    let filters = [
        "",
        "&from=2026-11-21",
        "&to=2026-11-20",
        "&agent_id=a7",
        "&rule_id=test.warning",
        "&severity=critical,info",
        "&call_id=c1",
        "&queue=%E5%94%AE%E5%90%8E",
        "&agent_id=a8&rule_id=test.critical&from=2026-11-20T10:00:00%2B08:00",
    ];
    for filter in filters {
        let mut count = 0;
        let mut page = get(&server, &format!("/v1/alerts?limit=2&{all}{filter}")).await;
        loop {
            count += page["alerts"].as_array().unwrap().len() as i64;
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            page = get(&server, &format!("/v1/alerts?limit=2&{all}{filter}&cursor={cursor}")).await;
        }
        for first in GROUPS {
            let pairs = GROUPS.iter().filter(|second| **second != first).map(|second| format!("{first},{second}"));
            for group in pairs.chain([first.to_owned()]) {
                let target = format!("/v1/statistics?group={group}&display=card,folded,late,shadow&{all}{filter}");
                let answer = get(&server, &target).await;
                let sum: i64 = rows(&answer).iter().map(|(_, alerts, _)| alerts).sum();
                assert_eq!((sum, answer["total"]["alerts"].as_i64()), (count, Some(count)), "{target}");
                let answered = &answer["answered"];
                let calls: i64 =
                    answered["rows"].as_array().unwrap().iter().map(|row| row["calls"].as_i64().unwrap()).sum();
                assert_eq!(Some(calls), answered["total"].as_i64(), "{target}");
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused() {
    let server = Server::start(CONFIG).await;
    let cases = [
        ("group=minute", "group", "day, hour, rule"),
        ("group=rule,rule", "group", "two different ones"),
        ("group=rule,hour,day", "group", "two different ones"),
        ("group=", "group", "day, hour, rule"),
        ("display=seen", "display", "card, folded, late, shadow"),
        ("queue=", "queue", "empty"),
        ("limit=3", "limit", "known are"),
        ("from=yesterday", "from", "2026-11-21"),
    ];
    for (query, field, message) in cases {
        let (status, answer) = server.request("GET", &format!("/v1/statistics?{query}"), "").await;
        assert_eq!((status, answer["field"].as_str()), (400, Some(field)), "{query}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(message), "{query}: {answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn every_list_is_exported_in_every_format_as_its_filters_say() {
    let server = server().await;
    let mut end = String::new();
    for (call_id, ..) in CALLS {
        let at = json!({"type": "call.end", "call_id": call_id, "seq": 99, "at_ms": 60_000, "by": "customer"});
        end += &format!("{at}\n");
    }
    assert_eq!(server.request("POST", "/v1/events", &end).await.0, 200);
    while get(&server, "/v1/calls?live=true").await["calls"] != json!([]) {}
    let alerts = get(&server, "/v1/alerts?agent_id=a7&rule_id=test.warning").await;
    for alert in alerts["alerts"].as_array().unwrap() {
        let target = format!(
            "/v1/alerts/{}/reviews?call_id={}",
            alert["alert_id"].as_str().unwrap(),
            alert["call_id"].as_str().unwrap()
        );
        let (status, told) =
            server.request("POST", &target, r#"{"action":"dismiss","reason":"=1+1","by":"李静"}"#).await;
        assert_eq!(status, 201, "{told}");
    }
    // The list, where its rows are, the filters, and fields of the file that are those of the list.
    let cases: [(&str, &str, &str, &str, &[&str]); 5] = [
        (
            "calls",
            "/v1/calls",
            "calls",
            "agent_id=a8",
            &["call_id", "agent_id", "queue", "confirmed", "score", "ended_by"],
        ),
        ("calls", "/v1/calls", "calls", "alerts=true&severity=critical", &["call_id", "score"]),
        (
            "scores",
            "/v1/scores",
            "scores",
            "group=queue",
            &["key", "mean", "margin", "min", "calls", "alerts", "vetoed"],
        ),
        ("scores", "/v1/scores", "scores", "from=2026-11-21", &["key", "mean", "calls"]),
        (
            "rules",
            "/v1/quality",
            "rules",
            "display=shadow,card",
            &["rule_id", "rules_version", "precision", "reviewed", "dismissed"],
        ),
    ];
    for (table, path, name, filter, fields) in cases {
        let listed = get(&server, &format!("{path}?{filter}")).await[name].as_array().unwrap().clone();
        let (status, lines) = server.get(&format!("/v1/export/{table}?format=jsonl&{filter}")).await;
        assert_eq!(status, 200, "{lines}");
        let rows = json_lines(&lines);
        assert!(!listed.is_empty() && rows.len() == listed.len(), "{table} {filter}: {lines}");
        for (row, listed) in rows.iter().zip(&listed) {
            for field in fields {
                assert_eq!(row[field], listed[field], "{table} {field}");
            }
        }
        for (format, begins) in [("csv", "\u{feff}"), ("xlsx", ""), ("parquet", "")] {
            let (status, body) = server.raw(&format!("/v1/export/{table}?format={format}&{filter}")).await;
            assert_eq!(status, 200);
            match format {
                "csv" => {
                    let text = String::from_utf8(body).unwrap();
                    assert!(text.starts_with(begins) && text.trim().lines().count() == listed.len() + 1, "{text}");
                }
                "xlsx" => {
                    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(body)).unwrap();
                    let sheets = book.sheet_names();
                    assert_eq!(sheets.len(), 1, "{sheets:?}");
                    assert_eq!(book.worksheet_range(&sheets[0]).unwrap().rows().count(), listed.len() + 1);
                }
                _ => {
                    let file = SerializedFileReader::new(Bytes::from(body)).unwrap();
                    assert_eq!(file.metadata().file_metadata().num_rows(), i64::try_from(listed.len()).unwrap());
                }
            }
        }
    }
    let (_, lines) = server.get("/v1/export/reviews?format=jsonl&agent_id=a7").await;
    let reviews = json_lines(&lines);
    assert_eq!(reviews.len(), 2, "{lines}");
    assert!(reviews.iter().all(|row| row["action"] == "dismiss"
        && row["by"] == "李静"
        && row["verdict"] == "dismissed"
        && row["counts"] == 0));
    let (_, text) = server.get("/v1/export/reviews?format=csv").await;
    assert!(text.contains(",'=1+1,"), "nothing that a spreadsheet would compute: {text}");
    for (target, status, code) in [
        ("/v1/export/none", 404, "no_such_table"),
        ("/v1/export/calls?rule_id=x", 400, "invalid_query"),
        ("/v1/export/scores?format=pdf", 400, "invalid_query"),
        ("/v1/export/samples?kind=x", 400, "invalid_query"),
    ] {
        let (told, body) = server.request("GET", target, "").await;
        assert_eq!((told, body["code"].as_str()), (status, Some(code)), "{target}: {body}");
    }
    let audit = get(&server, "/v1/audit?action=export").await;
    assert_eq!(audit["entries"][0]["subject"], "reviews");
}

/// The lines of a body that came in chunks, which have lines of their own.
fn json_lines(body: &str) -> Vec<Value> {
    body.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).unwrap()).collect()
}

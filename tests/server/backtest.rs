//! `tingjian backtest` and `POST /v1/backtest`: two rule sets over recorded and
//! stored calls, against what `check` and a live server say of the same calls.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::harness::{PATIENCE, Server};
use serde_json::{Value, json};
use tempfile::TempDir;
use tingjian::backtest::{self, Control, Plan, Recorded};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Calls close soon, yet long after all of them was sent; one of the recordings has no end.
const CONFIG: &str = "call_linger_ms = 3000\ncall_idle_ms = 6000\n";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The recorded calls, in order.
fn recordings() -> Vec<PathBuf> {
    let files = std::fs::read_dir(root().join("fixtures/calls")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| !path.to_string_lossy().ends_with(".expected.jsonl")).collect();
    files.sort();
    assert!(files.len() > 10);
    files
}

/// What a run of the program ended with.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }
}

fn tingjian<S: AsRef<std::ffi::OsStr>>(directory: &Path, arguments: impl IntoIterator<Item = S>) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_tingjian")).args(arguments).current_dir(directory).output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A directory with one pack.
fn rules(directory: &TempDir, name: &str, pack: &str) -> String {
    let place = directory.path().join(name);
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("p.yaml"), pack).unwrap();
    name.to_owned()
}

const PACK: &str = "\
pack: p
title: 测试
rules:
  - { id: p.a, name: 甲, severity: warning, deduct: 2, message: '不要说“{phrase}”', forbid: { any: [不知道] } }
  - { id: p.b, name: 乙, message: '不要说“{phrase}”', forbid: { any: [没办法] } }
";

/// Calls of which the first says both words, the others one each.
fn calls(directory: &TempDir) -> String {
    let mut lines = String::new();
    for (call, agent, texts) in [
        ("c1", "a1", ["这个我不知道", "没办法，我电话13800138000"]),
        ("c2", "a2", ["不知道", "好的"]),
        ("c3", "a1", ["没办法", "好的"]),
    ] {
        lines += &json!({"type": "call.start", "call_id": call, "agent_id": agent, "started_at": "2026-11-21T10:00:00+08:00"}).to_string();
        lines.push('\n');
        for (at, text) in (1..).zip(texts) {
            lines += &json!({"type": "utterance", "call_id": call, "utterance_id": format!("u{at}"), "role": "agent", "text": text,
                "start_ms": at * 5_000, "end_ms": at * 5_000 + 1_000, "final": true}).to_string();
            lines.push('\n');
        }
        lines += &json!({"type": "call.end", "call_id": call, "at_ms": 20_000, "by": "customer"}).to_string();
        lines.push('\n');
    }
    std::fs::write(directory.path().join("calls.jsonl"), lines).unwrap();
    "calls.jsonl".to_owned()
}

/// `before after gained lost changed`.
fn counts(of: &Value) -> [u64; 5] {
    ["before", "after", "gained", "lost", "changed"].map(|name| of[name].as_u64().unwrap())
}

#[test]
fn what_is_gained_lost_and_changed_is_told_by_rule_and_agent() {
    let directory = TempDir::new().unwrap();
    let old = rules(&directory, "old", PACK);
    let calls = calls(&directory);
    let new_rule = "  - { id: p.c, name: 丙, message: 丙, forbid: { any: [好的] } }\n";
    // What is edited; all alerts; those of rules that differ; fields of the first example of a change.
    type Case<'a> = (&'a str, String, [u64; 5], &'a [(&'a str, [u64; 5])], &'a [&'a str]);
    #[rustfmt::skip]
    let cases: &[Case<'_>] = &[
        ("nothing", PACK.to_owned(), [4, 4, 0, 0, 0], &[], &[]),
        ("a comment", format!("# 说明\n{PACK}"), [4, 4, 0, 0, 0], &[], &[]),
        ("a new rule", format!("{PACK}{new_rule}"), [4, 6, 2, 0, 0], &[("p.c", [0, 2, 2, 0, 0])], &[]),
        ("a phrase less", PACK.replace("[不知道]", "[不知道吗]"), [4, 2, 0, 2, 0], &[("p.a", [2, 0, 0, 2, 0])], &[]),
        (
            "graver",
            PACK.replace("severity: warning, deduct: 2", "severity: critical, deduct: 5"),
            [4, 4, 0, 0, 2],
            &[("p.a", [2, 2, 0, 0, 2])],
            &["severity", "deduct"],
        ),
        (
            "other words",
            PACK.replace("'不要说“{phrase}”', forbid: { any: [没", "没办法, forbid: { any: [没"),
            [4, 4, 0, 0, 2],
            &[("p.b", [2, 2, 0, 0, 2])],
            &["message"],
        ),
        (
            "another id",
            PACK.replace("p.b", "p.d"),
            [4, 4, 2, 2, 0],
            &[("p.b", [2, 0, 0, 2, 0]), ("p.d", [0, 2, 2, 0, 0])],
            &[],
        ),
        (
            "an earlier word",
            PACK.replace("[不知道]", "[我不知道, 不知道]"),
            [4, 4, 0, 0, 1],
            &[("p.a", [2, 2, 0, 0, 1])],
            &["message", "at_ms"],
        ),
    ];
    for (place, (case, pack, all, differing, fields)) in cases.iter().enumerate() {
        let new = rules(&directory, &format!("new{place}"), pack);
        let ran =
            tingjian(directory.path(), ["backtest", "--rules", &new, "--baseline", &old, &calls, "--format", "json"]);
        assert_eq!(ran.code, i32::from(!differing.is_empty()), "{case}: {}", ran.err);
        let report = ran.json();
        assert_eq!((report["calls"].as_u64(), counts(&report["alerts"])), (Some(3), *all), "{case}");
        let found: Vec<(&str, [u64; 5])> = report["rules"]
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| (rule["rule_id"].as_str().unwrap(), counts(rule)))
            .filter(|(_, counts)| counts[2..] != [0, 0, 0])
            .collect();
        assert_eq!(found, *differing, "{case}");
        let of_agents = report["agents"].as_array().unwrap().iter().map(counts);
        let summed = of_agents.fold([0; 5], |sum, one| std::array::from_fn(|place| sum[place] + one[place]));
        assert_eq!(summed, *all, "{case}: agents have them all");
        let changed: Vec<&str> = report["rules"][0]["examples"]["changed"][0]["changed"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|field| field.as_str().unwrap())
            .collect();
        assert_eq!(changed, *fields, "{case}");
    }
}

#[test]
fn reports_are_masked_and_rates_and_trials_are_told() {
    let directory = TempDir::new().unwrap();
    let old = rules(&directory, "old", &PACK.replace("p.b", "p.gone"));
    let new = rules(&directory, "new", PACK);
    let calls = calls(&directory);
    let run = |more: &[&str]| {
        tingjian(directory.path(), ["backtest", "--rules", &new, "--baseline", &old, &calls].iter().chain(more))
    };
    let report = run(&["--format", "json"]).json();
    assert_eq!(report["alerts"]["before_per_1000_calls"], 1333.33);
    let rule = &report["rules"][0];
    assert_eq!(json!([rule["rule_id"], rule["in_before"], rule["in_after"]]), json!(["p.b", false, true]));
    let example = &rule["examples"]["gained"][0];
    assert_eq!(example["before"], Value::Null);
    assert_eq!(example["after"]["evidence"][0]["text"], "没办法，我电话138****8000");
    assert_eq!(
        json!([example["after"]["evidence"][0]["start"], example["after"]["evidence"][0]["end"]]),
        json!([0, 3])
    );
    let a2 = report["agents"].as_array().unwrap().iter().find(|agent| agent["agent_id"] == "a2").unwrap();
    assert_eq!(json!([a2["calls"], a2["before_per_1000_calls"]]), json!([1, 1000.0]));
    for format in ["text", "html", "json"] {
        let ran = run(&["--format", format]);
        assert_eq!(ran.code, 1);
        assert!(!ran.out.contains("13800138000") && ran.out.contains("138****8000"), "{}", ran.out);
        // A file has what standard output has; its name chooses the format.
        let name = format!("report.{format}");
        assert_eq!(run(&["-o", &name]).code, 1);
        assert_eq!(std::fs::read_to_string(directory.path().join(name)).unwrap(), ran.out);
    }
    let html = run(&["--format", "html"]).out;
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("<mark>没办法</mark>"), "{html}");
    assert!(!html.contains("<script") && !html.contains("http://") && !html.contains("https://"), "{html}");
    // Packs on trial count apart, and differ all the same.
    std::fs::write(directory.path().join("c.toml"), "shadow_packs = [\"p\"]\n").unwrap();
    let ran = run(&["--format", "json", "--config", "c.toml"]);
    let report = ran.json();
    assert_eq!((ran.code, counts(&report["alerts"]), counts(&report["shadow"])), (1, [0; 5], [4, 4, 2, 2, 0]));
    assert_eq!(
        json!([report["rules"][0]["shadow"], report["packs"][0]["shadow"], report["agents"]]),
        json!([true, true, []])
    );
}

#[test]
fn what_cannot_be_used_is_told() {
    let directory = TempDir::new().unwrap();
    let good = rules(&directory, "good", PACK);
    let bad =
        rules(&directory, "bad", &PACK.replace("severity: warning", "severity: grave").replace("id: p.b", "id: p.a"));
    let calls = calls(&directory);
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("empty.jsonl", "");
    let broken = std::fs::read_to_string(directory.path().join(&calls)).unwrap();
    write("broken.jsonl", &format!("{{\n{broken}{{\"type\":\"call.end\",\"call_id\":\"cx\",\"at_ms\":1}}\n"));
    #[rustfmt::skip]
    let cases: &[(&[&str], &[&str])] = &[
        (&["--rules", &bad, &calls], &["bad/p.yaml:4:", "bad/p.yaml:5:"]),
        (&["--rules", "missing", &calls], &["missing"]),
        (&["--rules", &good, "--baseline", &bad, &calls], &["bad/p.yaml:4:", "bad/p.yaml:5:"]),
        (&["--rules", &good, "missing.jsonl"], &["missing.jsonl", "录音文件里没有通话 / there are no calls"]),
        (&["--rules", &good, "empty.jsonl"], &["录音文件里没有通话 / there are no calls"]),
        (&["--rules", &good, "--data", "nothing"], &["nothing: 没有数据"]),
        (&["--rules", &good, "--data", "nothing", "--from", "yesterday"], &["--from: ", "2026-11-21"]),
        (&["--rules", &good, "--data", "nothing", &calls], &["--data"]),
        (&[&calls], &["--rules"]),
    ];
    for (arguments, told) in cases {
        let ran = tingjian(directory.path(), ["backtest"].iter().chain(*arguments));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.err);
        for words in *told {
            assert!(ran.err.contains(words), "{arguments:?}: {words}: {}", ran.err);
        }
    }
    // Lines that cannot be read are told and counted; the rest is compared.
    let ran = tingjian(
        directory.path(),
        ["backtest", "--rules", &good, "--baseline", &good, "broken.jsonl", "--format", "json"],
    );
    let report = ran.json();
    assert_eq!(ran.code, 2);
    assert_eq!(json!([report["broken_lines"], report["calls"], report["alerts"]["after"]]), json!([2, 3, 4]));
    let last = broken.lines().count() + 2;
    assert!(ran.err.contains("broken.jsonl:1: ") && ran.err.contains(&format!("broken.jsonl:{last}: ")), "{}", ran.err);
}

/// The recorded calls many times over, each under a name of its own, all of them interleaved.
fn many(directory: &TempDir, times: usize) -> String {
    let mut out = String::new();
    let texts: Vec<String> = recordings().iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for round in 0..times {
        let mut lines: Vec<_> = texts.iter().map(|text| text.lines()).collect();
        loop {
            let before = out.len();
            for line in lines.iter_mut().filter_map(Iterator::next) {
                let mut event: Value = serde_json::from_str(line).unwrap();
                event["call_id"] = json!(format!("{}-{round}", event["call_id"].as_str().unwrap()));
                out += &event.to_string();
                out.push('\n');
            }
            if out.len() == before {
                break;
            }
        }
    }
    std::fs::write(directory.path().join("many.jsonl"), out).unwrap();
    "many.jsonl".to_owned()
}

#[test]
fn the_report_is_the_same_to_the_byte_on_any_number_of_cores() {
    let directory = TempDir::new().unwrap();
    let edited = rules(
        &directory,
        "edited",
        &std::fs::read_to_string(root().join("rules/forbidden.yaml"))
            .unwrap()
            .replace("severity: warning", "severity: critical")
            .replace("yields_to: [insult]\n", ""),
    );
    let many = many(&directory, 8);
    for format in ["json", "html", "text"] {
        let [one, four, again] = ["1", "4", "4"].map(|workers| {
            let ran = tingjian(
                directory.path(),
                ["backtest", "--rules", &edited, &many, "--format", format, "--workers", workers],
            );
            assert_eq!(ran.code, 1, "{}", ran.err);
            ran.out
        });
        assert!(one == four && four == again, "{format}");
    }
}

/// What a report says of `before`, by rule.
fn by_rule(report: &Value, side: &str) -> BTreeMap<String, u64> {
    let rules = report["rules"].as_array().unwrap().iter();
    let counts = rules.map(|rule| (rule["rule_id"].as_str().unwrap().to_owned(), rule[side].as_u64().unwrap()));
    counts.filter(|(_, count)| *count > 0).collect()
}

#[test]
fn a_backtest_of_recordings_raises_what_check_raises() {
    let paths: Vec<String> = recordings().iter().map(|path| path.display().to_string()).collect();
    let check = ["check", "--format", "jsonl"].map(str::to_owned);
    let checked = tingjian(&root(), check.iter().chain(&paths));
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for line in checked.out.lines() {
        let alert: Value = serde_json::from_str(line).unwrap();
        *expected.entry(alert["rule_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert!(expected.len() > 10);
    let backtest = ["backtest", "--rules", "rules", "--format", "json"].map(str::to_owned);
    let ran = tingjian(&root(), backtest.iter().chain(&paths));
    let report = ran.json();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(by_rule(&report, "before"), expected);
    assert_eq!(by_rule(&report, "after"), expected);
    assert_eq!(report["calls"].as_u64(), Some(paths.len() as u64));
}

/// Returns when no call is in progress.
async fn closed(server: &Server) {
    let closing = async { while server.request("GET", "/v1/calls?live=true", "").await.1["calls"] != json!([]) {} };
    tokio::time::timeout(PATIENCE, closing).await.expect("the calls are closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_calls_raise_what_they_raised_live() {
    let server = Server::with_rules(CONFIG, crate::harness::shipped()).await;
    for path in recordings() {
        let (status, answer) = server.request("POST", "/v1/events", &std::fs::read_to_string(path).unwrap()).await;
        assert_eq!(status, 200, "{answer}");
    }
    closed(&server).await;
    let (_, live) = server.request("GET", "/v1/alerts?state=confirmed&limit=1000", "").await;
    let mut live = live["alerts"].as_array().unwrap().clone();
    // A backtest compares what is told.
    live.retain(|alert| alert["display"] != "held");
    assert!(live.len() > 30);
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for alert in &live {
        *expected.entry(alert["rule_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    // The server is running; nothing of this concerns it. Where it runs are no rules, so the store's own are the baseline.
    let directory = TempDir::new().unwrap();
    let data = server.data.path().display().to_string();
    let same = root().join("rules").display().to_string();
    let nothing = rules(
        &directory,
        "nothing",
        "pack: n\ntitle: 无\nrules:\n  - { id: n.n, name: 无, message: 无, forbid: { any: [从来没有人说过的话] } }\n",
    );
    let run = |rules: &str, more: &[&str]| {
        let backtest = ["backtest", "--rules", rules, "--data", &data, "--format", "json"];
        tingjian(directory.path(), backtest.iter().chain(more))
    };
    let ran = run(&same, &[]);
    let report = ran.json();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(by_rule(&report, "after"), expected);
    assert_eq!(report["before"]["version"], server.request("GET", "/v1/rules", "").await.1["version"]);
    assert_eq!(report["calls"].as_u64(), Some(recordings().len() as u64));
    // What is lost with other rules is what stood live, word for word.
    let report = run(&nothing, &[]).json();
    assert_eq!(by_rule(&report, "before"), expected);
    let known: BTreeSet<String> = live.iter().map(essence).collect();
    let mut examples = 0;
    for rule in report["rules"].as_array().unwrap() {
        for example in rule["examples"]["lost"].as_array().unwrap() {
            assert!(known.contains(&essence(&example["before"])), "{example}");
            examples += 1;
        }
    }
    assert!(examples > 25, "{examples}");
    // By agent and by day.
    let report = run(&nothing, &["--agent-id", "a1003"]).json();
    assert_eq!((report["calls"].as_u64(), counts(&report["alerts"])[1]), (Some(1), 0));
    let (all, days) = (recordings().len() as u64, [["--from", "2026-11-20"], ["--to", "2026-11-19"]]);
    let of_days: Vec<u64> = days.iter().map(|days| run(&same, days).json()["calls"].as_u64().unwrap()).collect();
    assert!(of_days.iter().sum::<u64>() == all && of_days.iter().all(|calls| *calls > 0), "{of_days:?}");
    let none = run(&same, &["--from", "2030-01-01"]);
    assert!(none.code == 2 && none.err.contains("没有符合条件的已结束通话"), "{}", none.err);

    // Over HTTP, edited rules against those in use.
    let post = async |body: Value| server.request("POST", "/v1/backtest", &body.to_string()).await;
    let forbidden = std::fs::read_to_string(root().join("rules/forbidden.yaml")).unwrap();
    let graver = forbidden.replace("severity: warning", "severity: critical");
    let edited = |text: &str| json!([{"name": "rules/forbidden.yaml", "text": text}]);
    let (status, report) = post(json!({"files": edited(&graver)})).await;
    assert_eq!((status, &report["partial"]), (200, &json!(false)), "{report}");
    assert_eq!(by_rule(&report, "before"), expected);
    let changed = counts(&report["alerts"]);
    // A graver rule holds fewer alerts back.
    assert!(changed[2] <= 1 && changed[3] == 0 && changed[4] > 2, "{changed:?}");
    // The same as the command line with that file.
    let copy = directory.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for entry in std::fs::read_dir(root().join("rules")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    std::fs::write(copy.join("forbidden.yaml"), &graver).unwrap();
    assert_eq!(run("copy", &[]).json(), report);
    let (status, report) = post(json!({"files": edited(&forbidden), "agent_id": "a1003"})).await;
    assert_eq!(
        (status, report["calls"].as_u64(), counts(&report["alerts"])[2..].to_vec()),
        (200, Some(1), vec![0, 0, 0])
    );
    #[rustfmt::skip]
    let refused = [
        (json!({"files": edited("pack: [")}), 422, "rules_invalid", Value::Null),
        (json!({"files": []  , "from": "yesterday"}), 400, "invalid_body", json!("from")),
        (json!({"from": "2026-11-20", "to": "2026-11-01"}), 400, "invalid_body", json!("to")),
        (json!({"agent_id": ""}), 400, "invalid_body", json!("agent_id")),
        (json!({"agent": "a"}), 400, "invalid_body", json!("agent")),
        (json!({"files": [1]}), 400, "invalid_body", json!("files[0].name")),
    ];
    for (body, status, code, field) in refused {
        let (found, answer) = post(body.clone()).await;
        assert_eq!((found, &answer["code"], &answer["field"]), (status, &json!(code), &field), "{body}: {answer}");
    }
    let (_, answer) = post(json!({"files": edited("pack: [")})).await;
    assert_eq!(
        json!([answer["diagnostics"][0]["file"], answer["diagnostics"][0]["line"]]),
        json!(["rules/forbidden.yaml", 1])
    );

    // Words that are no longer kept are skipped, and told.
    let data_directory = server.stop().await;
    let data = data_directory.path().display().to_string();
    let store = rusqlite::Connection::open(data_directory.path().join("tingjian.db")).unwrap();
    let forget = |which: &str| {
        store.execute(&format!("DELETE FROM events WHERE call_no IN (SELECT call_no FROM calls {which})"), []).unwrap();
        store.execute(&format!("UPDATE calls SET start = '' {which}"), []).unwrap();
    };
    let run =
        |rules: &str| tingjian(directory.path(), ["backtest", "--rules", rules, "--data", &data, "--format", "json"]);
    forget("WHERE agent_id = 'a1003'");
    let report = run(&same).json();
    assert_eq!(json!([report["calls"], report["skipped"]]), json!([all - 1, 1]));
    forget("");
    let ran = run(&same);
    assert!(ran.code == 2 && ran.err.contains("原话都已过保留期"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backtest_takes_its_turn_when_its_body_is_there_and_one_runs_at_a_time() {
    let server = Server::start("").await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /v1/backtest HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: 2\r\n\r\n";
    first.write_all(head.as_bytes()).await.unwrap();
    let post = async || server.request("POST", "/v1/backtest", "{}").await;
    // The first one's body is still to come: nobody waits for it.
    assert_eq!(post().await.0, 200);
    let (a, b, c) = tokio::join!(post(), post(), post());
    let answers = [a, b, c];
    assert!(answers.iter().any(|(status, _)| *status == 200), "{answers:?}");
    for (status, answer) in answers {
        assert!(status == 200 || status == 409 && answer["code"] == "backtest_running", "{status} {answer}");
    }
    first.write_all(b"{}").await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, first.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.stop().await;
}

#[test]
fn a_replay_ends_when_nobody_wants_it_or_a_call_cannot_be_read() {
    let rules = crate::harness::rules();
    let plan = Plan { before: Arc::clone(&rules), after: rules, shadow_packs: Vec::new() };
    let workers = NonZeroUsize::new(2).unwrap();
    let endless = || std::iter::repeat_with(|| Ok::<u32, String>(7));
    let control = Control::default();
    control.cancel();
    let report = backtest::run(&plan, workers, endless(), |_| Ok(None), &control).unwrap();
    assert!(report.partial);
    assert_eq!(report.calls + report.skipped, 0);
    let unreadable = |_| Err::<Option<Recorded>, _>("torn".to_owned());
    assert_eq!(backtest::run(&plan, workers, endless(), unreadable, &Control::default()).unwrap_err(), "torn");
    let fails = endless().take(9).chain([Err("lost".to_owned())]);
    assert_eq!(backtest::run(&plan, workers, fails, |_| Ok(None), &Control::default()).unwrap_err(), "lost");
    let three = backtest::run(&plan, workers, endless().take(3), |_| Ok(None), &Control::default()).unwrap();
    assert_eq!((three.skipped, three.partial, three.differs()), (3, false, false));
}

/// What of an alert a replay must give.
fn essence(alert: &Value) -> String {
    let fields = ["alert_id", "call_id", "agent_id", "rule_id", "at_ms", "severity", "deduct", "message", "evidence"];
    let of: Vec<&Value> = fields.iter().map(|field| &alert[*field]).collect();
    json!(of).to_string()
}

//! `[confidence]`: below it an alert is held, in every command that reads the rules.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The second look is some .8 sure of 这个我不知道.
const RULES: &str = "\
pack: p
title: 测试
lists: { acts: [{ act: impatient }] }
rules:
  - { id: p.default, name: 推诿, message: 推诿, forbid: { any: [我不知道] }, tests: [{ fires: 这个我不知道 }] }
  - { id: p.own, name: 推诿, message: 推诿, confidence: 0.01, forbid: { any: [我不知道] } }
  - { id: p.waived, name: 推诿, message: 推诿, confidence: 0, forbid: { any: [我不知道] } }
";

const CALL: &str = r#"{"type":"call.start","call_id":"c1","agent_id":"a7","started_at":"2026-11-21T10:00:00+08:00"}
{"type":"utterance","call_id":"c1","utterance_id":"u1","role":"agent","text":"这个我不知道","start_ms":5000,"end_ms":6000,"final":true}
{"type":"call.end","call_id":"c1","at_ms":9000,"by":"customer"}
"#;

struct Site {
    directory: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let site = Self { directory };
        fs::create_dir(site.path().join("rules")).unwrap();
        site.write("rules/p.yaml", RULES);
        site.write("call.jsonl", CALL);
        site.write("turn.jsonl", "{\"text\":\"这个我不知道\",\"is_violation\":\"yes\"}\n");
        site.write("strict.toml", "[confidence]\nwarning = 1\n");
        site.write("lenient.toml", "[confidence]\nwarning = 0.1\n");
        site
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tingjian"));
        command.args(arguments).current_dir(self.path()).env_remove("TINGJIAN_CONFIG");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}

fn stdout(output: &Output) -> String {
    assert!(output.status.code() < Some(2), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The rules that told something, of alerts one a line.
fn told(lines: &str) -> Vec<String> {
    let alerts = lines.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    alerts.filter_map(|alert| alert["rule_id"].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_rule_that_does_not_say_follows_the_configuration_in_every_command() {
    let site = Site::new();
    for (config, default_tells) in [("strict.toml", false), ("lenient.toml", true)] {
        let expected: &[&str] =
            if default_tells { &["p.default", "p.own", "p.waived"] } else { &["p.own", "p.waived"] };
        let checked = site.run(&["check", "--format", "jsonl", "--config", config, "call.jsonl"]);
        let mut rules = told(&stdout(&checked));
        rules.sort();
        assert_eq!(rules, expected, "check --config {config}");
        let held = site.run(&["check", "--format", "jsonl", "--held", "--config", config, "call.jsonl"]);
        assert_eq!(told(&stdout(&held)).len(), 3);
        // Tests in rule files are about what a rule finds, however sure the second look is of it.
        let tested = site.run(&["rules", "test", "--config", config]);
        assert!(tested.status.success(), "rules test --config {config}: {tested:?}");
        // One of its rules is enough for a turn to be told; the rule alone is asked.
        site.write("rules/p.yaml", &RULES[..RULES.find("  - { id: p.own").unwrap()]);
        let measured = site.run(&["eval", "--format", "json", "--config", config, "turn.jsonl"]);
        let figures: serde_json::Value = serde_json::from_str(&stdout(&measured)).unwrap();
        assert_eq!(figures["tp"], u32::from(default_tells), "eval --config {config}");
        let compared = ["backtest", "--rules", "rules", "--baseline", "rules", "--format", "json", "--config"];
        let compared = site.run(&[&compared[..], &[config, "call.jsonl"]].concat());
        let report: serde_json::Value = serde_json::from_str(&stdout(&compared)).unwrap();
        assert_eq!(report["alerts"]["after"], u32::from(default_tells), "backtest --config {config}: {report}");
        site.write("rules/p.yaml", RULES);
    }
    // A variable goes before the file.
    let mut checked = site.command(&["check", "--format", "jsonl", "--config", "lenient.toml", "call.jsonl"]);
    let checked = checked.env("TINGJIAN_CONFIDENCE__WARNING", "0.99").output().unwrap();
    assert_eq!(told(&stdout(&checked)).len(), 2);
    site.write("wrong.toml", "[confidence]\nwarning = 2\n");
    let commands: [&[&str]; 5] = [
        &["check", "call.jsonl"],
        &["eval", "turn.jsonl"],
        &["rules", "test"],
        &["learn", "--dry-run"],
        &["backtest", "--rules", "rules", "call.jsonl"],
    ];
    for command in commands {
        let refused = site.run(&[command, &["--config", "wrong.toml"]].concat());
        let fault = String::from_utf8(refused.stderr).unwrap();
        assert!(refused.status.code() == Some(2) && fault.contains("wrong.toml:2:11"), "{command:?}: {fault}");
        assert!(fault.contains("0 到 1"), "{fault}");
    }
}

#[test]
fn an_explanation_tells_what_the_model_weighs() {
    let site = Site::new();
    let explained = |rule: &str, config: &str| {
        let explain = ["rules", "explain", "--call", "call.jsonl", "--rule", rule, "--config", config];
        stdout(&site.run(&explain))
    };
    let line = |text: &str, begin: &str| {
        let found = text.lines().find_map(|line| line.trim().strip_prefix(begin).map(str::to_owned));
        found.unwrap_or_else(|| panic!("{text}"))
    };
    let look = line(&explained("p.default", "strict.toml"), "复看的把握 ");
    assert!(look.starts_with("0.") && look.contains("‘") && look.contains(" +"), "{look}");
    assert!(look.contains("其余") && look.ends_with("（要 1.00，只留给质检）"), "{look}");
    assert!(explained("p.default", "lenient.toml").contains("（要 0.10）"));
    assert!(explained("p.waived", "strict.toml").contains("（这条规则不看）"));
    // The figure is the alert's own.
    let alerts = stdout(&site.run(&["check", "--format", "jsonl", "--config", "lenient.toml", "call.jsonl"]));
    let alert: serde_json::Value = serde_json::from_str(alerts.lines().next().unwrap()).unwrap();
    assert!(look.starts_with(&format!("{:.2}：", alert["confidence"].as_f64().unwrap())), "{look} {alert}");
}

#[test]
fn a_server_holds_what_check_holds_under_the_same_configuration() {
    let site = Site::new();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--config", "strict.toml"];
    let mut server = site.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
    let ask = |method: &str, path: &str, body: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    };
    ask("POST", "/v1/events", CALL);
    let shown = ask("GET", "/v1/alerts?call_id=c1", "");
    let held = ask("GET", "/v1/alerts?call_id=c1&display=held", "");
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(shown.contains("p.own") && shown.contains("p.waived") && !shown.contains("p.default"), "{shown}");
    assert!(held.contains("p.default") && !held.contains("p.own"), "{held}");
}

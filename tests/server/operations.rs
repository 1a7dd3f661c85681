//! What operators rely on: every metric of a running server is explained, and
//! dashboard and alert rules use no other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::harness::{Receiver, Server, next, request, says, send, start, tell};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What one metric is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Metric {
    kind: String,
    labels: BTreeSet<String>,
    help: String,
}

/// The metrics of a server to which everything happened that shows one.
async fn shown() -> BTreeMap<String, Metric> {
    let mut receiver = Receiver::start(|_| (200, "")).await;
    let config = format!(
        "[[webhooks]]\nname = \"qa\"\nurl = \"http://{}/\"\n\
         [[thresholds]]\nname = \"busy\"\ncount = \"calls\"\nat_least = 1\n\
         [[consume]]\nname = \"bus\"\nurl = \"nats://127.0.0.1:1\"\nsubject = \"calls.>\"\nformat = \"events\"\n",
        receiver.address
    );
    let server = Server::start(&config).await;
    let mut agent = server.connect("/v1/agents/a7/alerts").await;
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c1")).await;
    tell(&mut producer, says("c1", 2, "不清楚")).await;
    assert_eq!(next(&mut agent).await["type"], "alert");
    assert_eq!(receiver.next().await.json()["state"], "confirmed");
    send(&mut producer, json!("no event")).await;
    assert_eq!(next(&mut producer).await["type"], "error");
    // Somebody of QA finds an alert right, its agent does not.
    let alerts = server.request("GET", "/v1/alerts", "").await.1;
    let alert_id = alerts["alerts"][0]["alert_id"].as_str().unwrap().to_owned();
    let review = json!({"action": "confirm", "by": "李静"}).to_string();
    assert_eq!(server.request("POST", &format!("/v1/alerts/{alert_id}/reviews"), &review).await.0, 201);
    let appeal = json!({"type": "appeal", "alert_id": alert_id, "reason": "没说"}).to_string();
    assert_eq!(server.request("POST", "/v1/agents/a7/alerts", &appeal).await.0, 200);
    // A page of another site.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let foreign = "GET /v1/rules HTTP/1.1\r\nhost: test\r\norigin: https://elsewhere\r\nconnection: close\r\n\r\n";
    stream.write_all(foreign.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert_eq!(request(server.address, "GET", "/v1/export", "").await.0, 200);
    let text = request(server.address, "GET", "/metrics", "").await.1;
    drop((agent, producer));
    server.stop().await;
    parse(&text)
}

fn parse(text: &str) -> BTreeMap<String, Metric> {
    let mut metrics: BTreeMap<String, Metric> = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            last = name.to_owned();
            metrics.entry(last.clone()).or_default().help = help.to_owned();
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            metrics.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else if let Some((_, labels)) = line.split_once('{') {
            let labels = labels.split("\",").filter_map(|label| label.split_once('=')).map(|(name, _)| name.to_owned());
            metrics.get_mut(&last).unwrap().labels.extend(labels.filter(|label| label != "le"));
        }
    }
    metrics
}

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The rows `| name | type | labels | what |` of a page.
fn explained(page: &str) -> BTreeMap<String, Metric> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `tingjian_")).map(|row| {
        let cells: Vec<&str> = row.trim_end_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, help] = cells[..] else { panic!("{row}") };
        let labels = labels.split(", ").filter(|label| !label.is_empty()).map(|label| label.replace('`', ""));
        let metric = Metric { kind: kind.to_owned(), labels: labels.collect(), help: help.to_owned() };
        (format!("tingjian_{}", name.trim_end_matches('`')), metric)
    });
    rows.collect()
}

/// The names of metrics in expressions.
fn used(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices("tingjian_") {
        let name: String = text[at..].chars().take_while(|c| is_name(*c)).collect();
        names.insert(name);
    }
    names
}

#[tokio::test]
async fn every_metric_is_explained_and_nothing_else() {
    let shown = shown().await;
    // The lag is known only of a bus that is there.
    let explained = |page: &str| {
        let mut metrics = explained(&read(page));
        assert!(metrics.remove("tingjian_consume_lag").is_some_and(|metric| !metric.help.is_empty()));
        metrics
    };
    assert_eq!(explained("docs/metrics.md"), shown);
    let without_help = |metrics: BTreeMap<String, Metric>| -> Vec<_> {
        metrics.into_iter().map(|(name, metric)| (name, metric.kind, metric.labels)).collect()
    };
    let chinese = explained("docs/metrics.zh-CN.md");
    assert!(chinese.values().all(|metric| !metric.help.is_empty()));
    assert_eq!(without_help(chinese), without_help(shown));
}

#[tokio::test]
async fn dashboard_and_alert_rules_use_metrics_that_are_there() {
    let mut series = BTreeSet::new();
    for (name, metric) in shown().await {
        match metric.kind.as_str() {
            "histogram" => series.extend(["_bucket", "_sum", "_count"].map(|part| format!("{name}{part}"))),
            _ => drop(series.insert(name)),
        }
    }
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/tingjian.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut in_dashboard = BTreeSet::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        for target in panel["targets"].as_array().unwrap() {
            let names = used(target["expr"].as_str().unwrap());
            assert!(!names.is_empty(), "{}", panel["title"]);
            in_dashboard.extend(names);
        }
    }
    let in_rules = used(&read("deploy/prometheus/rules.yml").replace("/metrics.md", ""));
    assert!(in_rules.len() >= 10 && in_dashboard.len() >= 25, "{in_rules:?} {in_dashboard:?}");
    let unknown: Vec<_> = in_dashboard.union(&in_rules).filter(|name| !series.contains(*name)).collect();
    assert_eq!(unknown, Vec::<&String>::new());
}

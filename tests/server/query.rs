//! What the QA department asks of a server that has taken the recorded calls:
//! alerts, calls, scores and exports, against the recordings' expected alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use crate::harness::Process;
use crate::shapes::declarations;
use calamine::{Data, Reader as _, Xlsx};
use chrono::DateTime;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;
use tingjian::engine::privacy;

/// Calls close soon, yet long after all of them was sent; one of the recordings has
/// no end. The rest is for scores.
const CONFIG: &str = "call_linger_ms = 3000\ncall_idle_ms = 6000\nshadow_packs = [\"timing\"]\n[score]\npack_caps = { forbidden = 3 }\nveto_packs = [\"closing\"]\n";

/// Longer than any step takes; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(180);

/// A server process, and what it works on.
struct Server {
    _process: Process,
    /// With the scheme.
    address: String,
    client: Client<HttpConnector, Full<Bytes>>,
    directory: TempDir,
}

impl Server {
    fn start() -> Self {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("config.toml"), CONFIG).unwrap();
        let mut command = Process::serve();
        command.args(["--config", "config.toml", "--data", "data"]).current_dir(directory.path());
        let client = Client::builder(TokioExecutor::new()).build_http();
        let process = Process::start(&mut command);
        Self { address: format!("http://{}", process.address), _process: process, client, directory }
    }

    /// A server that has taken all recorded calls, and closed them.
    async fn with_recordings() -> Self {
        let server = Self::start();
        for path in recordings("jsonl") {
            server.post(&fs::read_to_string(path).unwrap()).await;
        }
        server.closed().await;
        server
    }

    /// Returns when no call is in progress.
    async fn closed(&self) {
        let closing = async { while self.json("/v1/calls?live=true").await["calls"] != json!([]) {} };
        tokio::time::timeout(PATIENCE, closing).await.expect("the calls are closed");
    }

    async fn request(&self, method: &str, target: &str, body: &str) -> (u16, Bytes) {
        let request = Request::builder().method(method).uri(format!("{}{target}", self.address));
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
        let response = self.client.request(request).await.unwrap();
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.unwrap().to_bytes())
    }

    async fn post(&self, events: &str) {
        let (status, body) = self.request("POST", "/v1/events", events).await;
        assert_eq!(status, 200, "{body:?}");
    }

    async fn get(&self, target: &str) -> (u16, Bytes) {
        self.request("GET", target, "").await
    }

    async fn json(&self, target: &str) -> Value {
        let (status, body) = self.get(target).await;
        assert_eq!(status, 200, "{target}: {body:?}");
        serde_json::from_slice(&body).unwrap()
    }

    /// All pages of a list.
    async fn all(&self, target: &str, list: &str) -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = match &cursor {
                Some(cursor) => self.json(&format!("{target}&cursor={cursor}")).await,
                None => self.json(target).await,
            };
            all.extend(page[list].as_array().unwrap().clone());
            assert!(all.len() < 1_000, "the pages come to an end");
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return all;
            }
        }
    }

    fn export(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tingjian"))
            .arg("export")
            .args(arguments)
            .current_dir(self.directory.path())
            .output()
            .unwrap()
    }
}

/// The recorded calls, or what is expected of them (`expected.jsonl`).
fn recordings(ending: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/calls");
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.retain(|path| path.file_name().unwrap().to_str().unwrap().split_once('.').unwrap().1 == ending);
    paths
}

/// The expected alerts as they stand in the end, by call and id. What was shown and is held now, and
/// so taken back, is in no list.
async fn expected(server: &Server) -> BTreeMap<(String, String), Value> {
    let held = server.json("/v1/alerts?limit=1000&held=true").await;
    let held = held["alerts"].as_array().unwrap().clone();
    let is_held = |id: &str| held.iter().any(|alert| alert["display"] == "held" && alert["alert_id"] == id);
    let mut alerts = BTreeMap::new();
    for path in recordings("expected.jsonl") {
        for line in fs::read_to_string(path).unwrap().lines() {
            let alert: Value = serde_json::from_str(line).unwrap();
            alerts.insert((string(&alert["call_id"]), string(&alert["alert_id"])), alert);
        }
    }
    alerts.retain(|(_, id), _| !is_held(id));
    alerts
}

/// Events as those see them who were not in the call: what one speaker says is
/// masked as one text.
fn mask(events: &mut [Value]) {
    for role in ["agent", "customer"] {
        let said: Vec<usize> = (0..events.len()).filter(|index| events[*index]["role"] == role).collect();
        let texts: Vec<String> = said.iter().map(|index| string(&events[*index]["text"])).collect();
        let masked = privacy::mask_all(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        for (index, text) in said.iter().zip(masked.unwrap_or(texts)) {
            events[*index]["text"] = json!(text);
        }
    }
}

fn string(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn ms(time: &str) -> i64 {
    DateTime::parse_from_rfc3339(time).unwrap().timestamp_millis()
}

#[tokio::test]
async fn alerts_stand_as_in_the_recordings_and_filters_choose_among_them() {
    let server = Server::with_recordings().await;
    let whole = server.json("/v1/alerts?limit=1000").await;
    assert_eq!((&whole["next_cursor"], &whole["utc_offset"]), (&Value::Null, &json!("+08:00")));
    let whole = whole["alerts"].as_array().unwrap().clone();
    let expected = expected(&server).await;
    assert!(expected.len() > 30);
    assert_eq!(whole.len(), expected.len());
    let started: BTreeMap<String, i64> = recordings("jsonl")
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let start: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
            (string(&start["call_id"]), ms(start["started_at"].as_str().unwrap()))
        })
        .collect();
    for alert in &whole {
        let known = &expected[&(string(&alert["call_id"]), string(&alert["alert_id"]))];
        for (field, value) in known.as_object().unwrap() {
            // Live, the clock runs on while the producer is silent.
            if field != "emitted_at" {
                assert_eq!(&alert[field], value, "{field} of {alert}");
            }
        }
        assert_eq!(alert["history"].as_array().unwrap().last(), Some(&alert["state"]));
        assert_eq!(alert["display"] == "shadow", alert["pack"] == "timing", "{alert}");
    }
    let said = |alert: &Value| started[alert["call_id"].as_str().unwrap()] + alert["at_ms"].as_i64().unwrap();
    let times: Vec<i64> = whole.iter().map(said).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");

    // Pages of every size fit together.
    for limit in [1, 7, whole.len(), 1000] {
        assert_eq!(server.all(&format!("/v1/alerts?limit={limit}"), "alerts").await, whole, "{limit}");
    }
    type Wanted = Box<dyn Fn(&Value) -> bool>;
    let field = |name: &'static str, values: &'static [&'static str]| -> Wanted {
        Box::new(move |alert| values.contains(&alert[name].as_str().unwrap()))
    };
    let within = |from: &str, to: &str| -> Wanted {
        let (started, from, to) = (started.clone(), ms(from), ms(to));
        Box::new(move |alert| {
            let said = started[alert["call_id"].as_str().unwrap()] + alert["at_ms"].as_i64().unwrap();
            (from..to).contains(&said)
        })
    };
    let day = || within("2026-11-19T00:00:00+08:00", "2026-11-20T00:00:00+08:00");
    let cases: Vec<(&str, Wanted)> = vec![
        ("agent_id=a1003", field("agent_id", &["a1003"])),
        ("call_id=blind-transfer", field("call_id", &["blind-transfer"])),
        ("rule_id=complaint.apologise", field("rule_id", &["complaint.apologise"])),
        ("severity=critical", field("severity", &["critical"])),
        ("severity=critical,info", field("severity", &["critical", "info"])),
        ("state=retracted,resolved", field("state", &["retracted", "resolved"])),
        ("from=2026-11-19&to=2026-11-19", day()),
        ("from=2026-11-18T16:00:00Z&to=2026-11-20T00:00:00%2B08:00", day()),
        ("from=2026-11-19T00:00:00+08:00&to=2026-11-20T00:00:00+08:00", day()),
        ("agent_id=nobody", field("agent_id", &[])),
    ];
    for (query, wanted) in cases {
        let expected: Vec<&Value> = whole.iter().filter(|alert| wanted(alert)).collect();
        assert_eq!(query.contains("nobody"), expected.is_empty(), "{query} must tell something");
        let found = server.all(&format!("/v1/alerts?limit=2&{query}"), "alerts").await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
    }
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_with_the_field_and_what_is_allowed() {
    let server = Server::start();
    for day in ["18", "19"] {
        let start = json!({"type": "call.start", "call_id": day, "agent_id": "a7", "started_at": format!("2026-11-{day}T10:00:00+08:00")});
        server.post(&start.to_string()).await;
    }
    let cursor = string(&server.json("/v1/calls?limit=1").await["next_cursor"]);
    let of_calls = format!("/v1/calls?limit=1&agent_id=a7&cursor={cursor}");
    let of_alerts = format!("/v1/alerts?limit=1&cursor={cursor}");
    let long = format!("/v1/alerts?agent_id={}", "x".repeat(300));
    let cases = [
        ("/v1/alerts?agent=a7", "agent", "known are: from, to, agent_id"),
        ("/v1/alerts?agentid=a7", "agentid", "did you mean agent_id"),
        ("/v1/alerts?live=true", "live", "known are"),
        ("/v1/alerts?from=2026-11-19&from=2026-11-20", "from", "once only"),
        ("/v1/alerts?from=yesterday", "from", "2026-11-21T10:00:00+08:00"),
        ("/v1/alerts?from=2026-11-31", "from", "2026-11-21"),
        ("/v1/alerts?from=2026-11-19T10:00:00", "from", "the offset is missing"),
        ("/v1/alerts?from=2026-11-19&to=2026-11-18", "to", "later than from"),
        ("/v1/alerts?agent_id=", "agent_id", "must not be empty"),
        (&long, "agent_id", "at most"),
        ("/v1/alerts?severity=high", "severity", "info, warning, critical"),
        ("/v1/alerts?severity=info,", "severity", "info, warning, critical"),
        ("/v1/alerts?state=open", "state", "provisional, confirmed, retracted, reminder, resolved"),
        ("/v1/alerts?limit=0", "limit", "1 to 1000"),
        ("/v1/alerts?limit=1001", "limit", "1 to 1000"),
        ("/v1/alerts?limit=many", "limit", "1 to 1000"),
        ("/v1/alerts?cursor=abc", "cursor", "next_cursor"),
        (&of_calls, "cursor", "of another query"),
        (&of_alerts, "cursor", "of another query"),
        ("/v1/calls?cursor=MS4yLjMuNA", "cursor", "of other data"),
        ("/v1/calls?live=yes", "live", "true, false"),
        ("/v1/calls/18?started_at=2026-11-18", "started_at", "2026-11-21"),
        ("/v1/calls/18?limit=1", "limit", "known are: started_at"),
        ("/v1/scores?group=week", "group", "agent, team, queue, day"),
        ("/v1/scores?live=true", "live", "known are: group"),
        ("/v1/export?format=xls", "format", "csv, xlsx, jsonl, parquet"),
        ("/v1/export?limit=5", "limit", "known are: format"),
    ];
    for (target, field, allowed) in cases {
        let (status, body) = server.get(target).await;
        let fault: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(status, 400, "{target}: {fault}");
        assert_eq!((&fault["code"], &fault["field"]), (&json!("invalid_query"), &json!(field)), "{target}");
        assert!(fault["message"].as_str().unwrap().contains(allowed), "{target}: {fault}");
    }
    for (target, code) in
        [("/v1/calls/20", "no_such_call"), ("/v1/calls/18?started_at=2026-11-18T10:00:01Z", "no_such_call")]
    {
        let (status, body) = server.get(target).await;
        let fault: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((status, &fault["code"]), (404, &json!(code)), "{target}");
    }
}

#[tokio::test]
async fn calls_show_what_was_said_and_score_what_was_confirmed() {
    let server = Server::with_recordings().await;
    let calls = server.all("/v1/calls?limit=5", "calls").await;
    assert_eq!(calls.len(), recordings("jsonl").len());
    let mut by_team: BTreeMap<String, u64> = BTreeMap::new();
    let mut vetoed = 0;
    for (call, path) in calls.iter().map(|call| (call, string(&call["call_id"]))) {
        let detail = server.json(&format!("/v1/calls/{path}")).await;
        for (field, value) in call.as_object().unwrap() {
            assert_eq!(&detail[field], value, "{field}");
        }
        let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/calls/{path}.jsonl"));
        let recorded: Vec<Value> =
            fs::read_to_string(recorded).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let finals: BTreeSet<String> = recorded
            .iter()
            .filter(|event| event["final"] == true)
            .map(|event| string(&event["utterance_id"]))
            .collect();
        // Hypotheses stay only where no final came, the last of each.
        let mut kept: Vec<Value> = Vec::new();
        for event in &recorded {
            let id = &event["utterance_id"];
            if event["final"] == false {
                kept.retain(|kept| kept["final"] != false || &kept["utterance_id"] != id);
            }
            if event["final"] != false || !finals.contains(id.as_str().unwrap()) {
                kept.push(event.clone());
            }
        }
        mask(&mut kept);
        let events = detail["events"].as_array().unwrap();
        assert_eq!(events[0]["type"], "call.start");
        let lacking: Vec<_> = kept.iter().filter(|event| !events.contains(event)).collect();
        let strange: Vec<_> = events.iter().filter(|event| !kept.contains(event)).collect();
        assert!(lacking.is_empty() && strange.is_empty(), "{path}: {lacking:?} {strange:?}");
        assert_eq!(events.len(), kept.len(), "{path}");

        // The score by hand, from the alerts.
        let alerts = detail["alerts"].as_array().unwrap();
        let mut packs: BTreeMap<&str, u64> = BTreeMap::new();
        let counting = alerts.iter().filter(|alert| alert["state"] == "confirmed" && alert["pack"] != "timing");
        for alert in counting.clone() {
            *packs.entry(alert["pack"].as_str().unwrap()).or_default() += alert["deduct"].as_u64().unwrap();
        }
        let is_vetoed = packs.contains_key("closing");
        let deducted: u64 =
            packs.iter().map(|(pack, sum)| if *pack == "forbidden" { *sum.min(&3) } else { *sum }).sum();
        let score = if is_vetoed { 0 } else { 100 - deducted };
        assert_eq!((&call["score"], &call["confirmed"]), (&json!(score), &json!(counting.count())), "{detail}");
        assert_eq!(detail["scoring"]["score"], score);
        vetoed += u64::from(is_vetoed);
        by_team.insert(string(&call["queue"]), score);
        for alert in alerts {
            let states: Vec<&Value> =
                alert["transitions"].as_array().unwrap().iter().map(|transition| &transition["state"]).collect();
            assert_eq!(states, alert["history"].as_array().unwrap().iter().collect::<Vec<_>>());
        }
    }
    assert!(vetoed > 0 && vetoed < calls.len() as u64);
    // Every recorded call has a queue of its own.
    let teams = server.json("/v1/scores?group=team").await;
    let found: BTreeMap<String, u64> = teams["scores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|team| (string(&team["key"]), team["min"].as_u64().unwrap()))
        .collect();
    assert_eq!(found, by_team);
    let days = server.json("/v1/scores?group=day&from=2026-11-18&to=2026-11-19").await;
    let keys: Vec<&Value> = days["scores"].as_array().unwrap().iter().map(|day| &day["key"]).collect();
    assert_eq!(keys, ["2026-11-18", "2026-11-19"]);
    assert_eq!(days["scores"][1]["calls"], 3);
    assert_eq!(server.json("/v1/scores").await["group"], "agent");
    assert_eq!(server.json("/v1/calls?queue=broadband").await["calls"].as_array().unwrap().len(), 1);
}

/// A transferred call counts for each agent with what that agent did.
#[tokio::test]
async fn live_calls_transfers_and_ids_used_again() {
    let server = Server::start();
    let start = |started_at: &str, seq: u64| {
        json!({"type": "call.start", "call_id": "c1", "seq": seq, "agent_id": "a7", "queue": "q", "started_at": started_at, "customer_name": "13800138000"}).to_string()
    };
    let say = |seq: u64, id: &str, text: &str, is_final: bool| {
        json!({"type": "utterance", "call_id": "c1", "seq": seq, "utterance_id": id, "role": "agent", "text": text, "start_ms": seq * 1000, "end_ms": seq * 1000 + 900, "final": is_final}).to_string()
    };
    let event = |seq: u64, fields: Value| {
        let mut event = json!({"call_id": "c1", "seq": seq, "at_ms": seq * 1000});
        event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        event.to_string()
    };
    let first = [
        start("2026-11-20T10:00:00+08:00", 1),
        event(2, json!({"type": "call.transfer", "to": "a8"})),
        event(3, json!({"type": "call.transfer_answered", "agent_id": "a8"})),
        say(4, "u1", "这个我不知道", true),
        say(5, "u2", "您的电话是13800138000", true),
        event(9, json!({"type": "call.end", "by": "customer"})),
    ];
    server.post(&first.join("\n")).await;
    server.closed().await;
    let scores = server.json("/v1/scores?group=agent").await["scores"].clone();
    assert_eq!((&scores[1]["key"], &scores[1]["calls"]), (&json!("a8"), &json!(1)), "{scores}");
    let alerts = server.json("/v1/alerts?agent_id=a8&rule_id=forbidden.dont-know").await;
    assert_eq!(alerts["alerts"].as_array().unwrap().len(), 1, "{alerts}");

    server
        .post(&[start("2026-11-21T10:00:00+08:00", 1), say(2, "u1", "我的手机13800138000这个我不", false)].join("\n"))
        .await;
    let live = server.json("/v1/calls/c1").await;
    assert_eq!((&live["live"], &live["started_at"]), (&json!(true), &json!("2026-11-21T10:00:00+08:00")));
    assert_eq!(live["hypotheses"][0]["text"], "我的手机138****8000这个我不");
    let earlier = server.json("/v1/calls/c1?started_at=2026-11-20T10:00:00%2B08:00").await;
    assert_eq!((&earlier["live"], earlier["events"].as_array().unwrap().len()), (&json!(false), first.len()));
    // No number of a person leaves the server.
    for target in
        ["/v1/calls/c1", "/v1/calls/c1?started_at=2026-11-20T10:00:00%2B08:00", "/v1/alerts", "/v1/export?format=jsonl"]
    {
        let (_, body) = server.get(target).await;
        assert!(!String::from_utf8_lossy(&body).contains("13800138000"), "{target}");
    }
}

#[tokio::test]
async fn an_export_is_the_same_from_everywhere_and_as_much_as_was_counted() {
    let server = Server::with_recordings().await;
    let expected = expected(&server).await;
    for format in ["csv", "xlsx", "jsonl", "parquet"] {
        for filter in [&[][..], &["--from", "2026-11-19T12:00:00+08:00", "--state", "confirmed,retracted"]] {
            let query =
                if filter.is_empty() { "" } else { "&from=2026-11-19T12:00:00%2B08:00&state=confirmed,retracted" };
            let (status, served) = server.get(&format!("/v1/export?format={format}{query}")).await;
            assert_eq!(status, 200);
            let (data, fetched) = (format!("data.{format}"), format!("fetched.{format}"));
            for (file, source) in [(&data, ["--data", "data"]), (&fetched, ["--server", server.address.as_str()])] {
                let written = server.export(&[&source[..], &["--output", file], filter].concat());
                assert!(written.status.success() && written.stderr.is_empty(), "{written:?}");
                assert!(fs::read(server.directory.path().join(file)).unwrap() == served, "{file} {filter:?}");
            }
        }
    }
    // Read back by what others read with.
    let (_, csv_file) = server.get("/v1/export?format=csv").await;
    let text = std::str::from_utf8(&csv_file).unwrap().strip_prefix('\u{feff}').unwrap();
    assert!(text.lines().count() > expected.len() && text.split("\r\n").count() == expected.len() + 2);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let columns: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let from_csv: Vec<Vec<String>> =
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    let (_, jsonl) = server.get("/v1/export?format=jsonl").await;
    let from_jsonl: Vec<Value> = jsonl
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!((from_csv.len(), from_jsonl.len()), (expected.len(), expected.len()));
    let (_, xlsx) = server.get("/v1/export?format=xlsx").await;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(xlsx.to_vec())).unwrap();
    assert_eq!(book.sheet_names(), ["汇总", "规则质量", "预警"]);
    let sheet = book.worksheet_range("预警").unwrap();
    assert_eq!(sheet.height(), expected.len() + 1);
    for (index, (line, object)) in from_csv.iter().zip(&from_jsonl).enumerate() {
        let known = &expected[&(string(&object["call_id"]), string(&object["alert_id"]))];
        for field in ["state", "agent_id", "rule_id", "severity", "kind", "deduct", "message", "at_ms"] {
            assert_eq!(object[field], known[field], "{field}");
        }
        for (place, column) in columns.iter().enumerate() {
            let plain = match &object[column] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(line[place], plain, "{column} of row {index}");
            match &sheet[(index + 1, place)] {
                Data::Empty => assert_eq!(plain, "", "{column}"),
                Data::String(text) => assert_eq!(*text, plain, "{column}"),
                Data::Float(number) => assert_eq!(number.to_string(), plain, "{column}"),
                Data::DateTime(time) => {
                    let told = ((time.as_f64() - 25_569.0) * 86_400_000.0).round() as i64;
                    assert!((told - 8 * 3_600_000 - ms(&plain)).abs() <= 1, "{time} {plain}");
                }
                other => panic!("{column}: {other:?}"),
            }
        }
    }
    // Every transition that was counted is in an exported history, and no other.
    let mut exported: BTreeMap<[String; 3], u64> = BTreeMap::new();
    for object in &from_jsonl {
        for state in object["history"].as_str().unwrap().split(' ') {
            let key = [string(&object["rule_id"]), state.to_owned(), string(&object["display"])];
            *exported.entry(key).or_default() += 1;
        }
    }
    let (_, metrics) = server.get("/metrics").await;
    let label = |line: &str, name: &str| {
        line.split_once(&format!("{name}=\"")).unwrap().1.split('"').next().unwrap().to_owned()
    };
    let counted: BTreeMap<[String; 3], u64> = std::str::from_utf8(&metrics)
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("tingjian_alerts_total{") && !line.contains("display=\"held\""))
        .map(|line| {
            let count = line.rsplit_once(' ').unwrap().1.parse().unwrap();
            (["rule", "state", "display"].map(|name| label(line, name)), count)
        })
        .collect();
    // What was shown and is held now is counted, but in no export.
    for (key, count) in &exported {
        assert!(counted.get(key).is_some_and(|all| all >= count), "{key:?}: {count} of {counted:?}");
    }
    assert_eq!(exported.len(), counted.keys().filter(|key| exported.contains_key(*key)).count());
    let summary = book.worksheet_range("汇总").unwrap();
    let total = summary.rows().next_back().unwrap();
    assert_eq!((&total[0], &total[3]), (&Data::String("合计".to_owned()), &Data::Float(expected.len() as f64)));
    let counted: f64 =
        from_jsonl.iter().filter(|line| line["counts"] == 1).map(|line| line["deduct"].as_f64().unwrap()).sum();
    let confirmed = from_jsonl.iter().filter(|line| line["state"] == "confirmed");
    let all: f64 = confirmed.map(|line| line["deduct"].as_f64().unwrap()).sum();
    assert!(counted < all, "a pack on trial deducts nothing");
    assert_eq!(total[5], Data::Float(counted));
}

#[tokio::test]
async fn an_export_that_fails_leaves_everything_as_it_was() {
    let server = Server::start();
    let directory = server.directory.path();
    fs::write(directory.join("old.csv"), "before").unwrap();
    let unreachable = ["--server", "http://127.0.0.1:1", "--output", "old.csv"];
    let cases: [(&[&str], &str); 6] = [
        (&["--data", "data", "--output", "old.csv", "--state", "open"], "provisional, confirmed"),
        (&["--data", "data", "--output", "old.csv", "--from", "x"], "2026-11-21"),
        (&["--server", &server.address, "--output", "old.csv", "--rule-id", ""], "must not be empty"),
        (&["--data", "nowhere", "--output", "old.csv"], "no data here"),
        (&unreachable, "cannot export from the server"),
        (&["--data", "data", "--output", "missing/new.csv"], "cannot be written"),
    ];
    for (arguments, message) in cases {
        let output = server.export(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains(message), "{arguments:?}");
    }
    assert_eq!(fs::read_to_string(directory.join("old.csv")).unwrap(), "before");
    let mut left: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["config.toml", "data", "old.csv"]);
    // Nothing found is a whole file, too.
    for format in ["csv", "xlsx", "jsonl", "parquet"] {
        let output = server.export(&["--data", "data", "--output", "-", "--format", format]);
        let (_, served) = server.get(&format!("/v1/export?format={format}")).await;
        assert!(output.status.success() && output.stdout == served, "{format}");
    }
}

#[tokio::test]
async fn the_description_has_what_the_server_answers() {
    let server = Server::start();
    let description = server.json("/v1/openapi.json").await;
    assert_eq!(description["openapi"].as_str().unwrap().split('.').next(), Some("3"));
    for (path, operations) in description["paths"].as_object().unwrap() {
        let examples = [
            ("{agent_id}", "a7"),
            ("{call_id}", "c1"),
            ("{format}", "funasr?role=agent"),
            ("{folder}", "shared"),
            ("{name}", "api.js"),
            ("{language}", "zh"),
            ("{page}", "start"),
        ];
        let target = examples.iter().fold(path.clone(), |target, (name, example)| target.replace(name, example));
        for method in ["get", "post", "put", "delete"] {
            let (status, body) = server.request(&method.to_uppercase(), &target, "").await;
            let is_described = operations.get(method).is_some();
            assert_eq!(status == 405, !is_described, "{method} {path}");
            if is_described {
                assert!(operations[method]["responses"].get(status.to_string()).is_some(), "{method} {path}: {status}");
            }
            assert!(!String::from_utf8_lossy(&body).contains("\"not_found\""), "{path}");
        }
    }
}

#[tokio::test]
async fn the_shapes_of_pages_are_those_of_the_description() {
    let server = Server::start();
    let declared = declarations(&server.json("/v1/openapi.json").await);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/shapes.d.ts");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&path, &declared).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == declared, "web/shapes.d.ts is out of date: UPDATE_EXPECTED=1 cargo test --test server shapes");
}

//! Events and recognisers' messages out of real brokers: each counts once, whatever comes again and whatever goes.

use std::path::Path;
use std::time::Duration;

use async_nats::jetstream::{self, stream};
use async_nats::{Client, ConnectOptions, HeaderMap};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Bytes;

use crate::harness::{Broker, PATIENCE, Place, Process, Server, Socket, next, request, start, tell};

/// Waits until `/metrics` has a line.
async fn shows(address: std::net::SocketAddr, line: &str) {
    let looking = async {
        while !request(address, "GET", "/metrics", "").await.1.lines().any(|found| found == line) {
            tokio::task::yield_now().await;
        }
    };
    if tokio::time::timeout(PATIENCE, looking).await.is_err() {
        panic!("{line} is not in\n{}", request(address, "GET", "/metrics", "").await.1);
    }
}

fn result(source: &str, result: &str, count: u64) -> String {
    format!("tingjian_consume_messages_total{{result=\"{result}\",source=\"{source}\"}} {count}")
}

fn connected(source: &str, is_up: u8) -> String {
    format!("tingjian_consume_connected{{source=\"{source}\"}} {is_up}")
}

/// The words of a call, in the order in which they were said, with their roles.
async fn words(address: std::net::SocketAddr, call_id: &str) -> Vec<(String, String)> {
    let (status, call) = request(address, "GET", &format!("/v1/calls/{call_id}"), "").await;
    assert_eq!(status, 200, "{call}");
    let call: Value = serde_json::from_str(&call).unwrap();
    let text = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
    let said = call["events"].as_array().unwrap().iter().filter(|event| event["type"] == "utterance");
    said.map(|event| (text(event, "role"), text(event, "text"))).collect()
}

fn heard(role: &str, text: &str) -> (String, String) {
    (role.to_owned(), text.to_owned())
}

async fn alert(agent: &mut Socket) -> Value {
    loop {
        let message = next(agent).await;
        if message["type"] == "alert" {
            return message;
        }
    }
}

/// An event without a number, as most that come out of a bus.
fn event(kind: &str, call_id: &str, mut rest: Value) -> String {
    rest["type"] = kind.into();
    rest["call_id"] = call_id.into();
    rest.to_string()
}

fn says(call_id: &str, number: u64, text: &str) -> String {
    let times = json!({"utterance_id": format!("u{number}"), "role": "agent", "text": text, "final": true,
        "start_ms": 1_000 * number, "end_ms": 1_000 * number + 900});
    event("utterance", call_id, times)
}

fn answered(call_id: &str) -> String {
    event("call.start", call_id, json!({"agent_id": "a7", "started_at": "2026-11-21T10:00:00+08:00"}))
}

async fn client(port: u16) -> Client {
    async_nats::connect(format!("nats://127.0.0.1:{port}")).await.unwrap()
}

/// A stream of that name with all subjects that begin with its name in small letters.
async fn stream(client: &Client, name: &str) -> jetstream::Context {
    let context = jetstream::new(client.clone());
    let subjects = vec![format!("{}.>", name.to_lowercase())];
    let config = stream::Config { name: name.to_owned(), subjects, ..stream::Config::default() };
    context.get_or_create_stream(config).await.unwrap();
    context
}

async fn publish(context: &jetstream::Context, subject: &'static str, text: impl Into<Bytes>) {
    context.publish(subject, text.into()).await.unwrap().await.unwrap();
}

#[tokio::test]
async fn a_stream_is_taken_once_though_it_comes_again_and_poison_stops_nothing() {
    let data = TempDir::new().unwrap();
    let broker = Broker::nats(data.path(), None, &[]);
    let context = stream(&client(broker.port).await, "CALLS").await;
    let config = format!(
        "[[consume]]\nname = \"calls\"\nurl = \"nats://127.0.0.1:{}\"\nstream = \"CALLS\"\nfrom = \"all\"\n",
        broker.port
    );
    // What was sent before the server began is there, too.
    publish(&context, "calls.c1", answered("c1")).await;
    publish(&context, "calls.c1", "{no json").await;
    publish(&context, "calls.c1", vec![0xff, 0xfe]).await;
    publish(&context, "calls.c1", says("none", 1, "这个不知道")).await;
    publish(&context, "calls.c1", event("utterance", "c1", json!({"utterance_id": "u9"}))).await;
    publish(&context, "calls.c1", "x".repeat(70_000)).await;
    let server = Server::start(&config).await;
    let mut agent = server.connect("/v1/agents/a7/alerts").await;
    publish(&context, "calls.c1", says("c1", 1, "这个不知道")).await;
    assert_eq!(alert(&mut agent).await["rule_id"], "test.warning");
    shows(server.address, &result("calls", "refused", 5)).await;
    shows(server.address, &result("calls", "taken", 2)).await;
    // The server has told JetStream of each.
    let stream = context.get_stream("CALLS").await.unwrap();
    let mut consumer = stream.get_consumer::<jetstream::consumer::pull::Config>("tingjian-calls").await.unwrap();
    let settled = async { while consumer.info().await.unwrap().num_ack_pending > 0 {} };
    tokio::time::timeout(PATIENCE, settled).await.expect("all are done with");
    // Without its consumer everything comes again, under the same numbers.
    stream.delete_consumer("tingjian-calls").await.unwrap();
    shows(server.address, &result("calls", "refused", 10)).await;
    shows(server.address, &result("calls", "taken", 4)).await;
    publish(&context, "calls.c1", says("c1", 2, "那个不清楚")).await;
    assert_eq!(alert(&mut agent).await["rule_id"], "test.critical");
    let kept = [heard("agent", "这个不知道"), heard("agent", "那个不清楚")];
    assert_eq!(words(server.address, "c1").await, kept);
    assert_eq!(server.ask::<i64>("SELECT count(*) FROM calls"), 1);
    assert_eq!(server.ask::<i64>("SELECT count(*) FROM latest_alerts"), 2);
    server.stop().await;
}

#[tokio::test]
async fn a_recognisers_messages_find_their_call_and_count_once() {
    let data = TempDir::new().unwrap();
    let broker = Broker::nats(data.path(), None, &[]);
    let client = client(broker.port).await;
    let context = stream(&client, "ASR").await;
    let url = format!("url = \"nats://127.0.0.1:{}\"\n", broker.port);
    let config = [
        "[[consume]]\nname = \"stream\"\nstream = \"ASR\"\nfrom = \"all\"\nformat = \"vosk\"\n\
         call_id = \"subject:2\"\nrole = \"subject:3\"\nagent_id = \"a7\"\n",
        "[[consume]]\nname = \"plain\"\nsubject = \"plain\"\nformat = \"vosk\"\n\
         call_id = \"header:Call-Id\"\nrole = \"field:leg.role\"\n",
    ]
    .map(|entry| format!("{entry}{url}"))
    .concat();
    let server = Server::start(&config).await;
    for source in ["stream", "plain"] {
        shows(server.address, &connected(source, 1)).await;
    }
    let mut agent = server.connect("/v1/agents/a7/alerts").await;
    let final_of = |text: &str| json!({"text": text}).to_string();
    for (subject, text) in [
        ("asr.c1.agent", "您好"),
        ("asr.c1.customer", "我要投诉"),
        ("asr.c1.agent", "这个不知道"),
        ("asr.c1.nobody", "没有这样的角色"),
        ("asr.c1.agent", "那个不清楚"),
    ] {
        publish(&context, subject, final_of(text)).await;
    }
    publish(&context, "asr.c1.agent", "{}").await;
    let told = [alert(&mut agent).await, alert(&mut agent).await];
    assert_eq!(told.map(|alert| alert["rule_id"].as_str().unwrap().to_owned()), ["test.warning", "test.critical"]);
    shows(server.address, &result("stream", "taken", 4)).await;
    shows(server.address, &result("stream", "refused", 2)).await;
    let mut said = words(server.address, "c1").await;
    said.sort();
    let mut expected = ["您好", "这个不知道", "那个不清楚"].map(|text| heard("agent", text)).to_vec();
    expected.push(heard("customer", "我要投诉"));
    expected.sort();
    assert_eq!(said, expected);
    // All of it again: the legs are new, the numbers are not.
    context.get_stream("ASR").await.unwrap().delete_consumer("tingjian-stream").await.unwrap();
    shows(server.address, &result("stream", "taken", 8)).await;
    let mut again = words(server.address, "c1").await;
    again.sort();
    assert_eq!(again, expected);

    // A call of its own, which begins elsewhere.
    let mut producer = server.connect("/v1/ingest").await;
    tell(&mut producer, start("c2")).await;
    let say = async |call_id: &str, message: Value| {
        let headers = HeaderMap::from_iter([("Call-Id".parse().unwrap(), call_id.parse().unwrap())]);
        client.publish_with_headers("plain", headers, message.to_string().into()).await.unwrap();
    };
    say("c2", json!({"text": "这个不知道", "leg": {"role": "agent"}})).await;
    say("c2", json!({"text": "谁知道", "leg": {}})).await;
    say("c2", json!({"text": "我知道", "leg": {"role": "customer"}})).await;
    assert_eq!(alert(&mut agent).await["call_id"], "c2");
    shows(server.address, &result("plain", "taken", 2)).await;
    shows(server.address, &result("plain", "refused", 1)).await;
    server.stop().await;
}

#[tokio::test]
async fn a_bus_that_is_not_there_or_goes_is_waited_for() {
    let data = TempDir::new().unwrap();
    let port = Broker::nats(data.path(), None, &[]).port;
    let config = format!(
        "[[consume]]\nname = \"late\"\nurl = \"nats://127.0.0.1:{port}\"\nstream = \"LATE\"\nfrom = \"all\"\n\
         [[consume]]\nname = \"plain\"\nurl = \"nats://127.0.0.1:{port}\"\nsubject = \"plain\"\n"
    );
    let server = Server::start(&config).await;
    assert_eq!(server.get("/readyz").await.0, 200);
    for source in ["late", "plain"] {
        shows(server.address, &connected(source, 0)).await;
    }
    let mut agent = server.connect("/v1/agents/a7/alerts").await;
    for call_id in ["c1", "c2"] {
        let broker = Broker::nats(data.path(), Some(port), &[]);
        let client = client(port).await;
        let context = stream(&client, "LATE").await;
        for source in ["late", "plain"] {
            shows(server.address, &connected(source, 1)).await;
        }
        publish(&context, "late.x", answered(call_id)).await;
        publish(&context, "late.x", says(call_id, 1, "这个不知道")).await;
        assert_eq!(alert(&mut agent).await["call_id"], call_id);
        client.publish("plain", says(call_id, 2, "那个不清楚").into()).await.unwrap();
        assert_eq!(alert(&mut agent).await["rule_id"], "test.critical");
        drop(broker);
        for source in ["late", "plain"] {
            shows(server.address, &connected(source, 0)).await;
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn credentials_and_certificates_are_those_of_the_configuration() {
    let data = TempDir::new().unwrap();
    let path = |name: &str| data.path().join(name).display().to_string();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(path("cert.pem"), cert.pem()).unwrap();
    std::fs::write(path("key.pem"), signing_key.serialize_pem()).unwrap();
    std::fs::write(path("password"), "p1w\n").unwrap();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    let arguments = ["--user", "u", "--pass", "p1w", "--tls", "--tlscert", &cert, "--tlskey", &key];
    let broker = Broker::nats(data.path(), None, &arguments);
    let entry = |name: &str, password: &str, ca: &str| {
        format!(
            "[[consume]]\nname = \"{name}\"\nurl = \"tls://127.0.0.1:{}\"\nsubject = \"calls\"\nuser = \"u\"\n\
             password = {password}\nca = \"{ca}\"\n",
            broker.port
        )
    };
    let file = format!("{{ file = \"{}\" }}", path("password"));
    let other = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(path("other.pem"), other.cert.pem()).unwrap();
    let config =
        [entry("right", &file, &cert), entry("wrong", "\"other\"", &cert), entry("foreign", &file, &path("other.pem"))];
    let server = Server::start(&config.concat()).await;
    shows(server.address, &connected("right", 1)).await;
    for source in ["wrong", "foreign"] {
        shows(server.address, &format!("tingjian_consume_failures_total{{source=\"{source}\"}} 1")).await;
        shows(server.address, &connected(source, 0)).await;
    }
    let options = ConnectOptions::with_user_and_password("u".to_owned(), "p1w".to_owned());
    let options = options.add_root_certificates(cert.into()).require_tls(true);
    let client = options.connect(format!("127.0.0.1:{}", broker.port)).await.unwrap();
    let mut agent = server.connect("/v1/agents/a7/alerts").await;
    client.publish("calls", answered("c1").into()).await.unwrap();
    client.publish("calls", says("c1", 1, "这个不知道").into()).await.unwrap();
    assert_eq!(alert(&mut agent).await["call_id"], "c1");
    server.stop().await;
}

#[cfg(feature = "kafka")]
mod kafka {
    use std::collections::BTreeMap;

    use chrono::DateTime;
    use rskafka::client::ClientBuilder;
    use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
    use rskafka::record::Record;

    use super::*;

    async fn topic(port: u16, name: &str) -> PartitionClient {
        let client = ClientBuilder::new(vec![format!("127.0.0.1:{port}")]).build().await.unwrap();
        client.controller_client().unwrap().create_topic(name, 1, 1, 5_000).await.unwrap();
        client.partition_client(name, 0, UnknownTopicHandling::Retry).await.unwrap()
    }

    async fn produce(topic: &PartitionClient, key: &str, text: &str, compression: Compression) {
        let record = Record {
            key: Some(key.into()),
            value: Some(text.into()),
            headers: BTreeMap::new(),
            timestamp: DateTime::from_timestamp_millis(1_795_000_000_000).unwrap(),
        };
        topic.produce(vec![record], compression).await.unwrap();
    }

    fn serve(place: &Place, config: &Path) -> Process {
        Process::start(place.serve().arg("--config").arg(config))
    }

    /// The position is kept beside the events: whatever is killed when, each record counts once.
    #[tokio::test]
    async fn a_topic_goes_on_where_it_was_and_nothing_counts_twice() {
        let broker = Broker::kafka();
        let (calls, asr) = (topic(broker.port, "calls").await, topic(broker.port, "asr").await);
        let place = Place::new();
        let config = place.directory.path().join("config.toml");
        let url = format!("url = \"kafka://127.0.0.1:{}\"\nfrom = \"all\"\n", broker.port);
        let entries = format!(
            "[[consume]]\nname = \"calls\"\ntopic = \"calls\"\n{url}\
             [[consume]]\nname = \"asr\"\ntopic = \"asr\"\n{url}format = \"vosk\"\ncall_id = \"key\"\n\
             role = \"customer\"\n"
        );
        std::fs::write(&config, entries).unwrap();
        produce(&calls, "c1", &answered("c1"), Compression::NoCompression).await;
        produce(&calls, "c1", "{no json", Compression::Gzip).await;
        let mut expected = Vec::new();
        for round in 0..3_u64 {
            let mut server = serve(&place, &config);
            let mut agent = server.connect("/v1/agents/a7/alerts").await;
            for number in 0..20_u64 {
                let compression = [Compression::Lz4, Compression::Snappy, Compression::Zstd][number as usize % 3];
                let text = format!("第{round}次的第{number}句");
                produce(&calls, "c1", &says("c1", 100 * round + number, &text), compression).await;
                expected.push(heard("agent", &text));
                let text = format!("客户{round}的{number}");
                produce(&asr, "c1", &json!({"text": text}).to_string(), compression).await;
                expected.push(heard("customer", &text));
            }
            let last = says("c1", 100 * round + 50, "这个我不知道");
            produce(&calls, "c1", &last, Compression::NoCompression).await;
            expected.push(heard("agent", "这个我不知道"));
            let told = loop {
                let told = alert(&mut agent).await;
                if told["at_ms"].as_u64().unwrap() >= 100_000 * round + 50_000 {
                    break told;
                }
            };
            assert_eq!(told["call_id"], "c1");
            // The other topic is at its end, too, or the last of it comes again.
            if round == 2 {
                let all = async {
                    while words(server.address, "c1").await.len() < expected.len() {
                        tokio::task::yield_now().await;
                    }
                };
                tokio::time::timeout(Duration::from_secs(120), all).await.expect("all words are there");
                let mut said = words(server.address, "c1").await;
                said.sort();
                expected.sort();
                assert_eq!(said, expected);
                server.terminate();
                assert!(server.wait().success());
            } else {
                server.kill();
            }
        }
        let store = rusqlite::Connection::open(place.data().join("tingjian.db")).unwrap();
        let position = |topic: &str| {
            store.query_row("SELECT next_offset FROM consumed WHERE topic = ?", [topic], |row| row.get::<_, i64>(0))
        };
        assert_eq!((position("calls").unwrap(), position("asr").unwrap()), (2 + 3 * 21, 3 * 20));
    }
}

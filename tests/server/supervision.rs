//! Supervisors over real sockets: a word to the agent, who has taken a call, the way in, flags, thresholds over all calls.

use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::harness::{Receiver, Server, Socket, connect, next, request, request_as, rules, says, send, tell};

const INGEST: &str = "ingest-0123456789";
const LI: &str = "lijing-0123456789";
const WANG: &str = "wangfang-0123456789";
const AGENT: &str = "agent-0123456789ab";
const STARTED: &str = "2026-11-21T10:00:00+08:00";

fn tokens(more: &str) -> String {
    format!(
        "{more}\n[tokens]\ningest = [\"{INGEST}\"]\nqa = {{ \"李静\" = \"{LI}\", \"王芳\" = \"{WANG}\" }}\nagents = {{ a7 = [\"{AGENT}\"] }}\n"
    )
}

struct Site {
    server: Server,
    producer: Socket,
}

impl Site {
    async fn start(config: &str) -> Self {
        let server = Server::start(&tokens(config)).await;
        let producer = server.connect(&format!("/v1/ingest?token={INGEST}")).await;
        Self { server, producer }
    }

    async fn ask(&self, token: &str, method: &str, target: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, body) = request_as(self.server.address, Some(token), method, target, &body).await;
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    async fn post(&self, token: &str, target: &str, body: Value) -> Value {
        let (status, answer) = self.ask(token, "POST", target, body).await;
        assert!(status < 300, "{target}: {status} {answer}");
        answer
    }

    async fn refused(&self, token: &str, target: &str, body: Value) -> (u16, String) {
        let (status, answer) = self.ask(token, "POST", target, body).await;
        (status, answer["code"].as_str().unwrap_or_default().to_owned())
    }

    async fn wall(&self, token: &str) -> Socket {
        self.server.connect(&format!("/v1/live?token={token}")).await
    }

    async fn begin(&mut self, call_id: &str) {
        let start = json!({"type": "call.start", "call_id": call_id, "seq": 1, "agent_id": "a7", "started_at": STARTED, "queue": "售后"});
        tell(&mut self.producer, start).await;
    }
}

/// The next message of a kind.
async fn until(socket: &mut Socket, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let message = next(socket).await;
        if message["type"] == kind && wanted(&message) {
            return message;
        }
    }
}

/// What a wall is told of the only call that anything was done in.
async fn hand(wall: &mut Socket, wanted: impl Fn(&Value) -> bool) -> Value {
    until(wall, "hands", |message| wanted(&message["hands"][0])).await["hands"][0].clone()
}

#[tokio::test]
async fn a_word_reaches_the_agent_once_it_is_kept_and_stays_with_the_call() {
    let mut site = Site::start("call_linger_ms = 50").await;
    site.begin("c1").await;
    let alerts = format!("/v1/agents/a7/alerts?token={AGENT}");
    let mut agent = site.server.connect(&alerts).await;
    let mut onlooker = site.server.connect(&format!("/v1/agents/a7/alerts?token={WANG}")).await;
    let mut watch = site.server.connect(&format!("/v1/calls/c1/watch?token={WANG}")).await;
    let mut wall = site.wall(WANG).await;
    until(&mut watch, "watching", |_| true).await;
    until(&mut wall, "calls", |frame| frame["calls"][0]["call_id"] == "c1").await;
    let sent = site.post(LI, "/v1/calls/c1/help", json!({"text": " 请先道歉，再回拨13812345678 "})).await;
    assert_eq!((sent["by"].as_str(), sent["text"].as_str()), (Some("李静"), Some("请先道歉，再回拨138****5678")));
    // The agent reads it as it was written, everybody else masked.
    let shown = until(&mut agent, "help", |_| true).await;
    assert_eq!(shown["text"], "请先道歉，再回拨13812345678");
    assert_eq!(
        [&shown["help_id"], &shown["call_id"], &shown["by"], &shown["read_at"]],
        [&sent["help_id"], &json!("c1"), &json!("李静"), &Value::Null]
    );
    assert!(shown.get("cursor").is_none());
    for socket in [&mut onlooker, &mut watch] {
        assert_eq!(until(socket, "help", |_| true).await["text"], "请先道歉，再回拨138****5678");
    }
    assert_eq!(hand(&mut wall, |hand| hand["help"].is_object()).await["help"]["text"], "请先道歉，再回拨138****5678");

    // A second connection, and one by Server-Sent Events, are told what is not read yet; a restart changes nothing.
    let data = site.server.stop().await;
    let (address, stop) = again(&tokens("call_linger_ms = 50"), &data).await;
    let mut agent = connect(address, &alerts).await;
    assert_eq!(until(&mut agent, "help", |_| true).await["help_id"], sent["help_id"]);
    let mut wall = connect(address, &format!("/v1/live?token={WANG}")).await;
    assert_eq!(hand(&mut wall, |_| true).await["help"]["read_at"], Value::Null);
    let post = async |token: &str, target: &str, body: Value| {
        let (status, body) = request_as(address, Some(token), "POST", target, &body.to_string()).await;
        (status, serde_json::from_str::<Value>(&body).unwrap())
    };
    // Only the agent says to have read it.
    let read = json!({"type": "read", "help_id": sent["help_id"]});
    assert_eq!(post(WANG, "/v1/agents/a7/alerts", read.clone()).await.0, 403);
    let (status, answer) = post(AGENT, "/v1/agents/a7/alerts", json!({"type": "read", "help_id": "99"})).await;
    assert_eq!((status, answer["code"].as_str()), (404, Some("unknown_help")));
    send(&mut agent, read).await;
    let noted = until(&mut agent, "noted", |_| true).await;
    assert_eq!([&noted["help_id"], &noted["action"]], [&sent["help_id"], &json!("read")]);
    assert!(hand(&mut wall, |hand| !hand["help"]["read_at"].is_null()).await["help"]["read_at"].is_string());
    let mut later = connect(address, &alerts).await;
    send(&mut later, json!({"type": "nothing"})).await;
    assert_eq!(next(&mut later).await["type"], "error", "what was read is not told again");

    // What cannot be sent.
    for (text, status) in [(json!(""), 400), (json!("长".repeat(201)), 400), (json!("a\u{7}"), 400), (json!(3), 400)] {
        assert_eq!(post(LI, "/v1/calls/c1/help", json!({"text": text})).await.0, status, "{text}");
    }
    assert_eq!(post(LI, "/v1/calls/c1/help", json!({"text": "x", "by": "王芳"})).await.1["code"], "other_person");
    for target in ["/v1/calls/c9/help", "/v1/calls/c1/help?started_at=2026-11-20T10:00:00%2B08:00"] {
        let (status, answer) = post(LI, target, json!({"text": "x"})).await;
        assert_eq!((status, answer["code"].as_str()), (409, Some("not_in_progress")), "{target}");
    }
    let mut producer = connect(address, &format!("/v1/ingest?token={INGEST}")).await;
    tell(&mut producer, json!({"type": "call.end", "call_id": "c1", "seq": 9, "at_ms": 9_000, "by": "customer"})).await;
    let call = loop {
        let (_, body) = request_as(address, Some(LI), "GET", "/v1/calls/c1", "").await;
        let call: Value = serde_json::from_str(&body).unwrap();
        if call["live"] == false {
            break call;
        }
    };
    let kept = &call["supervision"]["help"][0];
    assert_eq!((kept["text"].as_str(), kept["read_at"].is_string()), (Some("请先道歉，再回拨138****5678"), true));
    assert_eq!(post(LI, "/v1/calls/c1/help", json!({"text": "晚了"})).await.1["code"], "not_in_progress");
    drop((agent, later, wall, producer));
    let _ = stop.send(());
}

/// A server on a store that was left.
async fn again(config: &str, data: &tempfile::TempDir) -> (std::net::SocketAddr, oneshot::Sender<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = tingjian::server::Config {
        data: data.path().to_owned(),
        ..tingjian::server::Config::from_toml(config).unwrap()
    };
    let server = tingjian::server::Server::open(config, rules(), address).unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(server.run(listener, async move {
        let _ = stopped.await;
    }));
    (address, stop)
}

#[tokio::test]
async fn words_have_a_pace_end_with_the_call_and_stay_in_the_agent_s_day() {
    let mut site = Site::start("utc_offset = \"+08:00\"").await;
    site.begin("c1").await;
    let help = |text: &str| json!({"text": text});
    for n in 0..6 {
        site.post(LI, "/v1/calls/c1/help", help(&format!("第{n}句\n换行"))).await;
    }
    let (status, refused) = site.ask(LI, "POST", "/v1/calls/c1/help", help("第七句")).await;
    assert_eq!((status, &refused["code"]), (429, &json!("helps_too_fast")), "{refused}");
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("6 句") && message.contains("秒后再写"), "{message}");
    site.post(WANG, "/v1/calls/c1/help", help("我来")).await;

    // Ended, though late words are awaited: nothing reaches the agent any more, but a flag does its work.
    let end = json!({"type": "call.end", "call_id": "c1", "seq": 2, "at_ms": 5_000, "by": "customer"});
    tell(&mut site.producer, end).await;
    for (what, body) in [("help", help("晚了")), ("take", json!({}))] {
        let refused = site.refused(WANG, &format!("/v1/calls/c1/{what}"), body).await;
        assert_eq!(refused, (409, "not_in_progress".to_owned()), "{what}");
    }
    site.post(WANG, "/v1/calls/c1/flags", json!({})).await;

    let (_, day) = site.ask(AGENT, "GET", "/v1/agents/a7/day", Value::Null).await;
    let helps = day["helps"].as_array().unwrap();
    let (first, last) = (&helps[0], &helps[6]);
    assert_eq!((helps.len(), &first["by"], &first["text"]), (7, &json!("李静"), &json!("第0句\n换行")), "{day}");
    assert_eq!((&last["by"], &last["call_id"], &last["read_at"]), (&json!("王芳"), &json!("c1"), &Value::Null));
    let (_, other) = site.ask(AGENT, "GET", "/v1/agents/a7/day?day=2026-11-20", Value::Null).await;
    assert_eq!(other["helps"], json!([]));
}

#[tokio::test]
async fn who_looks_on_is_told_what_the_agent_answered() {
    let mut site = Site::start("").await;
    site.begin("c1").await;
    let mut panel = site.server.connect(&format!("/v1/agents/a7/alerts?token={WANG}")).await;
    let mut watch = site.server.connect(&format!("/v1/calls/c1/watch?token={LI}")).await;
    until(&mut watch, "watching", |_| true).await;
    tell(&mut site.producer, says("c1", 2, "不知道")).await;
    let alert = until(&mut panel, "alert", |alert| alert["state"] == "confirmed").await;
    let answer = json!({"type": "dismiss", "alert_id": alert["alert_id"], "reason": "念的，13812345678"});
    site.post(AGENT, "/v1/agents/a7/alerts", answer).await;
    for socket in [&mut panel, &mut watch] {
        let told = until(socket, "feedback", |_| true).await;
        assert_eq!([&told["alert_id"], &told["call_id"]], [&alert["alert_id"], &json!("c1")], "{told}");
        assert_eq!(
            [&told["action"], &told["by"], &told["reason"]],
            [&json!("dismiss"), &json!("a7"), &json!("念的，138****5678")],
            "{told}"
        );
        assert!(told["given_at"].is_string());
    }
}

#[tokio::test]
async fn a_call_is_taken_by_one_seen_by_all_and_given_back() {
    let mut site = Site::start("call_linger_ms = 50\n[supervision]\nrelease_after_s = 1").await;
    site.begin("c1").await;
    let mut li = site.wall(LI).await;
    let mut wang = site.wall(WANG).await;
    let taken = site.post(LI, "/v1/calls/c1/take", json!({})).await;
    assert_eq!(taken["by"], "李静");
    for wall in [&mut li, &mut wang] {
        assert_eq!(hand(wall, |hand| hand["taken"].is_object()).await["taken"]["by"], "李静");
    }
    let target = "/v1/calls/c1/take";
    assert_eq!(site.refused(WANG, target, json!({})).await, (409, "call_taken".to_owned()));
    assert_eq!(site.refused(WANG, "/v1/calls/c1/release", json!({})).await, (409, "not_taken".to_owned()));
    assert_eq!(site.post(WANG, target, json!({"instead_of": "李静"})).await["by"], "王芳");
    hand(&mut li, |hand| hand["taken"]["by"] == "王芳").await;
    // By hand.
    site.post(WANG, "/v1/calls/c1/release", json!({})).await;
    hand(&mut li, |hand| hand["taken"].is_null()).await;
    // When the connection is gone for a while; the other's stays.
    site.post(WANG, target, json!({})).await;
    site.begin("c2").await;
    site.post(LI, "/v1/calls/c2/take", json!({})).await;
    drop(wang);
    let left =
        until(&mut li, "hands", |message| message["hands"][0]["taken"].is_null() && message["hands"][1].is_object())
            .await;
    assert_eq!(left["hands"][1]["taken"]["by"], "李静");
    let audit = site.ask(LI, "GET", "/v1/audit?action=release", Value::Null).await.1;
    assert_eq!(
        (&audit["entries"][0]["by"], &audit["entries"][0]["detail"]["taken_by"]),
        (&json!("tingjian"), &json!("王芳"))
    );
    // At the call's end, and a restart in between keeps what is taken.
    let data = site.server.stop().await;
    let (address, stop) = again(&tokens("call_linger_ms = 50"), &data).await;
    let mut li = connect(address, &format!("/v1/live?token={LI}")).await;
    let kept = until(&mut li, "hands", |_| true).await;
    assert_eq!(kept["hands"].as_array().unwrap().iter().filter(|hand| hand["taken"]["by"] == "李静").count(), 1);
    let mut producer = connect(address, &format!("/v1/ingest?token={INGEST}")).await;
    for call_id in ["c1", "c2"] {
        tell(
            &mut producer,
            json!({"type": "call.end", "call_id": call_id, "seq": 9, "at_ms": 9_000, "by": "customer"}),
        )
        .await;
    }
    until(&mut li, "hands", |message| message["hands"] == json!([])).await;
    let _ = stop.send(());
}

#[tokio::test]
async fn a_way_in_is_signed_for_whom_it_is_and_a_flag_waits_for_its_review() {
    let key = "k".repeat(32);
    let mut site = Site::start(&format!(
        "call_linger_ms = 50\n[supervision]\nmonitor_url = \"https://pbx.example/{{mode}}/{{call_id}}?by={{supervisor}}&e={{expires}}&s={{signature}}\"\n\
         monitor_key = \"{key}\"\nmonitor_modes = [\"listen\", \"barge\"]"
    ))
    .await;
    site.begin("c1").await;
    let mut wall = site.wall(LI).await;
    assert_eq!(until(&mut wall, "hands", |_| true).await["monitor"], json!(["listen", "barge"]));
    let way = site.post(LI, "/v1/calls/c1/monitor", json!({"mode": "barge"})).await;
    let url = way["url"].as_str().unwrap();
    assert!(url.starts_with("https://pbx.example/barge/c1?by=%E6%9D%8E%E9%9D%99&e="), "{url}");
    assert_eq!(url.split("&s=").nth(1).unwrap().len(), 64);
    assert_eq!(
        site.refused(LI, "/v1/calls/c1/monitor", json!({"mode": "whisper"})).await,
        (404, "no_way_in".to_owned())
    );
    let audit = site.ask(LI, "GET", "/v1/audit?action=monitor", Value::Null).await.1;
    assert_eq!((&audit["entries"][0]["by"], &audit["entries"][0]["detail"]["mode"]), (&json!("李静"), &json!("barge")));

    let flag = site.post(LI, "/v1/calls/c1/flags", json!({"note": "客户要投诉，电话13812345678"})).await;
    assert_eq!(flag["note"], "客户要投诉，电话138****5678");
    assert_eq!(hand(&mut wall, |hand| hand["flagged"] == true).await["call_id"], "c1");
    assert_eq!(site.refused(LI, "/v1/calls/c9/flags", json!({})).await, (404, "no_such_call".to_owned()));
    let waiting = site.ask(WANG, "GET", "/v1/flags", Value::Null).await.1;
    assert_eq!((waiting["flags"].as_array().unwrap().len(), &waiting["flags"][0]["live"]), (1, &json!(true)));
    let settle = format!("/v1/flags/{}", flag["flag_no"]);
    site.post(WANG, &settle, json!({})).await;
    hand(&mut wall, |hand| hand["flagged"] == false).await;
    assert_eq!(site.refused(WANG, &settle, json!({})).await, (404, "no_such_flag".to_owned()));
    assert_eq!(site.ask(WANG, "GET", "/v1/flags", Value::Null).await.1["flags"], json!([]));
    assert_eq!(site.ask(WANG, "GET", "/v1/flags?done=true", Value::Null).await.1["flags"][0]["done_by"], "王芳");
    // Of a call that is over, too.
    tell(&mut site.producer, json!({"type": "call.end", "call_id": "c1", "seq": 9, "at_ms": 9_000, "by": "customer"}))
        .await;
    while site.ask(LI, "GET", "/v1/calls/c1", Value::Null).await.1["live"] == true {}
    site.post(WANG, "/v1/calls/c1/flags", json!({})).await;
    let call = site.ask(LI, "GET", "/v1/calls/c1", Value::Null).await.1;
    assert_eq!([&call["supervision"]["flag"]["done_at"], &call["supervision"]["monitor"]], [&Value::Null, &json!([])]);
    // Without tokens, whoever acts says who they are.
    let open = Server::start("").await;
    let mut producer = open.connect("/v1/ingest").await;
    tell(&mut producer, crate::harness::start("c1")).await;
    assert_eq!(open.request("POST", "/v1/calls/c1/take", "{}").await.1["code"], "unnamed");
    assert_eq!(open.request("POST", "/v1/calls/c1/take", "{\"by\":\"赵敏\"}").await.1["by"], "赵敏");
    assert_eq!(open.request("POST", "/v1/calls/c1/monitor", "{\"mode\":\"listen\",\"by\":\"赵敏\"}").await.0, 404);
    let mut wall = open.connect("/v1/live?by=%E8%B5%B5%E6%95%8F&other=1").await;
    assert_eq!(hand(&mut wall, |_| true).await["taken"]["by"], "赵敏");
}

/// A call that began just now, by this machine's clock.
#[allow(clippy::disallowed_methods, reason = "a threshold looks at what was said lately")]
fn starts_now(call_id: &str, queue: &str) -> Value {
    let started = tingjian::server::wall_now(chrono::FixedOffset::east_opt(8 * 3_600).unwrap()).to_rfc3339();
    json!({"type": "call.start", "call_id": call_id, "seq": 1, "agent_id": "a7", "started_at": started, "queue": queue})
}

#[tokio::test]
async fn a_threshold_tells_wall_webhooks_robots_and_metrics_once_in_its_cooldown() {
    let mut json_hook = Receiver::start(|_| (200, "")).await;
    let mut robot = Receiver::start(|_| (200, "{\"errcode\":0}")).await;
    let config = format!(
        "[[webhooks]]\nname = \"ops\"\nurl = \"http://{}/\"\nseverity_min = \"critical\"\n\
         [[webhooks]]\nname = \"group\"\nurl = \"http://{}/\"\nstyle = \"wecom\"\nseverity_min = \"critical\"\n\
         [[thresholds]]\nname = \"投诉告急\"\ncount = \"alerts\"\nat_least = 3\nwithin_s = 3600\nqueue = \"投诉\"\nseverity_min = \"warning\"\ncooldown_s = 3600\n\
         [[thresholds]]\nname = \"静默\"\ncount = \"silence\"\nat_least = 2\nlasting_s = 4\nseverity = \"warning\"\n\
         [[thresholds]]\nname = \"热闹\"\ncount = \"calls\"\nat_least = 2\nqueue = \"账单\"\nwebhooks = []\n",
        json_hook.address, robot.address
    );
    let server = Server::start(&config).await;
    let mut producer = server.connect("/v1/ingest").await;
    let mut wall = server.connect("/v1/live").await;
    let threshold = |message: &Value, name: &str| {
        message["thresholds"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone()
    };
    tell(&mut producer, starts_now("c1", "投诉")).await;
    tell(&mut producer, starts_now("c2", "账单")).await;
    tell(&mut producer, says("c1", 2, "我不知道")).await;
    // Of another queue.
    tell(&mut producer, says("c2", 2, "我不清楚")).await;
    tell(&mut producer, says("c1", 3, "我也不清楚")).await;
    let two = until(&mut wall, "thresholds", |message| threshold(message, "投诉告急")["value"] == 2).await;
    assert_eq!(threshold(&two, "投诉告急")["reached"], false);
    // One is taken back, two more come.
    let mut corrected = says("c1", 4, "我清楚");
    corrected["utterance_id"] = json!("u3");
    tell(&mut producer, corrected).await;
    until(&mut wall, "thresholds", |message| threshold(message, "投诉告急")["value"] == 1).await;
    tell(&mut producer, says("c1", 5, "真的不清楚")).await;
    tell(&mut producer, says("c1", 6, "还是不知道")).await;
    let three = until(&mut wall, "thresholds", |message| threshold(message, "投诉告急")["reached"] == true).await;
    assert_eq!(threshold(&three, "投诉告急")["message"], "投诉：1 小时内警告以上预警 3 条（达到 3 就报）");
    // Alerts go to webhooks as before; the threshold goes to both, too.
    let told = loop {
        let message = json_hook.next().await.json();
        if message["type"] == "threshold" {
            break message;
        }
    };
    assert_eq!((&told["name"], &told["value"], &told["queue"]), (&json!("投诉告急"), &json!(3), &json!("投诉")));
    let text = loop {
        let body = robot.next().await.json()["markdown"]["content"].as_str().unwrap().to_owned();
        if body.contains("投诉告急") {
            break body;
        }
    };
    assert!(text.starts_with("**听检严重：投诉告急**\n> 情况：投诉：1 小时内"), "{text}");
    // Both calls go on in silence; what is only a warning goes to no webhook that wants critical ones.
    let silent = until(&mut wall, "thresholds", |message| threshold(message, "静默")["reached"] == true).await;
    assert_eq!(threshold(&silent, "静默")["value"], 2);
    let metrics = server.metrics().await;
    for line in [
        "tingjian_threshold_value{threshold=\"投诉告急\"} 3",
        "tingjian_threshold_reached{threshold=\"投诉告急\"} 1",
        "tingjian_threshold_crossings_total{threshold=\"投诉告急\"} 1",
        "tingjian_threshold_crossings_total{threshold=\"静默\"} 1",
        "tingjian_threshold_value{threshold=\"热闹\"} 1",
        "tingjian_threshold_reached{threshold=\"热闹\"} 0",
    ] {
        assert!(metrics.lines().any(|had| had == line), "{line}\n{metrics}");
    }
    // After a restart the same alerts are counted, and within its cooldown it is not told again.
    let data = server.stop().await;
    let (address, stop) = again(&config, &data).await;
    let mut wall = connect(address, "/v1/live").await;
    let still = until(&mut wall, "thresholds", |message| threshold(message, "投诉告急")["reached"] == true).await;
    assert_eq!(threshold(&still, "投诉告急")["value"], 3);
    let (_, metrics) = request(address, "GET", "/metrics", "").await;
    assert!(metrics.contains("tingjian_threshold_crossings_total{threshold=\"投诉告急\"} 0"), "{metrics}");
    let (_, view) = request(address, "GET", "/v1/thresholds", "").await;
    let view: Value = serde_json::from_str(&view).unwrap();
    assert_eq!(threshold(&view, "投诉告急")["told_at"], threshold(&still, "投诉告急")["told_at"]);
    let _ = stop.send(());
}

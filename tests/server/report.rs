//! The weekly report over a real SMTP conversation and a real webhook: once a week, over restarts, tried again.

use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{Datelike as _, Days, FixedOffset, NaiveDate};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::harness::{PATIENCE, Process, Receiver, request, request_as, says};

const ADMIN: &str = "zhaomin-0123456789";
const QA: &str = "lijing-0123456789";
const INGEST: &str = "ingest-0123456789";
const RULES: &str = "pack: test\ntitle: 测试\nrules:\n\
    \x20 - { id: test.warning, name: 不说不知道, severity: warning, deduct: 2, forbid: { any: [不知道] }, message: 不要说 }\n\
    \x20 - { id: test.critical, name: '不说<b>不清楚</b>', severity: critical, deduct: 5, forbid: { any: [不清楚] }, message: 不要说 }\n";

/// What a mail server was told in one conversation.
#[derive(Debug, Default)]
struct Conversation {
    /// What the client said before the mail, a command each.
    commands: Vec<String>,
    mail: String,
}

impl Conversation {
    fn has(&self, command: &str) -> bool {
        self.commands.iter().any(|said| said == command)
    }

    /// A header, decoded.
    fn header(&self, name: &str) -> String {
        let unfolded = self.mail.replace("\r\n ", " ");
        let line = unfolded.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap_or_default();
        let mut text = String::new();
        for word in line.split(' ') {
            match word.strip_prefix("=?utf-8?b?").and_then(|word| word.strip_suffix("?=")) {
                Some(word) => text += &String::from_utf8(STANDARD.decode(word).unwrap()).unwrap(),
                None => text += word,
            }
        }
        text
    }

    /// The part of this type, decoded.
    fn part(&self, content_type: &str) -> String {
        let start = self.mail.find(&format!("Content-Type: {content_type}")).unwrap_or_else(|| panic!("{}", self.mail));
        let (head, body) = self.mail[start..].split_once("\r\n\r\n").unwrap();
        // A line that begins with a dot has another one on its way (RFC 5321, 4.5.2).
        let body = body.split("\r\n--").next().unwrap().replace("\r\n..", "\r\n.");
        let body = match head.split("Content-Transfer-Encoding: ").nth(1).and_then(|rest| rest.lines().next()) {
            Some("base64") => STANDARD.decode(body.replace("\r\n", "")).unwrap(),
            Some("quoted-printable") => quoted_printable::decode(body, quoted_printable::ParseMode::Strict).unwrap(),
            _ => body.into_bytes(),
        };
        String::from_utf8(body).unwrap()
    }
}

/// A mail server on loopback. A recipient is refused with what is said to the address and to how often it came before.
struct MailServer {
    port: u16,
    conversations: mpsc::Receiver<Conversation>,
}

impl MailServer {
    async fn start(refuse: fn(&str, usize) -> Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, conversations) = mpsc::channel(64);
        tokio::spawn(async move {
            let mut known: Vec<String> = Vec::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let mut answer = |recipient: &str| {
                    let before = known.iter().filter(|known| *known == recipient).count();
                    known.push(recipient.to_owned());
                    refuse(recipient, before)
                };
                let told = converse(stream, &mut answer).await;
                if sender.send(told).await.is_err() {
                    return;
                }
            }
        });
        Self { port, conversations }
    }

    /// The next mail that is taken, and how many were refused before it.
    async fn mail(&mut self) -> (Conversation, usize) {
        let mut refused = 0;
        loop {
            let told = tokio::time::timeout(PATIENCE, self.conversations.recv()).await.expect("a mail comes").unwrap();
            if !told.mail.is_empty() {
                return (told, refused);
            }
            refused += 1;
        }
    }
}

async fn converse(stream: TcpStream, refuse: &mut (dyn FnMut(&str) -> Option<&'static str> + Send)) -> Conversation {
    let mut stream = BufReader::new(stream);
    let mut told = Conversation::default();
    let mut answer = "220 test ESMTP";
    loop {
        if stream.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return told;
        }
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or_default() == 0 {
            return told;
        }
        let command = line.trim_end().to_owned();
        answer = match command.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => "250-test\r\n250-8BITMIME\r\n250 AUTH PLAIN",
            "AUTH" => "235 welcome",
            "RCPT" => refuse(&command).unwrap_or("250 ok"),
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        told.commands.push(command);
        if answer == "354 go on" {
            stream.write_all(b"354 go on\r\n").await.unwrap();
            while !told.mail.ends_with("\r\n.\r\n") {
                if stream.read_line(&mut told.mail).await.unwrap() == 0 {
                    return told;
                }
            }
            answer = "250 queued";
        }
    }
}

/// A data directory with rules and a configuration.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new(config: &str) -> Self {
        let directory = TempDir::new().unwrap();
        std::fs::create_dir(directory.path().join("rules")).unwrap();
        std::fs::write(directory.path().join("rules/test.yaml"), RULES).unwrap();
        let place = Self { directory };
        place.configure(config);
        place
    }

    fn configure(&self, more: &str) {
        let config = format!(
            "call_linger_ms = 50\nwebhook_retry_ms = 20\n{more}\n[tokens]\ningest = [\"{INGEST}\"]\nqa = {{ \"李静\" = \"{QA}\" }}\nadmin = {{ \"赵敏\" = \"{ADMIN}\" }}\n"
        );
        std::fs::write(self.path().join("config.toml"), config).unwrap();
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn start(&self) -> Process {
        Process::start(Process::serve().current_dir(self.path()).args([
            "--data",
            "data",
            "--rules",
            "rules",
            "--config",
            "config.toml",
        ]))
    }

    fn report(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tingjian"));
        command.current_dir(self.path()).args(["report", "--data", "data", "--config", "config.toml"]).args(arguments);
        command.output().unwrap()
    }
}

/// The Monday of the week before this one, in the centre's zone.
fn last_monday() -> NaiveDate {
    let today = tingjian::server::wall_now(FixedOffset::east_opt(8 * 3_600).unwrap()).date_naive();
    today - Days::new(u64::from(today.weekday().num_days_from_monday()) + 7)
}

/// Twelve calls of last week with alerts, ten of the week before without.
async fn tell_calls(server: &Process) {
    let mut events = String::new();
    for number in 0..22_u64 {
        let (call_id, day) = (format!("c{number}"), last_monday() + Days::new(if number < 12 { 2 } else { 0 }));
        let day = if number < 12 { day } else { day - Days::new(5) };
        let start = json!({"type": "call.start", "call_id": call_id, "seq": 1, "agent_id": "a7",
            "started_at": format!("{day}T10:{number:02}:00+08:00"), "attributes": {"agent_name": "王<芳>"}});
        events +=
            &format!("{start}\n{}\n", says(&call_id, 2, if number < 12 { "这个我不清楚，也不知道" } else { "您好" }));
        events += &format!(
            "{}\n",
            json!({"type": "call.end", "call_id": call_id, "seq": 3, "at_ms": 60_000, "by": "customer"})
        );
    }
    let (status, answer) = request_as(server.address, Some(INGEST), "POST", "/v1/events", &events).await;
    assert_eq!(status, 200, "{answer}");
}

async fn ask(server: &Process, token: &str, method: &str, target: &str, body: &str) -> (u16, Value) {
    let (status, body) = request_as(server.address, Some(token), method, target, body).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

async fn until_metrics_have(server: &Process, line: &str) {
    let waiting = async {
        while !request_as(server.address, Some(QA), "GET", "/metrics", "").await.1.lines().any(|had| had == line) {}
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("no metric {line}"));
}

#[tokio::test]
async fn a_report_is_mailed_once_a_week_tried_again_and_not_again_after_a_restart() {
    let place = Place::new("");
    let mut server = place.start();
    tell_calls(&server).await;
    server.kill();
    // One address is refused for a moment, the other for good.
    let mut mails = MailServer::start(|recipient, before| match (recipient.contains("boss"), before) {
        (true, 0) => Some("451 try later"),
        (true, _) => None,
        (false, _) => Some("550 no such user"),
    })
    .await;
    let mut robot = Receiver::start(|number| if number == 0 { (500, "") } else { (200, r#"{"errcode":0}"#) }).await;
    place.configure(&format!(
        "[[webhooks]]\nname = \"group\"\nurl = \"http://{}/\"\nstyle = \"dingtalk\"\nseverity_min = \"critical\"\n\
         [report]\nweekday = \"monday\"\nhour = 0\nto = [\"boss@example.com\", \"gone@example.com\"]\nfrom = \"tingjian@example.com\"\n\
         smtp = \"smtp+plain://127.0.0.1:{}\"\nuser = \"tingjian\"\npassword = \"secret\"\nwebhooks = [\"group\"]\nurl = \"https://tingjian.example.com/\"\n",
        robot.address, mails.port
    ));
    let mut server = place.start();
    let (mail, refused) = mails.mail().await;
    assert!(refused >= 1, "it was tried again");
    let signed_in = format!("AUTH PLAIN {}", STANDARD.encode("\0tingjian\0secret"));
    assert!(mail.has(&signed_in) && mail.has("MAIL FROM:<tingjian@example.com>"), "{:?}", mail.commands);
    assert_eq!(
        (mail.header("To"), mail.header("From")),
        ("boss@example.com".to_owned(), "tingjian@example.com".to_owned())
    );
    let (from, to) = (last_monday(), last_monday() + Days::new(6));
    assert!(
        mail.header("Subject").contains(&from.to_string()) && mail.header("Subject").contains("听检周报"),
        "{}",
        mail.header("Subject")
    );
    let (text, html) = (mail.part("text/plain"), mail.part("text/html"));
    for (what, part) in [
        ("通话 12（之前 10）", &text),
        ("严重预警 12", &text),
        ("王<芳> a7 200.0", &text),
        ("王&lt;芳&gt; a7", &html),
        ("不说&lt;b&gt;不清楚", &html),
        ("▲ +200.0", &html),
    ] {
        assert!(part.contains(what), "{what}: {part}");
    }
    let link = format!("https://tingjian.example.com/qa?days=&from={from}&to={to}");
    assert!(text.contains(&link) && html.contains(&link.replace('&', "&amp;")), "{text}");
    // Words of calls stay where a token is asked for.
    assert!(!text.contains("这个我不清楚") && !html.contains("这个我不清楚"));
    let message = loop {
        let message = robot.next().await.json();
        if message["markdown"]["title"].as_str().is_some_and(|title| title.contains("听检周报")) {
            break message;
        }
    };
    let text = message["markdown"]["text"].as_str().unwrap();
    assert!(text.contains(&format!("[查看 / look]({link})")) && text.contains("预警 24（之前 0）"), "{text}");
    until_metrics_have(&server, "tingjian_reports_total{result=\"rejected\"} 1").await;
    until_metrics_have(&server, "tingjian_reports_total{result=\"sent\"} 2").await;
    let audit = loop {
        let (_, audit) = ask(&server, QA, "GET", "/v1/audit?action=report", "").await;
        if audit["entries"].as_array().unwrap().len() >= 3 {
            break audit;
        }
    };
    let entries: Vec<_> = audit["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["subject"].clone(), entry["detail"]["result"].clone()))
        .collect();
    assert_eq!(entries.len(), 3, "{audit}");
    assert!(entries.contains(&(json!("mail:gone@example.com"), json!("rejected"))), "{audit}");

    // After a restart everybody has it; by hand it is sent again.
    server.kill();
    let mut server = place.start();
    let week = json!({"from": from.to_string(), "to": to.to_string()}).to_string();
    let (status, sent) = ask(&server, ADMIN, "POST", "/v1/report/send", &week).await;
    assert_eq!((status, sent["recipients"][0]["result"].as_str()), (200, Some("sent")), "{sent}");
    let (by_hand, _) = mails.mail().await;
    assert!(by_hand.has("RCPT TO:<boss@example.com>"), "{:?}", by_hand.commands);
    assert_eq!(ask(&server, QA, "POST", "/v1/report/send", "{}").await.0, 403, "admins send");
    for (body, field) in [
        (json!({"from": "2026-11-01"}), "to"),
        (json!({"from": "x", "to": "y"}), "from"),
        (json!({"since": "x"}), "since"),
    ] {
        let (status, refused) = ask(&server, ADMIN, "POST", "/v1/report/send", &body.to_string()).await;
        assert_eq!((status, refused["field"].as_str()), (400, Some(field)), "{refused}");
    }
    server.kill();
    // And from the command line; who does not get it makes it fail.
    let sending = tokio::task::spawn_blocking(move || place.report(&["--send"])).await.unwrap();
    let told = String::from_utf8(sending.stdout).unwrap();
    assert_eq!(sending.status.code(), Some(1), "{told}");
    assert!(told.contains("mail:boss@example.com: 已发送"), "{told}");
    assert!(told.contains("mail:gone@example.com: 没有发出"), "{told}");
    assert!(mails.mail().await.0.header("Subject").contains("听检周报"));
}

#[tokio::test]
async fn a_report_is_shown_as_text_html_and_json() {
    let place = Place::new("");
    let server = place.start();
    tell_calls(&server).await;
    let (status, report) = ask(&server, QA, "GET", "/v1/report", "").await;
    assert_eq!(
        (status, &report["total"]["now"]["alerts"], &report["worst"][0]["key"]),
        (200, &json!(24), &json!("a7")),
        "{report}"
    );
    assert_eq!(
        (&report["names"]["a7"], &report["link"], &report["sampled"]),
        (&json!("王<芳>"), &Value::Null, &Value::Null)
    );
    assert_eq!((report["critical"].as_array().unwrap().len(), &report["reviewed"]["waiting"]), (12, &json!(24)));
    let (status, html) = ask(&server, QA, "GET", "/v1/report?format=html&language=en", "").await;
    assert!(status == 200 && html.as_str().unwrap().contains("The worst agents, and why"), "{html}");
    for (query, field) in [("from=2026-11-01", "to"), ("format=pdf", "format"), ("language=fr", "language")] {
        assert_eq!(ask(&server, QA, "GET", &format!("/v1/report?{query}"), "").await.1["field"], field);
    }
    assert_eq!(ask(&server, ADMIN, "POST", "/v1/report/send", "").await.1["code"], "no_recipients");
    let text = place.report(&[]);
    assert!(text.status.success() && String::from_utf8(text.stdout).unwrap().contains("1. 王<芳> a7 200.0"));
    let html = place.report(&["--html"]);
    assert!(String::from_utf8(html.stdout).unwrap().starts_with("<!DOCTYPE html>"));
    assert_eq!(place.report(&["--send"]).status.code(), Some(2), "nobody gets it");
    let (status, _) = request(server.address, "GET", "/v1/report", "").await;
    assert_eq!(status, 401);
}

#[test]
fn a_report_that_cannot_be_sent_is_refused_at_the_start() {
    for (config, said) in [
        ("to = [\"a@example.com\"]", "要写 smtp"),
        ("to = [\"a@example.com\"]\nsmtp = \"smtps://mail.example.com\"", "要写 from"),
        ("to = [\"a@b\", \"a@b\"]", "不能重复"),
        ("to = [\"nobody\"]", "邮件地址"),
        ("smtp = \"mail.example.com\"", "smtps://"),
        ("smtp = \"smtps://u:p@mail.example.com\"", "smtps://"),
        ("hour = 24", "0 到 23"),
        ("weekday = \"someday\"", "someday"),
        ("webhooks = [\"none\"]", "none"),
        ("url = \"tingjian.example.com\"", "https://"),
        (
            "to = [\"a@b\"]\nfrom = \"c@d\"\nsmtp = \"smtp+plain://mail.example.com\"\nuser = \"u\"\npassword = \"geheim\"",
            "不加密",
        ),
    ] {
        let place = Place::new(&format!("[report]\n{config}\n"));
        let output = Process::serve()
            .current_dir(place.path())
            .args(["--data", "data", "--rules", "rules", "--config", "config.toml"])
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && told.contains(said) && !told.contains("geheim"), "{config}: {told}");
    }
}

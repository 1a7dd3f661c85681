//! Bodies and signatures, against the formulas that the receivers publish; the
//! expected signatures were computed with Python's `hmac`.

use http_body_util::BodyExt as _;

use crate::server::config::Config;
use crate::server::outbox::webhook::*;

const ALERT: &str = r#"{"type":"alert","alert_id":"0a","state":"confirmed","call_id":"c1","agent_id":"a_7","rule_id":"forbidden.dont-know","rule_name":"推诿","pack":"forbidden","rules_version":"v1","kind":"forbidden","severity":"critical","deduct":5,"clauses":["S1.40"],"at_ms":8120,"emitted_at":"2026-11-21T10:00:08.121+08:00","evidence":[{"utterance_id":"u9","role":"agent","text":"这个我不知道<@all>[点](http://x)\n# 138****8000","start":3,"end":6,"phrase":"不知道"}],"message":"说了不知道","suggestion":"我帮您查一下"}"#;

fn target(more: &str) -> Target {
    let text = format!("[[webhooks]]\nname = \"w\"\n{more}");
    Target::new(&Config::from_toml(&text).unwrap().webhooks[0]).unwrap()
}

/// Address, headers and body of a request, made at a moment.
async fn request(more: &str, alert: &str, now_ms: i64) -> (String, Vec<(String, String)>, String) {
    let request = target(more).request("1f-7", alert, now_ms).unwrap();
    let (head, body) = request.into_parts();
    assert_eq!(head.method, Method::POST);
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let headers = headers.filter(|(name, _)| name.starts_with("x-")).collect();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    (head.uri.to_string(), headers, body)
}

#[tokio::test]
async fn json_is_sent_as_it_is_and_signed_with_its_time() {
    let headers = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let body = r#"{"a":"我"}"#;
    let cases = [
        ("", headers(&[("x-tingjian-delivery", "1f-7"), ("x-tingjian-timestamp", "1700000000")])),
        (
            "secret = \"k0\"",
            headers(&[
                ("x-tingjian-delivery", "1f-7"),
                ("x-tingjian-timestamp", "1700000000"),
                ("x-tingjian-signature", "sha256=6b0987e3125ab40ccd882b68e083d68ad83c6195b0581dd45f3fc33b243b2747"),
            ]),
        ),
    ];
    for (secret, expected) in cases {
        let more = format!("url = \"http://h:1/hook?x=1\"\n{secret}\n");
        let sent = request(&more, body, 1_700_000_000_999).await;
        assert_eq!(sent, ("http://h:1/hook?x=1".to_owned(), expected, body.to_owned()), "{secret}");
    }
}

#[tokio::test]
async fn robots_are_signed_as_they_publish() {
    let cases = [
        ("wecom", "http://h/send?key=k", "", "http://h/send?key=k", None),
        ("wecom", "http://h/send?key=k", "secret = \"s\"", "http://h/send?key=k", None),
        ("dingtalk", "http://h/send?access_token=t", "", "http://h/send?access_token=t", None),
        (
            "dingtalk",
            "http://h/send?access_token=t",
            "secret = \"this is secret\"",
            "http://h/send?access_token=t&timestamp=1577262236757&sign=hmPWwU%2B7lVdm3ZZz0r9tSfx0L4Q26jWOZr9%2BGs6EZQM%3D",
            None,
        ),
        (
            "dingtalk",
            "http://h/send",
            "secret = \"SEC000000000000000000000\"",
            "http://h/send?timestamp=1577262236757&sign=xOJIB8eNoYWeLy26EMZOlc2RjOJbtPv9HYjm%2BE3uALU%3D",
            None,
        ),
        ("feishu", "http://h/hook/k", "", "http://h/hook/k", None),
        (
            "feishu",
            "http://h/hook/k",
            "secret = \"demo\"",
            "http://h/hook/k",
            Some(("1577262236", "NhEUcImkhzrPPAz/8BTpTROjbUbL6U5AmjY55fe0tgI=")),
        ),
    ];
    for (style, url, secret, address, signature) in cases {
        let more = format!("url = \"{url}\"\nstyle = \"{style}\"\n{secret}\n");
        let (sent, headers, body) = request(&more, ALERT, 1_577_262_236_757).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        let signed = body["timestamp"].as_str().zip(body["sign"].as_str());
        assert_eq!((sent.as_str(), signed), (address, signature), "{style} {secret}");
        assert_eq!(headers, [("x-tingjian-delivery".to_owned(), "1f-7".to_owned())]);
    }
}

#[tokio::test]
async fn groups_read_what_happened_and_nobody_on_the_line_can_mention_or_link() {
    let text = "> 坐席：a_7\n> 通话：c1\n> 时间：2026-11-21T10:00:08.121+08:00（第 8 秒）\n> 问题：说了不知道\n\
                > 原话：这个我不知道＜＠all＞［点］(http://x) ＃ 138＊＊＊＊8000\n> 建议：我帮您查一下";
    let markdown = format!("**听检严重：推诿**\n{text}");
    let cases = [
        ("wecom", json!({"msgtype": "markdown", "markdown": {"content": markdown}})),
        (
            "dingtalk",
            json!({"msgtype": "markdown", "markdown": {"title": "听检严重：推诿", "text": markdown.replace('\n', "\n\n")}}),
        ),
        (
            "feishu",
            json!({"msg_type": "interactive", "card": {
                "header": {"template": "red", "title": {"tag": "plain_text", "content": "听检严重：推诿"}},
                "elements": [{"tag": "div", "text": {"tag": "plain_text", "content": text.replace("> ", "")}}],
            }}),
        ),
    ];
    for (style, expected) in cases {
        let (_, _, body) = request(&format!("url = \"http://h/\"\nstyle = \"{style}\"\n"), ALERT, 0).await;
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected, "{style}");
    }
}

#[tokio::test]
async fn a_message_is_never_longer_than_robots_take() {
    let mut alert: Value = serde_json::from_str(ALERT).unwrap();
    let long = "𠮷".repeat(20_000);
    for field in ["rule_name", "message", "suggestion", "agent_id", "call_id"] {
        alert[field] = json!(long);
    }
    let mut evidence = alert["evidence"][0].clone();
    evidence["text"] = json!(format!("{}不知道{long}", "前".repeat(500)));
    evidence["start"] = json!(500);
    alert["evidence"] = json!(vec![evidence; 50]);
    for (style, bytes_max) in [("wecom", 4_096), ("dingtalk", 20_000), ("feishu", 20_000)] {
        let more = format!("url = \"http://h/\"\nstyle = \"{style}\"\n");
        let (_, _, body) = request(&more, &alert.to_string(), 0).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        let text = body.pointer("/markdown/content").map_or(body.to_string(), |text| text.as_str().unwrap().to_owned());
        assert!(text.len() <= bytes_max, "{style}: {}", text.len());
        assert!(text.contains("前不知道𠮷"), "{style}: {text}");
    }
}

#[test]
fn answers_mean_what_each_receiver_means() {
    use Outcome::{Delivered, Failed, Rejected};
    let ok = r#"{"errcode":0,"errmsg":"ok"}"#;
    let cases = [
        ("json", 200, "anything", Delivered),
        ("json", 204, "", Delivered),
        ("json", 302, "", Failed(Fault::Status(302))),
        ("json", 400, "", Rejected(Fault::Status(400))),
        ("json", 401, "", Failed(Fault::Status(401))),
        ("json", 413, "", Rejected(Fault::Status(413))),
        ("json", 429, "", Failed(Fault::Status(429))),
        ("json", 503, "", Failed(Fault::Status(503))),
        ("wecom", 200, ok, Delivered),
        ("wecom", 502, ok, Failed(Fault::Status(502))),
        ("wecom", 200, "<html>", Failed(Fault::Unreadable)),
        ("wecom", 200, "{}", Failed(Fault::Unreadable)),
        ("wecom", 200, r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#, Failed(Fault::Code(45_009))),
        ("wecom", 200, r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#, Failed(Fault::Code(93_000))),
        ("wecom", 200, r#"{"errcode":40058,"errmsg":"…"}"#, Rejected(Fault::Code(40_058))),
        ("dingtalk", 200, ok, Delivered),
        ("dingtalk", 200, r#"{"errcode":130101,"errmsg":"send too fast"}"#, Failed(Fault::Code(130_101))),
        ("dingtalk", 200, r#"{"errcode":310000,"errmsg":"sign not match"}"#, Failed(Fault::Code(310_000))),
        ("dingtalk", 200, r#"{"errcode":430102,"errmsg":"…"}"#, Rejected(Fault::Code(430_102))),
        ("feishu", 200, r#"{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}"#, Delivered),
        ("feishu", 200, r#"{"StatusCode":0,"StatusMessage":"success"}"#, Delivered),
        ("feishu", 200, r#"{"code":11232,"msg":"frequency limited"}"#, Failed(Fault::Code(11_232))),
        ("feishu", 200, r#"{"code":19021,"msg":"sign match fail"}"#, Failed(Fault::Code(19_021))),
        ("feishu", 400, r#"{"code":9499,"msg":"Bad Request"}"#, Rejected(Fault::Status(400))),
    ];
    for (style, status, body, verdict) in cases {
        let target = target(&format!("url = \"http://h/\"\nstyle = \"{style}\"\n"));
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(target.verdict(status, body.as_bytes()), verdict, "{style} {status} {body}");
    }
}

#[test]
fn pauses_double_up_to_an_hour_and_do_not_fall_together() {
    let first = Duration::from_secs(5);
    for (attempts, longest) in [(1, 5), (2, 10), (3, 20), (10, 2_560), (11, 3_600), (40, 3_600), (u32::MAX, 3_600)] {
        let longest = Duration::from_secs(longest);
        let pauses: Vec<Duration> = (0..50).map(|no| pause(first, &format!("1-{no}"), attempts)).collect();
        assert!(pauses.iter().all(|pause| (longest / 2..=longest).contains(pause)), "{attempts}: {pauses:?}");
        assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{attempts}");
        assert_eq!(pause(first, "1-0", attempts), pauses[0]);
    }
}

#[test]
fn addresses_that_cannot_be_used_are_told_and_never_shown() {
    for url in ["qa.example.com/SECRET", "ftp://h/SECRET", "/SECRET", "", "http://", "http://a b/SECRET"] {
        let text = format!("[[webhooks]]\nname = \"w\"\nurl = \"{url}\"\n");
        let fault = Config::from_toml(&text).unwrap_err().to_string();
        assert!(fault.contains("config.toml:3:7") && !fault.contains("SECRET"), "{fault}");
    }
    assert!(target("url = \"HTTPS://h/\"\n").is_https());
    assert!(!target("url = \"http://https/\"\n").is_https());
}

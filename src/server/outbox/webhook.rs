//! The messages for webhooks and the meaning of their answers: bodies, signatures and pauses, all
//! pure functions. Nothing here opens a connection or reads a clock; the delivery is in `outbox`.
//!
//! Three styles are those of group robots, each with its own way to sign and its own error codes in
//! an answer of status 200. Words of a call go into their messages as plain text, so that a speaker
//! can neither mention anyone nor insert a link.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use axum::http::{Method, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio_tungstenite::tungstenite::Bytes;

use crate::adapter::alert_json::AlertJson;
use crate::engine::alert::Evidence;
use crate::engine::severity::Severity;
use crate::server::config::{Secret, Webhook, WebhookStyle};

/// Stays the same over all attempts, so that a receiver can tell a repetition.
const DELIVERY: HeaderName = HeaderName::from_static("x-tingjian-delivery");
/// Seconds since 1970, when the attempt was made.
const TIMESTAMP: HeaderName = HeaderName::from_static("x-tingjian-timestamp");
/// `sha256=` and the hexadecimal HMAC-SHA256 of timestamp, `.` and body.
const SIGNATURE: HeaderName = HeaderName::from_static("x-tingjian-signature");
/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(60 * 60);
/// Characters of one utterance that a group is shown, around the words that matter.
const QUOTE_CHARS_MAX: usize = 100;
/// Characters of any other field that a group is shown. With these numbers a
/// message of the widest characters stays below the 4096 bytes of 企业微信.
const FIELD_CHARS_MAX: usize = 120;
/// Bytes of the lines of a note: with title and link below the 4096 of 企业微信.
const NOTE_BYTES_MAX: usize = 3_000;
/// What a link of a note is called.
const LOOK: &str = "查看 / look";
/// Utterances that a group is shown.
const QUOTES_MAX: usize = 3;

/// A webhook as it is used: checked, and with its secret read.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) name: Arc<str>,
    address: Secret,
    secret: Option<Secret>,
    style: WebhookStyle,
}

/// The body of a request.
enum Body {
    Json(String),
    /// A message of a group robot.
    Robot(Value),
}

/// Something to tell that is no alert: a title, lines and a link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Note<'a> {
    pub(crate) title: &'a str,
    pub(crate) lines: &'a [String],
    pub(crate) link: Option<&'a str>,
    /// All of it, for receivers of JSON.
    pub(crate) json: &'a Value,
}

impl Note<'_> {
    /// The lines that fit into one message, made harmless; the one with the link is left out, which has a place of its own.
    fn fitting(&self) -> Vec<String> {
        let mut room = NOTE_BYTES_MAX;
        let lines = self.lines.iter().filter(|line| self.link.is_none_or(|link| !line.contains(link)));
        let harmless = lines.map(|line| plain(line, FIELD_CHARS_MAX));
        harmless
            .take_while(|line| {
                let fits = line.len() + 4 <= room;
                room = room.saturating_sub(line.len() + 4);
                fits
            })
            .collect()
    }

    fn markdown(&self, newline: &str) -> String {
        let mut text = format!("**{}**", plain(self.title, FIELD_CHARS_MAX));
        for line in self.fitting() {
            text.push_str(newline);
            text.push_str(&line);
        }
        if let Some(link) = self.link {
            text.push_str(&format!("{newline}[{LOOK}]({link})"));
        }
        text
    }

    /// The card of 飞书.
    fn card(&self) -> Value {
        let text = |content: String| json!({"tag": "plain_text", "content": content});
        let mut elements = vec![json!({"tag": "div", "text": text(self.fitting().join("\n"))})];
        if let Some(link) = self.link {
            let button = json!({"tag": "button", "text": text(LOOK.to_owned()), "type": "primary", "url": link});
            elements.push(json!({"tag": "action", "actions": [button]}));
        }
        let title = text(plain(self.title, FIELD_CHARS_MAX));
        json!({"msg_type": "interactive", "card": {"header": {"template": "blue", "title": title}, "elements": elements}})
    }
}

/// The meaning of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was taken.
    Delivered,
    /// Another attempt may succeed.
    Failed(Fault),
    /// The message itself is not wanted; it would never be.
    Rejected(Fault),
}

/// Why an attempt failed. It holds nothing that the receiver wrote, which might
/// be words of a call, and no address, which might hold a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No answer in time, or no connection.
    Unreachable(String),
    /// An HTTP status that is no success.
    Status(u16),
    /// A robot's own error code.
    Code(i64),
    /// A robot's answer without one.
    Unreadable,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "{why}"),
            Self::Status(status) => write!(f, "HTTP {status}"),
            Self::Code(code) => write!(f, "errcode {code}"),
            Self::Unreadable => write!(f, "the answer is not a robot's"),
        }
    }
}

impl Target {
    /// Checks a webhook of the configuration and reads its secret.
    ///
    /// # Errors
    /// The fault, without the address.
    pub(crate) fn new(webhook: &Webhook) -> Result<Self, String> {
        let Webhook { name, url, secret, style, severity_min: _ } = webhook;
        let secret = secret.as_ref().map(|secret| secret.read()).transpose();
        let secret = secret.map_err(|error| format!("webhooks「{name}」：{error}"))?;
        let name = Arc::from(name.as_str());
        Ok(Self { name, address: url.clone(), secret, style: *style })
    }

    /// Whether requests to it go over TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.address.reveal().get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
    }

    /// The request that tells it `alert`, a stored JSON, at `now_ms`.
    ///
    /// # Errors
    /// `alert` is no alert of this program, or the address cannot be signed.
    pub(crate) fn request(&self, delivery: &str, alert: &str, now_ms: i64) -> Result<Request<Full<Bytes>>, String> {
        if self.style == WebhookStyle::Json {
            return self.sealed(delivery, Body::Json(alert.to_owned()), now_ms);
        }
        let notice = Notice::read(alert).map_err(|fault| fault.to_string())?;
        let body = match self.style {
            WebhookStyle::Wecom => wecom(&notice),
            WebhookStyle::Dingtalk => dingtalk(&notice),
            WebhookStyle::Feishu | WebhookStyle::Json => feishu(&notice),
        };
        self.sealed(delivery, Body::Robot(body), now_ms)
    }

    /// The request that tells it a note, at `now_ms`.
    ///
    /// # Errors
    /// The address cannot be signed.
    pub(crate) fn note(&self, delivery: &str, note: &Note<'_>, now_ms: i64) -> Result<Request<Full<Bytes>>, String> {
        let body = match self.style {
            WebhookStyle::Json => Body::Json(note.json.to_string()),
            WebhookStyle::Wecom => {
                Body::Robot(json!({"msgtype": "markdown", "markdown": {"content": note.markdown("\n")}}))
            }
            WebhookStyle::Dingtalk => Body::Robot(
                json!({"msgtype": "markdown", "markdown": {"title": note.title, "text": note.markdown("\n\n")}}),
            ),
            WebhookStyle::Feishu => Body::Robot(note.card()),
        };
        self.sealed(delivery, body, now_ms)
    }

    /// The request with this body, signed as its receiver wants it.
    fn sealed(&self, delivery: &str, body: Body, now_ms: i64) -> Result<Request<Full<Bytes>>, String> {
        let seconds = now_ms / 1_000;
        let mut address = self.address.reveal().to_owned();
        let body = match body {
            Body::Json(body) => body,
            Body::Robot(mut body) => {
                match (&self.secret, self.style) {
                    (Some(secret), WebhookStyle::Dingtalk) => {
                        address.push(if address.contains('?') { '&' } else { '?' });
                        address.push_str(&dingtalk_signature(secret.reveal(), now_ms));
                    }
                    (Some(secret), WebhookStyle::Feishu) => {
                        body["timestamp"] = json!(seconds.to_string());
                        body["sign"] = json!(feishu_signature(secret.reveal(), seconds));
                    }
                    _ => {}
                }
                body.to_string()
            }
        };
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(address)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))
            .header(USER_AGENT, HeaderValue::from_static(concat!("tingjian/", env!("CARGO_PKG_VERSION"))))
            .header(DELIVERY, delivery);
        if self.style == WebhookStyle::Json {
            request = request.header(TIMESTAMP, seconds);
            if let Some(secret) = &self.secret {
                request = request.header(SIGNATURE, json_signature(secret.reveal(), seconds, &body));
            }
        }
        request.body(Full::from(body)).map_err(|fault| fault.to_string())
    }

    /// The meaning of an answer.
    pub(crate) fn verdict(&self, status: StatusCode, body: &[u8]) -> Outcome {
        if !status.is_success() {
            let fault = Fault::Status(status.as_u16());
            return match status {
                StatusCode::BAD_REQUEST
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::UNSUPPORTED_MEDIA_TYPE
                | StatusCode::UNPROCESSABLE_ENTITY => Outcome::Rejected(fault),
                _ => Outcome::Failed(fault),
            };
        }
        if self.style == WebhookStyle::Json {
            return Outcome::Delivered;
        }
        let answer: Option<RobotAnswer> = serde_json::from_slice(body).ok();
        match answer.and_then(RobotAnswer::code) {
            Some(0) => Outcome::Delivered,
            Some(code) if self.refuses_the_message(code) => Outcome::Rejected(Fault::Code(code)),
            Some(code) => Outcome::Failed(Fault::Code(code)),
            None => Outcome::Failed(Fault::Unreadable),
        }
    }

    /// Whether a robot's code is about the message, and not about the moment, the key or the
    /// settings of the group, which an administrator may mend.
    fn refuses_the_message(&self, code: i64) -> bool {
        match self.style {
            WebhookStyle::Json => false,
            // Unknown type, wrong fields, empty, too long.
            WebhookStyle::Wecom => [40_008, 40_058, 44_004, 45_002].contains(&code),
            // Missing field, empty, unknown type, and words that are not allowed.
            WebhookStyle::Dingtalk => [40_035, 43_004, 400_105].contains(&code) || (430_101..=430_104).contains(&code),
            // A body that cannot be read.
            WebhookStyle::Feishu => code == 9_499,
        }
    }
}

/// The answer of a robot with status 200: 企业微信 and 钉钉 `errcode`, 飞书 `code` beside or instead of the
/// older `StatusCode`.
#[derive(Deserialize)]
struct RobotAnswer {
    errcode: Option<i64>,
    code: Option<i64>,
    #[serde(rename = "StatusCode")]
    status_code: Option<i64>,
}

impl RobotAnswer {
    fn code(self) -> Option<i64> {
        self.errcode.or(self.code).or(self.status_code)
    }
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The value of `X-Tingjian-Signature`.
fn json_signature(secret: &str, seconds: i64, body: &str) -> String {
    let signed = hmac(secret.as_bytes(), &[seconds.to_string().as_bytes(), b".", body.as_bytes()]);
    signed.iter().fold(String::from("sha256="), |hex, byte| hex + &format!("{byte:02x}"))
}

/// 钉钉: what is added to the query. The key signs the time and itself.
fn dingtalk_signature(secret: &str, now_ms: i64) -> String {
    let now = now_ms.to_string();
    let signed = STANDARD.encode(hmac(secret.as_bytes(), &[now.as_bytes(), b"\n", secret.as_bytes()]));
    // All of Base64 that a query cannot hold.
    let sign = signed.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    format!("timestamp={now}&sign={sign}")
}

/// 飞书: time and secret are the key, and nothing is signed with it.
fn feishu_signature(secret: &str, seconds: i64) -> String {
    STANDARD.encode(hmac(format!("{seconds}\n{secret}").as_bytes(), &[]))
}

/// A message to a group, whatever the robot.
struct Notice {
    severity: Severity,
    title: String,
    lines: Vec<(&'static str, String)>,
}

/// A threshold that is told.
#[derive(Deserialize)]
struct ThresholdJson {
    name: String,
    severity: Severity,
    message: String,
    told_at: Option<String>,
}

/// What kind of message is stored.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
}

impl Notice {
    /// Reads a stored message.
    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let Kind { kind } = serde_json::from_str(json)?;
        if kind == "threshold" {
            let ThresholdJson { name, severity, message, told_at } = serde_json::from_str(json)?;
            let lines = vec![
                ("情况", plain(&message, FIELD_CHARS_MAX)),
                ("时间", plain(told_at.as_deref().unwrap_or_default(), FIELD_CHARS_MAX)),
            ];
            return Ok(Self { severity, title: title(severity, &name), lines });
        }
        let alert: AlertJson<'_> = serde_json::from_str(json)?;
        Ok(Self { severity: alert.severity, title: title(alert.severity, &alert.rule_name), lines: lines(&alert) })
    }
}

fn wecom(notice: &Notice) -> Value {
    json!({"msgtype": "markdown", "markdown": {"content": markdown(notice, "\n")}})
}

fn dingtalk(notice: &Notice) -> Value {
    // An empty line, or 钉钉 runs the lines together.
    json!({"msgtype": "markdown", "markdown": {"title": notice.title, "text": markdown(notice, "\n\n")}})
}

fn feishu(notice: &Notice) -> Value {
    let color = match notice.severity {
        Severity::Critical => "red",
        Severity::Warning => "orange",
        Severity::Info => "blue",
    };
    let lines: Vec<String> = notice.lines.iter().map(|(name, value)| format!("{name}：{value}")).collect();
    let text = |content: &str| json!({"tag": "plain_text", "content": content});
    json!({"msg_type": "interactive", "card": {
        "header": {"template": color, "title": text(&notice.title)},
        "elements": [{"tag": "div", "text": text(&lines.join("\n"))}],
    }})
}

fn markdown(notice: &Notice, newline: &str) -> String {
    let mut text = format!("**{}**", notice.title);
    for (name, value) in &notice.lines {
        text.push_str(newline);
        text.push_str(&format!("> {name}：{value}"));
    }
    text
}

fn title(severity: Severity, name: &str) -> String {
    format!("听检{}：{}", severity.zh(), plain(name, FIELD_CHARS_MAX))
}

/// The lines of a message about an alert.
fn lines(alert: &AlertJson<'_>) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("坐席", plain(&alert.agent_id, FIELD_CHARS_MAX)),
        ("通话", plain(&alert.call_id, FIELD_CHARS_MAX)),
        ("时间", format!("{}（第 {} 秒）", alert.emitted_at, alert.at_ms.max(0) / 1_000)),
        ("问题", plain(&alert.message, FIELD_CHARS_MAX)),
    ];
    lines.extend(alert.evidence.iter().take(QUOTES_MAX).map(|evidence| ("原话", quote(evidence))));
    if let Some(suggestion) = &alert.suggestion {
        lines.push(("建议", plain(suggestion, FIELD_CHARS_MAX)));
    }
    lines
}

/// The utterance around the words that matter.
fn quote(evidence: &Evidence) -> String {
    let before = evidence.start.saturating_sub(QUOTE_CHARS_MAX / 3);
    let rest: String = evidence.text.chars().skip(before).collect();
    let sign = if before > 0 { "…" } else { "" };
    format!("{sign}{}", plain(&rest, QUOTE_CHARS_MAX))
}

/// `text` cut to a length, on one line, and without what robots read as links,
/// mentions or colours: that becomes its full-width likeness.
fn plain(text: &str, chars_max: usize) -> String {
    let harmless = |c: char| match c {
        '<' | '>' | '[' | ']' | '@' | '*' | '`' | '#' => {
            char::from_u32(u32::from(c) - u32::from('!') + u32::from('！')).unwrap_or(' ')
        }
        c if c.is_control() => ' ',
        c => c,
    };
    let mut plain: String = text.chars().take(chars_max).map(harmless).collect();
    if text.chars().nth(chars_max).is_some() {
        plain.push('…');
    }
    plain
}

/// How long to wait after so many failed attempts: from `first` on, doubled
/// each time, up to an hour. Between half of it and all of it, as the delivery
/// decides, so that what failed together does not come back together.
pub(crate) fn pause(first: Duration, delivery: &str, attempts: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1).min(31));
    let longest = first.saturating_mul(doubled).min(PAUSE_MAX);
    let digest = Sha256::new().chain_update(delivery).chain_update(attempts.to_le_bytes()).finalize();
    let share = f64::from(digest[0]) / 255.0;
    longest.mul_f64(0.5 + share / 2.0)
}

#[cfg(test)]
mod tests;

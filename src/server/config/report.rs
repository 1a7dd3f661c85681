//! `[report]`: when the weekly report is sent, to whom, and through which mail server.

use std::net::IpAddr;

use axum::http::Uri;
use chrono::Weekday;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::server::config::SecretSource;

/// At the beginning of the week the last one is looked at.
const HOUR: u32 = 8;
const RECIPIENTS_MAX: usize = 100;
const ADDRESS_CHARS_MAX: usize = 254;

/// `[report]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Report {
    /// The day of the week on which it is sent; it is about the seven days before.
    pub weekday: ReportDay,
    /// From this hour of that day on, in the zone of `utc_offset`.
    #[serde(deserialize_with = "hour")]
    pub hour: u32,
    /// Mail addresses; none: no mail.
    #[serde(deserialize_with = "addresses")]
    pub to: Vec<String>,
    /// The sender's address.
    #[serde(deserialize_with = "address")]
    pub from: Option<String>,
    /// The mail server.
    pub smtp: Option<MailServer>,
    /// Who signs in there.
    pub user: Option<String>,
    /// With what.
    pub password: Option<SecretSource>,
    /// Names of `[[webhooks]]` that get it as a message.
    pub webhooks: Vec<String>,
    /// The language of mails; robots are told in it, too.
    pub language: ReportLanguage,
    /// The address of this server as readers know it, for links.
    #[serde(deserialize_with = "base")]
    pub url: Option<String>,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            weekday: ReportDay::default(),
            hour: HOUR,
            to: Vec::new(),
            from: None,
            smtp: None,
            user: None,
            password: None,
            webhooks: Vec::new(),
            language: ReportLanguage::default(),
            url: None,
        }
    }
}

impl Report {
    /// Whether anybody gets it.
    #[must_use]
    pub fn has_recipients(&self) -> bool {
        !self.to.is_empty() || !self.webhooks.is_empty()
    }

    /// Refuses settings that belong together and do not agree; `webhooks` are the names that there are.
    ///
    /// # Errors
    /// The key at fault, and what to do.
    pub(crate) fn check<'a>(&self, webhooks: impl Iterator<Item = &'a str> + Clone) -> Result<(), String> {
        let needs = |given: bool, key: &str, missing: bool, other: &str| match given && missing {
            true => Err(format!("[report] 写了 {key} 就要写 {other} / [report] {key} needs {other}")),
            false => Ok(()),
        };
        needs(!self.to.is_empty(), "to", self.smtp.is_none(), "smtp")?;
        needs(!self.to.is_empty(), "to", self.from.is_none(), "from")?;
        needs(self.password.is_some(), "password", self.user.is_none(), "user")?;
        needs(self.user.is_some(), "user", self.password.is_none(), "password")?;
        if let Some(unknown) = self.webhooks.iter().find(|name| !webhooks.clone().any(|known| known == **name)) {
            return Err(format!(
                "[report] webhooks 里的 {unknown} 不在 [[webhooks]] 里 / {unknown} in [report] webhooks is none of [[webhooks]]"
            ));
        }
        match &self.smtp {
            Some(server) if self.password.is_some() && server.security == MailSecurity::None && !server.is_local() => Err(
                "[report] 密码不能不加密发给别的机器：smtp 请用 smtps:// 或 smtp:// / [report] a password does not go unencrypted to another machine: use smtps:// or smtp://"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }
}

/// The language of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ReportLanguage {
    #[default]
    Zh,
    En,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ReportDay {
    #[default]
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl From<ReportDay> for Weekday {
    fn from(day: ReportDay) -> Self {
        match day {
            ReportDay::Monday => Self::Mon,
            ReportDay::Tuesday => Self::Tue,
            ReportDay::Wednesday => Self::Wed,
            ReportDay::Thursday => Self::Thu,
            ReportDay::Friday => Self::Fri,
            ReportDay::Saturday => Self::Sat,
            ReportDay::Sunday => Self::Sun,
        }
    }
}

/// How the connection to a mail server is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MailSecurity {
    /// TLS from the first byte on.
    Tls,
    /// It begins in the clear and must become TLS before anything is told.
    StartTls,
    /// Not at all.
    None,
}

/// A mail server: `smtps://HOST`, `smtp://HOST` or `smtp+plain://HOST`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailServer {
    pub(crate) security: MailSecurity,
    pub(crate) host: String,
    pub(crate) port: u16,
    text: String,
}

impl MailServer {
    /// Whether it is on this machine.
    fn is_local(&self) -> bool {
        let address: Option<IpAddr> = self.host.trim_matches(['[', ']']).parse().ok();
        self.host == "localhost" || address.is_some_and(|address| address.is_loopback())
    }
}

impl TryFrom<String> for MailServer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let form = || {
            "要写成 smtps://主机（TLS）、smtp://主机（STARTTLS）或 smtp+plain://主机（不加密），可以加 :端口 / must be smtps://HOST (TLS), smtp://HOST (STARTTLS) or smtp+plain://HOST (unencrypted), with :PORT if need be".to_owned()
        };
        let uri: Uri = text.parse().map_err(|_| form())?;
        let (security, port) = match uri.scheme_str() {
            Some("smtps") => (MailSecurity::Tls, 465),
            Some("smtp") => (MailSecurity::StartTls, 587),
            Some("smtp+plain") => (MailSecurity::None, 25),
            _ => return Err(form()),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(form)?.to_owned();
        let is_bare = uri.path().trim_matches('/').is_empty() && uri.query().is_none() && !text.contains('@');
        if !is_bare {
            return Err(form());
        }
        Ok(Self { security, host, port: uri.port_u16().unwrap_or(port), text })
    }
}

impl From<MailServer> for String {
    fn from(server: MailServer) -> Self {
        server.text
    }
}

fn hour<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let hour = u32::deserialize(deserializer)?;
    if hour < 24 {
        return Ok(hour);
    }
    Err(de::Error::custom("必须在 0 到 23 之间 / must be from 0 to 23"))
}

/// Whether a text can be a mail address: `NAME@HOST` in ASCII, nothing around it.
fn is_address(text: &str) -> bool {
    text.chars().count() <= ADDRESS_CHARS_MAX
        && text.chars().all(|c| c.is_ascii_graphic() && !"<>,;\"\\".contains(c))
        && text.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty()
                && !host.is_empty()
                && !host.contains('@')
                && !host.starts_with('.')
                && !host.ends_with('.')
        })
}

const NO_ADDRESS: &str = "要是邮件地址（名字@主机） / must be a mail address (NAME@HOST)";

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if is_address(&text) { Ok(Some(text)) } else { Err(de::Error::custom(NO_ADDRESS)) }
}

fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let all = Vec::<String>::deserialize(deserializer)?;
    if all.len() > RECIPIENTS_MAX {
        return Err(de::Error::custom(format!("最多 {RECIPIENTS_MAX} 个 / at most {RECIPIENTS_MAX}")));
    }
    match all.iter().enumerate().find(|(at, text)| !is_address(text) || all[..*at].contains(text)) {
        Some((_, text)) => Err(de::Error::custom(format!("{text}: {NO_ADDRESS}，不能重复 / and stand there once"))),
        None => Ok(all),
    }
}

fn base<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let uri: Option<Uri> = text.parse().ok();
    let is_base = uri.is_some_and(|uri| {
        uri.scheme_str().is_some_and(|scheme| scheme == "http" || scheme == "https")
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.query().is_none()
    });
    if is_base && !text.contains(['#', '@']) {
        return Ok(Some(text.trim_end_matches('/').to_owned()));
    }
    Err(de::Error::custom("要是完整的 http:// 或 https:// 地址 / must be a whole http:// or https:// address"))
}

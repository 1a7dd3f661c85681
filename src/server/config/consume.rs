//! `[[consume]]`: messages out of NATS or Kafka. An entry is checked as a whole, because most of its keys depend on
//! which of the two it is.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::adapter::{Format, Voices};
use crate::server::config::{CONSUMED_MAX, CONSUMED_NAME_CHARS_MAX, Secret, SecretSource};

/// The `format` of native events.
const EVENTS: &str = "events";

/// One of `[[consume]]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Consume {
    /// Its name in logs and metrics, and before the numbers of its events.
    pub name: String,
    /// The servers. They may have a password in it.
    pub url: Secret,
    /// NATS: the subject, or a filter of the stream's.
    #[serde(default)]
    pub subject: Option<String>,
    /// JetStream: the stream.
    #[serde(default)]
    pub stream: Option<String>,
    /// JetStream: the name of the consumer; `tingjian-NAME` when not given.
    #[serde(default)]
    pub durable: Option<String>,
    /// Kafka: the topic.
    #[serde(default)]
    pub topic: Option<String>,
    /// Where a consumer that is new begins.
    #[serde(default)]
    pub from: ConsumeFrom,
    /// `events`, or a recogniser's.
    #[serde(default = "events")]
    pub format: String,
    /// Where a recogniser's message says which call it is of.
    #[serde(default)]
    pub call_id: Option<Place>,
    /// The agent, or where a message says who it is.
    #[serde(default)]
    pub agent_id: Option<Place>,
    /// The role, or where a message says it.
    #[serde(default)]
    pub role: Option<Place>,
    /// The agent's channel or speaker.
    #[serde(default)]
    pub agent_channel: Option<String>,
    /// The user's name.
    #[serde(default)]
    pub user: Option<String>,
    /// The user's password.
    #[serde(default)]
    pub password: Option<SecretSource>,
    /// NATS: a token instead of a user.
    #[serde(default)]
    pub token: Option<SecretSource>,
    /// NATS: the file of credentials that `nsc` writes.
    #[serde(default)]
    pub credentials: Option<PathBuf>,
    /// Kafka: how the password is told.
    #[serde(default)]
    pub sasl: Sasl,
    /// PEM file with the certificates that vouch for the servers; those of this machine when not given.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// PEM file with the certificate that servers ask for.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// PEM file with its private key.
    #[serde(default)]
    pub key: Option<PathBuf>,
}

/// Where a consumer that is new begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsumeFrom {
    /// With what comes from now on.
    #[default]
    New,
    /// With the first message that is kept.
    All,
}

/// How Kafka is told the password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[allow(missing_docs)]
pub enum Sasl {
    #[default]
    #[serde(rename = "plain")]
    Plain,
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
}

/// A word of the configuration, or where in a message it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The word itself.
    Word(String),
    /// A part of the subject, from 1.
    Token(usize),
    /// A header.
    Header(String),
    /// The key of the record.
    Key,
    /// A field of the message, from the outermost on.
    Field(Vec<String>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Token(index) => write!(f, "subject:{index}"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Key => f.write_str("key"),
            Self::Field(path) => write!(f, "field:{}", path.join(".")),
        }
    }
}

impl Serialize for Place {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let place = match text.split_once(':') {
            None if text == "key" => Self::Key,
            Some(("subject", token)) => match token.parse() {
                Ok(token @ 1..) => Self::Token(token),
                _ => {
                    return Err(de::Error::custom(
                        "subject: 后面是第几段，从 1 数起 / which part follows subject:, from 1",
                    ));
                }
            },
            Some(("header", name)) if !name.is_empty() => Self::Header(name.to_owned()),
            Some(("field", path)) if path.split('.').all(|name| !name.is_empty()) => {
                Self::Field(path.split('.').map(str::to_owned).collect())
            }
            _ => Self::Word(text),
        };
        Ok(place)
    }
}

fn events() -> String {
    EVENTS.to_owned()
}

/// The bus of an entry, by its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bus {
    Nats,
    Kafka,
}

/// Schemes of addresses: of which bus, and whether connections are sealed.
const SCHEMES: [(&str, Bus, bool); 4] = [
    ("nats://", Bus::Nats, false),
    ("tls://", Bus::Nats, true),
    ("kafka://", Bus::Kafka, false),
    ("kafka+tls://", Bus::Kafka, true),
];

impl Consume {
    /// The bus, whether its connections are sealed, and its servers; `None` where the address is of neither.
    pub(crate) fn servers(&self) -> Option<(Bus, bool, Vec<&str>)> {
        let url = self.url.reveal();
        let (scheme, bus, is_sealed) = SCHEMES.into_iter().find(|(scheme, ..)| url.starts_with(scheme))?;
        let servers: Vec<&str> = url.split(',').map(|server| server.strip_prefix(scheme).unwrap_or(server)).collect();
        let is_whole = |server: &&str| !server.is_empty() && !server.contains(['/', ' ']);
        servers.iter().all(is_whole).then_some((bus, is_sealed, servers))
    }

    /// The recogniser whose messages come; `None` for native events.
    pub(crate) fn asr(&self) -> Option<Format> {
        Format::from_name(&self.format)
    }

    /// The voices of a message whose role is known.
    ///
    /// # Errors
    /// The format needs another role, or a channel.
    pub(crate) fn voices(&self, format: Format, role: Option<&str>) -> Result<Voices, String> {
        format.voices(role, self.agent_channel.as_deref())
    }

    /// The first fault, in Chinese and English.
    fn fault(&self) -> Option<String> {
        let name_is_usable = (1..=CONSUMED_NAME_CHARS_MAX).contains(&self.name.len())
            && self.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !name_is_usable {
            return Some(format!(
                "name 要有 1 到 {CONSUMED_NAME_CHARS_MAX} 个字母、数字、- 或 _ / name has 1 to {CONSUMED_NAME_CHARS_MAX} letters, digits, - or _"
            ));
        }
        let Some((bus, ..)) = self.servers() else {
            return Some("url 写成 nats://主机:端口、tls://…、kafka://… 或 kafka+tls://…，几台用逗号隔开 / url is nats://HOST:PORT, tls://…, kafka://… or kafka+tls://…, several with commas between them".to_owned());
        };
        let foreign = match bus {
            Bus::Nats => [("topic", self.topic.is_some()), ("sasl", self.sasl != Sasl::default())].to_vec(),
            Bus::Kafka => [
                ("subject", self.subject.is_some()),
                ("stream", self.stream.is_some()),
                ("durable", self.durable.is_some()),
                ("token", self.token.is_some()),
                ("credentials", self.credentials.is_some()),
            ]
            .to_vec(),
        };
        let bus_name = if bus == Bus::Nats { "NATS" } else { "Kafka" };
        if let Some((key, _)) = foreign.into_iter().find(|(_, is_given)| *is_given) {
            return Some(format!("{bus_name} 没有 {key} / there is no {key} with {bus_name}"));
        }
        if bus == Bus::Kafka && cfg!(not(feature = "kafka")) {
            return Some("这个程序编译时没有带 kafka / this program was built without kafka".to_owned());
        }
        match bus {
            Bus::Nats if self.subject.is_none() && self.stream.is_none() => {
                return Some("NATS 要写 subject 或 stream / NATS needs a subject or a stream".to_owned());
            }
            Bus::Kafka if self.topic.is_none() => return Some("Kafka 要写 topic / Kafka needs a topic".to_owned()),
            _ => {}
        }
        if self.durable.is_some() && self.stream.is_none() {
            return Some("durable 要和 stream 一起写 / durable needs a stream".to_owned());
        }
        if self.user.is_some() != self.password.is_some() {
            return Some("user 和 password 要一起写 / user and password go together".to_owned());
        }
        if self.certificate.is_some() != self.key.is_some() {
            return Some("certificate 和 key 要一起写 / certificate and key go together".to_owned());
        }
        self.fault_of_places(bus)
    }

    fn fault_of_places(&self, bus: Bus) -> Option<String> {
        let places = [("call_id", &self.call_id), ("agent_id", &self.agent_id), ("role", &self.role)];
        let given = || places.iter().filter_map(|(key, place)| Some((*key, place.as_ref()?)));
        let Some(format) = self.asr() else {
            if self.format != EVENTS {
                let names = Format::names();
                return Some(format!("format 是 {EVENTS} 或其中之一：{names} / format is {EVENTS} or one of these"));
            }
            let place = given().map(|(key, _)| key).chain(self.agent_channel.as_ref().map(|_| "agent_channel")).next();
            return place.map(|key| format!("{EVENTS} 里已有 {key}，这里不写 / with {EVENTS} there is no {key} here"));
        };
        if let Some((key, _)) = given().find(|(_, place)| match place {
            Place::Token(_) => bus == Bus::Kafka,
            Place::Key => bus == Bus::Nats,
            Place::Word(_) | Place::Header(_) | Place::Field(_) => false,
        }) {
            return Some(format!(
                "{key}：subject: 用于 NATS，key 用于 Kafka / {key}: subject: is for NATS, key for Kafka"
            ));
        }
        if matches!(self.call_id, None | Some(Place::Word(_))) {
            return Some("call_id 要写从哪里取：subject:段、header:名称、key 或 field:字段 / call_id is one of subject:PART, header:NAME, key or field:NAME".to_owned());
        }
        // A role out of the message is known later; any one stands for it here.
        let role = self.role.as_ref().map(|role| match role {
            Place::Word(word) => word.as_str(),
            _ => "agent",
        });
        self.voices(format, role).err()
    }
}

/// Reads the entries, each of which is in order and has a name of its own.
pub(super) fn entries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Consume>, D::Error> {
    let entries = Vec::<Consume>::deserialize(deserializer)?;
    if entries.len() > CONSUMED_MAX {
        return Err(de::Error::custom(format!("最多 {CONSUMED_MAX} 个 / at most {CONSUMED_MAX}")));
    }
    for (index, entry) in entries.iter().enumerate() {
        if let Some(fault) = entry.fault() {
            return Err(de::Error::custom(fault));
        }
        if entries[..index].iter().any(|other| other.name == entry.name) {
            let message = "name 不能重复 / each name is used once";
            return Err(de::Error::custom(message));
        }
    }
    Ok(entries)
}

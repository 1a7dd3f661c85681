//! From wire shapes to the engine's inputs, and from its alerts to theirs.
//!
//! [`native`] reads call events and [`alert_json`] writes alerts, both in the wire
//! format of `docs/events.md`. [`dialogue`] reads dialogues that people type. Each
//! further module reads the result messages of one speech recogniser, verbatim, or
//! the events of a switch. All of it is pure: text and the call's time go in,
//! values come out.
//!
//! `stream` and `shape` serve all recognisers: `stream` gives ids and times and
//! drops repetitions, `shape` reads fields that several wire formats write alike.
//! The module of a system holds only its own quirks. `schema` (feature `server`)
//! describes the engine's types for OpenAPI.

pub mod alert_json;
pub mod aws;
pub mod azure;
pub mod baidu;
mod course;
pub mod dashscope;
pub mod deepgram;
pub mod dialogue;
pub mod freeswitch;
pub mod funasr;
pub mod huawei;
pub mod iflytek;
pub mod masking;
pub mod native;
pub mod nls;
#[cfg(feature = "learning")]
pub mod schema;
mod shape;
pub mod sherpa_onnx;
mod stream;
pub mod table;
pub mod tencent;
pub mod volcengine;
pub mod vosk;
pub mod wenet;
pub mod whisperlive;

use std::fmt;

use crate::engine::time::CallTime;
use crate::engine::transcript::{Input, Role};

/// One channel of one recogniser: its messages in, the engine's inputs out.
///
/// An adapter lives as long as the connection and keeps what the messages of
/// that connection build on (an open hypothesis, the end of the last sentence).
pub trait Adapter: Send {
    /// Takes one message, which arrived at `now` of the call's clock, and
    /// appends what it says to `inputs`. What was appended before an error
    /// stays valid: a message may close a sentence and report a fault at once.
    ///
    /// # Errors
    /// The message is not one of this recogniser's, or reports a fault of the
    /// recogniser itself. The connection goes on.
    fn message(&mut self, text: &str, now: CallTime, inputs: &mut Vec<Input>) -> Result<(), Unrecognised>;

    /// The connection is over: what is still open becomes final.
    fn finish(&mut self, inputs: &mut Vec<Input>);

    /// How often the stamps of the stream jumped since this was last asked.
    fn take_jumps(&mut self) -> u32 {
        0
    }
}

/// The facts about a connection that its adapter is given once.
#[derive(Clone, Debug)]
pub struct Leg {
    /// The voices it carries.
    pub voices: Voices,
    /// The call's time at which the audio of this connection begins, before the
    /// answer too; the recogniser counts from there.
    pub began: CallTime,
    /// Put before every utterance id, so that legs and reconnects, which all
    /// count from zero, never meet in one call.
    pub id_prefix: String,
}

/// The voices that a connection carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Voices {
    /// One, whose role is known.
    One(Role),
    /// Both parties', told apart by the system; the agent's channel or speaker
    /// is named, every other one is the customer.
    AgentOn(String),
}

impl Voices {
    /// The role of a channel or speaker; `None` while the system does not know it.
    fn role(&self, channel: Option<&str>) -> Option<Role> {
        match self {
            Self::One(role) => Some(*role),
            Self::AgentOn(agent) => {
                let channel = channel.map(plain_channel).filter(|name| !matches!(*name, "" | "-1"))?;
                if channel.eq_ignore_ascii_case("unknown") {
                    return None;
                }
                let is_agent = channel.eq_ignore_ascii_case(plain_channel(agent));
                Some(if is_agent { Role::Agent } else { Role::Customer })
            }
        }
    }

    /// A word for ids.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::One(Role::Agent) => "agent",
            Self::One(Role::Customer) => "customer",
            Self::One(Role::System) => "system",
            Self::AgentOn(_) => "both",
        }
    }
}

/// `ch_0`, `spk_0` and `0` name the same channel.
fn plain_channel(name: &str) -> &str {
    name.strip_prefix("ch_").or_else(|| name.strip_prefix("spk_")).unwrap_or(name)
}

/// A message that could not be used, and why. The reason never quotes the
/// transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unrecognised {
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

impl Unrecognised {
    fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }
}

impl fmt::Display for Unrecognised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}", self.zh, self.en)
    }
}

impl std::error::Error for Unrecognised {}

/// How a format's connections tell the speakers apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telling {
    /// Not at all: one connection is one role.
    Role,
    /// The system may tell channels or speakers apart.
    Channels,
    /// There is no voice, but the legs of a switch.
    Legs,
}

macro_rules! formats {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $telling:ident, $adapter:path;)*) => {
        /// The formats of `/v1/ingest/{format}`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Format {
            $($(#[$doc])* $variant,)*
        }

        impl Format {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in the path.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            const fn telling(self) -> Telling {
                match self {
                    $(Self::$variant => Telling::$telling,)*
                }
            }

            /// A fresh adapter for one connection.
            #[must_use]
            pub fn adapter(self, leg: Leg) -> Box<dyn Adapter> {
                match self {
                    $(Self::$variant => Box::new($adapter(leg)),)*
                }
            }
        }
    };
}

formats! {
    /// FunASR's WebSocket servers, C++ and Python, and that of Fun-ASR-Nano.
    Funasr = "funasr", Role, funasr::Funasr::new;
    /// Alibaba NLS, and what speaks as it does.
    Nls = "nls", Role, nls::adapter;
    /// DashScope: paraformer, fun-asr and Qwen-ASR.
    Dashscope = "dashscope", Role, dashscope::adapter;
    /// sherpa-onnx's servers, C++ and Python.
    SherpaOnnx = "sherpa-onnx", Role, sherpa_onnx::adapter;
    /// Tencent Cloud, also with speakers.
    Tencent = "tencent", Channels, tencent::adapter;
    /// iFlytek RTASR, standard and LLM, and IAT.
    Iflytek = "iflytek", Channels, iflytek::adapter;
    /// Volcengine (Doubao).
    Volcengine = "volcengine", Channels, volcengine::adapter;
    /// Baidu.
    Baidu = "baidu", Role, baidu::adapter;
    /// Huawei Cloud RASR.
    Huawei = "huawei", Role, huawei::adapter;
    /// WeNet's runtime.
    Wenet = "wenet", Role, wenet::adapter;
    /// Vosk's server.
    Vosk = "vosk", Role, vosk::adapter;
    /// Deepgram, and what speaks as it does.
    Deepgram = "deepgram", Channels, deepgram::adapter;
    /// AWS Transcribe and its Call Analytics.
    Aws = "aws", Channels, aws::adapter;
    /// Azure Speech.
    Azure = "azure", Channels, azure::adapter;
    /// WhisperLive.
    Whisperlive = "whisperlive", Role, whisperlive::adapter;
    /// FreeSWITCH's events: what happens to a call, not what is said.
    Freeswitch = "freeswitch", Legs, freeswitch::Freeswitch::new;
}

impl Format {
    /// The format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.name() == name)
    }

    /// The names of all formats, for people.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.iter().map(|format| format.name()).collect::<Vec<_>>().join(", ")
    }

    /// The voices that a connection carries, from the `role` and `agent_channel` of its address.
    ///
    /// # Errors
    /// Neither, both, or one that the format cannot have; for people.
    pub fn voices(self, role: Option<&str>, agent_channel: Option<&str>) -> Result<Voices, String> {
        let name = self.name();
        if let Some(channel) = agent_channel {
            native::check_id("agent_channel", channel).map_err(|fault| fault.to_string())?;
        }
        match (self.telling(), role, agent_channel) {
            (Telling::Legs, Some(_), _) => Err(format!(
                "{name} 不说话，没有 role；坐席一路用 agent_channel 指明 / {name} has no voice and no role; agent_channel names the agent's leg"
            )),
            (Telling::Legs, None, channel) => Ok(Voices::AgentOn(channel.unwrap_or(freeswitch::CALLED_LEG).to_owned())),
            (_, Some(_), Some(_)) => {
                Err("role 和 agent_channel 只能给一个 / give either role or agent_channel, not both".to_owned())
            }
            (Telling::Role, None, Some(_)) => Err(format!(
                "{name} 不区分声道，不能用 agent_channel；每路一个连接，用 role / {name} does not tell channels apart: no agent_channel, but a connection with its role for each"
            )),
            (_, Some(role), None) => {
                native::role_from_name(role).map(Voices::One).map_err(|fault| fault.to_string())
            }
            (Telling::Channels, None, Some(channel)) => Ok(Voices::AgentOn(channel.to_owned())),
            (Telling::Role, None, None) => {
                Err("缺少 role；可用的有：agent, customer, system / role is missing".to_owned())
            }
            (Telling::Channels, None, None) => Err(
                "缺少 role（agent, customer, system）或 agent_channel（坐席的声道或说话人）/ role is missing, or agent_channel, the agent's channel or speaker".to_owned(),
            ),
        }
    }
}

//! From wire shapes to the engine's inputs, and from its alerts to theirs.
//!
//! [`native`] reads the call events of contract §1, [`alert_json`] writes the
//! alerts of §2, and each further module reads the result messages of one
//! speech recogniser, verbatim. All of it is pure: text and the call's time go
//! in, values come out.

pub mod alert_json;
pub mod funasr;
pub mod native;

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
}

/// What a connection tells its adapter once.
#[derive(Clone, Debug)]
pub struct Leg {
    /// Whose voice the channel carries.
    pub role: Role,
    /// The call's time at which the audio of this connection begins; the
    /// recogniser counts from there.
    pub began: CallTime,
    /// Put before every utterance id, so that legs and reconnects, which all
    /// count from zero, never meet in one call.
    pub id_prefix: String,
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

/// The recognisers that `/v1/ingest/{format}` understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// FunASR's WebSocket servers, C++ and Python.
    Funasr,
}

impl Format {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Funasr];

    /// The name in the path.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Funasr => "funasr",
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.name() == name)
    }

    /// A fresh adapter for one connection.
    #[must_use]
    pub fn adapter(self, leg: Leg) -> Box<dyn Adapter> {
        match self {
            Self::Funasr => Box::new(funasr::Funasr::new(leg)),
        }
    }
}

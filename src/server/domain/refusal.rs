//! Why the server refuses what is well-formed: codes for machines, words for people.

use std::fmt::Display;

use chrono::{DateTime, FixedOffset};
use serde::Serialize;
use utoipa::ToSchema;

use crate::adapter::native::Number;
use crate::server::config::PERSON_CHARS_MAX;
use crate::server::domain::draft::DraftRefusal;
use crate::server::domain::principal::Unnamed;
use crate::server::domain::review::Impossible;

/// A reason to refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No `call.start` came, or the call is over.
    UnknownCall,
    /// The limit of calls is reached.
    TooManyCalls { max: usize },
    /// The connection has as many calls as one may have.
    TooManyCallsOfConnection { max: usize },
    /// The token has as many calls as one may have.
    TooManyCallsOfToken { max: usize },
    /// The engine panicked in this call.
    CallFailed,
    /// The server is stopping.
    Stopping,
    /// The limit of connections is reached.
    TooManyConnections,
    /// The address has as many connections as one may have.
    TooManyConnectionsOfAddress,
    /// The limit of subscribers is reached.
    TooManySubscribers,
    /// A text frame was larger than allowed.
    FrameTooLarge { bytes: usize, max: usize },
    /// An utterance was longer than allowed.
    UtteranceTooLong { chars: usize, max: usize },
    /// The producer is faster than allowed and waits; nothing is dropped.
    Slowed { max: u32 },
    /// Frames are text.
    BinaryFrame,
    /// An event of another call than the connection's.
    WrongCall,
    /// A recogniser's message before the call is known.
    NoCall,
    /// The call is not in progress, and its agent was not named.
    NoAgent,
    /// The call was closed.
    CallOver,
    /// Another agent has the call.
    OtherAgent { agent_id: String },
    /// The event's number is so old that nobody knows whether it was taken.
    SeqPassed,
    /// The call has as many named producers as it may have.
    TooManyProducers { max: usize },
    /// The agent has no such alert.
    UnknownAlert,
    /// The store has no such call.
    NoSuchCall,
    /// The call is not in progress.
    NotInProgress,
    /// Another supervisor has taken the call.
    CallTaken { by: String },
    /// The supervisor has not taken the call.
    NotTaken,
    /// Nobody flagged the call, or it was reviewed since.
    NoSuchFlag,
    /// The agent was sent as many words in this call as may be.
    TooManyHelps { max: usize },
    /// The caller wrote as many words to the agent of the call in the last minute as one may.
    HelpsTooFast { max: usize, wait_s: i64 },
    /// The agent was sent no such words.
    UnknownHelp,
    /// The telephone system offers no such way in.
    NoWayIn,
    /// The server writes as many exports as it may at once.
    TooManyExports,
    /// The server answers as many questions about edited rules as it may at once.
    Busy,
    /// A backtest is running.
    BacktestRunning,
    /// A model is being learned.
    LearningRunning,
    /// An agent's answer to an alert that cannot be read.
    InvalidFeedback { reason: String },
    /// A step of a review that cannot be read.
    InvalidReview { reason: String },
    /// A step has to say who takes it.
    Unnamed(Unnamed),
    /// The course of an alert does not allow a step.
    Impossible(Impossible),
    /// A draft does not take a step.
    Draft(DraftRefusal),
    /// The id stands for the alerts of several calls.
    SeveralCalls,
    /// Words are encrypted in the store, and so not indexed.
    NotSearchable,
    /// A verdict on a sample that is not to be given so.
    NotGiven(NotGiven),
    /// A scoring form that is not taken.
    Unfilled(Unfilled),
    /// A change of training clips that is not taken.
    Uncollected(Uncollected),
    /// A step in a calibration session that is not taken.
    Uncalibrated(Uncalibrated),
    /// Only its agent appeals.
    AgentsOnly,
    /// The person has as many views of the page as one may have.
    TooManyViews { max: usize },
    /// There is no such view, or it is somebody else's.
    NoSuchView,
    /// There is no such list to export.
    NoSuchTable,
    /// `[report]` names nobody.
    NoRecipients,
    /// The store has no such version of the rules.
    UnknownVersion,
    /// The store could not be read or written.
    StoreFailed { error: String },
}

/// Why a verdict on a sample is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotGiven {
    /// There is no such sample.
    Unknown,
    /// It was given to somebody else.
    OfAnother,
    /// It is judged otherwise.
    OtherVerdict,
    /// It was decided before.
    Done,
}

/// The person who changed the same thing earlier, and the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct First {
    by: String,
    at: DateTime<FixedOffset>,
}

impl First {
    pub(crate) fn new(by: String, at_ms: i64) -> Self {
        Self { by, at: DateTime::from_timestamp_millis(at_ms).unwrap_or_default().fixed_offset() }
    }

    fn seen_in(self, zone: FixedOffset) -> Self {
        Self { at: self.at.with_timezone(&zone), ..self }
    }

    fn at(&self) -> impl Display {
        self.at.format("%F %H:%M:%S")
    }
}

/// Why a scoring form, a change of it or an answer to it is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfilled {
    /// There is no such filled form, or it is another agent's.
    Unknown,
    NoSuchCall,
    CallInProgress,
    /// This agent has one of this form about this call.
    AlreadyFilled(First),
    /// It was filled in another form.
    OtherForm,
    /// Somebody changed it meanwhile.
    Changed(First),
    /// Its agent has answered.
    AlreadySigned,
    /// It has as many revisions as it may have.
    TooMany,
}

impl Unfilled {
    /// With times as the zone of the server has them.
    pub(crate) fn seen_in(self, zone: FixedOffset) -> Self {
        match self {
            Self::AlreadyFilled(first) => Self::AlreadyFilled(first.seen_in(zone)),
            Self::Changed(first) => Self::Changed(first.seen_in(zone)),
            other => other,
        }
    }

    const fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "no_such_form",
            Self::NoSuchCall => "no_such_call",
            Self::CallInProgress => "call_in_progress",
            Self::AlreadyFilled(_) => "already_filled",
            Self::OtherForm => "other_form",
            Self::Changed(_) => "changed",
            Self::AlreadySigned => "already_signed",
            Self::TooMany => "too_many_steps",
        }
    }

    fn message(&self) -> String {
        let told = match self {
            Self::Unknown => "没有这份评分 / no such filled form",
            Self::NoSuchCall => "没有这通通话 / no such call",
            Self::CallInProgress => "通话还没有结束，结束后再评分 / the call goes on; score it when it is over",
            Self::AlreadyFilled(first) => {
                let (by, at) = (&first.by, first.at());
                return format!(
                    "{by} 在 {at} 已经用这份表给这位坐席评过分，请改那一份 / {by} filled this form about this agent at {at}; change that one"
                );
            }
            Self::OtherForm => "这份评分用的是另一份表 / it was filled in another form",
            Self::Changed(first) => {
                let (by, at) = (&first.by, first.at());
                return format!("{by} 在 {at} 改过，请刷新再看 / {by} changed it at {at}; look again");
            }
            Self::AlreadySigned => {
                "已经签收过；复核人改分之后可以再签 / it is signed; after a change it may be signed again"
            }
            Self::TooMany => "这份评分改过太多次 / it was changed too often",
        };
        told.to_owned()
    }
}

/// Why a change of training clips is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Uncollected {
    /// There is no such collection, or the agent may not read it.
    Unknown,
    /// It has as many clips as it may have.
    Full,
    /// There are as many collections as there may be.
    TooMany,
    /// Somebody changed it since it was read.
    Changed(First),
    /// Only this person, who made it, or an admin removes it.
    NotOwner { owner: String },
}

/// Why a step in a calibration session is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Uncalibrated {
    /// There is no such session or case.
    Unknown,
    /// It is over.
    Closed,
    /// It was given to others.
    OfOthers,
    /// An alert takes a verdict, a call the answers of a form.
    OtherSort,
    /// Somebody else made it.
    NotMaker,
    CallInProgress,
}

impl Uncollected {
    /// With times as the zone of the server has them.
    pub(crate) fn seen_in(self, zone: FixedOffset) -> Self {
        match self {
            Self::Changed(first) => Self::Changed(first.seen_in(zone)),
            other => other,
        }
    }

    const fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "no_such_clips",
            Self::Full => "clips_full",
            Self::TooMany => "too_many_clips",
            Self::Changed(_) => "changed",
            Self::NotOwner { .. } => "not_owner",
        }
    }

    fn message(&self) -> String {
        let told = match self {
            Self::Unknown => "没有这个片段集，或没有给您看 / no such collection, or it is not shared with you",
            Self::Full => "一个片段集最多 50 条，请另建一个 / a collection has at most 50 clips; make another",
            Self::TooMany => "片段集太多，请删掉不用的 / there are too many collections; remove some",
            Self::Changed(first) => {
                let (by, at) = (&first.by, first.at());
                return format!(
                    "{by} 在 {at} 改过这个片段集，请刷新再改 / {by} changed this collection at {at}; look again"
                );
            }
            Self::NotOwner { owner } => {
                return format!(
                    "这是 {owner} 的片段集，只有本人或管理员能删除 / this is {owner}'s collection; only they or an admin may remove it"
                );
            }
        };
        told.to_owned()
    }
}

impl Uncalibrated {
    const fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::Unknown => {
                ("no_such_case", "没有这次校准，或其中没有这个案例 / no such session, or no such case in it")
            }
            Self::Closed => ("closed", "校准已经结束 / the session is closed"),
            Self::OfOthers => ("not_given", "这次校准没有您 / the session was given to others"),
            Self::OtherSort => {
                ("other_verdict", "预警写 verdict，通话写 answers / an alert takes verdict, a call answers")
            }
            Self::NotMaker => {
                ("not_maker", "只有发起人或管理员能提前结束 / only who made it or an admin may close it early")
            }
            Self::CallInProgress => ("call_in_progress", "通话还没有结束 / the call goes on"),
        }
    }
}

impl From<Unnamed> for Refusal {
    fn from(unnamed: Unnamed) -> Self {
        Self::Unnamed(unnamed)
    }
}

impl Refusal {
    /// The store could not be read or written.
    pub(crate) fn store(error: impl Display) -> Self {
        Self::StoreFailed { error: error.to_string() }
    }

    /// Its name on the wire and in metrics.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::UnknownCall => "unknown_call",
            Self::TooManyCalls { .. } => "too_many_calls",
            Self::TooManyCallsOfConnection { .. } => "too_many_calls_of_connection",
            Self::TooManyCallsOfToken { .. } => "too_many_calls_of_token",
            Self::CallFailed => "call_failed",
            Self::Stopping => "stopping",
            Self::TooManyConnections => "too_many_connections",
            Self::TooManyConnectionsOfAddress => "too_many_connections_of_address",
            Self::TooManySubscribers => "too_many_subscribers",
            Self::FrameTooLarge { .. } => "frame_too_large",
            Self::UtteranceTooLong { .. } => "utterance_too_long",
            Self::Slowed { .. } => "slowed",
            Self::BinaryFrame => "binary_frame",
            Self::WrongCall => "wrong_call",
            Self::NoCall => "no_call",
            Self::NoAgent => "no_agent",
            Self::CallOver => "call_over",
            Self::OtherAgent { .. } => "other_agent",
            Self::SeqPassed => "seq_passed",
            Self::TooManyProducers { .. } => "too_many_producers",
            Self::UnknownAlert => "unknown_alert",
            Self::NoSuchCall => "no_such_call",
            Self::NotInProgress => "not_in_progress",
            Self::CallTaken { .. } => "call_taken",
            Self::NotTaken => "not_taken",
            Self::NoSuchFlag => "no_such_flag",
            Self::TooManyHelps { .. } => "too_many_helps",
            Self::HelpsTooFast { .. } => "helps_too_fast",
            Self::UnknownHelp => "unknown_help",
            Self::NoWayIn => "no_way_in",
            Self::TooManyExports => "too_many_exports",
            Self::Busy => "busy",
            Self::BacktestRunning => "backtest_running",
            Self::LearningRunning => "learning_running",
            Self::InvalidFeedback { .. } => "invalid_feedback",
            Self::InvalidReview { .. } => "invalid_review",
            Self::Unnamed(Unnamed::Other) => "other_person",
            Self::Unnamed(_) => "unnamed",
            Self::Impossible(impossible) => impossible.code(),
            Self::Draft(refusal) => refusal.code(),
            Self::SeveralCalls => "several_calls",
            Self::NotGiven(NotGiven::Unknown) => "no_such_sample",
            Self::NotGiven(NotGiven::OfAnother) => "not_given",
            Self::NotGiven(NotGiven::OtherVerdict) => "other_verdict",
            Self::NotGiven(NotGiven::Done) => "already_done",
            Self::NotSearchable => "not_searchable",
            Self::Unfilled(unfilled) => unfilled.code(),
            Self::Uncollected(why) => why.code(),
            Self::Uncalibrated(why) => why.told().0,
            Self::AgentsOnly => "agents_only",
            Self::TooManyViews { .. } => "too_many_views",
            Self::NoSuchView => "no_such_view",
            Self::NoSuchTable => "no_such_table",
            Self::NoRecipients => "no_recipients",
            Self::UnknownVersion => "unknown_version",
            Self::StoreFailed { .. } => "store_failed",
        }
    }

    /// The fault and the remedy, in Chinese and English.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::UnknownCall => {
                "没有这通通话：请先发送 call.start，或通话已结束 / no such call: send call.start first, or it is over"
                    .to_owned()
            }
            Self::TooManyCalls { max } => {
                format!("同时进行的通话已达上限 {max}，请稍后重试 / {max} calls are in progress already; try later")
            }
            Self::TooManyCallsOfConnection { max } => {
                format!("这条连接进行中的通话已达上限 {max}，请分到几条连接，或稍后重试（calls_per_connection_max） / {max} calls of this connection are in progress already; use several connections, or try later (calls_per_connection_max)")
            }
            Self::TooManyCallsOfToken { max } => {
                format!("这个令牌进行中的通话已达上限 {max}，请稍后重试（calls_per_token_max） / {max} calls of this token are in progress already; try later (calls_per_token_max)")
            }
            Self::CallFailed => {
                "处理这通通话时内部出错，该通话已关闭 / an internal fault in this call; it was closed".to_owned()
            }
            Self::Stopping => "服务正在停止，请重连后重发 / the server is stopping; reconnect and resend".to_owned(),
            Self::TooManyConnections => {
                "连接数已达上限，请稍后重试（connections_max） / there are as many connections as may be; try later (connections_max)".to_owned()
            }
            Self::TooManyConnectionsOfAddress => {
                "这个地址的连接数已达上限，请稍后重试；代理后面请把 connections_per_address_max 设为 0 / this address has as many connections as one may have; try later, or behind a proxy set connections_per_address_max = 0".to_owned()
            }
            Self::TooManySubscribers => "订阅者已达上限 / too many subscribers".to_owned(),
            Self::FrameTooLarge { bytes, max } => {
                format!("消息有 {bytes} 字节，最多 {max} 字节 / the message has {bytes} bytes; at most {max} are allowed")
            }
            Self::UtteranceTooLong { chars, max } => {
                format!("text 有 {chars} 字，最多 {max} 字（utterance_chars_max） / text has {chars} characters; at most {max} are allowed (utterance_chars_max)")
            }
            Self::Slowed { max } => {
                format!("每秒超过 {max} 条，已放慢读取，不会丢弃（events_per_second_max） / more than {max} a second: reading is slowed, nothing is dropped (events_per_second_max)")
            }
            Self::BinaryFrame => "只接受文本帧 / only text frames are taken".to_owned(),
            Self::WrongCall => {
                "这条连接属于另一通通话 / this connection belongs to another call".to_owned()
            }
            Self::NoCall => {
                "还不知道是哪通通话：请在地址中给出 call_id，或先发送 call.start / unknown call: give call_id in the address, or send call.start first"
                    .to_owned()
            }
            Self::CallOver => {
                "通话已结束并关闭；新的通话请用新的 call_id，或新的 started_at / the call is over and closed; a new call needs a call_id or started_at of its own"
                    .to_owned()
            }
            Self::OtherAgent { agent_id } => {
                format!("这通通话属于坐席 {agent_id}；这里的坐席另算，他说的话记在他名下 / the call is {agent_id}'s; the agent named here is another one, whose words are their own")
            }
            Self::SeqPassed => {
                "seq 太旧，已无法判断是否收过，没有保存；请给每个发送方写上 producer，并让 seq 递增 / seq is too old to tell whether it was taken, and the event is not kept; name each producer, and let seq rise".to_owned()
            }
            Self::TooManyProducers { max } => {
                format!("一通通话最多 {max} 个 producer / a call has at most {max} producers")
            }
            Self::UnknownAlert => "该坐席没有这条预警 / this agent has no such alert".to_owned(),
            Self::NoSuchCall => "没有这通通话，或已超过保留期 / no such call, or it is no longer kept".to_owned(),
            Self::NotInProgress => "这通通话不在进行中 / this call is not in progress".to_owned(),
            Self::CallTaken { by } => {
                format!("{by} 已经接手这通；要换人，请在 instead_of 里写明 / {by} has taken this call; to take it over, name them in instead_of")
            }
            Self::NotTaken => "这通不是你接手的，或已经放开 / you have not taken this call, or gave it back".to_owned(),
            Self::NoSuchFlag => "没有这个待复核的标记，或已经处理 / no such flag is open".to_owned(),
            Self::TooManyHelps { max } => {
                format!("一通通话最多给坐席写 {max} 句 / the agent of a call is sent at most {max} words of help")
            }
            Self::HelpsTooFast { max, wait_s } => {
                format!("一分钟里最多给同一通写 {max} 句，坐席来不及看；{wait_s} 秒后再写 / at most {max} words a minute to the agent of one call: write again in {wait_s} s")
            }
            Self::UnknownHelp => "坐席没有收到过这句话 / the agent was sent no such words".to_owned(),
            Self::NoWayIn => {
                "没有配置 supervision.monitor_url，或它没有这种方式 / supervision.monitor_url is not configured, or has no such mode".to_owned()
            }
            Self::TooManyExports => {
                "正在进行的导出已达上限，请稍后重试 / as many exports are under way as may be; try later".to_owned()
            }
            Self::BacktestRunning => "已有一个回测在运行，请等它结束 / a backtest is running; wait until it is over".to_owned(),
            Self::LearningRunning => "正在学模型，请等它结束 / a model is being learned; wait until it is over".to_owned(),
            Self::Busy => "正在处理别人的请求，请稍后重试 / others are being answered; try later".to_owned(),
            Self::InvalidFeedback { reason } => {
                format!("应形如 {{\"type\":\"seen\",\"alert_id\":…}} 或 {{\"type\":\"dismiss\",\"alert_id\":…,\"reason\":…}} 或 {{\"type\":\"appeal\",\"alert_id\":…,\"reason\":…}} / must look like one of these: {reason}")
            }
            Self::InvalidReview { reason } => {
                format!("应形如 {{\"action\":\"confirm\"}} 或 {{\"action\":\"dismiss\",\"reason\":…}}，action 是 confirm、dismiss、grant、reject 或 undo / must look like one of these; action is confirm, dismiss, grant, reject or undo: {reason}")
            }
            Self::Unnamed(Unnamed::Missing) => {
                "没有配置令牌，请用 by 写明是谁 / without tokens, say who you are in by".to_owned()
            }
            Self::Unnamed(Unnamed::Unusable) => format!(
                "by 要有 1 到 {PERSON_CHARS_MAX} 个字，首尾没有空格，没有控制字符 / by has 1 to {PERSON_CHARS_MAX} characters, no spaces around it, no control characters"
            ),
            Self::Unnamed(Unnamed::Other) => {
                "by 和令牌的姓名不一致；有令牌时不必写 by / by is not the token's name; with a token there is no need of it".to_owned()
            }
            Self::Impossible(impossible) => impossible.message().to_owned(),
            Self::Draft(refusal) => refusal.message().to_owned(),
            Self::SeveralCalls => {
                "这个编号对应几通通话，请用 call_id 和 started_at 说明是哪一通 / this id stands for alerts of several calls: give call_id and started_at".to_owned()
            }
            Self::NotSearchable => {
                "通话文字是加密存储的（[privacy] key），不建索引，不能搜索 / words are encrypted in the store ([privacy] key) and not indexed, so they cannot be searched".to_owned()
            }
            Self::NotGiven(reason) => match reason {
                NotGiven::Unknown => "没有这个任务 / no such sample",
                NotGiven::OfAnother => "这个任务分给了别人 / it was given to somebody else",
                NotGiven::OtherVerdict => {
                    "整通用 read，盲评用 confirm 或 dismiss，其余的预警请直接复核 / a call takes read, a second look confirm or dismiss; other alerts are reviewed"
                }
                NotGiven::Done => "这个任务已经做过了 / it was decided before",
            }
            .to_owned(),
            Self::Unfilled(unfilled) => unfilled.message(),
            Self::Uncollected(why) => why.message(),
            Self::Uncalibrated(why) => why.told().1.to_owned(),
            Self::AgentsOnly => {
                "只有坐席本人能答复和申诉，请用坐席的令牌 / only the agent may answer and appeal, with a token of theirs".to_owned()
            }
            Self::TooManyViews { max } => {
                format!("每个页面最多保存 {max} 个视图，请先删除不用的 / a page has at most {max} views of a person; remove one first")
            }
            Self::NoSuchView => "自己没有这个视图 / there is no such view of yours".to_owned(),
            Self::NoSuchTable => {
                "没有这个列表：calls、scores、rules、reviews、samples / no such list: calls, scores, rules, reviews, samples".to_owned()
            }
            Self::NoRecipients => {
                "配置的 [report] 里没有收件人（to 或 webhooks） / [report] names no recipients (to or webhooks)".to_owned()
            }
            Self::UnknownVersion => {
                "没有这个规则版本，或已不再保留 / no such version of the rules, or it is no longer kept".to_owned()
            }
            Self::StoreFailed { error } => format!("存储出错，请稍后重试 / the store failed; try later: {error}"),
            Self::NoAgent => {
                "通话尚未开始：请在地址中给出 agent_id，或先发送 call.start / the call has not started: give agent_id in the address, or send call.start first"
                    .to_owned()
            }
        }
    }
}

/// An `error` message; `docs/events.md` lists the codes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorMessage<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    producer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    /// The parameter that cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl<'a> ErrorMessage<'a> {
    /// A fault that belongs to no event.
    pub(crate) const fn new(code: &'a str, message: &'a str) -> Self {
        Self { kind: "error", code, message, call_id: None, producer: None, seq: None, field: None }
    }

    /// This error, with the event that it belongs to.
    pub(crate) fn of(self, call_id: Option<&'a str>, number: &'a Number) -> Self {
        Self { call_id, producer: number.producer.as_deref(), seq: number.seq, ..self }
    }

    /// This error, with the parameter at fault.
    pub(crate) const fn in_field(self, field: &'a str) -> Self {
        Self { field: Some(field), ..self }
    }

    /// The message for people.
    pub(crate) const fn text(&self) -> &'a str {
        self.message
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers always serialise")
    }
}

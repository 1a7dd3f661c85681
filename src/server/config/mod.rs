//! The limits and waiting times of the server. Every bound has its default here, with its unit in
//! its name.
//!
//! A [`Config`] comes from a TOML file (or none) and the environment over it;
//! [`read`] does that and tells every fault with its place. [`keys`] has the
//! words for people: one row a key, from which the documented default file is
//! printed. Nothing here opens a file.

mod cluster;
mod confidence;
mod consume;
mod keys;
mod read;
mod recording;
mod report;
mod review;
mod secret;
mod supervision;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use axum::http::Uri;
use chrono::FixedOffset;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use cluster::Cluster;
pub use confidence::Confidence;
pub(crate) use consume::Bus;
pub use consume::{Consume, ConsumeFrom, Place, Sasl};
pub use read::ConfigError;
pub(crate) use recording::AddressTemplate;
pub use recording::{Recording, RecordingUrl};
pub(crate) use report::MailSecurity;
pub use report::{MailServer, Report, ReportDay, ReportLanguage};
pub use review::{Plan, Review, SampledBy};
pub use secret::{Holders, OriginName, PersonTokens, Secret, SecretSource, TokenSource};
pub(crate) use secret::{PERSON_CHARS_MAX, check_length, check_person};
pub(crate) use supervision::{COUNTED_MAX, THRESHOLD_NAME_CHARS_MAX, THRESHOLDS_MAX};
pub use supervision::{Counted, MonitorMode, MonitorUrl, Supervision, Threshold};

use crate::adapter::Format;
use crate::adapter::native::UTTERANCE_CHARS_MAX;
use crate::engine::rule::Rule;
use crate::engine::severity::Severity;
use crate::engine::transcript::Channel;

/// Largest message a producer may send; a larger one is refused, and the
/// connection goes on.
pub(crate) const FRAME_BYTES_MAX: NonZeroUsize = NonZeroUsize::new(64 * 1024).expect("not zero");
/// Messages from here on are not even read: the connection is closed.
pub(crate) const FRAME_BYTES_HARD_MAX: usize = 1024 * 1024;
/// Read buffer of a WebSocket connection. The library's default of 128 KiB
/// costs memory and half the throughput with messages of some 200 bytes.
pub(crate) const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Bytes gathered before they are written to the socket.
pub(crate) const WRITE_BUFFER_BYTES: usize = 4 * 1024;
/// Bytes that may wait in a connection for its socket.
pub(crate) const WRITE_BUFFER_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Calls in progress, over all shards.
pub(crate) const CALLS_MAX: NonZeroUsize = NonZeroUsize::new(100_000).expect("not zero");
/// Connections of all kinds.
pub(crate) const CONNECTIONS_MAX: NonZeroUsize = NonZeroUsize::new(50_000).expect("not zero");
/// Calls in progress of one token: half of all, so that others have room.
const CALLS_PER_TOKEN_MAX: NonZeroUsize = NonZeroUsize::new(50_000).expect("not zero");
/// Calls in progress that one connection, or one `POST`, started.
const CALLS_PER_CONNECTION_MAX: NonZeroUsize = NonZeroUsize::new(20_000).expect("not zero");
/// A call without any event for so long is closed.
pub(crate) const CALL_IDLE_MS: NonZeroU64 = NonZeroU64::new(30 * 60 * 1_000).expect("not zero");
/// A chat without any event may last so many times as long, unless it is configured.
const CHAT_IDLE_TIMES: u32 = 8;
/// A call is kept so long after its `call.end`, for late finals.
pub(crate) const CALL_LINGER_MS: NonZeroU64 = NonZeroU64::new(30 * 1_000).expect("not zero");
/// How long a shutdown waits for connections and shards.
pub(crate) const SHUTDOWN_GRACE_MS: NonZeroU64 = NonZeroU64::new(10 * 1_000).expect("not zero");
/// Events a second that a connection may send, with one second's worth at once;
/// a producer who carries all calls of a small site stays below it.
pub(crate) const EVENTS_PER_SECOND_MAX: NonZeroU32 = NonZeroU32::new(50_000).expect("not zero");
/// A call whose recogniser says nothing for so long is checked in part only.
pub(crate) const ASR_SILENT_MS: NonZeroU64 = NonZeroU64::new(30 * 1_000).expect("not zero");
/// Days that the words of calls are kept.
const TRANSCRIPT_DAYS: NonZeroU32 = NonZeroU32::new(30).expect("not zero");
/// Days that alerts are kept.
const ALERT_DAYS: NonZeroU32 = NonZeroU32::new(365).expect("not zero");
/// More cards a minute than this are a flood, not a help. Sites that trust their
/// rules less set it to what an agent can read.
const CARDS_PER_MINUTE_MAX: NonZeroU32 = NonZeroU32::new(60).expect("not zero");
/// An alert that is later than this is stored and not shown.
const LATE_MS_MAX: NonZeroU64 = NonZeroU64::new(120 * 1_000).expect("not zero");
/// The score of a call without fault.
const SCORE_BASE: NonZeroU32 = NonZeroU32::new(100).expect("not zero");
/// How long after a first failure a webhook is tried again.
const WEBHOOK_RETRY_MS: NonZeroU64 = NonZeroU64::new(5 * 1_000).expect("not zero");
/// Days after which a message to a webhook is given up.
const WEBHOOK_DAYS: NonZeroU32 = NonZeroU32::new(3).expect("not zero");
/// Where the server listens: this machine only.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8787);
/// China has one time zone.
const UTC_OFFSET_SECONDS: i32 = 8 * 60 * 60;

/// Events that wait for one shard; a producer of more waits with them.
pub(crate) const SHARD_QUEUE_MAX: usize = 1_024;
/// Events that a shard takes from its queue at once.
pub(crate) const SHARD_BATCH_MAX: usize = 256;
/// One `POST` of events.
pub(crate) const EVENTS_BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A body that holds neither events nor rule files.
pub(crate) const SMALL_BODY_BYTES_MAX: usize = 64 * 1024;
/// Bodies of all requests together; what is beyond waits in its socket.
pub(crate) const BODIES_BYTES_MAX: usize = 128 * 1024 * 1024;
/// How long the body of a request may take, whatever it is for.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Requests whose events are taken at once; the others wait with their bodies read.
pub(crate) const POSTS_MAX: usize = 16;
/// Refused lines of one `POST` that are told with their place; the others are counted.
pub(crate) const POST_ERRORS_MAX: usize = 100;
/// How long one of them may take, from its turn on until its events are durable.
pub(crate) const POST_TIMEOUT: Duration = Duration::from_secs(60);
/// Events of one connection that are not durable yet; further frames wait in the socket.
pub(crate) const IN_FLIGHT_MAX: usize = 256;
/// Results of one relayed stream that wait to be read; the stream does not wait for them.
pub(crate) const RELAY_QUEUE_MAX: usize = 256;
/// Bytes of a relayed stream in one direction that are under way.
pub(crate) const RELAY_BUFFER_BYTES: usize = 16 * 1024;
/// How long a relayed recogniser may take to accept a connection.
pub(crate) const RELAY_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of a recogniser's refusal that are passed on; a longer one is passed on without its body.
pub(crate) const RELAY_REFUSAL_BYTES_MAX: usize = 64 * 1024;
/// Entries of `[[consume]]`, and the characters of a name.
pub(crate) const CONSUMED_MAX: usize = 16;
pub(crate) const CONSUMED_NAME_CHARS_MAX: usize = 32;
/// Messages of one bus that are not durable yet; further ones wait there.
pub(crate) const CONSUMED_IN_FLIGHT_MAX: usize = 1_024;
/// Messages of a bus that were taken last, by their numbers: so many are known when they come again.
pub(crate) const CONSUMED_RECENT_MAX: usize = 8 * 1_024;
/// Recognisers' legs of one bus.
pub(crate) const CONSUMED_LEGS_MAX: usize = 40_000;
/// Messages that a connection to a bus holds, before they are taken.
pub(crate) const CONSUMED_QUEUE_MAX: usize = 1_024;
/// Bytes of one partition that are fetched at once.
#[cfg(feature = "kafka")]
pub(crate) const CONSUMED_FETCH_BYTES_MAX: i32 = 1024 * 1024;
/// How long a bus may take to accept a connection, or to answer a question.
pub(crate) const CONSUMED_TIMEOUT: Duration = Duration::from_secs(10);
/// Frames of one connection that are read before answers are written.
pub(crate) const FRAME_BATCH_MAX: usize = 256;
/// Messages that wait for one agent or supervisor; one who falls further
/// behind is closed.
pub(crate) const SUBSCRIBER_QUEUE_MAX: usize = 256;
/// Alerts of the past that a subscriber is given at once.
pub(crate) const CATCH_UP_PAGE: usize = 256;
/// Among so many of an agent's latest alerts those of the calls in progress are looked for.
pub(crate) const LIVE_CARDS_MAX: usize = 512;
/// Batches that wait for a commit; shards with more wait.
pub(crate) const JOURNAL_QUEUE_MAX: usize = 256;
/// Questions to the store that are answered at once.
pub(crate) const QUESTIONS_MAX: usize = 4;
/// Exports that are written at once.
pub(crate) const EXPORTS_MAX: usize = 2;
/// Questions about edited rules that are answered at once: they compile rules.
pub(crate) const TRIALS_MAX: usize = 2;
/// The longest that such a question waits for its turn, and then for its answer.
pub(crate) const TRIAL_WAIT: Duration = Duration::from_secs(10);
pub(crate) const TRIAL_TIMEOUT: Duration = Duration::from_secs(60);
/// A body with rule files.
pub(crate) const RULES_BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Alerts that one request may take a step on.
pub(crate) const REVIEWED_AT_ONCE_MAX: usize = 1_000;
/// Bytes of such a request.
pub(crate) const REVIEWS_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Rule files in one body.
pub(crate) const RULE_FILES_MAX: usize = 64;
/// Events of a dialogue that rules are tried on.
pub(crate) const TRIAL_EVENTS_MAX: usize = 2_000;
/// Calls of one backtest over HTTP, and the longest that it takes.
pub(crate) const BACKTEST_CALLS_MAX: usize = 20_000;
pub(crate) const BACKTEST_TIMEOUT: Duration = Duration::from_secs(300);
/// The longest that learning a model takes.
pub(crate) const LEARN_TIMEOUT: Duration = Duration::from_secs(1_800);
/// Calls that a backtest looks up at once.
pub(crate) const BACKTEST_PAGE: usize = 512;
/// Alerts that an export reads at once.
pub(crate) const EXPORT_PAGE: usize = 512;
/// Pieces of an export that wait for a client, and their size.
pub(crate) const EXPORT_CHUNKS_MAX: usize = 4;
pub(crate) const EXPORT_CHUNK_BYTES: usize = 64 * 1024;
/// Calls that are looked through at once for what one rule finds, its examples, and what is kept to choose them from.
pub(crate) const HITS_EXAMPLES: usize = 20;
pub(crate) const HITS_KEPT_MAX: usize = 1_000;
/// Changes of one edit.
pub(crate) const CHANGES_MAX: usize = 64;
/// Drafts of rules that are open at once, and drafts that a list has.
pub(crate) const DRAFTS_OPEN_MAX: usize = 200;
pub(crate) const DRAFTS_LISTED_MAX: usize = 500;
/// The days that the check of a draft looks back.
pub(crate) const DRAFT_CHECK_DAYS: u32 = 7;
/// Rows of figures about rules in one answer: a rule in a version each.
pub(crate) const QUALITY_ROWS_MAX: usize = 10_000;
/// The most bytes of the difference between two versions of the rules that an answer has.
pub(crate) const DIFF_BYTES_MAX: usize = 1024 * 1024;
/// How long it may take to find the shortest one; after that a longer one does.
pub(crate) const DIFF_TIMEOUT: Duration = Duration::from_secs(2);
/// Events of one call that are shown; no call of a day's work has as many.
pub(crate) const CALL_EVENTS_MAX: usize = 20_000;
/// Alerts of one call that are shown, and their transitions.
pub(crate) const CALL_ALERTS_MAX: usize = 5_000;
/// Calls of an agent's last weeks that their day looks at.
pub(crate) const OWN_CALLS_MAX: usize = 10_000;
/// Rows of one list of statistics; those with the most alerts are kept.
pub(crate) const STATISTICS_ROWS_MAX: usize = 10_000;
/// Lines, rules and cells of an overview; those with the most alerts are kept.
pub(crate) const OVERVIEW_CELLS_MAX: usize = 50_000;
/// A higher minimum of calls would rank nobody.
pub(crate) const RANKED_CALLS_MAX: u32 = 100_000;
/// Views that a person has of a page, and the bytes of one.
pub(crate) const VIEWS_MAX: usize = 100;
pub(crate) const VIEW_QUERY_BYTES_MAX: usize = 2_000;
/// Batches in one commit.
pub(crate) const COMMIT_BATCHES_MAX: usize = 256;
/// Utterances of one call whose last hypothesis waits for a final.
pub(crate) const LEFT_OPEN_MAX: usize = 64;
/// Closed calls that a shard knows, so that resending them does no harm.
pub(crate) const CLOSED_CALLS_MAX: usize = 32_768;
/// Bytes of the numbers by which a shard knows the events of closed calls when they are sent again.
pub(crate) const CLOSED_NUMBERS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A recogniser's messages wait so long for the start of their call,
pub(crate) const EARLY_WAIT: Duration = Duration::from_secs(10);
/// and no more of them: in number, and in bytes together.
pub(crate) const EARLY_MESSAGES_MAX: usize = 1_024;
pub(crate) const EARLY_BYTES_MAX: usize = 256 * 1024;
/// Agents who listen or had a card within the last minute.
pub(crate) const AGENTS_MAX: usize = 100_000;
/// Characters of an agent's name, team and site.
pub(crate) const AGENT_NAME_CHARS_MAX: usize = 64;
/// Bytes of the file that names the agents.
pub(crate) const AGENTS_FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Supervisors of one call.
pub(crate) const WATCHERS_MAX: usize = 16;
/// Listeners of all calls in progress.
pub(crate) const WALL_LISTENERS_MAX: usize = 64;
/// How often viewers are sent the changes.
pub(crate) const LIVE_INTERVAL: Duration = Duration::from_secs(1);
/// Calls in one question to a shard; its events come in between.
pub(crate) const LIVE_PIECE: usize = 64;
/// Words that supervisors write to the agent of one call, and their length.
pub(crate) const HELPS_MAX: usize = 50;
pub(crate) const HELP_CHARS_MAX: usize = 200;
/// Words that one supervisor writes to the agent of one call in a minute: more than anybody reads while talking.
pub(crate) const HELPS_PER_MINUTE_MAX: usize = 6;
/// Words to an agent that their day lists.
pub(crate) const HELPS_OF_DAY_MAX: usize = 200;
/// Calls in progress that supervisors did something in and that the wall is told of.
pub(crate) const HANDS_MAX: usize = 2_000;
/// Flagged calls in one answer.
pub(crate) const FLAGS_MAX: usize = 500;
/// Where a frame of calls is full.
pub(crate) const LIVE_FRAME_BYTES: usize = 256 * 1024;
/// Frames queued for one viewer when a round begins. A viewer with more than this is disconnected
/// (4008).
pub(crate) const LIVE_BEHIND_MAX: usize = 8;
/// Agent connections of one agent id (browser tabs).
pub(crate) const SUBSCRIBERS_PER_AGENT_MAX: usize = 16;
/// A peer that has not been heard for two of these is gone.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(30);
/// A peer that does not take a write for so long is gone.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections beyond the limit that are still asked for the server's health, and how long each may take.
pub(crate) const HEALTH_CONNECTIONS_MAX: usize = 32;
pub(crate) const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the headers of a request may take.
pub(crate) const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a TLS handshake may take.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The first line and the headers of a request, together.
pub(crate) const REQUEST_HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers of a request.
pub(crate) const HEADERS_MAX: usize = 64;
/// Path and query of a request.
pub(crate) const TARGET_BYTES_MAX: usize = 4 * 1024;
/// Webhooks; each has a task and at most one request under way.
pub(crate) const WEBHOOKS_MAX: usize = 32;
/// A webhook's name, which is a label of metrics.
pub(crate) const WEBHOOK_NAME_CHARS_MAX: usize = 64;
/// How long a webhook may take, from the connection to the end of its answer.
pub(crate) const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes read of a webhook's answer; the body of a longer one counts as empty.
pub(crate) const WEBHOOK_ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long a peer may take to answer a close.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Limits that depend on one another.
const _: () = {
    assert!(FRAME_BYTES_MAX.get() < FRAME_BYTES_HARD_MAX, "a frame that is too long is refused before it closes");
    assert!(FRAME_BYTES_HARD_MAX <= EVENTS_BODY_BYTES_MAX, "a body has room for what a frame may hold");
    assert!(
        EVENTS_BODY_BYTES_MAX <= BODIES_BYTES_MAX && RULES_BODY_BYTES_MAX <= BODIES_BYTES_MAX,
        "one body has room alone"
    );
    assert!(
        CALLS_PER_CONNECTION_MAX.get() <= CALLS_PER_TOKEN_MAX.get() && CALLS_PER_TOKEN_MAX.get() <= CALLS_MAX.get(),
        "a connection's share is part of its token's, and that of the whole"
    );
    assert!(HEALTH_CONNECTIONS_MAX < CONNECTIONS_MAX.get(), "few wait for the server's health beyond the limit");
    assert!(FRAME_BYTES_MAX.get() <= EARLY_BYTES_MAX, "one message may wait for its call");
    assert!(
        SMALL_BODY_BYTES_MAX <= REVIEWS_BODY_BYTES_MAX && REVIEWS_BODY_BYTES_MAX <= RULES_BODY_BYTES_MAX,
        "a body with a purpose has more room than one without"
    );
    assert!(
        EXPORT_CHUNKS_MAX * EXPORT_CHUNK_BYTES <= WRITE_BUFFER_BYTES_MAX,
        "what waits of an export fits its connection"
    );
    assert!(BODY_TIMEOUT.as_secs() <= POST_TIMEOUT.as_secs(), "events have at least the time of their body");
    assert!(TRIAL_WAIT.as_secs() < TRIAL_TIMEOUT.as_secs(), "whoever waits for a turn has time left for the answer");
    assert!(TRIAL_TIMEOUT.as_secs() <= BACKTEST_TIMEOUT.as_secs(), "a backtest may take longer than a check");
    assert!(WEBHOOK_DAYS.get() < ALERT_DAYS.get() && TRANSCRIPT_DAYS.get() <= ALERT_DAYS.get(), "alerts go last");
    assert!(TARGET_BYTES_MAX < REQUEST_HEAD_BYTES_MAX, "the address is a part of the head");
    assert!(IN_FLIGHT_MAX < SHARD_QUEUE_MAX, "one connection cannot fill a shard's queue");
    assert!(FRAME_BATCH_MAX <= IN_FLIGHT_MAX, "frames that are read together can be under way together");
    assert!(
        SHARD_BATCH_MAX <= SHARD_QUEUE_MAX && COMMIT_BATCHES_MAX <= JOURNAL_QUEUE_MAX,
        "a batch comes out of its queue"
    );
    assert!(LIVE_BEHIND_MAX < SUBSCRIBER_QUEUE_MAX, "who is behind is noticed before the queue is full");
    assert!(
        WRITE_BUFFER_BYTES < WRITE_BUFFER_BYTES_MAX && LIVE_FRAME_BYTES < WRITE_BUFFER_BYTES_MAX,
        "a frame of calls can be written"
    );
    assert!(CATCH_UP_PAGE <= LIVE_CARDS_MAX, "the cards of the calls in progress are at least a page");
    assert!(
        CALL_LINGER_MS.get() < CALL_IDLE_MS.get() && ASR_SILENT_MS.get() < CALL_IDLE_MS.get(),
        "a call is idle last of all"
    );
    assert!(CLOSE_TIMEOUT.as_millis() < SHUTDOWN_GRACE_MS.get() as u128, "connections close within the grace");
};

/// The settings of one server.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen.
    #[serde(deserialize_with = "listen_at")]
    pub listen: SocketAddr,
    /// Where data is kept.
    pub data: PathBuf,
    /// Where the rules are; `rules`, or else those built in, when not given.
    pub rules: Option<PathBuf>,
    /// The values of parameters; the file among the rules when not given.
    pub parameters: Option<PathBuf>,
    /// Packs whose alerts are stored and counted, never shown.
    pub shadow_packs: Vec<String>,
    /// Whether approved drafts may be written into the directory of rules.
    pub rules_writable: bool,
    /// The hour of the day of calls whose producer does not tell when they
    /// were answered (`+08:00`).
    #[serde(deserialize_with = "utc_offset", serialize_with = "offset_name")]
    pub utc_offset: FixedOffset,
    /// Shard tasks; as many as cores when not given.
    pub shards: Option<NonZeroUsize>,
    /// Largest message in bytes.
    #[serde(deserialize_with = "at_most::<_, FRAME_BYTES_HARD_MAX>")]
    pub frame_bytes_max: NonZeroUsize,
    /// Longest utterance in characters.
    #[serde(deserialize_with = "at_most::<_, UTTERANCE_CHARS_MAX>")]
    pub utterance_chars_max: NonZeroUsize,
    /// Events a second of one connection; a faster producer waits.
    pub events_per_second_max: NonZeroU32,
    /// Calls in progress.
    pub calls_max: NonZeroUsize,
    /// Calls in progress of one token.
    pub calls_per_token_max: NonZeroUsize,
    /// Calls in progress of one connection.
    pub calls_per_connection_max: NonZeroUsize,
    /// Connections of all kinds.
    pub connections_max: NonZeroUsize,
    /// Connections of one address; 0 is no limit, and unless given it is half of all, this machine's own apart.
    pub connections_per_address_max: Option<usize>,
    /// A call without any event for so long is closed, `by: system`.
    pub call_idle_ms: NonZeroU64,
    /// A chat without any event for so long is closed; eight times `call_idle_ms` when not given.
    pub chat_idle_ms: Option<NonZeroU64>,
    /// A call is kept so long after its `call.end`.
    pub call_linger_ms: NonZeroU64,
    /// Without words for so long in a call, its checking is degraded.
    pub asr_silent_ms: NonZeroU64,
    /// How long a shutdown waits.
    pub shutdown_grace_ms: NonZeroU64,
    /// Pages of other sites that may use the server.
    pub allowed_origins: Vec<OriginName>,
    /// After a first failure a webhook is tried again; later, up to an hour.
    pub webhook_retry_ms: NonZeroU64,
    /// Days after which a webhook that failed all along is not tried any more.
    pub webhook_days: NonZeroU32,
    /// Where alerts are sent to as HTTP requests.
    pub webhooks: Vec<Webhook>,
    /// Figures over all calls that supervisors are told of.
    pub thresholds: Vec<Threshold>,
    /// The recogniser behind `/v1/relay/{format}`, by format.
    #[serde(deserialize_with = "by_format")]
    pub relay: BTreeMap<String, Upstream>,
    /// Where messages are consumed from.
    #[serde(deserialize_with = "consume::entries")]
    pub consume: Vec<Consume>,
    /// Certificate and key of the port.
    pub tls: Tls,
    /// The tokens, by role.
    pub tokens: Tokens,
    /// How long transcripts and alerts are kept.
    pub retention: Retention,
    /// How many alerts an agent is shown, and until when.
    pub alerts: Alerts,
    /// How calls are scored.
    pub score: Score,
    /// How alerts are reviewed.
    pub review: Review,
    /// The names and teams of agents.
    pub agents: AgentsFile,
    /// When the weekly report is sent, and to whom.
    pub report: Report,
    /// The scoring forms.
    pub forms: FormsDirectory,
    /// Where calls can be heard.
    pub recording: Recording,
    /// What supervisors may do in calls in progress.
    pub supervision: Supervision,
    /// How sure the second look must be where a rule does not say.
    pub confidence: Confidence,
    /// How the store keeps what was said.
    pub privacy: Privacy,
    /// Engines beside the server.
    pub cluster: Cluster,
}

/// `[privacy]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Privacy {
    /// How the store keeps the words of calls that are over.
    pub store: StoredWords,
    /// The key that seals words in the store.
    pub key: Option<SecretSource>,
    /// Earlier keys, which only open.
    pub old_keys: Vec<SecretSource>,
}

/// How the store keeps the words of calls that are over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredWords {
    /// The words as they came.
    #[default]
    Plain,
    /// Personal data masked.
    Masked,
}

impl Privacy {
    /// The keys, the one that seals first.
    ///
    /// # Errors
    /// A file cannot be read or a key could be guessed; or there are old keys only.
    pub(crate) fn read_keys(&self) -> Result<Vec<Secret>, String> {
        if self.key.is_none() && !self.old_keys.is_empty() {
            let message = "privacy.old_keys 要和 privacy.key 一起写 / privacy.old_keys needs a privacy.key";
            return Err(message.to_owned());
        }
        let keys = self.key.iter().chain(&self.old_keys).map(|source| {
            let key = source.read()?;
            secret::check_length("privacy.key", &key)?;
            Ok(key)
        });
        keys.collect()
    }
}

/// `[tls]`: either both or none.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// PEM file with the certificate and those that vouch for it.
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key.
    pub key: Option<PathBuf>,
}

/// `[tokens]`: bearer tokens by role.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tokens {
    /// Tokens of producers, which may send events.
    pub ingest: Vec<TokenSource>,
    /// Tokens of quality assurance, which may see and review all alerts.
    pub qa: Holders,
    /// Tokens of administrators: quality assurance, and managing the server.
    pub admin: Holders,
    /// Tokens that may read `/metrics`.
    pub metrics: Vec<TokenSource>,
    /// Agent id to the tokens that may see that agent's alerts.
    pub agents: BTreeMap<String, Vec<TokenSource>>,
    /// The secret that signs tokens of agents.
    pub agent_secret: Option<SecretSource>,
}

/// `[retention]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Days that the words of calls are kept.
    pub transcript_days: NonZeroU32,
    /// Days that alerts are kept.
    pub alert_days: NonZeroU32,
}

/// `[alerts]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// Cards a minute that an agent is shown.
    pub cards_per_minute_max: NonZeroU32,
    /// An alert this late is stored, not shown.
    pub late_ms_max: NonZeroU64,
}

/// `[agents]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentsFile {
    /// CSV file with their ids, names, teams and sites.
    pub file: Option<PathBuf>,
}

/// `[forms]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct FormsDirectory {
    /// Directory of YAML files, a scoring form each; the form that ships, when not given.
    pub directory: Option<PathBuf>,
}

/// `[score]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Score {
    /// The score of a call without confirmed alerts.
    pub base: NonZeroU32,
    /// Pack to the most that it may deduct from one call.
    pub pack_caps: BTreeMap<String, u32>,
    /// Packs of which one confirmed alert makes the score 0 (一票否决).
    pub veto_packs: Vec<String>,
}

/// One of `[[webhooks]]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Its name in logs and metrics.
    pub name: String,
    /// Where requests go. Robots have their key in it.
    #[serde(deserialize_with = "web_address")]
    pub url: Secret,
    /// The secret that signs the requests.
    #[serde(default)]
    pub secret: Option<SecretSource>,
    /// The shape of the body.
    #[serde(default)]
    pub style: WebhookStyle,
    /// Alerts below it are not sent.
    #[serde(default = "critical")]
    pub severity_min: Severity,
}

/// One of `[relay.FORMAT]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// The WebSocket of the recogniser. Some have their key in it.
    #[serde(deserialize_with = "socket_address")]
    pub url: Secret,
}

/// The shape of a webhook's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookStyle {
    /// The alert, as `docs/events.md` describes it.
    #[default]
    Json,
    /// 企业微信.
    Wecom,
    /// 钉钉.
    Dingtalk,
    /// 飞书.
    Feishu,
}

const fn critical() -> Severity {
    Severity::Critical
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: LISTEN,
            data: PathBuf::from("data"),
            rules: None,
            parameters: None,
            shadow_packs: Vec::new(),
            rules_writable: false,
            utc_offset: FixedOffset::east_opt(UTC_OFFSET_SECONDS).expect("less than a day"),
            shards: None,
            frame_bytes_max: FRAME_BYTES_MAX,
            utterance_chars_max: NonZeroUsize::new(UTTERANCE_CHARS_MAX).expect("not zero"),
            events_per_second_max: EVENTS_PER_SECOND_MAX,
            calls_max: CALLS_MAX,
            calls_per_token_max: CALLS_PER_TOKEN_MAX,
            calls_per_connection_max: CALLS_PER_CONNECTION_MAX,
            connections_max: CONNECTIONS_MAX,
            connections_per_address_max: None,
            call_idle_ms: CALL_IDLE_MS,
            chat_idle_ms: None,
            call_linger_ms: CALL_LINGER_MS,
            asr_silent_ms: ASR_SILENT_MS,
            shutdown_grace_ms: SHUTDOWN_GRACE_MS,
            allowed_origins: Vec::new(),
            webhook_retry_ms: WEBHOOK_RETRY_MS,
            webhook_days: WEBHOOK_DAYS,
            webhooks: Vec::new(),
            thresholds: Vec::new(),
            relay: BTreeMap::new(),
            consume: Vec::new(),
            tls: Tls::default(),
            tokens: Tokens::default(),
            retention: Retention::default(),
            alerts: Alerts::default(),
            score: Score::default(),
            review: Review::default(),
            agents: AgentsFile::default(),
            report: Report::default(),
            forms: FormsDirectory::default(),
            recording: Recording::default(),
            supervision: Supervision::default(),
            confidence: Confidence::default(),
            privacy: Privacy::default(),
            cluster: Cluster::default(),
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { transcript_days: TRANSCRIPT_DAYS, alert_days: ALERT_DAYS }
    }
}

impl Default for Alerts {
    fn default() -> Self {
        Self { cards_per_minute_max: CARDS_PER_MINUTE_MAX, late_ms_max: LATE_MS_MAX }
    }
}

impl Default for Score {
    fn default() -> Self {
        Self { base: SCORE_BASE, pack_caps: BTreeMap::new(), veto_packs: Vec::new() }
    }
}

impl Tokens {
    /// The people whom tokens of reviewers name.
    pub(crate) fn reviewers(&self) -> BTreeSet<&str> {
        [&self.qa, &self.admin].into_iter().flat_map(Holders::each).filter_map(|(name, _)| name).collect()
    }

    /// Whether no tokens are configured: then none is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The secret that signs agents' tokens, if there is one.
    pub(crate) fn read_agent_secret(&self) -> Result<Option<Secret>, String> {
        let Some(source) = &self.agent_secret else { return Ok(None) };
        let secret = source.read()?;
        secret::check_signing(&secret)?;
        Ok(Some(secret))
    }
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// Every unknown key and wrong value, each with line, column and the line itself.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        read::read(Some(("config.toml", text)), std::iter::empty())
    }

    /// Reads a configuration file, which `file` names and has the text of, and
    /// lays over it the variables of an environment that begin with `TINGJIAN_`.
    ///
    /// # Errors
    /// Every unknown key and wrong value, each with its place: file, line and
    /// column, or the variable.
    pub fn load(
        file: Option<(&str, &str)>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        read::read(file, environment)
    }

    /// Checks that the packs which the configuration names are among `known`. `file` is what it was
    /// read from.
    ///
    /// # Errors
    /// Every name that is not, with its place and the name that may be meant.
    pub fn check_packs(&self, file: Option<(&str, &str)>, known: &[String]) -> Result<(), ConfigError> {
        read::check_packs(self, file, known)
    }

    /// Whether it names packs at all.
    #[must_use]
    pub fn names_packs(&self) -> bool {
        !(self.shadow_packs.is_empty() && self.score.pack_caps.is_empty() && self.score.veto_packs.is_empty())
    }

    /// The configuration as a TOML file with every key, its unit and what it
    /// is for; secrets are shown as `***`.
    ///
    /// # Errors
    /// A number is beyond what TOML can hold, which none out of a file is.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        keys::print(self)
    }

    pub(crate) fn shard_count(&self) -> usize {
        let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.shards.unwrap_or_else(cores).get()
    }

    /// How long nothing may be heard of a call.
    pub(crate) fn idle(&self, channel: Channel) -> Duration {
        let call_idle = Duration::from_millis(self.call_idle_ms.get());
        match (channel, self.chat_idle_ms) {
            (Channel::Voice, _) => call_idle,
            (Channel::Chat, Some(ms)) => Duration::from_millis(ms.get()),
            (Channel::Chat, None) => call_idle.saturating_mul(CHAT_IDLE_TIMES),
        }
    }

    pub(crate) const fn call_linger(&self) -> Duration {
        Duration::from_millis(self.call_linger_ms.get())
    }

    pub(crate) const fn asr_silent(&self) -> Duration {
        Duration::from_millis(self.asr_silent_ms.get())
    }

    /// Whether a rule is on trial, by itself or with its pack.
    pub(crate) fn is_shadow(&self, rule: &Rule) -> bool {
        rule.shadow || self.shadow_packs.contains(&rule.pack)
    }

    pub(crate) const fn webhook_retry(&self) -> Duration {
        Duration::from_millis(self.webhook_retry_ms.get())
    }

    pub(crate) const fn shutdown_grace(&self) -> Duration {
        Duration::from_millis(self.shutdown_grace_ms.get())
    }
}

/// Reads where to listen: an IP address and a port; `localhost` is this machine.
///
/// # Errors
/// It is neither; the message says what to write, in Chinese and English.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let named = text.split_once(':').filter(|(host, _)| host.eq_ignore_ascii_case("localhost"));
    let address = match named {
        Some((_, port)) => port.parse().ok().map(|port: u16| SocketAddr::new(LISTEN.ip(), port)),
        None => text.parse().ok(),
    };
    address.ok_or_else(|| {
        format!("要写 IP 地址和端口，如 {LISTEN}，本机也可以写 localhost:{0}，所有网卡写 0.0.0.0:{0} / write an IP address and a port, such as {LISTEN}, localhost:{0} for this machine, or 0.0.0.0:{0} for all", LISTEN.port())
    })
}

fn listen_at<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    listen_address(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

fn utc_offset<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FixedOffset, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| de::Error::custom("应形如 \"+08:00\" / must look like \"+08:00\""))
}

fn offset_name<S: Serializer>(offset: &FixedOffset, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(offset)
}

fn at_most<'de, D: Deserializer<'de>, const MAX: usize>(deserializer: D) -> Result<NonZeroUsize, D::Error> {
    let number = NonZeroUsize::deserialize(deserializer)?;
    if number.get() > MAX {
        return Err(de::Error::custom(format!("最多 {MAX} / must be at most {MAX}")));
    }
    Ok(number)
}

fn web_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    whole_address(deserializer, ["http", "https"])
}

fn socket_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    whole_address(deserializer, ["ws", "wss"])
}

fn whole_address<'de, D: Deserializer<'de>>(deserializer: D, [plain, sealed]: [&str; 2]) -> Result<Secret, D::Error> {
    let address = Secret::deserialize(deserializer)?;
    let uri: Option<Uri> = address.reveal().parse().ok();
    let is_whole = uri.is_some_and(|uri| {
        uri.scheme_str().is_some_and(|scheme| scheme == plain || scheme == sealed)
            && uri.host().is_some_and(|host| !host.is_empty())
    });
    if is_whole {
        return Ok(address);
    }
    Err(de::Error::custom(format!(
        "url 必须是完整的 {plain}:// 或 {sealed}:// 地址 / url must be a whole {plain}:// or {sealed}:// address"
    )))
}

/// The name of a [`Format`].
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct FormatName(String);

impl<'de> Deserialize<'de> for FormatName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| Format::ALL.iter().map(|format| format.name()).collect());
        let name = String::deserialize(deserializer)?;
        match Format::from_name(&name) {
            Some(_) => Ok(Self(name)),
            None => Err(de::Error::unknown_field(&name, NAMES.as_slice())),
        }
    }
}

fn by_format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Upstream>, D::Error> {
    let upstreams = BTreeMap::<FormatName, Upstream>::deserialize(deserializer)?;
    Ok(upstreams.into_iter().map(|(FormatName(name), upstream)| (name, upstream)).collect())
}

#[cfg(test)]
mod tests;

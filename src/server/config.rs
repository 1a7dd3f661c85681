//! What the server allows and how long it waits. Every bound has its default
//! here, with its unit in its name.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use chrono::FixedOffset;
use serde::{Deserialize, Deserializer, de};

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
/// A call without any event for so long is closed.
pub(crate) const CALL_IDLE_MS: NonZeroU64 = NonZeroU64::new(30 * 60 * 1_000).expect("not zero");
/// A call is kept so long after its `call.end`, for late finals.
pub(crate) const CALL_LINGER_MS: NonZeroU64 = NonZeroU64::new(30 * 1_000).expect("not zero");
/// How long a shutdown waits for connections and shards.
pub(crate) const SHUTDOWN_GRACE_MS: NonZeroU64 = NonZeroU64::new(10 * 1_000).expect("not zero");
/// China has one time zone.
const UTC_OFFSET_SECONDS: i32 = 8 * 60 * 60;

/// Events that wait for one shard; a producer of more waits with them.
pub(crate) const SHARD_QUEUE_MAX: usize = 1_024;
/// Events that a shard takes from its queue at once.
pub(crate) const SHARD_BATCH_MAX: usize = 256;
/// One `POST` of events.
pub(crate) const EVENTS_BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Events of one connection that are not durable yet; further frames wait in the socket.
pub(crate) const IN_FLIGHT_MAX: usize = 256;
/// Frames of one connection that are read before answers are written.
pub(crate) const FRAME_BATCH_MAX: usize = 256;
/// Messages that wait for one agent or supervisor; one who falls further
/// behind is closed.
pub(crate) const SUBSCRIBER_QUEUE_MAX: usize = 256;
/// Alerts of the past that a subscriber is given at once.
pub(crate) const CATCH_UP_PAGE: usize = 256;
/// Batches that wait for a commit; shards with more wait.
pub(crate) const JOURNAL_QUEUE_MAX: usize = 256;
/// Questions to the store that are answered at once.
pub(crate) const QUESTIONS_MAX: usize = 4;
/// Batches in one commit.
pub(crate) const COMMIT_BATCHES_MAX: usize = 256;
/// Utterances of one call whose last hypothesis waits for a final.
pub(crate) const LEFT_OPEN_MAX: usize = 64;
/// Closed calls that a shard knows, so that resending them does no harm.
pub(crate) const CLOSED_CALLS_MAX: usize = 32_768;
/// Agents who listen or had a card within the last minute.
pub(crate) const FEEDS_MAX: usize = 100_000;
/// Supervisors of one call.
pub(crate) const WATCHERS_MAX: usize = 16;
/// Agent connections of one agent id (browser tabs).
pub(crate) const SUBSCRIBERS_PER_AGENT_MAX: usize = 16;
/// A peer that has not been heard for two of these is gone.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(30);
/// A peer that does not take a write for so long is gone.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the headers of a request may take.
pub(crate) const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a peer may take to answer a close.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The settings of one server, as its configuration file gives them.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Largest message in bytes.
    pub frame_bytes_max: NonZeroUsize,
    /// Calls in progress.
    pub calls_max: NonZeroUsize,
    /// Connections of all kinds.
    pub connections_max: NonZeroUsize,
    /// A call without any event for so long is closed, `by: system`.
    pub call_idle_ms: NonZeroU64,
    /// A call is kept so long after its `call.end`.
    pub call_linger_ms: NonZeroU64,
    /// How long a shutdown waits.
    pub shutdown_grace_ms: NonZeroU64,
    /// Shard tasks; as many as cores when not given.
    pub shards: Option<NonZeroUsize>,
    /// The hour of the day of calls whose producer does not tell when they
    /// were answered (`+08:00`).
    #[serde(deserialize_with = "utc_offset")]
    pub utc_offset: FixedOffset,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            frame_bytes_max: FRAME_BYTES_MAX,
            calls_max: CALLS_MAX,
            connections_max: CONNECTIONS_MAX,
            call_idle_ms: CALL_IDLE_MS,
            call_linger_ms: CALL_LINGER_MS,
            shutdown_grace_ms: SHUTDOWN_GRACE_MS,
            shards: None,
            utc_offset: FixedOffset::east_opt(UTC_OFFSET_SECONDS).expect("less than a day"),
        }
    }
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// An unknown key or a wrong value, with line, column and the line itself.
    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    pub(crate) fn shard_count(&self) -> usize {
        let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.shards.unwrap_or_else(cores).get()
    }

    pub(crate) const fn call_idle(&self) -> Duration {
        Duration::from_millis(self.call_idle_ms.get())
    }

    pub(crate) const fn call_linger(&self) -> Duration {
        Duration::from_millis(self.call_linger_ms.get())
    }

    /// How long an agent hears nothing of a silent recogniser.
    pub(crate) fn asr_silent(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// An alert that comes later after its words is not shown.
    pub(crate) fn late_ms_max(&self) -> i64 {
        120_000
    }

    /// How many cards an agent gets a minute.
    pub(crate) fn cards_per_minute_max(&self) -> usize {
        60
    }

    /// For how many days transcripts and alerts are kept.
    pub(crate) fn retention_days(&self) -> (u32, u32) {
        (30, 365)
    }

    /// Whether a pack is on trial.
    pub(crate) fn is_shadow(&self, _pack: &str) -> bool {
        false
    }

    pub(crate) const fn shutdown_grace(&self) -> Duration {
        Duration::from_millis(self.shutdown_grace_ms.get())
    }
}

fn utc_offset<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FixedOffset, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| de::Error::custom("utc_offset 应形如 \"+08:00\" / must look like \"+08:00\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_not_given_have_their_defaults() {
        let config = Config::from_toml("calls_max = 7\nutc_offset = \"-05:00\"\n").unwrap();
        assert_eq!((config.calls_max.get(), config.call_idle_ms), (7, CALL_IDLE_MS));
        assert_eq!(config.utc_offset.local_minus_utc(), -5 * 3_600);
    }

    #[test]
    fn a_wrong_key_or_value_is_told_with_its_place() {
        for (text, place) in [
            ("calls_max = 7\ncall_idle = 5\n", "line 2, column 1"),
            ("calls_max = 0\n", "line 1, column 13"),
            ("utc_offset = \"Beijing\"\n", "line 1, column 14"),
        ] {
            let message = Config::from_toml(text).unwrap_err().to_string();
            assert!(message.contains(place), "{message}");
        }
    }
}

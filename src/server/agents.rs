//! Agents and their alerts: who listens, and a short memory for those who come
//! back with `after`.
//!
//! A cursor is opaque to clients: the run of the server, then a number that
//! rises over all alerts of the run. What the memory no longer holds is told
//! as a gap, never passed over in silence.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::clock;
use super::config::{FEED_ALERTS_MAX, FEEDS_MAX, SUBSCRIBERS_PER_AGENT_MAX};
use super::events::{AlertUnkept, Happening as _};
use super::metrics::Metrics;
use super::push::{Push, Subscriber, Subscription, subscription};
use crate::adapter::alert_json::with_cursor;

/// An agent's alerts are forgotten when nobody listens, none came for so long,
/// and the room is needed.
const FEED_IDLE: Duration = Duration::from_secs(60 * 60);
/// How often room is looked for at most.
const SWEEP_PERIOD: Duration = Duration::from_secs(10);

/// From where on a subscriber wants an agent's alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Only new ones.
    Now,
    /// All that is remembered.
    Start,
    /// Those after this one.
    Cursor { run: u64, number: u64 },
}

impl After {
    /// Reads the `after` of a query; `None` is no cursor of ours.
    pub(crate) fn parse(text: Option<&str>) -> Option<Self> {
        match text {
            None => Some(Self::Now),
            Some("0") => Some(Self::Start),
            Some(text) => {
                let (run, number) = text.split_once('-')?;
                Some(Self::Cursor { run: u64::from_str_radix(run, 16).ok()?, number: number.parse().ok()? })
            }
        }
    }
}

/// There are as many subscribers for this agent as may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManySubscribers;

/// The alerts of all agents.
#[derive(Debug)]
pub(crate) struct Feeds {
    /// Tells the cursors of one run of the server from those of another.
    run: u64,
    /// Of the last alert. Numbers rise within an agent because they are taken
    /// while the agent's feed is locked.
    number: AtomicU64,
    /// Alerts up to this number may have been swept away with their feed.
    swept: AtomicU64,
    next_sweep: Mutex<Instant>,
    feeds: DashMap<String, Feed>,
}

#[derive(Debug)]
struct Feed {
    kept: VecDeque<(u64, Utf8Bytes)>,
    /// The highest number that the memory no longer holds.
    lost: u64,
    subscribers: Vec<Subscriber>,
    last_alert: Instant,
}

impl Feeds {
    pub(crate) fn new() -> Self {
        Self {
            run: clock::unix_ms().unsigned_abs(),
            number: AtomicU64::new(0),
            swept: AtomicU64::new(0),
            next_sweep: Mutex::new(clock::now()),
            feeds: DashMap::new(),
        }
    }

    /// Gives an alert to those who listen, and keeps it for those who come.
    pub(crate) fn publish(&self, agent_id: &str, json: String, since: Instant, metrics: &Metrics) {
        if !self.feeds.contains_key(agent_id) && !self.make_room() {
            AlertUnkept.report(metrics);
            return;
        }
        let mut feed = self.feeds.entry(agent_id.to_owned()).or_insert_with(|| self.new_feed());
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        let text = Utf8Bytes::from(with_cursor(json, &format!("{:x}-{number}", self.run)));
        feed.last_alert = clock::now();
        feed.kept.push_back((number, text.clone()));
        if feed.kept.len() > FEED_ALERTS_MAX
            && let Some((lost, _)) = feed.kept.pop_front()
        {
            feed.lost = lost;
        }
        feed.subscribers.retain(|subscriber| subscriber.push(Push { text: text.clone(), since: Some(since) }));
    }

    /// Listens to an agent's alerts: those after `after` that are remembered,
    /// and those to come, without loss or repeat between the two.
    pub(crate) fn subscribe(
        &self,
        agent_id: &str,
        after: After,
    ) -> Result<(Vec<Push>, Subscription), TooManySubscribers> {
        if !self.feeds.contains_key(agent_id) && !self.make_room() {
            return Err(TooManySubscribers);
        }
        let mut feed = self.feeds.entry(agent_id.to_owned()).or_insert_with(|| self.new_feed());
        feed.subscribers.retain(Subscriber::is_open);
        if feed.subscribers.len() >= SUBSCRIBERS_PER_AGENT_MAX {
            return Err(TooManySubscribers);
        }
        let (from, gap) = match after {
            After::Now => (u64::MAX, false),
            After::Start => (0, false),
            After::Cursor { run, number } if run == self.run => (number, number < feed.lost),
            After::Cursor { .. } => (0, true),
        };
        let gap = gap.then(|| Utf8Bytes::from_static(GAP));
        let kept = feed.kept.iter().filter(|(number, _)| *number > from).map(|(_, text)| text.clone());
        let backlog = gap.into_iter().chain(kept).map(|text| Push { text, since: None }).collect();
        let (subscriber, subscription) = subscription();
        feed.subscribers.push(subscriber);
        Ok((backlog, subscription))
    }

    fn new_feed(&self) -> Feed {
        Feed {
            kept: VecDeque::new(),
            lost: self.swept.load(Ordering::Relaxed),
            subscribers: Vec::new(),
            last_alert: clock::now(),
        }
    }

    /// Whether one more agent has room, after forgetting those whom nobody
    /// listens to and who had no alert for long.
    fn make_room(&self) -> bool {
        if self.feeds.len() < FEEDS_MAX {
            return true;
        }
        let now = clock::now();
        let due = match self.next_sweep.lock() {
            Ok(mut next) if *next <= now => {
                *next = now + SWEEP_PERIOD;
                true
            }
            _ => false,
        };
        if due {
            self.feeds.retain(|_, feed| {
                let wanted = feed.subscribers.iter().any(Subscriber::is_open);
                wanted || now.saturating_duration_since(feed.last_alert) < FEED_IDLE
            });
            self.swept.store(self.number.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.feeds.len() < FEEDS_MAX
    }
}

const GAP: &str = r#"{"type":"status","state":"gap","why":"after 之后的部分预警已不在内存中 / some alerts after this cursor are no longer held"}"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(backlog: &[Push]) -> Vec<&str> {
        backlog.iter().map(|push| push.text.as_str()).collect()
    }

    #[tokio::test]
    async fn after_resumes_without_loss_or_repeat() {
        let (feeds, metrics) = (Feeds::new(), Metrics::new().unwrap());
        for n in 0..3 {
            feeds.publish("a1", format!("{{\"n\":{n}}}"), clock::now(), &metrics);
        }
        feeds.publish("a2", "{\"n\":9}".into(), clock::now(), &metrics);
        let (backlog, _open) = feeds.subscribe("a1", After::Start).unwrap();
        assert_eq!(backlog.len(), 3);
        let first: serde_json::Value = serde_json::from_str(&backlog[0].text).unwrap();
        let after = After::parse(first["cursor"].as_str()).unwrap();
        let (rest, _open) = feeds.subscribe("a1", after).unwrap();
        assert_eq!(texts(&rest), texts(&backlog[1..]));
        let (none, _open) = feeds.subscribe("a1", After::Now).unwrap();
        assert!(none.is_empty());
    }

    #[tokio::test]
    async fn what_is_no_longer_held_is_told() {
        let (feeds, metrics) = (Feeds::new(), Metrics::new().unwrap());
        for n in 0..FEED_ALERTS_MAX + 2 {
            feeds.publish("a1", format!("{{\"n\":{n}}}"), clock::now(), &metrics);
        }
        let cursor = |number| After::Cursor { run: feeds.run, number };
        let (backlog, _open) = feeds.subscribe("a1", cursor(1)).unwrap();
        assert_eq!((backlog.len(), backlog[0].text.as_str()), (FEED_ALERTS_MAX + 1, GAP));
        let (backlog, _open) = feeds.subscribe("a1", cursor(2)).unwrap();
        assert_eq!(backlog.len(), FEED_ALERTS_MAX);
        let (backlog, _open) = feeds.subscribe("a1", After::Cursor { run: 1, number: 5 }).unwrap();
        assert_eq!(backlog[0].text.as_str(), GAP);
    }

    #[tokio::test]
    async fn a_subscriber_who_does_not_read_is_let_go() {
        let (feeds, metrics) = (Feeds::new(), Metrics::new().unwrap());
        let (_, _unread) = feeds.subscribe("a1", After::Now).unwrap();
        for n in 0..=super::super::config::SUBSCRIBER_QUEUE_MAX {
            feeds.publish("a1", format!("{{\"n\":{n}}}"), clock::now(), &metrics);
        }
        assert!(feeds.feeds.get("a1").unwrap().subscribers.is_empty());
    }
}

//! Connected agents, and the budget of cards that each may get a minute.
//!
//! Nothing is remembered here: alerts are in the store, and an agent who comes back with `after`
//! reads them there. A cursor is opaque to clients: the id of its store, then the alert's number,
//! which rises over all alerts of the store.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;

use crate::engine::severity::Severity;
use crate::server::config::{AGENTS_MAX, SUBSCRIBERS_PER_AGENT_MAX};
use crate::server::domain::principal::Reading;
use crate::server::runtime::subscription::{Push, Subscriber, Subscription, subscription};

/// The span over which cards are counted.
const MINUTE: Duration = Duration::from_secs(60);

/// A place in the sequence of all alerts of one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) store: i64,
    pub(crate) number: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.store, self.number)
    }
}

/// From where on a subscriber wants an agent's alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Only new ones.
    Now,
    /// All that is kept.
    Start,
    /// The alerts of the calls in progress, for a client without a cursor.
    Live,
    /// The alerts after this one.
    Cursor(Cursor),
}

impl After {
    /// Reads the `after` of a query; `None` is no cursor of ours.
    pub(crate) fn parse(text: Option<&str>) -> Option<Self> {
        match text {
            None => Some(Self::Now),
            Some("0") => Some(Self::Start),
            Some("live") => Some(Self::Live),
            Some(text) => {
                let (store, number) = text.split_once('-')?;
                let cursor = Cursor { store: i64::from_str_radix(store, 16).ok()?, number: number.parse().ok()? };
                (cursor.number >= 0).then_some(Self::Cursor(cursor))
            }
        }
    }
}

/// There are as many subscribers for this agent as may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManySubscribers;

/// Whether an agent has room for one more card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// There is room: the card is shown.
    Card,
    /// There is no room; the number of cards without room in the last minute, this one included.
    Folded(usize),
}

/// All agents who are connected or had a card in the last minute.
#[derive(Debug, Default)]
pub(crate) struct Agents {
    agents: DashMap<String, Agent>,
}

#[derive(Debug, Default)]
struct Agent {
    subscribers: Vec<(Reading, Subscriber)>,
    /// The times of the cards within the last minute.
    cards: VecDeque<Instant>,
    /// The times of the alerts that found no room for a card.
    folded: VecDeque<Instant>,
}

impl Agent {
    fn forget_before(&mut self, since: Instant) {
        for times in [&mut self.cards, &mut self.folded] {
            while times.front().is_some_and(|at| *at < since) {
                times.pop_front();
            }
        }
    }

    fn is_idle(&mut self, since: Instant) -> bool {
        self.subscribers.retain(|(_, subscriber)| subscriber.is_open());
        self.forget_before(since);
        self.subscribers.is_empty() && self.cards.is_empty() && self.folded.is_empty()
    }
}

impl Agents {
    /// Asks for room for a card. What is critical always has it; what is mere
    /// information has half of what there is.
    pub(crate) fn admit(&self, agent_id: &str, severity: Severity, now: Instant, per_minute: usize) -> Admission {
        let room = match severity {
            Severity::Critical => usize::MAX,
            Severity::Warning => per_minute,
            Severity::Info => per_minute.div_ceil(2),
        };
        if !self.agents.contains_key(agent_id) && !self.make_room(now) {
            return Admission::Card;
        }
        let mut agent = self.agents.entry(agent_id.to_owned()).or_default();
        agent.forget_before(minute_before(now));
        if agent.cards.len() < room {
            // Of those that always have room, no more than matter are counted.
            if agent.cards.len() < per_minute {
                agent.cards.push_back(now);
            }
            return Admission::Card;
        }
        if agent.folded.len() < FOLDED_MAX {
            agent.folded.push_back(now);
        }
        Admission::Folded(agent.folded.len())
    }

    /// Gives a message to those who listen, as each may read it.
    pub(crate) fn publish(&self, agent_id: &str, push: impl Fn(Reading) -> Push) {
        if let Some(mut agent) = self.agents.get_mut(agent_id) {
            agent.subscribers.retain(|(reading, subscriber)| subscriber.push(push(*reading)));
        }
    }

    /// Gives a message to those who listen and are not the agent.
    pub(crate) fn tell_onlookers(&self, agent_id: &str, push: &Push) {
        if let Some(mut agent) = self.agents.get_mut(agent_id) {
            agent
                .subscribers
                .retain(|(reading, subscriber)| *reading == Reading::Plain || subscriber.push(push.clone()));
        }
    }

    /// Listens to an agent's alerts from now on.
    pub(crate) fn subscribe(
        &self,
        agent_id: &str,
        reading: Reading,
        now: Instant,
    ) -> Result<Subscription, TooManySubscribers> {
        if !self.agents.contains_key(agent_id) && !self.make_room(now) {
            return Err(TooManySubscribers);
        }
        let mut agent = self.agents.entry(agent_id.to_owned()).or_default();
        agent.subscribers.retain(|(_, subscriber)| subscriber.is_open());
        if agent.subscribers.len() >= SUBSCRIBERS_PER_AGENT_MAX {
            return Err(TooManySubscribers);
        }
        let (subscriber, subscription) = subscription();
        agent.subscribers.push((reading, subscriber));
        Ok(subscription)
    }

    /// Whether one more agent has room, after forgetting the idle ones if need be.
    fn make_room(&self, now: Instant) -> bool {
        if self.agents.len() >= AGENTS_MAX {
            self.agents.retain(|_, agent| !agent.is_idle(minute_before(now)));
        }
        self.agents.len() < AGENTS_MAX
    }
}

/// More cards without room in a minute than anybody reads a number of.
const FOLDED_MAX: usize = 999;

fn minute_before(now: Instant) -> Instant {
    now.checked_sub(MINUTE).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::clock;

    #[test]
    fn cursors_are_read_as_they_are_written() {
        let cursor = Cursor { store: 0x19a, number: 12 };
        assert_eq!(After::parse(Some(&cursor.to_string())), Some(After::Cursor(cursor)));
        for (text, after) in [(None, After::Now), (Some("0"), After::Start), (Some("live"), After::Live)] {
            assert_eq!(After::parse(text), Some(after));
        }
        for wrong in ["", "12", "-", "x-1", "19a--1", "19a-1-"] {
            assert_eq!(After::parse(Some(wrong)), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_minute_has_room_for_so_many_cards_and_all_critical_ones() {
        let agents = Agents::default();
        let start = clock::now() + MINUTE;
        let admit = |severity, seconds| agents.admit("a1", severity, start + Duration::from_secs(seconds), 2);
        assert_eq!(admit(Severity::Info, 0), Admission::Card);
        assert_eq!(admit(Severity::Info, 1), Admission::Folded(1));
        assert_eq!(admit(Severity::Warning, 2), Admission::Card);
        assert_eq!(admit(Severity::Warning, 3), Admission::Folded(2));
        assert_eq!(admit(Severity::Critical, 4), Admission::Card);
        assert_eq!(admit(Severity::Warning, 60), Admission::Folded(3));
        assert_eq!(admit(Severity::Warning, 61), Admission::Card);
        assert_eq!(agents.admit("a2", Severity::Info, start, 2), Admission::Card);
    }

    #[tokio::test]
    async fn a_subscriber_who_does_not_read_is_let_go() {
        let agents = Agents::default();
        let _unread = agents.subscribe("a1", Reading::Plain, clock::now()).unwrap();
        let push = Push { text: "{}".into(), cursor: None, since: None };
        for _ in 0..=crate::server::config::SUBSCRIBER_QUEUE_MAX {
            agents.publish("a1", |_| push.clone());
        }
        assert!(agents.agents.get("a1").unwrap().subscribers.is_empty());
    }
}

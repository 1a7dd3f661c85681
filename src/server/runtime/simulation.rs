//! The server without sockets and tasks, under a seeded course of the world: a
//! virtual clock, producers that resend, agents that come and go, a store that
//! refuses, and crashes between any two steps.
//!
//! Shards and writer are the real ones; what runs them here in an order drawn
//! from the seed is what the tasks do in theirs. After every step it must hold
//! that what was acknowledged or shown is kept, and at the end that every call
//! has the alerts that its recording has, each once.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::adapter::native::{self, Event, EventBody};
use crate::engine::alert::AlertState;
use crate::engine::rule::parse::SourceFile;
use crate::engine::rule::sources::Sources;
use crate::engine::rule::{self, RuleSet};
use crate::server::clock;
use crate::server::domain::principal::Who;
use crate::server::domain::review::{Action, Impossible, Step};
use crate::server::runtime::journal;
use crate::server::runtime::journal::Batch;
use crate::server::runtime::shard::{Command, Delivery, Reply};
use crate::server::runtime::subscription::Subscription;
use crate::server::store::{Target, Untaken};
use crate::server::{Alerts, Config, LoadedRules, Rulebook, Server};
use crate::session::Session;

const RULES: &str = "
pack: simulation
title: 模拟
rules:
  - id: sim.forbid
    name: 禁语
    forbid: { any: [不知道, 随便你] }
    message: 不要说“{phrase}”
  - id: sim.greet
    name: 问候
    require: { any: [您好], after: { event: answered }, within: 5s }
    message: 未问候
  - id: sim.silence
    name: 冷场
    timing: { silence: { of: both, over: 8s } }
    message: 冷场
";

const WORDS: [&str; 8] = [
    "您好很高兴为您服务",
    "这个我不知道",
    "随便你吧",
    "我查一下",
    "好的请稍等",
    "不",
    "知道了谢谢",
    "还有什么可以帮您",
];
const AGENT: &str = "a1";

/// SplitMix64: small, seeded, and good enough to choose a course.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

fn rules() -> (Arc<RuleSet>, Vec<SourceFile>) {
    let files = vec![SourceFile { name: "simulation.yaml".to_owned(), text: RULES.to_owned() }];
    let loaded = rule::load(&files, "sim".to_owned()).unwrap_or_else(|faults| panic!("{faults:?}"));
    (loaded.rules, files)
}

/// The events of one call, in the order in which its producer sends them.
fn script(call_id: &str, chance: &mut Chance) -> Vec<Value> {
    let mut events = vec![json!({
        "type": "call.start", "call_id": call_id, "agent_id": AGENT, "started_at": "2026-11-21T10:00:00+08:00",
    })];
    let mut at = 0;
    for number in 0..3 + chance.below(8) {
        at += 200 + chance.below(4_000);
        let text = WORDS[chance.below(WORDS.len())];
        let role = if chance.one_in(4) { "customer" } else { "agent" };
        let end = at + 300 * text.chars().count();
        let mut say = |text: &str, is_final: bool, end: usize| {
            events.push(json!({
                "type": "utterance", "call_id": call_id, "utterance_id": format!("u{number}"), "role": role,
                "text": text, "start_ms": at, "end_ms": end, "final": is_final,
            }));
        };
        if chance.one_in(2) {
            let heard: String = text.chars().take(1 + chance.below(text.chars().count())).collect();
            say(&heard, false, at + 300 * heard.chars().count());
        }
        if chance.one_in(5) {
            say(WORDS[chance.below(WORDS.len())], false, end);
        }
        say(text, true, end);
        at = end;
    }
    if chance.one_in(3) {
        events.push(json!({"type": "call.hold", "call_id": call_id, "at_ms": at + 100}));
        events.push(json!({"type": "call.resume", "call_id": call_id, "at_ms": at + 2_000}));
        at += 2_000;
    }
    events.push(json!({"type": "call.end", "call_id": call_id, "at_ms": at + 500, "by": "customer"}));
    for (seq, event) in (1_u64..).zip(&mut events) {
        event["seq"] = seq.into();
    }
    events
}

/// What an agent is told by a recording of these events.
fn standing_of_recording(rules: &Arc<RuleSet>, events: &[Value]) -> BTreeSet<String> {
    let mut parsed = events.iter().map(|event| native::parse(&event.to_string()).unwrap());
    let Some(Event { body: EventBody::Start(info), seq, .. }) = parsed.next() else { panic!("no start") };
    let mut session = Session::new(Arc::clone(rules), *info, seq);
    let mut standing = BTreeMap::new();
    let mut drain = |session: &mut Session| {
        while let Some(alert) = session.poll_output() {
            standing.insert(alert.alert_id.clone(), alert.state);
        }
    };
    drain(&mut session);
    for event in parsed {
        let EventBody::Input(input) = event.body else { continue };
        let now = session.hear(event.seq, &input);
        session.handle(now, input);
        drain(&mut session);
    }
    session.finish();
    drain(&mut session);
    standing.into_iter().filter(|(_, state)| *state == AlertState::Confirmed).map(|(id, _)| id).collect()
}

/// A producer of one call.
struct Producer {
    events: Vec<Value>,
    sent: usize,
    acked: usize,
}

/// All of the world.
struct World {
    chance: Chance,
    directory: TempDir,
    server: Option<Server>,
    pending: Vec<Batch>,
    now: Instant,
    producers: BTreeMap<String, Producer>,
    reply_to: mpsc::Sender<Reply>,
    replies: mpsc::Receiver<Reply>,
    subscription: Option<Subscription>,
    /// What the agent has: cursor and JSON, in the order in which it came.
    shown: Vec<(i64, Value)>,
    is_full: bool,
    /// Steps of QA that were taken.
    reviews: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let (reply_to, replies) = mpsc::channel(10_000);
        let mut world = Self {
            chance: Chance(seed),
            directory: TempDir::new().unwrap(),
            server: None,
            pending: Vec::new(),
            now: clock::now(),
            producers: BTreeMap::new(),
            reply_to,
            replies,
            subscription: None,
            shown: Vec::new(),
            is_full: false,
            reviews: 0,
        };
        for number in 0..1 + world.chance.below(4) {
            let call_id = format!("c{number}");
            let events = script(&call_id, &mut world.chance);
            world.producers.insert(call_id, Producer { events, sent: 0, acked: 0 });
        }
        world.start();
        world
    }

    fn start(&mut self) {
        let (rules, files) = rules();
        let sources = Sources { files, ..Sources::default() };
        let load =
            move || Ok(LoadedRules { rules: Arc::clone(&rules), sources: sources.clone(), warnings: Vec::new() });
        let config = Config {
            data: self.directory.path().to_owned(),
            shards: NonZeroUsize::new(2),
            call_linger_ms: NonZeroU64::new(1_000).unwrap(),
            // Whatever is kept is shown.
            alerts: Alerts { cards_per_minute_max: NonZeroU32::MAX, late_ms_max: NonZeroU64::MAX },
            ..Config::default()
        };
        let rules = Rulebook::new(Vec::new(), load).unwrap();
        let server = Server::open(config, rules, ([127, 0, 0, 1], 0).into()).unwrap();
        self.server = Some(server);
        self.is_full = false;
        self.subscribe();
    }

    fn server(&mut self) -> &mut Server {
        self.server.as_mut().unwrap()
    }

    /// The agent connects: what it does not have from the store, the rest live.
    fn subscribe(&mut self) {
        let (now, read) = (self.now, self.shown.last().map_or(0, |(cursor, _)| *cursor));
        let shared = Arc::clone(&self.server().shared);
        self.subscription = Some(shared.agents.subscribe(AGENT, now).unwrap());
        for alert in shared.readers.cards_after(AGENT, read, 1_000).unwrap() {
            self.show(alert.cursor, &alert.json);
        }
    }

    fn show(&mut self, cursor: i64, json: &str) {
        let last = self.shown.last().map_or(0, |(cursor, _)| *cursor);
        assert!(cursor > last, "alert {cursor} after {last}");
        self.shown.push((cursor, serde_json::from_str(json).unwrap()));
    }

    fn step(&mut self) {
        match self.chance.below(12) {
            0..=4 => self.send(),
            5..=6 => self.work(),
            7..=8 => self.commit(),
            9 => self.pass_time(),
            10 => self.listen(),
            _ => match self.chance.below(6) {
                0 => self.crash(),
                1 => self.resend(),
                2 => self.fill_or_free(),
                3 => {
                    self.subscription = None;
                    self.subscribe();
                }
                4 => self.review(),
                _ => self.listen(),
            },
        }
        self.hear_replies();
    }

    /// A producer sends its next event.
    fn send(&mut self) {
        let waiting: Vec<String> = self
            .producers
            .iter()
            .filter(|(_, producer)| producer.sent < producer.events.len())
            .map(|(call_id, _)| call_id.clone())
            .collect();
        if waiting.is_empty() {
            return;
        }
        let call_id = waiting[self.chance.below(waiting.len())].clone();
        let producer = self.producers.get_mut(&call_id).unwrap();
        let text = producer.events[producer.sent].to_string();
        producer.sent += 1;
        let event = native::parse(&text).unwrap();
        let (received, replies) = (self.now, self.reply_to.clone());
        let command = Command::Event(Delivery { event, json: Utf8Bytes::from(text), received, replies });
        let server = self.server();
        let place = server.shared.shards.place(&call_id);
        server.shards[place].0.take(command, received);
    }

    /// The shards do what is due and hand over what they have.
    fn work(&mut self) {
        let now = self.now;
        for (shard, _) in &mut self.server.as_mut().unwrap().shards {
            shard.wake_due(now);
            let batch = shard.take_batch();
            if !batch.is_empty() {
                self.pending.push(batch);
            }
        }
    }

    fn commit(&mut self) {
        let server = self.server.as_mut().unwrap();
        let taken = journal::try_settle(&server.shared, &mut server.writer, &mut self.pending);
        assert!(taken.is_ok() || self.is_full, "{taken:?}");
    }

    fn pass_time(&mut self) {
        self.now += Duration::from_millis(1 + self.chance.below(4_000) as u64);
    }

    /// The agent reads what was pushed.
    fn listen(&mut self) {
        let Some(mut subscription) = self.subscription.take() else { return };
        while let Some(push) = subscription.try_next() {
            let read = self.shown.last().map_or(0, |(cursor, _)| *cursor);
            if let Some(cursor) = push.cursor.filter(|cursor| *cursor > read) {
                self.show(cursor, &push.text);
            }
        }
        self.subscription = Some(subscription);
    }

    /// `kill -9`: all that is not in the store is gone.
    fn crash(&mut self) {
        self.server = None;
        self.pending.clear();
        self.subscription = None;
        while self.replies.try_recv().is_ok() {}
        for producer in self.producers.values_mut() {
            producer.sent = producer.acked;
        }
        self.now += Duration::from_millis(self.chance.below(5_000) as u64);
        self.start();
        self.acknowledged_is_kept();
    }

    /// QA looks at an alert that the agent was shown. A full disk keeps nothing,
    /// and what the engine took back is not theirs.
    fn review(&mut self) {
        if self.shown.is_empty() {
            return;
        }
        let at = self.chance.below(self.shown.len());
        let alert_id = self.shown[at].1["alert_id"].as_str().unwrap().to_owned();
        let action = if self.chance.one_in(2) { Action::Confirm } else { Action::Dismiss };
        let who = Who { name: format!("qa-{}", self.chance.below(3)), role: "qa" };
        let reason = Some(self.chance.below(100).to_string());
        let step = Step { action, by: who.name.clone(), role: who.role.to_owned(), reason, at_ms: 1 };
        let target = Target { alert_id, call_id: None, started_ms: None, agent_id: None };
        match self.server().writer.review(&target, &step, &who, 1) {
            Ok(Ok(taken)) => self.reviews += usize::from(!taken.steps.is_empty()),
            Ok(Err(untaken)) => {
                let expected = [Impossible::NotConfirmed, Impossible::NoChange].map(Untaken::Impossible);
                assert!(expected.contains(&untaken), "{untaken:?}");
            }
            Err(error) => assert!(self.is_full, "{error}"),
        }
    }

    /// A connection breaks: a producer sends again from its last acknowledgement.
    fn resend(&mut self) {
        for producer in self.producers.values_mut() {
            producer.sent = producer.acked;
        }
    }

    /// The disk is full, or has room again.
    fn fill_or_free(&mut self) {
        self.is_full = !self.is_full;
        let is_full = self.is_full;
        self.server().writer.limit_pages(if is_full { 1 } else { 1 << 30 });
    }

    fn hear_replies(&mut self) {
        while let Ok(Reply { call_id, seq, outcome }) = self.replies.try_recv() {
            assert_eq!(outcome, Ok(()), "{call_id} {seq:?}");
            let producer = self.producers.get_mut(&call_id).unwrap();
            producer.acked = producer.acked.max(usize::try_from(seq.unwrap()).unwrap());
        }
    }

    /// What a new process knows covers what an earlier one acknowledged.
    fn acknowledged_is_kept(&mut self) {
        let readers = Arc::clone(&self.server().shared.readers);
        let closed = readers.closed_calls(100).unwrap();
        for (call_id, producer) in &self.producers {
            let resumed = self.server.as_ref().unwrap().shards.iter().find_map(|(shard, _)| shard.seq(call_id));
            let closed = closed.iter().find(|call| call.call_id == *call_id).and_then(|call| call.last_seq);
            let kept = resumed.or(closed).unwrap_or(0);
            assert!(kept >= producer.acked as u64, "{call_id}: {kept} kept, {} acknowledged", producer.acked);
        }
    }

    /// Everything is sent, kept and closed, and the agent has seen it.
    fn settle(&mut self) {
        if self.is_full {
            self.fill_or_free();
        }
        self.resend();
        for _ in 0..10_000 {
            self.send();
            self.work();
            self.commit();
            self.hear_replies();
            self.pass_time();
            self.listen();
            let is_acked = self.producers.values().all(|producer| producer.acked == producer.events.len());
            let is_closed = self.server().shared.readers.open_calls().unwrap().is_empty();
            if is_acked && is_closed {
                return;
            }
        }
        panic!("the world does not come to rest");
    }

    fn check(&mut self) {
        let (rules, _) = rules();
        let mut standing: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut last: BTreeMap<String, Value> = BTreeMap::new();
        for (_, alert) in &self.shown {
            let text = |field: &str| alert[field].as_str().unwrap().to_owned();
            let (id, state, call) = (text("alert_id"), text("state"), text("call_id"));
            let mut transition = alert.clone();
            for of_its_time in ["cursor", "emitted_at"] {
                transition.as_object_mut().unwrap().remove(of_its_time);
            }
            let before = last.insert(id.clone(), transition.clone());
            assert_ne!(before, Some(transition), "told twice");
            let standing = standing.entry(call).or_default();
            if state == "confirmed" {
                standing.insert(id);
            } else {
                standing.remove(&id);
            }
        }
        for (call_id, producer) in &self.producers {
            let expected = standing_of_recording(&rules, &producer.events);
            assert_eq!(standing.remove(call_id).unwrap_or_default(), expected, "{call_id}");
        }
        // Whatever happened between, each review is there, and the audit is whole.
        let count = "SELECT count(*) FROM reviews";
        let kept =
            self.server().shared.readers.ask(|store| Ok(store.query_row(count, [], |row| row.get::<_, i64>(0))?));
        assert_eq!(kept.unwrap().unsigned_abs() as usize, self.reviews);
        let verified = crate::server::verify_audit(self.directory.path(), None).unwrap();
        assert_eq!(verified.faults, Vec::<String>::new());
        let stored = self.server().shared.readers.cards_after(AGENT, 0, 10_000).unwrap();
        let shown: Vec<i64> = self.shown.iter().map(|(cursor, _)| *cursor).collect();
        assert_eq!(shown, stored.iter().map(|alert| alert.cursor).collect::<Vec<_>>());
    }
}

#[test]
fn nothing_is_lost_and_nothing_told_twice_whatever_happens() {
    for seed in 0..40 {
        let run = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            for _ in 0..250 {
                world.step();
            }
            world.settle();
            world.check();
        });
        assert!(run.is_ok(), "seed {seed}");
    }
}

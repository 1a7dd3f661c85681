//! The server without sockets and tasks, under a seeded course of the world: a
//! virtual clock, producers that resend, agents that come and go, a store that
//! refuses, and crashes between any two steps.
//!
//! Shards and writer are the real ones; what runs them here in an order drawn
//! from the seed is what the tasks do in theirs. After every step it must hold
//! that what was acknowledged or shown is kept, and at the end that every call
//! has the alerts that its recording has, each once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::adapter::native::{self, Event, EventBody};
use crate::engine::alert::AlertState;
use crate::engine::rule::parse::SourceFile;
use crate::engine::rule::sources::Sources;
use crate::engine::rule::{self, RuleSet};
use crate::numbers::{self, Seen};
use crate::server::clock;
use crate::server::config::{Privacy, Secret, SecretSource, StoredWords};
use crate::server::domain::principal::{AccessRole, Capacity, Reading, Who};
use crate::server::domain::review::{Action, Impossible, Step};
use crate::server::domain::terms::Trigger;
use crate::server::runtime::journal;
use crate::server::runtime::journal::Batch;
use crate::server::runtime::shard::{Command, Delivery, Reply};
use crate::server::runtime::subscription::Subscription;
use crate::server::store::{AlertFilter, CallFilter, LoadRow, Order, Target, Untaken};
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

const WORDS: [&str; 10] = [
    "您好很高兴为您服务",
    "这个我不知道",
    "随便你吧",
    "我查一下",
    "好的请稍等",
    "不",
    "知道了谢谢",
    "还有什么可以帮您",
    "我记一下您的手机号1391234",
    "5678对吗",
];
const AGENT: &str = "a1";
const ASR_SILENT_MS: u64 = 5_000;

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

/// Rules that judge otherwise: they allow some words and forbid others.
const OTHER_RULES: &str = "
pack: simulation
title: 模拟
rules:
  - id: sim.forbid
    name: 禁语
    forbid: { any: [随便你] }
    message: 不要说“{phrase}”
  - id: sim.greet
    name: 问候
    require: { any: [您好], after: { event: answered }, within: 5s }
    message: 未问候
  - id: sim.wait
    name: 等待
    forbid: { any: [请稍等] }
    message: 不要让客户等
";

fn rules(text: &str) -> (Arc<RuleSet>, Vec<SourceFile>) {
    let files = vec![SourceFile { name: "simulation.yaml".to_owned(), text: text.to_owned() }];
    let version = if text == RULES { "sim" } else { "other" };
    let loaded = rule::load(&files, version.to_owned()).unwrap_or_else(|faults| panic!("{faults:?}"));
    (loaded.rules, files)
}

/// The events of one call, in the order in which its producer sends them.
fn script(call_id: &str, chance: &mut Chance) -> Vec<Value> {
    let mut events = vec![json!({
        "type": "call.start", "call_id": call_id, "agent_id": AGENT, "started_at": "2026-11-21T10:00:00+08:00",
    })];
    let mut at = 0;
    // Some recognisers never give a final: more hypotheses than a call may have open.
    let (utterances, is_babble) = if chance.one_in(6) { (90, true) } else { (3 + chance.below(8), false) };
    for number in 0..utterances {
        at += 200 + chance.below(4_000);
        if chance.one_in(6) {
            at += 2 * usize::try_from(ASR_SILENT_MS).unwrap();
        }
        let text = WORDS[chance.below(WORDS.len())];
        let role = if chance.one_in(4) { "customer" } else { "agent" };
        let end = at + 300 * text.chars().count();
        let mut say = |text: &str, is_final: bool, end: usize| {
            events.push(json!({
                "type": "utterance", "call_id": call_id, "utterance_id": format!("u{number}"), "role": role,
                "text": text, "start_ms": at, "end_ms": end, "final": is_final,
            }));
        };
        if is_babble || chance.one_in(2) {
            let heard: String = text.chars().take(1 + chance.below(text.chars().count())).collect();
            say(&heard, false, at + 300 * heard.chars().count());
        }
        if chance.one_in(5) {
            say(WORDS[chance.below(WORDS.len())], false, end);
        }
        if !(is_babble || chance.one_in(6)) {
            say(text, true, end);
        }
        at = end;
        if chance.one_in(8) {
            let long = 2_000 + chance.below(2 * usize::try_from(ASR_SILENT_MS).unwrap());
            events.push(json!({"type": "call.hold", "call_id": call_id, "at_ms": at + 100}));
            events.push(json!({"type": "call.resume", "call_id": call_id, "at_ms": at + long}));
            at += long;
        }
    }
    events.push(json!({"type": "call.end", "call_id": call_id, "at_ms": at + 500, "by": "customer"}));
    number(&mut events, chance);
    events
}

/// Numbers the events as one producer does, or as two legs do: named or not, each from 1.
fn number(events: &mut [Value], chance: &mut Chance) {
    let legs = chance.below(3);
    let mut seqs = [0_u64; 2];
    for event in events {
        let is_second = legs > 0 && event["role"] == "customer";
        let seq = &mut seqs[usize::from(is_second)];
        // Some count by more than one.
        *seq += if legs == 1 && is_second { 1_000 } else { 1 };
        event["seq"] = (*seq).into();
        if legs == 1 && is_second {
            event["producer"] = "customer".into();
        }
    }
}

/// The alerts that a recording of these events gives an agent.
fn standing_of_recording(rules: &Arc<RuleSet>, events: &[Value]) -> BTreeSet<String> {
    let mut parsed = events.iter().map(|event| native::parse(&event.to_string()).unwrap());
    let Some(Event { body: EventBody::Start(info), number, .. }) = parsed.next() else { panic!("no start") };
    let mut session = Session::new(Arc::clone(rules), *info, &number);
    let mut standing = BTreeMap::new();
    let mut drain = |session: &mut Session| {
        while let Some(alert) = session.poll_output() {
            standing.insert(alert.alert_id.clone(), alert.state);
        }
    };
    drain(&mut session);
    for event in parsed {
        let EventBody::Input(input) = event.body else { continue };
        session.take(&event.number, input);
        drain(&mut session);
    }
    session.finish();
    drain(&mut session);
    standing.into_iter().filter(|(_, state)| *state == AlertState::Confirmed).map(|(id, _)| id).collect()
}

/// Every other world keeps its words sealed, and masks those of calls that are over.
fn privacy(seed: u64) -> Privacy {
    if seed.is_multiple_of(2) {
        return Privacy::default();
    }
    let key = Some(SecretSource::Plain(Secret::new("k".repeat(32))));
    Privacy { store: StoredWords::Masked, key, old_keys: Vec::new() }
}

/// A producer of one call.
struct Producer {
    events: Vec<Value>,
    sent: usize,
    /// All before this one are acknowledged.
    acked: usize,
    /// The events whose answers are to come, in this order.
    under_way: VecDeque<usize>,
}

/// The simulated world: server, producers and agent.
struct World {
    chance: Chance,
    directory: TempDir,
    server: Option<Server>,
    rules: &'static str,
    shards: usize,
    pending: Vec<Batch>,
    now: Instant,
    producers: BTreeMap<String, Producer>,
    reply_to: mpsc::Sender<Reply>,
    replies: mpsc::Receiver<Reply>,
    subscription: Option<Subscription>,
    /// The agent's alerts: cursor and JSON, in the order of arrival.
    shown: Vec<(i64, Value)>,
    /// The notices to the agent, which are not stored, with the time since the beginning.
    notices: Vec<(Duration, String)>,
    began: Instant,
    is_full: bool,
    /// Steps of QA that were taken.
    reviews: usize,
    privacy: Privacy,
}

impl World {
    fn new(seed: u64, privacy: Privacy) -> Self {
        let mut chance = Chance(seed);
        let call_ids = (0..1 + chance.below(4)).map(|number| format!("c{number}"));
        let scripts = call_ids.map(|call_id| (call_id.clone(), script(&call_id, &mut chance))).collect();
        Self::of(scripts, chance, privacy)
    }

    /// A world with these calls.
    fn of(scripts: BTreeMap<String, Vec<Value>>, chance: Chance, privacy: Privacy) -> Self {
        let (reply_to, replies) = mpsc::channel(10_000);
        let producers = scripts
            .into_iter()
            .map(|(id, events)| (id, Producer { events, sent: 0, acked: 0, under_way: VecDeque::new() }));
        let now = clock::now();
        let mut world = Self {
            chance,
            directory: TempDir::new().unwrap(),
            server: None,
            rules: RULES,
            shards: 2,
            pending: Vec::new(),
            now,
            producers: producers.collect(),
            reply_to,
            replies,
            subscription: None,
            shown: Vec::new(),
            notices: Vec::new(),
            began: now,
            is_full: false,
            reviews: 0,
            privacy,
        };
        world.start();
        world
    }

    fn start(&mut self) {
        let (rules, files) = rules(self.rules);
        let sources = Sources { files, ..Sources::default() };
        let load =
            move || Ok(LoadedRules { rules: Arc::clone(&rules), sources: sources.clone(), warnings: Vec::new() });
        let config = Config {
            data: self.directory.path().to_owned(),
            privacy: self.privacy.clone(),
            shards: NonZeroUsize::new(self.shards),
            // As by default, a call lives on for as long as its recogniser may be silent.
            call_linger_ms: NonZeroU64::new(ASR_SILENT_MS).unwrap(),
            asr_silent_ms: NonZeroU64::new(ASR_SILENT_MS).unwrap(),
            // Whatever is kept is shown.
            alerts: Alerts { cards_per_minute_max: NonZeroU32::MAX, late_ms_max: NonZeroU64::MAX },
            ..Config::default()
        };
        let rules = Rulebook::new(Vec::new(), load).unwrap();
        let (now, unix_ms) = (self.now, self.unix_ms());
        let server = Server::open_by(config, rules, ([127, 0, 0, 1], 0).into(), || now, || unix_ms).unwrap();
        self.server = Some(server);
        self.is_full = false;
        self.subscribe();
    }

    /// The wall clock of this world.
    fn unix_ms(&self) -> i64 {
        1_790_000_000_000 + i64::try_from(self.now.duration_since(self.began).as_millis()).unwrap()
    }

    fn server(&mut self) -> &mut Server {
        self.server.as_mut().unwrap()
    }

    /// The agent connects: what it does not have from the store, the rest live.
    fn subscribe(&mut self) {
        let (now, read) = (self.now, self.shown.last().map_or(0, |(cursor, _)| *cursor));
        let shared = Arc::clone(&self.server().shared);
        self.subscription = Some(shared.agents.subscribe(AGENT, Reading::Plain, now).unwrap());
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
        producer.under_way.push_back(producer.sent);
        producer.sent += 1;
        let event = native::parse(&text).unwrap();
        let (received, replies, unix_ms) = (self.now, self.reply_to.clone(), self.unix_ms());
        let server = self.server();
        let origin = server.shared.shares.origin(&server.shared.config, None);
        let command = Command::Event(Delivery { event, json: text.into(), received, origin, replies });
        let place = server.shared.shards.place(&call_id);
        let (shard, _) = &mut server.shards[place];
        shard.begin(unix_ms);
        shard.take(command, received);
    }

    /// The shards do what is due and hand over what they have.
    fn work(&mut self) {
        let (now, unix_ms) = (self.now, self.unix_ms());
        for (shard, _) in &mut self.server.as_mut().unwrap().shards {
            shard.begin(unix_ms);
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
            if push.cursor.is_none() {
                self.notices.push((self.now.duration_since(self.began), push.text.to_string()));
            }
            let read = self.shown.last().map_or(0, |(cursor, _)| *cursor);
            if let Some(cursor) = push.cursor.filter(|cursor| *cursor > read) {
                self.show(cursor, &push.text);
            }
        }
        self.subscription = Some(subscription);
    }

    /// `kill -9`: all that is not in the store is gone. Some time later there is a server again.
    fn crash(&mut self) {
        self.now += Duration::from_millis(self.chance.below(5_000) as u64);
        self.restart();
    }

    fn restart(&mut self) {
        self.server = None;
        self.pending.clear();
        self.subscription = None;
        while self.replies.try_recv().is_ok() {}
        for producer in self.producers.values_mut() {
            producer.sent = producer.acked;
            producer.under_way.clear();
        }
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
        let who = Who { name: format!("qa-{}", self.chance.below(3)), role: Capacity::Person(AccessRole::Qa) };
        let reason = Some(self.chance.below(100).to_string());
        let step = Step { action, by: who.name.clone(), role: who.role, reason, at_ms: 1 };
        let target = Target { alert_id, call_id: None, started_ms: None, agent_id: None, steps_seen: None };
        let taken = self.server().writer.review(&[target], &step, &who, 1);
        match taken.map(|mut taken| taken.pop().unwrap()) {
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
        while let Ok(Reply { call_id, number, outcome }) = self.replies.try_recv() {
            assert_eq!(outcome, Ok(()), "{call_id} {number:?}");
            let producer = self.producers.get_mut(&call_id).unwrap();
            let answered = producer.under_way.pop_front().unwrap();
            assert_eq!(producer.events[answered]["seq"], number.seq.unwrap());
            producer.acked = producer.acked.max(answered + 1);
        }
    }

    /// A new process knows everything that an earlier one acknowledged.
    fn acknowledged_is_kept(&mut self) {
        let readers = Arc::clone(&self.server().shared.readers);
        let closed = readers.closed_calls(100, usize::MAX).unwrap();
        for (call_id, producer) in &self.producers {
            let resumed = self.server.as_ref().unwrap().shards.iter().find_map(|(shard, _)| shard.numbers(call_id));
            let closed = closed.iter().find(|call| call.call_id == *call_id).and_then(|call| call.numbers.as_ref());
            for event in &producer.events[..producer.acked] {
                let Event { number, body, .. } = native::parse(&event.to_string()).unwrap();
                let print = match &body {
                    EventBody::Start(info) => numbers::print_of_start(info),
                    EventBody::Input(input) => numbers::print(call_id, input),
                };
                let kept = resumed.or(closed).map(|numbers| numbers.look(&number, print));
                assert_eq!(kept, Some(Seen::Before), "{event} was acknowledged");
            }
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

    /// The stored events of each call, in order.
    fn rows(&mut self) -> BTreeMap<String, Vec<String>> {
        let readers = Arc::clone(&self.server().shared.readers);
        let calls = readers.calls(&CallFilter::default(), None, 100).unwrap();
        let events = |call_no| readers.call_events(call_no, 10_000).unwrap();
        calls.into_iter().map(|(call, _)| (call.call_id.clone(), events(call.call_no))).collect()
    }

    /// Lives through everything that is due up to a moment.
    fn wait_until(&mut self, moment: Instant) {
        let alarm = |world: &mut Self| world.server().shards.iter().filter_map(|(shard, _)| shard.next_alarm()).min();
        while let Some(alarm) = alarm(self).filter(|alarm| *alarm <= moment) {
            self.now = self.now.max(alarm);
            self.take_up();
        }
        self.now = moment;
    }

    /// All that waits is done, kept and told.
    fn take_up(&mut self) {
        self.work();
        self.commit();
        self.hear_replies();
        self.listen();
    }

    fn check(&mut self) {
        let (rules, _) = rules(self.rules);
        let scripts = self.producers.iter().map(|(id, producer)| (id.clone(), producer.events.clone())).collect();
        let mut undisturbed = Self::of(scripts, Chance(0), self.privacy.clone());
        undisturbed.settle();
        assert_eq!(self.rows(), undisturbed.rows());
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
        let alerts = AlertFilter { has_steps: true, ..AlertFilter::default() };
        let alerts = self.server().shared.readers.alerts(&alerts, Order::OldestFirst, None, None, 10_000).unwrap();
        assert_eq!(alerts.iter().map(|alert| alert.review.steps.len()).sum::<usize>(), self.reviews);
        let verified = crate::server::verify_audit(self.directory.path(), None, &Config::default()).unwrap();
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
            let mut world = World::new(seed, privacy(seed));
            for _ in 0..250 {
                world.step();
            }
            world.settle();
            world.check();
        });
        assert!(run.is_ok(), "seed {seed}");
    }
}

/// Lets every event of a call come at the moment that it speaks of. What is
/// done, told and kept then has no part of chance, and a server that is killed
/// before or after an event was kept, and started at once, changes nothing.
fn told(seed: u64, mut crashes: Option<Chance>) -> (Vec<(Duration, String)>, Vec<String>, Vec<Value>) {
    let mut is_crash = move || crashes.as_mut().is_some_and(|chance| chance.one_in(4));
    let events = script("c0", &mut Chance(seed));
    let mut world = World::of(BTreeMap::from([("c0".to_owned(), events.clone())]), Chance(seed), privacy(seed));
    for event in &events {
        let said = ["end_ms", "at_ms"].iter().find_map(|field| event[field].as_u64()).unwrap_or(0);
        world.wait_until(world.began + Duration::from_millis(said));
        world.send();
        if is_crash() {
            world.work();
            world.restart();
            world.send();
        }
        world.take_up();
        if is_crash() {
            world.restart();
        }
    }
    world.wait_until(world.now + Duration::from_millis(3 * ASR_SILENT_MS));
    let mut cards: Vec<Value> = world.shown.iter().map(|(_, card)| card.clone()).collect();
    cards.iter_mut().for_each(|card| drop(card.as_object_mut().unwrap().remove("cursor")));
    let rows = world.rows().remove("c0").unwrap();
    (std::mem::take(&mut world.notices), rows, cards)
}

#[test]
fn a_crash_changes_no_notice_and_no_row() {
    let mut is_silence_told = false;
    for seed in 0..60 {
        let undisturbed = told(seed, None);
        is_silence_told |= !undisturbed.0.is_empty();
        assert_eq!(told(seed, Some(Chance(!seed))), undisturbed, "seed {seed}");
    }
    assert!(is_silence_told);
}

/// All that a run left behind, and all that the agent was shown.
fn remains(seed: u64) -> (Vec<String>, Vec<Value>) {
    let mut world = World::new(seed, Privacy::default());
    // Which shard a call lives in is drawn anew by each process.
    world.server = None;
    world.shards = 1;
    world.start();
    for _ in 0..250 {
        world.step();
    }
    world.settle();
    let mut shown: Vec<Value> = world.shown.iter().map(|(_, card)| card.clone()).collect();
    // It names the store, too.
    shown.iter_mut().for_each(|card| drop(card.as_object_mut().unwrap().remove("cursor")));
    (world.server().shared.readers.dump(), shown)
}

#[test]
fn a_seed_gives_the_same_bytes_each_time() {
    for seed in 0..8 {
        assert_eq!(remains(seed), remains(seed), "seed {seed}");
    }
}

#[test]
fn a_replay_that_judges_otherwise_is_told_once() {
    // The kept rules as another engine would understand them; and rules that no engine does any more.
    for kept in [OTHER_RULES, "pack: ["] {
        let words = ["这个我不知道", "好的请稍等"];
        let mut events = vec![json!({
            "type": "call.start", "call_id": "c0", "seq": 1, "agent_id": AGENT, "started_at": "2026-11-21T10:00:00+08:00",
        })];
        for (seq, text) in (2_u64..).zip(words) {
            events.push(json!({
                "type": "utterance", "call_id": "c0", "seq": seq, "utterance_id": format!("u{seq}"), "role": "agent",
                "text": text, "start_ms": 1_000 * seq, "end_ms": 1_000 * seq + 900, "final": true,
            }));
        }
        let mut world = World::of(BTreeMap::from([("c0".to_owned(), events)]), Chance(0), Privacy::default());
        for _ in 0..3 {
            world.send();
            world.take_up();
        }
        world.wait_until(world.now + Duration::from_secs(10));
        let told = |world: &World| -> Vec<(String, String)> {
            let text = |card: &Value, field: &str| card[field].as_str().unwrap().to_owned();
            world.shown.iter().map(|(_, card)| (text(card, "rule_id"), text(card, "state"))).collect()
        };
        let pair = |(rule, state): (&str, &str)| (rule.to_owned(), state.to_owned());
        let first = [("sim.forbid", "confirmed"), ("sim.greet", "confirmed"), ("sim.silence", "confirmed")].map(pair);
        assert_eq!(told(&world), first);

        let files = json!([{"name": "simulation.yaml", "text": kept}]).to_string();
        for (version, files) in [("between", "[]"), ("sim", files.as_str())] {
            let (version, files) = (version.to_owned(), files.to_owned());
            let (digests, who) = (Vec::new(), Who::server());
            let row = LoadRow { version, files, digests, loaded_ms: 1, who, trigger: Trigger::Start };
            world.server().writer.load_rules(&row).unwrap();
        }
        world.rules = OTHER_RULES;
        world.restart();
        let mut then = told(&world).split_off(first.len());
        then.sort();
        let differences =
            [("sim.forbid", "retracted"), ("sim.silence", "retracted"), ("sim.wait", "confirmed")].map(pair);
        assert_eq!(then, differences);
        world.restart();
        world.wait_until(world.now + Duration::from_secs(3));
        assert_eq!(told(&world).len(), first.len() + differences.len(), "told once");
    }
}

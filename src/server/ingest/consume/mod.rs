//! Messages out of a bus: native events, or what recognisers said, each of which says of which call it is.
//!
//! A message is told to be done with only when all that it says is durable. What comes again is known by
//! its number: the bus's own, under the name of the source. What cannot be used is told with its place,
//! counted, and not asked for again; it holds nothing up.
//!
//! Deliberately absent: several servers that share one consumer, since a call lives in one server.

#[cfg(feature = "kafka")]
mod kafka;
mod nats;
mod place;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use rustls::ClientConfig;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Utf8Bytes};

use crate::adapter::native::{self, EventBody, Number};
use crate::adapter::{Format, Voices};
use crate::server::clock;
use crate::server::config::{
    self, CONSUMED_IN_FLIGHT_MAX, CONSUMED_LEGS_MAX, CONSUMED_RECENT_MAX, Config, Consume, Secret,
};
use crate::server::domain::refusal::Refusal;
use crate::server::ingest::{Asr, AsrLeg, LegPlace, Producer, Source, limit, numbered};
use crate::server::net::client;
use crate::server::runtime::Shared;
use crate::server::runtime::shard::{Command, Delivery, Reply};
use crate::server::runtime::shares::Origin;
use crate::server::telemetry::events::{
    BusConnected, BusFailed, Happening as _, MessageConsumed, MessagePoisoned, MessageUnrecognised,
};
use crate::server::telemetry::metrics::Metrics;

/// The first pause before a bus is tried again, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// How often positions are kept, and legs that ended are forgotten.
const TICK: Duration = Duration::from_secs(1);
/// A leg that says nothing for so long ends; if it goes on, it begins anew.
const LEG_IDLE: Duration = Duration::from_secs(120);
/// How long the messages of a call wait that kept others waiting already.
const SHORT_PATIENCE: Duration = Duration::from_millis(200);
/// At most one refused message in so long is logged.
const LOUD_EVERY: Duration = Duration::from_secs(1);

/// An entry of the configuration, with its secrets and certificates read.
#[derive(Debug)]
pub(crate) struct Target {
    consume: Consume,
    /// The recogniser whose messages come; `None` for native events.
    asr: Option<Format>,
    password: Option<Secret>,
    token: Option<Secret>,
    credentials: Option<Secret>,
    tls: Option<Arc<ClientConfig>>,
}

/// The entries of a configuration.
///
/// # Errors
/// A secret or a certificate cannot be read; which.
pub(crate) fn targets(config: &Config) -> Result<Vec<Arc<Target>>, String> {
    config.consume.iter().map(|consume| Target::new(consume).map(Arc::new)).collect()
}

impl Target {
    fn new(consume: &Consume) -> Result<Self, String> {
        let secret =
            |source: &Option<config::SecretSource>| source.as_ref().map(config::SecretSource::read).transpose();
        let text = |path: &std::path::PathBuf| {
            let fault = |error| format!("{}: 读不出来 / cannot be read: {error}", path.display());
            std::fs::read_to_string(path).map(Secret::new).map_err(fault)
        };
        let is_sealed = consume.servers().is_some_and(|(_, is_sealed, _)| is_sealed) || consume.ca.is_some();
        let identity = consume.certificate.as_deref().zip(consume.key.as_deref());
        let tls = is_sealed.then(|| client::tls("consume", consume.ca.as_deref(), identity)).transpose()?;
        Ok(Self {
            asr: consume.asr(),
            password: secret(&consume.password)?,
            token: secret(&consume.token)?,
            credentials: consume.credentials.as_ref().map(text).transpose()?,
            tls: tls.map(Arc::new),
            consume: consume.clone(),
        })
    }

    /// Its name in logs and metrics.
    pub(crate) fn name(&self) -> &str {
        &self.consume.name
    }
}

/// A message of a bus.
struct Message {
    /// The subject, or the topic.
    subject: String,
    key: Option<Bytes>,
    headers: Vec<(String, String)>,
    payload: Bytes,
    /// How the bus numbers it, if it does.
    number: Number,
    received: Instant,
    receipt: Receipt,
}

/// What a bus is told when a message is done with.
enum Receipt {
    /// The bus waits for nothing.
    None,
    JetStream(Box<jetstream::message::Acker>),
    #[cfg(feature = "kafka")]
    Kafka {
        partition: i32,
        offset: i64,
    },
}

/// Where a message stood, for people.
#[derive(Clone, Debug)]
struct Spot {
    subject: String,
    number: Number,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subject)?;
        match (&self.number.producer, self.number.seq) {
            (Some(producer), Some(seq)) => write!(f, " ({producer}, {seq})"),
            _ => Ok(()),
        }
    }
}

/// The outcome of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It is durable.
    Taken,
    Refused {
        code: &'static str,
        field: Option<&'static str>,
    },
    /// The server stops: the bus will send it again.
    Untold,
}

impl From<&Refusal> for Outcome {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Stopping => Self::Untold,
            refusal => Self::Refused { code: refusal.code(), field: None },
        }
    }
}

/// A message that is under way.
struct Ticket {
    receipt: Receipt,
    spot: Spot,
}

/// Whether a bus is connected, and what was told of it.
struct Link<'a> {
    source: &'a str,
    metrics: &'a Metrics,
    /// `None` until it was tried.
    is_up: Option<bool>,
    /// The last fault that was told.
    fault: String,
}

impl Link<'_> {
    fn up(&mut self) {
        if self.is_up.replace(true) != Some(true) {
            BusConnected { source: self.source }.report(self.metrics);
        }
    }

    fn down(&mut self, fault: &dyn fmt::Display) {
        let told = std::mem::replace(&mut self.fault, fault.to_string());
        let first = self.is_up.replace(false) != Some(false) || told != self.fault;
        BusFailed { source: self.source, fault, first }.report(self.metrics);
    }
}

/// A connection to a bus.
enum Bus {
    Nats(Box<nats::Subscription>),
    #[cfg(feature = "kafka")]
    Kafka(kafka::Topic),
}

impl Bus {
    async fn connect(shared: &Arc<Shared>, target: &Target) -> Result<Self, String> {
        match target.consume.servers() {
            Some((config::Bus::Nats, _, servers)) => {
                nats::Subscription::open(target, &servers).await.map(|nats| Self::Nats(Box::new(nats)))
            }
            #[cfg(feature = "kafka")]
            Some((config::Bus::Kafka, _, servers)) => {
                kafka::Topic::open(shared, target, &servers).await.map(Self::Kafka)
            }
            _ => Err("no such bus".to_owned()),
        }
    }

    /// The next message; may be dropped while it waits. Fails when the connection has to be made anew.
    async fn next(&mut self, shared: &Shared, link: &mut Link<'_>) -> Result<Message, String> {
        match self {
            Self::Nats(nats) => nats.next(shared, link).await,
            #[cfg(feature = "kafka")]
            Self::Kafka(kafka) => kafka.next().await,
        }
    }

    /// Tells the bus that a message is done with.
    async fn settle(&mut self, receipt: Receipt, outcome: Outcome) {
        match (self, receipt) {
            (_, Receipt::None) => {}
            (_, Receipt::JetStream(acker)) => nats::settle(&acker, outcome).await,
            #[cfg(feature = "kafka")]
            (Self::Kafka(kafka), Receipt::Kafka { partition, offset }) => kafka.settle(partition, offset, outcome),
            #[cfg(feature = "kafka")]
            (Self::Nats(_), Receipt::Kafka { .. }) => {}
        }
    }

    /// Has kept what it was told.
    async fn flush(&mut self, shared: &Shared) {
        match self {
            Self::Nats(nats) => nats.flush().await,
            #[cfg(feature = "kafka")]
            Self::Kafka(kafka) => kafka.flush(shared).await,
        }
    }
}

/// Consumes until the server stops, whether the bus is there or not.
pub(crate) async fn run(shared: Arc<Shared>, target: Arc<Target>) {
    tokio::select! {
        () = shared.killed.cancelled() => {}
        () = consume(&shared, &target) => {}
    }
}

async fn consume(shared: &Arc<Shared>, target: &Arc<Target>) {
    let mut link = Link { source: target.name(), metrics: &shared.metrics, is_up: None, fault: String::new() };
    let name: Arc<str> = format!("consume {}", target.name()).into();
    let mut pause = PAUSE_MIN;
    loop {
        let connected = tokio::select! {
            biased;
            () = shared.draining.cancelled() => return,
            connected = Bus::connect(shared, target) => connected,
        };
        let fault = match connected {
            Err(fault) => fault,
            Ok(bus) => {
                link.up();
                pause = PAUSE_MIN;
                // A connection that breaks is another one to come: the calls count for the source.
                let origin = shared.shares.origin(&shared.config, Some(&name));
                match Consumer::new(shared, target, origin, bus).run(&mut link).await {
                    Some(fault) => fault,
                    None => return,
                }
            }
        };
        link.down(&fault);
        tokio::select! {
            biased;
            () = shared.draining.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = PAUSE_MAX.min(pause * 2);
    }
}

/// Which of a source's legs a message is of.
type LegName = (String, String);

/// One message on its way to its leg.
struct Piece {
    text: Utf8Bytes,
    number: Number,
    received: Instant,
    ticket: Ticket,
}

/// What became of a message of a leg.
type Settled = (Ticket, Outcome);

struct Consumer<'a> {
    shared: &'a Arc<Shared>,
    target: &'a Arc<Target>,
    origin: Arc<Origin>,
    bus: Bus,
    in_flight: usize,
    /// Native events under way, by call: their replies come in the order of the call.
    under_way: HashMap<String, VecDeque<Ticket>>,
    replies: mpsc::Receiver<Reply>,
    reply_to: mpsc::Sender<Reply>,
    legs: HashMap<LegName, mpsc::Sender<Piece>>,
    settled: mpsc::Receiver<Settled>,
    settled_to: mpsc::Sender<Settled>,
    /// The messages that were taken last, by their numbers, and whether they are done with.
    recent: HashMap<u64, bool>,
    recent_order: VecDeque<u64>,
    told_packs: bool,
    loud_from: Instant,
}

impl<'a> Consumer<'a> {
    fn new(shared: &'a Arc<Shared>, target: &'a Arc<Target>, origin: Arc<Origin>, bus: Bus) -> Self {
        // Room for all that may be under way: no shard and no leg ever waits here.
        let (reply_to, replies) = mpsc::channel(CONSUMED_IN_FLIGHT_MAX);
        let (settled_to, settled) = mpsc::channel(CONSUMED_IN_FLIGHT_MAX);
        Self {
            shared,
            target,
            origin,
            bus,
            in_flight: 0,
            under_way: HashMap::new(),
            replies,
            reply_to,
            legs: HashMap::new(),
            settled,
            settled_to,
            recent: HashMap::new(),
            recent_order: VecDeque::new(),
            told_packs: false,
            loud_from: clock::now(),
        }
    }

    /// Takes messages until the connection breaks; `None` when the server stops.
    async fn run(mut self, link: &mut Link<'_>) -> Option<String> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let draining = self.shared.draining.clone();
        let fault = loop {
            tokio::select! {
                biased;
                () = draining.cancelled() => break None,
                Some(reply) = self.replies.recv() => self.note(reply).await,
                Some((ticket, outcome)) = self.settled.recv() => self.settle(ticket, outcome).await,
                _ = tick.tick() => {
                    self.legs.retain(|_, leg| !leg.is_closed());
                    self.bus.flush(self.shared).await;
                }
                message = self.bus.next(self.shared, link), if self.in_flight < CONSUMED_IN_FLIGHT_MAX => match message {
                    Ok(message) => self.take(message).await,
                    Err(fault) => break Some(fault),
                }
            }
        };
        self.finish().await;
        fault
    }

    /// Waits for what is under way, and ends the legs.
    async fn finish(&mut self) {
        self.legs.clear();
        while self.in_flight > 0 {
            tokio::select! {
                Some(reply) = self.replies.recv() => self.note(reply).await,
                Some((ticket, outcome)) = self.settled.recv() => self.settle(ticket, outcome).await,
            }
        }
        self.bus.flush(self.shared).await;
    }

    async fn take(&mut self, message: Message) {
        self.in_flight += 1;
        let Message { subject, key, headers, payload, number, received, receipt } = message;
        let ticket = Ticket { receipt, spot: Spot { subject, number: number.clone() } };
        match self.known(number.seq, &ticket.receipt) {
            None => {}
            // The bus was not told, or did not hear it.
            Some(true) => return self.settle(ticket, Outcome::Taken).await,
            // The bus is told when the first of the two is done with.
            Some(false) => return self.settle(ticket, Outcome::Untold).await,
        }
        let text = match Utf8Bytes::try_from(payload) {
            Ok(text) => text,
            Err(_) => return self.settle(ticket, Outcome::Refused { code: "not_text", field: None }).await,
        };
        let max = self.shared.config.frame_bytes_max.get();
        if text.len() > max {
            let refusal = Refusal::FrameTooLarge { bytes: text.len(), max };
            return self.settle(ticket, Outcome::from(&refusal)).await;
        }
        let Some(format) = self.target.asr else { return self.take_event(&text, received, &number, ticket).await };
        let found = place::Found::new(&ticket.spot.subject, key.as_deref(), &headers, &text);
        match found.leg(&self.target.consume, format) {
            Ok(leg) => self.take_result(leg, Piece { text, number, received, ticket }).await,
            Err(field) => self.settle(ticket, Outcome::Refused { code: "invalid_field", field: Some(field) }).await,
        }
    }

    /// Whether the message of that number, which was taken a moment ago, is done with; it is known from now on.
    fn known(&mut self, seq: Option<u64>, receipt: &Receipt) -> Option<bool> {
        // Elsewhere nothing comes twice over one connection.
        let (Some(seq), Receipt::JetStream(_)) = (seq, receipt) else { return None };
        if let Some(is_done) = self.recent.get(&seq) {
            return Some(*is_done);
        }
        self.recent.insert(seq, false);
        self.recent_order.push_back(seq);
        if self.recent_order.len() > CONSUMED_RECENT_MAX
            && let Some(oldest) = self.recent_order.pop_front()
        {
            self.recent.remove(&oldest);
        }
        None
    }

    async fn take_event(&mut self, text: &str, received: Instant, number: &Number, ticket: Ticket) {
        let text = native::bare(text);
        let event = match native::parse(text) {
            Ok(event) => event,
            Err(error) => {
                let outcome = Outcome::Refused { code: error.code.name(), field: error.field };
                return self.settle(ticket, outcome).await;
            }
        };
        if let Err(refusal) = limit::check(&self.shared.config, &event.body) {
            return self.settle(ticket, Outcome::from(&refusal)).await;
        }
        if let EventBody::Start(info) = &event.body {
            let _ = limit::unknown_packs(self.shared, info, &mut self.told_packs);
        }
        let (event, json) = numbered(event, text, number);
        let call_id = event.call_id.clone();
        let (origin, replies) = (Arc::clone(&self.origin), self.reply_to.clone());
        let delivery = Delivery { event, json, received, origin, replies };
        match self.shared.shards.send(&call_id, Command::Event(delivery)).await {
            Ok(()) => self.under_way.entry(call_id).or_default().push_back(ticket),
            Err(refusal) => self.settle(ticket, Outcome::from(&refusal)).await,
        }
    }

    async fn take_result(&mut self, leg: AsrLeg, mut piece: Piece) {
        let name = (leg.call_id.clone().unwrap_or_default(), leg.voices.name().to_owned());
        // Each leg counts for itself, as each takes its messages in their order.
        if let Some(producer) = &mut piece.number.producer {
            producer.push('/');
            producer.push_str(&name.1);
        }
        if let Some(known) = self.legs.get(&name) {
            match known.send(piece).await {
                Ok(()) => return,
                // It ended just now.
                Err(mpsc::error::SendError(back)) => piece = back,
            }
        }
        if self.legs.len() >= CONSUMED_LEGS_MAX {
            let refusal = Refusal::TooManyCallsOfConnection { max: CONSUMED_LEGS_MAX };
            return self.settle(piece.ticket, Outcome::from(&refusal)).await;
        }
        let (queue, pieces) = mpsc::channel(CONSUMED_IN_FLIGHT_MAX);
        let (shared, origin, settled) = (Arc::clone(self.shared), Arc::clone(&self.origin), self.settled_to.clone());
        let killed = shared.killed.clone();
        self.shared.producers.spawn(async move {
            tokio::select! {
                () = killed.cancelled() => {}
                () = speak(shared, leg, origin, pieces, settled) => {}
            }
        });
        match queue.send(piece).await {
            Ok(()) => drop(self.legs.insert(name, queue)),
            Err(mpsc::error::SendError(piece)) => self.settle(piece.ticket, Outcome::Untold).await,
        }
    }

    async fn note(&mut self, reply: Reply) {
        let Some(tickets) = self.under_way.get_mut(&reply.call_id) else { return };
        let ticket = tickets.pop_front();
        if tickets.is_empty() {
            self.under_way.remove(&reply.call_id);
        }
        if let Some(ticket) = ticket {
            let outcome = reply.outcome.map_or_else(|refusal| Outcome::from(&refusal), |()| Outcome::Taken);
            self.settle(ticket, outcome).await;
        }
    }

    async fn settle(&mut self, ticket: Ticket, outcome: Outcome) {
        self.in_flight -= 1;
        let Ticket { receipt, spot } = ticket;
        let (source, metrics) = (self.target.name(), &self.shared.metrics);
        match outcome {
            Outcome::Taken => MessageConsumed { source }.report(metrics),
            Outcome::Refused { code, field } => {
                let now = clock::now();
                let is_loud = self.loud_from <= now;
                if is_loud {
                    self.loud_from = now + LOUD_EVERY;
                }
                MessagePoisoned { source, place: &spot, code, field, is_loud }.report(metrics);
            }
            Outcome::Untold => {}
        }
        if outcome != Outcome::Untold
            && let Some(is_done) = spot.number.seq.and_then(|seq| self.recent.get_mut(&seq))
        {
            *is_done = true;
        }
        self.bus.settle(receipt, outcome).await;
    }
}

/// Takes the messages of one leg, one after the other, each until it is durable.
async fn speak(
    shared: Arc<Shared>,
    leg: AsrLeg,
    origin: Arc<Origin>,
    mut pieces: mpsc::Receiver<Piece>,
    settled: mpsc::Sender<Settled>,
) {
    let format = leg.format.name();
    let mut producer = Producer::new(Arc::clone(&shared), Source::Asr(Box::new(Asr::new(leg))), origin);
    let mut told = false;
    loop {
        let piece = match timeout(LEG_IDLE, pieces.recv()).await {
            Ok(piece) => piece,
            Err(_) => {
                // What was sent at this moment is taken still; what comes later begins another leg.
                pieces.close();
                pieces.recv().await
            }
        };
        let Some(Piece { text, number, received, ticket }) = piece else { break };
        let outcome = say(&mut producer, &text, number, received).await;
        let outcome = outcome.unwrap_or_else(|reason| {
            MessageUnrecognised { format, reason: &reason, first: !std::mem::replace(&mut told, true) }
                .report(&shared.metrics);
            Outcome::Refused { code: "unrecognised", field: None }
        });
        if settled.send((ticket, outcome)).await.is_err() {
            break;
        }
    }
    if let Source::Asr(asr) = &mut producer.source {
        asr.number = Number::default();
    }
    producer.finish().await;
}

/// Takes one message of a leg. Fails with the reason if the recogniser's format does not have it.
async fn say(producer: &mut Producer, text: &Utf8Bytes, number: Number, received: Instant) -> Result<Outcome, String> {
    if let Source::Asr(asr) = &mut producer.source {
        asr.number = number;
    }
    producer.frame(text, received).await;
    let is_awaited = matches!(&producer.source, Source::Asr(asr) if matches!(asr.place, LegPlace::Awaited(_)));
    if is_awaited {
        let draining = producer.shared.draining.clone();
        let joined = tokio::select! {
            joined = producer.source.joined() => joined,
            () = draining.cancelled() => Err(Refusal::Stopping),
        };
        if let (Source::Asr(asr), true) = (&mut producer.source, matches!(joined, Err(Refusal::NoAgent))) {
            asr.patience = SHORT_PATIENCE;
        }
        producer.take_place(joined).await;
    }
    producer.settle().await;
    producer.acks.clear();
    let refused = producer.errors.drain(..).filter_map(|told| told.refused).next();
    if let Source::Asr(asr) = &mut producer.source
        && let Some(reason) = asr.fault.take()
    {
        return Err(reason);
    }
    Ok(match refused {
        None => Outcome::Taken,
        Some(code) if code == Refusal::Stopping.code() => Outcome::Untold,
        Some(code) => Outcome::Refused { code, field: None },
    })
}

impl place::Found<'_> {
    /// The leg that a message is of.
    ///
    /// # Errors
    /// The key of the configuration whose place is empty or of no use in this message.
    fn leg(&self, consume: &Consume, format: Format) -> Result<AsrLeg, &'static str> {
        let id = |name: &'static str, place: &Option<config::Place>| {
            let Some(place) = place else { return Ok(None) };
            let id = self.at(place).ok_or(name)?;
            native::check_id(name, &id).map_err(|_| name)?;
            Ok::<_, &'static str>(Some(id))
        };
        let call_id = id("call_id", &consume.call_id)?;
        let agent_id = id("agent_id", &consume.agent_id)?;
        let role = match &consume.role {
            Some(place) => Some(self.at(place).ok_or("role")?),
            None => None,
        };
        let voices: Voices = consume.voices(format, role.as_deref()).map_err(|_| "role")?;
        Ok(AsrLeg { format, voices, call_id, agent_id, offset: None })
    }
}

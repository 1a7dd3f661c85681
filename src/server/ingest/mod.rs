//! Producers' connections: frames in, acknowledgements and errors out.
//!
//! Frames that are already here are read together and answered with one write.
//! At most [`IN_FLIGHT_MAX`] events of a connection are under way; a producer
//! who sends more waits in its own socket.

pub(crate) mod consume;
pub(crate) mod limit;
pub(crate) mod post;
pub(crate) mod relay;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};

use crate::adapter::native::{self, Event, EventBody, EventErrorCode, Number};
use crate::adapter::{Adapter, Format, Leg, Voices};
use crate::engine::time::CallTime;
use crate::engine::transcript::{CallInfo, Channel, Direction, Input, Role};
use crate::server::clock;
use crate::server::config::{EARLY_BYTES_MAX, EARLY_MESSAGES_MAX, EARLY_WAIT, FRAME_BATCH_MAX, IN_FLIGHT_MAX};
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::ingest::limit::Pace;
use crate::server::net::ws;
use crate::server::net::ws::{Goodbye, Heartbeat, Socket};
use crate::server::runtime::Shared;
use crate::server::runtime::shard::{Command, Delivery, Join, Joined, Reply};
use crate::server::runtime::shares::Origin;
use crate::server::store::Json;
use crate::server::telemetry::events::{
    Connection, FrameRefused, Happening as _, MessageUnrecognised, ProducerSlowed, StampsJumped,
};

/// An acknowledgement. It is cumulative: all events of the producer up to `seq` that came before the one so
/// numbered, or all so far where they are not numbered.
#[derive(Debug, Serialize)]
struct Ack<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    call_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    producer: Option<&'a str>,
    seq: Option<u64>,
}

/// The parameters of a recogniser's connection, from its address.
#[derive(Clone, Debug)]
pub(crate) struct AsrLeg {
    pub(crate) format: Format,
    pub(crate) voices: Voices,
    pub(crate) call_id: Option<String>,
    pub(crate) agent_id: Option<String>,
    /// The call's time at which the audio begins; without it, the call's clock
    /// when the connection opened.
    pub(crate) offset: Option<CallTime>,
}

/// Serves a producer of native events.
pub(crate) async fn serve_native(shared: Arc<Shared>, socket: Socket, origin: Arc<Origin>) {
    let _open = Connection::open(&shared.metrics, "ingest");
    serve(shared, socket, Source::Native, origin).await;
}

/// Serves one channel of a recogniser.
pub(crate) async fn serve_asr(shared: Arc<Shared>, socket: Socket, leg: AsrLeg, origin: Arc<Origin>) {
    let _open = Connection::open(&shared.metrics, leg.format.name());
    serve(shared, socket, Source::Asr(Box::new(Asr::new(leg))), origin).await;
}

impl Asr {
    fn new(leg: AsrLeg) -> Self {
        let number = Number::default();
        Self {
            leg,
            opened: clock::now(),
            place: LegPlace::Unknown,
            unrecognised: false,
            number,
            patience: EARLY_WAIT,
            fault: None,
        }
    }
}

async fn serve(shared: Arc<Shared>, mut socket: Socket, source: Source, origin: Arc<Origin>) {
    let mut producer = Producer::new(shared, source, origin);
    let goodbye = producer.run(&mut socket).await;
    ws::close(socket, goodbye).await;
}

/// The kind of a producer's connection.
enum Source {
    Native,
    Asr(Box<Asr>),
}

/// A recogniser's connection.
struct Asr {
    leg: AsrLeg,
    opened: Instant,
    place: LegPlace,
    /// Whether a message was not recognised and the producer told so.
    unrecognised: bool,
    /// The number of the message that is taken, where a bus numbers them.
    number: Number,
    /// How long messages wait for their call to begin.
    patience: Duration,
    /// Why the message was not recognised, for a bus, which is told of each.
    fault: Option<String>,
}

/// The place of a recogniser's connection in a call.
enum LegPlace {
    Unknown,
    /// It was asked for; the call may not have begun.
    Awaited(Early),
    Known(Speaking),
}

/// The messages of a recogniser whose call has not begun.
struct Early {
    joined: oneshot::Receiver<Result<Joined, Refusal>>,
    call_id: String,
    /// Whether the call has not begun; else the answer is on its way.
    is_early: Arc<AtomicBool>,
    until: Instant,
    messages: VecDeque<(Utf8Bytes, Instant)>,
    bytes: usize,
}

impl Early {
    /// Keeps a message until the call begins, if there is room.
    fn keep(&mut self, text: &Utf8Bytes, received: Instant) -> bool {
        let has_room = self.messages.len() < EARLY_MESSAGES_MAX && self.bytes + text.len() <= EARLY_BYTES_MAX;
        if has_room {
            self.bytes += text.len();
            self.messages.push_back((text.clone(), received));
        }
        has_room
    }

    async fn joined(&mut self) -> Result<Joined, Refusal> {
        match tokio::time::timeout_at(self.until, &mut self.joined).await {
            Ok(joined) => joined.unwrap_or(Err(Refusal::Stopping)),
            Err(_) if self.is_early.load(Ordering::Relaxed) => Err(Refusal::NoAgent),
            Err(_) => (&mut self.joined).await.unwrap_or(Err(Refusal::Stopping)),
        }
    }
}

/// A recogniser's connection that has its place in a call.
struct Speaking {
    adapter: Box<dyn Adapter>,
    call_id: String,
    began: CallTime,
    /// The agent who speaks here, if another one has the call.
    agent_id: Option<String>,
    /// The numbers of messages that were taken before this connection.
    heard: HashSet<u64>,
}

/// A message that the producer is to be told.
struct Told {
    /// Why an event was refused; `None` for a remark.
    refused: Option<&'static str>,
    json: String,
}

impl Told {
    const fn remark(json: String) -> Self {
        Self { refused: None, json }
    }
}

struct Producer {
    shared: Arc<Shared>,
    source: Source,
    /// For whom the calls count that it starts.
    origin: Arc<Origin>,
    replies: mpsc::Receiver<Reply>,
    reply_to: mpsc::Sender<Reply>,
    in_flight: usize,
    pace: Pace,
    /// Whether the producer was told that a pack it asks for is not there.
    told_packs: bool,
    /// Acknowledgements that are not written yet, by call and producer.
    acks: HashMap<(String, Option<String>), Option<u64>>,
    /// Errors that are not written yet; no more than events in flight and
    /// frames in a batch.
    errors: Vec<Told>,
    /// Kept between messages, so that it is not allocated for each.
    inputs: Vec<Input>,
}

impl Producer {
    fn new(shared: Arc<Shared>, source: Source, origin: Arc<Origin>) -> Self {
        let (reply_to, replies) = mpsc::channel(IN_FLIGHT_MAX);
        let pace = Pace::new(shared.config.events_per_second_max);
        Self {
            shared,
            source,
            origin,
            replies,
            reply_to,
            in_flight: 0,
            pace,
            told_packs: false,
            acks: HashMap::new(),
            errors: Vec::new(),
            inputs: Vec::new(),
        }
    }

    async fn run(&mut self, socket: &mut Socket) -> Goodbye {
        let mut heartbeat = Heartbeat::new();
        let draining = self.shared.draining.clone();
        let goodbye = loop {
            tokio::select! {
                biased;
                () = draining.cancelled() => break Goodbye::shutdown(),
                Some(reply) = self.replies.recv() => self.note(reply),
                joined = self.source.joined() => self.take_place(joined).await,
                frame = socket.next() => {
                    heartbeat.heard();
                    if let Some(goodbye) = self.frames(socket, frame).await {
                        break goodbye;
                    }
                }
                () = heartbeat.tick() => {
                    if !heartbeat.beat(socket).await {
                        break Goodbye::gone();
                    }
                }
            }
            self.note_ready();
            if self.answer(socket).await.is_err() {
                break Goodbye::gone();
            }
        };
        self.finish().await;
        // The peer may be gone; then nobody misses the last answers.
        let _ = self.answer(socket).await;
        goodbye
    }

    /// Takes a frame and those that are here behind it. `Some` ends the connection.
    async fn frames(
        &mut self,
        socket: &mut Socket,
        first: Option<Result<Message, tungstenite::Error>>,
    ) -> Option<Goodbye> {
        let received = clock::now();
        let mut next = first;
        let mut left = FRAME_BATCH_MAX;
        loop {
            match next {
                Some(Ok(Message::Text(text))) => {
                    let slowed = self.slow_down(socket).await;
                    self.frame(&text, received).await;
                    if slowed {
                        // What else waits in the socket waits for the next turn, behind answers and heartbeat.
                        return None;
                    }
                }
                Some(Ok(Message::Binary(_))) => self.refuse(&Refusal::BinaryFrame, None, &Number::default()),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                None | Some(Ok(Message::Close(_))) => return Some(Goodbye::gone()),
                Some(Err(error)) => return Some(Goodbye::after(&error)),
            }
            left -= 1;
            if left == 0 {
                return None;
            }
            next = socket.next().now_or_never()?;
        }
    }

    /// Waits until a producer who is too fast may go on. Not reading is what
    /// slows it. Returns whether it had to wait.
    async fn slow_down(&mut self, socket: &mut Socket) -> bool {
        let mut slowed = false;
        while let Err(early) = self.pace.take() {
            slowed = true;
            if self.pace.tell() {
                let refusal = Refusal::Slowed { max: self.shared.config.events_per_second_max.get() };
                ProducerSlowed.report(&self.shared.metrics);
                let message = ErrorMessage::new(refusal.code(), &refusal.message()).to_json();
                self.errors.push(Told::remark(message));
                // A peer that is gone is noticed at the next read.
                let _ = self.answer(socket).await;
            }
            tokio::time::sleep(early).await;
        }
        slowed
    }

    async fn frame(&mut self, text: &Utf8Bytes, received: Instant) {
        let max = self.shared.config.frame_bytes_max.get();
        if text.len() > max {
            self.refuse(&Refusal::FrameTooLarge { bytes: text.len(), max }, None, &NO_NUMBER);
            return;
        }
        match self.source {
            Source::Native => match native::parse(text) {
                Ok(event) => self.deliver(event, native::bare(text).into(), received).await,
                Err(error) => self.refuse_event(&error),
            },
            Source::Asr(_) => self.asr_frame(text, received).await,
        }
    }

    /// A frame of a recogniser's connection: its message, or a native event mixed in.
    async fn asr_frame(&mut self, text: &Utf8Bytes, received: Instant) {
        let Source::Asr(asr) = &mut self.source else { return };
        // Recognisers have a `type` of their own now and then: only a known one is native.
        if text.contains("\"type\"") {
            match native::parse(text) {
                Ok(event) => {
                    let known = asr.leg.call_id.as_deref();
                    if known.is_some_and(|call_id| call_id != event.call_id) {
                        self.refuse(&Refusal::WrongCall, Some(&event.call_id), &event.number);
                        return;
                    }
                    asr.leg.call_id = Some(event.call_id.clone());
                    let (event, json) = numbered(event, native::bare(text), &asr.number);
                    self.deliver(event, json, received).await;
                    return;
                }
                Err(error) if error.field == Some("type") || error.code == EventErrorCode::InvalidJson => {}
                Err(error) => {
                    self.refuse_event(&error);
                    return;
                }
            }
        }
        if matches!(asr.place, LegPlace::Unknown) {
            match ask_for_place(&self.shared, asr, &self.origin).await {
                Ok(early) => asr.place = LegPlace::Awaited(early),
                Err(refusal) => {
                    let call_id = asr.leg.call_id.clone();
                    self.refuse(&refusal, call_id.as_deref(), &NO_NUMBER);
                    return;
                }
            }
        }
        if let LegPlace::Awaited(early) = &mut asr.place {
            if early.keep(text, received) {
                return;
            }
            // There is no room for more: what comes waits in the socket.
            let joined = early.joined().await;
            self.take_place(joined).await;
        }
        self.asr_message(text, received).await;
    }

    /// A message of a recogniser that has its place.
    async fn asr_message(&mut self, text: &Utf8Bytes, received: Instant) {
        let Source::Asr(asr) = &mut self.source else { return };
        let LegPlace::Known(speaking) = &mut asr.place else {
            let call_id = asr.leg.call_id.clone();
            self.refuse(&Refusal::NoAgent, call_id.as_deref(), &NO_NUMBER);
            return;
        };
        if asr.number.seq.is_some_and(|seq| speaking.heard.contains(&seq)) {
            return;
        }
        let since = received.saturating_duration_since(asr.opened).as_millis();
        let now = speaking.began.plus(i64::try_from(since).unwrap_or(i64::MAX));
        let result = speaking.adapter.message(native::bare(text), now, &mut self.inputs);
        let format = asr.leg.format.name();
        let jumps = speaking.adapter.take_jumps();
        if jumps > 0 {
            StampsJumped { format, jumps }.report(&self.shared.metrics);
        }
        if let (Err(error), Some(_)) = (&result, &asr.number.seq) {
            asr.fault = Some(error.to_string());
        } else if let Err(error) = result {
            let first = !std::mem::replace(&mut asr.unrecognised, true);
            let reason = error.to_string();
            MessageUnrecognised { format, reason: &reason, first }.report(&self.shared.metrics);
            if first {
                let error = ErrorMessage::new("unrecognised", &reason).of(Some(&speaking.call_id), &NO_NUMBER);
                self.errors.push(Told::remark(error.to_json()));
            }
        }
        self.deliver_inputs(received).await;
    }

    /// The call has begun, or will not: what waited for it is taken or refused.
    async fn take_place(&mut self, joined: Result<Joined, Refusal>) {
        let Source::Asr(asr) = &mut self.source else { return };
        let LegPlace::Awaited(early) = std::mem::replace(&mut asr.place, LegPlace::Unknown) else { return };
        let Early { call_id, messages, .. } = early;
        let Joined { leg: number, began, agent_id, heard } = match joined {
            Ok(joined) => joined,
            Err(refusal) => {
                for _ in &messages {
                    self.refuse(&refusal, Some(&call_id), &NO_NUMBER);
                }
                return;
            }
        };
        let leg = &asr.leg;
        let began = leg.offset.unwrap_or(began);
        let id_prefix = format!("{}-{number}-", leg.voices.name());
        let adapter = leg.format.adapter(Leg { voices: leg.voices.clone(), began, id_prefix });
        let own = leg.agent_id.clone().filter(|own| **own != *agent_id);
        let agent_id_here = own.clone();
        asr.place =
            LegPlace::Known(Speaking { adapter, call_id: call_id.clone(), began, agent_id: agent_id_here, heard });
        if own.is_some() {
            self.refuse(&Refusal::OtherAgent { agent_id: agent_id.to_string() }, Some(&call_id), &NO_NUMBER);
        }
        for (text, received) in messages {
            self.asr_message(&text, received).await;
        }
    }

    /// Makes open hypotheses of a recogniser final when its connection ends, and waits for what is under way.
    async fn finish(&mut self) {
        if let Source::Asr(asr) = &self.source
            && matches!(asr.place, LegPlace::Awaited(_))
        {
            let joined = tokio::select! {
                joined = self.source.joined() => joined,
                () = self.shared.drained.cancelled() => Err(Refusal::Stopping),
            };
            self.take_place(joined).await;
        }
        if let Source::Asr(asr) = &mut self.source
            && let LegPlace::Known(speaking) = &mut asr.place
        {
            speaking.adapter.finish(&mut self.inputs);
            self.deliver_inputs(clock::now()).await;
        }
        self.settle().await;
    }

    /// Waits for what is under way.
    async fn settle(&mut self) {
        while self.in_flight > 0 {
            match self.replies.recv().await {
                Some(reply) => self.note(reply),
                None => break,
            }
        }
    }

    async fn deliver_inputs(&mut self, received: Instant) {
        let Source::Asr(asr) = &self.source else { return };
        let LegPlace::Known(speaking) = &asr.place else { return };
        let (call_id, agent_id) = (speaking.call_id.clone(), speaking.agent_id.clone());
        let number = asr.number.clone();
        let mut inputs = std::mem::take(&mut self.inputs);
        let mut left = inputs.len();
        for mut input in inputs.drain(..) {
            left -= 1;
            if let Input::Utterance(utterance) = &mut input
                && utterance.role == Role::Agent
            {
                utterance.agent_id.clone_from(&agent_id);
            }
            let json = native::to_json(&call_id, &input);
            let event = Event { call_id: call_id.clone(), number: NO_NUMBER, body: EventBody::Input(input) };
            // The last one stands for the whole message: once it was taken, the message was.
            let (event, json) = match left {
                0 => numbered(event, &json, &number),
                _ => (event, Json::from(json)),
            };
            self.deliver(event, json, received).await;
        }
        self.inputs = inputs;
    }

    /// Sends an event to its shard, once there is room for its reply.
    async fn deliver(&mut self, event: Event, json: Json, received: Instant) {
        if let Err(refusal) = limit::check(&self.shared.config, &event.body) {
            self.refuse(&refusal, Some(&event.call_id), &event.number);
            return;
        }
        while self.in_flight >= IN_FLIGHT_MAX {
            match self.replies.recv().await {
                Some(reply) => self.note(reply),
                None => return,
            }
        }
        if let EventBody::Start(info) = &event.body
            && let Some(message) = limit::unknown_packs(&self.shared, info, &mut self.told_packs)
        {
            let remark =
                ErrorMessage::new(limit::UNKNOWN_PACK, &message).of(Some(&event.call_id), &NO_NUMBER).to_json();
            self.errors.push(Told::remark(remark));
        }
        let (call_id, number) = (event.call_id.clone(), event.number.clone());
        let (origin, replies) = (Arc::clone(&self.origin), self.reply_to.clone());
        let delivery = Delivery { event, json, received, origin, replies };
        match self.shared.shards.send(&call_id, Command::Event(delivery)).await {
            Ok(()) => self.in_flight += 1,
            Err(refusal) => self.refuse(&refusal, Some(&call_id), &number),
        }
    }

    fn note_ready(&mut self) {
        while let Ok(reply) = self.replies.try_recv() {
            self.note(reply);
        }
    }

    fn note(&mut self, reply: Reply) {
        self.in_flight = self.in_flight.saturating_sub(1);
        match reply.outcome {
            // A recogniser does not number its messages and waits for no answer.
            Ok(()) if reply.number.seq.is_none() && matches!(self.source, Source::Asr(_)) => {}
            Ok(()) => {
                let acked = self.acks.entry((reply.call_id, reply.number.producer)).or_default();
                *acked = (*acked).max(reply.number.seq);
            }
            Err(refusal) => self.refuse(&refusal, Some(&reply.call_id), &reply.number),
        }
    }

    fn refuse(&mut self, refusal: &Refusal, call_id: Option<&str>, number: &Number) {
        let code = refusal.code();
        FrameRefused { code }.report(&self.shared.metrics);
        let json = ErrorMessage::new(code, &refusal.message()).of(call_id, number).to_json();
        self.errors.push(Told { refused: Some(code), json });
    }

    fn refuse_event(&mut self, error: &native::EventError) {
        let code = error.code.name();
        FrameRefused { code }.report(&self.shared.metrics);
        let message = error.to_string();
        let json = ErrorMessage::new(code, &message).of(error.call_id.as_deref(), &error.number).to_json();
        self.errors.push(Told { refused: Some(code), json });
    }

    /// Writes what there is to answer, in one go.
    async fn answer(&mut self, socket: &mut Socket) -> Result<(), tungstenite::Error> {
        if self.acks.is_empty() && self.errors.is_empty() {
            return Ok(());
        }
        let acks = self.acks.drain().map(|((call_id, producer), seq)| {
            serde_json::to_string(&Ack { kind: "ack", call_id: &call_id, producer: producer.as_deref(), seq })
                .expect("strings and numbers always serialise")
        });
        let errors = self.errors.drain(..).map(|told| told.json);
        ws::feed_all(socket, acks.chain(errors).map(Utf8Bytes::from)).await
    }
}

/// The number of what has none.
const NO_NUMBER: Number = Number { producer: None, seq: None };

impl Source {
    /// The place of a recogniser's connection, once it is known; nothing else ever comes.
    async fn joined(&mut self) -> Result<Joined, Refusal> {
        match self {
            Self::Asr(asr) => match &mut asr.place {
                LegPlace::Awaited(early) => early.joined().await,
                LegPlace::Unknown | LegPlace::Known(_) => std::future::pending().await,
            },
            Self::Native => std::future::pending().await,
        }
    }
}

/// An event under the number of the message that it came in, unless it has its own.
fn numbered(event: Event, text: &str, number: &Number) -> (Event, Json) {
    if event.number.seq.is_some() || number.seq.is_none() {
        return (event, text.into());
    }
    let json = native::numbered(text, number);
    // It names a producer, or a number that is null: then it stays as it came.
    match native::parse(&json) {
        Ok(event) => (event, json.into()),
        Err(_) => (event, text.into()),
    }
}

/// Asks for the place of a recogniser's connection in its call, and starts the call if the connection
/// names its agent and no other connection started it.
async fn ask_for_place(shared: &Shared, asr: &mut Asr, origin: &Arc<Origin>) -> Result<Early, Refusal> {
    let leg = &asr.leg;
    let call_id = leg.call_id.clone().ok_or(Refusal::NoCall)?;
    let start = leg.agent_id.clone().map(|agent_id| {
        Box::new(CallInfo {
            call_id: call_id.clone(),
            agent_id,
            started_at: clock::wall_now(shared.config.utc_offset),
            direction: Direction::default(),
            channel: Channel::default(),
            queue: None,
            rings: None,
            customer_name: None,
            packs: None,
            attributes: std::collections::BTreeMap::new(),
        })
    });
    let (reply, joined) = oneshot::channel();
    let is_early = Arc::new(AtomicBool::new(false));
    let join = Join {
        call_id: call_id.clone(),
        start,
        began: asr.opened,
        producer: asr.number.producer.clone(),
        origin: Arc::clone(origin),
        is_early: Arc::clone(&is_early),
        reply,
    };
    shared.shards.send(&call_id, Command::Join(join)).await?;
    let until = clock::now() + asr.patience;
    Ok(Early { joined, call_id, is_early, until, messages: VecDeque::new(), bytes: 0 })
}

//! The open loop: events go out at the script's times, whatever comes back, and every latency
//! counts from the time the event was *due*, not from when it was sent. So a server that stalls is
//! charged for all callers who would have waited (coordinated omission is corrected for), and a
//! generator that is late charges itself and says so.
//!
//! One thread sends: it sleeps to within some 50 µs, where a runtime's timers
//! would be a millisecond off. All that is received is received on the runtime
//! of the caller, one task a connection.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use hdrhistogram::Histogram;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};

use super::clock;
use super::script::{Script, State};
use super::socket::{self, Receiver, Sender};
use super::target::{self, Target};

/// Handshakes under way at once.
const CONNECTING_MAX: usize = 64;
/// How long the last answers are waited for.
const DRAIN: Duration = Duration::from_secs(5);
/// How long all connections and calls may take to be set up.
const SETUP_MAX: Duration = Duration::from_secs(120);
/// How often progress is looked at.
const POLL: Duration = Duration::from_millis(20);
/// The sender looks so often whether it is to stop, or whether a full socket has room again.
const NAP_MAX: Duration = Duration::from_millis(50);
const BLOCKED_NAP: Duration = Duration::from_micros(500);
/// Between the last preparation and the first event.
const RUN_UP: Duration = Duration::from_millis(200);
const LATENCY_MAX: Duration = Duration::from_secs(600);

/// The plan of a run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) script: Script,
    /// Connections for the events of all calls.
    pub(super) producers: u64,
    /// Events due before this are not measured.
    pub(super) warm_up: Duration,
}

/// The outcome of a run.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) sent: u64,
    pub(super) acked: u64,
    pub(super) alerts: u64,
    pub(super) alerts_owed: u64,
    pub(super) duplicates: u64,
    /// Alerts that the script knows nothing of.
    pub(super) other_alerts: u64,
    /// Refusals and closed connections.
    pub(super) errors: u64,
    pub(super) first_error: Option<String>,
    /// From the first event that was measured to the last answer.
    pub(super) measured: Duration,
    pub(super) measured_events: u64,
    pub(super) event_to_alert: Histogram<u64>,
    pub(super) event_to_ack: Histogram<u64>,
    /// How late the generator handed events to their sockets.
    pub(super) lateness: Histogram<u64>,
    /// How often a socket took no more: the server holds back.
    pub(super) blocked: u64,
    pub(super) server_cpu: Option<Duration>,
    pub(super) own_cpu: Option<Duration>,
    /// The CPU time of all other processes during the run.
    pub(super) others_cpu: Option<Duration>,
    pub(super) rss_before: Option<u64>,
    /// With all calls started and their agents listening.
    pub(super) rss_started: Option<u64>,
    /// At the end, with all calls in progress.
    pub(super) rss_running: Option<u64>,
}

/// A histogram of nanoseconds.
pub(super) fn histogram() -> Histogram<u64> {
    let max = u64::try_from(LATENCY_MAX.as_nanos()).unwrap_or(u64::MAX);
    Histogram::new_with_bounds(1_000, max, 3).expect("the bounds are apart")
}

pub(super) fn record(histogram: &mut Histogram<u64>, latency: Duration) {
    histogram.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
}

/// The state that receivers and sender share.
#[derive(Debug)]
struct Meter {
    script: Script,
    warm_up: Duration,
    /// When the run began; before that there are only starts.
    began: OnceLock<Instant>,
    stop: AtomicBool,
    started: AtomicU64,
    sent: AtomicU64,
    acked: AtomicU64,
    alerts: AtomicU64,
    duplicates: AtomicU64,
    others: AtomicU64,
    errors: AtomicU64,
    blocked: AtomicU64,
    first_error: Mutex<Option<String>>,
    event_to_alert: Mutex<Histogram<u64>>,
    event_to_ack: Mutex<Histogram<u64>>,
}

impl Meter {
    fn new(plan: &Plan) -> Self {
        Self {
            script: plan.script.clone(),
            warm_up: plan.warm_up,
            began: OnceLock::new(),
            stop: AtomicBool::new(false),
            started: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            acked: AtomicU64::new(0),
            alerts: AtomicU64::new(0),
            duplicates: AtomicU64::new(0),
            others: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
            first_error: Mutex::new(None),
            event_to_alert: Mutex::new(histogram()),
            event_to_ack: Mutex::new(histogram()),
        }
    }

    /// Notes what came at `now` for the event of this number.
    fn note(&self, histogram: &Mutex<Histogram<u64>>, number: u64, now: Instant) {
        let due = self.script.due(number);
        if let Some(began) = self.began.get()
            && due >= self.warm_up
        {
            let latency = now.saturating_duration_since(*began + due);
            record(&mut histogram.lock().unwrap_or_else(PoisonError::into_inner), latency);
        }
    }

    fn error(&self, what: impl FnOnce() -> String) {
        if self.errors.fetch_add(1, Ordering::Relaxed) == 0 {
            *self.first_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(what());
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn load(&self, counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

/// Stops the sender when the run is over or given up.
struct StopGuard(Arc<Meter>);

impl Drop for StopGuard {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

/// Runs the plan against `target`.
pub(super) async fn run(plan: &Plan, target: &Target) -> io::Result<Outcome> {
    let script = &plan.script;
    let meter = Arc::new(Meter::new(plan));
    let _stop = StopGuard(Arc::clone(&meter));
    let mut receivers = JoinSet::new();
    let rss_before = target.rss();

    let agents = connect_all(target, 0, script.calls, |call| format!("/v1/agents/{}/alerts", script.agent_id(call)));
    for (call, socket) in agents.await? {
        receivers.spawn(hear_alerts(Arc::clone(&meter), call, socket));
    }
    let producers = connect_all(target, script.calls, plan.producers, |_| "/v1/ingest".to_owned()).await?;
    let mut senders = Vec::with_capacity(producers.len());
    for (_, socket) in producers {
        let (sender, receiver) = socket::split(socket).await?;
        receivers.spawn(hear_acks(Arc::clone(&meter), receiver));
        senders.push(Some(sender));
    }
    let mut pacer = Pacer { meter: Arc::clone(&meter), senders, unflushed: BTreeSet::new() };
    let pacer = tokio::task::spawn_blocking(move || {
        pacer.start_calls();
        pacer
    });
    let pacer = pacer.await.map_err(io::Error::other)?;
    wait_until(&meter, SETUP_MAX, || meter.load(&meter.started) == script.calls).await;
    if meter.load(&meter.started) < script.calls {
        let first = meter.first_error.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default();
        return Err(io::Error::other(format!("通话没有全部开始 / not all calls could be started: {first}")));
    }
    let rss_started = target.rss();

    let began = clock::now() + RUN_UP;
    let _ = meter.began.set(began);
    let pacing = pacer.spawn(began)?;
    tokio::time::sleep(RUN_UP + plan.warm_up).await;
    let (cpu_from, sent_from) = (Cpu::read(target), meter.load(&meter.sent));
    wait_until(&meter, Duration::MAX, || meter.load(&meter.sent) == script.total() || pacing.is_finished()).await;
    let owed = script.alerts_owed();
    let all_here = || meter.load(&meter.acked) == script.total() && meter.load(&meter.alerts) >= owed;
    wait_until(&meter, DRAIN, all_here).await;
    let (cpu, sent_to) = (Cpu::read(target).since(&cpu_from), meter.load(&meter.sent));
    let measured = clock::now().saturating_duration_since(began + plan.warm_up);
    let rss_running = target.rss();
    receivers.abort_all();
    while receivers.join_next().await.is_some() {}
    meter.stop.store(true, Ordering::Relaxed);
    let lateness = pacing.join().map_err(|_| io::Error::other("the sender failed"))?;
    let take = |histogram: &Mutex<Histogram<u64>>| histogram.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let first_error = meter.first_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Outcome {
        sent: sent_to,
        acked: meter.load(&meter.acked),
        alerts: meter.load(&meter.alerts),
        alerts_owed: owed,
        duplicates: meter.load(&meter.duplicates),
        other_alerts: meter.load(&meter.others),
        errors: meter.load(&meter.errors),
        first_error,
        measured,
        measured_events: sent_to - sent_from,
        event_to_alert: take(&meter.event_to_alert),
        event_to_ack: take(&meter.event_to_ack),
        lateness,
        blocked: meter.load(&meter.blocked),
        server_cpu: cpu.server,
        own_cpu: cpu.own,
        others_cpu: cpu.others(),
        rss_before,
        rss_started,
        rss_running,
    })
}

/// CPU time, so far or between two readings.
struct Cpu {
    server: Option<Duration>,
    own: Option<Duration>,
    machine: Option<Duration>,
}

impl Cpu {
    fn read(target: &Target) -> Self {
        Self { server: target.cpu(), own: target::own_cpu(), machine: target::machine_cpu() }
    }

    fn since(&self, from: &Self) -> Self {
        let since = |to: Option<Duration>, from: Option<Duration>| Some(to?.saturating_sub(from?));
        Self {
            server: since(self.server, from.server),
            own: since(self.own, from.own),
            machine: since(self.machine, from.machine),
        }
    }

    fn others(&self) -> Option<Duration> {
        Some(self.machine?.saturating_sub(self.server? + self.own?))
    }
}

/// Waits until `done`, for at most `patience`. Events go on meanwhile.
async fn wait_until(meter: &Meter, patience: Duration, done: impl Fn() -> bool) {
    let from = clock::now();
    while !done() && !meter.is_stopped() && clock::now().saturating_duration_since(from) < patience {
        tokio::time::sleep(POLL).await;
    }
}

/// `count` connections, those of the run from `first` on.
async fn connect_all(
    target: &Target,
    first: u64,
    count: u64,
    path: impl Fn(u64) -> String,
) -> io::Result<Vec<(u64, WebSocketStream<TcpStream>)>> {
    let connecting = futures_util::stream::iter((0..count).map(|number| {
        let path = path(number);
        async move { socket::connect(target.address, first + number, &path).await.map(|socket| (number, socket)) }
    }));
    let mut connecting = connecting.buffer_unordered(CONNECTING_MAX);
    let mut sockets = Vec::new();
    while let Some(connected) = connecting.next().await {
        sockets.push(connected?);
    }
    Ok(sockets)
}

/// A message from an agent's socket. Unknown fields are passed over.
#[derive(Deserialize)]
struct AlertMessage<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    state: Option<&'a str>,
    call_id: Option<&'a str>,
    #[serde(borrow, default)]
    evidence: Vec<Evidence<'a>>,
}

#[derive(Deserialize)]
struct Evidence<'a> {
    utterance_id: Option<&'a str>,
}

/// Receives the alerts of the agent of `call`, and counts each expected one once.
async fn hear_alerts(meter: Arc<Meter>, call: u64, mut socket: WebSocketStream<TcpStream>) {
    let mut seen: BTreeSet<u64> = BTreeSet::new();
    while let Some(message) = socket.next().await {
        let now = clock::now();
        let text = match message {
            Ok(Message::Text(text)) => text,
            Ok(Message::Close(frame)) => {
                meter.error(|| format!("坐席连接被关闭 / an agent's connection was closed: {frame:?}"));
                return;
            }
            Ok(_) => continue,
            Err(error) => return meter.error(|| format!("坐席连接 / an agent's connection: {error}")),
        };
        match serde_json::from_str::<AlertMessage<'_>>(&text) {
            Ok(alert) if alert.kind == "alert" => match owing(&meter.script, call, &alert) {
                Some(number) if seen.insert(number) => {
                    meter.note(&meter.event_to_alert, number, now);
                    meter.alerts.fetch_add(1, Ordering::Relaxed);
                }
                Some(_) => {
                    meter.duplicates.fetch_add(1, Ordering::Relaxed);
                }
                None => {
                    meter.others.fetch_add(1, Ordering::Relaxed);
                }
            },
            Ok(_) => {}
            Err(error) => meter.error(|| format!("预警无法解析 / an alert cannot be read: {error}")),
        }
    }
    meter.error(|| "坐席连接断开 / an agent's connection broke".to_owned());
}

/// The event that owes this alert.
fn owing(script: &Script, call: u64, alert: &AlertMessage<'_>) -> Option<u64> {
    let state = match alert.state? {
        "provisional" => State::Provisional,
        "confirmed" => State::Confirmed,
        _ => return None,
    };
    let utterance = alert.evidence.first()?.utterance_id?.strip_prefix('u')?.parse().ok()?;
    (script.call_of(alert.call_id?)? == call).then(|| script.owing(call, utterance, state))?
}

/// A message from a producer's socket.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    call_id: Option<&'a str>,
    seq: Option<u64>,
}

/// Receives acknowledgements, which cover all of their call up to their number.
async fn hear_acks(meter: Arc<Meter>, mut socket: Receiver) {
    let mut acked: HashMap<u64, u64> = HashMap::new();
    while let Some(message) = socket.next().await {
        let now = clock::now();
        let text = match message {
            Ok(Message::Text(text)) => text,
            Ok(Message::Close(frame)) => {
                return meter.error(|| format!("上游连接被关闭 / a producer's connection was closed: {frame:?}"));
            }
            Ok(_) => continue,
            Err(error) => return meter.error(|| format!("上游连接 / a producer's connection: {error}")),
        };
        match serde_json::from_str::<Answer<'_>>(&text) {
            Ok(Answer { kind: "ack", call_id: Some(call_id), seq: Some(seq) }) => {
                let Some(call) = meter.script.call_of(call_id) else { continue };
                let before = acked.insert(call, seq).unwrap_or(0);
                if before == 0 {
                    meter.started.fetch_add(1, Ordering::Relaxed);
                }
                // Event 0 has number 2.
                let events = before.saturating_sub(1)..seq.saturating_sub(1);
                meter.acked.fetch_add(seq.saturating_sub(before.max(1)), Ordering::Relaxed);
                for event in events {
                    meter.note(&meter.event_to_ack, meter.script.number(call, event), now);
                }
            }
            _ => meter.error(|| text.to_string()),
        }
    }
    meter.error(|| "上游连接断开 / a producer's connection broke".to_owned());
}

/// Sends all events, each when it is due.
struct Pacer {
    meter: Arc<Meter>,
    /// `None` where the connection broke.
    senders: Vec<Option<Sender>>,
    /// Connections that hold what their sockets did not take yet.
    unflushed: BTreeSet<usize>,
}

impl Pacer {
    fn start_calls(&mut self) {
        let meter = Arc::clone(&self.meter);
        for call in 0..meter.script.calls {
            self.send(call, meter.script.start(call));
            // In portions: a burst of all calls at once tells nothing about calls that come and go.
            if call % 256 == 255 {
                self.flush();
                std::thread::sleep(BLOCKED_NAP);
            }
        }
        while !self.flush() && !meter.is_stopped() {
            std::thread::sleep(BLOCKED_NAP);
        }
    }

    fn spawn(mut self, began: Instant) -> io::Result<JoinHandle<Histogram<u64>>> {
        std::thread::Builder::new().name("pacer".into()).spawn(move || self.run(began))
    }

    fn run(&mut self, began: Instant) -> Histogram<u64> {
        let meter = Arc::clone(&self.meter);
        let script = &meter.script;
        let mut lateness = histogram();
        let mut number = 0;
        while number < script.total() && !meter.is_stopped() {
            let elapsed = clock::now().saturating_duration_since(began);
            let from = number;
            while number < script.total() && script.due(number) <= elapsed && number - from < 1_024 {
                let (call, event) = (number % script.calls, number / script.calls);
                self.send(call, script.event(call, event));
                if script.due(number) >= meter.warm_up {
                    record(&mut lateness, elapsed - script.due(number));
                }
                number += 1;
            }
            let flushed = self.flush();
            meter.sent.store(number, Ordering::Relaxed);
            let now = clock::now();
            let nap = (began + script.due(number)).saturating_duration_since(now);
            std::thread::sleep(nap.min(if flushed { NAP_MAX } else { BLOCKED_NAP }));
        }
        while !self.flush() && !meter.is_stopped() {
            std::thread::sleep(BLOCKED_NAP);
        }
        lateness
    }

    /// Gives a frame to the connection of `call`, to go out with the next flush.
    fn send(&mut self, call: u64, frame: String) {
        let connection = usize::try_from(call).unwrap_or(0) % self.senders.len();
        let Some(sender) = &mut self.senders[connection] else { return };
        match sender.write(Message::text(frame)) {
            Ok(()) => {
                self.unflushed.insert(connection);
            }
            Err(error) if socket::is_blocked(&error) => {
                self.unflushed.insert(connection);
            }
            Err(error) => self.give_up(connection, &error),
        }
    }

    /// Writes what can be written. False when a socket is full.
    fn flush(&mut self) -> bool {
        let mut full = BTreeSet::new();
        for connection in std::mem::take(&mut self.unflushed) {
            let Some(sender) = &mut self.senders[connection] else { continue };
            match sender.flush() {
                Ok(()) => {}
                Err(error) if socket::is_blocked(&error) => {
                    self.meter.blocked.fetch_add(1, Ordering::Relaxed);
                    full.insert(connection);
                }
                Err(error) => self.give_up(connection, &error),
            }
        }
        self.unflushed = full;
        self.unflushed.is_empty()
    }

    fn give_up(&mut self, connection: usize, error: &tungstenite::Error) {
        self.meter.error(|| format!("上游连接 / a producer's connection: {error}"));
        self.senders[connection] = None;
    }
}

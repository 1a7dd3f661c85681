//! `tingjian demo`: a server, and the built-in calls played to it at speaking
//! pace over real WebSockets, a few at a time, as on a floor; each alert is
//! printed as the agent would get it. Its data is its own: temporary, unless
//! `--data` names a directory.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{NaiveDate, TimeDelta};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tingjian::adapter::alert_json::AlertJson;
use tingjian::adapter::native::{self, Event, EventBody};
use tingjian::engine::alert::AlertState;
use tingjian::engine::severity::Severity;
use tingjian::engine::time::CallTime;
use tingjian::engine::transcript::{Input, Role};
use tingjian::server::{self, Server, Tls, Tokens};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::CancellationToken;

use super::fixtures::FIXTURES;
use super::{serve, show};

/// How long the server of a demo waits for late finals: nothing here is later,
/// and the last verdicts of a call come when it is closed.
const LINGER_MS: std::num::NonZeroU64 = std::num::NonZeroU64::new(3_000).expect("not zero");
/// So many calls are played at a time,
const CALLS_AT_A_TIME: usize = 5;
/// and a new one begins no sooner than this after the one before it, in recorded time.
const STAGGER: Duration = Duration::from_secs(6);
/// A call whose recording ends without an end is closed so long after, in recorded time.
const LINE_CUT: Duration = Duration::from_secs(10);
/// The longest that a demo which is stopped waits for its calls to be closed.
const CLOSING: Duration = Duration::from_secs(3);
const DIM: anstyle::Style = anstyle::Style::new().dimmed();

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    #[command(flatten)]
    serve: serve::Arguments,
    /// 播放速度，1.0 为原速 / Speed of playing; 1.0 is as it was spoken
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// 全部播放一遍后退出 / Exit when all calls have been played once
    #[arg(long)]
    once: bool,
}

/// A speed of playing.
pub(crate) fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.01..=1_000.0).contains(&speed) => Ok(speed),
        _ => Err("必须在 0.01 到 1000 之间 / must be from 0.01 to 1000".to_owned()),
    }
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let (mut config, rules) = match arguments.serve.load() {
        Ok(loaded) => loaded,
        Err(fault) => return serve::unusable(fault),
    };
    if !config.listen.ip().is_loopback() {
        return serve::unusable("演示只能监听本机地址 / the demo listens on this machine only".to_owned());
    }
    // Its calls are nobody's: they must not be among those of a server, whatever its configuration says.
    let own = match arguments.serve.names_data() {
        true => None,
        false => match tempfile::Builder::new().prefix("tingjian-demo-").tempdir() {
            Ok(own) => Some(own),
            Err(error) => {
                return serve::unusable(format!(
                    "无法建立临时数据目录，可用 --data 指定 / cannot make a temporary directory, name one with --data: {error}"
                ));
            }
        },
    };
    if let Some(own) = &own {
        own.path().clone_into(&mut config.data);
    }
    // The players are clients without tokens or certificates.
    config.tokens = Tokens::default();
    config.tls = Tls::default();
    config.call_linger_ms = LINGER_MS;
    serve::log_to_stderr("warn");
    let days = days_to_yesterday(server::wall_now(config.utc_offset).date_naive());
    let demo = async {
        let listener = serve::listen_on(config.listen).await?;
        let address = listener.local_addr()?;
        let kept = config.data.display().to_string();
        let server = Server::open(config, rules, address)?;
        serve::announce(address, false);
        say(format_args!("打开 / open http://{address}"));
        say(format_args!("  实时墙 / wall         http://{address}/live"));
        say(format_args!("  质检 / quality        http://{address}/qa"));
        if let Some(agent_id) = first_agent() {
            say(format_args!("  坐席面板 / agent panel http://{address}/agent/{agent_id}"));
        }
        match own {
            Some(_) => say(format_args!(
                "数据放在临时目录，停止后删除；Ctrl-C 停止 / data is temporary and removed at the end; Ctrl-C stops"
            )),
            None => say(format_args!("数据在 / data in {kept}；Ctrl-C 停止 / Ctrl-C stops")),
        }
        let stop = CancellationToken::new();
        let halt = CancellationToken::new();
        let mut server = tokio::spawn(server.run(listener, stop.clone().cancelled_owned()));
        let signal = serve::stop_signal()?;
        let halting = halt.clone();
        tokio::spawn(async move {
            signal.await;
            halting.cancel();
        });
        let mut listeners = JoinSet::new();
        let stage = Arc::new(Stage { address, speed: arguments.speed, days, halt, shown: Mutex::default() });
        let played = tokio::select! {
            played = play(&stage, arguments.once, &mut listeners) => played.map_err(io::Error::other),
            // It failed while a call was being played.
            served = &mut server => return served.map_err(io::Error::other)?,
        };
        // The server writes the last alerts before it closes the agents' sockets.
        stop.cancel();
        let served = server.await.map_err(io::Error::other)?;
        let mut told = Told::new();
        while let Some(heard) = listeners.join_next().await {
            told.extend(heard.map_err(io::Error::other)?);
        }
        if let Ok(calls) = &played {
            summarise(*calls, &told);
        }
        served.and(played.map(drop))
    };
    serve::finish(serve::run_to_end(demo))
}

/// The last state of each alert, and how grave it is.
type Told = BTreeMap<String, (AlertState, Severity)>;

/// What all players share.
struct Stage {
    address: SocketAddr,
    speed: f64,
    /// The recorded calls are moved on by so many days.
    days: TimeDelta,
    /// The demo is to end: calls that are being played are closed.
    halt: CancellationToken,
    /// What was printed of each utterance, by call.
    shown: Mutex<HashSet<(String, String, String)>>,
}

impl Stage {
    /// Waits in recorded time; false if the demo is to end.
    async fn rest(&self, pause: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.halt.cancelled() => false,
            () = tokio::time::sleep(pause.div_f64(self.speed)) => true,
        }
    }

    /// Notes that these words of an utterance are printed; whether they were not yet.
    fn shows(&self, call_id: &str, utterance_id: &str, text: &str) -> bool {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.insert((call_id.to_owned(), utterance_id.to_owned(), text.to_owned()))
    }
}

/// How many days the recorded calls are moved on, so that the latest was yesterday: `/qa` opens on the last days.
fn days_to_yesterday(today: NaiveDate) -> TimeDelta {
    let starts = FIXTURES.iter().filter_map(|(_, text)| native::parse(text.lines().next()?).ok());
    let days = starts.filter_map(|event| match event.body {
        EventBody::Start(info) => Some(info.started_at.date_naive()),
        EventBody::Input(_) => None,
    });
    days.max().map_or_else(TimeDelta::zero, |latest| today - latest - TimeDelta::days(1))
}

/// Says what the demo showed.
fn summarise(calls: usize, told: &Told) {
    let of = |state: AlertState| told.values().filter(move |(last, _)| *last == state);
    let confirmed = |severity| of(AlertState::Confirmed).filter(|(_, of)| *of == severity).count();
    let (critical, warning, info) =
        (confirmed(Severity::Critical), confirmed(Severity::Warning), confirmed(Severity::Info));
    let (all, resolved, retracted) =
        (critical + warning + info, of(AlertState::Resolved).count(), of(AlertState::Retracted).count());
    say(format_args!(
        "播放了 {calls} 通通话：确认 {all} 条（严重 {critical}，警告 {warning}，提示 {info}），已补 {resolved} 条，撤回 {retracted} 条"
    ));
    say(format_args!(
        "{calls} calls played: {all} alerts confirmed ({critical} critical, {warning} warning, {info} info), {resolved} made good, {retracted} withdrawn"
    ));
}

/// Plays all calls, repeatedly unless `once`, and returns how many. `listeners` print
/// the alerts until the server closes them.
async fn play(stage: &Arc<Stage>, once: bool, listeners: &mut JoinSet<Told>) -> Result<usize, Failure> {
    for agent_id in agents()? {
        let socket = connect(stage.address, &format!("/v1/agents/{agent_id}/alerts")).await?;
        listeners.spawn(print_alerts(Arc::clone(stage), socket));
    }
    let mut playing: JoinSet<Result<(), Failure>> = JoinSet::new();
    let mut calls = 0;
    while !stage.halt.is_cancelled() {
        // The store remembers the calls of earlier demos, and a call is played anew only under another name.
        let round = RandomState::new().hash_one(stage.address) >> 32;
        for (name, text) in FIXTURES {
            if playing.len() >= CALLS_AT_A_TIME
                && let Some(played) = playing.join_next().await
            {
                played??;
            }
            if stage.halt.is_cancelled() {
                break;
            }
            calls += 1;
            let stage_of_call = Arc::clone(stage);
            playing.spawn(async move { play_call(&stage_of_call, name, text, round).await });
            stage.rest(STAGGER).await;
        }
        if once {
            break;
        }
    }
    let ending = async {
        while let Some(played) = playing.join_next().await {
            played??;
        }
        Ok(calls)
    };
    // Whoever stops the demo does not wait for ever.
    tokio::select! {
        ended = ending => ended,
        () = async { stage.halt.cancelled().await; tokio::time::sleep(CLOSING).await } => Ok(calls),
    }
}

/// The agent whose panel shows something first.
fn first_agent() -> Option<String> {
    let (_, text) = FIXTURES.first()?;
    match native::parse(text.lines().next()?).ok()?.body {
        EventBody::Start(info) => Some(info.agent_id),
        EventBody::Input(_) => None,
    }
}

/// All who have one of the built-in calls at some time.
fn agents() -> Result<BTreeSet<String>, Failure> {
    let mut agents = BTreeSet::new();
    for line in FIXTURES.iter().flat_map(|(_, text)| text.lines()) {
        match native::parse(line)?.body {
            EventBody::Start(info) => {
                agents.insert(info.agent_id);
            }
            EventBody::Input(Input::TransferAnswered { agent_id: Some(agent_id), .. }) => {
                agents.insert(agent_id);
            }
            EventBody::Input(_) => {}
        }
    }
    Ok(agents)
}

/// Plays one recording and waits until the server has closed its calls, and so
/// has given its last verdict. No call is left open, however the recording or the demo ends.
async fn play_call(stage: &Stage, name: &'static str, text: &str, round: u64) -> Result<(), Failure> {
    say(format_args!("{DIM}—— {name}{DIM:#}"));
    let producer = connect(stage.address, "/v1/ingest").await?;
    let (mut frames, mut answers) = producer.split();
    let (acked, first_ack) = oneshot::channel();
    let answers = tokio::spawn(async move {
        let mut acked = Some(acked);
        while let Some(Ok(message)) = answers.next().await {
            let Message::Text(text) = message else { continue };
            let answer: Value = serde_json::from_str(&text).unwrap_or_default();
            if answer["type"] == "error" {
                say(format_args!("{}", show::plain(answer["message"].as_str().unwrap_or_default())));
            } else if let Some(acked) = acked.take() {
                let _ = acked.send(());
            }
        }
    });
    let mut first_ack = Some(first_ack);
    let mut watchers = JoinSet::new();
    let mut played_ms = 0;
    let mut open: Option<String> = None;
    for line in text.lines() {
        let Event { call_id, body, .. } = native::parse(line)?;
        let played_id = format!("{call_id}-{round:08x}");
        if let EventBody::Input(input) = &body {
            let CallTime(said_ms) = input.said_at();
            let pause_ms = u64::try_from(said_ms - played_ms).unwrap_or(0);
            if !stage.rest(Duration::from_millis(pause_ms)).await {
                break;
            }
            played_ms = played_ms.max(said_ms);
        }
        let mut frame: Value = serde_json::from_str(line)?;
        frame["call_id"] = Value::from(played_id.as_str());
        match &body {
            EventBody::Start(info) => {
                frame["started_at"] = Value::from((info.started_at + stage.days).to_rfc3339());
                open = Some(played_id.clone());
            }
            EventBody::Input(Input::End { .. }) => open = None,
            // Printed before it is sent, and so before what is told of it.
            EventBody::Input(Input::Utterance(said)) if said.is_final => {
                stage.shows(&played_id, &said.utterance_id, &said.text);
                line_of(&played_id, &said.start.to_string(), said.role, &said.text, "");
            }
            EventBody::Input(_) => {}
        }
        frames.send(Message::text(frame.to_string())).await?;
        if matches!(body, EventBody::Start(_)) {
            if let Some(first_ack) = first_ack.take() {
                first_ack.await?;
            }
            let socket = connect(stage.address, &format!("/v1/calls/{played_id}/watch")).await?;
            watchers.spawn(until_closed(socket));
        }
    }
    // The line was cut, or the demo ends.
    if let Some(call_id) = open {
        stage.rest(LINE_CUT).await;
        let end = json!({"type": "call.end", "call_id": call_id, "at_ms": played_ms, "by": "system"});
        frames.send(Message::text(end.to_string())).await?;
    }
    frames.close().await?;
    answers.await?;
    tokio::select! {
        biased;
        () = stage.halt.cancelled() => {}
        () = async { while watchers.join_next().await.is_some() {} } => {}
    }
    Ok(())
}

async fn connect(address: SocketAddr, path: &str) -> Result<Socket, Failure> {
    let (socket, _response) = connect_async(format!("ws://{address}{path}")).await?;
    Ok(socket)
}

/// Prints each alert as it is pushed, behind the words that it rests on; returns how each alert stands.
async fn print_alerts(stage: Arc<Stage>, mut socket: Socket) -> Told {
    let mut told = Told::new();
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let Ok(alert) = serde_json::from_str::<AlertJson<'_>>(&text) else { continue };
        for words in alert.evidence.iter() {
            // Words of a hypothesis, whose final is not here yet.
            if stage.shows(&alert.call_id, &words.utterance_id, &words.text) {
                line_of(&alert.call_id, &CallTime(alert.at_ms).to_string(), words.role, &words.text, "……");
            }
        }
        told.insert(alert.alert_id.to_string(), (alert.state, alert.severity));
        let mut stdout = anstream::stdout().lock();
        // A reader who left does not stop the demo's server.
        let _ = show::alert(&mut stdout, &alert).and_then(|()| stdout.flush());
    }
    told
}

/// Prints a line of a transcript.
fn line_of(call_id: &str, at: &str, role: Role, text: &str, more: &str) {
    say(format_args!("{DIM}{call_id} {at} {}：{}{more}{DIM:#}", role.zh(), show::plain(text)));
}

/// Waits until the server closes the call that the socket watches.
async fn until_closed(mut socket: Socket) {
    while let Some(Ok(_)) = socket.next().await {}
}

fn say(line: std::fmt::Arguments<'_>) {
    let mut stdout = anstream::stdout().lock();
    // As above.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

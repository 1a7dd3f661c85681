//! `tingjian demo`: a server, and the built-in calls played to it at speaking
//! pace over real WebSockets, a few at a time, as on a floor; each alert is
//! printed as the agent would get it.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tingjian::adapter::alert_json::AlertJson;
use tingjian::adapter::native::{self, Event, EventBody};
use tingjian::engine::time::CallTime;
use tingjian::engine::transcript::Input;
use tingjian::server::{Server, Tls, Tokens};
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
    // The players are clients without tokens or certificates.
    config.tokens = Tokens::default();
    config.tls = Tls::default();
    config.call_linger_ms = LINGER_MS;
    serve::log_to_stderr("warn");
    let demo = async {
        let listener = serve::listen_on(config.listen).await?;
        let address = listener.local_addr()?;
        let server = Server::open(config, rules, address)?;
        serve::announce(address, false);
        say(format_args!("打开 / open http://{address}"));
        say(format_args!("  实时墙 / wall         http://{address}/live"));
        if let Some(agent_id) = first_agent() {
            say(format_args!("  坐席面板 / agent panel http://{address}/agent/{agent_id}"));
        }
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let signal = serve::stop_signal()?;
        let shutdown = async move {
            tokio::select! {
                () = signal => {}
                () = stopped.cancelled() => {}
            }
        };
        let mut server = tokio::spawn(server.run(listener, shutdown));
        let mut listeners = JoinSet::new();
        let played = tokio::select! {
            played = play(address, arguments, &mut listeners) => played.map_err(io::Error::other),
            // Stopped, or failed, while a call was being played.
            served = &mut server => return served.map_err(io::Error::other)?,
        };
        // The server writes the last alerts before it closes the agents' sockets.
        stop.cancel();
        let served = server.await.map_err(io::Error::other)?;
        while listeners.join_next().await.is_some() {}
        served.and(played)
    };
    serve::finish(serve::run_to_end(demo))
}

/// Plays all calls, repeatedly unless `--once` is given. `listeners` print
/// the alerts until the server closes them.
async fn play(address: SocketAddr, arguments: &Arguments, listeners: &mut JoinSet<()>) -> Result<(), Failure> {
    for agent_id in agents()? {
        let socket = connect(address, &format!("/v1/agents/{agent_id}/alerts")).await?;
        listeners.spawn(print_alerts(socket));
    }
    let speed = arguments.speed;
    let mut playing: JoinSet<Result<(), Failure>> = JoinSet::new();
    loop {
        // The store remembers the calls of earlier demos, and a call is played anew only under another name.
        let round = RandomState::new().hash_one(address) >> 32;
        for (name, text) in FIXTURES {
            if playing.len() >= CALLS_AT_A_TIME
                && let Some(played) = playing.join_next().await
            {
                played??;
            }
            playing.spawn(play_call(address, name, text, round, speed));
            tokio::time::sleep(STAGGER.div_f64(speed)).await;
        }
        if arguments.once {
            while let Some(played) = playing.join_next().await {
                played??;
            }
            return Ok(());
        }
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
/// has given its last verdict.
async fn play_call(address: SocketAddr, name: &'static str, text: &str, round: u64, speed: f64) -> Result<(), Failure> {
    say(format_args!("{DIM}—— {name}{DIM:#}"));
    let producer = connect(address, "/v1/ingest").await?;
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
    let mut has_ended = false;
    for line in text.lines() {
        let Event { call_id, body, .. } = native::parse(line)?;
        let played_id = format!("{call_id}-{round:08x}");
        if let EventBody::Input(input) = &body {
            let CallTime(said_ms) = input.said_at();
            let pause_ms = u64::try_from(said_ms - played_ms).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(pause_ms).div_f64(speed)).await;
            played_ms = played_ms.max(said_ms);
        }
        let mut frame: Value = serde_json::from_str(line)?;
        frame["call_id"] = Value::from(played_id.as_str());
        frames.send(Message::text(frame.to_string())).await?;
        has_ended |= matches!(body, EventBody::Input(Input::End { .. }));
        if matches!(body, EventBody::Start(_)) {
            if let Some(first_ack) = first_ack.take() {
                first_ack.await?;
            }
            let socket = connect(address, &format!("/v1/calls/{played_id}/watch")).await?;
            watchers.spawn(print_words(name, socket));
        }
    }
    if has_ended {
        while watchers.join_next().await.is_some() {}
    }
    // Without a `call.end` the line was cut, and nobody waits until the server gives the call up.
    watchers.abort_all();
    frames.close().await?;
    answers.await?;
    Ok(())
}

async fn connect(address: SocketAddr, path: &str) -> Result<Socket, Failure> {
    let (socket, _response) = connect_async(format!("ws://{address}{path}")).await?;
    Ok(socket)
}

/// Prints each alert as it is pushed.
async fn print_alerts(mut socket: Socket) {
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        if let Ok(alert) = serde_json::from_str::<AlertJson<'_>>(&text) {
            let mut stdout = anstream::stdout().lock();
            // A reader who left does not stop the demo's server.
            let _ = show::alert(&mut stdout, &alert).and_then(|()| stdout.flush());
        }
    }
}

/// Prints the settled words of the call `name`, until the server closes it.
async fn print_words(name: &str, mut socket: Socket) {
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        if let Ok(Event { body: EventBody::Input(Input::Utterance(utterance)), .. }) = native::parse(&text)
            && utterance.is_final
        {
            let role = utterance.role.zh();
            say(format_args!("{DIM}{name} {} {role}：{}{DIM:#}", utterance.start, show::plain(&utterance.text)));
        }
    }
}

fn say(line: std::fmt::Arguments<'_>) {
    let mut stdout = anstream::stdout().lock();
    // As above.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

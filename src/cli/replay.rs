//! `tingjian replay FILE…`: recordings into a server, at speaking pace, as a
//! producer sends them. What was not acknowledged is sent again after a broken
//! connection (`seq` makes that harmless); it ends when all is acknowledged.

mod link;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tingjian::adapter::native::{self, Event, EventBody, Number};
use tokio_tungstenite::tungstenite::Message;

use self::link::{Link, Socket};
use super::lines::Lines;
use super::progress::Progress;
use super::serve::{runtime, unusable};
use super::{EXIT_UNUSABLE, complain, demo, show};

/// Events under way; the next one waits for an answer.
const UNACKED_MAX: usize = 256;
/// A server that answers nothing for so long is as good as gone.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How often a broken connection is tried again, and how long it is waited between.
const RECONNECTS_MAX: u32 = 60;
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// 录音事件文件（JSON Lines），- 为标准输入 / Recorded events (JSON Lines); - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// 服务地址 / The server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8787")]
    server: String,
    /// 接入令牌 / Token of role ingest
    #[arg(long, value_name = "TOKEN", env = "TINGJIAN_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// 播放速度，1.0 为原速 / Speed of playing; 1.0 is as it was spoken
    #[arg(long, default_value_t = 1.0, value_parser = demo::speed)]
    speed: f64,
}

/// Exits with 0 if the server has it all, 1 if it refused some, 2 if files or server are unusable.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let played = runtime().map_err(|error| error.to_string()).and_then(|runtime| {
        runtime.block_on(async {
            let link = Link::new(&arguments.server, arguments.token.as_deref())?;
            let mut player = Player::connect(link, arguments.speed).await?;
            for path in &arguments.files {
                player.play(path).await?;
            }
            player.finish().await
        })
    });
    if let Ok(Played { sent, refused, broken }) = played {
        Progress::new("").conclude(format_args!(
            "已播放 {sent} 条，拒绝 {refused} 条，读不懂 {broken} 行 / replayed {sent} events, {refused} refused, {broken} lines unreadable"
        ));
    }
    match played {
        Ok(Played { broken: 1.., .. }) => ExitCode::from(EXIT_UNUSABLE),
        Ok(Played { refused: 1.., .. }) => ExitCode::from(1),
        Ok(_) => ExitCode::SUCCESS,
        Err(fault) => unusable(fault),
    }
}

/// The outcome of the events.
#[derive(Clone, Copy, Debug, Default)]
struct Played {
    sent: u64,
    /// By the server.
    refused: u64,
    /// Lines that could not be read.
    broken: u64,
}

/// An event that is not acknowledged yet.
struct Sent {
    call_id: String,
    producer: Option<String>,
    seq: u64,
    frame: String,
}

/// One call of a file: when it was answered, as the file is played, and its latest number.
struct Playing {
    answered_ms: i64,
    seq: u64,
}

struct Player {
    link: Link,
    /// Nothing while it is made anew.
    socket: Option<Socket>,
    speed: f64,
    unacked: VecDeque<Sent>,
    played: Played,
    progress: Progress,
}

impl Player {
    async fn connect(link: Link, speed: f64) -> Result<Self, String> {
        let socket = Some(link.connect().await?);
        let progress = Progress::new("播放 replaying");
        Ok(Self { link, socket, speed, unacked: VecDeque::new(), played: Played::default(), progress })
    }

    /// Plays one file: every event when it was spoken of, on the clock of its
    /// call, which begins when the call does.
    async fn play(&mut self, path: &Path) -> Result<(), String> {
        let mut lines = Lines::open(path)?;
        let mut calls: BTreeMap<String, Playing> = BTreeMap::new();
        let mut now_ms = 0;
        while let Some(line) = lines.next_line() {
            let read = line.and_then(|text| {
                let event = native::parse(text).map_err(|error| error.to_string())?;
                let frame = serde_json::from_str::<Value>(text).map_err(|error| error.to_string())?;
                Ok((event, frame))
            });
            let (Event { call_id, number: Number { producer, seq }, body }, mut frame) = match read {
                Ok(read) => read,
                Err(fault) => {
                    self.played.broken += 1;
                    complain(format_args!("{}:{}: {fault}", lines.name(), lines.number()));
                    continue;
                }
            };
            let call = calls.entry(call_id.clone()).or_insert(Playing { answered_ms: now_ms, seq: 0 });
            if let EventBody::Input(input) = &body {
                let due_ms = call.answered_ms.saturating_add(input.said_at().0);
                let pause_ms = u64::try_from(due_ms - now_ms).unwrap_or(0);
                now_ms = now_ms.max(due_ms);
                self.rest(Duration::from_millis(pause_ms).div_f64(self.speed)).await?;
            }
            // Without a number nothing would tell that it was taken.
            let seq = seq.unwrap_or(call.seq.saturating_add(1));
            call.seq = call.seq.max(seq);
            frame["seq"] = Value::from(seq);
            self.send(Sent { call_id, producer, seq, frame: frame.to_string() }).await?;
        }
        Ok(())
    }

    /// Listens to the server until the pause is over.
    async fn rest(&mut self, pause: Duration) -> Result<(), String> {
        let mut over = std::pin::pin!(tokio::time::sleep(pause));
        loop {
            tokio::select! {
                biased;
                () = &mut over => return Ok(()),
                message = next(&mut self.socket) => self.hear(message).await?,
            }
        }
    }

    async fn send(&mut self, sent: Sent) -> Result<(), String> {
        while self.unacked.len() >= UNACKED_MAX {
            self.wait().await?;
        }
        let frame = Message::text(sent.frame.as_str());
        self.unacked.push_back(sent);
        self.played.sent += 1;
        self.progress.tell(format_args!("{} 条 events", self.played.sent));
        if !send(&mut self.socket, frame).await {
            self.reconnect().await?;
        }
        Ok(())
    }

    /// Waits for what is still to be acknowledged.
    async fn finish(mut self) -> Result<Played, String> {
        while !self.unacked.is_empty() {
            self.wait().await?;
        }
        self.progress.end();
        // All of it is durable: how the connection ends does not matter.
        if let Some(mut socket) = self.socket {
            let _ = socket.close(None).await;
        }
        Ok(self.played)
    }

    async fn wait(&mut self) -> Result<(), String> {
        match tokio::time::timeout(ANSWER_TIMEOUT, next(&mut self.socket)).await {
            Ok(message) => self.hear(message).await,
            Err(_) => self.reconnect().await,
        }
    }

    /// Takes what the server says; nothing is the end of the connection.
    async fn hear(&mut self, message: Option<Message>) -> Result<(), String> {
        let text = match message {
            Some(Message::Text(text)) => text,
            Some(Message::Close(_)) | None => return self.reconnect().await,
            Some(_) => return Ok(()),
        };
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        let (call_id, seq) = (answer["call_id"].as_str(), answer["seq"].as_u64());
        let is_other = |sent: &Sent, call_id: &str| {
            sent.call_id != call_id || sent.producer.as_deref() != answer["producer"].as_str()
        };
        match (answer["type"].as_str(), call_id, seq) {
            (Some("ack"), Some(call_id), Some(seq)) => {
                self.unacked.retain(|sent| is_other(sent, call_id) || sent.seq > seq);
            }
            (Some("error"), ..) => {
                complain(show::plain(answer["message"].as_str().unwrap_or_default()));
                // A remark such as `slowed` concerns no event.
                if let (Some(call_id), Some(seq)) = (call_id, seq) {
                    self.played.refused += 1;
                    self.unacked.retain(|sent| is_other(sent, call_id) || sent.seq != seq);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Connects anew and sends again what was not acknowledged.
    async fn reconnect(&mut self) -> Result<(), String> {
        // A server that takes one connection at a time is rid of this one first.
        self.socket = None;
        let mut fault = String::new();
        for _ in 0..RECONNECTS_MAX {
            match self.link.connect().await {
                Ok(socket) => {
                    self.socket = Some(socket);
                    if self.resend().await {
                        return Ok(());
                    }
                }
                Err(error) => fault = error,
            }
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
        Err(fault)
    }

    async fn resend(&mut self) -> bool {
        for sent in &self.unacked {
            if !send(&mut self.socket, Message::text(sent.frame.as_str())).await {
                return false;
            }
        }
        true
    }
}

/// The next message; `None` is the end of the connection.
async fn next(socket: &mut Option<Socket>) -> Option<Message> {
    socket.as_mut()?.next().await.and_then(Result::ok)
}

/// Whether the connection took it.
async fn send(socket: &mut Option<Socket>, message: Message) -> bool {
    match socket {
        Some(socket) => socket.send(message).await.is_ok(),
        None => false,
    }
}

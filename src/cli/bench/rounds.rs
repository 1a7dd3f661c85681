//! The closed loop: each connection sends one message, or sixteen together, and
//! waits for the answers before it sends again. The servers take turns within a
//! run, round after round, because on a shared machine only what was measured
//! side by side can be compared.

use std::io;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use super::clock;
use super::script::Script;
use super::socket;
use super::target::Target;

/// Messages that go out together.
pub(super) const IN_FLIGHT: [u64; 2] = [1, 16];

/// The plan of the rounds.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// A call a connection; its events are as many as can be sent in the time.
    pub(super) script: Script,
    pub(super) rounds: u32,
    pub(super) each: Duration,
}

/// One server's part in one round.
#[derive(Clone, Copy, Debug)]
struct Sample {
    messages: u64,
    wall: Duration,
    cpu: Option<Duration>,
}

impl Sample {
    fn per_second(&self) -> f64 {
        self.messages as f64 / self.wall.as_secs_f64()
    }

    /// Events a second that one core would take.
    fn per_core_second(&self) -> Option<f64> {
        let cpu = self.cpu?.as_secs_f64();
        (cpu > 0.0).then(|| self.messages as f64 / cpu)
    }
}

/// How a server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    /// Each message comes back.
    Echo,
    /// Acknowledgements, cumulative by call.
    Acks,
}

/// Every server's samples at each number in flight.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    in_flight: u64,
    samples: Vec<Sample>,
}

impl Row {
    fn median(&self, figure: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        let mut figures: Vec<f64> = self.samples.iter().filter_map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied()
    }
}

impl Table {
    /// The medians: a server's messages a second, the same by core, and both as a share of the
    /// first server's, taken round by round.
    fn figures(&self) -> impl Iterator<Item = Figures<'_>> {
        self.rows.iter().map(|row| {
            let first = self.rows.iter().find(|first| first.in_flight == row.in_flight).unwrap_or(row);
            let ratio = |figure: &dyn Fn(&Sample) -> Option<f64>| {
                let mut ratios: Vec<f64> = row
                    .samples
                    .iter()
                    .zip(&first.samples)
                    .filter_map(|(own, first)| Some(figure(own)? / figure(first)?))
                    .collect();
                ratios.sort_by(f64::total_cmp);
                ratios.get(ratios.len() / 2).copied()
            };
            Figures {
                name: &row.name,
                in_flight: row.in_flight,
                per_second: row.median(|sample| Some(sample.per_second())).unwrap_or(0.0),
                per_core_second: row.median(Sample::per_core_second),
                ratio: ratio(&|sample| Some(sample.per_second())),
                ratio_by_core: ratio(&Sample::per_core_second),
            }
        })
    }

    pub(super) fn to_json(&self) -> Value {
        let rows = self.figures().map(|row| {
            json!({
                "server": row.name, "in_flight": row.in_flight,
                "messages_per_second": row.per_second, "messages_per_core_second": row.per_core_second,
                "ratio_to_first": row.ratio, "ratio_to_first_by_core": row.ratio_by_core,
            })
        });
        Value::Array(rows.collect())
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = format!(
            "{:<12} {:>9} {:>14} {:>20} {:>9} {:>16}\n",
            "server", "in flight", "messages/s", "messages/s a core", "ratio", "ratio by core"
        );
        for row in self.figures() {
            let number = |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.0}"));
            let share = |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.2}"));
            text += &format!(
                "{:<12} {:>9} {:>14.0} {:>20} {:>9} {:>16}\n",
                row.name,
                row.in_flight,
                row.per_second,
                number(row.per_core_second),
                share(row.ratio),
                share(row.ratio_by_core)
            );
        }
        text
    }
}

struct Figures<'a> {
    name: &'a str,
    in_flight: u64,
    per_second: f64,
    per_core_second: Option<f64>,
    ratio: Option<f64>,
    ratio_by_core: Option<f64>,
}

/// Runs the plan: `echo` first, then the others, in every round.
pub(super) async fn run(plan: &Plan, echo: &Target, others: &[Target]) -> io::Result<Table> {
    let servers = || std::iter::once((echo, Answers::Echo)).chain(others.iter().map(|other| (other, Answers::Acks)));
    let mut rows: Vec<Row> = IN_FLIGHT
        .iter()
        .flat_map(|in_flight| {
            servers().map(|(target, _)| Row { name: target.name.clone(), in_flight: *in_flight, samples: Vec::new() })
        })
        .collect();
    // The first round warms up.
    for round in 0..=plan.rounds {
        let cases = IN_FLIGHT.iter().flat_map(|in_flight| servers().map(move |server| (*in_flight, server)));
        for (row, (in_flight, (target, answers))) in rows.iter_mut().zip(cases) {
            let mut script = plan.script.clone();
            script.run = format!("{}-{round}-{in_flight}", plan.script.run);
            let sample = round_of(&script, plan.each, target, answers, in_flight).await?;
            if round > 0 {
                row.samples.push(sample);
            }
        }
    }
    Ok(Table { rows })
}

async fn round_of(
    script: &Script,
    each: Duration,
    target: &Target,
    answers: Answers,
    in_flight: u64,
) -> io::Result<Sample> {
    let mut connections = Vec::new();
    for call in 0..script.calls {
        let mut connection = Connection { socket: socket::connect(target.address, call, "/v1/ingest").await?, answers };
        connection.round_trip(std::iter::once(script.start(call)), 1).await?;
        connections.push(connection);
    }
    let (cpu_from, began) = (target.cpu(), clock::now());
    let mut tasks = JoinSet::new();
    for (call, mut connection) in (0..).zip(connections) {
        let script = script.clone();
        tasks.spawn(async move {
            let mut event = 0;
            while event + in_flight <= script.events && clock::now().saturating_duration_since(began) < each {
                let last = event + in_flight;
                let frames = (event..last).map(|event| script.event(call, event));
                connection.round_trip(frames, last + 1).await?;
                event = last;
            }
            Ok::<u64, io::Error>(event)
        });
    }
    let mut messages = 0;
    while let Some(sent) = tasks.join_next().await {
        messages += sent.map_err(io::Error::other)??;
    }
    let wall = clock::now().saturating_duration_since(began);
    let cpu = target.cpu().zip(cpu_from).map(|(to, from)| to - from);
    Ok(Sample { messages, wall, cpu })
}

struct Connection {
    socket: tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>,
    answers: Answers,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    seq: Option<u64>,
}

impl Connection {
    /// Sends `frames` together, the last of them numbered `last_seq`, and waits for all answers.
    async fn round_trip(&mut self, frames: impl Iterator<Item = String>, last_seq: u64) -> io::Result<()> {
        let mut owed = 0_u64;
        for frame in frames {
            self.socket.feed(Message::text(frame)).await.map_err(io::Error::other)?;
            owed += 1;
        }
        self.socket.flush().await.map_err(io::Error::other)?;
        while owed > 0 {
            let message = self.socket.next().await.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
            let Message::Text(text) = message.map_err(io::Error::other)? else { continue };
            if self.answers == Answers::Echo {
                owed -= 1;
                continue;
            }
            match serde_json::from_str(&text) {
                Ok(Answer { kind: "ack", seq }) if seq >= Some(last_seq) => owed = 0,
                Ok(Answer { kind: "ack", .. }) => {}
                _ => return Err(io::Error::other(format!("不是确认 / not an acknowledgement: {text}"))),
            }
        }
        Ok(())
    }
}

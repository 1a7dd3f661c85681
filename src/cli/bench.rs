//! `tingjian bench`: how many calls a server holds, how soon an alert is at the
//! agent's socket, and what a message costs, against a server that it starts
//! itself or one that runs.
//!
//! It uses the server from outside, over its sockets, and is bounded in calls
//! and time. It looks at latencies, throughput, CPU and memory; whether the
//! alerts are the right ones is what the tests are for, but it does count that
//! none is missing and none comes twice.

mod builds;
mod clock;
mod echo;
mod load;
mod relay;
mod report;
mod rounds;
mod script;
mod socket;
mod target;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Value, json};

use super::{EXIT_UNUSABLE, complain, print, serve};
use report::{Report, Verdict};
use script::Script;
use target::{Rules, Start, Target};

pub(crate) use echo::run as run_echo;

/// Event → alert, 99 in 100: beyond it an alert no longer counts as immediate.
const CEILING_P99: Duration = Duration::from_millis(5);
/// Numbers of calls that a search tries.
const CEILING_STEPS_MAX: u32 = 14;
const CEILING_ATTEMPTS: u32 = 3;
/// The ceiling is known to one part in so many.
const CEILING_STEP: u64 = 10;
/// Phrases of the bench's own rules at most; as many as can be made.
const PHRASES_MAX: u16 = 10_000;
/// Files of a process besides its calls' connections.
const FILES_SPARE: u64 = 64;
/// Events of one connection in the closed loop: more than can be sent in the longest round.
const ROUND_EVENTS_MAX: u64 = 100_000_000;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("in_turns").args(["echo", "compare"]))]
pub(crate) struct Arguments {
    /// 同时进行的通话数 / Calls at the same time
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    calls: u64,
    /// 每通电话每秒的转写消息数 / Transcript messages a second a call
    #[arg(long, default_value_t = 3.0, value_parser = rate)]
    rate: f64,
    /// 测量多少秒 / Seconds to measure
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// 预热多少秒，不计入 / Seconds before that, which do not count
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=600))]
    warm_up: u64,
    /// 全部通话共用多少条上游连接 / Connections that all calls' events share
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    producers: u64,
    /// 每通电话一条上游连接 / A connection a call instead
    #[arg(long, conflicts_with = "producers")]
    connections_per_call: bool,
    /// 压测自带规则的词数 / Phrases of the bench's own rules
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=i64::from(PHRASES_MAX)))]
    phrases: u16,
    /// 改用这个目录的规则 / Rules of this directory instead
    #[arg(long, value_name = "DIR", conflicts_with = "phrases")]
    rules: Option<PathBuf>,
    /// 被测服务的配置文件 / Configuration of the server that is started
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// 被测服务的数据目录建在哪里 / Where the data directory of the server that is started is made
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// 被测服务用哪些 CPU（taskset 写法） / CPUs of the servers that are started, as taskset takes them
    #[arg(long, value_name = "LIST")]
    server_cpus: Option<String>,
    /// 压测已在运行的服务：地址:端口[,进程号] / A server that runs already
    #[arg(long, value_name = "ADDR:PORT[,PID]", conflicts_with_all = ["config", "data", "server_cpus", "rules", "phrases"])]
    server: Option<Running>,
    /// 找出 p99 不超过 5 毫秒的最多通话数 / Find the most calls at a p99 of 5 ms
    #[arg(long)]
    find_ceiling: bool,
    /// 与纯回声服务逐轮对比吞吐 / Compare throughput with a bare echo, round by round
    #[arg(long, conflicts_with = "find_ceiling")]
    echo: bool,
    /// 与另一个构建轮流压测，输出比值 / Run another build in turn with this one and print ratios
    #[arg(long, value_name = "BINARY", conflicts_with_all = ["find_ceiling", "server"])]
    compare: Option<PathBuf>,
    /// 对比的轮数 / Rounds of the comparison
    #[arg(long, default_value_t = 5, requires = "in_turns", value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// 对比的连接数 / Connections in the comparison
    #[arg(long, default_value_t = 100, requires = "echo", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    connections: u64,
    /// 加入对比的其他服务 / Other servers in the comparison
    #[arg(long, value_name = "NAME=ADDR:PORT[,PID]", requires = "echo")]
    peer: Vec<Peer>,
    /// 与直连对比转接的延迟和内存 / Delay and memory of the relay beside direct connections
    #[arg(long, conflicts_with_all = ["find_ceiling", "in_turns", "server", "config"])]
    relay: bool,
    /// 直连和转接各多少路 / Streams of each sort for --relay
    #[arg(long, default_value_t = 100, requires = "relay", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    streams: u64,
    /// 输出 JSON / JSON
    #[arg(long)]
    json: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.01..=1_000.0).contains(&rate) => Ok(rate),
        _ => Err("必须在 0.01 到 1000 之间 / must be from 0.01 to 1000".to_owned()),
    }
}

/// A server that runs already.
#[derive(Clone, Copy, Debug)]
struct Running {
    address: SocketAddr,
    pid: Option<u32>,
}

impl FromStr for Running {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "应形如 127.0.0.1:8787 或 127.0.0.1:8787,4711 / like 127.0.0.1:8787 or 127.0.0.1:8787,4711";
        let (address, pid) = text.split_once(',').map_or((text, None), |(address, pid)| (address, Some(pid)));
        let address = address.strip_prefix("http://").unwrap_or(address).trim_end_matches('/');
        Ok(Self {
            address: address.parse().map_err(|_| wrong())?,
            pid: pid.map(str::parse).transpose().map_err(|_| wrong())?,
        })
    }
}

/// A named one.
#[derive(Clone, Debug)]
struct Peer {
    name: String,
    server: Running,
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, server) = text.split_once('=').ok_or("缺少“名字=” / there is no NAME=")?;
        Ok(Self { name: name.to_owned(), server: server.parse()? })
    }
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    // Everything is received on one thread; the other cores are the server's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let measured = runtime.and_then(|runtime| {
        runtime.block_on(async {
            let stop = serve::stop_signal()?;
            tokio::select! {
                measured = measure(arguments) => measured,
                // The server and its directory go with the future that is dropped here.
                () = stop => Err(io::Error::new(io::ErrorKind::Interrupted, "已中止 / stopped")),
            }
        })
    });
    match measured {
        Ok((text, code)) => print(&text, code),
        Err(error) => {
            complain(format_args!("压测失败 / the bench failed: {error}"));
            ExitCode::from(EXIT_UNUSABLE)
        }
    }
}

async fn measure(arguments: &Arguments) -> io::Result<(String, ExitCode)> {
    if arguments.echo {
        compare_with_echo(arguments).await
    } else if let Some(other) = &arguments.compare {
        compare_builds(arguments, other).await
    } else if arguments.relay {
        let plan = relay::Plan { streams: arguments.streams, each: Duration::from_secs(arguments.seconds) };
        let outcome = relay::run(plan, &arguments.start()).await?;
        let text = if arguments.json { format!("{}\n", outcome.to_json()) } else { outcome.to_text() };
        Ok((text, ExitCode::SUCCESS))
    } else if arguments.find_ceiling {
        find_ceiling(arguments).await
    } else {
        arguments.check_files(arguments.calls)?;
        let target = arguments.target()?;
        let outcome = load::run(&arguments.plan(arguments.calls), &target).await?;
        let report = arguments.report(arguments.calls, &outcome);
        let text = if arguments.json { format!("{}\n", report.to_json()) } else { report.to_text() };
        Ok((text, exit_code(report.verdict())))
    }
}

fn exit_code(verdict: Verdict) -> ExitCode {
    match verdict {
        Verdict::Good => ExitCode::SUCCESS,
        Verdict::Wrong => ExitCode::FAILURE,
        Verdict::Late => ExitCode::from(EXIT_UNUSABLE),
    }
}

impl Arguments {
    fn producers(&self, calls: u64) -> u64 {
        if self.connections_per_call { calls } else { self.producers.min(calls) }
    }

    fn script(&self, calls: u64, events: u64) -> Script {
        let interval = Duration::from_secs_f64(1.0 / self.rate);
        Script { run: format!("b{}", std::process::id()), calls, interval, events }
    }

    fn plan(&self, calls: u64) -> load::Plan {
        let warm_up = Duration::from_secs(self.warm_up);
        // Whole events; the least is one.
        let events = ((self.warm_up + self.seconds) as f64 * self.rate).max(1.0) as u64;
        load::Plan { script: self.script(calls, events), producers: self.producers(calls), warm_up }
    }

    fn report<'a>(&self, calls: u64, outcome: &'a load::Outcome) -> Report<'a> {
        Report { calls, producers: self.producers(calls), rate: self.rate, outcome }
    }

    fn start(&self) -> Start<'_> {
        Start {
            binary: None,
            data: self.data.clone().unwrap_or_else(std::env::temp_dir),
            rules: match &self.rules {
                Some(directory) => Rules::Directory(directory),
                None => Rules::Written(script::rules(usize::from(self.phrases))),
            },
            config: self.config.as_deref(),
            cpus: self.server_cpus.as_deref(),
        }
    }

    fn target(&self) -> io::Result<Target> {
        match &self.server {
            Some(server) => Ok(Target::running("server", server.address, server.pid)),
            None => self.start().tingjian(),
        }
    }

    /// The most calls that this process has files for: a socket a call, the producers' sockets
    /// twice (to send and to receive).
    fn calls_max(&self) -> u64 {
        let files = target::open_files_max().unwrap_or(u64::MAX).saturating_sub(FILES_SPARE);
        if self.connections_per_call { files / 3 } else { files.saturating_sub(2 * self.producers) }
    }

    fn check_files(&self, calls: u64) -> io::Result<()> {
        if calls <= self.calls_max() {
            return Ok(());
        }
        let needed = calls + 2 * self.producers(calls) + FILES_SPARE;
        Err(io::Error::other(format!(
            "{calls} 通电话要打开 {needed} 个文件，请先 ulimit -n {needed} / {calls} calls need {needed} open files; first: ulimit -n {needed}"
        )))
    }
}

/// Doubles the calls until they are not held, then halves the step.
async fn find_ceiling(arguments: &Arguments) -> io::Result<(String, ExitCode)> {
    let most = arguments.calls_max();
    let mut calls = arguments.calls.min(most);
    let (mut held, mut failed) = (0, None);
    let mut runs = Vec::new();
    for _ in 0..CEILING_STEPS_MAX {
        if are_held(arguments, calls, &mut runs).await? {
            held = calls;
        } else {
            failed = Some(calls);
        }
        calls = match failed {
            None if held >= most => break,
            None => (held * 2).min(most),
            Some(failed) if failed - held <= (failed / CEILING_STEP).max(1) => break,
            Some(failed) => held + (failed - held) / 2,
        };
    }
    let by_files = failed.is_none() && held == most;
    let text = if arguments.json {
        format!("{}\n", json!({ "calls_held": held, "limited_by_files": by_files, "runs": runs }))
    } else {
        let limit =
            if by_files { "（再多受文件数所限 / more needs more open files: ulimit -n）" } else { "" };
        format!("p99 ≤ {} ms: {held} calls{limit}\n", CEILING_P99.as_millis())
    };
    Ok((text, if held > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}

/// Whether so many calls are held in one of a few attempts: what else goes on on a machine makes
/// a run slower, never faster.
async fn are_held(arguments: &Arguments, calls: u64, runs: &mut Vec<Value>) -> io::Result<bool> {
    for _ in 0..CEILING_ATTEMPTS {
        let target = arguments.target()?;
        match load::run(&arguments.plan(calls), &target).await {
            Ok(outcome) => {
                let report = arguments.report(calls, &outcome);
                runs.push(report.to_json());
                complain(report.to_line());
                if outcome.event_to_alert.is_empty() {
                    return Err(io::Error::other(
                        "测量期间没有应有的预警，请加长 --seconds / no alert fell due while measuring; raise --seconds",
                    ));
                }
                // A late generator is in the latencies: what is within the limit all the same holds.
                if report.verdict() != Verdict::Wrong && report.alert_p99() <= CEILING_P99 {
                    return Ok(true);
                }
            }
            // A server that cannot even be set up with so many does not hold them.
            Err(error) => {
                complain(format_args!("{calls:>8} {error}"));
                runs.push(json!({ "calls": calls, "failed": error.to_string() }));
            }
        }
    }
    Ok(false)
}

async fn compare_builds(arguments: &Arguments, other: &Path) -> io::Result<(String, ExitCode)> {
    arguments.check_files(arguments.calls)?;
    let comparison = builds::run(arguments.rounds, other, async |binary, take| {
        let target = Start { binary, ..arguments.start() }.tingjian()?;
        let outcome = load::run(&arguments.plan(arguments.calls), &target).await?;
        take(&arguments.report(arguments.calls, &outcome));
        Ok(())
    })
    .await?;
    let text = if arguments.json { format!("{}\n", comparison.to_json()) } else { comparison.to_text() };
    Ok((text, exit_code(comparison.verdict())))
}

async fn compare_with_echo(arguments: &Arguments) -> io::Result<(String, ExitCode)> {
    let start = arguments.start();
    let echo = start.echo()?;
    let mut others = vec![arguments.target()?];
    others.extend(arguments.peer.iter().map(|peer| Target::running(&peer.name, peer.server.address, peer.server.pid)));
    let plan = rounds::Plan {
        script: arguments.script(arguments.connections, ROUND_EVENTS_MAX),
        rounds: arguments.rounds,
        each: Duration::from_secs(arguments.seconds),
    };
    let table = rounds::run(&plan, &echo, &others).await?;
    let text = match arguments.json {
        true => format!("{}\n", table.to_json()),
        false => table.to_text(),
    };
    Ok((text, ExitCode::SUCCESS))
}

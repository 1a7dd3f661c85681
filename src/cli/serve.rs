//! `tingjian serve`.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use tingjian::server::{Config, Rules, Server};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use super::load::load_rules;
use super::source::Origin;
use super::{EXIT_UNUSABLE, complain};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// 监听地址；端口 0 由系统挑选 / Where to listen; port 0 picks one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8787")]
    pub(crate) listen: SocketAddr,
    /// 数据目录，没有就建立 / Data directory; made if it is not there
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) origin: Origin,
    /// 配置文件（TOML） / Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match arguments.load() {
        Ok((config, rules)) => finish(start(arguments, config, rules)),
        Err(code) => code,
    }
}

/// What a server ended with, as an exit code.
pub(crate) fn finish(result: io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("服务失败 / the server failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

impl Arguments {
    /// The configuration and the rules that were asked for; faults are told.
    pub(crate) fn load(&self) -> Result<(Config, Rules), ExitCode> {
        let unusable = || ExitCode::from(EXIT_UNUSABLE);
        let config = match &self.config {
            None => Config::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    complain(format_args!("{}: 无法读取配置 / cannot read the configuration: {error}", path.display()));
                    unusable()
                })?;
                Config::from_toml(&text).map_err(|error| {
                    complain(format_args!("{}: 配置有误 / a fault in the configuration: {error}", path.display()));
                    unusable()
                })?
            }
        };
        let rules = load_rules(&self.origin).map_err(|error| {
            complain(error);
            unusable()
        })?;
        Ok((config, rules))
    }
}

fn start(arguments: &Arguments, config: Config, rules: Rules) -> io::Result<()> {
    log_to_stderr("info");
    runtime()?.block_on(async {
        let listener = listen_on(arguments.listen).await?;
        let server = Server::open(config, &arguments.data, rules)?;
        announce(&listener)?;
        server.run(listener, stop_signal()?).await
    })
}

/// The runtime of a server process.
pub(crate) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// Listens, or says where it could not.
pub(crate) async fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("无法监听 / cannot listen on {address}: {error}")))
}

/// The first line of standard output: from here on connections are taken.
pub(crate) fn announce(listener: &TcpListener) -> io::Result<SocketAddr> {
    let address = listener.local_addr()?;
    let mut stdout = anstream::stdout().lock();
    // Whoever closed standard output does not want to know; the server runs on.
    let _ = writeln!(stdout, "listening on http://{address}").and_then(|()| stdout.flush());
    Ok(address)
}

/// Completes on ctrl-c or SIGTERM. The handlers are in place when this returns.
pub(crate) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Log lines go to standard error; `TINGJIAN_LOG` chooses them. A panic is
/// logged with its place but without its message, which may quote a transcript.
pub(crate) fn log_to_stderr(default: &str) {
    let filter = EnvFilter::try_from_env("TINGJIAN_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
}

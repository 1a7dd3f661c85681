//! `tingjian serve`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tingjian::server::{self, Config, Rulebook, Server};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use super::load;
use super::source::{Origin, RuleFlags};
use super::{EXIT_UNUSABLE, complain};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// 监听地址，默认 127.0.0.1:8787；端口 0 由系统挑选 / Where to listen, by default 127.0.0.1:8787; port 0 picks one
    #[arg(long, value_name = "ADDR:PORT", value_parser = server::listen_address)]
    listen: Option<SocketAddr>,
    /// 数据目录，默认 data / Directory for data, by default data
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    origin: RuleFlags,
}

/// The configuration file of a run.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ConfigFile {
    /// 配置文件（TOML），见 tingjian config / Configuration file (TOML), see tingjian config
    #[arg(long, value_name = "FILE", env = "TINGJIAN_CONFIG")]
    config: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match arguments.load() {
        Ok((config, rules)) => finish(start(config, rules)),
        Err(fault) => unusable(fault),
    }
}

/// Tells what cannot be used.
pub(crate) fn unusable(fault: String) -> ExitCode {
    complain(fault);
    ExitCode::from(EXIT_UNUSABLE)
}

/// The result of a server as an exit code.
pub(crate) fn finish(result: io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("服务失败 / the server failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

impl ConfigFile {
    /// The configuration: the file, if there is one, and the environment over it.
    ///
    /// # Errors
    /// Configuration or rules cannot be used; the message is ready to print.
    pub(crate) fn load(&self) -> Result<Config, String> {
        match &self.config {
            Some(path) => read_config(path),
            None => Config::load(None, environment()).map_err(|error| error.to_string()),
        }
    }
}

impl ConfigFile {
    /// Checks the names of packs in a configuration against the packs that there are.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn check_packs(&self, config: &Config, packs: &[String]) -> Result<(), String> {
        match &self.config {
            Some(path) => check_packs(path, config, packs),
            None => config.check_packs(None, packs).map_err(|error| error.to_string()),
        }
    }
}

/// Checks the names of packs in the configuration that was read from `path`.
///
/// # Errors
/// Every name that is none of `packs`; the message is ready to print.
pub(crate) fn check_packs(path: &Path, config: &Config, packs: &[String]) -> Result<(), String> {
    let (name, text) = read_text(path)?;
    config.check_packs(Some((&name, &text)), packs).map_err(|error| error.to_string())
}

/// The name and the text of a configuration file.
fn read_text(path: &Path) -> Result<(String, String), String> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(format!("{name}: 无法读取配置 / cannot read the configuration: {error}")),
    }
}

/// The configuration in the file at `path`, and the environment over it.
///
/// # Errors
/// Configuration or rules cannot be used; the message is ready to print.
pub(crate) fn read_config(path: &Path) -> Result<Config, String> {
    let (name, text) = read_text(path)?;
    Config::load(Some((&name, &text)), environment()).map_err(|error| error.to_string())
}

fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |text: OsString| text.to_string_lossy().into_owned();
    // Sorted, so that faults are reported in a fixed order.
    let variables: BTreeMap<_, _> = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    variables.into_iter()
}

impl Arguments {
    /// Whether a flag says where the data is.
    pub(crate) const fn names_data(&self) -> bool {
        self.data.is_some()
    }

    /// The configuration and the rules that were asked for: flags go before
    /// the environment, which goes before the file.
    ///
    /// # Errors
    /// Configuration or rules cannot be used; the message is ready to print.
    pub(crate) fn load(&self) -> Result<(Config, Rulebook), String> {
        let mut config = self.origin.config()?;
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        if let Some(data) = &self.data {
            config.data.clone_from(data);
        }
        server::check(&config, config.listen)?;
        let origin = Origin::of(&config);
        let directory = origin.directory().map(Path::to_owned);
        let sources = directory.iter().cloned().chain(origin.parameters.clone()).collect();
        let rules = Rulebook::new(sources, move || load::load(&origin)).map_err(|rejected| rejected.text)?;
        let rules = rules.with_models_in(directory);
        self.origin.file.check_packs(&config, &rules.packs())?;
        Ok((config, rules))
    }
}

fn start(config: Config, rules: Rulebook) -> io::Result<()> {
    log_to_stderr("info");
    run_to_end(async {
        let listener = listen_on(config.listen).await?;
        let address = listener.local_addr()?;
        let has_tls = config.tls.certificate.is_some();
        let server = Server::open(config, rules, address)?;
        announce(address, has_tls);
        server.run(listener, stop_signal()?).await
    })
}

/// The runtime of a server process.
pub(crate) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// How long threads that still compute are waited for once the server has ended.
/// What was taken is kept by then: they work on answers that nobody waits for.
const THREADS_GRACE: Duration = Duration::from_secs(1);

/// Runs a server on a runtime of its own. The process ends soon after the server.
pub(crate) fn run_to_end<T>(serving: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let runtime = runtime()?;
    let result = runtime.block_on(serving);
    runtime.shutdown_timeout(THREADS_GRACE);
    result
}

/// What to do where the system's own words do not say it.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "；已有程序占用，停掉它，或用 --listen 换一个端口（0 由系统挑选） / something listens there already: stop it, or choose another port with --listen (0 picks one)"
        }
        io::ErrorKind::PermissionDenied => "；小于 1024 的端口需要权限 / ports below 1024 need the right to",
        _ => "",
    }
}

/// Listens, or says where it could not.
pub(crate) async fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        io::Error::new(error.kind(), format!("无法监听 / cannot listen on {address}: {error}{}", hint(&error)))
    })
}

/// The first line of standard output: from here on connections are taken.
pub(crate) fn announce(address: SocketAddr, has_tls: bool) {
    let scheme = if has_tls { "https" } else { "http" };
    let mut stdout = anstream::stdout().lock();
    // A closed standard output is no reason to stop: the server runs on.
    let _ = writeln!(stdout, "listening on {scheme}://{address}").and_then(|()| stdout.flush());
}

/// A file would grow beyond the limit of the process. On all systems that this program runs on.
const SIGXFSZ: i32 = 25;

/// Completes on ctrl-c or SIGTERM. The handlers are in place when this returns.
pub(crate) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // A file that may not grow any more is then an error of the write, as a full disk is, and not the end.
    let _ = signal(SignalKind::from_raw(SIGXFSZ))?;
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
    let is_terminal = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(is_terminal).init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
}

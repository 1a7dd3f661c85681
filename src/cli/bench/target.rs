//! The server under test: started here as a process of its own, so that its CPU time and memory are
//! told apart from the generator's, or one that runs already.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Linux counts a process's CPU time for `/proc` in hundredths of a second, on every architecture.
const TICK: Duration = Duration::from_millis(10);

static DIRECTORIES: AtomicU32 = AtomicU32::new(0);

/// A server to measure.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    /// The id of the server's process, if it is on this machine and known.
    pub(super) pid: Option<u32>,
    /// Ends with this.
    _child: Option<Running>,
}

/// A child process and its directory, both gone when this is dropped.
#[derive(Debug)]
struct Running {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    _directory: Directory,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory that is removed with all that is in it.
#[derive(Debug)]
struct Directory(PathBuf);

impl Directory {
    fn new(parent: &Path) -> io::Result<Self> {
        let number = DIRECTORIES.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("tingjian-bench-{}-{number}", std::process::id()));
        fs::create_dir(&path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left behind is in a directory for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How to start servers.
#[derive(Clone, Debug)]
pub(super) struct Start<'a> {
    /// The program; `None` for this one.
    pub(super) binary: Option<&'a Path>,
    /// Where their directories are made.
    pub(super) data: PathBuf,
    /// Rules to serve with, written by the bench.
    pub(super) rules: Rules<'a>,
    pub(super) config: Option<&'a Path>,
    /// CPUs for them, as `taskset` takes them.
    pub(super) cpus: Option<&'a str>,
}

#[derive(Clone, Debug)]
pub(super) enum Rules<'a> {
    Written(String),
    Directory(&'a Path),
}

impl Start<'_> {
    /// Starts a tingjian.
    pub(super) fn tingjian(&self) -> io::Result<Target> {
        let directory = Directory::new(&self.data)?;
        let mut arguments: Vec<std::ffi::OsString> = vec!["serve".into(), "--listen".into(), "127.0.0.1:0".into()];
        arguments.extend(["--data".into(), directory.0.join("data").into()]);
        let rules = match &self.rules {
            Rules::Directory(path) => (*path).to_owned(),
            Rules::Written(text) => {
                let rules = directory.0.join("rules");
                fs::create_dir(&rules)?;
                fs::write(rules.join("bench.yaml"), text)?;
                rules
            }
        };
        arguments.extend(["--rules".into(), rules.into()]);
        if let Some(config) = self.config {
            arguments.extend(["--config".into(), config.into()]);
        }
        self.run("tingjian", &arguments, directory)
    }

    /// Starts a bare echo.
    pub(super) fn echo(&self) -> io::Result<Target> {
        self.run("echo", &["bench-echo".into()], Directory::new(&self.data)?)
    }

    fn run(&self, name: &str, arguments: &[std::ffi::OsString], directory: Directory) -> io::Result<Target> {
        let binary = self.binary.map_or_else(std::env::current_exe, |binary| Ok(binary.to_owned()))?;
        let mut command = match self.cpus {
            None => Command::new(&binary),
            Some(cpus) => {
                let mut command = Command::new("taskset");
                command.args(["-c", cpus]).arg(&binary);
                command
            }
        };
        let mut child = command
            .args(arguments)
            .env("TINGJIAN_LOG", std::env::var_os("TINGJIAN_LOG").unwrap_or_else(|| "warn".into()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", binary.display())))?;
        let pid = child.id();
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
        let mut running = Running { child, _stdout: BufReader::new(stdout), _directory: directory };
        let mut line = String::new();
        running._stdout.read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        let address = address.ok_or_else(|| {
            io::Error::other(format!("{name} 没有启动，原因见上 / {name} did not start; see above for why"))
        })?;
        Ok(Target { name: name.to_owned(), address, pid: Some(pid), _child: Some(running) })
    }
}

impl Target {
    /// A server that runs already.
    pub(super) fn running(name: &str, address: SocketAddr, pid: Option<u32>) -> Self {
        Self { name: name.to_owned(), address, pid, _child: None }
    }

    /// CPU time so far, user and system.
    pub(super) fn cpu(&self) -> Option<Duration> {
        cpu(&self.pid?.to_string())
    }

    /// Resident memory in bytes.
    pub(super) fn rss(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    }
}

/// CPU time of this process.
pub(super) fn own_cpu() -> Option<Duration> {
    cpu("self")
}

fn cpu(process: &str) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the command may hold anything, but the last parenthesis closes it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields.split_whitespace().skip(11).map_while(|field| field.parse::<u32>().ok());
    Some(TICK * (ticks.next()? + ticks.next()?))
}

/// CPU time of everything on this machine.
pub(super) fn machine_cpu() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let fields = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u32> = fields.split_whitespace().map_while(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; the rest is contained in these.
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks[..] else { return None };
    Some(TICK * user.saturating_add(nice).saturating_add(system).saturating_add(irq + softirq + steal))
}

/// How many files this process may open; a child inherits it.
pub(super) fn open_files_max() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_can_be_read() {
        let target = Target::running("self", ([127, 0, 0, 1], 1).into(), Some(std::process::id()));
        assert!(target.rss().unwrap() > 1_000_000);
        assert!(target.cpu().is_some() && machine_cpu() >= own_cpu());
        assert!(open_files_max().unwrap() > 10);
    }
}

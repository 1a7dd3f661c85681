//! `tingjian ready`: whether the server of this machine is ready, for health checks of containers, which have no
//! other program to ask with.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use tingjian::server;

use super::complain;
use super::serve::{ConfigFile, unusable};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// 服务的地址，默认配置里的 listen / Address of the server; default: that of the configuration
    #[arg(long, value_name = "ADDR:PORT", value_parser = server::listen_address)]
    server: Option<SocketAddr>,
    #[command(flatten)]
    file: ConfigFile,
}

/// Exits with 0 if the server is ready, with 1 if it is not.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let config = match arguments.file.load() {
        Ok(config) => config,
        Err(fault) => return unusable(fault),
    };
    let mut address = arguments.server.unwrap_or(config.listen);
    // Who listens everywhere is here, too.
    if address.ip().is_unspecified() {
        let here: IpAddr = if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        address.set_ip(here);
    }
    match ask(address) {
        Ok(status) if is_ready(&status, config.tls.certificate.is_some()) => ExitCode::SUCCESS,
        Ok(status) => {
            complain(format_args!("{address}: 没有就绪 / not ready: {}", status.trim()));
            ExitCode::FAILURE
        }
        Err(error) => {
            complain(format_args!("{address}: 连不上 / cannot connect: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Behind TLS a server says that plain HTTP is not what it speaks: it runs, and no more is known.
fn is_ready(status: &str, has_tls: bool) -> bool {
    let code = status.split(' ').nth(1);
    code == Some("200") || (has_tls && code == Some("400"))
}

/// The first line of the answer.
fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status)?;
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_behind_tls_is_known_to_run() {
        assert!(is_ready("HTTP/1.1 200 OK\r\n", false));
        assert!(!is_ready("HTTP/1.1 503 Service Unavailable\r\n", true));
        assert!(is_ready("HTTP/1.1 400 Bad Request\r\n", true));
        assert!(!is_ready("HTTP/1.1 400 Bad Request\r\n", false));
        assert!(!is_ready("", true));
    }
}

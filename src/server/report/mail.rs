//! The report as a mail, and the conversation with the mail server (RFC 5321), over TLS unless the configuration says otherwise.
//!
//! Deliberately absent: a queue (the store has it), several mails a connection, addresses beyond ASCII.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::send::Sent;
use crate::server::config::{MailSecurity, MailServer, Report, Secret};
use crate::server::net::client;

/// A conversation takes no longer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of one line of an answer, and lines of one.
const LINE_BYTES_MAX: u64 = 4_096;
const LINES_MAX: usize = 100;
/// Characters of an answer that a fault repeats.
const TOLD_CHARS_MAX: usize = 200;
/// Bytes of a text in one encoded word of a header, and of a line of Base64.
const WORD_BYTES_MAX: usize = 39;
const BASE64_LINE: usize = 76;
const BOUNDARY: &str = "=_tingjian_report";

/// The way to the mail server, and the sender.
pub(super) struct Post {
    server: MailServer,
    tls: Option<TlsConnector>,
    user: Option<(String, Secret)>,
    from: String,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").field("server", &self.server).finish_non_exhaustive()
    }
}

/// A mail in two forms.
pub(super) struct Letter<'a> {
    pub(super) to: &'a str,
    pub(super) subject: &'a str,
    pub(super) text: String,
    pub(super) html: String,
    /// Stays the same over all attempts, so that a mail that comes twice is known by it.
    pub(super) id: String,
    /// When it was made, as RFC 2822 writes it.
    pub(super) date: String,
}

/// Why a mail was not taken.
enum Fault {
    Connection(io::Error),
    /// The server refused at this step. The answer is no secret: it is about the mail and the address.
    Answer {
        step: &'static str,
        code: u16,
        text: String,
    },
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Connection(error)
    }
}

impl Fault {
    fn broken(why: &str) -> Self {
        Self::Connection(io::Error::new(io::ErrorKind::InvalidData, why))
    }

    /// Whether this address or mail is never taken; an administrator may mend how one signs in.
    fn is_final(&self) -> bool {
        matches!(self, Self::Answer { step: "RCPT" | "DATA", code: 550..=554, .. })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(error) => write!(f, "{error}"),
            Self::Answer { step, code, text } => write!(f, "{step}: {code} {text}"),
        }
    }
}

impl Post {
    /// The mail server of the configuration; `None` where no mail is wanted.
    ///
    /// # Errors
    /// It cannot be used; the message says what to do.
    pub(super) fn new(config: &Report) -> Result<Option<Self>, String> {
        let (false, Some(server), Some(from)) = (config.to.is_empty(), &config.smtp, &config.from) else {
            return Ok(None);
        };
        let tls = match server.security {
            MailSecurity::None => None,
            MailSecurity::Tls | MailSecurity::StartTls => {
                Some(TlsConnector::from(Arc::new(client::tls("[report] smtp", None, None)?)))
            }
        };
        let user = match (&config.user, &config.password) {
            (Some(user), Some(password)) => {
                let password = password.read().map_err(|fault| format!("[report] password: {fault}"))?;
                Some((user.clone(), password))
            }
            _ => None,
        };
        Ok(Some(Self { server: server.clone(), tls, user, from: from.clone() }))
    }

    /// Hands one mail to the server.
    pub(super) async fn send(&self, letter: Letter<'_>) -> Sent {
        match tokio::time::timeout(TIMEOUT, self.converse(&letter)).await {
            Ok(Ok(())) => Sent::Sent,
            Ok(Err(fault)) if fault.is_final() => Sent::Rejected(fault.to_string()),
            Ok(Err(fault)) => Sent::Failed(fault.to_string()),
            Err(_) => Sent::Failed(format!("no answer within {} s", TIMEOUT.as_secs())),
        }
    }

    async fn converse(&self, letter: &Letter<'_>) -> Result<(), Fault> {
        let tcp = TcpStream::connect((self.server.host.trim_matches(['[', ']']), self.server.port)).await?;
        // A name that every server takes: the address itself.
        let hello = match tcp.local_addr()?.ip() {
            std::net::IpAddr::V4(address) => format!("EHLO [{address}]"),
            std::net::IpAddr::V6(address) => format!("EHLO [IPv6:{address}]"),
        };
        let mut talk = match self.server.security {
            MailSecurity::Tls => Talk::new(self.seal(Box::new(tcp)).await?),
            MailSecurity::StartTls | MailSecurity::None => Talk::new(Box::new(tcp)),
        };
        talk.answer("greeting", 220).await?;
        let mut able = talk.ask("EHLO", &hello, 250).await?;
        if self.server.security == MailSecurity::StartTls {
            talk.ask("STARTTLS", "STARTTLS", 220).await?;
            talk = Talk::new(self.seal(talk.into_inner()?).await?);
            able = talk.ask("EHLO", &hello, 250).await?;
        }
        if let Some((user, password)) = &self.user {
            talk.sign_in(&able, user, password).await?;
        }
        talk.ask("MAIL", &format!("MAIL FROM:<{}>", self.from), 250).await?;
        talk.ask("RCPT", &format!("RCPT TO:<{}>", letter.to), 250).await?;
        talk.ask("DATA", "DATA", 354).await?;
        talk.ask("DATA", &format!("{}\r\n.", letter.written(&self.from)), 250).await?;
        // It is taken, whatever becomes of the farewell.
        let _ = talk.ask("QUIT", "QUIT", 221).await;
        Ok(())
    }

    async fn seal(&self, stream: Box<dyn Stream>) -> Result<Box<dyn Stream>, Fault> {
        let Some(tls) = &self.tls else { return Ok(stream) };
        let name = self.server.host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(name).map_err(|_| Fault::broken("the host is no name for TLS"))?;
        Ok(Box::new(tls.connect(name, stream).await?))
    }
}

/// Bytes both ways.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A conversation: a command, an answer.
struct Talk {
    stream: BufReader<Box<dyn Stream>>,
}

impl Talk {
    fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// The bare connection. What came behind the last answer came from nobody who was asked.
    fn into_inner(self) -> Result<Box<dyn Stream>, Fault> {
        match self.stream.buffer().is_empty() {
            true => Ok(self.stream.into_inner()),
            false => Err(Fault::broken("the server spoke before TLS did")),
        }
    }

    async fn ask(&mut self, step: &'static str, command: &str, expected: u16) -> Result<Vec<String>, Fault> {
        self.stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        self.stream.flush().await?;
        self.answer(step, expected).await
    }

    /// The lines of an answer, without their code.
    async fn answer(&mut self, step: &'static str, expected: u16) -> Result<Vec<String>, Fault> {
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            (&mut self.stream).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
            if line.last() != Some(&b'\n') || lines.len() == LINES_MAX {
                return Err(Fault::broken(if line.is_empty() { "the server hung up" } else { "no answer of SMTP" }));
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let code = line.get(..3).and_then(|code| code.parse::<u16>().ok());
            let code = code.ok_or_else(|| Fault::broken("no answer of SMTP"))?;
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            if line.as_bytes().get(3) == Some(&b'-') {
                continue;
            }
            // 251: it is passed on.
            if code == expected || (expected == 250 && code == 251) {
                return Ok(lines);
            }
            let text = lines.join(" ").chars().filter(|c| !c.is_control()).take(TOLD_CHARS_MAX).collect();
            return Err(Fault::Answer { step, code, text });
        }
    }

    async fn sign_in(&mut self, able: &[String], user: &str, password: &Secret) -> Result<(), Fault> {
        let ways = able.iter().find_map(|line| line.strip_prefix("AUTH ")).unwrap_or_default();
        let may = |way: &str| ways.split(' ').any(|known| known.eq_ignore_ascii_case(way));
        let encoded = |text: &str| STANDARD.encode(text);
        if may("PLAIN") {
            let both = encoded(&format!("\0{user}\0{}", password.reveal()));
            self.ask("AUTH", &format!("AUTH PLAIN {both}"), 235).await?;
        } else if may("LOGIN") {
            self.ask("AUTH", "AUTH LOGIN", 334).await?;
            self.ask("AUTH", &encoded(user), 334).await?;
            self.ask("AUTH", &encoded(password.reveal()), 235).await?;
        } else {
            return Err(Fault::broken("the server takes neither AUTH PLAIN nor LOGIN"));
        }
        Ok(())
    }
}

impl Letter<'_> {
    /// The mail as it is sent. No line begins with a dot: headers, boundaries and Base64 have none there.
    fn written(&self, from: &str) -> String {
        let Self { to, subject, text, html, id, date } = self;
        let subject = header(subject);
        let part = |kind: &str, text: &str| {
            format!(
                "--{BOUNDARY}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
                base64_lines(text)
            )
        };
        format!(
            "From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: {date}\r\nMessage-ID: {id}\r\nMIME-Version: 1.0\r\n\
             Auto-Submitted: auto-generated\r\nContent-Type: multipart/alternative; boundary=\"{BOUNDARY}\"\r\n\r\n{}{}--{BOUNDARY}--",
            part("text/plain", text),
            part("text/html", html)
        )
    }
}

/// A text as the words of a header.
fn header(text: &str) -> String {
    let mut words = vec![String::new()];
    for c in text.chars().filter(|c| !c.is_control()) {
        if words.last().is_some_and(|word| word.len() + c.len_utf8() > WORD_BYTES_MAX) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    let words: Vec<String> = words.iter().map(|word| format!("=?utf-8?b?{}?=", STANDARD.encode(word))).collect();
    words.join("\r\n ")
}

fn base64_lines(text: &str) -> String {
    let encoded = STANDARD.encode(text);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(BASE64_LINE).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    lines.join("\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_ascii_and_no_line_of_it_is_too_long_or_begins_with_a_dot() {
        let letter = Letter {
            to: "a@b",
            subject: "听检周报 2026-11-16 – 2026-11-22，很长很长很长很长的标题\r\nBcc: x@y",
            text: ".一\r\n.\r\n二".repeat(100),
            html: "<p>三</p>".repeat(100),
            id: "<i@t>".to_owned(),
            date: "Mon, 23 Nov 2026 08:00:00 +0800".to_owned(),
        };
        let written = letter.written("c@d");
        assert!(written.is_ascii() && !written.contains("Bcc: x@y"));
        for line in written.split("\r\n") {
            assert!(line.len() <= 78 && !line.starts_with('.') && !line.contains(['\r', '\n']), "{line}");
        }
    }
}

//! The report as a mail in two forms, handed to the mail server by `lettre`, over TLS unless the configuration says otherwise.
//!
//! Deliberately absent: a queue (the store has it), several mails a connection, addresses beyond ASCII.

use std::fmt;
use std::time::{Duration, SystemTime};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use super::send::Sent;
use crate::server::config::{MailSecurity, Report};

/// A conversation takes no longer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Characters of an answer that a fault repeats.
const TOLD_CHARS_MAX: usize = 200;

/// The way to the mail server, and the sender.
pub(super) struct Post {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Address,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").field("from", &self.from).finish_non_exhaustive()
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
    pub(super) made: SystemTime,
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
        let host = server.host.trim_matches(['[', ']']);
        let sealed = || TlsParameters::new(host.to_owned()).map_err(|fault| format!("[report] smtp: {fault}"));
        let tls = match server.security {
            MailSecurity::None => Tls::None,
            MailSecurity::Tls => Tls::Wrapper(sealed()?),
            MailSecurity::StartTls => Tls::Required(sealed()?),
        };
        let mut post = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(server.port)
            .tls(tls)
            .timeout(Some(TIMEOUT))
            .authentication(vec![Mechanism::Plain, Mechanism::Login]);
        if let (Some(user), Some(password)) = (&config.user, &config.password) {
            let password = password.read().map_err(|fault| format!("[report] password: {fault}"))?;
            post = post.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
        }
        let from = from.parse().map_err(|fault| format!("[report] from: {from}: {fault}"))?;
        Ok(Some(Self { server: post.build(), from }))
    }

    /// Hands one mail to the server.
    pub(super) async fn send(&self, letter: Letter<'_>) -> Sent {
        let message = match letter.message(self.from.clone()) {
            Ok(message) => message,
            Err(fault) => return Sent::Rejected(fault),
        };
        match tokio::time::timeout(TIMEOUT, self.server.send(message)).await {
            Ok(Ok(_)) => Sent::Sent,
            Ok(Err(fault)) => {
                // This address or mail is never taken; how one signs in, an administrator may mend.
                let is_final = fault.status().is_some_and(|code| (550..=554).contains(&u16::from(code)));
                let told = fault.to_string().chars().filter(|c| !c.is_control()).take(TOLD_CHARS_MAX).collect();
                if is_final { Sent::Rejected(told) } else { Sent::Failed(told) }
            }
            Err(_) => Sent::Failed(format!("no answer within {} s", TIMEOUT.as_secs())),
        }
    }
}

impl Letter<'_> {
    fn message(self, from: Address) -> Result<Message, String> {
        let Self { to, subject, text, html, id, made } = self;
        let to: Address = to.parse().map_err(|fault| format!("{to}: {fault}"))?;
        let subject: String = subject.chars().filter(|c| !c.is_control()).collect();
        let automatic =
            HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), String::from("auto-generated"));
        Message::builder()
            .from(Mailbox::new(None, from))
            .to(Mailbox::new(None, to))
            .subject(subject)
            .date(made)
            .message_id(Some(id))
            .raw_header(automatic)
            .multipart(MultiPart::alternative_plain_html(text, html))
            .map_err(|fault| fault.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_ascii_and_no_line_of_it_is_too_long_nor_adds_a_header() {
        let letter = Letter {
            to: "a@b.example",
            subject: "听检周报 2026-11-16 – 2026-11-22，很长很长很长很长的标题\r\nBcc: x@y",
            text: ".一\r\n.\r\n二".repeat(100),
            html: "<p>三</p>".repeat(100),
            id: "<i@t>".to_owned(),
            made: SystemTime::UNIX_EPOCH,
        };
        let written = letter.message("c@d.example".parse().unwrap()).unwrap().formatted();
        let written = String::from_utf8(written).unwrap();
        assert!(written.is_ascii() && !written.contains("Bcc: x@y"), "{written}");
        for line in written.split("\r\n") {
            assert!(line.len() <= 78 && !line.contains(['\r', '\n']), "{line}");
        }
    }
}

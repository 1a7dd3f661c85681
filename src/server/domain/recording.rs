//! Addresses of a call: of its sound, the template of `[recording]`, and into it while it is in progress, that of
//! `[supervision]`; filled in, good for a while and signed.
//!
//! The server neither has the sound nor passes it on: browsers fetch it where it is.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use sha2::Sha256;
use utoipa::ToSchema;

use crate::server::config::{AddressTemplate, MonitorMode, Recording, Secret, SecretSource, Supervision};

/// An address with places, and how it is signed.
#[derive(Debug)]
struct Address {
    template: AddressTemplate,
    key: Option<Secret>,
    expires_s: u32,
}

impl Address {
    /// `section` and `url` are what the configuration calls them.
    ///
    /// # Errors
    /// The key is missing, too short or cannot be read; or the address has a signature without an end.
    fn new(
        (url, key_name): (&str, &str),
        template: AddressTemplate,
        key: Option<&SecretSource>,
        expires_s: u32,
    ) -> Result<Self, String> {
        let key = key.map(SecretSource::read).transpose()?;
        if let Some(key) = &key {
            crate::server::config::check_length(key_name, key)?;
        }
        if template.has("signature") && !(key.is_some() && template.has("expires")) {
            return Err(format!(
                "{url} 里有 {{signature}} 时，要有 {{expires}}，并写上 {key_name} / a {url} with {{signature}} needs {{expires}}, and a {key_name}"
            ));
        }
        Ok(Self { template, key, expires_s })
    }

    /// The address of a call at `now_ms`, and until when it is good, in seconds since 1970.
    fn of(&self, call: Recorded<'_>, more: &[(&str, &str)], now_ms: i64) -> (String, i64) {
        let expires = now_ms / 1_000 + i64::from(self.expires_s);
        let value = |place: &str| match place {
            "call_id" => call.call_id.to_owned(),
            "agent_id" => call.agent_id.to_owned(),
            "queue" => call.queue.unwrap_or_default().to_owned(),
            "started_at" => call.started_at.to_owned(),
            "started_unix" => call.started_ms.div_euclid(1_000).to_string(),
            "date" => call.started_at.chars().take(DATE_CHARS).collect(),
            "expires" => expires.to_string(),
            other => {
                more.iter().find(|(name, _)| *name == other).map(|(_, value)| *value).unwrap_or_default().to_owned()
            }
        };
        let known = |place: &str| place != "signature" && self.template.knows(place);
        let filled = fill(self.template.path(), |place| known(place).then(|| escaped(&value(place))));
        let signed = filled.replace("{signature}", "");
        let signature = self.key.as_ref().map(|key| sign(key, &signed)).unwrap_or_default();
        (format!("{}{}", self.template.origin(), filled.replace("{signature}", &signature)), expires)
    }
}

/// Where calls can be heard.
#[derive(Debug)]
pub(crate) struct Recordings {
    address: Address,
    starts_before_ms: i64,
}

/// The facts of a call that its address contains.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recorded<'a> {
    pub(crate) call_id: &'a str,
    pub(crate) agent_id: &'a str,
    pub(crate) queue: Option<&'a str>,
    /// RFC 3339, as the producer sent it.
    pub(crate) started_at: &'a str,
    pub(crate) started_ms: i64,
}

/// Where a call can be heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Sound {
    pub(crate) url: String,
    /// Seconds since 1970 until which the address is good.
    pub(crate) expires: i64,
    /// Milliseconds by which the sound begins before the call was answered.
    pub(crate) starts_before_ms: i64,
}

impl Recordings {
    /// `None` where no address is configured.
    ///
    /// # Errors
    /// The key is missing, too short or cannot be read; or the address has a signature without an end.
    pub(crate) fn new(config: &Recording) -> Result<Option<Self>, String> {
        let Recording { url, key, expires_s, starts_before_ms } = config;
        let Some(url) = url.clone() else { return Ok(None) };
        let address = Address::new(("recording.url", "recording.key"), url.0, key.as_ref(), expires_s.get())?;
        Ok(Some(Self { address, starts_before_ms: *starts_before_ms }))
    }

    /// The address of a call's sound at `now_ms`.
    pub(crate) fn of(&self, call: Recorded<'_>, now_ms: i64) -> Sound {
        let (url, expires) = self.address.of(call, &[], now_ms);
        Sound { url, expires, starts_before_ms: self.starts_before_ms }
    }
}

/// The ways into calls in progress that the telephone system has.
#[derive(Debug)]
pub(crate) struct Monitors {
    address: Address,
    modes: Vec<MonitorMode>,
}

/// A way into a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct WayIn {
    pub(crate) url: String,
    /// Seconds since 1970 until which the address is good.
    pub(crate) expires: i64,
}

impl Monitors {
    /// `None` where no address is configured.
    ///
    /// # Errors
    /// As for [`Recordings::new`].
    pub(crate) fn new(config: &Supervision) -> Result<Option<Self>, String> {
        let Supervision { monitor_url, monitor_key, monitor_expires_s, monitor_modes, .. } = config;
        let Some(url) = monitor_url.clone() else { return Ok(None) };
        let names = ("supervision.monitor_url", "supervision.monitor_key");
        let modes = if url.0.has("mode") { monitor_modes.clone() } else { vec![MonitorMode::Listen] };
        let address = Address::new(names, url.0, monitor_key.as_ref(), monitor_expires_s.get())?;
        Ok(Some(Self { address, modes }))
    }

    /// The ways that are offered.
    pub(crate) fn modes(&self) -> &[MonitorMode] {
        &self.modes
    }

    /// The address for one supervisor at `now_ms`.
    pub(crate) fn of(&self, call: Recorded<'_>, mode: MonitorMode, supervisor: &str, now_ms: i64) -> WayIn {
        let (url, expires) = self.address.of(call, &[("mode", mode.name()), ("supervisor", supervisor)], now_ms);
        WayIn { url, expires }
    }
}

/// `2026-11-21`.
const DATE_CHARS: usize = 10;

/// The template with each place filled in that `value` has something for; what is filled in is not looked at again.
fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((place, after)) = behind.split_once('}') else {
            rest = behind;
            continue;
        };
        match value(place) {
            Some(value) => filled.push_str(&value),
            None => {
                let _ = write!(filled, "{{{place}}}");
            }
        }
        rest = after;
    }
    filled + rest
}

/// The text as a part of a path or a value of a query.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// The HMAC-SHA256 of the path and query without the signature, in hexadecimal digits.
fn sign(key: &Secret, path: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.reveal().as_bytes()).expect("a key may have any length");
    mac.update(path.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::config::{MonitorUrl, RecordingUrl};

    fn recordings(url: &str, key: Option<&str>) -> Result<Recordings, String> {
        let key = key.map(|key| SecretSource::Plain(Secret::new(key.to_owned())));
        let url = Some(RecordingUrl::try_from(url.to_owned())?);
        Recordings::new(&Recording { url, key, ..Recording::default() }).map(|recordings| recordings.unwrap())
    }

    const CALL: Recorded<'_> = Recorded {
        call_id: "a/b{signature} 1",
        agent_id: "甲",
        queue: None,
        started_at: "2026-11-21T10:00:00+08:00",
        started_ms: 1_795_226_400_000,
    };

    #[test]
    fn places_are_filled_in_escaped_and_the_path_is_signed() {
        let url = "https://rec.example:8443/{date}/{call_id}.mp3?a={agent_id}&q={queue}&t={started_unix}&e={expires}&s={signature}";
        let sound = recordings(url, Some("k".repeat(32).as_str())).unwrap().of(CALL, 5_000);
        let path = "/2026-11-21/a%2Fb%7Bsignature%7D%201.mp3?a=%E7%94%B2&q=&t=1795226400&e=3605&s=";
        // As Python's `hmac.new(key, path, "sha256").hexdigest()` has it.
        let signed = sign(&Secret::new("k".repeat(32)), path);
        assert_eq!(sound.url, format!("https://rec.example:8443{path}{signed}"));
        assert_eq!((sound.expires, signed.len()), (3_605, 64));
        let plain = recordings("http://10.0.0.5/{call_id}.wav", None).unwrap().of(CALL, 0);
        assert_eq!(plain.url, "http://10.0.0.5/a%2Fb%7Bsignature%7D%201.wav");
    }

    #[test]
    fn a_way_in_names_the_supervisor_and_the_mode_and_is_signed_alike() {
        let url = "https://pbx.example/{mode}?call={call_id}&by={supervisor}&e={expires}&s={signature}".to_owned();
        let key = Some(SecretSource::Plain(Secret::new("k".repeat(32))));
        let config = Supervision {
            monitor_url: Some(MonitorUrl::try_from(url).unwrap()),
            monitor_key: key,
            ..Supervision::default()
        };
        let way = Monitors::new(&config).unwrap().unwrap().of(CALL, MonitorMode::Barge, "李 静", 5_000);
        let path = "/barge?call=a%2Fb%7Bsignature%7D%201&by=%E6%9D%8E%20%E9%9D%99&e=65&s=";
        let signed = sign(&Secret::new("k".repeat(32)), path);
        assert_eq!(way, WayIn { url: format!("https://pbx.example{path}{signed}"), expires: 65 });
        let plain = MonitorUrl::try_from("http://pbx/{call_id}".to_owned()).unwrap();
        let config = Supervision { monitor_url: Some(plain), ..Supervision::default() };
        assert_eq!(Monitors::new(&config).unwrap().unwrap().modes(), [MonitorMode::Listen]);
        assert!(RecordingUrl::try_from("https://rec.example/{supervisor}".to_owned()).is_err());
    }

    #[test]
    fn addresses_that_cannot_be_used_are_refused() {
        for (url, key, why) in [
            ("ftp://rec.example/{call_id}", None, "https://"),
            ("https://{call_id}.example/x", None, "https://"),
            ("https://me:secret@rec.example/{call_id}", None, "https://"),
            ("/rec/{call_id}", None, "https://"),
            ("https://rec.example/{caller}", None, "{call_id}"),
            ("https://rec.example/{call_id", None, "{call_id}"),
            ("https://rec.example/{call_id}?s={signature}&e={expires}", None, "recording.key"),
            ("https://rec.example/{call_id}?s={signature}", Some("k".repeat(32)), "{expires}"),
            ("https://rec.example/{call_id}", Some("short".to_owned()), "recording.key"),
        ] {
            let fault = recordings(url, key.as_deref()).unwrap_err();
            assert!(fault.contains(why), "{url}: {fault}");
        }
    }
}

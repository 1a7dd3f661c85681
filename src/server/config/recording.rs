//! `[recording]`: where the sound of calls is, as an address with places to fill in.

use std::num::NonZeroU32;

use axum::http::Uri;
use serde::{Deserialize, Serialize};

use crate::server::config::SecretSource;

/// An address is good for so long: a long call is listened to in one go.
const EXPIRES_S: NonZeroU32 = NonZeroU32::new(60 * 60).expect("not zero");
/// The parts of a call that an address may contain.
pub(crate) const PLACES: [&str; 8] =
    ["call_id", "agent_id", "queue", "started_at", "started_unix", "date", "expires", "signature"];

/// `[recording]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recording {
    /// The address of a call's sound; none: there is no sound.
    pub url: Option<RecordingUrl>,
    /// The key that addresses are signed with.
    pub key: Option<SecretSource>,
    /// Seconds for which an address is good.
    pub expires_s: NonZeroU32,
    /// Milliseconds by which the sound begins before the call was answered; less than 0: after.
    pub starts_before_ms: i64,
}

impl Default for Recording {
    fn default() -> Self {
        Self { url: None, key: None, expires_s: EXPIRES_S, starts_before_ms: 0 }
    }
}

/// An address with places such as `{call_id}` in its path or query.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct RecordingUrl(pub(crate) AddressTemplate);

impl TryFrom<String> for RecordingUrl {
    type Error = String;

    fn try_from(template: String) -> Result<Self, String> {
        AddressTemplate::new(template, &PLACES).map(Self)
    }
}

impl From<RecordingUrl> for String {
    fn from(url: RecordingUrl) -> Self {
        url.0.into()
    }
}

/// An address with places to fill in, each in braces, in its path or query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressTemplate {
    template: String,
    origin: String,
    places: &'static [&'static str],
}

impl AddressTemplate {
    /// # Errors
    /// It has other places, or is no whole address.
    pub(crate) fn new(template: String, places: &'static [&'static str]) -> Result<Self, String> {
        let filled = places.iter().fold(template.clone(), |text, place| text.replace(&format!("{{{place}}}"), "0"));
        if filled.contains(['{', '}']) {
            let all = places.iter().map(|place| format!("{{{place}}}")).collect::<Vec<_>>().join(" ");
            return Err(format!("地址里只能有这些：{all} / the address may have these places only: {all}"));
        }
        let form = || {
            "要写成 https://主机/路径，只在路径和参数里留空 / must be https://HOST/PATH, with places in its path and query only".to_owned()
        };
        let uri: Uri = filled.parse().map_err(|_| form())?;
        let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(form()) };
        let origin = format!("{}://{authority}", uri.scheme_str().unwrap_or_default());
        // A name and password would reach every page that shows the address.
        if !template.starts_with(&format!("{origin}/")) || authority.as_str().contains('@') {
            return Err(form());
        }
        Ok(Self { template, origin, places })
    }

    /// `https://host:port`.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The path and the query behind the origin.
    pub(crate) fn path(&self) -> &str {
        &self.template[self.origin.len()..]
    }

    pub(crate) fn has(&self, place: &str) -> bool {
        self.template.contains(&format!("{{{place}}}"))
    }

    /// Whether `name` is one of its places.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.places.contains(&name)
    }
}

impl From<AddressTemplate> for String {
    fn from(address: AddressTemplate) -> Self {
        address.template
    }
}

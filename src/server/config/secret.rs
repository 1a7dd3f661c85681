//! Values of the configuration that have a form of their own: secrets, tokens
//! and origins. What is secret never shows in `Debug` or when it is printed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::engine::text::is_formatting;

/// The text shown in place of a secret.
const HIDDEN: &str = "***";
/// A shorter token could be guessed.
const TOKEN_BYTES_MIN: usize = 16;
/// A longer token is a mistake.
const TOKEN_BYTES_MAX: usize = 256;
/// A shorter secret of a signature could be guessed.
const SIGNING_BYTES_MIN: usize = 32;
/// A longer name of a person is a mistake.
pub(crate) const PERSON_CHARS_MAX: usize = 64;
/// Before the hexadecimal digest of a token.
const SHA256: &str = "sha256:";

/// A value that must not be seen.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides `value`.
    #[must_use]
    pub const fn new(value: String) -> Self {
        Self(value)
    }

    /// The value, for the one who needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

/// A secret, or the file that holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum SecretSource {
    /// The text itself.
    Plain(Secret),
    /// The first line of a file.
    #[allow(missing_docs)]
    File { file: PathBuf },
}

impl SecretSource {
    /// The secret.
    ///
    /// # Errors
    /// The file cannot be read or is empty; the message names it.
    pub fn read(&self) -> Result<Secret, String> {
        match self {
            Self::Plain(secret) => Ok(secret.clone()),
            Self::File { file } => {
                lines_of(file)?.into_iter().next().ok_or_else(|| format!("{}: 文件是空的 / is empty", file.display()))
            }
        }
    }
}

/// Refuses a secret that others could guess, and so sign with.
pub(crate) fn check_signing(secret: &Secret) -> Result<(), String> {
    check_length("tokens.agent_secret", secret)
}

/// Refuses a secret that others could guess; `key` is its place in the configuration.
pub(crate) fn check_length(key: &str, secret: &Secret) -> Result<(), String> {
    if secret.reveal().len() >= SIGNING_BYTES_MIN {
        return Ok(());
    }
    Err(format!(
        "{key} 至少要有 {SIGNING_BYTES_MIN} 个字符，可用 openssl rand -hex 32 生成 / must have at least {SIGNING_BYTES_MIN} characters; openssl rand -hex 32 makes one"
    ))
}

/// A token, what it hashes to, or the file that holds some.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum TokenSource {
    /// The text itself.
    Plain(Secret),
    /// `sha256:` and the hexadecimal digest.
    Sha256(Digest),
    /// One of the other forms a line.
    #[allow(missing_docs)]
    File { file: PathBuf },
}

/// The SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub(crate) [u8; 32]);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

impl TokenSource {
    /// A token as it is written in the configuration.
    fn parse(text: &str) -> Result<Self, String> {
        if let Some(digits) = text.strip_prefix(SHA256) {
            return digest(digits).map(|digest| Self::Sha256(Digest(digest))).ok_or_else(|| {
                "sha256: 后面应是 64 位十六进制数 / 64 hexadecimal digits must follow sha256:".to_owned()
            });
        }
        if !(TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&text.len()) {
            let bytes = text.len();
            return Err(format!(
                "令牌有 {bytes} 个字符，应在 {TOKEN_BYTES_MIN} 到 {TOKEN_BYTES_MAX} 之间，可用 openssl rand -hex 24 生成 / the token has {bytes} characters, {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} are needed; openssl rand -hex 24 makes one"
            ));
        }
        // So that it goes unchanged into a header, a subprotocol and an address.
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
            return Err("令牌只能有字母、数字和 - . _ ~ / a token may have letters, digits and - . _ ~ only".to_owned());
        }
        Ok(Self::Plain(Secret::new(text.to_owned())))
    }

    /// The tokens, as they were written or out of the file.
    pub(crate) fn read(&self) -> Result<Vec<Self>, String> {
        let Self::File { file } = self else { return Ok(vec![self.clone()]) };
        let parsed = lines_of(file)?.into_iter().map(|line| Self::parse(line.reveal())).collect::<Result<Vec<_>, _>>();
        parsed.map_err(|fault| format!("{}: {fault}", file.display()))
    }
}

/// The tokens of one role: a list, or a table from each person's name to
/// theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Holders {
    /// Nobody says whose they are.
    List(Vec<TokenSource>),
    /// By name.
    Named(BTreeMap<String, PersonTokens>),
}

/// The tokens of one person: one, or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PersonTokens(Vec<TokenSource>);

impl Default for Holders {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Holders {
    /// The tokens with the names of their holders, where they are given.
    pub(crate) fn each(&self) -> Vec<(Option<&str>, &[TokenSource])> {
        match self {
            Self::List(tokens) => vec![(None, tokens)],
            Self::Named(holders) => {
                holders.iter().map(|(name, PersonTokens(tokens))| (Some(name.as_str()), tokens.as_slice())).collect()
            }
        }
    }
}

/// Refuses what cannot be the name of a person.
pub(crate) fn check_person(name: &str) -> Result<(), String> {
    let chars = name.chars().count();
    if (1..=PERSON_CHARS_MAX).contains(&chars) && name.trim() == name && !name.chars().any(is_formatting) {
        return Ok(());
    }
    Err(format!(
        "姓名要有 1 到 {PERSON_CHARS_MAX} 个字，首尾没有空格，没有控制字符 / a name has 1 to {PERSON_CHARS_MAX} characters, no spaces around it, no control characters"
    ))
}

impl<'de> Deserialize<'de> for Holders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListOrTable;

        impl<'de> Visitor<'de> for ListOrTable {
            type Value = Holders;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of tokens or a table { NAME = \"TOKEN\" }")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, tokens: A) -> Result<Holders, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(tokens)).map(Holders::List)
            }

            fn visit_map<A: MapAccess<'de>>(self, holders: A) -> Result<Holders, A::Error> {
                let holders = BTreeMap::<String, PersonTokens>::deserialize(MapAccessDeserializer::new(holders))?;
                holders.keys().try_for_each(|name| check_person(name)).map_err(de::Error::custom)?;
                Ok(Holders::Named(holders))
            }
        }

        deserializer.deserialize_any(ListOrTable)
    }
}

impl<'de> Deserialize<'de> for PersonTokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;

        impl<'de> Visitor<'de> for OneOrMore {
            type Value = PersonTokens;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a token or a list of tokens")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, tokens: A) -> Result<PersonTokens, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(tokens)).map(PersonTokens)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PersonTokens, E> {
                let token = TextOrFile.visit_str(text).and_then(token)?;
                Ok(PersonTokens(vec![token]))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PersonTokens, A::Error> {
                let token = TextOrFile.visit_map(map).and_then(token)?;
                Ok(PersonTokens(vec![token]))
            }
        }

        deserializer.deserialize_any(OneOrMore)
    }
}

/// The lines of a file of secrets, without empty ones and comments.
fn lines_of(file: &Path) -> Result<Vec<Secret>, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{}: 读不出来 / cannot be read: {error}", file.display()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(|line| Secret::new(line.to_owned())).collect())
}

/// 32 bytes out of 64 hexadecimal digits.
fn digest(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// The table `{ file = "…" }`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InFile {
    file: PathBuf,
}

/// Takes a string or the table `{ file = "…" }`.
struct TextOrFile;

/// The value that [`TextOrFile`] takes: a text or the path of a file.
enum Given {
    Text(String),
    File(PathBuf),
}

impl<'de> Visitor<'de> for TextOrFile {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or { file = \"…\" }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Given, E> {
        Ok(Given::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Given, A::Error> {
        InFile::deserialize(MapAccessDeserializer::new(map)).map(|InFile { file }| Given::File(file))
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(TextOrFile)? {
            Given::Text(text) if text.is_empty() => Err(de::Error::custom("不能是空的 / must not be empty")),
            Given::Text(text) => Ok(Self::Plain(Secret::new(text))),
            Given::File(file) => Ok(Self::File { file }),
        }
    }
}

impl<'de> Deserialize<'de> for TokenSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrFile).and_then(token)
    }
}

fn token<E: de::Error>(given: Given) -> Result<TokenSource, E> {
    match given {
        Given::Text(text) => TokenSource::parse(&text).map_err(E::custom),
        Given::File(file) => Ok(TokenSource::File { file }),
    }
}

/// A site whose pages may use the server: scheme, host and port, as browsers
/// write them in `Origin`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct OriginName(String);

impl OriginName {
    /// The origin that `text` names: `https://crm.example.com`, no path.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let (scheme, authority) = text.split_once("://")?;
        let port = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => return None,
        };
        let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        if authority.is_empty() || !authority.chars().all(is_host) {
            return None;
        }
        let authority = authority.strip_suffix(port).unwrap_or(authority);
        Some(Self(format!("{scheme}://{authority}")))
    }

    /// The origin as a browser writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Host and port; without the port where it is the scheme's own.
    pub(crate) fn authority(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, authority)| authority)
    }

    /// The port that goes without saying.
    pub(crate) fn usual_port(&self) -> &'static str {
        if self.0.starts_with("https:") { ":443" } else { ":80" }
    }
}

impl<'de> Deserialize<'de> for OriginName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom(
                "来源应形如 https://crm.example.com，不带路径 / an origin must look like https://crm.example.com, without a path",
            )
        })
    }
}

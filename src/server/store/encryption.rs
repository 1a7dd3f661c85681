//! The words of calls as the store keeps them: plain, or encrypted with a key.
//!
//! The columns that hold words are encrypted: the starts of calls, their events, the journal, alerts,
//! and messages to webhooks. Each value has a nonce of its own (XChaCha20-Poly1305, 24 random bytes)
//! and names its key, so several keys may be in use. SQL encrypts and reads by the functions `seal` and
//! `words`, which every connection has (beside PostgreSQL, the connection does it, see [`sql`](super::sql)); without a key, `seal` returns what it is given, and `words`
//! reads what was never encrypted as it is. The digests that the audit calls seals are another thing: see
//! [`seal`](super::seal).
//!
//! Deliberately absent: encrypting what lists are searched by (ids, agents, queues, rules, times), and
//! the reasons that people give, which are masked.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::{Aead as _, Generate as _};
use chacha20poly1305::{Key, KeyInit as _, XChaCha20Poly1305, XNonce};
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use sha2::{Digest as _, Sha256};

use crate::server::config::Privacy;
use crate::server::store::StoreError;
use crate::server::store::sql::{Connection, OptionalExtension as _};

/// Before a sealed value; no JSON begins so.
const MARK: char = '\u{1}';
/// Characters of a key's name.
const NAME_CHARS: usize = 8;
const NONCE_BYTES: usize = 24;
/// The columns that hold words.
const COLUMNS: [(&str, &str); 7] = [
    ("calls", "start"),
    ("events", "json"),
    ("journal", "json"),
    ("alerts", "json"),
    ("outbox", "alert"),
    ("form_steps", "json"),
    ("calibration_answers", "json"),
];

/// The keys of a store: the first seals, all open.
#[derive(Clone, Default)]
pub(crate) struct Keys(Arc<[StoreKey]>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.name)).finish()
    }
}

struct StoreKey {
    /// The first digits of its digest.
    name: String,
    cipher: XChaCha20Poly1305,
}

impl Keys {
    /// The keys that the configuration names.
    ///
    /// # Errors
    /// A file cannot be read, or a key is too short; the message names it.
    pub(crate) fn read(privacy: &Privacy) -> Result<Self, StoreError> {
        let secrets = privacy.read_keys().map_err(|reason| StoreError::Key { reason })?;
        let keys = secrets.iter().map(|secret| {
            let key: [u8; 32] =
                Sha256::new().chain_update("tingjian store\0").chain_update(secret.reveal()).finalize().into();
            let digest = Sha256::digest(key);
            let name = digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            StoreKey { name: name[..NAME_CHARS].to_owned(), cipher: XChaCha20Poly1305::new(&Key::from(key)) }
        });
        Ok(Self(keys.collect()))
    }

    /// Whether new words are sealed.
    pub(super) fn seals(&self) -> bool {
        !self.0.is_empty()
    }

    /// Words as they are kept.
    pub(super) fn seal(&self, words: &str) -> Result<String, Unreadable> {
        let Some(key) = self.0.first().filter(|_| !words.is_empty()) else { return Ok(words.to_owned()) };
        let nonce = XNonce::generate();
        let sealed = key.cipher.encrypt(&nonce, words.as_bytes()).map_err(|_| Unreadable::Damaged)?;
        let bytes = [nonce.as_slice(), &sealed].concat();
        Ok(format!("{MARK}{}{}", key.name, STANDARD_NO_PAD.encode(bytes)))
    }

    /// Words as they were before they were kept.
    pub(super) fn open(&self, kept: &str) -> Result<String, Unreadable> {
        let Some(sealed) = kept.strip_prefix(MARK) else { return Ok(kept.to_owned()) };
        let (name, sealed) = sealed.split_at_checked(NAME_CHARS).ok_or(Unreadable::Damaged)?;
        let key = self.0.iter().find(|key| key.name == name).ok_or_else(|| Unreadable::NoKey(name.to_owned()))?;
        let bytes = STANDARD_NO_PAD.decode(sealed).map_err(|_| Unreadable::Damaged)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(Unreadable::Damaged)?;
        let words = key.cipher.decrypt(&XNonce::from(*nonce), sealed).map_err(|_| Unreadable::Damaged)?;
        String::from_utf8(words).map_err(|_| Unreadable::Damaged)
    }

    /// Gives a connection the functions `seal` and `words`.
    pub(super) fn teach(&self, connection: &rusqlite::Connection) -> rusqlite::Result<()> {
        type Turn = fn(&Keys, &str) -> Result<String, Unreadable>;
        let functions: [(&str, FunctionFlags, Turn); 2] = [
            ("seal", FunctionFlags::SQLITE_UTF8, Self::seal),
            ("words", FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC, Self::open),
        ];
        for (name, flags, turn) in functions {
            let keys = self.clone();
            connection.create_scalar_function(name, 1, flags, move |context| match context.get_raw(0) {
                ValueRef::Null => Ok(None),
                value => match turn(&keys, value.as_str()?) {
                    Ok(text) => Ok(Some(text)),
                    Err(error) => Err(rusqlite::Error::UserFunctionError(error.into())),
                },
            })?;
        }
        Ok(())
    }

    /// Looks whether all that is sealed in the store can be opened.
    ///
    /// # Errors
    /// Words are sealed with a key that was not given ([`StoreError::Sealed`]).
    pub(super) fn check(&self, connection: &Connection) -> Result<(), StoreError> {
        for name in used_keys(connection)?.into_iter().filter(|name| self.0.iter().all(|key| key.name != *name)) {
            if is_used(connection, &name)? {
                return Err(StoreError::Sealed { key: name, is_any_given: self.seals() });
            }
        }
        Ok(())
    }

    /// Notes the key that seals from now on, and forgets those that nothing is sealed with any more.
    pub(super) fn note(&self, connection: &Connection) -> Result<(), StoreError> {
        self.check(connection)?;
        for key in self.0.iter().take(1) {
            connection.execute("INSERT INTO sealing_keys (name) VALUES (?) ON CONFLICT DO NOTHING", [&key.name])?;
        }
        for name in used_keys(connection)?.iter().filter(|name| self.0.iter().all(|key| key.name != **name)) {
            connection.execute("DELETE FROM sealing_keys WHERE name = ?", [name])?;
        }
        Ok(())
    }
}

fn used_keys(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut used = connection.prepare("SELECT name FROM sealing_keys")?;
    let used = used.query_map([], |row| row.get(0))?;
    Ok(used.collect::<Result<_, _>>()?)
}

/// Whether anything is sealed with the key of that name.
fn is_used(connection: &Connection, name: &str) -> Result<bool, StoreError> {
    for (table, column) in COLUMNS {
        let length = NAME_CHARS + 1;
        let sealed = format!("SELECT 1 FROM {table} WHERE substr({column}, 1, {length}) = ? LIMIT 1");
        if connection.query_row(&sealed, [format!("{MARK}{name}")], |_| Ok(())).optional()?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Why a sealed value cannot be read.
#[derive(Debug)]
pub(super) enum Unreadable {
    NoKey(String),
    Damaged,
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoKey(name) => write!(f, "没有密钥 {name} / the key {name} is missing"),
            Self::Damaged => f.write_str("密文已损坏 / sealed words are damaged"),
        }
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::*;
    use crate::server::config::{Secret, SecretSource};
    use crate::server::store::Store;

    fn privacy(keys: &[&str]) -> Privacy {
        let source = |key: &&str| SecretSource::Plain(Secret::new(key.repeat(32)));
        let mut keys = keys.iter().map(source);
        Privacy { key: keys.next(), old_keys: keys.collect(), ..Privacy::default() }
    }

    #[test]
    fn what_is_sealed_is_read_with_its_key_only() {
        let [old, both, new, none] =
            [&["a"][..], &["b", "a"], &["b"], &[]].map(|keys| Keys::read(&privacy(keys)).unwrap());
        let sealed = old.seal("电话13912345678").unwrap();
        assert!(!sealed.contains("139") && sealed != old.seal("电话13912345678").unwrap(), "a nonce a value");
        assert_eq!(both.open(&sealed).unwrap(), "电话13912345678");
        for keys in [&new, &none] {
            assert!(keys.open(&sealed).is_err_and(|error| error.to_string().contains(&old.0[0].name)));
        }
        for at in 1..sealed.len() {
            let mut damaged = sealed.clone().into_bytes();
            damaged[at] ^= 1;
            assert!(old.open(&String::from_utf8(damaged).unwrap()).is_err(), "{at}");
        }
        // What was kept before there was a key.
        assert_eq!(new.open(r#"{"text":"好"}"#).unwrap(), r#"{"text":"好"}"#);
    }

    #[test]
    fn a_store_opens_with_every_key_that_is_in_use() {
        let directory = TempDir::new().unwrap();
        let open = |keys: &[&str]| Store::open(directory.path(), &privacy(keys));
        drop(open(&[]).unwrap());
        drop(open(&["a"]).unwrap());
        let write = |keys: &[&str]| {
            let connection = Connection::open(directory.path().join("tingjian.db")).unwrap();
            Keys::read(&privacy(keys)).unwrap().teach(&connection).unwrap();
            connection.execute("INSERT INTO events SELECT 1, 1 + count(*), 0, seal('{}') FROM events", []).unwrap();
        };
        // A key that sealed nothing yet may be forgotten.
        drop(open(&["c"]).unwrap());
        write(&["c"]);
        for (keys, hint) in [(&[][..], "[privacy] key"), (&["d"], "old_keys")] {
            let refusal = open(keys).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(refusal.contains(hint), "{refusal}");
        }
        drop(open(&["d", "c"]).unwrap());
        write(&["d", "c"]);
        drop(open(&["c", "d"]).unwrap());
        assert!(open(&["c"]).is_err() && open(&["d"]).is_err());
        assert!(
            Keys::read(&Privacy { key: Some(SecretSource::Plain(Secret::new("short".into()))), ..Privacy::default() })
                .is_err()
        );
    }
}

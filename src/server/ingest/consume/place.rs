//! Where in a message a word stands.

use std::borrow::Cow;
use std::cell::OnceCell;

use serde_json::Value;

use crate::server::config::Place;

/// The parts of a message in which words are looked for.
pub(super) struct Found<'a> {
    subject: &'a str,
    key: Option<&'a [u8]>,
    headers: &'a [(String, String)],
    text: &'a str,
    /// Read when the first field is asked for.
    json: OnceCell<Value>,
}

impl<'a> Found<'a> {
    pub(super) const fn new(
        subject: &'a str,
        key: Option<&'a [u8]>,
        headers: &'a [(String, String)],
        text: &'a str,
    ) -> Self {
        Self { subject, key, headers, text, json: OnceCell::new() }
    }

    /// The word at `place`; `None` if there is nothing, or nothing that is a word.
    pub(super) fn at(&self, place: &Place) -> Option<String> {
        let word = match place {
            Place::Word(word) => Cow::Borrowed(word.as_str()),
            Place::Token(index) => Cow::Borrowed(self.subject.split('.').nth(index.checked_sub(1)?)?),
            Place::Header(wanted) => {
                let mut headers = self.headers.iter();
                Cow::Borrowed(headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted))?.1.as_str())
            }
            Place::Key => Cow::Borrowed(str::from_utf8(self.key?).ok()?),
            Place::Field(path) => {
                let json = self.json.get_or_init(|| serde_json::from_str(self.text).unwrap_or_default());
                match path.iter().try_fold(json, |value, name| value.get(name))? {
                    Value::String(word) => Cow::Borrowed(word.as_str()),
                    Value::Number(number) => Cow::Owned(number.to_string()),
                    _ => return None,
                }
            }
        };
        (!word.is_empty()).then(|| word.into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_where_it_stands_or_not_at_all() {
        let headers = [("Call-Id".to_owned(), "c2".to_owned())];
        let text = r#"{"session":{"id":"c3","no":7,"on":true,"none":""}}"#;
        let found = Found::new("asr.c1.agent", Some(b"c4"), &headers, text);
        let place = |text: &str| serde_json::from_value::<Place>(Value::from(text)).unwrap();
        for (written, expected) in [
            ("subject:2", Some("c1")),
            ("subject:4", None),
            ("header:call-id", Some("c2")),
            ("header:other", None),
            ("key", Some("c4")),
            ("field:session.id", Some("c3")),
            ("field:session.no", Some("7")),
            ("field:session.on", None),
            ("field:session.none", None),
            ("field:session", None),
            ("field:other.id", None),
            ("agent", Some("agent")),
            ("坐席:7", Some("坐席:7")),
        ] {
            assert_eq!(place(written).to_string(), written);
            assert_eq!(found.at(&place(written)).as_deref(), expected, "{written}");
        }
        let broken = Found::new("", Some(b"\xff"), &[], "no json");
        assert_eq!((broken.at(&Place::Key), broken.at(&place("field:a"))), (None, None));
    }
}

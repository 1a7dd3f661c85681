//! Texts as YAML writes them, the other way round from `parse`.

/// Words that YAML does not read as text.
const NOT_TEXT: &[&str] = &["null", "true", "false", "yes", "no", "on", "off"];

/// `text` as a YAML scalar on one line: without quotes where it reads the same, with them otherwise.
#[must_use]
pub fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// `text` in quotes: single ones where that spares a regular expression its doubled backslashes.
#[must_use]
pub fn quoted(text: &str) -> String {
    if text.contains('\\') && !text.contains('\'') && !text.chars().any(char::is_control) {
        return format!("'{text}'");
    }
    let mut result = String::with_capacity(text.len() + 2);
    result.push('"');
    for c in text.chars() {
        match c {
            '"' => result.push_str("\\\""),
            '\\' => result.push_str("\\\\"),
            '\n' => result.push_str("\\n"),
            '\t' => result.push_str("\\t"),
            // What YAML takes for a line break or does not allow in a file.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                result.push_str(&format!("\\U{:08x}", u32::from(c)));
            }
            c => result.push(c),
        }
    }
    result.push('"');
    result
}

/// Whether `text` means itself without quotes, to YAML and to somebody who reads it.
fn is_plain(text: &str) -> bool {
    // Full-width colons and quotes are taken for slips of the input method.
    let harmless = |c: char| c.is_alphanumeric() || "_-./%()|，。！？；、…（）《》 ".contains(c);
    let first = text.chars().next();
    first.is_some_and(|c| c.is_alphabetic() || "(（《".contains(c))
        && !text.ends_with(' ')
        && text.chars().all(harmless)
        && !text.contains(" -")
        && !NOT_TEXT.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rule::parse::{SourceFile, parse};

    #[test]
    fn quotes_stand_where_they_are_needed() {
        for plain in ["不知道", "你找我没用，要解决就去找领导", "(帮|给)您", "a.b-c"] {
            assert_eq!(scalar(plain), plain);
        }
        for (text, written) in [
            ("我是{number}号", "\"我是{number}号\""),
            ("3", "\"3\""),
            ("No", "\"No\""),
            ("", "\"\""),
            ("他说：“好”", "\"他说：“好”\""),
            (r"/\d+号/", r"'/\d+号/'"),
            ("a\"b\\'c\n", r#""a\"b\\'c\n""#),
            ("- 好", "\"- 好\""),
        ] {
            assert_eq!(scalar(text), written);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(text in "\\PC{0,6}|[\\x00-\\x20:#'\"\\\\{},&*!|>%@`“”：，\u{85}\u{2028}\u{feff}a好-]{1,8}") {
            prop_assume!(!text.trim().is_empty());
            let file = |text: &str| SourceFile { name: "t.yaml".to_owned(), text: text.to_owned() };
            let written = format!(
                "pack: t\ntitle: {}\nrules:\n  - id: t.a\n    name: a\n    message: a\n    event: {{ hangup_by: agent }}\n",
                scalar(&text).replace("${", "$ {"),
            );
            let (packs, faults) = parse(&[file(&written)]);
            prop_assert_eq!(faults, []);
            prop_assert_eq!(&packs[0].title, &text.replace("${", "$ {"));
        }
    }
}

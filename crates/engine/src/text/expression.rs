//! Phrases written as regular expressions.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Literal};

use super::chars::TABLE;
use super::fold::fold;
use super::phrase::{Parsed, PhraseError};

/// Folds an expression and looks for the text that each of its matches contains.
pub(super) fn parse(pattern: &str) -> Result<Parsed, PhraseError> {
    let hir = regex_syntax::Parser::new().parse(pattern).map_err(|error| {
        let at = match &error {
            regex_syntax::Error::Parse(error) => error.span().start.offset,
            regex_syntax::Error::Translate(error) => error.span().start.offset,
            _ => 0,
        };
        let at = 1 + pattern.get(..at).map_or(0, |before| before.chars().count());
        PhraseError::new(at, "正则表达式有误", format!("the regular expression is malformed: {}", first_line(&error)))
    })?;
    let hir = fold_hir(hir);
    let literal = mandatory(&hir).unwrap_or_default();
    if literal.len() < 2 {
        return Err(PhraseError::new(
            0,
            "正则表达式必须含有一段固定的、至少两个字的文字",
            "a regular expression must contain a fixed text of at least two characters in each of its matches",
        ));
    }
    Ok(Parsed::Regex { pattern: hir.to_string(), literal })
}

/// The message of a regular expression's error, without the drawing around it.
fn first_line(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        _ => error.to_string(),
    }
}

/// The expression with its literals and single characters folded, as the text will be.
fn fold_hir(hir: Hir) -> Hir {
    match hir.into_kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(Literal(bytes)) => {
            let folded: String = fold(&String::from_utf8_lossy(&bytes)).chars().iter().collect();
            Hir::literal(folded.into_bytes())
        }
        HirKind::Class(Class::Unicode(mut class)) => {
            let folded: Vec<_> = class
                .iter()
                .filter(|range| range.end() as u32 - range.start() as u32 <= u32::from(u8::MAX))
                .flat_map(|range| range.start()..=range.end())
                .map(|c| TABLE.symbol(c).folded)
                .map(|c| ClassUnicodeRange::new(c, c))
                .collect();
            class.union(&ClassUnicode::new(folded));
            Hir::class(Class::Unicode(class))
        }
        HirKind::Class(class) => Hir::class(class),
        HirKind::Look(look) => Hir::look(look),
        HirKind::Repetition(mut repetition) => {
            *repetition.sub = fold_hir(*repetition.sub);
            Hir::repetition(repetition)
        }
        HirKind::Capture(mut capture) => {
            *capture.sub = fold_hir(*capture.sub);
            Hir::capture(capture)
        }
        HirKind::Concat(parts) => Hir::concat(parts.into_iter().map(fold_hir).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.into_iter().map(fold_hir).collect()),
    }
}

/// The longest text that each match must contain.
fn mandatory(hir: &Hir) -> Option<Vec<char>> {
    match hir.kind() {
        HirKind::Literal(Literal(bytes)) => Some(std::str::from_utf8(bytes).ok()?.chars().collect()),
        HirKind::Capture(capture) => mandatory(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => mandatory(&repetition.sub),
        HirKind::Concat(parts) => parts.iter().filter_map(mandatory).max_by_key(Vec::len),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_expressions() {
        for (text, pattern, literal) in
            [("/不(?:太)?知道[吧啊]*/", "不(?:太)?知道", "知道"), ("/二十四小時.{0,3}內/", "24小时", "24小时")]
        {
            let Ok(Parsed::Regex { pattern: parsed, literal: found }) = parse(text) else { panic!("{text}") };
            assert!(regex::Regex::new(&parsed).is_ok(), "{parsed}");
            assert_eq!(found.iter().collect::<String>(), literal, "{pattern}");
        }
    }
}

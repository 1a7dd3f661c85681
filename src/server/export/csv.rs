//! CSV as Excel opens it right: UTF-8 with a byte-order mark, lines that end
//! in CR LF, and no cell that a spreadsheet would compute.

use std::borrow::Cow;
use std::io::{self, Write};

use chrono::FixedOffset;

use crate::server::clock::wall_time;
use crate::server::export::Sink;
use crate::server::export::row::{Cell, Head};

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

pub(super) struct Csv<W: Write> {
    out: csv::Writer<W>,
    zone: FixedOffset,
}

impl<W: Write> Csv<W> {
    /// Writes the head.
    pub(super) fn new(mut out: W, zone: FixedOffset, heads: &[Head]) -> io::Result<Self> {
        out.write_all(BYTE_ORDER_MARK)?;
        let mut out = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        out.write_record(heads.iter().map(|head| head.name))?;
        Ok(Self { out, zone })
    }
}

impl<W: Write> Sink for Csv<W> {
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        for cell in cells {
            match cell {
                Cell::Text(text) => self.out.write_field(harmless(text).as_bytes())?,
                Cell::Number(number) => self.out.write_field(number.to_string())?,
                Cell::Decimal(number) => self.out.write_field(number.to_string())?,
                Cell::Time(ms) => self.out.write_field(wall_time(*ms, self.zone).unwrap_or_default())?,
                Cell::Empty => self.out.write_field("")?,
            }
        }
        Ok(self.out.write_record(None::<&[u8]>)?)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

/// `text` behind a `'` where a spreadsheet would take it for a formula.
fn harmless(text: &str) -> Cow<'_, str> {
    // A spreadsheet may see through what is blank.
    let is_blank = |c: &char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}');
    let is_control_first = text.starts_with(['\t', '\r', '\n']);
    match text.chars().find(|c| !is_blank(c)) {
        _ if is_control_first => Cow::Owned(format!("'{text}")),
        Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠') => Cow::Owned(format!("'{text}")),
        _ => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_formula_is_made_harmless() {
        for (text, expected) in [
            ("=HYPERLINK(\"http://x\")", "'=HYPERLINK(\"http://x\")"),
            ("+8613800000000", "'+8613800000000"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("＝1+1", "'＝1+1"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            (" =1", "' =1"),
            ("\u{a0}=1", "'\u{a0}=1"),
            ("\u{3000}+1", "'\u{3000}+1"),
            ("\u{feff}=1", "'\u{feff}=1"),
            ("\u{200b}\u{feff} @x", "'\u{200b}\u{feff} @x"),
            (" 您好", " 您好"),
            ("1=1", "1=1"),
            ("您好", "您好"),
            ("", ""),
        ] {
            assert_eq!(harmless(text), expected);
        }
    }
}

//! The lines of a file or of standard input, one at a time and of bounded length.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use tingjian::adapter::native;

/// One line, with room for the longest event, or a labelled dialogue.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// A file that is read line by line.
pub(crate) struct Lines {
    name: String,
    reader: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    number: u64,
    broken: bool,
    /// The line that was read is still to be given.
    is_peeked: bool,
    /// No line had anything in it yet.
    is_empty: bool,
}

impl Lines {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// The file and why it cannot be opened, ready to print.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let (name, reader): (String, Box<dyn BufRead + Send>) = if path == Path::new("-") {
            ("<stdin>".to_owned(), Box::new(BufReader::new(io::stdin())))
        } else {
            let name = path.display().to_string();
            match File::open(path) {
                Ok(file) => (name, Box::new(BufReader::with_capacity(64 * 1024, file))),
                Err(error) => return Err(format!("{name}: 无法打开 / cannot open: {error}")),
            }
        };
        Ok(Self { name, reader, line: Vec::new(), number: 0, broken: false, is_peeked: false, is_empty: true })
    }

    /// A file that may as well hold nothing.
    pub(crate) const fn or_nothing(mut self) -> Self {
        self.is_empty = false;
        self
    }

    /// The next line that is not empty; of a file without any, one fault: most often what should
    /// have written it has failed. After a line that is no text come the next ones; after a
    /// failure to read, nothing.
    pub(crate) fn next_line(&mut self) -> Option<Result<&str, String>> {
        if std::mem::take(&mut self.is_peeked) {
            return Some(self.text());
        }
        loop {
            if self.broken {
                return None;
            }
            self.number += 1;
            match read_line(&mut self.reader, &mut self.line) {
                Ok(Line::End) if self.is_empty => {
                    (self.broken, self.number) = (true, 1);
                    return Some(Err("是空的，没有任何内容 / is empty: there is nothing in it".to_owned()));
                }
                Ok(Line::End) => return None,
                Ok(Line::TooLong) => {
                    self.is_empty = false;
                    return Some(Err(format!(
                        "超过 {LINE_BYTES_MAX} 字节，已跳过 / longer than {LINE_BYTES_MAX} bytes, skipped"
                    )));
                }
                Err(error) => {
                    self.broken = true;
                    return Some(Err(format!("无法读取 / cannot read: {error}")));
                }
                Ok(Line::Whole) if std::str::from_utf8(&self.line).is_ok_and(|line| native::bare(line).is_empty()) => {}
                Ok(Line::Whole) => break,
            }
        }
        self.is_empty = false;
        Some(self.text())
    }

    /// The next line, if there is a whole one; [`Self::next_line`] gives it again.
    pub(crate) fn peek(&mut self) -> Result<Option<&str>, String> {
        match self.next_line().map(|line| line.map(|_| ())) {
            None => return Ok(None),
            Some(Err(fault)) => return Err(fault),
            Some(Ok(())) => {}
        }
        self.is_peeked = true;
        self.text().map(Some)
    }

    fn text(&self) -> Result<&str, String> {
        let text = std::str::from_utf8(&self.line).map(native::bare);
        text.map_err(|error| format!("第 {0} 字节起不是 UTF-8 / not UTF-8 from byte {0}", error.valid_up_to() + 1))
    }

    /// Bytes of the line that was read last.
    pub(crate) fn line_bytes(&self) -> usize {
        self.line.len() + 1
    }

    /// The name of the file.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The number of the line that was read last, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

/// The result of [`read_line`].
enum Line {
    Whole,
    TooLong,
    End,
}

/// Reads one line into `line`, without its end, and never more than
/// [`LINE_BYTES_MAX`] of it; the rest of a longer one is passed over.
fn read_line(reader: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let mut too_long = false;
    let mut any = false;
    loop {
        let buffer = match reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            buffer => buffer?,
        };
        if buffer.is_empty() {
            return Ok(if too_long {
                Line::TooLong
            } else if any {
                Line::Whole
            } else {
                Line::End
            });
        }
        any = true;
        let newline = buffer.iter().position(|byte| *byte == b'\n');
        let part = &buffer[..newline.unwrap_or(buffer.len())];
        too_long |= line.len() + part.len() > LINE_BYTES_MAX;
        if !too_long {
            line.extend_from_slice(part);
        }
        let used = newline.map_or(buffer.len(), |newline| newline + 1);
        reader.consume(used);
        if newline.is_some() {
            return Ok(if too_long { Line::TooLong } else { Line::Whole });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<Option<usize>> {
        // A buffer smaller than the lines, so that they come in parts.
        let mut reader = BufReader::with_capacity(7, text);
        let mut line = Vec::new();
        let mut found = Vec::new();
        loop {
            match read_line(&mut reader, &mut line).unwrap() {
                Line::End => return found,
                Line::Whole => found.push(Some(line.len())),
                Line::TooLong => found.push(None),
            }
        }
    }

    #[test]
    fn lines_are_read_whole_with_and_without_a_last_newline() {
        assert_eq!(lines(b"abcdefghij\n\nxy"), [Some(10), Some(0), Some(2)]);
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"x\n"), [Some(1)]);
    }

    #[test]
    fn a_line_too_long_is_passed_over() {
        let mut text = vec![b'a'; LINE_BYTES_MAX + 1];
        text.extend_from_slice(b"\nb\n");
        assert_eq!(lines(&text), [None, Some(1)]);
    }
}

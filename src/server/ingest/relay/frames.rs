//! The frames of a WebSocket, read beside a stream of bytes that goes on whatever is in it.

use tokio_tungstenite::tungstenite::{Bytes, Utf8Bytes};

/// Flags and opcodes of RFC 6455.
const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CONTROL: u8 = 8;
const CLOSE: u8 = 8;

/// One message of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Text(Utf8Bytes),
    Binary(Bytes),
    /// It cannot be read, and why.
    Unreadable(&'static str),
}

/// The place in a stream of frames.
#[derive(Debug)]
pub(super) struct Frames {
    /// The longest message that is kept.
    bytes_max: usize,
    /// Whether binary messages are.
    keeps_binary: bool,
    is_binary: bool,
    /// The bytes of the next frame's head that have arrived.
    head: Vec<u8>,
    /// The first byte of the frame under way, and the payload still to come.
    first: u8,
    left: u64,
    /// The message under way.
    message: Vec<u8>,
    unreadable: Option<&'static str>,
    closed: bool,
}

impl Frames {
    pub(super) fn new(bytes_max: usize) -> Self {
        let (head, message) = (Vec::new(), Vec::new());
        Self {
            bytes_max,
            keeps_binary: false,
            is_binary: false,
            head,
            first: 0,
            left: 0,
            message,
            unreadable: None,
            closed: false,
        }
    }

    /// Binary messages are results, too.
    pub(super) fn with_binary(self, keeps_binary: bool) -> Self {
        Self { keeps_binary, ..self }
    }

    /// Whether a frame may follow: none is under way, and no close was sent.
    pub(super) const fn takes_frame(&self) -> bool {
        self.head.is_empty() && self.left == 0 && !self.closed
    }

    /// Reads what comes next, and tells of each message that is complete.
    pub(super) fn read(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Heard)) {
        while let Some((&next, rest)) = bytes.split_first() {
            if self.left == 0 {
                self.head.push(next);
                bytes = rest;
                if self.begin() && self.left == 0 {
                    self.end(&mut tell);
                }
                continue;
            }
            let count = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            let (payload, rest) = bytes.split_at(count);
            self.keep(payload);
            self.left -= count as u64;
            bytes = rest;
            if self.left == 0 {
                self.end(&mut tell);
            }
        }
    }

    fn is_control(&self) -> bool {
        self.first & OPCODE >= CONTROL
    }

    /// Begins a frame once its head is complete.
    fn begin(&mut self) -> bool {
        let [first, second, more @ ..] = self.head.as_slice() else { return false };
        let extended = match second & LENGTH {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if second & MASKED == 0 { 0 } else { 4 };
        if more.len() < extended + mask {
            return false;
        }
        let long = more[..extended].iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
        (self.first, self.left) = (*first, if extended == 0 { u64::from(second & LENGTH) } else { long });
        if !self.is_control() {
            match self.first & OPCODE {
                _ if mask != 0 || self.first & RESERVED != 0 => self.unreadable = Some("against_protocol"),
                CONTINUATION => {}
                TEXT => self.is_binary = false,
                BINARY if self.keeps_binary => self.is_binary = true,
                _ => self.unreadable = Some("binary_frame"),
            }
        }
        self.head.clear();
        true
    }

    fn keep(&mut self, payload: &[u8]) {
        if self.is_control() || self.unreadable.is_some() {
            return;
        }
        if self.message.len() + payload.len() > self.bytes_max {
            self.unreadable = Some("frame_too_large");
            self.message = Vec::new();
            return;
        }
        self.message.extend_from_slice(payload);
    }

    fn end(&mut self, tell: &mut impl FnMut(Heard)) {
        if self.is_control() {
            self.closed |= self.first & OPCODE == CLOSE;
            return;
        }
        if self.first & FINAL == 0 {
            return;
        }
        let message = Bytes::from(std::mem::take(&mut self.message));
        tell(match self.unreadable.take() {
            Some(why) => Heard::Unreadable(why),
            None if self.is_binary => Heard::Binary(message),
            None => Utf8Bytes::try_from(message).map_or(Heard::Unreadable("not_utf8"), Heard::Text),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let length = match payload.len() {
            short @ ..126 => vec![short as u8],
            long @ ..0x1_0000 => [vec![126], (long as u16).to_be_bytes().to_vec()].concat(),
            long => [vec![127], (long as u64).to_be_bytes().to_vec()].concat(),
        };
        [vec![first], length, payload.to_vec()].concat()
    }

    fn text(words: &str) -> Heard {
        Heard::Text(words.into())
    }

    #[test]
    fn messages_are_read_wherever_the_stream_is_cut() {
        let long = "好".repeat(30_000);
        let stream = [
            frame(FINAL | TEXT, "您好".as_bytes()),
            frame(TEXT, "不".as_bytes()),
            frame(FINAL | 9, b"still there?"),
            frame(FINAL, "知道".as_bytes()),
            frame(FINAL | TEXT, &[b'x'; 200]),
            frame(FINAL | 2, &[0; 300]),
            frame(FINAL | TEXT, long.as_bytes()),
            frame(FINAL | TEXT, &[b'y'; 201]),
            frame(FINAL | TEXT, &[0xff]),
            frame(FINAL | 0x40 | TEXT, b"compressed"),
            frame(FINAL | TEXT, b""),
        ];
        let expected = [
            text("您好"),
            text("不知道"),
            text(&"x".repeat(200)),
            Heard::Unreadable("binary_frame"),
            Heard::Unreadable("frame_too_large"),
            Heard::Unreadable("frame_too_large"),
            Heard::Unreadable("not_utf8"),
            Heard::Unreadable("against_protocol"),
            text(""),
        ];
        for step in [1, 2, 3, 7, 1_000, usize::MAX] {
            let mut frames = Frames::new(200);
            let mut heard = Vec::new();
            for piece in stream.concat().chunks(step) {
                frames.read(piece, |message| heard.push(message));
            }
            assert_eq!(heard, expected, "{step}");
            assert!(frames.takes_frame(), "{step}");
        }
    }

    #[test]
    fn binary_messages_are_kept_where_they_are_results() {
        let stream =
            [frame(2, &[0xff, 1]), frame(FINAL, &[2]), frame(FINAL | TEXT, b"x"), frame(FINAL | 2, &[0; 300])].concat();
        let mut heard = Vec::new();
        let mut frames = Frames::new(200).with_binary(true);
        stream.chunks(1).for_each(|piece| frames.read(piece, |message| heard.push(message)));
        let binary = Heard::Binary(Bytes::from_static(&[0xff, 1, 2]));
        assert_eq!(heard, [binary, text("x"), Heard::Unreadable("frame_too_large")]);
    }

    #[test]
    fn nothing_goes_between_the_bytes_of_a_frame_or_behind_a_close() {
        let mut frames = Frames::new(200);
        let close = frame(FINAL | CLOSE, &4_001_u16.to_be_bytes());
        let takes: Vec<bool> = close
            .iter()
            .map(|byte| {
                let takes = frames.takes_frame();
                frames.read(&[*byte], |message| panic!("{message:?}"));
                takes
            })
            .collect();
        assert_eq!(takes, [true, false, false, false]);
        assert!(!frames.takes_frame());
    }
}

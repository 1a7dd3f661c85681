//! Results that recognisers send as binary frames: what is JSON in them, as their adapters read it.
//!
//! Volcengine: a head of 4-byte words, a sequence and an event where the flags say so, the length and the
//! payload, which may be gzip. AWS: its event stream, messages of headers and a payload. Checksums are not
//! looked at: the stream underneath has its own.

use std::io::Read as _;

use flate2::read::GzDecoder;
use serde_json::json;

use crate::adapter::Format;

/// Why a frame cannot be read.
type Fault = &'static str;

const FRAME: Fault = "binary_frame";
const TOO_LARGE: Fault = "frame_too_large";
const NOT_UTF8: Fault = "not_utf8";

/// Whether results of that format come in binary frames.
pub(super) const fn comes_in(format: Format) -> bool {
    matches!(format, Format::Volcengine | Format::Aws)
}

/// The messages of a binary frame, none of them longer than `bytes_max`.
///
/// # Errors
/// It is not as the recogniser writes it, or unpacks to more.
pub(super) fn messages(format: Format, frame: &[u8], bytes_max: usize) -> Result<Vec<String>, Fault> {
    match format {
        Format::Volcengine => volcengine(frame, bytes_max).map(|message| message.into_iter().collect()),
        Format::Aws => aws(frame),
        _ => Err(FRAME),
    }
}

/// The next `count` bytes.
fn take<'b>(bytes: &mut &'b [u8], count: usize) -> Result<&'b [u8], Fault> {
    let (taken, rest) = bytes.split_at_checked(count).ok_or(FRAME)?;
    *bytes = rest;
    Ok(taken)
}

fn number(bytes: &mut &[u8]) -> Result<u32, Fault> {
    let bytes = take(bytes, 4)?;
    Ok(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

fn length(bytes: &mut &[u8]) -> Result<usize, Fault> {
    number(bytes).and_then(|length| usize::try_from(length).map_err(|_| FRAME))
}

/// Kinds of Volcengine's frames: results, what acknowledges audio, errors.
const RESULTS: u8 = 0b1001;
const ACKNOWLEDGEMENT: u8 = 0b1011;
const ERROR: u8 = 0b1111;
const HAS_SEQUENCE: u8 = 0b0001;
const HAS_EVENT: u8 = 0b0100;
const GZIP: u8 = 0b0001;
const UNCOMPRESSED: u8 = 0;

fn volcengine(frame: &[u8], bytes_max: usize) -> Result<Option<String>, Fault> {
    let [first, kind, written, ..] = *frame else { return Err(FRAME) };
    let mut rest = frame;
    take(&mut rest, usize::from(first & 0x0f) * 4)?;
    let (kind, flags, compression) = (kind >> 4, kind & 0x0f, written & 0x0f);
    if flags & HAS_SEQUENCE != 0 || kind == ACKNOWLEDGEMENT {
        take(&mut rest, 4)?;
    }
    if flags & HAS_EVENT != 0 {
        take(&mut rest, 4)?;
    }
    let code = if kind == ERROR { Some(number(&mut rest)?) } else { None };
    match kind {
        ACKNOWLEDGEMENT if rest.is_empty() => return Ok(None),
        RESULTS | ACKNOWLEDGEMENT | ERROR => {}
        _ => return Err(FRAME),
    }
    let length = length(&mut rest)?;
    let payload = take(&mut rest, length)?;
    let mut text = String::new();
    match compression {
        UNCOMPRESSED => text.push_str(std::str::from_utf8(payload).map_err(|_| NOT_UTF8)?),
        GZIP => {
            let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
            let mut unpacked = Vec::new();
            GzDecoder::new(payload).take(most).read_to_end(&mut unpacked).map_err(|_| FRAME)?;
            if unpacked.len() > bytes_max {
                return Err(TOO_LARGE);
            }
            text = String::from_utf8(unpacked).map_err(|_| NOT_UTF8)?;
        }
        _ => return Err(FRAME),
    }
    Ok(match code {
        Some(code) => Some(json!({"code": code, "error": text}).to_string()),
        None if text.is_empty() => None,
        None => Some(text),
    })
}

/// Bytes around headers and payload of an AWS message: two lengths and a checksum before, a checksum behind.
const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;

fn aws(mut frame: &[u8]) -> Result<Vec<String>, Fault> {
    let mut messages = Vec::new();
    while !frame.is_empty() {
        let whole = length(&mut &*frame)?;
        let mut message = take(&mut frame, whole)?;
        let mut prelude = take(&mut message, PRELUDE)?;
        take(&mut prelude, 4)?;
        let headers = length(&mut prelude)?;
        let mut headers = take(&mut message, headers)?;
        let payload = message.len().checked_sub(CHECKSUM).ok_or(FRAME)?;
        let payload = std::str::from_utf8(&message[..payload]).map_err(|_| NOT_UTF8)?;
        let (mut event, mut exception) = (None, None);
        while !headers.is_empty() {
            match header(&mut headers)? {
                (":event-type", Some(value)) => event = Some(value),
                (":exception-type" | ":error-code", Some(value)) => exception = Some(value),
                _ => {}
            }
        }
        messages.extend(match (event, exception) {
            (_, Some(exception)) => {
                Some(json!({ format!("{}Exception", exception.trim_end_matches("Exception")): payload }).to_string())
            }
            // The payload is JSON already.
            (Some(event), None) if !payload.is_empty() => Some(format!("{{{}:{payload}}}", json!(event))),
            _ => None,
        });
    }
    Ok(messages)
}

/// A length of one byte, and of two.
fn short(bytes: &mut &[u8]) -> Result<usize, Fault> {
    Ok(usize::from(take(bytes, 1)?[0]))
}

fn long(bytes: &mut &[u8]) -> Result<usize, Fault> {
    Ok(take(bytes, 2)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
}

/// The name of a header, and its value if that is text.
fn header<'b>(bytes: &mut &'b [u8]) -> Result<(&'b str, Option<&'b str>), Fault> {
    let text = |bytes: &'b [u8]| std::str::from_utf8(bytes).map_err(|_| NOT_UTF8);
    let name = short(bytes)?;
    let name = text(take(bytes, name)?)?;
    let count = match short(bytes)? {
        // True and false; numbers by their sizes; bytes and text with their lengths; a time; a UUID.
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        4 => 4,
        5 | 8 => 8,
        6 => long(bytes)?,
        7 => {
            let count = long(bytes)?;
            return Ok((name, Some(text(take(bytes, count)?)?)));
        }
        9 => 16,
        _ => return Err(FRAME),
    };
    take(bytes, count)?;
    Ok((name, None))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn framed(head: [u8; 4], before: &[u8], payload: &[u8]) -> Vec<u8> {
        [&head[..], before, &u32::try_from(payload.len()).unwrap().to_be_bytes(), payload].concat()
    }

    fn message(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
        let of = |(name, value): &(&str, &str)| {
            let length = u16::try_from(value.len()).unwrap().to_be_bytes();
            [&[name.len() as u8][..], name.as_bytes(), &[7], &length, value.as_bytes()].concat()
        };
        // A header that is no text stands before them.
        let headers = [vec![1, b'n', 4, 0, 0, 0, 7], headers.iter().flat_map(of).collect()].concat();
        let whole = PRELUDE + headers.len() + payload.len() + CHECKSUM;
        let lengths = [whole, headers.len()].map(|length| u32::try_from(length).unwrap().to_be_bytes());
        [&lengths.concat()[..], &[0; 4], &headers, payload.as_bytes(), &[0; 4]].concat()
    }

    #[test]
    fn frames_of_volcengine_are_read() {
        let json = r#"{"result":{"text":"您好"}}"#;
        let packed = gzip(json.as_bytes());
        let read = |frame: &[u8]| messages(Format::Volcengine, frame, 1_000);
        for frame in [
            framed([0x11, 0x90, 0x10, 0], &[], json.as_bytes()),
            framed([0x11, 0x90, 0x11, 0], &[], &packed),
            framed([0x11, 0x91, 0x11, 0], &[0, 0, 0, 2], &packed),
            framed([0x11, 0x93, 0x11, 0], &[0xff, 0xff, 0xff, 0xfe], &packed),
            framed([0x11, 0x95, 0x11, 0], &[0, 0, 0, 2, 0, 0, 0, 9], &packed),
            framed([0x12, 0x90, 0x11, 0], &[0; 4], &packed),
        ] {
            assert_eq!(read(&frame), Ok(vec![json.to_owned()]));
            for cut in 0..frame.len() {
                assert!(read(&frame[..cut]).is_err(), "{cut}");
            }
        }
        assert_eq!(read(&[0x11, 0xb0, 0x11, 0, 0, 0, 0, 2]), Ok(vec![]));
        let error = framed([0x11, 0xf0, 0x11, 0], &45_000_001_u32.to_be_bytes(), &gzip("坏了".as_bytes()));
        assert_eq!(read(&error), Ok(vec![r#"{"code":45000001,"error":"坏了"}"#.to_owned()]));
        let bomb = framed([0x11, 0x90, 0x11, 0], &[], &gzip(&vec![b' '; 1_000_000]));
        assert_eq!(read(&bomb), Err(TOO_LARGE));
        assert_eq!(read(&framed([0x11, 0x90, 0x11, 0], &[], b"no gzip")), Err(FRAME));
        assert_eq!(read(&framed([0x11, 0x20, 0x11, 0], &[], b"")), Err(FRAME));
    }

    #[test]
    fn the_event_stream_of_aws_is_read() {
        let read = |frame: &[u8]| messages(Format::Aws, frame, 1_000);
        let event = message(&[(":message-type", "event"), (":event-type", "TranscriptEvent")], r#"{"Transcript":{}}"#);
        let said = r#"{"TranscriptEvent":{"Transcript":{}}}"#.to_owned();
        assert_eq!(read(&event), Ok(vec![said.clone()]));
        assert_eq!(read(&[&event[..], &event].concat()), Ok(vec![said.clone(), said]));
        for cut in 1..event.len() {
            assert!(read(&event[..cut]).is_err(), "{cut}");
        }
        let failed = message(
            &[(":message-type", "exception"), (":exception-type", "BadRequestException")],
            r#"{"Message":"x"}"#,
        );
        assert_eq!(read(&failed), Ok(vec![r#"{"BadRequestException":"{\"Message\":\"x\"}"}"#.to_owned()]));
        assert_eq!(read(&message(&[(":message-type", "event")], "")), Ok(vec![]));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let event = message(&[(":event-type", "TranscriptEvent")], "{}");
        let frame = framed([0x11, 0x91, 0x11, 0], &[0; 4], &gzip(b"{}"));
        for (format, whole) in [(Format::Aws, event), (Format::Volcengine, frame)] {
            for at in 0..whole.len() {
                for byte in [0, 1, 9, 0x7f, 0x80, 0xff] {
                    let mut broken = whole.clone();
                    broken[at] = byte;
                    let _ = messages(format, &broken, 100);
                }
            }
        }
    }
}

//! FunASR's WebSocket servers: the C++ runtime (2pass, offline), the Python
//! server, and the realtime server of Fun-ASR-Nano, as their messages come.
//!
//! | quirk | what is done |
//! |---|---|
//! | `2pass-online` text is a delta, one chunk of some 600 ms | deltas accumulate into one hypothesis |
//! | `2pass-offline` replaces all deltas since the last one | it is the final of the same utterance id |
//! | the last delta may never be sent (the offline text overwrote it) | the final never builds on the deltas |
//! | `is_final` says nothing of the sentence: C++ sends `false` on finals and `true` at the end of the stream, Python `true` on every message while the client speaks | finality comes from `mode` alone; `is_final` counts only without a `mode`, where it is C++'s end of the stream |
//! | the end: C++ `is_final:true`, mostly without text and `mode`; Python `is_end:true`, if the client asked | the open hypothesis becomes final, and again when the connection closes |
//! | `online` alone never sends a final | as above, and a hypothesis of a thousand characters is cut |
//! | a sentence's mark comes at the head of the next text (`，谁知…`) | it goes to the end of the last final, as a correction |
//! | `start` and `end` of -1: only that mark, no audio | the stamp is skipped |
//! | `timestamp` is a string of JSON (C++), an array (Python), or an integer of epoch milliseconds (newer C++, when there is no stamp) | stamps from the string count from the stream, those from the array from the start of the speech segment, the integer is no stamp |
//! | `stamp_sents` is an array or `""` | `""` is no stamp |
//! | newer C++ servers number segments (`index`, from 0) and their slices (`slice_type` 0, 1, 2) | the index is the utterance id; an online slice of another index, or `slice_type` 2 online, leaves the text open until its offline text or the next index |
//! | a server that is restarted behind its forwarder counts stamps and segments from 0 again | a new session, numbered in the id; stamps are checked as `course` says |
//! | deltas have no times at all | they are placed between the last end and the moment they came |
//! | an error comes as text (`ERROR. …`), or as `error` | not words: reported |
//! | the `offline` mode sends one reply for a whole recording | a final with the stamps' times |
//! | `wav_name` is the client's choice, `spk_name` a voiceprint match | ignored: the role is the connection's |
//! | Nano sends all `sentences` again with each message, and the open one as `partial` | their place is their id; a sentence that is the same says nothing |
//! | Nano's `spk` may be changed for all sentences at the end | ignored |
//! | Nano's `event`s | say nothing; `stopped` settles what is open |

use serde::Deserialize;
use serde_json::Value;

use super::course::Course;
use super::native::CALL_MS_MAX;
use super::shape::{self, Number};
use super::stream::{CHARACTER_MS, CHUNK_MS, OPEN_CHARS_MAX, Said, Utterances};
use super::{Adapter, Leg, Unrecognised};
use crate::engine::time::CallTime;
use crate::engine::transcript::{Input, Role, Utterance};

const NAME: &str = "FunASR";

/// The state that the messages of one connection build on.
#[derive(Debug)]
pub struct Funasr {
    leg: Leg,
    course: Course,
    /// How often the server began anew.
    session: u32,
    /// The utterances of Fun-ASR-Nano.
    nano: Utterances,
    /// Numbers the segments of servers that do not.
    next_segment: u64,
    open: Option<Open>,
    /// The last final with words in it: a mark at the head of the next text belongs to it.
    last: Option<Utterance>,
    /// Until when words are settled.
    settled_until: CallTime,
}

/// A hypothesis that has not been settled yet.
#[derive(Debug)]
struct Open {
    segment: u64,
    text: String,
    chars: usize,
    start: CallTime,
    end: CallTime,
}

#[derive(Deserialize)]
struct Message {
    mode: Option<String>,
    text: Option<String>,
    is_final: Option<bool>,
    is_end: Option<bool>,
    error: Option<Value>,
    index: Option<u64>,
    timestamp: Option<Value>,
    stamp_sents: Option<Value>,
    event: Option<String>,
    sentences: Option<Vec<Sentence>>,
    partial: Option<String>,
    #[serde(default)]
    partial_start_ms: Number,
}

/// A settled sentence of Fun-ASR-Nano.
#[derive(Deserialize)]
struct Sentence {
    text: Option<String>,
    #[serde(default)]
    start: Number,
    #[serde(default)]
    end: Number,
}

/// Where a final lies, as far as its message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stamps {
    /// Milliseconds of the stream.
    Stream {
        start: i64,
        end: i64,
    },
    /// Milliseconds of the speech segment.
    Segment {
        end: i64,
    },
    Absent,
}

impl Funasr {
    /// The adapter of one connection.
    #[must_use]
    pub fn new(leg: Leg) -> Self {
        Self {
            nano: Utterances::new(leg.clone()),
            course: Course::new(leg.began),
            session: 0,
            settled_until: leg.began.max(CallTime::ANSWERED),
            leg,
            next_segment: 0,
            open: None,
            last: None,
        }
    }

    fn online(&mut self, message: &Message, text: &str, now: CallTime, inputs: &mut Vec<Input>) {
        if let (Some(index), Some(open)) = (message.index, &self.open)
            && open.segment != index
        {
            self.settle_open(inputs);
        }
        if text.is_empty() {
            return;
        }
        if message.index == Some(0) && self.open.is_none() && self.next_segment > 0 {
            self.begin_anew(inputs);
            self.course.jump(0, now.plus(-CHUNK_MS).max(self.settled_until));
        }
        // A recording replayed faster than it was spoken runs ahead of `now`.
        let now = now.max(self.settled_until);
        let segment = message.index.unwrap_or(self.next_segment);
        let settled_until = self.settled_until;
        let open = self.open.get_or_insert_with(|| Open {
            segment,
            text: String::new(),
            chars: 0,
            start: now.plus(-CHUNK_MS).max(settled_until),
            end: now,
        });
        open.text.push_str(text);
        open.chars += text.chars().count();
        open.end = open.end.max(now);
        if open.chars >= OPEN_CHARS_MAX {
            self.settle_open(inputs);
        } else {
            let (segment, text, start, end) = (open.segment, open.text.clone(), open.start, open.end);
            inputs.push(Input::Utterance(self.utterance(segment, text, start, end, false)));
        }
    }

    fn offline(&mut self, message: &Message, text: &str, now: CallTime, inputs: &mut Vec<Input>) {
        let (mark, words) = split_leading_marks(text);
        if !mark.is_empty() {
            self.give_mark_to_last(mark, inputs);
        }
        let open = match (&self.open, message.index) {
            // A late final of an earlier segment leaves the open one alone.
            (Some(open), Some(index)) if open.segment != index => None,
            _ => self.open.take(),
        };
        let is_late = message.index.is_some_and(|index| index < self.next_segment);
        let segment = message.index.or(open.as_ref().map(|open| open.segment)).unwrap_or(self.next_segment);
        self.next_segment = self.next_segment.max(segment.saturating_add(1));
        if words.is_empty() {
            // The deltas were noise: an empty final takes them back.
            if let Some(open) = open {
                inputs.push(Input::Utterance(self.utterance(segment, String::new(), open.start, open.end, true)));
            }
            return;
        }
        let stamps = stamps(message);
        if let Stamps::Stream { start, end } = stamps {
            if !is_late && self.course.runs_back("", start) || self.course.is_apart(start, Some(end), now) {
                self.course.jump(end, now.max(self.settled_until.plus(end - start)));
            }
            self.course.follow("", start, Some(end));
        }
        let (start, end) = self.place(stamps, open.as_ref(), words, now);
        self.settled_until = self.settled_until.max(end);
        let settled = self.utterance(segment, words.to_owned(), start, end, true);
        if self.last.as_ref() != Some(&settled) {
            self.last = Some(settled.clone());
            inputs.push(Input::Utterance(settled));
        }
    }

    /// When the words of a final were said.
    fn place(&self, stamps: Stamps, open: Option<&Open>, words: &str, now: CallTime) -> (CallTime, CallTime) {
        let chars = i64::try_from(words.chars().count()).unwrap_or(i64::MAX);
        let now = now.max(self.settled_until);
        let ending_now = |duration: i64| now.plus(-duration).max(open.map_or(self.settled_until, |open| open.start));
        match (stamps, open) {
            (Stamps::Stream { start, end }, _) => (self.course.at(start), self.course.at(end)),
            (Stamps::Segment { end }, Some(open)) => (open.start, open.start.plus(end)),
            (Stamps::Segment { end }, None) => {
                let start = ending_now(end);
                (start, start.plus(end))
            }
            (Stamps::Absent, Some(open)) => (open.start, open.end),
            (Stamps::Absent, None) => (ending_now(chars.saturating_mul(CHARACTER_MS)), now),
        }
    }

    /// All that Fun-ASR-Nano has heard so far.
    fn nano(
        &mut self,
        sentences: &[Sentence],
        message: &Message,
        now: CallTime,
        inputs: &mut Vec<Input>,
    ) -> Result<(), Unrecognised> {
        for (place, sentence) in sentences.iter().enumerate() {
            let said = Said {
                key: place.to_string(),
                text: sentence.text.as_deref().unwrap_or_default(),
                start: sentence.start.ms(),
                end: sentence.end.ms(),
                is_final: true,
                // Where the first one is another, all are.
                is_unique: place > 0,
                ..Said::default()
            };
            self.nano.say(&said, now, inputs)?;
        }
        let partial = Said {
            key: sentences.len().to_string(),
            text: message.partial.as_deref().unwrap_or_default(),
            start: message.partial_start_ms.ms(),
            ..Said::default()
        };
        self.nano.say(&partial, now, inputs)?;
        if message.is_final == Some(true) {
            self.nano.settle_all(inputs);
        }
        Ok(())
    }

    fn give_mark_to_last(&mut self, mark: &str, inputs: &mut Vec<Input>) {
        let Some(last) = &mut self.last else { return };
        if last.text.ends_with(is_mark) {
            return;
        }
        last.text.push_str(mark);
        inputs.push(Input::Utterance(last.clone()));
    }

    /// The server counts from 0 again.
    fn begin_anew(&mut self, inputs: &mut Vec<Input>) {
        self.settle_open(inputs);
        self.session += 1;
        self.next_segment = 0;
        self.last = None;
    }

    fn settle_open(&mut self, inputs: &mut Vec<Input>) {
        let Some(open) = self.open.take() else { return };
        self.next_segment = self.next_segment.max(open.segment.saturating_add(1));
        self.settled_until = self.settled_until.max(open.end);
        let settled = self.utterance(open.segment, open.text, open.start, open.end, true);
        self.last = Some(settled.clone());
        inputs.push(Input::Utterance(settled));
    }

    fn utterance(&self, segment: u64, text: String, start: CallTime, end: CallTime, is_final: bool) -> Utterance {
        let prefix = &self.leg.id_prefix;
        Utterance {
            utterance_id: match self.session {
                0 => format!("{prefix}{segment}"),
                session => format!("{prefix}s{session}-{segment}"),
            },
            role: self.leg.voices.role(None).unwrap_or(Role::Customer),
            text,
            start: start.clamp(CallTime::ANSWERED, CallTime(CALL_MS_MAX)),
            end: end.max(start).clamp(CallTime::ANSWERED, CallTime(CALL_MS_MAX)),
            is_final,
            confidence: None,
            volume_db: None,
            pitch_hz: None,
            agent_id: None,
        }
    }
}

impl Adapter for Funasr {
    fn message(&mut self, text: &str, now: CallTime, inputs: &mut Vec<Input>) -> Result<(), Unrecognised> {
        let now = now.max(CallTime::ANSWERED);
        let message: Message = shape::json(NAME, text)?;
        let words = message.text.as_deref().unwrap_or_default();
        if words.starts_with("ERROR") && message.mode.is_none() {
            return Err(shape::fault(NAME, ""));
        }
        shape::check_length(words)?;
        if let Some(sentences) = &message.sentences {
            return self.nano(sentences, &message, now, inputs);
        }
        if let Some(event) = &message.event {
            if event == "stopped" {
                self.nano.settle_all(inputs);
            }
            return Ok(());
        }
        let mut known = true;
        match message.mode.as_deref() {
            Some("2pass-online" | "online") => self.online(&message, words, now, inputs),
            Some("2pass-offline" | "offline") => self.offline(&message, words, now, inputs),
            // C++'s last message has no mode; its text, if any, is a last delta.
            None if message.is_final == Some(true) => {
                self.online(&message, words, now, inputs);
                self.settle_open(inputs);
            }
            _ => known = false,
        }
        if message.is_end == Some(true) {
            self.settle_open(inputs);
            known = true;
        }
        if message.error.as_ref().is_some_and(|error| !error.is_null()) {
            return Err(shape::fault(NAME, ""));
        }
        if known {
            Ok(())
        } else {
            Err(shape::unknown(NAME, "2pass-online, 2pass-offline, online, offline, is_end, sentences, event"))
        }
    }

    fn finish(&mut self, inputs: &mut Vec<Input>) {
        self.settle_open(inputs);
        self.nano.settle_all(inputs);
    }

    fn take_jumps(&mut self) -> u32 {
        self.course.take_jumps().saturating_add(self.nano.take_jumps())
    }
}

/// The marks with which FunASR closes a sentence.
const fn is_mark(character: char) -> bool {
    matches!(character, '，' | '。' | '？' | '！' | '、' | '；' | '：' | ',' | '.' | '?' | '!' | ';' | ':')
}

fn split_leading_marks(text: &str) -> (&str, &str) {
    let words = text.trim_start_matches(is_mark);
    text.split_at(text.len() - words.len())
}

fn stamps(message: &Message) -> Stamps {
    if let Some(Value::Array(sentences)) = &message.stamp_sents {
        let spoken = |name: &str, sentence: &Value| sentence.get(name).and_then(spoken_ms);
        let start = sentences.iter().find_map(|sentence| spoken("start", sentence));
        let end = sentences.iter().rev().find_map(|sentence| spoken("end", sentence));
        if let (Some(start), Some(end)) = (start, end)
            && start <= end
        {
            return Stamps::Stream { start, end };
        }
    }
    match &message.timestamp {
        Some(Value::String(text)) => match serde_json::from_str::<Value>(text).ok().as_ref().and_then(span) {
            Some((start, end)) => Stamps::Stream { start, end },
            None => Stamps::Absent,
        },
        Some(array @ Value::Array(_)) => match span(array) {
            Some((_, end)) => Stamps::Segment { end },
            None => Stamps::Absent,
        },
        _ => Stamps::Absent,
    }
}

/// A moment of the stream; -1 marks punctuation without audio.
fn spoken_ms(value: &Value) -> Option<i64> {
    value.as_i64().and_then(shape::moment)
}

/// From the first start to the last end of `[[start, end], …]`.
fn span(stamps: &Value) -> Option<(i64, i64)> {
    let stamps = stamps.as_array()?;
    let ms = |stamp: &Value, place: usize| stamp.get(place).and_then(spoken_ms);
    let start = stamps.iter().find_map(|stamp| ms(stamp, 0))?;
    let end = stamps.iter().rev().find_map(|stamp| ms(stamp, 1))?;
    (start <= end).then_some((start, end))
}

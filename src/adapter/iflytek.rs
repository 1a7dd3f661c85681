//! iFlytek: RTASR standard, RTASR LLM, and the dictation results (IAT, AIUI).
//!
//! | quirk | what is done |
//! |---|---|
//! | the standard's `data` is a string of JSON with a newline behind it; the LLM's is an object | both are read |
//! | words are in `cn.st.rt[].ws[].cw[].w`, marks among them | the first candidate of each, put together |
//! | `st.type` is 1 for a hypothesis, 0 for a final; a string or a number | |
//! | `seg_id` counts messages, not sentences | told apart by `bg`, which may move a little |
//! | `bg` and `ed` are strings; `ed` is 0 in hypotheses | 0 is no end |
//! | `wb` and `we` of words are frames of 10 ms, from `bg` | where a sentence is cut between speakers |
//! | `rl` of a word is its speaker; 0 is the same one as before | a final is cut where it changes; of a hypothesis only the words before that are told |
//! | LLM: `data.ls` ends the stream | what is open is settled |
//! | `code` is not 0, `action` is `error`, or `res_type` is `frc` | reported with its number |
//! | dictation: results are numbered (`sn`); `pgs` `rpl` replaces those numbered `rg[0]` to `rg[1]`, `apd` appends | what is left of them, in order, is one hypothesis up to `ls` |
//! | Spark's dictation has its result in Base64 | not read, and told so: decode `payload.result.text` first |
//! | translations (`biz` `trans`) | say nothing |

use std::collections::BTreeMap;

use serde::Deserialize;

use super::shape::{self, Id, Number};
use super::stream::{Counter, Dialect, Hearing, Recogniser, Said};
use super::{Adapter, Leg, Unrecognised};

const NAME: &str = "iFlytek";
/// The unit of `wb` and `we`.
const FRAME_MS: i64 = 10;
/// Results of one dictated sentence; beyond it the sentence is settled.
const RESULTS_MAX: usize = 1_000;

/// The adapter of one connection.
pub fn adapter(leg: Leg) -> impl Adapter {
    Recogniser::new(leg, Iflytek::default())
}

#[derive(Debug, Default)]
struct Iflytek {
    /// The last speaker; `None` before the first.
    speaker: Option<String>,
    counter: Counter,
    /// The results of a dictated sentence, by their number.
    dictated: BTreeMap<i64, String>,
}

#[derive(Deserialize)]
struct Message {
    action: Option<String>,
    msg_type: Option<String>,
    res_type: Option<String>,
    #[serde(default)]
    code: Id,
    #[serde(default)]
    sid: Id,
    data: Option<Data>,
    header: Option<Header>,
    #[serde(flatten)]
    dictation: Dictation,
}

#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    code: Id,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Data {
    Json(String),
    Object(Box<Content>),
}

#[derive(Default, Deserialize)]
struct Content {
    cn: Option<Sentence>,
    ls: Option<bool>,
    #[serde(default)]
    code: Id,
    biz: Option<String>,
    result: Option<Dictation>,
}

#[derive(Deserialize)]
struct Sentence {
    st: Settled,
}

#[derive(Deserialize)]
struct Settled {
    #[serde(default)]
    bg: Number,
    #[serde(default)]
    ed: Number,
    #[serde(default, rename = "type")]
    kind: Number,
    #[serde(default)]
    rt: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    ws: Vec<Word>,
}

#[derive(Deserialize)]
struct Word {
    #[serde(default)]
    wb: Number,
    #[serde(default)]
    we: Number,
    #[serde(default)]
    cw: Vec<Candidate>,
}

#[derive(Deserialize)]
struct Candidate {
    w: Option<String>,
    #[serde(default)]
    rl: Id,
}

#[derive(Deserialize)]
struct Dictation {
    #[serde(default)]
    sn: Number,
    pgs: Option<String>,
    rg: Option<[Number; 2]>,
    ls: Option<bool>,
    #[serde(default)]
    ws: Option<Vec<Word>>,
}

/// Words of one speaker.
#[derive(Debug, Default)]
struct Turn {
    speaker: Option<String>,
    text: String,
    begin: Option<i64>,
    end: Option<i64>,
}

impl Dialect for Iflytek {
    fn read(&mut self, text: &str, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        let message: Message = shape::json(NAME, text)?;
        let code = message.header.as_ref().map_or(&message.code, |header| &header.code).get();
        let content = match message.data {
            Some(Data::Json(data)) if data.trim().is_empty() => Content::default(),
            Some(Data::Json(data)) => shape::json(NAME, &data)?,
            Some(Data::Object(content)) => *content,
            None => Content::default(),
        };
        let failed = code.is_some_and(|code| !code.trim_start_matches('0').is_empty())
            || message.action.as_deref() == Some("error")
            || message.res_type.as_deref() == Some("frc");
        if failed {
            return Err(shape::fault(NAME, content.code.get().or(code).unwrap_or_default()));
        }
        hearing.session(message.sid.get());
        if let Some(sentence) = content.cn {
            self.sentence(&sentence.st, hearing)?;
            if content.ls == Some(true) {
                hearing.settle_all();
            }
            return Ok(());
        }
        if let Some(dictation) =
            content.result.as_ref().or(Some(&message.dictation)).filter(|result| result.ws.is_some())
        {
            return self.dictation(dictation, hearing);
        }
        if message.header.is_some() {
            return Err(Unrecognised::new(
                "星火听写的结果是 Base64：请先解出 payload.result.text",
                "the results of Spark's dictation are Base64: decode payload.result.text first",
            ));
        }
        let silent = message.action.is_some() || message.msg_type.is_some() || content.biz.is_some() || code.is_some();
        if silent { Ok(()) } else { Err(shape::unknown(NAME, "data.cn.st, data.result.ws, ws")) }
    }
}

impl Iflytek {
    fn sentence(&mut self, sentence: &Settled, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        let begin = sentence.bg.ms();
        let end = sentence.ed.ms().filter(|end| *end > 0);
        let is_final = sentence.kind.integer() == Some(0);
        let mut turns: Vec<Turn> = Vec::new();
        let mut speaker = self.speaker.clone();
        for word in sentence.rt.iter().flat_map(|part| &part.ws) {
            let Some(best) = word.cw.first() else { continue };
            if let Some(now) = best.rl.get().filter(|speaker| *speaker != "0") {
                speaker = Some(now.to_owned());
            }
            if turns.last().is_none_or(|turn| turn.speaker != speaker) {
                let begun = word.wb.integer().map(|frames| frames.saturating_mul(FRAME_MS));
                turns.push(Turn { speaker: speaker.clone(), begin: begun, ..Turn::default() });
            }
            if let Some(turn) = turns.last_mut() {
                turn.text.push_str(best.w.as_deref().unwrap_or_default());
                turn.end = word
                    .we
                    .integer()
                    .filter(|frames| *frames > 0)
                    .map(|frames| frames.saturating_mul(FRAME_MS))
                    .or(turn.end);
            }
        }
        if is_final {
            self.speaker = speaker;
        } else {
            // The words of a hypothesis have no times to tell two turns apart.
            turns.truncate(1);
        }
        let (first, last) = (0, turns.len().saturating_sub(1));
        let at = |ms: Option<i64>| shape::moment(begin?.saturating_add(ms?));
        let mut window: Vec<Said<'_>> = turns
            .iter()
            .enumerate()
            .map(|(place, turn)| Said {
                speaker: turn.speaker.as_deref(),
                text: &turn.text,
                start: if place == first { begin } else { at(turn.begin) },
                end: if place == last { end } else { at(turn.end) },
                is_final,
                ..Said::default()
            })
            .collect();
        if window.is_empty() {
            window.push(Said { start: begin, end, is_final, ..Said::default() });
        }
        hearing.window(&mut window)
    }

    fn dictation(&mut self, result: &Dictation, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        let words = result.ws.iter().flatten().filter_map(|word| word.cw.first()?.w.as_deref());
        let words: String = words.collect();
        shape::check_length(&words)?;
        if let (Some("rpl"), Some([from, to])) = (result.pgs.as_deref(), result.rg)
            && let (Some(from), Some(to)) = (from.integer(), to.integer())
        {
            self.dictated.retain(|number, _| !(from..=to).contains(number));
        }
        let next = self.dictated.keys().next_back().map_or(1, |last| last.saturating_add(1));
        self.dictated.insert(result.sn.integer().unwrap_or(next), words);
        let is_last = result.ls == Some(true) || self.dictated.len() >= RESULTS_MAX;
        let text: String = self.dictated.values().map(String::as_str).collect();
        let mut counter = self.counter;
        let settled =
            hearing.say_so_far(Said { key: counter.key(true), text: &text, is_final: is_last, ..Said::default() })?;
        if settled {
            self.counter = counter;
            self.dictated.clear();
        }
        Ok(())
    }
}

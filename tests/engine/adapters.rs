//! Recognisers' recordings in `fixtures/asr`, played through their adapters.
//!
//! `FORMAT/NAME.jsonl` holds messages as they come, one a line; a line that is
//! a JSON string holds a message with line breaks in it. What they must become
//! is in `NAME.expected.jsonl`, which a person has reviewed: native events, and
//! `#` lines for what was not recognised. `UPDATE_EXPECTED=1` writes it anew.
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::Value;
use tingjian::adapter::native;
use tingjian::adapter::{Format, Leg};
use tingjian::engine::time::CallTime;
use tingjian::engine::transcript::{Input, Utterance};

/// Recordings of both parties, and the agent's channel or speaker in each.
const AGENT_CHANNELS: &[(&str, &str)] = &[
    ("aws/call-analytics", "AGENT"),
    ("aws/channels", "0"),
    ("aws/segments", "agent"),
    ("azure/channels", "1"),
    ("azure/speakers", "Guest-1"),
    ("deepgram/channels", "ch_0"),
    ("deepgram/speakers", "0"),
    ("freeswitch/agent-calls", "8001"),
    ("iflytek/speakers", "1"),
    ("tencent/speakers", "1"),
    ("volcengine/speakers", "0"),
];

/// Recordings whose finals are put together from hypotheses: deltas, pieces,
/// numbered results, and what was still open at the end.
const WORDS_IN_HYPOTHESES: &[&str] = &[
    "deepgram/channels",
    "deepgram/pieces",
    "deepgram/speakers",
    "funasr/cpp-open-end",
    "funasr/faults",
    "funasr/python-online",
    "iflytek/dictation",
    "nls/open-end",
    "sherpa-onnx/python",
    "wenet/session",
];

/// The channel joined its call after 10 s, and a message comes each 600 ms.
const BEGAN: CallTime = CallTime(10_000);
const PACE_MS: i64 = 600;
const PREFIX: &str = "leg-0-";

struct Recording {
    format: Format,
    /// `FORMAT/NAME`.
    name: String,
    path: PathBuf,
    messages: Vec<String>,
}

impl Recording {
    fn adapter(&self) -> Box<dyn tingjian::adapter::Adapter> {
        let channel = AGENT_CHANNELS.iter().find(|(name, _)| *name == self.name).map(|(_, channel)| *channel);
        // What a switch says has no role.
        let role = (channel.is_none() && self.format != Format::Freeswitch).then_some("agent");
        let voices = self.format.voices(role, channel).unwrap();
        self.format.adapter(Leg { voices, began: BEGAN, id_prefix: PREFIX.to_owned() })
    }
}

fn recordings() -> Vec<Recording> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/asr");
    let mut recordings = Vec::new();
    for format in Format::ALL {
        let mut paths: Vec<PathBuf> = fs::read_dir(root.join(format.name()))
            .unwrap_or_else(|error| panic!("{}: {error}", format.name()))
            .map(|entry| entry.unwrap().path())
            .filter(|path| !path.to_string_lossy().ends_with(".expected.jsonl"))
            .collect();
        paths.sort();
        assert!(!paths.is_empty(), "{} has no recordings", format.name());
        for path in paths {
            let name = format!("{}/{}", format.name(), path.file_stem().unwrap().to_string_lossy());
            let text = fs::read_to_string(&path).unwrap();
            let message = |line: &str| serde_json::from_str::<String>(line).unwrap_or_else(|_| line.to_owned());
            let messages = text.lines().map(message).collect();
            recordings.push(Recording { format: *format, name, path, messages });
        }
    }
    let named = AGENT_CHANNELS.iter().map(|(name, _)| name).chain(WORDS_IN_HYPOTHESES);
    for name in named {
        assert!(recordings.iter().any(|recording| recording.name == *name), "no recording {name}");
    }
    recordings
}

/// What each message, and then the end of the connection, becomes.
fn play(recording: &Recording, messages: &[Option<&String>]) -> Vec<(Vec<Input>, Result<(), String>)> {
    let mut adapter = recording.adapter();
    let mut played = Vec::new();
    let mut now = BEGAN;
    for message in messages {
        now = now.plus(PACE_MS);
        let mut inputs = Vec::new();
        let result = message.map_or(Ok(()), |message| adapter.message(message, now, &mut inputs));
        played.push((inputs, result.map_err(|error| error.to_string())));
    }
    let mut inputs = Vec::new();
    adapter.finish(&mut inputs);
    played.push((inputs, Ok(())));
    played
}

fn play_all(recording: &Recording) -> Vec<(Vec<Input>, Result<(), String>)> {
    play(recording, &recording.messages.iter().map(Some).collect::<Vec<_>>())
}

#[test]
fn recordings_become_what_is_expected_of_them() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut wrong = Vec::new();
    for recording in recordings() {
        let mut got = String::new();
        for (inputs, result) in play_all(&recording) {
            for input in inputs {
                got.push_str(&native::to_json("c", &input));
                got.push('\n');
            }
            if let Err(error) = result {
                got.push_str(&format!("# {error}\n"));
            }
        }
        let companion = recording.path.with_extension("expected.jsonl");
        if update {
            fs::write(&companion, &got).unwrap();
        } else if got != fs::read_to_string(&companion).unwrap_or_default() {
            wrong.push(format!("{}: got\n{got}", recording.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_comes_out_is_sound() {
    for recording in recordings() {
        let mut finals: BTreeMap<String, Utterance> = BTreeMap::new();
        for (inputs, _) in play_all(&recording) {
            check_inputs(&inputs);
            for input in inputs {
                let Input::Utterance(utterance) = input else { continue };
                let before = finals.get(&utterance.utterance_id);
                assert!(before.is_none_or(|_| utterance.is_final), "{}: a hypothesis behind its final", recording.name);
                assert_ne!(before, Some(&utterance), "{}: said twice", recording.name);
                if utterance.is_final {
                    finals.insert(utterance.utterance_id.clone(), utterance);
                }
            }
        }
    }
}

fn check_inputs(inputs: &[Input]) {
    for input in inputs {
        let event = native::parse(&native::to_json("c", input)).expect("a native event");
        assert_eq!(event.body, native::EventBody::Input(input.clone()));
        if let Input::Utterance(utterance) = input {
            assert!(utterance.start <= utterance.end, "ends before it begins: {utterance:?}");
            assert!(utterance.utterance_id.starts_with(PREFIX), "{utterance:?}");
        }
    }
}

/// The words that finals leave standing. Without their ids: where a start names
/// an utterance, it is that of its first wording.
fn standing(played: &[(Vec<Input>, Result<(), String>)]) -> Vec<(String, String)> {
    let mut standing: BTreeMap<&str, (String, String)> = BTreeMap::new();
    for input in played.iter().flat_map(|(inputs, _)| inputs) {
        let Input::Utterance(utterance) = input else { continue };
        if utterance.is_final && utterance.text.is_empty() {
            standing.remove(utterance.utterance_id.as_str());
        } else if utterance.is_final {
            let words = (format!("{:?}", utterance.role), utterance.text.clone());
            standing.insert(&utterance.utterance_id, words);
        }
    }
    let mut words: Vec<_> = standing.into_values().collect();
    words.sort();
    words
}

#[test]
fn finals_stand_without_their_hypotheses() {
    for recording in recordings() {
        let played = play_all(&recording);
        let is_hypothesis = |inputs: &[Input]| {
            let mut utterances = inputs.iter().map(|input| matches!(input, Input::Utterance(said) if !said.is_final));
            !inputs.is_empty() && utterances.all(|is_hypothesis| is_hypothesis)
        };
        let kept: Vec<Option<&String>> = recording
            .messages
            .iter()
            .zip(&played)
            .map(|(message, (inputs, _))| (!is_hypothesis(inputs)).then_some(message))
            .collect();
        let without = standing(&play(&recording, &kept));
        if WORDS_IN_HYPOTHESES.contains(&recording.name.as_str()) {
            assert_ne!(without, standing(&played), "{} is no exception", recording.name);
        } else {
            assert_eq!(without, standing(&played), "{}", recording.name);
        }
    }
}

#[test]
fn an_endless_hypothesis_is_cut() {
    let online = format!(r#"{{"mode":"online","text":"{}"}}"#, "字".repeat(100));
    let piece = format!(
        r#"{{"type":"Results","channel_index":[0,1],"is_final":true,"channel":{{"alternatives":[{{"transcript":"{}"}}]}}}}"#,
        "字".repeat(100)
    );
    for (format, message) in [(Format::Funasr, online), (Format::Deepgram, piece)] {
        let name = format.name().to_owned();
        let messages = vec![message; 25];
        let recording = Recording { format, name, path: PathBuf::new(), messages };
        let played = play_all(&recording);
        let finals: Vec<usize> = played
            .iter()
            .flat_map(|(inputs, _)| inputs)
            .filter_map(|input| match input {
                Input::Utterance(utterance) if utterance.is_final => Some(utterance.text.chars().count()),
                _ => None,
            })
            .collect();
        assert_eq!(finals, [1_000, 1_000, 500], "{}", recording.name);
    }
}

#[test]
fn a_connection_says_whose_voices_it_carries() {
    let voices = |format: &str, role, channel| {
        let voices = Format::from_name(format).unwrap().voices(role, channel);
        voices.map(|voices| voices.name())
    };
    assert_eq!(voices("nls", Some("customer"), None), Ok("customer"));
    assert_eq!(voices("deepgram", None, Some("0")), Ok("both"));
    assert_eq!(voices("freeswitch", None, None), Ok("both"));
    for (format, role, channel, says) in [
        ("nls", None, None, "role is missing"),
        ("nls", None, Some("0"), "does not tell channels apart"),
        ("deepgram", None, None, "agent_channel"),
        ("deepgram", Some("agent"), Some("0"), "not both"),
        ("deepgram", None, Some(" "), "agent_channel"),
        ("aws", Some("robot"), None, "customer"),
        ("freeswitch", Some("agent"), None, "no role"),
    ] {
        let message = voices(format, role, channel).unwrap_err();
        assert!(message.contains(says), "{format} {role:?} {channel:?}: {message}");
    }
}

/// Any JSON, with the members that recognisers look for.
fn any_json(keys: Vec<String>) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9.\\-]{0,6}".prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, move |inner| {
        let key = prop::sample::select(keys.clone());
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Puts `other` in the place of the `place`th value within `value`.
fn replace(value: &mut Value, place: &mut usize, other: &Value) {
    if *place == 0 {
        *value = other.clone();
    }
    *place = place.wrapping_sub(1);
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, place, other)),
        Value::Object(members) => members.values_mut().for_each(|value| replace(value, place, other)),
        _ => {}
    }
}

fn keys_of(value: &Value, keys: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| keys_of(value, keys)),
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            keys.push(key.clone());
            keys_of(value, keys);
        }),
        _ => {}
    }
}

fn known_keys() -> Vec<String> {
    let mut keys = Vec::new();
    for message in recordings().iter().flat_map(|recording| &recording.messages) {
        keys_of(&serde_json::from_str(message).unwrap_or_default(), &mut keys);
    }
    keys.sort();
    keys.dedup();
    keys
}

/// So many cases, always the same; `PROPTEST_CASES` and `PROPTEST_RNG_SEED` explore further.
fn cases() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(2026);
    }
    config
}

proptest! {
    #![proptest_config(cases())]

    /// A recording in which one message is cut, and one value is another.
    #[test]
    fn no_message_makes_an_adapter_panic(
        which in any::<prop::sample::Index>(),
        cut in any::<(prop::sample::Index, prop::sample::Index)>(),
        change in any::<prop::sample::Index>(),
        place in 0..40_usize,
        other in any_json(known_keys()),
    ) {
        let mut recordings = recordings();
        let mut recording = recordings.swap_remove(which.index(recordings.len()));
        let count = recording.messages.len();
        let line = &mut recording.messages[cut.0.index(count)];
        line.truncate(line.floor_char_boundary(cut.1.index(line.len() + 1)));
        let line = &mut recording.messages[change.index(count)];
        if let Ok(mut value) = serde_json::from_str::<Value>(line) {
            replace(&mut value, &mut { place }, &other);
            *line = value.to_string();
        }
        recording.messages.push(other.to_string());
        for (inputs, _) in play_all(&recording) {
            check_inputs(&inputs);
        }
    }
}

/// The words that finals leave standing of messages that arrive at these times of the call, which the leg joined at
/// its beginning: id, words, start and end.
fn heard(
    format: &str,
    agent_channel: Option<&str>,
    messages: &[(i64, String)],
) -> (Vec<(String, String, i64, i64)>, u32) {
    let format = Format::from_name(format).unwrap();
    let role = agent_channel.is_none().then_some("agent");
    let voices = format.voices(role, agent_channel).unwrap();
    let mut adapter = format.adapter(Leg { voices, began: CallTime(0), id_prefix: PREFIX.to_owned() });
    let (mut inputs, mut jumps) = (Vec::new(), 0);
    for (at, message) in messages {
        adapter.message(message, CallTime(*at), &mut inputs).unwrap();
        jumps += adapter.take_jumps();
    }
    adapter.finish(&mut inputs);
    let mut standing: Vec<(String, String, i64, i64)> = Vec::new();
    for input in inputs {
        let Input::Utterance(Utterance { utterance_id, text, start, end, is_final: true, .. }) = input else {
            continue;
        };
        standing.retain(|(id, ..)| *id != utterance_id);
        if !text.is_empty() {
            standing.push((utterance_id, text, start.0, end.0));
        }
    }
    (standing, jumps)
}

/// A final of a system that stamps its words, as it says them.
fn stamped(format: &str, text: &str, start: i64, end: i64) -> String {
    let (from, to) = (start as f64 / 1_000.0, end as f64 / 1_000.0);
    match format {
        "azure" => format!(
            r#"{{"RecognitionStatus":"Success","DisplayText":"{text}","Offset":{},"Duration":{}}}"#,
            start * 10_000,
            (end - start) * 10_000
        ),
        "deepgram" => format!(
            r#"{{"type":"Results","channel_index":[0,1],"is_final":true,"speech_final":true,"start":{from},"duration":{},"channel":{{"alternatives":[{{"transcript":"{text}"}}]}}}}"#,
            to - from
        ),
        "funasr" => {
            format!(r#"{{"mode":"2pass-offline","text":"{text}","timestamp":"[[{start},{end}]]","is_final":false}}"#)
        }
        "vosk" => format!(r#"{{"result":[{{"word":"{text}","start":{from},"end":{to}}}],"text":"{text}"}}"#),
        "wenet" => format!(
            r#"{{"status":"ok","type":"final_result","nbest":"[{{\"sentence\":\"{text}\",\"word_pieces\":[{{\"word\":\"{text}\",\"start\":{start},\"end\":{end}}}]}}]"}}"#
        ),
        "baidu" => {
            format!(r#"{{"type":"FIN_TEXT","result":"{text}","err_no":0,"start_time":{start},"end_time":{end}}}"#)
        }
        "whisperlive" => {
            format!(r#"{{"segments":[{{"text":"{text}","start":"{from}","end":"{to}","completed":true}}]}}"#)
        }
        "huawei" => format!(
            r#"{{"resp_type":"RESULT","trace_id":"t1","segments":[{{"start_time":{start},"end_time":{end},"is_final":true,"result":{{"text":"{text}"}}}}]}}"#
        ),
        "sherpa-onnx" => format!(
            r#"{{"text":"{text}","segment":0,"start_time":{from},"timestamps":[0.0,{}],"is_final":true}}"#,
            // The last character takes 0.22 s.
            to - from - 0.22
        ),
        "dashscope" => format!(
            r#"{{"header":{{"event":"result-generated","task_id":"t"}},"payload":{{"output":{{"sentence":{{"sentence_id":0,"text":"{text}","begin_time":{start},"end_time":{end},"sentence_end":true}}}}}}}}"#
        ),
        other => panic!("{other}"),
    }
}

const STAMPING: [&str; 10] =
    ["azure", "deepgram", "funasr", "vosk", "wenet", "baidu", "whisperlive", "huawei", "sherpa-onnx", "dashscope"];

#[test]
fn stamps_that_run_back_are_placed_by_arrival() {
    for format in STAMPING {
        let say = |at, text, start, end| (at, stamped(format, text, start, end));
        let messages = [
            say(3_000, "您好请讲", 1_000, 2_800),
            say(202_000, "这个我不知道", 200_000, 201_500),
            // Behind its forwarder, the recogniser begins anew.
            say(212_000, "我帮您查一下", 0, 1_500),
            say(216_000, "请您稍等片刻", 4_000, 5_600),
        ];
        let (standing, jumps) = heard(format, None, &messages);
        let words: Vec<&str> = standing.iter().map(|(_, text, ..)| text.as_str()).collect();
        assert_eq!(words, ["您好请讲", "这个我不知道", "我帮您查一下", "请您稍等片刻"], "{format}");
        let times: Vec<i64> = standing.iter().map(|(.., start, _)| *start).collect();
        assert_eq!((times[0], times[1]), (1_000, 200_000), "{format}");
        assert!(
            (210_000..=212_000).contains(&times[2]) && (214_000..=216_000).contains(&times[3]),
            "{format} {times:?}"
        );
        assert_eq!(jumps, 1, "{format}");
    }
}

#[test]
fn a_leg_that_is_ahead_is_placed_by_arrival() {
    for format in STAMPING {
        let say = |at, text, start: i64| (at, stamped(format, text, start, start + 1_500));
        let messages = [say(2_000, "您好请讲", 120_000), say(7_000, "这个我不知道", 125_000)];
        let (standing, jumps) = heard(format, None, &messages);
        let times: Vec<(i64, i64)> = standing.iter().map(|(.., start, end)| (*start, *end)).collect();
        assert_eq!((times, jumps), (vec![(500, 2_000), (5_500, 7_000)], 1), "{format}");
    }
}

#[test]
fn stamps_that_go_on_are_believed() {
    for format in STAMPING {
        let say = |at, text, start: i64| (at, stamped(format, text, start, start + 1_500));
        // Late by seconds, behind a long silence, and a recording that is sent faster than it was spoken.
        let messages = [
            say(9_000, "您好请讲", 1_000),
            say(9_500, "这个我不知道", 3_000),
            say(400_000, "我帮您查一下", 398_000),
            say(400_100, "请您稍等片刻", 403_000),
            say(400_200, "还有别的需要吗", 408_000),
            say(400_300, "祝您生活愉快", 413_000),
        ];
        let (standing, jumps) = heard(format, None, &messages);
        let times: Vec<i64> = standing.iter().map(|(.., start, _)| *start).collect();
        assert_eq!((times, jumps), (vec![1_000, 3_000, 398_000, 403_000, 408_000, 413_000], 0), "{format}");
    }
}

#[test]
fn a_hypothesis_of_before_is_settled_when_the_stream_begins_anew() {
    let azure = |text: &str, offset: i64| {
        format!(r#"{{"Text":"{text}","Offset":{},"Duration":10000000}}"#, offset * 10_000_000)
    };
    let messages = [
        (201_000, azure("这个我不", 200)),
        (240_000, azure("请您稍等", 0)),
        (241_000, stamped("azure", "请您稍等。", 0, 1_500)),
    ];
    let (standing, jumps) = heard("azure", None, &messages);
    let words: Vec<&str> = standing.iter().map(|(_, text, ..)| text.as_str()).collect();
    assert_eq!((words, jumps), (vec!["这个我不", "请您稍等。"], 1));
}

#[test]
fn other_words_under_a_settled_id_are_another_sentence() {
    for format in ["whisperlive", "huawei", "sherpa-onnx", "dashscope"] {
        let messages =
            [(2_000, stamped(format, "这个我不知道", 0, 1_500)), (6_000, stamped(format, "请您稍等片刻", 0, 1_500))];
        let (standing, _) = heard(format, None, &messages);
        let words: Vec<(&str, i64)> = standing.iter().map(|(_, text, start, _)| (text.as_str(), *start)).collect();
        assert_eq!(words, [("这个我不知道", 0), ("请您稍等片刻", 4_500)], "{format}");
    }
    // Hypotheses, too, and the same words at another time.
    let sherpa = |text: &str, is_final: bool| format!(r#"{{"text":"{text}","segment":0,"is_final":{is_final}}}"#);
    let messages = [
        (1_000, sherpa("好的我", false)),
        (2_000, sherpa("好的我不知道", true)),
        (9_000, sherpa("请您", false)),
        (10_000, sherpa("请您稍等", true)),
        (10_500, sherpa("请您稍等", true)),
    ];
    let (standing, _) = heard("sherpa-onnx", None, &messages);
    let words: Vec<&str> = standing.iter().map(|(_, text, ..)| text.as_str()).collect();
    assert_eq!(words, ["好的我不知道", "请您稍等"]);
    let again = [(2_000, stamped("dashscope", "好的", 0, 1_500)), (6_000, stamped("dashscope", "好的", 4_000, 5_500))];
    assert_eq!(heard("dashscope", None, &again).0.len(), 2);
    // Huawei counts from 0 in each session.
    let other = stamped("huawei", "这个我不知道的", 0, 1_500).replace("t1", "t2");
    assert_eq!(
        heard("huawei", None, &[(2_000, stamped("huawei", "这个我不知道", 0, 1_500)), (6_000, other)]).0.len(),
        2
    );
}

#[test]
fn a_correction_replaces_its_sentence() {
    for format in
        STAMPING.into_iter().filter(|format| !matches!(*format, "vosk" | "wenet" | "baidu" | "deepgram" | "funasr"))
    {
        let messages =
            [(2_000, stamped(format, "这个我不知道", 0, 1_500)), (2_500, stamped(format, "这个我不知道。", 0, 1_500))];
        let (standing, _) = heard(format, None, &messages);
        let words: Vec<&str> = standing.iter().map(|(_, text, ..)| text.as_str()).collect();
        assert_eq!(words, ["这个我不知道。"], "{format}");
    }
    // Its ids are unique: whatever was taken out of the words, it is the same segment.
    let segment = |text: &str| {
        format!(
            r#"{{"SegmentId":"s","Channel":"CALLER","Transcript":"{text}","StartTime":"1.0","EndTime":"2.0","IsPartial":false}}"#
        )
    };
    let (standing, _) = heard("aws", Some("AGENT"), &[(2_000, segment("一三九")), (90_000, segment("[PHONE]"))]);
    assert_eq!(standing.len(), 1);
}

#[test]
fn an_unchanged_hypothesis_prolongs_nothing() {
    let partial = r#"{"partial":"我 想 问 一下"}"#.to_owned();
    let mut messages: Vec<(i64, String)> = (1..20).map(|n| (1_000 + 500 * n, partial.clone())).collect();
    messages.push((11_000, r#"{"text":"我 想 问 一下"}"#.to_owned()));
    let (standing, _) = heard("vosk", None, &messages);
    assert_eq!(standing, [(format!("{PREFIX}0"), "我想问一下".to_owned(), 900, 1_500)]);
}

#[test]
fn what_neither_party_said_is_left_out() {
    let segment = |channel: &str| {
        format!(
            r#"{{"SegmentId":"{channel}","Channel":"{channel}","Transcript":"不知道","StartTime":1,"EndTime":2,"IsPartial":false}}"#
        )
    };
    for voices in [Some("AGENT"), None] {
        for nobody in ["AGENT_ASSISTANT", "CATEGORY_MATCH", "AGENT_VOICETONE", "CALLER_VOICETONE", "category_match"] {
            assert_eq!(heard("aws", voices, &[(3_000, segment(nobody))]).0, [], "{nobody}");
        }
        for party in ["AGENT", "CALLER"] {
            assert_eq!(heard("aws", voices, &[(3_000, segment(party))]).0.len(), 1, "{party}");
        }
    }
}

#[test]
fn a_colleague_who_hangs_up_ends_nothing() {
    let event = |kind: &str, leg: &str, direction: &str, second: i64, more: &str| {
        let epoch = 1_795_226_400 + second;
        format!(
            r#"{{"Event-Name":"{kind}","Unique-ID":"{leg}","Call-Direction":"{direction}","Event-Date-Timestamp":"{epoch}000000","Caller-Channel-Answered-Time":"{}000000","Hangup-Cause":"NORMAL_CLEARING","variable_sip_hangup_disposition":"recv_bye"{more}}}"#,
            if leg == "C" { 1_795_226_440 } else { 1_795_226_400 }
        )
    };
    let joined = |a: &str, b: &str| format!(r#","Bridge-A-Unique-ID":"{a}","Bridge-B-Unique-ID":"{b}""#);
    for knows_legs in [true, false] {
        let bridge = |a: &str, b: &str| if knows_legs { joined(a, b) } else { String::new() };
        let mut messages = vec![event("CHANNEL_BRIDGE", "A", "inbound", 0, &bridge("A", "B"))];
        if knows_legs {
            messages.insert(0, event("CHANNEL_ANSWER", "B", "outbound", 0, ""));
            messages.push(event("CHANNEL_ANSWER", "C", "outbound", 40, ""));
            messages.push(event("CHANNEL_BRIDGE", "B", "outbound", 41, &joined("B", "C")));
            messages.push(event("CHANNEL_HOLD", "C", "outbound", 42, ""));
        }
        messages.push(event("CHANNEL_HANGUP_COMPLETE", "C", "outbound", 60, ""));
        messages.push(event("CHANNEL_HANGUP_COMPLETE", "A", "inbound", 90, ""));
        let voices = Format::Freeswitch.voices(None, None).unwrap();
        let mut adapter = Format::Freeswitch.adapter(Leg { voices, began: CallTime(0), id_prefix: PREFIX.to_owned() });
        let mut inputs = Vec::new();
        for message in messages {
            adapter.message(&message, CallTime(0), &mut inputs).unwrap();
        }
        let end = Input::End { at: CallTime(90_000), by: tingjian::engine::transcript::Party::Customer };
        assert_eq!(inputs, [end], "{knows_legs}");
    }
}

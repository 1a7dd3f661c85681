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

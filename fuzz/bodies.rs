//! What the fuzz targets do, and what `tests/engine/fuzz_corpus.rs` does with the corpus.
//!
//! Each function takes any bytes. It panics if something does not hold that
//! must hold for any bytes.

use std::sync::{Arc, LazyLock};

use tingjian::adapter::native::{self, EventBody};
use tingjian::adapter::{Format, Leg};
use tingjian::engine::alert::{Alert, AlertState};
use tingjian::engine::call::Call;
use tingjian::engine::diagnostic::{Language, Level};
use tingjian::engine::explain::explain;
use tingjian::engine::rule::lint::lint;
use tingjian::engine::rule::parse::SourceFile;
use tingjian::engine::rule::render::render;
use tingjian::engine::rule::{RuleSet, load};
use tingjian::engine::time::CallTime;
use tingjian::engine::transcript::{CallInfo, Channel, Direction, Input, Party, Role, Utterance};
use tingjian::engine::unit_test;

/// A rule file: read, compiled, its faults rendered, its tests run.
pub(crate) fn rules(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let files = [SourceFile { name: String::from("fuzz.yaml"), text }];
    match load(&files, String::from("fuzz")) {
        Ok(loaded) => {
            for language in [Language::Zh, Language::En] {
                let _ = render(&lint(&loaded, None), &files, language, false);
            }
            let report = unit_test::run(&loaded.rules, &loaded.packs);
            for language in [Language::Zh, Language::En] {
                let _ = report.render(language);
            }
            play(&loaded.rules, b"\x00\x41\x42\x43\x10\x44\x45\x30\x09\xf0");
        }
        Err(faults) => {
            assert!(faults.iter().any(|fault| fault.level == Level::Error), "refused without a reason: {faults:?}");
            for language in [Language::Zh, Language::En] {
                let report = render(&faults, &files, language, false);
                assert!(!report.contains('\u{1b}'), "a rule file steers the terminal");
            }
        }
    }
}

/// One frame: read as a native event, which survives being written and read
/// again.
pub(crate) fn event(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(event) = native::parse(text)
        && let EventBody::Input(input) = event.body
    {
        let again = native::parse(&native::to_json(&event.call_id, &input)).expect("what was written can be read");
        assert_eq!(again.call_id, event.call_id);
        assert_eq!(again.body, EventBody::Input(input));
    }
}

/// A recogniser's connection: the first line is the query of its address, the
/// others are messages.
pub(crate) fn adapter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (query, messages) = text.split_once('\n').unwrap_or((text, ""));
    let mut words = query.split(' ');
    let format = words.next().and_then(Format::from_name);
    let (role, channel) = (words.next().filter(|role| *role != "-"), words.next());
    for format in Format::ALL.iter().copied().filter(|known| format.is_none_or(|format| format == *known)) {
        // What cannot be told apart, or needs no role, has another chance.
        let voices = format.voices(role, channel).or_else(|_| format.voices(Some("customer"), None));
        let Ok(voices) = voices.or_else(|_| format.voices(None, None)) else { continue };
        let mut adapter = format.adapter(Leg { voices, began: CallTime(1_000), id_prefix: String::from("c/") });
        let mut inputs = Vec::new();
        for (now, line) in (2_000..).step_by(500).zip(messages.lines()) {
            let _ = adapter.message(line, CallTime(now), &mut inputs);
        }
        adapter.finish(&mut inputs);
        for input in inputs {
            let again = native::parse(&native::to_json("c", &input)).expect("what was written can be read");
            assert_eq!(again.body, EventBody::Input(input.clone()));
            let Input::Utterance(utterance) = input else { continue };
            assert!(utterance.start <= utterance.end, "ends before it begins: {utterance:?}");
            assert!(utterance.utterance_id.starts_with("c/"), "{utterance:?}");
        }
    }
}

/// A call: any inputs at any times, under rules of every kind.
pub(crate) fn call(data: &[u8]) {
    static RULES: LazyLock<Arc<RuleSet>> = LazyLock::new(|| {
        let files = [SourceFile { name: String::from("call.yaml"), text: String::from(include_str!("call.yaml")) }];
        match load(&files, String::from("fuzz")) {
            Ok(loaded) => loaded.rules,
            Err(faults) => panic!("{}", render(&faults, &files, Language::En, false)),
        }
    });
    play(&RULES, data);
}

/// Pieces of texts: phrases of `call.yaml`, their halves, and what folding is about.
const PIECES: [&str; 24] = [
    "不知道",
    "不不",
    "知道",
    "，",
    "。",
    "？",
    "您好",
    "工号",
    "零八零幺",
    "1",
    "百分之",
    "十五",
    "嗯",
    "那个",
    "抱歉",
    "请稍等",
    "能帮您",
    "吗",
    "_",
    "😊",
    "a\u{301}",
    "我要投诉",
    "謝謝",
    "\u{200b}",
];

/// Times that arithmetic may stumble over.
const TIMES: [i64; 12] =
    [0, 1, -1, 1_000, 60_000, -60_000, 1 << 40, i64::MAX, i64::MAX - 1, i64::MIN, i64::MIN + 1, i64::MAX / 2];

/// Reads bytes as decisions; what is missing reads as 0.
struct Bytes<'d>(std::slice::Iter<'d, u8>);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        self.0.next().copied().unwrap_or_default()
    }

    /// Most often a while after `from`; sometimes anything.
    fn time(&mut self, from: i64) -> CallTime {
        let byte = self.next();
        match byte {
            0..=191 => CallTime(from.saturating_add(i64::from(byte) * 100)),
            192..=223 => CallTime(from.saturating_sub(i64::from(byte - 192) * 100)),
            _ => CallTime(TIMES[usize::from(byte) % TIMES.len()]),
        }
    }

    fn text(&mut self) -> String {
        let pieces = self.next() % 8;
        (0..pieces).map(|_| PIECES[usize::from(self.next()) % PIECES.len()]).collect()
    }

    fn level(&mut self) -> Option<f32> {
        match self.next() % 5 {
            0 => Some(-20.0),
            1 => Some(f32::NAN),
            2 => Some(f32::INFINITY),
            _ => None,
        }
    }
}

fn play(rules: &Arc<RuleSet>, data: &[u8]) {
    let mut bytes = Bytes(data.iter());
    let info = CallInfo {
        call_id: String::from("fuzz"),
        agent_id: String::from("a1"),
        started_at: "2026-11-21T23:59:00+08:00".parse().expect("a time"),
        direction: Direction::Inbound,
        channel: if bytes.next() % 4 == 3 { Channel::Chat } else { Channel::Voice },
        queue: None,
        rings: Some(u32::from(bytes.next())),
        customer_name: None,
        packs: None,
        attributes: Default::default(),
    };
    let mut call = Call::explainable(Arc::clone(rules), info);
    let mut watch = Watch::default();
    watch.drain(&mut call);
    let mut said = 0;
    while bytes.0.len() > 0 {
        let now = bytes.time(said);
        let input = match bytes.next() % 16 {
            0..=8 => {
                let start = bytes.time(said);
                let utterance = Utterance {
                    utterance_id: ["", "a", "b", "c", "d#0", "e"][usize::from(bytes.next() % 6)].to_owned(),
                    role: [Role::Agent, Role::Customer, Role::System][usize::from(bytes.next() % 3)],
                    text: bytes.text(),
                    start,
                    end: bytes.time(start.0),
                    is_final: bytes.next() % 3 != 0,
                    confidence: bytes.level(),
                    volume_db: bytes.level(),
                    pitch_hz: bytes.level(),
                    agent_id: None,
                };
                Input::Utterance(utterance)
            }
            9 => Input::Hold { at: bytes.time(said) },
            10 => Input::Resume { at: bytes.time(said) },
            11 => Input::Transfer { at: bytes.time(said), to: None },
            12 => Input::TransferAnswered { at: bytes.time(said), agent_id: Some(String::from("a2")) },
            13 => {
                let by = [Party::Agent, Party::Customer, Party::System][usize::from(bytes.next() % 3)];
                Input::End { at: bytes.time(said), by }
            }
            14 => {
                let due = call.poll_timeout();
                call.handle_timeout(now);
                let spoke = watch.drain(&mut call);
                assert!(!spoke || due.is_some_and(|due| due <= now), "spoke before it was due");
                assert!(call.poll_timeout().is_none_or(|due| due > now), "still due");
                continue;
            }
            _ => {
                call.finish();
                watch.drain(&mut call);
                continue;
            }
        };
        if (-100_000_000..100_000_000).contains(&input.said_at().0) {
            said = input.said_at().0;
        }
        call.handle(now, input);
        watch.drain(&mut call);
    }
    call.finish();
    watch.drain(&mut call);
    assert!(call.ended() && call.poll_timeout().is_none(), "finished, and yet something is due");
    for rule in &rules.rules {
        assert!(explain(&call, &rule.id).is_some());
    }
}

/// Watches what a call says.
#[derive(Default)]
struct Watch {
    known: std::collections::BTreeMap<String, Alert>,
    clock: Option<CallTime>,
}

impl Watch {
    /// Whether the call had anything to say.
    fn drain(&mut self, call: &mut Call) -> bool {
        let mut spoke = false;
        while let Some(alert) = call.poll_output() {
            spoke = true;
            assert!(self.clock <= Some(alert.emitted), "the clock ran backwards");
            self.clock = Some(alert.emitted);
            for evidence in &alert.evidence {
                let length = evidence.text.chars().count();
                assert!(evidence.start <= evidence.end && evidence.end <= length, "out of the text: {evidence:?}");
            }
            let before = self.known.get(&alert.alert_id);
            if alert.state == AlertState::Retracted {
                assert!(before.is_some_and(|before| before.state != AlertState::Retracted), "nothing to retract");
            }
            if let Some(before) = before {
                let same = (before.state, before.at, &before.evidence) == (alert.state, alert.at, &alert.evidence);
                assert!(!same, "said twice: {alert:?}");
            }
            self.known.insert(alert.alert_id.clone(), alert);
        }
        spoke
    }
}

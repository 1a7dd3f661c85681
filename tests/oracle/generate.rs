//! Random rules and random calls, made so that they meet: few phrases, texts
//! made of the pieces of those phrases, and times that fall near the windows.

use std::collections::BTreeMap;
use std::fmt;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use tingjian::engine::diagnostic::Located;
use tingjian::engine::rule::syntax::{
    Anchor, Body, Context, EventRule, Expression, Extent, Forbid, HourRange, Hypotheses, Limit, PackSource, Part,
    PhraseSource, Require, RuleSource, Said, Scope, Sequence, Step, Timing, Window,
};
use tingjian::engine::severity::Severity;
use tingjian::engine::text::{Boundary, Homophone};
use tingjian::engine::time::CallTime;
use tingjian::engine::transcript::{CallInfo, Channel, Direction, EventKind, Input, Party, Role, Utterance};

/// Phrases of characters that folding leaves alone; one holds another, two overlap.
const PHRASES: [&str; 5] = ["山水花", "鱼虫", "风雨雪松", "山水花鸟", "雪松竹"];

/// What texts are made of: whole phrases, their pieces, and words that mean nothing.
const PIECES: [&str; 16] = [
    "山水花",
    "鱼虫",
    "风雨雪松",
    "山水花鸟",
    "雪松竹",
    "山水",
    "花",
    "鸟",
    "鱼",
    "虫",
    "风雨",
    "竹",
    "石",
    "田木沙",
    "铁",
    "松柏",
];

/// A call: what was finally said, what happened, and what was known at its start.
#[derive(Clone)]
pub(crate) struct Recording {
    pub(crate) info: CallInfo,
    pub(crate) finals: Vec<Utterance>,
    pub(crate) events: Vec<Input>,
}

/// A line an input.
impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "rings {:?}", self.info.rings)?;
        for line in &self.finals {
            let Utterance { utterance_id, role, text, start, end, volume_db, .. } = line;
            writeln!(f, "{start}-{end} {role:?} {utterance_id} {text} {volume_db:?}")?;
        }
        self.events.iter().try_for_each(|event| writeln!(f, "{event:?}"))
    }
}

/// A pack whose places in a file, having none, are not printed.
#[derive(Clone)]
pub(crate) struct Pack(pub(crate) PackSource);

impl fmt::Debug for Pack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.rules.iter().try_for_each(|rule| {
            let RuleSource { id, body, limit, hypotheses, when, grace_ms, .. } = rule;
            let text = format!("{} {:?} {limit:?} {hypotheses:?} grace {grace_ms} when {when:?}", id.value, body.value);
            writeln!(f, "{}", text.replace(", at: Position { file: \"\", line: 0, column: 0, length: 0 }", ""))
        })
    }
}

impl Recording {
    /// Everything in the order in which it is naturally learnt: a final when
    /// its words are over, an event when it happens.
    pub(crate) fn arrivals(&self) -> Vec<(CallTime, Input)> {
        let finals = self.finals.iter().cloned().map(Input::Utterance);
        in_order(self.events.iter().cloned().chain(finals).map(|input| (input.said_at(), input)).collect())
    }

    /// The same call as a recogniser with second thoughts and a slow network tell it.
    pub(crate) fn told(&self, tellings: &[Telling], delays_ms: &[i64]) -> Vec<(CallTime, Input)> {
        let late = |(event, delay_ms): (&Input, &i64)| (event.said_at().plus(*delay_ms), event.clone());
        let mut told: Vec<(CallTime, Input)> = self.events.iter().zip(delays_ms.iter().cycle()).map(late).collect();
        for (settled, telling) in self.finals.iter().zip(tellings.iter().cycle()) {
            telling.tell(settled, &mut told);
        }
        in_order(told)
    }
}

fn located<T>(value: T) -> Located<T> {
    Located::new(value, Default::default())
}

fn phrase(text: &str) -> PhraseSource {
    PhraseSource { text: located(text.to_owned()), is_act: false, homophone: None, boundary: None }
}

// ---- words -----------------------------------------------------------------

/// Pieces put together so that no character stands beside itself: stutter is not the oracle's matter.
pub(crate) fn text() -> impl Strategy<Value = String> {
    vec(select(&PIECES[..]), 0..5).prop_map(|pieces| {
        let mut text = String::new();
        for piece in pieces {
            if text.chars().last() != piece.chars().next() {
                text.push_str(piece);
            }
        }
        text
    })
}

fn roles() -> impl Strategy<Value = Vec<Role>> {
    prop_oneof![
        5 => Just(vec![Role::Agent]),
        2 => Just(vec![Role::Customer]),
        1 => Just(vec![Role::Agent, Role::Customer]),
        1 => Just(vec![Role::Agent, Role::System]),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    (roles(), proptest::sample::subsequence(&PHRASES[..], 1..4)).prop_map(|(roles, any)| Said {
        roles,
        any: any.into_iter().map(phrase).collect(),
        unless: Vec::new(),
        only: Vec::new(),
        homophone: Some(Homophone::Off),
        boundary: Some(Boundary::Anywhere),
    })
}

// ---- rules -----------------------------------------------------------------

fn span_ms() -> impl Strategy<Value = i64> {
    select(&[1_000_i64, 2_500, 5_000, 8_000, 15_000, 40_000][..])
}

fn extent() -> impl Strategy<Value = Extent> {
    prop_oneof![
        6 => span_ms().prop_map(Extent::Ms),
        2 => (1_u32..3).prop_map(Extent::Turns),
        1 => Just(Extent::Unbounded),
    ]
}

fn event_kind() -> impl Strategy<Value = EventKind> {
    use EventKind::{Hold, Resume, Transfer, TransferAnswered};
    select(&[Hold, Resume, Transfer, TransferAnswered][..])
}

fn anchor() -> impl Strategy<Value = Anchor> {
    prop_oneof![
        Just(Anchor::Event(EventKind::Answered)),
        event_kind().prop_map(Anchor::Event),
        said().prop_map(|said| Anchor::Said(Box::new(said))),
    ]
}

fn window() -> impl Strategy<Value = Window> {
    prop_oneof![
        2 => extent().prop_map(Window::First),
        2 => extent().prop_map(Window::Last),
        4 => (anchor(), extent()).prop_map(|(anchor, extent)| Window::After(anchor, extent)),
        2 => (prop_oneof![anchor(), Just(Anchor::Event(EventKind::End))], extent())
            .prop_map(|(anchor, extent)| Window::Before(anchor, extent)),
    ]
}

fn then() -> impl Strategy<Value = Context> {
    (proptest::sample::subsequence(&PHRASES[..], 1..3), span_ms())
        .prop_map(|(any, within_ms)| Context::Then { any: any.into_iter().map(phrase).collect(), within_ms })
}

fn forbid() -> impl Strategy<Value = Body> {
    (said(), option::weighted(0.3, then()), 1_u32..3, option::of(window())).prop_map(
        |(said, then, at_least, window)| {
            let said = Said { unless: then.into_iter().collect(), ..said };
            Body::Forbid(Forbid { said, at_least, window })
        },
    )
}

fn require() -> impl Strategy<Value = Body> {
    let part = said().prop_map(|said| Part { name: None, say: None, said });
    (vec(part, 1..3), window(), option::of(select(&[500_i64, 2_000, 6_000][..])), any::<bool>(), any::<bool>())
        .prop_map(|(parts, window, remind_ms, count_hold, even_if_cut_short)| {
            Body::Require(Require { parts, window, remind_ms, reminder: None, count_hold, even_if_cut_short })
        })
}

fn sequence() -> impl Strategy<Value = Body> {
    let step = (said(), proptest::bool::weighted(0.3)).prop_map(|(said, optional)| Step {
        say: None,
        name: said.any[0].text.value.clone(),
        said,
        optional,
    });
    (option::of(anchor()), vec(step, 2..4), option::of(span_ms()))
        .prop_map(|(after, steps, within_ms)| Body::Sequence(Sequence { after, steps, within_ms }))
}

fn party() -> impl Strategy<Value = Role> {
    select(&[Role::Agent, Role::Customer][..])
}

fn timing() -> impl Strategy<Value = Body> {
    let over = || select(&[1_000_i64, 3_000, 6_000, 10_000][..]);
    let rate = (party(), option::of(100_u32..300), option::of(150_u32..500), over(), 500_i64..3_000);
    let interruption = (party(), 100_i64..1_500, 0_i64..1_500, 1_u32..4, any::<bool>());
    prop_oneof![
        3 => (option::of(party()), over()).prop_map(|(of, over_ms)| match of {
            Some(by) if over_ms < 6_000 => Timing::Listening { by, over_ms },
            of => Timing::Silence { of, over_ms },
        }),
        1 => over().prop_map(|over_ms| Timing::Hold { over_ms }),
        2 => rate.prop_map(|(role, below, above, window_ms, at_least_ms)| {
            Timing::Rate { role, below, above, window_ms, at_least_ms }
        }),
        2 => interruption.prop_map(|(by, overlap_ms, after_ms, min_chars, unless)| Timing::Interruption {
            by,
            overlap_ms,
            after_ms,
            min_chars,
            unless: if unless { vec![phrase("石")] } else { Vec::new() },
        }),
        2 => (party(), over()).prop_map(|(role, over_ms)| Timing::Monologue { role, over_ms }),
        2 => (party(), over()).prop_map(|(by, over_ms)| Timing::Reply { by, over_ms }),
        1 => (0_u32..6).prop_map(|over| Timing::Rings { over }),
        1 => (party(), option::of(-30.0_f32..0.0), option::of(-20.0_f32..10.0))
            .prop_map(|(role, below, above)| Timing::Volume { role, below, above }),
    ]
    .prop_map(Body::Timing)
}

fn event() -> impl Strategy<Value = Body> {
    let greeting = vec((0_u32..24, 1_u32..24, select(&PHRASES[..])), 1..3);
    prop_oneof![
        1 => select(&[Party::Agent, Party::Customer, Party::System][..]).prop_map(EventRule::HangupBy),
        3 => (event_kind(), said(), span_ms())
            .prop_map(|(event, said, within_ms)| EventRule::Without { event, said, within_ms }),
        1 => Just(EventRule::TransferUnanswered),
        1 => greeting.prop_map(|hours| EventRule::Greeting {
            hours: hours
                .into_iter()
                .map(|(from, hours, text)| {
                    let range = HourRange { from_minute: from * 60, until_minute: (from + hours) * 60 };
                    let anywhere = PhraseSource { boundary: Some(Boundary::Anywhere), ..phrase(text) };
                    (range, vec![anywhere])
                })
                .collect(),
        }),
    ]
    .prop_map(Body::Event)
}

fn expression() -> impl Strategy<Value = Expression> {
    let leaf = prop_oneof![
        3 => (said(), option::of(span_ms())).prop_map(|(said, within_ms)| Expression::Said { said, within_ms }),
        3 => (event_kind(), option::of(span_ms()))
            .prop_map(|(event, within_ms)| Expression::Happened { event, within_ms }),
        1 => span_ms().prop_map(Expression::LastedMs),
        1 => (0_u32..20, 1_u32..10).prop_map(|(from, hours)| {
            Expression::Hour(HourRange { from_minute: from * 60, until_minute: (from + hours) * 60 })
        }),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..3).prop_map(Expression::All),
            vec(inner.clone(), 1..3).prop_map(Expression::Any),
            inner.prop_map(|inner| Expression::Not(Box::new(inner))),
        ]
    })
}

fn any_body() -> impl Strategy<Value = Body> {
    prop_oneof![4 => forbid(), 5 => require(), 3 => sequence(), 4 => timing(), 2 => event()]
}

/// A rule; of its limits, no limit has the weight `each`, the others one each.
fn rule(body: impl Strategy<Value = Body>, each: u32) -> impl Strategy<Value = RuleSource> {
    let limit = prop_oneof![
        each => Just(Limit::Each),
        1 => Just(Limit::Once),
        1 => (1_u32..3).prop_map(Limit::Max),
        1 => span_ms().prop_map(Limit::CooldownMs),
    ];
    let hypotheses = prop_oneof![
        4 => Just(Hypotheses::Show),
        1 => Just(Hypotheses::Final),
        1 => (1_u32..3).prop_map(Hypotheses::Revisions),
        1 => (100_i64..2_000).prop_map(Hypotheses::StableMs),
    ];
    let when = proptest::option::weighted(0.35, expression());
    (body, limit, hypotheses, when, select(&[0_i64, 700, 2_000][..])).prop_map(
        |(body, limit, hypotheses, when, grace_ms)| RuleSource {
            confidence: None,
            shadow: false,
            digest: String::new(),
            id: located(String::new()),
            name: String::from("规则"),
            severity: Severity::Warning,
            deduct: 1,
            message: String::from("{phrase} {missing} {said}/{total} {step} {before}"),
            suggestion: None,
            clauses: Vec::new(),
            from: None,
            until: None,
            scope: Scope::default(),
            when,
            limit,
            hypotheses,
            grace_ms,
            body: located(body),
            tests: Vec::new(),
        },
    )
}

/// A pack of a few rules.
pub(crate) fn pack() -> impl Strategy<Value = Pack> {
    pack_of(rule(any_body(), 5))
}

/// A pack of rules that require words, most of them with a limit.
pub(crate) fn requirements() -> impl Strategy<Value = Pack> {
    pack_of(rule(require(), 1))
}

fn pack_of(rule: impl Strategy<Value = RuleSource>) -> impl Strategy<Value = Pack> {
    vec(rule, 1..4).prop_map(|mut rules| {
        for (ix, rule) in rules.iter_mut().enumerate() {
            rule.id.value = format!("rule-{ix}");
        }
        Pack(PackSource {
            pack: located(String::from("pack")),
            title: String::new(),
            source: None,
            parameters: Vec::new(),
            enabled: true,
            feature: true,
            yields_to: Vec::new(),
            subjects: Default::default(),
            lists: BTreeMap::new(),
            rules,
        })
    })
}

// ---- arrival ---------------------------------------------------------------

fn in_order(mut arrivals: Vec<(CallTime, Input)>) -> Vec<(CallTime, Input)> {
    arrivals.sort_by_key(|(at, _)| *at);
    arrivals
}

/// How the words of one utterance come to be known.
#[derive(Clone, Debug)]
pub(crate) struct Telling {
    /// Wordings before the true final.
    earlier: Vec<Wording>,
    /// How long after its end the true final arrives.
    late_ms: i64,
}

/// Something that the recogniser took the words for.
#[derive(Clone, Debug)]
struct Wording {
    /// A beginning of the true words; otherwise something else.
    instead: Option<String>,
    /// In the wrong mouth.
    wrong_role: bool,
    /// Its start is off by so much.
    shift_ms: i64,
    /// It calls itself final, and will be corrected.
    is_final: bool,
}

impl Telling {
    fn tell(&self, settled: &Utterance, told: &mut Vec<(CallTime, Input)>) {
        let length = settled.end.since(settled.start);
        let chars = settled.text.chars().count();
        let parts = self.earlier.len() + 1;
        let mut latest = settled.start;
        for (ix, wording) in self.earlier.iter().enumerate() {
            let until = settled.start.plus(length * (ix as i64 + 1) / parts as i64);
            let beginning = || settled.text.chars().take(chars * (ix + 1) / parts).collect();
            let role = match settled.role {
                Role::Agent if wording.wrong_role => Role::Customer,
                Role::Customer if wording.wrong_role => Role::Agent,
                role => role,
            };
            let utterance = Utterance {
                role,
                text: wording.instead.clone().unwrap_or_else(beginning),
                start: CallTime((settled.start.0 + wording.shift_ms).max(0)),
                end: until,
                is_final: wording.is_final,
                ..settled.clone()
            };
            latest = until.plus(self.late_ms * (ix as i64 + 1) / parts as i64);
            told.push((latest, Input::Utterance(utterance)));
        }
        told.push((settled.end.plus(self.late_ms).max(latest.plus(1)), Input::Utterance(settled.clone())));
    }
}

fn wording() -> impl Strategy<Value = Wording> {
    let shift_ms = prop_oneof![4 => Just(0_i64), 1 => -400_i64..400];
    let (wrong_role, is_final) = (proptest::bool::weighted(0.1), proptest::bool::weighted(0.15));
    (proptest::option::weighted(0.4, text()), wrong_role, shift_ms, is_final)
        .prop_map(|(instead, wrong_role, shift_ms, is_final)| Wording { instead, wrong_role, shift_ms, is_final })
}

/// How a call's utterances come to be known: with hypotheses, and late.
pub(crate) fn tellings() -> impl Strategy<Value = Vec<Telling>> {
    let late_ms = prop_oneof![3 => Just(0_i64), 4 => 0_i64..2_500, 1 => 2_500_i64..30_000];
    let telling = (vec(wording(), 0..4), late_ms).prop_map(|(earlier, late_ms)| Telling { earlier, late_ms });
    vec(telling, 1..12)
}

/// How late events come.
pub(crate) fn delays() -> impl Strategy<Value = Vec<i64>> {
    vec(prop_oneof![2 => Just(0_i64), 2 => 0_i64..2_500, 1 => 2_500_i64..10_000], 1..6)
}

/// Finals only, none of them later than `most_ms`.
pub(crate) fn punctual(most_ms: i64) -> impl Strategy<Value = Vec<Telling>> {
    vec((0..=most_ms).prop_map(|late_ms| Telling { earlier: Vec::new(), late_ms }), 1..12)
}

// ---- calls -----------------------------------------------------------------

pub(crate) fn info(rings: Option<u32>) -> CallInfo {
    CallInfo {
        call_id: String::from("call"),
        agent_id: String::from("agent"),
        started_at: "2026-03-02T09:59:30+08:00".parse().expect("a time"),
        direction: Direction::Inbound,
        channel: Channel::Voice,
        queue: None,
        rings,
        customer_name: None,
        packs: None,
        attributes: BTreeMap::new(),
    }
}

#[derive(Clone, Debug)]
struct Line {
    role: Role,
    text: String,
    /// After the latest start so far; negative overlaps.
    gap_ms: i64,
    length_ms: i64,
    volume_db: Option<f32>,
}

fn line() -> impl Strategy<Value = Line> {
    let role = prop_oneof![5 => Just(Role::Agent), 4 => Just(Role::Customer), 1 => Just(Role::System)];
    let gap_ms = prop_oneof![6 => 0_i64..2_500, 2 => -2_000_i64..0, 1 => 2_500_i64..12_000];
    (role, text(), gap_ms, 200_i64..4_000, option::of(-40.0_f32..10.0))
        .prop_map(|(role, text, gap_ms, length_ms, volume_db)| Line { role, text, gap_ms, length_ms, volume_db })
}

/// A call. One speaker's words do not overlap each other, different speakers' do.
pub(crate) fn recording(always_ends: bool) -> impl Strategy<Value = Recording> {
    let hold = (0_i64..25_000, 300_i64..12_000, proptest::bool::weighted(0.9));
    let transfer = (0_i64..25_000, option::of(0_i64..8_000));
    let by = select(&[Party::Agent, Party::Customer, Party::System][..]);
    let ending = (-1_500_i64..6_000, by);
    let ending = if always_ends { ending.prop_map(Some).boxed() } else { option::weighted(0.8, ending).boxed() };
    (vec(line(), 0..12), vec(hold, 0..3), vec(transfer, 0..3), ending, option::of(0_u32..8)).prop_map(
        |(lines, holds, transfers, ending, rings)| {
            let mut finals: Vec<Utterance> = Vec::new();
            let mut cursor = 0;
            for (ix, line) in lines.into_iter().enumerate() {
                let own_end = finals.iter().filter(|other| other.role == line.role).map(|other| other.end.0).max();
                let start = (cursor + line.gap_ms).max(own_end.unwrap_or(0));
                let end = start + line.length_ms;
                cursor = cursor.max(end);
                finals.push(Utterance {
                    // The order of ids is not the order of speech.
                    utterance_id: format!("u{:02}", ix * 7 % 31),
                    role: line.role,
                    text: line.text,
                    start: CallTime(start),
                    end: CallTime(end),
                    is_final: true,
                    confidence: None,
                    volume_db: line.volume_db,
                    pitch_hz: None,
                    agent_id: None,
                });
            }
            let mut events = Vec::new();
            let mut holds = holds;
            holds.sort_unstable();
            let mut free_from = 0;
            let mut open = false;
            for (at, length, resumes) in holds {
                if open || at < free_from {
                    continue;
                }
                events.push(Input::Hold { at: CallTime(at) });
                open = !resumes;
                if resumes {
                    events.push(Input::Resume { at: CallTime(at + length) });
                }
                free_from = at + length + 1;
            }
            for (at, answered_after) in transfers {
                events.push(Input::Transfer { at: CallTime(at), to: None });
                if let Some(after) = answered_after {
                    let at = CallTime(at + after);
                    events.push(Input::TransferAnswered { at, agent_id: Some(String::from("second")) });
                }
            }
            let happened = events.iter().map(|event| event.said_at().0).max().unwrap_or(0);
            if let Some((after, by)) = ending {
                let at = (cursor + after).max(happened);
                events.push(Input::End { at: CallTime(at), by });
            }
            events.sort_by_key(Input::said_at);
            Recording { info: info(rings), finals, events }
        },
    )
}

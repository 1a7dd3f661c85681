//! Test scripts: little calls, one line each for what is said and what happens.
//!
//! ```text
//! start channel=voice queue=投诉
//! 00:05.0 agent 请您稍等，可以吗
//! 00:08.0 hold
//! 00:40.0 resume
//! 00:44.0 (said 00:41.0) agent 明天送到
//! 00:52.0 ! missing
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset, NaiveTime};

use super::syntax::{Body, EventRule, PackSource, RuleSource, TestSource};
use crate::diagnostic::{Diagnostic, Located, Position};
use crate::severity::{AlertKind, AlertState};
use crate::time::CallTime;
use crate::transcript::{Channel, Direction, Input, Party, Role, Utterance};

/// How long a character takes to say, unless a line says when the speech ended.
const CHARACTER_MS: i64 = 250;

/// A script that was understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Script {
    pub(crate) start: Start,
    /// The inputs in the order of arrival.
    pub(crate) arrivals: Vec<Arrival>,
    /// The alerts that must come out, in the order of the lines.
    pub(crate) expected: Vec<Expected>,
    /// The latest moment that is written.
    pub(crate) last: CallTime,
    /// The call ends.
    pub(crate) ended: bool,
}

/// The `start` line: what is known of the call. What is not said is fitted to the rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Start {
    pub(crate) direction: Option<Direction>,
    pub(crate) channel: Option<Channel>,
    pub(crate) queue: Option<String>,
    pub(crate) rings: Option<u32>,
    pub(crate) customer_name: Option<String>,
    pub(crate) started_at: Option<StartedAt>,
    pub(crate) attributes: BTreeMap<String, String>,
}

/// When the call was answered: the full time, or the hour of the day alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum StartedAt {
    Moment(DateTime<FixedOffset>),
    Hour(NaiveTime),
}

/// One input and when it arrives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arrival {
    pub(crate) at: CallTime,
    pub(crate) input: Input,
}

/// One line with a `!`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expected {
    pub(crate) time: Moment,
    pub(crate) what: What,
    /// Another rule than the one under test.
    pub(crate) rule: Option<String>,
    pub(crate) at: Position,
}

/// The expected alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A transition to this state.
    State(AlertState),
    /// A confirmed alert of this kind.
    Kind(AlertKind),
}

/// A time as it was written: `00:52` means any moment of that second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) from: CallTime,
    /// How many milliseconds the last written digit stands for.
    pub(crate) precision_ms: i64,
}

impl Moment {
    /// The last millisecond that it may mean.
    pub(crate) fn last(self) -> CallTime {
        self.from.plus(self.precision_ms - 1)
    }

    pub(crate) fn covers(self, time: CallTime) -> bool {
        (0..self.precision_ms).contains(&time.since(self.from))
    }
}

const STATES: &[(&str, What)] = &[
    ("provisional", What::State(AlertState::Provisional)),
    ("confirmed", What::State(AlertState::Confirmed)),
    ("retracted", What::State(AlertState::Retracted)),
    ("reminder", What::State(AlertState::Reminder)),
    ("resolved", What::State(AlertState::Resolved)),
    ("forbidden", What::Kind(AlertKind::Forbidden)),
    ("missing", What::Kind(AlertKind::Missing)),
    ("timing", What::Kind(AlertKind::Timing)),
    ("order", What::Kind(AlertKind::Order)),
    ("event", What::Kind(AlertKind::Event)),
];

impl What {
    pub(crate) fn name(self) -> &'static str {
        STATES.iter().find(|(_, what)| *what == self).map_or("", |(name, _)| name)
    }
}

/// One line of speech, before it is known when it ended.
#[derive(Clone, Debug)]
struct Speech {
    role: Role,
    id: Option<String>,
    hypothesis: bool,
    text: String,
    /// The time at the head of the line.
    time: CallTime,
    /// The end at the head of the line.
    until: Option<CallTime>,
    /// `(said …)`: then the time at the head is when it arrived.
    said: Option<(CallTime, Option<CallTime>)>,
    volume_db: Option<f32>,
    pitch_hz: Option<f32>,
}

enum Line {
    Start(Start),
    Speech(Speech),
    Event(CallTime, Input),
    Expected(Expected),
}

/// How many tests of a rule expect an alert of it to stand. A line that a required phrase is known
/// by raises nothing; only a call shows what happens without it.
pub(super) fn firing_tests(rule: &RuleSource) -> usize {
    let forbids = matches!(rule.body.value, Body::Forbid(_) | Body::Event(EventRule::Greeting { .. }));
    let stands = |expected: &Expected| {
        matches!(expected.what, What::Kind(_) | What::State(AlertState::Confirmed))
            && expected.rule.as_ref().is_none_or(|other| *other == rule.id.value)
    };
    let fires = |test: &&TestSource| match test {
        TestSource::Line { fires, .. } => *fires && forbids,
        TestSource::Call { script } => parse(script).is_ok_and(|script| script.expected.iter().any(stands)),
    };
    rule.tests.iter().filter(fires).count()
}

/// The lines of test scripts that cannot be understood.
pub(super) fn faults(packs: &[PackSource]) -> Vec<Diagnostic> {
    let tests = packs.iter().flat_map(|pack| &pack.rules).flat_map(|rule| &rule.tests);
    let scripts = tests.filter_map(|test| match test {
        TestSource::Call { script } => Some(script),
        TestSource::Line { .. } => None,
    });
    scripts.filter_map(|script| parse(script).err()).flatten().collect()
}

/// Whether a script expects alerts of its own rule; nothing if it is not understood.
pub(super) fn expects_alerts(script: &Located<String>) -> Option<bool> {
    let script = parse(script).ok()?;
    let fires = |line: &Expected| {
        line.rule.is_none() && matches!(line.what, What::Kind(_) | What::State(AlertState::Confirmed))
    };
    Some(script.expected.iter().any(fires))
}

/// Reads a script; every line that cannot be understood is a diagnostic.
pub(crate) fn parse(script: &Located<String>) -> Result<Script, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let mut result = Script::default();
    let mut speeches = Vec::new();
    let mut arrivals: Vec<(u32, Arrival)> = Vec::new();
    let mut lines = 0;
    for (number, text) in (0..).zip(script.value.lines()) {
        let content = text.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let indent = u32::try_from(text.len() - text.trim_start().len()).unwrap_or(0);
        let at = Position {
            file: Arc::clone(&script.at.file),
            line: script.at.line + number,
            column: script.at.column + indent,
            length: u32::try_from(content.chars().count()).unwrap_or(0),
        };
        lines += 1;
        match line(content, &at) {
            Ok(Line::Start(start)) if lines == 1 => result.start = start,
            Ok(Line::Start(_)) => faults.push(fault(
                at,
                ("`start` 只能是第一行", "`start` can only be the first line"),
                ("把它移到最前面。", "Move it to the top."),
            )),
            Ok(Line::Speech(speech)) => speeches.push((number, speech)),
            Ok(Line::Event(time, input)) => {
                result.ended |= matches!(input, Input::End { .. });
                arrivals.push((number, Arrival { at: time, input }));
            }
            Ok(Line::Expected(expected)) => result.expected.push(expected),
            Err(diagnostic) => faults.push(*diagnostic),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    arrivals.extend(speeches.iter().map(|(number, _)| *number).zip(place(&speeches)));
    arrivals.sort_by_key(|(number, arrival)| (arrival.at, *number));
    result.arrivals = arrivals.into_iter().map(|(_, arrival)| arrival).collect();
    let moments = result.arrivals.iter().map(|arrival| arrival.at);
    let moments = moments.chain(result.expected.iter().map(|line| line.time.last()));
    result.last = moments.max().unwrap_or_default();
    Ok(result)
}

/// The state of an utterance after its earlier lines.
#[derive(Clone, Copy)]
struct Known {
    start: CallTime,
    /// Set once it is final.
    end: Option<CallTime>,
}

/// Decides when each line of speech began, ended and arrived.
fn place(speeches: &[(u32, Speech)]) -> Vec<Arrival> {
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    // The utterance that the hypotheses of a role are building up.
    let mut growing: BTreeMap<Role, String> = BTreeMap::new();
    let mut arrivals = Vec::new();
    for (index, (number, speech)) in speeches.iter().enumerate() {
        let id = speech
            .id
            .clone()
            .or_else(|| growing.get(&speech.role).cloned())
            .unwrap_or_else(|| format!("line-{}", number + 1));
        let earlier = known.get(&id).copied();
        let computed = |start: CallTime| {
            let chars = i64::try_from(speech.text.chars().count()).unwrap_or(i64::MAX);
            let end = start.plus(chars.saturating_mul(CHARACTER_MS));
            let next = speeches[index + 1..].iter().map(|(_, next)| next).filter(|next| next.role == speech.role);
            let next = next.map(|next| next.said.map_or(next.time, |(start, _)| start)).find(|next| *next > start);
            next.map_or(end, |next| next.min(end))
        };
        let (start, end, arrives) = match (speech.said, earlier) {
            (Some((start, end)), _) => {
                (start, end.unwrap_or_else(|| computed(start).min(speech.time.max(start))), speech.time)
            }
            // A correction is about the same stretch of speech, and comes when it says.
            (None, Some(Known { start, end: Some(end) })) => (start, speech.until.unwrap_or(end), speech.time),
            // It grew up to now.
            (None, Some(Known { start, end: None })) => {
                (start, speech.until.unwrap_or(speech.time).max(start), speech.time)
            }
            (None, None) if speech.hypothesis => (speech.time, speech.until.unwrap_or(speech.time), speech.time),
            (None, None) => {
                let end = speech.until.unwrap_or_else(|| computed(speech.time));
                (speech.time, end, end)
            }
        };
        if speech.hypothesis {
            growing.insert(speech.role, id.clone());
        } else if growing.get(&speech.role) == Some(&id) {
            growing.remove(&speech.role);
        }
        let settled = (!speech.hypothesis).then_some(end).or(earlier.and_then(|known| known.end));
        known.insert(id.clone(), Known { start, end: settled });
        arrivals.push(Arrival {
            at: arrives,
            input: Input::Utterance(Utterance {
                utterance_id: id,
                role: speech.role,
                text: speech.text.clone(),
                start,
                end: end.max(start),
                is_final: !speech.hypothesis,
                confidence: None,
                volume_db: speech.volume_db,
                pitch_hz: speech.pitch_hz,
                agent_id: None,
            }),
        });
    }
    arrivals
}

fn fault(at: Position, (zh, en): (&str, &str), (help_zh, help_en): (&str, &str)) -> Diagnostic {
    Diagnostic::error("bad-test-line", at, zh, en).help(help_zh, help_en)
}

type LineResult<T> = Result<T, Box<Diagnostic>>;

fn line(content: &str, at: &Position) -> LineResult<Line> {
    if let Some(rest) = content.strip_prefix("start")
        && (rest.is_empty() || rest.starts_with(' '))
    {
        return start(rest, at).map(Line::Start);
    }
    let (head, rest) = content.split_once(' ').unwrap_or((content, ""));
    let Some((time, until)) = times(head) else {
        return Err(Box::new(fault(
            at.clone(),
            (&format!("`{head}` 不是时间"), &format!("`{head}` is no time")),
            (
                "每行以 `分:秒` 开头，冒号和小数点用半角，如 `00:05.0 agent 您好`；第一行可以是 `start …`。",
                "Every line begins with `MM:SS`, such as `00:05.0 agent 您好`; the first may be `start …`.",
            ),
        )));
    };
    let rest = rest.trim_start();
    if let Some(what) = rest.strip_prefix(['!', '！']) {
        return expected(time, what.trim(), at).map(Line::Expected);
    }
    let (said, rest) = match rest.strip_prefix("(said ").and_then(|rest| rest.split_once(')')) {
        Some((range, rest)) => {
            let Some((start, end)) = times(range.trim()) else {
                return Err(Box::new(fault(
                    at.clone(),
                    (&format!("`{range}` 不是时间"), &format!("`{range}` is no time")),
                    (
                        "写成 `(said 00:08.0)` 或 `(said 00:08.0-00:10.0)`。",
                        "Write `(said 00:08.0)` or `(said 00:08.0-00:10.0)`.",
                    ),
                )));
            };
            (Some((start.from, end)), rest.trim_start())
        }
        None => (None, rest),
    };
    if let Some(speech) = speech(rest, at)? {
        return Ok(Line::Speech(Speech { time: time.from, until, said, ..speech }));
    }
    event(time.from, rest, at)
}

/// `agent text`, `customer~#u3(volume=-12) text`; nothing if it does not begin with a role.
fn speech(rest: &str, at: &Position) -> LineResult<Option<Speech>> {
    let roles = [("agent", Role::Agent), ("customer", Role::Customer), ("system", Role::System)];
    let Some((role, rest)) = roles.iter().find_map(|(name, role)| Some((*role, rest.strip_prefix(name)?))) else {
        return Ok(None);
    };
    let (hypothesis, rest) = rest.strip_prefix('~').map_or((false, rest), |rest| (true, rest));
    let (id, rest) = match rest.strip_prefix('#') {
        Some(rest) => {
            let end = rest.find([' ', '(']).unwrap_or(rest.len());
            (Some(rest[..end].to_owned()).filter(|id| !id.is_empty()), &rest[end..])
        }
        None => (None, rest),
    };
    let (mut volume_db, mut pitch_hz) = (None, None);
    let rest = match rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((fields, rest)) => {
            for field in fields.split(',').map(str::trim) {
                let (name, value) = field.split_once('=').unwrap_or((field, ""));
                let value = value.parse::<f32>().ok().filter(|value| value.is_finite());
                match (name, value) {
                    ("volume", Some(value)) => volume_db = Some(value),
                    ("pitch", Some(value)) => pitch_hz = Some(value),
                    _ => {
                        return Err(Box::new(fault(
                            at.clone(),
                            (&format!("不明白 `({field})`"), &format!("`({field})` is not understood")),
                            (
                                "可以写 `(volume=-12, pitch=320)`，单位是分贝和赫兹。",
                                "Possible: `(volume=-12, pitch=320)`, in dB and Hz.",
                            ),
                        )));
                    }
                }
            }
            rest
        }
        None => rest,
    };
    let text = rest.trim();
    if text.is_empty() || !rest.starts_with(' ') {
        return Err(Box::new(fault(
            at.clone(),
            ("说话人后面要空一格，再写说的话", "a space and the words must follow the speaker"),
            (
                "如 `00:05.0 agent 您好`；中间结果写 `agent~`，给话段起名写 `agent#u3`。",
                "Such as `00:05.0 agent 您好`; `agent~` for a hypothesis, `agent#u3` to name the utterance.",
            ),
        )));
    }
    Ok(Some(Speech {
        role,
        id,
        hypothesis,
        text: text.to_owned(),
        time: CallTime::ANSWERED,
        until: None,
        said: None,
        volume_db,
        pitch_hz,
    }))
}

fn event(at: CallTime, rest: &str, place: &Position) -> LineResult<Line> {
    let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let rest = rest.trim();
    let more = || Some(rest).filter(|rest| !rest.is_empty()).map(str::to_owned);
    let input = match (word, rest) {
        ("hold", "") => Input::Hold { at },
        ("resume", "") => Input::Resume { at },
        ("transfer", _) => Input::Transfer { at, to: more() },
        ("answered", _) => Input::TransferAnswered { at, agent_id: more() },
        ("end", "" | "by customer") => Input::End { at, by: Party::Customer },
        ("end", "by agent") => Input::End { at, by: Party::Agent },
        ("end", "by system") => Input::End { at, by: Party::System },
        _ => {
            return Err(Box::new(fault(
                place.clone(),
                (&format!("不明白 `{word}`"), &format!("`{word}` is not understood")),
                (
                    "时间后面写 `agent`、`customer`、`system` 和说的话，或 `hold`、`resume`、`transfer [给谁]`、`answered [坐席]`、`end [by agent|customer|system]`，或 `! missing` 之类的预期。",
                    "After the time: `agent`, `customer` or `system` and the words; `hold`, `resume`, `transfer [to]`, `answered [agent]`, `end [by agent|customer|system]`; or what is expected, such as `! missing`.",
                ),
            )));
        }
    };
    Ok(Line::Event(at, input))
}

fn expected(time: Moment, what: &str, at: &Position) -> LineResult<Expected> {
    let (word, rule) = what.split_once(' ').unwrap_or((what, ""));
    let Some((_, what)) = STATES.iter().find(|(name, _)| *name == word) else {
        let names = STATES.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(" ");
        return Err(Box::new(fault(
            at.clone(),
            (&format!("不明白预期 `{word}`"), &format!("the expectation `{word}` is not understood")),
            (&format!("`!` 后面可以写：{names}。"), &format!("Possible after `!`: {names}.")),
        )));
    };
    let rule = Some(rule.trim()).filter(|rule| !rule.is_empty()).map(str::to_owned);
    Ok(Expected { time, what: *what, rule, at: at.clone() })
}

fn start(rest: &str, at: &Position) -> LineResult<Start> {
    let mut start = Start::default();
    for pair in rest.split_whitespace() {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let known = match (name, value) {
            (_, "") => false,
            ("direction", "inbound") => start.direction.replace(Direction::Inbound).is_none(),
            ("direction", "outbound") => start.direction.replace(Direction::Outbound).is_none(),
            ("channel", "voice") => start.channel.replace(Channel::Voice).is_none(),
            ("channel", "chat") => start.channel.replace(Channel::Chat).is_none(),
            ("queue", _) => start.queue.replace(value.to_owned()).is_none(),
            ("customer_name", _) => start.customer_name.replace(value.to_owned()).is_none(),
            ("rings", _) => value.parse().is_ok_and(|rings| start.rings.replace(rings).is_none()),
            ("started_at", _) => {
                let moment = DateTime::parse_from_rfc3339(value).map(StartedAt::Moment).ok();
                let hour = || NaiveTime::parse_from_str(value, "%H:%M").map(StartedAt::Hour).ok();
                moment.or_else(hour).is_some_and(|time| start.started_at.replace(time).is_none())
            }
            _ => name.strip_prefix("attribute.").is_some_and(|name| {
                !name.is_empty() && start.attributes.insert(name.to_owned(), value.to_owned()).is_none()
            }),
        };
        if !known {
            return Err(Box::new(fault(
                at.clone(),
                (&format!("不明白 `{pair}`"), &format!("`{pair}` is not understood")),
                (
                    "可以写 `direction=inbound|outbound` `channel=voice|chat` `queue=…` `rings=4` `customer_name=…` `started_at=18:30`（或 RFC 3339）`attribute.名称=…`，每样一次，等号两边不空格。",
                    "Possible, once each: `direction=inbound|outbound` `channel=voice|chat` `queue=…` `rings=4` `customer_name=…` `started_at=18:30` (or RFC 3339) `attribute.NAME=…`, without spaces around `=`.",
                ),
            )));
        }
    }
    Ok(start)
}

/// `00:05.0`, or `00:05.0-00:09.0`.
fn times(text: &str) -> Option<(Moment, Option<CallTime>)> {
    match text.split_once('-') {
        Some((from, until)) => {
            let (from, until) = (moment(from)?, moment(until)?);
            (until.from >= from.from).then_some((from, Some(until.from)))
        }
        None => Some((moment(text)?, None)),
    }
}

/// `MM:SS`, `MM:SS.f`, to the millisecond.
fn moment(text: &str) -> Option<Moment> {
    let (minutes, rest) = text.split_once(':')?;
    let (seconds, fraction) = rest.split_once('.').map_or((rest, None), |(seconds, part)| (seconds, Some(part)));
    let digits = |text: &str, most: usize| {
        let fits = !text.is_empty() && text.len() <= most && text.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| text.parse::<i64>().ok()).flatten()
    };
    let seconds = digits(seconds, 2).filter(|seconds| *seconds < 60)?;
    let (fraction_ms, precision_ms) = match fraction {
        None => (0, 1_000),
        Some(part) => {
            let value = digits(part, 3)?;
            let unit = [100, 10, 1].get(part.len() - 1)?;
            (value * unit, *unit)
        }
    };
    let from = CallTime(digits(minutes, 4)? * 60_000 + seconds * 1_000 + fraction_ms);
    Some(Moment { from, precision_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> Result<Script, Vec<Diagnostic>> {
        let at = Position { file: Arc::from("t.yaml"), line: 10, column: 5, length: 0 };
        parse(&Located::new(text.to_owned(), at))
    }

    /// Id, start, end and arrival of every utterance, in order of arrival.
    fn placed(text: &str) -> Vec<(String, i64, i64, i64, bool)> {
        let arrivals = script(text).unwrap().arrivals;
        let utterances = arrivals.into_iter().filter_map(|arrival| match arrival.input {
            Input::Utterance(said) => Some((said.utterance_id, said.start.0, said.end.0, arrival.at.0, said.is_final)),
            _ => None,
        });
        utterances.collect()
    }

    fn line(id: &str, start: i64, end: i64, arrives: i64, is_final: bool) -> (String, i64, i64, i64, bool) {
        (id.to_owned(), start, end, arrives, is_final)
    }

    #[test]
    fn a_line_takes_a_quarter_second_a_character_and_arrives_at_its_end() {
        assert_eq!(placed("00:05.0 agent 您好"), [line("line-1", 5_000, 5_500, 5_500, true)]);
    }

    #[test]
    fn a_line_ends_when_its_speaker_goes_on() {
        assert_eq!(
            placed("00:05.0 agent 请您稍等可以吗\n00:05.2 customer 好\n00:06 agent 谢谢"),
            [
                line("line-2", 5_200, 5_450, 5_450, true),
                line("line-1", 5_000, 6_000, 6_000, true),
                line("line-3", 6_000, 6_500, 6_500, true),
            ]
        );
    }

    #[test]
    fn an_end_can_be_written() {
        assert_eq!(placed("00:05.0-00:09.25 agent 您好"), [line("line-1", 5_000, 9_250, 9_250, true)]);
    }

    #[test]
    fn a_late_line_says_when_it_was_said() {
        assert_eq!(placed("00:20.0 (said 00:08.0) agent 您好"), [line("line-1", 8_000, 8_500, 20_000, true)]);
        assert_eq!(placed("00:20.0 (said 00:08.0-00:11.0) agent 您好"), [line("line-1", 8_000, 11_000, 20_000, true)]);
    }

    #[test]
    fn hypotheses_grow_until_the_final() {
        assert_eq!(
            placed("00:05 agent~ 这个\n00:06 customer 嗯\n00:07 agent~ 这个我\n00:08 agent 这个我知道\n00:09 agent 好"),
            [
                line("line-1", 5_000, 5_000, 5_000, false),
                line("line-2", 6_000, 6_250, 6_250, true),
                line("line-1", 5_000, 7_000, 7_000, false),
                line("line-1", 5_000, 8_000, 8_000, true),
                line("line-5", 9_000, 9_250, 9_250, true),
            ]
        );
    }

    #[test]
    fn a_named_utterance_can_be_corrected() {
        assert_eq!(
            placed("00:05 agent#u3 不知道\n00:09 agent#u3 我知道"),
            [line("u3", 5_000, 5_750, 5_750, true), line("u3", 5_000, 5_750, 9_000, true)]
        );
    }

    #[test]
    fn a_time_covers_what_its_digits_leave_open() {
        let moment = |text| super::moment(text).unwrap();
        assert!(moment("00:52").covers(CallTime(52_999)));
        assert!(!moment("00:52").covers(CallTime(53_000)));
        assert!(!moment("00:52").covers(CallTime(51_999)));
        assert!(moment("00:52.1").covers(CallTime(52_199)));
        assert!(!moment("00:52.1").covers(CallTime(52_200)));
        assert!(!moment("00:52.100").covers(CallTime(52_101)));
    }

    #[test]
    fn events_and_expectations() {
        let script = script(
            "start channel=chat rings=4 queue=投诉 attribute.level=gold started_at=18:30\n# 注释\n\n\
             00:08 hold\n00:40 resume\n00:50 transfer 二线\n00:55 answered a9\n01:00 end by agent\n\
             00:52.0 ! missing\n00:53 ! retracted hold.other",
        )
        .unwrap();
        assert_eq!(script.start.rings, Some(4));
        assert_eq!(script.start.attributes["level"], "gold");
        assert_eq!(script.arrivals.len(), 5);
        assert!(script.ended);
        assert_eq!(script.last, CallTime(60_000));
        assert_eq!(script.expected[0].what, What::Kind(AlertKind::Missing));
        assert_eq!(script.expected[1].rule.as_deref(), Some("hold.other"));
        assert_eq!((script.expected[1].at.line, script.expected[1].at.column), (19, 5));
    }

    #[test]
    fn every_bad_line_is_reported() {
        let faults = script(
            "您好\n00：05 agent 您好\n00:05 agent\n00:05 agnet 您好\n00:61 hold\n00:05 ! mising\nstart\n\
             00:05 (said 3) agent 您好\n00:05 agent(loud=1) 您好\n00:09-00:05 agent 您好\n00:05 end by me",
        )
        .unwrap_err();
        let lines: Vec<u32> = faults.iter().map(|fault| fault.at.line).collect();
        assert_eq!(lines, (10..=20).collect::<Vec<_>>());
        assert!(faults.iter().all(|fault| !fault.help_zh.is_empty() && !fault.help_en.is_empty()));
    }
}

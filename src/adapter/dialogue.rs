//! Dialogues as people type or paste them, to the inputs of a call:
//!
//! ```text
//! 坐席：您好，请问有什么可以帮您
//! [00:12] 客户：我的快递还没到
//! 31.5s A: 这个我不知道
//! 保持
//! 挂机：客户
//! ```
//!
//! Where a line has no time it begins [`PAUSE_MS`] after what was said before
//! it, and every line takes [`CHARACTER_MS`] a character. Without a last line
//! 挂机 the customer hangs up [`END_MS`] after the last words: late enough that
//! the agent had the chance to say what the end of a call asks for.

use crate::engine::time::CallTime;
use crate::engine::transcript::{Input, Party, Role, Utterance};

use super::native::{CALL_MS_MAX, UTTERANCE_CHARS_MAX};

/// How long a character takes to say.
pub const CHARACTER_MS: i64 = 250;
/// How long it is silent between two lines.
pub const PAUSE_MS: i64 = 500;
/// How long after the last words the customer hangs up.
pub const END_MS: i64 = 3_000;
/// Lines of a dialogue.
pub const LINES_MAX: usize = 1_000;
/// Faults that are listed.
const FAULTS_MAX: usize = 20;

const AGENT: &[&str] = &["坐席", "客服", "座席", "agent", "a"];
const CUSTOMER: &[&str] = &["客户", "顾客", "用户", "customer", "c"];
const SYSTEM: &[&str] = &["系统", "机器人", "system", "s"];

/// A line that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which, from 1.
    pub line: usize,
    /// The fault, in Chinese.
    pub zh: String,
    /// The fault, in English.
    pub en: String,
}

enum What<'a> {
    Says(Role, &'a str),
    Hold,
    Resume,
    Transfer,
    End(Party),
}

/// Reads a dialogue. What comes out is in the order in which it would arrive:
/// an utterance when it has been said.
///
/// # Errors
/// All lines that cannot be understood, the first twenty at most.
pub fn parse(text: &str) -> Result<Vec<Input>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut inputs: Vec<Input> = Vec::new();
    let mut latest = CallTime(PAUSE_MS);
    let mut ended = false;
    let mut count = 0;
    for (line, number) in text.trim_start_matches('\u{feff}').lines().zip(1..) {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        count += 1;
        let mut fault = |zh: String, en: String| faults.push(Fault { line: number, zh, en });
        if count > LINES_MAX {
            fault(format!("最多 {LINES_MAX} 行"), format!("at most {LINES_MAX} lines are allowed"));
            break;
        }
        let (time, rest) = match time(content) {
            Ok(found) => found,
            Err(shown) => {
                fault(
                    format!("“{shown}”不是时间，写成 [00:12] 或 12.5s"),
                    format!("\"{shown}\" is no time; write [00:12] or 12.5s"),
                );
                continue;
            }
        };
        let Some(what) = what(rest) else {
            fault(
                "看不出是谁说的：以“坐席：”“客户：”或“系统：”开头，也可以是 保持、恢复、转接、挂机：客户".to_owned(),
                "nobody says it: begin with 坐席：, 客户：, 系统：, agent: or customer:, or write hold, resume, transfer or end: customer".to_owned(),
            );
            continue;
        };
        let begin = time.unwrap_or(latest);
        if begin.0 > CALL_MS_MAX {
            fault("通话没有这么长".to_owned(), "no call is that long".to_owned());
            continue;
        }
        let input = match what {
            What::Says(role, text) => {
                let chars = text.chars().count();
                if chars > UTTERANCE_CHARS_MAX {
                    fault(
                        format!("一句话最多 {UTTERANCE_CHARS_MAX} 字"),
                        format!("a line has at most {UTTERANCE_CHARS_MAX} characters"),
                    );
                    continue;
                }
                // At most ten thousand characters: an i64 of milliseconds holds them.
                let end = begin.plus(i64::try_from(chars).unwrap_or(0) * CHARACTER_MS);
                Input::Utterance(Utterance {
                    utterance_id: format!("line-{number}"),
                    role,
                    text: text.to_owned(),
                    start: begin,
                    end,
                    is_final: true,
                    confidence: None,
                    volume_db: None,
                    pitch_hz: None,
                    agent_id: None,
                })
            }
            What::Hold => Input::Hold { at: begin },
            What::Resume => Input::Resume { at: begin },
            What::Transfer => Input::Transfer { at: begin, to: None },
            What::End(by) => {
                ended = true;
                Input::End { at: begin, by }
            }
        };
        latest = latest.max(input.said_at().plus(PAUSE_MS));
        inputs.push(input);
    }
    if !faults.is_empty() {
        faults.truncate(FAULTS_MAX);
        return Err(faults);
    }
    shorten(&mut inputs);
    inputs.sort_by_key(Input::said_at);
    if !ended && let Some(last) = inputs.last() {
        inputs.push(Input::End { at: last.said_at().plus(END_MS), by: Party::Customer });
    }
    Ok(inputs)
}

/// Nobody says two things at once: a line ends where the same speaker's next begins.
fn shorten(inputs: &mut [Input]) {
    let mut begins: Vec<(Role, CallTime)> = inputs
        .iter()
        .filter_map(|input| match input {
            Input::Utterance(utterance) => Some((utterance.role, utterance.start)),
            _ => None,
        })
        .collect();
    begins.sort_unstable();
    for input in inputs {
        if let Input::Utterance(utterance) = input {
            let behind = begins.partition_point(|begin| *begin <= (utterance.role, utterance.start));
            if let Some((_, next)) = begins.get(behind).filter(|(role, _)| *role == utterance.role) {
                utterance.end = utterance.end.min(*next);
            }
        }
    }
}

/// The time at the head of a line and the rest of it; what looks like a time
/// and is none is an error.
fn time(line: &str) -> Result<(Option<CallTime>, &str), &str> {
    if let Some(rest) = line.strip_prefix(['[', '【']) {
        let Some((inside, rest)) = rest.split_once([']', '】']) else { return Err(line) };
        return match moment(inside.trim()) {
            Some(time) => Ok((Some(time), rest.trim_start())),
            None => Err(inside),
        };
    }
    if !line.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok((None, line));
    }
    let (head, rest) = line.split_once(char::is_whitespace).ok_or(line)?;
    moment(head).map(|time| (Some(time), rest.trim_start())).ok_or(head)
}

/// `12.5s`, `12.5`, `00:12`, `1:02:03.250`.
fn moment(text: &str) -> Option<CallTime> {
    let text = text.strip_suffix(['s', 'S', '秒']).unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let mut seconds: i64 = 0;
    for (place, part) in whole.split([':', '：']).enumerate() {
        let is_number = (1..=7).contains(&part.len()) && part.bytes().all(|digit| digit.is_ascii_digit());
        if !is_number || place > 2 {
            return None;
        }
        seconds = seconds.checked_mul(60)?.checked_add(part.parse().ok()?)?;
    }
    let fraction: i64 = format!("{fraction:0<3}").parse().ok()?;
    Some(CallTime(seconds.checked_mul(1_000)?.checked_add(fraction)?))
}

fn what(line: &str) -> Option<What<'_>> {
    let is = |word: &str, words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word.trim()));
    match line.split_once(['：', ':']) {
        Some((who, text)) => {
            let text = text.trim();
            if is(who, AGENT) {
                Some(What::Says(Role::Agent, text))
            } else if is(who, CUSTOMER) {
                Some(What::Says(Role::Customer, text))
            } else if is(who, SYSTEM) {
                Some(What::Says(Role::System, text))
            } else if is(who, &["挂机", "结束", "end"]) {
                let parties = [(AGENT, Party::Agent), (CUSTOMER, Party::Customer), (SYSTEM, Party::System)];
                parties.into_iter().find(|(names, _)| is(text, names)).map(|(_, party)| What::End(party))
            } else {
                None
            }
        }
        None if is(line, &["保持", "hold"]) => Some(What::Hold),
        None if is(line, &["恢复", "取回", "resume"]) => Some(What::Resume),
        None if is(line, &["转接", "transfer"]) => Some(What::Transfer),
        None if is(line, &["挂机", "结束", "end"]) => Some(What::End(Party::Customer)),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inputs as short lines.
    fn shown(text: &str) -> Vec<String> {
        match parse(text) {
            Ok(inputs) => inputs
                .iter()
                .map(|input| match input {
                    Input::Utterance(said) => {
                        format!("{}-{} {} {}", said.start.0, said.end.0, said.role.name(), said.text)
                    }
                    Input::Hold { at } => format!("{} hold", at.0),
                    Input::Resume { at } => format!("{} resume", at.0),
                    Input::Transfer { at, .. } => format!("{} transfer", at.0),
                    Input::TransferAnswered { at, .. } => format!("{} answered", at.0),
                    Input::End { at, by } => format!("{} end {}", at.0, by.name()),
                })
                .collect(),
            Err(faults) => faults.iter().map(|fault| format!("line {}: {}", fault.line, fault.en)).collect(),
        }
    }

    #[test]
    fn dialogues_are_read_as_people_write_them() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("\u{feff}坐席：您好\n\n客户: 喂", &["500-1000 agent 您好", "1500-1750 customer 喂", "4750 end customer"]),
            (
                "A: 您好\r\nC：喂\r\nSystem: 请稍等",
                &["500-1000 agent 您好", "1500-1750 customer 喂", "2250-3000 system 请稍等", "6000 end customer"],
            ),
            (
                "[00:12] 坐席：好\n【1:02.5】客户：嗯\n63s A:好",
                &["12000-12250 agent 好", "62500-62750 customer 嗯", "63000-63250 agent 好", "66250 end customer"],
            ),
            (
                "[00:01] 坐席：一二三四五六七八\n[00:02] 坐席：好",
                &["1000-2000 agent 一二三四五六七八", "2000-2250 agent 好", "5250 end customer"],
            ),
            (
                "坐席：稍等\n保持\n[00:40] 恢复\n转接\n挂机：坐席",
                &["500-1000 agent 稍等", "1500 hold", "40000 resume", "40500 transfer", "41000 end agent"],
            ),
            ("坐席：价格是 3:5 吗", &["500-2750 agent 价格是 3:5 吗", "5750 end customer"]),
            (
                "您好\n[xx] 坐席：好\n12 \n99999999999999s A: 好\n挂机：谁",
                &[
                    "line 1: nobody says it: begin with 坐席：, 客户：, 系统：, agent: or customer:, or write hold, resume, transfer or end: customer",
                    "line 2: \"xx\" is no time; write [00:12] or 12.5s",
                    "line 3: \"12\" is no time; write [00:12] or 12.5s",
                    "line 4: \"99999999999999s\" is no time; write [00:12] or 12.5s",
                    "line 5: nobody says it: begin with 坐席：, 客户：, 系统：, agent: or customer:, or write hold, resume, transfer or end: customer",
                ],
            ),
            ("9999999s A: 好", &["line 1: no call is that long"]),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), *expected, "{text}");
        }
        let long = "坐席：好\n".repeat(LINES_MAX + 5);
        assert_eq!(shown(&long), ["line 1001: at most 1000 lines are allowed"]);
    }
}

//! What rules about time and events saw of a call, as people are shown it: each event, and of what is
//! measured the values nearest to a violation or beyond it.

use super::timing::{interrupted, last_speech, recent_speech, unheld_ms};
use super::{View, seconds};
use crate::rule::program::{BodyProgram, Program, WithoutProgram};
use crate::rule::syntax::Timing;
use crate::time::CallTime;
use crate::transcript::{EventKind, Party};

/// The number of longest measurements that are told.
const LONGEST_TOLD: usize = 3;

/// The measurements of a rule about time or an event; none for rules about words.
pub(crate) fn explain_measures(view: &View<'_>, program: &Program) -> Vec<String> {
    let mut told = match &program.body {
        BodyProgram::Timing(measured) => timing(view, &measured.timing),
        BodyProgram::HangupBy(party) => hangup(view, *party),
        BodyProgram::Without(without) => leaving(view, without),
        BodyProgram::TransferUnanswered => transfer(view),
        BodyProgram::Forbid(_) | BodyProgram::Require(_) | BodyProgram::Sequence(_) | BodyProgram::Greeting(_) => {
            return Vec::new();
        }
    };
    if program.when.is_some() {
        told.push(String::from("另有前提 `when`，违规时要成立"));
    }
    told
}

fn hangup(view: &View<'_>, party: Party) -> Vec<String> {
    let told = match view.timeline.end() {
        Some((at, by)) => format!("通话在 {at} 由{}挂断；规则管的是{}挂断", by.zh(), party.zh()),
        None => String::from("通话还没有结束"),
    };
    vec![told]
}

fn leaving(view: &View<'_>, without: &WithoutProgram) -> Vec<String> {
    let WithoutProgram { event, detector, within_ms } = *without;
    let limit = seconds(within_ms);
    let told = view.timeline.times_of(event).map(|at| {
        let before = view.hits_of(detector).iter().rev().find(|hit| hit.said_at <= at);
        match before {
            Some(hit) if at.since(hit.said_at) <= within_ms => format!("{} {at}：{} 已说", event.zh(), hit.said_at),
            Some(hit) => {
                format!("{} {at}：上次在 {} 说，早于之前 {limit} 秒", event.zh(), hit.said_at)
            }
            None => format!("{} {at}：之前没有说", event.zh()),
        }
    });
    or_none(told.collect(), event.zh())
}

fn transfer(view: &View<'_>) -> Vec<String> {
    let told = view.timeline.times_of(EventKind::Transfer).last().map(|at| {
        let answered = view.timeline.times_of(EventKind::TransferAnswered).find(|answered| *answered >= at);
        let end = view.timeline.end().map(|(end, by)| format!("；通话在 {end} 由{}结束", by.zh())).unwrap_or_default();
        match answered {
            Some(answered) => format!("转接 {at}：{answered} 接起{end}"),
            None => format!("转接 {at}：没有人接起{end}"),
        }
    });
    or_none(told.into_iter().collect(), EventKind::Transfer.zh())
}

fn or_none(told: Vec<String>, what: &str) -> Vec<String> {
    if told.is_empty() { vec![format!("这通通话里没有{what}")] } else { told }
}

fn timing(view: &View<'_>, timing: &Timing) -> Vec<String> {
    let positions = 0..view.timeline.len();
    let spoken = |position: usize| view.timeline.spoken_at(position);
    let end = view.timeline.end().map(|(at, _)| at);
    match *timing {
        Timing::Silence { of, over_ms } => {
            let starts = positions.filter(|&position| of.is_none_or(|of| of == spoken(position).role));
            let starts = starts.map(|position| (position, spoken(position).start));
            let gaps = starts.chain(end.map(|end| (view.timeline.len(), end))).map(|(position, until)| {
                let (from, _) = last_speech(view, position, of);
                (from, unheld_ms(view, from, until))
            });
            longest("静默", gaps, over_ms)
        }
        Timing::Listening { by, over_ms } => {
            let turns = positions.filter(|&position| spoken(position).role == by);
            let turns = turns.map(|position| (position, Some(spoken(position).start)));
            let heard = turns.chain([(view.timeline.len(), end)]).map(|(position, until)| {
                let (from, _) = last_speech(view, position, Some(by));
                (from, super::timing::heard(view, position, by, i64::MAX, until).ms)
            });
            longest("对方说话", heard, over_ms)
        }
        Timing::Hold { over_ms } => {
            let until = |until: Option<CallTime>| until.or(end).unwrap_or(view.now);
            longest(
                "等待",
                view.timeline.holds().iter().map(|hold| (hold.from, until(hold.until).since(hold.from))),
                over_ms,
            )
        }
        Timing::Reply { by, over_ms } => {
            let replies = positions.filter(|&position| spoken(position).role == by).filter_map(|position| {
                let asked = view.timeline.get(view.timeline.unanswered_before(position, by)?).end;
                Some((asked, spoken(position).start.since(asked)))
            });
            longest("回复用时", replies, over_ms)
        }
        Timing::Monologue { role, over_ms } => {
            let runs = positions.filter(|&position| spoken(position).role == role).filter_map(|position| {
                let run = view.timeline.run_at(position)?;
                Some((run.from, spoken(position).end.since(run.from)))
            });
            let mut runs: Vec<(CallTime, i64)> = runs.collect();
            runs.reverse();
            runs.dedup_by_key(|(started, _)| *started);
            longest("连续说话", runs.into_iter(), over_ms)
        }
        Timing::Interruption { by, overlap_ms, after_ms, .. } => {
            let overlaps = positions.filter(|&position| spoken(position).role == by).filter_map(|position| {
                let over = view.timeline.get(interrupted(view, position, 1, after_ms)?);
                Some((spoken(position).start, spoken(position).end.min(over.end).since(spoken(position).start)))
            });
            longest("同时说话", overlaps, overlap_ms)
        }
        Timing::Rate { role, below, above, window_ms, at_least_ms } => {
            let rates = positions.filter(|&position| spoken(position).role == role).filter_map(|position| {
                let (ms, chars) = recent_speech(view, position, role, window_ms);
                (ms >= at_least_ms.max(1)).then(|| (spoken(position).end, (chars * 60_000 / ms) as f64))
            });
            between("语速", rates, "字/分钟", below.map(f64::from), above.map(f64::from))
        }
        Timing::Volume { role, below, above } => {
            let levels = positions.filter(|&position| spoken(position).role == role);
            let levels =
                levels.filter_map(|position| Some((spoken(position).start, f64::from(spoken(position).volume_db?))));
            between("音量", levels, "分贝", below.map(f64::from), above.map(f64::from))
        }
        Timing::Pitch { role, below, above } => {
            let levels = positions.filter(|&position| spoken(position).role == role);
            let levels =
                levels.filter_map(|position| Some((spoken(position).start, f64::from(spoken(position).pitch_hz?))));
            between("音高", levels, "赫兹", below.map(f64::from), above.map(f64::from))
        }
        Timing::Rings { over } => match view.info.rings {
            Some(rings) => vec![format!("响铃 {rings} 声，上限 {over} 声")],
            None => vec![String::from("call.start 没有写 rings")],
        },
        Timing::Repeat { times, .. } => vec![format!("同样的问题问到 {times} 遍才报；问过的见转写")],
    }
}

/// The longest of some stretches, with the limit.
fn longest(what: &str, stretches: impl Iterator<Item = (CallTime, i64)>, limit_ms: i64) -> Vec<String> {
    let mut stretches: Vec<(CallTime, i64)> = stretches.filter(|(_, ms)| *ms > 0).collect();
    stretches.sort_by_key(|&(from, ms)| (std::cmp::Reverse(ms), from));
    stretches.truncate(LONGEST_TOLD);
    let limit = seconds(limit_ms);
    let told = stretches.into_iter().map(|(from, ms)| {
        let verdict = if ms > limit_ms { "超过" } else { "没有超过" };
        format!("{what} {} 秒，从 {from} 起；{verdict} {limit} 秒", seconds(ms))
    });
    or_none(told.collect(), what)
}

/// The lowest and the highest of some values, with the bounds.
fn between(
    what: &str,
    values: impl Iterator<Item = (CallTime, f64)>,
    unit: &str,
    below: Option<f64>,
    above: Option<f64>,
) -> Vec<String> {
    let values: Vec<(CallTime, f64)> = values.collect();
    let by_value = |a: &&(CallTime, f64), b: &&(CallTime, f64)| a.1.total_cmp(&b.1);
    let lowest = values.iter().min_by(by_value).zip(below).map(|((at, value), bound)| {
        let verdict = if *value < bound { "低于" } else { "不低于" };
        format!("{what}最低 {value:.0} {unit}，在 {at}；{verdict} {bound:.0}")
    });
    let highest = values.iter().max_by(by_value).zip(above).map(|((at, value), bound)| {
        let verdict = if *value > bound { "高于" } else { "不高于" };
        format!("{what}最高 {value:.0} {unit}，在 {at}；{verdict} {bound:.0}")
    });
    or_none(lowest.into_iter().chain(highest).collect(), &format!("可以量的{what}"))
}

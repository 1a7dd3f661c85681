//! The parts of a call that rules speak of: from or up to an anchor, for so
//! long or so many turns.

use super::{Citation, OCCURRENCES_MAX, View};
use crate::rule::program::{AnchorProgram, Side, WindowProgram};
use crate::rule::syntax::Extent;
use crate::time::CallTime;
use crate::transcript::{EventKind, Role};
use crate::work;

/// Utterances on either side of an anchor among which the end, or the beginning, of its turns is looked for.
const TURNS_REACH: usize = 256;

/// One window of one call.
#[derive(Debug)]
pub(super) struct WindowSpan {
    /// Names the anchor's occurrence.
    pub(super) key: String,
    pub(super) from: CallTime,
    /// Inclusive. `None` while it cannot be known: a hold or a turn goes on, or the call does.
    pub(super) until: Option<CallTime>,
    /// The words that opened it.
    pub(super) anchor: Vec<Citation>,
    /// It lasts as long as the call.
    pub(super) to_end: bool,
}

impl WindowSpan {
    pub(super) fn holds(&self, at: CallTime) -> bool {
        self.from <= at && self.until.is_none_or(|until| at <= until)
    }
}

/// All moments of some windows.
#[derive(Debug)]
pub(super) struct Union {
    /// Windows by their begin, each with the latest end up to it; `None` is no end.
    spans: Vec<(CallTime, Option<CallTime>)>,
}

impl Union {
    pub(super) fn of(spans: &[WindowSpan]) -> Self {
        let mut spans: Vec<_> = spans.iter().map(|span| (span.from, span.until)).collect();
        spans.sort_unstable_by_key(|&(from, _)| from);
        let mut latest = Some(CallTime(i64::MIN));
        for (_, until) in &mut spans {
            latest = latest.zip(*until).map(|(latest, until)| latest.max(until));
            *until = latest;
        }
        Self { spans }
    }

    pub(super) fn holds(&self, at: CallTime) -> bool {
        let begun = self.spans.partition_point(|&(from, _)| from <= at);
        self.spans[..begun].last().is_some_and(|(_, until)| until.is_none_or(|until| at <= until))
    }
}

/// The windows that a rule has in this call so far, in order. Anchors in
/// hypotheses do not count: nobody is held to words that may not have been said.
pub(super) fn spans(view: &View<'_>, window: &WindowProgram, roles: &[Role], count_hold: bool) -> Vec<WindowSpan> {
    let anchors: Vec<(String, CallTime, Vec<Citation>)> = match window.anchor {
        AnchorProgram::Event(kind) => {
            let times = view.timeline.times_of(kind).take(OCCURRENCES_MAX);
            times.map(|at| (event_key(kind, at), at, Vec::new())).collect()
        }
        AnchorProgram::Said(detector) => view
            .hits_of(detector)
            .iter()
            .filter(|hit| !hit.provisional)
            .take(OCCURRENCES_MAX)
            .map(|hit| (view.key_of(hit), hit.said_at, Citation::all_of(hit).collect()))
            .collect(),
    };
    let to_end = matches!(window.anchor, AnchorProgram::Event(EventKind::End))
        || (window.side == Side::After && window.extent == Extent::Unbounded);
    anchors
        .into_iter()
        .map(|(key, at, anchor)| {
            work::look(1);
            let (from, until) = match window.side {
                Side::After => (at, end_of(view, at, window.extent, roles, count_hold)),
                Side::Before => (start_of(view, at, window.extent, roles), Some(at)),
            };
            WindowSpan { key, from, until, anchor, to_end }
        })
        .collect()
}

/// The window before the end of the call that a rule would have if the call
/// ended now; `None` once it has, or if the rule has no such window.
pub(super) fn span_if_ended(view: &View<'_>, window: &WindowProgram, roles: &[Role]) -> Option<WindowSpan> {
    let AnchorProgram::Event(EventKind::End) = window.anchor else { return None };
    if window.side == Side::After || view.timeline.end().is_some() {
        return None;
    }
    let from = start_of(view, view.now, window.extent, roles);
    Some(WindowSpan { key: event_key(EventKind::End, view.now), from, until: None, anchor: Vec::new(), to_end: true })
}

/// The occurrence of an event within its call.
pub(super) fn event_key(kind: EventKind, at: CallTime) -> String {
    match kind {
        EventKind::Answered | EventKind::End => format!("{kind:?}"),
        EventKind::Hold | EventKind::Resume | EventKind::Transfer | EventKind::TransferAnswered => {
            format!("{kind:?}@{}", at.0)
        }
    }
}

/// The end of a window that begins at `from`; `None` while it cannot be known: a hold goes on, the
/// speaker's turn, or the call.
fn end_of(view: &View<'_>, from: CallTime, extent: Extent, roles: &[Role], count_hold: bool) -> Option<CallTime> {
    match extent {
        Extent::Ms(ms) if count_hold => Some(from.plus(ms)),
        Extent::Ms(ms) => view.timeline.after_holds(from, ms),
        Extent::Turns(turns) => turn_end(view, from, turns, roles),
        Extent::Unbounded => view.timeline.end().map(|(at, _)| at),
    }
}

/// The beginning of a window that ends at `until`. A window without an extent begins before the call.
fn start_of(view: &View<'_>, until: CallTime, extent: Extent, roles: &[Role]) -> CallTime {
    match extent {
        Extent::Ms(ms) => until.plus(-ms),
        Extent::Turns(turns) => turn_start(view, until, turns, roles),
        Extent::Unbounded => CallTime(i64::MIN),
    }
}

/// The end of the speaker's `turns`-th turn after `from`, once somebody else
/// has taken over or the call has ended. A call that ends before that turn
/// ends inside the window.
fn turn_end(view: &View<'_>, from: CallTime, turns: u32, roles: &[Role]) -> Option<CallTime> {
    let mut count = 0;
    let mut speaking = false;
    let mut end = None;
    let first = view.timeline.first_ending_after(from);
    let near = first..view.timeline.len().min(first + TURNS_REACH);
    for spoken in near.map(|at| view.timeline.spoken_at(at)).filter(|spoken| spoken.end > from) {
        if roles.contains(&spoken.role) {
            count += u32::from(!speaking);
            speaking = true;
            if count > turns {
                return end;
            }
            end = Some(spoken.end);
        } else if !spoken.is_backchannel() {
            if speaking && count == turns {
                return end;
            }
            speaking = false;
        }
    }
    view.timeline.end().filter(|_| count >= turns).map(|(at, _)| at)
}

/// The start of the speaker's `turns`-th turn before `until`, counted backwards.
fn turn_start(view: &View<'_>, until: CallTime, turns: u32, roles: &[Role]) -> CallTime {
    let mut count = 0;
    let mut speaking = false;
    let mut start = until;
    let behind = view.timeline.first_from(until);
    for spoken in (behind.saturating_sub(TURNS_REACH)..behind).rev().map(|at| view.timeline.spoken_at(at)) {
        if roles.contains(&spoken.role) {
            count += u32::from(!speaking);
            speaking = true;
            if count > turns {
                break;
            }
            start = spoken.start;
        } else if !spoken.is_backchannel() {
            speaking = false;
        }
    }
    start
}

//! Recorded calls as `check` judges them: events in, every transition and the alerts that stand in the end out. A
//! recording may hold many calls, interleaved; only its events move a call's clock.
//!
//! A call that has ended stays open for late finals until `ENDED_CALLS_MAX` others have ended after it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::adapter::native::{Event, EventBody, Number};
use crate::adapter::table::WholeCall;
use crate::engine::alert::{Alert, AlertState};
use crate::engine::rule::RuleSet;
use crate::engine::transcript::CallInfo;
use crate::session::Session;

/// Calls in progress in one recording.
const CALLS_MAX: usize = 100_000;
/// Calls that have ended and still wait for late finals.
const ENDED_CALLS_MAX: usize = 1_024;

/// How calls are judged, and which alerts are told.
#[derive(Clone, Debug)]
pub struct Judging {
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// Alerts that are too unsure to be shown are told, too.
    pub held: bool,
    /// Personal data is masked in what stands in the end.
    pub masked: bool,
}

/// An alert that stands in the end.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The place of its call among those of the recording.
    pub call: usize,
    /// When it was said, on the call's clock.
    pub at_ms: i64,
    /// Which occurrence of which rule it is.
    pub alert_id: String,
    /// The JSON of `docs/events.md`.
    pub json: String,
    /// When it was said, in milliseconds since 1970.
    pub said_ms: i64,
    /// The queue of its call.
    pub queue: Option<String>,
    /// All its states, a space between them.
    pub history: String,
}

/// The calls of one recording.
#[derive(Debug)]
pub struct Recording<'j> {
    judging: &'j Judging,
    calls: HashMap<String, Open>,
    /// The calls that have ended, the longest ago first, with their places.
    ended: VecDeque<(String, usize)>,
    begun: usize,
    standing: Vec<Standing>,
}

/// A call that is judged.
#[derive(Debug)]
struct Open {
    /// Its place among the calls of the recording.
    number: usize,
    session: Session,
    /// Each alert as it is now, with the states that it had.
    alerts: BTreeMap<String, (Alert, String)>,
}

impl Open {
    fn new(judging: &Judging, number: usize, info: CallInfo, of_start: &Number) -> Self {
        Self { number, session: Session::new(Arc::clone(&judging.rules), info, of_start), alerts: BTreeMap::new() }
    }

    /// Takes what the engine says.
    fn drain<E>(
        &mut self,
        judging: &Judging,
        tell: &mut impl FnMut(&Session, &Alert) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(alert) = self.session.poll_output() {
            if (alert.held || alert.rule.shadow) && !judging.held {
                continue;
            }
            tell(&self.session, &alert)?;
            let state = alert.state.name();
            match self.alerts.get_mut(&alert.alert_id) {
                Some((last, history)) => {
                    history.push(' ');
                    history.push_str(state);
                    *last = alert;
                }
                None => {
                    self.alerts.insert(alert.alert_id.clone(), (alert, state.to_owned()));
                }
            }
        }
        Ok(())
    }

    /// Nothing more will come: the alerts that stand, by time and id.
    fn finish<E>(
        mut self,
        judging: &Judging,
        tell: &mut impl FnMut(&Session, &Alert) -> Result<(), E>,
    ) -> Result<Vec<Standing>, E> {
        self.session.finish();
        self.drain(judging, tell)?;
        let confirmed = self.alerts.into_iter().filter(|(_, (alert, _))| alert.state == AlertState::Confirmed);
        let info = self.session.info();
        let standing = confirmed.map(|(alert_id, (alert, history))| {
            let wire = if judging.masked { self.session.to_masked_wire(&alert) } else { self.session.to_wire(&alert) };
            Standing {
                call: self.number,
                at_ms: alert.at.0,
                alert_id,
                json: wire.to_json(),
                said_ms: info.started_at.timestamp_millis().saturating_add(alert.at.0),
                queue: info.queue.clone(),
                history,
            }
        });
        let mut standing: Vec<Standing> = standing.collect();
        // Ids are in order already.
        standing.sort_by_key(|alert| alert.at_ms);
        Ok(standing)
    }
}

impl<'j> Recording<'j> {
    /// A recording of which nothing was read yet.
    #[must_use]
    pub fn new(judging: &'j Judging) -> Self {
        Self { judging, calls: HashMap::new(), ended: VecDeque::new(), begun: 0, standing: Vec::new() }
    }

    /// How many calls have begun so far.
    #[must_use]
    pub const fn begun(&self) -> usize {
        self.begun
    }

    /// Takes one event. The inner error is a fault of the event, ready to print.
    ///
    /// # Errors
    /// Those of `tell`, which hears every transition.
    pub fn take<E>(
        &mut self,
        event: Event,
        tell: &mut impl FnMut(&Session, &Alert) -> Result<(), E>,
    ) -> Result<Result<(), String>, E> {
        let Event { call_id, number, body } = event;
        let input = match body {
            EventBody::Start(info) => {
                match self.calls.get(&call_id).map(|open| open.session.info().started_at.timestamp_millis()) {
                    // A second start of a call changes nothing, as in the server; one at another time is another call.
                    Some(started_ms) if started_ms == info.started_at.timestamp_millis() => return Ok(Ok(())),
                    Some(_) => self.finish_call(&call_id, tell)?,
                    None => {}
                }
                if self.calls.len() >= CALLS_MAX {
                    return Ok(Err(format!(
                        "同时进行的通话超过 {CALLS_MAX} 通 / more than {CALLS_MAX} calls in progress"
                    )));
                }
                let mut open = Open::new(self.judging, self.begun, *info, &number);
                self.begun += 1;
                open.drain(self.judging, tell)?;
                self.calls.insert(call_id, open);
                return Ok(Ok(()));
            }
            EventBody::Input(input) => input,
        };
        let Some(open) = self.calls.get_mut(&call_id) else {
            let shown: String = call_id.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            return Ok(Err(format!(
                "通话 {shown} 没有 call.start，或早已结束 / call {shown} has no call.start, or ended long ago"
            )));
        };
        let had_ended = open.session.ended();
        open.session.take(&number, input);
        let (has_ended, place) = (open.session.ended(), open.number);
        open.drain(self.judging, tell)?;
        if has_ended && !had_ended {
            self.ended.push_back((call_id, place));
            if self.ended.len() > ENDED_CALLS_MAX
                && let Some((oldest, place)) = self.ended.pop_front()
                // The id may be that of another call by now.
                && self.calls.get(&oldest).is_some_and(|open| open.number == place)
            {
                self.finish_call(&oldest, tell)?;
            }
        }
        Ok(Ok(()))
    }

    /// Finishes the calls that are left, in the order in which they began; the alerts that stand, call by call.
    ///
    /// # Errors
    /// Those of `tell`.
    pub fn finish<E>(mut self, tell: &mut impl FnMut(&Session, &Alert) -> Result<(), E>) -> Result<Vec<Standing>, E> {
        let mut left: Vec<Open> = std::mem::take(&mut self.calls).into_values().collect();
        left.sort_unstable_by_key(|open| open.number);
        for open in left {
            self.standing.extend(open.finish(self.judging, tell)?);
        }
        self.standing.sort_by_key(|alert| alert.call);
        Ok(self.standing)
    }

    fn finish_call<E>(
        &mut self,
        call_id: &str,
        tell: &mut impl FnMut(&Session, &Alert) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(open) = self.calls.remove(call_id) {
            self.standing.extend(open.finish(self.judging, tell)?);
        }
        Ok(())
    }
}

/// Judges one whole call.
///
/// # Errors
/// Those of `tell`, which hears every transition.
pub fn judge<E>(
    call: WholeCall,
    judging: &Judging,
    tell: &mut impl FnMut(&Session, &Alert) -> Result<(), E>,
) -> Result<Vec<Standing>, E> {
    let number = Number::default();
    let mut open = Open::new(judging, 0, call.info, &number);
    for input in call.inputs {
        open.session.take(&number, input);
        open.drain(judging, tell)?;
    }
    open.finish(judging, tell)
}

/// The alerts of a recording in the order in which `check --format jsonl` prints them: by time, then by id.
pub fn by_time(standing: &mut [Standing]) {
    standing.sort_unstable_by(|a, b| (a.at_ms, &a.alert_id, a.call).cmp(&(b.at_ms, &b.alert_id, b.call)));
}

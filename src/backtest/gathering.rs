//! From the lines of a recording to calls. A file may hold many, interleaved;
//! one that has ended waits for late finals until so many others have ended
//! after it, as in `check`.

use std::collections::{HashMap, VecDeque};

use super::{Recorded, Told};
use crate::adapter::native::{Event, EventBody};
use crate::engine::transcript::{CallInfo, Input};

/// Calls in progress in one file.
pub const CALLS_MAX: usize = 100_000;
/// Calls of one file that have ended and still wait for late finals.
const ENDED_CALLS_MAX: usize = 1_024;
/// The most bytes that calls in progress may hold together.
pub const HELD_BYTES_MAX: usize = 1 << 30;

/// The calls of one file, as far as they are not whole yet.
#[derive(Debug, Default)]
pub struct Gathering {
    calls: HashMap<String, Open>,
    /// The calls that have ended, the longest ago first, with their places.
    ended: VecDeque<(String, usize)>,
    next_number: usize,
    held_bytes: usize,
}

#[derive(Debug)]
struct Open {
    /// Its place among the calls of the file.
    number: usize,
    call: Recorded,
    bytes: usize,
    has_ended: bool,
}

impl Gathering {
    /// Takes one event. Returns a call that is whole now, if there is one.
    ///
    /// # Errors
    /// The event cannot be used; the message is ready to print.
    pub fn take(&mut self, event: Event) -> Result<Option<Recorded>, String> {
        let Event { call_id, number, body } = event;
        let input = match body {
            EventBody::Input(input) => input,
            // A second start of a call changes nothing, as in the server.
            EventBody::Start(info) if self.calls.get(&call_id).is_some_and(|open| open.is_answered_as(&info)) => {
                return Ok(None);
            }
            EventBody::Start(_) if self.calls.len() >= CALLS_MAX => {
                return Err(format!("同时进行的通话超过 {CALLS_MAX} 通 / more than {CALLS_MAX} calls in progress"));
            }
            EventBody::Start(info) => {
                let call = Recorded { info: *info, number, told: Vec::new() };
                let open = Open { number: self.next_number, call, bytes: 0, has_ended: false };
                self.next_number += 1;
                // Another answer time is another call: the one before is over.
                let before = self.calls.insert(call_id, open);
                self.held_bytes -= before.as_ref().map_or(0, |open| open.bytes);
                return Ok(before.map(|open| open.call));
            }
        };
        let Some(open) = self.calls.get_mut(&call_id) else {
            return Err(format!(
                "通话 {0} 没有 call.start，或早已结束 / call {0} has no call.start, or ended long ago",
                call_id.escape_debug()
            ));
        };
        let bytes = size_of::<Told>() + weight(&input);
        if self.held_bytes + bytes > HELD_BYTES_MAX {
            return Err("进行中的通话太多，内存不够：请把录音文件按通话或按天分开 / the calls in progress are too much to hold; split the file by call or by day".to_owned());
        }
        let ends = matches!(input, Input::End { .. }) && !open.has_ended;
        open.has_ended |= ends;
        open.bytes += bytes;
        self.held_bytes += bytes;
        open.call.told.push(Told { now: None, number, input });
        let place = open.number;
        if ends {
            self.ended.push_back((call_id, place));
            if self.ended.len() > ENDED_CALLS_MAX
                && let Some((oldest, place)) = self.ended.pop_front()
                && self.calls.get(&oldest).is_some_and(|open| open.number == place)
                && let Some(open) = self.calls.remove(&oldest)
            {
                self.held_bytes -= open.bytes;
                return Ok(Some(open.call));
            }
        }
        Ok(None)
    }

    /// The calls that are left, in the order in which they began.
    #[must_use]
    pub fn finish(self) -> Vec<Recorded> {
        let mut left: Vec<Open> = self.calls.into_values().collect();
        left.sort_unstable_by_key(|open| open.number);
        left.into_iter().map(|open| open.call).collect()
    }
}

impl Open {
    fn is_answered_as(&self, info: &CallInfo) -> bool {
        self.call.info.started_at.timestamp_millis() == info.started_at.timestamp_millis()
    }
}

fn weight(input: &Input) -> usize {
    match input {
        Input::Utterance(utterance) => utterance.text.len() + utterance.utterance_id.len(),
        _ => 0,
    }
}

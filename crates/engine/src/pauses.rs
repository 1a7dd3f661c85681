//! The pauses of a call: holds, and silences, as rules measure them.
//!
//! Everybody who shows a pause asks here, so that a page and a deduction never
//! disagree. How long a pause may last is a matter of rules.

use super::timeline::Timeline;
pub use super::timeline::{SILENCE_MS, Stretch};
use super::transcript::{EventKind, Input};

/// The pauses of one call, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pauses {
    /// The customer was on hold: until the call was resumed, its transfer answered, or it ended.
    pub holds: Vec<Stretch>,
    /// Nobody spoke for [`SILENCE_MS`] or longer, holds not counted. A silence with a hold in
    /// it is told in pieces. One that still goes on is told when words or the end are heard.
    pub silences: Vec<Stretch>,
}

impl Pauses {
    /// The pauses of the call in which these inputs came, in any order.
    #[must_use]
    pub fn of(inputs: impl IntoIterator<Item = Input>) -> Self {
        let mut timeline = Timeline::default();
        for input in inputs {
            match input {
                Input::Utterance(utterance) => {
                    timeline.place(&utterance);
                }
                Input::End { at, by } => timeline.ended(at, by),
                Input::Hold { at } => timeline.happened(EventKind::Hold, at),
                Input::Resume { at } => timeline.happened(EventKind::Resume, at),
                Input::Transfer { at, .. } => timeline.happened(EventKind::Transfer, at),
                Input::TransferAnswered { at, .. } => timeline.happened(EventKind::TransferAnswered, at),
            }
        }
        Self { holds: timeline.holds().to_vec(), silences: timeline.silences() }
    }
}

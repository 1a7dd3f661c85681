//! The exchange between shards and feeds about the calls in progress: the audience ([`Live`]), and
//! the row of a call ([`LiveCall`]).
//!
//! The task that polls the shards once a second is in `feeds`.

mod listeners;
mod row;

use std::sync::Arc;

pub(crate) use listeners::{Audience, Live};
pub(crate) use row::{DeskRow, LiveCall};

/// The calls of a shard that an audience must hear of.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Calls that may look otherwise than before.
    pub(crate) call_ids: Vec<Arc<str>>,
    /// Calls that were shown and are no more.
    pub(crate) gone: Vec<Gone>,
}

/// A call that was shown and is no more.
#[derive(Debug)]
pub(crate) struct Gone {
    pub(crate) call_id: Arc<str>,
    /// The agent who had it when it was last shown.
    pub(crate) agent_id: Arc<str>,
}

impl Gone {
    pub(crate) fn new(shown: &LiveCall) -> Self {
        Self { call_id: Arc::clone(&shown.call_id), agent_id: Arc::clone(&shown.agent_id) }
    }
}

/// The row of a call, and the views for which it is news.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) call: Arc<LiveCall>,
    /// The agent who had it when it was last shown, if that was another one.
    pub(crate) was: Option<Arc<str>>,
    pub(crate) is_new_on_wall: bool,
    pub(crate) is_new_on_desk: bool,
}

impl Look {
    pub(crate) fn new(call: Arc<LiveCall>, before: Option<&LiveCall>) -> Self {
        Self {
            was: before.filter(|before| before.agent_id != call.agent_id).map(|before| Arc::clone(&before.agent_id)),
            is_new_on_wall: before.is_none_or(|before| call.differs_on_wall(before)),
            is_new_on_desk: before.is_none_or(|before| call.differs_on_desk(before)),
            call,
        }
    }
}

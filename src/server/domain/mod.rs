//! What people and calls may do, as pure values: the steps of a review, scores,
//! the precision of rules, who acts, why something is refused. No sockets, no
//! store, no clock, no log.

pub(crate) mod principal;
pub(crate) mod quality;
pub(crate) mod refusal;
pub(crate) mod review;
pub(crate) mod score;

//! What people and calls may do, as pure values: the steps of a review, scores,
//! who acts, why something is refused. No sockets, no store, no clock.

pub(crate) mod principal;
pub(crate) mod refusal;
pub(crate) mod review;
pub(crate) mod score;

//! The rules of the domain as pure values: steps of a review, scores, precision, principals,
//! refusals, and the terms that are stored by name. Deliberately absent: sockets, the store, clocks, logs.

pub(crate) mod calibration;
pub(crate) mod draft;
pub(crate) mod estimate;
pub(crate) mod form;
pub(crate) mod overview;
pub(crate) mod phrase;
pub(crate) mod principal;
pub(crate) mod quality;
pub(crate) mod recording;
pub(crate) mod refusal;
pub(crate) mod review;
pub(crate) mod roster;
pub(crate) mod sampling;
pub(crate) mod score;
pub(crate) mod terms;
pub(crate) mod threshold;

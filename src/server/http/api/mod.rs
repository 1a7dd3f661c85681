//! The handlers of `/v1` and of the operator's paths, a module an area.

pub(crate) mod agents;
pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod calibrations;
pub(crate) mod calls;
pub(crate) mod clips;
pub(crate) mod export;
pub(crate) mod forms;
pub(crate) mod ingest;
pub(crate) mod live;
pub(crate) mod marks;
pub(crate) mod me;
pub(crate) mod operate;
pub(crate) mod overview;
pub(crate) mod page;
pub(crate) mod quality;
pub(crate) mod query;
pub(crate) mod report;
pub(crate) mod reviews;
pub(crate) mod roster;
pub(crate) mod rules;
pub(crate) mod sampling;
pub(crate) mod scores;
pub(crate) mod search;
pub(crate) mod statistics;
pub(crate) mod views;

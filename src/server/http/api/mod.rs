//! The endpoints, a module an area.

pub(crate) mod audit;
pub(crate) mod quality;
pub(crate) mod query;
pub(crate) mod review;
pub(crate) mod rules;
pub(crate) mod statistics;

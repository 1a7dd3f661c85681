//! Endpoints about rules: the packs in force, edited ones on trial, backtests.

pub(crate) mod backtest;
pub(crate) mod book;
pub(crate) mod edit;
pub(crate) mod trial;

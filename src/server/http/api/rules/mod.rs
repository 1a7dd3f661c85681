//! Endpoints about rules: those in use, edited ones on trial, drafts, backtests.

pub(crate) mod backtest;
pub(crate) mod book;
pub(crate) mod drafts;
pub(crate) mod edit;
pub(crate) mod form;
pub(crate) mod history;
pub(crate) mod hits;
pub(crate) mod in_use;
pub(crate) mod learn;
pub(crate) mod trial;

use crate::server::domain::refusal::Refusal;

/// Does what takes a while beside the tasks of the runtime.
async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Stopping)
}

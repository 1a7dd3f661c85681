//! How many calls each producer has in progress: one connection or one token must not take them all.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::server::config::Config;
use crate::server::domain::refusal::Refusal;

/// The calls of each token, by the name that the token has. As bounded as the tokens of the configuration.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    tokens: Mutex<HashMap<Arc<str>, Arc<AtomicUsize>>>,
}

/// A connection that may start calls, or one `POST`, and whose token it has.
#[derive(Debug)]
pub(crate) struct Origin {
    connection: AtomicUsize,
    connection_max: usize,
    /// Where there are no tokens, only connections are told apart.
    token: Option<Arc<AtomicUsize>>,
    token_max: usize,
}

/// A call in progress that counts for its origin until it is closed.
#[derive(Debug)]
pub(crate) struct Share(Arc<Origin>);

impl Shares {
    /// A new connection of the token that has this name.
    pub(crate) fn origin(&self, config: &Config, token: Option<&Arc<str>>) -> Arc<Origin> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let token = token.map(|name| Arc::clone(tokens.entry(Arc::clone(name)).or_default()));
        Arc::new(Origin {
            connection: AtomicUsize::new(0),
            connection_max: config.calls_per_connection_max.get(),
            token,
            token_max: config.calls_per_token_max.get(),
        })
    }
}

impl Origin {
    /// One more call, if its connection and its token may have one.
    pub(crate) fn take(self: &Arc<Self>) -> Result<Share, Refusal> {
        if !one_more(&self.connection, self.connection_max) {
            return Err(Refusal::TooManyCallsOfConnection { max: self.connection_max });
        }
        if self.token.as_deref().is_some_and(|token| !one_more(token, self.token_max)) {
            self.connection.fetch_sub(1, Ordering::Relaxed);
            return Err(Refusal::TooManyCallsOfToken { max: self.token_max });
        }
        Ok(Share(Arc::clone(self)))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Self(origin) = self;
        origin.connection.fetch_sub(1, Ordering::Relaxed);
        if let Some(token) = &origin.token {
            token.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn one_more(count: &AtomicUsize, max: usize) -> bool {
    let more = |count: usize| (count < max).then_some(count + 1);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
}

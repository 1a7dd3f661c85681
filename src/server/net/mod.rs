//! The parts of every served connection: a stream that does not wait for ever ([`patient`]), bodies
//! of requests ([`body`]), answers ([`reply`]) and WebSockets ([`ws`]). It knows no path and no role.

pub(crate) mod body;
pub(crate) mod patient;
pub(crate) mod reply;
pub(crate) mod ws;

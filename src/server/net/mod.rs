//! The parts of every connection: a stream that does not wait for ever ([`patient`]), bodies of requests
//! ([`body`]), answers ([`reply`]), WebSockets ([`ws`]), and connections to others ([`client`]). It knows no
//! path and no role.

pub(crate) mod body;
pub(crate) mod client;
pub(crate) mod patient;
pub(crate) mod reply;
pub(crate) mod ws;

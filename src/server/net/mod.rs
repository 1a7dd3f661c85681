//! The parts of every served connection: answers to requests ([`reply`]) and WebSockets ([`ws`]).
//! It knows no path and no role.

pub(crate) mod reply;
pub(crate) mod ws;

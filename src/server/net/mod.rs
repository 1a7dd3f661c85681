//! What every served connection is made of: answers to requests ([`reply`]) and
//! WebSockets ([`ws`]). It knows no path and no role.

pub(crate) mod reply;
pub(crate) mod ws;

//! The one port: who is let in ([`access`]), which handler answers where
//! ([`router`]), the handlers by area ([`api`]), and the pages.
//!
//! Nothing else of the server imports this room.

mod accept;
mod access;
mod addresses;
pub(crate) mod api;
mod docs;
mod openapi;
mod pages;
mod router;
mod tls;

pub(crate) use accept::{Door, accept};
pub(crate) use access::sign_agent_token;

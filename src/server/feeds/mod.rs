//! The streams that clients read: an agent's alerts and desk, the wall, the watch
//! of a call. A feed sends what the runtime has decided; it decides nothing itself.

pub(crate) mod feedback;
pub(crate) mod live;
pub(crate) mod push;
pub(crate) mod sse;

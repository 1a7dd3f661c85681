//! One line on a terminal, over and over; nothing elsewhere.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

/// How far something is.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    is_terminal: bool,
    is_begun: bool,
}

impl Progress {
    /// Of `what` is being done.
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, is_terminal: io::stderr().is_terminal(), is_begun: false }
    }

    /// It is here now.
    pub(crate) fn tell(&mut self, how_far: fmt::Arguments<'_>) {
        if self.is_terminal {
            self.is_begun = true;
            // Who closed standard error does not want to know.
            let _ = write!(io::stderr(), "\r{}: {how_far}\x1b[K", self.what);
        }
    }

    /// It is over.
    pub(crate) fn end(&self) {
        if self.is_begun {
            let _ = writeln!(io::stderr());
        }
    }
}

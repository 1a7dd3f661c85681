//! A progress line, redrawn in place on a terminal; silent elsewhere.

use std::fmt::Arguments;
use std::io::{self, IsTerminal as _, Write as _};

/// The line.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    is_terminal: bool,
    is_begun: bool,
}

impl Progress {
    /// The progress of the job `what`.
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, is_terminal: io::stderr().is_terminal(), is_begun: false }
    }

    /// A line that nobody sees.
    pub(crate) const fn silent() -> Self {
        Self { what: "", is_terminal: false, is_begun: false }
    }

    /// Whether anybody sees it.
    pub(crate) const fn is_seen(&self) -> bool {
        self.is_terminal
    }

    /// How far it is now.
    pub(crate) fn tell(&mut self, how_far: Arguments<'_>) {
        if self.is_terminal {
            self.is_begun = true;
            // Who closed standard error does not want to know.
            let _ = write!(io::stderr(), "\r{}: {how_far}\x1b[K", self.what);
        }
    }

    /// Says what was done, behind the line.
    pub(crate) fn conclude(&self, done: Arguments<'_>) {
        if self.is_terminal {
            let _ = writeln!(io::stderr(), "{done}");
        }
    }

    /// Ends the line; what is told next begins another.
    pub(crate) fn end(&mut self) {
        if std::mem::take(&mut self.is_begun) {
            let _ = writeln!(io::stderr());
        }
    }
}

//! Where the phrases of a compiled program stand in the rule files. Only those who check rule files
//! ask; calls run without it.

use std::collections::BTreeSet;

use super::syntax::PhraseSource;
use crate::text::{PhraseId, PhraseOptions};

/// A phrase of a rule file, and what it was compiled into.
#[derive(Clone, Debug)]
pub(crate) struct PhraseOrigin {
    pub(crate) source: PhraseSource,
    pub(crate) id: PhraseId,
    pub(crate) options: PhraseOptions,
}

/// The phrases of a detector; acts have none.
#[derive(Debug, Default)]
pub(crate) struct DetectorOrigins {
    /// The phrases that it listens for.
    pub(crate) phrases: Vec<PhraseOrigin>,
    /// The phrases of its conditions.
    pub(crate) conditions: Vec<PhraseOrigin>,
}

/// The origins of a program. The compiler writes them down as it goes.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    /// By the detector's index.
    pub(crate) detectors: Vec<DetectorOrigins>,
    /// Phrases that are only looked for beside what is measured.
    pub(crate) beside: Vec<PhraseOrigin>,
    /// The lists that phrases came from: pack and name.
    pub(crate) lists: BTreeSet<(String, String)>,
}

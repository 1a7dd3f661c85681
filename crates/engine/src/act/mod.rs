//! Acts: what an utterance does, in whatever words.
//!
//! ```text
//! Turn ──▶ features (n-grams, classes of words, what stood before) ──▶ Model: one sum an act ──▶ calibrated share
//! ```
//!
//! A [`Model`] is linear: each feature adds a weight to the score of each act
//! that it speaks for or against, so a score can be explained by its terms. A
//! score becomes a *confidence*: the share of such utterances that do the act.
//! One more target beside the acts, the *verdict*, is the share of such turns
//! that a reviewer marks as a violation.
//!
//! Learning and scoring use whole numbers, or floating-point sums in a fixed
//! order, so that the same corpus gives the same model file, and the same model
//! the same scores, to the byte on every machine.
//!
//! Deliberately absent: anything that remembers a call, reads a file or picks
//! rows by chance.

mod calibration;
mod features;
mod learn;
mod model;
mod reasons;
mod words;

pub use calibration::Calibration;
pub use features::{TURN_CHARS_MAX, Turn, phrase_key};
pub use learn::{Example, Label, Learned, Learner, Scored};
pub use model::{Act, ActId, ActKind, Judged, MODEL_BYTES_MAX, Model, ModelError, Scratch, Term};
pub use reasons::{Part, Reasons};

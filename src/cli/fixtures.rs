//! The recorded calls built into the binary, for `demo`.

/// Their names and contents, in the order they are played.
pub(crate) const FIXTURES: &[(&str, &str)] = &[("refund.jsonl", include_str!("../../fixtures/refund.jsonl"))];

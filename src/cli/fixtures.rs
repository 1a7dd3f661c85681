//! The recorded calls built into the binary, for `demo`.

/// The calls of `fixtures/calls`, by name.
macro_rules! fixtures {
    ($($name:literal),* $(,)?) => {
        &[$((concat!($name, ".jsonl"), include_str!(concat!("../../fixtures/calls/", $name, ".jsonl")))),*]
    };
}

/// Their names and contents, in the order they are played: the first has
/// something of everything, the slow ones come last.
pub(crate) const FIXTURES: &[(&str, &str)] = fixtures![
    "complaint-mishandled",
    "outbound-visit",
    "late-finals",
    "traditional-script",
    "hold-transfer",
    "blind-transfer",
    "evening-hotline",
    "new-agent",
    "complaint-handled",
    "line-cut",
    "order-query",
    "chat-return",
];

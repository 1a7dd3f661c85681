//! Rules: how they are written ([`syntax`]), read, checked and
//! compiled into what a call runs on ([`RuleSet`]).

pub mod diagnostic;
pub mod lint;
pub mod parse;
pub mod render;
pub mod schema;
mod surface;
pub mod syntax;
pub mod unit_test;

use std::sync::Arc;

use crate::engine::alert::{AlertKind, Severity};

/// A compiled rule: what alerts, exports and pages say about it. What the
/// engine runs on is private to it.
#[derive(Debug)]
pub struct Rule {
    /// Unique among all packs.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The pack it is in.
    pub pack: String,
    /// What its alerts are.
    pub kind: AlertKind,
    /// How grave a violation is.
    pub severity: Severity,
    /// Points a violation costs.
    pub deduct: u32,
    /// The clauses it rests on.
    pub clauses: Vec<String>,
    /// What to say instead.
    pub suggestion: Option<String>,
}

/// All the rules of one version, compiled. Immutable and shared by all calls.
#[derive(Debug)]
pub struct RuleSet {
    /// The first 12 hexadecimal digits of the SHA-256 of the files' names and contents.
    pub version: String,
    /// In the order of files and of rules in them.
    pub rules: Vec<Arc<Rule>>,
}

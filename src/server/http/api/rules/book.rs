//! The rules in use for those who read them: as they were written, and the
//! clauses that they hold. Nothing here changes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::adapter::schema;
use crate::engine::rule::Rule;
use crate::engine::rule::coverage::{ClauseStatus, Coverage};
use crate::engine::rule::parse::{self, SourceFile, is_parameters_file};
use crate::engine::rule::syntax::PackSource;
use crate::engine::severity::{AlertKind, Severity};
use crate::server::domain::refusal::ErrorMessage;
use crate::server::http::api::rules::compute;
use crate::server::net::reply::Unanswered;
use crate::server::rules::Written;
use crate::server::runtime::Shared;

/// The rules as they were written.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Packs {
    version: String,
    packs: Vec<PackView>,
    /// The file of parameters, if there is one.
    parameters: Option<FileView>,
}

/// One pack.
#[derive(Debug, Serialize, ToSchema)]
struct PackView {
    pack: String,
    title: Option<String>,
    /// The document that it comes from.
    source: Option<String>,
    /// Its file; null if the rules were not read from files.
    file: Option<String>,
    text: Option<String>,
    /// Whether its alerts are stored and counted only.
    shadow: bool,
    /// Whether calls that name no packs have it.
    enabled: bool,
    rules: Vec<RuleView>,
}

/// One rule.
#[derive(Debug, Serialize, ToSchema)]
struct RuleView {
    id: String,
    name: String,
    #[schema(value_type = schema::AlertKind)]
    kind: AlertKind,
    #[schema(value_type = schema::Severity)]
    severity: Severity,
    deduct: u32,
    clauses: Vec<String>,
    suggestion: Option<String>,
    /// Whether it is on trial by itself.
    shadow: bool,
    /// Where it begins in the file, from 1.
    line: Option<u32>,
}

/// A file.
#[derive(Debug, Serialize, ToSchema)]
struct FileView {
    file: String,
    text: String,
}

/// The packs in use as they were written, and where in them each rule begins.
#[utoipa::path(get, path = "/v1/rules/packs", tag = "operate", responses(
    (status = 200, description = "Files and rules / 规则文件和规则", body = Packs),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn packs(State(shared): State<Arc<Shared>>) -> Result<Json<Packs>, Unanswered> {
    let written = shared.rules.written();
    let shadow_packs = shared.config.shadow_packs.clone();
    Ok(Json(compute(move || pack_views(&written, &shadow_packs)).await?))
}

fn pack_views(written: &Written, shadow_packs: &[String]) -> Packs {
    let is_shadow = |pack: &str| shadow_packs.iter().any(|shadow| shadow == pack);
    let mut by_pack: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
    for rule in &written.rules.rules {
        by_pack.entry(&rule.pack).or_default().push(rule);
    }
    let files = &written.sources.files;
    let (sources, _) = parse::parse(files);
    let mut packs: Vec<PackView> = sources
        .iter()
        .map(|source| {
            let name = source.pack.value.as_str();
            let file = files.iter().find(|file| *file.name == *source.pack.at.file);
            let rules = by_pack.remove(name).unwrap_or_default();
            PackView {
                pack: name.to_owned(),
                title: Some(source.title.clone()),
                source: source.source.clone(),
                file: file.map(|file| file.name.clone()),
                text: file.map(|file| file.text.clone()),
                shadow: is_shadow(name),
                enabled: source.enabled,
                rules: rules.into_iter().map(|rule| RuleView::new(rule, Some(source))).collect(),
            }
        })
        .collect();
    // Rules that were given without files.
    packs.extend(by_pack.into_iter().map(|(name, rules)| PackView {
        pack: name.to_owned(),
        title: None,
        source: None,
        file: None,
        text: None,
        shadow: is_shadow(name),
        enabled: true,
        rules: rules.into_iter().map(|rule| RuleView::new(rule, None)).collect(),
    }));
    let parameters = files.iter().find(|file| is_parameters_file(&file.name));
    let view = |SourceFile { name, text }: &SourceFile| FileView { file: name.clone(), text: text.clone() };
    Packs { version: written.rules.version.clone(), packs, parameters: parameters.map(view) }
}

impl RuleView {
    fn new(rule: &Rule, source: Option<&PackSource>) -> Self {
        let written = source.and_then(|source| source.rules.iter().find(|written| written.id.value == rule.id));
        Self {
            id: rule.id.clone(),
            name: rule.name.clone(),
            kind: rule.kind,
            severity: rule.severity,
            deduct: rule.deduct,
            clauses: rule.clauses.clone(),
            suggestion: rule.suggestion.clone(),
            shadow: rule.shadow,
            line: written.map(|written| written.id.at.line),
        }
    }
}

/// The clauses, with the rules that rest on each.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CoverageView {
    version: String,
    /// In the order of the table; nothing without one.
    clauses: Vec<ClauseView>,
    covered: usize,
    excused: usize,
    open: usize,
    /// The packs that calls must ask for.
    off: Vec<String>,
    /// Rows of the tables that cannot be used.
    faults: Vec<String>,
}

/// One clause.
#[derive(Debug, Serialize, ToSchema)]
struct ClauseView {
    clause: String,
    /// The text of the clause.
    text: String,
    /// The document that it comes from.
    source: String,
    /// The ids of the rules that rest on it.
    rules: Vec<String>,
    tests: Vec<RuleTests>,
    /// `covered`: a rule with a firing test; `excused`: a reason why there is none; `open`: neither.
    status: &'static str,
    /// Why it has no rule, or what it lacks.
    reason: Option<String>,
}

/// The tests of a rule.
#[derive(Debug, Serialize, ToSchema)]
struct RuleTests {
    rule_id: String,
    tests: usize,
    /// Tests that expect an alert.
    firing: usize,
    /// Whether calls that name no packs have it.
    enabled: bool,
}

/// The clauses and the rules that hold them, as `tingjian rules coverage` tells them.
#[utoipa::path(get, path = "/v1/rules/coverage", tag = "operate", responses(
    (status = 200, description = "The table of clauses / 条款覆盖表", body = CoverageView),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn coverage(State(shared): State<Arc<Shared>>) -> Result<Json<CoverageView>, Unanswered> {
    let written = shared.rules.written();
    Ok(Json(compute(move || coverage_view(&written)).await?))
}

fn coverage_view(written: &Written) -> CoverageView {
    let mut view = CoverageView {
        version: written.rules.version.clone(),
        clauses: Vec::new(),
        covered: 0,
        excused: 0,
        open: 0,
        off: Vec::new(),
        faults: Vec::new(),
    };
    let sources = &written.sources;
    let (packs, _) = parse::parse(&sources.files);
    let Some(clauses) = &sources.clauses else { return view };
    match Coverage::new(clauses, sources.uncovered.as_ref(), &packs) {
        Err(faults) => view.faults = faults,
        Ok(coverage) => {
            view.covered = coverage.count(ClauseStatus::Covered);
            view.excused = coverage.count(ClauseStatus::Excused);
            view.open = coverage.count(ClauseStatus::Open);
            view.off = coverage.off.iter().map(|pack| pack.pack.value.clone()).collect();
            view.clauses = coverage
                .rows
                .iter()
                .map(|row| ClauseView {
                    clause: row.clause.to_owned(),
                    text: row.requirement.to_owned(),
                    source: row.source.to_owned(),
                    rules: row.rules.iter().map(|rule| rule.id.to_owned()).collect(),
                    tests: row
                        .rules
                        .iter()
                        .map(|rule| RuleTests {
                            rule_id: rule.id.to_owned(),
                            tests: rule.tests,
                            firing: rule.firing,
                            enabled: rule.enabled,
                        })
                        .collect(),
                    status: row.status().name(),
                    reason: row
                        .reason
                        .or((row.status() == ClauseStatus::Open).then(|| row.lacking()))
                        .map(str::to_owned),
                })
                .collect();
        }
    }
    view
}

//! The OpenAPI description at `/v1/openapi.json`. Each handler describes itself; the router lists
//! the handlers, and the tables that parameters are read by describe the parameters.

use std::collections::BTreeSet;

use axum::Extension;
use axum::body::Bytes;
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter as Described, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{OpenApi, RefOr, Required};

use crate::server::export::OF_EXPORTS;
use crate::server::filter::{OF_ALERTS, OF_AUDIT, OF_CALLS, OF_HISTORY, OF_PAGES, Parameter, Shape};
use crate::server::http::api::day::OF_DAY;
use crate::server::http::api::forms::{OF_FORMS, OF_OWN_FORMS, OF_TREND};
use crate::server::http::api::ingest::OF_ASR;
use crate::server::http::api::overview::OF_OVERVIEW;
use crate::server::http::api::report::OF_REPORT_FORMS;
use crate::server::http::api::sampling::{OF_ASSIGNMENTS, OF_SAMPLING};
use crate::server::http::api::scores::OF_SCORES;
use crate::server::http::api::search::OF_SEARCH;
use crate::server::http::api::statistics::OF_STATISTICS;
use crate::server::http::api::views::OF_VIEWS;
use crate::server::report::OF_REPORTS;

/// Title, description and tags; the paths come from the router.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "tingjian 听检",
        description = "Listens in on live calls and warns the agent while the customer is on the line. Tokens go into `Authorization: Bearer …`. / 旁听进行中的客服通话，客户还在线时就提醒坐席。令牌放在 `Authorization: Bearer …` 里。"
    ),
    tags(
        (name = "live", description = "Calls in, alerts out / 通话进，预警出"),
        (name = "qa", description = "Query, export, score / 查询、导出、评分"),
        (name = "pages", description = "What people look at / 页面"),
        (name = "operate", description = "Rules, health, metrics / 规则、健康、指标"),
    )
)]
pub(super) struct Preface;

/// The description, written out once; its clones share the text.
#[derive(Clone)]
pub(super) struct Description(Bytes);

impl Description {
    pub(super) fn new(described: &OpenApi) -> Self {
        Self(described.to_json().expect("a description always serialises").into())
    }
}

/// This description.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "operate", responses(
    (status = 200, description = "OpenAPI 3.1", body = Object),
))]
pub(super) async fn describe(Extension(Description(json)): Extension<Description>) -> Response {
    ([(CONTENT_TYPE, "application/json")], json).into_response()
}

/// The operations of `/v1` that have no parameters in their query.
pub(super) fn without_query(described: &OpenApi) -> BTreeSet<(String, Method)> {
    let mut bare = BTreeSet::new();
    for (path, item) in described.paths.paths.iter().filter(|(path, _)| path.starts_with("/v1/")) {
        let operations = [(Method::GET, &item.get), (Method::POST, &item.post), (Method::DELETE, &item.delete)];
        for (method, operation) in operations {
            let mut all = operation.iter().flat_map(|operation| operation.parameters.iter().flatten());
            if operation.is_some()
                && !all.any(|one| matches!(one, RefOr::T(one) if one.parameter_in == ParameterIn::Query))
            {
                bare.insert((path.clone(), method));
            }
        }
    }
    bare
}

fn described(parameters: &[Parameter]) -> Vec<Described> {
    parameters
        .iter()
        .map(|Parameter { name, about, shape }| {
            let schema = ObjectBuilder::new();
            let schema = match shape {
                Shape::Text => schema.schema_type(Type::String).min_length(Some(1)),
                Shape::Moment => schema.schema_type(Type::String).examples(["2026-11-21", "2026-11-21T10:00:00+08:00"]),
                Shape::Names(names) => schema.schema_type(Type::String).enum_values(Some(names.iter().copied())),
                Shape::Number(least, most) => {
                    schema.schema_type(Type::Integer).minimum(Some(f64::from(*least))).maximum(Some(f64::from(*most)))
                }
            };
            ParameterBuilder::new()
                .name(*name)
                .parameter_in(ParameterIn::Query)
                .required(Required::False)
                .description(Some(*about))
                .schema(Some(Schema::Object(schema.build())))
                .build()
        })
        .collect()
}

/// Filters of alerts.
pub(crate) struct AlertParameters;
/// Filters of calls.
pub(crate) struct CallParameters;
/// Filters of an agent's own alerts.
pub(crate) struct HistoryParameters;
/// Which day of an agent.
pub(crate) struct DayParameters;
/// Filters and grouping of scores.
pub(crate) struct ScoreParameters;
/// Parameters of statistics beside the filters of alerts.
pub(crate) struct StatisticsParameters;
/// Parameters of an overview beside the filters of alerts.
pub(crate) struct OverviewParameters;
/// The span and the form of a report.
pub(crate) struct ReportParameters;
/// The page of saved views.
pub(crate) struct ViewParameters;
/// Filters of audit entries.
pub(crate) struct AuditParameters;
/// What is searched for in what was said.
pub(crate) struct SearchParameters;
/// Filters of assignments.
pub(crate) struct AssignmentParameters;
/// Filters of filled forms.
pub(crate) struct FormParameters;
/// Filters of an agent's own forms.
pub(crate) struct OwnFormParameters;
/// Grouping and filters of the course of scores.
pub(crate) struct TrendParameters;
/// The weeks of samples.
pub(crate) struct SamplingParameters;
/// Pages of a list.
pub(crate) struct PageParameters;
/// The format of an export.
pub(crate) struct ExportParameters;
/// The call and the voice of a recogniser's channel.
pub(crate) struct AsrParameters;

macro_rules! into_params {
    ($($name:ident: $table:expr;)+) => {
        $(impl IntoParams for $name {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Described> {
                described($table)
            }
        })+
    };
}

impl IntoParams for ReportParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Described> {
        [OF_REPORTS, OF_REPORT_FORMS].into_iter().flat_map(described).collect()
    }
}

into_params! {
    AlertParameters: OF_ALERTS;
    AssignmentParameters: OF_ASSIGNMENTS;
    AuditParameters: OF_AUDIT;
    CallParameters: OF_CALLS;
    DayParameters: OF_DAY;
    HistoryParameters: OF_HISTORY;
    ScoreParameters: OF_SCORES;
    SearchParameters: OF_SEARCH;
    StatisticsParameters: OF_STATISTICS;
    OverviewParameters: OF_OVERVIEW;
    FormParameters: OF_FORMS;
    OwnFormParameters: OF_OWN_FORMS;
    TrendParameters: OF_TREND;
    PageParameters: OF_PAGES;
    SamplingParameters: OF_SAMPLING;
    ExportParameters: OF_EXPORTS;
    AsrParameters: OF_ASR;
    ViewParameters: OF_VIEWS;
}

//! The OpenAPI description of all paths, at `/v1/openapi.json`. Each handler
//! describes itself; parameters come from the tables here.

use axum::Json;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{OpenApi, Required};
use utoipa::{IntoParams, OpenApi as _};

use crate::server::export;
use crate::server::http::api::rules::{backtest, book, edit, history, in_use, trial};
use crate::server::http::api::{
    agents, alerts, audit, calls, export as export_api, ingest, live, me, operate, quality, reviews, scores, statistics,
};
use crate::server::http::pages;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "tingjian 听检",
        description = "Listens in on live calls and warns the agent while the customer is on the line. Tokens go into `Authorization: Bearer …`. / 旁听进行中的客服通话，客户还在线时就提醒坐席。令牌放在 `Authorization: Bearer …` 里。"
    ),
    paths(
        pages::home, pages::agent, pages::live, pages::call, pages::qa, pages::rules, pages::asset,
        operate::live, operate::ready, operate::metrics,
        ingest::native, ingest::asr, ingest::post_events,
        agents::alerts, agents::answer, agents::reviews, agents::desk, calls::watch, live::wall,
        me::me,
        reviews::take, quality::quality, audit::audit,
        in_use::in_use, in_use::reload, history::versions, history::version,
        book::packs, book::coverage, edit::check, trial::try_out, backtest::backtest,
        alerts::alerts, calls::calls, calls::call, scores::scores, statistics::statistics,
        export_api::export,
        describe,
    ),
    tags(
        (name = "live", description = "Calls in, alerts out / 通话进，预警出"),
        (name = "qa", description = "Query, export, score / 查询、导出、评分"),
        (name = "pages", description = "What people look at / 页面"),
        (name = "operate", description = "Rules, health, metrics / 规则、健康、指标"),
    )
)]
struct Description;

/// The description, as a value.
pub(crate) fn description() -> OpenApi {
    Description::openapi()
}

/// This description.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "operate", responses(
    (status = 200, description = "OpenAPI 3.1", body = Object),
))]
pub(crate) async fn describe() -> Json<OpenApi> {
    Json(description())
}

/// Name, what it is, and what it may be.
type Row = (&'static str, &'static str, Shape);

enum Shape {
    Text,
    /// A day, or a time with its offset.
    Moment,
    Names(&'static [&'static str]),
    /// From the first to the second.
    Number(u32, u32),
}

fn parameters(rows: &[Row]) -> Vec<Parameter> {
    rows.iter()
        .map(|(name, description, shape)| {
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
                .description(Some(*description))
                .schema(Some(Schema::Object(schema.build())))
                .build()
        })
        .collect()
}

const FROM: Row = ("from", "From this day or time on / 从哪天或什么时间起", Shape::Moment);
const TO: Row =
    ("to", "Up to this time, or to the end of this day / 到什么时间（不含）或哪天（含）为止", Shape::Moment);
const AGENT: Row = ("agent_id", "Of this agent / 坐席", Shape::Text);
const CALL: Row = ("call_id", "Of this call / 通话", Shape::Text);
const RULE: Row = ("rule_id", "Of this rule / 规则", Shape::Text);
const SEVERITY: Row =
    ("severity", "One or several, commas between them: info, warning, critical / 级别，可用逗号写多个", Shape::Text);
const STATE: Row = (
    "state",
    "One or several, commas between them: provisional, confirmed, retracted, reminder, resolved / 状态，可用逗号写多个",
    Shape::Text,
);
const REVIEW: Row = (
    "review",
    "One or several, commas between them: unreviewed, confirmed, dismissed / 复核结论，可用逗号写多个",
    Shape::Text,
);
const APPEAL: Row =
    ("appeal", "One or several, commas between them: pending, granted, rejected / 申诉，可用逗号写多个", Shape::Text);
const ACTION: Row = (
    "action",
    "One or several, commas between them: start, reload, confirm, dismiss, appeal, grant, reject, export, forget / 做了什么，可用逗号写多个",
    Shape::Text,
);
const QUEUE: Row = ("queue", "Of this queue / 队列", Shape::Text);
const LIVE: Row = ("live", "In progress or over / 是否进行中", Shape::Names(&["true", "false"]));
const GROUP: Row =
    ("group", "By what, agent unless said / 按什么分组，默认按坐席", Shape::Names(&["agent", "team", "day"]));
const GROUPS: Row = (
    "group",
    "One or two, a comma between them: day, hour, rule, agent, queue, severity; rule unless said / 按什么分组，一个或两个，默认按规则",
    Shape::Text,
);
const DISPLAY: Row = (
    "display",
    "One or several, commas between them: card, folded, late, shadow; all but shadow unless said / 显示方式，默认不含试运行",
    Shape::Text,
);
const LIMIT: Row = ("limit", "Rows on a page, 100 unless said / 每页行数，默认 100", Shape::Number(1, 1_000));
const CURSOR: Row = ("cursor", "The next_cursor of the page before / 上一页的 next_cursor", Shape::Text);
const FORMAT: Row = ("format", "The format, csv unless said / 格式，默认 csv", Shape::Names(&export::FORMATS));

/// Filters of alerts.
pub(crate) struct AlertParameters;
/// Filters of calls.
pub(crate) struct CallParameters;
/// Filters and grouping of scores.
pub(crate) struct ScoreParameters;
/// What statistics have beside the filters of alerts.
pub(crate) struct StatisticsParameters;
/// Filters of audit entries.
pub(crate) struct AuditParameters;
/// Pages of a list.
pub(crate) struct PageParameters;
/// The format of an export.
pub(crate) struct ExportParameters;

macro_rules! into_params {
    ($($name:ident: $rows:expr;)+) => {
        $(impl IntoParams for $name {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                parameters($rows)
            }
        })+
    };
}

into_params! {
    AlertParameters: &[FROM, TO, AGENT, CALL, RULE, QUEUE, SEVERITY, STATE, REVIEW, APPEAL];
    AuditParameters: &[FROM, TO, ACTION];
    CallParameters: &[FROM, TO, AGENT, CALL, QUEUE, LIVE];
    ScoreParameters: &[GROUP, FROM, TO, AGENT, QUEUE];
    StatisticsParameters: &[GROUPS, DISPLAY];
    PageParameters: &[LIMIT, CURSOR];
    ExportParameters: &[FORMAT];
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::server::filter::{OF_ALERTS, OF_AUDIT, OF_CALLS, OF_PAGES};
    use crate::server::http::access;
    use crate::server::http::api::scores::OF_SCORES;
    use crate::server::http::api::statistics::OF_STATISTICS;

    /// The router answers no path that the table of access has not.
    #[test]
    fn every_path_of_the_server_is_described() {
        let description = description();
        let described: BTreeSet<&str> = description.paths.paths.keys().map(String::as_str).collect();
        assert_eq!(described, access::paths().collect());
    }

    #[test]
    fn parameters_are_those_that_are_read() {
        fn names<T: IntoParams>() -> Vec<String> {
            T::into_params(|| None).into_iter().map(|parameter| parameter.name).collect()
        }
        assert_eq!(names::<AlertParameters>(), OF_ALERTS);
        assert_eq!(names::<CallParameters>(), OF_CALLS);
        assert_eq!(names::<AuditParameters>(), OF_AUDIT);
        assert_eq!(names::<ScoreParameters>(), OF_SCORES);
        assert_eq!(names::<StatisticsParameters>(), OF_STATISTICS);
        assert_eq!(names::<PageParameters>(), OF_PAGES);
    }
}

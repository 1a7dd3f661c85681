//! The weekly report: to be looked at, and sent by hand.

use std::sync::Arc;

use axum::extract::rejection::StringRejection;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::server::config::ReportLanguage;
use crate::server::domain::principal::{AccessRole, Principal};
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::filter::{Parameter, Parameters, Shape};
use crate::server::http::api::body::read;
use crate::server::http::openapi::ReportParameters;
use crate::server::net::reply::{self, Unanswered};
use crate::server::report::{OF_REPORTS, Sender, WeeklyReport, gather, send_now, span_of};
use crate::server::runtime::Shared;

/// The form of an answer, beside the span.
pub(crate) const OF_REPORT_FORMS: &[Parameter] = &[
    Parameter::new(
        "format",
        "json unless said, or html as it is mailed / 默认 json；html 是邮件的样子",
        Shape::Names(&["json", "html"]),
    ),
    Parameter::new(
        "language",
        "Of html; that of [report] unless said / html 的语言，默认按 [report]",
        Shape::Names(&["zh", "en"]),
    ),
];

/// The report of a span, the last week unless said.
#[utoipa::path(get, path = "/v1/report", tag = "qa", params(ReportParameters), responses(
    (status = 200, description = "The report / 周报", content((WeeklyReport = "application/json"), (String = "text/html"))),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn report(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_REPORTS, OF_REPORT_FORMS])?;
    let span = span_of(&parameters, &shared.config)?;
    let is_html = parameters.choice("format", &[("json", false), ("html", true)])?.unwrap_or_default();
    let language = parameters.choice("language", &[("zh", ReportLanguage::Zh), ("en", ReportLanguage::En)])?;
    let report = gather(&shared, span).await?;
    if !is_html {
        return Ok(Json(report).into_response());
    }
    let html = report.html(language.unwrap_or(shared.config.report.language));
    // A mail has its styles in it, and nothing else may come along.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; sandbox";
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, policy)];
    Ok((headers, html).into_response())
}

/// Which report to send.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WantedReport {
    /// The first day; the last week unless said.
    from: Option<String>,
    /// The last day.
    to: Option<String>,
}

/// What became of the report.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SentReport {
    recipients: Vec<SentTo>,
}

/// What became of it for one recipient.
#[derive(Debug, Serialize, ToSchema)]
struct SentTo {
    /// `mail:ADDRESS` or `webhook:NAME`.
    recipient: String,
    /// `sent`, `failed` or `rejected`.
    result: &'static str,
    /// Why it was not sent.
    fault: Option<String>,
}

/// Sends the report to everybody whom `[report]` names, now; that of the week goes out all the same.
#[utoipa::path(post, path = "/v1/report/send", tag = "qa", request_body = WantedReport, responses(
    (status = 200, description = "What became of it, by recipient / 每个收件人的结果", body = SentReport),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 409, description = "Nobody gets reports / 没有配置收件人", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn send(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Extension(sender): Extension<Arc<Sender>>,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let WantedReport { from, to } = read(&body?)?;
    let given = [("from", from), ("to", to)].into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let span = span_of(&Parameters::of(given.collect()), &shared.config).map_err(Unanswered::Field)?;
    if !shared.config.report.has_recipients() {
        return Err(Refusal::NoRecipients.into());
    }
    let told = send_now(&shared, &sender, span, principal.asker(&[AccessRole::Admin])).await?;
    let recipients = told.into_iter().map(|(recipient, sent)| {
        let result = sent.name();
        SentTo { recipient, result, fault: sent.told().err() }
    });
    Ok(reply::json(StatusCode::OK, &SentReport { recipients: recipients.collect() }))
}

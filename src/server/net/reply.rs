//! Answers to requests that are not served, in one shape: the status, and the
//! error as JSON.

use axum::extract::rejection::StringRejection;
use axum::http::header::{CONTENT_TYPE, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;

use crate::server::domain::draft::DraftRefusal;
use crate::server::domain::principal::Unnamed;
use crate::server::domain::refusal::{ErrorMessage, NotGiven, Refusal, Uncalibrated, Uncollected, Unfilled};
use crate::server::filter::BadQuery;

/// The words of an answer that refuses, beside its body: a close frame says them too.
#[derive(Clone, Debug)]
pub(crate) struct Words(pub(crate) String);

/// The answer to a request that is not served.
pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Response {
    fault(status, &ErrorMessage::new(code, message))
}

fn fault(status: StatusCode, message: &ErrorMessage<'_>) -> Response {
    let words = Extension(Words(message.text().to_owned()));
    (status, words, [(CONTENT_TYPE, "application/json")], message.to_json()).into_response()
}

pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    (status, Json(value)).into_response()
}

/// The answer to a plain request for a WebSocket endpoint.
pub(crate) fn upgrade_required() -> Response {
    let message = "这个地址只接受 WebSocket 连接 / this address only takes WebSocket connections";
    let mut response = error(StatusCode::UPGRADE_REQUIRED, "upgrade_required", message);
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}

/// The status that says why a request is refused.
pub(crate) const fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::BinaryFrame
        | Refusal::NoCall
        | Refusal::NoAgent
        | Refusal::InvalidFeedback { .. }
        | Refusal::InvalidReview { .. }
        | Refusal::Unnamed(_) => StatusCode::BAD_REQUEST,
        Refusal::AgentsOnly
        | Refusal::NotGiven(NotGiven::OfAnother)
        | Refusal::Uncollected(Uncollected::NotOwner { .. })
        | Refusal::Uncalibrated(Uncalibrated::OfOthers | Uncalibrated::NotMaker) => StatusCode::FORBIDDEN,
        Refusal::UnknownCall
        | Refusal::UnknownAlert
        | Refusal::NoSuchCall
        | Refusal::UnknownVersion
        | Refusal::NoSuchFlag
        | Refusal::UnknownHelp
        | Refusal::NoWayIn
        | Refusal::NoSuchView
        | Refusal::NoSuchTable
        | Refusal::Draft(DraftRefusal::Unknown)
        | Refusal::Unfilled(Unfilled::Unknown | Unfilled::NoSuchCall)
        | Refusal::Uncollected(Uncollected::Unknown)
        | Refusal::Uncalibrated(Uncalibrated::Unknown)
        | Refusal::NotGiven(NotGiven::Unknown) => StatusCode::NOT_FOUND,
        Refusal::WrongCall
        | Refusal::CallOver
        | Refusal::OtherAgent { .. }
        | Refusal::SeqPassed
        | Refusal::TooManyProducers { .. }
        | Refusal::NotInProgress
        | Refusal::CallTaken { .. }
        | Refusal::NotTaken
        | Refusal::TooManyHelps { .. }
        | Refusal::BacktestRunning
        | Refusal::LearningRunning
        | Refusal::Impossible(_)
        | Refusal::Draft(_)
        | Refusal::NotSearchable
        | Refusal::TooManyViews { .. }
        | Refusal::NoRecipients
        | Refusal::Unfilled(_)
        | Refusal::Uncollected(_)
        | Refusal::Uncalibrated(_)
        | Refusal::NotGiven(NotGiven::OtherVerdict | NotGiven::Done)
        | Refusal::SeveralCalls => StatusCode::CONFLICT,
        Refusal::FrameTooLarge { .. } | Refusal::UtteranceTooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::Slowed { .. } | Refusal::HelpsTooFast { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refusal::CallFailed => StatusCode::INTERNAL_SERVER_ERROR,
        Refusal::TooManyCalls { .. }
        | Refusal::TooManyCallsOfConnection { .. }
        | Refusal::TooManyCallsOfToken { .. }
        | Refusal::TooManyConnectionsOfAddress
        | Refusal::Stopping
        | Refusal::TooManyConnections
        | Refusal::TooManySubscribers
        | Refusal::TooManyExports
        | Refusal::Busy
        | Refusal::StoreFailed { .. } => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Why a request has no other answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// A parameter in the address cannot be used.
    Query(BadQuery),
    /// A field of the body cannot be used.
    Field(BadQuery),
    /// The body is no text, or too long.
    Body(StringRejection),
    Refused(Refusal),
}

impl Unanswered {
    /// A part of the address cannot be used.
    pub(crate) fn bad(field: &str, message: impl Into<String>) -> Self {
        Self::Query(BadQuery::new(field, message))
    }

    /// A field of the body cannot be used.
    pub(crate) fn in_body(field: &str, message: impl Into<String>) -> Self {
        Self::Field(BadQuery::new(field, message))
    }
}

impl From<BadQuery> for Unanswered {
    fn from(bad: BadQuery) -> Self {
        Self::Query(bad)
    }
}

impl From<StringRejection> for Unanswered {
    fn from(rejection: StringRejection) -> Self {
        Self::Body(rejection)
    }
}

impl From<Unnamed> for Unanswered {
    fn from(unnamed: Unnamed) -> Self {
        Self::Refused(unnamed.into())
    }
}

impl From<Refusal> for Unanswered {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl IntoResponse for Unanswered {
    fn into_response(self) -> Response {
        let in_field = |code, BadQuery { field, message }| {
            fault(StatusCode::BAD_REQUEST, &ErrorMessage::new(code, &message).in_field(&field))
        };
        match self {
            Self::Query(bad) => in_field("invalid_query", bad),
            Self::Field(bad) => in_field("invalid_body", bad),
            Self::Body(rejection) => {
                let message = format!(
                    "请求体无法读取：必须是 UTF-8 文本，且不能太长 / the body cannot be read: {}",
                    rejection.body_text()
                );
                error(rejection.status(), "invalid_body", &message)
            }
            Self::Refused(refusal) => error(status(&refusal), refusal.code(), &refusal.message()),
        }
    }
}

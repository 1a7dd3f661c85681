//! The common part of all lists: the span covered, and the cursor to go on from.

use chrono::FixedOffset;
use serde::Serialize;
use utoipa::ToSchema;

use crate::server::clock::wall_time;
use crate::server::filter::List;
use crate::server::store::{Place, Span};

/// The span that a list covers, and the cursor of the next page.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct About {
    /// For `cursor`; null on the last page.
    next_cursor: Option<String>,
    /// From this moment on, if it was asked for.
    pub(crate) from: Option<String>,
    /// Up to but without this moment, if it was asked for.
    pub(crate) to: Option<String>,
    /// The offset in which days begin and times are written.
    pub(crate) utc_offset: String,
}

impl About {
    pub(crate) fn new(span: Span, zone: FixedOffset, next_cursor: Option<String>) -> Self {
        let time = |ms: Option<i64>| ms.and_then(|ms| wall_time(ms, zone));
        Self { next_cursor, from: time(span.from_ms), to: time(span.to_ms), utc_offset: zone.to_string() }
    }
}

/// Cuts `found`, in which there may be one too many, to a page.
pub(crate) fn next_cursor<T>(
    found: &mut Vec<T>,
    count: usize,
    list: List,
    place: impl Fn(&T) -> Place,
) -> Option<String> {
    let has_more = found.len() > count;
    found.truncate(count);
    found.last().filter(|_| has_more).map(|last| list.cursor(place(last)))
}

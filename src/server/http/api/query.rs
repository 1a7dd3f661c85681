//! The query of an address as a struct with the fields that it may have; any other is refused.

use axum::extract::Query;
use serde::de::DeserializeOwned;

use crate::server::filter::{BadQuery, Parameters};

/// Reads a query that may have the parameters `known`, which are the fields of `T`.
pub(crate) fn read<T: DeserializeOwned>(query: &str, known: &[&str]) -> Result<T, String> {
    check(query, known)?;
    let uri = format!("/?{query}").parse().map_err(|_| "地址中的查询无法读取 / the query cannot be read".to_owned())?;
    Query::try_from_uri(&uri)
        .map(|Query(query)| query)
        .map_err(|fault| format!("地址中的查询无法读取 / the query cannot be read: {fault}"))
}

/// Refuses parameters that are none of `known`, and those that are given twice.
pub(crate) fn check(query: &str, known: &[&str]) -> Result<(), String> {
    Parameters::read(query, known.iter().copied()).map(drop).map_err(|fault| fault.message)
}

/// When the call was answered that is meant, where its id was used again.
pub(super) fn started_at(query: Option<&str>) -> Result<Option<i64>, BadQuery> {
    Parameters::read(query.unwrap_or_default(), ["started_at"])?.moment("started_at")
}

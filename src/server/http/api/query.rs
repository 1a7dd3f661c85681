//! The query of an address as a struct with the fields that it may have.

use axum::extract::Query;
use serde::de::DeserializeOwned;

pub(crate) fn read<T: DeserializeOwned>(query: &str) -> Result<T, String> {
    let uri = format!("/?{query}").parse().map_err(|_| "地址中的查询无法读取 / the query cannot be read".to_owned())?;
    Query::try_from_uri(&uri)
        .map(|Query(query)| query)
        .map_err(|fault| format!("地址中的查询无法读取 / the query cannot be read: {fault}"))
}

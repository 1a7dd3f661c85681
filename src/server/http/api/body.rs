//! Reads the bodies of requests: tells faults of the JSON by their field, masks texts and refuses those that are too long.

use serde::de::DeserializeOwned;

use crate::engine::privacy;
use crate::server::filter::BadQuery;
use crate::server::net::reply::Unanswered;

/// Reads a body; an empty one is as good as `{}`.
pub(super) fn read<T: DeserializeOwned>(body: &str) -> Result<T, Unanswered> {
    parse(body).map_err(Unanswered::Field)
}

/// As [`read`], for those who refuse in words of their own.
pub(super) fn parse<T: DeserializeOwned>(body: &str) -> Result<T, BadQuery> {
    let body = if body.trim().is_empty() { "{}" } else { body };
    let mut json = serde_json::Deserializer::from_str(body);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|fault| {
        let path = fault.path().to_string();
        told(if path == "." { "" } else { &path }, fault.inner())
    })?;
    json.end().map_err(|fault| told("", &fault))?;
    Ok(read)
}

/// A fault of serde's, with the field that it is about and what that may be.
fn told(path: &str, fault: &serde_json::Error) -> BadQuery {
    let text = fault.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    if !fault.is_data() {
        return BadQuery::new("", format!("请求体不是 JSON：{fault} / the body is no JSON: {fault}"));
    }
    let named = |text: &str| text.split('`').nth(1).unwrap_or_default().to_owned();
    if text.starts_with("missing field ") {
        let name = named(text);
        let field = if path.is_empty() { name } else { format!("{path}.{name}") };
        return BadQuery::new(&field, format!("缺少 {field} / {field} is missing"));
    }
    if let Some((got, choices)) = text.split_once(", expected ").filter(|(got, _)| got.starts_with("unknown variant")) {
        let all: Vec<&str> = choices.split('`').skip(1).step_by(2).collect();
        let (got, all) = (named(got), all.join(", "));
        return BadQuery::new(
            path,
            format!("{path} 不能是 {got}，只能是：{all} / {path} cannot be {got}; it is one of: {all}"),
        );
    }
    if let Some((_, choices)) = text.split_once(", expected ").filter(|(got, _)| got.starts_with("unknown field")) {
        let all = choices.split('`').skip(1).step_by(2).collect::<Vec<_>>().join(", ");
        return BadQuery::new(path, format!("没有字段 {path}；可用的有：{all} / no field {path}; known are: {all}"));
    }
    let field = if path.is_empty() { "请求体 / the body".to_owned() } else { path.to_owned() };
    BadQuery::new(path, format!("{field} 写得不对：{text} / {field} cannot be read: {text}"))
}

/// A text without the space around it, masked; no longer than `most` characters.
pub(super) fn text(field: &str, text: Option<String>, most: usize) -> Result<Option<String>, Unanswered> {
    let text = text.map(|text| text.trim().to_owned());
    if text.as_ref().is_some_and(|text| text.chars().count() > most) {
        let message = format!("{field} 最多 {most} 字 / {field} has at most {most} characters");
        return Err(Unanswered::in_body(field, message));
    }
    Ok(text.map(|text| privacy::mask(&text).into_owned()))
}

/// As [`text`]; none of one that is blank.
pub(super) fn remark(field: &str, given: Option<String>, most: usize) -> Result<Option<String>, Unanswered> {
    Ok(text(field, given, most)?.filter(|text| !text.is_empty()))
}

//! The pages, embedded in the binary: HTML, ES modules and styles as they stand
//! in `web/`, with no build step. They know no more than any other client: all
//! that they show comes over the public API, with the reader's own token.
//!
//! Deliberately absent: inline scripts, cookies, anything of the reader in the
//! HTML, which has the centre's `utc_offset` alone. A page is the same for everybody, so it needs no token, and its policy
//! forbids all that does not come from this server, but for the recordings of calls where there are some.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use include_dir::{Dir, include_dir};
use sha2::{Digest as _, Sha256};

use crate::server::config::OriginName;
use crate::server::domain::refusal::ErrorMessage;
use crate::server::net::reply;
use crate::server::runtime::Shared;

static WEB: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/web");
/// The HTML that all pages share.
const SHELL: &str = include_str!("../../../web/shell.html");

/// The endings of the files that may be requested, and their content types.
const TYPES: [(&str, &str); 3] = [
    (".js", "text/javascript; charset=utf-8"),
    (".css", "text/css; charset=utf-8"),
    (".svg", "image/svg+xml; charset=utf-8"),
];

/// Scripts, styles and connections of this server only. Who may show the page in
/// a frame follows.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors ";

macro_rules! pages {
    ($($(#[$doc:meta])* $name:ident: $path:literal $(($parameter:literal, $about:literal))? => $title:literal;)+) => {
        $(
            $(#[$doc])*
            #[utoipa::path(get, path = $path, tag = "pages", $(params(($parameter = String, Path, description = $about)),)? responses(
                (status = 200, description = "The page / 页面", body = String, content_type = "text/html"),
                (status = 304, description = "As it was / 没有变化"),
            ))]
            pub(crate) async fn $name(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
                page(&shared, stringify!($name), $title, &headers)
            }
        )+
    };
}

pages! {
    /// The home page: links to all others.
    home: "/" => "听检";
    /// An agent's panel: the live call, what it owes, its alerts.
    agent: "/agent/{agent_id}" ("agent_id", "Whose / 坐席") => "坐席面板";
    /// An agent's own day: calls, scores, alerts and what became of them.
    day: "/agent/{agent_id}/day" ("agent_id", "Whose / 坐席") => "我的一天";
    /// An agent's scored calls, to be signed.
    forms: "/agent/{agent_id}/forms" ("agent_id", "Whose / 坐席") => "我的评分";
    /// Training clips under a title.
    clips: "/clips/{clip_no}" ("clip_no", "Which / 哪一个") => "培训片段";
    /// The supervisors' wall: all live calls, the worst first.
    live: "/live" => "实时通话";
    /// One call: transcript, timeline, alerts, review.
    call: "/call/{call_id}" ("call_id", "Which call / 哪一通") => "通话";
    /// Quality: trends, queues of review and appeal, export.
    qa: "/qa" => "质检";
    /// Packs and rules, their coverage and precision, a place to try them.
    rules: "/rules" => "规则";
}

/// A script, style or picture of the pages.
#[utoipa::path(get, path = "/assets/{folder}/{name}", tag = "pages", params(
    ("folder" = String, Path, description = "Of which page, or shared / 哪个页面的，或共用的"),
    ("name" = String, Path, description = "The file / 文件名"),
), responses(
    (status = 200, description = "The file / 文件", body = String, content_type = "text/javascript"),
    (status = 304, description = "As it was / 没有变化"),
    (status = 404, description = "No such file / 没有这个文件", body = ErrorMessage),
))]
pub(crate) async fn asset(Path((folder, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let known = TYPES.iter().find(|(ending, _)| name.ends_with(ending));
    match (known, WEB.get_file(format!("{folder}/{name}"))) {
        (Some((_, content_type)), Some(file)) => serve(file.contents(), content_type, &headers),
        _ => reply::error(StatusCode::NOT_FOUND, "not_found", "没有这个文件 / no such file"),
    }
}

/// The answer to an address that there is not: a page for a browser, an error for all others.
pub(super) async fn missing(State(shared): State<Arc<Shared>>, method: Method, headers: HeaderMap) -> Response {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    if method == Method::GET && accepted.flat_map(|accept| accept.split(',')).any(|kind| kind.trim() == "text/html") {
        let mut response = page(&shared, "missing", "没有这个页面", &HeaderMap::new());
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    reply::error(StatusCode::NOT_FOUND, "not_found", "没有这个地址 / no such address")
}

/// The page of that name: its script and style are in the folder of that name.
fn page(shared: &Shared, name: &str, title: &str, headers: &HeaderMap) -> Response {
    let html = SHELL
        .replace("{name}", name)
        .replace("{title}", title)
        .replace("{zone}", &shared.config.utc_offset.to_string());
    // Where calls are looked at they may be heard, from where the recordings are and from nowhere else.
    let heard = shared.config.recording.url.as_ref().filter(|_| ["call", "clips", "qa"].contains(&name));
    self::html(shared, html, &heard.map(|url| format!("; media-src {}", url.0.origin())).unwrap_or_default(), headers)
}

/// A page, under the policy of all pages and what it has `more`.
pub(super) fn html(shared: &Shared, html: String, more: &str, headers: &HeaderMap) -> Response {
    let mut response = serve(html.into_bytes(), "text/html; charset=utf-8", headers);
    let embedders: Vec<&str> = shared.config.allowed_origins.iter().map(OriginName::as_str).collect();
    let policy = format!("{POLICY}'self' {}", embedders.join(" "));
    if let Ok(policy) = HeaderValue::try_from(format!("{}{more}", policy.trim_end())) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// A file, unless the client has it already. Browsers ask each time, so that a
/// new version of the program is a new version of its pages.
pub(super) fn serve(
    contents: impl AsRef<[u8]> + IntoResponse,
    content_type: &'static str,
    headers: &HeaderMap,
) -> Response {
    let digest = Sha256::digest(contents.as_ref());
    let tag = format!("\"{:016x}\"", u64::from_be_bytes(digest[..8].try_into().unwrap_or_default()));
    let is_known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|tags| tags.to_str().ok())
        .flat_map(|tags| tags.split(','))
        .any(|known| known.trim().trim_start_matches("W/") == tag);
    let mut response = if is_known { StatusCode::NOT_MODIFIED.into_response() } else { contents.into_response() };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, tag);
    }
    response
}

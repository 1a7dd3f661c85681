//! Access control: bearer tokens by role, and the sites whose pages may call at all. All of it is
//! one layer around the routes; a path without a policy is refused, so a new route cannot be
//! forgotten.
//!
//! Deliberately absent: users, passwords, cookies and sessions. A token comes from the
//! configuration, or is signed with its `agent_secret`. Tokens are compared by their digests, so
//! the time of a comparison reveals nothing about them, and no log line ever has one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts as _, MatchedPath, RawPathParams, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL, VARY, WWW_AUTHENTICATE,
};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::adapter::native;
use crate::server::clock;
use crate::server::config::{Config, OriginName, Secret, TARGET_BYTES_MAX, TokenSource};
use crate::server::domain::principal::{AccessRole, Principal};
use crate::server::net::reply;
use crate::server::net::ws::{Handshake, SUBPROTOCOL};
use crate::server::runtime::Shared;
use crate::server::telemetry::events::{Happening as _, RequestRefused};
use crate::server::telemetry::metrics::Metrics;

/// The query parameter that has the token where neither header nor subprotocol can.
const TOKEN_PARAMETER: &str = "token=";
/// A browser need not ask again for so long, in seconds.
const PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("600");

/// The roles that may call an endpoint, and the ways in which a token may reach it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    /// Nobody in particular: open to all.
    roles: &'static [AccessRole],
    /// It becomes a WebSocket or an event stream, for which a browser sends no
    /// headers of its own: `token=` in the address of a `GET` counts.
    token_in_query: bool,
    /// Pages open it: a WebSocket is refused by a close frame, the only answer
    /// that a page can read. A producer reads the HTTP answer.
    closes_refused: bool,
    /// Open to all, yet a token that comes along is read: it tells who asks.
    tells_who: bool,
    /// Its other headers are for another server: a token in the address comes first.
    passes_headers: bool,
}

impl Policy {
    pub(super) const fn of(roles: &'static [AccessRole]) -> Self {
        Self { roles, token_in_query: false, closes_refused: false, tells_who: false, passes_headers: false }
    }

    /// A producer opens it as a stream to another server, which may want a token of its own.
    pub(super) const fn relayed_stream(self) -> Self {
        Self { passes_headers: true, ..self.producer_stream() }
    }

    /// A producer opens it as a stream.
    pub(super) const fn producer_stream(self) -> Self {
        Self { token_in_query: true, ..self }
    }

    /// Pages open it as a stream.
    pub(super) const fn page_stream(self) -> Self {
        Self { token_in_query: true, closes_refused: true, ..self }
    }

    pub(super) const fn telling_who(self) -> Self {
        Self { tells_who: true, ..self }
    }
}

/// Where the token of a request stood: what goes on to another server must not hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenPlace {
    Header,
    Subprotocol,
    Query,
}

/// Policies by path, as the router has it.
pub(super) type Policies = BTreeMap<String, Policy>;

/// The access rules of one server.
pub(crate) struct Access {
    /// The holders of tokens, by the token's SHA-256.
    holders: HashMap<[u8; 32], Principal>,
    agent_secret: Option<Secret>,
    /// No tokens are configured, so none is asked for.
    open: bool,
    open_metrics: bool,
    origins: Vec<OriginName>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("tokens", &self.holders.len()).finish_non_exhaustive()
    }
}

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Denied {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Denied {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    fn unauthorized(code: &'static str, message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, message)
    }

    fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }
}

impl Access {
    /// The access that `config` gives to a server at `address`.
    ///
    /// # Errors
    /// A file of tokens cannot be used, or the server would be open to others
    /// without any token.
    pub(crate) fn new(config: &Config, address: SocketAddr) -> Result<Self, String> {
        let tokens = &config.tokens;
        let loopback = address.ip().to_canonical().is_loopback();
        if tokens.is_empty() && !loopback {
            return Err(format!(
                "监听 {address} 会让其他机器连进来，必须先配置令牌。在配置文件里加上（令牌用 openssl rand -hex 24 生成）/ other machines can reach {address}: tokens are required. Add to the configuration file:\n\n\
                 [tokens]\ningest = [\"…\"]\nqa = [\"…\"]\nadmin = [\"…\"]\nagent_secret = \"…\"\n\n\
                 只在本机使用请监听 127.0.0.1 / to serve this machine only, listen on 127.0.0.1"
            ));
        }
        let mut holders: HashMap<[u8; 32], Principal> = HashMap::new();
        let unnamed = |tokens| vec![(None, tokens)];
        for (role, tokens) in [
            (AccessRole::Admin, tokens.admin.each()),
            (AccessRole::Qa, tokens.qa.each()),
            (AccessRole::Ingest, unnamed(tokens.ingest.as_slice())),
            (AccessRole::Metrics, unnamed(tokens.metrics.as_slice())),
        ] {
            for (name, sources) in tokens {
                each_token(sources, |digest| {
                    let holder = holders.entry(digest).or_default();
                    holder.roles.insert(role);
                    holder.call(name)
                })?;
            }
        }
        for (agent_id, sources) in &tokens.agents {
            each_token(sources, |digest| {
                let holder = holders.entry(digest).or_default();
                holder.roles.insert(AccessRole::Agent);
                holder.agents.insert(agent_id.clone());
                Ok(())
            })?;
        }
        for (digest, holder) in &mut holders {
            holder.call_by_token(digest);
        }
        let agent_secret = tokens.read_agent_secret()?;
        Ok(Self {
            holders,
            agent_secret,
            open: tokens.is_empty(),
            open_metrics: loopback && tokens.metrics.is_empty(),
            origins: config.allowed_origins.clone(),
        })
    }

    /// Lets a request pass, and says whose it is, or why it does not. Takes the
    /// token out of its address.
    async fn admit(&self, policies: &Policies, parts: &mut Parts) -> Result<Principal, Denied> {
        let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
        if target > TARGET_BYTES_MAX {
            let message = format!(
                "地址有 {target} 字节，最多 {TARGET_BYTES_MAX} 字节 / the address has {target} bytes; at most {TARGET_BYTES_MAX} are allowed"
            );
            return Err(Denied::new(StatusCode::URI_TOO_LONG, "uri_too_long", message));
        }
        self.check_origin(&parts.headers)?;
        // What no route matches is answered with 404, to everybody.
        let Some(matched) = parts.extensions.get::<MatchedPath>().cloned() else { return Ok(Principal::default()) };
        let Some(policy) = policies.get(matched.as_str()) else {
            return Err(Denied::forbidden(
                "no_policy",
                "没有规定谁可以访问这个地址 / nobody is allowed to use this address",
            ));
        };
        let in_query = take_token(&mut parts.uri);
        if self.open {
            return Ok(Principal::open());
        }
        let in_query = in_query.filter(|_| policy.token_in_query && parts.method == Method::GET);
        let mut places = [
            (TokenPlace::Header, in_header(&parts.headers)),
            (TokenPlace::Subprotocol, in_subprotocol(&parts.headers)),
            (TokenPlace::Query, in_query),
        ];
        if policy.passes_headers {
            places.rotate_right(1);
        }
        let given = places.into_iter().find_map(|(place, token)| Some((place, token?)));
        let given = given.map(|(place, token)| {
            parts.extensions.insert(place);
            token
        });
        if policy.roles.is_empty() || (self.open_metrics && policy.roles.contains(&AccessRole::Metrics)) {
            let told = given.filter(|_| policy.tells_who).map(|token| self.holder(&token)).transpose()?;
            return Ok(told.unwrap_or_default());
        }
        let Some(token) = given else {
            return Err(Denied::unauthorized(
                "token_missing",
                "需要令牌：请带上 Authorization: Bearer … / a token is needed: send Authorization: Bearer …",
            ));
        };
        let holder = self.holder(&token)?;
        let agent_id = path_parameter(parts, "agent_id").await;
        let allowed = policy.roles.iter().any(|role| {
            holder.roles.contains(role)
                && (*role != AccessRole::Agent
                    || agent_id.as_ref().is_some_and(|agent_id| holder.agents.contains(agent_id)))
        });
        if allowed {
            return Ok(holder);
        }
        if policy.roles.contains(&AccessRole::Agent) && holder.roles.contains(&AccessRole::Agent) {
            let message = "这个令牌属于别的坐席 / this token is another agent's";
            return Err(Denied::forbidden("other_agent", message));
        }
        let roles = policy.roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ");
        Err(Denied::forbidden(
            "wrong_role",
            format!("这个令牌无权访问，需要的是：{roles} / this token may not; needed is one of: {roles}"),
        ))
    }

    /// The holder of `token`.
    fn holder(&self, token: &Secret) -> Result<Principal, Denied> {
        if let Some(holder) = self.holders.get(&digest_of(token)) {
            return Ok(holder.clone());
        }
        let signed = self.agent_secret.as_ref().and_then(|secret| read_agent_token(secret, token.reveal()));
        match signed {
            Some((agent_id, expires_s)) if clock::unix_ms() < expires_s.saturating_mul(1_000) => Ok(Principal {
                name: Some(agent_id.as_str().into()),
                roles: BTreeSet::from([AccessRole::Agent]),
                agents: BTreeSet::from([agent_id]),
                is_open: false,
            }),
            Some(_) => Err(Denied::unauthorized(
                "token_expired",
                "令牌已过期，请换一个新的 / the token has expired; get a new one",
            )),
            None => Err(Denied::unauthorized("token_unknown", "令牌不对 / the token is not known")),
        }
    }

    /// A page of another site must not use the server through its reader's browser.
    fn check_origin(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
        // Without tokens, only the name that the browser used tells a page that had its own name point here.
        if self.open && !self.is_own_name(&host) {
            return Err(Denied::forbidden(
                "unknown_host",
                "没有令牌时只能用 IP 地址或 localhost 访问；要用域名，请写进 allowed_origins / without tokens, use an IP address or localhost; to use a name, put it into allowed_origins",
            ));
        }
        let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
        let origin = origin.to_str().ok().and_then(OriginName::parse);
        let allowed = origin.is_some_and(|origin| {
            let host = host.strip_suffix(origin.usual_port()).unwrap_or(&host);
            origin.authority() == host || self.origins.contains(&origin)
        });
        if allowed {
            return Ok(());
        }
        Err(Denied::forbidden(
            "foreign_origin",
            "不允许这个网站的页面访问；需要的话把它写进 allowed_origins / pages of this site may not; if they should, put it into allowed_origins",
        ))
    }

    /// Whether `host` can only be a name of this server: nobody else can make
    /// an address or a name without dots point here.
    fn is_own_name(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => host.rsplit_once(':').map_or(host, |(name, _)| name),
        };
        !name.contains('.')
            || name.ends_with(".localhost")
            || name.parse::<IpAddr>().is_ok()
            || self
                .origins
                .iter()
                .any(|origin| origin.authority() == host.strip_suffix(origin.usual_port()).unwrap_or(host))
    }

    /// The site whose page asks, if it was let in by name.
    fn listed_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        let named = OriginName::parse(origin.to_str().ok()?)?;
        self.origins.contains(&named).then(|| origin.clone())
    }
}

/// The state of the layer around the routes.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) shared: Arc<Shared>,
    pub(super) access: Arc<Access>,
    pub(super) policies: Arc<Policies>,
}

/// The layer around the routes.
pub(super) async fn guard(
    State(Guard { shared, access, policies }): State<Guard>,
    request: Request<Body>,
    next: Next,
) -> Response {
    let matched = request.extensions().get::<MatchedPath>();
    // A page of another site is told nothing.
    let closes_refused =
        matched.and_then(|matched| policies.get(matched.as_str())).is_some_and(|policy| policy.closes_refused)
            && access.check_origin(request.headers()).is_ok();
    let handshake = if closes_refused { Handshake::of(&request).ok() } else { None };
    let response = let_through(&access, &policies, &shared.metrics, request, next).await;
    match handshake {
        Some(handshake) if response.status() != StatusCode::SWITCHING_PROTOCOLS => handshake.refuse(&shared, &response),
        _ => response,
    }
}

async fn let_through(
    access: &Access,
    policies: &Policies,
    metrics: &Metrics,
    request: Request<Body>,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let listed = access.listed_origin(&parts.headers);
    let asks_leave = parts.method == Method::OPTIONS && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if asks_leave && listed.is_some() {
        let allowed = [
            (ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST")),
            (ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type, last-event-id")),
            (ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS),
        ];
        (StatusCode::NO_CONTENT, allowed).into_response()
    } else {
        match access.admit(policies, &mut parts).await {
            Ok(principal) => {
                parts.extensions.insert(principal);
                next.run(Request::from_parts(parts, body)).await
            }
            Err(denied) => {
                RequestRefused { code: denied.code }.report(metrics);
                let mut response = reply::error(denied.status, denied.code, &denied.message);
                if denied.status == StatusCode::UNAUTHORIZED {
                    response
                        .headers_mut()
                        .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tingjian\""));
                }
                response
            }
        }
    };
    if let Some(origin) = listed {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        response.headers_mut().append(VARY, HeaderValue::from_static("Origin"));
    }
    response
}

async fn path_parameter(parts: &mut Parts, name: &str) -> Option<String> {
    // Decoded as the routes' own extractors do it.
    let parameters = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

fn in_header(headers: &HeaderMap) -> Option<Secret> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim().to_owned()))
}

/// `bearer, TOKEN`.
fn in_subprotocol(headers: &HeaderMap) -> Option<Secret> {
    let mut offered = headers.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?.split(',').map(str::trim);
    offered.find(|name| *name == SUBPROTOCOL)?;
    offered.next().map(|token| Secret::new(token.to_owned()))
}

/// Takes `token=` out of an address, so that nothing behind can show it.
fn take_token(uri: &mut Uri) -> Option<Secret> {
    let query = uri.query()?;
    let token = query.split('&').find_map(|pair| pair.strip_prefix(TOKEN_PARAMETER))?;
    let token = Secret::new(token.to_owned());
    let others: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with(TOKEN_PARAMETER)).collect();
    let target = if others.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), others.join("&")) };
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = PathAndQuery::try_from(target).ok();
    *uri = Uri::from_parts(parts).unwrap_or_default();
    Some(token)
}

fn each_token(sources: &[TokenSource], mut take: impl FnMut([u8; 32]) -> Result<(), String>) -> Result<(), String> {
    for source in sources {
        for token in source.read()? {
            match token {
                TokenSource::Plain(secret) => take(digest_of(&secret))?,
                TokenSource::Sha256(digest) => take(digest.0)?,
                TokenSource::File { .. } => {}
            }
        }
    }
    Ok(())
}

fn digest_of(token: &Secret) -> [u8; 32] {
    Sha256::digest(token.reveal().as_bytes()).into()
}

/// A token for one agent that needs no entry in the configuration:
/// `base64url(agent_id "." expiry in seconds since 1970) "." base64url(HMAC-SHA256)`,
/// where the second part signs the first as it is written.
#[must_use]
pub(crate) fn sign_agent_token(secret: &Secret, agent_id: &str, expires_s: i64) -> String {
    let claim = URL_SAFE_NO_PAD.encode(format!("{agent_id}.{expires_s}"));
    let signature = signer(secret).chain_update(&claim).finalize().into_bytes();
    format!("{claim}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The agent and the expiry of a token that was signed with `secret`.
fn read_agent_token(secret: &Secret, token: &str) -> Option<(String, i64)> {
    let (claim, signature) = token.split_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    // Takes the same time wherever the signatures differ.
    signer(secret).chain_update(claim).verify_slice(&signature).ok()?;
    let claim = String::from_utf8(URL_SAFE_NO_PAD.decode(claim).ok()?).ok()?;
    let (agent_id, expires_s) = claim.rsplit_once('.')?;
    native::check_id("agent_id", agent_id).ok()?;
    Some((agent_id.to_owned(), expires_s.parse().ok()?))
}

fn signer(secret: &Secret) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret.reveal().as_bytes()).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;

    use super::*;

    #[tokio::test]
    async fn a_route_without_a_policy_is_refused() {
        let address = "127.0.0.1:1".parse().unwrap();
        let access = Arc::new(Access::new(&Config::default(), address).unwrap());
        let guard = from_fn(move |request: Request<Body>, next: Next| {
            let access = Arc::clone(&access);
            let policies = BTreeMap::from([("/healthz".to_owned(), Policy::of(&[]))]);
            async move { let_through(&access, &policies, &Metrics::new().unwrap(), request, next).await }
        });
        let routes = Router::new().route("/healthz", get(async || "ok")).route("/v1/new", get(async || "secret"));
        let routes = TowerToHyperService::new(routes.layer(guard));
        // Though nobody needs a token here.
        for (path, status) in [("/healthz", 200), ("/v1/new", 403), ("/nowhere", 404)] {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            assert_eq!(routes.call(request).await.unwrap().status(), status, "{path}");
        }
    }
}

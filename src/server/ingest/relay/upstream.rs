//! The recognisers behind the relay: their addresses come from the configuration, never from a client.

use std::collections::BTreeMap;
use std::error::Error as _;

use axum::http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio_tungstenite::tungstenite::Bytes;

use crate::adapter::Format;
use crate::server::config::{Config, RELAY_CONNECT_TIMEOUT, RELAY_REFUSAL_BYTES_MAX, Secret};
use crate::server::net::client;

/// The headers of a handshake that are passed on as they are, beside those that begin with [`OWN`].
const PASSED: [HeaderName; 5] =
    [SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, SEC_WEBSOCKET_PROTOCOL, AUTHORIZATION, USER_AGENT];
/// Recognisers take keys in headers of their own, such as `X-NLS-Token`.
const OWN: &str = "x-";
/// Headers by which proxies describe a client; they are not passed on.
const OF_PROXIES: [&str; 2] = ["x-forwarded-", "x-real-ip"];
/// The headers of a refusal that are passed back.
const PASSED_BACK: [HeaderName; 3] = [CONTENT_TYPE, WWW_AUTHENTICATE, RETRY_AFTER];

/// The recognisers behind the relay.
#[derive(Clone, Debug)]
pub(crate) struct Upstreams {
    urls: BTreeMap<String, Secret>,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

/// The recogniser's answer to a handshake.
pub(crate) enum Answer {
    Taken {
        stream: TokioIo<Upgraded>,
        protocol: Option<HeaderValue>,
    },
    /// It refused; what the client would have seen.
    Refused {
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
    },
}

impl Upstreams {
    /// The recognisers of the configuration.
    ///
    /// # Errors
    /// One of them speaks TLS, and this machine has no certificates to check it against.
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let urls: BTreeMap<_, _> = config.relay.iter().map(|(name, up)| (name.clone(), up.url.clone())).collect();
        let is_sealed = urls.values().any(|url| url.reveal().starts_with("wss:"));
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(client::connector("relay", is_sealed)?);
        Ok(Self { urls, client })
    }

    /// Whether there is one for `format`.
    pub(crate) fn has(&self, format: Format) -> bool {
        self.urls.contains_key(format.name())
    }

    /// Shakes hands with the recogniser as the client does, which expects `proof`.
    ///
    /// # Errors
    /// There is no answer; why, without the address.
    pub(crate) async fn connect(
        &self,
        format: Format,
        query: &str,
        headers: &HeaderMap,
        proof: &HeaderValue,
    ) -> Result<Answer, String> {
        let url = self.urls.get(format.name()).ok_or_else(|| "not configured".to_owned())?;
        let mut request = Request::builder().uri(address(url.reveal(), query)?);
        if let Some(own) = request.headers_mut() {
            own.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            own.insert(UPGRADE, HeaderValue::from_static("websocket"));
            for (name, value) in headers.iter().filter(|(name, _)| is_passed(name)) {
                own.append(name, value.clone());
            }
        }
        let request = request.body(Empty::new()).map_err(|fault| fault.to_string())?;
        let shaking = async {
            let answer = self.client.request(request).await.map_err(|fault| {
                let source = fault.source().map(|source| format!(": {source}")).unwrap_or_default();
                format!("{fault}{source}")
            })?;
            if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                return Ok(refused(answer).await);
            }
            if answer.headers().get(SEC_WEBSOCKET_ACCEPT) != Some(proof) {
                return Err("its handshake is wrong".to_owned());
            }
            let protocol = answer.headers().get(SEC_WEBSOCKET_PROTOCOL).cloned();
            let stream = hyper::upgrade::on(answer).await.map_err(|fault| fault.to_string())?;
            Ok(Answer::Taken { stream: TokioIo::new(stream), protocol })
        };
        let seconds = RELAY_CONNECT_TIMEOUT.as_secs();
        tokio::time::timeout(RELAY_CONNECT_TIMEOUT, shaking)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {seconds} s")))
    }
}

async fn refused(answer: Response<Incoming>) -> Answer {
    let (parts, body) = answer.into_parts();
    let mut headers = HeaderMap::new();
    for name in PASSED_BACK {
        if let Some(value) = parts.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    let body = Limited::new(body, RELAY_REFUSAL_BYTES_MAX).collect().await;
    Answer::Refused { status: parts.status, headers, body: body.map(|body| body.to_bytes()).unwrap_or_default() }
}

fn is_passed(name: &HeaderName) -> bool {
    let text = name.as_str();
    PASSED.contains(name) || text.starts_with(OWN) && !OF_PROXIES.iter().any(|of| text.starts_with(of))
}

/// `ws://` as `http://`, with `query` behind what the configuration has.
fn address(url: &str, query: &str) -> Result<Uri, String> {
    let url = url.split('#').next().unwrap_or_default();
    let separator = match (query.is_empty(), url.contains('?')) {
        (true, _) => "",
        (false, true) => "&",
        (false, false) => "?",
    };
    let rest = url.strip_prefix("ws").ok_or("its address is no ws:// address")?;
    format!("http{rest}{separator}{query}").parse().map_err(|_| "its address with this query cannot be used".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_of_a_client_goes_behind_that_of_the_configuration() {
        for (url, query, expected) in [
            ("ws://asr:10095", "", "http://asr:10095/"),
            ("wss://asr/v1?key=k", "lang=zh", "https://asr/v1?key=k&lang=zh"),
            ("ws://asr/v1", "lang=zh&a=%26", "http://asr/v1?lang=zh&a=%26"),
            ("ws://asr:10095", "lang=zh", "http://asr:10095/?lang=zh"),
        ] {
            assert_eq!(address(url, query).unwrap().to_string(), expected, "{url} {query}");
        }
    }

    #[test]
    fn headers_of_proxies_and_cookies_stay_here() {
        for (name, passes) in [
            ("authorization", true),
            ("x-nls-token", true),
            ("sec-websocket-protocol", true),
            ("sec-websocket-extensions", false),
            ("cookie", false),
            ("origin", false),
            ("host", false),
            ("x-forwarded-for", false),
            ("x-real-ip", false),
        ] {
            assert_eq!(is_passed(&HeaderName::from_static(name)), passes, "{name}");
        }
    }
}

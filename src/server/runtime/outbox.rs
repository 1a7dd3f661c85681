//! The choice of webhooks for an alert, and the bell that rings once a message was stored for one
//! of them. The deliveries are in the room `outbox`.

use std::sync::Arc;

use tokio::sync::watch;

use crate::engine::alert::AlertState;
use crate::engine::severity::Severity;
use crate::server::config::{Webhook, WebhookStyle};

/// The webhooks as the shards and the journal know them.
#[derive(Debug)]
pub(crate) struct Outbox {
    webhooks: Vec<Wish>,
    /// Changes whenever something was kept for a webhook.
    kept: watch::Sender<()>,
}

/// The alerts that one webhook wants.
#[derive(Debug)]
struct Wish {
    webhook: Arc<str>,
    style: WebhookStyle,
    severity_min: Severity,
}

impl Wish {
    /// Whether an alert of that severity that enters `state` is sent; `was_confirmed` before. A
    /// receiver of JSON gets every later state of an alert that it was sent; a group gets one
    /// message.
    fn includes(&self, severity: Severity, state: AlertState, was_confirmed: bool) -> bool {
        let is_news = match state {
            AlertState::Confirmed => !was_confirmed || self.style == WebhookStyle::Json,
            AlertState::Retracted | AlertState::Resolved => was_confirmed && self.style == WebhookStyle::Json,
            AlertState::Provisional | AlertState::Reminder => false,
        };
        is_news && severity >= self.severity_min
    }
}

impl Outbox {
    pub(crate) fn new(webhooks: &[Webhook]) -> Self {
        let wish = |webhook: &Webhook| Wish {
            webhook: Arc::from(webhook.name.as_str()),
            style: webhook.style,
            severity_min: webhook.severity_min,
        };
        Self { webhooks: webhooks.iter().map(wish).collect(), kept: watch::Sender::new(()) }
    }

    /// The names of all webhooks.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.webhooks.iter().map(|wish| &wish.webhook)
    }

    /// The webhooks that get an alert of that severity that enters `state`.
    pub(crate) fn wanted(&self, severity: Severity, state: AlertState, was_confirmed: bool) -> Vec<Arc<str>> {
        let wanting = self.webhooks.iter().filter(|wish| wish.includes(severity, state, was_confirmed));
        wanting.map(|wish| Arc::clone(&wish.webhook)).collect()
    }

    /// The webhooks that want messages of that severity.
    pub(crate) fn wanting(&self, severity: Severity) -> Vec<Arc<str>> {
        let wanting = self.webhooks.iter().filter(|wish| severity >= wish.severity_min);
        wanting.map(|wish| Arc::clone(&wish.webhook)).collect()
    }

    /// Something was kept for one of them.
    pub(crate) fn wake(&self) {
        self.kept.send_replace(());
    }

    /// The bell.
    pub(crate) fn bell(&self) -> watch::Receiver<()> {
        self.kept.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::config::Config;

    /// The outbox of one webhook with these keys.
    fn outbox(keys: &str) -> Outbox {
        let config = format!("[[webhooks]]\nname = \"hook\"\n{keys}");
        Outbox::new(&Config::from_toml(&config).unwrap().webhooks)
    }

    #[test]
    fn an_alert_is_told_once_it_is_confirmed_and_to_json_what_becomes_of_it() {
        use AlertState::{Confirmed, Provisional, Reminder, Resolved, Retracted};
        // State, confirmed before, wanted by JSON, wanted by a robot.
        let cases = [
            (Provisional, false, false, false),
            (Reminder, false, false, false),
            (Retracted, false, false, false),
            (Resolved, false, false, false),
            (Confirmed, false, true, true),
            (Retracted, true, true, false),
            (Resolved, true, true, false),
            (Confirmed, true, true, false),
        ];
        let url = "url = \"http://h/\"\n";
        let (to_json, robot) = (outbox(url), outbox(&format!("{url}style = \"wecom\"\n")));
        let to_all = outbox(&format!("{url}severity_min = \"info\"\n"));
        for (state, before, json, once) in cases {
            assert_eq!(!to_json.wanted(Severity::Critical, state, before).is_empty(), json, "{state:?} {before}");
            assert_eq!(!robot.wanted(Severity::Critical, state, before).is_empty(), once, "{state:?} {before}");
            assert!(to_json.wanted(Severity::Warning, state, before).is_empty(), "{state:?} {before}");
            assert_eq!(!to_all.wanted(Severity::Info, state, before).is_empty(), json, "{state:?} {before}");
        }
    }
}

//! Events for operators: one struct an event, which is one log line and its metrics together. No
//! event holds words of a call or types of the room that reports it.

mod alerts;
mod calls;
mod connections;
mod consume;
mod exports;
mod producers;
mod relay;
mod reports;
mod rules;
mod store;
mod webhooks;

use crate::server::telemetry::metrics::Metrics;

pub(crate) use alerts::{AlertDecided, AlertWritten, FeedbackGiven, Reviewed};
pub(crate) use calls::{AlertsLeftOut, CallClosed, CallStarted, Heard, Recovery, ShardStep};
pub(crate) use connections::{
    Connection, ConnectionRefused, HandshakeFailed, Reconnected, RequestRefused, SubscriberSlow,
};
pub(crate) use consume::{BusConnected, BusFailed, MessageConsumed, MessagePoisoned, MessagesLost};
pub(crate) use exports::Exported;
pub(crate) use producers::{FrameRefused, MessageUnrecognised, PackUnknown, ProducerSlowed, StampsJumped};
pub(crate) use relay::{RelayStream, RelayUnchecked, UpstreamFailed};
pub(crate) use reports::ReportSent;
pub(crate) use rules::{RuleMeasured, RulesReloaded};
pub(crate) use store::{Committed, RowsForgotten, StoreFailed, StoreMended};
pub(crate) use webhooks::{ThresholdCrossed, WebhookDelivered, WebhookFailed, WebhookGivenUp};

/// Something worth a log line, a metric, or both.
pub(crate) trait Happening {
    fn report(self, metrics: &Metrics);
}

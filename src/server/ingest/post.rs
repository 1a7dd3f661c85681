//! Call events by `POST`, for pipelines without WebSocket: one JSON object, or
//! one a line. The answer comes when all of it is durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::mpsc;
use utoipa::ToSchema;

use crate::adapter::native::{self, EventBody, Number};
use crate::server::clock;
use crate::server::config::{IN_FLIGHT_MAX, POST_ERRORS_MAX};
use crate::server::domain::refusal::Refusal;
use crate::server::ingest::limit;
use crate::server::runtime::Shared;
use crate::server::runtime::shard::{Command, Delivery, Reply};
use crate::server::runtime::shares::Origin;
use crate::server::store::Json;
use crate::server::telemetry::events::{FrameRefused, Happening as _};

/// The outcome of the events of one request.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Outcome {
    /// The number of events that are durable.
    accepted: usize,
    /// By call, the highest `seq` among them.
    acks: BTreeMap<String, Option<u64>>,
    /// By call and producer, the highest `seq` of those that name theirs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    producer_acks: BTreeMap<String, BTreeMap<String, Option<u64>>>,
    /// The first of the lines that were refused.
    errors: Vec<Fault>,
    /// The number of refused lines beyond those listed.
    #[serde(skip_serializing_if = "is_zero")]
    errors_more: usize,
    /// Remarks on lines that were taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Fault>,
}

/// The condition under which serde leaves the field out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[derive(Debug, Serialize, ToSchema)]
struct Fault {
    /// From 1.
    line: usize,
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    producer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
}

impl Outcome {
    /// Whether nothing was refused.
    pub(crate) const fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }

    /// Nothing was taken: the body is no text.
    pub(crate) fn unreadable(message: String) -> Self {
        let fault = Fault { line: 1, code: "invalid_body", message, call_id: None, producer: None, seq: None };
        Self { errors: vec![fault], ..Self::default() }
    }

    fn ack(&mut self, call_id: String, number: Number) {
        let acked = match number.producer {
            None => self.acks.entry(call_id).or_default(),
            Some(producer) => self.producer_acks.entry(call_id).or_default().entry(producer).or_default(),
        };
        *acked = (*acked).max(number.seq);
    }

    fn refuse(
        &mut self,
        shared: &Shared,
        line: usize,
        (code, message): (&'static str, String),
        call_id: Option<String>,
        number: Number,
    ) {
        FrameRefused { code }.report(&shared.metrics);
        let fault = Fault { line, code, message, call_id, producer: number.producer, seq: number.seq };
        match self.errors.len() < POST_ERRORS_MAX {
            true => self.errors.push(fault),
            false => self.errors_more += 1,
        }
    }
}

/// Takes all events of `body`, in their order. A bad line costs only itself.
pub(crate) async fn take(shared: &Arc<Shared>, body: &str, origin: &Arc<Origin>) -> Outcome {
    let mut outcome = Outcome::default();
    let (reply_to, mut replies) = mpsc::channel(IN_FLIGHT_MAX);
    let mut under_way = Vec::new();
    let mut told_packs = false;
    let lines = (1..).zip(body.lines().map(native::bare));
    for (line, text) in lines.filter(|(_, text)| !text.is_empty()) {
        // Lines that are refused wait for nothing: other tasks come in between, and the time limit.
        tokio::task::consume_budget().await;
        let max = shared.config.frame_bytes_max.get();
        if text.len() > max {
            let refusal = Refusal::FrameTooLarge { bytes: text.len(), max };
            outcome.refuse(shared, line, told(&refusal), None, Number::default());
            continue;
        }
        let event = match native::parse(text) {
            Ok(event) => event,
            Err(error) => {
                let fault = (error.code.name(), error.to_string());
                outcome.refuse(shared, line, fault, error.call_id, error.number);
                continue;
            }
        };
        if let Err(refusal) = limit::check(&shared.config, &event.body) {
            outcome.refuse(shared, line, told(&refusal), Some(event.call_id), event.number);
            continue;
        }
        if let EventBody::Start(info) = &event.body
            && let Some(message) = limit::unknown_packs(shared, info, &mut told_packs)
        {
            let call_id = Some(event.call_id.clone());
            outcome.warnings.push(Fault {
                line,
                code: limit::UNKNOWN_PACK,
                message,
                call_id,
                producer: None,
                seq: None,
            });
        }
        if under_way.len() == IN_FLIGHT_MAX {
            settle(shared, &mut replies, &mut under_way, &mut outcome).await;
        }
        let (call_id, number) = (event.call_id.clone(), event.number.clone());
        let json = Json::from(text);
        let (origin, replies) = (Arc::clone(origin), reply_to.clone());
        let delivery = Delivery { event, json, received: clock::now(), origin, replies };
        match shared.shards.send(&call_id, Command::Event(delivery)).await {
            Ok(()) => under_way.push((line, call_id, number)),
            Err(refusal) => outcome.refuse(shared, line, told(&refusal), Some(call_id), number),
        }
    }
    settle(shared, &mut replies, &mut under_way, &mut outcome).await;
    outcome
}

fn told(refusal: &Refusal) -> (&'static str, String) {
    (refusal.code(), refusal.message())
}

/// Waits for the replies to the events under way. Those of one call come in order.
async fn settle(
    shared: &Shared,
    replies: &mut mpsc::Receiver<Reply>,
    under_way: &mut Vec<(usize, String, Number)>,
    outcome: &mut Outcome,
) {
    while !under_way.is_empty() {
        let reply = tokio::select! {
            biased;
            reply = replies.recv() => reply,
            // The journal is done: what has no reply by now has none coming.
            () = shared.closing.cancelled() => None,
        };
        let Some(Reply { call_id, number, outcome: result }) = reply else {
            for (line, call_id, number) in under_way.drain(..) {
                outcome.refuse(shared, line, told(&Refusal::Stopping), Some(call_id), number);
            }
            return;
        };
        let Some(place) = under_way.iter().position(|(_, call, _)| *call == call_id) else { continue };
        let (line, ..) = under_way.remove(place);
        match result {
            Ok(()) => {
                outcome.accepted += 1;
                outcome.ack(call_id, number);
            }
            Err(refusal) => outcome.refuse(shared, line, told(&refusal), Some(call_id), number),
        }
    }
}

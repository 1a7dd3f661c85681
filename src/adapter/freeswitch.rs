//! FreeSWITCH's events as ESL's `event json` (or mod_event_socket's clients)
//! give them: what happens to a call, not what is said. One connection carries
//! the events of one call, of one of its legs or of all.
//!
//! | quirk | what is done |
//! |---|---|
//! | each event is of one leg, and does not say whose it is | the agent's is named by `agent_channel`: a `Unique-ID`, a user or extension, or `a` or `b` for the leg that called and the one that was called; `b` unless said |
//! | times are epoch microseconds, in strings | counted from the answer: when the agent's leg was answered, or was first bridged |
//! | before the answer is known, an event has no time in the call | it is placed where it came |
//! | `CHANNEL_HOLD` is the leg whose telephone holds | the agent's is a hold; the customer's own is none |
//! | `CHANNEL_UNHOLD` also comes when a held leg hangs up | only what was held is resumed |
//! | a transfer has no event of its own: it is in `variable_transfer_history` or `Caller-Transfer-Source`, as `epoch:uuid:bl_xfer:where/context/dialplan`, one or an array | told once for each entry behind the answer; those before it are the dialplan's |
//! | after a transfer comes another `CHANNEL_BRIDGE` | somebody answered it: the agent of `variable_cc_agent` or `variable_agent_id`, where it is set |
//! | `CHANNEL_HANGUP` comes before the variables are complete | only `CHANNEL_HANGUP_COMPLETE` counts |
//! | `sip_hangup_disposition` is told from the switch's side, for each leg | `recv_…`: the party of that leg; `send_…` with `NORMAL_CLEARING`: the other one; else the system |
//! | the transferring leg hangs up, and the call goes on | `BLIND_TRANSFER` and `ATTENDED_TRANSFER` as the cause or the `endpoint_disposition`, and an agent's leg behind a transfer that nobody answered yet, end nothing |
//! | a leg that nobody answered hangs up (other agents that rang) | ends nothing |
//! | the agent asks a colleague over a leg of their own | only the legs of the first bridge, and after a transfer those of its answer, are the agent's and the customer's; others hold, resume and end nothing |
//! | plain events encode values (`%3A`), JSON ones do not | both are read where it matters |
//! | a header may come twice (`Hangup-Cause`) | the last counts |
//! | all other events | say nothing |

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::shape;
use super::{Adapter, Leg, Unrecognised, Voices};
use crate::engine::time::CallTime;
use crate::engine::transcript::{Input, Party};

const NAME: &str = "FreeSWITCH";
/// The leg that was called: in a hotline, the agent's.
pub const CALLED_LEG: &str = "b";
const CALLING_LEG: &str = "a";
/// A leg that was answered so much later than the first two were joined is neither of them.
const JOINED_LATER_US: i64 = 2_000_000;
/// Transfers of one call; later ones are ignored.
const TRANSFERS_MAX: usize = 64;

/// The state that the events of one call build on.
#[derive(Debug)]
pub struct Freeswitch {
    agent: String,
    /// When the call was answered, in epoch microseconds.
    answered: Option<i64>,
    bridged: bool,
    /// When the two were first joined, in epoch microseconds.
    bridged_at: Option<i64>,
    /// The `Unique-ID`s of the two parties' legs, where they are known.
    agent_leg: Option<String>,
    customer_leg: Option<String>,
    /// The leg that the switch called and that was answered last.
    answered_leg: Option<String>,
    held: bool,
    /// The transfers that were told.
    transfers: BTreeSet<String>,
    /// A transfer waits for somebody to answer.
    transferring: bool,
    ended: bool,
}

impl Freeswitch {
    /// The adapter of one connection.
    #[must_use]
    pub fn new(leg: Leg) -> Self {
        let agent = match leg.voices {
            Voices::AgentOn(agent) => agent,
            Voices::One(_) => CALLED_LEG.to_owned(),
        };
        Self {
            agent,
            answered: None,
            bridged: false,
            bridged_at: None,
            agent_leg: None,
            customer_leg: None,
            answered_leg: None,
            held: false,
            transfers: BTreeSet::new(),
            transferring: false,
            ended: false,
        }
    }

    fn is_agents(&self, event: &Event) -> bool {
        if let (Some(leg), Some(agent)) = (event.leg(), &self.agent_leg) {
            return leg == agent;
        }
        match self.agent.as_str() {
            CALLED_LEG => event.is_called(),
            CALLING_LEG => !event.is_called(),
            name => {
                ["Unique-ID", "Caller-Username", "variable_user_name", "variable_cc_agent", "variable_dialed_user"]
                    .iter()
                    .any(|header| event.text(header) == Some(name))
                    || event.text("Channel-Name").and_then(user_of_channel) == Some(name)
            }
        }
    }

    fn learn_answer(&mut self, event: &Event, kind: &str, is_agents: bool) {
        if self.answered.is_some() {
            return;
        }
        self.answered = match kind {
            "CHANNEL_ANSWER" if is_agents => event.stamp(),
            "CHANNEL_BRIDGE" => event.number("Caller-Channel-Bridged-Time").or_else(|| event.stamp()),
            // Connected in the middle of the call.
            _ if is_agents => event.number("Caller-Channel-Answered-Time"),
            _ => event.number("Caller-Channel-Bridged-Time"),
        };
    }

    /// Whether the leg is the customer's or the agent's own, as far as that is known.
    fn is_party(&self, event: &Event) -> bool {
        let Some(leg) = event.leg() else { return true };
        if self.customer_leg.as_deref() == Some(leg) || self.agent_leg.as_deref() == Some(leg) {
            return true;
        }
        if self.agent_leg.is_some() && self.customer_leg.is_some() {
            return false;
        }
        // Both were there when they were first joined; who was answered later is a colleague.
        let joined = self.bridged_at.or(self.answered).zip(event.number("Caller-Channel-Answered-Time"));
        !self.transfers.is_empty() || joined.is_none_or(|(both, leg)| leg <= both + JOINED_LATER_US)
    }

    /// Learns whose legs a bridge joins.
    fn learn_legs(&mut self, event: &Event, is_agents: bool) {
        let Some(own) = event.leg() else { return };
        let other = ["Bridge-A-Unique-ID", "Bridge-B-Unique-ID", "Other-Leg-Unique-ID"]
            .iter()
            .filter_map(|header| event.text(header))
            .find(|leg| *leg != own);
        let customers = self.customer_leg.as_deref();
        let (agent, customer) = match other {
            Some(other) if customers == Some(other) => (Some(own), Some(other)),
            other if customers == Some(own) || !is_agents => (other, Some(own)),
            other => (Some(own), other),
        };
        let (agent, customer) = (agent.map(str::to_owned), customer.map(str::to_owned));
        self.agent_leg = agent.or_else(|| self.answered_leg.take().filter(|leg| customer.as_ref() != Some(leg)));
        self.customer_leg = customer.or_else(|| self.customer_leg.take());
    }

    fn at(&self, epoch_us: Option<i64>, now: CallTime) -> CallTime {
        let since = self
            .answered
            .zip(epoch_us)
            .and_then(|(answered, at)| shape::moment(at.saturating_sub(answered).max(0) / 1_000));
        since.map_or(now, CallTime)
    }

    fn transfers(&mut self, event: &Event, now: CallTime, inputs: &mut Vec<Input>) {
        let Some(answered) = self.answered else { return };
        for entry in event.transfers() {
            let mut parts = entry.splitn(4, ':');
            let (Some(epoch_s), Some(_), Some(kind), destination) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            let Ok(epoch_s) = epoch_s.parse::<i64>() else { continue };
            let epoch_us = epoch_s.saturating_mul(1_000_000);
            if epoch_us <= answered || !kind.ends_with("xfer") || self.transfers.len() >= TRANSFERS_MAX {
                continue;
            }
            let to =
                destination.and_then(|destination| destination.split(['/', '@']).next()).filter(|to| !to.is_empty());
            let to = to.filter(|to| super::native::check_id("to", to).is_ok()).map(str::to_owned);
            if self.transfers.insert(entry) {
                self.transferring = true;
                inputs.push(Input::Transfer { at: self.at(Some(epoch_us), now), to });
            }
        }
    }

    fn bridge(&mut self, event: &Event, is_agents: bool, at: CallTime, inputs: &mut Vec<Input>) {
        let again = std::mem::replace(&mut self.bridged, true);
        self.bridged_at = self.bridged_at.or_else(|| event.stamp());
        if !again || self.transferring {
            self.learn_legs(event, is_agents);
        }
        if again && self.transferring {
            self.transferring = false;
            let agent = event.text("variable_cc_agent").or_else(|| event.text("variable_agent_id"));
            let agent = agent.filter(|agent| super::native::check_id("agent_id", agent).is_ok());
            inputs.push(Input::TransferAnswered { at, agent_id: agent.map(str::to_owned) });
        }
    }

    fn hangup(&mut self, event: &Event, is_agents: bool, at: CallTime, inputs: &mut Vec<Input>) {
        let cause = event.text("Hangup-Cause").or_else(|| event.text("variable_hangup_cause")).unwrap_or_default();
        let never_answered = event.number("Caller-Channel-Answered-Time").is_none();
        let is_transfer = |cause| matches!(cause, "BLIND_TRANSFER" | "ATTENDED_TRANSFER");
        let goes_on = is_transfer(cause)
            || event.text("variable_endpoint_disposition").is_some_and(is_transfer)
            || is_agents && (self.transferring || never_answered);
        if goes_on || self.ended || !self.is_party(event) {
            return;
        }
        let (own, other) = match is_agents {
            true => (Party::Agent, Party::Customer),
            false => (Party::Customer, Party::Agent),
        };
        let disposition = event.text("variable_sip_hangup_disposition").unwrap_or_default();
        let by = match disposition.split('_').next() {
            Some("recv") => own,
            Some("send") if cause == "NORMAL_CLEARING" => other,
            _ => Party::System,
        };
        self.ended = true;
        inputs.push(Input::End { at, by });
    }
}

impl Adapter for Freeswitch {
    fn message(&mut self, text: &str, now: CallTime, inputs: &mut Vec<Input>) -> Result<(), Unrecognised> {
        let event = Event(shape::json(NAME, text)?);
        let Some(kind) = event.text("Event-Name") else {
            return Err(shape::unknown(NAME, "Event-Name"));
        };
        if !kind.starts_with("CHANNEL_") && kind != "CALL_UPDATE" {
            return Ok(());
        }
        let is_agents = self.is_agents(&event);
        if kind == "CHANNEL_ANSWER" && event.is_called() {
            self.answered_leg = event.leg().map(str::to_owned);
        }
        self.learn_answer(&event, kind, is_agents);
        self.transfers(&event, now, inputs);
        let at = self.at(event.stamp(), now);
        match kind {
            "CHANNEL_HOLD" if is_agents && !self.held => {
                self.held = true;
                inputs.push(Input::Hold { at });
            }
            "CHANNEL_UNHOLD" if is_agents && self.held => {
                self.held = false;
                inputs.push(Input::Resume { at });
            }
            "CHANNEL_BRIDGE" => self.bridge(&event, is_agents, at, inputs),
            "CHANNEL_HANGUP_COMPLETE" => {
                let at = self.at(event.number("Caller-Channel-Hangup-Time").or_else(|| event.stamp()), now);
                self.hangup(&event, is_agents, at, inputs);
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, _inputs: &mut Vec<Input>) {
        // A connection that breaks is not a call that ends.
    }
}

/// The headers of one event.
struct Event(Map<String, Value>);

impl Event {
    fn text(&self, header: &str) -> Option<&str> {
        self.0.get(header)?.as_str().filter(|value| !value.is_empty())
    }

    /// A positive number; 0 is a moment that did not come.
    fn number(&self, header: &str) -> Option<i64> {
        let value = self.0.get(header)?;
        let number = value.as_str().map_or_else(|| value.as_i64(), |text| text.parse().ok());
        number.filter(|number| *number > 0)
    }

    fn leg(&self) -> Option<&str> {
        self.text("Unique-ID")
    }

    /// When it happened, in epoch microseconds.
    fn stamp(&self) -> Option<i64> {
        self.number("Event-Date-Timestamp")
    }

    /// Whether this is the leg that the switch, or the caller's leg, called.
    fn is_called(&self) -> bool {
        match (self.text("Call-Direction"), self.text("Other-Type")) {
            (Some(direction), _) => direction == "outbound",
            (None, other) => other == Some("originator"),
        }
    }

    fn transfers(&self) -> Vec<String> {
        let history = self.0.get("variable_transfer_history").or_else(|| self.0.get("Caller-Transfer-Source"));
        let entries: Vec<&str> = match history {
            Some(Value::String(entries)) => entries.trim_start_matches("ARRAY::").split("|:").collect(),
            Some(Value::Array(entries)) => entries.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        entries.into_iter().map(|entry| entry.replace("%3A", ":").replace("%3a", ":")).collect()
    }
}

/// The user in a channel's name, such as `sofia/internal/1001@10.0.0.1`.
fn user_of_channel(name: &str) -> Option<&str> {
    name.rsplit('/').next()?.split('@').next()
}
